package interop_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// soon is how long a poll of these tests waits: their users are quick.
const soon = 200 * time.Millisecond

// outcome is what a login ended with.
type outcome struct {
	tokens *oidc.Tokens
	err    error
}

// TestDevice logs in on a device without a browser (RFC 8628): the user types the code
// at the OP, and allows or refuses, while the device polls.
func TestDevice(t *testing.T) {
	each(t, hasGrant(oidc.GrantDeviceCode), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		begin := func(t *testing.T, c *oidc.Client) *oidc.DeviceLogin {
			t.Helper()
			l, err := c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"profile", "email"}})
			if err != nil {
				t.Fatal(err)
			}
			if l.UserCode == "" || !strings.HasPrefix(l.VerificationURI, o.Issuer) || l.Interval != oidc.DefaultPollInterval || !l.Expiry.After(time.Now()) {
				t.Errorf("got %v, code %q, interval %v", l, l.UserCode, l.Interval)
			}
			_, err = c.PollDevice(t.Context(), l)
			if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "authorization_pending" || !oidc.StillPending(err) {
				t.Errorf("PollDevice: %v, want authorization_pending", err)
			}
			return l
		}
		decide := func(t *testing.T, address, code string, allow bool) {
			t.Helper()
			said, err := o.NewBrowser().Decide(t.Context(), address, code, allow)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the OP says: %s", said)
		}
		for name, alg := range bindings(o) {
			t.Run("allowed/"+name, func(t *testing.T) {
				c := r.granted(t, p, alg, nil, nil, oidc.GrantDeviceCode)
				l := begin(t, c)
				l.Interval = soon
				done := make(chan outcome, 1)
				go func() {
					tokens, err := c.FinishDevice(t.Context(), l)
					done <- outcome{tokens, err}
				}()
				decide(t, l.VerificationURI, l.UserCode, true)
				got := <-done
				if got.err != nil {
					t.Fatalf("FinishDevice: %v", got.err)
				}
				checkElsewhere(t, o, c, got.tokens)
				_, err := c.PollDevice(t.Context(), l)
				wantCode(t, err, "invalid_grant", "expired_token") // a code is good once
			})
		}
		c := r.granted(t, p, "", nil, nil, oidc.GrantDeviceCode)
		t.Run("refused", func(t *testing.T) {
			l := begin(t, c)
			decide(t, l.VerificationURI, l.UserCode, false)
			_, err := c.PollDevice(t.Context(), l)
			wantCode(t, err, "access_denied")
		})
		t.Run("complete_address", func(t *testing.T) { // section 3.3.1
			l := begin(t, c)
			if there := strings.Contains(l.VerificationURIComplete, l.UserCode); there != o.Peer.Has.CompleteAddress {
				t.Errorf("an address with the code is given: %t", there)
			}
			if !o.Peer.Has.CompleteAddress {
				return
			}
			decide(t, l.VerificationURIComplete, "", true)
			tokens, err := c.PollDevice(t.Context(), l)
			if err != nil {
				t.Fatalf("PollDevice: %v", err)
			}
			checkElsewhere(t, o, c, tokens)
		})
		if !o.Peer.Has.DyingCodes {
			return
		}
		t.Run("nobody_came", func(t *testing.T) { // section 3.5
			c := r.granted(t, p, "", nil, func(m *oidc.ClientMetadata) {
				m.Extra = map[string]json.RawMessage{"device_code_lifetime": json.RawMessage("1")}
			}, oidc.GrantDeviceCode)
			l, err := c.BeginDevice(t.Context(), oidc.DeviceParams{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.FinishDevice(t.Context(), l)
			wantReason(t, err, oidc.LoginExpired) // by our clock: nothing is sent
			l.Expiry, l.Interval = time.Now().Add(time.Minute), soon
			_, err = c.FinishDevice(t.Context(), l)
			wantCode(t, err, "expired_token") // by the OP's
		})
	})
}

// checkElsewhere checks and uses the tokens of a login that the user decided elsewhere.
func checkElsewhere(t *testing.T, o *interop.OP, c *oidc.Client, tokens *oidc.Tokens) {
	t.Helper()
	id := tokens.IDToken
	if id == nil {
		t.Fatal("there is no ID Token")
	}
	if id.Issuer != o.Issuer || id.Subject != o.User.Username || !slices.Equal(id.Audience, []string{c.ID()}) || id.Nonce != "" {
		t.Errorf("ID Token of %q about %q for %q, nonce %q", id.Issuer, id.Subject, id.Audience, id.Nonce)
	}
	checkToken(t, c, tokens, o.User.Username, "openid", "profile", "email")
	checkUserInfo(t, o, c, tokens)
	checkRefresh(t, o, c, tokens)
}
