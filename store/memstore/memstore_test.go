package memstore

import (
	"errors"
	"fmt"
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

func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) storetest.Subject {
		c := newClock()
		s := &Store{Now: c.now}
		t.Cleanup(func() { s.consistent(t) })
		return storetest.Subject{Store: s, Another: s, Now: c.now, Advance: c.advance}
	})
}

// consistent asserts that counts, lists, heaps and tags agree, and that nothing
// of what is gone is left.
func (s *Store) consistent(t testing.TB) {
	t.Helper()
	var records, bytes [maxClasses]int64
	bearing := 0
	for n := range s.shards {
		sh := &s.shards[n]
		sh.mu.Lock()
		if len(sh.recs) != len(sh.expiry) {
			t.Errorf("shard %d: %d records, %d in the heap", n, len(sh.recs), len(sh.expiry))
		}
		for i, rec := range sh.expiry {
			if rec.heap != i || sh.recs[rec.key] != rec || i > 0 && sh.expiry[(i-1)/2].expires > rec.expires {
				t.Errorf("shard %d: the heap is wrong at %d", n, i)
			}
			bearing += len(rec.bearing)
			var tags []string
			for _, b := range rec.bearing {
				tags = append(tags, b.of.tag)
				if b.rec != rec || b.of.all[b.pos] != b {
					t.Errorf("shard %d: a tag's place is wrong", n)
				}
			}
			records[rec.class]++
			bytes[rec.class] += size(rec.key, rec.value, tags)
		}
		listed := 0
		for c, l := range sh.lists {
			oldest := uint64(0)
			for rec := l.first; rec != nil; rec = rec.next {
				if rec.next == nil && rec != l.last || rec.next != nil && rec.next.rev <= rec.rev {
					t.Errorf("shard %d: the list of class %d is out of order", n, c)
				}
				listed++
			}
			if l.first != nil {
				oldest = l.first.rev
			}
			if s.classes[c].oldest[n].Load() != oldest {
				t.Errorf("shard %d: the oldest of class %d is wrong", n, c)
			}
		}
		if listed != len(sh.recs) {
			t.Errorf("shard %d: %d records, %d listed", n, len(sh.recs), listed)
		}
		sh.mu.Unlock()
	}
	for c := range s.classes {
		if got := s.classes[c].records.Load(); got != records[c] {
			t.Errorf("class %d counts %d records, holds %d", c, got, records[c])
		}
		if got := s.classes[c].bytes.Load(); got != bytes[c] {
			t.Errorf("class %d counts %d bytes, holds %d", c, got, bytes[c])
		}
	}
	for n := range s.indexes {
		for _, of := range s.indexes[n].tags {
			if len(of.all) == 0 {
				t.Error("a tag without bearers is left")
			}
			bearing -= len(of.all)
		}
	}
	if bearing != 0 {
		t.Errorf("records and tags differ by %d", bearing)
	}
}

func stats(s *Store, class string) Stats {
	for _, st := range s.Stats() {
		if st.Class == class {
			return st
		}
	}
	return Stats{}
}

func create(t testing.TB, s *Store, key string, d time.Duration) store.Record {
	t.Helper()
	rec, err := s.Create(t.Context(), store.Record{Key: key, Value: []byte("v"), Expires: s.Now().Add(d)})
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

func TestHostile(t *testing.T) {
	t.Run("089_flood_of_logins", func(t *testing.T) {
		s := &Store{MaxRecords: 1000, Now: newClock().now}
		hits := 100_000
		if raceEnabled() {
			hits = 10_000 // the detector makes each ten times as slow
		}
		for i := range hits {
			create(t, s, fmt.Sprint("pending:", i), 10*time.Minute)
		}
		if st := stats(s, "pending"); st.Records != 1000 || st.Evicted != uint64(hits-1000) || st.Bytes > s.maxBytes() {
			t.Errorf("got %+v", st)
		}
		for _, i := range []int{hits - 1000, hits - 1} {
			if _, err := s.Load(t.Context(), fmt.Sprint("pending:", i)); err != nil {
				t.Errorf("%d: %v: not the oldest were evicted", i, err)
			}
		}
		if _, err := s.Load(t.Context(), fmt.Sprint("pending:", hits-1001)); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the oldest is still there: %v", err)
		}
		s.consistent(t)
	})
	t.Run("315_strangers_evict_no_session", func(t *testing.T) {
		s := &Store{MaxBytes: 64 << 10, Now: newClock().now}
		// Made first and soonest to end: what an order by age or expiry evicts.
		for i := range 10 {
			create(t, s, fmt.Sprint("grant:", i), time.Second)
		}
		for i := range 10_000 {
			create(t, s, fmt.Sprint("pending:", i), time.Hour)
			create(t, s, fmt.Sprint("no-class-", i), time.Hour)
		}
		if st := stats(s, "pending"); st.Evicted == 0 || st.Bytes > s.MaxBytes {
			t.Errorf("pending: %+v", st)
		}
		if st := stats(s, "grant"); st.Evicted != 0 || st.Records != 10 {
			t.Errorf("grant: %+v", st)
		}
		s.consistent(t)
	})
	t.Run("319_parallel_logins_stay_flat", func(t *testing.T) {
		s := &Store{MaxRecords: 100, Now: newClock().now}
		var wg sync.WaitGroup
		for g := range 8 {
			wg.Go(func() {
				for i := range 2000 {
					key := fmt.Sprintf("pending:%d-%d", g, i)
					create(t, s, key, time.Minute)
					if i%2 == 0 {
						s.Take(t.Context(), key)
					}
				}
			})
		}
		wg.Wait()
		if st := stats(s, "pending"); st.Records > 100 {
			t.Errorf("got %+v", st)
		}
		s.consistent(t)
	})
}

