package oidc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// oauthOnly makes an OP answer as GitHub does: no ID Token, scopes with commas,
// and an API that knows users by number. It returns a client there.
func oauthOnly(t *testing.T, edit ...func(*oidc.ClientConfig)) (*oidctest.OP, *oidc.Client) {
	t.Helper()
	op := newOP(t, func(c *oidctest.Config) { c.AllowNoOpenID = true })
	op.TamperTokenResponse(func(m map[string]any) {
		delete(m, "id_token")
		m["scope"] = "read:user,user:email"
	})
	apiAnswers(op, map[string]any{"id": 583231, "login": "octocat", "name": "The Octocat", "email": "octocat@example.com", "email_verified": true})
	known := op.AddClient(oidctest.Client{ID: "app", Secret: "of-at-least-thirty-two-characters", RedirectURIs: []string{redirectURI}})
	p, err := oidc.NewProvider(oidc.ProviderMetadata{
		Issuer:                op.Issuer,
		AuthorizationEndpoint: op.URL(oidctest.EndpointAuthorization),
		TokenEndpoint:         op.URL(oidctest.EndpointToken),
	}, options(op))
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, oauthConfig(op, known, edit...))
	if err != nil {
		t.Fatal(err)
	}
	return op, c
}

func oauthConfig(op *oidctest.OP, known oidctest.Client, edit ...func(*oidc.ClientConfig)) oidc.ClientConfig {
	config := oidc.ClientConfig{
		ID: known.ID, Secret: known.Secret,
		Metadata:  oidc.ClientMetadata{RedirectURIs: []string{redirectURI}},
		OAuthOnly: &oidc.OAuthOnly{Endpoint: op.URL(oidctest.EndpointUserInfo), SubjectMember: "id"},
		Quirks:    oidc.Quirks{CommaScopes: true},
	}
	for _, e := range edit {
		e(&config)
	}
	return config
}

// apiAnswers makes the API answer with that object alone.
func apiAnswers(op *oidctest.OP, user map[string]any) {
	op.TamperUserInfo(func(m map[string]any) {
		clear(m)
		for k, v := range user {
			m[k] = v
		}
	})
}

