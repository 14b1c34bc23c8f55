package oidc_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestReloadKeepsKeys: metadata that names the same jwks_uri costs no fetch of the
// keys.
func TestReloadKeepsKeys(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	r.mustLogin()
	op.ClearLog()
	if err := r.p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.mustLogin()
	wantCalls(t, op, oidctest.EndpointDiscovery, 1)
	wantNoCall(t, op, oidctest.EndpointJWKS)
}

// TestReloadEndsAFetchOfKeys: of metadata that names another jwks_uri, nobody waits for
// the keys of before.
func TestReloadEndsAFetchOfKeys(t *testing.T) {
	op := newOP(t)
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Timeout = time.Hour
	r.discover()
	r.register()
	asked, ended, enough := make(chan struct{}), make(chan struct{}), make(chan struct{})
	defer close(enough)
	op.Intercept(oidctest.EndpointJWKS, func(_ http.ResponseWriter, q *http.Request) {
		close(asked)
		select {
		case <-q.Context().Done():
			close(ended)
		case <-enough:
		}
	})
	pending, cb := r.begin()
	finished := make(chan error, 1)
	go func() {
		_, err := r.finish(pending, cb)
		finished <- err
	}()
	<-asked
	op.TamperMetadata(func(m map[string]any) { m["jwks_uri"] = op.Issuer + "/other-keys" })
	if err := r.p.Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second) // less than a fetch of keys takes at most
	defer cancel()
	select {
	case <-ended:
		if err := <-finished; err == nil {
			t.Error("a login without keys")
		}
	case <-ctx.Done():
		t.Error("the fetch goes on")
	}
}

// TestKeysAnswers: only what is served with 200 is a key set.
func TestKeysAnswers(t *testing.T) {
	op := newOP(t)
	keys := string(fetchJSON(t, op, op.URL(oidctest.EndpointJWKS)))
	for _, status := range []int{200, 201, 203, 404, 410, 503} {
		r := setup(t, op)
		op.Intercept(oidctest.EndpointJWKS, respond(status, "application/json", keys))
		if status == 200 {
			r.mustLogin()
			continue
		}
		r.refused(oidc.KeysUnavailable)
	}
}

// TestNewProviderOptions: options that cannot be are refused with metadata by hand too,
// and so are keys that are none.
func TestNewProviderOptions(t *testing.T) {
	op := newOP(t)
	o := options(op)
	o.Tenants = &oidc.Tenants{}
	_, err := oidc.NewProvider(byHand(op), o)
	wantInput(t, err, oidc.BadConfig)
	md := byHand(op)
	md.JWKSURI, md.JWKS = "", []byte(`{"keys":7}`)
	_, err = oidc.NewProvider(md, options(op))
	wantField(t, err, "ProviderMetadata.JWKS")
}

// TestDiscoveryAnswers: what says that the OP is down passes, and ends the search as
// any refusal does; only what is not there is looked for elsewhere.
func TestDiscoveryAnswers(t *testing.T) {
	op := newOP(t)
	for status, down := range map[int]bool{429: true, 500: true, 503: true, 403: false, 401: false, 499: false} {
		op.Intercept(oidctest.EndpointDiscovery, respond(status, "application/json", `{}`))
		op.ClearLog()
		_, err := discoverAt(t, op)
		wantCalls(t, op, oidctest.EndpointDiscovery, 1)
		wantNoCall(t, op, oidctest.EndpointNone)
		var temporary bool
		if te, ok := err.(interface{ Temporary() bool }); ok {
			temporary = te.Temporary()
		}
		if temporary != down {
			t.Errorf("status %d: temporary is %v of %v", status, temporary, err)
		}
		if !down {
			wantReason(t, err, oidc.UnexpectedStatus)
		}
	}
}

