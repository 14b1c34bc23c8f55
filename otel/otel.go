// Package otel tells OpenTelemetry what a relying party does: spans and metrics,
// made from oidc.Trace.
//
//	trace, err := otel.New(otel.Config{Issuers: []string{"https://op.example"}})
//	op, err := oidc.Discover(ctx, "https://op.example", &oidc.Options{Trace: trace})
//
// Each call of package oidc is a span in the trace of its context, with the
// exchanges that it makes as client spans beneath it (semantic conventions for
// HTTP). A span that failed says which exchange, whose fault and what to do. No
// span and no metric holds a secret.
//
// Metrics are http.client.request.duration, oidc.client.call.duration,
// oidc.client.check.failures and oidc.client.notices. Their attributes are few:
// an issuer or host that Config does not name counts as "_OTHER", and a status
// that is not registered as the first of its class, so that strangers cannot make
// series. On spans what a stranger wrote has a bound.
//
// grafana/dashboard.json shows the metrics.
package otel

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"

	"rely.example/oidc"
)

// Scope is the name of the instrumentation.
const Scope = "rely.example/otel"

// other stands for what would make too many series.
const other = "_OTHER"

// maxValue bounds an attribute of a span, in bytes. Strangers choose identifiers
// that are looked up, and URLs in metadata.
const maxValue = 2 << 10

// clipped is a string attribute within the bound.
func clipped(k attribute.Key, s string) attribute.KeyValue {
	if len(s) > maxValue {
		const more = "..."
		s = strings.ToValidUTF8(s[:maxValue-len(more)], "") + more
	}
	return k.String(s)
}

// Config says where to and of whom to tell.
type Config struct {
	// TracerProvider and MeterProvider take what is told; nil means the global ones.
	TracerProvider trace.TracerProvider
	MeterProvider  metric.MeterProvider
	// Issuers are the OPs that metrics tell apart; all others are one. Spans have
	// every issuer.
	Issuers []string
	// Checks adds an event to the span for each check that was passed, too. Zero
	// means those that failed.
	Checks bool
}

// The attributes. Those of HTTP are the semantic conventions'.
const (
	attrCall   = attribute.Key("oidc.call")
	attrIssuer = attribute.Key("oidc.issuer")
	attrClient = attribute.Key("oidc.client_id")
	attrStep   = attribute.Key("oidc.step")
	attrFault  = attribute.Key("oidc.fault")
	attrReason = attribute.Key("oidc.reason")
	attrSpec   = attribute.Key("oidc.spec")
	attrDetail = attribute.Key("oidc.detail")
	attrAdvice = attribute.Key("oidc.advice")
	attrRule   = attribute.Key("oidc.rule")
	attrKind   = attribute.Key("oidc.notice")

	attrMethod    = attribute.Key("http.request.method")
	attrStatus    = attribute.Key("http.response.status_code")
	attrURL       = attribute.Key("url.full")
	attrAddress   = attribute.Key("server.address")
	attrPort      = attribute.Key("server.port")
	attrErrorType = attribute.Key("error.type")
)

// The boundaries of durations in seconds, as the semantic conventions for HTTP
// advise.
func boundaries() []float64 {
	return []float64{0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10}
}

// New makes a Trace. oidc.JoinTraces puts it beside another one.
func New(c Config) (*oidc.Trace, error) {
	if c.TracerProvider == nil {
		c.TracerProvider = otel.GetTracerProvider()
	}
	if c.MeterProvider == nil {
		c.MeterProvider = otel.GetMeterProvider()
	}
	t := &teller{checks: c.Checks, issuers: slices.Clone(c.Issuers), tracer: c.TracerProvider.Tracer(Scope)}
	for _, i := range c.Issuers {
		if u, err := url.Parse(i); err == nil {
			t.hosts = append(t.hosts, u.Host)
		}
	}
	m := c.MeterProvider.Meter(Scope)
	var err error
	if t.requests, err = m.Float64Histogram("http.client.request.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of HTTP requests to OpenID Providers."), metric.WithExplicitBucketBoundaries(boundaries()...)); err != nil {
		return nil, err
	}
	if t.calls, err = m.Float64Histogram("oidc.client.call.duration", metric.WithUnit("s"),
		metric.WithDescription("Duration of calls of package oidc."), metric.WithExplicitBucketBoundaries(boundaries()...)); err != nil {
		return nil, err
	}
	if t.failures, err = m.Int64Counter("oidc.client.check.failures", metric.WithUnit("{check}"),
		metric.WithDescription("Checks that were not passed.")); err != nil {
		return nil, err
	}
	if t.notices, err = m.Int64Counter("oidc.client.notices", metric.WithUnit("{notice}"),
		metric.WithDescription("Second attempts, fetches of keys, and failures that a last good copy covers.")); err != nil {
		return nil, err
	}
	return &oidc.Trace{Exchange: t.exchange, Front: t.front, Check: t.check, Call: t.call, Notice: t.notice}, nil
}

type teller struct {
	checks          bool
	issuers, hosts  []string
	tracer          trace.Tracer
	requests, calls metric.Float64Histogram
	failures        metric.Int64Counter
	notices         metric.Int64Counter
}

func (t *teller) issuer(i string) string {
	if slices.Contains(t.issuers, i) {
		return i
	}
	return other
}

