package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/store"
	"rely.example/store/storetest"
)

// clock is a clock that tests move.
type clock struct{ nanos atomic.Int64 }

func newClock() *clock {
	c := new(clock)
	c.nanos.Store(time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano())
	return c
}

func (c *clock) now() time.Time          { return time.Unix(0, c.nanos.Load()) }
func (c *clock) advance(d time.Duration) { c.nanos.Add(int64(d)) }

// open opens a store that is closed when the test ends.
func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return s
}

// sqliteURL is the URL of a new file.
func sqliteURL(t testing.TB) string { return "sqlite:" + filepath.Join(t.TempDir(), "rely.db") }

// record is a session as it is kept: a sealed value, two tags, hashed names.
func record(i int, expires time.Time) store.Record {
	name := fmt.Sprintf("%043d", i)
	return store.Record{Key: "grant:" + name, Value: []byte(strings.Repeat("v", 400)), Tags: []string{"sub:" + name, "sid:" + name}, Expires: expires}
}

// races is how many goroutines race: enough to meet, few enough for the detector.
func races() int {
	if raceEnabled() {
		return 100
	}
	return 1000
}

func TestSQLite(t *testing.T) {
	// Not one file to a case: opening takes longer than most of them.
	url := sqliteURL(t)
	one, two := open(t, url), open(t, url)
	c := newClock()
	one.Now, two.Now = c.now, c.now
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		t.Cleanup(func() { wantNoLooseTags(t, one) })
		return storetest.Subject{Store: one, Another: two, Now: c.now, Advance: c.advance, Goroutines: races()}
	})
}

// The clock that nobody moves, in the cases that have to do with it.
func TestSQLiteByTheClock(t *testing.T) {
	s := open(t, sqliteURL(t))
	byTheClock(t, s)
}

func byTheClock(t *testing.T, s *Store) {
	for _, name := range []string{"Expiry", "ExpiryMoves", "ExpiryOfLeases", "ExpiryPast", "ReplaceNeverRevives"} {
		results := storetest.Check(t.Context(), storetest.Subject{Store: s, Skew: 200 * time.Millisecond, Only: name})
		if len(results) != 1 {
			t.Fatalf("%s ran %d times", name, len(results))
		}
		if results[0].Err != nil {
			t.Errorf("%s: %v", name, results[0].Err)
		}
	}
}

// wantNoLooseTags asserts that the triggers lead from each tag of each row to
// that row, and from nothing else.
func wantNoLooseTags(t *testing.T, s *Store) {
	t.Helper()
	var loose, records, listed int
	err := s.read.QueryRow(`SELECT
		(SELECT count(*) FROM rely_tags WHERE record NOT IN (SELECT id FROM rely_records)),
		(SELECT coalesce(sum(length(tags) - length(replace(tags, ' ', '')) + 1), 0) FROM rely_records WHERE tags <> ''),
		(SELECT count(*) FROM rely_tags)`).Scan(&loose, &records, &listed)
	if err != nil {
		t.Fatal(err)
	}
	if loose != 0 || records != listed {
		t.Errorf("%d tags lead to no record; records have %d tags, listed are %d", loose, records, listed)
	}
}

func TestSQLiteURLs(t *testing.T) {
	dir := t.TempDir()
	for name, tc := range map[string]struct {
		url  string
		file string
	}{
		"one slash":      {"sqlite:" + dir + "/one.db", "one.db"},
		"three slashes":  {"sqlite://" + dir + "/three.db", "three.db"},
		"full":           {"sqlite:" + dir + "/full.db?synchronous=full", "full.db"},
		"normal":         {"sqlite:" + dir + "/normal.db?synchronous=normal", "normal.db"},
		"odd characters": {"sqlite:" + dir + "/a%20b%3fc%25d%23.db", "a b?c%d#.db"},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, tc.url)
			if _, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour))); err != nil {
				t.Fatal(err)
			}
			for _, suffix := range []string{"", "-wal"} {
				info, err := os.Stat(filepath.Join(dir, tc.file+suffix))
				if err != nil {
					t.Fatal(err)
				}
				if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
					t.Errorf("%s has mode %v, want 0600", info.Name(), info.Mode())
				}
			}
			var synchronous int
			if err := s.write.QueryRow("PRAGMA synchronous").Scan(&synchronous); err != nil {
				t.Fatal(err)
			}
			if want := map[bool]int{true: 1, false: 2}[name == "normal"]; synchronous != want {
				t.Errorf("synchronous is %d, want %d", synchronous, want)
			}
		})
	}
}

func TestURLsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ url, want string }{
		"no scheme":            {"rely-hunter2.db", "begins with neither"},
		"another database":     {"mysql://user:hunter2@host/db", "begins with neither"},
		"no path":              {"sqlite:", "names no SQLite file"},
		"memory":               {"sqlite::memory:", "memstore"},
		"an unknown option":    {"sqlite:x.db?mode=memory", `option "mode"`},
		"an unknown value":     {"sqlite:x.db?synchronous=off", `synchronous="off"`},
		"a bad escape":         {"sqlite:x%zz.db", "percent-encoded"},
		"a bad query":          {"sqlite:x.db?a;b=%", "not a query"},
		"no folder":            {"sqlite:" + filepath.Join(t.TempDir(), "none", "x.db"), "folder"},
		"a folder":             {"sqlite:" + t.TempDir(), "cannot be read and written"},
		"PostgreSQL, bad port": {"postgres://user:hunter2@host:port/db", "cannot be understood"},
		"PostgreSQL, bad URL":  {"postgres://user:hunter2@ho st/%zz", "cannot be understood"},
		"PostgreSQL, bad TLS":  {"postgres://user:hunter2@host/db?sslmode=perhaps", "cannot be understood"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tc.url)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "sqlstore: ") {
				t.Errorf("got %q, want %q in it and no password", err, tc.want)
			}
		})
	}
}

func TestNewOfNoDialect(t *testing.T) {
	if _, err := New(t.Context(), nil, Dialect(7)); err == nil || !strings.Contains(err.Error(), "Dialect(7)") {
		t.Errorf("got %v", err)
	}
	if s := fmt.Sprint(SQLite, PostgreSQL); s != "SQLite PostgreSQL" {
		t.Errorf("the dialects are called %s", s)
	}
}

