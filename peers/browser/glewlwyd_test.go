package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/peers/interop"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// TestSessionOfGlewlwyd watches the session at an OP that others wrote, through
// its own iframe.
func TestSessionOfGlewlwyd(t *testing.T) {
	var peer *interop.Peer
	for _, p := range interop.Peers() {
		if p.Name == "glewlwyd" {
			peer = p
		}
	}
	op := peer.Start(t)
	at, err := url.Parse(op.Issuer)
	if err != nil {
		t.Fatal(err)
	}
	// Its iframe answers pages whose host ends with its own, port included; the
	// browser is told where that one really is.
	host := "app." + at.Host
	origin := "https://" + host
	mux := http.NewServeMux()
	var checks atomic.Int32 // logins without a prompt
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("check") {
			checks.Add(1)
		}
		mux.ServeHTTP(w, r)
	}))
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	reg, err := p.Register(t.Context(), oidc.ClientMetadata{
		RedirectURIs: []string{origin + "/auth/callback"}, TokenEndpointAuthMethod: oidc.AuthSecretPost, ClientName: "watcher"}, "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, reg.ClientConfig())
	if err != nil {
		t.Fatal(err)
	}
	m, err := login.New(login.Config{Origin: origin, Directory: rp.Only(c), Store: new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	pages(mux, m, true)
	srv.StartTLS()
	t.Cleanup(srv.Close)

	person := sit(t, "MAP "+host+" "+srv.Listener.Addr().String())
	person.open(origin + "/page")
	person.until("location.pathname.endsWith('/login.html')")
	// What the script of its login page does.
	ask[bool](person, fmt.Sprintf(`(async () => {
		const q = new URLSearchParams(location.search), h = {"Content-Type": "application/json"};
		await fetch("/api/auth/", {method: "POST", headers: h, body: JSON.stringify({username: %s, password: %s})});
		await fetch("/api/auth/grant/" + q.get("client_id"), {method: "PUT", headers: h, body: JSON.stringify({scope: q.get("scope")})});
		setTimeout(() => location.assign(q.get("callback_url") + "&g_continue="), 0);
		return true;
	})()`, strconv.Quote(op.User.Username), strconv.Quote(op.User.Password)))
	person.see("hello")
	person.wantAt(origin + "/page")

	person.do(chromedp.Sleep(7 * time.Second)) // two questions of the iframe
	person.see("hello")
	if n := checks.Load(); n != 0 {
		t.Errorf("%d logins without a prompt though nothing changed", n)
	}
	other := person.tab()
	other.open("https://" + at.Host + "/config")
	ask[int](other, `fetch("/api/auth/", {method: "DELETE"}).then(r => r.status)`)
	person.see("You are logged out")
	if n := checks.Load(); n != 1 {
		t.Errorf("%d logins without a prompt, want 1", n)
	}
	person.open(origin + "/public")
	if s := ask[int](person, `fetch("/page").then(r => r.status)`); s != http.StatusUnauthorized {
		t.Errorf("status %d after the session changed", s)
	}
}
