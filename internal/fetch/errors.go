package fetch

import "strings"

// Kind says why a fetch failed.
type Kind int

// The kinds of failure.
const (
	// Unreachable: no connection, or none that lasted until the response: the
	// name is unknown, the dial or the TLS handshake was refused, the connection
	// was reset.
	Unreachable Kind = iota + 1
	// Timeout: Config.Timeout or the context's deadline passed.
	Timeout
	// Canceled: the caller's context was cancelled.
	Canceled
	// TooLarge: the body, as received or as inflated, or the header is larger
	// than its limit.
	TooLarge
	// BadRedirect: a redirect that is not followed: of a credentialed request or
	// of one that is no GET, to another origin, from https to http, one too
	// many, or to nowhere.
	BadRedirect
	// Insecure: an http URL without Config.InsecureAllowHTTP.
	Insecure
	// PrivateAddress: the host is, or resolves to, a special address that
	// Config.AllowPrivate does not admit.
	PrivateAddress
	// BadPort: the port belongs to another protocol.
	BadPort
	// BadURL: the URL is not one that is ever fetched.
	BadURL
	// BadMediaType: the body's media type or charset is not among those
	// accepted.
	BadMediaType
	// BadEncoding: the body's content coding is unknown or broken.
	BadEncoding
	// TLS: the server's certificate is untrusted, expired or another host's, the
	// server speaks nothing from TLS 1.2 on, or it refuses our certificate.
	TLS
	// Truncated: the body ended before its announced length.
	Truncated
	// BadResponse: what came back is not HTTP.
	BadResponse
	// BadRequest: the request cannot be sent as it was given.
	BadRequest
)

// String returns the kind's name as this package spells it.
func (k Kind) String() string {
	switch k {
	case Unreachable:
		return "Unreachable"
	case Timeout:
		return "Timeout"
	case Canceled:
		return "Canceled"
	case TooLarge:
		return "TooLarge"
	case BadRedirect:
		return "BadRedirect"
	case Insecure:
		return "Insecure"
	case PrivateAddress:
		return "PrivateAddress"
	case BadPort:
		return "BadPort"
	case BadURL:
		return "BadURL"
	case BadMediaType:
		return "BadMediaType"
	case BadEncoding:
		return "BadEncoding"
	case TLS:
		return "TLS"
	case Truncated:
		return "Truncated"
	case BadResponse:
		return "BadResponse"
	case BadRequest:
		return "BadRequest"
	}
	return "unknown"
}

// Error makes a Kind a target for errors.Is: errors.Is(err, fetch.Timeout).
func (k Kind) Error() string { return "fetch: " + k.String() }

// Error is the only error that Do and CheckURL return. It holds no query, no
// user information, no header and no part of a body.
type Error struct {
	Kind    Kind
	Purpose string // Request.Purpose; empty from CheckURL
	URL     string // without its query; empty if it does not parse
	Status  int    // the HTTP status if a response had begun, else 0
	Detail  string // what was expected, what came, and what to do
	Err     error  // the cause; may be nil
}

// Error tells the purpose, the URL and the detail.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("fetch: ")
	if e.Purpose != "" {
		b.WriteString(e.Purpose)
		b.WriteString(": ")
	}
	if e.URL != "" {
		b.WriteString(e.URL)
		b.WriteString(": ")
	}
	b.WriteString(e.Detail)
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the Kind of e.
func (e *Error) Is(target error) bool {
	k, ok := target.(Kind)
	return ok && k == e.Kind
}

// Temporary reports whether the same request may succeed later although nobody
// changed a configuration: the server was unreachable, too slow, or broke off.
func (e *Error) Temporary() bool {
	return e.Kind == Unreachable || e.Kind == Timeout || e.Kind == Truncated
}
