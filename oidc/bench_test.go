package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"strings"
	"testing"
	"time"

	"rely.example/internal/jose"
	"rely.example/oidc"
)

const (
	benchSecret = "0123456789abcdef0123456789abcdef"
	benchNonce  = "n-0S6_WzA2MjKLJHGFDSAqwertyuiopzxcvbnm12345"
)

// benchClaims are 462 bytes, like those of a real ID Token.
func benchClaims(now time.Time) []byte {
	b, err := json.Marshal(map[string]any{
		"iss": "https://op.example.com/tenant/one", "sub": "248289761001-abcdef-0123456789", "aud": "s6BhdRkqt3-client-identifier",
		"exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "auth_time": now.Unix(), "nonce": benchNonce,
		"acr": "urn:mace:incommon:iap:silver", "amr": []string{"pwd", "otp"}, "azp": "s6BhdRkqt3-client-identifier",
		"sid": "08a5019c-17e1-4977-8f42-65a12843ea02", "name": "Alice Example", "email": "alice@example.com",
	})
	if err != nil {
		panic(err)
	}
	return b
}

// verifyCase is one algorithm: a token, a client whose keys are there, and the
// bare cryptography.
type verifyCase struct {
	alg    string
	token  string
	client *oidc.Client
	raw    func() bool
	most   float64 // allocations of VerifyIDToken
}

func verifyCases(tb testing.TB) (cases []verifyCase) {
	tb.Helper()
	rsaKey := opKey()
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	payload := benchClaims(time.Now())
	for _, c := range []struct {
		alg  string
		key  any
		raw  func(input string, sig []byte) bool
		most float64
	}{
		{"RS256", rsaKey, func(in string, sig []byte) bool {
			h := sha256.Sum256([]byte(in))
			return rsa.VerifyPKCS1v15(&rsaKey.PublicKey, crypto.SHA256, h[:], sig) == nil
		}, 12},
		{"PS256", rsaKey, func(in string, sig []byte) bool {
			h := sha256.Sum256([]byte(in))
			return rsa.VerifyPSS(&rsaKey.PublicKey, crypto.SHA256, h[:], sig, nil) == nil
		}, 16},
		{"ES256", ecKey, func(in string, sig []byte) bool {
			h := sha256.Sum256([]byte(in))
			return ecdsa.Verify(&ecKey.PublicKey, h[:], new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:]))
		}, 13},
		{"EdDSA", edKey, func(in string, sig []byte) bool {
			return ed25519.Verify(edKey.Public().(ed25519.PublicKey), []byte(in), sig)
		}, 3},
		{"HS256", []byte(benchSecret), func(in string, sig []byte) bool {
			m := hmac.New(sha256.New, []byte(benchSecret))
			m.Write([]byte(in))
			return hmac.Equal(m.Sum(nil), sig)
		}, 3},
	} {
		sk := jose.SigningKey{ID: "k1", Alg: c.alg, Private: c.key}
		token, err := jose.Sign(sk, nil, payload)
		if err != nil {
			tb.Fatal(err)
		}
		cases = append(cases, verifyCase{alg: c.alg, token: token, client: benchClient(tb, c.alg, sk), most: c.most, raw: func() bool {
			i, j := strings.LastIndexByte(token, '.'), strings.IndexByte(token, '.')
			sig, _ := base64.RawURLEncoding.DecodeString(token[i+1:])
			_, err := base64.RawURLEncoding.DecodeString(token[j+1 : i])
			return err == nil && c.raw(token[:i], sig)
		}})
	}
	return cases
}

// TestVerifyIDTokenAllocates: beside what the standard library's cryptography
// allocates, which differs by algorithm, there are the payload, the lists in it
// and the token.
func TestVerifyIDTokenAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	for _, c := range verifyCases(t) {
		t.Run(c.alg, func(t *testing.T) {
			verify := func() {
				if _, err := c.client.VerifyIDToken(background, c.token, oidc.ExpectedIDToken{Nonce: benchNonce}); err != nil {
					t.Fatal(err)
				}
			}
			verify() // the first one parses the header
			if got := testing.AllocsPerRun(100, verify); got > c.most {
				t.Errorf("%v allocations, want at most %v", got, c.most)
			}
		})
	}
}

// BenchmarkVerifyIDToken measures all checks of an ID Token beside the bare
// cryptography: decoding, hashing and one verification by the standard library.
func BenchmarkVerifyIDToken(b *testing.B) {
	for _, c := range verifyCases(b) {
		b.Run(c.alg+"/rely", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.client.VerifyIDToken(background, c.token, oidc.ExpectedIDToken{Nonce: benchNonce}); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(c.alg+"/raw", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !c.raw() {
					b.Fatal("not verified")
				}
			}
		})
	}
}

func benchClient(b testing.TB, alg string, sk jose.SigningKey) *oidc.Client {
	b.Helper()
	md := oidc.ProviderMetadata{
		Issuer: "https://op.example.com/tenant/one", AuthorizationEndpoint: "https://op.example.com/a", TokenEndpoint: "https://op.example.com/t",
	}
	if alg != "HS256" {
		set, err := jose.PublicKeySet(sk)
		if err != nil {
			b.Fatal(err)
		}
		md.JWKS = set
	}
	p, err := oidc.NewProvider(md, nil)
	if err != nil {
		b.Fatal(err)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "s6BhdRkqt3-client-identifier", Secret: benchSecret,
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, IDTokenSignedResponseAlg: alg}})
	if err != nil {
		b.Fatal(err)
	}
	return c
}
