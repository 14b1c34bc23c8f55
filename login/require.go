package login

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/oidc"
)

// Require lets requests of logged-in users through to next, with the Session in
// their context (FromContext). Of the others a navigation is sent to log in and
// comes back to the same page; anything else, such as fetch, is answered 401 with
// a challenge and, as JSON, where to log in. Nothing of next runs for them.
//
// A form that is posted without a session is not kept: the user is told so, with
// a link to log in and come back to the page of the form. If the store cannot
// tell who is logged in, the answer is 503.
func (m *Manager) Require(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &carrier{Context: r.Context()}
		if err := m.find(r, &c.session); err != nil {
			m.refuse(w, r, err, step{maxAge: -1})
			return
		}
		c.personal(w)
		m.refreshCookie(w, &c.session)
		next.ServeHTTP(w, r.WithContext(c))
	})
}

// Load is Require for pages that know what to show to those who are not logged
// in: they are let through too, without a Session. If the store cannot tell, the
// answer is 503 all the same.
func (m *Manager) Load(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &carrier{Context: r.Context()}
		err := m.find(r, &c.session)
		c.personal(w)
		switch {
		case err == nil:
			m.refreshCookie(w, &c.session)
			r = r.WithContext(c)
		case !errors.Is(err, NoSession) && !errors.Is(err, BadRecord):
			m.fail(w, r, err)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// RequireACR is Require, and demands that the login was of one of these
// authentication context classes. Who logged in otherwise is sent to the OP for
// it; what is no navigation is answered with the challenge of RFC 9470.
func (m *Manager) RequireACR(next http.Handler, acr ...string) http.Handler {
	return m.requireStep(next, step{acr: slices.Clone(acr), maxAge: -1}, func(s *Session) bool {
		return s.ACR != "" && slices.Contains(acr, s.ACR)
	})
}

// RequireFresh is Require, and demands that the user logged in at the OP not
// longer than maxAge ago; less than MinFresh means MinFresh. An OP that does not
// say when (auth_time) is asked. A session that has just been made is let through
// also if the OP's clock is behind ours by oidc.DefaultClockSkew at most.
func (m *Manager) RequireFresh(next http.Handler, maxAge time.Duration) http.Handler {
	maxAge = max(maxAge, MinFresh).Truncate(time.Second)
	return m.requireStep(next, step{maxAge: maxAge}, func(s *Session) bool {
		now := m.now()
		age := now.Sub(s.AuthTime)
		// An OP whose clock is behind ours has found it fresh a moment ago, and
		// would say so again and again.
		return !s.AuthTime.IsZero() && (age <= maxAge || now.Sub(s.Started) <= MinFresh && age <= maxAge+oidc.DefaultClockSkew)
	})
}

// RequireClaim is Require, and demands that ok says yes: a role, a group. A new
// login would change nothing, so the answer to others is 403.
func (m *Manager) RequireClaim(next http.Handler, ok func(s *Session) bool) http.Handler {
	return m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s, there := FromContext(r.Context()); !there || !ok(s) {
			m.fail(w, r, &Error{Reason: Forbidden, Detail: "the user is logged in, but not one of those for whom this page is"})
			return
		}
		next.ServeHTTP(w, r)
	}))
}

func (m *Manager) requireStep(next http.Handler, need step, ok func(*Session) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := &carrier{Context: r.Context()}
		err := m.find(r, &c.session)
		if err == nil && !ok(&c.session) {
			err = &Error{Reason: StepUpNeeded, Detail: "log in again"}
		}
		if err != nil {
			m.refuse(w, r, err, need)
			return
		}
		c.personal(w)
		m.refreshCookie(w, &c.session)
		next.ServeHTTP(w, r.WithContext(c))
	})
}

// refuse answers a request that may not go on.
func (m *Manager) refuse(w http.ResponseWriter, r *http.Request, err error, need step) {
	m.private(w)
	stepUp := errors.Is(err, StepUpNeeded)
	if !stepUp && !errors.Is(err, NoSession) && !errors.Is(err, BadRecord) {
		m.fail(w, r, err)
		return
	}
	here := pageURI(r)
	switch {
	case navigation(r) && r.Method == http.MethodGet:
		if m.issuer == "" {
			m.redirect(w, m.loginURL(here, need))
			return
		}
		o := StartOptions{Issuer: m.issuer, ReturnTo: here, Adjust: need.demand}
		if stepUp {
			// The same user, at the OP of the session.
			if s, e := m.Session(r); e == nil {
				o.Issuer = s.Issuer
			}
		}
		if err := m.Start(w, r, o); err != nil {
			m.fail(w, r, err)
		}
	case navigation(r) && r.Method == http.MethodPost:
		m.show(w, http.StatusUnauthorized, page{
			Title: "You need to log in",
			Text:  "Your session is over, and what you sent was not saved. Log in, and send it again; the back button may still have it.",
			Links: []link{{Name: "Log in", URL: m.loginURL(m.referrer(r), need), Main: true}},
		})
	case stepUp:
		m.unauthorized(w, "insufficient_user_authentication", m.loginURL(m.referrer(r), need), need.challenge(m.origin))
	default:
		m.unauthorized(w, "login_required", m.loginURL(m.referrer(r), need), fmt.Sprintf("Session realm=%q", m.origin))
	}
}

