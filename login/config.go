package login

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
)

// Defaults and bounds.
const (
	// DefaultLifetime is how long a session lasts, whatever its user does.
	DefaultLifetime = 12 * time.Hour
	// DefaultIdle is how long a session lasts that nobody uses.
	DefaultIdle = time.Hour
	// MaxLifetime bounds what Config may ask for.
	MaxLifetime = rp.MaxLifetime
	// MaxData bounds Session.Data, in bytes.
	MaxData = 16 << 10
	// MinFresh is the least age of a login that RequireFresh tells from a new
	// one. A login that has just been made is some seconds old.
	MinFresh = time.Minute
)

// Config is what a Manager is made of. It must not change afterwards.
type Config struct {
	// Origin is where browsers reach the application, such as
	// "https://app.example": scheme and host, nothing else. Every URL that is sent
	// to a browser or an OP is made of it, and never of what a request says
	// (Host, X-Forwarded-Host). Required.
	Origin string

	// RP keeps logins and grants. Nil means one that is made of Directory, Store
	// and Keys, with grants that last as long as sessions.
	RP *rp.RP

	// Directory finds the client to use at an issuer. Required if RP is nil or
	// Storeless is set, and not used otherwise.
	Directory rp.Directory

	// Store keeps the sessions, and which logout tokens were seen. Required
	// unless Storeless is set. Processes that share it, and Keys, are one
	// application.
	Store store.Store

	// Keys seal what is stored and what is put in cookies: each at least MinKey
	// random bytes. The first seals, all open, so that a new key is put in front
	// and an old one removed when nothing sealed with it lives any more (Lifetime
	// later). Nil means a random key of this process: after a restart everybody
	// logs in again.
	Keys [][]byte

	// Storeless keeps logins and sessions in sealed cookies, for an application
	// that has no store. What needs a memory is not possible then: a back-channel
	// or front-channel logout, End, renewal of tokens. A logout removes the
	// cookie from the browser; a copy of it lives until its Idle and Lifetime are
	// over. A session that does not fit into a cookie is refused (TooLarge).
	Storeless bool

	// Issuer is where to log in when a request does not say. Empty means the only
	// OP of the directory; if there are several, a page lets the user choose.
	Issuer string

	// AllowIssuer says which issuers strangers may name: as the place to log in,
	// in a third-party-initiated login, in a logout message. Nil means those that
	// the directory can name (rp.RP.Issuers) and their tenants (oidc.Tenants). A
	// rp.Dynamic names none.
	AllowIssuer func(issuer string) bool

	// Paths are where Handler serves what. Zero fields have the defaults.
	Paths Paths

	// Home is the page after a login that names no other, and the link on the
	// pages of this package. Empty means "/".
	Home string

	// LoggedOut is the page after a logout; it should need no session. Empty
	// means a page of this package.
	LoggedOut string

	// Cookie is about the session cookie.
	Cookie Cookie

	// Lifetime is how long a session lasts, whatever its user does. Zero means
	// DefaultLifetime.
	Lifetime time.Duration

	// Idle is how long a session lasts that nobody uses; it is kept to about an
	// eighth of it. Zero means DefaultIdle, negative as long as Lifetime.
	Idle time.Duration

	// Params are the choices of each authentication request; nil means a login
	// with scope openid. issuer is where it will be sent. A redirect URI must be
	// Paths.Callback or below it. An error refuses to begin.
	Params func(r *http.Request, issuer string) (oidc.AuthParams, error)

	// OnLogin is called when a user has logged in and before the session is kept.
	// It may set Session.Data. An error refuses: there is no session then, and
	// the user sees the page for LoginRefused. Nil accepts whoever the OP vouches
	// for.
	OnLogin func(ctx context.Context, s *Session) error

	// OnError answers a request that failed. Nil means a calm page with the
	// status of Status. What an error says is for a log; it holds text that
	// strangers wrote, quoted, and no secret.
	OnError func(w http.ResponseWriter, r *http.Request, err error)

	// Logger is told of what failed, and why, where no OnError is: of pages, and of
	// back-channel logouts, whose sender is told little. What the browser or the
	// OP has done wrong is Info, the rest Error. Nil means slog.Default().
	Logger *slog.Logger

	// SigningKeys are the client's keys; their public halves are served at
	// Paths.JWKS, for clients that are registered with a jwks_uri. Nil serves
	// none.
	SigningKeys []oidc.Key

	// ClientDocument is served at Paths.ClientDocument, whose URL is then the client
	// identifier at OPs that read it there (oidc.ClientDocument,
	// oidc.ClientConfig.IDDocument). Nil serves none.
	ClientDocument *oidc.ClientMetadata

	// InsecureAllowHTTP accepts an Origin with http on a loopback host, for
	// development. Cookies then lack Secure and the __Host- prefix.
	InsecureAllowHTTP bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Paths are where Handler serves what: absolute paths at Origin. Zero fields mean
// the values named.
type Paths struct {
	Login          string // "/auth/login": begins a login (issuer, return_to, acr_values, max_age)
	Callback       string // "/auth/callback", and everything below: where OPs answer
	Logout         string // "/auth/logout": POST ends the session here and at the OP; GET asks
	LogoutReturn   string // "/auth/logout/return": the post_logout_redirect_uri
	BackChannel    string // "/auth/backchannel": the backchannel_logout_uri
	FrontChannel   string // "/auth/frontchannel": the frontchannel_logout_uri
	Initiate       string // "/auth/initiate": the initiate_login_uri
	SessionFrame   string // "/auth/session": watches the session at the OP, in an iframe
	SessionScript  string // "/auth/session.js": puts that iframe into a page
	FragmentScript string // "/auth/fragment.js": of the page at Callback
	JWKS           string // "/auth/jwks.json": the jwks_uri
	RequestObjects string // "/auth/request", all below: request objects that OPs fetch (Core section 6.2)
	ClientDocument string // "/auth/client.json": the client's metadata, where its identifier is a URL
	CIBA           string // "/auth/ciba": the backchannel_client_notification_endpoint
}

// Cookie is about the session cookie. It is always HttpOnly, Secure and
// SameSite=Lax, for the whole host and no other.
type Cookie struct {
	// Name is what follows the prefix __Host-; empty means "rely". Applications
	// that share a host need different ones.
	Name string
	// Persistent keeps the cookie when the browser is closed, until Lifetime is
	// over. Zero means that it goes with the browser.
	Persistent bool
}

// Manager is the web floor of one application. It is safe for concurrent use.
type Manager struct {
	c           Config
	origin      string
	secure      bool
	rp          *rp.RP
	directory   rp.Directory // if Storeless
	reader      *rp.RP       // of the directory, if Storeless; it stores nothing
	ring        ring
	now         func() time.Time
	allow       func(string) bool
	issuer      string   // where to log in without a choice; "" if there is one
	choices     []string // of which to choose
	session     string   // cookie name
	logout      string   // cookie name
	loginPrefix string
	maxLogins   int
	jwks        []byte
	document    []byte // of Config.ClientDocument
	pages       *pages
	log         *slog.Logger
	cache       cache
	looker      store.Looker // the Store, if it is one
}

// New makes a Manager. It reaches neither store nor OP, so that a program starts
// while they are down.
func New(c Config) (*Manager, error) {
	m := &Manager{c: c, now: c.Now, maxLogins: MaxLogins, log: c.Logger}
	if m.log == nil {
		m.log = slog.Default()
	}
	if m.now == nil {
		m.now = time.Now
	}
	if err := m.checkOrigin(); err != nil {
		return nil, err
	}
	if err := m.fillDefaults(); err != nil {
		return nil, err
	}
	var err error
	if m.ring, err = newRing(c.Keys); err != nil {
		return nil, err
	}
	if m.pages, err = newPages(); err != nil {
		return nil, err
	}
	if c.SigningKeys != nil {
		if m.jwks, err = oidc.PublicJWKS(c.SigningKeys...); err != nil {
			return nil, &Error{Reason: BadConfig, Detail: "SigningKeys", Err: err}
		}
	}
	if c.ClientDocument != nil {
		if m.document, err = oidc.ClientDocument(m.origin+m.c.Paths.ClientDocument, *c.ClientDocument); err != nil {
			return nil, &Error{Reason: BadConfig, Detail: "ClientDocument", Err: err}
		}
	}
	if err := m.chooseKeeper(); err != nil {
		return nil, err
	}
	return m, m.chooseIssuers()
}

func (m *Manager) checkOrigin() error {
	u, err := url.Parse(m.c.Origin)
	if err != nil || u.Host == "" || u.Scheme+"://"+u.Host != m.c.Origin || !printable(m.c.Origin) {
		return badConfig("Origin is %.100q, expected scheme and host such as https://app.example", m.c.Origin)
	}
	switch {
	case u.Scheme == "https":
		m.secure = true
	case u.Scheme == "http" && m.c.InsecureAllowHTTP && isLoopback(u.Hostname()):
	default:
		return badConfig("Origin is %.100q, expected https (or http at a loopback host with InsecureAllowHTTP)", m.c.Origin)
	}
	m.origin = m.c.Origin
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (m *Manager) fillDefaults() error {
	c := &m.c
	p := &c.Paths
	for _, d := range []struct {
		path       *string
		name, zero string
	}{
		{&p.Login, "Login", "/auth/login"}, {&p.Callback, "Callback", "/auth/callback"},
		{&p.Logout, "Logout", "/auth/logout"}, {&p.LogoutReturn, "LogoutReturn", "/auth/logout/return"},
		{&p.BackChannel, "BackChannel", "/auth/backchannel"}, {&p.FrontChannel, "FrontChannel", "/auth/frontchannel"},
		{&p.Initiate, "Initiate", "/auth/initiate"}, {&p.SessionFrame, "SessionFrame", "/auth/session"},
		{&p.SessionScript, "SessionScript", "/auth/session.js"}, {&p.FragmentScript, "FragmentScript", "/auth/fragment.js"},
		{&p.JWKS, "JWKS", "/auth/jwks.json"}, {&p.RequestObjects, "RequestObjects", "/auth/request"}, {&p.CIBA, "CIBA", "/auth/ciba"},
		{&p.ClientDocument, "ClientDocument", "/auth/client.json"},
	} {
		if *d.path == "" {
			*d.path = d.zero
		}
		if !localPath(*d.path) || strings.ContainsAny(*d.path, "?#%;") || strings.HasSuffix(*d.path, "/") {
			return badConfig("Paths.%s is %.100q, expected a path such as %s", d.name, *d.path, d.zero)
		}
	}
	all := p.all()
	slices.Sort(all)
	if len(slices.Compact(all)) != len(p.all()) {
		return badConfig("two of Paths are the same")
	}
	if c.Home == "" {
		c.Home = "/"
	}
	for name, page := range map[string]string{"Home": c.Home, "LoggedOut": c.LoggedOut} {
		if page != "" && !localPath(page) {
			return badConfig("%s is %.100q, expected a path", name, page)
		}
	}
	if c.Lifetime == 0 {
		c.Lifetime = DefaultLifetime
	}
	if c.Idle == 0 {
		c.Idle = DefaultIdle
	}
	if c.Lifetime < 0 || c.Lifetime > MaxLifetime {
		return badConfig("Lifetime is %v, expected 0 to %v", c.Lifetime, MaxLifetime)
	}
	if c.Idle < 0 || c.Idle > c.Lifetime {
		c.Idle = c.Lifetime
	}
	name := c.Cookie.Name
	if name == "" {
		name = "rely"
	}
	for _, r := range name {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') || len(name) > 64 {
			return badConfig("Cookie.Name is %.100q, expected letters, digits, - and _", name)
		}
	}
	if m.secure {
		// RFC 6265bis section 4.1.3.2: no other host, and no page without TLS, can
		// set a cookie of such a name.
		name = "__Host-" + name
	}
	m.session, m.logout, m.loginPrefix = name, name+"-logout", name+"-login-"
	return nil
}

// all are the paths, each once.
func (p *Paths) all() []string {
	return []string{p.Login, p.Callback, p.Logout, p.LogoutReturn, p.BackChannel, p.FrontChannel, p.Initiate,
		p.SessionFrame, p.SessionScript, p.FragmentScript, p.JWKS, p.RequestObjects, p.CIBA, p.ClientDocument}
}

// ours reports whether a path is one that Handler serves.
func (m *Manager) ours(path string) bool {
	return slices.Contains(m.c.Paths.all(), path) || strings.HasPrefix(path, m.c.Paths.Callback+"/") || strings.HasPrefix(path, m.c.Paths.RequestObjects+"/")
}

// chooseKeeper decides where logins and sessions are kept.
func (m *Manager) chooseKeeper() error {
	c := &m.c
	if c.Storeless {
		if c.RP != nil || c.Store != nil {
			return badConfig("Storeless excludes RP and Store")
		}
		if c.Directory == nil {
			return badConfig("Directory is nil")
		}
		m.directory = c.Directory
		m.maxLogins = 3 // each holds what the store would
		m.cache.max = maxOpened
		return nil
	}
	if c.Store == nil {
		return badConfig("Store is nil; set Storeless to keep sessions in cookies")
	}
	m.cache.max = maxCached
	m.looker, _ = c.Store.(store.Looker)
	m.rp = c.RP
	if m.rp != nil {
		return nil
	}
	if c.Directory == nil {
		return badConfig("neither RP nor Directory is set")
	}
	keys := c.Keys
	var err error
	m.rp, err = rp.New(rp.Config{Directory: c.Directory, Store: c.Store, Keys: keys, GrantLifetime: c.Lifetime, Now: c.Now})
	return err
}

func (m *Manager) chooseIssuers() error {
	known := m.rp
	if known == nil {
		var err error
		if m.reader, err = rp.New(rp.Config{Directory: m.directory, Store: noStore{}, Now: m.c.Now}); err != nil {
			return err
		}
		known = m.reader
	}
	issuers := known.Issuers()
	m.allow = m.c.AllowIssuer
	if m.allow == nil {
		m.allow = func(issuer string) bool { return slices.Contains(issuers, issuer) }
	}
	m.issuer = m.c.Issuer
	if m.issuer == "" && len(issuers) == 1 {
		m.issuer = issuers[0]
	}
	m.choices = issuers
	return nil
}

// allowed reports whether a stranger may name the issuer.
func (m *Manager) allowed(ctx context.Context, issuer string) bool {
	if len(issuer) > maxIssuer {
		return false
	}
	if m.allow(issuer) {
		return true
	}
	if m.c.AllowIssuer != nil {
		return false
	}
	// The tenants of an OP have issuers of their own (oidc.Tenants).
	for _, op := range m.choices {
		if c, err := m.client(ctx, op); err == nil && c.Provider().Serves(issuer) {
			return true
		}
	}
	return false
}

// Close waits for what the RP has under way, and saves it; see rp.RP.Close. An RP
// that Config gave is closed too, and in Storeless what the Directory has made.
func (m *Manager) Close() error {
	if m.rp == nil {
		return m.reader.Close()
	}
	return m.rp.Close()
}

// Format prints nothing: a Manager holds keys.
func (m *Manager) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login.Manager{Origin:%q}", m.origin)
}

