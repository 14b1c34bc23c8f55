package oidctest

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"
	"time"
)

// grant is what a person let a client do; codes and tokens belong to one.
type grant struct {
	details       []any    // authorization_details that were granted (RFC 9396)
	resources     []string // of the authorization request (RFC 8707)
	clientID      string
	username      string
	sub           string // as the client sees it
	scopes        []string
	nonce         string
	authTime      time.Time
	wantsAuthTime bool
	acr           string
	claims        claimsParam
	redirectURI   string
	challenge     string // of PKCE; empty if the request had none
	jkt           string // of dpop_jkt; empty if the request had none
	frontIDToken  bool   // the authorization response had an ID Token
	sid           string // of the login at the OP; empty if the client hears of no logout
	onlyIDToken   bool   // response_type id_token: there will be no access token
	revoked       bool   // guarded by OP.mu
}

type code struct {
	grant *grant
	used  bool
}

type accessToken struct {
	scopes []string
	grant  *grant
	bound  string // thumbprint of a DPoP key, or of a certificate behind boundToCertificate; empty for a bearer token
}

type refreshToken struct {
	grant  *grant
	bound  string    // likewise, of a public client's
	usedAt time.Time // zero if it was not
}

// token is the token endpoint (Core 3.1.3, 3.3.3 and 12).
func (x *exchange) token() *reply {
	if x.r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	if x.form == nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded (RFC 6749, 4.1.3)")
	}
	if name := duplicate(x.form); name != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameter "+name+" occurs twice (RFC 6749, 3.2)")
	}
	if x.r.URL.RawQuery != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameters belong in the body, not in the query (RFC 6749, 2.3.1)")
	}
	if rep := x.authenticate(); rep != nil {
		return rep
	}
	if rep := x.readProof(); rep != nil {
		return rep
	}
	if rep := x.needsCertificate(); rep != nil {
		return rep
	}
	x.grantType = x.form.Get("grant_type")
	switch x.grantType {
	case "":
		return oauthError(http.StatusBadRequest, "invalid_request", "grant_type is missing")
	default:
		if !slices.Contains(x.op.grantTypes(), x.grantType) || x.grantType == "implicit" {
			return oauthError(http.StatusBadRequest, "unsupported_grant_type", "grant_type is none of those of this provider")
		}
	}
	if !slices.Contains(x.client.grantTypes(), x.grantType) {
		return oauthError(http.StatusBadRequest, "unauthorized_client", "the client is not registered for the grant "+x.grantType)
	}
	switch x.grantType {
	case "refresh_token":
		return x.refresh()
	case "authorization_code":
		return x.exchangeCode()
	case grantDevice, grantCIBA:
		return x.poll()
	}
	return x.directGrant()
}

// exchangeCode is grant_type authorization_code (Core 3.1.3.2).
func (x *exchange) exchangeCode() *reply {
	value := x.form.Get("code")
	if value == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "code is missing")
	}
	op := x.op
	op.mu.Lock()
	c, ok := op.codes.get(value, x.now)
	var refusal string
	switch {
	case !ok || c.grant.clientID != x.client.ID:
		refusal = "the code is unknown, expired or another client's"
	case c.used:
		// RFC 6749, section 4.1.2: a second use revokes what the first gave.
		op.revoke(c.grant)
		refusal = "the code was used before; its tokens are revoked"
	case c.grant.revoked:
		refusal = "the grant is revoked"
	case c.grant.jkt != "" && c.grant.jkt != x.jkt:
		refusal = "the proof is not of the key of dpop_jkt (RFC 9449, 10)"
	case x.foreignResource(c.grant):
		op.mu.Unlock()
		return oauthError(http.StatusBadRequest, "invalid_target", "resource holds more than the authorization request did (RFC 8707, 2.2)")
	case x.form.Get("redirect_uri") != c.grant.redirectURI:
		refusal = "redirect_uri is not the one of the authorization request (RFC 6749, 4.1.3)"
	default:
		refusal = checkVerifier(c.grant.challenge, x.form.Get("code_verifier"))
	}
	if refusal != "" {
		op.mu.Unlock()
		return oauthError(http.StatusBadRequest, "invalid_grant", refusal)
	}
	c.used = true
	access := op.issueAccess(c.grant, x.now, x.binding())
	refresh := ""
	if slices.Contains(x.client.grantTypes(), "refresh_token") && (op.c.RefreshAlways || slices.Contains(c.grant.scopes, "offline_access")) {
		refresh = op.issueRefresh(c.grant, x.now, x.refreshKey())
	}
	op.mu.Unlock()
	return x.tokenResponse(c.grant, access, refresh, c.grant.scopes, false)
}