// pageURI is the page that the browser asks for: also where http.StripPrefix has
// taken a part of its path away.
func pageURI(r *http.Request) string {
	here := r.URL.RequestURI()
	if strings.HasPrefix(r.RequestURI, "/") && strings.HasSuffix(r.RequestURI, here) {
		return r.RequestURI
	}
	return here
}

// challenge is that of RFC 9470 section 3.
func (s step) challenge(origin string) string {
	c := fmt.Sprintf(`Bearer realm=%q, error="insufficient_user_authentication"`, origin)
	if len(s.acr) > 0 {
		c += fmt.Sprintf(", acr_values=%q", strings.Join(s.acr, " "))
	}
	if s.maxAge >= 0 {
		c += fmt.Sprintf(", max_age=\"%d\"", int64(s.maxAge/time.Second))
	}
	return c
}

// referrer is the page of ours that made a request; the default page if the
// browser does not say, or if it was another's.
func (m *Manager) referrer(r *http.Request) string {
	path, ok := strings.CutPrefix(r.Header.Get("Referer"), m.origin)
	if !ok {
		return m.c.Home
	}
	return m.returnTo(path)
}

// prefetched reports whether a browser guesses that its user may come.
func prefetched(r *http.Request) bool {
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Purpose", "X-Moz"} {
		if v := r.Header.Get(name); strings.Contains(v, "prefetch") || strings.Contains(v, "prerender") || strings.Contains(v, "preview") {
			return true
		}
	}
	return false
}

// navigation reports whether a request is that of a user who opens a page, in a
// window of its own (Fetch Metadata). A browser that does not tell is judged by
// what it accepts; what is not sure is none.
func navigation(r *http.Request) bool {
	if prefetched(r) || r.Method != http.MethodGet && r.Method != http.MethodPost {
		return false
	}
	h := r.Header
	if mode := h.Get("Sec-Fetch-Mode"); mode != "" {
		return mode == "navigate" && h.Get("Sec-Fetch-Dest") == "document"
	}
	return strings.Contains(h.Get("Accept"), "text/html") && h.Get("X-Requested-With") == "" && h.Get("Upgrade") == ""
}

// onlyNavigation refuses what is no navigation by one of these methods: a login
// begins with a user who goes somewhere.
func (m *Manager) onlyNavigation(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	m.private(w)
	if !slices.Contains(methods, r.Method) {
		m.wrongMethod(w, methods...)
		return false
	}
	// What does not tell is let in: a user may have any browser, and nothing is
	// lost by it.
	dest := r.Header.Get("Sec-Fetch-Dest")
	if prefetched(r) || dest != "" && dest != "document" {
		m.unauthorized(w, "login_required", m.loginURL(m.referrer(r), step{maxAge: -1}), fmt.Sprintf("Session realm=%q", m.origin))
		return false
	}
	return true
}

func (m *Manager) wrongMethod(w http.ResponseWriter, methods ...string) {
	w.Header().Set("Allow", strings.Join(methods, ", "))
	m.show(w, http.StatusMethodNotAllowed, page{Title: "Not found", Text: "There is no such page.", Links: m.homeLink()})
}

// sameOrigin reports whether a page of ours sent the request: the browser says so,
// by Fetch Metadata or by the Origin header. Without either it is not believed.
func (m *Manager) sameOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" {
		return site == "same-origin"
	}
	return r.Header.Get("Origin") == m.origin
}

// params are the parameters of a GET, or of the form of a POST.
func (m *Manager) params(w http.ResponseWriter, r *http.Request) (url.Values, error) {
	if r.Method == http.MethodGet {
		if len(r.URL.RawQuery) > maxForm {
			return nil, &Error{Reason: BadRequest, Detail: fmt.Sprintf("the query is longer than %d bytes", maxForm)}
		}
		q, err := url.ParseQuery(r.URL.RawQuery)
		if err != nil {
			return nil, &Error{Reason: BadRequest, Detail: "the query cannot be decoded"}
		}
		return q, nil
	}
	return readForm(w, r, maxForm)
}
