package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"strings"
	"testing"
)

var benchmarked = []string{"RS256", "PS256", "ES256", "ES512", "EdDSA", "HS256"}

// verifier returns what a Relying Party that has its keys does with one token.
func verifier(tb testing.TB, alg, payload string) func() {
	token := issue(tb, alg, "key-1", privateFor(alg), payload, nil)
	algs := []string{alg}
	verify := (*HMACKey)(nil).Verify
	if Symmetric(alg) {
		verify = must(NewHMACKey(secret)).Verify
	} else {
		set := parseSet(tb, publicKey(privateFor(alg), "key-1"))
		verify = set.Verify
	}
	return func() {
		v, err := verify(token, algs)
		if err != nil || len(v.Payload) != len(payload) {
			tb.Fatal(err)
		}
	}
}

// raw returns the least that can be done: cryptography, hash and base64 by the
// standard library, and no check.
func raw(tb testing.TB, alg, payload string) func() {
	token := issue(tb, alg, "key-1", privateFor(alg), payload, nil)
	dot := strings.LastIndexByte(token, '.')
	decode := base64.RawURLEncoding.DecodeString
	return func() {
		input, sig := token[:dot], must(decode(token[dot+1:]))
		body := must(decode(input[strings.IndexByte(input, '.')+1:]))
		ok := len(body) == len(payload)
		switch alg {
		case "RS256":
			sum := sha256.Sum256([]byte(input))
			ok = ok && rsa.VerifyPKCS1v15(&rsaKey().PublicKey, crypto.SHA256, sum[:], sig) == nil
		case "PS256":
			sum := sha256.Sum256([]byte(input))
			ok = ok && rsa.VerifyPSS(&rsaKey().PublicKey, crypto.SHA256, sum[:], sig, nil) == nil
		case "ES256":
			sum := sha256.Sum256([]byte(input))
			ok = ok && ecdsa.VerifyASN1(&p256Key().PublicKey, sum[:], appendDER(nil, sig[:32], sig[32:]))
		case "ES512":
			sum := sha512.Sum512([]byte(input))
			ok = ok && ecdsa.VerifyASN1(&p521Key().PublicKey, sum[:], appendDER(nil, sig[:66], sig[66:]))
		case "EdDSA":
			ok = ok && ed25519.Verify(edKey().Public().(ed25519.PublicKey), []byte(input), sig)
		case "HS256":
			m := hmac.New(sha256.New, secret)
			m.Write([]byte(input))
			ok = ok && hmac.Equal(m.Sum(nil), sig)
		}
		if !ok {
			tb.Fatal("not verified")
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	large := strings.TrimSuffix(claims, "}") + `,"groups":["` + strings.Repeat("a", 1800) + `"]}`
	for _, alg := range benchmarked {
		for _, c := range []struct {
			name string
			f    func()
		}{
			{"raw", raw(b, alg, claims)}, {"rely", verifier(b, alg, claims)},
			{"raw-large", raw(b, alg, large)}, {"rely-large", verifier(b, alg, large)},
		} {
			b.Run(alg+"/"+c.name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.f()
				}
			})
		}
	}
}

// TestAllocations holds the budget of 16 allocations a token. For ES512 the
// library alone needs more.
func TestAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	for _, alg := range benchmarked {
		t.Run(alg, func(t *testing.T) {
			f := verifier(t, alg, claims)
			f()
			runs := 50
			if alg == "ES512" {
				runs = 5 // milliseconds each
			}
			floor := testing.AllocsPerRun(runs, raw(t, alg, claims))
			got := testing.AllocsPerRun(runs, f)
			t.Logf("%v allocations, raw cryptography %v", got, floor)
			// The payload and what points to it; the rest is the library's. The
			// floor has two of its own, for the same payload and the signature.
			if got > floor || got > 16 && alg != "ES512" {
				t.Errorf("got %v allocations, raw cryptography %v, want at most that and 16", got, floor)
			}
		})
	}
}
