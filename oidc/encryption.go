package oidc

import (
	"context"
	"slices"
	"strings"

	"rely.example/internal/jose"
)

// Encryption opens what an OP encrypts for the client, and encrypts request objects
// for the OP. JWE is the only one; a program that never calls JWE does not carry
// the library that does it.
type Encryption interface {
	// PendingKey is the method of AuthResponse for a response that may be
	// encrypted, and whose client is not known yet: keys are those with which one
	// of them would open it. Client.PendingKey has the client's.
	PendingKey(a AuthResponse, keys ...Key) (string, error)

	decrypt(token string, keys []jose.DecryptionKey, algs, encs []string) (string, error)
	encryptFor(ctx context.Context, op keySource, token, alg, enc string) (string, error)
	encryptUnder(secret, token, alg, enc string) (string, error)
}

// JWE is JSON Web Encryption (RFC 7516) in its compact serialization, of what is
// signed already (RFC 7519 section 11.2). By which algorithms it is done is what is
// registered, in ClientMetadata.
func JWE() Encryption { return jwe{} }

// jwe alone reaches go-jose. Whatever of this package calls it directly links it
// into every program: call it through ClientConfig.Encryption.
type jwe struct{}

func (e jwe) PendingKey(a AuthResponse, keys ...Key) (string, error) {
	return a.pendingKey(e, decryptionKeys(keys))
}

func (jwe) decrypt(token string, keys []jose.DecryptionKey, algs, encs []string) (string, error) {
	inner, _, err := jose.Decrypt(token, keys, algs, encs)
	return string(inner), err
}

func (jwe) encryptFor(ctx context.Context, op keySource, token, alg, enc string) (string, error) {
	keys, err := op.Keys(ctx)
	if err != nil {
		return "", err
	}
	return jose.Encrypt(keys, token, alg, enc)
}

func (jwe) encryptUnder(secret, token, alg, enc string) (string, error) {
	return jose.EncryptUnder(jose.ClientSecret(secret), token, alg, enc)
}

// defaultEnc is Registration section 2: what enc is when only alg is given.
const defaultEnc = "A128CBC-HS256"

// pinEncryption checks that what was registered to be encrypted can be opened,
// and prepares the keys. Keys that were replaced stay in ClientConfig.Keys for
// as long as tokens may be under way to them.
func (c *Client) pinEncryption() error {
	m := &c.c.Metadata
	needed := false
	for _, p := range []struct {
		what     string
		alg, enc *string
	}{
		{"ID Tokens", &m.IDTokenEncryptedResponseAlg, &m.IDTokenEncryptedResponseEnc},
		{"UserInfo", &m.UserInfoEncryptedResponseAlg, &m.UserInfoEncryptedResponseEnc},
		{"introspection responses", &m.IntrospectionEncryptedResponseAlg, &m.IntrospectionEncryptedResponseEnc},
		{"authorization responses", &m.AuthorizationEncryptedResponseAlg, &m.AuthorizationEncryptedResponseEnc},
	} {
		if *p.alg == "" {
			continue
		}
		needed = true
		if *p.enc == "" {
			*p.enc = defaultEnc
		}
		if !slices.Contains(jose.KeyManagement(), *p.alg) || !slices.Contains(jose.ContentEncryption(), *p.enc) {
			return &UnsupportedError{Feature: p.what + " encrypted with " + quote(*p.alg) + " and " + quote(*p.enc),
				Detail: "supported are " + strings.Join(jose.KeyManagement(), ", ") + " and " + strings.Join(jose.ContentEncryption(), ", ")}
		}
		if err := c.canEncrypt(p.what); err != nil {
			return err
		}
		symmetric := symmetricEncryption(*p.alg)
		if symmetric && c.c.Secret == "" {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.Secret", Detail: *p.alg + " decrypts with the client secret, which is empty (Core 10.2)"}
		}
		if !symmetric && !slices.ContainsFunc(c.c.Keys, func(k Key) bool { return k.Use == "enc" }) {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.Keys", Detail: *p.alg + ` needs a key with Use "enc"`}
		}
	}
	if !needed {
		return nil
	}
	c.decrypt = decryptionKeys(c.c.Keys)
	if c.c.Secret != "" {
		c.decrypt = append(c.decrypt, jose.DecryptionKey{Private: jose.ClientSecret(c.c.Secret)})
	}
	return nil
}

// canEncrypt refuses a client that is registered for what it has not been given.
func (c *Client) canEncrypt(what string) error {
	if c.c.Encryption == nil {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Encryption", Detail: "it is nil, and Metadata has " + what + " encrypted; set it to JWE()"}
	}
	return nil
}

func decryptionKeys(keys []Key) []jose.DecryptionKey {
	var out []jose.DecryptionKey
	for _, k := range keys {
		if k.Use == "enc" {
			out = append(out, jose.DecryptionKey{ID: k.ID, Alg: k.Alg, Private: k.Private})
		}
	}
	return out
}

// decryptIfAgreed opens what was registered to be encrypted. A token that is
// encrypted although nothing was agreed is refused with the signature; one that
// is not although it was is refused here (Core section 3.1.3.7 (1)).
func (c *Client) decryptIfAgreed(k *checker, raw, alg, enc string) (string, error) {
	if alg == "" {
		return raw, nil
	}
	inner, err := c.c.Encryption.decrypt(raw, c.decrypt, []string{alg}, []string{enc})
	if err != nil {
		pe := signatureRefused(err)
		if pe.Reason == BadAlgorithm {
			pe.Reason = BadEncryption
		}
		return "", k.failed(pe, "the token is encrypted as agreed")
	}
	return inner, k.that(true, BadEncryption, "Core 3.1.3.7 (1)", "the token is encrypted as agreed", alg+" "+enc, alg+" "+enc)
}
