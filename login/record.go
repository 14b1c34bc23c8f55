package login

import (
	"bytes"
	"encoding/json"
	"time"

	"rely.example/internal/layout"
)

// sessionData is what is kept of a session, sealed, in the store or in a cookie.
// Once made it does not change.
type sessionData struct {
	Grant                     string // state of the grant; "" if storeless
	Issuer, ClientID, Subject string
	SessionID, ACR            string
	AuthTime, Started         time.Time // in whole milliseconds, as all times here
	Seen, Ends                time.Time // when it was used, about; when it ends in any case
	SessionState              string
	Claims                    claims // as in a JSON object
	Data                      []byte
	Tokens                    []byte // exported, if storeless
}

func (d *sessionData) encode() []byte {
	w := make(layout.Writer, 0, 256+len(d.Claims.rest)+len(d.Data)+len(d.Tokens))
	for _, text := range []string{d.Grant, d.Issuer, d.ClientID, d.Subject, d.SessionID, d.ACR} {
		w.Text(text)
	}
	for _, at := range []time.Time{d.AuthTime, d.Started, d.Seen, d.Ends} {
		w.Time(at)
	}
	w.Text(d.SessionState)
	w.Number(d.Claims.left)
	for _, bytes := range [][]byte{d.Claims.rest, d.Data, d.Tokens} {
		w.Text(string(bytes))
	}
	return w
}

func decodeSession(b []byte) (*sessionData, error) {
	d, r := new(sessionData), layout.Read(b)
	for _, text := range []*string{&d.Grant, &d.Issuer, &d.ClientID, &d.Subject, &d.SessionID, &d.ACR} {
		*text = r.Text()
	}
	for _, at := range []*time.Time{&d.AuthTime, &d.Started, &d.Seen, &d.Ends} {
		*at = r.Time()
	}
	d.SessionState = r.Text()
	d.Claims.left = r.Number()
	for _, value := range []*[]byte{&d.Claims.rest, &d.Data, &d.Tokens} {
		if text := r.Text(); text != "" {
			*value = []byte(text)
		}
	}
	if !r.Done() || d.Issuer == "" || d.Subject == "" || d.Ends.IsZero() {
		return nil, &Error{Reason: BadRecord, Detail: "its layout is not ours"}
	}
	return d, nil
}

// claims are those of an ID Token. What the fields of the session say too is left
// out and written in again when it is asked for: of the hundreds of bytes that a
// session would have otherwise, half are said twice. Without a store there are
// none: they are in the tokens.
type claims struct {
	left int64  // bit i: the i-th of doubles was left out
	rest []byte // a JSON object
}

// bound are the claims that tied the ID Token to its login. They were compared,
// and are of no use to anybody since.
func bound() []string { return []string{"nonce", "at_hash", "c_hash", "s_hash"} }

// doubles are the claims that fields say too, as JSON, in the order of the bits.
func (d *sessionData) doubles() (names []string, values []any) {
	return []string{"iss", "sub", "sid", "acr", "auth_time", "aud", "aud"},
		[]any{d.Issuer, d.Subject, d.SessionID, d.ACR, d.AuthTime.Unix(), d.ClientID, []string{d.ClientID}}
}

// setClaims keeps the claims of an ID Token, for when the other fields are set.
func (d *sessionData) setClaims(all map[string]json.RawMessage) error {
	for _, name := range bound() {
		delete(all, name)
	}
	names, values := d.doubles()
	for i, name := range names {
		text, err := json.Marshal(values[i])
		if err != nil {
			return err
		}
		if bytes.Equal(all[name], text) {
			delete(all, name)
			d.Claims.left |= 1 << i
		}
	}
	var err error
	d.Claims.rest, err = json.Marshal(all)
	return err
}

// allClaims is the JSON object of all of them.
func (d *sessionData) allClaims() ([]byte, error) {
	out := []byte("{")
	names, values := d.doubles()
	for i, name := range names {
		if d.Claims.left&(1<<i) == 0 {
			continue
		}
		text, err := json.Marshal(values[i])
		if err != nil {
			return nil, err
		}
		out = append(append(append(append(out, '"'), name...), '"', ':'), text...)
		out = append(out, ',')
	}
	rest := bytes.TrimPrefix(d.Claims.rest, []byte("{"))
	if len(rest) == 1 { // nothing but the end
		out = bytes.TrimSuffix(out, []byte(","))
	}
	return append(out, rest...), nil
}

func (d *sessionData) session(m *Manager, place string) Session {
	return Session{
		Issuer: d.Issuer, Subject: d.Subject, ClientID: d.ClientID, SessionID: d.SessionID, ACR: d.ACR,
		AuthTime: d.AuthTime, Started: d.Started, Expires: d.Ends, Data: d.Data,
		m: m, place: place, d: d,
	}
}

// ends is when the session is over if nobody uses it again.
func (m *Manager) ends(d *sessionData) time.Time {
	if idle := d.Seen.Add(m.c.Idle); idle.Before(d.Ends) {
		return idle
	}
	return d.Ends
}

func (m *Manager) sealSession(place string, d *sessionData) ([]byte, error) {
	return m.ring.seal(sessionPurpose, place, d.encode())
}

// openSession reads a record. One that cannot be read is no session, and no
// reason to ask the user to log in over and over: it is an error, told apart.
func (m *Manager) openSession(place string, sealed []byte) (*sessionData, error) {
	plain, err := m.ring.open(sessionPurpose, place, sealed)
	if err != nil {
		return nil, err
	}
	return decodeSession(plain)
}
