package login

import (
	"context"
	"net/http"
	"slices"

	"rely.example/oidc"
)

// Transport returns a RoundTripper that presents the session's access token,
// renewed when it must be, to resources at these origins, such as
// "https://api.example", as a bearer token or with a proof of the key that it is
// bound to; see oidc.Transport. A request to another origin is refused and not
// sent (oidc.WrongOrigin), so that a redirect or a mistyped URL never carries the
// token to a stranger; and so is one over http, unless Config.InsecureAllowHTTP is set and the host is a
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
	return &oidc.Transport{
		Tokens: s.Tokens,
		Client: func(ctx context.Context) (*oidc.Client, error) { return s.m.client(ctx, s.Issuer) },
		Base:   base, Origins: slices.Clone(origins),
		InsecureAllowHTTP: s.m.c.InsecureAllowHTTP,
	}
}
