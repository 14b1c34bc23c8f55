package stores

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"rely.example/internal/servers"
	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/peers/visitor"
	"rely.example/rp"
	"rely.example/store"
	"rely.example/store/memstore"
	"rely.example/store/redisstore"
	"rely.example/store/sqlstore"
)

const (
	origin = "https://app.example"
	// patience is how long anything may take while ten thousand wait: the machine
	// may be busy.
	patience = 2 * time.Minute
)

// each runs f with every store.
func each(t *testing.T, f func(t *testing.T, s store.Store)) {
	opened := func(t *testing.T, s interface {
		store.Store
		Close() error
	}, err error) store.Store {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	for _, c := range []struct {
		name string
		open func(t *testing.T) store.Store
	}{
		{"memory", func(*testing.T) store.Store { return new(memstore.Store) }},
		{"sqlite", func(t *testing.T) store.Store {
			s, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "rely.db"))
			return opened(t, s, err)
		}},
		{"postgresql", func(t *testing.T) store.Store {
			s, err := sqlstore.Open(t.Context(), servers.For(t, servers.PostgreSQL).URL())
			return opened(t, s, err)
		}},
		{"redis", func(t *testing.T) store.Store {
			redis := servers.For(t, func(ctx context.Context) (*servers.Server, error) { return servers.Redis(ctx) })
			s, err := redisstore.Open(t.Context(), redis.URL()+"?write_timeout="+patience.String())
			return opened(t, s, err)
		}},
	} {
		t.Run(c.name, func(t *testing.T) { f(t, c.open(t)) })
	}
}

// newApp is an application at an OP, with a page that needs a login.
func newApp(t *testing.T, s store.Store) (*oidctest.OP, http.Handler) {
	t.Helper()
	op := oidctest.New(t)
	reg := op.AddClient(oidctest.Client{RedirectURIs: []string{origin + "/auth/callback"}})
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Timeout: patience})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: reg.ID, Secret: reg.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: reg.RedirectURIs}})
	if err != nil {
		t.Fatal(err)
	}
	m, err := login.New(login.Config{Origin: origin, Directory: rp.Only(c), Store: s, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	mux.Handle("/", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		fmt.Fprint(w, s.Subject)
	})))
	return op, mux
}

// TestHostileCallbacks delivers one answer of the OP ten thousand times at once; fewer
// times where the race detector watches.
func TestHostileCallbacks(t *testing.T) {
	t.Run("111_ten_thousand_at_once", func(t *testing.T) {
		each(t, func(t *testing.T, s store.Store) {
			op, app := newApp(t, s)
			v := visitor.New(origin, app, op.Browser())
			begin, err := v.Get(t.Context(), "/page")
			if err != nil {
				t.Fatal(err)
			}
			cb, err := v.Answer(t.Context(), begin)
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var mu sync.Mutex
			statuses, sessions := map[int]int{}, 0
			gate := make(chan struct{})
			for range callbacks {
				r := cb.Request().WithContext(t.Context())
				for name, value := range v.Cookies {
					r.AddCookie(&http.Cookie{Name: name, Value: value})
				}
				wg.Go(func() {
					<-gate
					w := httptest.NewRecorder()
					app.ServeHTTP(w, r)
					mu.Lock()
					defer mu.Unlock()
					statuses[w.Code]++
					for _, c := range w.Result().Cookies() {
						if c.Name == "__Host-rely" && c.Value != "" {
							sessions++
						}
					}
				})
			}
			close(gate)
			wg.Wait()
			if n := len(op.Requests(oidctest.EndpointToken)); n != 1 {
				t.Errorf("%d exchanges, want 1", n)
			}
			if sessions != 1 {
				t.Errorf("%d sessions, want 1", sessions)
			}
			for status, n := range statuses {
				if status >= 500 {
					t.Errorf("%d callbacks are answered %d", n, status)
				}
			}
			t.Logf("answers: %v", statuses)
		})
	})
}
