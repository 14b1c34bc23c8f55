package login

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
)

// maxForm bounds the forms and queries that Handler reads, in bytes; a logout
// token has a bound of its own.
const maxForm = 16 << 10

// logoutLifetime is how long a user may take to log out at the OP.
const logoutLifetime = 10 * time.Minute

// Logout ends the session of a request, here first, and then sends the browser to
// the OP to end it there (RP-Initiated Logout 1.0 section 2). Whatever the OP
// does, the session is over; if the OP has no end_session_endpoint, or cannot be
// reached, the browser goes to Config.LoggedOut at once.
//
// The request must be a POST of a page at Origin, or it is refused with CrossSite
// (hostile catalogue case 270): a link or an image must not log anybody out. If
// the store cannot be reached the error is StoreUnavailable; the cookie is gone
// from the browser all the same.
//
// The page at Config.Paths.LogoutReturn must be registered with the OP as a
// post_logout_redirect_uri, or else the browser stays at the OP.
func (m *Manager) Logout(w http.ResponseWriter, r *http.Request) error {
	m.private(w)
	if r.Method != http.MethodPost || !m.sameOrigin(r) {
		return &Error{Reason: CrossSite, Detail: "a logout is a POST of a page at " + m.origin}
	}
	over, err := m.endSession(w, r)
	if err != nil {
		return err
	}
	if over == nil {
		m.afterLogout(w)
		return nil
	}
	req := m.logoutRequest(r.Context(), over)
	if req == nil {
		m.afterLogout(w)
		return nil
	}
	if req.State != "" {
		m.setCookie(w, m.logout, req.State, logoutLifetime, http.SameSiteLaxMode)
	}
	if req.Post() {
		action, fields := req.Form()
		m.postForm(w, action, fields)
		return nil
	}
	m.redirect(w, req.URL())
	return nil
}

// over is what is left of a session that was ended.
type over struct {
	session *Session
	idToken *oidc.IDToken // nil if the grant could not be read
}

// endSession ends the session of a request here, and takes its cookie from the
// browser. Without a session there is nothing to end, and over is nil.
func (m *Manager) endSession(w http.ResponseWriter, r *http.Request) (*over, error) {
	m.dropCookie(w, m.session)
	// A user who logs out and closes the window is logged out.
	ctx, cancel := detached(r.Context())
	defer cancel()
	s, err := m.Session(r.WithContext(ctx))
	if errors.Is(err, NoSession) {
		return nil, nil
	}
	if err != nil && !errors.Is(err, BadRecord) {
		return nil, err
	}
	if err != nil {
		return nil, nil // nobody can read it, so it is nobody's session
	}
	if m.c.Storeless {
		t, err := oidc.ImportTokens(s.d.Tokens, s.Issuer, s.ClientID)
		if err != nil {
			return &over{session: s}, nil
		}
		return &over{s, t.IDToken}, nil
	}
	return m.endStored(ctx, s)
}

// endStored ends a session that is in the store, and its grant.
func (m *Manager) endStored(ctx context.Context, s *Session) (*over, error) {
	o := &over{session: s}
	if err := m.c.Store.Delete(ctx, s.place); err != nil {
		return nil, storeFailed("ending the session", err)
	}
	g, err := m.rp.Grant(ctx, s.d.Grant)
	if err != nil {
		if errors.Is(err, rp.StoreUnavailable) {
			return nil, err
		}
		return o, nil
	}
	o.idToken = g.IDToken()
	revoking, done := context.WithTimeout(ctx, revokeTimeout)
	defer done()
	// The grant is over here whether the OP can be told or not.
	if err := g.Revoke(revoking); errors.Is(err, rp.StoreUnavailable) {
		return nil, err
	}
	return o, nil
}

