package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"rely.example/cmd/rely/internal/browser"
	"rely.example/cmd/rely/internal/demo"
	"rely.example/cmd/rely/internal/loopback"
	"rely.example/cmd/rely/internal/profile"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/cmd/rely/internal/vault"
	"rely.example/oidc"
)

// loginFlags are the choices of one login.
type loginFlags struct {
	client       clientFlags
	clientID     string
	secretFile   string
	scopes       []string
	scopesGiven  bool
	responseType string
	responseMode string
	prompt       []string
	maxAge       time.Duration
	loginHint    string
	acr          []string
	locales      []string
	display      string
	resources    []string
	params       []string
	details      string
	jarm         bool
	post         bool
	noBrowser    bool
	browser      string
	wait         time.Duration
	device       bool
}

func (a *app) loginCommand() *cobra.Command {
	var l loginFlags
	cmd := &cobra.Command{
		Use:     "login [ISSUER|IDENTIFIER]",
		GroupID: groupLogin,
		Short:   "Log in through your browser, and keep the tokens",
		Long: `Logs in at a provider: opens your browser there, receives the answer at a port of
this machine (RFC 8252), makes every check that OpenID Connect asks for, and
keeps the tokens as a profile: in a file of your own, sealed with a key in the
system's keychain where there is one.

Without --client-id a client is registered, if the provider offers that, and
kept for the next login. Without ISSUER the current profile logs in again.

A client that you register by hand needs the redirect URI
http://127.0.0.1/callback, for any port; if the provider wants a fixed port,
register http://127.0.0.1:8400/callback and log in with --redirect-uri.

On a host without browser, --no-browser shows the address to open elsewhere, and
takes the address that you end up at: copy it from the browser, although it
shows an error, and paste it into the terminal.

With --device the login goes on at another device, such as your telephone (RFC
8628): scan the code, or open the address that is shown and type the code there.
Nothing needs to be received at this machine.

At a provider with one address for many tenants, like Microsoft Entra, --tenant
says whose users may log in. One that does OAuth 2.0 alone, like GitHub, gives no
ID Token: --metadata says where it is, --oauth-user which API knows the user, and
--oauth-id what the user's id is called there.`,
		Example: `  rely login https://op.example.com
  rely login alice@example.com --scope profile,email,offline_access
  rely login https://accounts.google.com \
      --client-id 123 --client-secret-file secret.txt
  rely login https://op.example.com --response-type "code id_token" \
      --response-mode form_post
  rely login https://op.example.com --par --dpop  push the request, bind tokens
  rely login https://op.example.com --security fapi2-security --key client.pem
  rely login https://login.microsoftonline.com/organizations/v2.0 \
      --tenant GUID --client-id 123 --client-secret-file secret.txt
  rely login --metadata github.json --oauth-user https://api.github.com/user \
      --oauth-id id --client-id 123 --client-secret-file secret.txt
  rely login --prompt login --max-age 0s         log in again, with the password
  ssh host rely login https://op.example.com --no-browser
  ssh host rely login https://op.example.com --device`,
		Args: atMost(issuerArgument),
		RunE: func(cmd *cobra.Command, args []string) error {
			typed, err := a.checkIssuerFlag(cmd, args)
			if err != nil {
				return err
			}
			p, err := l.request(cmd)
			if err != nil {
				return err
			}
			if p.LoginHint == "" {
				p.LoginHint = hintOf(typed)
			}
			if l.device {
				return a.loginDevice(cmd, typed, &l, p)
			}
			return a.login(cmd.Context(), typed, &l, p)
		},
	}
	f := cmd.Flags()
	f.StringVar(&l.clientID, "client-id", "", "log in as the client `ID`, registered by hand")
	f.StringVar(&l.secretFile, "client-secret-file", "", "read its secret from `FILE` (- for standard input, or RELY_CLIENT_SECRET)")
	f.StringSliceVarP(&l.scopes, "scope", "s", []string{"profile", "email"}, "ask for the `SCOPE` beside openid")
	f.StringVar(&l.responseType, "response-type", "", "ask for the response `TYPE`: code, id_token, \"id_token token\", \"code id_token\", \"code token\" or \"code id_token token\" (default: code)")
	f.StringVar(&l.responseMode, "response-mode", "", "ask for the answer by `MODE`: query, fragment or form_post; or signed (JARM), jwt, query.jwt, fragment.jwt or form_post.jwt")
	f.BoolVar(&l.jarm, "jarm", false, "ask for a signed answer (JARM), by the usual way: the same as --response-mode jwt")
	f.StringSliceVar(&l.prompt, "prompt", nil, "ask the provider to prompt for `WHAT`: none, login, consent, select_account, create")
	f.DurationVar(&l.maxAge, "max-age", 0, "demand a login at most this `TIME` ago; 0s demands one now")
	f.StringVar(&l.loginHint, "login-hint", "", "tell the provider `WHO` is logging in")
	f.StringSliceVar(&l.acr, "acr", nil, "ask for the authentication context `CLASS`")
	f.StringSliceVar(&l.locales, "ui-locales", nil, "ask for pages in the `LANGUAGE`, like fr-CA")
	f.StringVar(&l.display, "display", "", "ask for pages for a `KIND` of window: page, popup, touch or wap")
	f.StringSliceVar(&l.resources, "resource", nil, "ask for a token for the resource `URI` (RFC 8707)")
	f.StringVar(&l.details, "authorization-details", "", "ask for the authorization details (RFC 9396) in `JSON`, or in a file of that name")
	f.StringArrayVar(&l.params, "param", nil, "send a further parameter `NAME=VALUE`")
	f.BoolVar(&l.post, "post", false, "send the authentication request by POST")
	f.BoolVar(&l.noBrowser, "no-browser", false, "show the address instead of opening it")
	f.StringVar(&l.browser, "browser", "", "open the address with `PROGRAM`, which gets it as its one argument")
	f.BoolVar(&l.device, "device", false, "log in at another device, by a code that is shown here")
	f.DurationVar(&l.wait, "wait", 5*time.Minute, "give the login this `TIME` at most")
	grouped(f, flagsOfClient, "client-id", "client-secret-file")
	grouped(f, flagsOfRequest, "response-type", "response-mode", "jarm", "max-age", "acr", "ui-locales", "display", "resource", "authorization-details", "param", "post")
	l.client.register(cmd)
	return cmd
}

