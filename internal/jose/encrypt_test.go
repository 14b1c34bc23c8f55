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
		token, err := Encrypt(both, "a.b.c", alg, "A256GCM")
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
		_, err := Encrypt(c.set, "a.b.c", c.alg, "A256GCM")
		if je, ok := errors.AsType[*Error](err); !ok || je.Reason != c.why {
			t.Errorf("%s: got %v", name, err)
		}
	}
	// A key that does not say what it is for may be used (RFC 7517 section 4.2).
	if _, err := Encrypt(set(gojose.JSONWebKey{Key: ecKey.Public(), KeyID: "any"}), "a.b.c", "ECDH-ES", "A128GCM"); err != nil {
		t.Error(err)
	}
}

// TestEncryptByPurpose: which key of a set encrypts is what the issuer says of each
// (RFC 7517 sections 4.2 to 4.4).
func TestEncryptByPurpose(t *testing.T) {
	ops := func(names ...string) func(jwk) { return with("key_ops", names) }
	enc := with("use", "enc")
	rsa := func(spoil ...func(jwk)) jwk { return publicKey(rsaKey(), "rsa", spoil...) }
	ec := func(spoil ...func(jwk)) jwk { return publicKey(p256Key(), "ec", spoil...) }
	for _, c := range []struct {
		name string
		alg  string
		keys []any
		want string // kid, empty: none
	}{
		{"enc", "ECDH-ES", []any{ec(enc)}, "ec"},
		{"unsaid", "ECDH-ES", []any{ec()}, "ec"},
		{"alg", "ECDH-ES", []any{ec(enc, with("alg", "ECDH-ES"))}, "ec"},
		{"another_alg", "ECDH-ES", []any{ec(enc, with("alg", "ECDH-ES+A128KW"))}, ""},
		{"sig", "ECDH-ES", []any{ec(with("use", "sig"))}, ""},
		{"unknown_use", "ECDH-ES", []any{ec(with("use", "tls"))}, ""},
		{"encrypt", "RSA-OAEP", []any{rsa(ops("encrypt"))}, "rsa"},
		{"wrapKey", "RSA-OAEP", []any{rsa(ops("wrapKey"))}, "rsa"},
		{"deriveKey", "ECDH-ES", []any{ec(ops("deriveKey"))}, "ec"},
		{"deriveBits", "ECDH-ES", []any{ec(ops("sign", "deriveBits"))}, "ec"},
		{"verify", "ECDH-ES", []any{ec(ops("verify"))}, ""},
		{"sign", "ECDH-ES", []any{ec(ops("sign"))}, ""},
		{"enc_and_sign", "ECDH-ES", []any{ec(enc, ops("sign"))}, ""},
		{"enc_and_wrapKey", "RSA-OAEP", []any{rsa(enc, ops("wrapKey"))}, "rsa"},
		{"for_ES256", "ECDH-ES", []any{ec(with("alg", "ES256"))}, ""},
		{"rsa_for_ecdh", "ECDH-ES", []any{rsa(enc)}, ""},
		{"ec_for_rsa", "RSA-OAEP", []any{ec(enc)}, ""},
		{"unsaid_rsa_for_ecdh", "ECDH-ES", []any{rsa()}, ""},
		{"symmetric", "A128KW", []any{rsa(enc), ec(enc)}, ""},
		{"the_one_that_fits", "ECDH-ES", []any{rsa(enc), ec(enc)}, "ec"},
		{"before_unsaid", "RSA-OAEP", []any{publicKey(otherRSA(), "unsaid"), rsa(enc)}, "rsa"},
		{"private_too", "ECDH-ES", []any{ec(enc, with("d", "AAAA"))}, ""},
		{"broken", "ECDH-ES", []any{ec(enc, without("y"))}, ""},
		{"weak", "RSA-OAEP", []any{rsa(enc, with("n", "AQAB"))}, ""},
		{"no_number", "ECDH-ES", []any{ec(enc, with("x", 1))}, ""},
		{"okp", "ECDH-ES", []any{publicKey(edKey(), "ed", enc)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := Encrypt(parseSet(t, c.keys...), "a.b.c", c.alg, "A128GCM")
			if c.want == "" {
				if refused(t, err, NoKey); token != "" {
					t.Errorf("got %q", token)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			_, h, err := Decrypt(token, []DecryptionKey{{Private: rsaKey()}, {Private: p256Key()}}, []string{c.alg}, []string{"A128GCM"})
			if err != nil || h.KeyID != c.want {
				t.Errorf("got %+v, %v", h, err)
			}
		})
	}
	_, err := Encrypt(parseSet(t, ec(enc)), "a.b.c", "ECDH-ES", "A512GCM")
	refused(t, err, UnsupportedAlg)
}

func TestEncryptUnderASecret(t *testing.T) {
	secret := ClientSecret(strings.Repeat("s", 40))
	for _, c := range []struct{ alg, enc string }{{"dir", "A256GCM"}, {"dir", "A256CBC-HS512"}, {"A128KW", "A128GCM"}, {"A256GCMKW", "A128CBC-HS256"}} {
		token, err := EncryptUnder(secret, "a.b.c", c.alg, c.enc)
		if err != nil {
			t.Fatal(err)
		}
		got, _, err := Decrypt(token, []DecryptionKey{{Private: secret}}, []string{c.alg}, []string{c.enc})
		if err != nil || string(got) != "a.b.c" {
			t.Errorf("%v: got %q, %v", c, got, err)
		}
	}
	_, err := EncryptUnder(secret, "a.b.c", "ECDH-ES", "A128GCM")
	refused(t, err, UnsupportedAlg)
	_, err = EncryptUnder(nil, "a.b.c", "dir", "A128GCM")
	refused(t, err, UnsupportedAlg)
}

func TestUnsigned(t *testing.T) {
	v, err := ReadUnsigned(Unsigned(map[string]any{"typ": "x+jwt"}, []byte("{}")))
	if err != nil || v.Payload != "{}" || v.Header.Type != "x+jwt" || v.Header.Alg != "none" {
		t.Errorf("got %+v, %v", v, err)
	}
}
