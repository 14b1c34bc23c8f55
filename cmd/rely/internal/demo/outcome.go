package demo

import (
	"errors"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// verdict is the kind of an outcome.
type verdict string

const (
	loggedIn  verdict = "logged-in"
	withstood verdict = "withstood" // the OP broke a rule that a relying party lives with
	caught    verdict = "caught"    // the OP broke a rule and was refused
	refused   verdict = "refused"   // it failed, and nobody asked for that
	missed    verdict = "missed"    // the fault did not show
	loggedOut verdict = "logged-out"
)

// outcome is what came of a login, or of what followed it, in words.
type outcome struct {
	Verdict  verdict
	Headline string // "Caught: nonce mismatch"
	Spec     string // "Core 3.1.3.7 (11)"
	Reason   string // of package oidc; empty if nothing failed
	Step     stepID // where it was decided
	Check    string // the check that failed; empty if none
	Detail   string // what was expected and what came
	Facts    []string
	Fault    *oidctest.FaultInfo
}

// sentence is the outcome in one line.
func (o *outcome) sentence() string {
	s := o.Headline
	if o.Spec != "" {
		s += " — " + o.Spec
	}
	s += "."
	for _, f := range o.Facts {
		s += " " + f
	}
	return s
}

// succeed decides that a step went well.
func (l *login) succeed(at stepID) {
	o := &outcome{Verdict: loggedIn, Step: at, Fault: l.choice.Fault}
	switch {
	case at == stepRevoke:
		o.Verdict, o.Headline, o.Fault = loggedOut, "Logged out", nil
		o.Facts = []string{"The tokens are revoked and forgotten."}
	case at == stepRefresh:
		o.Headline = "Refreshed: new tokens for " + l.who()
	default:
		o.Headline = "Logged in as " + l.who()
	}
	if f := l.choice.Fault; f != nil && at != stepRevoke {
		switch {
		case l.needs.refresh && at != stepRefresh:
			return // it is still to show
		case l.user != nil && len(l.user.Malformed) > 0:
			o.Verdict, o.Reason = caught, string(oidc.BadClaim)
			o.Headline = "Caught: " + strings.Join(l.user.Malformed, ", ") + " not believed"
			o.Spec = f.Section
			o.Facts = []string{"The claim has the wrong type, and counts as not given. The login itself stands."}
		case f.Harmless || goesOn(f.Fault) != "":
			o.Verdict, o.Headline = withstood, "Withstood: logged in all the same"
			o.Spec = f.Section
			o.Facts = []string{"This is a fault that a relying party lives with."}
			if how := goesOn(f.Fault); how != "" {
				o.Facts = []string{how}
			}
		default:
			o.Verdict, o.Headline = missed, "The login went on"
			o.Spec = f.Section
			o.Facts = []string{"Nothing of the fault reached the relying party's checks."}
		}
	}
	l.outcome, l.failure = o, nil
}

// fail decides that the login ends here, closes the step, and returns err.
func (l *login) fail(err error) error {
	o := &outcome{Verdict: refused, Fault: l.choice.Fault}
	word := "Refused: "
	if o.Fault != nil {
		o.Verdict, word = caught, "Caught: "
	}
	var (
		protocol    *oidc.ProtocolError
		answered    *oidc.OPError
		unsupported *oidc.UnsupportedError
		input       *oidc.InputError
		transport   *oidc.TransportError
	)
	switch {
	case errors.As(err, &protocol):
		o.Headline, o.Reason = word+string(protocol.Reason), string(protocol.Reason)
		o.Spec, o.Detail = protocol.Spec, protocol.Detail
		l.ensureCheck(protocol)
	case errors.As(err, &answered):
		code := answered.Code
		if code == "" {
			code = statusText(answered.StatusCode)
		}
		o.Reason, o.Detail = code, plain(err)
		switch {
		case o.Fault == nil:
			o.Headline = "The OP said no: " + code
		case answered.Code != "":
			o.Headline = "Reported: " + code
		default:
			o.Headline = "Not accepted: " + code
		}
	case errors.As(err, &unsupported):
		o.Headline, o.Reason, o.Detail = word+unsupported.Feature+" not supported", "not supported: "+unsupported.Feature, unsupported.Detail
	case errors.As(err, &input):
		o.Headline, o.Reason, o.Detail = word+string(input.Reason), string(input.Reason), input.Detail
	case errors.As(err, &transport):
		o.Headline, o.Reason, o.Detail = "Given up: "+string(oidc.Unreachable), string(oidc.Unreachable), transport.Detail
	default:
		o.Headline, o.Detail = "Stopped", plain(err)
	}
	if o.Spec == "" && o.Fault != nil {
		o.Spec = o.Fault.Section
	}
	if c, ok := l.rec.failure(); ok {
		o.Check = c.Title
	}
	o.Step = l.current()
	o.Facts = l.consequences(o.Step)
	l.rec.end(failed, "")
	l.outcome, l.failure = o, err
	return err
}

// ensureCheck shows what was refused as a failed check, also where it was
// refused before a check had its turn, such as a body that is too large.
func (l *login) ensureCheck(e *oidc.ProtocolError) {
	if c, ok := l.rec.failure(); ok && c.Reason == e.Reason {
		return
	}
	l.rec.addCheck(oidc.Check{Step: e.Step, Title: string(e.Reason), Spec: e.Spec, Reason: e.Reason, Detail: e.Detail})
}

func (l *login) current() stepID {
	l.rec.mu.Lock()
	defer l.rec.mu.Unlock()
	return l.rec.current
}

// consequences says what a failure in a step left undone.
func (l *login) consequences(at stepID) []string {
	switch at {
	case stepUserInfo:
		return []string{"No claim of it is used; the ID Token and the login stand."}
	case stepRefresh:
		if l.tokens != nil && l.tokens.RefreshToken == "" {
			return []string{"The grant is over: log in again."}
		}
		return []string{"Nothing of the answer is used; the tokens of before are kept."}
	case stepRevoke:
		return []string{"The tokens are forgotten here; the OP could not be told."}
	}
	facts := []string{"No token was accepted."}
	if never := l.neverSent(); len(never) > 0 {
		facts = append(facts, "Never sent: "+strings.Join(never, ", ")+".")
	}
	return facts
}

// neverSent lists the messages that the login would have sent from here on.
func (l *login) neverSent() []string {
	var out []string
	for _, m := range []struct {
		kind, name string
		would      bool
	}{
		{oidc.StepDiscovery, "metadata request", true},
		{oidc.StepRegistration, "registration", l.to.static == nil && l.client == nil},
		{oidc.StepAuthorization, "authentication request", true},
		{oidc.StepToken, "token request", hasWord(l.choice.ResponseType, "code")},
		{oidc.StepUserInfo, "UserInfo request", l.choice.ResponseType != "id_token"},
	} {
		if m.would && !l.rec.sent(m.kind) {
			out = append(out, m.name)
		}
	}
	return out
}

// who names the person as well as it is known.
func (l *login) who() string {
	if l.user != nil && l.user.Name != "" {
		return l.user.Name
	}
	if l.tokens == nil || l.tokens.IDToken == nil {
		return "nobody"
	}
	if n := l.tokens.IDToken.Standard().Name; n != "" {
		return n
	}
	return l.tokens.IDToken.Subject
}

// plain is an error's text without the package that it comes from.
func plain(err error) string { return strings.TrimPrefix(err.Error(), "oidc: ") }
