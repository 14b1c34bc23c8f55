package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// origin is where the application would be.
const origin = "https://app.example"

// graceful is how long a grant outlives its session, so that no page finds a
// session whose grant has just ended.
const graceful = 5 * time.Second

// patience is how long an answer may take: what other programs do to the machine is
// not what is looked at here.
const patience = time.Minute

// counts are what was done.
type counts struct {
	logins, pages, refreshes, keyFetches, logouts, forged, refused atomic.Int64
}

// app is an application whose pages need a login and call an API.
type app struct {
	counts  *counts
	op      *opProcess
	wire    *http.Transport // of the RP
	store   *memstore.Store
	rp      *rp.RP
	manager *login.Manager
	mux     *http.ServeMux
}

func newApp(op *opProcess, lifetime time.Duration) (*app, error) {
	a := &app{counts: &counts{}, op: op, store: new(memstore.Store)}
	var err error
	if a.wire, err = op.transport(); err != nil {
		return nil, err
	}
	// The trace counts what nobody else sees.
	trace := &oidc.Trace{Exchange: func(_ context.Context, e oidc.Exchange) {
		switch {
		case e.Step == oidc.StepKeys && e.Status == http.StatusOK:
			a.counts.keyFetches.Add(1)
		case e.Step == oidc.StepRefresh && e.Status == http.StatusOK:
			a.counts.refreshes.Add(1)
		}
	}}
	o := &oidc.Options{HTTPClient: &http.Client{Transport: a.wire}, AllowPrivate: []string{"127.0.0.1"}, MetadataAge: lifetime, Trace: trace, Timeout: patience}
	c := oidc.ClientConfig{ID: op.ClientID, Secret: op.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}}}
	a.rp, err = rp.New(rp.Config{Directory: rp.Configured(op.Issuer, o, c), Store: a.store,
		LoginLifetime: lifetime, GrantLifetime: lifetime + graceful, RefreshMargin: time.Second, Remember: 64})
	if err != nil {
		return nil, err
	}
	a.manager, err = login.New(login.Config{Origin: origin, RP: a.rp, Store: a.store, Lifetime: lifetime,
		Issuer: op.Issuer, OnError: func(w http.ResponseWriter, _ *http.Request, err error) { http.Error(w, err.Error(), login.Status(err)) }})
	if err != nil {
		return nil, err
	}
	a.mux = http.NewServeMux()
	a.mux.Handle("/auth/", a.manager.Handler())
	a.mux.Handle("/", a.manager.Require(http.HandlerFunc(a.page)))
	return a, nil
}

// page is one that calls an API in the user's name, and the OP for the profile.
func (a *app) page(w http.ResponseWriter, r *http.Request) {
	s, _ := login.FromContext(r.Context())
	if _, err := s.Tokens(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	if _, err := s.UserInfo(r.Context()); err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	fmt.Fprint(w, "hello ", s.Subject)
}

func (a *app) close() error {
	err := errors.Join(a.manager.Close(), a.rp.Close())
	a.wire.CloseIdleConnections()
	return err
}

// user is somebody with a browser.
type user struct {
	a       *app
	at      *http.Client // the browser's way to the OP
	cookies map[string]string
}

func (a *app) newUser(at *http.Client) *user {
	return &user{a: a, at: at, cookies: make(map[string]string)}
}

func (u *user) send(method, target string, form url.Values, site string) *http.Response {
	if strings.HasPrefix(target, "/") {
		target = origin + target
	}
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	q := httptest.NewRequest(method, target, body)
	if form != nil {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", origin)
	}
	q.Header.Set("Sec-Fetch-Site", site)
	q.Header.Set("Sec-Fetch-Mode", "navigate")
	q.Header.Set("Sec-Fetch-Dest", "document")
	q.Header.Set("Accept", "text/html")
	for k, v := range u.cookies {
		q.AddCookie(&http.Cookie{Name: k, Value: v})
	}
	w := httptest.NewRecorder()
	u.a.mux.ServeHTTP(w, q)
	res := w.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(u.cookies, c.Name)
		} else {
			u.cookies[c.Name] = c.Value
		}
	}
	return res
}

// login opens a page and goes where it sends the browser, until the page is there.
func (u *user) login(ctx context.Context) error {
	u.cookies = make(map[string]string)
	res := u.send(http.MethodGet, "/", nil, "none")
	if res.StatusCode != http.StatusSeeOther {
		return unexpected("a page without a session", res)
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, res.Header.Get("Location"), nil)
	if err != nil {
		return err
	}
	answer, err := u.at.Do(q)
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	back := answer.Header.Get("Location")
	if !strings.HasPrefix(back, origin) {
		return unexpected("the OP", answer)
	}
	if res = u.send(http.MethodGet, back, nil, "cross-site"); res.StatusCode != http.StatusSeeOther {
		return unexpected("the callback", res)
	}
	u.a.counts.logins.Add(1)
	return nil
}

// visit opens a page and reports whether there is still a session.
func (u *user) visit() (bool, error) {
	res := u.send(http.MethodGet, "/", nil, "none")
	switch res.StatusCode {
	case http.StatusOK:
		u.a.counts.pages.Add(1)
		return true, nil
	case http.StatusSeeOther:
		return false, nil // it was over
	}
	return false, unexpected("a page", res)
}

func (u *user) logout() error {
	res := u.send(http.MethodPost, "/auth/logout", url.Values{}, "same-origin")
	if res.StatusCode != http.StatusSeeOther {
		return unexpected("the logout", res)
	}
	u.a.counts.logouts.Add(1)
	return nil
}

// forge brings answers that nobody asked for, and a token with a key that nobody has.
func (u *user) forge() error {
	state := fmt.Sprintf("%032x", rand.Uint64())
	if res := u.send(http.MethodGet, "/auth/callback?code=x&state="+state, nil, "cross-site"); res.StatusCode < 400 {
		return unexpected("a forged answer", res)
	}
	u.a.counts.forged.Add(1)
	return nil
}

func unexpected(what string, res *http.Response) error {
	b, _ := io.ReadAll(io.LimitReader(res.Body, 300))
	return fmt.Errorf("%s: status %d: %s", what, res.StatusCode, b)
}

// live is what one user after the other does, until ctx ends: some come back for
// as long as their session lasts, some log out, some are not seen again.
func (a *app) live(ctx context.Context, pause time.Duration, failed func(error)) {
	wire, err := a.op.transport()
	if err != nil {
		failed(err)
		return
	}
	defer wire.CloseIdleConnections()
	at := &http.Client{Transport: wire, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	tick := time.NewTicker(pause)
	defer tick.Stop()
	var regulars [8]*user
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := a.step(ctx, n, at, &regulars); err != nil && ctx.Err() == nil {
			a.counts.refused.Add(1)
			failed(err)
		}
	}
}

func (a *app) step(ctx context.Context, n int, at *http.Client, regulars *[8]*user) error {
	switch n % 8 {
	case 0, 1: // who looks once and goes
		u := a.newUser(at)
		if err := u.login(ctx); err != nil {
			return err
		}
		_, err := u.visit()
		return err
	case 2: // who logs out
		u := a.newUser(at)
		if err := u.login(ctx); err != nil {
			return err
		}
		return u.logout()
	case 3:
		return a.newUser(at).forge()
	}
	i := n / 8 % len(regulars)
	if regulars[i] != nil {
		if there, err := regulars[i].visit(); there || err != nil {
			return err
		}
	}
	regulars[i] = a.newUser(at)
	return regulars[i].login(ctx)
}
