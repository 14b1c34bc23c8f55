package rp

import (
	"container/list"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"rely.example/oidc"
	"rely.example/store"
)

// Defaults and bounds of Dynamic.
const (
	// DefaultMaxIssuers is how many clients are kept in memory.
	DefaultMaxIssuers = 1000
	// DefaultRegistrationsPerMinute is how many issuers are registered at.
	DefaultRegistrationsPerMinute = 30
	// maxIssuer bounds an issuer, in bytes.
	maxIssuer = 2048
)

// Dynamic is a Directory for OPs that nobody has set up: it discovers an issuer
// and registers a client there when somebody first logs in at it. The
// registration is kept in the Store, sealed, and used by every process and after
// every restart; one process registers, the others wait for it. When its secret
// expires the client is read again, or else registered anew.
//
// Each issuer has a redirect URI of its own, so that no OP can answer a login at
// another (RFC 9700 section 4.4.2).
//
// The fields must not change after the first use; the value must not be copied.
type Dynamic struct {
	// Allow says at which issuers one may log in, with an error for those at
	// which not. It is asked every time, so that it can take an issuer back. Nil
	// allows none. A program for the open Internet allows what it has not banned;
	// see RegistrationsPerMinute.
	Allow func(ctx context.Context, issuer string) error

	// RedirectBase is the https URL below which the redirect URIs are, such as
	// "https://rp.example/callback/"; see RedirectURI. Required.
	RedirectBase string

	// Metadata is what to register, but for the redirect URI. Without JWKS and
	// JWKSURI the public halves of Keys are registered. Whoever changes it
	// registers anew; the grants of before then need a new login to be renewed.
	Metadata oidc.ClientMetadata

	// Keys are the client's private keys; none are needed for a client that
	// authenticates with its secret. They must be the same in every process.
	Keys []oidc.Key

	// Encryption and DPoP are as in oidc.ClientConfig. Metadata that has something
	// encrypted needs the one, DPoPBoundAccessTokens the other; nil means neither.
	Encryption oidc.Encryption
	DPoP       oidc.DPoPMode

	// InitialToken returns the initial access token for an issuer that wants one
	// (Registration section 3). Nil, and "", mean none.
	InitialToken func(ctx context.Context, issuer string) (string, error)

	// Providers are OPs whose metadata is known and not discovered. Anything
	// else at such an issuer is as at the others.
	Providers []*oidc.Provider

	// Options reach the OPs; nil is the zero value, which has the hardened
	// defaults.
	Options *oidc.Options

	// Adjust changes the configuration of a client before it is made: a quirk
	// that one OP needs. Nil changes nothing.
	Adjust func(issuer string, c *oidc.ClientConfig)

	// Store keeps the registrations. Nil keeps them in memory, for this value
	// alone: each start of the program registers anew.
	Store store.Store

	// SealKeys seal the registrations; as Config.Keys. They are required with a
	// Store, since a registration is to outlive the process.
	SealKeys [][]byte

	// MaxIssuers is how many clients are kept in memory, those used last. Zero
	// means DefaultMaxIssuers.
	MaxIssuers int

	// RegistrationsPerMinute bounds at how many new issuers strangers can have a
	// client registered. Zero means DefaultRegistrationsPerMinute.
	RegistrationsPerMinute int

	// Now is the clock; nil means that of Options, or time.Now.
	Now func() time.Time

	once  sync.Once
	err   error // of the fields, by once
	ring  ring
	shelf shelf
	asked oidc.ClientMetadata

	mu       sync.Mutex // guards the fields below
	closed   bool
	entries  map[string]*list.Element
	used     list.List // of *entry, the last used in front
	allowed  float64   // registrations that may be begun now
	refilled time.Time
}

// entry is one issuer in memory.
type entry struct {
	issuer string
	lazy   lazy

	// provider and registration belong to who makes the client (lazy.turn).
	provider     *oidc.Provider
	registration *kept // without a Store
}

// Client implements Directory.
func (d *Dynamic) Client(ctx context.Context, issuer string) (*oidc.Client, error) {
	if err := d.setUp(); err != nil {
		return nil, err
	}
	if issuer == "" || len(issuer) > maxIssuer {
		return nil, &Error{Reason: UnknownIssuer, Detail: fmt.Sprintf("an issuer of %d bytes", len(issuer))}
	}
	if d.Allow == nil {
		return nil, &Error{Reason: IssuerRefused, Detail: fmt.Sprintf("%.200q: Dynamic.Allow is nil, which allows none", issuer)}
	}
	if err := d.Allow(ctx, issuer); err != nil {
		return nil, &Error{Reason: IssuerRefused, Detail: fmt.Sprintf("%.200q", issuer), Err: err}
	}
	return d.entry(issuer).lazy.client(ctx)
}

// AllowIssuers is a Dynamic.Allow for exactly these issuers, compared byte by
// byte.
func AllowIssuers(issuers ...string) func(context.Context, string) error {
	set := make(map[string]bool, len(issuers))
	for _, i := range issuers {
		set[i] = true
	}
	return func(_ context.Context, issuer string) error {
		if !set[issuer] {
			return errNotListed
		}
		return nil
	}
}

var errNotListed = errors.New("it is not on the list")

// RedirectURI is where the answers of an issuer arrive: RedirectBase and a hash of
// the issuer. A handler for everything below RedirectBase gives the URL that was
// asked for to Finish, as Arrival.RedirectURI.
func (d *Dynamic) RedirectURI(issuer string) string {
	sum := sha256.Sum256([]byte("redirect\x00" + issuer))
	return strings.TrimSuffix(d.RedirectBase, "/") + "/" + base64.RawURLEncoding.EncodeToString(sum[:16])
}

