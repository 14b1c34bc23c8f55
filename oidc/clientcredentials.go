package oidc

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ClientCredentials gets a token for the client itself (RFC 6749 section 4.4): no
// user takes part, and there is no ID Token. Each call asks the OP; a TokenSource
// keeps what it got.
func (c *Client) ClientCredentials(ctx context.Context, p TokenParams) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "ClientCredentials")
	defer call.end(&err)
	if c.auth.Method() == AuthNone {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig.Auth", Detail: "client credentials need a client that authenticates (RFC 6749 section 4.4)"}
	}
	form, err := p.form("TokenParams")
	if err != nil {
		return nil, err
	}
	form.Set("grant_type", GrantClientCredentials)
	t, err := c.direct(ctx, form, p.Scopes)
	if err != nil {
		return nil, err
	}
	// RFC 6749 section 4.4.3: the client itself can always ask again.
	t.RefreshToken = ""
	return t, nil
}

// Margins of a TokenSource.
const (
	// tokenMargin is how long before its end a token is renewed, but never more
	// than a fifth of its life.
	tokenMargin = 30 * time.Second
	// tokenRetry is how long a token that still lives is used after it could not
	// be renewed.
	tokenRetry = 5 * time.Second
)

// TokenSource keeps the token of a service: it asks for one when there is none,
// renews it before it expires, and has at most one request under way, whose
// outcome all callers share. It is safe for concurrent use, belongs to whoever
// made it, and has nothing to close.
//
// Tokens has the form of rp.Grant's, so that one transport serves both.
type TokenSource struct {
	client *Client
	fetch  func(ctx context.Context) (*Tokens, error)

	mu     sync.Mutex // guards the fields below
	tokens *Tokens
	renew  time.Time // from when on tokens should be replaced; zero: when they are refused
	flight *tokenFlight
}

// tokenFlight is the one request under way.
type tokenFlight struct {
	done   chan struct{} // closed when the fields below are set
	tokens *Tokens
	err    error
}

// TokenSource returns a source of tokens by client credentials.
func (c *Client) TokenSource(p TokenParams) *TokenSource {
	p = p.clone()
	return &TokenSource{client: c, fetch: func(ctx context.Context) (*Tokens, error) { return c.ClientCredentials(ctx, p) }}
}

// Tokens returns a token that lives for some seconds more at least, unless its
// life is shorter. While an old one still lives, one caller waits for the new one
// and the others go on; if it cannot be had for now, the old one is returned to
// its end. A token without a known end is returned until Discard.
//
// A caller whose ctx ends leaves; the others go on waiting, or ask themselves.
func (s *TokenSource) Tokens(ctx context.Context) (*Tokens, error) {
	for {
		now := s.client.p.env.now()
		s.mu.Lock()
		t, f := s.tokens, s.flight
		alive := t != nil && t.Valid(now, 0)
		if alive && (f != nil || s.renew.IsZero() || now.Before(s.renew)) {
			s.mu.Unlock()
			return t, nil
		}
		if f == nil {
			f = &tokenFlight{done: make(chan struct{})}
			s.flight = f
			s.mu.Unlock()
			return s.lead(ctx, f)
		}
		s.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, &TransportError{Step: StepToken, Detail: "waiting for a token was given up: " + context.Cause(ctx).Error(), Err: context.Cause(ctx)}
		}
		if f.tokens != nil || f.err != nil {
			return f.tokens, f.err
		}
		// Who asked gave up: it is somebody else's turn.
	}
}

// lead asks for a token in the name of all who wait.
func (s *TokenSource) lead(ctx context.Context, f *tokenFlight) (*Tokens, error) {
	// Deferred, since a hook or ClientAuth of the application may panic, and whoever
	// handles a request lives on: then it is somebody else's turn.
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.flight = nil
		close(f.done)
	}()
	t, err := s.fetch(ctx)
	now := s.client.p.env.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case err == nil:
		s.tokens, s.renew = t, renewAt(t, now)
		f.tokens = t
		return t, nil
	case StillPending(err) && s.tokens != nil && s.tokens.Valid(now, 0):
		s.renew = now.Add(tokenRetry)
		f.tokens = s.tokens
		return s.tokens, nil
	case ctx.Err() == nil:
		f.err = err
	}
	return nil, err
}

// renewAt is when a token should be replaced: some time before its end; zero if it
// has none, for then nothing is left of its life.
func renewAt(t *Tokens, now time.Time) time.Time {
	return t.Expiry.Add(-min(tokenMargin, max(t.Expiry.Sub(now), 0)/5))
}

// Discard forgets t, because a resource refused it (401, invalid_token), so that
// the next Tokens asks for another. A token that was replaced already is left
// alone.
func (s *TokenSource) Discard(t *Tokens) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t != nil && s.tokens != nil && s.tokens.AccessToken == t.AccessToken {
		s.tokens = nil
	}
}

// Format prints whose tokens they are, and no secret.
func (s *TokenSource) Format(f fmt.State, _ rune) {
	redact(f, "oidc.TokenSource", "Client", fmt.Sprint(*s.client))
}

// LogValue is what slog logs: whose tokens they are, and no secret.
func (s *TokenSource) LogValue() slog.Value { return s.client.LogValue() }
