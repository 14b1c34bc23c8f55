package rp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/oidc"
)

// Directory finds the client to use at an issuer.
//
// Client is called for every login and every refresh, concurrently, and answers
// at once when it can. The client's Provider has exactly that issuer. An issuer
// that is not the directory's is UnknownIssuer, one that it may not use is
// IssuerRefused; an OP that cannot be reached is another error, and a later call
// may succeed.
type Directory interface {
	Client(ctx context.Context, issuer string) (*oidc.Client, error)
}

// sole is implemented by directories that can tell that they have one OP.
type sole interface{ soleIssuer() bool }

func soleIssuer(d Directory) bool {
	s, ok := d.(sole)
	return ok && s.soleIssuer()
}

// lister is implemented by directories that can tell their redirect URIs.
type lister interface {
	// list calls f with each redirect URI of each issuer.
	list(f func(issuer, redirectURI string))
}

// checkRedirectURIs refuses two OPs that answer at one redirect URI: the one
// could answer in the place of the other (RFC 9700 section 4.4.2).
func checkRedirectURIs(d Directory) error {
	l, ok := d.(lister)
	if !ok {
		return nil
	}
	var err error
	owner := make(map[string]string)
	l.list(func(issuer, uri string) {
		uri = bare(uri)
		if other, ok := owner[uri]; ok && other != issuer {
			err = &Error{Reason: BadConfig, Detail: fmt.Sprintf("%q is the redirect URI of %q and of %q; each OP needs its own", uri, other, issuer)}
		}
		owner[uri] = issuer
	})
	return err
}

// closer is implemented by directories that make Providers of their own.
type closer interface{ close() }

// closeDirectory closes what a directory made. A client that was handed to it
// has an owner of its own.
func closeDirectory(d Directory) {
	if c, ok := d.(closer); ok {
		c.close()
	}
}

// Only is a directory of clients that exist. Of two at one issuer the first is
// used.
func Only(clients ...*oidc.Client) Directory {
	d := make(only, len(clients))
	for _, c := range clients {
		if c == nil {
			continue
		}
		if issuer := c.Provider().Issuer(); d[issuer] == nil {
			d[issuer] = c
		}
	}
	return d
}

type only map[string]*oidc.Client

// Client implements Directory.
func (d only) Client(_ context.Context, issuer string) (*oidc.Client, error) {
	if c := d[issuer]; c != nil {
		return c, nil
	}
	for _, c := range d {
		if c.Provider().Serves(issuer) { // as one of its tenants
			return c, nil
		}
	}
	return nil, &Error{Reason: UnknownIssuer, Detail: fmt.Sprintf("%.200q", issuer)}
}

func (d only) soleIssuer() bool { return len(d) == 1 }

func (d only) list(f func(issuer, redirectURI string)) {
	for issuer, c := range d {
		for _, uri := range c.Metadata().RedirectURIs {
			f(issuer, uri)
		}
	}
}

// Each is a directory of directories: each is asked in order until one has
// another answer than UnknownIssuer. So OPs with and without discovery, and with
// and without registration, stand side by side.
func Each(directories ...Directory) Directory { return each(directories) }

type each []Directory

// Client implements Directory.
func (d each) Client(ctx context.Context, issuer string) (*oidc.Client, error) {
	for _, one := range d {
		c, err := one.Client(ctx, issuer)
		if errors.Is(err, UnknownIssuer) {
			continue
		}
		return c, err
	}
	return nil, &Error{Reason: UnknownIssuer, Detail: fmt.Sprintf("%.200q", issuer)}
}

func (d each) soleIssuer() bool { return len(d) == 1 && soleIssuer(d[0]) }

func (d each) list(f func(issuer, redirectURI string)) {
	for _, one := range d {
		if l, ok := one.(lister); ok {
			l.list(f)
		}
	}
}

func (d each) close() {
	for _, one := range d {
		closeDirectory(one)
	}
}

