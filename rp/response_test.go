package rp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// foreign is a directory of an application's own.
type foreign struct{ rp.Directory }

// TestEncryptedResponse: the login of an encrypted response (JARM) is found with
// the client's keys, whatever the directory.
func TestEncryptedResponse(t *testing.T) {
	op := newOP(t)
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := []oidc.Key{{ID: "enc", Use: "enc", Private: private}}
	jwks, err := oidc.PublicJWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	r := setupAt(t, op)
	known := op.AddClient(oidctest.Client{RedirectURIs: []string{redirectURI}, JWKS: jwks, AuthorizationEncryptedResponseAlg: "ECDH-ES"})
	config := oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Keys: keys, Encryption: oidc.JWE(), ResponseMode: oidc.ModeJWT,
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, AuthorizationEncryptedResponseAlg: "ECDH-ES"}}
	client, err := oidc.NewClient(r.client.Provider(), config)
	if err != nil {
		t.Fatal(err)
	}
	dynamic := &rp.Dynamic{
		Allow: rp.AllowIssuers(op.Issuer), RedirectBase: "https://rp.example/cb", Options: r.opts, Keys: keys, Encryption: oidc.JWE(),
		Metadata: oidc.ClientMetadata{AuthorizationEncryptedResponseAlg: "ECDH-ES"},
		Adjust:   func(_ string, c *oidc.ClientConfig) { c.ResponseMode = oidc.ModeJWT },
	}
	for name, c := range map[string]struct {
		d   rp.Directory
		uri string
	}{
		"only":       {rp.Only(client), redirectURI},
		"configured": {rp.Configured(op.Issuer, r.opts, config), redirectURI},
		"each":       {rp.Each(rp.Only(), rp.Configured(op.Issuer, r.opts, config)), redirectURI},
		"dynamic":    {dynamic, dynamic.RedirectURI(op.Issuer)},
	} {
		t.Run(name, func(t *testing.T) {
			p := r.newRP(func(rc *rp.Config) { rc.Directory = c.d })
			req, err := p.Start(t.Context(), op.Issuer, oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			a := browse(t, op, req)
			if !a.Encrypted() {
				t.Fatal("the response is not encrypted")
			}
			g, err := p.Finish(t.Context(), a, rp.Arrival{Binding: req.Pending.State, RedirectURI: c.uri})
			if err != nil {
				t.Fatal(err)
			}
			if g.IDToken() == nil {
				t.Error("no ID Token")
			}
		})
	}
	t.Run("directory_of_its_own", func(t *testing.T) {
		p := r.newRP(func(rc *rp.Config) { rc.Directory = foreign{rp.Only(client)} })
		req, err := p.Start(context.Background(), op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = p.Finish(t.Context(), browse(t, op, req), here(req.Pending.State))
		want(t, err, oidc.BadEncryption)
	})
	t.Run("dynamic_without_encryption", func(t *testing.T) {
		p := r.newRP(func(rc *rp.Config) { rc.Directory = rp.Only(client) })
		req, err := p.Start(t.Context(), op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		_, err = rp.PendingKey(t.Context(), &rp.Dynamic{Keys: keys}, browse(t, op, req), redirectURI)
		want(t, err, oidc.BadEncryption)
	})
}
