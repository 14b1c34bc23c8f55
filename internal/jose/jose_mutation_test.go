package jose

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/asn1"
	"encoding/base64"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

// The tests of this file each kill a mutant that no other test of the package
// does (docs/mutation.md).

// TestAppendDER: the form is the one that encoding/asn1 writes, around the length
// from which a second length byte is needed, too.
func TestAppendDER(t *testing.T) {
	number := func(size int, first byte) []byte {
		n := bytes.Repeat([]byte{0x11}, size)
		n[0] = first
		return n
	}
	for r := 1; r <= 66; r++ {
		for _, s := range []int{1, r, 66} {
			for _, first := range []byte{0x00, 0x01, 0x7f, 0x80, 0xff} {
				a, b := number(r, first), number(s, first)
				want := must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(a), new(big.Int).SetBytes(b)}))
				if got := appendDER(nil, a, b); !bytes.Equal(got, want) {
					t.Fatalf("integers of %d and %d bytes from %#x: got %x, want %x", r, s, first, got, want)
				}
			}
		}
	}
}

// TestHostile165LineEndFirst: a line end is refused also where it is the first
// byte of a part, and signed over.
func TestHostile165LineEndFirst(t *testing.T) {
	set := parseSet(t, publicKey(edKey().Public(), "k"))
	h := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"EdDSA","kid":"k"}`))
	p := base64.RawURLEncoding.EncodeToString([]byte(claims))
	sign := func(input string) string {
		return base64.RawURLEncoding.EncodeToString(ed25519.Sign(edKey(), []byte(input)))
	}
	verifies(t, set, h+"."+p+"."+sign(h+"."+p), "EdDSA")
	for _, end := range []string{"\n", "\r"} {
		for name, token := range map[string]string{
			"header":    end + h + "." + p + "." + sign(end+h+"."+p),
			"payload":   h + "." + end + p + "." + sign(h+"."+end+p),
			"signature": h + "." + p + "." + end + sign(h+"."+p),
		} {
			t.Run(name, func(t *testing.T) {
				_, err := set.Verify(token, []string{"EdDSA"})
				refused(t, err, NotCanonical)
			})
		}
	}
}

// TestHMACPinsAtFirstSight: the algorithm is held against those allowed also for a
// header that was never seen.
func TestHMACPinsAtFirstSight(t *testing.T) {
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		for _, allowed := range []string{"HS256", "HS384", "HS512"} {
			_, err := VerifyHMAC(issue(t, alg, "", secret, claims, nil), secret, []string{allowed})
			if alg == allowed {
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			refused(t, err, AlgNotAllowed)
		}
	}
}

// TestBoundsAreReached: what is exactly as long as a bound is accepted.
func TestBoundsAreReached(t *testing.T) {
	t.Run("kid", func(t *testing.T) {
		kid := strings.Repeat("k", MaxKeyID)
		set := parseSet(t, publicKey(edKey().Public(), kid))
		verifies(t, set, issue(t, "EdDSA", kid, edKey(), claims, nil), "EdDSA")
		_, err := set.Verify(issue(t, "EdDSA", kid+"k", edKey(), claims, nil), []string{"EdDSA"})
		refused(t, err, TooLarge)
		if set, err := ParseKeySet([]byte(setOf(publicKey(edKey().Public(), kid+"k")))); err != nil || set.Len() != 0 {
			t.Errorf("a key whose kid is too long is used: %v", err)
		}
	})
	t.Run("header", func(t *testing.T) {
		set := parseSet(t, publicKey(edKey().Public(), "k"))
		token := func(size int) string { // of the encoded header
			json := `{"alg":"EdDSA","kid":"k","x5c":"`
			json += strings.Repeat("x", size*3/4-len(json)-len(`"}`)) + `"}`
			input := base64.RawURLEncoding.EncodeToString([]byte(json)) + "." + base64.RawURLEncoding.EncodeToString([]byte(claims))
			return input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(edKey(), []byte(input)))
		}
		if n := strings.IndexByte(token(maxHeader), '.'); n != maxHeader {
			t.Fatalf("the header has %d bytes", n)
		}
		verifies(t, set, token(maxHeader), "EdDSA")
		_, err := set.Verify(token(maxHeader+4), []string{"EdDSA"})
		refused(t, err, TooLarge)
	})
	t.Run("key_set", func(t *testing.T) {
		text := setOf(publicKey(edKey().Public(), "k"))
		text += strings.Repeat(" ", MaxKeySet-len(text))
		if _, err := ParseKeySet([]byte(text)); err != nil {
			t.Error(err)
		}
		_, err := ParseKeySet([]byte(text + " "))
		refused(t, err, BadKeySet)
	})
	t.Run("modulus", func(t *testing.T) {
		modulus := func(bits int) jwk {
			n := make([]byte, (bits+7)/8)
			n[0], n[len(n)-1] = 1<<((bits-1)%8), 1
			return jwk{"kty": "RSA", "kid": "k", "n": base64.RawURLEncoding.EncodeToString(n), "e": "AQAB"}
		}
		for bits, want := range map[int]int{minRSABits - 1: 0, minRSABits: 1, maxRSABits: 1, maxRSABits + 1: 0} {
			if set, err := ParseKeySet([]byte(setOf(modulus(bits)))); err != nil || set.Len() != want {
				t.Errorf("%d bits: %v, want %d usable keys", bits, err, want)
			}
		}
	})
}

