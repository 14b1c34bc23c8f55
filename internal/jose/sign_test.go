package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// TestSignEveryAlgorithm has go-jose verify what we sign.
func TestSignEveryAlgorithm(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			private := privateFor(alg)
			token, err := Sign(SigningKey{ID: "k", Alg: alg, Private: private}, map[string]any{"typ": "dpop+jwt", "a<b": "é"}, []byte(claims))
			if err != nil {
				t.Fatal(err)
			}
			h, err := PeekHeader(token)
			if want := (Header{Alg: alg, KeyID: "k", Type: "dpop+jwt"}); err != nil || h != want {
				t.Fatalf("got %+v, %v, want %+v", h, err, want)
			}
			if alg == "Ed25519" { // a name that go-jose does not know yet
				verifies(t, parseSet(t, publicKey(private, "k")), token, alg)
				return
			}
			parsed, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
			if err != nil {
				t.Fatal(err)
			}
			public := private
			if signer, ok := private.(crypto.Signer); ok {
				public = signer.Public()
			}
			payload, err := parsed.Verify(public)
			if err != nil || string(payload) != claims {
				t.Fatal(err)
			}
		})
	}
}

func TestSignLeavesHeaderAlone(t *testing.T) {
	header := map[string]any{"typ": "JWT"}
	if _, err := Sign(SigningKey{ID: "k", Alg: "ES256", Private: p256Key()}, header, []byte("{}")); err != nil || len(header) != 1 {
		t.Fatalf("got %v, %v", header, err)
	}
	token, err := Sign(SigningKey{Alg: "ES256", Private: p256Key()}, nil, []byte("{}"))
	if h, _ := PeekHeader(token); err != nil || h.KeyID != "" {
		t.Fatalf("got %+v, %v, want no kid", h, err)
	}
}

// signer is a crypto.Signer as a KMS would be, and as it should not be.
type signer struct {
	public    crypto.PublicKey
	signature []byte
	err       error
}

func (s signer) Public() crypto.PublicKey { return s.public }
func (s signer) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, s.err
}

// publisher has a public half and cannot sign.
type publisher struct{ signer }

func (publisher) Sign() {}

