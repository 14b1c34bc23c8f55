package oidc_test

import (
	"context"
	"fmt"
	"net/url"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A request that is pushed: the browser carries a reference to it and nothing else.
func ExampleClient_Begin_pushed() {
	ctx := context.Background()
	_, provider, registration, stop := exampleOP(oidctest.Config{})
	defer stop()

	// region: par
	config := registration.ClientConfig()
	config.PAR = oidc.PARAlways // needed only where the OP does not demand it
	client, err := oidc.NewClient(provider, config)
	if err != nil {
		fmt.Println(err)
		return
	}
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"email"}})
	// endregion

	if err != nil {
		fmt.Println(err)
		return
	}
	u, err := url.Parse(request.URL())
	fmt.Println(len(u.Query()), u.Query().Has("client_id"), u.Query().Has("request_uri"), err)
	// Output: 2 true true <nil>
}

// exampleOP is an OP of the examples, and a client that is registered there.
func exampleOP(c oidctest.Config, edit ...func(*oidc.ClientMetadata)) (*oidctest.OP, *oidc.Provider, *oidc.Registration, func()) {
	op, err := oidctest.Start(c)
	if err != nil {
		panic(err)
	}
	p, err := oidc.Discover(context.Background(), op.Issuer, options(op))
	if err != nil {
		panic(err)
	}
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}
	for _, e := range edit {
		e(&m)
	}
	r, err := p.Register(context.Background(), m, "")
	if err != nil {
		panic(err)
	}
	return op, p, r, func() {
		p.Close()
		op.Close()
	}
}
