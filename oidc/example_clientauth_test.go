package oidc_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A key that is read anew for each request, so that it can be exchanged while the
// program runs, and a question about a token.
func ExampleRotatingAuth() {
	op, options := start()
	defer op.Close()
	ctx := context.Background()
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	keyFile := filepath.Join(folder, "client.pem")
	der, err := x509.MarshalPKCS8PrivateKey(clientKey())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		log.Fatal(err)
	}
	keys, err := oidc.PublicJWKS(testKey())
	if err != nil {
		log.Fatal(err)
	}
	provider, err := oidc.Discover(ctx, op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	known := op.AddClient(oidctest.Client{TokenEndpointAuthMethod: oidc.AuthPrivateKey, JWKS: keys})

	// region: rotating
	auth := oidc.RotatingAuth(oidc.AuthPrivateKey, func(context.Context) (oidc.ClientAuth, error) {
		data, err := os.ReadFile(keyFile)
		if err != nil {
			return nil, err
		}
		key, err := oidc.ParseKey(data)
		return oidc.PrivateKeyJWT(key), err
	})
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: known.ID, Auth: auth,
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}},
	})
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	token := exampleTokens(ctx, op, client).AccessToken

	// region: introspect
	answer, err := client.Introspect(ctx, token, "access_token")
	if err != nil {
		log.Fatal(err)
	}
	if answer.Active {
		fmt.Println(answer.Subject != "", answer.Scopes)
	}
	// endregion

	// Output: true [openid]
}
