package fetch

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// newClient returns a client of its own transport that trusts srv and may dial
// 127.0.0.1.
func newClient(t testing.TB, srv *httptest.Server, change ...func(*Config)) *Client {
	t.Helper()
	cfg := Config{AllowPrivate: []string{"127.0.0.1"}}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if tr, ok := c.roundTrip.(*http.Transport); ok && srv != nil && srv.TLS != nil {
		roots := x509.NewCertPool()
		roots.AddCert(srv.Certificate())
		tr.TLSClientConfig.RootCAs = roots
	}
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// serve starts an HTTPS server that keeps its complaints to itself.
func serve(t testing.TB, h http.HandlerFunc) *httptest.Server {
	t.Helper()
	srv := httptest.NewUnstartedServer(h)
	srv.Config.ErrorLog = discardLog()
	srv.StartTLS()
	t.Cleanup(srv.Close)
	return srv
}

// wantKind asserts the kind of an error, and that it says something.
func wantKind(t testing.TB, err error, kind Kind) *Error {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Kind != kind || !errors.Is(err, kind) {
		t.Fatalf("got %v, want %v", describe(err), kind)
	}
	if e.Detail == "" {
		t.Fatalf("%v without a detail", kind)
	}
	return e
}

func describe(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind.String() + ": " + e.Error()
	}
	if err == nil {
		return "no error"
	}
	return err.Error()
}

// nameServer answers every A query by what answer returns for the name, and
// counts the queries. It speaks DNS over a pipe in TCP framing.
func nameServer(answer func(name string, query int) []netip.Addr) *net.Resolver {
	var queries atomic.Int32
	return &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go func() {
			defer ours.Close()
			for {
				var length [2]byte
				if _, err := io.ReadFull(ours, length[:]); err != nil {
					return
				}
				q := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(ours, q); err != nil {
					return
				}
				name, end := questionName(q)
				var addrs []netip.Addr
				if binary.BigEndian.Uint16(q[end:]) == 1 { // A
					addrs = answer(name, int(queries.Add(1)))
				}
				resp := bytes.Clone(q[:end+4])
				resp[2], resp[3] = 0x84, 0x00                            // response, authoritative
				binary.BigEndian.PutUint16(resp[6:], uint16(len(addrs))) // ANCOUNT
				copy(resp[8:12], []byte{0, 0, 0, 0})
				for _, a := range addrs {
					resp = append(resp, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
					resp = append(resp, a.AsSlice()...)
				}
				if _, err := ours.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(resp))), resp...)); err != nil {
					return
				}
			}
		}()
		return theirs, nil
	}}
}

// questionName returns the name asked for and the offset of its type.
func questionName(q []byte) (string, int) {
	var labels []string
	i := 12
	for q[i] != 0 {
		labels = append(labels, string(q[i+1:i+1+int(q[i])]))
		i += 1 + int(q[i])
	}
	return strings.Join(labels, "."), i + 1
}

func port(t testing.TB, rawURL string) string {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return u.Port()
}

func TestDo(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", `application/json; charset="UTF-8"; x=y`)
		w.Header().Set("Seen", strings.Join([]string{r.Method, r.Header.Get("User-Agent"), r.Header.Get("Accept"), r.Header.Get("Accept-Encoding"), r.Header.Get("X-Own"), string(body)}, "|"))
		w.WriteHeader(http.StatusTeapot)
		io.WriteString(w, `{"a":1}`)
	})
	c := newClient(t, srv)
	resp, err := c.Do(t.Context(), &Request{
		Purpose: "token", Method: "POST", URL: srv.URL + "/t?q=1", Body: []byte("code=1"),
		Header: http.Header{"X-Own": {"own"}, "accept-encoding": {"br"}}, Accept: []string{"application/json", "application/jwt"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := "POST|rely/0.1|application/json, application/jwt|identity|own|code=1"; resp.Header.Get("Seen") != want {
		t.Errorf("server saw %q, want %q", resp.Header.Get("Seen"), want)
	}
	if resp.Status != 418 || resp.MediaType != "application/json" || string(resp.Body) != `{"a":1}` || resp.URL != srv.URL+"/t?q=1" {
		t.Errorf("got %d %q %q %q", resp.Status, resp.MediaType, resp.Body, resp.URL)
	}
}

func TestDoWithoutRequest(t *testing.T) {
	_, err := newClient(t, nil).Do(t.Context(), nil)
	wantKind(t, err, BadRequest)
}

func TestHeaderWithLineBreak(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL, Header: http.Header{"Authorization": {"Bearer s3cret\r\nX: y"}}})
	if e := wantKind(t, err, BadRequest); strings.Contains(e.Error(), "s3cret") {
		t.Errorf("secret in %q", e)
	}
}

