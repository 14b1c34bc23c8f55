package interop_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// hasGrant tells the OPs where a client can register itself for a grant.
func hasGrant(grant string) func(interop.Capabilities) bool {
	return func(c interop.Capabilities) bool { return slices.Contains(c.Grants, grant) }
}

// granted is a client that is registered for grants, beside the code flow.
func (r rp) granted(t *testing.T, p *oidc.Provider, dpop string, keys []oidc.Key, edit func(*oidc.ClientMetadata), grants ...string) *oidc.Client {
	t.Helper()
	config := r.registered(t, p, keys, func(m *oidc.ClientMetadata) {
		m.GrantTypes = append(m.GrantTypes, grants...)
		m.DPoPBoundAccessTokens = dpop != ""
		if edit != nil {
			edit(m)
		}
	})
	config.DPoP = bound(dpop)
	return r.client(t, p, config)
}

// bindings are no binding of tokens to a key, and each that the OP has (RFC 9449).
func bindings(o *interop.OP) map[string]string {
	out := map[string]string{"bearer": ""}
	for _, alg := range o.Peer.Has.DPoP.Algs {
		out["DPoP_"+alg] = alg
	}
	return out
}

// wantCode wants a refusal of the OP that is final.
func wantCode(t *testing.T, err error, codes ...string) {
	t.Helper()
	refused, ok := errors.AsType[*oidc.OPError](err)
	if !ok || !slices.Contains(codes, refused.Code) || oidc.StillPending(err) {
		t.Errorf("got %v, want %q of the OP, for good", err, codes)
	}
}

// checkToken asks the OP about an access token (RFC 7662): it is the client's, of these
// scopes and about that subject, and bound to the key that the tokens say it is.
func checkToken(t *testing.T, c *oidc.Client, tokens *oidc.Tokens, subject string, scopes ...string) *oidc.Introspection {
	t.Helper()
	i, err := c.Introspect(t.Context(), tokens.AccessToken, "access_token")
	if err != nil {
		t.Fatalf("Introspect: %v", err)
	}
	if !i.Active || i.ClientID != c.ID() || i.Subject != subject && subject != "" || !sameScopes(i.Scopes, scopes) || !sameScopes(tokens.Scopes, scopes) {
		t.Errorf("the OP says %+v %s, the response %q; want %q about %q", i, i.Raw(), tokens.Scopes, scopes, subject)
	}
	kind, thumbprint := "Bearer", ""
	if tokens.DPoP != nil {
		kind, thumbprint = "DPoP", tokens.DPoP.Thumbprint()
	}
	if tokens.TokenType != kind || i.TokenType != kind || i.KeyThumbprint != thumbprint {
		t.Errorf("token type %q, of the OP %q, bound to %q; want %q, %q", tokens.TokenType, i.TokenType, i.KeyThumbprint, kind, thumbprint)
	}
	if !tokens.Valid(time.Now(), time.Minute) {
		t.Errorf("the token ends %v", tokens.Expiry)
	}
	return i
}

