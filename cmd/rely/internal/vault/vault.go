// Package vault keeps what a user of the command must not lose and nobody else
// may read: registrations and tokens, a record for each profile.
//
// A record is one file, mode 0600, in a directory of mode 0700. Its secret half
// is sealed (AES-256-GCM) under a key in the keychain of the operating system,
// where there is one, and in the clear where there is none. The keychain holds
// the key and not the records, since keychains have room for a few thousand
// bytes and no notion of two processes that write at once.
//
// A file that other users can read, that belongs to another user or that is a
// symbolic link is refused; files are replaced by renaming a finished one, so
// that none is ever half-written (hostile catalogue case 333). A lock for each
// record lets two processes refresh one token once (case 335).
package vault

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
)

// maxRecord bounds the file of a record, in bytes.
const maxRecord = 4 << 20

// lockRetry is how often a lock that another process holds is tried again.
const lockRetry = 20 * time.Millisecond

// suffixes of the files in the directory.
const (
	recordSuffix = ".json"
	lockSuffix   = ".lock"
)

// ErrNotFound says that there is no record of that name.
var ErrNotFound = errors.New("there is no such profile")

// Vault is a directory of records. The zero value is unusable; Dir is required.
type Vault struct {
	// Dir is the directory; it is made when the first record is saved.
	Dir string
	// Keychain holds the key that seals records; nil means none: records are
	// saved in the clear.
	Keychain Keychain
	// RequireKeychain refuses to save in the clear. Zero means that records
	// are saved in the clear where the keychain does not answer.
	RequireKeychain bool
}

// Record is what is kept under a name.
type Record struct {
	// Public is JSON that lists may show.
	Public json.RawMessage
	// Secret is sealed where a keychain is.
	Secret []byte
	// Sealed reports whether the secret was found sealed by Load, or sealed by
	// Save. Save never writes such a record in the clear again.
	Sealed bool

	key []byte // what Load opened it with
}

// file is how a record is written.
type file struct {
	Version int             `json:"rely"`
	Public  json.RawMessage `json:"public"`
	// One of the two is there.
	Sealed []byte          `json:"sealed,omitempty"`
	Clear  json.RawMessage `json:"secret,omitempty"`
}

// version is what this package writes, and the one that it reads.
const version = 1

