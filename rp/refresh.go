package rp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"time"

	"rely.example/internal/hook"
	"rely.example/oidc"
)

// How long a refresh may take. The hold on a grant outlasts the exchange with the
// OP by the time that saving may need, so that no second process begins while
// the first one still works.
const (
	exchangeTimeout = 30 * time.Second
	holdLifetime    = 45 * time.Second
	flightTimeout   = 75 * time.Second

	// cleanupTimeout bounds what is done after a failure, for nobody's sake but
	// the store's and the OP's.
	cleanupTimeout = 10 * time.Second

	// A process that waits for another one's refresh looks after firstLook, and
	// then ever more rarely, up to lastLook.
	firstLook = 20 * time.Millisecond
	lastLook  = 500 * time.Millisecond

	// After a failure nobody tries again before firstBackoff, doubled by each
	// further failure up to lastBackoff, unless the OP asks for more.
	firstBackoff = time.Second
	lastBackoff  = time.Minute

	// Saving is tried this often, first after saveWait, doubled each time.
	saveAttempts = 5
	saveWait     = 50 * time.Millisecond

	// maxUnsaved bounds how many refreshed tokens wait in memory for a store that
	// does not take them.
	maxUnsaved = 4096
)

// flight is one refresh under way in this process, for all who want it.
type flight struct {
	done chan struct{}
	held *held // valid after done
	err  error
	// renewed is whether held is what the OP gave to this flight.
	renewed bool
	// panicked is what a hook of the application said when it panicked, with the
	// stack; "" if none did.
	panicked string
}

// unsaved is what a refresh gave and the store did not take.
type unsaved struct {
	client *oidc.Client
	used   *held        // what was refreshed, with our hold on it
	next   *grantRecord // what came

	mu   sync.Mutex // held while it is being saved; guards done
	done bool
}

// refresh renews what the caller has, or waits until somebody else has done so.
// The work goes on when the caller leaves: a rotated token must be saved, whoever
// still wants it.
func (g *Grant) refresh(ctx context.Context, have *held, force bool) (*held, error) {
	// A flight that was begun for another reason may end without a new token.
	const rounds = 3
	for range rounds {
		f, err := g.rp.fly(ctx, g.place, have, force)
		if err != nil {
			if !force && have.grant.alive(g.rp.now()) {
				return have, nil
			}
			return nil, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			return nil, fmt.Errorf("rp: waiting for a refresh: %w", ctx.Err())
		}
		hook.Rethrow(f.panicked)
		if f.err != nil {
			// A flight for a forced refresh fails where the old token would do.
			if !force && f.held != nil && f.held.grant.alive(g.rp.now()) {
				return f.held, nil
			}
			return nil, f.err
		}
		g.held.Store(f.held)
		if !force || f.renewed || f.held.grant.renewedSince(have.grant) {
			return f.held, nil
		}
	}
	return nil, &Error{Reason: RefreshFailed, Detail: "the access token did not change"}
}

// renewedSince reports whether somebody refreshed after what the caller has. The
// access token alone does not tell: some OPs give the same one while it lives.
func (g *grantRecord) renewedSince(have *grantRecord) bool {
	return g.tokens.AccessToken != have.tokens.AccessToken || g.tokens.RefreshToken != have.tokens.RefreshToken ||
		g.obtained.UnixMilli() != have.obtained.UnixMilli() // the precision of a record
}

// fly joins the refresh of a grant that is under way, or begins one.
func (r *RP) fly(ctx context.Context, place string, have *held, force bool) (*flight, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if f := r.flights[place]; f != nil {
		return f, nil
	}
	if r.closed {
		return nil, &Error{Reason: RefreshFailed, Detail: "the RP is closed"}
	}
	f := &flight{done: make(chan struct{})}
	r.flights[place] = f
	ctx = context.WithoutCancel(ctx)
	r.running.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, flightTimeout)
		defer cancel()
		f.panicked = hook.Caught(func() { f.held, f.err = r.renew(ctx, f, place, have, force) })
		r.mu.Lock()
		delete(r.flights, place)
		r.mu.Unlock()
		close(f.done)
	})
	return f, nil
}

