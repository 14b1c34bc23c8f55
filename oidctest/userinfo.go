package oidctest

import (
	"encoding/json"
	"net/http"
	"strings"
	"time"
)

// userInfo is the UserInfo endpoint (Core 5.3).
func (x *exchange) userInfo() *reply {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodPost {
		return methodNotAllowed("GET, POST")
	}
	t, u, rep := x.resourceToken()
	if rep != nil {
		return rep
	}
	if t.grant.username == "" {
		return bearerError(http.StatusForbidden, "insufficient_scope", "the access token is the client's own")
	}
	claims := u.released(t.scopes, t.grant.claims.UserInfo)
	claims["sub"] = t.grant.sub
	x.grant = t.grant

	op, alg := x.op, x.client.UserInfoSignedResponseAlg
	switch {
	case alg == "" && x.client.UserInfoEncryptedResponseAlg == "":
		return jsonReply(http.StatusOK, claims).private()
	case alg == "":
		return x.encryptedUserInfo(claims)
	}
	// Core 5.3.2: a signed response has iss and aud.
	claims["iss"], claims["aud"] = op.Issuer, x.client.ID
	claims["iat"], claims["exp"] = x.now.Unix(), x.now.Add(userInfoLifetime).Unix()
	x.editDocument(claims)
	d, err := x.newDraft(alg, claims)
	if err == nil {
		d.userInfo = true
		var s string
		if s, err = x.seal(d); err == nil {
			return (&reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/jwt"}}, body: []byte(s)}).private()
		}
	}
	return oauthError(http.StatusInternalServerError, "server_error", err.Error())
}

// resourceToken reads the access token of a request to a resource, and finds whose
// it is: what UserInfo and the accounts have in common.
func (x *exchange) resourceToken() (*accessToken, User, *reply) {
	if x.query.Has("access_token") {
		// RFC 9700, section 4.3.2: an access token must not be in a URL.
		return nil, User{}, bearerError(http.StatusBadRequest, "invalid_request", "the access token must not be in the query")
	}
	token, bound, rep := x.presented()
	if rep != nil {
		return nil, User{}, rep
	}
	op := x.op
	op.mu.Lock()
	t, ok := op.access.get(token, x.now)
	var u User
	if ok && t.grant.username != "" { // a token of the client's own is nobody's
		u, ok = op.user(t.grant.username)
	}
	if ok {
		x.client, ok = op.clients[t.grant.clientID]
	}
	op.mu.Unlock()
	if !ok {
		return nil, User{}, bearerError(http.StatusUnauthorized, "invalid_token", "the access token is unknown, expired or revoked")
	}
	return t, u, x.checkBinding(t, token, bound)
}

// encryptedUserInfo is a response that is encrypted and not signed (Core 5.3.2).
func (x *exchange) encryptedUserInfo(claims map[string]any) *reply {
	x.editDocument(claims)
	text, err := json.Marshal(claims)
	if err == nil {
		var s string
		if s, err = x.encrypted(string(text), x.client.UserInfoEncryptedResponseAlg, x.client.UserInfoEncryptedResponseEnc); err == nil {
			return (&reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/jwt"}}, body: []byte(s)}).private()
		}
	}
	return oauthError(http.StatusInternalServerError, "server_error", err.Error())
}

const userInfoLifetime = 5 * time.Minute

// bearer reads the access token from the header or from the body (RFC 6750,
// sections 2.1 and 2.2).
func (x *exchange) bearer() (string, *reply) {
	header := x.r.Header.Values("Authorization")
	var tokens []string
	for _, h := range header {
		scheme, token, _ := strings.Cut(h, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			return "", bearerError(http.StatusUnauthorized, "", "")
		}
		tokens = append(tokens, strings.TrimSpace(token))
	}
	if x.r.Method == http.MethodPost {
		tokens = append(tokens, x.form["access_token"]...)
	}
	switch len(tokens) {
	case 0:
		// RFC 6750, section 3.1: without a token no error code either.
		return "", bearerError(http.StatusUnauthorized, "", "")
	case 1:
		return tokens[0], nil
	}
	return "", bearerError(http.StatusBadRequest, "invalid_request", "the access token was sent more than once (RFC 6750, 2)")
}

// bearerError is the answer of RFC 6750, section 3.
func bearerError(status int, code, description string) *reply {
	challenge := `Bearer realm="oidctest"`
	doc := map[string]any{}
	if code != "" {
		challenge += `, error="` + code + `", error_description="` + description + `"`
		doc["error"], doc["error_description"] = code, description
	}
	rep := jsonReply(status, doc).private()
	rep.header.Set("WWW-Authenticate", challenge)
	return rep
}

// distributedClaims is the claims endpoint that UserInfoDistributed refers to
// (Core 5.6.2.1): it takes the access token that came with the reference.
func (x *exchange) distributedClaims() *reply {
	if x.r.Method != http.MethodGet {
		return methodNotAllowed("GET")
	}
	token, rep := x.bearer()
	if rep != nil {
		return rep
	}
	op := x.op
	op.mu.Lock()
	g, ok := op.sources.get(token, x.now)
	var u User
	if ok {
		u, ok = op.user(g.username)
	}
	op.mu.Unlock()
	if !ok {
		return bearerError(http.StatusUnauthorized, "invalid_token", "the access token is not one of a claims source")
	}
	claims := map[string]any{"iss": op.Issuer}
	for _, name := range distributed() {
		if v, ok := u.all()[name]; ok {
			claims[name] = v
		}
	}
	s, err := op.Sign("RS256", nil, claims)
	if err != nil {
		return oauthError(http.StatusInternalServerError, "server_error", err.Error())
	}
	return (&reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/jwt"}}, body: []byte(s)}).private()
}

// distributed are the claims that UserInfoDistributed sends to fetch.
func distributed() []string { return []string{"address", "phone_number"} }

// distribute replaces claims by where to fetch them. The token for it sees
// nothing else.
func distribute(x *exchange, m map[string]any) {
	op := x.op
	op.mu.Lock()
	t := "src-" + op.random(24)
	op.sources.put(t, x.grant, x.now.Add(userInfoLifetime))
	op.mu.Unlock()
	names := map[string]any{}
	for _, n := range distributed() {
		delete(m, n)
		names[n] = "src1"
	}
	m["_claim_names"] = names
	m["_claim_sources"] = map[string]any{"src1": map[string]any{"endpoint": op.URL(EndpointClaims), "access_token": t}}
}
