package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// asks is a client that asks about a token, at an OP whose network answers as h does.
func asks(t *testing.T, h http.HandlerFunc, config oidc.ClientConfig) *oidc.Client {
	t.Helper()
	network := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h(w, r)
		res := w.Result()
		res.Request = r
		return res, nil
	})}
	p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a", TokenEndpoint: "https://op.example/t",
		IntrospectionEndpoint: "https://op.example/i", JWKSURI: "https://op.example/k"}, &oidc.Options{HTTPClient: network, Now: func() time.Time { return time.Unix(1.8e9, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if config.ID == "" {
		config.ID = "c"
	}
	config.Metadata.RedirectURIs = []string{redirectURI}
	c, err := oidc.NewClient(p, config)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestRefusedClientIsAdvised: what may be a refused client is told as one, with the
// quirk to try where there is one.
func TestRefusedClientIsAdvised(t *testing.T) {
	const raw, audience = "RawBasicCredentials", "AssertionAudienceEndpoint"
	refused := respond(401, "application/json", `{"error":"invalid_client"}`)
	for name, c := range map[string]struct {
		h      http.HandlerFunc
		config oidc.ClientConfig
		want   string // part of the advice; "": there is none
		quirk  string // the one to try; "": none
	}{
		"invalid_client":      {refused, oidc.ClientConfig{Secret: "plain"}, "by client_secret_basic failed", ""},
		"unauthorized_client": {respond(400, "application/json", `{"error":"unauthorized_client"}`), oidc.ClientConfig{Secret: "plain"}, "may have failed", ""},
		"401_without_code":    {respond(401, "text/plain", ""), oidc.ClientConfig{Secret: "plain"}, "may have failed", ""},
		"403_without_code":    {respond(403, "text/plain", ""), oidc.ClientConfig{Secret: "plain"}, "may have failed", ""},
		"400_without_code":    {respond(400, "text/plain", ""), oidc.ClientConfig{Secret: "plain"}, "", ""},
		"401_of_another_code": {respond(401, "application/json", `{"error":"of_our_own"}`), oidc.ClientConfig{Secret: "plain"}, "", ""},

		"basic_odd_secret":   {refused, oidc.ClientConfig{Secret: "a:b"}, "failed", raw},
		"basic_odd_id":       {refused, oidc.ClientConfig{ID: "c/1", Secret: "plain"}, "failed", raw},
		"basic_as_it_is":     {refused, oidc.ClientConfig{ID: "c/1", Secret: "a:b", Quirks: oidc.Quirks{RawBasicCredentials: true}}, "failed", ""},
		"post_odd_id":        {refused, oidc.ClientConfig{ID: "c/1", Auth: oidc.SecretPost("a:b")}, "failed", ""},
		"secret_jwt":         {refused, oidc.ClientConfig{Auth: oidc.SecretJWT(benchSecret, "")}, "failed", audience},
		"private_key_jwt":    {refused, oidc.ClientConfig{Auth: oidc.PrivateKeyJWT(testKey())}, "failed", audience},
		"secret_jwt_aud":     {refused, oidc.ClientConfig{Auth: oidc.SecretJWT(benchSecret, ""), Quirks: oidc.Quirks{AssertionAudienceEndpoint: true}}, "failed", ""},
		"private_key_aud":    {refused, oidc.ClientConfig{Auth: oidc.PrivateKeyJWT(testKey()), Quirks: oidc.Quirks{AssertionAudienceEndpoint: true}}, "failed", ""},
		"public_and_refused": {refused, oidc.ClientConfig{Auth: oidc.NoAuth()}, "by none failed", ""},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := asks(t, c.h, c.config).Introspect(t.Context(), "x", "")
			op, ok := errors.AsType[*oidc.OPError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if !strings.Contains(op.Hint, c.want) || (c.want == "") != (op.Hint == "") {
				t.Errorf("advised %q, want %q", op.Hint, c.want)
			}
			for _, quirk := range []string{raw, audience} {
				if strings.Contains(op.Hint, quirk) != (quirk == c.quirk) {
					t.Errorf("advised %q, want the quirk %q", op.Hint, c.quirk)
				}
			}
		})
	}
}

// TestExpiredSecret: it is not used after its last second, and is nobody's business
// where the client authenticates by something else.
func TestExpiredSecret(t *testing.T) {
	now := time.Unix(1.8e9, 0)
	for name, c := range map[string]struct {
		config oidc.ClientConfig
		want   error
	}{
		"in_its_last_second": {oidc.ClientConfig{Secret: "s", SecretExpires: now}, nil},
		"after_it":           {oidc.ClientConfig{Secret: "s", SecretExpires: now.Add(-1)}, oidc.SecretExpired},
		"never":              {oidc.ClientConfig{Secret: "s"}, nil},
		"beside_a_key":       {oidc.ClientConfig{Secret: "s", SecretExpires: now.Add(-1), Auth: oidc.PrivateKeyJWT(testKey())}, nil},
		"of_a_method_given":  {oidc.ClientConfig{SecretExpires: now.Add(-1), Auth: oidc.SecretBasic("another")}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			sent := 0
			client := asks(t, func(w http.ResponseWriter, r *http.Request) {
				sent++
				respond(200, "application/json", `{"active":false}`)(w, r)
			}, c.config)
			if _, err := client.Introspect(t.Context(), "x", ""); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if (sent == 1) != (c.want == nil) {
				t.Errorf("%d requests", sent)
			}
		})
	}
}

// TestEndpointThatIsGone: an endpoint that is not there has the metadata fetched
// sooner, one that refuses has not.
func TestEndpointThatIsGone(t *testing.T) {
	op := newOP(t)
	for status, gone := range map[int]bool{404: true, 410: true, 400: false, 405: false, 500: false} {
		r := setup(t, op)
		due := r.p.Health().MetadataDue
		op.Intercept(oidctest.EndpointIntrospection, respond(status, "text/plain", ""))
		_, err := r.c.Introspect(t.Context(), "x", "")
		r.refusal(err, "")
		if sooner := r.p.Health().MetadataDue.Before(due); sooner != gone {
			t.Errorf("status %d: the metadata is fetched sooner: %v", status, sooner)
		}
	}
}

// addingAuth adds to a form what was never there.
type addingAuth struct{ secret string }

func (addingAuth) Method() string { return oidc.AuthSecretPost }

func (a addingAuth) Authenticate(_ context.Context, r *oidc.AuthenticatedRequest) error {
	r.Form.Add("client_id", r.ClientID)
	r.Form.Add("client_secret", a.secret)
	return nil
}

// TestEachAttemptIsAuthenticatedAnew: a request that is sent again, with the nonce that
// the OP asked for, holds nothing of the first attempt's authentication.
func TestEachAttemptIsAuthenticatedAnew(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.DPoPNonce = true })
	r := setup(t, op, func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretPost })
	r.client(func(c *oidc.ClientConfig) { c.DPoP, c.Auth = oidc.DPoPES256(), addingAuth{c.Secret} })
	op.ClearLog()
	r.mustLogin()
	attempts := op.Requests(oidctest.EndpointToken)
	if len(attempts) != 2 {
		t.Fatalf("%d requests, want a second one with the nonce", len(attempts))
	}
	for i, q := range attempts {
		if len(q.Form["client_id"]) != 1 || len(q.Form["client_secret"]) != 1 {
			t.Errorf("attempt %d has client_id %q", i+1, q.Form["client_id"])
		}
	}
}
