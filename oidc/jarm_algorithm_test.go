package oidc

import (
	"errors"
	"slices"
	"testing"

	"rely.example/internal/jose"
)

// TestResponseAlgorithms: what signs authorization responses is registered, or else
// RS256, or else what the OP announces and its public keys verify.
func TestResponseAlgorithms(t *testing.T) {
	for name, c := range map[string]struct {
		announced       []string
		alg, secret     string
		want            []string
		refused, lacked bool // by NewClient, or only where somebody asks for such a response
	}{
		"nothing_announced":           {nil, "", "s", []string{"RS256"}, false, false},
		"RS256_among_others":          {[]string{"ES256", "RS256", "HS256"}, "", "s", []string{"RS256"}, false, false},
		"others":                      {[]string{"HS256", "ES256", "XS256", "PS256", "none"}, "", "s", []string{"ES256", "PS256"}, false, false},
		"secrets_alone":               {[]string{"HS256"}, "", "s", nil, false, true},
		"unknown_alone":               {[]string{"XS256"}, "", "s", nil, false, true},
		"registered":                  {[]string{"ES256", "RS256"}, "ES256", "", []string{"ES256"}, false, false},
		"registered_and_nothing_said": {nil, "ES256", "", []string{"ES256"}, false, false},
		"registered_with_a_secret":    {nil, "HS256", "0123456789abcdef0123456789abcdef", []string{"HS256"}, false, false},
		"registered_without_one":      {nil, "HS256", "", nil, true, false},
		"registered_and_not_theirs":   {[]string{"RS256"}, "ES256", "", nil, true, false},
		"registered_and_not_ours":     {[]string{"XS256"}, "XS256", "", nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := NewProvider(ProviderMetadata{Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a", TokenEndpoint: "https://op.example/t",
				JWKSURI: "https://op.example/k", AuthorizationSigningAlgValuesSupported: c.announced}, nil)
			if err != nil {
				t.Fatal(err)
			}
			client, err := NewClient(p, ClientConfig{ID: "c", Secret: c.secret, Metadata: ClientMetadata{RedirectURIs: []string{"https://rp.example/cb"}, AuthorizationSignedResponseAlg: c.alg}})
			if c.refused {
				if err == nil {
					t.Errorf("accepted, by %q", client.responseAlgs)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(client.responseAlgs, c.want) {
				t.Errorf("got %q, want %q", client.responseAlgs, c.want)
			}
			if _, lacked := errors.AsType[*UnsupportedError](client.responseAlgsErr); lacked != c.lacked {
				t.Errorf("got %v, want an error: %v", client.responseAlgsErr, c.lacked)
			}
		})
	}
}

// TestResponseAlgorithmsOfAProfile are those that the profile admits and the OP
// announces; RS256, which is the default otherwise, is none.
func TestResponseAlgorithmsOfAProfile(t *testing.T) {
	for name, c := range map[string]struct {
		announced []string
		want      []string
	}{
		"nothing_announced": {nil, []string{"PS256", "ES256"}},
		"some":              {[]string{"RS256", "ES256"}, []string{"ES256"}},
		"none_of_them":      {[]string{"RS256", "HS256"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			client := &Client{c: ClientConfig{Profile: FAPI1Advanced}}
			if err := client.pinResponseAlgorithm(&ProviderMetadata{AuthorizationSigningAlgValuesSupported: c.announced}); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(client.responseAlgs, c.want) || (client.responseAlgsErr == nil) != (c.want != nil) {
				t.Errorf("got %q, %v; want %q", client.responseAlgs, client.responseAlgsErr, c.want)
			}
		})
	}
}

// TestOpenStateWithoutEncryption: keys alone open nothing.
func TestOpenStateWithoutEncryption(t *testing.T) {
	if _, err := openState("a.b.c.d.e", nil, []jose.DecryptionKey{{}}); !errors.Is(err, BadEncryption) {
		t.Errorf("got %v", err)
	}
}
