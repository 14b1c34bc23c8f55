package rp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store"
)

// Health is how an RP is.
type Health struct {
	// Closed: Close was called; the process is about to end.
	Closed bool
	// Store is nil if the store answers, or how it failed.
	Store error
	// Unsaved is how many refreshed grants wait for a store that was down.
	Unsaved int
	// Issuers are the OPs that the directory has made clients of, or failed to,
	// sorted. One that nobody has used yet is not among them.
	Issuers []IssuerHealth
}

// IssuerHealth is how one OP is.
type IssuerHealth struct {
	oidc.ProviderHealth
	// Usable: there is a client, so that users can log in. If there is none,
	// LastFailure says why.
	Usable bool
}

// Ready reports whether requests should come to this process: it is not closed,
// and its store answers. An OP that is down is no reason to turn away those who
// are logged in; see Degraded.
func (h Health) Ready() bool { return !h.Closed && h.Store == nil }

// Degraded reports whether something is to be looked at, though requests may come:
// an OP failed last time, or grants wait to be saved.
func (h Health) Degraded() bool {
	return h.Unsaved > 0 || slices.ContainsFunc(h.Issuers, func(i IssuerHealth) bool { return !i.Usable || i.LastFailure != nil })
}

// failure is when an OP could not be used, and why.
type failure struct {
	at  time.Time
	err error
}

// reporter is implemented by directories that can tell how their OPs are.
type reporter interface {
	report(f func(IssuerHealth))
}

// Health asks the store for a record that there is none of, and tells from memory
// how the OPs are: it reaches none of them. ctx bounds how long the store may take.
func (r *RP) Health(ctx context.Context) Health {
	r.mu.Lock()
	h := Health{Closed: r.closed, Unsaved: len(r.unsaved)}
	r.mu.Unlock()
	if _, err := r.shelf.s.Load(ctx, seal.Hashed(healthClass, r.instance)); err != nil && !errors.Is(err, store.ErrNotFound) {
		h.Store = storeFailed("asking whether it answers", err)
	}
	if d, ok := r.directory.(reporter); ok {
		d.report(func(i IssuerHealth) { h.Issuers = append(h.Issuers, i) })
	}
	slices.SortFunc(h.Issuers, func(a, b IssuerHealth) int { return strings.Compare(a.Issuer, b.Issuer) })
	return h
}

func (d only) report(f func(IssuerHealth)) {
	for _, c := range d {
		f(IssuerHealth{c.Provider().Health(), true})
	}
}

func (d each) report(f func(IssuerHealth)) {
	for _, one := range d {
		if r, ok := one.(reporter); ok {
			r.report(f)
		}
	}
}

func (d *configured) report(f func(IssuerHealth)) { d.lazy.report(d.issuer, f) }

func (d *Dynamic) report(f func(IssuerHealth)) {
	d.mu.Lock()
	var entries []*entry
	for el := d.used.Front(); el != nil; el = el.Next() {
		entries = append(entries, el.Value.(*entry))
	}
	d.mu.Unlock()
	for _, e := range entries {
		e.lazy.report(e.issuer, f)
	}
}

func (l *lazy) report(issuer string, f func(IssuerHealth)) {
	failed := l.failed.Load()
	c := l.current()
	switch {
	case c != nil:
		h := IssuerHealth{c.Provider().Health(), true}
		if failed != nil && failed.at.After(h.LastFailureAt) {
			h.LastFailure, h.LastFailureAt = failed.err, failed.at
		}
		f(h)
	case failed != nil:
		f(IssuerHealth{oidc.ProviderHealth{Issuer: issuer, LastFailure: failed.err, LastFailureAt: failed.at}, false})
	}
}
