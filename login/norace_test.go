//go:build !race

package login_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"rely.example/store"
	"rely.example/store/memstore"
)

// TestAllocations: the check of a session is on the way of every request.
func TestAllocations(t *testing.T) {
	if n := testing.AllocsPerRun(1000, sessionCheck(t)); n > 2 {
		t.Errorf("Require allocates %v times, at most 2: the request and what it carries", n)
	}
	if n := testing.AllocsPerRun(1000, sessionCheck(t, storeless)); n > 2 {
		t.Errorf("Require allocates %v times in Storeless, at most 2", n)
	}
}

// TestMillionSessions keeps a million sessions in memory, each as a login leaves
// it.
func TestMillionSessions(t *testing.T) {
	n := 1_000_000
	if testing.Short() {
		n = 50_000
	}
	r := setup(t)
	r.browser().mustLogin("/")
	var session store.Record
	for _, made := range r.store.made {
		if store.Class(made.Key) == "session" {
			session = made
		}
	}
	if len(session.Tags) == 0 {
		t.Fatal("there is no session with tags")
	}
	heap := func() uint64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	named := func(name string, i int) string { return fmt.Sprintf("%s%010d", name[:len(name)-10], i) }
	before := heap()
	s := &memstore.Store{MaxRecords: int64(n), MaxBytes: int64(n) << 11}
	session.Expires = time.Now().Add(time.Hour)
	for i := range n {
		rec := session
		rec.Key, rec.Tags = named(session.Key, i), nil
		for _, tag := range session.Tags {
			rec.Tags = append(rec.Tags, named(tag, i))
		}
		if _, err := s.Create(t.Context(), rec); err != nil {
			t.Fatal(err)
		}
	}
	got := (heap() - before) / uint64(n)
	t.Logf("%d sessions of %d bytes, sealed, with %d tags: %d bytes each", n, len(session.Value), len(session.Tags), got)
	if got > 1024 {
		t.Errorf("a session takes %d bytes, want at most 1024", got)
	}
	if held := s.Stats(); len(held) != 2 || held[1].Records != int64(n) {
		t.Errorf("the store holds %+v", held)
	}
}
