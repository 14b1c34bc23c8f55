package demo

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/store"
)

// choice is what the person chose for one login.
type choice struct {
	// Identifier is what was typed; empty with an OP that was named by its
	// issuer.
	Identifier   string
	ResponseType string // empty means code
	ResponseMode string // empty means the default of the response type
	AskAgain     bool   // the OP must ask for a login though it knows the person
	Push         bool   // the request goes to the OP itself first (RFC 9126)
	Bind         bool   // the tokens are bound to a key of the login (RFC 9449)
	Fault        *oidctest.FaultInfo
}

// target is the OP that the relying party logs in at, and who it is there.
type target struct {
	// dev is the OP of this program; nil for another one.
	dev *oidctest.OP
	// issuer names another OP; empty with dev.
	issuer string
	// static is who the client is at an OP without registration, or one that
	// knows the client already; nil means dynamic registration.
	static      *oidc.Registration
	redirectURI string
	options     oidc.Options // its Trace sees what the record sees
	now         func() time.Time
	store       store.Store // keeps the logins that are under way
}

// registrations keeps what was registered, so that a second login finds the
// client where the first one left it. The zero value is ready to use.
type registrations struct {
	mu   sync.Mutex // guards kept
	kept map[string]*oidc.Registration
}

// maxRegistrations bounds the clients of one session: the kinds that the faults
// ask for.
const maxRegistrations = 8

func (k *registrations) get(key string) *oidc.Registration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.kept[key]
}

func (k *registrations) put(key string, r *oidc.Registration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.kept == nil || len(k.kept) >= maxRegistrations {
		k.kept = make(map[string]*oidc.Registration)
	}
	k.kept[key] = r
}

// login is one login and what follows it. One caller at a time.
type login struct {
	to     *target
	kept   *registrations
	choice choice
	needs  needs
	rec    *record

	opts     *oidc.Options
	provider *oidc.Provider
	client   *oidc.Client
	state    string // of the login in the store that waits for its answer; "" if none does
	authURL  string

	tokens  *oidc.Tokens // nil before the login and after the logout
	user    *oidc.UserInfo
	outcome *outcome // nil while nothing is decided
	failure error    // that outcome tells of; nil if nothing failed
}

// Scopes that the demonstration asks for, so that there is something to see.
func scopes() []string { return []string{"profile", "email", "address", "phone", "offline_access"} }

func newLogin(to *target, kept *registrations, c choice, changed func(change)) *login {
	if c.ResponseType == "" {
		c.ResponseType = "code"
	}
	l := &login{to: to, kept: kept, choice: c, needs: needsOf(c.Fault)}
	l.rec = newRecord(to.now, loginSteps(c), changed)
	opts := to.options
	opts.Trace = oidc.JoinTraces(l.rec.trace(), opts.Trace)
	l.opts = &opts
	return l
}

// close ends what the login holds open.
func (l *login) close() {
	if l.provider != nil {
		l.provider.Close()
	}
}

// start performs the first four steps and returns where the browser must go.
func (l *login) start(ctx context.Context) (authURL string, err error) {
	for _, f := range []func(context.Context) error{l.find, l.register, l.begin} {
		if err := f(ctx); err != nil {
			return "", l.fail(err)
		}
	}
	return l.authURL, nil
}

// find is steps 1 and 2: the issuer and its metadata.
func (l *login) find(ctx context.Context) error {
	issuer := l.to.issuer
	l.rec.begin(l.step(stepFind))
	switch {
	case l.choice.Identifier != "":
		var err error
		if issuer, err = oidc.FindIssuer(ctx, l.choice.Identifier, l.opts); err != nil {
			return err
		}
		if l.to.issuer != "" && issuer != l.to.issuer {
			// The client was registered there, and its secret goes nowhere else.
			return &oidc.InputError{Reason: oidc.BadIdentifier, Field: "identifier",
				Detail: "its people log in at " + issuer + ", and this demonstration at " + l.to.issuer}
		}
		l.rec.end(done, "The issuer is "+issuer)
	default:
		l.rec.end(skipped, "The issuer was named beforehand: "+issuer)
	}
	l.rec.begin(l.step(stepDiscover))
	var err error
	if l.provider, err = oidc.Discover(ctx, issuer, l.opts); err != nil {
		return err
	}
	l.rec.end(done, "The issuer of the metadata is the one that was asked for.")
	return nil
}

