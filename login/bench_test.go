package login_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rely.example/login"
	"rely.example/store/memstore"
)

// nothing is a ResponseWriter that costs nothing.
type nothing struct{ h http.Header }

func (n *nothing) Header() http.Header         { return n.h }
func (n *nothing) Write(b []byte) (int, error) { return len(b), nil }
func (n *nothing) WriteHeader(int)             {}

// realTime is without the clocks of tests.
func realTime(c *login.Config) {
	c.Now = nil
	if !c.Storeless {
		c.Store = &faulty{Store: new(memstore.Store)}
	}
}

// sessionCheck returns one request through Require.
func sessionCheck(t testing.TB, edit ...func(*login.Config)) func() {
	t.Helper()
	r := setup(t, append(edit, realTime)...)
	b := r.browser()
	b.mustLogin("/")
	m := r.m
	if !r.config.Storeless {
		// Without the test's own store between.
		m = r.manager(func(c *login.Config) { c.Store, c.Now = r.config.Store.(*faulty).Store, nil })
	}
	page := m.Require(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) {
		if _, ok := login.FromContext(q.Context()); !ok {
			t.Error("no session")
		}
	}))
	q := request("GET", "/")
	q.Header.Set("Cookie", "theme=dark; __Host-rely="+b.sessionCookie())
	w := &nothing{http.Header{}}
	return func() {
		clear(w.h)
		page.ServeHTTP(w, q)
	}
}

func BenchmarkRequire(b *testing.B) {
	b.Run("memstore", func(b *testing.B) {
		check := sessionCheck(b)
		b.ReportAllocs()
		for b.Loop() {
			check()
		}
	})
	b.Run("memstore_parallel", func(b *testing.B) {
		r := setup(b, realTime)
		t := r.browser()
		t.mustLogin("/")
		m := r.manager(func(c *login.Config) { c.Store, c.Now = r.config.Store.(*faulty).Store, nil })
		q := request("GET", "/")
		q.Header.Set("Cookie", "__Host-rely="+t.sessionCookie())
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := m.Session(q); err != nil {
					b.Error(err)
				}
			}
		})
	})
	b.Run("sealed_cookie", func(b *testing.B) {
		check := sessionCheck(b, storeless)
		b.ReportAllocs()
		for b.Loop() {
			check()
		}
	})
}

// FuzzReturnTo: whatever is asked for, the browser stays at the application's
// origin, and comes to no page of this package.
func FuzzReturnTo(f *testing.F) {
	for _, p := range payloads() {
		f.Add(p)
	}
	f.Add("/fine?a=b#c")
	r := setup(f)
	f.Fuzz(func(t *testing.T, s string) {
		to := r.m.ReturnTo(s)
		u, err := url.Parse(origin + to)
		if err != nil || u.Scheme+"://"+u.Host != origin || u.User != nil {
			t.Fatalf("%q leads to %q", s, to)
		}
		// As a browser reads a path without its origin (WHATWG URL): control
		// characters are dropped, a backslash is a slash.
		seen := strings.ReplaceAll(strings.Map(func(r rune) rune {
			if r < ' ' {
				return -1
			}
			return r
		}, to), `\`, "/")
		if strings.HasPrefix(seen, "//") || !strings.HasPrefix(seen, "/") {
			t.Fatalf("%q leads to %q, which names a host", s, to)
		}
		if u.Path == "/auth/login" || u.Path == "/auth/logout" || strings.HasPrefix(u.Path, "/auth/callback/") {
			t.Fatalf("%q leads to %q", s, to)
		}
	})
}
