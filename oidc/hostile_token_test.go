package oidc_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// tokenMember sets a member of the token response; nil removes it.
func tokenMember(op *oidctest.OP, name string, v any) {
	op.TamperTokenResponse(func(m map[string]any) {
		if v == nil {
			delete(m, name)
			return
		}
		m[name] = v
	})
}

// TestHostileToken breaks the token endpoint. In every case there is one request
// to it, and none to UserInfo.
func TestHostileToken(t *testing.T) {
	op := newOP(t)
	for _, c := range []struct {
		name, member string
		value        any
		want         oidc.Reason
	}{
		{"132_token_type_missing", "token_type", nil, oidc.BadTokenType},
		{"132_token_type_empty", "token_type", "", oidc.BadTokenType},
		{"132_token_type_null", "token_type", json.RawMessage("null"), oidc.BadTokenType},
		{"133_token_type_mac", "token_type", "mac", oidc.BadTokenType},
		{"133_token_type_a_number", "token_type", 7, oidc.MalformedResponse},
		{"134_token_type_dpop", "token_type", "DPoP", oidc.BadTokenType},
		{"135_id_token_missing", "id_token", nil, oidc.MissingIDToken},
		{"135_id_token_empty", "id_token", "", oidc.MissingIDToken},
		{"136_id_token_a_number", "id_token", 7, oidc.MalformedResponse},
		{"136_id_token_an_object", "id_token", map[string]any{"sub": "x"}, oidc.MalformedResponse},
		{"136_id_token_a_list", "id_token", []any{"a.b.c"}, oidc.MalformedResponse},
		{"137_access_token_missing", "access_token", nil, oidc.MissingAccessToken},
		{"137_access_token_empty", "access_token", "", oidc.MissingAccessToken},
		{"137_access_token_a_number", "access_token", 7, oidc.MalformedResponse},
		{"138_access_token_with_crlf", "access_token", "abcdefgh\r\nX-Evil: 1", oidc.BadTokenResponse},
		{"138_access_token_with_nul", "access_token", "abcdefgh\x00", oidc.BadTokenResponse},
		{"138_access_token_with_del", "access_token", "abcdefgh\x7f", oidc.BadTokenResponse},
		{"138_access_token_with_a_space", "access_token", "abcd efgh", oidc.BadTokenResponse},
		{"138_access_token_not_ascii", "access_token", "abcdefghé", oidc.BadTokenResponse},
		{"138_access_token_too_long", "access_token", strings.Repeat("a", oidc.MaxAccessToken+1), oidc.BadTokenResponse},
		{"138_refresh_token_too_long", "refresh_token", strings.Repeat("a", oidc.MaxAccessToken+1), oidc.BadTokenResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperTokenResponse(nil)
			r := setup(t, op)
			tokenMember(op, c.member, c.value)
			op.ClearLog()
			r.refused(c.want)
			wantCalls(t, op, oidctest.EndpointToken, 1)
			wantNoCall(t, op, oidctest.EndpointUserInfo)
		})
	}
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(fmt.Sprintf("126_redirect_%d_to_another_host", status), func(t *testing.T) {
			op, other := newOP(t), newOP(t)
			r := setup(t, op)
			op.ClearLog()
			op.Intercept(oidctest.EndpointToken, func(w http.ResponseWriter, req *http.Request) {
				http.Redirect(w, req, other.URL(oidctest.EndpointToken), status)
			})
			r.refused(oidc.UnexpectedRedirect)
			wantCalls(t, op, oidctest.EndpointToken, 1)
			if len(other.Received()) != 0 {
				t.Error("code, verifier and secret were sent again")
			}
		})
	}
	for name, to := range map[string]func(*oidctest.OP, *oidctest.OP) string{
		"port":   func(_, other *oidctest.OP) string { return other.URL(oidctest.EndpointToken) },
		"scheme": func(op, _ *oidctest.OP) string { return "http://" + op.Host + "/token" },
		"path":   func(op, _ *oidctest.OP) string { return op.Issuer + "/elsewhere" },
		"itself": func(op, _ *oidctest.OP) string { return op.URL(oidctest.EndpointToken) },
	} {
		t.Run("127_redirect_to_another_"+name, func(t *testing.T) {
			op, other := newOP(t), newOP(t)
			r := setup(t, op)
			op.ClearLog()
			op.Intercept(oidctest.EndpointToken, redirect(to(op, other)))
			r.refused(oidc.UnexpectedRedirect)
			wantCalls(t, op, oidctest.EndpointToken, 1)
			wantNoCall(t, op, oidctest.EndpointNone)
			if len(other.Received()) != 0 {
				t.Error("code, verifier and secret were sent again")
			}
		})
	}
	for name, c := range map[string]struct {
		h    http.HandlerFunc
		code string
	}{
		"invalid_grant":        {respond(400, "application/json", `{"error":"invalid_grant"}`), "invalid_grant"},
		"invalid_client":       {respond(401, "application/json", `{"error":"invalid_client"}`), "invalid_client"},
		"unlisted":             {respond(400, "application/json", `{"error":"of_our_own","error_description":"why"}`), "of_our_own"},
		"in_www_authenticate":  {challenge(401, `Basic realm="op", error="invalid_client", error_description="no \"such\" client"`), "invalid_client"},
		"without_body":         {respond(401, "text/plain", ``), ""},
		"html":                 {respond(403, "text/html", `<h1>Forbidden`), ""},
		"too_many_requests":    {challenge(429, ``), ""},
		"server_error":         {respond(500, "application/json", `{"error":"server_error"}`), "server_error"},
		"json_by_another_name": {respond(400, "text/plain", `{"error":"a"}`), ""},
		"bad_json_in_an_error": {respond(400, "application/json", `{"error":"a","error":"b"}`), ""},
	} {
		t.Run("128_"+name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			op.ClearLog()
			op.Intercept(oidctest.EndpointToken, c.h)
			_, err := r.login()
			oe := r.refusal(err, c.code)
			if oe.Code == "invalid_client" && !strings.Contains(oe.Hint, "client_secret_basic") {
				t.Errorf("no advice in %v", err)
			}
			reqs := op.Requests(oidctest.EndpointToken)
			if len(reqs) != 1 || reqs[0].Auth.Method != "client_secret_basic" {
				t.Errorf("requests %v: want one, by the one method that is registered", reqs)
			}
		})
	}
	t.Run("129_connection_reset", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.mustLogin() // the connection is warm now
		op.ClearLog()
		op.Break(oidctest.TokenReset)
		_, err := r.login()
		r.reason(err, oidc.Unreachable)
		wantCalls(t, op, oidctest.EndpointToken, 1)
	})
	for name, f := range hostileBodies("application/json", `"access_token":"a"`) {
		n := map[string]string{"slow_loris": "130", "endless": "131", "gzip_bomb": "131", "duplicates": "143"}[name]
		if n == "" {
			n = "140"
		}
		t.Run(n+"_"+name, func(t *testing.T) {
			op := newOP(t)
			o := options(op)
			o.Timeout = f.timeout
			r := setup(t, op)
			pending, cb := r.begin()
			p, err := oidc.NewProvider(r.p.Metadata(), o)
			if err != nil {
				t.Fatal(err)
			}
			if r.c, err = oidc.NewClient(p, r.reg.ClientConfig()); err != nil {
				t.Fatal(err)
			}
			op.ClearLog()
			op.Intercept(oidctest.EndpointToken, f.handler)
			_, err = r.finish(pending, cb)
			r.reason(err, f.want)
			wantCalls(t, op, oidctest.EndpointToken, 1)
		})
	}
	t.Run("134_dpop_and_other_types_at_userinfo", func(t *testing.T) {
		tok := oidc.Tokens{AccessToken: "abc", TokenType: "DPoP"}
		wantUnsupported(t, tok.Authorize(&http.Request{Header: http.Header{}}))
		none := (*oidc.Tokens)(nil)
		wantInput(t, none.Authorize(&http.Request{Header: http.Header{}}), oidc.NoAccessToken)
	})
	t.Run("134_bearer_in_any_case", func(t *testing.T) {
		defer op.TamperTokenResponse(nil)
		r := setup(t, op)
		tokenMember(op, "token_type", "bEaReR")
		if tok := r.mustLogin(); tok.TokenType != "Bearer" {
			t.Errorf("type %q", tok.TokenType)
		}
	})
	for _, c := range []struct {
		name  string
		value any
		want  time.Duration // 0: no expiry is known
	}{
		{"139_expires_in_negative", -1, 0},
		{"139_expires_in_huge", json.RawMessage("1e400"), 0},
		{"139_expires_in_overflowing", json.RawMessage("9223372036854775807"), 0},
		{"139_expires_in_centuries", 1e11, 10 * 365 * 24 * time.Hour},
		{"139_expires_in_a_string", "3600", 0},
		{"139_expires_in_null", json.RawMessage("null"), 0},
		{"139_expires_in_absent", nil, 0},
		{"139_expires_in_an_object", map[string]any{}, 0},
		{"139_expires_in_a_fraction", 1.5, 1500 * time.Millisecond},
		{"139_expires_in_an_hour", 3600, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			op := newOP(t, func(c *oidctest.Config) { c.Now = func() time.Time { return now } })
			r := setup(t, op)
			tokenMember(op, "expires_in", c.value)
			tok := r.mustLogin()
			if c.want == 0 && !tok.Expiry.IsZero() || c.want != 0 && !tok.Expiry.Equal(now.Add(c.want)) {
				t.Errorf("expiry %v, want %v from now", tok.Expiry, c.want)
			}
		})
	}
	t.Run("140_form_encoded", func(t *testing.T) {
		for _, ct := range []string{"application/x-www-form-urlencoded", "text/plain"} {
			op := newOP(t)
			r := setup(t, op)
			op.Intercept(oidctest.EndpointToken, respond(200, ct, "access_token=a&token_type=bearer"))
			r.refused(oidc.UnexpectedMediaType)
		}
	})
	t.Run("141_html", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		op.Intercept(oidctest.EndpointToken, respond(200, "text/html", "<p>please log in"))
		r.refused(oidc.UnexpectedMediaType)
	})
	for _, f := range []oidctest.Fault{oidctest.TokenStatus203, oidctest.TokenStatus204, oidctest.TokenStatus206} {
		t.Run("142_"+string(f), func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			op.ClearLog()
			op.Break(f)
			tok, err := r.login()
			if err == nil || tok != nil {
				t.Fatalf("got %v, %v", tok, err)
			}
			r.wire.check(t, err)
			wantCalls(t, op, oidctest.EndpointToken, 1)
		})
	}
	t.Run("144_error_in_a_200", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		op.Break(oidctest.TokenErrorBeside)
		if _, err := r.login(); err == nil {
			t.Fatal("an error beside tokens is accepted")
		} else if _, ok := errors.AsType[*oidc.OPError](err); !ok {
			t.Fatalf("got %v", err)
		}
	})
	t.Run("145_awkward_credentials", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.AwkwardCredentials = true })
		r := setup(t, op)
		if !strings.ContainsAny(r.reg.Secret, ":%+") || !strings.ContainsAny(r.reg.ClientID, ":%+") {
			t.Fatalf("the credentials are not awkward: %q", r.reg.ClientID)
		}
		op.ClearLog()
		r.mustLogin()
		if a := op.Requests(oidctest.EndpointToken)[0].Auth; a.ClientID != r.reg.ClientID || a.Secret != r.reg.Secret {
			t.Errorf("arrived as %q", a.ClientID)
		}
		r.client(func(c *oidc.ClientConfig) { c.Metadata.TokenEndpointAuthMethod = "client_secret_post" })
		_, err := r.login()
		r.refusal(err, "invalid_client") // registered for another method
	})
	t.Run("145_raw_quirk", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.AwkwardCredentials = true })
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.Quirks.RawBasicCredentials = true })
		op.ClearLog()
		if _, err := r.login(); err == nil {
			t.Error("a strict OP accepts what is not encoded")
		}
		r.client(func(c *oidc.ClientConfig) {
			c.Quirks.RawBasicCredentials = true
			c.Auth = oidc.SecretBasic("a:b")
		})
		if _, err := r.login(); err == nil {
			t.Error("a strict OP accepts what is not encoded")
		}
		r.client()
		op.Intercept(oidctest.EndpointToken, respond(401, "application/json", `{"error":"invalid_client"}`))
		_, err := r.login()
		if oe := r.refusal(err, "invalid_client"); !strings.Contains(oe.Hint, "RawBasicCredentials") {
			t.Errorf("no advice in %v", err)
		}
	})
	for _, method := range []string{"private_key_jwt", "client_secret_jwt"} {
		t.Run("146_assertion_"+method, func(t *testing.T) {
			op := newOP(t)
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.discover()
			var err error
			if r.reg, err = r.p.Register(t.Context(), r.metadata(func(m *oidc.ClientMetadata) {
				m.TokenEndpointAuthMethod = method
				if method == "private_key_jwt" {
					m.JWKS = testJWKS(t)
				}
			}), ""); err != nil {
				t.Fatal(err)
			}
			r.client(func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{testKey()} })
			op.ClearLog()
			tok := r.offline()
			if _, err := r.c.Refresh(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			jtis := make(map[any]bool)
			for _, req := range op.Requests(oidctest.EndpointToken) {
				c := req.Auth.Claims
				exp, _ := c["exp"].(float64)
				iat, _ := c["iat"].(float64)
				if c["iss"] != r.c.ID() || c["sub"] != r.c.ID() || c["aud"] != op.Issuer || exp-iat > 60 || exp <= iat {
					t.Errorf("claims %v", c)
				}
				if req.Form.Has("client_secret") || req.Header.Get("Authorization") != "" {
					t.Error("the secret travels beside the assertion")
				}
				jtis[c["jti"]] = true
			}
			if len(jtis) != 2 || jtis[nil] || jtis[""] {
				t.Errorf("jti values %v: want a fresh one for each request", jtis)
			}
			r.client(func(c *oidc.ClientConfig) {
				c.Keys = []oidc.Key{testKey()}
				c.Quirks.AssertionAudienceEndpoint = true
			})
			op.ClearLog()
			r.mustLogin()
			if aud := op.Requests(oidctest.EndpointToken)[0].Auth.Claims["aud"]; aud != op.URL(oidctest.EndpointToken) {
				t.Errorf("with the quirk aud is %v", aud)
			}
		})
	}
	t.Run("147_secrets_in_errors_and_logs", func(t *testing.T) {
		op := newOP(t)
		var logged bytes.Buffer
		log := slog.New(slog.NewJSONHandler(&logged, nil))
		r := setup(t, op)
		tok := r.offline()
		for _, f := range []oidctest.Fault{oidctest.InvalidGrant, oidctest.InvalidClient, oidctest.TokenReset, oidctest.TokenDuplicate, oidctest.TokenTrailing, oidctest.IDTokenNumber,
			oidctest.AccessTokenCRLF, oidctest.TokenTypeMAC, oidctest.NonceWrong, oidctest.SignatureWrong, oidctest.AudOther, oidctest.StateWrong} {
			op.Break(f)
			_, err := r.login()
			if err == nil {
				t.Errorf("%s: no error", f)
			}
			log.Error("login", "err", err)
			op.Mend(f)
		}
		log.Info("state", "tokens", tok, "client", r.c, "registration", r.reg, "config", r.reg.ClientConfig(), "id", tok.IDToken)
		r.wire.check(t, errors.New(logged.String()))
		r.wire.check(t, fmt.Errorf("%+v %+v %#v", r.c, r.reg, tok))
	})
	t.Run("148_nothing_of_it_in_a_url", func(t *testing.T) {
		// What a page answers to the callback is the web floor's. Ours: no code,
		// token or verifier ever travels in a URL that we make.
		op := newOP(t)
		r := setup(t, op)
		op.ClearLog()
		tok := r.offline()
		if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		for _, e := range []oidctest.Endpoint{oidctest.EndpointToken, oidctest.EndpointUserInfo, oidctest.EndpointJWKS} {
			for _, req := range op.Requests(e) {
				if len(req.Query) != 0 {
					t.Errorf("%v has the query %v", req, req.Query)
				}
				if req.Header.Get("Referer") != "" || req.Header.Get("Cookie") != "" {
					t.Errorf("%v has Referer or Cookie", req)
				}
			}
		}
	})
	for _, f := range []oidctest.Fault{oidctest.CertificateUntrusted, oidctest.CertificateExpired, oidctest.CertificateOtherHost, oidctest.TLSOld} {
		t.Run("149_"+string(f), func(t *testing.T) {
			op := newOP(t)
			op.Break(f)
			_, err := discoverAt(t, op)
			if _, ok := errors.AsType[*oidc.TransportError](err); !ok {
				t.Fatalf("got %v, want a TransportError", err)
			}
			wantNoCall(t, op, oidctest.EndpointDiscovery)
		})
	}
}

