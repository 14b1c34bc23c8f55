package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The tests of this file and of mission_requests_test.go are named after the
// items of docs/pyoidc.md: S1 to S82 are what a client owes, D1 to D8 are traps
// on the way. Those that need state are in package rp.

// TestMissionIndex asks for a test of every item, anywhere in the repository.
func TestMissionIndex(t *testing.T) {
	found := make(map[string]bool)
	name := regexp.MustCompile(`(?m)^func Test([SD])0*([0-9]+)_\w+\(t \*testing\.T\)`)
	eachTestFile(t, func(_, text string) {
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			found[m[1]+m[2]] = true
		}
	})
	for n := 1; n <= 82; n++ {
		if !found["S"+strconv.Itoa(n)] {
			t.Errorf("no test is named TestS%02d_...", n)
		}
	}
	for n := 1; n <= 8; n++ {
		if !found["D"+strconv.Itoa(n)] {
			t.Errorf("no test is named TestD%d_...", n)
		}
	}
}

// endpoints are the endpoints that were asked, in order, each once.
func endpoints(op *oidctest.OP) []oidctest.Endpoint {
	var out []oidctest.Endpoint
	for _, r := range op.Received() {
		if len(out) == 0 || out[len(out)-1] != r.Endpoint {
			out = append(out, r.Endpoint)
		}
	}
	return out
}

// Purpose and overall shape.

func TestS01_RoleAndTerms(t *testing.T) {
	// The relying party is an OAuth 2.0 client that wants to know who logged in.
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	if f := op.Requests(oidctest.EndpointToken)[0].Form; f.Get("grant_type") != "authorization_code" {
		t.Errorf("no OAuth 2.0 grant: %v", f)
	}
	if tok.AccessToken == "" || tok.IDToken.Subject == "" {
		t.Error("no access token, or nobody logged in")
	}
}

