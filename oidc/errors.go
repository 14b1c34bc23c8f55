package oidc

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Reason names the rule that was broken. It is an error itself, so that
// errors.Is(err, BadNonce) finds it inside the errors of this package.
type Reason string

// Error returns the reason's text.
func (r Reason) Error() string { return string(r) }

// What the caller gave.
const (
	// BadIdentifier: what the user typed is no identifier of Discovery section 2.
	BadIdentifier Reason = "identifier not understood"
	// BadConfig: a configuration that cannot work or is unsafe.
	BadConfig Reason = "configuration refused"
	// BadParameter: a parameter of an authentication request that cannot be sent.
	BadParameter Reason = "parameter refused"
	// ProtectedParameter: an extra parameter has the name of one that this package sets.
	ProtectedParameter Reason = "parameter is set by the library"
	// RequestTooLong: the authorization URL would exceed MaxAuthURL.
	RequestTooLong Reason = "authorization request too long for a URL"
	// ProfileViolation: the configuration, or the OP, breaks rules of the profile;
	// the error is a *ProfileError.
	ProfileViolation Reason = "profile violated"
	// SecretExpired: the client secret's lifetime (client_secret_expires_at) is over.
	SecretExpired Reason = "client secret has expired"
	// NoRefreshToken: there is nothing to refresh with.
	NoRefreshToken Reason = "no refresh token"
	// NoAccessToken: there is no access token to present.
	NoAccessToken Reason = "no access token"
	// WrongOrigin: a request to a place that the access token is not for. It was
	// not sent.
	WrongOrigin Reason = "access token is not for this origin"
)

// Any exchange with the OP.
const (
	// InsecureURL: a URL is not https, and http was not allowed.
	InsecureURL Reason = "insecure URL"
	// ForbiddenAddress: a URL leads to a private network or a port that is never an OP's.
	ForbiddenAddress Reason = "forbidden address"
	// UnexpectedRedirect: an endpoint redirected where it must not.
	UnexpectedRedirect Reason = "unexpected redirect"
	// UnexpectedStatus: the HTTP status does not fit the message.
	UnexpectedStatus Reason = "unexpected HTTP status"
	// UnexpectedMediaType: the Content-Type does not fit the message.
	UnexpectedMediaType Reason = "unexpected media type"
	// ResponseTooLarge: the body exceeds its bound.
	ResponseTooLarge Reason = "response too large"
	// MalformedResponse: the body is not the JSON that it should be.
	MalformedResponse Reason = "malformed response"
	// Unreachable: no answer came.
	Unreachable Reason = "no answer"
)

// WebFinger, metadata and registration.
const (
	// NoIssuer: the WebFinger answer names no issuer.
	NoIssuer Reason = "no issuer found"
	// BadMetadata: a member of the provider metadata is unusable.
	BadMetadata Reason = "provider metadata refused"
	// MissingMetadata: the provider metadata lacks a member that is needed.
	MissingMetadata Reason = "provider metadata incomplete"
	// MetadataIssuerMismatch: the metadata belongs to another issuer.
	MetadataIssuerMismatch Reason = "metadata is of another issuer"
	// BadRegistration: the registration response does not hold what was asked for.
	BadRegistration Reason = "registration response refused"
	// ForeignRegistrationURI: registration_client_uri is at another origin.
	ForeignRegistrationURI Reason = "registration URI at another origin"
)

// The authentication request, where it is pushed.
const (
	// BadPARResponse: a member of the pushed authorization response is unusable.
	BadPARResponse Reason = "pushed authorization response refused"
)

