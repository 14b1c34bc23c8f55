package interop

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"rely.example/peers/interop/launch"
)

// RedirectURI is the redirect URI of every client. Nobody listens there: a
// [Browser] stops before it. OPs refuse localhost for web clients that get
// tokens from the authorization endpoint (Registration 1.0, section 2).
const RedirectURI = "https://rp.example.test/callback"

// startTries is how often a start is tried when another process takes the port.
const startTries = 3

// logLines is how much of an OP's output a failed test shows.
const logLines = 20

// OP is an OpenID Provider that runs until its test ends.
type OP struct {
	Peer *Peer
	// Issuer is its issuer identifier.
	Issuer string
	// User can log in.
	User launch.User
	// Clients are those that it knew from the start.
	Clients []launch.Client

	host      string // where it listens, scheme and authority
	dir       string // scratch directory
	authority *Authority
	transport *http.Transport
	process   *process
}

// HTTPClient returns a new client that trusts the OP's certificate and no other.
func (o *OP) HTTPClient() *http.Client {
	return &http.Client{Transport: o.transport, Timeout: requestTimeout}
}

// CAFile is the path of the certificate, PEM, of the authority behind the OP.
func (o *OP) CAFile() string { return o.authority.CAFile() }

// Certificate makes a key and a certificate for a client, by the authority that the
// OP trusts, with the subject CN=name.
func (o *OP) Certificate(name string) (tls.Certificate, error) { return o.authority.Issue(name) }

// ServerCertificate makes a key and a certificate, by the authority that the OP trusts,
// for a server on loopback.
func (o *OP) ServerCertificate() (tls.Certificate, error) { return o.authority.IssueServer() }

// DecideByPhone decides a backchannel login in the user's name. It returns when the
// Relying Party has heard of it, where it is told.
func (o *OP) DecideByPhone(ctx context.Context, authReqID string, allow bool) error {
	form := url.Values{launch.PhoneID: {authReqID}, launch.PhoneDecision: {launch.Refuse}}
	if allow {
		form.Set(launch.PhoneDecision, launch.Allow)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.host+launch.PhonePath, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	res, err := o.HTTPClient().Do(r)
	if err != nil {
		return fmt.Errorf("interop: deciding by phone: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusNoContent {
		said, _ := io.ReadAll(io.LimitReader(res.Body, maxPage))
		return fmt.Errorf("interop: deciding by phone: %s: %s", res.Status, excerpt(string(said)))
	}
	return nil
}

// Client returns the client known from the start by that client_id.
func (o *OP) Client(id string) (launch.Client, bool) {
	for _, c := range o.Clients {
		if c.ID == id {
			return c, true
		}
	}
	return launch.Client{}, false
}

// Start runs the OP with one user and with clients known to it, until tb ends.
// It skips tb when what the OP needs is not on the machine, and fails it then if
// RELY_REQUIRE is all.
func (p *Peer) Start(tb testing.TB, clients ...launch.Client) *OP {
	tb.Helper()
	o, err := p.Run(tb.Context(), tb.TempDir(), clients...)
	if err != nil {
		Require(tb, err)
	}
	tb.Cleanup(o.Stop)
	o.Watch(tb)
	return o
}

// Run runs the OP with one user and with clients known to it, until Stop is
// called. dir is an empty directory of its own. The error is ErrAbsent when what
// the OP needs is not on the machine.
func (p *Peer) Run(ctx context.Context, dir string, clients ...launch.Client) (*OP, error) {
	if !canRun {
		return nil, fmt.Errorf("%w: process groups", ErrAbsent)
	}
	authority, err := NewAuthority(dir)
	if err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		o, err := p.start(ctx, authority, clients)
		if err == nil || errors.Is(err, ErrAbsent) || ctx.Err() != nil || try == startTries {
			return o, err
		}
	}
}

// Stop ends the OP and all its processes.
func (o *OP) Stop() {
	o.process.stop()
	o.transport.CloseIdleConnections()
}

// Watch shows the last lines of the OP if tb fails.
func (o *OP) Watch(tb testing.TB) {
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("the last lines of %s:\n%s", o.Peer.Name, o.process.log.tail(logLines))
		}
	})
}

// ErrAbsent means that something an OP needs is not on this machine.
var ErrAbsent = errors.New("interop: not on this machine")

// Require ends tb, which cannot go on for err: it skips tb if something is
// absent, but fails it where nothing may be, under RELY_REQUIRE=all.
func Require(tb testing.TB, err error) {
	tb.Helper()
	if errors.Is(err, ErrAbsent) && os.Getenv("RELY_REQUIRE") != "all" {
		tb.Skipf("%v (peers/interop/install.sh installs it)", err)
	}
	tb.Fatal(err)
}

func (p *Peer) start(ctx context.Context, authority *Authority, clients []launch.Client) (_ *OP, err error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	o := &OP{
		Peer: p,
		User: launch.User{
			Name:     "Alice Example",
			Username: "alice",
			Password: "correct horse battery staple",
			Email:    "alice@example.test",
			Code:     "7391",
		},
		Clients:   clients,
		host:      "https://localhost:" + strconv.Itoa(port),
		dir:       authority.Dir,
		authority: authority,
		transport: authority.Transport(),
	}
	o.Issuer = o.host + p.issuerPath
	config := launch.Config{
		Issuer:  o.Issuer,
		Host:    "127.0.0.1",
		Port:    port,
		CA:      authority.CAFile(),
		Cert:    authority.CertFile(),
		Key:     authority.KeyFile(),
		Clients: clients,
		User:    o.User,
	}
	command, err := p.command(ctx, config, authority.Dir)
	if err != nil {
		return nil, err
	}
	o.process, err = startProcess(command.dir, command.env, command.args)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("interop: starting %s: %w\n%s", p.Name, err, o.process.log.tail(logLines))
			o.process.stop()
		}
	}()
	if err := o.process.ready(ctx, o.HTTPClient(), o.host+p.readyPath); err != nil {
		return nil, err
	}
	if p.setUp != nil {
		ctx, cancel := context.WithTimeout(ctx, readyTimeout)
		defer cancel()
		if err := p.setUp(ctx, o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// command says how an OP is run.
type command struct {
	dir  string
	env  []string // added to our own environment
	args []string
}

// writeConfig writes c to dir for an OP to read, and returns the file's path.
func writeConfig(c launch.Config, dir string) (string, error) {
	b, err := json.Marshal(c)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "op.json")
	return path, os.WriteFile(path, b, 0o600)
}

// opsDir is where the programs of the OPs are. It is part of the source tree,
// since npm and pip install beside their manifests.
func opsDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	dir := filepath.Join(filepath.Dir(file), "ops")
	if !ok || !filepath.IsAbs(dir) {
		return "", fmt.Errorf("%w: the source tree of package interop", ErrAbsent)
	}
	if _, err := os.Stat(dir); err != nil {
		return "", fmt.Errorf("%w: %s", ErrAbsent, dir)
	}
	return dir, nil
}