// Format prints no key.
func (d *Dynamic) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "rp.Dynamic{RedirectBase:%q}", d.RedirectBase)
}

func (d *Dynamic) setUp() error {
	d.once.Do(func() { d.err = d.check() })
	return d.err
}

func (d *Dynamic) check() error {
	bad := func(detail string) error { return &Error{Reason: BadConfig, Detail: detail} }
	if d.RedirectBase == "" || strings.ContainsAny(d.RedirectBase, "?#") || !strings.Contains(d.RedirectBase, "://") {
		return bad("Dynamic.RedirectBase must be an absolute URL without query or fragment")
	}
	if len(d.Metadata.RedirectURIs) != 0 {
		return bad("Dynamic.Metadata.RedirectURIs must be empty: they are made from RedirectBase, one for each issuer")
	}
	if d.MaxIssuers < 0 || d.RegistrationsPerMinute < 0 {
		return bad("Dynamic.MaxIssuers and RegistrationsPerMinute must not be negative")
	}
	if d.Store != nil && len(d.SealKeys) == 0 {
		return bad("Dynamic.SealKeys are required with a Store")
	}
	d.shelf = shelf{d.Store}
	d.asked = d.Metadata
	if len(d.Keys) > 0 && len(d.asked.JWKS) == 0 && d.asked.JWKSURI == "" {
		set, err := oidc.PublicJWKS(d.Keys...)
		if err != nil {
			return err
		}
		d.asked.JWKS = set
	}
	if d.MaxIssuers == 0 {
		d.MaxIssuers = DefaultMaxIssuers
	}
	if d.RegistrationsPerMinute == 0 {
		d.RegistrationsPerMinute = DefaultRegistrationsPerMinute
	}
	d.entries = make(map[string]*list.Element)
	d.allowed, d.refilled = float64(d.RegistrationsPerMinute), d.now()
	var err error
	d.ring, err = newRing(d.SealKeys)
	return err
}

func (d *Dynamic) now() time.Time {
	switch {
	case d.Now != nil:
		return d.Now()
	case d.Options != nil && d.Options.Now != nil:
		return d.Options.Now()
	}
	return time.Now()
}

// entry returns what is known of an issuer in memory. The one that was not used
// for the longest time makes room; its registration stays in the store.
func (d *Dynamic) entry(issuer string) *entry {
	d.mu.Lock()
	defer d.mu.Unlock()
	if el := d.entries[issuer]; el != nil {
		d.used.MoveToFront(el)
		return el.Value.(*entry)
	}
	e := &entry{issuer: issuer}
	for _, p := range d.Providers {
		if p.Issuer() == issuer {
			e.provider = p
		}
	}
	e.lazy.now = d.now
	e.lazy.release = func(c *oidc.Client) {
		if !slices.Contains(d.Providers, c.Provider()) {
			c.Provider().Close()
		}
	}
	e.lazy.closed.Store(d.closed)
	e.lazy.make = func(ctx context.Context) (*oidc.Client, time.Time, error) { return d.make(ctx, e) }
	d.entries[issuer] = d.used.PushFront(e)
	for d.used.Len() > d.MaxIssuers {
		last := d.used.Back()
		d.used.Remove(last)
		delete(d.entries, last.Value.(*entry).issuer)
	}
	return e
}

// close closes the Providers that were discovered here.
func (d *Dynamic) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	for el := d.used.Front(); el != nil; el = el.Next() {
		el.Value.(*entry).lazy.close()
	}
}

// admit takes one registration from what is allowed in this time.
func (d *Dynamic) admit() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit, now := float64(d.RegistrationsPerMinute), d.now()
	if passed := now.Sub(d.refilled); passed > 0 {
		d.allowed = min(limit, d.allowed+limit*passed.Minutes())
		d.refilled = now
	}
	if d.allowed < 1 {
		return &Error{Reason: TooManyIssuers, Detail: fmt.Sprintf("at most %d in a minute", d.RegistrationsPerMinute),
			RetryAfter: time.Duration((1 - d.allowed) / limit * float64(time.Minute))}
	}
	d.allowed--
	return nil
}

// make makes the client of an issuer from what is kept, or else from discovery
// and registration. Only one caller does so for an issuer at a time.
func (d *Dynamic) make(ctx context.Context, e *entry) (*oidc.Client, time.Time, error) {
	fail := func(err error) (*oidc.Client, time.Time, error) { return nil, time.Time{}, err }
	place, err := d.place(e.issuer)
	if err != nil {
		return fail(err)
	}
	k, err := d.load(ctx, e, place)
	if err != nil {
		return fail(err)
	}
	if k == nil {
		// Here strangers make us work, and others too: what follows is bounded.
		if err := d.admit(); err != nil {
			return fail(err)
		}
	}
	if e.provider == nil {
		if e.provider, err = oidc.Discover(ctx, e.issuer, d.Options); err != nil {
			return fail(err)
		}
	}
	if !k.good(d.now()) {
		if k, err = d.settle(ctx, e, place); err != nil {
			return fail(err)
		}
	}
	config := k.registration.ClientConfig(d.Keys...)
	config.Encryption, config.DPoP = d.Encryption, d.DPoP
	if d.Adjust != nil {
		d.Adjust(e.issuer, &config)
	}
	c, err := oidc.NewClient(e.provider, config)
	return c, k.until(), err
}

// metadata is what is asked for at an issuer.
func (d *Dynamic) metadata(issuer string) oidc.ClientMetadata {
	m := d.asked
	m.RedirectURIs = []string{d.RedirectURI(issuer)}
	return m
}