// logoutRequest is the request to the OP; nil if there is none to make.
func (m *Manager) logoutRequest(ctx context.Context, o *over) *oidc.LogoutRequest {
	ctx, cancel := context.WithTimeout(ctx, revokeTimeout)
	defer cancel()
	c, err := m.client(ctx, o.session.Issuer)
	if err != nil {
		return nil
	}
	p := oidc.LogoutParams{IDToken: o.idToken}
	if uri := m.origin + m.c.Paths.LogoutReturn; slices.Contains(c.Metadata().PostLogoutRedirectURIs, uri) {
		p.PostLogoutRedirectURI = uri
	}
	req, err := c.Logout(p)
	if err != nil {
		return nil
	}
	return req
}

// afterLogout is where a logout ends.
func (m *Manager) afterLogout(w http.ResponseWriter) {
	if m.c.LoggedOut != "" {
		m.redirect(w, m.origin+m.c.LoggedOut)
		return
	}
	m.show(w, http.StatusOK, page{Title: "You are logged out", Text: "Your session here is over.", Links: m.homeLink()})
}

// handleLogout is Paths.Logout.
func (m *Manager) handleLogout(w http.ResponseWriter, r *http.Request) {
	m.private(w)
	switch r.Method {
	case http.MethodGet:
		m.show(w, http.StatusOK, page{Title: "Log out?", Text: "This ends your session here and at your provider.", Links: m.homeLink(),
			Form: &form{Action: template.URL(m.c.Paths.Logout), Button: "Log out"}})
	case http.MethodPost:
		if err := m.Logout(w, r); err != nil {
			m.fail(w, r, err)
		}
	default:
		m.wrongMethod(w, http.MethodGet, http.MethodPost)
	}
}

// handleLogoutReturn is Paths.LogoutReturn. The session is over already: state
// tells only whether this is the return of a logout of this browser (RP-Initiated
// Logout section 3).
func (m *Manager) handleLogoutReturn(w http.ResponseWriter, r *http.Request) {
	m.private(w)
	if r.Method != http.MethodGet {
		m.wrongMethod(w, http.MethodGet)
		return
	}
	q, err := m.params(w, r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	want := cookie(r, m.logout)
	if got := q["state"]; want == "" || len(got) != 1 || subtle.ConstantTimeCompare([]byte(got[0]), []byte(want)) != 1 {
		m.fail(w, r, &oidc.ProtocolError{Reason: oidc.BadState, Step: oidc.StepLogout, Spec: "RP-Initiated Logout 3", Detail: "this browser began no such logout"})
		return
	}
	m.dropCookie(w, m.logout)
	m.afterLogout(w)
}

// End ends sessions, with their grants, and tells how many: with subject alone,
// every session of that user at that issuer; with sid alone, those of that session
// of the OP; with both, those of the session that are the user's, and those of the
// user that have no sid to tell (Back-Channel Logout section 2.7). A login that is
// not finished yet is refused when it is.
//
// The OP is not told. With an error some sessions may be left: call it again.
func (m *Manager) End(ctx context.Context, issuer, subject, sid string) (n int, err error) {
	if m.c.Storeless {
		return 0, &Error{Reason: Unsupported, Detail: "End needs a store"}
	}
	// Grants first: a session that is being made looks at its grant last (hostile
	// catalogue case 266). If they cannot be ended, the sessions still can.
	_, err = m.rp.End(ctx, issuer, subject, sid)
	places := make(map[string]bool) // whether the session must be looked at
	for i := range m.ring {
		k := &m.ring[i]
		if sid != "" {
			err = errors.Join(err, m.collect(ctx, k.Tag(tagSession, issuer, sid), subject != "", places))
		}
		if subject != "" {
			err = errors.Join(err, m.collect(ctx, k.Tag(tagSubject, issuer, subject), sid != "", places))
		}
	}
	for place, look := range places {
		ended, e := m.endOne(ctx, place, look, subject, sid)
		err = errors.Join(err, e)
		if ended {
			n++
		}
	}
	return n, err
}

func (m *Manager) collect(ctx context.Context, tag string, look bool, places map[string]bool) error {
	keys, err := m.c.Store.Tagged(ctx, tag)
	if err != nil {
		return storeFailed("looking for sessions", err)
	}
	for _, k := range keys {
		places[k] = look
	}
	return nil
}

func (m *Manager) endOne(ctx context.Context, place string, look bool, subject, sid string) (bool, error) {
	if look {
		rec, err := m.c.Store.Load(ctx, place)
		if errors.Is(err, store.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, storeFailed("looking at a session", err)
		}
		// One that cannot be read is of no use to anybody, and goes.
		if d, err := m.openSession(place, rec.Value); err == nil && (d.Subject != subject || d.SessionID != "" && d.SessionID != sid) {
			return false, nil
		}
	}
	_, err := m.c.Store.Take(ctx, place)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, storeFailed("ending a session", err)
	}
	return true, nil
}

