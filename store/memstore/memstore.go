// Package memstore keeps records in memory: the store for one process whose
// state may end with it.
//
// It is bounded. Each class of keys (see store.Record) holds a number of records
// and of bytes, and beyond that forgets those that were longest unwritten, in
// that class alone: however many logins strangers begin, they displace the
// logins of strangers and no session. What expires is forgotten a little with
// every call, so there is no goroutine and no pause; a store that nobody calls
// keeps what it has.
package memstore

import (
	"cmp"
	"container/heap"
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"rely.example/store"
)

// Defaults of Store.
const (
	DefaultMaxRecords = 1 << 20
	DefaultMaxBytes   = 256 << 20
)

const (
	shards = 64

	// maxClasses bounds the classes that are told apart. Keys of any further
	// class count with those of none.
	maxClasses = 16

	// overhead is what a record takes beside its key, value and tags, and a tag
	// beside its name, in bytes: the structures below and their share of maps
	// and heap.
	overhead    = 192
	tagOverhead = 96

	// sweepPerCall is how many expired records one call forgets at most. More
	// than one lets the sweep win over any rate of writing.
	sweepPerCall = 4
)

// Store is a store.Store in memory. Its zero value is ready to use. It must not
// be copied, nor its fields changed, once it is used.
type Store struct {
	// MaxRecords is how many records each class holds. Zero: DefaultMaxRecords.
	MaxRecords int64

	// MaxBytes is how many bytes the records of each class take, about, with
	// keys, values, tags and what they cost to keep. Zero: DefaultMaxBytes.
	MaxBytes int64

	// Now tells the time. Nil: time.Now.
	Now func() time.Time

	once    sync.Once // sets seed
	seed    maphash.Seed
	rev     atomic.Uint64
	shards  [shards]shard
	indexes [shards]index

	classMu sync.Mutex // guards growing of classes
	classes [maxClasses]class
	grown   atomic.Int32 // how many of classes, beyond the first, have their name
}

var (
	_ store.Store  = (*Store)(nil)
	_ store.Looker = (*Store)(nil)
)

// shard is the records whose keys fall together. The lock of an index is taken
// within that of a shard, never the other way round.
type shard struct {
	mu     sync.Mutex // guards the fields below and the records in them
	recs   map[string]*record
	expiry expiryHeap
	lists  [maxClasses]list
}

// index is the tags whose names fall together.
type index struct {
	mu   sync.Mutex // guards tags, what is in them, and every bearing.pos
	tags map[string]*bearers
}

// bearers are the records with one tag.
type bearers struct {
	tag string
	all []*bearing
}

// bearing is one record's place among the bearers of one tag. All but pos stays
// as it is made.
type bearing struct {
	of  *bearers
	rec *record
	pos int
}

// record is a live or expired record. A value, once here, is never written to:
// it may be read without the lock by who got it under the lock.
type record struct {
	key        string
	value      []byte
	bearing    []*bearing
	expires    int64 // Unix milliseconds
	rev        uint64
	class      int
	heap       int // place in shard.expiry
	prev, next *record
}

// class counts the records of one class.
type class struct {
	name    string
	records atomic.Int64
	bytes   atomic.Int64
	evicted atomic.Uint64
	expired atomic.Uint64
	oldest  [shards]atomic.Uint64 // rev of the first in each shard's list, or 0
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, r store.Record) (store.Record, error) {
	if err := s.checkWrite(ctx, &r); err != nil {
		return store.Record{}, err
	}
	c := s.class(store.Class(r.Key))
	n := s.hash(r.Key)
	sh := &s.shards[n]
	value := slices.Clone(r.Value)

	sh.mu.Lock()
	now := s.now()
	s.sweep(n, now)
	if old := sh.recs[r.Key]; old != nil {
		if old.expires > now {
			sh.mu.Unlock()
			return store.Record{}, store.ErrConflict
		}
		s.remove(n, old)
		s.classes[old.class].expired.Add(1)
	}
	rec := &record{key: strings.Clone(r.Key), value: value, expires: r.Expires.UnixMilli(), rev: s.rev.Add(1), class: c}
	kept := rec.kept(r.Tags)
	if rec.expires > now {
		if sh.recs == nil {
			sh.recs = make(map[string]*record)
		}
		sh.recs[rec.key] = rec
		heap.Push(&sh.expiry, rec)
		s.enlist(n, rec)
		s.setTags(rec, r.Tags)
		s.count(rec, 1)
	}
	sh.mu.Unlock()
	s.makeRoom(c)
	kept.Value = slices.Clone(kept.Value)
	return kept, nil
}