func sameScopes(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// checkDead wants an access token to be no more, after it was revoked (RFC 7009).
func checkDead(t *testing.T, c *oidc.Client, tokens *oidc.Tokens) {
	t.Helper()
	if err := c.Revoke(t.Context(), tokens.AccessToken, "access_token"); err != nil {
		t.Fatalf("Revoke: %v", err)
	}
	if i, err := c.Introspect(t.Context(), tokens.AccessToken, ""); err != nil || i.Active {
		t.Errorf("after revocation: %+v, %v", i, err)
	}
}

// TestClientCredentials gets tokens for the client itself (RFC 6749 section 4.4), with
// and without a key of their own.
func TestClientCredentials(t *testing.T) {
	each(t, hasGrant(oidc.GrantClientCredentials), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for name, alg := range bindings(o) {
			t.Run(name, func(t *testing.T) {
				c := r.granted(t, p, alg, nil, nil, oidc.GrantClientCredentials)
				source := c.TokenSource(oidc.TokenParams{Scopes: []string{"email"}})
				first, err := source.Tokens(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if first.IDToken != nil || first.RefreshToken != "" {
					t.Errorf("an ID Token or a refresh token came: %v", first)
				}
				checkToken(t, c, first, "", "email")
				if again, err := source.Tokens(t.Context()); err != nil || again != first {
					t.Errorf("got %v, %v; want the same", again, err)
				}
				source.Discard(first)
				other, err := source.Tokens(t.Context())
				if err != nil || other.AccessToken == first.AccessToken {
					t.Fatalf("got %v, %v; want another", other, err)
				}
				if alg != "" && other.DPoP.Thumbprint() == first.DPoP.Thumbprint() {
					t.Error("two tokens are bound to one key")
				}
				checkDead(t, c, first)
				checkToken(t, c, other, "", "email")
			})
		}
		if o.Peer.Has.Resources {
			t.Run("resource", func(t *testing.T) { // RFC 8707 section 2.2
				const resource = "https://bank.test/payments"
				c := r.granted(t, p, "", nil, nil, oidc.GrantClientCredentials)
				tokens, err := c.ClientCredentials(t.Context(), oidc.TokenParams{Resources: []string{resource}})
				if err != nil {
					t.Fatal(err)
				}
				i, err := c.Introspect(t.Context(), tokens.AccessToken, "access_token")
				if err != nil || !i.Active || !slices.Equal(i.Audience, []string{resource}) {
					t.Errorf("the OP says %+v, %v; want that it is for %s", i, err, resource)
				}
				_, err = c.ClientCredentials(t.Context(), oidc.TokenParams{Resources: []string{"https://elsewhere.test/"}})
				wantCode(t, err, "invalid_target")
			})
		}
		t.Run("not_registered_for_it", func(t *testing.T) {
			_, err := r.granted(t, p, "", nil, nil).ClientCredentials(t.Context(), oidc.TokenParams{})
			wantCode(t, err, "unauthorized_client", "invalid_request")
		})
		t.Run("wrong_secret", func(t *testing.T) {
			config := r.registered(t, p, nil, func(m *oidc.ClientMetadata) { m.GrantTypes = append(m.GrantTypes, oidc.GrantClientCredentials) })
			config.Secret += "x"
			_, err := r.client(t, p, config).ClientCredentials(t.Context(), oidc.TokenParams{})
			wantCode(t, err, "invalid_client")
		})
	})
}

// TestTokenExchange has one client exchange the access token that another one got for a
// user (RFC 8693).
func TestTokenExchange(t *testing.T) {
	each(t, hasGrant(oidc.GrantTokenExchange), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		front := r.granted(t, p, "", nil, nil)
		received := logIn(t, o, front)
		service := r.granted(t, p, "", nil, nil, oidc.GrantTokenExchange, oidc.GrantClientCredentials)
		ask := func(edit func(*oidc.TokenExchange)) oidc.TokenExchange {
			x := oidc.TokenExchange{
				SubjectToken: received.AccessToken, RequestedTokenType: oidc.TypeAccessToken, Audiences: []string{"billing"},
				TokenParams: oidc.TokenParams{Scopes: []string{"email"}},
			}
			if edit != nil {
				edit(&x)
			}
			return x
		}
		for name, alg := range bindings(o) {
			t.Run(name, func(t *testing.T) {
				c := service
				if alg != "" {
					c = r.granted(t, p, alg, nil, nil, oidc.GrantTokenExchange)
				}
				got, err := c.ExchangeToken(t.Context(), ask(nil))
				if err != nil {
					t.Fatal(err)
				}
				if got.IssuedTokenType != oidc.TypeAccessToken || got.AccessToken == received.AccessToken || got.IDToken != nil {
					t.Errorf("got %v of type %q", got, got.IssuedTokenType)
				}
				i := checkToken(t, c, got.Tokens, received.IDToken.Subject, "email")
				if !slices.Equal(i.Audience, []string{"billing"}) {
					t.Errorf("it is for %q, want billing", i.Audience)
				}
				checkDead(t, c, got.Tokens)
				checkToken(t, front, received, received.IDToken.Subject, "openid", "profile", "email")
			})
		}
		t.Run("delegation", func(t *testing.T) { // section 4.1
			actor, err := service.ClientCredentials(t.Context(), oidc.TokenParams{Scopes: []string{"email"}})
			if err != nil {
				t.Fatal(err)
			}
			got, err := service.ExchangeToken(t.Context(), ask(func(x *oidc.TokenExchange) { x.ActorToken = actor.AccessToken }))
			if err != nil {
				t.Fatal(err)
			}
			var claims struct {
				Act struct {
					Sub string `json:"sub"`
				} `json:"act"`
			}
			if err := checkToken(t, service, got.Tokens, received.IDToken.Subject, "email").Claims(&claims); err != nil || claims.Act.Sub != service.ID() {
				t.Errorf("%q acts, %v; want %q", claims.Act.Sub, err, service.ID())
			}
		})
		for _, kind := range o.Peer.Has.Exchange {
			if kind == oidc.TypeAccessToken {
				continue
			}
			t.Run(kind, func(t *testing.T) { // section 2.2.1: what is no access token
				got, err := service.ExchangeToken(t.Context(), ask(func(x *oidc.TokenExchange) { x.RequestedTokenType = kind }))
				if err != nil {
					t.Fatal(err)
				}
				if got.IssuedTokenType != kind || got.TokenType != "N_A" {
					t.Errorf("got %q as %q, want %q as N_A", got.IssuedTokenType, got.TokenType, kind)
				}
				request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, o.Issuer, nil)
				if err != nil {
					t.Fatal(err)
				}
				if err := got.Authorize(request); err == nil || request.Header.Get("Authorization") != "" {
					t.Errorf("Authorize: %v; it is presented by no scheme", err)
				}
			})
		}
		for name, x := range map[string]struct {
			code string
			edit func(*oidc.TokenExchange)
		}{
			"wider_scope":      {"invalid_scope", func(x *oidc.TokenExchange) { x.Scopes = []string{"email", "payments"} }},
			"unknown_audience": {"invalid_target", func(x *oidc.TokenExchange) { x.Audiences = []string{"elsewhere"} }},
			"unknown_subject":  {"invalid_request", func(x *oidc.TokenExchange) { x.SubjectToken += "x" }},
			"unknown_actor":    {"invalid_request", func(x *oidc.TokenExchange) { x.ActorToken = "nobody" }},
			"type_not_issued":  {"invalid_request", func(x *oidc.TokenExchange) { x.RequestedTokenType = oidc.TypeSAML2 }},
		} {
			t.Run("refused/"+name, func(t *testing.T) {
				_, err := service.ExchangeToken(t.Context(), ask(x.edit))
				wantCode(t, err, x.code)
			})
		}
	})
}

