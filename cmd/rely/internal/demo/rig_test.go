package demo

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/store/memstore"
)

const testHost = "127.0.0.1:8400"

// devTarget is an OP of its own and a relying party that may log in at it.
func devTarget(t *testing.T, manual bool) *target {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	provider, served, err := startOP(ctx, manual, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		if err := provider.Close(); err != nil {
			t.Error(err)
		}
		if err := served.close(); err != nil {
			t.Error(err)
		}
	})
	options := devOptions()
	options.Timeout = time.Minute
	return &target{dev: provider, redirectURI: "http://" + testHost + callbackPath, options: options, now: time.Now, store: new(memstore.Store)}
}

// visitor is a browser without a screen or a script.
type visitor struct {
	t      *testing.T
	s      *server
	cookie *http.Cookie
	op     *oidctest.Browser
}

func visit(t *testing.T) *visitor {
	t.Helper()
	to := devTarget(t, false)
	s, err := newServer(to, testHost)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return another(t, s)
}

// another is one more browser at the same page.
func another(t *testing.T, s *server) *visitor {
	return &visitor{t: t, s: s, op: s.to.dev.Browser()}
}

// send sends one request and returns the response, whose body was read.
func (v *visitor) send(r *http.Request) (*http.Response, string) {
	v.t.Helper()
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	v.s.ServeHTTP(w, r)
	res := w.Result()
	for _, c := range res.Cookies() {
		v.cookie = c
	}
	b, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return res, string(b)
}

func (v *visitor) get(path string) (*http.Response, string) {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodGet, path, nil)
	r.Host = testHost
	return v.send(r)
}

// post sends a form as the page does.
func (v *visitor) post(path string, form url.Values, edit ...func(*http.Request)) (*http.Response, string) {
	v.t.Helper()
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodPost, path, strings.NewReader(form.Encode()))
	r.Host = testHost
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", "http://"+testHost)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	for _, e := range edit {
		e(r)
	}
	return v.send(r)
}

var continueLink = regexp.MustCompile(`id="go" href="([^"]*)"`)

// begin starts a login and returns where the browser must go.
func (v *visitor) begin(form url.Values) string {
	v.t.Helper()
	if !form.Has("identifier") {
		form.Set("identifier", identifierAt(v.s.to.dev, "alice"))
	}
	if res, body := v.post("/login", form); res.StatusCode != http.StatusSeeOther {
		v.t.Fatalf("POST /login: status %d: %s", res.StatusCode, body)
	}
	_, page := v.get("/")
	m := continueLink.FindStringSubmatch(page)
	if m == nil {
		v.t.Fatalf("the page has no link to the OP:\n%s", page)
	}
	return strings.ReplaceAll(m[1], "&amp;", "&")
}

// atOP takes the browser through the OP.
func (v *visitor) atOP(authURL string) *oidctest.Callback {
	v.t.Helper()
	cb, err := v.op.Login(v.t.Context(), authURL)
	if err != nil {
		v.t.Fatal(err)
	}
	return cb
}

// deliver brings the answer to the relying party, and returns the page that the
// browser ends at.
func (v *visitor) deliver(cb *oidctest.Callback) string {
	v.t.Helper()
	switch cb.Mode {
	case oidc.ModeFragment:
		r := httptest.NewRequestWithContext(v.t.Context(), http.MethodPost, fragmentPath, strings.NewReader("#"+cb.URL.EscapedFragment()))
		r.Host = testHost
		r.Header.Set("Content-Type", "text/plain")
		r.Header.Set("Origin", "http://"+testHost)
		if res, body := v.send(r); res.StatusCode != http.StatusNoContent {
			v.t.Fatalf("the fragment: status %d: %s", res.StatusCode, body)
		}
	case oidc.ModeFormPost:
		res, body := v.post(callbackPath, cb.Form, func(r *http.Request) {
			r.Header.Set("Origin", v.s.to.dev.Issuer)
			r.Header.Set("Sec-Fetch-Site", "cross-site")
		})
		if res.StatusCode != http.StatusSeeOther {
			v.t.Fatalf("the form: status %d: %s", res.StatusCode, body)
		}
	default:
		if res, body := v.get(callbackPath + "?" + cb.URL.RawQuery); res.StatusCode != http.StatusSeeOther {
			v.t.Fatalf("the query: status %d: %s", res.StatusCode, body)
		}
	}
	_, page := v.get("/")
	return page
}

// logIn is the whole way.
func (v *visitor) logIn(form url.Values) string {
	v.t.Helper()
	return v.deliver(v.atOP(v.begin(form)))
}

// login is what the session of v has.
func (v *visitor) login() *login {
	v.t.Helper()
	s := v.s.sessions.byID[v.cookie.Value]
	if s == nil || s.login == nil {
		v.t.Fatal("the session has no login")
	}
	return s.login
}

func wantIn(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, p := range parts {
		if !strings.Contains(text, p) {
			if _, part, ok := strings.Cut(text, `<div id="outcome">`); ok {
				text = part
			}
			t.Errorf("%q is missing in:\n%.1200s", p, text)
		}
	}
}
