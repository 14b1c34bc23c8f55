package rp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

func TestHostileRefresh(t *testing.T) {
	// What comes with the refresh is refused, the old claims stay, and the grant
	// is not over.
	for _, c := range []struct {
		name   string
		tamper func(header, claims map[string]any)
		want   oidc.Reason
	}{
		{"244_id_token_of_another_user", func(_, claims map[string]any) { claims["sub"] = "mallory" }, oidc.SubjectMismatch},
		{"245_id_token_unsigned", func(header, _ map[string]any) { header["alg"] = "none" }, oidc.BadAlgorithm},
		{"245_id_token_of_another_issuer", func(_, claims map[string]any) { claims["iss"] = "https://attacker.example" }, oidc.BadIssuer},
		{"245_id_token_for_another_client", func(_, claims map[string]any) { claims["aud"] = "somebody" }, oidc.BadAudience},
		{"247_auth_time_changed", func(_, claims map[string]any) { claims["auth_time"] = 1000000000 }, oidc.BadAuthTime},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			r.params.MaxAge = new(time.Hour)
			g := r.mustLogin()
			subject := g.Subject()
			r.op.TamperIDToken(c.tamper)
			r.expire()
			_, err := g.Tokens(t.Context())
			want(t, err, c.want, rp.RefreshFailed)
			again, err := r.rp.Grant(t.Context(), g.State())
			if err != nil || again.Subject() != subject || again.IDToken().Subject != subject {
				t.Fatalf("got %v, %v", again, err)
			}
		})
	}
	t.Run("246_original_nonce_repeated", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		nonce := g.IDToken().Nonce
		r.op.TamperIDToken(func(_, claims map[string]any) { claims["nonce"] = nonce })
		r.expire()
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("248_one_process_refreshes_once", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		if n := sameTokens(t, []*rp.RP{r.rp}, g.State(), 50); n != 1 || r.refreshes() != 1 {
			t.Errorf("%d tokens, %d refreshes", n, r.refreshes())
		}
	})
	t.Run("249_ten_processes_refresh_once", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		processes := []*rp.RP{r.rp}
		for range 9 {
			processes = append(processes, r.newRP(nil))
		}
		for round := range 3 {
			r.expire()
			r.op.ClearLog()
			if n := sameTokens(t, processes, g.State(), 40); n != 1 || r.refreshes() != 1 {
				t.Errorf("round %d: %d tokens, %d refreshes", round, n, r.refreshes())
			}
		}
	})
	t.Run("249_store_whose_cache_is_late", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		other := &lagging{Store: r.mem, seen: make(map[string]store.Record)}
		late := r.newRP(func(c *rp.Config) { c.Store = other })
		if _, err := late.Tokens(t.Context(), g.State()); err != nil {
			t.Fatal(err) // now its cache has the grant
		}
		r.expire()
		tok, err := g.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		other.lag.Store(5)
		got, err := late.Tokens(t.Context(), g.State())
		if err != nil || got.AccessToken != tok.AccessToken {
			t.Errorf("got %v, %v", got, err)
		}
		if n := r.refreshes(); n != 1 {
			t.Errorf("%d refreshes: the old refresh token was used again", n)
		}
	})
	t.Run("250_response_lost_with_grace", func(t *testing.T) {
		r := setup(t, func(c *oidctest.Config) { c.RefreshGrace = time.Minute })
		g := r.mustLogin()
		r.expire()
		r.loseResponses(1)
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := r.refreshes(); n != 2 {
			t.Errorf("%d refreshes, want one and its repetition", n)
		}
	})
	t.Run("250_response_lost_without_grace", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		r.loseResponses(1)
		_, err := g.Tokens(t.Context())
		want(t, err, rp.GrantEnded)
		for range 5 {
			_, err = g.Tokens(t.Context())
			want(t, err, rp.GrantEnded)
		}
		if n := r.refreshes(); n != 2 {
			t.Errorf("%d refreshes, want one and its repetition", n)
		}
	})
	t.Run("250_every_response_lost", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		r.loseResponses(1 << 30)
		for range 20 {
			_, err := g.Tokens(t.Context())
			if !errors.Is(err, rp.GrantEnded) {
				want(t, err, rp.RefreshFailed)
			}
		}
		if n := r.refreshes(); n > 2 {
			t.Errorf("%d refreshes without any time between", n)
		}
	})
	for _, c := range []struct {
		name string
		edit func(map[string]any)
	}{
		{"251_no_refresh_token_in_the_answer", func(m map[string]any) { delete(m, "refresh_token") }},
		{"251_empty_refresh_token_in_the_answer", func(m map[string]any) { m["refresh_token"] = "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t, func(c *oidctest.Config) { c.KeepRefreshTokens = true })
			g := r.mustLogin()
			before, err := g.Tokens(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			r.op.TamperTokenResponse(c.edit)
			for range 2 {
				r.expire()
				tok, err := g.Tokens(t.Context())
				if err != nil || tok.RefreshToken != before.RefreshToken {
					t.Fatalf("got %v, %v", tok, err)
				}
			}
		})
	}
	t.Run("252_invalid_grant_ends_the_grant", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.op.Intercept(oidctest.EndpointToken, refuse(400, "invalid_grant"))
		r.expire()
		_, err := g.Tokens(t.Context())
		want(t, err, rp.GrantEnded)
		_, err = r.rp.Grant(t.Context(), g.State())
		want(t, err, rp.GrantEnded)
		if held, _ := r.count("grant"); held != 0 {
			t.Errorf("%d grants", held)
		}
		if n := r.refreshes(); n != 1 {
			t.Errorf("%d refreshes", n)
		}
	})
	for _, c := range []struct {
		name   string
		status int
		code   string
	}{
		{"252_temporarily_unavailable", 503, "temporarily_unavailable"},
		{"252_server_error", 500, "server_error"},
		{"252_invalid_client_is_not_the_users_fault", 401, "invalid_client"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			g := r.mustLogin()
			before, _ := g.Tokens(t.Context())
			r.op.Intercept(oidctest.EndpointToken, refuse(c.status, c.code))
			r.op.Advance(10*time.Minute - 10*time.Second) // due, and alive
			tok, err := g.Tokens(t.Context())
			if err != nil || tok.AccessToken != before.AccessToken {
				t.Fatalf("while the old token lives: got %v, %v", tok, err)
			}
			r.op.Advance(2 * time.Minute)
			_, err = g.Tokens(t.Context())
			want(t, err, rp.RefreshFailed)
			calls := r.refreshes()
			_, err = g.Tokens(t.Context())
			want(t, err, rp.RefreshFailed)
			if n := r.refreshes(); n != calls {
				t.Errorf("tried again without any time between")
			}
			r.op.Intercept(oidctest.EndpointToken, nil)
			r.op.Advance(2 * time.Minute)
			if _, err := g.Tokens(t.Context()); err != nil {
				t.Fatalf("after the OP recovered: %v", err)
			}
		})
	}
	t.Run("253_store_fails_after_rotation", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		var refreshed atomic.Bool
		r.wire.set(nil, func(q *http.Request) error { refreshed.Store(true); return nil })
		r.store.set(func(_ context.Context, op, _ string) error {
			if refreshed.Load() {
				return errDown
			}
			return nil
		}, nil)
		_, err := g.Tokens(t.Context())
		want(t, err, rp.StoreUnavailable)
		if n := r.refreshes(); n != 1 {
			t.Fatalf("%d refreshes", n)
		}
		_, err = g.Tokens(t.Context())
		want(t, err, rp.StoreUnavailable) // not lost, and not handed out either
		r.store.up()
		tok, err := g.Tokens(t.Context())
		if err != nil || !tok.Valid(r.op.Now(), 0) {
			t.Fatalf("after the store recovered: %v, %v", tok, err)
		}
		if n := r.refreshes(); n != 1 {
			t.Errorf("%d refreshes: the rotated token was lost", n)
		}
		r.expire()
		if _, err := r.newRP(nil).Tokens(t.Context(), g.State()); err != nil {
			t.Errorf("another process: %v", err)
		}
	})
	t.Run("253_close_saves", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		var refreshed atomic.Bool
		r.wire.set(nil, func(q *http.Request) error { refreshed.Store(true); return nil })
		r.store.set(func(context.Context, string, string) error {
			if refreshed.Load() {
				return errDown
			}
			return nil
		}, nil)
		_, err := g.Tokens(t.Context())
		want(t, err, rp.StoreUnavailable)
		r.store.up()
		if err := r.rp.Close(); err != nil {
			t.Fatal(err)
		}
		if err := r.rp.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.newRP(nil).Tokens(t.Context(), g.State()); err != nil || r.refreshes() != 1 {
			t.Errorf("got %v after %d refreshes", err, r.refreshes())
		}
	})
	t.Run("253_write_done_though_the_store_said_no", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.expire()
		var once sync.Once
		r.store.set(nil, func(_ context.Context, op, _ string) (err error) {
			if op == "replace" {
				once.Do(func() { err = errDown })
			}
			return err
		})
		if _, err := g.Tokens(t.Context()); err != nil || r.refreshes() != 1 {
			t.Fatalf("got %v after %d refreshes", err, r.refreshes())
		}
	})
	t.Run("254_older_answer_does_not_overwrite", func(t *testing.T) {
		r := setup(t, func(c *oidctest.Config) { c.KeepRefreshTokens = true })
		g := r.mustLogin()
		old, _ := g.Tokens(t.Context())
		r.expire()
		// The first refresh has its answer and stands still; its hold runs out,
		// and another process refreshes meanwhile.
		arrived, goOn := make(chan struct{}), make(chan struct{})
		var first atomic.Bool
		r.wire.set(nil, func(*http.Request) error {
			if first.CompareAndSwap(false, true) {
				close(arrived)
				<-goOn
			}
			return nil
		})
		slow := make(chan *oidc.Tokens)
		go func() {
			tok, err := g.Tokens(context.Background())
			if err != nil {
				t.Error(err)
			}
			slow <- tok
		}()
		<-arrived
		r.op.Advance(time.Minute)
		newer, err := r.newRP(nil).Tokens(t.Context(), g.State())
		if err != nil {
			t.Fatal(err)
		}
		close(goOn)
		if tok := <-slow; tok.AccessToken != newer.AccessToken || tok.AccessToken == old.AccessToken {
			t.Error("the older answer was handed out")
		}
		if tok, err := r.rp.Tokens(t.Context(), g.State()); err != nil || tok.AccessToken != newer.AccessToken {
			t.Errorf("the older answer overwrote the newer: %v", err)
		}
	})
	t.Run("317_stopped_at_each_step_of_a_refresh", func(t *testing.T) {
		for _, grace := range []time.Duration{0, 5 * time.Minute} {
			for step := 0; ; step++ {
				if !stoppedRefresh(t, step, grace) {
					if step < 8 {
						t.Fatalf("only %d steps were stopped", step)
					}
					break
				}
			}
		}
	})
}

