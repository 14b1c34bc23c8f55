package main

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"rely.example/internal/servers"
	"rely.example/oidctest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"rely":    func() { os.Exit(run()) },
		"browser": func() { os.Exit(browse()) },
		"chrome":  func() { os.Exit(chrome()) },
	})
}

// TestScripts runs the scripts of testdata/script: rely as a process of its own,
// against an OP in this one, with a program that acts as the user's browser.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 filepath.Join("testdata", "script"),
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		UpdateScripts:       os.Getenv("UPDATE_SCRIPTS") != "",
		Condition: func(cond string) (bool, error) {
			program := map[string]string{"chromium": "chromium", "redis": "redis-server", "postgresql": "psql"}[cond]
			if program == "" {
				return false, fmt.Errorf("unknown condition %s", cond)
			}
			_, err := exec.LookPath(program)
			if err != nil && os.Getenv("RELY_REQUIRE") == "all" {
				return false, fmt.Errorf("RELY_REQUIRE is all: %w", err)
			}
			return err == nil, nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"op":      startOP,
			"fault":   breakOP,
			"asked":   asked,
			"advance": advance,
			"mode":    hasMode,
			"exit":    exits,
			"oneline": oneLine,
			"secrets": noSecrets,

			"decides": decides,

			"certificate": certificate,
			"key":         privateKey,

			"forget":    forget,
			"arrives":   arrives,
			"lifetime":  lifetime,
			"slow":      slow,
			"parallel":  parallel,
			"paste":     paste,
			"server":    startServer,
			"interrupt": interrupt,
			"hangup":    hangUp,
			"deaf":      deaf,
			"reaches":   reaches,
			"revoked":   revoked,

			"provider": playProvider,
			"page":     runPage,
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("RELY_HOME", filepath.Join(e.WorkDir, "home"))
			e.Setenv("RELY_KEYCHAIN", "off")
			e.Setenv("RELY_BROWSER", "browser")
			e.Setenv("BROWSER_LOG", filepath.Join(e.WorkDir, "browser.log"))
			e.Setenv("CHROME_DIR", filepath.Join(e.WorkDir, "chrome"))
			e.Setenv("TERM", "xterm")
			// Watched for races, a process waits a second before it ends, and scripts run many.
			e.Setenv("GORACE", "atexit_sleep_ms=100")
			e.Values[opKey{}] = new(*oidctest.OP)
			return nil
		},
	})
}

// decides is the command decides yes|no: until the script ends, somebody answers
// every device that asks.
func decides(ts *testscript.TestScript, _ bool, args []string) {
	op := theOP(ts)
	if len(args) != 1 || args[0] != "yes" && args[0] != "no" {
		ts.Fatalf("usage: decides yes|no")
	}
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			for _, code := range op.Undecided() {
				if args[0] == "yes" {
					_ = op.Approve(code, "") // it may have expired meanwhile
				} else {
					_ = op.Deny(code)
				}
			}
		}
	}()
	ts.Defer(func() {
		close(done)
		<-ended
	})
}

// startServer is the command server redis|postgresql [ARGUMENT...]: it starts a
// server, and sets STORE to its URL.
func startServer(ts *testscript.TestScript, _ bool, args []string) {
	start := servers.PostgreSQL
	if args[0] == "redis" {
		start = func(ctx context.Context) (*servers.Server, error) { return servers.Redis(ctx, args[1:]...) }
	}
	s, err := start(context.Background())
	ts.Check(err)
	ts.Defer(func() { _ = s.Close() })
	ts.Setenv("STORE", s.URL())
}

type opKey struct{}

func theOP(ts *testscript.TestScript) *oidctest.OP {
	op := *ts.Value(opKey{}).(**oidctest.OP)
	if op == nil {
		ts.Fatalf("no op was started")
	}
	return op
}

