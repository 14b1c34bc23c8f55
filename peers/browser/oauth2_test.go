package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// source is the adapter that the documentation of login.Session.Transport shows.
type source struct {
	ctx     context.Context
	session *login.Session
}

func (s source) Token() (*oauth2.Token, error) {
	t, err := s.session.Tokens(s.ctx)
	if err != nil {
		return nil, err
	}
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.TokenType, Expiry: t.Expiry}, nil
}

var _ oauth2.TokenSource = source{}

// TestOAuth2TokenSource gives a library of others the session's fresh token.
func TestOAuth2TokenSource(t *testing.T) {
	const origin = "https://app.example"
	op := oidctest.New(t)
	reg := op.AddClient(oidctest.Client{RedirectURIs: []string{origin + "/auth/callback"}})
	p, err := oidc.Discover(t.Context(), op.Issuer, &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: reg.ID, Secret: reg.Secret, Metadata: oidc.ClientMetadata{RedirectURIs: reg.RedirectURIs}})
	if err != nil {
		t.Fatal(err)
	}
	var presented, want string
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { presented = r.Header.Get("Authorization") }))
	defer api.Close()
	m, err := login.New(login.Config{Origin: origin, Directory: rp.Only(c), Store: new(memstore.Store)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })

	begin := httptest.NewRecorder()
	m.Handler().ServeHTTP(begin, httptest.NewRequest("GET", origin+"/auth/login", nil))
	cb, err := op.Browser().Login(t.Context(), begin.Header().Get("Location"))
	if err != nil {
		t.Fatal(err)
	}
	back := cb.Request()
	for _, cookie := range begin.Result().Cookies() {
		back.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	s, to, err := m.Callback(httptest.NewRecorder(), back)
	if err != nil || to != "/" {
		t.Fatalf("Callback: %q, %v", to, err)
	}
	tokens, err := s.Tokens(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want = "Bearer " + tokens.AccessToken
	res, err := oauth2.NewClient(t.Context(), source{t.Context(), s}).Get(api.URL)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	if presented != want || !strings.HasPrefix(want, "Bearer ") {
		t.Error("the API was not presented the session's token")
	}
}
