package oidc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The tables of this file are those by which other implementations are known to
// be judged: what a client makes of each input.

// TestIdentifierTable normalises as Discovery section 2.1.2 says.
func TestIdentifierTable(t *testing.T) {
	o := func(seen **url.URL) *oidc.Options {
		return &oidc.Options{
			AllowPorts:   []int{8080, 3000},
			AllowPrivate: []string{"localhost", "127.0.0.1", "::1"},
			HTTPClient:   answers(404, nil, nil, func(r *http.Request) { *seen = r.URL }),
		}
	}
	for _, c := range []struct{ in, resource, host string }{
		{"example.com", "https://example.com", "example.com"},
		{"example.com:8080", "https://example.com:8080", "example.com:8080"},
		{"example.com/path", "https://example.com/path", "example.com"},
		{"example.com:8080/path", "https://example.com:8080/path", "example.com:8080"},
		{"example.com?query", "https://example.com?query", "example.com"},
		{"example.com/path?query", "https://example.com/path?query", "example.com"},
		{"example.com:8080/path?query", "https://example.com:8080/path?query", "example.com:8080"},
		{"example.com#fragment", "https://example.com", "example.com"},
		{"example.com/path#fragment", "https://example.com/path", "example.com"},
		{"example.com:8080/path?query#fragment", "https://example.com:8080/path?query", "example.com:8080"},
		{"joe@example.com", "acct:joe@example.com", "example.com"},
		{"joe@example.com#fragment", "acct:joe@example.com", "example.com"},
		{"joe@example.com:8080", "https://joe@example.com:8080", "example.com:8080"},
		{"joe@example.com/path", "https://joe@example.com/path", "example.com"},
		{"joe@example.com?query", "https://joe@example.com?query", "example.com"},
		{"joe@example.com:8080/path?query#fragment", "https://joe@example.com:8080/path?query", "example.com:8080"},
		{"joe+tag@example.com", "acct:joe+tag@example.com", "example.com"},
		{"joe%40corp@example.com", "acct:joe%40corp@example.com", "example.com"},
		{"acct:joe@example.com", "acct:joe@example.com", "example.com"},
		{"acct:joe@example.com#fragment", "acct:joe@example.com", "example.com"},
		{"acct:joe@example.com:8080", "acct:joe@example.com:8080", "example.com:8080"},
		{"acct:joe%40corp.example@example.com", "acct:joe%40corp.example@example.com", "example.com"},
		{"ACCT:joe@example.com", "acct:joe@example.com", "example.com"},
		{"https://example.com", "https://example.com", "example.com"},
		{"https://example.com/", "https://example.com/", "example.com"},
		{"https://example.com/joe", "https://example.com/joe", "example.com"},
		{"https://example.com:8080/joe", "https://example.com:8080/joe", "example.com:8080"},
		{"https://example.com/joe?query#fragment", "https://example.com/joe?query", "example.com"},
		{"HTTPS://example.com/joe", "https://example.com/joe", "example.com"},
		{"https://EXAMPLE.com/Joe", "https://EXAMPLE.com/Joe", "EXAMPLE.com"},
		{"localhost", "https://localhost", "localhost"},
		{"localhost:3000", "https://localhost:3000", "localhost:3000"},
		{"localhost:3000/path", "https://localhost:3000/path", "localhost:3000"},
		{"joe@localhost", "acct:joe@localhost", "localhost"},
		{"joe@localhost:3000", "https://joe@localhost:3000", "localhost:3000"},
		{"https://[::1]:3000/joe", "https://[::1]:3000/joe", "[::1]:3000"},
		{"127.0.0.1:3000", "https://127.0.0.1:3000", "127.0.0.1:3000"},
		{"example.com.", "https://example.com.", "example.com."},
		{"xn--bcher-kva.example", "https://xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"example.com:443", "https://example.com:443", "example.com:443"},
	} {
		var u *url.URL
		_, err := oidc.FindIssuer(context.Background(), c.in, o(&u))
		if u == nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if got := u.Query().Get("resource"); got != c.resource || u.Host != c.host || u.Query().Get("rel") != issuerRel {
			t.Errorf("%q: asks %s for %q, want %s for %q", c.in, u.Host, got, c.host, c.resource)
		}
	}
	for _, in := range []string{"tel:+1-201-555-0123", "device:p1.example.com", "mailto:joe@example.com", "ftp://example.com/", "=joe", "@joe", "!joe", "xri://=joe"} {
		var u *url.URL
		_, err := oidc.FindIssuer(context.Background(), in, o(&u))
		wantUnsupported(t, err)
		if u != nil {
			t.Errorf("%q: asks %v", in, u)
		}
	}
}

// TestWebFingerAnswers reads the documents that hosts really send.
func TestWebFingerAnswers(t *testing.T) {
	for name, c := range map[string]struct {
		mediaType, body, want string
	}{
		"the specification's example": {"application/jrd+json", `{"subject":"acct:joe@example.com","links":[{"rel":"` + issuerRel + `","href":"https://server.example.com"}]}`, "https://server.example.com"},
		"members of all kinds": {"application/jrd+json; charset=utf-8", `{"expires":"2030-01-01T00:00:00Z","subject":"http://blog.example.com/article/id/314","aliases":["http://blog.example.com/cool_new_thing"],
			"properties":{"http://blgx.example.net/ns/version":"1.3","http://blgx.example.net/ns/ext":null},
			"links":[{"rel":"copyright","href":"http://www.example.com/copyright"},{"rel":"author","href":"http://blog.example.com/author/steve","titles":{"en-us":"The Magical World of Steve"},"properties":{"http://example.com/role":"editor"}},
			{"rel":"` + issuerRel + `","href":"https://server.example.com/t1","titles":{"und":"x"}}]}`, "https://server.example.com/t1"},
		"another subject":     {"application/json", `{"subject":"acct:somebody@else.example","links":[{"rel":"` + issuerRel + `","href":"https://server.example.com"}]}`, "https://server.example.com"},
		"a port and a path":   {"application/json", `{"links":[{"rel":"` + issuerRel + `","href":"https://server.example.com:8443/a/b"}]}`, "https://server.example.com:8443/a/b"},
		"a final slash stays": {"application/json", `{"links":[{"rel":"` + issuerRel + `","href":"https://server.example.com/"}]}`, "https://server.example.com/"},
	} {
		network := answers(200, http.Header{"Content-Type": {c.mediaType}}, []byte(c.body), nil)
		if got, err := oidc.FindIssuer(context.Background(), "joe@example.com", &oidc.Options{HTTPClient: network}); err != nil || got != c.want {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}

// TestClientAuthTable builds the requests of each method.
func TestClientAuthTable(t *testing.T) {
	request := func(id string) *oidc.AuthenticatedRequest {
		return &oidc.AuthenticatedRequest{ClientID: id, Issuer: "https://op.example", Endpoint: "https://op.example/token", Audience: "https://op.example", Now: time.Unix(1e9, 0), Form: url.Values{"code": {"x"}}, Header: http.Header{"X-Kept": {"1"}}}
	}
	for _, c := range []struct{ id, secret, want string }{
		{"client", "secret", "client:secret"},
		{"client id", "se:cret", "client+id:se%3Acret"},
		{"a%b", "c+d", "a%25b:c%2Bd"},
		{"é", "=&?", "%C3%A9:%3D%26%3F"},
		{"https://rp.example/", "~-._", "https%3A%2F%2Frp.example%2F:~-._"},
		{"client", strings.Repeat("a", 1000), "client:" + strings.Repeat("a", 1000)},
	} {
		r := request(c.id)
		if err := oidc.SecretBasic(c.secret).Authenticate(context.Background(), r); err != nil {
			t.Fatal(err)
		}
		got, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(r.Header.Get("Authorization"), "Basic "))
		if err != nil || string(got) != c.want || r.Form.Has("client_id") || r.Form.Has("client_secret") || r.Header.Get("X-Kept") != "1" {
			t.Errorf("%q and %q: %q, %v, %v", c.id, c.secret, got, r.Form, err)
		}
	}
	r := request("client id")
	if err := oidc.SecretPost("s e").Authenticate(context.Background(), r); err != nil || r.Form.Encode() != "client_id=client+id&client_secret=s+e&code=x" || r.Header.Get("Authorization") != "" {
		t.Errorf("post: %v %v %v", r.Form, r.Header, err)
	}
	r = request("c")
	if err := oidc.NoAuth().Authenticate(context.Background(), r); err != nil || r.Form.Encode() != "client_id=c&code=x" {
		t.Errorf("none: %v %v", r.Form, err)
	}
	for name, auth := range map[string]oidc.ClientAuth{"HS256": oidc.SecretJWT("a secret that is long enough to sign", ""), "HS512": oidc.SecretJWT("a secret that is long enough to sign", "HS512"), "ES256": oidc.PrivateKeyJWT(testKey()),
		"PS256": oidc.PrivateKeyJWT(oidc.Key{ID: "mine", Alg: "PS256", Private: opKey()})} {
		r := request("c")
		if err := auth.Authenticate(context.Background(), r); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		j := parseJWT(t, r.Form.Get("client_assertion"))
		want := map[string]any{"iss": "c", "sub": "c", "aud": "https://op.example", "iat": 1e9, "exp": 1e9 + 60}
		for k, v := range want {
			if j.claims[k] != v {
				t.Errorf("%s: %s is %v, want %v", name, k, j.claims[k], v)
			}
		}
		if id, _ := j.claims["jti"].(string); len(id) < 22 || len(j.claims) != 6 || j.header["alg"] != name {
			t.Errorf("%s: %v %v", name, j.header, j.claims)
		}
		if kid := j.header["kid"]; strings.HasPrefix(name, "HS") != (kid == nil) {
			t.Errorf("%s: kid is %v", name, kid)
		}
		if name == "HS256" && hs256With(t, j.input, "a secret that is long enough to sign") != j.signature {
			t.Error("the signature is not by the secret")
		}
		if r.Form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || r.Form.Has("client_secret") {
			t.Errorf("%s: %v", name, r.Form)
		}
	}
	for name, auth := range map[string]oidc.ClientAuth{"short secret": oidc.SecretJWT("short", ""), "no such alg": oidc.SecretJWT("a secret that is long enough to sign", "HS257"), "no key": oidc.PrivateKeyJWT(oidc.Key{})} {
		if err := auth.Authenticate(context.Background(), request("c")); err == nil {
			t.Errorf("%s: signs", name)
		} else {
			wantInput(t, err, oidc.BadConfig)
		}
	}
}

// TestGrantTypesFollowResponseTypes is the table of Registration section 2.
func TestGrantTypesFollowResponseTypes(t *testing.T) {
	op := newOP(t)
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	for rt, want := range map[string]string{
		"code": "authorization_code", "id_token": "implicit", "id_token token": "implicit", "token id_token": "implicit", "code id_token": "authorization_code implicit",
		"code token": "authorization_code implicit", "token code id_token": "authorization_code implicit",
	} {
		_, _ = p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{rt}}, "")
		got, _ := registered(t, op)["grant_types"].([]any)
		var words []string
		for _, g := range got {
			words = append(words, g.(string))
		}
		if strings.Join(words, " ") != want {
			t.Errorf("%s: sent %v, want %s", rt, words, want)
		}
	}
	_, err = p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code unknown"}}, "")
	wantInput(t, err, oidc.BadConfig)
	for name, edit := range map[string]func(*oidc.ClientMetadata){
		"ID Token": func(m *oidc.ClientMetadata) { m.IDTokenEncryptedResponseEnc = "A128GCM" }, "UserInfo": func(m *oidc.ClientMetadata) { m.UserInfoEncryptedResponseEnc = "A128GCM" },
		"request object": func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionEnc = "A128GCM" },
	} {
		m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}
		edit(&m)
		if _, err := p.Register(t.Context(), m, ""); err == nil {
			t.Errorf("%s: enc without alg", name)
		} else {
			wantInput(t, err, oidc.BadConfig)
		}
	}
}

