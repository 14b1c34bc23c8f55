package main

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// TestMain is the OP where soak starts this program for one.
func TestMain(m *testing.M) {
	if os.Getenv(opVariable) != "" {
		if err := serveOP(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "soak, OP:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// TestNothingGrows is a short soak: flat heap and goroutines over logins,
// refreshes and rotations, and none of them left after Close.
func TestNothingGrows(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes ten seconds")
	}
	s := settings{length: 10 * time.Second, every: 250 * time.Millisecond, lifetime: 2 * time.Second, token: time.Second,
		rotate: 2 * time.Second, users: 4, pause: 20 * time.Millisecond}
	var progress strings.Builder
	r, err := soak(t.Context(), s, &progress)
	if err != nil {
		t.Fatal(err)
	}
	if bad := r.bad(); bad != "" {
		t.Errorf("%s\n%s", bad, &progress)
	}
	for what, n := range map[string]int64{"logins": r.counts.logins.Load(), "refreshes": r.counts.refreshes.Load(), "fetches of keys": r.counts.keyFetches.Load() - 1,
		"logouts": r.counts.logouts.Load(), "forged answers": r.counts.forged.Load(), "pages": r.counts.pages.Load()} {
		if n < 1 {
			t.Errorf("there were no %s", what)
		}
	}
	if !strings.Contains(r.markdown(), "no goroutine was left") {
		t.Errorf("the report does not tell the outcome:\n%s", r.markdown())
	}
}

// TestGrowthIsSeen: the verdict is not always good.
func TestGrowthIsSeen(t *testing.T) {
	var samples []sample
	for i := range 40 {
		samples = append(samples, sample{heap: uint64(4<<20 + i*(64<<10)), goroutines: 20 + i, files: 10})
	}
	g := grown(samples)
	if !strings.Contains(g, "heap") || !strings.Contains(g, "goroutines") || strings.Contains(g, "descriptors") {
		t.Errorf("got %q", g)
	}
}
