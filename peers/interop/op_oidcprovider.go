package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"rely.example/peers/interop/launch"
)

// oidcProvider is node oidc-provider, with its own pages for login and consent.
func oidcProvider() *Peer {
	return &Peer{
		Name: "oidc-provider",
		Has: Capabilities{
			ResponseTypes: allResponseTypes(),
			CodeFragment:  true,
			FormPost:      true,
			AuthMethods:   []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"},
			Registration:  allResponseTypes(),
			Grants: []string{
				"client_credentials", deviceGrant, cibaGrant,
				exchangeGrant,
			},
			Exchange:        []string{"urn:ietf:params:oauth:token-type:access_token"},
			CIBA:            CIBA{Modes: []string{"poll", "ping"}, Algs: []string{"ES256", "PS256"}},
			CompleteAddress: true,
			DyingCodes:      true,
			Management:      Management{Read: true, Update: true, Delete: true, Rotates: true},
			IDTokenAlgs:     []string{"RS256", "PS256", "ES256", "EdDSA", "HS256"},
			UserInfoAlgs:    []string{"RS256", "PS256", "ES256", "EdDSA", "HS256"},
			Encryption: [][2]string{
				{"RSA-OAEP-256", "A256GCM"}, {"RSA-OAEP", "A128CBC-HS256"}, {"ECDH-ES", "A256GCM"}, {"ECDH-ES+A128KW", "A128GCM"},
			},
			Refresh:     Refresh{Issued: true, Rotates: true, OneUse: true, IDToken: true},
			DPoP:        DPoP{Algs: []string{"ES256", "EdDSA"}, Nonces: true},
			MTLS:        true,
			PAR:         true,
			DetailTypes: []string{"payment_initiation"},
			Resources:   true,
			RequestObjects: RequestObjects{
				Algs:       []string{"RS256", "PS256", "ES256", "EdDSA", "HS256"},
				Encryption: [][2]string{{"RSA-OAEP-256", "A256GCM"}, {"ECDH-ES", "A128CBC-HS256"}, {"dir", "A256GCM"}},
			},
			SignedResponses: SignedResponses{
				Algs:       []string{"RS256", "PS256", "ES256", "EdDSA"},
				Encryption: [][2]string{{"RSA-OAEP-256", "A256GCM"}, {"ECDH-ES", "A128CBC-HS256"}},
			},
			Introspection:           true,
			IntrospectionAlgs:       []string{"RS256", "ES256"},
			IntrospectionEncryption: [][2]string{{"RSA-OAEP-256", "A256GCM"}, {"ECDH-ES", "A128CBC-HS256"}},
			NoPrompt:                "login_required",
			Revocation:              true,
			AuthTime:                true,
			WebFinger:               true,
			PKCE:                    true,
			ResponseIssuer:          true,
		},
		Oddities: []Oddity{
			{"iss is announced, and absent where the ID Token is in the response", ""},
		},
		readyPath: "/.well-known/openid-configuration",
		command:   oidcProviderCommand,
	}
}

func oidcProviderCommand(_ context.Context, c launch.Config, dir string) (command, error) {
	node, err := exec.LookPath("node")
	if err != nil {
		return command{}, fmt.Errorf("%w: node", ErrAbsent)
	}
	ops, err := opsDir()
	if err != nil {
		return command{}, err
	}
	home := filepath.Join(ops, "oidc-provider")
	if _, err := os.Stat(filepath.Join(home, "node_modules", "oidc-provider")); err != nil {
		return command{}, fmt.Errorf("%w: the npm package oidc-provider", ErrAbsent)
	}
	config, err := writeConfig(c, dir)
	return command{
		dir:  home,
		env:  []string{"NODE_EXTRA_CA_CERTS=" + c.CA},
		args: []string{node, "op.mjs", config},
	}, err
}
