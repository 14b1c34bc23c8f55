package rp

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"rely.example/internal/hook"
	"rely.example/internal/layout"
	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store"
)

const (
	// cibaLook is how often FinishCIBA looks whether a notification came, at
	// whichever instance.
	cibaLook = time.Second
	// pingPatience is how long a ping is waited for before the OP is asked without
	// one, which it must bear (CIBA Core section 5): pings get lost.
	pingPatience = 30 * time.Second
	// maxSameRequest bounds how many logins may have one auth_req_id: those of
	// different OPs.
	maxSameRequest = 16
	// maxNotifyTries bounds how often a notification is written against others who
	// write at the same moment.
	maxNotifyTries = 5
)

// CIBA is what StartCIBA begins: a login that the user confirms on a device that
// the OP knows.
type CIBA struct {
	// Issuer is where to log in. It must be one that the directory knows. Required.
	Issuer string
	// Params name the user and say what is asked for.
	Params oidc.CIBAParams
	// Data is kept with the login and its grant, sealed, for the application. At
	// most MaxData bytes.
	Data []byte
}

// Format prints where the login goes, and not whose it is.
func (b CIBA) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "rp.CIBA{Issuer:%q}", b.Issuer) }

// LogValue is what slog logs: where the login goes, and not whose it is.
func (b CIBA) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(b)) }

// MarshalJSON writes where the login goes, and not whose it is.
func (b CIBA) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, `{"issuer":%q}`, b.Issuer), nil }

// cibaRecord is a backchannel login under way, or how it ended. The grant of one
// that ended well is under the same state.
type cibaRecord struct {
	state   string // the grant's
	login   *oidc.CIBALogin
	started time.Time
	data    string
	// next is when the OP may be asked again. It is part of the record, so that
	// moving it on is a compare-and-swap: of all instances one asks.
	next   time.Time
	pinged bool
	done   bool
	// failed is the error code that ended it, or another text; "" if none did.
	failed, description string
}

func (b *cibaRecord) encode() ([]byte, error) {
	x, err := b.login.Export()
	if err != nil {
		return nil, err
	}
	w := make(layout.Writer, 0, len(x)+len(b.data)+256)
	w.Text(b.state)
	w.Text(string(x))
	w.Time(b.started)
	w.Text(b.data)
	w.Time(b.next)
	w.Number(flag(b.pinged))
	w.Number(flag(b.done))
	w.Text(b.failed)
	w.Text(b.description)
	return w, nil
}

func decodeCIBA(plain []byte) (*cibaRecord, error) {
	r := layout.Read(plain)
	b := &cibaRecord{state: r.Text()}
	x := r.Text()
	b.started, b.data, b.next, b.pinged, b.done = r.Time(), r.Text(), r.Time(), r.Number() != 0, r.Number() != 0
	b.failed, b.description = r.Text(), r.Text()
	if err := done(r); err != nil {
		return nil, err
	}
	var err error
	if b.login, err = oidc.ImportCIBALogin([]byte(x)); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the backchannel login in it", Err: err}
	}
	return b, nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// StartCIBA asks the OP to ask a user (CIBA Core section 7), and keeps the login
// under a state of 130 random bits, which it returns, until FinishCIBA or CheckCIBA
// finds that the user has decided. Any instance may do that, and any may be where a
// notification arrives.
//
// The errors are those of Start, and of oidc.Client's BeginCIBA.
func (r *RP) StartCIBA(ctx context.Context, b CIBA) (state string, login *oidc.CIBALogin, err error) {
	leave, err := r.enter()
	if err != nil {
		return "", nil, err
	}
	defer leave()
	if len(b.Data) > MaxData {
		return "", nil, &Error{Reason: BadConfig, Detail: fmt.Sprintf("CIBA.Data has %d bytes, at most %d", len(b.Data), MaxData)}
	}
	c, err := r.client(ctx, b.Issuer)
	if err != nil {
		return "", nil, err
	}
	if login, err = c.BeginCIBA(ctx, b.Params); err != nil {
		return "", nil, err
	}
	state = rand.Text()
	now := r.now()
	rec := &cibaRecord{state: state, login: login, started: now, data: string(b.Data), next: now.Add(login.Interval)}
	if login.Mode == oidc.CIBAPing {
		rec.next = now.Add(max(login.Interval, pingPatience))
	}
	sealed, err := r.cibaSealed(rec)
	if err != nil {
		return "", nil, err
	}
	if _, err := r.shelf.create(ctx, sealed); err != nil {
		return "", nil, stillConflict("keeping the backchannel login", err)
	}
	return state, login, nil
}

