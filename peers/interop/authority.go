package interop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// authorityLifetime bounds how long a certificate of an [Authority] is good
// for. A test run is over long before.
const authorityLifetime = 24 * time.Hour

// Authority is a certificate authority that lives as long as a test. Its
// private key is never written anywhere.
type Authority struct {
	// Dir holds ca.pem, op.pem and op-key.pem (PKCS #8), for child processes.
	Dir string

	pool *x509.CertPool
	ca   *x509.Certificate
	key  *ecdsa.PrivateKey
}

// NewAuthority makes a certificate authority and one server certificate signed
// by it, for localhost, 127.0.0.1 and ::1, and writes what child processes need
// to dir, which must exist.
func NewAuthority(dir string) (*Authority, error) {
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("interop: making the authority's key: %w", err)
	}
	now := time.Now()
	ca := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "Rely interop test authority"},
		NotBefore:             now.Add(-time.Hour),
		NotAfter:              now.Add(authorityLifetime),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("interop: signing the authority's certificate: %w", err)
	}
	// Parsed again, because the child's authority key identifier is taken from
	// the parent's subject key identifier, which only the parsed form has.
	// Python's strict verification asks for both.
	ca, err = x509.ParseCertificate(caDER)
	if err != nil {
		return nil, fmt.Errorf("interop: reading the authority's certificate: %w", err)
	}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("interop: making the server key: %w", err)
	}
	leaf := serverTemplate(now)
	leafDER, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		return nil, fmt.Errorf("interop: signing the server certificate: %w", err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("interop: encoding the server key: %w", err)
	}

	a := &Authority{Dir: dir, pool: x509.NewCertPool(), ca: ca, key: caKey}
	a.pool.AddCert(ca)
	for _, f := range []struct {
		path, kind string
		der        []byte
	}{
		{a.CAFile(), "CERTIFICATE", caDER},
		{a.CertFile(), "CERTIFICATE", leafDER},
		{a.KeyFile(), "PRIVATE KEY", keyDER},
	} {
		block := pem.EncodeToMemory(&pem.Block{Type: f.kind, Bytes: f.der})
		if err := os.WriteFile(f.path, block, 0o600); err != nil {
			return nil, fmt.Errorf("interop: writing a certificate: %w", err)
		}
	}
	return a, nil
}

// Issue makes a key and a certificate for a client, with the subject CN=name.
func (a *Authority) Issue(name string) (tls.Certificate, error) {
	return clientCertificate(name, a.ca, a.key)
}

// IssueServer makes a key and a certificate for a server on loopback.
func (a *Authority) IssueServer() (tls.Certificate, error) {
	return issue(serverTemplate(time.Now()), a.ca, a.key)
}

// serverTemplate is the certificate of a server on loopback, before it is signed.
func serverTemplate(now time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(authorityLifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:     []string{"localhost"},
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback},
	}
}

// SelfSigned makes a key and a certificate for a client that nobody vouches for.
func SelfSigned(name string) (tls.Certificate, error) { return clientCertificate(name, nil, nil) }

func clientCertificate(name string, issuer *x509.Certificate, by *ecdsa.PrivateKey) (tls.Certificate, error) {
	now := time.Now()
	return issue(&x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(authorityLifetime),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, issuer, by)
}

// issue signs a certificate for a new key: itself, if there is no issuer.
func issue(template, issuer *x509.Certificate, by *ecdsa.PrivateKey) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("interop: making a key: %w", err)
	}
	if issuer == nil {
		issuer, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("interop: signing a certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// CAFile is the path of the authority's own certificate, PEM.
func (a *Authority) CAFile() string { return filepath.Join(a.Dir, "ca.pem") }

// CertFile is the path of the server certificate, PEM.
func (a *Authority) CertFile() string { return filepath.Join(a.Dir, "op.pem") }

// KeyFile is the path of the server certificate's key, PEM and PKCS #8.
func (a *Authority) KeyFile() string { return filepath.Join(a.Dir, "op-key.pem") }

// Transport returns a new transport that trusts this authority and no other.
func (a *Authority) Transport() *http.Transport {
	return &http.Transport{
		TLSClientConfig:       &tls.Config{RootCAs: a.pool, MinVersion: tls.VersionTLS12},
		ResponseHeaderTimeout: requestTimeout,
	}
}
