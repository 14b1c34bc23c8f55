package oidctest

import (
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The grants that a client makes by itself.
const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693, section 2.1
	grantJWT      = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523, section 2.1
	grantSAML     = "urn:ietf:params:oauth:grant-type:saml2-bearer"   // RFC 7522, section 2.1
)

// The token types of RFC 8693, section 3.
const (
	typeAccessToken = "urn:ietf:params:oauth:token-type:access_token"
	typeIDToken     = "urn:ietf:params:oauth:token-type:id_token"
)

// directGrant answers the grants that need no person at this moment.
func (x *exchange) directGrant() *reply {
	switch x.grantType {
	case "client_credentials":
		if x.client.authMethod() == "none" {
			// RFC 6749, section 4.4: confidential clients alone.
			return oauthError(http.StatusBadRequest, "unauthorized_client", "a public client has no credentials")
		}
		return x.direct("", x.form.Get("scope"), nil)
	case grantExchange:
		return x.tokenExchange()
	case grantJWT:
		return x.jwtGrant()
	}
	return x.samlGrant()
}

// direct issues an access token; a username of "" is the client's own.
func (x *exchange) direct(username, scope string, more map[string]any) *reply {
	op := x.op
	op.mu.Lock()
	g := &grant{clientID: x.client.ID, sub: x.client.ID, scopes: strings.Fields(scope), authTime: x.now}
	if u, ok := op.user(username); ok {
		g.username, g.sub = u.Username, op.subject(x.client, u)
	}
	// None of these grants gives an ID Token (RFC 6749, section 4.4.3).
	g.scopes = slices.DeleteFunc(g.scopes, func(s string) bool { return s == "openid" || s == "offline_access" })
	access := op.issueAccess(g, x.now, x.binding())
	op.mu.Unlock()
	doc := map[string]any{
		"access_token": access, "token_type": x.tokenType(), "expires_in": int64(op.c.AccessTokenLifetime / time.Second),
		"scope": strings.Join(g.scopes, " "),
	}
	for name, v := range more {
		doc[name] = v
	}
	return jsonReply(http.StatusOK, doc).private()
}

// tokenExchange is RFC 8693, section 2: an access token of this OP for another
// one, of the same person and not of more scopes.
func (x *exchange) tokenExchange() *reply {
	f := x.form
	if f.Get("subject_token") == "" || f.Get("subject_token_type") == "" || f.Has("actor_token") != f.Has("actor_token_type") {
		return oauthError(http.StatusBadRequest, "invalid_request", "a token and its type come together (RFC 8693, 2.1)")
	}
	if t := f.Get("requested_token_type"); t != "" && t != typeAccessToken {
		return oauthError(http.StatusBadRequest, "invalid_request", "only access tokens are issued")
	}
	op := x.op
	op.mu.Lock()
	t, ok := op.access.get(f.Get("subject_token"), x.now)
	op.mu.Unlock()
	if !ok || f.Get("subject_token_type") != typeAccessToken {
		return oauthError(http.StatusBadRequest, "invalid_request", "subject_token is no access token of this provider")
	}
	scopes := t.scopes
	if s := f.Get("scope"); s != "" {
		scopes = strings.Fields(s)
		for _, one := range scopes {
			if !slices.Contains(t.scopes, one) {
				return oauthError(http.StatusBadRequest, "invalid_scope", "scope holds more than the token has")
			}
		}
	}
	return x.direct(t.grant.username, strings.Join(scopes, " "), map[string]any{"issued_token_type": typeAccessToken})
}

// jwtGrant is RFC 7523, section 2.1: a client that is registered with keys vouches
// for a person.
func (x *exchange) jwtGrant() *reply {
	refuse := func(why string) *reply { return oauthError(http.StatusBadRequest, "invalid_grant", why) }
	var algs []jose.SignatureAlgorithm
	for _, a := range asymmetric(SigningAlgs()) {
		algs = append(algs, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(x.form.Get("assertion"), algs)
	if err != nil {
		return refuse("the assertion is no signed JWT")
	}
	payload, err := x.verifyWithClient(x.client, jws, false)
	if err != nil {
		return refuse(err.Error())
	}
	var claims struct {
		Iss, Sub string
		Aud      any
		Exp      float64
	}
	if json.Unmarshal(payload, &claims) != nil || claims.Iss == "" || !x.isAudience(claims.Aud) || !x.now.Before(time.Unix(int64(claims.Exp), 0)) {
		return refuse("iss, aud or exp is not as RFC 7523, section 3, has it")
	}
	x.op.mu.Lock()
	_, ok := x.op.user(claims.Sub)
	x.op.mu.Unlock()
	if !ok {
		return refuse("sub is nobody")
	}
	return x.direct(claims.Sub, x.form.Get("scope"), nil)
}

// samlGrant is RFC 7522, section 2.1. No XML signature is verified: it is the
// request that a test looks at.
func (x *exchange) samlGrant() *reply {
	refuse := func(why string) *reply { return oauthError(http.StatusBadRequest, "invalid_grant", why) }
	text, err := base64.RawURLEncoding.DecodeString(x.form.Get("assertion"))
	var a struct {
		XMLName xml.Name
		NameID  string `xml:"Subject>NameID"`
	}
	if err != nil || xml.Unmarshal(text, &a) != nil || a.XMLName.Local != "Assertion" || a.XMLName.Space != "urn:oasis:names:tc:SAML:2.0:assertion" {
		return refuse("the assertion is no SAML 2.0 assertion in base64url (RFC 7522, 2.1)")
	}
	x.op.mu.Lock()
	_, ok := x.op.user(a.NameID)
	x.op.mu.Unlock()
	if !ok {
		return refuse("its subject is nobody")
	}
	return x.direct(a.NameID, x.form.Get("scope"), nil)
}
