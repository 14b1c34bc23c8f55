package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// watcher keeps what a Trace sees.
type watcher struct {
	mu        sync.Mutex
	exchanges []oidc.Exchange
	fronts    []oidc.FrontMessage
	checks    []oidc.Check
	begun     []oidc.Call
	ended     []oidc.Outcome
	notices   []oidc.Notice
}

type inCall struct{}

func (w *watcher) trace() *oidc.Trace {
	return &oidc.Trace{
		Exchange: func(ctx context.Context, e oidc.Exchange) {
			w.mu.Lock()
			defer w.mu.Unlock()
			if ctx.Value(inCall{}) == nil {
				e.Step += " outside any call"
			}
			w.exchanges = append(w.exchanges, e)
		},
		Front: func(_ context.Context, m oidc.FrontMessage) { w.fronts = append(w.fronts, m) },
		Check: func(_ context.Context, c oidc.Check) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.checks = append(w.checks, c)
		},
		Call: func(ctx context.Context, c oidc.Call) (context.Context, func(oidc.Outcome)) {
			w.begun = append(w.begun, c)
			return context.WithValue(ctx, inCall{}, c.Name), func(o oidc.Outcome) { w.ended = append(w.ended, o) }
		},
		Notice: func(_ context.Context, n oidc.Notice) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.notices = append(w.notices, n)
		},
	}
}

// TestTraceSeesEverything: a login with all that follows, with and without secrets.
func TestTraceSeesEverything(t *testing.T) {
	op := newOP(t)
	w := &watcher{}
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = oidc.JoinTraces(nil, w.trace(), &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true})
	r.discover()
	r.register()
	tok := r.offline()
	if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	op.RotateKeys()
	tok, err := r.c.Refresh(t.Context(), tok)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	var steps, calls []string
	for _, e := range w.exchanges {
		steps = append(steps, e.Step)
		if text := fmt.Sprintf("%+v", e); strings.Contains(text, tok.AccessToken) || strings.Contains(text, tok.RefreshToken) {
			t.Errorf("a masked trace sees a secret: %s", text)
		}
	}
	for i, c := range w.begun {
		calls = append(calls, c.Name)
		if c.Start.IsZero() || c.Issuer == "" || i < len(w.ended) && w.ended[i].Err != nil {
			t.Errorf("call %+v, outcome %+v", c, w.ended[i])
		}
	}
	if want := "discovery registration token keys UserInfo refresh keys revocation revocation"; strings.Join(steps, " ") != want {
		t.Errorf("exchanges: %v\nwant        %s", steps, want)
	}
	if want := "Discover Register Begin Finish UserInfo Refresh RevokeTokens"; !strings.HasPrefix(strings.Join(calls, " "), want) || len(w.ended) != len(w.begun) {
		t.Errorf("calls: %v, %d of %d ended", calls, len(w.ended), len(w.begun))
	}
	if len(w.fronts) != 2 || !w.fronts[1].Response || w.fronts[1].Params.Get("code") == "" || strings.Contains(w.fronts[1].Params.Get("code"), "code-") {
		t.Errorf("front: %+v", w.fronts)
	}
	if len(w.checks) < 30 {
		t.Errorf("%d checks", len(w.checks))
	}
	if len(w.notices) != 2 || w.notices[0].Kind != oidc.NoticeKeys || !strings.Contains(w.notices[1].Detail, "unknown key") {
		t.Errorf("notices: %+v", w.notices)
	}
}