// startOP is the command op [tls] [name=value...]: it starts an OP, plain http
// unless told otherwise, and sets OP, OPHOST and, for tls, CA.
func startOP(ts *testscript.TestScript, _ bool, args []string) {
	c := oidctest.Config{PlainHTTP: true, Hosts: []string{"localhost"}, RefreshAlways: true}
	for _, a := range args {
		name, value, _ := strings.Cut(a, "=")
		switch name {
		case "tls":
			c.PlainHTTP = false
		case "noregistration":
			c.NoRegistration = true
		case "norefresh":
			c.RefreshAlways = false
		case "poll":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			c.PollInterval = d
		case "mtls":
			c.PlainHTTP, c.MTLS = false, oidctest.MTLSAliases
		case "audience":
			c.AccessTokenAudience = value
		case "initialtoken":
			c.InitialAccessToken = value
		case "tokenlifetime":
			d, err := time.ParseDuration(value)
			ts.Check(err)
			c.AccessTokenLifetime = d
		case "client":
			id, secret, _ := strings.Cut(value, ":")
			cl := oidctest.Client{ID: id, Secret: secret, ApplicationType: "native",
				RedirectURIs: []string{"http://127.0.0.1/callback", "https://app.example/callback"}}
			if secret == "" {
				cl.TokenEndpointAuthMethod = "none"
			} else {
				cl.GrantTypes = []string{"authorization_code", "implicit", "refresh_token", "client_credentials"}
			}
			c.Clients = append(c.Clients, cl)
		default:
			ts.Fatalf("op: unknown setting %s", a)
		}
	}
	op, err := oidctest.Start(c)
	ts.Check(err)
	ts.Defer(func() { _ = op.Close() })
	*ts.Value(opKey{}).(**oidctest.OP) = op
	ts.Setenv("OP", op.Issuer)
	ts.Setenv("OPHOST", op.Host)
	_, port, err := net.SplitHostPort(op.Host)
	ts.Check(err)
	ts.Setenv("PORT", port)
	ts.Setenv("PROFILE", strings.ReplaceAll(op.Host, ":", "-"))
	if c.PlainHTTP {
		ts.Setenv("RELY_INSECURE_HTTP", "true")
		return
	}
	ca := ts.MkAbs("op-ca.pem")
	ts.Check(os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: op.Certificate().Raw}), 0o644))
	ts.Setenv("CA", ca)
}

// breakOP is the command fault NAME...: the OP breaks these rules from now on,
// and no others.
func breakOP(ts *testscript.TestScript, _ bool, args []string) {
	op := theOP(ts)
	op.Mend()
	for _, a := range args {
		if !slices.ContainsFunc(oidctest.Faults(), func(f oidctest.FaultInfo) bool { return string(f.Fault) == a }) {
			ts.Fatalf("no fault is called %s", a)
		}
		op.Break(oidctest.Fault(a))
	}
}

// asked is the command asked ENDPOINT COUNT: so often was the OP asked there
// since the last asked. The log is forgotten with it.
func asked(ts *testscript.TestScript, _ bool, args []string) {
	op := theOP(ts)
	want, err := strconv.Atoi(args[1])
	ts.Check(err)
	if got := len(op.Requests(oidctest.Endpoint(args[0]))); got != want {
		ts.Fatalf("the OP was asked %d times at %s, want %d: %v", got, args[0], want, op.Received())
	}
	op.ClearLog()
}

// advance is the command advance DURATION: the clock of the OP moves on.
func advance(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	theOP(ts).Advance(d)
}

// hasMode is the command mode OCTAL FILE...: each file has that mode.
func hasMode(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range args[1:] {
		info, err := os.Stat(ts.MkAbs(name))
		ts.Check(err)
		if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[0] {
			ts.Fatalf("%s has mode %s, want %s", name, got, args[0])
		}
	}
}

