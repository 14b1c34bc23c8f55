package oidc_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"sync"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// clientRSA is the one RSA key of the clients of these tests: one takes long to
// make.
var clientRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// keyFor makes a key of a client for an algorithm of signatures.
func keyFor(t *testing.T, alg string) oidc.Key {
	t.Helper()
	var k crypto.PrivateKey
	var err error
	switch alg {
	case "ES256":
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		k, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, k, err = ed25519.GenerateKey(rand.Reader)
	default:
		k, err = clientRSA()
	}
	if err != nil {
		t.Fatal(err)
	}
	return oidc.Key{ID: "client-" + alg, Alg: alg, Private: k}
}

// publicJWKS is what a client with these keys registers.
func publicJWKS(t *testing.T, keys ...oidc.Key) []byte {
	t.Helper()
	set, err := oidc.PublicJWKS(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// redirectInside sends a request on to another path of the OP.
func redirectInside(op *oidctest.OP, status int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, op.URL(oidctest.EndpointToken), status)
	}
}
