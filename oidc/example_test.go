package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// The examples run against a test OP. What lies between "region:" and
// "endregion" is what the documentation shows; the rest stands in for a browser
// and for a real OP.

// start starts the OP of an example and returns what reaches it.
func start() (*oidctest.OP, *oidc.Options) {
	op, err := oidctest.Start(oidctest.Config{Addr: "127.0.0.1:0", RSAKey: opKey(), PollInterval: time.Second})
	if err != nil {
		log.Fatal(err)
	}
	return op, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}}
}

// browse is the user's browser: it logs in and brings the answer back.
func browse(op *oidctest.OP, loginURL string) *http.Request {
	cb, err := op.Browser().Login(context.Background(), loginURL)
	if err != nil {
		log.Fatal(err)
	}
	return cb.Request()
}

// Example walks the six steps of a login, from what the user typed to claims
// about the user.
func Example() {
	op, options := start()
	defer op.Close()
	ctx, identifier := context.Background(), "alice@"+op.Host

	// region: six-steps
	// 1. Which OP is the user's?
	issuer, err := oidc.FindIssuer(ctx, identifier, options)
	if err != nil {
		log.Fatal(err)
	}
	// 2. What can it do, and where?
	provider, err := oidc.Discover(ctx, issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	// 3. It gets to know us.
	registration, err := provider.Register(ctx, oidc.ClientMetadata{
		RedirectURIs: []string{"https://rp.example/callback"},
	}, "")
	if err != nil {
		log.Fatal(err)
	}
	client, err := oidc.NewClient(provider, registration.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	// 4. The browser goes there. Keep request.Pending for this browser alone.
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"profile"}})
	if err != nil {
		log.Fatal(err)
	}
	callback := browse(op, request.URL())

	// 5. It comes back: every check, the code, the ID Token.
	response, err := oidc.ReadAuthResponse(callback)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err != nil {
		log.Fatal(err)
	}
	// 6. Who is it?
	info, err := client.UserInfo(ctx, tokens)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Name, "is", tokens.IDToken.Subject)
	// endregion

	// Output: Alice Liddell is alice-248289761001
}

// ExampleNewProvider configures the OP and the client by hand, from what the
// OP's own pages say.
func ExampleNewProvider() {
	op, options := start()
	defer op.Close()
	known := op.AddClient(oidctest.Client{ID: "tea-party", Secret: "a secret of the OP's making"})

	// region: static
	provider, err := oidc.NewProvider(oidc.ProviderMetadata{
		Issuer:                op.Issuer,
		AuthorizationEndpoint: op.Issuer + "/authorize",
		TokenEndpoint:         op.Issuer + "/token",
		UserInfoEndpoint:      op.Issuer + "/userinfo",
		JWKSURI:               op.Issuer + "/jwks",
	}, options)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID:     "tea-party",
		Secret: known.Secret,
		Metadata: oidc.ClientMetadata{
			RedirectURIs: []string{"https://rp.example/callback"},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	request, err := client.Begin(context.Background(), oidc.AuthParams{})
	if err != nil {
		log.Fatal(err)
	}
	response, err := oidc.ReadAuthResponse(browse(op, request.URL()))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Finish(context.Background(), request.Pending, response)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(client.ID(), "knows", tokens.IDToken.Subject)

	// Output: tea-party knows alice-248289761001
}

// ExampleFindIssuer asks by WebFinger where a user logs in.
func ExampleFindIssuer() {
	op, options := start()
	defer op.Close()

	// region: find-issuer
	issuer, err := oidc.FindIssuer(context.Background(), "acct:alice@"+op.Host, options)
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	fmt.Println(issuer == op.Issuer)

	_, err = oidc.FindIssuer(context.Background(), "=alice", options)
	fmt.Println(err)

	// Output:
	// true
	// oidc: not supported: XRI identifiers: OpenID Connect discovers e-mail-like identifiers and URLs (Discovery section 2.1)
}

// ExampleDiscover reads what an OP says about itself, members included that have
// no field.
func ExampleDiscover() {
	op, options := start()
	defer op.Close()

	// region: discover
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	metadata := provider.Metadata()
	fmt.Println(metadata.ScopesSupported[:3])

	var more struct {
		Prompts []string `json:"prompt_values_supported"`
	}
	if err := metadata.Claims(&more); err != nil {
		log.Fatal(err)
	}
	fmt.Println(more.Prompts[0])
	// endregion

	// Output:
	// [openid profile email]
	// none
}

// ExampleOptions reaches an OP in one's own network whose metadata names another
// issuer than the URL that it is fetched from.
func ExampleOptions() {
	op, options := start()
	defer op.Close()
	op.TamperMetadata(func(m map[string]any) { m["issuer"] = "https://login.corp.example" })

	_, err := oidc.Discover(context.Background(), op.Issuer, options)
	fmt.Println(errors.Is(err, oidc.MetadataIssuerMismatch))

	// region: issuer-mismatch
	options.InsecureSkipIssuerMatch = true
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(provider.Issuer()) // which every ID Token must name
	// endregion

	// Output:
	// true
	// https://login.corp.example
}

// ExampleProvider_Register registers a client and keeps the registration for the
// next run of the program.
func ExampleProvider_Register() {
	op, options := start()
	defer op.Close()
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}

	// region: register
	registration, err := provider.Register(context.Background(), oidc.ClientMetadata{
		RedirectURIs:  []string{"https://rp.example/callback"},
		ResponseTypes: []string{"code"},
		GrantTypes:    []string{"authorization_code", "refresh_token"},
		Contacts:      []string{"ops@rp.example"},
		ClientName:    "Tea party",
	}, "" /* the initial access token, if the OP wants one */)
	if err != nil {
		log.Fatal(err)
	}
	kept, err := registration.Export() // with the secret: for a safe place
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	again, err := oidc.ImportRegistration(kept)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(again.ClientID == registration.ClientID, again.Metadata.ClientName)
	fmt.Println("printed:", registration.Secret != "", fmt.Sprint(again) == fmt.Sprint(registration))

	// Output:
	// true Tea party
	// printed: true true
}

