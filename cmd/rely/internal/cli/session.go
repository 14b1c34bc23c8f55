package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

// session is a profile at work.
type session struct {
	a       *app
	store   *profile.Store
	profile *profile.Profile
}

// open loads the profile that the flags select.
func (a *app) open(ctx context.Context) (*session, error) {
	s, err := a.store()
	if err != nil {
		return nil, err
	}
	name, err := a.selected(s)
	if err != nil {
		return nil, err
	}
	p, err := s.Load(ctx, name)
	if err != nil {
		return nil, err
	}
	return &session{a, s, p}, nil
}

// selected is the name of the profile that the flags select.
func (a *app) selected(s *profile.Store) (string, error) {
	if name := a.flags.profile; name != "" {
		if err := vault.CheckName(name); err != nil {
			return "", usage(nil, err)
		}
		return name, nil
	}
	name, err := s.Select(a.flags.issuer)
	if errors.Is(err, profile.ErrAmbiguous) {
		return "", usage(nil, err)
	}
	return name, err
}

// openLoggedIn is open for a command that needs tokens.
func (a *app) openLoggedIn(ctx context.Context) (*session, error) {
	s, err := a.open(ctx)
	if err != nil {
		return nil, err
	}
	if !s.profile.HasTokens() {
		return nil, errLogin{fmt.Sprintf("nobody is logged in with the profile %s: run rely login --profile %s", s.profile.Name, s.profile.Name)}
	}
	return s, nil
}

// provider returns the OP of the profile, asked anew for its metadata.
func (s *session) provider(ctx context.Context) (*oidc.Provider, error) {
	c := s.a.reach(s.profile.Connection, hostOf(s.profile.Issuer))
	o, err := s.a.options(c)
	if err != nil {
		return nil, err
	}
	if s.profile.StaticMetadata {
		return s.remembered(o)
	}
	return oidc.Discover(ctx, s.profile.Issuer, o)
}

// remembered returns the OP by the metadata in the profile: nobody is asked.
func (s *session) remembered(o *oidc.Options) (*oidc.Provider, error) {
	md, err := oidc.ParseProviderMetadata(s.profile.Metadata)
	if err != nil {
		return nil, err
	}
	if o.Tenants != nil {
		md.Issuer = s.profile.Issuer // it names a template
	}
	return oidc.NewProvider(md, o)
}

// client returns the client of the profile at p.
func (s *session) client(p *oidc.Provider) (*oidc.Client, error) {
	return newClient(p, s.profile.Registration, s.profile.Connection)
}

// newClient is the client of a registration and a connection.
func newClient(p *oidc.Provider, r *oidc.Registration, c profile.Connection) (*oidc.Client, error) {
	var keys []oidc.Key
	if c.KeyFile != "" {
		k, err := readKey(c.KeyFile)
		if err != nil {
			return nil, err
		}
		k.Alg = r.Metadata.TokenEndpointAuthSigningAlg // an RSA key has several
		keys = append(keys, k)
	}
	config := r.ClientConfig(keys...)
	q, err := parseQuirks(c.Quirks)
	if err != nil {
		return nil, err
	}
	config.Quirks = q
	config.OAuthOnly = oauthOnly(c)
	if err := configure(&config, c.Asking); err != nil {
		return nil, err
	}
	return oidc.NewClient(p, config)
}

func readKey(name string) (oidc.Key, error) {
	b, err := readFile(name)
	if err != nil {
		return oidc.Key{}, usage(nil, wrapf(err, "--key"))
	}
	k, err := oidc.ParseKey(b)
	if err != nil {
		return oidc.Key{}, wrapf(err, "--key %s", name)
	}
	return k, nil
}

// offline returns the client and tokens of the profile without asking anybody.
func (s *session) offline() (*oidc.Client, *oidc.Tokens, error) {
	c := s.a.reach(s.profile.Connection, hostOf(s.profile.Issuer))
	o, err := s.a.options(c)
	if err != nil {
		return nil, nil, err
	}
	p, err := s.remembered(o)
	if err != nil {
		return nil, nil, err
	}
	// Nothing is asked here, so that no profile is broken by metadata that was
	// remembered.
	saved := s.profile.Connection
	saved.Asking.Security = ""
	client, err := newClient(p, s.profile.Registration, saved)
	if err != nil {
		return nil, nil, err
	}
	t, err := client.ImportTokens(s.profile.Tokens)
	return client, t, err
}

