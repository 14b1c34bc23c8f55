package login

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/rp"
)

// Bounds on what a stranger may say about a login.
const (
	maxIssuer    = 2048
	maxLoginHint = 512
	maxACR       = 512
)

// StartOptions are the choices of one login.
type StartOptions struct {
	// Issuer is where to log in; empty means Config.Issuer. It is not compared
	// with AllowIssuer: the caller vouches for it.
	Issuer string
	// ReturnTo is the page to come back to: a path at the application's origin.
	// Anything else means Config.Home.
	ReturnTo string
	// Adjust changes the authentication request after Config.Params; nil changes
	// nothing.
	Adjust func(p *oidc.AuthParams)
}

// Start begins a login: it sets the cookie that ties it to this browser, and
// sends the browser to the OP. On error nothing was written, and no cookie set.
func (m *Manager) Start(w http.ResponseWriter, r *http.Request, o StartOptions) error {
	return m.start(w, r, o, forLogin)
}

func (m *Manager) start(w http.ResponseWriter, r *http.Request, o StartOptions, why purpose) error {
	if o.Issuer == "" {
		o.Issuer = m.issuer
	}
	if o.Issuer == "" {
		return badConfig("there are several OPs, and neither StartOptions nor Config names one")
	}
	var p oidc.AuthParams
	if m.c.Params != nil {
		var err error
		if p, err = m.c.Params(r, o.Issuer); err != nil {
			return err
		}
	}
	if o.Adjust != nil {
		o.Adjust(&p)
	}
	if p.Publish == nil && !m.c.Storeless {
		p.Publish = m.publish
	}
	returnTo := m.returnTo(o.ReturnTo)
	req, value, err := m.begin(r, o.Issuer, p, returnTo, why)
	if err != nil {
		return err
	}
	pending := &req.Pending
	if err := m.serves(pending.RedirectURI); err != nil {
		return err
	}
	site := http.SameSiteLaxMode
	if pending.ResponseMode == oidc.ModeFormPost || pending.ResponseMode == oidc.ModeFormPostJWT {
		// The answer is a POST from another site, to which Lax sends no cookie
		// (hostile catalogue case 119).
		site = http.SameSiteNoneMode
		if !m.secure {
			return badConfig("response mode form_post needs an https Origin: no browser sends the cookie without")
		}
	}
	m.dropOldLogins(w, r)
	m.setCookie(w, m.loginCookie(pending.State), value, oidc.DefaultLoginLifetime, site)
	if req.Post() {
		action, fields := req.Form()
		m.postForm(w, action, fields)
		return nil
	}
	m.redirect(w, req.URL())
	return nil
}

// begin makes the request and keeps the login. It returns what the cookie of the
// login holds.
func (m *Manager) begin(r *http.Request, issuer string, p oidc.AuthParams, returnTo string, why purpose) (*oidc.AuthRequest, string, error) {
	ctx := r.Context()
	if m.c.Storeless {
		c, err := m.client(ctx, issuer)
		if err != nil {
			return nil, "", err
		}
		req, err := c.Begin(ctx, p)
		if err != nil {
			return nil, "", err
		}
		sealed, err := m.sealPending(m.loginCookie(req.Pending.State), &req.Pending, returnTo, why)
		if err != nil {
			return nil, "", err
		}
		return req, strconv.FormatInt(m.now().Unix(), 36) + "." + sealed + "." + string(why), nil
	}
	binding := m.newBinding(why)
	req, err := m.rp.StartLogin(ctx, rp.Login{Issuer: issuer, Params: p, Binding: binding, Data: loginData(returnTo, sessionPlace(cookie(r, m.session)))})
	return req, binding, err
}

// loginData is what is kept with a login: the page to return to, and where the
// session is that the browser has. Its cookie does not come along with an answer by
// form_post.
func loginData(returnTo, place string) []byte { return []byte(returnTo + "\n" + place) }

