package oidc

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/internal/jose"
)

// StepSignedAnswer is the Step of verifying what a resource has signed.
const StepSignedAnswer = "signed answer"

// DefaultMaxSignedAnswerAge is how long ago a signed answer may have been made.
const DefaultMaxSignedAnswerAge = 5 * time.Minute

// ExpectedSignedAnswer is what a JWT must be that a resource has answered with.
type ExpectedSignedAnswer struct {
	// Algorithms are those that were agreed. Required; "none" and the symmetric ones
	// are never among them.
	Algorithms []string
	// Issuer must be iss. Empty means the issuer of the Provider.
	Issuer string
	// Audience is who we are to the resource, such as the identifier of an
	// organisation: aud is it, or a list that holds it. Required.
	Audience string
	// MaxAge is how long ago the answer may have been made. Zero means
	// DefaultMaxSignedAnswerAge, a negative value no limit.
	MaxAge time.Duration
}

// VerifySignedAnswer verifies a JWT that a resource has answered with, such as the
// consent to a payment in Open Finance Brasil, under the keys of p, and returns its
// claims. Where the resource signs with other keys than the OP, p is made of their
// jwks_uri by NewProvider. The answer's jti, and what it is about, are the
// caller's to compare.
func (p *Provider) VerifySignedAnswer(ctx context.Context, raw string, e ExpectedSignedAnswer) (claims json.RawMessage, err error) {
	ctx, call := p.call(ctx, "VerifySignedAnswer")
	defer call.end(&err)
	bad := func(field, detail string) (json.RawMessage, error) {
		return nil, &InputError{Reason: BadParameter, Field: "ExpectedSignedAnswer." + field, Detail: detail}
	}
	if e.Audience == "" {
		return bad("Audience", "it is empty; an answer to somebody else would do")
	}
	if len(e.Algorithms) == 0 {
		return bad("Algorithms", "it is empty; name those that were agreed")
	}
	for _, alg := range e.Algorithms {
		if !jose.Supported(alg) || jose.Symmetric(alg) {
			return bad("Algorithms", quote(alg)+" is no algorithm of a key pair that is supported")
		}
	}
	if e.Issuer == "" {
		e.Issuer = p.Issuer()
	}
	if e.MaxAge == 0 {
		e.MaxAge = DefaultMaxSignedAnswerAge
	}
	k := p.env.checker(ctx, StepSignedAnswer)
	v, err := p.state.Load().keys.Verify(ctx, raw, e.Algorithms)
	if err != nil {
		return nil, k.failed(signatureRefused(err), "the signature is the resource's")
	}
	if err := checkType(k, v.Header.Type); err != nil {
		return nil, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	if err := k.that(w.issuer.value == e.Issuer, BadIssuer, "RFC 7519 4.1.1", "iss is the resource's", e.Issuer, w.issuer.value); err != nil {
		return nil, err
	}
	if err := k.that(slices.Contains(w.audience.values, e.Audience), BadAudience, "RFC 7519 4.1.3", "aud holds us", e.Audience, strings.Join(w.audience.values, " ")); err != nil {
		return nil, err
	}
	if err := p.checkAnswerTimes(k, &w, e.MaxAge); err != nil {
		return nil, err
	}
	return json.RawMessage(v.Payload), nil
}

// checkAnswerTimes wants to know when the answer was made; exp and nbf count where
// they are there (RFC 7519 sections 4.1.4 to 4.1.6).
func (p *Provider) checkAnswerTimes(k *checker, w *idClaims, maxAge time.Duration) error {
	now, skew := p.env.now(), p.env.skew
	if err := k.that(w.issuedAt.there, MissingClaim, "RFC 7519 4.1.6", "iat is there", "iat", ""); err != nil {
		return err
	}
	iat := w.issuedAt.at
	if err := k.tellIf(iat.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.6", "iat is not in the future", "it is ", iat, now); err != nil {
		return err
	}
	if maxAge > 0 {
		if err := k.tellIf(now.Sub(iat)-skew <= maxAge, TokenTooOld, "RFC 7519 4.1.6", "iat is at most "+strconv.Itoa(int(maxAge/time.Second))+" seconds ago", "it is ", iat, now); err != nil {
			return err
		}
	}
	if exp := w.expiry.at; w.expiry.there {
		if err := k.tellIf(now.Sub(exp) <= skew, TokenExpired, "RFC 7519 4.1.4", "exp is not past", "it is ", exp, now); err != nil {
			return err
		}
	}
	if nbf := w.notBefore.at; w.notBefore.there {
		return k.tellIf(nbf.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", nbf, now)
	}
	return nil
}
