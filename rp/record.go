package rp

import (
	"time"

	"rely.example/internal/layout"
	"rely.example/oidc"
)

// done reports whether everything of a record was there and nothing more.
func done(r *layout.Reader) error {
	if !r.Done() {
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
	w := make(layout.Writer, 0, len(x)+len(p.data)+64)
	w.Text(string(x))
	w.Time(p.started)
	w.Text(p.binding)
	w.Text(p.data)
	return w, nil
}

func decodePending(b []byte) (*pendingRecord, error) {
	r := layout.Read(b)
	x := r.Text()
	p := &pendingRecord{started: r.Time(), binding: r.Text(), data: r.Text()}
	if err := done(r); err != nil {
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
	w := make(layout.Writer, 0, len(x)+len(g.data)+256)
	w.Text(g.issuer)
	w.Text(g.clientID)
	w.Text(g.subject)
	w.Text(g.sid)
	w.Time(g.started)
	w.Time(g.ends)
	w.Text(g.data)
	w.Time(g.obtained)
	w.Text(string(x))
	w.Text(g.holder)
	w.Time(g.holdUntil)
	w.Number(g.failures)
	w.Time(g.retryAt)
	return w, nil
}

func decodeGrant(b []byte) (*grantRecord, error) {
	r := layout.Read(b)
	g := &grantRecord{issuer: r.Text(), clientID: r.Text(), subject: r.Text(), sid: r.Text(),
		started: r.Time(), ends: r.Time(), data: r.Text(), obtained: r.Time()}
	x := r.Text()
	g.holder, g.holdUntil, g.failures, g.retryAt = r.Text(), r.Time(), r.Number(), r.Time()
	if err := done(r); err != nil {
		return nil, err
	}
	var err error
	if g.tokens, err = oidc.ImportTokens([]byte(x), g.issuer, g.clientID); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the tokens in it", Err: err}
	}
	return g, nil
}
