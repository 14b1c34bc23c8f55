package demo

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"rely.example/oidctest"
)

func TestLoginWithoutScript(t *testing.T) {
	first := visit(t)
	for _, rt := range ResponseTypes() {
		for _, mode := range append(responseModes(rt), "") {
			t.Run(rt+"/"+mode, func(t *testing.T) {
				v := another(t, first.s)
				page := v.logIn(url.Values{"response_type": {rt}, "response_mode": {mode}})
				wantIn(t, page, "Logged in as Alice Liddell", "Every check passed", "nonce is the one sent", "Core 3.1.3.7 (11)", "alice@example.com")
				l := v.login()
				for _, secret := range []string{l.tokens.AccessToken, l.tokens.RefreshToken, l.tokens.IDToken.Raw(), l.tokens.IDToken.Nonce} {
					if secret != "" && strings.Contains(page, secret) {
						t.Error("the page shows a secret that nobody asked to see")
					}
				}
			})
		}
	}
}

func TestOtherPeople(t *testing.T) {
	v := visit(t)
	v.op.User = "chloé"
	page := v.logIn(url.Values{"pick": {identifierAt(v.s.to.dev, "chloé")}})
	wantIn(t, page, "Logged in as Chloé")
}

func TestAfterLogin(t *testing.T) {
	v := visit(t)
	v.logIn(url.Values{})
	before := v.login().tokens.AccessToken
	for _, path := range []string{"/userinfo", "/refresh"} {
		if res, body := v.post(path, nil); res.StatusCode != http.StatusSeeOther {
			t.Fatalf("%s: status %d: %s", path, res.StatusCode, body)
		}
	}
	_, page := v.get("/")
	wantIn(t, page, "Refreshed: new tokens for Alice Liddell", "The refresh token was rotated")
	if v.login().tokens.AccessToken == before {
		t.Error("the access token was not renewed")
	}
	v.post("/logout", nil)
	_, page = v.get("/")
	wantIn(t, page, "Logged out", "revoked and forgotten")
	if v.login().tokens != nil {
		t.Error("the tokens were kept after the logout")
	}
	v.post("/userinfo", nil)
	_, page = v.get("/")
	wantIn(t, page, "nobody is logged in")
}

func TestSecondLoginUsesTheRegistration(t *testing.T) {
	v := visit(t)
	v.logIn(url.Values{})
	page := v.logIn(url.Values{})
	wantIn(t, page, "The client of an earlier login is still registered.")
	if n := len(v.s.to.dev.Clients()); n != 1 {
		t.Errorf("the OP has %d clients, want 1", n)
	}
	v.post("/forget", nil)
	v.logIn(url.Values{})
	if n := len(v.s.to.dev.Clients()); n != 2 {
		t.Errorf("the OP has %d clients after a fresh start, want 2", n)
	}
}

func TestCaught(t *testing.T) {
	v := visit(t)
	page := v.logIn(url.Values{"fault": {string(oidctest.NonceWrong)}})
	wantIn(t, page, "Caught: nonce mismatch", "Core 3.1.3.7 (11)", "No token was accepted.", "Never sent: UserInfo request.", `data-state="failed"`)
	if broken := v.s.to.dev.Broken(); len(broken) != 0 {
		t.Errorf("the OP still breaks %v", broken)
	}
	if n := len(v.s.to.dev.Requests(oidctest.EndpointUserInfo)); n != 0 {
		t.Errorf("%d UserInfo requests, want none", n)
	}
	v = visit(t)
	if res, _ := v.post("/login", url.Values{"identifier": {identifierAt(v.s.to.dev, "alice")}, "fault": {string(oidctest.IssuerOther)}}); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d", res.StatusCode)
	}
	_, page = v.get("/")
	wantIn(t, page, "Caught: metadata is of another issuer", "Never sent: registration, authentication request, token request, UserInfo request.", "never reached")
	if broken := v.s.to.dev.Broken(); len(broken) != 0 {
		t.Errorf("the OP still breaks %v", broken)
	}
}

