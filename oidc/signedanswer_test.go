package oidc_test

import (
	"testing"
	"time"

	"rely.example/oidc"
)

// TestSignedAnswer: what a resource signed is for us, fresh, and under the algorithm
// that was agreed.
func TestSignedAnswer(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	base := func() map[string]any {
		return map[string]any{"iss": op.Issuer, "aud": "org-7", "iat": op.Now().Unix(), "jti": "1", "data": map[string]any{"status": "AUTHORISED"}}
	}
	expect := oidc.ExpectedSignedAnswer{Algorithms: []string{"PS256"}, Audience: "org-7"}
	for _, c := range []struct {
		name, alg string
		edit      func(header, claims map[string]any)
		want      oidc.Reason
	}{
		{"good", "PS256", func(_, _ map[string]any) {}, ""},
		{"aud as a list", "PS256", func(_, m map[string]any) { m["aud"] = []any{"org-7"} }, ""},
		{"aud with others", "PS256", func(_, m map[string]any) { m["aud"] = []any{"org-6", "org-7"} }, ""},
		{"aud of others", "PS256", func(_, m map[string]any) { m["aud"] = []any{"org-6"} }, oidc.BadAudience},
		{"no aud", "PS256", func(_, m map[string]any) { delete(m, "aud") }, oidc.BadAudience},
		{"another iss", "PS256", func(_, m map[string]any) { m["iss"] = "https://attacker.example" }, oidc.BadIssuer},
		{"exp a text", "PS256", func(_, m map[string]any) { m["exp"] = "soon" }, oidc.BadClaim},
		{"no iat", "PS256", func(_, m map[string]any) { delete(m, "iat") }, oidc.MissingClaim},
		{"old", "PS256", func(_, m map[string]any) { m["iat"] = seconds(op, -time.Hour) }, oidc.TokenTooOld},
		{"of tomorrow", "PS256", func(_, m map[string]any) { m["iat"] = seconds(op, time.Hour) }, oidc.TokenNotYetValid},
		{"expired", "PS256", func(_, m map[string]any) { m["exp"] = seconds(op, -2*time.Minute) }, oidc.TokenExpired},
		{"not yet", "PS256", func(_, m map[string]any) { m["nbf"] = seconds(op, time.Hour) }, oidc.TokenNotYetValid},
		{"another algorithm", "RS256", func(_, _ map[string]any) {}, oidc.BadAlgorithm},
		{"an access token", "PS256", func(h, _ map[string]any) { h["typ"] = "at+jwt" }, oidc.BadType},
	} {
		t.Run(c.name, func(t *testing.T) {
			header, claims := map[string]any{"typ": "JWT"}, base()
			c.edit(header, claims)
			raw, err := op.Sign(c.alg, header, claims)
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.p.VerifySignedAnswer(t.Context(), raw, expect)
			if c.want != "" {
				wantReason(t, err, c.want)
				if got != nil {
					t.Error("claims beside the error")
				}
				return
			}
			if err != nil || len(got) == 0 {
				t.Fatalf("VerifySignedAnswer: %s, %v", got, err)
			}
		})
	}
	for _, e := range []oidc.ExpectedSignedAnswer{
		{Algorithms: []string{"PS256"}}, {Audience: "org-7"},
		{Algorithms: []string{"none"}, Audience: "org-7"}, {Algorithms: []string{"HS256"}, Audience: "org-7"},
	} {
		_, err := r.p.VerifySignedAnswer(t.Context(), "x", e)
		wantInput(t, err, oidc.BadParameter)
	}
	// A limit of one's own, and none.
	raw, err := op.Sign("PS256", nil, map[string]any{"iss": op.Issuer, "aud": "org-7", "iat": seconds(op, -time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	for _, age := range []time.Duration{2 * time.Hour, -1} {
		expect.MaxAge = age
		if _, err := r.p.VerifySignedAnswer(t.Context(), raw, expect); err != nil {
			t.Errorf("MaxAge %v: %v", age, err)
		}
	}
}

// TestSignedAnswerAtTheBounds: iat and nbf may be to come, and exp and the greatest age
// past, by the skew of the clocks and no more.
func TestSignedAnswerAtTheBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	r := setup(t, op)
	const skew = oidc.DefaultClockSkew
	for _, c := range []struct {
		claim  string
		within time.Duration // from now
		step   time.Duration
		want   oidc.Reason
	}{
		{"iat", skew, time.Second, oidc.TokenNotYetValid},
		{"iat", -oidc.DefaultMaxSignedAnswerAge - skew, -time.Second, oidc.TokenTooOld},
		{"exp", -skew, -time.Second, oidc.TokenExpired},
		{"nbf", skew, time.Second, oidc.TokenNotYetValid},
	} {
		verify := func(at time.Duration) error {
			claims := map[string]any{"iss": op.Issuer, "aud": "org-7", "iat": now.Unix()}
			claims[c.claim] = now.Add(at).Unix()
			raw, err := op.Sign("PS256", nil, claims)
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.p.VerifySignedAnswer(t.Context(), raw, oidc.ExpectedSignedAnswer{Algorithms: []string{"PS256"}, Audience: "org-7"})
			return err
		}
		if err := verify(c.within); err != nil {
			t.Errorf("%s at %v: %v", c.claim, c.within, err)
		}
		wantReason(t, verify(c.within+c.step), c.want)
	}
}
