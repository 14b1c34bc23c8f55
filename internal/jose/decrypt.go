package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha1" // RSA-OAEP's hash, by its specification
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"
)

// DecryptionKey is a key of ours that opens tokens. Printed, logged or encoded as
// JSON it shows ID and Alg alone. Keep an old one in the list for as long as
// tokens that were encrypted for it may be under way.
type DecryptionKey struct {
	ID  string // kid; empty if it has none
	Alg string // the only alg it is used with; empty: every one that goes with its type

	// Private is a *rsa.PrivateKey or another crypto.Decrypter with an RSA public
	// key (RSA-OAEP and RSA-OAEP-256), an *ecdsa.PrivateKey (ECDH-ES and its key
	// wraps), a []byte of exactly the size that alg and enc want, or a
	// [ClientSecret].
	Private any
}

// ClientSecret is a shared secret from which a symmetric key of the size that a
// token wants is derived: the leftmost bits of its SHA-256, SHA-384 or SHA-512
// hash, the shortest that is long enough (OpenID Connect Core 1.0 section 10.2).
// It does not show itself when printed.
type ClientSecret []byte

// KeyManagement returns the values of the JWE alg that [Decrypt] knows: no
// RSA1_5, whose padding is an oracle (RFC 8017 section 7.2), and no PBES2, whose
// cost a stranger chooses.
func KeyManagement() []string {
	return []string{
		"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW",
		"RSA-OAEP", "RSA-OAEP-256", "A128KW", "A192KW", "A256KW",
		"A128GCMKW", "A192GCMKW", "A256GCMKW", "dir",
	}
}

// ContentEncryption returns the values of enc that [Decrypt] knows.
func ContentEncryption() []string {
	return []string{"A128GCM", "A192GCM", "A256GCM", "A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512"}
}

// Decrypt opens a token in the JWE compact serialization (RFC 7516 section 3.1)
// whose alg is one of algs and whose enc is one of encs; [KeyManagement] and
// [ContentEncryption] list what is known here. It tries the keys that fit: those
// with the token's kid, and those for which either side has no kid. At most
// [MaxCandidates] are tried.
//
// Whoever has our public key can make such a token. So the payload proves
// nothing until it is itself a signed token that [KeySet.Verify] or
// [HMACKey.Verify] accepts, which also refuse another encrypted one: one level of
// nesting, and no claims of an encrypted token that nobody signed.
//
// Every failure after the header is the same [CannotDecrypt], which does not say
// how far decryption got.
func Decrypt(token string, keys []DecryptionKey, algs, encs []string) (payload []byte, hdr Header, err error) {
	e, refused := cutEncrypted(token)
	if refused != nil {
		return nil, Header{}, refused
	}
	h, refused := e.parseHeader()
	if refused != nil {
		return nil, Header{}, refused
	}
	switch {
	case !slices.Contains(algs, h.Alg):
		return nil, Header{}, notAllowed(h.Alg, algs)
	case !slices.Contains(encs, h.Enc):
		return nil, Header{}, notAllowed(h.Enc, encs)
	case !slices.Contains(KeyManagement(), h.Alg):
		return nil, Header{}, refuse(UnsupportedAlg, quote(h.Alg))
	case !slices.Contains(ContentEncryption(), h.Enc):
		return nil, Header{}, refuse(UnsupportedAlg, quote(h.Enc))
	}
	if refused := e.checkParts(h); refused != nil {
		return nil, Header{}, refused
	}

	tried := 0
	for _, k := range keys {
		usable := k.opener(h)
		if usable == nil {
			continue
		}
		if tried++; tried > MaxCandidates {
			return nil, Header{}, refuse(AmbiguousKey, "more than 8 of our keys fit alg "+quote(h.Alg)+" and kid "+quote(h.KeyID))
		}
		if payload, ok := open(token, h, usable); ok {
			return payload, h, nil
		}
	}
	return nil, Header{}, refuse(CannotDecrypt,
		"alg "+quote(h.Alg)+", enc "+quote(h.Enc)+", kid "+quote(h.KeyID)+", "+strconv.Itoa(tried)+" fitting keys of ours")
}

