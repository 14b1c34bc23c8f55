// Package browser opens a URL in the user's browser.
//
// It is some lines of our own because they carry a rule that libraries for the
// purpose do not have: nothing but an http or https URL reaches another
// program, as one argument and through no shell (hostile catalogue case 332).
package browser

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// ErrNone says that there is no browser to open, as on a host without display.
var ErrNone = errors.New("there is no browser on this host")

// grace is how long an opener may take to report a failure. Openers end at
// once; one that becomes the browser itself stays, and is left alone.
const grace = 2 * time.Second

// Opener opens URLs.
type Opener struct {
	// Command is the program to start, with the URL as its one argument. Empty
	// means the one of the operating system, or the first of $BROWSER.
	Command string
	// Getenv reads the environment; nil means an empty one.
	Getenv func(string) string
	// GOOS is the operating system; empty means this one.
	GOOS string
}

// Find returns ErrNone where there is nothing to open a URL with.
func (o *Opener) Find() error {
	_, err := o.command("")
	return err
}

// Open opens rawURL. It returns ErrNone where there is nothing to open it with.
// It does not wait for the user to close the browser.
func (o *Opener) Open(ctx context.Context, rawURL string) error {
	if err := Check(rawURL); err != nil {
		return err
	}
	argv, err := o.command(rawURL)
	if err != nil {
		return err
	}
	// The command outlives ctx on purpose: a login that is interrupted must
	// not take the user's browser with it.
	cmd := exec.Command(argv[0], argv[1:]...)
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%s did not start: %w", argv[0], err)
	}
	done := make(chan error, 1)
	// This goroutine ends with the opener, or with the process.
	go func() { done <- cmd.Wait() }()
	t := time.NewTimer(grace)
	defer t.Stop()
	select {
	case err := <-done:
		if err != nil {
			return fmt.Errorf("%s failed: %w", argv[0], err)
		}
	case <-t.C:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// Check refuses what is no absolute http or https URL of printable ASCII: a
// file, a script, an option, or anything that a shell or a registry handler
// would take apart.
func Check(rawURL string) error {
	for i := 0; i < len(rawURL); i++ {
		if c := rawURL[i]; c <= ' ' || c > '~' || strings.IndexByte("\"'`<>|\\^{}$", c) >= 0 {
			return errors.New("the URL to open has a character that belongs percent-encoded; it was not opened")
		}
	}
	u, err := url.Parse(rawURL)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return errors.New("the URL to open is no http or https URL; it was not opened")
	}
	return nil
}

func (o *Opener) command(rawURL string) ([]string, error) {
	if o.Command != "" {
		return []string{o.Command, rawURL}, nil
	}
	goos := o.GOOS
	if goos == "" {
		goos = runtime.GOOS
	}
	switch goos {
	case "darwin":
		return []string{"open", rawURL}, nil
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", rawURL}, nil
	}
	// A display decides whether xdg-open can show anything: without one it
	// would start a text browser in the middle of our own output.
	if o.env("DISPLAY") == "" && o.env("WAYLAND_DISPLAY") == "" && o.env("WSL_DISTRO_NAME") == "" {
		return nil, ErrNone
	}
	names := []string{"xdg-open", "x-www-browser", "www-browser", "wslview"}
	if first, _, _ := strings.Cut(o.env("BROWSER"), ":"); first != "" && !strings.ContainsAny(first, " %") {
		names = append([]string{first}, names...)
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return []string{path, rawURL}, nil
		}
	}
	return nil, ErrNone
}

func (o *Opener) env(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return o.Getenv(name)
}
