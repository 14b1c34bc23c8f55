// Command gooidc logs one user in at a time, with go-oidc and x/oauth2.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"net/http"
	"os"
	"sync"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

type login struct{ nonce, verifier string }

func main() {
	p, err := oidc.NewProvider(context.Background(), os.Getenv("ISSUER"))
	if err != nil {
		log.Fatal(err)
	}
	c := oauth2.Config{ClientID: os.Getenv("CLIENT_ID"), ClientSecret: os.Getenv("CLIENT_SECRET"), Endpoint: p.Endpoint(),
		RedirectURL: "http://localhost:8080/callback", Scopes: []string{oidc.ScopeOpenID}}
	v := p.Verifier(&oidc.Config{ClientID: c.ClientID})
	var pending sync.Map
	http.HandleFunc("GET /login", func(w http.ResponseWriter, r *http.Request) {
		state, l := rand.Text(), login{rand.Text(), oauth2.GenerateVerifier()}
		pending.Store(state, l)
		http.Redirect(w, r, c.AuthCodeURL(state, oidc.Nonce(l.nonce), oauth2.S256ChallengeOption(l.verifier)), http.StatusFound)
	})
	http.HandleFunc("GET /callback", func(w http.ResponseWriter, r *http.Request) {
		kept, ok := pending.LoadAndDelete(r.URL.Query().Get("state"))
		if !ok {
			http.Error(w, "login failed", http.StatusForbidden)
			return
		}
		l := kept.(login)
		t, err := c.Exchange(r.Context(), r.URL.Query().Get("code"), oauth2.VerifierOption(l.verifier))
		if err != nil {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		raw, _ := t.Extra("id_token").(string)
		id, err := v.Verify(r.Context(), raw)
		if err != nil || id.Nonce != l.nonce {
			http.Error(w, "login failed", http.StatusForbidden)
			return
		}
		user, err := p.UserInfo(r.Context(), oauth2.StaticTokenSource(t))
		if err != nil || user.Subject != id.Subject {
			http.Error(w, "login failed", http.StatusBadGateway)
			return
		}
		log.Print(user.Subject)
	})
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
