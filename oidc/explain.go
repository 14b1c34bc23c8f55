package oidc

import (
	"context"
	"errors"
	"net/http"
)

// Fault says who has to act on a failure.
type Fault string

// The faults there are.
const (
	// FaultProvider: the OP, or someone who poses as it, broke a rule.
	FaultProvider Fault = "provider"
	// FaultRefusal: the OP said no, as it may.
	FaultRefusal Fault = "refusal"
	// FaultBoth: both sides are right and cannot work together.
	FaultBoth Fault = "both"
	// FaultCaller: this program: a configuration, an argument.
	FaultCaller Fault = "caller"
	// FaultNetwork: no answer came.
	FaultNetwork Fault = "network"
	// FaultVisitor: who came to us, a browser or the client of an API, or someone who
	// poses as it, brought what it must not, or too little.
	FaultVisitor Fault = "visitor"
	// FaultStore: what keeps our state did not answer, or lost it.
	FaultStore Fault = "store"
	// FaultCancelled: who called gave up waiting.
	FaultCancelled Fault = "cancelled"
	// FaultUnknown: the error is none of these packages'.
	FaultUnknown Fault = "unknown"
)

// Failure explains an error to who runs the program. It holds no secret.
type Failure struct {
	// Step is the exchange or message that failed, one of the Step constants, or
	// the field of a configuration; "" if the error names none.
	Step string
	// Fault says whose fault it is.
	Fault Fault
	// Reason is the rule that was broken, or the OP's error code.
	Reason string
	// Spec is the section; "" if there is none.
	Spec string
	// Detail tells what was expected and what came.
	Detail string
	// Advice says what to do.
	Advice string
	// Temporary: the same call may succeed later.
	Temporary bool
}

// explainer is implemented by the errors of the packages above.
type explainer interface {
	error
	Explain() Failure
}

// Explain says of an error of this package, or of those above it, which exchange
// failed, whose fault it is and what to do. An error that wraps one of this
// package is explained by that one, which is nearer to the cause. It returns the
// zero Failure for nil.
func Explain(err error) Failure {
	if err == nil {
		return Failure{}
	}
	if errors.Is(err, context.Canceled) {
		return Failure{Step: stepOf(err), Fault: FaultCancelled, Reason: "cancelled", Advice: "nothing: who asked did not wait for the answer", Temporary: true}
	}
	if e, ok := errors.AsType[*OPError](err); ok {
		f := Failure{Step: e.Endpoint, Fault: FaultRefusal, Reason: printable(e.Code), Detail: printable(e.Description), Advice: e.Hint, Temporary: e.Temporary()}
		if f.Reason == "" {
			f.Reason = http.StatusText(e.StatusCode)
		}
		if f.Advice == "" {
			f.Advice = refusalAdvice(e)
		}
		return f
	}
	if e, ok := errors.AsType[*TransportError](err); ok {
		return Failure{Step: e.Step, Fault: FaultNetwork, Reason: string(Unreachable), Detail: e.Detail, Advice: Unreachable.Advice(), Temporary: true}
	}
	if e, ok := errors.AsType[*ProtocolError](err); ok {
		f := Failure{Step: e.Step, Fault: FaultProvider, Reason: string(e.Reason), Spec: e.Spec, Detail: e.Detail, Advice: e.Reason.Advice()}
		switch e.Reason {
		case KeysUnavailable:
			f.Temporary = true
		case MalformedAuthResponse, NotANavigation, DuplicateParameter, WrongResponseMode, WrongRedirectURI, WrongClient, LoginExpired, BadState:
			f.Fault = FaultVisitor
		}
		return f
	}
	if e, ok := errors.AsType[*InputError](err); ok {
		return Failure{Step: e.Field, Fault: FaultCaller, Reason: string(e.Reason), Detail: e.Detail, Advice: e.Reason.Advice()}
	}
	if e, ok := errors.AsType[*UnsupportedError](err); ok {
		return Failure{Step: e.Feature, Fault: FaultBoth, Reason: "not supported", Detail: e.Detail, Advice: "change the configuration, or the OP's; the detail says what is lacking"}
	}
	if e, ok := errors.AsType[explainer](err); ok {
		return e.Explain()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return Failure{Fault: FaultNetwork, Reason: string(Unreachable), Detail: printable(err.Error()), Advice: Unreachable.Advice(), Temporary: true}
	}
	return Failure{Fault: FaultUnknown, Reason: "error", Detail: printable(err.Error()), Advice: "read the error: it is none that this library makes"}
}

