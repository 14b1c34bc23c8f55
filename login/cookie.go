package login

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Bounds on cookies.
const (
	// MaxLogins is how many logins one browser may have under way. One more, and
	// the oldest is given up: so the Cookie header stays small however many tabs
	// begin a login (hostile catalogue case 116).
	MaxLogins = 6
	// maxCookieHeader bounds how much of a Cookie header is looked at. Browsers
	// send less; a longer one has no cookie of ours (hostile catalogue case 294).
	maxCookieHeader = 64 << 10
	// maxCookie is what every browser keeps of one cookie, name, value and
	// attributes together (RFC 6265 section 6.1), with room for the attributes.
	maxCookie = 4096 - 160
)

// cookies calls f for every cookie of a request, without allocating.
func cookies(r *http.Request, f func(name, value string)) {
	left := maxCookieHeader
	for _, line := range r.Header["Cookie"] {
		if left -= len(line); left < 0 {
			return
		}
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			name, value, _ := strings.Cut(strings.TrimLeft(pair, " "), "=")
			f(name, value)
		}
	}
}

// cookie is the value of a cookie; "" if it is not there. One that is there with
// two values is not there either: one of them is not ours.
func cookie(r *http.Request, name string) string {
	found, clash := "", false
	left := maxCookieHeader
	for _, line := range r.Header["Cookie"] {
		if left -= len(line); left < 0 {
			return ""
		}
		for line != "" {
			var pair string
			pair, line, _ = strings.Cut(line, ";")
			n, v, _ := strings.Cut(strings.TrimLeft(pair, " "), "=")
			if n != name {
				continue
			}
			clash = clash || found != "" && found != v
			found = v
		}
	}
	if clash {
		return ""
	}
	return found
}

// setCookie sets a cookie for the whole host. maxAge zero means until the browser
// is closed; negative removes it, with the attributes that it was set with
// (hostile catalogue case 274).
func (m *Manager) setCookie(w http.ResponseWriter, name, value string, maxAge time.Duration, site http.SameSite) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", HttpOnly: true, Secure: m.secure, SameSite: site}
	if site == http.SameSiteNoneMode && !m.secure {
		c.SameSite = http.SameSiteLaxMode // browsers drop None without Secure
	}
	switch {
	case maxAge < 0:
		c.MaxAge = -1
	case maxAge > 0:
		c.MaxAge = int(maxAge / time.Second)
	}
	w.Header().Add("Set-Cookie", c.String())
}

func (m *Manager) dropCookie(w http.ResponseWriter, name string) {
	m.setCookie(w, name, "", -1, http.SameSiteLaxMode)
}

// purpose is what a login is for, as its cookie says. The cookie is the binding
// of the login: another purpose is another binding.
type purpose string

const (
	forLogin purpose = "l"
	forCheck purpose = "c" // of a session that the OP says has changed
)

// newBinding is what a login cookie holds: when the login was begun, so that the
// oldest can go; 256 random bits; and what it is for.
func (m *Manager) newBinding(p purpose) string {
	b := make([]byte, 32)
	rand.Read(b)
	return strconv.FormatInt(m.now().Unix(), 36) + "." + base64.RawURLEncoding.EncodeToString(b) + "." + string(p)
}

// loginCookie is the name of the cookie of one login.
func (m *Manager) loginCookie(state string) string {
	sum := sha256.Sum256([]byte("login cookie\x00" + state))
	return m.loginPrefix + base64.RawURLEncoding.EncodeToString(sum[:9])
}

// dropOldLogins makes room for one more login cookie.
func (m *Manager) dropOldLogins(w http.ResponseWriter, r *http.Request) {
	var names []string
	var begun []int64
	cookies(r, func(name, value string) {
		if !strings.HasPrefix(name, m.loginPrefix) || len(names) >= maxCookieHeader/32 {
			return
		}
		at, _, _ := strings.Cut(value, ".")
		t, err := strconv.ParseInt(at, 36, 64)
		if err != nil {
			t = 0
		}
		names, begun = append(names, name), append(begun, t)
	})
	for len(names) >= m.maxLogins {
		oldest := 0
		for i := range begun {
			if begun[i] < begun[oldest] {
				oldest = i
			}
		}
		m.dropCookie(w, names[oldest])
		last := len(names) - 1
		names[oldest], begun[oldest] = names[last], begun[last]
		names, begun = names[:last], begun[:last]
	}
}