// TestJWTBearer gets tokens for a user for whom the client vouches (RFC 7523 section
// 2.1), with a key that the OP knows.
func TestJWTBearer(t *testing.T) {
	each(t, hasGrant(oidc.GrantJWTBearer), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		vouch := func(t *testing.T, c *oidc.Client, a oidc.GrantAssertion) (*oidc.Tokens, error) {
			t.Helper()
			if a.Subject == "" {
				a.Subject = o.User.Username
			}
			assertion, err := c.SignGrant(a)
			if err != nil {
				t.Fatal(err)
			}
			return c.JWTBearer(t.Context(), assertion, oidc.TokenParams{Scopes: []string{"email"}})
		}
		key := signs(t, "ES256")
		for name, alg := range bindings(o) {
			t.Run(name, func(t *testing.T) {
				c := r.granted(t, p, alg, key, nil, oidc.GrantJWTBearer)
				tokens, err := vouch(t, c, oidc.GrantAssertion{Key: key[0]})
				if err != nil {
					t.Fatal(err)
				}
				if tokens.IDToken != nil || tokens.RefreshToken != "" { // RFC 7521 section 4.1
					t.Errorf("an ID Token or a refresh token is kept: %v", tokens)
				}
				checkToken(t, c, tokens, o.User.Username, "email")
				checkDead(t, c, tokens)
			})
		}
		c := r.granted(t, p, "", key, nil, oidc.GrantJWTBearer)
		for name, a := range map[string]oidc.GrantAssertion{
			"another_key":  {Key: signs(t, "ES256")[0]},
			"another_OP":   {Key: key[0], Audience: "https://elsewhere.example"},
			"unknown_user": {Key: key[0], Subject: "mallory"},
		} {
			t.Run("refused/"+name, func(t *testing.T) {
				_, err := vouch(t, c, a)
				wantCode(t, err, "invalid_grant")
			})
		}
	})
}
