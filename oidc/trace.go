package oidc

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Trace sees what a Provider and its Clients do: every exchange with the OP,
// every message that the browser carries, and every check, passed or failed.
// Any hook may be nil. Hooks are called synchronously, from whichever goroutine
// is at work, and must not block.
//
// Secrets are masked before a hook sees them, unless InsecureUnmasked is set.
type Trace struct {
	// Exchange is called after each HTTP exchange with the OP.
	Exchange func(ctx context.Context, e Exchange)
	// Front is called for each message that the browser carries.
	Front func(ctx context.Context, m FrontMessage)
	// Check is called for each rule that was checked.
	Check func(ctx context.Context, c Check)
	// Call is called when a call of this package begins that may reach the OP or
	// decides about a token: Begin, Finish, Refresh. What the call does is done
	// with the context that Call returns, so that a tracer can put its own into
	// it; nil means the one it was given. The function that it returns, if it is
	// not nil, is called when the call has ended.
	Call func(ctx context.Context, c Call) (context.Context, func(Outcome))
	// Notice is called for what is neither message nor check: a second attempt, a
	// fetch of keys, a failure that nobody else is told of.
	Notice func(ctx context.Context, n Notice)

	// InsecureUnmasked hands secrets, codes and tokens to the hooks as they
	// are. It is for a developer's own eyes.
	InsecureUnmasked bool
}

// The purposes of an Exchange, which are also the Steps of errors.
const (
	StepWebFinger     = "WebFinger"
	StepDiscovery     = "discovery"
	StepKeys          = "keys"
	StepRegistration  = "registration"
	StepPAR           = "pushed authorization"
	StepAuthorization = "authorization"
	StepToken         = "token"
	StepIDToken       = "ID Token"
	StepUserInfo      = "UserInfo"
	StepRefresh       = "refresh"
	StepRevocation    = "revocation"
	StepIntrospection = "introspection"
	StepAccessToken   = "access token"
	StepDevice        = "device authorization"
	StepCIBA          = "backchannel authentication"
	StepNotification  = "CIBA notification"
	StepResource      = "resource metadata"
)

// Exchange is one HTTP request to an OP and what came of it.
type Exchange struct {
	// Step is the purpose, one of the Step constants.
	Step           string
	Method, URL    string
	RequestHeader  http.Header
	RequestBody    string
	Status         int // 0: no response
	ResponseHeader http.Header
	ResponseBody   string
	Start          time.Time
	Took           time.Duration
	Err            error
}

// FrontMessage is a message between RP and OP that the browser carries.
type FrontMessage struct {
	// Step is StepAuthorization.
	Step string
	// Response is false for a request to the OP and true for its answer.
	Response bool
	// Mode is the way it travels: "GET", "POST", "query", "fragment" or "form_post".
	Mode string
	// Endpoint is where it goes.
	Endpoint string
	Params   url.Values
}

// Check is one rule that was checked.
type Check struct {
	// Step is the message that was checked, e.g. StepIDToken.
	Step string
	// Title says the rule in a few words, e.g. "iss is the issuer".
	Title string
	// Spec is the section that asks for it.
	Spec string
	// Reason is what a failure is called.
	Reason Reason
	// Passed is the outcome.
	Passed bool
	// Detail tells what was expected and what came; without secrets.
	Detail string
}

// Call is a call of this package.
type Call struct {
	// Name is the function or method, e.g. "Finish".
	Name string
	// Issuer is the OP; what was typed, for Discover and FindIssuer.
	Issuer string
	// ClientID is the client; "" for a call of no client.
	ClientID string
	Start    time.Time
}

// Outcome is how a Call ended.
type Outcome struct {
	Took time.Duration
	// Err is what the call returned.
	Err error
	// Failure explains Err; the zero value if there was none.
	Failure Failure
}

// NoticeKind is what a Notice tells of.
type NoticeKind string

const (
	// NoticeRetry: a request is sent a second time.
	NoticeRetry NoticeKind = "retry"
	// NoticeKeys: the OP's keys were fetched, and why.
	NoticeKeys NoticeKind = "keys"
	// NoticeStale: something could not be fetched anew, and the last good copy
	// stays in use. Nobody is refused for it yet.
	NoticeStale NoticeKind = "stale"
)

// Notice is something that no message and no check shows.
type Notice struct {
	Kind NoticeKind
	// Step is what it is about, one of the Step constants.
	Step string
	// Detail says it in words, without secrets.
	Detail string
	// Err is the failure, for NoticeStale.
	Err error
}

