package demo

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

func runCommand(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := Command(Surroundings{})
	cmd.SetArgs(args)
	cmd.SetOut(&out)
	cmd.SetErr(io.Discard)
	cmd.SilenceUsage, cmd.SilenceErrors = true, true
	err := cmd.ExecuteContext(t.Context())
	return out.String(), err
}

func TestCommandHeadless(t *testing.T) {
	out, err := runCommand(t, "--headless")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, out, "1  Find the issuer", "6  Ask who it is", "✓ Logged in as Alice Liddell")
	out, err = runCommand(t, "--headless", "--break", string(oidctest.NonceWrong))
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, out, "Caught: nonce mismatch — Core 3.1.3.7 (11)")
	out, err = runCommand(t, "--headless", "--json", "--user", "bob", "--response-type", "token id_token code")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, out, `"verdict": "logged-in"`, "Bob Dormouse")
	out, err = runCommand(t, "--list-faults")
	if err != nil {
		t.Fatal(err)
	}
	wantIn(t, out, "WebFinger\n", "nonce_wrong", "Core 3.1.3.7 (11)")
}

func TestCommandBadFlags(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"port":               {[]string{"--port", "70000"}, "is no port"},
		"headless elsewhere": {[]string{"--headless", "--issuer", "https://op.example"}, "--headless logs in at the OP of the demonstration alone"},
		"json page":          {[]string{"--json"}, "--json needs"},
		"break page":         {[]string{"--break", "x"}, "--break needs --headless"},
		"unknown fault":      {[]string{"--headless", "--break", "x\x1b[2J"}, "has no such fault"},
		"response type":      {[]string{"--headless", "--response-type", "none"}, "is none of"},
		"response mode":      {[]string{"--headless", "--response-type", "id_token", "--response-mode", "query"}, "does not go with"},
		"client alone":       {[]string{"--client-id", "x"}, "need --issuer"},
		"secret alone":       {[]string{"--issuer", "https://op.example", "--client-secret-file", empty}, "need --client-id"},
		"empty secret":       {[]string{"--no-browser", "--issuer", "https://op.example", "--client-id", "x", "--client-secret-file", empty}, "expected one secret"},
		"no secret file":     {[]string{"--no-browser", "--issuer", "https://op.example", "--client-id", "x", "--client-secret-file", empty + "x"}, "no such file"},
		"http issuer":        {[]string{"--no-browser", "--issuer", "http://op.example"}, "in the clear"},
		"no URL":             {[]string{"--no-browser", "--issuer", "op.example"}, "no http or https URL"},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := runCommand(t, c.args...)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("got %v, want an error with %q", err, c.want)
			}
			if use := new(UsageError); !errors.As(err, &use) {
				t.Errorf("%T is no UsageError", err)
			}
			if out != "" {
				t.Errorf("something was written: %s", out)
			}
		})
	}
}

// lineWriter hands over the lines that are written to it.
type lineWriter chan string

func (w lineWriter) Write(b []byte) (int, error) {
	w <- string(b)
	return len(b), nil
}

// TestCommandElsewhere runs the page against an OP that is not its own, with a
// client that was registered there by hand, and ends it as Ctrl-C does.
func TestCommandElsewhere(t *testing.T) {
	other := devTarget(t, false).dev
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("a-secret-of-thirty-two-characters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	lines := make(lineWriter, 8)
	cmd := Command(Surroundings{})
	cmd.SetArgs([]string{"--no-browser", "--issuer", other.Issuer, "--client-id", "by-hand", "--client-secret-file", secret})
	cmd.SetOut(lines)
	cmd.SilenceUsage = true
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	var home, redirect string
	for redirect == "" {
		select {
		case l := <-lines:
			if m := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(l); m != "" && home == "" {
				home = m
			}
			if _, uri, ok := strings.Cut(l, "redirect URI is "); ok {
				redirect = strings.TrimSpace(uri)
			}
		case err := <-ended:
			t.Fatalf("it ended early: %v", err)
		}
	}
	other.AddClient(oidctest.Client{ID: "by-hand", Secret: "a-secret-of-thirty-two-characters", RedirectURIs: []string{redirect}})
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Jar: jar}
	page := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	text := page(web.PostForm(home+"login", url.Values{"identifier": {""}}))
	wantIn(t, text, "registered out of band", "The issuer was named beforehand")
	if strings.Contains(text, "Break something") {
		t.Error("there is a menu of faults for an OP that is not ours")
	}
	m := continueLink.FindStringSubmatch(text)
	if m == nil {
		t.Fatal("no link to the OP")
	}
	// An identifier of another OP's must not carry the client's secret there.
	stranger := devTarget(t, false).dev
	elsewhere := page(web.PostForm(home+"login", url.Values{"identifier": {identifierAt(stranger, "alice")}}))
	if len(stranger.Requests(oidctest.EndpointDiscovery)) != 0 || !strings.Contains(elsewhere, "It ended here") {
		t.Errorf("the login goes on at another OP:\n%.600s", elsewhere)
	}
	text = page(web.PostForm(home+"login", url.Values{"identifier": {identifierAt(other, "alice")}}))
	if m = continueLink.FindStringSubmatch(text); m == nil {
		t.Fatal("no link to the OP for its own identifier")
	}
	text = page(web.Get(strings.ReplaceAll(m[1], "&amp;", "&")))
	wantIn(t, text, "Logged in as Alice Liddell")
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Ctrl-C: %v", err)
	}
	if _, err := http.Get(home); err == nil {
		t.Error("the page is still served")
	}
}

// TestSurroundings: what the flags of every command say holds for the demonstration
// too: whom to trust, and who is told of each exchange.
func TestSurroundings(t *testing.T) {
	op, err := oidctest.Start(oidctest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	told := make(chan string, maxMessages)
	around := Surroundings{Options: func() (*oidc.Options, error) {
		return &oidc.Options{HTTPClient: op.HTTPClient(), Trace: &oidc.Trace{Exchange: func(_ context.Context, e oidc.Exchange) { told <- e.Step }}}, nil
	}}
	lines := make(lineWriter, 8)
	cmd := Command(around)
	cmd.SetArgs([]string{"--no-browser", "--issuer", op.Issuer})
	cmd.SetOut(lines)
	cmd.SilenceUsage = true
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- cmd.ExecuteContext(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	home := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(<-lines)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{Jar: jar}).PostForm(home+"login", url.Values{"identifier": {""}})
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if !continueLink.Match(page) {
		t.Errorf("the login at an OP that we were told to trust does not begin:\n%.600s", page)
	}
	if len(told) == 0 || <-told != oidc.StepDiscovery {
		t.Error("nobody was told of the exchanges")
	}
	bad := Command(Surroundings{Options: func() (*oidc.Options, error) { return nil, errors.New("no such file") }})
	bad.SetArgs([]string{"--headless"})
	bad.SilenceUsage, bad.SilenceErrors = true, true
	if err := bad.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("got %v, want what the flags had to say", err)
	}
}
