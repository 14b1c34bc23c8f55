package resource

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"rely.example/oidc"
)

// tokenKey is where Require puts the token.
type tokenKey struct{}

// FromContext returns the access token that Require has let through.
func FromContext(ctx context.Context) (*oidc.AccessToken, bool) {
	t, ok := ctx.Value(tokenKey{}).(*oidc.AccessToken)
	return t, ok
}

// Require lets requests with an access token that is good, and enough, through to
// next, with the token in their context (FromContext). The others are answered by
// Refuse, and nothing of next runs for them.
func (s *Server) Require(next http.Handler, n Needs) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t, err := s.Check(r, n)
		if err != nil {
			s.Refuse(w, r, err)
			return
		}
		s.giveNonce(w)
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, t)))
	})
}

// giveNonce tells a client the nonce for its next proof (RFC 9449 section 8.2).
func (s *Server) giveNonce(w http.ResponseWriter) {
	if !s.c.RequireNonce {
		return
	}
	if nonce, err := s.newNonce(); err == nil {
		w.Header().Set("Dpop-Nonce", nonce)
	}
}

// retryAfter is what a client is told to wait when something did not answer.
const retryAfter = 5 * time.Second

// Refuse answers a request that Check refused: the status of Status, and the
// challenges of RFC 6750 section 3, RFC 9449 section 7.1, RFC 9470 section 3 and
// RFC 9728 section 5.1. The body says the reason and no detail; those are for a
// log.
func (s *Server) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	status, code := outcome(err)
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	switch status {
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", strconv.Itoa(int(retryAfter/time.Second)))
	case http.StatusInternalServerError:
	default:
		for _, c := range s.challenges(r, err, code) {
			h.Add("WWW-Authenticate", c)
		}
		s.giveNonce(w)
	}
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write([]byte(said(err) + "\n")) // a client that left is no fault of ours
	}
}

// challenges are those of the scheme that the request used, or of both.
func (s *Server) challenges(r *http.Request, err error, code string) []string {
	params := []string{param("resource_metadata", s.metadataURL)}
	if code != "" {
		params = append(params, param("error", code), param("error_description", said(err)))
	}
	e, _ := errors.AsType[*Error](err)
	switch {
	case code == codeScope:
		params = append(params, param("scope", strings.Join(e.needs.Scopes, " ")))
	case code == codeAuthentication:
		if len(e.needs.ACR) > 0 {
			params = append(params, param("acr_values", strings.Join(e.needs.ACR, " ")))
		}
		if e.needs.MaxAge > 0 {
			params = append(params, param("max_age", strconv.FormatInt(int64(e.needs.MaxAge/time.Second), 10)))
		}
	case code == "" && len(s.c.About.Scopes) > 0:
		params = append(params, param("scope", strings.Join(s.c.About.Scopes, " ")))
	}
	bearer := schemeBearer + " " + strings.Join(params, ", ")
	dpop := schemeDPoP + " " + strings.Join(append(params, param("algs", strings.Join(s.c.ProofAlgorithms, " "))), ", ")
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case strings.EqualFold(scheme, schemeDPoP), errors.Is(err, oidc.BadBinding) && s.c.Tokens.RequireBinding:
		return []string{dpop}
	case code != "" && !errors.Is(err, oidc.BadBinding):
		return []string{bearer}
	}
	return []string{bearer, dpop}
}

// said is what a client is told: the rule, and neither what was expected nor what
// came.
func said(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return string(e.Reason)
	}
	if pe, ok := errors.AsType[*oidc.ProtocolError](err); ok {
		return string(pe.Reason)
	}
	return "temporarily unavailable"
}

// param is one auth-param. What RFC 6750 section 3 does not allow in a value, and
// what would end it, is left out.
func param(name, value string) string {
	return name + `="` + strings.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			return -1
		}
		return r
	}, value) + `"`
}
