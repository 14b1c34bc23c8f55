// Command soak lets users log in, come back, have their tokens renewed and log
// out, at an OP that replaces its keys again and again, and looks whether
// anything grows: memory, goroutines, file descriptors. At the end everything is
// closed, and what then still runs is told.
//
//	go run ./peers/soak                # an hour
//	go run ./peers/soak -for 10m
//	go run ./peers/soak -write         # also writes docs/soak.md
//
// The OP is a process of its own. go test ./peers/soak is the same for seconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync"
	"time"
)

// settings say how long and how fast.
type settings struct {
	length   time.Duration
	every    time.Duration // a sample
	lifetime time.Duration // of sessions and grants: after it the numbers must stand still
	token    time.Duration // of access tokens
	rotate   time.Duration // of the OP's keys
	users    int           // at once
	pause    time.Duration // of each of them, between two steps
}

func main() {
	if os.Getenv(opVariable) != "" {
		if err := serveOP(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "soak, OP:", err)
			os.Exit(1)
		}
		return
	}
	s := settings{lifetime: time.Minute, token: 3 * time.Second, rotate: 20 * time.Second, users: 4, pause: 100 * time.Millisecond}
	flag.DurationVar(&s.length, "for", time.Hour, "how long")
	write := flag.Bool("write", false, "write docs/soak.md")
	flag.Parse()
	s.every = max(s.length/60, time.Second)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r, err := soak(ctx, s, os.Stdout)
	if err == nil && *write {
		err = writeReport(r.markdown())
	}
	if err == nil && r.bad() != "" {
		err = fmt.Errorf("%s", r.bad())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
}

// result is a run.
type result struct {
	settings settings
	ran      time.Duration
	ended    time.Time
	counts   *counts
	samples  []sample
	failures []string // the first few
	left     string   // goroutines that Close left behind
}

// maxFailures bounds how many failures are told.
const maxFailures = 5

// soak runs until s.length is over, or ctx.
func soak(ctx context.Context, s settings, progress io.Writer) (*result, error) {
	before := runtime.NumGoroutine()
	op, err := startOP(opConfig{AccessToken: s.token, Rotate: s.rotate})
	if err != nil {
		return nil, err
	}
	defer op.close()
	a, err := newApp(op, s.lifetime)
	if err != nil {
		return nil, err
	}
	r := &result{settings: s, counts: a.counts}
	var mu sync.Mutex // guards r.failures
	failed := func(err error) {
		mu.Lock()
		defer mu.Unlock()
		if len(r.failures) < maxFailures {
			r.failures = append(r.failures, err.Error())
			fmt.Fprintln(progress, "failed:", err)
		}
	}
	begun := time.Now()
	living, end := context.WithTimeout(ctx, s.length)
	defer end()
	var users sync.WaitGroup
	for range s.users {
		users.Go(func() { a.live(living, s.pause, failed) })
	}
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	for living.Err() == nil {
		select {
		case <-tick.C:
			x := a.sample(begun)
			r.samples = append(r.samples, x)
			fmt.Fprintf(progress, "%8s  heap %6d KiB, %6d objects, %3d goroutines, %3d files, %5d records, %7d logins, %7d refreshes\n",
				x.at.Round(time.Second), x.heap>>10, x.objects, x.goroutines, x.files, x.records, a.counts.logins.Load(), a.counts.refreshes.Load())
		case <-living.Done():
		}
	}
	users.Wait()
	r.ran, r.ended = time.Since(begun), time.Now().UTC()
	if err := a.close(); err != nil {
		failed(err)
	}
	r.left = left(before)
	return r, nil
}

// left waits for what is ending, and tells which goroutines stay.
func left(before int) string {
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	var b strings.Builder
	_ = pprof.Lookup("goroutine").WriteTo(&b, 1)
	return b.String()
}

// bad says what is wrong with a run, or "".
func (r *result) bad() string {
	var out []string
	if g := grown(r.samples); g != "" {
		out = append(out, "growth: "+g)
	}
	if r.left != "" {
		out = append(out, "goroutines after Close:\n"+r.left)
	}
	if n := r.counts.refused.Load(); n > 0 || len(r.failures) > 0 {
		out = append(out, fmt.Sprintf("%d steps failed: %s", n, strings.Join(r.failures, "; ")))
	}
	return strings.Join(out, "\n")
}

// writeReport puts the report into the repository.
func writeReport(text string) error {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "rely.example").Output()
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	return os.WriteFile(filepath.Join(strings.TrimSpace(string(root)), "docs", "soak.md"), []byte(text), 0o644)
}