// encrypted is a token cut at its four dots. Nothing of it has been decoded.
type encrypted struct {
	header, key, iv, ciphertext, tag string
}

func cutEncrypted(token string) (encrypted, *Error) {
	if err := checkSize(token); err != nil {
		return encrypted{}, err
	}
	switch dots := strings.Count(token, "."); {
	case token[0] == '{':
		return encrypted{}, refuse(Malformed, "expected the compact serialization, got a JSON object")
	case dots == 2:
		return encrypted{}, refuse(NotEncrypted, "expected an encrypted token of five parts, got a signed one of three")
	case dots != 4:
		return encrypted{}, refuse(Malformed, "expected an encrypted token of five parts")
	}
	var e encrypted
	e.header, token, _ = strings.Cut(token, ".")
	e.key, token, _ = strings.Cut(token, ".")
	e.iv, token, _ = strings.Cut(token, ".")
	e.ciphertext, e.tag, _ = strings.Cut(token, ".")
	if len(e.header) > maxHeader {
		return encrypted{}, refuse(TooLarge, "header longer than 16 KiB")
	}
	return e, nil
}

func (e encrypted) parseHeader() (Header, *Error) {
	h, err := parseHeader(e.header)
	if err == nil && h.Enc == "" {
		return Header{}, refuse(Malformed, "header: no enc")
	}
	return h, err
}

func parseEncryptedHeader(token string) (Header, *Error) {
	e, err := cutEncrypted(token)
	if err != nil {
		return Header{}, err
	}
	return e.parseHeader()
}

// checkParts holds the length of every part against what alg and enc make of it,
// so that the cryptography is never handed a part that is missing or cut.
func (e encrypted) checkParts(h Header) *Error {
	ivSize, tagSize := 12, 16 // AES GCM, RFC 7518 section 5.3
	switch h.Enc {
	case "A128CBC-HS256": // RFC 7518 section 5.2
		ivSize, tagSize = 16, 16
	case "A192CBC-HS384":
		ivSize, tagSize = 16, 24
	case "A256CBC-HS512":
		ivSize, tagSize = 16, 32
	}
	for _, part := range [...]struct {
		name, encoded string
		size          int // -1: any but zero
	}{{"encrypted key", e.key, keySize(h.Alg)}, {"initialization vector", e.iv, ivSize}, {"ciphertext", e.ciphertext, -1}, {"authentication tag", e.tag, tagSize}} {
		decoded, err := decodeSegment(nil, part.encoded, part.name)
		switch {
		case err != nil:
			return err
		case part.size < 0 && len(decoded) == 0:
			return refuse(Malformed, "the "+part.name+" is empty")
		case part.size >= 0 && len(decoded) != part.size:
			return refuse(Malformed, fmt.Sprintf("the %s has %d bytes, expected %d", part.name, len(decoded), part.size))
		}
	}
	return nil
}

// keySize is the length of a token's encrypted key: none where the key is agreed
// on or shared (RFC 7516 section 5.2, steps 10 and 11).
func keySize(alg string) int {
	if alg == "dir" || alg == "ECDH-ES" {
		return 0
	}
	return -1
}

// opener returns k in the form that go-jose wants it to open a token with this
// header, or nil if it does not fit.
func (k DecryptionKey) opener(h Header) any {
	if k.Alg != "" && k.Alg != h.Alg {
		return nil
	}
	switch p := k.Private.(type) {
	case ClientSecret:
		// A secret is known to both sides without a name.
		if bits := symmetricBits(h.Alg, h.Enc); bits > 0 && len(p) > 0 {
			return p.key(bits)
		}
		return nil
	case []byte:
		if bits := symmetricBits(h.Alg, h.Enc); bits > 0 && len(p) == bits/8 {
			return p
		}
		return nil
	}
	if k.ID != "" && h.KeyID != "" && k.ID != h.KeyID {
		return nil
	}
	switch p := k.Private.(type) {
	case *rsa.PrivateKey:
		if strings.HasPrefix(h.Alg, "RSA-OAEP") && p != nil && p.N != nil && p.N.BitLen() >= minRSABits {
			return p
		}
	case *ecdsa.PrivateKey:
		if strings.HasPrefix(h.Alg, "ECDH-ES") && p != nil && p.Curve != nil {
			return p
		}
	case crypto.Decrypter:
		if public, ok := p.Public().(*rsa.PublicKey); ok && strings.HasPrefix(h.Alg, "RSA-OAEP") && public != nil {
			return remoteRSA{p, h.Alg}
		}
	}
	return nil
}

