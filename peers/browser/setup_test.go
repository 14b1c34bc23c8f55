package browser

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// patience is how long a page may take: the machine may be busy.
const patience = 45 * time.Second

// chromium finds a browser; the test is skipped without one, unless everything is
// required.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("RELY_REQUIRE") == "all" {
		t.Fatal("there is no Chromium, and RELY_REQUIRE is all")
	}
	t.Skip("there is no Chromium to drive")
	return ""
}

// world is an OP, the applications at it, and a person with a browser.
type world struct {
	t  *testing.T
	op *oidctest.OP

	mu    sync.Mutex
	ports map[string]string // listener addresses by host of an application
}

// newWorld starts an OP that shows a login page. Its host is another site than
// those of the applications.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, ports: map[string]string{}}
	// How the OP reaches the applications, as names and certificates are not
	// real.
	reach := &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			w.mu.Lock()
			to := w.ports[addr]
			w.mu.Unlock()
			var d net.Dialer
			return d.DialContext(ctx, network, to)
		},
	}}
	t.Cleanup(reach.CloseIdleConnections)
	w.op = oidctest.NewWith(t, oidctest.Config{ManualLogin: true, SessionManagement: true, RefreshAlways: true, Client: reach})
	return w
}

// app is an application at a host of its own.
type app struct {
	origin, clientID string
	m                *login.Manager

	mu        sync.Mutex
	callbacks []string // the URLs at which answers arrived
}

// arrived is the URL of the last answer.
func (a *app) arrived() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.callbacks[len(a.callbacks)-1]
}

type choice struct {
	params      oidc.AuthParams
	back, front bool // which logout URIs it registers
	watch       bool // its pages watch the session at the OP
}

// app starts an application.
func (w *world) app(host string, c choice) *app {
	t := w.t
	t.Helper()
	a := &app{}
	mux := http.NewServeMux()
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/auth/callback" && r.URL.RawQuery != "" {
			a.mu.Lock()
			a.callbacks = append(a.callbacks, a.origin+r.URL.RequestURI())
			a.mu.Unlock()
		}
		mux.ServeHTTP(rw, r)
	}))
	addr := srv.Listener.Addr().String()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	a.origin = "https://" + host + ":" + port
	w.mu.Lock()
	w.ports[host+":"+port] = addr
	w.mu.Unlock()

	back := a.origin + "/auth/logout/return"
	reg := oidctest.Client{RedirectURIs: []string{a.origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{back}, Metadata: map[string]any{}}
	if c.back {
		reg.Metadata["backchannel_logout_uri"] = a.origin + "/auth/backchannel"
	}
	if c.front {
		reg.Metadata["frontchannel_logout_uri"] = a.origin + "/auth/frontchannel"
		reg.Metadata["frontchannel_logout_session_required"] = true
	}
	reg = w.op.AddClient(reg)
	a.clientID = reg.ID
	p, err := oidc.Discover(t.Context(), w.op.Issuer, &oidc.Options{HTTPClient: w.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	client, err := oidc.NewClient(p, oidc.ClientConfig{ID: reg.ID, Secret: reg.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: reg.RedirectURIs, ResponseTypes: []string{"code", "id_token"}, PostLogoutRedirectURIs: []string{back}}})
	if err != nil {
		t.Fatal(err)
	}
	a.m, err = login.New(login.Config{
		Origin: a.origin, Directory: rp.Only(client), Store: new(memstore.Store),
		Params: func(*http.Request, string) (oidc.AuthParams, error) { return c.params, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.m.Close() })
	pages(mux, a.m, c.watch)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return a
}

// pages are those of an application: for who is logged in, for everybody, and for
// a stronger login.
func pages(mux *http.ServeMux, m *login.Manager, watch bool) {
	page := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(rw, `<!doctype html><title>app</title><h1 id="who">hello %s</h1><form method="post" action="/auth/logout"><button id="out">Log out</button></form>`, s.Subject)
		if watch {
			fmt.Fprint(rw, `<script src="/auth/session.js" defer></script>`)
		}
	})
	mux.Handle("/auth/", m.Handler())
	mux.HandleFunc("/public", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(rw, "<!doctype html><title>public</title><h1>public</h1>")
	})
	mux.Handle("/silver/", m.RequireACR(page, oidctest.ACRValues()[1]))
	mux.Handle("/", m.Require(page))
}

// person sits in front of a real browser.
type person struct {
	t   *testing.T
	ctx context.Context
}

