package cli

import (
	"context"
	"errors"
	"os"
	"runtime/debug"
	"sync"

	"rely.example/cmd/rely/internal/har"
	"rely.example/oidc"
)

// archive keeps the exchanges of this command for --har. Nil keeps none.
type archive struct {
	file *os.File

	mu        sync.Mutex // guards exchanges
	exchanges []oidc.Exchange
}

// openArchive refuses a file that cannot be written, before anything is done that it
// should have kept. What is in it stays until there is something else.
func openArchive(name string) (*archive, error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--har"))
	}
	return &archive{file: f}, nil
}

// trace sees the exchanges with their secrets masked, whatever --trace-secrets
// says: a file is passed on more easily than a terminal.
func (a *archive) trace() *oidc.Trace {
	if a == nil {
		return nil
	}
	return &oidc.Trace{Exchange: func(_ context.Context, e oidc.Exchange) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if len(a.exchanges) < har.MaxEntries {
			a.exchanges = append(a.exchanges, e)
		}
	}}
}

// write writes the file, for its owner alone.
func (a *archive) write() error {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	version := "devel"
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" {
		version = b.Main.Version
	}
	text, err := har.Encode("rely", version, a.exchanges)
	if err != nil {
		return wrapf(err, "--har")
	}
	// One that was there may be longer, and open to others; a terminal or a pipe stays
	// as it is.
	info, err := a.file.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = errors.Join(a.file.Chmod(0o600), a.file.Truncate(0))
	}
	if err == nil {
		_, err = a.file.Write(append(text, '\n'))
	}
	if err = errors.Join(err, a.file.Close()); err != nil {
		return wrapf(err, "--har")
	}
	return nil
}
