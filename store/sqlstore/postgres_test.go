package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/internal/servers"
	"rely.example/store"
	"rely.example/store/storetest"
)

// server is a PostgreSQL of the test's own, on a port of its own.
type server struct {
	*servers.Server
	port int
}

// startPostgreSQL starts a server that ends with the test, or skips it.
func startPostgreSQL(t testing.TB) *server {
	t.Helper()
	s := &server{Server: servers.For(t, servers.PostgreSQL)}
	u, err := url.Parse(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	if s.port, err = strconv.Atoi(u.Port()); err != nil {
		t.Fatal(err)
	}
	return s
}

func freePort(t testing.TB) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// start starts the server after kill.
func (s *server) start(t testing.TB) {
	t.Helper()
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// kill ends the server and all that it started at once, as a failing machine
// does. Its backends notice that it is gone.
func (s *server) kill() { s.Kill() }

func (s *server) url() string { return strings.Replace(s.URL(), "rely@", "rely:hunter2@", 1) }

// fresh returns the URL of the same database with a schema that is empty.
func (s *server) fresh(t testing.TB) string {
	t.Helper()
	schema := "s" + strconv.FormatInt(time.Now().UnixNano(), 36)
	db, err := sql.Open("pgx", s.url())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "CREATE SCHEMA "+schema); err != nil {
		t.Fatal(err)
	}
	return s.url() + "&search_path=" + schema
}

// pause waits for another process, which no clock of a test moves.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func TestPostgreSQL(t *testing.T) {
	pg := startPostgreSQL(t)
	t.Run("contract", func(t *testing.T) {
		url := pg.fresh(t)
		one, two := open(t, url), open(t, url)
		c := newClock()
		one.Now, two.Now = c.now, c.now
		storetest.Run(t, func(t *testing.T) storetest.Subject {
			return storetest.Subject{Store: one, Another: two, Now: c.now, Advance: c.advance, Goroutines: races()}
		})
	})
	t.Run("by the clock of the database", func(t *testing.T) { byTheClock(t, open(t, pg.fresh(t))) })
	t.Run("serializable by default", func(t *testing.T) {
		s := open(t, pg.fresh(t)+"&default_transaction_isolation=serializable")
		for _, res := range storetest.Check(t.Context(), storetest.Subject{Store: s, Skew: 200 * time.Millisecond, Goroutines: 40}) {
			if res.Err != nil {
				t.Errorf("%s: %v", res.Name, res.Err)
			}
		}
	})
	t.Run("in the caller's database", func(t *testing.T) {
		db, err := sql.Open("pgx", pg.fresh(t))
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		s, err := New(t.Context(), db, PostgreSQL)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour))); err != nil {
			t.Error(err)
		}
		if err := errors.Join(s.Close(), db.PingContext(t.Context())); err != nil {
			t.Error(err)
		}
	})
	t.Run("migrates once", func(t *testing.T) {
		url := pg.fresh(t)
		var wg sync.WaitGroup
		errs := make(chan error, 8)
		for range 8 {
			wg.Go(func() {
				s, err := Open(t.Context(), url)
				if err == nil {
					err = s.Close()
				}
				errs <- err
			})
		}
		wg.Wait()
		close(errs)
		for err := range errs {
			if err != nil {
				t.Error(err)
			}
		}
		wantOneMigration(t, open(t, url), url)
	})
	t.Run("corrupt rows", func(t *testing.T) {
		corruptRows(t, open(t, pg.fresh(t)), []string{
			`UPDATE rely_records SET rev = 0 WHERE key = 'grant:bad'`,
			`UPDATE rely_records SET expires = 9007199254740993000 WHERE key = 'grant:bad'`,
			`UPDATE rely_records SET tags = '{a,"",b}' WHERE key = 'grant:bad'`,
			`UPDATE rely_records SET tags = '{a,a}' WHERE key = 'grant:bad'`,
			`UPDATE rely_records SET value = convert_to(repeat('x', 1048577), 'UTF8') WHERE key = 'grant:bad'`,
		})
	})
	t.Run("sweep", func(t *testing.T) {
		c := newClock()
		s := open(t, pg.fresh(t))
		s.Now = c.now
		sweeps(t, s, c)
	})
}

