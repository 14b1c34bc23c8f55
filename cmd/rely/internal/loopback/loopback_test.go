package loopback_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/cmd/rely/internal/loopback"
	"rely.example/oidc"
)

// login is a listener that waits for a login.
type login struct {
	*loopback.Listener
	request *oidc.AuthRequest
	mu      sync.Mutex
	strays  []string
}

// begin opens a listener and begins a login at an OP that is never asked.
func begin(t *testing.T, p oidc.AuthParams) *login {
	t.Helper()
	t.Parallel() // most of them wait for a browser that is gone
	l, err := loopback.Listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	provider, err := oidc.NewProvider(oidc.ProviderMetadata{
		Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/authorize",
		TokenEndpoint: "https://op.example/token", JWKSURI: "https://op.example/jwks",
		ResponseModesSupported: []string{"query", "fragment", "form_post"},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	client, err := oidc.NewClient(provider, oidc.ClientConfig{ID: "app", Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{l.RedirectURI()}, ApplicationType: "native"}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := client.Begin(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	out := &login{Listener: l, request: r}
	l.Serve(loopback.Login{Request: r, Stray: func(why string) {
		out.mu.Lock()
		defer out.mu.Unlock()
		out.strays = append(out.strays, why)
	}})
	return out
}

func (l *login) answerURL() string {
	return l.RedirectURI() + "?code=c-1&state=" + l.request.Pending.State
}

// accept takes the answer and tells its browser that all is well.
func (l *login) accept(t *testing.T) <-chan oidc.AuthResponse {
	out := make(chan oidc.AuthResponse, 1)
	go func() {
		defer close(out)
		a, err := l.Wait(t.Context())
		if err != nil {
			return
		}
		out <- a.Response
		a.Tell(true)
	}()
	return out
}

// browser is a client with cookies that follows no redirect.
func browser(t *testing.T) *http.Client {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	tr := &http.Transport{}
	t.Cleanup(tr.CloseIdleConnections)
	return &http.Client{Jar: jar, Transport: tr, Timeout: 5 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func get(t *testing.T, c *http.Client, u string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, u, nil)
	if err != nil {
		t.Fatal(err)
	}
	return do(t, c, r)
}

func do(t *testing.T, c *http.Client, r *http.Request) (*http.Response, string) {
	t.Helper()
	res, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

func TestHostile(t *testing.T) {
	t.Run("329_listener_on_loopback_alone", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		u, err := url.Parse(l.RedirectURI())
		if err != nil {
			t.Fatal(err)
		}
		if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
			t.Fatalf("the redirect URI is %s, want a loopback address", u)
		}
		if u.Port() == "" || u.Port() == "0" {
			t.Fatalf("the redirect URI is %s, want a port", u)
		}
		// Nobody listens at the other addresses of this machine.
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			t.Skip("the addresses of this machine cannot be listed")
		}
		for _, a := range addrs {
			ipn, ok := a.(*net.IPNet)
			if !ok || ipn.IP.IsLoopback() || ipn.IP.To4() == nil {
				continue
			}
			c, err := net.DialTimeout("tcp", net.JoinHostPort(ipn.IP.String(), u.Port()), time.Second)
			if err == nil {
				c.Close()
				t.Fatalf("somebody listens at %s, port %s", ipn.IP, u.Port())
			}
		}
		for _, bad := range []string{"http://0.0.0.0/cb", "http://[::]/cb", "http://192.0.2.1/cb", "http://example.com/cb", "https://127.0.0.1/cb", "http://127.0.0.1/cb?x=y", "app:/cb"} {
			if loopback.Usable(bad) {
				t.Errorf("%s is said to be usable", bad)
			}
			if l, err := loopback.Listen(t.Context(), bad); err == nil {
				l.Close()
				t.Errorf("%s was listened at", bad)
			}
		}
	})

	t.Run("329_one_answer_then_closed", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		got := l.accept(t)
		b := browser(t)
		res, _ := get(t, b, l.answerURL())
		if _, ok := <-got; !ok || res.StatusCode != http.StatusSeeOther {
			t.Fatalf("status %d, want 303 and an answer", res.StatusCode)
		}
		if res, _ := get(t, b, l.answerURL()); res.StatusCode != http.StatusConflict {
			t.Fatalf("the second answer: status %d, want 409", res.StatusCode)
		}
		get(t, b, strings.TrimSuffix(l.RedirectURI(), "/callback")+"/rely/done")
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := b.Get(l.answerURL()); err == nil {
			t.Fatal("the port is still open")
		}
	})

	t.Run("330_interrupted", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := l.Wait(ctx); !errors.Is(err, context.Canceled) {
			t.Fatalf("Wait returned %v, want context.Canceled", err)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(l.RedirectURI(), "http://"), "/callback")); err == nil {
			t.Fatal("the port is still open")
		}
	})

	t.Run("331_other_state", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		for _, q := range []string{"?code=stolen&state=other", "?code=stolen", "?error=access_denied&state=other"} {
			if res, body := get(t, browser(t), l.RedirectURI()+q); res.StatusCode != http.StatusBadRequest || strings.Contains(body, "stolen") {
				t.Fatalf("%s: status %d, want 400 and no echo", q, res.StatusCode)
			}
		}
		got := l.accept(t)
		get(t, browser(t), l.answerURL())
		if _, ok := <-got; !ok {
			t.Fatal("the login did not go on")
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		if len(l.strays) != 3 {
			t.Fatalf("told of %d strays, want 3", len(l.strays))
		}
	})

	t.Run("331_answer_without_the_cookie", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		get(t, browser(t), l.StartURL())
		if res, _ := get(t, browser(t), l.answerURL()); res.StatusCode != http.StatusForbidden {
			t.Fatalf("status %d, want 403", res.StatusCode)
		}
	})

	t.Run("331_start_page_opened_twice", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		b := browser(t)
		res, _ := get(t, b, l.StartURL())
		if loc := res.Header.Get("Location"); loc != l.request.URL() {
			t.Fatalf("the start page leads to %q", loc)
		}
		// The same browser may open it again.
		if res, _ := get(t, b, l.StartURL()); res.StatusCode != http.StatusSeeOther {
			t.Fatalf("status %d, want 303", res.StatusCode)
		}
		if res, body := get(t, browser(t), l.StartURL()); res.StatusCode != http.StatusForbidden || strings.Contains(body, "op.example") {
			t.Fatalf("status %d, want 403 and no address", res.StatusCode)
		}
		if _, err := l.Wait(t.Context()); !errors.Is(err, loopback.ErrSecondBrowser) {
			t.Fatalf("Wait returned %v, want ErrSecondBrowser", err)
		}
	})

	t.Run("331_start_page_guessed", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		if res, _ := get(t, browser(t), l.StartURL()[:len(l.StartURL())-1]+"!"); res.StatusCode != http.StatusNotFound {
			t.Fatalf("status %d, want 404", res.StatusCode)
		}
	})

	t.Run("336_static_page", func(t *testing.T) {
		l := begin(t, oidc.AuthParams{})
		got := l.accept(t)
		b := browser(t)
		const mark = "%3Cscript%3Ealert(1)%3C%2Fscript%3Emark-5309"
		res, _ := get(t, b, l.answerURL()+"&error_description="+mark+"&x="+mark)
		<-got
		if loc := res.Header.Get("Location"); loc != "/rely/done" {
			t.Fatalf("Location %q, want the clean /rely/done", loc)
		}
		done, body := get(t, b, strings.TrimSuffix(l.RedirectURI(), "/callback")+"/rely/done?"+mark)
		if strings.Contains(body, "5309") || strings.Contains(body, "<script") {
			t.Fatalf("the page reflects the request:\n%s", body)
		}
		if !strings.Contains(body, "Logged in") {
			t.Fatalf("the page does not say that all is well:\n%s", body)
		}
		for _, res := range []*http.Response{res, done} {
			h := res.Header
			if !strings.HasPrefix(h.Get("Content-Security-Policy"), "default-src 'none';") || strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
				t.Errorf("Content-Security-Policy is %q", h.Get("Content-Security-Policy"))
			}
			if h.Get("Referrer-Policy") != "no-referrer" || h.Get("Cache-Control") != "no-store" {
				t.Errorf("Referrer-Policy %q, Cache-Control %q", h.Get("Referrer-Policy"), h.Get("Cache-Control"))
			}
		}
	})
}

