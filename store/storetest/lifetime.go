package storetest

import (
	"errors"
	"fmt"
	"time"

	"rely.example/store"
)

func expiry(r *run) error {
	rec := r.record("k", "v", r.tag("t"))
	rec.Expires = r.soon()
	kept, err := r.create(rec)
	if err != nil {
		return err
	}
	if err := r.wantLoad("before it expires", kept); err != nil {
		return err
	}
	if err := r.pass(kept.Expires); err != nil {
		return err
	}
	keys, err := r.s.Tagged(r.ctx, r.tag("t"))
	if err != nil || len(keys) != 0 {
		return fmt.Errorf("after it expired Tagged returns %q, %v", keys, err)
	}
	_, replaceErr := r.s.Replace(r.ctx, kept)
	if err := errors.Join(
		r.wantGone("after it expired", rec.Key),
		want("Replace after it expired", replaceErr, store.ErrConflict),
		want("Delete after it expired", r.s.Delete(r.ctx, rec.Key), nil),
	); err != nil {
		return err
	}
	rec.Expires = r.later()
	_, err = r.create(rec)
	return err
}

// expiryMoves prolongs one record and shortens another.
func expiryMoves(r *run) error {
	long, short := r.record("long", "v", r.tag("t")), r.record("short", "v")
	long.Expires = r.soon()
	short.Expires = r.later()
	keptLong, err := r.create(long)
	if err != nil {
		return err
	}
	keptShort, err := r.create(short)
	if err != nil {
		return err
	}
	end := keptLong.Expires
	keptLong.Expires, keptShort.Expires = r.later(), end
	if keptLong, err = r.s.Replace(r.ctx, keptLong); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	if _, err = r.s.Replace(r.ctx, keptShort); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	if err := r.pass(end); err != nil {
		return err
	}
	keys, err := r.s.Tagged(r.ctx, r.tag("t"))
	if err != nil || len(keys) != 1 {
		return fmt.Errorf("Tagged of a prolonged record: %q, %v", keys, err)
	}
	return errors.Join(r.wantLoad("prolonged", keptLong), r.wantGone("shortened", short.Key))
}

// expiryOfLeases: a lease that was not given back can be had when it has ended,
// and whoever held it can neither prolong it then nor give back another's.
func expiryOfLeases(r *run) error {
	lease := r.record("lease", "first")
	lease.Expires = r.soon()
	first, err := r.create(lease)
	if err != nil {
		return err
	}
	lease.Value, lease.Expires = []byte("second"), r.later()
	_, err = r.s.Create(r.ctx, lease)
	if err := want("Create of a held lease", err, store.ErrConflict); err != nil {
		return err
	}
	if err := r.pass(first.Expires); err != nil {
		return err
	}
	lease.Expires = r.later()
	second, err := r.create(lease)
	if err != nil {
		return err
	}
	first.Expires = r.Now().Add(-time.Hour) // give back
	_, err = r.s.Replace(r.ctx, first)
	if err := errors.Join(want("giving back another's lease", err, store.ErrConflict), r.wantLoad("still held", second)); err != nil {
		return err
	}
	second.Expires = r.Now().Add(-time.Hour)
	if _, err = r.s.Replace(r.ctx, second); err != nil {
		return fmt.Errorf("giving back one's own lease: %w", err)
	}
	_, err = r.create(lease)
	return err
}

func expiryPast(r *run) error {
	rec := r.record("k", "v", r.tag("t"))
	rec.Expires = r.Now().Add(-time.Hour)
	if _, err := r.create(rec); err != nil {
		return err
	}
	keys, err := r.s.Tagged(r.ctx, r.tag("t"))
	if err != nil || len(keys) != 0 {
		return fmt.Errorf("Tagged of a record made in the past: %q, %v", keys, err)
	}
	if err := r.wantGone("made in the past", rec.Key); err != nil {
		return err
	}
	live := rec
	live.Expires = r.later()
	kept, err := r.create(live)
	if err != nil {
		return err
	}
	_, err = r.s.Create(r.ctx, rec)
	if err := errors.Join(want("Create in the past of a live key", err, store.ErrConflict), r.wantLoad("unharmed", kept)); err != nil {
		return err
	}
	kept.Expires = rec.Expires
	if _, err := r.s.Replace(r.ctx, kept); err != nil {
		return fmt.Errorf("Replace with a past expiry: %w", err)
	}
	keys, err = r.s.Tagged(r.ctx, r.tag("t"))
	if err != nil || len(keys) != 0 {
		return fmt.Errorf("Tagged after Replace with a past expiry: %q, %v", keys, err)
	}
	return r.wantGone("after Replace with a past expiry", rec.Key)
}

func expiryPrecision(r *run) error {
	for name, t := range map[string]time.Time{
		"fine":    r.later().Truncate(time.Second).Add(123*time.Millisecond + 999_999),
		"zone":    r.later().In(time.FixedZone("east", 5*3600)),
		"distant": time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	} {
		rec := r.record(name, "v")
		rec.Expires = t
		kept, err := r.create(rec)
		if err != nil {
			return err
		}
		if err := errors.Join(same("Create", kept, rec), r.wantLoad(name, kept)); err != nil {
			return err
		}
	}
	return nil
}
