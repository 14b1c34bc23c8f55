package frameworks

import (
	"net/http"
	"os"
	"strings"
	"testing"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/peers/visitor"
	"rely.example/rp"
	"rely.example/store/memstore"
)

const origin = "https://app.example"

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
	for name, make := range map[string]func(*login.Manager, string) http.Handler{"chi": Chi, "echo": Echo, "gin": Gin} {
		t.Run(name, func(t *testing.T) {
			v := visitor.New(origin, make(m, oidctest.ACRValues()[1]), op.Browser())
			if p, err := v.Fetch(t.Context(), "/profile"); err != nil || p.Status != http.StatusUnauthorized || strings.Contains(p.Body, "hello") {
				t.Errorf("a script without a session is answered %d, %q, %v", p.Status, p.Body, err)
			}
			sub := op.Users()[0].Sub
			for _, step := range []struct{ page, want string }{{"/", "hello stranger"}, {"/profile", sub}, {"/", sub}, {"/transfer", sub}} {
				p, err := v.Open(t.Context(), step.page)
				if err != nil || p.Status != http.StatusOK || !strings.Contains(p.Body, step.want) {
					t.Errorf("%s says %d, %q, %v; want %q", step.page, p.Status, p.Body, err, step.want)
				}
			}
			if p, err := v.Post(t.Context(), "/auth/logout", nil); err != nil || len(v.Cookies) != 0 {
				t.Errorf("the logout is answered %d, %v, and leaves %d cookies", p.Status, err, len(v.Cookies))
			}
			if p, err := v.Open(t.Context(), "/"); err != nil || !strings.Contains(p.Body, "stranger") {
				t.Errorf("after the logout / says %q, %v", p.Body, err)
			}
		})
	}
}

// TestExamplesAreShort: they are there to be read.
func TestExamplesAreShort(t *testing.T) {
	for _, name := range []string{"chi.go", "echo.go", "gin.go"} {
		text, err := os.ReadFile(name)
		if n := strings.Count(string(text), "\n"); err != nil || n >= 60 {
			t.Errorf("%s has %d lines, want fewer than 60: %v", name, n, err)
		}
	}
}
