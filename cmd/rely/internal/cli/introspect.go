package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

func (a *app) introspectCommand() *cobra.Command {
	var service serviceFlags
	var own, refresh bool
	cmd := &cobra.Command{
		Use:     "introspect [TOKEN|-]",
		GroupID: groupLook,
		Short:   "Ask the provider whether a token is good",
		Long: `Asks the provider about a token (RFC 7662), as the client of the profile, or that
of --issuer and --client-id. The token is read from standard input; --own asks
about the access token of the profile, --refresh about its refresh token.

The exit code is 0 if the token is active, and 4 if it is not, which is all that a
provider tells of a token that is unknown, dead or none of the client's business.`,
		Example: `  rely introspect --own
  rely introspect -i https://op.example.com \
      --client-id api --client-secret-file secret.txt < token.txt
  rely introspect --own --json | jq .scope`,
		Args: atMost("one token, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (own || refresh) && (len(args) > 0 || service.clientID != "") {
				return usage(cmd, errors.New("--own and --refresh take the token from the profile"))
			}
			return a.introspect(cmd.Context(), args, &service, own || refresh, refresh)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&own, "own", false, "ask about the access token of the profile")
	f.BoolVar(&refresh, "refresh", false, "ask about the refresh token of the profile")
	f.StringVar(&service.clientID, "client-id", "", "ask as the client `ID` at --issuer, in place of a profile's")
	f.StringVar(&service.secret, "client-secret-file", "", "read its secret from `FILE` (- for standard input, or RELY_CLIENT_SECRET)")
	f.StringVar(&service.authMethod, "auth-method", "", "it authenticates by `METHOD`")
	f.StringVar(&service.key, "key", "", "it signs with the private key in `FILE` (PEM)")
	return cmd
}

func (a *app) introspect(ctx context.Context, args []string, f *serviceFlags, own, refresh bool) error {
	if f.clientID != "" && a.flags.issuer == "" {
		return usage(nil, errors.New("--client-id needs --issuer: clients are known at one provider"))
	}
	var token, hint string
	if own {
		s, err := a.openLoggedIn(ctx)
		if err != nil {
			return err
		}
		_, t, err := s.offline()
		if err != nil {
			return err
		}
		token, hint = t.AccessToken, "access_token"
		if refresh {
			token, hint = t.RefreshToken, "refresh_token"
		}
		if token == "" {
			return errors.New("the profile has no " + strings.ReplaceAll(hint, "_", " "))
		}
	} else {
		var err error
		if token, err = a.tokenToInspect(args, false, nil); err != nil {
			return err
		}
	}
	client, err := a.serviceClient(ctx, f)
	if err != nil {
		return err
	}
	defer client.Provider().Close()
	answer, err := client.Introspect(ctx, token, hint)
	if err != nil {
		return err
	}
	if err := a.showIntrospection(answer); err != nil {
		return err
	}
	if !answer.Active {
		return quiet{ExitProtocol}
	}
	return nil
}

func (a *app) showIntrospection(i *oidc.Introspection) error {
	if a.flags.json {
		return a.writeJSON(i.Raw())
	}
	p := a.out
	if !i.Active {
		p.Printf("%s\n", p.Warn("The token is not active."))
		return nil
	}
	signed := ""
	if i.Signed {
		signed = ", says the provider, and signed it"
	}
	p.Printf("%s%s.\n\n", p.Good("The token is active"), signed)
	fields := claimFields(i.Raw(), a.Now())
	shown := fields[:0]
	for _, f := range fields {
		if f.Label != "active" {
			shown = append(shown, tty.Field{Label: f.Label, Value: f.Value})
		}
	}
	p.Fields(shown...)
	return nil
}
