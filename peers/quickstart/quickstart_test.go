package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"rely.example/internal/servers"
	"rely.example/oidctest"
	"rely.example/peers/visitor"
)

// line is the one of main.go that says where state is kept.
const line = "Store: new(memstore.Store)"

// kept are the stores: what stands in the place of the line, and of the import of
// package memstore.
func kept() map[string]struct{ with, imported string } {
	return map[string]struct{ with, imported string }{
		"memory": {line, "memstore"},
		// region: stores
		"sqlite":     {`Store: must(sqlstore.Open(context.Background(), "sqlite:"+os.Getenv("STORE")))`, "sqlstore"},
		"postgresql": {`Store: must(sqlstore.Open(context.Background(), os.Getenv("STORE")))`, "sqlstore"},
		"redis":      {`Store: must(redisstore.Open(context.Background(), os.Getenv("STORE")))`, "redisstore"},
		// endregion
	}
}

// where returns what STORE is.
func where(t *testing.T, name string) string {
	switch name {
	case "sqlite":
		return filepath.Join(t.TempDir(), "rely.db")
	case "postgresql":
		return servers.For(t, servers.PostgreSQL).URL()
	case "redis":
		return servers.For(t, func(ctx context.Context) (*servers.Server, error) { return servers.Redis(ctx) }).URL()
	}
	return ""
}

func TestQuickStartIsShort(t *testing.T) {
	text := source(t)
	n := 0
	for _, name := range []string{"app", "must"} {
		_, rest, _ := strings.Cut(text, "// region: "+name+"\n")
		body, _, ok := strings.Cut(rest, "// endregion")
		if !ok {
			t.Fatalf("there is no region %s", name)
		}
		for l := range strings.Lines(body) {
			if strings.TrimSpace(l) != "" {
				n++
			}
		}
	}
	if n == 0 || n > 15 {
		t.Errorf("the program is %d lines, want at most 15", n)
	}
}

func source(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestStores runs the program with each store. Where the store outlives the
// process, so does the session.
func TestStores(t *testing.T) {
	for name, s := range kept() {
		t.Run(name, func(t *testing.T) {
			url := where(t, name)
			program := build(t, s.with, s.imported)
			op, err := oidctest.Start(oidctest.Config{PlainHTTP: true})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = op.Close() })
			addr := freeAddr(t)
			origin := "http://" + addr
			reg := op.AddClient(oidctest.Client{ID: "app", RedirectURIs: []string{origin + "/auth/callback"}})
			env := append(os.Environ(), "ADDR="+addr, "ISSUER="+op.Issuer, "SECRET="+reg.Secret, "KEY="+strings.Repeat("k", 32), "STORE="+url)

			stop := start(t, program, addr, env)
			browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
			v := &visitor.Visitor{Origin: origin, Send: browser.Do, At: op.Browser(), Cookies: map[string]string{}}
			hello := "hello " + op.Users()[0].Sub + "\n"
			if p, err := v.Open(t.Context(), "/page"); err != nil || p.Body != hello {
				t.Fatalf("after the login: %d, %q, %v", p.Status, p.Body, err)
			}
			stop()
			start(t, program, addr, env)
			p, err := v.Fetch(t.Context(), "/page")
			want := http.StatusOK
			if name == "memory" {
				want = http.StatusUnauthorized
			}
			if err != nil || p.Status != want {
				t.Errorf("after a restart: %d, %q, %v; want %d", p.Status, p.Body, err, want)
			}
			if p, err := v.Open(t.Context(), "/page"); err != nil || p.Body != hello {
				t.Errorf("in the end: %d, %q, %v", p.Status, p.Body, err)
			}
		})
	}
}

// build compiles the program with one line changed, and the imports that goes
// with it.
func build(t *testing.T, with, imported string) string {
	t.Helper()
	text := source(t)
	if strings.Count(text, line) != 1 {
		t.Fatalf("main.go does not have the line %q once", line)
	}
	text = strings.Replace(text, line, with, 1)
	text = strings.Replace(text, `"rely.example/store/memstore"`, `"rely.example/store/`+imported+`"`, 1)
	if strings.Contains(with, "context.") {
		text = strings.Replace(text, "import (\n", "import (\n\t\"context\"\n", 1)
	}
	dir := t.TempDir()
	changed, overlay, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "overlay.json"), filepath.Join(dir, "quickstart")
	here, err := filepath.Abs("main.go")
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{here: changed}})
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string][]byte{changed: []byte(text), overlay: replace} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-overlay", overlay, "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs the program until the function that it returns is called, or the
// test ends.
func start(t *testing.T, program, addr string, env []string) (stop func()) {
	t.Helper()
	cmd := exec.Command(program)
	var said strings.Builder
	cmd.Env, cmd.Stdout, cmd.Stderr = env, &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { // ends with the program
		defer close(ended)
		_ = cmd.Wait() // it is killed
	}()
	stop = func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
	}
	t.Cleanup(stop)
	for deadline := time.Now().Add(30 * time.Second); ; {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			return stop
		}
		select {
		case <-ended:
			t.Fatalf("the program ended: %s", said.String())
		case <-time.After(20 * time.Millisecond): // another process, which no clock of a test moves
		}
		if time.Now().After(deadline) {
			t.Fatal(fmt.Errorf("the program does not listen"))
		}
	}
}
