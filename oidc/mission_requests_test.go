package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The authentication request.

func TestS42_TheAuthorizationEndpoint(t *testing.T) {
	r := setup(t, newOP(t))
	req, _ := r.begins()
	if !strings.HasPrefix(req.URL(), r.p.Metadata().AuthorizationEndpoint+"?") {
		t.Errorf("the request goes to %s", req.URL())
	}
}

func TestS43_ResponseType(t *testing.T) {
	op := newOP(t)
	for _, rt := range []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"} {
		words := strings.Fields(rt)
		slices.Reverse(words)
		r := setup(t, op, types(rt))
		r.params.ResponseType = strings.Join(words, " ") // the order does not matter
		if _, v := r.begins(); v.Get("response_type") != rt {
			t.Errorf("sent %q for %q", v.Get("response_type"), words)
		}
		r.mustLogin()
		if rt != "code" {
			r.params.ResponseMode = oidc.ModeQuery
			_, err := r.c.Begin(t.Context(), r.params)
			wantInput(t, err, oidc.BadParameter)
		}
	}
}

func TestS44_ScopeHoldsOpenID(t *testing.T) {
	r := setup(t, newOP(t))
	for want, scopes := range map[string][]string{"openid": nil, "openid profile email address phone offline_access": {"profile", "email", "address", "phone", "offline_access"}, "openid email": {"email", "openid"}} {
		r.params.Scopes = scopes
		if _, v := r.begins(); v.Get("scope") != want {
			t.Errorf("sent %q, want %q", v.Get("scope"), want)
		}
	}
}

func TestS45_GETOrPOST(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for _, post := range []bool{false, true} {
		r.params.Post = post
		op.ClearLog()
		r.mustLogin()
		req := op.Requests(oidctest.EndpointAuthorization)[0]
		if want := map[bool]string{false: "GET", true: "POST"}[post]; req.Method != want || post && len(req.Query) != 0 {
			t.Errorf("sent by %s, want %s", req.Method, want)
		}
	}
}

func TestS46_RedirectURI(t *testing.T) {
	two := "https://rp.example/two"
	r := setup(t, newOP(t), func(m *oidc.ClientMetadata) { m.RedirectURIs = []string{redirectURI, two} })
	if _, v := r.begins(); v.Get("redirect_uri") != redirectURI {
		t.Errorf("sent %v, want the first", v.Get("redirect_uri"))
	}
	r.params.RedirectURI = two
	if _, v := r.begins(); v.Get("redirect_uri") != two {
		t.Errorf("sent %v", v.Get("redirect_uri"))
	}
	r.mustLogin()
	// The choice of one request is nobody else's.
	r.params.RedirectURI = ""
	if _, v := r.begins(); v.Get("redirect_uri") != redirectURI {
		t.Errorf("sent %v, want the first", v.Get("redirect_uri"))
	}
}

func TestS47_StateAndNonceAreFresh(t *testing.T) {
	r := setup(t, newOP(t))
	a, _ := r.begins()
	b, _ := r.begins()
	if len(a.Pending.State) < 22 || a.Pending.State == b.Pending.State || a.Pending.Nonce == b.Pending.Nonce || a.Pending.State == a.Pending.Nonce {
		t.Error("state and nonce are not fresh random strings")
	}
}

func TestS48_ArgumentsOfTheCodeFlow(t *testing.T) {
	r := setup(t, newOP(t))
	req, v := r.begins()
	for k, want := range map[string]string{"client_id": r.c.ID(), "response_type": "code", "scope": "openid", "nonce": req.Pending.Nonce, "redirect_uri": redirectURI, "state": req.Pending.State} {
		if v.Get(k) != want || len(v[k]) != 1 {
			t.Errorf("%s is %v, want %q", k, v[k], want)
		}
	}
	if len(v) != 8 { // with the code challenge and its method
		t.Errorf("sent %v", v)
	}
}

func TestS49_LoginURL(t *testing.T) {
	r := setup(t, newOP(t))
	req, _ := r.begins()
	u, err := url.Parse(req.URL())
	if err != nil || u.Scheme != "https" || u.Host != r.op.Host || u.Fragment != "" {
		t.Errorf("got %s, %v", req.URL(), err)
	}
	if req.Post() {
		t.Error("a form, unasked")
	}
}