func TestS02_WalkThrough(t *testing.T) {
	// Each choice when it comes up, with nothing but the package.
	op := newOP(t)
	ctx, o := t.Context(), options(op)
	issuer, err := oidc.FindIssuer(ctx, "alice@"+op.Host, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := oidc.Discover(ctx, issuer, o)
	if err != nil {
		t.Fatal(err)
	}
	reg, err := p.Register(ctx, oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, reg.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	req, err := c.Begin(ctx, oidc.AuthParams{Scopes: []string{"email"}})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := op.Browser().Login(ctx, req.URL())
	if err != nil {
		t.Fatal(err)
	}
	res, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := c.Finish(ctx, req.Pending, res)
	if err != nil {
		t.Fatal(err)
	}
	ui, err := c.UserInfo(ctx, tok)
	if err != nil || ui.Email != op.Users()[0].Email {
		t.Fatalf("got %v, %v", ui, err)
	}
}

func TestS03_SixPairsInOrder(t *testing.T) {
	op := newOP(t)
	if _, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, options(op)); err != nil {
		t.Fatal(err)
	}
	r := setup(t, op)
	if _, err := r.c.UserInfo(t.Context(), r.mustLogin()); err != nil {
		t.Fatal(err)
	}
	got := slices.DeleteFunc(endpoints(op), func(e oidctest.Endpoint) bool { return e == oidctest.EndpointJWKS })
	want := []oidctest.Endpoint{oidctest.EndpointWebFinger, oidctest.EndpointDiscovery, oidctest.EndpointRegistration,
		oidctest.EndpointAuthorization, oidctest.EndpointToken, oidctest.EndpointUserInfo}
	if !slices.Equal(got, want) {
		t.Errorf("asked %v, want %v", got, want)
	}
}

func TestS04_OneClient(t *testing.T) {
	// From one Client every step after discovery is in reach; the two before it
	// need none.
	r := setup(t, newOP(t))
	if r.c.Provider() != r.p || r.c.Provider().Issuer() != r.op.Issuer || r.c.ID() != r.reg.ClientID {
		t.Error("a Client does not know its Provider")
	}
	if _, err := r.c.Provider().Register(t.Context(), r.c.Metadata(), ""); err != nil {
		t.Error(err)
	}
	for _, m := range []string{"Begin", "Finish", "UserInfo", "Refresh", "Revoke", "VerifyIDToken"} {
		if _, ok := reflect.TypeFor[*oidc.Client]().MethodByName(m); !ok {
			t.Errorf("no method %s", m)
		}
	}
}

// cloudAuth is a method that the package does not have.
type cloudAuth struct{ assertion string }

func (cloudAuth) Method() string { return "private_key_jwt" }

func (a cloudAuth) Authenticate(_ context.Context, r *oidc.AuthenticatedRequest) error {
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r.Form.Set("client_assertion", a.assertion)
	r.Header.Set("X-Platform", "cloud")
	return nil
}

type failingAuth struct{}

var errNoAssertion = errors.New("the platform is down")

func (failingAuth) Method() string { return "private_key_jwt" }

func (failingAuth) Authenticate(context.Context, *oidc.AuthenticatedRequest) error {
	return errNoAssertion
}

func TestS05_TableOfClientAuthentication(t *testing.T) {
	op := newOP(t)
	for _, method := range []string{oidc.AuthNone, oidc.AuthSecretBasic, oidc.AuthSecretPost, oidc.AuthSecretJWT, oidc.AuthPrivateKey} {
		t.Run(method, func(t *testing.T) {
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.discover()
			var err error
			if r.reg, err = r.p.Register(t.Context(), r.metadata(func(m *oidc.ClientMetadata) {
				m.TokenEndpointAuthMethod = method
				if method == oidc.AuthPrivateKey {
					m.JWKS = testJWKS(t)
				}
			}), ""); err != nil {
				t.Fatal(err)
			}
			for name, auth := range map[string]oidc.ClientAuth{"by metadata": nil, "by hand": map[string]oidc.ClientAuth{
				oidc.AuthNone: oidc.NoAuth(), oidc.AuthSecretBasic: oidc.SecretBasic(r.reg.Secret), oidc.AuthSecretPost: oidc.SecretPost(r.reg.Secret),
				oidc.AuthSecretJWT: oidc.SecretJWT(r.reg.Secret, ""), oidc.AuthPrivateKey: oidc.PrivateKeyJWT(testKey()),
			}[method]} {
				r.client(func(c *oidc.ClientConfig) { c.Keys, c.Auth = []oidc.Key{testKey()}, auth })
				if auth != nil && auth.Method() != method {
					t.Errorf("%s calls itself %s", method, auth.Method())
				}
				op.ClearLog()
				if _, err := r.login(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				got := op.Requests(oidctest.EndpointToken)[0].Auth.Method
				if strings.HasSuffix(method, "_jwt") {
					if got != "client_assertion" {
						t.Errorf("%s: authenticated by %s", name, got)
					}
				} else if got != method {
					t.Errorf("%s: authenticated by %s", name, got)
				}
			}
		})
	}
	t.Run("one of your own", func(t *testing.T) {
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.Auth, c.Secret = cloudAuth{"a.b.c"}, "" })
		op.ClearLog()
		_, err := r.login()
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || !strings.Contains(oe.Error(), "private_key_jwt") {
			t.Errorf("got %v", err)
		}
		if req := op.Requests(oidctest.EndpointToken)[0]; req.Form.Get("client_assertion") != "a.b.c" || req.Header.Get("X-Platform") != "cloud" {
			t.Errorf("sent %v", req.Form)
		}
		r.client(func(c *oidc.ClientConfig) { c.Auth = failingAuth{} })
		op.ClearLog()
		if _, err := r.login(); !errors.Is(err, errNoAssertion) {
			t.Errorf("got %v", err)
		}
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("refused at once", func(t *testing.T) {
		r := setup(t, op)
		for name, edit := range map[string]func(*oidc.ClientConfig){
			"basic without secret": func(c *oidc.ClientConfig) { c.Auth = oidc.SecretBasic("") },
			"post without secret":  func(c *oidc.ClientConfig) { c.Auth = oidc.SecretPost("") },
			"jwt without secret":   func(c *oidc.ClientConfig) { c.Auth = oidc.SecretJWT("", "") },
			"jwt without key":      func(c *oidc.ClientConfig) { c.Auth = oidc.PrivateKeyJWT(oidc.Key{}) },
			"registered basic":     func(c *oidc.ClientConfig) { c.Secret = "" },
			"registered key":       func(c *oidc.ClientConfig) { c.Metadata.TokenEndpointAuthMethod = "private_key_jwt" },
			"key of another alg": func(c *oidc.ClientConfig) {
				c.Metadata.TokenEndpointAuthMethod, c.Metadata.TokenEndpointAuthSigningAlg = "private_key_jwt", "RS256"
				c.Keys = []oidc.Key{{Private: clientKey(), Alg: "ES256"}}
			},
			"key that cannot sign": func(c *oidc.ClientConfig) {
				c.Metadata.TokenEndpointAuthMethod, c.Keys = "private_key_jwt", []oidc.Key{{Private: 7}}
			},
			"certificate": func(c *oidc.ClientConfig) { c.Metadata.TokenEndpointAuthMethod = "tls_client_auth" },
			"secret with RS256": func(c *oidc.ClientConfig) {
				c.Metadata.TokenEndpointAuthMethod, c.Metadata.TokenEndpointAuthSigningAlg = "client_secret_jwt", "RS256"
			},
		} {
			config := r.reg.ClientConfig()
			edit(&config)
			if _, err := oidc.NewClient(r.p, config); err == nil {
				t.Errorf("%s: accepted", name)
			} else {
				wantInput(t, err, oidc.BadConfig)
			}
		}
		config := r.reg.ClientConfig()
		config.Metadata.TokenEndpointAuthMethod = "attest_jwt_client_auth"
		_, err := oidc.NewClient(r.p, config)
		wantUnsupported(t, err)
	})
}

func TestS06_DynamicAndStaticInAnyMix(t *testing.T) {
	for _, discovered := range []bool{true, false} {
		for _, registered := range []bool{true, false} {
			t.Run(fmt.Sprintf("discovered %v, registered %v", discovered, registered), func(t *testing.T) {
				op := newOP(t)
				r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
				if discovered {
					r.discover()
				} else {
					md := byHand(op)
					md.RegistrationEndpoint = op.URL(oidctest.EndpointRegistration)
					var err error
					if r.p, err = oidc.NewProvider(md, r.opts); err != nil {
						t.Fatal(err)
					}
				}
				if registered {
					r.register()
				} else {
					known := op.AddClient(oidctest.Client{})
					r.reg = &oidc.Registration{ClientID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: known.RedirectURIs}}
					r.client()
				}
				if _, err := r.c.UserInfo(t.Context(), r.mustLogin()); err != nil {
					t.Fatal(err)
				}
				if !discovered {
					wantNoCall(t, op, oidctest.EndpointDiscovery)
				}
				if !registered {
					wantNoCall(t, op, oidctest.EndpointRegistration)
				}
			})
		}
	}
}

func TestS07_RegisteredOutOfBand(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.NoRegistration = true })
	known := op.AddClient(oidctest.Client{})
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.discover()
	_, err := r.p.Register(t.Context(), r.metadata(), "")
	wantUnsupported(t, err)
	if r.c, err = oidc.NewClient(r.p, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: known.RedirectURIs}}); err != nil {
		t.Fatal(err)
	}
	r.mustLogin()
}

