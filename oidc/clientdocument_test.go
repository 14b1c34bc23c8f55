package oidc_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
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
	for _, bad := range []string{"", "app", "http://rp.example/c", "https://rp.example", "https://rp.example/", "https://u@rp.example/c", "https://rp.example/c#f", "https://rp.example/a/../c", "https://rp.example//c", "https:///c", "https://rp.example/%zz"} {
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

	if doc, err = oidc.ClientDocument(id+"/", oidc.ClientMetadata{GrantTypes: []string{oidc.GrantDeviceCode}}); err != nil || strings.Contains(string(doc), "redirect_uris") {
		t.Errorf("a client that needs no redirect URI: got %s, %v", doc, err)
	}
	for _, method := range []string{oidc.AuthPrivateKey, oidc.AuthSelfSignedTLS} {
		if _, err := oidc.ClientDocument(id, oidc.ClientMetadata{RedirectURIs: m.RedirectURIs, TokenEndpointAuthMethod: method, JWKSURI: "https://rp.example/keys"}); err != nil {
			t.Errorf("keys of %s that are elsewhere: %v", method, err)
		}
	}
	for length, good := range map[int]bool{oidc.MaxClientDocument: true, oidc.MaxClientDocument + 1: false} {
		long := oidc.ClientMetadata{GrantTypes: []string{oidc.GrantDeviceCode}, ClientName: strings.Repeat("a", length-len(doc)-len(`"client_name":"",`))}
		doc, err := oidc.ClientDocument(id+"/", long)
		if !good {
			wantInput(t, err, oidc.BadConfig)
		} else if err != nil || len(doc) != length {
			t.Errorf("%d bytes: got %d, %v", length, len(doc), err)
		}
	}

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

// documentFaults is what each fault around a client's document leads to.
var documentFaults = map[oidctest.Fault]outcome{
	oidctest.ClientDocumentsUnannounced: unsupported, oidctest.ClientDocumentsDenied: unsupported, oidctest.ClientDocumentsAnnouncedString: oidc.MalformedResponse,
	oidctest.ClientDocumentNotFound: pageShown, oidctest.ClientDocumentRedirected: pageShown, oidctest.ClientDocumentHTML: pageShown, oidctest.ClientDocumentTruncated: pageShown, oidctest.ClientDocumentLarge: pageShown,
	oidctest.ClientDocumentIDSlash: pageShown, oidctest.ClientDocumentIDMissing: pageShown, oidctest.ClientDocumentSecret: pageShown, oidctest.ClientDocumentSecretExpiry: pageShown,
	oidctest.ClientDocumentSymmetric: pageShown, oidctest.ClientDocumentSymmetricKey: pageShown, oidctest.ClientDocumentPrivateKey: pageShown, oidctest.ClientDocumentNoKeys: pageShown,
	oidctest.ClientDocumentNoRedirect: pageShown, oidctest.ClientDocumentOtherRedirect: pageShown, oidctest.ClientDocumentForgotten: "op: invalid_client",
}

// documentSays is a word of the page for each document that an OP refuses.
var documentSays = map[oidctest.Fault]string{
	oidctest.ClientDocumentNotFound: "404", oidctest.ClientDocumentRedirected: "redirect", oidctest.ClientDocumentHTML: "media type", oidctest.ClientDocumentTruncated: "JSON", oidctest.ClientDocumentLarge: "5 KiB",
	oidctest.ClientDocumentIDSlash: "client_id is not the URL", oidctest.ClientDocumentIDMissing: "client_id is not the URL", oidctest.ClientDocumentSecret: "holds client_secret ", oidctest.ClientDocumentSecretExpiry: "client_secret_expires_at",
	oidctest.ClientDocumentSymmetric: "client_secret_basic needs a secret", oidctest.ClientDocumentSymmetricKey: "not public", oidctest.ClientDocumentPrivateKey: "not public", oidctest.ClientDocumentNoKeys: "needs jwks",
	oidctest.ClientDocumentNoRedirect: "no redirect_uris", oidctest.ClientDocumentOtherRedirect: "redirect_uri",
}

// published is a network in which a client's document is what ClientDocument made
// of its metadata.
type published map[string][]byte

func (p published) RoundTrip(r *http.Request) (*http.Response, error) {
	res := &http.Response{StatusCode: http.StatusNotFound, Header: jsonHeader, Body: http.NoBody, Request: r}
	if doc, ok := p[r.URL.String()]; ok {
		res.StatusCode, res.Body = http.StatusOK, io.NopCloser(strings.NewReader(string(doc)))
	}
	return res, nil
}

const documentID = "https://rp.example/client.json"

// documented logs a client in that nobody registered, by the document of m.
func documented(r *rig, m oidc.ClientMetadata, edit ...func(*oidc.ClientConfig)) error {
	r.t.Helper()
	ctx := r.t.Context()
	var err error
	if r.p, err = oidc.Discover(ctx, r.op.Issuer, r.opts); err != nil {
		return err
	}
	r.t.Cleanup(r.p.Close)
	config := oidc.ClientConfig{ID: documentID, IDDocument: true, Metadata: m}
	for _, e := range edit {
		e(&config)
	}
	if r.c, err = oidc.NewClient(r.p, config); err != nil {
		return err
	}
	req, err := r.c.Begin(ctx, oidc.AuthParams{})
	if err != nil {
		return err
	}
	r.wire.secret(req.Pending.State, req.Pending.Nonce, req.Pending.Verifier)
	cb, err := r.op.Browser().Login(ctx, req.URL())
	if err != nil {
		return err
	}
	res, err := read(cb)
	if err != nil {
		return err
	}
	tok, err := r.c.Finish(ctx, req.Pending, res)
	if err == nil && tok.IDToken.Audience[0] != documentID {
		r.t.Errorf("the token is for %v", tok.IDToken.Audience)
	}
	return err
}

// documentRig is an OP that reads clients' documents, of which there is one.
func documentRig(t *testing.T, m oidc.ClientMetadata) *rig {
	t.Helper()
	doc, err := oidc.ClientDocument(documentID, m)
	if err != nil {
		t.Fatal(err)
	}
	op := newOP(t, func(c *oidctest.Config) {
		c.ClientDocuments, c.Client = true, &http.Client{Transport: published{documentID: doc}}
	})
	return &rig{t: t, op: op, opts: options(op), wire: &wire{}}
}

// TestClientDocumentFaults: what ClientDocument makes lets its client in, at an OP
// that refuses it as soon as one thing in it is wrong.
func TestClientDocumentFaults(t *testing.T) {
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ClientName: "Notes"}
	for fault, want := range documentFaults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			r := documentRig(t, m)
			if err := documented(r, m); err != nil {
				t.Fatalf("without the fault: %v", err)
			}
			r.op.Break(fault)
			r.op.ClearLog()
			err := documented(r, m)
			switch code, isOP := strings.CutPrefix(string(want), "op: "); {
			case want == unsupported:
				wantUnsupported(t, err)
			case want == pageShown:
				page, ok := errors.AsType[*oidctest.PageError](err)
				if !ok || documentSays[fault] == "" || !strings.Contains(page.Detail, documentSays[fault]) {
					t.Fatalf("got error %v, want a page that says %q", err, documentSays[fault])
				}
				wantNoCall(t, r.op, oidctest.EndpointToken)
			case isOP:
				r.refusal(err, code)
			default:
				r.reason(err, want)
			}
		})
	}
	t.Run("with_a_key", func(t *testing.T) {
		key := testKey()
		jwks, err := oidc.PublicJWKS(key)
		if err != nil {
			t.Fatal(err)
		}
		m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, TokenEndpointAuthMethod: oidc.AuthPrivateKey, JWKS: jwks}
		if err := documented(documentRig(t, m), m, func(c *oidc.ClientConfig) { c.Auth = oidc.PrivateKeyJWT(key) }); err != nil {
			t.Error(err)
		}
	})
}

