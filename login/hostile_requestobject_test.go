package login_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// fetching is the network between the OP and the application.
type fetching struct {
	app  http.Handler
	urls []string
}

func (f *fetching) RoundTrip(r *http.Request) (*http.Response, error) {
	f.urls = append(f.urls, r.URL.String())
	w := httptest.NewRecorder()
	f.app.ServeHTTP(w, r)
	return w.Result(), nil
}

// byReference is an application whose requests its OP fetches.
func byReference(t *testing.T) (*rig, *fetching) {
	t.Helper()
	net := &fetching{}
	op := newOP(t, func(c *oidctest.Config) { c.Client = &http.Client{Transport: net} })
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := oidc.Key{ID: "request", Private: private}
	jwks, err := oidc.PublicJWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	uri := origin + "/auth/callback"
	known := op.AddClient(oidctest.Client{RedirectURIs: []string{uri}, JWKS: jwks})
	r := setupAt(t, op, func(c *login.Config) {
		p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: op.Now})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		client, err := oidc.NewClient(p, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Keys: []oidc.Key{key},
			Metadata: oidc.ClientMetadata{RedirectURIs: []string{uri}}, RequestObject: &oidc.RequestObject{ByReference: true}})
		if err != nil {
			t.Fatal(err)
		}
		c.Directory = rp.Only(client)
	})
	net.app = r.app
	return r, net
}

// TestHostileRequestObjects is case 95: a request object is served once, to a GET,
// under a name that nobody can guess, and no path leads elsewhere.
func TestHostileRequestObjects(t *testing.T) {
	fetch := func(r *rig, method, path string) *http.Response {
		return r.browser().send(httptest.NewRequest(method, origin+path, nil), true)
	}
	t.Run("095_served_once", func(t *testing.T) {
		r, net := byReference(t)
		r.browser().mustLogin("/")
		if len(net.urls) != 1 || !strings.HasPrefix(net.urls[0], origin+"/auth/request/") {
			t.Fatalf("the OP fetched %v", net.urls)
		}
		if res := fetch(r, "GET", strings.TrimPrefix(net.urls[0], origin)); res.StatusCode != http.StatusNotFound {
			t.Errorf("served a second time: %d", res.StatusCode)
		}
	})
	t.Run("095_head_and_post_do_not_use_it_up", func(t *testing.T) {
		r, net := byReference(t)
		b := r.browser()
		res := b.navigate("/")
		at := res.Header.Get("Location")
		if !strings.Contains(at, "request_uri=") {
			res = b.navigate(at)
			at = res.Header.Get("Location")
		}
		q := httptest.NewRequest("GET", at, nil).URL.Query()
		path, _, _ := strings.Cut(strings.TrimPrefix(q.Get("request_uri"), origin), "#")
		for _, method := range []string{"HEAD", "POST", "PUT"} {
			if res := fetch(r, method, path); res.StatusCode != http.StatusMethodNotAllowed {
				t.Errorf("%s: %d", method, res.StatusCode)
			}
		}
		res = fetch(r, "GET", path)
		if ct := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || ct != "application/oauth-authz-req+jwt" || !strings.Contains(res.Header.Get("Cache-Control"), "no-store") {
			t.Errorf("got %d, %q, %q", res.StatusCode, ct, res.Header.Get("Cache-Control"))
		}
		if len(net.urls) != 0 {
			t.Errorf("the OP fetched %v", net.urls)
		}
	})
	t.Run("095_expired", func(t *testing.T) {
		r, _ := byReference(t)
		uri, err := login.Publish(r.m, t.Context(), []byte("a.b.c"), r.op.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		r.op.Advance(2 * time.Minute)
		if res := fetch(r, "GET", strings.TrimPrefix(uri, origin)); res.StatusCode != http.StatusNotFound {
			t.Errorf("served too late: %d", res.StatusCode)
		}
	})
	t.Run("095_no_other_path", func(t *testing.T) {
		r, _ := byReference(t)
		for _, path := range []string{"/auth/request/", "/auth/request/x", "/auth/request/..%2f..%2fsecret", "/auth/request/AAAAAAAAAAAAAAAAAAAAAA", "/auth/request/AAAAAAAAAAAAAAAAAAAAAA/x", "/auth/request/" + strings.Repeat("A", 5000)} {
			if res := fetch(r, "GET", path); res.StatusCode != http.StatusNotFound {
				t.Errorf("%.60s: %d", path, res.StatusCode)
			}
		}
	})
	t.Run("095_bounded", func(t *testing.T) {
		r, _ := byReference(t)
		_, err := login.Publish(r.m, t.Context(), make([]byte, 64<<10), r.op.Now().Add(time.Minute))
		if !errors.Is(err, login.TooLarge) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("095_store_down", func(t *testing.T) {
		r, _ := byReference(t)
		uri, err := login.Publish(r.m, t.Context(), []byte("a.b.c"), r.op.Now().Add(time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		r.store.down()
		if res := fetch(r, "GET", strings.TrimPrefix(uri, origin)); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("got %d", res.StatusCode)
		}
		_, err = login.Publish(r.m, t.Context(), []byte("a.b.c"), r.op.Now().Add(time.Minute))
		if !errors.Is(err, login.StoreUnavailable) {
			t.Errorf("got %v", err)
		}
	})
}
