package oidc_test

import (
	"errors"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// What the README shows of a test, and of an OP in development.

// region: fault
func TestLoginRefusesForeignNonce(t *testing.T) {
	op := oidctest.New(t) // an OP, gone when the test ends
	app := newApp(t, op)

	op.Break(oidctest.NonceWrong) // it breaks one rule
	_, err := app.login(t, op.Browser())

	if !errors.Is(err, oidc.BadNonce) { // and this is what it is called
		t.Errorf("got %v, want %v", err, oidc.BadNonce)
	}
}

// endregion

type exampleApp struct{ client *oidc.Client }

func newApp(t *testing.T, op *oidctest.OP) exampleApp {
	t.Helper()
	return exampleApp{setup(t, op).c}
}

func (a exampleApp) login(t *testing.T, b *oidctest.Browser) (*oidc.Tokens, error) {
	t.Helper()
	req, err := a.client.Begin(t.Context(), oidc.AuthParams{})
	if err != nil {
		t.Fatal(err)
	}
	cb, err := b.Login(t.Context(), req.URL())
	if err != nil {
		t.Fatal(err)
	}
	res, err := oidc.ReadAuthResponse(cb.Request())
	if err != nil {
		return nil, err
	}
	return a.client.Finish(t.Context(), req.Pending, res)
}

func TestReadmeLoopback(t *testing.T) {
	op, err := oidctest.Start(oidctest.Config{PlainHTTP: true})
	if err != nil {
		t.Fatal(err)
	}
	defer op.Close()
	ctx, issuer := t.Context(), op.Issuer

	// region: loopback
	provider, err := oidc.Discover(ctx, issuer, &oidc.Options{
		InsecureAllowHTTP: true,
		AllowPrivate:      []string{"localhost", "127.0.0.1"},
	})
	// endregion

	if err != nil {
		t.Fatal(err)
	}
	provider.Close()
}