func stepOf(err error) string {
	if e, ok := errors.AsType[*TransportError](err); ok {
		return e.Step
	}
	if e, ok := errors.AsType[*ProtocolError](err); ok {
		return e.Step
	}
	return ""
}

// refusalAdvice is what to do about an OP's own error code.
func refusalAdvice(e *OPError) string {
	switch e.Code {
	case "access_denied":
		return "the user or the OP said no: show it calmly, offer to try again"
	case "login_required", "interaction_required", "consent_required", "account_selection_required", "insufficient_user_authentication":
		return "have the user log in: repeat without prompt none"
	case "invalid_client":
		return "compare the client id, the secret or key and the authentication method with what is registered"
	case "invalid_grant":
		return "of a code: it was used, is too old, or belongs to another redirect URI; of a refresh token: the grant is over, log in again"
	case "invalid_redirect_uri", "invalid_client_metadata", "invalid_software_statement", "unapproved_software_statement":
		return "ask in the registration for what the OP allows"
	case "invalid_scope", "unauthorized_client", "unsupported_response_type", "unsupported_grant_type", "invalid_target":
		return "register the client for what it asks, or ask for less"
	case "invalid_token":
		return "the access token is over or not good for this: refresh it, or log in again"
	case "insufficient_scope":
		return "log in with the scopes that the call needs"
	case "invalid_dpop_proof", "use_dpop_nonce":
		return "compare the clocks; if they agree, tell the server's operator"
	case "authorization_pending", "slow_down":
		return "go on polling, at the interval that the OP asks for"
	case "expired_token":
		return "begin anew: the user did not answer in time"
	}
	if e.Temporary() {
		return "try again later"
	}
	return "read the OP's words, and ask its operator"
}

// Advice says in a sentence what to do about a reason. docs/troubleshooting.md
// says more.
func (r Reason) Advice() string {
	if a := advice[r]; a != "" {
		return a
	}
	return "read the detail, and docs/troubleshooting.md"
}

const beginAnew = "begin the login anew"

