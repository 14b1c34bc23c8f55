package interop

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"testing"
)

func TestAuthority(t *testing.T) {
	a, err := NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	stranger, err := NewAuthority(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(a.CertFile())
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	leaf, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, host string
		pool       *x509.CertPool
		ok         bool
	}{
		{"localhost", "localhost", a.pool, true},
		{"127.0.0.1", "127.0.0.1", a.pool, true},
		{"::1", "::1", a.pool, true},
		{"another_host", "op.example.test", a.pool, false},
		{"another_authority", "localhost", stranger.pool, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := leaf.Verify(x509.VerifyOptions{DNSName: test.host, Roots: test.pool})
			if (err == nil) != test.ok {
				t.Errorf("Verify: %v, want success: %t", err, test.ok)
			}
		})
	}
	info, err := os.Stat(a.KeyFile())
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("the key's file has mode %v, want it for its owner alone", mode)
	}
}
