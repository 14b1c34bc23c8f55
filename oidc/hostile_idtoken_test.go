package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHostileIDToken forges and damages ID Tokens. What the test OP can do wrong
// by itself is in TestHostileFaults.
func TestHostileIDToken(t *testing.T) {
	op := newOP(t)
	for _, c := range []struct {
		name string
		edit func(raw string, j jwt) string
		want oidc.Reason
	}{
		{"150_none_without_signature", func(_ string, j jwt) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(j.claims)) + "."
		}, oidc.BadAlgorithm},
		{"150_none_with_the_old_signature", func(_ string, j jwt) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(j.claims)) + "." + j.signature
		}, oidc.BadAlgorithm},
		{"150_no_alg", func(_ string, j jwt) string { return j.head([]byte(`{}`)) }, oidc.MalformedToken},
		{"150_alg_null", func(_ string, j jwt) string { return j.head([]byte(`{"alg":null}`)) }, oidc.MalformedToken},
		{"151_alg_in_lower_case", func(_ string, j jwt) string { return j.head([]byte(`{"alg":"rs256"}`)) }, oidc.BadAlgorithm},
		{"154_hmac_of_the_public_key", func(_ string, j jwt) string { return hs256(t, j, string(opKey().N.Bytes())) }, oidc.BadAlgorithm},
		{"164_signature_of_other_bytes", func(raw string, j jwt) string {
			j.claims["sub"] = "mallory"
			p := strings.Split(raw, ".")
			return p[0] + "." + b64(marshal(j.claims)) + "." + p[2]
		}, oidc.BadSignature},
		{"165_space_before", func(raw string, _ jwt) string { return " " + raw }, oidc.MalformedToken},
		{"165_line_break_after", func(raw string, _ jwt) string { return raw + "\n" }, oidc.MalformedToken},
		{"169_kid_null", func(_ string, j jwt) string { return j.head([]byte(`{"alg":"RS256","kid":null}`)) }, oidc.MalformedToken},
		{"173_two_parts", func(_ string, j jwt) string { return j.input }, oidc.MalformedToken},
		{"173_four_parts", func(raw string, _ jwt) string { return raw + ".x" }, oidc.MalformedToken},
		{"173_empty_parts", func(string, jwt) string { return ".." }, oidc.MalformedToken},
		{"174_payload_a_string", func(_ string, j jwt) string { return j.payload([]byte(`"sub"`)) }, oidc.MalformedToken},
		{"174_payload_empty", func(_ string, j jwt) string { return j.payload(nil) }, oidc.MalformedToken},
		{"174_payload_truncated", func(_ string, j jwt) string { return j.payload([]byte(`{"iss":`)) }, oidc.MalformedToken},
		{"174_payload_with_a_bom", func(_ string, j jwt) string { return j.payload(append([]byte("\ufeff"), marshal(j.claims)...)) }, oidc.MalformedToken},
		{"174_payload_with_a_tail", func(_ string, j jwt) string { return j.payload(append(marshal(j.claims), "{}"...)) }, oidc.MalformedToken},
		{"175_claims_before_the_signature", func(_ string, j jwt) string {
			// Everything is wrong; the signature is what is told.
			return b64(marshal(j.header)) + "." + b64([]byte(`{"iss":7,"exp":"x","sub":{}}`)) + "." + j.signature
		}, oidc.BadSignature},
		{"176_typ_at_jwt_with_application", func(_ string, j jwt) string { j.header["typ"] = "application/AT+JWT"; return j.head(marshal(j.header)) }, oidc.BadType},
		{"177_typ_secevent", func(_ string, j jwt) string { j.header["typ"] = "secevent+jwt"; return j.head(marshal(j.header)) }, oidc.BadType},
		{"177_events_null", func(_ string, j jwt) string { return j.payload(j.claimsJSON(`"events":null`)) }, oidc.BadType},
		{"189_iss_null", func(_ string, j jwt) string { j.claims["iss"] = nil; return j.payload(marshal(j.claims)) }, oidc.BadIssuer},
		{"189_iss_a_number", func(_ string, j jwt) string { j.claims["iss"] = 7; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"189_iss_a_list", func(_ string, j jwt) string {
			j.claims["iss"] = []any{j.claims["iss"]}
			return j.payload(marshal(j.claims))
		}, oidc.BadClaim},
		{"191_aud_nested", func(_ string, j jwt) string {
			j.claims["aud"] = []any{[]any{j.claims["aud"]}}
			return j.payload(marshal(j.claims))
		}, oidc.BadClaim},
		{"191_aud_a_prefix", func(_ string, j jwt) string {
			j.claims["aud"] = j.claims["aud"].(string) + "x"
			return j.payload(marshal(j.claims))
		}, oidc.BadAudience},
		{"194_azp_a_number", func(_ string, j jwt) string { j.claims["azp"] = 7; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"196_duplicate_exp", func(_ string, j jwt) string { return j.payload(j.claimsJSON(`"exp":9999999999`)) }, oidc.MalformedToken},
		{"197_exp_null", func(_ string, j jwt) string { j.claims["exp"] = nil; return j.payload(marshal(j.claims)) }, oidc.MissingClaim},
		{"199_exp_1e400", func(_ string, j jwt) string { delete(j.claims, "exp"); return j.payload(j.claimsJSON(`"exp":1e400`)) }, oidc.BadClaim},
		{"199_exp_max_int64", func(_ string, j jwt) string {
			delete(j.claims, "exp")
			return j.payload(j.claimsJSON(fmt.Sprintf(`"exp":%d`, math.MaxInt64)))
		}, oidc.BadClaim},
		{"199_exp_zero", func(_ string, j jwt) string { j.claims["exp"] = 0; return j.payload(marshal(j.claims)) }, oidc.TokenExpired},
		{"199_iat_negative", func(_ string, j jwt) string { j.claims["iat"] = -1; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"199_iat_zero", func(_ string, j jwt) string { j.claims["iat"] = 0; return j.payload(marshal(j.claims)) }, oidc.TokenTooOld},
		{"199_exp_a_boolean", func(_ string, j jwt) string { j.claims["exp"] = true; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"201_iat_a_string", func(_ string, j jwt) string { j.claims["iat"] = "now"; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"204_nbf_a_string", func(_ string, j jwt) string { j.claims["nbf"] = "now"; return j.payload(marshal(j.claims)) }, oidc.BadClaim},
		{"205_nonce_null", func(_ string, j jwt) string { j.claims["nonce"] = nil; return j.payload(marshal(j.claims)) }, oidc.BadNonce},
		{"205_nonce_empty", func(_ string, j jwt) string { j.claims["nonce"] = ""; return j.payload(marshal(j.claims)) }, oidc.BadNonce},
		{"208_sub_null", func(_ string, j jwt) string { j.claims["sub"] = nil; return j.payload(marshal(j.claims)) }, oidc.BadSubject},
		{"212_duplicate_iss", func(_ string, j jwt) string { return j.payload(j.claimsJSON(`"iss":"https://attacker.example"`)) }, oidc.MalformedToken},
		{"213_case_variant_instead_of_sub", func(_ string, j jwt) string {
			delete(j.claims, "sub")
			return j.payload(j.claimsJSON(`"SUB":"x","Sub":"y"`))
		}, oidc.BadSubject},
		{"214_long_s_instead_of_sub", func(_ string, j jwt) string {
			delete(j.claims, "sub")
			return j.payload(j.claimsJSON(`"\u017fub":"x"`))
		}, oidc.BadSubject},
		{"215_invalid_utf8_in_an_unknown_claim", func(_ string, j jwt) string { return j.payload(j.claimsJSON("\"x\":\"\xff\"")) }, oidc.MalformedToken},
		{"216_at_hash_of_the_right_half", func(_ string, j jwt) string {
			j.claims["at_hash"] = b64(make([]byte, 16))
			return j.payload(marshal(j.claims))
		}, oidc.BadAccessTokenHash},
		{"216_at_hash_empty", func(_ string, j jwt) string { j.claims["at_hash"] = ""; return j.payload(marshal(j.claims)) }, oidc.BadAccessTokenHash},
		{"219_s_hash", func(_ string, j jwt) string { return j.payload(j.claimsJSON(`"s_hash":"AAAAAAAAAAAAAAAAAAAAAA"`)) }, oidc.BadStateHash},
		{"219_c_hash_from_the_token_endpoint", func(_ string, j jwt) string { return j.payload(j.claimsJSON(`"c_hash":"AAAAAAAAAAAAAAAAAAAAAA"`)) }, oidc.BadCodeHash},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperTokenResponse(nil)
			r := setup(t, op)
			forge(t, op, c.edit)
			op.ClearLog()
			r.refused(c.want)
			wantCalls(t, op, oidctest.EndpointToken, 1)
			wantNoCall(t, op, oidctest.EndpointUserInfo)
		})
	}
	t.Run("155_no_or_short_secret", func(t *testing.T) {
		r := setup(t, op)
		config := r.config()
		config.Metadata.IDTokenSignedResponseAlg = "HS256"
		config.Metadata.TokenEndpointAuthMethod = "none"
		for _, secret := range []string{"", "short"} {
			config.Secret = secret
			_, err := oidc.NewClient(r.p, config)
			wantInput(t, err, oidc.BadConfig)
		}
		config.Metadata.IDTokenSignedResponseAlg = ""
		config.Metadata.UserInfoSignedResponseAlg = "HS256"
		config.Secret = ""
		_, err := oidc.NewClient(r.p, config)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("150_none_where_it_is_allowed", func(t *testing.T) {
		op := newOP(t)
		member(op, "id_token_signing_alg_values_supported", []any{"none", "RS256"})
		r := setup(t, op)
		unsigned := func(_ string, j jwt) string {
			return b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(j.claims)) + "."
		}
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenSignedResponseAlg = "none"
			c.InsecureAllowUnsignedIDToken = true
		})
		forge(t, op, unsigned)
		if tok := r.mustLogin(); tok.IDToken.Algorithm() != "none" {
			t.Errorf("signed with %s", tok.IDToken.Algorithm())
		}
		forge(t, op, func(raw string, _ jwt) string { return raw })
		r.refused(oidc.BadAlgorithm) // signed, which was not agreed
		forge(t, op, func(_ string, j jwt) string { j.claims["nonce"] = "other"; return unsigned("", j) })
		r.refused(oidc.BadNonce)
		// From the browser never.
		_, err := r.c.VerifyIDToken(t.Context(), unsigned("", jwt{claims: map[string]any{}}), oidc.ExpectedIDToken{Nonce: "n"})
		r.reason(err, oidc.BadAlgorithm)
	})
	t.Run("193_extra_audience_that_is_trusted", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.TrustedAudiences = []string{"https://api.example"} })
		op.TamperIDToken(func(_, claims map[string]any) {
			claims["azp"], claims["aud"] = claims["aud"], []any{claims["aud"], "https://api.example"}
		})
		tok := r.mustLogin()
		if len(tok.IDToken.Audience) != 2 || tok.IDToken.AZP != r.c.ID() {
			t.Errorf("got %v", tok.IDToken.Audience)
		}
		op.TamperIDToken(func(_, claims map[string]any) { claims["aud"] = []any{claims["aud"], "https://api.example"} })
		r.refused(oidc.BadAuthorizedParty)
	})

	for _, c := range []struct {
		name, claim string
		at          time.Duration // from now
		want        oidc.Reason   // "": accepted
	}{
		{"200_exp_at_the_edge", "exp", -oidc.DefaultClockSkew, ""},
		{"200_exp_beyond_the_edge", "exp", -oidc.DefaultClockSkew - time.Second, oidc.TokenExpired},
		{"200_exp_now", "exp", 0, ""},
		{"200_iat_at_the_edge", "iat", oidc.DefaultClockSkew, ""},
		{"200_iat_beyond_the_edge", "iat", oidc.DefaultClockSkew + time.Second, oidc.TokenNotYetValid},
		{"200_nbf_at_the_edge", "nbf", oidc.DefaultClockSkew, ""},
		{"200_nbf_beyond_the_edge", "nbf", oidc.DefaultClockSkew + time.Second, oidc.TokenNotYetValid},
		{"203_iat_as_old_as_allowed", "iat", -oidc.DefaultMaxIDTokenAge - oidc.DefaultClockSkew, ""},
		{"203_iat_too_old", "iat", -oidc.DefaultMaxIDTokenAge - oidc.DefaultClockSkew - time.Second, oidc.TokenTooOld},
		{"223_auth_time_in_the_future", "auth_time", oidc.DefaultClockSkew + time.Second, oidc.BadAuthTime},
		{"223_auth_time_at_the_edge", "auth_time", oidc.DefaultClockSkew, ""},
		{"223_auth_time_as_old_as_max_age", "auth_time", -time.Minute - oidc.DefaultClockSkew, ""},
		{"223_auth_time_older_than_max_age", "auth_time", -time.Minute - oidc.DefaultClockSkew - time.Second, oidc.BadAuthTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
			op := newOP(t, func(c *oidctest.Config) { c.Now = func() time.Time { return now } })
			r := setup(t, op)
			age := time.Minute
			r.params.MaxAge = &age
			claim(op, c.claim, seconds(op, c.at))
			if c.want != "" {
				r.refused(c.want)
				return
			}
			r.mustLogin()
		})
	}
	t.Run("200_no_skew_where_none_is_wanted", func(t *testing.T) {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		op := newOP(t, func(c *oidctest.Config) { c.Now = func() time.Time { return now } })
		r := setup(t, op)
		for skew, want := range map[time.Duration]oidc.Reason{-1: oidc.TokenExpired, 2 * time.Second: "", 500 * time.Millisecond: oidc.TokenExpired} {
			r.opts.ClockSkew = skew
			r.discover()
			r.client()
			claim(op, "exp", seconds(op, -time.Second))
			if want == "" {
				r.mustLogin()
			} else {
				r.refused(want)
			}
		}
	})
	t.Run("203_age_of_the_callers_own", func(t *testing.T) {
		r := setup(t, op)
		defer op.TamperIDToken(nil)
		claim(op, "iat", seconds(op, -30*time.Minute))
		r.mustLogin()
		r.client(func(c *oidc.ClientConfig) { c.MaxIDTokenAge = 10 * time.Minute })
		r.refused(oidc.TokenTooOld)
		r.client(func(c *oidc.ClientConfig) { c.MaxIDTokenAge = -1 })
		claim(op, "iat", seconds(op, -30000*time.Hour))
		r.mustLogin()
	})
	t.Run("207_nonce_belongs_to_the_login", func(t *testing.T) {
		r := setup(t, op, types("id_token"))
		one, first := r.begin()
		two, _ := r.begin()
		// The first login's token with the second login's state.
		v := first.Params()
		v.Set("state", two.State)
		a, err := oidc.ReadAuthFragment(v.Encode())
		if err != nil {
			t.Fatal(err)
		}
		_, err = r.c.Finish(t.Context(), two, a)
		r.reason(err, oidc.BadNonce)
		if one.Nonce == two.Nonce {
			t.Error("two logins have one nonce")
		}
	})
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"} {
		t.Run("218_hashes_under_"+alg, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op, types("code id_token token"), signedWith(alg))
			if tok := r.mustLogin(); tok.IDToken.Algorithm() != alg {
				t.Errorf("signed with %s", tok.IDToken.Algorithm())
			}
			claim(op, "at_hash", "AAAAAAAAAAAAAAAAAAAAAA")
			r.refused(oidc.BadAccessTokenHash)
			claim(op, "c_hash", "AAAAAAAAAAAAAAAAAAAAAA")
			r.refused(oidc.BadCodeHash)
			claim(op, "c_hash", nil)
			r.refused(oidc.BadCodeHash)
			claim(op, "at_hash", nil)
			r.refused(oidc.BadAccessTokenHash)
		})
	}
	t.Run("220_at_hash_may_lack_at_the_token_endpoint", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		claim(op, "at_hash", nil)
		r.mustLogin()
	})
	t.Run("221_polyglot_from_the_browser", func(t *testing.T) {
		defer op.TamperAuthResponse(nil)
		r := setup(t, op, types("id_token"))
		for name, f := range map[string]func(string) string{
			"json beside compact": func(raw string) string {
				p := strings.Split(raw, ".")
				return fmt.Sprintf(`{"protected":%q,"payload":%q,"signature":%q}`, p[0], p[1], p[2])
			},
			"json around dots": func(raw string) string { return `{"a":"` + raw + `"}` },
			"two tokens":       func(raw string) string { return raw + "." + raw },
		} {
			t.Run(name, func(t *testing.T) {
				r := r.in(t)
				response(op, func(v url.Values) { v.Set("id_token", f(v.Get("id_token"))) })
				r.refused(oidc.MalformedToken)
			})
		}
	})
	t.Run("224_acr_demanded", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		for _, c := range []struct {
			req  *oidc.ClaimRequest
			acr  any
			want oidc.Reason
		}{
			{&oidc.ClaimRequest{Essential: true, Value: oidctest.ACRValues()[0]}, "weak", oidc.BadACR},
			{&oidc.ClaimRequest{Essential: true, Values: []any{oidctest.ACRValues()[1], oidctest.ACRValues()[0]}}, oidctest.ACRValues()[1], ""},
			{&oidc.ClaimRequest{Essential: true, Values: []any{oidctest.ACRValues()[0]}}, nil, oidc.BadACR},
			{&oidc.ClaimRequest{Essential: true}, "whatever", ""},
			{&oidc.ClaimRequest{Values: []any{"wish"}}, "whatever", ""},
			{nil, "whatever", ""},
		} {
			r.params.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": c.req}}
			claim(op, "acr", c.acr)
			if c.want != "" {
				r.refused(c.want)
			} else {
				r.mustLogin()
			}
		}
		r.params.Claims, r.params.ACRValues = nil, []string{"wish"}
		claim(op, "acr", "whatever")
		r.mustLogin()
	})
	t.Run("223_auth_time_that_was_registered", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		age := int64(60)
		r := setup(t, op, func(m *oidc.ClientMetadata) { m.RequireAuthTime = true })
		r.mustLogin()
		claim(op, "auth_time", nil)
		r.refused(oidc.BadAuthTime)
		r = setup(t, op, func(m *oidc.ClientMetadata) { m.DefaultMaxAge = &age })
		r.refused(oidc.BadAuthTime)
		claim(op, "auth_time", seconds(op, -time.Hour))
		r.refused(oidc.BadAuthTime)
	})
	t.Run("226_identity_is_iss_and_sub", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		op.TamperIDToken(func(_, c map[string]any) {
			c["email"], c["preferred_username"], c["upn"] = "admin@corp.example", "admin", "admin"
		})
		tok := r.mustLogin()
		if got, want := tok.IDToken.Identity(), (oidc.Identity{Issuer: op.Issuer, Subject: tok.IDToken.Subject}); got != want {
			t.Errorf("got %v", got)
		}
		if s := tok.IDToken.Standard(); s.Email != "admin@corp.example" {
			t.Errorf("the claim itself is still to be read: %v", s)
		}
		if _, ok := func() (string, bool) { s := tok.IDToken.Standard(); return s.VerifiedEmail() }(); ok {
			t.Error("an address that nobody verified counts")
		}
	})
	t.Run("229_empty_claims", func(t *testing.T) {
		defer op.TamperIDToken(nil)
		r := setup(t, op)
		claim(op, "sub", "")
		r.refused(oidc.BadSubject)
		op.TamperIDToken(func(_, c map[string]any) { c["email"], c["email_verified"] = "", true })
		s := r.mustLogin().IDToken.Standard()
		if _, ok := s.VerifiedEmail(); ok {
			t.Error("an empty address is a verified one")
		}
	})
}

