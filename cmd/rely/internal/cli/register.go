package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/loopback"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

const issuerArgument = "one issuer or identifier, like https://op.example.com"

func (a *app) registerCommand() *cobra.Command {
	var c clientFlags
	cmd := &cobra.Command{
		Use:     "register ISSUER",
		GroupID: groupLogin,
		Short:   "Register a client at a provider, and manage it",
		Long: `Registers a client dynamically (Dynamic Client Registration 1.0, RFC 7591) and
keeps it as a profile. The subcommands read, change and end the registration,
where the provider lets its clients do that (RFC 7592).

rely login registers by itself. Register first to choose more, or to get a
client for an application of yours: with its own redirect URI, and
rely register show --secrets for the secret.`,
		Example: `  rely register https://op.example.com
  rely register https://op.example.com --name "My app" \
      --redirect-uri https://app.example.com/callback --profile my-app
  rely register https://op.example.com \
      --key client.pem --auth-method private_key_jwt
  rely register https://op.example.com --initial-token-file token.txt`,
		Args: exactly(1, issuerArgument+", or show, update or delete"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.registerAt(cmd.Context(), args[0], &c) },
	}
	c.register(cmd)
	cmd.Flags().StringSliceVar(&c.responseTypes, "response-type", nil, "register for the response `TYPE` (default: code)")
	grouped(cmd.Flags(), flagsOfClient, "response-type")
	cmd.AddCommand(a.registerShowCommand(), a.registerUpdateCommand(), a.registerDeleteCommand())
	return cmd
}

func (a *app) registerAt(ctx context.Context, typed string, c *clientFlags) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	t, err := a.targetOf(ctx, typed, c, profile.Connection{})
	if err != nil {
		return err
	}
	defer t.provider.Close()
	name, err := a.newName(store, t.provider.Issuer())
	if err != nil {
		return err
	}
	if _, _, err := store.Vault.Public(name); err == nil {
		return usage(nil, fmt.Errorf("there is a profile %s already: choose another name with --profile, or end that registration with rely register delete --profile %s", name, name))
	} else if !errors.Is(err, vault.ErrNotFound) {
		return err
	}
	uris := c.redirectURIs
	if len(uris) == 0 {
		uris = []string{"http://127.0.0.1" + loopback.DefaultPath}
	}
	p, err := a.enroll(ctx, store, name, t, c, uris, c.responseTypes)
	if err != nil {
		return err
	}
	return a.showRegistration(store, p, false, "Registered")
}

// targetOf finds the OP to register at or log in to.
func (a *app) targetOf(ctx context.Context, typed string, c *clientFlags, saved profile.Connection) (*target, error) {
	var t *target
	var err error
	if c.asking.security != "" {
		saved.Asking.Security = c.asking.security // it says how to connect, too
	}
	// Whom to ask, and about whose tenants, must be known before anybody is asked.
	if err := c.oauth.apply(&saved); err != nil {
		return nil, err
	}
	if c.metadataFile != "" {
		if len(c.tenants.ids) > 0 {
			return nil, usage(nil, errors.New("--tenant and --metadata exclude each other: metadata that is given is that of one issuer"))
		}
		t, err = a.staticProvider(c.metadataFile, saved)
	} else {
		if err := c.tenants.apply(&saved, typed); err != nil {
			return nil, err
		}
		t, err = a.find(ctx, typed, saved)
	}
	if err != nil {
		return nil, err
	}
	if issuer := t.provider.Issuer(); c.metadataFile != "" && typed != "" && !profile.SameIssuer(issuer, typed) {
		t.provider.Close()
		return nil, usage(nil, fmt.Errorf("--metadata is of the issuer %s, not %s", quoted(issuer), quoted(typed)))
	}
	return t, c.apply(&t.connection)
}

// newName is the name of the profile for an issuer: the one asked for, or one
// made of its host.
func (a *app) newName(store *profile.Store, issuer string) (string, error) {
	if a.flags.profile == "" {
		return store.NameFor(issuer)
	}
	if err := vault.CheckName(a.flags.profile); err != nil {
		return "", usage(nil, err)
	}
	return a.flags.profile, nil
}