// TestRawECDSA: whatever a signer of somebody else's returns, it is R || S of the
// curve, or refused.
func TestRawECDSA(t *testing.T) {
	most := new(big.Int).SetBytes(bytes.Repeat([]byte{0xff}, 32))
	over := new(big.Int).Lsh(big.NewInt(1), 256)
	one := big.NewInt(1)
	for _, c := range []struct {
		name string
		r, s *big.Int
		ok   bool
	}{
		{"least", one, one, true},
		{"most", most, most, true},
		{"r_is_zero", new(big.Int), one, false},
		{"s_is_zero", one, new(big.Int), false},
		{"r_is_negative", big.NewInt(-1), one, false},
		{"s_is_negative", one, big.NewInt(-1), false},
		{"r_is_too_large", over, one, false},
		{"s_is_too_large", one, over, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			raw, err := rawECDSA(must(asn1.Marshal(struct{ R, S *big.Int }{c.r, c.s})), 32)
			if !c.ok {
				refused(t, err, SigningFailed)
				return
			}
			if err != nil || !bytes.Equal(raw[:32], c.r.FillBytes(make([]byte, 32))) || !bytes.Equal(raw[32:], c.s.FillBytes(make([]byte, 32))) {
				t.Errorf("got %x, %v", raw, err)
			}
		})
	}
}

// TestPublicKeysAreWhole: nothing is published that is no key.
func TestPublicKeysAreWhole(t *testing.T) {
	for name, k := range map[string]*rsa.PublicKey{
		"nil": nil, "no_modulus": {E: 3}, "modulus_zero": {N: new(big.Int), E: 3},
		"exponent_zero": {N: big.NewInt(33), E: 0}, "exponent_negative": {N: big.NewInt(33), E: -3},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := jwkOf(k)
			refused(t, err, BadKey)
		})
	}
}

// TestPauseOfAClockThatWentBack: a time that lies ahead prolongs no pause.
func TestPauseOfAClockThatWentBack(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		passed time.Duration
		want   bool
	}{{-time.Hour, false}, {-1, false}, {0, true}, {time.Minute - 1, true}, {time.Minute, false}} {
		if got := within(now, now.Add(-c.passed), time.Minute); got != c.want {
			t.Errorf("%v after: got %v, want %v", c.passed, got, c.want)
		}
	}
}

type temporary bool

func (temporary) Error() string     { return "503" }
func (t temporary) Temporary() bool { return bool(t) }

// TestTransient: an error that says so is tried again, and one that says nothing.
func TestTransient(t *testing.T) {
	if !transient(temporary(true)) || transient(temporary(false)) || !transient(errors.New("reset")) {
		t.Error("an error is not taken at its word")
	}
}

// TestQuote: a short text is told whole, and a long one shows that it was cut.
func TestQuote(t *testing.T) {
	text := strings.Repeat("x", 64)
	if got := quote(text); got != `"`+text+`"` {
		t.Errorf("64 bytes: got %s", got)
	}
	if got := quote(text + "y"); got != `"`+text+`"…` {
		t.Errorf("65 bytes: got %s", got)
	}
}
