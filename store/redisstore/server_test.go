package redisstore

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/rueidis"
)

// server is a Redis or Valkey of the test's own, on a port of its own.
type server struct {
	bin  string
	dir  string
	port int
	args []string
	cmd  *exec.Cmd
	log  bytes.Buffer
}

// find returns the path of the first program that is there, or skips the test.
func find(t testing.TB, names ...string) string {
	t.Helper()
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("RELY_REQUIRE") == "all" {
		t.Fatalf("RELY_REQUIRE=all and there is none of %q", names)
	}
	t.Skipf("there is none of %q", names)
	return ""
}

// startRedis starts a server that ends with the test, or skips it.
func startRedis(t testing.TB, args ...string) *server {
	t.Helper()
	s := &server{bin: find(t, "redis-server", "valkey-server"), dir: t.TempDir(), port: freePort(t), args: args}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// freePort returns a port that is free, and so is the one 10000 above, by which
// nodes of a cluster talk.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if port+10000 > 65535 {
			// The system hands out high ports as a rule; half of one is still free
			// for whoever asks by number.
			port -= 20000
		}
		ok := true
		for _, p := range []int{port, port + 10000} {
			l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(p))
			if err != nil {
				ok = false
				continue
			}
			l.Close()
		}
		if ok {
			return port
		}
	}
	t.Fatal("there is no free pair of ports")
	return 0
}

func (s *server) start(t testing.TB) {
	t.Helper()
	args := s.args
	if len(args) == 0 || !strings.HasSuffix(args[0], ".conf") {
		args = append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", s.dir}, args...)
	}
	s.cmd = exec.Command(s.bin, args...)
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second)
	for {
		client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr()}, ForceSingleClient: true, DisableCache: true, DisableRetry: true})
		if err == nil {
			err = client.Do(t.Context(), client.B().Ping().Build()).Error()
			client.Close()
		}
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			s.kill()
			t.Fatalf("the server does not answer: %v\n%s", err, s.log.String())
		}
		pause(t.Context(), 10*time.Millisecond)
	}
}

func (s *server) kill() {
	if s.cmd != nil {
		s.cmd.Process.Kill()
		s.cmd.Wait()
		s.cmd = nil
	}
}

func (s *server) addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

func (s *server) url() string { return "redis://" + s.addr() }

// do sends one command by itself.
func (s *server) do(t testing.TB, args ...string) string {
	t.Helper()
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{s.addr()}, ForceSingleClient: true, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	any, err := client.Do(t.Context(), client.B().Arbitrary(args...).Build()).ToAny()
	if err != nil {
		t.Fatalf("%q: %v", args, err)
	}
	return fmt.Sprint(any)
}

// startCluster starts three masters that share the slots.
func startCluster(t testing.TB) []*server {
	t.Helper()
	cli := find(t, "redis-cli", "valkey-cli")
	var nodes []*server
	args := []string{"--cluster", "create"}
	for range 3 {
		s := startRedis(t, "--cluster-enabled", "yes")
		nodes = append(nodes, s)
		args = append(args, s.addr())
	}
	if out, err := exec.Command(cli, append(args, "--cluster-yes")...).CombinedOutput(); err != nil {
		t.Fatalf("making the cluster: %v\n%s", err, out)
	}
	deadline := time.Now().Add(30 * time.Second)
	for _, s := range nodes {
		for !strings.Contains(s.do(t, "cluster", "info"), "cluster_state:ok") {
			if time.Now().After(deadline) {
				t.Fatalf("the cluster does not come up:\n%s", s.log.String())
			}
			pause(t.Context(), 20*time.Millisecond)
		}
	}
	return nodes
}

// startSentinel starts a sentinel that watches a master.
func startSentinel(t testing.TB, master *server) *server {
	t.Helper()
	s := &server{bin: master.bin, dir: t.TempDir(), port: freePort(t)}
	conf := filepath.Join(s.dir, "sentinel.conf")
	text := fmt.Sprintf("port %d\nbind 127.0.0.1\ndir %s\nsentinel monitor house 127.0.0.1 %d 1\nsentinel down-after-milliseconds house 500\nsentinel failover-timeout house 3000\n", s.port, s.dir, master.port)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = []string{conf, "--sentinel"}
	s.start(t)
	t.Cleanup(s.kill)
	return s
}

// pause waits for another process, which no clock of a test moves.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
