package frameworks

import (
	"fmt"
	"net/http"

	"github.com/go-chi/chi/v5"

	"rely.example/login"
)

// Chi is an application on chi: a page for everybody, one for who is logged in,
// and one for a stronger login (acr).
func Chi(m *login.Manager, acr string) http.Handler {
	hello := func(w http.ResponseWriter, r *http.Request) {
		if s, ok := login.FromContext(r.Context()); ok {
			fmt.Fprintf(w, "hello %s", s.Subject)
			return
		}
		fmt.Fprint(w, "hello stranger")
	}
	r := chi.NewRouter()
	r.Handle("/auth/*", m.Handler())
	r.With(m.Load).Get("/", hello)
	r.Group(func(r chi.Router) {
		r.Use(m.Require)
		r.Get("/profile", hello)
	})
	r.Group(func(r chi.Router) {
		r.Use(func(next http.Handler) http.Handler { return m.RequireACR(next, acr) })
		r.Get("/transfer", hello)
	})
	return r
}
