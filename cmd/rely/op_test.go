package main

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestOp starts the development OP as a process, logs in at it with another, and
// stops it as a user does.
func TestOp(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a process cannot be interrupted on Windows")
	}
	t.Parallel()
	rely, err := exec.LookPath("rely")
	if err != nil {
		t.Fatal(err) // testscript.Main puts it there
	}
	dir := t.TempDir()
	users := filepath.Join(dir, "users.json")
	people := `[{"username": "zoë", "name": "Zoë Washburne", "email": "zoe@example.com", "email_verified": true, "rank": {"level": 2}}]`
	if err := os.WriteFile(users, []byte(people), 0o600); err != nil {
		t.Fatal(err)
	}
	env := append(os.Environ(), "RELY_HOME="+filepath.Join(dir, "home"), "RELY_KEYCHAIN=off", "RELY_BROWSER=browser", "BROWSER_LOG="+filepath.Join(dir, "browser.log"))

	op := exec.Command(rely, "op", "--json", "--users", users)
	op.Env = env
	out, err := op.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	logs, err := op.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = op.Process.Kill() })
	var started struct {
		Issuer string   `json:"issuer"`
		CAFile string   `json:"ca_file"`
		Users  []string `json:"users"`
	}
	if err := json.NewDecoder(bufio.NewReader(out)).Decode(&started); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(started.Issuer)
	if err != nil || u.Scheme != "https" {
		t.Fatalf("the issuer is %q, want https (%v)", started.Issuer, err)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		t.Fatalf("the issuer is %q, want a loopback address", started.Issuer)
	}
	if len(started.Users) != 1 || started.Users[0] != "zoë" {
		t.Fatalf("the users are %q", started.Users)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(rely, args...)
		cmd.Env = append(env, "CA="+started.CAFile)
		b, err := cmd.Output()
		if err != nil {
			t.Fatalf("rely %s: %v\n%s", strings.Join(args, " "), err, b)
		}
		return string(b)
	}
	run("login", started.Issuer, "--ca-file", started.CAFile)
	// The profile remembers what the login allowed.
	info := run("userinfo", "--json")
	for _, want := range []string{`"Zoë Washburne"`, `"level"`, `"email_verified": true`} {
		if !strings.Contains(info, want) {
			t.Errorf("UserInfo lacks %s:\n%s", want, info)
		}
	}
	token := strings.TrimSpace(run("token"))
	if err := op.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(logs)
	if err != nil {
		t.Fatal(err)
	}
	if err := op.Wait(); err != nil {
		t.Fatalf("Ctrl-C: %v, want exit code 0", err)
	}
	if !strings.Contains(string(text), `"endpoint":"token"`) || !strings.Contains(string(text), "[redacted]") {
		t.Errorf("the log lacks the token request:\n%s", text)
	}
	if strings.Contains(string(text), token) || strings.Contains(string(text), "code-") {
		t.Errorf("the log holds a secret:\n%s", text)
	}
}
