package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"maps"
	"time"

	"rely.example/internal/jose"
)

// Bounds of an assertion that is a grant.
const (
	// DefaultGrantAssertionLifetime is how long one is good for.
	DefaultGrantAssertionLifetime = 5 * time.Minute
	// MaxGrantAssertion bounds one, in bytes.
	MaxGrantAssertion = 64 << 10
)

// JWTBearer gets an access token for a JWT in which somebody whom the OP trusts
// vouches for a user (RFC 7523 section 2.1): one that SignGrant made, or another
// service. There is no ID Token, and no refresh token: the assertion, or a new one,
// is presented again.
func (c *Client) JWTBearer(ctx context.Context, assertion string, p TokenParams) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "JWTBearer")
	defer call.end(&err)
	return c.assertionGrant(ctx, GrantJWTBearer, assertion, p)
}

// SAML2Bearer is JWTBearer for a SAML 2.0 assertion, which is sent in base64url (RFC
// 7522 section 2.1). assertion is the XML of one Assertion element, as it was
// signed.
func (c *Client) SAML2Bearer(ctx context.Context, assertion []byte, p TokenParams) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "SAML2Bearer")
	defer call.end(&err)
	return c.assertionGrant(ctx, GrantSAML2Bearer, base64.RawURLEncoding.EncodeToString(assertion), p)
}

func (c *Client) assertionGrant(ctx context.Context, grantType, assertion string, p TokenParams) (*Tokens, error) {
	if assertion == "" || len(assertion) > MaxGrantAssertion {
		return nil, &InputError{Reason: BadParameter, Field: "assertion", Detail: "it is empty or very long"}
	}
	form, err := p.form("TokenParams")
	if err != nil {
		return nil, err
	}
	form.Set("grant_type", grantType)
	form.Set("assertion", assertion)
	t, err := c.direct(ctx, form, p.Scopes)
	if err != nil {
		return nil, err
	}
	t.RefreshToken = "" // RFC 7521 section 4.1
	return t, nil
}

// GrantAssertion is a JWT to be signed for JWTBearer.
type GrantAssertion struct {
	// Key signs. Required.
	Key Key
	// Issuer is who vouches. Empty means the client.
	Issuer string
	// Subject is for whom. Required.
	Subject string
	// Audience is who shall believe it. Empty means the issuer identifier of the OP;
	// some want the URL of the token endpoint.
	Audience string
	// Lifetime is how long. Zero means DefaultGrantAssertionLifetime.
	Lifetime time.Duration
	// Claims are further claims; one that is set by the fields above, or made here,
	// is refused.
	Claims map[string]any
}

// SignGrant makes the assertion (RFC 7523 section 3), with a jti that was never
// used.
func (c *Client) SignGrant(a GrantAssertion) (string, error) {
	bad := func(field, detail string) (string, error) {
		return "", &InputError{Reason: BadParameter, Field: "GrantAssertion." + field, Detail: detail}
	}
	if a.Subject == "" {
		return bad("Subject", "it is empty")
	}
	if a.Lifetime < 0 {
		return bad("Lifetime", "it is negative")
	}
	if a.Lifetime == 0 {
		a.Lifetime = DefaultGrantAssertionLifetime
	}
	if a.Issuer == "" {
		a.Issuer = c.c.ID
	}
	if a.Audience == "" {
		a.Audience = c.p.Issuer()
	}
	key, err := a.Key.signing()
	if err != nil {
		return "", err
	}
	now := c.p.env.now()
	claims := map[string]any{
		"iss": a.Issuer, "sub": a.Subject, "aud": a.Audience, "jti": randomText(),
		"iat": now.Unix(), "exp": now.Add(a.Lifetime).Unix(),
	}
	for name := range a.Claims {
		if _, ours := claims[name]; ours {
			return "", &InputError{Reason: ProtectedParameter, Field: "GrantAssertion.Claims", Detail: name + " is set by this package or has a field of its own"}
		}
	}
	maps.Copy(claims, a.Claims)
	payload, err := json.Marshal(claims)
	if err != nil {
		return bad("Claims", "it cannot be encoded")
	}
	jwt, err := jose.Sign(key, nil, payload)
	if err != nil {
		return "", &InputError{Reason: BadConfig, Field: "GrantAssertion.Key", Detail: "the assertion could not be signed: " + err.Error(), Err: err}
	}
	return jwt, nil
}
