package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	"rely.example/cmd/rely/internal/har"
	"rely.example/oidc"
)

// archive keeps the exchanges of this command for --har. Nil keeps none.
type archive struct {
	file string

	mu        sync.Mutex // guards exchanges
	exchanges []oidc.Exchange
}

// check refuses a file that cannot be there, before anything is done that it
// should have kept.
func (a *archive) check() error {
	dir := filepath.Dir(a.file)
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return usage(nil, wrapf(err, "--har"))
	case !info.IsDir():
		return usage(nil, errors.New("--har: "+quoted(dir)+" is no directory"))
	}
	return nil
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
	f, err := os.OpenFile(a.file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return usage(nil, wrapf(err, "--har"))
	}
	_, err = f.Write(append(text, '\n'))
	return errors.Join(err, f.Close())
}
