package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
)

// migrate brings the tables up to date. The version of the tables stands in one
// of their own. Processes that start at once wait for each other, and one that
// finds the tables as it knows them changes nothing, so it needs no right to.
func (s *Store) migrate(ctx context.Context) error {
	steps, run := postgresMigrations, migratePostgreSQL
	if s.dialect == SQLite {
		steps, run = sqliteMigrations, migrateSQLite
	}
	version := 0
	err := s.attempt(ctx, "look at the tables", true, func() (err error) {
		version, err = s.version(ctx, s.read)
		return err
	})
	if err != nil {
		return err
	}
	if version > len(steps) {
		return fmt.Errorf("sqlstore: %w", tooNew(version, len(steps)))
	}
	if version == len(steps) {
		return nil
	}
	return s.attempt(ctx, "make the tables", false, func() error { return run(ctx, s, steps) })
}

func tooNew(version, known int) error {
	return fmt.Errorf("the tables have version %d and this program knows %d: a later one has changed them, run that", version, known)
}

// querier is a database, a connection or a transaction.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// version returns the version of the tables; 0 if there are none.
func (s *Store) version(ctx context.Context, q querier) (int, error) {
	there := `SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'rely_schema'`
	if s.dialect == PostgreSQL {
		// Not to_regclass: within a transaction it may go by what the connection
		// remembers of a time before another process made the table.
		there = `SELECT count(*) FROM pg_class WHERE relname = 'rely_schema' AND relkind = 'r' AND pg_table_is_visible(oid)`
	}
	var n int
	if err := q.QueryRowContext(ctx, there).Scan(&n); err != nil || n == 0 {
		return 0, err
	}
	err := q.QueryRowContext(ctx, `SELECT coalesce(max(version), 0) FROM rely_schema`).Scan(&n)
	return n, err
}

// migrateSQLite changes the tables in one transaction that writes from its
// beginning, so that no other process can come between.
func migrateSQLite(ctx context.Context, s *Store, steps []string) error {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	if s.owned {
		var mode string
		if err := conn.QueryRowContext(ctx, `PRAGMA journal_mode = wal`).Scan(&mode); err != nil {
			return err
		}
		if mode != "wal" {
			return fmt.Errorf("the file cannot be put into WAL mode, its journal mode is %q: is it on a local disk?", mode)
		}
	}
	if _, err := conn.ExecContext(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	// The connection goes back into the pool, so a transaction must not be left
	// on it when the context ends.
	defer conn.ExecContext(context.WithoutCancel(ctx), `ROLLBACK`)
	if err := s.climb(ctx, conn, steps); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, `COMMIT`)
	return err
}

// migratePostgreSQL changes the tables in one transaction, under a lock that
// other processes wait for. Each of its statements sees what those have done,
// whatever isolation is the default of the database.
func migratePostgreSQL(ctx context.Context, s *Store, steps []string) error {
	tx, err := s.write.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock($1)`, int64(postgresLock)); err != nil {
		return err
	}
	if err := s.climb(ctx, tx, steps); err != nil {
		return err
	}
	return tx.Commit()
}

// climb takes the steps that the tables have not yet taken.
func (s *Store) climb(ctx context.Context, q querier, steps []string) error {
	version, err := s.version(ctx, q)
	if err != nil {
		return err
	}
	if version > len(steps) {
		return tooNew(version, len(steps))
	}
	if version == 0 {
		if _, err := q.ExecContext(ctx, `CREATE TABLE rely_schema (version integer NOT NULL)`); err != nil {
			return err
		}
	}
	for ; version < len(steps); version++ {
		if _, err := q.ExecContext(ctx, steps[version]); err != nil {
			return err
		}
		if _, err := q.ExecContext(ctx, fmt.Sprintf(`INSERT INTO rely_schema (version) VALUES (%d)`, version+1)); err != nil {
			return err
		}
	}
	return nil
}