// call is the span of a call, and its duration.
func (t *teller) call(ctx context.Context, c oidc.Call) (context.Context, func(oidc.Outcome)) {
	attrs := []attribute.KeyValue{attrCall.String(c.Name), clipped(attrIssuer, c.Issuer)}
	if c.ClientID != "" {
		attrs = append(attrs, clipped(attrClient, c.ClientID))
	}
	ctx, span := t.tracer.Start(ctx, "oidc "+c.Name, trace.WithSpanKind(trace.SpanKindInternal), trace.WithTimestamp(c.Start), trace.WithAttributes(attrs...))
	return ctx, func(o oidc.Outcome) {
		counted := []attribute.KeyValue{attrCall.String(c.Name), attrIssuer.String(t.issuer(c.Issuer))}
		if o.Err != nil {
			f := o.Failure
			reason := clipped(attrErrorType, f.Reason)
			span.SetStatus(codes.Error, reason.Value.AsString())
			span.SetAttributes(reason, clipped(attrStep, f.Step), attrFault.String(string(f.Fault)),
				attrSpec.String(f.Spec), clipped(attrDetail, f.Detail), clipped(attrAdvice, f.Advice))
			counted = append(counted, attrFault.String(string(f.Fault)), attrErrorType.String(countedReason(f)))
		}
		t.calls.Record(ctx, o.Took.Seconds(), metric.WithAttributes(counted...))
		span.End(trace.WithTimestamp(c.Start.Add(o.Took)))
	}
}

// countedReason is a reason that is one of few: an OP's own error code is what the
// OP chose.
func countedReason(f oidc.Failure) string {
	if f.Fault != oidc.FaultRefusal {
		return f.Reason
	}
	switch f.Reason {
	case "access_denied", "login_required", "interaction_required", "consent_required", "invalid_client", "invalid_grant", "invalid_request", "invalid_scope",
		"invalid_token", "insufficient_scope", "unauthorized_client", "server_error", "temporarily_unavailable", "slow_down", "authorization_pending", "expired_token":
		return f.Reason
	}
	return other
}

// exchange is a client span, by the semantic conventions for HTTP.
func (t *teller) exchange(ctx context.Context, e oidc.Exchange) {
	attrs := []attribute.KeyValue{attrMethod.String(e.Method), attrStep.String(e.Step)}
	counted := slices.Clone(attrs)
	full := append(attrs, clipped(attrURL, e.URL))
	if u, err := url.Parse(e.URL); err == nil {
		port, _ := strconv.Atoi(u.Port())
		if port == 0 {
			if port = 443; u.Scheme == "http" {
				port = 80
			}
		}
		full = append(full, clipped(attrAddress, u.Hostname()), attrPort.Int(port))
		if slices.Contains(t.hosts, u.Host) {
			counted = append(counted, attrAddress.String(u.Hostname()), attrPort.Int(port))
		} else {
			counted = append(counted, attrAddress.String(other))
		}
	}
	failed, class := "", countedStatus(e.Status)
	switch {
	case e.Err != nil && e.Status == 0:
		failed = string(oidc.Unreachable)
	case e.Err != nil:
		failed = string(oidc.MalformedResponse) // cut short, too large, or of another kind
	case e.Status >= 400:
		failed = strconv.Itoa(e.Status)
	}
	if e.Status != 0 {
		full, counted = append(full, attrStatus.Int(e.Status)), append(counted, attrStatus.Int(class))
	}
	if failed != "" {
		full = append(full, attrErrorType.String(failed))
		few := failed
		if e.Err == nil {
			few = strconv.Itoa(class)
		}
		counted = append(counted, attrErrorType.String(few))
	}
	_, span := t.tracer.Start(ctx, e.Method+" "+e.Step, trace.WithSpanKind(trace.SpanKindClient), trace.WithTimestamp(e.Start), trace.WithAttributes(full...))
	if failed != "" {
		span.SetStatus(codes.Error, failed)
	}
	span.End(trace.WithTimestamp(e.Start.Add(e.Took)))
	t.requests.Record(ctx, e.Took.Seconds(), metric.WithAttributes(counted...))
}

// countedStatus is a status that is one of few. One that is not registered counts
// as the first of its class, and one of no class as an error of the server's: that
// is how a client is to take them (RFC 9110 section 15).
func countedStatus(s int) int {
	switch {
	case http.StatusText(s) != "":
		return s
	case s >= 100 && s < 600:
		return s / 100 * 100
	}
	return http.StatusInternalServerError
}

func (t *teller) front(ctx context.Context, m oidc.FrontMessage) {
	name := "oidc.request"
	if m.Response {
		name = "oidc.response"
	}
	trace.SpanFromContext(ctx).AddEvent(name, trace.WithAttributes(attrStep.String(m.Step), attribute.String("oidc.mode", m.Mode)))
}

func (t *teller) check(ctx context.Context, c oidc.Check) {
	if c.Passed && !t.checks {
		return
	}
	name := "oidc.check.passed"
	if !c.Passed {
		name = "oidc.check.failed"
		t.failures.Add(ctx, 1, metric.WithAttributes(attrStep.String(c.Step), attrReason.String(string(c.Reason))))
	}
	trace.SpanFromContext(ctx).AddEvent(name, trace.WithAttributes(attrStep.String(c.Step), attrRule.String(c.Title),
		attrSpec.String(c.Spec), attrReason.String(string(c.Reason)), clipped(attrDetail, c.Detail)))
}

func (t *teller) notice(ctx context.Context, n oidc.Notice) {
	t.notices.Add(ctx, 1, metric.WithAttributes(attrKind.String(string(n.Kind)), attrStep.String(n.Step)))
	trace.SpanFromContext(ctx).AddEvent("oidc.notice", trace.WithAttributes(attrKind.String(string(n.Kind)), attrStep.String(n.Step), clipped(attrDetail, n.Detail)))
}
