package oidc

import (
	"context"
	"net/http"
	"strings"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// OAuthOnly makes a client of an authorization server that is no OpenID Provider,
// such as GitHub: logins by OAuth 2.0 and a question to an API. No scope openid
// and no nonce is sent, and no ID Token expected; Client.UserInfo asks Endpoint
// who the user is, and UserInfo.Identity is the key of the account.
//
// What that proves: who holds the access token that this login's code was
// exchanged for, over TLS, with PKCE and state. It is safe because Finish and
// UserInfo are used together. What it does not prove: that the token was issued
// to this client, when and how the user logged in, and that the answer is the
// server's own, once it has left the TLS connection; there is no signature, no
// nonce, no auth_time and no logout. An access token that came from anywhere else
// than Finish, a mobile application for instance, says nothing about who brought
// it.
//
// Prompt, MaxAge, ACRValues, Claims and IDTokenHint of AuthParams are parts of
// OpenID Connect and refused. Response type code is the only one.
type OAuthOnly struct {
	// Endpoint answers GET with a JSON object about the user whose access token
	// is in the Authorization header: "https://api.github.com/user".
	Endpoint string
	// SubjectMember is the member of the answer that names the user for good, a
	// string or a whole number: "id". Never a login name or an e-mail address,
	// which can be changed, and be given to somebody else.
	SubjectMember string
	// Header is sent along, for instance an Accept of the API's own, which is one
	// media type. Nil means Accept: application/json.
	Header http.Header
}

// check refuses what could not work, or names nobody.
func (o *OAuthOnly) check(p *Provider, m *ClientMetadata) error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.OAuthOnly." + field, Detail: detail}
	}
	if _, err := p.env.http.CheckURL(o.Endpoint); err != nil {
		return bad("Endpoint", "it is no URL that can be used: "+printable(err.Error()))
	}
	switch o.SubjectMember {
	case "":
		return bad("SubjectMember", "it is empty; it names the member that holds the user's id")
	case "email", "login", "username", "name", "preferred_username", "upn":
		return bad("SubjectMember", quote(o.SubjectMember)+" can be changed and given to another user; take the user's id")
	}
	if o.Header.Get("Authorization") != "" {
		return bad("Header", "Authorization is set by this package")
	}
	for _, rt := range m.responseTypes() {
		if rt != "code" {
			return &UnsupportedError{Feature: "response type " + quote(rt) + " without OpenID Connect", Detail: "only code proves anything there"}
		}
	}
	return nil
}

// checkParams refuses what would look as if it were checked.
func (o *OAuthOnly) checkParams(p *AuthParams) error {
	for _, f := range []struct {
		name  string
		given bool
	}{
		{"Prompt", len(p.Prompt) > 0}, {"MaxAge", p.MaxAge != nil}, {"ACRValues", len(p.ACRValues) > 0},
		{"Claims", p.Claims != nil}, {"IDTokenHint", p.IDTokenHint != ""},
	} {
		if f.given {
			return refuse(f.name, "it is a part of OpenID Connect, which a client with OAuthOnly does not use")
		}
	}
	return nil
}

// oauthUser asks the API who the user is.
func (c *Client) oauthUser(ctx context.Context, t *Tokens) (*UserInfo, error) {
	o := c.c.OAuthOnly
	key, err := t.proofKey()
	if err != nil {
		return nil, err
	}
	res, err := c.prove(ctx, StepUserInfo, key, http.MethodGet, o.Endpoint, t.AccessToken, func(proof string) (*fetch.Response, error) {
		req := &fetch.Request{Purpose: StepUserInfo, URL: o.Endpoint, Header: o.Header.Clone(), Credentialed: true, Accept: []string{"application/json"}}
		if req.Header == nil {
			req.Header = make(http.Header)
		}
		if own := req.Header.Get("Accept"); own != "" {
			req.Accept = append(req.Accept, own)
		} else {
			req.Header.Set("Accept", "application/json")
		}
		t.present(req.Header, proof)
		return c.do(ctx, req)
	})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.p.env.refused(StepUserInfo, res)
	}
	k := c.p.env.checker(ctx, StepUserInfo)
	var subject string
	err = strictjson.Scan(string(res.Body), func(name, value string) error {
		if name == o.SubjectMember {
			subject = subjectOf(value)
		}
		return nil
	})
	if err != nil {
		return nil, k.failed(malformed(StepUserInfo, "RFC 8259 4", err), "the answer is a JSON object")
	}
	if err := k.that(subject != "" && len(subject) <= MaxSubject, BadSubject, "RFC 6749 1.1",
		o.SubjectMember+" names the user, in at most 255 bytes", o.SubjectMember+": a string or a whole number", ""); err != nil {
		return nil, err
	}
	u := &UserInfo{claims: res.Body, issuer: c.p.md().Issuer}
	u.StandardClaims, u.Malformed = standardClaims(string(res.Body), c.c.Quirks)
	// sub and email_verified of an API that is no UserInfo endpoint mean
	// whatever it likes.
	u.Subject, u.EmailVerified, u.PhoneNumberVerified = subject, false, false
	return u, nil
}

// subjectOf is a string, or a whole number as it is written; "" for anything else.
// A number is not computed with: 1e3 and 1000 would be two users to one reader
// and one to another.
func subjectOf(value string) string {
	if text, ok := strictjson.Text(value); ok {
		return text
	}
	if strings.Trim(strings.TrimPrefix(value, "-"), "0123456789") != "" {
		return ""
	}
	return value
}
