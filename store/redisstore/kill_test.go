package redisstore

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"rely.example/store"
)

// TestHostileKill kills a server that syncs every write at 20 points of a row of
// logins, and starts it again. What the Store acknowledged is there, once; the
// one write that failed was done or was not.
func TestHostileKill(t *testing.T) {
	t.Run("317_kill_at_20_points", func(t *testing.T) {
		redis := startRedis(t, "--appendonly", "yes", "--appendfsync", "always")
		s := open(t, redis.url())
		next := 0
		for point := range 20 {
			next = killServerAt(t, redis, s, next, 3+2*point)
		}
	})
}

// killServerAt runs logins from the number first on, kills the server once so
// many steps were acknowledged, and returns the next number that is unused.
func killServerAt(t *testing.T, redis *server, s *Store, first, steps int) int {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	acknowledged := make(chan struct{})
	killed := make(chan struct{})
	go func() {
		defer close(killed)
		for range steps {
			<-acknowledged
		}
		redis.cmd.Process.Kill()
		for range acknowledged {
			// What is acknowledged until the server is gone counts as well.
		}
	}()
	expires := time.Now().Add(time.Hour)
	done := 0
	var err error
	for i := first; err == nil; i++ {
		var grant store.Record
		for _, step := range []func() error{
			func() error {
				_, err := s.Create(ctx, store.Record{Key: fmt.Sprint("pending:", i), Value: []byte("p"), Expires: expires})
				return err
			},
			func() error {
				_, err := s.Take(ctx, fmt.Sprint("pending:", i))
				return err
			},
			func() (err error) {
				grant, err = s.Create(ctx, store.Record{Key: fmt.Sprint("grant:", i), Value: []byte("1"), Tags: []string{fmt.Sprint("sub:", i)}, Expires: expires})
				return err
			},
			func() error {
				grant.Value = []byte("2")
				_, err := s.Replace(ctx, grant)
				return err
			},
		} {
			if err = step(); err != nil {
				break
			}
			done++
			acknowledged <- struct{}{}
		}
	}
	close(acknowledged)
	<-killed
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrConflict) || ctx.Err() != nil {
		t.Fatalf("the server was killed: got %v", err)
	}
	redis.kill()
	redis.start(t)

	last := first + done/4 + 1
	for i := first; i <= last; i++ {
		_, pendingErr := s.Load(t.Context(), fmt.Sprint("pending:", i))
		grant, grantErr := s.Load(t.Context(), fmt.Sprint("grant:", i))
		keys, err := s.Tagged(t.Context(), fmt.Sprint("sub:", i))
		if err != nil {
			t.Fatal(err)
		}
		got := fmt.Sprintf("pending %v, grant %v, %d under the tag", pendingErr, grantErr, len(keys))
		switch gone := errors.Is(pendingErr, store.ErrNotFound); {
		case pendingErr == nil && errors.Is(grantErr, store.ErrNotFound) && len(keys) == 0:
			got = "pending"
		case gone && errors.Is(grantErr, store.ErrNotFound) && len(keys) == 0:
			got = "none"
		case gone && grantErr == nil && len(keys) == 1:
			got = "grant " + string(grant.Value)
		}
		after := []string{"none", "pending", "none", "grant 1", "grant 2"}
		n := min(max(done-(i-first)*4, 0), 4)
		if got != after[n] && (n == 4 || got != after[n+1]) {
			t.Errorf("login %d, of which %d steps were acknowledged, left %q", i, n, got)
		}
	}
	return last + 1
}
