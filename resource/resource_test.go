package resource_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/resource"
	"rely.example/store"
	"rely.example/store/memstore"
)

var anything = resource.Needs{}

func TestBearer(t *testing.T) {
	r := setup(t)
	tok := r.accepts(request(things, "Authorization", "Bearer "+r.token()), resource.Needs{Scopes: []string{"read"}, ACR: []string{"gold", "silver"}, MaxAge: time.Hour})
	if tok.Subject != "alice" {
		t.Errorf("got %v", tok)
	}
	r.accepts(request(things, "Authorization", "bearer   "+r.token()), anything)

	w := httptest.NewRecorder()
	h := r.s.Require(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		tok, ok := resource.FromContext(q.Context())
		fmt.Fprintf(w, "%v %s", ok, tok.Subject)
	}), anything)
	h.ServeHTTP(w, request(things, "Authorization", "Bearer "+r.token()))
	if w.Body.String() != "true alice" {
		t.Errorf("got %q", w.Body)
	}
	if _, ok := resource.FromContext(t.Context()); ok {
		t.Error("there is a token in no context")
	}
}

// TestChallenges: what each refusal answers with.
func TestChallenges(t *testing.T) {
	r := setup(t, func(c *resource.Config) { c.About.Scopes = []string{"read", "write"} })
	good := "Bearer " + r.token()
	meta := `resource_metadata="https://api.example/.well-known/oauth-protected-resource/v1"`
	for name, c := range map[string]struct {
		q      *http.Request
		needs  resource.Needs
		want   error
		status int
		head   []string
	}{
		"no token":          {request(things), anything, resource.MissingToken, 401, []string{"Bearer " + meta + `, scope="read write"`, "DPoP " + meta}},
		"token in the URL":  {request(things + "?access_token=x"), anything, resource.MissingToken, 401, []string{"Bearer " + meta}},
		"another scheme":    {request(things, "Authorization", "Basic eDp5"), anything, resource.MissingToken, 401, []string{"Bearer " + meta}},
		"two tokens":        {request(things, "Authorization", good, "Authorization", good), anything, resource.BadRequest, 400, []string{`error="invalid_request"`}},
		"two in one header": {request(things, "Authorization", good+", "+good), anything, resource.BadRequest, 400, []string{`error="invalid_request"`}},
		"empty token":       {request(things, "Authorization", "Bearer "), anything, resource.BadRequest, 400, []string{`error="invalid_request"`}},
		"too long":          {request(things, "Authorization", "Bearer "+strings.Repeat("a", oidc.MaxAccessToken+1)), anything, resource.BadRequest, 400, []string{`error="invalid_request"`}},
		"opaque token":      {request(things, "Authorization", "Bearer opaque"), anything, oidc.MalformedToken, 401, []string{`Bearer ` + meta + `, error="invalid_token"`}},
		"scope":             {request(things, "Authorization", good), resource.Needs{Scopes: []string{"read", "write"}}, resource.InsufficientScope, 403, []string{`error="insufficient_scope"`, `scope="read write"`}},
		"class":             {request(things, "Authorization", good), resource.Needs{ACR: []string{"gold", "platinum"}}, resource.InsufficientAuthentication, 401, []string{`error="insufficient_user_authentication"`, `acr_values="gold platinum"`}},
		"bound as bearer's": {request(things, "Authorization", "Bearer "+r.bound()), anything, oidc.BadBinding, 401, []string{`Bearer ` + meta + `, error="invalid_token"`, `DPoP ` + meta, `algs="ES256`}},
		"no proof":          {request(things, "Authorization", "DPoP "+r.bound()), anything, resource.BadProof, 401, []string{`DPoP ` + meta, `error="invalid_dpop_proof"`, `algs="ES256`}},
	} {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.t = t
			res := r.refuses(c.q, c.needs, c.want, c.status)
			got := strings.Join(res.Header.Values("WWW-Authenticate"), "\n")
			for _, want := range c.head {
				if !strings.Contains(got, want) {
					t.Errorf("the challenge lacks %s:\n%s", want, got)
				}
			}
			if body, _ := io.ReadAll(res.Body); strings.Contains(string(body)+got, r.op.Issuer) || res.Header.Get("Cache-Control") != "no-store" {
				t.Errorf("the answer tells too much, or may be kept: %s %v", body, res.Header)
			}
		})
	}
	r.op.Advance(2 * time.Minute)
	old := r.token(func(a *oidctest.AccessToken) { a.AuthTime = r.op.Now().Add(-2 * time.Hour) })
	res := r.refuses(request(things, "Authorization", "Bearer "+old), resource.Needs{MaxAge: time.Hour}, resource.InsufficientAuthentication, 401)
	if got := res.Header.Get("WWW-Authenticate"); !strings.Contains(got, `max_age="3600"`) {
		t.Errorf("the challenge: %s", got)
	}
	unknown := r.token(func(a *oidctest.AccessToken) { a.AuthTime = time.Time{} })
	r.refuses(request(things, "Authorization", "Bearer "+unknown), resource.Needs{MaxAge: time.Hour}, resource.InsufficientAuthentication, 401)
}

