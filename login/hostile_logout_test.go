package login_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io"
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

// backChannel posts a logout token as an OP does.
func (r *rig) backChannel(token string) *http.Response {
	r.t.Helper()
	q := httptest.NewRequest("POST", origin+"/auth/backchannel", strings.NewReader(url.Values{"logout_token": {token}, "unknown": {"parameter"}}.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	r.app.ServeHTTP(w, q)
	res := w.Result()
	if cc := res.Header.Get("Cache-Control"); cc != "no-store" {
		r.t.Errorf("Cache-Control %q (Back-Channel Logout 2.8)", cc)
	}
	return res
}

func (r *rig) logoutToken(l oidctest.Logout, faults ...oidctest.LogoutFault) string {
	r.t.Helper()
	token, err := r.op.LogoutToken(r.client.ID(), l, faults...)
	if err != nil {
		r.t.Fatal(err)
	}
	return token
}

// session is that of a tab.
func (b *tab) session() *login.Session {
	b.r.t.Helper()
	q := request("GET", "/")
	q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: b.sessionCookie()})
	s, err := b.r.m.Session(q)
	if err != nil {
		b.r.t.Fatalf("Session: %v", err)
	}
	return s
}

func TestBackChannelLogout(t *testing.T) {
	for _, both := range []bool{false, true} {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		l := oidctest.Logout{SessionID: b.session().SessionID}
		if both {
			l.Subject = b.session().Subject
		}
		res := r.backChannel(r.logoutToken(l))
		if res.StatusCode != http.StatusOK {
			t.Fatalf("status %d, want exactly 200 (Back-Channel Logout 2.8)", res.StatusCode)
		}
		if b.loggedIn() {
			t.Error("the next request still has a session")
		}
		if len(r.op.Requests(oidctest.EndpointRevocation)) != 0 {
			t.Error("the OP was asked to revoke tokens")
		}
	}
}

// endsBeforeTheSession ends what the first user has, once, when a session is about to
// be written.
func endsBeforeTheSession(t *testing.T, r *rig) {
	t.Helper()
	done := false
	r.store.set(func(op, key string) error {
		if op == "create" && store.Class(key) == "session" && !done {
			done = true
			if _, err := r.m.End(t.Context(), r.op.Issuer, r.op.Users()[0].Sub, ""); err != nil {
				t.Error(err)
			}
		}
		return nil
	})
}

