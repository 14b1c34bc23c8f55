package resource_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"time"

	"rely.example/oidc"
	"rely.example/resource"
)

// The whole of an API whose calls need an access token.
func Example() {
	// region: api
	op, err := oidc.Discover(context.Background(), "https://op.example", nil)
	if err != nil {
		log.Fatal(err)
	}
	api, err := resource.New(resource.Config{Resource: "https://api.example/v1", Providers: []*oidc.Provider{op}})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle(api.MetadataPath(), api.Metadata())
	http.Handle("GET /v1/things", api.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := resource.FromContext(r.Context())
		fmt.Fprintln(w, "things of", token.Subject, "for", token.ClientID)
	}), resource.Needs{Scopes: []string{"things:read"}}))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
	// endregion
}

// A call that needs a strong and recent login, and tokens that a thief has no use for.
func ExampleConfig() {
	var op *oidc.Provider // of oidc.Discover

	// region: strict
	api, err := resource.New(resource.Config{
		Resource:     "https://api.example/v1",
		Providers:    []*oidc.Provider{op},
		Tokens:       oidc.AccessTokenConfig{RequireBinding: true, Remember: 10_000},
		RequireNonce: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	var transfer http.Handler
	http.Handle("POST /v1/transfers", api.Require(transfer, resource.Needs{
		Scopes: []string{"transfers"}, ACR: []string{"urn:example:mfa"}, MaxAge: 5 * time.Minute}))
	// endregion
}

// Check is Require as a plain function, for another router or protocol.
func ExampleServer_Check() {
	var api *resource.Server // of New

	http.HandleFunc("/v1/things", func(w http.ResponseWriter, r *http.Request) {
		token, err := api.Check(r, resource.Needs{Scopes: []string{"things:read"}})
		if err != nil {
			log.Print(err) // the detail, which the client is not told
			api.Refuse(w, r, err)
			return
		}
		fmt.Fprintln(w, "hello", token.Subject)
	})
}
