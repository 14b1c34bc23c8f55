package otel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	api "go.opentelemetry.io/otel/trace"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/otel"
)

// rig is a client at a test OP that tells OpenTelemetry everything.
type rig struct {
	t      *testing.T
	op     *oidctest.OP
	c      *oidc.Client
	spans  *tracetest.InMemoryExporter
	tracer *trace.TracerProvider
	meter  *metric.ManualReader
	trace  *oidc.Trace
	secret []string
}

func setup(t *testing.T, edit ...func(*otel.Config)) *rig {
	t.Helper()
	r := &rig{t: t, op: oidctest.NewWith(t, oidctest.Config{RefreshAlways: true}), spans: tracetest.NewInMemoryExporter(), meter: metric.NewManualReader()}
	r.tracer = trace.NewTracerProvider(trace.WithSyncer(r.spans))
	meters := metric.NewMeterProvider(metric.WithReader(r.meter))
	t.Cleanup(func() {
		if err := r.tracer.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := meters.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
	})
	c := otel.Config{TracerProvider: r.tracer, MeterProvider: meters, Issuers: []string{r.op.Issuer}}
	for _, e := range edit {
		e(&c)
	}
	tr, err := otel.New(c)
	if err != nil {
		t.Fatal(err)
	}
	r.trace = tr
	p, err := oidc.Discover(t.Context(), r.op.Issuer, &oidc.Options{HTTPClient: r.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: r.op.Now, Trace: tr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	k := r.op.AddClient(oidctest.Client{RedirectURIs: []string{"https://rp.example/callback"}})
	r.c, err = oidc.NewClient(p, oidc.ClientConfig{ID: k.ID, Secret: k.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}}})
	if err != nil {
		t.Fatal(err)
	}
	r.secret = append(r.secret, k.Secret)
	return r
}

// login is a login in the context of a request that is traced.
func (r *rig) login() (*oidc.Tokens, error) {
	r.t.Helper()
	return r.loginWith(r.t.Context())
}

func (r *rig) loginWith(ctx context.Context) (*oidc.Tokens, error) {
	r.t.Helper()
	ctx, span := r.tracer.Tracer("app").Start(ctx, "GET /callback")
	defer span.End()
	req, err := r.c.Begin(ctx, oidc.AuthParams{})
	if err != nil {
		return nil, err
	}
	cb, err := r.op.Browser().Login(ctx, req.URL())
	if err != nil {
		r.t.Fatal(err)
	}
	a, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		r.t.Fatal(err)
	}
	r.secret = append(r.secret, req.Pending.State, req.Pending.Nonce, req.Pending.Verifier, cb.Params().Get("code"))
	tok, err := r.c.Finish(ctx, req.Pending, a)
	if err != nil {
		return nil, err
	}
	r.secret = append(r.secret, tok.AccessToken, tok.RefreshToken, tok.IDToken.Raw())
	_, err = r.c.UserInfo(ctx, tok)
	return tok, err
}

func (r *rig) span(name string) tracetest.SpanStub {
	r.t.Helper()
	all := r.spans.GetSpans()
	i := slices.IndexFunc(all, func(s tracetest.SpanStub) bool { return s.Name == name })
	if i < 0 {
		var names []string
		for _, s := range all {
			names = append(names, s.Name)
		}
		r.t.Fatalf("there is no span %q among %q", name, names)
	}
	return all[i]
}

func attr(attrs []attribute.KeyValue, key string) string {
	for _, a := range attrs {
		if string(a.Key) == key {
			return a.Value.String()
		}
	}
	return ""
}

func (r *rig) metrics() map[string]metricdata.Metrics {
	r.t.Helper()
	var rm metricdata.ResourceMetrics
	if err := r.meter.Collect(r.t.Context(), &rm); err != nil {
		r.t.Fatal(err)
	}
	out := make(map[string]metricdata.Metrics)
	for _, s := range rm.ScopeMetrics {
		if s.Scope.Name == otel.Scope {
			for _, m := range s.Metrics {
				out[m.Name] = m
			}
		}
	}
	return out
}

