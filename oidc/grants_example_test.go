package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// startFor starts the OP of an example, with a client that is registered there for
// grants, and a Provider of it.
func startFor(known oidctest.Client) (*oidctest.OP, *oidc.Provider, oidctest.Client) {
	op, options := start()
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	return op, provider, op.AddClient(known)
}

// A service that acts in its own name.
func ExampleClient_TokenSource() {
	op, provider, known := startFor(oidctest.Client{GrantTypes: []string{oidc.GrantClientCredentials}})
	defer op.Close()
	ctx, id, secret := context.Background(), known.ID, known.Secret

	// region: client-credentials
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: id, Secret: secret,
		Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}},
	})
	if err != nil {
		log.Fatal(err)
	}
	source := client.TokenSource(oidc.TokenParams{Scopes: []string{"invoices:read"}})

	// Wherever a token is needed, from any goroutine:
	tokens, err := source.Tokens(ctx)
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.Scopes, tokens.IDToken == nil)
	// Output: [invoices:read] true
}

// A login on a device without a browser.
func ExampleClient_BeginDevice() {
	op, provider, known := startFor(oidctest.Client{GrantTypes: []string{oidc.GrantDeviceCode}, TokenEndpointAuthMethod: "none"})
	defer op.Close()
	ctx, id := context.Background(), known.ID
	show := func(text ...any) {
		for _, code := range op.Undecided() {
			_ = op.Approve(code, "alice")
		}
	}

	// region: device
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID:       id,
		Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantDeviceCode}},
	})
	if err != nil {
		log.Fatal(err)
	}
	login, err := client.BeginDevice(ctx, oidc.DeviceParams{Scopes: []string{"profile"}})
	if err != nil {
		log.Fatal(err)
	}
	show("Open", login.VerificationURI, "and type", login.UserCode)
	tokens, err := client.FinishDevice(ctx, login) // waits, and polls as it should
	switch {
	case errors.Is(err, oidc.LoginExpired):
		show("Nobody typed the code; begin again")
	case err != nil:
		log.Fatal(err)
	}
	// endregion

	fmt.Println(tokens.IDToken.Identity().Subject)
	// Output: alice-248289761001
}
