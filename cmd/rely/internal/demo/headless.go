package demo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// runHeadless logs in without a browser of a person's: the OP's own test browser
// goes the way that one would go. The error is about the way, not about the
// login: what became of that is in the outcome.
func runHeadless(ctx context.Context, to *target, c choice, changed func(change)) (*login, error) {
	l := newLogin(to, &registrations{}, c, changed)
	defer l.close()
	if c.Fault != nil {
		to.dev.Break(c.Fault.Fault)
		defer to.dev.Mend(c.Fault.Fault)
	}
	authURL, err := l.start(ctx)
	if err != nil {
		return l, ctx.Err()
	}
	b := to.dev.Browser()
	b.User = l.hint()
	cb, err := b.Login(ctx, authURL)
	var page *oidctest.PageError
	switch {
	case errors.As(err, &page):
		return l, fmt.Errorf("the OP answered the browser with a page and no answer for the relying party (status %d): %s", page.Status, page.Detail)
	case err != nil:
		return l, err
	}
	_ = l.finish(ctx, readCallback(cb)) // the outcome tells
	return l, ctx.Err()
}

// readCallback reads what the test browser would deliver.
func readCallback(cb *oidctest.Callback) answer {
	a := answer{mode: cb.Mode, params: cb.Params()}
	if cb.Mode == oidc.ModeFragment {
		a.response, a.err = oidc.ReadAuthURL(cb.URL.String())
		return a
	}
	a.response, a.err = oidc.ReadAuthResponse(cb.Request())
	return a
}

// identifierAt is the address of a person at the OP of this program. An
// identifier is ASCII (RFC 3986 section 2).
func identifierAt(provider *oidctest.OP, username string) string {
	return url.PathEscape(username) + "@" + provider.Host
}

// claim is one line of what the OP said of the person.
type claim struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"` // "ID Token", "UserInfo"
}

// claims are what is known of the person, in the order of Core section 5.1.
func (l *login) claims() []claim {
	if l.tokens == nil || l.tokens.IDToken == nil {
		return nil
	}
	t := l.tokens.IDToken
	out := []claim{{"sub", t.Subject, "ID Token"}, {"iss", t.Issuer, "ID Token"}}
	from, c := "ID Token", t.Standard()
	if l.user != nil {
		from, c = "UserInfo", l.user.StandardClaims
	}
	add := func(name, value string) {
		if value != "" {
			out = append(out, claim{name, value, from})
		}
	}
	add("name", c.Name)
	add("preferred_username", c.PreferredUsername)
	add("email", c.Email+yesNo(c.Email != "", c.EmailVerified))
	add("phone_number", c.PhoneNumber+yesNo(c.PhoneNumber != "", c.PhoneNumberVerified))
	if a := c.Address; a != nil {
		text := a.Formatted
		if text == "" {
			text = strings.Join(nonEmpty(a.StreetAddress, a.PostalCode, a.Locality, a.Region, a.Country), ", ")
		}
		add("address", strings.Join(strings.Fields(strings.ReplaceAll(text, "\n", ", ")), " "))
	}
	add("birthdate", c.Birthdate)
	add("gender", c.Gender)
	add("locale", c.Locale)
	add("zoneinfo", c.Zoneinfo)
	add("website", c.Website)
	if !c.UpdatedAt.IsZero() {
		add("updated_at", timeInWords(c.UpdatedAt, l.to.now()))
	}
	if !t.AuthTime.IsZero() {
		out = append(out, claim{"auth_time", timeInWords(t.AuthTime, l.to.now()), "ID Token"})
	}
	if t.ACR != "" {
		out = append(out, claim{"acr", t.ACR, "ID Token"})
	}
	return out
}

func yesNo(known, verified bool) string {
	switch {
	case !known:
		return ""
	case verified:
		return " (verified)"
	}
	return " (not verified)"
}

func nonEmpty(list ...string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

// tokenFacts are what is known of the tokens, without any of them.
func (l *login) tokenFacts() []string {
	t := l.tokens
	if t == nil {
		return nil
	}
	var out []string
	if t.AccessToken != "" {
		s := "access token (" + t.TokenType + ")"
		if !t.Expiry.IsZero() {
			s += ", good for " + inWords(t.Expiry.Sub(l.to.now()).Round(1e9))
		}
		out = append(out, s)
	}
	if t.RefreshToken != "" {
		out = append(out, "refresh token")
	}
	if t.IDToken != nil {
		out = append(out, "ID Token ("+t.IDToken.Algorithm()+"), expires "+timeInWords(t.IDToken.Expiry, l.to.now()))
	}
	if len(t.Scopes) > 0 {
		out = append(out, "scope "+strings.Join(t.Scopes, " "))
	}
	return out
}

// host is the host of a URL, to name a party by.
func host(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" {
		return raw
	}
	return u.Host
}
