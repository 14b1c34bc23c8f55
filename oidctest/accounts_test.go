package oidctest_test

import (
	"net/http"
	"testing"

	"rely.example/oidctest"
)

// TestAccounts: nobody reads them without a token, and the interaction comes back
// as it was sent. What a token opens is in the tests of the client.
func TestAccounts(t *testing.T) {
	op := oidctest.NewWith(t, oidctest.Config{InMemory: true})
	for _, authorization := range []string{"", "Bearer at-unknown", "DPoP at-unknown"} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, op.URL(oidctest.EndpointAccounts), nil)
		if err != nil {
			t.Fatal(err)
		}
		if authorization != "" {
			q.Header.Set("Authorization", authorization)
		}
		q.Header.Set("X-Fapi-Interaction-Id", "7")
		res, err := op.HTTPClient().Do(q)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized || res.Header.Get("WWW-Authenticate") == "" {
			t.Errorf("%q: status %d, challenge %q", authorization, res.StatusCode, res.Header.Get("WWW-Authenticate"))
		}
		if got := res.Header.Get("X-Fapi-Interaction-Id"); got != "7" {
			t.Errorf("%q: the interaction came back as %q", authorization, got)
		}
	}
}
