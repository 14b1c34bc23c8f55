package login_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

func TestLogin(t *testing.T) {
	for _, c := range []struct{ name, responseType, mode string }{
		{"code", "code", ""},
		{"code_form_post", "code", "form_post"},
		{"code_jwt", "code", "jwt"}, {"code_form_post_jwt", "code", "form_post.jwt"}, {"code_id_token_jwt", "code id_token", "jwt"},
		{"code_fragment", "code", "fragment"},
		{"id_token", "id_token", ""},
		{"id_token_token_form_post", "id_token token", "form_post"},
		{"code_id_token", "code id_token", ""},
		{"code_id_token_token", "code id_token token", ""},
	} {
		for _, storeless := range []bool{false, true} {
			t.Run(c.name+map[bool]string{true: "_storeless"}[storeless], func(t *testing.T) {
				r := setup(t, func(lc *login.Config) {
					lc.Params = func(*http.Request, string) (oidc.AuthParams, error) {
						return oidc.AuthParams{ResponseType: c.responseType, ResponseMode: c.mode}, nil
					}
					if storeless {
						lc.Storeless, lc.Store = true, nil
					}
				})
				b := r.browser()
				b.mustLogin("/deep/link?x=1&y=%2F")
				if got := text(b.navigate("/")); got != "hello "+r.op.Users()[0].Sub {
					t.Errorf("the page says %q", got)
				}
			})
		}
	}
}

func TestSessionTellsTheLogin(t *testing.T) {
	var seen *login.Session
	r := setup(t, func(c *login.Config) {
		c.OnLogin = func(ctx context.Context, s *login.Session) error {
			s.Data = []byte("local user 7")
			seen = s
			_, err := s.UserInfo(ctx)
			return err
		}
	})
	b := r.browser()
	b.mustLogin("/")
	q := request("GET", "/")
	q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: b.sessionCookie()})
	s, err := r.m.Session(q)
	if err != nil {
		t.Fatal(err)
	}
	if s.Issuer != r.op.Issuer || s.Subject != r.op.Users()[0].Sub || s.ClientID != r.client.ID() || string(s.Data) != "local user 7" || seen.Subject != s.Subject {
		t.Errorf("got %v", s)
	}
	if !s.Expires.Equal(s.Started.Add(login.DefaultLifetime)) {
		t.Errorf("it lasts from %v to %v", s.Started, s.Expires)
	}
	tokens, err := s.Tokens(t.Context())
	if err != nil || tokens.AccessToken == "" {
		t.Fatalf("tokens %v, %v", tokens, err)
	}
	var want, got map[string]any
	if err := errors.Join(tokens.IDToken.Claims(&want), s.Claims(&got)); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"nonce", "at_hash"} {
		if want[name] == nil {
			t.Errorf("the ID Token has no %s", name)
		}
		delete(want, name)
	}
	if want["iss"] != r.op.Issuer || want["exp"] == nil || !reflect.DeepEqual(got, want) {
		t.Errorf("claims %v, want %v", got, want)
	}
	out, err := json.Marshal(s)
	if err != nil || strings.Contains(string(out)+s.LogValue().String(), "local user") {
		t.Errorf("it prints %s", out)
	}
}

func TestFetchIsAnswered401(t *testing.T) {
	r := setup(t)
	res := r.browser().fetch("/api/things")
	wantStatus(t, res, http.StatusUnauthorized)
	var body struct {
		Error string `json:"error"`
		Login string `json:"login_url"`
	}
	if err := json.NewDecoder(res.Body).Decode(&body); err != nil || body.Error != "login_required" {
		t.Fatalf("got %+v, %v", body, err)
	}
	if want := origin + "/auth/login?return_to=" + url.QueryEscape("/page?x=1"); body.Login != want {
		t.Errorf("login_url is %q, want %q", body.Login, want)
	}
	if c := res.Header.Get("WWW-Authenticate"); !strings.HasPrefix(c, "Session ") {
		t.Errorf("challenge %q", c)
	}
	if len(res.Cookies()) != 0 || r.store.count("pending") != 0 {
		t.Error("a login was begun")
	}
	// The URL works: it leads through a login back to the page that asked.
	b := r.browser()
	if res := b.login(strings.TrimPrefix(body.Login, origin)); res.Header.Get("Location") != origin+"/page?x=1" {
		t.Errorf("came back to %q", res.Header.Get("Location"))
	}
}

