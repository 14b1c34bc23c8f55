package jose

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"strconv"

	gojose "github.com/go-jose/go-jose/v4"

	"rely.example/internal/strictjson"
)

// maxPrivateKeys bounds how many keys a file may hold.
const maxPrivateKeys = 64

// ParsePrivateJWK reads the private keys of a JWK or JWK Set (RFC 7517 sections 4
// and 5), RSA, EC and Ed25519. A key of another kind, a public one and a secret are
// a [BadKey]: a file of one's own has none by accident.
func ParsePrivateJWK(data []byte) ([]SigningKey, error) {
	members, err := strictjson.Object(data)
	if err != nil {
		return nil, &Error{Reason: Malformed, Detail: "JWK", Err: err}
	}
	raws := []json.RawMessage{data}
	if set, isSet := members["keys"]; isSet {
		raws = nil
		if err := strictjson.Unmarshal(set, &raws); err != nil {
			return nil, &Error{Reason: Malformed, Detail: "keys", Err: err}
		}
	}
	if len(raws) == 0 || len(raws) > maxPrivateKeys {
		return nil, refuse(BadKey, strconv.Itoa(len(raws))+" keys, expected 1 to "+strconv.Itoa(maxPrivateKeys))
	}
	keys := make([]SigningKey, 0, len(raws))
	for _, raw := range raws {
		var k gojose.JSONWebKey
		// The error of the library may show a part of the key, so it is not told.
		if json.Unmarshal(raw, &k) != nil || !k.Valid() {
			return nil, refuse(BadKey, "a JWK that is no key of a known type")
		}
		switch k.Key.(type) {
		case *rsa.PrivateKey, *ecdsa.PrivateKey, ed25519.PrivateKey:
		default:
			return nil, refuse(BadKey, "a JWK without a private half, or a secret")
		}
		sk := SigningKey{ID: k.KeyID, Alg: k.Algorithm, Use: k.Use, Private: k.Key}
		for _, c := range k.Certificates {
			sk.Chain = append(sk.Chain, c.Raw)
		}
		keys = append(keys, sk)
	}
	return keys, nil
}
