package login_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// formPost makes logins answer by form_post.
func formPost(c *login.Config) {
	c.Params = func(*http.Request, string) (oidc.AuthParams, error) {
		return oidc.AuthParams{ResponseMode: oidc.ModeFormPost}, nil
	}
}

func TestHostileRequest(t *testing.T) {
	t.Run("009_initiate_unknown_issuer", func(t *testing.T) {
		r := watched(t)
		for _, iss := range []string{"https://evil.example", r.op.Issuer + "/", strings.ToUpper(r.op.Issuer), r.op.Issuer + "\x00"} {
			wantStatus(t, r.browser().navigate("/auth/initiate?iss="+url.QueryEscape(iss)), http.StatusBadRequest)
			r.wantError(rp.UnknownIssuer)
		}
		if r.store.count("pending") != 0 {
			t.Error("a login was begun")
		}
	})
	t.Run("010_initiate_target_elsewhere", func(t *testing.T) {
		r := setup(t)
		for _, target := range []string{"https://evil.example/", `\\evil.example`, "//evil.example", "/%09/evil.example", "javascript:alert(1)", origin + ".evil.example/"} {
			res := r.browser().login("/auth/initiate?" + url.Values{"iss": {r.op.Issuer}, "target_link_uri": {target}}.Encode())
			if got := res.Header.Get("Location"); got != origin+"/" {
				t.Errorf("target %q led to %q", target, got)
			}
		}
	})
	t.Run("011_initiate_extra_parameters", func(t *testing.T) {
		r := setup(t)
		res := r.browser().navigate("/auth/initiate?" + url.Values{"iss": {r.op.Issuer}, "scope": {"openid admin"}, "prompt": {"none"},
			"redirect_uri": {"https://evil.example"}, "acr_values": {"weak"}, "max_age": {"999999"}, "state": {"mine"}, "ui_locales": {"xx"}}.Encode())
		u, err := url.Parse(res.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("scope") != "openid" || q.Has("prompt") || q.Has("acr_values") || q.Has("max_age") || q.Has("ui_locales") || q.Get("redirect_uri") != origin+"/auth/callback" || q.Get("state") == "mine" {
			t.Errorf("passed on: %v", q)
		}
	})
	t.Run("012_initiate_malformed", func(t *testing.T) {
		r := watched(t)
		for _, query := range []string{"", "iss=", "iss=%zz", "iss=" + url.QueryEscape(r.op.Issuer) + "&login_hint=" + strings.Repeat("a", 100<<10),
			"iss=" + url.QueryEscape(r.op.Issuer) + "&login_hint=" + strings.Repeat("a", 600), "iss=" + url.QueryEscape(r.op.Issuer) + "&iss=x"} {
			wantStatus(t, r.browser().navigate("/auth/initiate?"+query), http.StatusBadRequest)
			r.wantError(login.BadRequest)
		}
	})
	t.Run("088_origin_not_of_the_request", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		q := request("GET", "/page", "Accept", "text/html", "X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "http", "Forwarded", "host=evil.example")
		q.Host = "evil.example"
		res := b.send(q, false)
		wantStatus(t, res, http.StatusSeeOther)
		u, err := url.Parse(res.Header.Get("Location"))
		if err != nil || u.Query().Get("redirect_uri") != origin+"/auth/callback" {
			t.Fatalf("redirect_uri is %q", u.Query().Get("redirect_uri"))
		}
		back := b.toOP(res).Request()
		back.Host = "evil.example"
		back.Header.Set("X-Forwarded-Host", "evil.example")
		if got := b.send(back, true).Header.Get("Location"); got != origin+"/page" {
			t.Errorf("sent to %q", got)
		}
	})
	t.Run("089_many_strangers", func(t *testing.T) {
		var mem *memstore.Store
		r := setup(t, func(c *login.Config) {
			mem = &memstore.Store{MaxRecords: 50, Now: c.Now}
			c.Store = mem
		})
		b := r.browser()
		b.mustLogin("/")
		for range 500 {
			wantStatus(t, r.browser().navigate("/page"), http.StatusSeeOther)
		}
		for _, s := range mem.Stats() {
			if s.Records > 50 {
				t.Errorf("%d records of class %q, at most 50", s.Records, s.Class)
			}
		}
		if !b.loggedIn() {
			t.Error("strangers pushed a session out")
		}
	})
	t.Run("091_no_login_for_what_is_no_navigation", func(t *testing.T) {
		r := setup(t)
		for name, header := range map[string][]string{
			"fetch":           {"Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"},
			"old_xhr":         {"X-Requested-With", "XMLHttpRequest", "Accept", "text/html"},
			"json":            {"Accept", "application/json"},
			"prefetch":        {"Sec-Purpose", "prefetch", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Accept", "text/html"},
			"prerender":       {"Sec-Purpose", "prefetch;prerender", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"},
			"old_prefetch":    {"X-Moz", "prefetch", "Accept", "text/html"},
			"image":           {"Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "image"},
			"iframe":          {"Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe", "Accept", "text/html"},
			"websocket":       {"Sec-Fetch-Mode", "websocket", "Upgrade", "websocket"},
			"old_websocket":   {"Upgrade", "websocket", "Accept", "text/html"},
			"nothing_is_said": {},
		} {
			for _, path := range []string{"/favicon.ico", "/page"} {
				res := r.browser().send(request("GET", path, header...), false)
				if res.StatusCode != http.StatusUnauthorized || len(res.Cookies()) != 0 || res.Header.Get("Location") != "" || res.Header.Get("WWW-Authenticate") == "" {
					t.Errorf("%s %s: status %d, cookies %v", name, path, res.StatusCode, res.Cookies())
				}
			}
		}
		wantStatus(t, r.browser().send(request("HEAD", "/page", "Accept", "text/html"), false), http.StatusUnauthorized)
		if r.store.count("pending") != 0 || r.hits != 0 {
			t.Error("a login was begun, or the page ran")
		}
	})
	t.Run("092_prompt_none_does_not_loop", func(t *testing.T) {
		r := watched(t, func(c *login.Config) {
			c.Params = func(*http.Request, string) (oidc.AuthParams, error) {
				return oidc.AuthParams{Prompt: []string{"none"}}, nil
			}
		})
		res := r.browser().login("/page")
		wantStatus(t, res, http.StatusForbidden)
		if res.Header.Get("Location") != "" {
			t.Error("the browser is sent on")
		}
	})
}

func TestHostileCallback(t *testing.T) {
	for _, c := range []struct {
		name   string
		edit   func(url.Values)
		reason error
	}{
		{"096_state_missing", func(v url.Values) { v.Del("state") }, oidc.BadState},
		{"097_state_wrong", func(v url.Values) { v.Set("state", "x"+v.Get("state")) }, rp.UnknownState},
		{"099_iss_of_another", func(v url.Values) { v.Set("iss", "https://attacker.example") }, oidc.BadResponseIssuer},
		{"100_iss_missing", func(v url.Values) { v.Del("iss") }, oidc.BadResponseIssuer},
		{"102_duplicate_code", func(v url.Values) { v.Add("code", "x") }, oidc.DuplicateParameter},
		{"103_duplicate_state", func(v url.Values) { v.Add("state", "x") }, oidc.DuplicateParameter},
		{"104_code_and_error", func(v url.Values) { v.Set("error", "server_error") }, nil},
		{"105_code_empty", func(v url.Values) { v.Set("code", "") }, oidc.MissingParameter},
		{"105_code_too_long", func(v url.Values) { v.Set("code", strings.Repeat("c", oidc.MaxCode+1)) }, nil},
		{"106_error_with_unknown_state", func(v url.Values) {
			v.Del("code")
			v.Set("state", "forged")
			v.Set("error", "your_account_is_hacked")
			v.Set("error_description", "call 555-1234")
		}, rp.UnknownState},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := watched(t)
			b := r.browser()
			cb := b.toOP(b.navigate("/page"))
			q := cb.URL.Query()
			c.edit(q)
			cb.URL.RawQuery = q.Encode()
			res := b.deliver(cb)
			if res.StatusCode < 400 || b.loggedIn() {
				t.Fatalf("status %d", res.StatusCode)
			}
			if c.reason != nil {
				r.wantError(c.reason)
			}
			r.noTokenCall()
			if said := r.errs[0].Error(); strings.Contains(said, q.Get("code")) && q.Get("code") != "" {
				t.Errorf("the error has the code: %s", said)
			}
		})
	}
	t.Run("098_login_of_another_browser", func(t *testing.T) {
		for _, storeless := range []bool{false, true} {
			r := watched(t, func(c *login.Config) {
				if storeless {
					c.Storeless, c.Store = true, nil
				}
			})
			attacker, victim := r.browser(), r.browser()
			cb := attacker.toOP(attacker.navigate("/"))
			wantStatus(t, victim.deliver(cb), http.StatusBadRequest)
			r.wantError(rp.WrongBrowser)
			r.noTokenCall()
			if victim.sessionCookie() != "" {
				t.Error("the victim is logged in as the attacker")
			}
			// What failed in the wrong browser is still good in the right one.
			wantStatus(t, attacker.deliver(cb), http.StatusSeeOther)
		}
	})
	t.Run("101_state_of_another_op", func(t *testing.T) {
		one, two := newOP(t), newOP(t)
		var errs []error
		r := setupAt(t, one, func(c *login.Config) {
			c.Directory = rp.Only(newClient(t, one, origin+"/auth/callback/one"), newClient(t, two, origin+"/auth/callback/two"))
			c.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
				errs = append(errs, err)
				w.WriteHeader(login.Status(err))
			}
		})
		b := r.browser()
		cb := b.toOP(b.navigate("/auth/login?issuer=" + url.QueryEscape(one.Issuer)))
		cb.URL.Path = "/auth/callback/two"
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		if len(errs) != 1 || !errors.Is(errs[0], rp.WrongRedirectURI) {
			t.Fatalf("got %v", errs)
		}
		r.noTokenCall()
	})
	t.Run("107_hostile_error_text", func(t *testing.T) {
		const evil = "<script>alert(1)</script>\r\nSet-Cookie: a=b\x1b[31m\u202egnp"
		r := setup(t)
		b := r.browser()
		b.at.Deny = true
		r.op.TamperAuthResponse(func(v url.Values) { v.Set("error_description", evil); v.Set("error", "access_denied") })
		res := b.login("/page")
		wantStatus(t, res, http.StatusForbidden)
		if page := text(res); strings.Contains(page, "alert") || strings.Contains(page, "gnp") || !strings.Contains(page, "You were not logged in") {
			t.Errorf("the page says %s", page)
		}
	})
	t.Run("108_another_response_mode", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		wantStatus(t, b.post("/auth/callback", cb.Params()), http.StatusBadRequest)
		r.wantError(oidc.WrongResponseMode)
		r.noTokenCall()
	})
	t.Run("109_query_and_body", func(t *testing.T) {
		r := watched(t, formPost)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		cb.URL.RawQuery = "code=A"
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		r.wantError(oidc.DuplicateParameter)
		r.noTokenCall()
	})
	t.Run("110_replayed", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
		before := b.sessionCookie()
		// The back button of a user who is logged in leads home.
		again := b.deliver(cb)
		if again.StatusCode != http.StatusSeeOther || again.Header.Get("Location") != origin+"/" || b.sessionCookie() != before {
			t.Errorf("the second time: status %d to %q", again.StatusCode, again.Header.Get("Location"))
		}
		delete(b.cookies, "__Host-rely")
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		r.wantError(rp.UnknownState)
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("%d exchanges, want 1", n)
		}
	})
	t.Run("111_ten_at_once", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		var wg sync.WaitGroup
		var mu sync.Mutex
		sessions := 0
		for range 10 {
			q := cb.Request()
			for _, c := range b.cookies {
				q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
			}
			wg.Go(func() {
				w := httptest.NewRecorder()
				r.app.ServeHTTP(w, q)
				mu.Lock()
				defer mu.Unlock()
				for _, c := range w.Result().Cookies() {
					if c.Name == "__Host-rely" && c.MaxAge >= 0 {
						sessions++
					}
				}
			})
		}
		wg.Wait()
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 || sessions != 1 || r.store.count("session") != 1 {
			t.Errorf("%d exchanges, %d cookies, %d sessions; want one of each", n, sessions, r.store.count("session"))
		}
	})
	t.Run("112_two_tabs", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		one := b.toOP(b.navigate("/one"))
		two := b.toOP(b.navigate("/two"))
		for page, cb := range map[string]*oidctest.Callback{"/one": one, "/two": two} {
			res := b.deliver(cb)
			if res.Header.Get("Location") != origin+page || !b.loggedIn() {
				t.Errorf("tab %s: status %d to %q", page, res.StatusCode, res.Header.Get("Location"))
			}
		}
	})
	t.Run("113_multipart", func(t *testing.T) {
		r := watched(t, formPost)
		body := &counting{}
		q := httptest.NewRequest("POST", origin+"/auth/callback", body)
		q.Header.Set("Content-Type", "multipart/form-data; boundary=x")
		wantStatus(t, r.browser().send(q, true), http.StatusBadRequest)
		if body.n != 0 {
			t.Errorf("%d bytes of it were read", body.n)
		}
		q = httptest.NewRequest("POST", origin+"/auth/callback", body)
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Sec-Fetch-Site", "same-origin")
		wantStatus(t, r.browser().send(q, false), http.StatusBadRequest)
		if body.n > 1<<20 {
			t.Errorf("%d bytes of an endless form were read", body.n)
		}
	})
	t.Run("114_after_its_lifetime", func(t *testing.T) {
		for _, storeless := range []bool{false, true} {
			r := watched(t, func(c *login.Config) {
				if storeless {
					c.Storeless, c.Store = true, nil
				}
			})
			b := r.browser()
			cb := b.toOP(b.navigate("/page"))
			r.op.Advance(61 * time.Minute)
			wantStatus(t, b.deliver(cb), http.StatusBadRequest)
			if e := r.errs[len(r.errs)-1]; !errors.Is(e, rp.LoginExpired) && !errors.Is(e, oidc.LoginExpired) {
				t.Errorf("got %v", e)
			}
			r.noTokenCall()
		}
	})
	t.Run("115_attributes_of_the_login_cookie", func(t *testing.T) {
		r := setup(t)
		cs := r.browser().navigate("/page").Cookies()
		if len(cs) != 1 {
			t.Fatalf("%d cookies", len(cs))
		}
		if c := cs[0]; !strings.HasPrefix(c.Name, "__Host-") || !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge <= 0 || c.MaxAge > 3600 {
			t.Errorf("cookie %v", c)
		}
	})
	t.Run("116_fifty_tabs", func(t *testing.T) {
		for _, storeless := range []bool{false, true} {
			r := setup(t, func(c *login.Config) {
				if storeless {
					c.Storeless, c.Store = true, nil
				}
			})
			b := r.browser()
			var last *http.Response
			for range 50 {
				r.op.Advance(time.Second)
				last = b.navigate("/page?" + strings.Repeat("q", 500))
				n := 0
				for _, c := range b.cookies {
					n += len(c.Name) + len(c.Value) + 3
				}
				if len(b.cookies) > login.MaxLogins || n > 8<<10 {
					t.Fatalf("%d cookies, %d bytes", len(b.cookies), n)
				}
			}
			wantStatus(t, b.deliver(b.toOP(last)), http.StatusSeeOther)
		}
	})
	t.Run("117_damaged_login_cookie", func(t *testing.T) {
		r := watched(t, func(c *login.Config) { c.Storeless, c.Store = true, nil })
		spoil := map[string]func(string) string{
			"truncated": func(s string) string { return s[:len(s)/2] },
			"flipped": func(s string) string {
				i := len(s) / 2
				return s[:i] + string(rune('A'+(s[i]+1)%26)) + s[i+1:]
			},
			"empty":           func(string) string { return "" },
			"another_purpose": func(s string) string { return strings.TrimSuffix(s, ".l") + ".c" },
		}
		for name, f := range spoil {
			b := r.browser()
			cb := b.toOP(b.navigate("/page"))
			for n, c := range b.cookies {
				b.cookies[n] = &http.Cookie{Name: n, Value: f(c.Value)}
			}
			if res := b.deliver(cb); res.StatusCode != http.StatusBadRequest {
				t.Errorf("%s: status %d", name, res.StatusCode)
			}
		}
		r.noTokenCall()
		// An old key opens while it is in the ring, and then no more.
		fresh := make([]byte, 32)
		rand.Read(fresh)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		b.app = r.mux(r.manager(func(c *login.Config) { c.Keys = [][]byte{fresh} }))
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		b = r.browser()
		cb = b.toOP(b.navigate("/page"))
		b.app = r.mux(r.manager(func(c *login.Config) { c.Keys = [][]byte{fresh, r.key} }))
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
	})
	t.Run("118_tossed_cookie", func(t *testing.T) {
		r := watched(t)
		attacker, victim := r.browser(), r.browser()
		attacker.navigate("/")
		cb := victim.toOP(victim.navigate("/page"))
		var mine *http.Cookie
		for _, c := range victim.cookies {
			mine = c
		}
		for _, c := range attacker.cookies {
			victim.cookies["tossed"] = &http.Cookie{Name: mine.Name, Value: c.Value}
		}
		wantStatus(t, victim.deliver(cb), http.StatusBadRequest)
		r.wantError(rp.WrongBrowser)
		r.noTokenCall()
	})
	t.Run("119_form_post_cookie", func(t *testing.T) {
		r := watched(t, formPost)
		b := r.browser()
		res := b.navigate("/page")
		if c := res.Cookies()[0]; c.SameSite != http.SameSiteNoneMode || !c.Secure {
			t.Errorf("cookie %v", c)
		}
		cb := b.toOP(res)
		// Without the cookie the check is not skipped.
		wantStatus(t, r.browser().deliver(cb), http.StatusBadRequest)
		r.wantError(rp.WrongBrowser)
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
		if c := b.cookies["__Host-rely"]; c == nil || c.SameSite != http.SameSiteLaxMode {
			t.Errorf("session cookie %v", c)
		}
	})
	t.Run("120_what_never_consumes", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		for _, method := range []string{"HEAD", "OPTIONS", "PUT", "DELETE"} {
			q := cb.Request()
			q.Method = method
			if res := b.send(q, false); res.StatusCode < 400 {
				t.Errorf("%s: status %d", method, res.StatusCode)
			}
		}
		for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz"} {
			q := cb.Request()
			q.Header.Set(name, "prefetch")
			if res := b.send(q, false); res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s: status %d", name, res.StatusCode)
			}
		}
		r.noTokenCall()
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
	})
	t.Run("121_another_path", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		cb.URL.Path = "/auth/callback/elsewhere"
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		r.wantError(rp.WrongRedirectURI)
		r.noTokenCall()
		cb.URL.Path = "/auth/callback"
		wantStatus(t, b.deliver(cb), http.StatusSeeOther)
	})
	t.Run("122_jarm_not_asked_for", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		q := cb.URL.Query()
		cb.URL.RawQuery = url.Values{"state": q["state"], "response": {"eyJhbGciOiJub25lIn0.e30."}}.Encode()
		if res := b.deliver(cb); res.StatusCode < 400 {
			t.Errorf("status %d", res.StatusCode)
		}
		r.noTokenCall()
	})
	t.Run("123_login_required_keeps_the_session", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		before := b.sessionCookie()
		b.at = r.op.Browser() // logged out at the OP
		quiet := r.mux(r.manager(func(c *login.Config) {
			c.Params = func(*http.Request, string) (oidc.AuthParams, error) {
				return oidc.AuthParams{Prompt: []string{"none"}}, nil
			}
		}))
		b.app = quiet
		res := b.login("/auth/login?return_to=/page")
		wantStatus(t, res, http.StatusForbidden)
		if b.sessionCookie() != before || !b.loggedIn() {
			t.Error("the session is gone")
		}
	})
	t.Run("124_crash_after_the_exchange", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		cb := b.toOP(b.navigate("/page"))
		crash := errors.New("killed")
		r.store.set(func(op, key string) error {
			if op == "create" && strings.HasPrefix(key, "session:") {
				return crash
			}
			return nil
		})
		wantStatus(t, b.deliver(cb), http.StatusServiceUnavailable)
		r.store.up()
		if b.sessionCookie() != "" || b.loggedIn() {
			t.Error("half a session")
		}
		wantStatus(t, b.deliver(cb), http.StatusBadRequest)
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("the code was sent %d times", n)
		}
		b.mustLogin("/page") // begins anew
	})
	t.Run("125_bob_comes_back_as_alice", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.at.User = "bob"
		b.mustLogin("/")
		bob := r.browser()
		bob.cookies["x"] = b.cookies["__Host-rely"]
		grant := b.session()
		b.at.User = "alice"
		b.mustLoginBy("/auth/login?return_to=/page&max_age=0", "/page")
		if got := text(b.navigate("/")); !strings.HasPrefix(got, "hello alice") {
			t.Errorf("the page says %q", got)
		}
		if bob.loggedIn() {
			t.Error("the session of bob lives")
		}
		if _, err := grant.Tokens(t.Context()); !errors.Is(err, rp.GrantEnded) {
			t.Errorf("the grant of bob: %v", err)
		}
	})
	t.Run("148_clean_url_after_the_callback", func(t *testing.T) {
		r := setup(t)
		res := r.browser().login("/page?x=1")
		if res.Header.Get("Location") != origin+"/page?x=1" || res.Header.Get("Referrer-Policy") != "no-referrer" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", res.Header)
		}
		bad := r.browser().navigate("/auth/callback?code=secret&state=x")
		if bad.Header.Get("Referrer-Policy") != "no-referrer" || bad.Header.Get("Cache-Control") != "no-store" || strings.Contains(text(bad), "secret") {
			t.Errorf("headers of an error %v", bad.Header)
		}
	})
}

