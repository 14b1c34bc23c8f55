package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The providers that go ways of their own: Microsoft Entra, Apple, GitHub.

func entraLogin() login {
	// region: entra
	issuer := "https://login.microsoftonline.com/organizations/v2.0"
	options := &oidc.Options{Tenants: &oidc.Tenants{
		Template: "https://login.microsoftonline.com/{tenantid}/v2.0",
		IDs:      []string{"11111111-2222-3333-4444-555555555555"}, // who may log in; nobody else may
	}}
	client := oidc.ClientConfig{
		ID:       "00001111-aaaa-2222-bbbb-3333cccc4444",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
	}
	params := oidc.AuthParams{Scopes: []string{"email", "profile"}}
	// endregion
	return login{issuer: issuer, options: options, client: client, params: params}
}

func entraOne() login {
	// region: entra-one
	issuer := "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"
	client := oidc.ClientConfig{
		ID:       "00001111-aaaa-2222-bbbb-3333cccc4444",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
	}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: oidc.AuthParams{}}
}

func entraFirst() login {
	// region: entra-v1
	issuer := "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555"
	options := &oidc.Options{Tenants: &oidc.Tenants{
		Template: "https://sts.windows.net/{tenantid}/",
		IDs:      []string{"11111111-2222-3333-4444-555555555555"},
	}}
	// endregion
	return login{issuer: issuer, options: options, client: entraOne().client, params: oidc.AuthParams{}}
}

// entraAPI takes access tokens of Entra's second version.
func entraAPI() oidc.AccessTokenConfig {
	// region: entra-api
	config := oidc.AccessTokenConfig{
		Audiences: []string{"00001111-aaaa-2222-bbbb-3333cccc4444"}, // the API's own client ID
		Quirks: oidc.Quirks{
			AccessTokenAnyType:  true,  // typ is JWT
			AccessTokenClientID: "azp", // who asked for the token
			AccessTokenScp:      true,
			AccessTokenNoID:     true, // there is uti, and no jti
		},
	}
	// endregion
	return config
}

// entraGroups reads the groups of a user of Entra; more says that there are too
// many for a token.
func entraGroups(idToken *oidc.IDToken) (groups []string, more bool, err error) {
	// region: entra-groups
	var claims struct {
		Groups []string `json:"groups"`
		Names  struct {
			Groups string `json:"groups"`
		} `json:"_claim_names"`
		HasGroups bool `json:"hasgroups"` // what the implicit flow says instead
	}
	if err := idToken.Claims(&claims); err != nil {
		return nil, false, err
	}
	if claims.Names.Groups != "" || claims.HasGroups {
		// More than 200: they are not in the token. No groups is not "in no group":
		// ask Microsoft Graph (/me/transitiveMemberOf), or refuse.
		return nil, true, nil
	}
	// endregion
	return claims.Groups, false, nil
}

// of makes the ID Tokens of r's OP those of a tenant.
func (r *rig) of(tid, iss string, more map[string]any) {
	r.op.TamperIDToken(func(_, c map[string]any) {
		c["tid"], c["iss"], c["ver"] = tid, iss, "2.0"
		for k, v := range more {
			c[k] = v
		}
	})
}

