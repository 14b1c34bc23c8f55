package oidc_test

import (
	"context"
	"encoding/base64"
	"net/http"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestSecretBasicByHand: the method says who asks also where no client was made for
// it.
func TestSecretBasicByHand(t *testing.T) {
	for id, want := range map[string]string{"app": "app:s%26", "a:b": "a%3Ab:s%26", "": ":s%26"} {
		q := &oidc.AuthenticatedRequest{ClientID: id, Header: http.Header{}}
		if err := oidc.SecretBasic("s&").Authenticate(t.Context(), q); err != nil {
			t.Fatal(err)
		}
		if got := q.Header.Get("Authorization"); got != "Basic "+base64.StdEncoding.EncodeToString([]byte(want)) {
			t.Errorf("%q: sent %q", id, got)
		}
	}
}

// TestRawBasicThatRotates: the quirk holds of a secret that changes as well.
func TestRawBasicThatRotates(t *testing.T) {
	for raw, want := range map[bool]string{true: "app:s&", false: "app:s%26"} {
		op := newOP(t)
		op.Intercept(oidctest.EndpointToken, respond(200, "application/json", `{"access_token":"a","token_type":"Bearer"}`))
		r := service(t, op, credentialsClient(), func(c *oidc.ClientConfig) {
			c.ID, c.Quirks.RawBasicCredentials = "app", raw
			c.Auth = oidc.RotatingAuth(oidc.AuthSecretBasic, func(context.Context) (oidc.ClientAuth, error) { return oidc.SecretBasic("s&"), nil })
		})
		if _, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{}); err != nil {
			t.Fatal(err)
		}
		if got := op.Requests(oidctest.EndpointToken)[0].Header.Get("Authorization"); got != "Basic "+base64.StdEncoding.EncodeToString([]byte(want)) {
			t.Errorf("raw %v: sent %q", raw, got)
		}
	}
}

// TestAssertionThatCannotBeSigned sends nothing.
func TestAssertionThatCannotBeSigned(t *testing.T) {
	op := newOP(t)
	for _, auth := range []oidc.ClientAuth{
		oidc.PrivateKeyJWT(oidc.Key{Private: sealedKey{clientKey()}}),
		oidc.RotatingAuth(oidc.AuthSecretJWT, func(context.Context) (oidc.ClientAuth, error) { return oidc.SecretJWT("short", ""), nil }),
	} {
		r := service(t, op, credentialsClient(), func(c *oidc.ClientConfig) { c.Auth = auth })
		_, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{})
		wantInput(t, err, oidc.BadConfig)
		wantNoCall(t, op, oidctest.EndpointToken)
	}
}
