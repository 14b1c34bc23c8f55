package oidc_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The pages of docs/providers show what stands between the regions here. The
// tests of each run it against an OP that answers under the provider's name and
// in its manner, by what the provider's own documentation says.

// login is one configuration of those pages.
type login struct {
	issuer  string
	options *oidc.Options
	client  oidc.ClientConfig
	params  oidc.AuthParams
	// announced is the issuer in the metadata, where that is another one.
	announced string
}

// at runs a login of the pages: the OP answers under the issuer's name.
func (l login) at(t *testing.T, edit ...func(*oidctest.Config)) *rig {
	t.Helper()
	u, err := url.Parse(l.issuer)
	if err != nil {
		t.Fatal(err)
	}
	op := newOP(t, append([]func(*oidctest.Config){func(c *oidctest.Config) {
		c.Hosts, c.Path = []string{u.Host}, strings.TrimSuffix(u.Path, "/")
	}}, edit...)...)
	own := op.Issuer
	op.TamperMetadata(func(m map[string]any) {
		for k, v := range m {
			if s, ok := v.(string); ok {
				m[k] = strings.Replace(s, own, strings.TrimSuffix(l.issuer, "/"), 1)
			}
		}
		m["issuer"] = l.issuer
		if l.announced != "" {
			m["issuer"] = l.announced
		}
		delete(m, "authorization_response_iss_parameter_supported") // as all of these
	})
	op.TamperAuthResponse(func(v url.Values) { v.Del("iss") })
	op.TamperIDToken(func(_, c map[string]any) { c["iss"] = l.issuer })
	method := l.client.Metadata.TokenEndpointAuthMethod
	if l.client.Auth != nil {
		method = l.client.Auth.Method()
	}
	known := oidctest.Client{ID: l.client.ID, Secret: l.client.Secret, RedirectURIs: l.client.Metadata.RedirectURIs, TokenEndpointAuthMethod: method,
		GrantTypes: []string{"authorization_code", "refresh_token"}}
	if len(l.client.Keys) > 0 {
		if known.JWKS, err = oidc.PublicJWKS(l.client.Keys...); err != nil {
			t.Fatal(err)
		}
	}
	op.AddClient(known)
	r := &rig{t: t, op: op, opts: options(op), params: l.params, wire: &wire{}}
	r.opts.AllowPrivate = append(r.opts.AllowPrivate, u.Hostname())
	if l.options != nil {
		r.opts.Tenants = l.options.Tenants
	}
	if r.p, err = oidc.Discover(t.Context(), l.issuer, r.opts); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.p.Close)
	if r.c, err = oidc.NewClient(r.p, l.client); err != nil {
		t.Fatal(err)
	}
	return r
}

// secret is what os.Getenv gives the pages.
func secret(t *testing.T) {
	t.Helper()
	t.Setenv("CLIENT_SECRET", "of-at-least-thirty-two-characters")
}

func googleLogin() login {
	// region: google
	issuer := "https://accounts.google.com"
	client := oidc.ClientConfig{
		ID:       "1234567890-abc.apps.googleusercontent.com",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
	}
	params := oidc.AuthParams{
		Scopes: []string{"email", "profile"},
		Extra: url.Values{
			"access_type": {"offline"},          // for a refresh token; offline_access is not known
			"hd":          {"corp.example.com"}, // offers accounts of this organisation; a hint, see below
		},
	}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: params}
}

// organisationOf is the check that the parameter hd does not make.
func organisationOf(tokens *oidc.Tokens) (string, error) {
	// region: google-hd
	var claims struct {
		Organisation string `json:"hd"` // absent for a personal account
	}
	err := tokens.IDToken.Claims(&claims)
	// endregion
	return claims.Organisation, err
}

func TestProviderGoogle(t *testing.T) {
	secret(t)
	r := googleLogin().at(t)
	tok := r.mustLogin()
	q := r.op.Requests(oidctest.EndpointAuthorization)[0].Query
	if q.Get("access_type") != "offline" || q.Get("hd") != "corp.example.com" {
		t.Errorf("sent %v", q)
	}
	// The parameter is a wish: a personal account comes all the same.
	if hd, err := organisationOf(tok); err != nil || hd != "" {
		t.Errorf("got %q, %v", hd, err)
	}
	r.op.TamperIDToken(func(_, c map[string]any) {
		c["iss"], c["hd"] = r.p.Issuer(), "corp.example.com"
		c["email"], c["email_verified"] = "alice@corp.example.com", true
	})
	tok = r.mustLogin()
	if hd, err := organisationOf(tok); err != nil || hd != "corp.example.com" {
		t.Errorf("got %q, %v", hd, err)
	}
	if s := tok.IDToken.Standard(); s.Email != "alice@corp.example.com" || !s.EmailVerified {
		t.Errorf("got %+v", s)
	}
	// Without its scheme, as it once was, the issuer is another one.
	r.op.TamperIDToken(func(_, c map[string]any) { c["iss"] = "accounts.google.com" })
	r.refused(oidc.BadIssuer)
}

