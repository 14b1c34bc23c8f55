package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

func TestExitCodeSaysWhoseFault(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want int
	}{
		"anything else":   {errors.New("disk full"), ExitFailure},
		"usage":           {usage(nil, errors.New("bad flag")), ExitUsage},
		"input":           {&oidc.InputError{Reason: oidc.BadIdentifier}, ExitUsage},
		"http":            {&oidc.ProtocolError{Reason: oidc.InsecureURL}, ExitUsage},
		"private address": {&oidc.ProtocolError{Reason: oidc.ForbiddenAddress}, ExitUsage},
		"refused":         {&oidc.OPError{Code: "access_denied"}, ExitRefused},
		"protocol":        {&oidc.ProtocolError{Reason: oidc.BadNonce}, ExitProtocol},
		"network":         {&oidc.TransportError{Err: context.DeadlineExceeded}, ExitNetwork},
		"unsupported":     {&oidc.UnsupportedError{Feature: "x"}, ExitUnsupported},
		"no login":        {errLogin{"log in"}, ExitLogin},
		"no profile":      {vault.ErrNotFound, ExitLogin},
		"nothing to use":  {&oidc.InputError{Reason: oidc.NoRefreshToken}, ExitLogin},
		"time is up":      {errTimeout, ExitTimeout},
		"ctrl-c, raw":     {errInterrupted, ExitInterrupted},
		"told already":    {quiet{ExitProtocol}, ExitProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			if got := exitCode(t.Context(), fmt.Errorf("wrapped: %w", test.err)); got != test.want {
				t.Fatalf("exit code %d, want %d", got, test.want)
			}
		})
	}
	t.Run("ctrl-c", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if got := exitCode(ctx, &oidc.TransportError{Err: ctx.Err()}); got != ExitInterrupted {
			t.Fatalf("exit code %d, want %d", got, ExitInterrupted)
		}
	})
}

func TestErrorsSpeakOfFlags(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"flag":    {&oidc.InputError{Reason: oidc.BadParameter, Field: "AuthParams.Prompt", Detail: "x"}, "--prompt: "},
		"guard":   {&oidc.ProtocolError{Reason: oidc.ForbiddenAddress, Detail: "name it in AllowPrivate"}, "name it in --allow-private"},
		"fault":   {&oidc.ProtocolError{Reason: oidc.BadNonce}, "the provider's answer was refused: "},
		"issuer":  {&oidc.ProtocolError{Reason: oidc.MetadataIssuerMismatch}, "exactly as the provider writes it"},
		"slash":   {&oidc.ProtocolError{Reason: oidc.MetadataIssuerMismatch, Detail: `expected "https://op.example", got "https://op.example/"`}, "exactly as the provider writes it"},
		"another": {&oidc.ProtocolError{Reason: oidc.MetadataIssuerMismatch, Detail: `expected "https://op.example", got "https://attacker.example"`}, "at another host"},
		"wrapped": {wrapf(&oidc.InputError{Reason: oidc.BadConfig, Field: "x"}, "--key %s", "f"), "--key f: x: "},
	} {
		t.Run(name, func(t *testing.T) {
			got := explain(test.err)
			if !strings.Contains(got, test.want) || strings.Contains(got, "oidc:") {
				t.Fatalf("%q, want %q in it", got, test.want)
			}
		})
	}
}

func TestHostThatWasTyped(t *testing.T) {
	for typed, want := range map[string]string{
		"alice@op.example": "op.example", "acct:alice@op.example:8443": "op.example", "https://op.example:8443/x": "op.example",
		"op.example": "op.example", "127.0.0.1:80": "127.0.0.1", "http://[::1]:80": "::1",
		"=alice": "", "https://*.example": "", "": "", "10.0.0.0/8": "10.0.0.0", "https://": "", "a b": "",
	} {
		if got := hostOf(typed); got != want {
			t.Errorf("%q: %q, want %q", typed, got, want)
		}
	}
}

