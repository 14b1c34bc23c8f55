package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store"
	"rely.example/store/redisstore"
	"rely.example/store/sqlstore"
)

// nodeVariable makes of this program one process of the application: it holds a
// nodeConfig.
const nodeVariable = "RELY_CLUSTER_NODE"

// nodeHeader tells the OP which process asks.
const nodeHeader = "Cluster-Node"

// nodeConfig is what one process is told.
type nodeConfig struct {
	Name                       string // another one for each start
	Origin, Issuer, ID, Secret string
	Store                      string        // a URL
	Ahead                      time.Duration // how far its clock is ahead of the machine's
	DieAt                      int64         // the point at which it kills itself; 0: never
}

// nodeKey seals what the processes share.
const nodeKey = "cluster cluster cluster cluster!"

// runNode is a process of the application. It ends when its standard input does,
// so that none outlives the run.
func runNode() int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin) // its end is what is awaited
		stop()
	}()
	if err := serveNode(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "node:", err)
		return 1
	}
	return 0
}

func serveNode(ctx context.Context) error {
	var c nodeConfig
	if err := json.Unmarshal([]byte(os.Getenv(nodeVariable)), &c); err != nil {
		return err
	}
	st, closeStore, err := openStore(ctx, c.Store)
	if err != nil {
		return err
	}
	defer closeStore()
	end := &fate{at: c.DieAt}
	if c.DieAt > 0 {
		st = &mortal{st, end}
	}
	now := func() time.Time { return time.Now().Add(c.Ahead) }
	options := &oidc.Options{
		InsecureAllowHTTP: true, AllowPrivate: []string{"127.0.0.1"}, Now: now,
		HTTPClient: &http.Client{Transport: &named{c.Name, end}},
	}
	client := oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{c.Origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{c.Origin + "/auth/logout/return"},
		IDTokenSignedResponseAlg: "ES256"}}
	m, err := login.New(login.Config{
		Origin: c.Origin, InsecureAllowHTTP: true, Store: st, Keys: [][]byte{[]byte(nodeKey)},
		Directory: rp.Configured(c.Issuer, options, client), Now: now, Logger: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	srv := &http.Server{Handler: application(m), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }() // ended by Shutdown
	fmt.Printf("ready %s\n", l.Addr())
	select {
	case err := <-done:
		return errors.Join(err, m.Close())
	case <-ctx.Done():
	}
	// Refreshes may still be under way in another process's name for as long.
	last, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	return errors.Join(srv.Shutdown(last), m.Close())
}

// openStore opens the store of a URL.
func openStore(ctx context.Context, url string) (store.Store, func() error, error) {
	if strings.HasPrefix(url, "redis:") {
		s, err := redisstore.Open(ctx, url)
		if err != nil {
			return nil, nil, err
		}
		return s, s.Close, nil
	}
	s, err := sqlstore.Open(ctx, url)
	if err != nil {
		return nil, nil, err
	}
	return s, s.Close, nil
}

// application has a page that says whose session it is, and one that uses its
// tokens.
func application(m *login.Manager) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	mux.Handle("/me", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		fmt.Fprint(w, s.Subject)
	})))
	mux.Handle("/token", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		// The OP says whose the token is, and so that it lives.
		ui, err := s.UserInfo(r.Context())
		if err == nil {
			var t *oidc.Tokens
			if t, err = s.Tokens(r.Context()); err == nil {
				sum := sha256.Sum256([]byte(t.AccessToken))
				fmt.Fprintf(w, "%s %x", ui.Subject, sum[:8])
				return
			}
		}
		status := http.StatusServiceUnavailable
		if errors.Is(err, rp.GrantEnded) {
			status = http.StatusUnauthorized
		}
		http.Error(w, err.Error(), status)
	})))
	return mux
}

// fate counts the points that a process comes to, and ends it at one of them, as
// kill -9 does.
type fate struct {
	at   int64
	seen atomic.Int64
}

func (f *fate) point() {
	if f.at > 0 && f.seen.Add(1) == f.at {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL) // nothing comes after it
		select {}
	}
}

// named is the transport of one process: it tells its name, and may die before
// and after each exchange.
type named struct {
	name string
	end  *fate
}

// RoundTrip implements http.RoundTripper.
func (n *named) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set(nodeHeader, n.name)
	n.end.point()
	res, err := http.DefaultTransport.RoundTrip(r)
	n.end.point()
	return res, err
}

// mortal is a store whose process may die before and after each operation.
type mortal struct {
	s   store.Store
	end *fate
}

// Create implements store.Store.
func (m *mortal) Create(ctx context.Context, r store.Record) (store.Record, error) {
	m.end.point()
	defer m.end.point()
	return m.s.Create(ctx, r)
}

// Replace implements store.Store.
func (m *mortal) Replace(ctx context.Context, r store.Record) (store.Record, error) {
	m.end.point()
	defer m.end.point()
	return m.s.Replace(ctx, r)
}

// Load implements store.Store.
func (m *mortal) Load(ctx context.Context, key string) (store.Record, error) {
	m.end.point()
	defer m.end.point()
	return m.s.Load(ctx, key)
}

// Take implements store.Store.
func (m *mortal) Take(ctx context.Context, key string) (store.Record, error) {
	m.end.point()
	defer m.end.point()
	return m.s.Take(ctx, key)
}

// Delete implements store.Store.
func (m *mortal) Delete(ctx context.Context, key string) error {
	m.end.point()
	defer m.end.point()
	return m.s.Delete(ctx, key)
}

// Tagged implements store.Store.
func (m *mortal) Tagged(ctx context.Context, tag string) ([]string, error) {
	m.end.point()
	defer m.end.point()
	return m.s.Tagged(ctx, tag)
}