// TestHostileEncryption damages tokens that are to be encrypted for us.
func TestHostileEncryption(t *testing.T) {
	op := newOP(t)
	old, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	// encrypted is a client that has agreed on alg and enc.
	encrypted := func(t *testing.T, alg, enc string) *rig {
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenEncryptedResponseAlg, c.Metadata.IDTokenEncryptedResponseEnc = alg, enc
			c.Keys = []oidc.Key{{Use: "enc", ID: "ec", Private: ec}, {Use: "enc", ID: "new", Private: opKey()}, {Use: "enc", ID: "old", Private: old}}
		})
		return r
	}
	secretKey := func(secret string, n int) []byte {
		sum := sha256.Sum256([]byte(secret))
		return sum[:n]
	}
	for _, c := range []struct {
		name, alg, enc string
		edit           func(t *testing.T, r *rig, raw string) string
		want           oidc.Reason // "": accepted
	}{
		{"178_as_agreed", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", raw)
		}, ""},
		{"178_default_enc", "RSA-OAEP", "", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP, jose.A128CBC_HS256, &opKey().PublicKey, "new", raw)
		}, ""},
		{"178_ecdh", "ECDH-ES", "A256GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.ECDH_ES, jose.A256GCM, &ec.PublicKey, "ec", raw)
		}, ""},
		{"178_with_the_secret", "A128KW", "A128GCM", func(t *testing.T, r *rig, raw string) string {
			return encrypt(t, jose.A128KW, jose.A128GCM, secretKey(r.reg.Secret, 16), "", raw)
		}, ""},
		{"178_direct_with_the_secret", "dir", "A256GCM", func(t *testing.T, r *rig, raw string) string {
			return encrypt(t, jose.DIRECT, jose.A256GCM, secretKey(r.reg.Secret, 32), "", raw)
		}, ""},
		{"178_other_alg", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP, jose.A128GCM, &opKey().PublicKey, "new", raw)
		}, oidc.BadEncryption},
		{"178_other_enc", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP_256, jose.A256GCM, &opKey().PublicKey, "new", raw)
		}, oidc.BadEncryption},
		{"178_not_encrypted", "RSA-OAEP-256", "A128GCM", func(_ *testing.T, _ *rig, raw string) string { return raw }, oidc.BadEncryption},
		{"181_compressed", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			e, err := jose.NewEncrypter(jose.A128GCM, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: &opKey().PublicKey}, &jose.EncrypterOptions{Compression: jose.DEFLATE})
			return seal(t, e, err, raw)
		}, oidc.BadHeader},
		{"182_empty_encrypted_key", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			p := strings.Split(encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", raw), ".")
			p[1] = ""
			return strings.Join(p, ".")
		}, oidc.MalformedToken},
		{"182_truncated_tag", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			e := encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", raw)
			return e[:len(e)-6]
		}, oidc.MalformedToken},
		{"182_bad_epk", "ECDH-ES", "A256GCM", func(t *testing.T, _ *rig, raw string) string {
			p := strings.Split(encrypt(t, jose.ECDH_ES, jose.A256GCM, &ec.PublicKey, "ec", raw), ".")
			p[0] = b64([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","epk":{"kty":"EC"}}`))
			return strings.Join(p, ".")
		}, oidc.BadEncryption},
		{"183_point_off_the_curve", "ECDH-ES", "A256GCM", func(t *testing.T, _ *rig, raw string) string {
			p := strings.Split(encrypt(t, jose.ECDH_ES, jose.A256GCM, &ec.PublicKey, "ec", raw), ".")
			p[0] = b64([]byte(`{"alg":"ECDH-ES","enc":"A256GCM","epk":{"kty":"EC","crv":"P-256","x":"` + b64(make([]byte, 32)) + `","y":"` + b64(make([]byte, 32)) + `"}}`))
			return strings.Join(p, ".")
		}, oidc.BadEncryption},
		{"184_unsigned_json_inside", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", string(marshal(parseJWT(t, raw).claims)))
		}, oidc.MalformedToken},
		{"184_alg_none_inside", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			inner := b64([]byte(`{"alg":"none"}`)) + "." + b64(marshal(parseJWT(t, raw).claims)) + "."
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", inner)
		}, oidc.BadAlgorithm},
		{"185_encrypted_twice", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			once := encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", raw)
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &opKey().PublicKey, "new", once)
		}, oidc.BadEncryption},
		{"186_old_key", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &old.PublicKey, "old", raw)
		}, ""},
		{"186_foreign_key", "RSA-OAEP-256", "A128GCM", func(t *testing.T, _ *rig, raw string) string {
			k, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				t.Fatal(err)
			}
			return encrypt(t, jose.RSA_OAEP_256, jose.A128GCM, &k.PublicKey, "", raw)
		}, oidc.BadEncryption},
	} {
		t.Run(c.name, func(t *testing.T) {
			defer op.TamperTokenResponse(nil)
			r := encrypted(t, c.alg, c.enc)
			forge(t, op, func(raw string, _ jwt) string { return c.edit(t, r, raw) })
			if c.want == "" {
				r.mustLogin()
				return
			}
			r.refused(c.want)
		})
	}
	t.Run("179_rsa1_5", func(t *testing.T) {
		r := setup(t, op)
		for _, alg := range []string{"RSA1_5", "PBES2-HS256+A128KW", "none"} {
			config := r.config(oidc.Key{Use: "enc", Private: opKey()})
			config.Metadata.IDTokenEncryptedResponseAlg = alg
			_, err := oidc.NewClient(r.p, config)
			wantUnsupported(t, err)
		}
	})
	t.Run("186_configuration_that_cannot_work", func(t *testing.T) {
		r := setup(t, op)
		config := r.config()
		config.Metadata.UserInfoEncryptedResponseAlg = "RSA-OAEP-256"
		_, err := oidc.NewClient(r.p, config)
		wantInput(t, err, oidc.BadConfig)
		config.Metadata.UserInfoEncryptedResponseAlg = "A128KW"
		config.Secret, config.Metadata.TokenEndpointAuthMethod = "", "none"
		_, err = oidc.NewClient(r.p, config)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("184_userinfo_encrypted_only", func(t *testing.T) {
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.UserInfoEncryptedResponseAlg = "RSA-OAEP-256"
			c.Keys = []oidc.Key{{Use: "enc", Private: opKey()}}
		})
		tok := r.mustLogin()
		body := func(payload string) string {
			return encrypt(t, jose.RSA_OAEP_256, jose.A128CBC_HS256, &opKey().PublicKey, "", payload)
		}
		op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt", body(`{"sub":"`+tok.IDToken.Subject+`","name":"A"}`)))
		ui, err := r.c.UserInfo(t.Context(), tok)
		if err != nil || ui.Signed || ui.Name != "A" {
			t.Fatalf("got %v, %v", ui, err)
		}
		op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt", body(`{"sub":"x"}`)))
		_, err = r.c.UserInfo(t.Context(), tok)
		r.reason(err, oidc.SubjectMismatch)
		op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt", "a.b.c.d.e"))
		_, err = r.c.UserInfo(t.Context(), tok)
		if err == nil {
			t.Error("garbage is accepted")
		}
		op.Intercept(oidctest.EndpointUserInfo, nil)
	})
}

