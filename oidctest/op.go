package oidctest

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// OP is a running OpenID Provider. Its methods may be called at any time from
// any goroutine.
type OP struct {
	// Issuer is the issuer identifier, without a final slash unless
	// [Config.TrailingSlash] is set.
	Issuer string

	// Host is the host of the issuer, with its port if it has one.
	Host string

	c     Config
	site  *site
	table []behaviour // every fault, in the order of Faults
	tb    TB          // nil outside a test

	mu sync.Mutex // guards everything below

	offset  time.Duration // how far Advance has moved the clock
	users   []User
	clients map[string]*registered
	order   []string // client identifiers as they were added

	keys *keyring

	codes     shelf[*code]
	access    shelf[*accessToken]
	refresh   shelf[*refreshToken]
	sessions  shelf[*session]
	pending   shelf[*authRequest] // requests whose login page is shown
	pushed    shelf[url.Values]   // requests that were pushed, by request_uri
	sources   shelf[*grant]       // access tokens of distributed claims
	questions shelf[*question]    // what people decide about while a client waits
	jtis      shelf[bool]         // client assertions that were used
	consents  shelf[bool]         // what a person let a client see
	proofs    shelf[bool]         // jti of DPoP proofs that were used

	dpopNonce string // the one that proofs must have; "" until it is asked for

	broken     map[Fault]bool
	tamper     tampering
	intercepts map[Endpoint]http.HandlerFunc

	logoutFaults []LogoutFault // of the logout tokens that are sent when a session ends

	log      []Request
	logBytes int
	dropped  int // requests that are no longer in the log
}

// New starts an OP for a test, with TLS on a free port of 127.0.0.1, and
// closes it with the test. It fails the test if the OP cannot start.
func New(t TB) *OP {
	t.Helper()
	return NewWith(t, Config{})
}

// NewWith is [New] with a configuration.
func NewWith(t TB, c Config) *OP {
	t.Helper()
	op, err := start(c, t)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := op.Close(); err != nil {
			t.Logf("oidctest: close: %v", err)
		}
	})
	return op
}

// Start starts an OP outside a test. The caller closes it.
func Start(c Config) (*OP, error) { return start(c, nil) }

func start(c Config, tb TB) (*OP, error) {
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	s, err := newSite(c)
	if err != nil {
		return nil, err
	}
	op, err := s.add(c, tb)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	s.serve()
	return op, nil
}

// Tenant adds another OP at the same host and port, as providers do that serve
// many customers; c.Path tells the two apart. Fields of c that concern the
// socket are not used. It is closed with op.
func (op *OP) Tenant(c Config) (*OP, error) {
	c.Issuer = ""
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	return op.site.add(c, op.tb)
}

// Close stops the OP and every tenant at its host, ends the context of the
// requests that are being served, and waits until nothing of it runs. A second
// Close does nothing.
func (op *OP) Close() error { return op.site.close() }

// Handler returns the OP as an http.Handler, for embedding it in another
// server; see [Config.Issuer]. It expects to be served at the root of the
// host, since the well-known documents live there.
func (op *OP) Handler() http.Handler { return op.site }

// HTTPClient returns a client that trusts the certificate of the OP, reaches
// it by every name of [Config.Hosts], and follows no redirect. It has no
// timeout and no cookies. Each call returns a client of its own.
func (op *OP) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     op.site.transport(),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Certificate returns the certificate to trust, or nil if the OP does not
// serve TLS itself.
func (op *OP) Certificate() *x509.Certificate { return op.site.root }

// Now returns the time at the OP.
func (op *OP) Now() time.Time {
	op.mu.Lock()
	defer op.mu.Unlock()
	return op.now()
}

// now is Now for a caller that holds op.mu.
func (op *OP) now() time.Time { return op.c.Now().Add(op.offset) }

// Advance moves the clock of the OP by d, so that what it issued expires.
func (op *OP) Advance(d time.Duration) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.offset += d
}