// TestNothingKnownIsNoRefusal: a token that cannot be verified now is neither good nor bad.
func TestNothingKnownIsNoRefusal(t *testing.T) {
	r := setup(t)
	r.op.Break(oidctest.JWKSUnavailable)
	res := r.refuses(request(things, "Authorization", "Bearer "+r.token()), anything, oidc.KeysUnavailable, 503)
	if res.Header.Get("WWW-Authenticate") != "" || res.Header.Get("Retry-After") == "" {
		t.Errorf("the answer sends the client to get another token: %v", res.Header)
	}
}

func TestDPoP(t *testing.T) {
	r := setup(t)
	token := r.bound()
	good := r.proof(token)
	if tok := r.accepts(dpop(token, good), anything); tok.KeyThumbprint != r.jkt {
		t.Errorf("got %v", tok)
	}
	r.refuses(dpop(token, good), anything, resource.ReplayedProof, 401)

	set := func(name string, v any) func(map[string]any, map[string]any) {
		return func(_, claims map[string]any) { claims[name] = v }
	}
	drop := func(name string) func(map[string]any, map[string]any) {
		return func(_, claims map[string]any) { delete(claims, name) }
	}
	for name, edit := range map[string]func(header, claims map[string]any){
		"typ":                func(h, _ map[string]any) { h["typ"] = "JWT" },
		"htm":                set("htm", "POST"),
		"htm in lower case":  set("htm", "get"),
		"htu host":           set("htu", "https://evil.example/v1/things"),
		"htu path":           set("htu", apiURL+"/thing"),
		"htu scheme":         set("htu", "http://api.example/v1/things"),
		"htu port":           set("htu", "https://api.example:8443/v1/things"),
		"htu relative":       set("htu", "/v1/things"),
		"ath of another":     set("ath", "AAAA"),
		"ath missing":        drop("ath"),
		"jti missing":        drop("jti"),
		"jti a number":       set("jti", 7),
		"htm missing":        drop("htm"),
		"htu missing":        drop("htu"),
		"iat missing":        drop("iat"),
		"iat text":           set("iat", "now"),
		"iat old":            set("iat", r.op.Now().Add(-5*time.Minute).Unix()),
		"iat in the future":  set("iat", r.op.Now().Add(5*time.Minute).Unix()),
		"key in the header":  func(h, _ map[string]any) { h["jwk"] = map[string]string{"kty": "EC", "crv": "P-256"} },
		"no key":             func(h, _ map[string]any) { delete(h, "jwk") },
		"longer than bounds": set("junk", strings.Repeat("a", resource.MaxProof)),
	} {
		t.Run(name, func(t *testing.T) {
			r := *r
			r.t = t
			r.refuses(dpop(token, r.proof(token, edit)), anything, resource.BadProof, 401)
		})
	}
	two := dpop(token, r.proof(token))
	two.Header.Add("DPoP", r.proof(token))
	r.refuses(two, anything, resource.BadProof, 401)
	// A good proof, and a token that is another's, or nobody's.
	other := r.token(func(a *oidctest.AccessToken) { a.KeyThumbprint = "other" })
	r.refuses(dpop(other, r.proof(other)), anything, oidc.BadBinding, 401)
	unbound := r.token()
	r.refuses(dpop(unbound, r.proof(unbound)), anything, oidc.BadBinding, 401)

	// The same URL, written otherwise; and a mux that took away a part.
	for _, htu := range []string{"HTTPS://API.example/v1/things", "https://api.example:443/v1/things", "https://api.example/v1/%74hings?x=1#y"} {
		r.accepts(dpop(token, r.proof(token, set("htu", htu))), anything)
	}
	q := dpop(token, r.proof(token))
	http.StripPrefix("/v1", http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { r.accepts(q, anything) })).ServeHTTP(httptest.NewRecorder(), q)
	r.server(func(c *resource.Config) { c.Origin = "https://front.example/api" })
	r.accepts(dpop(token, r.proof(token, set("htu", "https://front.example/api/v1/things"))), anything)
	r.refuses(dpop(token, r.proof(token)), anything, resource.BadProof, 401)
}

