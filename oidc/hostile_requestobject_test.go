package oidc_test

import (
	"net/url"
	"strings"
	"testing"

	"rely.example/oidc"
)

// TestHostileRequestObject has the cases about request objects, of which none is
// sent: nobody can smuggle one in, nothing is served for an OP to fetch, and an OP
// that needs them is refused before a login.
func TestHostileRequestObject(t *testing.T) {
	t.Run("094_request_object_of_the_application", func(t *testing.T) {
		r := setup(t, newOP(t))
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"request": {"eyJhbGciOiJub25lIn0.e30."}}})
		wantInput(t, err, oidc.ProtectedParameter)
	})
	t.Run("094_no_secret_in_a_request", func(t *testing.T) {
		r := setup(t, newOP(t))
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(req.URL())
		if err != nil {
			t.Fatal(err)
		}
		if q := u.Query(); q.Has("request") || q.Has("request_uri") || strings.Contains(u.RawQuery, url.QueryEscape(r.reg.Secret)) {
			t.Errorf("the request has %v, or the secret", q)
		}
	})
	t.Run("094_signed_request_objects_required", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["require_signed_request_object"] = true })
		wantRefusedClient(t, &rig{t: t, op: op, opts: options(op), wire: &wire{}})
	})
	t.Run("095_request_uri_of_the_application", func(t *testing.T) {
		r := setup(t, newOP(t))
		for _, uri := range []string{"https://rp.example/request/../../secret", "urn:ietf:params:oauth:request_uri:x"} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"request_uri": {uri}}})
			wantInput(t, err, oidc.ProtectedParameter)
		}
	})
}

// wantRefusedClient asserts that no client is made at the OP of r.
func wantRefusedClient(t *testing.T, r *rig) {
	t.Helper()
	r.discover()
	_, err := oidc.NewClient(r.p, oidc.ClientConfig{ID: "x", Secret: "y", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	wantUnsupported(t, err)
}