// cibaSealed is a record as it is stored.
func (r *RP) cibaSealed(b *cibaRecord) (store.Record, error) {
	plain, err := b.encode()
	if err != nil {
		return store.Record{}, err
	}
	place := seal.Hashed(cibaClass, b.state)
	sealed, err := r.ring.seal(place, plain)
	if err != nil {
		return store.Record{}, err
	}
	return store.Record{
		Key: place, Value: sealed, Tags: []string{r.ring[0].Tag(tagRequest, b.login.AuthReqID)},
		Expires: b.login.Expiry.Add(lateGrace),
	}, nil
}

// cibaAt reads the record at a place.
func (r *RP) cibaAt(ctx context.Context, place string) (store.Record, *cibaRecord, error) {
	rec, err := r.shelf.load(ctx, place)
	if err != nil {
		return rec, nil, err
	}
	plain, err := r.ring.open(place, rec.Value)
	if err != nil {
		return rec, nil, err
	}
	b, err := decodeCIBA(plain)
	return rec, b, err
}

// CheckCIBA looks whether the user has decided, and returns the Grant, under the
// state that StartCIBA gave. CIBAPending means that it is too early to say: look
// again in a second. The OP is asked when it was time for it, by one instance at
// a time, so that this may be called as often as one likes.
//
// An *oidc.OPError with code access_denied means that the user refused; LoginExpired
// or expired_token, that nobody decided in time. An error is told to every caller,
// until some minutes after the login's Expiry.
func (r *RP) CheckCIBA(ctx context.Context, state string) (*Grant, error) {
	leave, err := r.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	place := seal.Hashed(cibaClass, state)
	rec, b, err := r.cibaAt(ctx, place)
	switch {
	case isNotFound(err):
		return nil, &Error{Reason: UnknownState, Detail: "no backchannel login was begun under it, or it is long over"}
	case err != nil:
		return nil, err
	case b.done:
		return r.Grant(ctx, state)
	case b.failed != "":
		return nil, b.failure()
	}
	now := r.now()
	switch {
	case !now.Before(b.login.Expiry):
		return nil, &Error{Reason: LoginExpired, Detail: "the user did not decide in time"}
	case b.login.Mode == oidc.CIBAPush, !b.pinged && now.Before(b.next):
		return nil, pendingCIBA()
	}
	c, err := r.client(ctx, b.login.Issuer)
	if err != nil {
		return nil, err
	}
	// Whoever moves next on asks the OP, and nobody else as long as the answer may
	// take: the second of two would be told that the tokens were given out.
	b.next, b.pinged = now.Add(max(b.login.Interval, holdLifetime)), false
	if rec, err = r.replaceCIBA(ctx, rec, b); err != nil {
		if isConflict(err) {
			return nil, pendingCIBA()
		}
		return nil, err
	}
	// The OP gives the tokens once: they are kept also if the caller leaves.
	var g *Grant
	var panicked string
	polled := make(chan struct{})
	r.running.Go(func() {
		defer close(polled)
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), flightTimeout)
		defer cancel()
		panicked = hook.Caught(func() { g, err = r.pollCIBA(ctx, c, rec, b) })
	})
	select {
	case <-polled:
		hook.Rethrow(panicked)
		return g, err
	case <-ctx.Done():
		return nil, fmt.Errorf("rp: waiting for the OP: %w", ctx.Err())
	}
}

// pollCIBA asks the OP, for who moved next on.
func (r *RP) pollCIBA(ctx context.Context, c *oidc.Client, rec store.Record, b *cibaRecord) (*Grant, error) {
	now := r.now()
	call, cancel := context.WithTimeout(ctx, exchangeTimeout)
	defer cancel()
	tokens, err := c.PollCIBA(call, b.login)
	if err == nil {
		return r.keepCIBA(ctx, c, rec, b, tokens)
	}
	if oidc.StillPending(err) {
		b.next = now.Add(b.login.Interval) // slow_down has made it longer
		if _, e := r.replaceCIBA(ctx, rec, b); e != nil && !isConflict(e) {
			return nil, e
		}
		return nil, pendingCIBA()
	}
	r.failCIBA(ctx, rec, b, err)
	return nil, err
}

func pendingCIBA() error {
	return &Error{Reason: CIBAPending, Detail: "look again in a second", RetryAfter: cibaLook}
}

// failure is how a login ended, for those who did not see it.
func (b *cibaRecord) failure() error {
	if b.description == "" && !isErrorCode(b.failed) {
		return &Error{Reason: CIBAFailed, Detail: b.failed}
	}
	return &oidc.OPError{Endpoint: oidc.StepCIBA, Code: b.failed, Description: b.description}
}

// isErrorCode tells a code of OAuth from a sentence.
func isErrorCode(s string) bool {
	for i := range len(s) {
		if !(s[i] >= 'a' && s[i] <= 'z' || s[i] == '_') {
			return false
		}
	}
	return s != ""
}

func (r *RP) replaceCIBA(ctx context.Context, rec store.Record, b *cibaRecord) (store.Record, error) {
	next, err := r.cibaSealed(b)
	if err != nil {
		return rec, err
	}
	next.Rev = rec.Rev
	return r.shelf.replace(ctx, next)
}

