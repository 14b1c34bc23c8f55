// Package sqlstore keeps records in a SQL database: in a file by SQLite, which
// is part of the program, or in PostgreSQL, which many machines may share.
//
//	s, err := sqlstore.Open(ctx, "sqlite:rely.db")
//	s, err := sqlstore.Open(ctx, "postgres://rely@db.example.com/rely")
//
// A record is one row, and every operation one statement, so that nobody ever
// sees half of a write and no lock is held between two messages. What a method
// returned as done is on disk: SQLite syncs each write, and so does PostgreSQL
// unless it was told otherwise.
//
// Records expire by one clock. In PostgreSQL that is the clock of the database,
// whatever the clocks of the machines that use it say; in SQLite it is the clock
// of the one machine that holds the file.
//
// Every few writes, one call also removes some rows that have expired, so the
// tables stay about as large as what is live and no goroutine is needed.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"rely.example/store"
)

const (
	// sweepEvery is how many writes go by between two sweeps, and sweepMost how
	// many rows one removes. Four rows for each write win over any rate of
	// writing, and 64 of them take about as long as a few writes.
	sweepEvery = 16
	sweepMost  = 64
)

// Dialect is the kind of a database.
type Dialect int

const (
	// SQLite is version 3.38 or later, with its JSON functions.
	SQLite Dialect = iota + 1
	// PostgreSQL is version 12 or later.
	PostgreSQL
)

// String returns the name of the database.
func (d Dialect) String() string {
	switch d {
	case SQLite:
		return "SQLite"
	case PostgreSQL:
		return "PostgreSQL"
	}
	return fmt.Sprintf("Dialect(%d)", int(d))
}

// Store is a store.Store in a SQL database. Open and New make one.
type Store struct {
	// Now tells the time by which records expire. Nil: the clock of PostgreSQL,
	// and time.Now for SQLite. It may be set before the Store is first used, and
	// must then be set alike in every process that shares the database.
	Now func() time.Time

	dialect Dialect
	read    *sql.DB // for Load and Tagged
	write   *sql.DB // for all else; the same as read, or one connection of its own
	owned   bool    // Close closes them
	failed  *lastFailure
	turn    chan struct{} // of one, held by who writes to SQLite; nil for PostgreSQL
	queries queries
	writes  atomic.Uint32 // since it was opened; see sweepEvery
}

var _ store.Store = (*Store)(nil)

