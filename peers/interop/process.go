package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

const (
	// readyTimeout bounds how long an OP may take from its start to its first
	// metadata. The slowest needs about two seconds on two busy cores.
	readyTimeout = 60 * time.Second

	// readyInterval is the pause between two looks at an OP that is starting.
	readyInterval = 25 * time.Millisecond

	// requestTimeout bounds one request to an OP.
	requestTimeout = 30 * time.Second

	// logLimit bounds how much of what an OP prints is kept.
	logLimit = 1 << 20

	// lineLimit bounds one line of it where it is shown.
	lineLimit = 300
)

// guard runs the OP given as its arguments and outlives neither it nor us. It
// reads from a pipe whose other end only this process holds, so that the end of
// this process, however it comes, ends the OP too. Everything runs in a process
// group of its own, which "kill 0" addresses as a whole.
const guard = `("$@" </dev/null; echo "the process ended with status $?" >&2; kill -KILL 0) & read -r _; kill -KILL 0`

// process is an OP that runs as a child.
type process struct {
	cmd     *exec.Cmd
	stdin   io.Closer
	log     *boundedLog
	exited  chan struct{} // closed when the child is gone
	stopped sync.Once
}

// startProcess runs args in dir with env added to our own environment.
func startProcess(dir string, env, args []string) (*process, error) {
	p := &process{
		cmd:    exec.Command("/bin/sh", append([]string{"-c", guard, "guard"}, args...)...),
		log:    &boundedLog{},
		exited: make(chan struct{}),
	}
	p.cmd.Dir = dir
	p.cmd.Env = append(os.Environ(), env...)
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = ownGroup()
	// A grandchild may hold the output pipe open; do not wait for it.
	p.cmd.WaitDelay = time.Second
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = stdin
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		// The status says nothing: the group always ends by SIGKILL.
		_ = p.cmd.Wait()
		close(p.exited)
	}()
	return p, nil
}

// stop ends the whole process group and waits until it is gone.
func (p *process) stop() {
	p.stopped.Do(func() {
		killGroup(p.cmd.Process.Pid)
		_ = p.stdin.Close()
		<-p.exited
	})
}

// ready waits until url answers 200, the process ends, or readyTimeout passes.
func (p *process) ready(ctx context.Context, client *http.Client, url string) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	tick := time.NewTicker(readyInterval)
	defer tick.Stop()
	last := errors.New("not asked yet")
	for {
		select {
		case <-p.exited:
			return errors.New("it ended before it was ready")
		case <-ctx.Done():
			return fmt.Errorf("not ready after %s: %w", readyTimeout, last)
		case <-tick.C:
		}
		if last = probe(ctx, client, url); last == nil {
			return nil
		}
	}
}

func probe(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

// freePort returns a loopback port that nobody listens on. Another process may
// take it before the OP does; Start then tries again with another one.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// boundedLog keeps the latest of what was written to it, at most logLimit bytes.
type boundedLog struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *boundedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.buf.Len()+len(b) > logLimit {
		l.buf.Reset()
	}
	l.buf.Write(b[max(0, len(b)-logLimit):])
	return len(b), nil
}

// tail returns the last n lines, each cut to lineLimit bytes.
func (l *boundedLog) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	lines := strings.Split(strings.TrimRight(l.buf.String(), "\n"), "\n")
	lines = lines[max(0, len(lines)-n):]
	for i, line := range lines {
		if len(line) > lineLimit {
			lines[i] = line[:lineLimit] + "..."
		}
	}
	return strings.Join(lines, "\n")
}
