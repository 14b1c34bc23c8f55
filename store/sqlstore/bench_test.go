package sqlstore

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// The benchmarks run on a file that syncs every write, on one that does not, and
// on a PostgreSQL of their own without fsync: what is measured of that is the
// way there and back.
func benchmark(b *testing.B, f func(b *testing.B, s *Store)) {
	b.Run("SQLite", func(b *testing.B) { f(b, open(b, sqliteURL(b))) })
	b.Run("SQLite-normal", func(b *testing.B) { f(b, open(b, sqliteURL(b)+"?synchronous=normal")) })
	b.Run("PostgreSQL", func(b *testing.B) { f(b, open(b, startPostgreSQL(b).fresh(b))) })
}

func BenchmarkLoad(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store) {
		rec, err := s.Create(b.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Load(b.Context(), rec.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store) {
		rec, err := s.Create(b.Context(), record(1, time.Now().Add(time.Hour)))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for b.Loop() {
			if rec, err = s.Replace(b.Context(), rec); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkCreateTake(b *testing.B) {
	benchmark(b, func(b *testing.B, s *Store) {
		rec := record(1, time.Now().Add(time.Hour))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Create(b.Context(), rec); err != nil {
				b.Fatal(err)
			}
			if _, err := s.Take(b.Context(), rec.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSessions makes sessions in one file and tells what each takes there.
// With -benchtime=100000x that is 100,000 sessions.
func BenchmarkSessions(b *testing.B) {
	path := filepath.Join(b.TempDir(), "rely.db")
	s := open(b, "sqlite:"+path+"?synchronous=normal")
	expires := time.Now().Add(time.Hour)
	n := 0
	for b.Loop() {
		if _, err := s.Create(b.Context(), record(n, expires)); err != nil {
			b.Fatal(err)
		}
		n++
	}
	if _, err := s.write.Exec(`PRAGMA wal_checkpoint(TRUNCATE)`); err != nil {
		b.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/float64(n), "B/session")
	b.ReportMetric(float64(info.Size())/1e6, "MB")
}
