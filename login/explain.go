package login

import "rely.example/oidc"

// Explain says whose fault the error is and what to do; oidc.Explain calls it,
// and tells the cause where the error wraps one of package oidc.
func (e *Error) Explain() oidc.Failure {
	f := oidc.Failure{Fault: oidc.FaultCaller, Reason: string(e.Reason), Detail: e.Detail, Advice: e.Reason.Advice(), Temporary: e.Reason == StoreUnavailable}
	switch e.Reason {
	case NoSession, StepUpNeeded, Forbidden, LoginRefused, BadRequest, CrossSite:
		f.Fault = oidc.FaultVisitor
	case Replayed:
		f.Fault = oidc.FaultProvider
	case StoreUnavailable, BadRecord:
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
	case NoSession:
		return "send the user to log in"
	case StepUpNeeded:
		return "send the user to log in again, as the challenge says"
	case Forbidden:
		return "nothing: the user is not one of those for whom the page is"
	case LoginRefused:
		return "see why Config.OnLogin said no"
	case BadRequest:
		return "nothing, if it is a probe; otherwise see what the form or link sends"
	case CrossSite:
		return "see that Config.Origin is the origin of the page, if it is yours"
	case Replayed:
		return "nothing: it was obeyed the first time"
	case TooLarge:
		return "keep less in Session.Data, or use a store in place of cookies"
	case Unsupported:
		return "use a store: sessions in cookies have no memory"
	case StoreUnavailable:
		return "see that the store is up and reached from here; then try again"
	case BadRecord:
		return "send the user to log in; if it happens to everybody, see whether a key was removed from the ring"
	}
	return "read the detail, and docs/troubleshooting.md"
}