// AddUser lets one more person log in; one with the same Username is replaced.
func (op *OP) AddUser(u User) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.addUser(u)
}

func (op *OP) addUser(u User) {
	if u.Sub == "" {
		u.Sub = "sub-" + base64.RawURLEncoding.EncodeToString([]byte(u.Username))
	}
	if i := slices.IndexFunc(op.users, func(o User) bool { return o.Username == u.Username }); i >= 0 {
		op.users[i] = u
		return
	}
	op.users = append(op.users, u)
}

// Users returns the people who can log in; the first is the default.
func (op *OP) Users() []User {
	op.mu.Lock()
	defer op.mu.Unlock()
	return slices.Clone(op.users)
}

// user finds a person by username, subject, or the email address that
// login_hint may hold. The caller holds op.mu.
func (op *OP) user(name string) (User, bool) {
	if name == "" {
		return User{}, false
	}
	for _, u := range op.users {
		if u.Username == name || u.Sub == name || (u.Email != "" && strings.EqualFold(u.Email, name)) {
			return u, true
		}
	}
	return User{}, false
}

// URL returns the URL of an endpoint; empty for [EndpointNone].
func (op *OP) URL(e Endpoint) string {
	at := strings.TrimSuffix(op.Issuer, "/")
	switch e {
	case EndpointWebFinger:
		return strings.TrimSuffix(at, op.c.Path) + webFingerPath
	case EndpointDiscovery:
		return at + discoveryPath // Discovery 1.0, section 4.1: without a final slash before it
	case EndpointResource:
		return op.resourceMetadataURL(EndpointAccounts)
	}
	if p, ok := op.paths()[e]; ok {
		return at + p
	}
	return ""
}

// paths is where the endpoints are, below the path of the issuer.
func (op *OP) paths() map[Endpoint]string {
	m := endpointPaths()
	if op.c.JWKSPath != "" {
		m[EndpointJWKS] = op.c.JWKSPath
	}
	return m
}

const (
	webFingerPath = "/.well-known/webfinger"
	discoveryPath = "/.well-known/openid-configuration"       // Discovery 1.0, section 4.1: after the path
	metadataPath  = "/.well-known/oauth-authorization-server" // RFC 8414, section 3.1: before the path
	resourcePath  = "/.well-known/oauth-protected-resource"   // RFC 9728, section 3.1: before the path
)

func endpointPaths() map[Endpoint]string {
	return map[Endpoint]string{
		EndpointJWKS:          "/jwks",
		EndpointRegistration:  "/register",
		EndpointManagement:    "/register/",
		EndpointPAR:           "/par",
		EndpointAuthorization: "/authorize",
		EndpointToken:         "/token",
		EndpointUserInfo:      "/userinfo",
		EndpointClaims:        "/claims",
		EndpointAccounts:      "/accounts",
		EndpointDevice:        "/device_authorization",
		EndpointVerification:  "/device",
		EndpointBackchannel:   "/backchannel",
		EndpointRevocation:    "/revoke",
		EndpointIntrospection: "/introspect",
		EndpointEndSession:    "/logout",
		EndpointCheckSession:  "/check_session",
	}
}

// endpoint says which endpoint a path is.
func (op *OP) endpoint(path string) Endpoint {
	switch path {
	case webFingerPath:
		return EndpointWebFinger
	case op.c.Path + discoveryPath, metadataPath + op.c.Path:
		return EndpointDiscovery
	case op.resourceMetadataPath(EndpointAccounts), op.resourceMetadataPath(EndpointUserInfo):
		return EndpointResource
	case op.c.Path + loginPath:
		return EndpointAuthorization
	}
	for e, p := range op.paths() {
		if path == op.c.Path+p || (e == EndpointManagement && strings.HasPrefix(path, op.c.Path+p)) {
			return e
		}
	}
	return EndpointNone
}