// Replace implements store.Store.
func (s *Store) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	if err := s.checkWrite(ctx, &r); err != nil {
		return store.Record{}, err
	}
	n := s.hash(r.Key)
	sh := &s.shards[n]
	value := slices.Clone(r.Value)

	sh.mu.Lock()
	now := s.now()
	s.sweep(n, now)
	rec := sh.recs[r.Key]
	if rec == nil || rec.expires <= now || rec.rev != r.Rev {
		sh.mu.Unlock()
		return store.Record{}, store.ErrConflict
	}
	s.count(rec, -1)
	s.unlist(n, rec)
	rec.value, rec.expires, rec.rev = value, r.Expires.UnixMilli(), s.rev.Add(1)
	s.setTags(rec, r.Tags)
	heap.Fix(&sh.expiry, rec.heap)
	s.enlist(n, rec)
	s.count(rec, 1)
	kept := rec.kept(r.Tags)
	if rec.expires <= now {
		s.remove(n, rec)
	}
	c := rec.class
	sh.mu.Unlock()
	s.makeRoom(c)
	kept.Value = slices.Clone(kept.Value)
	return kept, nil
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := ctx.Err(); err != nil {
		return store.Record{}, err
	}
	n := s.hash(key)
	sh := &s.shards[n]
	sh.mu.Lock()
	now := s.now()
	s.sweep(n, now)
	rec := sh.recs[key]
	if rec == nil || rec.expires <= now {
		sh.mu.Unlock()
		// What is found is valid, so only a miss, the rare case, needs to look.
		if err := store.CheckKey(key); err != nil {
			return store.Record{}, err
		}
		return store.Record{}, store.ErrNotFound
	}
	r := rec.view()
	sh.mu.Unlock()
	r.Value = slices.Clone(r.Value)
	return r, nil
}

// Current implements store.Looker.
func (s *Store) Current(ctx context.Context, key string, rev uint64) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	n := s.hash(key)
	sh := &s.shards[n]
	sh.mu.Lock()
	now := s.now()
	s.sweep(n, now)
	rec := sh.recs[key]
	current := rec != nil && rec.expires > now && rec.rev == rev
	sh.mu.Unlock()
	if !current {
		return false, store.CheckKey(key) // what is found is valid
	}
	return true, nil
}

// Take implements store.Store.
func (s *Store) Take(ctx context.Context, key string) (store.Record, error) {
	if err := checkRead(ctx, key); err != nil {
		return store.Record{}, err
	}
	n := s.hash(key)
	sh := &s.shards[n]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	now := s.now()
	s.sweep(n, now)
	rec := sh.recs[key]
	if rec == nil || rec.expires <= now {
		return store.Record{}, store.ErrNotFound
	}
	r := rec.view()
	s.remove(n, rec)
	// A Load that runs beside this may still be reading the value.
	r.Value = slices.Clone(r.Value)
	return r, nil
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkRead(ctx, key); err != nil {
		return err
	}
	n := s.hash(key)
	sh := &s.shards[n]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if rec := sh.recs[key]; rec != nil {
		s.remove(n, rec)
	}
	s.sweep(n, s.now())
	return nil
}

