package resource

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"rely.example/oidc"
)

// The schemes by which a token is presented (RFC 6750 section 2.1, RFC 9449
// section 7.1).
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// credentials finds the access token of a request. The query and the body are not
// read: what is in a URL is in logs (RFC 9700 section 4.3.2).
func credentials(r *http.Request) (scheme, token string, err error) {
	lines := r.Header.Values("Authorization")
	switch {
	case len(lines) == 0:
		detail := ""
		if strings.Contains(r.URL.RawQuery, "access_token=") {
			detail = "a token in the URL is not read; send it in the Authorization header"
		}
		return "", "", &Error{Reason: MissingToken, Spec: "RFC 6750 3", Detail: detail}
	case len(lines) > 1:
		return "", "", &Error{Reason: BadRequest, Spec: "RFC 6750 2", Detail: "Authorization occurs twice"}
	}
	name, token, _ := strings.Cut(lines[0], " ")
	switch {
	case strings.EqualFold(name, schemeBearer):
		scheme = schemeBearer
	case strings.EqualFold(name, schemeDPoP):
		scheme = schemeDPoP
	default:
		return "", "", &Error{Reason: MissingToken, Spec: "RFC 6750 3", Detail: "the Authorization header is of another scheme"}
	}
	token = strings.TrimLeft(token, " ")
	if len(token) > oidc.MaxAccessToken {
		return "", "", &Error{Reason: BadRequest, Spec: "RFC 6750 2.1", Detail: fmt.Sprintf("a token of %d bytes", len(token))}
	}
	if token == "" || strings.IndexFunc(token, notToken68) >= 0 {
		return "", "", &Error{Reason: BadRequest, Spec: "RFC 6750 2.1", Detail: "what follows the scheme is no token"}
	}
	return scheme, token, nil
}

// notToken68 is what RFC 9110 section 11.2 does not allow in a token.
func notToken68(r rune) bool {
	switch {
	case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
		return false
	}
	return !strings.ContainsRune("-._~+/=", r)
}

// certificate is the thumbprint of the certificate that the client has shown (RFC
// 8705 section 3.1); "" if it has shown none.
func (s *Server) certificate(r *http.Request) string {
	if s.c.Certificate != nil {
		if c := s.c.Certificate(r); c != nil {
			return thumbprint(c.Raw)
		}
		return ""
	}
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return thumbprint(r.TLS.PeerCertificates[0].Raw)
}

func thumbprint(der []byte) string {
	sum := sha256.Sum256(der)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// verifier chooses by the issuer that a token names, which nothing vouches for
// yet; whichever is chosen compares it.
func (s *Server) verifier(token string) (*oidc.AccessTokenVerifier, error) {
	if len(s.verifiers) == 1 {
		return s.verifiers[0], nil
	}
	issuer := namedIssuer(token)
	for _, v := range s.verifiers {
		if v.Provider().Serves(issuer) { // as one of its tenants, too
			return v, nil
		}
	}
	return nil, &Error{Reason: UnknownIssuer, Spec: "RFC 9068 4", Detail: fmt.Sprintf("it is %.200q", issuer)}
}

func namedIssuer(token string) string {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if json.Unmarshal(text, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
