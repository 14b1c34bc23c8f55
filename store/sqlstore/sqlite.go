package sqlstore

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	// sqliteReaders is how many connections read at once. They share the pages
	// that the system caches, so more would only take memory.
	sqliteReaders = 8

	// sqliteBusy is how long SQLite itself waits for another process that is
	// writing, in milliseconds, before attempt tries again.
	sqliteBusy = 2000
)

// sqliteMigrations are the steps from one version of the tables to the next.
//
// What a tag leads to is kept by triggers, not by a foreign key: those need a
// PRAGMA on every connection and a second index, and triggers neither. A
// record's tags, which are visible ASCII, stand in a column as a text with
// spaces between them; json_each takes that apart.
var sqliteMigrations = []string{`
CREATE TABLE rely_records (
	id      INTEGER PRIMARY KEY,
	key     TEXT    NOT NULL UNIQUE,
	expires INTEGER NOT NULL,
	rev     INTEGER NOT NULL,
	tags    TEXT    NOT NULL,
	value   BLOB    NOT NULL
) STRICT;
CREATE INDEX rely_records_expires ON rely_records (expires);
CREATE TABLE rely_tags (
	tag    TEXT    NOT NULL,
	record INTEGER NOT NULL,
	PRIMARY KEY (tag, record)
) STRICT, WITHOUT ROWID;
CREATE TRIGGER rely_records_insert AFTER INSERT ON rely_records WHEN NEW.tags <> '' BEGIN
	INSERT OR IGNORE INTO rely_tags SELECT value, NEW.id FROM json_each(` + splitTags("NEW") + `);
END;
CREATE TRIGGER rely_records_delete AFTER DELETE ON rely_records WHEN OLD.tags <> '' BEGIN
	DELETE FROM rely_tags WHERE record = OLD.id AND tag IN (SELECT value FROM json_each(` + splitTags("OLD") + `));
END;
CREATE TRIGGER rely_records_untag AFTER UPDATE OF tags ON rely_records WHEN OLD.tags <> '' AND OLD.tags <> NEW.tags BEGIN
	DELETE FROM rely_tags WHERE record = OLD.id AND tag IN (SELECT value FROM json_each(` + splitTags("OLD") + `));
	INSERT OR IGNORE INTO rely_tags SELECT value, NEW.id FROM json_each(` + splitTags("NEW") + `) WHERE NEW.tags <> '';
END;
CREATE TRIGGER rely_records_tag AFTER UPDATE OF tags ON rely_records WHEN OLD.tags = '' AND NEW.tags <> '' BEGIN
	INSERT OR IGNORE INTO rely_tags SELECT value, NEW.id FROM json_each(` + splitTags("NEW") + `);
END;
`}

// splitTags is the expression that makes a JSON array of a row's tags.
func splitTags(row string) string {
	return `'["' || replace(replace(replace(` + row + `.tags, '\', '\\'), '"', '\"'), ' ', '","') || '"]'`
}

var sqliteQueries = statements{
	create: `INSERT INTO rely_records AS r (key, value, tags, expires, rev) VALUES (?1, ?2, ?3, ?4, ?5)
		ON CONFLICT (key) DO UPDATE SET value = excluded.value, tags = excluded.tags, expires = excluded.expires, rev = excluded.rev
		WHERE r.expires <= ?6`,
	replace: `UPDATE rely_records SET value = ?2, tags = ?3, expires = ?4, rev = ?5 WHERE key = ?1 AND rev = ?6 AND expires > ?7`,
	load:    `SELECT expires, rev, tags, value FROM rely_records WHERE key = ?1 AND expires > ?2`,
	take:    `DELETE FROM rely_records WHERE key = ?1 AND expires > ?2 RETURNING expires, rev, tags, value`,
	remove:  `DELETE FROM rely_records WHERE key = ?1`,
	tagged:  `SELECT r.key FROM rely_tags t JOIN rely_records r ON r.id = t.record WHERE t.tag = ?1 AND r.expires > ?2`,
	sweep:   `DELETE FROM rely_records WHERE id IN (SELECT id FROM rely_records WHERE expires <= ?1 ORDER BY expires LIMIT ?2)`,
}

// openSQLite opens what stands in a URL after "sqlite:".
//
// SQLite has one writer at a time, so one connection is for writing and the
// others only read. Who writes waits for it as long as the context lets (see
// attempt); only another process is waited for by trying again.
func openSQLite(rest string) (read, write *sql.DB, err error) {
	path, options, _ := strings.Cut(rest, "?")
	path = strings.TrimPrefix(path, "//")
	path, err = url.PathUnescape(path)
	if err != nil || strings.ContainsRune(path, 0) {
		return nil, nil, errors.New("sqlstore: the path of the SQLite file is not percent-encoded as a URL asks for")
	}
	if path == "" || path == ":memory:" {
		return nil, nil, errors.New(`sqlstore: the URL names no SQLite file, want "sqlite:PATH"; memstore keeps records in memory`)
	}
	synchronous, err := sqliteSynchronous(options)
	if err != nil {
		return nil, nil, err
	}
	path, err = filepath.Abs(path)
	if err != nil {
		return nil, nil, fmt.Errorf("sqlstore: the path of the SQLite file: %w", err)
	}
	// SQLite would make the file readable by all that the umask lets read, and
	// gives the mode of this one to the files beside it.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil, fmt.Errorf("sqlstore: the folder of the SQLite file is not there: %w", err)
		}
		return nil, nil, fmt.Errorf("sqlstore: the SQLite file cannot be read and written: %w", err)
	}
	if err := f.Close(); err != nil {
		return nil, nil, fmt.Errorf("sqlstore: the SQLite file: %w", err)
	}
	name := filepath.ToSlash(path)
	if !strings.HasPrefix(name, "/") {
		name = "/" + name // a drive letter
	}
	file := url.URL{Scheme: "file", Path: name}
	pragmas := url.Values{"_pragma": {fmt.Sprintf("busy_timeout(%d)", sqliteBusy), "synchronous(" + synchronous + ")"}}
	file.RawQuery = pragmas.Encode()
	write, err = sql.Open("sqlite", file.String())
	if err != nil {
		return nil, nil, fmt.Errorf("sqlstore: open SQLite: %w", err)
	}
	write.SetMaxOpenConns(1)
	pragmas.Add("_pragma", "query_only(1)")
	file.RawQuery = pragmas.Encode()
	read, err = sql.Open("sqlite", file.String())
	if err != nil {
		write.Close()
		return nil, nil, fmt.Errorf("sqlstore: open SQLite: %w", err)
	}
	read.SetMaxOpenConns(sqliteReaders)
	read.SetMaxIdleConns(sqliteReaders)
	return read, write, nil
}

// sqliteSynchronous reads the one option that a URL may have. The default syncs
// each write: a refresh token that an OP has rotated must not be lost with the
// power.
func sqliteSynchronous(options string) (string, error) {
	values, err := url.ParseQuery(options)
	if err != nil {
		return "", errors.New("sqlstore: what follows the question mark of the SQLite URL is not a query")
	}
	for name := range values {
		if name != "synchronous" {
			return "", fmt.Errorf("sqlstore: the SQLite URL has the option %q, want only synchronous", name)
		}
	}
	switch v := values.Get("synchronous"); v {
	case "", "full":
		return "full", nil
	case "normal":
		return "normal", nil
	default:
		return "", fmt.Errorf("sqlstore: the SQLite URL says synchronous=%q, want full or normal", v)
	}
}
