package oidctest

import (
	"net/http"
	"strings"
)

// introspection is the introspection endpoint (RFC 7662, RFC 9701).
func (x *exchange) introspection() *reply {
	if x.r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	if x.form == nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded (RFC 7662, 2.1)")
	}
	if name := duplicate(x.form); name != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameter "+name+" occurs twice")
	}
	if rep := x.authenticate(); rep != nil {
		return rep
	}
	if x.client.authMethod() == "none" {
		// RFC 7662, section 4: otherwise anybody could try tokens here.
		return oauthError(http.StatusUnauthorized, "invalid_client", "a client without credentials may not ask (RFC 7662, 2.1)")
	}
	value := x.form.Get("token")
	if value == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "token is missing")
	}
	doc := x.about(value)
	alg := x.client.IntrospectionSignedResponseAlg
	if alg == "" && x.client.IntrospectionEncryptedResponseAlg != "" {
		alg = "RS256" // RFC 9701, section 6
	}
	if alg == "" {
		return jsonReply(http.StatusOK, doc).private()
	}
	x.editDocument(doc)
	// RFC 9701, section 5: what is said of the token is apart from what is said of
	// the answer.
	d, err := x.newDraft(alg, map[string]any{"iss": x.op.Issuer, "aud": x.client.ID, "iat": x.now.Unix(), "token_introspection": doc})
	if err == nil {
		d.header["typ"] = "token-introspection+jwt"
		for _, b := range x.faults {
			if b.introspection != nil {
				b.introspection(x, d)
			}
		}
		var s string
		if s, err = d.sign(); err == nil {
			if s, err = x.encrypted(s, x.client.IntrospectionEncryptedResponseAlg, x.client.IntrospectionEncryptedResponseEnc); err == nil {
				return (&reply{status: http.StatusOK, header: http.Header{"Content-Type": {"application/token-introspection+jwt"}}, body: []byte(s)}).private()
			}
		}
	}
	return oauthError(http.StatusInternalServerError, "server_error", err.Error())
}

// about is what the OP says of a token (RFC 7662, section 2.2): of one that is not
// the client's own, no more than that it is not active.
func (x *exchange) about(value string) map[string]any {
	op := x.op
	op.mu.Lock()
	defer op.mu.Unlock()
	var g *grant
	doc := map[string]any{"active": true}
	bound := ""
	if t, ok := op.access.get(value, x.now); ok {
		g, bound = t.grant, t.bound
		doc["scope"], doc["exp"], doc["token_type"] = strings.Join(t.scopes, " "), op.access.entries[value].expires.Unix(), "Bearer"
		if bound != "" && !strings.HasPrefix(bound, boundToCertificate) {
			doc["token_type"] = "DPoP"
		}
	} else if t, ok := op.refresh.get(value, x.now); ok && t.usedAt.IsZero() {
		g, bound = t.grant, t.bound
		doc["scope"], doc["exp"] = strings.Join(g.scopes, " "), op.refresh.entries[value].expires.Unix()
	}
	if g == nil || g.revoked || g.clientID != x.client.ID {
		return map[string]any{"active": false}
	}
	doc["client_id"], doc["sub"], doc["iss"], doc["username"] = g.clientID, g.sub, op.Issuer, g.username
	if x5t, ok := strings.CutPrefix(bound, boundToCertificate); ok {
		doc["cnf"] = map[string]any{"x5t#S256": x5t}
	} else if bound != "" {
		doc["cnf"] = map[string]any{"jkt": bound}
	}
	return doc
}
