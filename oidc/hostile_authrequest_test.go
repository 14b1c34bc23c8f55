package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// begins makes an authentication request and returns its parameters.
func (r *rig) begins() (*oidc.AuthRequest, url.Values) {
	r.t.Helper()
	req, err := r.c.Begin(r.t.Context(), r.params)
	if err != nil {
		r.t.Fatalf("Begin: %v", err)
	}
	u, err := url.Parse(req.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	return req, u.Query()
}

// with is the same rig for a request of its own.
func (r *rig) with(p oidc.AuthParams) *rig {
	c := *r
	c.params = p
	return &c
}

// TestHostileAuthRequest tries to make an authentication request that is less
// than it should be.
func TestHostileAuthRequest(t *testing.T) {
	t.Run("082_state_nonce_verifier", func(t *testing.T) {
		r := setup(t, newOP(t), types("code", "code id_token"))
		for _, rt := range []string{"code", "code id_token"} {
			r.params.ResponseType = rt
			req, v := r.begins()
			p := req.Pending
			for name, s := range map[string]string{"state": p.State, "nonce": p.Nonce, "verifier": p.Verifier} {
				b, err := base64.RawURLEncoding.DecodeString(s)
				if err != nil || len(b) < 16 {
					t.Errorf("%s %q has %d bits, want 128 at least", name, s, len(b)*8)
				}
			}
			if p.State == p.Nonce || p.Nonce == p.Verifier || p.State == p.Verifier {
				t.Error("two of state, nonce and verifier are equal")
			}
			if !regexp.MustCompile(`^[A-Za-z0-9._~-]{43,128}$`).MatchString(p.Verifier) {
				t.Errorf("verifier %q (RFC 7636 4.1)", p.Verifier)
			}
			sum := sha256.Sum256([]byte(p.Verifier))
			if v.Get("state") != p.State || v.Get("nonce") != p.Nonce || v.Get("code_challenge_method") != "S256" || v.Get("code_challenge") != b64(sum[:]) {
				t.Errorf("sent %v", v)
			}
			if strings.Contains(req.URL(), p.Verifier) {
				t.Error("the verifier travels with the request")
			}
		}
	})
	t.Run("083_no_duplicates", func(t *testing.T) {
		r := setup(t, newOP(t))
		seen := make(map[string]bool)
		for range 5_000 {
			req, err := r.c.Begin(background, oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range []string{req.Pending.State, req.Pending.Nonce, req.Pending.Verifier} {
				if seen[s] {
					t.Fatalf("%q came twice", s)
				}
				seen[s] = true
			}
		}
	})
	t.Run("083_no_weak_randomness", func(t *testing.T) {
		files, err := filepath.Glob("*.go")
		if err != nil || len(files) == 0 {
			t.Fatal("no sources", err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			src, err := parser.ParseFile(token.NewFileSet(), f, nil, parser.ImportsOnly)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range src.Imports {
				path, _ := strconv.Unquote(i.Path.Value)
				// provider.go spreads the ages of metadata with it, and makes
				// nothing that anyone could wish to guess.
				if strings.HasPrefix(path, "math/rand") && f != "provider.go" {
					t.Errorf("%s imports %s", f, path)
				}
			}
		}
		text, err := os.ReadFile("provider.go")
		if err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(string(text), "rand."); n != 1 {
			t.Errorf("provider.go uses math/rand %d times, want once, for the age of metadata", n)
		}
	})
	for name, f := range map[string]oidctest.Fault{"not_announced": oidctest.PKCENotAnnounced, "plain_only": oidctest.PKCEPlainOnly} {
		t.Run("084_pkce_"+name, func(t *testing.T) {
			op := newOP(t)
			op.Break(f)
			r := setup(t, op)
			_, v := r.begins()
			if v.Get("code_challenge_method") != "S256" || v.Get("code_challenge") == "" {
				t.Errorf("sent %v", v)
			}
			op.ClearLog()
			r.mustLogin()
			if v := op.Requests(oidctest.EndpointToken)[0].Form.Get("code_verifier"); len(v) < 43 {
				t.Errorf("the verifier %q was sent with the code", v)
			}
		})
	}
	t.Run("085_state_for_each_login", func(t *testing.T) {
		r := setup(t, newOP(t))
		a, _ := r.begins()
		b, _ := r.begins()
		if a.Pending.State == b.Pending.State || a.Pending.Nonce == b.Pending.Nonce || a.Pending.Verifier == b.Pending.Verifier {
			t.Error("two logins share a state, a nonce or a verifier")
		}
	})
	for _, name := range []string{"state", "nonce", "redirect_uri", "client_id", "code_challenge", "code_challenge_method", "code_verifier", "response_type", "response_mode", "scope",
		"prompt", "max_age", "display", "ui_locales", "claims_locales", "login_hint", "id_token_hint", "acr_values", "claims", "resource", "request", "request_uri",
		"client_secret", "client_assertion", "client_assertion_type", "dpop_jkt"} {
		t.Run("086_extra_"+name, func(t *testing.T) {
			r := setup(t, newOP(t))
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{name: {"x"}}})
			wantInput(t, err, oidc.ProtectedParameter)
		})
	}
	t.Run("086_extra_twice_or_never", func(t *testing.T) {
		r := setup(t, newOP(t))
		for _, vs := range [][]string{{"a", "b"}, {}} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"vendor": vs}})
			wantInput(t, err, oidc.BadParameter)
		}
		r.params.Extra = url.Values{"vendor": {"a b&c"}}
		if _, v := r.begins(); v.Get("vendor") != "a b&c" {
			t.Errorf("sent %v", v)
		}
	})
	t.Run("087_endpoint_with_a_query", func(t *testing.T) {
		op := newOP(t)
		op.Break(oidctest.AuthorizationEndpointQuery)
		r := setup(t, op)
		if _, v := r.begins(); v.Get("tenant") != "blue sky" || v.Get("client_id") != r.c.ID() {
			t.Errorf("sent %v", v)
		}
		r.mustLogin()
	})
	for _, q := range []string{"state=fixed", "client_id=x", "request=x", "code_challenge=x", "response_mode=query"} {
		t.Run("087_endpoint_clashes_"+q, func(t *testing.T) {
			op := newOP(t)
			member(op, "authorization_endpoint", op.URL(oidctest.EndpointAuthorization)+"?"+q)
			r := setup(t, op)
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
			r.reason(err, oidc.BadMetadata)
		})
	}
	t.Run("087_endpoint_clashes_with_a_further_parameter", func(t *testing.T) {
		op := newOP(t)
		member(op, "authorization_endpoint", op.URL(oidctest.EndpointAuthorization)+"?tenant=blue")
		r := setup(t, op)
		r.begins()
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"tenant": {"red"}}})
		r.reason(err, oidc.BadMetadata)
	})
	t.Run("087_query_that_cannot_be_read", func(t *testing.T) {
		op := newOP(t)
		member(op, "authorization_endpoint", op.URL(oidctest.EndpointAuthorization)+"?a=%zz")
		r := setup(t, op)
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		r.reason(err, oidc.BadMetadata)
	})
	t.Run("088_redirect_uri_is_registered", func(t *testing.T) {
		r := setup(t, newOP(t))
		for _, uri := range []string{"https://attacker.example/callback", redirectURI + "/", redirectURI + "?x=1", strings.ToUpper(redirectURI), "http://rp.example/callback", redirectURI + "#x", "javascript:alert(1)", " " + redirectURI} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{RedirectURI: uri})
			wantInput(t, err, oidc.BadParameter)
		}
		if _, v := r.begins(); v.Get("redirect_uri") != redirectURI {
			t.Errorf("sent %v", v)
		}
	})
	t.Run("089_begin_keeps_nothing", func(t *testing.T) {
		r := setup(t, newOP(t))
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		for range 5_000 {
			if _, err := r.c.Begin(background, oidc.AuthParams{}); err != nil {
				t.Fatal(err)
			}
		}
		runtime.GC()
		runtime.ReadMemStats(&after)
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
			t.Errorf("5 000 logins begun and the heap grew by %d bytes", grown)
		}
	})
	t.Run("090_concurrent_begin", func(t *testing.T) {
		r := setup(t, newOP(t), func(m *oidc.ClientMetadata) { m.RedirectURIs = []string{redirectURI, "https://rp.example/two"} })
		var wg sync.WaitGroup
		var states sync.Map
		for i := range 50 {
			wg.Go(func() {
				uri := []string{redirectURI, "https://rp.example/two"}[i%2]
				req, err := r.c.Begin(background, oidc.AuthParams{RedirectURI: uri, LoginHint: strconv.Itoa(i)})
				if err != nil {
					t.Error(err)
					return
				}
				u, _ := url.Parse(req.URL())
				if u.Query().Get("login_hint") != strconv.Itoa(i) || u.Query().Get("redirect_uri") != uri || req.Pending.RedirectURI != uri {
					t.Errorf("request %d is mixed with another's", i)
				}
				if _, twice := states.LoadOrStore(req.Pending.State, true); twice {
					t.Error("a state came twice")
				}
			})
		}
		wg.Wait()
	})
	t.Run("091_begin_sends_nothing", func(t *testing.T) {
		// A prefetch of a login page costs the OP nothing; that it begins no
		// login at all is for the web floor to see to.
		op := newOP(t)
		r := setup(t, op)
		op.ClearLog()
		r.begins()
		if n := len(op.Received()); n != 0 {
			t.Errorf("%d requests to the OP", n)
		}
	})
	t.Run("092_login_required_is_final", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.params.Prompt = []string{"none"}
		op.ClearLog()
		_, err := r.login()
		oe := r.refusal(err, "login_required")
		if oe.Temporary() || !strings.Contains(oe.Error(), "without prompt none") {
			t.Errorf("%v invites to try the same again", oe)
		}
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("093_too_long_for_a_url", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") })
		r := setup(t, op)
		r.params.LoginHint = strings.Repeat("a", oidc.MaxAuthURL/2)
		r.params.Extra = url.Values{"vendor": {strings.Repeat("a", oidc.MaxAuthURL/2)}}
		_, err := r.c.Begin(t.Context(), r.params)
		wantInput(t, err, oidc.RequestTooLong)
		if strings.Contains(err.Error(), "aaaa") {
			t.Error("the error repeats the parameter")
		}
		r.params.Post = true
		if tok := r.mustLogin(); tok.IDToken == nil {
			t.Error("no login by POST")
		}
	})
}

