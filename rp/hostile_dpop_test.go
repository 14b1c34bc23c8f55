package rp_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// bound is a rig whose tokens are bound to a key for each login.
func bound(t *testing.T, edit ...func(*oidctest.Config)) *rig {
	t.Helper()
	r := setup(t, edit...)
	c := r.op.AddClient(oidctest.Client{RedirectURIs: []string{redirectURI}, DPoPBound: true})
	client, err := oidc.NewClient(r.client.Provider(), oidc.ClientConfig{ID: c.ID, Secret: c.Secret, DPoP: oidc.DPoPES256(),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		t.Fatal(err)
	}
	r.client = client
	r.rp = r.newRP(nil)
	r.params.Scopes, r.params.Prompt = []string{"offline_access"}, []string{"consent"}
	return r
}

func TestHostileDPoP(t *testing.T) {
	t.Run("322_the_key_of_the_session_after_a_restart", func(t *testing.T) {
		r := bound(t, func(c *oidctest.Config) { c.DPoPNonce = true })
		state, a := r.begin()
		r.rp = r.newRP(nil) // another process finishes
		g, err := r.rp.Finish(t.Context(), a, here(state))
		if err != nil {
			t.Fatal(err)
		}
		before, err := g.Tokens(t.Context())
		if err != nil || before.DPoP == nil || before.TokenType != "DPoP" {
			t.Fatalf("got %v, %v", before, err)
		}
		r.expire()
		again, err := r.newRP(nil).Grant(t.Context(), state) // and another refreshes
		if err != nil {
			t.Fatal(err)
		}
		after, err := again.Tokens(t.Context())
		if err != nil || after.AccessToken == before.AccessToken || after.DPoP.Thumbprint() != before.DPoP.Thumbprint() {
			t.Fatalf("got %v, %v", after, err)
		}
		if _, err := again.UserInfo(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("322_the_key_is_kept_sealed", func(t *testing.T) {
		r := bound(t)
		g := r.mustLogin()
		tok, err := g.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		x, err := tok.Export()
		if err != nil {
			t.Fatal(err)
		}
		var kept struct{ DK string }
		if err := json.Unmarshal(x, &kept); err != nil || len(kept.DK) < 40 {
			t.Fatalf("no key in the export: %v", err)
		}
		for _, key := range r.store.made() {
			rec, err := r.mem.Load(t.Context(), key)
			if err == nil && bytes.Contains(rec.Value, []byte(kept.DK)) {
				t.Error("the store has the key in the clear")
			}
		}
	})
	t.Run("322_presented_to_a_resource_with_a_proof", func(t *testing.T) {
		r := bound(t)
		g := r.mustLogin()
		var sent []http.Header
		base := roundTrip(func(q *http.Request) (*http.Response, error) {
			sent = append(sent, q.Header)
			return &http.Response{StatusCode: 204, Header: http.Header{}, Body: http.NoBody, Request: q}, nil
		})
		api := &http.Client{Transport: g.Transport(base, "https://api.example")}
		r.expire()
		if _, err := api.Get("https://api.example/"); err != nil {
			t.Fatal(err)
		}
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Authorize(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		tok, err := g.Tokens(t.Context())
		if err != nil || r.refreshes() != 1 {
			t.Fatalf("%v after %d refreshes", err, r.refreshes())
		}
		for _, h := range append(sent, q.Header) {
			if h.Get("Authorization") != "DPoP "+tok.AccessToken || h.Get("DPoP") == "" {
				t.Error("the token was not presented with a proof")
			}
		}
		_, err = api.Get("https://evil.example/")
		want(t, err, oidc.WrongOrigin)
		if len(sent) != 1 {
			t.Error("a stranger was sent the token")
		}
	})
	t.Run("323_a_refresh_that_answers_with_a_bearer_token", func(t *testing.T) {
		r := bound(t)
		g := r.mustLogin()
		r.op.Break(oidctest.DPoPRefreshedToBearer)
		r.expire()
		_, err := g.Tokens(t.Context())
		want(t, err, rp.RefreshFailed, oidc.BadTokenType)
	})
}