func TestStream(t *testing.T) {
	v := visit(t)
	res, body := v.post("/login", url.Values{"identifier": {identifierAt(v.s.to.dev, "alice")}}, func(r *http.Request) { r.Header.Set("Accept", streamType) })
	if ct := res.Header.Get("Content-Type"); ct != streamType {
		t.Fatalf("Content-Type %q", ct)
	}
	var types []string
	var last event
	for l := range strings.Lines(body) {
		last = event{}
		if err := json.Unmarshal([]byte(l), &last); err != nil {
			t.Fatalf("%v in %s", err, l)
		}
		types = append(types, last.Type)
	}
	if types[0] != "reset" || last.Type != "go" || !strings.HasPrefix(last.URL, v.s.to.dev.URL(oidctest.EndpointAuthorization)) {
		t.Errorf("got events %v, the last one for %q", types, last.URL)
	}
	for _, want := range []string{"section", "message", "check", "outcome"} {
		if !strings.Contains(strings.Join(types, " "), want) {
			t.Errorf("no event %q among %v", want, types)
		}
	}
}

func TestReveal(t *testing.T) {
	v := visit(t)
	v.logIn(url.Values{})
	l := v.login()
	seq := 0
	for _, sec := range l.rec.snapshot() {
		for _, m := range sec.Messages {
			if m.Title == "Token request" {
				seq = m.Seq
			}
		}
	}
	reveal := func(v *visitor, form url.Values) (*http.Response, string) {
		return v.post("/reveal", form, func(r *http.Request) { r.Header.Set("Accept", streamType) })
	}
	res, body := reveal(v, url.Values{"message": {strconv.Itoa(seq)}})
	if res.StatusCode != http.StatusOK || !strings.Contains(body, l.tokens.AccessToken) || !strings.Contains(body, "Hide the secrets") {
		t.Errorf("status %d, and the access token is not revealed", res.StatusCode)
	}
	_, body = reveal(v, url.Values{"message": {strconv.Itoa(seq)}, "hide": {"1"}})
	if strings.Contains(body, l.tokens.AccessToken) || !strings.Contains(body, hidden) {
		t.Error("the access token is not hidden again")
	}
	if _, page := v.get("/"); strings.Contains(page, l.tokens.AccessToken) {
		t.Error("what was revealed once stays on the page")
	}
	stranger := another(t, v.s)
	stranger.get("/")
	if res, _ := reveal(stranger, url.Values{"message": {strconv.Itoa(seq)}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("a stranger gets status %d, want 404", res.StatusCode)
	}
	if res, _ := reveal(v, url.Values{"message": {"999"}}); res.StatusCode != http.StatusNotFound {
		t.Errorf("status %d, want 404", res.StatusCode)
	}
	// Without a script the page comes again, with that message open.
	v.post("/reveal", url.Values{"message": {strconv.Itoa(seq)}})
	if _, page := v.get("/"); !strings.Contains(page, l.tokens.AccessToken) {
		t.Error("without a script nothing is revealed")
	}
}

func TestFormPostWithoutCookie(t *testing.T) {
	v := visit(t)
	cb := v.atOP(v.begin(url.Values{"response_mode": {"form_post"}}))
	cookie := v.cookie
	v.cookie = nil // SameSite=Lax
	res, page := v.post(callbackPath, cb.Form, func(r *http.Request) { r.Header.Set("Origin", "null"); r.Header.Set("Sec-Fetch-Site", "cross-site") })
	if res.StatusCode != http.StatusOK || v.cookie != nil {
		t.Fatalf("status %d, cookie %v", res.StatusCode, v.cookie)
	}
	wantIn(t, page, `action="/callback"`, cb.Form.Get("code"), relayed)
	form := cb.Form
	form.Set(relayed, "1")
	if res, _ := v.post(callbackPath, form); res.StatusCode != http.StatusForbidden {
		t.Errorf("without a cookie the second form gets status %d, want 403", res.StatusCode)
	}
	v.cookie = cookie
	if res, _ := v.post(callbackPath, form); res.StatusCode != http.StatusSeeOther {
		t.Errorf("status %d, want 303", res.StatusCode)
	}
	_, page = v.get("/")
	wantIn(t, page, "Logged in as Alice Liddell")
}

func TestCallbackOnce(t *testing.T) {
	v := visit(t)
	cb := v.atOP(v.begin(url.Values{}))
	v.deliver(cb)
	page := v.deliver(cb)
	wantIn(t, page, "no login is waiting for an answer")
	if n := len(v.s.to.dev.Requests(oidctest.EndpointToken)); n != 1 {
		t.Errorf("%d token requests, want 1", n)
	}
	stranger := another(t, v.s)
	if res, _ := stranger.get(callbackPath + "?" + cb.URL.RawQuery); res.StatusCode != http.StatusForbidden {
		t.Errorf("another browser gets status %d, want 403", res.StatusCode)
	}
}

func TestHost(t *testing.T) {
	v := visit(t)
	for host, want := range map[string]int{
		testHost: 200, "localhost:8400": 302, "evil.example:8400": 421, "127.0.0.1:8401": 421, "127.0.0.1": 421, "": 421,
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Host = host
		if res, _ := v.send(r); res.StatusCode != want {
			t.Errorf("Host %q: status %d, want %d", host, res.StatusCode, want)
		}
	}
	res, err := http.Get("http://" + v.s.to.dev.Host + "/.well-known/openid-configuration")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the OP by its name: status %d", res.StatusCode)
	}
	r, _ := http.NewRequest(http.MethodGet, "http://"+v.s.to.dev.Host+"/.well-known/openid-configuration", nil)
	r.Host = "evil.example"
	if res, err = http.DefaultClient.Do(r); err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusMisdirectedRequest {
		t.Errorf("the OP by another name: status %d, want 421", res.StatusCode)
	}
}