// TestFailuresAreExplained: whatever a provider does wrong, the trace of the call
// that fails says which exchange, whose fault and what to do.
func TestFailuresAreExplained(t *testing.T) {
	seen := make(map[oidc.Fault]int)
	for _, f := range oidctest.Faults() {
		if f.Harmless || f.ResponseType != "" || f.Flow != "" || f.Needs != "" || strings.HasSuffix(string(f.Fault), "_slow") {
			continue
		}
		t.Run(string(f.Fault), func(t *testing.T) {
			op := newOP(t)
			w := &watcher{}
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.opts.Trace = w.trace()
			op.Break(f.Fault)
			err := wholeLogin(r)
			if err == nil {
				return // it shows in a login of another kind
			}
			if len(w.ended) == 0 {
				if errors.As(err, new(*oidc.UnsupportedError)) || errors.As(err, new(*oidc.InputError)) {
					return // of NewClient, which calls nobody
				}
				t.Fatalf("no call tells of %v", err)
			}
			o := w.ended[len(w.ended)-1]
			if o.Err == nil {
				if errors.As(err, new(*oidctest.PageError)) || errors.As(err, new(*oidc.UnsupportedError)) || errors.As(err, new(*oidc.InputError)) {
					return
				}
				t.Fatalf("the last call was content, the caller not: %v", err)
			}
			x := o.Failure
			seen[x.Fault]++
			if x.Step == "" || x.Fault == oidc.FaultUnknown || x.Reason == "" || x.Advice == "" {
				t.Errorf("%v is explained by %+v", o.Err, x)
			}
		})
	}
	for _, f := range []oidc.Fault{oidc.FaultProvider, oidc.FaultRefusal, oidc.FaultNetwork, oidc.FaultVisitor} {
		if seen[f] == 0 {
			t.Errorf("nothing was the fault of %q", f)
		}
	}
}

// wholeLogin is everything, up to the first error.
func wholeLogin(r *rig) error {
	ctx := r.t.Context()
	issuer, err := oidc.FindIssuer(ctx, "alice@"+r.op.Host, r.opts)
	if err != nil {
		return err
	}
	p, err := oidc.Discover(ctx, issuer, r.opts)
	if err != nil {
		return err
	}
	r.t.Cleanup(p.Close)
	reg, err := p.Register(ctx, r.metadata(), "")
	if err != nil {
		return err
	}
	c, err := oidc.NewClient(p, reg.ClientConfig())
	if err != nil {
		return err
	}
	req, err := c.Begin(ctx, oidc.AuthParams{Scopes: []string{"offline_access"}, Prompt: []string{"consent"}})
	if err != nil {
		return err
	}
	cb, err := r.op.Browser().Login(ctx, req.URL())
	if err != nil {
		return err
	}
	res, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		// Nothing of it reached a call: who serves the callback explains it.
		if f := oidc.Explain(err); f.Fault != oidc.FaultVisitor || f.Advice == "" {
			r.t.Errorf("%v is explained by %+v", err, f)
		}
		return nil
	}
	tok, err := c.Finish(ctx, req.Pending, res)
	if err != nil {
		return err
	}
	if _, err := c.UserInfo(ctx, tok); err != nil {
		return err
	}
	_, err = c.Refresh(ctx, tok)
	return err
}

func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err  error
		want oidc.Fault
		temp bool
	}{
		{&oidc.ProtocolError{Reason: oidc.BadNonce, Step: "ID Token"}, oidc.FaultProvider, false},
		{&oidc.ProtocolError{Reason: oidc.BadState, Step: "authorization"}, oidc.FaultVisitor, false},
		{&oidc.ProtocolError{Reason: oidc.KeysUnavailable, Step: "keys"}, oidc.FaultProvider, true},
		{&oidc.OPError{Endpoint: "token", Code: "invalid_client"}, oidc.FaultRefusal, false},
		{&oidc.OPError{Endpoint: "token", StatusCode: 503}, oidc.FaultRefusal, true},
		{&oidc.OPError{Endpoint: "token", Code: "of_its_own"}, oidc.FaultRefusal, false},
		{&oidc.TransportError{Step: "token", Err: errors.New("reset")}, oidc.FaultNetwork, true},
		{&oidc.TransportError{Step: "token", Err: context.Canceled}, oidc.FaultCancelled, true},
		{&oidc.InputError{Reason: oidc.BadConfig, Field: "ClientConfig.ID"}, oidc.FaultCaller, false},
		{&oidc.UnsupportedError{Feature: "XRI"}, oidc.FaultBoth, false},
		{fmt.Errorf("wrapped: %w", &oidc.InputError{Reason: oidc.NoRefreshToken, Field: "Tokens"}), oidc.FaultCaller, false},
		{fmt.Errorf("waiting: %w", context.DeadlineExceeded), oidc.FaultNetwork, true},
		{errors.New("something else"), oidc.FaultUnknown, false},
	} {
		f := oidc.Explain(c.err)
		if f.Fault != c.want || f.Temporary != c.temp || f.Advice == "" || f.Reason == "" {
			t.Errorf("%v: %+v", c.err, f)
		}
	}
	if f := oidc.Explain(nil); f != (oidc.Failure{}) {
		t.Errorf("nil: %+v", f)
	}
	if a := oidc.Reason("of tomorrow").Advice(); !strings.Contains(a, "troubleshooting") {
		t.Errorf("a reason without advice: %q", a)
	}
	for _, code := range []string{"access_denied", "login_required", "invalid_grant", "invalid_redirect_uri", "invalid_scope", "invalid_token",
		"insufficient_scope", "invalid_dpop_proof", "authorization_pending", "expired_token", "server_error"} {
		if f := oidc.Explain(&oidc.OPError{Endpoint: "token", Code: code}); f.Advice == "" || strings.Contains(f.Advice, "OP's words") {
			t.Errorf("%s: %q", code, f.Advice)
		}
	}
}

