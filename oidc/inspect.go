package oidc

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// Inspection explains a token to a person: what it says, and every check it
// passes or fails. It is no verification: to accept a token there are Finish and
// VerifyIDToken, which give no claims of a token that fails.
type Inspection struct {
	// Header and Claims are what the token says, true or not; nil where they
	// cannot be read, as the claims of a token that cannot be decrypted.
	Header, Claims json.RawMessage
	// Checks are those that were made, in order.
	Checks []Check
}

// OK reports whether every check was passed.
func (i *Inspection) OK() bool { return i.Err() == nil }

// Err returns the first check that failed, as the error that Finish would give.
func (i *Inspection) Err() error {
	for _, c := range i.Checks {
		if !c.Passed {
			return &ProtocolError{Reason: c.Reason, Step: c.Step, Spec: c.Spec, Detail: c.Detail}
		}
	}
	return nil
}

// InspectToken explains a JWT of any kind without asking anybody: its form, its
// header and its times. The signature is not checked, and is listed as no check.
// now is the time to compare with.
func InspectToken(raw string, now time.Time) *Inspection {
	i := &Inspection{}
	k := &checker{ctx: context.Background(), step: "token", report: &i.Checks}
	if h, ok := i.readForm(k, raw); !ok || h.Enc != "" {
		return i
	}
	w, err := readClaims(string(i.Claims))
	if err != nil {
		_ = k.failed(badPayload(err), "the claims are JSON of the right types")
		return i
	}
	_ = k.that(true, BadClaim, "RFC 7519 4", "the claims are JSON of the right types", "", "")
	if w.expiry.there {
		_ = k.tellIf(now.Before(w.expiry.at), TokenExpired, "RFC 7519 4.1.4", "exp is not past", "it is ", w.expiry.at, now)
	}
	if w.notBefore.there {
		_ = k.tellIf(!now.Before(w.notBefore.at), TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", w.notBefore.at, now)
	}
	if w.issuedAt.there {
		_ = k.tellIf(!now.Before(w.issuedAt.at), TokenNotYetValid, "RFC 7519 4.1.6", "iat is not in the future", "it is ", w.issuedAt.at, now)
	}
	return i
}

// InspectIDToken explains an ID Token of the client's OP: it makes every check
// that VerifyIDToken makes, and goes on after one that fails. Without e.Nonce
// the nonce is not checked; e.InsecureAnyNonce is not looked at.
func (c *Client) InspectIDToken(ctx context.Context, raw string, e ExpectedIDToken) *Inspection {
	i := &Inspection{}
	k := &checker{ctx: ctx, step: StepIDToken, report: &i.Checks}
	h, ok := i.readForm(k, raw)
	if !ok {
		return i
	}
	if err := c.takesIDTokens(); err != nil {
		_ = k.failed(&ProtocolError{Reason: BadType, Spec: "RFC 6749 5.1", Detail: err.Error(), Err: err}, "the client takes ID Tokens")
		return i
	}
	if m := &c.c.Metadata; h.Enc != "" || m.IDTokenEncryptedResponseAlg != "" {
		inner, err := c.decryptIfAgreed(&checker{ctx: ctx, step: StepIDToken}, raw, m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc)
		if inner == raw {
			err = &ProtocolError{Reason: BadEncryption, Spec: "Core 3.1.3.7 (1)", Detail: "the token is encrypted, which was not agreed"}
		}
		if err != nil {
			_ = k.failed(err.(*ProtocolError), "the token is encrypted as agreed")
			if h.Enc != "" {
				return i // what is not encrypted is looked at as it is
			}
		} else {
			raw = inner
			if h, ok = i.readForm(k, raw); !ok {
				return i
			}
		}
	}
	if c.idTokenAlgs[0] == "none" {
		_, err := jose.ReadUnsigned(raw)
		_ = k.that(err == nil, BadAlgorithm, "Core 3.1.3.7 (6)", "the token is unsigned, as agreed", "none", h.Alg)
	} else {
		// The error, if any, is among the checks.
		_, _ = c.verifySignature(ctx, k, raw, c.idTokenAlgs)
	}
	_ = checkType(k, h.Type, "id_token+jwt")
	w, err := readClaims(string(i.Claims))
	if err != nil {
		_ = k.failed(badPayload(err), "the claims are JSON of the right types")
		return i
	}
	x := expectation{nonce: e.Nonce, anyNonce: e.Nonce == "", accessToken: e.AccessToken, code: e.Code, maxAge: e.MaxAge, acr: e.ACR}
	_ = c.checkClaims(k, &w, h.Alg, x)
	return i
}

// readForm reads header and claims without believing them.
func (i *Inspection) readForm(k *checker, raw string) (jose.Header, bool) {
	h, err := jose.PeekHeader(raw)
	if err != nil {
		pe := signatureRefused(err)
		pe.Step = k.step
		_ = k.failed(pe, "the token is a compact JWT")
		return h, false
	}
	_ = k.that(true, MalformedToken, "RFC 7519 7.2", "the token is a compact JWT", "", "")
	header, rest, _ := strings.Cut(raw, ".")
	payload, _, _ := strings.Cut(rest, ".")
	i.Header = decoded(header)
	if h.Enc == "" {
		i.Claims = decoded(payload)
	}
	return h, true
}

func decoded(segment string) json.RawMessage {
	b, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil || strictjson.Valid(b) != nil {
		return nil
	}
	return b
}
