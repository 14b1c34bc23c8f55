package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/json"
	"math/big"
	"slices"
	"strconv"

	"rely.example/internal/strictjson"
)

// Bounds on RSA keys.
const (
	// minRSABits is the smallest modulus, RFC 7518 sections 3.3 and 3.5.
	minRSABits = 2048

	// maxRSABits is the largest. crypto/tls draws the line for certificates at
	// the same place, because the work of one verification grows with the square.
	maxRSABits = 8192

	// maxSignature is the longest signature of any key accepted here, in bytes.
	maxSignature = maxRSABits / 8
)

// Skip says why a key of a set is not used for signatures.
type Skip string

// The reasons for leaving a key out. PrivateKey and SymmetricKey deserve an
// alarm: the issuer published a secret. NotForSignatures is no fault at all.
const (
	PrivateKey       Skip = "private key published"
	SymmetricKey     Skip = "symmetric key in a public set"
	NotForSignatures Skip = "not for signatures" // use, key_ops or alg say so
	UnknownType      Skip = "unknown key type"   // kty, RFC 7518 section 6.1
	UnknownCurve     Skip = "unknown curve"      // crv, RFC 7518 section 6.2.1.1
	BrokenKey        Skip = "broken key"         // missing, mistyped or impossible members
	WeakKey          Skip = "weak key"           // RSA shorter than 2048 bits, or exponent 1
	OversizeKey      Skip = "oversize key"       // RSA longer than 8192 bits
)

// SkippedKey is a key that a set has and [KeySet.Verify] does not use.
type SkippedKey struct {
	ID     string // kid, empty if there is none or it is not a string; cut to MaxKeyID
	Type   string // kty, likewise
	Why    Skip
	Detail string // which member, if one is to blame
}

// key is a public key that verifies signatures, ready for use. Exactly one of
// rsa, ec and ed is set.
type key struct {
	id  string // kid, may be empty
	alg string // the only algorithm the issuer allows for it, or empty
	any bool   // the issuer does not say what it is for: it may encrypt too
	rsa *rsa.PublicKey
	ec  *ecdsa.PublicKey
	ed  ed25519.PublicKey
}

// fits reports whether the key can and may verify signatures of alg.
func (k *key) fits(alg string, a algorithm) bool {
	if k.alg != "" && !sameAlg(k.alg, alg) {
		return false
	}
	switch a.family {
	case rsaPKCS1, rsaPSS:
		return k.rsa != nil
	case ecDSA:
		return k.ec != nil && k.ec.Curve.Params().BitSize == a.bits
	case edDSA:
		return k.ed != nil
	}
	return false // an HMAC never has its key in a public set
}

func (k *key) verify(a algorithm, input, signature []byte, w *workspace) bool {
	switch {
	case k.rsa != nil:
		return a.verifyRSA(k.rsa, input, signature, w)
	case k.ec != nil:
		return a.verifyECDSA(k.ec, input, signature, w)
	default:
		return verifyEd25519(k.ed, input, signature)
	}
}

// wireKey is a JWK (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
// Its certificate members (x5c, x5t, x5u) are not read: they may disagree with
// the key, and the key is what counts.
type wireKey struct {
	Kty    *string  `json:"kty"`
	Kid    *string  `json:"kid"`
	Use    *string  `json:"use"`
	KeyOps []string `json:"key_ops"`
	Alg    *string  `json:"alg"`
	Crv    *string  `json:"crv"`
	N      *string  `json:"n"`
	E      *string  `json:"e"`
	X      *string  `json:"x"`
	Y      *string  `json:"y"`

	// Only whether they are there matters.
	D   json.RawMessage `json:"d"`
	P   json.RawMessage `json:"p"`
	Q   json.RawMessage `json:"q"`
	DP  json.RawMessage `json:"dp"`
	DQ  json.RawMessage `json:"dq"`
	QI  json.RawMessage `json:"qi"`
	Oth json.RawMessage `json:"oth"`
	K   json.RawMessage `json:"k"`
}

// parseKey reads one JWK that strictjson accepted as part of a set. If it is not
// to be used, why says the reason and key is nil.
func parseKey(raw json.RawMessage) (*key, *SkippedKey) {
	var w wireKey
	if err := strictjson.Unmarshal(raw, &w); err != nil {
		return nil, skipUnreadable(raw, err)
	}
	skip := func(why Skip, detail string) (*key, *SkippedKey) {
		return nil, &SkippedKey{ID: bounded(w.Kid), Type: bounded(w.Kty), Why: why, Detail: detail}
	}
	switch {
	case w.Kty == nil:
		return skip(BrokenKey, "no kty")
	case *w.Kty == "oct" || present(w.K):
		return skip(SymmetricKey, "")
	case present(w.D) || present(w.P) || present(w.Q) || present(w.DP) || present(w.DQ) || present(w.QI) || present(w.Oth):
		// The whole world can sign with it.
		return skip(PrivateKey, "")
	case w.Kid != nil && len(*w.Kid) > MaxKeyID:
		return skip(BrokenKey, "kid longer than 512 bytes")
	case w.Use != nil && *w.Use != "sig": // RFC 7517 section 4.2
		return skip(NotForSignatures, "use")
	case w.KeyOps != nil && !slices.Contains(w.KeyOps, "verify"): // RFC 7517 section 4.3
		return skip(NotForSignatures, "key_ops")
	}

	k := &key{id: value(w.Kid), alg: value(w.Alg), any: w.Use == nil && w.KeyOps == nil}
	var why Skip
	var detail string
	switch *w.Kty {
	case "RSA":
		k.rsa, why, detail = w.rsa()
	case "EC":
		k.ec, why, detail = w.ec()
	case "OKP":
		k.ed, why, detail = w.ed25519()
	default:
		return skip(UnknownType, quote(*w.Kty))
	}
	if why != "" {
		return skip(why, detail)
	}
	// The kid and the type may fit no algorithm at all: RSA-OAEP, or ES256 on P-384.
	if k.alg != "" {
		if a, _ := lookup(k.alg); !k.fits(k.alg, a) {
			return skip(NotForSignatures, "alg "+quote(k.alg))
		}
	}
	return k, nil
}