func TestSignRefused(t *testing.T) {
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	ec := &p256Key().PublicKey
	one, tooBig := big.NewInt(1), new(big.Int).Lsh(big.NewInt(1), 256)
	der := func(r, s *big.Int) []byte { return must(asn1.Marshal(struct{ R, S *big.Int }{r, s})) }
	cause := errors.New("out of reach")
	for _, c := range []struct {
		name   string
		key    SigningKey
		header map[string]any
		want   Reason
	}{
		{"no_alg", SigningKey{Private: p256Key()}, nil, UnsupportedAlg},
		{"none", SigningKey{Alg: "none", Private: p256Key()}, nil, UnsupportedAlg},
		{"no_key", SigningKey{Alg: "ES256"}, nil, BadKey},
		{"no_secret", SigningKey{Alg: "HS256"}, nil, BadKey},
		{"short_secret", SigningKey{Alg: "HS256", Private: []byte("short")}, nil, WeakSecret},
		{"secret_for_rsa", SigningKey{Alg: "RS256", Private: secret}, nil, BadKey},
		{"rsa_for_hmac", SigningKey{Alg: "HS256", Private: rsaKey()}, nil, BadKey},
		{"rsa_for_es256", SigningKey{Alg: "ES256", Private: rsaKey()}, nil, BadKey},
		{"ec_for_rs256", SigningKey{Alg: "RS256", Private: p256Key()}, nil, BadKey},
		{"ed25519_for_es256", SigningKey{Alg: "ES256", Private: edKey()}, nil, BadKey},
		{"p384_for_es256", SigningKey{Alg: "ES256", Private: p384Key()}, nil, BadKey},
		{"p224", SigningKey{Alg: "ES256", Private: p224}, nil, BadKey},
		{"rsa_1024", SigningKey{Alg: "RS256", Private: short}, nil, BadKey},
		{"nil_rsa", SigningKey{Alg: "RS256", Private: (*rsa.PrivateKey)(nil)}, nil, BadKey},
		{"empty_rsa", SigningKey{Alg: "RS256", Private: new(rsa.PrivateKey)}, nil, BadKey},
		{"nil_ec", SigningKey{Alg: "ES256", Private: (*ecdsa.PrivateKey)(nil)}, nil, BadKey},
		{"empty_ec", SigningKey{Alg: "ES256", Private: new(ecdsa.PrivateKey)}, nil, BadKey},
		{"short_ed25519", SigningKey{Alg: "EdDSA", Private: ed25519.PrivateKey("short")}, nil, BadKey},
		{"public_key", SigningKey{Alg: "ES256", Private: ec}, nil, BadKey},
		{"cannot_sign", SigningKey{Alg: "ES256", Private: publisher{signer{public: ec}}}, nil, BadKey},
		{"signer_with_unknown_public_key", SigningKey{Alg: "ES256", Private: signer{public: "x"}}, nil, BadKey},
		{"signer_with_nil_rsa", SigningKey{Alg: "RS256", Private: signer{public: (*rsa.PublicKey)(nil)}}, nil, BadKey},
		{"signer_with_empty_ec", SigningKey{Alg: "ES256", Private: signer{public: new(ecdsa.PublicKey)}}, nil, BadKey},
		{"signer_with_short_ed25519", SigningKey{Alg: "EdDSA", Private: signer{public: ed25519.PublicKey("x")}}, nil, BadKey},
		{"key_for_encryption", SigningKey{Alg: "ES256", Use: "enc", Private: p256Key()}, nil, BadKey},
		{"signer_fails", SigningKey{Alg: "ES256", Private: signer{public: ec, err: cause}}, nil, SigningFailed},
		{"signer_returns_raw", SigningKey{Alg: "ES256", Private: signer{public: ec, signature: make([]byte, 64)}}, nil, SigningFailed},
		{"signer_returns_zero", SigningKey{Alg: "ES256", Private: signer{public: ec, signature: der(one, new(big.Int))}}, nil, SigningFailed},
		{"signer_returns_negative", SigningKey{Alg: "ES256", Private: signer{public: ec, signature: der(big.NewInt(-1), one)}}, nil, SigningFailed},
		{"signer_returns_another_curve", SigningKey{Alg: "ES256", Private: signer{public: ec, signature: der(one, tooBig)}}, nil, SigningFailed},
		{"signer_returns_more", SigningKey{Alg: "ES256", Private: signer{public: ec, signature: append(der(one, one), 0)}}, nil, SigningFailed},
		{"header_alg", SigningKey{Alg: "ES256", Private: p256Key()}, map[string]any{"alg": "none"}, UnsupportedHeader},
		{"header_kid", SigningKey{Alg: "ES256", Private: p256Key()}, map[string]any{"kid": "x"}, UnsupportedHeader},
		{"header_crit", SigningKey{Alg: "ES256", Private: p256Key()}, map[string]any{"crit": []string{"b64"}}, UnsupportedHeader},
		{"header_b64", SigningKey{Alg: "ES256", Private: p256Key()}, map[string]any{"b64": false}, UnsupportedHeader},
		{"header_not_json", SigningKey{Alg: "ES256", Private: p256Key()}, map[string]any{"x": func() {}}, Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			token, err := Sign(c.key, c.header, []byte(claims))
			refused(t, err, c.want)
			if token != "" {
				t.Fatal("a token was returned")
			}
			if c.name == "signer_fails" && !errors.Is(err, cause) {
				t.Fatal("the cause is lost")
			}
		})
	}
	_, err := Sign(SigningKey{Alg: "ES256", Private: p256Key()}, nil, nil)
	refused(t, err, Malformed)
}

