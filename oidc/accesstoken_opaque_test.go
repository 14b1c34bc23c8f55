package oidc_test

import (
	"maps"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestOpaqueAccessToken: what the OP says of a token that is no JWT is compared as
// the claims of one are (RFC 7662 section 2.2).
func TestOpaqueAccessToken(t *testing.T) {
	const api = "https://api.example/v1"
	op := newOP(t)
	r := setup(t, op)
	md := byHand(op)
	md.IntrospectionEndpoint = op.URL(oidctest.EndpointIntrospection)
	p, err := oidc.NewProvider(md, r.opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, r.reg.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	v, err := oidc.NewAccessTokenVerifier(p, oidc.AccessTokenConfig{Audiences: []string{api}, Introspect: c})
	if err != nil {
		t.Fatal(err)
	}
	now := op.Now().Unix()
	good := map[string]any{"active": true, "iss": op.Issuer, "aud": api, "sub": "alice", "client_id": "app", "scope": "read", "exp": now + 600, "nbf": now, "auth_time": now, "acr": "gold"}
	for name, x := range map[string]struct {
		change map[string]any // nil deletes
		want   oidc.Reason    // "" is accepted
	}{
		"good":             {nil, ""},
		"a client's own":   {map[string]any{"sub": nil}, ""},
		"no iss, no times": {map[string]any{"iss": nil, "exp": nil, "nbf": nil}, ""},
		"inactive":         {map[string]any{"active": false}, oidc.InactiveToken},
		"another issuer":   {map[string]any{"iss": "https://other.example"}, oidc.BadIssuer},
		"for another API":  {map[string]any{"aud": "https://other.example"}, oidc.BadAudience},
		"for nobody":       {map[string]any{"aud": nil}, oidc.BadAudience},
		"expired":          {map[string]any{"exp": now - 600}, oidc.TokenExpired},
		"not yet":          {map[string]any{"nbf": now + 600}, oidc.TokenNotYetValid},
		"about nobody":     {map[string]any{"sub": nil, "client_id": nil}, oidc.BadSubject},
		"bound to a key":   {map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, oidc.BadBinding},
		"bound otherwise":  {map[string]any{"cnf": map[string]any{"kid": "k"}}, oidc.BadBinding},
		"acr is a number":  {map[string]any{"acr": 7}, oidc.BadClaim},
	} {
		t.Run(name, func(t *testing.T) {
			doc := maps.Clone(good)
			for k, value := range x.change {
				if doc[k] = value; value == nil {
					delete(doc, k)
				}
			}
			op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/json", string(marshal(doc))))
			tok, err := v.Verify(t.Context(), "opaque", oidc.Presenter{})
			if x.want != "" {
				wantReason(t, err, x.want)
				return
			}
			if err != nil || tok.Subject == "" || tok.ClientID != "app" || !tok.HasScope("read") || tok.ACR != "gold" || tok.AuthTime.IsZero() {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
}
