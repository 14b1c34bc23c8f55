package conformance_test

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"slices"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// registrant is a client of Open Finance Brasil before it is registered.
type registrant struct {
	*run
	start    func(edit ...func(*oidctest.Config))
	complete func()
	calls    func(until stage) []oidctest.Endpoint
	resource func(oidctest.Endpoint) []oidctest.Endpoint
}

// withStatement registers the client with what a directory says about it, over a
// connection that shows its certificate; logs in; and reads the registration twice,
// by the access token that the answer before gave.
func (r registrant) withStatement() {
	r.Helper()
	const jwksURI = origin + "/jwks.json"
	r.dynamic = true
	r.keep(jwksURI, string(r.metadata.JWKS))
	r.metadata.JWKS, r.metadata.JWKSURI = nil, jwksURI

	r.start(func(c *oidctest.Config) {
		c.MTLS, c.RotateRegistrationToken, c.RequireSoftwareStatement = oidctest.MTLSEverywhere, true, true
	})
	statement, err := r.op.SoftwareStatement(map[string]any{
		"iat": r.op.Now().Unix(), "jti": "ssa-1", "software_id": "rely", "org_id": "org-7f3d",
		"software_jwks_uri": jwksURI, "software_redirect_uris": []any{redirectURI}, "redirect_uris": []any{redirectURI},
	})
	if err != nil {
		r.Fatal(err)
	}
	r.metadata.SoftwareStatement = statement
	cert, err := r.op.IssueCertificate("rp")
	if err != nil {
		r.Fatal(err)
	}
	client := r.op.HTTPClient()
	client.Transport.(*http.Transport).TLSClientConfig.Certificates = []tls.Certificate{cert}
	r.opts.HTTPClient = client
	r.complete()

	q := r.op.Requests(oidctest.EndpointRegistration)[0]
	var sent struct {
		Statement string          `json:"software_statement"`
		JWKSURI   string          `json:"jwks_uri"`
		JWKS      json.RawMessage `json:"jwks"`
	}
	if err := json.Unmarshal(q.JSON, &sent); err != nil {
		r.Fatal(err)
	}
	if sent.Statement != statement || sent.JWKSURI != jwksURI || sent.JWKS != nil || q.Certificate == nil {
		r.Errorf("registered with statement: %v, jwks_uri %q, jwks %s, certificate: %v", sent.Statement == statement, sent.JWKSURI, sent.JWKS, q.Certificate != nil)
	}

	reg := r.reg
	for range 2 {
		next, err := r.p.ReadRegistration(r.Context(), reg)
		if err != nil {
			r.Fatalf("ReadRegistration: %v", err)
		}
		if next.ClientID != reg.ClientID || next.AccessToken == reg.AccessToken || next.URI != reg.URI {
			r.Error("the registration has another client, the same access token or another URI")
		}
		// It is kept for good, and works when it was.
		kept, err := next.Export()
		if err != nil {
			r.Fatal(err)
		}
		if reg, err = oidc.ImportRegistration(kept); err != nil {
			r.Fatal(err)
		}
	}
	want := slices.Insert(r.calls(loggedIn), 1, oidctest.EndpointRegistration)
	want = append(append(want, r.resource(oidctest.EndpointAccounts)...), oidctest.EndpointManagement, oidctest.EndpointManagement)
	r.wantExactly(want...)
}
