package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHostileClaimSources breaks aggregated and distributed claims (Core section
// 5.6.2).
func TestHostileClaimSources(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	op := newOP(t, nowAt(now))
	r := setup(t, op)
	tok := r.mustLogin()
	header := []byte(`{"alg":"RS256"}`)
	jwtOf := func(claims map[string]any) string {
		if claims["iss"] == nil {
			claims["iss"] = op.Issuer
		}
		return signRS256(header, marshal(claims))
	}
	// source serves JWTs at an endpoint of its own.
	source := newOP(t)
	endpoint := source.URL(oidctest.EndpointUserInfo)
	ask := func(t *testing.T, names, sources any, o oidc.ClaimSourceOptions) (*oidc.SourcedClaims, error) {
		t.Helper()
		op.TamperUserInfo(func(m map[string]any) {
			m["locale"] = "en"
			if names != nil {
				m["_claim_names"] = names
			}
			if sources != nil {
				m["_claim_sources"] = sources
			}
		})
		defer op.TamperUserInfo(nil)
		ui, err := r.c.UserInfo(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		return r.c.SourcedClaims(t.Context(), ui, o)
	}
	trusted := oidc.ClaimSourceOptions{Providers: []*oidc.Provider{r.p}}
	client := source.HTTPClient()
	// The RP's network reaches the source too.
	r.opts.HTTPClient = &http.Client{Transport: roundTrip(func(req *http.Request) (*http.Response, error) {
		if req.URL.Host == source.Host {
			return client.Transport.RoundTrip(req)
		}
		return op.HTTPClient().Transport.RoundTrip(req)
	})}
	r.discover()
	r.client()
	trusted.Providers = []*oidc.Provider{r.p}

	t.Run("301_aggregated", func(t *testing.T) {
		got, err := ask(t, map[string]any{"credit": "bank", "sub": "bank", "locale": "bank", "absent": "bank"}, map[string]any{"bank": map[string]any{"JWT": jwtOf(map[string]any{"credit": 7, "sub": "mallory", "locale": "xx", "extra": 1})}}, trusted)
		if err != nil || len(got.Failed) != 0 {
			t.Fatalf("got %v, %v", got, err)
		}
		c := got.Claims["credit"]
		if len(got.Claims) != 1 || string(c.Value) != "7" || !c.Verified || c.Issuer != op.Issuer || c.Source != "bank" {
			t.Errorf("got %+v: a source speaks for what it is asked, never for sub, nor for what the OP said itself", got.Claims)
		}
	})
	t.Run("301_none", func(t *testing.T) {
		if got, err := ask(t, nil, nil, trusted); err != nil || len(got.Claims)+len(got.Failed) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
	for name, c := range map[string]struct {
		raw  string
		o    oidc.ClaimSourceOptions
		want oidc.Reason // "": accepted
	}{
		"untrusted_issuer": {jwtOf(map[string]any{"iss": "https://attacker.example", "credit": 7}), trusted, oidc.BadIssuer},
		"nobody_trusted":   {jwtOf(map[string]any{"credit": 7}), oidc.ClaimSourceOptions{}, oidc.BadIssuer},
		"bad_signature":    {signed(jwtOf(map[string]any{"credit": 7}), jwtOf(map[string]any{"credit": 8})), trusted, oidc.BadSignature},
		"alg_none":         {b64([]byte(`{"alg":"none"}`)) + "." + b64([]byte(`{"iss":"`+op.Issuer+`","credit":7}`)) + ".", trusted, oidc.BadAlgorithm},
		"hmac":             {hs256(t, jwt{claims: map[string]any{"iss": op.Issuer, "credit": 7}}, r.reg.Secret), trusted, oidc.BadAlgorithm},
		"expired":          {jwtOf(map[string]any{"credit": 7, "exp": 1000}), trusted, oidc.TokenExpired},
		"not_yet":          {jwtOf(map[string]any{"credit": 7, "nbf": now.Add(time.Hour).Unix()}), trusted, oidc.TokenNotYetValid},
		"other_audience":   {jwtOf(map[string]any{"credit": 7, "aud": "other"}), trusted, oidc.BadAudience},
		"our_audience":     {jwtOf(map[string]any{"credit": 7, "aud": r.c.ID()}), trusted, ""},
		"op_audience":      {jwtOf(map[string]any{"credit": 7, "aud": []string{"other", op.Issuer}}), trusted, ""},
		"other_purpose":    {signRS256([]byte(`{"alg":"RS256","typ":"at+jwt"}`), []byte(`{"iss":"`+op.Issuer+`","credit":7}`)), trusted, oidc.BadType},
		"no_jwt":           {"hello", trusted, oidc.MalformedToken},
		"claim_type":       {jwtOf(map[string]any{"credit": 7, "exp": "x"}), trusted, oidc.BadClaim},
	} {
		t.Run("301_"+name, func(t *testing.T) {
			got, err := ask(t, map[string]any{"credit": "bank", "other": "good"}, map[string]any{"bank": map[string]any{"JWT": c.raw}, "good": map[string]any{"JWT": jwtOf(map[string]any{"other": true})}}, c.o)
			if err != nil {
				t.Fatal(err)
			}
			if c.want == "" {
				if string(got.Claims["credit"].Value) != "7" {
					t.Errorf("got %v", got)
				}
				return
			}
			r.in(t).reason(got.Failed["bank"], c.want)
			if _, ok := got.Claims["credit"]; ok {
				t.Error("the claim is believed")
			}
			if len(c.o.Providers) > 0 && string(got.Claims["other"].Value) != "true" {
				t.Error("one bad source costs the others theirs")
			}
		})
	}
	t.Run("301_unverified_where_it_is_allowed", func(t *testing.T) {
		got, err := ask(t, map[string]any{"credit": "bank"}, map[string]any{"bank": map[string]any{"JWT": jwtOf(map[string]any{"iss": "https://attacker.example", "credit": 7})}}, oidc.ClaimSourceOptions{InsecureAllowUnverified: true})
		if c := got.Claims["credit"]; err != nil || c.Verified || c.Issuer != "" || string(c.Value) != "7" {
			t.Errorf("got %+v, %v", got, err)
		}
	})
	t.Run("301_sources_that_are_none", func(t *testing.T) {
		for name, c := range map[string][2]any{"names a list": {[]any{"x"}, nil}, "sources a list": {map[string]any{"a": "b"}, []any{}}} {
			_, err := ask(t, c[0], c[1], trusted)
			if !errors.Is(err, oidc.MalformedResponse) {
				t.Errorf("%s: %v", name, err)
			}
		}
		got, err := ask(t, map[string]any{"a": "b"}, nil, trusted)
		if err != nil || !errors.Is(got.Failed["b"], oidc.MissingClaim) {
			t.Errorf("got %v, %v", got, err)
		}
		got, err = ask(t, map[string]any{"a": "b"}, map[string]any{"b": map[string]any{}}, trusted)
		if err != nil || !errors.Is(got.Failed["b"], oidc.MissingClaim) {
			t.Errorf("got %v, %v", got, err)
		}
		many := make(map[string]any)
		for i := range 50 {
			many[fmt.Sprint(i)] = map[string]any{"endpoint": endpoint}
		}
		_, err = ask(t, map[string]any{"a": "1"}, many, trusted)
		r.in(t).reason(err, oidc.BadClaim)
	})

	serve := func(h http.HandlerFunc) { source.Intercept(oidctest.EndpointUserInfo, h) }
	at := func(token string) map[string]any {
		s := map[string]any{"endpoint": endpoint}
		if token != "" {
			s["access_token"] = token
		}
		return map[string]any{"bank": s}
	}
	names := map[string]any{"credit": "bank"}
	t.Run("300_distributed", func(t *testing.T) {
		serve(respond(200, "application/jwt", jwtOf(map[string]any{"credit": 7})))
		for want, c := range map[string]struct {
			token string
			o     oidc.ClaimSourceOptions
		}{
			"Bearer of-the-op": {"of-the-op", trusted},
			"":                 {"", trusted},
			"Bearer of-the-application": {"", oidc.ClaimSourceOptions{Providers: trusted.Providers, AccessToken: func(_ context.Context, name, at string) (string, error) {
				if name != "bank" || at != endpoint {
					t.Errorf("asked for %s at %s", name, at)
				}
				return "of-the-application", nil
			}}},
		} {
			source.ClearLog()
			got, err := ask(t, names, at(c.token), c.o)
			if err != nil || string(got.Claims["credit"].Value) != "7" {
				t.Fatalf("got %v, %v", got, err)
			}
			req := source.Requests(oidctest.EndpointUserInfo)[0]
			if auth := req.Header.Get("Authorization"); auth != want || strings.Contains(auth, tok.AccessToken) {
				t.Errorf("sent %q, want %q", auth, want)
			}
		}
	})
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		want oidc.Reason
	}{
		"redirect": {redirect("https://attacker.example/"), oidc.UnexpectedRedirect},
		"json":     {respond(200, "application/json", `{"credit":7}`), oidc.UnexpectedMediaType},
		"huge":     {hostileBodies("application/jwt", "")["endless"].handler, oidc.ResponseTooLarge},
	} {
		t.Run("300_"+name, func(t *testing.T) {
			serve(c.h)
			got, err := ask(t, names, at("secret-of-the-source"), trusted)
			if err != nil {
				t.Fatal(err)
			}
			r.in(t).reason(got.Failed["bank"], c.want)
			if strings.Contains(got.Failed["bank"].Error(), "secret-of") {
				t.Error("the error tells the token")
			}
		})
	}
	t.Run("300_refused", func(t *testing.T) {
		serve(challenge(401, `Bearer error="invalid_token"`))
		got, err := ask(t, names, at("x-token"), trusted)
		if err != nil {
			t.Fatal(err)
		}
		r.in(t).refusal(got.Failed["bank"], "invalid_token")
	})
	t.Run("300_where_nobody_may_be", func(t *testing.T) {
		for endpoint, want := range map[string]oidc.Reason{"http://bank.example/": oidc.InsecureURL, "https://169.254.169.254/": oidc.ForbiddenAddress, "https://10.0.0.1/": oidc.ForbiddenAddress, "file:///etc/passwd": oidc.BadMetadata} {
			got, err := ask(t, names, map[string]any{"bank": map[string]any{"endpoint": endpoint}}, trusted)
			if err != nil || !errors.Is(got.Failed["bank"], want) {
				t.Errorf("%s: got %v, %v", endpoint, got, err)
			}
		}
	})
	t.Run("300_tokens_that_cannot_be_sent", func(t *testing.T) {
		source.ClearLog()
		got, err := ask(t, names, at("a\r\nX-Evil: 1"), trusted)
		if err != nil || !errors.Is(got.Failed["bank"], oidc.BadTokenResponse) {
			t.Errorf("got %v, %v", got, err)
		}
		failing := errors.New("no token for this one")
		got, err = ask(t, names, at(""), oidc.ClaimSourceOptions{AccessToken: func(context.Context, string, string) (string, error) { return "", failing }})
		if err != nil || !errors.Is(got.Failed["bank"], failing) {
			t.Errorf("got %v, %v", got, err)
		}
		if len(source.Received()) != 0 {
			t.Error("something was sent")
		}
	})
	t.Run("301_of_an_id_token", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		op.TamperIDToken(func(_, c map[string]any) {
			c["_claim_names"], c["_claim_sources"] = map[string]any{"credit": "bank"}, map[string]any{"bank": map[string]any{"JWT": jwtOf(map[string]any{"credit": 7})}}
		})
		got, err := r.c.SourcedClaims(t.Context(), r.mustLogin().IDToken, trusted)
		if err != nil || string(got.Claims["credit"].Value) != "7" {
			t.Errorf("got %v, %v", got, err)
		}
	})
}
