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
