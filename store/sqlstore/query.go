package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"rely.example/store"
)

// statements are the texts of what a Store asks a database. The order of their
// arguments is the same in every dialect.
type statements struct {
	create  string // key, value, tags, expires, rev, now
	replace string // key, value, tags, expires, rev, rev until now, now
	load    string // key, now; returns expires, rev, tags, value
	take    string // as load
	remove  string // key
	tagged  string // tag, now; returns key
	sweep   string // now, how many
}

// query is a statement and the database that it goes to.
type query struct {
	db   *sql.DB
	text string
	stmt *sql.Stmt // nil where the driver prepares by itself
}

type queries struct {
	create, replace, load, take, remove, tagged, sweep query
}

func (q *queries) set(t statements, read, write *sql.DB) {
	*q = queries{
		create:  query{db: write, text: t.create},
		replace: query{db: write, text: t.replace},
		load:    query{db: read, text: t.load},
		take:    query{db: write, text: t.take},
		remove:  query{db: write, text: t.remove},
		tagged:  query{db: read, text: t.tagged},
		sweep:   query{db: write, text: t.sweep},
	}
}

func (q *queries) all() []*query {
	return []*query{&q.create, &q.replace, &q.load, &q.take, &q.remove, &q.tagged, &q.sweep}
}

// prepare prepares each statement that is not yet.
func (q *queries) prepare(ctx context.Context) error {
	for _, one := range q.all() {
		if one.stmt != nil {
			continue
		}
		stmt, err := one.db.PrepareContext(ctx, one.text)
		if err != nil {
			return err
		}
		one.stmt = stmt
	}
	return nil
}

func (q *queries) close() error {
	var errs []error
	for _, one := range q.all() {
		if one.stmt != nil {
			errs = append(errs, one.stmt.Close())
		}
	}
	return errors.Join(errs...)
}

func (q *query) exec(ctx context.Context, args ...any) (sql.Result, error) {
	if q.stmt != nil {
		return q.stmt.ExecContext(ctx, args...)
	}
	return q.db.ExecContext(ctx, q.text, args...)
}

func (q *query) rows(ctx context.Context, args ...any) (*sql.Rows, error) {
	if q.stmt != nil {
		return q.stmt.QueryContext(ctx, args...)
	}
	return q.db.QueryContext(ctx, q.text, args...)
}

// record runs a statement that returns a record or nothing. It reads to the end
// of the answer: a write with a RETURNING clause is committed, or fails to be,
// only after its row was handed out.
func (q *query) record(ctx context.Context, key string, now any) (r store.Record, err error) {
	rows, err := q.rows(ctx, key, now)
	if err != nil {
		return store.Record{}, err
	}
	defer rows.Close()
	if !rows.Next() {
		if err := rows.Err(); err != nil {
			return store.Record{}, err
		}
		return store.Record{}, store.ErrNotFound
	}
	var row row
	scanErr := rows.Scan(&row.expires, &row.rev, &row.tags, &row.value)
	for rows.Next() {
		// There is one row to a key.
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return store.Record{}, err
	}
	if scanErr != nil {
		// What Scan says quotes the value that it could not convert.
		return store.Record{}, damaged("a column is not of its type")
	}
	return row.record(key)
}

// strings runs a statement that returns one column of text.
func (q *query) strings(ctx context.Context, args ...any) ([]string, error) {
	rows, err := q.rows(ctx, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	return out, nil
}

// row is a record as it stands in the table, beside its key.
type row struct {
	expires int64 // Unix milliseconds
	rev     int64
	tags    string // with a space between two
	value   []byte
}

// record decodes a row that somebody else, or a failing disk, may have written.
func (w *row) record(key string) (store.Record, error) {
	r := store.Record{Key: key, Value: w.value, Expires: time.UnixMilli(w.expires).UTC(), Rev: uint64(w.rev)}
	if w.tags != "" {
		r.Tags = strings.Split(w.tags, " ")
	}
	if w.rev <= 0 {
		return store.Record{}, damaged("its revision is not above 0")
	}
	if err := r.Check(); err != nil {
		return store.Record{}, damaged(err.Error())
	}
	return r, nil
}

// damaged is the error of a row that is no record. It does not wrap one of
// package store: to the caller the record was right when it was kept.
func damaged(what string) error {
	return fmt.Errorf("the row is damaged: %s", what)
}
