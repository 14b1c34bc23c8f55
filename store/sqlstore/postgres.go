package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

const (
	// postgresConns is how many connections a process opens at most. PostgreSQL
	// allows 100 in all unless told otherwise.
	postgresConns = 16

	// postgresConnectTimeout bounds the making of a connection to a host that
	// does not answer.
	postgresConnectTimeout = 5 * time.Second

	// postgresIdle is after how long a connection that nobody uses is closed.
	postgresIdle = 5 * time.Minute

	// postgresLock is the advisory lock under which tables are changed. Its
	// number means nothing, but must stay.
	postgresLock = 0x72656c79
)

// postgresMigrations are the steps from one version of the tables to the next.
//
// Tags are an array of the row and an index finds them there: so a write is one
// statement about one row, and one that waited for another sees all of what that
// one wrote. Values are sealed as a rule, so compressing them is labour lost.
var postgresMigrations = []string{`
CREATE TABLE rely_records (
	key     text COLLATE "C" PRIMARY KEY,
	expires bigint NOT NULL,
	rev     bigint NOT NULL,
	tags    text[] COLLATE "C" NOT NULL,
	value   bytea  NOT NULL
);
ALTER TABLE rely_records ALTER COLUMN value SET STORAGE EXTERNAL;
CREATE INDEX rely_records_expires ON rely_records (expires);
CREATE INDEX rely_records_tags ON rely_records USING gin (tags) WITH (fastupdate = off);
`}

// postgresNow is the time to compare with, given the argument for it. The clock
// is read anew for a row that had to be waited for.
func postgresNow(arg string) string {
	return "coalesce(" + arg + "::bigint, floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint)"
}

var postgresQueries = statements{
	create: `INSERT INTO rely_records AS r (key, value, tags, expires, rev) VALUES ($1, $2, string_to_array($3::text, ' '), $4, $5)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, tags = excluded.tags, expires = excluded.expires, rev = excluded.rev
		WHERE r.expires <= ` + postgresNow("$6"),
	replace: `UPDATE rely_records SET value = $2, tags = string_to_array($3::text, ' '), expires = $4, rev = $5
		WHERE key = $1 AND rev = $6 AND expires > ` + postgresNow("$7"),
	load: `SELECT expires, rev, array_to_string(tags, ' '), value FROM rely_records WHERE key = $1 AND expires > ` + postgresNow("$2"),
	take: `DELETE FROM rely_records WHERE key = $1 AND expires > ` + postgresNow("$2") + `
		RETURNING expires, rev, array_to_string(tags, ' '), value`,
	remove: `DELETE FROM rely_records WHERE key = $1`,
	tagged: `SELECT key FROM rely_records WHERE tags @> ARRAY[$1::text] AND expires > ` + postgresNow("$2"),
	// Only what the index of expiry finds, which a clock that is read for each
	// row would prevent; and nothing that another process is just removing.
	sweep: `DELETE FROM rely_records WHERE key IN (
		SELECT key FROM rely_records
		WHERE expires <= coalesce($1::bigint, floor(extract(epoch FROM statement_timestamp()) * 1000)::bigint)
		ORDER BY expires LIMIT $2 FOR UPDATE SKIP LOCKED)`,
}

// lastFailure is when a connection last broke. Whatever connection was idle then
// is tried before it is used again: after the server was restarted one call may
// fail, and the next one finds a connection that works.
type lastFailure struct{ nanos atomic.Int64 }

func (f *lastFailure) note() { f.nanos.Store(time.Now().UnixNano()) }

// doubtful reports whether a connection that has been idle for so long may have
// broken with another one.
func (f *lastFailure) doubtful(idle time.Duration) bool {
	return idle > time.Second || time.Now().Add(-idle).UnixNano() <= f.nanos.Load()
}

// openPostgreSQL opens a URL without connecting.
func openPostgreSQL(url string, failed *lastFailure) (*sql.DB, error) {
	config, err := pgx.ParseConfig(url)
	if err != nil {
		// What a parser says of a URL quotes it, the password with it.
		return nil, errors.New(`sqlstore: the PostgreSQL URL cannot be understood, want "postgres://USER:PASSWORD@HOST/DATABASE"`)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = postgresConnectTimeout
	}
	db := stdlib.OpenDB(*config, stdlib.OptionShouldPing(func(_ context.Context, p stdlib.ShouldPingParams) bool {
		return failed.doubtful(p.IdleDuration)
	}))
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(postgresConns)
	db.SetConnMaxIdleTime(postgresIdle)
	return db, nil
}
