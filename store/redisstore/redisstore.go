// Package redisstore keeps records in Redis 6.2 or later, or in Valkey: in one
// server, in one that sentinels watch, or in a cluster.
//
//	s, err := redisstore.Open(ctx, "redis://:secret@cache.example.com:6379/0")
//
// What was loaded is kept in this process too, and the server says when it has
// changed. So a Load costs no journey as a rule, and may lag behind a write of
// another process: by the time that the server's word takes to arrive, less than
// a millisecond in one room, and by MaxLag at most if the connection broke
// without a sign. A Load never lags behind a write through the same Store, and
// nothing else ever lags.
//
// A record is one key of Redis and expires by the clock of the server. Each tag
// is a sorted set of keys, which is only where Tagged looks: whether a record
// bears the tag, the record says. So nothing need be atomic over several keys,
// and records and tags may be on different nodes of a cluster.
//
// Redis acknowledges a write before its replicas have it. A failover may
// therefore undo the last writes: a login that was taken can come back, and a
// session that was ended. min-replicas-to-write bounds that window.
package redisstore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"rely.example/store"
)

// MaxLag is by how much a Load may lag behind a write that was made through
// another Store, at most.
const MaxLag = 10 * time.Second

const (
	// defaultPrefix stands before every key, to share a database with others.
	defaultPrefix = "rely:"

	// taggedAtOnce is how many records Tagged asks for in one go.
	taggedAtOnce = 256
)

// Store is a store.Store in Redis. Open makes one.
type Store struct {
	client  rueidis.Client
	prefix  string
	written written // what this Store wrote while it may be cached
	closed  atomic.Bool
}

var _ store.Store = (*Store)(nil)

// replaceScript swaps a record if it begins as the one that was read: with the
// same version of the layout and the same Rev.
var replaceScript = rueidis.NewLuaScript(`
if redis.call('GETRANGE', KEYS[1], 0, 8) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PXAT', ARGV[3])
return 1`)

// tagScript enters a key under a tag until the record ends, never for shorter
// than it was entered before, and forgets keys whose records have ended. The set
// ends with the last of them.
var tagScript = rueidis.NewLuaScript(`
local t = redis.call('TIME')
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', t[1] * 1000 + math.floor(t[2] / 1000))
redis.call('ZADD', KEYS[1], 'GT', ARGV[2], ARGV[1])
redis.call('PEXPIREAT', KEYS[1], redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2])
return 1`)

// Close closes the connections. What is in flight fails or is done; a second
// call does nothing.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.client.Close()
	return nil
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, r store.Record) (store.Record, error) {
	kept, err := s.keep(ctx, r)
	if err != nil {
		return store.Record{}, err
	}
	done := s.written.begin(r.Key)
	set := s.client.B().Set().Key(s.recordKey(r.Key)).Value(rueidis.BinaryString(encode(kept))).Nx().PxatMillisecondsTimestamp(expiry(kept)).Build()
	err = s.client.Do(ctx, set).Error()
	if rueidis.IsRedisNil(err) {
		err = store.ErrConflict
	}
	if err := s.failed(ctx, "create", err); err != nil {
		done(0)
		return store.Record{}, err
	}
	done(kept.Rev)
	return kept, nil
}

// Replace implements store.Store.
func (s *Store) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	kept, err := s.keep(ctx, r)
	if err != nil {
		return store.Record{}, err
	}
	done := s.written.begin(r.Key)
	swapped, err := replaceScript.Exec(ctx, s.client, []string{s.recordKey(r.Key)},
		[]string{head(r.Rev), rueidis.BinaryString(encode(kept)), strconv.FormatInt(expiry(kept), 10)}).AsInt64()
	if err == nil && swapped == 0 {
		err = store.ErrConflict
	}
	if err := s.failed(ctx, "replace", err); err != nil {
		done(0)
		return store.Record{}, err
	}
	done(kept.Rev)
	return kept, nil
}

// keep checks what is to be written, gives it a Rev and enters it under its
// tags. The tags come first: Tagged then misses no record, and a name that leads
// to none is passed over there and forgotten when it ends.
func (s *Store) keep(ctx context.Context, r store.Record) (store.Record, error) {
	if err := s.ready(ctx); err != nil {
		return store.Record{}, err
	}
	if err := r.Check(); err != nil {
		return store.Record{}, err
	}
	kept := store.Record{
		Key:     r.Key,
		Value:   slices.Clone(r.Value),
		Tags:    slices.Clone(r.Tags),
		Expires: store.Expiry(r.Expires),
		// At random, so that nobody is asked for the next one, and a server that
		// was restored from a copy cannot give one again.
		Rev: uint64(rand.Int64N(1<<63-1) + 1),
	}
	for _, tag := range r.Tags {
		err := tagScript.Exec(ctx, s.client, []string{s.tagKey(tag)}, []string{r.Key, strconv.FormatInt(expiry(kept), 10)}).Error()
		if err := s.failed(ctx, "enter under a tag", err); err != nil {
			return store.Record{}, err
		}
	}
	return kept, nil
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := s.checkRead(ctx, key); err != nil {
		return store.Record{}, err
	}
	rev, own := s.written.last(key)
	if !own || rev != 0 {
		r, err := s.load(ctx, key, s.client.DoCache(ctx, s.client.B().Get().Key(s.recordKey(key)).Cache(), MaxLag))
		if !own || err == nil && r.Rev == rev {
			return r, err
		}
		// What is cached is older than what this Store wrote, or newer.
	}
	return s.load(ctx, key, s.client.Do(ctx, s.client.B().Get().Key(s.recordKey(key)).Build()))
}