func TestProviderEntra(t *testing.T) {
	secret(t)
	const base = "https://login.microsoftonline.com/"
	l := entraLogin()
	l.announced = base + oidc.TenantPlace + "/v2.0"
	r := l.at(t)
	r.of(ourTenant, base+ourTenant+"/v2.0", map[string]any{"email": "alice@corp.example", "preferred_username": "alice@corp.example"})
	tok := r.mustLogin()
	if got := tok.IDToken.Identity().Issuer; got != base+ourTenant+"/v2.0" {
		t.Errorf("the issuer is %q", got)
	}
	if s := tok.IDToken.Standard(); s.Email == "" {
		t.Error("the address is not to be read")
	} else if _, ok := s.VerifiedEmail(); ok {
		t.Error("an address that Entra does not vouch for is verified")
	}
	r.of(otherTenant, base+otherTenant+"/v2.0", nil)
	r.refused(oidc.BadTenant)
	r.of(oidc.EntraConsumers, base+oidc.EntraConsumers+"/v2.0", nil)
	r.refused(oidc.BadTenant)

	r.of(ourTenant, base+ourTenant+"/v2.0", map[string]any{"groups": []string{"a", "b"}})
	if groups, more, err := entraGroups(r.mustLogin().IDToken); len(groups) != 2 || more || err != nil {
		t.Errorf("got %v, %v, %v", groups, more, err)
	}
	r.of(ourTenant, base+ourTenant+"/v2.0", map[string]any{
		"_claim_names":   map[string]any{"groups": "src1"},
		"_claim_sources": map[string]any{"src1": map[string]any{"endpoint": "https://graph.windows.net/" + ourTenant + "/users/1/getMemberObjects"}},
	})
	if groups, more, err := entraGroups(r.mustLogin().IDToken); groups != nil || !more || err != nil {
		t.Errorf("got %v, %v, %v", groups, more, err)
	}
	r.of(ourTenant, base+ourTenant+"/v2.0", map[string]any{"hasgroups": true})
	if _, more, err := entraGroups(r.mustLogin().IDToken); !more || err != nil {
		t.Errorf("got %v, %v", more, err)
	}
}

// TestProviderEntraAPI: an access token as Entra writes one, of a tenant that is
// allowed and of another.
func TestProviderEntraAPI(t *testing.T) {
	secret(t)
	const base = "https://login.microsoftonline.com/"
	l := entraLogin()
	l.announced = base + oidc.TenantPlace + "/v2.0"
	r := l.at(t)
	v, err := oidc.NewAccessTokenVerifier(r.p, entraAPI())
	if err != nil {
		t.Fatal(err)
	}
	token := func(tid string) string {
		now := r.op.Now()
		raw, err := r.op.Sign("RS256", map[string]any{"typ": "JWT"}, map[string]any{"aud": "00001111-aaaa-2222-bbbb-3333cccc4444", "iss": base + tid + "/v2.0",
			"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(time.Hour).Unix(), "azp": "22221111-aaaa-2222-bbbb-3333cccc4444", "azpacr": "1",
			"oid": "1", "scp": "Things.Read Things.Write", "sub": "s", "tid": tid, "uti": "u", "ver": "2.0"})
		if err != nil {
			t.Fatal(err)
		}
		return raw
	}
	tok, err := v.Verify(t.Context(), token(ourTenant), oidc.Presenter{})
	if err != nil {
		t.Fatal(err)
	}
	if tok.Identity() != (oidc.Identity{Issuer: base + ourTenant + "/v2.0", Subject: "s"}) || !tok.HasScope("Things.Write") {
		t.Errorf("got %v", tok)
	}
	_, err = v.Verify(t.Context(), token(otherTenant), oidc.Presenter{})
	wantReason(t, err, oidc.BadTenant)
}

func TestProviderEntraOneTenant(t *testing.T) {
	secret(t)
	r := entraOne().at(t)
	r.of(ourTenant, "https://login.microsoftonline.com/"+ourTenant+"/v2.0", nil)
	r.mustLogin()
	r.of(otherTenant, "https://login.microsoftonline.com/"+otherTenant+"/v2.0", nil)
	r.refused(oidc.BadIssuer)
}

func TestProviderEntraFirstVersion(t *testing.T) {
	secret(t)
	l := entraFirst()
	l.announced = "https://sts.windows.net/" + ourTenant + "/"
	r := l.at(t)
	r.of(ourTenant, "https://sts.windows.net/"+ourTenant+"/", map[string]any{"ver": "1.0"})
	r.mustLogin()
	// A token of the second version is not taken for one of the first.
	r.of(ourTenant, "https://login.microsoftonline.com/"+ourTenant+"/v2.0", nil)
	r.refused(oidc.BadIssuer)
}

func appleLogin(key oidc.Key) login {
	// region: apple
	issuer := "https://appleid.apple.com"
	client := oidc.ClientConfig{
		ID:       "com.example.web",                    // the Services ID
		Auth:     oidc.SignedSecret("TEAM123456", key), // the Team ID; key.ID is the Key ID
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
		Quirks:   oidc.Quirks{EmailVerifiedString: true}, // "true", a string
	}
	params := oidc.AuthParams{
		Scopes:       []string{"name", "email"},
		ResponseMode: oidc.ModeFormPost, // required as soon as a scope is asked for
	}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: params}
}