func auth0Login() login {
	// region: auth0
	issuer := "https://example.eu.auth0.com/" // with its slash
	client := oidc.ClientConfig{
		ID:       "aBcDeFgHiJkLmNoPqRsTuVwXyZ012345",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
	}
	params := oidc.AuthParams{
		Scopes: []string{"email", "profile", "offline_access"},
		Extra:  url.Values{"audience": {"https://api.example.com"}}, // for an API's token; leave it out otherwise
	}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: params}
}

func TestProviderAuth0(t *testing.T) {
	secret(t)
	r := auth0Login().at(t)
	r.op.TamperIDToken(func(_, c map[string]any) {
		c["iss"], c["sub"] = "https://example.eu.auth0.com/", "auth0|507f1f77bcf86cd799439011"
	})
	tok := r.mustLogin()
	if got := tok.IDToken.Identity(); got.Subject != "auth0|507f1f77bcf86cd799439011" || got.Issuer != "https://example.eu.auth0.com/" {
		t.Errorf("got %v", got)
	}
	// The slash is a part of the name.
	_, err := oidc.Discover(t.Context(), "https://example.eu.auth0.com", r.opts)
	wantReason(t, err, oidc.MetadataIssuerMismatch)
}

func oktaLogin() login {
	// region: okta
	issuer := "https://example.okta.com/oauth2/default" // a custom authorization server; of the organisation: https://example.okta.com
	client := oidc.ClientConfig{
		ID:       "0oa1b2c3d4e5F6G7h8i9",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
	}
	params := oidc.AuthParams{Scopes: []string{"email", "profile", "groups", "offline_access"}}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: params}
}

// TestProviderOkta: with an access token beside it the ID Token is thin, and the
// claims are at UserInfo.
func TestProviderOkta(t *testing.T) {
	secret(t)
	r := oktaLogin().at(t)
	r.op.TamperUserInfo(func(m map[string]any) { m["groups"] = []string{"Everyone", "admins"} })
	tok := r.mustLogin()
	if s := tok.IDToken.Standard(); s.Email != "" {
		t.Errorf("the ID Token has %q", s.Email)
	}
	u, err := r.c.UserInfo(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		Groups []string `json:"groups"`
	}
	if err := u.Claims(&claims); err != nil || len(claims.Groups) != 2 || u.Email == "" {
		t.Errorf("got %v, %q, %v", claims.Groups, u.Email, err)
	}
	if u.Identity() != tok.IDToken.Identity() {
		t.Errorf("got %v, want %v", u.Identity(), tok.IDToken.Identity())
	}
	// The organisation's server is another issuer, with other users' subjects.
	_, err = oidc.Discover(t.Context(), "https://example.okta.com", r.opts)
	if err == nil {
		t.Error("one server passes for the other")
	}
}

func keycloakLogin() login {
	// region: keycloak
	issuer := "https://sso.example.com/realms/main"                     // before Keycloak 17: /auth/realms/main
	options := &oidc.Options{AllowPrivate: []string{"sso.example.com"}} // only if it is in your own network
	client := oidc.ClientConfig{
		ID:     "app",
		Secret: os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{
			RedirectURIs:                     []string{"https://app.example.com/callback"},
			PostLogoutRedirectURIs:           []string{"https://app.example.com/"},
			BackchannelLogoutURI:             "https://app.example.com/auth/logout/backchannel",
			BackchannelLogoutSessionRequired: true,
		},
	}
	params := oidc.AuthParams{Scopes: []string{"email", "profile"}}
	// endregion
	return login{issuer: issuer, options: options, client: client, params: params}
}

