// Package loopback receives the answer to a login at a port of this machine, as
// RFC 8252 section 7.3 describes for native applications.
//
// The listener is bound to 127.0.0.1 or [::1] and to nothing else, answers one
// response, and closes (hostile catalogue cases 329 and 330). A response is
// this login's if it has its state. If the login was started at StartURL, it
// must also come from the browser that was started: the authorization URL, which
// other users of the machine could read among the arguments of the browser's
// process, is given to that browser alone, with a cookie to show for it (case
// 331). Everything else that knocks is refused and does not end the login.
package loopback

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"rely.example/oidc"
)

// DefaultPath is the path of a redirect URI that none was chosen for.
const DefaultPath = "/callback"

// Bounds on whoever connects.
const (
	headerTimeout = 5 * time.Second
	readTimeout   = 10 * time.Second
	maxHeader     = oidc.MaxAuthResponse + 32<<10
	// doneGrace is how long the browser has to fetch the last page.
	doneGrace = 3 * time.Second
	closeTime = time.Second
)

// The paths beside that of the redirect URI. The one of StartURL has a random
// part, by which nobody can find it.
const (
	startPath    = "/rely/start/"
	continuePath = "/rely/continue/"
	donePath     = "/rely/done"
)

// Login is the login whose answer is awaited.
type Login struct {
	// Request is what the browser is sent to the OP with.
	Request *oidc.AuthRequest
	// Stray, if not nil, is told why somebody who knocked was refused. It may
	// be called from several goroutines at once.
	Stray func(why string)
}

// Listener receives one answer.
type Listener struct {
	redirectURI string
	origin      string // scheme, host and port
	host        string // what a Host header must say
	path        string
	start       string // random part of StartURL
	cookie      http.Cookie
	listener    net.Listener
	server      *http.Server
	served      chan struct{} // closed when the server has ended

	answers chan *Answer // the one answer
	failed  chan error   // why no answer can be trusted any more
	done    chan struct{}

	mu      sync.Mutex // guards everything below
	login   Login
	started bool                // somebody has the cookie
	taken   bool                // the answer is on its way
	parked  map[string]received // form posts that wait for the cookie
	outcome outcome
	shown   chan struct{} // closed when the last page was fetched
}

type outcome int

const (
	undecided outcome = iota
	succeeded
	refused
)

// received is a response and the way it came.
type received struct{ response oidc.AuthResponse }

// Answer is an authentication response, whose browser waits to hear how it
// went.
type Answer struct {
	Response oidc.AuthResponse
	l        *Listener
	decided  chan struct{}
	once     sync.Once
}

// ErrSecondBrowser says that the start page was opened by two browsers, of which
// one is not the user's.
var ErrSecondBrowser = errors.New("the login page was opened twice, by different browsers; for safety this login ended: run the command again, with --no-browser if you want to choose the browser yourself")

// Usable reports whether a redirect URI can be received here: http, at a
// loopback address.
func Usable(redirectURI string) bool {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "http" || u.User != nil || u.RawQuery != "" {
		return false
	}
	_, ok := loopbackHost(u.Hostname())
	return ok && !strings.HasPrefix(u.Path, "/rely/")
}

// loopbackHost returns the addresses to listen at for a host of a redirect URI.
// RFC 8252 section 8.3 advises against the name localhost; some OPs know
// nothing else.
func loopbackHost(host string) (addr string, ok bool) {
	if host == "localhost" {
		return "127.0.0.1", true
	}
	ip := net.ParseIP(host)
	if ip == nil || !ip.IsLoopback() {
		return "", false
	}
	return ip.String(), true
}

