package interop

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"rely.example/peers/interop/launch"
)

// newTestBrowser returns a browser for an OP that is a handler.
func newTestBrowser(t *testing.T, h http.HandlerFunc) (*Browser, string) {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	op, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	rp, err := url.Parse(RedirectURI)
	if err != nil {
		t.Fatal(err)
	}
	client := s.Client()
	client.Jar = jar
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Browser{client: client, user: launch.User{Username: "alice", Password: "secret"}, rp: rp, opHost: op.Host}, s.URL
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
}

func page(format string, args ...any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, format, args...)
	}
}

func TestDelivery(t *testing.T) {
	for name, test := range map[string]struct {
		op   http.HandlerFunc
		mode string
	}{
		"query":    {redirect(RedirectURI + "?code=c%2B1&state=s"), ModeQuery},
		"fragment": {redirect(RedirectURI + "#code=c%2B1&state=s"), ModeFragment},
		"form_post": {page(`<body onload="x()"><form method="POST" action="%s"><input type="hidden" name="code" value="c+1">`+
			`<input type=hidden name=state value=s></form>`, RedirectURI), ModeFormPost},
		"form_post_untyped": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, `<html><form method="post" action="`+RedirectURI+`"><input name="code" value="c+1"/><input name="state" value="s"/></form>`)
		}, ModeFormPost},
	} {
		t.Run(name, func(t *testing.T) {
			b, op := newTestBrowser(t, test.op)
			d, err := b.Visit(t.Context(), op)
			if err != nil {
				t.Fatal(err)
			}
			params, err := d.Params()
			if err != nil {
				t.Fatal(err)
			}
			if d.Mode != test.mode || params.Get("code") != "c+1" || params.Get("state") != "s" {
				t.Errorf("delivered by %s: %v; want by %s", d.Mode, params, test.mode)
			}
			r, err := d.Request(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if got := r.FormValue("code"); (got == "c+1") != (test.mode != ModeFragment) {
				t.Errorf("the server at the redirect URI reads code = %q", got)
			}
		})
	}
}

// TestLoginPages goes through a login page and a page of consent, as an
// end-user does, with a cookie that has to come back.
func TestLoginPages(t *testing.T) {
	b, op := newTestBrowser(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/auth":
			http.SetCookie(w, &http.Cookie{Name: "login", Value: "1", Path: "/", Secure: true, HttpOnly: true})
			http.Redirect(w, r, "login?id=7", http.StatusSeeOther)
		case "/login":
			page(`<form method=post action="/check"><input name=id type=hidden value=7><input name=user>`+
				`<input name=pass type=password><input type=checkbox name=stay value=1><input type=submit name=go value=Go></form>`)(w, r)
		case "/check":
			if c, err := r.Cookie("login"); err != nil || c.Value != "1" {
				http.Error(w, "no cookie", http.StatusForbidden)
				return
			}
			if r.FormValue("user") != "alice" || r.FormValue("pass") != "secret" || r.FormValue("id") != "7" || r.Form.Has("stay") {
				http.Error(w, "wrong form: "+r.Form.Encode(), http.StatusForbidden)
				return
			}
			page(`<form action="consent"><button name=consent value=yes>Yes</button><button name=consent value=no>No</button></form>`)(w, r)
		case "/consent":
			http.Redirect(w, r, RedirectURI+"?code="+r.URL.Query().Encode(), http.StatusFound)
		}
	})
	d, err := b.Visit(t.Context(), op+"/auth")
	if err != nil {
		t.Fatal(err)
	}
	if got := d.URL.RawQuery; got != "code=consent=yes" {
		t.Errorf("delivered %q, want the consent", got)
	}
}

// TestDecide types the code of a device and allows or refuses, by a button that may stand
// outside of the form.
func TestDecide(t *testing.T) {
	for allow, want := range map[bool]string{true: "Done", false: `{"error":"refused"}`} {
		t.Run(want, func(t *testing.T) {
			b, op := newTestBrowser(t, func(w http.ResponseWriter, r *http.Request) {
				switch code := r.FormValue("user_code"); {
				case code == "":
					page(`<form><input name=user_code><button>Continue</button></form>`)(w, r)
				case code != "WDJB":
					http.Error(w, "no such code", http.StatusForbidden)
				case r.Form.Has("abort"):
					http.Error(w, `{"error":"refused"}`, http.StatusBadRequest)
				case r.Form.Has("confirm"):
					page("Done")(w, r)
				default:
					page(`<form id=f><input type=hidden name=confirm value=1><input type=hidden name=user_code value=%s></form>`+
						`<button form=g name=other>Other</button><button form=f>Yes</button><button form=f name=abort>No</button>`, code)(w, r)
				}
			})
			if got, err := b.Decide(t.Context(), op+"/device", "WDJB", allow); err != nil || got != want {
				t.Errorf("Decide = %q, %v; want %q", got, err, want)
			}
		})
	}
	// Some pages have no form, and buttons that a script drives.
	for allow, want := range map[bool]string{true: "allowed", false: "denied"} {
		b, op := newTestBrowser(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/confirm" {
				fmt.Fprint(w, r.FormValue("action"))
				return
			}
			page(`<button onclick="location.href='./confirm?action=allowed'">Allow</button>`+
				`<button onclick="location.href='./confirm?action=denied'">Deny</button>`)(w, r)
		})
		if got, err := b.Decide(t.Context(), op+"/device", "WDJB", allow); err != nil || got != want {
			t.Errorf("Decide = %q, %v; want %q", got, err, want)
		}
	}
	b, op := newTestBrowser(t, redirect(RedirectURI+"?code=1"))
	if got, err := b.Decide(t.Context(), op, "WDJB", true); err == nil {
		t.Errorf("Decide at the Relying Party = %q, want an error", got)
	}
}

func TestSubmitKeepsItsMethod(t *testing.T) {
	for status, want := range map[int]string{302: "GET", 303: "GET", 307: "POST", 308: "POST"} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			b, op := newTestBrowser(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path == "/auth" {
					http.Redirect(w, r, "/next", status)
					return
				}
				http.Redirect(w, r, RedirectURI+"?code="+r.Method+r.PostFormValue("scope"), http.StatusFound)
			})
			d, err := b.Submit(t.Context(), op+"/auth", url.Values{"scope": {"openid"}})
			if err != nil {
				t.Fatal(err)
			}
			if want == "POST" {
				want = "POSTopenid"
			}
			if got := d.URL.Query().Get("code"); got != want {
				t.Errorf("the request after %d was %q, want %q", status, got, want)
			}
		})
	}
}

func TestBrowserGivesUp(t *testing.T) {
	for name, test := range map[string]struct {
		op   http.HandlerFunc
		want string
	}{
		"redirects_for_ever": {redirect("/again"), "gave up"},
		"stranger":           {redirect("https://stranger.example.test/"), "neither the OP nor"},
		"plain_http":         {redirect("http://rp.example.test/callback?code=1"), "neither the OP nor"},
		"another_path":       {redirect("https://rp.example.test/other?code=1"), "delivered to /other"},
		"error_page":         {func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such client", 400) }, "no such client"},
		"no_form":            {page("<script>var x</script><p>Try later"), "without a form: Try later"},
	} {
		t.Run(name, func(t *testing.T) {
			b, op := newTestBrowser(t, test.op)
			d, err := b.Visit(t.Context(), op)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("Visit = %v, %v; want an error with %q", d, err, test.want)
			}
		})
	}
}
