package rp_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

// count is how many records of a class the store holds, and how many it has
// forgotten for want of room.
func (r *rig) count(class string) (held int64, evicted uint64) {
	for _, s := range r.mem.Stats() {
		if s.Class == class {
			return s.Records, s.Evicted
		}
	}
	return 0, 0
}

func TestHostileLogin(t *testing.T) {
	t.Run("085_state_anew_for_each_login", func(t *testing.T) {
		r := setup(t)
		seen := make(map[string]bool)
		for range 100 {
			req, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			p := req.Pending
			for _, s := range []string{p.State, p.Nonce, p.Verifier} {
				if len(s) < 22 || seen[s] {
					t.Fatalf("%d characters, or seen before", len(s))
				}
				seen[s] = true
			}
		}
	})
	t.Run("089_flood_of_logins_is_bounded", func(t *testing.T) {
		r := setup(t)
		r.mem.MaxRecords = 500
		g := r.mustLogin()
		for range 5000 {
			if _, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); err != nil {
				t.Fatal(err)
			}
		}
		if held, evicted := r.count("pending"); held > 500 || evicted < 4000 {
			t.Errorf("%d logins held, %d evicted", held, evicted)
		}
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Errorf("the flood displaced a user: %v", err)
		}
	})
	t.Run("090_concurrent_logins_share_nothing", func(t *testing.T) {
		r := setup(t)
		var wg sync.WaitGroup
		var mu sync.Mutex
		subjects := make(map[string]int)
		for i := range 24 {
			user := []string{"alice", "bob", "dan"}[i%3]
			wg.Go(func() {
				req, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{LoginHint: user})
				if err != nil {
					t.Error(err)
					return
				}
				cb, err := r.op.Browser().Login(t.Context(), req.URL())
				if err != nil {
					t.Error(err)
					return
				}
				a, err := oidc.ReadAuthResponse(cb.Request())
				if err != nil {
					t.Error(err)
					return
				}
				g, err := r.rp.Finish(t.Context(), a, here(req.Pending.State))
				if err != nil {
					t.Error(err)
					return
				}
				ui, err := g.UserInfo(t.Context())
				if err != nil || ui.Subject != g.Subject() {
					t.Errorf("got %v, %v", ui, err)
				}
				mu.Lock()
				subjects[g.Subject()]++
				mu.Unlock()
			})
		}
		wg.Wait()
		if len(subjects) != 3 {
			t.Errorf("got %v", subjects)
		}
		for s, n := range subjects {
			if n != 8 {
				t.Errorf("%s: %d logins, want 8", s, n)
			}
		}
	})
	for _, c := range []struct {
		name   string
		change func(r *rig, q url.Values, at *rp.Arrival)
		want   error
	}{
		{"096_state_missing", func(_ *rig, q url.Values, _ *rp.Arrival) { q.Del("state") }, oidc.BadState},
		{"097_state_wrong", func(_ *rig, q url.Values, _ *rp.Arrival) { q.Set("state", "x"+q.Get("state")[1:]+"y") }, rp.UnknownState},
		{"098_other_browser_without_session", func(_ *rig, _ url.Values, at *rp.Arrival) { at.Binding = "" }, rp.WrongBrowser},
		{"098_other_browser_with_a_login_of_its_own", func(r *rig, _ url.Values, at *rp.Arrival) {
			at.Binding, _ = r.begin()
			r.op.ClearLog()
		}, rp.WrongBrowser},
		{"099_response_issuer_differs", func(_ *rig, q url.Values, _ *rp.Arrival) { q.Set("iss", "https://attacker.example") }, oidc.BadResponseIssuer},
		{"100_response_issuer_missing", func(_ *rig, q url.Values, _ *rp.Arrival) { q.Del("iss") }, oidc.BadResponseIssuer},
		{"101_callback_of_another_op", func(_ *rig, _ url.Values, at *rp.Arrival) { at.RedirectURI = "https://rp.example/callback-of-b" }, rp.WrongRedirectURI},
		{"121_callback_on_another_scheme", func(_ *rig, _ url.Values, at *rp.Arrival) { at.RedirectURI = "http://rp.example/callback" }, rp.WrongRedirectURI},
		{"121_callback_on_another_host", func(_ *rig, _ url.Values, at *rp.Arrival) { at.RedirectURI = "https://rp.example.evil/callback" }, rp.WrongRedirectURI},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			req, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			cb, err := r.op.Browser().Login(t.Context(), req.URL())
			if err != nil {
				t.Fatal(err)
			}
			r.op.ClearLog()
			q, at := cb.Params(), here(req.Pending.State)
			c.change(r, q, &at)
			a, err := oidc.ReadAuthQuery(q.Encode())
			if err != nil {
				t.Fatal(err)
			}
			_, err = r.rp.Finish(t.Context(), a, at)
			want(t, err, c.want)
			noCall(t, r.op, oidctest.EndpointToken)
			_, err = r.rp.Grant(t.Context(), req.Pending.State)
			want(t, err, rp.GrantEnded)
		})
	}
	t.Run("098_refusal_leaves_the_login_to_its_browser", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		_, err := r.rp.Finish(t.Context(), a, rp.Arrival{Binding: "guess", RedirectURI: redirectURI})
		want(t, err, rp.WrongBrowser)
		if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("098_binding_of_the_applications_choice", func(t *testing.T) {
		r := setup(t)
		r.login.Binding = "cookie-value"
		state, a := r.begin()
		_, err := r.rp.Finish(t.Context(), a, here(state))
		want(t, err, rp.WrongBrowser)
		if _, err := r.rp.Finish(t.Context(), a, here("cookie-value")); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("101_redirect_uri_needed_with_several_ops", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		if _, err := r.rp.Finish(t.Context(), a, rp.Arrival{Binding: state}); err != nil {
			t.Fatalf("one OP: %v", err)
		}
		r.rp = r.newRP(func(c *rp.Config) { c.Directory = rp.Each(rp.Only(r.client), r.dynamic()) })
		state, a = r.begin()
		_, err := r.rp.Finish(t.Context(), a, rp.Arrival{Binding: state})
		want(t, err, rp.WrongRedirectURI)
	})
	t.Run("101_two_ops_must_not_share_a_redirect_uri", func(t *testing.T) {
		r := setup(t)
		_, err := rp.New(rp.Config{Store: r.store, Directory: rp.Each(rp.Only(r.client),
			rp.Configured("https://b.example", nil, oidc.ClientConfig{ID: "b", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}))})
		want(t, err, rp.BadConfig)
	})
	t.Run("110_same_callback_twice", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
			t.Fatal(err)
		}
		r.op.ClearLog()
		_, err := r.rp.Finish(t.Context(), a, here(state))
		want(t, err, rp.UnknownState)
		noCall(t, r.op, oidctest.EndpointToken)
		if _, err := r.rp.Tokens(t.Context(), state); err != nil {
			t.Errorf("the repetition harmed the grant: %v", err)
		}
	})
	for _, n := range []int{10, 10000} {
		t.Run(fmt.Sprintf("111_%d_callbacks_on_one_state", n), func(t *testing.T) {
			r := setup(t)
			state, a := r.begin()
			r.op.ClearLog()
			others := []*rp.RP{r.rp, r.newRP(nil), r.newRP(nil)}
			var wg sync.WaitGroup
			var won atomic.Int64
			for i := range n {
				wg.Go(func() {
					_, err := others[i%len(others)].Finish(t.Context(), a, here(state))
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, rp.UnknownState):
						t.Errorf("got %v", err)
					}
				})
			}
			wg.Wait()
			if won.Load() != 1 || len(r.op.Requests(oidctest.EndpointToken)) != 1 {
				t.Errorf("%d logins and %d exchanges, want one", won.Load(), len(r.op.Requests(oidctest.EndpointToken)))
			}
			if held, _ := r.count("grant"); held != 1 {
				t.Errorf("%d grants", held)
			}
		})
	}
	t.Run("112_two_tabs", func(t *testing.T) {
		r := setup(t)
		r.login.Binding = "one browser"
		_, first := r.begin()
		_, second := r.begin()
		for _, a := range []oidc.AuthResponse{second, first} {
			if _, err := r.rp.Finish(t.Context(), a, here("one browser")); err != nil {
				t.Fatal(err)
			}
		}
	})
	for _, c := range []struct {
		name  string
		after time.Duration
		want  error
	}{
		{"114_late", 11 * time.Minute, rp.LoginExpired},
		{"114_long_over", time.Hour, rp.UnknownState},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			r.rp = r.newRP(func(c *rp.Config) { c.LoginLifetime = 10 * time.Minute })
			state, a := r.begin()
			r.op.Advance(c.after)
			r.op.ClearLog()
			_, err := r.rp.Finish(t.Context(), a, here(state))
			want(t, err, c.want)
			noCall(t, r.op, oidctest.EndpointToken)
		})
	}
	t.Run("124_crash_between_exchange_and_session", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		r.store.set(func(_ context.Context, op, key string) error {
			if op == "create" && store.Class(key) == "grant" {
				return errDown
			}
			return nil
		}, nil)
		_, err := r.rp.Finish(t.Context(), a, here(state))
		want(t, err, rp.StoreUnavailable)
		r.store.up()
		_, err = r.rp.Grant(t.Context(), state)
		want(t, err, rp.GrantEnded) // no half session
		_, err = r.rp.Finish(t.Context(), a, here(state))
		want(t, err, rp.UnknownState)
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("the code was sent %d times", n)
		}
		if err := r.rp.Close(); err != nil {
			t.Fatal(err)
		}
		if n := len(r.op.Requests(oidctest.EndpointRevocation)); n == 0 {
			t.Error("tokens that nobody has were not revoked")
		}
		r.rp = r.newRP(nil)
		r.mustLogin() // the user begins anew
	})
	t.Run("125_another_user_gets_another_grant", func(t *testing.T) {
		r := setup(t)
		r.params.LoginHint = "bob"
		bob := r.mustLogin()
		r.params.LoginHint = "alice"
		alice := r.mustLogin()
		if bob.State() == alice.State() || bob.Subject() == alice.Subject() {
			t.Fatal("one grant for two users")
		}
		if err := bob.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := r.rp.Grant(t.Context(), bob.State())
		want(t, err, rp.GrantEnded)
		if _, err := alice.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("317_stopped_at_each_step_of_a_login", func(t *testing.T) {
		for step := 0; ; step++ {
			if !stoppedLogin(t, step) {
				if step < 5 {
					t.Fatalf("only %d steps were stopped", step)
				}
				break
			}
		}
	})
}

// stoppedLogin stops the process at one step of Finish: the store and the OP are
// never reached again. Another process then has a grant that is whole, or none,
// and the user can begin anew. It reports whether there was such a step.
func stoppedLogin(t *testing.T, step int) bool {
	r := setup(t)
	state, a := r.begin()
	s := newStop(r, step)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.rp.Finish(context.Background(), a, here(state))
	}()
	stopped := s.wait(done)
	next := &rig{t: t, op: r.op, opts: r.opts, client: s.client, mem: r.mem, store: &faulty{Store: r.mem}, key: r.key}
	next.rp = next.newRP(nil)
	g, err := next.rp.Grant(t.Context(), state)
	switch {
	case err == nil:
		if _, err := g.UserInfo(t.Context()); err != nil {
			t.Errorf("step %d: half a grant: %v", step, err)
		}
	case !errors.Is(err, rp.GrantEnded):
		t.Errorf("step %d: %v", step, err)
	}
	if _, err := next.rp.Finish(t.Context(), a, here(state)); err != nil && !errors.Is(err, rp.UnknownState) {
		if op, ok := asOPError(err); !ok || op.Code != "invalid_grant" {
			t.Errorf("step %d: %v", step, err)
		}
	}
	next.mustLogin()
	s.release()
	t.Cleanup(func() { <-done }) // what it still tries and waits for, all steps at once
	return stopped
}
