package oidc_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptrace"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// mtlsFaults is what the faults of mutual TLS lead to.
var mtlsFaults = map[oidctest.Fault]outcome{
	oidctest.MTLSAliasHTTP: oidc.InsecureURL, oidctest.MTLSAliasNumber: oidc.MalformedResponse, oidctest.MTLSAliasUnknown: harmless,
	oidctest.MTLSRedirect: oidc.UnexpectedRedirect, oidctest.MTLSClientRefused: "op: invalid_client", oidctest.MTLSBoundTokenRefused: "op: invalid_token",
}

// mtlsJourney is the whole way with a certificate and tokens that are bound to it.
func mtlsJourney(j *journey) error {
	j.op = newOP(j.t, func(c *oidctest.Config) { c.MTLS = oidctest.MTLSAliases })
	j.opts = options(j.op)
	j.opts.Trace = &oidc.Trace{Exchange: j.wire.exchange, InsecureUnmasked: true}
	cert := issued(j.t, j.op, "rp")
	j.metadata = func(m *oidc.ClientMetadata) {
		m.TokenEndpointAuthMethod, m.TLSClientAuthSubjectDN, m.TLSClientCertificateBoundAccessTokens = oidc.AuthTLS, "CN=rp", true
	}
	j.config = func(c *oidc.ClientConfig) { c.Certificate = oidc.Certificate(cert) }
	return j.run()
}

