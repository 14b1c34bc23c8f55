package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/loopback"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

func (a *app) inspectCommand() *cobra.Command {
	var clientID, secretFile, nonce, alg string
	var stored bool
	var tenants tenantFlags
	cmd := &cobra.Command{
		Use:     "inspect [TOKEN|-]",
		GroupID: groupLook,
		Short:   "Explain a token: what it says, and each check with its section",
		Long: `Explains a JWT: its header, its claims with the times made readable, and every
check, passed or failed, with the section that asks for it.

The token is read from standard input, so that it stays out of the shell's
history; at a terminal, paste it. By itself a token's form and times are checked.
With --issuer and --client-id, or a --profile, it is checked as an ID Token of
that provider for that client, signature included.

The exit code is 0 if every check was passed, and 4 if one was not.`,
		Example: `  rely token --id-token | rely inspect
  pbpaste | rely inspect --issuer https://op.example.com --client-id 123
  rely inspect --stored                  the ID Token of the current profile
  rely inspect --json < token.txt | jq '.checks[] | select(.passed | not)'`,
		Args: atMost("one token, or - for standard input"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			switch {
			case (a.given["issuer"] || clientID != "") && (a.flags.issuer == "" || clientID == ""):
				return usage(cmd, errors.New("--issuer and --client-id belong together: an ID Token is checked for one client at one provider"))
			case nonce != "" && clientID == "" && !stored && !a.given["profile"]:
				return usage(cmd, errors.New("--nonce needs --issuer and --client-id, or --profile"))
			}
			var s *session
			var err error
			// A profile from the environment is no wish to check against it.
			byProfile := stored || a.given["profile"] && clientID == ""
			if byProfile {
				if s, err = a.open(ctx); err != nil {
					return err
				}
			}
			raw, err := a.tokenToInspect(args, stored, s)
			if err != nil {
				return err
			}
			var client *oidc.Client
			switch {
			case s != nil:
				p, err := s.provider(ctx)
				if err != nil {
					return err
				}
				defer p.Close()
				if client, err = s.client(p); err != nil {
					return err
				}
			case a.flags.issuer != "" && clientID != "":
				secret, err := a.secretFrom("client-secret-file", secretFile, "RELY_CLIENT_SECRET", "Client secret: ")
				if err != nil {
					return err
				}
				var c profile.Connection
				if err := tenants.apply(&c, a.flags.issuer); err != nil {
					return err
				}
				t, err := a.find(ctx, a.flags.issuer, c)
				if err != nil {
					return err
				}
				defer t.provider.Close()
				client, err = oidc.NewClient(t.provider, oidc.ClientConfig{ID: clientID, Secret: secret, Metadata: oidc.ClientMetadata{
					RedirectURIs: []string{"http://127.0.0.1" + loopback.DefaultPath}, IDTokenSignedResponseAlg: alg}})
				if err != nil {
					return err
				}
			}
			var i *oidc.Inspection
			if client != nil {
				i = client.InspectIDToken(ctx, raw, oidc.ExpectedIDToken{Nonce: nonce})
			} else {
				i = oidc.InspectToken(raw, a.Now())
			}
			if err := a.showInspection(i, client != nil); err != nil {
				return err
			}
			if !i.OK() {
				return quiet{ExitProtocol}
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.StringVar(&clientID, "client-id", "", "check the token as an ID Token for the client `ID`")
	f.StringVar(&secretFile, "client-secret-file", "", "the client's secret is in `FILE`, for a token signed with it (- for standard input, or RELY_CLIENT_SECRET)")
	f.StringVar(&alg, "id-token-alg", "", "expect the signature `ALG` (default: RS256)")
	f.StringVar(&nonce, "nonce", "", "expect the nonce `VALUE`")
	tenants.register(f)
	f.BoolVar(&stored, "stored", false, "inspect the ID Token of the profile")
	return cmd
}

// tokenToInspect is the token of the argument, of standard input, or of the
// profile.
func (a *app) tokenToInspect(args []string, stored bool, s *session) (string, error) {
	if stored {
		if len(args) > 0 {
			return "", usage(nil, errors.New("--stored takes the token from the profile; give no other"))
		}
		if !s.profile.HasTokens() {
			return "", errLogin{"nobody is logged in with the profile " + s.profile.Name}
		}
		_, t, err := s.offline()
		if err != nil {
			return "", err
		}
		if t.IDToken == nil {
			return "", errors.New("the profile has no ID Token")
		}
		return t.IDToken.Raw(), nil
	}
	if len(args) == 1 && args[0] != "-" {
		a.note("A token among the arguments can be read by other users and stays in the shell's history; give it on standard input.")
		return strings.TrimSpace(args[0]), nil
	}
	b, err := a.readSecret("Token (not shown): ")
	if err != nil {
		return "", err
	}
	raw := strings.TrimSpace(string(b))
	if raw == "" {
		return "", usage(nil, errors.New("there is no token on standard input"))
	}
	return raw, nil
}

func (a *app) showInspection(i *oidc.Inspection, full bool) error {
	if a.flags.json {
		type check struct {
			Step   string `json:"step"`
			Title  string `json:"title"`
			Spec   string `json:"spec,omitempty"`
			Passed bool   `json:"passed"`
			Reason string `json:"reason,omitempty"`
			Detail string `json:"detail,omitempty"`
		}
		checks := make([]check, 0, len(i.Checks))
		for _, c := range i.Checks {
			k := check{Step: c.Step, Title: c.Title, Spec: c.Spec, Passed: c.Passed, Detail: c.Detail}
			if !c.Passed {
				k.Reason = string(c.Reason)
			}
			checks = append(checks, k)
		}
		return a.writeJSON(map[string]any{
			"header": orNull(i.Header), "claims": orNull(i.Claims), "checks": checks,
			"ok": i.OK(), "signature_checked": full,
		})
	}
	p := a.out
	if i.Header != nil {
		p.Printf("%s\n", p.Bold("Header"))
		p.Fields(claimFields(i.Header, a.Now())...)
	}
	if i.Claims != nil {
		p.Heading("Claims")
		p.Fields(claimFields(i.Claims, a.Now())...)
	}
	if i.Header != nil {
		p.Println()
	}
	p.Printf("%s\n", p.Bold("Checks"))
	failed := 0
	for _, c := range i.Checks {
		printCheck(p, c, false)
		if !c.Passed {
			failed++
		}
	}
	switch {
	case failed > 0:
		p.Printf("\n%s\n", p.Bad(fmt.Sprintf("%d of %d checks failed: do not believe this token.", failed, len(i.Checks))))
	case full:
		p.Printf("\n%s\n", p.Good(fmt.Sprintf("All %d checks passed.", len(i.Checks))))
	default:
		p.Printf("\n")
		p.Paragraph(p.Warn("The signature was not checked, so anybody can have written this. Give --issuer and --client-id, or --profile, to check it."), 0)
	}
	return nil
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}
