package login_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

func storeless(c *login.Config) { c.Storeless, c.Store = true, nil }

func TestHostileSession(t *testing.T) {
	t.Run("276_session_id_is_new", func(t *testing.T) {
		for name, edit := range map[string]func(*login.Config){"query": func(*login.Config) {}, "form_post": formPost} {
			t.Run(name, func(t *testing.T) {
				r := setup(t, edit)
				b := r.browser()
				planted := base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{1}, 32))
				b.cookies["__Host-rely"] = &http.Cookie{Name: "__Host-rely", Value: planted}
				b.mustLogin("/")
				first := b.sessionCookie()
				if first == planted {
					t.Fatal("the id that the browser brought was kept")
				}
				old := r.browser()
				old.cookies["__Host-rely"] = &http.Cookie{Name: "__Host-rely", Value: first}
				b.mustLoginBy("/auth/login?return_to=/again", "/again")
				if b.sessionCookie() == first || old.loggedIn() {
					t.Error("the old id is as good as before")
				}
			})
		}
	})
	t.Run("277_length_of_ids", func(t *testing.T) {
		r := setup(t)
		seen := make(map[string]bool)
		for range 20 {
			b := r.browser()
			b.mustLogin("/")
			id, err := base64.RawURLEncoding.DecodeString(b.sessionCookie())
			if err != nil || len(id) != 32 || seen[string(id)] {
				t.Fatalf("%d bytes, %v", len(id), err)
			}
			seen[string(id)] = true
		}
	})
	t.Run("278_forged_cookies", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		good := b.sessionCookie()
		loads := r.store.loads
		for _, v := range []string{"", "x", good[:42], good + "A", good + "=", strings.Repeat("A", 4096), "99999999", good[:20] + "!" + good[21:], "../../etc/passwd", good[:42] + "\x00", good[:42] + "é"} {
			q := request("GET", "/")
			q.Header.Set("Cookie", "__Host-rely="+v)
			if _, err := r.m.Session(q); !errors.Is(err, login.NoSession) {
				t.Errorf("%q: %v", v, err)
			}
		}
		if r.store.loads != loads {
			t.Errorf("the store was asked %d times about what is no id", r.store.loads-loads)
		}
		sealed := setup(t, storeless)
		s := sealed.browser()
		s.mustLogin("/")
		good = s.sessionCookie()
		for i := 0; i < len(good); i += 7 {
			c := byte('A')
			if good[i] == c {
				c = 'B'
			}
			q := request("GET", "/")
			q.Header.Set("Cookie", "__Host-rely="+good[:i]+string(c)+good[i+1:])
			if _, err := sealed.m.Session(q); !errors.Is(err, login.NoSession) {
				t.Fatalf("flipped at %d: %v", i, err)
			}
		}
	})
	t.Run("279_one_purpose_never_another", func(t *testing.T) {
		r := setup(t, storeless)
		b := r.browser()
		b.navigate("/page")
		for _, c := range b.cookies {
			sealed := strings.Split(c.Value, ".")[1]
			q := request("GET", "/")
			q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: sealed})
			if _, err := r.m.Session(q); !errors.Is(err, login.NoSession) {
				t.Errorf("a login's cookie is a session: %v", err)
			}
		}
		// The cookie of one application is not that of another with the same keys.
		b.mustLogin("/")
		other := r.manager(func(c *login.Config) { c.Cookie.Name = "other" })
		q := request("GET", "/")
		q.AddCookie(&http.Cookie{Name: "__Host-other", Value: b.sessionCookie()})
		if _, err := other.Session(q); !errors.Is(err, login.NoSession) {
			t.Errorf("the cookie of another name opens: %v", err)
		}
	})
	t.Run("280_never_sealed_twice_alike", func(t *testing.T) {
		r := setup(t, storeless)
		seen := make(map[string]bool)
		for range 10 {
			b := r.browser()
			b.mustLogin("/")
			raw, err := base64.RawURLEncoding.DecodeString(b.sessionCookie())
			if err != nil || len(raw) < 64 {
				t.Fatal(err)
			}
			if head := string(raw[5:33]); seen[head] {
				t.Fatal("salt and nonce came twice")
			} else {
				seen[head] = true
			}
		}
		if _, err := login.New(login.Config{Origin: origin, Directory: rp.Only(r.client), Storeless: true, Keys: [][]byte{[]byte("a passphrase")}}); !errors.Is(err, login.BadConfig) {
			t.Errorf("a short key: %v", err)
		}
	})
	t.Run("281_rotation_of_keys", func(t *testing.T) {
		fresh := bytes.Repeat([]byte{8}, 32)
		for name, edit := range map[string]func(*login.Config){"stored": func(*login.Config) {}, "sealed": storeless} {
			t.Run(name, func(t *testing.T) {
				r := setup(t, edit)
				b := r.browser()
				b.mustLogin("/")
				b.app = r.mux(r.manager(func(c *login.Config) { c.Keys = [][]byte{fresh, r.key} }))
				if !b.loggedIn() {
					t.Error("the old key does not open any more")
				}
				fromNew := r.browser()
				fromNew.app = b.app
				fromNew.mustLogin("/")
				b.app = r.mux(r.manager(func(c *login.Config) { c.Keys = [][]byte{fresh} }))
				fromNew.app = b.app
				if b.loggedIn() {
					t.Error("the removed key opens")
				}
				if !fromNew.loggedIn() {
					t.Error("the first key did not seal")
				}
			})
		}
	})
	t.Run("282_too_large", func(t *testing.T) {
		r := watched(t, storeless)
		r.op.TamperIDToken(func(_, claims map[string]any) { claims["padding"] = strings.Repeat("p", 4096) })
		b := r.browser()
		wantStatus(t, b.login("/"), http.StatusInternalServerError)
		r.wantError(login.TooLarge)
		if b.sessionCookie() != "" {
			t.Error("it was written")
		}
		stored := watched(t, func(c *login.Config) {
			c.OnLogin = func(_ context.Context, s *login.Session) error {
				s.Data = make([]byte, login.MaxData+1)
				return nil
			}
		})
		wantStatus(t, stored.browser().login("/"), http.StatusInternalServerError)
		stored.wantError(login.TooLarge)
		if stored.store.count("session") != 0 {
			t.Error("it was written")
		}
	})
	t.Run("283_attributes_of_the_session_cookie", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		if c := b.cookies["__Host-rely"]; !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 0 {
			t.Errorf("cookie %v", c)
		}
		r = setup(t, func(c *login.Config) { c.Cookie.Persistent = true })
		b = r.browser()
		b.mustLogin("/")
		if c := b.cookies["__Host-rely"]; c.MaxAge < int(login.DefaultLifetime/time.Second)-5 {
			t.Errorf("cookie %v", c)
		}
	})
	t.Run("284_return_to", func(t *testing.T) {
		r := setup(t)
		for _, evil := range payloads() {
			for _, target := range []string{evil, origin + evil} {
				res := r.browser().login("/auth/login?return_to=" + url.QueryEscape(target))
				to, err := url.Parse(res.Header.Get("Location"))
				if err != nil || to.Scheme+"://"+to.Host != origin {
					t.Fatalf("%q led to %q", target, res.Header.Get("Location"))
				}
				if target == evil && to.Path != "/" {
					t.Errorf("%q led to %q, want the default page", target, to)
				}
			}
		}
		for _, fine := range []string{"/", "/a/b?c=d&e=//f#g", "/%C3%A9", "/a%20b", "/~user/@me"} {
			res := r.browser().login("/auth/login?return_to=" + url.QueryEscape(fine))
			if got := res.Header.Get("Location"); got != origin+fine {
				t.Errorf("%q led to %q", fine, got)
			}
		}
	})
	t.Run("285_idle_and_absolute_end", func(t *testing.T) {
		for name, edit := range map[string]func(*login.Config){"stored": func(*login.Config) {}, "sealed": storeless} {
			t.Run(name, func(t *testing.T) {
				r := setup(t, edit, func(c *login.Config) { c.Idle, c.Lifetime = time.Hour, 3*time.Hour })
				b := r.browser()
				b.mustLogin("/")
				r.op.Advance(61 * time.Minute)
				if b.loggedIn() {
					t.Error("it outlives its idle time")
				}
				b = r.browser()
				b.mustLogin("/")
				for range 3 {
					r.op.Advance(50 * time.Minute)
					if !b.loggedIn() {
						t.Fatal("it was used, and is over")
					}
				}
				copied := b.sessionCookie()
				r.op.Advance(31 * time.Minute)
				thief := r.browser()
				thief.cookies["x"] = &http.Cookie{Name: "__Host-rely", Value: copied}
				if b.loggedIn() || thief.loggedIn() {
					t.Error("it outlives its lifetime")
				}
			})
		}
		r := setup(t, func(c *login.Config) { c.Lifetime, c.Idle = 9*365*24*time.Hour, -1 })
		b := r.browser()
		r.op.Advance(5 * 365 * 24 * time.Hour)
		b.mustLogin("/")
		r.op.Advance(8 * 365 * 24 * time.Hour) // past 2038
		if !b.loggedIn() {
			t.Error("it does not survive 2038")
		}
	})
	t.Run("286_rights_taken_away_at_the_op", func(t *testing.T) {
		r := setup(t, func(c *login.Config) {
			c.Params = func(*http.Request, string) (oidc.AuthParams, error) {
				return oidc.AuthParams{Scopes: []string{"profile"}}, nil
			}
		})
		alice := r.op.Users()[0]
		alice.Claims = map[string]any{"roles": []string{"admin"}}
		r.op.AddUser(alice)
		b := r.browser()
		b.mustLogin("/")
		roles := func() int {
			var c struct {
				Roles []string `json:"roles"`
			}
			ui, err := b.session().UserInfo(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if err := ui.Claims(&c); err != nil {
				t.Fatal(err)
			}
			return len(c.Roles)
		}
		if roles() != 1 {
			t.Fatal("the role is not there")
		}
		alice.Claims = nil
		r.op.AddUser(alice)
		if roles() != 0 {
			t.Error("the role outlives its end at the OP")
		}
	})
	t.Run("287_identity_from_headers", func(t *testing.T) {
		r := setup(t)
		q := request("GET", "/api", "X-Remote-User", "alice", "X_Remote_User", "alice", "OIDC_CLAIM_sub", "alice", "X-Forwarded-User", "alice", "Authorization", "Bearer x")
		wantStatus(t, r.browser().send(q, false), http.StatusUnauthorized)
		if r.hits != 0 {
			t.Error("the page ran")
		}
	})
	t.Run("288_no_path_skips_the_check", func(t *testing.T) {
		r := setup(t)
		app := r.m.Require(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { r.hits++ }))
		for _, target := range []string{"/auth/login", "/auth/../secret", "/secret?x=/auth/callback", "//secret", "/open/..;/secret", "/secret%2f..%2fauth", "/secret;.css", "/favicon.ico"} {
			q := request("GET", target, "X-Forwarded-Uri", "/auth/login", "X-Original-URL", "/open/", "User-Agent", "health-check")
			w := httptest.NewRecorder()
			app.ServeHTTP(w, q)
			if w.Code != http.StatusUnauthorized {
				t.Errorf("%s: status %d", target, w.Code)
			}
		}
		if r.hits != 0 {
			t.Error("the page ran")
		}
	})
	t.Run("289_claims_never_in_headers", func(t *testing.T) {
		r := setup(t)
		r.op.TamperIDToken(func(_, claims map[string]any) { claims["name"] = "a\r\nSet-Cookie: evil=1" })
		b := r.browser()
		b.mustLogin("/")
		for k, vs := range b.navigate("/").Header {
			for _, v := range vs {
				if strings.Contains(v, "evil") {
					t.Errorf("header %s: %q", k, v)
				}
			}
		}
	})
	t.Run("290_nothing_of_the_page_runs", func(t *testing.T) {
		r := setup(t)
		for _, method := range []string{"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "FOO"} {
			for _, path := range []string{"/x", "/silver/x", "/fresh/x", "/admin/x"} {
				if res := r.browser().send(request(method, path), false); res.StatusCode != http.StatusUnauthorized || strings.Contains(text(res), "hello") {
					t.Errorf("%s %s: status %d", method, path, res.StatusCode)
				}
			}
		}
		r.store.down()
		b := r.browser()
		b.cookies["x"] = &http.Cookie{Name: "__Host-rely", Value: strings.Repeat("A", 43)}
		wantStatus(t, b.fetch("/x"), http.StatusServiceUnavailable)
		if r.hits != 0 {
			t.Error("the page ran")
		}
	})
	t.Run("291_posted_data_is_not_kept", func(t *testing.T) {
		r := setup(t)
		q := httptest.NewRequest("POST", origin+"/form", strings.NewReader(`x="><script>alert(1)</script>`))
		q.Header.Set("Accept", "text/html")
		q.Header.Set("Referer", origin+`/form?"><script>alert(2)</script>`)
		res := r.browser().send(q, false)
		wantStatus(t, res, http.StatusUnauthorized)
		if page := text(res); strings.Contains(page, "alert(1)") || strings.Contains(page, "<script>") {
			t.Errorf("the page says %s", page)
		}
	})
	t.Run("292_forced_login", func(t *testing.T) {
		r := watched(t)
		// Another site can make the browser begin a login, and cannot finish one of
		// its own in it; an iframe or image begins nothing.
		for _, dest := range []string{"iframe", "image", "script", "empty", "object"} {
			if res := r.browser().send(request("GET", "/auth/login", "Sec-Fetch-Dest", dest, "Sec-Fetch-Site", "cross-site"), false); res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) != 0 {
				t.Errorf("%s: status %d", dest, res.StatusCode)
			}
		}
		wantStatus(t, r.browser().post("/auth/login", nil), http.StatusMethodNotAllowed)
		attacker, victim := r.browser(), r.browser()
		cb := attacker.toOP(attacker.navigate("/auth/login"))
		victim.navigate("/auth/login")
		wantStatus(t, victim.deliver(cb), http.StatusBadRequest)
		r.wantError(rp.WrongBrowser)
	})
	t.Run("293_used_and_ended_at_once", func(t *testing.T) {
		r := setup(t, func(c *login.Config) { c.Idle = 8 * time.Minute })
		b := r.browser()
		b.mustLogin("/")
		s, id := b.session(), b.sessionCookie()
		r.op.Advance(2 * time.Minute) // every use writes
		get := func() int {
			q := request("GET", "/open/x")
			q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: id})
			_, err := r.m.Session(q)
			switch {
			case err == nil:
				return 1
			case errors.Is(err, login.NoSession):
				return 0
			}
			t.Error(err)
			return -1
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				over := false
				for range 50 {
					alive := get() == 1
					if over && alive {
						t.Error("a session that was over lives again")
					}
					over = !alive
				}
			})
		}
		wg.Go(func() {
			if _, err := s.Tokens(t.Context()); err != nil && !errors.Is(err, rp.GrantEnded) {
				t.Error(err)
			}
		})
		wg.Go(func() {
			if _, err := r.m.End(t.Context(), s.Issuer, "", s.SessionID); err != nil {
				t.Error(err)
			}
		})
		wg.Wait()
		if get() != 0 {
			t.Error("it lives")
		}
	})
	t.Run("294_huge_requests", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		q := request("GET", "/")
		q.Header.Set("Cookie", strings.Repeat("a=b; ", 100_000)+"__Host-rely="+b.sessionCookie())
		if _, err := r.m.Session(q); !errors.Is(err, login.NoSession) {
			t.Errorf("got %v", err)
		}
		q = request("GET", "/page", "Accept", "text/html")
		q.Header.Set("Cookie", strings.Repeat("__Host-rely-login-x=1.b.l; ", 100_000))
		w := httptest.NewRecorder()
		r.app.ServeHTTP(w, q)
		if n := len(w.Result().Cookies()); n > 5000 {
			t.Errorf("%d cookies in the answer", n)
		}
		many := strings.Repeat("a=b&", 1_000_000)
		wantStatus(t, r.browser().navigate("/auth/initiate?"+many), http.StatusBadRequest)
		wantStatus(t, r.browser().navigate("/auth/login?"+many), http.StatusBadRequest)
		wantStatus(t, r.browser().navigate("/auth/callback?state=x&"+many), http.StatusBadRequest)
	})
	t.Run("295_caches", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		for _, path := range []string{"/", "/open/x"} {
			h := b.navigate(path).Header
			if h.Get("Cache-Control") != "private, no-store" || h.Get("Vary") != "Cookie" {
				t.Errorf("%s: headers %v", path, h)
			}
		}
		if h := r.browser().navigate("/page").Header; h.Get("Cache-Control") != "no-store" {
			t.Errorf("the redirect to log in: %v", h)
		}
	})
	t.Run("296_no_debug_page", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		tokens, err := b.session().Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/auth/", "/auth/session", "/auth/logout", "/auth/info", "/auth/debug", "/auth/userinfo", "/auth/session.js", "/auth/jwks.json"} {
			page := text(b.navigate(path))
			for _, secret := range []string{tokens.AccessToken, tokens.RefreshToken, tokens.IDToken.Raw(), b.sessionCookie()} {
				if strings.Contains(page, secret) {
					t.Errorf("%s tells a secret", path)
				}
			}
		}
		for _, v := range []any{r.m, r.config, *b.session(), b.session()} {
			if s := fmt.Sprintf("%v %+v %#v", v, v, v); strings.Contains(s, tokens.AccessToken) || strings.Contains(s, string(r.key)) || strings.Contains(s, "[7 7 7") {
				t.Errorf("it prints %s", s)
			}
		}
	})
}

