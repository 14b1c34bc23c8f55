package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/internal/servers"
	"rely.example/oidctest"
)

// plan is what a run is asked for.
type plan struct {
	program    string
	duration   time.Duration
	users      int
	nodes      int
	killEvery  time.Duration
	think      time.Duration
	tokenLife  time.Duration
	tokenDelay time.Duration
}

// patience is how long a request may take: longer than a refresh of a process
// that was killed is waited for.
const patience = 100 * time.Second

// world is the OP, the application's processes and what is in front of them.
type world struct {
	plan    plan
	op      *oidctest.OP
	client  oidctest.Client
	store   string
	proxy   *proxy
	origin  string
	browser *http.Client // of all users; cookies are theirs
	ledger  ledger

	log    words // of all processes
	starts atomic.Int64
	mu     sync.Mutex // guards nodes
	nodes  []*process
}

// newWorld starts everything but the processes.
func newWorld(p plan, store string) (*world, func(), error) {
	w := &world{plan: p, store: store, proxy: newProxy(p.nodes), nodes: make([]*process, p.nodes)}
	w.ledger.used = map[string][]use{}
	w.ledger.ended = map[string]time.Time{}
	front := httptest.NewServer(w.proxy)
	w.origin = front.URL
	w.browser = &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	op, err := oidctest.Start(oidctest.Config{
		PlainHTTP: true, RefreshAlways: true, AccessTokenLifetime: p.tokenLife, RefreshGrace: 5 * time.Minute, Observe: w.ledger.observe,
	})
	if err != nil {
		front.Close()
		return nil, nil, err
	}
	w.op = op
	if p.tokenDelay > 0 {
		op.TamperTokenResponse(func(map[string]any) {
			// The answer is late, not the work: who is killed meanwhile has lost it.
			<-time.After(rand.N(2 * p.tokenDelay))
		})
	}
	w.client = op.AddClient(oidctest.Client{
		RedirectURIs: []string{w.origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{w.origin + "/auth/logout/return"},
		IDTokenSignedResponseAlg: "ES256", Metadata: map[string]any{"backchannel_logout_uri": w.origin + "/auth/backchannel"}})
	return w, func() {
		w.stopAll()
		front.Close()
		_ = op.Close() // nothing depends on it any more
	}, nil
}

// start starts the i-th process anew.
func (w *world) start(i int, edit func(*nodeConfig)) (*process, error) {
	c := nodeConfig{Name: fmt.Sprintf("%d.%d", i, w.starts.Add(1)), Origin: w.origin, Issuer: w.op.Issuer, ID: w.client.ID, Secret: w.client.Secret, Store: w.store}
	if edit != nil {
		edit(&c)
	}
	p, err := startProcess(w.plan.program, c, &w.log)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	w.nodes[i] = p
	w.mu.Unlock()
	w.proxy.set(i, p.addr)
	return p, nil
}

func (w *world) node(i int) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.nodes[i]
}

func (w *world) stopAll() {
	for i := range w.nodes {
		if p := w.node(i); p != nil {
			p.kill()
		}
	}
}

// outcome is what a run found.
type outcome struct {
	began  time.Time
	took   time.Duration
	counts counts
	ledger summary
	log    string // the end of what the processes said
	killed int    // by kill -9
	ended  int    // asked to end
}

// run is one run.
func (p plan) run(ctx context.Context) (*outcome, error) {
	redis, err := servers.Redis(ctx)
	if err != nil {
		return nil, err
	}
	defer redis.Close()
	w, stop, err := newWorld(p, redis.URL())
	if err != nil {
		return nil, err
	}
	defer stop()
	for i := range p.nodes {
		if _, err := w.start(i, nil); err != nil {
			return nil, err
		}
	}
	out := &outcome{began: time.Now()}
	living, cancel := context.WithTimeout(ctx, p.duration)
	defer cancel()
	c := &counts{}
	var users sync.WaitGroup
	all := make([]*user, p.users)
	for i := range all {
		name := fmt.Sprintf("user%03d", i)
		w.op.AddUser(oidctest.User{Username: name, Sub: "sub-" + name})
		all[i] = newUser(w, c, name)
		users.Go(func() { all[i].live(living) })
	}
	var trouble error
	users.Go(func() {
		trouble = w.trouble(living, out)
		cancel()
	})
	users.Wait()
	if trouble != nil {
		return nil, trouble
	}
	// In the end every session that should be there is, and no other.
	last, cancelLast := context.WithTimeout(ctx, 2*patience)
	defer cancelLast()
	for _, u := range all {
		users.Go(func() { u.settle(last) })
	}
	users.Wait()
	out.took = time.Since(out.began)
	out.counts = c.copy()
	out.ledger = w.ledger.sum()
	out.log = w.log.String()
	return out, ctx.Err()
}

// trouble ends one process after another, by turns as kill -9 does and as a new
// version is rolled out, and starts another in its place.
func (w *world) trouble(ctx context.Context, out *outcome) error {
	tick := time.NewTicker(w.plan.killEvery)
	defer tick.Stop()
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		i := turn % w.plan.nodes
		p := w.node(i)
		w.proxy.set(i, "")
		if turn%3 == 2 {
			out.ended++
			if err := p.stop(); err != nil {
				return err
			}
		} else {
			out.killed++
			w.ledger.end(p.name)
			p.kill()
		}
		if _, err := w.start(i, nil); err != nil {
			return err
		}
	}
}

// ledger is what the OP saw of refreshes.
type ledger struct {
	mu    sync.Mutex // guards the fields below
	used  map[string][]use
	ended map[string]time.Time // when processes were killed
}

// use is one request with a refresh token.
type use struct {
	node string
	at   time.Time
}

func (l *ledger) observe(r oidctest.Request) {
	token := r.Form.Get("refresh_token")
	if r.Endpoint != oidctest.EndpointToken || r.Form.Get("grant_type") != "refresh_token" || token == "" {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.used[token] = append(l.used[token], use{r.Header.Get(nodeHeader), time.Now()})
}

// end notes that a process is about to be killed.
func (l *ledger) end(node string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended[node] = time.Now()
}

// summary is what a ledger comes to.
type summary struct {
	refreshes int // refresh tokens used
	inherited int // used again, by who took over from a process that was killed
	doubled   int // used again though the first user lived
}

func (l *ledger) sum() (s summary) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, uses := range l.used {
		s.refreshes++
		for i, u := range uses[1:] {
			before := uses[i]
			killed, dead := l.ended[before.node]
			if dead && before.node != u.node && killed.Before(u.at) {
				s.inherited++
			} else {
				s.doubled++
			}
		}
	}
	return s
}

// gone reports whether an error is that of a connection to what is not there.
func gone(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok
}