// request are the parameters of the authentication request.
func (l *loginFlags) request(cmd *cobra.Command) (oidc.AuthParams, error) {
	p := oidc.AuthParams{
		Scopes: words(l.scopes), ResponseType: l.responseType, ResponseMode: l.responseMode, Post: l.post,
		Prompt: words(l.prompt), Display: l.display, UILocales: words(l.locales), LoginHint: l.loginHint,
		ACRValues: words(l.acr), Resources: l.resources,
	}
	if l.responseMode != "" && !slices.Contains(responseModes(), l.responseMode) {
		return p, usage(cmd, fmt.Errorf("--response-mode %s is none of %s", quoted(l.responseMode), strings.Join(responseModes(), ", ")))
	}
	if l.responseType != "" && demo.ResponseType(l.responseType) == "" {
		return p, usage(cmd, fmt.Errorf("--response-type %s is none of %s", quoted(l.responseType), strings.Join(demo.ResponseTypes(), ", ")))
	}
	if l.jarm {
		if l.responseMode != "" && l.responseMode != oidc.ModeJWT {
			return p, usage(cmd, errors.New("--jarm and --response-mode "+l.responseMode+" exclude each other"))
		}
		p.ResponseMode = oidc.ModeJWT
	}
	l.scopesGiven = cmd.Flags().Changed("scope")
	if cmd.Flags().Changed("max-age") {
		p.MaxAge = &l.maxAge
	}
	if l.details != "" {
		var err error
		if p.AuthorizationDetails, err = authorizationDetails(l.details); err != nil {
			return p, usage(cmd, wrapf(err, "--authorization-details"))
		}
	}
	if l.wait <= 0 {
		return p, usage(cmd, errors.New("--wait must be more than nothing, as in 5m"))
	}
	for _, kv := range l.params {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return p, usage(cmd, fmt.Errorf("--param %s: expected NAME=VALUE", quoted(kv)))
		}
		if oidc.IsSecret(k) {
			return p, usage(cmd, fmt.Errorf("--param %s: that parameter holds a secret, which does not belong on a command line", k))
		}
		if p.Extra == nil {
			p.Extra = make(url.Values)
		}
		p.Extra.Add(k, v)
	}
	return p, nil
}

