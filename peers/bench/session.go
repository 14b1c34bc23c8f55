package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/alexedwards/scs/v2"
	"github.com/alexedwards/scs/v2/memstore"
	"github.com/gorilla/sessions"
	"github.com/oauth2-proxy/oauth2-proxy/v7/pkg/apis/options"
	proxysessions "github.com/oauth2-proxy/oauth2-proxy/v7/pkg/apis/sessions"
	proxycookie "github.com/oauth2-proxy/oauth2-proxy/v7/pkg/sessions/cookie"

	"rely.example/internal/servers"
	"rely.example/login"
	rely "rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/peers/visitor"
	"rely.example/rp"
	"rely.example/store"
	relymem "rely.example/store/memstore"
	"rely.example/store/redisstore"
)

const (
	appOrigin  = "https://app.example"
	sessionKey = "0123456789abcdef0123456789abcdef"
)

// checker asks, as a middleware does for every request, whose session it is.
type checker struct {
	name string
	// make logs somebody in and returns the middleware with the request to put
	// through it. page must run.
	make func(page http.Handler) (http.Handler, *http.Request, error)
}

// measureSessions is the tables of what a session costs: to check and to keep.
func measureSessions(s settings) ([]section, error) {
	sec := section{
		title: "Session check",
		intro: "One request with a session cookie through a middleware to a page that reads whose session it is. Processor time and its ratio to the floor, which " +
			"is the cookie by net/http and a map behind a lock; wall time; allocations. Each session holds its user and some 460 bytes of claims.",
		header: []string{"", "processor time", "ratio", "wall time", "allocations"},
	}
	checkers := []checker{
		{"net/http + a map", mapCheck}, {"rely, memory", relyCheck(new(relymem.Store))}, {"rely, sealed cookie", relyCheck(nil)},
		{"scs, memory", scsCheck}, {"gorilla/sessions, cookie", gorillaCheck}, {"oauth2-proxy, cookie", proxyCheck},
	}
	redis, err := servers.Redis(background)
	switch {
	case errors.Is(err, servers.ErrMissing):
		sec.note = "Redis was not measured: there was none."
	case err != nil:
		return nil, err
	default:
		defer redis.Close()
		for _, c := range []struct{ name, query string }{{"rely, Redis, cached", ""}, {"rely, Redis, asked each time", "?client_cache=0"}} {
			st, err := redisstore.Open(background, redis.URL()+c.query)
			if err != nil {
				return nil, err
			}
			defer st.Close()
			checkers = append(checkers, checker{c.name, relyCheck(st)})
		}
	}
	var cs []contender
	for i, c := range checkers {
		if i > 0 && s.who != "" && c.name != s.who {
			continue
		}
		op, err := c.operation()
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		cs = append(cs, contender{c.name, op})
	}
	p := plan{procs: 2, workers: 1, rounds: 41, turn: 30 * time.Millisecond}
	if s.quick {
		p.rounds, p.turn = 9, 10*time.Millisecond
	}
	got, err := p.measure(cs)
	if err != nil {
		return nil, err
	}
	for i, f := range got {
		sec.rows = append(sec.rows, []string{cs[i].name, micros(f.cpu), fmt.Sprintf("%.2f x", f.cpuRatio), micros(f.wall), fmt.Sprintf("%.0f", f.allocs)})
	}
	return []section{sec}, nil
}

// operation is one request, again and again.
func (c checker) operation() (func() error, error) {
	ran := 0
	app, r, err := c.make(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran++ }))
	if err != nil {
		return nil, err
	}
	w := &nothing{http.Header{}}
	return func() error {
		clear(w.h)
		before := ran
		app.ServeHTTP(w, r)
		if ran != before+1 {
			return errRefused
		}
		return nil
	}, nil
}

// nothing is a ResponseWriter that costs nothing.
type nothing struct{ h http.Header }

// Header implements http.ResponseWriter.
func (n *nothing) Header() http.Header { return n.h }

// Write implements http.ResponseWriter.
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }

// WriteHeader implements http.ResponseWriter.
func (n *nothing) WriteHeader(int) {}

// withCookies is a request for a page with what an answer has set.
func withCookies(h http.Header) *http.Request {
	r, err := http.NewRequest(http.MethodGet, appOrigin+"/page", nil)
	if err != nil {
		panic(err) // a constant
	}
	r.AddCookie(&http.Cookie{Name: "theme", Value: "dark"})
	for _, c := range (&http.Response{Header: h}).Cookies() {
		r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	return r
}

// claims are what a session holds beside its user.
func claims() []byte { return bytes.Repeat([]byte("c"), smallClaims) }

// mapCheck is the floor.
func mapCheck(page http.Handler) (http.Handler, *http.Request, error) {
	type session struct {
		subject string
		claims  []byte
	}
	var mu sync.RWMutex
	const id = "SplxlOBeZQQYbYS6WxSbIA08a5019c17e14977aaaaa"
	held := map[string]*session{id: {subject: subject, claims: claims()}}
	h := http.Header{"Set-Cookie": {"id=" + id}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := r.Cookie("id")
		if err != nil {
			return
		}
		mu.RLock()
		s := held[c.Value]
		mu.RUnlock()
		if s != nil && s.subject == subject {
			page.ServeHTTP(w, r)
		}
	}), withCookies(h), nil
}

