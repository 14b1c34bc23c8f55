package login

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"rely.example/oidc"
	"rely.example/store"
)

// What is sealed into cookies, by purpose: the one never opens as the other
// (hostile catalogue case 279).
const (
	cookiePurpose = "session cookie"
	loginPurpose  = "login cookie"
)

// sealCookie makes the value of a session cookie, or refuses one that browsers
// would drop (hostile catalogue case 282).
func (m *Manager) sealCookie(d *sessionData) (string, error) {
	sealed, err := m.ring.seal(cookiePurpose, m.session, d.encode())
	if err != nil {
		return "", err
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	if n := len(m.session) + len(value); n > maxCookie {
		return "", &Error{Reason: TooLarge, Detail: fmt.Sprintf("the cookie has %d bytes, at most %d; use a store", n, maxCookie)}
	}
	return value, nil
}

// openCookie reads a session cookie. One that does not open is no session: the
// browser sends what it likes, and a login replaces it.
func (m *Manager) openCookie(value string, s *Session) error {
	if len(value) > maxCookie {
		return errNoSession
	}
	// What was opened before is not opened again: the keys stay what they are.
	have, ok := m.cache.get(value)
	if !ok {
		sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
		if err != nil {
			return errNoSession
		}
		plain, err := m.ring.open(cookiePurpose, m.session, sealed)
		if err != nil {
			return errNoSession
		}
		d, err := decodeSession(plain)
		if err != nil {
			return errNoSession
		}
		have = m.opened(d, "", 0)
		m.cache.put(value, have, m.now())
	}
	if !m.now().Before(have.ends) {
		return errNoSession
	}
	*s = *have.session
	return nil
}

// refreshCookie writes the cookie anew when it is an eighth of the idle time old.
func (m *Manager) refreshCookie(w http.ResponseWriter, s *Session) {
	if !m.c.Storeless {
		return // a clock is not read for nothing at every request
	}
	now := m.now()
	if now.Sub(s.d.Seen) <= m.c.Idle/8 {
		return
	}
	d := *s.d
	d.Seen = store.Expiry(now)
	if value, err := m.sealCookie(&d); err == nil {
		m.setCookie(w, m.session, value, m.cookieAge(&d), http.SameSiteLaxMode)
	}
}

// cookieAge is the Max-Age of the session cookie; zero: with the browser.
func (m *Manager) cookieAge(d *sessionData) time.Duration {
	if !m.c.Cookie.Persistent {
		return 0
	}
	return d.Ends.Sub(m.now())
}

// pendingCookie is a login under way that no store keeps.
type pendingCookie struct {
	Pending []byte
	Return  string
	Purpose purpose
}

func (m *Manager) sealPending(name string, p *oidc.Pending, returnTo string, why purpose) (string, error) {
	exported, err := p.Export()
	if err != nil {
		return "", err
	}
	plain, err := json.Marshal(pendingCookie{exported, returnTo, why})
	if err != nil {
		return "", &Error{Reason: BadRecord, Detail: "the login cannot be written", Err: err}
	}
	sealed, err := m.ring.seal(loginPurpose, name, plain)
	if err != nil {
		return "", err
	}
	value := base64.RawURLEncoding.EncodeToString(sealed)
	if n := len(name) + len(value); n > maxCookie {
		return "", &Error{Reason: TooLarge, Detail: fmt.Sprintf("the login's cookie has %d bytes, at most %d; use a store", n, maxCookie)}
	}
	return value, nil
}

func (m *Manager) openPending(name, value string, why purpose) (oidc.Pending, string, error) {
	refuse := func() (oidc.Pending, string, error) {
		return oidc.Pending{}, "", &Error{Reason: BadRecord, Detail: "the cookie of the login does not open"}
	}
	if len(value) > maxCookie {
		return refuse()
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(value)
	if err != nil {
		return refuse()
	}
	plain, err := m.ring.open(loginPurpose, name, sealed)
	if err != nil {
		return refuse()
	}
	var c pendingCookie
	if err := json.Unmarshal(plain, &c); err != nil || c.Purpose != why {
		return refuse()
	}
	p, err := oidc.ImportPending(c.Pending)
	return p, c.Return, err
}
