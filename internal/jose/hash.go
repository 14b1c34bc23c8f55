package jose

import (
	"crypto/sha512"
	"encoding/base64"
)

// LeftHalfHash computes at_hash, c_hash or s_hash of value for an ID Token signed
// with alg: the left half of the hash that alg uses, in base64url (OpenID
// Connect Core 1.0 sections 3.1.3.6 and 3.3.2.11). EdDSA and Ed25519 use SHA-512
// (RFC 8032 section 5.1). For any other alg, "none" among them, the
// specification defines no hash, and the result is an [UnsupportedAlg].
func LeftHalfHash(alg, value string) (string, error) {
	a, known := lookup(alg)
	if !known {
		return "", refuse(UnsupportedAlg, "no hash is defined for "+quote(alg))
	}
	var buf [sha512.Size]byte
	digest := a.digest([]byte(value), &buf)
	return base64.RawURLEncoding.EncodeToString(digest[:len(digest)/2]), nil
}