func TestS08_WhatDiscoveryShowsIsWhatIsNeeded(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	md, err := oidc.ParseProviderMetadata(r.p.Metadata().Raw)
	if err != nil {
		t.Fatal(err)
	}
	if r.p, err = oidc.NewProvider(md, r.opts); err != nil {
		t.Fatal(err)
	}
	r.client()
	r.mustLogin()
}

func TestS09_StepsThatAreDropped(t *testing.T) {
	op := newOP(t)
	r := setup(t, op, types("id_token"))
	r.mustLogin()
	wantNoCall(t, op, oidctest.EndpointWebFinger, oidctest.EndpointToken, oidctest.EndpointUserInfo)
}

// Issuer discovery.

func TestS10_WebFinger(t *testing.T) {
	op := newOP(t)
	if _, err := oidc.FindIssuer(t.Context(), "acct:alice@"+op.Host, options(op)); err != nil {
		t.Fatal(err)
	}
	req := op.Requests(oidctest.EndpointWebFinger)[0]
	want := url.Values{"resource": {"acct:alice@" + op.Host}, "rel": {issuerRel}}
	if req.Method != "GET" || req.Path != "/.well-known/webfinger" || !reflect.DeepEqual(req.Query, want) {
		t.Errorf("asked %v %v", req, req.Query)
	}
}

