package rp_test

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// TestS21_OneOPForLife: the simple client talks to one OP.
func TestS21_OneOPForLife(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	if g.Issuer() != r.op.Issuer {
		t.Fatalf("got issuer %q", g.Issuer())
	}
	_, err := r.rp.Start(t.Context(), "https://other.example", oidc.AuthParams{})
	want(t, err, rp.UnknownIssuer)
}

// TestS34_SeveralOPs: one RP serves several OPs, each with its own data.
func TestS34_SeveralOPs(t *testing.T) {
	one, two := newOP(t), newOP(t)
	d := &rp.Dynamic{
		Allow: rp.AllowIssuers(one.Issuer, two.Issuer), RedirectBase: "https://rp.example/cb",
		Options: &oidc.Options{HTTPClient: bothOPs(one, two), AllowPrivate: []string{"127.0.0.1"}},
	}
	r := setupAt(t, one)
	p := r.newRP(func(c *rp.Config) { c.Directory = d })
	for _, op := range []*oidctest.OP{one, two} {
		req, err := p.Start(t.Context(), op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		g, err := p.Finish(t.Context(), browse(t, op, req), rp.Arrival{Binding: req.Pending.State, RedirectURI: d.RedirectURI(op.Issuer)})
		if err != nil {
			t.Fatal(err)
		}
		if g.Issuer() != op.Issuer || len(op.Clients()) < 1 || g.ClientID() != op.Clients()[len(op.Clients())-1].ID {
			t.Fatalf("got %v", g)
		}
	}
	if d.RedirectURI(one.Issuer) == d.RedirectURI(two.Issuer) {
		t.Fatal("two issuers share a redirect URI")
	}
}

// TestS28_MetadataFromTwoPlaces: metadata is the combination of what the client
// always has and what this registration adds.
func TestS28_MetadataFromTwoPlaces(t *testing.T) {
	r := setup(t)
	d := r.dynamic(func(d *rp.Dynamic) { d.Metadata.ClientName = "Shop" })
	if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
		t.Fatal(err)
	}
	q := r.op.Requests(oidctest.EndpointRegistration)
	if len(q) != 1 || !strings.Contains(string(q[0].JSON), `"Shop"`) || !strings.Contains(string(q[0].JSON), d.RedirectURI(r.op.Issuer)) {
		t.Fatalf("got %v", q)
	}
}

// TestS40_StaticAndDynamicMixed: the four combinations of S6 in one directory.
func TestS40_StaticAndDynamicMixed(t *testing.T) {
	r := setup(t)
	const uri = "https://rp.example/cb/"
	tenant := func(path string) *oidctest.OP {
		op, err := r.op.Tenant(oidctest.Config{Path: path, RefreshAlways: true, RSAKey: rsaKey()})
		if err != nil {
			t.Fatal(err)
		}
		return op
	}
	static := func(op *oidctest.OP, uri string) oidc.ClientConfig {
		c := op.AddClient(oidctest.Client{RedirectURIs: []string{uri}})
		return oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{uri}}}
	}
	provider := func(op *oidctest.OP) *oidc.Provider {
		p, err := oidc.NewProvider(oidc.ProviderMetadata{
			Issuer: op.Issuer, AuthorizationEndpoint: op.URL(oidctest.EndpointAuthorization), TokenEndpoint: op.URL(oidctest.EndpointToken),
			UserInfoEndpoint: op.URL(oidctest.EndpointUserInfo), JWKSURI: op.URL(oidctest.EndpointJWKS),
			RegistrationEndpoint: op.URL(oidctest.EndpointRegistration),
		}, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		return p
	}
	ss, ds, sd, dd := tenant("/static-static"), tenant("/dynamic-static"), tenant("/static-dynamic"), tenant("/dynamic-dynamic")
	c, err := oidc.NewClient(provider(ss), static(ss, uri+"ss"))
	if err != nil {
		t.Fatal(err)
	}
	dynamic := r.dynamic(func(d *rp.Dynamic) {
		d.Allow = rp.AllowIssuers(sd.Issuer, dd.Issuer)
		d.Providers = []*oidc.Provider{provider(sd)}
	})
	p := r.newRP(func(cfg *rp.Config) {
		cfg.Directory = rp.Each(rp.Only(c), rp.Configured(ds.Issuer, r.opts, static(ds, uri+"ds")), dynamic)
	})
	for _, x := range []struct {
		op         *oidctest.OP
		uri        string
		discovered bool
		registered bool
	}{
		{ss, uri + "ss", false, false}, {ds, uri + "ds", true, false},
		{sd, dynamic.RedirectURI(sd.Issuer), false, true}, {dd, dynamic.RedirectURI(dd.Issuer), true, true},
	} {
		req, err := p.Start(t.Context(), x.op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatalf("%s: %v", x.op.Issuer, err)
		}
		g, err := p.Finish(t.Context(), browse(t, x.op, req), rp.Arrival{Binding: req.Pending.State, RedirectURI: x.uri})
		if err != nil {
			t.Fatalf("%s: %v", x.op.Issuer, err)
		}
		if _, err := g.UserInfo(t.Context()); err != nil {
			t.Errorf("%s: %v", x.op.Issuer, err)
		}
		if got := len(x.op.Requests(oidctest.EndpointDiscovery)) > 0; got != x.discovered {
			t.Errorf("%s: discovered is %v", x.op.Issuer, got)
		}
		if got := len(x.op.Requests(oidctest.EndpointRegistration)) > 0; got != x.registered {
			t.Errorf("%s: registered is %v", x.op.Issuer, got)
		}
	}
}

