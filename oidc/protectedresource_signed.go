package oidc

import (
	"context"
	"encoding/json"
	"maps"
	"strings"

	"rely.example/internal/strictjson"
)

// vouchedFor is r with what a signer says of the API (RFC 9728 section 2.2). It is
// for the resource that was asked for, or for none: a signature for one API, copied
// to another, says nothing of that.
func (e *env) vouchedFor(ctx context.Context, k *checker, r *ProtectedResource, resource string, p *ResourceParams) (*ProtectedResource, error) {
	const spec = "RFC 9728 2.2"
	plain, err := strictjson.Object(r.Raw)
	if err != nil {
		return nil, k.failed(malformed(StepResource, "RFC 9728 3.2", err), "the metadata is JSON")
	}
	member := string(plain["signed_metadata"])
	if member == "" || member == "null" {
		if err := k.that(!p.RequireSigned, UnsignedMetadata, spec, "the metadata is signed, where it must be", "signed_metadata", ""); err != nil {
			return nil, err
		}
		return r, nil
	}
	raw, ok := strictjson.Text(member)
	if !ok {
		return nil, k.failed(&ProtocolError{Reason: MalformedResponse, Spec: spec, Detail: "signed_metadata is no string"}, "signed_metadata is a string")
	}
	signer, payload, err := e.verifyMetadata(ctx, k, raw, p)
	if err != nil {
		return nil, err
	}
	signed := &ProtectedResource{}
	if err := strictjson.Unmarshal(payload, signed); err != nil {
		return nil, k.failed(badPayload(err), "what is signed has the right types")
	}
	if err := k.that(signed.Resource == resource, ResourceMismatch, "RFC 9728 3.3", "the resource that is signed is the one that was asked for", resource, signed.Resource); err != nil {
		return nil, err
	}
	claims, err := strictjson.Object(payload)
	if err != nil {
		return nil, k.failed(badPayload(err), "what is signed is an object")
	}
	_, nested := claims["signed_metadata"]
	if err := k.that(!nested, BadMetadata, spec, "what is signed has no signed_metadata of its own", "", ""); err != nil {
		return nil, err
	}
	if !p.RequireSigned {
		if signed, err = overlay(k, plain, claims); err != nil {
			return nil, err
		}
	}
	signed.Raw, signed.Signer, signed.Signed = r.Raw, signer, payload
	return signed, nil
}

// overlay is the metadata of both, where what is signed takes precedence (RFC 9728
// section 2.2), also where it says null.
func overlay(k *checker, plain, signed map[string]json.RawMessage) (*ProtectedResource, error) {
	maps.Copy(plain, signed)
	both, err := json.Marshal(plain)
	if err != nil {
		return nil, k.failed(malformed(StepResource, "RFC 9728 2.2", err), "plain and signed metadata go together")
	}
	r := &ProtectedResource{}
	if err := strictjson.Unmarshal(both, r); err != nil {
		return nil, k.failed(malformed(StepResource, "RFC 9728 2.2", err), "plain and signed metadata go together")
	}
	return r, nil
}

// verifyMetadata verifies signed metadata: by whom it says it is, if that is one of
// the signers that the caller trusts, and still (RFC 9728 sections 2.2 and 3.3).
func (e *env) verifyMetadata(ctx context.Context, k *checker, raw string, p *ResourceParams) (signer string, payload json.RawMessage, err error) {
	_, claimed, err := unverifiedClaims(k, raw, "RFC 9728 2.2", "the signed metadata")
	if err != nil {
		return "", nil, err
	}
	if err := k.that(claimed.issuer.value != "", MissingClaim, "RFC 9728 2.2", "iss is there", "iss", ""); err != nil {
		return "", nil, err
	}
	by := providerOf(p.Signers, claimed.issuer.value)
	if by == nil {
		return "", nil, k.failed(&ProtocolError{Reason: BadIssuer, Spec: "RFC 9728 3.3",
			Detail: "the signer " + quote(claimed.issuer.value) + " is not among ResourceParams.Signers"}, "the signer is trusted")
	}
	algs := p.Algorithms
	if algs == nil {
		algs = asymmetricAlgs()
	}
	v, w, err := by.verifySigned(ctx, k, raw, algs, "the signer's")
	if err != nil {
		return "", nil, err
	}
	// Metadata is for everybody: what names an audience is another token, or was
	// made for somebody else (RFC 7519 section 4.1.3).
	if err := k.that(!w.audience.there, BadAudience, "RFC 7519 4.1.3", "there is no aud", "none", strings.Join(w.audience.values, " ")); err != nil {
		return "", nil, err
	}
	if w.issuedAt.there {
		if err := e.checkIssuedAt(k, &w); err != nil {
			return "", nil, err
		}
	}
	if err := e.checkLifetime(k, &w); err != nil {
		return "", nil, err
	}
	return by.Issuer(), json.RawMessage(v.Payload), nil
}
