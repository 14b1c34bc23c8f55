// Package storetest is the contract of store.Store as a test. An implementation
// calls Run from one test function; a program that is to judge a deployment
// calls Check.
//
// Everything it writes has keys and tags of its own, random to each case, and is
// removed again or expires within minutes, so it may be run against a store that
// is in use.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"rely.example/store"
)

// Subject is a store to be judged and how to go about it.
type Subject struct {
	// Store is the store. It may hold other records.
	Store store.Store

	// Another, if not nil, is another Store value over the same records, as
	// another process would have. Races are then run through both.
	Another store.Store

	// Now tells the store's time. Nil: time.Now, of which the store's own clock
	// should be within Skew.
	Now func() time.Time

	// Advance moves the store's clock on. Nil: it runs by itself, and the cases
	// of expiry wait for it.
	Advance func(d time.Duration)

	// Skew is how far the store's clock may be from Now where there is no
	// Advance. Zero: 50 ms.
	Skew time.Duration

	// Lag is how long a Load may lag behind a write made through another Store
	// value, as the store documents it. Zero: not at all.
	Lag time.Duration

	// Goroutines is how many race for one record. Zero: 1000.
	Goroutines int

	// Only names the one case that Check is to run. Empty: all.
	Only string
}

// Result is the outcome of one case.
type Result struct {
	Name string
	Err  error // nil: the store keeps this promise
	Took time.Duration
}

// T is a *testing.T, by what Run needs of it: so that a program which calls Check
// has nothing of package testing in it.
type T[Self any] interface {
	Run(name string, f func(t Self)) bool
	Context() context.Context
	Error(args ...any)
}

// Run runs every case as a subtest, each on a Subject of its own. The test fails
// with every promise that is broken.
func Run[Test T[Test]](t Test, open func(t Test) Subject) {
	for _, c := range cases() {
		t.Run(c.name, func(t Test) {
			if err := judge(t.Context(), c, open(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

// Check runs every case on one Subject, one after another, and returns what came
// of each. It stops early only if ctx ends; what was not run is missing then.
func Check(ctx context.Context, s Subject) []Result {
	var results []Result
	for _, c := range cases() {
		if ctx.Err() != nil {
			break
		}
		if s.Only != "" && s.Only != c.name {
			continue
		}
		start := time.Now()
		err := judge(ctx, c, s)
		results = append(results, Result{c.name, err, time.Since(start)})
	}
	return results
}

// testCase is one promise of the contract.
type testCase struct {
	name string
	run  func(r *run) error
}

func cases() []testCase {
	return []testCase{
		{"CreateThenLoad", createThenLoad},
		{"CreateConflicts", createConflicts},
		{"CreateHasOneWinner", createHasOneWinner},
		{"MissingRecords", missingRecords},
		{"ReplaceSwaps", replaceSwaps},
		{"ReplaceHasOneWinner", replaceHasOneWinner},
		{"ReplaceNeverRevives", replaceNeverRevives},
		{"ReplaceLosesNoUpdate", replaceLosesNoUpdate},
		{"DeleteBeatsReplace", deleteBeatsReplace},
		{"RevsDiffer", revsDiffer},
		{"TakeRemoves", takeRemoves},
		{"TakeHasOneWinner", takeHasOneWinner},
		{"TakeOrReplace", takeOrReplace},
		{"DeleteRemoves", deleteRemoves},
		{"CurrentSeesWhatLoadSees", currentSeesWhatLoadSees},
		{"LoadSeesWholeRecords", loadSeesWholeRecords},
		{"Expiry", expiry},
		{"ExpiryMoves", expiryMoves},
		{"ExpiryOfLeases", expiryOfLeases},
		{"ExpiryPast", expiryPast},
		{"ExpiryPrecision", expiryPrecision},
		{"Tags", tags},
		{"TagsFollowRecords", tagsFollowRecords},
		{"TagsDuringReplace", tagsDuringReplace},
		{"TagsOfMany", tagsOfMany},
		{"NamesAreExact", namesAreExact},
		{"Values", values},
		{"BoundsAccepted", boundsAccepted},
		{"BoundsRefused", boundsRefused},
		{"NothingIsAliased", nothingIsAliased},
		{"DoneContexts", doneContexts},
		{"AnotherProcess", anotherProcess},
	}
}

// run is one case on one subject.
type run struct {
	Subject
	s      store.Store
	ctx    context.Context
	prefix string
	keys   []string // to be removed in the end
}

func judge(ctx context.Context, c testCase, s Subject) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Skew == 0 {
		s.Skew = 50 * time.Millisecond
	}
	if s.Goroutines == 0 {
		s.Goroutines = 1000
	}
	r := &run{Subject: s, s: s.Store, ctx: ctx, prefix: "storetest:" + rand.Text() + ":"}
	err := c.run(r)
	for _, key := range r.keys {
		err = errors.Join(err, r.s.Delete(context.WithoutCancel(ctx), key))
	}
	return err
}

// key returns a key, and tag a tag, that no other case uses.
func (r *run) key(name string) string {
	key := r.prefix + name
	r.keys = append(r.keys, key)
	return key
}

func (r *run) tag(name string) string { return r.prefix + name }

// later is an expiry that no case reaches.
func (r *run) later() time.Time { return r.Now().Add(5 * time.Minute) }

// soon is an expiry that pass reaches.
func (r *run) soon() time.Time {
	if r.Advance != nil {
		return r.Now().Add(time.Minute)
	}
	return r.Now().Add(r.Skew + 250*time.Millisecond)
}

// pass lets the store's time come to t, which is when a record of that expiry
// has ended.
func (r *run) pass(t time.Time) error {
	d := t.Sub(r.Now())
	if r.Advance != nil {
		r.Advance(d)
		return nil
	}
	select {
	case <-time.After(d + r.Skew):
		return nil
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
}

// record is a record under a key of its own.
func (r *run) record(name, value string, tags ...string) store.Record {
	return store.Record{Key: r.key(name), Value: []byte(value), Tags: tags, Expires: r.later()}
}

// create makes a record that must be made.
func (r *run) create(rec store.Record) (store.Record, error) {
	kept, err := r.s.Create(r.ctx, rec)
	if err != nil {
		return kept, fmt.Errorf("Create: got %w, want a record", err)
	}
	return kept, nil
}

// each returns the store for the i-th of many racers.
func (r *run) each(i int) store.Store {
	if r.Another != nil && i%2 == 1 {
		return r.Another
	}
	return r.s
}

// want asserts an error.
func want(what string, got, target error) error {
	if target == nil && got == nil || target != nil && errors.Is(got, target) {
		return nil
	}
	return fmt.Errorf("%s: got error %v, want %v", what, got, target)
}

// wantGone asserts that no method finds a live record, but for Create.
func (r *run) wantGone(what, key string) error {
	_, loadErr := r.s.Load(r.ctx, key)
	_, takeErr := r.s.Take(r.ctx, key)
	return errors.Join(
		want(what+", Load", loadErr, store.ErrNotFound),
		want(what+", Take", takeErr, store.ErrNotFound),
	)
}