func TestNonce(t *testing.T) {
	r := setup(t, func(c *resource.Config) { c.RequireNonce = true })
	token := r.bound()
	res := r.refuses(dpop(token, r.proof(token)), anything, resource.NonceNeeded, 401)
	nonce := res.Header.Get("DPoP-Nonce")
	if nonce == "" || !strings.Contains(res.Header.Get("WWW-Authenticate"), `error="use_dpop_nonce"`) {
		t.Fatalf("the answer: %v", res.Header)
	}
	with := func(n string) func(_, claims map[string]any) {
		return func(_, claims map[string]any) { claims["nonce"] = n }
	}
	r.accepts(dpop(token, r.proof(token, with(nonce))), anything)
	w := httptest.NewRecorder()
	r.s.Require(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), anything).ServeHTTP(w, dpop(token, r.proof(token, with(nonce))))
	if next := w.Header().Get("DPoP-Nonce"); w.Code != 200 || next == "" || next == nonce {
		t.Errorf("status %d, next nonce %q", w.Code, next)
	}
	for _, bad := range []string{"", "x", nonce[:len(nonce)-3] + "AAA", strings.Repeat("A", 1000)} {
		r.refuses(dpop(token, r.proof(token, with(bad))), anything, resource.NonceNeeded, 401)
	}
	r.op.Advance(resource.DefaultNonceAge + time.Minute)
	token = r.bound()
	r.refuses(dpop(token, r.proof(token, with(nonce))), anything, resource.NonceNeeded, 401)
}

func TestCertificate(t *testing.T) {
	r := setup(t)
	cert := &x509.Certificate{Raw: []byte("a certificate, of which only the bytes count")}
	q := request(things)
	q.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	sum := sha256.Sum256(cert.Raw) // RFC 8705 section 3.1
	token := r.token(func(a *oidctest.AccessToken) { a.CertificateThumbprint = base64.RawURLEncoding.EncodeToString(sum[:]) })
	q.Header.Set("Authorization", "Bearer "+token)
	r.accepts(q, anything)
	q.TLS.PeerCertificates[0] = &x509.Certificate{Raw: []byte("another")}
	r.refuses(q, anything, oidc.BadBinding, 401)
	q.TLS = nil
	r.refuses(q, anything, oidc.BadBinding, 401)
	// A proxy in front tells.
	r.server(func(c *resource.Config) {
		c.Certificate = func(q *http.Request) *x509.Certificate {
			if q.Header.Get("X-Client-Cert") == "" {
				return nil
			}
			return cert
		}
	})
	r.refuses(q, anything, oidc.BadBinding, 401)
	q.Header.Set("X-Client-Cert", "1")
	r.accepts(q, anything)
}

// down is a store that does not answer.
type down struct{ store.Store }

func (down) Create(context.Context, store.Record) (store.Record, error) {
	return store.Record{}, errors.New("connection refused")
}

