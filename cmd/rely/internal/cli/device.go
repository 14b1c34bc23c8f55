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
	"rely.example/oidc"
)

// loginDevice is a login that the user finishes on another device (RFC 8628).
func (a *app) loginDevice(cmd *cobra.Command, typed string, l *loginFlags, params oidc.AuthParams) error {
	// What an authentication request has, and a device authorization has not.
	for _, name := range []string{"response-type", "response-mode", "prompt", "max-age", "login-hint", "acr", "ui-locales", "display", "post"} {
		if cmd.Flags().Changed(name) {
			return usage(cmd, fmt.Errorf("--device and --%s exclude each other", name))
		}
	}
	ctx := cmd.Context()
	store, err := a.store()
	if err != nil {
		return err
	}
	before, t, err := a.loginTarget(ctx, store, typed, l)
	if err != nil {
		return err
	}
	defer t.provider.Close()
	md := t.provider.Metadata()
	if md.DeviceAuthorizationEndpoint == "" {
		return &oidc.UnsupportedError{Feature: "login at another device", Detail: "the provider has no device_authorization_endpoint; try --no-browser"}
	}
	current, reg, err := a.deviceClient(ctx, store, before, t, l)
	if err != nil {
		return err
	}
	client, err := newClient(t.provider, reg, t.connection)
	if err != nil {
		return err
	}
	params.Scopes = l.askedScopes(params.Scopes, before, t.connection)
	login, err := client.BeginDevice(ctx, oidc.DeviceParams{Scopes: params.Scopes, Resources: params.Resources, Extra: params.Extra})
	if err != nil {
		return err
	}
	a.showDevice(login)
	wait, cancel := context.WithTimeoutCause(ctx, l.wait, errTimeout)
	defer cancel()
	tokens, err := client.FinishDevice(wait, login)
	switch {
	case errors.Is(err, oidc.LoginExpired), errors.Is(err, errTimeout):
		return errTimeout
	case err != nil:
		return err
	}
	user, err := identify(ctx, client, current, tokens)
	if err != nil {
		return err
	}
	return a.finish(ctx, store, current, tokens, user)
}

// deviceClient is the client of the flags or of the profile, or one that is
// registered for this grant.
func (a *app) deviceClient(ctx context.Context, store *profile.Store, before *profile.Profile, t *target, l *loginFlags) (*profile.Profile, *oidc.Registration, error) {
	name := ""
	var err error
	if before != nil {
		name = before.Name
	} else if name, err = a.newName(store, t.provider.Issuer()); err != nil {
		return nil, nil, err
	}
	reg, err := a.knownClient(l, before)
	if err != nil {
		return nil, nil, err
	}
	if reg != nil && l.clientID == "" && before != nil && before.Dynamic && !slices.Contains(reg.Metadata.GrantTypes, oidc.GrantDeviceCode) {
		a.note("The client is not registered for this kind of login, so a new client is.")
		reg = nil
	}
	if reg == nil {
		// Some OPs register no client without a redirect URI, and it can log in
		// through a browser too.
		l.client.grants = []string{oidc.GrantDeviceCode}
		uris := l.client.redirectURIs
		if len(uris) == 0 {
			uris = []string{"http://127.0.0.1" + loopback.DefaultPath}
		}
		p, err := a.enroll(ctx, store, name, t, &l.client, uris, []string{"code"})
		if err != nil {
			return nil, nil, err
		}
		return p, p.Registration, nil
	}
	p, err := newProfile(name, t, reg, l.client.metadataFile != "" || before != nil && before.StaticMetadata)
	if err == nil && before != nil && before.ClientID == reg.ClientID {
		p.Dynamic = before.Dynamic
	}
	return p, reg, err
}

// showDevice tells where to go. The code is shown beside the QR code: who scans one
// that somebody else made would log that person in (RFC 8628 section 5.4).
func (a *app) showDevice(l *oidc.DeviceLogin) {
	if l.VerificationURIComplete != "" && a.err.QR(l.VerificationURIComplete) {
		a.err.Println()
		a.err.Paragraph("Scan the code with your telephone, or open this address in a browser:", 0)
		a.err.Printf("\n%s\n\n", a.err.Link(l.VerificationURI))
	} else {
		a.err.Printf("Open this address in a browser, on any device:\n\n%s\n\n", a.err.Link(l.VerificationURI))
	}
	a.err.Printf("The code is %s\n\n%s\n", a.err.Bold(tty.Clean(l.UserCode)),
		a.err.Faint("Expires "+tty.Distance(l.Expiry, a.Now())+". Waiting for the login; Ctrl-C ends it."))
}