// rsa reads RFC 7518 section 6.3.1. It looks at sizes and single bits only: a
// stranger's number is never divided or tested for primality.
func (w *wireKey) rsa() (*rsa.PublicKey, Skip, string) {
	n, ok := number(w.N)
	if !ok {
		return nil, BrokenKey, "n"
	}
	e, ok := number(w.E)
	if !ok {
		return nil, BrokenKey, "e"
	}
	n, e = trimZeros(n), trimZeros(e)
	switch bits := bitLen(n); {
	case bits < minRSABits:
		return nil, WeakKey, strconv.Itoa(bits) + " bits"
	case bits > maxRSABits:
		return nil, OversizeKey, strconv.Itoa(bits) + " bits"
	case n[len(n)-1]&1 == 0:
		return nil, BrokenKey, "n is even"
	case len(e) > 4 || len(e) == 4 && e[0]&0x80 != 0:
		return nil, OversizeKey, "e" // the standard library's bound, 2^31-1
	}
	exponent := 0
	for _, b := range e {
		exponent = exponent<<8 | int(b)
	}
	switch {
	case exponent == 1:
		return nil, WeakKey, "e is 1" // every message is its own signature
	case exponent&1 == 0:
		return nil, BrokenKey, "e is even"
	}
	return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: exponent}, "", ""
}

// ec reads RFC 7518 section 6.2.1.
func (w *wireKey) ec() (*ecdsa.PublicKey, Skip, string) {
	curve := curveOf(value(w.Crv))
	if curve == nil {
		return nil, UnknownCurve, quote(value(w.Crv))
	}
	size := (curve.Params().BitSize + 7) / 8
	x, okX := number(w.X)
	y, okY := number(w.Y)
	// "The length of this octet string MUST be the full size of a coordinate".
	if !okX || len(x) != size {
		return nil, BrokenKey, "x"
	}
	if !okY || len(y) != size {
		return nil, BrokenKey, "y"
	}
	point := slices.Concat([]byte{4}, x, y) // SEC 1 section 2.3.3, uncompressed
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, point)
	if err != nil {
		return nil, BrokenKey, "not a point of " + *w.Crv
	}
	return pub, "", ""
}

func curveOf(crv string) elliptic.Curve {
	switch crv {
	case "P-256":
		return elliptic.P256()
	case "P-384":
		return elliptic.P384()
	case "P-521":
		return elliptic.P521()
	}
	return nil
}

// ed25519 reads RFC 8037 section 2.
func (w *wireKey) ed25519() (ed25519.PublicKey, Skip, string) {
	if value(w.Crv) != "Ed25519" {
		return nil, UnknownCurve, quote(value(w.Crv))
	}
	x, ok := number(w.X)
	if !ok || len(x) != ed25519.PublicKeySize {
		return nil, BrokenKey, "x"
	}
	return ed25519.PublicKey(x), "", ""
}

// skipUnreadable names, as far as that is possible, a JWK with members of the
// wrong type.
func skipUnreadable(raw json.RawMessage, err error) *SkippedKey {
	s := &SkippedKey{Why: BrokenKey, Detail: err.Error()}
	members, err := strictjson.Object(raw)
	if err != nil {
		return s // no object at all
	}
	var kid, kty string
	if decodeString(members["kid"], &kid) {
		s.ID = bounded(&kid)
	}
	if decodeString(members["kty"], &kty) {
		s.Type = bounded(&kty)
	}
	if present(members["d"]) {
		s.Why = PrivateKey
	}
	return s
}

// number decodes a Base64urlUInt or an octet string of RFC 7518 section 2.
func number(encoded *string) ([]byte, bool) {
	if encoded == nil || *encoded == "" {
		return nil, false
	}
	b, err := decodeSegment(nil, *encoded, "number")
	return b, err == nil
}

// bitLen is the length of the number n, which has no leading zero bytes.
func bitLen(n []byte) int {
	if len(n) == 0 {
		return 0
	}
	bits := 8 * (len(n) - 1)
	for top := n[0]; top != 0; top >>= 1 {
		bits++
	}
	return bits
}

// present reports whether a member is there. Some issuers write every member that
// their key type knows, and null for those that a public key has not.
func present(raw json.RawMessage) bool {
	return raw != nil && string(raw) != "null"
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func bounded(s *string) string {
	if s == nil {
		return ""
	}
	return (*s)[:min(len(*s), MaxKeyID)]
}
