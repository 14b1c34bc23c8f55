package oidctest

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// Encryption is one encryption for a client, for [OP.TamperEncryption] to edit.
type Encryption struct {
	// Alg and Enc are those registered.
	Alg, Enc string
	// Payload is what is encrypted: a signed token, or the claims of a UserInfo
	// response that is encrypted only.
	Payload string
	// Layers is how often it is encrypted, each around the one before: 1.
	Layers int
}

// EncryptionAlgs returns the key management algorithms that the OP encrypts with.
func EncryptionAlgs() []string {
	return []string{"RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW",
		"A128KW", "A192KW", "A256KW", "A128GCMKW", "A192GCMKW", "A256GCMKW", "dir"}
}

// EncryptionEncs returns the content encryption algorithms of the OP.
func EncryptionEncs() []string {
	return []string{"A128CBC-HS256", "A192CBC-HS384", "A256CBC-HS512", "A128GCM", "A192GCM", "A256GCM"}
}

// defaultEnc is Registration 1.0, section 2.
const defaultEnc = "A128CBC-HS256"

// encrypted encrypts for the client what it registered to be encrypted (Core
// 10.2); nothing is registered with an empty alg.
func (x *exchange) encrypted(payload, alg, enc string) (string, error) {
	if alg == "" {
		return payload, nil
	}
	if enc == "" {
		enc = defaultEnc
	}
	e := Encryption{Alg: alg, Enc: enc, Payload: payload, Layers: 1}
	if x.edits.encryption != nil {
		x.edits.encryption(&e)
	}
	key, kid, err := x.encryptionKey(e.Alg, e.Enc)
	if err != nil {
		return "", err
	}
	for range e.Layers {
		o := new(jose.EncrypterOptions)
		if strings.Count(e.Payload, ".") >= 2 {
			o = o.WithContentType("JWT") // RFC 7519, section 5.2
		}
		w, err := jose.NewEncrypter(jose.ContentEncryption(e.Enc), jose.Recipient{Algorithm: jose.KeyAlgorithm(e.Alg), Key: key, KeyID: kid}, o)
		if err != nil {
			return "", fmt.Errorf("oidctest: encrypting with %s and %s: %w", e.Alg, e.Enc, err)
		}
		jwe, err := w.Encrypt([]byte(e.Payload))
		if err != nil {
			return "", fmt.Errorf("oidctest: encrypting: %w", err)
		}
		if e.Payload, err = jwe.CompactSerialize(); err != nil {
			return "", fmt.Errorf("oidctest: encrypting: %w", err)
		}
	}
	return e.Payload, nil
}

// encryptionKey is the client's public key, or the key that Core 10.2 derives
// from its secret.
func (x *exchange) encryptionKey(alg, enc string) (key any, kid string, err error) {
	if size := secretKeySize(alg, enc); size > 0 {
		return secretKey(x.client.Secret, size), "", nil
	}
	set, err := x.clientKeys(x.client)
	if err != nil {
		return nil, "", err
	}
	for _, k := range set.Keys {
		if k.Use != "enc" || k.Algorithm != "" && k.Algorithm != alg {
			continue
		}
		if _, err := jose.NewEncrypter(jose.ContentEncryption(enc), jose.Recipient{Algorithm: jose.KeyAlgorithm(alg), Key: k.Key}, nil); err == nil {
			return k.Key, k.KeyID, nil
		}
	}
	return nil, "", fmt.Errorf("oidctest: the client's key set has no key with use enc for %s", alg)
}

// secretKeySize is the size in bytes of a symmetric key; 0 for the other
// algorithms (RFC 7518, sections 4 and 5).
func secretKeySize(alg, enc string) int {
	if alg == "dir" {
		return map[string]int{"A128CBC-HS256": 32, "A192CBC-HS384": 48, "A256CBC-HS512": 64, "A128GCM": 16, "A192GCM": 24, "A256GCM": 32}[enc]
	}
	for prefix, size := range map[string]int{"A128": 16, "A192": 24, "A256": 32} {
		if strings.HasPrefix(alg, prefix) {
			return size
		}
	}
	return 0
}

// secretKey is the leftmost part of the secret's SHA-2 hash (Core 10.2).
func secretKey(secret string, size int) []byte {
	switch {
	case size <= sha256.Size:
		h := sha256.Sum256([]byte(secret))
		return h[:size]
	case size <= sha512.Size384:
		h := sha512.Sum384([]byte(secret))
		return h[:size]
	}
	h := sha512.Sum512([]byte(secret))
	return h[:size]
}

// clientKeys reads the key set of a client.
func (x *exchange) clientKeys(c *registered) (*jose.JSONWebKeySet, error) {
	raw := []byte(c.JWKS)
	if c.JWKSURI != "" {
		var err error
		if raw, err = x.op.fetch(x.r.Context(), c.JWKSURI); err != nil {
			return nil, fmt.Errorf("jwks_uri: %w", err)
		}
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(raw, &set); err != nil {
		return nil, fmt.Errorf("the key set of the client cannot be read: %w", err)
	}
	return &set, nil
}

// checkEncryption checks what a registration says of encryption (Registration
// 1.0, section 2).
func checkEncryption(c Client) *registrationError {
	for _, p := range []struct{ name, alg, enc string }{
		{"id_token", c.IDTokenEncryptedResponseAlg, c.IDTokenEncryptedResponseEnc},
		{"userinfo", c.UserInfoEncryptedResponseAlg, c.UserInfoEncryptedResponseEnc},
		{"introspection", c.IntrospectionEncryptedResponseAlg, c.IntrospectionEncryptedResponseEnc},
		{"authorization", c.AuthorizationEncryptedResponseAlg, c.AuthorizationEncryptedResponseEnc},
	} {
		if p.alg == "" && p.enc == "" {
			continue
		}
		if p.alg == "" {
			return badMetadata("%s_encrypted_response_enc needs the alg beside it", p.name)
		}
		if !slices.Contains(EncryptionAlgs(), p.alg) {
			return badMetadata("%s_encrypted_response_alg is %q; it must be one of %s", p.name, p.alg, strings.Join(EncryptionAlgs(), ", "))
		}
		if p.enc != "" && !slices.Contains(EncryptionEncs(), p.enc) {
			return badMetadata("%s_encrypted_response_enc is %q; it must be one of %s", p.name, p.enc, strings.Join(EncryptionEncs(), ", "))
		}
		if secretKeySize(p.alg, defaultEnc) == 0 && c.JWKS == nil && c.JWKSURI == "" {
			return badMetadata("%s_encrypted_response_alg %s needs jwks or jwks_uri", p.name, p.alg)
		}
	}
	return nil
}
