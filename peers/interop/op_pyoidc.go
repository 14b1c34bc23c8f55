package interop

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"rely.example/peers/interop/launch"
)

// pyoidc is the provider of the Python package oic.
func pyoidc() *Peer {
	return &Peer{
		Name: "pyoidc",
		Has: Capabilities{
			ResponseTypes: allResponseTypes(),
			FormPost:      true,
			AuthMethods:   []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt"},
			Registration:  allResponseTypes(),
			Management:    Management{Read: true},
			IDTokenAlgs:   []string{"RS256", "PS256", "ES256", "HS256"},
			UserInfoAlgs:  []string{"RS256", "PS256", "ES256", "HS256"},
			Encryption:    [][2]string{{"RSA-OAEP", "A128CBC-HS256"}, {"RSA-OAEP-256", "A256GCM"}},
			Refresh:       Refresh{Scope: "offline_access", Issued: true, IDToken: true},
			AuthTime:      true,
			WebFinger:     true,
		},
		Oddities: []Oddity{
			{"client_secret_basic is not percent-decoded", RawCredentials},
			{"code_challenge is accepted and not looked at", ""},
			{"iss is in the authentication response where the ID Token is not", ""},
			{"client_id and scope are in the authentication response", ""},
		},
		readyPath: "/.well-known/openid-configuration",
		command:   pyoidcCommand,
	}
}

func pyoidcCommand(_ context.Context, c launch.Config, dir string) (command, error) {
	ops, err := opsDir()
	if err != nil {
		return command{}, err
	}
	home := filepath.Join(ops, "pyoidc")
	python := filepath.Join(home, ".venv", "bin", "python")
	if _, err := os.Stat(python); err != nil {
		return command{}, fmt.Errorf("%w: the Python package oic", ErrAbsent)
	}
	config, err := writeConfig(c, dir)
	return command{
		dir:  dir,
		env:  []string{"PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"},
		args: []string{python, filepath.Join(home, "op.py"), config},
	}, err
}