func TestFragmentIsPostedByOurPageAlone(t *testing.T) {
	l := begin(t, oidc.AuthParams{ResponseMode: "fragment"})
	got := l.accept(t)
	b := browser(t)
	res, body := get(t, b, l.RedirectURI())
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `action="/callback/fragment"`) {
		t.Fatalf("status %d, want the page that reads the fragment:\n%s", res.StatusCode, body)
	}
	send := func(origin string) int {
		form := url.Values{"fragment": {"code=c-1&state=" + l.request.Pending.State}}
		r, err := http.NewRequest(http.MethodPost, l.RedirectURI()+"/fragment", strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", origin)
		res, _ := do(t, b, r)
		return res.StatusCode
	}
	if status := send("https://evil.example"); status != http.StatusForbidden {
		t.Fatalf("from another origin: status %d, want 403", status)
	}
	if status := send(strings.TrimSuffix(l.RedirectURI(), "/callback")); status != http.StatusSeeOther {
		t.Fatalf("from our page: status %d, want 303", status)
	}
	if a := <-got; a.Mode() != oidc.ModeFragment {
		t.Fatalf("mode %q, want fragment", a.Mode())
	}
}

func TestFormPostComesBackForItsCookie(t *testing.T) {
	l := begin(t, oidc.AuthParams{ResponseMode: "form_post"})
	got := l.accept(t)
	b := browser(t)
	get(t, b, l.StartURL())
	form := url.Values{"code": {"c-1"}, "state": {l.request.Pending.State}}
	r, err := http.NewRequest(http.MethodPost, l.RedirectURI(), strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	bare := *b
	bare.Jar = nil
	res, _ := do(t, &bare, r)
	loc := res.Header.Get("Location")
	if res.StatusCode != http.StatusSeeOther || !strings.HasPrefix(loc, "/rely/continue/") {
		t.Fatalf("status %d, Location %q, want a way back", res.StatusCode, loc)
	}
	back := strings.TrimSuffix(l.RedirectURI(), "/callback") + loc
	if res, _ := get(t, b, back); res.StatusCode != http.StatusSeeOther {
		t.Fatalf("status %d, want 303", res.StatusCode)
	}
	if a := <-got; a.Mode() != oidc.ModeFormPost {
		t.Fatalf("mode %q, want form_post", a.Mode())
	}
	if res, _ := get(t, b, back); res.StatusCode != http.StatusNotFound {
		t.Fatalf("the second time: status %d, want 404", res.StatusCode)
	}
}

func TestRefusedRequests(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*http.Request)
		want   int
	}{
		"another host name":    {func(r *http.Request) { r.Host = "evil.example" }, http.StatusMisdirectedRequest},
		"localhost":            {func(r *http.Request) { r.Host = "localhost" + r.Host[strings.LastIndexByte(r.Host, ':'):] }, http.StatusMisdirectedRequest},
		"prefetch":             {func(r *http.Request) { r.Header.Set("Sec-Purpose", "prefetch;prerender") }, http.StatusServiceUnavailable},
		"another method":       {func(r *http.Request) { r.Method = http.MethodPut }, http.StatusBadRequest},
		"another path":         {func(r *http.Request) { r.URL.Path = "/favicon.ico" }, http.StatusNotFound},
		"done before the end":  {func(r *http.Request) { r.URL.Path = "/rely/done" }, http.StatusNotFound},
		"continue with no one": {func(r *http.Request) { r.URL.Path = "/rely/continue/x" }, http.StatusNotFound},
		"state twice":          {func(r *http.Request) { r.URL.RawQuery += "&state=x" }, http.StatusBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			l := begin(t, oidc.AuthParams{})
			r, err := http.NewRequest(http.MethodGet, l.answerURL(), nil)
			if err != nil {
				t.Fatal(err)
			}
			r.Host = r.URL.Host
			test.change(r)
			if res, _ := do(t, browser(t), r); res.StatusCode != test.want {
				t.Fatalf("status %d, want %d", res.StatusCode, test.want)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
			defer cancel()
			if _, err := l.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("Wait returned %v, want no answer", err)
			}
		})
	}
}

func TestRequestByPost(t *testing.T) {
	l := begin(t, oidc.AuthParams{Post: true, LoginHint: `"><script>alert(1)</script>`})
	res, body := get(t, browser(t), l.StartURL())
	if res.StatusCode != http.StatusOK || !strings.Contains(body, `action="https://op.example/authorize"`) {
		t.Fatalf("status %d, want the form:\n%s", res.StatusCode, body)
	}
	if strings.Contains(body, "<script>alert") {
		t.Fatalf("a parameter is not escaped:\n%s", body)
	}
}