// refresh is grant_type refresh_token (RFC 6749, section 6; Core 12).
func (x *exchange) refresh() *reply {
	value := x.form.Get("refresh_token")
	if value == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "refresh_token is missing")
	}
	op := x.op
	op.mu.Lock()
	t, ok := op.refresh.get(value, x.now)
	var refusal string
	switch {
	case !ok || t.grant.clientID != x.client.ID:
		refusal = "the refresh token is unknown, expired or another client's"
	case t.grant.revoked:
		refusal = "the grant is revoked"
	case t.bound != "" && t.bound != x.binding():
		refusal = "the refresh token is bound to another key or certificate (RFC 9449, 5; RFC 8705, 4)"
	case !t.usedAt.IsZero() && x.now.Sub(t.usedAt) > op.c.RefreshGrace:
		// RFC 9700, section 4.14.2: somebody has a copy; nobody keeps it.
		op.revoke(t.grant)
		refusal = "the refresh token was used before; the grant is revoked"
	}
	if refusal != "" {
		op.mu.Unlock()
		return oauthError(http.StatusBadRequest, "invalid_grant", refusal)
	}
	scopes := t.grant.scopes
	if s := x.form.Get("scope"); s != "" {
		scopes = strings.Fields(s)
		for _, one := range scopes {
			if !slices.Contains(t.grant.scopes, one) {
				op.mu.Unlock()
				return oauthError(http.StatusBadRequest, "invalid_scope", "scope holds more than was granted (RFC 6749, 6)")
			}
		}
	}
	// The narrower scope is that of this access token alone.
	narrowed := *t.grant
	narrowed.scopes = scopes
	access := op.issueAccessFor(t.grant, &narrowed, x.now, x.binding())
	next := ""
	if !op.c.KeepRefreshTokens {
		if t.usedAt.IsZero() {
			t.usedAt = x.now
		}
		next = op.issueRefresh(t.grant, x.now, x.refreshKey())
	}
	op.mu.Unlock()
	return x.tokenResponse(&narrowed, access, next, scopes, true)
}

// tokenResponse is Core 3.1.3.3 and 12.2.
func (x *exchange) tokenResponse(g *grant, access, refresh string, scopes []string, isRefresh bool) *reply {
	doc := map[string]any{
		"access_token": access,
		"token_type":   x.tokenType(),
		"expires_in":   int64(x.op.c.AccessTokenLifetime / time.Second),
		"scope":        strings.Join(scopes, " "),
	}
	if refresh != "" {
		doc["refresh_token"] = refresh
	}
	if len(g.details) > 0 {
		doc["authorization_details"] = g.details // RFC 9396, section 7
	}
	if slices.Contains(scopes, "openid") {
		t, err := x.idToken(g, tokenParts{access: access, refresh: isRefresh})
		if err != nil {
			return oauthError(http.StatusInternalServerError, "server_error", err.Error())
		}
		doc["id_token"] = t
	}
	return jsonReply(http.StatusOK, doc).private()
}

// issueAccess makes an access token. The caller holds op.mu.
func (op *OP) issueAccess(g *grant, now time.Time, bound string) string {
	return op.issueAccessFor(g, g, now, bound)
}

// issueAccessFor makes an access token that sees what view does and dies with
// g, and is bound to a key or certificate if bound says so. The caller holds op.mu.
func (op *OP) issueAccessFor(g, view *grant, now time.Time, bound string) string {
	t := "at-" + op.random(24)
	if op.c.AccessTokenAudience != "" {
		jkt, x5t := bound, ""
		if rest, ok := strings.CutPrefix(bound, boundToCertificate); ok {
			jkt, x5t = "", rest
		}
		jwt, err := op.accessJWT(AccessToken{ClientID: g.clientID, Subject: g.sub, Audience: []string{op.c.AccessTokenAudience},
			Scopes: view.scopes, AuthTime: g.authTime, ACR: g.acr, KeyThumbprint: jkt, CertificateThumbprint: x5t}, now, t, nil)
		if err == nil { // or else it stays opaque, which no resource server takes
			t = jwt
		}
	}
	op.access.put(t, &accessToken{grant: g, scopes: view.scopes, bound: bound}, now.Add(op.c.AccessTokenLifetime))
	return t
}

func (op *OP) issueRefresh(g *grant, now time.Time, bound string) string {
	t := "rt-" + op.random(24)
	op.refresh.put(t, &refreshToken{grant: g, bound: bound}, now.Add(op.c.RefreshTokenLifetime))
	return t
}

// revoke ends a grant with all its tokens. The caller holds op.mu.
func (op *OP) revoke(g *grant) {
	g.revoked = true
	op.access.dropAll(func(t *accessToken) bool { return t.grant == g })
	op.refresh.dropAll(func(t *refreshToken) bool { return t.grant == g })
}

// checkVerifier compares a code_verifier with its challenge (RFC 7636, section
// 4.6) and returns why it is refused.
func checkVerifier(challenge, verifier string) string {
	switch {
	case challenge == "" && verifier == "":
		return ""
	case challenge == "":
		return "code_verifier was sent but the authorization request had no code_challenge (RFC 9700, 2.1.1)"
	case verifier == "":
		return "code_verifier is missing"
	case len(verifier) < 43 || len(verifier) > 128 || strings.Trim(verifier, unreserved) != "":
		return "code_verifier must be 43 to 128 unreserved characters (RFC 7636, 4.1)"
	}
	sum := sha256.Sum256([]byte(verifier))
	if subtle.ConstantTimeCompare([]byte(b64(sum[:])), []byte(challenge)) != 1 {
		return "code_verifier does not fit code_challenge"
	}
	return ""
}

const unreserved = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
