package oidc_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// describedAPI is a protected resource that describes itself, and remembers what was asked.
type describedAPI struct {
	*httptest.Server
	doc   map[string]any
	body  string // in place of doc
	code  int
	asked []string
}

func newResource(t *testing.T) *describedAPI {
	a := &describedAPI{code: http.StatusOK}
	a.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a.asked = append(a.asked, r.URL.RequestURI())
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(a.code)
		if a.body != "" {
			fmt.Fprint(w, a.body)
			return
		}
		_ = json.NewEncoder(w).Encode(a.doc)
	}))
	t.Cleanup(a.Close)
	a.doc = map[string]any{"resource": a.URL + "/v1", "authorization_servers": []string{"https://op.example"}, "scopes_supported": []string{"read"}, "resource_name": "Notes"}
	return a
}

func (a *describedAPI) options() *oidc.Options {
	return &oidc.Options{HTTPClient: a.Client(), AllowPrivate: []string{"127.0.0.1"}}
}

func TestFindResource(t *testing.T) {
	t.Run("by_its_identifier", func(t *testing.T) {
		a := newResource(t)
		r, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
		if err != nil {
			t.Fatal(err)
		}
		if r.ResourceName != "Notes" || !has(r.AuthorizationServers, "https://op.example") || !has(r.ScopesSupported, "read") || len(r.Raw) == 0 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("the_path_rule", func(t *testing.T) {
		for resource, path := range map[string]string{
			"": "", "/": "", "/v1": "/v1", "/v1/": "/v1/", "/a/b?x=1": "/a/b?x=1", "?x=1": "?x=1", "/a%2Fb": "/a%2Fb",
		} {
			a := newResource(t)
			a.doc["resource"] = a.URL + resource
			if _, err := oidc.FindResource(t.Context(), a.URL+resource, oidc.ResourceParams{}, a.options()); err != nil {
				t.Errorf("%q: %v", resource, err)
			}
			if want := "/.well-known/oauth-protected-resource" + path; !slices.Equal(a.asked, []string{want}) {
				t.Errorf("%q is looked for at %v, want %s", resource, a.asked, want)
			}
		}
	})
	t.Run("where_a_challenge_says", func(t *testing.T) {
		a := newResource(t)
		if _, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{MetadataURL: a.URL + "/elsewhere"}, a.options()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.asked, []string{"/elsewhere"}) {
			t.Errorf("asked %v", a.asked)
		}
	})
	t.Run("no_fragment_wherever_the_document_is", func(t *testing.T) {
		for _, identifier := range []string{"#", "#a", "?x#"} {
			for _, at := range []string{"", "/elsewhere"} {
				a := newResource(t)
				a.doc["resource"] = a.URL + "/v1" + identifier
				p := oidc.ResourceParams{}
				if at != "" {
					p.MetadataURL = a.URL + at
				}
				_, err := oidc.FindResource(t.Context(), a.URL+"/v1"+identifier, p, a.options())
				wantInput(t, err, oidc.BadParameter)
				if len(a.asked) != 0 {
					t.Errorf("%q: asked %v", identifier, a.asked)
				}
			}
		}
	})
	t.Run("another_resource", func(t *testing.T) {
		for _, other := range []any{"https://victim.example/", "", nil} {
			a := newResource(t)
			a.doc["resource"] = other
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
			wantReason(t, err, oidc.ResourceMismatch)
		}
		a := newResource(t)
		_, err := oidc.FindResource(t.Context(), a.URL+"/v1/", oidc.ResourceParams{MetadataURL: a.URL + "/doc"}, a.options()) // not even a slash more
		wantReason(t, err, oidc.ResourceMismatch)
	})
	t.Run("bad_documents", func(t *testing.T) {
		for body, want := range map[string]oidc.Reason{
			"null": oidc.MalformedResponse, "[]": oidc.MalformedResponse, `{"resource":7}`: oidc.MalformedResponse, `{"resource":"a","resource":"b"}`: oidc.MalformedResponse,
		} {
			a := newResource(t)
			a.body = body
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
			wantReason(t, err, want)
		}
		for server, want := range map[string]oidc.Reason{"http://op.example": oidc.InsecureURL, "https://op.example?x": oidc.BadMetadata, "javascript:alert(1)": oidc.BadMetadata} {
			a := newResource(t)
			a.doc["authorization_servers"] = []string{server}
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
			wantReason(t, err, want)
		}
		a := newResource(t)
		a.code = http.StatusNotFound
		_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
		wantCode(t, err, "")
	})
	t.Run("bad_identifiers", func(t *testing.T) {
		for _, resource := range []string{"", "notes", "http://api.example/", "https://api.example/#a", "https://api.example/#", "https://user@api.example/", "https://", "https://[", "urn:api"} {
			_, err := oidc.FindResource(t.Context(), resource, oidc.ResourceParams{}, nil)
			if err == nil {
				t.Fatalf("%q: accepted", resource)
			}
			wantInput(t, err, oidc.BadParameter)
			// Nor where a challenge says where the metadata is.
			a := newResource(t)
			a.doc["resource"] = resource
			_, err = oidc.FindResource(t.Context(), resource, oidc.ResourceParams{MetadataURL: a.URL + "/doc"}, a.options())
			wantInput(t, err, oidc.BadParameter)
			if len(a.asked) != 0 {
				t.Errorf("%q: asked %v", resource, a.asked)
			}
		}
		o := &oidc.Options{Tenants: &oidc.Tenants{}}
		_, err := oidc.FindResource(t.Context(), "https://api.example/", oidc.ResourceParams{}, o)
		wantInput(t, err, oidc.BadConfig)
		a := newResource(t)
		_, err = oidc.FindResource(t.Context(), a.URL, oidc.ResourceParams{MetadataURL: "http://169.254.169.254/latest"}, a.options())
		wantReason(t, err, oidc.InsecureURL)
		if len(a.asked) != 0 {
			t.Errorf("asked %v", a.asked)
		}
	})
	t.Run("served_by", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		res := &oidc.ProtectedResource{Resource: "https://api.example/", AuthorizationServers: []string{op.Issuer}}
		if !res.ServedBy(r.p) {
			t.Error("an OP that names no resource serves none")
		}
		if (&oidc.ProtectedResource{Resource: "https://api.example/"}).ServedBy(r.p) {
			t.Error("a server that the API does not name serves it")
		}
		op = newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["protected_resources"] = []any{"https://other.example/"} })
		if res.AuthorizationServers = []string{op.Issuer}; res.ServedBy(setup(t, op).p) {
			t.Error("an OP that names other resources serves this one")
		}
		op.TamperMetadata(func(m map[string]any) { m["protected_resources"] = []any{"https://other.example/", res.Resource} })
		if !res.ServedBy(setup(t, op).p) {
			t.Error("an OP that names the resource does not serve it")
		}
	})
}