func loginByOAuth(t *testing.T, op *oidctest.OP, c *oidc.Client, p oidc.AuthParams) (*oidc.AuthRequest, *oidc.Tokens) {
	t.Helper()
	req, err := c.Begin(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	cb, err := op.Browser().Login(t.Context(), req.URL())
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := c.Finish(t.Context(), req.Pending, a)
	if err != nil {
		t.Fatal(err)
	}
	return req, tok
}

func TestOAuthOnly(t *testing.T) {
	op, c := oauthOnly(t)
	req, tok := loginByOAuth(t, op, c, oidc.AuthParams{Scopes: []string{"read:user", "user:email"}})
	sent := op.Requests(oidctest.EndpointAuthorization)[0].Query
	if sent.Has("nonce") || strings.Contains(sent.Get("scope"), "openid") {
		t.Errorf("sent nonce %q and scope %q, want neither of OpenID Connect", sent.Get("nonce"), sent.Get("scope"))
	}
	if sent.Get("code_challenge_method") != "S256" || sent.Get("state") == "" {
		t.Errorf("sent no PKCE or state: %v", sent)
	}
	plain, err := c.Begin(t.Context(), oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	if _, sent := plain.Form(); sent.Has("scope") {
		t.Errorf("sent scope %q where none was asked for", sent.Get("scope"))
	}
	if tok.IDToken != nil {
		t.Error("there is an ID Token that nobody gave")
	}
	if want := []string{"read:user", "user:email"}; !slices.Equal(tok.Scopes, want) {
		t.Errorf("scopes %q, want %q", tok.Scopes, want)
	}
	u, err := c.UserInfo(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := u.Identity(), (oidc.Identity{Issuer: op.Issuer, Subject: "583231"}); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if u.Name != "The Octocat" || u.Email != "octocat@example.com" {
		t.Errorf("got %q, %q", u.Name, u.Email)
	}
	if _, ok := u.VerifiedEmail(); ok {
		t.Error("an API's word for email_verified counts as OpenID Connect's")
	}
	var own struct {
		Login string `json:"login"`
	}
	if err := u.Claims(&own); err != nil || own.Login != "octocat" {
		t.Errorf("got %q, %v", own.Login, err)
	}
	if c.OpenID() {
		t.Error("the client says that it gives ID Tokens")
	}

	// What a login is checked for stays: state, issuer, client.
	other := req.Pending
	other.State = "another-state"
	a, err := oidc.ReadAuthQuery("code=x&state=" + req.Pending.State)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Finish(t.Context(), other, a)
	wantReason(t, err, oidc.BadState)

	// An ID Token that comes all the same is not believed.
	op.TamperTokenResponse(func(m map[string]any) { m["id_token"] = "e30.e30." })
	if _, tok := loginByOAuth(t, op, c, oidc.AuthParams{}); tok.IDToken != nil {
		t.Error("an ID Token was believed that nobody verified")
	}
	kept := &oidc.Tokens{AccessToken: "a", TokenType: "bearer", RefreshToken: "r"}
	op.TamperTokenResponse(nil)
	op.Intercept(oidctest.EndpointToken, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"b","token_type":"bearer","id_token":"e30.e30."}`))
	})
	if tok, err := c.Refresh(t.Context(), kept); err != nil || tok.AccessToken != "b" || tok.IDToken != nil {
		t.Errorf("an ID Token beside a renewed one: got %v, %v", tok, err)
	}
}

// TestOAuthOnlySubject: who the user is must be one thing, for good.
func TestOAuthOnlySubject(t *testing.T) {
	op, c := oauthOnly(t)
	_, tok := loginByOAuth(t, op, c, oidc.AuthParams{})
	for _, user := range []map[string]any{
		{"login": "octocat"},
		{"id": nil},
		{"id": ""},
		{"id": true},
		{"id": 1.5},
		{"id": json.RawMessage("1e3")},
		{"id": []int{1}},
		{"id": map[string]any{"id": 1}},
		{"id": strings.Repeat("9", 300)},
		{"ID": 1},
		{"sub": "583231"},
	} {
		apiAnswers(op, user)
		_, err := c.UserInfo(t.Context(), tok)
		wantReason(t, err, oidc.BadSubject)
	}
	apiAnswers(op, map[string]any{"id": "u-1", "sub": "somebody else"})
	u, err := c.UserInfo(t.Context(), tok)
	if err != nil || u.Subject != "u-1" {
		t.Errorf("got %v, %v", u, err)
	}
	longest := strings.Repeat("u", oidc.MaxSubject)
	apiAnswers(op, map[string]any{"id": longest})
	if u, err := c.UserInfo(t.Context(), tok); err != nil || u.Subject != longest {
		t.Errorf("a name of the greatest length: got %v, %v", u, err)
	}
	apiAnswers(op, map[string]any{"id": longest + "u"})
	_, err = c.UserInfo(t.Context(), tok)
	wantReason(t, err, oidc.BadSubject)
	op.Break(oidctest.UserInfoHTML)
	if _, err := c.UserInfo(t.Context(), tok); err == nil {
		t.Error("a page is an answer")
	}
}

// TestOAuthOnlyAnswers: what is no success names nobody, and no token that cannot be
// presented is.
func TestOAuthOnlyAnswers(t *testing.T) {
	op, c := oauthOnly(t)
	_, tok := loginByOAuth(t, op, c, oidc.AuthParams{})
	for _, status := range []int{201, 202, 203, 403, 503} {
		op.Intercept(oidctest.EndpointUserInfo, respond(status, "application/json", `{"id":583231}`))
		_, err := c.UserInfo(t.Context(), tok)
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || oe.StatusCode != status {
			t.Errorf("status %d: got %v", status, err)
		}
	}
	for _, body := range []string{`[{"id":583231}]`, `{"id":583231`, `{"id":583231,"id":583232}`, `null`} {
		op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/json", body))
		_, err := c.UserInfo(t.Context(), tok)
		wantReason(t, err, oidc.MalformedResponse)
	}
	op.ClearLog()
	for _, none := range []*oidc.Tokens{nil, {TokenType: "Bearer"}} {
		_, err := c.UserInfo(t.Context(), none)
		wantInput(t, err, oidc.NoAccessToken)
	}
	_, err := c.UserInfo(t.Context(), &oidc.Tokens{AccessToken: "a", TokenType: "mac"})
	if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
		t.Errorf("got %v", err)
	}
	wantNoCall(t, op, oidctest.EndpointUserInfo)
}

// TestOAuthOnlyRefuses: at construction what cannot work, at Begin what would look
// as if it were checked.
func TestOAuthOnlyRefuses(t *testing.T) {
	op, c := oauthOnly(t)
	known := op.Clients()[0]
	for name, edit := range map[string]func(*oidc.ClientConfig){
		"no endpoint":       func(c *oidc.ClientConfig) { c.OAuthOnly.Endpoint = "" },
		"http":              func(c *oidc.ClientConfig) { c.OAuthOnly.Endpoint = "http://api.example/user" },
		"no member":         func(c *oidc.ClientConfig) { c.OAuthOnly.SubjectMember = "" },
		"an address":        func(c *oidc.ClientConfig) { c.OAuthOnly.SubjectMember = "email" },
		"a login name":      func(c *oidc.ClientConfig) { c.OAuthOnly.SubjectMember = "login" },
		"a header of ours":  func(c *oidc.ClientConfig) { c.OAuthOnly.Header = http.Header{"Authorization": {"Bearer x"}} },
		"an implicit token": func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"id_token token"} },
	} {
		if _, err := oidc.NewClient(c.Provider(), oauthConfig(op, known, edit)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	age := time.Minute
	for _, p := range []oidc.AuthParams{
		{Prompt: []string{"login"}}, {MaxAge: &age}, {ACRValues: []string{"gold"}}, {Claims: &oidc.ClaimsRequest{}}, {IDTokenHint: "x"},
	} {
		_, err := c.Begin(t.Context(), p)
		wantInput(t, err, oidc.BadParameter)
	}

	// Without OAuthOnly the same server gives nobody a login.
	plain, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: op.Issuer, AuthorizationEndpoint: op.URL(oidctest.EndpointAuthorization),
		TokenEndpoint: op.URL(oidctest.EndpointToken), JWKSURI: op.URL(oidctest.EndpointJWKS)}, options(op))
	if err != nil {
		t.Fatal(err)
	}
	strict, err := oidc.NewClient(plain, oauthConfig(op, known, func(c *oidc.ClientConfig) { c.OAuthOnly = nil }))
	if err != nil {
		t.Fatal(err)
	}
	req, err := strict.Begin(t.Context(), oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := op.Browser().Login(t.Context(), req.URL())
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		t.Fatal(err)
	}
	_, err = strict.Finish(t.Context(), req.Pending, a)
	wantReason(t, err, oidc.MissingIDToken)
}

// TestOAuthOnlyTakesNoTokens: what an OpenID Provider signs is refused, by whatever
// door it comes.
func TestOAuthOnlyTakesNoTokens(t *testing.T) {
	raw := setup(t, newOP(t)).mustLogin().IDToken.Raw()
	_, c := oauthOnly(t)
	_, err := c.VerifyIDToken(t.Context(), raw, oidc.ExpectedIDToken{Nonce: "n"})
	if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
		t.Errorf("got %v", err)
	}
	_, err = c.VerifyLogoutToken(t.Context(), raw)
	if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
		t.Errorf("got %v", err)
	}
	if i := c.InspectIDToken(t.Context(), raw, oidc.ExpectedIDToken{}); i.OK() || !strings.Contains(i.Err().Error(), "OAuthOnly") {
		t.Errorf("got %v", i.Err())
	}
}
