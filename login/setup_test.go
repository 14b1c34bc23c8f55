package login_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
	"rely.example/store/memstore"
)

const origin = "https://app.example"

// rsaKey signs for all OPs of this suite, since a key takes long to make.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // the size is right and crypto/rand does not fail
	}
	return k
})

// faulty is a store that can fail.
type faulty struct {
	store.Store
	mu     sync.Mutex
	fail   func(op, key string) error
	change func(key string, value []byte) []byte // what Load returns
	made   []store.Record
	loads  int
}

var errDown = errors.New("connection refused")

func (f *faulty) set(fail func(op, key string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = fail
}

func (f *faulty) down() { f.set(func(string, string) error { return errDown }) }
func (f *faulty) up()   { f.set(nil) }

func (f *faulty) check(op, key string) error {
	f.mu.Lock()
	if op == "load" {
		f.loads++
	}
	fail := f.fail
	f.mu.Unlock()
	if fail == nil {
		return nil
	}
	return fail(op, key)
}

func (f *faulty) Create(ctx context.Context, r store.Record) (store.Record, error) {
	if err := f.check("create", r.Key); err != nil {
		return store.Record{}, err
	}
	f.mu.Lock()
	f.made = append(f.made, r)
	f.mu.Unlock()
	return f.Store.Create(ctx, r)
}

func (f *faulty) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	if err := f.check("replace", r.Key); err != nil {
		return store.Record{}, err
	}
	return f.Store.Replace(ctx, r)
}

func (f *faulty) Load(ctx context.Context, key string) (store.Record, error) {
	if err := f.check("load", key); err != nil {
		return store.Record{}, err
	}
	r, err := f.Store.Load(ctx, key)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err == nil && f.change != nil {
		changed := f.change(key, bytes.Clone(r.Value))
		if !bytes.Equal(changed, r.Value) {
			r.Value, r.Rev = changed, r.Rev+1 // as who writes to the store would leave it
		}
	}
	return r, err
}

func (f *faulty) Take(ctx context.Context, key string) (store.Record, error) {
	if err := f.check("take", key); err != nil {
		return store.Record{}, err
	}
	return f.Store.Take(ctx, key)
}

func (f *faulty) Delete(ctx context.Context, key string) error {
	if err := f.check("delete", key); err != nil {
		return err
	}
	return f.Store.Delete(ctx, key)
}

func (f *faulty) Tagged(ctx context.Context, tag string) ([]string, error) {
	if err := f.check("tagged", tag); err != nil {
		return nil, err
	}
	return f.Store.Tagged(ctx, tag)
}

// count is how many records of a class were ever made.
func (f *faulty) count(class string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := 0
	for _, r := range f.made {
		if store.Class(r.Key) == class {
			n++
		}
	}
	return n
}

// rig is an application at a test OP, one happy login away.
type rig struct {
	t      testing.TB
	op     *oidctest.OP
	client *oidc.Client
	store  *faulty
	key    []byte
	config login.Config
	m      *login.Manager
	app    http.Handler
	errs   []error // what OnError was told
	hits   int     // how often a protected page ran
}

func newOP(t testing.TB, edit ...func(*oidctest.Config)) *oidctest.OP {
	t.Helper()
	c := oidctest.Config{RefreshAlways: true, RSAKey: rsaKey()}
	for _, e := range edit {
		e(&c)
	}
	return oidctest.NewWith(t, c)
}

func setup(t testing.TB, edit ...func(*login.Config)) *rig {
	t.Helper()
	return setupAt(t, newOP(t), edit...)
}

func setupAt(t testing.TB, op *oidctest.OP, edit ...func(*login.Config)) *rig {
	t.Helper()
	r := &rig{t: t, op: op, key: bytes.Repeat([]byte{7}, 32)}
	r.client = newClient(t, op, origin+"/auth/callback")
	r.store = &faulty{Store: &memstore.Store{Now: op.Now}}
	r.config = login.Config{
		Origin: origin, Directory: rp.Only(r.client), Store: r.store, Keys: [][]byte{r.key}, Now: op.Now,
		Logger: slog.New(slog.DiscardHandler),
	}
	for _, e := range edit {
		e(&r.config)
	}
	r.m = r.manager(nil)
	r.app = r.mux(r.m)
	return r
}