func TestCanceled(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("shutting down"))
	_, err := newClient(t, srv).Do(ctx, &Request{URL: srv.URL})
	if e := wantKind(t, err, Canceled); e.Temporary() || !errors.Is(err, context.Canceled) {
		t.Errorf("temporary %v, cause %v", e.Temporary(), e.Err)
	}
}

func TestCanceledWithinBody(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		cancel()
		<-r.Context().Done()
	})
	_, err := newClient(t, srv).Do(ctx, &Request{URL: srv.URL})
	wantKind(t, err, Canceled)
}

func TestContextDeadlineIsEarlier(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := newClient(t, srv).Do(ctx, &Request{URL: srv.URL})
	if e := wantKind(t, err, Timeout); !e.Temporary() || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("temporary %v, cause %v", e.Temporary(), e.Err)
	}
}

func TestCallersTimeoutIsShorter(t *testing.T) {
	c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = &http.Client{Timeout: time.Second} })
	if c.timeout != time.Second {
		t.Errorf("timeout is %v", c.timeout)
	}
	c = newClient(t, nil, func(cfg *Config) { cfg.HTTP = &http.Client{Timeout: time.Hour} })
	if c.timeout != DefaultTimeout {
		t.Errorf("timeout is %v", c.timeout)
	}
}

func TestNewRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"negative timeout": {Timeout: -1},
		"wildcard":         {AllowPrivate: []string{"*.corp.example"}},
		"url":              {AllowPrivate: []string{"https://op.example"}},
		"port":             {AllowPrivate: []string{"op.example:8443"}},
		"brackets":         {AllowPrivate: []string{"[::1]"}},
		"zone":             {AllowPrivate: []string{"fe80::1%eth0"}},
		"empty":            {AllowPrivate: []string{""}},
		"bad prefix":       {AllowPrivate: []string{"10.0.0.0/40"}},
		"unmasked prefix":  {AllowPrivate: []string{"10.0.0.5/8"}},
		"mapped prefix":    {AllowPrivate: []string{"::ffff:10.0.0.0/104"}},
		"numeric name":     {AllowPrivate: []string{"127.1"}},
		"old TLS":          {HTTP: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{MaxVersion: tls.VersionTLS11}}}},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := New(cfg); err == nil {
				t.Error("accepted")
			}
		})
	}
}

func TestObserve(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/a" {
			http.Redirect(w, r, "/b", http.StatusFound)
			return
		}
		io.WriteString(w, "body")
	})
	var seen []Exchange
	clock := time.Unix(1000, 0)
	c := newClient(t, srv, func(cfg *Config) {
		cfg.Now = func() time.Time { clock = clock.Add(time.Second); return clock }
		cfg.Observe = func(_ context.Context, x *Exchange) { seen = append(seen, *x) }
	})
	if _, err := c.Do(t.Context(), &Request{Purpose: "keys", URL: srv.URL + "/a", Header: http.Header{"X-Secret": {"s"}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Do(t.Context(), &Request{Purpose: "keys", URL: srv.URL + "/b", MaxBody: 3}); err == nil {
		t.Fatal("no error")
	}
	if len(seen) != 3 {
		t.Fatalf("%d exchanges, want 3", len(seen))
	}
	if x := seen[0]; x.Status != 302 || x.URL != srv.URL+"/a" || x.Err != nil || x.Took != time.Second || x.RequestHeader.Get("X-Secret") != "s" || x.Purpose != "keys" || x.Method != "GET" {
		t.Errorf("first: %+v", x)
	}
	if x := seen[1]; x.Status != 200 || x.URL != srv.URL+"/b" || string(x.ResponseBody) != "body" || x.ResponseHeader == nil {
		t.Errorf("second: %+v", x)
	}
	if x := seen[2]; !errors.Is(x.Err, TooLarge) || x.ResponseBody != nil || x.Status != 200 {
		t.Errorf("third: %+v", x)
	}
}

func TestCallersTransportIsNotChanged(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) {})
	dials := 0
	theirs := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, MinVersion: tls.VersionTLS10},
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			dials++
			return new(net.Dialer).DialContext(ctx, network, addr)
		},
	}
	client := &http.Client{Transport: theirs}
	c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = client })
	if _, err := c.Do(t.Context(), &Request{URL: srv.URL}); err != nil {
		t.Fatal(err)
	}
	if dials != 1 {
		t.Errorf("caller's dial function called %d times, want 1", dials)
	}
	if client.Transport != theirs || theirs.TLSClientConfig.MinVersion != tls.VersionTLS10 || theirs.MaxIdleConnsPerHost != 0 || theirs.DisableCompression {
		t.Errorf("the caller's client was changed: %+v", theirs)
	}
	if got := c.roundTrip.(*http.Transport).TLSClientConfig.MinVersion; got != tls.VersionTLS12 {
		t.Errorf("lowest TLS version is %s", tls.VersionName(got))
	}
}