// TestS53_KeptForLater: state and nonce are kept until the answer comes, and the
// state alone finds them.
func TestS53_KeptForLater(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	r.rp = r.newRP(nil) // another process
	if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
		t.Fatal(err)
	}
}

// TestS54_UsersApart: one user's state, nonce and tokens are never another's.
func TestS54_UsersApart(t *testing.T) {
	r := setup(t)
	users := []string{"alice", "bob", "dan"}
	states := make([]string, len(users))
	answers := make([]oidc.AuthResponse, len(users))
	for i, u := range users {
		r.params.LoginHint = u
		states[i], answers[i] = r.begin()
	}
	subjects := make(map[string]bool)
	for i := range users {
		g, err := r.rp.Finish(t.Context(), answers[i], here(states[i]))
		if err != nil {
			t.Fatal(err)
		}
		subjects[g.Subject()] = true
	}
	for i := range users {
		ui, err := r.rp.UserInfo(t.Context(), states[i])
		if err != nil {
			t.Fatal(err)
		}
		g, err := r.rp.Grant(t.Context(), states[i])
		if err != nil || g.Subject() != ui.Subject {
			t.Fatalf("%s: got %v, %v", users[i], g, err)
		}
	}
	if len(subjects) != len(users) {
		t.Fatalf("got %d users", len(subjects))
	}
}

// TestS58_StateCompared: a response with a state that was not sent is refused.
func TestS58_StateCompared(t *testing.T) {
	r := setup(t)
	r.begin()
	r.op.ClearLog()
	a, err := oidc.ReadAuthQuery("code=x&state=" + strings.Repeat("A", 43))
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.rp.Finish(t.Context(), a, rp.Arrival{InsecureAnyBrowser: true})
	want(t, err, rp.UnknownState)
	noCall(t, r.op, oidctest.EndpointToken)
}

// TestS60_TheRestIsFilledIn: state and response are enough for the token request.
// S59, S61, S62 and S63 show in it and its answer.
func TestS60_TheRestIsFilledIn(t *testing.T) {
	r := setup(t)
	r.mustLogin()
	q := r.op.Requests(oidctest.EndpointToken)
	if len(q) != 1 {
		t.Fatalf("%d token requests", len(q))
	}
	f := q[0].Form
	if f.Get("grant_type") != "authorization_code" || f.Get("code") == "" || f.Get("redirect_uri") != redirectURI || f.Get("code_verifier") == "" {
		t.Errorf("got form %v", f)
	}
}

