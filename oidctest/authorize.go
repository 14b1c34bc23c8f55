package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// session is a login of a browser at the OP.
type session struct {
	username string
	authTime time.Time
	sid      string          // what ID Tokens and logout tokens call it
	state    string          // what the browser shows the check_session iframe
	clients  map[string]bool // who had an answer in it; guarded by OP.mu
}

// authAnswer is an authorization response before it is sent.
type authAnswer struct {
	redirectURI string
	mode        string
	params      url.Values
	request     *authRequest // nil for an error that came before there was one

	// body, if not nil, is posted in place of params, which go into the query
	// of the redirect URI.
	body url.Values
}

const (
	sessionCookie = "oidctest_session"
	denyHeader    = "Oidctest-Deny"
	maxParam      = 4 << 10 // of one parameter of an authorization request
)

// authorization is the authorization endpoint with its login page (Core 3.1.2,
// 3.2.2, 3.3.2).
func (x *exchange) authorization() *reply {
	if x.r.URL.Path == x.op.c.Path+loginPath {
		return x.loginForm()
	}
	var params url.Values
	switch x.r.Method {
	case http.MethodGet:
		params = x.query
	case http.MethodPost:
		// Core 3.1.2.1: form serialization.
		if x.form == nil {
			return page(http.StatusBadRequest, "Bad request", "The body of an authorization request must be application/x-www-form-urlencoded.")
		}
		params = x.form
	default:
		rep := page(http.StatusMethodNotAllowed, "Bad request", "An authorization request is a GET or a POST.")
		rep.header.Set("Allow", "GET, POST")
		return rep
	}
	params, rep := x.resolve(params)
	if rep != nil {
		return rep
	}
	req, rep := x.readAuthRequest(params)
	if rep != nil {
		return rep
	}
	return x.decide(req)
}

// decide logs the person in, asks for that, or answers.
func (x *exchange) decide(r *authRequest) *reply {
	op := x.op
	op.mu.Lock()
	s, user := x.currentSession()
	want := x.wantedUser(r, user, s != nil)
	fresh := s != nil && !slices.Contains(r.prompt, "login") && !slices.Contains(r.prompt, "select_account")
	if fresh && r.maxAge != nil && x.now.Sub(s.authTime) > time.Duration(*r.maxAge)*time.Second {
		fresh = false // Core 3.1.2.1: max_age
	}
	if fresh && (want.Username != user.Username || !x.mayBe(r, user)) {
		fresh = false
	}
	consented := !op.c.ManualLogin
	if s != nil && op.c.ManualLogin {
		_, consented = op.consents.get(consentKey(r, user), x.now)
		consented = consented && !slices.Contains(r.prompt, "consent")
	}
	op.mu.Unlock()

	switch {
	case x.r.Header.Get(denyHeader) != "":
		return x.answerError(r, r.state, "access_denied", "the person refused")
	case slices.Contains(r.prompt, "none") && !fresh:
		return x.answerError(r, r.state, "login_required", "nobody is logged in whom the request allows (Core 3.1.2.6)")
	case slices.Contains(r.prompt, "none") && !consented:
		return x.answerError(r, r.state, "consent_required", "the person has not consented yet (Core 3.1.2.6)")
	case fresh && consented:
		x.session = s
		return x.grantTo(r, user, s.authTime)
	case !op.c.ManualLogin:
		return x.login(r, want)
	}
	return x.loginPage(r, want, "")
}

// currentSession returns the login of the browser, or nil. The caller holds
// op.mu.
func (x *exchange) currentSession() (*session, User) {
	c, err := x.r.Cookie(sessionCookie)
	if err != nil {
		return nil, User{}
	}
	s, ok := x.op.sessions.get(c.Value, x.now)
	if !ok {
		return nil, User{}
	}
	u, ok := x.op.user(s.username)
	if !ok {
		return nil, User{}
	}
	return s, u
}

// wantedUser is whom the request is for, in the order of what is surest. The
// caller holds op.mu.
func (x *exchange) wantedUser(r *authRequest, current User, loggedIn bool) User {
	if name, err := url.QueryUnescape(x.r.Header.Get(userHeader)); err == nil {
		if u, ok := x.op.user(name); ok {
			return u
		}
	}
	for _, sub := range []string{r.mustSub, r.hintSub} {
		for _, u := range x.op.users {
			if sub != "" && x.op.subject(r.client, u) == sub {
				return u
			}
		}
	}
	if u, ok := x.op.user(r.loginHint); ok {
		return u
	}
	if loggedIn {
		return current
	}
	return x.op.users[0]
}

// mayBe reports whether a person is one that the request allows. The caller
// holds op.mu.
func (x *exchange) mayBe(r *authRequest, u User) bool {
	sub := x.op.subject(r.client, u)
	return (r.mustSub == "" || r.mustSub == sub) && (r.hintSub == "" || r.hintSub == sub)
}

