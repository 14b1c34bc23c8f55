// Command quickstart is an application whose pages need a login, and nothing
// else. Its state is in memory; another store is another line, as the test shows.
//
//	ISSUER=http://localhost:9000 SECRET=... KEY=... ADDR=localhost:8080 go run ./peers/quickstart
package main

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

func main() {
	addr, issuer, keys := os.Getenv("ADDR"), os.Getenv("ISSUER"), [][]byte{[]byte(os.Getenv("KEY"))}
	origin := "http://" + addr
	local := &oidc.Options{InsecureAllowHTTP: true, AllowPrivate: []string{"localhost", "127.0.0.1"}}
	// region: app
	client := oidc.ClientConfig{ID: "app", Secret: os.Getenv("SECRET"), Metadata: oidc.ClientMetadata{RedirectURIs: []string{origin + "/auth/callback"}}}
	m := must(login.New(login.Config{Origin: origin, InsecureAllowHTTP: true, Keys: keys, Directory: rp.Configured(issuer, local, client),
		Store: new(memstore.Store)}))
	http.Handle("/auth/", m.Handler())
	http.Handle("/", m.Require(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, _ := login.FromContext(r.Context())
		fmt.Fprintln(w, "hello", s.Subject)
	})))
	log.Fatal(http.ListenAndServe(addr, nil))
	// endregion
}

// region: must
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// endregion