// noSecret: nothing of what was told holds one.
func (r *rig) noSecret() {
	r.t.Helper()
	text := fmt.Sprintf("%+v", r.metrics())
	for _, s := range r.spans.GetSpans() {
		text += fmt.Sprintf("%+v %+v %+v %+v", s.Name, s.Attributes, s.Events, s.Status)
	}
	for _, s := range r.secret {
		if s != "" && strings.Contains(text, s) {
			r.t.Errorf("the telemetry holds a secret: %.12s...", s)
		}
	}
}

func TestSpans(t *testing.T) {
	r := setup(t, func(c *otel.Config) { c.Checks = true })
	if _, err := r.login(); err != nil {
		t.Fatal(err)
	}
	request, finish, token := r.span("GET /callback"), r.span("oidc Finish"), r.span("POST token")
	if finish.Parent.SpanID() != request.SpanContext.SpanID() || token.Parent.SpanID() != finish.SpanContext.SpanID() || token.SpanContext.TraceID() != request.SpanContext.TraceID() {
		t.Errorf("the spans are no tree: %v, %v, %v", request.SpanContext, finish.Parent, token.Parent)
	}
	if finish.SpanKind != api.SpanKindInternal || token.SpanKind != api.SpanKindClient || finish.Status.Code != codes.Unset || token.Status.Code != codes.Unset {
		t.Errorf("kinds and status: %v %v, %v %v", finish.SpanKind, finish.Status, token.SpanKind, token.Status)
	}
	for key, want := range map[string]string{"http.request.method": "POST", "http.response.status_code": "200", "url.full": r.op.URL(oidctest.EndpointToken),
		"server.address": "127.0.0.1", "oidc.step": "token", "error.type": ""} {
		if got := attr(token.Attributes, key); got != want {
			t.Errorf("POST token: %s is %q, want %q", key, got, want)
		}
	}
	if attr(token.Attributes, "server.port") == "" || attr(finish.Attributes, "oidc.issuer") != r.op.Issuer || attr(finish.Attributes, "oidc.client_id") != r.c.ID() {
		t.Errorf("attributes: %v, %v", token.Attributes, finish.Attributes)
	}
	passed := 0
	for _, e := range finish.Events {
		if e.Name == "oidc.check.passed" {
			passed++
		}
	}
	if passed < 10 {
		t.Errorf("Finish has %d events of checks", passed)
	}
	r.span("oidc Discover")
	r.span("GET UserInfo")
	r.noSecret()
}

