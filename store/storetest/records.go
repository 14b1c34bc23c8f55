package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"rely.example/store"
)

// same asserts that got is want as a store keeps it. Rev is not compared.
func same(what string, got, want store.Record) error {
	gotTags, wantTags := slices.Sorted(slices.Values(got.Tags)), slices.Sorted(slices.Values(want.Tags))
	switch {
	case got.Key != want.Key:
		return fmt.Errorf("%s: key %q, want %q", what, got.Key, want.Key)
	case !bytes.Equal(got.Value, want.Value):
		return fmt.Errorf("%s: value of %d bytes, want %d bytes, or other ones", what, len(got.Value), len(want.Value))
	case !slices.Equal(gotTags, wantTags):
		return fmt.Errorf("%s: tags %q, want %q", what, gotTags, wantTags)
	case !got.Expires.Equal(store.Expiry(want.Expires)):
		return fmt.Errorf("%s: expires %v, want %v", what, got.Expires, store.Expiry(want.Expires))
	case got.Rev == 0:
		return fmt.Errorf("%s: Rev is zero", what)
	}
	return nil
}

// wantLoad asserts that the record is kept just so.
func (r *run) wantLoad(what string, rec store.Record) error {
	got, err := r.s.Load(r.ctx, rec.Key)
	if err != nil {
		return fmt.Errorf("%s, Load: %w", what, err)
	}
	if got.Rev != rec.Rev {
		return fmt.Errorf("%s, Load: Rev %d, want %d", what, got.Rev, rec.Rev)
	}
	return same(what+", Load", got, rec)
}

func createThenLoad(r *run) error {
	rec := r.record("k", "value", r.tag("a"), r.tag("b"))
	rec.Rev = 77 // ignored
	kept, err := r.create(rec)
	if err != nil {
		return err
	}
	return errors.Join(same("Create", kept, rec), r.wantLoad("after Create", kept))
}

func createConflicts(r *run) error {
	kept, err := r.create(r.record("k", "1", r.tag("one")))
	if err != nil {
		return err
	}
	for _, rev := range []uint64{0, kept.Rev} {
		other := r.record("k", "2", r.tag("two"))
		other.Rev = rev
		_, err = r.s.Create(r.ctx, other)
		if err := want("Create of a live key", err, store.ErrConflict); err != nil {
			return err
		}
	}
	keys, err := r.s.Tagged(r.ctx, r.tag("two"))
	if err != nil || len(keys) != 0 {
		return fmt.Errorf("a Create that conflicts left its tag: %q, %v", keys, err)
	}
	return r.wantLoad("after a conflict", kept)
}

// currentSeesWhatLoadSees is of the stores that are a store.Looker.
func currentSeesWhatLoadSees(r *run) error {
	l, ok := r.s.(store.Looker)
	if !ok {
		return nil
	}
	says := func(what string, rec store.Record, want bool) error {
		got, err := l.Current(r.ctx, rec.Key, rec.Rev)
		if err != nil || got != want {
			return fmt.Errorf("%s: Current says %v, %v, want %v", what, got, err, want)
		}
		return nil
	}
	first := r.record("k", "1")
	if err := says("before Create", store.Record{Key: first.Key, Rev: 1}, false); err != nil {
		return err
	}
	first, err := r.create(first)
	if err != nil {
		return err
	}
	next := first
	next.Value = []byte("2")
	if err := errors.Join(says("after Create", first, true), says("Rev of none", store.Record{Key: first.Key}, false)); err != nil {
		return err
	}
	second, err := r.s.Replace(r.ctx, next)
	if err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	if err := errors.Join(says("after Replace, the old one", first, false), says("after Replace", second, true)); err != nil {
		return err
	}
	if err := r.s.Delete(r.ctx, second.Key); err != nil {
		return fmt.Errorf("Delete: %w", err)
	}
	_, bad := l.Current(r.ctx, "", 1)
	return errors.Join(says("after Delete", second, false), want("Current of no key", bad, store.ErrInvalid))
}

