package oidc_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// bubble runs a test on fake time, with an OP in memory.
func bubble(t *testing.T, f func(t *testing.T, op *oidctest.OP), edit ...func(*oidctest.Config)) {
	t.Helper()
	opKey() // made outside: another test uses it too
	synctest.Test(t, func(t *testing.T) {
		f(t, newOP(t, append(edit, func(c *oidctest.Config) { c.InMemory = true })...))
	})
}

// service sets up a client that is registered by hand for grants without a
// browser.
func service(t *testing.T, op *oidctest.OP, c oidctest.Client, edit ...func(*oidc.ClientConfig)) *rig {
	t.Helper()
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
	r.discover()
	known := op.AddClient(c)
	config := oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{
		GrantTypes: known.GrantTypes, TokenEndpointAuthMethod: known.TokenEndpointAuthMethod, IDTokenSignedResponseAlg: known.IDTokenSignedResponseAlg,
	}}
	for _, e := range edit {
		e(&config)
	}
	var err error
	if r.c, err = oidc.NewClient(r.p, config); err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	op.ClearLog()
	return r
}

// polls are the times of the token requests, from start on.
func polls(op *oidctest.OP, start time.Time) []time.Duration {
	var out []time.Duration
	for _, r := range op.Requests(oidctest.EndpointToken) {
		out = append(out, r.Time.Sub(start))
	}
	return out
}

// wantPolls asserts when the OP was polled.
func wantPolls(t *testing.T, op *oidctest.OP, start time.Time, want ...time.Duration) {
	t.Helper()
	got := polls(op, start)
	same := len(got) == len(want)
	for i := 0; same && i < len(want); i++ {
		same = got[i] == want[i]
	}
	if !same {
		t.Errorf("polled after %v, want %v", got, want)
	}
}

// wantCode asserts that the OP refused with that code.
func wantCode(t *testing.T, err error, code string) {
	t.Helper()
	if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != code {
		t.Fatalf("got error %v, want the OP's refusal with code %q", err, code)
	}
}

// grantFaults is what each fault leads to that TestHostileFaults does not switch on:
// of the grants without a browser, and of what is no login at all.
var grantFaults = merged(deviceFaults, cibaFaults, exchangeFaults, assertionFaults, resourceFaults, signedResourceFaults, documentFaults)
