package redisstore

import (
	"testing"
	"time"
)

func BenchmarkLoad(b *testing.B) {
	url := startRedis(b).url()
	other := open(b, url)
	rec, err := other.Create(b.Context(), record(1, time.Now().Add(time.Hour)))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("cached", func(b *testing.B) {
		s := open(b, url)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Load(b.Context(), rec.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("asked", func(b *testing.B) {
		s := open(b, url+"?client_cache=0")
		b.ReportAllocs()
		for b.Loop() {
			if _, err := s.Load(b.Context(), rec.Key); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkReplace(b *testing.B) {
	s := open(b, startRedis(b).url())
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
}

func BenchmarkCreateTake(b *testing.B) {
	s := open(b, startRedis(b).url())
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
}