// The authentication response.
const (
	// MalformedAuthResponse: the parameters cannot be read.
	MalformedAuthResponse Reason = "malformed authentication response"
	// NotANavigation: the request is no browser navigation that carries a response.
	NotANavigation Reason = "not an authentication response"
	// DuplicateParameter: a parameter occurs twice.
	DuplicateParameter Reason = "duplicate parameter"
	// MissingParameter: a parameter that the response type owes is absent.
	MissingParameter Reason = "missing parameter"
	// UnexpectedParameter: a parameter that the response type does not have.
	UnexpectedParameter Reason = "unexpected parameter"
	// WrongResponseMode: the response came by another way than asked for.
	WrongResponseMode Reason = "wrong response mode"
	// WrongRedirectURI: the response came to another URI than the one asked for.
	WrongRedirectURI Reason = "wrong redirect URI"
	// WrongClient: the Pending belongs to another client or issuer.
	WrongClient Reason = "login belongs to another client"
	// LoginExpired: the Pending is older than a login may take.
	LoginExpired Reason = "login took too long"
	// BadState: state is absent or another one.
	BadState Reason = "state mismatch"
	// BadResponseIssuer: the iss parameter (RFC 9207) is absent or another one.
	BadResponseIssuer Reason = "response issuer mismatch"
)

// The token response.
const (
	// BadTokenResponse: a member of the token response is unusable.
	BadTokenResponse Reason = "token response refused"
	// MissingAccessToken: the token response has no access token.
	MissingAccessToken Reason = "missing access token"
	// BadTokenType: the token type is absent or cannot be presented.
	BadTokenType Reason = "token type refused"
	// BadAuthorizationDetails: authorization_details are absent though asked for,
	// unreadable, or of a type that nobody asked for.
	BadAuthorizationDetails Reason = "authorization details refused"
	// MissingIDToken: there is no ID Token where one is owed.
	MissingIDToken Reason = "missing ID Token"
	// BadDPoPNonce: a server asks for a nonce in a DPoP proof, and is not content
	// with the one that it gave, or gave none.
	BadDPoPNonce Reason = "DPoP nonce refused"
)

// The grants of which the user knows at another place, and token exchange.
const (
	// BadDeviceResponse: a member of the device authorization response is absent
	// or unusable.
	BadDeviceResponse Reason = "device authorization response refused"
	// BadCIBAResponse: a member of the backchannel authentication response is
	// absent or unusable.
	BadCIBAResponse Reason = "backchannel authentication response refused"
	// BadNotification: what came at the notification endpoint is no notification.
	BadNotification Reason = "notification refused"
	// ForeignNotification: a notification does not bear the token of its login.
	ForeignNotification Reason = "notification of somebody else"
	// BadAuthReqID: the ID Token of a push belongs to another request.
	BadAuthReqID Reason = "auth_req_id mismatch"
	// BadRefreshTokenHash: rt_hash is absent where owed, or another one.
	BadRefreshTokenHash Reason = "refresh token hash mismatch"
	// ResourceMismatch: protected resource metadata describes another resource.
	ResourceMismatch Reason = "metadata is of another resource"
	// UnsignedMetadata: protected resource metadata is not signed, where it must be.
	UnsignedMetadata Reason = "metadata is not signed"
	// BadIssuedType: a token exchange gave another type of token than asked for.
	BadIssuedType Reason = "issued token type refused"
)