func TestHostileStore(t *testing.T) {
	t.Run("308_down_at_the_start", func(t *testing.T) {
		r := watched(t)
		r.store.down()
		res := r.browser().navigate("/page")
		wantStatus(t, res, http.StatusServiceUnavailable)
		if len(res.Cookies()) != 0 {
			t.Errorf("cookies %v", res.Cookies())
		}
	})
	t.Run("309_down_at_the_callback", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		r.store.down()
		wantStatus(t, b.deliver(cb), http.StatusServiceUnavailable)
		r.noTokenCall()
		r.store.up()
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
		// Down just when the session is to be kept: no login without a session.
		b = r.browser()
		cb = b.toOP(b.navigate("/page"))
		r.store.set(func(op, key string) error {
			if op == "create" && store.Class(key) == "session" {
				return errDown
			}
			return nil
		})
		wantStatus(t, b.deliver(cb), http.StatusServiceUnavailable)
		r.wantError(login.StoreUnavailable)
		if b.sessionCookie() != "" {
			t.Error("a cookie without a session")
		}
	})
	t.Run("310_down_on_a_page", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		r.store.down()
		for _, path := range []string{"/", "/open/x", "/silver/x"} {
			wantStatus(t, b.navigate(path), http.StatusServiceUnavailable)
			r.wantError(login.StoreUnavailable)
		}
		r.store.up()
		if !b.loggedIn() {
			t.Error("the session did not survive")
		}
	})
	t.Run("311_slow", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		q := request("GET", "/").WithContext(ctx)
		q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: b.sessionCookie()})
		if _, err := r.m.Session(q); !errors.Is(err, context.Canceled) || errors.Is(err, login.NoSession) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("312_damaged_records", func(t *testing.T) {
		for name, change := range map[string]func([]byte) []byte{
			"empty":           func([]byte) []byte { return nil },
			"truncated":       func(v []byte) []byte { return v[:len(v)/2] },
			"another_version": func(v []byte) []byte { v[0] = 99; return v },
			"flipped":         func(v []byte) []byte { v[len(v)-1] ^= 1; return v },
			"unknown_key":     func(v []byte) []byte { v[1] ^= 1; return v },
		} {
			t.Run(name, func(t *testing.T) {
				r := watched(t)
				b, other := r.browser(), r.browser()
				b.mustLogin("/")
				other.mustLogin("/")
				key := ""
				for _, rec := range r.store.made {
					if store.Class(rec.Key) == "session" {
						key = rec.Key // the last is the other's
					}
				}
				r.store.change = func(k string, v []byte) []byte {
					if store.Class(k) == "session" && k != key {
						return change(bytes.Clone(v))
					}
					return v
				}
				wantStatus(t, b.fetch("/"), http.StatusUnauthorized)
				if !other.loggedIn() {
					t.Error("another session is concerned")
				}
				// The user gets on by logging in.
				b.mustLoginBy("/auth/login?return_to=/page", "/page")
			})
		}
	})
	t.Run("316_nothing_readable_in_the_store", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		s := b.session()
		tokens, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := base64.RawURLEncoding.DecodeString(b.sessionCookie())
		for _, rec := range r.store.made {
			all := rec.Key + " " + strings.Join(rec.Tags, " ") + " " + string(rec.Value)
			for _, secret := range []string{b.sessionCookie(), string(raw), s.Subject, s.SessionID, s.Issuer, tokens.AccessToken, tokens.RefreshToken} {
				if strings.Contains(all, secret) {
					t.Errorf("record %s tells %q", rec.Key, secret)
				}
			}
		}
	})
	t.Run("252_grant_over", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		s := b.session()
		r.op.Break(oidctest.RefreshInvalidGrant)
		r.op.Advance(15 * time.Minute)
		if _, err := s.Tokens(t.Context()); !errors.Is(err, rp.GrantEnded) {
			t.Fatalf("got %v", err)
		}
		if b.loggedIn() {
			t.Error("the session outlives its grant")
		}
	})
	t.Run("313_first_retry", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		failed := false
		r.store.set(func(op, _ string) error {
			if op == "load" && !failed {
				failed = true
				return errDown
			}
			return nil
		})
		if !b.loggedIn() {
			t.Error("the second try was not made")
		}
	})
}

