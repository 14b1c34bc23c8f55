// Package examples_test runs every example as a program, as a reader would.
package examples_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// maxLines is what one reads at a sitting.
const maxLines = 120

// build compiles all examples, once.
var build = sync.OnceValues(func() (dir string, err error) {
	if dir, err = os.MkdirTemp("", "examples"); err != nil {
		return "", err
	}
	out, err := exec.Command("go", "build", "-o", dir, "./...").CombinedOutput()
	if err != nil {
		os.Stderr.Write(out)
	}
	return dir, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := build(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// program is an example that runs.
type program struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Scanner
}

// start runs an example until the test ends.
func start(t *testing.T, name string, args ...string) *program {
	t.Helper()
	t.Parallel()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, name)
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	p := &program{t: t, cmd: exec.Command(path, args...)}
	p.cmd.Dir = t.TempDir()
	p.cmd.Env = append(os.Environ(), "CLIENT_ID=", "CLIENT_SECRET=")
	var stderr bytes.Buffer
	p.cmd.Stderr = &stderr
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewScanner(stdout)
	p.out.Buffer(nil, 1<<20)
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		if t.Failed() {
			t.Logf("%s wrote to stderr: %s", name, stderr.String())
		}
	})
	return p
}

// line returns what follows prefix in the next line that begins so.
func (p *program) line(prefix string) string {
	p.t.Helper()
	for p.out.Scan() {
		if rest, ok := strings.CutPrefix(p.out.Text(), prefix); ok {
			return rest
		}
	}
	p.t.Fatalf("it wrote no line that begins with %q", prefix)
	return ""
}

// origin is where a server listens.
func (p *program) origin() string {
	p.t.Helper()
	where, _, _ := strings.Cut(p.line("Open "), " ")
	return where
}

// ends waits for the example to end by itself.
func (p *program) ends() {
	p.t.Helper()
	for p.out.Scan() {
	}
	if err := p.cmd.Wait(); err != nil {
		p.t.Errorf("it ended with %v", err)
	}
}

// browser is a user's browser, which the OP of the sandbox logs in by itself.
func browser(t *testing.T) *http.Client {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Jar: jar, Timeout: time.Minute}
}

// get returns the page that a browser ends up at.
func get(t *testing.T, c *http.Client, u string) (status int, body, at string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/html")
	return do(t, c, req)
}

func do(t *testing.T, c *http.Client, req *http.Request) (status int, body, at string) {
	t.Helper()
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Request.URL.String()
}

func TestWeb(t *testing.T) {
	origin := start(t, "web", "-addr", "127.0.0.1:0").origin()
	c := browser(t)
	if _, body, _ := get(t, c, origin); !strings.Contains(body, "Welcome") {
		t.Errorf("got %s", body)
	}
	status, body, at := get(t, c, origin+"/me")
	if status != 200 || at != origin+"/me" || !strings.Contains(body, "Hello Alice Liddell") {
		t.Errorf("got %d at %s: %s", status, at, body)
	}
	req, err := http.NewRequest(http.MethodPost, origin+"/auth/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", origin)
	if status, body, at := do(t, c, req); status != 200 || !strings.HasPrefix(at, origin) {
		t.Errorf("got %d at %s: %s", status, at, body)
	}
	if _, body, _ := get(t, c, origin); !strings.Contains(body, "Welcome") {
		t.Errorf("still logged in: %s", body)
	}
}