func TestCallersDialIsGuarded(t *testing.T) {
	srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
	toServer := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, srv.Listener.Addr().String())
	}
	roots := srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs
	for name, tr := range map[string]*http.Transport{
		"DialContext": {DialContext: toServer},
		"Dial":        {Dial: func(network, addr string) (net.Conn, error) { return toServer(context.Background(), network, addr) }},
		"DialTLSContext": {DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(ctx, network, srv.Listener.Addr().String())
		}},
		"pipe": {DialContext: func(context.Context, string, string) (net.Conn, error) {
			ours, theirs := net.Pipe()
			theirs.Close()
			return ours, nil
		}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = &http.Client{Transport: tr} })
			_, err := c.Do(t.Context(), &Request{URL: "https://op.example/"})
			wantKind(t, err, PrivateAddress)
		})
	}
}

func TestCallersDialToNamedHost(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) })
	// The client of httptest maps example.com to the server by its dial function.
	for name, warm := range map[string]bool{"used before": true, "unused": false} {
		t.Run(name, func(t *testing.T) {
			client := srv.Client()
			if warm {
				resp, err := client.Get(srv.URL)
				if err != nil {
					t.Fatal(err)
				}
				resp.Body.Close()
			}
			c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = client; cfg.AllowPrivate = []string{"EXAMPLE.com."} })
			if _, err := c.Do(t.Context(), &Request{URL: "https://example.com/"}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestHTTP2(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.Proto) }))
	srv.EnableHTTP2 = true
	srv.StartTLS()
	t.Cleanup(srv.Close)
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())

	used := http.DefaultTransport.(*http.Transport).Clone()
	used.TLSClientConfig = &tls.Config{RootCAs: roots}
	used.Proxy = nil
	used.DialContext = nil
	if resp, err := (&http.Client{Transport: used}).Get(srv.URL); err != nil || resp.ProtoMajor != 2 {
		t.Fatalf("%v %v", resp, err)
	}
	for name, client := range map[string]*http.Client{
		"our own":                   nil,
		"caller's, used":            {Transport: used},
		"caller's, HTTP/1.1 by TLS": {Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, srv, func(cfg *Config) { cfg.HTTP = client })
			resp, err := c.Do(t.Context(), &Request{URL: srv.URL})
			if err != nil {
				t.Fatal(err)
			}
			want := "HTTP/2.0"
			if strings.Contains(name, "1.1") {
				want = "HTTP/1.1"
			}
			if string(resp.Body) != want {
				t.Errorf("spoke %s, want %s", resp.Body, want)
			}
		})
	}
	t.Run("caller's, untouched", func(t *testing.T) {
		c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = &http.Client{Transport: new(http.Transport)} })
		c.roundTrip.(*http.Transport).TLSClientConfig.RootCAs = roots
		resp, err := c.Do(t.Context(), &Request{URL: srv.URL})
		if err != nil || string(resp.Body) != "HTTP/2.0" {
			t.Errorf("got %v %v", resp, err)
		}
	})
}