// TestMetadataDefaults is the specification's example, and what it leaves out.
func TestMetadataDefaults(t *testing.T) {
	md, err := oidc.ParseProviderMetadata([]byte(`{"issuer":"https://server.example.com","authorization_endpoint":"https://server.example.com/connect/authorize","token_endpoint":"https://server.example.com/connect/token",
		"token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],"userinfo_endpoint":"https://server.example.com/connect/userinfo","jwks_uri":"https://server.example.com/jwks.json",
		"response_types_supported":["code","code id_token","id_token","id_token token"],"subject_types_supported":["public","pairwise"],"id_token_signing_alg_values_supported":["RS256","ES256","HS256"],
		"claims_parameter_supported":true,"ui_locales_supported":["en-US","en-GB","en-CA","fr-FR","fr-CA"],"vendor_member":[1,{"a":null}]}`))
	if err != nil {
		t.Fatal(err)
	}
	if !md.RequestURIParameterSupported || md.RequestParameterSupported || md.RequireRequestURIRegistration || !md.ClaimsParameterSupported || strings.Join(md.GrantTypesSupported, " ") != "authorization_code implicit" ||
		strings.Join(md.ResponseModesSupported, " ") != "query fragment" || strings.Join(md.ClaimTypesSupported, " ") != "normal" || strings.Join(md.TokenEndpointAuthMethodsSupported, " ") != "client_secret_basic private_key_jwt" {
		t.Errorf("got %+v", md)
	}
	if strings.Join(md.RevocationEndpointAuthMethodsSupported, " ") != "client_secret_basic" {
		t.Errorf("revocation by %q", md.RevocationEndpointAuthMethodsSupported)
	}
	var more map[string]json.RawMessage
	if err := md.Claims(&more); err != nil || string(more["vendor_member"]) != `[1,{"a":null}]` {
		t.Errorf("%s, %v", more["vendor_member"], err)
	}
	if md, err = oidc.ParseProviderMetadata([]byte(`{"issuer":"x","request_uri_parameter_supported":false}`)); err != nil || md.RequestURIParameterSupported {
		t.Errorf("false is not false: %v", err)
	}
	if strings.Join(md.TokenEndpointAuthMethodsSupported, " ") != "client_secret_basic" {
		t.Errorf("authentication by %q", md.TokenEndpointAuthMethodsSupported)
	}
	md.Raw = nil
	wantInput(t, md.Claims(&more), oidc.BadParameter)
}

