package fetch

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
)

// TestCertificate: a Client shows its own certificate, whatever authorities the
// server names, and never one of a transport that it was made from.
func TestCertificate(t *testing.T) {
	var shown []byte
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown = nil
		if len(r.TLS.PeerCertificates) > 0 {
			shown = r.TLS.PeerCertificates[0].Raw
		}
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	s.StartTLS()
	defer s.Close()
	cert := s.TLS.Certificates[0] // any will do
	base, ok := s.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatalf("%T", s.Client().Transport)
	}
	base.TLSClientConfig.ClientSessionCache = tls.NewLRUClientSessionCache(8)
	ask := func(cert *tls.Certificate) {
		t.Helper()
		c, err := New(Config{HTTP: s.Client(), AllowPrivate: []string{"127.0.0.1"}, Certificate: cert})
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseIdleConnections()
		if _, err := c.Do(t.Context(), &Request{Purpose: "test", URL: s.URL}); err != nil {
			t.Fatal(err)
		}
	}
	ask(&cert)
	if string(shown) != string(cert.Certificate[0]) {
		t.Error("the certificate was not shown")
	}
	ask(nil)
	if shown != nil {
		t.Error("a session or connection of another client was used")
	}
	if base.TLSClientConfig.GetClientCertificate != nil {
		t.Error("the caller's transport was changed")
	}
	for name, tr := range map[string]http.RoundTripper{
		"foreign": roundTripper(nil),
		"own_tls": &http.Transport{DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return nil, net.ErrClosed }},
	} {
		if _, err := New(Config{HTTP: &http.Client{Transport: tr}, Certificate: &cert}); err == nil {
			t.Errorf("%s: a transport that cannot show a certificate was taken", name)
		}
	}
}
