package redisstore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/store"
	"rely.example/store/storetest"
)

// open opens a store that is closed when the test ends.
func open(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// record is a session as it is kept: a sealed value, two tags, hashed names.
func record(i int, expires time.Time) store.Record {
	name := fmt.Sprintf("%043d", i)
	return store.Record{Key: "grant:" + name, Value: []byte(strings.Repeat("v", 400)), Tags: []string{"sub:" + name, "sid:" + name}, Expires: expires}
}

// contract runs the contract over two Stores, as two processes would have.
func contract(t *testing.T, url string) {
	one, two := open(t, url), open(t, url)
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		return storetest.Subject{Store: one, Another: two, Lag: MaxLag, Skew: 200 * time.Millisecond, Goroutines: 300}
	})
}

func TestRedis(t *testing.T) { contract(t, startRedis(t).url()) }

func TestRedisCluster(t *testing.T) { contract(t, startCluster(t)[1].url()) }

// A master that is watched by a sentinel dies; the replica becomes the master,
// and the same Store goes on with what that has.
func TestRedisSentinel(t *testing.T) {
	master := startRedis(t)
	replica := startRedis(t, "--replicaof", "127.0.0.1 "+fmt.Sprint(master.port))
	deadline := time.Now().Add(time.Minute)
	wait := func(what string, f func() bool) {
		t.Helper()
		for !f() {
			if time.Now().After(deadline) {
				t.Fatalf("%s does not come", what)
			}
			pause(t.Context(), 50*time.Millisecond)
		}
	}
	wait("replication", func() bool { return strings.Contains(replica.do(t, "info", "replication"), "master_link_status:up") })
	sentinel := startSentinel(t, master)
	wait("the sentinel's knowledge of the replica", func() bool { return strings.Contains(sentinel.do(t, "info", "sentinel"), "slaves=1") })
	s := open(t, sentinel.url()+"?master_set=house")
	kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	wait("the record on the replica", func() bool { return replica.do(t, "exists", s.recordKey(kept.Key)) == "1" })
	master.kill()
	wait("the failover", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := s.Create(ctx, record(2, time.Now().Add(time.Hour)))
		return err == nil || errors.Is(err, store.ErrConflict)
	})
	if got, err := s.Load(t.Context(), kept.Key); err != nil || got.Rev != kept.Rev {
		t.Errorf("after the failover: %v", err)
	}
	if keys, err := s.Tagged(t.Context(), kept.Tags[0]); err != nil || len(keys) != 1 {
		t.Errorf("after the failover the tag lists %q, %v", keys, err)
	}
}

func TestURLsRefused(t *testing.T) {
	for name, tc := range map[string]struct{ url, want string }{
		"another scheme":       {"http://user:hunter2@host", "cannot be understood"},
		"not a URL":            {"redis://user:hunter2@ho st/%zz", "cannot be understood"},
		"a bad database":       {"redis://user:hunter2@host/x", "cannot be understood"},
		"a prefix with braces": {"redis://user:hunter2@host/0?prefix={a}", "has a brace"},
		"a long prefix":        {"redis://user:hunter2@host/0?prefix=" + strings.Repeat("p", 513), "longer than"},
		"perhaps":              {"redis://user:hunter2@host/0?insecure_allow_eviction=perhaps", "neither 1 nor 0"},
		"nobody there":         {"redis://user:hunter2@" + fmt.Sprint("127.0.0.1:", freePort(t)), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Open(t.Context(), tc.url)
			if err == nil {
				s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "hunter2") || !strings.HasPrefix(err.Error(), "redisstore: ") {
				t.Errorf("got %q, want %q in it and no password", err, tc.want)
			}
		})
	}
}