func TestSlogTrace(t *testing.T) {
	op := newOP(t)
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = oidc.SlogTrace(l)
	r.discover()
	r.register()
	r.mustLogin()
	for _, want := range []string{`level=DEBUG msg="oidc exchange" step=token method=POST`, `level=DEBUG msg="oidc call" call=Finish`, `msg="oidc check passed" step="ID Token"`,
		`msg="oidc front channel" step=authorization kind=response`, `level=DEBUG msg="oidc notice" kind=keys`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the log lacks %s", want)
		}
	}
	if strings.Contains(out.String(), "level=INFO") || strings.Contains(out.String(), "level=WARN") || strings.Contains(out.String(), "level=ERROR") {
		t.Errorf("a happy login is loud:\n%s", out.String())
	}

	level := func(f oidctest.Fault, want string) {
		t.Helper()
		op.Break(f)
		out.Reset()
		if _, err := r.login(); err == nil {
			t.Fatalf("%s did not show", f)
		}
		op.Mend()
		i := strings.Index(out.String(), `msg="oidc call failed"`)
		if i < 0 {
			t.Fatalf("%s: no call failed:\n%s", f, out.String())
		}
		line := out.String()[strings.LastIndexByte(out.String()[:i], '\n')+1:]
		line, _, _ = strings.Cut(line, "\n")
		for _, w := range []string{"level=" + want, "step=", "fault=", "advice=", "reason="} {
			if !strings.Contains(line, w) {
				t.Errorf("%s: want %s in %s", f, w, line)
			}
		}
	}
	level(oidctest.NonceWrong, "WARN")
	level(oidctest.AccessDenied, "INFO")
	level(oidctest.InvalidClient, "ERROR")
	level(oidctest.TokenUnavailable, "WARN")
}

