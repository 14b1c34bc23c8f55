package oidctest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// logoutEvent makes a JWT a logout token (Back-Channel Logout 1.0, section 2.4).
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// logoutTokenLifetime is how long a logout token is good for: the specification
// recommends two minutes at most.
const logoutTokenLifetime = 2 * time.Minute

// newSession is a login of a browser. What others see of it is derived from its
// cookie and does not tell it.
func newSession(id, username string, now time.Time) *session {
	part := func(purpose string) string {
		sum := sha256.Sum256([]byte(purpose + "\x00" + id))
		return b64(sum[:12])
	}
	return &session{username: username, authTime: now, sid: "sid-" + part("sid"), state: part("state"), clients: map[string]bool{}}
}

// stateFor is the session_state of a client (Session Management 1.0, section 4.2).
func (s *session) stateFor(clientID, redirectURI string) string {
	origin := ""
	if o := originsOf([]string{redirectURI}); len(o) == 1 {
		origin = o[0]
	}
	salt := s.sid[len(s.sid)-8:]
	sum := sha256.Sum256([]byte(clientID + " " + origin + " " + s.state + " " + salt))
	return b64(sum[:]) + "." + salt
}

// hearsOfLogouts reports whether a client has a logout URI of any kind.
func (c *registered) hearsOfLogouts() bool {
	return c.text("backchannel_logout_uri") != "" || c.text("frontchannel_logout_uri") != ""
}

// text is a member of the client's metadata that has no field.
func (c *registered) text(name string) string {
	s, _ := c.Metadata[name].(string)
	return s
}

// tell posts a logout token to the clients that take one, and returns the URIs
// for iframes of the others.
func (x *exchange) tell(clients []*registered, s *session, u User) (frames []string) {
	slices.SortFunc(clients, func(a, b *registered) int { return strings.Compare(a.ID, b.ID) })
	for _, c := range clients {
		if c.text("backchannel_logout_uri") != "" {
			x.op.mu.Lock()
			sub, faults := x.op.subject(c, u), x.op.logoutFaults
			x.op.mu.Unlock()
			// What the client answers changes nothing of the logout here.
			_, _ = x.op.SendLogout(x.r.Context(), c.ID, Logout{Subject: sub, SessionID: s.sid}, faults...)
		}
		if uri := x.op.frontChannel(c, s.sid); uri != "" {
			frames = append(frames, uri)
		}
	}
	return frames
}

// frontChannel is the URL that an iframe loads; empty if the client has none.
func (op *OP) frontChannel(c *registered, sid string) string {
	uri := c.text("frontchannel_logout_uri")
	if uri == "" {
		return ""
	}
	if wants, _ := c.Metadata["frontchannel_logout_session_required"].(bool); wants {
		return withQuery(uri, url.Values{"iss": {op.Issuer}, "sid": {sid}})
	}
	return uri
}

// FrontChannelLogoutURL returns what the OP loads in an iframe when the session
// ends (Front-Channel Logout 1.0, section 2); empty if the client is unknown or
// has no frontchannel_logout_uri.
func (op *OP) FrontChannelLogoutURL(clientID, sid string) string {
	op.mu.Lock()
	defer op.mu.Unlock()
	if c, ok := op.clients[clientID]; ok {
		return op.frontChannel(c, sid)
	}
	return ""
}

// Logout says whose sessions are over. At least one field is set.
type Logout struct {
	Subject   string // sub, as the client sees it
	SessionID string // sid
}

// LogoutToken returns a logout token for a client, signed as its ID Tokens are
// (Back-Channel Logout 1.0, section 2.4), with the faults that are named. Each call
// returns one with another jti.
func (op *OP) LogoutToken(clientID string, l Logout, faults ...LogoutFault) (string, error) {
	op.mu.Lock()
	c, ok := op.clients[clientID]
	now := op.now()
	jti := op.random(16)
	op.mu.Unlock()
	if !ok {
		return "", fmt.Errorf("oidctest: no client %q", clientID)
	}
	claims := map[string]any{
		"iss": op.Issuer, "aud": c.ID, "iat": now.Unix(), "exp": now.Add(logoutTokenLifetime).Unix(), "jti": jti,
		"events": map[string]any{logoutEvent: map[string]any{}},
		// Nobody knows this one, which changes nothing (section 2.6).
		"unknown": "claim",
	}
	if l.Subject != "" {
		claims["sub"] = l.Subject
	}
	if l.SessionID != "" {
		claims["sid"] = l.SessionID
	}
	alg := c.idTokenAlg()
	if alg == "none" {
		alg = "RS256" // section 2.6: never unsigned
	}
	for _, f := range faults {
		if f == LogoutAlgOther {
			alg = unagreedAlg(alg)
		}
	}
	x := &exchange{op: op, client: c, now: now}
	d, err := x.newDraft(alg, claims)
	if err != nil {
		return "", err
	}
	d.header["typ"] = "logout+jwt"
	table := logoutBehaviours()
	for _, f := range faults {
		i := slices.IndexFunc(table, func(b logoutBehaviour) bool { return b.Fault == f })
		if i < 0 {
			return "", fmt.Errorf("oidctest: no logout fault is called %q", f)
		}
		table[i].edit(d, now)
	}
	signed, err := d.sign()
	if err != nil {
		return "", err
	}
	// As ID Tokens are (section 2.4).
	return x.encrypted(signed, c.IDTokenEncryptedResponseAlg, c.IDTokenEncryptedResponseEnc)
}

