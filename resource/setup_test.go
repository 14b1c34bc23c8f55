package resource_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"rely.example/internal/jose"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/resource"
)

const (
	apiURL = "https://api.example/v1"
	things = apiURL + "/things"
)

// rig is an API at a test OP, and a client of it with a key.
type rig struct {
	t   *testing.T
	op  *oidctest.OP
	c   resource.Config
	s   *resource.Server
	key *ecdsa.PrivateKey
	jkt string
	n   int // proofs made
}

func setup(t *testing.T, edit ...func(*resource.Config)) *rig {
	t.Helper()
	r := &rig{t: t, op: oidctest.New(t)}
	o := &oidc.Options{HTTPClient: r.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: r.op.Now}
	p, err := oidc.Discover(t.Context(), r.op.Issuer, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	r.c = resource.Config{Resource: apiURL, Providers: []*oidc.Provider{p}, Now: r.op.Now}
	r.server(edit...)
	if r.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	if r.jkt, err = jose.Thumbprint(&r.key.PublicKey); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) server(edit ...func(*resource.Config)) {
	r.t.Helper()
	c := r.c
	for _, e := range edit {
		e(&c)
	}
	var err error
	if r.s, err = resource.New(c); err != nil {
		r.t.Fatal(err)
	}
}

// token is a good one; each edit changes it.
func (r *rig) token(edit ...func(*oidctest.AccessToken)) string {
	r.t.Helper()
	a := oidctest.AccessToken{ClientID: "app", Subject: "alice", Audience: []string{apiURL}, Scopes: []string{"read"}, AuthTime: r.op.Now(), ACR: "silver"}
	for _, e := range edit {
		e(&a)
	}
	raw, err := r.op.IssueAccessToken(a)
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

// bound is a token for the rig's key.
func (r *rig) bound() string {
	r.t.Helper()
	return r.token(func(a *oidctest.AccessToken) { a.KeyThumbprint = r.jkt })
}

// proof is a good one for GET things; each edit changes it.
func (r *rig) proof(token string, edit ...func(header, claims map[string]any)) string {
	r.t.Helper()
	r.n++
	jwk, err := jose.PublicJWK(&r.key.PublicKey)
	if err != nil {
		r.t.Fatal(err)
	}
	sum := sha256.Sum256([]byte(token))
	header := map[string]any{"typ": "dpop+jwt", "jwk": jwk}
	claims := map[string]any{"jti": rand.Text(), "htm": "GET", "htu": things, "iat": r.op.Now().Unix(), "ath": base64.RawURLEncoding.EncodeToString(sum[:])}
	for _, e := range edit {
		e(header, claims)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		r.t.Fatal(err)
	}
	raw, err := jose.Sign(jose.SigningKey{Alg: "ES256", Private: r.key}, header, payload)
	if err != nil {
		r.t.Fatal(err)
	}
	return raw
}

func request(target string, header ...string) *http.Request {
	q := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i+1 < len(header); i += 2 {
		q.Header.Add(header[i], header[i+1])
	}
	return q
}

// dpop is a request with a token and a proof.
func dpop(token, proof string) *http.Request {
	return request(things, "Authorization", "DPoP "+token, "DPoP", proof)
}

func (r *rig) accepts(q *http.Request, n resource.Needs) *oidc.AccessToken {
	r.t.Helper()
	t, err := r.s.Check(q, n)
	if err != nil {
		r.t.Fatalf("refused: %v", err)
	}
	return t
}

// refuses asserts the one reason, and that Refuse answers with the status.
func (r *rig) refuses(q *http.Request, n resource.Needs, want error, status int) *http.Response {
	r.t.Helper()
	ran := false
	var seen error
	w := httptest.NewRecorder()
	if _, seen = r.s.Check(q.Clone(context.Background()), n); !errors.Is(seen, want) {
		r.t.Fatalf("got error %v, want %q", seen, want)
	}
	r.s.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { ran = true }), n).ServeHTTP(w, q)
	res := w.Result()
	if ran || res.StatusCode != status || resource.Status(seen) != status {
		r.t.Fatalf("ran %v, status %d and %d, want %d: %v", ran, res.StatusCode, resource.Status(seen), status, seen)
	}
	return res
}