// renew takes hold of the grant and refreshes it. With an error it may return
// what there was before, for who can do with it.
func (r *RP) renew(ctx context.Context, f *flight, place string, have *held, force bool) (*held, error) {
	for look := firstLook; ; look = min(2*look, lastLook) {
		if err := r.saveWaiting(ctx, place); err != nil {
			return nil, err
		}
		h, err := r.load(ctx, place, have)
		if err != nil {
			return nil, err
		}
		g, now := h.grant, r.now()
		if force && g.renewedSince(have.grant) || !force && g.fresh(now, r.margin) {
			return h, nil // somebody did it
		}
		if g.tokens.RefreshToken == "" {
			return h.unless(force, now, &Error{Reason: LoginNeeded, Detail: "the OP gave no refresh token"})
		}
		// A hold of our own was left over by a write of which the store did not
		// say that it was done.
		if g.holder != "" && g.holder != r.instance && now.Before(g.holdUntil) {
			if !force && g.alive(now) {
				return h, nil
			}
			if err := pause(ctx, look); err != nil {
				return h, &Error{Reason: RefreshFailed, Detail: "another process has been refreshing for too long", RetryAfter: max(g.holdUntil.Sub(now), 0), Err: err}
			}
			continue
		}
		if now.Before(g.retryAt) {
			return h.unless(force, now, &Error{Reason: RefreshFailed, RetryAfter: g.retryAt.Sub(now),
				Detail: fmt.Sprintf("it failed %d times in a row; the next attempt is due in %v", g.failures, g.retryAt.Sub(now).Round(time.Millisecond))})
		}
		c, err := r.client(ctx, g.issuer)
		if err != nil {
			return h.unless(force, now, err)
		}
		if c.ID() != g.clientID {
			return h.unless(force, now, &Error{Reason: LoginNeeded, Detail: "the grant was given to a client that was registered anew since"})
		}
		mine := *g
		mine.holder, mine.holdUntil = r.instance, now.Add(holdLifetime)
		marked, err := r.replace(ctx, place, h, &mine)
		if err == nil {
			return r.exchange(ctx, f, place, c, marked, force)
		}
		if !isConflict(err) {
			return h.unless(force, now, err)
		}
		if err := pause(ctx, look); err != nil {
			return h, &Error{Reason: RefreshFailed, Detail: "the grant keeps changing", Err: err}
		}
	}
}

// unless returns what there is if that will do, or the error beside it.
func (h *held) unless(force bool, now time.Time, err error) (*held, error) {
	if !force && h.grant.alive(now) {
		return h, nil
	}
	return h, err
}

// replace puts next in the place of h.
func (r *RP) replace(ctx context.Context, place string, h *held, next *grantRecord) (*held, error) {
	rec, err := r.record(place, next)
	if err != nil {
		return nil, err
	}
	rec.Rev = h.rec.Rev
	if rec, err = r.shelf.replace(ctx, rec); err != nil {
		return nil, err
	}
	rec.Value = nil
	kept := &held{rec: rec, grant: next}
	r.recent.put(place, kept)
	return kept, nil
}

