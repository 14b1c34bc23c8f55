package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// serviceFlags are the choices of a token for the client itself.
type serviceFlags struct {
	on                bool
	clientID, secret  string
	authMethod, key   string
	scopes, resources []string
}

func (s *serviceFlags) register(f *pflag.FlagSet) {
	f.BoolVar(&s.on, "client-credentials", false, "get a token for the client itself, without a user (RFC 6749 section 4.4); nothing is kept")
	f.StringVar(&s.clientID, "client-id", "", "with --client-credentials and --issuer: the client `ID`, in place of a profile's")
	f.StringVar(&s.secret, "client-secret-file", "", "read its secret from `FILE` (- for standard input, or RELY_CLIENT_SECRET)")
	f.StringVar(&s.authMethod, "auth-method", "", "it authenticates by `METHOD` (default: client_secret_basic, or private_key_jwt with --key)")
	f.StringVar(&s.key, "key", "", "it signs with the private key in `FILE` (PEM)")
	f.StringSliceVarP(&s.scopes, "scope", "s", nil, "with --client-credentials: ask for the `SCOPE`")
	f.StringSliceVar(&s.resources, "resource", nil, "with --client-credentials: ask for a token for the resource `URI` (RFC 8707)")
}

// check refuses flags that would be without effect.
func (s *serviceFlags) check(a *app, cmd *cobra.Command) error {
	if s.on {
		if s.clientID != "" && a.flags.issuer == "" {
			return usage(cmd, errors.New("--client-id needs --issuer: clients are known at one provider"))
		}
		return nil
	}
	for _, name := range []string{"client-id", "client-secret-file", "auth-method", "key", "scope", "resource"} {
		if a.given[name] {
			return usage(cmd, errors.New("--"+name+" is for --client-credentials; a login's token is what the login asked for"))
		}
	}
	return nil
}

// serviceToken asks for a token for the client itself.
func (a *app) serviceToken(ctx context.Context, s *serviceFlags) (*oidc.Tokens, error) {
	client, err := a.serviceClient(ctx, s)
	if err != nil {
		return nil, err
	}
	defer client.Provider().Close()
	return client.ClientCredentials(ctx, oidc.TokenParams{Scopes: words(s.scopes), Resources: s.resources})
}

// serviceClient is the client of the flags, or that of the profile.
func (a *app) serviceClient(ctx context.Context, f *serviceFlags) (*oidc.Client, error) {
	if f.clientID == "" {
		s, err := a.open(ctx)
		if err != nil {
			return nil, err
		}
		p, err := s.provider(ctx)
		if err != nil {
			return nil, err
		}
		return s.client(p)
	}
	secret, err := a.secretFrom("client-secret-file", f.secret, "RELY_CLIENT_SECRET", "Client secret: ")
	if err != nil {
		return nil, err
	}
	t, err := a.find(ctx, a.flags.issuer, profile.Connection{})
	if err != nil {
		return nil, err
	}
	r := &oidc.Registration{ClientID: f.clientID, Secret: secret, Metadata: oidc.ClientMetadata{
		TokenEndpointAuthMethod: f.authMethod, GrantTypes: []string{oidc.GrantClientCredentials}}}
	if f.key != "" {
		t.connection.KeyFile = absolute(f.key)
		if f.authMethod == "" {
			r.Metadata.TokenEndpointAuthMethod = oidc.AuthPrivateKey
		}
	}
	return newClient(t.provider, r, t.connection)
}
