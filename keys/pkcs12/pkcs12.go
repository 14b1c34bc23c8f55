// Package pkcs12 reads a client's key from a PKCS #12 file (.p12, .pfx), the form in
// which certificate authorities hand out certificates with their keys.
//
// It is a module of its own because it needs a decoder for the file's encryption,
// which nobody else should have to build.
package pkcs12

import (
	"crypto"
	"crypto/tls"
	"fmt"
	"slices"

	pkcs12 "software.sslmate.com/src/go-pkcs12"

	"rely.example/oidc"
)

// MaxFile bounds a file, in bytes: a key and a chain take a few thousand.
const MaxFile = 1 << 20

// Parse opens a file with its password. The certificate is for
// oidc.Certificate and ClientConfig.Certificate, the key, with the chain in its
// Certificates, for ClientConfig.Keys. Errors are *oidc.InputError with BadConfig,
// and hold no part of the password.
func Parse(data []byte, password string) (oidc.Key, tls.Certificate, error) {
	fail := func(detail string, err error) (oidc.Key, tls.Certificate, error) {
		return oidc.Key{}, tls.Certificate{}, &oidc.InputError{Reason: oidc.BadConfig, Field: "PKCS #12", Detail: detail, Err: err}
	}
	if len(data) > MaxFile {
		return fail(fmt.Sprintf("the file has %d bytes, expected at most %d", len(data), MaxFile), nil)
	}
	private, leaf, chain, err := pkcs12.DecodeChain(data, password)
	if err != nil {
		return fail("it cannot be opened: "+err.Error(), err)
	}
	if _, ok := private.(crypto.Signer); !ok {
		return fail(fmt.Sprintf("a private key of type %T signs nothing", private), nil)
	}
	cert := tls.Certificate{PrivateKey: private, Leaf: leaf, Certificate: [][]byte{leaf.Raw}}
	for _, c := range chain {
		cert.Certificate = append(cert.Certificate, c.Raw)
	}
	key := oidc.Key{Private: private, Certificates: slices.Clone(cert.Certificate)}
	// Whether key and certificate are a pair shows when the key is published.
	if _, err := oidc.PublicJWKS(key); err != nil {
		return fail(err.Error(), err)
	}
	return key, cert, nil
}