func TestResourceChallenge(t *testing.T) {
	read := func(fields ...string) (oidc.ResourceChallenge, bool) {
		return oidc.ReadResourceChallenge(http.Header{"Www-Authenticate": fields})
	}
	if _, ok := read(); ok {
		t.Error("there is a challenge in nothing")
	}
	if _, ok := read(`Basic realm="x"`, `Negotiate YII=`); ok {
		t.Error("another scheme counts")
	}
	c, ok := read(`Basic realm="x", Bearer resource_metadata="https://api.example/.well-known/oauth-protected-resource"`)
	if !ok || c.Metadata != "https://api.example/.well-known/oauth-protected-resource" || c.Error != "" {
		t.Errorf("got %+v, %v", c, ok)
	}
	c, ok = read(`DPoP algs="ES256"`, `Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="60", scope="pay"`)
	if !ok || c.Scheme != "bearer" || c.Error != "insufficient_user_authentication" || len(c.ACRValues) != 2 || c.MaxAge == nil || *c.MaxAge != time.Minute {
		t.Errorf("got %+v, %v", c, ok)
	}
	for _, age := range []string{"-1", "soon", ""} {
		if c, _ := read(`Bearer error="insufficient_user_authentication", max_age="` + age + `"`); c.MaxAge != nil {
			t.Errorf("max_age %q is %v", age, *c.MaxAge)
		}
	}
	if c, _ := read(`Bearer error="x", max_age="` + strings.Repeat("9", 18) + `"`); c.MaxAge == nil || *c.MaxAge <= 0 {
		t.Error("a huge max_age wraps around")
	}

	day := 24 * time.Hour
	params := oidc.AuthParams{Scopes: []string{"email"}, MaxAge: &day, Claims: &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"name": nil}}}
	before := params.Claims
	if !c.StepUp(&params) {
		t.Fatal("no login would do")
	}
	if *params.MaxAge != time.Minute || !has(params.Scopes, "pay") || !has(params.Scopes, "email") || len(params.ACRValues) != 2 {
		t.Errorf("got %+v", params)
	}
	if acr := params.Claims.IDToken["acr"]; acr == nil || !acr.Essential || len(acr.Values) != 2 || len(before.IDToken) != 1 {
		t.Errorf("acr is %+v", acr)
	}
	if (oidc.ResourceChallenge{Error: "invalid_token"}).StepUp(&params) {
		t.Error("a new login is said to mend a token")
	}

	// What is demanded so is checked: the OP of a lower level is refused.
	op := newOP(t)
	r := setup(t, op)
	up := oidc.ResourceChallenge{Error: "insufficient_user_authentication", ACRValues: oidctest.ACRValues()[1:]}
	up.StepUp(&r.params)
	if tok := r.mustLogin(); tok.IDToken.ACR != oidctest.ACRValues()[1] {
		t.Errorf("acr is %q", tok.IDToken.ACR)
	}
	op.Break(oidctest.ACROther)
	r.refused(oidc.BadACR)
}

