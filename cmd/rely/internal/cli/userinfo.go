package cli

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

func (a *app) userinfoCommand() *cobra.Command {
	var sources []string
	var sourced bool
	cmd := &cobra.Command{
		Use:     "userinfo",
		GroupID: groupUse,
		Short:   "Ask the provider for claims about the user",
		Long: `Asks the UserInfo endpoint (Core 5.3) with the access token, refreshed first if it
must be, and checks that the answer is about the user who logged in.

Claims that other sources make (Core 5.6.2) are resolved with --sourced. Those of
an issuer that --source names are verified; the others are shown as unverified.`,
		Example: `  rely userinfo
  rely userinfo --json | jq -r .email
  rely userinfo --source https://claims.example.com`,
		Args: exactly(0, noArgument),
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			s, err := a.openLoggedIn(ctx)
			if err != nil {
				return err
			}
			_, t, _, err := s.fresh(ctx, defaultMargin, false)
			if err != nil {
				return err
			}
			p, err := s.provider(ctx)
			if err != nil {
				return err
			}
			defer p.Close()
			client, err := s.client(p)
			if err != nil {
				return err
			}
			u, err := client.UserInfo(ctx, t)
			if err != nil {
				return err
			}
			if err := s.sameUser(client, u); err != nil {
				return err
			}
			if !sourced && len(sources) == 0 {
				return a.showUserInfo(u, nil)
			}
			others, err := a.sourcedClaims(ctx, client, u, sources)
			if err != nil {
				return err
			}
			return a.showUserInfo(u, others)
		},
	}
	cmd.Flags().BoolVar(&sourced, "sourced", false, "resolve aggregated and distributed claims too")
	cmd.Flags().StringSliceVar(&sources, "source", nil, "resolve them, and believe those that the issuer `URL` signed")
	return cmd
}

// sourcedClaims resolves the claims of other sources.
func (a *app) sourcedClaims(ctx context.Context, client *oidc.Client, u *oidc.UserInfo, issuers []string) (*oidc.SourcedClaims, error) {
	o := oidc.ClaimSourceOptions{InsecureAllowUnverified: true} // each is shown for what it is
	for _, issuer := range issuers {
		t, err := a.find(ctx, issuer, profile.Connection{})
		if err != nil {
			return nil, wrapf(err, "--source %s", quoted(issuer))
		}
		defer t.provider.Close()
		o.Providers = append(o.Providers, t.provider)
	}
	return client.SourcedClaims(ctx, u, o)
}

func (a *app) showUserInfo(u *oidc.UserInfo, others *oidc.SourcedClaims) error {
	if a.flags.json {
		if others == nil {
			return a.writeJSON(u.Raw())
		}
		failed := make(map[string]string)
		for name, err := range others.Failed {
			failed[name] = explain(err)
		}
		return a.writeJSON(map[string]any{"claims": u.Raw(), "sourced": others.Claims, "failed": failed})
	}
	a.out.Fields(claimFields(u.Raw(), a.Now())...)
	if len(u.Malformed) > 0 {
		a.note("Of the wrong type, and not to be relied on: " + strings.Join(u.Malformed, ", "))
	}
	if others == nil {
		return nil
	}
	if len(others.Claims)+len(others.Failed) == 0 {
		a.note("No claim is of another source.")
		return nil
	}
	a.out.Heading("Of other sources")
	var fields []tty.Field
	for _, name := range slices.Sorted(maps.Keys(others.Claims)) {
		c := others.Claims[name]
		by := a.out.Warn("(unverified)")
		if c.Verified {
			by = a.out.Good("(by " + tty.Clean(c.Issuer) + ")")
		}
		fields = append(fields, tty.Field{Label: tty.Clean(name), Value: claimText(name, c.Value, a.Now()) + " " + by})
	}
	a.out.Fields(fields...)
	for _, name := range slices.Sorted(maps.Keys(others.Failed)) {
		a.out.Item(a.out.Bad("x"), "the source "+tty.Clean(name)+" gave nothing: "+tty.Clean(explain(others.Failed[name])))
	}
	return nil
}