// ExampleClient_Begin makes the request of a login, with choices.
func ExampleClient_Begin() {
	client, op := exampleClient(oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}})
	defer op.Close()

	// region: begin
	fresh := 10 * time.Minute
	request, err := client.Begin(context.Background(), oidc.AuthParams{
		Scopes:    []string{"profile", "email"}, // beside openid
		MaxAge:    &fresh,                       // a login not older than this
		LoginHint: "alice@example.com",
		UILocales: []string{"fr-CA", "fr"},
	})
	if err != nil {
		log.Fatal(err)
	}
	pending, err := request.Pending.Export() // for the session of this browser
	if err != nil {
		log.Fatal(err)
	}
	// Then: http.Redirect(w, r, request.URL(), http.StatusSeeOther)
	// endregion
	u, err := url.Parse(request.URL())
	if err != nil {
		log.Fatal(err)
	}
	q := u.Query()
	fmt.Println(q.Get("response_type"), q.Get("scope"), q.Get("max_age"), q.Get("code_challenge_method"))
	fmt.Println(len(pending) > 0, len(q.Get("state")), len(q.Get("nonce")))

	// Output:
	// code openid profile email 600 S256
	// true 43 43
}

// ExampleClient_Finish logs in by the implicit flow, whose response comes in the
// fragment of the URL: a page at the redirect URI hands it over.
func ExampleClient_Finish() {
	client, op := exampleClient(oidc.ClientMetadata{
		RedirectURIs:  []string{"https://rp.example/callback"},
		ResponseTypes: []string{"id_token token"},
	})
	defer op.Close()

	// region: implicit
	request, err := client.Begin(context.Background(), oidc.AuthParams{ResponseType: "id_token token"})
	if err != nil {
		log.Fatal(err)
	}
	fragment := browseFragment(op, request.URL()) // location.hash, posted by a script

	response, err := oidc.ReadAuthFragment(fragment)
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Finish(context.Background(), request.Pending, response)
	if err != nil {
		log.Fatal(err)
	}
	// endregion
	fmt.Println(tokens.IDToken.Subject, tokens.AccessToken != "", tokens.RefreshToken == "")

	// Output: alice-248289761001 true true
}

