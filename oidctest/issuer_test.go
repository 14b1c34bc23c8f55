package oidctest_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"rely.example/oidctest"
)

// TestIssuerWithSlash: the slash is part of the issuer and of nothing else.
func TestIssuerWithSlash(t *testing.T) {
	op := oidctest.NewWith(t, oidctest.Config{InMemory: true, Path: "/t1", TrailingSlash: true, JWKSPath: "/keys/x7"})
	if op.Issuer != "https://op.test/t1/" {
		t.Fatalf("issuer %q", op.Issuer)
	}
	get := func(url string, into any) {
		t.Helper()
		res, err := op.HTTPClient().Get(url)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Fatalf("%s answers %d", url, res.StatusCode)
		}
		if err := json.NewDecoder(res.Body).Decode(into); err != nil {
			t.Fatal(err)
		}
	}
	var m map[string]any
	get("https://op.test/t1/.well-known/openid-configuration", &m)
	if m["issuer"] != op.Issuer {
		t.Errorf("the metadata has issuer %v", m["issuer"])
	}
	for name, v := range m {
		if s, ok := v.(string); ok && strings.Contains(strings.TrimPrefix(s, "https://"), "//") {
			t.Errorf("%s is %s", name, s)
		}
	}
	if m["jwks_uri"] != "https://op.test/t1/keys/x7" {
		t.Errorf("jwks_uri is %v", m["jwks_uri"])
	}
	var keys struct{ Keys []any }
	get(m["jwks_uri"].(string), &keys)
	if len(keys.Keys) == 0 {
		t.Error("no keys at jwks_uri")
	}
	var jrd struct{ Links []struct{ Href string } }
	get("https://op.test/.well-known/webfinger?resource=acct:alice@op.test", &jrd)
	if len(jrd.Links) != 1 || jrd.Links[0].Href != op.Issuer {
		t.Errorf("WebFinger gives %v", jrd.Links)
	}
}
