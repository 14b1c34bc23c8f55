package oidc_test

import (
	"context"
	"log/slog"
	"os"

	"rely.example/oidc"
)

// A program in service logs what somebody should look at, and knows what to do.
func ExampleSlogTrace() {
	// region: slog
	trace := oidc.SlogTrace(slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	op, err := oidc.Discover(context.Background(), "https://op.example", &oidc.Options{Trace: trace})
	if err != nil {
		f := oidc.Explain(err)
		slog.Error("no login is possible", "step", f.Step, "fault", f.Fault, "reason", f.Reason, "advice", f.Advice)
		return
	}
	// endregion
	defer op.Close()
}

// A trace of one's own, beside another one.
func ExampleJoinTraces() {
	// region: join
	slow := &oidc.Trace{Call: func(ctx context.Context, c oidc.Call) (context.Context, func(oidc.Outcome)) {
		return ctx, func(o oidc.Outcome) {
			if o.Took.Seconds() > 2 {
				slog.Warn("a slow call", "call", c.Name, "issuer", c.Issuer, "took", o.Took)
			}
		}
	}}
	options := &oidc.Options{Trace: oidc.JoinTraces(oidc.SlogTrace(nil), slow)}
	// endregion
	_ = options
}
