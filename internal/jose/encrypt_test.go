package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// TestEncryptForASet: what is encrypted for the issuer of a set its private half
// opens, by the kid in the header; keys that are for something else are not used.
func TestEncryptForASet(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(keys ...gojose.JSONWebKey) *KeySet {
		raw, err := json.Marshal(gojose.JSONWebKeySet{Keys: keys})
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseKeySet(raw)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	both := set(
		gojose.JSONWebKey{Key: rsaKey.Public(), KeyID: "sig", Use: "sig"},
		gojose.JSONWebKey{Key: ecKey.Public(), KeyID: "ec", Use: "enc"},
		gojose.JSONWebKey{Key: rsaKey.Public(), KeyID: "oaep", Use: "enc", Algorithm: "RSA-OAEP-256"},
	)
	for alg, kid := range map[string]string{"ECDH-ES": "ec", "ECDH-ES+A128KW": "ec", "RSA-OAEP-256": "oaep"} {
		token, err := both.Encrypt("a.b.c", alg, "A256GCM")
		if err != nil {
			t.Fatalf("%s: %v", alg, err)
		}
		got, h, err := Decrypt(token, []DecryptionKey{{ID: "ec", Private: ecKey}, {ID: "oaep", Private: rsaKey}}, []string{alg}, []string{"A256GCM"})
		if err != nil || string(got) != "a.b.c" || h.KeyID != kid || h.ContentType != "JWT" {
			t.Errorf("%s: got %q, %+v, %v", alg, got, h, err)
		}
	}
	for name, c := range map[string]struct {
		set *KeySet
		alg string
		why Reason
	}{
		"no_set":           {nil, "ECDH-ES", NoKey},
		"key_of_other_alg": {both, "RSA-OAEP", NoKey},
		"for_signatures":   {set(gojose.JSONWebKey{Key: ecKey.Public(), KeyID: "sig", Use: "sig", Algorithm: "ES256"}), "ECDH-ES", NoKey},
		"pkcs1":            {both, "RSA1_5", UnsupportedAlg},
	} {
		_, err := c.set.Encrypt("a.b.c", c.alg, "A256GCM")
		if je, ok := errors.AsType[*Error](err); !ok || je.Reason != c.why {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A key that does not say what it is for may be used (RFC 7517 section 4.2).
	if _, err := set(gojose.JSONWebKey{Key: ecKey.Public(), KeyID: "any"}).Encrypt("a.b.c", "ECDH-ES", "A128GCM"); err != nil {
		t.Error(err)
	}
	if _, err := both.Encrypt("a.b.c", "ECDH-ES", "A512GCM"); err == nil {
		t.Error("an unknown enc")
	}
}

func TestEncryptUnderASecret(t *testing.T) {
	secret := ClientSecret(strings.Repeat("s", 40))
	for _, c := range []struct{ alg, enc string }{{"dir", "A256GCM"}, {"dir", "A256CBC-HS512"}, {"A128KW", "A128GCM"}, {"A256GCMKW", "A128CBC-HS256"}} {
		token, err := secret.Encrypt("a.b.c", c.alg, c.enc)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Decrypt(token, []DecryptionKey{{Private: secret}}, []string{c.alg}, []string{c.enc})
		if err != nil || string(got) != "a.b.c" {
			t.Errorf("%v: got %q, %v", c, got, err)
		}
	}
	if _, err := secret.Encrypt("a.b.c", "ECDH-ES", "A128GCM"); err == nil {
		t.Error("ECDH-ES under a secret")
	}
	if _, err := ClientSecret(nil).Encrypt("a.b.c", "dir", "A128GCM"); err == nil {
		t.Error("an empty secret")
	}
}

func TestUnsigned(t *testing.T) {
	v, err := ReadUnsigned(Unsigned(map[string]any{"typ": "x+jwt"}, []byte("{}")))
	if err != nil || v.Payload != "{}" || v.Header.Type != "x+jwt" || v.Header.Alg != "none" {
		t.Errorf("got %+v, %v", v, err)
	}
}
