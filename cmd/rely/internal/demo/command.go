// Package demo is the demonstration: a login by OpenID Connect, message by
// message, with every check that the relying party makes. It starts an OP of
// its own on loopback and a page that shows both sides, or logs in without a
// browser and draws the sequence in the terminal. It can tell that OP to break
// a rule, and shows how the break is caught.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"rely.example/cmd/rely/internal/browser"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/store/memstore"
)

// Surroundings are what the flags of every command say. The zero value is that of
// none.
type Surroundings struct {
	// Options say how an OP is reached, and who is told of each exchange; nil means
	// the defaults. It is called when the flags were read.
	Options func() (*oidc.Options, error)
	// Plain reports whether colours are unwanted; nil means that they are not.
	Plain func() bool
}

// options are those of Options, for a program that may run for long.
func (s Surroundings) options() (oidc.Options, error) {
	if s.Options == nil {
		return oidc.Options{}, nil
	}
	o, err := s.Options()
	if err != nil {
		return oidc.Options{}, err
	}
	out := *o
	out.MetadataAge = 0
	return out, nil
}

// settings are the flags of the command.
type settings struct {
	around Surroundings

	port         int
	noBrowser    bool
	issuer       string
	clientID     string
	secretFile   string
	authMethod   string
	allowPrivate []string

	headless     bool
	json         bool
	user         string
	responseType string
	responseMode string
	push, bind   bool
	fault        string
	listFaults   bool
}

// UsageError says that the command line is wrong, or a file that it names.
type UsageError struct{ Err error }

// Error is the text of Err.
func (e *UsageError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *UsageError) Unwrap() error { return e.Err }

// Command is "rely demo". Its errors are *UsageError, those of package oidc, and
// what the system says of ports and files.
func Command(around Surroundings) *cobra.Command {
	s := settings{around: around}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a login happen, message by message",
		Long: `Shows a login by OpenID Connect as it happens: every message between the
browser, the relying party and the provider (OP), every check that was made and
the section that asks for it.

Without flags it starts a provider and a relying party on 127.0.0.1 and opens a
page. Log in there as one of the provider's people, look into the messages, ask
for other response types, and make it break a rule to see that caught.

With --headless the same login runs without a browser and is drawn in the
terminal. It ends with exit code 0 if the login succeeded, or, with --break, if
the relying party dealt with the fault as it must.

With --issuer the relying party logs in at a provider that is not ours. It
registers itself where that is possible; otherwise register it there with the
redirect URI that is printed, and name it by --client-id and --client-secret-file.`,
		Example: `  rely demo
  rely demo --headless
  rely demo --headless --response-type "code id_token" --response-mode form_post
  rely demo --headless --break nonce_wrong
  rely demo --list-faults
  rely demo --issuer https://op.example.com --port 8400 \
      --client-id demo --client-secret-file secret.txt`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return s.run(cmd) },
	}
	f := cmd.Flags()
	f.IntVar(&s.port, "port", 0, "serve the page at the `PORT` of 127.0.0.1 (0: a free one)")
	f.BoolVar(&s.noBrowser, "no-browser", false, "print the address of the page and open nothing")
	f.StringVar(&s.issuer, "issuer", "", "log in at the provider of this `URL` in place of our own")
	f.StringVar(&s.clientID, "client-id", "", "log in as the client `ID`, which the provider of --issuer knows")
	f.StringVar(&s.secretFile, "client-secret-file", "", "read its secret from `FILE` (default: none, for a public client)")
	f.StringVar(&s.authMethod, "auth-method", "", "it authenticates by `METHOD` (default: client_secret_basic, or none without a secret)")
	f.StringArrayVar(&s.allowPrivate, "allow-private", nil, "let `HOST`, or a prefix like 10.0.0.0/8, be in a private network")
	f.BoolVar(&s.headless, "headless", false, "log in without a browser and draw the sequence in the terminal")
	f.BoolVar(&s.json, "json", false, "with --headless or --list-faults: write JSON")
	f.StringVar(&s.user, "user", "alice", "with --headless: log in as `WHO`")
	f.StringVar(&s.responseType, "response-type", "code", "with --headless: ask for the response `TYPE`: "+strings.Join(ResponseTypes(), ", "))
	f.StringVar(&s.responseMode, "response-mode", "", "with --headless: ask for the answer by `MODE`: query, fragment, form_post or jwt")
	f.BoolVar(&s.push, "par", false, "with --headless: push the request to the provider first (RFC 9126)")
	f.BoolVar(&s.bind, "dpop", false, "with --headless: bind the tokens to a key (RFC 9449)")
	f.StringVar(&s.fault, "break", "", "with --headless: let the provider break the rule `FAULT`; see --list-faults")
	f.BoolVar(&s.listFaults, "list-faults", false, "list the rules that the provider can break")
	return cmd
}