// stoppedRefresh stops the process at one step of a refresh. After its hold has
// run out another process has fresh tokens; without the OP's grace the grant may
// be over instead, told as such.
func stoppedRefresh(t *testing.T, step int, grace time.Duration) bool {
	r := setup(t, func(c *oidctest.Config) { c.RefreshGrace = grace })
	g := r.mustLogin()
	subject := g.Subject()
	r.expire()
	s := newStop(r, step)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = g.Tokens(context.Background())
	}()
	stopped := s.wait(done)
	r.op.Advance(46 * time.Second)
	next := &rig{t: t, op: r.op, opts: r.opts, client: s.client, mem: r.mem, store: &faulty{Store: r.mem}, key: r.key}
	next.rp = next.newRP(nil)
	tok, err := next.rp.Tokens(t.Context(), g.State())
	switch {
	case err == nil:
		if !tok.Valid(r.op.Now(), 0) || tok.IDToken.Subject != subject {
			t.Errorf("step %d: got %v", step, tok)
		}
		if ui, err := next.rp.UserInfo(t.Context(), g.State()); err != nil || ui.Subject != subject {
			t.Errorf("step %d: got %v, %v", step, ui, err)
		}
	case grace > 0 || !errors.Is(err, rp.GrantEnded):
		t.Errorf("step %d: %v", step, err)
	}
	s.release()
	t.Cleanup(func() { <-done }) // what it still tries and waits for, all steps at once
	return stopped
}