// nameForm is what a name may look like. It never changes.
var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,99}$`)

// CheckName refuses a name that is no file name everywhere.
func CheckName(name string) error {
	if !nameForm.MatchString(name) || strings.HasSuffix(name, ".") {
		return fmt.Errorf("the profile name %q is not usable: expected lower-case letters, digits, dots, hyphens and underscores, at most 100", name)
	}
	return nil
}

// Names returns the names of all records, sorted.
func (v *Vault) Names() ([]string, error) {
	entries, err := os.ReadDir(v.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("the directory of profiles cannot be read: %w", err)
	}
	var names []string
	for _, e := range entries {
		if n, ok := strings.CutSuffix(e.Name(), recordSuffix); ok && CheckName(n) == nil {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Load reads a record. ErrNotFound means that there is none. A sealed one asks
// the keychain, and may wait for the user to unlock it.
func (v *Vault) Load(ctx context.Context, name string) (Record, error) {
	f, err := v.read(name)
	if err != nil {
		return Record{}, err
	}
	r := Record{Public: f.Public, Secret: f.Clear, Sealed: f.Sealed != nil}
	if f.Sealed == nil {
		return r, nil
	}
	if v.Keychain == nil {
		return Record{}, fmt.Errorf("profile %s is sealed with a key in the keychain, which is switched off: use --keychain=auto", name)
	}
	key, err := v.Keychain.Get(ctx, unlockTimeout)
	if err != nil {
		return Record{}, fmt.Errorf("profile %s is sealed with a key in the keychain, which could not be read: %w", name, err)
	}
	if r.Secret, err = open(key, name, f.Public, f.Sealed); err != nil {
		return Record{}, fmt.Errorf("%s: %w", v.path(name), err)
	}
	r.key = key
	return r, nil
}

// Public reads the public half of a record, without asking the keychain.
func (v *Vault) Public(name string) (public json.RawMessage, sealed bool, err error) {
	f, err := v.read(name)
	return f.Public, f.Sealed != nil, err
}

// Save writes a record, replacing the one of that name. It is there wholly or
// not at all. The caller holds its Lock.
func (v *Vault) Save(ctx context.Context, name string, r *Record) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := v.makeDir(); err != nil {
		return err
	}
	f := file{Version: version, Public: r.Public}
	// The key that opened it closes it: a keychain that stops answering in
	// between must not cost a token that was just refreshed.
	key, err := r.key, error(nil)
	if key == nil {
		if key, err = v.sealingKey(ctx); err != nil {
			return err
		}
	}
	switch {
	case key != nil:
		if f.Sealed, err = seal(key, name, r.Public, r.Secret); err != nil {
			return err
		}
	case r.Sealed:
		return fmt.Errorf("the profile %s is sealed, and the keychain that holds the key does not answer; nothing was saved", name)
	default:
		f.Clear = r.Secret
	}
	b, err := json.Marshal(f)
	if err != nil {
		return fmt.Errorf("the profile %s cannot be encoded: %w", name, err)
	}
	if len(b) > maxRecord {
		return fmt.Errorf("the profile %s has %d bytes; at most %d are kept", name, len(b), maxRecord)
	}
	if err := v.replace(v.path(name), b); err != nil {
		return err
	}
	r.Sealed, r.key = key != nil, key
	return nil
}

// Delete removes a record; one that is not there is no error. The caller holds
// its Lock. The lock file stays: removed, it would let two holders in.
func (v *Vault) Delete(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := os.Remove(v.path(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("the profile %s cannot be removed: %w", name, err)
	}
	return nil
}

// Lock waits until no other process works on the record, which need not exist,
// and returns what lets go of it. The lock ends with the process at the latest.
func (v *Vault) Lock(ctx context.Context, name string) (unlock func(), err error) {
	if err := CheckName(name); err != nil {
		return nil, err
	}
	if err := v.makeDir(); err != nil {
		return nil, err
	}
	return v.lock(ctx, name)
}

func (v *Vault) lock(ctx context.Context, name string) (unlock func(), err error) {
	l := flock.New(filepath.Join(v.Dir, name+lockSuffix), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, lockRetry); err != nil {
		return nil, fmt.Errorf("the lock of %s was not obtained: %w", name, err)
	}
	return func() { _ = l.Unlock() }, nil
}

// currentFile names the record that commands use unless told otherwise.
const currentFile = "current"

// Current returns the name that SetCurrent kept, or "".
func (v *Vault) Current() (string, error) {
	b, err := readPrivate(filepath.Join(v.Dir, currentFile), 1024)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	name := strings.TrimSpace(string(b))
	if CheckName(name) != nil {
		return "", nil
	}
	return name, nil
}

// SetCurrent keeps a name for Current.
func (v *Vault) SetCurrent(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if err := v.makeDir(); err != nil {
		return err
	}
	return v.replace(filepath.Join(v.Dir, currentFile), []byte(name+"\n"))
}

// Where says in words where a record with that seal is kept.
func (v *Vault) Where(name string, sealed bool) string {
	if sealed {
		return v.path(name) + ", sealed with a key in the keychain"
	}
	return v.path(name) + ", readable by this user alone"
}

func (v *Vault) path(name string) string { return filepath.Join(v.Dir, name+recordSuffix) }

func (v *Vault) read(name string) (file, error) {
	if err := CheckName(name); err != nil {
		return file{}, err
	}
	if err := v.checkDir(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return file{}, ErrNotFound
		}
		return file{}, err
	}
	b, err := readPrivate(v.path(name), maxRecord)
	if errors.Is(err, fs.ErrNotExist) {
		return file{}, ErrNotFound
	}
	if err != nil {
		return file{}, err
	}
	var f file
	if err := json.Unmarshal(b, &f); err != nil || f.Public == nil || (f.Sealed == nil) == (f.Clear == nil) {
		return file{}, fmt.Errorf("%s is damaged or was not written by rely; move it away and log in again", v.path(name))
	}
	if f.Version != version {
		return file{}, fmt.Errorf("%s was written by another version of rely: format %d, expected %d", v.path(name), f.Version, version)
	}
	return f, nil
}

// ReadPrivate reads a file that holds a secret, as a record is read: it must be
// a regular file of this user's that nobody else can read, of at most max
// bytes.
func ReadPrivate(path string, max int64) ([]byte, error) { return readPrivate(path, max) }
