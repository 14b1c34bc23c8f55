package frameworks

import (
	"net/http"

	"github.com/labstack/echo/v4"

	"rely.example/login"
)

// Echo is the application of Chi on echo, which takes the middleware of net/http
// as it is.
func Echo(m *login.Manager, acr string) http.Handler {
	hello := func(c echo.Context) error {
		if s, ok := login.FromContext(c.Request().Context()); ok {
			return c.String(http.StatusOK, "hello "+s.Subject)
		}
		return c.String(http.StatusOK, "hello stranger")
	}
	e := echo.New()
	e.Any("/auth/*", echo.WrapHandler(m.Handler()))
	e.GET("/", hello, echo.WrapMiddleware(m.Load))
	e.GET("/profile", hello, echo.WrapMiddleware(m.Require))
	e.GET("/transfer", hello, echo.WrapMiddleware(func(next http.Handler) http.Handler { return m.RequireACR(next, acr) }))
	return e
}
