package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/browser"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

func (a *app) revokeCommand() *cobra.Command {
	var local, forget, atOP bool
	cmd := &cobra.Command{
		Use:     "revoke",
		Aliases: []string{"logout"},
		GroupID: groupUse,
		Short:   "Revoke the tokens and forget them",
		Long: `Tells the provider that the tokens are no longer needed (RFC 7009), then forgets
them. The client is kept for the next login, unless --forget-client is given. If
the provider cannot be reached the tokens stay, so that it can be tried again.

rely logout is the same. The provider's own session in your browser goes on, unless
--end-session is given: then your browser is opened at the provider, to end it too
(RP-Initiated Logout 1.0).`,
		Example: `  rely revoke
  rely logout --profile work
  rely logout --end-session        end the session in the browser too
  rely logout --local              forget without telling the provider`,
		Args: exactly(0, noArgument),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.revoke(cmd.Context(), local, forget, atOP) },
	}
	cmd.Flags().BoolVar(&local, "local", false, "forget the tokens without telling the provider")
	cmd.Flags().BoolVar(&atOP, "end-session", false, "open the browser at the provider, to end its own session")
	cmd.Flags().BoolVar(&forget, "forget-client", false, "forget the client and the whole profile too")
	return cmd
}

func (a *app) revoke(ctx context.Context, local, forget, atOP bool) error {
	if local && atOP {
		return usage(nil, errors.New("--local tells the provider nothing, and --end-session does"))
	}
	if local && forget {
		return a.forgetProfile(ctx)
	}
	s, err := a.open(ctx)
	if err != nil {
		return err
	}
	told, end, err := s.end(ctx, local, forget, atOP)
	if err != nil {
		return err
	}
	if a.flags.json {
		v := map[string]any{"profile": s.profile.Name, "revoked": told, "forgotten": true}
		if end != "" {
			v["end_session"] = a.openEndSession(ctx, end)
		}
		return a.writeJSON(v)
	}
	if end != "" {
		a.openEndSession(ctx, end)
	}
	word := "Revoked and forgotten"
	if !told {
		word = "Forgotten"
	}
	a.out.Printf("%s: the tokens of profile %s.\n", word, s.profile.Name)
	return nil
}

// end ends the login, and reports whether the OP was told and, if that is wanted,
// where the browser ends its session. It holds the lock of the profile: a process
// that refreshes at this moment would leave tokens that nobody revokes.
func (s *session) end(ctx context.Context, local, forget, atOP bool) (told bool, end string, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return false, "", err
	}
	defer unlock()
	if atOP {
		if end, err = s.endSessionURL(ctx); err != nil {
			return false, "", err
		}
	}
	if s.profile.HasTokens() && !local {
		if told, err = s.revokeAtOP(ctx); err != nil {
			return false, "", wrapf(err, "not revoked (--local forgets the tokens all the same)")
		}
	}
	if forget {
		return told, end, s.store.Vault.Delete(s.profile.Name)
	}
	s.profile.Forget()
	return told, end, s.store.Save(context.WithoutCancel(ctx), s.profile)
}

// endSessionURL is where the browser ends the session at the OP.
func (s *session) endSessionURL(ctx context.Context) (string, error) {
	p, err := s.provider(ctx)
	if err != nil {
		return "", err
	}
	defer p.Close()
	client, err := s.client(p)
	if err != nil {
		return "", err
	}
	var l oidc.LogoutParams
	if s.profile.HasTokens() {
		t, err := client.ImportTokens(s.profile.Tokens)
		if err != nil {
			return "", err
		}
		l.IDToken = t.IDToken
	}
	r, err := client.Logout(l)
	if err != nil {
		return "", err
	}
	return r.URL(), nil
}

// openEndSession opens the browser there, or shows the address, and reports
// whether it was opened. The address holds the ID Token, which is over.
func (a *app) openEndSession(ctx context.Context, end string) bool {
	o := &browser.Opener{Command: a.Getenv("RELY_BROWSER"), Getenv: a.Getenv}
	if o.Find() == nil && o.Open(ctx, end) == nil {
		return true
	}
	if !a.flags.json {
		a.err.Paragraph("To end the session at the provider too, open this address in your browser:", 0)
		a.err.Printf("\n%s\n\n", a.err.Link(end))
	}
	return false
}

// revokeAtOP reports whether the OP took it. An OP without revocation is no
// reason to keep tokens.
func (s *session) revokeAtOP(ctx context.Context) (bool, error) {
	p, err := s.provider(ctx)
	if err != nil {
		return false, err
	}
	defer p.Close()
	if p.Metadata().RevocationEndpoint == "" {
		s.a.note("The provider has no revocation endpoint: the tokens live until they expire.")
		return false, nil
	}
	client, err := s.client(p)
	if err != nil {
		return false, err
	}
	t, err := client.ImportTokens(s.profile.Tokens)
	if err != nil {
		return false, err
	}
	if t.AccessToken == "" && t.RefreshToken == "" {
		return false, nil
	}
	return true, client.RevokeTokens(ctx, t)
}

// forgetProfile removes a profile without reading it, so that a damaged one can
// be removed too.
func (a *app) forgetProfile(ctx context.Context) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	name, err := a.selected(store)
	if err != nil {
		return err
	}
	if err := a.deleteProfile(ctx, store, name); err != nil {
		return err
	}
	if a.flags.json {
		return a.writeJSON(map[string]any{"profile": name, "revoked": false, "forgotten": true})
	}
	a.out.Printf("Forgotten: the profile %s.\n", name)
	return nil
}

func (a *app) deleteProfile(ctx context.Context, store *profile.Store, name string) error {
	unlock, err := store.Vault.Lock(ctx, name)
	if err != nil {
		return err
	}
	defer unlock()
	return store.Vault.Delete(name)
}
