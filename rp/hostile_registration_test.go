package rp_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

func TestHostileRegistration(t *testing.T) {
	t.Run("039_op_down_at_boot", func(t *testing.T) {
		r := setup(t)
		r.op.Break(oidctest.MetadataUnavailable)
		r.op.ClearLog()
		d := rp.Configured(r.op.Issuer, r.opts, oidc.ClientConfig{ID: r.client.ID(), Secret: "x", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		r.rp = r.newRP(func(c *rp.Config) { c.Directory = d })
		noCall(t, r.op, oidctest.EndpointDiscovery)
		for range 10 {
			if _, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); err == nil {
				t.Fatal("a login at an OP that is down")
			}
		}
		if n := len(r.op.Requests(oidctest.EndpointDiscovery)); n != 1 {
			t.Errorf("%d attempts without any time between", n)
		}
		r.op.Mend()
		r.op.Advance(2 * time.Second)
		if _, err := r.rp.Start(t.Context(), r.op.Issuer, oidc.AuthParams{}); err != nil {
			t.Fatalf("after the OP came back: %v", err)
		}
	})
	t.Run("046_who_asked_first_leaves", func(t *testing.T) {
		r := setup(t)
		arrived := make(chan struct{})
		var held atomic.Bool
		r.wire.set(func(q *http.Request) error {
			if held.CompareAndSwap(false, true) {
				close(arrived)
				<-q.Context().Done()
				return q.Context().Err()
			}
			return nil
		}, nil)
		d := rp.Configured(r.op.Issuer, r.opts, oidc.ClientConfig{ID: "x", Secret: "x", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error)
		go func() {
			_, err := d.Client(ctx, r.op.Issuer)
			first <- err
		}()
		<-arrived
		second := make(chan error)
		go func() {
			_, err := d.Client(t.Context(), r.op.Issuer)
			second <- err
		}()
		cancel()
		want(t, <-first, context.Canceled)
		if err := <-second; err != nil {
			t.Fatal(err)
		}
	})
	t.Run("076_secret_expired", func(t *testing.T) {
		r := setup(t, func(c *oidctest.Config) { c.SecretLifetime = time.Hour })
		d := r.dynamic()
		before, err := d.Client(t.Context(), r.op.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		r.op.Advance(58 * time.Minute)
		if c, err := d.Client(t.Context(), r.op.Issuer); err != nil || c != before {
			t.Fatalf("while the secret lives: %v", err)
		}
		r.op.Advance(3 * time.Minute)
		for range 5 {
			if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
				t.Fatal(err)
			}
		}
		if n := len(r.op.Requests(oidctest.EndpointRegistration)); n > 2 {
			t.Errorf("%d registrations, want the first and at most one more", n)
		}
		p := r.newRP(func(c *rp.Config) { c.Directory = d })
		req, err := p.Start(t.Context(), r.op.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Finish(t.Context(), r.browse(req), rp.Arrival{Binding: req.Pending.State, RedirectURI: d.RedirectURI(r.op.Issuer)}); err != nil {
			t.Fatalf("a login with the new secret: %v", err)
		}
	})
	t.Run("076_secret_dead_at_birth", func(t *testing.T) {
		r := setup(t)
		r.op.TamperRegistration(func(m map[string]any) { m["client_secret_expires_at"] = json.Number("1000000000") })
		d := r.dynamic()
		for range 5 {
			_, err := d.Client(t.Context(), r.op.Issuer)
			want(t, err, oidc.BadRegistration)
		}
		if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 {
			t.Errorf("%d registrations", n)
		}
	})
	t.Run("078_instances_register_at_once", func(t *testing.T) {
		r := setup(t)
		var mu sync.Mutex
		ids := make(map[string]bool)
		var wg sync.WaitGroup
		for range 8 {
			d := r.dynamic() // an instance of its own, with the same store
			for range 4 {
				wg.Go(func() {
					c, err := d.Client(t.Context(), r.op.Issuer)
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					ids[c.ID()] = true
					mu.Unlock()
				})
			}
		}
		wg.Wait()
		if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 || len(ids) != 1 {
			t.Errorf("%d registrations, %d client IDs", n, len(ids))
		}
		if _, err := r.dynamic().Client(t.Context(), r.op.Issuer); err != nil || len(r.op.Requests(oidctest.EndpointRegistration)) != 1 {
			t.Errorf("after a restart: %v", err)
		}
	})
	t.Run("078_instance_dies_while_it_registers", func(t *testing.T) {
		r := setup(t)
		s := newStop(r, 8) // somewhere behind the lease
		done := make(chan struct{})
		dead := r.dynamic()
		go func() {
			defer close(done)
			_, _ = dead.Client(context.Background(), r.op.Issuer)
		}()
		if !s.wait(done) {
			t.Fatal("it was not stopped")
		}
		defer func() { s.release(); <-done }()
		r.op.Advance(46 * time.Second)
		opts := *r.opts
		opts.HTTPClient = r.op.HTTPClient()
		if _, err := r.dynamic(func(d *rp.Dynamic) { d.Options, d.Store = &opts, r.mem }).Client(t.Context(), r.op.Issuer); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("079_same_client_id_at_two_ops", func(t *testing.T) {
		honest, evil := newOP(t), newOP(t)
		r := setupAt(t, honest)
		opts := &oidc.Options{HTTPClient: bothOPs(honest, evil), AllowPrivate: []string{"127.0.0.1"}, Now: honest.Now}
		d := r.dynamic(func(d *rp.Dynamic) {
			d.Options, d.Allow = opts, rp.AllowIssuers(honest.Issuer, evil.Issuer)
		})
		good, err := d.Client(t.Context(), honest.Issuer)
		if err != nil {
			t.Fatal(err)
		}
		evil.TamperRegistration(func(m map[string]any) { m["client_id"] = good.ID() })
		bad, err := d.Client(t.Context(), evil.Issuer)
		if err != nil || bad.ID() != good.ID() {
			t.Fatalf("got %v, %v", bad, err)
		}
		// A new process reads both from the store, each with its own secret.
		again := r.dynamic(func(d *rp.Dynamic) {
			d.Options, d.Allow = opts, rp.AllowIssuers(honest.Issuer, evil.Issuer)
		})
		p := r.newRP(func(c *rp.Config) { c.Directory = again })
		req, err := p.Start(t.Context(), honest.Issuer, oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		a := browse(t, honest, req)
		_, err = p.Finish(t.Context(), a, rp.Arrival{Binding: req.Pending.State, RedirectURI: again.RedirectURI(evil.Issuer)})
		want(t, err, rp.WrongRedirectURI)
		if _, err := p.Finish(t.Context(), a, rp.Arrival{Binding: req.Pending.State, RedirectURI: again.RedirectURI(honest.Issuer)}); err != nil {
			t.Fatal(err)
		}
		noCall(t, evil, oidctest.EndpointToken)
	})
	t.Run("081_nobody_is_allowed_unless_said", func(t *testing.T) {
		r := setup(t)
		r.op.ClearLog()
		_, err := r.dynamic(func(d *rp.Dynamic) { d.Allow = nil }).Client(t.Context(), r.op.Issuer)
		want(t, err, rp.IssuerRefused)
		_, err = r.dynamic(func(d *rp.Dynamic) { d.Allow = rp.AllowIssuers(r.op.Issuer + "/") }).Client(t.Context(), r.op.Issuer)
		want(t, err, rp.IssuerRefused)
		noCall(t, r.op, oidctest.EndpointDiscovery, oidctest.EndpointRegistration)
	})
	t.Run("081_ten_thousand_issuers", func(t *testing.T) {
		r := setup(t)
		var asked atomic.Int64
		r.wire.set(func(*http.Request) error { asked.Add(1); return errors.New("connection refused") }, nil)
		d := r.dynamic(func(d *rp.Dynamic) {
			d.Allow = func(context.Context, string) error { return nil }
			d.MaxIssuers = 100
		})
		refused := 0
		for i := range 10000 {
			_, err := d.Client(t.Context(), fmt.Sprintf("https://127.0.0.1/%d", i))
			if errors.Is(err, rp.TooManyIssuers) {
				e, _ := errors.AsType[*rp.Error](err)
				if !e.Temporary() || e.RetryAfter <= 0 {
					t.Fatalf("got %v", err)
				}
				refused++
			}
		}
		if n := asked.Load(); n > 5*rp.DefaultRegistrationsPerMinute || refused < 9900 {
			t.Errorf("%d requests, %d refusals", n, refused)
		}
		if held, _ := r.count("client"); held != 0 {
			t.Errorf("%d registrations of nobody", held)
		}
		r.wire.set(nil, nil)
		r.op.Advance(time.Minute)
		if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
			t.Errorf("a minute later: %v", err)
		}
	})
	t.Run("081_memory_is_bounded_and_the_store_remembers", func(t *testing.T) {
		r := setup(t)
		var issuers []string
		for i := range 5 {
			op, err := r.op.Tenant(oidctest.Config{Path: fmt.Sprintf("/t%d", i), RSAKey: rsaKey()})
			if err != nil {
				t.Fatal(err)
			}
			issuers = append(issuers, op.Issuer)
		}
		d := r.dynamic(func(d *rp.Dynamic) { d.Allow, d.MaxIssuers = rp.AllowIssuers(issuers...), 2 })
		ids := make(map[string]string)
		for range 2 {
			for _, i := range issuers {
				c, err := d.Client(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				if ids[i] != "" && ids[i] != c.ID() {
					t.Error("registered anew")
				}
				ids[i] = c.ID()
			}
		}
	})
}

func TestDynamicInitialToken(t *testing.T) {
	r := setup(t, func(c *oidctest.Config) { c.InitialAccessToken = "initial-token" })
	_, err := r.dynamic().Client(t.Context(), r.op.Issuer)
	if _, ok := asOPError(err); !ok {
		t.Fatalf("without: %v", err)
	}
	d := r.dynamic(func(d *rp.Dynamic) {
		d.InitialToken = func(context.Context, string) (string, error) { return "initial-token", nil }
	})
	if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
		t.Fatal(err)
	}
}

func TestDynamicFields(t *testing.T) {
	r := setup(t)
	for _, c := range []struct {
		name string
		edit func(*rp.Dynamic)
	}{
		{"no_redirect_base", func(d *rp.Dynamic) { d.RedirectBase = "" }},
		{"redirect_base_with_query", func(d *rp.Dynamic) { d.RedirectBase = "https://rp.example/?x=" }},
		{"redirect_uris", func(d *rp.Dynamic) { d.Metadata.RedirectURIs = []string{redirectURI} }},
		{"store_without_seal_keys", func(d *rp.Dynamic) { d.SealKeys = nil }},
		{"short_seal_key", func(d *rp.Dynamic) { d.SealKeys = [][]byte{make([]byte, 16)} }},
		{"negative_bound", func(d *rp.Dynamic) { d.MaxIssuers = -1 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.dynamic(c.edit).Client(t.Context(), r.op.Issuer)
			want(t, err, rp.BadConfig)
		})
	}
}

// TestDynamicForeignKeys: a registration that another program sealed is not
// registered over.
func TestDynamicForeignKeys(t *testing.T) {
	r := setup(t)
	if _, err := r.dynamic().Client(t.Context(), r.op.Issuer); err != nil {
		t.Fatal(err)
	}
	d := r.dynamic(func(d *rp.Dynamic) { d.SealKeys = [][]byte{bytes.Repeat([]byte{1}, 32)} })
	_, err := d.Client(t.Context(), r.op.Issuer)
	want(t, err, rp.BadRecord)
	if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 {
		t.Errorf("%d registrations", n)
	}
}

// TestDynamicStoreDown: no second registration because the first cannot be read.
func TestDynamicStoreDown(t *testing.T) {
	r := setup(t)
	if _, err := r.dynamic().Client(t.Context(), r.op.Issuer); err != nil {
		t.Fatal(err)
	}
	r.store.down()
	d := r.dynamic()
	_, err := d.Client(t.Context(), r.op.Issuer)
	want(t, err, rp.StoreUnavailable)
	r.store.up()
	if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
		t.Errorf("at once after the store came back: %v", err)
	}
	if n := len(r.op.Requests(oidctest.EndpointRegistration)); n != 1 {
		t.Errorf("%d registrations", n)
	}
}

// TestDynamicAllowTakesBack: a policy that changes holds at once.
func TestDynamicAllowTakesBack(t *testing.T) {
	r := setup(t)
	var banned atomic.Bool
	d := r.dynamic(func(d *rp.Dynamic) {
		d.Allow = func(context.Context, string) error {
			if banned.Load() {
				return errors.New("banned")
			}
			return nil
		}
	})
	if _, err := d.Client(t.Context(), r.op.Issuer); err != nil {
		t.Fatal(err)
	}
	banned.Store(true)
	_, err := d.Client(t.Context(), r.op.Issuer)
	want(t, err, rp.IssuerRefused)
}

// TestReregisteredClient: a grant of a client that is no more cannot be renewed,
// and says so; who logged in is still known.
func TestReregisteredClient(t *testing.T) {
	r := setup(t)
	g := r.mustLogin()
	c := r.op.AddClient(oidctest.Client{RedirectURIs: []string{redirectURI}})
	other, err := oidc.NewClient(r.client.Provider(), oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		t.Fatal(err)
	}
	p := r.newRP(func(c *rp.Config) { c.Directory = rp.Only(other) })
	if _, err := p.Tokens(t.Context(), g.State()); err != nil {
		t.Fatalf("while the token lives: %v", err)
	}
	r.expire()
	_, err = p.Tokens(t.Context(), g.State())
	want(t, err, rp.LoginNeeded)
	if again, err := p.Grant(t.Context(), g.State()); err != nil || again.Subject() != g.Subject() {
		t.Fatalf("got %v, %v", again, err)
	}
}

// wrongDirectory answers with a client of another issuer.
type wrongDirectory struct{ c *oidc.Client }

func (d wrongDirectory) Client(context.Context, string) (*oidc.Client, error) { return d.c, nil }

func TestDirectoryMustMeanTheIssuer(t *testing.T) {
	r := setup(t)
	p := r.newRP(func(c *rp.Config) { c.Directory = wrongDirectory{r.client} })
	_, err := p.Start(t.Context(), "https://other.example", oidc.AuthParams{})
	want(t, err, rp.BadConfig)
}

func TestConfigRefused(t *testing.T) {
	r := setup(t)
	for _, c := range []struct {
		name string
		edit func(*rp.Config)
	}{
		{"no_directory", func(c *rp.Config) { c.Directory = nil }},
		{"no_store", func(c *rp.Config) { c.Store = nil }},
		{"negative_lifetime", func(c *rp.Config) { c.GrantLifetime = -1 }},
		{"endless_lifetime", func(c *rp.Config) { c.LoginLifetime = 1 << 62 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := rp.Config{Directory: rp.Only(r.client), Store: r.store}
			c.edit(&cfg)
			_, err := rp.New(cfg)
			want(t, err, rp.BadConfig)
		})
	}
}