func TestCrossOrigin(t *testing.T) {
	v := visit(t)
	v.logIn(url.Values{})
	for _, path := range []string{"/login", "/userinfo", "/refresh", "/logout", "/forget", "/reveal", fragmentPath} {
		for name, edit := range map[string]func(*http.Request){
			"cross-site":  func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
			"same-site":   func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
			"origin only": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "http://evil.example") },
			"null origin": func(r *http.Request) { r.Header.Del("Sec-Fetch-Site"); r.Header.Set("Origin", "null") },
		} {
			if res, _ := v.post(path, url.Values{}, edit); res.StatusCode != http.StatusForbidden {
				t.Errorf("%s, %s: status %d, want 403", path, name, res.StatusCode)
			}
		}
	}
	if v.login().tokens == nil {
		t.Error("another site logged the person out")
	}
}

func TestHeadersAndMarkup(t *testing.T) {
	v := visit(t)
	v.logIn(url.Values{"fault": {string(oidctest.ErrorDescriptionHostile)}})
	for _, path := range []string{"/", callbackPath, "/assets/app.js", "/assets/style.css", "/nowhere"} {
		res, body := v.get(path)
		csp := res.Header.Get("Content-Security-Policy")
		wantIn(t, csp, "default-src 'none'", "script-src 'self'", "style-src 'self'", "connect-src 'self'", "frame-ancestors 'none'", "base-uri 'none'")
		if strings.Contains(csp, "unsafe") {
			t.Errorf("%s: %s", path, csp)
		}
		if strings.HasPrefix(path, "/assets") || res.StatusCode != http.StatusOK {
			continue
		}
		for _, bad := range []string{"<script>", "<style", " style=", " onclick", " onload", "=\"javascript:", "//cdn", "<img src=\"http"} {
			if strings.Contains(body, bad) {
				t.Errorf("%s holds %q", path, bad)
			}
		}
	}
	if c := v.cookie; !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" {
		t.Errorf("cookie %v", c)
	}
}