// exchange asks the OP, with the hold on the grant in h, and sorts the answer.
func (r *RP) exchange(ctx context.Context, f *flight, place string, c *oidc.Client, h *held, force bool) (*held, error) {
	g := h.grant
	call, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	t, err := c.Refresh(call, g.tokens)
	if lost, ok := errors.AsType[*oidc.TransportError](err); ok && lost != nil && g.failures == 0 && call.Err() == nil {
		// The answer may be lost after the OP rotated the token. OPs give a grace
		// for exactly that; one that gives none says invalid_grant, and the user
		// logs in again (hostile catalogue case 250).
		t, err = c.Refresh(call, g.tokens)
	}
	next := *g
	next.holder, next.holdUntil, next.failures, next.retryAt = "", time.Time{}, 0, time.Time{}
	if err == nil {
		next.tokens, next.obtained = t, r.now()
		if t.AccessToken == g.tokens.AccessToken && t.Expiry.IsZero() && next.obtained.Before(g.tokens.Expiry) {
			t.Expiry = g.tokens.Expiry // of that very token the OP has told it
		}
		kept, err := r.save(ctx, place, &unsaved{client: c, used: h, next: &next}, force)
		f.renewed = err == nil && kept != h
		return kept, err
	}
	if op, ok := errors.AsType[*oidc.OPError](err); ok && op.Code == "invalid_grant" {
		return r.over(ctx, place, h, force, err)
	}
	now := r.now()
	next.failures = g.failures + 1
	wait := backoff(g.failures)
	if op, ok := errors.AsType[*oidc.OPError](err); ok {
		wait = max(wait, op.RetryAfter)
	}
	next.retryAt = now.Add(wait)
	failed := &Error{Reason: RefreshFailed, RetryAfter: wait, Err: err}
	kept, rerr := r.replace(ctx, place, h, &next)
	if rerr != nil {
		// A logout wins; for anything else the hold runs out by itself.
		if kept, rerr = r.load(ctx, place, nil); errors.Is(rerr, GrantEnded) {
			return nil, rerr
		} else if rerr != nil {
			kept = h
		}
	}
	return kept.unless(force, now, failed)
}

// backoff is how long to wait after that many failures and one more.
func backoff(failures int64) time.Duration {
	return min(firstBackoff<<min(failures, 16), lastBackoff)
}

// over ends a grant of which the OP says that it is over (RFC 6749 section 5.2,
// invalid_grant), unless somebody has renewed it meanwhile: then the OP spoke of
// the old token only.
func (r *RP) over(ctx context.Context, place string, h *held, force bool, cause error) (*held, error) {
	ended := &Error{Reason: GrantEnded, Detail: "log in again", Err: cause}
	gone := *h.grant
	gone.ends = time.Unix(1, 0).UTC()
	_, err := r.replace(ctx, place, h, &gone)
	if err == nil {
		return nil, ended
	}
	now, err := r.load(ctx, place, nil)
	switch {
	case errors.Is(err, GrantEnded):
		return nil, ended
	case err != nil:
		return nil, err
	case now.grant.tokens.RefreshToken != h.grant.tokens.RefreshToken:
		return now, nil
	}
	return now.unless(force, r.now(), &Error{Reason: RefreshFailed, Detail: "the OP refused the refresh token while another process uses it", Err: cause})
}

// save keeps what a refresh gave, before anybody gets it. What the store does not
// take stays in memory, to be saved by the next call or by Close.
func (r *RP) save(ctx context.Context, place string, u *unsaved, force bool) (*held, error) {
	var err error
	for wait, i := saveWait, 0; i < saveAttempts; wait, i = 2*wait, i+1 {
		var h *held
		if h, err = r.saveOnce(ctx, place, u); err == nil {
			return h, nil
		}
		if errors.Is(err, GrantEnded) {
			r.discard(ctx, u.client, u.next.tokens)
			return nil, err
		}
		if pause(ctx, wait) != nil {
			break
		}
	}
	r.keepUnsaved(place, u)
	return u.used.unless(force, r.now(), err)
}

// keepUnsaved has u saved later. Beyond maxUnsaved the tokens are given up: the
// grant then ends with the old refresh token, and its user logs in again.
func (r *RP) keepUnsaved(place string, u *unsaved) {
	now := r.now()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.unsaved) >= maxUnsaved {
		maps.DeleteFunc(r.unsaved, func(_ string, u *unsaved) bool { return !now.Before(u.next.ends) })
	}
	if len(r.unsaved) < maxUnsaved {
		r.unsaved[place] = u
	}
	r.waiting.Store(int64(len(r.unsaved)))
}

