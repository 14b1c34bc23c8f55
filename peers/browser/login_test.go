package browser

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestLogin is what a person does with one application.
func TestLogin(t *testing.T) {
	w := newWorld(t)
	p := sit(t)
	a := w.app("app.test", choice{})

	p.part("deep_link", func(p *person) {
		page := a.origin + "/deep/link?x=1&y=%2F"
		p.logIn(page)
		p.wantAt(page)
		// A second visit needs nobody.
		p.open(a.origin + "/other")
		p.see("hello")
		p.wantAt(a.origin + "/other")
		if js := ask[string](p, "document.cookie"); js != "" {
			p.t.Errorf("a script reads the cookies %q", js)
		}
	})
	p.part("two_tabs_at_once", func(p *person) {
		other := p.tab()
		p.open(a.origin + "/one")
		other.open(a.origin + "/two")
		p.see("Log in to")
		other.see("Log in to")
		p.allow()
		p.see("hello")
		p.wantAt(a.origin + "/one")
		other.allow()
		other.see("hello")
		other.wantAt(a.origin + "/two")
		p.open(a.origin + "/one")
		p.see("hello")
	})
	p.part("back_button", func(p *person) {
		p.logIn(a.origin + "/page")
		ask[bool](p, "setTimeout(() => history.back(), 0) > 0")
		// The OP's page leads to an answer that was used already, and that home: no
		// error is shown to who is logged in.
		p.until("location.href === " + strconv.Quote(a.origin+"/"))
		p.see("hello")
	})
	p.part("replayed_callback", func(p *person) {
		p.logIn(a.origin + "/page")
		before := len(w.op.Requests(oidctest.EndpointToken))
		p.open(a.arrived())
		p.see("hello")
		p.wantAt(a.origin + "/")
		p.forget()
		p.open(a.arrived())
		p.see("This login is not one of this browser's")
		if n := len(w.op.Requests(oidctest.EndpointToken)); n != before {
			p.t.Errorf("%d exchanges more", n-before)
		}
	})
	p.part("fetch_401", func(p *person) {
		p.open(a.origin + "/public")
		if js := `fetch("/api").then(r => r.json().then(j => r.status + " " + j.error + " " + new URL(j.login_url).pathname))`; ask[string](p, js) != "401 login_required /auth/login" {
			p.t.Errorf("got %s", ask[string](p, js))
		}
	})
	p.part("step_up", func(p *person) {
		p.logIn(a.origin + "/page")
		if s := p.status(a, "/silver/x"); s != http.StatusUnauthorized {
			p.t.Errorf("status %d before the step-up", s)
		}
		p.open(a.origin + "/silver/x")
		p.see("hello") // the OP needs not ask again
		p.wantAt(a.origin + "/silver/x")
		if s := p.status(a, "/silver/x"); s != http.StatusOK {
			p.t.Errorf("status %d after the step-up", s)
		}
	})
	p.part("refused", func(p *person) {
		p.open(a.origin + "/page")
		p.see("Log in to")
		p.click("button[value=deny]")
		p.see("You were not logged in")
	})
	for _, c := range []struct {
		name   string
		params oidc.AuthParams
	}{
		{"form_post", oidc.AuthParams{ResponseMode: oidc.ModeFormPost}},
		{"implicit_fragment", oidc.AuthParams{ResponseType: "id_token"}},
		{"request_by_post", oidc.AuthParams{Post: true}},
	} {
		p.part(c.name, func(p *person) {
			a := w.app(strings.ReplaceAll(c.name, "_", "-")+".test", choice{params: c.params})
			p.logIn(a.origin + "/page?q=1")
			p.wantAt(a.origin + "/page?q=1")
			p.wantNoSecret()
		})
	}
}

// TestLogout is every logout, with two applications at one OP.
func TestLogout(t *testing.T) {
	w := newWorld(t)
	p := sit(t)
	a := w.app("app.test", choice{})
	front := w.app("front.test", choice{front: true})
	back := w.app("back.test", choice{back: true})

	p.part("rp_initiated_and_return", func(p *person) {
		p.logIn(a.origin + "/page")
		p.click("#out")
		p.see("You are logged out")
		if at := p.at(); !strings.HasPrefix(at, a.origin+"/auth/logout/return?state=") {
			t.Errorf("the browser is at %s", at)
		}
		if s := p.status(a, "/page"); s != http.StatusUnauthorized {
			t.Errorf("status %d after the logout", s)
		}
		p.open(a.origin + "/page")
		p.see("Log in to") // the OP asks again
	})
	p.part("asked_first", func(p *person) {
		p.logIn(a.origin + "/page")
		p.open(a.origin + "/auth/logout")
		p.see("Log out?")
		p.click("form button")
		p.see("You are logged out")
	})
	p.part("front_channel_iframe", func(p *person) {
		p.logIn(front.origin + "/page")
		p.open(a.origin + "/page")
		p.see("hello") // by the session at the OP
		p.click("#out")
		p.see("You are logged out")
		p.until("location.host.startsWith('app.test')")
		if s := p.status(front, "/page"); s != http.StatusUnauthorized {
			t.Errorf("status %d: the other application did not hear of the logout", s)
		}
	})
	p.part("back_channel", func(p *person) {
		p.logIn(back.origin + "/page")
		if s := p.status(back, "/page"); s != http.StatusOK {
			t.Fatalf("status %d", s)
		}
		res, err := w.op.SendLogout(t.Context(), back.clientID, oidctest.Logout{Subject: w.op.Users()[0].Sub})
		if err != nil || res.StatusCode != http.StatusOK || res.Header.Get("Cache-Control") != "no-store" {
			t.Fatalf("the answer to the OP: %v, %v", res, err)
		}
		if s := p.status(back, "/page"); s != http.StatusUnauthorized {
			t.Errorf("status %d: the next request still has a session", s)
		}
	})
	// Of the same site as the OP, so that no browser keeps its cookies from the
	// iframe.
	near := w.app("127.0.0.1", choice{watch: true})
	far := w.app("far.test", choice{watch: true})
	p.part("session_iframe", func(p *person) {
		p.logIn(near.origin + "/page")
		other := p.tab()
		other.open(w.op.URL(oidctest.EndpointEndSession) + "?" + url.Values{"client_id": {near.clientID}}.Encode())
		other.see("You are logged out")
		// Within some seconds the page of the first tab sees it.
		p.see("You are logged out")
		if s := p.status(near, "/page"); s != http.StatusUnauthorized {
			t.Errorf("status %d after the session changed", s)
		}
	})
	for name, a := range map[string]*app{"same_site": near, "other_site": far} {
		p.part("session_iframe_unchanged_"+name, func(p *person) {
			p.logIn(a.origin + "/page")
			asked := len(w.op.Requests(oidctest.EndpointAuthorization))
			p.do(chromedp.Sleep(7 * time.Second)) // two questions of the iframe
			p.see("hello")
			p.wantAt(a.origin + "/page")
			// A browser that shows the iframe no cookie is checked once, and then
			// left alone.
			allowed := map[string]int{"same_site": 0, "other_site": 1}[name]
			if n := len(w.op.Requests(oidctest.EndpointAuthorization)) - asked; n > allowed {
				p.t.Errorf("%d logins were begun, at most %d", n, allowed)
			}
		})
	}
}
