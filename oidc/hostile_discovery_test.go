package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// discoverAt discovers op with nothing but what reaching it needs.
func discoverAt(t *testing.T, op *oidctest.OP) (*oidc.Provider, error) {
	t.Helper()
	p, err := oidc.Discover(t.Context(), op.Issuer, options(op))
	if p != nil {
		t.Cleanup(p.Close)
	}
	return p, err
}

// member sets a member of the metadata; nil removes it.
func member(op *oidctest.OP, name string, v any) {
	op.TamperMetadata(func(m map[string]any) {
		if v == nil {
			delete(m, name)
			return
		}
		m[name] = v
	})
}

// byHand is the metadata of an OP that is configured without discovery.
func byHand(op *oidctest.OP) oidc.ProviderMetadata {
	return oidc.ProviderMetadata{
		Issuer:                op.Issuer,
		AuthorizationEndpoint: op.URL(oidctest.EndpointAuthorization),
		TokenEndpoint:         op.URL(oidctest.EndpointToken),
		UserInfoEndpoint:      op.URL(oidctest.EndpointUserInfo),
		JWKSURI:               op.URL(oidctest.EndpointJWKS),
	}
}

// TestHostileDiscovery breaks the metadata of an OP.
func TestHostileDiscovery(t *testing.T) {
	op := newOP(t)
	for _, c := range []struct {
		name, member string
		value        any
		want         oidc.Reason
	}{
		{"013_issuer_of_another_origin", "issuer", "https://attacker.example", oidc.MetadataIssuerMismatch},
		{"013_issuer_with_a_suffix", "issuer", op.Issuer + "INVALID", oidc.MetadataIssuerMismatch},
		{"013_issuer_with_a_path", "issuer", op.Issuer + "/t1", oidc.MetadataIssuerMismatch},
		{"014_issuer_with_a_trailing_slash", "issuer", op.Issuer + "/", oidc.MetadataIssuerMismatch},
		{"014_issuer_in_upper_case", "issuer", strings.ToUpper(op.Issuer), oidc.MetadataIssuerMismatch},
		{"014_issuer_with_a_space", "issuer", op.Issuer + " ", oidc.MetadataIssuerMismatch},
		{"015_issuer_missing", "issuer", nil, oidc.MissingMetadata},
		{"015_issuer_empty", "issuer", "", oidc.MissingMetadata},
		{"015_issuer_a_number", "issuer", 7, oidc.MalformedResponse},
		{"016_authorization_endpoint_missing", "authorization_endpoint", nil, oidc.MissingMetadata},
		{"016_authorization_endpoint_empty", "authorization_endpoint", "", oidc.MissingMetadata},
		{"016_jwks_uri_missing", "jwks_uri", nil, oidc.MissingMetadata},
		{"016_response_types_missing", "response_types_supported", nil, oidc.MissingMetadata},
		{"016_response_types_empty", "response_types_supported", []any{}, oidc.MissingMetadata},
		{"016_subject_types_missing", "subject_types_supported", nil, oidc.MissingMetadata},
		{"016_signing_algs_missing", "id_token_signing_alg_values_supported", nil, oidc.MissingMetadata},
		{"016_response_types_a_string", "response_types_supported", "code", oidc.MalformedResponse},
		{"017_javascript_endpoint", "authorization_endpoint", "javascript:alert(1)", oidc.BadMetadata},
		{"017_file_endpoint", "jwks_uri", "file:///etc/passwd", oidc.BadMetadata},
		{"017_data_endpoint", "token_endpoint", "data:application/json,{}", oidc.BadMetadata},
		{"017_relative_endpoint", "token_endpoint", "/token", oidc.BadMetadata},
		{"017_scheme_relative_endpoint", "token_endpoint", "//op.example/token", oidc.BadMetadata},
		{"017_endpoint_without_host", "userinfo_endpoint", "https:///userinfo", oidc.BadMetadata},
		{"017_endpoint_with_control_character", "userinfo_endpoint", "https://op.example/\nuserinfo", oidc.BadMetadata},
		{"017_endpoint_with_a_user", "token_endpoint", "https://good@op.example/token", oidc.BadMetadata},
		{"017_endpoint_a_number", "token_endpoint", 7, oidc.MalformedResponse},
		{"017_end_session_endpoint", "end_session_endpoint", "javascript:alert(1)", oidc.BadMetadata},
		{"017_check_session_iframe", "check_session_iframe", "javascript:alert(1)", oidc.BadMetadata},
		{"018_http_authorization_endpoint", "authorization_endpoint", "http://op.example/authorize", oidc.InsecureURL},
		{"018_http_token_endpoint", "token_endpoint", "http://op.example/token", oidc.InsecureURL},
		{"018_http_jwks_uri", "jwks_uri", "http://op.example/jwks", oidc.InsecureURL},
		{"018_http_userinfo_endpoint", "userinfo_endpoint", "http://op.example/userinfo", oidc.InsecureURL},
		{"018_http_registration_endpoint", "registration_endpoint", "http://op.example/register", oidc.InsecureURL},
		{"018_http_revocation_endpoint", "revocation_endpoint", "http://op.example/revoke", oidc.InsecureURL},
		{"018_http_par_endpoint", "pushed_authorization_request_endpoint", "http://op.example/par", oidc.InsecureURL},
		{"029_fragment_at_authorization_endpoint", "authorization_endpoint", "https://op.example/authorize#x", oidc.BadMetadata},
		{"029_fragment_at_token_endpoint", "token_endpoint", "https://op.example/token#x", oidc.BadMetadata},
		{"037_mtls_alias_no_url", "mtls_endpoint_aliases", map[string]any{"token_endpoint": "op.example"}, oidc.BadMetadata},
		{"037_mtls_alias_http", "mtls_endpoint_aliases", map[string]any{"token_endpoint": "http://op.example/token"}, oidc.InsecureURL},
		{"037_mtls_alias_empty", "mtls_endpoint_aliases", map[string]any{"token_endpoint": ""}, oidc.BadMetadata},
		{"037_mtls_aliases_a_list", "mtls_endpoint_aliases", []any{"x"}, oidc.MalformedResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperMetadata(nil)
			member(op, c.member, c.value)
			op.ClearLog()
			p, err := discoverAt(t, op)
			wantReason(t, err, c.want)
			if p != nil {
				t.Error("a Provider beside the error")
			}
			wantCalls(t, op, oidctest.EndpointDiscovery, 1)
			if strings.HasPrefix(c.name, "014_issuer_with_a_trailing") && (!strings.Contains(err.Error(), op.Issuer+`/"`) || !strings.Contains(err.Error(), op.Issuer+`"`)) {
				t.Errorf("the error does not show both values: %v", err)
			}
		})
	}
	t.Run("014_default_port", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.InMemory = true })
		member(op, "issuer", op.Issuer+":443")
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.MetadataIssuerMismatch)
	})
	t.Run("016_token_endpoint_missing", func(t *testing.T) {
		defer op.TamperMetadata(nil)
		member(op, "token_endpoint", nil)
		p, err := discoverAt(t, op)
		if err != nil {
			t.Fatalf("an OP for response type id_token alone needs none: %v", err)
		}
		_, err = oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		wantUnsupported(t, err)
	})
	t.Run("016_by_hand", func(t *testing.T) {
		for _, f := range []func(*oidc.ProviderMetadata){
			func(m *oidc.ProviderMetadata) { m.AuthorizationEndpoint = "" },
			func(m *oidc.ProviderMetadata) { m.TokenEndpoint = "" },
			func(m *oidc.ProviderMetadata) { m.JWKSURI = "" },
		} {
			md := byHand(op)
			f(&md)
			p, err := oidc.NewProvider(md, options(op))
			if err != nil {
				t.Fatal(err)
			}
			_, err = oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
			wantUnsupported(t, err)
		}
	})
	t.Run("019_http_issuer", func(t *testing.T) {
		plain := newOP(t, func(c *oidctest.Config) { c.PlainHTTP = true })
		_, err := discoverAt(t, plain)
		wantReason(t, err, oidc.InsecureURL)
		_, err = oidc.NewProvider(byHand(plain), options(plain))
		wantReason(t, err, oidc.InsecureURL)
		if n := len(plain.Received()); n != 0 {
			t.Errorf("%d requests in the clear", n)
		}
		o := options(plain)
		o.InsecureAllowHTTP = true
		if _, err := oidc.Discover(t.Context(), plain.Issuer, o); err != nil {
			t.Errorf("with InsecureAllowHTTP: %v", err)
		}
	})

	number := map[string]string{"endless": "020", "gzip_bomb": "021", "slow_loris": "022", "duplicates": "025"}
	for name, f := range hostileBodies("application/json", `"issuer":"https://op.example"`) {
		n := number[name]
		if n == "" {
			n = "028"
		}
		t.Run(n+"_"+name, func(t *testing.T) {
			op := newOP(t)
			op.Intercept(oidctest.EndpointDiscovery, f.handler)
			o := options(op)
			o.Timeout = f.timeout
			_, err := oidc.Discover(t.Context(), op.Issuer, o)
			wantReason(t, err, f.want)
			wantCalls(t, op, oidctest.EndpointDiscovery, 1)
		})
	}
	t.Run("023_redirect_to_another_origin", func(t *testing.T) {
		op, other := newOP(t), newOP(t)
		op.Intercept(oidctest.EndpointDiscovery, redirect(other.URL(oidctest.EndpointDiscovery)))
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.UnexpectedRedirect)
		if len(other.Received()) != 0 {
			t.Error("the redirect was followed")
		}
	})
	t.Run("023_redirect_inside", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointDiscovery, redirect("http://169.254.169.254/latest/meta-data/"))
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.UnexpectedRedirect)
	})
	t.Run("024_redirect_loop", func(t *testing.T) {
		op := newOP(t)
		op.Intercept(oidctest.EndpointDiscovery, redirect(op.URL(oidctest.EndpointDiscovery)))
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.UnexpectedRedirect)
		if n := len(op.Requests(oidctest.EndpointDiscovery)); n > 4 {
			t.Errorf("%d requests in a loop", n)
		}
	})
	t.Run("025_duplicate_issuer", func(t *testing.T) {
		_, err := oidc.ParseProviderMetadata([]byte(`{"issuer":"https://op.example","issuer":"https://attacker.example"}`))
		wantReason(t, err, oidc.MalformedResponse)
	})
	t.Run("026_case_variants", func(t *testing.T) {
		defer op.TamperMetadata(nil)
		op.TamperMetadata(func(m map[string]any) {
			m["ISSUER"], m["Token_Endpoint"], m["\u017fubject_types_supported"] = "https://attacker.example", "https://attacker.example/token", 7
		})
		p, err := discoverAt(t, op)
		if err != nil {
			t.Fatal(err)
		}
		if md := p.Metadata(); md.Issuer != op.Issuer || md.TokenEndpoint != op.URL(oidctest.EndpointToken) {
			t.Errorf("a case variant counts: %v", md.TokenEndpoint)
		}
	})
	t.Run("027_text_html", func(t *testing.T) {
		for _, ct := range []string{"text/html", "text/plain", "", "application/jwt", "application/json2"} {
			op.Intercept(oidctest.EndpointDiscovery, respond(200, ct, string(marshal(map[string]string{"issuer": op.Issuer}))))
			_, err := discoverAt(t, op)
			wantReason(t, err, oidc.UnexpectedMediaType)
		}
		op.Intercept(oidctest.EndpointDiscovery, nil)
	})
	t.Run("028_status", func(t *testing.T) {
		for _, status := range []int{204, 206, 400, 401, 403, 410} {
			op.Intercept(oidctest.EndpointDiscovery, respond(status, "application/json", `{}`))
			_, err := discoverAt(t, op)
			wantReason(t, err, oidc.UnexpectedStatus)
		}
		op.Intercept(oidctest.EndpointDiscovery, nil)
	})

	for _, bad := range []string{"https://op.example?x=1", "https://op.example?", "https://op.example#x", "https://op.example#", "https://good@op.example", "https://", "https:///x", "", "op.example",
		"javascript:alert(1)", "https://op.example/\n", "https://op.example:x", "ftp://op.example"} {
		t.Run("030_issuer_"+fmt.Sprintf("%q", bad), func(t *testing.T) {
			if _, err := oidc.Discover(t.Context(), bad, nil); err == nil {
				t.Error("Discover accepts it")
			} else if !errors.Is(err, oidc.BadConfig) && !errors.Is(err, oidc.InsecureURL) {
				t.Errorf("got %v", err)
			}
			md := byHand(op)
			md.Issuer = bad
			if _, err := oidc.NewProvider(md, options(op)); err == nil {
				t.Error("NewProvider accepts it")
			}
		})
	}
	t.Run("031_only_alg_none", func(t *testing.T) {
		defer op.TamperMetadata(nil)
		member(op, "id_token_signing_alg_values_supported", []any{"none"})
		p, err := discoverAt(t, op)
		if err != nil {
			t.Fatal(err)
		}
		config := oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}
		_, err = oidc.NewClient(p, config)
		wantUnsupported(t, err)
		config.Metadata.IDTokenSignedResponseAlg = "none"
		_, err = oidc.NewClient(p, config)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("031_none_beside_others", func(t *testing.T) {
		defer op.TamperMetadata(nil)
		r := setup(t, op)
		member(op, "id_token_signing_alg_values_supported", []any{"none", "RS256"})
		r.discover()
		r.client()
		if tok := r.mustLogin(); tok.IDToken.Algorithm() != "RS256" {
			t.Errorf("signed with %s", tok.IDToken.Algorithm())
		}
	})
	t.Run("032_hs256_beside_rs256", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		op.Break(oidctest.SignedWithHMAC)
		r.refused(oidc.BadAlgorithm)
	})
	t.Run("033_rs256_dropped_later", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op, signedWith("RS256"))
		member(op, "id_token_signing_alg_values_supported", []any{"HS256", "none"})
		if err := r.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		if tok := r.mustLogin(); tok.IDToken.Algorithm() != "RS256" {
			t.Errorf("signed with %s", tok.IDToken.Algorithm())
		}
		forge(t, op, func(_ string, j jwt) string { return hs256(t, j, r.reg.Secret) })
		r.refused(oidc.BadAlgorithm)
	})
	t.Run("034_malicious_endpoints", func(t *testing.T) {
		honest, evil := newOP(t), newOP(t)
		r := setup(t, evil)
		// The evil OP sends its users to the honest one, to have their codes.
		member(evil, "authorization_endpoint", honest.URL(oidctest.EndpointAuthorization))
		if err := r.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		honest.AddClient(oidctest.Client{ID: r.c.ID(), RedirectURIs: []string{redirectURI}})
		evil.ClearLog()
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		cb, err := honest.Browser().Login(t.Context(), req.URL())
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.finish(req.Pending, cb)
		r.reason(err, oidc.BadResponseIssuer)
		wantNoCall(t, evil, oidctest.EndpointToken)
	})
	t.Run("035_endpoints_of_another_issuer", func(t *testing.T) {
		honest, evil := newOP(t), newOP(t)
		good, bad := setup(t, honest), setup(t, evil)
		member(evil, "token_endpoint", honest.URL(oidctest.EndpointToken))
		member(honest, "scopes_supported", nil)
		if err := bad.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		honest.ClearLog()
		_, _ = bad.login()
		for _, req := range honest.Requests(oidctest.EndpointToken) {
			if req.Auth.Secret == good.reg.Secret || req.Auth.ClientID == good.reg.ClientID {
				t.Error("the honest issuer's credentials went out for the evil one")
			}
		}
		evil.ClearLog()
		good.mustLogin()
		if len(evil.Received()) != 0 {
			t.Error("something of the honest issuer went to the evil one")
		}
	})
	t.Run("036_issuers_with_paths", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.Path = "/t1" })
		two, err := op.Tenant(oidctest.Config{Path: "/t2"})
		if err != nil {
			t.Fatal(err)
		}
		one, other := setup(t, op), setup(t, two)
		if reqs := op.Requests(oidctest.EndpointDiscovery); len(reqs) != 1 || reqs[0].Path != "/t1/.well-known/openid-configuration" {
			t.Errorf("asked %v", reqs)
		}
		a, b := one.mustLogin(), other.mustLogin()
		if a.IDToken.Issuer != op.Issuer || b.IDToken.Issuer != two.Issuer {
			t.Errorf("%s and %s", a.IDToken.Issuer, b.IDToken.Issuer)
		}
		pending, cb := one.begin()
		_, err = other.finish(pending, cb)
		one.reason(err, oidc.WrongClient)
	})
	t.Run("036_the_place_of_rfc_8414", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.Path = "/t1" })
		doc := fetchJSON(t, op, op.URL(oidctest.EndpointDiscovery))
		for _, place := range []string{"/.well-known/openid-configuration/t1", "/.well-known/oauth-authorization-server/t1"} {
			op.Intercept(oidctest.EndpointDiscovery, only(place, doc))
			op.Intercept(oidctest.EndpointNone, only(place, doc))
			if _, err := discoverAt(t, op); err != nil {
				t.Errorf("%s: %v", place, err)
			}
		}
		op.Intercept(oidctest.EndpointNone, http.NotFound)
		op.Intercept(oidctest.EndpointDiscovery, http.NotFound)
		_, err := discoverAt(t, op)
		wantReason(t, err, oidc.UnexpectedStatus)
		if !strings.Contains(err.Error(), "is the issuer right?") {
			t.Errorf("no advice in %v", err)
		}
	})

	t.Run("038_metadata_changes_while_running", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.mustLogin()
		member(op, "userinfo_endpoint", op.URL(oidctest.EndpointUserInfo)+"?moved=1")
		op.ClearLog()
		if _, err := r.c.Begin(t.Context(), r.params); err != nil {
			t.Fatal(err)
		}
		wantNoCall(t, op, oidctest.EndpointDiscovery)
		op.Advance(oidc.DefaultMetadataAge + time.Second)
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if _, err := r.c.Begin(t.Context(), r.params); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantCalls(t, op, oidctest.EndpointDiscovery, 1)
		if !strings.Contains(r.p.Metadata().UserInfoEndpoint, "moved") {
			t.Error("the new endpoint is not in use")
		}
	})
	t.Run("038_an_endpoint_that_is_gone", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		op.Intercept(oidctest.EndpointToken, http.NotFound)
		if _, err := r.login(); err == nil {
			t.Fatal("a login without token endpoint")
		}
		op.Intercept(oidctest.EndpointToken, nil)
		op.ClearLog()
		op.Advance(2 * time.Minute)
		r.mustLogin()
		wantCalls(t, op, oidctest.EndpointDiscovery, 1)
	})
	t.Run("038_never_where_never_is_asked", func(t *testing.T) {
		op := newOP(t)
		o := options(op)
		o.MetadataAge = -1
		p, err := oidc.Discover(t.Context(), op.Issuer, o)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, op: op, p: p, wire: &wire{}}
		r.register()
		op.ClearLog()
		op.Advance(1000 * time.Hour)
		r.mustLogin()
		wantNoCall(t, op, oidctest.EndpointDiscovery)
	})
	t.Run("038_jwks_uri_moves", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.mustLogin()
		op.RotateKeys()
		op.WithdrawKeys()
		member(op, "jwks_uri", op.URL(oidctest.EndpointJWKS)+"?v=2")
		if err := r.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		op.ClearLog()
		r.mustLogin()
		if reqs := op.Requests(oidctest.EndpointJWKS); len(reqs) != 1 || reqs[0].Query.Get("v") != "2" {
			t.Errorf("asked for keys: %v", reqs)
		}
	})
	t.Run("039_down_at_boot", func(t *testing.T) {
		op := newOP(t)
		op.Break(oidctest.MetadataUnavailable)
		_, err := discoverAt(t, op)
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || !oe.Temporary() {
			t.Fatalf("got %v, want a failure that passes", err)
		}
		// Metadata that is known does not wait for the OP.
		p, err := oidc.NewProvider(byHand(op), options(op))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}); err != nil {
			t.Fatal(err)
		}
		op.Mend()
		if _, err := discoverAt(t, op); err != nil {
			t.Errorf("after the OP came back: %v", err)
		}
	})
	t.Run("039_unreachable_at_boot", func(t *testing.T) {
		op := newOP(t)
		o := options(op)
		if err := op.Close(); err != nil {
			t.Fatal(err)
		}
		_, err := oidc.Discover(t.Context(), op.Issuer, o)
		te, ok := errors.AsType[*oidc.TransportError](err)
		if !ok || !te.Temporary() {
			t.Fatalf("got %v, want a TransportError", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err = oidc.Discover(ctx, op.Issuer, o); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the caller's cancellation in it", err)
		}
	})
	for name, f := range map[string]func(*oidctest.OP){
		"status_500": func(op *oidctest.OP) {
			op.Intercept(oidctest.EndpointDiscovery, respond(500, "text/plain", "oops"))
		},
		"html": func(op *oidctest.OP) {
			op.Intercept(oidctest.EndpointDiscovery, respond(200, "text/html", "<p>login"))
		},
		"other_issuer":      func(op *oidctest.OP) { member(op, "issuer", "https://attacker.example") },
		"bad_endpoint":      func(op *oidctest.OP) { member(op, "token_endpoint", "http://attacker.example/token") },
		"endpoint_missing":  func(op *oidctest.OP) { member(op, "jwks_uri", nil) },
		"not_found_anymore": func(op *oidctest.OP) { op.Intercept(oidctest.EndpointDiscovery, http.NotFound) },
	} {
		t.Run("040_refresh_fails_"+name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			before := string(marshal(r.p.Metadata()))
			f(op)
			if err := r.p.Reload(t.Context()); err == nil {
				t.Error("Reload tells nobody")
			}
			op.Advance(oidc.DefaultMetadataAge + time.Second)
			op.ClearLog()
			r.mustLogin()
			wantAtLeast(t, op, oidctest.EndpointDiscovery, 1)
			op.ClearLog()
			r.mustLogin() // within the pause after a failure
			wantNoCall(t, op, oidctest.EndpointDiscovery)
			if after := string(marshal(r.p.Metadata())); after != before {
				t.Errorf("the last good copy is gone:\n%s\n%s", before, after)
			}
			op.Intercept(oidctest.EndpointDiscovery, nil)
			op.TamperMetadata(nil)
			op.Advance(2 * time.Minute)
			op.ClearLog()
			r.mustLogin()
			wantCalls(t, op, oidctest.EndpointDiscovery, 1)
		})
	}
	t.Run("040_skipped_match_never_changes_the_issuer", func(t *testing.T) {
		op := newOP(t)
		member(op, "issuer", "https://one.example")
		o := options(op)
		o.InsecureSkipIssuerMatch = true
		p, err := oidc.Discover(t.Context(), op.Issuer, o)
		if err != nil {
			t.Fatal(err)
		}
		member(op, "issuer", "https://two.example")
		wantReason(t, p.Reload(t.Context()), oidc.MetadataIssuerMismatch)
		if p.Issuer() != "https://one.example" {
			t.Errorf("the issuer became %s", p.Issuer())
		}
	})
}

// wantAtLeast asserts that an endpoint was asked.
func wantAtLeast(t *testing.T, op *oidctest.OP, e oidctest.Endpoint, want int) {
	t.Helper()
	if n := len(op.Requests(e)); n < want {
		t.Errorf("%d requests to the %s endpoint, want at least %d", n, e, want)
	}
}

// fetchJSON gets a document past the relying party.
func fetchJSON(t *testing.T, op *oidctest.OP, url string) string {
	t.Helper()
	res, err := op.HTTPClient().Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var doc json.RawMessage
	if err := json.NewDecoder(res.Body).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return string(doc)
}

// only serves a document at one path and nothing elsewhere.
func only(path, doc string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != path {
			http.NotFound(w, r)
			return
		}
		respond(200, "application/json", doc)(w, r)
	}
}
