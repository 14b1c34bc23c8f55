package oidc_test

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// asksOP is a verifier that asks op about tokens that are no JWT, by a client whose
// own clock may be off by an hour.
func asksOP(t *testing.T, op *oidctest.OP, o *oidc.Options, edit ...func(*oidc.AccessTokenConfig)) *oidc.AccessTokenVerifier {
	t.Helper()
	r := setup(t, op)
	md := byHand(op)
	md.IntrospectionEndpoint = op.URL(oidctest.EndpointIntrospection)
	provider := func(o *oidc.Options) *oidc.Provider {
		p, err := oidc.NewProvider(md, o)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	r.opts.ClockSkew = time.Hour
	c, err := oidc.NewClient(provider(r.opts), r.reg.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	config := oidc.AccessTokenConfig{Audiences: []string{apiURL}, Introspect: c}
	for _, e := range edit {
		e(&config)
	}
	v, err := oidc.NewAccessTokenVerifier(provider(o), config)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// says makes op answer any introspection with good and a change to it, in which nil
// deletes a member.
func says(op *oidctest.OP, good, change map[string]any) {
	doc := maps.Clone(good)
	for k, value := range change {
		if doc[k] = value; value == nil {
			delete(doc, k)
		}
	}
	op.Intercept(oidctest.EndpointIntrospection, respond(200, "application/json", string(marshal(doc))))
}

// TestOpaqueAccessToken: what the OP says of a token that is no JWT is compared as
// the claims of one are (RFC 7662 section 2.2).
func TestOpaqueAccessToken(t *testing.T) {
	op := newOP(t)
	v := asksOP(t, op, options(op))
	now := op.Now().Unix()
	good := map[string]any{"active": true, "iss": op.Issuer, "aud": apiURL, "sub": "alice", "client_id": "app", "scope": "read", "exp": now + 600, "nbf": now, "auth_time": now, "acr": "gold"}
	for name, x := range map[string]struct {
		change map[string]any // nil deletes
		want   oidc.Reason    // "" is accepted
	}{
		"good":             {nil, ""},
		"a client's own":   {map[string]any{"sub": nil}, ""},
		"no iss, no times": {map[string]any{"iss": nil, "exp": nil, "nbf": nil}, ""},
		"inactive":         {map[string]any{"active": false}, oidc.InactiveToken},
		"another issuer":   {map[string]any{"iss": "https://other.example"}, oidc.BadIssuer},
		"for another API":  {map[string]any{"aud": "https://other.example"}, oidc.BadAudience},
		"for nobody":       {map[string]any{"aud": nil}, oidc.BadAudience},
		"expired":          {map[string]any{"exp": now - 600}, oidc.TokenExpired},
		"not yet":          {map[string]any{"nbf": now + 600}, oidc.TokenNotYetValid},
		"about nobody":     {map[string]any{"sub": nil, "client_id": nil}, oidc.BadSubject},
		"bound to a key":   {map[string]any{"cnf": map[string]any{"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}}, oidc.BadBinding},
		"bound otherwise":  {map[string]any{"cnf": map[string]any{"kid": "k"}}, oidc.BadBinding},
		"bound, not said":  {map[string]any{"cnf": map[string]any{}}, oidc.BadBinding},
		"an access token":  {map[string]any{"token_use": "access_token", "token_usage": "access", "token_type": "Bearer"}, ""},
		"use is not said":  {map[string]any{"token_use": nil, "token_usage": json.RawMessage("null"), "token_type": "access_token"}, ""},
		"a refresh token":  {map[string]any{"token_use": "refresh_token", "token_type": "Bearer"}, oidc.BadType},
		"one by usage":     {map[string]any{"token_usage": "refresh_token"}, oidc.BadType},
		"one by type":      {map[string]any{"token_type": "refresh_token"}, oidc.BadType},
		"one in capitals":  {map[string]any{"token_type": "Refresh"}, oidc.BadType},
		"an ID Token":      {map[string]any{"token_use": "id"}, oidc.BadType},
		"use is no text":   {map[string]any{"token_use": []string{"access_token"}}, oidc.BadType},
		"DPoP, of no key":  {map[string]any{"token_type": "dpop"}, oidc.BadBinding},
		"acr is a number":  {map[string]any{"acr": 7}, oidc.BadClaim},
	} {
		t.Run(name, func(t *testing.T) {
			says(op, good, x.change)
			tok, err := v.Verify(t.Context(), "opaque", oidc.Presenter{})
			if x.want != "" {
				wantReason(t, err, x.want)
				return
			}
			if err != nil || tok.Subject == "" || tok.ClientID != "app" || !tok.HasScope("read") || tok.ACR != "gold" || tok.AuthTime.IsZero() {
				t.Errorf("got %v, %v", tok, err)
			}
		})
	}
}

// TestOpaqueAccessTokenAtTheBounds: the skew that counts is the resource server's, not
// that of the client which asks; sub is bounded as in a JWT.
func TestOpaqueAccessTokenAtTheBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	v := asksOP(t, op, options(op))
	good := map[string]any{"active": true, "aud": apiURL, "sub": "alice", "exp": now.Add(time.Hour).Unix()}
	const skew = oidc.DefaultClockSkew
	for claim, c := range map[string]struct {
		at, after any
		want      oidc.Reason
	}{
		"exp": {now.Add(-skew).Unix(), now.Add(-skew - time.Second).Unix(), oidc.TokenExpired},
		"nbf": {now.Add(skew).Unix(), now.Add(skew + time.Second).Unix(), oidc.TokenNotYetValid},
		"sub": {strings.Repeat("s", oidc.MaxSubject), strings.Repeat("s", oidc.MaxSubject+1), oidc.BadSubject},
	} {
		t.Run(claim, func(t *testing.T) {
			says(op, good, map[string]any{claim: c.at})
			if _, err := v.Verify(t.Context(), "opaque", oidc.Presenter{}); err != nil {
				t.Errorf("at the bound: %v", err)
			}
			says(op, good, map[string]any{claim: c.after})
			_, err := v.Verify(t.Context(), "opaque", oidc.Presenter{})
			wantReason(t, err, c.want)
		})
	}
}

// TestOpaqueAccessTokenBinding: a token that is bound is for who proves to hold it.
func TestOpaqueAccessTokenBinding(t *testing.T) {
	op := newOP(t)
	v := asksOP(t, op, options(op))
	good := map[string]any{"active": true, "aud": apiURL, "sub": "alice", "amr": "pwd"}
	byKey, byCert := oidc.Presenter{KeyThumbprint: "key"}, oidc.Presenter{CertificateThumbprint: "cert"}
	for member, by := range map[string]oidc.Presenter{"jkt": byKey, "x5t#S256": byCert} {
		says(op, good, map[string]any{"cnf": map[string]any{member: by.KeyThumbprint + by.CertificateThumbprint, "kid": "k"},
			"token_type": map[string]string{"jkt": "DPoP", "x5t#S256": "Bearer"}[member]})
		tok, err := v.Verify(t.Context(), "opaque", by)
		if err != nil || tok.KeyThumbprint != by.KeyThumbprint || tok.CertificateThumbprint != by.CertificateThumbprint || !has(tok.AMR, "pwd") {
			t.Errorf("%s: %v, %v", member, tok, err)
		}
		_, err = v.Verify(t.Context(), "opaque", oidc.Presenter{})
		wantReason(t, err, oidc.BadBinding)
	}
}

// TestOpaqueAccessTokenWithoutAudience: the quirk admits an answer that names no
// resource server, and none that names others.
func TestOpaqueAccessTokenWithoutAudience(t *testing.T) {
	op := newOP(t)
	v := asksOP(t, op, options(op), func(c *oidc.AccessTokenConfig) { c.Quirks.AccessTokenNoAudience = true })
	good := map[string]any{"active": true, "sub": "alice"}
	says(op, good, nil)
	if _, err := v.Verify(t.Context(), "opaque", oidc.Presenter{}); err != nil {
		t.Error(err)
	}
	says(op, good, map[string]any{"aud": "https://other.example"})
	_, err := v.Verify(t.Context(), "opaque", oidc.Presenter{})
	wantReason(t, err, oidc.BadAudience)
}

// TestOnlyOpaqueTokensAreAskedAbout: a JWT is verified here, and a token that is none
// is refused where nobody is to be asked.
func TestOnlyOpaqueTokensAreAskedAbout(t *testing.T) {
	a := newAPI(t)
	a.refuses("opaque-token", oidc.Presenter{}, oidc.MalformedToken)
	a.v = asksOP(t, a.op, options(a.op))
	a.op.ClearLog()
	a.accepts(a.issue(a.happy()), oidc.Presenter{})
	wantNoCall(t, a.op, oidctest.EndpointIntrospection)
}
