package rp

import "rely.example/oidc"

// Explain says whose fault the error is and what to do; oidc.Explain calls it,
// and tells the cause where the error wraps one of package oidc.
func (e *Error) Explain() oidc.Failure {
	f := oidc.Failure{Fault: oidc.FaultCaller, Reason: string(e.Reason), Detail: e.Detail, Advice: e.Reason.Advice(), Temporary: e.Temporary()}
	switch e.Reason {
	case UnknownState, LoginExpired, WrongBrowser, WrongRedirectURI, LoggedOut, IssuerRefused, TooManyIssuers, CIBAPending, UnknownNotification:
		f.Fault = oidc.FaultVisitor
	case GrantEnded, LoginNeeded, RefreshFailed, CIBAFailed:
		f.Fault = oidc.FaultRefusal
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
	case UnknownIssuer:
		return "put the issuer into the directory, exactly as the OP writes it"
	case UnknownState:
		return "begin the login anew; if it happens to everybody, see that all processes share store and keys"
	case LoginExpired:
		return "begin the login anew"
	case WrongBrowser:
		return "begin the login anew; if it happens to everybody, see that the cookie of the login comes back"
	case WrongRedirectURI:
		return "give each OP a redirect URI of its own, and see which one is registered"
	case LoggedOut:
		return "begin the login anew"
	case IssuerRefused:
		return "allow the issuer in Dynamic.Allow, if its users may come in"
	case GrantEnded:
		return "have the user log in"
	case LoginNeeded:
		return "have the user log in, or ask for offline_access at the next login"
	case RefreshFailed:
		return "try again later; the grant is not over"
	case CIBAPending:
		return "look again in a second, or wait with FinishCIBA"
	case CIBAFailed:
		return "begin the login anew"
	case UnknownNotification:
		return "answer 401; if it happens to every notification, see that all processes share store and keys"
	case StoreUnavailable:
		return "see that the store is up and reached from here; then try again"
	case BadRecord:
		return "see whether a key was removed from the ring too early; delete the record if it is damaged"
	case Closed:
		return "try again: another process, or the next start, goes on; stop taking requests before Close"
	case TooManyIssuers:
		return "wait a minute; raise Dynamic.RegistrationsPerMinute if these issuers are wanted"
	}
	return "read the detail, and docs/troubleshooting.md"
}
