// Command cap logs one user in at a time, with hashicorp/cap.
package main

import (
	"log"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/hashicorp/cap/oidc"
)

const redirect = "http://localhost:8080/callback"

func main() {
	config, err := oidc.NewConfig(os.Getenv("ISSUER"), os.Getenv("CLIENT_ID"), oidc.ClientSecret(os.Getenv("CLIENT_SECRET")), []oidc.Alg{oidc.RS256}, []string{redirect})
	if err != nil {
		log.Fatal(err)
	}
	p, err := oidc.NewProvider(config)
	if err != nil {
		log.Fatal(err)
	}
	defer p.Done()
	var pending sync.Map
	http.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		verifier, err := oidc.NewCodeVerifier()
		if err != nil {
			http.Error(w, "login failed", http.StatusInternalServerError)
			return
		}
		req, err := oidc.NewRequest(time.Hour, redirect, oidc.WithPKCE(verifier))
		if err != nil {
			http.Error(w, "login failed", http.StatusInternalServerError)
			return
		}
		to, err := p.AuthURL(r.Context(), req)
		if err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		pending.Store(req.State(), req)
		http.Redirect(w, r, to, http.StatusFound)
	})
	http.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		state := r.FormValue("state")
		kept, ok := pending.LoadAndDelete(state)
		if !ok {
			http.Error(w, "login failed", http.StatusForbidden)
			return
		}
		t, err := p.Exchange(r.Context(), kept.(*oidc.Req), state, r.FormValue("code"))
		if err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		var id, user struct{ Sub string }
		if err := t.IDToken().Claims(&id); err != nil {
			http.Error(w, "login failed", http.StatusForbidden)
			return
		}
		if err := p.UserInfo(r.Context(), t.StaticTokenSource(), id.Sub, &user); err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		log.Print(user.Sub)
	})
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