// counting is an endless body that counts what is read of it.
type counting struct{ n int }

func (c *counting) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'a'
	}
	c.n += len(p)
	return len(p), nil
}

// TestPagesAreGuarded asks every page of ours for its headers.
func TestPagesAreGuarded(t *testing.T) {
	r := setup(t, func(c *login.Config) {
		c.Params = func(q *http.Request, _ string) (oidc.AuthParams, error) {
			return oidc.AuthParams{Post: q.URL.Query().Get("return_to") == "/post"}, nil
		}
	})
	b := r.browser()
	for name, res := range map[string]*http.Response{
		"logout":    b.navigate("/auth/logout"),
		"fragment":  b.navigate("/auth/callback"),
		"error":     b.navigate("/auth/callback?state=x&code=y"),
		"not_found": b.navigate("/auth/nothing"),
		"frame":     b.navigate("/auth/session"),
		"post":      b.navigate("/auth/login?return_to=/post"),
	} {
		h := res.Header
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'; base-uri 'none'; frame-ancestors ") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: policy %q", name, csp)
		}
		if h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Vary") != "Cookie" || h.Get("Referrer-Policy") == "" {
			t.Errorf("%s: headers %v", name, h)
		}
		if name != "frame" && (!strings.Contains(csp, "frame-ancestors 'none'") || h.Get("X-Frame-Options") != "DENY") {
			t.Errorf("%s can be framed: %q", name, csp)
		}
		page := text(res)
		if strings.Contains(page, " style=") || strings.Contains(page, " onclick=") || !bytes.Contains([]byte(page), []byte("color-scheme:light dark")) {
			t.Errorf("%s: page %s", name, page)
		}
		if i := strings.Index(page, "<script>"); i >= 0 && !strings.Contains(csp, "'sha256-") {
			t.Errorf("%s: a script that its policy does not name", name)
		}
	}
}

