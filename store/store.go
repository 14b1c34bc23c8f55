// Package store is the contract between Rely and whatever keeps its state:
// pending logins, grants, sessions, leases, identifiers seen before.
//
// Most programs take a store as it is: memstore keeps records in memory, and the
// modules beside this package keep them in SQLite, PostgreSQL, Redis or Valkey.
// Who writes another one proves it with package storetest, which is this
// contract as a test.
//
// There is no blind write. A record is made where none is, or put in the place
// of the very one that was read; so a slow writer can neither lose another's
// change nor revive what was ended meanwhile.
package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Bounds on a record. Every store accepts up to them and refuses what is beyond.
const (
	MaxKey   = 512     // bytes of a key
	MaxValue = 1 << 20 // bytes of a value
	MaxTags  = 8       // tags of a record
	MaxTag   = 512     // bytes of a tag
)

// What a store answers. Any other error, save those of the context, means that
// the store could not answer: the record may be there or not, and the write may
// have been done or not. Callers must not take that for ErrNotFound.
var (
	// ErrNotFound: there is no live record under the key.
	ErrNotFound = errors.New("store: no live record")
	// ErrConflict: a live record stands where Create was to make one, or the one
	// that Replace was to replace has changed or is gone.
	ErrConflict = errors.New("store: the record exists, has changed or is gone")
	// ErrInvalid: the record, key or tag is not one that any store takes.
	ErrInvalid = errors.New("store: invalid record")
	// ErrTooLarge: the value is longer than MaxValue, or than this store can
	// ever hold.
	ErrTooLarge = errors.New("store: value too large")
)

// Record is what is kept under a key until it expires.
type Record struct {
	// Key is 1 to MaxKey bytes of visible ASCII (0x21 to 0x7e). What precedes
	// its first colon is its class ("pending:…", "grant:…"): a store that must
	// forget for want of room forgets within the class that grows, so that what
	// strangers can create does not displace what they cannot. Classes are few
	// and never chosen by a stranger. Keys are seen in dumps and logs of the
	// store; who puts a secret into one hashes it first.
	Key string

	// Value is up to MaxValue bytes of any kind; nil and empty are the same.
	Value []byte

	// Tags are names under which Tagged finds the record: at most MaxTags, each
	// like a key but up to MaxTag bytes, none twice. Their order is not kept.
	Tags []string

	// Expires is when the record ends, by the store's own clock. It is kept in
	// whole milliseconds, rounded down. Zero is refused: nothing is kept for
	// ever. A time already past is accepted, and the record is never seen.
	Expires time.Time

	// Rev is set by the store: not zero, and another one after every Create and
	// Replace, also after a record of the same key was removed and made anew.
	// Revs are compared for equality only; they have no order. Create ignores
	// what the caller wrote here.
	Rev uint64
}

// Store keeps records. Implementations are safe for concurrent use, by many
// goroutines and, if the store is shared, by many processes.
//
// Each operation on one key is atomic and takes effect at one moment between its
// call and its return. A record is live from its Create until it expires or is
// taken, deleted or evicted; what is not live does not exist for any method.
// A Load or Tagged sees every write that returned before it was called, with one
// exception: a store that caches may let a Load lag behind writes made through
// another Store value, by a time that it documents. Create, Replace and Take
// never lag.
//
// A method whose context is already done returns the context's error and does
// nothing. One whose context ends meanwhile returns soon, with an error for which
// errors.Is(err, ctx.Err()) holds or with its result; a write may then have been
// done or not.
//
// A store neither keeps nor changes the slices that it is given, and those that
// it returns belong to the caller.
//
// A record that the store holds but cannot decode is an error of its own, not
// ErrNotFound, and harms no other record.
type Store interface {
	// Create makes a record under a key that has no live one, and returns it as
	// it is kept, with its Rev. It returns ErrConflict if there is one. Among
	// many concurrent calls exactly one succeeds, so a lease is a Create whose
	// Expires is its end.
	Create(ctx context.Context, r Record) (Record, error)

	// Replace puts r in the place of the live record with r's Key and r's Rev,
	// Value, Tags and Expires alike, and returns it as it is kept, with its new
	// Rev. It returns ErrConflict if there is no live record of that Rev: it
	// never makes one. With an Expires that is past it removes the record if it
	// is still the one that was read, which is how a lease is given back.
	Replace(ctx context.Context, r Record) (Record, error)

	// Load returns the live record under key, or ErrNotFound.
	Load(ctx context.Context, key string) (Record, error)

	// Take removes the live record under key and returns it, or ErrNotFound.
	// Among many concurrent calls exactly one gets it.
	Take(ctx context.Context, key string) (Record, error)

	// Delete removes the record under key. It is no error if there is none.
	Delete(ctx context.Context, key string) error

	// Tagged returns the keys of the live records that bear tag, each once, in no
	// order; none is no error. A record that is written while Tagged runs may be
	// listed or not; one that bears the tag before and after is listed.
	Tagged(ctx context.Context, tag string) ([]string, error)
}

