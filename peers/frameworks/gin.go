package frameworks

import (
	"net/http"

	"github.com/gin-gonic/gin"

	"rely.example/login"
)

// Gin is the application of Chi on gin. Its handlers have a context of their own,
// so guard lends them the middleware of net/http.
func Gin(m *login.Manager, acr string) http.Handler {
	guard := func(middleware func(http.Handler) http.Handler) gin.HandlerFunc {
		return func(c *gin.Context) {
			through := false
			middleware(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				through, c.Request = true, r // with the session in its context
			})).ServeHTTP(c.Writer, c.Request)
			if !through {
				c.Abort() // it was answered: no handler of the page runs
			}
		}
	}
	hello := func(c *gin.Context) {
		if s, ok := login.FromContext(c.Request.Context()); ok {
			c.String(http.StatusOK, "hello %s", s.Subject)
			return
		}
		c.String(http.StatusOK, "hello stranger")
	}
	r := gin.New()
	r.Any("/auth/*page", gin.WrapH(m.Handler()))
	r.GET("/", guard(m.Load), hello)
	r.GET("/profile", guard(m.Require), hello)
	r.GET("/transfer", guard(func(next http.Handler) http.Handler { return m.RequireACR(next, acr) }), hello)
	return r
}
