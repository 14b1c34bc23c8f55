package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	rely "rely.example/oidc"
)

const (
	audience    = "https://api.example.com/v1"
	neededScope = "things:read"

	accessTokenClaims = 600 // bytes
)

// accessTokenVerifiers verify an access token (RFC 9068) as an API does: the
// signature, iss, aud, exp, and that it has a scope. typ tells it from an ID Token;
// who cannot see the header after the verification has it looked at before.
var accessTokenVerifiers = []struct {
	name string
	make func(m *material, op *memoryOP) (verifier, error)
}{
	{"raw crypto", rawVerifier},
	{"rely", relyAccessTokens(0)},
	{"rely, remembering", relyAccessTokens(1000)},
	{"go-jose", goJoseAccessTokens},
	{"golang-jwt", golangJWTAccessTokens},
	{"go-oidc", goOIDCAccessTokens},
	{"jwx", jwxAccessTokens},
}

func hasScope(scope string) bool { return slices.Contains(strings.Fields(scope), neededScope) }

func relyAccessTokens(remember int) func(*material, *memoryOP) (verifier, error) {
	return func(m *material, op *memoryOP) (verifier, error) {
		p, err := rely.Discover(background, issuer, &rely.Options{HTTPClient: op.client()})
		if err != nil {
			return nil, err
		}
		v, err := rely.NewAccessTokenVerifier(p, rely.AccessTokenConfig{Audiences: []string{audience}, Algorithms: []string{m.alg}, Remember: remember})
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, token string) error {
			t, err := v.Verify(ctx, token, rely.Presenter{})
			if err == nil && !t.HasScope(neededScope) {
				err = errRefused
			}
			return err
		}, nil
	}
}

func goJoseAccessTokens(m *material, _ *memoryOP) (verifier, error) {
	algs := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(m.alg)}
	return func(_ context.Context, token string) error {
		t, err := josejwt.ParseSigned(token, algs)
		if err != nil {
			return err
		}
		var c josejwt.Claims
		var own struct {
			Scope string `json:"scope"`
		}
		if err := t.Claims(m.public, &c, &own); err != nil {
			return err
		}
		if t.Headers[0].ExtraHeaders[jose.HeaderType] != "at+jwt" || !hasScope(own.Scope) {
			return errRefused
		}
		return c.Validate(josejwt.Expected{Issuer: issuer, AnyAudience: josejwt.Audience{audience}, Time: time.Now()})
	}, nil
}

func golangJWTAccessTokens(m *material, _ *memoryOP) (verifier, error) {
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{m.alg}), golangjwt.WithIssuer(issuer),
		golangjwt.WithAudience(audience), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt())
	key := func(t *golangjwt.Token) (any, error) {
		if t.Header["typ"] != "at+jwt" {
			return nil, errRefused
		}
		return m.public, nil
	}
	return func(_ context.Context, token string) error {
		var c struct {
			golangjwt.RegisteredClaims
			Scope string `json:"scope"`
		}
		if _, err := parser.ParseWithClaims(token, &c, key); err != nil {
			return err
		}
		if !hasScope(c.Scope) {
			return errRefused
		}
		return nil
	}, nil
}

func goOIDCAccessTokens(m *material, op *memoryOP) (verifier, error) {
	keys := gooidc.NewRemoteKeySet(gooidc.ClientContext(background, op.client()), issuer+"/jwks")
	v := gooidc.NewVerifier(issuer, keys, &gooidc.Config{ClientID: audience, SupportedSigningAlgs: []string{m.alg}})
	return func(ctx context.Context, token string) error {
		t, err := v.Verify(ctx, token)
		if err != nil {
			return err
		}
		var own struct {
			Scope string `json:"scope"`
		}
		if err := t.Claims(&own); err != nil {
			return err
		}
		if !hasScope(own.Scope) {
			return errRefused
		}
		return nil
	}, nil
}

func jwxAccessTokens(m *material, _ *memoryOP) (verifier, error) {
	set, err := jwxjwk.Parse(m.jwks)
	if err != nil {
		return nil, err
	}
	options := []jwxjwt.ParseOption{jwxjwt.WithValidate(true), jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(audience), jwxjwt.WithKeySet(set)}
	return func(_ context.Context, token string) error {
		t, err := jwxjwt.Parse([]byte(token), options...)
		if err != nil {
			return err
		}
		var scope string
		if err := t.Get("scope", &scope); err != nil {
			return err
		}
		if !hasScope(scope) {
			return errRefused
		}
		return nil
	}, nil
}

// measureAccessTokens is the table of an API that is asked.
func measureAccessTokens(s settings) ([]section, error) {
	p := plan{procs: 1, workers: 1, rounds: 31, turn: 20 * time.Millisecond}
	if s.quick {
		p.rounds, p.turn = 5, 8*time.Millisecond
	}
	sec := section{
		title: "Access token, one core",
		intro: "A JWT access token (RFC 9068) of 600 bytes of claims at an API: signature, iss, aud, exp and one scope, keys cached. Time, ratio to the raw " +
			"cryptography, allocations. One of the rows of Rely remembers the tokens that it has verified (AccessTokenConfig.Remember).",
		header: []string{""},
	}
	var used []string
	for i, v := range accessTokenVerifiers {
		if s.who == "" || i == 0 || strings.HasPrefix(v.name, s.who) {
			used = append(used, v.name)
		}
	}
	sec.header = append(sec.header, used...)
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		m, err := materialOf(alg, "at+jwt", accessTokenClaims, map[string]any{"aud": audience, "client_id": clientID, "scope": "openid " + neededScope, "jti": "5ba552d67"})
		if err != nil {
			return nil, err
		}
		var cs []contender
		for _, v := range accessTokenVerifiers {
			if !slices.Contains(used, v.name) {
				continue
			}
			verify, err := v.make(m, &memoryOP{jwks: m.jwks, alg: m.alg})
			if err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
			cs = append(cs, contender{v.name, func() error { return verify(background, m.token) }})
		}
		got, err := p.measure(cs)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", alg, err)
		}
		row := []string{alg}
		for _, f := range got {
			row = append(row, fmt.Sprintf("%s, %.2f x, %.0f", micros(f.cpu), f.cpuRatio, f.allocs))
		}
		sec.rows = append(sec.rows, row)
	}
	return []section{sec}, nil
}
