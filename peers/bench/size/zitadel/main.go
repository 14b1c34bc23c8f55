// Command zitadel logs users in with the handlers of zitadel/oidc.
package main

import (
	"context"
	"crypto/rand"
	"log"
	"net/http"
	"os"

	"github.com/zitadel/oidc/v3/pkg/client/rp"
	httphelper "github.com/zitadel/oidc/v3/pkg/http"
	"github.com/zitadel/oidc/v3/pkg/oidc"
)

func main() {
	key := []byte(rand.Text() + "012345")
	cookies := httphelper.NewCookieHandler(key, key, httphelper.WithUnsecure())
	p, err := rp.NewRelyingPartyOIDC(context.Background(), os.Getenv("ISSUER"), os.Getenv("CLIENT_ID"), os.Getenv("CLIENT_SECRET"),
		"http://localhost:8080/callback", []string{oidc.ScopeOpenID}, rp.WithCookieHandler(cookies), rp.WithPKCE(cookies))
	if err != nil {
		log.Fatal(err)
	}
	http.Handle("GET /login", rp.AuthURLHandler(rand.Text, p))
	http.Handle("GET /callback", rp.CodeExchangeHandler(rp.UserinfoCallback(
		func(_ http.ResponseWriter, _ *http.Request, _ *oidc.Tokens[*oidc.IDTokenClaims], _ string, _ rp.RelyingParty, user *oidc.UserInfo) {
			log.Print(user.Subject)
		}), p))
	log.Fatal(http.ListenAndServe("localhost:8080", nil))
}
