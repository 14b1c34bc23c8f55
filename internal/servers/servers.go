// Package servers starts Redis and PostgreSQL for tests and measurements, each
// on a free port of 127.0.0.1, in a folder of its own, and of nobody's data.
package servers

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// patience is how long a server may take to answer: the machine may be busy.
const patience = 60 * time.Second

// maxLog bounds what is kept of a server's own words, in bytes.
const maxLog = 64 << 10

// ErrMissing: the program is not installed.
var ErrMissing = errors.New("it is not installed")

// Server is a server that runs, or was killed and may be started again.
type Server struct {
	url     string
	port    int
	dir     string // removed by Close
	command func() *exec.Cmd
	ready   func(ctx context.Context) error
	cmd     *exec.Cmd
	log     words
}

// Redis starts a Redis or Valkey with further arguments, such as "--appendonly",
// "yes". Without a server installed the error is ErrMissing.
func Redis(ctx context.Context, args ...string) (*Server, error) {
	bin, err := look("redis-server", "valkey-server")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "rely-redis")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	if s.port, err = freePort(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.url = "redis://127.0.0.1:" + strconv.Itoa(s.port)
	all := append([]string{"--port", strconv.Itoa(s.port), "--bind", "127.0.0.1", "--save", "", "--dir", dir}, args...)
	s.command = func() *exec.Cmd { return exec.Command(bin, all...) }
	s.ready = s.pong
	return s, s.Start(ctx)
}

// PostgreSQL makes a cluster of databases and starts it. Without a server
// installed the error is ErrMissing.
func PostgreSQL(ctx context.Context) (*Server, error) {
	bin, err := postgresBin()
	if err != nil {
		return nil, err
	}
	// Its path must be short enough for a socket, and open to the user that the
	// server runs as.
	dir, err := os.MkdirTemp("", "rely-pg")
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir}
	data := filepath.Join(dir, "data")
	run, err := unprivileged(dir)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if out, err := run(filepath.Join(bin, "initdb"), "-D", data, "-U", "rely", "-A", "trust", "-N", "-E", "UTF8", "--locale=C").CombinedOutput(); err != nil {
		return nil, errors.Join(fmt.Errorf("initdb: %w: %s", err, out), s.Close())
	}
	if s.port, err = freePort(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	s.url = fmt.Sprintf("postgres://rely@127.0.0.1:%d/postgres?sslmode=disable", s.port)
	s.command = func() *exec.Cmd {
		_ = os.Remove(filepath.Join(data, "postmaster.pid")) // of one that was killed
		return run(filepath.Join(bin, "postgres"), "-D", data, "-p", strconv.Itoa(s.port), "-k", dir,
			"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=60")
	}
	s.ready = func(ctx context.Context) error {
		return exec.CommandContext(ctx, filepath.Join(bin, "pg_isready"), "-q", "-h", "127.0.0.1", "-p", strconv.Itoa(s.port)).Run()
	}
	return s, s.Start(ctx)
}

// URL is what a store opens.
func (s *Server) URL() string { return s.url }

// Start starts the server after Kill, and waits until it answers. What cannot be
// started is closed.
func (s *Server) Start(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.cmd = s.command()
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return errors.Join(err, s.Close())
	}
	for {
		err := s.ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(20 * time.Millisecond): // another process; no clock of ours moves it
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the server does not answer: %w: %s", err, s.log.String()), s.Close())
		}
	}
}

// Kill ends the server at once, as a failing machine does. Its data stays.
func (s *Server) Kill() {
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended by itself
		_ = s.cmd.Wait()         // it was killed
		s.cmd = nil
	}
}

// Close kills the server and removes what it kept.
func (s *Server) Close() error {
	s.Kill()
	return os.RemoveAll(s.dir)
}

// pong asks a Redis whether it is there.
func (s *Server) pong(ctx context.Context) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", "127.0.0.1:"+strconv.Itoa(s.port))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := conn.Write([]byte("PING\r\n")); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err == nil && !strings.HasPrefix(line, "+PONG") {
		err = fmt.Errorf("it says %q", line)
	}
	return err
}

// look finds the first program that is there.
func look(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s: %w", strings.Join(names, " or "), ErrMissing)
}

// postgresBin finds the folder of initdb and postgres, which Debian keeps out of
// the PATH.
func postgresBin() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1]), nil
	}
	path, err := look("initdb")
	return filepath.Dir(path), err
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// TB is what Redis and PostgreSQL of a test need of testing.TB.
type TB interface {
	Helper()
	Context() context.Context
	Cleanup(f func())
	Fatal(args ...any)
	Skip(args ...any)
}

// For is the server of a test, closed with it: servers.For(t, servers.PostgreSQL).
// Where it is not installed the test is skipped, and with RELY_REQUIRE=all it
// fails.
func For(t TB, start func(ctx context.Context) (*Server, error)) *Server {
	t.Helper()
	s, err := start(t.Context())
	if errors.Is(err, ErrMissing) && os.Getenv("RELY_REQUIRE") != "all" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // what is left is in a folder of temporary files
	return s
}

// words keeps the first maxLog bytes of what is written.
type words struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// Write implements io.Writer.
func (l *words) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.buf = append(l.buf, p[:min(len(p), maxLog-len(l.buf))]...)
	return len(p), nil
}

func (l *words) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.buf)
}
