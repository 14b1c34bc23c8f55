package rp_test

import (
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// TestDynamicRegistersFeatures: what a feature needs to be registered with is
// registered, and the client then works by it.
func TestDynamicRegistersFeatures(t *testing.T) {
	r := setup(t, func(c *oidctest.Config) { c.MTLS = oidctest.MTLSAliases })
	cert, err := r.op.IssueCertificate("rp")
	if err != nil {
		t.Fatal(err)
	}
	opts := *r.opts
	opts.HTTPClient = r.op.HTTPClient() // of a kind that can show a certificate
	statement, err := r.op.SoftwareStatement(map[string]any{"software_id": "from-the-statement"})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		metadata oidc.ClientMetadata
		dpop     oidc.DPoPMode
		adjust   func(issuer string, c *oidc.ClientConfig)
		is       func(oidctest.Client) bool
		typ      string
	}{
		"dpop": {oidc.ClientMetadata{DPoPBoundAccessTokens: true}, oidc.DPoPES256(), nil, func(c oidctest.Client) bool { return c.DPoPBound }, "DPoP"},
		"mtls": {oidc.ClientMetadata{TokenEndpointAuthMethod: oidc.AuthTLS, TLSClientAuthSubjectDN: "CN=rp", TLSClientCertificateBoundAccessTokens: true}, nil,
			func(_ string, c *oidc.ClientConfig) { c.Certificate = oidc.Certificate(cert) },
			func(c oidctest.Client) bool { return c.TLSBound && c.TLSClientAuthSubjectDN == "CN=rp" }, "Bearer"},
		"introspection": {oidc.ClientMetadata{IntrospectionSignedResponseAlg: "ES256"}, nil, nil,
			func(c oidctest.Client) bool { return c.IntrospectionSignedResponseAlg == "ES256" }, "Bearer"},
		"statement": {oidc.ClientMetadata{SoftwareStatement: statement}, nil, nil,
			func(c oidctest.Client) bool { return c.Metadata["software_id"] == "from-the-statement" }, "Bearer"},
	} {
		t.Run(name, func(t *testing.T) {
			d := r.dynamic(func(d *rp.Dynamic) {
				d.Store, d.SealKeys, d.Options, d.Metadata, d.DPoP, d.Adjust = nil, nil, &opts, c.metadata, c.dpop, c.adjust
			})
			client, err := d.Client(t.Context(), r.op.Issuer)
			if err != nil {
				t.Fatal(err)
			}
			registered := false
			for _, known := range r.op.Clients() {
				registered = registered || known.ID == client.ID() && c.is(known)
			}
			if !registered {
				t.Error("the OP does not know")
			}
			req, err := client.Begin(t.Context(), oidc.AuthParams{})
			if err != nil {
				t.Fatal(err)
			}
			tok, err := client.Finish(t.Context(), req.Pending, r.browse(req))
			if err != nil || tok.TokenType != c.typ {
				t.Fatalf("got %v, %v", tok, err)
			}
			if _, err := client.UserInfo(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
		})
	}
}