func FuzzConfiguration(f *testing.F) {
	for _, s := range []string{`{}`, `{"timeout":"5s","json":true,"scope":["a","b"]}`, `{"a":1,"a":2}`, `[]`, `{"a":{"b":[1]}} x`, "{\"a\"", `null`, `{"a":1e400}`} {
		f.Add([]byte(s))
	}
	// What is accepted is one object whose members are all there once, with the
	// meaning that any other reader of JSON finds.
	f.Fuzz(func(t *testing.T, b []byte) {
		members, err := uniqueMembers(b)
		if err != nil {
			return
		}
		meaning := func(b []byte) (m map[string]any) {
			d := json.NewDecoder(bytes.NewReader(b))
			d.UseNumber() // not every number that JSON allows is a float64
			if err := d.Decode(&m); err != nil {
				t.Fatalf("accepted %q, which is no JSON: %v", b, err)
			}
			return m
		}
		again, err := json.Marshal(members)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(meaning(again), meaning(b)) {
			t.Fatalf("%q was read as %s", b, again)
		}
	})
}

func TestTemplateOf(t *testing.T) {
	const id = "11111111-2222-3333-4444-555555555555"
	for address, want := range map[string]string{
		"https://login.example/organizations/v2.0":  "https://login.example/{tenantid}/v2.0",
		"https://login.example/common":              "https://login.example/{tenantid}",
		"https://login.example/consumers/v2.0/":     "https://login.example/{tenantid}/v2.0/",
		"https://login.example/" + id + "/v2.0":     "https://login.example/{tenantid}/v2.0",
		"login.example/organizations/v2.0":          "https://login.example/{tenantid}/v2.0",
		"https://common/v2.0":                       "", // a host is no tenant
		"https://login.example/common/common":       "", // which of them?
		"https://login.example/other/v2.0":          "",
		"https://login.example":                     "",
		"https://login.example/{tenantid}/v2.0":     "",
		"https://login.example/organizations2/v2.0": "",
		"": "",
	} {
		if got := profile.TenantTemplate(address, []string{id}); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// TestConfigure: a profile names the kind of DPoP's keys; without one it is the
// usual kind, if the client is registered for bound tokens.
func TestConfigure(t *testing.T) {
	for name, test := range map[string]struct {
		kind  string
		bound bool
		want  oidc.DPoPMode
	}{
		"none":       {},
		"named":      {kind: "PS256", want: oidc.DPoPPS256()},
		"registered": {bound: true, want: oidc.DPoPES256()},
		"both":       {kind: "EdDSA", bound: true, want: oidc.DPoPEdDSA()},
	} {
		t.Run(name, func(t *testing.T) {
			c := oidc.ClientConfig{Metadata: oidc.ClientMetadata{DPoPBoundAccessTokens: test.bound}}
			if err := configure(&c, profile.Asking{DPoP: test.kind}); err != nil || c.DPoP != test.want || c.Encryption == nil {
				t.Errorf("got %v, %v, encryption %v", c.DPoP, err, c.Encryption)
			}
		})
	}
	if err := configure(new(oidc.ClientConfig), profile.Asking{DPoP: "HS256"}); err == nil {
		t.Error("a kind that there is not was taken")
	}
}

// TestHelpFits: each line of each page fits a terminal of 80 cells, flags name their
// values as a person would, and the words are those of a user.
func TestHelpFits(t *testing.T) {
	var out bytes.Buffer
	a := &app{Process: Process{Stdout: &out, Getenv: func(string) string { return "" }}}
	pages := 0
	for _, c := range allCommands(a.rootCommand()) {
		out.Reset()
		a.help(c)
		pages++
		for line := range strings.SplitSeq(out.String(), "\n") {
			if n := utf8.RuneCountInString(line); n > 80 {
				t.Errorf("%s: a line has %d cells: %s", c.CommandPath(), n, line)
			}
		}
		for _, word := range []string{" STRING", " STRINGS", " INT ", " DURATION", "m0s)", " OP ", " OP's ", "Flags\n\n"} {
			if strings.Contains(out.String(), word) {
				t.Errorf("%s: the help has %q", c.CommandPath(), word)
			}
		}
	}
	if pages < 25 {
		t.Errorf("there are %d pages of help", pages)
	}
}

// TestFlagGroups: each flag of a group is one of the command, and none is lost.
func TestFlagGroups(t *testing.T) {
	var out bytes.Buffer
	a := &app{Process: Process{Stdout: &out, Getenv: func(string) string { return "" }}}
	for _, name := range []string{"login", "register"} {
		c, _, err := a.rootCommand().Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		out.Reset()
		a.help(c)
		many := map[string]int{}
		c.LocalFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name == "help" {
				return
			}
			many[groupOf(f)]++
			if n := strings.Count(out.String(), "--"+f.Name+" ") + strings.Count(out.String(), "--"+f.Name+"["); n == 0 {
				t.Errorf("%s: the help does not tell of --%s", name, f.Name)
			}
		})
		want := map[string]int{"": 7, flagsOfRequest: 15, flagsOfClient: 12, flagsOfProvider: 7}
		if name == "register" {
			want = map[string]int{"": 0, flagsOfRequest: 4, flagsOfClient: 11, flagsOfProvider: 7}
		}
		for group, n := range want {
			if many[group] != n {
				t.Errorf("%s: %d flags are in the group %q, want %d", name, many[group], group, n)
			}
		}
	}
}