// TestAuthParams sends what each field says, and refuses what Core forbids.
func TestAuthParams(t *testing.T) {
	op := newOP(t)
	r := setup(t, op, types("code", "id_token"))
	zero, minute, long := time.Duration(0), time.Minute, 90*time.Second+400*time.Millisecond
	for _, c := range []struct {
		name string
		p    oidc.AuthParams
		want map[string]string // "": absent
	}{
		{"zero value", oidc.AuthParams{}, map[string]string{"response_type": "code", "scope": "openid", "redirect_uri": redirectURI, "response_mode": "", "prompt": "", "max_age": "", "display": "", "claims": "", "login_hint": "", "request": "", "registration": ""}},
		{"scopes", oidc.AuthParams{Scopes: []string{"email", "openid", "profile", "email"}}, map[string]string{"scope": "openid email profile"}},
		{"response type", oidc.AuthParams{ResponseType: "id_token"}, map[string]string{"response_type": "id_token", "code_challenge": ""}},
		{"response mode", oidc.AuthParams{ResponseMode: "form_post"}, map[string]string{"response_mode": "form_post"}},
		{"the default mode by name", oidc.AuthParams{ResponseMode: "query"}, map[string]string{"response_mode": "query"}},
		{"prompt", oidc.AuthParams{Prompt: []string{"login", "consent"}}, map[string]string{"prompt": "login consent"}},
		{"prompt none", oidc.AuthParams{Prompt: []string{"none"}}, map[string]string{"prompt": "none"}},
		{"max_age 0", oidc.AuthParams{MaxAge: &zero}, map[string]string{"max_age": "0"}},
		{"max_age", oidc.AuthParams{MaxAge: &minute}, map[string]string{"max_age": "60"}},
		{"max_age with a fraction", oidc.AuthParams{MaxAge: &long}, map[string]string{"max_age": "90"}},
		{"display", oidc.AuthParams{Display: "popup"}, map[string]string{"display": "popup"}},
		{"locales", oidc.AuthParams{UILocales: []string{"fr-CA", "fr"}, ClaimsLocales: []string{"de"}}, map[string]string{"ui_locales": "fr-CA fr", "claims_locales": "de"}},
		{"hints", oidc.AuthParams{LoginHint: "alice+x@example.com", IDTokenHint: "a.b.c"}, map[string]string{"login_hint": "alice+x@example.com", "id_token_hint": "a.b.c"}},
		{"acr", oidc.AuthParams{ACRValues: []string{"2", "1"}}, map[string]string{"acr_values": "2 1"}},
		{"claims", oidc.AuthParams{Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"email": nil, "name": {Essential: true}}, IDToken: map[string]*oidc.ClaimRequest{"acr": {Values: []any{"a", "b"}}, "sub": {Value: "x"}}}},
			map[string]string{"claims": `{"userinfo":{"email":null,"name":{"essential":true}},"id_token":{"acr":{"values":["a","b"]},"sub":{"value":"x"}}}`}},
		{"claims of its own", oidc.AuthParams{Claims: &oidc.ClaimsRequest{Extra: map[string]any{"sharing_duration": 60}}}, map[string]string{"claims": `{"sharing_duration":60}`}},
		{"claims and more", oidc.AuthParams{Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"email": nil}, Extra: map[string]any{"sharing_duration": 60}}},
			map[string]string{"claims": `{"userinfo":{"email":null},"sharing_duration":60}`}},
		{"scopes of all characters", oidc.AuthParams{Scopes: []string{"!#[]~"}}, map[string]string{"scope": "openid !#[]~"}},
		{"resource", oidc.AuthParams{Resources: []string{"https://api.example/"}}, map[string]string{"resource": "https://api.example/"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := r.c.Begin(t.Context(), c.p)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(req.URL())
			if err != nil {
				t.Fatal(err)
			}
			v := u.Query()
			for k, want := range c.want {
				if v.Get(k) != want || want == "" && v.Has(k) {
					t.Errorf("%s is %q, want %q", k, v.Get(k), want)
				}
			}
			if strings.Contains(req.URL(), "+") {
				t.Errorf("a space is written as plus: %s", req.URL())
			}
			action, fields := req.Form()
			if action != op.URL(oidctest.EndpointAuthorization) || fields.Encode() != v.Encode() {
				t.Errorf("the form differs from the URL: %s %v", action, fields)
			}
			fields.Set("state", "changed by the caller")
			if _, again := req.Form(); again.Get("state") == "changed by the caller" {
				t.Error("the caller changed the request")
			}
		})
	}
	neg := -time.Second
	for name, p := range map[string]oidc.AuthParams{
		"scope with a space":        {Scopes: []string{"a b"}},
		"scope with a quote":        {Scopes: []string{`a"b`}},
		"empty scope":               {Scopes: []string{""}},
		"scope with a control":      {Scopes: []string{"a\n"}},
		"scope with a backslash":    {Scopes: []string{`a\b`}},
		"scope with DEL":            {Scopes: []string{"a\x7f"}},
		"scope beyond ASCII":        {Scopes: []string{"\u00e9t\u00e9"}},
		"prompt none with login":    {Prompt: []string{"login", "none"}},
		"unknown prompt":            {Prompt: []string{"tea"}},
		"unknown display":           {Display: "zzz"},
		"negative max_age":          {MaxAge: &neg},
		"relative resource":         {Resources: []string{"/x"}},
		"resource with fragment":    {Resources: []string{"https://api.example/#x"}},
		"resource with a hash":      {Resources: []string{"https://api.example/#"}},
		"resource that is no URI":   {Resources: []string{"https://api.example/%zz"}},
		"claims that do not encode": {Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"x": {Value: func() {}}}}},
		"more that does not encode": {Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"x": nil}, Extra: map[string]any{"x": func() {}}}},
		"neither of them encodes":   {Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"x": {Value: func() {}}}, Extra: map[string]any{"x": 1}}},
		"unregistered type":         {ResponseType: "code id_token"},
		"query with a token":        {ResponseType: "id_token", ResponseMode: "query"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.c.Begin(t.Context(), p)
			wantInput(t, err, oidc.BadParameter)
		})
	}
	for name, p := range map[string]oidc.AuthParams{
		"none":           {ResponseType: "none"},
		"token":          {ResponseType: "token"},
		"unknown":        {ResponseType: "code cookie"},
		"twice":          {ResponseType: "code code"},
		"mode":           {ResponseMode: "pigeon"},
		"jwt mode":       {ResponseMode: "web_message.jwt"},
		"web message":    {ResponseMode: "web_message"},
		"empty by space": {ResponseType: " "},
	} {
		t.Run("unsupported "+name, func(t *testing.T) {
			_, err := r.c.Begin(t.Context(), p)
			wantUnsupported(t, err)
		})
	}
	t.Run("mode that the OP lacks", func(t *testing.T) {
		op := newOP(t)
		member(op, "response_modes_supported", nil) // query and fragment
		r := setup(t, op)
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: "form_post"})
		wantUnsupported(t, err)
		if _, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: "fragment"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("default mode that the OP does not announce", func(t *testing.T) {
		op := newOP(t)
		member(op, "response_modes_supported", []string{"form_post"})
		if _, v := setup(t, op).with(oidc.AuthParams{ResponseMode: "query"}).begins(); v.Get("response_mode") != "query" {
			t.Errorf("sent %v", v)
		}
	})
	t.Run("type that the OP lacks", func(t *testing.T) {
		op := newOP(t)
		member(op, "response_types_supported", []string{"code"})
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = nil })
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "id_token"})
		wantUnsupported(t, err)
	})
	t.Run("DPoP is for a code", func(t *testing.T) {
		r := setup(t, op, types("code", "id_token"))
		r.client(withDPoP(oidc.DPoPES256()))
		for rt, bound := range map[string]bool{"code": true, "id_token": false} {
			req, v := r.with(oidc.AuthParams{ResponseType: rt}).begins()
			if v.Has("dpop_jkt") != bound || (req.Pending.DPoP != nil) != bound {
				t.Errorf("%s: sent %v, with a key: %v", rt, v, req.Pending.DPoP != nil)
			}
		}
	})
	t.Run("the trace says how it travels", func(t *testing.T) {
		w := &watcher{}
		r := setup(t, op)
		r.opts.Trace = w.trace()
		r.discover()
		r.client()
		for _, post := range []bool{false, true} {
			r.with(oidc.AuthParams{Post: post}).begins()
		}
		if len(w.fronts) != 2 || w.fronts[0].Mode != "GET" || w.fronts[1].Mode != "POST" {
			t.Errorf("told %+v", w.fronts)
		}
	})
	t.Run("native client on any loopback port", func(t *testing.T) {
		r := setup(t, newOP(t), func(m *oidc.ClientMetadata) {
			m.ApplicationType, m.RedirectURIs = "native", []string{"http://127.0.0.1/cb", "com.example.app:/cb"}
			m.TokenEndpointAuthMethod = "none"
		})
		for _, uri := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", "com.example.app:/cb"} {
			if _, err := r.c.Begin(t.Context(), oidc.AuthParams{RedirectURI: uri}); err != nil {
				t.Errorf("%s: %v", uri, err)
			}
		}
		for _, uri := range []string{"http://127.0.0.1:49152/other", "http://localhost:49152/cb", "https://127.0.0.1:49152/cb", "http://127.0.0.2:1/cb", "http://rp.example/cb", "http://127.0.0.1:1/cb?x", "http://u@127.0.0.1:1/cb", "://"} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{RedirectURI: uri})
			if err == nil {
				t.Errorf("%s: accepted", uri)
			}
		}
		r.params.RedirectURI = "http://127.0.0.1:49152/cb"
		r.mustLogin()
	})
	t.Run("another port of no native client's loopback", func(t *testing.T) {
		r := setup(t, newOP(t))
		for _, c := range []struct{ kind, registered, asked string }{
			{"web", "http://127.0.0.1/cb", "http://127.0.0.1:49152/cb"},
			{"native", "http://rp.example/cb", "http://rp.example:49152/cb"},
			{"native", "https://127.0.0.1/cb", "http://127.0.0.1:49152/cb"},
		} {
			r.client(func(config *oidc.ClientConfig) {
				config.Metadata.ApplicationType, config.Metadata.RedirectURIs = c.kind, []string{c.registered}
			})
			r.with(oidc.AuthParams{}).begins()
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{RedirectURI: c.asked})
			wantInput(t, err, oidc.BadParameter)
		}
	})
}

// TestPendingExport carries a login through a store.
func TestPendingExport(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	age := time.Hour
	r.params.MaxAge, r.params.Scopes = &age, []string{"email"}
	r.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": {Essential: true, Values: []any{oidctest.ACRValues()[0], 7}}}}
	pending, cb := r.begin()
	data, err := pending.Export()
	if err != nil {
		t.Fatal(err)
	}
	back, err := oidc.ImportPending(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Export()
	if err != nil || string(again) != string(data) {
		t.Errorf("%s\nbecame\n%s, %v", data, again, err)
	}
	if len(back.ACR) != 1 || *back.MaxAge != age {
		t.Errorf("got %s", again)
	}
	if _, err := r.finish(back, cb); err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"", "null", "{}", "[]", `{"iss":"x"}`, `{"st":"x"}`, `{"iss":"x","st":"y","st":"z"}`, `{"iss":"x","st":"y","t":"yesterday"}`, `{"iss":"x","st":"y","t":"2026-01-01T00:00:00Z","dk":"ES256.AA"}`} {
		_, err := oidc.ImportPending([]byte(bad))
		wantInput(t, err, oidc.BadParameter)
	}
}
