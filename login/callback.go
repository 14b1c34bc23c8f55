package login

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
)

// Callback finishes a login: it reads the OP's answer, makes every check, keeps
// the session under a new id and sets its cookie. The caller then sends the
// browser to returnTo, a path that was checked. On error there is no new session,
// and one that the browser has is as it was.
//
// An answer that comes as a fragment reaches no server: the page that Handler
// serves for it posts it as the field fragment.
func (m *Manager) Callback(w http.ResponseWriter, r *http.Request) (s *Session, returnTo string, err error) {
	s, returnTo, _, _, err = m.callback(w, r)
	return s, returnTo, err
}

// fragmentField is the form field in which the page at Callback posts a fragment.
const fragmentField = "fragment"

// callback also tells what the login was for, and if that was a check, where the
// session is that was checked; "" if storeless.
func (m *Manager) callback(w http.ResponseWriter, r *http.Request) (s *Session, returnTo string, why purpose, checked string, err error) {
	a, err := m.readResponse(r)
	if err != nil {
		return nil, "", "", "", err
	}
	state, err := m.pendingKey(r, a)
	if err != nil {
		return nil, "", "", "", err
	}
	name := m.loginCookie(state)
	value := cookie(r, name)
	parts := strings.SplitN(value, ".", 3)
	if len(parts) == 3 {
		why = purpose(parts[2])
	}
	var login finished
	if m.c.Storeless {
		login, err = m.finishSealed(r, a, name, parts)
	} else {
		if why == forCheck {
			// Finish takes the login, and leaves nothing of it if the OP says no.
			if begun, err := m.rp.Peek(r.Context(), a, rp.Arrival{Binding: value, RedirectURI: m.arrivedAt(r)}); err == nil {
				_, checked = readLoginData(begun.Data)
			}
		}
		login, err = m.finish(r, a, value)
	}
	if err != nil {
		if spent(err) && value != "" {
			m.dropCookie(w, name)
		}
		return nil, "", why, checked, err
	}
	m.dropCookie(w, name)
	s, err = m.settle(w, r, login)
	return s, m.returnTo(login.returnTo), why, checked, err
}

// spent reports whether an error leaves nothing of the login that the browser's
// cookie could still be good for.
func spent(err error) bool {
	for _, before := range []error{rp.StoreUnavailable, StoreUnavailable, rp.WrongRedirectURI, rp.Closed, rp.TooManyIssuers, context.Canceled} {
		if errors.Is(err, before) {
			return false
		}
	}
	// The OP was not to be found, as by a process that has just been started.
	step := oidc.Explain(err).Step
	return step != oidc.StepDiscovery && step != oidc.StepRegistration
}

// readResponse reads a fragment that our page posts, or else the request.
func (m *Manager) readResponse(r *http.Request) (oidc.AuthResponse, error) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); r.Method == http.MethodPost && err == nil && mt == "application/x-www-form-urlencoded" && m.sameOrigin(r) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 3*oidc.MaxAuthResponse+64))
		if err != nil {
			return oidc.AuthResponse{}, &Error{Reason: BadRequest, Detail: "the form could not be read", Err: err}
		}
		if raw, ok := strings.CutPrefix(string(body), fragmentField+"="); ok && !strings.Contains(raw, "&") {
			fragment, err := url.QueryUnescape(raw)
			if err != nil {
				return oidc.AuthResponse{}, &Error{Reason: BadRequest, Detail: "the fragment cannot be decoded"}
			}
			return oidc.ReadAuthFragment(fragment)
		}
		r = r.Clone(r.Context())
		r.Body = io.NopCloser(strings.NewReader(string(body)))
	}
	return oidc.ReadAuthResponse(r)
}

// pendingKey finds the login of an answer, also of an encrypted one (JARM).
func (m *Manager) pendingKey(r *http.Request, a oidc.AuthResponse) (string, error) {
	if m.c.Storeless {
		return rp.PendingKey(r.Context(), m.directory, a, m.arrivedAt(r))
	}
	return m.rp.PendingKey(r.Context(), a, m.arrivedAt(r))
}

