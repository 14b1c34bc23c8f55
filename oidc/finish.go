package oidc

import (
	"context"
	"crypto/subtle"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Finish turns the answer to a login into Tokens. It makes every check that the
// response type owes, in this order: the Pending is this client's and not too
// old; the response came by the mode that was asked for; state; the issuer of
// the response (RFC 9207); an error of the OP; the parameters; the ID Token from
// the browser, if there is one (Core sections 3.2.2.11 and 3.3.2.12); then the
// code is exchanged and the ID Token from the token endpoint checked (Core
// sections 3.1.3.7 and 3.3.3.7). Nothing is sent to the OP before the checks
// that need nothing from it.
//
// An answer of the OP that it will not, such as access_denied, is an *OPError.
//
// A Pending must be used once. Whoever keeps it deletes it before Finish.
func (c *Client) Finish(ctx context.Context, p Pending, a AuthResponse) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "Finish")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepAuthorization)
	m := FrontMessage{Step: StepAuthorization, Response: true, Mode: a.mode, Endpoint: p.RedirectURI, Params: a.params}
	c.p.env.trace.front(ctx, m)
	rt, a, err := c.checkResponse(ctx, k, p, a)
	if err != nil {
		return nil, err
	}
	t := Tokens{SessionState: a.params.Get("session_state")}
	var front *IDToken
	if rt.idToken {
		x := c.expectation(p)
		x.state, x.moreToCome = p.State, rt.code
		x.code, x.needCodeHash = a.params.Get("code"), rt.code
		x.needStateHash = c.c.Profile == FAPI1Advanced // Part 2, 5.2.3.1 (4)
		x.accessToken, x.needTokenHash = a.params.Get("access_token"), rt.token
		if front, err = c.verifyIDToken(ctx, a.params.Get("id_token"), x); err != nil {
			return nil, err
		}
		t.IDToken = front
	}
	if rt.token {
		t.AccessToken, t.TokenType = a.params.Get("access_token"), "Bearer"
		t.Scopes = scopesOr(a.params.Get("scope"), p.Scopes)
		if secs, err := strconv.ParseInt(a.params.Get("expires_in"), 10, 64); err == nil {
			t.Expiry = c.expiry(time.Duration(min(max(secs, 0), int64(maxExpiresIn/time.Second))) * time.Second)
		}
	}
	if !rt.code {
		return &t, nil
	}
	return c.exchangeCode(ctx, p, a, front)
}

// checkResponse makes the checks that need nothing from the OP but its keys, and
// opens a response that is a JWT.
func (c *Client) checkResponse(ctx context.Context, k *checker, p Pending, a AuthResponse) (responseType, AuthResponse, error) {
	rt, err := parseResponseType(p.ResponseType)
	if err != nil {
		return rt, a, err
	}
	if err := c.checkWhere(k, p, a); err != nil {
		return rt, a, err
	}
	if isSecured(a.mode) {
		if a, err = c.openResponse(ctx, k, p, a); err != nil {
			return rt, a, err
		}
	}
	return rt, a, c.checkParameters(k, p, rt, a)
}

// checkWhere checks that the response is for this login, by the way that was
// asked for.
func (c *Client) checkWhere(k *checker, p Pending, a AuthResponse) error {
	md := c.p.md()
	if err := k.that(p.Issuer == md.Issuer && p.ClientID == c.c.ID, WrongClient, "RFC 9700 4.4.2",
		"the login was begun with this client", p.Issuer, md.Issuer); err != nil {
		return err
	}
	lifetime := c.c.LoginLifetime
	if lifetime <= 0 {
		lifetime = DefaultLoginLifetime
	}
	if age := c.p.env.now().Sub(p.Created); age > lifetime || age < -c.p.env.skew {
		return k.tell(false, LoginExpired, "RFC 9700 4.7.1", "the login is not too old", "it was begun "+age.Round(time.Second).String()+" ago; at most "+lifetime.String())
	}
	// Multiple Response Types section 2.1: the mode that was asked for. No quirk
	// lets a response go unsigned that was to be signed (JARM section 5.2).
	loose := c.c.Quirks.AnyResponseMode && isSecured(a.mode) == isSecured(p.ResponseMode)
	if err := k.that(a.mode == p.ResponseMode || loose, WrongResponseMode, "Multiple Response Types 2.1",
		"the response came by the mode asked for", p.ResponseMode, a.mode); err != nil {
		return err
	}
	return checkArrival(k, p, a)
}

