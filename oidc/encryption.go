package oidc

import (
	"slices"
	"strings"

	"rely.example/internal/jose"
)

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
	for _, k := range c.c.Keys {
		if k.Use == "enc" {
			c.decrypt = append(c.decrypt, jose.DecryptionKey{ID: k.ID, Alg: k.Alg, Private: k.Private})
		}
	}
	if c.c.Secret != "" {
		c.decrypt = append(c.decrypt, jose.DecryptionKey{Private: jose.ClientSecret(c.c.Secret)})
	}
	return nil
}

// decryptIfAgreed opens what was registered to be encrypted. A token that is
// encrypted although nothing was agreed is refused with the signature; one that
// is not although it was is refused here (Core section 3.1.3.7 (1)).
func (c *Client) decryptIfAgreed(k *checker, raw, alg, enc string) (string, error) {
	if alg == "" {
		return raw, nil
	}
	inner, _, err := jose.Decrypt(raw, c.decrypt, []string{alg}, []string{enc})
	if err != nil {
		pe := signatureRefused(err)
		if pe.Reason == BadAlgorithm {
			pe.Reason = BadEncryption
		}
		return "", k.failed(pe, "the token is encrypted as agreed")
	}
	return string(inner), k.that(true, BadEncryption, "Core 3.1.3.7 (1)", "the token is encrypted as agreed", alg+" "+enc, alg+" "+enc)
}