func TestBadForms(t *testing.T) {
	v := visit(t)
	id := identifierAt(v.s.to.dev, "alice")
	for name, c := range map[string]struct {
		form url.Values
		want string
	}{
		"no identifier":         {url.Values{}, "type an identifier first"},
		"long identifier":       {url.Values{"identifier": {strings.Repeat("a", maxIdentifier+1)}}, "at most"},
		"not UTF-8":             {url.Values{"identifier": {"a\xff@x"}}, "an identifier has"},
		"unknown response type": {url.Values{"identifier": {id}, "response_type": {"none"}}, "is none of"},
		"query with a token":    {url.Values{"identifier": {id}, "response_type": {"id_token"}, "response_mode": {"query"}}, "does not go with"},
		"unknown fault":         {url.Values{"identifier": {id}, "fault": {"<b>"}}, "&lt;b&gt;"},
	} {
		t.Run(name, func(t *testing.T) {
			v.post("/login", c.form)
			_, page := v.get("/")
			wantIn(t, page, `class="flash"`, c.want)
		})
	}
	if res, _ := v.post("/login", url.Values{"identifier": {strings.Repeat("a", maxForm)}}); res.StatusCode != http.StatusBadRequest {
		t.Errorf("a form that is too long: status %d, want 400", res.StatusCode)
	}
	if n := len(v.s.to.dev.Received()); n != 0 {
		t.Errorf("%d requests to the OP, want none", n)
	}
	v.post("/login", url.Values{"identifier": {"xri://=alice"}})
	_, page := v.get("/")
	wantIn(t, page, "It ended here", "xri")
}

func TestSessionsAreBounded(t *testing.T) {
	v := visit(t)
	for range maxSessions + 8 {
		another(t, v.s).get("/")
	}
	if n := len(v.s.sessions.byID); n != maxSessions {
		t.Errorf("%d sessions, want %d", n, maxSessions)
	}
}

// TestLease shows that what one browser breaks, no other one meets.
func TestLease(t *testing.T) {
	a := visit(t)
	b := another(t, a.s)
	b.get("/")
	link := a.begin(url.Values{"fault": {string(oidctest.NonceWrong)}})
	b.post("/login", url.Values{"identifier": {identifierAt(a.s.to.dev, "bob")}})
	_, page := b.get("/")
	wantIn(t, page, "another browser has just made the OP break a rule")
	page = a.deliver(a.atOP(link))
	wantIn(t, page, "Caught: nonce mismatch")
	wantIn(t, b.logIn(url.Values{}), "Logged in as Alice Liddell")
}

func TestBusy(t *testing.T) {
	v := visit(t)
	v.get("/")
	s := v.s.sessions.byID[v.cookie.Value]
	if !s.tryLock() {
		t.Fatal("the session is taken")
	}
	res, _ := v.post("/login", url.Values{"identifier": {"x"}})
	s.unlock()
	if res.StatusCode != http.StatusConflict {
		t.Errorf("status %d, want 409", res.StatusCode)
	}
}

// TestWaysToAsk: a pushed request, bound tokens and a signed answer, each shown.
func TestWaysToAsk(t *testing.T) {
	for name, c := range map[string]struct {
		form url.Values
		want []string
	}{
		"pushed": {url.Values{"push": {"1"}}, []string{"Pushed request", "config.PAR = oidc.PARAlways", "gives the request to the OP itself"}},
		"bound":  {url.Values{"bind": {"1"}}, []string{"config.DPoP = oidc.DPoPES256()"}},
		"signed": {url.Values{"response_mode": {"jwt"}}, []string{"ResponseMode: &#34;jwt&#34;"}},
		"all":    {url.Values{"push": {"1"}, "bind": {"1"}, "response_mode": {"jwt"}}, []string{"Pushed request", "config.DPoP"}},
	} {
		t.Run(name, func(t *testing.T) {
			page := visit(t).logIn(c.form)
			wantIn(t, page, append(c.want, "Logged in as Alice Liddell", "Every check passed")...)
		})
	}
}
