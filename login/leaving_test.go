package login_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

// TestLogoutOutlivesTheRequest: who logs out and closes the window is logged out,
// here and at the OP.
func TestLogoutOutlivesTheRequest(t *testing.T) {
	r := setup(t)
	b := r.browser()
	b.mustLogin("/")
	kept := *b.cookies["__Host-rely"]
	ctx, leave := context.WithCancel(t.Context())
	r.store.set(func(op, _ string) error {
		if op == "delete" {
			leave()
		}
		return nil
	})
	b.send(request("POST", "/auth/logout", "Sec-Fetch-Site", "same-origin").WithContext(ctx), false)
	if ctx.Err() == nil {
		t.Fatal("the browser did not leave")
	}
	b.cookies[kept.Name] = &kept
	if b.loggedIn() {
		t.Error("the session outlives the logout")
	}
	if len(r.op.Requests(oidctest.EndpointRevocation)) == 0 {
		t.Error("the tokens were not revoked")
	}
}

// TestBackChannelOutlivesTheRequest: an OP that waits no longer may not come again.
func TestBackChannelOutlivesTheRequest(t *testing.T) {
	for _, at := range []string{"create", "tagged", "take"} {
		r := setup(t)
		b := r.browser()
		b.mustLogin("/")
		token := r.logoutToken(oidctest.Logout{SessionID: b.session().SessionID})
		ctx, leave := context.WithCancel(t.Context())
		r.store.set(func(op, _ string) error {
			if op == at {
				leave()
			}
			return nil
		})
		q := httptest.NewRequest("POST", origin+"/auth/backchannel", strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.app.ServeHTTP(httptest.NewRecorder(), q.WithContext(ctx))
		if b.loggedIn() {
			t.Errorf("left at %s: the session outlives the logout", at)
		}
	}
}

// patient counts removals that nothing ends, should the store not answer.
type patient struct {
	store.Store
	removed, endless atomic.Int64
}

func (p *patient) note(ctx context.Context, key string) {
	if store.Class(key) != "session" {
		return
	}
	p.removed.Add(1)
	if ctx.Done() == nil {
		p.endless.Add(1)
	}
}

func (p *patient) Delete(ctx context.Context, key string) error {
	p.note(ctx, key)
	return p.Store.Delete(ctx, key)
}

func (p *patient) Take(ctx context.Context, key string) (store.Record, error) {
	p.note(ctx, key)
	return p.Store.Take(ctx, key)
}

// TestNothingWaitsForEver: what is done though the browser has left has a time of
// its own, or a store that hangs keeps a goroutine for each request (hostile
// catalogue case 311).
func TestNothingWaitsForEver(t *testing.T) {
	r := setup(t)
	p := &patient{Store: r.store.Store}
	r.store.Store = p
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	// A login in the place of another session.
	b := r.browser()
	b.mustLogin("/")
	q := b.toOP(b.navigate("/auth/login")).Request().WithContext(ctx)
	wantStatus(t, b.send(q, true), http.StatusSeeOther)
	if p.removed.Load() == 0 {
		t.Fatal("the old session was not removed")
	}
	// A session that cannot be kept.
	q = b.toOP(b.navigate("/auth/login")).Request().WithContext(ctx)
	r.store.set(func(op, key string) error {
		if op == "create" && store.Class(key) == "session" {
			return errDown
		}
		return nil
	})
	wantStatus(t, b.send(q, true), http.StatusServiceUnavailable)
	r.store.up()
	// A session whose grant is over.
	s := b.session()
	r.store.set(func(op, key string) error {
		if op == "load" && store.Class(key) == "grant" {
			return store.ErrNotFound
		}
		return nil
	})
	if _, err := s.Tokens(ctx); !errors.Is(err, rp.GrantEnded) {
		t.Fatalf("got %v", err)
	}
	if n := p.endless.Load(); n != 0 {
		t.Errorf("%d of %d removals may wait for ever", n, p.removed.Load())
	}
}