// exits is the command exit CODE COMMAND...: the command ends with that code.
func exits(ts *testscript.TestScript, _ bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// oneLine is the command oneline: the last command wrote nothing to stdout, and
// one line to stderr that begins with "rely: ".
func oneLine(ts *testscript.TestScript, _ bool, _ []string) {
	if out := ts.ReadFile("stdout"); out != "" {
		ts.Fatalf("stdout is not empty")
	}
	text := ts.ReadFile("stderr")
	if !strings.HasPrefix(text, "rely: ") || strings.Count(text, "\n") != 1 || !strings.HasSuffix(text, "\n") {
		ts.Fatalf("stderr is not one line of rely's")
	}
	if strings.Contains(text, "oidc:") || strings.Contains(text, "goroutine") || strings.Contains(text, "%!") {
		ts.Fatalf("stderr shows internals")
	}
}

// noSecrets is the command secrets [!]: neither output of the last command holds
// a secret that the OP gave or received.
func noSecrets(ts *testscript.TestScript, _ bool, _ []string) {
	out := ts.ReadFile("stdout") + ts.ReadFile("stderr")
	op := theOP(ts)
	var secrets []string
	for _, c := range op.Clients() {
		secrets = append(secrets, c.Secret)
	}
	for _, r := range op.Received() {
		for _, n := range []string{"code", "state", "nonce", "code_verifier", "refresh_token", "client_secret", "client_assertion", "token"} {
			secrets = append(secrets, r.Query.Get(n), r.Form.Get(n))
		}
		if _, token, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
			secrets = append(secrets, token)
		}
	}
	n := 0
	for _, s := range secrets {
		if s == "" {
			continue
		}
		n++
		if strings.Contains(out, s) {
			ts.Fatalf("the output shows the secret %s", s)
		}
	}
	if n == 0 {
		ts.Fatalf("the OP saw no secret: there is nothing to look for")
	}
}

// arrives is the command arrives FILE TEXT: within a while the file holds the text.
// It waits for a program that goes on after the command that started it.
func arrives(ts *testscript.TestScript, _ bool, args []string) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 { // a minute, which a machine that has much else to do may need
		b, err := os.ReadFile(ts.MkAbs(args[0]))
		if err == nil && strings.Contains(string(b), args[1]) {
			return
		}
		<-tick.C
	}
	ts.Fatalf("%s does not hold %q", args[0], args[1])
}

// reaches is the command reaches ENDPOINT: within a while somebody asks the OP there.
// It waits for a command in the background.
func reaches(ts *testscript.TestScript, _ bool, args []string) {
	op := theOP(ts)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range 3000 {
		if len(op.Requests(oidctest.Endpoint(args[0]))) > 0 {
			return
		}
		<-tick.C
	}
	ts.Fatalf("nobody asks at %s", args[0])
}

var tracedRefreshToken = regexp.MustCompile(`refresh_token +(rt-\S+)`)

// revoked is the command revoked: the refresh token that the trace of the last command
// shows last was revoked.
func revoked(ts *testscript.TestScript, _ bool, _ []string) {
	found := tracedRefreshToken.FindAllStringSubmatch(ts.ReadFile("stderr"), -1)
	if found == nil {
		ts.Fatalf("the trace shows no refresh token")
	}
	token := found[len(found)-1][1]
	if !slices.ContainsFunc(theOP(ts).Requests(oidctest.EndpointRevocation), func(r oidctest.Request) bool { return r.Form.Get("token") == token }) {
		ts.Fatalf("nobody revoked the refresh token")
	}
}

// forget is the command forget: the OP forgets every client.
func forget(ts *testscript.TestScript, _ bool, _ []string) {
	op := theOP(ts)
	for _, c := range op.Clients() {
		op.RemoveClient(c.ID)
	}
}

// certificate is the command certificate FILE: a certificate that signs itself, with
// its key.
func certificate(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rely"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	ts.Check(err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	b := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), b, 0o600))
}

// privateKey is the command key FILE: a private key.
func privateKey(ts *testscript.TestScript, _ bool, args []string) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ts.Check(err)
	b, err := x509.MarshalPKCS8PrivateKey(key)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b}), 0o600))
}

// lifetime is the command lifetime DURATION: access tokens are said to live so
// long from now on.
func lifetime(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[0])
	ts.Check(err)
	theOP(ts).TamperTokenResponse(func(m map[string]any) { m["expires_in"] = int(d / time.Second) })
}

// slow is the command slow ENDPOINT DURATION: the OP takes so long there.
func slow(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	op := theOP(ts)
	if args[0] != string(oidctest.EndpointToken) {
		ts.Fatalf("slow: only the token endpoint can be")
	}
	op.TamperTokenResponse(func(map[string]any) {
		// The wait is what is tested: others arrive while one refreshes.
		<-time.After(d)
	})
}

