package oidc_test

import (
	"encoding/json"
	"testing"

	"rely.example/oidc"
)

// TestClientMetadataAtTheBounds: what may be registered, and its neighbours that may
// not.
func TestClientMetadataAtTheBounds(t *testing.T) {
	r := setup(t, newOP(t))
	age := func(n int64) *int64 { return &n }
	const keys = "https://rp.example/keys"
	for name, c := range map[string]struct {
		edit func(m *oidc.ClientMetadata)
		good bool
	}{
		"jwks":                       {func(m *oidc.ClientMetadata) { m.JWKS = testJWKS(t) }, true},
		"jwks_uri":                   {func(m *oidc.ClientMetadata) { m.JWKSURI = keys }, true},
		"jwks_uri, and an empty set": {func(m *oidc.ClientMetadata) { m.JWKSURI, m.JWKS = keys, json.RawMessage{} }, true},
		"both":                       {func(m *oidc.ClientMetadata) { m.JWKSURI, m.JWKS = keys, testJWKS(t) }, false},
		"initiate_login_uri":         {func(m *oidc.ClientMetadata) { m.InitiateLoginURI = "https://rp.example/login" }, true},
		"initiate_login_uri, http":   {func(m *oidc.ClientMetadata) { m.InitiateLoginURI = "http://rp.example/login" }, false},
		"default_max_age 0":          {func(m *oidc.ClientMetadata) { m.DefaultMaxAge = age(0) }, true},
		"default_max_age -1":         {func(m *oidc.ClientMetadata) { m.DefaultMaxAge = age(-1) }, false},
		"requests by HMAC":           {func(m *oidc.ClientMetadata) { m.BackchannelAuthenticationRequestSigningAlg = "HS256" }, false},
		"requests of another world":  {func(m *oidc.ClientMetadata) { m.BackchannelAuthenticationRequestSigningAlg = "XS1" }, false},
		"fragment":                   {func(m *oidc.ClientMetadata) { m.RedirectURIs = []string{redirectURI + "#f"} }, false},
		"empty fragment":             {func(m *oidc.ClientMetadata) { m.RedirectURIs = []string{redirectURI + "#"} }, false},
		"one name":                   {func(m *oidc.ClientMetadata) { m.TLSClientAuthSANDNS = "rp.example" }, true},
		"two names":                  {func(m *oidc.ClientMetadata) { m.TLSClientAuthSANDNS, m.TLSClientAuthSANIP = "rp.example", "192.0.2.1" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := r.reg.ClientConfig()
			c.edit(&config.Metadata)
			_, err := oidc.NewClient(r.p, config)
			if !c.good {
				wantInput(t, err, oidc.BadConfig)
				return
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
}

// TestClientMetadataJSON: what cannot be written is the caller's fault.
func TestClientMetadataJSON(t *testing.T) {
	for name, m := range map[string]oidc.ClientMetadata{
		"keys":    {JWKS: json.RawMessage("{")},
		"further": {Extra: map[string]json.RawMessage{"x": json.RawMessage("{")}},
	} {
		_, err := m.MarshalJSON()
		if err == nil {
			t.Errorf("%s: written", name)
			continue
		}
		wantInput(t, err, oidc.BadConfig)
	}
}

// TestClientMetadataIsACopy: neither what the caller gave nor what it got is the
// client's own.
func TestClientMetadataIsACopy(t *testing.T) {
	r := setup(t, newOP(t))
	config := r.reg.ClientConfig()
	age := int64(60)
	config.Metadata.DefaultMaxAge = &age
	c, err := oidc.NewClient(r.p, config)
	if err != nil {
		t.Fatal(err)
	}
	age = 1
	got := c.Metadata()
	*got.DefaultMaxAge++
	got.RedirectURIs[0] = "https://elsewhere.example/"
	if again := c.Metadata(); *again.DefaultMaxAge != 60 || again.RedirectURIs[0] != redirectURI {
		t.Errorf("got default_max_age %d, redirect_uris %q", *again.DefaultMaxAge, again.RedirectURIs)
	}
}
