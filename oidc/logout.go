package oidc

import (
	"context"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/strictjson"
)

// StepLogout is the Step of logout messages.
const StepLogout = "logout"

// LogoutParams are the choices of one logout at the OP (RP-Initiated Logout 1.0
// section 2). The zero value asks for a logout after which the browser stays at
// the OP.
type LogoutParams struct {
	// IDToken is the one of the login that ends, as a hint; nil means none, and
	// the OP asks the user.
	IDToken *IDToken
	// PostLogoutRedirectURI is where the browser comes back to, one of
	// Metadata.PostLogoutRedirectURIs; empty means nowhere.
	PostLogoutRedirectURI string
	// LogoutHint tells the OP who logs out, as login_hint did.
	LogoutHint string
	// UILocales are BCP 47 tags in order of preference.
	UILocales []string
}

// LogoutRequest is a logout request for the browser to carry. The local session
// is ended first: whether the OP hears of it, or answers, changes nothing of that.
type LogoutRequest struct {
	// State comes back with the browser, if it comes back; see
	// Client.FinishLogout. Keep it where only that browser's requests reach it.
	State string

	endpoint string
	params   url.Values
}

// URL is where to redirect the browser to. If Post reports true it is too long.
func (r *LogoutRequest) URL() string { return withQuery(r.endpoint, r.params) }

// Form is the request by POST: a form for the browser to submit to action.
func (r *LogoutRequest) Form() (action string, fields url.Values) {
	return r.endpoint, maps.Clone(r.params)
}

// Post reports whether the request needs the form: an ID Token may make the URL
// longer than MaxAuthURL.
func (r *LogoutRequest) Post() bool { return len(r.URL()) > MaxAuthURL }

// Format prints where the request goes, and no parameter.
func (r LogoutRequest) Format(f fmt.State, _ rune) {
	redact(f, "oidc.LogoutRequest", "Endpoint", r.endpoint)
}

// LogValue is what slog logs: no parameter.
func (r LogoutRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("endpoint", r.endpoint))
}

// Logout makes a logout request (RP-Initiated Logout 1.0 section 2). An OP
// without end_session_endpoint is an *UnsupportedError: the logout is then local.
func (c *Client) Logout(p LogoutParams) (*LogoutRequest, error) {
	md := c.p.md()
	if md.EndSessionEndpoint == "" {
		return nil, &UnsupportedError{Feature: "RP-initiated logout", Detail: "the OP has no end_session_endpoint"}
	}
	bad := func(field, detail string) (*LogoutRequest, error) {
		return nil, &InputError{Reason: BadParameter, Field: "LogoutParams." + field, Detail: detail}
	}
	v := url.Values{"client_id": {c.c.ID}}
	if p.IDToken != nil {
		if !c.p.made(p.IDToken) {
			return bad("IDToken", "it is of another OP")
		}
		v.Set("id_token_hint", p.IDToken.Hint())
	}
	r := &LogoutRequest{endpoint: md.EndSessionEndpoint, params: v}
	if uri := p.PostLogoutRedirectURI; uri != "" {
		if registered := c.c.Metadata.PostLogoutRedirectURIs; !slices.Contains(registered, uri) {
			return bad("PostLogoutRedirectURI", "it is none of the registered ones")
		}
		r.State = randomText()
		v.Set("post_logout_redirect_uri", uri)
		v.Set("state", r.State)
	}
	if p.LogoutHint != "" {
		v.Set("logout_hint", p.LogoutHint)
	}
	if len(p.UILocales) > 0 {
		v.Set("ui_locales", strings.Join(p.UILocales, " "))
	}
	return r, clash(r.endpoint, v)
}

// FinishLogout checks the query with which the browser came back (RP-Initiated
// Logout 1.0 section 3): state is the one that LogoutRequest.State was. It tells
// a return from a link that somebody else made; the session was ended before.
func (c *Client) FinishLogout(query url.Values, state string) error {
	k := &checker{ctx: context.Background(), trace: c.p.env.trace, step: StepLogout}
	if err := k.that(len(query["state"]) <= 1, DuplicateParameter, "RP-Initiated Logout 3", "state occurs once", "", ""); err != nil {
		return err
	}
	return k.that(state != "" && subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(state)) == 1,
		BadState, "RP-Initiated Logout 3", "state is the one sent", "", "")
}

// LogoutToken is a verified logout token (Back-Channel Logout 1.0 section 2.4):
// the OP's word that sessions are over. Without SessionID it ends every session
// of Subject at Issuer, with SessionID that one.
type LogoutToken struct {
	Issuer    string
	Subject   string // "" if the token names a session only
	SessionID string // "" if the token names a user only
	// ID is jti. A token whose ID was seen before is a replay: whoever keeps
	// state refuses it, for as long as the token lives (until Expiry).
	ID               string
	IssuedAt, Expiry time.Time
}

// logoutEvent is the member of events that makes a JWT a logout token.
const logoutEvent = "http://schemas.openid.net/event/backchannel-logout"

// MaxLogoutToken bounds the body of a back-channel logout request, in bytes.
const MaxLogoutToken = 64 << 10

