package login

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
)

// Session is a logged-in user's session, as it was when the request came. It is
// safe for concurrent use; changing a field changes nothing that is kept.
type Session struct {
	// Issuer and Subject say who the user is: together, and nothing else does.
	Issuer, Subject string
	// ClientID is the client that the login was made for.
	ClientID string
	// SessionID is the sid of the login at the OP; "" if it gave none.
	SessionID string
	// ACR is the authentication context class; "" if the OP does not say.
	ACR string
	// AuthTime is when the user logged in at the OP; zero if the OP does not say.
	AuthTime time.Time
	// Started is when the session began here, and Expires when it ends, whatever
	// its user does.
	Started, Expires time.Time
	// Data is the application's own, at most MaxData bytes: OnLogin sets it, it
	// is sealed where it is kept, and must not be changed later.
	Data []byte

	m     *Manager
	place string // store key; "" if storeless or not kept yet
	d     *sessionData
}

// sessionData is what is kept, sealed. Once made it does not change.
type sessionData struct {
	Grant        string          `json:"g,omitempty"` // state of the grant; "" if storeless
	Issuer       string          `json:"i"`
	ClientID     string          `json:"c"`
	Subject      string          `json:"s"`
	SessionID    string          `json:"sid,omitempty"`
	ACR          string          `json:"acr,omitempty"`
	AuthTime     int64           `json:"at,omitempty"` // this and the others in Unix milliseconds
	Started      int64           `json:"b"`
	Seen         int64           `json:"l"`
	Ends         int64           `json:"e"`
	SessionState string          `json:"ss,omitempty"`
	Claims       json.RawMessage `json:"cl,omitempty"`
	Data         []byte          `json:"d,omitempty"`
	Tokens       []byte          `json:"t,omitempty"` // exported, if storeless
}

const (
	sessionClass   = "session:"
	tagSubject     = "session-sub"
	tagSession     = "session-sid"
	sessionPurpose = "session"
	idBytes        = 32
	idLength       = 43 // of a session cookie: idBytes in base64url
)

func milli(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms)
}

func (d *sessionData) session(m *Manager, place string) Session {
	return Session{
		Issuer: d.Issuer, Subject: d.Subject, ClientID: d.ClientID, SessionID: d.SessionID, ACR: d.ACR,
		AuthTime: milli(d.AuthTime), Started: milli(d.Started), Expires: milli(d.Ends), Data: d.Data,
		m: m, place: place, d: d,
	}
}

// ends is when the session is over if nobody uses it again.
func (m *Manager) ends(d *sessionData) time.Time {
	idle := milli(d.Seen).Add(m.c.Idle)
	if end := milli(d.Ends); end.Before(idle) {
		return end
	}
	return idle
}

// Identity is who the user is: the one key under which to know one.
func (s *Session) Identity() oidc.Identity {
	return oidc.Identity{Issuer: s.Issuer, Subject: s.Subject}
}

// Claims decodes the claims of the ID Token of the login into v, a pointer to a
// struct or map. They are as they were then; UserInfo asks anew.
func (s *Session) Claims(v any) error {
	if err := json.Unmarshal(s.d.Claims, v); err != nil {
		return &Error{Reason: BadRequest, Detail: "the claims do not fit what they are read into", Err: err}
	}
	return nil
}

// Tokens returns the tokens of the session, with an access token that lives; see
// rp.Grant.Tokens. If the OP says that the grant is over (rp.GrantEnded), the
// session ends too. Without a store nothing renews tokens: rp.LoginNeeded is the
// answer once the access token is dead.
func (s *Session) Tokens(ctx context.Context) (*oidc.Tokens, error) {
	if s.m.c.Storeless {
		t, err := oidc.ImportTokens(s.d.Tokens, s.Issuer, s.ClientID)
		if err != nil {
			return nil, err
		}
		if t.AccessToken != "" && !t.Valid(s.m.now(), 0) {
			return nil, &rp.Error{Reason: rp.LoginNeeded, Detail: "the access token is dead, and sessions in cookies renew none"}
		}
		return t, nil
	}
	t, err := s.m.rp.Tokens(ctx, s.d.Grant)
	return t, s.ended(ctx, err)
}

// UserInfo asks the OP for claims about the user, with a fresh token.
func (s *Session) UserInfo(ctx context.Context) (*oidc.UserInfo, error) {
	if s.m.c.Storeless {
		t, err := s.Tokens(ctx)
		if err != nil {
			return nil, err
		}
		c, err := s.m.client(ctx, s.Issuer)
		if err != nil {
			return nil, err
		}
		return c.UserInfo(ctx, t)
	}
	ui, err := s.m.rp.UserInfo(ctx, s.d.Grant)
	return ui, s.ended(ctx, err)
}

