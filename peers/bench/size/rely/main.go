// Command rely logs one user in at a time, with package oidc.
package main

import (
	"context"
	"log"
	"net/http"
	"os"
	"sync"

	"rely.example/oidc"
)

func main() {
	p, err := oidc.Discover(context.Background(), os.Getenv("ISSUER"), nil)
	if err != nil {
		log.Fatal(err)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: os.Getenv("CLIENT_ID"), Secret: os.Getenv("CLIENT_SECRET"),
		Metadata: oidc.ClientMetadata{RedirectURIs: []string{"http://localhost:8080/callback"}}})
	if err != nil {
		log.Fatal(err)
	}
	var pending sync.Map
	http.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		req, err := c.Begin(r.Context(), oidc.AuthParams{})
		if err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		pending.Store(req.Pending.State, req.Pending)
		http.Redirect(w, r, req.URL(), http.StatusFound)
	})
	http.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		res, err := oidc.ReadAuthResponse(r)
		if err != nil {
			http.Error(w, "login failed", http.StatusBadRequest)
			return
		}
		key, _ := res.PendingKey()
		kept, _ := pending.LoadAndDelete(key)
		login, _ := kept.(oidc.Pending)
		tokens, err := c.Finish(r.Context(), login, res)
		if err != nil {
			http.Error(w, "login failed", http.StatusForbidden)
			return
		}
		user, err := c.UserInfo(r.Context(), tokens)
		if err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		log.Print(user.Subject)
	})
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