// TestResourceChallengeThatCounts: of several challenges for a token it is the first
// that has an error, or the first of all.
func TestResourceChallengeThatCounts(t *testing.T) {
	for _, c := range []struct {
		fields        []string
		scheme, error string
	}{
		{[]string{`Bearer`}, "bearer", ""},
		{[]string{`DPoP algs="ES256"`}, "dpop", ""},
		{[]string{`Bearer realm="a"`, `DPoP algs="ES256"`}, "bearer", ""},
		{[]string{`Bearer error="invalid_token"`, `DPoP algs="ES256"`}, "bearer", "invalid_token"},
		{[]string{`Bearer error="invalid_token"`, `DPoP error="use_dpop_nonce"`}, "bearer", "invalid_token"},
		{[]string{`Bearer`, `DPoP error="use_dpop_nonce"`}, "dpop", "use_dpop_nonce"},
		{[]string{`Basic error="x"`, `Bearer`}, "bearer", ""},
	} {
		got, ok := oidc.ReadResourceChallenge(http.Header{"Www-Authenticate": c.fields})
		if !ok || got.Scheme != c.scheme || got.Error != c.error {
			t.Errorf("%q: got %+v, %v", c.fields, got, ok)
		}
	}
	if c, ok := oidc.ReadResourceChallenge(http.Header{"Www-Authenticate": {`Bearer max_age="0"`}}); !ok || c.MaxAge == nil || *c.MaxAge != 0 {
		t.Errorf("a login at this moment: got %+v, %v", c, ok)
	}
}

