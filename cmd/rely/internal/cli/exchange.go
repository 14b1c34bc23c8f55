package cli

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/oidc"
)

// tokenTypes are the types of RFC 8693 section 3 by short names.
func tokenTypes() map[string]string {
	return map[string]string{
		"access_token": oidc.TypeAccessToken, "refresh_token": oidc.TypeRefreshToken, "id_token": oidc.TypeIDToken,
		"jwt": oidc.TypeJWT, "saml1": oidc.TypeSAML1, "saml2": oidc.TypeSAML2,
	}
}

func (a *app) exchangeCommand() *cobra.Command {
	var service serviceFlags
	var x oidc.TokenExchange
	var own bool
	cmd := &cobra.Command{
		Use:     "exchange [TOKEN|-]",
		GroupID: groupUse,
		Short:   "Exchange a token for one that is for another service",
		Long: `Exchanges a token for another one (RFC 8693), as the client of the profile, or that
of --issuer and --client-id, and prints it. The token is read from standard input;
--own takes the access token of the profile, refreshed first if it must be.
Nothing is kept.

A type of token is access_token, refresh_token, id_token, jwt, saml1, saml2 or a URI.`,
		Example: `  rely exchange --own --audience billing --scope email
  rely exchange -i https://op.example.com \
      --client-id api --client-secret-file secret.txt \
      --resource https://billing.example.com < token.txt`,
		Args: atMost("one token, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if own && (len(args) > 0 || service.clientID != "") {
				return usage(cmd, errors.New("--own takes the token from the profile"))
			}
			x.Scopes, x.Resources = words(service.scopes), service.resources
			return a.exchange(cmd.Context(), args, own, &service, x)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&own, "own", false, "exchange the access token of the profile")
	f.StringVar(&x.SubjectTokenType, "type", "", "the token is of the `TYPE` (default: access_token)")
	f.StringVar(&x.RequestedTokenType, "requested-type", "", "ask for a token of the `TYPE`; another one is refused")
	f.StringSliceVar(&x.Audiences, "audience", nil, "ask for a token for the service `NAME`")
	f.StringSliceVarP(&service.scopes, "scope", "s", nil, "ask for the `SCOPE`")
	f.StringSliceVar(&service.resources, "resource", nil, "ask for a token for the resource `URI` (RFC 8707)")
	f.StringVar(&service.clientID, "client-id", "", "ask as the client `ID` at --issuer, in place of a profile's")
	f.StringVar(&service.secret, "client-secret-file", "", "read its secret from `FILE` (- for standard input, or RELY_CLIENT_SECRET)")
	f.StringVar(&service.authMethod, "auth-method", "", "it authenticates by `METHOD`")
	f.StringVar(&service.key, "key", "", "it signs with the private key in `FILE` (PEM)")
	return cmd
}

func (a *app) exchange(ctx context.Context, args []string, own bool, f *serviceFlags, x oidc.TokenExchange) error {
	if f.clientID != "" && a.flags.issuer == "" {
		return usage(nil, errors.New("--client-id needs --issuer: clients are known at one provider"))
	}
	for _, field := range []*string{&x.SubjectTokenType, &x.RequestedTokenType} {
		if long, ok := tokenTypes()[*field]; ok {
			*field = long
		}
	}
	if own {
		s, err := a.openLoggedIn(ctx)
		if err != nil {
			return err
		}
		_, t, _, err := s.fresh(ctx, defaultMargin, false)
		if err != nil {
			return err
		}
		x.SubjectToken = t.AccessToken
	} else {
		var err error
		if x.SubjectToken, err = a.tokenToInspect(args, false, nil); err != nil {
			return err
		}
	}
	client, err := a.serviceClient(ctx, f)
	if err != nil {
		return err
	}
	defer client.Provider().Close()
	t, err := client.ExchangeToken(ctx, x)
	if err != nil {
		return err
	}
	if !a.flags.json {
		a.out.Println(t.AccessToken)
		return nil
	}
	v := map[string]any{"token": t.AccessToken, "issued_token_type": shortType(t.IssuedTokenType), "token_type": t.TokenType, "scopes": t.Scopes}
	if !t.Expiry.IsZero() {
		v["expiry"] = t.Expiry
	}
	return a.writeJSON(v)
}

// shortType is the short name of a type, where it has one.
func shortType(uri string) string {
	short := strings.TrimPrefix(uri, "urn:ietf:params:oauth:token-type:")
	if slices.Contains([]string{"access_token", "refresh_token", "id_token", "jwt", "saml1", "saml2"}, short) {
		return short
	}
	return uri
}