// responseModes are those that a login can ask for.
func responseModes() []string {
	return []string{oidc.ModeQuery, oidc.ModeFragment, oidc.ModeFormPost, oidc.ModeJWT, oidc.ModeQueryJWT, oidc.ModeFragmentJWT, oidc.ModeFormPostJWT}
}

// authorizationDetails reads a JSON array of them, or a single one, written there or
// in a file.
func authorizationDetails(s string) ([]oidc.AuthorizationDetail, error) {
	text := []byte(strings.TrimSpace(s))
	if !strings.HasPrefix(string(text), "[") && !strings.HasPrefix(string(text), "{") {
		b, err := readFile(s)
		if err != nil {
			return nil, err
		}
		text = bytes.TrimSpace(b)
	}
	if bytes.HasPrefix(text, []byte("{")) {
		text = slices.Concat([]byte("["), text, []byte("]"))
	}
	var out []oidc.AuthorizationDetail
	if err := json.Unmarshal(text, &out); err != nil {
		return nil, fmt.Errorf("expected a JSON array of objects with a type: %w", err)
	}
	return out, nil
}

// hintOf is what an identifier tells the OP about who logs in (Core section
// 3.1.2.1, login_hint): the user need not type it again.
func hintOf(typed string) string {
	id := strings.TrimPrefix(typed, "acct:")
	if strings.Contains(id, "@") && !strings.ContainsAny(id, ":/") {
		return id
	}
	return ""
}

// words splits values at spaces, so that --scope "a b" means two.
func words(values []string) []string {
	var out []string
	for _, v := range values {
		out = append(out, strings.Fields(v)...)
	}
	return out
}

// login is one login from end to end.
func (a *app) login(ctx context.Context, typed string, l *loginFlags, params oidc.AuthParams) error {
	store, err := a.store()
	if err != nil {
		return err
	}
	before, t, err := a.loginTarget(ctx, store, typed, l)
	if err != nil {
		return err
	}
	defer t.provider.Close()
	name := ""
	if before != nil {
		name = before.Name
	} else if name, err = a.newName(store, t.provider.Issuer()); err != nil {
		return err
	}
	reg, err := a.knownClient(l, before)
	if err != nil {
		return err
	}
	// The port is opened before the client is registered: whether it is one of
	// IPv4 or IPv6 decides the redirect URI.
	listener, redirectURI, err := receiver(ctx, l, reg)
	if err != nil {
		return err
	}
	if listener != nil {
		defer listener.Close()
	}
	current := before
	if reg == nil {
		if current, err = a.enroll(ctx, store, name, t, &l.client, []string{portless(redirectURI, l)}, typesFor(params.ResponseType)); err != nil {
			return err
		}
		reg = current.Registration
	} else if current, err = newProfile(name, t, reg, l.client.metadataFile != "" || before != nil && before.StaticMetadata); err != nil {
		return err
	}
	if before != nil && before.ClientID == reg.ClientID {
		current.Dynamic = before.Dynamic
	}
	client, err := newClient(t.provider, reg, t.connection)
	if err != nil {
		return err
	}
	params.RedirectURI = redirectURI
	params.Scopes = l.askedScopes(params.Scopes, before, t.connection)
	request, err := client.Begin(ctx, params)
	if err != nil {
		return err
	}
	tokens, user, err := a.authenticate(ctx, client, request, listener, current, l)
	if err != nil {
		return err
	}
	return a.finish(ctx, store, current, tokens, user)
}

