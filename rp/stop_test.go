package rp_test

import (
	"context"
	"errors"
	"net/http"
	"sync"

	"rely.example/oidc"
)

var errStopped = errors.New("the process was stopped")

// stop lets a process do a number of steps and then no more, as kill -9 would. A
// step is a call of the store or of the OP, before or after it was done.
type stop struct {
	mu     sync.Mutex
	left   int
	at     chan struct{} // closed when the step is reached
	out    chan struct{} // closed to let everything fail and end
	client *oidc.Client  // of a process that is not stopped
}

// newStop stops r's process at the step, and cuts its way to the OP.
func newStop(r *rig, step int) *stop {
	s := &stop{left: step, at: make(chan struct{}), out: make(chan struct{})}
	gate := func() error {
		s.mu.Lock()
		s.left--
		n := s.left
		s.mu.Unlock()
		if n >= 0 {
			return nil
		}
		if n == -1 {
			close(s.at)
		}
		<-s.out
		return errStopped
	}
	r.store.set(func(context.Context, string, string) error { return gate() }, func(context.Context, string, string) error { return gate() })
	r.wire.set(func(*http.Request) error { return gate() }, func(*http.Request) error { return gate() })
	opts := *r.opts
	opts.HTTPClient = r.op.HTTPClient()
	p, err := oidc.Discover(r.t.Context(), r.op.Issuer, &opts)
	if err != nil {
		r.t.Fatalf("Discover: %v", err)
	}
	r.t.Cleanup(p.Close)
	clients := r.op.Clients()
	c := clients[0]
	s.client, err = oidc.NewClient(p, oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: r.client.Metadata()})
	if err != nil {
		r.t.Fatalf("NewClient: %v", err)
	}
	return s
}

// wait reports whether the step was reached before the work was done.
func (s *stop) wait(done <-chan struct{}) bool {
	select {
	case <-s.at:
		return true
	case <-done:
		return false
	}
}

func (s *stop) release() { close(s.out) }