// appleName reads the name, which comes once, beside the first answer ever.
func appleName(r *http.Request) (name string) {
	// region: apple-user
	var user struct {
		Name struct{ FirstName, LastName string } `json:"name"`
	}
	if err := json.Unmarshal([]byte(r.PostFormValue("user")), &user); err == nil {
		// The browser carried it, and nobody signed it: a name to show, no claim.
		name = user.Name.FirstName + " " + user.Name.LastName
	}
	// endregion
	return name
}

// swapped sends another secret than the one inside, which it keeps.
type swapped struct {
	oidc.ClientAuth
	secret string
	signed *string
}

func (s swapped) Authenticate(ctx context.Context, r *oidc.AuthenticatedRequest) error {
	if err := s.ClientAuth.Authenticate(ctx, r); err != nil {
		return err
	}
	*s.signed = r.Form.Get("client_secret")
	r.Form.Set("client_secret", s.secret)
	return nil
}

func TestProviderApple(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	l := appleLogin(oidc.Key{ID: "KEY1234567", Private: private})
	// The test OP knows secrets that stay as they are.
	var signed string
	l.client.Secret = "of-at-least-thirty-two-characters"
	l.client.Auth = swapped{l.client.Auth, l.client.Secret, &signed}
	r := l.at(t)
	r.op.TamperIDToken(func(_, c map[string]any) {
		c["iss"], c["sub"] = "https://appleid.apple.com", "000792.d71059495fa24644b94e4a644e2e3b4a.0638"
		c["email"], c["email_verified"], c["is_private_email"] = "abc@privaterelay.appleid.com", "true", "true"
	})
	r.op.TamperAuthResponse(func(v url.Values) {
		v.Del("iss")
		v.Set("user", `{"name":{"firstName":"Alice","lastName":"Liddell"},"email":"somebody@else.example"}`)
	})
	tok := r.mustLogin()
	if claims := parseJWT(t, signed).claims; claims["iss"] != "TEAM123456" || claims["sub"] != "com.example.web" || claims["aud"] != "https://appleid.apple.com" {
		t.Errorf("the secret is %v", claims)
	}
	s := tok.IDToken.Standard()
	if address, ok := s.VerifiedEmail(); !ok || address != "abc@privaterelay.appleid.com" {
		t.Errorf("got %q, %v", address, ok)
	}

	_, cb := r.begin()
	if cb.Mode != oidc.ModeFormPost {
		t.Errorf("the answer came by %s", cb.Mode)
	}
	if name := appleName(cb.Request()); name != "Alice Liddell" {
		t.Errorf("the name is %q", name)
	}
	if name := appleName(&http.Request{Method: http.MethodPost}); name != "" {
		t.Errorf("the name is %q where none came", name)
	}

	// Without the quirk the string counts for nothing.
	l.client.Quirks.EmailVerifiedString = false
	if r.c, err = oidc.NewClient(r.p, l.client); err != nil {
		t.Fatal(err)
	}
	s = r.mustLogin().IDToken.Standard()
	if _, ok := s.VerifiedEmail(); ok {
		t.Error("a string counts as a boolean, and nobody said so")
	}
}

func githubClient(options *oidc.Options) (*oidc.Client, error) {
	// region: github
	provider, err := oidc.NewProvider(oidc.ProviderMetadata{
		Issuer:                "https://github.com/login/oauth", // a name for it; nothing is signed by it
		AuthorizationEndpoint: "https://github.com/login/oauth/authorize",
		TokenEndpoint:         "https://github.com/login/oauth/access_token",
	}, options)
	if err != nil {
		return nil, err
	}
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID:       "Iv1.0123456789abcdef",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}, TokenEndpointAuthMethod: oidc.AuthSecretPost},
		OAuthOnly: &oidc.OAuthOnly{
			Endpoint:      "https://api.github.com/user",
			SubjectMember: "id", // not login: a name that was given up can be taken by another
			Header:        http.Header{"Accept": {"application/vnd.github+json"}, "X-Github-Api-Version": {"2022-11-28"}},
		},
		Quirks: oidc.Quirks{CommaScopes: true}, // "read:user,user:email"
	})
	// endregion
	return client, err
}

