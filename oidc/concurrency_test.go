package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// coldRig logs in, and then discovers anew, so that the keys are fetched by who
// verifies first.
func coldRig(t *testing.T) (r *rig, raw string, x oidc.ExpectedIDToken) {
	t.Helper()
	r = setup(t, newOP(t))
	pending, cb := r.begin()
	tok, err := r.finish(pending, cb)
	if err != nil {
		t.Fatal(err)
	}
	r.discover()
	r.client()
	r.op.ClearLog()
	return r, tok.IDToken.Raw(), oidc.ExpectedIDToken{Nonce: pending.Nonce, AccessToken: tok.AccessToken}
}

// TestHostileConcurrency is hostile catalogue cases 45 and 46, and 43's other half:
// a true rotation in the middle of the rush hour.
func TestHostileConcurrency(t *testing.T) {
	t.Run("045_cold_cache", func(t *testing.T) {
		r, raw, x := coldRig(t)
		var start, done sync.WaitGroup
		start.Add(1)
		for range 100 {
			done.Go(func() {
				start.Wait()
				if _, err := r.c.VerifyIDToken(t.Context(), raw, x); err != nil {
					t.Error(err)
				}
			})
		}
		start.Done()
		done.Wait()
		wantCalls(t, r.op, oidctest.EndpointJWKS, 1)
	})

	t.Run("046_first_waiter_cancelled", func(t *testing.T) {
		r, raw, x := coldRig(t)
		keys, err := r.op.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		asked, answer := make(chan struct{}), make(chan struct{})
		r.op.Intercept(oidctest.EndpointJWKS, func(w http.ResponseWriter, req *http.Request) {
			close(asked)
			select {
			case <-answer:
			case <-req.Context().Done(): // the request died with the one who caused it
				return
			}
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write(keys)
		})
		ctx, cancel := context.WithCancel(t.Context())
		var first error
		var done sync.WaitGroup
		gone := make(chan struct{})
		done.Go(func() {
			defer close(gone)
			_, first = r.c.VerifyIDToken(ctx, raw, x)
		})
		<-asked
		for range 20 {
			done.Go(func() {
				if _, err := r.c.VerifyIDToken(t.Context(), raw, x); err != nil {
					t.Error(err)
				}
			})
		}
		cancel()
		<-gone
		close(answer)
		done.Wait()
		if !errors.Is(first, context.Canceled) {
			t.Errorf("the one who was cancelled got %v", first)
		}
		wantCalls(t, r.op, oidctest.EndpointJWKS, 1)
	})

	t.Run("043_rotation_under_load", func(t *testing.T) {
		const rotations, workers = 3, 4
		r := setup(t, newOP(t), signedWith("ES256"))
		r.mustLogin()
		r.op.ClearLog()
		var logins atomic.Int64
		progress, stop := make(chan struct{}, 1), make(chan struct{})
		var done sync.WaitGroup
		for range workers {
			done.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
					if err != nil {
						t.Error(err)
						return
					}
					cb, err := r.op.Browser().Login(t.Context(), req.URL())
					if err != nil {
						t.Error(err)
						return
					}
					if _, err := r.finish(req.Pending, cb); err != nil {
						t.Errorf("a login was lost: %v", err)
					}
					logins.Add(1)
					select {
					case progress <- struct{}{}:
					default:
					}
				}
			})
		}
		for range rotations {
			r.op.RotateKeys()
			// As many more logins as there are workers, and one: at least one of
			// them began after the rotation.
			for until := logins.Load() + workers + 1; logins.Load() < until && !t.Failed(); {
				<-progress
			}
		}
		close(stop)
		done.Wait()
		if n := len(r.op.Requests(oidctest.EndpointJWKS)); n < 1 || n > 2*rotations {
			t.Errorf("%d requests for keys, want one or two a rotation", n)
		}
	})
}
