package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Who takes part in every token that is measured.
const (
	issuer       = "https://op.example.com/tenant/one"
	clientID     = "s6BhdRkqt3-client-identifier"
	clientSecret = "0123456789abcdef0123456789abcdef"
	redirectURI  = "https://rp.example.com/callback"
	subject      = "248289761001-abcdef-0123456789"
	nonce        = "n-0S6_WzA2MjKLJHGFDSAqwertyuiopzxcvbnm12345"
	state        = "af0ifjsldkjKLJHGFDSAqwertyuiopzxcvbnm123456"
	keyID        = "2026-11-key-1"
)

// Sizes of claims, in bytes: those of a lean ID Token, and of one from an OP that
// puts groups and roles into it.
const (
	smallClaims = 462
	largeClaims = 2300
)

// material is what one row is about: a signed token and who can verify it.
type material struct {
	alg    string
	token  string
	public any    // a public key, or the secret as []byte
	jwks   []byte // nil for HS256
}

// newMaterial makes a key for alg and signs claims of that many bytes.
func newMaterial(alg string, size int) (*material, error) {
	return materialOf(alg, "JWT", size, nil)
}

// materialOf is newMaterial for a token of another typ, with more claims.
func materialOf(alg, typ string, size int, more map[string]any) (*material, error) {
	m := &material{alg: alg}
	var private any
	switch alg {
	case "RS256", "PS256":
		k, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		private, m.public = k, &k.PublicKey
	case "ES256":
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		private, m.public = k, &k.PublicKey
	case "EdDSA":
		pub, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		private, m.public = k, pub
	case "HS256":
		private, m.public = []byte(clientSecret), []byte(clientSecret)
	default:
		return nil, fmt.Errorf("no key for %s", alg)
	}
	payload, err := claimsOf(issuer, size, more)
	if err != nil {
		return nil, err
	}
	if m.token, err = signTyped(alg, typ, private, payload); err != nil {
		return nil, err
	}
	if alg != "HS256" {
		m.jwks, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: m.public, KeyID: keyID, Algorithm: alg, Use: "sig"}}})
	}
	return m, err
}

// sign makes a compact JWS as an OP would, with kid and typ.
func sign(alg string, private any, payload []byte) (string, error) {
	return signTyped(alg, "JWT", private, payload)
}

func signTyped(alg, typ string, private any, payload []byte) (string, error) {
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(alg), Key: private},
		(&jose.SignerOptions{}).WithType(jose.ContentType(typ)).WithHeader("kid", keyID))
	if err != nil {
		return "", err
	}
	jws, err := s.Sign(payload)
	if err != nil {
		return "", err
	}
	return jws.CompactSerialize()
}

// claimsOf are the claims of an ID Token in exactly size bytes; 0 leaves them as
// long as they are. more are added to them.
func claimsOf(iss string, size int, more map[string]any) ([]byte, error) {
	now := time.Now()
	c := map[string]any{
		"iss": iss, "sub": subject, "aud": clientID,
		"exp": now.Add(12 * time.Hour).Unix(), "iat": now.Unix(), "auth_time": now.Unix(), "nonce": nonce,
		"acr": "urn:mace:incommon:iap:silver", "amr": []string{"pwd", "otp"}, "azp": clientID,
		"sid": "08a5019c-17e1-4977-8f42-65a12843ea02", "email": "alice@example.com",
	}
	if size > 1000 {
		groups := make([]string, 24)
		for i := range groups {
			groups[i] = fmt.Sprintf("cn=team-%02d,ou=groups,dc=example,dc=com", i)
		}
		c["groups"] = groups
		c["realm_access"] = map[string]any{"roles": []string{"offline_access", "user", "reader", "writer", "auditor"}}
		c["address"] = map[string]any{"street_address": "1234 Hollywood Blvd.", "locality": "Los Angeles", "region": "CA", "postal_code": "90210", "country": "US"}
		c["email_verified"] = true
	}
	for k, v := range more {
		c[k] = v
	}
	b, err := json.Marshal(c)
	if err != nil || size == 0 {
		return b, err
	}
	pad := size - len(b) - len(`,"name":""`)
	if pad < 0 {
		return nil, fmt.Errorf("the claims are longer than %d bytes", size)
	}
	c["name"] = strings.Repeat("Alice Example ", pad/14+1)[:pad]
	return json.Marshal(c)
}

// discovery is the metadata of an OP at iss, whose endpoints are below it.
func discovery(iss string, algs ...string) []byte {
	b, err := json.Marshal(map[string]any{
		"issuer": iss, "authorization_endpoint": iss + "/authorize", "token_endpoint": iss + "/token",
		"userinfo_endpoint": iss + "/userinfo", "jwks_uri": iss + "/jwks",
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": append([]string{"RS256"}, algs...),
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"},
		"code_challenge_methods_supported":      []string{"S256"},
	})
	if err != nil {
		panic(err) // strings and lists of them
	}
	return b
}

// memoryOP answers discovery and keys without a network: what is measured is the
// one who asks.
type memoryOP struct {
	jwks    []byte
	alg     string
	delay   time.Duration // before the keys are sent
	fetches atomic.Int64  // of the keys
}

// RoundTrip implements http.RoundTripper.
func (op *memoryOP) RoundTrip(r *http.Request) (*http.Response, error) {
	body := discovery(issuer, op.alg)
	if strings.HasSuffix(r.URL.Path, "/jwks") {
		op.fetches.Add(1)
		body = op.jwks
		if op.delay > 0 {
			select {
			case <-time.After(op.delay):
			case <-r.Context().Done():
				return nil, r.Context().Err()
			}
		}
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"max-age=3600"}},
		Body:   io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)), Request: r,
	}, nil
}

func (op *memoryOP) client() *http.Client { return &http.Client{Transport: op} }

// accessTokenHash is at_hash for a token signed with an algorithm on SHA-256.
func accessTokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:crypto.SHA256.Size()/2])
}

var background = context.Background()