// sit opens a browser with no cookies, whose user lets frames of other sites have
// theirs. Every host of .test is on this machine; rules say of others where they
// are.
func sit(t *testing.T, rules ...string) *person {
	t.Helper()
	home := t.TempDir()
	if err := os.MkdirAll(filepath.Join(home, "Default"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(home, "Default", "Preferences"), []byte(`{"profile":{"cookie_controls_mode":0,"block_third_party_cookies":false}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(chromium(t)), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.IgnoreCertErrors, chromedp.UserDataDir(home), chromedp.Flag("host-resolver-rules", strings.Join(append(rules, "MAP *.test 127.0.0.1"), ", ")),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	alloc, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, closeTab := chromedp.NewContext(alloc)
	t.Cleanup(closeTab)
	p := &person{t, ctx}
	p.begin()
	return p
}

// tab opens one more tab of the same browser.
func (p *person) tab() *person {
	p.t.Helper()
	ctx, closeTab := chromedp.NewContext(p.ctx)
	p.t.Cleanup(closeTab)
	other := &person{p.t, ctx}
	other.begin()
	return other
}

// begin opens the window. It lives as long as the context of the first step, which
// therefore has no end of its own.
func (p *person) begin() {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, chromedp.Navigate("about:blank")); err != nil {
		p.t.Fatal(err)
	}
}

// part is t.Run for a person without cookies.
func (p *person) part(name string, f func(p *person)) {
	p.t.Run(name, func(t *testing.T) {
		q := &person{t, p.ctx}
		q.forget()
		f(q)
	})
}

func (p *person) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%v, at %s", err, p.at())
	}
}

// forget removes every cookie of the browser.
func (p *person) forget() {
	p.t.Helper()
	p.do(chromedp.Navigate("about:blank"), chromedp.Func(func(ctx context.Context, _ *chromedp.Target) error {
		_, err := chromedp.Call(ctx, network.ClearBrowserCookies, cdp.Empty{})
		return err
	}))
}

func (p *person) at() string {
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	where, err := chromedp.Run(ctx, chromedp.Location())
	if err != nil {
		return err.Error()
	}
	return where
}

func (p *person) open(url string) { p.t.Helper(); p.do(chromedp.Navigate(url)) }

func ask[T any](p *person, js string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](js, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatalf("%s: %v, at %s", js, err, p.at())
	}
	return v
}

// until waits for an expression to become true.
func (p *person) until(js string) {
	p.t.Helper()
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		ctx, cancel := context.WithTimeout(p.ctx, patience)
		// Between two pages there is none to ask.
		yes, err := chromedp.Run(ctx, chromedp.Evaluate[bool](js))
		cancel()
		if err == nil && yes {
			return
		}
		p.do(chromedp.Sleep(20 * time.Millisecond))
	}
	p.t.Fatalf("it never became true: %s, at %s: %s", js, p.at(), ask[string](p, "document.body.innerText"))
}

// see waits for a text in the heading of the page.
func (p *person) see(heading string) {
	p.t.Helper()
	p.until("document.querySelector('h1') !== null && document.querySelector('h1').innerText.includes(" + strconv.Quote(heading) + ")")
}

// click clicks and waits for nothing: what comes is for see.
func (p *person) click(css string) {
	p.t.Helper()
	p.until("document.querySelector(" + strconv.Quote(css) + ") !== null")
	// A form's navigation begins after the answer.
	ask[bool](p, "setTimeout(() => document.querySelector("+strconv.Quote(css)+").click(), 0) > 0")
}

// logIn opens a page and logs in at the OP.
func (p *person) logIn(page string) {
	p.t.Helper()
	p.open(page)
	p.allow()
	p.see("hello")
}

// allow says yes on the OP's page.
func (p *person) allow() {
	p.t.Helper()
	p.see("Log in to")
	p.click("button[value=allow]")
}

// status is what a fetch of an application is answered, from a page of its own.
func (p *person) status(a *app, path string) int {
	p.t.Helper()
	p.open(a.origin + "/public")
	return ask[int](p, "fetch("+strconv.Quote(path)+").then(r => r.status)")
}

// wantAt asserts where the browser is.
func (p *person) wantAt(url string) {
	p.t.Helper()
	if at := p.at(); at != url {
		p.t.Errorf("the browser is at %s, want %s", at, url)
	}
}

// wantNoSecret asserts that nothing of an answer is left in the address bar.
func (p *person) wantNoSecret() {
	p.t.Helper()
	at := p.at()
	for _, name := range []string{"code=", "state=", "id_token=", "#"} {
		if strings.Contains(at, name) {
			p.t.Errorf("the address bar still has %s", name)
		}
	}
}
