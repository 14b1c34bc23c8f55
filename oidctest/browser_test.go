package oidctest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"testing"
	"time"
)

// A real browser must find its way back by form_post: the policy of the page
// has to let its script run and its form go to another origin.
func TestFormPostInARealBrowser(t *testing.T) {
	var chrome string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			chrome = p
			break
		}
	}
	if chrome == "" {
		if os.Getenv("RELY_REQUIRE") == "all" {
			t.Fatal("RELY_REQUIRE=all and there is no Chromium")
		}
		t.Skip("there is no Chromium")
	}
	got := make(chan url.Values, 1)
	rp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ParseForm() == nil && r.Method == http.MethodPost {
			select {
			case got <- r.PostForm:
			default:
			}
		}
	}))
	defer rp.Close()
	op := NewWith(t, Config{PlainHTTP: true})
	p := newParty(t, op, Client{RedirectURIs: []string{rp.URL + "/cb"}, IDTokenSignedResponseAlg: "EdDSA"})
	v := p.params("code id_token")
	v.Set("response_mode", "form_post")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, chrome, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
		"--user-data-dir="+t.TempDir(), "--dump-dom", op.URL(EndpointAuthorization)+"?"+v.Encode())
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// It ends by itself when the page is there; its children write to the
	// directory until then.
	defer func() { _ = cmd.Wait() }()
	select {
	case form := <-got:
		want(t, "state", form.Get("state"), "state-1")
		want(t, "code", form.Has("code"), true)
		want(t, "id_token", form.Has("id_token"), true)
	case <-ctx.Done():
		t.Error("the form did not arrive")
	}
}

func TestBrowserTellsPagesFromAnswers(t *testing.T) {
	op := New(t)
	if _, err := op.Browser().Login(t.Context(), "://"); err == nil {
		t.Error("a URL that is none was opened")
	}
	_, err := op.Browser().Login(t.Context(), op.URL(EndpointAuthorization))
	page, ok := err.(*PageError)
	if !ok {
		t.Fatalf("got %v", err)
	}
	want(t, "status", page.Status, 400)
	want(t, "detail", page.Detail, "Bad request The request must have exactly one client_id. A test OpenID Provider. It asks for no password; do not let it guard anything.")
	op.Intercept(EndpointAuthorization, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) })
	if _, err := op.Browser().Login(t.Context(), op.URL(EndpointAuthorization)); err == nil {
		t.Error("a loop of redirects came to an end")
	}
}
