package fetch

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func discardLog() *log.Logger { return log.New(io.Discard, "", 0) }

// short is a deadline that a test runs into.
func short(cfg *Config) { cfg.Timeout = 50 * time.Millisecond }

// raw serves one connection after another with f, in TLS.
func raw(t testing.TB, f func(net.Conn, *http.Request)) *httptest.Server {
	t.Helper()
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
		conn, rw, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		rw.Flush()
		f(conn, r)
	})
	return srv
}

// TestHostile holds this package to the hostile catalogue, by case.
func TestHostile(t *testing.T) {
	t.Run("005_private_addresses", func(t *testing.T) {
		for _, host := range []string{"127.0.0.1", "127.8.8.8", "[::1]", "10.1.2.3", "169.254.169.254", "[fc00::1]", "[fd00:ec2::254]", "0.0.0.0", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "[fe80::1]", "100.64.0.1", "100.100.100.200", "168.63.129.16", "224.0.0.1", "255.255.255.255", "[ff02::1]", "192.168.1.1", "172.31.0.1", "localhost", "x.LocalHost."} {
			_, err := newClient(t, nil, func(cfg *Config) { cfg.AllowPrivate = nil }).Do(t.Context(), &Request{URL: "https://" + host + "/"})
			if e := wantKind(t, err, PrivateAddress); !strings.Contains(e.Detail, "AllowPrivate") {
				t.Errorf("%s: %q does not say what to do", host, e.Detail)
			}
		}
	})
	t.Run("005_private_by_name", func(t *testing.T) {
		for _, a := range []string{"127.0.0.1", "10.0.0.5", "169.254.169.254", "0.0.0.0", "100.64.0.1"} {
			c := newClient(t, nil)
			c.guard.resolver = nameServer(func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr(a)} })
			_, err := c.Do(t.Context(), &Request{URL: "https://op.corp.example/"})
			if e := wantKind(t, err, PrivateAddress); !strings.Contains(e.Detail, "op.corp.example resolves to "+a+", ") {
				t.Errorf("got %q", e.Detail)
			}
		}
	})
	t.Run("006_dangerous_ports", func(t *testing.T) {
		c := newClient(t, nil)
		for _, p := range []string{"22", "25", "6379", "11211", "5432", "3306", "27017", "9200", "2375"} {
			_, err := c.CheckURL("https://op.example:" + p + "/")
			wantKind(t, err, BadPort)
		}
		if _, err := c.CheckURL("https://127.0.0.1:6379/"); err != nil {
			t.Errorf("a host named in AllowPrivate: %v", err)
		}
	})
	t.Run("007_smuggled_urls", func(t *testing.T) {
		c := newClient(t, nil)
		for _, u := range []string{
			"https://good@evil.example/", "https://good:pw@evil.example/", "https://@evil.example/",
			"https://op.example/\r\nX: y", "https://op.example/\x00", `https://op.example\@evil.example/`, "https:\\\\op.example/",
			"https://ex%61mple.com/", "https://ex%C3%A9mple.com/", "https://exämple.com/", "https://раураl.com/",
			"https://op.example /", "https://op.example/a b", "https://op.example\t/",
		} {
			_, err := c.CheckURL(u)
			if e := wantKind(t, err, BadURL); strings.Contains(e.Error(), "pw") || strings.Contains(e.Error(), "good") {
				t.Errorf("user information in %q", e)
			}
		}
	})
	t.Run("008_identifier_has_every_bound", func(t *testing.T) {
		srv := serve(t, endless)
		_, err := newClient(t, srv).Do(t.Context(), &Request{Purpose: "webfinger", URL: srv.URL + "/.well-known/webfinger?resource=acct%3Ax%40y"})
		if e := wantKind(t, err, TooLarge); strings.Contains(e.Error(), "acct") {
			t.Errorf("query in %q", e)
		}
	})
	t.Run("017_schemes", func(t *testing.T) {
		c := newClient(t, nil, func(cfg *Config) { cfg.InsecureAllowHTTP = true })
		for _, u := range []string{"javascript:alert(1)", "file:///etc/passwd", "data:,x", "/relative", "relative", "//op.example/", "", "ftp://op.example/", "https:op.example", "https:///x", "https://:443/"} {
			_, err := c.CheckURL(u)
			wantKind(t, err, BadURL)
		}
	})
	t.Run("018_http_endpoint", func(t *testing.T) {
		_, err := newClient(t, nil).Do(t.Context(), &Request{URL: "http://127.0.0.1/token"})
		wantKind(t, err, Insecure)
	})
	t.Run("019_http_opted_in", func(t *testing.T) {
		srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		defer srv.Close()
		c := newClient(t, srv, func(cfg *Config) { cfg.InsecureAllowHTTP = true })
		if _, err := c.Do(t.Context(), &Request{URL: srv.URL}); err != nil {
			t.Error(err)
		}
	})
	for _, n := range []string{"020", "041", "131", "239"} {
		t.Run(n+"_endless_body", func(t *testing.T) {
			srv := serve(t, endless)
			_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
			if e := wantKind(t, err, TooLarge); e.Status != 200 || !strings.Contains(e.Detail, fmt.Sprint(DefaultMaxBody)) {
				t.Errorf("got %+v", e)
			}
		})
	}
	t.Run("020_limit_is_exact", func(t *testing.T) {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/chunked" {
				w.(http.Flusher).Flush()
			}
			w.Write(make([]byte, 1000))
		})
		c := newClient(t, srv)
		for _, path := range []string{"/", "/chunked"} {
			if resp, err := c.Do(t.Context(), &Request{URL: srv.URL + path, MaxBody: 1000}); err != nil || len(resp.Body) != 1000 {
				t.Errorf("%s: at the limit: %v", path, err)
			}
			_, err := c.Do(t.Context(), &Request{URL: srv.URL + path, MaxBody: 999})
			wantKind(t, err, TooLarge)
		}
	})
	t.Run("021_gzip_bomb", func(t *testing.T) {
		var member bytes.Buffer
		z := gzip.NewWriter(&member)
		z.Write(make([]byte, 1<<20))
		z.Close()
		bomb := bytes.Repeat(member.Bytes(), 256) // members in a row are one stream, RFC 1952, section 2.2
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(bomb)
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if e := wantKind(t, err, TooLarge); !strings.Contains(e.Detail, "inflated") {
			t.Errorf("got %q", e.Detail)
		}
	})
	t.Run("021_gzip_of_nothing_forever", func(t *testing.T) {
		var empty bytes.Buffer
		gzip.NewWriter(&empty).Close()
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			for r.Context().Err() == nil {
				w.Write(bytes.Repeat(empty.Bytes(), 1000))
			}
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, TooLarge)
	})
	t.Run("021_gzip_unasked", func(t *testing.T) {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "GZIP")
			z := gzip.NewWriter(w)
			io.WriteString(z, "hello")
			z.Close()
		})
		c := newClient(t, srv)
		for range 2 { // the second time with a pooled reader
			resp, err := c.Do(t.Context(), &Request{URL: srv.URL})
			if err != nil || string(resp.Body) != "hello" {
				t.Errorf("got %v, %v", resp, err)
			}
		}
	})
	for _, n := range []string{"022", "042", "130"} {
		t.Run(n+"_slow_loris", func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					io.WriteString(w, " ")
					w.(http.Flusher).Flush()
				}
			})
			// So slow that the limit of the body is not what ends it.
			c := newClient(t, srv, short)
			_, err := c.Do(t.Context(), &Request{URL: srv.URL, MaxBody: 1 << 40})
			wantKind(t, err, Timeout)
		})
	}
	t.Run("022_silent_after_accept", func(t *testing.T) {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		_, err := newClient(t, srv, short).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, Timeout)
	})
	for name, location := range map[string]string{
		"023_redirect_to_another_origin":    "https://sigstore.example/keys?token=s3cret",
		"065_redirect_to_an_internal_host":  "https://169.254.169.254/latest/meta-data",
		"127_redirect_to_another_port":      "https://127.0.0.1:1/",
		"240_redirect_to_http":              "http://127.0.0.1/",
		"298_redirect_to_another_case":      "HTTPS://127.0.0.2/",
		"298_redirect_to_javascript":        "javascript:alert(1)",
		"298_redirect_to_nowhere":           "https://%zz/",
		"298_redirect_to_user_information":  "https://s3cret@127.0.0.1/",
		"298_redirect_to_a_relative_scheme": "//evil.example/",
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Location"] = []string{location}
				w.WriteHeader(http.StatusFound)
			})
			c := newClient(t, srv, func(cfg *Config) { cfg.InsecureAllowHTTP = true })
			_, err := c.Do(t.Context(), &Request{URL: srv.URL + "/?a=s3cret"})
			e := wantKind(t, err, BadRedirect)
			if strings.Contains(e.Error(), "s3cret") {
				t.Errorf("a query or user information in %q", e)
			}
			if e.Status != 302 {
				t.Errorf("status %d", e.Status)
			}
			if downgrade := strings.HasPrefix(location, "http:"); strings.Contains(e.Detail, "from https to http is not") != downgrade {
				t.Errorf("got %q", e.Detail)
			}
		})
	}
	t.Run("024_redirect_loop", func(t *testing.T) {
		var hits atomic.Int32
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Add(1)
			http.Redirect(w, r, "/loop", http.StatusTemporaryRedirect)
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, BadRedirect)
		if hits.Load() != MaxRedirects+1 {
			t.Errorf("%d requests, want %d", hits.Load(), MaxRedirects+1)
		}
	})
	t.Run("024_redirects_within_the_origin", func(t *testing.T) {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if len(r.URL.Path) <= MaxRedirects {
				http.Redirect(w, r, r.URL.Path+"x#frag", http.StatusMovedPermanently)
				return
			}
			io.WriteString(w, "here")
		})
		resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL + "/"})
		if err != nil || string(resp.Body) != "here" || resp.URL != srv.URL+"/xxx" {
			t.Errorf("got %+v, %v", resp, err)
		}
	})
	t.Run("024_redirect_without_location", func(t *testing.T) {
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/a" {
				return
			}
			if r.URL.Path == "/two" {
				w.Header()["Location"] = []string{"/a", "/b"}
			}
			w.WriteHeader(http.StatusFound)
		})
		for _, path := range []string{"/none", "/two"} {
			_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL + path})
			wantKind(t, err, BadRedirect)
		}
	})
	for name, header := range map[string][]string{
		"027_html":              {"text/html"},
		"027_none":              {""},
		"027_json_lookalike":    {"application/jsonx"},
		"027_two_content_types": {"application/json", "text/html"},
		"027_does_not_parse":    {"application/json; charset=utf-8; charset=utf-16"},
		"140_form_encoded":      {"application/x-www-form-urlencoded"},
		"140_text_plain":        {"text/plain; charset=utf-8"},
		"141_html":              {"text/html; charset=utf-8"},
		"306_utf16":             {"application/json; charset=utf-16"},
		"306_latin1":            {`application/json;charset="ISO-8859-1"`},
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header()["Content-Type"] = header
				io.WriteString(w, "access_token=s3cret")
			})
			_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL, Accept: []string{"application/json"}})
			if e := wantKind(t, err, BadMediaType); strings.Contains(e.Error(), "s3cret") {
				t.Errorf("body in %q", e)
			}
		})
	}
	t.Run("027_accepted", func(t *testing.T) {
		for _, v := range []string{"application/json", "Application/JSON", "application/json; charset=UTF-8", "application/json;charset=\"utf-8\"", "application/json; profile=x", " application/json ;"} {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Type", v) })
			resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL, Accept: []string{"application/json"}})
			if err != nil || resp.MediaType != "application/json" {
				t.Errorf("%q: %v, %v", v, resp, err)
			}
		}
	})
	t.Run("066_body_is_not_echoed", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nAWS_SECRET")
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if e := wantKind(t, err, Truncated); strings.Contains(fmt.Sprintf("%v %+v", e, e.Err), "AWS_SECRET") {
			t.Errorf("body in %q", e)
		}
	})
	t.Run("126_credentials_follow_no_redirect", func(t *testing.T) {
		for name, r := range map[string]Request{
			"said":   {Credentialed: true},
			"body":   {Method: "POST", Body: []byte("code=s3cret")},
			"bearer": {Header: http.Header{"Authorization": {"Bearer s3cret"}}},
			"method": {Method: "DELETE"},
		} {
			for _, status := range []int{301, 302, 303, 307, 308} {
				var hits atomic.Int32
				srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
					hits.Add(1)
					http.Redirect(w, r, "/same-origin", status)
				})
				r.URL = srv.URL
				_, err := newClient(t, srv).Do(t.Context(), &r)
				wantKind(t, err, BadRedirect)
				if hits.Load() != 1 {
					t.Errorf("%s, %d: %d requests, want 1", name, status, hits.Load())
				}
			}
		}
	})
	t.Run("128_unauthorized_is_one_request", func(t *testing.T) {
		var hits atomic.Int32
		srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
			hits.Add(1)
			w.Header().Set("WWW-Authenticate", "Basic")
			w.WriteHeader(http.StatusUnauthorized)
		})
		resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL, Method: "POST", Body: []byte("code=1"), Credentialed: true})
		if err != nil || resp.Status != 401 || hits.Load() != 1 {
			t.Errorf("got %v, %v after %d requests", resp, err, hits.Load())
		}
	})
	t.Run("129_code_is_not_sent_again", func(t *testing.T) { testNotSentAgain(t, false) })
	t.Run("129_code_is_not_sent_again_http2", func(t *testing.T) { testNotSentAgain(t, true) })
	t.Run("142_odd_statuses_are_told", func(t *testing.T) {
		for _, status := range []int{203, 204, 206, 300, 304, 400, 500, 503} {
			srv := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				w.WriteHeader(status)
			})
			resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL, Accept: []string{"application/json"}})
			if err != nil || resp.Status != status {
				t.Errorf("%d: %v, %v", status, resp, err)
			}
		}
	})
	t.Run("142_length_of_what_is_not_sent", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 304 Not Modified\r\nContent-Length: 99999999\r\n\r\n")
		})
		resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if err != nil || resp.Status != 304 || len(resp.Body) != 0 {
			t.Errorf("got %v, %v", resp, err)
		}
	})
	t.Run("149_untrusted_certificate", func(t *testing.T) {
		srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
		_, err := newClient(t, nil).Do(t.Context(), &Request{URL: srv.URL})
		if e := wantKind(t, err, TLS); e.Temporary() || !strings.Contains(e.Detail, "authority") {
			t.Errorf("got %+v", e)
		}
	})
	t.Run("149_expired_certificate", func(t *testing.T) {
		srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
		c := newClient(t, srv)
		c.roundTrip.(*http.Transport).TLSClientConfig.Time = func() time.Time { return time.Date(2090, 1, 1, 0, 0, 0, 0, time.UTC) }
		_, err := c.Do(t.Context(), &Request{URL: srv.URL})
		if e := wantKind(t, err, TLS); !strings.Contains(e.Detail, "2084-") {
			t.Errorf("got %q", e.Detail)
		}
	})
	t.Run("149_wrong_host", func(t *testing.T) {
		srv := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") })
		c := newClient(t, srv, func(cfg *Config) { cfg.AllowPrivate = []string{"localhost"} })
		_, err := c.Do(t.Context(), &Request{URL: "https://localhost:" + port(t, srv.URL)})
		if e := wantKind(t, err, TLS); !strings.Contains(e.Detail, "example.com") || !strings.Contains(e.Detail, "not for localhost") {
			t.Errorf("got %q", e.Detail)
		}
	})
	t.Run("149_old_tls", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
		srv.Config.ErrorLog = discardLog()
		srv.TLS = &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
		srv.StartTLS()
		defer srv.Close()
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if e := wantKind(t, err, TLS); !strings.Contains(e.Detail, "1.2") {
			t.Errorf("got %q", e.Detail)
		}
	})
	t.Run("149_no_tls", func(t *testing.T) {
		srv := httptest.NewServer(http.NotFoundHandler())
		defer srv.Close()
		_, err := newClient(t, nil).Do(t.Context(), &Request{URL: strings.Replace(srv.URL, "http:", "https:", 1)})
		if e := wantKind(t, err, Unreachable); !strings.Contains(e.Detail, "TLS") {
			t.Errorf("got %q", e.Detail)
		}
	})
	t.Run("149_client_certificate_wanted", func(t *testing.T) {
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
		srv.Config.ErrorLog = discardLog()
		srv.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
		srv.StartTLS()
		defer srv.Close()
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, TLS)
	})
	t.Run("297_dns_flip", func(t *testing.T) {
		var hits atomic.Int32
		srv := serve(t, func(http.ResponseWriter, *http.Request) { hits.Add(1) })
		// The first answer is this test's own look, public; every later one, the
		// dial's among them, is loopback.
		flips := nameServer(func(_ string, n int) []netip.Addr {
			if n == 1 {
				return []netip.Addr{netip.MustParseAddr("93.184.215.14")}
			}
			return []netip.Addr{netip.MustParseAddr("127.0.0.1")}
		})
		c := newClient(t, srv)
		c.guard.resolver = flips
		u, err := c.CheckURL("https://flip.example:" + port(t, srv.URL) + "/")
		if err != nil {
			t.Fatal(err)
		}
		first, err := flips.LookupNetIP(t.Context(), "ip4", "flip.example")
		if err != nil || special(first[0]) != "" {
			t.Fatalf("first answer %v, %v", first, err)
		}
		_, err = c.Do(t.Context(), &Request{URL: u.String()})
		wantKind(t, err, PrivateAddress)
		if hits.Load() != 0 {
			t.Error("a request arrived")
		}
	})
	t.Run("297_admitted_by_prefix", func(t *testing.T) {
		srv := serve(t, func(http.ResponseWriter, *http.Request) {})
		c := newClient(t, srv, func(cfg *Config) { cfg.AllowPrivate = []string{"127.0.0.0/8"} })
		c.guard.resolver = nameServer(func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
		// The certificate of httptest is for example.com.
		if _, err := c.Do(t.Context(), &Request{URL: "https://example.com:" + port(t, srv.URL) + "/"}); err != nil {
			t.Error(err)
		}
	})
	t.Run("297_literal_admits_no_name", func(t *testing.T) {
		c := newClient(t, nil)
		c.guard.resolver = nameServer(func(string, int) []netip.Addr { return []netip.Addr{netip.MustParseAddr("127.0.0.1")} })
		_, err := c.Do(t.Context(), &Request{URL: "https://evil.example/"})
		wantKind(t, err, PrivateAddress)
	})
	t.Run("303_environment_proxy_is_ignored", func(t *testing.T) {
		cloned := http.DefaultTransport.(*http.Transport).Clone()
		for name, client := range map[string]*http.Client{"own": nil, "cloned": {Transport: cloned}, "no transport": {}} {
			if c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = client }); c.proxy != nil || c.roundTrip.(*http.Transport).Proxy != nil {
				t.Errorf("%s: a proxy nobody asked for", name)
			}
			if c := newClient(t, nil, func(cfg *Config) { cfg.HTTP = client; cfg.UseProxyFromEnvironment = true }); c.proxy == nil {
				t.Errorf("%s: no proxy although asked for", name)
			}
		}
	})
	t.Run("303_proxy_bypasses_no_policy", testProxy)
	t.Run("304_header_of_10_MiB", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nX: ")
			c.Write(bytes.Repeat([]byte("x"), 10<<20))
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, TooLarge)
	})
	t.Run("304_header_of_10000_fields", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			w := bufio.NewWriter(c)
			io.WriteString(w, "HTTP/1.1 200 OK\r\n")
			for i := range 10000 {
				fmt.Fprintf(w, "X%d: y\r\n", i)
			}
			io.WriteString(w, "\r\n")
			w.Flush()
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, TooLarge)
	})
	t.Run("304_endless_1xx", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			for {
				if _, err := io.WriteString(c, "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"); err != nil {
					return
				}
			}
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, TooLarge)
	})
	t.Run("304_endless_trailers", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n")
			for {
				if _, err := io.WriteString(c, "X: y\r\n"); err != nil {
					return
				}
			}
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, BadResponse)
	})
	for name, tc := range map[string]struct {
		fields int // of 2 KiB each
		kind   Kind
	}{
		"304_http2_header_of_66_KiB": {33, TooLarge},
		"304_http2_header_of_1_MiB":  {512, BadResponse}, // so much that the whole connection is given up
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := range tc.fields {
					w.Header().Set(fmt.Sprintf("X%d", i), strings.Repeat("x", 2<<10))
				}
			}))
			srv.EnableHTTP2 = true
			srv.StartTLS()
			defer srv.Close()
			_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
			wantKind(t, err, tc.kind)
		})
	}
	t.Run("304_http2_rapid_reset", func(t *testing.T) {
		var hits atomic.Int32
		srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			hits.Add(1)
			panic(http.ErrAbortHandler)
		}))
		srv.EnableHTTP2 = true
		srv.StartTLS()
		defer srv.Close()
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if wantKind(t, err, Unreachable); hits.Load() > 8 {
			t.Errorf("%d requests", hits.Load())
		}
	})
	t.Run("304_switching_protocols", func(t *testing.T) {
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n")
		})
		_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		wantKind(t, err, BadResponse)
	})
	t.Run("305_never_accepting", func(t *testing.T) {
		l := listen(t) // the kernel accepts, nobody answers the handshake
		_, err := newClient(t, nil, short).Do(t.Context(), &Request{URL: "https://" + l.Addr().String()})
		wantKind(t, err, Timeout)
	})
	t.Run("305_partial_handshake", func(t *testing.T) {
		l := listen(t)
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Write([]byte{22, 3, 3, 0, 100, 2}) // a record that never ends
				io.Copy(io.Discard, c)
				c.Close()
			}
		}()
		_, err := newClient(t, nil, short).Do(t.Context(), &Request{URL: "https://" + l.Addr().String()})
		wantKind(t, err, Timeout)
	})
	t.Run("305_handshake_broken_off", func(t *testing.T) {
		l := listen(t)
		go func() {
			if c, err := l.Accept(); err == nil {
				c.Close()
			}
		}()
		_, err := newClient(t, nil).Do(t.Context(), &Request{URL: "https://" + l.Addr().String()})
		if e := wantKind(t, err, Unreachable); !e.Temporary() {
			t.Error("not temporary")
		}
	})
	t.Run("305_black_hole", func(t *testing.T) {
		_, err := newClient(t, nil, short).Do(t.Context(), &Request{URL: "https://" + blackHole(t)})
		wantKind(t, err, Timeout)
	})
	t.Run("305_refused", func(t *testing.T) {
		l := listen(t)
		addr := l.Addr().String()
		l.Close()
		_, err := newClient(t, nil).Do(t.Context(), &Request{Purpose: "discovery", URL: "https://" + addr})
		if e := wantKind(t, err, Unreachable); !e.Temporary() || !strings.HasPrefix(e.Error(), "fetch: discovery: https://127.0.0.1:") {
			t.Errorf("got %q", e)
		}
	})
	t.Run("305_unknown_name", func(t *testing.T) {
		c := newClient(t, nil)
		c.guard.resolver = nameServer(func(string, int) []netip.Addr { return nil })
		_, err := c.Do(t.Context(), &Request{URL: "https://gone.example/"})
		wantKind(t, err, Unreachable)
	})
	for name, tc := range map[string]struct {
		response string
		kind     Kind
	}{
		"306_length_too_long":    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{}", Truncated},
		"306_length_negative":    {"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n{}", BadResponse},
		"306_two_lengths":        {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", BadResponse},
		"306_length_huge":        {"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n{}", TooLarge},
		"306_chunked_garbage":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", BadResponse},
		"306_chunked_cut":        {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}", Truncated},
		"306_transfer_coding":    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n{}", BadResponse},
		"306_no_http":            {"SSH-2.0-OpenSSH_9.9\r\n", BadResponse},
		"306_header_garbage":     {"HTTP/1.1 200 OK\r\n: x\r\n\r\n", BadResponse},
		"306_content_coding":     {"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", BadEncoding},
		"306_two_codings":        {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, gzip\r\nContent-Length: 2\r\n\r\n{}", BadEncoding},
		"306_coding_fields":      {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", BadEncoding},
		"306_not_gzip":           {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 12\r\n\r\n{1234567890}", BadEncoding},
		"306_gzip_cut_by_length": {"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 100\r\n\r\n\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", Truncated},
	} {
		t.Run(name, func(t *testing.T) {
			srv := raw(t, func(c net.Conn, _ *http.Request) { io.WriteString(c, tc.response) })
			_, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
			wantKind(t, err, tc.kind)
		})
	}
	t.Run("306_length_too_short", func(t *testing.T) {
		log.SetOutput(io.Discard) // where net/http tells of the surplus
		t.Cleanup(func() { log.SetOutput(os.Stderr) })
		srv := raw(t, func(c net.Conn, _ *http.Request) {
			io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\nsmuggled")
		})
		// What a server sends beyond its announced length is no part of the body.
		// net/http drops the connection for it, unless the next request is on it
		// already; the server deceives nobody but itself then, for the connection
		// is to that host alone.
		resp, err := newClient(t, srv).Do(t.Context(), &Request{URL: srv.URL})
		if err != nil || string(resp.Body) != "{}" {
			t.Fatalf("got %v, %v", resp, err)
		}
	})
	t.Run("307_500_dead_addresses", func(t *testing.T) {
		hole := blackHole(t)
		c := newClient(t, nil, short, func(cfg *Config) { cfg.AllowPrivate = []string{"127.0.0.0/8"} })
		c.guard.resolver = nameServer(func(string, int) []netip.Addr {
			return slicesRepeat(netip.MustParseAddrPort(hole).Addr(), 500)
		})
		start := time.Now()
		_, err := c.Do(t.Context(), &Request{URL: fmt.Sprintf("https://dead.example:%d/", netip.MustParseAddrPort(hole).Port())})
		wantKind(t, err, Timeout)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

func endless(w http.ResponseWriter, r *http.Request) {
	block := bytes.Repeat([]byte(" "), 64<<10)
	for r.Context().Err() == nil {
		w.Write(block)
	}
}

func slicesRepeat(a netip.Addr, n int) []netip.Addr {
	out := make([]netip.Addr, n)
	for i := range out {
		out[i] = a
	}
	return out
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// testNotSentAgain lets a server read a POST on a connection that was used before
// and then cut the connection, which is when a transport is tempted to retry.
func testNotSentAgain(t *testing.T, http2 bool) {
	var codes atomic.Int32
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "POST" {
			return
		}
		io.Copy(io.Discard, r.Body)
		codes.Add(1)
		if http2 {
			panic(http.ErrAbortHandler)
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		conn.Close()
	}))
	srv.Config.ErrorLog = discardLog()
	srv.EnableHTTP2 = http2
	srv.StartTLS()
	defer srv.Close()
	c := newClient(t, srv)
	if _, err := c.Do(t.Context(), &Request{URL: srv.URL}); err != nil { // warm
		t.Fatal(err)
	}
	_, err := c.Do(t.Context(), &Request{URL: srv.URL, Method: "POST", Body: []byte("code=1"), Credentialed: true,
		Header: http.Header{"Idempotency-Key": {"would make net/http bold"}}})
	wantKind(t, err, Unreachable)
	if codes.Load() != 1 {
		t.Errorf("the code was sent %d times, want 1", codes.Load())
	}
}

// testProxy sends requests through a CONNECT proxy on loopback.
func testProxy(t *testing.T) {
	srv := serve(t, func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "through") })
	var mu sync.Mutex
	var asked []string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Host)
		mu.Unlock()
		up, err := net.Dial("tcp", srv.Listener.Addr().String())
		if err != nil {
			t.Error(err)
			return
		}
		defer up.Close()
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 200 OK\r\n\r\n")
		go io.Copy(up, conn)
		io.Copy(conn, up)
	}))
	defer proxy.Close()
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(srv.Certificate())
	client := func(addr string, allow ...string) *Client {
		c := newClient(t, nil, func(cfg *Config) {
			cfg.AllowPrivate = allow
			cfg.HTTP = &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(proxyURL), TLSClientConfig: &tls.Config{RootCAs: roots}}}
		})
		c.guard.resolver = nameServer(func(string, int) []netip.Addr {
			if addr == "" {
				return nil
			}
			return []netip.Addr{netip.MustParseAddr("93.184.215.14"), netip.MustParseAddr(addr)}
		})
		return c
	}
	for _, tc := range []struct {
		name string
		c    *Client
		url  string
		kind Kind // 0: succeeds
	}{
		{"public", client("93.184.215.15"), "https://example.com/", 0},
		{"named and unknown here", client("", "example.com"), "https://example.com/", 0},
		{"one private answer", client("10.0.0.1"), "https://example.com/", PrivateAddress},
		{"private literal", client("10.0.0.1"), "https://10.0.0.1/", PrivateAddress},
		{"unknown here", client(""), "https://example.com/", Unreachable},
		{"dangerous port", client("93.184.215.15"), "https://example.com:6379/", BadPort},
		{"the proxy itself as a target", client("93.184.215.15"), "https://" + proxyURL.Host + "/", PrivateAddress},
	} {
		t.Run(tc.name, func(t *testing.T) {
			asked = nil
			resp, err := tc.c.Do(context.Background(), &Request{URL: tc.url})
			if tc.kind == 0 {
				if err != nil || string(resp.Body) != "through" || len(asked) != 1 || asked[0] != "example.com:443" {
					t.Errorf("got %v, %v; the proxy was asked for %v", resp, err, asked)
				}
				return
			}
			wantKind(t, err, tc.kind)
			if len(asked) != 0 {
				t.Errorf("the proxy was asked for %v", asked)
			}
		})
	}
}
