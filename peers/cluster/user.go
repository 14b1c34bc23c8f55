package main

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"rely.example/oidctest"
	"rely.example/peers/visitor"
	"rely.example/store/redisstore"
)

const (
	sessionCookie = "rely"
	// lag is how long a process may take to hear of a logout that another did.
	lag = redisstore.MaxLag + 2*time.Second
	// atOnce is how many requests of one user want a token at the same time.
	atOnce = 3
)

// counts are what all users found together.
type counts struct {
	mu sync.Mutex // guards the rest
	numbers
}

// numbers are told in the report.
type numbers struct {
	logins, again                 int // finished; begun anew since a process ended meanwhile
	later                         int // logins told to try again (503)
	pages, tokens                 int
	backChannel, byUser           int // logouts
	interrupted                   int // requests that a process took with it
	waited                        int // requests for a token told to come again
	ghosts                        int // requests with the cookies of sessions that were ended
	slowest, latestLogout         time.Duration
	lost, wrong, revived, refused int // what must not be
	complaints                    []string
}

func (c *counts) add(f func(n *numbers)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f(&c.numbers)
}

func (c *counts) copy() counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return counts{numbers: c.numbers}
}

// complain notes what must not be.
func (n *numbers) complain(which *int, format string, args ...any) {
	*which++
	if len(n.complaints) < 20 {
		n.complaints = append(n.complaints, fmt.Sprintf(format, args...))
	}
}

// user is one person: logged in or not, with a browser.
type user struct {
	w         *world
	c         *counts
	name, sub string
	v         *visitor.Visitor
	in        bool
	ghosts    []string // cookies of sessions that were ended
}

func newUser(w *world, c *counts, name string) *user {
	u := &user{w: w, c: c, name: name, sub: "sub-" + name}
	u.v = &visitor.Visitor{Origin: w.origin, Send: u.send, At: w.op.Browser(), Cookies: map[string]string{}}
	u.v.At.User = name
	return u
}

// send times a request.
func (u *user) send(r *http.Request) (*http.Response, error) {
	start := time.Now()
	res, err := u.w.browser.Do(r)
	took := time.Since(start)
	u.c.add(func(n *numbers) { n.slowest = max(n.slowest, took) })
	return res, err
}

// live does what users do until ctx ends; what has begun is finished.
func (u *user) live(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(rand.N(2 * u.w.plan.think)):
		}
		step := context.WithoutCancel(ctx)
		switch chance := rand.IntN(100); {
		case !u.in:
			u.logIn(step)
		case chance < 4:
			u.backChannel(step)
		case chance < 8:
			u.logOut(step)
		case chance < 40:
			u.useTokens(step)
		case chance < 50:
			u.haunt(step)
		default:
			u.look(step)
		}
	}
}

// taken reports whether a process took the request with it.
func (u *user) taken(p visitor.Page, err error) bool {
	if err == nil && p.Header.Get(proxyHeader) == "" {
		return false
	}
	if err != nil && p.Header.Get(proxyHeader) == "" && !gone(err) {
		return false
	}
	u.c.add(func(n *numbers) { n.interrupted++ })
	return true
}

func (u *user) logIn(ctx context.Context) {
	p, err := u.v.Open(ctx, "/me")
	switch {
	case u.taken(p, err):
		u.c.add(func(n *numbers) { n.again++ })
	case err != nil || p.Status != http.StatusOK:
		u.c.add(func(n *numbers) {
			n.complain(&n.refused, "%s: the login ends with status %d, %.100v", u.name, p.Status, err)
		})
	default:
		u.in = true
		u.c.add(func(n *numbers) { n.logins++ })
		u.check(p, "after the login")
	}
}

// check judges a page of a user who is logged in.
func (u *user) check(p visitor.Page, when string) {
	switch {
	case p.Status == http.StatusOK && (p.Body == u.sub || strings.HasPrefix(p.Body, u.sub+" ")):
	case p.Status == http.StatusOK:
		u.c.add(func(n *numbers) { n.complain(&n.wrong, "%s, %s: the page says %.100q", u.name, when, p.Body) })
	case p.Status == http.StatusServiceUnavailable && when == "tokens":
		u.c.add(func(n *numbers) { n.waited++ })
	default:
		u.in = false
		u.c.add(func(n *numbers) { n.complain(&n.lost, "%s, %s: status %d: %.300s", u.name, when, p.Status, p.Body) })
	}
}

func (u *user) look(ctx context.Context) {
	p, err := u.v.Fetch(ctx, "/me")
	if u.taken(p, err) {
		return
	}
	u.c.add(func(n *numbers) { n.pages++ })
	u.check(p, "a page")
}