func missingRecords(r *run) error {
	rec := r.record("k", "v")
	rec.Rev = 1
	_, replaceErr := r.s.Replace(r.ctx, rec)
	keys, taggedErr := r.s.Tagged(r.ctx, r.tag("t"))
	if len(keys) != 0 {
		return fmt.Errorf("Tagged of an unknown tag: %q", keys)
	}
	return errors.Join(
		want("Replace", replaceErr, store.ErrConflict),
		want("Delete", r.s.Delete(r.ctx, rec.Key), nil),
		want("Tagged", taggedErr, nil),
		r.wantGone("what never was", rec.Key),
	)
}

func replaceSwaps(r *run) error {
	first, err := r.create(r.record("k", "first", r.tag("a")))
	if err != nil {
		return err
	}
	next := first
	next.Value, next.Tags, next.Expires = []byte("second, and longer"), []string{r.tag("b"), r.tag("c")}, r.later().Add(1e9)
	second, err := r.s.Replace(r.ctx, next)
	if err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	if err := errors.Join(same("Replace", second, next), r.wantLoad("after Replace", second)); err != nil {
		return err
	}
	for what, rev := range map[string]uint64{"an old Rev": first.Rev, "a Rev of zero": 0, "a Rev never given": second.Rev ^ 1<<40} {
		stale := first
		stale.Rev, stale.Value, stale.Tags = rev, []byte("stale"), []string{r.tag("stale")}
		_, err = r.s.Replace(r.ctx, stale)
		if err := want("Replace with "+what, err, store.ErrConflict); err != nil {
			return err
		}
	}
	if keys, err := r.s.Tagged(r.ctx, r.tag("stale")); err != nil || len(keys) != 0 {
		return fmt.Errorf("a Replace that conflicts left its tag: %q, %v", keys, err)
	}
	return r.wantLoad("after conflicts", second)
}

func replaceNeverRevives(r *run) error {
	for name, end := range map[string]func(store.Record) error{
		"Delete": func(rec store.Record) error { return r.s.Delete(r.ctx, rec.Key) },
		"Take":   func(rec store.Record) error { _, err := r.s.Take(r.ctx, rec.Key); return err },
		"expiry": func(rec store.Record) error { return r.pass(rec.Expires) },
		"Delete and Create anew": func(rec store.Record) error {
			if err := r.s.Delete(r.ctx, rec.Key); err != nil {
				return err
			}
			_, err := r.create(store.Record{Key: rec.Key, Value: rec.Value, Expires: r.later()})
			return err
		},
	} {
		rec := r.record(strings.ReplaceAll(name, " ", "-"), "v", r.tag("t"))
		rec.Expires = r.soon()
		kept, err := r.create(rec)
		if err != nil {
			return err
		}
		if err := end(kept); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		kept.Expires, kept.Value = r.later(), []byte("revived")
		_, err = r.s.Replace(r.ctx, kept)
		if err := want("Replace after "+name, err, store.ErrConflict); err != nil {
			return err
		}
		got, err := r.s.Load(r.ctx, kept.Key)
		if string(got.Value) == "revived" || strings.HasSuffix(name, "anew") != (err == nil) {
			return fmt.Errorf("Load after %s: %q, %v", name, got.Value, err)
		}
	}
	return nil
}

func revsDiffer(r *run) error {
	seen := make(map[uint64]bool)
	note := func(rec store.Record, err error) error {
		if err == nil && seen[rec.Rev] {
			err = fmt.Errorf("Rev %d was given twice to one key", rec.Rev)
		}
		seen[rec.Rev] = true
		return err
	}
	rec := r.record("k", "the same value")
	for range 5 {
		kept, err := r.create(rec)
		if err := note(kept, err); err != nil {
			return err
		}
		for range 3 {
			kept, err = r.s.Replace(r.ctx, kept)
			if err := note(kept, err); err != nil {
				return err
			}
		}
		if err := r.s.Delete(r.ctx, rec.Key); err != nil {
			return err
		}
	}
	return nil
}