// A store in the caller's database works alike, and Close leaves that open.
func TestNewInTheCallersDatabase(t *testing.T) {
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "app.db")+"?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	s, err := New(t.Context(), db, SQLite)
	if err != nil {
		t.Fatal(err)
	}
	for _, res := range storetest.Check(t.Context(), storetest.Subject{Store: s, Skew: 200 * time.Millisecond, Goroutines: 50}) {
		if res.Err != nil {
			t.Errorf("%s: %v", res.Name, res.Err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := db.PingContext(t.Context()); err != nil {
		t.Errorf("after Close of the store the database answers %v", err)
	}
}

func TestSQLiteMigratesOnce(t *testing.T) {
	url := sqliteURL(t)
	var wg sync.WaitGroup
	errs := make(chan error, 16)
	for range 16 {
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
}

// wantOneMigration asserts that each step was taken once, and that tables of a
// later version are refused.
func wantOneMigration(t *testing.T, s *Store, url string) {
	t.Helper()
	var steps, version int
	if err := s.read.QueryRow(`SELECT count(*), max(version) FROM rely_schema`).Scan(&steps, &version); err != nil {
		t.Fatal(err)
	}
	if steps != version || version != len(sqliteMigrations) || version != len(postgresMigrations) {
		t.Errorf("%d steps lead to version %d", steps, version)
	}
	if _, err := s.write.Exec(`INSERT INTO rely_schema VALUES (99)`); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), url)
	if err == nil || !strings.Contains(err.Error(), "version 99") {
		t.Errorf("tables of a later version: got %v", err)
	}
	if _, err := s.write.Exec(`DELETE FROM rely_schema WHERE version = 99`); err != nil {
		t.Fatal(err)
	}
}

func TestSQLiteCorruptRows(t *testing.T) {
	s := open(t, sqliteURL(t))
	corruptRows(t, s, []string{
		`UPDATE rely_records SET rev = 0 WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET rev = -5 WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET expires = 9007199254740993000 WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET tags = 'a  b' WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET tags = 'a a' WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET tags = char(7) WHERE key = 'grant:bad'`,
		`UPDATE rely_records SET value = zeroblob(1048577) WHERE key = 'grant:bad'`,
	})
}

// corruptRows damages one of two records in each of the ways.
func corruptRows(t *testing.T, s *Store, damages []string) {
	ctx := t.Context()
	expires := time.Now().Add(time.Hour)
	good, err := s.Create(ctx, store.Record{Key: "grant:good", Value: []byte("v"), Tags: []string{"t"}, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	for _, damage := range damages {
		if err := s.Delete(ctx, "grant:bad"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Create(ctx, store.Record{Key: "grant:bad", Value: []byte("v"), Tags: []string{"t"}, Expires: expires}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.write.Exec(damage); err != nil {
			t.Fatalf("%s: %v", damage, err)
		}
		_, loadErr := s.Load(ctx, "grant:bad")
		_, takeErr := s.Take(ctx, "grant:bad")
		for what, err := range map[string]error{"Load": loadErr, "Take": takeErr} {
			if err == nil || !strings.Contains(err.Error(), "damaged") || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) {
				t.Errorf("%s after %s: got %v", what, damage, err)
			}
		}
		if got, err := s.Load(ctx, "grant:good"); err != nil || got.Rev != good.Rev {
			t.Errorf("after %s the other record: %v", damage, err)
		}
		if keys, err := s.Tagged(ctx, "t"); err != nil || len(keys) != 1 {
			t.Errorf("after %s the tag lists %q, %v", damage, keys, err)
		}
	}
}

func TestSQLiteFull(t *testing.T) {
	ctx := t.Context()
	s := open(t, sqliteURL(t))
	expires := time.Now().Add(time.Hour)
	kept, err := s.Create(ctx, record(0, expires))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.write.Exec(`PRAGMA max_page_count = 40`); err != nil {
		t.Fatal(err)
	}
	var full error
	var last string
	for i := 1; i < 10_000 && full == nil; i++ {
		rec := record(i, expires)
		if _, full = s.Create(ctx, rec); full == nil {
			last = rec.Key
		} else if _, err := s.Load(ctx, rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("what could not be kept: %v", err)
		}
	}
	if full == nil || !strings.Contains(full.Error(), "full") || errors.Is(full, store.ErrTooLarge) || errors.Is(full, store.ErrConflict) {
		t.Fatalf("a full database: got %v", full)
	}
	if got, err := s.Load(ctx, kept.Key); err != nil || got.Rev != kept.Rev {
		t.Errorf("what was kept before: %v", err)
	}
	wantNoLooseTags(t, s)
	// Room is made by what goes, and then it works again.
	for range 20 {
		if err := s.Delete(ctx, last); err != nil {
			t.Fatalf("Delete in a full database: %v", err)
		}
		if _, err := s.Create(ctx, store.Record{Key: "grant:new", Value: []byte("v"), Expires: expires}); err != nil {
			t.Fatalf("after room was made: %v", err)
		}
		if _, err := s.Take(ctx, "grant:new"); err != nil {
			t.Fatal(err)
		}
	}
}

func TestSQLiteNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "rely.db")
	if err := os.WriteFile(path, []byte(strings.Repeat("this is no database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), "sqlite:"+path); err == nil || !strings.Contains(err.Error(), "not a database") {
		t.Errorf("got %v", err)
	}
}

// What expired goes as others write, a bounded number of rows with each.
func TestSweep(t *testing.T) {
	c := newClock()
	s := open(t, sqliteURL(t)+"?synchronous=normal")
	s.Now = c.now
	sweeps(t, s, c)
	wantNoLooseTags(t, s)
}

func sweeps(t *testing.T, s *Store, c *clock) {
	ctx := t.Context()
	rows := func() (n int) {
		if err := s.read.QueryRow(`SELECT count(*) FROM rely_records`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	const n = 160
	for i := range n {
		if _, err := s.Create(ctx, record(i, c.now().Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
	}
	if got := rows(); got != n {
		t.Fatalf("%d rows, want %d: what lives was swept", got, n)
	}
	c.advance(2 * time.Minute)
	for i := range n / 2 {
		before := rows()
		if _, err := s.Create(ctx, record(1000+i, c.now().Add(time.Minute))); err != nil {
			t.Fatal(err)
		}
		if gone := before + 1 - rows(); gone > sweepMost {
			t.Errorf("one call removed %d rows", gone)
		}
	}
	if got := rows(); got != n/2 {
		t.Errorf("%d rows after %d writes, want %d", got, n/2, n/2)
	}
	c.advance(2 * time.Minute)
	for want := n / 2; want >= 0; want -= sweepMost {
		if got, err := s.Sweep(ctx); err != nil || got != min(want, sweepMost) {
			t.Errorf("Sweep returns %d, %v, want %d", got, err, min(want, sweepMost))
		}
	}
	if got := rows(); got != 0 {
		t.Errorf("%d rows are left", got)
	}
}

// A writer elsewhere is waited for as long as the context lets, and not longer.
func TestSQLiteLockedElsewhere(t *testing.T) {
	url := sqliteURL(t)
	s, other := open(t, url), open(t, url)
	kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := other.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err = s.Replace(ctx, kept)
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
		t.Errorf("behind a lock for 100 ms: got %v after %v", err, time.Since(start))
	}
	if _, err := s.Load(t.Context(), kept.Key); err != nil {
		t.Errorf("a read beside a writer: %v", err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := s.Replace(t.Context(), kept)
		done <- err
	}()
	if _, err := conn.ExecContext(t.Context(), `COMMIT`); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("after the lock was released: %v", err)
	}
}

func TestUseAfterClose(t *testing.T) {
	s, err := Open(t.Context(), sqliteURL(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
	if _, err := s.Load(t.Context(), "k"); err == nil || errors.Is(err, store.ErrNotFound) {
		t.Errorf("Load of a closed store: %v", err)
	}
}

func TestHostileShutdown(t *testing.T) {
	t.Run("320_shutdown_in_mid_flight", func(t *testing.T) {
		url := sqliteURL(t)
		s, err := Open(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		const n = 50
		var acknowledged [n]bool
		first := make(chan struct{}, n)
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				_, err := s.Create(t.Context(), record(i, time.Now().Add(time.Hour)))
				acknowledged[i] = err == nil
				first <- struct{}{}
			})
		}
		<-first
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Errorf("Close: %v", err)
		}
		wg.Wait()
		s = open(t, url)
		for i, ok := range acknowledged {
			if _, err := s.Load(t.Context(), record(i, time.Time{}).Key); ok && err != nil {
				t.Errorf("%d was acknowledged: %v", i, err)
			}
		}
	})
}