// TestStepUpKeepsTheRest: a new login asks for what the API wants and for what it
// asked for before, and is no laxer than that.
func TestStepUpKeepsTheRest(t *testing.T) {
	ages := func(seconds ...int) (out []*time.Duration) {
		for _, s := range seconds {
			d := time.Duration(s) * time.Second
			if out = append(out, &d); s < 0 {
				out[len(out)-1] = nil
			}
		}
		return out
	}
	for _, c := range [][3]int{{-1, -1, -1}, {-1, 60, 60}, {30, 60, 30}, {90, 60, 60}, {30, -1, 30}, {60, 0, 0}} {
		a := ages(c[:]...)
		p := oidc.AuthParams{MaxAge: a[0]}
		if !(oidc.ResourceChallenge{Error: "insufficient_user_authentication", MaxAge: a[1]}).StepUp(&p) {
			t.Fatal("no login would do")
		}
		if (p.MaxAge == nil) != (a[2] == nil) || p.MaxAge != nil && *p.MaxAge != *a[2] {
			t.Errorf("%v: max_age is %v", c, p.MaxAge)
		}
		if p.Claims != nil || p.ACRValues != nil {
			t.Errorf("nobody wants an acr: %+v", p)
		}
	}

	p := oidc.AuthParams{Scopes: []string{"email"}}
	if !(oidc.ResourceChallenge{Error: "insufficient_scope", Scopes: []string{"openid", "email", "pay"}}).StepUp(&p) || !slices.Equal(p.Scopes, []string{"email", "pay"}) {
		t.Errorf("scopes are %v", p.Scopes)
	}

	p = oidc.AuthParams{Claims: &oidc.ClaimsRequest{
		UserInfo: map[string]*oidc.ClaimRequest{"address": nil}, IDToken: map[string]*oidc.ClaimRequest{"name": nil},
		Extra: map[string]any{"sharing_duration": 7776000}}}
	before := p.Claims
	up := oidc.ResourceChallenge{Error: "insufficient_user_authentication", ACRValues: []string{"gold"}}
	if !up.StepUp(&p) || len(p.Claims.UserInfo) != 1 || len(p.Claims.IDToken) != 2 || p.Claims.Extra["sharing_duration"] != 7776000 {
		t.Errorf("got %+v", p.Claims)
	}
	if len(before.IDToken) != 1 {
		t.Errorf("what the caller had has changed: %+v", before)
	}
	p = oidc.AuthParams{}
	if !up.StepUp(&p) || len(p.Claims.IDToken) != 1 || !p.Claims.IDToken["acr"].Essential {
		t.Errorf("got %+v", p.Claims)
	}
}

// resourceFaults is what the faults of an API's metadata lead to.
var resourceFaults = map[oidctest.Fault]outcome{
	oidctest.ResourceOther: oidc.ResourceMismatch, oidctest.ResourceTrailingSlash: oidc.ResourceMismatch, oidctest.ResourceOneLetter: oidc.ResourceMismatch, oidctest.ResourceMissing: oidc.ResourceMismatch,
	oidctest.ResourceDuplicate: oidc.MalformedResponse, oidctest.ResourceCaseVariant: harmless,
	oidctest.ResourceServerHTTP: oidc.InsecureURL, oidctest.ResourceServerQuery: oidc.BadMetadata, oidctest.ResourceServerScript: oidc.BadMetadata, oidctest.ResourceServersMany: oidc.BadMetadata,
	oidctest.ResourceServersEmpty: harmless, oidctest.ResourceServersString: oidc.MalformedResponse,
	oidctest.ResourceKeysHTTP: oidc.InsecureURL, oidctest.ResourceKeysFile: oidc.BadMetadata, oidctest.ResourceAlgNone: oidc.BadMetadata, oidctest.ResourcePageScript: oidc.BadMetadata,
	oidctest.ResourceHTML: oidc.UnexpectedMediaType, oidctest.ResourceNull: oidc.MalformedResponse, oidctest.ResourceArray: oidc.MalformedResponse, oidctest.ResourceTruncated: oidc.MalformedResponse, oidctest.ResourceDeep: oidc.MalformedResponse,
	oidctest.ResourceEndless: oidc.ResponseTooLarge, oidctest.ResourceBomb: oidc.ResponseTooLarge, oidctest.ResourceSlow: oidc.Unreachable, oidctest.ResourceNotFound: opFailure,
	oidctest.ResourceRedirectElsewhere: oidc.UnexpectedRedirect, oidctest.ResourceRedirectHTTP: oidc.UnexpectedRedirect,
	oidctest.ResourceChallengeHTTP: oidc.InsecureURL, oidctest.ResourceChallengeInside: oidc.ForbiddenAddress, oidctest.ResourceChallengeElsewhere: oidc.Unreachable, oidctest.ResourceChallengeOther: oidc.ResourceMismatch,
}