func (s *settings) run(cmd *cobra.Command) error {
	if err := s.check(); err != nil {
		return &UsageError{err}
	}
	ctx, out := cmd.Context(), cmd.OutOrStdout()
	if ctx == nil {
		ctx = context.Background()
	}
	switch {
	case s.listFaults:
		return listFaults(out, s.json)
	case s.headless:
		return s.runHeadless(ctx, out)
	}
	return s.runPage(ctx, out, cmd.ErrOrStderr())
}

// check refuses flags that contradict each other.
func (s *settings) check() error {
	switch {
	case s.port < 0 || s.port > 65535:
		return fmt.Errorf("--port %d is no port; expected 0 to 65535", s.port)
	case s.headless && s.issuer != "":
		return errors.New("--headless logs in at the OP of the demonstration alone, since another one wants a person; leave out --issuer, or use rely login")
	case s.json && !s.headless && !s.listFaults:
		return errors.New("--json needs --headless or --list-faults")
	case s.fault != "" && !s.headless:
		return errors.New("--break needs --headless; on the page there is a menu")
	case s.issuer == "" && (s.clientID != "" || s.secretFile != "" || s.authMethod != "" || len(s.allowPrivate) > 0):
		return errors.New("--client-id, --client-secret-file, --auth-method and --allow-private need --issuer")
	case s.clientID == "" && (s.secretFile != "" || s.authMethod != ""):
		return errors.New("--client-secret-file and --auth-method need --client-id")
	}
	_, err := choiceOf(s.responseType, s.responseMode)
	return err
}

// choiceOf checks a response type and mode that somebody typed.
func choiceOf(responseType, responseMode string) (choice, error) {
	c := choice{ResponseType: ResponseType(responseType)}
	if c.ResponseType == "" {
		return choice{}, fmt.Errorf("response type %q is none of %s", responseType, strings.Join(ResponseTypes(), ", "))
	}
	if responseMode == "" {
		return c, nil
	}
	for _, m := range responseModes(c.ResponseType) {
		if m == responseMode {
			c.ResponseMode = m
			return c, nil
		}
	}
	return choice{}, fmt.Errorf("response mode %q does not go with response type %s; expected %s", responseMode, c.ResponseType,
		strings.Join(responseModes(c.ResponseType), " or "))
}

// devOptions reach the OP of this program: plain http on loopback.
func devOptions() oidc.Options {
	return oidc.Options{InsecureAllowHTTP: true, AllowPrivate: []string{"localhost", "127.0.0.1"}, Timeout: devTimeout}
}

func (s *settings) runHeadless(ctx context.Context, out io.Writer) (err error) {
	c, err := choiceOf(s.responseType, s.responseMode)
	if err != nil {
		return err
	}
	if s.fault != "" {
		f, ok := faultByName(s.fault)
		if !ok {
			return &UsageError{fmt.Errorf("--break %s: the OP of the demonstration has no such fault; see rely demo --list-faults", printable(s.fault))}
		}
		c.Fault = &f
		if f.ResponseType != "" && s.responseType == "code" {
			c.ResponseType = f.ResponseType
		}
	}
	c.Push, c.Bind = s.push, s.bind
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	provider, served, err := startOP(ctx, false, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, provider.Close(), served.close()) }()
	c.Identifier = identifierAt(provider, s.user)
	to := &target{dev: provider, redirectURI: "http://127.0.0.1:8400/callback", options: devOptions(), now: time.Now, store: new(memstore.Store)}
	around, err := s.around.options()
	if err != nil {
		return err
	}
	to.options.Trace = around.Trace
	if s.json {
		l, err := runHeadless(ctx, to, c, nil)
		if err != nil {
			return err
		}
		if err := writeJSON(out, l.report()); err != nil {
			return err
		}
		return l.verdictError()
	}
	width, colour := s.look(out)
	t := newTerminal(out, width, colour, provider.Host)
	l, err := runHeadless(ctx, to, c, t.show)
	if err != nil {
		return err
	}
	t.end(l)
	return errors.Join(t.err, l.verdictError())
}

// verdictError is nil if the login went as it must.
func (l *login) verdictError() error {
	switch {
	case l.outcome == nil:
		return errors.New("the login did not end")
	case l.outcome.Verdict == refused:
		return l.failure
	case l.outcome.Verdict == missed:
		return errors.New(l.outcome.sentence())
	}
	return nil
}