// A Load sees what the same Store wrote, each time, though the server may not
// yet have told the cache.
func TestLoadSeesOwnWrites(t *testing.T) {
	s := open(t, startRedis(t).url())
	ctx := t.Context()
	for i := range 300 {
		rec, err := s.Create(ctx, record(i, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			got, err := s.Load(ctx, rec.Key)
			if err != nil || got.Rev != rec.Rev {
				t.Fatalf("%d: got Rev %d, %v, want %d", i, got.Rev, err, rec.Rev)
			}
			if rec, err = s.Replace(ctx, rec); err != nil {
				t.Fatal(err)
			}
		}
		if i%2 == 0 {
			_, err = s.Take(ctx, rec.Key)
		} else {
			err = s.Delete(ctx, rec.Key)
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Load(ctx, rec.Key); !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%d: after it was removed: %v", i, err)
		}
	}
}

// What is cached is served without the server, and no longer than it may.
func TestLoadIsCached(t *testing.T) {
	redis := startRedis(t)
	s, other := open(t, redis.url()), open(t, redis.url())
	ctx := t.Context()
	rec, err := other.Create(ctx, record(1, time.Now().Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	calls := func() string {
		for line := range strings.Lines(redis.do(t, "info", "commandstats")) {
			if strings.HasPrefix(line, "cmdstat_get:") {
				return line
			}
		}
		return ""
	}
	if _, err := s.Load(ctx, rec.Key); err != nil {
		t.Fatal(err)
	}
	before := calls()
	for range 100 {
		if _, err := s.Load(ctx, rec.Key); err != nil {
			t.Fatal(err)
		}
	}
	if after := calls(); after != before {
		t.Errorf("100 Loads asked the server: %q, then %q", before, after)
	}
	// The other ends it, and this one is told.
	if err := other.Delete(ctx, rec.Key); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(MaxLag)
	for {
		if _, err := s.Load(ctx, rec.Key); errors.Is(err, store.ErrNotFound) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("a Load lags for longer than it may")
		}
		pause(ctx, time.Millisecond)
	}
}

func TestCorruptRecords(t *testing.T) {
	redis := startRedis(t)
	s := open(t, redis.url())
	ctx := t.Context()
	expires := time.Now().Add(time.Hour)
	good, err := s.Create(ctx, store.Record{Key: "grant:good", Value: []byte("v"), Tags: []string{"t"}, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	whole := string(encode(store.Record{Value: []byte("v"), Tags: []string{"t"}, Expires: expires, Rev: 7}))
	for name, text := range map[string]string{
		"empty":             "",
		"a fixed part less": whole[:fixedSize-1],
		"a tag cut short":   whole[:fixedSize+2],
		"a length cut":      whole[:fixedSize+1],
		"a later layout":    "\x02" + whole[1:],
		"no revision":       "\x01" + strings.Repeat("\x00", 8) + whole[9:],
		"a time of no year": whole[:9] + "\x7f\xff\xff\xff\xff\xff\xff\xff" + whole[17:],
		"nine tags":         whole[:17] + "\x09" + whole[18:],
		"a tag of no bytes": whole[:fixedSize] + "\x00\x00" + whole[fixedSize+3:],
		"a value too long":  whole + strings.Repeat("v", store.MaxValue),
	} {
		if _, err := s.Create(ctx, store.Record{Key: "grant:bad", Value: []byte("v"), Tags: []string{"t"}, Expires: expires}); err != nil {
			t.Fatal(err)
		}
		redis.do(t, "set", s.recordKey("grant:bad"), text)
		_, loadErr := s.Load(ctx, "grant:bad")
		_, takeErr := s.Take(ctx, "grant:bad")
		for what, err := range map[string]error{"Load": loadErr, "Take": takeErr} {
			if err == nil || !strings.Contains(err.Error(), "damaged") || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrTooLarge) {
				t.Errorf("%s, %s: got %v", name, what, err)
			}
		}
		if got, err := s.Load(ctx, "grant:good"); err != nil || got.Rev != good.Rev {
			t.Errorf("%s: the other record: %v", name, err)
		}
		if keys, err := s.Tagged(ctx, "t"); err != nil || len(keys) != 1 {
			t.Errorf("%s: the tag lists %q, %v", name, keys, err)
		}
	}
}

// FuzzDecode: what is decoded is encoded to the same bytes again.
func FuzzDecode(f *testing.F) {
	f.Add(string(encode(store.Record{Value: []byte("v"), Tags: []string{"a", "b"}, Expires: time.Unix(1e9, 0), Rev: 7})))
	f.Add("\x01")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := decode("k", text)
		if err != nil {
			return
		}
		if got := string(encode(r)); got != text {
			t.Errorf("%q is decoded and encoded to %q", text, got)
		}
	})
}

// The sets of tags end with their records: nothing is left of what nobody
// removes.
func TestTagsExpire(t *testing.T) {
	redis := startRedis(t)
	s := open(t, redis.url())
	rec := record(1, time.Now().Add(2*time.Second))
	if _, err := s.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if got := redis.do(t, "dbsize"); got != "3" {
		t.Fatalf("%s keys, want 3: the record and its tags", got)
	}
	deadline := time.Now().Add(10 * time.Second)
	for redis.do(t, "dbsize") != "0" {
		if time.Now().After(deadline) {
			t.Fatal("something is left")
		}
		pause(t.Context(), 20*time.Millisecond)
	}
}

func TestHostile(t *testing.T) {
	t.Run("311_slow_store", func(t *testing.T) {
		redis := startRedis(t)
		s := open(t, redis.url())
		kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		before := runtime.NumGoroutine()
		redis.do(t, "client", "pause", "3000", "all")
		for range 5 {
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			start := time.Now()
			_, loadErr := s.Load(ctx, "grant:another")
			_, replaceErr := s.Replace(ctx, kept)
			cancel()
			for what, err := range map[string]error{"Load": loadErr, "Replace": replaceErr} {
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > 2*time.Second {
					t.Errorf("%s: got %v after %v", what, err, time.Since(start))
				}
			}
		}
		if _, err := s.Load(t.Context(), "grant:another"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("once it answers again: %v", err)
		}
		deadline := time.Now().Add(10 * time.Second)
		for runtime.NumGoroutine() > before+10 {
			if time.Now().After(deadline) {
				t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
			}
			pause(t.Context(), 20*time.Millisecond)
		}
	})
	t.Run("313_dead_sockets", func(t *testing.T) {
		redis := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
		s := open(t, redis.url())
		kept, err := s.Create(t.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		for i := range 20 {
			s.Load(t.Context(), fmt.Sprint("grant:", i)) // over each connection
		}
		redis.kill()
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if _, err := s.Load(ctx, "grant:another"); err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Load without a server: %v", err)
		}
		redis.start(t)
		if got, err := s.Load(t.Context(), kept.Key); err != nil || got.Rev != kept.Rev {
			t.Errorf("the first Load after a restart: %v", err)
		}
		if _, err := s.Replace(t.Context(), kept); err != nil {
			if _, err := s.Replace(t.Context(), kept); err != nil {
				t.Errorf("the first retry after a restart: %v", err)
			}
		}
	})
	t.Run("315_no_eviction", func(t *testing.T) {
		redis := startRedis(t, "--maxmemory", "3mb", "--maxmemory-policy", "allkeys-lru")
		if s, err := Open(t.Context(), redis.url()); err == nil {
			s.Close()
			t.Error("a server that evicts was accepted")
		} else if !strings.Contains(err.Error(), "allkeys-lru") {
			t.Errorf("a server that evicts: got %v", err)
		}
		open(t, redis.url()+"?insecure_allow_eviction=1")
		redis.do(t, "config", "set", "maxmemory-policy", "noeviction")
		s := open(t, redis.url())
		session, err := s.Create(t.Context(), record(0, time.Now().Add(time.Hour)))
		if err != nil {
			t.Fatal(err)
		}
		var full error
		for i := 0; i < 100_000 && full == nil; i++ {
			_, full = s.Create(t.Context(), store.Record{Key: fmt.Sprint("pending:", i), Value: make([]byte, 10_000), Expires: time.Now().Add(time.Hour)})
		}
		if full == nil || !strings.Contains(full.Error(), "OOM") || errors.Is(full, store.ErrTooLarge) || errors.Is(full, store.ErrConflict) {
			t.Fatalf("a full server: got %v", full)
		}
		if _, err := s.Load(t.Context(), session.Key); err != nil {
			t.Errorf("the session: %v", err)
		}
		for i := range 20 {
			if err := s.Delete(t.Context(), fmt.Sprint("pending:", i)); err != nil {
				t.Fatalf("Delete in a full server: %v", err)
			}
		}
		if _, err := s.Replace(t.Context(), session); err != nil {
			t.Errorf("after room was made: %v", err)
		}
	})
}

func TestErrorsKeepThePassword(t *testing.T) {
	redis := startRedis(t)
	redis.do(t, "config", "set", "requirepass", "right")
	if s, err := Open(t.Context(), "redis://:hunter2@"+redis.addr()); err == nil {
		s.Close()
		t.Error("a wrong password was accepted")
	} else if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
	open(t, "redis://:right@"+redis.addr())
}

// clock is a clock that the test moves.
type clock struct{ t time.Time }

func (c *clock) now() time.Time { return c.t }

func TestWritten(t *testing.T) {
	c := &clock{time.Unix(1e9, 0)}
	w := &written{now: c.now}
	want := func(what, key string, rev uint64, own bool) {
		t.Helper()
		if gotRev, gotOwn := w.last(key); gotRev != rev || gotOwn != own {
			t.Errorf("%s: got %d, %t, want %d, %t", what, gotRev, gotOwn, rev, own)
		}
	}
	want("never written", "k", 0, false)
	done := w.begin("k")
	want("under way", "k", 0, true)
	done(7)
	want("written", "k", 7, true)
	one, two := w.begin("k"), w.begin("k")
	one(8)
	want("one of two is under way", "k", 0, true)
	two(9)
	want("two that met", "k", 0, true)
	w.begin("k")(10)
	want("written alone", "k", 10, true)
	w.begin("k")(0)
	want("removed", "k", 0, true)
	c.t = c.t.Add(writtenFor)
	w.begin("other")(1)
	want("forgotten", "k", 0, false)
	if len(w.keys) != 1 || len(w.queue) != 1 {
		t.Errorf("%d keys and %d in the queue are left, want 1 and 1", len(w.keys), len(w.queue))
	}
	for i := range maxWritten + 10 {
		w.begin(fmt.Sprint(i))(5)
	}
	if len(w.keys) > maxWritten || len(w.queue) > maxWritten {
		t.Errorf("%d keys and %d in the queue, the limit is %d", len(w.keys), len(w.queue), maxWritten)
	}
	want("forgotten for want of room", "other", 0, true)
	want("never written, but who knows", "nobody", 0, true)
	c.t = c.t.Add(writtenFor)
	want("when that no longer matters", "nobody", 0, false)
}

func TestCloseInMidFlight(t *testing.T) {
	s := open(t, startRedis(t).url())
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() { s.Create(t.Context(), record(i, time.Now().Add(time.Hour))) })
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Errorf("Close: %v", err)
	}
	wg.Wait()
	_, createErr := s.Create(t.Context(), record(100, time.Now().Add(time.Hour)))
	_, loadErr := s.Load(t.Context(), "grant:1")
	_, taggedErr := s.Tagged(t.Context(), "sub:1")
	for what, err := range map[string]error{"Create": createErr, "Load": loadErr, "Tagged": taggedErr} {
		if err == nil || !strings.Contains(err.Error(), "closed") {
			t.Errorf("%s of a closed store: got %v", what, err)
		}
	}
}
