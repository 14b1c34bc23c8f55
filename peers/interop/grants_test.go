package interop_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// TestGrantsWithoutBrowser gets a token by client credentials, logs in by CIBA, and begins a login on
// a device, at the OP that has all three.
func TestGrantsWithoutBrowser(t *testing.T) {
	has := func(c interop.Capabilities) bool { return c.DeviceFlow }
	each(t, has, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		m := r.metadata(t, "code")
		m.GrantTypes = append(m.GrantTypes, oidc.GrantClientCredentials, oidc.GrantDeviceCode)
		reg := r.register(t, p, "code", m)
		c := r.client(t, p, reg.ClientConfig())
		t.Run("client credentials", func(t *testing.T) {
			source := c.TokenSource(oidc.TokenParams{})
			first, err := source.Tokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if first.AccessToken == "" || first.IDToken != nil || !first.Valid(time.Now(), time.Minute) {
				t.Errorf("got %v", first)
			}
			if again, err := source.Tokens(t.Context()); err != nil || again != first {
				t.Errorf("got %v, %v", again, err)
			}
		})
		t.Run("CIBA", func(t *testing.T) {
			m := r.metadata(t, "code")
			m.GrantTypes = append(m.GrantTypes, oidc.GrantCIBA)
			m.BackchannelTokenDeliveryMode = oidc.CIBAPoll
			c := r.client(t, p, r.register(t, p, "code", m).ClientConfig())
			l, err := c.BeginCIBA(t.Context(), oidc.CIBAParams{LoginHint: o.User.Username, Scopes: []string{"email"}, BindingMessage: "W4SCT"})
			if err != nil {
				t.Fatal(err)
			}
			tok, err := c.PollCIBA(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			if tok.IDToken == nil || tok.IDToken.Subject == "" || tok.AccessToken == "" {
				t.Errorf("got %v", tok)
			}
		})
		t.Run("device", func(t *testing.T) {
			l, err := c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"email"}})
			if err != nil {
				t.Fatal(err)
			}
			if l.UserCode == "" || !strings.HasPrefix(l.VerificationURI, o.Issuer) || !strings.Contains(l.VerificationURIComplete, l.UserCode) || l.Interval != oidc.DefaultPollInterval {
				t.Errorf("got %v", l)
			}
			_, err = c.PollDevice(t.Context(), l)
			if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "authorization_pending" || !oidc.StillPending(err) {
				t.Errorf("got %v", err)
			}
		})
	})
}