// githubUser is who logged in.
func githubUser(ctx context.Context, client *oidc.Client, tokens *oidc.Tokens) (oidc.Identity, error) {
	// region: github-user
	user, err := client.UserInfo(ctx, tokens) // right after Finish, with its tokens
	if err != nil {
		return oidc.Identity{}, err
	}
	account := user.Identity() // https://github.com/login/oauth and the number
	// endregion
	return account, nil
}

// hosted sends requests for one path at GitHub to the endpoint of the test OP
// that plays its part.
type hosted struct {
	to    http.RoundTripper
	op    *oidctest.OP
	paths map[string]oidctest.Endpoint
}

func (h hosted) RoundTrip(r *http.Request) (*http.Response, error) {
	if e, ok := h.paths[r.URL.Path]; ok {
		r = r.Clone(r.Context())
		u, err := url.Parse(h.op.URL(e))
		if err != nil {
			return nil, err
		}
		r.URL, r.Host = u, u.Host
	}
	return h.to.RoundTrip(r)
}

func TestProviderGitHub(t *testing.T) {
	secret(t)
	op := newOP(t, func(c *oidctest.Config) { c.AllowNoOpenID, c.NoIssParameter = true, true })
	op.TamperTokenResponse(func(m map[string]any) {
		delete(m, "id_token")
		delete(m, "expires_in")
		m["token_type"], m["scope"] = "bearer", "read:user,user:email"
	})
	apiAnswers(op, map[string]any{"id": 583231, "login": "octocat", "name": "The Octocat", "email": nil})
	op.AddClient(oidctest.Client{ID: "Iv1.0123456789abcdef", Secret: os.Getenv("CLIENT_SECRET"), TokenEndpointAuthMethod: oidc.AuthSecretPost,
		RedirectURIs: []string{"https://app.example.com/callback"}})
	o := options(op)
	o.HTTPClient = &http.Client{Transport: hosted{o.HTTPClient.Transport, op, map[string]oidctest.Endpoint{
		"/login/oauth/access_token": oidctest.EndpointToken, "/user": oidctest.EndpointUserInfo,
	}}}
	c, err := githubClient(o)
	if err != nil {
		t.Fatal(err)
	}
	req, err := c.Begin(t.Context(), oidc.AuthParams{Scopes: []string{"read:user", "user:email"}})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(req.URL())
	if err != nil {
		t.Fatal(err)
	}
	if u.Host != "github.com" || u.Path != "/login/oauth/authorize" || u.Query().Get("code_challenge") == "" {
		t.Errorf("the browser goes to %s", u)
	}
	cb, err := op.Browser().Login(t.Context(), op.URL(oidctest.EndpointAuthorization)+"?"+u.RawQuery)
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
	account, err := githubUser(t.Context(), c, tok)
	if want := (oidc.Identity{Issuer: "https://github.com/login/oauth", Subject: "583231"}); err != nil || account != want {
		t.Errorf("got %v, %v", account, err)
	}
	if got := op.Requests(oidctest.EndpointUserInfo)[0].Header.Get("Accept"); got != "application/vnd.github+json" {
		t.Errorf("asked with Accept %q", got)
	}

	// GitHub says no with status 200.
	op.TamperTokenResponse(func(m map[string]any) {
		clear(m)
		m["error"], m["error_description"] = "bad_verification_code", "The code passed is incorrect or expired."
	})
	req, err = c.Begin(t.Context(), oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	u, err = url.Parse(req.URL())
	if err != nil {
		t.Fatal(err)
	}
	if cb, err = op.Browser().Login(t.Context(), op.URL(oidctest.EndpointAuthorization)+"?"+u.RawQuery); err != nil {
		t.Fatal(err)
	}
	if a, err = oidc.ReadAuthResponse(cb.Request()); err != nil {
		t.Fatal(err)
	}
	_, err = c.Finish(t.Context(), req.Pending, a)
	r := &rig{t: t, op: op, wire: &wire{}}
	r.refusal(err, "bad_verification_code")
}