// A foreign RoundTripper is used as it is; what does not depend on dialling is
// guarded all the same.
func TestForeignRoundTripper(t *testing.T) {
	answer := func(status int, h http.Header, body string) http.RoundTripper {
		return roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1, Request: r}, nil
		})
	}
	for _, tc := range []struct {
		name string
		rt   http.RoundTripper
		req  Request
		kind Kind
	}{
		{"private literal", answer(200, nil, ""), Request{URL: "https://10.0.0.1/"}, PrivateAddress},
		{"port", answer(200, nil, ""), Request{URL: "https://op.example:6379/"}, BadPort},
		{"redirect", answer(302, http.Header{"Location": {"https://other.example/"}}, ""), Request{URL: "https://op.example/"}, BadRedirect},
		{"body", answer(200, nil, "12345"), Request{URL: "https://op.example/", MaxBody: 4}, TooLarge},
		{"media type", answer(200, http.Header{"Content-Type": {"text/html"}}, "x"), Request{URL: "https://op.example/", Accept: []string{"application/json"}}, BadMediaType},
		{"nothing", roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil }), Request{URL: "https://op.example/"}, BadResponse},
		{"no body", roundTripper(func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }), Request{URL: "https://op.example/"}, BadResponse},
		{"no progress", roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(stuck{}), ContentLength: -1}, nil
		}), Request{URL: "https://op.example/"}, Truncated},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = &http.Client{Transport: tc.rt} })
			_, err := c.Do(t.Context(), &tc.req)
			wantKind(t, err, tc.kind)
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// Once warm, 32 logins at once to an HTTP/1.1 server open no connection.
func TestWarmConnections(t *testing.T) {
	var opened atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") }))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	c := newClient(t, srv)
	const atOnce, requests = 32, 1500
	// A barrier in the first round makes every goroutine hold a connection. Twice
	// as many as are needed at once: net/http takes a connection back a moment
	// after the body has ended, which on a busy machine is after the next request.
	const warm = 2 * atOnce
	arrived := make(chan struct{}, warm)
	release := make(chan struct{})
	var once sync.Once
	srv.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/warm" {
			arrived <- struct{}{}
			if len(arrived) == warm {
				once.Do(func() { close(release) })
			}
			<-release
		}
		io.WriteString(w, "{}")
	})
	round := func(path string, workers, n int) {
		var wg sync.WaitGroup
		for range workers {
			wg.Go(func() {
				for range n {
					if _, err := c.Do(t.Context(), &Request{Method: "POST", URL: srv.URL + path, Body: []byte("x"), Credentialed: true}); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
	}
	round("/warm", warm, 1)
	before := opened.Load()
	round("/", atOnce, requests/atOnce+1)
	if got := opened.Load() - before; got != 0 {
		t.Errorf("%d new connections once warm, want 0", got)
	}
}

func BenchmarkDo(b *testing.B) {
	body := strings.Repeat("x", 1200)
	srv := serve(b, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	})
	form := []byte(strings.Repeat("f", 300))
	b.Run("fetch", func(b *testing.B) {
		c := newClient(b, srv)
		b.ReportAllocs()
		for b.Loop() {
			if _, err := c.Do(b.Context(), &Request{Method: "POST", URL: srv.URL, Body: form, Accept: []string{"application/json"}, Credentialed: true}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("net/http", func(b *testing.B) {
		client := srv.Client()
		b.ReportAllocs()
		for b.Loop() {
			r, _ := http.NewRequestWithContext(b.Context(), "POST", srv.URL, bytes.NewReader(form))
			resp, err := client.Do(r)
			if err != nil {
				b.Fatal(err)
			}
			io.ReadAll(resp.Body)
			resp.Body.Close()
		}
	})
}

func TestKinds(t *testing.T) {
	seen := make(map[string]bool)
	for k := Unreachable; k <= BadRequest; k++ {
		name := k.String()
		if name == "unknown" || seen[name] || k.Error() != "fetch: "+name {
			t.Errorf("kind %d is called %q", k, name)
		}
		seen[name] = true
		e := &Error{Kind: k, Detail: "d"}
		if want := k == Unreachable || k == Timeout || k == Truncated; e.Temporary() != want {
			t.Errorf("%v: temporary is %v", k, !want)
		}
		if errors.Is(e, k+1) {
			t.Errorf("%v is also %v", k, k+1)
		}
	}
	if Kind(0).String() != "unknown" || (BadRequest+1).String() != "unknown" {
		t.Error("a kind too many has a name")
	}
}

func TestBadPorts(t *testing.T) {
	refused := make(map[string]bool)
	n := 0
	for p := range 1 << 16 {
		if what := badPort(uint16(p)); what != "" {
			refused[what] = true
			n++
		}
	}
	// One for each line of the list: a line that is lost is noticed.
	if len(refused) != 21 || n != 114 {
		t.Errorf("%d ports of %d protocols", n, len(refused))
	}
	for _, p := range []uint16{80, 443, 3000, 4000, 5000, 5443, 8000, 8080, 8443, 9000, 9443} {
		if what := badPort(p); what != "" {
			t.Errorf("%d is %s", p, what)
		}
	}
}

func TestProxyAddress(t *testing.T) {
	for in, want := range map[string]string{
		"http://p.example": "p.example:80", "https://p.example": "p.example:443", "socks5://p.example": "p.example:1080",
		"socks5h://p.example": "p.example:1080", "http://p.example:3128": "p.example:3128", "http://[fd00::1]": "[fd00::1]:80",
	} {
		u, err := url.Parse(in)
		if err != nil {
			t.Fatal(err)
		}
		if got := proxyAddr(u); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}

func TestProxySettingsDoNotParse(t *testing.T) {
	c := newClient(t, nil, func(cfg *Config) {
		cfg.HTTP = &http.Client{Transport: &http.Transport{Proxy: func(*http.Request) (*url.URL, error) { return nil, errors.New("bad settings") }}}
	})
	_, err := c.Do(t.Context(), &Request{URL: "https://op.example/"})
	wantKind(t, err, BadRequest)
}

// Large bodies come through the pooled buffer, whose next user must find nothing
// of them.
func TestPooledBuffers(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush() // no length is announced, and little enough to keep the buffer
		io.WriteString(w, strings.Repeat(r.URL.RawQuery, 3_000))
	})
	c := newClient(t, srv)
	var first []byte
	for i, q := range []string{"abc", "x", "abcdefghijkl"} {
		resp, err := c.Do(t.Context(), &Request{URL: srv.URL + "?" + q})
		if err != nil || string(resp.Body) != strings.Repeat(q, 3_000) {
			t.Fatalf("%s: %d bytes, %v", q, len(resp.Body), err)
		}
		if i == 0 {
			first = resp.Body
		}
	}
	if string(first) != strings.Repeat("abc", 3_000) {
		t.Error("a later body was read into an earlier one's memory")
	}
	if buf, _ := c.pools.buffers.Get().(*[]byte); buf != nil && len(bytes.Trim((*buf)[:cap(*buf)], "\x00")) > 0 {
		t.Error("the pooled buffer still holds a body")
	}
}

func TestCloseIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 1)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	srv.StartTLS()
	defer srv.Close()
	c := newClient(t, srv)
	if _, err := c.Do(t.Context(), &Request{URL: srv.URL}); err != nil {
		t.Fatal(err)
	}
	c.CloseIdleConnections()
	select {
	case <-closed:
	case <-t.Context().Done():
	case <-time.After(10 * time.Second):
		t.Error("the idle connection is still open")
	}
	// A RoundTripper that has no such method is left alone.
	newClient(t, nil, func(cfg *Config) {
		cfg.HTTP = &http.Client{Transport: roundTripper(func(*http.Request) (*http.Response, error) { return nil, nil })}
	}).CloseIdleConnections()
}

// Do costs little beside net/http itself.
func TestAllocations(t *testing.T) {
	c := newClient(t, nil, func(cfg *Config) {
		cfg.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader("{}")), ContentLength: 2}, nil
		})}
	})
	r := &Request{Method: "POST", URL: "https://op.example/token", Body: []byte("x"), Accept: []string{"application/json"}, Credentialed: true}
	n := testing.AllocsPerRun(100, func() {
		if _, err := c.Do(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	})
	// Of these the canned response takes six.
	if n > 26 {
		t.Errorf("%v allocations, want at most 26", n)
	}
}

