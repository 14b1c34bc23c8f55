package oidc

import (
	"context"
	"errors"
	"log/slog"
	"slices"
)

// SlogTrace is a Trace that writes to l; nil means slog.Default(). Its levels are
// made for a program in service, which shows Info and above:
//
//   - Error: what somebody of this program has to mend, or the OP's operator at
//     once: a call that failed by a configuration, a client that the OP does not
//     know, a key set that holds a secret.
//   - Warn: a call that failed by the OP or the network, and a failure that the
//     last good copy covers.
//   - Info: a call that failed by a user's no, or by what a browser brought, which
//     strangers can cause at will; a request that was sent a second time.
//   - Debug: every call, exchange, front-channel message, check and fetch of keys.
//
// A record of a failure says which exchange (step), whose fault and what to do.
// Bodies and headers are not logged; nothing logged is a secret.
func SlogTrace(l *slog.Logger) *Trace {
	if l == nil {
		l = slog.Default()
	}
	t := &slogTrace{l}
	return &Trace{Exchange: t.exchange, Front: t.front, Check: t.check, Call: t.call, Notice: t.notice}
}

type slogTrace struct{ l *slog.Logger }

func (t *slogTrace) exchange(ctx context.Context, e Exchange) {
	if !t.l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	attrs := []slog.Attr{slog.String("step", e.Step), slog.String("method", e.Method), slog.String("url", printable(e.URL)), slog.Duration("took", e.Took)}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", printable(e.Err.Error())))
	} else {
		attrs = append(attrs, slog.Int("status", e.Status))
	}
	t.l.LogAttrs(ctx, slog.LevelDebug, "oidc exchange", attrs...)
}

func (t *slogTrace) front(ctx context.Context, m FrontMessage) {
	if !t.l.Enabled(ctx, slog.LevelDebug) {
		return
	}
	kind := "request"
	if m.Response {
		kind = "response"
	}
	t.l.LogAttrs(ctx, slog.LevelDebug, "oidc front channel", slog.String("step", m.Step), slog.String("kind", kind), slog.String("mode", m.Mode), slog.String("endpoint", printable(m.Endpoint)))
}

func (t *slogTrace) check(ctx context.Context, c Check) {
	level, msg := slog.LevelDebug, "oidc check passed"
	if !c.Passed {
		// The call that fails by it is told of with a level of its own.
		if msg = "oidc check failed"; c.Reason == BadKeySet {
			level = slog.LevelError
		}
	}
	if !t.l.Enabled(ctx, level) {
		return
	}
	t.l.LogAttrs(ctx, level, msg, slog.String("step", c.Step), slog.String("rule", c.Title), slog.String("spec", c.Spec),
		slog.String("reason", string(c.Reason)), slog.String("detail", c.Detail))
}

func (t *slogTrace) call(ctx context.Context, c Call) (context.Context, func(Outcome)) {
	return ctx, func(o Outcome) {
		level, msg := slog.LevelDebug, "oidc call"
		if o.Err != nil {
			level, msg = failureLevel(o), "oidc call failed"
		}
		if !t.l.Enabled(ctx, level) {
			return
		}
		attrs := []slog.Attr{slog.String("call", c.Name), slog.String("issuer", printable(c.Issuer)), slog.Duration("took", o.Took)}
		if c.ClientID != "" {
			attrs = append(attrs, slog.String("client_id", printable(c.ClientID)))
		}
		if o.Err != nil {
			f := o.Failure
			attrs = append(attrs, slog.String("step", f.Step), slog.String("fault", string(f.Fault)), slog.String("reason", f.Reason),
				slog.String("spec", f.Spec), slog.String("detail", f.Detail), slog.String("advice", f.Advice), slog.Bool("temporary", f.Temporary))
		}
		t.l.LogAttrs(ctx, level, msg, attrs...)
	}
}

// failureLevel says who should look.
func failureLevel(o Outcome) slog.Level {
	switch o.Failure.Fault {
	case FaultCancelled:
		return slog.LevelDebug
	case FaultVisitor:
		return slog.LevelInfo
	case FaultCaller, FaultBoth:
		return slog.LevelError
	case FaultRefusal:
		op, _ := errors.AsType[*OPError](o.Err)
		switch {
		case op == nil:
		case op.Endpoint == StepAuthorization:
			return slog.LevelInfo // the user's no, or what a stranger wrote into a URL
		case slices.Contains([]string{"invalid_client", "unauthorized_client", "unsupported_grant_type", "invalid_redirect_uri", "invalid_client_metadata"}, op.Code):
			return slog.LevelError
		}
	}
	return slog.LevelWarn
}

func (t *slogTrace) notice(ctx context.Context, n Notice) {
	level := slog.LevelDebug
	switch n.Kind {
	case NoticeRetry:
		level = slog.LevelInfo
	case NoticeStale:
		level = slog.LevelWarn
	}
	if !t.l.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("kind", string(n.Kind)), slog.String("step", n.Step), slog.String("detail", n.Detail)}
	if n.Err != nil {
		f := Explain(n.Err)
		attrs = append(attrs, slog.String("error", printable(n.Err.Error())), slog.String("fault", string(f.Fault)), slog.String("advice", f.Advice))
	}
	t.l.LogAttrs(ctx, level, "oidc notice", attrs...)
}

// JoinTraces is a Trace that tells all of these, in order. Each sees secrets only
// if its own InsecureUnmasked is set. Nil ones are left out; of none it is nil.
func JoinTraces(traces ...*Trace) *Trace {
	traces = slices.DeleteFunc(slices.Clone(traces), func(t *Trace) bool { return t == nil })
	switch len(traces) {
	case 0:
		return nil
	case 1:
		return traces[0]
	}
	return &Trace{
		// The joined one hands on what it gets, and each masks for itself.
		InsecureUnmasked: slices.ContainsFunc(traces, func(t *Trace) bool { return t.InsecureUnmasked }),
		Exchange: func(ctx context.Context, e Exchange) {
			for _, t := range traces {
				t.exchange(ctx, e)
			}
		},
		Front: func(ctx context.Context, m FrontMessage) {
			for _, t := range traces {
				t.front(ctx, m)
			}
		},
		Check: func(ctx context.Context, c Check) {
			for _, t := range traces {
				if t.Check != nil {
					t.Check(ctx, c)
				}
			}
		},
		Call: func(ctx context.Context, c Call) (context.Context, func(Outcome)) {
			var ends []func(Outcome)
			for _, t := range traces {
				if t.Call == nil {
					continue
				}
				traced, end := t.Call(ctx, c)
				if traced != nil {
					ctx = traced
				}
				if end != nil {
					ends = append(ends, end)
				}
			}
			return ctx, func(o Outcome) {
				for _, end := range slices.Backward(ends) {
					end(o)
				}
			}
		},
		Notice: func(ctx context.Context, n Notice) {
			for _, t := range traces {
				t.notice(ctx, n)
			}
		},
	}
}
