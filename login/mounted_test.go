package login_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestMountedBelowAPath: who is sent to log in comes back to the page that the
// browser asked for, whatever http.StripPrefix made of its path.
func TestMountedBelowAPath(t *testing.T) {
	r := setup(t)
	mux := http.NewServeMux()
	mux.Handle("/auth/", r.m.Handler())
	mux.Handle("/app/", http.StripPrefix("/app", r.m.Require(http.NotFoundHandler())))
	b := r.browser()
	b.app = mux
	q := request("GET", "/app/page?x=1", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	q.RequestURI = "/app/page?x=1" // as a server reads it
	res := b.deliver(b.toOP(b.send(q, false)))
	if got := res.Header.Get("Location"); got != origin+"/app/page?x=1" {
		t.Errorf("after the login: %q", got)
	}
	// One that put back what a proxy had taken away knows better than the request.
	b = r.browser()
	b.app = mux
	q = request("GET", "/page?x=1", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
	q.RequestURI, q.URL.Path = "/page?x=1", "/outer/page"
	b.app = r.app
	res = b.deliver(b.toOP(b.send(q, false)))
	if got := res.Header.Get("Location"); got != origin+"/outer/page?x=1" {
		t.Errorf("after the login: %q", got)
	}
}

// TestErrorPageKeepsThePolicy: the application's own Content-Security-Policy holds
// for its error pages too.
func TestErrorPageKeepsThePolicy(t *testing.T) {
	r := watched(t)
	r.store.down()
	q := request("GET", "/page")
	q.AddCookie(&http.Cookie{Name: "__Host-rely", Value: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})
	w := httptest.NewRecorder()
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	r.app.ServeHTTP(w, q)
	if got := w.Result().Header["Content-Security-Policy"]; len(got) != 2 || got[0] != "default-src 'self'" || got[1] != "frame-ancestors 'none'" {
		t.Errorf("status %d, policies %q", w.Code, got)
	}
}
