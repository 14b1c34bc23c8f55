//lint:file-ignore SA1019 a caller's transport may still dial by the fields that are deprecated, and must not go unguarded.

package fetch

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"time"
)

// Limits of a transport of our own, and of what a caller's leaves at zero.
const (
	// maxIdlePerHost keeps a burst of logins on warm connections: the two of
	// http.DefaultTransport make an HTTP/1.1 server's every burst dial anew.
	maxIdlePerHost = 64
	maxIdle        = 512

	// idleTimeout is below the minute after which common load balancers drop an
	// idle connection, for a POST on a dropped one is not sent again.
	idleTimeout = 55 * time.Second

	// http2Ping finds an HTTP/2 connection that died silently, on which every
	// request would otherwise run into its deadline.
	http2Ping        = 15 * time.Second
	http2PingTimeout = 5 * time.Second
)

// newTransport is the hardened transport of our own.
func newTransport(g *guard) *http.Transport {
	t := &http.Transport{
		DialContext:       g.dial,
		TLSClientConfig:   &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, // a dial function of one's own turns it off otherwise
		HTTP2:             &http.HTTP2Config{SendPingTimeout: http2Ping, PingTimeout: http2PingTimeout},
	}
	fillLimits(t)
	return t
}

// strictCipherSuites are those of TLS 1.2 that RFC 9325 section 4.2 recommends. Of
// TLS 1.3 all are good, and none can be chosen.
func strictCipherSuites() []uint16 {
	return []uint16{
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	}
}

// ShowCertificate has a transport, which must be the caller's own, show a
// certificate to servers that ask for one. net/http would choose by the
// authorities that a server names, where a self-signed certificate never is; and a
// session of an earlier certificate would speak for it.
func ShowCertificate(t *http.Transport, cert *tls.Certificate) {
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = new(tls.Config)
	} else {
		t.TLSClientConfig = t.TLSClientConfig.Clone()
	}
	t.TLSClientConfig.MinVersion = max(t.TLSClientConfig.MinVersion, tls.VersionTLS12)
	t.TLSClientConfig.Certificates = nil
	t.TLSClientConfig.ClientSessionCache = nil
	t.TLSClientConfig.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return cert, nil }
}

// guardTransport clones a caller's transport and guards the clone.
func guardTransport(theirs *http.Transport, g *guard, envProxy bool) (*http.Transport, error) {
	ownDial := theirs.DialContext != nil || theirs.Dial != nil || theirs.DialTLSContext != nil || theirs.DialTLS != nil
	t := theirs.Clone()

	// net/http offers HTTP/2 by itself only where dialling and TLS are untouched,
	// which the clone's are no more. Whether the caller's transport was already
	// used, and so has HTTP/2 among its protocols, or not: keep what it had.
	if t.TLSClientConfig == nil {
		t.TLSClientConfig = new(tls.Config)
		t.ForceAttemptHTTP2 = t.ForceAttemptHTTP2 || !ownDial
	} else if slices.Contains(t.TLSClientConfig.NextProtos, "h2") {
		t.ForceAttemptHTTP2 = true
	}
	if v := t.TLSClientConfig.MaxVersion; v != 0 && v < tls.VersionTLS12 {
		return nil, fmt.Errorf("fetch: the transport given in HTTP allows at most %s: want TLS 1.2 or later", tls.VersionName(v))
	}
	t.TLSClientConfig.MinVersion = max(t.TLSClientConfig.MinVersion, tls.VersionTLS12)

	switch {
	case t.DialContext != nil:
		t.DialContext = g.wrap(t.DialContext)
	case t.Dial != nil:
		t.DialContext = g.wrap(withoutContext(t.Dial))
	default:
		t.DialContext = g.dial
	}
	switch {
	case t.DialTLSContext != nil:
		t.DialTLSContext = g.wrap(t.DialTLSContext)
	case t.DialTLS != nil:
		t.DialTLSContext = g.wrap(withoutContext(t.DialTLS))
	}
	t.Dial, t.DialTLS = nil, nil

	if !envProxy && isEnvironmentProxy(t.Proxy) {
		t.Proxy = nil
	}
	fillLimits(t)
	return t, nil
}

// fillLimits sets what is zero, which net/http takes for no limit or a large one.
func fillLimits(t *http.Transport) {
	set := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	set(&t.TLSHandshakeTimeout, handshakeTimeout)
	set(&t.IdleConnTimeout, idleTimeout)
	if t.MaxIdleConnsPerHost == 0 {
		t.MaxIdleConnsPerHost = maxIdlePerHost
	}
	if t.MaxIdleConns == 0 {
		t.MaxIdleConns = maxIdle
	}
	if t.MaxResponseHeaderBytes == 0 {
		t.MaxResponseHeaderBytes = MaxHeaderBytes
	}
	// The transport would inflate without a limit and without telling. That Do
	// sends an Accept-Encoding of its own keeps it from that too.
	t.DisableCompression = true
}

// withoutContext adapts the deprecated dial functions.
func withoutContext(dial func(network, addr string) (net.Conn, error)) dialFunc {
	return func(_ context.Context, network, addr string) (net.Conn, error) { return dial(network, addr) }
}

// isEnvironmentProxy reports whether a Proxy function is net/http's own reader of
// the environment, which nobody asked for who merely cloned a transport.
func isEnvironmentProxy(f func(*http.Request) (*url.URL, error)) bool {
	return f != nil && reflect.ValueOf(f).Pointer() == reflect.ValueOf(http.ProxyFromEnvironment).Pointer()
}

// viaProxy makes the transport use the proxy that Do has found, so that the
// proxy which is exempt from the guard is the very one that is dialled.
func viaProxy(t *http.Transport) {
	t.Proxy = func(r *http.Request) (*url.URL, error) {
		u, _ := r.Context().Value(proxyKey{}).(*url.URL)
		return u, nil
	}
}

// proxyKey is the context key of the *url.URL of the proxy that the operator
// chose for a request. A dial keeps the values of the context that asked for it.
type proxyKey struct{}

// withProxy asks which proxy a request goes through, judges the request's target
// if there is one, and returns the context that tells the transport.
func (c *Client) withProxy(ctx context.Context, r *http.Request) (context.Context, error) {
	proxy, err := c.proxy(r)
	if err != nil {
		return nil, &Error{Kind: BadRequest, Err: err, Detail: "the proxy settings do not parse"}
	}
	if proxy == nil {
		return ctx, nil
	}
	if err := c.guard.checkProxied(ctx, r.URL.Hostname()); err != nil {
		return nil, err
	}
	return context.WithValue(ctx, proxyKey{}, proxy), nil
}

// proxyAddr is the address at which net/http dials a proxy.
func proxyAddr(u *url.URL) string {
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "https":
			port = "443"
		case "socks5", "socks5h":
			port = "1080"
		default:
			port = "80"
		}
	}
	return net.JoinHostPort(u.Hostname(), port)
}