// Whatever bytes a server sends, Do returns either a body within the limit and of
// an accepted type, or an *Error that quotes nothing of the body.
func FuzzResponse(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{\"a\":\"b\"}\n",
		"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-16\r\n\r\nMARKERMARKER",
		"HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03MARKER",
		"HTTP/1.1 302 Found\r\nLocation: https://op.example/MARK?MARKER\r\nContent-Length: 6\r\n\r\nMARKER",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nMARKER\r\n0\r\n\r\n",
		"HTTP/1.1 500 x\r\nContent-Length: 100\r\n\r\nMARKER",
	} {
		f.Add([]byte(s))
	}
	const limit = 64
	f.Fuzz(func(t *testing.T, raw []byte) {
		var body []byte
		c := newClient(t, nil, func(cfg *Config) {
			cfg.HTTP = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(raw)), r)
				if err != nil {
					return nil, err
				}
				if _, after, ok := bytes.Cut(raw, []byte("\r\n\r\n")); ok {
					body = after
				}
				return resp, nil
			})}
		})
		resp, err := c.Do(t.Context(), &Request{URL: "https://op.example/", Accept: []string{"application/json"}, MaxBody: limit})
		if err == nil {
			if len(resp.Body) > limit {
				t.Fatalf("a body of %d bytes, limit %d", len(resp.Body), limit)
			}
			if (resp.Status == 200 || resp.Status == 201) && resp.MediaType != "application/json" || isRedirect(resp.Status) {
				t.Fatalf("status %d, type %q", resp.Status, resp.MediaType)
			}
			return
		}
		e, ok := err.(*Error)
		if !ok || e.Kind.String() == "unknown" || e.Detail == "" {
			t.Fatalf("%T %v", err, err)
		}
		header, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
		if bytes.Contains(body, []byte("MARKER")) && !bytes.Contains(header, []byte("MARKER")) && strings.Contains(err.Error(), "MARKER") {
			t.Fatalf("the body in %q", err)
		}
	})
}
