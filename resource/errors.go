package resource

import (
	"errors"
	"net/http"

	"rely.example/oidc"
)

// Reason says what is the matter. It is an error itself, so that
// errors.Is(err, MissingToken) finds it inside an *Error.
type Reason string

// Error returns the reason's text.
func (r Reason) Error() string { return string(r) }

const (
	// BadConfig: a configuration that cannot work.
	BadConfig Reason = "configuration refused"
	// MissingToken: the request brings no access token.
	MissingToken Reason = "no access token in the request"
	// BadRequest: the request brings a token in a way that cannot be read, or two.
	BadRequest Reason = "request refused"
	// UnknownIssuer: the token is of an issuer that this API does not accept.
	UnknownIssuer Reason = "token of an issuer that is not accepted"
	// BadProof: the DPoP proof is absent, malformed, or one for another request.
	BadProof Reason = "DPoP proof refused"
	// ReplayedProof: the DPoP proof was used before.
	ReplayedProof Reason = "DPoP proof used before"
	// NonceNeeded: the DPoP proof must hold a nonce of ours, and holds none or an
	// old one.
	NonceNeeded Reason = "DPoP nonce needed"
	// InsufficientScope: the token is good, and not for this.
	InsufficientScope Reason = "scope missing"
	// InsufficientAuthentication: the token is good, but its user must log in
	// anew, or in a stronger way.
	InsufficientAuthentication Reason = "a stronger or newer login is needed"
	// StoreUnavailable: whether a proof was used before nobody knows.
	StoreUnavailable Reason = "store unavailable"
)

// Error is an error of this package. What is wrong with a token itself is an
// *oidc.ProtocolError. Neither holds a secret.
type Error struct {
	Reason Reason
	// Spec is the section that asks for it, e.g. "RFC 9449 4.3 (8)"; "" if none does.
	Spec string
	// Detail tells what was expected and what came.
	Detail string
	// Err is the cause; nil if there is none.
	Err error

	needs Needs // of InsufficientScope and InsufficientAuthentication
}

func (e *Error) Error() string {
	s := "resource: " + string(e.Reason)
	if e.Detail != "" {
		s += ": " + e.Detail
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Spec != "" {
		s += " (" + e.Spec + ")"
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

// Temporary reports whether the same request may succeed later.
func (e *Error) Temporary() bool { return e.Reason == StoreUnavailable }

// The codes of RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9, RFC 9470
// section 3.
const (
	codeInvalidRequest = "invalid_request"
	codeInvalidToken   = "invalid_token"
	codeScope          = "insufficient_scope"
	codeProof          = "invalid_dpop_proof"
	codeNonce          = "use_dpop_nonce"
	codeAuthentication = "insufficient_user_authentication"
)

// Status is the HTTP status for what Check refused: 400, 401, 403, or 503 if
// nothing is known about the token because something did not answer.
func Status(err error) int {
	status, _ := outcome(err)
	return status
}

// outcome is the status and the error code of an answer; "" if none is to be sent.
func outcome(err error) (status int, code string) {
	if e, ok := errors.AsType[*Error](err); ok {
		switch e.Reason {
		case MissingToken:
			return http.StatusUnauthorized, "" // RFC 6750 section 3.1, last paragraph
		case BadRequest:
			return http.StatusBadRequest, codeInvalidRequest
		case UnknownIssuer:
			return http.StatusUnauthorized, codeInvalidToken
		case BadProof, ReplayedProof:
			return http.StatusUnauthorized, codeProof
		case NonceNeeded:
			return http.StatusUnauthorized, codeNonce
		case InsufficientScope:
			return http.StatusForbidden, codeScope
		case InsufficientAuthentication:
			return http.StatusUnauthorized, codeAuthentication
		case StoreUnavailable:
			return http.StatusServiceUnavailable, ""
		}
		return http.StatusInternalServerError, ""
	}
	if pe, ok := errors.AsType[*oidc.ProtocolError](err); ok {
		ofToken := pe.Step == oidc.StepAccessToken && pe.Reason != oidc.KeysUnavailable
		if ofToken || pe.Reason == oidc.TokenExpired || pe.Reason == oidc.TokenNotYetValid {
			return http.StatusUnauthorized, codeInvalidToken
		}
	}
	// The keys, or the OP, cannot be had: that says nothing about the token.
	return http.StatusServiceUnavailable, ""
}
