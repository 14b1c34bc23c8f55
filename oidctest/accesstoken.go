package oidctest

import (
	"fmt"
	"strings"
	"time"
)

// AccessToken says what a JWT access token holds (RFC 9068, section 2.2).
type AccessToken struct {
	ClientID string
	Subject  string // empty means the client itself, as for its own tokens
	Audience []string
	Scopes   []string
	Alg      string    // empty means RS256
	AuthTime time.Time // of the login; zero leaves auth_time out
	ACR      string

	// KeyThumbprint and CertificateThumbprint bind the token to the key of a DPoP
	// proof (RFC 9449, section 6.1) or to a certificate (RFC 8705, section 3.1).
	KeyThumbprint, CertificateThumbprint string
}

// IssueAccessToken returns a JWT access token (RFC 9068) with the faults that are
// named, as by a grant of any kind. Each call returns one with another jti. It is
// not known to the OP's own endpoints.
func (op *OP) IssueAccessToken(a AccessToken, faults ...AccessTokenFault) (string, error) {
	op.mu.Lock()
	now, jti := op.now(), op.random(16)
	op.mu.Unlock()
	return op.accessJWT(a, now, jti, faults)
}

// accessJWT makes a JWT access token. It takes no lock of the OP.
func (op *OP) accessJWT(a AccessToken, now time.Time, jti string, faults []AccessTokenFault) (string, error) {
	if a.Alg == "" {
		a.Alg = "RS256"
	}
	sub := a.Subject
	if sub == "" {
		sub = a.ClientID // RFC 9068, section 2.2
	}
	claims := map[string]any{
		"iss": op.Issuer, "sub": sub, "client_id": a.ClientID, "jti": jti,
		"iat": now.Unix(), "exp": now.Add(op.c.AccessTokenLifetime).Unix(),
	}
	switch len(a.Audience) {
	case 0:
	case 1:
		claims["aud"] = a.Audience[0]
	default:
		claims["aud"] = a.Audience
	}
	if len(a.Scopes) > 0 {
		claims["scope"] = strings.Join(a.Scopes, " ")
	}
	if !a.AuthTime.IsZero() {
		claims["auth_time"] = a.AuthTime.Unix()
	}
	if a.ACR != "" {
		claims["acr"] = a.ACR
	}
	cnf := map[string]any{}
	if a.KeyThumbprint != "" {
		cnf["jkt"] = a.KeyThumbprint
	}
	if a.CertificateThumbprint != "" {
		cnf["x5t#S256"] = a.CertificateThumbprint
	}
	if len(cnf) > 0 {
		claims["cnf"] = cnf
	}
	s, err := op.keys.signer(family(a.Alg))
	if err != nil {
		return "", err
	}
	d := &draft{header: map[string]any{"alg": a.Alg, "kid": s.kid, "typ": "at+jwt"}, claims: claims, alg: a.Alg, key: s.key}
	sealed := func(s string) string { return s }
	for _, name := range faults {
		f, ok := accessTokenFault(name)
		if !ok {
			return "", fmt.Errorf("oidctest: no fault of an access token is called %q", name)
		}
		if f.edit != nil {
			f.edit(op, d)
		}
		if f.sealed != nil {
			sealed = f.sealed
		}
	}
	out, err := d.sign()
	return sealed(out), err
}