// A signed or encrypted token.
const (
	// MalformedToken: not a compact JWT in canonical form.
	MalformedToken Reason = "malformed token"
	// BadHeader: a header parameter that is never accepted.
	BadHeader Reason = "token header refused"
	// BadType: the token was made for another purpose (typ).
	BadType Reason = "wrong type of token"
	// BadAlgorithm: not the algorithm that was agreed.
	BadAlgorithm Reason = "algorithm not agreed"
	// UnknownKey: no key of the OP fits the token.
	UnknownKey Reason = "no key fits"
	// KeysUnavailable: the OP's keys could not be fetched or read.
	KeysUnavailable Reason = "keys unavailable"
	// BadKeySet: the OP publishes a key that must be secret; it is not used. Only
	// a Trace sees it.
	BadKeySet Reason = "key set holds a secret"
	// BadSignature: the signature is not the OP's.
	BadSignature Reason = "signature invalid"
	// BadEncryption: not decryptable, or not encrypted as agreed.
	BadEncryption Reason = "decryption refused"
	// BadClaim: a claim of the wrong JSON type, out of its range, or not of the value
	// that was demanded.
	BadClaim Reason = "claim refused"
	// MissingClaim: a required claim is absent.
	MissingClaim Reason = "missing claim"
	// BadIssuer: iss is another one.
	BadIssuer Reason = "issuer mismatch"
	// BadTenant: the user belongs to a tenant that is not allowed.
	BadTenant Reason = "tenant not allowed"
	// BadAudience: aud does not hold us, or holds strangers.
	BadAudience Reason = "audience refused"
	// BadAuthorizedParty: azp is not us.
	BadAuthorizedParty Reason = "authorized party refused"
	// InactiveToken: the OP says that an access token is not, or no longer, good.
	InactiveToken Reason = "token is not active"
	// BadBinding: an access token is bound to a key or certificate that who
	// presents it has not shown.
	BadBinding Reason = "token is bound to another key"
	// BadSubject: sub is absent, empty or too long.
	BadSubject Reason = "subject refused"
	// TokenExpired: exp is past.
	TokenExpired Reason = "token expired"
	// TokenNotYetValid: nbf or iat is in the future.
	TokenNotYetValid Reason = "token not yet valid"
	// TokenTooOld: iat is too long ago.
	TokenTooOld Reason = "token too old"
	// BadNonce: nonce is absent or another one.
	BadNonce Reason = "nonce mismatch"
	// BadAccessTokenHash: at_hash is absent where owed, or another one.
	BadAccessTokenHash Reason = "access token hash mismatch"
	// BadCodeHash: c_hash is absent where owed, or another one.
	BadCodeHash Reason = "code hash mismatch"
	// BadStateHash: s_hash is another one.
	BadStateHash Reason = "state hash mismatch"
	// BadAuthTime: auth_time is absent where owed, too long ago, or has changed.
	BadAuthTime Reason = "authentication time refused"
	// BadACR: acr is not among the values that were demanded.
	BadACR Reason = "authentication context refused"
	// SubjectMismatch: two messages of one login speak of different users.
	SubjectMismatch Reason = "subject mismatch"
)

// maxDetail bounds what an error repeats of a stranger's text, in runes.
const maxDetail = 200

// ProtocolError says that the OP, or someone who poses as it, broke a rule.
// Nothing of the refused message is used.
type ProtocolError struct {
	Reason Reason
	// Step is the message that was refused, e.g. "ID Token" or "discovery".
	Step string
	// Spec is the section that was broken, e.g. "Core 3.1.3.7 (2)".
	Spec string
	// Detail tells what was expected and what came, without any secret.
	Detail string
	// Err is the cause; nil if there is none.
	Err error
}

func (e *ProtocolError) Error() string {
	return message(e.Step, string(e.Reason), e.Detail, e.Spec)
}

// Unwrap returns the Reason and the cause.
func (e *ProtocolError) Unwrap() []error { return causes(e.Reason, e.Err) }

// OPError says that the OP answered, as it may, that it will not: an error
// response of Core section 3.1.2.6, RFC 6749 sections 4.1.2.1 and 5.2, RFC 6750
// section 3.1, RFC 7009 section 2.2.1 or RFC 7591 section 3.2.2. Any code is
// kept, also one that no specification lists.
type OPError struct {
	// Endpoint is the endpoint that answered, e.g. "token" or "authorization".
	Endpoint string
	// Code is the error code, e.g. "access_denied"; "" if the OP gave none.
	Code string
	// Description and URI are the OP's words, for a developer. They come from
	// a stranger: Error shows them escaped and shortened, an HTML page must
	// escape them again.
	Description, URI string
	// StatusCode is the HTTP status; 0 for an authentication response.
	StatusCode int
	// RetryAfter is how long the OP asks to wait; 0 if it does not say.
	RetryAfter time.Duration
	// Hint is our advice, where one is known.
	Hint string
}

