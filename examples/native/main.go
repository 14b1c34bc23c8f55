// Native is a program on the user's own machine (RFC 8252): it opens a port of
// the loopback interface, the browser brings the answer there.
//
//	go run ./examples/native
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"time"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
)

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open(*issuer, oidctest.Config{})
		if err != nil {
			return err
		}
		defer op.Close()
		return run(ctx, op)
	})
}

func run(ctx context.Context, op *sandbox.Provider) error {
	// A port that is free now. The OP lets a native client have any (section 7.3).
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return err
	}
	client, err := oidc.NewClient(provider, op.Client(oidc.ClientMetadata{
		ApplicationType:         "native",
		RedirectURIs:            []string{"http://127.0.0.1/callback"},
		TokenEndpointAuthMethod: oidc.AuthNone, // what everybody can read is no secret
	}))
	if err != nil {
		return err
	}
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"profile"}, RedirectURI: "http://" + l.Addr().String() + "/callback"})
	if err != nil {
		return err
	}
	fmt.Printf("Open %s\n", request.URL())
	response, err := receive(ctx, l, request.Pending.State)
	if err != nil {
		return err
	}
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err != nil {
		return err
	}
	fmt.Printf("Logged in as %s (%s)\n", tokens.IDToken.Subject, tokens.IDToken.Issuer)
	return nil
}

// receive waits for the answer to this login. Another program on the machine may
// knock too: what has another state is told off, and the wait goes on.
func receive(ctx context.Context, l net.Listener, state string) (oidc.AuthResponse, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	arrived := make(chan oidc.AuthResponse, 1)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		response, err := oidc.ReadAuthResponse(r)
		if err != nil {
			http.Error(w, "this is no answer to a login", http.StatusBadRequest)
			return
		}
		if key, err := response.PendingKey(); err != nil || key != state {
			http.Error(w, "this is the answer to another login", http.StatusBadRequest)
			return
		}
		fmt.Fprintln(w, "Thank you. You can close this page.")
		select {
		case arrived <- response:
		default: // the second answer to one login
		}
	})
	s := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }() // ends with Shutdown
	var none oidc.AuthResponse
	select {
	case response := <-arrived:
		// Shutdown lets the page reach the browser first.
		return response, s.Shutdown(ctx)
	case err := <-served:
		return none, err
	case <-ctx.Done():
		return none, errors.Join(ctx.Err(), s.Close())
	}
}
