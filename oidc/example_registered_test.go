package oidc_test

import (
	"context"
	"fmt"
	"log"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A client that was approved by somebody the OP trusts registers with the
// statement that it was given; what is stated there overrules what it says itself.
func ExampleProvider_Register_softwareStatement() {
	op, err := oidctest.Start(oidctest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	ctx := context.Background()
	provider, err := oidc.Discover(ctx, op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	statement, err := op.SoftwareStatement(map[string]any{"client_name": "Acme", "redirect_uris": []any{"https://rp.example/callback"}})
	if err != nil {
		log.Fatal(err)
	}

	// region: statement
	registration, err := provider.Register(ctx, oidc.ClientMetadata{
		SoftwareStatement:         statement,
		UserInfoSignedResponseAlg: "RS256",
	}, "") // the initial access token, if the OP wants one
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(registration.Metadata.ClientName, registration.Metadata.RedirectURIs)
	// endregion
	// Output: Acme [https://rp.example/callback]
}

// UserInfo signed by the OP, asked for by POST.
func ExampleClient_UserInfo() {
	op, err := oidctest.Start(oidctest.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	ctx := context.Background()
	provider, err := oidc.Discover(ctx, op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		log.Fatal(err)
	}
	defer provider.Close()
	registration, err := provider.Register(ctx, oidc.ClientMetadata{
		RedirectURIs: []string{"https://rp.example/callback"}, UserInfoSignedResponseAlg: "RS256",
	}, "")
	if err != nil {
		log.Fatal(err)
	}
	config := registration.ClientConfig()
	config.UserInfoBy = oidc.UserInfoPost
	client, err := oidc.NewClient(provider, config)
	if err != nil {
		log.Fatal(err)
	}
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"email"}})
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

	// region: userinfo
	info, err := client.UserInfo(ctx, tokens) // sub is compared with the ID Token's
	if err != nil {
		log.Fatal(err)
	}
	if email, ok := info.VerifiedEmail(); ok {
		fmt.Println(email, "by", info.Identity().Issuer == provider.Issuer(), info.Signed)
	}
	var more struct {
		Department string `json:"department"`
	}
	if err := info.Claims(&more); err != nil {
		log.Fatal(err)
	}
	// endregion
	// Output: alice@example.com by true true
}
