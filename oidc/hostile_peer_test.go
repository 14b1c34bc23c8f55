package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"rely.example/oidc"
)

// TestHostilePeer has cases about what an OP may send us to.
func TestHostilePeer(t *testing.T) {
	t.Run("225_issuer_template", func(t *testing.T) {
		// The metadata of an OP with many tenants names a template. It is no
		// issuer, and with the escape it is none that a token could have: never
		// just any tenant.
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["issuer"] = op.Issuer + "/{tenantid}/v2.0" })
		_, err := oidc.Discover(t.Context(), op.Issuer, options(op))
		wantReason(t, err, oidc.MetadataIssuerMismatch)

		skip := options(op)
		skip.InsecureSkipIssuerMatch = true
		_, err = oidc.Discover(t.Context(), op.Issuer, skip)
		wantReason(t, err, oidc.BadMetadata)
	})
	t.Run("299_pictures_are_never_fetched", func(t *testing.T) {
		var asked atomic.Int32
		s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
		defer s.Close()
		op := newOP(t)
		op.TamperUserInfo(func(m map[string]any) {
			for _, c := range []string{"picture", "profile", "website"} {
				m[c] = s.URL + "/" + c
			}
		})
		op.TamperMetadata(func(m map[string]any) {
			for _, c := range []string{"op_policy_uri", "op_tos_uri", "service_documentation"} {
				m[c] = s.URL + "/" + c
			}
		})
		r := setup(t, op)
		r.params.Scopes = []string{"profile"}
		ui, err := r.c.UserInfo(t.Context(), r.mustLogin())
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(ui.Picture, s.URL) {
			t.Errorf("got picture %q: the claim is to be told, not fetched", ui.Picture)
		}
		if n := asked.Load(); n != 0 {
			t.Errorf("%d requests to URLs of claims, want none", n)
		}
	})
	t.Run("302_key_set_in_a_private_network", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["jwks_uri"] = "https://10.0.0.5/jwks" })
		_, err := oidc.Discover(t.Context(), op.Issuer, options(op))
		wantReason(t, err, oidc.ForbiddenAddress)
	})
}