// TestFailure: a span that failed says which exchange, whose fault and what to do.
func TestFailure(t *testing.T) {
	r := setup(t)
	r.op.Break(oidctest.NonceWrong)
	if _, err := r.login(); err == nil {
		t.Fatal("the fault did not show")
	}
	s := r.span("oidc Finish")
	if s.Status.Code != codes.Error || s.Status.Description != string(oidc.BadNonce) {
		t.Errorf("status %+v", s.Status)
	}
	for key, want := range map[string]string{"error.type": string(oidc.BadNonce), "oidc.step": oidc.StepIDToken, "oidc.fault": string(oidc.FaultProvider),
		"oidc.spec": "Core 3.1.3.7 (11)", "oidc.advice": oidc.BadNonce.Advice()} {
		if got := attr(s.Attributes, key); got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
	if len(s.Events) == 0 || s.Events[len(s.Events)-1].Name != "oidc.check.failed" {
		t.Errorf("events: %+v", s.Events)
	}
	r.op.Mend()
	r.op.Break(oidctest.TokenUnavailable)
	r.spans.Reset()
	if _, err := r.login(); err == nil {
		t.Fatal("the fault did not show")
	}
	if s := r.span("POST token"); s.Status.Code != codes.Error || attr(s.Attributes, "error.type") != "503" {
		t.Errorf("POST token: %+v %v", s.Status, s.Attributes)
	}
	r.noSecret()
	m := r.metrics()["oidc.client.check.failures"].Data.(metricdata.Sum[int64])
	if len(m.DataPoints) != 1 || m.DataPoints[0].Value != 1 {
		t.Errorf("failed checks: %+v", m.DataPoints)
	}
}

func TestMetrics(t *testing.T) {
	r := setup(t)
	if _, err := r.login(); err != nil {
		t.Fatal(err)
	}
	m := r.metrics()
	requests := m["http.client.request.duration"]
	h, ok := requests.Data.(metricdata.Histogram[float64])
	if !ok || requests.Unit != "s" {
		t.Fatalf("got %+v", requests)
	}
	steps := make(map[string]uint64)
	for _, p := range h.DataPoints {
		step, _ := p.Attributes.Value("oidc.step")
		steps[step.AsString()] += p.Count
		for _, key := range []attribute.Key{"http.request.method", "server.address", "server.port", "http.response.status_code"} {
			if !p.Attributes.HasValue(key) {
				t.Errorf("a request has no %s: %v", key, p.Attributes)
			}
		}
	}
	if steps["discovery"] != 1 || steps["token"] != 1 || steps["keys"] != 1 || steps["UserInfo"] != 1 {
		t.Errorf("requests: %v", steps)
	}
	if calls := m["oidc.client.call.duration"].Data.(metricdata.Histogram[float64]); len(calls.DataPoints) < 4 {
		t.Errorf("calls: %+v", calls)
	}
	if n := m["oidc.client.notices"].Data.(metricdata.Sum[int64]); len(n.DataPoints) != 1 {
		t.Errorf("notices: %+v", n.DataPoints)
	}
}

// TestStrangersMakeNoSeries: an issuer that nobody named is no value of an attribute.
func TestStrangersMakeNoSeries(t *testing.T) {
	r := setup(t, func(c *otel.Config) { c.Issuers = nil })
	if _, err := r.login(); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", r.metrics()); strings.Contains(text, r.op.Issuer) || strings.Contains(text, r.op.Host) || !strings.Contains(text, "_OTHER") {
		t.Error("a metric has a host that nobody named")
	}
}

// TestDashboard: the dashboard is JSON, and asks for nothing that is not recorded.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("grafana/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Title  string `json:"title"`
		Panels []struct {
			Title   string `json:"title"`
			Targets []struct {
				Expr string `json:"expr"`
			} `json:"targets"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	r := setup(t)
	r.op.Break(oidctest.NonceWrong)
	if _, err := r.login(); err == nil {
		t.Fatal("the fault did not show")
	}
	// The names that Prometheus has for them (OpenTelemetry's compatibility rules).
	known := make(map[string]bool)
	labels := map[string]bool{"le": true, "job": true, "instance": true}
	for name, m := range r.metrics() {
		name = strings.ReplaceAll(name, ".", "_")
		collect := func(set attribute.Set) {
			for _, a := range set.ToSlice() {
				labels[strings.ReplaceAll(string(a.Key), ".", "_")] = true
			}
		}
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, suffix := range []string{"_bucket", "_count", "_sum"} {
				known[name+"_seconds"+suffix] = true
			}
			for _, p := range data.DataPoints {
				collect(p.Attributes)
			}
		case metricdata.Sum[int64]:
			known[name+"_total"] = true
			for _, p := range data.DataPoints {
				collect(p.Attributes)
			}
		}
	}
	used := make(map[string]bool)
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			for _, name := range regexp.MustCompile(`\b(?:oidc|http)_client_\w+`).FindAllString(target.Expr, -1) {
				used[name] = true
				if !known[name] {
					t.Errorf("panel %q asks for %s, which nobody records", p.Title, name)
				}
			}
			for _, group := range regexp.MustCompile(`by \(([^)]*)\)|\{([^}]*)\}`).FindAllStringSubmatch(target.Expr, -1) {
				for _, label := range regexp.MustCompile(`[a-z_]+`).FindAllString(regexp.MustCompile(`"[^"]*"`).ReplaceAllString(group[1]+","+group[2], ""), -1) {
					if !labels[label] {
						t.Errorf("panel %q asks for the label %s, which nobody sets", p.Title, label)
					}
				}
			}
		}
	}
	for _, name := range []string{"oidc_client_call_duration_seconds_bucket", "http_client_request_duration_seconds_bucket", "oidc_client_check_failures_total", "oidc_client_notices_total"} {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
}