// call tells of a call that begins, and returns what tells of its end.
func (e *env) call(ctx context.Context, name, issuer, clientID string) (context.Context, running) {
	t := e.trace
	if t == nil || t.Call == nil || ctx == nil {
		return ctx, running{}
	}
	r := running{env: e, start: e.now()}
	traced, ended := t.Call(ctx, Call{Name: name, Issuer: issuer, ClientID: clientID, Start: r.start})
	if r.ended = ended; traced != nil {
		ctx = traced
	}
	return ctx, r
}

func (p *Provider) call(ctx context.Context, name string) (context.Context, running) {
	if p.env.trace == nil {
		return ctx, running{}
	}
	return p.env.call(ctx, name, p.Issuer(), "")
}

func (c *Client) call(ctx context.Context, name string) (context.Context, running) {
	if c.p.env.trace == nil {
		return ctx, running{}
	}
	return c.p.env.call(ctx, name, c.p.Issuer(), c.c.ID)
}

// running is a call that was told of. The zero value tells nobody.
type running struct {
	env   *env
	start time.Time
	ended func(Outcome)
}

// end is deferred, so that it sees what the call returns.
func (r running) end(err *error) {
	if r.ended == nil {
		return
	}
	o := Outcome{Took: r.env.now().Sub(r.start)}
	if *err != nil {
		o.Err, o.Failure = *err, Explain(*err)
	}
	r.ended(o)
}

func (t *Trace) notice(ctx context.Context, n Notice) {
	if t != nil && t.Notice != nil {
		t.Notice(ctx, n)
	}
}

func (t *Trace) exchange(ctx context.Context, e Exchange) {
	if t.Exchange == nil {
		return
	}
	if !t.InsecureUnmasked {
		e = e.Masked()
	}
	t.Exchange(ctx, e)
}

func (t *Trace) front(ctx context.Context, m FrontMessage) {
	if t == nil || t.Front == nil {
		return
	}
	if !t.InsecureUnmasked {
		m = m.Masked()
	}
	t.Front(ctx, m)
}

// checker runs the checks of one message. The zero value checks and tells nobody.
type checker struct {
	ctx   context.Context
	trace *Trace
	step  string
	// report, if not nil, takes every check, and makes a failure no reason to
	// stop: the message is being explained, not accepted.
	report *[]Check
}

// that records one check. It returns nil if it passed, or else the error to
// give up with. Strings for the detail are built only where somebody sees them,
// so the caller passes them plain.
func (c *checker) that(passed bool, r Reason, spec, title, want, got string) error {
	if passed && !c.wantsDetail() {
		return nil
	}
	if passed {
		return c.tell(true, r, spec, title, found(got))
	}
	return c.tell(false, r, spec, title, detail(want, got))
}

func (c *checker) tell(passed bool, r Reason, spec, title, detail string) error {
	k := Check{Step: c.step, Title: title, Spec: spec, Reason: r, Passed: passed, Detail: detail}
	if c.record(k) || passed {
		return nil
	}
	return &ProtocolError{Reason: r, Step: c.step, Spec: spec, Detail: detail}
}

// failed records that err came up and returns it.
func (c *checker) failed(err *ProtocolError, title string) error {
	if err.Step == "" {
		err.Step = c.step
	}
	if c.record(Check{Step: err.Step, Title: title, Spec: err.Spec, Reason: err.Reason, Detail: err.Detail}) {
		return nil
	}
	return err
}

// record hands a check to whoever sees it, and reports whether the message is
// only being explained, so that a failure is no reason to stop.
func (c *checker) record(k Check) (explaining bool) {
	if c.report != nil {
		*c.report = append(*c.report, k)
		return true
	}
	if c.trace != nil && c.trace.Check != nil {
		c.trace.Check(c.ctx, k)
	}
	return false
}

// wantsDetail reports whether somebody sees the checks that pass.
func (c *checker) wantsDetail() bool {
	return c.report != nil || c.trace != nil && c.trace.Check != nil
}

// tellIf is that for a comparison of times.
func (c *checker) tellIf(passed bool, r Reason, spec, title, intro string, at, now time.Time) error {
	if passed && !c.wantsDetail() {
		return nil
	}
	return c.tell(passed, r, spec, title, intro+timeText(at)+", now is "+timeText(now))
}

// found is the detail of a check that was passed.
func found(got string) string {
	if got == "" {
		return ""
	}
	return "it is " + quote(got)
}

func detail(want, got string) string {
	switch {
	case want == "" && got == "":
		return ""
	case got == "":
		return "expected " + quote(want) + ", got none"
	case want == "":
		return "got " + quote(got)
	}
	return "expected " + quote(want) + ", got " + quote(got)
}
