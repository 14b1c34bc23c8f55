package login

import (
	"errors"

	"rely.example/internal/seal"
)

// MinKey is the least length of a key in Config.Keys, in bytes.
const MinKey = 32

// ring seals and opens values: the first key seals, all open.
type ring seal.Ring

func newRing(keys [][]byte) (ring, error) {
	r, err := seal.New("rely.example/login", keys)
	return ring(r), sealFailed(err)
}

// seal makes a value that opens for the same purpose and place alone.
func (r ring) seal(purpose, place string, plain []byte) ([]byte, error) {
	sealed, err := seal.Ring(r).Seal(purpose, place, plain)
	return sealed, sealFailed(err)
}

// open is the reverse of seal.
func (r ring) open(purpose, place string, sealed []byte) ([]byte, error) {
	plain, err := seal.Ring(r).Open(purpose, place, sealed)
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
