package redisstore

import (
	"context"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"rely.example/internal/servers"
	"rely.example/store"
)

// TestMasterBehindANameIsDemoted: the name in the URL leads to another master, and
// the old one, now a replica, keeps the connections that it has.
func TestMasterBehindANameIsDemoted(t *testing.T) {
	start := func(ctx context.Context) (*servers.Server, error) { return servers.Redis(ctx) }
	addr := func(s *servers.Server) string { return strings.TrimPrefix(s.URL(), "redis://") }
	old, next := addr(servers.For(t, start)), addr(servers.For(t, start))
	var to atomic.Value
	to.Store(old)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	pipe := func(to, from net.Conn) {
		_, _ = io.Copy(to, from) // until either end closes
		to.Close()
	}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			d, err := net.Dial("tcp", to.Load().(string))
			if err != nil {
				c.Close()
				continue
			}
			go pipe(c, d)
			go pipe(d, c)
		}
	}()
	s, err := connect(t.Context(), "redis://"+l.Addr().String(), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	create := func(key string) error {
		_, err := s.Create(t.Context(), store.Record{Key: key, Value: []byte("v"), Tags: []string{"tag"}, Expires: time.Now().Add(time.Hour)})
		return err
	}
	if err := create("grant:1"); err != nil {
		t.Fatal(err)
	}
	to.Store(next)
	c, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: []string{old}, DisableCache: true})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	host, port, _ := net.SplitHostPort(next)
	if err := c.Do(t.Context(), c.B().Arbitrary("REPLICAOF", host, port).Build()).Error(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); ; {
		err := create("grant:2")
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("no write was taken again: %v", err)
		}
		select {
		case <-time.After(50 * time.Millisecond): // another process; no clock of ours moves it
		case <-t.Context().Done():
		}
	}
}