func takeRemoves(r *run) error {
	rec := r.record("k", "v", r.tag("t"))
	kept, err := r.create(rec)
	if err != nil {
		return err
	}
	got, err := r.s.Take(r.ctx, rec.Key)
	if err != nil || got.Rev != kept.Rev {
		return fmt.Errorf("Take: Rev %d, want %d, error %v", got.Rev, kept.Rev, err)
	}
	if err := errors.Join(same("Take", got, rec), r.wantGone("after Take", rec.Key)); err != nil {
		return err
	}
	_, err = r.create(rec)
	return err
}

func deleteRemoves(r *run) error {
	rec := r.record("k", "v", r.tag("t"))
	if _, err := r.create(rec); err != nil {
		return err
	}
	for range 2 {
		if err := r.s.Delete(r.ctx, rec.Key); err != nil {
			return fmt.Errorf("Delete: %w", err)
		}
	}
	if err := r.wantGone("after Delete", rec.Key); err != nil {
		return err
	}
	_, err := r.create(rec)
	return err
}

// race runs f in many goroutines at once and returns how many of them won: they
// returned nil and not lost. Any other error fails the case.
func (r *run) race(n int, lost error, f func(i int, s store.Store) error) (int, error) {
	var won atomic.Int32
	errs := make(chan error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			switch err := f(i, r.each(i)); {
			case err == nil:
				won.Add(1)
			case lost == nil || !errors.Is(err, lost):
				errs <- err
			}
		})
	}
	close(start)
	wg.Wait()
	close(errs)
	return int(won.Load()), <-errs
}

func oneWinner(what string, won int, err error) error {
	if err == nil && won != 1 {
		err = fmt.Errorf("%s: %d winners, want 1", what, won)
	}
	return err
}

func createHasOneWinner(r *run) error {
	key, exp := r.key("k"), r.later()
	won, err := r.race(r.Goroutines, store.ErrConflict, func(i int, s store.Store) error {
		_, err := s.Create(r.ctx, store.Record{Key: key, Value: []byte(strconv.Itoa(i)), Expires: exp})
		return err
	})
	return oneWinner("Create", won, err)
}

func takeHasOneWinner(r *run) error {
	rec := r.record("k", "v")
	if _, err := r.create(rec); err != nil {
		return err
	}
	won, err := r.race(r.Goroutines, store.ErrNotFound, func(_ int, s store.Store) error {
		got, err := s.Take(r.ctx, rec.Key)
		if err == nil && string(got.Value) != "v" {
			err = fmt.Errorf("Take: value %q", got.Value)
		}
		return err
	})
	return oneWinner("Take", won, err)
}

func replaceHasOneWinner(r *run) error {
	kept, err := r.create(r.record("k", "v"))
	if err != nil {
		return err
	}
	won, err := r.race(r.Goroutines, store.ErrConflict, func(i int, s store.Store) error {
		mine := kept
		mine.Value = []byte(strconv.Itoa(i))
		_, err := s.Replace(r.ctx, mine)
		return err
	})
	return oneWinner("Replace of one Rev", won, err)
}