// TestAuthResponseTable parses whole URLs, bare queries and forms.
func TestAuthResponseTable(t *testing.T) {
	for raw, want := range map[string]string{
		"https://rp.example/cb?code=a&state=s":                   "query",
		"https://rp.example/cb?code=a&state=s&unknown=x&x=1&x=2": "query",
		"https://rp.example/cb?tenant=1#code=a&state=s":          "fragment",
		"https://rp.example/cb#id_token=a.b.c&state=s":           "fragment",
		"/cb?code=a&state=s":                                     "query",
		"?code=a&state=s":                                        "query",
		"com.example.app:/cb?code=a&state=s":                     "query",
		"http://127.0.0.1:49152/cb?code=a%3Fb%23c&state=s":       "query",
	} {
		a, err := oidc.ReadAuthURL(raw)
		if err != nil || a.Mode() != want {
			t.Errorf("%s: got %v, %v; want mode %s", raw, a, err, want)
			continue
		}
		if key, err := a.PendingKey(); err != nil || key != "s" {
			t.Errorf("%s: state %q, %v", raw, key, err)
		}
	}
	form := url.Values{"code": {"a"}, "state": {"s"}, "mine": {"x"}, "other": {}}
	if _, err := oidc.ReadAuthForm(form); err != nil || len(form) != 4 || form.Get("mine") != "x" {
		t.Errorf("the caller's form became %v, %v", form, err)
	}
}

