package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"sync"
	"time"

	"rely.example/oidctest"
)

// Bounds on what strangers on this machine can make the program keep.
const (
	maxSessions     = 32
	sessionLifetime = 2 * time.Hour   // since it was used last
	leaseLifetime   = 2 * time.Minute // how long the OP stays broken for one login
)

const sessionCookie = "rely_demo"

// session is one browser. At most one request at a time works in it.
type session struct {
	id   string
	kept *registrations

	turn chan struct{} // holds one value while nobody works; guards what follows

	login    *login // nil before the first
	choice   choice // of the form
	flash    string // shown once: why nothing happened
	revealed map[int]bool

	used time.Time // guarded by sessions.mu
}

// lock waits for the session's turn, or until ctx ends.
func (s *session) lock(ctx context.Context) error {
	select {
	case <-s.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tryLock takes the turn if nobody has it.
func (s *session) tryLock() bool {
	select {
	case <-s.turn:
		return true
	default:
		return false
	}
}

func (s *session) unlock() { s.turn <- struct{}{} }

// replace makes l the login that is shown, and ends the one before it.
func (s *session) replace(l *login) {
	if s.login != nil {
		s.login.close()
	}
	s.login, s.revealed, s.flash = l, nil, ""
}

// sessions are the browsers that are known, the least recently used of which
// gives way to a new one.
type sessions struct {
	now func() time.Time
	// shared, if not nil, is where all sessions keep their registrations: an OP
	// of somebody else's is not filled with clients.
	shared *registrations

	mu   sync.Mutex // guards byID, and used of each session
	byID map[string]*session
}

// find returns the session of a request, or nil.
func (k *sessions) find(r *http.Request) *session {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.byID[c.Value]
	if s == nil || k.now().Sub(s.used) > sessionLifetime {
		return nil
	}
	s.used = k.now()
	return s
}

// begin returns the session of a request, or a new one that is set as a cookie.
func (k *sessions) begin(w http.ResponseWriter, r *http.Request, c choice) *session {
	if s := k.find(r); s != nil {
		return s
	}
	s := &session{id: rand.Text(), kept: k.shared, turn: make(chan struct{}, 1), choice: c}
	if s.kept == nil {
		s.kept = &registrations{}
	}
	s.unlock()
	k.mu.Lock()
	s.used = k.now()
	var out *session
	if len(k.byID) >= maxSessions {
		for _, o := range k.byID {
			if out == nil || o.used.Before(out.used) {
				out = o
			}
		}
		delete(k.byID, out.id)
	}
	k.byID[s.id] = s
	k.mu.Unlock()
	if out != nil {
		out.discard()
	}
	http.SetCookie(w, &http.Cookie{Name: sessionCookie, Value: s.id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return s
}

// discard ends what the session holds open, unless somebody works in it: then
// that ends by itself.
func (s *session) discard() {
	if s.tryLock() {
		s.replace(nil)
		s.unlock()
	}
}

func (k *sessions) close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for id, s := range k.byID {
		s.discard()
		delete(k.byID, id)
	}
}

// errLeased says that another browser has the OP for itself.
var errLeased = errors.New("another browser has just made the OP break a rule; try again in a moment")

// lease makes sure that the OP breaks a rule for one session alone, since it is
// one OP for all of them.
type lease struct {
	dev *oidctest.OP // nil with an OP that cannot be told to break anything
	now func() time.Time

	mu    sync.Mutex // guards owner and until
	owner *session   // nil if nothing is broken
	until time.Time
}

// arm breaks f for s; nil mends what s broke. It fails while another session
// has the OP.
func (k *lease) arm(s *session, f *oidctest.FaultInfo) error {
	if k.dev == nil {
		return nil
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner != nil && k.owner != s && k.now().Before(k.until) {
		return errLeased
	}
	k.dev.Mend()
	k.owner = nil
	if f != nil {
		k.dev.Break(f.Fault)
		k.owner, k.until = s, k.now().Add(leaseLifetime)
	}
	return nil
}

// free reports whether s may talk to the OP: nobody else has it broken.
func (k *lease) free(s *session) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == nil || k.owner == s {
		return nil
	}
	if k.now().Before(k.until) {
		return errLeased
	}
	k.dev.Mend()
	k.owner = nil
	return nil
}

// disarm mends what s broke.
func (k *lease) disarm(s *session) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.owner == s && s != nil {
		k.dev.Mend()
		k.owner = nil
	}
}
