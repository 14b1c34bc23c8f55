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
	"strings"
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

const (
	sessionClass   = "session:"
	tagSubject     = "session-sub"
	tagSession     = "session-sid"
	sessionPurpose = "session"
	idBytes        = 32
	idLength       = 43 // of a session cookie: idBytes in base64url
)

// Identity is who the user is: the one key under which to know one.
func (s *Session) Identity() oidc.Identity {
	return oidc.Identity{Issuer: s.Issuer, Subject: s.Subject}
}

// Claims decodes the claims of the ID Token of the login into v, a pointer to a
// struct or map. They are as they were then; UserInfo asks anew. Those that tied
// the token to its login (nonce, at_hash, c_hash, s_hash) are not kept.
func (s *Session) Claims(v any) error {
	if s.m.c.Storeless {
		// In a cookie they are kept once, within the tokens: there is little room.
		t, err := oidc.ImportTokens(s.d.Tokens, s.Issuer, s.ClientID)
		if err != nil {
			return err
		}
		return t.IDToken.Claims(v)
	}
	all, err := s.d.allClaims()
	if err == nil {
		err = json.Unmarshal(all, v)
	}
	if err != nil {
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
		ctx, cancel := detached(ctx)
		defer cancel()
		if e := s.m.c.Store.Delete(ctx, s.place); e != nil {
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
	if len(value) != idLength {
		return errNoSession
	}
	have, known := m.cache.get(value)
	if known && m.still(r.Context(), have) {
		*s = *have.session
		return nil
	}
	place := sessionPlace(value)
	if place == "" {
		return errNoSession
	}
	return m.load(r.Context(), value, place, have, s)
}

// sessionPlace is where the session of a cookie is kept, if there is one; "" for
// what is no session id.
func sessionPlace(value string) string {
	if len(value) != idLength {
		return ""
	}
	var id [idBytes]byte
	if n, err := base64.RawURLEncoding.Strict().Decode(id[:], []byte(value)); err != nil || n != idBytes {
		return ""
	}
	return seal.Hashed(sessionClass, string(id[:]))
}

// still reports whether a session that was opened before is what the store has,
// goes on, and was noted as used not long ago.
func (m *Manager) still(ctx context.Context, have cached) bool {
	if m.looker == nil {
		return false
	}
	if now := m.now(); now.Sub(have.seen) > m.c.Idle/8 || !now.Before(have.ends) {
		return false
	}
	same, err := m.looker.Current(ctx, have.session.place, have.rev)
	return same && err == nil
}

// load reads a session from the store. What was opened before is not opened again
// while the record has the same Rev.
func (m *Manager) load(ctx context.Context, value, place string, have cached, s *Session) error {
	rec, err := m.c.Store.Load(ctx, place)
	if err != nil && !errors.Is(err, store.ErrNotFound) && ctx.Err() == nil {
		// Every connection of a pool may be dead after a restart of the store
		// (hostile catalogue case 313).
		rec, err = m.c.Store.Load(ctx, place)
	}
	if errors.Is(err, store.ErrNotFound) {
		if have.session != nil {
			m.cache.drop(value)
		}
		return errNoSession
	}
	if err != nil {
		return storeFailed("looking for the session", err)
	}
	if have.session == nil || have.rev != rec.Rev {
		d, err := m.openSession(place, rec.Value)
		if err != nil {
			return err
		}
		have = m.opened(d, place, rec.Rev)
		m.cache.put(value, have, m.now())
	}
	now := m.now()
	// The store's clock may be behind ours.
	if !now.Before(have.ends) {
		return errNoSession
	}
	if now.Sub(have.seen) > m.c.Idle/8 {
		m.touch(ctx, value, have, rec, now)
	}
	*s = *have.session
	return nil
}

// touch notes that the session is used. If it cannot be noted, the session was
// ended meanwhile, or somebody else noted it, or the store fails: the next
// request sees which.
func (m *Manager) touch(ctx context.Context, value string, have cached, rec store.Record, now time.Time) {
	d := *have.session.d
	d.Seen = store.Expiry(now)
	sealed, err := m.sealSession(have.session.place, &d)
	if err != nil {
		return
	}
	rec.Value, rec.Expires = sealed, m.ends(&d)
	if rec, err = m.c.Store.Replace(ctx, rec); err == nil {
		m.cache.put(value, m.opened(&d, have.session.place, rec.Rev), m.now())
	}
}

// keepSession stores a new session under an id that nobody has seen (hostile
// catalogue case 276), and returns the value of its cookie. grant is nil if
// storeless.
func (m *Manager) keepSession(ctx context.Context, s *Session, grant *rp.Grant) (cookie string, err error) {
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
		ctx, cancel := detached(ctx)
		defer cancel()
		_ = m.c.Store.Delete(ctx, s.place)
		if errors.Is(err, store.ErrTooLarge) {
			return "", &Error{Reason: TooLarge, Detail: "the store takes no record of that size", Err: err}
		}
		return "", storeFailed("keeping the session", err)
	}
	// Only now, when End would find the session: either End sees it, or we see
	// what End left (hostile catalogue case 266).
	if err := m.stands(ctx, grant); err != nil {
		ctx, cancel := detached(ctx)
		defer cancel()
		_ = m.c.Store.Delete(ctx, s.place)
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(id[:]), nil
}

// stands reports, as rp.LoggedOut, that a grant was ended since its login began.
func (m *Manager) stands(ctx context.Context, grant *rp.Grant) error {
	// The grant alone does not tell: a store that caches may still have it.
	out, err := grant.LoggedOut(ctx)
	if err == nil && !out {
		_, err = m.rp.Grant(ctx, grant.State())
	}
	if out || errors.Is(err, rp.GrantEnded) {
		return &rp.Error{Reason: rp.LoggedOut, Detail: "begin again"}
	}
	return err
}

func (m *Manager) sessionTags(d *sessionData) []string {
	tags := []string{m.ring[0].Tag(tagSubject, d.Issuer, d.Subject)}
	if d.SessionID != "" {
		tags = append(tags, m.ring[0].Tag(tagSession, d.Issuer, d.SessionID))
	}
	return tags
}

// detachedTimeout bounds what goes on when the browser or the OP has left.
const detachedTimeout = 10 * time.Second

// detached is a context for what must be done whoever still waits for it.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), detachedTimeout)
}

// newSession is the session of a login, not kept yet.
func (m *Manager) newSession(t *oidc.IDToken, clientID, sessionState string) (*Session, error) {
	all := map[string]json.RawMessage{}
	if err := t.Claims(&all); err != nil {
		return nil, err
	}
	now := store.Expiry(m.now()) // in the precision of a record
	d := &sessionData{
		Issuer: t.Issuer, ClientID: clientID, Subject: t.Subject, SessionID: t.SessionID, ACR: t.ACR,
		AuthTime: t.AuthTime, Started: now, Seen: now, Ends: now.Add(m.c.Lifetime),
		SessionState: sessionState,
	}
	if err := d.setClaims(all); err != nil {
		return nil, &Error{Reason: BadRecord, Detail: "the claims cannot be written", Err: err}
	}
	s := d.session(m, "")
	return &s, nil
}

// cache holds sessions that were opened, by the value of their cookie. A store is
// asked every time all the same; what is saved is the opening.
type cache struct {
	max    int // of a shard
	shards [cacheShards]struct {
		mu      sync.Mutex // guards the fields below
		entries map[string]cached
		sweepAt int // how many entries there are when those that ended go
	}
}

const (
	cacheShards = 64
	maxCached   = 512 // of a shard, by session ids
	maxOpened   = 64  // of a shard, by sealed cookies, each of them some kilobytes
	minSweep    = 16  // of a shard; fewer are not looked through
)

// cached is a session that was opened; nothing of it changes.
type cached struct {
	session    *Session
	rev        uint64
	seen, ends time.Time
}

func (m *Manager) opened(d *sessionData, place string, rev uint64) cached {
	s := d.session(m, place)
	return cached{session: &s, rev: rev, seen: d.Seen, ends: m.ends(d)}
}

// shard is where a value belongs. Its end is random, save for the last character,
// which holds what is left of the bits.
func shard(value string) int { return int(value[max(len(value)-2, 0)]) % cacheShards }

func (c *cache) get(value string) (cached, bool) {
	sh := &c.shards[shard(value)]
	sh.mu.Lock()
	e, ok := sh.entries[value]
	sh.mu.Unlock()
	return e, ok
}

func (c *cache) put(value string, e cached, now time.Time) {
	sh := &c.shards[shard(value)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.entries == nil {
		sh.entries = make(map[string]cached)
		sh.sweepAt = minSweep
	}
	if len(sh.entries) >= sh.sweepAt {
		// What ended is asked for by nobody, who would have it forgotten. Each
		// time twice as many are waited for, so that a put costs the same.
		for value, e := range sh.entries {
			if now.After(e.ends) {
				delete(sh.entries, value)
			}
		}
		sh.sweepAt = max(2*len(sh.entries), minSweep)
	}
	if _, ok := sh.entries[value]; !ok && len(sh.entries) >= c.max {
		for victim := range sh.entries {
			delete(sh.entries, victim)
			break
		}
	}
	sh.entries[strings.Clone(value)] = e // a part of the request's header
}

func (c *cache) drop(value string) {
	sh := &c.shards[shard(value)]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	delete(sh.entries, value)
}
