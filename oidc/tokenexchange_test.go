package oidc_test

import (
	"crypto"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// exchangeFaults is what each fault of a token exchange leads to.
var exchangeFaults = map[oidctest.Fault]outcome{
	oidctest.IssuedTypeMissing: oidc.BadIssuedType, oidctest.IssuedTypeOther: oidc.BadIssuedType, oidctest.IssuedNotApplicable: oidc.BadTokenType,
}

// exchanger is a service with an access token of a user.
func exchanger(t *testing.T, edit ...func(*oidc.ClientConfig)) (*rig, string) {
	t.Helper()
	op := newOP(t)
	user := setup(t, op)
	user.params.Scopes = []string{"email", "profile"}
	tok := user.mustLogin()
	r := service(t, op, oidctest.Client{GrantTypes: []string{oidc.GrantTokenExchange}}, edit...)
	r.wire.secret(tok.AccessToken)
	return r, tok.AccessToken
}

func TestTokenExchange(t *testing.T) {
	t.Run("for_a_service_further_on", func(t *testing.T) {
		r, token := exchanger(t)
		got, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{
			SubjectToken: token, RequestedTokenType: oidc.TypeAccessToken, Audiences: []string{"billing", "mail"},
			TokenParams: oidc.TokenParams{Scopes: []string{"email"}, Resources: []string{"https://billing.example/"}},
		})
		if err != nil {
			t.Fatal(err)
		}
		if got.AccessToken == "" || got.AccessToken == token || got.IssuedTokenType != oidc.TypeAccessToken || got.TokenType != "Bearer" || len(got.Scopes) != 1 {
			t.Errorf("got %v", got)
		}
		f := r.op.Requests(oidctest.EndpointToken)[0].Form
		if f.Get("subject_token_type") != oidc.TypeAccessToken || len(f["audience"]) != 2 || f.Get("resource") != "https://billing.example/" || f.Get("requested_token_type") != oidc.TypeAccessToken || f.Has("actor_token") {
			t.Errorf("sent %v", f)
		}
		if text := fmt.Sprintf("%v %+v %s", got, got, marshal(got)); strings.Contains(text, got.AccessToken) {
			t.Error(text)
		}
	})
	t.Run("prints_no_token", func(t *testing.T) {
		x := oidc.TokenExchange{SubjectToken: hidden, ActorToken: hidden}
		if text := fmt.Sprintf("%v %+v %#v %s %v", x, x, x, marshal(x), x.LogValue()); strings.Contains(text, hidden) {
			t.Error(text)
		}
	})
	t.Run("delegation", func(t *testing.T) {
		r, token := exchanger(t)
		if _, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token, ActorToken: "actor-token", ActorTokenType: oidc.TypeJWT}); err != nil {
			t.Fatal(err)
		}
		if f := r.op.Requests(oidctest.EndpointToken)[0].Form; f.Get("actor_token") != "actor-token" || f.Get("actor_token_type") != oidc.TypeJWT {
			t.Errorf("sent %v", f)
		}
	})
	t.Run("bound_to_a_key", func(t *testing.T) {
		r, token := exchanger(t, func(c *oidc.ClientConfig) { c.DPoP = oidc.DPoPES256() })
		if got, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token}); err != nil || got.DPoP == nil {
			t.Errorf("got %v, %v", got, err)
		}
	})
	t.Run("what_is_no_access_token", func(t *testing.T) {
		r, token := exchanger(t)
		r.op.TamperTokenResponse(func(m map[string]any) { m["issued_token_type"], m["token_type"] = oidc.TypeSAML2, "N_A" })
		got, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		if err != nil || got.IssuedTokenType != oidc.TypeSAML2 || got.TokenType != "N_A" {
			t.Fatalf("got %v, %v", got, err)
		}
		// Only N_A says that it is presented by no scheme of HTTP.
		r.op.TamperTokenResponse(func(m map[string]any) { m["issued_token_type"] = oidc.TypeSAML2 })
		got, err = r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		if err != nil || got.TokenType != "Bearer" {
			t.Fatalf("got %v, %v", got, err)
		}
		r.op.TamperTokenResponse(func(m map[string]any) {
			m["issued_token_type"], m["token_type"], m["access_token"] = oidc.TypeSAML2, "N_A", ""
		})
		_, err = r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		r.reason(err, oidc.MissingAccessToken)
	})
	t.Run("type_that_nobody_asked_for_or_gave", func(t *testing.T) {
		r, token := exchanger(t)
		r.op.Break(oidctest.IssuedTypeMissing)
		_, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		r.reason(err, oidc.BadIssuedType)
	})
	t.Run("error_in_200", func(t *testing.T) {
		r, token := exchanger(t)
		r.op.Intercept(oidctest.EndpointToken, respond(200, "application/json", `{"error":"invalid_target"}`))
		_, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		r.refusal(err, "invalid_target")
	})
	for fault, want := range exchangeFaults {
		t.Run(string(fault), func(t *testing.T) {
			r, token := exchanger(t)
			r.op.Break(fault)
			got, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token, RequestedTokenType: oidc.TypeAccessToken})
			r.reason(err, want)
			if got != nil {
				t.Error("a token beside the error")
			}
		})
	}
	t.Run("refused", func(t *testing.T) {
		r, token := exchanger(t)
		_, err := r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token, TokenParams: oidc.TokenParams{Scopes: []string{"everything"}}})
		r.refusal(err, "invalid_scope")
		_, err = r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: "another"})
		r.refusal(err, "invalid_request")
		r.op.Break(oidctest.TokenNull)
		_, err = r.c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: token})
		r.reason(err, oidc.MalformedResponse)
	})
	t.Run("arguments", func(t *testing.T) {
		r, token := exchanger(t)
		for name, x := range map[string]oidc.TokenExchange{
			"no token": {}, "type without actor": {SubjectToken: token, ActorTokenType: oidc.TypeJWT}, "audience": {SubjectToken: token, Audiences: []string{""}},
			"scope": {SubjectToken: token, TokenParams: oidc.TokenParams{Scopes: []string{""}}},
		} {
			_, err := r.c.ExchangeToken(t.Context(), x)
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			wantInput(t, err, oidc.BadParameter)
		}
		wantNoCall(t, r.op, oidctest.EndpointToken)
	})
}