func TestS11_ManySyntaxes(t *testing.T) {
	op := newOP(t)
	for _, id := range []string{"alice@" + op.Host, op.Host, op.Host + "/alice", "https://" + op.Host + "/alice", "acct:alice@" + op.Host} {
		if iss, err := oidc.FindIssuer(t.Context(), id, options(op)); err != nil || iss != op.Issuer {
			t.Errorf("%q: got %q, %v", id, iss, err)
		}
	}
}

func TestS12_OneCallDiscover(t *testing.T) {
	op := newOP(t)
	if iss, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, options(op)); err != nil || iss != op.Issuer {
		t.Fatalf("got %q, %v", iss, err)
	}
	wantCalls(t, op, oidctest.EndpointWebFinger, 1)
}

func TestS13_SchemeInFront(t *testing.T) {
	op := newOP(t)
	for id, resource := range map[string]string{"acct:alice@" + op.Host: "acct:alice@" + op.Host, "https://" + op.Host + "/alice": "https://" + op.Host + "/alice"} {
		op.ClearLog()
		if _, err := oidc.FindIssuer(t.Context(), id, options(op)); err != nil {
			t.Fatal(err)
		}
		if got := op.Requests(oidctest.EndpointWebFinger)[0].Query.Get("resource"); got != resource {
			t.Errorf("%q asks for %q", id, got)
		}
	}
}

func TestS14_HTTPIssuersWhereTheyAreAllowed(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.PlainHTTP = true })
	o := options(op)
	_, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, o)
	if err == nil {
		t.Error("an http issuer comes unasked")
	}
	o.InsecureAllowHTTP = true
	iss, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, o)
	if err != nil || !strings.HasPrefix(iss, "http://") {
		t.Errorf("got %q, %v", iss, err)
	}
}

// Provider metadata.

func TestS15_ProviderConfig(t *testing.T) {
	op := newOP(t)
	if _, err := discoverAt(t, op); err != nil {
		t.Fatal(err)
	}
	reqs := op.Received()
	if len(reqs) != 1 || reqs[0].Method != "GET" || reqs[0].Path != "/.well-known/openid-configuration" {
		t.Errorf("asked %v", reqs)
	}
}

// jsonNames are the member names of a struct's fields.
func jsonNames(typ reflect.Type) map[string]bool {
	out := make(map[string]bool)
	for f := range typ.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		out[name] = true
	}
	return out
}

func TestS16_CompleteMetadata(t *testing.T) {
	have := jsonNames(reflect.TypeFor[oidc.ProviderMetadata]())
	for name := range strings.FieldsSeq(`issuer authorization_endpoint token_endpoint userinfo_endpoint jwks_uri registration_endpoint scopes_supported
		response_types_supported response_modes_supported grant_types_supported acr_values_supported subject_types_supported
		id_token_signing_alg_values_supported id_token_encryption_alg_values_supported id_token_encryption_enc_values_supported
		userinfo_signing_alg_values_supported userinfo_encryption_alg_values_supported userinfo_encryption_enc_values_supported
		request_object_signing_alg_values_supported request_object_encryption_alg_values_supported request_object_encryption_enc_values_supported
		token_endpoint_auth_methods_supported token_endpoint_auth_signing_alg_values_supported display_values_supported claim_types_supported
		claims_supported service_documentation claims_locales_supported ui_locales_supported claims_parameter_supported request_parameter_supported
		request_uri_parameter_supported require_request_uri_registration op_policy_uri op_tos_uri check_session_iframe end_session_endpoint
		frontchannel_logout_supported frontchannel_logout_session_supported backchannel_logout_supported backchannel_logout_session_supported
		revocation_endpoint introspection_endpoint code_challenge_methods_supported device_authorization_endpoint
		pushed_authorization_request_endpoint mtls_endpoint_aliases authorization_response_iss_parameter_supported dpop_signing_alg_values_supported`) {
		if !have[name] {
			t.Errorf("ProviderMetadata has no field for %s", name)
		}
	}
	// Each field is read, and written again, under its name.
	doc := make(map[string]any)
	for f := range reflect.TypeFor[oidc.ProviderMetadata]().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" || name == "":
		case f.Type.Kind() == reflect.String:
			doc[name] = "https://op.example/" + name
		case f.Type.Kind() == reflect.Bool:
			doc[name] = true
		case f.Type.Kind() == reflect.Slice:
			doc[name] = []any{name}
		default:
			doc[name] = map[string]any{"token_endpoint": "https://op.example/mtls"}
		}
	}
	md, err := oidc.ParseProviderMetadata(marshal(doc))
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := json.Unmarshal(marshal(md), &back); err != nil || !reflect.DeepEqual(back, doc) {
		t.Errorf("%v\nbecame\n%v", doc, back)
	}
}

