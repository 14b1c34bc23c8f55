package oidc

import (
	"crypto/tls"
	"net/http"
	"testing"

	"rely.example/internal/fetch"
)

type otherTransport struct{ http.RoundTripper }

// TestResourceTransport: resources are reached as the application's own HTTP client
// reaches them, or as net/http does, and see the certificate.
func TestResourceTransport(t *testing.T) {
	cert := &tls.Certificate{Certificate: [][]byte{{1}}}
	usual := http.DefaultTransport
	defer func() { http.DefaultTransport = usual }()
	own := &http.Transport{MaxIdleConns: 7}
	net := &http.Transport{MaxIdleConns: 8}
	for name, c := range map[string]struct {
		config fetch.Config
		net    http.RoundTripper
		want   int // MaxIdleConns
	}{
		"own":                 {fetch.Config{HTTP: &http.Client{Transport: own}}, net, 7},
		"own of another kind": {fetch.Config{HTTP: &http.Client{Transport: otherTransport{}}}, net, 8},
		"own without one":     {fetch.Config{HTTP: new(http.Client)}, net, 8},
		"none":                {fetch.Config{}, net, 8},
		"all of another kind": {fetch.Config{}, otherTransport{}, 0},
	} {
		http.DefaultTransport = c.net
		got := resourceTransport(c.config, cert)
		if got.MaxIdleConns != c.want || got == own || got == net {
			t.Errorf("%s: MaxIdleConns %d, want that of a copy, %d", name, got.MaxIdleConns, c.want)
		}
		if shown, err := got.TLSClientConfig.GetClientCertificate(nil); err != nil || shown != cert {
			t.Errorf("%s: another certificate is shown, or %v", name, err)
		}
	}
}
