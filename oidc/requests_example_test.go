package oidc_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
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
	p, err := oidc.Discover(context.Background(), op.Issuer, exampleOptions(op))
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

// A request that nobody on its way can change: a JWT, signed by the client.
func ExampleRequestObject() {
	ctx := context.Background()
	key := exampleKey()
	jwks, err := oidc.PublicJWKS(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, provider, registration, stop := exampleOP(oidctest.Config{}, func(m *oidc.ClientMetadata) { m.JWKS, m.RequestObjectSigningAlg = jwks, "ES256" })
	defer stop()

	// region: jar
	config := registration.ClientConfig(key) // signed as is registered: request_object_signing_alg
	config.RequestObject = &oidc.RequestObject{}
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
	_, fields := request.Form()
	fmt.Println(len(fields), fields.Has("request"))
	// Output: 4 true
}

func exampleKey() oidc.Key {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return oidc.Key{ID: "key-1", Private: k}
}

func exampleOptions(op *oidctest.OP) *oidc.Options {
	o := options(op)
	o.StrictTLS = true
	return o
}

// A payment, asked for in full.
func ExampleAuthorizationDetail() {
	ctx := context.Background()
	_, provider, registration, stop := exampleOP(oidctest.Config{})
	defer stop()
	client, err := oidc.NewClient(provider, registration.ClientConfig())
	if err != nil {
		fmt.Println(err)
		return
	}

	// region: rar
	request, err := client.Begin(ctx, oidc.AuthParams{
		Resources: []string{"https://bank.example/payments"},
		AuthorizationDetails: []oidc.AuthorizationDetail{{
			Type:    "payment_initiation",
			Actions: []string{"initiate"},
			Fields:  map[string]json.RawMessage{"instructedAmount": json.RawMessage(`{"currency":"EUR","amount":"123.50"}`)},
		}},
	})
	// endregion

	if err != nil {
		fmt.Println(err)
		return
	}
	_, fields := request.Form()
	fmt.Println(fields.Get("authorization_details"))
	// Output: [{"actions":["initiate"],"instructedAmount":{"currency":"EUR","amount":"123.50"},"type":"payment_initiation"}]
}