// Tagged implements store.Store.
func (s *Store) Tagged(ctx context.Context, tag string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.CheckTag(tag); err != nil {
		return nil, err
	}
	x := &s.indexes[s.hash(tag)]
	x.mu.Lock()
	var keys []string
	if b := x.tags[tag]; b != nil {
		keys = make([]string, len(b.all))
		for i, b := range b.all {
			keys[i] = b.rec.key
		}
	}
	x.mu.Unlock()
	// What the index held may be gone or expired; only a shard knows.
	live := keys[:0]
	for _, key := range keys {
		n := s.hash(key)
		sh := &s.shards[n]
		sh.mu.Lock()
		rec := sh.recs[key]
		if rec != nil && rec.expires > s.now() && slices.ContainsFunc(rec.bearing, func(b *bearing) bool { return b.of.tag == tag }) {
			live = append(live, key)
		}
		sh.mu.Unlock()
	}
	// A key that was removed and made anew meanwhile may stand twice.
	slices.Sort(live)
	return slices.Compact(live), nil
}

// Stats counts what a class holds and what it has forgotten.
type Stats struct {
	Class   string // empty: keys without a class, and those of the 16th and later
	Records int64  // held, expired ones that are not yet forgotten included
	Bytes   int64  // about what they take
	Evicted uint64 // forgotten before they expired, for want of room
	Expired uint64 // forgotten after they expired
}

// Stats returns the counts of every class seen so far, by name.
func (s *Store) Stats() []Stats {
	var all []Stats
	for i := range s.grown.Load() + 1 {
		c := &s.classes[i]
		all = append(all, Stats{c.name, c.records.Load(), c.bytes.Load(), c.evicted.Load(), c.expired.Load()})
	}
	slices.SortFunc(all, func(a, b Stats) int { return cmp.Compare(a.Class, b.Class) })
	return all
}

func (s *Store) checkWrite(ctx context.Context, r *store.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := r.Check(); err != nil {
		return err
	}
	if n := size(r.Key, r.Value, r.Tags); n > s.maxBytes() {
		return fmt.Errorf("%w: %d bytes in all, MaxBytes is %d", store.ErrTooLarge, n, s.maxBytes())
	}
	return nil
}

func checkRead(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// now is in milliseconds, as Expires is, so that a record ends for every method
// at the same moment.
func (s *Store) now() int64 {
	if s.Now != nil {
		return s.Now().UnixMilli()
	}
	return time.Now().UnixMilli()
}

func (s *Store) hash(name string) int {
	s.once.Do(func() { s.seed = maphash.MakeSeed() })
	return int(maphash.String(s.seed, name) % shards)
}

func (s *Store) maxRecords() int64 {
	if s.MaxRecords <= 0 {
		return DefaultMaxRecords
	}
	return s.MaxRecords
}

func (s *Store) maxBytes() int64 {
	if s.MaxBytes <= 0 {
		return DefaultMaxBytes
	}
	return s.MaxBytes
}

// size is what a record takes, about.
func size(key string, value []byte, tags []string) int64 {
	n := overhead + len(key) + len(value)
	for _, t := range tags {
		n += tagOverhead + len(t)
	}
	return int64(n)
}

// view is the record as the caller sees it, but for its value, which is ours.
func (rec *record) view() store.Record {
	r := store.Record{Key: rec.key, Value: rec.value, Expires: time.UnixMilli(rec.expires).UTC(), Rev: rec.rev}
	if len(rec.bearing) > 0 {
		r.Tags = make([]string, len(rec.bearing))
		for i, b := range rec.bearing {
			r.Tags[i] = b.of.tag
		}
	}
	return r
}

// kept is what a write of rec returns, but for its value, which is ours.
func (rec *record) kept(tags []string) store.Record {
	return store.Record{Key: rec.key, Value: rec.value, Tags: slices.Clone(tags), Expires: time.UnixMilli(rec.expires).UTC(), Rev: rec.rev}
}
