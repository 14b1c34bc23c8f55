package oidc_test

import (
	"context"
	"fmt"
	"log"
	"net/http"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// Tokens that are bound to a key of the login's own, and a resource that asks for a
// nonce.
func ExampleTransport() {
	op, options := start()
	defer op.Close()
	ctx := context.Background()
	provider, err := oidc.Discover(ctx, op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	known := op.AddClient(oidctest.Client{DPoPBound: true})
	base := resourceFunc(func(r *http.Request) (*http.Response, error) {
		fmt.Println("sent with a proof:", r.Header.Get("DPoP") != "")
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	})

	// region: dpop
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: known.ID, Secret: known.Secret,
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}},
		DPoP:     oidc.DPoPES256(), // a new key for each login
	})
	if err != nil {
		log.Fatal(err)
	}
	tokens := exampleTokens(ctx, op, client) // Begin and Finish, as ever
	api := &http.Client{Transport: client.Transport(tokens, base, "https://api.example")}
	response, err := api.Get("https://api.example/orders")
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	response.Body.Close()
	fmt.Println(tokens.TokenType)
	// Output:
	// sent with a proof: true
	// DPoP
}

// exampleTokens logs a user in.
func exampleTokens(ctx context.Context, op *oidctest.OP, client *oidc.Client) *oidc.Tokens {
	request, err := client.Begin(ctx, oidc.AuthParams{})
	if err != nil {
		log.Fatal(err)
	}
	response, err := oidc.ReadAuthResponse(browse(op, request.URL()))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err != nil {
		log.Fatal(err)
	}
	return tokens
}
