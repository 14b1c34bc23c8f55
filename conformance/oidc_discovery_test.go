package conformance_test

import (
	"encoding/json"
	"slices"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// discoveryTests are the modules about WebFinger, metadata and registration.
func discoveryTests() map[string]func(*run) {
	return map[string]func(*run){
		"discovery-openid-config": func(r *run) {
			if err := r.discover(); err != nil {
				r.Fatal(err)
			}
			r.wantExactly(oidctest.EndpointDiscovery)
		},
		"discovery-issuer-mismatch": func(r *run) {
			r.start()
			r.op.Break(oidctest.IssuerInvalid)
			wantReason(r, r.discover(), oidc.MetadataIssuerMismatch)
			r.wantExactly(oidctest.EndpointDiscovery)
		},
		"discovery-jwks-uri-keys":  keysAtRandomPath,
		"discovery-webfinger-acct": webFinger(func(host string) string { return "acct:rely.oidcc-client-test-discovery-webfinger-acct@" + host }),
		"discovery-webfinger-url":  webFinger(func(host string) string { return "https://" + host + "/rely/oidcc-client-test-discovery-webfinger-url" }),
		"dynamic-registration":     dynamicRegistration,
	}
}

// keysAtRandomPath: the module is over when the keys were fetched; what would
// come after them must not be asked for.
func keysAtRandomPath(r *run) {
	r.start(func(c *oidctest.Config) { c.JWKSPath = "/jwks-x81t05kz" })
	front := has(r.responseType, "id_token")
	if !front {
		r.mustLogin()
		r.wantCalls(loggedIn)
		return
	}
	pending, _ := r.begin()
	// The ID Token of the response alone: Finish would go on with the code.
	if _, err := r.c.VerifyIDToken(r.Context(), r.answer.Get("id_token"), oidc.ExpectedIDToken{Nonce: pending.Nonce}); err != nil {
		r.Fatalf("VerifyIDToken: %v", err)
	}
	r.wantCalls(firstIDToken)
}

// webFinger finds the issuer of a resource at a host, and its metadata.
func webFinger(resource func(host string) string) func(*run) {
	return func(r *run) {
		r.start(func(c *oidctest.Config) { c.InMemory, c.TrailingSlash, c.Path = false, false, "/test/a/rely-h3x9" })
		id := resource(r.op.Host)
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(id, "acct:"), "https://"+r.op.Host+"/"), "@")
		r.op.AddUser(oidctest.User{Username: name})
		issuer, err := oidc.FindIssuer(r.Context(), id, r.opts)
		if err != nil {
			r.Fatalf("FindIssuer(%q): %v", id, err)
		}
		if issuer != r.op.Issuer {
			r.Fatalf("FindIssuer gives %q, want %q", issuer, r.op.Issuer)
		}
		if got := r.op.Requests(oidctest.EndpointWebFinger)[0].Query.Get("resource"); got != id {
			r.Errorf("WebFinger was asked for %q, want %q", got, id)
		}
		if err := r.discover(); err != nil {
			r.Fatal(err)
		}
		r.wantExactly(oidctest.EndpointWebFinger, oidctest.EndpointDiscovery)
	}
}

// dynamicRegistration: the module is over with the registration, whose grants must
// fit the response types, and whose keys come in one way alone.
func dynamicRegistration(r *run) {
	r.ready()
	r.wantExactly(oidctest.EndpointDiscovery, oidctest.EndpointRegistration)
	var sent struct {
		GrantTypes []string        `json:"grant_types"`
		JWKS       json.RawMessage `json:"jwks"`
		JWKSURI    string          `json:"jwks_uri"`
	}
	if err := json.Unmarshal(r.op.Requests(oidctest.EndpointRegistration)[0].JSON, &sent); err != nil {
		r.Fatal(err)
	}
	if want := grantsFor(r.responseType); !slices.Equal(sent.GrantTypes, want) {
		r.Errorf("grant_types %v for %q, want %v", sent.GrantTypes, r.responseType, want)
	}
	if sent.JWKS != nil && sent.JWKSURI != "" {
		r.Error("both jwks and jwks_uri were sent")
	}
	// Nor can both be made to be sent.
	m := r.metadata
	m.JWKS, m.JWKSURI = json.RawMessage(`{"keys":[]}`), origin+"/jwks.json"
	_, err := r.p.Register(r.Context(), m, "")
	wantInput(r, err, oidc.BadConfig)
	r.wantExactly(oidctest.EndpointDiscovery, oidctest.EndpointRegistration)
}
