package login_test

import (
	"fmt"
	"log"
	"net/http"
	"os"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// The whole of an application whose pages need a login.
func Example() {
	// region: app
	client := oidc.ClientConfig{ID: "app", Secret: os.Getenv("SECRET"), Metadata: oidc.ClientMetadata{
		RedirectURIs:           []string{"https://app.example/auth/callback"},
		PostLogoutRedirectURIs: []string{"https://app.example/auth/logout/return"}}}
	m, err := login.New(login.Config{Origin: "https://app.example", Store: new(memstore.Store),
		Directory: rp.Configured("https://op.example", nil, client)})
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("/auth/", m.Handler())
	http.Handle("/", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		fmt.Fprintln(w, "hello", s.Subject)
	})))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
	// endregion
}

// A page that needs a second factor, a newer login, or a role.
func ExampleManager_RequireACR() {
	var m *login.Manager // of login.New
	var transfer, password, admin http.Handler

	http.Handle("/transfer", m.RequireACR(transfer, "urn:example:mfa"))
	http.Handle("/password", m.RequireFresh(password, 0)) // a minute
	http.Handle("/admin", m.RequireClaim(admin, func(s *login.Session) bool {
		var claims struct {
			Roles []string `json:"roles"`
		}
		if err := s.Claims(&claims); err != nil {
			return false
		}
		for _, role := range claims.Roles {
			if role == "admin" {
				return true
			}
		}
		return false
	}))
}

// Calls to an API in the name of the user, with a token that is always fresh.
func ExampleSession_Transport() {
	http.HandleFunc("/things", func(w http.ResponseWriter, r *http.Request) {
		s, ok := login.FromContext(r.Context())
		if !ok {
			http.Error(w, "log in first", http.StatusUnauthorized)
			return
		}
		api := &http.Client{Transport: s.Transport(nil, "https://api.example")}
		res, err := api.Get("https://api.example/things")
		if err != nil {
			http.Error(w, "the API is down", http.StatusBadGateway)
			return
		}
		defer res.Body.Close()
		w.WriteHeader(res.StatusCode)
	})
}