// finish keeps a login and tells of it. user is who logged in, where no ID Token
// says it.
func (a *app) finish(ctx context.Context, store *profile.Store, p *profile.Profile, t *oidc.Tokens, user *oidc.UserInfo) error {
	if err := p.Keep(t); err != nil {
		return err
	}
	p.LoggedIn = a.Now()
	if err := a.keepLogin(ctx, store, p); err != nil {
		return err
	}
	return a.showLogin(store, p, t, user)
}

// askedScopes are the scopes to ask for, where the flags name asked.
func (l *loginFlags) askedScopes(asked []string, before *profile.Profile, c profile.Connection) []string {
	switch {
	case l.scopesGiven:
		return asked
	case before != nil && len(before.Scopes) > 0:
		// What the last login was granted is asked for again.
		return before.Scopes
	case c.OAuth != nil:
		return nil // the default is of OpenID Connect's
	}
	return asked
}

// loginTarget finds the OP, and the profile that there is for it already.
func (a *app) loginTarget(ctx context.Context, store *profile.Store, typed string, l *loginFlags) (*profile.Profile, *target, error) {
	if typed == "" && l.client.metadataFile == "" {
		s, err := a.open(ctx)
		if err != nil {
			return nil, nil, err
		}
		c := a.reach(s.profile.Connection, hostOf(s.profile.Issuer))
		if err := errors.Join(l.client.tenants.apply(&c, s.profile.Issuer), l.client.apply(&c)); err != nil {
			return nil, nil, err
		}
		s.profile.Connection = c
		p, err := s.provider(ctx)
		return s.profile, &target{p, c, "the issuer"}, err
	}
	saved, err := a.savedConnection(store, typed)
	if err != nil {
		return nil, nil, err
	}
	t, err := a.targetOf(ctx, typed, &l.client, saved)
	if err != nil {
		return nil, nil, err
	}
	issuer := t.provider.Issuer()
	name, err := a.newName(store, issuer)
	if err != nil {
		return nil, nil, err
	}
	p, err := store.Load(ctx, name)
	switch {
	case errors.Is(err, vault.ErrNotFound):
		return nil, t, nil
	case err != nil:
		return nil, nil, err
	case p.Issuer != issuer:
		return nil, nil, usage(nil, fmt.Errorf("the profile %s is of the issuer %s, not %s: choose another name with --profile", name, p.Issuer, issuer))
	}
	if p.Connection.Asking.Security != "" && l.client.asking.security == "" {
		// The profile follows a stricter way to connect.
		t.provider.Close()
		if t, err = a.targetOf(ctx, typed, &l.client, p.Connection); err != nil {
			return nil, nil, err
		}
	}
	// What was allowed for this OP before stays allowed.
	tenants := t.connection.Tenants
	t.connection = a.reach(p.Connection, t.connection.AllowPrivate...)
	if t.connection.Tenants = tenants; tenants == nil {
		t.connection.Tenants = p.Connection.Tenants
	}
	return p, t, l.client.apply(&t.connection)
}

// savedConnection is how the profile of an address reaches its OP, or nothing if
// there is no such profile. What was allowed there need not be said again.
func (a *app) savedConnection(store *profile.Store, address string) (profile.Connection, error) {
	name, err := a.newName(store, address)
	if err != nil {
		return profile.Connection{}, err
	}
	list, err := store.List()
	if err != nil {
		return profile.Connection{}, err
	}
	for _, p := range list {
		if p.Name == name && profile.SameIssuer(p.Issuer, address) {
			return p.Connection, nil
		}
	}
	return profile.Connection{}, nil
}