// symmetricBits is the size of the shared key that alg and enc want, 0 if they
// want none.
func symmetricBits(alg, enc string) int {
	switch alg {
	case "A128KW", "A128GCMKW":
		return 128
	case "A192KW", "A192GCMKW":
		return 192
	case "A256KW", "A256GCMKW":
		return 256
	case "dir":
		switch enc {
		case "A128GCM":
			return 128
		case "A192GCM":
			return 192
		case "A256GCM", "A128CBC-HS256":
			return 256
		case "A192CBC-HS384":
			return 384
		case "A256CBC-HS512":
			return 512
		}
	}
	return 0
}

// key derives a symmetric key, OpenID Connect Core 1.0 section 10.2.
func (s ClientSecret) key(bits int) []byte {
	switch {
	case bits <= 256:
		sum := sha256.Sum256(s)
		return sum[:bits/8]
	case bits <= 384:
		sum := sha512.Sum384(s)
		return sum[:bits/8]
	default:
		sum := sha512.Sum512(s)
		return sum[:bits/8]
	}
}

// remoteRSA lets go-jose use an RSA key it cannot see.
type remoteRSA struct {
	key crypto.Decrypter
	alg string
}

// DecryptKey implements gojose.OpaqueKeyDecrypter.
func (r remoteRSA) DecryptKey(encryptedKey []byte, _ gojose.Header) ([]byte, error) {
	opts := &rsa.OAEPOptions{Hash: crypto.SHA1} // RFC 7518 section 4.3
	if r.alg == "RSA-OAEP-256" {
		opts.Hash = crypto.SHA256
	}
	return r.key.Decrypt(rand.Reader, encryptedKey, opts)
}

// open decrypts with one key. The library's error is dropped: what it tells apart
// must not be told to whoever sent the token.
func open(token string, h Header, key any) (payload []byte, ok bool) {
	// Crafted tokens have made JOSE libraries panic. The parts were checked above;
	// should another way be found, it ends here and not in the program.
	defer func() {
		if recover() != nil {
			payload, ok = nil, false
		}
	}()
	parsed, err := gojose.ParseEncryptedCompact(token,
		[]gojose.KeyAlgorithm{gojose.KeyAlgorithm(h.Alg)},
		[]gojose.ContentEncryption{gojose.ContentEncryption(h.Enc)})
	if err != nil {
		return nil, false
	}
	payload, err = parsed.Decrypt(key)
	return payload, err == nil
}

func (k DecryptionKey) redacted() string {
	return "jose.DecryptionKey(" + k.Alg + " " + quote(k.ID) + ", private part redacted)"
}

// Format prints the key without its private part, whatever the verb.
func (k DecryptionKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte(k.redacted())) }

// LogValue logs the key without its private part.
func (k DecryptionKey) LogValue() slog.Value { return slog.StringValue(k.redacted()) }

// MarshalJSON encodes the key, as a string, without its private part.
func (k DecryptionKey) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(k.redacted())), nil
}

const redactedSecret = "jose.ClientSecret(redacted)"

// Format prints the type and not the secret, whatever the verb.
func (s ClientSecret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(redactedSecret)) }

// LogValue logs the type and not the secret.
func (s ClientSecret) LogValue() slog.Value { return slog.StringValue(redactedSecret) }

// MarshalJSON encodes the type and not the secret.
func (s ClientSecret) MarshalJSON() ([]byte, error) { return []byte(`"` + redactedSecret + `"`), nil }