// assertionFaults is what each fault of an assertion as a grant leads to.
var assertionFaults = map[oidctest.Fault]outcome{
	oidctest.AssertionTypeMissing: oidc.BadTokenType, oidctest.AssertionTypeNA: oidc.BadTokenType, oidctest.AssertionTokenMissing: oidc.MissingAccessToken, oidctest.AssertionTokenNumber: oidc.MalformedResponse,
	oidctest.AssertionRefreshToken: harmless, oidctest.AssertionIDToken: harmless, oidctest.AssertionScopeWidened: harmless, oidctest.AssertionScopeNumber: oidc.MalformedResponse,
	oidctest.AssertionInvalidGrant: "op: invalid_grant", oidctest.AssertionInvalidScope: "op: invalid_scope", oidctest.AssertionUnauthorized: "op: unauthorized_client", oidctest.AssertionUnsupported: "op: unsupported_grant_type",
	oidctest.AssertionErrorIn200: "op: invalid_grant", oidctest.AssertionTruncated: oidc.MalformedResponse, oidctest.AssertionNull: oidc.MalformedResponse, oidctest.AssertionDuplicate: oidc.MalformedResponse,
	oidctest.AssertionHTML: oidc.UnexpectedMediaType, oidctest.AssertionRedirect: oidc.UnexpectedRedirect,
}

const samlAssertion = `<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion"><saml:Subject><saml:NameID>alice</saml:NameID></saml:Subject></saml:Assertion>`

// sealedKey is a key in a device that does not sign.
type sealedKey struct{ crypto.Signer }

func (sealedKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("the device is sealed")
}

