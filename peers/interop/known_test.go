package interop_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// knowsGrant tells the OPs that know a client for a grant beforehand.
func knowsGrant(grant string) func(interop.Capabilities) bool {
	return func(c interop.Capabilities) bool { return slices.Contains(c.KnownGrants, grant) }
}

// TestKnownClientCredentials gets tokens for a client that the OP has of itself (RFC 6749
// section 4.4).
func TestKnownClientCredentials(t *testing.T) {
	each(t, knowsGrant(oidc.GrantClientCredentials), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		service := o.Peer.Service
		c := r.client(t, p, registration(service).ClientConfig())
		tokens, err := c.TokenSource(oidc.TokenParams{Scopes: []string{"profile"}}).Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tokens.AccessToken == "" || tokens.TokenType != "Bearer" || tokens.IDToken != nil || tokens.RefreshToken != "" || !tokens.Valid(time.Now(), time.Minute) {
			t.Errorf("got %v, type %q", tokens, tokens.TokenType)
		}
		service.Secret += "x"
		_, err = r.client(t, p, registration(service).ClientConfig()).ClientCredentials(t.Context(), oidc.TokenParams{})
		wantOPError(t, err)
	})
}

// TestKnownDevice logs in on a device by a client known beforehand (RFC 8628): the user
// types the code, logs in, and allows or refuses, at the OP's own pages.
func TestKnownDevice(t *testing.T) {
	each(t, knowsGrant(oidc.GrantDeviceCode), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-device")
		for name, x := range map[string]struct{ complete, allow bool }{"allowed": {false, true}, "complete_address": {true, true}, "refused": {false, false}} {
			t.Run(name, func(t *testing.T) {
				l, err := c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"profile", "email"}})
				if err != nil {
					t.Fatal(err)
				}
				_, err = c.PollDevice(t.Context(), l)
				if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "authorization_pending" || !oidc.StillPending(err) {
					t.Errorf("PollDevice: %v, want authorization_pending", err)
				}
				address, code := l.VerificationURI, l.UserCode
				if x.complete {
					address, code = l.VerificationURIComplete, ""
				}
				said, err := o.NewBrowser().Decide(t.Context(), address, code, x.allow)
				if err != nil {
					t.Fatal(err)
				}
				tokens, err := c.PollDevice(t.Context(), l)
				if !x.allow {
					wantCode(t, err, "access_denied")
					return
				}
				if err != nil {
					t.Fatalf("PollDevice: %v (the OP said: %s)", err, said)
				}
				id := tokens.IDToken
				if id.Issuer != o.Issuer || id.Subject != o.User.Username || !slices.Contains(id.Audience, c.ID()) || tokens.TokenType != "Bearer" {
					t.Errorf("ID Token of %q about %q for %q", id.Issuer, id.Subject, id.Audience)
				}
				checkUserInfo(t, o, c, tokens)
			})
		}
	})
}

// TestKnownExchange exchanges the access token of a login by the grant that the OP's
// library has itself (RFC 8693).
func TestKnownExchange(t *testing.T) {
	each(t, knowsGrant(oidc.GrantTokenExchange), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		c := r.known(t, r.provider(t), "rely-client_secret_basic")
		received := logIn(t, o, c)
		for _, kind := range o.Peer.Has.Exchange {
			t.Run(kind[strings.LastIndex(kind, ":")+1:], func(t *testing.T) {
				got, err := c.ExchangeToken(t.Context(), oidc.TokenExchange{
					SubjectToken: received.AccessToken, RequestedTokenType: kind, Audiences: []string{c.ID()},
					TokenParams: oidc.TokenParams{Scopes: []string{"openid", "email"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if got.IssuedTokenType != kind || got.AccessToken == received.AccessToken || !sameScopes(got.Scopes, []string{"openid", "email"}) {
					t.Errorf("got %v as %q of %q, want %q", got, got.IssuedTokenType, got.Scopes, kind)
				}
				if kind == oidc.TypeIDToken {
					if got.TokenType != "N_A" {
						t.Errorf("an ID Token is presented as %q", got.TokenType)
					}
					return
				}
				if there := got.RefreshToken != ""; there != (kind == oidc.TypeRefreshToken) {
					t.Errorf("there is a refresh token: %t", there)
				}
				i, err := c.Introspect(t.Context(), got.AccessToken, "access_token")
				if err != nil || !i.Active || i.Subject != o.User.Username || i.ClientID != c.ID() || !sameScopes(i.Scopes, got.Scopes) {
					t.Errorf("the OP says %+v %v", i, err)
				}
			})
		}
		_, err := c.ExchangeToken(t.Context(), oidc.TokenExchange{SubjectToken: received.AccessToken + "x"})
		wantCode(t, err, "invalid_request")
	})
}
