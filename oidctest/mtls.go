package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MTLSMode says whether clients can show a certificate (RFC 8705).
type MTLSMode string

const (
	// MTLSOff is the zero value: no client is asked for a certificate.
	MTLSOff MTLSMode = ""
	// MTLSAliases asks for one at a second port, which mtls_endpoint_aliases names
	// (RFC 8705, section 5), and takes none at the first.
	MTLSAliases MTLSMode = "aliases"
	// MTLSEverywhere asks for one at the OP's own port, and has no aliases.
	MTLSEverywhere MTLSMode = "everywhere"
)

// memoryMTLSHost is the second host of an OP in memory.
const memoryMTLSHost = "mtls.op.test"

// boundToCertificate marks the binding of a token that is bound to a certificate
// and not to a key.
const boundToCertificate = "x5t#S256:"

// listenMTLS opens the second port.
func (s *site) listenMTLS(c Config) error {
	if c.MTLS != MTLSAliases || s.embedded {
		return nil
	}
	if c.InMemory {
		s.mtlsMemory = newMemoryListener()
		s.mtlsListener, s.mtlsHost = s.mtlsMemory, memoryMTLSHost
	} else {
		host, _, err := net.SplitHostPort(s.listener.Addr().String())
		if err != nil {
			return fmt.Errorf("oidctest: listen: %w", err)
		}
		l, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
		if err != nil {
			return fmt.Errorf("oidctest: listen: %w", err)
		}
		_, port, _ := net.SplitHostPort(l.Addr().String())
		s.mtlsListener, s.mtlsHost = l, net.JoinHostPort(hostname(s.host), port)
	}
	s.mtlsServer = &http.Server{
		Handler: s, ReadHeaderTimeout: readHeaderTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
		ErrorLog: log.New(discard{}, "", 0), BaseContext: s.server.BaseContext,
	}
	return nil
}

// discard is where the complaints about broken TLS go.
type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// MTLSURL returns the URL of an endpoint at the port where clients show a
// certificate; that of [OP.URL] if there is no such port.
func (op *OP) MTLSURL(e Endpoint) string { return op.alias(op.URL(e)) }

func (op *OP) alias(endpoint string) string {
	if op.site.mtlsHost == "" {
		return endpoint
	}
	return strings.Replace(endpoint, "://"+op.site.host, "://"+op.site.mtlsHost, 1)
}

// aliases is the member mtls_endpoint_aliases of metadata: of every endpoint at
// which a client authenticates or presents an access token.
func (op *OP) aliases(metadata map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range []string{
		"token_endpoint", "revocation_endpoint", "introspection_endpoint", "userinfo_endpoint",
		"pushed_authorization_request_endpoint", "device_authorization_endpoint", "backchannel_authentication_endpoint",
	} {
		if u, ok := metadata[name].(string); ok {
			out[name] = op.alias(u)
		}
	}
	return out
}

// clientAuthMethods are authMethods and, if clients can show a certificate, those
// by one.
func (op *OP) clientAuthMethods() []string {
	if op.c.MTLS == MTLSOff {
		return authMethods()
	}
	return append(authMethods(), "tls_client_auth", "self_signed_tls_client_auth")
}

// IssueCertificate makes a key and a certificate for a client, by the authority
// that tls_client_auth trusts here: that of [OP.Certificate]. Its subject is
// CN=commonName, its alternative names are sans: IP addresses, URIs, e-mail
// addresses and DNS names. It is an error of an OP that serves no TLS.
func (op *OP) IssueCertificate(commonName string, sans ...string) (tls.Certificate, error) {
	if op.site.root == nil {
		return tls.Certificate{}, errors.New("oidctest: the OP has no certificate of its own")
	}
	return newClientCertificate(commonName, sans, op.site.root, op.site.cert.PrivateKey)
}

// SelfSignedCertificate makes a key and a certificate for a client that nobody
// vouches for, for self_signed_tls_client_auth.
func SelfSignedCertificate(commonName string) (tls.Certificate, error) {
	return newClientCertificate(commonName, nil, nil, nil)
}

