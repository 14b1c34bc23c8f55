package cli

import (
	"errors"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/doctor"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

func (a *app) discoverCommand() *cobra.Command {
	var tenants tenantFlags
	cmd := &cobra.Command{
		Use:     "discover IDENTIFIER|ISSUER",
		GroupID: groupLook,
		Short:   "Find a provider and tell what it can do",
		Long: `Finds the OpenID Provider of an identifier by WebFinger, or of an issuer
directly, fetches its metadata and checks it.

An https URL is taken for an issuer, and asked for by WebFinger if there is no
metadata. alice@example.com is asked for by WebFinger. example.com is asked for
by WebFinger and then taken for the issuer https://example.com.

With --json the metadata is written as the provider sent it.`,
		Example: `  rely discover alice@example.com
  rely discover https://accounts.google.com
  rely discover --json accounts.google.com | jq .token_endpoint`,
		Args: exactly(1, "an identifier or issuer, like alice@example.com or https://op.example.com"),
		RunE: func(cmd *cobra.Command, args []string) error {
			var c profile.Connection
			if err := tenants.apply(&c, args[0]); err != nil {
				return err
			}
			t, err := a.find(cmd.Context(), args[0], c)
			if err != nil {
				return err
			}
			defer t.provider.Close()
			md := t.provider.Metadata()
			if a.flags.json {
				return a.writeJSON(md.Raw)
			}
			a.describe(args[0], t.by, &md)
			return nil
		},
	}
	tenants.register(cmd.Flags())
	return cmd
}

// describe writes what the OP can do.
func (a *app) describe(typed, by string, md *oidc.ProviderMetadata) {
	p := a.out
	p.Printf("%s\n", p.Bold(tty.Clean(md.Issuer)))
	if by == "WebFinger" {
		p.Println(p.Faint("the issuer of " + tty.Clean(typed) + ", by WebFinger"))
	}
	p.Heading("Endpoints")
	p.Fields(
		tty.Field{Label: "authorization", Value: tty.Clean(md.AuthorizationEndpoint)},
		tty.Field{Label: "token", Value: tty.Clean(md.TokenEndpoint)},
		tty.Field{Label: "userinfo", Value: tty.Clean(md.UserInfoEndpoint)},
		tty.Field{Label: "keys", Value: tty.Clean(md.JWKSURI)},
		tty.Field{Label: "registration", Value: tty.Clean(md.RegistrationEndpoint)},
		tty.Field{Label: "revocation", Value: tty.Clean(md.RevocationEndpoint)},
		tty.Field{Label: "introspection", Value: tty.Clean(md.IntrospectionEndpoint)},
		tty.Field{Label: "end session", Value: tty.Clean(md.EndSessionEndpoint)},
		tty.Field{Label: "device", Value: tty.Clean(md.DeviceAuthorizationEndpoint)},
		tty.Field{Label: "pushed requests", Value: tty.Clean(md.PushedAuthorizationRequestEndpoint)},
	)
	p.Heading("Logging in")
	p.Fields(
		tty.Field{Label: "response types", Value: list(md.ResponseTypesSupported)},
		tty.Field{Label: "response modes", Value: list(md.ResponseModesSupported)},
		tty.Field{Label: "grants", Value: list(md.GrantTypesSupported)},
		tty.Field{Label: "scopes", Value: list(md.ScopesSupported)},
		tty.Field{Label: "PKCE", Value: list(md.CodeChallengeMethodsSupported)},
		tty.Field{Label: "client authentication", Value: list(md.TokenEndpointAuthMethodsSupported)},
		tty.Field{Label: "subjects", Value: list(md.SubjectTypesSupported)},
		tty.Field{Label: "acr values", Value: list(md.ACRValuesSupported)},
		tty.Field{Label: "claims", Value: list(md.ClaimsSupported)},
		tty.Field{Label: "names itself in answers", Value: yes(md.AuthorizationResponseIssParameterSupported)},
	)
	p.Heading("Signatures and encryption")
	p.Fields(
		tty.Field{Label: "ID Token", Value: list(md.IDTokenSigningAlgValuesSupported)},
		tty.Field{Label: "ID Token encrypted", Value: list(md.IDTokenEncryptionAlgValuesSupported)},
		tty.Field{Label: "UserInfo", Value: list(md.UserInfoSigningAlgValuesSupported)},
		tty.Field{Label: "request object", Value: list(md.RequestObjectSigningAlgValuesSupported)},
		tty.Field{Label: "DPoP", Value: list(md.DPoPSigningAlgValuesSupported)},
	)
	p.Heading("Logging out")
	p.Fields(
		tty.Field{Label: "started by us", Value: yes(md.EndSessionEndpoint != "")},
		tty.Field{Label: "back channel", Value: yes(md.BackchannelLogoutSupported)},
		tty.Field{Label: "front channel", Value: yes(md.FrontchannelLogoutSupported)},
		tty.Field{Label: "session iframe", Value: yes(md.CheckSessionIframe != "")},
	)
	odd := doctor.Remarks(*md)
	if len(odd) == 0 {
		p.Printf("\n%s Nothing odd about it.\n", p.Good("ok"))
		return
	}
	p.Heading("Worth knowing")
	for _, o := range odd {
		p.Item(p.Warn("!"), cited(p, o.Text, o.Spec))
	}
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// exactly is cobra.ExactArgs with a message that says what belongs there.
func exactly(n int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < n:
			return usage(cmd, errors.New("expected "+what))
		case len(args) > n:
			return usage(cmd, errors.New(quoted(args[n])+" is one argument too many; expected "+what))
		}
		return nil
	}
}

// atMost is cobra.MaximumNArgs(1) with such a message.
func atMost(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > 1 {
			return usage(cmd, errors.New(quoted(args[1])+" is one argument too many; expected "+what))
		}
		return nil
	}
}