// login begins a session for the person and grants the request.
func (x *exchange) login(r *authRequest, u User) *reply {
	x.op.mu.Lock()
	if !x.mayBe(r, u) {
		x.op.mu.Unlock()
		return x.answerError(r, r.state, "login_required", "somebody else was asked for (Core 3.1.2.2, 5.5.1)")
	}
	if c, err := x.r.Cookie(sessionCookie); err == nil {
		x.op.sessions.drop(c.Value)
	}
	id := x.op.random(24)
	x.session = newSession(id, u.Username, x.now)
	x.op.sessions.put(id, x.session, x.now.Add(x.op.c.SessionLifetime))
	x.op.mu.Unlock()

	rep := x.grantTo(r, u, x.now)
	cookie := &http.Cookie{Name: sessionCookie, Value: id, Path: x.op.c.Path + "/", HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if x.op.site.scheme == "https" {
		// An authorization request by POST comes from another site.
		cookie.Secure, cookie.SameSite = true, http.SameSiteNoneMode
	}
	rep.header.Add("Set-Cookie", cookie.String())
	if x.op.c.SessionManagement {
		rep.header.Add("Set-Cookie", x.stateCookie(x.session.state).String())
	}
	return rep
}

// consentKey names what a person let a client see.
func consentKey(r *authRequest, u User) string {
	scopes := slices.Clone(r.scopes)
	slices.Sort(scopes)
	return u.Username + "\x00" + r.client.ID + "\x00" + strings.Join(scopes, " ")
}

// grantTo answers with what the response type asks for.
func (x *exchange) grantTo(r *authRequest, u User, authTime time.Time) *reply {
	acr := ACRValues()[0]
	if i := slices.IndexFunc(r.acrs, func(a string) bool { return slices.Contains(ACRValues(), a) }); i >= 0 {
		acr = r.acrs[i]
	}
	if !r.essentialACR.accepts(acr) {
		// Unmet Authentication Requirements 1.0, section 2; Core 5.5.1.1.
		return x.answerError(r, r.state, "unmet_authentication_requirements", "the essential acr is not one of acr_values_supported")
	}
	_, asksAuthTime := r.claims.IDToken["auth_time"]
	op := x.op
	op.mu.Lock()
	g := &grant{
		clientID: r.client.ID, username: u.Username, sub: op.subject(r.client, u), scopes: op.grantedScopes(r),
		nonce: r.nonce, authTime: authTime, wantsAuthTime: r.maxAge != nil || r.client.RequireAuthTime || asksAuthTime,
		acr: acr, claims: r.claims, redirectURI: r.redirectURI, challenge: r.challenge,
		details: r.details, resources: r.resources, jkt: r.jkt,
		frontIDToken: r.has("id_token"), onlyIDToken: len(r.responseType) == 1 && r.has("id_token"),
	}
	if s := x.session; s != nil {
		s.clients[r.client.ID] = true
		if r.client.hearsOfLogouts() {
			g.sid = s.sid
		}
	}
	params := url.Values{}
	parts := tokenParts{front: true, state: r.state}
	if r.has("code") {
		parts.code = "code-" + op.random(24)
		op.codes.put(parts.code, &code{grant: g}, x.now.Add(op.c.CodeLifetime))
		params.Set("code", parts.code)
	}
	if r.has("token") {
		parts.access = op.issueAccess(g, x.now, "")
		params.Set("access_token", parts.access)
		params.Set("token_type", "Bearer")
		params.Set("expires_in", strconv.FormatInt(int64(op.c.AccessTokenLifetime/time.Second), 10))
		params.Set("scope", strings.Join(g.scopes, " "))
	}
	op.mu.Unlock()
	if r.has("id_token") {
		t, err := x.idToken(g, parts)
		if err != nil {
			return x.answerError(r, r.state, "server_error", err.Error())
		}
		params.Set("id_token", t)
	}
	if r.state != "" {
		params.Set("state", r.state)
	}
	if s := x.session; s != nil && op.c.SessionManagement {
		params.Set("session_state", s.stateFor(r.client.ID, r.redirectURI))
	}
	return x.answer(&authAnswer{redirectURI: r.redirectURI, mode: r.mode, params: params, request: r})
}

// grantedScopes are the scopes that the OP knows, without offline_access where
// there is no code to get a refresh token with (Core 11).
func (op *OP) grantedScopes(r *authRequest) []string {
	var granted []string
	for _, s := range r.scopes {
		known := s == "openid" || scopeClaims(s) != nil || (s == "offline_access" && r.has("code"))
		if known && !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted
}

// answerError is an error response (Core 3.1.2.6), in the response mode that
// was asked for.
func (x *exchange) answerError(r *authRequest, state, code, description string) *reply {
	if x.endpoint == EndpointPAR {
		return oauthError(http.StatusBadRequest, code, description) // RFC 9126, section 2.3
	}
	params := url.Values{"error": {code}, "error_description": {description}}
	if state != "" {
		params.Set("state", state)
	}
	return x.answer(&authAnswer{redirectURI: r.redirectURI, mode: r.mode, params: params, request: r})
}

// answer sends an authorization response, with what the faults and the
// free-hand edit make of it.
func (x *exchange) answer(a *authAnswer) *reply {
	if !x.op.c.NoIssParameter {
		a.params.Set("iss", x.op.Issuer) // RFC 9207, section 2: in errors too
	}
	for _, b := range x.faults {
		if b.answer != nil {
			b.answer(x, a)
		}
	}
	if x.edits.authResponse != nil {
		x.edits.authResponse(a.params)
	}
	if a.body != nil {
		return formPost(withQuery(a.redirectURI, a.params), a.body)
	}
	if mode, secured := strings.CutSuffix(a.mode, ".jwt"); secured {
		a.mode = mode
		if err := x.secure(a); err != nil {
			return page(http.StatusInternalServerError, "Server error", err.Error())
		}
	}
	switch a.mode {
	case "form_post":
		return formPost(a.redirectURI, a.params)
	case "fragment":
		return redirect(a.redirectURI + "#" + a.params.Encode())
	}
	return redirect(withQuery(a.redirectURI, a.params))
}

// withQuery adds parameters to those that a redirect URI has (RFC 6749,
// section 3.1.2).
func withQuery(uri string, params url.Values) string {
	switch {
	case len(params) == 0:
		return uri
	case strings.Contains(uri, "?"):
		return uri + "&" + params.Encode()
	}
	return uri + "?" + params.Encode()
}

func redirect(to string) *reply {
	return (&reply{status: http.StatusSeeOther, header: http.Header{"Location": {to}, "Referrer-Policy": {"no-referrer"}}}).private()
}
