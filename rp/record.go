package rp

import (
	"encoding/binary"
	"time"

	"rely.example/oidc"
)

// writer and reader are the layout inside a sealed value: each text preceded by
// its length, each number a varint.
type writer []byte

func (w *writer) text(s string) {
	*w = binary.AppendUvarint(*w, uint64(len(s)))
	*w = append(*w, s...)
}

func (w *writer) number(n int64) { *w = binary.AppendVarint(*w, n) }

// time is kept in milliseconds; 0 is the zero time.
func (w *writer) time(t time.Time) {
	if t.IsZero() {
		w.number(0)
		return
	}
	w.number(t.UnixMilli())
}

type reader struct {
	rest []byte
	bad  bool
}

func (r *reader) text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[size : size+int(n)])
	r.rest = r.rest[size+int(n):]
	return s
}

func (r *reader) number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

func (r *reader) time() time.Time {
	if ms := r.number(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// done reports whether everything was there and nothing more.
func (r *reader) done() error {
	if r.bad || len(r.rest) != 0 {
		return &Error{Reason: BadRecord, Detail: "its layout is not ours"}
	}
	return nil
}

// pendingRecord is a login under way.
type pendingRecord struct {
	pending oidc.Pending
	started time.Time // by our clock
	binding string    // SHA-256 of what the browser must bring
	data    string    // Login.Data
}

func (p *pendingRecord) encode() ([]byte, error) {
	x, err := p.pending.Export()
	if err != nil {
		return nil, err
	}
	w := make(writer, 0, len(x)+len(p.data)+64)
	w.text(string(x))
	w.time(p.started)
	w.text(p.binding)
	w.text(p.data)
	return w, nil
}

func decodePending(b []byte) (*pendingRecord, error) {
	r := reader{rest: b}
	x := r.text()
	p := &pendingRecord{started: r.time(), binding: r.text(), data: r.text()}
	if err := r.done(); err != nil {
		return nil, err
	}
	var err error
	if p.pending, err = oidc.ImportPending([]byte(x)); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the pending login in it", Err: err}
	}
	return p, nil
}

// grantRecord is what a login gave, and how far a refresh of it has come.
type grantRecord struct {
	issuer, clientID, subject, sid string
	started, ends                  time.Time
	data                           string
	obtained                       time.Time // when tokens came
	tokens                         *oidc.Tokens

	// holder is the RP that refreshes at this moment, until holdUntil; "" if
	// none does. It is part of the record, so that taking it is a compare-and-swap
	// of the very tokens that are about to be used: no two can use one refresh
	// token, however late a cache is.
	holder    string
	holdUntil time.Time
	// failures counts refreshes in a row that failed without ending the grant;
	// none is tried again before retryAt.
	failures int64
	retryAt  time.Time
}

func (g *grantRecord) encode() ([]byte, error) {
	x, err := g.tokens.Export()
	if err != nil {
		return nil, err
	}
	w := make(writer, 0, len(x)+len(g.data)+256)
	w.text(g.issuer)
	w.text(g.clientID)
	w.text(g.subject)
	w.text(g.sid)
	w.time(g.started)
	w.time(g.ends)
	w.text(g.data)
	w.time(g.obtained)
	w.text(string(x))
	w.text(g.holder)
	w.time(g.holdUntil)
	w.number(g.failures)
	w.time(g.retryAt)
	return w, nil
}

func decodeGrant(b []byte) (*grantRecord, error) {
	r := reader{rest: b}
	g := &grantRecord{issuer: r.text(), clientID: r.text(), subject: r.text(), sid: r.text(),
		started: r.time(), ends: r.time(), data: r.text(), obtained: r.time()}
	x := r.text()
	g.holder, g.holdUntil, g.failures, g.retryAt = r.text(), r.time(), r.number(), r.time()
	if err := r.done(); err != nil {
		return nil, err
	}
	var err error
	if g.tokens, err = oidc.ImportTokens([]byte(x), g.issuer, g.clientID); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the tokens in it", Err: err}
	}
	return g, nil
}