func TestBFF(t *testing.T) {
	origin := start(t, "bff", "-addr", "127.0.0.1:0").origin()
	c := browser(t)
	if status, body, _ := get(t, c, origin); status != 200 || !strings.Contains(body, "/app.js") {
		t.Errorf("got %d: %s", status, body)
	}
	call := func(method, path, body, site string) (int, string) {
		t.Helper()
		req, err := http.NewRequest(method, origin+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Sec-Fetch-Site", site)
		req.Header.Set("Sec-Fetch-Mode", "cors")
		status, text, _ := do(t, c, req)
		return status, text
	}
	if status, _ := call("GET", "/api/notes", "", "same-origin"); status != http.StatusUnauthorized {
		t.Errorf("a stranger gets %d, want 401", status)
	}
	if _, _, at := get(t, c, origin+"/auth/login?return_to=/"); at != origin+"/" {
		t.Fatalf("the login ends at %s", at)
	}
	if status, body := call("POST", "/api/notes", `{"text":"one"}`, "same-origin"); status != 200 || strings.TrimSpace(body) != `["one"]` {
		t.Errorf("got %d: %s", status, body)
	}
	if status, _ := call("POST", "/api/notes", `{"text":"forged"}`, "cross-site"); status != http.StatusForbidden {
		t.Errorf("another site writes: %d", status)
	}
	if status, body := call("GET", "/api/notes", "", "same-origin"); status != 200 || strings.TrimSpace(body) != `["one"]` {
		t.Errorf("got %d: %s", status, body)
	}
}

func TestAPI(t *testing.T) {
	p := start(t, "api", "-addr", "127.0.0.1:0")
	curl := p.line("curl -H 'Authorization: Bearer ")
	token, rest, _ := strings.Cut(curl, "' ")
	origin := strings.TrimSuffix(rest, "/hello")
	call := func(path, token string) (int, string, http.Header) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, origin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if token != "" {
			req.Header.Set("Authorization", "Bearer "+token)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(b), res.Header
	}
	if status, body, _ := call("/hello", token); status != 200 || !strings.HasPrefix(body, "hello alice") {
		t.Errorf("got %d: %s", status, body)
	}
	for _, c := range []struct {
		path, token string
		want        int
		challenge   string
	}{
		{"/hello", "", 401, "Bearer"},
		{"/hello", token + "x", 401, "invalid_token"},
		{"/address", token, 403, "insufficient_scope"},
	} {
		status, _, header := call(c.path, c.token)
		if got := header.Get("WWW-Authenticate"); status != c.want || !strings.Contains(got, c.challenge) {
			t.Errorf("%s: got %d, %q", c.path, status, got)
		}
	}
	status, body, _ := call("/.well-known/oauth-protected-resource", "")
	var md struct {
		Resource string `json:"resource"`
	}
	if err := json.Unmarshal([]byte(body), &md); err != nil || status != 200 || md.Resource != origin {
		t.Errorf("got %d, %v: %s", status, err, body)
	}
}

func TestNative(t *testing.T) {
	p := start(t, "native")
	u := p.line("Open ")
	auth, err := url.Parse(u)
	if err != nil {
		t.Fatal(err)
	}
	// Somebody else knocks first.
	if status, _, _ := get(t, browser(t), auth.Query().Get("redirect_uri")+"?code=stolen&state=another"); status != 400 {
		t.Errorf("another login's answer gets %d", status)
	}
	if status, body, _ := get(t, browser(t), u); status != 200 || !strings.Contains(body, "Thank you") {
		t.Errorf("got %d: %s", status, body)
	}
	if who := p.line("Logged in as "); !strings.HasPrefix(who, "alice") {
		t.Errorf("got %s", who)
	}
	p.ends()
}

func TestCLI(t *testing.T) {
	p := start(t, "cli")
	p.line("Open this address")
	c := browser(t)
	c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
		if r.URL.Path == "/callback" { // where nobody listens
			return http.ErrUseLastResponse
		}
		return nil
	}
	if !p.out.Scan() {
		t.Fatal("there is no address")
	}
	res, err := c.Get(p.out.Text())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if _, err := io.WriteString(p.in, res.Header.Get("Location")+"\n"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"You are Alice", "Refreshing", "You are Alice"} {
		p.line(want)
	}
	info, err := os.Stat(filepath.Join(p.cmd.Dir, "tokens.json"))
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("the tokens have mode %v", info.Mode())
	}
	p.ends()
}

// TestCLIEndsByCtrlC: also while it waits for what nobody pastes.
func TestCLIEndsByCtrlC(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted on Windows")
	}
	p := start(t, "cli")
	p.line("Open this address")
	if err := p.cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	late := time.AfterFunc(time.Minute, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	p.ends()
}