// TestRequiredOfEachDocument: what OpenID Connect Discovery requires, a document at
// the place of RFC 8414 may leave out.
func TestRequiredOfEachDocument(t *testing.T) {
	op := newOP(t)
	var doc map[string]any
	if err := json.Unmarshal([]byte(fetchJSON(t, op, op.URL(oidctest.EndpointDiscovery))), &doc); err != nil {
		t.Fatal(err)
	}
	delete(doc, "subject_types_supported")
	text := string(marshal(doc))
	for place, want := range map[string]oidc.Reason{
		"/.well-known/openid-configuration":       oidc.MissingMetadata,
		"/.well-known/oauth-authorization-server": "",
	} {
		op.Intercept(oidctest.EndpointDiscovery, only(place, text))
		op.Intercept(oidctest.EndpointNone, only(place, text))
		_, err := discoverAt(t, op)
		if want != "" {
			wantReason(t, err, want)
		} else if err != nil {
			t.Errorf("%s: %v", place, err)
		}
	}
}

// TestGrantTypesFollow: the grants that the response types need are registered with
// them, at first and later, unless they are named.
func TestGrantTypesFollow(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	sent := func(e oidctest.Endpoint) string {
		t.Helper()
		reqs := op.Requests(e)
		if len(reqs) != 1 {
			t.Fatalf("%d requests", len(reqs))
		}
		var m struct {
			GrantTypes []string `json:"grant_types"`
		}
		if err := json.Unmarshal(reqs[0].Body, &m); err != nil {
			t.Fatal(err)
		}
		op.ClearLog()
		return strings.Join(m.GrantTypes, " ")
	}
	for _, c := range []struct{ responseTypes, grantTypes, want string }{
		{"", "", ""},
		{"code", "", "authorization_code"},
		{"code id_token", "", "authorization_code implicit"},
		{"code", "authorization_code,refresh_token", "authorization_code refresh_token"},
	} {
		m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}
		if c.responseTypes != "" {
			m.ResponseTypes = []string{c.responseTypes}
		}
		if c.grantTypes != "" {
			m.GrantTypes = strings.Split(c.grantTypes, ",")
		}
		op.ClearLog()
		reg, err := r.p.Register(t.Context(), m, "")
		if err != nil {
			t.Fatal(err)
		}
		if got := sent(oidctest.EndpointRegistration); got != c.want {
			t.Errorf("%q: registered with %q, want %q", c.responseTypes, got, c.want)
		}
		if _, err := r.p.UpdateRegistration(t.Context(), reg, m); err != nil {
			t.Fatal(err)
		}
		if got := sent(oidctest.EndpointManagement); got != c.want {
			t.Errorf("%q: updated with %q, want %q", c.responseTypes, got, c.want)
		}
	}
}

// TestManageableRegistration: its access token is sent to the issuer's origin, wherever
// the registration endpoint is, and a registration without one cannot be managed.
func TestManageableRegistration(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.TamperMetadata(func(m map[string]any) { m["registration_endpoint"] = "https://elsewhere.example/register" })
	r.discover()
	if _, err := r.p.ReadRegistration(t.Context(), r.reg); err != nil {
		t.Error(err)
	}
	op.ClearLog()
	for _, lacks := range []func(*oidc.Registration){func(x *oidc.Registration) { x.AccessToken = "" }, func(x *oidc.Registration) { x.URI = "" }} {
		x := *r.reg
		lacks(&x)
		_, err := r.p.ReadRegistration(t.Context(), &x)
		wantUnsupported(t, err)
	}
	if n := len(op.Received()); n != 0 {
		t.Errorf("%d requests without a token or a place", n)
	}
}

// TestDeleteRegistrationAnswers: 204 and 200 are success; an OP that is down is
// told as such.
func TestDeleteRegistrationAnswers(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for status, ok := range map[int]bool{204: true, 200: true, 202: false, 500: false} {
		op.Intercept(oidctest.EndpointManagement, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		if err := r.p.DeleteRegistration(t.Context(), r.reg); (err == nil) != ok {
			t.Errorf("status %d: %v", status, err)
		}
	}
	op.Close()
	r.reason(r.p.DeleteRegistration(t.Context(), r.reg), oidc.Unreachable)
}
