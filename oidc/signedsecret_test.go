package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

// TestSignedSecret: the secret of Sign in with Apple, made for each request.
func TestSignedSecret(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key := oidc.Key{ID: "KEY1234567", Private: private}
	auth := oidc.SignedSecret("TEAM123456", key)
	if auth.Method() != oidc.AuthSecretPost {
		t.Errorf("the method is %q", auth.Method())
	}
	now := time.Unix(1_700_000_000, 0)
	r := &oidc.AuthenticatedRequest{ClientID: "com.example.web", Issuer: "https://appleid.apple.com", Now: now, Form: map[string][]string{}, Header: map[string][]string{}}
	if err := auth.Authenticate(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	if r.Form.Get("client_id") != "com.example.web" {
		t.Errorf("client_id is %q", r.Form.Get("client_id"))
	}
	j := parseJWT(t, r.Form.Get("client_secret"))
	if j.header["alg"] != "ES256" || j.header["kid"] != "KEY1234567" {
		t.Errorf("the header is %v", j.header)
	}
	for name, want := range map[string]any{
		"iss": "TEAM123456", "sub": "com.example.web", "aud": "https://appleid.apple.com",
		"iat": float64(now.Unix()), "exp": float64(now.Add(5 * time.Minute).Unix()),
	} {
		if fmt.Sprint(j.claims[name]) != fmt.Sprint(want) {
			t.Errorf("%s is %v, want %v", name, j.claims[name], want)
		}
	}

	for _, unfit := range []oidc.Key{{ID: key.ID}, {ID: key.ID, Private: sealedKey{private}}} {
		r.Form = map[string][]string{}
		wantInput(t, oidc.SignedSecret("TEAM123456", unfit).Authenticate(t.Context(), r), oidc.BadConfig)
		if len(r.Form) != 0 {
			t.Errorf("sent %v without a secret", r.Form)
		}
	}

	op := newOP(t)
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string]oidc.ClientAuth{
		"no team":   oidc.SignedSecret("", key),
		"no key id": oidc.SignedSecret("TEAM123456", oidc.Key{Private: private}),
		"no key":    oidc.SignedSecret("TEAM123456", oidc.Key{ID: "KEY1234567"}),
	} {
		_, err := oidc.NewClient(p, oidc.ClientConfig{ID: "a", Auth: bad, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantInput(t, err, oidc.BadConfig)
	}
	secret, err := private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", auth); strings.Contains(text, new(big.Int).SetBytes(secret).String()) || !strings.Contains(text, "TEAM123456") {
		t.Errorf("it prints %s", text)
	}
}