// checkParameters checks what the response says, before any of it is used.
func (c *Client) checkParameters(k *checker, p Pending, rt responseType, a AuthResponse) error {
	// Core section 3.1.2.7, RFC 6749 section 10.12. The values are secrets, so
	// none is told.
	if err := k.that(sameState(p, a.params.Get("state")),
		BadState, "Core 3.1.2.7", "state is the one sent", "", ""); err != nil {
		return err
	}
	// RFC 9207 section 2.4: before anything else in the response is used, an
	// error included.
	if err := c.checkResponseIssuer(k, a); err != nil {
		return err
	}
	if a.params.Has("error") {
		code := a.params.Get("error")
		if err := k.that(!a.params.Has("code") && !a.params.Has("id_token") && !a.params.Has("access_token"), UnexpectedParameter,
			"RFC 6749 4.1.2.1", "an error comes alone", "", ""); err != nil {
			return err
		}
		return &OPError{Endpoint: StepAuthorization, Code: code, Description: a.params.Get("error_description"), URI: a.params.Get("error_uri"),
			Hint: authErrorHints[code]}
	}
	return c.checkArtefacts(k, rt, a)
}

func sameState(p Pending, state string) bool {
	return p.State != "" && subtle.ConstantTimeCompare([]byte(state), []byte(p.State)) == 1
}

// checkArrival compares where the response came with where it was asked for,
// which is what tells the OPs apart where each has a redirect URI of its own (RFC
// 9700 section 4.4.2.2). Only ReadAuthURL knows the place as the browser saw it;
// what a server sees of it may have been rewritten by the proxies before it.
func checkArrival(k *checker, p Pending, a AuthResponse) error {
	if a.at == "" {
		return nil
	}
	want, _, _ := cutAny(p.RedirectURI, "?#")
	return k.that(a.at == want, WrongRedirectURI, "RFC 9700 4.4.2.2", "the response came to the redirect URI", want, a.at)
}

// checkResponseIssuer checks the iss parameter (RFC 9207 section 2.4). It may be
// absent, although announced, where an ID Token came beside the code: its iss
// is checked before the code is used, which defends as well (RFC 9207 section
// 4), and OPs are seen to leave the parameter out there.
func (c *Client) checkResponseIssuer(k *checker, a AuthResponse) error {
	if a.opened {
		return nil // the JWT's iss, checked already, is as good (RFC 9207 section 2.4)
	}
	md := c.p.md()
	iss := a.params.Get("iss")
	if !a.params.Has("iss") {
		if c.c.Profile.fapi2() {
			return k.that(false, BadResponseIssuer, "FAPI 2.0 Security Profile 5.3.3.2 (5)", "iss is there", md.Issuer, "")
		}
		return k.that(!md.AuthorizationResponseIssParameterSupported || a.params.Has("id_token"), BadResponseIssuer, "RFC 9207 2.4",
			"iss is there if the OP announces it", md.Issuer, "")
	}
	if decoded, err := url.QueryUnescape(iss); err == nil && c.c.Quirks.EncodedResponseIssuer {
		iss = decoded
	}
	return k.that(c.p.Serves(iss), BadResponseIssuer, "RFC 9207 2.4", "iss is the issuer", md.Issuer, iss)
}

// authErrorHints say what to do about an error that is not the user's wish.
var authErrorHints = map[string]string{
	"invalid_scope":                 "the OP does not grant a scope that was asked for",
	"unauthorized_client":           "the client is not registered for this response type or grant",
	"unsupported_response_type":     "the OP does not do this response type for the client",
	"invalid_request_object":        "the OP does not accept the request object: compare its algorithms with those that are registered",
	"request_not_supported":         "the OP takes no request object by value: set ClientConfig.PAR, or no RequestObject",
	"invalid_request_uri":           "the OP does not accept the reference: it is used, too old, not registered, or could not be fetched",
	"request_uri_not_supported":     "the OP fetches no request object: send it by value",
	"invalid_authorization_details": "the OP does not grant authorization details of this type, or with these members",
	"invalid_target":                "the OP knows no resource by that name, or none was named",
	"login_required":                "the user must log in: repeat without prompt none",
	"interaction_required":          "the user must be asked: repeat without prompt none",
	"consent_required":              "the user must consent: repeat without prompt none",
}