// payloads are pages to return to that lead elsewhere in some browser, proxy or
// library.
func payloads() []string {
	out := []string{
		"//evil.example", "///evil.example", "////evil.example", `/\evil.example`, `\\evil.example`, `\/evil.example`, `/\/evil.example`,
		"/%5cevil.example", "/%5Cevil.example", "/%2fevil.example", "/%2Fevil.example", "/%252fevil.example", "%2f%2fevil.example",
		"https:evil.example", "https:/evil.example", "https://evil.example", "HTTPS://evil.example", "http://evil.example", "ftp://evil.example",
		"\tjavascript:alert(1)", "javascript:alert(1)", "JaVaScRiPt:alert(1)", "java\nscript:alert(1)", "data:text/html,x", "vbscript:x",
		"https://good.com.evil.example", "@evil.example", "/@evil.example/../..//x", "https://app.example@evil.example", "https://app.example.evil.example/",
		"/\r\nSet-Cookie: a=b", "/%0d%0aSet-Cookie:a=b", "/\x00", "/%00/evil", "/\t/evil.example", "/%09/evil.example", "/ /evil.example",
		"/.//evil.example", "/..//evil.example", "/a/..//evil.example", "/%2e%2e//evil.example", "/%2e%2e/%2fevil.example", "/.%2f/evil.example",
		"/\u2028evil", "/\u3000//evil", "//evil.example%2f@app.example", "//evil%E3%80%82example", "?next=//evil", "#//evil", "evil", "", " /x", "\u00a0//evil",
		"/auth/logout", "/auth/login", "/auth/callback?code=x", "/%61uth/logout", "/auth/callback/x", "//app.example@evil.example/", "/;//evil", "/\ufeff/x",
		"/%E2%80%AEx", "/a%", "/%zz", "/" + strings.Repeat("a", 4096),
	}
	for _, lead := range []string{"//", `/\`, `\\`, "/%2f", "/%5c", "/\t/", "/%09/", "/%0d/", "/%0a/", "/%2f%2f", "/.//", "///", `/\/`} {
		for _, host := range []string{"evil.example", "evil.example/%2e%2e", "www.evil.example/", "3627734734", "0xd8.0x3a.0xd6.0xce", "[::1]", "evil.example:443", "user:pw@evil.example", "evil%00.example", "evil。example"} {
			out = append(out, lead+host)
		}
	}
	return slices.Compact(out)
}