// enroll registers a client and keeps it, before anything else can fail: the
// secret and the token that manages it are told once.
func (a *app) enroll(ctx context.Context, store *profile.Store, name string, t *target, c *clientFlags, uris, responseTypes []string) (*profile.Profile, error) {
	md := t.provider.Metadata()
	if md.RegistrationEndpoint == "" {
		return nil, &oidc.UnsupportedError{Feature: "dynamic registration",
			Detail: "the provider offers none: register a client on its pages, with the redirect URI " + uris[0] + ", and run rely login with --client-id"}
	}
	token, err := a.secretFrom("initial-token-file", c.initialToken, "RELY_INITIAL_TOKEN", "Initial access token: ")
	if err != nil {
		return nil, err
	}
	m, err := c.wanted(&md, uris, responseTypes)
	if err != nil {
		return nil, err
	}
	unlock, err := store.Vault.Lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer unlock()
	// An interruption may end this, and who reads the trace no more does not.
	_, done := whole(ctx)
	defer done()
	reg, err := t.provider.Register(ctx, m, token)
	if err != nil {
		return nil, err
	}
	p, err := newProfile(name, t, reg, c.metadataFile != "")
	if err != nil {
		return nil, err
	}
	p.Dynamic = true
	if err := store.Save(context.WithoutCancel(ctx), p); err != nil {
		return nil, wrapf(err, "the client %s was registered, and cannot be kept", quoted(reg.ClientID))
	}
	return p, nil
}

func newProfile(name string, t *target, reg *oidc.Registration, static bool) (*profile.Profile, error) {
	raw, err := metadataOf(t.provider.Metadata())
	if err != nil {
		return nil, err
	}
	return &profile.Profile{
		Name: name,
		Facts: profile.Facts{Issuer: t.provider.Issuer(), ClientID: reg.ClientID,
			StaticMetadata: static, Connection: t.connection},
		Registration: reg,
		Metadata:     raw,
	}, nil
}

func (a *app) registerShowCommand() *cobra.Command {
	var secrets, offline bool
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the registration, as the provider has it now",
		Long: `Reads the registration from the provider, where it lets its clients do that, and
shows it. What the provider changed is kept. With --offline nothing is asked.`,
		Example: `  rely register show
  rely register show --profile my-app --secrets --json`,
		Args: exactly(0, "no argument; choose a profile with --profile"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			if !offline && s.profile.Registration.URI != "" {
				if err := s.manage(cmd.Context(), func(ctx context.Context, p *oidc.Provider, r *oidc.Registration) (*oidc.Registration, error) {
					return p.ReadRegistration(ctx, r)
				}); err != nil {
					return err
				}
			}
			return a.showRegistration(s.store, s.profile, secrets, "")
		},
	}
	cmd.Flags().BoolVar(&secrets, "secrets", false, "show the client secret and the registration access token too")
	cmd.Flags().BoolVar(&offline, "offline", false, "show what is kept, without asking the provider")
	return cmd
}