func TestWritingMakesYoung(t *testing.T) {
	s := &Store{MaxRecords: 2, Now: newClock().now}
	first := create(t, s, "grant:1", time.Hour)
	create(t, s, "grant:2", time.Hour)
	if _, err := s.Replace(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	create(t, s, "grant:3", time.Hour)
	if _, err := s.Load(t.Context(), "grant:1"); err != nil {
		t.Errorf("the record written last but one was evicted: %v", err)
	}
	if _, err := s.Load(t.Context(), "grant:2"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the record longest unwritten is still there: %v", err)
	}
}

func TestReplaceMakesRoom(t *testing.T) {
	s := &Store{MaxBytes: 10_000, Now: newClock().now}
	create(t, s, "grant:1", time.Hour)
	rec := create(t, s, "grant:2", time.Hour)
	rec.Value = make([]byte, 9700)
	if _, err := s.Replace(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if st := stats(s, "grant"); st.Records != 1 || st.Evicted != 1 {
		t.Errorf("got %+v", st)
	}
	rec.Value = make([]byte, 10_000)
	if _, err := s.Create(t.Context(), rec); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("a record larger than MaxBytes: %v", err)
	}
	s.consistent(t)
}

func TestMoreClassesThanAreToldApart(t *testing.T) {
	s := &Store{MaxRecords: 5, Now: newClock().now}
	var wg sync.WaitGroup
	for i := range 100 {
		wg.Go(func() { create(t, s, fmt.Sprintf("class%d:k", i), time.Hour) })
	}
	wg.Wait()
	if n := len(s.Stats()); n != maxClasses {
		t.Errorf("%d classes, want %d", n, maxClasses)
	}
	if st := stats(s, ""); st.Records != 5 || st.Evicted != 100-15-5 {
		t.Errorf("got %+v", st)
	}
	s.consistent(t)
}

// What expired is forgotten by calls that have nothing to do with it, a few
// records each, and no faster than that.
func TestExpiredRecordsGoByAndBy(t *testing.T) {
	c := newClock()
	s := &Store{Now: c.now}
	const n = 20_000
	for i := range n {
		create(t, s, fmt.Sprint("pending:", i), time.Minute)
	}
	c.advance(2 * time.Minute)
	create(t, s, "grant:1", time.Hour)
	if st := stats(s, "pending"); st.Expired > sweepPerCall {
		t.Errorf("one call forgot %d records", st.Expired)
	}
	for i := range n / 2 {
		s.Load(t.Context(), fmt.Sprint("grant:", i))
	}
	if st := stats(s, "pending"); st.Records != 0 || st.Expired != n || st.Evicted != 0 {
		t.Errorf("after %d calls: %+v", n/2, st)
	}
	s.consistent(t)
}

// typical is a session as it is kept: a sealed value, two tags, hashed names.
func typical(i int, expires time.Time) store.Record {
	name := fmt.Sprintf("%043d", i)
	return store.Record{Key: "grant:" + name, Value: []byte(strings.Repeat("v", 400)), Tags: []string{"sub:" + name, "sid:" + name}, Expires: expires}
}

func TestBytesPerRecord(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector takes memory of its own")
	}
	const n = 50_000
	s := new(Store)
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := heap()
	expires := time.Now().Add(time.Hour)
	for i := range n {
		if _, err := s.Create(t.Context(), typical(i, expires)); err != nil {
			t.Fatal(err)
		}
	}
	got := (heap() - before) / n
	counted := uint64(stats(s, "grant").Bytes / n)
	t.Logf("%d bytes a record, %d counted", got, counted)
	if got > 1024 {
		t.Errorf("%d bytes a record of 400 bytes and 2 tags, want at most 1024", got)
	}
	if counted < got*8/10 || counted > got*13/10 {
		t.Errorf("%d bytes counted, %d taken: MaxBytes would mean something else", counted, got)
	}
	runtime.KeepAlive(s)
}

func TestLoadAllocations(t *testing.T) {
	if raceEnabled() {
		t.Skip("the race detector allocates")
	}
	s := new(Store)
	rec := typical(1, time.Now().Add(time.Hour))
	if _, err := s.Create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() { s.Load(t.Context(), rec.Key) }); n > 2 {
		t.Errorf("%v allocations, want 2: the value and the tags", n)
	}
}

func BenchmarkLoad(b *testing.B) {
	s := new(Store)
	const n = 10_000
	keys := make([]string, n)
	for i := range keys {
		rec := typical(i, time.Now().Add(time.Hour))
		keys[i] = rec.Key
		if _, err := s.Create(b.Context(), rec); err != nil {
			b.Fatal(err)
		}
	}
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := s.Load(ctx, keys[i%n]); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCreateTake(b *testing.B) {
	s := new(Store)
	ctx := b.Context()
	expires := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		rec := typical(i, expires)
		if _, err := s.Create(ctx, rec); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Take(ctx, rec.Key); err != nil {
			b.Fatal(err)
		}
	}
}

// A store that is full evicts with every write; that must stay cheap.
func BenchmarkCreateWhenFull(b *testing.B) {
	s := &Store{MaxRecords: 10_000}
	ctx := b.Context()
	expires := time.Now().Add(time.Hour)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := s.Create(ctx, typical(i, expires)); err != nil {
			b.Fatal(err)
		}
	}
}