// TestErrorsKeepTheirCause finds what lies beneath.
func TestErrorsKeepTheirCause(t *testing.T) {
	cause := errors.New("cause")
	for _, err := range []error{&oidc.ProtocolError{Reason: oidc.BadState, Err: cause}, &oidc.InputError{Reason: oidc.BadState, Err: cause}, &oidc.TransportError{Err: cause}} {
		if !errors.Is(err, cause) || !strings.HasPrefix(err.Error(), "oidc: ") {
			t.Errorf("%T loses its cause: %v", err, err)
		}
	}
	for err, want := range map[error]string{
		&oidc.ProtocolError{Reason: oidc.BadState}:                                    "oidc: state mismatch",
		&oidc.ProtocolError{Reason: oidc.BadState, Step: "a", Detail: "b", Spec: "c"}: "oidc: a: state mismatch: b (c)",
		&oidc.OPError{Endpoint: "token", StatusCode: 500}:                             "oidc: token: the OP answered HTTP status 500",
		&oidc.OPError{Endpoint: "token", Code: "x", Description: "y", Hint: "z"}:      "oidc: token: the OP answered x: y; z",
		&oidc.OPError{Endpoint: "token", Code: "x", Hint: "z"}:                        "oidc: token: the OP answered x: z",
		&oidc.UnsupportedError{Feature: "a", Detail: "b"}:                             "oidc: not supported: a: b",
		&oidc.InputError{Reason: oidc.BadConfig, Field: "f", Detail: "d"}:             "oidc: f: configuration refused: d",
		&oidc.TransportError{Step: "token", Detail: "d"}:                              "oidc: token: no answer: d",
	} {
		if got := err.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if errors.Unwrap(err) != nil && errors.Is(err, cause) {
			t.Errorf("%v has a cause out of nowhere", err)
		}
	}
}

// TestResponseTypesDoNotMix: code and id_token of one client do not mix.
func TestResponseTypesDoNotMix(t *testing.T) {
	op := newOP(t)
	r := setup(t, op, types("code", "id_token", "code id_token"))
	r.params.ResponseType = "id_token"
	_, implicit := r.begin()
	r.params.ResponseType = "code"
	pending, _ := r.begin()
	v := implicit.Params()
	v.Set("state", pending.State)
	pending.ResponseMode = "fragment"
	a, err := oidc.ReadAuthFragment(v.Encode())
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.c.Finish(t.Context(), pending, a)
	if !errors.Is(err, oidc.MissingParameter) && !errors.Is(err, oidc.UnexpectedParameter) {
		t.Errorf("got %v", err)
	}
	pending.ResponseType = "none"
	_, err = r.c.Finish(t.Context(), pending, a)
	wantUnsupported(t, err)
	wantNoCall(t, op, oidctest.EndpointToken)
}
