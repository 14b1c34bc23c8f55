package frameworks

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

const origin = "https://app.example"

// visitor is a browser at an application.
type visitor struct {
	t       *testing.T
	app     http.Handler
	op      *oidctest.Browser
	cookies map[string]string
}

func (v *visitor) send(r *http.Request) *http.Response {
	r.Header.Set("Accept", "text/html")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	w := httptest.NewRecorder()
	v.app.ServeHTTP(w, r)
	for _, c := range w.Result().Cookies() {
		v.cookies[c.Name] = c.Value
	}
	return w.Result()
}

// open opens a page, through the OP if the application sends there.
func (v *visitor) open(page string) string {
	v.t.Helper()
	res := v.send(httptest.NewRequest("GET", origin+page, nil))
	if res.StatusCode == http.StatusSeeOther {
		cb, err := v.op.Login(v.t.Context(), res.Header.Get("Location"))
		if err != nil {
			v.t.Fatal(err)
		}
		if back := v.send(cb.Request()); back.Header.Get("Location") != origin+page {
			v.t.Fatalf("after the login: status %d to %q", back.StatusCode, back.Header.Get("Location"))
		}
		res = v.send(httptest.NewRequest("GET", origin+page, nil))
	}
	if res.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: status %d", page, res.StatusCode)
	}
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		v.t.Fatal(err)
	}
	_, body, _ := strings.Cut(b.String(), "\r\n\r\n")
	return body
}

func TestFrameworks(t *testing.T) {
	op := oidctest.New(t)
	reg := op.AddClient(oidctest.Client{RedirectURIs: []string{origin + "/auth/callback"}})
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: reg.ID, Secret: reg.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: reg.RedirectURIs}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := login.New(login.Config{Origin: origin, Directory: rp.Only(c), Store: new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	for name, app := range map[string]http.Handler{"chi": Chi(m, oidctest.ACRValues()[1])} {
		t.Run(name, func(t *testing.T) {
			v := &visitor{t, app, op.Browser(), map[string]string{}}
			sub := op.Users()[0].Sub
			for _, step := range []struct{ page, want string }{{"/", "hello stranger"}, {"/profile", sub}, {"/", sub}, {"/transfer", sub}} {
				if got := v.open(step.page); !strings.Contains(got, step.want) {
					t.Errorf("%s says %q, want %q", step.page, got, step.want)
				}
			}
		})
	}
}
