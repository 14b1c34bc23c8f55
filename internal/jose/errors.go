package jose

import (
	"strconv"
	"strings"
)

// Reason says why a token, a key or a key set was refused. It is itself an
// error, so that errors.Is(err, jose.BadSignature) works.
type Reason string

// The reasons of [Error]. The first group is about the token alone, the second
// about token and keys, the third about keys alone.
const (
	Malformed         Reason = "malformed token"       // not three parts, header no JSON object, duplicate names, a member of the wrong type
	NotCanonical      Reason = "not canonical"         // a part that is not unpadded base64url in its only spelling (RFC 7515 section 2)
	TooLarge          Reason = "too large"             // token, header or kid beyond its bound
	Encrypted         Reason = "encrypted"             // a JWE (five parts) where a signed token was expected
	NotEncrypted      Reason = "not encrypted"         // a JWS (three parts) where an encrypted token was expected
	UnsupportedHeader Reason = "unsupported header"    // crit, b64, jwk or zip (RFC 7515 section 4.1.11, RFC 7797, RFC 7516 section 4.1.3)
	UnsupportedAlg    Reason = "unsupported algorithm" // allowed by the caller, not known here (ES256K, for example)
	AlgNotAllowed     Reason = "algorithm not allowed" // alg or enc is not among those the caller allows, or not for this kind of key
	NoKey             Reason = "no matching key"       // no key for this kid and alg: perhaps a rotation
	AmbiguousKey      Reason = "ambiguous key"         // more than MaxCandidates keys fit
	BadSignature      Reason = "bad signature"         // no matching key verifies the signature
	CannotDecrypt     Reason = "cannot decrypt"        // no key of ours opens the token
	WeakSecret        Reason = "secret too short"      // a shared secret shorter than MinSecret
	BadKeySet         Reason = "bad key set"           // not a JWK Set (RFC 7517 section 5), or beyond a bound
	KeysUnavailable   Reason = "keys unavailable"      // the key set could not be fetched, and there is no copy recent enough
	BadKey            Reason = "bad key"               // our own key cannot do what was asked: a fault of the configuration
	SigningFailed     Reason = "signing failed"        // the signer, perhaps a remote one, returned an error
)

// Error returns the reason in words.
func (r Reason) Error() string { return "jose: " + string(r) }

// Error is a refusal.
type Error struct {
	Reason Reason

	// Detail says what was expected and what was found. It may be empty. What it
	// repeats of a stranger's text is quoted and cut.
	Detail string

	// Err is the cause, if there is one.
	Err error
}

// Error returns reason, detail and cause in one line.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("jose: ")
	b.WriteString(string(e.Reason))
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	if e.Err != nil {
		b.WriteString(": ")
		b.WriteString(e.Err.Error())
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the [Reason] of e.
func (e *Error) Is(target error) bool {
	r, ok := target.(Reason)
	return ok && r == e.Reason
}

// refuse makes an Error without a cause.
func refuse(reason Reason, detail string) *Error {
	return &Error{Reason: reason, Detail: detail}
}

// quote makes a stranger's short text fit for a message.
func quote(s string) string {
	const most = 64
	if len(s) > most {
		return strconv.QuoteToASCII(s[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}