const replayClass = "logout-jti:"

// BackChannel verifies a back-channel logout request and ends the sessions that
// it names (Back-Channel Logout 1.0 section 2.5). The answer to give is 200, or
// BackChannelStatus of the error; Handler gives it.
//
// A logout token works once, wherever it is presented: that is noted in the
// store, after the sessions are ended, so that an OP whose request failed
// half-way may repeat it.
func (m *Manager) BackChannel(w http.ResponseWriter, r *http.Request) (n int, err error) {
	if m.c.Storeless {
		return 0, &Error{Reason: Unsupported, Detail: "a back-channel logout needs a store"}
	}
	if r.Method != http.MethodPost {
		return 0, &Error{Reason: BadRequest, Detail: "a back-channel logout is a POST (Back-Channel Logout 2.5)"}
	}
	f, err := readForm(w, r, oidc.MaxLogoutToken)
	if err != nil {
		return 0, err
	}
	if len(f["logout_token"]) != 1 || f.Get("logout_token") == "" {
		return 0, &Error{Reason: BadRequest, Detail: "the form holds no logout_token, or several (Back-Channel Logout 2.5)"}
	}
	t, err := m.verifyLogout(r.Context(), f.Get("logout_token"))
	if err != nil {
		return 0, err
	}
	key := seal.Hashed(replayClass, t.Issuer+"\x00"+t.ID)
	switch _, err := m.c.Store.Load(r.Context(), key); {
	case err == nil:
		return 0, &Error{Reason: Replayed, Detail: "its jti was seen before (Back-Channel Logout 2.6)"}
	case !errors.Is(err, store.ErrNotFound):
		return 0, storeFailed("looking for the jti", err)
	}
	// An OP that does not wait for the answer may not come again.
	ctx, cancel := detached(r.Context())
	defer cancel()
	if n, err = m.End(ctx, t.Issuer, t.Subject, t.SessionID); err != nil {
		return n, err
	}
	// Until the token would be refused for its age anyway.
	rec := store.Record{Key: key, Expires: t.Expiry.Add(2 * oidc.DefaultClockSkew)}
	if limit := m.now().Add(MaxLifetime); rec.Expires.After(limit) {
		rec.Expires = limit
	}
	if _, err := m.c.Store.Create(ctx, rec); errors.Is(err, store.ErrConflict) {
		return n, &Error{Reason: Replayed, Detail: "its jti was used at the same time (Back-Channel Logout 2.6)"}
	} else if err != nil {
		return n, storeFailed("keeping the jti", err)
	}
	return n, nil
}