// useTokens has several requests at once want a fresh token.
func (u *user) useTokens(ctx context.Context) {
	var wg sync.WaitGroup
	pages := make([]visitor.Page, atOnce)
	errs := make([]error, atOnce)
	for i := range atOnce {
		v := *u.v
		v.Cookies = maps.Clone(u.v.Cookies)
		wg.Go(func() { pages[i], errs[i] = v.Fetch(ctx, "/token") })
	}
	wg.Wait()
	for i, p := range pages {
		if u.taken(p, errs[i]) {
			continue
		}
		u.c.add(func(n *numbers) { n.tokens++ })
		u.check(p, "tokens")
	}
}

// backChannel has the OP tell the application that the user is logged out, while
// the user's browser still asks for tokens.
func (u *user) backChannel(ctx context.Context) {
	cookie := u.v.Cookies[sessionCookie]
	busy := make(chan struct{})
	v := *u.v
	v.Cookies = maps.Clone(u.v.Cookies)
	go func() { // awaited below
		defer close(busy)
		_, _ = v.Fetch(ctx, "/token") // either answer is right
	}()
	for !u.told(ctx) {
	}
	<-busy
	u.c.add(func(n *numbers) { n.backChannel++ })
	u.over(ctx, cookie)
}

// told sends one logout token, and reports whether it was accepted.
func (u *user) told(ctx context.Context) bool {
	res, err := u.w.op.SendLogout(ctx, u.w.client.ID, oidctest.Logout{Subject: u.sub})
	if err != nil {
		u.c.add(func(n *numbers) { n.interrupted++ })
		return ctx.Err() != nil
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return true
	case res.Header.Get(proxyHeader) == "" && res.StatusCode < 500:
		u.c.add(func(n *numbers) { n.complain(&n.refused, "%s: a logout token is answered %d", u.name, res.StatusCode) })
		return true
	}
	u.c.add(func(n *numbers) { n.interrupted++ })
	return false
}

// logOut is a logout by the user.
func (u *user) logOut(ctx context.Context) {
	cookie := u.v.Cookies[sessionCookie]
	for {
		u.v.Cookies[sessionCookie] = cookie
		p, err := u.v.Post(ctx, "/auth/logout", url.Values{})
		if u.taken(p, err) {
			continue
		}
		if err != nil || p.Status != http.StatusSeeOther && p.Status != http.StatusOK {
			u.c.add(func(n *numbers) {
				n.complain(&n.refused, "%s: the logout is answered %d, %v: %.300s", u.name, p.Status, err, p.Body)
			})
		}
		break
	}
	u.c.add(func(n *numbers) { n.byUser++ })
	u.over(ctx, cookie)
}

// over sees to it that a session that was ended is, in every process, soon.
func (u *user) over(ctx context.Context, cookie string) {
	u.in = false
	clear(u.v.Cookies)
	ended := time.Now()
	for range u.w.plan.nodes {
		for u.lives(ctx, cookie) {
			if time.Since(ended) > lag {
				u.c.add(func(n *numbers) {
					n.complain(&n.revived, "%s: the session lives %v after the logout", u.name, time.Since(ended))
				})
				break
			}
			u.c.add(func(n *numbers) { n.latestLogout = max(n.latestLogout, time.Since(ended)) })
		}
	}
	u.ghosts = append(u.ghosts, cookie)
}

// lives reports whether a cookie still is a session.
func (u *user) lives(ctx context.Context, cookie string) bool {
	v := *u.v
	v.Cookies = map[string]string{sessionCookie: cookie}
	p, err := v.Fetch(ctx, "/me")
	u.c.add(func(n *numbers) { n.ghosts++ })
	return err == nil && p.Status == http.StatusOK
}

// haunt tries a session that was ended a while ago.
func (u *user) haunt(ctx context.Context) {
	if len(u.ghosts) == 0 {
		return
	}
	if u.lives(ctx, u.ghosts[rand.IntN(len(u.ghosts))]) {
		u.c.add(func(n *numbers) { n.complain(&n.revived, "%s: a session that was ended lives again", u.name) })
	}
}

// settle judges everything once more when no process is killed any longer.
func (u *user) settle(ctx context.Context) {
	if u.in {
		u.look(ctx)
		u.useTokens(ctx)
	}
	for _, cookie := range u.ghosts {
		if u.lives(ctx, cookie) {
			u.c.add(func(n *numbers) { n.complain(&n.revived, "%s: in the end a session that was ended lives", u.name) })
		}
	}
}