// TestS61_ScopeOfTheRequest: what is granted is remembered; it is what was asked
// for if the OP says nothing.
func TestS61_ScopeOfTheRequest(t *testing.T) {
	r := setup(t)
	r.params.Scopes = []string{"email"}
	r.op.TamperTokenResponse(func(m map[string]any) { delete(m, "scope") })
	tok, err := r.rp.Tokens(t.Context(), r.mustLogin().State())
	if err != nil || !slices.Equal(tok.Scopes, []string{"openid", "email"}) {
		t.Fatalf("got %v, %v", tok.Scopes, err)
	}
}

// TestS62_BasicByDefault: client_secret_basic when nothing else is said.
func TestS62_BasicByDefault(t *testing.T) {
	r := setup(t)
	r.mustLogin()
	if m := r.op.Requests(oidctest.EndpointToken)[0].Auth.Method; m != oidc.AuthSecretBasic {
		t.Fatalf("got %s", m)
	}
}

// TestS63_ErrorResponse: the token endpoint may say no, and there is no grant.
func TestS63_ErrorResponse(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	r.op.Intercept(oidctest.EndpointToken, refuse(400, "invalid_grant"))
	_, err := r.rp.Finish(t.Context(), a, here(state))
	if op, ok := asOPError(err); !ok || op.Code != "invalid_grant" {
		t.Fatalf("got %v", err)
	}
	_, err = r.rp.Grant(t.Context(), state)
	want(t, err, rp.GrantEnded)
}

// TestS64_StoredByState: a successful response is kept under the state.
func TestS64_StoredByState(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	tok, err := r.rp.Tokens(t.Context(), g.State())
	if err != nil {
		t.Fatal(err)
	}
	direct, err := g.Tokens(t.Context())
	if err != nil || tok.AccessToken != direct.AccessToken || tok.AccessToken == "" {
		t.Fatalf("got %v and %v, %v", tok, direct, err)
	}
}

// TestS65_IDToken: the grant holds the verified ID Token.
func TestS65_IDToken(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	again, err := r.rp.Grant(t.Context(), g.State())
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range []*rp.Grant{g, again} {
		if id := g.IDToken(); id.Issuer != r.op.Issuer || id.Subject != g.Subject() || id.Raw() == "" || g.Identity() != id.Identity() {
			t.Fatalf("got %v", id)
		}
	}
}

// TestS66_Nonce: the ID Token must carry the nonce of this very login.
func TestS66_Nonce(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	r.op.TamperIDToken(func(_, claims map[string]any) { claims["nonce"] = "of-another-login" })
	_, err := r.rp.Finish(t.Context(), a, here(state))
	want(t, err, oidc.BadNonce)
}

// TestS67_UserInfoByState: the state is all that is needed.
func TestS67_UserInfoByState(t *testing.T) {
	r := setup(t)
	r.params.Scopes = []string{"email"}
	ui, err := r.rp.UserInfo(t.Context(), r.mustLogin().State())
	if err != nil || ui.Email == "" {
		t.Fatalf("got %v, %v", ui, err)
	}
}

// TestS68_TheRightToken: the token of that state is the one presented.
func TestS68_TheRightToken(t *testing.T) {
	r := setup(t)
	r.mustLogin()
	g := r.mustLogin()
	if _, err := r.rp.UserInfo(t.Context(), g.State()); err != nil {
		t.Fatal(err)
	}
	tok, _ := g.Tokens(t.Context())
	q := r.op.Requests(oidctest.EndpointUserInfo)
	if len(q) != 1 || q[0].Header.Get("Authorization") != "Bearer "+tok.AccessToken {
		t.Fatal("another token was presented")
	}
}

// TestS69_PresentedByItsType: a Bearer token goes into the Authorization header,
// and nowhere else.
func TestS69_PresentedByItsType(t *testing.T) {
	r := setup(t)
	if _, err := r.mustLogin().UserInfo(t.Context()); err != nil {
		t.Fatal(err)
	}
	q := r.op.Requests(oidctest.EndpointUserInfo)[0]
	if !strings.HasPrefix(q.Header.Get("Authorization"), "Bearer ") || len(q.Query) != 0 || len(q.Form) != 0 {
		t.Fatalf("got %v", q)
	}
}