// sameTokens asks n times at once, spread over the processes, and tells how many
// different access tokens came.
func sameTokens(t *testing.T, processes []*rp.RP, state string, n int) int {
	t.Helper()
	var mu sync.Mutex
	seen := make(map[string]bool)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			tok, err := processes[i%len(processes)].Tokens(t.Context(), state)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			seen[tok.AccessToken] = true
			mu.Unlock()
		})
	}
	wg.Wait()
	return len(seen)
}

// loseResponses lets the next n answers of the OP be lost on their way.
func (r *rig) loseResponses(n int64) {
	left := new(atomic.Int64)
	left.Store(n)
	r.wire.set(nil, func(*http.Request) error {
		if left.Add(-1) >= 0 {
			return errors.New("connection reset by peer")
		}
		return nil
	})
}

// lagging is a store with a cache that is late for a number of Loads.
type lagging struct {
	store.Store
	lag atomic.Int64

	mu   sync.Mutex
	seen map[string]store.Record
}

func (l *lagging) Load(ctx context.Context, key string) (store.Record, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if old, ok := l.seen[key]; ok && l.lag.Add(-1) >= 0 {
		return old, nil
	}
	r, err := l.Store.Load(ctx, key)
	if err == nil {
		l.seen[key] = r
	}
	return r, err
}

