// Web is an application whose pages need a login: package login does the rest.
//
//	go run ./examples/web
//	CLIENT_ID=... CLIENT_SECRET=... go run ./examples/web -issuer https://op.example.com
package main

import (
	"context"
	"flag"
	"html/template"
	"io"
	"log"
	"net/http"
	"os"

	"rely.example/examples/internal/sandbox"
	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

func main() {
	issuer := flag.String("issuer", "", "the provider (default: one that starts with the example)")
	addr := flag.String("addr", "127.0.0.1:8080", "where to listen")
	flag.Parse()
	sandbox.Main(func(ctx context.Context) error { return run(ctx, *issuer, *addr) })
}

func run(ctx context.Context, issuer, addr string) error {
	op, err := sandbox.Open(issuer, oidctest.Config{})
	if err != nil {
		return err
	}
	defer op.Close()
	return sandbox.Serve(ctx, addr, os.Stdout, func(origin string) (http.Handler, io.Closer, error) { return app(op, origin) })
}

// app is the application. A real one has an https origin, a store that outlives
// the process (store/sqlstore, store/redisstore) and Keys.
func app(op *sandbox.Provider, origin string) (http.Handler, io.Closer, error) {
	client := op.Client(oidc.ClientMetadata{
		RedirectURIs:           []string{origin + "/auth/callback"},
		PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"},
	})
	m, err := login.New(login.Config{
		Origin:    origin,
		Directory: rp.Configured(op.Issuer, op.Options, client),
		Store:     new(memstore.Store),
		Params: func(*http.Request, string) (oidc.AuthParams, error) {
			return oidc.AuthParams{Scopes: []string{"profile", "email"}}, nil
		},
		InsecureAllowHTTP: true, // at loopback, and nowhere else
	})
	if err != nil {
		return nil, nil, err
	}
	mux := http.NewServeMux()
	mux.Handle("/auth/", m.Handler()) // login, callback, every logout
	mux.Handle("GET /{$}", m.Load(http.HandlerFunc(welcome)))
	mux.Handle("GET /me", m.Require(http.HandlerFunc(me)))
	return mux, m, nil
}

var page = template.Must(template.New("").Parse(`<!doctype html><meta name="viewport" content="width=device-width">
<title>Example</title><style>body{font:1rem/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem}</style>
{{if .}}<h1>Hello {{.Name}}</h1>
<p>{{if .Email}}Your address is {{.Email}}.{{end}} You are <code>{{.Subject}}</code> here, and nobody else is.</p>
<form method="post" action="/auth/logout"><button>Log out</button></form>
{{else}}<h1>Welcome</h1><p><a href="/me">Log in</a></p>{{end}}`))

// welcome is for everybody.
func welcome(w http.ResponseWriter, r *http.Request) {
	if _, ok := login.FromContext(r.Context()); ok {
		http.Redirect(w, r, "/me", http.StatusSeeOther)
		return
	}
	show(w, nil)
}

// me is for users who are logged in. The key of an account is s.Identity().
func me(w http.ResponseWriter, r *http.Request) {
	s, ok := login.FromContext(r.Context())
	if !ok {
		http.Error(w, "log in first", http.StatusUnauthorized)
		return
	}
	u, err := s.UserInfo(r.Context())
	if err != nil {
		log.Print(err)
		http.Error(w, "the provider does not answer", http.StatusBadGateway)
		return
	}
	show(w, u)
}

func show(w http.ResponseWriter, u *oidc.UserInfo) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if err := page.Execute(w, u); err != nil {
		log.Print(err)
	}
}
