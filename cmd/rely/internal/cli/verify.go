package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

func (a *app) verifyCommand() *cobra.Command {
	var audiences, scopes, algs []string
	cmd := &cobra.Command{
		Use:     "verify [TOKEN|-]",
		GroupID: groupLook,
		Short:   "Verify an access token, as an API would",
		Long: `Verifies a JWT access token (RFC 9068) of the provider of --issuer for the API of
--audience: its signature, its times, for whom it is and, with --scope, what it
allows. The token is read from standard input; at a terminal, paste it.

A token that is bound to a key or a certificate is told to be so: whoever presents
it to an API must prove that they have it, which is not shown here.

The exit code is 0 if the token is good, and 4 if it is not.`,
		Example: `  rely token | rely verify --issuer https://op.example.com \
      --audience https://api.example.com
  rely verify -i https://op.example.com --audience https://api.example.com \
      --scope read < token.txt`,
		Args: atMost("one token, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if a.flags.issuer == "" || len(audiences) == 0 {
				return usage(cmd, errors.New("--issuer and --audience are needed: whose token is it, and for which API?"))
			}
			raw, err := a.tokenToInspect(args, false, nil)
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			t, err := a.find(ctx, a.flags.issuer, profile.Connection{})
			if err != nil {
				return err
			}
			defer t.provider.Close()
			v, err := oidc.NewAccessTokenVerifier(t.provider, oidc.AccessTokenConfig{Audiences: audiences, Algorithms: algs})
			if err != nil {
				return err
			}
			token, err := v.Verify(ctx, raw, boundTo(raw, a))
			if err != nil {
				return err
			}
			for _, s := range words(scopes) {
				if !token.HasScope(s) {
					return &oidc.ProtocolError{Reason: oidc.BadClaim, Step: oidc.StepAccessToken, Spec: "RFC 6750 3.1", Detail: "the token lacks the scope " + s}
				}
			}
			return a.showAccessToken(token)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&audiences, "audience", nil, "the token must be for the API `NAME`, mostly a URL")
	f.StringSliceVarP(&scopes, "scope", "s", nil, "the token must allow the `SCOPE`")
	f.StringSliceVar(&algs, "alg", nil, "the signature must be by `ALG` (default: what the provider signs ID Tokens with)")
	return cmd
}

// boundTo is the key that a token says it is bound to. It is believed here, where
// nobody presents the token.
func boundTo(raw string, a *app) oidc.Presenter {
	var claims struct {
		Confirmation struct {
			Key         string `json:"jkt"`
			Certificate string `json:"x5t#S256"`
		} `json:"cnf"`
	}
	if json.Unmarshal(oidc.InspectToken(raw, a.Now()).Claims, &claims) != nil {
		return oidc.Presenter{}
	}
	return oidc.Presenter{KeyThumbprint: claims.Confirmation.Key, CertificateThumbprint: claims.Confirmation.Certificate}
}

func (a *app) showAccessToken(t *oidc.AccessToken) error {
	var raw json.RawMessage
	if err := t.Claims(&raw); err != nil {
		return err
	}
	if a.flags.json {
		return a.writeJSON(raw)
	}
	p := a.out
	p.Printf("%s: the token is good, signed with %s.\n\n", p.Good("ok"), t.Algorithm())
	p.Fields(claimFields(raw, a.Now())...)
	var bound []string
	if t.KeyThumbprint != "" {
		bound = append(bound, "a key (DPoP)")
	}
	if t.CertificateThumbprint != "" {
		bound = append(bound, "a certificate")
	}
	if len(bound) > 0 {
		p.Println()
		p.Paragraph(p.Warn(fmt.Sprintf("It is bound to %s: an API accepts it only from who proves to have that.", strings.Join(bound, " and "))), 0)
	}
	return nil
}