// finished is what a login gave.
type finished struct {
	idToken                *oidc.IDToken
	clientID, sessionState string
	returnTo               string
	before                 string // where the session is that the browser had; "" if storeless
	grant                  *rp.Grant
	client                 *oidc.Client // if storeless, as tokens
	tokens                 *oidc.Tokens
}

func (m *Manager) arrivedAt(r *http.Request) string { return m.origin + r.URL.EscapedPath() }

func (m *Manager) finish(r *http.Request, a oidc.AuthResponse, binding string) (finished, error) {
	g, err := m.rp.Finish(r.Context(), a, rp.Arrival{Binding: binding, RedirectURI: m.arrivedAt(r)})
	if err != nil {
		return finished{}, err
	}
	f := finished{idToken: g.IDToken(), clientID: g.ClientID(), grant: g}
	f.returnTo, f.before = readLoginData(g.Data())
	t, err := g.Tokens(r.Context())
	if err != nil {
		// The login stands; only the session at the OP cannot be watched.
		if !errors.Is(err, rp.LoginNeeded) && !errors.Is(err, rp.RefreshFailed) {
			return finished{}, m.giveUp(r.Context(), f, err)
		}
	} else {
		f.sessionState = t.SessionState
	}
	return f, nil
}

func (m *Manager) finishSealed(r *http.Request, a oidc.AuthResponse, name string, parts []string) (finished, error) {
	if len(parts) != 3 {
		return finished{}, &rp.Error{Reason: rp.WrongBrowser, Detail: "the browser brought no cookie of this login"}
	}
	p, returnTo, err := m.openPending(name, parts[1], purpose(parts[2]))
	if err != nil {
		return finished{}, err
	}
	bare, _, _ := strings.Cut(p.RedirectURI, "?")
	if bare != m.arrivedAt(r) {
		return finished{}, &rp.Error{Reason: rp.WrongRedirectURI, Detail: "the answer arrived elsewhere"}
	}
	c, err := m.client(r.Context(), p.Issuer)
	if err != nil {
		return finished{}, err
	}
	t, err := c.Finish(r.Context(), p, a)
	if err != nil {
		return finished{}, err
	}
	return finished{idToken: t.IDToken, clientID: p.ClientID, sessionState: t.SessionState, returnTo: returnTo, client: c, tokens: t}, nil
}

// settle makes the session of a login, if the application wants the user.
func (m *Manager) settle(w http.ResponseWriter, r *http.Request, login finished) (*Session, error) {
	s, err := m.newSession(login.idToken, login.clientID, login.sessionState)
	if err != nil {
		return nil, m.giveUp(r.Context(), login, err)
	}
	if login.grant != nil {
		s.d.Grant = login.grant.State()
	} else {
		t := *login.tokens
		// Two requests that renewed one refresh token would lose it (hostile
		// catalogue case 254).
		t.RefreshToken, t.Raw = "", nil
		s.d.Claims = claims{} // they are in the tokens
		if s.d.Tokens, err = t.Export(); err != nil {
			return nil, m.giveUp(r.Context(), login, err)
		}
	}
	if m.c.OnLogin != nil {
		if err := m.admit(r.Context(), s, login); err != nil {
			return nil, m.giveUp(r.Context(), login, &Error{Reason: LoginRefused, Err: err})
		}
	}
	value, err := m.keepSession(r.Context(), s, login.grant)
	if err != nil {
		return nil, m.giveUp(r.Context(), login, err)
	}
	// The session that the browser had is over: it has another id now (hostile
	// catalogue case 276).
	m.forgetOld(r, login.before)
	m.setCookie(w, m.session, value, m.cookieAge(s.d), http.SameSiteLaxMode)
	return s, nil
}

// admit asks OnLogin. One that panics leaves a login that nobody can reach, which is
// given up; the panic goes on to the server.
func (m *Manager) admit(ctx context.Context, s *Session, login finished) error {
	returned := false
	defer func() {
		if !returned {
			_ = m.giveUp(ctx, login, nil)
		}
	}()
	err := m.c.OnLogin(ctx, s)
	returned = true
	return err
}

// revokeTimeout bounds how long a user waits for the OP to hear that tokens are
// no longer needed.
const revokeTimeout = 3 * time.Second