func TestDevice(t *testing.T) {
	p := start(t, "device")
	where := p.line("Open ")
	code := p.line("Code ")
	if both := p.line("Both "); both != where+"?user_code="+code {
		t.Errorf("got %s, want %s and %s", both, where, code)
	}
	if status, body, _ := get(t, browser(t), where+"?user_code="+code); status != 200 {
		t.Errorf("got %d: %s", status, body)
	}
	if name := p.line("Hello "); name != "Alice Liddell" {
		t.Errorf("got %s", name)
	}
	p.ends()
}

func TestService(t *testing.T) {
	p := start(t, "service")
	for range 3 {
		p.line("hello client-")
	}
	if n := p.line("3 calls, "); n != "1 token" {
		t.Errorf("got %s", n)
	}
	p.ends()
}

func TestTenants(t *testing.T) {
	origin := start(t, "tenants", "-addr", "127.0.0.1:0").origin()
	_, page, _ := get(t, browser(t), origin)
	if !strings.Contains(page, "/acme") || !strings.Contains(page, "/initech") {
		t.Fatalf("there is no choice of providers: %s", page)
	}
	for _, name := range []string{"acme", "initech"} {
		c := browser(t)
		var issuer string
		for _, word := range strings.FieldsFunc(page, func(r rune) bool { return strings.ContainsRune("\"<> ", r) }) {
			if strings.HasSuffix(word, "/"+name) && strings.HasPrefix(word, "http") {
				issuer = word
			}
		}
		_, body, _ := get(t, c, origin+"/auth/login?issuer="+url.QueryEscape(issuer))
		if !strings.HasSuffix(strings.TrimSpace(body), " of "+name) {
			t.Errorf("got %s", body)
		}
	}
}

func TestFromPyoidc(t *testing.T) {
	p := start(t, "from-pyoidc")
	for _, want := range []string{"Found http", "Registered as ", "Logged in: ", "Hello Alice Liddell"} {
		p.line(want)
	}
	p.ends()
}

func TestFromGoOIDC(t *testing.T) {
	origin := start(t, "from-go-oidc", "-addr", "127.0.0.1:0").origin()
	c := browser(t)
	if status, body, _ := get(t, c, origin); status != 200 || !strings.HasPrefix(body, "hello Alice Liddell, who is alice") {
		t.Errorf("got %d: %s", status, body)
	}
	// The answer is good once, and in the browser that began.
	if status, _, _ := get(t, c, origin+"/callback?code=x&state=y"); status != 400 {
		t.Errorf("got %d", status)
	}
}

// TestEveryExample: each has a test here, a line in the table, a sitting's length.
func TestEveryExample(t *testing.T) {
	tests, err := os.ReadFile("examples_test.go")
	if err != nil {
		t.Fatal(err)
	}
	table, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	dirs, err := filepath.Glob("*/main.go")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no example: %v", err)
	}
	for _, file := range dirs {
		name := filepath.ToSlash(filepath.Dir(file))
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if n := bytes.Count(text, []byte("\n")); n > maxLines {
			t.Errorf("%s has %d lines, more than %d", name, n, maxLines)
		}
		if !bytes.Contains(tests, []byte(`start(t, "`+name+`"`)) {
			t.Errorf("no test runs %s", name)
		}
		if !bytes.Contains(table, []byte("[`"+name+"`]("+name+")")) {
			t.Errorf("README.md does not name %s", name)
		}
	}
}

// TestNoExampleWaitsForEver: what is copied to production has a bound on every call.
func TestNoExampleWaitsForEver(t *testing.T) {
	programs, err := filepath.Glob("*/*.go")
	if err != nil || len(programs) == 0 {
		t.Fatalf("%d programs, %v", len(programs), err)
	}
	for _, name := range programs {
		code, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, unbounded := range []string{"http.DefaultClient.", "http.Get(", "http.Post(", "http.PostForm(", "http.Head(", "http.ListenAndServe("} {
			if bytes.Contains(code, []byte(unbounded)) {
				t.Errorf("%s calls %s without a timeout", name, strings.TrimRight(unbounded, ".("))
			}
		}
	}
}