// TestCallbackWhileTheOPIsDown: a process that has just been started must find the
// OP before it can read an answer. Until then the login waits, and so does the
// browser's cookie.
func TestCallbackWhileTheOPIsDown(t *testing.T) {
	for name, edit := range map[string]func(*login.Config){"stored": func(*login.Config) {}, "sealed": storeless} {
		t.Run(name, func(t *testing.T) {
			r := setup(t, edit)
			b := r.browser()
			cb := b.toOP(b.navigate("/page"))
			w := &cut{next: r.op.HTTPClient().Transport}
			w.down.Store(true)
			o := &oidc.Options{HTTPClient: &http.Client{Transport: w}, AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: r.op.Now}
			b.app = r.mux(r.manager(func(c *login.Config) {
				c.Directory = rp.Configured(r.op.Issuer, o, oidc.ClientConfig{ID: r.client.ID(), Secret: r.op.Clients()[0].Secret, Metadata: r.client.Metadata()})
			}))
			wantStatus(t, b.deliver(cb), http.StatusServiceUnavailable)
			w.down.Store(false)
			r.op.Advance(2 * time.Second)
			wantStatus(t, b.deliver(cb), http.StatusSeeOther)
			if !b.loggedIn() {
				t.Error("no session")
			}
		})
	}
}

// cut is the way to an OP, which can be cut.
type cut struct {
	next http.RoundTripper
	down atomic.Bool
}

func (c *cut) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.down.Load() {
		return nil, errDown
	}
	return c.next.RoundTrip(r)
}