// signedResourceFaults is what those of signed metadata lead to, where the OP is
// trusted as its signer and metadata must be signed.
var signedResourceFaults = map[oidctest.Fault]outcome{
	oidctest.SignedResourceForged: oidc.BadSignature, oidctest.SignedResourceAlgNone: oidc.BadAlgorithm, oidctest.SignedResourceHMAC: oidc.BadAlgorithm,
	oidctest.SignedResourceIssOther: oidc.BadIssuer, oidctest.SignedResourceIssMissing: oidc.MissingClaim, oidctest.SignedResourceOther: oidc.ResourceMismatch, oidctest.SignedResourceMissing: oidc.ResourceMismatch,
	oidctest.SignedResourceExpired: oidc.TokenExpired, oidctest.SignedResourceNotYet: oidc.TokenNotYetValid, oidctest.SignedResourceIatFuture: oidc.TokenNotYetValid,
	oidctest.SignedResourceAud: oidc.BadAudience, oidctest.SignedResourceTyp: oidc.BadType, oidctest.SignedResourceNested: oidc.BadMetadata, oidctest.SignedResourceArray: oidc.MalformedToken, oidctest.SignedResourceIssTwice: oidc.MalformedToken,
	oidctest.SignedResourceServersString: oidc.BadClaim, oidctest.SignedResourceServerHTTP: oidc.InsecureURL, oidctest.SignedResourceNumber: oidc.MalformedResponse, oidctest.SignedResourceAbsent: oidc.UnsignedMetadata,
	oidctest.SignedResourcePlainDiffers: harmless, oidctest.SignedResourcePlainMore: harmless,
}

// apiClient is a program that meets the accounts of a test OP.
type apiClient struct {
	*rig
	api oidc.ResourceParams
}

// newAPIClient trusts the OP as a signer of metadata, if it signs any.
func newAPIClient(t *testing.T, signingAlg string) *apiClient {
	t.Helper()
	op := newOP(t, func(c *oidctest.Config) { c.ResourceMetadataSigningAlg = signingAlg })
	a := &apiClient{rig: &rig{t: t, op: op, opts: options(op), wire: &wire{}}}
	if signingAlg != "" {
		a.discover()
		a.api = oidc.ResourceParams{Signers: []*oidc.Provider{a.p}, RequireSigned: true}
	}
	return a
}

// meet asks the accounts for something, and finds what their challenge names.
func (a *apiClient) meet() (*oidc.ProtectedResource, error) {
	a.t.Helper()
	accounts := a.op.URL(oidctest.EndpointAccounts)
	res, err := a.op.HTTPClient().Get(accounts)
	if err != nil {
		a.t.Fatal(err)
	}
	defer res.Body.Close()
	c, ok := oidc.ReadResourceChallenge(res.Header)
	if !ok || c.Metadata == "" {
		a.t.Fatalf("the accounts ask for nothing: %v", res.Header)
	}
	p := a.api
	p.MetadataURL = c.Metadata
	return oidc.FindResource(a.t.Context(), accounts, p, a.opts)
}

// mustMeet is meet where all is well.
func (a *apiClient) mustMeet() *oidc.ProtectedResource {
	a.t.Helper()
	r, err := a.meet()
	if err != nil {
		a.t.Fatalf("FindResource: %v", err)
	}
	if r.Resource != a.op.URL(oidctest.EndpointAccounts) || !slices.Equal(r.AuthorizationServers, []string{a.op.Issuer}) || r.ResourceName != "Accounts" {
		a.t.Fatalf("found %+v", r)
	}
	return r
}

// after asserts what a fault leads to.
func (a *apiClient) after(fault oidctest.Fault, want outcome) {
	a.t.Helper()
	a.op.Break(fault)
	a.op.ClearLog()
	r, err := a.meet()
	switch want {
	case harmless:
		if err != nil {
			a.t.Fatalf("got error %v", err)
		}
		return
	case opFailure:
		a.refusal(err, "")
	default:
		a.reason(err, want)
	}
	if r != nil {
		a.t.Errorf("metadata beside the error: %+v", r)
	}
	if n := len(a.op.Requests(oidctest.EndpointResource)); n > 1 {
		a.t.Errorf("it was asked for %d times", n)
	}
}

