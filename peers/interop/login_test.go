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

// TestLogin logs in at every OP by all that it has: each response type by each
// response mode, with a client known beforehand and with one that registers
// itself. What a login gives is then used: UserInfo, refresh, revocation.
func TestLogin(t *testing.T) {
	each(t, every, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, responseType := range o.Peer.Has.ResponseTypes {
			for _, mode := range o.Peer.Has.Modes(responseType) {
				t.Run(subtest(responseType)+"/"+mode+"/static", func(t *testing.T) {
					testLogin(t, o, r.known(t, p, "rely-client_secret_basic"), responseType, mode)
				})
				if slices.Contains(o.Peer.Has.Registration, responseType) {
					t.Run(subtest(responseType)+"/"+mode+"/dynamic", func(t *testing.T) {
						registered := r.register(t, p, responseType, r.metadata(t, responseType))
						testLogin(t, o, r.client(t, p, registered.ClientConfig()), responseType, mode)
					})
				}
			}
		}
	})
}

func testLogin(t *testing.T, o *interop.OP, c *oidc.Client, responseType, mode string) {
	before := time.Now().Add(-time.Minute)
	l := login{responseType: responseType, mode: mode}
	code := slices.Contains(strings.Fields(responseType), "code")
	if code && o.Peer.Has.Refresh.Scope != "" {
		l.scopes = []string{o.Peer.Has.Refresh.Scope}
	}
	tokens, err := l.run(t, o, c)
	if err != nil {
		t.Fatalf("Finish: %v", err)
	}
	id := tokens.IDToken
	if id.Issuer != o.Issuer || id.Subject == "" || !slices.Contains(id.Audience, c.ID()) {
		t.Errorf("ID Token of %q about %q for %q, want one of %q for %q", id.Issuer, id.Subject, id.Audience, o.Issuer, c.ID())
	}
	if id.IssuedAt.Before(before) || id.Expiry.Before(time.Now()) {
		t.Errorf("ID Token issued %v, expires %v", id.IssuedAt, id.Expiry)
	}
	if responseType == "id_token" {
		if tokens.AccessToken != "" || tokens.RefreshToken != "" {
			t.Error("response type id_token brought an access or refresh token")
		}
		return
	}
	checkUserInfo(t, o, c, tokens)
	if !code {
		if tokens.RefreshToken != "" {
			t.Error("the implicit flow brought a refresh token")
		}
		return
	}
	if o.Peer.Has.Refresh.Issued {
		tokens = checkRefresh(t, o, c, tokens)
	}
	if o.Peer.Has.Revocation {
		checkRevocation(t, o, c, tokens)
	}
}

func checkUserInfo(t *testing.T, o *interop.OP, c *oidc.Client, tokens *oidc.Tokens) {
	t.Helper()
	info, err := c.UserInfo(t.Context(), tokens)
	if err != nil {
		t.Fatalf("UserInfo: %v", err)
	}
	if info.Subject != tokens.IDToken.Subject {
		t.Errorf("UserInfo about %q, ID Token about %q", info.Subject, tokens.IDToken.Subject)
	}
	if info.Name != o.User.Name && info.GivenName != o.User.Name || info.Email != o.User.Email {
		t.Errorf("UserInfo: name %q, given name %q, email %q; want %q and %q", info.Name, info.GivenName, info.Email, o.User.Name, o.User.Email)
	}
	if len(info.Malformed) > 0 {
		t.Errorf("malformed claims: %v", info.Malformed)
	}
}

// checkRefresh refreshes and returns the new tokens.
func checkRefresh(t *testing.T, o *interop.OP, c *oidc.Client, tokens *oidc.Tokens) *oidc.Tokens {
	t.Helper()
	if tokens.RefreshToken == "" {
		t.Fatal("no refresh token")
	}
	fresh, err := c.Refresh(t.Context(), tokens)
	if err != nil {
		t.Fatalf("Refresh: %v", err)
	}
	has := o.Peer.Has.Refresh
	if fresh.AccessToken == tokens.AccessToken || fresh.AccessToken == "" {
		t.Error("the access token did not change")
	}
	if rotated := fresh.RefreshToken != tokens.RefreshToken; rotated != has.Rotates {
		t.Errorf("refresh token changed: %t, want %t", rotated, has.Rotates)
	}
	if renewed := fresh.IDToken != tokens.IDToken; renewed != has.IDToken {
		t.Errorf("ID Token renewed: %t, want %t", renewed, has.IDToken)
	}
	if fresh.IDToken.Identity() != tokens.IDToken.Identity() {
		t.Errorf("refreshed for %v, want %v", fresh.IDToken.Identity(), tokens.IDToken.Identity())
	}
	checkUserInfo(t, o, c, fresh)
	return fresh
}

// checkRevocation revokes and then finds the tokens dead.
func checkRevocation(t *testing.T, o *interop.OP, c *oidc.Client, tokens *oidc.Tokens) {
	t.Helper()
	if err := c.Revoke(t.Context(), tokens.AccessToken, "access_token"); err != nil {
		t.Fatalf("Revoke the access token: %v", err)
	}
	var refused *oidc.OPError
	if _, err := c.UserInfo(t.Context(), tokens); !errors.As(err, &refused) {
		t.Errorf("UserInfo by a revoked access token: %v, want an *OPError", err)
	}
	if !o.Peer.Has.Refresh.Issued {
		return
	}
	if err := c.RevokeTokens(t.Context(), tokens); err != nil {
		t.Fatalf("RevokeTokens: %v", err)
	}
	if _, err := c.Refresh(t.Context(), tokens); !errors.As(err, &refused) || refused.Temporary() {
		t.Errorf("Refresh by a revoked refresh token: %v, want a final *OPError", err)
	}
}