// look is how wide a writer is, in columns, and whether it shows colours
// (no-color.org).
func (s *settings) look(w io.Writer) (width int, colour bool) {
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return 0, false
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		width = 0
	}
	plain := s.around.Plain != nil && s.around.Plain()
	return width, !plain && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func listFaults(w io.Writer, asJSON bool) error {
	type entry struct {
		Fault   string `json:"fault"`
		Group   string `json:"group"`
		Title   string `json:"title"`
		Section string `json:"section"`
		Expect  string `json:"expect"`
	}
	var all []entry
	for _, g := range faultMenu() {
		for _, f := range g.Faults {
			all = append(all, entry{string(f.Fault), f.Group, f.Title, f.Section, f.Expect})
		}
	}
	if asJSON {
		return writeJSON(w, all)
	}
	var b strings.Builder
	group := ""
	for _, e := range all {
		if e.Group != group {
			fmt.Fprintf(&b, "\n%s\n", e.Group)
			group = e.Group
		}
		fmt.Fprintf(&b, "  %-32s %s (%s)\n", e.Fault, e.Title, e.Section)
	}
	_, err := io.WriteString(w, strings.TrimPrefix(b.String(), "\n"))
	return err
}

// runPage serves the page until ctx ends.
func (s *settings) runPage(ctx context.Context, out, errOut io.Writer) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	log := slog.New(slog.DiscardHandler)
	to := &target{now: time.Now, store: new(memstore.Store)}
	around, err := s.around.options()
	if err != nil {
		return err
	}
	if s.issuer == "" {
		provider, served, err := startOP(ctx, true, log)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, provider.Close(), served.close()) }()
		to.dev, to.options = provider, devOptions()
		to.options.Trace = around.Trace
	} else if err := s.aim(to, around); err != nil {
		return &UsageError{err}
	}
	var app *server
	served, err := serve(ctx, s.port, "127.0.0.1", func(host string) (_ http.Handler, err error) {
		to.redirectURI = "http://" + host + callbackPath
		if s.clientID != "" {
			if to.static, err = s.registration(to.redirectURI); err != nil {
				return nil, &UsageError{err}
			}
		}
		app, err = newServer(to, host)
		return app, err
	}, log)
	if err != nil {
		return err
	}
	defer func() {
		app.close()
		err = errors.Join(err, served.close())
	}()
	page := "http://" + served.host + "/"
	if _, err := fmt.Fprintf(out, "The demonstration is at %s  (Ctrl-C ends it)\n", page); err != nil {
		return err
	}
	if s.issuer != "" {
		if _, err := fmt.Fprintf(out, "Its redirect URI is %s\n", to.redirectURI); err != nil {
			return err
		}
	}
	if !s.noBrowser {
		opener := &browser.Opener{Getenv: os.Getenv}
		if err := opener.Open(ctx, page); err != nil && ctx.Err() == nil {
			fmt.Fprintf(errOut, "Open that address in a browser: %v.\n", err)
		}
	}
	select {
	case <-ctx.Done():
		return nil
	case err := <-served.done:
		served.done <- err
		return err
	}
}

// aim points the relying party at the OP of --issuer.
func (s *settings) aim(to *target, around oidc.Options) error {
	u, err := url.Parse(s.issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("--issuer %s is no http or https URL", printable(s.issuer))
	}
	to.options = around
	// What was typed on the command line is no stranger's choice.
	to.options.AllowPrivate = append(s.allowPrivate, u.Hostname())
	if u.Scheme == "http" {
		if ip := net.ParseIP(u.Hostname()); !around.InsecureAllowHTTP && u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return fmt.Errorf("--issuer %s is http; codes and tokens would travel in the clear. Use https, or an OP on this machine", printable(s.issuer))
		}
		to.options.InsecureAllowHTTP = true
	}
	to.issuer = s.issuer
	return nil
}

// maxSecretFile bounds what is read of a secret.
const maxSecretFile = 4 << 10

// registration is the client that was registered out of band.
func (s *settings) registration(redirectURI string) (*oidc.Registration, error) {
	r := &oidc.Registration{ClientID: s.clientID, Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{redirectURI}, ResponseTypes: ResponseTypes(), TokenEndpointAuthMethod: s.authMethod,
	}}
	if s.secretFile == "" {
		if s.authMethod == "" {
			r.Metadata.TokenEndpointAuthMethod = oidc.AuthNone
		}
		return r, nil
	}
	f, err := os.Open(s.secretFile)
	if err != nil {
		return nil, fmt.Errorf("--client-secret-file: %w", err)
	}
	b, err := io.ReadAll(io.LimitReader(f, maxSecretFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("--client-secret-file: %w", err)
	}
	r.Secret = strings.TrimRight(string(b), "\r\n")
	if r.Secret == "" || len(b) > maxSecretFile {
		return nil, fmt.Errorf("--client-secret-file %s: expected one secret of at most %d bytes", s.secretFile, maxSecretFile)
	}
	return r, nil
}

// knownUsers are the people of the OP, for a menu.
func knownUsers(provider *oidctest.OP) []oidctest.User {
	if provider == nil {
		return nil
	}
	return provider.Users()
}
