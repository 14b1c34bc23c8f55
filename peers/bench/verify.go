package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/cap/oidc"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwk "github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"

	rely "rely.example/oidc"
)

// verifier verifies an ID Token with all its claims: signature, iss, aud, exp,
// iat as far as the library does, and nonce.
type verifier func(ctx context.Context, token string) error

// verifiers are the contenders, the floor first. A maker returns nil for an
// algorithm that the library does not do. OpenID Connect libraries get their keys
// from the OP, once; the JWT libraries are given them.
var verifiers = []struct {
	name string
	make func(m *material, op *memoryOP) (verifier, error)
}{
	{"raw crypto", rawVerifier},
	{"rely", relyVerifier},
	{"go-jose", goJoseVerifier},
	{"golang-jwt", golangJWTVerifier},
	{"go-oidc", goOIDCVerifier},
	{"cap", capVerifier},
	{"zitadel", zitadelVerifier},
	{"jwx", jwxVerifier},
}

var errRefused = errors.New("the token was refused")

// rawVerifier decodes, hashes and verifies with the standard library. It reads no
// claim: nothing that is right can be faster.
func rawVerifier(m *material, _ *memoryOP) (verifier, error) {
	check := rawSignature(m)
	if check == nil {
		return nil, nil
	}
	return func(_ context.Context, token string) error {
		first, last := strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.')
		sig, err := base64.RawURLEncoding.DecodeString(token[last+1:])
		if err != nil {
			return err
		}
		if _, err := base64.RawURLEncoding.DecodeString(token[first+1 : last]); err != nil {
			return err
		}
		if !check([]byte(token[:last]), sig) {
			return errRefused
		}
		return nil
	}, nil
}

func rawSignature(m *material) func(input, sig []byte) bool {
	switch m.alg {
	case "RS256":
		key := m.public.(*rsa.PublicKey)
		return func(input, sig []byte) bool {
			sum := sha256.Sum256(input)
			return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
		}
	case "PS256":
		key := m.public.(*rsa.PublicKey)
		return func(input, sig []byte) bool {
			sum := sha256.Sum256(input)
			return rsa.VerifyPSS(key, crypto.SHA256, sum[:], sig, nil) == nil
		}
	case "ES256":
		key := m.public.(*ecdsa.PublicKey)
		return func(input, sig []byte) bool {
			sum := sha256.Sum256(input)
			return len(sig) == 64 && ecdsa.Verify(key, sum[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}
	case "EdDSA":
		key := m.public.(ed25519.PublicKey)
		return func(input, sig []byte) bool { return ed25519.Verify(key, input, sig) }
	case "HS256":
		return func(input, sig []byte) bool {
			mac := hmac.New(sha256.New, []byte(clientSecret))
			mac.Write(input)
			return hmac.Equal(mac.Sum(nil), sig)
		}
	}
	return nil
}

func relyVerifier(m *material, op *memoryOP) (verifier, error) {
	p, err := rely.Discover(background, issuer, &rely.Options{HTTPClient: op.client()})
	if err != nil {
		return nil, err
	}
	c, err := rely.NewClient(p, rely.ClientConfig{ID: clientID, Secret: clientSecret, MaxIDTokenAge: -1,
		Metadata: rely.ClientMetadata{RedirectURIs: []string{redirectURI}, IDTokenSignedResponseAlg: m.alg}})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := c.VerifyIDToken(ctx, token, rely.ExpectedIDToken{Nonce: nonce})
		return err
	}, nil
}

func goJoseVerifier(m *material, _ *memoryOP) (verifier, error) {
	algs := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(m.alg)}
	return func(_ context.Context, token string) error {
		t, err := josejwt.ParseSigned(token, algs)
		if err != nil {
			return err
		}
		var c josejwt.Claims
		var own struct {
			Nonce string `json:"nonce"`
		}
		if err := t.Claims(m.public, &c, &own); err != nil {
			return err
		}
		if own.Nonce != nonce {
			return errRefused
		}
		return c.Validate(josejwt.Expected{Issuer: issuer, AnyAudience: josejwt.Audience{clientID}, Time: time.Now()})
	}, nil
}

func golangJWTVerifier(m *material, _ *memoryOP) (verifier, error) {
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{m.alg}), golangjwt.WithIssuer(issuer),
		golangjwt.WithAudience(clientID), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt())
	key := func(*golangjwt.Token) (any, error) { return m.public, nil }
	return func(_ context.Context, token string) error {
		var c struct {
			golangjwt.RegisteredClaims
			Nonce string `json:"nonce"`
		}
		if _, err := parser.ParseWithClaims(token, &c, key); err != nil {
			return err
		}
		if c.Nonce != nonce {
			return errRefused
		}
		return nil
	}, nil
}

// sharedSecret verifies HS256 for libraries that leave the key set to their user.
type sharedSecret []byte

func (s sharedSecret) VerifySignature(_ context.Context, token string) ([]byte, error) {
	jws, err := jose.ParseSignedCompact(token, []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return nil, err
	}
	return jws.Verify([]byte(s))
}

