package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"

	"rely.example/oidc"
	"rely.example/store"
)

// keepPending puts a login into the store until its answer comes. The session of
// the browser that began it knows the state, and is the only way to it.
func (l *login) keepPending(ctx context.Context, p oidc.Pending) error {
	text, err := p.Export()
	if err != nil {
		return err
	}
	_, err = l.to.store.Create(ctx, store.Record{Key: pendingKey(p.State), Value: text, Expires: l.to.now().Add(oidc.DefaultLoginLifetime)})
	if err != nil {
		return fmt.Errorf("the login could not be kept: %w", err)
	}
	l.state = p.State
	return nil
}

// waiting reports whether a login waits for its answer.
func (l *login) waiting() bool { return l.state != "" }

// takePending takes the login out of the store: once and no more, whatever comes
// of it (hostile catalogue cases 110 and 111).
func (l *login) takePending(ctx context.Context) (oidc.Pending, error) {
	if !l.waiting() {
		return oidc.Pending{}, errNoLogin
	}
	r, err := l.to.store.Take(ctx, pendingKey(l.state))
	l.state, l.authURL = "", ""
	if err != nil {
		return oidc.Pending{}, errNoLogin
	}
	return oidc.ImportPending(r.Value)
}

// pendingKey hashes the state: who reads the store's keys cannot use them.
func pendingKey(state string) string {
	sum := sha256.Sum256([]byte(state))
	return "login:" + base64.RawURLEncoding.EncodeToString(sum[:])
}
