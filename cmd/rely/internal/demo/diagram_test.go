package demo

import (
	"errors"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"rely.example/oidc"
)

// TestDiagram draws a failed login, within the width, with what a stranger wrote
// made harmless.
func TestDiagram(t *testing.T) {
	for _, width := range []int{0, 60, 80, 200} {
		var b strings.Builder
		d := NewDiagram(&b, width, false)
		d.Call("Finish", "https://op.example")
		d.Front(oidc.FrontMessage{Mode: "GET", Endpoint: "https://op.example/authorize"})
		d.Front(oidc.FrontMessage{Response: true, Mode: "query", Endpoint: "https://rp.example/callback", Params: url.Values{"error": {"x"}}})
		token := oidc.Exchange{Step: oidc.StepToken, Method: "POST", URL: "https://op.example/token\x1b[31m", Status: 400}
		d.Request(token)
		d.Response(token)
		keys := oidc.Exchange{Step: oidc.StepKeys, Method: "GET", URL: "https://keys.example/jwks", Err: errors.New("reset")}
		d.Request(keys)
		d.Response(keys)
		d.Note("keys: asked twice")
		d.Check(oidc.Check{Step: oidc.StepIDToken, Title: "nonce is the one sent", Spec: "Core 3.1.3.7 (11)", Reason: oidc.BadNonce})
		d.Call("Finish", "https://op.example")
		d.Failure("Finish", oidc.Explain(&oidc.ProtocolError{Reason: oidc.BadNonce, Step: oidc.StepIDToken, Spec: "Core 3.1.3.7 (11)", Detail: strings.Repeat("long ", 60)}))
		out := b.String()
		for _, want := range []string{"OP op.example", "POST Token request", "400 Bad Request", "keys.example", "no answer", "✗ nonce is the one sent", "✗ Finish: nonce mismatch", "Where     ID Token", "Fault     the OP", "To do     begin the login anew", "◀", "▶"} {
			if !strings.Contains(out, want) {
				t.Errorf("width %d: the diagram lacks %q:\n%s", width, want, out)
			}
		}
		if strings.ContainsRune(out, '\x1b') {
			t.Errorf("width %d: a control character", width)
		}
		most := maxWidth
		if width == 60 {
			most = 60
		}
		for l := range strings.Lines(out) {
			if n := utf8.RuneCountInString(strings.TrimRight(l, "\n")); n > most+1 {
				t.Errorf("width %d: a line of %d columns: %s", width, n, l)
			}
		}
	}
	for _, f := range []oidc.Fault{oidc.FaultProvider, oidc.FaultRefusal, oidc.FaultBoth, oidc.FaultCaller, oidc.FaultNetwork, oidc.FaultVisitor, oidc.FaultStore, oidc.FaultCancelled} {
		if whose(f) == whose(oidc.FaultUnknown) {
			t.Errorf("%q has no words", f)
		}
	}
}
