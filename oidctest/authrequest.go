package oidctest

import (
	"encoding/json"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// authRequest is an authorization request that was found valid.
type authRequest struct {
	client       *registered
	redirectURI  string
	responseType []string // its words
	mode         string
	scopes       []string
	state        string
	nonce        string
	challenge    string
	prompt       []string
	maxAge       *int
	loginHint    string
	hintSub      string // of id_token_hint
	acrs         []string
	claims       claimsParam
	jkt          string // of dpop_jkt; empty if the request had none
	mustSub      string // the subject that the claims parameter demands
	essentialACR *claimRequest
	details      []any    // authorization_details
	resources    []string // resource
}

func (r *authRequest) has(word string) bool { return slices.Contains(r.responseType, word) }

// readAuthRequest validates the parameters. What is wrong with the client or
// its redirect URI is shown to the person (RFC 6749, section 4.1.2.1), all
// else is answered to the client.
func (x *exchange) readAuthRequest(p url.Values) (*authRequest, *reply) {
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(p[name]) != 1 || p.Get(name) == "" {
			return nil, x.refusePage("Bad request", "The request must have exactly one "+name+".")
		}
	}
	c, err := x.knownClient(p.Get("client_id"), true)
	if err != nil {
		return nil, x.refusePage("Unknown client", strings.ToUpper(err.Error()[:1])+err.Error()[1:]+".")
	}
	x.client = c
	r := &authRequest{client: c, redirectURI: p.Get("redirect_uri")}
	if !slices.ContainsFunc(c.RedirectURIs, func(u string) bool { return c.sameRedirect(u, r.redirectURI) }) {
		return nil, x.refusePage("Wrong redirect URI", "The redirect_uri is not one that this client has registered.")
	}

	r.responseType = strings.Fields(p.Get("response_type"))
	front := r.has("token") || r.has("id_token")
	r.mode = "query"
	if front {
		r.mode = "fragment"
	}
	fail := func(code, description string) (*authRequest, *reply) {
		state := ""
		if len(p["state"]) == 1 {
			state = p.Get("state")
		}
		return nil, x.answerError(r, state, code, description)
	}
	// OAuth 2.0 Multiple Response Types 2.1; Form Post Response Mode.
	if mode := p.Get("response_mode"); mode != "" {
		switch {
		case mode == "query" && front:
			return fail("invalid_request", "response_mode query must not carry tokens (Multiple Response Types 3)")
		case mode == "query.jwt" && front && c.AuthorizationEncryptedResponseAlg == "":
			return fail("invalid_request", "response_mode query.jwt must not carry tokens unless it is encrypted (JARM 2.3.1)")
		case !slices.Contains(responseModes(), mode):
			return fail("invalid_request", "response_mode must be one of "+strings.Join(responseModes(), ", "))
		case mode == "jwt":
			mode = r.mode + ".jwt" // JARM 2.3.4
		}
		r.mode = mode
	}
	if name := duplicate(p); name != "" {
		return fail("invalid_request", "parameter "+name+" occurs twice (RFC 6749, 3.1)")
	}
	for name := range p {
		if len(p.Get(name)) > maxParam {
			return fail("invalid_request", "parameter "+name+" is longer than 4 KiB")
		}
	}
	r.state, r.nonce, r.loginHint = p.Get("state"), p.Get("nonce"), p.Get("login_hint")
	responseType := p.Get("response_type")
	switch {
	case responseType == "":
		return fail("invalid_request", "response_type is missing")
	case !slices.ContainsFunc(x.op.responseTypes(), func(t string) bool { return sortWords(t) == sortWords(responseType) }):
		return fail("unsupported_response_type", "response_type is not one of response_types_supported")
	case !c.mayUse(responseType):
		return fail("unauthorized_client", "the client is not registered for this response_type")
	}
	// Core 6, Registration 1.0: parameters that the OP does not support.
	if p.Has("registration") {
		return fail("registration_not_supported", "this provider does not support registration")
	}
	r.scopes = strings.Fields(p.Get("scope"))
	if !slices.Contains(r.scopes, "openid") && !(x.op.c.AllowNoOpenID && r.has("code") && !r.has("id_token")) {
		return fail("invalid_scope", "scope must contain openid (Core 3.1.2.1)")
	}
	if r.has("id_token") && r.nonce == "" {
		return fail("invalid_request", "nonce is required when the response has an ID Token (Core 3.2.2.1, 3.3.2.11)")
	}
	if r.has("code") {
		if problem := x.readChallenge(r, p); problem != "" {
			return fail("invalid_request", problem)
		}
	}
	r.prompt = strings.Fields(p.Get("prompt"))
	for _, word := range r.prompt {
		switch {
		case !slices.Contains([]string{"none", "login", "consent", "select_account"}, word):
			return fail("invalid_request", "prompt holds an unknown value")
		case word == "none" && len(r.prompt) > 1:
			return fail("invalid_request", "prompt none must stand alone (Core 3.1.2.1)")
		}
	}
	r.maxAge = c.DefaultMaxAge
	if p.Has("max_age") {
		n, err := strconv.Atoi(p.Get("max_age"))
		if err != nil || n < 0 || n > maxSeconds {
			return fail("invalid_request", "max_age must be a number of seconds")
		}
		r.maxAge = &n
	}
	if d := p.Get("display"); p.Has("display") && !slices.Contains([]string{"page", "popup", "touch", "wap"}, d) {
		return fail("invalid_request", "display must be page, popup, touch or wap (Core 3.1.2.1)")
	}
	for _, res := range p["resource"] {
		// RFC 8707, section 2.
		if u, err := url.Parse(res); err != nil || !u.IsAbs() || strings.Contains(res, "#") {
			return fail("invalid_target", "resource must be an absolute URI without a fragment")
		}
	}
	if r.jkt = p.Get("dpop_jkt"); p.Has("dpop_jkt") && (len(r.jkt) != 43 || strings.Trim(r.jkt, unreserved) != "") {
		return fail("invalid_request", "dpop_jkt must be a SHA-256 thumbprint in base64url (RFC 9449, 10)")
	}
	r.resources = p["resource"]
	if problem := readDetails(r, p.Get("authorization_details")); problem != "" {
		return fail("invalid_authorization_details", problem)
	}
	r.acrs = strings.Fields(p.Get("acr_values"))
	if p.Has("claims") && !readClaims(p.Get("claims"), r) {
		return fail("invalid_request", "claims must be a JSON object as in Core 5.5")
	}
	if hint := p.Get("id_token_hint"); hint != "" {
		sub, ok := x.hintedSubject(hint)
		if !ok {
			return fail("invalid_request", "id_token_hint was not issued by this provider")
		}
		r.hintSub = sub
	}
	return r, nil
}