func TestProviderKeycloak(t *testing.T) {
	secret(t)
	r := keycloakLogin().at(t)
	tok := r.mustLogin()
	if tok.IDToken.Issuer != "https://sso.example.com/realms/main" {
		t.Errorf("the issuer is %q", tok.IDToken.Issuer)
	}
	if _, err := r.c.Logout(oidc.LogoutParams{IDToken: tok.IDToken, PostLogoutRedirectURI: "https://app.example.com/"}); err != nil {
		t.Errorf("logout: %v", err)
	}
	// Realms share a host; a token of another one is another issuer's.
	r.op.TamperIDToken(func(_, c map[string]any) { c["iss"] = "https://sso.example.com/realms/other" })
	r.refused(oidc.BadIssuer)
}

func cognitoLogin() login {
	// region: cognito
	issuer := "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_Example"
	client := oidc.ClientConfig{
		ID:       "1example23456789",
		Secret:   os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://app.example.com/callback"}},
		Quirks:   oidc.Quirks{EmailVerifiedString: true}, // UserInfo says "true", a string
	}
	params := oidc.AuthParams{Scopes: []string{"email", "profile"}}
	// endregion
	return login{issuer: issuer, options: nil, client: client, params: params}
}

func TestProviderCognito(t *testing.T) {
	secret(t)
	for quirk, want := range map[bool]bool{true: true, false: false} {
		l := cognitoLogin()
		l.client.Quirks.EmailVerifiedString = quirk
		r := l.at(t)
		r.op.TamperUserInfo(func(m map[string]any) { m["email"], m["email_verified"] = "alice@example.com", "true" })
		u, err := r.c.UserInfo(t.Context(), r.mustLogin())
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := u.VerifiedEmail(); ok != want {
			t.Errorf("with the quirk %v the address is verified: %v", quirk, ok)
		}
		r.op.TamperUserInfo(func(m map[string]any) { m["email"], m["email_verified"] = "alice@example.com", "false" })
		if u, err = r.c.UserInfo(t.Context(), r.mustLogin()); err != nil || u.EmailVerified {
			t.Errorf("got %v, %v", u, err)
		}
	}
}

func adfsLogin(key oidc.Key) login {
	// region: adfs
	issuer := "https://adfs.example.com/adfs"
	options := &oidc.Options{AllowPrivate: []string{"adfs.example.com"}} // only if it is in your own network
	client := oidc.ClientConfig{
		ID:   "11112222-3333-4444-5555-666677778888",
		Keys: []oidc.Key{key}, // or Secret
		Metadata: oidc.ClientMetadata{
			RedirectURIs:            []string{"https://app.example.com/callback"},
			TokenEndpointAuthMethod: oidc.AuthPrivateKey,
		},
		Quirks: oidc.Quirks{AssertionAudienceEndpoint: true}, // assertions are for the token endpoint
	}
	params := oidc.AuthParams{Scopes: []string{"allatclaims"}} // claims in the ID Token: UserInfo has sub alone
	// endregion
	return login{issuer: issuer, options: options, client: client, params: params}
}

// readdressed keeps who an assertion is for, and sends it to the test OP, which
// knows itself by another name.
type readdressed struct {
	oidc.ClientAuth
	to, was *string
}

func (a readdressed) Authenticate(ctx context.Context, r *oidc.AuthenticatedRequest) error {
	*a.was, r.Audience = r.Audience, *a.to
	return a.ClientAuth.Authenticate(ctx, r)
}

func TestProviderADFS(t *testing.T) {
	var to, audience string
	l := adfsLogin(testKey())
	l.client.Auth = readdressed{oidc.PrivateKeyJWT(testKey()), &to, &audience}
	r := l.at(t)
	to = r.op.URL(oidctest.EndpointToken)
	r.op.TamperIDToken(func(_, c map[string]any) {
		c["iss"], c["upn"], c["unique_name"] = "https://adfs.example.com/adfs", "alice@corp.example.com", `CORP\alice`
	})
	r.op.TamperUserInfo(func(m map[string]any) {
		sub := m["sub"]
		clear(m)
		m["sub"] = sub
	})
	tok := r.mustLogin()
	var claims struct {
		UPN string `json:"upn"`
	}
	if err := tok.IDToken.Claims(&claims); err != nil || claims.UPN != "alice@corp.example.com" {
		t.Errorf("got %q, %v", claims.UPN, err)
	}
	if tok.IDToken.Identity().Subject == claims.UPN {
		t.Error("a name that can be given away is the key of the account")
	}
	if audience != "https://adfs.example.com/adfs/token" {
		t.Errorf("the assertion is for %s", audience)
	}
	u, err := r.c.UserInfo(t.Context(), tok)
	if err != nil || u.Email != "" {
		t.Errorf("got %v, %v", u, err)
	}
}
