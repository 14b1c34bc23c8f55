package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"strconv"
	"unicode/utf8"
)

// SigningKey is a key of ours and the one algorithm it is used with. Printed,
// logged or encoded as JSON it shows ID and Alg alone.
type SigningKey struct {
	ID      string   // kid; empty if tokens are to carry none
	Alg     string   // RS256 to RS512, PS256 to PS512, ES256 to ES512, EdDSA, Ed25519, HS256 to HS512
	Use     string   // "sig"; empty means the same. "enc": only to be published by PublicKeySet
	Private any      // a crypto.Signer (of an HSM or KMS, too), or a []byte for HMAC
	Chain   [][]byte // certificates in DER, the key's own first; only to be published by PublicKeySet
}

// Sign signs payload and returns the token in the compact serialization. header
// may add members to the protected header, such as typ, or jwk for DPoP (RFC
// 9449 section 4.2); alg and kid come from the key and must not be among them,
// nor crit and b64, which change what a signature means. A key that does not fit
// its Alg is a [BadKey], an error of the signer [SigningFailed].
func Sign(k SigningKey, header map[string]any, payload []byte) (string, error) {
	s, err := NewSigner(k, header)
	if err != nil {
		return "", err
	}
	return s.Sign(payload)
}

// Signer signs many payloads with one key under one header, which are checked and
// encoded once. It is safe for concurrent use if the key is.
type Signer struct {
	key    SigningKey
	alg    algorithm
	header string // encoded, with the dot behind it
}

// NewSigner makes a Signer. key, header and errors are as for [Sign].
func NewSigner(k SigningKey, header map[string]any) (*Signer, error) {
	a, err := k.check()
	if err != nil {
		return nil, err
	}
	all := maps.Clone(header)
	if all == nil {
		all = make(map[string]any, 2)
	}
	for _, name := range [...]string{"alg", "kid", "crit", "b64"} {
		if _, there := all[name]; there {
			return nil, refuse(UnsupportedHeader, name+" must not be set by the caller")
		}
	}
	all["alg"] = k.Alg
	if k.ID != "" {
		all["kid"] = k.ID
	}
	for name, value := range all {
		// json.Marshal would write U+FFFD in place of what is not UTF-8.
		if text, ok := value.(string); ok && !utf8.ValidString(text) {
			return nil, refuse(Malformed, name+" is not UTF-8")
		}
	}
	protected, cause := json.Marshal(all)
	if cause != nil {
		return nil, &Error{Reason: Malformed, Detail: "header", Err: cause}
	}
	return &Signer{key: k, alg: a, header: base64.RawURLEncoding.EncodeToString(protected) + "."}, nil
}

// Sign signs payload and returns the token in the compact serialization.
func (s *Signer) Sign(payload []byte) (string, error) {
	if len(payload) == 0 {
		return "", refuse(Malformed, "nothing to sign")
	}
	const signature = 400 // that of an RSA key of 2048 bits, encoded, fits
	token := make([]byte, 0, len(s.header)+base64.RawURLEncoding.EncodedLen(len(payload))+signature)
	token = append(token, s.header...)
	token = base64.RawURLEncoding.AppendEncode(token, payload)
	sig, err := s.key.sign(s.alg, token)
	if err != nil {
		return "", err
	}
	token = append(token, '.')
	token = base64.RawURLEncoding.AppendEncode(token, sig)
	return string(token), nil
}

// Format prints the key without its private part.
func (s *Signer) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(s.key.redacted())) }

// Unsigned returns payload as an unsecured token (RFC 7519 section 6.1), which
// proves nothing.
func Unsigned(header map[string]any, payload []byte) string {
	all := maps.Clone(header)
	all["alg"] = "none"
	protected, err := json.Marshal(all)
	if err != nil {
		protected = []byte(`{"alg":"none"}`) // the headers of callers are strings: never reached
	}
	return base64.RawURLEncoding.EncodeToString(protected) + "." + base64.RawURLEncoding.EncodeToString(payload) + "."
}

// check refuses a key that cannot sign with its Alg, before anything is signed.
func (k SigningKey) check() (algorithm, *Error) {
	if k.Use != "" && k.Use != "sig" {
		return algorithm{}, refuse(BadKey, "a key of use "+quote(k.Use)+" does not sign")
	}
	a, known := lookup(k.Alg)
	if !known {
		return a, refuse(UnsupportedAlg, quote(k.Alg))
	}
	if a.family == hmacSHA {
		secret, ok := k.Private.([]byte)
		switch {
		case !ok:
			return a, refuse(BadKey, k.Alg+" wants a []byte")
		case len(secret) < MinSecret:
			return a, refuse(WeakSecret, "expected at least 16 bytes, got "+strconv.Itoa(len(secret)))
		}
		return a, nil
	}
	public, err := publicOf(k.Private)
	if err != nil {
		return a, err
	}
	var fits bool
	switch public := public.(type) {
	case *rsa.PublicKey:
		if fits = a.family == rsaPKCS1 || a.family == rsaPSS; fits && public.N.BitLen() < minRSABits {
			return a, refuse(BadKey, "RSA key of "+strconv.Itoa(public.N.BitLen())+" bits, expected at least 2048")
		}
	case *ecdsa.PublicKey:
		fits = a.family == ecDSA && public.Curve.Params().BitSize == a.bits
	case ed25519.PublicKey:
		fits = a.family == edDSA
	}
	if !fits {
		return a, refuse(BadKey, fmt.Sprintf("%s does not go with a key of type %T", k.Alg, public))
	}
	return a, nil
}