// unagreedAlg is an algorithm that the OP publishes a key for, and that the client
// did not agree to.
func unagreedAlg(alg string) string {
	if alg == "ES256" {
		return "RS256"
	}
	return "ES256"
}

// sendTimeout is how long a client may take to answer a logout token.
const sendTimeout = 5 * time.Second

// SendLogout posts a logout token to the backchannel_logout_uri of a client, by
// Config.Client, and returns the response with its body read and closed. Beside
// the token the form has a parameter that nobody knows, as any OP may send one.
func (op *OP) SendLogout(ctx context.Context, clientID string, l Logout, faults ...LogoutFault) (*http.Response, error) {
	token, err := op.LogoutToken(clientID, l, faults...)
	if err != nil {
		return nil, err
	}
	op.mu.Lock()
	uri := op.clients[clientID].text("backchannel_logout_uri")
	op.mu.Unlock()
	if uri == "" {
		return nil, fmt.Errorf("oidctest: the client %q has no backchannel_logout_uri", clientID)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	r, err := post(ctx, uri, url.Values{"logout_token": {token}, "unknown": {"parameter"}})
	if err != nil {
		return nil, err
	}
	client := op.c.Client
	if client == nil {
		client = fetcher()
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("oidctest: logout token: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	return res, errors.Join(err, res.Body.Close())
}

// stateCookie is what the check_session iframe compares: a script reads it.
func (x *exchange) stateCookie(state string) *http.Cookie {
	c := &http.Cookie{Name: stateCookieName, Value: state, Path: x.op.c.Path + "/", SameSite: http.SameSiteLaxMode}
	if x.op.site.scheme == "https" {
		c.Secure, c.SameSite = true, http.SameSiteNoneMode
	}
	return c
}

const stateCookieName = "oidctest_state"

// checkScript is the OP's side of Session Management 1.0, section 3.2.
const checkScript = `
window.addEventListener("message", async function (e) {
  var parts = typeof e.data === "string" ? e.data.split(" ") : [];
  var answer = "error";
  if (parts.length === 2 && parts[1].includes(".")) {
    var salt = parts[1].split(".").pop();
    var m = /(?:^|; )` + stateCookieName + `=([^;]*)/.exec(document.cookie);
    var input = parts[0] + " " + e.origin + " " + (m ? m[1] : "") + " " + salt;
    var sum = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(input));
    var text = btoa(String.fromCharCode.apply(null, new Uint8Array(sum)));
    text = text.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
    answer = text + "." + salt === parts[1] ? "unchanged" : "changed";
  }
  e.source.postMessage(answer, e.origin);
});
`

// checkSession is the page of the check_session_iframe.
func (x *exchange) checkSession() *reply {
	if !x.op.c.SessionManagement {
		return page(http.StatusNotFound, "Not found", "This OpenID Provider does not manage sessions.")
	}
	if x.r.Method != http.MethodGet {
		return methodNotAllowed("GET")
	}
	return (&reply{status: http.StatusOK, body: []byte("<!doctype html><title>session</title><script>" + checkScript + "</script>"), header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; script-src '" + hashSource(checkScript) + "'"},
	}}).private()
}

// framesScript goes on when every iframe is loaded, or has had its time.
const framesScript = `
(function () {
  var frames = document.querySelectorAll("iframe"), left = frames.length;
  function on() { window.location.replace(document.getElementById("after-logout").href); }
  frames.forEach(function (f) { f.addEventListener("load", function () { if (--left === 0) on(); }); });
  setTimeout(on, 5000);
})();
`

// originsOf are the origins of URLs, each once.
func originsOf(urls []string) []string {
	var out []string
	for _, raw := range urls {
		if u, err := url.Parse(raw); err == nil && u.Host != "" {
			out = append(out, u.Scheme+"://"+u.Host)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
