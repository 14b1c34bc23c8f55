package rp_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
)

// tenants makes the OP one of many tenants (oidc.Tenants), and returns the issuer of
// the one whose users log in.
func (r *rig) tenants() string {
	r.t.Helper()
	const tenant = "11111111-2222-3333-4444-555555555555"
	issuer, template := r.op.Issuer+"/"+tenant+"/v2.0", r.op.Issuer+"/"+oidc.TenantPlace+"/v2.0"
	r.op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
	r.op.TamperIDToken(func(_, c map[string]any) { c["tid"], c["iss"], c["sid"] = tenant, issuer, "one" })
	r.opts.Tenants = &oidc.Tenants{Template: template, IDs: []string{tenant}}
	p, err := oidc.Discover(r.t.Context(), r.op.Issuer, r.opts)
	if err != nil {
		r.t.Fatalf("Discover: %v", err)
	}
	r.t.Cleanup(p.Close)
	known := r.op.Clients()[0]
	r.client, err = oidc.NewClient(p, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: r.client.Metadata()})
	if err != nil {
		r.t.Fatalf("NewClient: %v", err)
	}
	r.rp = r.newRP(nil)
	return issuer
}

// TestLogoutByTheTenant: the logout tokens of an OP with tenants name the tenant,
// and so does who reads IDToken.Issuer (hostile catalogue cases 265 and 266).
func TestLogoutByTheTenant(t *testing.T) {
	for _, c := range []struct {
		name         string
		subject, sid bool
	}{{"subject", true, false}, {"sid", false, true}, {"both", true, true}} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			issuer := r.tenants()
			g := r.mustLogin()
			subject, sid := "", ""
			if c.subject {
				subject = g.Subject()
			}
			if c.sid {
				sid = "one"
			}
			if n, err := r.rp.End(t.Context(), issuer, subject, sid); n != 1 || err != nil {
				t.Errorf("ended %d, %v", n, err)
			}
			_, err := r.rp.Grant(t.Context(), g.State())
			want(t, err, rp.GrantEnded)

			r.op.Advance(time.Second)
			state, a := r.begin()
			r.op.Advance(time.Second)
			var fired atomic.Bool
			r.store.set(func(_ context.Context, op, key string) error {
				if op == "create" && store.Class(key) == "grant" && fired.CompareAndSwap(false, true) {
					if _, err := r.rp.End(context.Background(), issuer, subject, sid); err != nil {
						t.Error(err)
					}
				}
				return nil
			}, nil)
			_, err = r.rp.Finish(t.Context(), a, here(state))
			want(t, err, rp.LoggedOut)
		})
	}
	t.Run("the_op", func(t *testing.T) {
		r := setup(t)
		r.tenants()
		g := r.mustLogin()
		if n, err := r.rp.End(t.Context(), g.Issuer(), g.Subject(), ""); n != 1 || err != nil {
			t.Errorf("ended %d, %v", n, err)
		}
	})
}
