package jose

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"encoding/json"
	"slices"
	"strings"

	gojose "github.com/go-jose/go-jose/v4"

	"rely.example/internal/strictjson"
)

// sealingKey is a public key of a set that encrypts. Exactly one of rsa and ec is
// set.
type sealingKey struct {
	id  string // kid, may be empty
	alg string // the only alg the issuer allows for it, or empty
	rsa *rsa.PublicKey
	ec  *ecdsa.PublicKey
}

// parseSealingKey reads a key that parseKey left out because it is not for
// signatures (RFC 7517 sections 4.2 to 4.4), or returns nil.
func parseSealingKey(raw json.RawMessage, left *SkippedKey) *sealingKey {
	if left.Why != NotForSignatures {
		return nil
	}
	var w wireKey
	if strictjson.Unmarshal(raw, &w) != nil || w.Kty == nil {
		return nil
	}
	if w.Use != nil && *w.Use != "enc" {
		return nil
	}
	if w.KeyOps != nil && !slices.ContainsFunc(w.KeyOps, func(op string) bool {
		return op == "encrypt" || op == "wrapKey" || op == "deriveKey" || op == "deriveBits"
	}) {
		return nil
	}
	k := &sealingKey{id: value(w.Kid), alg: value(w.Alg)}
	var why Skip
	switch *w.Kty {
	case "RSA":
		k.rsa, why, _ = w.rsa()
	case "EC":
		k.ec, why, _ = w.ec()
	default:
		return nil
	}
	if why != "" {
		return nil
	}
	return k
}

func (k *sealingKey) fits(alg string) bool {
	if k.alg != "" && k.alg != alg {
		return false
	}
	return strings.HasPrefix(alg, "RSA-OAEP") && k.rsa != nil || strings.HasPrefix(alg, "ECDH-ES") && k.ec != nil
}

// Encrypt encrypts payload, a signed token, for the issuer of s, in the JWE
// compact serialization: for the first key that is for encryption and fits alg,
// or else for one that does not say what it is for. The header has its kid, by
// which the issuer finds its private half, and cty JWT (RFC 7519 section 5.2). A
// set without such a key is a [NoKey]; [EncryptUnder] has the symmetric
// algorithms.
//
// It is no method: text/template calls methods by name, and a program with it
// links every exported one.
func Encrypt(s *KeySet, payload, alg, enc string) (string, error) {
	if !slices.Contains(KeyManagement(), alg) || !slices.Contains(ContentEncryption(), enc) {
		return "", refuse(UnsupportedAlg, quote(alg)+" with "+quote(enc))
	}
	if s == nil {
		s = &KeySet{}
	}
	for _, k := range s.sealing {
		if k.fits(alg) {
			return k.encrypt(payload, alg, enc)
		}
	}
	for _, k := range s.keys {
		both := &sealingKey{id: k.id, rsa: k.rsa, ec: k.ec}
		if k.any && k.alg == "" && both.fits(alg) {
			return both.encrypt(payload, alg, enc)
		}
	}
	return "", refuse(NoKey, "the set has no key to encrypt with by "+quote(alg))
}

func (k *sealingKey) encrypt(payload, alg, enc string) (string, error) {
	if k.rsa != nil {
		return sealFor(payload, alg, enc, k.id, k.rsa)
	}
	return sealFor(payload, alg, enc, k.id, k.ec)
}

// EncryptUnder encrypts payload, a signed token, under the key that is derived of
// the secret; alg is symmetric.
func EncryptUnder(s ClientSecret, payload, alg, enc string) (string, error) {
	bits := symmetricBits(alg, enc)
	if bits == 0 || len(s) == 0 {
		return "", refuse(UnsupportedAlg, quote(alg)+" with "+quote(enc)+" under a shared secret")
	}
	return sealFor(payload, alg, enc, "", s.key(bits))
}

func sealFor(payload, alg, enc, kid string, key any) (string, error) {
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc),
		gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: key, KeyID: kid},
		(&gojose.EncrypterOptions{}).WithContentType("JWT"))
	if err != nil {
		return "", &Error{Reason: BadKey, Err: err}
	}
	sealed, err := e.Encrypt([]byte(payload))
	if err != nil {
		return "", &Error{Reason: BadKey, Err: err}
	}
	token, err := sealed.CompactSerialize()
	if err != nil {
		return "", &Error{Reason: BadKey, Err: err}
	}
	return token, nil
}