func readLoginData(data []byte) (returnTo, place string) {
	returnTo, place, _ = strings.Cut(string(data), "\n")
	return returnTo, place
}

// serves refuses a login whose answer would arrive where nobody waits.
func (m *Manager) serves(redirectURI string) error {
	path, ok := strings.CutPrefix(redirectURI, m.origin)
	path, _, _ = strings.Cut(path, "?")
	if at := m.c.Paths.Callback; !ok || path != at && !strings.HasPrefix(path, at+"/") {
		return badConfig("the redirect URI %.200q is not at %s", redirectURI, m.origin+at)
	}
	return nil
}

// handleLogin is Paths.Login.
func (m *Manager) handleLogin(w http.ResponseWriter, r *http.Request) {
	if !m.onlyNavigation(w, r, http.MethodGet) {
		return
	}
	q, err := m.params(w, r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	o := StartOptions{Issuer: q.Get("issuer"), ReturnTo: q.Get("return_to")}
	if o.Issuer != "" && !m.allowed(r.Context(), o.Issuer) {
		m.fail(w, r, &rp.Error{Reason: rp.UnknownIssuer, Detail: fmt.Sprintf("%.200q", o.Issuer)})
		return
	}
	why, hint := forLogin, ""
	// Only a page of ours may ask whether the session is still the one: the answer
	// may end it.
	if q.Get("check") == "1" && m.sameOrigin(r) {
		why = forCheck
		if s, err := m.Session(r); err == nil {
			o.Issuer, hint = s.Issuer, m.hint(r.Context(), s)
		}
	}
	if o.Issuer == "" && m.issuer == "" {
		m.choose(w, q)
		return
	}
	step, err := readStep(q)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	o.Adjust = func(p *oidc.AuthParams) {
		step.demand(p)
		if why == forCheck {
			// Session Management 1.0 section 3: with another user the OP says
			// login_required, which is a logout of this one.
			p.Prompt, p.IDTokenHint = []string{"none"}, hint
		}
	}
	if err := m.start(w, r, o, why); err != nil {
		m.fail(w, r, err)
	}
}

// maxHint bounds an ID Token that is sent as a hint, in a URL that every server on
// the way must take. A longer one is left out: most OPs can do without.
const maxHint = 4 << 10

// hint is the ID Token of a session, for the OP; "" if it cannot be had.
func (m *Manager) hint(ctx context.Context, s *Session) string {
	raw := ""
	if m.c.Storeless {
		if t, err := oidc.ImportTokens(s.d.Tokens, s.Issuer, s.ClientID); err == nil && t.IDToken != nil {
			raw = t.IDToken.Hint()
		}
	} else if g, err := m.rp.Grant(ctx, s.d.Grant); err == nil {
		raw = g.IDToken().Hint()
	}
	if len(raw) > maxHint {
		return ""
	}
	return raw
}

// step is what a login must be for a page.
type step struct {
	acr    []string
	maxAge time.Duration // negative: any
}

func readStep(q url.Values) (step, error) {
	s := step{maxAge: -1}
	bad := func(name string) (step, error) {
		return s, &Error{Reason: BadRequest, Detail: "the parameter " + name + " cannot be read"}
	}
	if v := q.Get("acr_values"); v != "" {
		if len(v) > maxACR || strings.Trim(v, " ") == "" {
			return bad("acr_values")
		}
		s.acr = strings.Fields(v)
	}
	if v := q.Get("max_age"); v != "" {
		n, err := strconv.ParseUint(v, 10, 31)
		if err != nil {
			return bad("max_age")
		}
		s.maxAge = time.Duration(n) * time.Second
	}
	return s, nil
}

// demand asks for what is needed so that the ID Token is checked for it: acr as
// an essential claim (Core section 5.5.1.1), max_age as itself.
func (s step) demand(p *oidc.AuthParams) {
	if len(s.acr) > 0 {
		c := oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{}}
		if p.Claims != nil {
			c.UserInfo = p.Claims.UserInfo
			for name, want := range p.Claims.IDToken {
				c.IDToken[name] = want
			}
		}
		values := make([]any, len(s.acr))
		for i, v := range s.acr {
			values[i] = v
		}
		c.IDToken["acr"] = &oidc.ClaimRequest{Essential: true, Values: values}
		p.Claims = &c
		p.ACRValues = nil
	}
	if s.maxAge >= 0 {
		p.MaxAge = &s.maxAge
	}
}

