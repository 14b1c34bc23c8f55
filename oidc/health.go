package oidc

import (
	"time"

	"rely.example/internal/jose"
)

// ProviderHealth is how a Provider is. Nothing is fetched to tell it.
type ProviderHealth struct {
	Issuer string
	// MetadataFetched is when the metadata in use was fetched; zero if it was
	// given by hand. MetadataDue is when it is fetched anew, in passing; zero:
	// never.
	MetadataFetched, MetadataDue time.Time
	// Keys is how many keys of the OP verify signatures; 0 before they were needed
	// for the first time. KeysFetched is when they were fetched, zero: never or
	// given by hand; KeysFreshUntil is when they are no longer fresh.
	Keys                        int
	KeysFetched, KeysFreshUntil time.Time
	// LastFailure is the failure of the newest fetch of metadata or keys that has
	// not been made good since; nil if all is well. LastFailureAt is when.
	LastFailure   error
	LastFailureAt time.Time
}

// failedFetch is a fetch of metadata that failed.
type failedFetch struct {
	at  time.Time
	err error
}

// Health tells how old the metadata and the keys are, and what failed last. The
// last good copy is used while a fetch fails, so that a failure is no outage yet.
func (p *Provider) Health() ProviderHealth {
	s := p.state.Load()
	h := ProviderHealth{Issuer: s.md.Issuer, MetadataFetched: s.fetched, MetadataDue: s.due}
	if f := p.failed.Load(); f != nil {
		h.LastFailure, h.LastFailureAt = f.err, f.at
	}
	switch keys := s.keys.(type) {
	case staticKeys:
		h.Keys = keys.set.Len()
	case *jose.Remote:
		k := keys.Status()
		h.Keys, h.KeysFetched = k.Keys, k.Fetched
		if !k.Fetched.IsZero() {
			h.KeysFreshUntil = k.Fetched.Add(k.Fresh)
		}
		if k.Failure != nil && k.FailedAt.After(h.LastFailureAt) {
			h.LastFailure, h.LastFailureAt = signatureRefused(k.Failure), k.FailedAt
		}
	}
	return h
}
