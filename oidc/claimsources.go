package oidc

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// StepClaims is the Step of fetching and checking claims of other sources.
const StepClaims = "claims"

// maxClaimSources bounds how many sources one answer may send us to.
const maxClaimSources = 16

// ClaimSourceOptions say which claims of other sources are believed. The zero
// value believes none.
type ClaimSourceOptions struct {
	// Providers are the claims providers whose signature is trusted, found by
	// the iss of their JWTs.
	Providers []*Provider

	// AccessToken gives the token to present at the endpoint of a distributed
	// source that brings none; "" means none. Nil means none for all. It is
	// asked for by the source's name and endpoint, which the OP chose.
	AccessToken func(ctx context.Context, source, endpoint string) (string, error)

	// InsecureAllowUnverified also returns claims that nobody vouches for, with
	// Verified false: of JWTs that are unsigned, or whose issuer is not among
	// Providers. The OP, or the claims endpoint, may have made them up.
	InsecureAllowUnverified bool
}

// SourcedClaim is one claim that another source than the OP makes.
type SourcedClaim struct {
	Value json.RawMessage
	// Source is the name that the OP gives the source.
	Source string
	// Issuer is the claims provider that signed; "" if Verified is false.
	Issuer string
	// Verified reports whether one of ClaimSourceOptions.Providers signed.
	Verified bool
}

// SourcedClaims are the claims of other sources, and what failed.
type SourcedClaims struct {
	Claims map[string]SourcedClaim
	// Failed has the error of each source that gave nothing, by name.
	Failed map[string]error
}

// claimSource is a member of _claim_sources (Core section 5.6.2).
type claimSource struct {
	JWT         string `json:"JWT"`
	Endpoint    string `json:"endpoint"`
	AccessToken string `json:"access_token"`
}

// ClaimSet is a *UserInfo or an *IDToken.
type ClaimSet interface {
	Claims(v any) error
}

// SourcedClaims resolves the aggregated and distributed claims (Core section
// 5.6.2) of set. Aggregated ones are in it; distributed ones are fetched now, each
// from the endpoint that the OP names, over https and under the same guard as
// every URL that a stranger chose; an access token goes to the endpoint that it
// came with and nowhere else.
//
// A source speaks only for the claims that _claim_names gives it, and never for
// one that the OP made itself, nor for those that say who the user is or what a
// token is worth (sub, iss, aud, exp and their like). A source that fails costs
// its own claims alone.
func (c *Client) SourcedClaims(ctx context.Context, set ClaimSet, o ClaimSourceOptions) (_ *SourcedClaims, err error) {
	ctx, call := c.call(ctx, "SourcedClaims")
	defer call.end(&err)
	out := &SourcedClaims{Claims: make(map[string]SourcedClaim), Failed: make(map[string]error)}
	k := c.p.env.checker(ctx, StepClaims)
	var local map[string]json.RawMessage
	if err := set.Claims(&local); err != nil {
		return nil, k.failed(malformed(StepClaims, "Core 5.6.2", err), "the claims are a JSON object")
	}
	if local["_claim_names"] == nil {
		return out, nil
	}
	var names map[string]string
	var sources map[string]claimSource
	if err := errors.Join(strictjson.Unmarshal(local["_claim_names"], &names), strictjson.Unmarshal(orEmpty(local["_claim_sources"]), &sources)); err != nil {
		return nil, k.failed(malformed(StepClaims, "Core 5.6.2", err), "_claim_names and _claim_sources are as specified")
	}
	if err := k.that(len(sources) <= maxClaimSources, BadClaim, "Core 5.6.2", "there are not too many sources", strconv.Itoa(maxClaimSources), strconv.Itoa(len(sources))); err != nil {
		return nil, err
	}
	wanted := make(map[string][]string) // source -> claims
	for claim, source := range names {
		if _, has := local[claim]; !has && !protectedClaims[claim] {
			wanted[source] = append(wanted[source], claim)
		}
	}
	for source, claims := range wanted {
		s, ok := sources[source]
		if !ok {
			out.Failed[source] = k.failed(&ProtocolError{Reason: MissingClaim, Spec: "Core 5.6.2", Detail: "_claim_sources has no " + quote(source)}, "each source is described")
			continue
		}
		got, issuer, err := c.claimsOf(ctx, k, source, s, o)
		if err != nil {
			out.Failed[source] = err
			continue
		}
		for _, claim := range claims {
			if v, ok := got[claim]; ok {
				out.Claims[claim] = SourcedClaim{Value: slices.Clone(v), Source: source, Issuer: issuer, Verified: issuer != ""}
			}
		}
	}
	return out, nil
}