func TestAssertionGrants(t *testing.T) {
	key := testKey()
	jwks, err := oidc.PublicJWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	setup := func(t *testing.T) *rig {
		return service(t, newOP(t), oidctest.Client{GrantTypes: []string{oidc.GrantJWTBearer, oidc.GrantSAML2Bearer}, JWKS: jwks})
	}
	t.Run("jwt", func(t *testing.T) {
		r := setup(t)
		assertion, err := r.c.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice", Claims: map[string]any{"department": "sales"}})
		if err != nil {
			t.Fatal(err)
		}
		r.wire.secret(assertion)
		tok, err := r.c.JWTBearer(t.Context(), assertion, oidc.TokenParams{Scopes: []string{"calendar"}})
		if err != nil || tok.AccessToken == "" || tok.IDToken != nil || !has(tok.Scopes, "calendar") {
			t.Fatalf("got %v, %v", tok, err)
		}
		j := parseJWT(t, assertion)
		if j.claims["iss"] != r.c.ID() || j.claims["aud"] != r.op.Issuer || j.claims["department"] != "sales" || j.claims["exp"].(float64)-j.claims["iat"].(float64) != 300 {
			t.Errorf("signed %v", j.claims)
		}
		r.op.Advance(10 * oidc.DefaultGrantAssertionLifetime)
		_, err = r.c.JWTBearer(t.Context(), assertion, oidc.TokenParams{})
		r.refusal(err, "invalid_grant")
	})
	t.Run("saml", func(t *testing.T) {
		r := setup(t)
		tok, err := r.c.SAML2Bearer(t.Context(), []byte(samlAssertion), oidc.TokenParams{})
		if err != nil || tok.AccessToken == "" {
			t.Fatalf("got %v, %v", tok, err)
		}
		if f := r.op.Requests(oidctest.EndpointToken)[0].Form; strings.ContainsAny(f.Get("assertion"), "+/=") || f.Get("grant_type") != oidc.GrantSAML2Bearer {
			t.Errorf("sent %v", f)
		}
	})
	// Both grants are answered alike, and read alike.
	grants := map[string]func(*testing.T, *rig) (*oidc.Tokens, error){
		"jwt": func(t *testing.T, r *rig) (*oidc.Tokens, error) {
			assertion, err := r.c.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice"})
			if err != nil {
				t.Fatal(err)
			}
			r.wire.secret(assertion)
			return r.c.JWTBearer(t.Context(), assertion, oidc.TokenParams{Scopes: []string{"calendar"}})
		},
		"saml": func(t *testing.T, r *rig) (*oidc.Tokens, error) {
			return r.c.SAML2Bearer(t.Context(), []byte(samlAssertion), oidc.TokenParams{Scopes: []string{"calendar"}})
		},
	}
	for name, grant := range grants {
		for fault, want := range assertionFaults {
			t.Run(name+"/"+string(fault), func(t *testing.T) {
				t.Parallel()
				r := setup(t)
				if _, err := grant(t, r); err != nil {
					t.Fatalf("without the fault: %v", err)
				}
				r.op.Break(fault)
				r.op.ClearLog()
				tok, err := grant(t, r)
				if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
					t.Errorf("the assertion was presented %d times", n)
				}
				if want == harmless {
					if err != nil || tok.AccessToken == "" || tok.RefreshToken != "" || tok.IDToken != nil {
						t.Fatalf("got %v, %v", tok, err)
					}
					if widened := fault == oidctest.AssertionScopeWidened; has(tok.Scopes, "admin") != widened || !has(tok.Scopes, "calendar") {
						t.Errorf("the scopes are %v", tok.Scopes)
					}
					return
				}
				if code, isOP := strings.CutPrefix(string(want), "op: "); isOP {
					r.refusal(err, code)
				} else {
					r.reason(err, want)
				}
				if tok != nil {
					t.Error("a token beside the error")
				}
			})
		}
	}
	t.Run("arguments", func(t *testing.T) {
		r := setup(t)
		_, err := r.c.JWTBearer(t.Context(), "", oidc.TokenParams{})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.SAML2Bearer(t.Context(), make([]byte, oidc.MaxGrantAssertion), oidc.TokenParams{})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.JWTBearer(t.Context(), "a", oidc.TokenParams{Scopes: []string{""}})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Key: key})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice", Lifetime: -1})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice", Claims: map[string]any{"sub": "bob"}})
		wantInput(t, err, oidc.ProtectedParameter)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice", Claims: map[string]any{"f": func() {}}})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Subject: "alice"})
		wantInput(t, err, oidc.BadConfig)
		_, err = r.c.SignGrant(oidc.GrantAssertion{Key: oidc.Key{Private: sealedKey{key.Private.(crypto.Signer)}, Alg: key.Alg}, Subject: "alice"})
		wantInput(t, err, oidc.BadConfig)
		_, err = r.c.JWTBearer(t.Context(), strings.Repeat("a", oidc.MaxGrantAssertion+1), oidc.TokenParams{})
		wantInput(t, err, oidc.BadParameter)
		wantNoCall(t, r.op, oidctest.EndpointToken)
		_, err = r.c.JWTBearer(t.Context(), strings.Repeat("a", oidc.MaxGrantAssertion), oidc.TokenParams{})
		if wantCalls(t, r.op, oidctest.EndpointToken, 1); err == nil {
			t.Error("the OP takes an assertion of the greatest length that is none")
		}
	})
}
