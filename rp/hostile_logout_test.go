package rp_test

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

// loginWith logs a user in with a sid of the test's choice; "" for none.
func (r *rig) loginWith(user, sid string) *rp.Grant {
	r.t.Helper()
	r.op.TamperIDToken(sidOf(sid))
	r.params.LoginHint = user
	return r.mustLogin()
}

func sidOf(sid string) func(_, claims map[string]any) {
	return func(_, claims map[string]any) {
		delete(claims, "sid")
		if sid != "" {
			claims["sid"] = sid
		}
	}
}

func TestHostileLogout(t *testing.T) {
	t.Run("265_whom_a_logout_concerns", func(t *testing.T) {
		for _, c := range []struct {
			name         string
			subject, sid bool
			issuer       string
			ended        []bool // alice 1, alice 2, alice without sid, bob
		}{
			{"subject_alone", true, false, "", []bool{true, true, true, false}},
			{"sid_alone", false, true, "", []bool{true, false, false, false}},
			{"both", true, true, "", []bool{true, false, true, false}},
			{"another_issuer", true, true, "https://attacker.example", []bool{false, false, false, false}},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := setup(t)
				grants := []*rp.Grant{r.loginWith("alice", "one"), r.loginWith("alice", "two"), r.loginWith("alice", ""), r.loginWith("bob", "three")}
				issuer, subject, sid, total := r.op.Issuer, "", "", 0
				if c.issuer != "" {
					issuer = c.issuer
				}
				if c.subject {
					subject = grants[0].Subject()
				}
				if c.sid {
					sid = "one"
				}
				n, err := r.rp.End(t.Context(), issuer, subject, sid)
				if err != nil {
					t.Fatal(err)
				}
				for i, ended := range c.ended {
					_, err := r.rp.Grant(t.Context(), grants[i].State())
					if ended {
						total++
					}
					if errors.Is(err, rp.GrantEnded) != ended {
						t.Errorf("grant %d: got %v", i, err)
					}
					if _, err := grants[i].Tokens(t.Context()); errors.Is(err, rp.GrantEnded) != ended {
						t.Errorf("grant %d that somebody holds: got %v", i, err)
					}
				}
				if n != total {
					t.Errorf("%d ended, told %d", total, n)
				}
			})
		}
	})
	t.Run("265_neither_subject_nor_sid", func(t *testing.T) {
		r := setup(t)
		_, err := r.rp.End(t.Context(), r.op.Issuer, "", "")
		want(t, err, rp.BadConfig)
		_, err = r.rp.End(t.Context(), "", "alice", "")
		want(t, err, rp.BadConfig)
	})
	t.Run("265_after_a_key_rotation", func(t *testing.T) {
		r := setup(t)
		g := r.loginWith("alice", "one")
		newer := r.newRP(func(c *rp.Config) { c.Keys = [][]byte{make([]byte, 32), r.key} })
		if n, err := newer.End(t.Context(), g.Issuer(), g.Subject(), ""); n != 1 || err != nil {
			t.Fatalf("ended %d, %v", n, err)
		}
	})
	for _, c := range []struct {
		name         string
		subject, sid bool
		loginSID     string
	}{
		{"266_logout_by_subject_before_the_session", true, false, "one"},
		{"266_logout_by_sid_before_the_session", false, true, "one"},
		{"266_logout_by_both_before_the_session", true, true, "one"},
		{"266_logout_by_both_before_a_session_without_sid", true, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := setup(t)
			subject := r.loginWith("alice", "").Subject()
			r.op.Advance(time.Second)
			r.op.TamperIDToken(sidOf(c.loginSID))
			state, a := r.begin()
			r.op.Advance(time.Second)
			// The logout arrives when the code is spent and the grant not written.
			var fired atomic.Bool
			other := r.newRP(nil)
			r.store.set(func(_ context.Context, op, key string) error {
				if op == "create" && store.Class(key) == "grant" && fired.CompareAndSwap(false, true) {
					sub, sid := "", ""
					if c.subject {
						sub = subject
					}
					if c.sid {
						sid = "one"
					}
					if _, err := other.End(context.Background(), r.op.Issuer, sub, sid); err != nil {
						t.Error(err)
					}
				}
				return nil
			}, nil)
			_, err := r.rp.Finish(t.Context(), a, here(state))
			want(t, err, rp.LoggedOut)
			_, err = r.rp.Grant(t.Context(), state)
			want(t, err, rp.GrantEnded)
			// A login that is begun afterwards is another one.
			r.op.Advance(time.Second)
			r.mustLogin()
		})
	}
	t.Run("266_logout_of_somebody_else", func(t *testing.T) {
		r := setup(t)
		state, a := r.begin()
		r.op.Advance(time.Second)
		if _, err := r.rp.End(t.Context(), r.op.Issuer, "somebody-else", "another-session"); err != nil {
			t.Fatal(err)
		}
		if _, err := r.rp.Finish(t.Context(), a, here(state)); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("267_store_down_is_told", func(t *testing.T) {
		for _, failing := range []string{"create", "tagged", "take"} {
			t.Run(failing, func(t *testing.T) {
				r := setup(t)
				g := r.loginWith("alice", "one")
				r.store.set(func(_ context.Context, op, _ string) error {
					if op == failing {
						return errDown
					}
					return nil
				}, nil)
				_, err := r.rp.End(t.Context(), g.Issuer(), g.Subject(), "")
				want(t, err, rp.StoreUnavailable)
				r.store.up()
				if n, err := r.rp.End(t.Context(), g.Issuer(), g.Subject(), ""); n != 1 || err != nil {
					t.Errorf("repeated: ended %d, %v", n, err)
				}
			})
		}
	})
	t.Run("293_logout_during_a_refresh_wins", func(t *testing.T) {
		for _, how := range []string{"end_of_the_grant", "end_of_the_user", "revoke"} {
			t.Run(how, func(t *testing.T) {
				r := setup(t)
				g := r.mustLogin()
				r.expire()
				other := r.newRP(nil)
				var fired atomic.Bool
				r.wire.set(nil, func(*http.Request) error {
					if !fired.CompareAndSwap(false, true) {
						return nil
					}
					h, err := other.Grant(context.Background(), g.State())
					if err != nil {
						t.Error(err)
						return nil
					}
					switch how {
					case "end_of_the_grant":
						err = h.End(context.Background())
					case "revoke":
						err = h.Revoke(context.Background())
					default:
						_, err = other.End(context.Background(), g.Issuer(), g.Subject(), "")
					}
					if err != nil {
						t.Error(err)
					}
					return nil
				})
				_, err := g.Tokens(t.Context())
				want(t, err, rp.GrantEnded)
				_, err = r.rp.Grant(t.Context(), g.State())
				want(t, err, rp.GrantEnded)
				if held, _ := r.count("grant"); held != 0 {
					t.Error("the refresh revived the grant")
				}
				if err := r.rp.Close(); err != nil {
					t.Fatal(err)
				}
				if n := len(r.op.Requests(oidctest.EndpointRevocation)); n == 0 {
					t.Error("the tokens that came too late were not revoked")
				}
			})
		}
	})
}

func TestRevoke(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	tok, err := g.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Revoke(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = r.rp.Grant(t.Context(), g.State())
	want(t, err, rp.GrantEnded)
	if _, err := r.client.UserInfo(t.Context(), tok); err == nil {
		t.Error("the OP still takes the token")
	}
	if err := g.Revoke(t.Context()); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// TestRevokeOPDown: the grant ends here whatever the OP does (hostile catalogue
// case 273).
func TestRevokeOPDown(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	r.wire.set(func(*http.Request) error { return errors.New("connection refused") }, nil)
	want(t, g.Revoke(t.Context()), oidc.Unreachable)
	_, err := r.rp.Grant(t.Context(), g.State())
	want(t, err, rp.GrantEnded)
}

func TestEndOfGrantLifetime(t *testing.T) {
	r := setup(t)
	r.rp = r.newRP(func(c *rp.Config) { c.GrantLifetime = time.Hour })
	g := r.mustLogin()
	for range 5 {
		r.expire()
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	r.op.Advance(6 * time.Minute)
	_, err := g.Tokens(t.Context())
	want(t, err, rp.GrantEnded)
	// By our clock too, if the store's is late.
	g = r.mustLogin()
	late := r.newRP(func(c *rp.Config) { c.Now = func() time.Time { return r.op.Now().Add(61 * time.Minute) } })
	_, err = late.Grant(t.Context(), g.State())
	want(t, err, rp.GrantEnded)
}

// TestLoggedOut: who keeps a session beside a grant is told of a logout that came
// before the session was kept, by which process ever.
func TestLoggedOut(t *testing.T) {
	r := setup(t)
	state, a := r.begin()
	r.op.Advance(time.Second)
	g, err := r.rp.Finish(t.Context(), a, here(state))
	if err != nil {
		t.Fatal(err)
	}
	found, err := r.rp.Grant(t.Context(), state)
	if err != nil {
		t.Fatal(err)
	}
	both := func(want bool) {
		t.Helper()
		for _, one := range []*rp.Grant{g, found} {
			if out, err := one.LoggedOut(t.Context()); out != want || err != nil {
				t.Errorf("logged out: %v, %v", out, err)
			}
		}
	}
	both(false)
	r.op.Advance(time.Second)
	if _, err := r.newRP(nil).End(t.Context(), g.Issuer(), g.Subject(), ""); err != nil {
		t.Fatal(err)
	}
	both(true)
	r.store.down()
	_, err = g.LoggedOut(t.Context())
	want(t, err, rp.StoreUnavailable)
	// A clock that is behind notes the logout as if it were before the login was
	// finished, and after it was begun.
	r = setup(t)
	state, a = r.begin()
	r.op.Advance(20 * time.Second)
	if g, err = r.rp.Finish(t.Context(), a, here(state)); err != nil {
		t.Fatal(err)
	}
	behind := r.newRP(func(c *rp.Config) { c.Now = func() time.Time { return r.op.Now().Add(-10 * time.Second) } })
	if _, err := behind.End(t.Context(), g.Issuer(), g.Subject(), ""); err != nil {
		t.Fatal(err)
	}
	if out, err := g.LoggedOut(t.Context()); !out || err != nil {
		t.Errorf("logged out: %v, %v", out, err)
	}
}
