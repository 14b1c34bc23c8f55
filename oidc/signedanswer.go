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
		if !asymmetric(alg) {
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
	v, w, err := p.verifySigned(ctx, k, raw, e.Algorithms, "the resource's")
	if err != nil {
		return nil, err
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
	if err := p.env.checkIssuedAt(k, w); err != nil {
		return err
	}
	if maxAge > 0 {
		if err := k.tellIf(now.Sub(iat)-skew <= maxAge, TokenTooOld, "RFC 7519 4.1.6", "iat is at most "+strconv.Itoa(int(maxAge/time.Second))+" seconds ago", "it is ", iat, now); err != nil {
			return err
		}
	}
	return p.env.checkLifetime(k, w)
}

// asymmetric reports whether an algorithm is one of a key pair, and supported.
func asymmetric(alg string) bool { return jose.Supported(alg) && !jose.Symmetric(alg) }

func asymmetricAlgs() []string {
	return slices.DeleteFunc(jose.Algorithms(), jose.Symmetric)
}

// verifySigned verifies a JWT of any purpose but those that have a typ of their own
// under the keys of p, and reads its claims. whose tells in the trace who p is.
func (p *Provider) verifySigned(ctx context.Context, k *checker, raw string, algs []string, whose string) (jose.Verified, idClaims, error) {
	v, err := p.state.Load().keys.Verify(ctx, raw, algs)
	if err != nil {
		return v, idClaims{}, k.failed(signatureRefused(err), "the signature is "+whose)
	}
	if err := checkType(k, v.Header.Type); err != nil {
		return v, idClaims{}, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return v, w, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	return v, w, nil
}

// unverifiedClaims reads a JWT before it is verified, to see whose it says it is: the name
// chooses a key set that the application gave; it is never an address.
func unverifiedClaims(k *checker, raw, spec, what string) (json.RawMessage, idClaims, error) {
	i := &Inspection{}
	if _, ok := i.readForm(&checker{ctx: k.ctx, step: k.step, report: &i.Checks}, raw); !ok || i.Claims == nil {
		return nil, idClaims{}, k.failed(&ProtocolError{Reason: MalformedToken, Spec: spec, Detail: what + ": no signed JWT"}, what+": a JWT")
	}
	claimed, err := readClaims(string(i.Claims))
	if err != nil {
		return nil, claimed, k.failed(badPayload(err), what+": JSON of the right types")
	}
	return i.Claims, claimed, nil
}

// providerOf is the one of the trusted providers with that issuer; nil if none is.
func providerOf(trusted []*Provider, issuer string) *Provider {
	for _, p := range trusted {
		if p.Issuer() == issuer {
			return p
		}
	}
	return nil
}
