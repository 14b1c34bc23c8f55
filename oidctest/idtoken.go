package oidctest

import (
	"crypto"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"
)

// draft is a JWT before it is signed: an ID Token, or a signed UserInfo
// response.
type draft struct {
	header, claims map[string]any

	alg    string        // makes the signature, whatever the header says
	key    crypto.Signer // of the OP; nil for HS*
	secret []byte        // of the client, for HS*

	userInfo bool // a UserInfo response, not an ID Token
	front    bool // delivered by the authorization endpoint
	refresh  bool // delivered by a refresh

	afterFront bool      // the front channel delivered an ID Token before
	nonce      string    // of the request
	authTime   time.Time // of the login

	rawHeader, rawClaims []func([]byte) []byte // edits of the JSON
}

// editHeader changes the bytes of the header before they are signed.
func (d *draft) editHeader(f func([]byte) []byte) { d.rawHeader = append(d.rawHeader, f) }

// editClaims changes the bytes of the payload before they are signed.
func (d *draft) editClaims(f func([]byte) []byte) { d.rawClaims = append(d.rawClaims, f) }

// newDraft chooses the key for alg.
func (x *exchange) newDraft(alg string, claims map[string]any) (*draft, error) {
	d := &draft{header: map[string]any{"alg": alg}, claims: claims, alg: alg}
	if alg == "none" {
		d.alg = "" // as the client is registered (Core 2)
		return d, nil
	}
	if len(alg) > 2 && alg[:2] == "HS" {
		d.secret = []byte(x.client.Secret) // Core 10.1: the octets of the secret
		return d, nil
	}
	s, err := x.op.keys.signer(family(alg))
	if err != nil {
		return nil, err
	}
	d.key, d.header["kid"] = s.key, s.kid
	return d, nil
}

// seal signs a draft, with what the faults and the free-hand edits make of it.
func (x *exchange) seal(d *draft) (string, error) {
	for _, b := range x.faults {
		if b.token != nil && (b.At == EndpointUserInfo) == d.userInfo {
			b.token(x, d)
		}
	}
	if x.edits.idToken != nil && !d.userInfo {
		x.edits.idToken(d.header, d.claims)
	}
	s, err := d.sign()
	if err != nil {
		return "", err
	}
	for _, b := range x.faults {
		if b.sealed != nil && (b.At == EndpointUserInfo) == d.userInfo {
			s = b.sealed(x, d, s)
		}
	}
	if d.userInfo {
		return x.encrypted(s, x.client.UserInfoEncryptedResponseAlg, x.client.UserInfoEncryptedResponseEnc)
	}
	return x.encrypted(s, x.client.IDTokenEncryptedResponseAlg, x.client.IDTokenEncryptedResponseEnc)
}

// input is what the signature is made over.
func (d *draft) input() (string, error) {
	header, err := json.Marshal(d.header)
	if err != nil {
		return "", fmt.Errorf("oidctest: JWT header: %w", err)
	}
	claims, err := json.Marshal(d.claims)
	if err != nil {
		return "", fmt.Errorf("oidctest: JWT claims: %w", err)
	}
	for _, f := range d.rawHeader {
		header = f(header)
	}
	for _, f := range d.rawClaims {
		claims = f(claims)
	}
	return b64(header) + "." + b64(claims), nil
}