// knownClient is the client of the flags or of the profile, or nil if one is to
// be registered.
func (a *app) knownClient(l *loginFlags, before *profile.Profile) (*oidc.Registration, error) {
	secret, err := a.secretFrom("client-secret-file", l.secretFile, "RELY_CLIENT_SECRET", "Client secret: ")
	if err != nil {
		return nil, err
	}
	if l.clientID == "" {
		if l.secretFile != "" {
			return nil, usage(nil, errors.New("--client-secret-file needs --client-id"))
		}
		if before == nil {
			return nil, nil
		}
		r := before.Registration
		if before.Dynamic && !r.SecretExpires.IsZero() && a.Now().After(r.SecretExpires) {
			a.note("The client's secret has expired; a new client is registered.")
			return nil, nil
		}
		return r, nil
	}
	if before != nil && before.ClientID != l.clientID {
		return nil, usage(nil, fmt.Errorf("the profile %s is of the client %s: log in as another one under another name, with --profile", before.Name, quoted(before.ClientID)))
	}
	uris := l.client.redirectURIs
	if len(uris) == 0 {
		uris = []string{"http://127.0.0.1" + loopback.DefaultPath, "http://[::1]" + loopback.DefaultPath}
	}
	r := &oidc.Registration{ClientID: l.clientID, Secret: secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: uris, ApplicationType: applicationType(uris),
		TokenEndpointAuthMethod: l.client.authMethod, TokenEndpointAuthSigningAlg: l.client.authAlg,
		IDTokenSignedResponseAlg: l.client.idTokenAlg,
	}}
	if l.responseType != "" {
		r.Metadata.ResponseTypes = []string{l.responseType}
	}
	if l.client.keyFile != "" && l.client.authMethod == "" {
		r.Metadata.TokenEndpointAuthMethod = oidc.AuthPrivateKey
	}
	if before != nil {
		// The same client again: what is not said anew stays.
		if secret == "" {
			r.Secret, r.SecretExpires = before.Registration.Secret, before.Registration.SecretExpires
		}
		if r.Metadata.TokenEndpointAuthMethod == "" {
			r.Metadata.TokenEndpointAuthMethod = before.Registration.Metadata.TokenEndpointAuthMethod
		}
		if len(l.client.redirectURIs) == 0 {
			r.Metadata.RedirectURIs = before.Registration.Metadata.RedirectURIs
			r.Metadata.ApplicationType = before.Registration.Metadata.ApplicationType
		}
		r.URI, r.AccessToken = before.Registration.URI, before.Registration.AccessToken
	}
	return r, nil
}

// receiver opens the port for the answer. It returns no listener where the
// client's redirect URI leads elsewhere: the user then copies the answer.
func receiver(ctx context.Context, l *loginFlags, reg *oidc.Registration) (*loopback.Listener, string, error) {
	candidates := l.client.redirectURIs
	if len(candidates) == 0 && reg != nil {
		candidates = reg.Metadata.RedirectURIs
	}
	usable := slices.DeleteFunc(slices.Clone(candidates), func(u string) bool { return !loopback.Usable(u) })
	if len(candidates) > 0 && len(usable) == 0 {
		return nil, candidates[0], nil
	}
	listener, err := loopback.Listen(ctx, usable...)
	if err != nil {
		return nil, "", err
	}
	return listener, listener.RedirectURI(), nil
}

// portless is the redirect URI to register: without port, since an OP must let a
// native client use any (RFC 8252 section 7.3), unless the user chose one.
func portless(redirectURI string, l *loginFlags) string {
	if len(l.client.redirectURIs) > 0 {
		return l.client.redirectURIs[0]
	}
	u, err := url.Parse(redirectURI)
	if err != nil {
		return redirectURI
	}
	u.Host = strings.TrimSuffix(u.Host, ":"+u.Port())
	return u.String()
}

