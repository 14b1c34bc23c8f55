package oidc_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rely.example/oidc"
)

// failedChecks are the reasons of the checks that failed, in order.
func failedChecks(i *oidc.Inspection) (out []oidc.Reason) {
	for _, c := range i.Checks {
		if !c.Passed {
			out = append(out, c.Reason)
		}
	}
	return out
}

// TestInspectIDToken tells everything that is wrong, and not the first thing.
func TestInspectIDToken(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	op := newOP(t, nowAt(now))
	r := setup(t, op)
	tok := r.mustLogin()
	raw, nonce := tok.IDToken.Raw(), tok.IDToken.Nonce
	ctx := t.Context()

	i := r.c.InspectIDToken(ctx, raw, oidc.ExpectedIDToken{Nonce: nonce, AccessToken: tok.AccessToken})
	if !i.OK() || i.Err() != nil || len(i.Checks) < 12 || len(i.Claims) == 0 || len(i.Header) == 0 {
		t.Errorf("a good token: %v, %d checks", i.Err(), len(i.Checks))
	}
	for _, c := range i.Checks {
		if c.Title == "" || c.Spec == "" || c.Step == "" || c.Reason == "" {
			t.Errorf("check %+v", c)
		}
	}
	if i := r.c.InspectIDToken(ctx, raw, oidc.ExpectedIDToken{}); !i.OK() {
		t.Errorf("without a nonce to compare: %v", i.Err())
	}

	j := parseJWT(t, raw)
	for name, c := range map[string]struct {
		raw  string
		want []oidc.Reason
	}{
		"four things wrong": {func() string {
			bad := parseJWT(t, raw)
			bad.claims["iss"], bad.claims["nonce"], bad.claims["exp"] = "https://attacker.example", "other", 1000
			return signed(bad.payload(marshal(bad.claims)), raw)
		}(), []oidc.Reason{oidc.BadSignature, oidc.BadIssuer, oidc.TokenExpired, oidc.BadNonce}},
		"everything missing": {j.payload([]byte(`{}`)), []oidc.Reason{oidc.BadIssuer, oidc.BadAudience, oidc.MissingClaim, oidc.MissingClaim, oidc.BadSubject, oidc.BadNonce}},
		"aud missing":        {j.payload([]byte(strings.Replace(string(marshal(j.claims)), `"aud":"`, `"x":"`, 1))), []oidc.Reason{oidc.BadAudience}},
		"hmac":               {hs256(t, j, r.reg.Secret), []oidc.Reason{oidc.BadAlgorithm}},
		"claims not JSON":    {j.payload([]byte(`{"iss":`)), []oidc.Reason{oidc.MalformedToken}},
		"a claim's type":     {j.payload([]byte(`{"exp":"x"}`)), []oidc.Reason{oidc.BadClaim}},
		"no token":           {"hello", []oidc.Reason{oidc.MalformedToken}},
		"not base64":         {"a.b.c", []oidc.Reason{oidc.MalformedToken}},
		"encrypted unasked":  {encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "", raw), []oidc.Reason{oidc.BadEncryption}},
	} {
		i := r.c.InspectIDToken(ctx, c.raw, oidc.ExpectedIDToken{Nonce: nonce})
		got := failedChecks(i)
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: failed %q, want %q", name, got, c.want)
		}
		pe, ok := errors.AsType[*oidc.ProtocolError](i.Err())
		if i.OK() || !ok || len(c.want) > 0 && pe.Reason != c.want[0] {
			t.Errorf("%s: %v", name, i.Err())
		}
		// What inspection finds first, verification refuses with.
		if _, err := r.c.VerifyIDToken(ctx, c.raw, oidc.ExpectedIDToken{Nonce: nonce}); !errors.Is(err, c.want[0]) {
			t.Errorf("%s: verification says %v, inspection %q", name, err, c.want[0])
		}
	}
	t.Run("unsigned as agreed", func(t *testing.T) {
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenSignedResponseAlg, c.InsecureAllowUnsignedIDToken = "none", true
		})
		claims := parseJWT(t, raw).claims
		claims["aud"] = r.c.ID()
		unsigned := b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(claims)) + "."
		if i := r.c.InspectIDToken(ctx, unsigned, oidc.ExpectedIDToken{}); !i.OK() {
			t.Error(i.Err())
		}
		if got := failedChecks(r.c.InspectIDToken(ctx, j.payload(marshal(claims)), oidc.ExpectedIDToken{})); !slices.Equal(got, []oidc.Reason{oidc.BadAlgorithm}) {
			t.Errorf("a signed one fails by %q", got)
		}
	})
	t.Run("encrypted as agreed", func(t *testing.T) {
		r := r.in(t)
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenEncryptedResponseAlg, c.Metadata.IDTokenEncryptedResponseEnc = "RSA-OAEP-256", "A128GCM"
			c.Keys = []oidc.Key{{Use: "enc", Private: opKey()}}
		})
		sealed := encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "", raw)
		if i := r.c.InspectIDToken(ctx, sealed, oidc.ExpectedIDToken{Nonce: nonce}); !i.OK() || len(i.Claims) == 0 {
			t.Errorf("%v, claims %s", i.Err(), i.Claims)
		}
		nothing := encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "", "hello")
		if got := failedChecks(r.c.InspectIDToken(ctx, nothing, oidc.ExpectedIDToken{Nonce: nonce})); !slices.Equal(got, []oidc.Reason{oidc.MalformedToken}) {
			t.Errorf("an encrypted greeting fails by %q", got)
		}
		if got := failedChecks(r.c.InspectIDToken(ctx, raw, oidc.ExpectedIDToken{Nonce: "another"})); !slices.Equal(got, []oidc.Reason{oidc.BadEncryption, oidc.BadNonce}) {
			t.Errorf("what is not encrypted fails by %q", got)
		}
		_, err := r.c.VerifyIDToken(ctx, raw, oidc.ExpectedIDToken{Nonce: nonce})
		r.reason(err, oidc.BadEncryption)
	})
}