// EmptyKey reports whether a key of the standard library's is one whose methods
// panic, because it was never filled.
func EmptyKey(private any) bool {
	switch p := private.(type) {
	case *rsa.PrivateKey:
		return p == nil || p.N == nil
	case *ecdsa.PrivateKey:
		return p == nil || p.Curve == nil
	case ed25519.PrivateKey:
		return len(p) != ed25519.PrivateKeySize
	}
	return false
}

// publicOf returns the public half of an asymmetric private key, which is never nil.
func publicOf(private any) (crypto.PublicKey, *Error) {
	if EmptyKey(private) {
		return nil, refuse(BadKey, fmt.Sprintf("the %T is empty, or not of the size that it must have", private))
	}
	holder, ok := private.(interface{ Public() crypto.PublicKey })
	if !ok {
		return nil, refuse(BadKey, fmt.Sprintf("expected a private key, got a %T", private))
	}
	switch public := holder.Public().(type) {
	case *rsa.PublicKey:
		if public != nil && public.N != nil {
			return public, nil
		}
	case *ecdsa.PublicKey:
		if public != nil && public.Curve != nil {
			return public, nil
		}
	case ed25519.PublicKey:
		if len(public) == ed25519.PublicKeySize {
			return public, nil
		}
	default:
		return nil, refuse(BadKey, fmt.Sprintf("public key of type %T", public))
	}
	return nil, refuse(BadKey, "the public key is empty")
}

// sign returns the signature as RFC 7518 section 3 writes it.
func (k SigningKey) sign(a algorithm, input []byte) ([]byte, *Error) {
	if a.family == hmacSHA {
		mac := newHMAC(a, k.Private.([]byte))
		mac.Write(input)
		return mac.Sum(nil), nil
	}
	var buf [sha512.Size]byte
	message := input
	var opts crypto.SignerOpts = crypto.Hash(0) // Ed25519 signs the message itself
	switch a.family {
	case rsaPKCS1, ecDSA:
		message, opts = a.digest(input, &buf), a.hash
	case rsaPSS:
		message = a.digest(input, &buf)
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: a.hash}
	}
	signer, ok := k.Private.(crypto.Signer)
	if !ok {
		return nil, refuse(BadKey, fmt.Sprintf("a %T cannot sign", k.Private))
	}
	signature, err := signer.Sign(rand.Reader, message, opts)
	if err != nil {
		return nil, &Error{Reason: SigningFailed, Err: err}
	}
	if a.family == ecDSA {
		return rawECDSA(signature, (a.bits+7)/8)
	}
	return signature, nil
}

// rawECDSA turns the ASN.1 signature of a crypto.Signer into R || S: a SEQUENCE of
// two INTEGERs in DER (RFC 3279 section 2.2.3). encoding/asn1 does the same by
// reflection, at the price of six allocations for each signature.
func rawECDSA(der []byte, size int) ([]byte, *Error) {
	raw := make([]byte, 2*size)
	rest, ok := derElement(&der, 0x30)
	for i := 0; ok && i < 2; i++ {
		var n []byte
		if n, ok = derElement(&rest, 0x02); ok {
			// Above zero, and in its shortest form.
			ok = len(n) > 0 && n[0] < 0x80 && (n[0] != 0 || len(n) > 1 && n[1] >= 0x80)
			n = trimZeros(n)
			if ok = ok && len(n) <= size; ok {
				copy(raw[(i+1)*size-len(n):], n)
			}
		}
	}
	if !ok || len(rest) != 0 || len(der) != 0 {
		return nil, refuse(SigningFailed, "the signer returned no ASN.1 ECDSA signature of this curve")
	}
	return raw, nil
}

// derElement takes the element of a tag from the front of b. A signature is shorter
// than 256 bytes.
func derElement(b *[]byte, tag byte) ([]byte, bool) {
	in := *b
	if len(in) < 2 || in[0] != tag {
		return nil, false
	}
	n, head := int(in[1]), 2
	if n == 0x81 && len(in) > 2 && in[2] >= 0x80 {
		n, head = int(in[2]), 3
	} else if n >= 0x80 {
		return nil, false
	}
	if len(in) < head+n {
		return nil, false
	}
	*b = in[head+n:]
	return in[head : head+n], true
}

func (k SigningKey) redacted() string {
	return "jose.SigningKey(" + k.Alg + " " + quote(k.ID) + ", private part redacted)"
}

// Format prints the key without its private part, whatever the verb.
func (k SigningKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.redacted())) }

// LogValue logs the key without its private part.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.redacted()) }

// MarshalJSON encodes the key, as a string, without its private part.
func (k SigningKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.redacted()) }