// TestErrorsAtATerminal: a line is broken between words there, and ^C stands alone.
func TestErrorsAtATerminal(t *testing.T) {
	none := func(string) string { return "" }
	for name, test := range map[string]struct {
		code int
		err  error
		want string
	}{
		"long":        {ExitUsage, errors.New(strings.TrimSpace(strings.Repeat("eight chars and so on ", 5))), "rely: eight chars and so on eight chars and so on eight chars and so on eight\nchars and so on eight chars and so on\n"},
		"short":       {ExitUsage, errors.New("short"), "rely: short\n"},
		"interrupted": {ExitInterrupted, context.Canceled, "\nrely: interrupted\n"},
		"raw":         {ExitInterrupted, errInterrupted, "rely: interrupted\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			a := &app{err: tty.New(&b, none, true).Page()} // of 80 cells
			a.report(test.code, test.err)
			if b.String() != test.want {
				t.Errorf("got\n%s\nwant\n%s", b.String(), test.want)
			}
			b.Reset()
			a.err = tty.New(&b, none, true)
			a.report(test.code, test.err)
			if strings.Count(b.String(), "\n") != 1 || !strings.HasPrefix(b.String(), "rely: ") {
				t.Errorf("to something that is no terminal: %q", b.String())
			}
		})
	}
}

// TestStoreIsNamedWithoutItsPassword: it is in the report, which others read.
func TestStoreIsNamedWithoutItsPassword(t *testing.T) {
	for raw, want := range map[string]string{
		"postgres://rely:hunter2@db.example/rely":                               "postgres://rely:xxxxx@db.example/rely",
		"postgres://db.example/rely?user=rely&password=hunter2&sslmode=disable": "postgres://db.example/rely?user=rely&password=xxxxx&sslmode=disable",
		"postgres://db.example/rely?pass%77ord=hunter2&sslpassword=hunter2":     "postgres://db.example/rely?pass%77ord=xxxxx&sslpassword=xxxxx",
		"redis://cache.example:6379/1?prefix=a":                                 "redis://cache.example:6379/1?prefix=a",
		"sqlite:/var/lib/shop/rely.db":                                          "sqlite:/var/lib/shop/rely.db",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		if got := withoutPassword(u); got != want {
			t.Errorf("%s is named %s, want %s", raw, got, want)
		}
	}
}

func TestNearestFlag(t *testing.T) {
	a := &app{Process: Process{Getenv: func(string) string { return "" }}}
	login, _, err := a.rootCommand().Find([]string{"login"})
	if err != nil {
		t.Fatal(err)
	}
	for typed, want := range map[string]string{
		"clint-id": "client-id", "scop": "scope", "scopes": "scope", "insecur-http": "insecure-http", "client-secret": "client-secret-file",
		"nobrowser": "no-browser", "x": "", "colour": "", "": "", strings.Repeat("a", 1<<20): "",
	} {
		if got := nearest(typed, login); got != want {
			t.Errorf("%.40s: %q, want %q", typed, got, want)
		}
	}
}