func issued(t *testing.T, op *oidctest.OP, name string) tls.Certificate {
	t.Helper()
	c, err := op.IssueCertificate(name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// mtlsRig is a client that authenticates by its certificate.
func mtlsRig(t *testing.T, mode oidctest.MTLSMode, method string, edit ...func(*oidc.ClientMetadata)) (*rig, tls.Certificate) {
	t.Helper()
	op := newOP(t, func(c *oidctest.Config) { c.MTLS = mode })
	cert := issued(t, op, "rp")
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, GrantTypes: []string{"authorization_code", "refresh_token"},
		TokenEndpointAuthMethod: method, TLSClientAuthSubjectDN: "CN=rp", TLSClientCertificateBoundAccessTokens: true}
	if method == oidc.AuthSelfSignedTLS {
		var err error
		if cert, err = oidctest.SelfSignedCertificate("rp"); err != nil {
			t.Fatal(err)
		}
		key, err := oidc.CertificateKey(cert)
		if err != nil {
			t.Fatal(err)
		}
		if m.JWKS, err = oidc.PublicJWKS(key); err != nil {
			t.Fatal(err)
		}
		m.TLSClientAuthSubjectDN = ""
	}
	for _, e := range edit {
		e(&m)
	}
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
	r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
	r.discover()
	var err error
	if r.reg, err = r.p.Register(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	r.client(func(c *oidc.ClientConfig) { c.Certificate = oidc.Certificate(cert) })
	return r, cert
}

func TestHostileMTLS(t *testing.T) {
	for _, method := range []string{oidc.AuthTLS, oidc.AuthSelfSignedTLS} {
		for _, mode := range []oidctest.MTLSMode{oidctest.MTLSAliases, oidctest.MTLSEverywhere} {
			t.Run("324_at_every_endpoint_"+method+"_"+string(mode), func(t *testing.T) {
				r, cert := mtlsRig(t, mode, method)
				r.client(func(c *oidc.ClientConfig) { c.Certificate, c.PAR = oidc.Certificate(cert), oidc.PARAlways })
				r.op.ClearLog()
				tok := r.offline()
				if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
					t.Fatal(err)
				}
				tok, err := r.c.Refresh(t.Context(), tok)
				if err != nil {
					t.Fatal(err)
				}
				if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
					t.Fatal(err)
				}
				asked := make(map[oidctest.Endpoint]int)
				for _, q := range r.op.Received() {
					switch q.Endpoint {
					case oidctest.EndpointToken, oidctest.EndpointPAR, oidctest.EndpointUserInfo, oidctest.EndpointRevocation:
						asked[q.Endpoint]++
						if q.Certificate == nil || string(q.Certificate.Raw) != string(cert.Certificate[0]) {
							t.Errorf("%s saw another certificate, or none", q.Endpoint)
						}
						if at := "https://" + q.Host + q.Path; at != r.op.MTLSURL(q.Endpoint) {
							t.Errorf("asked at %s, the alias is %s", at, r.op.MTLSURL(q.Endpoint))
						}
					}
				}
				if len(asked) != 4 {
					t.Errorf("asked %v", asked)
				}
			})
		}
	}
	t.Run("324_no_certificate_configured", func(t *testing.T) {
		r, _ := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		_, err := oidc.NewClient(r.p, r.reg.ClientConfig())
		wantInput(t, err, oidc.BadConfig)
		c := r.reg.ClientConfig()
		c.Metadata.TokenEndpointAuthMethod = oidc.AuthNone // bound tokens need one all the same
		_, err = oidc.NewClient(r.p, c)
		wantInput(t, err, oidc.BadConfig)
		c.Metadata.TLSClientCertificateBoundAccessTokens = false
		if _, err = oidc.NewClient(r.p, c); err != nil {
			t.Error(err)
		}
		for _, method := range []string{oidc.AuthTLS, oidc.AuthSelfSignedTLS} {
			c.Metadata.TokenEndpointAuthMethod = method
			_, err = oidc.NewClient(r.p, c)
			wantInput(t, err, oidc.BadConfig)
		}
	})
	t.Run("324_a_certificate_that_cannot_be_shown", func(t *testing.T) {
		r, cert := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		opts := *r.opts
		opts.HTTPClient = &http.Client{Transport: resourceFunc(r.op.HTTPClient().Transport.RoundTrip)}
		p, err := oidc.Discover(t.Context(), r.op.Issuer, &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c := r.reg.ClientConfig()
		c.Certificate = oidc.Certificate(cert)
		_, err = oidc.NewClient(p, c)
		wantInput(t, err, oidc.BadConfig)

		md := r.p.Metadata()
		md.MTLSEndpointAliases, md.TokenEndpoint = nil, "http://127.0.0.1/token"
		opts = *r.opts
		opts.InsecureAllowHTTP = true
		plain, err := oidc.NewProvider(md, &opts)
		if err != nil {
			t.Fatal(err)
		}
		defer plain.Close()
		_, err = oidc.NewClient(plain, c)
		wantUnsupported(t, err)
	})
	t.Run("324_the_source_fails", func(t *testing.T) {
		r, cert := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		for name, source := range map[string]oidc.CertificateSource{
			"error":             func(context.Context) (*tls.Certificate, error) { return nil, errors.New("the vault is sealed") },
			"error, and an old": func(context.Context) (*tls.Certificate, error) { return &cert, errors.New("the vault is sealed") },
			"nil":               func(context.Context) (*tls.Certificate, error) { return nil, nil },
			"empty":             oidc.Certificate(tls.Certificate{}),
			"no key":            oidc.Certificate(tls.Certificate{Certificate: cert.Certificate}),
			"no certificate":    oidc.Certificate(tls.Certificate{PrivateKey: cert.PrivateKey}),
		} {
			r.client(func(c *oidc.ClientConfig) { c.Certificate = source })
			pending, cb := r.begin()
			r.op.ClearLog()
			_, err := r.finish(pending, cb)
			if wantInput(t, err, oidc.BadConfig); name == "" {
				t.Error("no name")
			}
			wantNoCall(t, r.op, oidctest.EndpointToken)
		}
	})
	t.Run("324_the_certificate_is_empty", func(t *testing.T) {
		r, cert := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		r.client(func(c *oidc.ClientConfig) {
			c.Certificate = oidc.Certificate(tls.Certificate{Certificate: [][]byte{{}}, PrivateKey: cert.PrivateKey})
		})
		if _, err := r.login(); err == nil {
			t.Error("accepted")
		}
	})
	t.Run("324_an_endpoint_without_an_alias", func(t *testing.T) {
		r, cert := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		r.op.TamperMetadata(func(m map[string]any) {
			delete(m["mtls_endpoint_aliases"].(map[string]any), "revocation_endpoint")
		})
		r.discover()
		r.client(func(c *oidc.ClientConfig) { c.Certificate = oidc.Certificate(cert) })
		tok := r.mustLogin()
		r.op.ClearLog()
		if err := r.c.RevokeTokens(t.Context(), tok); err == nil {
			t.Error("an OP that sees the certificate at its aliases alone took it elsewhere")
		}
		wantCalls(t, r.op, oidctest.EndpointRevocation, 1)
	})
	t.Run("324_connections_are_kept_and_closed", func(t *testing.T) {
		r, first := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		now := first
		r.client(func(c *oidc.ClientConfig) {
			c.Certificate = func(context.Context) (*tls.Certificate, error) { c := now; return &c, nil }
		})
		tok := r.mustLogin()
		asks := func(reused bool) {
			t.Helper()
			var got []bool
			ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(i httptrace.GotConnInfo) { got = append(got, i.Reused) }})
			if _, err := r.c.UserInfo(ctx, tok); err != nil {
				t.Fatal(err)
			}
			if len(got) != 1 || got[0] != reused {
				t.Errorf("connections reused: %v, want %v", got, reused)
			}
		}
		asks(true)
		r.c.CloseIdleConnections()
		asks(false)
		asks(true)
	})
	t.Run("324_rotated_without_restart", func(t *testing.T) {
		r, first := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		second := issued(t, r.op, "rp") // the same name, another key
		var now atomic.Pointer[tls.Certificate]
		now.Store(&first)
		r.client(func(c *oidc.ClientConfig) {
			c.Certificate = func(context.Context) (*tls.Certificate, error) { return now.Load(), nil }
		})
		tok := r.offline()
		now.Store(&second)
		r.op.ClearLog()
		// The access token is bound to the old one; the refresh token to the client.
		_, err := r.c.UserInfo(t.Context(), tok)
		r.refusal(err, "invalid_token")
		n, err := r.c.Refresh(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.c.UserInfo(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		for _, q := range r.op.Received() {
			if q.Certificate == nil || string(q.Certificate.Raw) != string(second.Certificate[0]) {
				t.Errorf("%s saw the old certificate", q.Endpoint)
			}
		}
	})
	t.Run("324_clients_share_no_connection", func(t *testing.T) {
		r, one := mtlsRig(t, oidctest.MTLSEverywhere, oidc.AuthTLS)
		two := issued(t, r.op, "two")
		m := r.reg.Metadata
		m.TLSClientAuthSubjectDN = "CN=two"
		reg, err := r.p.Register(t.Context(), m, "")
		if err != nil {
			t.Fatal(err)
		}
		other := r.in(t)
		other.reg = reg
		other.client(func(c *oidc.ClientConfig) { c.Certificate = oidc.Certificate(two) })
		for range 2 {
			r.op.ClearLog()
			r.mustLogin()
			other.mustLogin()
			for i, q := range r.op.Requests(oidctest.EndpointToken) {
				if want := [][]byte{one.Certificate[0], two.Certificate[0]}[i]; string(q.Certificate.Raw) != string(want) {
					t.Fatalf("request %d came over the other client's connection", i)
				}
			}
		}
	})
	t.Run("324_presented_to_a_resource", func(t *testing.T) {
		r, cert := mtlsRig(t, oidctest.MTLSAliases, oidc.AuthTLS)
		tok := r.mustLogin()
		r.op.ClearLog()
		origin := r.op.MTLSURL(oidctest.EndpointNone)
		if origin == "" {
			origin = "https://" + mustHost(t, r.op.MTLSURL(oidctest.EndpointUserInfo))
		}
		api := &http.Client{Transport: r.c.Transport(tok, nil, origin)}
		res, err := api.Get(r.op.MTLSURL(oidctest.EndpointUserInfo))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		got := r.op.Requests(oidctest.EndpointUserInfo)
		if res.StatusCode != 200 || len(got) != 1 || string(got[0].Certificate.Raw) != string(cert.Certificate[0]) {
			t.Errorf("status %d", res.StatusCode)
		}
		r.c.CloseIdleConnections()
	})
}

func mustHost(t *testing.T, raw string) string {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "GET", raw, nil)
	if err != nil {
		t.Fatal(err)
	}
	return q.URL.Host
}

