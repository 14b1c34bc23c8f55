package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// clientKey is the client's own key of these tests.
var clientKey = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

func testKey() oidc.Key { return oidc.Key{Private: clientKey()} }

func testJWKS(t *testing.T) []byte {
	t.Helper()
	b, err := oidc.PublicJWKS(testKey())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestParseKey reads private keys as they are kept in files.
func TestParseKey(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8 := func(k any) []byte {
		b, err := x509.MarshalPKCS8PrivateKey(k)
		if err != nil {
			t.Fatal(err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: b})
	}
	sec1, err := x509.MarshalECPrivateKey(clientKey())
	if err != nil {
		t.Fatal(err)
	}
	parameters := pem.EncodeToMemory(&pem.Block{Type: "EC PARAMETERS", Bytes: []byte{6, 8}})
	for name, data := range map[string][]byte{
		"PKCS #8 EC":  pkcs8(clientKey()),
		"PKCS #8 RSA": pkcs8(opKey()),
		"PKCS #8 Ed":  pkcs8(ed),
		"PKCS #1":     pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(opKey())}),
		"SEC 1":       append(parameters, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1})...),
	} {
		k, err := oidc.ParseKey(append([]byte("Bag Attributes\n"), data...))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := oidc.PublicJWKS(k); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, data := range map[string][]byte{
		"nothing":                  nil,
		"no PEM":                   []byte("hello"),
		"certificate":              pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte{1}}),
		"garbage":                  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte{1}}),
		"encrypted":                pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1}}),
		"encrypted PKCS #1":        []byte("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
		"JWK that is public":       []byte(`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`),
		"JWK that is a secret":     []byte(`{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQ"}`),
		"JWK that is no key":       []byte(`{"kty":"future"}`),
		"JWK cut short":            []byte(`{"kty":`),
		"JWK Set that is empty":    []byte(`{"keys":[]}`),
		"JWK Set that is a number": []byte(`{"keys":7}`),
		"X25519":                   []byte("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VuBCIEIHcHbQpzGKV9PBbBclGyZkXfTC+H68CZKrF3+6UduSwq\n-----END PRIVATE KEY-----\n"),
	} {
		_, err := oidc.ParseKey(data)
		if err == nil {
			t.Errorf("%s: accepted", name)
			continue
		}
		wantInput(t, err, oidc.BadConfig)
		// Only who is told so decrypts the file.
		if encrypted := strings.HasPrefix(name, "encrypted"); strings.Contains(err.Error(), "encrypted") != encrypted {
			t.Errorf("%s: %v", name, err)
		}
		if name == "garbage" && !strings.Contains(err.Error(), "cannot be parsed") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestParseKeys reads several keys, and what a JWK says of its own.
func TestParseKeys(t *testing.T) {
	const ed = `{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"one","alg":"EdDSA","use":"sig"}`
	const ec = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE","use":"enc","kid":"two"}`
	keys, err := oidc.ParseKeys([]byte("\n " + `{"keys":[` + ed + `,` + ec + `]}`))
	if err != nil || len(keys) != 2 || keys[0].ID != "one" || keys[0].Alg != "EdDSA" || keys[1].ID != "two" || keys[1].Use != "enc" {
		t.Fatalf("got %v, %v", keys, err)
	}
	// RFC 8037 appendix A.3.
	set, err := oidc.PublicJWKS(keys[0])
	if err != nil || !strings.Contains(string(set), `"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"`) || strings.Contains(string(set), "nWGxne") {
		t.Errorf("got %s, %v", set, err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(clientKey())
	if err != nil {
		t.Fatal(err)
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if keys, err = oidc.ParseKeys(slices.Concat(block, block)); err != nil || len(keys) != 2 {
		t.Errorf("got %v, %v", keys, err)
	}
}

// TestPublicJWKS publishes public halves alone.
func TestPublicJWKS(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p521, err := ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := oidc.PublicJWKS(testKey(), oidc.Key{Private: opKey(), ID: "rsa", Use: "enc", Alg: "RSA-OAEP-256"}, oidc.Key{Private: opKey()}, oidc.Key{Private: ed}, oidc.Key{Private: p384}, oidc.Key{Private: p521}, oidc.Key{Private: p384, Use: "enc"})
	if err != nil {
		t.Fatal(err)
	}
	var w struct{ Keys []map[string]any }
	if err := json.Unmarshal(set, &w); err != nil {
		t.Fatal(err)
	}
	want := []any{"ES256", "RSA-OAEP-256", "RS256", "EdDSA", "ES384", "ES512", nil} // one to encrypt for is of any
	if len(w.Keys) != len(want) {
		t.Fatalf("got %s", set)
	}
	for i, k := range w.Keys {
		if k["alg"] != want[i] || k["kid"] == "" || k["kid"] == nil {
			t.Errorf("key %d is %v, want alg %v", i, k, want[i])
		}
		for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
			if _, ok := k[private]; ok {
				t.Errorf("key %d has the private member %s", i, private)
			}
		}
	}
	for name, c := range map[string]struct {
		key    oidc.Key
		detail string
	}{
		"none":              {oidc.Key{}, "not a crypto.Signer"},
		"secret":            {oidc.Key{Private: []byte("a secret of many bytes, more than it takes")}, "not a crypto.Signer"},
		"foreign":           {oidc.Key{Private: strangeKey{}}, "signs no JWT"},
		"foreign of an alg": {oidc.Key{Private: strangeKey{}, Alg: "RS256"}, ""},
		"nil RSA":           {oidc.Key{Private: (*rsa.PrivateKey)(nil)}, "empty"},
		"nil EC":            {oidc.Key{Private: (*ecdsa.PrivateKey)(nil)}, "empty"},
		"empty EC":          {oidc.Key{Private: &ecdsa.PrivateKey{}}, "empty"},
		"short Ed25519":     {oidc.Key{Private: ed25519.PrivateKey{1}}, "empty"},
		"alg of others":     {oidc.Key{Private: clientKey(), Alg: "RS256"}, ""},
	} {
		if _, err := oidc.PublicJWKS(c.key); err == nil {
			t.Errorf("%s: accepted", name)
		} else if wantInput(t, err, oidc.BadConfig); !strings.Contains(err.Error(), c.detail) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// strangeKey signs, and nobody knows how.
type strangeKey struct{ crypto.Signer }

func (strangeKey) Public() crypto.PublicKey { return "public" }

// TestClientKeysLogIn authenticates with keys of every kind.
func TestClientKeysLogIn(t *testing.T) {
	op := newOP(t)
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, k := range map[string]oidc.Key{"EC": testKey(), "Ed25519": {Private: ed}, "RSA": {Private: opKey()}, "PS256": {Private: opKey(), Alg: "PS256", ID: "mine"}} {
		t.Run(name, func(t *testing.T) {
			set, err := oidc.PublicJWKS(k)
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.discover()
			if r.reg, err = r.p.Register(t.Context(), r.metadata(func(m *oidc.ClientMetadata) {
				m.TokenEndpointAuthMethod, m.JWKS = "private_key_jwt", set
			}), ""); err != nil {
				t.Fatal(err)
			}
			r.client(func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{{Use: "enc", Private: opKey()}, k} })
			op.ClearLog()
			r.mustLogin()
			if m := op.Requests(oidctest.EndpointToken)[0].Auth.Method; !strings.Contains(m, "assertion") {
				t.Errorf("authenticated by %s", m)
			}
		})
	}
}

// TestPrivateKeyPublishedIsTold: the key is not used, and somebody is told.
func TestPrivateKeyPublishedIsTold(t *testing.T) {
	for _, key := range []map[string]any{
		{"kty": "oct", "kid": "shared", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQ"},
		{"kty": "OKP", "kid": "shared", "crv": "Ed25519", "x": "AAAA", "d": "AAAA"},
	} {
		op := oidctest.New(t)
		op.TamperJWKS(func(m map[string]any) { m["keys"] = append(m["keys"].([]any), key) })
		r := setup(t, op)
		var told []oidc.Check
		r.opts.Trace.Check = func(_ context.Context, c oidc.Check) {
			if c.Reason == oidc.BadKeySet {
				told = append(told, c)
			}
		}
		r.mustLogin()
		if len(told) != 1 || told[0].Passed || !strings.Contains(told[0].Detail, "shared") {
			t.Errorf("%s: got %v, want one failed check that names the key", key["kty"], told)
		}
	}
}

// TestFailedKeysAreTold: keys that an OP has for nobody are noticed, and that they
// were asked for twice.
func TestFailedKeysAreTold(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	var kinds []oidc.NoticeKind
	r.opts.Trace.Notice = func(_ context.Context, n oidc.Notice) {
		if kinds = append(kinds, n.Kind); (n.Err != nil) != (n.Kind == oidc.NoticeStale) || n.Step != oidc.StepKeys {
			t.Errorf("got %+v", n)
		}
	}
	op.Intercept(oidctest.EndpointJWKS, respond(503, "text/plain", "later"))
	r.refused(oidc.KeysUnavailable)
	if want := []oidc.NoticeKind{oidc.NoticeRetry, oidc.NoticeStale}; !slices.Equal(kinds, want) {
		t.Errorf("told %v, want %v", kinds, want)
	}
	kinds = nil
	op.Intercept(oidctest.EndpointJWKS, nil)
	r.discover()
	r.client()
	r.mustLogin()
	if want := []oidc.NoticeKind{oidc.NoticeKeys}; !slices.Equal(kinds, want) {
		t.Errorf("told %v, want %v", kinds, want)
	}
}

// TestSlowKeysAreWaitedFor: for as long as Options.Timeout says, as for any other
// answer of the OP.
func TestSlowKeysAreWaitedFor(t *testing.T) {
	bubble(t, func(t *testing.T, op *oidctest.OP) {
		r := setup(t, op)
		r.opts.Timeout = 30 * time.Second
		r.opts.HTTPClient = &http.Client{Transport: op.HTTPClient().Transport} // without a time of its own
		r.discover()
		r.client()
		res, err := op.HTTPClient().Get(op.URL(oidctest.EndpointJWKS))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		keys, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		op.Intercept(oidctest.EndpointJWKS, after(20*time.Second, respond(200, "application/json", string(keys))))
		r.mustLogin()
	})
}
