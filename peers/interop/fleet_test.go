package interop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
	"rely.example/peers/interop/launch"
)

// fleet runs every OP once for all tests: it starts one when the first test asks
// for it, and ends all of them when the last test is over.
type fleet struct {
	ctx    context.Context
	dir    string
	key    oidc.Key // of the clients that authenticate by private_key_jwt
	mu     sync.Mutex
	launch map[string]func() (*interop.OP, error) // guarded by mu
	ops    []*interop.OP                          // guarded by mu
}

// ops is made before the first test and not changed afterwards.
var ops *fleet

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "rely-interop-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		ops = &fleet{ctx: ctx, dir: dir, key: oidc.Key{ID: "rely-client-key", Private: key}, launch: map[string]func() (*interop.OP, error){}}
		defer ops.stop()
		return m.Run()
	}())
}

func (f *fleet) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.ops {
		o.Stop()
	}
}

// op returns the running OP of that kind, or skips t.
func (f *fleet) op(t *testing.T, p *interop.Peer) *interop.OP {
	t.Helper()
	f.mu.Lock()
	start, ok := f.launch[p.Name]
	if !ok {
		start = sync.OnceValues(func() (*interop.OP, error) { return f.run(p) })
		f.launch[p.Name] = start
	}
	f.mu.Unlock()
	o, err := start()
	if err != nil {
		interop.Require(t, err)
	}
	o.Watch(t)
	return o
}

func (f *fleet) run(p *interop.Peer) (*interop.OP, error) {
	dir := filepath.Join(f.dir, p.Name)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, err
	}
	jwks, err := oidc.PublicJWKS(f.key)
	if err != nil {
		return nil, err
	}
	clients := p.StaticClients(jwks)
	clients = append(clients, secretive(p)...)
	o, err := p.Run(f.ctx, dir, clients...)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ops = append(f.ops, o)
	return o, nil
}

// each runs a subtest for every OP that has what is wanted.
func each(t *testing.T, has func(interop.Capabilities) bool, test func(t *testing.T, o *interop.OP)) {
	for _, p := range interop.Peers() {
		if has(p.Has) {
			t.Run(p.Name, func(t *testing.T) { test(t, ops.op(t, p)) })
		}
	}
}

func every(interop.Capabilities) bool { return true }

// rp is the Relying Party at one OP, with the switches that the OP needs.
type rp struct {
	o   *interop.OP
	off interop.Switch // left out, to see that it is needed
}

func (r rp) on(s interop.Switch) bool { return s != r.off && r.o.Peer.Needs(s) }

// options are what it takes to reach an OP on loopback.
func (r rp) options() *oidc.Options {
	return &oidc.Options{HTTPClient: r.o.HTTPClient(), AllowPrivate: []string{"localhost"}}
}

