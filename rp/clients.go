package rp

import (
	"context"
	"slices"

	"rely.example/oidc"
)

// Client is the client that the directory has for an issuer: for the messages
// that belong to no grant, such as a logout token.
func (r *RP) Client(ctx context.Context, issuer string) (*oidc.Client, error) {
	return r.client(ctx, issuer)
}

// Issuers are the OPs that the directory can name, sorted: those of Only,
// Configured and Each. A Dynamic names none, since it has any that it allows.
func (r *RP) Issuers() []string {
	l, ok := r.directory.(lister)
	if !ok {
		return nil
	}
	var issuers []string
	l.list(func(issuer, _ string) { issuers = append(issuers, issuer) })
	slices.Sort(issuers)
	return slices.Compact(issuers)
}
