package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
)

// family is what an algorithm needs of a key.
type family uint8

const (
	rsaPKCS1 family = iota + 1 // RSASSA-PKCS1-v1_5, RFC 7518 section 3.3
	rsaPSS                     // RSASSA-PSS, RFC 7518 section 3.5
	ecDSA                      // RFC 7518 section 3.4
	edDSA                      // RFC 8037 section 3.1, RFC 9864 section 2.2
	hmacSHA                    // RFC 7518 section 3.2
)

// algorithm is one value of alg for signatures.
type algorithm struct {
	family family
	hash   crypto.Hash // SHA-512 for Ed25519, which hashes by itself: for LeftHalfHash
	bits   int         // ecDSA: the size of the curve
}

// lookup returns what alg means. The comparison is exact: alg is case-sensitive
// (RFC 7515 section 4.1.1). "none" is not an algorithm here.
func lookup(alg string) (algorithm, bool) {
	switch alg {
	case "RS256":
		return algorithm{rsaPKCS1, crypto.SHA256, 0}, true
	case "RS384":
		return algorithm{rsaPKCS1, crypto.SHA384, 0}, true
	case "RS512":
		return algorithm{rsaPKCS1, crypto.SHA512, 0}, true
	case "PS256":
		return algorithm{rsaPSS, crypto.SHA256, 0}, true
	case "PS384":
		return algorithm{rsaPSS, crypto.SHA384, 0}, true
	case "PS512":
		return algorithm{rsaPSS, crypto.SHA512, 0}, true
	case "ES256":
		return algorithm{ecDSA, crypto.SHA256, 256}, true
	case "ES384":
		return algorithm{ecDSA, crypto.SHA384, 384}, true
	case "ES512":
		return algorithm{ecDSA, crypto.SHA512, 521}, true
	case "EdDSA", "Ed25519":
		return algorithm{edDSA, crypto.SHA512, 0}, true
	case "HS256":
		return algorithm{hmacSHA, crypto.SHA256, 0}, true
	case "HS384":
		return algorithm{hmacSHA, crypto.SHA384, 0}, true
	case "HS512":
		return algorithm{hmacSHA, crypto.SHA512, 0}, true
	}
	return algorithm{}, false
}

// Algorithms returns the values of alg that are known here, strongest habit
// first: those an issuer should be asked for before those it may insist on.
func Algorithms() []string {
	return []string{
		"ES256", "Ed25519", "EdDSA", "PS256", "RS256", "ES384", "ES512",
		"PS384", "PS512", "RS384", "RS512", "HS256", "HS384", "HS512",
	}
}

// Supported reports whether alg is one of [Algorithms], exactly.
func Supported(alg string) bool {
	_, known := lookup(alg)
	return known
}

// Symmetric reports whether alg authenticates with a shared secret.
func Symmetric(alg string) bool {
	a, _ := lookup(alg)
	return a.family == hmacSHA
}

// sameAlg compares two names of alg, knowing that EdDSA on an Ed25519 key and
// Ed25519 are one algorithm under its old and its new name (RFC 9864).
func sameAlg(a, b string) bool {
	return a == b || a == "EdDSA" && b == "Ed25519" || a == "Ed25519" && b == "EdDSA"
}

// digest hashes input into buf and returns the part of buf that is used.
func (a algorithm) digest(input []byte, buf *[sha512.Size]byte) []byte {
	switch a.hash {
	case crypto.SHA256:
		sum := sha256.Sum256(input)
		return buf[:copy(buf[:], sum[:])]
	case crypto.SHA384:
		sum := sha512.Sum384(input)
		return buf[:copy(buf[:], sum[:])]
	default:
		*buf = sha512.Sum512(input)
		return buf[:]
	}
}

// verifyRSA, verifyECDSA and verifyEd25519 report whether signature is that of
// input by the key.

func (a algorithm) verifyRSA(key *rsa.PublicKey, input, signature []byte, w *workspace) bool {
	digest := a.digest(input, &w.digest)
	if a.family == rsaPSS {
		// "The size of the salt value is the same size as the hash function
		// output", RFC 7518 section 3.5: other lengths are refused.
		w.pss.SaltLength = rsa.PSSSaltLengthEqualsHash
		return rsa.VerifyPSS(key, a.hash, digest, signature, &w.pss) == nil
	}
	return rsa.VerifyPKCS1v15(key, a.hash, digest, signature) == nil
}

func (a algorithm) verifyECDSA(key *ecdsa.PublicKey, input, signature []byte, w *workspace) bool {
	size := (a.bits + 7) / 8
	if len(signature) != 2*size {
		return false // RFC 7518 section 3.4: exactly R || S, each of the curve's size
	}
	der := appendDER(w.der[:0], signature[:size], signature[size:])
	return ecdsa.VerifyASN1(key, a.digest(input, &w.digest), der)
}

func verifyEd25519(key ed25519.PublicKey, input, signature []byte) bool {
	return ed25519.Verify(key, input, signature)
}

// workspace is the memory that one verification needs and nothing of it outlives.
// The cryptography lets its arguments escape, so on the stack it would be
// allocated every time.
type workspace struct {
	input     []byte
	payload   []byte
	signature [maxSignature]byte
	pss       rsa.PSSOptions
	digest    [sha512.Size]byte
	der       [maxDER]byte
}

// maxKeptInput is the largest buffer kept for reuse, in bytes.
const maxKeptInput = 8 << 10

// maxDER is the length of the longest signature appendDER makes, of two P-521
// integers: a sequence header of three bytes, and twice two bytes and 66 (the
// top byte of a P-521 integer is 0 or 1, so there is never a sign byte more).
// The rest is room for the sign bytes that forged integers have.
const maxDER = 3 + 2*(2+66+1)

// appendDER appends the ASN.1 form that the standard library verifies,
// SEQUENCE { INTEGER r, INTEGER s }, of two big-endian integers.
func appendDER(dst, r, s []byte) []byte {
	r, s = trimZeros(r), trimZeros(s)
	body := 4 + len(r) + len(s) + signByte(r) + signByte(s)
	dst = append(dst, 0x30)
	if body >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(body))
	for _, n := range [2][]byte{r, s} {
		dst = append(dst, 0x02, byte(len(n)+signByte(n)))
		if signByte(n) == 1 {
			dst = append(dst, 0)
		}
		dst = append(dst, n...)
	}
	return dst
}

// signByte is 1 if n needs a zero byte before it to be positive, or to be at all.
func signByte(n []byte) int {
	if len(n) == 0 || n[0]&0x80 != 0 {
		return 1
	}
	return 0
}

func trimZeros(n []byte) []byte {
	for len(n) > 0 && n[0] == 0 {
		n = n[1:]
	}
	return n
}
