package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"time"

	"rely.example/store"
	relymem "rely.example/store/memstore"
	"rely.example/store/sqlstore"
)

// noting remembers the records that a login makes.
type noting struct {
	store.Store
	mu   sync.Mutex // guards made
	made map[string]store.Record
}

// Create implements store.Store.
func (n *noting) Create(ctx context.Context, r store.Record) (store.Record, error) {
	n.mu.Lock()
	n.made[store.Class(r.Key)] = r
	n.mu.Unlock()
	return n.Store.Create(ctx, r)
}

// measureKept counts what sessions take where they are kept.
func measureKept(s settings) ([]section, error) {
	inMemory, inFile := 1_000_000, 100_000
	if s.quick {
		inMemory, inFile = inMemory/20, inFile/20
	}
	n := &noting{Store: new(relymem.Store), made: map[string]store.Record{}}
	if _, _, err := relyLoggedIn(n); err != nil {
		return nil, err
	}
	session, grant := n.made["session"], n.made["grant"]
	if session.Key == "" || grant.Key == "" {
		return nil, fmt.Errorf("a login made no session or no grant: %d classes", len(n.made))
	}
	sec := section{
		title: "What a session takes",
		intro: fmt.Sprintf("%d sessions in memory, as the heap grows, and %d in a SQLite file, as the file is. A login leaves two records: the session, here of %d bytes sealed, "+
			"and its grant with the tokens, here of %d, each with its tags; a quarter as many were made of both together.", inMemory, inFile, len(session.Value), len(grant.Value)),
		header: []string{"", "sessions", "each", "a session and its grant"},
	}
	for _, kept := range []struct {
		name  string
		n     int
		bytes func(n int, records ...store.Record) (int64, error)
	}{{"memory", inMemory, memoryOf}, {"SQLite", inFile, fileOf}} {
		alone, err := kept.bytes(kept.n, session)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kept.name, err)
		}
		both, err := kept.bytes(kept.n/4, session, grant)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", kept.name, err)
		}
		sec.rows = append(sec.rows, []string{fmt.Sprintf("%s, %d", kept.name, kept.n),
			mebi(alone), fmt.Sprintf("%d bytes", alone/int64(kept.n)), fmt.Sprintf("%d bytes", both/int64(kept.n/4))})
	}
	return []section{sec}, nil
}

// fill makes n of each record, under names as long as theirs.
func fill(s store.Store, n int, records []store.Record) error {
	for i := range n {
		for _, r := range records {
			r.Key = renamed(r.Key, i)
			r.Expires = time.Now().Add(12 * time.Hour)
			tags := make([]string, len(r.Tags))
			for j, tag := range r.Tags {
				tags[j] = renamed(tag, i)
			}
			r.Tags = tags
			if _, err := s.Create(background, r); err != nil {
				return err
			}
		}
	}
	return nil
}

// renamed is a name with its end replaced by a number.
func renamed(name string, i int) string { return fmt.Sprintf("%s%012d", name[:len(name)-12], i) }

func memoryOf(n int, records ...store.Record) (int64, error) {
	heap := func() int64 {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	before := heap()
	s := &relymem.Store{MaxRecords: int64(3 * n), MaxBytes: int64(n) << 13}
	if err := fill(s, n, records); err != nil {
		return 0, err
	}
	took := heap() - before
	runtime.KeepAlive(s)
	return took, nil
}

func fileOf(n int, records ...store.Record) (int64, error) {
	dir, err := os.MkdirTemp("", "rely-bench")
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "rely.db")
	s, err := sqlstore.Open(background, "sqlite:"+path+"?synchronous=normal")
	if err != nil {
		return 0, err
	}
	if err := fill(s, n, records); err != nil {
		return 0, err
	}
	if err := s.Close(); err != nil { // which brings the log into the file
		return 0, err
	}
	st, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	return st.Size(), nil
}