// register is step 3.
func (l *login) register(ctx context.Context) error {
	l.rec.begin(l.step(stepRegister))
	key := l.provider.Issuer() + "\x00" + l.needs.client
	reg, note := l.to.static, "The client was registered out of band."
	if reg == nil && (l.choice.Fault == nil || l.choice.Fault.At != oidctest.EndpointRegistration) {
		reg, note = l.kept.get(key), "The client of an earlier login is still registered."
	}
	how := skipped
	if reg == nil {
		var err error
		if reg, err = l.provider.Register(ctx, l.metadata(), ""); err != nil {
			return err
		}
		how, note = done, "The OP knows the client now as "+reg.ClientID
	}
	config := reg.ClientConfig()
	if l.choice.Push {
		config.PAR = oidc.PARAlways
	}
	if l.choice.Bind {
		config.DPoP = oidc.DPoPES256()
		// A token that comes by the browser can be bound to nothing, and the
		// registration has the types that give one.
		config.Metadata.ResponseTypes = []string{l.choice.ResponseType}
	}
	var err error
	if l.client, err = oidc.NewClient(l.provider, config); err != nil {
		return err
	}
	if how == done && l.honest() {
		l.kept.put(key, reg)
	}
	l.rec.end(how, note)
	return nil
}

// honest reports whether nothing that led to the registration was broken on
// purpose, so that it may serve the next login too.
func (l *login) honest() bool {
	f := l.choice.Fault
	return f == nil || f.At != oidctest.EndpointWebFinger && f.At != oidctest.EndpointDiscovery && f.At != oidctest.EndpointRegistration
}

// metadata is what the client says of itself: whatever the menus may ask for.
func (l *login) metadata() oidc.ClientMetadata {
	md := l.provider.Metadata()
	m := oidc.ClientMetadata{
		ClientName:      "The Rely demonstration",
		RedirectURIs:    []string{l.to.redirectURI},
		GrantTypes:      []string{"authorization_code"},
		ApplicationType: "native", // Registration section 2: http on a loopback address
	}
	for _, grant := range []string{"implicit", "refresh_token"} {
		if slices.Contains(md.GrantTypesSupported, grant) {
			m.GrantTypes = append(m.GrantTypes, grant)
		}
	}
	for _, rt := range ResponseTypes() {
		if slices.ContainsFunc(md.ResponseTypesSupported, func(s string) bool { return sameWords(s, rt) }) {
			m.ResponseTypes = append(m.ResponseTypes, rt)
		}
	}
	m.IDTokenSignedResponseAlg = l.needs.idTokenAlg
	m.UserInfoSignedResponseAlg = l.needs.userInfoAlg
	return m
}

// begin is step 4.
func (l *login) begin(ctx context.Context) error {
	l.rec.begin(l.step(stepBegin))
	p := oidc.AuthParams{
		RedirectURI:  l.to.redirectURI,
		ResponseType: l.choice.ResponseType,
		ResponseMode: l.choice.ResponseMode,
		Scopes:       l.scopes(),
		MaxAge:       l.needs.maxAge,
		Claims:       l.needs.claims,
		LoginHint:    l.hint(),
	}
	if l.choice.AskAgain {
		p.Prompt = []string{"login"}
	}
	req, err := l.client.Begin(ctx, p)
	if err != nil {
		return err
	}
	if err := l.keepPending(ctx, req.Pending); err != nil {
		return err
	}
	l.authURL = req.URL()
	l.rec.end(done, "")
	return nil
}

// hint tells the OP who is about to log in: the whole address, or at the OP of
// this program the name alone.
func (l *login) hint() string {
	id := strings.TrimPrefix(l.choice.Identifier, "acct:")
	i := strings.LastIndexByte(id, '@')
	switch {
	case i < 1 || strings.Contains(id, "/"):
		return ""
	case l.to.dev == nil:
		return id
	}
	name, err := url.PathUnescape(id[:i])
	if err != nil {
		return ""
	}
	return name
}

// scopes leaves out what the OP says it does not know, and offline_access where
// no code could get a refresh token (Core section 11).
func (l *login) scopes() []string {
	known := l.provider.Metadata().ScopesSupported
	return slices.DeleteFunc(scopes(), func(s string) bool {
		if s == "offline_access" && !hasWord(l.choice.ResponseType, "code") {
			return true
		}
		return len(known) > 0 && !slices.Contains(known, s)
	})
}