// newClientCertificate signs by the key of issuer, or by its own.
func newClientCertificate(commonName string, sans []string, issuer *x509.Certificate, by any) (tls.Certificate, error) {
	fail := func(err error) (tls.Certificate, error) {
		return tls.Certificate{}, fmt.Errorf("oidctest: certificate: %w", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return fail(err)
	}
	from, until := certificateSpan()
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: commonName}, NotBefore: from, NotAfter: until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, s := range sans {
		u, err := url.Parse(s)
		switch ip := net.ParseIP(s); {
		case ip != nil:
			template.IPAddresses = append(template.IPAddresses, ip)
		case err == nil && u.Scheme != "":
			template.URIs = append(template.URIs, u)
		case strings.Contains(s, "@"):
			template.EmailAddresses = append(template.EmailAddresses, s)
		default:
			template.DNSNames = append(template.DNSNames, s)
		}
	}
	if issuer == nil {
		issuer, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return fail(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return fail(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}, nil
}

// shown is the certificate that the client showed; nil if none.
func (x *exchange) shown() *x509.Certificate {
	if x.r.TLS == nil || len(x.r.TLS.PeerCertificates) == 0 {
		return nil
	}
	return x.r.TLS.PeerCertificates[0]
}

// checkCertificate checks the certificate of a client that authenticates by one
// (RFC 8705, sections 2.1 and 2.2).
func (x *exchange) checkCertificate(c *registered) error {
	cert := x.shown()
	if cert == nil {
		return errors.New("the client showed no certificate")
	}
	if c.authMethod() == "self_signed_tls_client_auth" {
		set, err := x.clientKeys(c)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(set.Keys, func(k jose.JSONWebKey) bool {
			return len(k.Certificates) > 0 && k.Certificates[0].Equal(cert)
		}) {
			return errors.New("the certificate is none of those in x5c of the client's keys")
		}
		return nil
	}
	pool, between := x509.NewCertPool(), x509.NewCertPool()
	if x.op.site.root != nil {
		pool.AddCert(x.op.site.root)
	}
	for _, more := range x.r.TLS.PeerCertificates[1:] {
		between.AddCert(more)
	}
	if _, err := cert.Verify(x509.VerifyOptions{Roots: pool, Intermediates: between, CurrentTime: x.now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return fmt.Errorf("the certificate is by no authority that is trusted here: %w", err)
	}
	ok := false
	switch {
	case c.TLSClientAuthSubjectDN != "":
		ok = cert.Subject.String() == c.TLSClientAuthSubjectDN
	case c.TLSClientAuthSANDNS != "":
		ok = slices.Contains(cert.DNSNames, c.TLSClientAuthSANDNS)
	case c.TLSClientAuthSANURI != "":
		ok = slices.ContainsFunc(cert.URIs, func(u *url.URL) bool { return u.String() == c.TLSClientAuthSANURI })
	case c.TLSClientAuthSANIP != "":
		ip := net.ParseIP(c.TLSClientAuthSANIP)
		ok = slices.ContainsFunc(cert.IPAddresses, func(i net.IP) bool { return i.Equal(ip) })
	case c.TLSClientAuthSANEmail != "":
		ok = slices.Contains(cert.EmailAddresses, c.TLSClientAuthSANEmail)
	}
	if !ok {
		return errors.New("the certificate does not have the name that the client is registered with")
	}
	return nil
}

// certificateBinding is what the tokens of a client are bound to that is registered
// for it (RFC 8705, section 3.1); empty for another client.
func (x *exchange) certificateBinding() string {
	if !x.client.TLSBound || x.shown() == nil {
		return ""
	}
	sum := sha256.Sum256(x.shown().Raw)
	return boundToCertificate + b64(sum[:])
}

// binding is what an access token is bound to: a key, a certificate, or nothing.
func (x *exchange) binding() string {
	if x.jkt != "" {
		return x.jkt
	}
	return x.certificateBinding()
}

// needsCertificate refuses a token request of a client whose tokens are to be
// bound to a certificate, and that shows none.
func (x *exchange) needsCertificate() *reply {
	if x.client.TLSBound && x.jkt == "" && x.shown() == nil {
		return oauthError(http.StatusBadRequest, "invalid_request", "the client is registered for tokens that are bound to its certificate, and showed none (RFC 8705, 3)")
	}
	return nil
}

// tlsNames are the members that name a client of tls_client_auth (RFC 8705, section
// 2.1.2).
func (c Client) tlsNames() int {
	n := 0
	for _, s := range []string{c.TLSClientAuthSubjectDN, c.TLSClientAuthSANDNS, c.TLSClientAuthSANURI, c.TLSClientAuthSANIP, c.TLSClientAuthSANEmail} {
		if s != "" {
			n++
		}
	}
	return n
}