// encrypt is a nested JWT (RFC 7519 section 5.2).
func encrypt(t *testing.T, alg jose.KeyAlgorithm, enc jose.ContentEncryption, key any, kid, inner string) string {
	t.Helper()
	e, err := jose.NewEncrypter(enc, jose.Recipient{Algorithm: alg, Key: key, KeyID: kid}, (&jose.EncrypterOptions{}).WithContentType("JWT"))
	return seal(t, e, err, inner)
}

func seal(t *testing.T, e jose.Encrypter, err error, inner string) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	obj, err := e.Encrypt([]byte(inner))
	if err != nil {
		t.Fatal(err)
	}
	s, err := obj.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestVerifyIDToken verifies a token that came another way.
func TestVerifyIDToken(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	raw, nonce := tok.IDToken.Raw(), tok.IDToken.Nonce
	id, err := r.c.VerifyIDToken(t.Context(), raw, oidc.ExpectedIDToken{Nonce: nonce, AccessToken: tok.AccessToken})
	if err != nil || id.Identity() != tok.IDToken.Identity() {
		t.Fatalf("got %v, %v", id, err)
	}
	if _, err := r.c.VerifyIDToken(t.Context(), raw, oidc.ExpectedIDToken{InsecureAnyNonce: true}); err != nil {
		t.Error(err)
	}
	_, err = r.c.VerifyIDToken(t.Context(), raw, oidc.ExpectedIDToken{})
	wantInput(t, err, oidc.BadParameter)
	for name, c := range map[string]struct {
		e    oidc.ExpectedIDToken
		want oidc.Reason
	}{
		"nonce":        {oidc.ExpectedIDToken{Nonce: nonce + "x", InsecureAnyNonce: true}, oidc.BadNonce},
		"access token": {oidc.ExpectedIDToken{Nonce: nonce, AccessToken: "other"}, oidc.BadAccessTokenHash},
		"max age":      {oidc.ExpectedIDToken{Nonce: nonce, MaxAge: new(time.Duration)}, oidc.BadAuthTime},
		"acr":          {oidc.ExpectedIDToken{Nonce: nonce, ACR: []string{"gold"}}, oidc.BadACR},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := r.c.VerifyIDToken(t.Context(), raw, c.e)
			r.in(t).reason(err, c.want)
		})
	}
	var claims struct {
		Iss string
		Sub string `json:"sub"`
	}
	if err := id.Claims(&claims); err != nil || claims.Sub != id.Subject || claims.Iss != "" {
		t.Errorf("claims %+v, %v: names are compared exactly", claims, err)
	}
	var all map[string]json.RawMessage
	if err := id.Claims(&all); err != nil || len(all) < 6 {
		t.Errorf("claims %v, %v", all, err)
	}
}