// Current implements store.Looker.
func (s *Store) Current(ctx context.Context, key string, rev uint64) (bool, error) {
	if err := s.checkRead(ctx, key); err != nil {
		return false, err
	}
	last, own := s.written.last(key)
	if !own || last == rev {
		text, err := s.client.DoCache(ctx, s.client.B().Get().Key(s.recordKey(key)).Cache(), MaxLag).ToString()
		if err == nil && hasRev(text, rev) {
			return true, nil
		}
		// Load tells what there is instead.
	}
	r, err := s.Load(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return err == nil && r.Rev == rev, err
}

// Take implements store.Store. A record that cannot be decoded is removed too.
func (s *Store) Take(ctx context.Context, key string) (store.Record, error) {
	if err := s.checkRead(ctx, key); err != nil {
		return store.Record{}, err
	}
	done := s.written.begin(key)
	defer done(0)
	return s.load(ctx, key, s.client.Do(ctx, s.client.B().Getdel().Key(s.recordKey(key)).Build()))
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := s.checkRead(ctx, key); err != nil {
		return err
	}
	done := s.written.begin(key)
	defer done(0)
	return s.failed(ctx, "delete", s.client.Do(ctx, s.client.B().Del().Key(s.recordKey(key)).Build()).Error())
}

// Tagged implements store.Store.
func (s *Store) Tagged(ctx context.Context, tag string) ([]string, error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	if err := store.CheckTag(tag); err != nil {
		return nil, err
	}
	keys, err := s.client.Do(ctx, s.client.B().Zrange().Key(s.tagKey(tag)).Min("0").Max("-1").Build()).AsStrSlice()
	if err := s.failed(ctx, "tagged", err); err != nil {
		return nil, err
	}
	var bearers []string
	for some := range slices.Chunk(keys, taggedAtOnce) {
		cmds := make(rueidis.Commands, len(some))
		for i, key := range some {
			cmds[i] = s.client.B().Getrange().Key(s.recordKey(key)).Start(0).End(maxHeader - 1).Build()
		}
		for i, result := range s.client.DoMulti(ctx, cmds...) {
			text, err := result.ToString()
			if err := s.failed(ctx, "tagged", err); err != nil {
				return nil, err
			}
			// One that cannot be decoded harms no other: it bears nothing.
			if r, _, err := decodeHeader(text); err == nil && slices.Contains(r.Tags, tag) {
				bearers = append(bearers, some[i])
			}
		}
	}
	return bearers, nil
}

// load reads the answer to a command that returns a record.
func (s *Store) load(ctx context.Context, key string, result rueidis.RedisResult) (store.Record, error) {
	text, err := result.ToString()
	if rueidis.IsRedisNil(err) {
		return store.Record{}, store.ErrNotFound
	}
	if err := s.failed(ctx, "read", err); err != nil {
		return store.Record{}, err
	}
	r, err := decode(key, text)
	if err != nil {
		return store.Record{}, fmt.Errorf("redisstore: %w", err)
	}
	return r, nil
}

// failed is the error of a method, for that of a command.
func (s *Store) failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil, errors.Is(err, store.ErrConflict):
		return err
	case ctx.Err() != nil:
		return fmt.Errorf("redisstore: %s: %w", what, ctx.Err())
	}
	return fmt.Errorf("redisstore: %s: %w", what, err)
}

func (s *Store) recordKey(key string) string { return s.prefix + "r:" + key }
func (s *Store) tagKey(tag string) string    { return s.prefix + "t:" + tag }

// expiry is when a record ends, as Redis takes it: it refuses 0, which is past
// as much as 1 is.
func expiry(r store.Record) int64 { return max(r.Expires.UnixMilli(), 1) }

func (s *Store) checkRead(ctx context.Context, key string) error {
	if err := s.ready(ctx); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// ready refuses what begins after Close: the client might connect again for it,
// if another call was just connecting when it was closed.
func (s *Store) ready(ctx context.Context) error {
	if s.closed.Load() {
		return errors.New("redisstore: the store is closed")
	}
	return ctx.Err()
}