// failCIBA keeps how a login ended. Who asked is told in any case.
func (r *RP) failCIBA(ctx context.Context, rec store.Record, b *cibaRecord, why error) {
	b.failed, b.description = why.Error(), ""
	if op, ok := errors.AsType[*oidc.OPError](why); ok && isErrorCode(op.Code) {
		b.failed, b.description = op.Code, op.Description
	}
	r.detached(ctx, func(ctx context.Context) { _, _ = r.replaceCIBA(ctx, rec, b) })
}

// keepCIBA stores the grant, and then that there is one.
func (r *RP) keepCIBA(ctx context.Context, c *oidc.Client, rec store.Record, b *cibaRecord, tokens *oidc.Tokens) (*Grant, error) {
	p := &pendingRecord{pending: oidc.Pending{Issuer: b.login.Issuer, ClientID: b.login.ClientID, State: b.state}, started: b.started, data: b.data}
	g, err := r.keep(ctx, c, p, tokens)
	if errors.Is(err, store.ErrConflict) {
		// We were told twice at the same moment, by an OP that waited too long for
		// the answer to its push. The grant is there.
		return r.Grant(ctx, b.state)
	}
	if err != nil {
		r.failCIBA(ctx, rec, b, err)
		return nil, err
	}
	b.done = true
	r.detached(ctx, func(ctx context.Context) {
		for range maxNotifyTries {
			if _, err := r.replaceCIBA(ctx, rec, b); !isConflict(err) {
				return
			}
			// A ping came in between.
			if rec, _, err = r.cibaAt(ctx, rec.Key); err != nil {
				return
			}
		}
	})
	return g, nil
}

// FinishCIBA waits until the user has decided, and returns the Grant. Errors are
// those of CheckCIBA, but for CIBAPending, and of ctx.
func (r *RP) FinishCIBA(ctx context.Context, state string) (*Grant, error) {
	for {
		g, err := r.CheckCIBA(ctx, state)
		if !errors.Is(err, CIBAPending) {
			return g, err
		}
		if err := pause(ctx, cibaLook); err != nil {
			return nil, err
		}
	}
}

// NotifyCIBA takes what came at the notification endpoint (oidc.ReadCIBANotification):
// a ping makes the next CheckCIBA ask the OP, wherever it runs; pushed tokens are
// checked and kept at once.
//
// UnknownNotification is to be answered 401: no login has that auth_req_id, or the
// bearer token is not the login's; which of the two is not told. An
// *oidc.ProtocolError is to be answered 400. What the OP pushes of its own refusal,
// such as access_denied, is no error here.
func (r *RP) NotifyCIBA(ctx context.Context, n *oidc.CIBANotification) error {
	leave, err := r.enter()
	if err != nil {
		return err
	}
	defer leave()
	for range maxNotifyTries {
		rec, b, err := r.notified(ctx, n)
		if err != nil {
			return err
		}
		if b.done || b.failed != "" {
			return nil // once more: the OP did not get our answer
		}
		if b.login.Mode != oidc.CIBAPush && !n.Pushed() {
			b.pinged = true
			if _, err = r.replaceCIBA(ctx, rec, b); isConflict(err) {
				continue // somebody asks the OP at this moment, perhaps too early
			}
			return err
		}
		c, err := r.client(ctx, b.login.Issuer)
		if err != nil {
			return err
		}
		tokens, err := c.FinishPush(ctx, b.login, n)
		if err == nil {
			_, err = r.keepCIBA(ctx, c, rec, b, tokens)
			return err
		}
		if callerGone(ctx, err) || errors.Is(err, oidc.KeysUnavailable) {
			return err // nothing is known about the tokens
		}
		r.failCIBA(ctx, rec, b, err)
		if _, refused := errors.AsType[*oidc.OPError](err); refused {
			return nil
		}
		return err
	}
	return &Error{Reason: StoreUnavailable, Detail: "the login changed too often", RetryAfter: time.Second}
}

// notified finds the login of a notification. Two OPs may give one auth_req_id: the
// bearer token, compared in constant time, tells them apart.
func (r *RP) notified(ctx context.Context, n *oidc.CIBANotification) (store.Record, *cibaRecord, error) {
	for i := range r.ring {
		places, err := r.shelf.tagged(ctx, r.ring[i].Tag(tagRequest, n.AuthReqID))
		if err != nil {
			return store.Record{}, nil, err
		}
		for _, place := range places[:min(len(places), maxSameRequest)] {
			rec, b, err := r.cibaAt(ctx, place)
			switch {
			case isNotFound(err), errors.Is(err, BadRecord):
			case err != nil:
				return store.Record{}, nil, err
			case b.login.Authentic(n):
				return rec, b, nil
			}
		}
	}
	return store.Record{}, nil, &Error{Reason: UnknownNotification, Detail: "no login has that auth_req_id and bearer token"}
}
