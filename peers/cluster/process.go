package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
)

// maxWords bounds what is kept of what a process says, in bytes.
const maxWords = 64 << 10

// process is one process of the application.
type process struct {
	name, addr string
	cmd        *exec.Cmd
	stdin      io.Closer
	words      words
}

// startProcess starts one and waits until it serves.
func startProcess(program string, c nodeConfig, log io.Writer) (*process, error) {
	text, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	p := &process{name: c.Name, cmd: exec.Command(program)}
	p.cmd.Env = append(os.Environ(), nodeVariable+"="+string(text))
	p.cmd.Stderr = io.MultiWriter(&p.words, log)
	in, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.stdin = in
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if err != nil || !ok {
		p.kill()
		return nil, fmt.Errorf("a process did not come up: %q, %w: %s", line, errors.Join(err), p.words.String())
	}
	p.addr = addr
	return p, nil
}

// kill ends the process as it is, and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()         // it was killed
}

// stop lets the process end by itself.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	if err := p.cmd.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", p.name, err, p.words.String())
	}
	return nil
}

// words keeps the end of what is written.
type words struct {
	mu  sync.Mutex // guards buf
	buf []byte
}

// Write implements io.Writer.
func (w *words) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.buf = append(w.buf, p...)
	w.buf = w.buf[max(0, len(w.buf)-maxWords):]
	return len(p), nil
}

func (w *words) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.buf)
}