// typesFor are the response types to register for a login by one of them.
func typesFor(responseType string) []string {
	if responseType == "" || responseType == "code" {
		return []string{"code"}
	}
	return []string{responseType}
}

// authenticate sends the user to the OP and finishes with the answer.
func (a *app) authenticate(ctx context.Context, client *oidc.Client, request *oidc.AuthRequest, listener *loopback.Listener, p *profile.Profile, l *loginFlags) (*oidc.Tokens, *oidc.UserInfo, error) {
	if request.Post() && listener == nil {
		return nil, nil, usage(nil, errors.New("--post needs a redirect URI that can be received here, like http://127.0.0.1/callback"))
	}
	wait, cancel := context.WithTimeoutCause(ctx, l.wait, errTimeout)
	defer cancel()
	if listener != nil {
		var once sync.Once
		listener.Serve(loopback.Login{Request: request, Stray: func(why string) {
			once.Do(func() { a.note("Refused at the port of the login: " + why + ". Still waiting.") })
		}})
	}
	response, tell, err := a.await(wait, request, listener, l)
	if err != nil {
		return nil, nil, err
	}
	// An interruption may end this, and who reads the trace no more does not.
	_, done := whole(ctx)
	defer done()
	var user *oidc.UserInfo
	tokens, err := client.Finish(ctx, request.Pending, response)
	if err == nil {
		user, err = identify(ctx, client, p, tokens)
	}
	tell(err == nil)
	return tokens, user, err
}

// await opens the browser, or shows the address where there is none, and waits
// for the answer at the port or pasted.
func (a *app) await(ctx context.Context, request *oidc.AuthRequest, listener *loopback.Listener, l *loginFlags) (none oidc.AuthResponse, tell func(ok bool), err error) {
	type received struct {
		answer *loopback.Answer
		err    error
	}
	var arrived chan received
	var opened chan error
	var pasted <-chan line
	restore := func() {}
	defer func() { restore() }()
	byHand := func() { pasted, restore = a.showAddress(request, listener) }
	if listener != nil {
		arrived = make(chan received, 1)
		go func() { // ends with ctx
			answer, err := listener.Wait(ctx)
			arrived <- received{answer, err}
		}()
	}
	o := &browser.Opener{Command: l.browser, Getenv: a.Getenv}
	if listener == nil || l.noBrowser || o.Find() != nil {
		byHand()
	} else {
		if !a.flags.json {
			a.err.Printf("Your browser is being opened. If it does not come up, open\n\n%s\n\n%s\n", a.err.Link(listener.StartURL()),
				a.err.Faint("Waiting for the login; Ctrl-C ends it."))
		}
		opened = make(chan error, 1)
		go func() { // ends with the program that opens, or after a moment
			opened <- o.Open(ctx, listener.StartURL())
		}()
	}
	for {
		select {
		case err := <-opened:
			switch {
			case err == nil, ctx.Err() != nil:
			case l.browser != "":
				return none, nil, usage(nil, wrapf(err, "--browser"))
			default:
				a.note("The browser was not opened: " + err.Error())
				byHand()
			}
		case r := <-arrived:
			if r.err != nil {
				return none, nil, r.err
			}
			return r.answer.Response, r.answer.Tell, nil
		case in := <-pasted:
			if in.err != nil {
				return none, nil, in.err
			}
			if strings.TrimSpace(in.text) == "" {
				// Enter alone is no answer; ask again where somebody is there.
				restore()
				pasted, restore = nil, func() {}
				if tty.IsTerminal(a.Stdin) {
					pasted, restore = a.readLine(addressPrompt)
				}
				continue
			}
			response, err := oidc.ReadAuthURL(strings.TrimSpace(in.text))
			if err != nil {
				return none, nil, usage(nil, wrapf(err, "what was pasted is no address that a login ends at"))
			}
			return response, func(bool) {}, nil
		case <-ctx.Done():
			return none, nil, context.Cause(ctx)
		}
	}
}