func TestS17_IssuerExactly(t *testing.T) {
	op := newOP(t)
	for _, v := range []string{op.Issuer + "/", strings.ToUpper(op.Issuer), "https://other.example"} {
		member(op, "issuer", v)
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.MetadataIssuerMismatch)
	}
}

func TestS18_IssuerMismatchAllowed(t *testing.T) {
	op := newOP(t)
	member(op, "issuer", "https://other.example")
	o := options(op)
	o.InsecureSkipIssuerMatch = true
	p, err := oidc.Discover(t.Context(), op.Issuer, o)
	if err != nil || p.Issuer() != "https://other.example" {
		t.Fatalf("got %v, %v", p, err)
	}
	// What is given up is the comparison alone: tokens must name that issuer.
	r := &rig{t: t, op: op, opts: o, p: p, wire: &wire{}}
	r.register()
	response(op, withParam("iss", "https://other.example"))
	r.refused(oidc.BadIssuer)
	claim(op, "iss", "https://other.example")
	r.mustLogin()
}

func TestS19_ReadByName(t *testing.T) {
	p, err := discoverAt(t, newOP(t))
	if err != nil {
		t.Fatal(err)
	}
	var byName map[string]any
	if err := p.Metadata().Claims(&byName); err != nil {
		t.Fatal(err)
	}
	md := p.Metadata()
	if byName["issuer"] != md.Issuer || !has(md.ScopesSupported, "openid") || !has(md.ScopesSupported, "profile") || !has(md.ScopesSupported, "email") {
		t.Errorf("got %v", md.ScopesSupported)
	}
	err = oidc.ProviderMetadata{}.Claims(&byName)
	wantInput(t, err, oidc.BadParameter)
}

func TestS20_KeptInTheProvider(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	md := r.c.Provider().Metadata()
	if md.TokenEndpoint != op.URL(oidctest.EndpointToken) {
		t.Errorf("got %v", md.TokenEndpoint)
	}
	md.ScopesSupported[0], md.TokenEndpoint = "changed", "changed"
	if again := r.c.Provider().Metadata(); again.ScopesSupported[0] == "changed" || again.TokenEndpoint == "changed" {
		t.Error("a caller changed what the Provider holds")
	}
	wantCalls(t, op, oidctest.EndpointDiscovery, 1)
}

// Registration.

func TestS22_RegistrationEndpoint(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	if reqs := op.Requests(oidctest.EndpointRegistration); len(reqs) != 1 || reqs[0].Method != "POST" || reqs[0].Header.Get("Content-Type") != "application/json" {
		t.Errorf("asked %v", reqs)
	}
	p, err := oidc.NewProvider(byHand(op), r.opts)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Register(t.Context(), r.metadata(), "")
	wantUnsupported(t, err)
}

// registered is the JSON that the OP was sent.
func registered(t *testing.T, op *oidctest.OP) map[string]any {
	t.Helper()
	reqs := op.Requests(oidctest.EndpointRegistration)
	var m map[string]any
	if err := json.Unmarshal(reqs[len(reqs)-1].JSON, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestS23_RedirectURIsAreAllThatIsRequired(t *testing.T) {
	op := newOP(t)
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	_, err = p.Register(t.Context(), oidc.ClientMetadata{ClientName: "x"}, "")
	wantInput(t, err, oidc.BadConfig)
	wantNoCall(t, op, oidctest.EndpointRegistration)
	if _, err := p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}, ""); err != nil {
		t.Fatal(err)
	}
	if m := registered(t, op); len(m) != 1 || !reflect.DeepEqual(m["redirect_uris"], []any{redirectURI}) {
		t.Errorf("sent %v", m)
	}
}

func TestS24_ResponseTypesDefaultToCode(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	if _, ok := registered(t, op)["response_types"]; ok {
		t.Error("the default is sent")
	}
	if req, _ := r.begins(); req.Pending.ResponseType != "code" {
		t.Errorf("begins %q", req.Pending.ResponseType)
	}
	_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "id_token"})
	if err != nil {
		t.Logf("restricted by the OP's answer: %v", err)
	}
	r = setup(t, op, types("id_token", "code"))
	if req, _ := r.begins(); req.Pending.ResponseType != "id_token" {
		t.Errorf("begins %q, want the first", req.Pending.ResponseType)
	}
}