// ExampleClient_Refresh renews an access token.
func ExampleClient_Refresh() {
	client, op := exampleClient(oidc.ClientMetadata{
		RedirectURIs: []string{"https://rp.example/callback"},
		GrantTypes:   []string{"authorization_code", "refresh_token"},
	})
	defer op.Close()
	ctx := context.Background()
	request, err := client.Begin(ctx, oidc.AuthParams{Scopes: []string{"offline_access"}, Prompt: []string{"consent"}})
	if err != nil {
		log.Fatal(err)
	}
	response, err := oidc.ReadAuthResponse(browse(op, request.URL()))
	if err != nil {
		log.Fatal(err)
	}
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err != nil {
		log.Fatal(err)
	}

	// region: refresh
	renewed, err := client.Refresh(ctx, tokens)
	var refused *oidc.OPError
	switch {
	case errors.As(err, &refused) && !refused.Temporary():
		log.Fatal("log in again: ", err) // the grant is over
	case err != nil:
		log.Fatal("later, with the same tokens: ", err)
	}
	tokens = renewed // the OP may have replaced the refresh token too
	// endregion
	fmt.Println(tokens.IDToken.Subject, tokens.RefreshToken != "")

	// Output: alice-248289761001 true
}

// region: custom-auth

// platformAuth authenticates with an assertion that a cloud platform issues.
type platformAuth struct {
	fetch func(ctx context.Context, audience string) (string, error)
}

func (platformAuth) Method() string { return oidc.AuthPrivateKey }

func (a platformAuth) Authenticate(ctx context.Context, r *oidc.AuthenticatedRequest) error {
	assertion, err := a.fetch(ctx, r.Audience)
	if err != nil {
		return err
	}
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
	r.Form.Set("client_assertion", assertion)
	return nil
}

// endregion

// ExampleClientAuth adds a method of client authentication.
func ExampleClientAuth() {
	op, options := start()
	defer op.Close()
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: "tea-party",
		Auth: platformAuth{fetch: func(_ context.Context, audience string) (string, error) {
			return "an assertion for " + audience, nil
		}},
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}},
	})
	fmt.Println(client != nil, err)

	// Output: true <nil>
}

// ExampleReason tells apart whose fault an error is.
func ExampleReason() {
	client, op := exampleClient(oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/callback"}})
	defer op.Close()
	ctx := context.Background()
	for _, fault := range []oidctest.Fault{oidctest.NonceWrong, oidctest.AccessDenied, oidctest.TokenReset} {
		op.Break(fault)
		request, err := client.Begin(ctx, oidc.AuthParams{})
		if err != nil {
			log.Fatal(err)
		}
		response, err := oidc.ReadAuthResponse(browse(op, request.URL()))
		if err != nil {
			log.Fatal(err)
		}
		_, err = client.Finish(ctx, request.Pending, response)
		op.Mend()

		// region: errors
		var (
			broken  *oidc.ProtocolError    // the OP, or someone who poses as it, broke a rule
			refused *oidc.OPError          // the OP answered that it will not
			cannot  *oidc.UnsupportedError // both are right and cannot work together
			ours    *oidc.InputError       // what we gave cannot be right
			network *oidc.TransportError   // no usable answer came
		)
		switch {
		case errors.Is(err, oidc.BadNonce):
			fmt.Println("not the answer to this login")
		case errors.As(err, &refused) && refused.Code == "access_denied":
			fmt.Println("the user said no")
		case errors.As(err, &network):
			fmt.Println("try again:", network.Temporary())
		case errors.As(err, &broken), errors.As(err, &cannot), errors.As(err, &ours):
			fmt.Println("for the log:", err)
		}
		// endregion
	}

	// Output:
	// not the answer to this login
	// the user said no
	// try again: true
}

// exampleClient is a client that is registered at an OP of its own.
func exampleClient(m oidc.ClientMetadata) (*oidc.Client, *oidctest.OP) {
	op, options := start()
	provider, err := oidc.Discover(context.Background(), op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	registration, err := provider.Register(context.Background(), m, "")
	if err != nil {
		log.Fatal(err)
	}
	client, err := oidc.NewClient(provider, registration.ClientConfig())
	if err != nil {
		log.Fatal(err)
	}
	return client, op
}

func browseFragment(op *oidctest.OP, loginURL string) string {
	cb, err := op.Browser().Login(context.Background(), loginURL)
	if err != nil {
		log.Fatal(err)
	}
	return cb.URL.EscapedFragment()
}