// query is the step as parameters of Paths.Login.
func (s step) query(q url.Values) {
	if len(s.acr) > 0 {
		q.Set("acr_values", strings.Join(s.acr, " "))
	}
	if s.maxAge >= 0 {
		q.Set("max_age", strconv.FormatInt(int64(s.maxAge/time.Second), 10))
	}
}

// choose is a page with a link for each OP.
func (m *Manager) choose(w http.ResponseWriter, q url.Values) {
	p := page{Title: "Log in", Text: "Where do you have your account?"}
	for _, issuer := range m.choices {
		q.Set("issuer", issuer)
		name := strings.TrimPrefix(issuer, "https://")
		p.Links = append(p.Links, link{Name: name, URL: m.c.Paths.Login + "?" + q.Encode()})
	}
	m.show(w, http.StatusOK, p)
}

// handleInitiate is Paths.Initiate: a login that another site begins (Core
// section 4). Of its parameters iss, login_hint and target_link_uri are read, and
// none of the others passed on (hostile catalogue case 11).
func (m *Manager) handleInitiate(w http.ResponseWriter, r *http.Request) {
	if !m.onlyNavigation(w, r, http.MethodGet, http.MethodPost) {
		return
	}
	q, err := m.params(w, r)
	if err != nil {
		m.fail(w, r, err)
		return
	}
	iss, hint := q.Get("iss"), q.Get("login_hint")
	for _, name := range []string{"iss", "login_hint", "target_link_uri"} {
		if len(q[name]) > 1 {
			m.fail(w, r, &Error{Reason: BadRequest, Detail: name + " occurs twice (Core 4)"})
			return
		}
	}
	if iss == "" || len(iss) > maxIssuer || len(hint) > maxLoginHint || !printable(strings.ReplaceAll(hint, " ", "")) {
		m.fail(w, r, &Error{Reason: BadRequest, Detail: "iss is missing, or a parameter is too long (Core 4)"})
		return
	}
	// Byte for byte: the issuer is configured here, or there is no login.
	if !m.allowed(r.Context(), iss) {
		m.fail(w, r, &rp.Error{Reason: rp.UnknownIssuer, Detail: fmt.Sprintf("%.200q", iss)})
		return
	}
	err = m.Start(w, r, StartOptions{Issuer: iss, ReturnTo: q.Get("target_link_uri"), Adjust: func(p *oidc.AuthParams) {
		if hint != "" {
			p.LoginHint = hint
		}
	}})
	if err != nil {
		m.fail(w, r, err)
	}
}

// loginURL is where to log in to come back to a page, absolute.
func (m *Manager) loginURL(returnTo string, s step) string {
	q := url.Values{"return_to": {m.returnTo(returnTo)}}
	s.query(q)
	return m.origin + m.c.Paths.Login + "?" + q.Encode()
}

// unauthorized answers what is no navigation: 401, a challenge, and where to log
// in. Nothing is begun by it (hostile catalogue case 91).
func (m *Manager) unauthorized(w http.ResponseWriter, code, loginURL, challenge string) {
	body, err := json.Marshal(map[string]string{"error": code, "login_url": loginURL})
	if err != nil {
		body = []byte("{}") // two strings: never reached
	}
	m.private(w)
	h := w.Header()
	h.Set("WWW-Authenticate", challenge)
	h.Set("Content-Type", "application/json")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = w.Write(append(body, '\n')) // a reader that left is no fault of ours
}
