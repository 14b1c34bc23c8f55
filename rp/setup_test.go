package rp_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
	"rely.example/store/memstore"
)

const redirectURI = "https://rp.example/callback"

// rsaKey signs for all OPs of this suite, since a key takes long to make.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the size is right and crypto/rand does not fail
	}
	return k
})

func newOP(t testing.TB, edit ...func(*oidctest.Config)) *oidctest.OP {
	t.Helper()
	c := oidctest.Config{RefreshAlways: true, RSAKey: rsaKey()}
	for _, e := range edit {
		e(&c)
	}
	return oidctest.NewWith(t, c)
}

// wire is the way to an OP, which can be cut.
type wire struct {
	next http.RoundTripper

	mu     sync.Mutex
	before func(*http.Request) error // nil goes on
	after  func(*http.Request) error // the OP has answered
}

func (w *wire) hooks() (before, after func(*http.Request) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.before, w.after
}

func (w *wire) set(before, after func(*http.Request) error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before, w.after = before, after
}

func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	before, after := w.hooks()
	if before != nil {
		if err := before(r); err != nil {
			return nil, err
		}
	}
	res, err := w.next.RoundTrip(r)
	if err == nil && after != nil {
		if err := after(r); err != nil {
			res.Body.Close()
			return nil, err
		}
	}
	return res, err
}

// faulty is a store that can fail, before or after the work is done.
type faulty struct {
	store.Store

	mu     sync.Mutex
	before func(ctx context.Context, op, key string) error
	after  func(ctx context.Context, op, key string) error
	change func(key string, value []byte) []byte // what Load and Take return
	keys   []string                              // of every record made
}

var errDown = errors.New("connection refused")

func (f *faulty) set(before, after func(ctx context.Context, op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.before, f.after = before, after
}

// down makes every call fail; up ends it.
func (f *faulty) down() { f.set(func(context.Context, string, string) error { return errDown }, nil) }
func (f *faulty) up()   { f.set(nil, nil) }

// made are the keys of every record that was ever made.
func (f *faulty) made() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.keys)
}

func faultyCall[T any](f *faulty, ctx context.Context, op, key string, call func() (T, error)) (T, error) {
	var none T
	f.mu.Lock()
	before, after := f.before, f.after
	if op == "create" {
		f.keys = append(f.keys, key)
	}
	f.mu.Unlock()
	if before != nil {
		if err := before(ctx, op, key); err != nil {
			return none, err
		}
	}
	v, err := call()
	if after != nil {
		if err := after(ctx, op, key); err != nil {
			return none, err
		}
	}
	return v, err
}

func (f *faulty) changed(r store.Record, err error) (store.Record, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.change != nil {
		r.Value = f.change(r.Key, r.Value)
	}
	return r, err
}

func (f *faulty) Create(ctx context.Context, r store.Record) (store.Record, error) {
	return faultyCall(f, ctx, "create", r.Key, func() (store.Record, error) { return f.Store.Create(ctx, r) })
}

func (f *faulty) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	return faultyCall(f, ctx, "replace", r.Key, func() (store.Record, error) { return f.Store.Replace(ctx, r) })
}

func (f *faulty) Load(ctx context.Context, key string) (store.Record, error) {
	return f.changed(faultyCall(f, ctx, "load", key, func() (store.Record, error) { return f.Store.Load(ctx, key) }))
}

func (f *faulty) Take(ctx context.Context, key string) (store.Record, error) {
	return f.changed(faultyCall(f, ctx, "take", key, func() (store.Record, error) { return f.Store.Take(ctx, key) }))
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	_, err := faultyCall(f, ctx, "delete", key, func() (struct{}, error) { return struct{}{}, f.Store.Delete(ctx, key) })
	return err
}

func (f *faulty) Tagged(ctx context.Context, tag string) ([]string, error) {
	return faultyCall(f, ctx, "tagged", tag, func() ([]string, error) { return f.Store.Tagged(ctx, tag) })
}

// rig is a relying party at a test OP, one happy login away.
type rig struct {
	t      testing.TB
	op     *oidctest.OP
	wire   *wire
	opts   *oidc.Options
	mem    *memstore.Store
	store  *faulty
	client *oidc.Client
	key    []byte
	rp     *rp.RP
	params oidc.AuthParams
	login  rp.Login
}

func setup(t testing.TB, edit ...func(*oidctest.Config)) *rig {
	t.Helper()
	return setupAt(t, newOP(t, edit...))
}

