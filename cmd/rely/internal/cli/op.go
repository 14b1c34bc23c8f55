package cli

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
	"rely.example/oidctest"
)

// opFlags are the choices of a development OP.
type opFlags struct {
	port       int
	http       bool
	usersFile  string
	caOut      string
	broken     []string
	listFaults bool
	manual     bool
}

func (a *app) opCommand() *cobra.Command {
	var o opFlags
	cmd := &cobra.Command{
		Use:     "op",
		GroupID: groupDevelop,
		Short:   "Run a provider for development on this machine",
		Long: `Runs an OpenID Provider at 127.0.0.1, for development and tests: every flow of
OpenID Connect Core, discovery with WebFinger, dynamic registration, and a switch
for every rule that a provider can break. It is correct and strict until told
otherwise, logs what it is asked, and forgets everything when it ends.

It asks for no password. By default it logs in the first user, or the one that
login_hint names; with --manual-login a page lets you choose. Its certificate is
new each time; --ca-out says where to put it, for rely --ca-file and others.`,
		Example: `  rely op --http --port 8080
  rely login http://127.0.0.1:8080 --insecure-http      in another terminal
  rely op --manual-login --users people.json
  rely op --list-faults
  rely op --http --break nonce_wrong                    and see it caught`,
		Args: exactly(0, "no argument"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.listFaults {
				return a.listFaults()
			}
			return a.runOP(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.port, "port", 0, "listen at the `PORT` of 127.0.0.1 (0: a free one)")
	f.BoolVar(&o.http, "http", false, "serve http instead of https")
	f.StringVar(&o.usersFile, "users", "", "let the people in `FILE` log in: JSON, a list of objects with username and claims (default: alice, bob, chloé and dan)")
	f.StringVar(&o.caOut, "ca-out", "", "write the certificate to trust to `FILE` (default: op-ca.pem in the home directory)")
	f.StringSliceVar(&o.broken, "break", nil, "break the rule `FAULT`")
	f.BoolVar(&o.listFaults, "list-faults", false, "list the rules that it can break")
	f.BoolVar(&o.manual, "manual-login", false, "show a login page")
	return cmd
}

func (a *app) listFaults() error {
	faults := oidctest.Faults()
	if a.flags.json {
		type fault struct {
			Fault    string `json:"fault"`
			Group    string `json:"group"`
			Title    string `json:"title"`
			Section  string `json:"section"`
			Case     int    `json:"hostile_case,omitempty"`
			Expect   string `json:"expect"`
			Harmless bool   `json:"harmless,omitempty"`
			Needs    string `json:"needs,omitempty"`
		}
		out := make([]fault, 0, len(faults))
		for _, f := range faults {
			out = append(out, fault{string(f.Fault), f.Group, f.Title, f.Section, f.Case, f.Expect, f.Harmless, f.Needs})
		}
		return a.writeJSON(out)
	}
	group := ""
	var fields []tty.Field
	flush := func() {
		a.out.Fields(fields...)
		fields = nil
	}
	for _, f := range faults {
		if f.Group != group {
			flush()
			if group != "" {
				a.out.Println()
			}
			group = f.Group
			a.out.Println(a.out.Bold(group))
		}
		fields = append(fields, tty.Field{Label: string(f.Fault), Value: f.Title + " " + a.out.Faint("("+f.Section+")")})
	}
	flush()
	return nil
}

func (a *app) runOP(ctx context.Context, o *opFlags) error {
	if o.port < 0 || o.port > 65535 {
		return usage(nil, fmt.Errorf("--port %d is no port", o.port))
	}
	broken, err := parseFaults(o.broken)
	if err != nil {
		return err
	}
	users, err := readUsers(o.usersFile)
	if err != nil {
		return err
	}
	log := &opLog{p: a.err, json: a.flags.json, out: a.out}
	op, err := oidctest.Start(oidctest.Config{
		Addr:        net.JoinHostPort("127.0.0.1", strconv.Itoa(o.port)),
		PlainHTTP:   o.http,
		Hosts:       []string{"localhost"},
		Users:       users,
		ManualLogin: o.manual,
		Now:         a.Now,
		Observe:     log.request,
	})
	if err != nil {
		return usage(nil, fmt.Errorf("the provider does not start: %s", strings.TrimPrefix(err.Error(), "oidctest: ")))
	}
	defer op.Close()
	op.Break(broken...)
	caFile, err := a.writeCA(op, o)
	if err != nil {
		return err
	}
	if err := a.showOP(op, o, caFile); err != nil {
		return err
	}
	<-ctx.Done()
	if !a.flags.json {
		a.err.Printf("\nStopped.\n")
	}
	// To end it by Ctrl-C is how it ends.
	return op.Close()
}

func parseFaults(names []string) ([]oidctest.Fault, error) {
	var out []oidctest.Fault
	for _, n := range names {
		if !slices.ContainsFunc(oidctest.Faults(), func(f oidctest.FaultInfo) bool { return string(f.Fault) == n }) {
			return nil, usage(nil, fmt.Errorf("--break %s: there is no such fault; rely op --list-faults lists them", quoted(n)))
		}
		out = append(out, oidctest.Fault(n))
	}
	return out, nil
}

// writeCA puts the certificate where other programs can be told to trust it.
func (a *app) writeCA(op *oidctest.OP, o *opFlags) (string, error) {
	cert := op.Certificate()
	if cert == nil {
		return "", nil
	}
	name := o.caOut
	if name == "" {
		dir, err := a.home()
		if err != nil {
			return "", err
		}
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return "", err
		}
		name = filepath.Join(dir, "op-ca.pem")
	}
	b := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})
	if err := writeFile(name, b, 0o644); err != nil {
		return "", usage(nil, wrapf(err, "--ca-out"))
	}
	return name, nil
}