// protectedClaims are about the token or name the user: no other source speaks
// for them.
var protectedClaims = map[string]bool{
	"sub": true, "iss": true, "aud": true, "exp": true, "iat": true, "nbf": true, "jti": true, "nonce": true, "azp": true,
	"acr": true, "amr": true, "auth_time": true, "sid": true, "at_hash": true, "c_hash": true, "s_hash": true, "cnf": true,
	"_claim_names": true, "_claim_sources": true, "events": true,
}

func orEmpty(v json.RawMessage) json.RawMessage {
	if v == nil {
		return json.RawMessage("{}")
	}
	return v
}

// claimsOf gets and verifies the JWT of one source.
func (c *Client) claimsOf(ctx context.Context, k *checker, name string, s claimSource, o ClaimSourceOptions) (map[string]json.RawMessage, string, error) {
	raw := s.JWT
	if raw == "" {
		var err error
		if raw, err = c.fetchClaims(ctx, name, s, o); err != nil {
			return nil, "", err
		}
	}
	return c.openClaims(ctx, k, raw, o)
}

func (c *Client) fetchClaims(ctx context.Context, name string, s claimSource, o ClaimSourceOptions) (string, error) {
	if s.Endpoint == "" {
		return "", &ProtocolError{Reason: MissingClaim, Step: StepClaims, Spec: "Core 5.6.2", Detail: "the source has neither JWT nor endpoint"}
	}
	token := s.AccessToken
	if token == "" && o.AccessToken != nil {
		var err error
		if token, err = o.AccessToken(ctx, name, s.Endpoint); err != nil {
			return "", err
		}
	}
	if token != "" {
		if err := checkAccessToken(&checker{ctx: ctx, step: StepClaims}, token); err != nil {
			return "", err
		}
	}
	res, err := c.p.env.do(ctx, &fetch.Request{Purpose: StepClaims, URL: s.Endpoint, Header: bearer(token), Credentialed: true,
		Accept: []string{"application/jwt"}})
	if err != nil {
		return "", err
	}
	if res.Status != http.StatusOK {
		return "", c.p.env.refused(StepClaims, res)
	}
	return strings.TrimSpace(string(res.Body)), nil
}

// openClaims verifies under the keys of the trusted provider that iss names.
func (c *Client) openClaims(ctx context.Context, k *checker, raw string, o ClaimSourceOptions) (map[string]json.RawMessage, string, error) {
	unverified, claimed, err := unverifiedClaims(k, raw, "Core 5.6.2", "the source's claims")
	if err != nil {
		return nil, "", err
	}
	p := providerOf(o.Providers, claimed.issuer.value)
	if p == nil {
		if o.InsecureAllowUnverified {
			all, err := strictjson.Object(unverified)
			return all, "", err
		}
		return nil, "", k.failed(&ProtocolError{Reason: BadIssuer, Spec: "Core 5.6.2",
			Detail: "the claims provider " + quote(claimed.issuer.value) + " is not among ClaimSourceOptions.Providers"}, "the claims provider is trusted")
	}
	v, w, err := p.verifySigned(ctx, k, raw, asymmetricAlgs(), "the claims provider's")
	if err != nil {
		return nil, "", err
	}
	if err := c.p.env.checkLifetime(k, &w); err != nil {
		return nil, "", err
	}
	if w.audience.there {
		// Core section 5.6.2 asks for no aud; one that names others was made for
		// another client.
		if err := k.that(slices.Contains(w.audience.values, c.c.ID) || slices.Contains(w.audience.values, c.p.Issuer()), BadAudience, "RFC 7519 4.1.3",
			"aud, if any, holds the client or its OP", c.c.ID, strings.Join(w.audience.values, " ")); err != nil {
			return nil, "", err
		}
	}
	all, err := strictjson.Object([]byte(v.Payload))
	return all, p.Issuer(), err
}
