package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHostileRefresh breaks the refresh. What the test OP can do wrong by itself
// is in TestHostileFaults; what one refresh at a time means is package rp's.
func TestHostileRefresh(t *testing.T) {
	op := newOP(t)
	for _, c := range []struct {
		name string
		edit func(claims map[string]any)
		want oidc.Reason // "": accepted
	}{
		{"244_another_sub", func(c map[string]any) { c["sub"] = "mallory" }, oidc.SubjectMismatch},
		{"245_another_iss", func(c map[string]any) { c["iss"] = "https://attacker.example" }, oidc.BadIssuer},
		{"245_another_aud", func(c map[string]any) { c["aud"] = "other" }, oidc.BadAudience},
		{"245_expired", func(c map[string]any) { c["exp"] = 1 }, oidc.TokenExpired},
		{"245_too_old", func(c map[string]any) { c["iat"] = 1000000000 }, oidc.TokenTooOld},
		{"245_at_hash", func(c map[string]any) { c["at_hash"] = "AAAAAAAAAAAAAAAAAAAAAA" }, oidc.BadAccessTokenHash},
		{"245_logout_token", func(c map[string]any) { c["events"] = map[string]any{} }, oidc.BadType},
		{"246_another_nonce", func(c map[string]any) { c["nonce"] = "other" }, oidc.BadNonce},
		{"246_no_nonce", func(c map[string]any) { delete(c, "nonce") }, ""},
		{"247_another_auth_time", func(c map[string]any) { c["auth_time"] = c["iat"].(int64) - 1000 }, oidc.BadAuthTime},
		{"247_no_auth_time", func(c map[string]any) { delete(c, "auth_time") }, ""},
		{"247_one_audience_more", func(c map[string]any) {
			c["aud"] = []any{c["aud"], "https://api.example"}
			c["azp"] = c["aud"].([]any)[0]
		}, oidc.BadAudience},
		{"247_another_azp", func(c map[string]any) { c["azp"] = "other" }, oidc.BadAuthorizedParty},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperIDToken(nil)
			r := setup(t, op)
			r.client(func(c *oidc.ClientConfig) { c.TrustedAudiences = []string{"https://api.example"} })
			age := time.Hour
			r.params.MaxAge = &age
			tok := r.offline()
			before, err := tok.Export()
			if err != nil {
				t.Fatal(err)
			}
			op.TamperIDToken(func(_, claims map[string]any) { c.edit(claims) })
			op.ClearLog()
			n, err := r.c.Refresh(t.Context(), tok)
			wantCalls(t, op, oidctest.EndpointToken, 1)
			if after, _ := tok.Export(); string(after) != string(before) {
				t.Error("the old tokens were changed")
			}
			if c.want != "" {
				if n != nil {
					t.Error("tokens beside the error")
				}
				r.reason(err, c.want)
				return
			}
			if err != nil || n.IDToken.Identity() != tok.IDToken.Identity() {
				t.Fatalf("got %v, %v", n, err)
			}
		})
	}
	t.Run("246_nonce_repeated", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		tok := r.offline()
		claim(op, "nonce", tok.IDToken.Nonce)
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Error(err)
		}
	})
	t.Run("250_answer_lost", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.RefreshGrace = time.Minute })
		r := setup(t, op)
		tok := r.offline()
		op.ClearLog()
		op.Break(oidctest.RefreshLost)
		_, err := r.c.Refresh(t.Context(), tok)
		r.reason(err, oidc.Unreachable)
		if te, ok := errors.AsType[*oidc.TransportError](err); !ok || !te.Temporary() {
			t.Errorf("%v does not say that the same may be tried again", err)
		}
		wantCalls(t, op, oidctest.EndpointToken, 1) // not by us: by whoever keeps the grant
		op.Mend()
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Errorf("within the OP's grace: %v", err)
		}
	})
	for name, v := range map[string]any{"absent": nil, "empty": "", "the_same": "keep"} {
		t.Run("251_refresh_token_"+name, func(t *testing.T) {
			op := newOP(t, func(c *oidctest.Config) { c.KeepRefreshTokens = true })
			r := setup(t, op)
			tok := r.offline()
			if v == "keep" {
				v = tok.RefreshToken
			}
			tokenMember(op, "refresh_token", v)
			n, err := r.c.Refresh(t.Context(), tok)
			if err != nil {
				t.Fatal(err)
			}
			if n.RefreshToken != tok.RefreshToken || n.AccessToken == tok.AccessToken {
				t.Error("the old refresh token is not kept, or the access token is")
			}
			if _, err := r.c.Refresh(t.Context(), n); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("251_rotation", func(t *testing.T) {
		r := setup(t, op)
		tok := r.offline()
		n, err := r.c.Refresh(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		if n.RefreshToken == tok.RefreshToken {
			t.Error("the new refresh token is not taken")
		}
		_, err = r.c.Refresh(t.Context(), tok)
		r.refusal(err, "invalid_grant") // a second use of the old one
	})
	t.Run("252_final_and_passing", func(t *testing.T) {
		r := setup(t, op)
		tok := r.offline()
		for _, c := range []struct {
			h         http.HandlerFunc
			code      string
			temporary bool
		}{
			{respond(400, "application/json", `{"error":"invalid_grant"}`), "invalid_grant", false},
			{respond(503, "application/json", `{"error":"temporarily_unavailable"}`), "temporarily_unavailable", true},
			{respond(500, "text/html", `oops`), "", true},
			{respond(503, "application/json", `{"error":"odd"}`), "odd", true},
			{respond(408, "text/plain", ``), "", true},
			{respond(400, "text/plain", ``), "", false},
		} {
			op.Intercept(oidctest.EndpointToken, c.h)
			_, err := r.c.Refresh(t.Context(), tok)
			if oe := r.refusal(err, c.code); oe.Temporary() != c.temporary || oe.Endpoint != oidc.StepRefresh {
				t.Errorf("%+v", oe)
			}
		}
		op.Intercept(oidctest.EndpointToken, nil)
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
	t.Run("244_nothing_to_refresh_with", func(t *testing.T) {
		r := setup(t, op)
		tok := r.mustLogin()
		_, err := r.c.Refresh(t.Context(), tok)
		wantInput(t, err, oidc.NoRefreshToken)
		_, err = r.c.Refresh(t.Context(), nil)
		wantInput(t, err, oidc.NoRefreshToken)
		md := byHand(op)
		md.TokenEndpoint, md.ResponseTypesSupported = "", []string{"id_token"}
		p, err := oidc.NewProvider(md, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		config := r.reg.ClientConfig()
		config.Metadata.ResponseTypes = []string{"id_token"}
		c, err := oidc.NewClient(p, config)
		if err != nil {
			t.Fatal(err)
		}
		tok.RefreshToken = "x"
		_, err = c.Refresh(t.Context(), tok)
		wantUnsupported(t, err)
	})
	t.Run("245_refresh_without_an_old_id_token", func(t *testing.T) {
		r := setup(t, op)
		tok := r.offline()
		tok.IDToken = nil
		n, err := r.c.Refresh(t.Context(), tok)
		if err != nil || n.IDToken == nil {
			t.Fatalf("got %v, %v", n, err)
		}
	})
	t.Run("245_cancelled", func(t *testing.T) {
		r := setup(t, op)
		tok := r.offline()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		op.ClearLog()
		_, err := r.c.Refresh(ctx, tok)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		wantNoCall(t, op, oidctest.EndpointToken)
	})
}

// TestTokensExport carries tokens through a store.
func TestTokensExport(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.offline()
	data, err := tok.Export()
	if err != nil {
		t.Fatal(err)
	}
	back, err := r.c.ImportTokens(data)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := back.Export(); err != nil || string(again) != string(data) {
		t.Errorf("%s\nbecame\n%s, %v", data, again, err)
	}
	if back.IDToken.Identity() != tok.IDToken.Identity() || back.IDToken.Raw() != tok.IDToken.Raw() || !slices.Equal(back.Scopes, tok.Scopes) {
		t.Error("something was lost")
	}
	if _, err := r.c.UserInfo(t.Context(), back); err != nil {
		t.Error(err)
	}
	if _, err := r.c.Refresh(t.Context(), back); err != nil {
		t.Error(err)
	}
	op.Advance(1000 * time.Hour)
	op.RotateKeys()
	if _, err := r.c.ImportTokens(data); err != nil {
		t.Errorf("an ID Token that is over is still the user's: %v", err)
	}
	other := setup(t, op)
	_, err = other.c.ImportTokens(data)
	wantInput(t, err, oidc.BadParameter)
	for _, bad := range []string{"", "null", "[]", `{"id":"x"}`, `{"id":"x","claims":{}}`, `{"id":"x","claims":{"iss":7}}`, `{"at":"a","at":"b"}`} {
		_, err := r.c.ImportTokens([]byte(bad))
		wantInput(t, err, oidc.BadParameter)
	}
	empty, err := (&oidc.Tokens{AccessToken: "a"}).Export()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := r.c.ImportTokens(empty); err != nil || got.IDToken != nil || got.AccessToken != "a" {
		t.Errorf("got %v, %v", got, err)
	}
}

// TestTokensValid compares the lifetime of an access token with the time.
func TestTokensValid(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		tok    oidc.Tokens
		margin time.Duration
		want   bool
	}{
		{oidc.Tokens{}, 0, false},
		{oidc.Tokens{AccessToken: "a"}, 0, true},
		{oidc.Tokens{AccessToken: "a", Expiry: now.Add(time.Minute)}, 0, true},
		{oidc.Tokens{AccessToken: "a", Expiry: now.Add(time.Minute)}, time.Minute, false},
		{oidc.Tokens{AccessToken: "a", Expiry: now}, 0, false},
	} {
		if got := c.tok.Valid(now, c.margin); got != c.want {
			t.Errorf("%v with margin %v: %v", c.tok, c.margin, got)
		}
	}
}

// TestRevoke ends tokens (RFC 7009).
func TestRevoke(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.offline()
	op.ClearLog()
	if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	reqs := op.Requests(oidctest.EndpointRevocation)
	if len(reqs) != 2 || reqs[0].Form.Get("token_type_hint") != "refresh_token" || reqs[1].Form.Get("token_type_hint") != "access_token" || reqs[0].Auth.Method != "client_secret_basic" {
		t.Errorf("sent %v", reqs)
	}
	_, err := r.c.UserInfo(t.Context(), tok)
	r.refusal(err, "invalid_token")
	_, err = r.c.Refresh(t.Context(), tok)
	r.refusal(err, "invalid_grant")
	if err := r.c.Revoke(t.Context(), "unknown to the OP", ""); err != nil {
		t.Errorf("an unknown token: %v (RFC 7009 2.2)", err)
	}
	wantInput(t, r.c.Revoke(t.Context(), "", ""), oidc.BadParameter)
	wantInput(t, r.c.Revoke(t.Context(), "x", "cookie"), oidc.BadParameter)
	op.Intercept(oidctest.EndpointRevocation, respond(503, "application/json", `{"error":"temporarily_unavailable"}`))
	op.ClearLog()
	if oe := r.refusal(r.c.RevokeTokens(t.Context(), tok), "temporarily_unavailable"); !oe.Temporary() {
		t.Errorf("%v", oe)
	}
	wantCalls(t, op, oidctest.EndpointRevocation, 2) // the second is tried all the same
	op.Intercept(oidctest.EndpointRevocation, redirect("https://attacker.example/"))
	r.reason(r.c.Revoke(t.Context(), tok.AccessToken, ""), oidc.UnexpectedRedirect)
	md := byHand(op)
	p, err := oidc.NewProvider(md, r.opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, r.reg.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	wantUnsupported(t, c.Revoke(t.Context(), "x", ""))
}
