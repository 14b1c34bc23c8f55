package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestIDTokenAtTheBounds: sub may be as long as MaxSubject, a nonce and an acr that
// are not there are none, and an auth_time of 0 is unknown.
func TestIDTokenAtTheBounds(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	good := parseJWT(t, tok.IDToken.Raw())
	nonce := tok.IDToken.Nonce
	for name, c := range map[string]struct {
		edit   func(claims map[string]any)
		expect oidc.ExpectedIDToken
		want   oidc.Reason // "" is accepted
	}{
		"sub_of_the_bound":    {func(m map[string]any) { m["sub"] = strings.Repeat("s", oidc.MaxSubject) }, oidc.ExpectedIDToken{Nonce: nonce}, ""},
		"sub_beyond_it":       {func(m map[string]any) { m["sub"] = strings.Repeat("s", oidc.MaxSubject+1) }, oidc.ExpectedIDToken{Nonce: nonce}, oidc.BadSubject},
		"acr_not_there":       {func(m map[string]any) { delete(m, "acr") }, oidc.ExpectedIDToken{Nonce: nonce, ACR: []string{""}}, oidc.BadACR},
		"acr_empty":           {func(m map[string]any) { m["acr"] = "" }, oidc.ExpectedIDToken{Nonce: nonce, ACR: []string{""}}, ""},
		"auth_time_0":         {func(m map[string]any) { m["auth_time"] = 0 }, oidc.ExpectedIDToken{Nonce: nonce}, ""},
		"auth_time_not_there": {func(m map[string]any) { delete(m, "auth_time") }, oidc.ExpectedIDToken{Nonce: nonce}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			j := jwt{header: good.header, claims: maps.Clone(good.claims)}
			c.edit(j.claims)
			id, err := r.c.VerifyIDToken(t.Context(), j.payload(marshal(j.claims)), c.expect)
			if c.want != "" {
				r.in(t).reason(err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !id.AuthTime.IsZero() {
				t.Errorf("auth_time is %v, want it unknown", id.AuthTime)
			}
		})
	}
	// A Pending without a nonce is no leave to go without one.
	pending, cb := r.begin()
	pending.Nonce = ""
	claim(op, "nonce", "")
	_, err := r.finish(pending, cb)
	r.reason(err, oidc.BadNonce)
}

// TestSignedUserInfoAtTheBounds: exp may be past, and nbf to come, by the skew of
// the clocks and no more.
func TestSignedUserInfoAtTheBounds(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = "RS256" })
	tok := r.mustLogin()
	skew := int64(oidc.DefaultClockSkew / time.Second)
	for member, want := range map[string]oidc.Reason{
		fmt.Sprintf(`"exp":%d`, now.Unix()-skew):   "",
		fmt.Sprintf(`"exp":%d`, now.Unix()-skew-1): oidc.TokenExpired,
		fmt.Sprintf(`"nbf":%d`, now.Unix()+skew):   "",
		fmt.Sprintf(`"nbf":%d`, now.Unix()+skew+1): oidc.TokenNotYetValid,
	} {
		op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt", signRS256([]byte(`{"alg":"RS256"}`), []byte(`{"sub":"`+tok.IDToken.Subject+`",`+member+`}`))))
		_, err := r.c.UserInfo(t.Context(), tok)
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", member, err)
			}
			continue
		}
		r.reason(err, want)
	}
}

// TestUserInfoMembers: what could be an error's name is a claim beside a sub, and
// what cannot be decrypted is told as such.
func TestUserInfoMembers(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	op.TamperUserInfo(func(m map[string]any) { m["error"] = "none of yours" })
	if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
		t.Error(err)
	}
	op.TamperUserInfo(nil)
	r = setupWith(t, op, []oidc.Key{{Private: opKey(), ID: "enc", Use: "enc"}}, func(m *oidc.ClientMetadata) {
		m.UserInfoEncryptedResponseAlg, m.UserInfoEncryptedResponseEnc = "RSA-OAEP-256", "A128GCM"
	})
	tok = r.mustLogin()
	if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	op.Intercept(oidctest.EndpointUserInfo, respond(200, "application/jwt", signRS256([]byte(`{"alg":"RS256"}`), []byte(`{"sub":"`+tok.IDToken.Subject+`"}`))))
	_, err := r.c.UserInfo(t.Context(), tok)
	r.reason(err, oidc.BadEncryption)
}