// Open opens the database of a URL and brings its tables up to date, which many
// processes may do at once. It returns an error if the database cannot be
// reached, or if its tables are of a later version of this package.
//
// "sqlite:PATH" is a file, which is made if it is not there, readable by its
// owner alone. It is put into WAL mode and must be on a local disk. A character
// of the path that a URL cannot hold is percent-encoded. With
// "?synchronous=normal" SQLite no longer syncs every write: faster by far, and a
// loss of power, but not the end of the process, may undo the last of them.
//
// "postgres://USER:PASSWORD@HOST/DATABASE" and "postgresql:…" are as libpq and
// pgx know them, sslmode and target_session_attrs included; at most 16
// connections are held. Without connect_timeout a connection must be made within
// 5 seconds.
//
// No error names the password that a URL may hold.
func Open(ctx context.Context, url string) (*Store, error) {
	scheme, rest, _ := strings.Cut(url, ":")
	s := &Store{owned: true, failed: new(lastFailure)}
	var err error
	switch scheme {
	case "sqlite":
		s.dialect = SQLite
		s.read, s.write, err = openSQLite(rest)
	case "postgres", "postgresql":
		s.dialect = PostgreSQL
		s.read, err = openPostgreSQL(url, s.failed)
		s.write = s.read
	default:
		// The text before a colon might be anything, a password too.
		return nil, errors.New(`sqlstore: the URL begins with neither "sqlite:" nor "postgres:"`)
	}
	if err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// New returns a Store in a database that the caller opened and will close, and
// brings its tables up to date. PostgreSQL may be behind any driver. SQLite must
// be in WAL mode, with a busy timeout, and is best left to Open, which knows how
// to spread reads and writes over connections.
func New(ctx context.Context, db *sql.DB, d Dialect) (*Store, error) {
	if d != SQLite && d != PostgreSQL {
		return nil, fmt.Errorf("sqlstore: there is no %v, want SQLite or PostgreSQL", d)
	}
	s := &Store{dialect: d, read: db, write: db, failed: new(lastFailure)}
	if err := s.begin(ctx); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// begin migrates and prepares.
func (s *Store) begin(ctx context.Context) error {
	if s.dialect == SQLite {
		s.turn = make(chan struct{}, 1)
	}
	if err := s.migrate(ctx); err != nil {
		return err
	}
	if s.dialect == PostgreSQL {
		// pgx prepares by itself, for each connection what is used there.
		s.queries.set(postgresQueries, s.read, s.write)
		return nil
	}
	s.queries.set(sqliteQueries, s.read, s.write)
	return s.attempt(ctx, "prepare", true, func() error { return s.queries.prepare(ctx) })
}

// Close closes what Open opened. What is in flight fails or is done; a second
// call does nothing.
func (s *Store) Close() error {
	err := s.queries.close()
	if s.owned {
		err = errors.Join(err, s.write.Close(), s.read.Close())
	}
	return err
}

// Create implements store.Store.
func (s *Store) Create(ctx context.Context, r store.Record) (store.Record, error) {
	if err := checkWrite(ctx, &r); err != nil {
		return store.Record{}, err
	}
	kept := keep(r)
	err := s.attempt(ctx, "create", false, func() error {
		return s.writeOne(ctx, &s.queries.create, r.Key, nonNil(r.Value), strings.Join(r.Tags, " "), r.Expires.UnixMilli(), int64(kept.Rev), s.now())
	})
	if err != nil {
		return store.Record{}, err
	}
	s.sweepSometimes(ctx)
	return kept, nil
}

// Replace implements store.Store.
func (s *Store) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	if err := checkWrite(ctx, &r); err != nil {
		return store.Record{}, err
	}
	kept := keep(r)
	err := s.attempt(ctx, "replace", false, func() error {
		return s.writeOne(ctx, &s.queries.replace, r.Key, nonNil(r.Value), strings.Join(r.Tags, " "), r.Expires.UnixMilli(), int64(kept.Rev), int64(r.Rev), s.now())
	})
	if err != nil {
		return store.Record{}, err
	}
	s.sweepSometimes(ctx)
	return kept, nil
}

// writeOne runs a statement that writes one row, or none if there is a conflict.
func (s *Store) writeOne(ctx context.Context, q *query, args ...any) error {
	result, err := q.exec(ctx, args...)
	if err != nil {
		return err
	}
	n, err := result.RowsAffected()
	if err == nil && n == 0 {
		err = store.ErrConflict
	}
	return err
}

// Load implements store.Store.
func (s *Store) Load(ctx context.Context, key string) (store.Record, error) {
	if err := checkRead(ctx, key); err != nil {
		return store.Record{}, err
	}
	var r store.Record
	err := s.attempt(ctx, "load", true, func() (err error) {
		r, err = s.queries.load.record(ctx, key, s.now())
		return err
	})
	return r, err
}

// Take implements store.Store. A row that cannot be decoded is removed too.
func (s *Store) Take(ctx context.Context, key string) (store.Record, error) {
	if err := checkRead(ctx, key); err != nil {
		return store.Record{}, err
	}
	var r store.Record
	err := s.attempt(ctx, "take", false, func() (err error) {
		r, err = s.queries.take.record(ctx, key, s.now())
		return err
	})
	return r, err
}

// Delete implements store.Store.
func (s *Store) Delete(ctx context.Context, key string) error {
	if err := checkRead(ctx, key); err != nil {
		return err
	}
	return s.attempt(ctx, "delete", false, func() error {
		_, err := s.queries.remove.exec(ctx, key)
		return err
	})
}

// Tagged implements store.Store.
func (s *Store) Tagged(ctx context.Context, tag string) ([]string, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := store.CheckTag(tag); err != nil {
		return nil, err
	}
	var keys []string
	err := s.attempt(ctx, "tagged", true, func() (err error) {
		keys, err = s.queries.tagged.strings(ctx, tag, s.now())
		return err
	})
	return keys, err
}

// Sweep removes rows that have expired, at most 64, and returns how many. The
// Store does so by itself as it is written to; a program that wants a quiet
// database to be clean as well calls it until it returns 0.
func (s *Store) Sweep(ctx context.Context) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	var n int64
	err := s.attempt(ctx, "sweep", false, func() error {
		result, err := s.queries.sweep.exec(ctx, s.now(), sweepMost)
		if err != nil {
			return err
		}
		n, err = result.RowsAffected()
		return err
	})
	return int(n), err
}

// sweepSometimes keeps house after a write. That write is done, whatever comes
// of this, so an error here is nobody's: the next sweep does what this left.
func (s *Store) sweepSometimes(ctx context.Context) {
	if s.writes.Add(1)%sweepEvery == 0 {
		s.Sweep(ctx)
	}
}

// now is the time to compare with as Unix milliseconds, or nil for the clock of
// the database.
func (s *Store) now() any {
	switch {
	case s.Now != nil:
		return s.Now().UnixMilli()
	case s.dialect == SQLite:
		return time.Now().UnixMilli()
	}
	return nil
}

func checkWrite(ctx context.Context, r *store.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.Check()
}

func checkRead(ctx context.Context, key string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return store.CheckKey(key)
}

// keep returns r as it is kept, with a Rev of its own. Revs are random numbers
// of 63 bits, so no process asks another for the next one, and a database that
// is restored from a copy cannot give one again.
func keep(r store.Record) store.Record {
	return store.Record{
		Key:     r.Key,
		Value:   slices.Clone(r.Value),
		Tags:    slices.Clone(r.Tags),
		Expires: store.Expiry(r.Expires),
		Rev:     uint64(rand.Int64N(1<<63-1) + 1),
	}
}

// nonNil is for columns that are not to be NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
