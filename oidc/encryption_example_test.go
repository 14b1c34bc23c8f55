package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"strings"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// An ID Token that the client alone can read.
func ExampleJWE() {
	ctx := context.Background()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		fmt.Println(err)
		return
	}
	key := oidc.Key{Use: "enc", Private: private}
	op, provider, registration, stop := exampleOP(oidctest.Config{}, func(m *oidc.ClientMetadata) {
		m.IDTokenEncryptedResponseAlg = "ECDH-ES+A256KW"
		m.JWKS, err = oidc.PublicJWKS(key)
	})
	defer stop()
	if err != nil {
		fmt.Println(err)
		return
	}

	// region: encryption
	config := registration.ClientConfig(key)                       // its use is "enc"
	config.Metadata.IDTokenEncryptedResponseAlg = "ECDH-ES+A256KW" // as registered
	config.Encryption = oidc.JWE()                                 // opens it
	client, err := oidc.NewClient(provider, config)
	// endregion

	if err != nil {
		fmt.Println(err)
		return
	}
	tokens := exampleTokens(ctx, op, client)
	fmt.Println(strings.Count(tokens.IDToken.Raw(), "."), "dots")
	// Output: 4 dots
}
