package rp

import (
	"errors"
	"testing"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store/memstore"
)

// TestForcedRefreshIsNotServedByAnIdleOne: who demands a new token joins a
// refresh that ends with the old one, since for others that will do, and then
// asks again.
func TestForcedRefreshIsNotServedByAnIdleOne(t *testing.T) {
	r, err := New(Config{Directory: Only(), Store: new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	place := seal.Hashed(grantClass, "state")
	rec, err := r.record(place, &grantRecord{issuer: "https://op.example", clientID: "c", subject: "s", started: now, ends: now.Add(time.Hour), obtained: now,
		tokens: &oidc.Tokens{AccessToken: "a", TokenType: "Bearer", RefreshToken: "r", Expiry: now.Add(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.shelf.create(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	g, err := r.Grant(t.Context(), "state")
	if err != nil {
		t.Fatal(err)
	}
	have := g.held.Load()
	idle := &flight{done: make(chan struct{}), held: have}
	r.flights[place] = idle
	forced, unforced := make(chan error), make(chan error)
	go func() { _, err := g.refresh(t.Context(), have, true); forced <- err }()
	go func() { _, err := g.refresh(t.Context(), have, false); unforced <- err }()
	r.mu.Lock()
	delete(r.flights, place)
	r.mu.Unlock()
	close(idle.done)
	if err := <-unforced; err != nil {
		t.Errorf("the old token would do: %v", err)
	}
	// The attempt of its own gets as far as the directory, which has no client.
	if err := <-forced; !errors.Is(err, UnknownIssuer) {
		t.Errorf("got %v", err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
}