// random returns n random bytes in base64url. The caller holds op.mu.
func (op *OP) random(n int) string {
	b := make([]byte, n)
	if _, err := io.ReadFull(op.c.rand, b); err != nil {
		rand.Read(b) // crypto/rand.Read never fails
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

// site is one host and port with the OPs that live there.
type site struct {
	scheme, host string // host with port
	names        []string
	embedded     bool // served by the caller

	listener net.Listener
	memory   *memoryListener
	server   *http.Server

	mtls         MTLSMode
	mtlsHost     string // host with port where clients show a certificate; empty: no second one
	mtlsListener net.Listener
	mtlsMemory   *memoryListener
	mtlsServer   *http.Server

	root      *x509.Certificate
	cert      tls.Certificate
	served    sync.WaitGroup     // the accept loop and the requests
	stop      context.CancelFunc // ends the replies that never end
	ctx       context.Context
	closeOnce sync.Once
	closeErr  error

	mu         sync.Mutex // guards everything below
	closing    bool
	ops        []*OP
	transports []*http.Transport
}

func newSite(c Config) (*site, error) {
	s := &site{scheme: "https", names: c.Hosts, mtls: c.MTLS}
	s.ctx, s.stop = context.WithCancel(context.Background())
	switch {
	case c.Issuer != "":
		u, err := url.Parse(c.Issuer)
		if err != nil {
			return nil, fmt.Errorf("oidctest: issuer: %w", err)
		}
		s.scheme, s.host, s.embedded = u.Scheme, u.Host, true
		return s, nil
	case c.InMemory:
		s.memory = newMemoryListener()
		s.listener, s.host = s.memory, memoryHost
	default:
		l, err := net.Listen("tcp", c.Addr)
		if err != nil {
			return nil, fmt.Errorf("oidctest: listen: %w", err)
		}
		s.listener = l
		s.host = l.Addr().String()
		if host, port, err := net.SplitHostPort(s.host); err == nil {
			if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
				s.host = net.JoinHostPort("localhost", port)
			}
		}
	}
	if c.PlainHTTP {
		s.scheme = "http"
	} else {
		var err error
		from, until := certificateSpan()
		if s.root, s.cert, err = newCertificate(s.certificateNames(), from, until); err != nil {
			return nil, errors.Join(err, s.listener.Close())
		}
	}
	s.server = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: readHeaderTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// A test that breaks TLS on purpose would fill the terminal.
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return s.ctx },
	}
	if err := s.listenMTLS(c); err != nil {
		return nil, errors.Join(err, s.listener.Close())
	}
	return s, nil
}

const (
	readHeaderTimeout = 10 * time.Second
	idleTimeout       = 2 * time.Minute
	maxHeader         = 64 << 10
	maxBody           = 1 << 20
)

