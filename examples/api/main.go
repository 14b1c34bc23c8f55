// Api is a resource server: it asks for a JWT access token (RFC 9068) of the
// provider, for it, with the scope that a call needs. In the sandbox it also
// prints a token to try it with.
//
//	go run ./examples/api
//	go run ./examples/api -issuer https://op.example.com -audience https://api.example.com
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/resource"
)

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	audience := flag.String("audience", "", "the name of this API in tokens (default: its URL)")
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		return sandbox.Serve(ctx, *addr, os.Stdout, func(origin string) (http.Handler, io.Closer, error) {
			if *audience == "" {
				*audience = origin
			}
			op, err := sandbox.Open(*issuer, oidctest.Config{AccessTokenAudience: *audience})
			if err != nil {
				return nil, nil, err
			}
			context.AfterFunc(ctx, op.Close)
			h, err := app(ctx, op, origin, *audience)
			if err != nil || op.Test == nil {
				return h, nil, err
			}
			token, err := tokenOfAlice(ctx, op)
			fmt.Printf("curl -H 'Authorization: Bearer %s' %s/hello\n", token, origin)
			return h, nil, err
		})
	})
}

func app(ctx context.Context, op *sandbox.Provider, origin, audience string) (http.Handler, error) {
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return nil, err
	}
	api, err := resource.New(resource.Config{
		Resource:          origin,
		Providers:         []*oidc.Provider{provider},
		Tokens:            oidc.AccessTokenConfig{Audiences: []string{audience}},
		InsecureAllowHTTP: true, // at loopback, and nowhere else
	})
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	mux.Handle(api.MetadataPath(), api.Metadata()) // RFC 9728: where to get a token
	mux.Handle("GET /hello", api.Require(http.HandlerFunc(hello), resource.Needs{Scopes: []string{"profile"}}))
	mux.Handle("GET /address", api.Require(http.HandlerFunc(hello), resource.Needs{Scopes: []string{"address"}}))
	return mux, nil
}

func hello(w http.ResponseWriter, r *http.Request) {
	token, ok := resource.FromContext(r.Context())
	if !ok {
		http.Error(w, "no token", http.StatusUnauthorized)
		return
	}
	fmt.Fprintf(w, "hello %s, by %s\n", token.Subject, token.ClientID)
}

// tokenOfAlice logs alice in at the sandbox, as an application would.
func tokenOfAlice(ctx context.Context, op *sandbox.Provider) (string, error) {
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return "", err
	}
	client, err := oidc.NewClient(provider, op.Client(oidc.ClientMetadata{RedirectURIs: []string{"https://app.example/callback"}}))
	if err != nil {
		return "", err
	}
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"profile"}})
	if err != nil {
		return "", err
	}
	callback, err := op.Test.Browser().Login(ctx, request.URL())
	if err != nil {
		return "", err
	}
	response, err := oidc.ReadAuthResponse(callback.Request())
	if err != nil {
		return "", err
	}
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err != nil {
		return "", err
	}
	return tokens.AccessToken, nil
}