func TestS25_Contacts(t *testing.T) {
	op := newOP(t)
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.Contacts = []string{"ops@rp.example"} })
	if m := registered(t, op); !reflect.DeepEqual(m["contacts"], []any{"ops@rp.example"}) || !slices.Equal(r.reg.Metadata.Contacts, []string{"ops@rp.example"}) {
		t.Errorf("sent %v, got %v", m, r.reg.Metadata.Contacts)
	}
}

func TestS26_EveryMetadataParameter(t *testing.T) {
	have := jsonNames(reflect.TypeFor[oidc.ClientMetadata]())
	for name := range strings.FieldsSeq(`redirect_uris response_types grant_types application_type contacts client_name logo_uri client_uri policy_uri tos_uri
		jwks_uri jwks sector_identifier_uri subject_type id_token_signed_response_alg id_token_encrypted_response_alg id_token_encrypted_response_enc
		userinfo_signed_response_alg userinfo_encrypted_response_alg userinfo_encrypted_response_enc request_object_signing_alg
		request_object_encryption_alg request_object_encryption_enc token_endpoint_auth_method token_endpoint_auth_signing_alg default_max_age
		require_auth_time default_acr_values initiate_login_uri request_uris post_logout_redirect_uris frontchannel_logout_uri
		frontchannel_logout_session_required backchannel_logout_uri backchannel_logout_session_required software_id software_version software_statement scope`) {
		if !have[name] {
			t.Errorf("ClientMetadata has no field for %s", name)
		}
	}
	op := newOP(t)
	r := setup(t, op, func(m *oidc.ClientMetadata) {
		m.Extra = map[string]json.RawMessage{"client_name#fr": json.RawMessage(`"Le thé"`), "vendor_option": json.RawMessage(`{"a":[1,null]}`)}
	})
	m := registered(t, op)
	if m["client_name#fr"] != "Le thé" || !reflect.DeepEqual(m["vendor_option"], map[string]any{"a": []any{1.0, nil}}) {
		t.Errorf("sent %v", m)
	}
	if string(r.reg.Metadata.Extra["client_name#fr"]) != `"Le thé"` {
		t.Errorf("got back %v", r.reg.Metadata.Extra)
	}
	for name, extra := range map[string]json.RawMessage{"client_name": json.RawMessage(`"x"`), "broken": json.RawMessage(`{`)} {
		_, err := r.p.Register(t.Context(), r.metadata(func(m *oidc.ClientMetadata) { m.Extra = map[string]json.RawMessage{name: extra} }), "")
		if _, ok := errors.AsType[*oidc.InputError](err); !ok {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestS27_MetadataAsOneArgument(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	m := r.metadata(types("code id_token"), func(m *oidc.ClientMetadata) { m.ClientName = "Tea party" })
	reg, err := r.p.Register(t.Context(), m, "")
	if err != nil {
		t.Fatal(err)
	}
	if sent := registered(t, op); sent["client_name"] != "Tea party" || reg.Metadata.ClientName != "Tea party" {
		t.Errorf("sent %v", sent)
	}
	m.RedirectURIs[0] = "changed"
	if reg.Metadata.RedirectURIs[0] != redirectURI {
		t.Error("the caller's slice is kept")
	}
}

func TestS29_InitialAccessToken(t *testing.T) {
	for _, token := range []string{"my token-._~+/=", "eyJhbGciOiJub25lIn0.e30.", "opaque"} {
		op := newOP(t, func(c *oidctest.Config) { c.InitialAccessToken = token })
		p, err := discoverAt(t, op)
		if err != nil {
			t.Fatal(err)
		}
		m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}
		_, err = p.Register(t.Context(), m, "")
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || oe.StatusCode != 401 {
			t.Fatalf("without it: %v", err)
		}
		op.ClearLog()
		if _, err := p.Register(t.Context(), m, token); err != nil {
			t.Fatal(err)
		}
		if got := op.Requests(oidctest.EndpointRegistration)[0].Header.Get("Authorization"); got != "Bearer "+token {
			t.Errorf("sent %q, want the token as it is", got)
		}
	}
}

func TestS30_RegistrationResponse(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.SecretLifetime = time.Hour })
	r := setup(t, op)
	if r.reg.ClientID == "" || r.reg.Secret == "" || r.reg.SecretExpires.IsZero() || r.reg.Issued.IsZero() || r.reg.URI == "" || r.reg.AccessToken == "" || len(r.reg.Metadata.RedirectURIs) != 1 {
		t.Errorf("got %+v", r.reg)
	}
}

