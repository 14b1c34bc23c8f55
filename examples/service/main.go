// Service is a program without users that calls an API (client credentials, RFC
// 6749 section 4.4). The token is asked for once, renewed before it expires, and
// in the sandbox there is an API that says who called.
//
//	go run ./examples/service
//	CLIENT_ID=... CLIENT_SECRET=... go run ./examples/service -issuer https://op.example.com -api https://api.example.com/jobs
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/resource"
)

const audience = "https://api.example" // the name of the sandbox's API in tokens

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	api := flag.String("api", "", "what to call (default: an API that starts with the example)")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open(*issuer, oidctest.Config{AccessTokenAudience: audience})
		if err != nil {
			return err
		}
		defer op.Close()
		provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
		if err != nil {
			return err
		}
		if *api == "" {
			if *api, err = startAPI(ctx, provider); err != nil {
				return err
			}
		}
		return run(ctx, op, provider, *api)
	})
}

func run(ctx context.Context, op *sandbox.Provider, provider *oidc.Provider, api string) error {
	client, err := oidc.NewClient(provider, op.Client(oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}}))
	if err != nil {
		return err
	}
	// One for the whole program; any number of goroutines may ask it.
	source := client.TokenSource(oidc.TokenParams{Scopes: []string{"profile"}})
	for range 3 {
		answer, err := call(ctx, client, source, api)
		if err != nil {
			return err
		}
		fmt.Print(answer)
	}
	if op.Test != nil {
		fmt.Printf("3 calls, %d token\n", len(op.Test.Requests(oidctest.EndpointToken)))
	}
	return nil
}

func call(ctx context.Context, client *oidc.Client, source *oidc.TokenSource, api string) (string, error) {
	tokens, err := source.Tokens(ctx)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, api, nil)
	if err != nil {
		return "", err
	}
	if err := client.Authorize(request, tokens); err != nil { // Bearer, or DPoP if the token is bound
		return "", err
	}
	h := http.Client{Timeout: 30 * time.Second} // http.DefaultClient has none
	response, err := h.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusUnauthorized {
		source.Discard(tokens) // the next call asks for another one
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return string(body), err
}

// startAPI is the API of the sandbox, as in the example api.
func startAPI(ctx context.Context, provider *oidc.Provider) (string, error) {
	s, err := resource.New(resource.Config{Resource: audience, Providers: []*oidc.Provider{provider}})
	if err != nil {
		return "", err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	h := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: s.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		fmt.Fprintln(w, "hello", token.ClientID)
	}), resource.Needs{})}
	context.AfterFunc(ctx, func() { _ = h.Close() })
	go func() { _ = h.Serve(l) }() // ends with ctx
	return "http://" + l.Addr().String(), nil
}