// checkArtefacts asks for exactly what the response type holds (Core sections
// 3.1.2.5, 3.2.2.5 and 3.3.2.5). An artefact that nobody asked for is not
// ignored: it was injected, or would be believed by a later reader.
func (c *Client) checkArtefacts(k *checker, rt responseType, a AuthResponse) error {
	for _, w := range []struct {
		name   string
		owed   bool
		max    int
		there  string // titles of the checks, made here and not at every login
		absent string
	}{
		{"code", rt.code, MaxCode, "code is there", "code was not asked for, and is not there"},
		{"id_token", rt.idToken, MaxAuthResponse, "id_token is there", "id_token was not asked for, and is not there"},
		{"access_token", rt.token, MaxAccessToken, "access_token is there", "access_token was not asked for, and is not there"},
	} {
		v := a.params.Get(w.name)
		if !w.owed {
			if err := k.that(!a.params.Has(w.name), UnexpectedParameter, "Multiple Response Types 3", w.absent, "", ""); err != nil {
				return err
			}
			continue
		}
		if err := k.that(v != "", MissingParameter, "Core 3.1.2.5", w.there, w.name, ""); err != nil {
			return err
		}
		if len(v) > w.max {
			return k.tell(false, MalformedAuthResponse, "Core 3.1.2.5", w.name+" is of a sane size", w.name+" is longer than "+strconv.Itoa(w.max)+" bytes")
		}
	}
	if rt.token {
		if err := checkAccessToken(k, a.params.Get("access_token")); err != nil {
			return err
		}
		return checkTokenType(k, a.params.Get("token_type"), nil)
	}
	return nil
}

// exchangeCode is the access token request (Core section 3.1.3.1, RFC 7636
// section 4.5) and what the response owes.
func (c *Client) exchangeCode(ctx context.Context, p Pending, a AuthResponse, front *IDToken) (*Tokens, error) {
	code := a.params.Get("code")
	values := [...]string{"authorization_code", code, p.RedirectURI, p.Verifier} // one piece of memory
	key, err := c.dpopKeyOr(p.DPoP)
	if err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type":    values[0:1:1],
		"code":          values[1:2:2],
		"redirect_uri":  values[2:3:3],
		"code_verifier": values[3:4:4],
	}
	if len(p.Resources) > 0 {
		form["resource"] = p.Resources // RFC 8707 section 2.2
	}
	res, err := c.postProving(ctx, key, StepToken, c.p.md().TokenEndpoint, form, "application/json")
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.clientRefused(StepToken, res)
	}
	k := c.p.env.checker(ctx, StepToken)
	w, err := c.readTokenResponse(k, res.Body, key)
	if err != nil {
		return nil, err
	}
	back := c.tokens(w, res.Body, p.Scopes, key)
	if back.AuthorizationDetails, err = c.grantedDetails(k, w.Details, p.DetailTypes); err != nil {
		return nil, err
	}
	back.SessionState = a.params.Get("session_state")
	if w.SessionState != "" {
		back.SessionState = w.SessionState
	}
	if c.c.OAuthOnly != nil {
		return back, nil // an ID Token that came all the same is nobody's word
	}
	if err := k.that(w.IDToken != "", MissingIDToken, "Core 3.1.3.3", "the token response has an ID Token", "", ""); err != nil {
		return nil, err
	}
	x := c.expectation(p)
	x.state = p.State
	x.code = code
	x.accessToken = back.AccessToken
	x.tokenEndpoint = true
	if back.IDToken, err = c.verifyIDToken(ctx, w.IDToken, x); err != nil {
		return nil, err
	}
	if front != nil {
		// Core section 3.3.3.6: one user, one issuer.
		if err := k.that(front.Subject == back.IDToken.Subject && front.Issuer == back.IDToken.Issuer, SubjectMismatch, "Core 3.3.3.6",
			"both ID Tokens are about one user", front.Subject, back.IDToken.Subject); err != nil {
			return nil, err
		}
	}
	return back, nil
}