// ended ends the session of a grant that is over (hostile catalogue case 252).
func (s *Session) ended(ctx context.Context, err error) error {
	if errors.Is(err, rp.GrantEnded) && s.place != "" {
		if e := s.m.c.Store.Delete(context.WithoutCancel(ctx), s.place); e != nil {
			return errors.Join(err, storeFailed("ending the session", e))
		}
	}
	return err
}

// Format prints who the session is of, and no secret.
func (s Session) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login.Session{Issuer:%q Subject:%q Started:%s}", s.Issuer, s.Subject, s.Started.UTC().Format(time.RFC3339))
}

// LogValue is what slog logs: no secret.
func (s Session) LogValue() slog.Value {
	return slog.GroupValue(slog.String("iss", s.Issuer), slog.String("sub", s.Subject), slog.Time("started", s.Started))
}

// MarshalJSON writes who the session is of, and no secret.
func (s Session) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"iss": s.Issuer, "sub": s.Subject})
}

// contextKey is the key of the session in a context.
type contextKey struct{}

// carrier is a context with a session in it, and with the values of the headers
// that the answer gets: one piece of memory for all.
type carrier struct {
	context.Context
	session Session
	headers [2]string
}

// Value implements context.Context.
func (c *carrier) Value(key any) any {
	if _, ok := key.(contextKey); ok {
		return &c.session
	}
	return c.Context.Value(key)
}

// FromContext returns the session that Require or Load found for the request of
// this context.
func FromContext(ctx context.Context) (*Session, bool) {
	s, ok := ctx.Value(contextKey{}).(*Session)
	return s, ok
}

// Session finds the session of a request. Without one the error is NoSession;
// StoreUnavailable says that nobody can tell, and must not be taken for it.
//
// It writes no cookie, so that in Storeless the idle time starts anew only with
// Require and Load.
func (m *Manager) Session(r *http.Request) (*Session, error) {
	c := &carrier{}
	if err := m.find(r, &c.session); err != nil {
		return nil, err
	}
	return &c.session, nil
}

var errNoSession = &Error{Reason: NoSession, Detail: "log in first"}

// find fills in the session of a request.
func (m *Manager) find(r *http.Request, s *Session) error {
	value := cookie(r, m.session)
	if value == "" {
		return errNoSession
	}
	if m.c.Storeless {
		return m.openCookie(value, s)
	}
	// What is no session id asks the store nothing (hostile catalogue case 278).
	var id [idBytes]byte
	if len(value) != idLength {
		return errNoSession
	}
	if n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(value)); err != nil || n != idBytes {
		return errNoSession
	}
	return m.load(r.Context(), &id, s)
}

// load reads a session from the store. What was opened before is not opened again
// while the record has the same Rev.
func (m *Manager) load(ctx context.Context, id *[idBytes]byte, s *Session) error {
	have, cached := m.cache.get(id)
	if !cached {
		have.place = seal.Hashed(sessionClass, string(id[:]))
	}
	rec, err := m.c.Store.Load(ctx, have.place)
	if err != nil && !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
		// Every connection of a pool may be dead after a restart of the store
		// (hostile catalogue case 313).
		rec, err = m.c.Store.Load(ctx, have.place)
	}
	if errors.Is(err, store.ErrNotFound) {
		if cached {
			m.cache.drop(id)
		}
		return errNoSession
	}
	if err != nil {
		return storeFailed("looking for the session", err)
	}
	if have.rev != rec.Rev || have.d == nil {
		if have.d, err = m.openSession(have.place, rec.Value); err != nil {
			return err
		}
		have.rev = rec.Rev
		m.cache.put(id, have)
	}
	now := m.now()
	// The store's clock may be behind ours.
	if !now.Before(m.ends(have.d)) {
		return errNoSession
	}
	if now.Sub(milli(have.d.Seen)) > m.c.Idle/8 {
		m.touch(ctx, id, have, rec, now)
	}
	*s = have.d.session(m, have.place)
	return nil
}

// touch notes that the session is used. If it cannot be noted, the session was
// ended meanwhile, or somebody else noted it, or the store fails: the next
// request sees which.
func (m *Manager) touch(ctx context.Context, id *[idBytes]byte, have cached, rec store.Record, now time.Time) {
	d := *have.d
	d.Seen = now.UnixMilli()
	sealed, err := m.sealSession(have.place, &d)
	if err != nil {
		return
	}
	rec.Value, rec.Expires = sealed, m.ends(&d)
	if rec, err = m.c.Store.Replace(ctx, rec); err == nil {
		m.cache.put(id, cached{place: have.place, rev: rec.Rev, d: &d})
	}
}

func (m *Manager) sealSession(place string, d *sessionData) ([]byte, error) {
	plain, err := json.Marshal(d)
	if err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the session cannot be written", Err: err}
	}
	return m.ring.seal(sessionPurpose, place, plain)
}

