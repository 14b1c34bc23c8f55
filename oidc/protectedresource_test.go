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
		r, err := oidc.FindResource(t.Context(), a.URL+"/v1", "", a.options())
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
			if _, err := oidc.FindResource(t.Context(), a.URL+resource, "", a.options()); err != nil {
				t.Errorf("%q: %v", resource, err)
			}
			if want := "/.well-known/oauth-protected-resource" + path; !slices.Equal(a.asked, []string{want}) {
				t.Errorf("%q is looked for at %v, want %s", resource, a.asked, want)
			}
		}
	})
	t.Run("where_a_challenge_says", func(t *testing.T) {
		a := newResource(t)
		if _, err := oidc.FindResource(t.Context(), a.URL+"/v1", a.URL+"/elsewhere", a.options()); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(a.asked, []string{"/elsewhere"}) {
			t.Errorf("asked %v", a.asked)
		}
	})
	t.Run("another_resource", func(t *testing.T) {
		for _, other := range []any{"https://victim.example/", "", nil} {
			a := newResource(t)
			a.doc["resource"] = other
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", "", a.options())
			wantReason(t, err, oidc.ResourceMismatch)
		}
		a := newResource(t)
		_, err := oidc.FindResource(t.Context(), a.URL+"/v1/", a.URL+"/doc", a.options()) // not even a slash more
		wantReason(t, err, oidc.ResourceMismatch)
	})
	t.Run("bad_documents", func(t *testing.T) {
		for body, want := range map[string]oidc.Reason{
			"null": oidc.MalformedResponse, "[]": oidc.MalformedResponse, `{"resource":7}`: oidc.MalformedResponse, `{"resource":"a","resource":"b"}`: oidc.MalformedResponse,
		} {
			a := newResource(t)
			a.body = body
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", "", a.options())
			wantReason(t, err, want)
		}
		for server, want := range map[string]oidc.Reason{"http://op.example": oidc.InsecureURL, "https://op.example?x": oidc.BadMetadata, "javascript:alert(1)": oidc.BadMetadata} {
			a := newResource(t)
			a.doc["authorization_servers"] = []string{server}
			_, err := oidc.FindResource(t.Context(), a.URL+"/v1", "", a.options())
			wantReason(t, err, want)
		}
		a := newResource(t)
		a.code = http.StatusNotFound
		_, err := oidc.FindResource(t.Context(), a.URL+"/v1", "", a.options())
		wantCode(t, err, "")
	})
	t.Run("bad_identifiers", func(t *testing.T) {
		for _, resource := range []string{"", "notes", "http://api.example/", "https://api.example/#a", "https://user@api.example/", "https://"} {
			_, err := oidc.FindResource(t.Context(), resource, "", nil)
			if err == nil {
				t.Fatalf("%q: accepted", resource)
			}
			wantInput(t, err, oidc.BadParameter)
		}
		a := newResource(t)
		_, err := oidc.FindResource(t.Context(), a.URL, "http://169.254.169.254/latest", a.options())
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