// sign returns the compact serialization (RFC 7515, section 3.1); an empty alg
// leaves the signature empty.
func (d *draft) sign() (string, error) {
	input, err := d.input()
	if err != nil {
		return "", err
	}
	if d.alg == "" {
		return input + ".", nil
	}
	sig, err := signBytes(d.alg, d.key, d.secret, []byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + b64(sig), nil
}

// tokenParts are the artefacts beside which an ID Token is issued.
type tokenParts struct {
	code, access   string
	state          string // of the request, in the front channel
	front, refresh bool
	more           map[string]any // further claims
}

// idToken issues an ID Token (Core 2, 3.2.2.10 and 3.3.2.11).
func (x *exchange) idToken(g *grant, p tokenParts) (string, error) {
	alg := x.client.idTokenAlg()
	claims := map[string]any{
		"iss": x.op.Issuer,
		"sub": g.sub,
		"aud": x.client.ID,
		"exp": x.now.Add(x.op.c.IDTokenLifetime).Unix(),
		"iat": x.now.Unix(),
		"acr": g.acr,
		"amr": list("pwd"),
	}
	if g.sid != "" {
		claims["sid"] = g.sid // Back-Channel Logout 1.0, section 2.1
	}
	if g.wantsAuthTime {
		claims["auth_time"] = g.authTime.Unix()
	}
	// Core 12.2: the ID Token of a refresh should have no nonce.
	if g.nonce != "" && !p.refresh {
		claims["nonce"] = g.nonce
	}
	if p.access != "" {
		claims["at_hash"] = leftHash(alg, p.access)
	}
	if p.code != "" && p.front {
		claims["c_hash"] = leftHash(alg, p.code)
	}
	maps.Copy(claims, p.more)
	if p.state != "" && x.op.c.StateHash {
		claims["s_hash"] = leftHash(alg, p.state)
	}
	x.op.mu.Lock()
	u, ok := x.op.user(g.username)
	x.op.mu.Unlock()
	if ok {
		var scopes []string
		// Core 5.4: without an access token the claims have no other way.
		if g.onlyIDToken {
			scopes = g.scopes
		}
		for k, v := range u.released(scopes, g.claims.IDToken) {
			if _, taken := claims[k]; !taken {
				claims[k] = v
			}
		}
	}
	d, err := x.newDraft(alg, claims)
	if err != nil {
		return "", err
	}
	d.front, d.refresh, d.afterFront, d.nonce, d.authTime = p.front, p.refresh, g.frontIDToken, g.nonce, g.authTime
	return x.seal(d)
}

func (c *registered) idTokenAlg() string {
	if c.IDTokenSignedResponseAlg == "" {
		return "RS256" // Registration 1.0, section 2
	}
	return c.IDTokenSignedResponseAlg
}

// leftHash is the value of at_hash and c_hash (Core 3.1.3.6, 3.3.2.11).
func leftHash(alg, s string) string {
	h, err := algHash(alg)
	if err != nil {
		h = crypto.SHA256
	}
	d := h.New()
	d.Write([]byte(s))
	sum := d.Sum(nil)
	return b64(sum[:len(sum)/2])
}

// subject is the subject identifier that a client sees (Core 8).
func (op *OP) subject(c *registered, u User) string {
	if c.SubjectType != "pairwise" {
		return u.Sub
	}
	sector := c.SectorIdentifierURI
	if sector == "" && len(c.RedirectURIs) > 0 {
		sector = c.RedirectURIs[0]
	}
	if s, err := url.Parse(sector); err == nil {
		sector = s.Host
	}
	// Core 8.1: the sector, the local identifier and something of the OP's.
	sum := sha256.Sum256([]byte(sector + "\x00" + u.Sub + "\x00" + op.Issuer))
	return b64(sum[:])
}

// claimsParam is the claims parameter (Core 5.5).
type claimsParam struct {
	UserInfo map[string]*claimRequest `json:"userinfo"`
	IDToken  map[string]*claimRequest `json:"id_token"`
}

// claimRequest is how one claim is asked for (Core 5.5.1); nil is the default
// way.
type claimRequest struct {
	Essential bool  `json:"essential"`
	Value     any   `json:"value"`
	Values    []any `json:"values"`
}

// accepts reports whether a value is one of those asked for.
func (r *claimRequest) accepts(v string) bool {
	if r == nil || (r.Value == nil && r.Values == nil) {
		return true
	}
	return r.Value == v || slices.Contains(r.Values, any(v))
}