func TestRefreshForced(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	old, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tok, err := g.Refresh(t.Context())
	if err != nil || tok.AccessToken == old.AccessToken || r.refreshes() != 1 {
		t.Fatalf("got %v, %v", tok, err)
	}
	now, err := r.newRP(nil).Tokens(t.Context(), g.State())
	if err != nil || now.AccessToken != tok.AccessToken {
		t.Fatalf("another process has %v, %v", now, err)
	}
}

func TestRefreshBeforeTheEnd(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.op.Advance(10*time.Minute - 31*time.Second)
	if _, err := g.Tokens(t.Context()); err != nil || r.refreshes() != 0 {
		t.Fatalf("31 s before the end: %v, %d refreshes", err, r.refreshes())
	}
	r.op.Advance(2 * time.Second)
	if _, err := g.Tokens(t.Context()); err != nil || r.refreshes() != 1 {
		t.Fatalf("29 s before the end: %v, %d refreshes", err, r.refreshes())
	}
}

// TestRefreshShortLives: a margin as long as the life of a token would renew it
// at every call.
func TestRefreshShortLives(t *testing.T) {
	r := setup(t, func(c *oidctest.Config) { c.AccessTokenLifetime = 20 * time.Second })
	g := r.mustLogin()
	for range 5 {
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := r.refreshes(); n != 0 {
		t.Fatalf("%d refreshes of a token that is new", n)
	}
}

// TestRefreshOutlivesItsCaller: who asked first has left, the token is saved.
func TestRefreshOutlivesItsCaller(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	arrived, goOn := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	r.wire.set(nil, func(*http.Request) error {
		if held.CompareAndSwap(false, true) {
			close(arrived)
			<-goOn
		}
		return nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	first := make(chan error)
	go func() {
		_, err := g.Tokens(ctx)
		first <- err
	}()
	<-arrived
	cancel()
	want(t, <-first, context.Canceled)
	second := make(chan error)
	go func() {
		_, err := r.rp.Tokens(t.Context(), g.State())
		second <- err
	}()
	close(goOn)
	if err := <-second; err != nil {
		t.Fatal(err)
	}
	if n := r.refreshes(); n != 1 {
		t.Fatalf("%d refreshes", n)
	}
}

// TestUserInfoRenewsARefusedToken: the OP ended a token before its time.
func TestUserInfoRenewsARefusedToken(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	tok, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.client.Revoke(t.Context(), tok.AccessToken, "access_token"); err != nil {
		t.Fatal(err)
	}
	if _, err := g.UserInfo(t.Context()); err != nil || r.refreshes() != 1 {
		t.Fatalf("got %v after %d refreshes", err, r.refreshes())
	}
}

func TestAuthorize(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.expire()
	q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Authorize(t.Context(), q); err != nil {
		t.Fatal(err)
	}
	tok, err := g.Tokens(t.Context())
	if err != nil || q.Header.Get("Authorization") != "Bearer "+tok.AccessToken || r.refreshes() != 1 {
		t.Fatalf("got %v", err)
	}
}

// TestOPDownAfterRestart: who is logged in is known, and the tokens that live are
// usable, while the OP cannot be reached at all.
func TestOPDownAfterRestart(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.wire.set(func(*http.Request) error { return errors.New("connection refused") }, nil)
	p := r.newRP(func(c *rp.Config) {
		c.Directory = rp.Configured(r.op.Issuer, r.opts, oidc.ClientConfig{ID: r.client.ID(), Secret: "x", Metadata: r.client.Metadata()})
	})
	again, err := p.Grant(t.Context(), g.State())
	if err != nil || again.Subject() != g.Subject() || again.IDToken().Subject != g.Subject() {
		t.Fatalf("got %v, %v", again, err)
	}
	if _, err := again.Tokens(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.expire()
	if _, err := again.Tokens(t.Context()); !errors.Is(err, oidc.Unreachable) {
		t.Fatalf("got %v", err)
	}
	if _, err := p.Grant(t.Context(), g.State()); err != nil {
		t.Fatalf("the grant is over: %v", err)
	}
}

// brittle is a directory of the application's own, with a fault in it.
type brittle struct {
	rp.Directory
	broken atomic.Bool
}

func (d *brittle) Client(ctx context.Context, issuer string) (*oidc.Client, error) {
	if d.broken.Load() {
		panic("a fault of the application")
	}
	return d.Directory.Client(ctx, issuer)
}

// TestRefreshHandsPanicsOn: a hook that panics does so in the goroutine of who
// asked, where a server recovers, and the next call asks again.
func TestRefreshHandsPanicsOn(t *testing.T) {
	r := setup(t)
	d := &brittle{Directory: rp.Only(r.client)}
	r.rp = r.newRP(func(c *rp.Config) { c.Directory = d })
	g := r.mustLogin()
	r.expire()
	d.broken.Store(true)
	func() {
		defer func() {
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "a fault of the application") {
				t.Errorf("recovered %v", v)
			}
		}()
		_, err := g.Tokens(t.Context())
		t.Errorf("returned %v", err)
	}()
	d.broken.Store(false)
	if _, err := g.Tokens(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestRevocationOutlivesPanics: nobody waits for the revocation of what is given up,
// so that nobody could recover from a hook that panics in it.
func TestRevocationOutlivesPanics(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	r.store.set(func(_ context.Context, op, key string) error {
		if op == "create" && store.Class(key) == "grant" {
			return errDown
		}
		return nil
	}, nil)
	var asked atomic.Bool
	r.wire.set(func(q *http.Request) error {
		if q.URL.String() == r.op.URL(oidctest.EndpointRevocation) {
			asked.Store(true)
			panic("a fault of the application")
		}
		return nil
	}, nil)
	_, err := r.rp.Finish(t.Context(), a, here(state))
	want(t, err, rp.StoreUnavailable)
	if err := r.rp.Close(); err != nil || !asked.Load() {
		t.Errorf("got %v, asked %v", err, asked.Load())
	}
}

// TestRefreshGivesTheSameAccessToken: some OPs give the access token that they gave
// before, as long as it lives, with what is left of its life or without a word of it.
func TestRefreshGivesTheSameAccessToken(t *testing.T) {
	for _, c := range []struct {
		name     string
		lifetime any           // expires_in; nil is none
		want     time.Duration // from now on
	}{
		{"new_expiry", 1200, 20 * time.Minute},
		{"no_expiry", nil, 6 * time.Minute},
	} {
		for _, keep := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s_rotated_%t", c.name, !keep), func(t *testing.T) {
				r := setup(t, func(c *oidctest.Config) { c.KeepRefreshTokens = keep })
				g := r.mustLogin()
				old, err := g.Tokens(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				r.op.TamperTokenResponse(func(m map[string]any) {
					m["access_token"] = old.AccessToken
					delete(m, "id_token")
					delete(m, "expires_in")
					if c.lifetime != nil {
						m["expires_in"] = c.lifetime
					}
				})
				r.op.Advance(4 * time.Minute) // of ten
				other, err := r.newRP(nil).Grant(t.Context(), g.State())
				if err != nil {
					t.Fatal(err)
				}
				tok, err := g.Refresh(t.Context())
				if err != nil || tok.AccessToken != old.AccessToken || r.refreshes() != 1 {
					t.Fatalf("got %v, %v after %d refreshes", tok, err, r.refreshes())
				}
				if left := tok.Expiry.Sub(r.op.Now()).Round(time.Second); left != c.want {
					t.Errorf("it lives for %v, want %v", left, c.want)
				}
				// A process that began with what was there before asks for its own, and gets it.
				if _, err := other.Refresh(t.Context()); err != nil || r.refreshes() != 2 {
					t.Errorf("another process: %v after %d refreshes", err, r.refreshes())
				}
			})
		}
	}
}
