package rp_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// The whole login: begin it, send the browser to the OP, finish it when the
// browser comes back, and use what came of it by its state.
func Example() {
	op, browser, config := exampleOP()
	defer op.Close()
	ctx := context.Background()

	issuer, options := op.Issuer, exampleOptions(op)
	// region: party
	party, err := rp.New(rp.Config{
		Directory: rp.Configured(issuer, options, config),
		Store:     new(memstore.Store),
	})
	if err != nil {
		log.Fatal(err)
	}
	defer party.Close()

	req, err := party.Start(ctx, issuer, oidc.AuthParams{Scopes: []string{"email"}})
	if err != nil {
		log.Fatal(err)
	}
	session := map[string]string{"state": req.Pending.State} // of this browser, e.g. in a cookie

	callback := browser(req.URL()) // the request to https://rp.example/callback

	response, err := oidc.ReadAuthResponse(callback)
	if err != nil {
		log.Fatal(err)
	}
	grant, err := party.Finish(ctx, response, rp.Arrival{Binding: session["state"], RedirectURI: callback.URL.String()})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("logged in at the OP:", grant.Issuer() == issuer)

	info, err := party.UserInfo(ctx, session["state"])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Email)
	// endregion

	// Output:
	// logged in at the OP: true
	// alice@example.com
}

// A token that is always fresh, for a request to an API.
func ExampleGrant_Authorize() {
	op, browser, config := exampleOP()
	defer op.Close()
	ctx := context.Background()
	party, err := rp.New(rp.Config{Directory: rp.Configured(op.Issuer, exampleOptions(op), config), Store: &memstore.Store{Now: op.Now}, Now: op.Now})
	if err != nil {
		log.Fatal(err)
	}
	defer party.Close()
	grant := exampleLogin(party, op, browser)

	op.Advance(time.Hour) // the access token is dead

	api, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://api.example/orders", nil)
	if err != nil {
		log.Fatal(err)
	}
	if err := grant.Authorize(ctx, api); err != nil {
		log.Fatal(err)
	}
	tokens, err := grant.Tokens(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("fresh:", tokens.Valid(op.Now(), time.Minute), "sent:", api.Header.Get("Authorization") == "Bearer "+tokens.AccessToken)
	// Output: fresh: true sent: true
}

// OPs of every kind in one directory: a client that exists, an OP that may be
// down now, and any OP of a partner, registered at when first used.
func ExampleEach() {
	var existing *oidc.Client // made by oidc.NewClient
	sealing := make([]byte, rp.MinKey)
	directory := rp.Each(
		rp.Only(existing),
		rp.Configured("https://login.example", nil, oidc.ClientConfig{
			ID: "shop", Secret: "from the OP's page", Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://shop.example/callback/login"}},
		}),
		&rp.Dynamic{
			Allow:        rp.AllowIssuers("https://partner.example", "https://other-partner.example"),
			RedirectBase: "https://shop.example/callback/",
			Metadata:     oidc.ClientMetadata{ClientName: "Shop", GrantTypes: []string{"authorization_code", "refresh_token"}},
			Store:        new(memstore.Store), SealKeys: [][]byte{sealing},
		},
	)
	_, err := directory.Client(context.Background(), "https://stranger.example")
	fmt.Println(err)
	// Output: rp: issuer not allowed: "https://stranger.example": it is not on the list
}

// exampleOP is an OP in memory, with a client and a browser that logs in as alice.
func exampleOP() (op *oidctest.OP, browser func(url string) *http.Request, config oidc.ClientConfig) {
	op, err := oidctest.Start(oidctest.Config{InMemory: true, RefreshAlways: true, RSAKey: rsaKey()})
	if err != nil {
		log.Fatal(err)
	}
	c := op.AddClient(oidctest.Client{})
	config = oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: c.RedirectURIs}}
	return op, func(url string) *http.Request {
		cb, err := op.Browser().Login(context.Background(), url)
		if err != nil {
			log.Fatal(err)
		}
		q := cb.Request()
		q.URL = cb.URL
		return q
	}, config
}

func exampleOptions(op *oidctest.OP) *oidc.Options {
	return &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"op.test"}, Now: op.Now}
}

func exampleLogin(party *rp.RP, op *oidctest.OP, browser func(string) *http.Request) *rp.Grant {
	ctx := context.Background()
	req, err := party.Start(ctx, op.Issuer, oidc.AuthParams{})
	if err != nil {
		log.Fatal(err)
	}
	response, err := oidc.ReadAuthResponse(browser(req.URL()))
	if err != nil {
		log.Fatal(err)
	}
	grant, err := party.Finish(ctx, response, rp.Arrival{Binding: req.Pending.State, RedirectURI: "https://rp.example/callback"})
	if err != nil {
		log.Fatal(err)
	}
	return grant
}
