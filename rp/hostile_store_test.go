package rp_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

func TestHostileStore(t *testing.T) {
	t.Run("279_a_pending_login_is_no_grant", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		g := r.mustLogin()
		// Whoever writes to the store puts the sealed login where a grant is looked
		// for, and one user's grant in the place of another's.
		for _, from := range []string{"pending:", "grant:"} {
			value := r.rawValue(t, from)
			r.store.change = func(key string, v []byte) []byte { return value }
			if from == "grant:" {
				_, err := r.rp.Finish(t.Context(), a, here(state))
				want(t, err, rp.BadRecord)
				continue
			}
			_, err := r.newRP(nil).Grant(t.Context(), g.State())
			want(t, err, rp.BadRecord)
		}
	})
	t.Run("279_one_users_grant_in_the_place_of_another", func(t *testing.T) {
		r := setup(t)
		r.params.LoginHint = "bob"
		r.mustLogin()
		value := r.rawValue(t, "grant:")
		r.params.LoginHint = "alice"
		g := r.mustLogin()
		r.store.change = func(string, []byte) []byte { return value }
		_, err := r.newRP(nil).Grant(t.Context(), g.State())
		want(t, err, rp.BadRecord)
	})
	t.Run("280_equal_logins_look_different", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		first := r.rawValue(t, "grant:")
		r.expire()
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
		second := r.rawValue(t, "grant:")
		if bytes.Equal(first[5:17], second[5:17]) {
			t.Error("a nonce was used twice")
		}
	})
	t.Run("281_key_rotation", func(t *testing.T) {
		r := setup(t)
		old := r.mustLogin()
		newKey := bytes.Repeat([]byte{8}, 32)
		both := r.newRP(func(c *rp.Config) { c.Keys = [][]byte{newKey, r.key} })
		if _, err := both.Tokens(t.Context(), old.State()); err != nil {
			t.Errorf("sealed with the old key: %v", err)
		}
		r.expire()
		if _, err := both.Tokens(t.Context(), old.State()); err != nil {
			t.Errorf("refreshed: %v", err)
		}
		only := r.newRP(func(c *rp.Config) { c.Keys = [][]byte{newKey} })
		if _, err := only.Tokens(t.Context(), old.State()); err != nil {
			t.Errorf("sealed anew by the refresh: %v", err)
		}
		_, err := r.newRP(nil).Tokens(t.Context(), old.State())
		want(t, err, rp.BadRecord)
	})
	t.Run("281_short_key_is_refused", func(t *testing.T) {
		r := setup(t)
		_, err := rp.New(rp.Config{Directory: rp.Only(r.client), Store: r.store, Keys: [][]byte{make([]byte, 31)}})
		want(t, err, rp.BadConfig)
	})
	t.Run("281_without_keys_another_process_reads_nothing", func(t *testing.T) {
		r := setup(t)
		one := r.newRP(func(c *rp.Config) { c.Keys = nil })
		two := r.newRP(func(c *rp.Config) { c.Keys = nil })
		r.rp = one
		g := r.mustLogin()
		if _, err := one.Tokens(t.Context(), g.State()); err != nil {
			t.Fatal(err)
		}
		_, err := two.Tokens(t.Context(), g.State())
		want(t, err, rp.BadRecord)
	})
	t.Run("308_down_at_the_start_of_a_login", func(t *testing.T) {
		r := setup(t)
		r.store.down()
		req, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
		want(t, err, rp.StoreUnavailable)
		if req != nil {
			t.Error("there is a request that nobody can finish")
		}
		r.store.up()
		r.mustLogin()
	})
	for _, failing := range []string{"load", "take"} {
		t.Run("309_down_at_the_callback_"+failing, func(t *testing.T) {
			r := setup(t)
			state, a := r.begin()
			r.op.ClearLog()
			r.store.set(func(_ context.Context, op, _ string) error {
				if op == failing {
					return errDown
				}
				return nil
			}, nil)
			_, err := r.rp.Finish(t.Context(), a, here(state))
			want(t, err, rp.StoreUnavailable)
			noCall(t, r.op, oidctest.EndpointToken)
			r.store.up()
			if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
				t.Errorf("the login is not usable any more: %v", err)
			}
		})
	}
	t.Run("309_taken_though_the_store_said_no", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		r.op.ClearLog()
		var takes atomic.Int64
		r.store.set(nil, func(_ context.Context, op, _ string) error {
			if op == "take" && takes.Add(1) == 1 {
				return errDown
			}
			return nil
		})
		_, err := r.rp.Finish(t.Context(), a, here(state))
		want(t, err, rp.StoreUnavailable) // who has it cannot be said
		noCall(t, r.op, oidctest.EndpointToken)
	})
	t.Run("310_down_later", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.store.down()
		_, err := r.rp.Grant(t.Context(), g.State())
		want(t, err, rp.StoreUnavailable)
		if errors.Is(err, rp.GrantEnded) {
			t.Error("an outage is taken for the end")
		}
		_, err = g.Tokens(t.Context())
		want(t, err, rp.StoreUnavailable)
		want(t, g.End(t.Context()), rp.StoreUnavailable)
		want(t, g.Revoke(t.Context()), rp.StoreUnavailable)
		r.store.up()
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("311_slow", func(t *testing.T) {
		r := setup(t)
		g := r.mustLogin()
		r.store.set(func(ctx context.Context, _, _ string) error { <-ctx.Done(); return ctx.Err() }, nil)
		before := runtime.NumGoroutine()
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
			_, err := g.Tokens(ctx)
			want(t, err, context.DeadlineExceeded)
			_, err = r.rp.Start(ctx, r.op.Issuer, oidc.AuthParams{})
			want(t, err, context.DeadlineExceeded)
			cancel()
		}
		if n := runtime.NumGoroutine(); n > before+5 {
			t.Errorf("%d goroutines, before it were %d", n, before)
		}
	})
	for _, c := range []struct {
		name   string
		change func([]byte) []byte
	}{
		{"312_zero_length", func([]byte) []byte { return nil }},
		{"312_truncated", func(v []byte) []byte { return v[:len(v)/2] }},
		{"312_header_alone", func(v []byte) []byte { return v[:5] }},
		{"312_one_bit", func(v []byte) []byte { v[len(v)-20] ^= 1; return v }},
		{"312_another_version", func(v []byte) []byte { v[0]++; return v }},
		{"312_another_key", func(v []byte) []byte { v[1] ^= 1; return v }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			state, a := r.begin()
			victim, other := r.mustLogin(), r.mustLogin()
			bad := r.keyOf(t, victim)
			r.store.change = func(key string, v []byte) []byte {
				if key == bad || strings.HasPrefix(key, "pending:") {
					return c.change(slices.Clone(v))
				}
				return v
			}
			r.rp = r.newRP(nil)
			_, err := r.rp.Grant(t.Context(), victim.State())
			want(t, err, rp.BadRecord)
			_, err = r.rp.Finish(t.Context(), a, here(state))
			want(t, err, rp.BadRecord)
			if _, err := r.rp.Tokens(t.Context(), other.State()); err != nil {
				t.Errorf("another user: %v", err)
			}
		})
	}
	t.Run("313_first_call_of_a_dead_connection", func(t *testing.T) {
		r := setup(t)
		var n atomic.Int64
		r.store.set(func(context.Context, string, string) error {
			if n.Add(1)%2 == 1 {
				return errDown
			}
			return nil
		}, nil)
		g := r.mustLogin()
		r.expire()
		if _, err := r.rp.Tokens(t.Context(), g.State()); err != nil {
			t.Fatal(err)
		}
		if n, err := r.rp.End(t.Context(), g.Issuer(), g.Subject(), ""); err != nil || n != 1 {
			t.Fatalf("ended %d, %v", n, err)
		}
	})
	t.Run("313_answer_lost_after_each_write", func(t *testing.T) {
		r := setup(t)
		var n atomic.Int64
		r.store.set(nil, func(_ context.Context, op, _ string) error {
			if (op == "create" || op == "replace") && n.Add(1)%2 == 1 {
				return errDown
			}
			return nil
		})
		g := r.mustLogin()
		r.expire()
		if _, err := r.rp.Tokens(t.Context(), g.State()); err != nil || r.refreshes() != 1 {
			t.Fatalf("got %v after %d refreshes", err, r.refreshes())
		}
	})
	t.Run("314_two_instances_one_winner", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		r.op.ClearLog()
		results := make(chan error, 2)
		for _, p := range []*rp.RP{r.rp, r.newRP(nil)} {
			go func() {
				_, err := p.Finish(context.Background(), a, here(state))
				results <- err
			}()
		}
		one, two := <-results, <-results
		if (one == nil) == (two == nil) || len(r.op.Requests(oidctest.EndpointToken)) != 1 {
			t.Fatalf("got %v and %v", one, two)
		}
		want(t, errors.Join(one, two), rp.UnknownState)
	})
	t.Run("316_nothing_to_read_in_the_store", func(t *testing.T) {
		r := setup(t)
		r.params.Scopes = []string{"email"}
		r.login.Data = []byte("where-to-return-to")
		state, _ := r.begin()
		g := r.mustLogin()
		tok, err := g.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.rp.End(t.Context(), r.op.Issuer, "somebody", "session-of-somebody"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.dynamic().Client(t.Context(), r.op.Issuer); err != nil {
			t.Fatal(err)
		}
		secrets := []string{state, g.State(), tok.AccessToken, tok.RefreshToken, tok.IDToken.Raw(), g.Subject(), g.IDToken().Nonce, g.SessionID(),
			"where-to-return-to", "somebody", "session-of-somebody", r.op.Issuer, r.op.Clients()[1].Secret, r.op.Clients()[1].ID}
		n := 0
		r.eachRecord(t, func(rec store.Record) {
			n++
			all := rec.Key + " " + strings.Join(rec.Tags, " ") + " " + string(rec.Value)
			if contains(all, secrets...) {
				t.Errorf("%s… shows a secret", rec.Key[:12])
			}
			for _, s := range secrets {
				if s != "" && strings.Contains(all, base64.StdEncoding.EncodeToString([]byte(s))[:8]) {
					t.Errorf("%s… shows a secret in base64", rec.Key[:12])
				}
			}
		})
		if n < 4 {
			t.Errorf("only %d records were seen", n)
		}
	})
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(fmt.Sprintf("318_clock_off_by_%v", off), func(t *testing.T) {
			r := setup(t)
			g := r.mustLogin()
			wrong := r.newRP(func(c *rp.Config) { c.Now = func() time.Time { return r.op.Now().Add(off) } })
			if again, err := wrong.Grant(t.Context(), g.State()); err != nil || again.Subject() != g.Subject() {
				t.Fatalf("got %v, %v", again, err)
			}
			r.expire()
			for range 3 {
				for _, p := range []*rp.RP{wrong, r.rp} {
					if _, err := p.Tokens(t.Context(), g.State()); err != nil && !errors.Is(err, rp.RefreshFailed) {
						t.Errorf("got %v", err)
					}
				}
				r.op.Advance(time.Minute)
			}
			if _, err := g.Tokens(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestRedaction: nothing of this package prints a secret.
func TestRedaction(t *testing.T) {
	r := setup(t)
	r.login.Binding, r.login.Data = "binding-value", []byte("data-value")
	state, a := r.begin()
	at := here("binding-value")
	g, err := r.rp.Finish(t.Context(), a, at)
	if err != nil {
		t.Fatal(err)
	}
	tok, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cfg := rp.Config{Directory: rp.Only(r.client), Store: r.store, Keys: [][]byte{[]byte("key-key-key-key-key-key-key-key-")}}
	var b bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&b, nil))
	for _, v := range []any{g, cfg, r.login, at, r.rp, r.dynamic()} {
		fmt.Fprintf(&b, "%v %+v %#v %s\n", v, v, v, v)
		log.Info("x", "v", v)
	}
	for _, v := range []any{g, cfg} {
		j, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		b.Write(j)
	}
	if contains(b.String(), state, tok.AccessToken, tok.RefreshToken, tok.IDToken.Raw(), "binding-value", "data-value", "key-key", "107 101 121") {
		t.Errorf("a secret is printed:\n%s", b.String())
	}
}

// eachRecord looks at everything in the store.
func (r *rig) eachRecord(t *testing.T, f func(store.Record)) {
	t.Helper()
	for _, key := range r.store.made() {
		if rec, err := r.mem.Load(t.Context(), key); err == nil {
			f(rec)
		}
	}
}

// rawValue is the value of the last record whose key begins so.
func (r *rig) rawValue(t *testing.T, prefix string) []byte {
	t.Helper()
	var v []byte
	r.eachRecord(t, func(rec store.Record) {
		if strings.HasPrefix(rec.Key, prefix) {
			v = rec.Value
		}
	})
	if v == nil {
		t.Fatalf("no record under %s", prefix)
	}
	return v
}

// TestRecent: what is remembered is used while the store has it, and no longer.
func TestRecent(t *testing.T) {
	for _, n := range []int{-1, 1, 100} {
		r := setup(t)
		r.rp = r.newRP(func(c *rp.Config) { c.Remember = n })
		grants := []*rp.Grant{r.mustLogin(), r.mustLogin(), r.mustLogin()}
		other := r.newRP(nil)
		for _, g := range grants {
			if again, err := r.rp.Grant(t.Context(), g.State()); err != nil || again.Subject() != g.Subject() {
				t.Fatalf("got %v, %v", again, err)
			}
		}
		h, err := other.Grant(t.Context(), grants[0].State())
		if err != nil {
			t.Fatal(err)
		}
		fresh, err := h.Refresh(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if tok, err := r.rp.Tokens(t.Context(), h.State()); err != nil || tok.AccessToken != fresh.AccessToken {
			t.Errorf("after a refresh elsewhere: got %v, %v", tok, err)
		}
		if err := h.End(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err = r.rp.Tokens(t.Context(), h.State())
		want(t, err, rp.GrantEnded)
	}
}

// keyOf is the store key of a grant: the one that is loaded to find it.
func (r *rig) keyOf(t *testing.T, g *rp.Grant) string {
	t.Helper()
	var key string
	r.store.set(func(_ context.Context, _, k string) error { key = k; return nil }, nil)
	defer r.store.up()
	if _, err := r.rp.Grant(t.Context(), g.State()); err != nil {
		t.Fatal(err)
	}
	return key
}