// TestSlogTraceHasNoSecret: neither a level nor a failure shows one.
func TestSlogTraceHasNoSecret(t *testing.T) {
	op := newOP(t)
	var out bytes.Buffer
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = oidc.JoinTraces(oidc.SlogTrace(slog.New(slog.NewJSONHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		&oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true})
	r.discover()
	r.register()
	tok := r.offline()
	if _, err := r.c.Refresh(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
	r.wire.check(t, errors.New(out.String()))
	if !slices.Contains(strings.Fields(out.String()), "call") && out.Len() < 1000 {
		t.Errorf("hardly anything was logged: %s", out.String())
	}
}

// TestSlogTraceRecords: each record has what is there, and the level of who should look.
func TestSlogTraceRecords(t *testing.T) {
	var out bytes.Buffer
	trace := oidc.SlogTrace(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug})))
	call := func(c oidc.Call, o oidc.Outcome) func(context.Context) {
		return func(ctx context.Context) {
			_, ended := trace.Call(ctx, c)
			ended(o)
		}
	}
	failed := func(f oidc.Fault, err error) func(context.Context) {
		return call(oidc.Call{Name: "Finish"}, oidc.Outcome{Err: err, Failure: oidc.Failure{Fault: f, Advice: "look"}})
	}
	refusal := func(endpoint, code string) func(context.Context) {
		return failed(oidc.FaultRefusal, &oidc.OPError{Endpoint: endpoint, Code: code})
	}
	some := errors.New("some")
	for name, c := range map[string]struct {
		tell func(context.Context)
		want string // the record begins so, after its time
		not  string
	}{
		"exchange":        {func(ctx context.Context) { trace.Exchange(ctx, oidc.Exchange{Step: "token", Status: 200}) }, `DEBUG msg="oidc exchange" step=token method="" url="" took=0s status=200`, "error="},
		"exchange_failed": {func(ctx context.Context) { trace.Exchange(ctx, oidc.Exchange{Step: "token", Err: some}) }, `DEBUG msg="oidc exchange" step=token method="" url="" took=0s error=some`, "status="},
		"request":         {func(ctx context.Context) { trace.Front(ctx, oidc.FrontMessage{Mode: "GET"}) }, `DEBUG msg="oidc front channel" step="" kind=request mode=GET`, "response"},
		"response":        {func(ctx context.Context) { trace.Front(ctx, oidc.FrontMessage{Response: true}) }, `DEBUG msg="oidc front channel" step="" kind=response`, "request"},
		"check":           {func(ctx context.Context) { trace.Check(ctx, oidc.Check{Passed: true, Reason: oidc.BadKeySet}) }, `DEBUG msg="oidc check passed"`, "ERROR"},
		"check_failed":    {func(ctx context.Context) { trace.Check(ctx, oidc.Check{Reason: oidc.BadNonce}) }, `DEBUG msg="oidc check failed"`, "ERROR"},
		"secret_in_keys":  {func(ctx context.Context) { trace.Check(ctx, oidc.Check{Reason: oidc.BadKeySet}) }, `ERROR msg="oidc check failed"`, "DEBUG"},
		"call":            {call(oidc.Call{Name: "Discover"}, oidc.Outcome{}), `DEBUG msg="oidc call" call=Discover`, "client_id"},
		"call_of_client":  {call(oidc.Call{Name: "Begin", ClientID: "app"}, oidc.Outcome{}), `DEBUG msg="oidc call" call=Begin issuer="" took=0s client_id=app`, "advice"},
		"cancelled":       {failed(oidc.FaultCancelled, some), `DEBUG msg="oidc call failed"`, "client_id"},
		"visitor":         {failed(oidc.FaultVisitor, some), `INFO msg="oidc call failed"`, "client_id"},
		"caller":          {failed(oidc.FaultCaller, some), `ERROR msg="oidc call failed"`, "client_id"},
		"both":            {failed(oidc.FaultBoth, some), `ERROR msg="oidc call failed"`, "client_id"},
		"provider":        {failed(oidc.FaultProvider, some), `WARN msg="oidc call failed"`, "client_id"},
		"refusal_alone":   {failed(oidc.FaultRefusal, some), `WARN msg="oidc call failed"`, "client_id"},
		"refused_code":    {refusal(oidc.StepToken, "invalid_grant"), `WARN msg="oidc call failed"`, "client_id"},
		"refused_client":  {refusal(oidc.StepToken, "unauthorized_client"), `ERROR msg="oidc call failed"`, "client_id"},
		"refused_user":    {refusal(oidc.StepAuthorization, "unauthorized_client"), `INFO msg="oidc call failed"`, "client_id"},
		"keys":            {func(ctx context.Context) { trace.Notice(ctx, oidc.Notice{Kind: oidc.NoticeKeys}) }, `DEBUG msg="oidc notice" kind=keys`, "error="},
		"retry":           {func(ctx context.Context) { trace.Notice(ctx, oidc.Notice{Kind: oidc.NoticeRetry}) }, `INFO msg="oidc notice" kind=retry`, "error="},
		"stale":           {func(ctx context.Context) { trace.Notice(ctx, oidc.Notice{Kind: oidc.NoticeStale, Err: some}) }, `WARN msg="oidc notice" kind=stale step="" detail="" error=some fault=`, "DEBUG"},
	} {
		t.Run(name, func(t *testing.T) {
			out.Reset()
			c.tell(t.Context())
			if _, record, _ := strings.Cut(out.String(), " level="); !strings.HasPrefix(record, c.want) || strings.Contains(record, c.not) {
				t.Errorf("got  %swant %s, and no %s", record, c.want, c.not)
			}
		})
	}
	// Of the default logger, which shows no Debug.
	oidc.SlogTrace(nil).Check(t.Context(), oidc.Check{Passed: true})
}

