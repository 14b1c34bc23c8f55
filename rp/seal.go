package rp

import (
	"errors"

	"rely.example/internal/seal"
)

// MinKey is the least length of a key in Config.Keys, in bytes.
const MinKey = 32

// The classes of store keys; what precedes the colon is told apart by the store
// when it runs out of room.
const (
	pendingClass   = "pending:"
	grantClass     = "grant:"
	tombstoneClass = "tombstone:"
	clientClass    = "client:"
	leaseClass     = "lease:"
	healthClass    = "health:" // never written
	cibaClass      = "ciba:"
)

// ring seals and opens records, each bound to its store key. The first key seals,
// all open.
type ring seal.Ring

// newRing derives what is needed from the keys. Without any it makes one that is
// this process's alone.
func newRing(keys [][]byte) (ring, error) {
	r, err := seal.New("rely.example/rp", keys)
	return ring(r), sealFailed(err)
}

// seal makes a value that opens only under the store key that it is for.
func (r ring) seal(place string, plain []byte) ([]byte, error) {
	sealed, err := seal.Ring(r).Seal("record", place, plain)
	return sealed, sealFailed(err)
}

// open is the reverse of seal. A value that is short, damaged, moved, of another
// version or of an unknown key is BadRecord.
func (r ring) open(place string, sealed []byte) ([]byte, error) {
	plain, err := seal.Ring(r).Open("record", place, sealed)
	return plain, sealFailed(err)
}

func sealFailed(err error) error {
	e, ok := errors.AsType[*seal.Error](err)
	if !ok {
		return err
	}
	reason := BadConfig
	if e.Kind == seal.BadValue {
		reason = BadRecord
	}
	return &Error{Reason: reason, Detail: e.Detail, Err: e.Err}
}