func TestResourceFaults(t *testing.T) {
	for fault, want := range resourceFaults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			a := newAPIClient(t, "")
			if fault == oidctest.ResourceSlow {
				a.opts.Timeout = time.Second
			}
			a.mustMeet()
			a.after(fault, want)
		})
	}
	t.Run("an_empty_list_is_no_server", func(t *testing.T) {
		a := newAPIClient(t, "")
		a.op.Break(oidctest.ResourceServersEmpty)
		a.discover()
		if r, err := a.meet(); err != nil || r.ServedBy(a.p) {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("as_many_servers_as_may_be", func(t *testing.T) {
		a := newResource(t)
		a.doc["authorization_servers"] = slices.Repeat([]string{"https://op.example"}, oidc.MaxAuthorizationServers)
		if _, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options()); err != nil {
			t.Error(err)
		}
		a.doc["authorization_servers"] = slices.Repeat([]string{"https://op.example"}, oidc.MaxAuthorizationServers+1)
		_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
		wantReason(t, err, oidc.BadMetadata)
	})
	t.Run("pages", func(t *testing.T) {
		for _, name := range []string{"resource_documentation", "resource_policy_uri", "resource_tos_uri"} {
			for page, want := range map[string]oidc.Reason{"https://api.example/docs": "", "http://api.example/docs": "", "data:text/html,x": oidc.BadMetadata, "javascript://api.example/%0aalert(1)": oidc.BadMetadata, "https://[": oidc.BadMetadata, "/docs": oidc.BadMetadata, "https:": oidc.BadMetadata} {
				a := newResource(t)
				a.doc[name] = page
				_, err := oidc.FindResource(t.Context(), a.URL+"/v1", oidc.ResourceParams{}, a.options())
				if want == "" && err != nil {
					t.Errorf("%s %s: %v", name, page, err)
				} else if want != "" {
					wantReason(t, err, want)
				}
			}
		}
	})
}

func TestSignedResource(t *testing.T) {
	for fault, want := range signedResourceFaults {
		t.Run(string(fault), func(t *testing.T) {
			t.Parallel()
			a := newAPIClient(t, "ES256")
			a.mustMeet()
			a.after(fault, want)
		})
	}
	t.Run("what_is_verified", func(t *testing.T) {
		for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
			a := newAPIClient(t, alg)
			a.api.Algorithms = []string{alg}
			r := a.mustMeet()
			var claims map[string]any
			if err := json.Unmarshal(r.Signed, &claims); err != nil || r.Signer != a.op.Issuer || claims["iss"] != a.op.Issuer || !strings.Contains(string(r.Raw), "signed_metadata") {
				t.Errorf("%s: %+v, %v", alg, r, err)
			}
			a.api.Algorithms = []string{"ES384"}
			_, err := a.meet()
			a.reason(err, oidc.BadAlgorithm)
		}
	})
	// What is signed wins; what is only beside it counts as long as nothing must be
	// signed.
	t.Run("precedence", func(t *testing.T) {
		for _, required := range []bool{true, false} {
			a := newAPIClient(t, "ES256")
			a.api.RequireSigned = required
			a.op.Break(oidctest.SignedResourcePlainDiffers, oidctest.SignedResourcePlainMore)
			r := a.mustMeet()
			if want := map[bool]string{true: "", false: "https://attacker.example/jwks"}[required]; r.JWKSURI != want || r.Signer == "" {
				t.Errorf("RequireSigned %v: jwks_uri is %q, the signer %q", required, r.JWKSURI, r.Signer)
			}
		}
	})
	t.Run("not_signed_and_need_not_be", func(t *testing.T) {
		a := newAPIClient(t, "ES256")
		a.api.RequireSigned = false
		a.op.Break(oidctest.SignedResourceAbsent)
		if r := a.mustMeet(); r.Signer != "" || r.Signed != nil {
			t.Errorf("signed by %q: %s", r.Signer, r.Signed)
		}
		// One that is there has to be good all the same (RFC 9728 section 3.3).
		a.op.Mend()
		a.op.Break(oidctest.SignedResourceForged)
		_, err := a.meet()
		a.reason(err, oidc.BadSignature)
	})
	t.Run("null_is_none", func(t *testing.T) {
		a := newAPIClient(t, "ES256")
		doc := newResource(t)
		doc.doc["signed_metadata"] = nil
		a.api.RequireSigned = false
		if r, err := oidc.FindResource(t.Context(), doc.URL+"/v1", a.api, doc.options()); err != nil || r.Signer != "" {
			t.Errorf("got %+v, %v", r, err)
		}
		a.api.RequireSigned = true
		_, err := oidc.FindResource(t.Context(), doc.URL+"/v1", a.api, doc.options())
		wantReason(t, err, oidc.UnsignedMetadata)
	})
	t.Run("nobody_is_trusted", func(t *testing.T) {
		for fault := range signedResourceFaults {
			a := newAPIClient(t, "ES256")
			a.api = oidc.ResourceParams{}
			a.op.Break(fault)
			if r, err := a.meet(); err != nil || r.Signer != "" || r.Signed != nil {
				t.Errorf("%s: %+v, %v", fault, r, err)
			}
		}
	})
	t.Run("one_of_several_signers", func(t *testing.T) {
		a := newAPIClient(t, "ES256")
		other, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://federation.example", JWKSURI: "https://federation.example/jwks"}, a.opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(other.Close)
		a.api.Signers = []*oidc.Provider{other, a.p}
		a.mustMeet()
		// Its name alone does not make a signer of somebody else.
		posing, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: a.op.Issuer, JWKSURI: newOP(t).URL(oidctest.EndpointJWKS)}, a.opts)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(posing.Close)
		a.api.Signers = []*oidc.Provider{posing}
		_, err = a.meet()
		a.reason(err, oidc.KeysUnavailable)
		a.api.Signers = []*oidc.Provider{other}
		_, err = a.meet()
		a.reason(err, oidc.BadIssuer)
	})
	t.Run("null_in_what_is_signed_takes_a_member_away", func(t *testing.T) {
		a := newAPIClient(t, "")
		a.discover()
		doc := newResource(t)
		doc.doc["jwks_uri"] = "https://attacker.example/jwks"
		raw, err := a.op.Sign("ES256", nil, map[string]any{"iss": a.op.Issuer, "resource": doc.URL + "/v1", "jwks_uri": nil})
		if err != nil {
			t.Fatal(err)
		}
		doc.doc["signed_metadata"] = raw
		r, err := oidc.FindResource(t.Context(), doc.URL+"/v1", oidc.ResourceParams{Signers: []*oidc.Provider{a.p}}, doc.options())
		if err != nil || r.JWKSURI != "" || r.ResourceName != "Notes" || !has(r.AuthorizationServers, "https://op.example") {
			t.Errorf("got %+v, %v", r, err)
		}
	})
	t.Run("made_at_the_bound_of_skew", func(t *testing.T) {
		a := newAPIClient(t, "")
		now := time.Now().Truncate(time.Second)
		a.discover()
		doc := newResource(t)
		o := doc.options()
		o.Now, o.ClockSkew = func() time.Time { return now }, time.Minute
		for later, want := range map[time.Duration]oidc.Reason{time.Minute: "", time.Minute + time.Second: oidc.TokenNotYetValid} {
			raw, err := a.op.Sign("ES256", nil, map[string]any{"iss": a.op.Issuer, "resource": doc.URL + "/v1", "iat": now.Add(later).Unix()})
			if err != nil {
				t.Fatal(err)
			}
			doc.doc["signed_metadata"] = raw
			_, err = oidc.FindResource(t.Context(), doc.URL+"/v1", oidc.ResourceParams{Signers: []*oidc.Provider{a.p}}, o)
			if want == "" && err != nil {
				t.Errorf("%v: %v", later, err)
			} else if want != "" {
				wantReason(t, err, want)
			}
		}
	})
	t.Run("arguments", func(t *testing.T) {
		a := newAPIClient(t, "ES256")
		a.op.ClearLog()
		for name, p := range map[string]oidc.ResourceParams{
			"required of nobody": {RequireSigned: true}, "nil signer": {Signers: []*oidc.Provider{nil}}, "no algorithm": {Signers: a.api.Signers, Algorithms: []string{}},
			"none": {Signers: a.api.Signers, Algorithms: []string{"none"}}, "HMAC": {Signers: a.api.Signers, Algorithms: []string{"HS256"}}, "unknown": {Algorithms: []string{"ES256K"}},
		} {
			_, err := oidc.FindResource(t.Context(), a.op.URL(oidctest.EndpointAccounts), p, a.opts)
			if err == nil {
				t.Fatalf("%s: accepted", name)
			}
			wantInput(t, err, oidc.BadParameter)
		}
		wantNoCall(t, a.op, oidctest.EndpointResource)
	})
}