// Format prints no key.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "login.Config{Origin:%q Keys:%d Storeless:%v}", c.Origin, len(c.Keys), c.Storeless)
}

// LogValue is what slog logs: no key.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON writes no key.
func (c Config) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(c)) }

// client finds the client of an issuer.
func (m *Manager) client(ctx context.Context, issuer string) (*oidc.Client, error) {
	if m.rp != nil {
		return m.rp.Client(ctx, issuer)
	}
	c, err := m.directory.Client(ctx, issuer)
	if err == nil && (c == nil || !c.Provider().Serves(issuer)) {
		return nil, badConfig("the directory answered with a client of another issuer")
	}
	if err == nil && !c.OpenID() {
		return nil, &oidc.UnsupportedError{Feature: "a session without OpenID Connect", Detail: "use the client itself: Begin, Finish, UserInfo"}
	}
	return c, err
}

// noStore is for an RP that stores nothing.
type noStore struct{}

var errNoStore = &Error{Reason: Unsupported, Detail: "there is no store"}

func (noStore) Create(context.Context, store.Record) (store.Record, error) {
	return store.Record{}, errNoStore
}
func (noStore) Replace(context.Context, store.Record) (store.Record, error) {
	return store.Record{}, errNoStore
}
func (noStore) Load(context.Context, string) (store.Record, error) {
	return store.Record{}, errNoStore
}
func (noStore) Take(context.Context, string) (store.Record, error) {
	return store.Record{}, errNoStore
}
func (noStore) Delete(context.Context, string) error { return errNoStore }
func (noStore) Tagged(context.Context, string) ([]string, error) {
	return nil, errNoStore
}