// relyCheck is Require with a store, or storeless.
func relyCheck(st store.Store) func(page http.Handler) (http.Handler, *http.Request, error) {
	return func(page http.Handler) (http.Handler, *http.Request, error) {
		m, v, err := relyLoggedIn(st)
		if err != nil {
			return nil, nil, err
		}
		h := http.Header{}
		for name, value := range v.Cookies {
			h.Add("Set-Cookie", name+"="+value)
		}
		return m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if s, ok := login.FromContext(r.Context()); ok && s.Subject != "" {
				page.ServeHTTP(w, r)
			}
		})), withCookies(h), nil
	}
}

// relyLoggedIn is an application with somebody logged in.
func relyLoggedIn(st store.Store) (*login.Manager, *visitor.Visitor, error) {
	op, err := oidctest.Start(oidctest.Config{RefreshAlways: true})
	if err != nil {
		return nil, nil, err
	}
	defer op.Close()
	reg := op.AddClient(oidctest.Client{RedirectURIs: []string{appOrigin + "/auth/callback"}})
	op.AddUser(oidctest.User{Username: "somebody", Sub: subject})
	op.TamperIDToken(func(_, c map[string]any) { c["padding"] = string(claims()[:150]) })
	p, err := rely.Discover(background, op.Issuer, &rely.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		return nil, nil, err
	}
	defer p.Close()
	c, err := rely.NewClient(p, rely.ClientConfig{ID: reg.ID, Secret: reg.Secret, Metadata: rely.ClientMetadata{RedirectURIs: reg.RedirectURIs}})
	if err != nil {
		return nil, nil, err
	}
	m, err := login.New(login.Config{Origin: appOrigin, Directory: rp.Only(c), Store: st, Storeless: st == nil, Keys: [][]byte{[]byte(sessionKey)}})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	mux.Handle("/", m.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	v := visitor.New(appOrigin, mux, op.Browser())
	v.At.User = "somebody"
	page, err := v.Open(background, "/page")
	if err == nil && page.Status != http.StatusOK {
		err = fmt.Errorf("the login ends with status %d: %.200s", page.Status, page.Body)
	}
	return m, v, err
}

func scsCheck(page http.Handler) (http.Handler, *http.Request, error) {
	m := scs.New()
	m.Store = memstore.NewWithCleanupInterval(0)
	ctx, err := m.Load(background, "")
	if err != nil {
		return nil, nil, err
	}
	m.Put(ctx, "sub", subject)
	m.Put(ctx, "claims", claims())
	token, _, err := m.Commit(ctx)
	if err != nil {
		return nil, nil, err
	}
	h := http.Header{"Set-Cookie": {m.Cookie.Name + "=" + token}}
	return m.LoadAndSave(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if m.GetString(r.Context(), "sub") == subject {
			page.ServeHTTP(w, r)
		}
	})), withCookies(h), nil
}

func gorillaCheck(page http.Handler) (http.Handler, *http.Request, error) {
	cookies := sessions.NewCookieStore([]byte(sessionKey), []byte(sessionKey))
	first, err := http.NewRequest(http.MethodGet, appOrigin+"/", nil)
	if err != nil {
		return nil, nil, err
	}
	s, err := cookies.New(first, "session")
	if err != nil {
		return nil, nil, err
	}
	s.Values["sub"], s.Values["claims"] = subject, claims()
	w := &nothing{http.Header{}}
	if err := cookies.Save(first, w, s); err != nil {
		return nil, nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// As for a request that was never seen: it remembers them in their contexts.
		s, err := cookies.Get(r.WithContext(context.WithoutCancel(r.Context())), "session")
		if err == nil && s.Values["sub"] == subject {
			page.ServeHTTP(w, r)
		}
	}), withCookies(w.h), nil
}

func proxyCheck(page http.Handler) (http.Handler, *http.Request, error) {
	o := &options.Cookie{Name: "_oauth2_proxy", Secret: sessionKey, Path: "/", Expire: 12 * time.Hour, Secure: true, HTTPOnly: true}
	cookies, err := proxycookie.NewCookieSessionStore(&options.SessionOptions{Type: options.CookieSessionStoreType}, o)
	if err != nil {
		return nil, nil, err
	}
	first, err := http.NewRequest(http.MethodGet, appOrigin+"/", nil)
	if err != nil {
		return nil, nil, err
	}
	w := &nothing{http.Header{}}
	err = cookies.Save(w, first, &proxysessions.SessionState{User: subject, Email: "alice@example.com", AdditionalClaims: map[string]any{"claims": claims()}})
	if err != nil {
		return nil, nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, err := cookies.Load(r)
		if err == nil && s.User == subject {
			page.ServeHTTP(w, r)
		}
	}), withCookies(w.h), nil
}