// TestS80_ImplicitHasNoRefreshToken: there is only an access token.
func TestS80_ImplicitHasNoRefreshToken(t *testing.T) {
	r := setup(t)
	r.params.ResponseType = "id_token token"
	g := r.mustLogin()
	tok, err := g.Tokens(t.Context())
	if err != nil || tok.AccessToken == "" || tok.RefreshToken != "" {
		t.Fatalf("got %v, %v", tok, err)
	}
	noCall(t, r.op, oidctest.EndpointToken)
}

// TestS81_ImplicitNeedsALogin: a new access token needs another authentication
// request; who is logged in is still known.
func TestS81_ImplicitNeedsALogin(t *testing.T) {
	r := setup(t)
	r.params.ResponseType = "id_token token"
	g := r.mustLogin()
	r.expire()
	_, err := r.rp.Tokens(t.Context(), g.State())
	want(t, err, rp.LoginNeeded)
	if again, err := r.rp.Grant(t.Context(), g.State()); err != nil || again.Subject() != g.Subject() {
		t.Fatalf("got %v, %v", again, err)
	}
	noCall(t, r.op, oidctest.EndpointToken)
}

// TestS82_CodeFlowRefreshes: a refresh token renews the access token.
func TestS82_CodeFlowRefreshes(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	old, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	r.expire()
	tok, err := r.rp.Tokens(t.Context(), g.State())
	if err != nil || tok.AccessToken == old.AccessToken || !tok.Valid(r.op.Now(), 0) {
		t.Fatalf("got %v, %v", tok, err)
	}
	if n := r.refreshes(); n != 1 {
		t.Fatalf("%d refreshes", n)
	}
	if _, err := g.UserInfo(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestStartIdentifier: from what a user types to a login (S10 to S14 and on).
func TestStartIdentifier(t *testing.T) {
	r := setup(t)
	p := r.newRP(func(c *rp.Config) { c.WebFinger = r.opts })
	req, err := p.StartIdentifier(t.Context(), "alice@"+r.op.Host, oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	if req.Pending.Issuer != r.op.Issuer || !strings.Contains(req.URL(), "login_hint=alice") {
		t.Fatalf("got %v", req)
	}
	// The directory has the last word.
	p = r.newRP(func(c *rp.Config) { c.WebFinger = r.opts; c.Directory = rp.Only() })
	_, err = p.StartIdentifier(t.Context(), "alice@"+r.op.Host, oidc.AuthParams{})
	want(t, err, rp.UnknownIssuer)
}

func TestLoginData(t *testing.T) {
	r := setup(t)
	r.login.Data = []byte("/deep/link?x=1")
	g := r.mustLogin()
	again, err := r.rp.Grant(t.Context(), g.State())
	if err != nil || string(again.Data()) != "/deep/link?x=1" || string(g.Data()) != string(again.Data()) {
		t.Fatalf("got %q, %v", again.Data(), err)
	}
	_, err = r.rp.StartLogin(t.Context(), rp.Login{Issuer: r.op.Issuer, Data: make([]byte, rp.MaxData+1)})
	want(t, err, rp.BadConfig)
}

// TestPeek: where to go on is known when the OP says no, and nothing is used up.
func TestPeek(t *testing.T) {
	r := setup(t)
	r.login.Data = []byte("/deep/link")
	state, a := r.begin()
	_, err := r.rp.Peek(t.Context(), a, here("another browser"))
	want(t, err, rp.WrongBrowser)
	for range 2 {
		l, err := r.rp.Peek(t.Context(), a, here(state))
		if err != nil || l.Issuer != r.op.Issuer || string(l.Data) != "/deep/link" {
			t.Fatalf("got %v, %v", l, err)
		}
	}
	if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
		t.Fatal(err)
	}
	_, err = r.rp.Peek(t.Context(), a, here(state))
	want(t, err, rp.UnknownState)
}

// TestStateHasRandomness: the key of everything is not to be guessed.
func TestStateHasRandomness(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	if b, err := base64.RawURLEncoding.DecodeString(g.State()); err != nil || len(b) < 16 {
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
}