// add puts an OP at the site.
func (s *site) add(c Config, tb TB) (*OP, error) {
	if c.rand == nil {
		c.rand = rand.Reader
	}
	op := &OP{
		Issuer: s.scheme + "://" + s.host + c.Path, Host: s.host,
		c: c, site: s, tb: tb, table: everyFault(),
		clients: map[string]*registered{}, broken: map[Fault]bool{}, intercepts: map[Endpoint]http.HandlerFunc{},
		keys: c.keys,
	}
	if c.TrailingSlash {
		op.Issuer += "/"
	}
	if op.keys == nil {
		op.keys = newKeyring(c.RSAKey, c.RotatedRSAKeys)
	}
	for _, u := range c.Users {
		if u.Username == "" {
			return nil, errors.New("oidctest: a user has no Username")
		}
		op.addUser(u)
	}
	if len(op.users) == 0 {
		return nil, errors.New("oidctest: Users is empty; nobody could log in")
	}
	for _, client := range c.Clients {
		op.AddClient(client)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, o := range s.ops {
		if o.c.Path == c.Path {
			return nil, fmt.Errorf("oidctest: two providers with the issuer %s", op.Issuer)
		}
	}
	s.ops = append(s.ops, op)
	return op, nil
}

func (s *site) serve() {
	if s.embedded {
		return
	}
	l := s.listener
	if s.scheme == "https" {
		ask := tls.NoClientCert
		if s.mtls == MTLSEverywhere {
			ask = tls.RequestClientCert
		}
		l = tls.NewListener(l, s.tlsConfig(ask))
	}
	if s.mtlsServer != nil {
		s.served.Go(func() {
			_ = s.mtlsServer.Serve(tls.NewListener(s.mtlsListener, s.tlsConfig(tls.RequireAnyClientCert))) // ends with http.ErrServerClosed
		})
	}
	s.served.Go(func() {
		_ = s.server.Serve(l) // ends with http.ErrServerClosed
	})
}

func (s *site) close() error {
	s.closeOnce.Do(func() {
		s.mu.Lock()
		s.closing = true
		transports := s.transports
		s.transports = nil
		s.mu.Unlock()
		s.stop()
		for _, t := range transports {
			t.CloseIdleConnections()
		}
		if s.server != nil {
			s.closeErr = s.server.Close()
		}
		if s.mtlsServer != nil {
			s.closeErr = errors.Join(s.closeErr, s.mtlsServer.Close())
		}
		s.served.Wait()
	})
	return s.closeErr
}

// transport reaches the site whatever name it is called by.
func (s *site) transport() *http.Transport {
	t := &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: idleTimeout}
	if s.root != nil {
		pool := x509.NewCertPool()
		pool.AddCert(s.root)
		t.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	var d net.Dialer
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		switch {
		case s.mtlsMemory != nil && hostname(addr) == memoryMTLSHost:
			return s.mtlsMemory.dial(ctx)
		case s.memory != nil && s.answersFor(addr):
			return s.memory.dial(ctx)
		case s.listener != nil && s.answersFor(addr):
			addr = s.listener.Addr().String()
		}
		return d.DialContext(ctx, network, addr)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transports = append(s.transports, t)
	return t
}

// fetcher is the client for what relying parties refer to. It keeps no
// connection, so that there is none to close.
func fetcher() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// answersFor reports whether addr, a host and port, is a name of the site.
func (s *site) answersFor(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		host = addr
	}
	return slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, host) }) ||
		strings.EqualFold(host, hostname(s.host)) && s.memory != nil
}

// certificateNames are what the certificate of the site is good for.
func (s *site) certificateNames() []string {
	return append([]string{hostname(s.host), memoryMTLSHost, "localhost", "127.0.0.1", "::1"}, s.names...)
}

// hostname is a host without its port.
func hostname(host string) string {
	if h, _, err := net.SplitHostPort(host); err == nil {
		return h
	}
	return host
}

// tenant finds the OP that serves a request: the one that WebFinger asks about,
// or the one whose path is the longest that fits.
func (s *site) tenant(r *http.Request) *OP {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := r.URL.Path
	switch {
	case path == webFingerPath:
		if u, err := url.Parse(r.URL.Query().Get("resource")); err == nil && u.Host != "" {
			path = u.Path
		}
	case strings.HasPrefix(path, metadataPath):
		path = strings.TrimPrefix(path, metadataPath)
	case strings.HasPrefix(path, resourcePath):
		path = strings.TrimPrefix(path, resourcePath)
	}
	best := s.ops[0]
	found := false
	for _, o := range s.ops {
		if path != o.c.Path && !strings.HasPrefix(path, o.c.Path+"/") {
			continue
		}
		if !found || len(o.c.Path) > len(best.c.Path) {
			best, found = o, true
		}
	}
	return best
}

// ServeHTTP hands the request to the OP it is for. When the site is closed, the
// context of the request ends, and so does a reply that would not.
func (s *site) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if s.closing {
		s.mu.Unlock()
		http.Error(w, "the provider is closed", http.StatusServiceUnavailable)
		return
	}
	s.served.Add(1)
	s.mu.Unlock()
	defer s.served.Done()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	s.tenant(r).serve(w, r.WithContext(ctx))
}