func TestS50_RedirectOfTheUserAgent(t *testing.T) {
	r := setup(t, newOP(t))
	req, _ := r.begins()
	w := httptest.NewRecorder()
	http.Redirect(w, httptest.NewRequest("GET", "https://rp.example/login", nil), req.URL(), http.StatusSeeOther)
	if got := w.Header().Get("Location"); got != req.URL() {
		t.Errorf("Location %q, want %q", got, req.URL())
	}
	if _, err := r.op.Browser().Login(t.Context(), w.Header().Get("Location")); err != nil {
		t.Fatal(err)
	}
}

func TestS51_StateFindsTheLogin(t *testing.T) {
	r := setup(t, newOP(t))
	pending := make(map[string]oidc.Pending)
	var answers []*oidctest.Callback
	for range 3 {
		p, cb := r.begin()
		pending[p.State], answers = p, append(answers, cb)
	}
	slices.Reverse(answers)
	for _, cb := range answers {
		res, err := read(cb)
		if err != nil {
			t.Fatal(err)
		}
		key, err := res.PendingKey()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Finish(t.Context(), pending[key], res); err != nil {
			t.Error(err)
		}
	}
}

func TestS52_NonceTiesTheIDToken(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	pending, cb := r.begin()
	tok, err := r.finish(pending, cb)
	if err != nil || tok.IDToken.Nonce != pending.Nonce {
		t.Fatalf("got %v, %v", tok, err)
	}
	claim(op, "nonce", "of another login")
	r.refused(oidc.BadNonce)
}

// The authentication response.

func TestS55_DeliveredToTheRedirectURI(t *testing.T) {
	r := setup(t, newOP(t))
	for _, mode := range []string{"", "fragment", "form_post"} {
		r.params.ResponseMode = mode
		_, cb := r.begin()
		at := *cb.URL
		at.RawQuery, at.Fragment, at.RawFragment = "", "", ""
		if at.String() != redirectURI {
			t.Errorf("delivered to %s", cb.URL)
		}
	}
}