// saveOnce writes over what was refreshed, also if the hold on it has passed to
// another process meanwhile: what we have is newer than what that one uses.
func (r *RP) saveOnce(ctx context.Context, place string, u *unsaved) (*held, error) {
	h := u.used
	const rounds = 3
	for range rounds {
		kept, err := r.replace(ctx, place, h, u.next)
		if !isConflict(err) {
			return kept, err
		}
		if h, err = r.load(ctx, place, nil); errors.Is(err, GrantEnded) {
			// A logout came meanwhile and wins. The new tokens are nobody's, and
			// the caller discards them.
			return nil, err
		} else if err != nil {
			return nil, err
		}
		if h.grant.tokens.RefreshToken != u.used.grant.tokens.RefreshToken || h.grant.tokens.AccessToken != u.used.grant.tokens.AccessToken {
			return h, nil // somebody else saved something newer
		}
	}
	return nil, &Error{Reason: StoreUnavailable, Detail: "the grant keeps changing"}
}

// saveWaiting saves what a refresh of that grant gave earlier. Until that is
// done nobody in this process uses the old refresh token.
func (r *RP) saveWaiting(ctx context.Context, place string) error {
	if r.waiting.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	u := r.unsaved[place]
	r.mu.Unlock()
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.done {
		return nil
	}
	_, err := r.saveOnce(ctx, place, u)
	if err == nil || errors.Is(err, GrantEnded) {
		u.done = true
		r.forget(place)
	}
	if errors.Is(err, GrantEnded) {
		r.discard(ctx, u.client, u.next.tokens)
	}
	return err
}

// forget takes what waits to be saved for a grant.
func (r *RP) forget(place string) *unsaved {
	if r.waiting.Load() == 0 {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	u := r.unsaved[place]
	delete(r.unsaved, place)
	r.waiting.Store(int64(len(r.unsaved)))
	return u
}

// saveAll is the last attempt.
func (r *RP) saveAll() error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	r.mu.Lock()
	all := r.unsaved
	r.unsaved = make(map[string]*unsaved)
	r.waiting.Store(0)
	r.mu.Unlock()
	lost := 0
	var last error
	var nobodys []*unsaved
	for place, u := range all {
		if _, err := r.saveOnce(ctx, place, u); errors.Is(err, GrantEnded) {
			nobodys = append(nobodys, u)
		} else if err != nil {
			lost, last = lost+1, err
		}
	}
	revokeAll(nobodys) // once everything is saved: an OP may be slow
	if lost > 0 {
		return &Error{Reason: StoreUnavailable, Detail: fmt.Sprintf("%d refreshed grants could not be saved; their users must log in again", lost), Err: last}
	}
	return nil
}

// discard revokes tokens that nobody will ever have, as far as the OP lets us.
// Nobody waits for it but Close; once that waits, the caller does, for whom it
// waits.
func (r *RP) discard(ctx context.Context, c *oidc.Client, t *oidc.Tokens) {
	revoke := func() {
		_ = hook.Caught(func() { // nobody wants to be told
			r.detached(ctx, func(ctx context.Context) {
				_ = c.RevokeTokens(ctx, t) // the tokens are lost in any case
			})
		})
	}
	r.mu.Lock()
	closed := r.closed
	if !closed {
		r.running.Go(revoke)
	}
	r.mu.Unlock()
	if closed {
		revoke()
	}
}

// revokeAll is discard for all that Close could not save, a few at a time and
// within the time of one.
func revokeAll(all []*unsaved) {
	const atOnce = 8
	ctx, cancel := context.WithTimeout(context.Background(), cleanupTimeout)
	defer cancel()
	slots := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for _, u := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			_ = hook.Caught(func() { _ = u.client.RevokeTokens(ctx, u.next.tokens) })
		})
	}
	running.Wait()
}

// detached runs f, which must not end with the caller, within its own time.
func (r *RP) detached(ctx context.Context, f func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTimeout)
	defer cancel()
	f(ctx)
}

// pause waits, or returns the context's error.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