// TestTraceWithGaps: any hook may be nil, alone or joined with others, and so may what a
// Call returns.
func TestTraceWithGaps(t *testing.T) {
	op := newOP(t)
	w := &watcher{}
	blind := &oidc.Trace{Call: func(context.Context, oidc.Call) (context.Context, func(oidc.Outcome)) { return nil, nil }}
	for name, trace := range map[string]*oidc.Trace{
		"nil": nil, "none": {}, "blind": blind, "check_alone": {Check: w.trace().Check}, "exchange_alone": {Exchange: func(context.Context, oidc.Exchange) {}},
		"joined": oidc.JoinTraces(&oidc.Trace{}, blind, w.trace(), nil, &oidc.Trace{Front: func(context.Context, oidc.FrontMessage) {}}),
	} {
		t.Run(name, func(t *testing.T) {
			*w = watcher{}
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.opts.Trace = trace
			r.discover()
			r.register()
			tok := r.mustLogin()
			op.Advance(2 * oidc.DefaultMetadataAge)
			op.Intercept(oidctest.EndpointDiscovery, respond(503, "text/plain", ""))
			if _, err := r.c.Begin(t.Context(), oidc.AuthParams{}); err != nil {
				t.Errorf("with the last good metadata: %v", err)
			}
			op.Intercept(oidctest.EndpointDiscovery, nil)
			op.Intercept(oidctest.EndpointUserInfo, respond(503, "text/plain", ""))
			defer op.Intercept(oidctest.EndpointUserInfo, nil)
			if _, err := r.c.UserInfo(t.Context(), tok); err == nil {
				t.Fatal("no error")
			}
			if checked := len(w.checks) > 0; checked != (name == "check_alone" || name == "joined") {
				t.Errorf("%d checks", len(w.checks))
			}
			if name != "joined" {
				return
			}
			if n := len(w.begun); n == 0 || len(w.ended) != n || w.ended[n-1].Err == nil || w.ended[n-1].Failure.Fault != oidc.FaultRefusal || w.ended[n-2].Failure.Fault != "" {
				t.Errorf("calls %+v ended %+v", w.begun, w.ended)
			}
			for _, e := range w.exchanges {
				if strings.Contains(e.Step, "outside any call") {
					t.Error(e.Step)
				}
			}
		})
	}
	// Who has no context gets no hook called with it.
	var none context.Context
	blind.Call = func(ctx context.Context, _ oidc.Call) (context.Context, func(oidc.Outcome)) {
		t.Errorf("called with %v", ctx)
		return nil, nil
	}
	_, err := oidc.FindIssuer(none, "", &oidc.Options{Trace: blind})
	wantInput(t, err, oidc.BadIdentifier)
	if one := w.trace(); oidc.JoinTraces(nil, one) != one {
		t.Error("of one trace another is made")
	}
}

// TestTraceTellsWhatCame: a check that is passed is told with what came, one that failed
// with what was expected too.
func TestTraceTellsWhatCame(t *testing.T) {
	op := newOP(t)
	w := &watcher{}
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = w.trace()
	r.discover()
	r.register()
	r.mustLogin()
	detail := func(title string, passed bool) string {
		for _, c := range w.checks {
			if c.Title == title && c.Passed == passed {
				return c.Detail
			}
		}
		t.Errorf("nothing is told of %q", title)
		return ""
	}
	if got := detail("iss is the issuer", true); got != "it is "+`"`+op.Issuer+`"` {
		t.Errorf("of iss: %q", got)
	}
	for _, c := range w.checks {
		if c.Detail == `it is ""` {
			t.Errorf("%q: it is nothing", c.Title)
		}
	}
	w.checks = nil
	claim(op, "iss", "https://attacker.example")
	if _, err := r.login(); err == nil {
		t.Fatal("no error")
	}
	if got := detail("iss is the issuer", false); got != `expected "`+op.Issuer+`", got "https://attacker.example"` {
		t.Errorf("of iss: %q", got)
	}
}