// TestCertificateFiles: files that change are read anew, and half of a change is
// not taken.
func TestCertificateFiles(t *testing.T) {
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if _, err := oidc.CertificateFiles(cert, key); !errors.Is(err, oidc.BadConfig) {
		t.Fatalf("got %v for files that are not there", err)
	}
	age := time.Now().Add(-time.Hour)
	write := func(name, kind string, der []byte) {
		t.Helper()
		if err := os.WriteFile(name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		// Two writes within the resolution of the file system's clock differ too.
		if age = age.Add(time.Minute); os.Chtimes(name, age, age) != nil {
			t.Fatal("the file's time cannot be set")
		}
	}
	pair := func(name string) (tls.Certificate, []byte) {
		t.Helper()
		c, err := oidctest.SelfSignedCertificate(name)
		if err != nil {
			t.Fatal(err)
		}
		der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
		if err != nil {
			t.Fatal(err)
		}
		return c, der
	}
	one, oneKey := pair("one")
	two, twoKey := pair("two")
	write(cert, "CERTIFICATE", one.Certificate[0])
	write(key, "PRIVATE KEY", oneKey)
	source, err := oidc.CertificateFiles(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	is := func(want tls.Certificate) {
		t.Helper()
		got, err := source(t.Context())
		if err != nil || string(got.Certificate[0]) != string(want.Certificate[0]) {
			t.Fatalf("another certificate, or %v", err)
		}
	}
	is(one)
	before, _ := source(t.Context())
	if again, err := source(t.Context()); err != nil || again != before {
		t.Errorf("files that have not changed are read anew, or %v", err)
	}
	write(cert, "CERTIFICATE", two.Certificate[0])
	is(one) // the key is still the old one
	write(key, "PRIVATE KEY", twoKey)
	is(two)
	if err := os.Remove(key); err != nil {
		t.Fatal(err)
	}
	is(two) // gone for a moment
}

// ofNoKnownKind is a certificate whose key, by its name Ed448, crypto/x509 cannot read.
func ofNoKnownKind(t *testing.T) []byte {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.ReplaceAll(der, []byte{0x06, 0x03, 0x2b, 0x65, 0x70}, []byte{0x06, 0x03, 0x2b, 0x65, 0x71}) // RFC 8410 section 3
}

// TestClientOfAPlainHTTPClient: a certificate is shown by what net/http connects by,
// where nothing else is configured.
func TestClientOfAPlainHTTPClient(t *testing.T) {
	cert, err := oidctest.SelfSignedCertificate("rp")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]*oidc.Options{"no options": nil, "no client": {}, "no transport": {HTTPClient: new(http.Client)}} {
		p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: "https://op.example", AuthorizationEndpoint: "https://op.example/a",
			TokenEndpoint: "https://op.example/t", JWKSURI: "https://op.example/k"}, o)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: benchSecret, Certificate: oidc.Certificate(cert),
			Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c.CloseIdleConnections() // there is none
	}
}

