package cli

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
)

const noArgument = "no argument; choose a profile with --profile or --issuer"

func (a *app) refreshCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "refresh",
		GroupID: groupUse,
		Short:   "Get new tokens now",
		Long: `Gets new tokens by the refresh token (Core 12) and keeps them. Two of these at a
time refresh once. rely token refreshes by itself when it must.`,
		Example: `  rely refresh
  rely refresh --profile work --json`,
		Args: exactly(0, noArgument),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.openLoggedIn(cmd.Context())
			if err != nil {
				return err
			}
			_, t, did, err := s.fresh(cmd.Context(), 0, true)
			if err != nil {
				return err
			}
			if a.flags.json {
				v := map[string]any{"profile": s.profile.Name, "refreshed": did, "scopes": t.Scopes, "renewable": t.RefreshToken != ""}
				if !t.Expiry.IsZero() {
					v["expiry"] = t.Expiry
				}
				return a.writeJSON(v)
			}
			word := "Refreshed"
			if !did {
				word = "Refreshed by another process"
			}
			a.out.Printf("%s; the access token expires %s.\n", a.out.Good(word), expiryText(t.Expiry, a.Now()))
			return nil
		},
	}
}

func expiryText(t, now time.Time) string {
	if t.IsZero() {
		return "when the provider lets it"
	}
	return tty.Distance(t, now)
}

func (a *app) tokenCommand() *cobra.Command {
	var idToken bool
	var valid time.Duration
	var service serviceFlags
	cmd := &cobra.Command{
		Use:     "token",
		GroupID: groupUse,
		Short:   "Print a fresh access token, for scripts",
		Long: `Prints the access token and nothing else, refreshed first if it expires within
--valid. Many of these at a time refresh once. If the login is over it exits with
code 7 and prints nothing.

With --client-credentials it prints a token for the client itself, of a profile or
of --issuer and --client-id.`,
		Example: `  curl -H "Authorization: Bearer $(rely token)" https://api.example.com/
  rely token --valid 10m > /dev/null || rely login
  rely token --id-token | rely inspect
  rely token --client-credentials -i https://op.example.com \
      --client-id jobs --client-secret-file secret.txt`,
		Args: exactly(0, noArgument),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if valid < 0 {
				return usage(cmd, errors.New("--valid must not be negative"))
			}
			if err := service.check(a, cmd); err != nil {
				return err
			}
			if service.on {
				t, err := a.serviceToken(cmd.Context(), &service)
				if err != nil {
					return err
				}
				return a.printToken("access_token", t.AccessToken, t.Expiry)
			}
			s, err := a.openLoggedIn(cmd.Context())
			if err != nil {
				return err
			}
			if idToken {
				_, t, err := s.offline()
				if err != nil {
					return err
				}
				if t.IDToken == nil {
					return errors.New("the profile has no ID Token")
				}
				return a.printToken("id_token", t.IDToken.Raw(), t.IDToken.Expiry)
			}
			_, t, _, err := s.fresh(cmd.Context(), valid, false)
			if err != nil {
				return err
			}
			if t.AccessToken == "" {
				return errors.New("the login gave no access token: its response type was id_token")
			}
			if t.DPoP != nil {
				a.note("The token is bound to a key of this profile (DPoP): it is of no use to another program.")
			}
			return a.printToken("access_token", t.AccessToken, t.Expiry)
		},
	}
	service.register(cmd.Flags())
	cmd.Flags().BoolVar(&idToken, "id-token", false, "print the ID Token of the login instead, as it is")
	cmd.Flags().DurationVar(&valid, "valid", defaultMargin, "the token must live for this `TIME` at least")
	return cmd
}

func (a *app) printToken(kind, token string, expiry time.Time) error {
	if a.flags.json {
		v := map[string]any{kind: token}
		if !expiry.IsZero() {
			v["expiry"] = expiry
		}
		return a.writeJSON(v)
	}
	a.out.Println(token)
	return nil
}

func (a *app) profilesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "profiles",
		Aliases: []string{"status"},
		GroupID: groupUse,
		Short:   "List the profiles, and who is logged in",
		Long: `Lists what is kept: for each profile its provider, its user and how long its access
token lives. No secret is shown, and nobody is asked. The current profile, which
commands use unless told otherwise, has a star.`,
		Example: `  rely profiles
  rely profiles use work
  rely profiles --json | jq -r '.[].issuer'`,
		Args: exactly(0, "no argument, or use NAME"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			store, err := a.store()
			if err != nil {
				return err
			}
			list, err := store.List()
			if err != nil {
				return err
			}
			if a.flags.json {
				return a.writeJSON(list)
			}
			a.showProfiles(list)
			return nil
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use:     "use NAME",
		Short:   "Make a profile the current one",
		Long:    "Makes a profile the one that commands use unless told otherwise.",
		Example: "  rely profiles use work",
		Args:    exactly(1, "the name of a profile; rely profiles lists them"),
		RunE: func(cmd *cobra.Command, args []string) error {
			store, err := a.store()
			if err != nil {
				return err
			}
			if err := vault.CheckName(args[0]); err != nil {
				return usage(cmd, err)
			}
			if _, _, err := store.Vault.Public(args[0]); err != nil {
				return wrapf(err, "profile %s", quoted(args[0]))
			}
			if err := store.Vault.SetCurrent(args[0]); err != nil {
				return err
			}
			if a.flags.json {
				return a.writeJSON(map[string]any{"profile": args[0], "current": true})
			}
			a.out.Printf("The current profile is %s.\n", a.out.Bold(args[0]))
			return nil
		},
	})
	return cmd
}

func (a *app) showProfiles(list []profile.Summary) {
	if len(list) == 0 {
		a.out.Println("There is no profile yet. Log in: rely login ISSUER")
		return
	}
	var rows [][]string
	for _, p := range list {
		mark := "  "
		if p.Current {
			mark = a.out.Good("* ")
		}
		state := a.out.Faint("logged out")
		switch {
		case p.Problem != "":
			state = a.out.Bad("unreadable")
		case p.LoggedIn.IsZero():
		case !p.Expiry.IsZero() && p.Expiry.Before(a.Now()) && p.Renewable:
			state = "expired, renewable"
		case !p.Expiry.IsZero() && p.Expiry.Before(a.Now()):
			state = a.out.Warn("expired")
		case p.Expiry.IsZero():
			state = a.out.Good("logged in")
		default:
			state = a.out.Good("valid for " + tty.Span(p.Expiry.Sub(a.Now())))
			if p.Renewable {
				state += ", renewable"
			}
		}
		rows = append(rows, []string{mark + a.out.Bold(p.Name), tty.Clean(p.Issuer), tty.Clean(p.Subject), state})
	}
	a.out.Table([]string{"  PROFILE", "ISSUER", "SUBJECT", "STATE"}, rows)
	for _, p := range list {
		if p.Problem != "" {
			a.note(p.Name + ": " + p.Problem)
		}
	}
}
