package conformance_test

import (
	"bytes"
	"context"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// app is an application on the web floor with one browser at it, for the modules
// in which something comes to the relying party that no call of its own asked for.
type app struct {
	*run
	handler http.Handler
	cookies map[string]*http.Cookie
	browser *oidctest.Browser

	mu       sync.Mutex // guards everything below
	errs     []error    // what went wrong, as the application was told
	refused  []string   // why logout tokens were, as the log was told
	statuses []int      // how it answered logout tokens
	caching  []string   // and their Cache-Control
}

const (
	callback     = origin + "/auth/callback"
	initiate     = origin + "/auth/initiate"
	backChannel  = origin + "/auth/backchannel"
	frontChannel = origin + "/auth/frontchannel"
	logoutReturn = origin + "/auth/logout/return"
)

// newApp registers an application with every URI that it has, and starts it.
func newApp(r *run, edit ...func(*oidctest.Config)) *app {
	r.Helper()
	a := &app{run: r, cookies: make(map[string]*http.Cookie)}
	r.metadata.RedirectURIs = []string{callback}
	r.metadata.InitiateLoginURI = initiate
	r.metadata.PostLogoutRedirectURIs = []string{logoutReturn}
	r.metadata.BackchannelLogoutURI, r.metadata.BackchannelLogoutSessionRequired = backChannel, true
	r.metadata.FrontchannelLogoutURI, r.metadata.FrontchannelLogoutSessionRequired = frontChannel, true
	r.start(append([]func(*oidctest.Config){func(c *oidctest.Config) { c.Client = &http.Client{Transport: a} }}, edit...)...)
	// The suite's OP has no revocation endpoint.
	r.op.TamperMetadata(func(m map[string]any) { delete(m, "revocation_endpoint") })
	r.ready()
	m, err := login.New(login.Config{
		Origin: origin, Directory: rp.Only(r.c), Store: &memstore.Store{Now: r.op.Now}, Keys: [][]byte{bytes.Repeat([]byte{7}, 32)}, Now: r.op.Now,
		Logger: slog.New(a),
		Params: func(*http.Request, string) (oidc.AuthParams, error) {
			p := r.params
			p.Publish = nil // package login serves them itself
			return p, nil
		},
		OnError: func(w http.ResponseWriter, _ *http.Request, err error) {
			a.mu.Lock()
			defer a.mu.Unlock()
			a.errs = append(a.errs, err)
			w.WriteHeader(login.Status(err))
		},
	})
	if err != nil {
		r.Fatalf("login.New: %v", err)
	}
	r.Cleanup(func() { _ = m.Close() })
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	mux.Handle("/", m.Require(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		if s, ok := login.FromContext(q.Context()); ok {
			_, _ = io.WriteString(w, s.Subject)
		}
	})))
	a.handler, a.browser = mux, r.op.Browser()
	return a
}

// The application is the handler of its own log, and notes the errors there: of a
// logout token nobody else is told why it was refused.

func (a *app) Enabled(context.Context, slog.Level) bool { return true }
func (a *app) WithAttrs([]slog.Attr) slog.Handler       { return a }
func (a *app) WithGroup(string) slog.Handler            { return a }

func (a *app) Handle(_ context.Context, rec slog.Record) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	rec.Attrs(func(at slog.Attr) bool {
		if at.Key == "error" {
			a.refused = append(a.refused, at.Value.String())
		}
		return true
	})
	return nil
}

// RoundTrip answers what the OP posts to the application.
func (a *app) RoundTrip(q *http.Request) (*http.Response, error) {
	in := httptest.NewRequest(q.Method, q.URL.String(), q.Body)
	in.Header = q.Header
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, in)
	res := w.Result()
	if q.Method == http.MethodGet { // a request object
		a.run.mu.Lock()
		defer a.run.mu.Unlock()
		a.keep(q.URL.String(), w.Body.String())
		return res, nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.statuses = append(a.statuses, res.StatusCode)
	a.caching = append(a.caching, res.Header.Get("Cache-Control"))
	return res, nil
}

