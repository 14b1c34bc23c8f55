// Cli is a tool for a host without browser: the user opens the address somewhere
// else and brings back the one that they end up at. The tokens are kept in a file,
// so that the next run refreshes instead of asking.
//
//	go run ./examples/cli -tokens /tmp/tokens.json
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"time"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
)

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	file := flag.String("tokens", "tokens.json", "where the tokens are kept")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open(*issuer, oidctest.Config{})
		if err != nil {
			return err
		}
		defer op.Close()
		client, err := connect(ctx, op)
		if err != nil {
			return err
		}
		// Twice, as two runs would: in the sandbox there is no second one.
		for range 2 {
			if err := whoami(ctx, client, *file); err != nil {
				return err
			}
		}
		return nil
	})
}

func connect(ctx context.Context, op *sandbox.Provider) (*oidc.Client, error) {
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return nil, err
	}
	return oidc.NewClient(provider, op.Client(oidc.ClientMetadata{
		ApplicationType: "native", RedirectURIs: []string{"http://127.0.0.1/callback"}, TokenEndpointAuthMethod: oidc.AuthNone,
		GrantTypes: []string{"authorization_code", "refresh_token"},
	}))
}

func whoami(ctx context.Context, client *oidc.Client, file string) error {
	tokens, err := load(client, file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if tokens, err = login(ctx, client); err != nil {
			return err
		}
	case err != nil:
		return err
	case !tokens.Valid(time.Now(), time.Hour): // an hour, to show it: a minute is enough
		fmt.Println("Refreshing")
		if tokens, err = client.Refresh(ctx, tokens); err != nil {
			return err // if it is an *oidc.OPError with invalid_grant: log in again
		}
	}
	// Kept before they are used: the OP may have used up the old refresh token.
	if err := save(tokens, file); err != nil {
		return err
	}
	user, err := client.UserInfo(ctx, tokens)
	if err != nil {
		return err
	}
	fmt.Printf("You are %s\n", user.Name)
	return nil
}

func login(ctx context.Context, client *oidc.Client) (*oidc.Tokens, error) {
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"profile", "offline_access"}, Prompt: []string{"consent"}})
	if err != nil {
		return nil, err
	}
	fmt.Printf("Open this address, and paste the one that you end up at, although it shows an error:\n%s\n", request.URL())
	pasted, err := sandbox.Line(ctx)
	if err != nil {
		return nil, err
	}
	response, err := oidc.ReadAuthURL(pasted)
	if err != nil {
		return nil, err
	}
	return client.Finish(ctx, request.Pending, response)
}

func load(client *oidc.Client, file string) (*oidc.Tokens, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return client.ImportTokens(data)
}

// save writes the secrets where other users cannot read them. The command rely
// does more: it seals them with a key in the system's keychain.
func save(tokens *oidc.Tokens, file string) error {
	data, err := tokens.Export()
	if err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}
