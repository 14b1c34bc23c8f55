package oidc_test

import (
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestHostileKeys: where keys come from is the metadata's to say, and nothing that a
// token says before it is verified.
func TestHostileKeys(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(op *oidctest.OP, j jwt)
		want oidc.Reason
	}{
		"074_tenant_in_iss": {func(op *oidctest.OP, j jwt) { j.claims["iss"] = op.Issuer + "/tenant/evil" }, oidc.BadIssuer},
		"074_issuer_in_iss": {func(_ *oidctest.OP, j jwt) { j.claims["iss"] = "https://attacker.example" }, oidc.BadIssuer},
		"074_path_in_kid":   {func(_ *oidctest.OP, j jwt) { j.header["kid"] = "../evil/jwks?" }, oidc.UnknownKey},
		"074_url_in_kid":    {func(_ *oidctest.OP, j jwt) { j.header["kid"] = "https://attacker.example/jwks" }, oidc.UnknownKey},
		"074_tenant_in_tid": {func(_ *oidctest.OP, j jwt) { j.claims["tid"] = "evil"; j.claims["iss"] = "https://op.example/{tid}" }, oidc.BadIssuer},
		"074_client_in_azp": {func(_ *oidctest.OP, j jwt) { j.claims["azp"] = "https://attacker.example" }, oidc.BadAuthorizedParty},
		"074_issuer_in_token": {func(op *oidctest.OP, j jwt) {
			j.header["iss"], j.claims["iss"] = "https://attacker.example", op.Issuer+"/"
		}, oidc.BadIssuer},
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			r.mustLogin()
			forge(t, op, func(_ string, j jwt) string {
				c.edit(op, j)
				return j.payload(marshal(j.claims))
			})
			op.ClearLog()
			r.refused(c.want)
			for _, req := range op.Received() {
				if strings.Contains(req.Path, "evil") || req.Endpoint == oidctest.EndpointNone {
					t.Errorf("%s was asked, which only the token names", req.Path)
				}
			}
			if n := len(op.Requests(oidctest.EndpointJWKS)); n > 1 {
				t.Errorf("%d requests for keys, want one at most", n)
			}
			wantNoCall(t, op, oidctest.EndpointDiscovery, oidctest.EndpointUserInfo)
		})
	}
}