func TestPostWithoutSession(t *testing.T) {
	r := setup(t)
	b := r.browser()
	q := httptest.NewRequest("POST", origin+"/form/send", strings.NewReader("secret=<script>alert(1)</script>"))
	for k, v := range map[string]string{"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Referer": origin + "/form?id=3", "Content-Type": "application/x-www-form-urlencoded"} {
		q.Header.Set(k, v)
	}
	res := b.send(q, false)
	wantStatus(t, res, http.StatusUnauthorized)
	page := text(res)
	if !strings.Contains(page, "was not saved") || !strings.Contains(page, url.QueryEscape("/form?id=3")) {
		t.Errorf("the page says %s", page)
	}
	if strings.Contains(page, "alert") || r.hits != 0 {
		t.Error("the form came back, or was handled")
	}
}

func TestStepUp(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	before := b.sessionCookie()
	t.Run("acr", func(t *testing.T) {
		res := b.fetch("/silver/x")
		wantStatus(t, res, http.StatusUnauthorized)
		c := res.Header.Get("WWW-Authenticate")
		if !strings.Contains(c, `error="insufficient_user_authentication"`) || !strings.Contains(c, `acr_values="`+oidctest.ACRValues()[1]+`"`) {
			t.Errorf("challenge %q (RFC 9470 section 3)", c)
		}
		b.mustLogin("/silver/x")
		wantStatus(t, b.fetch("/silver/x"), http.StatusOK)
		if b.sessionCookie() == before {
			t.Error("the session id is the same after the step-up")
		}
	})
	t.Run("fresh", func(t *testing.T) {
		b.mustLogin("/fresh/x")
		wantStatus(t, b.fetch("/fresh/x"), http.StatusOK)
		r.op.Advance(6 * time.Minute)
		res := b.fetch("/fresh/x")
		wantStatus(t, res, http.StatusUnauthorized)
		if c := res.Header.Get("WWW-Authenticate"); !strings.Contains(c, `max_age="300"`) {
			t.Errorf("challenge %q", c)
		}
		wantStatus(t, b.fetch("/"), http.StatusOK)
		b.mustLogin("/fresh/x")
		wantStatus(t, b.fetch("/fresh/x"), http.StatusOK)
	})
	t.Run("fresh_by_a_clock_behind_ours", func(t *testing.T) {
		ahead := r.manager(func(c *login.Config) { c.Now = func() time.Time { return r.op.Now().Add(45 * time.Second) } })
		b := r.browser()
		b.app = r.mux(ahead)
		b.mustLogin("/")
		r.op.Advance(290 * time.Second)
		// To the OP the login is fresh, and to us it is not: it must not be sent back
		// and forth.
		b.mustLogin("/fresh/x")
		wantStatus(t, b.fetch("/fresh/x"), http.StatusOK)
		r.op.Advance(30 * time.Second)
		b.mustLogin("/fresh/x")
		wantStatus(t, b.fetch("/fresh/x"), http.StatusOK)
		r.op.Advance(5 * time.Minute)
		wantStatus(t, b.fetch("/fresh/x"), http.StatusUnauthorized)
	})
	t.Run("claim", func(t *testing.T) {
		hits := r.hits
		wantStatus(t, b.navigate("/admin/"), http.StatusForbidden)
		if r.hits != hits {
			t.Error("the page ran")
		}
		b.at.User = "bob"
		b.cookies = map[string]*http.Cookie{}
		b.mustLogin("/admin/")
		wantStatus(t, b.navigate("/admin/"), http.StatusOK)
	})
}

func TestOnLoginRefuses(t *testing.T) {
	for name, edit := range map[string]func(*login.Config){"stored": func(*login.Config) {}, "sealed": storeless} {
		t.Run(name, func(t *testing.T) {
			r := setup(t, edit, func(c *login.Config) {
				c.OnLogin = func(context.Context, *login.Session) error { return errors.New("not on the list") }
			})
			b := r.browser()
			res := b.login("/")
			wantStatus(t, res, http.StatusForbidden)
			if page := text(res); strings.Contains(page, "not on the list") || !strings.Contains(page, "does not let you in") {
				t.Errorf("the page says %s", page)
			}
			if b.sessionCookie() != "" || b.loggedIn() {
				t.Error("there is a session")
			}
			if len(r.op.Requests(oidctest.EndpointRevocation)) == 0 {
				t.Error("the tokens of the refused login were not revoked")
			}
		})
	}
}