// parallel is the command parallel N COMMAND...: N of it at a time, all of which
// must succeed. What they wrote together is stdout of "stdout" afterwards.
func parallel(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	path := program(ts, args[1])
	type result struct {
		out []byte
		err error
	}
	results := make(chan result, n)
	for range n {
		cmd := exec.Command(path, args[2:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
		go func() {
			out, err := cmd.CombinedOutput()
			results <- result{out, err}
		}()
	}
	var all []byte
	for range n {
		r := <-results
		all = append(all, r.out...)
		if r.err != nil {
			ts.Fatalf("%v: %s", r.err, r.out)
		}
	}
	_, err = ts.Stdout().Write(all)
	ts.Check(err)
}

// interrupt is the command interrupt TEXT COMMAND...: the command is interrupted
// when it has written TEXT to stderr, and must end with code 130.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	if code := whenWritten(ts, args, func(p *os.Process, _ io.Closer) error { return p.Signal(os.Interrupt) }); code != 130 {
		ts.Fatalf("exit code %d, want 130", code)
	}
}

// hangUp is the command hangup TEXT COMMAND...: the terminal is closed when the
// command has written TEXT to stderr, and the command ends by itself.
func hangUp(ts *testscript.TestScript, _ bool, args []string) {
	if code := whenWritten(ts, args, func(p *os.Process, _ io.Closer) error { return p.Signal(syscall.SIGHUP) }); code < 0 {
		ts.Fatalf("it was killed by the signal")
	}
}

// deaf is the command deaf TEXT COMMAND...: nobody reads stderr any more when the
// command has written TEXT there. How it ends is its own affair.
func deaf(ts *testscript.TestScript, _ bool, args []string) {
	whenWritten(ts, args, func(_ *os.Process, stderr io.Closer) error { return stderr.Close() })
}

// whenWritten runs the command of the other arguments, acts when it has written the
// first one to stderr, and returns its exit code, which is -1 if a signal ended it.
func whenWritten(ts *testscript.TestScript, args []string, act func(*os.Process, io.Closer) error) int {
	cmd := exec.Command(program(ts, args[1]), args[2:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	pipe, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	var text []byte
	acted := false
	buf := make([]byte, 4096)
	for {
		n, err := pipe.Read(buf)
		text = append(text, buf[:n]...)
		if !acted && strings.Contains(string(text), args[0]) {
			acted = true
			ts.Check(act(cmd.Process, pipe))
		}
		if err != nil {
			break
		}
	}
	_ = cmd.Wait() // the code tells
	_, err = ts.Stderr().Write(text)
	ts.Check(err)
	if !acted {
		ts.Fatalf("it did not write %q", args[0])
	}
	return cmd.ProcessState.ExitCode()
}

// paste is the command paste COMMAND...: the user opens the address that the
// command shows on another machine, and pastes the one that they end up at.
func paste(ts *testscript.TestScript, _ bool, args []string) {
	cmd := exec.Command(program(ts, args[0]), args[1:]...)
	cmd.Dir, cmd.Env = ts.MkAbs("."), environ(ts)
	cmd.Stdout = ts.Stdout()
	in, err := cmd.StdinPipe()
	ts.Check(err)
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	text := ""
	for s := bufio.NewScanner(stderr); s.Scan(); {
		text += s.Text() + "\n"
		if !strings.HasPrefix(s.Text(), "http") {
			continue
		}
		cb, err := theOP(ts).Browser().Login(context.Background(), s.Text())
		ts.Check(err)
		_, err = fmt.Fprintln(in, cb.URL)
		ts.Check(err)
	}
	if err := cmd.Wait(); err != nil {
		ts.Fatalf("%v: %s", err, text)
	}
	_, err = ts.Stderr().Write([]byte(text))
	ts.Check(err)
}

// program finds a program of the script.
func program(ts *testscript.TestScript, name string) string {
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	ts.Fatalf("there is no program %s", name)
	return ""
}

// environ is the environment of the script.
func environ(ts *testscript.TestScript) []string {
	var env []string
	for _, name := range []string{"PATH", "HOME", "TMPDIR", "WORK", "RELY_HOME", "RELY_KEYCHAIN", "RELY_BROWSER", "RELY_INSECURE_HTTP", "RELY_CA_FILE", "BROWSER_LOG", "BROWSER_MOOD", "CA", "GOCOVERDIR"} {
		if v := ts.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}
