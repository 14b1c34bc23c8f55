package login_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// TestClientDocument logs in with a client that nobody registered: the OP reads its
// metadata where the application serves it.
func TestClientDocument(t *testing.T) {
	way := &handlerWay{}
	op := newOP(t, func(c *oidctest.Config) { c.ClientDocuments, c.Client = true, &http.Client{Transport: way} })
	id := origin + "/auth/client.json"
	m := oidc.ClientMetadata{RedirectURIs: []string{origin + "/auth/callback"}, ClientName: "Notes"}
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: op.Now})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: id, IDDocument: true, Metadata: m})
	if err != nil {
		t.Fatal(err)
	}
	r := setupAt(t, op, func(c *login.Config) { c.ClientDocument = &m })
	r.m = r.manager(func(cfg *login.Config) { cfg.Directory = rp.Only(c) })
	r.app = r.mux(r.m)
	way.app = r.app
	r.browser().mustLogin("/page")

	w := httptest.NewRecorder()
	r.app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, id, nil))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("served %q, %v", w.Body, err)
	}
	if doc["client_id"] != id || doc["client_name"] != "Notes" || doc["token_endpoint_auth_method"] != "none" {
		t.Errorf("served %v", doc)
	}
	w = httptest.NewRecorder()
	r.app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, id, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("a POST is answered %d", w.Code)
	}
	w = httptest.NewRecorder()
	setup(t).app.ServeHTTP(w, httptest.NewRequest(http.MethodGet, id, nil))
	if w.Code != http.StatusNotFound {
		t.Errorf("without a document: %d", w.Code)
	}
	cfg := r.config
	cfg.ClientDocument = &oidc.ClientMetadata{RedirectURIs: m.RedirectURIs, TokenEndpointAuthMethod: oidc.AuthSecretPost}
	if _, err := login.New(cfg); !errors.Is(err, login.BadConfig) {
		t.Errorf("a document with a secret: %v", err)
	}
}