// TestTokenResponseAtTheBounds: an access token and a refresh token may be as long
// as MaxAccessToken.
func TestTokenResponseAtTheBounds(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	claim(op, "at_hash", nil)
	for _, name := range []string{"access_token", "refresh_token"} {
		tokenMember(op, name, strings.Repeat("a", oidc.MaxAccessToken))
		r.mustLogin()
		tokenMember(op, name, strings.Repeat("a", oidc.MaxAccessToken+1))
		r.refused(oidc.BadTokenResponse)
	}
}

// TestRefreshedIDTokenMaySay: what only one of the two ID Tokens has is no
// difference between them (Core section 12.2).
func TestRefreshedIDTokenMaySay(t *testing.T) {
	op := newOP(t)
	for _, name := range []string{"azp", "auth_time"} {
		for _, c := range []struct{ before, after bool }{{false, true}, {true, false}, {true, true}} {
			t.Run(fmt.Sprint(name, c), func(t *testing.T) {
				defer op.TamperIDToken(nil)
				r := setup(t, op)
				values := map[string]any{"azp": r.c.ID(), "auth_time": seconds(op, -time.Hour)}
				say := func(there bool) {
					if there {
						claim(op, name, values[name])
					} else {
						claim(op, name, nil)
					}
				}
				say(c.before)
				tok := r.offline()
				say(c.after)
				n, err := r.c.Refresh(t.Context(), tok)
				if err != nil {
					t.Fatal(err)
				}
				if got := map[string]bool{"azp": n.IDToken.AZP != "", "auth_time": !n.IDToken.AuthTime.IsZero()}[name]; got != c.after {
					t.Errorf("the new token says %v, want %v", got, c.after)
				}
			})
		}
	}
}

// TestRevocationAnswers: 204 is success, and the failure of the second revocation
// is told if the first went well.
func TestRevocationAnswers(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.offline()
	op.Intercept(oidctest.EndpointRevocation, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
		t.Errorf("204: %v", err)
	}
	for failing, status := range map[string][2]int{"refresh_token": {400, 200}, "access_token": {200, 400}} {
		op.Intercept(oidctest.EndpointRevocation, func(w http.ResponseWriter, req *http.Request) {
			n := status[0]
			if req.FormValue("token_type_hint") == "access_token" {
				n = status[1]
			}
			respond(n, "application/json", `{"error":"unsupported_token_type"}`)(w, req)
		})
		t.Log(failing)
		r.refusal(r.c.RevokeTokens(t.Context(), tok), "unsupported_token_type")
	}
}

// TestTokensWithoutAccessToken are not presented to anybody.
func TestTokensWithoutAccessToken(t *testing.T) {
	for _, tok := range []*oidc.Tokens{nil, {TokenType: "Bearer"}} {
		req, err := http.NewRequest(http.MethodGet, "https://api.example/", nil)
		if err != nil {
			t.Fatal(err)
		}
		wantInput(t, tok.Authorize(req), oidc.NoAccessToken)
		if req.Header.Get("Authorization") != "" {
			t.Error("a field was set")
		}
	}
}

