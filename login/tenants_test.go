package login_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/rp"
)

// TestTenants: an OP with tenants (oidc.Tenants) names them in its logout messages,
// and a stranger may name them wherever the OP may be named.
func TestTenants(t *testing.T) {
	const tenant = "11111111-2222-3333-4444-555555555555"
	op, other := newOP(t), newOP(t)
	known := newClient(t, op, origin+"/auth/callback/one")
	issuer, template := op.Issuer+"/"+tenant+"/v2.0", op.Issuer+"/"+oidc.TenantPlace+"/v2.0"
	op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
	op.TamperIDToken(func(_, c map[string]any) { c["tid"], c["iss"] = tenant, issuer })
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{
		HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: op.Now,
		Tenants: &oidc.Tenants{Template: template, IDs: []string{tenant}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	client, err := oidc.NewClient(p, oidc.ClientConfig{ID: known.ID(), Secret: op.Clients()[0].Secret, Metadata: known.Metadata()})
	if err != nil {
		t.Fatal(err)
	}
	r := setupAt(t, other, func(c *login.Config) {
		c.Directory = rp.Only(client, newClient(t, other, origin+"/auth/callback/two"))
	})
	b := r.browser()
	b.at = op.Browser()
	b.mustLoginBy("/auth/login?issuer="+url.QueryEscape(issuer), "/")
	s := b.session()
	if s.Issuer != issuer {
		t.Fatalf("the session is of %q", s.Issuer)
	}
	wantStatus(t, b.navigate("/auth/initiate?iss="+url.QueryEscape(issuer)), http.StatusSeeOther)
	wantStatus(t, b.navigate("/auth/initiate?iss="+url.QueryEscape(op.Issuer+"/another/v2.0")), http.StatusBadRequest)
	q := url.Values{"iss": {issuer}, "sid": {s.SessionID}}
	wantStatus(t, r.browser().send(request("GET", "/auth/frontchannel?"+q.Encode(), "Sec-Fetch-Dest", "iframe"), true), http.StatusOK)
	if b.loggedIn() {
		t.Error("the session outlives the front-channel logout")
	}
	other.Advance(time.Second) // the clock of the application
	b.mustLoginBy("/auth/login?issuer="+url.QueryEscape(issuer), "/")
	if n, err := r.m.End(t.Context(), issuer, s.Subject, ""); n != 1 || err != nil || b.loggedIn() {
		t.Errorf("ended %d, %v", n, err)
	}
}