func TestS31_RegistrationIsKept(t *testing.T) {
	r := setup(t, newOP(t))
	m := r.c.Metadata()
	if !slices.Equal(m.RedirectURIs, r.reg.Metadata.RedirectURIs) {
		t.Errorf("the client knows %v", m.RedirectURIs)
	}
	m.RedirectURIs[0] = "changed"
	if r.c.Metadata().RedirectURIs[0] == "changed" {
		t.Error("a caller changed what the Client holds")
	}
}

func TestS32_UnpackedIntoTheClient(t *testing.T) {
	r := setup(t, newOP(t))
	c := r.reg.ClientConfig(testKey())
	if c.ID != r.reg.ClientID || c.Secret != r.reg.Secret || !c.SecretExpires.Equal(r.reg.SecretExpires) || len(c.Keys) != 1 || r.c.ID() != r.reg.ClientID {
		t.Errorf("got %v", c)
	}
}

func TestS33_FailedRegistration(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.Break(oidctest.RegistrationRefused)
	reg, err := r.p.Register(t.Context(), r.metadata(), "")
	if oe, ok := errors.AsType[*oidc.OPError](err); !ok || oe.Code != "invalid_client_metadata" || oe.Endpoint != oidc.StepRegistration || reg != nil {
		t.Errorf("got %v, %v", reg, err)
	}
}

// Static configuration.

func TestS35_MetadataByHand(t *testing.T) {
	op := newOP(t)
	p, err := oidc.NewProvider(byHand(op), options(op))
	if err != nil || p.Issuer() != op.Issuer {
		t.Fatalf("got %v, %v", p, err)
	}
	if len(op.Received()) != 0 {
		t.Error("something was asked of the OP")
	}
}

func TestS36_MetadataFromJSON(t *testing.T) {
	md, err := oidc.ParseProviderMetadata([]byte(`{"issuer":"https://op.example","token_endpoint":"https://op.example/token","vendor":{"x":1}}`))
	if err != nil || md.TokenEndpoint != "https://op.example/token" {
		t.Fatalf("got %+v, %v", md, err)
	}
	var more struct {
		Vendor struct {
			X int `json:"x"`
		} `json:"vendor"`
	}
	if err := md.Claims(&more); err != nil || more.Vendor.X != 1 {
		t.Errorf("an unknown member is lost: %+v, %v", more, err)
	}
	if _, err := oidc.ParseProviderMetadata([]byte(`[]`)); err == nil {
		t.Error("a list is accepted")
	}
}

func TestS37_StaticIsEquivalent(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	discovered := r.p.Metadata()
	p, err := oidc.NewProvider(discovered, r.opts)
	if err != nil {
		t.Fatal(err)
	}
	if got := p.Metadata(); !reflect.DeepEqual(got, discovered) {
		t.Errorf("%+v\nbecame\n%+v", discovered, got)
	}
	byHand, err := oidc.NewProvider(byHand(op), r.opts)
	if err != nil {
		t.Fatal(err)
	}
	md := byHand.Metadata()
	if !slices.Equal(md.TokenEndpointAuthMethodsSupported, []string{"client_secret_basic"}) || !slices.Equal(md.GrantTypesSupported, []string{"authorization_code", "implicit"}) ||
		!slices.Equal(md.ResponseModesSupported, []string{"query", "fragment"}) || !slices.Equal(md.ClaimTypesSupported, []string{"normal"}) {
		t.Errorf("the defaults are not those of Discovery 3: %+v", md)
	}
}

func TestS38_RegistrationByHand(t *testing.T) {
	op := newOP(t)
	known := op.AddClient(oidctest.Client{})
	reg := &oidc.Registration{ClientID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}
	r := &rig{t: t, op: op, opts: options(op), reg: reg, wire: &wire{}}
	r.discover()
	r.client()
	r.mustLogin()
}