func TestPublicKeySet(t *testing.T) {
	keys := []SigningKey{
		{ID: "r", Alg: "PS256", Private: rsaKey()},
		{ID: "5", Alg: "ES512", Private: p521Key()},
		{ID: "e", Alg: "EdDSA", Private: edKey(), Use: "sig"},
		{ID: "x", Alg: "RSA-OAEP-256", Private: otherRSA(), Use: "enc"},
		{ID: "y", Private: p256Key(), Use: "enc"},
	}
	text, err := PublicKeySet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	// Never a private member.
	var raw struct{ Keys []map[string]any }
	if err := json.Unmarshal(text, &raw); err != nil || len(raw.Keys) != len(keys) {
		t.Fatal(err)
	}
	for _, k := range raw.Keys {
		for _, name := range []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k"} {
			if k[name] != nil {
				t.Fatalf("%s is in %s", name, text)
			}
		}
	}
	// The others read the same keys from it.
	var theirs gojose.JSONWebKeySet
	if err := json.Unmarshal(text, &theirs); err != nil {
		t.Fatal(err)
	}
	for n, k := range keys {
		got := theirs.Keys[n]
		public := k.Private.(crypto.Signer).Public().(interface{ Equal(crypto.PublicKey) bool })
		use := k.Use
		if use == "" {
			use = "sig"
		}
		if !public.Equal(got.Key) || got.KeyID != k.ID || got.Algorithm != k.Alg || got.Use != use {
			t.Errorf("got %+v for %s", got, k.ID)
		}
	}
	// And so do we: three for signatures, two not.
	set := must(ParseKeySet(text))
	if skipped := set.Skipped(); set.Len() != 3 || len(skipped) != 2 || skipped[0].Why != NotForSignatures {
		t.Fatalf("got %d keys and %+v", set.Len(), skipped)
	}
	token := must(Sign(keys[0], nil, []byte(claims)))
	verifies(t, set, token, "PS256")

	if text := string(must(PublicKeySet())); text != `{"keys":[]}` {
		t.Fatalf("got %s for no keys", text)
	}
	for name, k := range map[string]SigningKey{
		"secret":          {Alg: "HS256", Private: secret},
		"secret_for_enc":  {Use: "enc", Private: secret},
		"alg_of_no_key":   {Alg: "ES256", Private: rsaKey()},
		"unknown_curve":   {Use: "enc", Private: must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))},
		"public_only":     {Use: "enc", Private: &p256Key().PublicKey},
		"unknown_use":     {Alg: "ES256", Use: "tls", Private: p256Key()},
		"no_key_whatever": {},
	} {
		if text, err := PublicKeySet(k); err == nil || text != nil {
			t.Errorf("%s: got %s, %v", name, text, err)
		}
	}
	_, err = PublicKeySet(SigningKey{Alg: "HS256", Private: secret})
	refused(t, err, BadKey)
}

func TestThumbprint(t *testing.T) {
	// RFC 7638 section 3.1.
	n := must(base64.RawURLEncoding.DecodeString("0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"))
	got, err := Thumbprint(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537})
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	// RFC 8037 appendix A.3.
	x := must(base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"))
	got, err = Thumbprint(ed25519.PublicKey(x))
	if want := "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"; err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	theirs := gojose.JSONWebKey{Key: &p521Key().PublicKey}
	want := base64.RawURLEncoding.EncodeToString(must(theirs.Thumbprint(crypto.SHA256)))
	if got, err = Thumbprint(&p521Key().PublicKey); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	//lint:ignore SA1019 no constructor makes a point that is not on the curve.
	offCurve := &ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for _, bad := range []crypto.PublicKey{
		nil, "x", rsaKey(), (*rsa.PublicKey)(nil), new(rsa.PublicKey), (*ecdsa.PublicKey)(nil), new(ecdsa.PublicKey),
		offCurve, ed25519.PublicKey("x"),
	} {
		if _, err := Thumbprint(bad); !errors.Is(err, BadKey) {
			t.Errorf("%T: got %v", bad, err)
		}
		if _, err := PublicJWK(bad); !errors.Is(err, BadKey) {
			t.Errorf("%T: got %v", bad, err)
		}
	}
}

