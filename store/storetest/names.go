package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"rely.example/store"
)

// wantTagged asserts the keys under a tag.
func (r *run) wantTagged(what, tag string, keys ...string) error {
	got, err := r.s.Tagged(r.ctx, tag)
	if err != nil {
		return fmt.Errorf("%s, Tagged: %w", what, err)
	}
	slices.Sort(got)
	slices.Sort(keys)
	if !slices.Equal(got, keys) {
		return fmt.Errorf("%s, Tagged: %q, want %q", what, got, keys)
	}
	return nil
}

func tags(r *run) error {
	a, b := r.tag("a"), r.tag("b")
	one, two, none := r.record("one", "1", a, b), r.record("two", "2", a), r.record("none", "0")
	for _, rec := range []store.Record{one, two, none} {
		if _, err := r.create(rec); err != nil {
			return err
		}
	}
	return errors.Join(
		r.wantTagged("two bearers", a, one.Key, two.Key),
		r.wantTagged("one bearer", b, one.Key),
		// A tag is no key, and a key no tag.
		r.wantTagged("a key for a tag", one.Key),
		r.wantGone("a tag for a key", a),
	)
}

func tagsFollowRecords(r *run) error {
	a, b, c := r.tag("a"), r.tag("b"), r.tag("c")
	rec, err := r.create(r.record("k", "v", a, b))
	if err != nil {
		return err
	}
	rec.Tags = []string{b, c}
	if rec, err = r.s.Replace(r.ctx, rec); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	if err := errors.Join(
		r.wantTagged("a tag that went", a),
		r.wantTagged("a tag that stayed", b, rec.Key),
		r.wantTagged("a tag that came", c, rec.Key),
	); err != nil {
		return err
	}
	if _, err := r.s.Take(r.ctx, rec.Key); err != nil {
		return fmt.Errorf("Take: %w", err)
	}
	if err := errors.Join(r.wantTagged("after Take", b), r.wantTagged("after Take", c)); err != nil {
		return err
	}
	// The same key again, without the tag, is not found under it.
	again, err := r.create(r.record("k", "v", a))
	if err != nil {
		return err
	}
	if err := errors.Join(r.wantTagged("made anew", a, again.Key), r.wantTagged("made anew", b)); err != nil {
		return err
	}
	if err := r.s.Delete(r.ctx, again.Key); err != nil {
		return err
	}
	return r.wantTagged("after Delete", a)
}