func TestS56_ParsedFromTheQuery(t *testing.T) {
	r := setup(t, newOP(t))
	for name, parse := range map[string]func(*oidctest.Callback) (oidc.AuthResponse, error){
		"QUERY_STRING": func(cb *oidctest.Callback) (oidc.AuthResponse, error) { return oidc.ReadAuthQuery(cb.URL.RawQuery) },
		"URL":          func(cb *oidctest.Callback) (oidc.AuthResponse, error) { return oidc.ReadAuthURL(cb.URL.String()) },
		"request":      func(cb *oidctest.Callback) (oidc.AuthResponse, error) { return oidc.ReadAuthResponse(cb.Request()) },
	} {
		pending, cb := r.begin()
		res, err := parse(cb)
		if err != nil || res.Mode() != oidc.ModeQuery {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := r.c.Finish(t.Context(), pending, res); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	r.params.ResponseMode = "form_post"
	pending, cb := r.begin()
	res, err := oidc.ReadAuthForm(cb.Form)
	if err != nil || res.Mode() != oidc.ModeFormPost {
		t.Fatal(err)
	}
	if _, err := r.c.Finish(t.Context(), pending, res); err != nil {
		t.Error(err)
	}
}

func TestS57_ResponseOrError(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	req, _ := r.begins()
	b := op.Browser()
	b.Deny = true
	cb, err := b.Login(t.Context(), req.URL())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := r.finish(req.Pending, cb)
	if r.refusal(err, "access_denied"); tok != nil {
		t.Error("tokens beside the error")
	}
}

func TestS59_CodeForTheAccessToken(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	pending, cb := r.begin()
	op.ClearLog()
	if _, err := r.finish(pending, cb); err != nil {
		t.Fatal(err)
	}
	if got := op.Requests(oidctest.EndpointToken)[0].Form.Get("code"); got != cb.Params().Get("code") || got == "" {
		t.Errorf("exchanged %q", got)
	}
}

// UserInfo.

func TestS70_ClaimsOrError(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	if ui, err := r.c.UserInfo(t.Context(), tok); err != nil || ui.Subject == "" {
		t.Errorf("got %v, %v", ui, err)
	}
	op.Advance(time.Hour)
	ui, err := r.c.UserInfo(t.Context(), tok)
	if r.refusal(err, "invalid_token"); ui != nil {
		t.Error("claims beside the error")
	}
}

func TestS71_ScopeOpenIDGivesSubAlone(t *testing.T) {
	r := setup(t, newOP(t))
	ui, err := r.c.UserInfo(t.Context(), r.mustLogin())
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := ui.Claims(&all); err != nil || len(all) != 1 || all["sub"] != ui.Subject {
		t.Errorf("got %v, %v", all, err)
	}
}

// The implicit flow.

func implicit(t *testing.T, op *oidctest.OP) *rig { return setup(t, op, types("id_token token")) }

func TestS72_ImplicitAsksNoTokenEndpoint(t *testing.T) {
	op := newOP(t)
	r := implicit(t, op)
	if tok := r.mustLogin(); tok.AccessToken == "" || tok.IDToken == nil {
		t.Errorf("got %v", tok)
	}
	wantNoCall(t, op, oidctest.EndpointToken)
}

func TestS73_OnlyTheResponseTypeDiffers(t *testing.T) {
	op := newOP(t)
	_, code := setup(t, op).begins()
	_, implicit := implicit(t, op).begins()
	for _, v := range []url.Values{code, implicit} {
		for _, k := range []string{"state", "nonce", "client_id", "code_challenge", "code_challenge_method"} {
			v.Del(k)
		}
	}
	code.Set("response_type", "id_token token")
	if !reflect.DeepEqual(code, implicit) {
		t.Errorf("%v\n%v", code, implicit)
	}
}

func TestS74_SamePattern(t *testing.T) {
	r := implicit(t, newOP(t))
	_, cb := r.begin()
	if at, _, _ := strings.Cut(cb.URL.String(), "#"); at != redirectURI {
		t.Errorf("delivered to %s", at)
	}
}

func TestS75_ResponseInTheFragment(t *testing.T) {
	r := implicit(t, newOP(t))
	_, cb := r.begin()
	if cb.Mode != "fragment" || cb.URL.RawQuery != "" || cb.Params().Get("id_token") == "" {
		t.Errorf("delivered as %s", cb.Mode)
	}
	// A server sees nothing of it, and says so.
	_, err := oidc.ReadAuthResponse(cb.Request())
	wantReason(t, err, oidc.NotANavigation)
}

func TestS76_FragmentIsParsedAlike(t *testing.T) {
	r := implicit(t, newOP(t))
	for _, prefix := range []string{"", "#"} {
		pending, cb := r.begin()
		res, err := oidc.ReadAuthFragment(prefix + cb.URL.EscapedFragment())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Finish(t.Context(), pending, res); err != nil {
			t.Error(err)
		}
	}
}

func TestS77_StateAgain(t *testing.T) {
	op := newOP(t)
	r := implicit(t, op)
	response(op, withParam("state", ""))
	r.refused(oidc.BadState)
}

func TestS78_TokensAndNoCode(t *testing.T) {
	r := implicit(t, newOP(t))
	pending, cb := r.begin()
	if v := cb.Params(); v.Has("code") || v.Get("access_token") == "" || v.Get("id_token") == "" {
		t.Errorf("delivered %v", v)
	}
	tok, err := r.finish(pending, cb)
	if err != nil || tok.AccessToken != cb.Params().Get("access_token") || tok.IDToken.Raw() != cb.Params().Get("id_token") || pending.Verifier != "" {
		t.Errorf("got %v, %v", tok, err)
	}
	if tok.Raw != nil || tok.Expiry.IsZero() || len(tok.Scopes) == 0 {
		t.Errorf("got %+v", tok)
	}
}

func TestS79_UserInfoAsInTheCodeFlow(t *testing.T) {
	r := implicit(t, newOP(t))
	r.params.Scopes = []string{"email"}
	ui, err := r.c.UserInfo(t.Context(), r.mustLogin())
	if err != nil || ui.Email == "" {
		t.Errorf("got %v, %v", ui, err)
	}
}

// The traps.

func TestD1_NonceIsCompared(t *testing.T) {
	for _, rt := range []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"} {
		op := newOP(t)
		r := setup(t, op, types(rt))
		for _, v := range []any{"other", nil} {
			claim(op, "nonce", v)
			r.refused(oidc.BadNonce)
		}
	}
}

func TestD2_StateIsComparedInside(t *testing.T) {
	// Finish compares; the application only finds the Pending.
	r := setup(t, newOP(t))
	_, cb := r.begin()
	other, _ := r.begins()
	res, err := read(cb)
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.c.Finish(t.Context(), other.Pending, res)
	r.reason(err, oidc.BadState)
}

func TestD3_StaticRegistrationNeedsRedirectURIs(t *testing.T) {
	r := setup(t, newOP(t))
	_, err := oidc.NewClient(r.p, oidc.ClientConfig{ID: "c", Secret: "s"})
	wantInput(t, err, oidc.BadConfig)
	if !strings.Contains(err.Error(), "RedirectURIs") {
		t.Errorf("%v names no field", err)
	}
}

func TestD4_NoHTTPIssuerUnasked(t *testing.T) {
	op := newOP(t)
	links(op, map[string]any{"rel": issuerRel, "href": "http://op.example"})
	_, err := find(t, op, "alice@"+op.Host)
	wantReason(t, err, oidc.InsecureURL)
}

func TestD5_OneNameForOneThing(t *testing.T) {
	// What is sent, what is answered and what is stored is one type with one
	// spelling.
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code"}}
	var back oidc.ClientMetadata
	if err := back.UnmarshalJSON(marshal(m)); err != nil || !reflect.DeepEqual(m, back) {
		t.Errorf("%+v became %+v, %v", m, back, err)
	}
}

func TestD6_ScopeIsThatOfTheRequest(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	r.params.Scopes = []string{"email"}
	tok := r.mustLogin()
	for _, req := range op.Requests(oidctest.EndpointToken) {
		if req.Form.Has("scope") || req.Form.Has("state") {
			t.Errorf("a code exchange has no scope and no state: %v", req.Form)
		}
	}
	if strings.Join(tok.Scopes, " ") != "openid email" {
		t.Errorf("granted %v", tok.Scopes)
	}
	tokenMember(op, "scope", "openid")
	if tok := r.mustLogin(); strings.Join(tok.Scopes, " ") != "openid" {
		t.Errorf("granted %v: the OP said less", tok.Scopes)
	}
}

func TestD7_ChecksAreErrors(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.Break(oidctest.StateMissing)
	_, err := r.login()
	pe, ok := errors.AsType[*oidc.ProtocolError](err)
	if !ok || pe.Reason != oidc.BadState || pe.Spec == "" || pe.Step == "" {
		t.Errorf("got %#v", err)
	}
}

func TestD8_WhatTheDocumentLeavesOut(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	t.Run("PKCE", func(t *testing.T) {
		if _, v := r.begins(); v.Get("code_challenge_method") != "S256" {
			t.Errorf("sent %v", v)
		}
	})
	t.Run("refresh and revocation", func(t *testing.T) {
		r := r.in(t)
		tok, err := r.c.Refresh(t.Context(), r.offline())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("keys that change", func(t *testing.T) {
		r := r.in(t)
		r.mustLogin()
		op.RotateKeys()
		op.Advance(10 * time.Minute)
		r.mustLogin()
	})
	t.Run("time", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointDiscovery, func(_ http.ResponseWriter, req *http.Request) { <-req.Context().Done() })
		o := options(op)
		o.Timeout = 50 * time.Millisecond
		_, err := oidc.Discover(t.Context(), op.Issuer, o)
		wantReason(t, err, oidc.Unreachable)
	})
	t.Run("TLS", func(t *testing.T) {
		op := newOP(t)
		o := options(op)
		o.HTTPClient = nil // which does not know the test OP's certificate
		_, err := oidc.Discover(t.Context(), op.Issuer, o)
		if _, ok := errors.AsType[*oidc.TransportError](err); !ok {
			t.Errorf("got %v", err)
		}
	})
	t.Run("every check is seen", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		var titles []string
		r.opts.Trace = &oidc.Trace{Check: func(_ context.Context, c oidc.Check) {
			if !c.Passed || c.Spec == "" || c.Title == "" || c.Step == "" {
				t.Errorf("check %+v", c)
			}
			titles = append(titles, c.Title)
		}}
		r.discover()
		r.client()
		r.mustLogin()
		for _, want := range []string{"state is the one sent", "iss is the issuer", "aud holds the client", "exp is not past", "nonce is the one sent", "the signature is the OP's, by the algorithm agreed"} {
			if !has(titles, want) {
				t.Errorf("no check %q among %q", want, titles)
			}
		}
	})
}
