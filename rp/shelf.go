package rp

import (
	"bytes"
	"context"
	"errors"

	"rely.example/store"
)

// shelf calls a store. A call that fails is made once more: after a restart of
// the store, every connection of a pool may be dead (hostile catalogue case
// 313). Since a write that failed may have been done, the second attempt knows
// its own work when it meets it.
//
// Its errors are store.ErrNotFound, store.ErrConflict, the caller's context, or
// an *Error.
type shelf struct{ s store.Store }

func isNotFound(err error) bool { return errors.Is(err, store.ErrNotFound) }
func isConflict(err error) bool { return errors.Is(err, store.ErrConflict) }

// again reports whether the same call may have another answer.
func again(ctx context.Context, err error) bool {
	return err != nil && !isNotFound(err) && !isConflict(err) && ctx.Err() == nil &&
		!errors.Is(err, store.ErrInvalid) && !errors.Is(err, store.ErrTooLarge)
}

func (s shelf) load(ctx context.Context, key string) (store.Record, error) {
	r, err := s.s.Load(ctx, key)
	if again(ctx, err) {
		r, err = s.s.Load(ctx, key)
	}
	return r, storeFailed("reading a record", err)
}

func (s shelf) tagged(ctx context.Context, tag string) ([]string, error) {
	keys, err := s.s.Tagged(ctx, tag)
	if again(ctx, err) {
		keys, err = s.s.Tagged(ctx, tag)
	}
	return keys, storeFailed("looking for records", err)
}

func (s shelf) remove(ctx context.Context, key string) error {
	err := s.s.Delete(ctx, key)
	if again(ctx, err) {
		err = s.s.Delete(ctx, key)
	}
	return storeFailed("removing a record", err)
}

// take is given up as failed if the first attempt may have taken the record:
// nobody can say then who has it.
func (s shelf) take(ctx context.Context, key string) (store.Record, error) {
	r, first := s.s.Take(ctx, key)
	if !again(ctx, first) {
		return r, storeFailed("taking a record", first)
	}
	r, err := s.s.Take(ctx, key)
	if isNotFound(err) {
		err = first
	}
	return r, storeFailed("taking a record", err)
}

func (s shelf) create(ctx context.Context, r store.Record) (store.Record, error) {
	kept, err := s.s.Create(ctx, r)
	if again(ctx, err) {
		if kept, err = s.s.Create(ctx, r); isConflict(err) {
			kept, err = s.own(ctx, r)
		}
	}
	return kept, storeFailed("writing a record", err)
}

func (s shelf) replace(ctx context.Context, r store.Record) (store.Record, error) {
	kept, err := s.s.Replace(ctx, r)
	if again(ctx, err) {
		if kept, err = s.s.Replace(ctx, r); isConflict(err) {
			kept, err = s.own(ctx, r)
		}
	}
	return kept, storeFailed("writing a record", err)
}

// own returns the record under r's key if it is what we wrote: sealed values
// are never the same twice.
func (s shelf) own(ctx context.Context, r store.Record) (store.Record, error) {
	kept, err := s.s.Load(ctx, r.Key)
	switch {
	case isNotFound(err):
		return kept, store.ErrConflict
	case err != nil:
		return kept, err
	case !bytes.Equal(kept.Value, r.Value):
		return store.Record{}, store.ErrConflict
	}
	return kept, nil
}

// stillConflict is for a Create under a key that nobody else can have made.
func stillConflict(doing string, err error) error {
	if isConflict(err) {
		return &Error{Reason: StoreUnavailable, Detail: doing + ": the store says that there is one already", Err: err}
	}
	return err
}