func newClient(t testing.TB, op *oidctest.OP, redirectURI string) *oidc.Client {
	t.Helper()
	types := []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
	back := origin + "/auth/logout/return"
	c := op.AddClient(oidctest.Client{RedirectURIs: []string{redirectURI}, PostLogoutRedirectURIs: []string{back},
		Metadata: map[string]any{"backchannel_logout_uri": origin + "/auth/backchannel", "backchannel_logout_session_required": true,
			"frontchannel_logout_uri": origin + "/auth/frontchannel", "frontchannel_logout_session_required": true}})
	o := &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1", "localhost", "op.test"}, Now: op.Now}
	p, err := oidc.Discover(t.Context(), op.Issuer, o)
	if err != nil {
		t.Fatalf("Discover: %v", err)
	}
	t.Cleanup(p.Close)
	client, err := oidc.NewClient(p, oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{redirectURI}, ResponseTypes: types, PostLogoutRedirectURIs: []string{back},
	}})
	if err != nil {
		t.Fatalf("NewClient: %v", err)
	}
	return client
}

// manager is one more process with the same store and keys.
func (r *rig) manager(edit func(*login.Config)) *login.Manager {
	r.t.Helper()
	c := r.config
	if edit != nil {
		edit(&c)
	}
	m, err := login.New(c)
	if err != nil {
		r.t.Fatalf("New: %v", err)
	}
	r.t.Cleanup(func() { _ = m.Close() })
	return m
}

// mux is the application: everything below /open by Load, the rest by Require.
func (r *rig) mux(m *login.Manager) http.Handler {
	hello := http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.hits++
		s, ok := login.FromContext(q.Context())
		if !ok {
			fmt.Fprint(w, "hello stranger")
			return
		}
		fmt.Fprint(w, "hello "+s.Subject)
	})
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	mux.Handle("/open/", m.Load(hello))
	mux.Handle("/silver/", m.RequireACR(hello, oidctest.ACRValues()[1]))
	mux.Handle("/fresh/", m.RequireFresh(hello, 5*time.Minute))
	mux.Handle("/admin/", m.RequireClaim(hello, func(s *login.Session) bool {
		var c struct {
			Sub string `json:"sub"`
		}
		return s.Claims(&c) == nil && strings.HasPrefix(c.Sub, "bob")
	}))
	mux.Handle("/tokens/", m.Require(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		s, _ := login.FromContext(q.Context())
		if _, err := s.Tokens(q.Context()); err != nil {
			http.Error(w, err.Error(), http.StatusBadGateway)
		}
	})))
	mux.Handle("/", m.Require(hello))
	return mux
}

// tab is a browser at the application: it has cookies and says what browsers say.
type tab struct {
	r       *rig
	app     http.Handler
	cookies map[string]*http.Cookie
	at      *oidctest.Browser
}

func (r *rig) browser() *tab {
	return &tab{r: r, app: r.app, cookies: map[string]*http.Cookie{}, at: r.op.Browser()}
}

// send makes a request with the cookies that a browser would send, and keeps
// those that it is given.
func (b *tab) send(q *http.Request, crossSite bool) *http.Response {
	b.r.t.Helper()
	for _, c := range b.cookies {
		if crossSite && q.Method != http.MethodGet && c.SameSite != http.SameSiteNoneMode {
			continue
		}
		q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	w := httptest.NewRecorder()
	b.app.ServeHTTP(w, q)
	res := w.Result()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
			continue
		}
		b.cookies[c.Name] = c
	}
	return res
}

func request(method, target string, header ...string) *http.Request {
	if strings.HasPrefix(target, "/") {
		target = origin + target
	}
	q := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Set(header[i], header[i+1])
	}
	return q
}

// navigate opens a page as a user does.
func (b *tab) navigate(target string) *http.Response {
	b.r.t.Helper()
	return b.send(request("GET", target, "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document", "Sec-Fetch-Site", "none", "Accept", "text/html"), false)
}

// fetch asks as a script of our page does.
func (b *tab) fetch(target string) *http.Response {
	b.r.t.Helper()
	return b.send(request("GET", target, "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty", "Sec-Fetch-Site", "same-origin", "Referer", origin+"/page?x=1"), false)
}

