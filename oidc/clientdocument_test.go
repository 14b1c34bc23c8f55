package oidc_test

import (
	"encoding/json"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

func TestClientDocument(t *testing.T) {
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}
	const id = "https://rp.example/client.json"
	doc, err := oidc.ClientDocument(id, m)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(doc, &got); err != nil || got["client_id"] != id || got["token_endpoint_auth_method"] != "none" {
		t.Errorf("got %s, %v", doc, err)
	}
	for _, bad := range []string{"", "app", "http://rp.example/c", "https://rp.example", "https://rp.example/", "https://u@rp.example/c", "https://rp.example/c#f", "https://rp.example/a/../c", "https://rp.example//c"} {
		_, err := oidc.ClientDocument(bad, m)
		if err == nil {
			t.Fatalf("%q: accepted", bad)
		}
		wantInput(t, err, oidc.BadConfig)
	}
	_, err = oidc.ClientDocument(id, oidc.ClientMetadata{})
	wantInput(t, err, oidc.BadConfig)
	_, err = oidc.ClientDocument(id, oidc.ClientMetadata{RedirectURIs: m.RedirectURIs, TokenEndpointAuthMethod: oidc.AuthSecretBasic})
	wantInput(t, err, oidc.BadConfig)
	_, err = oidc.ClientDocument(id, oidc.ClientMetadata{RedirectURIs: m.RedirectURIs, Extra: map[string]json.RawMessage{"client_secret": json.RawMessage(`"s"`)}})
	wantInput(t, err, oidc.ProtectedParameter)

	p, err := discoverAt(t, newOP(t, func(c *oidctest.Config) { c.ClientDocuments = true }))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := oidc.NewClient(p, oidc.ClientConfig{ID: id, IDDocument: true, Metadata: m}); err != nil {
		t.Error(err)
	}
	_, err = oidc.NewClient(p, oidc.ClientConfig{ID: "app", IDDocument: true, Metadata: m})
	wantInput(t, err, oidc.BadConfig)
	_, err = oidc.NewClient(p, oidc.ClientConfig{ID: id, Secret: "s", IDDocument: true, Metadata: m})
	wantInput(t, err, oidc.BadConfig)
	p, err = discoverAt(t, newOP(t))
	if err != nil {
		t.Fatal(err)
	}
	_, err = oidc.NewClient(p, oidc.ClientConfig{ID: id, IDDocument: true, Metadata: m})
	wantUnsupported(t, err)
}