// TestKeysHeal verifies while the OP's keys change or fail.
func TestKeysHeal(t *testing.T) {
	t.Run("rotation", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.mustLogin()
		op.RotateKeys()
		op.ClearLog()
		op.Advance(10 * time.Minute)
		r.mustLogin()
		wantCalls(t, op, oidctest.EndpointJWKS, 1)
	})
	t.Run("concurrent and cold", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		type pair struct {
			p  oidc.Pending
			cb *oidctest.Callback
		}
		var logins []pair
		for range 8 {
			p, cb := r.begin()
			logins = append(logins, pair{p, cb})
		}
		op.ClearLog()
		var wg sync.WaitGroup
		for _, l := range logins {
			wg.Go(func() {
				if _, err := r.finish(l.p, l.cb); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		wantCalls(t, op, oidctest.EndpointJWKS, 1)
	})
	t.Run("key set by hand", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		md := byHand(op)
		md.JWKS, md.JWKSURI = json.RawMessage(fetchJSON(t, op, op.URL(oidctest.EndpointJWKS))), ""
		p, err := oidc.NewProvider(md, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		r.p = p
		r.client()
		op.ClearLog()
		r.mustLogin()
		wantNoCall(t, op, oidctest.EndpointJWKS)
		p.Close()
		if err := p.Reload(t.Context()); err != nil {
			t.Errorf("nothing to reload: %v", err)
		}
		md.JWKS = json.RawMessage(`{"keys":7}`)
		_, err = oidc.NewProvider(md, r.opts)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("no keys at all", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		md := byHand(op)
		md.JWKSURI = ""
		p, err := oidc.NewProvider(md, r.opts)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		config := r.config()
		config.Metadata.IDTokenSignedResponseAlg = "HS256"
		if _, err := oidc.NewClient(p, config); err != nil {
			t.Errorf("HS256 needs none: %v", err)
		}
	})
	t.Run("unavailable", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		op.Intercept(oidctest.EndpointJWKS, respond(404, "text/plain", "secret page of an inner host"))
		_, err := r.login()
		r.reason(err, oidc.KeysUnavailable)
		if strings.Contains(err.Error(), "inner host") {
			t.Errorf("the body is repeated: %v", err)
		}
	})
}