// Configured is a directory of one OP whose metadata is discovered and whose
// client is known. Nothing is fetched before the first use, so that a program
// starts while its OP is down; a failed discovery is tried again by a later call,
// after a while that grows up to a minute. Once discovered, the Provider keeps
// its metadata and keys fresh by itself. RP.Close closes it.
//
// o is as for oidc.Discover, c as for oidc.NewClient.
func Configured(issuer string, o *oidc.Options, c oidc.ClientConfig) Directory {
	d := &configured{issuer: issuer, uris: slices.Clone(c.Metadata.RedirectURIs)}
	if o != nil {
		d.tenants, d.lazy.now = o.Tenants, o.Now
	}
	d.lazy.release = func(c *oidc.Client) { c.Provider().Close() }
	d.lazy.make = func(ctx context.Context) (*oidc.Client, time.Time, error) {
		p, err := oidc.Discover(ctx, issuer, o)
		if err != nil {
			return nil, time.Time{}, err
		}
		client, err := oidc.NewClient(p, c)
		return client, time.Time{}, err
	}
	return d
}

type configured struct {
	issuer  string
	tenants *oidc.Tenants
	uris    []string
	lazy    lazy
}

// Client implements Directory.
func (d *configured) Client(ctx context.Context, issuer string) (*oidc.Client, error) {
	if issuer != d.issuer && !d.tenants.Has(issuer) {
		return nil, &Error{Reason: UnknownIssuer, Detail: fmt.Sprintf("%.200q", issuer)}
	}
	return d.lazy.client(ctx)
}

func (d *configured) soleIssuer() bool { return true }

func (d *configured) close() { d.lazy.close() }

func (d *configured) list(f func(issuer, redirectURI string)) {
	for _, uri := range d.uris {
		f(d.issuer, uri)
	}
}

// lazy is a client that is made when it is first wanted, and anew when it is
// over. Many may want it: one makes it, the others wait.
type lazy struct {
	// make makes the client, and says until when it is good; zero: for ever.
	make func(ctx context.Context) (*oidc.Client, time.Time, error)
	now  func() time.Time // nil: time.Now
	// release lets go of a client that was made, when all is closed; nil: nothing
	// is to be done.
	release func(*oidc.Client)

	ready  atomic.Pointer[readyClient]
	closed atomic.Bool

	once sync.Once
	turn chan struct{} // holds one token; who has it makes the client
	// failed is the last failure, for Health; nil after a success.
	failed atomic.Pointer[failure]
	// The fields below belong to who holds the token.
	failures int64
	retryAt  time.Time
	err      error
}

type readyClient struct {
	client *oidc.Client
	until  time.Time
}

func (l *lazy) clock() time.Time {
	if l.now != nil {
		return l.now()
	}
	return time.Now()
}

func (l *lazy) current() *oidc.Client {
	if r := l.ready.Load(); r != nil && (r.until.IsZero() || l.clock().Before(r.until)) {
		return r.client
	}
	return nil
}

// close lets no client be made any more, and releases the one that there is.
func (l *lazy) close() {
	l.closed.Store(true)
	if r := l.ready.Load(); r != nil && l.release != nil {
		l.release(r.client)
	}
}

func (l *lazy) client(ctx context.Context) (*oidc.Client, error) {
	if c := l.current(); c != nil {
		return c, nil
	}
	l.once.Do(func() { l.turn = make(chan struct{}, 1) })
	select {
	case l.turn <- struct{}{}:
		defer func() { <-l.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("rp: waiting for the OP: %w", ctx.Err())
	}
	if c := l.current(); c != nil {
		return c, nil
	}
	if l.closed.Load() {
		return nil, &Error{Reason: Closed, Detail: "and its directory with it"}
	}
	now := l.clock()
	if l.err != nil && now.Before(l.retryAt) {
		return nil, l.err
	}
	c, until, err := l.make(ctx)
	if err != nil {
		if callerGone(ctx, err) || errors.Is(err, TooManyIssuers) || errors.Is(err, StoreUnavailable) {
			return nil, err // says nothing about the OP; the next one tries
		}
		l.retryAt = now.Add(backoff(l.failures))
		l.failures++
		l.err = err
		l.failed.Store(&failure{now, err})
		return nil, err
	}
	l.failures, l.err = 0, nil
	l.failed.Store(nil)
	l.ready.Store(&readyClient{c, until})
	if l.closed.Load() {
		l.close() // which had not seen it
	}
	return c, nil
}