func TestHostile(t *testing.T) {
	pg := startPostgreSQL(t)
	t.Run("311_slow_store", func(t *testing.T) {
		p := startProxy(t, pg.port)
		s := open(t, strings.Replace(pg.fresh(t), strconv.Itoa(pg.port), strconv.Itoa(p.port), 1))
		kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		p.hold.Store(true)
		for range 10 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_, loadErr := s.Load(ctx, kept.Key)
			_, replaceErr := s.Replace(ctx, kept)
			cancel()
			for what, err := range map[string]error{"Load": loadErr, "Replace": replaceErr} {
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 5*time.Second {
					t.Errorf("%s: got %v after %v", what, err, time.Since(start))
				}
			}
		}
		p.hold.Store(false)
		if _, err := s.Load(t.Context(), kept.Key); err != nil {
			t.Errorf("once it answers again: %v", err)
		}
		// What is given up is closed in the background, within a while.
		deadline := time.Now().Add(30 * time.Second)
		for p.conns.Load() > postgresConns || runtime.NumGoroutine() > before+2*int(p.conns.Load())+8 {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines, %d before; %d connections", runtime.NumGoroutine(), before, p.conns.Load())
			}
			pause(t.Context(), 20*time.Millisecond)
		}
	})
	t.Run("313_pool_of_dead_sockets", func(t *testing.T) {
		s := open(t, pg.fresh(t))
		kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		fill := func() {
			var wg sync.WaitGroup
			for range 4 * postgresConns {
				wg.Go(func() { s.Load(t.Context(), kept.Key) })
			}
			wg.Wait()
		}
		fill()
		pg.kill()
		if _, err := s.Load(t.Context(), kept.Key); err == nil || errors.Is(err, store.ErrNotFound) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("Load without a server: %v", err)
		}
		pg.start(t)
		if _, err := s.Load(t.Context(), kept.Key); err != nil {
			t.Errorf("the first Load after a restart: %v", err)
		}
		// A write, of which nobody can know whether it was done, may fail once.
		fill()
		pg.kill()
		pg.start(t)
		if kept, err = s.Replace(t.Context(), kept); err != nil {
			if kept, err = s.Load(t.Context(), record(1, time.Time{}).Key); err != nil {
				t.Fatalf("the Load after a Replace that failed: %v", err)
			}
			if kept, err = s.Replace(t.Context(), kept); err != nil {
				t.Errorf("the first retry after a restart: %v", err)
			}
		}
		for range 2 * postgresConns {
			if kept, err = s.Replace(t.Context(), kept); err != nil {
				t.Fatalf("later: %v", err)
			}
		}
	})
	t.Run("318_clock_of_one_instance_off", func(t *testing.T) {
		// Who is ten minutes ahead writes a record that ends, by its own clock,
		// in five minutes; for all, and for it, that is in fifteen.
		url := pg.fresh(t)
		here, there := open(t, url), open(t, url)
		rec := record(1, time.Now().Add(10*time.Minute+5*time.Minute))
		kept, err := there.Create(t.Context(), rec)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{here, there} {
			if got, err := s.Load(t.Context(), rec.Key); err != nil || !got.Expires.Equal(kept.Expires) {
				t.Errorf("got %v, %v", got.Expires, err)
			}
		}
		if _, err := here.Create(t.Context(), rec); !errors.Is(err, store.ErrConflict) {
			t.Errorf("a lease that another clock holds: %v", err)
		}
		// Ten minutes behind: it has ended for all before it began.
		rec = record(2, time.Now().Add(-10*time.Minute+5*time.Minute))
		if _, err := there.Create(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{here, there} {
			if _, err := s.Load(t.Context(), rec.Key); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("what ended: %v", err)
			}
		}
	})
}

func TestPostgreSQLUnreachable(t *testing.T) {
	port := freePort(t)
	_, err := Open(t.Context(), fmt.Sprintf("postgres://rely:hunter2@127.0.0.1:%d/postgres?sslmode=disable", port))
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "refused") {
		t.Errorf("got %v", err)
	}
}

// proxy stands between a store and its server, and can hold what that answers.
type proxy struct {
	port  int
	hold  atomic.Bool
	conns atomic.Int32
}

func startProxy(t *testing.T, to int) *proxy {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	p := &proxy{port: l.Addr().(*net.TCPAddr).Port}
	var wg sync.WaitGroup
	t.Cleanup(func() {
		cancel()
		l.Close()
		wg.Wait()
	})
	wg.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", to))
			if err != nil {
				in.Close()
				continue
			}
			p.conns.Add(1)
			stop := context.AfterFunc(ctx, func() { in.Close(); out.Close() })
			wg.Go(func() {
				defer p.conns.Add(-1)
				defer stop()
				defer in.Close()
				var answers sync.WaitGroup
				answers.Go(func() {
					defer in.Close()
					p.copy(ctx, in, out)
				})
				io.Copy(out, in)
				out.Close()
				answers.Wait()
			})
		}
	})
	return p
}

// copy passes bytes on, unless they are held.
func (p *proxy) copy(ctx context.Context, to io.Writer, from io.Reader) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		for p.hold.Load() && ctx.Err() == nil {
			pause(ctx, 5*time.Millisecond)
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}