func TestHostileLogout(t *testing.T) {
	for _, f := range oidctest.LogoutFaults() {
		name := map[oidctest.LogoutFault]string{
			oidctest.LogoutEventMissing: "255_no_events", oidctest.LogoutEventOther: "255_another_event", oidctest.LogoutEventText: "256_event_no_object",
			oidctest.LogoutNonce: "257_nonce", oidctest.LogoutIatMissing: "258_no_iat", oidctest.LogoutIatFuture: "259_iat_future",
			oidctest.LogoutTypOther: "260_typ", oidctest.LogoutIssOther: "262_iss", oidctest.LogoutIatOld: "263_iat_old",
			oidctest.LogoutAlgNone: "264_alg_none", oidctest.LogoutAlgOther: "264_alg_other", oidctest.LogoutKeyOther: "264_key",
			oidctest.LogoutAudOther: "264_aud", oidctest.LogoutNobody: "264_no_sub_no_sid",
			oidctest.LogoutJTIMissing: "261_no_jti", oidctest.LogoutExpired: "263_expired",
		}[f.Fault]
		t.Run(name, func(t *testing.T) {
			if name == "" {
				t.Fatalf("no case for %s", f.Fault)
			}
			r := setup(t)
			b := r.browser()
			b.mustLogin("/")
			s := b.session()
			res := r.backChannel(r.logoutToken(oidctest.Logout{Subject: s.Subject, SessionID: s.SessionID}, f.Fault))
			if res.StatusCode != http.StatusBadRequest {
				t.Errorf("status %d, want exactly 400", res.StatusCode)
			}
			if !b.loggedIn() {
				t.Error("the user was logged out")
			}
		})
	}
	t.Run("261_replayed", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		token := r.logoutToken(oidctest.Logout{Subject: b.session().Subject})
		wantStatus(t, r.backChannel(token), http.StatusOK)
		r.op.Advance(time.Second)
		b.mustLogin("/")
		// Another process with the same store knows it too.
		r.app = r.mux(r.manager(nil))
		wantStatus(t, r.backChannel(token), http.StatusBadRequest)
		if !b.loggedIn() {
			t.Error("the replay logged the user out")
		}
	})
	t.Run("265_whom_it_concerns", func(t *testing.T) {
		for _, c := range []struct {
			name     string
			sub, sid bool
			ended    []bool // alice at one browser, alice at another, bob
		}{{"sub", true, false, []bool{true, true, false}}, {"sid", false, true, []bool{true, false, false}}, {"both", true, true, []bool{true, false, false}}} {
			t.Run(c.name, func(t *testing.T) {
				r := setup(t)
				tabs := []*tab{r.browser(), r.browser(), r.browser()}
				tabs[2].at.User = "bob"
				for _, b := range tabs {
					b.mustLogin("/")
				}
				var l oidctest.Logout
				if c.sub {
					l.Subject = tabs[0].session().Subject
				}
				if c.sid {
					l.SessionID = tabs[0].session().SessionID
				}
				wantStatus(t, r.backChannel(r.logoutToken(l)), http.StatusOK)
				for i, b := range tabs {
					if b.loggedIn() == c.ended[i] {
						t.Errorf("browser %d: logged in %v", i, !c.ended[i])
					}
				}
			})
		}
		t.Run("another_issuer", func(t *testing.T) {
			one, two := newOP(t), newOP(t)
			a, z := newClient(t, one, origin+"/auth/callback/one"), newClient(t, two, origin+"/auth/callback/two")
			r := setupAt(t, one, func(c *login.Config) { c.Directory = rp.Only(a, z) })
			b := r.browser()
			b.mustLoginBy("/auth/login?issuer="+url.QueryEscape(one.Issuer), "/")
			token, err := two.LogoutToken(z.ID(), oidctest.Logout{Subject: b.session().Subject, SessionID: b.session().SessionID})
			if err != nil {
				t.Fatal(err)
			}
			wantStatus(t, r.backChannel(token), http.StatusOK)
			if !b.loggedIn() {
				t.Error("one OP logged out the user of another")
			}
			if n, err := r.m.End(t.Context(), one.Issuer, b.session().Subject, ""); n != 1 || err != nil || b.loggedIn() {
				t.Errorf("End: %d, %v", n, err)
			}
		})
	})
	t.Run("266_before_the_session_is_written", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		endsBeforeTheSession(t, r)
		res := b.login("/")
		wantStatus(t, res, http.StatusForbidden)
		r.wantError(rp.LoggedOut)
		if b.loggedIn() {
			t.Error("a session that was ended lives")
		}
	})
	t.Run("266_by_a_process_whose_writes_are_seen_late", func(t *testing.T) {
		r := watched(t)
		here := r.manager(func(c *login.Config) { c.Store = &lagging{Store: r.store} })
		b := r.browser()
		b.app = r.mux(here)
		endsBeforeTheSession(t, r)
		wantStatus(t, b.login("/"), http.StatusForbidden)
		r.wantError(rp.LoggedOut)
		if b.loggedIn() {
			t.Error("a session that was ended lives")
		}
	})
	t.Run("267_store_down", func(t *testing.T) {
		for _, failing := range []string{"load", "create", "tagged", "take"} {
			r := setup(t)
			b := r.browser()
			b.mustLogin("/")
			token := r.logoutToken(oidctest.Logout{SessionID: b.session().SessionID})
			r.store.set(func(op, _ string) error {
				if op == failing {
					return errDown
				}
				return nil
			})
			if res := r.backChannel(token); res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s fails: status %d, want 503", failing, res.StatusCode)
			}
			r.store.up()
			// The OP tries again, with the same token.
			wantStatus(t, r.backChannel(token), http.StatusOK)
			if b.loggedIn() {
				t.Errorf("%s failed: the session outlives the second try", failing)
			}
		}
	})
	t.Run("267_part_of_the_store_down", func(t *testing.T) {
		for _, failing := range []string{"create tombstone", "tagged sub", "tagged sid", "take grant"} {
			r := setup(t)
			b := r.browser()
			b.mustLogin("/")
			s := b.session()
			token := r.logoutToken(oidctest.Logout{Subject: s.Subject, SessionID: s.SessionID})
			r.store.set(func(op, key string) error {
				if op+" "+store.Class(key) == failing {
					return errDown
				}
				return nil
			})
			if res := r.backChannel(token); res.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("%s fails: status %d, want 503", failing, res.StatusCode)
			}
			if b.loggedIn() {
				t.Errorf("%s failed: the session lives until the OP tries again", failing)
			}
		}
	})
	t.Run("268_malformed_request", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		token := r.logoutToken(oidctest.Logout{SessionID: b.session().SessionID})
		form := func(body string) *http.Request {
			q := httptest.NewRequest("POST", origin+"/auth/backchannel", strings.NewReader(body))
			q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			return q
		}
		endless := &counting{}
		huge := httptest.NewRequest("POST", origin+"/auth/backchannel", io.LimitReader(endless, 10<<20))
		huge.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		typed := form("logout_token=" + token)
		typed.Header.Set("Content-Type", "application/json")
		for name, q := range map[string]*http.Request{
			"get": httptest.NewRequest("GET", origin+"/auth/backchannel?logout_token="+token, nil), "huge": huge, "content_type": typed,
			"twice": form("logout_token=" + token + "&logout_token=" + token), "none": form(""), "empty": form("logout_token="),
			"garbage": form("logout_token=a.b.c"), "undecodable": form("logout_token=%zz"),
		} {
			w := httptest.NewRecorder()
			r.app.ServeHTTP(w, q)
			if w.Code != http.StatusBadRequest {
				t.Errorf("%s: status %d, want 400", name, w.Code)
			}
		}
		if endless.n > 1<<20 {
			t.Errorf("%d bytes were read", endless.n)
		}
		if !b.loggedIn() {
			t.Error("the user was logged out")
		}
	})
	t.Run("269_front_channel", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		s := b.session()
		frame := func(q url.Values) *http.Response {
			// An iframe of another site: no SameSite cookie comes along.
			return r.browser().send(request("GET", "/auth/frontchannel?"+q.Encode(), "Sec-Fetch-Dest", "iframe", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Site", "cross-site"), true)
		}
		created := len(r.store.made)
		wantStatus(t, frame(url.Values{"iss": {"https://attacker.example"}, "sid": {s.SessionID}}), http.StatusBadRequest)
		wantStatus(t, frame(url.Values{"iss": {r.op.Issuer}}), http.StatusBadRequest)
		wantStatus(t, frame(url.Values{"iss": {r.op.Issuer}, "sid": {"guess"}}), http.StatusOK)
		wantStatus(t, frame(url.Values{"iss": {r.op.Issuer}, "sid": {strings.Repeat("s", 4000)}}), http.StatusBadRequest)
		wantStatus(t, frame(nil), http.StatusOK)
		if !b.loggedIn() || len(r.store.made) != created {
			t.Fatalf("something happened: %d records more", len(r.store.made)-created)
		}
		res := frame(url.Values{"iss": {r.op.Issuer}, "sid": {s.SessionID}})
		wantStatus(t, res, http.StatusOK)
		csp := res.Header.Get("Content-Security-Policy")
		if !strings.Contains(csp, "frame-ancestors "+r.op.Issuer+";") || res.Header.Get("X-Frame-Options") != "" || res.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("headers %v", res.Header)
		}
		if b.loggedIn() {
			t.Error("the session is still there")
		}
		if len(r.op.Requests(oidctest.EndpointRevocation)) != 0 {
			t.Error("tokens were revoked at the OP")
		}
	})
	t.Run("270_logout_by_another_site", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		wantStatus(t, b.navigate("/auth/logout"), http.StatusOK) // asks
		for name, header := range map[string][]string{
			"cross_site":      {"Sec-Fetch-Site", "cross-site", "Origin", origin},
			"same_site":       {"Sec-Fetch-Site", "same-site"},
			"origin":          {"Origin", "https://evil.example"},
			"origin_null":     {"Origin", "null"},
			"origin_prefix":   {"Origin", origin + ".evil.example"},
			"nothing_is_said": {},
		} {
			if res := b.send(request("POST", "/auth/logout", header...), false); res.StatusCode != http.StatusForbidden || !b.loggedIn() {
				t.Errorf("%s: status %d", name, res.StatusCode)
			}
			r.wantError(login.CrossSite)
		}
		// A check of the session that another site begins ends nothing.
		b.at = r.op.Browser()
		res := b.deliver(b.toOP(b.send(request("GET", "/auth/login?check=1", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false)))
		if !b.loggedIn() {
			t.Errorf("logged out: status %d", res.StatusCode)
		}
	})
	t.Run("270_front_channel_by_a_link", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		for _, dest := range []string{"document", "image", "script", "empty"} {
			res := b.send(request("GET", "/auth/frontchannel", "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", dest), false)
			if res.StatusCode != http.StatusForbidden || !b.loggedIn() {
				t.Fatalf("%s: status %d", dest, res.StatusCode)
			}
			r.wantError(login.CrossSite)
		}
		// An OP at the same site, whose iframe brings the cookie along.
		wantStatus(t, b.send(request("GET", "/auth/frontchannel", "Sec-Fetch-Site", "same-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"), false), http.StatusOK)
		if b.sessionCookie() != "" || b.loggedIn() {
			t.Error("the session is still there")
		}
	})
	t.Run("274_cookie_of_a_front_channel_logout", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		q := url.Values{"iss": {r.op.Issuer}, "sid": {b.session().SessionID}}
		wantStatus(t, b.send(request("GET", "/auth/frontchannel?"+q.Encode(), "Sec-Fetch-Dest", "iframe"), false), http.StatusOK)
		if b.sessionCookie() != "" {
			t.Error("the browser keeps the cookie of a session that is over")
		}
	})
	t.Run("271_return_of_a_logout", func(t *testing.T) {
		r := watched(t)
		b := r.browser()
		b.mustLogin("/")
		res := b.post("/auth/logout", nil)
		wantStatus(t, res, http.StatusSeeOther)
		u, err := url.Parse(res.Header.Get("Location"))
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		if q.Get("post_logout_redirect_uri") != origin+"/auth/logout/return" || len(q.Get("state")) < 22 || q.Get("id_token_hint") == "" {
			t.Fatalf("logout request %v", q)
		}
		if b.loggedIn() {
			t.Error("the session outlives the logout")
		}
		for _, back := range []string{"", "?state=", "?state=other", "?state=" + q.Get("state") + "&state=x"} {
			wantStatus(t, b.navigate("/auth/logout/return"+back), http.StatusBadRequest)
			r.wantError(oidc.BadState)
		}
		wantStatus(t, r.browser().navigate("/auth/logout/return?state="+q.Get("state")), http.StatusBadRequest)
		to, err := b.at.Logout(t.Context(), u.String())
		if err != nil || to == nil {
			t.Fatalf("at the OP: %v, %v", to, err)
		}
		if res := b.navigate(to.RequestURI()); res.StatusCode != http.StatusOK || !strings.Contains(text(res), "You are logged out") {
			t.Errorf("status %d", res.StatusCode)
		}
		wantStatus(t, b.navigate(to.RequestURI()), http.StatusBadRequest) // once
	})
	t.Run("272_hint_too_long_for_a_url", func(t *testing.T) {
		r := setup(t)
		r.op.TamperIDToken(func(_, claims map[string]any) { claims["padding"] = strings.Repeat("p", 9000) })
		b := r.browser()
		b.mustLogin("/")
		res := b.post("/auth/logout", nil)
		wantStatus(t, res, http.StatusOK)
		page := text(res)
		if !strings.Contains(page, `action="`+r.op.URL(oidctest.EndpointEndSession)+`"`) || !strings.Contains(page, `name="id_token_hint"`) {
			t.Errorf("the page does not post: %.300s", page)
		}
		if b.loggedIn() {
			t.Error("the session outlives the logout")
		}
	})
	t.Run("273_op_down", func(t *testing.T) {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		if err := r.op.Close(); err != nil {
			t.Fatal(err)
		}
		wantStatus(t, b.post("/auth/logout", nil), http.StatusSeeOther)
		if b.sessionCookie() != "" || b.loggedIn() {
			t.Error("the session outlives the logout")
		}
	})
	t.Run("274_cookie_attributes", func(t *testing.T) {
		for _, storeless := range []bool{false, true} {
			r := setup(t, func(c *login.Config) {
				if storeless {
					c.Storeless, c.Store = true, nil
				}
			})
			b := r.browser()
			b.mustLogin("/")
			set := b.cookies["__Host-rely"]
			i := slices.IndexFunc(b.post("/auth/logout", nil).Cookies(), func(c *http.Cookie) bool { return c.Name == set.Name && c.MaxAge < 0 })
			if i < 0 {
				t.Fatal("the cookie was not removed")
			}
			if b.loggedIn() {
				t.Error("logged in")
			}
		}
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		set := b.cookies["__Host-rely"]
		for _, c := range b.post("/auth/logout", nil).Cookies() {
			if c.Name == set.Name && (c.Path != set.Path || c.Domain != set.Domain || c.Secure != set.Secure || c.SameSite != set.SameSite || c.HttpOnly != set.HttpOnly) {
				t.Errorf("removed as %v, set as %v", c, set)
			}
		}
	})
	t.Run("275_session_frame", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.SessionManagement = true })
		op.TamperAuthResponse(func(v url.Values) { v.Set("session_state", `</script><b>"'.x`) })
		r := setupAt(t, op)
		b := r.browser()
		b.mustLogin("/")
		res := b.navigate("/auth/session")
		wantStatus(t, res, http.StatusOK)
		page, csp := text(res), res.Header.Get("Content-Security-Policy")
		if strings.Contains(page, "</script><b>") || !strings.Contains(page, "&lt;/script&gt;") {
			t.Errorf("session_state is not escaped: %s", page)
		}
		if !strings.Contains(csp, "script-src "+origin+"/auth/session.js") || !strings.Contains(csp, "frame-src "+op.Issuer) || !strings.Contains(csp, "frame-ancestors "+origin) {
			t.Errorf("policy %q", csp)
		}
		if !strings.Contains(page, `data-origin="`+op.Issuer+`"`) {
			t.Errorf("the frame does not say whom to listen to: %s", page)
		}
		wantStatus(t, r.browser().navigate("/auth/session"), http.StatusUnauthorized)
	})
}

