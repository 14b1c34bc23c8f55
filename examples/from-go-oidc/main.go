// From-go-oidc is the usual program for github.com/coreos/go-oidc with
// golang.org/x/oauth2, in Rely. Above each step stands what it was. State,
// nonce, PKCE and the comparison of sub are inside Begin, Finish and UserInfo.
//
//	go run ./examples/from-go-oidc
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"

	"rely.example/examples/internal/sandbox"
	"rely.example/oidc"
	"rely.example/oidctest"
)

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
		return sandbox.Serve(ctx, *addr, os.Stdout, func(origin string) (http.Handler, io.Closer, error) { return app(ctx, op, origin) })
	})
}

func app(ctx context.Context, op *sandbox.Provider, origin string) (http.Handler, io.Closer, error) {
	// provider, err := oidc.NewProvider(ctx, issuer)
	provider, err := oidc.Discover(ctx, op.Issuer, op.Options)
	if err != nil {
		return nil, nil, err
	}
	// config := oauth2.Config{ClientID: ..., Endpoint: provider.Endpoint(), RedirectURL: ...}
	// verifier := provider.Verifier(&oidc.Config{ClientID: ...})
	client, err := oidc.NewClient(provider, op.Client(oidc.ClientMetadata{RedirectURIs: []string{origin + "/callback"}}))
	if err != nil {
		return nil, nil, err
	}
	h := &handlers{client}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", h.begin)
	mux.HandleFunc("GET /callback", h.finish)
	return mux, nil, nil
}

type handlers struct{ client *oidc.Client }

func (h *handlers) begin(w http.ResponseWriter, r *http.Request) {
	// state, nonce := randString(16), randString(16); setCallbackCookie(...) for each
	// http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), ...)
	request, err := h.client.Begin(r.Context(), oidc.AuthParams{Scopes: []string{"profile", "email"}})
	if err != nil {
		fail(w, err)
		return
	}
	// The Pending holds state, nonce and code verifier, as the cookies did.
	// Packages rp and login keep it in a store, sealed, and take it once.
	pending, err := request.Pending.Export()
	if err != nil {
		fail(w, err)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "pending", Value: fmt.Sprintf("%x", pending), HttpOnly: true, SameSite: http.SameSiteLaxMode, Path: "/callback"})
	http.Redirect(w, r, request.URL(), http.StatusFound)
}

func (h *handlers) finish(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie("pending")
	if err != nil {
		http.Error(w, "this browser began no login", http.StatusBadRequest)
		return
	}
	var kept []byte
	if _, err := fmt.Sscanf(cookie.Value, "%x", &kept); err != nil {
		http.Error(w, "the cookie is damaged", http.StatusBadRequest)
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "pending", Path: "/callback", MaxAge: -1}) // it is good once
	pending, err := oidc.ImportPending(kept)
	if err != nil {
		fail(w, err)
		return
	}
	response, err := oidc.ReadAuthResponse(r)
	if err != nil {
		fail(w, err)
		return
	}
	// if r.URL.Query().Get("state") != state.Value ...; config.Exchange(ctx, code)
	// verifier.Verify(ctx, rawIDToken); if idToken.Nonce != nonce.Value ...
	tokens, err := h.client.Finish(r.Context(), pending, response)
	if err != nil {
		fail(w, err)
		return
	}
	// userInfo, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	user, err := h.client.UserInfo(r.Context(), tokens)
	if err != nil {
		fail(w, err)
		return
	}
	fmt.Fprintf(w, "hello %s, who is %s\n", user.Name, tokens.IDToken.Identity())
}

func fail(w http.ResponseWriter, err error) {
	log.Print(err) // whose fault, which rule, what came: no secret
	http.Error(w, "the login failed", http.StatusBadGateway)
}