func (a *app) showOP(op *oidctest.OP, o *opFlags, caFile string) error {
	var names []string
	for _, u := range op.Users() {
		names = append(names, u.Username)
	}
	if a.flags.json {
		v := map[string]any{"issuer": op.Issuer, "users": names}
		if caFile != "" {
			v["ca_file"] = caFile
		}
		return a.writeJSON(v)
	}
	trust := " --insecure-http"
	if caFile != "" {
		trust = " --ca-file " + caFile
	}
	identifier := names[0] + "@" + op.Host
	var broken []string
	for _, f := range op.Broken() {
		broken = append(broken, string(f))
	}
	a.out.Printf("%s at %s\n\n", a.out.Good("An OpenID Provider for development"), a.out.Bold(op.Issuer))
	a.out.Fields(
		tty.Field{Label: "log in", Value: "rely login " + op.Issuer + trust},
		tty.Field{Label: "or as", Value: tty.Clean("rely login " + identifier + trust)},
		tty.Field{Label: "users", Value: list(names)},
		tty.Field{Label: "broken", Value: strings.Join(broken, ", ")},
	)
	a.out.Println()
	a.out.Paragraph(a.out.Faint("Ctrl-C stops it. It asks for no password: let it guard nothing."), 0)
	return a.out.Err()
}

// opLog writes a line for each request, without secrets.
type opLog struct {
	mu   sync.Mutex // one line at a time
	p    *tty.Printer
	out  *tty.Printer
	json bool
}

func (l *opLog) request(r oidctest.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	params := r.Query
	if r.Form != nil {
		params = r.Form
	}
	if l.json {
		line, err := json.Marshal(map[string]any{
			"time": r.Time, "endpoint": r.Endpoint, "method": r.Method, "path": r.Path, "status": r.Status,
			"params": oidc.FrontMessage{Params: params}.Masked().Params, "client_id": r.Auth.ClientID, "auth_method": r.Auth.Method,
		})
		if err == nil {
			l.p.Printf("%s\n", line)
		}
		return
	}
	status := strconv.Itoa(r.Status)
	switch {
	case r.Status >= 400 || r.Status == 0:
		status = l.p.Bad(fmt.Sprintf("%3s", status))
	default:
		status = l.p.Good(fmt.Sprintf("%3s", status))
	}
	detail := ""
	switch r.Endpoint {
	case oidctest.EndpointAuthorization:
		detail = params.Get("response_type") + " " + params.Get("scope")
	case oidctest.EndpointToken:
		detail = params.Get("grant_type")
	case oidctest.EndpointWebFinger:
		detail = params.Get("resource")
	case oidctest.EndpointNone:
		detail = r.Path
	}
	if r.Auth.Method != "" {
		detail += " by " + r.Auth.Method
	}
	l.p.Printf("%s %s %-4s %-13s %s\n", l.p.Faint(r.Time.Format("15:04:05")), status, tty.Clean(r.Method), r.Endpoint,
		l.p.Faint(tty.Clean(strings.TrimSpace(detail))))
}

// readUsers reads people from a file: a list of objects with username, sub (made
// up if absent) and any claims.
func readUsers(name string) ([]oidctest.User, error) {
	if name == "" {
		return nil, nil
	}
	b, err := readFile(name)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--users"))
	}
	var list []json.RawMessage
	if err := json.Unmarshal(b, &list); err != nil || len(list) == 0 {
		return nil, usage(nil, fmt.Errorf(`--users %s: expected a JSON list like [{"username": "ann", "name": "Ann", "email": "ann@example.com"}]`, name))
	}
	users := make([]oidctest.User, 0, len(list))
	for i, raw := range list {
		u, err := readUser(raw)
		if err != nil {
			return nil, usage(nil, fmt.Errorf("--users %s: user %d: %w", name, i+1, err))
		}
		users = append(users, u)
	}
	return users, nil
}

func readUser(raw json.RawMessage) (oidctest.User, error) {
	var u oidctest.User
	claims, err := uniqueMembers(raw)
	if err != nil {
		return u, err
	}
	if err := json.Unmarshal(raw, &u); err != nil {
		return u, errors.New("a standard claim has the wrong type (Core 5.1)")
	}
	for name, to := range map[string]any{"username": &u.Username, "email_verified": &u.EmailVerified, "phone_number_verified": &u.PhoneNumberVerified} {
		if v, ok := claims[name]; ok {
			if err := json.Unmarshal(v, to); err != nil {
				return u, fmt.Errorf("%s has the wrong type", name)
			}
			delete(claims, name)
		}
	}
	if u.Username == "" {
		return u, errors.New("username is missing")
	}
	// What User has a field for is no further claim.
	var known map[string]json.RawMessage
	b, err := json.Marshal(u)
	if err == nil {
		err = json.Unmarshal(b, &known)
	}
	if err != nil {
		return u, err
	}
	for name, v := range claims {
		if _, ok := known[name]; ok {
			continue
		}
		var value any
		if err := json.Unmarshal(v, &value); err != nil {
			return u, err
		}
		if u.Claims == nil {
			u.Claims = make(map[string]any)
		}
		u.Claims[name] = value
	}
	return u, nil
}
