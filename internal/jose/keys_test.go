package jose

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
	"sync"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// The keys of the issuer in these tests, made once: RSA keys are slow to make.
var (
	rsaKey   = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	otherRSA = sync.OnceValue(func() *rsa.PrivateKey { return must(rsa.GenerateKey(rand.Reader, 2048)) })
	p256Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)) })
	p384Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P384(), rand.Reader)) })
	p521Key  = sync.OnceValue(func() *ecdsa.PrivateKey { return must(ecdsa.GenerateKey(elliptic.P521(), rand.Reader)) })
	edKey    = sync.OnceValue(func() ed25519.PrivateKey { _, k, err := ed25519.GenerateKey(rand.Reader); return must(k, err) })
)

// secret is long enough for every HMAC.
var secret = []byte("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef")

// claims is an ID Token payload of the usual size.
const claims = `{"iss":"https://op.example.com/tenant/1","sub":"248289761001","aud":["client-1234567890"],` +
	`"azp":"client-1234567890","exp":1893456000,"iat":1893452400,"auth_time":1893452300,"nonce":"n-0S6_WzA2Mj0123456789abcdef",` +
	`"at_hash":"77QmUPtjPfzWtF2AnpK9RQ","c_hash":"LDktKdoQak3Pk0cnXxCltA","sid":"08a5019c-17e1-4977-8f42-65a12843ea02",` +
	`"acr":"urn:mace:incommon:iap:silver","amr":["pwd","otp"],"name":"Jane Doe","email":"jane.doe@example.com"}`

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// privateFor returns the issuer's key for alg.
func privateFor(alg string) any {
	switch alg {
	case "ES256":
		return p256Key()
	case "ES384":
		return p384Key()
	case "ES512":
		return p521Key()
	case "EdDSA", "Ed25519":
		return edKey()
	case "HS256", "HS384", "HS512":
		return secret
	}
	return rsaKey()
}

// issue signs payload with go-jose, which has nothing in common with this
// package but the specifications.
func issue(t testing.TB, alg, kid string, private any, payload string, header map[string]any) string {
	t.Helper()
	opts := &gojose.SignerOptions{}
	for name, v := range header {
		opts.WithHeader(gojose.HeaderKey(name), v)
	}
	if _, symmetric := private.([]byte); symmetric && kid != "" {
		opts.WithHeader("kid", kid) // which go-jose keeps to itself
	}
	signer, err := gojose.NewSigner(gojose.SigningKey{
		Algorithm: gojose.SignatureAlgorithm(alg),
		Key:       gojose.JSONWebKey{Key: private, KeyID: kid},
	}, opts)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// forge makes a token of any header, payload and signature.
func forge(header, payload string, signature []byte) string {
	e := base64.RawURLEncoding.EncodeToString
	return e([]byte(header)) + "." + e([]byte(payload)) + "." + e(signature)
}

// signRS256 makes a token of any header text that the issuer really signed.
func signRS256(t testing.TB, header, payload string) string {
	t.Helper()
	return signRS256Raw(t, base64.RawURLEncoding.EncodeToString([]byte(header)), base64.RawURLEncoding.EncodeToString([]byte(payload)))
}

// signRS256Raw signs parts as they are, encoded or not.
func signRS256Raw(t testing.TB, header, payload string) string {
	t.Helper()
	digest := crypto.SHA256.New()
	digest.Write([]byte(header + "." + payload))
	signature, err := rsa.SignPKCS1v15(nil, rsaKey(), crypto.SHA256, digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	return header + "." + payload + "." + base64.RawURLEncoding.EncodeToString(signature)
}

// jwk is a key as a JSON object that a test may spoil.
type jwk map[string]any

// publicKey returns the JWK of a public key, written by go-jose.
func publicKey(public any, kid string, spoil ...func(jwk)) jwk {
	if k, ok := public.(interface{ Public() crypto.PublicKey }); ok {
		public = k.Public()
	}
	text := must(json.Marshal(gojose.JSONWebKey{Key: public, KeyID: kid}))
	var j jwk
	if err := json.Unmarshal(text, &j); err != nil {
		panic(err)
	}
	for _, s := range spoil {
		s(j)
	}
	return j
}

func with(name string, value any) func(jwk) { return func(j jwk) { j[name] = value } }
func without(name string) func(jwk)         { return func(j jwk) { delete(j, name) } }
func setOf(keys ...any) string {
	return string(must(json.Marshal(map[string]any{"keys": append([]any{}, keys...)})))
}
func parseSet(t testing.TB, keys ...any) *KeySet {
	t.Helper()
	s, err := ParseKeySet([]byte(setOf(keys...)))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// signedBy issues a token with kid "a" by hand where go-jose refuses the key.
func signedBy(t *testing.T, alg string, private any) string {
	if k, ok := private.(*rsa.PrivateKey); ok && k.N.BitLen() < 2048 {
		input := forge(`{"alg":"RS256","kid":"a"}`, claims, nil)
		digest := sha256.Sum256([]byte(input[:len(input)-1]))
		return input + base64.RawURLEncoding.EncodeToString(must(rsa.SignPKCS1v15(nil, k, crypto.SHA256, digest[:])))
	}
	return issue(t, alg, "a", private, claims, nil)
}

// hmacOf is the HS256 authentication code of a token whose last part is empty.
func hmacOf(secret []byte, token string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(token[:len(token)-1]))
	return m.Sum(nil)
}
