// Device is a program on a device without browser or keyboard (RFC 8628): it shows
// a code, and the user logs in with a telephone.
//
//	go run ./examples/device
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"time"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
)

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open(*issuer, oidctest.Config{PollInterval: time.Second})
		if err != nil {
			return err
		}
		defer op.Close()
		return run(ctx, op)
	})
}

func run(ctx context.Context, op *sandbox.Provider) error {
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return err
	}
	client, err := oidc.NewClient(provider, op.Client(oidc.ClientMetadata{
		// No answer comes to a device, so that it has no redirect URI.
		GrantTypes:              []string{oidc.GrantDeviceCode, "refresh_token"},
		TokenEndpointAuthMethod: oidc.AuthNone, // what is in every device is no secret
	}))
	if err != nil {
		return err
	}
	login, err := client.BeginDevice(ctx, oidc.DeviceParams{Scopes: []string{"profile"}})
	if err != nil {
		return err
	}
	fmt.Println("Open", login.VerificationURI)
	fmt.Println("Code", login.UserCode)
	if login.VerificationURIComplete != "" {
		fmt.Println("Both", login.VerificationURIComplete) // to show as a QR code
	}
	// Asks as often as the provider allows, until the code dies or ctx ends.
	tokens, err := client.FinishDevice(ctx, login)
	if op := new(oidc.OPError); errors.As(err, &op) && op.Code == "access_denied" {
		fmt.Println("You said no.")
		return nil
	}
	if err != nil {
		return err
	}
	user, err := client.UserInfo(ctx, tokens)
	if err != nil {
		return err
	}
	fmt.Println("Hello", user.Name)
	return nil
}
