package login

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"rely.example/oidc"
	"rely.example/rp"
)

// Reason says what is the matter. It is an error itself, so that
// errors.Is(err, NoSession) finds it inside an *Error.
type Reason string

// Error returns the reason's text.
func (r Reason) Error() string { return string(r) }

// What went wrong.
const (
	// BadConfig: a configuration or an argument that cannot work.
	BadConfig Reason = "configuration refused"
	// NoSession: the request belongs to no session: nobody logged in, or the
	// session is over.
	NoSession Reason = "no session"
	// StepUpNeeded: there is a session, but the login was too weak or too long
	// ago for what was asked.
	StepUpNeeded Reason = "a stronger or newer login is needed"
	// Forbidden: RequireClaim said no.
	Forbidden Reason = "not allowed"
	// LoginRefused: OnLogin said no.
	LoginRefused Reason = "the application refused the login"
	// BadRequest: a request that no page of ours and no OP sends.
	BadRequest Reason = "request refused"
	// CrossSite: another site had the browser send what only our pages may.
	CrossSite Reason = "the request came from another site"
	// Replayed: a logout token that was seen before.
	Replayed Reason = "logout token used before"
	// TooLarge: a session does not fit where it must be kept. It was not written.
	TooLarge Reason = "session too large"
	// Unsupported: the mode of keeping sessions cannot do it.
	Unsupported Reason = "not possible with sessions in cookies"
	// StoreUnavailable: the store did not answer; nothing is known about who is
	// logged in.
	StoreUnavailable Reason = "store unavailable"
	// BadRecord: a record or cookie is damaged, of another version, or sealed
	// with a key that is not in the ring.
	BadRecord Reason = "record refused"
)

// Error is an error of this package. Those of packages oidc and rp are returned
// as they are, or wrapped in one of these. It holds no secret.
type Error struct {
	Reason Reason
	// Detail tells what was expected and what came.
	Detail string
	// Err is the cause; nil if there is none.
	Err error
}

func (e *Error) Error() string {
	s := "login: " + string(e.Reason)
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

func badConfig(format string, args ...any) error {
	return &Error{Reason: BadConfig, Detail: fmt.Sprintf(format, args...)}
}

// Status is the HTTP status that the default error page has for an error: 400 if
// the browser, or who poses as it, sent what cannot be; 401 without a session;
// 403 if somebody who may said no; 502 if the OP broke a rule; 503 if the store
// or the OP cannot be reached; 500 for whatever is ours.
func Status(err error) int {
	is := func(reasons ...error) bool {
		for _, r := range reasons {
			if errors.Is(err, r) {
				return true
			}
		}
		return false
	}
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	switch {
	case is(StoreUnavailable, rp.StoreUnavailable, rp.TooManyIssuers, rp.Closed, context.DeadlineExceeded, context.Canceled):
		return http.StatusServiceUnavailable
	case is(NoSession, StepUpNeeded, rp.GrantEnded, rp.UnknownNotification):
		return http.StatusUnauthorized
	case is(Forbidden, LoginRefused, CrossSite, rp.IssuerRefused, rp.LoggedOut, rp.CIBAFailed):
		return http.StatusForbidden
	case is(rp.UnknownState, rp.LoginExpired, rp.WrongBrowser, rp.WrongRedirectURI, rp.UnknownIssuer, rp.BadRecord, BadRequest, Replayed, BadRecord):
		return http.StatusBadRequest
	case is(BadConfig, rp.BadConfig, TooLarge, Unsupported):
		return http.StatusInternalServerError
	case ok && temporary.Temporary():
		return http.StatusServiceUnavailable
	}
	if op, ok := errors.AsType[*oidc.OPError](err); ok && op.Endpoint == oidc.StepAuthorization {
		return http.StatusForbidden
	}
	if p, ok := errors.AsType[*oidc.ProtocolError](err); ok {
		if p.Step == oidc.StepAuthorization || p.Step == oidc.StepLogout || p.Step == oidc.StepNotification {
			return http.StatusBadRequest
		}
		return http.StatusBadGateway
	}
	if _, ok := errors.AsType[*oidc.OPError](err); ok {
		return http.StatusBadGateway
	}
	return http.StatusInternalServerError
}

// storeFailed is the error for a store that did not answer.
func storeFailed(doing string, err error) error {
	return &Error{Reason: StoreUnavailable, Detail: doing, Err: err}
}