// defaultMargin is how long an access token must still live to be handed out.
const defaultMargin = 30 * time.Second

// fresh returns tokens whose access token lives at least for margin, refreshed
// if they must be. With force they are refreshed in any case.
//
// One process refreshes at a time, and who waited for another takes what that
// one got: a refresh token that is used twice looks stolen to an OP that rotates
// them, which then ends the login (hostile catalogue case 335; RFC 9700 section
// 4.14.2).
func (s *session) fresh(ctx context.Context, margin time.Duration, force bool) (*oidc.Client, *oidc.Tokens, bool, error) {
	client, t, err := s.offline()
	if err != nil {
		return nil, nil, false, err
	}
	if !force && t.Valid(s.a.Now(), margin) {
		return client, t, false, nil
	}
	before := s.profile
	unlock, err := s.store.Vault.Lock(ctx, before.Name)
	if err != nil {
		return nil, nil, false, err
	}
	defer unlock()
	if s.profile, err = s.store.Load(ctx, before.Name); err != nil {
		return nil, nil, false, err
	}
	if !s.profile.HasTokens() {
		return nil, nil, false, errLogin{"another process logged out of the profile " + before.Name + ": run rely login"}
	}
	if s.profile.Refreshed != before.Refreshed || !s.profile.LoggedIn.Equal(before.LoggedIn) {
		if client, t, err = s.offline(); err != nil {
			return nil, nil, false, err
		}
		if t.Valid(s.a.Now(), margin) {
			return client, t, false, nil
		}
	}
	if t.RefreshToken == "" {
		if force {
			return nil, nil, false, errLogin{"the provider gave no refresh token: log in again, with --scope offline_access if the provider has it"}
		}
		return nil, nil, false, errLogin{"the access token has expired and there is no refresh token: run rely login"}
	}
	client, t, err = s.refresh(ctx, t)
	return client, t, err == nil, err
}

// whole begins what must not be cut off: an interruption waits, and a trace that
// nobody reads any more (rely refresh --trace 2>&1 | head) does not end the process.
// The context is for that, and the function says that it is done.
func whole(ctx context.Context) (context.Context, func()) {
	pipe := make(chan os.Signal, 1)
	signal.Notify(pipe, syscall.SIGPIPE)
	return context.WithoutCancel(ctx), func() { signal.Stop(pipe) }
}

// refresh asks the OP. The caller holds the lock of the profile.
func (s *session) refresh(ctx context.Context, t *oidc.Tokens) (*oidc.Client, *oidc.Tokens, error) {
	p, err := s.provider(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer p.Close()
	client, err := s.client(p)
	if err != nil {
		return nil, nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, nil, err
	}
	// A disk that is full, or a keychain that is missing, must not cost the refresh
	// token: what can be kept now can be kept again.
	if err := s.store.Save(ctx, s.profile); err != nil {
		return nil, nil, wrapf(err, "not refreshed, since new tokens could not be kept")
	}
	// From here on an interruption waits: the OP may have used up the refresh
	// token when the answer with the next one is cut off. The timeout of the
	// exchange bounds the wait.
	ctx, done := whole(ctx)
	defer done()
	fresh, err := client.Refresh(ctx, t)
	if err != nil {
		var op *oidc.OPError
		if errors.As(err, &op) && op.Code == "invalid_grant" {
			return nil, nil, errLogin{explain(err) + "; the login is over: run rely login"}
		}
		return nil, nil, err
	}
	if err := s.profile.Keep(fresh); err != nil {
		return nil, nil, err
	}
	s.profile.Refreshed++
	s.remember(p)
	// Saved before it is used.
	if err := s.store.Save(ctx, s.profile); err != nil {
		return nil, nil, wrapf(err, "the provider gave new tokens that cannot be kept, so that the next command will need a login")
	}
	return client, fresh, nil
}

// remember keeps the metadata of the OP for work without asking.
func (s *session) remember(p *oidc.Provider) {
	if raw := p.Metadata().Raw; raw != nil && !s.profile.StaticMetadata {
		s.profile.Metadata = raw
	}
}

// lock waits for the lock of the profile, and reads it as it is on disk then.
func (s *session) lock(ctx context.Context) (unlock func(), err error) {
	if unlock, err = s.store.Vault.Lock(ctx, s.profile.Name); err != nil {
		return nil, err
	}
	p, err := s.store.Load(ctx, s.profile.Name)
	if err != nil {
		unlock()
		return nil, err
	}
	s.profile = p
	return unlock, nil
}