// VerifyLogoutToken verifies the logout_token of a back-channel logout request
// (Back-Channel Logout 1.0 section 2.6): signed as the client's ID Tokens are,
// never unsigned, and made for no other purpose. The caller compares ID with
// those it has seen, answers 200 or, on any *ProtocolError, 400, and 5xx when its
// own store fails, so that the OP tries again.
func (c *Client) VerifyLogoutToken(ctx context.Context, raw string) (_ *LogoutToken, err error) {
	ctx, call := c.call(ctx, "VerifyLogoutToken")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepLogout)
	if err := c.takesIDTokens(); err != nil {
		return nil, err
	}
	if c.idTokenAlgs[0] == "none" {
		return nil, &UnsupportedError{Feature: "back-channel logout", Detail: "the client's ID Tokens are unsigned, and a logout token must not be (Back-Channel Logout 2.6)"}
	}
	v, _, err := c.openIDToken(ctx, k, raw, false)
	if err != nil {
		return nil, err
	}
	// RFC 8725 section 3.11. OPs from before the recommendation write JWT, or
	// nothing; events then tells.
	typ := strings.TrimPrefix(strings.ToLower(v.Header.Type), "application/")
	if err := k.that(typ == "logout+jwt" || typ == "jwt" || typ == "", BadType, "Back-Channel Logout 2.4", "typ is a logout token's", "logout+jwt", v.Header.Type); err != nil {
		return nil, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	if err := c.checkLogoutClaims(k, &w); err != nil {
		return nil, err
	}
	return &LogoutToken{Issuer: w.issuer.value, Subject: w.subject.value, SessionID: w.sid.value, ID: w.jti.value,
		IssuedAt: w.issuedAt.at, Expiry: w.expiry.at}, nil
}

// checkLogoutClaims is Back-Channel Logout 1.0 section 2.6 (3 to 7).
func (c *Client) checkLogoutClaims(k *checker, w *idClaims) error {
	if err := c.checkIssuer(k, w); err != nil {
		return err
	}
	if err := c.checkAudience(k, w); err != nil {
		return err
	}
	if err := c.checkTimes(k, w); err != nil {
		return err
	}
	const spec = "Back-Channel Logout 2.6"
	if err := k.that(w.subject.value != "" || w.sid.value != "", BadSubject, spec, "sub or sid is there", "", ""); err != nil {
		return err
	}
	if err := k.that(len(w.subject.value) <= MaxSubject, BadSubject, "Core 2", "sub has at most 255 bytes", "", ""); err != nil {
		return err
	}
	if err := k.that(w.jti.value != "", MissingClaim, "Back-Channel Logout 2.4", "jti is there", "jti", ""); err != nil {
		return err
	}
	if err := k.that(isLogoutEvent(w.events), BadType, spec, "events holds the logout event, an object", "", ""); err != nil {
		return err
	}
	return k.that(!w.nonce.there, BadNonce, spec, "there is no nonce", "", "")
}

func isLogoutEvent(events string) bool {
	found := false
	err := strictjson.Scan(events, func(name, value string) error {
		if name == logoutEvent {
			found = strings.HasPrefix(value, "{")
		}
		return nil
	})
	return err == nil && found
}

// FrontChannelLogout reads the query with which the OP loads the client's
// frontchannel_logout_uri in an iframe (Front-Channel Logout 1.0 section 2). iss
// and sid come together or not at all; without them sid is "", and the logout is
// of whatever session the browser's own cookies name. Anybody can make a browser
// load that URI: end a session here, and do nothing at the OP.
func (c *Client) FrontChannelLogout(query url.Values) (sid string, err error) {
	k := &checker{ctx: context.Background(), trace: c.p.env.trace, step: StepLogout}
	const spec = "Front-Channel Logout 2"
	for _, name := range []string{"iss", "sid"} {
		if err := k.that(len(query[name]) <= 1, DuplicateParameter, spec, name+" occurs once", "", ""); err != nil {
			return "", err
		}
	}
	iss, sid := query.Get("iss"), query.Get("sid")
	if err := k.that((iss == "") == (sid == ""), MissingParameter, spec, "iss and sid come together", "", ""); err != nil {
		return "", err
	}
	if iss == "" {
		return "", k.that(!c.c.Metadata.FrontchannelLogoutSessionRequired, MissingParameter, spec, "iss and sid are there, as registered", "iss", "")
	}
	if err := k.that(c.p.Serves(iss), BadIssuer, spec, "iss is the issuer", c.p.Issuer(), iss); err != nil {
		return "", err
	}
	return sid, k.that(len(sid) <= MaxState, MissingParameter, spec, "sid is of a sane size", "", "")
}

// SessionFrame is what a page needs to watch the user's session at the OP (Session
// Management 1.0 section 3): it loads URL in a hidden iframe, posts Message to it
// with target Origin, and trusts answers from Origin alone.
type SessionFrame struct{ URL, Origin, Message string }

// SessionFrame returns the page's part for a login whose response had a
// session_state. ok is false if the OP does not manage sessions so.
func (c *Client) SessionFrame(t *Tokens) (frame SessionFrame, ok bool) {
	md := c.p.md()
	u, err := url.Parse(md.CheckSessionIframe)
	// Session Management 1.0 section 3.1: the message is split at its space.
	if err != nil || md.CheckSessionIframe == "" || t.SessionState == "" || strings.ContainsAny(c.c.ID+t.SessionState, " ") {
		return SessionFrame{}, false
	}
	return SessionFrame{URL: md.CheckSessionIframe, Origin: u.Scheme + "://" + u.Host, Message: c.c.ID + " " + t.SessionState}, true
}