// Listen opens the port. The redirect URI is the first of candidates whose
// address this machine has; one without port gets a free one. With no candidates
// they are http://127.0.0.1/callback and http://[::1]/callback.
func Listen(ctx context.Context, candidates ...string) (*Listener, error) {
	if len(candidates) == 0 {
		candidates = []string{"http://127.0.0.1" + DefaultPath, "http://[::1]" + DefaultPath}
	}
	var first error
	for _, c := range candidates {
		l, err := listen(ctx, c)
		if err == nil {
			return l, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

func listen(ctx context.Context, redirectURI string) (*Listener, error) {
	if !Usable(redirectURI) {
		return nil, fmt.Errorf("the redirect URI %s cannot be received here: expected http://127.0.0.1, with a port and path or without", redirectURI)
	}
	u, err := url.Parse(redirectURI)
	if err != nil {
		return nil, err
	}
	addr, _ := loopbackHost(u.Hostname())
	port := u.Port()
	if port == "" {
		port = "0"
	}
	var lc net.ListenConfig
	sock, err := lc.Listen(ctx, "tcp", net.JoinHostPort(addr, port))
	if err != nil {
		return nil, fmt.Errorf("the redirect URI %s cannot be listened at: %w", redirectURI, err)
	}
	_, port, err = net.SplitHostPort(sock.Addr().String())
	if err != nil {
		return nil, errors.Join(err, sock.Close())
	}
	if u.Path == "" {
		u.Path = "/"
	}
	u.Host = net.JoinHostPort(u.Hostname(), port)
	l := &Listener{
		redirectURI: u.String(),
		origin:      "http://" + u.Host,
		host:        u.Host,
		path:        u.Path,
		start:       rand.Text(),
		// The name differs from login to login, since all ports of a host share
		// their cookies (RFC 6265 section 8.5).
		cookie:   http.Cookie{Name: "rely-" + strings.ToLower(rand.Text()[:8]), Value: rand.Text(), Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode},
		listener: sock,
		served:   make(chan struct{}),
		answers:  make(chan *Answer, 1),
		failed:   make(chan error, 1),
		done:     make(chan struct{}),
		shown:    make(chan struct{}),
		parked:   make(map[string]received),
	}
	l.server = &http.Server{
		Handler:           http.HandlerFunc(l.serve),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		MaxHeaderBytes:    maxHeader,
		// What a port scanner sends is no business of the terminal's.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	return l, nil
}

// RedirectURI is the redirect URI, with the port that was opened.
func (l *Listener) RedirectURI() string { return l.redirectURI }

// StartURL is the page that sends the browser to the OP. It is for one browser.
func (l *Listener) StartURL() string { return l.origin + startPath + l.start }

// Serve begins to answer. It is called once.
func (l *Listener) Serve(login Login) {
	l.mu.Lock()
	l.login = login
	l.mu.Unlock()
	go func() {
		defer close(l.served)
		_ = l.server.Serve(l.listener) // Close ends it
	}()
}

// Wait returns the answer, or an error when ctx ends or the answer could be
// somebody else's.
func (l *Listener) Wait(ctx context.Context) (*Answer, error) {
	select {
	case a := <-l.answers:
		return a, nil
	case err := <-l.failed:
		return nil, err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Tell shows the browser how the login went.
func (a *Answer) Tell(ok bool) {
	a.once.Do(func() {
		a.l.mu.Lock()
		a.l.outcome = refused
		if ok {
			a.l.outcome = succeeded
		}
		a.l.mu.Unlock()
		close(a.decided)
	})
}

// Close closes the port. A browser that was answered gets a moment to fetch the
// last page.
func (l *Listener) Close() error {
	l.mu.Lock()
	wait := l.outcome != undecided
	serving := l.login.Request != nil
	select {
	case <-l.done:
		l.mu.Unlock()
		return nil
	default:
		close(l.done)
	}
	l.mu.Unlock()
	if !serving {
		return l.listener.Close()
	}
	if wait {
		t := time.NewTimer(doneGrace)
		defer t.Stop()
		select {
		case <-l.shown:
		case <-t.C:
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
	<-l.served
	return nil
}

func (l *Listener) serve(w http.ResponseWriter, r *http.Request) {
	// Another name for this address is a page of the web that had it resolved
	// to here (DNS rebinding).
	if r.Host != l.host {
		l.refuse(w, http.StatusMisdirectedRequest, "a request for another host")
		return
	}
	if strings.Contains(r.Header.Get("Sec-Purpose")+r.Header.Get("Purpose"), "pre") {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	switch p := r.URL.Path; {
	case p == l.path:
		l.callback(w, r)
	case p == path.Join(l.path, "fragment"):
		l.fragment(w, r)
	case strings.HasPrefix(p, startPath):
		l.begin(w, r)
	case strings.HasPrefix(p, continuePath):
		l.resume(w, r)
	case p == donePath:
		l.last(w, r)
	default:
		http.NotFound(w, r)
	}
}

// begin sends the browser to the OP, and gives it the cookie.
func (l *Listener) begin(w http.ResponseWriter, r *http.Request) {
	ticket := strings.TrimPrefix(r.URL.Path, startPath)
	if r.Method != http.MethodGet || !same(ticket, l.start) {
		l.refuse(w, http.StatusNotFound, "a start page that is not ours")
		return
	}
	l.mu.Lock()
	again := l.started && !l.ours(r)
	l.started = true
	request := l.login.Request
	l.mu.Unlock()
	if again {
		l.refuse(w, http.StatusForbidden, "a second browser at the start page")
		select {
		case l.failed <- ErrSecondBrowser:
		default:
		}
		return
	}
	http.SetCookie(w, &l.cookie)
	if request.Post() {
		writeForm(w, request)
		return
	}
	secure(w, policyNothing)
	http.Redirect(w, r, request.URL(), http.StatusSeeOther)
}

// callback takes what the OP sends the browser back with.
func (l *Listener) callback(w http.ResponseWriter, r *http.Request) {
	a, err := oidc.ReadAuthResponse(r)
	if errors.Is(err, oidc.NotANavigation) && r.Method == http.MethodGet {
		// The response may be behind the hash sign, which stays in the browser.
		writeFragmentPage(w, path.Join(l.path, "fragment"))
		return
	}
	if err != nil {
		l.refuse(w, http.StatusBadRequest, "a response that cannot be read")
		return
	}
	if r.Method == http.MethodPost && !l.ours(r) && l.bound() {
		l.park(w, r, a)
		return
	}
	l.take(w, r, a)
}

// park keeps a form post until the browser comes back by GET. Its POST came from
// the OP's page, with which a SameSite=Lax cookie is not sent; the GET that
// follows a redirect has it.
func (l *Listener) park(w http.ResponseWriter, r *http.Request, a oidc.AuthResponse) {
	if !l.stateFits(a) {
		l.refuse(w, http.StatusBadRequest, strayState)
		return
	}
	ticket := rand.Text()
	l.mu.Lock()
	full := len(l.parked) >= maxParked
	if !full {
		l.parked[ticket] = received{a}
	}
	l.mu.Unlock()
	if full {
		l.refuse(w, http.StatusTooManyRequests, "too many responses")
		return
	}
	secure(w, policyNothing)
	http.Redirect(w, r, continuePath+ticket, http.StatusSeeOther)
}

// maxParked bounds how many form posts wait at once.
const maxParked = 8

func (l *Listener) resume(w http.ResponseWriter, r *http.Request) {
	ticket := strings.TrimPrefix(r.URL.Path, continuePath)
	l.mu.Lock()
	p, ok := l.parked[ticket]
	delete(l.parked, ticket)
	l.mu.Unlock()
	if !ok || r.Method != http.MethodGet {
		l.refuse(w, http.StatusNotFound, "a response that nobody sent")
		return
	}
	l.take(w, r, p.response)
}

// fragment takes what our own page found behind the hash sign.
func (l *Listener) fragment(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.Header.Get("Origin") != l.origin {
		l.refuse(w, http.StatusForbidden, "a fragment that our page did not send")
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 3*oidc.MaxAuthResponse)
	if err := r.ParseForm(); err != nil {
		l.refuse(w, http.StatusBadRequest, "a fragment that cannot be read")
		return
	}
	a, err := oidc.ReadAuthFragment(r.PostForm.Get("fragment"))
	if err != nil {
		l.refuse(w, http.StatusBadRequest, "a page without a response")
		return
	}
	l.take(w, r, a)
}

const strayState = "a response that is not this login's (another state)"

// take accepts the one response, and lets its browser wait for the outcome.
func (l *Listener) take(w http.ResponseWriter, r *http.Request, a oidc.AuthResponse) {
	if !l.stateFits(a) {
		l.refuse(w, http.StatusBadRequest, strayState)
		return
	}
	if l.bound() && !l.ours(r) {
		l.refuse(w, http.StatusForbidden, "a response from a browser that this login was not started in")
		return
	}
	l.mu.Lock()
	second := l.taken
	l.taken = true
	l.mu.Unlock()
	if second {
		l.refuse(w, http.StatusConflict, "a second response")
		return
	}
	answer := &Answer{Response: a, l: l, decided: make(chan struct{})}
	l.answers <- answer
	select {
	case <-answer.decided:
		// To a clean URL: the code stays out of the address bar and the history
		// (hostile catalogue case 148).
		secure(w, policyNothing)
		http.Redirect(w, r, donePath, http.StatusSeeOther)
	case <-l.done:
		l.refuse(w, http.StatusGone, "")
	case <-r.Context().Done():
	}
}

// stateFits finds this login by its state. That it is the same state proves
// nothing yet to the OP's client: oidc.Client.Finish compares it again.
func (l *Listener) stateFits(a oidc.AuthResponse) bool {
	state, err := a.PendingKey()
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return same(state, l.login.Request.Pending.State)
}

// bound reports whether the login was given to one browser, which must then be
// the one that brings the answer.
func (l *Listener) bound() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.started
}

// ours reports whether the browser has the cookie.
func (l *Listener) ours(r *http.Request) bool {
	c, err := r.Cookie(l.cookie.Name)
	return err == nil && same(c.Value, l.cookie.Value)
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

func (l *Listener) last(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	o := l.outcome
	if o != undecided {
		select {
		case <-l.shown:
		default:
			defer close(l.shown)
		}
	}
	l.mu.Unlock()
	switch o {
	case succeeded:
		writePage(w, http.StatusOK, pageSucceeded)
	case refused:
		writePage(w, http.StatusOK, pageRefused)
	default:
		http.NotFound(w, r)
	}
}

func (l *Listener) refuse(w http.ResponseWriter, status int, why string) {
	l.mu.Lock()
	stray := l.login.Stray
	l.mu.Unlock()
	if stray != nil && why != "" {
		stray(why)
	}
	writePage(w, status, pageStray)
}