func TestS39_StoredRegistration(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	kept, err := r.reg.Export()
	if err != nil {
		t.Fatal(err)
	}
	if r.reg, err = oidc.ImportRegistration(kept); err != nil {
		t.Fatal(err)
	}
	r.client()
	r.mustLogin()
}

func TestS41_BothKnowEachOther(t *testing.T) {
	op := newOP(t)
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	good := oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}
	_, err = oidc.NewClient(nil, good)
	wantInput(t, err, oidc.BadConfig)
	for name, edit := range map[string]func(*oidc.ClientConfig){
		"no id":                     func(c *oidc.ClientConfig) { c.ID = "" },
		"no redirect URI":           func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = nil },
		"relative redirect URI":     func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"/cb"} },
		"redirect URI #":            func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{redirectURI + "#x"} },
		"redirect URI with user":    func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"https://u@rp.example/cb"} },
		"redirect URI without host": func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"https:///cb"} },
		"javascript redirect URI":   func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"javascript:alert(1)"} },
		"unparsable redirect URI":   func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"https://%zz/"} },
		"unknown response type":     func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"token"} },
		"jwks and jwks_uri": func(c *oidc.ClientConfig) {
			c.Metadata.JWKS, c.Metadata.JWKSURI = json.RawMessage(`{}`), "https://rp.example/jwks"
		},
		"http initiate_login_uri": func(c *oidc.ClientConfig) { c.Metadata.InitiateLoginURI = "http://rp.example/" },
		"application type":        func(c *oidc.ClientConfig) { c.Metadata.ApplicationType = "toaster" },
		"subject type":            func(c *oidc.ClientConfig) { c.Metadata.SubjectType = "secret" },
		"negative default max age": func(c *oidc.ClientConfig) {
			n := int64(-1)
			c.Metadata.DefaultMaxAge = &n
		},
		"unsigned assertions": func(c *oidc.ClientConfig) { c.Metadata.TokenEndpointAuthSigningAlg = "none" },
	} {
		c := good
		c.Metadata.RedirectURIs = slices.Clone(good.Metadata.RedirectURIs)
		edit(&c)
		if _, err := oidc.NewClient(p, c); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantInput(t, err, oidc.BadConfig)
		}
	}
	for name, edit := range map[string]func(*oidc.ClientConfig){
		"ID Token alg":   func(c *oidc.ClientConfig) { c.Metadata.IDTokenSignedResponseAlg = "ES256K" },
		"UserInfo alg":   func(c *oidc.ClientConfig) { c.Metadata.UserInfoSignedResponseAlg = "none" },
		"encryption":     func(c *oidc.ClientConfig) { c.Metadata.IDTokenEncryptedResponseAlg = "RSA1_5" },
		"response type":  func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"code id_token"} },
		"announced algs": func(c *oidc.ClientConfig) { c.Metadata.IDTokenSignedResponseAlg = "PS512" },
		"encryption enc": func(c *oidc.ClientConfig) {
			c.Metadata.UserInfoEncryptedResponseAlg = "RSA-OAEP"
			c.Metadata.UserInfoEncryptedResponseEnc = "A1"
		},
		"auth by cookies": func(c *oidc.ClientConfig) { c.Metadata.TokenEndpointAuthMethod = "cookie" },
	} {
		md := byHand(op)
		md.ResponseTypesSupported, md.IDTokenSigningAlgValuesSupported = []string{"code"}, []string{"RS256"}
		p, err := oidc.NewProvider(md, options(op))
		if err != nil {
			t.Fatal(err)
		}
		c := good
		edit(&c)
		if _, err := oidc.NewClient(p, c); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			wantUnsupported(t, err)
		}
	}
	for name, edit := range map[string]func(*oidc.Options){
		"bad prefix": func(o *oidc.Options) { o.AllowPrivate = []string{"10.0.0.0/99"} },
	} {
		o := options(op)
		edit(o)
		_, err := oidc.Discover(t.Context(), op.Issuer, o)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantInput(t, err, oidc.BadConfig)
		_, err = oidc.NewProvider(byHand(op), o)
		wantInput(t, err, oidc.BadConfig)
		_, err = oidc.FindIssuer(t.Context(), "alice@example.com", o)
		wantInput(t, err, oidc.BadConfig)
	}
}