// send makes a request with the cookies that a browser would send along, and
// keeps those that it is given.
func (a *app) send(q *http.Request, crossSite bool) *http.Response {
	a.Helper()
	for _, c := range a.cookies {
		if crossSite && q.Method != http.MethodGet && c.SameSite != http.SameSiteNoneMode {
			continue
		}
		q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	site := "same-origin"
	if crossSite {
		site = "cross-site"
	}
	q.Header.Set("Sec-Fetch-Site", site)
	q.Header.Set("Sec-Fetch-Mode", "navigate")
	q.Header.Set("Sec-Fetch-Dest", "document")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, q)
	res := w.Result()
	for _, c := range res.Cookies() {
		a.cookies[c.Name] = c
		if c.MaxAge < 0 {
			delete(a.cookies, c.Name)
		}
	}
	return res
}

func (a *app) get(target string) *http.Response {
	a.Helper()
	return a.send(httptest.NewRequest(http.MethodGet, target, nil), false)
}

// post sends a form, from a page of the application or of another site.
func (a *app) post(target string, form url.Values, crossSite bool) *http.Response {
	a.Helper()
	q := httptest.NewRequest(http.MethodPost, target, strings.NewReader(form.Encode()))
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Origin", origin)
	if crossSite {
		q.Header.Set("Origin", "https://another.example")
	}
	return a.send(q, crossSite)
}

// redirected is where a response sends the browser.
func (a *app) redirected(res *http.Response) string {
	a.Helper()
	if res.StatusCode != http.StatusSeeOther {
		a.Fatalf("status %d, want a redirect: %v", res.StatusCode, a.errs)
	}
	return res.Header.Get("Location")
}

// throughOP takes the browser from the application to the OP and back.
func (a *app) throughOP(authURL string) {
	a.Helper()
	cb, err := a.browser.Login(a.Context(), authURL)
	if err != nil {
		a.Fatalf("the browser's login: %v", err)
	}
	var res *http.Response
	if cb.Mode == oidc.ModeFragment {
		a.get(cb.URL.Scheme + "://" + cb.URL.Host + cb.URL.Path)
		res = a.post(callback, url.Values{"fragment": {cb.URL.EscapedFragment()}}, false)
	} else {
		q := cb.Request()
		res = a.send(q, true)
	}
	a.redirected(res)
	if !a.loggedIn() {
		a.Fatal("no session after the login")
	}
}

// logIn opens a page and logs in.
func (a *app) logIn() {
	a.Helper()
	a.throughOP(a.redirected(a.get(origin + "/")))
}

// loggedIn asks as a script of the application would.
func (a *app) loggedIn() bool {
	a.Helper()
	q := httptest.NewRequest(http.MethodGet, origin+"/", nil)
	for _, c := range a.cookies {
		q.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
	}
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	q.Header.Set("Sec-Fetch-Mode", "cors")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, q)
	return w.Code == http.StatusOK
}

// logOut ends the session at the application and then at the OP, and returns where
// the browser is sent.
func (a *app) logOut() *url.URL {
	a.Helper()
	to := a.redirected(a.post(origin+"/auth/logout", nil, false))
	if a.loggedIn() {
		a.Error("still a session after the logout")
	}
	back, err := a.browser.Logout(a.Context(), to)
	if err != nil {
		a.Fatalf("the logout at the OP: %v", err)
	}
	if back == nil {
		a.Fatal("the OP kept the browser")
	}
	return back
}

// loadFrames loads the iframes of the OP's last page: without the cookies of the
// application, which a browser does not send from another site's frame.
func (a *app) loadFrames() {
	a.Helper()
	frames := a.browser.Frames()
	if len(frames) != 1 || !strings.HasPrefix(frames[0], frontChannel+"?") {
		a.Fatalf("the OP's page has the iframes %q, want one at %s", frames, frontChannel)
	}
	q := httptest.NewRequest(http.MethodGet, frames[0], nil)
	q.Header.Set("Sec-Fetch-Site", "cross-site")
	q.Header.Set("Sec-Fetch-Mode", "navigate")
	q.Header.Set("Sec-Fetch-Dest", "iframe")
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, q)
	if w.Code != http.StatusOK || !strings.Contains(w.Header().Get("Cache-Control"), "no-store") {
		a.Errorf("the frame answers %d, Cache-Control %q", w.Code, w.Header().Get("Cache-Control"))
	}
}

// dataOf are the data attributes of the element of a page that has data-message.
func dataOf(res *http.Response) map[string]string {
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return nil
	}
	out := make(map[string]string)
	for _, m := range regexp.MustCompile(`data-([a-z]+)="([^"]*)"`).FindAllStringSubmatch(string(page), -1) {
		out[m[1]] = html.UnescapeString(m[2])
	}
	return out
}