// takeOrReplace lets one Take and one Replace of the same Rev meet, many times:
// whoever comes second must see it, so the record that Replace wrote is the one
// that Take got, or Replace conflicts and nothing is left.
func takeOrReplace(r *run) error {
	for round := range 50 {
		kept, err := r.create(r.record("k"+strconv.Itoa(round), "old"))
		if err != nil {
			return err
		}
		var taken store.Record
		var replaceErr error
		if _, err := r.race(2, nil, func(i int, s store.Store) (err error) {
			if i == 0 {
				taken, err = s.Take(r.ctx, kept.Key)
				return err
			}
			mine := kept
			mine.Value = []byte("new")
			if _, replaceErr = s.Replace(r.ctx, mine); errors.Is(replaceErr, store.ErrConflict) {
				return nil
			}
			return replaceErr
		}); err != nil {
			return err
		}
		if (string(taken.Value) == "new") != (replaceErr == nil) {
			return fmt.Errorf("Take got %q, while Replace returned %v", taken.Value, replaceErr)
		}
		if err := r.wantGone("after Take and Replace", kept.Key); err != nil {
			return err
		}
	}
	return nil
}

func replaceLosesNoUpdate(r *run) error {
	rec := r.record("k", "0")
	if _, err := r.create(rec); err != nil {
		return err
	}
	const writers, updates = 8, 10
	if _, err := r.race(writers, nil, func(_ int, s store.Store) error {
		for done := 0; done < updates; {
			cur, err := s.Load(r.ctx, rec.Key)
			if err != nil {
				return err
			}
			n, err := strconv.Atoi(string(cur.Value))
			if err != nil {
				return err
			}
			cur.Value = []byte(strconv.Itoa(n + 1))
			switch _, err := s.Replace(r.ctx, cur); {
			case err == nil:
				done++
			case !errors.Is(err, store.ErrConflict):
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	got, err := r.s.Load(r.ctx, rec.Key)
	if err != nil || string(got.Value) != strconv.Itoa(writers*updates) {
		return fmt.Errorf("after %d updates the count is %q, %v", writers*updates, got.Value, err)
	}
	return nil
}

// deleteBeatsReplace is a logout during refreshes: once Delete has returned, no
// writer brings the record back.
func deleteBeatsReplace(r *run) error {
	for round := range 20 {
		rec := r.record("k"+strconv.Itoa(round), "v", r.tag("t"))
		if _, err := r.create(rec); err != nil {
			return err
		}
		if _, err := r.race(8, nil, func(i int, s store.Store) error {
			if i == 0 {
				return s.Delete(r.ctx, rec.Key)
			}
			for {
				cur, err := s.Load(r.ctx, rec.Key)
				if errors.Is(err, store.ErrNotFound) {
					return nil
				}
				if err != nil {
					return err
				}
				if _, err := s.Replace(r.ctx, cur); err != nil && !errors.Is(err, store.ErrConflict) {
					return err
				}
			}
		}); err != nil {
			return err
		}
		keys, err := r.s.Tagged(r.ctx, r.tag("t"))
		if err != nil || len(keys) != 0 {
			return fmt.Errorf("after Delete the tag still lists %q, %v", keys, err)
		}
		if err := r.wantGone("after Delete among Replaces", rec.Key); err != nil {
			return err
		}
	}
	return nil
}

// loadSeesWholeRecords reads while others write: value, tags and Rev must be of
// one write.
func loadSeesWholeRecords(r *run) error {
	rec := r.record("k", strings.Repeat("0", 10000), r.tag("0"))
	if _, err := r.create(rec); err != nil {
		return err
	}
	_, err := r.race(8, nil, func(i int, s store.Store) error {
		for n := range 40 {
			cur, err := s.Load(r.ctx, rec.Key)
			if err != nil {
				return err
			}
			digit := string(cur.Value[:1])
			if string(cur.Value) != strings.Repeat(digit, 10000) || len(cur.Tags) != 1 || cur.Tags[0] != r.tag(digit) {
				return errors.New("Load returned a mixture of two writes")
			}
			if i > 3 {
				continue
			}
			digit = strconv.Itoa((n + i) % 10)
			cur.Value, cur.Tags = []byte(strings.Repeat(digit, 10000)), []string{r.tag(digit)}
			if _, err := s.Replace(r.ctx, cur); err != nil && !errors.Is(err, store.ErrConflict) {
				return err
			}
		}
		return nil
	})
	return err
}