// giveUp revokes what nobody will use, and returns err.
func (m *Manager) giveUp(ctx context.Context, login finished, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeTimeout)
	defer cancel()
	// Without a result: err says already that there is no session.
	if login.grant != nil {
		_ = login.grant.Revoke(ctx)
	} else {
		_ = login.client.RevokeTokens(ctx, login.tokens)
	}
	return err
}

// forgetOld ends the session that a browser had before a new login: that of its
// cookie, or the one that it had when the login was begun. It cannot be reached any
// more, so that a failure of the store leaves it to its Idle.
func (m *Manager) forgetOld(r *http.Request, before string) {
	if m.c.Storeless {
		return
	}
	ctx, cancel := detached(r.Context())
	defer cancel()
	place := sessionPlace(cookie(r, m.session))
	if place == "" {
		place = before
	}
	if place == "" {
		return
	}
	rec, err := m.c.Store.Take(ctx, place)
	if err != nil {
		return
	}
	if d, err := m.openSession(place, rec.Value); err == nil {
		if g, err := m.rp.Grant(ctx, d.Grant); err == nil {
			_ = g.End(ctx)
		}
	}
}

// handleCallback is Paths.Callback and what is below it.
func (m *Manager) handleCallback(w http.ResponseWriter, r *http.Request) {
	// Whatever comes of it: nobody keeps the page, and no page learns its URL
	// from a Referer (hostile catalogue case 148).
	m.private(w)
	if prefetched(r) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if r.Method == http.MethodGet && !hasResponse(r.URL.RawQuery) {
		m.fragmentPage(w)
		return
	}
	_, returnTo, why, checked, err := m.callback(w, r)
	switch {
	case err == nil:
		m.redirect(w, m.origin+returnTo)
	case why == forCheck && asked(err):
		m.endedAtOP(w, r, checked)
	case stale(err) && m.loggedIn(r):
		// A tab that was left open, or the back button: the user is logged in.
		m.redirect(w, m.origin+m.c.Home)
	default:
		m.fail(w, r, err)
	}
}

// hasResponse reports whether a query holds any parameter of an answer.
func hasResponse(query string) bool {
	q, err := url.ParseQuery(query)
	return err != nil || q.Has("state") || q.Has("code") || q.Has("error") || q.Has("id_token") || q.Has("access_token") || q.Has("response")
}

// stale reports whether an answer belongs to no login that this browser has under
// way. A session is no matter of it.
func stale(err error) bool {
	return errors.Is(err, rp.UnknownState) || errors.Is(err, rp.LoginExpired) || errors.Is(err, rp.WrongBrowser)
}

func (m *Manager) loggedIn(r *http.Request) bool {
	_, err := m.Session(r)
	return err == nil
}

// asked reports whether the OP said that it would have to ask the user (Core
// section 3.1.2.6).
func asked(err error) bool {
	op, ok := errors.AsType[*oidc.OPError](err)
	if !ok {
		return false
	}
	switch op.Code {
	case "login_required", "interaction_required", "account_selection_required", "consent_required":
		return true
	}
	return false
}

// endedAtOP ends the session because a check found that the OP has none (Session
// Management section 3). The cookie of the session does not come along with an
// answer by form_post; it is at the place checked.
func (m *Manager) endedAtOP(w http.ResponseWriter, r *http.Request, checked string) {
	over, err := m.endSession(w, r)
	if err == nil && over == nil && checked != "" {
		err = m.endChecked(r.Context(), checked)
	}
	if err != nil {
		m.fail(w, r, err)
		return
	}
	m.afterLogout(w)
}

// endChecked ends the session at a place, if there is one.
func (m *Manager) endChecked(ctx context.Context, place string) error {
	ctx, cancel := detached(ctx)
	defer cancel()
	rec, err := m.c.Store.Load(ctx, place)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil {
		return storeFailed("looking for the session", err)
	}
	d, err := m.openSession(place, rec.Value)
	if err != nil {
		return nil // nobody can read it, so it is nobody's session
	}
	s := d.session(m, place)
	_, err = m.endStored(ctx, &s)
	return err
}
