package otel_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	"go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/otel"
)

// census counts the spans that begin and end.
type census struct{ begun, ended atomic.Int64 }

func (c *census) OnStart(context.Context, trace.ReadWriteSpan) { c.begun.Add(1) }
func (c *census) OnEnd(trace.ReadOnlySpan)                     { c.ended.Add(1) }
func (c *census) Shutdown(context.Context) error               { return nil }
func (c *census) ForceFlush(context.Context) error             { return nil }

// TestNothingRunsAfterShutdown: logins, failures and a caller who gives up, told by
// batches and at intervals, in a bubble that does not end while a goroutine of it
// lives. Each span that was begun has ended.
func TestNothingRunsAfterShutdown(t *testing.T) {
	key, err := rsa.GenerateKey(rand.Reader, 2048) // outside of the bubble, whose clock stands still
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		op, err := oidctest.Start(oidctest.Config{InMemory: true, RefreshAlways: true, RSAKey: key})
		if err != nil {
			t.Fatal(err)
		}
		spans, counted := tracetest.NewInMemoryExporter(), new(census)
		tracer := trace.NewTracerProvider(trace.WithBatcher(spans), trace.WithSpanProcessor(counted))
		read := metric.NewManualReader()
		meters := metric.NewMeterProvider(metric.WithReader(read), metric.WithReader(metric.NewPeriodicReader(discard{}, metric.WithInterval(time.Second))))
		tr, err := otel.New(otel.Config{TracerProvider: tracer, MeterProvider: meters, Issuers: []string{op.Issuer}, Checks: true})
		if err != nil {
			t.Fatal(err)
		}
		wire := op.HTTPClient()
		p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: wire, AllowPrivate: []string{"op.test"}, Trace: tr})
		if err != nil {
			t.Fatal(err)
		}
		k := op.AddClient(oidctest.Client{RedirectURIs: []string{"https://rp.example/callback"}})
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: k.ID, Secret: k.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}}})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, op: op, c: c, tracer: tracer}
		for _, f := range []oidctest.Fault{"", oidctest.NonceWrong, oidctest.TokenUnavailable, oidctest.JWKSUnavailable} {
			op.Mend()
			op.RotateKeys()
			if f != "" {
				op.Break(f)
			}
			if _, err := r.login(); (err == nil) != (f == "") {
				t.Errorf("%s: %v", f, err)
			}
			time.Sleep(10 * time.Minute) // in the bubble's time: everything is due
		}
		op.Mend()
		// Who asked does not wait: the OP is slow.
		op.Intercept(oidctest.EndpointUserInfo, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		if _, err := r.loginWith(ctx); err == nil {
			t.Error("UserInfo answered")
		}
		cancel()
		p.Close()
		wire.CloseIdleConnections()
		if err := op.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if counted.begun.Load() != counted.ended.Load() || counted.ended.Load() < 25 {
			t.Errorf("%d spans were begun, %d have ended", counted.begun.Load(), counted.ended.Load())
		}
		if err := tracer.ForceFlush(context.Background()); err != nil {
			t.Error(err)
		}
		for _, s := range spans.GetSpans() {
			if s.DroppedAttributes+s.DroppedEvents > 0 {
				t.Errorf("%s has too much for a span: %d attributes and %d events were dropped", s.Name, s.DroppedAttributes, s.DroppedEvents)
			}
		}
		if err := tracer.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := meters.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		// Nobody listens any more, and nobody is disturbed by it.
		_, ended := tr.Call(context.Background(), oidc.Call{Name: "Finish"})
		ended(oidc.Outcome{})
	})
}

// discard is an exporter of metrics that keeps none.
type discard struct{}

func (discard) Temporality(metric.InstrumentKind) metricdata.Temporality {
	return metricdata.CumulativeTemporality
}
func (discard) Aggregation(k metric.InstrumentKind) metric.Aggregation {
	return metric.DefaultAggregationSelector(k)
}
func (discard) Export(context.Context, *metricdata.ResourceMetrics) error { return nil }
func (discard) ForceFlush(context.Context) error                          { return nil }
func (discard) Shutdown(context.Context) error                            { return nil }

