package oidc_test

import (
	"context"
	"fmt"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A response that the OP signs: nobody on its way can change it.
func ExampleClient_Finish_signed() {
	ctx := context.Background()
	op, provider, registration, stop := exampleOP(oidctest.Config{}, func(m *oidc.ClientMetadata) { m.AuthorizationSignedResponseAlg = "ES256" })
	defer stop()

	// region: jarm
	config := registration.ClientConfig()
	config.Metadata.AuthorizationSignedResponseAlg = "ES256" // as registered; RS256 if empty
	config.ResponseMode = oidc.ModeJWT
	client, err := oidc.NewClient(provider, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := client.Begin(ctx, oidc.AuthParams{})
	// endregion

	if err != nil {
		fmt.Println(err)
		return
	}
	callback, err := op.Browser().Login(ctx, request.URL())
	if err != nil {
		fmt.Println(err)
		return
	}
	response, err := oidc.ReadAuthResponse(callback.Request())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(response.Mode())
	_, err = client.Finish(ctx, request.Pending, response)
	fmt.Println(err)
	// Output:
	// query.jwt
	// <nil>
}