func (e *OPError) Error() string {
	code := e.Code
	if code == "" {
		code = fmt.Sprintf("HTTP status %d", e.StatusCode)
	}
	detail := printable(e.Description)
	if e.Hint != "" {
		if detail != "" {
			detail += "; "
		}
		detail += e.Hint
	}
	return message(e.Endpoint, "the OP answered "+printable(code), detail, "")
}

// Temporary reports whether the same request may succeed later: the OP was
// overloaded or failed, and said nothing final about the grant.
func (e *OPError) Temporary() bool {
	switch e.Code {
	case "temporarily_unavailable", "server_error", "slow_down":
		return true
	case "":
		return e.StatusCode >= 500 || e.StatusCode == 429 || e.StatusCode == 408
	}
	return e.StatusCode == 503 || e.StatusCode == 429
}

// UnsupportedError says that both sides are right and cannot work together: the
// OP lacks what the configuration needs, or an identifier is of a kind that
// OpenID Connect does not discover.
type UnsupportedError struct {
	// Feature is what is lacking, in the specification's terms.
	Feature string
	// Detail tells what was wanted and what is there.
	Detail string
}

func (e *UnsupportedError) Error() string {
	return message("", "not supported: "+e.Feature, e.Detail, "")
}

// InputError says that the caller gave something that cannot be right: an
// identifier, a configuration, a parameter.
type InputError struct {
	Reason Reason
	// Field is the field or argument, e.g. "ClientConfig.ID".
	Field string
	// Detail tells what is wrong with it, without its value if that is secret.
	Detail string
	// Err is the cause; nil if there is none.
	Err error
}

func (e *InputError) Error() string {
	return message(e.Field, string(e.Reason), e.Detail, "")
}

// Unwrap returns the Reason and the cause.
func (e *InputError) Unwrap() []error { return causes(e.Reason, e.Err) }

// TransportError says that no usable answer came: the network, a name server,
// TLS, a deadline or the caller's own context. It wraps the cause, so that
// errors.Is finds context.Canceled and context.DeadlineExceeded.
type TransportError struct {
	// Step is the message that was under way, e.g. "token".
	Step string
	// Detail tells which host and what failed.
	Detail string
	Err    error
}

func (e *TransportError) Error() string {
	return message(e.Step, string(Unreachable), e.Detail, "")
}

// Unwrap returns Unreachable and the cause.
func (e *TransportError) Unwrap() []error { return causes(Unreachable, e.Err) }

// Temporary reports true: the same request may succeed later.
func (e *TransportError) Temporary() bool { return true }

func causes(r Reason, err error) []error {
	if err == nil {
		return []error{r}
	}
	return []error{r, err}
}

// message is the one form that the errors of this package have.
func message(where, what, detail, spec string) string {
	var b strings.Builder
	b.WriteString("oidc: ")
	if where != "" {
		b.WriteString(where)
		b.WriteString(": ")
	}
	b.WriteString(what)
	if detail != "" {
		b.WriteString(": ")
		b.WriteString(detail)
	}
	if spec != "" {
		b.WriteString(" (")
		b.WriteString(spec)
		b.WriteString(")")
	}
	return b.String()
}

// printable makes a stranger's text fit for a log line or a terminal: control
// characters, bidirectional overrides and broken UTF-8 are replaced, and the
// length is bounded (hostile catalogue case 107).
func printable(s string) string {
	clean := true
	n := 0
	for _, r := range s {
		if n++; n > maxDetail || r == utf8.RuneError || !unicode.IsPrint(r) {
			clean = false
			break
		}
	}
	if clean {
		return s
	}
	var b strings.Builder
	n = 0
	for _, r := range s {
		if n++; n > maxDetail {
			b.WriteString("...")
			break
		}
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quote is printable in quotation marks.
func quote(s string) string { return `"` + strings.ReplaceAll(printable(s), `"`, `'`) + `"` }
