package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// oauthFlags say who the user is, where the OP does OAuth 2.0 alone and gives no
// ID Token.
type oauthFlags struct {
	user, id string
	header   []string
}

func (o *oauthFlags) register(f *pflag.FlagSet) {
	f.StringVar(&o.user, "oauth-user", "", "the provider does OAuth 2.0 alone, like GitHub: ask the API at `URL` who logged in")
	f.StringVar(&o.id, "oauth-id", "", "the `MEMBER` of that answer that names the user for good, like id")
	f.StringArrayVar(&o.header, "oauth-header", nil, "send the API of --oauth-user the `HEADER` NAME: VALUE, which is no secret")
}

// apply puts what the flags say into a connection.
func (o *oauthFlags) apply(to *profile.Connection) error {
	if o.user == "" && o.id == "" && len(o.header) == 0 {
		return nil
	}
	var out profile.OAuth
	if to.OAuth != nil {
		out = *to.OAuth // another run may still use it
	}
	if o.user != "" {
		out.Endpoint = o.user
	}
	if o.id != "" {
		out.SubjectMember = o.id
	}
	switch {
	case out.Endpoint == "" && o.id != "":
		return usage(nil, errors.New("--oauth-id needs --oauth-user: the address of the API that says who logged in"))
	case out.Endpoint == "":
		return usage(nil, errors.New("--oauth-header needs --oauth-user: the address of the API that says who logged in"))
	case out.SubjectMember == "":
		return usage(nil, errors.New("--oauth-user needs --oauth-id: the member of its answer that names the user for good, like id; no login name and no address, which others can get"))
	}
	if len(o.header) > 0 {
		out.Header = make(http.Header)
	}
	for _, h := range o.header {
		name, value, ok := strings.Cut(h, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			return usage(nil, fmt.Errorf("--oauth-header %s: expected NAME: VALUE", quoted(h)))
		}
		switch http.CanonicalHeaderKey(name) {
		case "Authorization", "Proxy-Authorization", "Cookie":
			return usage(nil, fmt.Errorf("--oauth-header %s: that header holds a secret, which does not belong on a command line", name))
		}
		out.Header.Add(name, strings.TrimSpace(value))
	}
	to.OAuth = &out
	return nil
}

// oauthOnly is what a connection has of it, for package oidc.
func oauthOnly(c profile.Connection) *oidc.OAuthOnly {
	if c.OAuth == nil {
		return nil
	}
	return &oidc.OAuthOnly{Endpoint: c.OAuth.Endpoint, SubjectMember: c.OAuth.SubjectMember, Header: c.OAuth.Header}
}

// identify asks who logged in, where no ID Token says it, and nil where one does.
// It is asked at once, with the tokens that the login just gave: a token from
// anywhere else would prove nothing about who brought it.
func identify(ctx context.Context, client *oidc.Client, p *profile.Profile, t *oidc.Tokens) (*oidc.UserInfo, error) {
	if client.OpenID() {
		return nil, nil
	}
	u, err := client.UserInfo(ctx, t)
	if err != nil {
		return nil, err
	}
	p.Subject = u.Subject
	return u, nil
}

// sameUser refuses an answer about another user than the one who logged in. With
// an ID Token package oidc does that.
func (s *session) sameUser(client *oidc.Client, u *oidc.UserInfo) error {
	if client.OpenID() || u.Subject == s.profile.Subject {
		return nil
	}
	return &oidc.ProtocolError{Reason: oidc.SubjectMismatch, Step: oidc.StepUserInfo,
		Detail: "expected " + quoted(s.profile.Subject) + ", got " + quoted(u.Subject)}
}
