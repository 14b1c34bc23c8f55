// Bff is the back end of a page in JavaScript (a backend for frontend): the tokens
// stay here, the page has a cookie that no script reads, and no other site can
// write in the user's name.
//
//	go run ./examples/bff
package main

import (
	"context"
	"embed"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"sync"

	"rely.example/examples/internal/sandbox"
	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

//go:embed page.html app.js
var files embed.FS

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error {
		op, err := sandbox.Open(*issuer, oidctest.Config{})
		if err != nil {
			return err
		}
		defer op.Close()
		return sandbox.Serve(ctx, *addr, os.Stdout, func(origin string) (http.Handler, io.Closer, error) { return app(op, origin) })
	})
}

func app(op *sandbox.Provider, origin string) (http.Handler, io.Closer, error) {
	m, err := login.New(login.Config{
		Origin: origin,
		Directory: rp.Configured(op.Issuer, op.Options, op.Client(oidc.ClientMetadata{
			RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}})),
		Store:             new(memstore.Store),
		InsecureAllowHTTP: true,
	})
	if err != nil {
		return nil, nil, err
	}
	n := &notes{of: make(map[oidc.Identity][]string)}
	// Require answers a fetch with 401 and not with a redirect that it could not follow.
	api := http.NewServeMux()
	api.HandleFunc("GET /api/me", me)
	api.HandleFunc("GET /api/notes", n.list)
	api.HandleFunc("POST /api/notes", n.add)

	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler())
	// CSRF: SameSite=Lax keeps the cookie from most requests of other sites;
	// this refuses the rest by Sec-Fetch-Site and Origin.
	mux.Handle("/api/", http.NewCrossOriginProtection().Handler(m.Require(api)))
	mux.Handle("GET /{$}", file("page.html"))
	mux.Handle("GET /app.js", file("app.js"))
	return mux, m, nil
}

func file(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'")
		http.ServeFileFS(w, r, files, name)
	}
}

func me(w http.ResponseWriter, r *http.Request) {
	s, _ := login.FromContext(r.Context())
	write(w, map[string]string{"name": s.Subject})
}

// notes are kept by who wrote them: issuer and subject, never an address.
type notes struct {
	mu sync.Mutex // guards of
	of map[oidc.Identity][]string
}

func (n *notes) list(w http.ResponseWriter, r *http.Request) {
	s, _ := login.FromContext(r.Context())
	n.mu.Lock()
	defer n.mu.Unlock()
	write(w, append([]string{}, n.of[s.Identity()]...))
}

func (n *notes) add(w http.ResponseWriter, r *http.Request) {
	var in struct{ Text string }
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 4<<10)).Decode(&in); err != nil || in.Text == "" {
		http.Error(w, "expected a text", http.StatusBadRequest)
		return
	}
	s, _ := login.FromContext(r.Context())
	n.mu.Lock()
	n.of[s.Identity()] = append(n.of[s.Identity()], in.Text)
	n.mu.Unlock()
	n.list(w, r)
}

func write(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}
