package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestEncryptedLogin logs in with every key management algorithm: an ID Token
// that is signed and then encrypted, and UserInfo alike.
func TestEncryptedLogin(t *testing.T) {
	op := newOP(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []oidc.Key{{ID: "rsa", Use: "enc", Private: rsaKey}, {ID: "ec", Use: "enc", Private: ecKey}}
	set, err := oidc.PublicJWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	encs := oidctest.EncryptionEncs()
	for i, alg := range oidctest.EncryptionAlgs() {
		enc := encs[i%len(encs)]
		t.Run(alg+"/"+enc, func(t *testing.T) {
			r := setup(t, op)
			var err error
			r.reg, err = r.p.Register(t.Context(), r.metadata(func(m *oidc.ClientMetadata) {
				m.JWKS = set
				m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc = alg, enc
				m.UserInfoEncryptedResponseAlg, m.UserInfoEncryptedResponseEnc = alg, enc
				m.UserInfoSignedResponseAlg = "ES256"
			}), "")
			if err != nil {
				t.Fatal(err)
			}
			if r.c, err = oidc.NewClient(r.p, r.config(keys...)); err != nil {
				t.Fatal(err)
			}
			r.params.Scopes = []string{"email"}
			tok := r.mustLogin()
			if n := strings.Count(tok.IDToken.Raw(), "."); n != 4 {
				t.Errorf("the ID Token has %d dots, want the 4 of an encrypted one", n)
			}
			kept, err := tok.Export()
			if err != nil {
				t.Fatal(err)
			}
			if tok, err = r.c.ImportTokens(kept); err != nil {
				t.Fatal(err)
			}
			out, err := r.c.Logout(oidc.LogoutParams{IDToken: tok.IDToken})
			if err != nil {
				t.Fatal(err)
			}
			if _, fields := out.Form(); fields.Get("id_token_hint") != tok.IDToken.Hint() || strings.Count(tok.IDToken.Hint(), ".") != 2 {
				t.Errorf("the hint for a logout is %s, want the signed token", fields.Get("id_token_hint"))
			}
			again := *r
			again.params.IDTokenHint = tok.IDToken.Hint() // which the OP must be able to read
			if _, err := again.login(); err != nil {
				t.Errorf("with the hint: %v", err)
			}
			ui, err := r.c.UserInfo(t.Context(), tok)
			if err != nil {
				t.Fatal(err)
			}
			if !ui.Signed || ui.Email != "alice@example.com" {
				t.Errorf("got UserInfo %+v, signed %v", ui.StandardClaims, ui.Signed)
			}
		})
	}
}

// TestEncryptionIsGiven: a client that is registered for anything encrypted is
// refused without ClientConfig.Encryption, and made with it.
func TestEncryptionIsGiven(t *testing.T) {
	r := setup(t, newOP(t))
	for name, edit := range map[string]func(*oidc.ClientMetadata){
		"id_token":        func(m *oidc.ClientMetadata) { m.IDTokenEncryptedResponseAlg = "dir" },
		"userinfo":        func(m *oidc.ClientMetadata) { m.UserInfoEncryptedResponseAlg = "dir" },
		"introspection":   func(m *oidc.ClientMetadata) { m.IntrospectionEncryptedResponseAlg = "dir" },
		"response":        func(m *oidc.ClientMetadata) { m.AuthorizationEncryptedResponseAlg = "dir" },
		"request_objects": func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionAlg = "dir" },
	} {
		t.Run(name, func(t *testing.T) {
			config := r.config()
			config.RequestObject, config.Metadata.RequestObjectSigningAlg = &oidc.RequestObject{}, "HS256"
			config.Metadata.IntrospectionSignedResponseAlg = "ES256"
			edit(&config.Metadata)
			if _, err := oidc.NewClient(r.p, config); err != nil {
				t.Fatal(err)
			}
			config.Encryption = nil
			_, err := oidc.NewClient(r.p, config)
			wantField(t, err, "ClientConfig.Encryption")
		})
	}
}

// TestEncryptionNeeds: what is encrypted for a key needs one to decrypt with and no
// secret, what is encrypted under the secret that and no key.
func TestEncryptionNeeds(t *testing.T) {
	r := setup(t, newOP(t))
	for name, c := range map[string]struct {
		alg, enc, secret string
		keys             []oidc.Key
		field            string // that is to blame; "": none
	}{
		"a_key":                       {"ECDH-ES", "A128GCM", "", []oidc.Key{encryptionKey(t)}, ""},
		"no_key":                      {"ECDH-ES", "A128GCM", benchSecret, nil, "ClientConfig.Keys"},
		"a_key_to_sign_with":          {"ECDH-ES", "A128GCM", "", []oidc.Key{testKey()}, "ClientConfig.Keys"},
		"a_secret":                    {"dir", "A128GCM", benchSecret, nil, ""},
		"a_secret_and_a_key_to_sign":  {"dir", "A128GCM", benchSecret, []oidc.Key{testKey()}, ""},
		"no_secret":                   {"dir", "A128GCM", "", []oidc.Key{encryptionKey(t)}, "ClientConfig.Secret"},
		"alg_unknown":                 {"RSA1_5", "A128GCM", "", []oidc.Key{encryptionKey(t)}, "unsupported"},
		"enc_unknown":                 {"ECDH-ES", "A512GCM", "", []oidc.Key{encryptionKey(t)}, "unsupported"},
		"enc_left_to_the_default":     {"ECDH-ES", "", "", []oidc.Key{encryptionKey(t)}, ""},
		"enc_unknown_under_a_secret":  {"dir", "A512GCM", benchSecret, nil, "unsupported"},
		"key_and_secret_each_in_vain": {"RSA1_5", "", benchSecret, []oidc.Key{encryptionKey(t)}, "unsupported"},
	} {
		t.Run(name, func(t *testing.T) {
			config := oidc.ClientConfig{ID: "rp", Secret: c.secret, Keys: c.keys, Encryption: oidc.JWE(), Metadata: oidc.ClientMetadata{
				RedirectURIs: []string{redirectURI}, IDTokenEncryptedResponseAlg: c.alg, IDTokenEncryptedResponseEnc: c.enc}}
			_, err := oidc.NewClient(r.p, config)
			switch c.field {
			case "":
				if err != nil {
					t.Error(err)
				}
			case "unsupported":
				wantUnsupported(t, err)
			default:
				wantField(t, err, c.field)
			}
		})
	}
}
