package rp_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

func TestHealth(t *testing.T) {
	r := setup(t)
	h := r.rp.Health(t.Context())
	if !h.Ready() || h.Degraded() || len(h.Issuers) != 1 || !h.Issuers[0].Usable || h.Issuers[0].Issuer != r.op.Issuer || h.Issuers[0].MetadataFetched.IsZero() {
		t.Errorf("at the beginning: %+v", h)
	}
	r.mustLogin()
	h = r.rp.Health(t.Context())
	if i := h.Issuers[0]; i.Keys == 0 || i.KeysFetched.IsZero() || !i.KeysFreshUntil.After(i.KeysFetched) || i.LastFailure != nil {
		t.Errorf("after a login: %+v", i)
	}

	// The keys get old while the OP is down: who logs in goes on, and it shows.
	r.op.Break(oidctest.JWKSUnavailable)
	r.op.Advance(2 * time.Hour)
	r.mustLogin()
	h = r.rp.Health(t.Context())
	if i := h.Issuers[0]; !errors.Is(i.LastFailure, oidc.KeysUnavailable) || i.LastFailureAt.IsZero() || !h.Ready() || !h.Degraded() {
		t.Errorf("with keys that cannot be had: %+v", i)
	}
	r.op.Mend()
	r.op.Advance(2 * time.Hour)
	r.mustLogin()
	if h = r.rp.Health(t.Context()); h.Degraded() || h.Issuers[0].LastFailure != nil {
		t.Errorf("after it was mended: %+v", h.Issuers[0])
	}

	r.store.set(func(context.Context, string, string) error { return errors.New("connection refused") }, nil)
	if h = r.rp.Health(t.Context()); h.Ready() || !errors.Is(h.Store, rp.StoreUnavailable) {
		t.Errorf("without a store: %+v", h)
	}
	r.store.set(nil, nil)
	if err := r.rp.Close(); err != nil {
		t.Fatal(err)
	}
	if h = r.rp.Health(t.Context()); h.Ready() || !h.Closed {
		t.Errorf("after Close: %+v", h)
	}
}

// TestHealthOfAnOPThatIsDown: one that was never reached is told of once it was tried.
func TestHealthOfAnOPThatIsDown(t *testing.T) {
	r := setup(t)
	r.op.Break(oidctest.MetadataUnavailable)
	c := oidc.ClientConfig{ID: r.client.ID(), Metadata: r.client.Metadata()}
	for name, d := range map[string]rp.Directory{
		"Configured": rp.Configured(r.op.Issuer, r.opts, c),
		"Each":       rp.Each(rp.Configured(r.op.Issuer, r.opts, c)),
		"Dynamic":    r.dynamic(),
	} {
		x := r.newRP(func(c *rp.Config) { c.Directory = d })
		if h := x.Health(t.Context()); len(h.Issuers) != 0 || !h.Ready() || h.Degraded() {
			t.Errorf("%s, not tried: %+v", name, h)
		}
		if _, err := x.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); err == nil {
			t.Fatalf("%s: the login begins", name)
		}
		h := x.Health(t.Context())
		if len(h.Issuers) != 1 || h.Issuers[0].Usable || h.Issuers[0].LastFailure == nil || h.Issuers[0].Issuer != r.op.Issuer || !h.Ready() || !h.Degraded() {
			t.Errorf("%s, tried: %+v", name, h)
		}
	}
}

// TestHostileShutdown is case 320.
func TestHostileShutdown(t *testing.T) {
	t.Run("320_a_callback_in_mid_flight_finishes", func(t *testing.T) {
		r := setup(t)
		req, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		late, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		answer := func(req *oidc.AuthRequest) oidc.AuthResponse {
			cb, err := r.op.Browser().Login(t.Context(), req.URL())
			if err != nil {
				t.Fatal(err)
			}
			a, err := oidc.ReadAuthResponse(cb.Request())
			if err != nil {
				t.Fatal(err)
			}
			return a
		}
		a, b := answer(req), answer(late)
		arrived, goOn := r.standStill()
		finished := make(chan error)
		go func() {
			_, err := r.rp.Finish(context.Background(), a, rp.Arrival{Binding: req.Pending.State, RedirectURI: req.Pending.RedirectURI})
			finished <- err
		}()
		<-arrived
		closed := make(chan error)
		go func() { closed <- r.rp.Close() }()
		// Close has begun when nothing begins any more.
		for !r.rp.Health(t.Context()).Closed {
			select {
			case <-closed:
				t.Fatal("Close did not wait for the callback")
			default:
			}
		}
		if _, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); !errors.Is(err, rp.Closed) {
			t.Errorf("Start after Close: %v", err)
		}
		if _, err := r.rp.Finish(t.Context(), b, rp.Arrival{Binding: late.Pending.State, RedirectURI: late.Pending.RedirectURI}); !errors.Is(err, rp.Closed) {
			t.Errorf("Finish after Close: %v", err)
		}
		close(goOn)
		if err := <-finished; err != nil {
			t.Errorf("the callback in mid-flight: %v", err)
		}
		if err := <-closed; err != nil {
			t.Errorf("Close: %v", err)
		}
		if err := r.rp.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		// Another process finishes the login that came too late: nothing was used up.
		other := r.newRP(nil)
		if _, err := other.Finish(t.Context(), b, rp.Arrival{Binding: late.Pending.State, RedirectURI: late.Pending.RedirectURI}); err != nil {
			t.Errorf("at another process: %v", err)
		}
	})
	t.Run("320_a_closed_directory_makes_nothing", func(t *testing.T) {
		r := setup(t)
		d := rp.Configured(r.op.Issuer, r.opts, oidc.ClientConfig{ID: r.client.ID(), Metadata: r.client.Metadata()})
		x := r.newRP(func(c *rp.Config) { c.Directory = d })
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := d.Client(t.Context(), r.op.Issuer); !errors.Is(err, rp.Closed) {
			t.Errorf("got %v", err)
		}
	})
}
