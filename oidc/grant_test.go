package oidc

import (
	"errors"
	"net/url"
	"testing"
)

// TestGrantsOfAClient: which grants have a browser come back, and which can give an ID
// Token.
func TestGrantsOfAClient(t *testing.T) {
	for _, c := range []struct {
		grants              []string
		redirects, idTokens bool
	}{
		{nil, true, true},
		{[]string{GrantAuthorizationCode}, true, true},
		{[]string{GrantImplicit}, true, true},
		{[]string{GrantClientCredentials, GrantImplicit}, true, true},
		{[]string{GrantDeviceCode}, false, true},
		{[]string{GrantCIBA}, false, true},
		{[]string{GrantClientCredentials}, false, false},
		{[]string{GrantTokenExchange, GrantJWTBearer, GrantSAML2Bearer, GrantRefreshToken}, false, false},
	} {
		m := ClientMetadata{GrantTypes: c.grants}
		if m.usesRedirects() != c.redirects || m.usesIDTokens() != c.idTokens {
			t.Errorf("%q: redirects %v, ID Tokens %v", c.grants, m.usesRedirects(), m.usesIDTokens())
		}
	}
}

// TestTokenParams: what is not chosen is not sent, and what this package sets or what
// breaks a rule of its parameter is refused.
func TestTokenParams(t *testing.T) {
	for name, c := range map[string]struct {
		p    TokenParams
		want string // the form, or else the reason
		bad  Reason
	}{
		"nothing":           {TokenParams{}, "", ""},
		"all":               {TokenParams{Scopes: []string{"a", "b"}, Resources: []string{"https://a.example/", "urn:b"}, Extra: url.Values{"x": {"1", "2"}}}, "resource=https%3A%2F%2Fa.example%2F&resource=urn%3Ab&scope=a+b&x=1&x=2", ""},
		"scope_of_two":      {TokenParams{Scopes: []string{"a b"}}, "", BadParameter},
		"resource_relative": {TokenParams{Resources: []string{"/a"}}, "", BadParameter},
		"resource_fragment": {TokenParams{Resources: []string{"https://a.example/#b"}}, "", BadParameter},
		"resource_hash":     {TokenParams{Resources: []string{"https://a.example/#"}}, "", BadParameter},
		"resource_broken":   {TokenParams{Resources: []string{"https://a.example/%zz"}}, "", BadParameter},
		"extra_of_a_grant":  {TokenParams{Extra: url.Values{"subject_token": {"x"}}}, "", ProtectedParameter},
		"extra_of_all":      {TokenParams{Extra: url.Values{"client_id": {"x"}}}, "", ProtectedParameter},
		"extra_scope":       {TokenParams{Extra: url.Values{"scope": {"x"}}}, "", ProtectedParameter},
	} {
		t.Run(name, func(t *testing.T) {
			v, err := c.p.form("P")
			if c.bad != "" {
				if ie, ok := errors.AsType[*InputError](err); !ok || ie.Reason != c.bad {
					t.Errorf("got %v, %v; want %q", v, err, c.bad)
				}
				return
			}
			if err != nil || v.Encode() != c.want {
				t.Errorf("got %v, %v; want %q", v, err, c.want)
			}
		})
	}
}
