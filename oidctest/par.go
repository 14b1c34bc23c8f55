package oidctest

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// requestURIPrefix begins the request_uri of a pushed request (RFC 9126, section
// 2.2).
const requestURIPrefix = "urn:ietf:params:oauth:request_uri:"

// pushedRequest is the pushed authorization request endpoint (RFC 9126, section
// 2). The request is validated as it would be at the authorization endpoint.
func (x *exchange) pushedRequest() *reply {
	if x.r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	if x.form == nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded (RFC 9126, 2.1)")
	}
	if name := duplicate(x.form); name != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameter "+name+" occurs twice (RFC 6749, 3.1)")
	}
	if rep := x.authenticate(); rep != nil {
		return rep
	}
	if x.form.Has("request_uri") {
		return oauthError(http.StatusBadRequest, "invalid_request", "request_uri must not be pushed (RFC 9126, 2.1)")
	}
	params := maps.Clone(x.form)
	for _, name := range []string{"client_secret", "client_assertion", "client_assertion_type"} {
		params.Del(name)
	}
	params.Set("client_id", x.client.ID)
	params, rep := x.openRequest(params)
	if rep != nil {
		return rep
	}
	// RFC 9449, section 10.1: a proof here says what dpop_jkt would.
	if len(x.r.Header.Values("DPoP")) > 0 {
		if rep := x.readProof(); rep != nil {
			return rep
		}
		if params.Has("dpop_jkt") && params.Get("dpop_jkt") != x.jkt {
			return oauthError(http.StatusBadRequest, "invalid_dpop_proof", "the proof is not of the key of dpop_jkt (RFC 9449, 10.1)")
		}
		params.Set("dpop_jkt", x.jkt)
	}
	if _, rep := x.readAuthRequest(params); rep != nil {
		return rep
	}
	op := x.op
	op.mu.Lock()
	defer op.mu.Unlock()
	uri := requestURIPrefix + op.random(24)
	op.pushed.put(uri, params, x.now.Add(op.c.PARLifetime))
	return jsonReply(http.StatusCreated, map[string]any{
		"request_uri": uri,
		"expires_in":  int64(op.c.PARLifetime / time.Second),
	}).private()
}

// resolve returns the parameters of an authorization request, wherever they are.
// A pushed request serves its client once (RFC 9126, section 4).
func (x *exchange) resolve(p url.Values) (url.Values, *reply) {
	uri := p.Get("request_uri")
	if !strings.HasPrefix(uri, requestURIPrefix) {
		if x.op.c.RequirePAR || x.mustPush(p.Get("client_id")) {
			return nil, x.refusePage("Bad request", "An authorization request must be pushed first (RFC 9126, 5).")
		}
		return x.openRequest(p)
	}
	op := x.op
	op.mu.Lock()
	pushed, ok := op.pushed.get(uri, x.now)
	if ok && pushed.Get("client_id") == p.Get("client_id") {
		op.pushed.drop(uri)
	} else {
		ok = false
	}
	op.mu.Unlock()
	if !ok {
		return nil, x.refusePage("Unknown request", "The request_uri is unknown, expired, used or another client's (RFC 9126, 4).")
	}
	return pushed, nil
}

// mustPush reports whether a client is registered to push (RFC 9126, section 6).
func (x *exchange) mustPush(clientID string) bool {
	x.op.mu.Lock()
	defer x.op.mu.Unlock()
	c, ok := x.op.clients[clientID]
	return ok && c.RequirePushedAuthorizationRequests
}

// refusePage tells the person what cannot be told to the client, or the client
// itself where it pushes.
func (x *exchange) refusePage(title, text string) *reply {
	if x.endpoint == EndpointPAR {
		return oauthError(http.StatusBadRequest, "invalid_request", text)
	}
	return page(http.StatusBadRequest, title, text)
}
