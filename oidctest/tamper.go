package oidctest

import (
	"net/http"
	"net/url"
)

// tampering holds the free-hand edits; nil means none.
type tampering struct {
	metadata, jrd, jwks, registration, tokenResponse, userInfo func(map[string]any)

	idToken      func(header, claims map[string]any)
	response     func(header, claims map[string]any)
	authResponse func(url.Values)
	logoutReturn func(url.Values)
	encryption   func(*Encryption)
}

// TamperMetadata edits the discovery document before it is sent; nil stops
// that. It sees the document after the faults that are switched on, as every
// Tamper method does, and replaces the edit of an earlier call. Edits may run
// in several goroutines at once.
func (op *OP) TamperMetadata(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.metadata = edit
}

// TamperJRD edits the WebFinger response.
func (op *OP) TamperJRD(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.jrd = edit
}

// TamperJWKS edits the key set; its member keys is a []any of map[string]any.
func (op *OP) TamperJWKS(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.jwks = edit
}

// TamperRegistration edits the responses of the registration endpoint and of
// the management of a registration.
func (op *OP) TamperRegistration(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.registration = edit
}

// TamperIDToken edits the header and the claims of each ID Token before it is
// signed; an alg that is not the one of the key leaves the signature as it
// would have been.
func (op *OP) TamperIDToken(edit func(header, claims map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.idToken = edit
}

// TamperEncryption edits how an ID Token or UserInfo response is encrypted, for a
// client that registered for it.
func (op *OP) TamperEncryption(edit func(*Encryption)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.encryption = edit
}

// TamperTokenResponse edits the responses of the token endpoint, errors
// included.
func (op *OP) TamperTokenResponse(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.tokenResponse = edit
}

// TamperUserInfo edits the claims of the UserInfo response, before they are
// signed if they are.
func (op *OP) TamperUserInfo(edit func(map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.userInfo = edit
}

// TamperAuthResponse edits the parameters of the authorization response,
// errors included.
func (op *OP) TamperAuthResponse(edit func(url.Values)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.authResponse = edit
}

// TamperLogoutReturn edits the parameters with which the browser comes back to the
// post_logout_redirect_uri: state, if the logout request had one.
func (op *OP) TamperLogoutReturn(edit func(url.Values)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.logoutReturn = edit
}

// TamperResponseJWT edits the header and the claims of each JWT secured
// authorization response (JARM) before it is signed, as TamperIDToken does.
func (op *OP) TamperResponseJWT(edit func(header, claims map[string]any)) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.tamper.response = edit
}

// Intercept replaces an endpoint wholly; nil restores it. The request is
// recorded all the same. The body of r can still be read.
func (op *OP) Intercept(e Endpoint, h http.HandlerFunc) {
	op.mu.Lock()
	defer op.mu.Unlock()
	if h == nil {
		delete(op.intercepts, e)
		return
	}
	op.intercepts[e] = h
}

// edits returns a copy of the free-hand edits.
func (op *OP) edits() tampering {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.tamper
}
