package oidc_test

import (
	"fmt"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A client of the FAPI 2.0 Security Profile, and what is wrong with another.
func ExampleProfile() {
	key := exampleKey()
	jwks, err := oidc.PublicJWKS(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	_, provider, registration, stop := exampleOP(oidctest.Config{}, func(m *oidc.ClientMetadata) {
		m.JWKS, m.TokenEndpointAuthMethod, m.IDTokenSignedResponseAlg = jwks, oidc.AuthPrivateKey, "PS256"
	})
	defer stop()

	// region: profile
	config := registration.ClientConfig(key) // private_key_jwt, ID Tokens by PS256
	config.Profile = oidc.FAPI2Security
	config.DPoP = oidc.DPoPES256()
	_, err = oidc.NewClient(provider, config) // provider has Options.StrictTLS
	// endregion

	fmt.Println(err)
	config.Auth = oidc.SecretBasic("a secret")
	_, err = oidc.NewClient(provider, config)
	fmt.Println(err)
	// Output:
	// <nil>
	// oidc: ClientConfig.Profile: FAPI 2.0 Security Profile: profile violated: the client authenticates by "client_secret_basic", expected private_key_jwt, tls_client_auth or self_signed_tls_client_auth (FAPI 2.0 Security Profile 5.3.3.1 (2))
}