// Looker is what a Store may implement beside, for callers that keep what they
// made of a record and ask with every use of it whether it is still that one. It
// is an upgrade: without it they call Load.
type Looker interface {
	// Current reports whether there is a live record under key, with the
	// revision rev. It sees what Load would see, and its errors are those of
	// Load, except that a missing record is no error.
	Current(ctx context.Context, key string, rev uint64) (bool, error)
}

// Check reports what in r no store takes, as an error that wraps ErrInvalid or
// ErrTooLarge, or returns nil. It does not look at Rev. Every store calls it
// before it writes.
func (r *Record) Check() error {
	if err := CheckKey(r.Key); err != nil {
		return err
	}
	if len(r.Value) > MaxValue {
		return fmt.Errorf("%w: %d bytes, limit %d", ErrTooLarge, len(r.Value), MaxValue)
	}
	if len(r.Tags) > MaxTags {
		return fmt.Errorf("%w: %d tags, limit %d", ErrInvalid, len(r.Tags), MaxTags)
	}
	for i, tag := range r.Tags {
		if err := CheckTag(tag); err != nil {
			return err
		}
		if slices.Contains(r.Tags[:i], tag) {
			return fmt.Errorf("%w: tag %d is there twice", ErrInvalid, i)
		}
	}
	// The years that every back end can write: beyond them a time would wrap, or
	// end at once instead of never.
	if r.Expires.IsZero() || r.Expires.Year() < 1970 || r.Expires.Year() > 9999 {
		return fmt.Errorf("%w: Expires is %s, want a time from 1970 to 9999", ErrInvalid, r.Expires.Format(time.RFC3339))
	}
	return nil
}

// CheckKey reports what is wrong with a key, as an error that wraps ErrInvalid.
func CheckKey(key string) error { return checkName("key", key, MaxKey) }

// CheckTag reports what is wrong with a tag, as an error that wraps ErrInvalid.
func CheckTag(tag string) error { return checkName("tag", tag, MaxTag) }

// checkName does not quote the name, which may be as secret as what it names.
func checkName(what, s string, limit int) error {
	if len(s) == 0 || len(s) > limit {
		return fmt.Errorf("%w: a %s of %d bytes, want 1 to %d", ErrInvalid, what, len(s), limit)
	}
	for i := range len(s) {
		if s[i] < 0x21 || s[i] > 0x7e {
			return fmt.Errorf("%w: a %s with the byte %#02x at offset %d, want visible ASCII", ErrInvalid, what, s[i], i)
		}
	}
	return nil
}

// Class returns what precedes the first colon of a key; empty if there is none.
func Class(key string) string {
	for i := range len(key) {
		if key[i] == ':' {
			return key[:i]
		}
	}
	return ""
}

// Expiry returns t as every store keeps it: in UTC and whole milliseconds,
// rounded down, without a monotonic clock.
func Expiry(t time.Time) time.Time { return time.UnixMilli(t.UnixMilli()).UTC() }
