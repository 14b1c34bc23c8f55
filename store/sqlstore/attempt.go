package sqlstore

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"rely.example/store"
)

const (
	// conflictTime bounds the time, from the first attempt on, in which a
	// statement is tried again because other writers were in its way.
	conflictTime = 5 * time.Second

	// conflictWait is the longest pause between two such attempts.
	conflictWait = 50 * time.Millisecond

	// brokenTries is how often a read is tried again after a connection broke:
	// once for each that may have broken with it, and once on a new one.
	brokenTries = postgresConns + 1
)

// attempt runs f, and again where that is known to be safe: when the database
// says that it has done nothing because others were writing, and for a read also
// when its connection broke. A write on a connection that breaks may have been
// done, so its caller must be told.
func (s *Store) attempt(ctx context.Context, what string, read bool, f func() error) error {
	if !read && s.turn != nil {
		// Within a process, writers stand in line. SQLite would let each poll
		// for its turn, and some of many would never get it.
		select {
		case <-ctx.Done():
			return fmt.Errorf("sqlstore: %s: %w", what, ctx.Err())
		case s.turn <- struct{}{}:
			defer func() { <-s.turn }()
		}
	}
	start := time.Now()
	for try := 1; ; try++ {
		err := f()
		if err == nil || errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrNotFound) {
			return err
		}
		if ctx.Err() != nil {
			// Drivers word this in ways of their own.
			return fmt.Errorf("sqlstore: %s: %w", what, ctx.Err())
		}
		wait := time.Duration(0)
		switch kind := classify(err); {
		case kind == inTheWay && time.Since(start) < conflictTime:
			wait = rand.N(min(time.Millisecond<<min(try, 10), conflictWait))
		case kind == broken:
			s.failed.note()
			if !read || try > brokenTries {
				return fmt.Errorf("sqlstore: %s: %w", what, err)
			}
		default:
			return fmt.Errorf("sqlstore: %s: %w", what, err)
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("sqlstore: %s: %w", what, ctx.Err())
		case <-time.After(wait):
		}
	}
}

// failure is what an error of a driver means for another attempt.
type failure int

const (
	final    failure = iota // another attempt would fare no better
	inTheWay                // nothing was done, because of other writers
	broken                  // a connection that was made has ended
)

func classify(err error) failure {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		// The low byte is the kind, what is above it the particular case.
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
			return inTheWay
		}
		return final
	}
	// The interface that errors of PostgreSQL have in each of its drivers.
	var said interface{ SQLState() string }
	if errors.As(err, &said) {
		switch said.SQLState() {
		case "40001", "40P01": // serialization_failure, deadlock_detected
			return inTheWay
		case "57P01", "57P02", "57P05": // the server ends this connection: admin_shutdown, crash_shutdown, idle_session_timeout
			return broken
		}
		return final
	}
	var connect *pgconn.ConnectError
	if errors.As(err, &connect) {
		return final
	}
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || pgconn.SafeToRetry(err) {
		return broken
	}
	return final
}