// TestImportedTokens: what is imported is read as strictly as it was before, with
// the quirks of the client that reads it.
func TestImportedTokens(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	claim(op, "email_verified", "true")
	data, err := r.mustLogin().Export()
	if err != nil {
		t.Fatal(err)
	}
	for _, quirk := range []bool{false, true} {
		r.client(func(c *oidc.ClientConfig) { c.Quirks.EmailVerifiedString = quirk })
		tok, err := r.c.ImportTokens(data)
		if err != nil {
			t.Fatal(err)
		}
		if standard := tok.IDToken.Standard(); standard.EmailVerified != quirk {
			t.Errorf("with EmailVerifiedString %v, email_verified is %v", quirk, standard.EmailVerified)
		}
	}
	_, err = r.c.ImportTokens([]byte("{"))
	wantInput(t, err, oidc.BadParameter)

	edited := func(edit func(claims map[string]any)) []byte {
		var x map[string]any
		if err := json.Unmarshal(data, &x); err != nil {
			t.Fatal(err)
		}
		edit(x["claims"].(map[string]any))
		return marshal(x)
	}
	// The claim of a wrong type comes last, after all that is asked for.
	var x map[string]json.RawMessage
	if err := json.Unmarshal(data, &x); err != nil {
		t.Fatal(err)
	}
	x["claims"] = json.RawMessage(`{"iss":"` + op.Issuer + `","sub":"s","aud":"` + r.c.ID() + `","exp":"tomorrow"}`)
	_, err = oidc.ImportTokens(marshal(x), op.Issuer, r.c.ID())
	wantInput(t, err, oidc.BadParameter)
	for name, c := range map[string]struct {
		issuer string
		edit   func(claims map[string]any)
	}{
		"sub_missing": {op.Issuer, func(m map[string]any) { delete(m, "sub") }},
		"iss_missing": {"", func(m map[string]any) { delete(m, "iss") }},
	} {
		if _, err := oidc.ImportTokens(edited(c.edit), c.issuer, r.c.ID()); err == nil {
			t.Errorf("%s: imported", name)
		} else if _, ok := errors.AsType[*oidc.InputError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPrintedTokens: print and JSON tell that an ID Token is there, and no time
// that is not known.
func TestPrintedTokens(t *testing.T) {
	op := newOP(t)
	tok := setup(t, op).mustLogin()
	var there map[string]any
	if err := json.Unmarshal(marshal(tok), &there); err != nil || there["id"] == nil || there["id"] == tok.IDToken.Raw() {
		t.Errorf("got %v, %v; want the ID Token masked", there, err)
	}
	var none map[string]any
	if err := json.Unmarshal(marshal(oidc.Tokens{AccessToken: "secret"}), &none); err != nil || none["id"] != nil {
		t.Errorf("got %v, %v; want no ID Token", none, err)
	}
	if text := fmt.Sprint(oidc.Tokens{AccessToken: "secret"}); strings.Contains(text, "0001") {
		t.Errorf("printed as %s", text)
	}
}

type failingClaims struct{}

func (failingClaims) Claims(any) error { return errors.New("unreadable") }

// TestClaimSourcesAtTheBounds: as many sources as the bound, none that speaks for
// a protected claim, and no token but the source's own.
func TestClaimSourcesAtTheBounds(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	tok := r.mustLogin()
	trusted := oidc.ClaimSourceOptions{Providers: []*oidc.Provider{r.p}}
	_, err := r.c.SourcedClaims(t.Context(), failingClaims{}, trusted)
	r.reason(err, oidc.MalformedResponse)

	raw := signRS256([]byte(`{"alg":"RS256"}`), marshal(map[string]any{"iss": op.Issuer, "credit": 7, "acr": "gold", "cnf": map[string]any{}}))
	ask := func(sources map[string]any, o oidc.ClaimSourceOptions) (*oidc.SourcedClaims, error) {
		op.TamperUserInfo(func(m map[string]any) {
			m["_claim_names"] = map[string]any{"credit": "s0", "acr": "s0", "cnf": "s0"}
			m["_claim_sources"] = sources
		})
		defer op.TamperUserInfo(nil)
		ui, err := r.c.UserInfo(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		return r.c.SourcedClaims(t.Context(), ui, o)
	}
	many := make(map[string]any)
	for n := range 16 {
		many[fmt.Sprint("s", n)] = map[string]any{"JWT": raw}
	}
	got, err := ask(many, trusted)
	if err != nil || len(got.Claims) != 1 || string(got.Claims["credit"].Value) != "7" {
		t.Errorf("got %v, %v, want credit alone", got, err)
	}
	many["more"] = map[string]any{"JWT": raw}
	_, err = ask(many, trusted)
	r.reason(err, oidc.BadClaim)

	asked := false
	o := trusted
	o.AccessToken = func(context.Context, string, string) (string, error) { asked = true; return "ours", nil }
	op.ClearLog()
	if _, err := ask(map[string]any{"s0": map[string]any{"endpoint": op.URL(oidctest.EndpointUserInfo), "access_token": "theirs"}}, o); err != nil {
		t.Fatal(err)
	}
	reqs := op.Requests(oidctest.EndpointUserInfo)
	if len(reqs) != 2 || asked || reqs[1].Header.Get("Authorization") != "Bearer theirs" {
		t.Errorf("%d requests, asked for a token: %v; want the source's own sent", len(reqs), asked)
	}
}