func (a *app) registerUpdateCommand() *cobra.Command {
	var name string
	var uris, types []string
	cmd := &cobra.Command{
		Use:   "update",
		Short: "Change the registration",
		Long:  "Replaces the name, redirect URIs or response types of the client, and leaves the\nrest as it is (RFC 7592 section 2.2).",
		Example: `  rely register update --response-type code --response-type "code id_token"
  rely register update --name "My app"`,
		Args: exactly(0, "no argument; choose a profile with --profile"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if name == "" && len(uris) == 0 && len(types) == 0 {
				return usage(cmd, errors.New("nothing to change: give --name, --redirect-uri or --response-type"))
			}
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			err = s.manage(cmd.Context(), func(ctx context.Context, p *oidc.Provider, r *oidc.Registration) (*oidc.Registration, error) {
				m := r.Metadata
				if name != "" {
					m.ClientName = name
				}
				if len(uris) > 0 {
					m.RedirectURIs, m.ApplicationType = uris, applicationType(uris)
				}
				if len(types) > 0 {
					refresh := slices.Contains(m.GrantTypes, "refresh_token")
					m.ResponseTypes, m.GrantTypes = types, grants(types)
					if refresh {
						m.GrantTypes = append(m.GrantTypes, "refresh_token")
					}
				}
				return p.UpdateRegistration(ctx, r, m)
			})
			if err != nil {
				return err
			}
			return a.showRegistration(s.store, s.profile, false, "Updated")
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "the new name `TEXT`")
	cmd.Flags().StringSliceVar(&uris, "redirect-uri", nil, "the new redirect `URI`; repeat it for several")
	cmd.Flags().StringSliceVar(&types, "response-type", nil, "the new response `TYPE`; repeat it for several")
	return cmd
}

func (a *app) registerDeleteCommand() *cobra.Command {
	var local bool
	cmd := &cobra.Command{
		Use:     "delete",
		Short:   "End the registration and forget the profile",
		Long:    "Ends the registration at the provider (RFC 7592 section 2.3), and then forgets the\nprofile with its tokens. If the provider refuses, the profile stays.",
		Example: `  rely register delete --profile my-app`,
		Args:    exactly(0, "no argument; choose a profile with --profile"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			ctx := cmd.Context()
			unlock, err := s.store.Vault.Lock(ctx, s.profile.Name)
			if err != nil {
				return err
			}
			defer unlock()
			if !local {
				p, err := s.provider(ctx)
				if err != nil {
					return err
				}
				defer p.Close()
				if err := p.DeleteRegistration(ctx, s.profile.Registration); err != nil {
					return wrapf(err, "the registration was not ended (--local forgets the profile all the same)")
				}
			}
			if err := s.store.Vault.Delete(s.profile.Name); err != nil {
				return err
			}
			if a.flags.json {
				return a.writeJSON(map[string]any{"profile": s.profile.Name, "deleted": true})
			}
			a.out.Printf("Deleted the client %s and the profile %s.\n", quoted(s.profile.ClientID), s.profile.Name)
			return nil
		},
	}
	cmd.Flags().BoolVar(&local, "local", false, "forget the profile without telling the provider")
	return cmd
}

// manage runs one call of registration management under the lock of the profile,
// and keeps its result: the OP may change the access token with each call.
func (s *session) manage(ctx context.Context, call func(context.Context, *oidc.Provider, *oidc.Registration) (*oidc.Registration, error)) error {
	p, err := s.provider(ctx)
	if err != nil {
		return err
	}
	defer p.Close()
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	ctx, done := whole(ctx)
	defer done()
	r, err := call(ctx, p, s.profile.Registration)
	if err != nil {
		return err
	}
	s.profile.Registration = r
	return s.store.Save(ctx, s.profile)
}

// showRegistration writes a registration; done says what happened to it.
func (a *app) showRegistration(store *profile.Store, p *profile.Profile, secrets bool, done string) error {
	r := p.Registration
	if a.flags.json {
		v := map[string]any{
			"profile": p.Name, "issuer": p.Issuer, "client_id": r.ClientID, "metadata": r.Metadata,
			"manageable": r.URI != "", "kept": store.Vault.Where(p.Name, p.Sealed()),
		}
		if !r.SecretExpires.IsZero() {
			v["client_secret_expires"] = r.SecretExpires
		}
		if secrets {
			v["client_secret"], v["registration_access_token"], v["registration_client_uri"] = r.Secret, r.AccessToken, r.URI
		}
		return a.writeJSON(v)
	}
	out := a.out
	if done != "" {
		out.Printf("%s %s\n\n", out.Good(done), out.Bold(tty.Clean(r.ClientID)))
	}
	secret := "none: a public client"
	if r.Secret != "" {
		secret = "kept, not shown"
		if secrets {
			secret = tty.Clean(r.Secret)
		}
		if !r.SecretExpires.IsZero() {
			secret += ", expires " + tty.When(r.SecretExpires, a.Now())
		}
	}
	manage := "not offered"
	if r.URI != "" {
		manage = "rely register show, update, delete"
	}
	fields := []tty.Field{
		{Label: "profile", Value: p.Name},
		{Label: "issuer", Value: tty.Clean(p.Issuer)},
		{Label: "client", Value: tty.Clean(r.ClientID)},
		{Label: "name", Value: tty.Clean(r.Metadata.ClientName)},
		{Label: "secret", Value: secret},
		{Label: "authentication", Value: tty.Clean(r.Metadata.TokenEndpointAuthMethod)},
		{Label: "redirect URIs", Value: list(r.Metadata.RedirectURIs)},
		{Label: "response types", Value: list(r.Metadata.ResponseTypes)},
		{Label: "grants", Value: list(r.Metadata.GrantTypes)},
		{Label: "issued", Value: tty.When(r.Issued, a.Now())},
		{Label: "management", Value: manage},
		{Label: "kept in", Value: store.Vault.Where(p.Name, p.Sealed())},
	}
	if secrets {
		fields = append(fields, tty.Field{Label: "management URI", Value: tty.Clean(r.URI)},
			tty.Field{Label: "management token", Value: tty.Clean(r.AccessToken)})
	}
	out.Fields(fields...)
	return nil
}
