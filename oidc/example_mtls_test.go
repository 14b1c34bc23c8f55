package oidc_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// A client that is known by its certificate, which is renewed on disk.
func ExampleCertificateFiles() {
	op, err := oidctest.Start(oidctest.Config{MTLS: oidctest.MTLSAliases, RSAKey: opKey()})
	if err != nil {
		log.Fatal(err)
	}
	defer op.Close()
	ctx, options := context.Background(), &oidc.Options{HTTPClient: op.HTTPClient(), AllowPrivate: []string{"127.0.0.1"}}
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(folder)
	certFile, keyFile := filepath.Join(folder, "tls.crt"), filepath.Join(folder, "tls.key")
	exampleCertificate(op, certFile, keyFile)
	provider, err := oidc.Discover(ctx, op.Issuer, options)
	if err != nil {
		log.Fatal(err)
	}
	known := op.AddClient(oidctest.Client{TokenEndpointAuthMethod: oidc.AuthTLS, TLSClientAuthSubjectDN: "CN=rp", TLSBound: true})

	// region: mtls
	certificate, err := oidc.CertificateFiles(certFile, keyFile)
	if err != nil {
		log.Fatal(err)
	}
	client, err := oidc.NewClient(provider, oidc.ClientConfig{
		ID: known.ID,
		Metadata: oidc.ClientMetadata{
			RedirectURIs:                          []string{"https://rp.example/callback"},
			TokenEndpointAuthMethod:               oidc.AuthTLS,
			TLSClientCertificateBoundAccessTokens: true,
		},
		Certificate: certificate,
	})
	// endregion

	if err != nil {
		log.Fatal(err)
	}
	info, err := client.UserInfo(ctx, exampleTokens(ctx, op, client))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Subject != "", "at", op.MTLSURL(oidctest.EndpointToken) != op.URL(oidctest.EndpointToken))
	// Output: true at true
}

// exampleCertificate writes what an authority would have issued.
func exampleCertificate(op *oidctest.OP, certFile, keyFile string) {
	c, err := op.IssueCertificate("rp")
	if err != nil {
		log.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		log.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: c.Certificate[0]}, keyFile: {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			log.Fatal(err)
		}
	}
}