// BackChannelStatus is the status of the answer to a back-channel logout request
// (Back-Channel Logout 1.0 section 2.8): 200 without an error; 400 for a request
// that will never be right; 503 if it may be right and we cannot tell or do it
// now, so that the OP tries again; 501 in Storeless.
func BackChannelStatus(err error) int {
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	switch {
	case err == nil:
		return http.StatusOK
	case errors.Is(err, Unsupported):
		return http.StatusNotImplemented
	case errors.Is(err, Replayed), errors.Is(err, BadRequest):
		return http.StatusBadRequest
	case errors.Is(err, oidc.KeysUnavailable), ok && temporary.Temporary():
		return http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[*oidc.ProtocolError](err); ok {
		return http.StatusBadRequest
	}
	if _, ok := errors.AsType[*oidc.UnsupportedError](err); ok || errors.Is(err, rp.UnknownIssuer) || errors.Is(err, rp.IssuerRefused) {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

// maxDecrypting bounds how many clients try to read an encrypted logout token,
// which anybody may send.
const maxDecrypting = 8

// verifyLogout verifies a logout token at the client that it is for. An encrypted
// one does not tell which that is, so that those that registered for encryption try
// in turn, as far as the directory lists them; it verifies at its issuer's alone.
func (m *Manager) verifyLogout(ctx context.Context, raw string) (*oidc.LogoutToken, error) {
	const partsOfJWE = 5
	if strings.Count(raw, ".") != partsOfJWE-1 || m.sole() != "" {
		issuer, err := m.issuerOf(ctx, raw)
		if err != nil {
			return nil, err
		}
		c, err := m.client(ctx, issuer)
		if err != nil {
			return nil, err
		}
		return c.VerifyLogoutToken(ctx, raw)
	}
	failed := error(&rp.Error{Reason: rp.UnknownIssuer, Detail: "the logout token is encrypted, and no client here registered for that"})
	tries := 0
	for _, issuer := range m.choices {
		if !m.allow(issuer) {
			continue
		}
		c, err := m.client(ctx, issuer)
		if err == nil {
			if c.Metadata().IDTokenEncryptedResponseAlg == "" {
				continue
			}
			if tries++; tries > maxDecrypting {
				break
			}
			var t *oidc.LogoutToken
			if t, err = c.VerifyLogoutToken(ctx, raw); err == nil {
				return t, nil
			}
		}
		// Whether it might be right later is what the OP must hear.
		if BackChannelStatus(failed) != http.StatusServiceUnavailable {
			failed = err
		}
	}
	return nil, failed
}

// sole is the issuer that every message is of, if there can be no other; else "".
func (m *Manager) sole() string {
	if len(m.choices) == 1 && m.c.AllowIssuer == nil {
		return m.choices[0]
	}
	return ""
}

// issuerOf finds at which OP's client a logout token is to be verified: at the
// only one there is, or at the one that it names if that is one of ours. Nothing
// of it is believed by that.
func (m *Manager) issuerOf(ctx context.Context, raw string) (string, error) {
	if sole := m.sole(); sole != "" {
		return sole, nil
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	parts := strings.Split(raw, ".")
	if len(parts) == 3 {
		payload, err := base64.RawURLEncoding.DecodeString(parts[1])
		if err == nil {
			_ = json.Unmarshal(payload, &claims) // what cannot be read names nobody
		}
	}
	if claims.Issuer == "" || !m.allowed(ctx, claims.Issuer) {
		return "", &rp.Error{Reason: rp.UnknownIssuer, Detail: fmt.Sprintf("the logout token names %.200q", claims.Issuer)}
	}
	return claims.Issuer, nil
}

// handleBackChannel is Paths.BackChannel.
func (m *Manager) handleBackChannel(w http.ResponseWriter, r *http.Request) {
	_, err := m.BackChannel(w, r)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	status := BackChannelStatus(err)
	if err == nil {
		h.Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	m.note(r, "login: back-channel logout refused", err)
	code := "invalid_request"
	if status >= 500 {
		code = "temporarily_unavailable"
		if status == http.StatusServiceUnavailable {
			h.Set("Retry-After", "10")
		}
	}
	h.Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, "{\"error\":%q}\n", code)
}

// readForm reads the form of a POST, of at most limit bytes. What is no form is
// refused before it is read (hostile catalogue cases 113 and 268).
func readForm(w http.ResponseWriter, r *http.Request, limit int64) (url.Values, error) {
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/x-www-form-urlencoded" {
		return nil, &Error{Reason: BadRequest, Detail: "the content type is not application/x-www-form-urlencoded"}
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, limit))
	if err != nil {
		return nil, &Error{Reason: BadRequest, Detail: fmt.Sprintf("the form could not be read, or is longer than %d bytes", limit)}
	}
	f, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, &Error{Reason: BadRequest, Detail: "the form cannot be decoded"}
	}
	return f, nil
}

// handleFrontChannel is Paths.FrontChannel: the OP loads it in an iframe while it
// logs the user out (Front-Channel Logout 1.0 section 2). A session cookie with
// SameSite does not come along, so that the session is found by iss and sid. That
// proves nothing about who asks: the sessions here are ended, and the OP is asked
// for nothing (hostile catalogue case 269).
func (m *Manager) handleFrontChannel(w http.ResponseWriter, r *http.Request) {
	m.private(w)
	if r.Method != http.MethodGet {
		m.wrongMethod(w, http.MethodGet)
		return
	}
	ancestors, err := m.frontChannel(w, r)
	if err != nil {
		m.failIn(w, r, err, ancestors)
		return
	}
	m.bare(w, http.StatusOK, "You are logged out", ancestors...)
}

// frontChannel ends the sessions and tells who may frame the page.
func (m *Manager) frontChannel(w http.ResponseWriter, r *http.Request) (ancestors []string, err error) {
	if m.c.Storeless {
		return nil, &Error{Reason: Unsupported, Detail: "a front-channel logout needs a store"}
	}
	q, err := m.params(w, r)
	if err != nil {
		return nil, err
	}
	issuer := q.Get("iss")
	mine, noSession := m.Session(r)
	switch {
	case issuer != "" && !m.allowed(r.Context(), issuer):
		return nil, &rp.Error{Reason: rp.UnknownIssuer, Detail: fmt.Sprintf("%.200q", issuer)}
	case issuer == "" && noSession == nil:
		issuer = mine.Issuer
	case issuer == "":
		issuer = m.issuer
	}
	if issuer == "" {
		return nil, nil
	}
	c, err := m.client(r.Context(), issuer)
	if err != nil {
		return nil, err
	}
	ancestors = originsOf(c)
	sid, err := c.FrontChannelLogout(q)
	if err != nil {
		return ancestors, err
	}
	ctx, cancel := detached(r.Context())
	defer cancel()
	if sid == "" {
		// The session is that of the browser's own cookie, if it came.
		if noSession == nil && mine.Issuer == issuer {
			// It comes with a link that a user follows too, which is no logout
			// (hostile catalogue case 270).
			if !framed(r) {
				return ancestors, &Error{Reason: CrossSite, Detail: "a front-channel logout without a sid is loaded in a frame"}
			}
			m.dropCookie(w, m.session)
			return ancestors, m.drop(ctx, mine)
		}
		if noSession != nil && !errors.Is(noSession, NoSession) {
			return ancestors, noSession
		}
		return ancestors, nil
	}
	// Only what is there is ended: who guesses leaves nothing in the store.
	places := make(map[string]bool)
	for i := range m.ring {
		if err := m.collect(ctx, m.ring[i].Tag(tagSession, issuer, sid), false, places); err != nil {
			return ancestors, err
		}
	}
	if len(places) == 0 {
		return ancestors, nil
	}
	if noSession == nil {
		if _, named := places[mine.place]; named {
			m.dropCookie(w, m.session)
		}
	}
	_, err = m.End(ctx, issuer, "", sid)
	return ancestors, err
}

// framed reports whether a browser loads a page into a frame. One that does not
// tell may.
func framed(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Dest") {
	case "", "iframe", "frame":
		return true
	}
	return false
}

// drop ends one session and its grant, here alone.
func (m *Manager) drop(ctx context.Context, s *Session) error {
	if err := m.c.Store.Delete(ctx, s.place); err != nil {
		return storeFailed("ending the session", err)
	}
	g, err := m.rp.Grant(ctx, s.d.Grant)
	if errors.Is(err, rp.GrantEnded) {
		return nil
	}
	if err != nil {
		return err
	}
	return g.End(ctx)
}

// originsOf are where the pages of an OP are.
func originsOf(c *oidc.Client) []string {
	md := c.Provider().Metadata()
	var out []string
	for _, raw := range []string{md.Issuer, md.AuthorizationEndpoint, md.EndSessionEndpoint} {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			out = append(out, u.Scheme+"://"+u.Host)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
