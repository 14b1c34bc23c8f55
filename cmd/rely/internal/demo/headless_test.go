package demo

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"rely.example/oidctest"
)

// TestEveryFault goes over all that the OP can break: each is caught, or lived
// with where that is right, and none reaches the person as a login that is not
// what it seems.
func TestEveryFault(t *testing.T) {
	for _, g := range faultMenu() {
		t.Run(g.Name, func(t *testing.T) {
			t.Parallel()
			to := devTarget(t, false)
			for _, f := range g.Faults {
				t.Run(string(f.Fault), func(t *testing.T) {
					c := choice{Identifier: identifierAt(to.dev, "alice"), ResponseType: f.ResponseType, Fault: &f}
					at := *to
					if strings.Contains(string(f.Fault), "slow") {
						at.options.Timeout = 500 * time.Millisecond
					}
					l, err := runHeadless(t.Context(), &at, c, nil)
					if err != nil {
						t.Fatal(err)
					}
					o := l.outcome
					if o == nil {
						t.Fatal("nothing came of it")
					}
					want := caught
					if goesOn(f.Fault) != "" || f.Harmless {
						want = withstood
					}
					switch {
					case o.Verdict == want:
					case f.Harmless && o.Verdict == caught && l.user != nil && len(l.user.Malformed) > 0:
						// The login stands, and the claim is not believed.
					case f.Harmless && o.Verdict == caught && o.Headline != "" && strings.Contains(o.Detail, "503"):
						// A provider that is down: it is told so, and may try again.
					default:
						t.Errorf("got %s (%s), want %s", o.Verdict, o.sentence(), want)
					}
					if o.Verdict == caught && (o.Spec == "" || o.Reason == "" || len(o.Facts) == 0) {
						t.Errorf("the catch is told without section, reason or consequence: %+v", o)
					}
					if broken := to.dev.Broken(); len(broken) != 0 {
						t.Errorf("the OP still breaks %v", broken)
					}
				})
			}
		})
	}
}

func TestReport(t *testing.T) {
	to := devTarget(t, false)
	for _, rt := range ResponseTypes() {
		l, err := runHeadless(t.Context(), to, choice{Identifier: identifierAt(to.dev, "alice"), ResponseType: rt}, nil)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := writeJSON(&b, l.report()); err != nil {
			t.Fatal(err)
		}
		for name, secret := range map[string]string{"access token": l.tokens.AccessToken, "refresh token": l.tokens.RefreshToken,
			"ID Token": l.tokens.IDToken.Raw(), "nonce": l.tokens.IDToken.Nonce, "client secret": l.client.Metadata().ClientName + "?"} {
			if secret != "" && strings.Contains(b.String(), secret) {
				t.Errorf("%s: the report shows the %s", rt, name)
			}
		}
		var r report
		if err := json.Unmarshal(b.Bytes(), &r); err != nil {
			t.Fatal(err)
		}
		if r.Verdict != loggedIn || len(r.Steps) != 6 || len(r.Claims) == 0 {
			t.Errorf("%s: verdict %s, %d steps, %d claims", rt, r.Verdict, len(r.Steps), len(r.Claims))
		}
	}
}

func TestTerminalKeepsItsWidth(t *testing.T) {
	to := devTarget(t, false)
	faults := []oidctest.Fault{"", oidctest.NonceWrong, oidctest.ErrorDescriptionHostile, oidctest.IssuerOther}
	for _, width := range []int{20, 60, 88, 200} {
		for _, fault := range faults {
			c := choice{Identifier: identifierAt(to.dev, "alice"), ResponseType: "code"}
			if fault != "" {
				f, ok := faultByName(string(fault))
				if !ok {
					t.Fatalf("no fault %s", fault)
				}
				c.Fault = &f
			}
			var b bytes.Buffer
			term := newTerminal(&b, width, false, to.dev.Host)
			l, err := runHeadless(t.Context(), to, c, term.show)
			if err != nil {
				t.Fatal(err)
			}
			term.end(l)
			for line := range strings.Lines(b.String()) {
				line = strings.TrimRight(line, "\n")
				if n := utf8.RuneCountInString(line); n > term.width+1 {
					t.Errorf("width %d, %s: a line of %d columns: %s", width, fault, n, line)
				}
				if printable(line) != line {
					t.Errorf("a line with control characters: %q", line)
				}
			}
			if fault == "" {
				wantIn(t, b.String(), "Logged in as Alice Liddell", "Claims", "alice@example.com (verified)", "✓ nonce is the one sent")
			}
			if fault == oidctest.NonceWrong {
				wantIn(t, b.String(), "✗ nonce is the one sent", "Caught: nonce mismatch — Core 3.1.3.7 (11)", "No token was accepted.")
			}
		}
	}
}

func TestTerminalColours(t *testing.T) {
	var b bytes.Buffer
	term := newTerminal(&b, 80, true, "op.example")
	term.show(change{Section: section{step: laterStep(stepRefresh), State: running}})
	if !strings.Contains(b.String(), "\x1b[") {
		t.Error("no colour where there should be one")
	}
}

func FuzzWrap(f *testing.F) {
	f.Add("a text of some words", 8)
	f.Add("oneverylongword\x1b[31m and \u202e", 5)
	f.Fuzz(func(t *testing.T, s string, n int) {
		if n < 1 || n > 200 {
			t.Skip("no terminal has so many columns")
		}
		lines := wrap(s, n)
		for _, l := range lines {
			if utf8.RuneCountInString(l) > n {
				t.Errorf("%q has more than %d columns", l, n)
			}
			if printable(l) != l {
				t.Errorf("%q is not printable", l)
			}
		}
		squeeze := func(s string) string { return strings.Join(strings.Fields(s), "") }
		if squeeze(strings.Join(lines, "")) != squeeze(printable(s)) {
			t.Errorf("%q became %q", s, lines)
		}
	})
}