// answer is what the browser brought to the redirect URI.
type answer struct {
	response oidc.AuthResponse
	err      error // of reading it
	// What came, for the diagram, where err left nothing else to show.
	mode   string
	params url.Values
}

// errNoLogin says that an answer came for which no login is under way.
var errNoLogin = errors.New("no login is waiting for an answer: it was finished before, or was never begun in this browser")

// finish is steps 5 and 6: the answer, the code, the ID Token, and who it is.
func (l *login) finish(ctx context.Context, a answer) error {
	p, err := l.takePending(ctx)
	if err != nil {
		return err
	}
	l.rec.begin(l.step(stepFinish))
	if a.err != nil {
		l.rec.front(ctx, oidc.FrontMessage{Step: oidc.StepAuthorization, Response: true, Mode: a.mode, Endpoint: p.RedirectURI, Params: a.params})
		return l.fail(a.err)
	}
	tokens, err := l.client.Finish(ctx, p, a.response)
	if err != nil {
		return l.fail(err)
	}
	l.tokens = tokens
	l.rec.end(done, "The ID Token is "+tokens.IDToken.Issuer+"'s word that this is "+tokens.IDToken.Subject)
	if err := l.askUserInfo(ctx); err != nil {
		return err
	}
	if l.needs.refresh {
		return l.refresh(ctx)
	}
	return nil
}

// askUserInfo is step 6.
func (l *login) askUserInfo(ctx context.Context) error {
	if l.tokens == nil {
		return errNotLoggedIn
	}
	switch {
	case l.tokens.AccessToken == "":
		l.rec.skip(stepUserInfo, "Response type "+l.choice.ResponseType+" gives no access token to ask with; all claims are in the ID Token.")
		l.succeed(stepFinish)
		return nil
	case l.provider.Metadata().UserInfoEndpoint == "":
		l.rec.skip(stepUserInfo, "The OP has no UserInfo endpoint.")
		l.succeed(stepFinish)
		return nil
	}
	l.rec.begin(l.step(stepUserInfo))
	user, err := l.client.UserInfo(ctx, l.tokens)
	if err != nil {
		return l.fail(err)
	}
	l.user = user
	l.rec.end(done, "It is about the same person as the ID Token.")
	l.succeed(stepUserInfo)
	return nil
}

// errNotLoggedIn says that there is nothing to ask with.
var errNotLoggedIn = errors.New("nobody is logged in: log in first")

// refresh gets new tokens.
func (l *login) refresh(ctx context.Context) error {
	if l.tokens == nil {
		return errNotLoggedIn
	}
	l.rec.begin(laterStep(stepRefresh))
	fresh, err := l.client.Refresh(ctx, l.tokens)
	if err != nil {
		var refused *oidc.OPError
		if errors.As(err, &refused) && refused.Code == "invalid_grant" {
			l.tokens.RefreshToken = "" // RFC 6749 section 5.2: it will never work again
		}
		return l.fail(err)
	}
	rotated := "The OP gave no new refresh token; the old one stays."
	if fresh.RefreshToken != l.tokens.RefreshToken {
		rotated = "The refresh token was rotated; the old one is dead."
	}
	l.tokens = fresh
	l.rec.end(done, rotated)
	l.succeed(stepRefresh)
	return nil
}

// revoke ends the tokens at the OP and here.
func (l *login) revoke(ctx context.Context) error {
	if l.tokens == nil {
		return errNotLoggedIn
	}
	l.rec.begin(laterStep(stepRevoke))
	var err error
	if l.provider.Metadata().RevocationEndpoint != "" {
		err = l.client.RevokeTokens(ctx, l.tokens)
	} else {
		l.rec.end(skipped, "The OP has no revocation endpoint; the tokens are forgotten here.")
	}
	l.tokens, l.user = nil, nil // also if the OP could not be told
	if err != nil {
		return l.fail(err)
	}
	if l.provider.Metadata().RevocationEndpoint != "" {
		l.rec.end(done, "")
	}
	l.succeed(stepRevoke)
	return nil
}

// step is the text of one of the six steps, as it is for the choice.
func (l *login) step(id stepID) step {
	for _, s := range loginSteps(l.choice) {
		if s.ID == id {
			return s
		}
	}
	return laterStep(id)
}
