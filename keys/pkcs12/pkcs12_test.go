package pkcs12_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	encoder "software.sslmate.com/src/go-pkcs12"

	"rely.example/keys/pkcs12"
	"rely.example/oidc"
)

const password = "correct horse battery staple"

func newPair(t *testing.T) (*ecdsa.PrivateKey, *x509.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "rp"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return key, cert
}

func TestParse(t *testing.T) {
	key, cert := newPair(t)
	other, _ := newPair(t)
	for name, e := range map[string]*encoder.Encoder{"modern": encoder.Modern2023, "legacy": encoder.LegacyDES} {
		t.Run(name, func(t *testing.T) {
			file, err := e.Encode(key, cert, []*x509.Certificate{cert}, password)
			if err != nil {
				t.Fatal(err)
			}
			k, c, err := pkcs12.Parse(file, password)
			if err != nil {
				t.Fatal(err)
			}
			if p, ok := k.Private.(*ecdsa.PrivateKey); !ok || !p.Equal(key) || len(k.Certificates) != 2 || len(c.Certificate) != 2 || string(c.Certificate[0]) != string(cert.Raw) {
				t.Errorf("got %v with %d certificates", k, len(k.Certificates))
			}
			for name, p := range map[string]string{"wrong": "wrong", "empty": ""} {
				_, _, err := pkcs12.Parse(file, p)
				if !errors.Is(err, oidc.BadConfig) || strings.Contains(err.Error(), password) {
					t.Errorf("%s password: got %v", name, err)
				}
			}
		})
	}
	mixed, err := encoder.Modern2023.Encode(other, cert, nil, password)
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string][]byte{"nothing": nil, "garbage": []byte("hello"), "huge": make([]byte, pkcs12.MaxFile+1), "of two pairs": mixed} {
		if _, _, err := pkcs12.Parse(file, password); !errors.Is(err, oidc.BadConfig) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
