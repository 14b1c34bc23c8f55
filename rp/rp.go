package rp

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store"
)

// Defaults and bounds.
const (
	// DefaultGrantLifetime is how long a grant lasts, whatever is refreshed.
	DefaultGrantLifetime = 24 * time.Hour
	// DefaultRefreshMargin is how long before its end an access token is renewed.
	DefaultRefreshMargin = 30 * time.Second
	// DefaultRemember is how many opened grants are kept in memory.
	DefaultRemember = 4096
	// MaxLifetime bounds what Config may ask for.
	MaxLifetime = 10 * 365 * 24 * time.Hour
	// MaxData bounds Login.Data, in bytes.
	MaxData = 64 << 10
	// lateGrace is how long after LoginLifetime a login is still remembered, so
	// that who comes late is told so.
	lateGrace = 5 * time.Minute
)

// Config is what an RP is made of. It must not change afterwards.
type Config struct {
	// Directory finds the client to use at an issuer. Required. Each OP in it has
	// redirect URIs of its own.
	Directory Directory

	// Store keeps the logins and grants. Required. Several processes that share
	// a store, and Keys, are one RP.
	Store store.Store

	// Keys seal what is stored: each at least MinKey random bytes. The first
	// seals, all open, so that a new key is put in front and an old one removed
	// when nothing sealed with it lives any more (GrantLifetime later). While
	// processes are restarted one by one with a new key, add it behind the
	// others first.
	//
	// Nil means a random key of this RP: what it stored can be read by no other
	// process, and not by this one after a restart.
	Keys [][]byte

	// LoginLifetime is how long a login may take, from Start to Finish. Zero
	// means oidc.DefaultLoginLifetime. A client's own limit holds as well.
	LoginLifetime time.Duration

	// GrantLifetime is how long a grant lasts from the login on, whatever is
	// refreshed. Zero means DefaultGrantLifetime.
	GrantLifetime time.Duration

	// RefreshMargin is how long before its end an access token is renewed, but
	// never more than a fifth of its life. Zero means DefaultRefreshMargin.
	RefreshMargin time.Duration

	// Remember is how many opened grants are kept in memory, some kilobytes each,
	// for the next request of the same user. The store is asked all the same
	// whether they are still what is there. Zero means DefaultRemember, a negative
	// number none.
	Remember int

	// WebFinger reaches the hosts that users type (Login.Identifier). Nil is the
	// zero value, which has the hardened defaults.
	WebFinger *oidc.Options

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// RP is a relying party. It is safe for concurrent use. What it knows of any
// user is in the store, under the state of that user's login.
type RP struct {
	directory Directory
	shelf     shelf
	ring      ring
	webFinger *oidc.Options
	now       func() time.Time

	loginLifetime, grantLifetime, margin time.Duration

	recent recent

	// instance tells this RP's refreshes from those of others.
	instance string

	mu      sync.Mutex // guards the fields below
	closed  bool
	flights map[string]*flight
	unsaved map[string]*unsaved

	waiting atomic.Int64 // how many are in unsaved
	running sync.WaitGroup
}

// New makes an RP. It reaches neither store nor OP.
func New(c Config) (*RP, error) {
	bad := func(detail string) (*RP, error) { return nil, &Error{Reason: BadConfig, Detail: detail} }
	if c.Directory == nil {
		return bad("Config.Directory is nil; see Only, Configured, Dynamic and Each")
	}
	if err := checkRedirectURIs(c.Directory); err != nil {
		return nil, err
	}
	if c.Store == nil {
		return bad("Config.Store is nil; new(memstore.Store) keeps everything in memory")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{
		{"LoginLifetime", &c.LoginLifetime, oidc.DefaultLoginLifetime},
		{"GrantLifetime", &c.GrantLifetime, DefaultGrantLifetime},
		{"RefreshMargin", &c.RefreshMargin, DefaultRefreshMargin},
	} {
		if *d.value < 0 || *d.value > MaxLifetime {
			return bad(fmt.Sprintf("Config.%s is %v, expected 0 to %v", d.name, *d.value, MaxLifetime))
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	ring, err := newRing(c.Keys)
	if err != nil {
		return nil, err
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Remember == 0 {
		c.Remember = DefaultRemember
	}
	return &RP{
		directory: c.Directory, shelf: shelf{c.Store}, ring: ring, webFinger: c.WebFinger, now: c.Now,
		loginLifetime: c.LoginLifetime, grantLifetime: c.GrantLifetime, margin: c.RefreshMargin,
		recent:   recent{max: c.Remember},
		instance: rand.Text(),
		flights:  make(map[string]*flight), unsaved: make(map[string]*unsaved),
	}, nil
}

// Login is what StartLogin begins.
type Login struct {
	// Issuer is where to log in. It must be one that the directory knows.
	Issuer string

	// Identifier is what the user typed, to find the issuer by WebFinger if
	// Issuer is empty (Discovery section 2). The directory has the last word
	// about the issuer found. An identifier of a user is sent as login_hint too,
	// as Core section 3.1.2.1 recommends, if Params names none.
	Identifier string

	// Params are the choices of the authentication request.
	Params oidc.AuthParams

	// Binding ties the login to the browser that begins it: a value that this
	// browser alone has, of at least 128 random bits, such as a cookie's. Finish
	// must be given the same. Empty means the state, which the application then
	// keeps in the session of that browser.
	Binding string

	// Data is kept with the login and its grant, sealed, for the application:
	// the page to return to, for instance. At most MaxData bytes.
	Data []byte
}

// Start begins a login at issuer and keeps it under its state. The browser is
// sent to the request's URL, or posts its Form; the application keeps
// Pending.State in the session of that browser, for Arrival.Binding.
//
// A store that is down is StoreUnavailable, an issuer that the directory does
// not know UnknownIssuer; other errors are the directory's, or of oidc.Client's
// Begin.
func (r *RP) Start(ctx context.Context, issuer string, p oidc.AuthParams) (*oidc.AuthRequest, error) {
	return r.StartLogin(ctx, Login{Issuer: issuer, Params: p})
}

// StartIdentifier is Start for what a user typed: alice@example.com.
func (r *RP) StartIdentifier(ctx context.Context, identifier string, p oidc.AuthParams) (*oidc.AuthRequest, error) {
	return r.StartLogin(ctx, Login{Identifier: identifier, Params: p})
}

// StartLogin is Start with every choice.
func (r *RP) StartLogin(ctx context.Context, l Login) (*oidc.AuthRequest, error) {
	done, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer done()
	if len(l.Data) > MaxData {
		return nil, &Error{Reason: BadConfig, Detail: fmt.Sprintf("Login.Data has %d bytes, at most %d", len(l.Data), MaxData)}
	}
	if l.Issuer == "" {
		if l.Identifier == "" {
			return nil, &Error{Reason: BadConfig, Detail: "Login has neither Issuer nor Identifier"}
		}
		var err error
		if l.Issuer, err = oidc.FindIssuer(ctx, l.Identifier, r.webFinger); err != nil {
			return nil, err
		}
		if l.Params.LoginHint == "" && strings.Contains(l.Identifier, "@") {
			l.Params.LoginHint = strings.TrimSpace(l.Identifier)
		}
	}
	c, err := r.client(ctx, l.Issuer)
	if err != nil {
		return nil, err
	}
	req, err := c.Begin(ctx, l.Params)
	if err != nil {
		return nil, err
	}
	if l.Binding == "" {
		l.Binding = req.Pending.State
	}
	now := r.now()
	p := pendingRecord{pending: req.Pending, started: now, binding: bindingHash(l.Binding), data: string(l.Data)}
	plain, err := p.encode()
	if err != nil {
		return nil, err
	}
	place := seal.Hashed(pendingClass, req.Pending.State)
	sealed, err := r.ring.seal(place, plain)
	if err != nil {
		return nil, err
	}
	if _, err := r.shelf.create(ctx, store.Record{Key: place, Value: sealed, Expires: now.Add(r.loginLifetime + lateGrace)}); err != nil {
		return nil, stillConflict("keeping the login", err)
	}
	return req, nil
}

// client asks the directory. An answer for another issuer would have one OP's
// login finished with another's keys.
func (r *RP) client(ctx context.Context, issuer string) (*oidc.Client, error) {
	c, err := r.directory.Client(ctx, issuer)
	if err != nil {
		return nil, err
	}
	if c == nil || !c.Provider().Serves(issuer) {
		return nil, &Error{Reason: BadConfig, Detail: "the directory answered with a client of another issuer"}
	}
	if !c.OpenID() {
		// A grant is kept under the subject of an ID Token.
		return nil, &oidc.UnsupportedError{Feature: "a grant without OpenID Connect", Detail: "use the client itself: Begin, Finish, UserInfo"}
	}
	return c, nil
}

// Arrival says how an authentication response came.
type Arrival struct {
	// Binding is what the browser brought along to show that the login was begun
	// in it: Login.Binding or, if that was empty, the state that the application
	// kept in the session of that browser. It must not be taken from the response
	// itself. Empty is refused with WrongBrowser.
	Binding string

	// RedirectURI is the URL at which the response arrived, as the browser sees
	// it; its query does not matter. It must be the redirect URI of the login: so
	// the OP at one redirect URI cannot answer a login at another (RFC 9700
	// section 4.4.2). It may be empty only if the directory has a single OP.
	RedirectURI string

	// InsecureAnyBrowser accepts a response from any browser: who makes a user
	// follow a link then logs that user in as somebody else. For programs in
	// which the browser cannot be told, and nobody is harmed.
	InsecureAnyBrowser bool
}

// Finish turns the answer to a login into a Grant, which is kept under the state
// from then on. The pending login is taken exactly once, before anything is
// sent to the OP; what is refused because of the browser or the place of its
// arrival, or because the store or the directory cannot answer, leaves the
// login as it was.
//
// The errors are UnknownState, LoginExpired, WrongBrowser, WrongRedirectURI,
// LoggedOut, StoreUnavailable, the directory's, and those of oidc.Client's
// Finish: an *oidc.OPError if the OP said no, an *oidc.ProtocolError if the
// answer is not to be believed. After any of them there is no grant.
func (r *RP) Finish(ctx context.Context, a oidc.AuthResponse, at Arrival) (*Grant, error) {
	done, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer done()
	place, rec, p, err := r.find(ctx, a, at)
	if err != nil {
		return nil, err
	}
	c, err := r.client(ctx, p.pending.Issuer)
	if err != nil {
		return nil, err
	}
	// Who gets it goes on; everybody else was late (hostile catalogue cases 110,
	// 111 and 314).
	taken, err := r.shelf.take(ctx, place)
	if err != nil {
		return nil, unknownState(err)
	}
	if taken.Rev != rec.Rev {
		return nil, &Error{Reason: UnknownState, Detail: "it changed meanwhile"}
	}
	tokens, err := c.Finish(ctx, p.pending, a)
	if err != nil {
		return nil, err
	}
	return r.keep(ctx, c, p, tokens)
}

// Peek finds the login that a response belongs to and leaves it as it is: its
// issuer and Data, for an application that must know where to go on also when the
// OP says no. The errors are those of Finish before anything is taken.
func (r *RP) Peek(ctx context.Context, a oidc.AuthResponse, at Arrival) (Login, error) {
	_, _, p, err := r.find(ctx, a, at)
	if err != nil {
		return Login{}, err
	}
	return Login{Issuer: p.pending.Issuer, Data: []byte(p.data)}, nil
}

// find reads the pending login of a response, and checks who brings it and where.
func (r *RP) find(ctx context.Context, a oidc.AuthResponse, at Arrival) (place string, rec store.Record, p *pendingRecord, err error) {
	state, err := r.PendingKey(ctx, a, at.RedirectURI)
	if err != nil {
		return "", rec, nil, err
	}
	place = seal.Hashed(pendingClass, state)
	if rec, err = r.shelf.load(ctx, place); err != nil {
		return "", rec, nil, unknownState(err)
	}
	plain, err := r.ring.open(place, rec.Value)
	if err != nil {
		return "", rec, nil, err
	}
	if p, err = decodePending(plain); err != nil {
		return "", rec, nil, err
	}
	return place, rec, p, r.checkArrival(p, state, at)
}

func unknownState(err error) error {
	if isNotFound(err) {
		return &Error{Reason: UnknownState, Detail: "it was never begun, is finished, or is long over; begin again"}
	}
	return err
}

func bindingHash(s string) string {
	sum := sha256.Sum256([]byte("binding\x00" + s))
	return string(sum[:])
}

// checkArrival makes the checks that need no OP.
func (r *RP) checkArrival(p *pendingRecord, state string, at Arrival) error {
	if age := r.now().Sub(p.started); age > r.loginLifetime {
		return &Error{Reason: LoginExpired, Detail: fmt.Sprintf("it was begun %v ago, at most %v; begin again", age.Round(time.Second), r.loginLifetime)}
	}
	if p.pending.State != state {
		return &Error{Reason: BadRecord, Detail: "it is another login's"}
	}
	// RFC 6749 section 10.12, hostile catalogue case 98.
	if !at.InsecureAnyBrowser && (at.Binding == "" || subtle.ConstantTimeCompare([]byte(bindingHash(at.Binding)), []byte(p.binding)) != 1) {
		if at.Binding == "" {
			return &Error{Reason: WrongBrowser, Detail: "the browser brought nothing to show that it began the login (Arrival.Binding)"}
		}
		return &Error{Reason: WrongBrowser, Detail: "what the browser brought is another login's"}
	}
	// RFC 9700 section 4.4.2.2, hostile catalogue cases 101 and 121.
	if at.RedirectURI == "" {
		if soleIssuer(r.directory) {
			return nil
		}
		return &Error{Reason: WrongRedirectURI, Detail: "Arrival.RedirectURI is empty, but there may be more than one OP"}
	}
	if !sameRedirectURI(at.RedirectURI, p.pending.RedirectURI) {
		return &Error{Reason: WrongRedirectURI, Detail: fmt.Sprintf("expected %q, got %q", bare(p.pending.RedirectURI), bare(at.RedirectURI))}
	}
	return nil
}

// sameRedirectURI compares byte by byte, but for what the response added.
func sameRedirectURI(arrived, registered string) bool { return bare(arrived) == bare(registered) }

// bare is a URL without query and fragment.
func bare(u string) string {
	if i := strings.IndexAny(u, "?#"); i >= 0 {
		return u[:i]
	}
	return u
}

// keep stores the grant of a login, unless the user was logged out meanwhile.
// What it cannot keep it revokes: nobody else has it.
func (r *RP) keep(ctx context.Context, c *oidc.Client, p *pendingRecord, t *oidc.Tokens) (*Grant, error) {
	now := r.now()
	g := &grantRecord{
		issuer: p.pending.Issuer, clientID: p.pending.ClientID,
		started: now, ends: now.Add(r.grantLifetime), data: p.data, obtained: now, tokens: t,
	}
	if t.IDToken == nil || t.IDToken.Subject == "" {
		// parseResponseType and Finish see to it; without a subject there is
		// nobody to keep a grant for.
		r.discard(ctx, c, t)
		return nil, &oidc.ProtocolError{Reason: oidc.MissingIDToken, Step: oidc.StepToken, Spec: "Core 3.1.3.3", Detail: "the login gave no ID Token"}
	}
	g.subject, g.sid = t.IDToken.Subject, t.IDToken.SessionID
	place := seal.Hashed(grantClass, p.pending.State)
	rec, err := r.record(place, g)
	if err != nil {
		return nil, err
	}
	rec, err = r.shelf.create(ctx, rec)
	if isConflict(err) {
		// Another call has kept these tokens: neither they nor its grant are ours
		// to take away.
		return nil, stillConflict("keeping the grant", err)
	}
	if err != nil {
		// The write may have been done all the same. Nobody was told of it.
		r.detached(ctx, func(ctx context.Context) { _ = r.shelf.s.Delete(ctx, place) })
		r.discard(ctx, c, t)
		return nil, err
	}
	// Only now, when End would find the grant: either End sees it or we see
	// what End left (hostile catalogue case 266).
	ended, err := r.loggedOutSince(ctx, g, p.started)
	if err != nil || ended {
		r.detached(ctx, func(ctx context.Context) { _ = r.shelf.s.Delete(ctx, place) })
		r.discard(ctx, c, t)
		if err != nil {
			return nil, err
		}
		return nil, &Error{Reason: LoggedOut, Detail: "begin again"}
	}
	rec.Value = nil
	h := &held{rec: rec, grant: g}
	r.recent.put(place, h)
	kept := newGrant(r, p.pending.State, place, h)
	kept.begun = p.started
	return kept, nil
}

// record is a grant as it is stored.
func (r *RP) record(place string, g *grantRecord) (store.Record, error) {
	plain, err := g.encode()
	if err != nil {
		return store.Record{}, err
	}
	sealed, err := r.ring.seal(place, plain)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{Key: place, Value: sealed, Tags: r.grantTags(g), Expires: g.ends}, nil
}

// Grant finds the grant of a finished login by its state. One that ended, expired
// or never was is GrantEnded.
//
// Who knows a state gets its grant: an application takes it from the session of
// its user, never from a request's parameters.
func (r *RP) Grant(ctx context.Context, state string) (*Grant, error) {
	if state == "" {
		return nil, &Error{Reason: GrantEnded, Detail: "the state is empty"}
	}
	place := seal.Hashed(grantClass, state)
	h, err := r.load(ctx, place, nil)
	if err != nil {
		return nil, err
	}
	return newGrant(r, state, place, h), nil
}

// Tokens returns the tokens of a login, fresh, by its state; see Grant.Tokens.
func (r *RP) Tokens(ctx context.Context, state string) (*oidc.Tokens, error) {
	g, err := r.Grant(ctx, state)
	if err != nil {
		return nil, err
	}
	return g.Tokens(ctx)
}

// UserInfo asks for claims about the user of a login, by its state; see
// Grant.UserInfo.
func (r *RP) UserInfo(ctx context.Context, state string) (*oidc.UserInfo, error) {
	g, err := r.Grant(ctx, state)
	if err != nil {
		return nil, err
	}
	return g.UserInfo(ctx)
}

// enter lets a login begin or finish before Close, which waits for it, and none
// after it (hostile catalogue case 320).
func (r *RP) enter() (done func(), err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return nil, &Error{Reason: Closed}
	}
	r.running.Add(1)
	return r.running.Done, nil
}

// Close waits for the logins and refreshes that are under way, saves what the store
// could not take earlier, and revokes what is nobody's. It fails if something is lost by that: those users
// must log in again. It also closes the Providers that Configured and Dynamic have
// made for it. It may be called more than once. Afterwards no login begins or ends
// (Closed), and nothing is refreshed or fetched any more.
//
// A server stops taking requests first, by http.Server.Shutdown, which lets those
// that are there finish.
func (r *RP) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.running.Wait()
	err := r.saveAll()
	closeDirectory(r.directory)
	return err
}

// Format prints nothing: an RP holds keys.
func (r *RP) Format(f fmt.State, _ rune) { fmt.Fprint(f, "rp.RP{}") }

// Format prints no key.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rp.Config{Keys:%d LoginLifetime:%v GrantLifetime:%v}", len(c.Keys), c.LoginLifetime, c.GrantLifetime)
}

// LogValue is what slog logs: no key.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes no key.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// Format prints where the login goes, and no secret.
func (l Login) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rp.Login{Issuer:%q Identifier:%q}", l.Issuer, l.Identifier)
}

// LogValue is what slog logs: no secret.
func (l Login) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", l.Issuer), slog.String("identifier", l.Identifier))
}

// Format prints where the response arrived, and no secret.
func (a Arrival) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rp.Arrival{RedirectURI:%q}", bare(a.RedirectURI))
}

// LogValue is what slog logs: no secret.
func (a Arrival) LogValue() slog.Value {
	return slog.GroupValue(slog.String("redirect_uri", bare(a.RedirectURI)))
}
