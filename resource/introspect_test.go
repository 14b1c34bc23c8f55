package resource_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/resource"
)

// asking is a client of the rig's OP that introspects.
func (r *rig) asking() *oidc.Client {
	r.t.Helper()
	k := r.op.AddClient(oidctest.Client{RedirectURIs: []string{"https://api.example/callback"}, GrantTypes: []string{"client_credentials"}})
	c, err := oidc.NewClient(r.c.Providers[0], oidc.ClientConfig{ID: k.ID, Secret: k.Secret, Metadata: oidc.ClientMetadata{
		RedirectURIs: []string{"https://api.example/callback"}, GrantTypes: []string{"client_credentials"}}})
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

func TestIntrospection(t *testing.T) {
	r := setup(t)
	c := r.asking()
	ask := func(edit ...func(*resource.Config)) {
		r.server(append(edit, func(x *resource.Config) { x.Introspect = []*oidc.Client{c} })...)
	}
	ask()
	now := r.op.Now().Unix()
	opaque := func() *http.Request { return request(things, "Authorization", "Bearer opaque-token") }
	answer := func(change ...any) {
		doc := map[string]any{"active": true, "iss": r.op.Issuer, "aud": apiURL, "sub": "alice", "client_id": "app", "scope": "read", "exp": now + 600, "acr": "gold", "auth_time": now}
		for i := 0; i+1 < len(change); i += 2 {
			if change[i+1] == nil {
				delete(doc, change[i].(string))
			} else {
				doc[change[i].(string)] = change[i+1]
			}
		}
		r.op.Intercept(oidctest.EndpointIntrospection, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(doc)
		})
	}
	answer()
	tok := r.accepts(opaque(), resource.Needs{Scopes: []string{"read"}, ACR: []string{"gold"}, MaxAge: time.Hour})
	var claims map[string]any
	if err := tok.Claims(&claims); err != nil || tok.Subject != "alice" || tok.ClientID != "app" || claims["acr"] != "gold" {
		t.Errorf("got %v, %v, %v", tok, claims, err)
	}
	answer("sub", nil)
	if tok := r.accepts(opaque(), anything); tok.Subject != "app" {
		t.Errorf("a client's own token: %v", tok)
	}
	for _, x := range []struct {
		change []any
		want   error
	}{
		{[]any{"active", false}, oidc.InactiveToken},
		{[]any{"iss", "https://other.example"}, oidc.BadIssuer},
		{[]any{"aud", "https://other-api.example"}, oidc.BadAudience},
		{[]any{"aud", nil}, oidc.BadAudience},
		{[]any{"exp", now - 600}, oidc.TokenExpired},
		{[]any{"nbf", now + 600}, oidc.TokenNotYetValid},
		{[]any{"sub", nil, "client_id", nil}, oidc.BadSubject},
		{[]any{"cnf", map[string]string{"jkt": r.jkt}}, oidc.BadBinding},
		{[]any{"cnf", map[string]string{"kid": "k"}}, oidc.BadBinding},
	} {
		answer(x.change...)
		r.refuses(opaque(), anything, x.want, 401)
	}
	answer("cnf", map[string]string{"jkt": r.jkt})
	r.accepts(dpop("opaque-token", r.proof("opaque-token")), anything)

	// Nobody knows is no refusal of the token.
	r.op.Intercept(oidctest.EndpointIntrospection, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	if _, err := r.s.Check(opaque(), anything); resource.Status(err) != http.StatusServiceUnavailable {
		t.Errorf("got %v", err)
	}
	r.op.Intercept(oidctest.EndpointIntrospection, nil)

	// The OP itself, which says nothing of aud.
	ask(func(x *resource.Config) { x.Tokens.Quirks.AccessTokenNoAudience = true })
	own, err := c.ClientCredentials(t.Context(), oidc.TokenParams{})
	if err != nil {
		t.Fatal(err)
	}
	q := func() *http.Request { return request(things, "Authorization", "Bearer "+own.AccessToken) }
	if tok := r.accepts(q(), anything); tok.ClientID != c.ID() {
		t.Errorf("got %v", tok)
	}
	r.refuses(opaque(), anything, oidc.InactiveToken, 401)
	if err := c.Revoke(t.Context(), own.AccessToken, "access_token"); err != nil {
		t.Fatal(err)
	}
	r.refuses(q(), anything, oidc.InactiveToken, 401)
	// JWTs are not asked about.
	r.op.ClearLog()
	r.accepts(request(things, "Authorization", "Bearer "+r.token()), anything)
	if n := len(r.op.Requests(oidctest.EndpointIntrospection)); n != 0 {
		t.Errorf("%d calls for a JWT", n)
	}
}

func TestIntrospectionConfig(t *testing.T) {
	r, other := setup(t), setup(t)
	c := r.c
	c.Introspect = []*oidc.Client{other.asking()}
	if _, err := resource.New(c); !errors.Is(err, resource.BadConfig) {
		t.Errorf("a client of another OP: %v", err)
	}
	if _, err := oidc.NewAccessTokenVerifier(r.c.Providers[0], oidc.AccessTokenConfig{Audiences: []string{apiURL}, Introspect: other.asking()}); !errors.Is(err, oidc.BadConfig) {
		t.Errorf("a client of another OP: %v", err)
	}
	// Two OPs, of which the second knows the token.
	c = r.c
	c.Providers = append(c.Providers, other.c.Providers...)
	asks, knows := r.asking(), other.asking()
	c.Introspect = []*oidc.Client{asks, knows}
	c.Tokens.Quirks.AccessTokenNoAudience = true
	s, err := resource.New(c)
	if err != nil {
		t.Fatal(err)
	}
	own, err := knows.ClientCredentials(t.Context(), oidc.TokenParams{})
	if err != nil {
		t.Fatal(err)
	}
	tok, err := s.Check(request(things, "Authorization", "Bearer "+own.AccessToken), anything)
	if err != nil || tok.Issuer != other.op.Issuer {
		t.Errorf("got %v, %v", tok, err)
	}
	// While the first does not answer, the second goes on; what it does not know
	// nobody can tell.
	r.op.Intercept(oidctest.EndpointIntrospection, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	tok, err = s.Check(request(things, "Authorization", "Bearer "+own.AccessToken), anything)
	if err != nil || tok.Issuer != other.op.Issuer {
		t.Errorf("while the first is down: got %v, %v", tok, err)
	}
	if _, err = s.Check(request(things, "Authorization", "Bearer opaque"), anything); err == nil || resource.Status(err) != http.StatusServiceUnavailable {
		t.Errorf("a token that the first may know: %v", err)
	}
}