// lagging is a store that caches: what it loaded of a grant it still loads after
// another process has removed it (see store.Store).
type lagging struct {
	store.Store
	mu     sync.Mutex
	loaded map[string]store.Record
}

func (l *lagging) Load(ctx context.Context, key string) (store.Record, error) {
	r, err := l.Store.Load(ctx, key)
	l.mu.Lock()
	defer l.mu.Unlock()
	if store.Class(key) != "grant" {
		return r, err
	}
	if old, ok := l.loaded[key]; ok && errors.Is(err, store.ErrNotFound) {
		return old, nil
	}
	if l.loaded == nil {
		l.loaded = make(map[string]store.Record)
	}
	l.loaded[key] = r
	return r, err
}

func TestLogoutStoreDown(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	r.store.down()
	res := b.post("/auth/logout", nil)
	wantStatus(t, res, http.StatusServiceUnavailable)
	if b.sessionCookie() != "" {
		t.Error("the browser keeps the cookie")
	}
}

func TestSessionCheckEndsTheSession(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	check := func() *http.Response {
		return b.deliver(b.toOP(b.send(request("GET", "/auth/login?check=1&return_to=/page", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false)))
	}
	// The OP still has the session: back to the page, logged in.
	if res := check(); res.Header.Get("Location") != origin+"/page" || !b.loggedIn() {
		t.Fatalf("status %d to %q", res.StatusCode, res.Header.Get("Location"))
	}
	asked := r.op.Requests(oidctest.EndpointAuthorization)
	if q := asked[len(asked)-1].Query; q.Get("prompt") != "none" || !strings.HasPrefix(q.Get("id_token_hint"), "ey") {
		t.Errorf("the OP is asked with prompt %q and a hint of %d bytes", q.Get("prompt"), len(q.Get("id_token_hint")))
	}
	b.at = r.op.Browser() // logged out at the OP
	res := check()
	if res.StatusCode != http.StatusOK || !strings.Contains(text(res), "You are logged out") || b.loggedIn() {
		t.Errorf("status %d: %s", res.StatusCode, text(res))
	}
}

// TestSessionCheckOfEncryptedTokens: what is encrypted for the client is no hint that
// the OP could read, be the session in a store or in the cookie.
func TestSessionCheckOfEncryptedTokens(t *testing.T) {
	for name, storeless := range map[string]bool{"store": false, "cookie": true} {
		t.Run(name, func(t *testing.T) {
			op := newOP(t)
			r := setupAt(t, op, func(c *login.Config) {
				client, err := c.Directory.Client(t.Context(), op.Issuer)
				if err != nil {
					t.Fatal(err)
				}
				m := client.Metadata()
				m.IDTokenEncryptedResponseAlg = "dir"
				reg, err := client.Provider().Register(t.Context(), m, "")
				if err != nil {
					t.Fatal(err)
				}
				config := reg.ClientConfig()
				config.Encryption = oidc.JWE()
				if client, err = oidc.NewClient(client.Provider(), config); err != nil {
					t.Fatal(err)
				}
				c.Directory = rp.Only(client)
				if c.Storeless = storeless; storeless {
					c.Store = nil
				}
			})
			b := r.browser()
			b.mustLogin("/")
			res := b.deliver(b.toOP(b.send(request("GET", "/auth/login?check=1&return_to=/page", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false)))
			if res.Header.Get("Location") != origin+"/page" || !b.loggedIn() {
				t.Errorf("status %d to %q", res.StatusCode, res.Header.Get("Location"))
			}
			asked := r.op.Requests(oidctest.EndpointAuthorization)
			if hint := asked[len(asked)-1].Query.Get("id_token_hint"); strings.Count(hint, ".") != 2 {
				t.Errorf("the hint has %d dots, want the 2 of a signed token", strings.Count(hint, "."))
			}
		})
	}
}

// encrypting is a client at an OP that encrypts for it.
func encrypting(t *testing.T, op *oidctest.OP, redirectURI string) *oidc.Client {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := oidc.Key{Use: "enc", Private: private}
	set, err := oidc.PublicJWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: op.Now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	reg, err := p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, JWKS: set, IDTokenEncryptedResponseAlg: "ECDH-ES+A256KW"}, "")
	if err != nil {
		t.Fatal(err)
	}
	config := reg.ClientConfig(key)
	config.Encryption = oidc.JWE()
	c, err := oidc.NewClient(p, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestEncryptedLogoutTokenOfSeveralOPs: whose it is cannot be read before it is opened.
func TestEncryptedLogoutTokenOfSeveralOPs(t *testing.T) {
	one, two, plain := newOP(t), newOP(t), newOP(t)
	a, z := encrypting(t, one, origin+"/auth/callback/one"), encrypting(t, two, origin+"/auth/callback/two")
	d := rp.Only(newClient(t, plain, origin+"/auth/callback"), a, z)
	r := setupAt(t, one, func(c *login.Config) { c.Directory = d })
	b := r.browser()
	b.at = two.Browser()
	b.mustLoginBy("/auth/login?"+url.Values{"issuer": {two.Issuer}, "return_to": {"/page"}}.Encode(), "/page")
	r.op, r.client = two, z
	token := r.logoutToken(oidctest.Logout{Subject: b.session().Subject})
	wantStatus(t, r.backChannel(token[:len(token)-4]+"AAAA"), http.StatusBadRequest)
	if !b.loggedIn() {
		t.Fatal("a token that was tampered with logged the user out")
	}
	wantStatus(t, r.backChannel(token), http.StatusOK)
	if b.loggedIn() {
		t.Error("the next request still has a session")
	}
	wantStatus(t, r.backChannel(token), http.StatusBadRequest)
}

// TestEncryptedLogoutTokenForNobody: no client that registered nothing tries.
func TestEncryptedLogoutTokenForNobody(t *testing.T) {
	one, two := newOP(t), newOP(t)
	d := rp.Only(newClient(t, one, origin+"/auth/callback/one"), newClient(t, two, origin+"/auth/callback/two"))
	r := setupAt(t, one, func(c *login.Config) { c.Directory = d })
	wantStatus(t, r.backChannel("e30.AA.AA.AA.AA"), http.StatusBadRequest)
}

// TestSessionCheckByFormPost: the session cookie does not come along with the answer,
// and yet the session ends, wherever its cookie is.
func TestSessionCheckByFormPost(t *testing.T) {
	r := setup(t, formPost)
	b := r.browser()
	b.mustLogin("/")
	value := b.cookies["__Host-rely"]
	b.at = r.op.Browser() // logged out at the OP
	res := b.deliver(b.toOP(b.send(request("GET", "/auth/login?check=1&return_to=/page", "Sec-Fetch-Site", "same-origin", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"), false)))
	if res.StatusCode != http.StatusOK || !strings.Contains(text(res), "You are logged out") {
		t.Errorf("status %d: %s", res.StatusCode, text(res))
	}
	b.cookies["__Host-rely"] = value
	if b.loggedIn() {
		t.Error("the session goes on")
	}
	for _, rec := range r.store.made {
		if _, err := r.store.Load(t.Context(), rec.Key); store.Class(rec.Key) == "grant" && !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the grant is still there: %v", err)
		}
	}
}

func TestStorelessRefusesWhatNeedsAMemory(t *testing.T) {
	r := setup(t, func(c *login.Config) { c.Storeless, c.Store = true, nil })
	if _, err := r.m.End(t.Context(), r.op.Issuer, "alice", ""); !errors.Is(err, login.Unsupported) {
		t.Errorf("End: %v", err)
	}
	if res := r.backChannel(r.logoutToken(oidctest.Logout{Subject: "alice"})); res.StatusCode != http.StatusNotImplemented {
		t.Errorf("back channel: status %d", res.StatusCode)
	}
	b := r.browser()
	b.mustLogin("/")
	s := b.session()
	if tokens, err := s.Tokens(t.Context()); err != nil || tokens.RefreshToken != "" {
		t.Errorf("tokens %v, %v: a refresh token in a cookie is used twice", tokens, err)
	}
	if _, err := s.UserInfo(t.Context()); err != nil {
		t.Error(err)
	}
	r.op.Advance(11 * time.Minute)
	if _, err := s.Tokens(t.Context()); !errors.Is(err, rp.LoginNeeded) {
		t.Errorf("a dead token: %v", err)
	}
}