const addressPrompt = "Address (not shown): "

// showAddress tells where to log in, and begins to read what the user pastes. An
// address that nobody but the user sees may hold the state of the login.
func (a *app) showAddress(request *oidc.AuthRequest, listener *loopback.Listener) (<-chan line, func()) {
	shown := request.URL()
	if request.Post() {
		shown = listener.StartURL()
	}
	a.err.Printf("Open this address in a browser:\n\n%s\n\n", a.err.Link(shown))
	if tty.IsTerminal(a.Stdin) {
		a.err.Paragraph("Then paste the address that you end up at, even if the browser shows an error there.", 0)
		if listener != nil {
			a.err.Paragraph("With a browser on this machine that is not needed.", 0)
		}
	}
	return a.readLine(addressPrompt)
}

// keepLogin saves the profile with its new tokens and makes it the current one.
func (a *app) keepLogin(ctx context.Context, store *profile.Store, p *profile.Profile) error {
	// The tokens are here: an interruption now would lose them.
	ctx = context.WithoutCancel(ctx)
	unlock, err := store.Vault.Lock(ctx, p.Name)
	if err != nil {
		return err
	}
	defer unlock()
	if err := store.Replace(ctx, p); err != nil {
		return wrapf(err, "logged in, and the tokens cannot be kept")
	}
	return store.Vault.SetCurrent(p.Name)
}

func (a *app) showLogin(store *profile.Store, p *profile.Profile, t *oidc.Tokens, user *oidc.UserInfo) error {
	where := store.Vault.Where(p.Name, p.Sealed())
	var std oidc.StandardClaims
	tenant := ""
	switch {
	case user != nil:
		std = user.StandardClaims
	case t.IDToken != nil:
		std = t.IDToken.Standard()
		if p.Connection.Tenants != nil {
			tenant = t.IDToken.Issuer
		}
	}
	if a.flags.json {
		v := map[string]any{
			"profile": p.Name, "issuer": p.Issuer, "client_id": p.ClientID, "subject": p.Subject,
			"scopes": t.Scopes, "renewable": p.Renewable, "kept": where,
		}
		if !t.Expiry.IsZero() {
			v["expiry"] = t.Expiry
		}
		if t.IDToken != nil {
			var claims map[string]any
			if err := t.IDToken.Claims(&claims); err == nil {
				delete(claims, "nonce") // it has done its work, and is masked everywhere else
				v["claims"] = claims
			}
		}
		if user != nil {
			v["claims"] = user.Raw()
		}
		return a.writeJSON(v)
	}
	who := p.Subject
	if std.Name != "" {
		who = std.Name
	} else if std.PreferredUsername != "" {
		who = std.PreferredUsername
	}
	if a.err.Width() > 0 && a.out.Width() > 0 {
		a.err.Println() // after what was told while waiting
	}
	out := a.out
	out.Printf("%s as %s\n\n", out.Good("Logged in"), out.Bold(tty.Clean(who)))
	access := ""
	if t.AccessToken != "" {
		access = "for as long as the provider lets it"
		if !t.Expiry.IsZero() {
			access = "expires " + tty.Distance(t.Expiry, a.Now())
		}
		if p.Renewable {
			access += ", renewed by rely token"
		}
	}
	out.Fields(
		tty.Field{Label: "subject", Value: tty.Clean(p.Subject)},
		tty.Field{Label: "issuer", Value: tty.Clean(p.Issuer)},
		tty.Field{Label: "tenant", Value: tty.Clean(tenant)},
		tty.Field{Label: "client", Value: tty.Clean(p.ClientID)},
		tty.Field{Label: "scopes", Value: tty.Clean(strings.Join(t.Scopes, " "))},
		tty.Field{Label: "access token", Value: access},
		tty.Field{Label: "profile", Value: p.Name},
		tty.Field{Label: "kept in", Value: where},
	)
	return nil
}
