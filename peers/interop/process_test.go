//go:build unix

package interop

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// tree is a child with a child of its own, which says its process number.
var tree = []string{"/bin/sh", "-c", "sleep 1000 & echo child $!; wait"}

// needsShell skips a test whose child is a shell with a sleep in it.
func needsShell(t *testing.T) {
	t.Helper()
	for _, program := range []string{"/bin/sh", "sleep"} {
		if _, err := exec.LookPath(program); err != nil {
			Require(t, fmt.Errorf("%w: %s", ErrAbsent, program))
		}
	}
}

func TestProcessEnds(t *testing.T) {
	needsShell(t)
	for name, end := range map[string]func(p *process){
		"stop": func(p *process) { p.stop() },
		// What the operating system does when we die.
		"parent_gone": func(p *process) { _ = p.stdin.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			p, err := startProcess(t.TempDir(), nil, tree)
			if err != nil {
				t.Fatal(err)
			}
			defer p.stop()
			var pid string
			await(t, "the child's process number", func() bool {
				_, pid, _ = strings.Cut(p.log.tail(1), "child ")
				return pid != ""
			})
			if !alive(t, pid) {
				t.Fatal("the child's child is not running")
			}
			end(p)
			<-p.exited
			await(t, "the end of the child's child", func() bool { return !alive(t, pid) })
		})
	}
}

func TestProcessThatFails(t *testing.T) {
	needsShell(t)
	p, err := startProcess(t.TempDir(), []string{"WORD=here"}, []string{"/bin/sh", "-c", "echo $WORD; exit 3"})
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	err = p.ready(t.Context(), http.DefaultClient, "https://localhost:1/")
	if err == nil || !strings.Contains(err.Error(), "ended before") {
		t.Errorf("ready: %v, want that it ended", err)
	}
	if log := p.log.tail(2); !strings.Contains(log, "here") || !strings.Contains(log, "status 3") {
		t.Errorf("log = %q, want its output and its status", log)
	}
}

func TestReadyHeedsItsContext(t *testing.T) {
	needsShell(t)
	p, err := startProcess(t.TempDir(), nil, tree)
	if err != nil {
		t.Fatal(err)
	}
	defer p.stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.ready(ctx, http.DefaultClient, "https://localhost:1/"); err == nil {
		t.Error("ready, though nobody listens")
	}
}

func TestLogIsBounded(t *testing.T) {
	var l boundedLog
	for range 3 {
		for _, size := range []int{logLimit / 2, logLimit * 2, 10} {
			if n, err := l.Write([]byte(strings.Repeat("x", size-1) + "\n")); n != size || err != nil {
				t.Fatalf("Write = %d, %v; want %d", n, err, size)
			}
			if l.buf.Len() > logLimit {
				t.Fatalf("%d bytes kept, want at most %d", l.buf.Len(), logLimit)
			}
		}
	}
	if got := l.tail(1); got != "xxxxxxxxx" {
		t.Errorf("tail = %q, want the last line", got)
	}
}

// alive reports whether a process runs; one that waits for its parent to
// notice its end does not.
func alive(t *testing.T, pid string) bool {
	t.Helper()
	ps, err := exec.LookPath("ps")
	if err != nil {
		t.Skip("there is no ps here to look at processes with")
	}
	// The status is 1 for a process that is not there.
	out, _ := exec.CommandContext(t.Context(), ps, "-o", "stat=", "-p", pid).Output()
	state := strings.TrimSpace(string(out))
	return state != "" && !strings.HasPrefix(state, "Z")
}

// await polls until done, for as long as an OP may take to start.
func await(t *testing.T, what string, done func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	for !done() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-tick.C:
		}
	}
}