// openSession reads a record. One that cannot be read is no session, and no
// reason to ask the user to log in over and over: it is an error, told apart.
func (m *Manager) openSession(place string, sealed []byte) (*sessionData, error) {
	plain, err := m.ring.open(sessionPurpose, place, sealed)
	if err != nil {
		return nil, err
	}
	d := new(sessionData)
	if err := json.Unmarshal(plain, d); err != nil || d.Issuer == "" || d.Subject == "" || d.Ends == 0 {
		return nil, &Error{Reason: BadRecord, Detail: "its layout is not ours"}
	}
	return d, nil
}

// keepSession stores a new session under an id that nobody has seen (hostile
// catalogue case 276), and returns the value of its cookie.
func (m *Manager) keepSession(ctx context.Context, s *Session) (cookie string, err error) {
	if len(s.Data) > MaxData {
		return "", &Error{Reason: TooLarge, Detail: fmt.Sprintf("Session.Data has %d bytes, at most %d", len(s.Data), MaxData)}
	}
	s.d.Data = s.Data
	if m.c.Storeless {
		return m.sealCookie(s.d)
	}
	var id [idBytes]byte
	rand.Read(id[:])
	s.place = seal.Hashed(sessionClass, string(id[:]))
	sealed, err := m.sealSession(s.place, s.d)
	if err != nil {
		return "", err
	}
	rec := store.Record{Key: s.place, Value: sealed, Tags: m.sessionTags(s.d), Expires: m.ends(s.d)}
	if _, err := m.c.Store.Create(ctx, rec); err != nil {
		// It may have been written all the same. Nobody knows its id.
		_ = m.c.Store.Delete(context.WithoutCancel(ctx), s.place)
		if errors.Is(err, store.ErrTooLarge) {
			return "", &Error{Reason: TooLarge, Detail: "the store takes no record of that size", Err: err}
		}
		return "", storeFailed("keeping the session", err)
	}
	// Only now, when End would find the session: either End sees it, or we see
	// that its grant is gone (hostile catalogue case 266).
	if _, err := m.rp.Grant(ctx, s.d.Grant); err != nil {
		_ = m.c.Store.Delete(context.WithoutCancel(ctx), s.place)
		if errors.Is(err, rp.GrantEnded) {
			return "", &rp.Error{Reason: rp.LoggedOut, Detail: "begin again"}
		}
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}

func (m *Manager) sessionTags(d *sessionData) []string {
	tags := []string{m.ring[0].Tag(tagSubject, d.Issuer, d.Subject)}
	if d.SessionID != "" {
		tags = append(tags, m.ring[0].Tag(tagSession, d.Issuer, d.SessionID))
	}
	return tags
}

// newSession is the session of a login, not kept yet.
func (m *Manager) newSession(t *oidc.IDToken, clientID, sessionState string) (*Session, error) {
	claims := map[string]json.RawMessage{}
	if err := t.Claims(&claims); err != nil {
		return nil, err
	}
	raw, err := json.Marshal(claims)
	if err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the claims cannot be written", Err: err}
	}
	now := m.now()
	d := &sessionData{
		Issuer: t.Issuer, ClientID: clientID, Subject: t.Subject, SessionID: t.SessionID, ACR: t.ACR,
		Started: now.UnixMilli(), Seen: now.UnixMilli(), Ends: now.Add(m.c.Lifetime).UnixMilli(),
		SessionState: sessionState, Claims: raw,
	}
	if !t.AuthTime.IsZero() {
		d.AuthTime = t.AuthTime.UnixMilli()
	}
	s := d.session(m, "")
	return &s, nil
}

// cache holds sessions that were opened: by id, where the store is asked every
// time all the same; or, without a store, by the hash of the cookie. What is saved
// is the opening.
type cache struct {
	shards [cacheShards]struct {
		mu      sync.Mutex // guards entries
		entries map[[idBytes]byte]cached
	}
}

const (
	cacheShards = 64
	maxCached   = 512 // of a shard
)

type cached struct {
	place string
	rev   uint64
	d     *sessionData
}

func (c *cache) get(id *[idBytes]byte) (cached, bool) {
	sh := &c.shards[id[0]%cacheShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	e, ok := sh.entries[*id]
	return e, ok
}

func (c *cache) put(id *[idBytes]byte, e cached) {
	sh := &c.shards[id[0]%cacheShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.entries == nil {
		sh.entries = make(map[[idBytes]byte]cached)
	}
	if _, ok := sh.entries[*id]; !ok && len(sh.entries) >= maxCached {
		for victim := range sh.entries {
			delete(sh.entries, victim)
			break
		}
	}
	sh.entries[*id] = e
}

func (c *cache) drop(id *[idBytes]byte) {
	sh := &c.shards[id[0]%cacheShards]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.entries, *id)
}
