package jose

import (
	"crypto"
	"slices"
)

// Proof is a token that was verified with the key in its own header. It shows
// that whoever made it has the private half of that key, and nothing else.
type Proof struct {
	Verified
	// Thumbprint is the SHA-256 thumbprint of the key (RFC 7638), for a comparison
	// with one that somebody else vouches for.
	Thumbprint string
}

// VerifyProof verifies a proof of possession, such as a DPoP proof (RFC 9449
// section 4.2): a token whose alg is one of algs and whose header holds, as jwk,
// the public key to verify it with. It is the one function here that uses a key
// out of a token. A private or symmetric key is refused (section 4.3 (7)), an
// HMAC and "none" too, even if algs names them.
func VerifyProof(token string, algs []string) (Proof, error) {
	p, err := verifyProof(token, algs)
	if err != nil {
		return Proof{}, err
	}
	return p, nil
}

func verifyProof(token string, algs []string) (Proof, *Error) {
	c, err := cutCompact(token)
	if err != nil {
		return Proof{}, err
	}
	members, err := headerMembers(c.header)
	if err != nil {
		return Proof{}, err
	}
	h, err := readHeader(members)
	if err != nil {
		return Proof{}, err
	}
	a, known := lookup(h.Alg)
	switch {
	case !slices.Contains(algs, h.Alg):
		return Proof{}, notAllowed(h.Alg, algs)
	case !known:
		return Proof{}, refuse(UnsupportedAlg, quote(h.Alg))
	case a.family == hmacSHA:
		return Proof{}, refuse(AlgNotAllowed, h.Alg+" with a public key")
	case members["jwk"] == nil:
		return Proof{}, refuse(NoKey, "the header has no jwk")
	}
	k, skipped := parseKey(members["jwk"])
	if skipped != nil {
		return Proof{}, refuse(UnsupportedHeader, "jwk: "+string(skipped.Why))
	}
	if !k.fits(h.Alg, a) {
		return Proof{}, refuse(NoKey, "the jwk is not one for "+quote(h.Alg))
	}
	payload, err := decodeSegment(nil, c.payload, "payload")
	if err != nil {
		return Proof{}, err
	}
	var w workspace
	signature, err := decodeSignature(&w.signature, c.signature)
	if err != nil {
		return Proof{}, err
	}
	if !k.verify(a, []byte(c.input), signature, &w) {
		return Proof{}, refuse(BadSignature, "under "+quote(h.Alg)+" and the jwk of its own header")
	}
	thumbprint, cause := Thumbprint(k.public())
	if cause != nil {
		return Proof{}, &Error{Reason: UnsupportedHeader, Detail: "jwk", Err: cause}
	}
	return Proof{Verified: Verified{Header: h, Payload: string(payload)}, Thumbprint: thumbprint}, nil
}

func (k *key) public() crypto.PublicKey {
	switch {
	case k.rsa != nil:
		return k.rsa
	case k.ec != nil:
		return k.ec
	default:
		return k.ed
	}
}
