package servers

import (
	"context"
	"net"
	"net/url"
	"testing"
)

func TestServers(t *testing.T) {
	for name, start := range map[string]func(context.Context) (*Server, error){
		"redis":      func(ctx context.Context) (*Server, error) { return Redis(ctx) },
		"postgresql": PostgreSQL,
	} {
		t.Run(name, func(t *testing.T) {
			s := For(t, start)
			u, err := url.Parse(s.URL())
			if err != nil {
				t.Fatal(err)
			}
			answers := func() bool {
				c, err := net.Dial("tcp", u.Host)
				if err == nil {
					c.Close()
				}
				return err == nil
			}
			if !answers() {
				t.Error("it does not answer")
			}
			s.Kill()
			if answers() {
				t.Error("it answers though it was killed")
			}
			if err := s.Start(t.Context()); err != nil || !answers() {
				t.Errorf("started again: %v", err)
			}
		})
	}
}
