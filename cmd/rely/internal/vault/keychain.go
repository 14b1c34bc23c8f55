package vault

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/zalando/go-keyring"
)

// How long a keychain may take. A first question must not hold up a host whose
// secret service hangs; for a key that is known to be needed, the user may be
// typing the keychain's password.
const (
	probeTimeout  = 3 * time.Second
	unlockTimeout = 60 * time.Second
)

// ErrNoKey says that the keychain works and has no key of ours.
var ErrNoKey = errors.New("the keychain has no key of rely's")

// Keychain keeps one key.
type Keychain interface {
	// Get returns the key, within the time, or ErrNoKey.
	Get(ctx context.Context, within time.Duration) ([]byte, error)
	// Set keeps the key, within the time.
	Set(ctx context.Context, within time.Duration, key []byte) error
}

// SystemKeychain returns the keychain of the operating system: that of macOS,
// the Credential Manager of Windows, or the Secret Service of a desktop. It
// returns nil where there can be none.
func SystemKeychain(getenv func(string) string) Keychain {
	switch runtime.GOOS {
	case "darwin", "windows":
		return systemKeychain{}
	}
	// Without a session bus the client library would start one of its own,
	// which lives on after us.
	if getenv("DBUS_SESSION_BUS_ADDRESS") != "" {
		return systemKeychain{}
	}
	if _, err := os.Stat(fmt.Sprintf("/run/user/%d/bus", os.Getuid())); err == nil {
		return systemKeychain{}
	}
	return nil
}

type systemKeychain struct{}

// service and account name our item in the keychain.
const (
	service = "rely"
	account = "key of the profiles"
)

func (systemKeychain) Get(ctx context.Context, within time.Duration) ([]byte, error) {
	text, err := bounded(ctx, within, func() (string, error) { return keyring.Get(service, account) })
	if errors.Is(err, keyring.ErrNotFound) {
		return nil, ErrNoKey
	}
	if err != nil {
		return nil, err
	}
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, fmt.Errorf("the item %q of %q is not ours", account, service)
	}
	return key, nil
}

func (systemKeychain) Set(ctx context.Context, within time.Duration, key []byte) error {
	_, err := bounded(ctx, within, func() (string, error) {
		return "", keyring.Set(service, account, base64.StdEncoding.EncodeToString(key))
	})
	return err
}

// bounded gives up on a call that takes too long. The library offers no way to
// cancel one, so its goroutine stays until the keychain answers or the process
// ends, which for a command is soon.
func bounded(ctx context.Context, within time.Duration, f func() (string, error)) (string, error) {
	type answer struct {
		text string
		err  error
	}
	done := make(chan answer, 1)
	go func() {
		text, err := f()
		done <- answer{text, err}
	}()
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case a := <-done:
		return a.text, a.err
	case <-t.C:
		return "", fmt.Errorf("the keychain did not answer within %s", within)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}