// post sends a form of our own page.
func (b *tab) post(target string, form url.Values) *http.Response {
	b.r.t.Helper()
	q := httptest.NewRequest("POST", origin+target, strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", origin)
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	q.Header.Set("Sec-Fetch-Mode", "navigate")
	q.Header.Set("Sec-Fetch-Dest", "document")
	return b.send(q, false)
}

// toOP takes the answer of the application, a redirect to the OP, through the OP.
func (b *tab) toOP(res *http.Response) *oidctest.Callback {
	b.r.t.Helper()
	if res.StatusCode != http.StatusSeeOther {
		b.r.t.Fatalf("got status %d, want a redirect to the OP: %s", res.StatusCode, text(res))
	}
	cb, err := b.at.Login(b.r.t.Context(), res.Header.Get("Location"))
	if err != nil {
		b.r.t.Fatalf("the browser's login: %v", err)
	}
	return cb
}

// deliver brings the OP's answer to the application.
func (b *tab) deliver(cb *oidctest.Callback) *http.Response {
	b.r.t.Helper()
	if cb.Mode == "fragment" {
		page := b.navigate(cb.URL.EscapedPath())
		if page.StatusCode != http.StatusOK || !strings.Contains(text(page), "rely-fragment") {
			b.r.t.Fatalf("no page catches the fragment: %d", page.StatusCode)
		}
		return b.post(cb.URL.Path, url.Values{"fragment": {cb.URL.EscapedFragment()}})
	}
	q := cb.Request()
	q.Header.Set("Sec-Fetch-Site", "cross-site")
	q.Header.Set("Sec-Fetch-Mode", "navigate")
	q.Header.Set("Sec-Fetch-Dest", "document")
	return b.send(q, true)
}

// login opens a page, logs in and returns the answer to the callback.
func (b *tab) login(page string) *http.Response {
	b.r.t.Helper()
	return b.deliver(b.toOP(b.navigate(page)))
}

// mustLogin logs in and comes back to the page.
func (b *tab) mustLogin(page string) {
	b.r.t.Helper()
	res := b.login(page)
	if res.StatusCode != http.StatusSeeOther || res.Header.Get("Location") != origin+page {
		b.r.t.Fatalf("after the login: status %d, Location %q: %s", res.StatusCode, res.Header.Get("Location"), text(res))
	}
	if !b.loggedIn() {
		b.r.t.Fatal("no session after the login")
	}
}

func (b *tab) loggedIn() bool {
	b.r.t.Helper()
	res := b.fetch("/")
	return res.StatusCode == http.StatusOK
}

// sessionCookie is the one; "" if there is none.
func (b *tab) sessionCookie() string {
	if c := b.cookies["__Host-rely"]; c != nil {
		return c.Value
	}
	return ""
}

func text(res *http.Response) string {
	b, err := io.ReadAll(res.Body)
	if err != nil {
		return err.Error()
	}
	res.Body = io.NopCloser(bytes.NewReader(b))
	return string(b)
}

func wantStatus(t testing.TB, res *http.Response, status int) {
	t.Helper()
	if res.StatusCode != status {
		t.Fatalf("got status %d, want %d: %s", res.StatusCode, status, text(res))
	}
}

// wantError asserts what OnError was told last.
func (r *rig) wantError(reason error) {
	r.t.Helper()
	if len(r.errs) == 0 || !errors.Is(r.errs[len(r.errs)-1], reason) {
		r.t.Fatalf("got errors %v, want %q", r.errs, reason)
	}
}

// watching has OnError note errors, and answer with their status.
func (r *rig) watching(c *login.Config) {
	c.OnError = func(w http.ResponseWriter, _ *http.Request, err error) {
		r.errs = append(r.errs, err)
		w.WriteHeader(login.Status(err))
	}
}

// watched is setup with OnError noting errors.
func watched(t testing.TB, edit ...func(*login.Config)) *rig {
	t.Helper()
	r := setup(t, edit...)
	r.watching(&r.config)
	r.m = r.manager(nil)
	r.app = r.mux(r.m)
	return r
}

func (r *rig) noTokenCall() {
	r.t.Helper()
	if n := len(r.op.Requests(oidctest.EndpointToken)); n != 0 {
		r.t.Errorf("%d requests to the token endpoint, want none", n)
	}
}
