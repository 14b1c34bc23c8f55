package resource

import "rely.example/oidc"

// Explain says whose fault the error is and what to do; oidc.Explain calls it.
func (e *Error) Explain() oidc.Failure {
	f := oidc.Failure{Step: oidc.StepAccessToken, Fault: oidc.FaultVisitor, Reason: string(e.Reason), Spec: e.Spec, Detail: e.Detail,
		Advice: e.Reason.Advice(), Temporary: e.Temporary()}
	switch e.Reason {
	case BadConfig:
		f.Step, f.Fault = "", oidc.FaultCaller
	case BadProof, ReplayedProof, NonceNeeded:
		f.Step = StepProof
	case StoreUnavailable:
		f.Fault = oidc.FaultStore
	}
	return f
}

// Advice says in a sentence what to do about a reason. docs/troubleshooting.md
// says more.
func (r Reason) Advice() string {
	switch r {
	case BadConfig:
		return "mend the field that the detail names"
	case MissingToken:
		return "the client sends its access token in the Authorization header"
	case BadRequest:
		return "the client sends one token, in the Authorization header"
	case UnknownIssuer:
		return "put the issuer into Config.Providers, if its tokens are wanted"
	case BadProof:
		return "compare what the proof names with the request; for htu see Config.Origin, for iat the clocks"
	case ReplayedProof:
		return "the client makes a new proof for each request"
	case NonceNeeded:
		return "the client repeats the request with the nonce of the answer"
	case InsufficientScope:
		return "the client asks for the scopes that the challenge names"
	case InsufficientAuthentication:
		return "the client has its user log in again, as the challenge says"
	case StoreUnavailable:
		return "see that the store is up and reached from here; then try again"
	}
	return "read the detail, and docs/troubleshooting.md"
}
