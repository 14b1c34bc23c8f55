package oidctest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

const (
	documentURL  = "https://rp.example/client.json"
	twinDocument = `{"client_id":"https://rp.example/client.json","redirect_uris":["https://rp.example/callback"],"id_token_signed_response_alg":"EdDSA"}`
)

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// documentOf is a network with one document in it.
func documentOf(text string) *http.Client {
	return &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}, nil
	})}
}

// documentSteps is a login of a client that nobody registered.
func documentSteps() []step {
	return []step{
		{EndpointAuthorization, func(r *run) { r.authorize(documentURL, "code") }},
		{EndpointToken, func(r *run) {
			r.send("POST", r.op.URL(EndpointToken), url.Values{"grant_type": {"authorization_code"}, "code": {r.answer.Get("code")}, "redirect_uri": {DefaultRedirectURI},
				"code_verifier": {testVerifier}, "client_id": {documentURL}}, nil)
		}},
	}
}

// TestClientDocumentRules: what the draft forbids in a document lets nobody in, and
// the page says which rule it was.
func TestClientDocumentRules(t *testing.T) {
	for _, c := range []struct {
		name, says string
		edit       func(map[string]any)
	}{
		{"good", "", func(map[string]any) {}},
		{"with keys", "", func(m map[string]any) {
			m["token_endpoint_auth_method"], m["jwks"] = "private_key_jwt", map[string]any{"keys": []any{}}
		}},
		{"none in words", "", func(m map[string]any) { m["token_endpoint_auth_method"] = "none" }},
		{"another client_id", "its client_id is not the URL", func(m map[string]any) { m["client_id"] = "https://rp.example/client" }},
		{"a secret", "it holds client_secret", func(m map[string]any) { m["client_secret"] = "s" }},
		{"a null secret", "it holds client_secret", func(m map[string]any) { m["client_secret"] = nil }},
		{"its expiry", "it holds client_secret_expires_at", func(m map[string]any) { m["client_secret_expires_at"] = 0 }},
		{"client_secret_jwt", "client_secret_jwt needs a secret", func(m map[string]any) { m["token_endpoint_auth_method"] = "client_secret_jwt" }},
		{"an ID Token by HMAC", "id_token_signed_response_alg needs a secret", func(m map[string]any) { m["id_token_signed_response_alg"] = "HS256" }},
		{"a private key", "a key that is not public", func(m map[string]any) { m["jwks"] = map[string]any{"keys": []any{privateJWK()}} }},
		{"no keys", "self_signed_tls_client_auth needs jwks", func(m map[string]any) { m["token_endpoint_auth_method"] = "self_signed_tls_client_auth" }},
		{"no redirect URI", "it has no redirect_uris", func(m map[string]any) { delete(m, "redirect_uris") }},
		{"another redirect URI", "not one that this client has registered", func(m map[string]any) { m["redirect_uris"] = list("https://rp.example/callback/") }},
		{"redirect URIs that are no list", "no JSON object of client metadata", func(m map[string]any) { m["redirect_uris"] = DefaultRedirectURI }},
		{"large", "larger than 5 KiB", func(m map[string]any) { m["client_name"] = strings.Repeat("a", 5<<10) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			var m map[string]any
			if err := json.Unmarshal([]byte(twinDocument), &m); err != nil {
				t.Fatal(err)
			}
			c.edit(m)
			text, err := json.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			op := NewWith(t, Config{Issuer: "https://op.test", ClientDocuments: true, Client: documentOf(string(text))})
			r := &run{t: t, op: op}
			r.authorize(documentURL, "code")
			if c.says == "" {
				if !r.answer.Has("code") {
					t.Errorf("refused: %s", r.text())
				}
				return
			}
			if r.last.status != 400 || !strings.Contains(r.last.body.String(), c.says) {
				t.Errorf("got %s", r.text())
			}
			if !strings.Contains(c.says, "registered") { // that document is right, and the request is not
				want(t, "clients", len(op.Clients()), 0)
			}
		})
	}
	t.Run("not asked for", func(t *testing.T) {
		r := &run{t: t, op: NewWith(t, Config{Issuer: "https://op.test", Client: documentOf(twinDocument)})}
		if r.authorize(documentURL, "code"); !strings.Contains(r.last.body.String(), "No client with this client_id") {
			t.Errorf("got %s", r.text())
		}
	})
	t.Run("anew", func(t *testing.T) {
		op := NewWith(t, Config{Issuer: "https://op.test", ClientDocuments: true, Client: documentOf(twinDocument)})
		r := &run{t: t, op: op}
		r.authorize(documentURL, "code")
		op.Break(ClientDocumentIDSlash)
		if r.authorize(documentURL, "code"); r.answer.Has("code") {
			t.Error("a document that went bad is not noticed")
		}
	})
}
