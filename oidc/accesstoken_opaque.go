package oidc

import (
	"context"
	"slices"
	"strings"
)

// opaque reports whether a token is no JWT by its form, so that only the OP knows
// what it means.
func opaque(raw string) bool { return strings.Count(raw, ".") != 2 }

// verifyOpaque asks the OP about a token (RFC 7662) and makes of its answer the
// checks that a JWT would have had: the OP vouches for the token, and what it is
// for is for us to compare. Nothing is remembered: the OP is asked every time.
func (v *AccessTokenVerifier) verifyOpaque(ctx context.Context, k *checker, raw string, by Presenter) (*AccessToken, error) {
	i, err := v.c.Introspect.Introspect(ctx, raw, "access_token")
	if err != nil {
		return nil, err
	}
	if err := k.that(i.Active, InactiveToken, "RFC 7662 2.2", "the OP says that the token is active", "", ""); err != nil {
		return nil, err
	}
	// A refresh token is active too, and never meant for a resource server.
	if err := k.that(i.otherUse == "", BadType, "RFC 6749 1.5", "it is an access token", "access_token", i.otherUse); err != nil {
		return nil, err
	}
	issuer := v.p.md().Issuer
	// Where there are many issuers only the answer can say which one it is.
	if i.Issuer != "" || v.p.env.opts.Tenants != nil {
		w := idClaims{issuer: textClaim{value: i.Issuer}, tenant: i.tenant}
		if err := v.p.checkTokenIssuer(k, &w, "RFC 7662 2.2"); err != nil {
			return nil, err
		}
		issuer = i.Issuer
	}
	ours := slices.ContainsFunc(i.Audience, func(a string) bool { return slices.Contains(v.c.Audiences, a) })
	if len(i.Audience) > 0 || !v.c.Quirks.AccessTokenNoAudience {
		if err := k.that(ours, BadAudience, "RFC 7662 2.2", "aud holds this resource server", strings.Join(v.c.Audiences, " or "), strings.Join(i.Audience, " ")); err != nil {
			return nil, err
		}
	}
	now, skew := v.p.env.now(), v.p.env.skew
	if !i.Expiry.IsZero() {
		if err := k.tellIf(now.Sub(i.Expiry) <= skew, TokenExpired, "RFC 7662 2.2", "exp is not past", "it is ", i.Expiry, now); err != nil {
			return nil, err
		}
	}
	if !i.NotBefore.IsZero() {
		if err := k.tellIf(i.NotBefore.Sub(now) <= skew, TokenNotYetValid, "RFC 7662 2.2", "nbf is not in the future", "it is ", i.NotBefore, now); err != nil {
			return nil, err
		}
	}
	t := &AccessToken{Issuer: issuer, Subject: i.Subject, ClientID: i.ClientID, ID: i.ID, Audience: i.Audience, Scopes: i.Scopes,
		Expiry: i.Expiry, IssuedAt: i.IssuedAt, AuthTime: i.authTime, ACR: i.acr, AMR: i.amr,
		KeyThumbprint: i.KeyThumbprint, CertificateThumbprint: i.CertificateThumbprint, claims: string(i.claims)}
	if t.Subject == "" {
		t.Subject = t.ClientID // a client's own token, as RFC 9068 section 2.2 has it
	}
	if err := k.that(t.Subject != "" && len(t.Subject) <= MaxSubject, BadSubject, "RFC 7662 2.2", "sub or client_id is there", "", ""); err != nil {
		return nil, err
	}
	if err := v.checkBinding(k, t.KeyThumbprint, t.CertificateThumbprint, i.otherBinding, by); err != nil {
		return nil, err
	}
	return t, nil
}