// provider discovers the OP.
func (r rp) provider(t *testing.T) *oidc.Provider {
	t.Helper()
	p, err := oidc.Discover(t.Context(), r.o.Issuer, r.options())
	if err != nil {
		t.Fatal(err)
	}
	if r.on(interop.NamedModes) {
		md := p.Metadata()
		md.ResponseModesSupported = append(md.ResponseModesSupported, oidc.ModeFormPost)
		if p, err = oidc.NewProvider(md, r.options()); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// known is a client that the OP knew beforehand.
func (r rp) known(t *testing.T, p *oidc.Provider, id string) *oidc.Client {
	t.Helper()
	c, ok := r.o.Client(id)
	if !ok {
		t.Fatalf("%s knows no client %s", r.o.Peer.Name, id)
	}
	return r.client(t, p, registration(c).ClientConfig(ops.keys(c.AuthMethod)...))
}

// registration is a client known beforehand, written by hand.
func registration(c launch.Client) *oidc.Registration {
	return &oidc.Registration{
		ClientID: c.ID,
		Secret:   c.Secret,
		Metadata: oidc.ClientMetadata{
			RedirectURIs:            c.RedirectURIs,
			ResponseTypes:           c.ResponseTypes,
			GrantTypes:              c.GrantTypes,
			TokenEndpointAuthMethod: c.AuthMethod,
		},
	}
}

func (f *fleet) keys(method string) []oidc.Key {
	if method == oidc.AuthPrivateKey {
		return []oidc.Key{f.key}
	}
	return nil
}

// metadata is what a client registers for a response type.
func (r rp) metadata(t *testing.T, responseType string) oidc.ClientMetadata {
	m := oidc.ClientMetadata{
		RedirectURIs:  []string{interop.RedirectURI},
		ResponseTypes: []string{responseType},
		GrantTypes:    r.o.Peer.Has.GrantTypes([]string{responseType}),
		ClientName:    "Rely " + t.Name(),
		Contacts:      []string{"rp@example.test"},
	}
	if r.on(interop.NamedMethod) {
		m.TokenEndpointAuthMethod = oidc.AuthSecretBasic
	}
	if r.on(interop.SingleWords) {
		m.ResponseTypes = strings.Fields(responseType)
	}
	return m
}

// register registers a client for a response type.
func (r rp) register(t *testing.T, p *oidc.Provider, responseType string, m oidc.ClientMetadata) *oidc.Registration {
	t.Helper()
	got, err := p.Register(t.Context(), m, "")
	if err != nil {
		t.Fatalf("Register: %v", err)
	}
	if got.ClientID == "" || !slices.Equal(got.Metadata.RedirectURIs, m.RedirectURIs) {
		t.Errorf("registered as %v, want the redirect URIs %v", got, m.RedirectURIs)
	}
	if r.on(interop.SingleWords) {
		got.Metadata.ResponseTypes = []string{responseType}
	}
	return got
}

func (r rp) client(t *testing.T, p *oidc.Provider, config oidc.ClientConfig) *oidc.Client {
	t.Helper()
	config.Quirks.EncodedResponseIssuer = r.on(interop.EncodedIssuer)
	config.Quirks.AssertionAudienceEndpoint = r.on(interop.EndpointAudience)
	config.Quirks.RawBasicCredentials = r.on(interop.RawCredentials)
	config.Encryption = oidc.JWE()
	c, err := oidc.NewClient(p, config)
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return c
}

// login is one login by the browser: what was asked for and what came of it.
type login struct {
	responseType, mode string
	scopes             []string
	post               bool // send the request as a form
	prompt             []string
	maxAge             *time.Duration
	claims             *oidc.ClaimsRequest
	details            []oidc.AuthorizationDetail
	resources          []string
	publish            func(context.Context, []byte, time.Time) (string, error)
}

// run logs in with a browser that was not used before.
func (l login) run(t *testing.T, o *interop.OP, c *oidc.Client) (*oidc.Tokens, error) {
	t.Helper()
	pending, answer := l.visit(t, c, o.NewBrowser())
	return c.Finish(t.Context(), pending, answer)
}

// visit takes the request to the OP and brings its answer.
func (l login) visit(t *testing.T, c *oidc.Client, b *interop.Browser) (oidc.Pending, oidc.AuthResponse) {
	t.Helper()
	params := oidc.AuthParams{
		Scopes:       append([]string{"profile", "email"}, l.scopes...),
		ResponseType: l.responseType,
		ResponseMode: l.mode,
		Post:         l.post,
		Prompt:       l.prompt,
		MaxAge:       l.maxAge,
		Claims:       l.claims,
		Publish:      l.publish,

		AuthorizationDetails: l.details,
		Resources:            l.resources,
	}
	if slices.Contains(l.scopes, "offline_access") {
		params.Prompt = []string{"consent"} // Core section 11
	}
	request, err := c.Begin(t.Context(), params)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	var delivery *interop.Delivery
	if l.post {
		action, fields := request.Form()
		delivery, err = b.Submit(t.Context(), action, fields)
	} else {
		delivery, err = b.Visit(t.Context(), request.URL())
	}
	if err != nil {
		t.Fatal(err)
	}
	answer := read(t, delivery)
	key, err := c.PendingKey(answer)
	if err != nil || key != request.Pending.State {
		t.Fatalf("PendingKey: %v; want the state sent", err)
	}
	return request.Pending, answer
}

// read reads the answer as a server at the redirect URI would.
func read(t *testing.T, d *interop.Delivery) oidc.AuthResponse {
	t.Helper()
	if d.Mode == interop.ModeFragment {
		a, err := oidc.ReadAuthFragment(d.URL.EscapedFragment())
		if err != nil {
			t.Fatalf("ReadAuthFragment: %v", err)
		}
		return a
	}
	r, err := d.Request(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	a, err := oidc.ReadAuthResponse(r)
	if err != nil {
		t.Fatalf("ReadAuthResponse: %v", err)
	}
	return a
}

// subtest is a response type as the name of a subtest.
func subtest(responseType string) string { return strings.ReplaceAll(responseType, " ", "+") }

// secretive are clients whose secret is not the same with and without
// percent-encoding.
func secretive(p *interop.Peer) []launch.Client {
	return []launch.Client{{
		ID:            "rely-special",
		Secret:        "a+b/c=d%e f&" + rand.Text(),
		RedirectURIs:  []string{interop.RedirectURI},
		ResponseTypes: []string{"code"},
		GrantTypes:    p.Has.GrantTypes([]string{"code"}),
		AuthMethod:    oidc.AuthSecretBasic,
	}}
}