// TestInspectToken reads any JWT without a client.
func TestInspectToken(t *testing.T) {
	now := time.Unix(1.7e9, 0)
	header := []byte(`{"alg":"RS256","typ":"at+jwt"}`)
	for name, c := range map[string]struct {
		raw  string
		want []oidc.Reason
	}{
		"good":       {signRS256(header, []byte(`{"exp":1700000100,"iat":1600000000,"nbf":1600000000}`)), nil},
		"no times":   {signRS256(header, []byte(`{}`)), nil},
		"expired":    {signRS256(header, []byte(`{"exp":1600000000}`)), []oidc.Reason{oidc.TokenExpired}},
		"too early":  {signRS256(header, []byte(`{"nbf":1800000000,"iat":1800000000}`)), []oidc.Reason{oidc.TokenNotYetValid, oidc.TokenNotYetValid}},
		"wrong type": {signRS256(header, []byte(`{"exp":"x"}`)), []oidc.Reason{oidc.BadClaim}},
		"a list":     {signRS256(header, []byte(`[]`)), []oidc.Reason{oidc.MalformedToken}},
		"encrypted":  {encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "", "x"), nil},
		"opaque":     {"opaque", []oidc.Reason{oidc.MalformedToken}},
		"empty":      {"", []oidc.Reason{oidc.MalformedToken}},
	} {
		i := oidc.InspectToken(c.raw, now)
		if got := failedChecks(i); !slices.Equal(got, c.want) {
			t.Errorf("%s: failed %q, want %q", name, got, c.want)
		}
	}
	for _, payload := range []string{b64([]byte("hello")), b64([]byte(`{"a":12} `)) + "!", b64([]byte(`{"a":1,"a":2}`))} {
		if i := oidc.InspectToken(b64(header)+"."+payload+".c2ln", now); i.Claims != nil || string(i.Header) != string(header) || i.OK() {
			t.Errorf("%s: claims %s", payload, i.Claims)
		}
	}
	if i := oidc.InspectToken(signRS256(header, []byte(`{"a":1}`)), now); string(i.Claims) != `{"a":1}` || string(i.Header) != string(header) {
		t.Errorf("got %s %s", i.Header, i.Claims)
	}
}
