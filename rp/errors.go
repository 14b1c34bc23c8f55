package rp

import (
	"context"
	"errors"
	"time"

	"rely.example/store"
)

// Reason says what is the matter. It is an error itself, so that
// errors.Is(err, GrantEnded) finds it inside an *Error.
type Reason string

// Error returns the reason's text.
func (r Reason) Error() string { return string(r) }

// What the program gave.
const (
	// BadConfig: a configuration or an argument that cannot work.
	BadConfig Reason = "configuration refused"
	// UnknownIssuer: the directory has no client for the issuer. A Directory
	// answers it for an issuer that is not its own, and Each asks the next one.
	UnknownIssuer Reason = "no client for this issuer"
)

// What a browser, or who poses as one, brought. The answer to each is to begin
// the login anew.
const (
	// UnknownState: no login is under way for the state: it was never begun, is
	// finished, or is long over.
	UnknownState Reason = "no login under way for this state"
	// LoginExpired: the answer came after Config.LoginLifetime.
	LoginExpired Reason = "the login took too long"
	// WrongBrowser: the login was begun by another browser.
	WrongBrowser Reason = "the login was begun in another browser"
	// WrongRedirectURI: the answer arrived where another login's is expected.
	WrongRedirectURI Reason = "the response arrived at another redirect URI"
	// LoggedOut: the user was logged out while the login was under way.
	LoggedOut Reason = "logged out while the login was under way"
	// IssuerRefused: the policy does not allow the issuer.
	IssuerRefused Reason = "issuer not allowed"
)

// What has become of a grant.
const (
	// GrantEnded: there is no grant, or no longer: it expired, was ended here, or
	// the OP ended it. The user must log in.
	GrantEnded Reason = "the grant has ended"
	// LoginNeeded: the access token is dead and nothing can renew it. The grant
	// still tells who logged in; a new token needs a new login.
	LoginNeeded Reason = "a new login is needed for a new access token"
	// RefreshFailed: the access token is dead or was refused, and could not be
	// renewed now. The grant is not over.
	RefreshFailed Reason = "refresh failed"
)

// What has become of a backchannel login (CIBA).
const (
	// CIBAPending: the user has not decided yet.
	CIBAPending Reason = "the user has not decided yet"
	// CIBAFailed: the login ended with an error that an earlier call was told of;
	// the detail repeats it.
	CIBAFailed Reason = "the backchannel login has failed"
	// UnknownNotification: what came at the notification endpoint belongs to no
	// login.
	UnknownNotification Reason = "notification of no login"
)

// What failed on our side.
const (
	// StoreUnavailable: the store did not answer. Nothing is known about what is
	// in it, and nothing was changed that is not told.
	StoreUnavailable Reason = "store unavailable"
	// BadRecord: a record in the store is damaged, of another version, or sealed
	// with a key that is not in the ring. Other records are not concerned.
	BadRecord Reason = "record in the store refused"
	// Closed: the RP was closed: the process is about to end. Another one, or the
	// next start, goes on.
	Closed Reason = "the RP is closed"
	// TooManyIssuers: more new issuers are asked for than Dynamic may register in
	// this time.
	TooManyIssuers Reason = "too many new issuers"
)

// Error is an error of this package. Those of package oidc (whose fault at the
// OP or in its answers) are returned as they are, or wrapped in one of these.
// It holds no secret.
type Error struct {
	Reason Reason
	// Detail tells what was expected and what came.
	Detail string
	// RetryAfter is how long to wait before the same call may succeed; 0 if
	// that is not known.
	RetryAfter time.Duration
	// Err is the cause; nil if there is none.
	Err error
}

func (e *Error) Error() string {
	s := "rp: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the Reason and the cause.
func (e *Error) Unwrap() []error {
	if e.Err == nil {
		return []error{e.Reason}
	}
	return []error{e.Reason, e.Err}
}

// Temporary reports whether the same call may succeed later without anybody
// doing anything.
func (e *Error) Temporary() bool {
	switch e.Reason {
	case StoreUnavailable, TooManyIssuers, Closed, CIBAPending:
		return true
	case RefreshFailed:
		return e.Err == nil || temporary(e.Err)
	}
	return false
}

// temporary asks an error of package oidc, or one of ours inside another.
func temporary(err error) bool {
	t, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	return ok && t.Temporary()
}

// callerGone reports whether an error is that of the caller's own context, which
// says nothing about the OP or the store.
func callerGone(ctx context.Context, err error) bool {
	return ctx.Err() != nil || errors.Is(err, context.Canceled)
}

// storeFailed is the error for a store that did not answer. The contract's own
// answers are for the callers to read.
func storeFailed(doing string, err error) error {
	if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) {
		return err
	}
	if errors.Is(err, store.ErrTooLarge) || errors.Is(err, store.ErrInvalid) {
		// The store answered; it is what we gave that cannot be kept.
		return &Error{Reason: BadConfig, Detail: doing, Err: err}
	}
	return &Error{Reason: StoreUnavailable, Detail: doing, Err: err}
}