func goOIDCVerifier(m *material, op *memoryOP) (verifier, error) {
	var keys gooidc.KeySet = gooidc.NewRemoteKeySet(gooidc.ClientContext(background, op.client()), issuer+"/jwks")
	if m.alg == "HS256" {
		keys = sharedSecret(clientSecret)
	}
	v := gooidc.NewVerifier(issuer, keys, &gooidc.Config{ClientID: clientID, SupportedSigningAlgs: []string{m.alg}})
	return func(ctx context.Context, token string) error {
		t, err := v.Verify(ctx, token)
		if err != nil {
			return err
		}
		if t.Nonce != nonce {
			return errRefused
		}
		return nil
	}, nil
}

func capVerifier(m *material, op *memoryOP) (verifier, error) {
	if m.alg == "HS256" {
		return nil, nil
	}
	cfg, err := oidc.NewConfig(issuer, clientID, clientSecret, []oidc.Alg{oidc.Alg(m.alg)}, []string{redirectURI}, oidc.WithRoundTripper(op))
	if err != nil {
		return nil, err
	}
	p, err := oidc.NewProvider(cfg)
	if err != nil {
		return nil, err
	}
	req, err := oidc.NewRequest(time.Hour, redirectURI, oidc.WithNonce(nonce))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, token string) error {
		_, err := p.VerifyIDToken(ctx, oidc.IDToken(token), req)
		return err
	}, nil
}

// zitadelSecret is sharedSecret for another interface.
type zitadelSecret []byte

func (s zitadelSecret) VerifySignature(_ context.Context, jws *jose.JSONWebSignature) ([]byte, error) {
	return jws.Verify([]byte(s))
}

func zitadelVerifier(m *material, op *memoryOP) (verifier, error) {
	keys := rp.NewRemoteKeySet(op.client(), issuer+"/jwks")
	if m.alg == "HS256" {
		keys = zitadelSecret(clientSecret)
	}
	v := rp.NewIDTokenVerifier(issuer, clientID, keys,
		rp.WithNonce(func(context.Context) string { return nonce }), rp.WithSupportedSigningAlgorithms(m.alg))
	return func(ctx context.Context, token string) error {
		_, err := rp.VerifyIDToken[*zitadel.IDTokenClaims](ctx, token, v)
		return err
	}, nil
}

func jwxVerifier(m *material, _ *memoryOP) (verifier, error) {
	options := []jwxjwt.ParseOption{jwxjwt.WithValidate(true), jwxjwt.WithIssuer(issuer), jwxjwt.WithAudience(clientID), jwxjwt.WithClaimValue("nonce", nonce)}
	if m.alg == "HS256" {
		options = append(options, jwxjwt.WithKey(jwa.HS256(), []byte(clientSecret)))
	} else {
		set, err := jwxjwk.Parse(m.jwks)
		if err != nil {
			return nil, err
		}
		options = append(options, jwxjwt.WithKeySet(set))
	}
	return func(_ context.Context, token string) error {
		_, err := jwxjwt.Parse([]byte(token), options...)
		return err
	}, nil
}

// newVerifiers makes those who can verify m, in order, each with an OP of its own.
func newVerifiers(m *material, who string) ([]contender, error) {
	var cs []contender
	for i, v := range verifiers {
		if i > 0 && who != "" && v.name != who {
			continue
		}
		verify, err := v.make(m, &memoryOP{jwks: m.jwks, alg: m.alg})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", v.name, err)
		}
		if verify == nil {
			continue
		}
		cs = append(cs, contender{v.name, func() error { return verify(background, m.token) }})
	}
	return cs, nil
}

// measureIDTokens is the table of ID Token verification.
func measureIDTokens(s settings) ([]section, error) {
	p := plan{rounds: 31, turn: 20 * time.Millisecond}
	if s.quick {
		p.rounds, p.turn = 5, 8*time.Millisecond
	}
	var out []section
	for _, size := range []int{smallClaims, largeClaims} {
		for _, procs := range []int{1, 2} {
			p.procs, p.workers = procs, procs
			sec := section{
				title:  fmt.Sprintf("ID Token, %d bytes of claims, %s", size, cores(procs)),
				intro:  "Signature and all claim checks, keys cached. Time, ratio to the raw cryptography, allocations.",
				header: []string{""},
			}
			for _, v := range verifiers {
				if s.who == "" || v.name == s.who || v.name == verifiers[0].name {
					sec.header = append(sec.header, v.name)
				}
			}
			for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA", "HS256"} {
				row, err := idTokenRow(p, sec.header, alg, size, s.who)
				if err != nil {
					return nil, fmt.Errorf("%s: %w", alg, err)
				}
				sec.rows = append(sec.rows, row)
			}
			out = append(out, sec)
		}
	}
	return out, nil
}

func idTokenRow(p plan, header []string, alg string, size int, who string) ([]string, error) {
	m, err := newMaterial(alg, size)
	if err != nil {
		return nil, err
	}
	cs, err := newVerifiers(m, who)
	if err != nil {
		return nil, err
	}
	got, err := p.measure(cs)
	if err != nil {
		return nil, err
	}
	row := []string{alg}
	for _, name := range header[1:] {
		cell := "-"
		for i, c := range cs {
			if c.name == name {
				// On one core the processor time is what counts, and nobody else's
				// work is in it; on several it is how much gets done in a time.
				took, ratio := got[i].cpu, got[i].cpuRatio
				if p.procs > 1 {
					took, ratio = got[i].wall, got[i].wallRatio
				}
				cell = fmt.Sprintf("%s, %.2f x, %.0f", micros(took), ratio, got[i].allocs)
			}
		}
		row = append(row, cell)
	}
	return row, nil
}