// setupAt registers for every response type.
func setupAt(t testing.TB, op *oidctest.OP) *rig {
	t.Helper()
	r := &rig{t: t, op: op, key: bytes.Repeat([]byte{7}, 32)}
	hc := op.HTTPClient()
	r.wire = &wire{next: hc.Transport}
	hc.Transport = r.wire
	r.opts = &oidc.Options{HTTPClient: hc, AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: op.Now}
	r.mem = &memstore.Store{Now: op.Now}
	r.store = &faulty{Store: r.mem}
	c := op.AddClient(oidctest.Client{RedirectURIs: []string{redirectURI}})
	p, err := oidc.Discover(t.Context(), op.Issuer, r.opts)
	if err != nil {
		t.Fatalf("Discover: %v", err)
	}
	t.Cleanup(p.Close)
	r.client, err = oidc.NewClient(p, oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs:  []string{redirectURI},
		ResponseTypes: []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"},
	}})
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	r.rp = r.newRP(nil)
	return r
}

// newRP is one more process with the same store and keys.
func (r *rig) newRP(edit func(*rp.Config)) *rp.RP {
	r.t.Helper()
	c := rp.Config{Directory: rp.Only(r.client), Store: r.store, Keys: [][]byte{r.key}, Now: r.op.Now}
	if edit != nil {
		edit(&c)
	}
	p, err := rp.New(c)
	if err != nil {
		r.t.Fatalf("New: %v", err)
	}
	r.t.Cleanup(func() { _ = p.Close() })
	return p
}

// begin starts a login and takes the browser through it.
func (r *rig) begin() (state string, a oidc.AuthResponse) {
	r.t.Helper()
	l := r.login
	if l.Issuer == "" && l.Identifier == "" {
		l.Issuer = r.op.Issuer
	}
	l.Params = r.params
	req, err := r.rp.StartLogin(r.t.Context(), l)
	if err != nil {
		r.t.Fatalf("StartLogin: %v", err)
	}
	return req.Pending.State, r.browse(req)
}

func (r *rig) browse(req *oidc.AuthRequest) oidc.AuthResponse {
	r.t.Helper()
	return browse(r.t, r.op, req)
}

func browse(t testing.TB, op *oidctest.OP, req *oidc.AuthRequest) oidc.AuthResponse {
	t.Helper()
	cb, err := op.Browser().Login(t.Context(), req.URL())
	if err != nil {
		t.Fatalf("the browser's login: %v", err)
	}
	var a oidc.AuthResponse
	if cb.Mode == "fragment" {
		a, err = oidc.ReadAuthURL(cb.URL.String())
	} else {
		a, err = oidc.ReadAuthResponse(cb.Request())
	}
	if err != nil {
		t.Fatalf("reading the response: %v", err)
	}
	return a
}

// here is how the browser that began the login arrives.
func here(state string) rp.Arrival { return rp.Arrival{Binding: state, RedirectURI: redirectURI} }

func (r *rig) mustLogin() *rp.Grant {
	r.t.Helper()
	state, a := r.begin()
	g, err := r.rp.Finish(r.t.Context(), a, here(state))
	if err != nil {
		r.t.Fatalf("Finish: %v", err)
	}
	return g
}

// expire lets the access token die.
func (r *rig) expire() { r.op.Advance(11 * time.Minute) }

func (r *rig) refreshes() int {
	n := 0
	for _, q := range r.op.Requests(oidctest.EndpointToken) {
		if q.Form.Get("grant_type") == "refresh_token" {
			n++
		}
	}
	return n
}

func want(t testing.TB, err error, reasons ...error) {
	t.Helper()
	for _, reason := range reasons {
		if !errors.Is(err, reason) {
			t.Fatalf("got error %v, want %q", err, reason)
		}
	}
	secretFree(t, err)
}

// secretFree looks for what no error may hold: 43 characters of base64url are a
// state, a nonce, a verifier or a token.
func secretFree(t testing.TB, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, word := range strings.FieldsFunc(err.Error(), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_')
	}) {
		if len(word) >= 40 && !strings.Contains(err.Error(), "client:"+word) {
			t.Errorf("the error may hold a secret: %v", err)
		}
	}
}

func noCall(t testing.TB, op *oidctest.OP, endpoints ...oidctest.Endpoint) {
	t.Helper()
	for _, e := range endpoints {
		if n := len(op.Requests(e)); n != 0 {
			t.Errorf("%d requests to the %s endpoint, want none", n, e)
		}
	}
}
