package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/internal/servers"
	"rely.example/oidctest"
	"rely.example/peers/visitor"
)

// points is at how many points a login, and a refresh, are cut off.
const points = 20

// TestHostileKill kills a process of the application, as kill -9 does, before or
// after each operation of its store and each exchange with the OP; another one
// takes over, with the same store. What happens then must lead to the login or to
// the session of the same user, and no code and no refresh token is used twice
// but by who inherits it.
func TestHostileKill(t *testing.T) {
	stores := map[string]func(t *testing.T) string{
		"sqlite": func(t *testing.T) string { return "sqlite:" + t.TempDir() + "/rely.db" },
		"redis": func(t *testing.T) string {
			return servers.For(t, func(ctx context.Context) (*servers.Server, error) {
				return servers.Redis(ctx, "--appendonly", "yes")
			}).URL()
		},
	}
	for name, open := range stores {
		t.Run(name, func(t *testing.T) {
			t.Run("317_login_at_20_points", func(t *testing.T) {
				r, died := newRig(t, open(t)), 0
				for n := int64(1); n <= points; n++ {
					died += r.killLogin(n)
				}
				if died < points-4 {
					t.Errorf("a process died at %d points, want about %d", died, points)
				}
			})
			t.Run("317_refresh_at_20_points", func(t *testing.T) {
				r, died := newRig(t, open(t)), 0
				for n := int64(1); n <= points; n++ {
					died += r.killRefresh(n)
				}
				if died < points-4 {
					t.Errorf("a process died at %d points, want about %d", died, points)
				}
			})
		})
	}
}

// rig is one process of the application at a time, and a user of it.
type rig struct {
	t     *testing.T
	w     *world
	v     *visitor.Visitor
	p     *process
	ahead time.Duration // of the clocks of OP and process
}

func newRig(t *testing.T, url string) *rig {
	t.Helper()
	w, stop, err := newWorld(plan{program: program(t), nodes: 1, tokenLife: 10 * time.Minute}, url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(stop)
	return &rig{t: t, w: w}
}

// begin has another user with another browser.
func (r *rig) begin(n int64) {
	r.t.Helper()
	u := newUser(r.w, &counts{}, fmt.Sprint("user", n))
	r.w.op.AddUser(oidctest.User{Username: u.name, Sub: u.sub})
	r.w.op.ClearLog()
	r.v = u.v
}

// next replaces the process by one that dies at a point, with the clocks moved on.
func (r *rig) next(dieAt int64, later time.Duration) {
	r.t.Helper()
	if r.p != nil {
		r.p.kill()
	}
	r.ahead += later
	r.w.op.Advance(later)
	p, err := r.w.start(0, func(c *nodeConfig) { c.DieAt, c.Ahead = dieAt, r.ahead })
	if err != nil {
		r.t.Fatal(err)
	}
	r.p = p
}

// dead reports whether a request was not answered since the process died of it.
func (r *rig) dead(p visitor.Page) bool { return p.Header.Get(proxyHeader) != "" }

func (r *rig) sub() string { return "sub-" + r.v.At.User }

// killLogin has a login cut off at the n-th point, and tells how many processes
// died of it: 1, or 0 if a login has fewer points.
func (r *rig) killLogin(n int64) (died int) {
	t, ctx := r.t, r.t.Context()
	r.begin(n)
	r.next(n, 0)
	var cb *oidctest.Callback
	begin, err := r.v.Get(ctx, "/me")
	if err != nil {
		t.Fatal(err)
	}
	if r.dead(begin) {
		died++
		r.next(0, 0)
		if len(r.v.Cookies) != 0 {
			t.Errorf("point %d: a cookie of a login that was not begun", n)
		}
		begin, err = r.v.Get(ctx, "/me")
	}
	if err == nil {
		cb, err = r.v.Answer(ctx, begin)
	}
	if err != nil {
		t.Fatalf("point %d: %v", n, err)
	}
	back, err := r.v.Deliver(ctx, cb)
	if err != nil {
		t.Fatal(err)
	}
	if r.dead(back) {
		died++
		r.next(0, 0)
		// The browser is told that the page did not come, and its user presses
		// reload: either the login goes on, or it is used up and nobody is in.
		if back, err = r.v.Deliver(ctx, cb); err != nil {
			t.Fatal(err)
		}
	}
	page, err := r.v.Fetch(ctx, "/me")
	if err == nil && r.dead(page) {
		died++
		r.next(0, 0)
		page, err = r.v.Fetch(ctx, "/me")
	}
	if err != nil {
		t.Fatal(err)
	}
	in := page.Status == http.StatusOK && page.Body == r.sub()
	out := page.Status == http.StatusUnauthorized
	if !in && !out || in != (back.Status == http.StatusSeeOther && back.Location == r.w.origin+"/me") {
		t.Errorf("point %d: the answer is %d to %q, and then the page says %d, %q", n, back.Status, back.Location, page.Status, page.Body)
	}
	if page, err := r.v.Open(ctx, "/me"); err != nil || page.Body != r.sub() {
		t.Errorf("point %d: after another login the page says %d, %q, %v", n, page.Status, page.Body, err)
	}
	wantOnce(t, fmt.Sprintf("point %d", n), r.w.op, "code", 1)
	return died
}

// killRefresh has a refresh cut off at the n-th point.
func (r *rig) killRefresh(n int64) (died int) {
	t, ctx := r.t, r.t.Context()
	r.begin(n)
	r.next(0, 0)
	if page, err := r.v.Open(ctx, "/me"); err != nil || page.Body != r.sub() {
		t.Fatalf("point %d: %d, %q, %v", n, page.Status, page.Body, err)
	}
	// The token is dead, and the process that renews it dies of that.
	r.next(n, 11*time.Minute)
	page, err := r.v.Fetch(ctx, "/token")
	if err != nil {
		t.Fatal(err)
	}
	if r.dead(page) {
		died++
		// What it held is free again when its time is over.
		r.next(0, time.Minute)
		page, err = r.v.Fetch(ctx, "/token")
	}
	if err != nil || page.Status != http.StatusOK || !strings.HasPrefix(page.Body, r.sub()+" ") {
		t.Errorf("point %d: the session is answered %d, %q, %v", n, page.Status, page.Body, err)
	}
	if page, err := r.v.Fetch(ctx, "/me"); err != nil || page.Body != r.sub() && !r.dead(page) {
		t.Errorf("point %d: the page says %d, %q, %v", n, page.Status, page.Body, err)
	}
	wantOnce(t, fmt.Sprintf("point %d", n), r.w.op, "refresh_token", 1+died)
	return died
}

// wantOnce asserts how often a code or token was sent to the OP at most.
func wantOnce(t *testing.T, when string, op *oidctest.OP, parameter string, most int) {
	t.Helper()
	sent := map[string]int{}
	for _, q := range op.Requests(oidctest.EndpointToken) {
		if value := q.Form.Get(parameter); value != "" {
			sent[value]++
		}
	}
	if len(sent) == 0 {
		t.Errorf("%s: no %s was sent", when, parameter)
	}
	for _, times := range sent {
		if times > most {
			t.Errorf("%s: a %s was sent %d times, at most %d", when, parameter, times, most)
		}
	}
}
