package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"

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

// A service that calls the next one for its user.
func ExampleClient_ExchangeToken() {
	op, provider, known := startFor(oidctest.Client{GrantTypes: []string{oidc.GrantTokenExchange, "authorization_code"}})
	defer op.Close()
	ctx := context.Background()
	client, err := oidc.NewClient(provider, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: known.RedirectURIs}})
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
	received := tokens.AccessToken

	// region: token-exchange
	exchanged, err := client.ExchangeToken(ctx, oidc.TokenExchange{
		SubjectToken:       received, // an access token, of the user whose request this is
		RequestedTokenType: oidc.TypeAccessToken,
		Audiences:          []string{"billing"},
		TokenParams:        oidc.TokenParams{Scopes: []string{"email"}},
	})
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(exchanged.Scopes, exchanged.AccessToken != received)
	// Output: [email] true
}

// A service that vouches for a user by a key of its own.
func ExampleClient_JWTBearer() {
	key := testKey()
	jwks, err := oidc.PublicJWKS(key)
	if err != nil {
		log.Fatal(err)
	}
	op, provider, known := startFor(oidctest.Client{GrantTypes: []string{oidc.GrantJWTBearer}, JWKS: jwks})
	defer op.Close()
	ctx := context.Background()
	client, err := oidc.NewClient(provider, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{GrantTypes: known.GrantTypes}})
	if err != nil {
		log.Fatal(err)
	}

	// region: assertion-grant
	assertion, err := client.SignGrant(oidc.GrantAssertion{Key: key, Subject: "alice"})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.JWTBearer(ctx, assertion, oidc.TokenParams{Scopes: []string{"calendar"}})
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.Scopes)
	// Output: [calendar]
}

// A login that the user confirms on a phone.
func ExampleClient_BeginCIBA() {
	op, provider, known := startFor(oidctest.Client{GrantTypes: []string{oidc.GrantCIBA}})
	defer op.Close()
	ctx, id, secret := context.Background(), known.ID, known.Secret

	// region: ciba
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: id, Secret: secret,
		Metadata: oidc.ClientMetadata{
			GrantTypes:                   []string{oidc.GrantCIBA},
			BackchannelTokenDeliveryMode: oidc.CIBAPoll,
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	login, err := client.BeginCIBA(ctx, oidc.CIBAParams{
		LoginHint:      "alice@example.com",
		BindingMessage: "Till 7: 42", // shown here and on the phone
	})
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.FinishCIBA(ctx, login) // waits, and polls as it should
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(tokens.IDToken.Subject)
	// Output: alice-248289761001
}

// A program that meets an API, and logs its user in where the API says.
func ExampleFindResource() {
	describe := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"resource":"https://%s/v1","authorization_servers":["https://op.example"]}`, r.Host)
	}
	server := httptest.NewTLSServer(http.HandlerFunc(describe))
	defer server.Close()
	ctx, api := context.Background(), server.URL+"/v1"
	options := &oidc.Options{HTTPClient: server.Client(), AllowPrivate: []string{"127.0.0.1"}}
	answer := &http.Response{Header: http.Header{"Www-Authenticate": {`Bearer resource_metadata="` + server.URL + `/.well-known/oauth-protected-resource/v1"`}}}

	// region: protected-resource
	challenge, ok := oidc.ReadResourceChallenge(answer.Header) // of a 401
	if !ok {
		log.Fatal("the API wants no access token")
	}
	resource, err := oidc.FindResource(ctx, api, oidc.ResourceParams{MetadataURL: challenge.Metadata}, options)
	if err != nil {
		log.Fatal(err)
	}
	// Which of these is trusted is for the application to say; then oidc.Discover.
	fmt.Println(resource.AuthorizationServers)
	// endregion

	// Output: [https://op.example]
}

// A program that believes of an API what the federation signs, and nothing else.
func ExampleResourceParams() {
	op, err := oidctest.Start(oidctest.Config{ResourceMetadataSigningAlg: "ES256"})
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	options := &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}}
	ctx, api := context.Background(), op.URL(oidctest.EndpointAccounts)
	federation, federationJWKS := op.Issuer, op.URL(oidctest.EndpointJWKS)

	// region: signed-resource
	signer, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: federation, JWKSURI: federationJWKS}, options)
	if err != nil {
		log.Fatal(err)
	}
	resource, err := oidc.FindResource(ctx, api, oidc.ResourceParams{
		Signers:       []*oidc.Provider{signer},
		Algorithms:    []string{"ES256"},
		RequireSigned: true,
	}, options)
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(resource.ResourceName, resource.Signer == federation)
	// Output: Accounts true
}

// A client that nobody registers: its identifier is where its metadata is.
func ExampleClientDocument() {
	// region: client-id-metadata
	document, err := oidc.ClientDocument("https://app.example/auth/client.json", oidc.ClientMetadata{
		ClientName:   "Notes",
		RedirectURIs: []string{"https://app.example/auth/callback"},
	})
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(string(document))
	// Output: {"client_id":"https://app.example/auth/client.json","client_name":"Notes","redirect_uris":["https://app.example/auth/callback"],"token_endpoint_auth_method":"none"}
}