// maxSeconds keeps max_age within what a duration can hold.
const maxSeconds = 1 << 31

// readChallenge reads PKCE (RFC 7636, section 4.3).
func (x *exchange) readChallenge(r *authRequest, p url.Values) string {
	r.challenge = p.Get("code_challenge")
	switch {
	case r.challenge == "" && p.Has("code_challenge_method"):
		return "code_challenge_method stands without code_challenge"
	case r.challenge == "" && !x.op.c.AllowNoPKCE:
		return "code_challenge is required (RFC 9700, 2.1.1)"
	case r.challenge == "":
		return ""
	case p.Get("code_challenge_method") != "S256":
		return "code_challenge_method must be S256"
	case len(r.challenge) != 43 || strings.Trim(r.challenge, unreserved) != "":
		return "code_challenge must be a SHA-256 in base64url, 43 characters"
	}
	return ""
}

// readClaims reads the claims parameter (Core 5.5).
func readClaims(text string, r *authRequest) bool {
	var root map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &root) != nil || root == nil {
		return false
	}
	if json.Unmarshal([]byte(text), &r.claims) != nil {
		return false
	}
	if sub := r.claims.IDToken["sub"]; sub != nil && sub.Value != nil {
		s, ok := sub.Value.(string)
		if !ok {
			return false
		}
		r.mustSub = s
	}
	// Core 5.5.1.1: only an essential acr must be met.
	if acr := r.claims.IDToken["acr"]; acr != nil {
		if acr.Essential {
			r.essentialACR = acr
		}
		for _, v := range append(slices.Clone(acr.Values), acr.Value) {
			if s, ok := v.(string); ok {
				r.acrs = append(r.acrs, s)
			}
		}
	}
	return true
}

// sameRedirect compares a registered redirect URI with one of a request: to
// the letter (Core 3.1.2.1), except for the port on the loopback interface of
// a native client (RFC 8252, section 7.3).
func (c *registered) sameRedirect(registered, asked string) bool {
	if registered == asked {
		return true
	}
	if c.ApplicationType != "native" {
		return false
	}
	a, errA := url.Parse(registered)
	b, errB := url.Parse(asked)
	if errA != nil || errB != nil || a.Scheme != "http" {
		return false
	}
	ip := net.ParseIP(a.Hostname())
	if ip == nil || !ip.IsLoopback() || a.Hostname() != b.Hostname() {
		return false
	}
	b.Host = a.Host
	return a.String() == b.String()
}

// hintedSubject verifies an ID Token of ours, whether or not it has expired
// (Core 3.1.2.1), and returns its subject.
func (x *exchange) hintedSubject(hint string) (string, bool) {
	claims, ok := x.ownToken(hint)
	if !ok {
		return "", false
	}
	sub, ok := claims["sub"].(string)
	return sub, ok && sub != ""
}

// ownToken verifies an ID Token that the OP issued to any of its clients.
func (x *exchange) ownToken(token string) (map[string]any, bool) {
	var algs []jose.SignatureAlgorithm
	for _, a := range SigningAlgs() {
		algs = append(algs, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		return nil, false
	}
	claims := map[string]any{}
	if json.Unmarshal(jws.UnsafePayloadWithoutVerification(), &claims) != nil || claims["iss"] != x.op.Issuer {
		return nil, false
	}
	if strings.HasPrefix(jws.Signatures[0].Header.Algorithm, "HS") {
		id, _ := claims["aud"].(string)
		x.op.mu.Lock()
		c, ok := x.op.clients[id]
		x.op.mu.Unlock()
		if !ok || c.Secret == "" {
			return nil, false
		}
		_, err = jws.Verify([]byte(c.Secret))
		return claims, err == nil
	}
	for _, k := range x.op.keys.all() {
		if k.kid == jws.Signatures[0].Header.KeyID {
			_, err := jws.Verify(k.key.Public())
			return claims, err == nil
		}
	}
	return nil, false
}

// sortWords makes the order of the words of a response type not matter.
func sortWords(s string) string {
	words := strings.Fields(s)
	slices.Sort(words)
	return strings.Join(words, " ")
}
