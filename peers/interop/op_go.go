package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"rely.example/peers/interop/launch"
)

// luikyv is github.com/luikyv/go-oidc.
func luikyv() *Peer {
	return &Peer{
		Name: "luikyv",
		Has: Capabilities{
			ResponseTypes: allResponseTypes(),
			CodeFragment:  true,
			FormPost:      true,
			AuthMethods:   []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"},
			Registration:  allResponseTypes(),
			Grants: []string{
				"client_credentials", deviceGrant, cibaGrant,
				exchangeGrant, jwtBearerGrant,
			},
			Exchange: []string{
				"urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:refresh_token",
				"urn:ietf:params:oauth:token-type:id_token",
			},
			CIBA:         CIBA{Modes: []string{"poll", "ping", "push"}, Algs: []string{"ES256", "PS256"}, PushHash: true},
			Management:   Management{Read: true, Update: true, Delete: true, Rotates: true},
			IDTokenAlgs:  []string{"RS256", "PS256", "ES256"},
			UserInfoAlgs: []string{"RS256", "PS256", "ES256"},
			Encryption:   [][2]string{{"RSA-OAEP-256", "A128CBC-HS256"}, {"RSA-OAEP-256", "A256GCM"}},
			Refresh:      Refresh{Issued: true, Rotates: true, OneUse: true, IDToken: true},
			Revocation:   true,
			DPoP:         DPoP{Algs: []string{"ES256", "PS256"}},
			MTLS:         true,
			PAR:          true,
			RequestObjects: RequestObjects{
				Algs:        []string{"RS256", "PS256", "ES256"},
				Encryption:  [][2]string{{"RSA-OAEP-256", "A128CBC-HS256"}, {"RSA-OAEP-256", "A256GCM"}},
				ByReference: true,
			},
			SignedResponses: SignedResponses{
				Algs:       []string{"RS256", "PS256", "ES256"},
				Encryption: [][2]string{{"RSA-OAEP-256", "A128CBC-HS256"}, {"RSA-OAEP-256", "A256GCM"}},
			},
			DetailTypes:    []string{"payment_initiation"},
			Resources:      true,
			Introspection:  true,
			AuthTime:       true,
			WebFinger:      true,
			PKCE:           true,
			ResponseIssuer: true,
		},
		Oddities: []Oddity{
			{"client_secret_basic is not percent-decoded", RawCredentials},
			{"a pushed ID Token has at_hash only where the program around the library adds it", ""},
		},
		readyPath: "/.well-known/openid-configuration",
		command:   goCommand("luikyv"),
	}
}

// zitadel is the provider of github.com/zitadel/oidc/v3, on that library's
// example storage and login page.
func zitadel() *Peer {
	return &Peer{
		Name: "zitadel",
		// As the library's example storage has it.
		Service: launch.Client{
			ID: "sid1", Secret: "verysecret", AuthMethod: "client_secret_basic", GrantTypes: []string{"client_credentials"},
		},
		Has: Capabilities{
			ResponseTypes: []string{"code", "id_token", "id_token token"},
			CodeFragment:  true,
			FormPost:      true,
			AuthMethods:   []string{"client_secret_basic", "none"},
			KnownGrants: []string{
				"client_credentials", deviceGrant, exchangeGrant,
			},
			Exchange: []string{
				"urn:ietf:params:oauth:token-type:access_token", "urn:ietf:params:oauth:token-type:refresh_token",
				"urn:ietf:params:oauth:token-type:id_token",
			},
			CompleteAddress: true,
			Refresh:         Refresh{Scope: "offline_access", Issued: true, Rotates: true, OneUse: true, IDToken: true},
			Revocation:      true,
			AuthTime:        true,
			NoPrompt:        "login_required",
			WebFinger:       true,
			PKCE:            true,
		},
		Oddities: []Oddity{
			{"form_post works and is not announced", NamedModes},
			{"the code flow's ID Token has c_hash, and azp beside a single audience", ""},
		},
		readyPath: "/.well-known/openid-configuration",
		command:   goCommand("zitadel"),
	}
}

// buildTimeout bounds the build of a Go program, its libraries included.
const buildTimeout = 5 * time.Minute

// goCommand builds and runs one of our programs around a Go library.
func goCommand(name string) func(context.Context, launch.Config, string) (command, error) {
	return func(ctx context.Context, c launch.Config, dir string) (command, error) {
		tool, err := exec.LookPath("go")
		if err != nil {
			return command{}, fmt.Errorf("%w: go", ErrAbsent)
		}
		ops, err := opsDir()
		if err != nil {
			return command{}, err
		}
		ctx, cancel := context.WithTimeout(ctx, buildTimeout)
		defer cancel()
		// Where it stays, so that the next run finds it built. The place is one
		// that git ignores; where it cannot be, the scratch directory will do.
		cache := filepath.Join(ops, "..", "..", "..", ".cache", "interop")
		if os.MkdirAll(cache, 0o700) != nil {
			cache = dir
		}
		program := filepath.Join(cache, name)
		build := exec.CommandContext(ctx, tool, "build", "-o", program, ".")
		build.Dir = filepath.Join(ops, name)
		if out, err := build.CombinedOutput(); err != nil {
			return command{}, fmt.Errorf("building %s: %w\n%s", name, err, out)
		}
		config, err := writeConfig(c, dir)
		return command{dir: dir, args: []string{program, config}}, err
	}
}
