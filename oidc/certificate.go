package oidc

import (
	"context"
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"rely.example/internal/fetch"
)

// CertificateSource gives the certificate that a client shows when it connects to
// the OP and to resources (RFC 8705). It is asked for each request, concurrently,
// so that a certificate is renewed without a restart: once it gives another one,
// new connections are made with that, and those of the old one are closed as they
// come to rest.
type CertificateSource func(ctx context.Context) (*tls.Certificate, error)

// Certificate is the source of one certificate that never changes.
func Certificate(c tls.Certificate) CertificateSource {
	return func(context.Context) (*tls.Certificate, error) { return &c, nil }
}

// CertificateFiles reads certificate chain and private key from two PEM files (which
// may be one and the same), now, and anew whenever one of them has changed. A
// change that cannot be read, such as half of a pair, leaves the old certificate
// in use until both files fit.
func CertificateFiles(certFile, keyFile string) (CertificateSource, error) {
	f := &certificateFiles{cert: certFile, key: keyFile}
	if _, err := f.get(); err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "certificate", Detail: "the files cannot be read as certificate and key: " + err.Error(), Err: err}
	}
	return func(context.Context) (*tls.Certificate, error) { return f.get() }, nil
}

type certificateFiles struct {
	cert, key string

	mu   sync.Mutex // guards the rest
	seen [2]fileState
	last *tls.Certificate
}

// fileState is what tells that a file has changed.
type fileState struct {
	modified time.Time
	size     int64
}

func (f *certificateFiles) get() (*tls.Certificate, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var now [2]fileState
	for i, name := range []string{f.cert, f.key} {
		// Stat follows links, which is how Kubernetes exchanges both files at once.
		info, err := os.Stat(name)
		if err != nil {
			return f.lastOr(err)
		}
		now[i] = fileState{info.ModTime(), info.Size()}
	}
	if f.last != nil && now == f.seen {
		return f.last, nil
	}
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return f.lastOr(err)
	}
	f.seen, f.last = now, &pair
	return f.last, nil
}

func (f *certificateFiles) lastOr(err error) (*tls.Certificate, error) {
	if f.last != nil {
		return f.last, nil
	}
	return nil, err
}

// CertificateKey is the certificate's key as one to register: PublicJWKS then
// publishes the certificate in x5c, which self_signed_tls_client_auth needs (RFC
// 8705 section 2.2.2). Its Use is "sig".
func CertificateKey(c tls.Certificate) (Key, error) {
	if len(c.Certificate) == 0 || c.PrivateKey == nil {
		return Key{}, &InputError{Reason: BadConfig, Field: "certificate", Detail: "it is empty"}
	}
	return Key{Private: c.PrivateKey, Certificates: c.Certificate}, nil
}

// connections are what a client with a certificate connects by: nobody else's
// connections, since a server takes whoever opened one for the author of all that
// comes over it.
type connections struct {
	source CertificateSource
	config fetch.Config

	mu       sync.Mutex // guards the rest
	leaf     string     // of the certificate that the others are made with, in DER
	op       *fetch.Client
	resource *http.Transport
}

// current returns the connections of the certificate that is due.
func (c *connections) current(ctx context.Context) (*fetch.Client, *http.Transport, error) {
	bad := func(detail string, err error) error {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Certificate", Detail: detail, Err: err}
	}
	cert, err := c.source(ctx)
	if err != nil {
		return nil, nil, bad("it gives no certificate: "+err.Error(), err)
	}
	if cert == nil || len(cert.Certificate) == 0 || cert.PrivateKey == nil {
		return nil, nil, bad("it gives no certificate, or one without a key", nil)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.op != nil && c.leaf == string(cert.Certificate[0]) {
		return c.op, c.resource, nil
	}
	config := c.config
	config.Certificate = cert
	op, err := fetch.New(config)
	if err != nil {
		return nil, nil, bad(err.Error(), err)
	}
	c.closeIdle()
	c.leaf, c.op, c.resource = string(cert.Certificate[0]), op, resourceTransport(config, cert)
	return c.op, c.resource, nil
}

// closeIdle closes connections that nobody uses. The caller holds c.mu.
func (c *connections) closeIdle() {
	if c.op != nil {
		c.op.CloseIdleConnections()
		c.resource.CloseIdleConnections()
	}
}

// resourceTransport shows the certificate to resources, which the application
// names, and so are not guarded as what a stranger names.
func resourceTransport(config fetch.Config, cert *tls.Certificate) *http.Transport {
	var t *http.Transport
	if config.HTTP != nil {
		t, _ = config.HTTP.Transport.(*http.Transport)
	}
	if t == nil {
		t, _ = http.DefaultTransport.(*http.Transport)
	}
	if t == nil {
		t = new(http.Transport)
	}
	t = t.Clone()
	fetch.ShowCertificate(t, cert)
	return t
}

// CloseIdleConnections closes connections of the client's own that nobody uses at
// the moment: it has some if it shows a certificate.
func (c *Client) CloseIdleConnections() {
	if m := c.connections; m != nil {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.closeIdle()
	}
}

// do sends one request over the client's own connections, if it has some.
func (c *Client) do(ctx context.Context, r *fetch.Request) (*fetch.Response, error) {
	if c.connections == nil {
		return c.p.env.do(ctx, r)
	}
	op, _, err := c.connections.current(ctx)
	if err != nil {
		return nil, err
	}
	res, err := op.Do(ctx, r)
	if err != nil {
		return nil, fetchFailed(r.Purpose, err)
	}
	return res, nil
}

// at is where the client reaches an endpoint: of one that shows a certificate, the
// alias that the OP has for it (RFC 8705 section 5). An endpoint without an alias
// is asked where it is: aliases are for OPs that must part the two.
func (c *Client) at(endpoint string) string {
	md := c.p.md()
	if c.connections == nil || len(md.MTLSEndpointAliases) == 0 {
		return endpoint
	}
	for _, e := range md.endpoints() {
		if alias := md.MTLSEndpointAliases[e.name]; alias != "" && e.url == endpoint {
			return alias
		}
	}
	return endpoint
}

// checkCertificate refuses, when the client is made, what needs a certificate and
// has none, and a certificate that nobody would see.
func (c *Client) checkCertificate(md *ProviderMetadata) error {
	method := c.auth.Method()
	needs := ""
	switch {
	case method == AuthTLS || method == AuthSelfSignedTLS:
		needs = method
	case c.c.Metadata.TLSClientCertificateBoundAccessTokens:
		needs = "tls_client_certificate_bound_access_tokens"
	}
	if c.c.Certificate == nil {
		if needs != "" {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.Certificate", Detail: needs + " needs one"}
		}
		return nil
	}
	config := c.p.env.config
	c.connections = &connections{source: c.c.Certificate, config: config}
	if config.HTTP != nil && config.HTTP.Transport != nil {
		if _, ok := config.HTTP.Transport.(*http.Transport); !ok {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.Certificate", Detail: "Options.HTTPClient has a RoundTripper of its own kind, to which no certificate can be given"}
		}
	}
	if at := c.at(md.TokenEndpoint); strings.HasPrefix(at, "http:") {
		return &UnsupportedError{Feature: "a client certificate", Detail: "the token endpoint is an http URL, where none can be shown"}
	}
	return nil
}

// sameKey reports whether a certificate is of a key.
func sameKey(der []byte, public crypto.PublicKey) bool {
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return false
	}
	k, ok := leaf.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	return ok && k.Equal(public)
}
