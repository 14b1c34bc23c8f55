package oidctest

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
)

// endSession is RP-Initiated Logout 1.0, section 2.
func (x *exchange) endSession() *reply {
	var p url.Values
	switch {
	case x.r.Method == http.MethodGet:
		p = x.query
	case x.r.Method == http.MethodPost && x.form != nil:
		p = x.form
	default:
		rep := page(http.StatusMethodNotAllowed, "Bad request", "A logout request is a GET, or the POST of a form.")
		rep.header.Set("Allow", "GET, POST")
		return rep
	}
	if name := duplicate(p); name != "" {
		return page(http.StatusBadRequest, "Bad request", "The parameter "+name+" occurs twice.")
	}
	id := p.Get("client_id")
	if hint := p.Get("id_token_hint"); hint != "" {
		claims, ok := x.ownToken(hint)
		aud, isString := claims["aud"].(string)
		switch {
		case !ok || !isString:
			return page(http.StatusBadRequest, "Bad request", "The id_token_hint was not issued by this provider.")
		case id != "" && id != aud:
			return page(http.StatusBadRequest, "Bad request", "The client_id is not the one that the id_token_hint was issued to.")
		}
		id = aud
	}
	op := x.op
	op.mu.Lock()
	c, known := op.clients[id]
	var heard []*registered // who must hear of the logout
	current, user := x.currentSession()
	if current != nil {
		for _, c := range op.clients {
			if current.clients[c.ID] && c.hearsOfLogouts() {
				heard = append(heard, c)
			}
		}
	}
	if cookie, err := x.r.Cookie(sessionCookie); err == nil {
		op.sessions.drop(cookie.Value)
	}
	op.mu.Unlock()
	frames := x.tell(heard, current, user)

	to := p.Get("post_logout_redirect_uri")
	var rep *reply
	switch {
	case to == "":
		rep = page(http.StatusOK, "You are logged out", "You can close this page.")
	case !known:
		rep = page(http.StatusBadRequest, "Logged out", "But the application that asked for it is unknown here, so there is no way back to it: it must send id_token_hint or client_id.")
	case !slices.Contains(c.PostLogoutRedirectURIs, to):
		rep = page(http.StatusBadRequest, "Logged out", "But the application has not registered the post_logout_redirect_uri that it sent, so there is no way back to it.")
	default:
		params := url.Values{}
		if state := p.Get("state"); state != "" {
			params.Set("state", state)
		}
		if x.edits.logoutReturn != nil {
			x.edits.logoutReturn(params)
		}
		to = withQuery(to, params)
		rep = redirect(to)
		if len(frames) > 0 {
			rep = render(http.StatusOK, pageData{Title: "Logging out", Text: "The applications are told.", Frames: frames, After: to, Script: template.JS(framesScript)})
		}
	}
	if to == "" && len(frames) > 0 {
		rep = render(http.StatusOK, pageData{Title: "You are logged out", Text: "The applications are told. You can close this page.", Frames: frames})
	}
	gone := &http.Cookie{Name: sessionCookie, Path: op.c.Path + "/", HttpOnly: true, MaxAge: -1, SameSite: http.SameSiteLaxMode}
	if op.site.scheme == "https" {
		gone.Secure, gone.SameSite = true, http.SameSiteNoneMode
	}
	rep.header.Add("Set-Cookie", gone.String())
	if op.c.SessionManagement {
		state := x.stateCookie("")
		state.MaxAge = -1
		rep.header.Add("Set-Cookie", state.String())
	}
	return rep
}
