package oidc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHealth: how old what is in use is, and what failed last, until it is made
// good.
func TestHealth(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	h := r.p.Health()
	if h.Issuer != op.Issuer || h.MetadataFetched.IsZero() || !h.MetadataDue.After(h.MetadataFetched) || h.Keys != 0 || !h.KeysFetched.IsZero() || h.LastFailure != nil {
		t.Errorf("before the keys: %+v", h)
	}
	op.Intercept(oidctest.EndpointJWKS, respond(503, "text/plain", ""))
	if _, err := r.login(); err == nil {
		t.Fatal("a login without keys")
	}
	if h := r.p.Health(); !errors.Is(h.LastFailure, oidc.KeysUnavailable) || h.LastFailureAt.IsZero() || h.Keys != 0 {
		t.Errorf("while the keys cannot be had: %+v", h)
	}
	op.Intercept(oidctest.EndpointJWKS, nil)
	op.Advance(time.Minute)
	r.mustLogin()
	if h := r.p.Health(); h.LastFailure != nil || h.Keys == 0 || !h.KeysFreshUntil.After(h.KeysFetched) {
		t.Errorf("when all is well: %+v", h)
	}
	op.Intercept(oidctest.EndpointDiscovery, respond(503, "text/plain", ""))
	if err := r.p.Reload(t.Context()); err == nil {
		t.Fatal("metadata from an OP that is down")
	}
	if h := r.p.Health(); h.LastFailure == nil || h.LastFailureAt.IsZero() {
		t.Errorf("while the metadata cannot be had: %+v", h)
	}
	md := byHand(op)
	md.JWKSURI, md.JWKS = "", []byte(fetchJSON(t, op, op.URL(oidctest.EndpointJWKS)))
	p, err := oidc.NewProvider(md, r.opts)
	if err != nil {
		t.Fatal(err)
	}
	if h := p.Health(); h.Keys == 0 || h.LastFailure != nil || !h.MetadataDue.IsZero() {
		t.Errorf("of metadata by hand: %+v", h)
	}
}

// TestWhoGivesUpHarmsNobody: metadata that is due, and a caller who leaves while it
// is fetched: that is no failure of the OP, and the next caller fetches it.
func TestWhoGivesUpHarmsNobody(t *testing.T) {
	op := newOP(t)
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = &oidc.Trace{Notice: func(_ context.Context, n oidc.Notice) { t.Errorf("told %v", n) }}
	r.discover()
	r.register()
	op.Advance(48 * time.Hour)
	op.ClearLog()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.c.Begin(gone, oidc.AuthParams{}); err != nil {
		t.Fatal(err)
	}
	if err := r.p.Reload(gone); !errors.Is(err, context.Canceled) {
		t.Errorf("Reload: %v", err)
	}
	if h := r.p.Health(); h.LastFailure != nil {
		t.Errorf("the OP has failed: %v", h.LastFailure)
	}
	op.Advance(time.Second) // a flood of such callers is none at the OP
	if _, err := r.c.Begin(t.Context(), oidc.AuthParams{}); err != nil {
		t.Fatal(err)
	}
	wantCalls(t, op, oidctest.EndpointDiscovery, 1)
}

// TestHealthTellsTheLastFailure: of the metadata and the keys, what failed later.
func TestHealthTellsTheLastFailure(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	op.Intercept(oidctest.EndpointJWKS, respond(503, "text/plain", ""))
	op.Intercept(oidctest.EndpointDiscovery, respond(503, "text/plain", ""))
	var last time.Time
	for _, of := range []string{"keys", "metadata", "keys", "metadata"} {
		op.Advance(10 * time.Minute)
		if of == "keys" {
			_, err := r.login()
			r.reason(err, oidc.KeysUnavailable)
		} else if err := r.p.Reload(t.Context()); err == nil {
			t.Fatal("metadata from an OP that is down")
		}
		h := r.p.Health()
		if errors.Is(h.LastFailure, oidc.KeysUnavailable) != (of == "keys") || !h.LastFailureAt.After(last) {
			t.Errorf("after a failure of the %s: %v at %v", of, h.LastFailure, h.LastFailureAt)
		}
		last = h.LastFailureAt
	}
}

// TestSlogTraceLevels: each failure has the level of who should look, each message is told
// at Debug, and none tells a secret.
func TestSlogTraceLevels(t *testing.T) {
	op := newOP(t)
	var out bytes.Buffer
	level := new(slog.LevelVar)
	r := setup(t, op)
	r.opts.Trace = oidc.JoinTraces(nil, r.opts.Trace, oidc.SlogTrace(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: level}))))
	r.discover()
	r.client()
	told := func(want ...string) {
		t.Helper()
		text := out.String()
		for _, w := range want {
			if !strings.Contains(text, w) {
				t.Errorf("%q is not told in:\n%s", w, text)
			}
		}
		r.wire.check(t, errors.New(text))
		out.Reset()
	}
	r.mustLogin()
	if out.Len() != 0 {
		t.Errorf("a good login is told at Info: %s", out.String())
	}
	level.Set(slog.LevelDebug)
	tok := r.mustLogin()
	told("oidc exchange", "oidc front channel", "kind=request", "kind=response", "oidc check passed", "oidc call", "status=200")
	level.Set(slog.LevelInfo)

	op.Intercept(oidctest.EndpointUserInfo, respond(503, "text/plain", ""))
	_, err := r.c.UserInfo(t.Context(), tok)
	if err == nil {
		t.Fatal("no error")
	}
	told("level=WARN", "oidc call failed", "temporary=true")
	op.Intercept(oidctest.EndpointToken, respond(401, "application/json", `{"error":"invalid_client"}`))
	if _, err := r.login(); err == nil {
		t.Fatal("no error")
	}
	told("level=ERROR", "advice=")
	if _, err := r.c.Refresh(t.Context(), nil); err == nil {
		t.Fatal("no error")
	}
	told("level=ERROR")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.c.UserInfo(ctx, tok); err == nil {
		t.Fatal("no error")
	}
	if out.Len() != 0 {
		t.Errorf("a call that was cancelled is told at Info: %s", out.String())
	}
	if oidc.JoinTraces() != nil || oidc.SlogTrace(nil) == nil {
		t.Error("of no trace there is one, or of the default logger none")
	}
}