func TestReplayStore(t *testing.T) {
	shared := new(memstore.Store)
	r := setup(t, func(c *resource.Config) { c.Store = shared })
	token := r.bound()
	p := r.proof(token)
	r.accepts(dpop(token, p), anything)
	r.server(func(c *resource.Config) { c.Store = shared }) // another process
	r.refuses(dpop(token, p), anything, resource.ReplayedProof, 401)

	r.server(func(c *resource.Config) { c.Store = down{} })
	r.refuses(dpop(token, r.proof(token)), anything, resource.StoreUnavailable, 503)

	// Strangers without a token fill nothing.
	empty := new(memstore.Store)
	r.server(func(c *resource.Config) { c.Store = empty })
	r.refuses(dpop("a.b.c", r.proof("a.b.c")), anything, oidc.MalformedToken, 401)
	for _, s := range empty.Stats() {
		if s.Records > 0 {
			t.Errorf("the store has %d records of class %s", s.Records, s.Class)
		}
	}
}

func TestSeveralIssuers(t *testing.T) {
	r := setup(t)
	other := setup(t)
	r.server(func(c *resource.Config) {
		c.Providers = append(slices.Clone(r.c.Providers), other.c.Providers...)
	})
	r.accepts(request(things, "Authorization", "Bearer "+r.token()), anything)
	r.accepts(request(things, "Authorization", "Bearer "+other.token()), anything)
	// Signed by one, in the name of the other.
	raw, err := other.op.IssueAccessToken(oidctest.AccessToken{ClientID: "app", Audience: []string{apiURL}}, oidctest.AccessIssOther)
	if err != nil {
		t.Fatal(err)
	}
	r.refuses(request(things, "Authorization", "Bearer "+raw), anything, resource.UnknownIssuer, 401)
	forged, err := other.op.Sign("RS256", map[string]any{"typ": "at+jwt"}, map[string]any{"iss": r.op.Issuer, "sub": "alice", "aud": apiURL, "client_id": "app",
		"jti": "1", "iat": r.op.Now().Unix(), "exp": r.op.Now().Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	r.refuses(request(things, "Authorization", "Bearer "+forged), anything, oidc.UnknownKey, 401)
}

// TestTenants: beside another OP, one of many tenants is found by the issuer of a
// tenant that is allowed.
func TestTenants(t *testing.T) {
	r, other := setup(t), setup(t)
	template := other.op.Issuer + "/" + oidc.TenantPlace
	other.op.TamperMetadata(func(m map[string]any) { m["issuer"] = template })
	p, err := oidc.Discover(t.Context(), other.op.Issuer, &oidc.Options{HTTPClient: other.op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}, Now: other.op.Now,
		Tenants: &oidc.Tenants{Template: template, IDs: []string{"ours"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	r.server(func(c *resource.Config) { c.Providers = append(slices.Clone(r.c.Providers), p) })
	of := func(tid, iss string) *http.Request {
		raw, err := other.op.Sign("RS256", map[string]any{"typ": "at+jwt"}, map[string]any{"iss": iss, "tid": tid, "sub": "alice", "aud": apiURL, "client_id": "app",
			"jti": "1", "iat": other.op.Now().Unix(), "exp": other.op.Now().Add(time.Minute).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return request(things, "Authorization", "Bearer "+raw)
	}
	if tok := r.accepts(of("ours", other.op.Issuer+"/ours"), anything); tok.Issuer != other.op.Issuer+"/ours" {
		t.Errorf("got %v", tok)
	}
	r.refuses(of("theirs", other.op.Issuer+"/theirs"), anything, resource.UnknownIssuer, 401)
	r.refuses(of("theirs", other.op.Issuer+"/ours"), anything, oidc.BadTenant, 401)
	r.refuses(of("ours", other.op.Issuer), anything, oidc.BadIssuer, 401)
	r.refuses(of("ours", r.op.Issuer), anything, oidc.UnknownKey, 401)
}

func TestMetadata(t *testing.T) {
	r := setup(t, func(c *resource.Config) {
		c.About = resource.About{Scopes: []string{"read"}, Name: "Things", Documentation: "https://api.example/docs"}
	})
	if p := r.s.MetadataPath(); p != "/.well-known/oauth-protected-resource/v1" {
		t.Errorf("path %q", p)
	}
	w := httptest.NewRecorder()
	r.s.Metadata().ServeHTTP(w, httptest.NewRequest("GET", r.s.MetadataURL(), nil))
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil || w.Header().Get("Content-Type") != "application/json" {
		t.Fatalf("%v: %s", err, w.Body)
	}
	if doc["resource"] != apiURL || fmt.Sprint(doc["authorization_servers"]) != "["+r.op.Issuer+"]" || fmt.Sprint(doc["scopes_supported"]) != "[read]" ||
		fmt.Sprint(doc["bearer_methods_supported"]) != "[header]" || doc["resource_name"] != "Things" || doc["resource_documentation"] != "https://api.example/docs" {
		t.Errorf("got %v", doc)
	}
	w = httptest.NewRecorder()
	r.s.Metadata().ServeHTTP(w, httptest.NewRequest("POST", r.s.MetadataURL(), nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("POST: status %d", w.Code)
	}
}

func TestConfig(t *testing.T) {
	r := setup(t)
	for name, edit := range map[string]func(*resource.Config){
		"no resource":        func(c *resource.Config) { c.Resource = "" },
		"http":               func(c *resource.Config) { c.Resource = "http://api.example" },
		"fragment":           func(c *resource.Config) { c.Resource = apiURL + "#x" },
		"hash":               func(c *resource.Config) { c.Resource = apiURL + "#" },
		"no OP":              func(c *resource.Config) { c.Providers = nil },
		"one OP twice":       func(c *resource.Config) { c.Providers = append(slices.Clone(c.Providers), c.Providers...) },
		"origin":             func(c *resource.Config) { c.Origin = "api.example" },
		"origin with query":  func(c *resource.Config) { c.Origin = "https://api.example?x" },
		"short key":          func(c *resource.Config) { c.Keys = [][]byte{{1}} },
		"negative proof age": func(c *resource.Config) { c.ProofAge = -1 },
	} {
		c := r.c
		edit(&c)
		if _, err := resource.New(c); !errors.Is(err, resource.BadConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	r.server(func(c *resource.Config) { c.Resource, c.InsecureAllowHTTP = "http://localhost:8080", true })
}

// TestTrace: the checks of a request are seen, passed and failed.
func TestTrace(t *testing.T) {
	var seen []oidc.Check
	r := setup(t, func(c *resource.Config) {
		c.Trace = &oidc.Trace{Check: func(_ context.Context, k oidc.Check) { seen = append(seen, k) }}
	})
	token := r.bound()
	r.accepts(dpop(token, r.proof(token)), resource.Needs{Scopes: []string{"read"}})
	for _, k := range seen {
		if !k.Passed || k.Spec == "" || k.Title == "" || k.Step == "" {
			t.Errorf("got %+v", k)
		}
	}
	if len(seen) < 10 {
		t.Errorf("%d checks were seen", len(seen))
	}
	r.refuses(request(things, "Authorization", "Bearer "+r.token()), resource.Needs{Scopes: []string{"admin"}}, resource.InsufficientScope, 403)
	if last := seen[len(seen)-1]; last.Passed || !errors.Is(last.Reason, oidc.Reason(resource.InsufficientScope)) || !strings.Contains(last.Detail, "admin") {
		t.Errorf("got %+v", last)
	}
}

// TestExplain: whose fault a refusal is, and what to do.
func TestExplain(t *testing.T) {
	for reason, want := range map[resource.Reason]oidc.Fault{
		resource.BadConfig: oidc.FaultCaller, resource.MissingToken: oidc.FaultVisitor, resource.BadProof: oidc.FaultVisitor,
		resource.StoreUnavailable: oidc.FaultStore, "of tomorrow": oidc.FaultVisitor,
	} {
		if f := oidc.Explain(&resource.Error{Reason: reason}); f.Fault != want || f.Advice == "" || f.Reason != string(reason) {
			t.Errorf("%s: %+v", reason, f)
		}
	}
}
