package rp

import (
	"context"
	"slices"

	"rely.example/oidc"
)

// PendingKey returns the state that an authentication response claims, by which
// its login is found: that of oidc.AuthResponse. One that is encrypted (JARM) is
// opened for that, with the keys of the client whose redirect URI it arrived at;
// redirectURI may be empty if the directory has a single OP. The state proves
// nothing.
func (r *RP) PendingKey(ctx context.Context, a oidc.AuthResponse, redirectURI string) (string, error) {
	return PendingKey(ctx, r.directory, a, redirectURI)
}

// PendingKey is RP.PendingKey for a directory. Those of this package know whose
// redirect URI it is; for one of an application's own an encrypted response is
// refused with oidc.BadEncryption.
func PendingKey(ctx context.Context, d Directory, a oidc.AuthResponse, redirectURI string) (string, error) {
	if !a.Encrypted() {
		return a.PendingKey()
	}
	switch d := d.(type) {
	case each:
		var err error
		for _, one := range d {
			key, failed := PendingKey(ctx, one, a, redirectURI)
			if failed == nil {
				return key, nil
			}
			err = failed
		}
		if err != nil {
			return "", err
		}
	case *Dynamic:
		// Whoever the OP is, the keys are these.
		if d.Encryption != nil {
			return d.Encryption.PendingKey(a, d.Keys...)
		}
	case lister:
		if issuers := arrivedFor(d, redirectURI); len(issuers) == 1 {
			c, err := d.(Directory).Client(ctx, issuers[0])
			if err != nil {
				return "", err
			}
			return c.PendingKey(a)
		}
	}
	return a.PendingKey()
}

// arrivedFor are the issuers that have a redirect URI; checkRedirectURIs has seen
// to it that there is no second one.
func arrivedFor(d lister, redirectURI string) (issuers []string) {
	d.list(func(issuer, uri string) {
		if (redirectURI == "" || sameRedirectURI(redirectURI, uri)) && !slices.Contains(issuers, issuer) {
			issuers = append(issuers, issuer)
		}
	})
	return issuers
}
