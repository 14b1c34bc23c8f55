package oidctest

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Each case changes one parameter of a correct request. An empty error means
// that the person is shown a page, since the client cannot be trusted with an
// answer.
func TestAuthorizationRequestIsChecked(t *testing.T) {
	op := New(t)
	base := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	native := newParty(t, op, Client{ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1/cb", "app:/cb"}, IDTokenSignedResponseAlg: "EdDSA"})
	onlyCode := newParty(t, op, Client{ResponseTypes: []string{"code"}, IDTokenSignedResponseAlg: "EdDSA"})
	for _, c := range []struct {
		name, responseType, param, value, code string
		p                                      *party
	}{
		{name: "unknown client", param: "client_id", value: "nobody"},
		{name: "no client", param: "client_id"},
		{name: "no redirect URI", param: "redirect_uri"},
		{name: "redirect URI with a slash more", param: "redirect_uri", value: DefaultRedirectURI + "/"},
		{name: "redirect URI with a query more", param: "redirect_uri", value: DefaultRedirectURI + "?a=b"},
		{name: "redirect URI in capitals", param: "redirect_uri", value: "https://RP.example/callback"},
		{name: "native on another path", p: native, param: "redirect_uri", value: "http://127.0.0.1:5000/other"},
		{name: "native by name", p: native, param: "redirect_uri", value: "http://localhost:5000/cb"},
		{name: "native on any port", p: native, param: "redirect_uri", value: "http://127.0.0.1:5000/cb", code: "ok"},
		{name: "no response type", param: "response_type", code: "invalid_request"},
		{name: "unknown response type", param: "response_type", value: "code magic", code: "unsupported_response_type"},
		{name: "response type none", param: "response_type", value: "none", code: "unsupported_response_type"},
		{name: "words in another order", param: "response_type", value: "id_token code", code: "ok"},
		{name: "unregistered response type", p: onlyCode, param: "response_type", value: "code id_token", code: "unauthorized_client"},
		{name: "unknown response mode", param: "response_mode", value: "pigeon", code: "invalid_request"},
		{name: "no scope", param: "scope", code: "invalid_scope"},
		{name: "scope without openid", param: "scope", value: "profile", code: "invalid_scope"},
		{name: "no nonce in code flow", param: "nonce", code: "ok"},
		{name: "no nonce in implicit flow", responseType: "id_token", param: "nonce", code: "invalid_request"},
		{name: "no nonce in hybrid flow", responseType: "code id_token", param: "nonce", code: "invalid_request"},
		{name: "no challenge", param: "code_challenge", code: "invalid_request"},
		{name: "challenge too short", param: "code_challenge", value: "abc", code: "invalid_request"},
		{name: "challenge not base64url", param: "code_challenge", value: strings.Repeat("+", 43), code: "invalid_request"},
		{name: "challenge method plain", param: "code_challenge_method", value: "plain", code: "invalid_request"},
		{name: "no challenge method", param: "code_challenge_method", code: "invalid_request"},
		{name: "unknown prompt", param: "prompt", value: "please", code: "invalid_request"},
		{name: "prompt none and more", param: "prompt", value: "none login", code: "invalid_request"},
		{name: "prompt login", param: "prompt", value: "login consent", code: "ok"},
		{name: "prompt none without a session", param: "prompt", value: "none", code: "login_required"},
		{name: "max_age not a number", param: "max_age", value: "soon", code: "invalid_request"},
		{name: "max_age negative", param: "max_age", value: "-1", code: "invalid_request"},
		{name: "unknown display", param: "display", value: "wall", code: "invalid_request"},
		{name: "display popup", param: "display", value: "popup", code: "ok"},
		{name: "relative resource", param: "resource", value: "/api", code: "invalid_target"},
		{name: "resource with fragment", param: "resource", value: "https://api.example/#a", code: "invalid_target"},
		{name: "resource with a hash", param: "resource", value: "https://api.example/#", code: "invalid_target"},
		{name: "resource", param: "resource", value: "https://api.example/", code: "ok"},
		{name: "claims not JSON", param: "claims", value: "{", code: "invalid_request"},
		{name: "claims null", param: "claims", value: "null", code: "invalid_request"},
		{name: "claims of wrong types", param: "claims", value: `{"id_token":{"acr":7}}`, code: "invalid_request"},
		{name: "essential acr out of reach", param: "claims", value: `{"id_token":{"acr":{"essential":true,"value":"9"}}}`, code: "unmet_authentication_requirements"},
		{name: "foreign hint", param: "id_token_hint", value: "eyJhbGciOiJub25lIn0.e30.", code: "invalid_request"},
		{name: "request object that is none", param: "request", value: "a.b.c"},
		{name: "request by reference to nothing", param: "request_uri", value: "https://127.0.0.1:1/r"},
		{name: "registration by value", param: "registration", value: "{}", code: "registration_not_supported"},
		{name: "unknown parameter", param: "colour", value: "blue", code: "ok"},
		{name: "parameter of 5 KiB", param: "state", value: strings.Repeat("s", 5<<10), code: "invalid_request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.p
			if p == nil {
				p = base
			}
			rt := c.responseType
			if rt == "" {
				rt = "code"
			}
			v := p.params(rt)
			v.Del(c.param)
			if c.value != "" {
				v.Set(c.param, c.value)
			}
			cb, err := op.Browser().Login(t.Context(), op.URL(EndpointAuthorization)+"?"+v.Encode())
			var page *PageError
			switch {
			case errors.As(err, &page):
				want(t, "page", c.code, "")
				want(t, "status", page.Status, http.StatusBadRequest)
			case err != nil:
				t.Fatal(err)
			case c.code == "ok":
				want(t, "error", cb.Params().Get("error_description"), "")
			default:
				want(t, "error", cb.Params().Get("error"), c.code)
				want(t, "iss", cb.Params().Get("iss"), op.Issuer)
			}
		})
	}
	t.Run("parameter twice", func(t *testing.T) {
		v := base.params("code")
		v.Add("scope", "openid")
		want(t, "error", base.login(v).Params().Get("error"), "invalid_request")
	})
	t.Run("error in the mode asked for", func(t *testing.T) {
		v := base.params("code")
		v.Set("response_mode", "form_post")
		v.Set("scope", "email")
		cb := base.login(v)
		want(t, "mode", cb.Mode, "form_post")
		want(t, "state", cb.Form.Get("state"), "state-1")
	})
	t.Run("by POST", func(t *testing.T) {
		cb, err := op.Browser().LoginForm(t.Context(), op.URL(EndpointAuthorization), base.params("code"))
		if err != nil {
			t.Fatal(err)
		}
		want(t, "code", cb.Params().Has("code"), true)
	})
}

func TestAutomaticLoginChoosesThePerson(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	subject := func(b *Browser, change func(url.Values)) string {
		v := p.params("id_token")
		change(v)
		cb, err := b.Login(t.Context(), op.URL(EndpointAuthorization)+"?"+v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if e := cb.Params().Get("error"); e != "" {
			return e
		}
		_, claims := p.verify(cb.Params().Get("id_token"))
		return claims["sub"].(string)
	}
	same := func(url.Values) {}
	alice := op.Browser()
	want(t, "first", subject(alice, same), "alice-248289761001")
	want(t, "by hint", subject(op.Browser(), func(v url.Values) { v.Set("login_hint", "bob@example.com") }), "bob-248289761002")
	bob := op.Browser()
	bob.User = "chloé"
	want(t, "by browser", subject(bob, same), "chloe-248289761003")
	bob.User = ""
	want(t, "session remembers", subject(bob, same), "chloe-248289761003")
	want(t, "none with a session", subject(bob, func(v url.Values) { v.Set("prompt", "none") }), "chloe-248289761003")
	want(t, "none for another", subject(bob, func(v url.Values) { v.Set("prompt", "none"); v.Set("login_hint", "dan") }), "login_required")
	want(t, "demanded subject", subject(op.Browser(), func(v url.Values) { v.Set("claims", `{"id_token":{"sub":{"value":"dan-248289761004"}}}`) }), "dan-248289761004")
	want(t, "demanded stranger", subject(op.Browser(), func(v url.Values) { v.Set("claims", `{"id_token":{"sub":{"value":"nobody"}}}`) }), "login_required")
	bob.Deny = true
	want(t, "refusal", subject(bob, same), "access_denied")
}

func TestAuthTimeFollowsMaxAgeAndPrompt(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	authTime := func(set ...string) time.Duration {
		v := p.params("id_token")
		v.Set("max_age", "3600")
		for i := 0; i < len(set); i += 2 {
			v.Set(set[i], set[i+1])
		}
		cb := p.login(v)
		if e := cb.Params().Get("error"); e != "" {
			t.Fatal(e)
		}
		_, claims := p.verify(cb.Params().Get("id_token"))
		return op.Now().Sub(time.Unix(int64(claims["auth_time"].(float64)), 0)).Round(time.Minute)
	}
	want(t, "login", authTime(), time.Duration(0))
	op.Advance(30 * time.Minute)
	want(t, "session", authTime(), 30*time.Minute)
	want(t, "max_age passed", authTime("max_age", "60"), time.Duration(0))
	op.Advance(10 * time.Minute)
	want(t, "prompt login", authTime("prompt", "login"), time.Duration(0))
	op.Advance(13 * time.Hour)
	v := p.params("code")
	v.Set("prompt", "none")
	want(t, "session over", p.login(v).Params().Get("error"), "login_required")
}

func TestLoginPage(t *testing.T) {
	op := NewWith(t, Config{ManualLogin: true})
	p := newParty(t, op, Client{Name: "A <b>bold</b> client", IDTokenSignedResponseAlg: "EdDSA"})
	authURL := op.URL(EndpointAuthorization) + "?" + p.params("code").Encode()

	page := p.get(authURL, "")
	want(t, "status", page.status, 200)
	for _, s := range []string{"A &lt;b&gt;bold&lt;/b&gt; client", "Chloé Lièvre-Étoilé", `value="alice" checked`, `lang="en"`, "offline_access"} {
		if !strings.Contains(string(page.body), s) {
			t.Errorf("the page lacks %q", s)
		}
	}
	if strings.Contains(string(page.body), "<script") {
		t.Error("the login page has a script")
	}
	want(t, "frames", strings.Contains(page.header.Get("Content-Security-Policy"), "frame-ancestors 'none'"), true)
	want(t, "cache", page.header.Get("Cache-Control"), "no-store")

	v := p.params("code")
	v.Set("prompt", "none")
	want(t, "nobody there", p.login(v).Params().Get("error"), "login_required")
	p.browser.User = "bob"
	cb, err := p.browser.Login(t.Context(), authURL)
	if err != nil {
		t.Fatal(err)
	}
	_, claims := p.verify(p.redeem(cb.Params().Get("code")).json["id_token"].(string))
	want(t, "sub", claims["sub"], "bob-248289761002")
	want(t, "consent remembered", p.login(v).Params().Has("code"), true)
	v.Set("scope", "openid phone")
	want(t, "new scope", p.login(v).Params().Get("error"), "consent_required")

	other := op.Browser()
	other.Deny = true
	cb, err = other.Login(t.Context(), authURL)
	if err != nil {
		t.Fatal(err)
	}
	want(t, "refusal", cb.Params().Get("error"), "access_denied")

	t.Run("request of a page works once", func(t *testing.T) {
		f, ok := readForm(string(p.get(authURL, "").body))
		if !ok {
			t.Fatal("no form")
		}
		f.fields.Set("user", "alice")
		f.fields.Set("decision", "allow")
		for _, status := range []int{http.StatusSeeOther, http.StatusBadRequest} {
			r, err := post(t.Context(), "https://"+op.Host+f.action, f.fields)
			if err != nil {
				t.Fatal(err)
			}
			want(t, "status", p.do(r).status, status)
		}
	})
}

func TestFormPostPageWorksWithoutScript(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{RedirectURIs: []string{"https://rp.example/cb?a=1&b=\"2"}, IDTokenSignedResponseAlg: "EdDSA"})
	v := p.params("code")
	v.Set("response_mode", "form_post")
	v.Set("state", `"><script>alert(1)</script>`)
	page := p.get(op.URL(EndpointAuthorization)+"?"+v.Encode(), "")
	body := string(page.body)
	if strings.Contains(body, "<script>alert") {
		t.Error("state is not escaped")
	}
	if !strings.Contains(body, `<button class="main">Continue</button>`) {
		t.Error("there is no button")
	}
	if !strings.Contains(page.header.Get("Content-Security-Policy"), hashSource(submitScript)) || !strings.Contains(body, submitScript) {
		t.Error("the script is not the one that the policy allows")
	}
	cb := p.login(v)
	want(t, "state", cb.Form.Get("state"), v.Get("state"))
	want(t, "action", cb.URL, "https://rp.example/cb?a=1&b=%222")
	r := cb.Request()
	if err := r.ParseForm(); err != nil {
		t.Fatal(err)
	}
	want(t, "posted", r.PostForm.Get("code"), cb.Form.Get("code"))
}