// advice is what Reason.Advice says.
var advice = map[Reason]string{
	BadIdentifier:      "ask the user again, and show what an identifier looks like",
	BadConfig:          "mend the field that the error names",
	BadParameter:       "mend the argument that the error names",
	ProtectedParameter: "use the field that there is for it",
	RequestTooLong:     "set AuthParams.Post, or ask for less",
	ProfileViolation:   "mend what the error lists, or the OP",
	SecretExpired:      "read the registration again, or register anew",
	NoRefreshToken:     "ask for the scope offline_access, or have the user log in",
	NoAccessToken:      "take the claims from the ID Token: this response type gives no access token",
	WrongOrigin:        "name the origin when the transport is made, if it is yours",

	InsecureURL:         "use https; Options.InsecureAllowHTTP is for a loopback OP in development",
	ForbiddenAddress:    "if the OP is in your own network, name its host in Options.AllowPrivate",
	UnexpectedRedirect:  "configure the URL that it redirects to, if it is right",
	UnexpectedStatus:    "see whether the issuer is spelled as the OP writes it",
	UnexpectedMediaType: "see whether a proxy answers in the OP's place, or what is registered to be signed",
	ResponseTooLarge:    "ask the OP's operator: no answer needs that much",
	MalformedResponse:   "ask the OP's operator: the detail says where its answer is broken",
	Unreachable:         "see that the OP is up and reached from here, and its certificate trusted; then try again",

	NoIssuer:                "let the user choose an OP, or give the issuer directly",
	BadMetadata:             "tell the OP's operator, or give the metadata by hand with NewProvider",
	MissingMetadata:         "tell the OP's operator, or give the metadata by hand with NewProvider",
	MetadataIssuerMismatch:  "use the issuer exactly as the OP writes it, with or without its final slash",
	BadRegistration:         "ask for what the OP grants, if that is good enough",
	ForeignRegistrationURI:  "tell the OP's operator: the registration token is sent to no other origin",
	BadAuthorizationDetails: "tell the OP's operator; Quirks.UntoldAuthorizationDetails is for one that says nothing",
	BadPARResponse:          "tell the OP's operator, or do without pushed requests",

	MalformedAuthResponse: beginAnew,
	NotANavigation:        "nothing: a prefetch, or somebody opened the redirect URI",
	DuplicateParameter:    beginAnew + "; somebody tampered with the URL",
	MissingParameter:      beginAnew + "; if it comes again, the OP does not know the response type",
	UnexpectedParameter:   beginAnew,
	WrongResponseMode:     "ask for no response mode, or set Quirks.AnyResponseMode",
	WrongRedirectURI:      "give each OP a redirect URI of its own, and see which one is registered",
	WrongClient:           "see that a login is finished by the client that began it",
	LoginExpired:          beginAnew,
	BadState:              beginAnew + "; if it happens to everybody, the pending login is not kept where the callback looks",
	BadResponseIssuer:     beginAnew + "; another OP may have answered",

	BadTokenResponse:   "tell the OP's operator: the detail names the member",
	MissingAccessToken: "tell the OP's operator",
	BadTokenType:       "see which kinds of token the OP is set up to give the client",
	MissingIDToken:     "see that openid is among the scopes that the OP allows the client",
	BadDPoPNonce:       "tell the server's operator: it is content with no nonce of its own",

	BadDeviceResponse:   "tell the OP's operator: the detail names the member",
	BadCIBAResponse:     "tell the OP's operator: the detail names the member",
	BadNotification:     "answer 400; if the OP sent it, tell its operator",
	ForeignNotification: "answer 401, and find out who sent it",
	BadAuthReqID:        beginAnew + "; the ID Token was made for another request",
	BadRefreshTokenHash: beginAnew + "; the refresh token was exchanged on the way",
	ResourceMismatch:    "ask for the resource exactly as its metadata writes it, if it is the right one",
	UnsignedMetadata:    "tell the API's operator, or do without ResourceParams.RequireSigned",
	BadIssuedType:       "ask for the type that the OP gives, or tell its operator",

	MalformedToken:     "tell who issued the token: it is no compact JWT",
	BadHeader:          "tell who issued the token: its header has what is never accepted",
	BadType:            "use a token of the kind that belongs here",
	BadAlgorithm:       "configure the algorithm that the OP signs with for this client",
	UnknownKey:         "see that the OP publishes the key it signs with",
	KeysUnavailable:    "see that the OP's jwks_uri is reached from here; then try again",
	BadKeySet:          "tell the OP's operator at once: whoever reads the key set can sign with it",
	BadSignature:       "refuse, and find out who made the token: not the OP",
	BadEncryption:      "compare what is registered to be encrypted with ClientConfig.Keys",
	BadClaim:           "tell the OP's operator: the detail names the claim",
	MissingClaim:       "tell the OP's operator: the detail names the claim",
	BadIssuer:          "configure the issuer that tokens name; with many tenants, the tenant's own",
	BadTenant:          "allow the tenant, if its users may come in",
	BadAudience:        "use a token that was made for us; a stranger who is trusted goes into TrustedAudiences",
	BadAuthorizedParty: "use a token that was made for this client",
	InactiveToken:      "get a new token: this one is over, revoked, or none of ours",
	BadBinding:         "send the token with the key or certificate that it is bound to",
	BadSubject:         "tell the OP's operator",
	TokenExpired:       "get a new token; if it is new, compare the clocks",
	TokenNotYetValid:   "compare the clocks",
	TokenTooOld:        "get a new token; the limit is in the configuration",
	BadNonce:           beginAnew + "; the token was made for another login",
	BadAccessTokenHash: beginAnew + "; the access token was exchanged on the way",
	BadCodeHash:        beginAnew + "; the code was exchanged on the way",
	BadStateHash:       beginAnew,
	BadAuthTime:        "have the user log in again; if it comes again, the OP ignores max_age",
	BadACR:             "see which acr values the OP has, and whether the user can reach them",
	SubjectMismatch:    "refuse, and tell the OP's operator: its answers speak of different users",
}