// tagsDuringReplace lists while a bearer is replaced over and over.
func tagsDuringReplace(r *run) error {
	tag := r.tag("t")
	rec, err := r.create(r.record("k", "v", tag, r.tag("other")))
	if err != nil {
		return err
	}
	key := rec.Key
	var replaced atomic.Bool
	_, err = r.race(2, nil, func(i int, _ store.Store) error {
		if i == 0 {
			for !replaced.Load() {
				if err := r.wantTagged("while it is replaced", tag, key); err != nil {
					return err
				}
			}
			return nil
		}
		defer replaced.Store(true)
		for n := range 100 {
			next := rec
			next.Tags = []string{r.tag(strconv.Itoa(n)), tag}
			var err error
			if rec, err = r.s.Replace(r.ctx, next); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func tagsOfMany(r *run) error {
	tag := r.tag("t")
	var keys []string
	for i := range 300 {
		rec := r.record(strconv.Itoa(i), "v", tag)
		if _, err := r.create(rec); err != nil {
			return err
		}
		keys = append(keys, rec.Key)
	}
	if err := r.wantTagged("300 bearers", tag, slices.Clone(keys)...); err != nil {
		return err
	}
	if _, err := r.race(150, nil, func(i int, s store.Store) error { return s.Delete(r.ctx, keys[2*i]) }); err != nil {
		return err
	}
	var left []string
	for i := 1; i < len(keys); i += 2 {
		left = append(left, keys[i])
	}
	return r.wantTagged("150 bearers", tag, left...)
}

// namesAreExact uses what patterns, separators and folding would confuse.
func namesAreExact(r *run) error {
	names := []string{"a", "A", "a*", "a%", "a_", "a?", "[a]", "{a}", "{b}a", "a:b", "a::b", "a\\", "a'", "a\"", "a;", "aa", "~", "!"}
	for _, name := range names {
		if _, err := r.create(r.record(name, name, r.tag(name))); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range names {
		got, err := r.s.Load(r.ctx, r.prefix+name)
		if err != nil || string(got.Value) != name {
			return fmt.Errorf("under %q stands %q, %v", name, got.Value, err)
		}
		if err := r.wantTagged(name, r.tag(name), r.prefix+name); err != nil {
			return err
		}
	}
	return nil
}

func values(r *run) error {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	for name, v := range map[string][]byte{"nil": nil, "empty": {}, "all-bytes": all, "zeros": make([]byte, 1000), "invalid-UTF-8": {0xff, 0xfe, 0xc0}} {
		rec := r.record(name, "", r.tag("t"))
		rec.Value = v
		kept, err := r.create(rec)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := r.wantLoad(name, kept); err != nil {
			return err
		}
		got, err := r.s.Take(r.ctx, rec.Key)
		if err := errors.Join(err, same(name+", Take", got, rec)); err != nil {
			return err
		}
	}
	return nil
}

func boundsAccepted(r *run) error {
	rec := r.record(strings.Repeat("k", store.MaxKey-len(r.prefix)), "")
	rec.Value = make([]byte, store.MaxValue)
	for i := range rec.Value {
		rec.Value[i] = byte(i * 7)
	}
	for i := range store.MaxTags {
		rec.Tags = append(rec.Tags, r.tag(strconv.Itoa(i)+strings.Repeat("t", store.MaxTag-len(r.prefix)-1)))
	}
	kept, err := r.create(rec)
	if err != nil {
		return err
	}
	if err := r.wantLoad("at every limit", kept); err != nil {
		return err
	}
	for _, tag := range rec.Tags {
		if err := r.wantTagged("at every limit", tag, rec.Key); err != nil {
			return err
		}
	}
	kept.Value[0]++
	if kept, err = r.s.Replace(r.ctx, kept); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	return r.wantLoad("replaced at every limit", kept)
}

func boundsRefused(r *run) error {
	good, err := r.create(r.record("good", "v"))
	if err != nil {
		return err
	}
	for name, tc := range map[string]struct {
		change func(rec *store.Record)
		err    error
	}{
		"a value too long":      {func(rec *store.Record) { rec.Value = make([]byte, store.MaxValue+1) }, store.ErrTooLarge},
		"a tag too many":        {func(rec *store.Record) { rec.Tags = strings.Split("1 2 3 4 5 6 7 8 9", " ") }, store.ErrInvalid},
		"a tag too long":        {func(rec *store.Record) { rec.Tags = []string{strings.Repeat("t", store.MaxTag+1)} }, store.ErrInvalid},
		"an empty tag":          {func(rec *store.Record) { rec.Tags = []string{""} }, store.ErrInvalid},
		"a tag with a space":    {func(rec *store.Record) { rec.Tags = []string{"a b"} }, store.ErrInvalid},
		"a tag twice":           {func(rec *store.Record) { rec.Tags = []string{"a", "a"} }, store.ErrInvalid},
		"no expiry":             {func(rec *store.Record) { rec.Expires = time.Time{} }, store.ErrInvalid},
		"an expiry before 1970": {func(rec *store.Record) { rec.Expires = time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC) }, store.ErrInvalid},
		"an expiry beyond 9999": {func(rec *store.Record) { rec.Expires = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }, store.ErrInvalid},
	} {
		fresh := r.record("fresh", "v")
		tc.change(&fresh)
		_, createErr := r.s.Create(r.ctx, fresh)
		changed := good
		tc.change(&changed)
		_, replaceErr := r.s.Replace(r.ctx, changed)
		if err := errors.Join(
			want("Create with "+name, createErr, tc.err),
			want("Replace with "+name, replaceErr, tc.err),
			r.wantGone("Create with "+name, fresh.Key),
			r.wantLoad("Replace with "+name, good),
		); err != nil {
			return err
		}
	}
	for _, key := range []string{"", "a b", "a\x00", "a\n", "ä", "a\x7f", "\xff", strings.Repeat("k", store.MaxKey+1)} {
		_, createErr := r.s.Create(r.ctx, store.Record{Key: key, Expires: r.later()})
		_, replaceErr := r.s.Replace(r.ctx, store.Record{Key: key, Expires: r.later(), Rev: 1})
		_, loadErr := r.s.Load(r.ctx, key)
		_, takeErr := r.s.Take(r.ctx, key)
		_, taggedErr := r.s.Tagged(r.ctx, key)
		for what, err := range map[string]error{"Create": createErr, "Replace": replaceErr, "Load": loadErr, "Take": takeErr, "Delete": r.s.Delete(r.ctx, key), "Tagged": taggedErr} {
			if err := want(fmt.Sprintf("%s of %.20q", what, key), err, store.ErrInvalid); err != nil {
				return err
			}
		}
	}
	return nil
}

func nothingIsAliased(r *run) error {
	rec := r.record("k", "abc", r.tag("t"))
	kept, err := r.create(rec)
	if err != nil {
		return err
	}
	unharmed := func(what string) error {
		got, err := r.s.Load(r.ctx, rec.Key)
		if err != nil || string(got.Value) != "abc" || len(got.Tags) != 1 || got.Tags[0] != r.tag("t") {
			return fmt.Errorf("after writing to %s the record is %q, %q, %v", what, got.Value, got.Tags, err)
		}
		return r.wantTagged("after writing to "+what, r.tag("t"), rec.Key)
	}
	spoil := func(rec store.Record) {
		for i := range rec.Value {
			rec.Value[i] = 'X'
		}
		for i := range rec.Tags {
			rec.Tags[i] = "spoilt"
		}
		_ = append(rec.Value, 'Y')
	}
	spoil(rec)
	if err := unharmed("what Create was given"); err != nil {
		return err
	}
	spoil(kept)
	if err := unharmed("what Create returned"); err != nil {
		return err
	}
	loaded, err := r.s.Load(r.ctx, rec.Key)
	if err != nil {
		return err
	}
	next := store.Record{Key: rec.Key, Value: []byte("abc"), Tags: []string{r.tag("t")}, Expires: loaded.Expires, Rev: loaded.Rev}
	spoil(loaded)
	if err := unharmed("what Load returned"); err != nil {
		return err
	}
	if kept, err = r.s.Replace(r.ctx, next); err != nil {
		return fmt.Errorf("Replace: %w", err)
	}
	spoil(next)
	if err := unharmed("what Replace was given"); err != nil {
		return err
	}
	spoil(kept)
	if err := unharmed("what Replace returned"); err != nil {
		return err
	}
	keys, err := r.s.Tagged(r.ctx, r.tag("t"))
	if err != nil {
		return err
	}
	clear(keys)
	return unharmed("what Tagged returned")
}

func doneContexts(r *run) error {
	kept, err := r.create(r.record("k", "v", r.tag("t")))
	if err != nil {
		return err
	}
	canceled, cancel := context.WithCancel(r.ctx)
	cancel()
	late, cancel := context.WithDeadline(r.ctx, time.Unix(1, 0))
	defer cancel()
	for _, ctx := range []context.Context{canceled, late} {
		fresh := r.record("fresh", "v")
		changed := kept
		changed.Value = []byte("changed")
		_, createErr := r.s.Create(ctx, fresh)
		_, replaceErr := r.s.Replace(ctx, changed)
		_, loadErr := r.s.Load(ctx, kept.Key)
		_, takeErr := r.s.Take(ctx, kept.Key)
		_, taggedErr := r.s.Tagged(ctx, r.tag("t"))
		if err := errors.Join(
			want("Create", createErr, ctx.Err()),
			want("Replace", replaceErr, ctx.Err()),
			want("Load", loadErr, ctx.Err()),
			want("Take", takeErr, ctx.Err()),
			want("Delete", r.s.Delete(ctx, kept.Key), ctx.Err()),
			want("Tagged", taggedErr, ctx.Err()),
			r.wantGone("after a Create that was not to be", fresh.Key),
			r.wantLoad("after nothing was done", kept),
		); err != nil {
			return err
		}
	}
	return nil
}

// anotherProcess passes records from one Store value to the other.
func anotherProcess(r *run) error {
	if r.Another == nil {
		return nil
	}
	tag := r.tag("t")
	kept, err := r.create(r.record("k", "1", tag))
	if err != nil {
		return err
	}
	got, err := r.Another.Load(r.ctx, kept.Key)
	if err := errors.Join(err, same("Load elsewhere", got, kept)); err != nil {
		return err
	}
	_, err = r.Another.Create(r.ctx, kept)
	if err := want("Create elsewhere", err, store.ErrConflict); err != nil {
		return err
	}
	got.Value = []byte("2")
	if got, err = r.Another.Replace(r.ctx, got); err != nil {
		return fmt.Errorf("Replace elsewhere: %w", err)
	}
	_, err = r.s.Replace(r.ctx, kept)
	if err := want("Replace of what was replaced elsewhere", err, store.ErrConflict); err != nil {
		return err
	}
	if err := r.eventually(func() error { return r.wantLoad("replaced elsewhere", got) }); err != nil {
		return err
	}
	if err := r.wantTagged("replaced elsewhere", tag, kept.Key); err != nil {
		return err
	}
	if err := r.Another.Delete(r.ctx, kept.Key); err != nil {
		return fmt.Errorf("Delete elsewhere: %w", err)
	}
	if err := r.eventually(func() error {
		_, err := r.s.Load(r.ctx, kept.Key)
		return want("Load of what was deleted elsewhere", err, store.ErrNotFound)
	}); err != nil {
		return err
	}
	return errors.Join(r.wantGone("deleted elsewhere", kept.Key), r.wantTagged("deleted elsewhere", tag))
}

// eventually gives a Load the time by which it may lag.
func (r *run) eventually(f func() error) error {
	deadline := time.Now().Add(r.Lag)
	for {
		err := f()
		if err == nil || !time.Now().Before(deadline) {
			return err
		}
		select {
		case <-time.After(time.Millisecond):
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}