// TestClientDocumentRules: no document is made that breaks a rule of the draft.
func TestClientDocumentRules(t *testing.T) {
	base := func() oidc.ClientMetadata { return oidc.ClientMetadata{RedirectURIs: []string{redirectURI}} }
	for name, edit := range map[string]func(*oidc.ClientMetadata){
		"client_secret_basic":           func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretBasic },
		"client_secret_post":            func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretPost },
		"client_secret_jwt":             func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretJWT },
		"assertion by HMAC":             func(m *oidc.ClientMetadata) { m.TokenEndpointAuthSigningAlg = "HS256" },
		"ID Token by HMAC":              func(m *oidc.ClientMetadata) { m.IDTokenSignedResponseAlg = "HS256" },
		"UserInfo by HMAC":              func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = "HS512" },
		"JARM by HMAC":                  func(m *oidc.ClientMetadata) { m.AuthorizationSignedResponseAlg = "HS256" },
		"introspection by HMAC":         func(m *oidc.ClientMetadata) { m.IntrospectionSignedResponseAlg = "HS256" },
		"request by HMAC":               func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "HS256" },
		"ID Token by a shared key":      func(m *oidc.ClientMetadata) { m.IDTokenEncryptedResponseAlg = "A128KW" },
		"UserInfo by a shared key":      func(m *oidc.ClientMetadata) { m.UserInfoEncryptedResponseAlg = "dir" },
		"JARM by a shared key":          func(m *oidc.ClientMetadata) { m.AuthorizationEncryptedResponseAlg = "A256KW" },
		"introspection by a shared key": func(m *oidc.ClientMetadata) { m.IntrospectionEncryptedResponseAlg = "dir" },
		"request by a shared key":       func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionAlg = "A128GCMKW" },
		"a broken key": func(m *oidc.ClientMetadata) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA"}]}`)
		},
		"no keys for assertions":   func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthPrivateKey },
		"no keys for certificates": func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSelfSignedTLS },
		"a private key": func(m *oidc.ClientMetadata) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}]}`)
		},
		"a symmetric key": func(m *oidc.ClientMetadata) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"}]}`)
		},
		"a private key that cannot be read": func(m *oidc.ClientMetadata) {
			m.JWKS = json.RawMessage(`{"keys":[{"kty":"OKP","kid":7,"d":"nWGxne"}]}`)
		},
		"keys that are none":            func(m *oidc.ClientMetadata) { m.JWKS = json.RawMessage(`{"keys":7}`) },
		"further members that are none": func(m *oidc.ClientMetadata) { m.Extra = map[string]json.RawMessage{"x": json.RawMessage("{")} },
		"a type of its own":             func(m *oidc.ClientMetadata) { m.ApplicationType = "desktop" },
		"no redirect URI":               func(m *oidc.ClientMetadata) { m.RedirectURIs = nil },
		"a redirect with fragment":      func(m *oidc.ClientMetadata) { m.RedirectURIs = []string{redirectURI + "#f"} },
		"larger than what is taken":     func(m *oidc.ClientMetadata) { m.ClientName = strings.Repeat("a", oidc.MaxClientDocument) },
	} {
		t.Run(name, func(t *testing.T) {
			m := base()
			if _, err := oidc.ClientDocument(documentID, m); err != nil {
				t.Fatal(err)
			}
			edit(&m)
			doc, err := oidc.ClientDocument(documentID, m)
			if err == nil {
				t.Fatalf("it is published: %s", doc)
			}
			wantInput(t, err, oidc.BadConfig)
			if strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "nWGxne") {
				t.Errorf("the error tells a key: %v", err)
			}
		})
	}
	for _, name := range []string{"client_id", "client_secret", "client_secret_expires_at"} {
		m := base()
		m.Extra = map[string]json.RawMessage{name: json.RawMessage(`""`)}
		_, err := oidc.ClientDocument(documentID, m)
		wantInput(t, err, oidc.ProtectedParameter)
	}
}