func TestPublicJWK(t *testing.T) {
	jwk, thumbprint, err := PublicJWKAndThumbprint(&p256Key().PublicKey)
	text := string(jwk)
	if err != nil || strings.Contains(text, "kid") || strings.Contains(text, `"d"`) || !strings.HasPrefix(text, `{"crv":"P-256","kty":"EC","x":"`) {
		t.Fatalf("got %s, %v", text, err)
	}
	if want := must(Thumbprint(&p256Key().PublicKey)); thumbprint != want {
		t.Errorf("got %s, want %s", thumbprint, want)
	}
}

func TestLeftHalfHash(t *testing.T) {
	for _, c := range []struct{ alg, value, want string }{
		// OpenID Connect Core 1.0 appendices A.3, A.4 and A.6.
		{"RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "77QmUPtjPfzWtF2AnpK9RQ"},
		{"ES256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk", "LDktKdoQak3Pk0cnXxCltA"},
	} {
		if got, err := LeftHalfHash(c.alg, c.value); err != nil || got != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.alg, got, err, c.want)
		}
	}
	for _, alg := range Algorithms() {
		size := map[string]int{"256": 22, "384": 32, "512": 43, "DSA": 43, "519": 43}[alg[len(alg)-3:]]
		if alg == "Ed25519" {
			size = 43
		}
		if got, err := LeftHalfHash(alg, "x"); err != nil || len(got) != size {
			t.Errorf("%s: got %s, %v, want %d characters", alg, got, err, size)
		}
	}
	for _, alg := range []string{"none", "", "ES256K", "rs256", "SHA-256"} {
		got, err := LeftHalfHash(alg, "x")
		if refused(t, err, UnsupportedAlg); got != "" {
			t.Errorf("%s: got %s", alg, got)
		}
	}
}

// TestHostile147Secrets prints every value that holds a secret in every way.
func TestHostile147Secrets(t *testing.T) {
	const hidden = "correct-horse-battery-staple-0123"
	for name, v := range map[string]any{
		"147_signing_key":    SigningKey{ID: "k", Alg: "HS256", Private: []byte(hidden)},
		"147_decryption_key": DecryptionKey{ID: "k", Alg: "dir", Private: []byte(hidden)},
		"147_client_secret":  ClientSecret(hidden),
		"147_hmac_key":       must(NewHMACKey([]byte(hidden))),
		"147_nested":         struct{ Keys []SigningKey }{[]SigningKey{{ID: "k", Private: []byte(hidden)}}},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
			text := log.String()
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
				text += "\n" + fmt.Sprintf(verb, v) + fmt.Sprintf(verb, []any{v})
			}
			encoded, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			text += string(encoded)
			for _, leak := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden),
				strings.Trim(fmt.Sprint([]byte(hidden)), "[]"), base64.StdEncoding.EncodeToString([]byte(hidden))} {
				if strings.Contains(text, leak) {
					t.Fatalf("the secret is in %s", text)
				}
			}
			if !strings.Contains(text, "redacted") {
				t.Fatalf("got %s", text)
			}
		})
	}
}

// TestSigner signs many payloads as Sign does one.
func TestSigner(t *testing.T) {
	k := SigningKey{Alg: "HS256", Private: []byte(strings.Repeat("k", 32))}
	s := must(NewSigner(k, map[string]any{"typ": "x"}))
	for _, payload := range []string{`{"a":1}`, `{"b":2}`} {
		if got, want := must(s.Sign([]byte(payload))), must(Sign(k, map[string]any{"typ": "x"}, []byte(payload))); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if _, err := s.Sign(nil); !errors.Is(err, Malformed) {
		t.Errorf("nothing to sign: got %v", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, s); strings.Contains(text, "kkkk") {
		t.Errorf("the key is printed: %s", text)
	}
}
