package oidctest

import "net/http"

// revocation is the revocation endpoint (RFC 7009).
func (x *exchange) revocation() *reply {
	if x.r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	if x.form == nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded (RFC 7009, 2.1)")
	}
	if name := duplicate(x.form); name != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameter "+name+" occurs twice")
	}
	if rep := x.authenticate(); rep != nil {
		return rep
	}
	value := x.form.Get("token")
	if value == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "token is missing")
	}
	// The hint is one: both kinds are looked up (RFC 7009, section 2.1).
	op := x.op
	op.mu.Lock()
	defer op.mu.Unlock()
	refresh, isRefresh := op.refresh.get(value, x.now)
	access, isAccess := op.access.get(value, x.now)
	switch {
	case isRefresh && refresh.grant.clientID != x.client.ID, isAccess && access.grant.clientID != x.client.ID:
		return oauthError(http.StatusBadRequest, "invalid_grant", "the token is another client's")
	case isRefresh:
		op.revoke(refresh.grant) // its access tokens should go too
	case isAccess:
		op.access.drop(value)
	}
	// An unknown token is as good as revoked (RFC 7009, section 2.2).
	return (&reply{status: http.StatusOK, header: http.Header{}}).private()
}
