package rp_test

import (
	"errors"
	"slices"
	"testing"

	"rely.example/oidc"
	"rely.example/rp"
)

func TestIssuersAndClients(t *testing.T) {
	r := setup(t)
	configured := rp.Configured("https://other.example", r.opts, oidc.ClientConfig{ID: "x", Metadata: oidc.ClientMetadata{RedirectURIs: []string{"https://rp.example/other"}}})
	p := r.newRP(func(c *rp.Config) { c.Directory = rp.Each(rp.Only(r.client), configured, r.dynamic()) })
	want := []string{r.op.Issuer, "https://other.example"}
	slices.Sort(want)
	if got := p.Issuers(); !slices.Equal(got, want) {
		t.Errorf("Issuers: got %q, want %q", got, want)
	}
	if got := r.newRP(func(c *rp.Config) { c.Directory = r.dynamic() }).Issuers(); got != nil {
		t.Errorf("a Dynamic names %q", got)
	}
	if c, err := p.Client(t.Context(), r.op.Issuer); err != nil || c != r.client {
		t.Errorf("Client: got %v, %v", c, err)
	}
	if _, err := r.rp.Client(t.Context(), "https://attacker.example"); !errors.Is(err, rp.UnknownIssuer) {
		t.Errorf("Client of an unknown issuer: %v", err)
	}
}