// TestOnLoginPanics: nothing is left of a login that nobody can reach, and the server
// hears of the panic.
func TestOnLoginPanics(t *testing.T) {
	r := setup(t, func(c *login.Config) {
		c.OnLogin = func(context.Context, *login.Session) error { panic("a fault of the application") }
	})
	b := r.browser()
	cb := b.toOP(b.navigate("/"))
	func() {
		defer func() {
			if v := recover(); v != "a fault of the application" {
				t.Errorf("recovered %v", v)
			}
		}()
		b.deliver(cb)
	}()
	for _, rec := range r.store.made {
		if _, err := r.store.Load(t.Context(), rec.Key); store.Class(rec.Key) == "grant" && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the grant is still there: %v", err)
		}
	}
	if len(r.op.Requests(oidctest.EndpointRevocation)) == 0 {
		t.Error("the tokens of the login were not revoked")
	}
}

func TestInitiate(t *testing.T) {
	r := setup(t)
	b := r.browser()
	target := "/auth/initiate?" + url.Values{"iss": {r.op.Issuer}, "login_hint": {"bob"}, "target_link_uri": {origin + "/deals?id=1"}}.Encode()
	res := b.login(target)
	if got := res.Header.Get("Location"); got != origin+"/deals?id=1" {
		t.Errorf("came back to %q", got)
	}
	if got := text(b.navigate("/")); !strings.HasPrefix(got, "hello bob") {
		t.Errorf("login_hint was lost: %q", got)
	}
	form := url.Values{"iss": {r.op.Issuer}}
	q := httptest.NewRequest("POST", origin+"/auth/initiate", strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	wantStatus(t, b.send(q, true), http.StatusSeeOther)
}

func TestSeveralOPs(t *testing.T) {
	one, two := newOP(t), newOP(t)
	a, z := newClient(t, one, origin+"/auth/callback/one"), newClient(t, two, origin+"/auth/callback/two")
	r := setupAt(t, one, func(c *login.Config) { c.Directory = rp.Only(a, z) })
	b := r.browser()
	res := b.navigate("/page")
	if want := origin + "/auth/login?return_to=%2Fpage"; res.Header.Get("Location") != want {
		t.Fatalf("sent to %q, want %q", res.Header.Get("Location"), want)
	}
	choice := b.navigate("/auth/login?return_to=%2Fpage")
	wantStatus(t, choice, http.StatusOK)
	link := "/auth/login?" + url.Values{"issuer": {two.Issuer}, "return_to": {"/page"}}.Encode()
	if !strings.Contains(text(choice), strings.ReplaceAll(link, "&", "&amp;")) {
		t.Fatalf("no link %s in %s", link, text(choice))
	}
	b.at = two.Browser()
	b.mustLoginBy(link, "/page")
}

func (b *tab) mustLoginBy(link, page string) {
	b.r.t.Helper()
	if res := b.login(link); res.Header.Get("Location") != origin+page {
		b.r.t.Fatalf("after the login: status %d, Location %q: %s", res.StatusCode, res.Header.Get("Location"), text(res))
	}
}

func TestTransport(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	q := request("GET", "/")
	q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: b.sessionCookie()})
	s, err := r.m.Session(q)
	if err != nil {
		t.Fatal(err)
	}
	var sent []string
	base := roundTrip(func(q *http.Request) (*http.Response, error) {
		sent = append(sent, q.Header.Get("Authorization"))
		return &http.Response{StatusCode: 204, Body: http.NoBody, Request: q}, nil
	})
	c := &http.Client{Transport: s.Transport(base, "https://api.example")}
	first, err := s.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Get("https://api.example/things"); err != nil {
		t.Fatal(err)
	}
	r.op.Advance(15 * time.Minute)
	if _, err := c.Get("https://api.example/things"); err != nil {
		t.Fatal(err)
	}
	if len(sent) != 2 || sent[0] != "Bearer "+first.AccessToken || sent[1] == sent[0] || !strings.HasPrefix(sent[1], "Bearer ") {
		t.Errorf("sent %d requests; the token was not presented, or not renewed", len(sent))
	}
	for _, target := range []string{"https://evil.example/", "http://api.example/", "https://api.example:444/", "https://api.example.evil/"} {
		if _, err := c.Get(target); !errors.Is(err, oidc.WrongOrigin) {
			t.Errorf("%s: got %v", target, err)
		}
	}
	if len(sent) != 2 {
		t.Error("a stranger was sent the token")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func TestBadConfig(t *testing.T) {
	r := setup(t)
	for name, edit := range map[string]func(*login.Config){
		"no_origin":          func(c *login.Config) { c.Origin = "" },
		"origin_with_path":   func(c *login.Config) { c.Origin = origin + "/" },
		"origin_http":        func(c *login.Config) { c.Origin = "http://app.example"; c.InsecureAllowHTTP = true },
		"loopback_http":      func(c *login.Config) { c.Origin = "http://127.0.0.1:8080" },
		"no_store":           func(c *login.Config) { c.Store = nil },
		"no_directory":       func(c *login.Config) { c.Directory = nil },
		"short_key":          func(c *login.Config) { c.Keys = [][]byte{make([]byte, 31)} },
		"same_paths":         func(c *login.Config) { c.Paths.Login = "/auth/logout" },
		"relative_path":      func(c *login.Config) { c.Paths.Login = "login" },
		"home_elsewhere":     func(c *login.Config) { c.Home = "//evil.example" },
		"negative_lifetime":  func(c *login.Config) { c.Lifetime = -1 },
		"cookie_name":        func(c *login.Config) { c.Cookie.Name = "a=b;" },
		"storeless_and_more": func(c *login.Config) { c.Storeless = true },
	} {
		t.Run(name, func(t *testing.T) {
			c := r.config
			edit(&c)
			if _, err := login.New(c); !errors.Is(err, login.BadConfig) && !errors.Is(err, rp.BadConfig) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestLoopbackHTTP(t *testing.T) {
	const origin = "http://127.0.0.1:8080"
	r := setup(t)
	client := newClient(t, r.op, origin+"/auth/callback")
	m := r.manager(func(c *login.Config) {
		c.Origin, c.InsecureAllowHTTP, c.Directory = origin, true, rp.Only(client)
	})
	w := httptest.NewRecorder()
	q := httptest.NewRequest("GET", origin+"/auth/login", nil)
	m.Handler().ServeHTTP(w, q)
	for _, c := range w.Result().Cookies() {
		if c.Secure || strings.HasPrefix(c.Name, "__Host-") || !c.HttpOnly {
			t.Errorf("cookie %v: a browser would refuse it over http, or a script could read it", c)
		}
	}
	if w.Code != http.StatusSeeOther || len(w.Result().Cookies()) != 1 {
		t.Fatalf("status %d", w.Code)
	}
}

func TestJWKSAndScripts(t *testing.T) {
	r := setup(t)
	for _, path := range []string{"/auth/session.js", "/auth/fragment.js"} {
		res := r.browser().fetch(path)
		wantStatus(t, res, http.StatusOK)
		if ct := res.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/javascript") {
			t.Errorf("%s is %s", path, ct)
		}
	}
	wantStatus(t, r.browser().fetch("/auth/jwks.json"), http.StatusNotFound)
	wantStatus(t, r.browser().navigate("/auth/nothing"), http.StatusNotFound)
	key := oidc.Key{Private: rsaKey(), ID: "k1", Alg: "RS256"}
	m := r.manager(func(c *login.Config) { c.SigningKeys = []oidc.Key{key} })
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, request("GET", "/auth/jwks.json"))
	body, _ := io.ReadAll(w.Body)
	if !strings.Contains(string(body), `"k1"`) || strings.Contains(string(body), `"d"`) {
		t.Errorf("got %s", body)
	}
}

// TestLog: who runs the application finds in the log what a user is not told.
func TestLog(t *testing.T) {
	var log bytes.Buffer
	r := setup(t, func(c *login.Config) { c.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	b := r.browser()
	cb := b.toOP(b.navigate("/page"))
	code := cb.URL.Query().Get("code")
	wantStatus(t, r.browser().deliver(cb), http.StatusBadRequest)
	if s := log.String(); !strings.Contains(s, "level=INFO") || !strings.Contains(s, string(rp.WrongBrowser)) || strings.Contains(s, code) {
		t.Errorf("the log says %s", s)
	}
	log.Reset()
	wantStatus(t, r.backChannel("x"), http.StatusBadRequest)
	if s := log.String(); !strings.Contains(s, "back-channel") || !strings.Contains(s, string(oidc.MalformedToken)) {
		t.Errorf("the log says %s", s)
	}
	log.Reset()
	r.store.down()
	wantStatus(t, r.browser().navigate("/page"), http.StatusServiceUnavailable)
	if s := log.String(); !strings.Contains(s, "level=ERROR") || !strings.Contains(s, "connection refused") {
		t.Errorf("the log says %s", s)
	}
}

func TestMinKey(t *testing.T) {
	if login.MinKey != login.RingMinKey {
		t.Errorf("MinKey is %d, and %d where keys are used", login.MinKey, login.RingMinKey)
	}
}