// series are the attributes of every series of every metric.
func (r *rig) series() (all []attribute.Set) {
	r.t.Helper()
	for _, m := range r.metrics() {
		switch data := m.Data.(type) {
		case metricdata.Histogram[float64]:
			for _, p := range data.DataPoints {
				all = append(all, p.Attributes)
			}
		case metricdata.Sum[int64]:
			for _, p := range data.DataPoints {
				all = append(all, p.Attributes)
			}
		default:
			r.t.Fatalf("%s is of a kind that this test does not know: %T", m.Name, m.Data)
		}
	}
	return all
}

// hostile is a text that a stranger made up.
const hostile = "hostile-"

// TestStrangersMakeNoSeriesByWhatTheySay: an OP that says something new in every
// place where it says something at all makes no new series, and no value of a
// metric is of its words.
func TestStrangersMakeNoSeriesByWhatTheySay(t *testing.T) {
	r := setup(t)
	n := 0
	word := func() string { n++; return hostile + strconv.Itoa(n) }
	refuse := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header().Set("WWW-Authenticate", `Bearer error="`+word()+`"`)
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"error": %q, "error_description": %q}`, word(), word())
		}
	}
	round := func(i int) {
		login := func() {
			t.Helper()
			if _, err := r.login(); err == nil {
				t.Fatal("a login with what was made up succeeded")
			}
		}
		r.op.TamperAuthResponse(func(v url.Values) { v.Del("code"); v.Set("error", word()) })
		login()
		r.op.TamperAuthResponse(func(v url.Values) { v.Set("state", word()) })
		login()
		r.op.TamperAuthResponse(func(v url.Values) { v.Set("iss", "https://"+word()+".example") })
		login()
		r.op.TamperAuthResponse(nil)
		for _, claim := range []string{"iss", "sub", "aud", "azp", "nonce", "at_hash", "exp", "iat", "auth_time", "acr"} {
			r.op.TamperIDToken(func(_, c map[string]any) { c[claim] = word() })
			if _, err := r.login(); err == nil && claim != "acr" && claim != "sub" && claim != "azp" {
				t.Fatalf("%s was made up, and the login succeeded", claim)
			}
		}
		for _, member := range []string{"alg", "kid", "typ"} {
			r.op.TamperIDToken(func(h, _ map[string]any) { h[member] = word() })
			_, _ = r.login() // a typ of any kind is let pass
		}
		r.op.TamperIDToken(nil)
		r.op.TamperTokenResponse(func(m map[string]any) { m["token_type"] = word() })
		login()
		r.op.TamperTokenResponse(nil)
		r.op.TamperUserInfo(func(m map[string]any) { m["sub"] = word() })
		login()
		r.op.TamperUserInfo(nil)
		for _, e := range []oidctest.Endpoint{oidctest.EndpointToken, oidctest.EndpointUserInfo} {
			// Statuses that nobody registered, another one in each round.
			for _, status := range []int{430 + i, 530 + i, 700 + i, 900 + i} {
				r.op.Intercept(e, refuse(status))
				login()
			}
			r.op.Intercept(e, nil)
		}
		o := &oidc.Options{HTTPClient: r.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: r.op.Now, Trace: r.trace}
		if _, err := oidc.Discover(t.Context(), r.op.Issuer+"/"+word(), o); err == nil {
			t.Fatal("there is an OP at a path that was made up")
		}
		if _, err := oidc.FindIssuer(t.Context(), word()+"@"+r.op.Host, o); err == nil {
			t.Fatal("there is an account that was made up")
		}
	}
	for i := range 3 {
		round(i)
	}
	few := len(r.series())
	for i := 3; i < 12; i++ {
		round(i)
	}
	all := r.series()
	if len(all) != few || few < 15 {
		t.Errorf("%d series after 3 rounds, and %d after 12", few, len(all))
	}
	for _, s := range all {
		for _, a := range s.ToSlice() {
			if v := a.Value.String(); strings.Contains(v, hostile) || len(v) > 80 {
				t.Errorf("%s is %q, which a stranger made up", a.Key, v)
			}
		}
	}
	r.noSecret()
	if a := r.op.Issuer; !slices.ContainsFunc(all, func(s attribute.Set) bool { v, _ := s.Value("oidc.issuer"); return v.AsString() == a }) {
		t.Error("no series is of the issuer that was named")
	}
}

// TestRegisteredStatusIsCountedAsItIs: only what is not registered counts as its
// class; the span has every status.
func TestRegisteredStatusIsCountedAsItIs(t *testing.T) {
	for status, want := range map[int]string{200: "200", 404: "404", 429: "429", 503: "503", 299: "200", 450: "400", 599: "500", 777: "500", 999: "500"} {
		r := setup(t)
		r.trace.Exchange(t.Context(), oidc.Exchange{Step: oidc.StepToken, Method: "POST", URL: "https://op.example/token", Status: status})
		all := r.series()
		i := slices.IndexFunc(all, func(s attribute.Set) bool { v, _ := s.Value("server.address"); return v.AsString() == "_OTHER" })
		if i < 0 {
			t.Fatalf("%d: there is no series of it", status)
		}
		set := all[i].ToSlice()
		if got := attr(set, "http.response.status_code"); got != want {
			t.Errorf("%d is counted as %s, want %s", status, got, want)
		}
		if got := attr(set, "error.type"); status >= 400 && got != want {
			t.Errorf("%d: the error is counted as %s, want %s", status, got, want)
		}
		if got := attr(r.span("POST token").Attributes, "http.response.status_code"); got != strconv.Itoa(status) {
			t.Errorf("the span has %s, want %d", got, status)
		}
	}
}

// TestSpansHaveABound: what a stranger types or writes does not make a span as
// large as it likes.
func TestSpansHaveABound(t *testing.T) {
	r := setup(t, func(c *otel.Config) { c.Checks = true })
	long := strings.Repeat("ö", 1<<20)
	o := &oidc.Options{HTTPClient: r.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: r.op.Now, Trace: r.trace}
	if _, err := oidc.Discover(t.Context(), "https://"+long+".example", o); err == nil {
		t.Fatal("a megabyte is an issuer")
	}
	if _, err := oidc.FindIssuer(t.Context(), long+"@op.example", o); err == nil {
		t.Fatal("a megabyte is an identifier")
	}
	r.op.TamperAuthResponse(func(v url.Values) {
		v.Del("code")
		v.Set("error", strings.Repeat("x", 4<<10))
		v.Set("error_description", strings.Repeat("y", 4<<10))
	})
	if _, err := r.login(); err == nil {
		t.Fatal("an error is a login")
	}
	// And if a hook is given more than package oidc gives it.
	r.trace.Exchange(t.Context(), oidc.Exchange{Step: oidc.StepToken, Method: "POST", URL: "https://op.example/" + long, Status: 200})
	r.trace.Notice(t.Context(), oidc.Notice{Kind: oidc.NoticeRetry, Step: oidc.StepToken, Detail: long})
	ctx, ended := r.trace.Call(t.Context(), oidc.Call{Name: "Finish", Issuer: long, ClientID: long})
	r.trace.Check(ctx, oidc.Check{Step: oidc.StepIDToken, Title: "x", Detail: long})
	ended(oidc.Outcome{Err: oidc.BadNonce, Failure: oidc.Failure{Fault: oidc.FaultRefusal, Step: long, Reason: long, Detail: long, Advice: long}})
	const most = 2 << 10
	within := func(span, what, s string) {
		t.Helper()
		if len(s) > most || !utf8.ValidString(s) {
			t.Errorf("%s: %s has %d bytes, more than %d, or is no UTF-8", span, what, len(s), most)
		}
	}
	for _, s := range r.spans.GetSpans() {
		within(s.Name, "the name", s.Name)
		within(s.Name, "the status", s.Status.Description)
		for _, a := range s.Attributes {
			within(s.Name, string(a.Key), a.Value.String())
		}
		for _, e := range s.Events {
			for _, a := range e.Attributes {
				within(s.Name, e.Name+" "+string(a.Key), a.Value.String())
			}
		}
	}
}
