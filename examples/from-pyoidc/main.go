// From-pyoidc is pyoidc's "How to Implement a Client" in one program: WebFinger,
// discovery, registration, authentication, tokens, UserInfo. Above each step
// stands what it is in Python; docs/pyoidc.md tells the differences.
//
//	go run ./examples/from-pyoidc
package main

import (
	"context"
	"fmt"
	"net/http"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
)

const redirectURI = "https://rp.example/callback"

func main() { sandbox.Main(run) }

func run(ctx context.Context) error {
	op, err := sandbox.Open("", oidctest.Config{Hosts: []string{"localhost"}})
	if err != nil {
		return err
	}
	defer op.Close()
	op.Options.AllowPrivate = append(op.Options.AllowPrivate, "localhost")

	// issuer = WebFinger().discovery_query(uid)
	issuer, err := oidc.FindIssuer(ctx, "alice@"+op.Test.Host, op.Options)
	if err != nil {
		return err
	}
	// provider_info = client.provider_config(issuer)
	provider, err := oidc.Discover(ctx, issuer, op.Options)
	if err != nil {
		return err
	}
	fmt.Println("Found", provider.Issuer())

	// client.register(provider_info["registration_endpoint"], **args)
	registration, err := provider.Register(ctx, oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, Contacts: []string{"ops@rp.example"}}, "")
	if err != nil {
		return err
	}
	client, err := oidc.NewClient(provider, registration.ClientConfig())
	if err != nil {
		return err
	}
	fmt.Println("Registered as", client.ID())

	// session["state"] = rndstr(); session["nonce"] = rndstr()
	// client.construct_AuthorizationRequest(request_args=args)
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"profile", "email"}})
	if err != nil {
		return err
	}
	kept, err := request.Pending.Export() // in the user's session, under request.Pending.State
	if err != nil {
		return err
	}
	answer, err := browser(ctx, op, request.URL())
	if err != nil {
		return err
	}

	// aresp = client.parse_response(AuthorizationResponse, info=response)
	// assert aresp["state"] == session["state"]
	response, err := oidc.ReadAuthResponse(answer)
	if err != nil {
		return err
	}
	pending, err := oidc.ImportPending(kept) // and deleted from the session: it is good once
	if err != nil {
		return err
	}
	// client.do_access_token_request(state=..., request_args=args); the nonce,
	// the signature and the rest are checked here, all of them
	tokens, err := client.Finish(ctx, pending, response)
	if err != nil {
		return err
	}
	fmt.Println("Logged in:", tokens.IDToken.Identity())

	// userinfo = client.do_user_info_request(state=aresp["state"])
	user, err := client.UserInfo(ctx, tokens)
	if err != nil {
		return err
	}
	fmt.Println("Hello", user.Name)
	return nil
}

// browser is the user, who takes a moment in a real application.
func browser(ctx context.Context, op *sandbox.Provider, url string) (*http.Request, error) {
	callback, err := op.Test.Browser().Login(ctx, url)
	if err != nil {
		return nil, err
	}
	return callback.Request(), nil
}
