package oidc_test

import (
	"context"
	"testing"
	"time"

	"rely.example/oidc"
)

// FuzzIntrospection: a token is active only if the answer has exactly one member
// active, which is true, and its times allow it; of one that is not nothing is told.
func FuzzIntrospection(f *testing.F) {
	for _, s := range []string{`{"active":true,"scope":"a b","sub":"alice","exp":1700000100}`, `{"active":false,"sub":"alice"}`, `{"active":"true"}`, `{"active":true,"exp":1}`, `{"active":true,"active":false}`,
		`{"Active":true}`, `{"active":1}`, `null`, `[]`, `{"error":"invalid_request"}`, `{"active":true,"cnf":{"jkt":"x"}}`, `{"active":true,"x":1e400}`, `{"active":true,"aud":["a","b"],"nbf":1800000000}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		p, err := oidc.NewProvider(oidc.ProviderMetadata{
			Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a", TokenEndpoint: "https://op.example/t", JWKSURI: "https://op.example/k", IntrospectionEndpoint: "https://op.example/i",
		}, &oidc.Options{HTTPClient: answers(200, jsonHeader, []byte(body), nil), Now: func() time.Time { return time.Unix(1.7e9, 0) }})
		if err != nil {
			t.Fatal(err)
		}
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "a secret that is long enough", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		if err != nil {
			t.Fatal(err)
		}
		i, err := c.Introspect(context.Background(), "token", "")
		if (i == nil) == (err == nil) {
			t.Fatalf("%q: %v beside %v", body, i, err)
		}
		if err != nil {
			return
		}
		if meaning(t, []byte(body))["active"] != i.Active {
			t.Fatalf("%q: active is %v", body, i.Active)
		}
		if !i.Active && (i.Subject != "" || i.ClientID != "" || len(i.Scopes) > 0 || !i.Expiry.IsZero()) {
			t.Fatalf("%q tells of a token that is not active: %+v", body, i)
		}
		if i.Active && !i.Expiry.IsZero() && i.Expiry.Before(time.Unix(1.7e9, 0).Add(-oidc.DefaultClockSkew)) {
			t.Fatalf("%q is active after its end", body)
		}
	})
}
