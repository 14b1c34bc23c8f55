package oidc_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"rely.example/oidc"
)

// TestOPErrorTemporary: by the code where there is one, or else by the status.
func TestOPErrorTemporary(t *testing.T) {
	for _, c := range []struct {
		code   string
		status int
		want   bool
	}{
		{"", 500, true}, {"", 599, true}, {"", 429, true}, {"", 408, true},
		{"", 499, false}, {"", 400, false}, {"", 407, false}, {"", 409, false}, {"", 428, false}, {"", 430, false}, {"", 0, false},
		{"of_its_own", 503, true}, {"of_its_own", 429, true},
		{"of_its_own", 500, false}, {"of_its_own", 502, false}, {"of_its_own", 504, false}, {"of_its_own", 408, false}, {"of_its_own", 400, false}, {"of_its_own", 0, false},
		{"server_error", 400, true}, {"temporarily_unavailable", 0, true}, {"slow_down", 400, true},
		{"invalid_grant", 400, false}, {"invalid_grant", 503, true},
	} {
		if got := (&oidc.OPError{Code: c.code, StatusCode: c.status}).Temporary(); got != c.want {
			t.Errorf("code %q, status %d: temporary is %v", c.code, c.status, got)
		}
	}
}

// TestStrangersWordsInErrors: they are shown up to a bound, and never as what moves a
// terminal or ends a line.
func TestStrangersWordsInErrors(t *testing.T) {
	for words, want := range map[string]string{
		strings.Repeat("é", 200):                 strings.Repeat("é", 200),
		strings.Repeat("é", 201):                 strings.Repeat("é", 200) + "...",
		strings.Repeat("é", 5000):                strings.Repeat("é", 200) + "...",
		"\x1b" + strings.Repeat("e", 200):        "?" + strings.Repeat("e", 199) + "...",
		"\x1b" + strings.Repeat("e", 199):        "?" + strings.Repeat("e", 199),
		"a\xffb":                                 "a?b",
		"a\ufffdb":                               "a?b",
		"a\x1b[2Jb":                              "a?[2Jb",
		"a\r\nb":                                 "a??b",
		"a\u202eb":                               "a?b",
		strings.Repeat("e", 199) + "\x1b" + "ab": strings.Repeat("e", 199) + "?...",
	} {
		if got := (&oidc.OPError{Endpoint: "token", Code: "x", Description: words}).Error(); got != "oidc: token: the OP answered x: "+want {
			t.Errorf("%.40q is shown as %q", words, got)
		}
	}
}

// explained is an error of a package above.
type explained struct{ error }

func (e explained) Explain() oidc.Failure {
	return oidc.Failure{Step: "store", Fault: oidc.FaultStore, Reason: "lost"}
}

// TestExplainedStep: whose step it was is told of a call that was cancelled too, and
// an error of a package above explains itself, unless one of this package is nearer
// to the cause.
func TestExplainedStep(t *testing.T) {
	for _, c := range []struct {
		err    error
		step   string
		fault  oidc.Fault
		reason string
	}{
		{context.Canceled, "", oidc.FaultCancelled, "cancelled"},
		{&oidc.TransportError{Step: "token", Err: context.Canceled}, "token", oidc.FaultCancelled, "cancelled"},
		{&oidc.ProtocolError{Reason: oidc.KeysUnavailable, Step: "ID Token", Err: context.Canceled}, "ID Token", oidc.FaultCancelled, "cancelled"},
		{explained{context.DeadlineExceeded}, "store", oidc.FaultStore, "lost"},
		{fmt.Errorf("above: %w", explained{context.DeadlineExceeded}), "store", oidc.FaultStore, "lost"},
		{&oidc.TransportError{Step: "token", Err: explained{context.DeadlineExceeded}}, "token", oidc.FaultNetwork, "no answer"},
		{&oidc.OPError{Endpoint: "token", StatusCode: 503}, "token", oidc.FaultRefusal, "Service Unavailable"},
		{&oidc.OPError{Endpoint: "token", Code: "a\nb", StatusCode: 503}, "token", oidc.FaultRefusal, "a?b"},
		{&oidc.UnsupportedError{Feature: "XRI"}, "XRI", oidc.FaultBoth, "not supported"},
	} {
		if f := oidc.Explain(c.err); f.Step != c.step || f.Fault != c.fault || f.Reason != c.reason {
			t.Errorf("%v is explained by %+v", c.err, f)
		}
	}
	advised := oidc.Explain(&oidc.OPError{Endpoint: "token", Code: "invalid_client", Hint: "compare the clocks"})
	if advised.Advice != "compare the clocks" {
		t.Errorf("advised %q, want the hint", advised.Advice)
	}
	if f := oidc.Explain(&oidc.ProtocolError{Reason: oidc.BadNonce}); f.Advice != oidc.BadNonce.Advice() || f.Advice == oidc.Reason("of tomorrow").Advice() {
		t.Errorf("advised %q of a nonce", f.Advice)
	}
	if f := oidc.Explain(&oidc.OPError{Endpoint: "token", Code: "of_its_own", StatusCode: 503}); f.Advice != "try again later" {
		t.Errorf("advised %q of what passes", f.Advice)
	}
}

// TestErrorsWithoutCause unwrap to their reason alone: a nil among the errors of an
// Unwrap breaks who walks them.
func TestErrorsWithoutCause(t *testing.T) {
	for _, err := range []interface{ Unwrap() []error }{&oidc.ProtocolError{Reason: oidc.BadState}, &oidc.InputError{Reason: oidc.BadState}, &oidc.TransportError{}} {
		if all := err.Unwrap(); len(all) != 1 || all[0] == nil {
			t.Errorf("%T unwraps to %v", err, all)
		}
	}
}