// challenge answers with a WWW-Authenticate field.
func challenge(status int, field string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if field != "" {
			w.Header().Set("WWW-Authenticate", field)
		}
		w.Header().Set("Retry-After", "30")
		w.WriteHeader(status)
	}
}

// TestTokenRequest holds what Core section 3.1.3.1 asks for, and nothing else.
func TestTokenRequest(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.ClearLog()
	pending, cb := r.begin()
	tok, err := r.finish(pending, cb)
	if err != nil {
		t.Fatal(err)
	}
	req := op.Requests(oidctest.EndpointToken)[0]
	want := url.Values{"grant_type": {"authorization_code"}, "code": {cb.Params().Get("code")}, "redirect_uri": {redirectURI}, "code_verifier": {pending.Verifier}}
	if req.Method != "POST" || req.Form.Encode() != want.Encode() || req.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
		t.Errorf("sent %s %v", req.Method, req.Form)
	}
	var raw struct {
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal(tok.Raw, &raw); err != nil || !slices.Equal(tok.Scopes, []string{"openid"}) {
		t.Errorf("scopes %v, raw %v, %v", tok.Scopes, raw, err)
	}
}

// TestScopes are what the OP says, or else what was asked for (RFC 6749 5.1).
func TestScopes(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	r.params.Scopes = []string{"email", "profile"}
	for want, v := range map[string]any{"openid email": "openid email", "openid email profile": nil} {
		tokenMember(op, "scope", v)
		if tok := r.mustLogin(); strings.Join(tok.Scopes, " ") != want {
			t.Errorf("scope %v: got %v", v, tok.Scopes)
		}
	}
}

// TestRetryAfter reads seconds and dates, within a bound.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	op := newOP(t, func(c *oidctest.Config) { c.Now = func() time.Time { return now } })
	r := setup(t, op)
	for value, want := range map[string]time.Duration{
		"30": 30 * time.Second, "0": 0, "-5": 0, "": 0, "soon": 0, "99999999999": 24 * time.Hour, "1e400": 0, "1h": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0, now.Add(1000 * time.Hour).Format(http.TimeFormat): 24 * time.Hour,
	} {
		op.Intercept(oidctest.EndpointToken, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", value)
			w.WriteHeader(http.StatusServiceUnavailable)
		})
		_, err := r.login()
		if oe := r.refusal(err, ""); oe.RetryAfter != want || !oe.Temporary() {
			t.Errorf("Retry-After %q: got %v, want %v", value, oe.RetryAfter, want)
		}
	}
}
