// Tenants is an application with several providers: the users of each customer
// log in at their own. Every provider has a redirect URI of its own, so that no
// answer is read with another's keys (RFC 9700 section 4.4), and an account is
// known by issuer and subject together.
//
//	go run ./examples/tenants
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"

	"rely.example/examples/internal/sandbox"
	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// customers are who may use the application; a real one has them in a database.
func customers() []string { return []string{"acme", "initech"} }

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open("", oidctest.Config{})
		if err != nil {
			return err
		}
		defer op.Close()
		return sandbox.Serve(ctx, *addr, os.Stdout, func(origin string) (http.Handler, io.Closer, error) { return app(op, origin) })
	})
}

func app(op *sandbox.Provider, origin string) (http.Handler, io.Closer, error) {
	var directories []rp.Directory
	customerOf := make(map[string]string) // by issuer
	for _, name := range customers() {
		tenant, err := op.Test.Tenant(oidctest.Config{Path: "/" + name, RefreshAlways: true})
		if err != nil {
			return nil, nil, err
		}
		provider := &sandbox.Provider{Issuer: tenant.Issuer, Options: op.Options, Test: tenant}
		client := provider.Client(oidc.ClientMetadata{
			RedirectURIs:           []string{origin + "/auth/callback/" + name},
			PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"},
		})
		directories = append(directories, rp.Configured(provider.Issuer, provider.Options, client))
		customerOf[provider.Issuer] = name
	}
	m, err := login.New(login.Config{
		Origin:            origin,
		Directory:         rp.Each(directories...),
		Store:             new(memstore.Store),
		InsecureAllowHTTP: true,
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler()) // /auth/login lets the user choose, or takes ?issuer=
	mux.Handle("GET /{$}", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		// What belongs to a customer is asked for by the issuer of the session,
		// and by nothing that the request says.
		fmt.Fprintf(w, "%s of %s\n", s.Identity().Subject, customerOf[s.Issuer])
	})))
	return mux, m, nil
}
