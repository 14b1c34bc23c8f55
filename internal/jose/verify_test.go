package jose

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

// refused fails the test unless err is a refusal for this reason.
func refused(t *testing.T, err error, want Reason) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || e.Reason != want {
		t.Fatalf("got %v, want %q", err, want)
	}
	if !errors.Is(err, want) {
		t.Fatalf("errors.Is does not find %q", want)
	}
}

// verifies fails the test unless set accepts token under algs.
func verifies(t *testing.T, set *KeySet, token string, algs ...string) Verified {
	t.Helper()
	v, err := set.Verify(token, algs)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestVerifyEveryAlgorithm(t *testing.T) {
	for _, alg := range Algorithms() {
		t.Run(alg, func(t *testing.T) {
			var token string
			if alg == "Ed25519" {
				input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"Ed25519","kid":"k","typ":"JWT"}`)) + "." +
					base64.RawURLEncoding.EncodeToString([]byte(claims))
				token = input + "." + base64.RawURLEncoding.EncodeToString(ed25519.Sign(edKey(), []byte(input)))
			} else {
				token = issue(t, alg, "k", privateFor(alg), claims, map[string]any{"typ": "JWT"})
			}
			shared := must(NewHMACKey(secret))
			verify := func(algs ...string) (Verified, error) { return shared.Verify(token, algs) }
			if !Symmetric(alg) {
				set := parseSet(t, publicKey(privateFor(alg), "k"))
				verify = func(algs ...string) (Verified, error) { return set.Verify(token, algs) }
			}
			for range 2 { // parsed, and from the header cache
				v, err := verify("other", alg)
				if err != nil {
					t.Fatal(err)
				}
				if want := (Header{Alg: alg, KeyID: "k", Type: "JWT"}); v.Header != want || string(v.Payload) != claims {
					t.Fatalf("got %+v and %s", v.Header, v.Payload)
				}
				if _, err := verify("other"); true {
					refused(t, err, AlgNotAllowed)
				}
				if _, err := verify(); true {
					refused(t, err, AlgNotAllowed)
				}
			}

			// One bit of the payload, one of the signature.
			for _, part := range []int{1, 2} {
				parts := strings.Split(token, ".")
				b, err := base64.RawURLEncoding.DecodeString(parts[part])
				if err != nil {
					t.Fatal(err)
				}
				b[len(b)/2] ^= 1
				parts[part] = base64.RawURLEncoding.EncodeToString(b)
				token = strings.Join(parts, ".")
				v, err := verify(alg)
				refused(t, err, BadSignature)
				if v != (Verified{}) {
					t.Fatal("something unverified was returned")
				}
			}
		})
	}
}

// TestVectors holds us against the examples that the specifications print.
func TestVectors(t *testing.T) {
	const payload = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
	t.Run("RFC 7515 A.1", func(t *testing.T) {
		key := must(base64.RawURLEncoding.DecodeString("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"))
		v, err := VerifyHMAC("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9."+payload+".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", key, []string{"HS256"})
		if err != nil || v.Header.Type != "JWT" {
			t.Fatal(v, err)
		}
	})
	t.Run("RFC 7515 A.3", func(t *testing.T) {
		set := parseSet(t, jwk{"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
		verifies(t, set, "eyJhbGciOiJFUzI1NiJ9."+payload+".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q", "ES256")
	})
	t.Run("RFC 8037 A.4", func(t *testing.T) {
		set := parseSet(t, jwk{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
		v := verifies(t, set, "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg", "EdDSA")
		if string(v.Payload) != "Example of Ed25519 signing" {
			t.Fatalf("got %s", v.Payload)
		}
	})
}

func TestVerifyKeyChoice(t *testing.T) {
	token := issue(t, "RS256", "a", rsaKey(), claims, nil)
	anonymous := issue(t, "RS256", "", rsaKey(), claims, nil)
	good, other := publicKey(rsaKey(), "a"), publicKey(otherRSA(), "b")
	for _, c := range []struct {
		name  string
		token string
		keys  []any
		want  Reason // empty: accepted
	}{
		{"by_kid", token, []any{other, good}, ""},
		{"no_kid_in_token", anonymous, []any{other, good}, ""},
		{"no_kid_in_set", token, []any{publicKey(otherRSA(), ""), publicKey(rsaKey(), "")}, ""},
		{"no_kid_anywhere", anonymous, []any{publicKey(rsaKey(), "")}, ""},
		{"kid_of_another_key", token, []any{publicKey(otherRSA(), "a"), publicKey(rsaKey(), "b")}, BadSignature},
		{"kid_of_another_key_beats_no_kid", token, []any{publicKey(otherRSA(), "a"), publicKey(rsaKey(), "")}, BadSignature},
		{"kid_of_another_type_beats_no_kid", token, []any{publicKey(p256Key(), "a"), publicKey(rsaKey(), "")}, NoKey},
		{"kid_is_case_sensitive", token, []any{publicKey(rsaKey(), "A")}, NoKey},
		{"kid_is_no_prefix", token, []any{publicKey(rsaKey(), "a ")}, NoKey},
		{"no_kid_and_wrong", token, []any{publicKey(otherRSA(), "")}, NoKey},
		{"no_key_at_all", token, nil, NoKey},
		{"right_alg", token, []any{publicKey(rsaKey(), "a", with("alg", "RS256"))}, ""},
		{"null_members", token, []any{publicKey(rsaKey(), "a", with("d", nil), with("p", nil), with("k", nil), with("use", nil),
			with("key_ops", nil), with("alg", nil), with("crv", nil), with("x5c", nil))}, ""},
		{"use_sig", token, []any{publicKey(rsaKey(), "a", with("use", "sig"))}, ""},
		{"key_ops_verify", token, []any{publicKey(rsaKey(), "a", with("key_ops", []string{"encrypt", "verify"}))}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := parseSet(t, c.keys...).Verify(c.token, []string{"RS256"})
			if c.want != "" {
				refused(t, err, c.want)
				return
			}
			if err != nil || string(v.Payload) != claims {
				t.Fatal(v, err)
			}
		})
	}
}

func TestVerifyEdDSAUnderBothNames(t *testing.T) {
	token := issue(t, "EdDSA", "k", edKey(), claims, nil)
	for _, alg := range []string{"EdDSA", "Ed25519"} {
		verifies(t, parseSet(t, publicKey(edKey(), "k", with("alg", alg))), token, "EdDSA")
	}
	_, err := parseSet(t, publicKey(edKey(), "k")).Verify(token, []string{"Ed25519"})
	refused(t, err, AlgNotAllowed) // the pin is on the name that was registered
}

func TestSameAlg(t *testing.T) {
	names := []string{"EdDSA", "Ed25519", "ES256", ""}
	for _, a := range names {
		for _, b := range names {
			want := a == b || strings.HasPrefix(a, "Ed") && strings.HasPrefix(b, "Ed")
			if got := sameAlg(a, b); got != want {
				t.Errorf("%q and %q: got %v, want %v", a, b, got, want)
			}
		}
	}
}

func TestVerifyUnsupported(t *testing.T) {
	for _, alg := range []string{"ES256K", "Ed448", "HS1", "RS1", "ML-DSA-44", "es256", "RS256 "} {
		t.Run(alg, func(t *testing.T) {
			token := forge(fmt.Sprintf(`{"alg":%q}`, alg), claims, []byte("x"))
			_, err := parseSet(t, publicKey(p256Key(), "")).Verify(token, []string{alg})
			refused(t, err, UnsupportedAlg)
			_, err = VerifyHMAC(token, secret, []string{alg})
			refused(t, err, UnsupportedAlg)
		})
	}
}

func TestVerifyZeroValues(t *testing.T) {
	token := issue(t, "RS256", "a", rsaKey(), claims, nil)
	var set *KeySet
	_, err := set.Verify(token, []string{"RS256"})
	refused(t, err, NoKey)
	_, err = new(KeySet).Verify(token, []string{"RS256"})
	refused(t, err, NoKey)
	if set.Len() != 0 || set.Skipped() != nil {
		t.Fatal("a nil set has keys")
	}
	_, err = new(HMACKey).Verify(issue(t, "HS256", "", secret, claims, nil), []string{"HS256"})
	refused(t, err, WeakSecret)
	_, err = (*HMACKey)(nil).Verify(token, []string{"HS256"})
	refused(t, err, WeakSecret)
}

// TestHeaderCache holds that the cache is bounded, forgets nothing that it must
// check again, and is safe for concurrent use.
func TestHeaderCache(t *testing.T) {
	set := parseSet(t, publicKey(rsaKey(), "a"))
	token := issue(t, "RS256", "a", rsaKey(), claims, nil)
	forged := strings.Join(strings.Split(token, ".")[:2], ".") + ".AAAA"
	_, err := set.Verify(forged, []string{"RS256"})
	refused(t, err, BadSignature)
	if set.headers.entries.Load() != nil {
		t.Fatal("a forged token got into the cache")
	}
	var tokens []string
	for i := range 3 * maxCachedHeaders {
		tokens = append(tokens, issue(t, "RS256", "a", rsaKey(), claims, map[string]any{"n": i % (2 * maxCachedHeaders)}))
	}
	tokens = append(tokens, issue(t, "RS256", "a", rsaKey(), claims, map[string]any{"n": strings.Repeat("x", maxCachedHeader)}))
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			for _, token := range tokens {
				if _, err := set.Verify(token, []string{"RS256"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	if n := len(*set.headers.entries.Load()); n != maxCachedHeaders {
		t.Fatalf("got %d cached headers, want %d", n, maxCachedHeaders)
	}
	for _, e := range *set.headers.entries.Load() {
		if len(e.encoded) > maxCachedHeader {
			t.Fatal("a long header was cached")
		}
	}
	_, err = set.Verify(tokens[0], []string{"ES256"})
	refused(t, err, AlgNotAllowed) // pinned anew for each token
	_, err = set.Verify(tokens[0][:len(tokens[0])-4]+"AAAA", []string{"RS256"})
	refused(t, err, BadSignature)
}

func TestPeekHeader(t *testing.T) {
	h, err := PeekHeader(forge(`{"alg":"none","kid":"k","typ":"at+jwt","cty":"c","x5t":"ignored"}`, "{}", nil))
	if want := (Header{Alg: "none", KeyID: "k", Type: "at+jwt", ContentType: "c"}); err != nil || h != want {
		t.Fatalf("got %+v, %v, want %+v", h, err, want)
	}
	h, err = PeekHeader("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0....")
	if want := (Header{Alg: "dir", Enc: "A128GCM"}); err != nil || h != want {
		t.Fatalf("got %+v, %v, want %+v", h, err, want)
	}
	_, err = PeekHeader(forge(`{"alg":"dir"}`, "{}", nil) + "..")
	refused(t, err, Malformed)
	_, err = PeekHeader(forge(`{"alg":1}`, "{}", nil))
	refused(t, err, Malformed)
	_, err = PeekHeader("x")
	refused(t, err, Malformed)
	_, err = PeekHeader("....")
	refused(t, err, Malformed)
	for _, rest := range []string{".e30.", "...."} {
		_, err = PeekHeader(strings.Repeat("A", maxHeader+1) + rest)
		refused(t, err, TooLarge)
	}
}

func TestSupported(t *testing.T) {
	for _, alg := range Algorithms() {
		if !Supported(alg) || Symmetric(alg) != strings.HasPrefix(alg, "HS") {
			t.Errorf("%s: supported %v, symmetric %v", alg, Supported(alg), Symmetric(alg))
		}
	}
	for _, alg := range []string{"", "none", "ES256K", "hs256"} {
		if Supported(alg) || Symmetric(alg) {
			t.Errorf("%q is supported", alg)
		}
	}
}

func TestReadUnsigned(t *testing.T) {
	v, err := ReadUnsigned(forge(`{"alg":"none"}`, claims, nil))
	if err != nil || string(v.Payload) != claims || v.Header.Alg != "none" {
		t.Fatal(v, err)
	}
	for _, c := range []struct {
		name, token string
		want        Reason
	}{
		{"signature", forge(`{"alg":"none"}`, claims, []byte("x")), BadSignature},
		{"signed", issue(t, "RS256", "", rsaKey(), claims, nil), AlgNotAllowed},
		{"stripped", forge(`{"alg":"RS256"}`, claims, nil), AlgNotAllowed},
		{"case", forge(`{"alg":"None"}`, claims, nil), AlgNotAllowed},
		{"no_alg", forge(`{}`, claims, nil), Malformed},
		{"crit", forge(`{"alg":"none","crit":["exp"]}`, claims, nil), UnsupportedHeader},
		{"two_parts", "eyJhbGciOiJub25lIn0.e30", Malformed},
		{"padded_payload", "eyJhbGciOiJub25lIn0.e30=.", NotCanonical},
		{"empty_payload", "eyJhbGciOiJub25lIn0..", Malformed},
		{"too_large", strings.Repeat("A", MaxToken+1), TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := ReadUnsigned(c.token)
			refused(t, err, c.want)
			if v != (Verified{}) {
				t.Fatal("something was returned")
			}
		})
	}
}

func TestHMACSecret(t *testing.T) {
	token := issue(t, "HS256", "", secret, claims, nil)
	for _, s := range [][]byte{nil, {}, secret[:1], secret[:MinSecret-1]} {
		_, err := VerifyHMAC(token, s, []string{"HS256"})
		refused(t, err, WeakSecret)
		k, err := NewHMACKey(s)
		if refused(t, err, WeakSecret); k != nil {
			t.Fatal("a key was made")
		}
	}
	short := secret[:MinSecret]
	signed, err := Sign(SigningKey{Alg: "HS512", Private: short}, nil, []byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := VerifyHMAC(signed, short, []string{"HS512"}); err != nil {
		t.Fatal(err)
	}
	// The key is a copy.
	mine := []byte("0123456789abcdef")
	k := must(NewHMACKey(mine))
	clear(mine)
	if _, err := k.Verify(signed, []string{"HS512"}); err != nil {
		t.Fatal(err)
	}
	_, err = k.Verify(token, []string{"HS256"})
	refused(t, err, BadSignature)
	_, err = k.Verify(issue(t, "RS256", "", rsaKey(), claims, nil), []string{"RS256"})
	refused(t, err, AlgNotAllowed)
	_, err = k.Verify(forge(`{"alg":"none"}`, claims, nil), []string{"none"})
	refused(t, err, AlgNotAllowed)
	_, err = k.Verify(strings.Repeat("A", MaxToken+1), []string{"HS256"})
	refused(t, err, TooLarge)
	_, err = k.Verify(signed+"=", []string{"HS512"})
	refused(t, err, NotCanonical)
	_, err = k.Verify("x.y", []string{"HS256"})
	refused(t, err, Malformed)
	_, err = k.Verify("x.y.z", []string{"HS256"})
	refused(t, err, NotCanonical)
	_, err = k.Verify(signed[:strings.LastIndexByte(signed, '.')+1], []string{"HS512"})
	refused(t, err, BadSignature)
	_, err = k.Verify("eyJhbGciOiJIUzUxMiJ9.e30=.AAAA", []string{"HS512"})
	refused(t, err, NotCanonical)
}

func TestHMACKeyConcurrent(t *testing.T) {
	k := must(NewHMACKey(secret))
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			alg := []string{"HS256", "HS384", "HS512"}[i%3]
			payload := strings.Repeat("x", 1+i*4000)
			token := issue(t, alg, "", secret, payload, nil)
			for range 50 {
				if v, err := k.Verify(token, []string{alg}); err != nil || string(v.Payload) != payload {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
}

func TestErrorText(t *testing.T) {
	err := error(&Error{Reason: BadKeySet, Detail: "keys", Err: errors.New("cause")})
	if got, want := err.Error(), "jose: bad key set: keys: cause"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (&Error{Reason: NoKey}).Error(), NoKey.Error(); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := NoKey.Error(), "jose: no matching key"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if errors.Is(err, NoKey) || !errors.Is(err, BadKeySet) {
		t.Error("errors.Is confuses reasons")
	}
	long := refuse(NoKey, quote(strings.Repeat("\n", 10_000)))
	if s := long.Error(); len(s) > 400 || strings.Contains(s, "\n") {
		t.Errorf("got an error of %d bytes", len(s))
	}
}
