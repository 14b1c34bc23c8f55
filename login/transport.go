package login

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// Transport returns a RoundTripper that presents the session's access token,
// renewed when it must be, to resources at these origins, such as
// "https://api.example". A request to another origin is refused and not sent, so
// that a redirect or a mistyped URL never carries the token to a stranger; and so
// is one over http, unless Config.InsecureAllowHTTP is set and the host is a
// loopback one.
//
// base makes the requests; nil means http.DefaultTransport. The result is safe for
// concurrent use, and good for as long as the session.
//
// For a library that wants a TokenSource of golang.org/x/oauth2, which has no
// context, one method makes it of a session and the context of its request:
//
//	type source struct {
//		ctx     context.Context
//		session *login.Session
//	}
//
//	func (s source) Token() (*oauth2.Token, error) {
//		t, err := s.session.Tokens(s.ctx)
//		if err != nil {
//			return nil, err
//		}
//		return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Expiry: t.Expiry}, nil
//	}
func (s *Session) Transport(base http.RoundTripper, origins ...string) http.RoundTripper {
	if base == nil {
		base = http.DefaultTransport
	}
	return &transport{session: s, base: base, origins: slices.Clone(origins)}
}

type transport struct {
	session *Session
	base    http.RoundTripper
	origins []string
}

// RoundTrip implements http.RoundTripper. It does not change r.
func (t *transport) RoundTrip(r *http.Request) (*http.Response, error) {
	refuse := func(err error) (*http.Response, error) {
		if r.Body != nil {
			_ = r.Body.Close() // as a RoundTripper must; nobody reads it
		}
		return nil, err
	}
	if !t.allowed(r.URL) {
		return refuse(&Error{Reason: BadRequest, Detail: fmt.Sprintf("the access token is not for %.200q", r.URL.Scheme+"://"+r.URL.Host)})
	}
	tokens, err := t.session.Tokens(r.Context())
	if err != nil {
		return refuse(err)
	}
	r = r.Clone(r.Context())
	if err := tokens.Authorize(r); err != nil {
		return refuse(err)
	}
	return t.base.RoundTrip(r)
}

func (t *transport) allowed(u *url.URL) bool {
	if u.Scheme != "https" && !(u.Scheme == "http" && t.session.m.c.InsecureAllowHTTP && isLoopback(u.Hostname())) {
		return false
	}
	return slices.Contains(t.origins, u.Scheme+"://"+u.Host)
}