// TestCertificateKey publishes the certificate beside the key.
func TestCertificateKey(t *testing.T) {
	one, err := oidctest.SelfSignedCertificate("one")
	if err != nil {
		t.Fatal(err)
	}
	two, err := oidctest.SelfSignedCertificate("two")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []tls.Certificate{{}, {Certificate: one.Certificate}, {PrivateKey: one.PrivateKey}} {
		_, err = oidc.CertificateKey(part)
		wantInput(t, err, oidc.BadConfig)
	}
	key, err := oidc.CertificateKey(one)
	if err != nil {
		t.Fatal(err)
	}
	set, err := oidc.PublicJWKS(key)
	if err != nil || !strings.Contains(string(set), `"x5c":["`+base64.StdEncoding.EncodeToString(one.Certificate[0])+`"]`) || !strings.Contains(string(set), `"x5t#S256":"`) {
		t.Errorf("got %s, %v", set, err)
	}
	for _, other := range [][][]byte{two.Certificate, {[]byte("no certificate")}, {ofNoKnownKind(t)}} {
		key.Certificates = other
		_, err = oidc.PublicJWKS(key)
		wantInput(t, err, oidc.BadConfig)
	}
	m := oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, TLSClientAuthSANDNS: "a.example", TLSClientAuthSANIP: "10.0.0.1"}
	r := setup(t, newOP(t))
	_, err = r.p.Register(t.Context(), m, "")
	wantInput(t, err, oidc.BadConfig)
}
