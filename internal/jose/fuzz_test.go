package jose

import (
	"context"
	"crypto"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"rely.example/internal/strictjson"
)

// isRefusal fails the test unless err is one of ours and nothing came with it.
func isRefusal(t *testing.T, v Verified, err error) {
	t.Helper()
	if _, ok := errors.AsType[*Error](err); !ok || v != (Verified{}) {
		t.Fatalf("got %+v with %v", v, err)
	}
}

// seedTokens are the shapes of the hostile catalogue around a good token.
func seedTokens(f *testing.F, good string) {
	parts := strings.Split(good, ".")
	for _, token := range []string{
		good, "", ".", "..", "...", "....", good + ".", good + "\n", " " + good, good + "=",
		parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2], "." + parts[1] + "." + parts[2],
		parts[0] + "\n." + parts[1] + "." + parts[2], good[:len(good)-1] + "B",
		forge(`{"alg":"none"}`, claims, nil), forge(`{"alg":"HS256"}`, claims, []byte("x")),
		forge(`{"alg":"EdDSA","alg":"none"}`, claims, nil), forge(`{"alg":"EdDSA","crit":[]}`, claims, nil),
		forge("null", claims, nil), forge("[]", claims, nil), forge(`{"alg":"EdDSA","kid":1}`, claims, nil),
		`{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
	} {
		f.Add(token)
	}
}

// FuzzVerify: whatever we accept is spelled in the only way there is, and go-jose
// verifies it to the same payload.
func FuzzVerify(f *testing.F) {
	set := parseSet(f, publicKey(edKey(), "k"))
	seedTokens(f, issue(f, "EdDSA", "k", edKey(), claims, nil))
	seedTokens(f, issue(f, "EdDSA", "", edKey(), "{}", map[string]any{"x5t": "a"}))
	f.Fuzz(func(t *testing.T, token string) {
		v, err := set.Verify(token, []string{"EdDSA"})
		if err != nil {
			isRefusal(t, v, err)
			return
		}
		for n, part := range strings.Split(token, ".") {
			b, err := base64.RawURLEncoding.DecodeString(part)
			if err != nil || base64.RawURLEncoding.EncodeToString(b) != part {
				t.Fatalf("part %d has another spelling", n)
			}
			if n == 1 && string(b) != v.Payload {
				t.Fatalf("got %q, the token says %q", v.Payload, b)
			}
		}
		theirs, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.EdDSA})
		if err != nil {
			t.Fatalf("accepted, but go-jose says %v", err)
		}
		payload, err := theirs.Verify(edKey().Public())
		if err != nil || string(payload) != v.Payload {
			t.Fatalf("got %q, go-jose got %q, %v", v.Payload, payload, err)
		}
	})
}

// FuzzVerifyHMAC: what we accept go-jose accepts, and the secret is needed.
func FuzzVerifyHMAC(f *testing.F) {
	seedTokens(f, issue(f, "HS256", "", secret, claims, nil))
	seedTokens(f, issue(f, "HS512", "k", secret, "x", nil))
	key, other := must(NewHMACKey(secret)), must(NewHMACKey(append([]byte("x"), secret...)))
	algs := []string{"HS256", "HS384", "HS512"}
	f.Fuzz(func(t *testing.T, token string) {
		v, err := key.Verify(token, algs)
		if err != nil {
			isRefusal(t, v, err)
			return
		}
		if v, err := other.Verify(token, algs); err == nil {
			t.Fatalf("another secret verifies it, too: %+v", v)
		}
		theirs, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.HS256, gojose.HS384, gojose.HS512})
		if err != nil {
			t.Fatalf("accepted, but go-jose says %v", err)
		}
		if payload, err := theirs.Verify(secret); err != nil || string(payload) != v.Payload {
			t.Fatalf("got %q, go-jose got %q, %v", v.Payload, payload, err)
		}
	})
}

// FuzzHeader: an accepted header means the same to encoding/json, has nothing in
// it that must not be, and is never longer than its bound.
func FuzzHeader(f *testing.F) {
	for _, text := range []string{
		`{"alg":"RS256","kid":"a","typ":"JWT","cty":"x"}`, `{"alg":"RS256","ALG":"none"}`, `{"alg":"none"}`,
		`{"alg":"RS256","crit":["b64"],"b64":false}`, `{"alg":"RS256","jwk":{}}`, `{"alg":1}`, `{"alg":null}`, `{}`, `null`, `[]`,
		`{"alg":"RS256","\u0061lg":"none"}`, `{"alg":"RS256"}{}`, `{"alg":"RS256","enc":"A128GCM"}`, "{\"alg\":\"\xff\"}", `{"alg":"RS256","x":1e400}`,
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		encoded := base64.RawURLEncoding.EncodeToString([]byte(text))
		h, err := parseHeader(encoded)
		if err != nil {
			if h != (Header{}) {
				t.Fatalf("got %+v with %v", h, err)
			}
			return
		}
		var m map[string]any
		d := json.NewDecoder(strings.NewReader(text))
		d.UseNumber() // not every number that JSON allows is a float64
		if err := d.Decode(&m); err != nil {
			t.Fatal(err)
		}
		for name, got := range map[string]string{"alg": h.Alg, "enc": h.Enc, "kid": h.KeyID, "typ": h.Type, "cty": h.ContentType} {
			if want, _ := m[name].(string); got != want {
				t.Fatalf("%s: got %q, want %q", name, got, want)
			}
		}
		for _, name := range []string{"crit", "b64", "jwk", "zip"} {
			if _, there := m[name]; there {
				t.Fatalf("accepted with %s", name)
			}
		}
		if h.Alg == "" || len(h.KeyID) > MaxKeyID {
			t.Fatalf("accepted %+v", h)
		}
		// And the header of a token is what PeekHeader shows, or refused.
		peeked, peekErr := PeekHeader(encoded + ".e30.")
		if h.Enc == "" && len(encoded) <= maxHeader && (peekErr != nil || peeked != h) {
			t.Fatalf("got %+v, %v, want %+v", peeked, peekErr, h)
		}
	})
}

// FuzzKeySet: every key is kept or told, and a key that is kept is the one that
// go-jose reads from the same text.
func FuzzKeySet(f *testing.F) {
	for _, keys := range [][]any{
		{}, {publicKey(rsaKey(), "a"), publicKey(p256Key(), "b", with("use", "enc"))}, {publicKey(edKey(), "c", with("d", "AA"))},
		{publicKey(p521Key(), "d", with("alg", "ES512"), with("key_ops", []string{"verify"}))},
		{nil, 1, "x", jwk{}, jwk{"kty": 1}, jwk{"kty": "oct", "k": "AA"}, jwk{"kty": "AKP", "pub": "AA"}},
		{publicKey(rsaKey(), "a", with("e", "AQ")), publicKey(p256Key(), "b", with("crv", "secp256k1"))},
	} {
		f.Add([]byte(setOf(keys...)))
	}
	f.Add([]byte(`{"keys":[],"keys":[]}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := ParseKeySet(text)
		if err != nil {
			if s != nil || !errors.Is(err, BadKeySet) {
				t.Fatalf("got %v with %v", s, err)
			}
			return
		}
		members := must(strictjson.Object(text))
		var raws []json.RawMessage
		if err := strictjson.Unmarshal(members["keys"], &raws); err != nil {
			t.Fatal(err)
		}
		if s.Len()+len(s.Skipped()) != len(raws) || len(raws) > MaxKeys {
			t.Fatalf("%d keys kept, %d skipped, of %d", s.Len(), len(s.Skipped()), len(raws))
		}
		n := 0
		for _, raw := range raws {
			k, skipped := parseKey(raw)
			if skipped != nil {
				continue
			}
			var theirs gojose.JSONWebKey
			if err := theirs.UnmarshalJSON(raw); err != nil {
				// It also reads certificates, which may be anything.
				if members, _ := strictjson.Object(raw); members["x5c"] == nil && members["x5u"] == nil && members["x5t"] == nil && members["x5t#S256"] == nil {
					t.Fatalf("%s is kept, but go-jose says %v", raw, err)
				}
				n++
				continue
			}
			var ours interface{ Equal(crypto.PublicKey) bool } = k.ed
			switch {
			case k.rsa != nil:
				ours = k.rsa
			case k.ec != nil:
				ours = k.ec
			}
			if !ours.Equal(theirs.Key) || k.id != theirs.KeyID {
				t.Fatalf("%s is another key to go-jose", raw)
			}
			n++
		}
		if n != s.Len() {
			t.Fatalf("%d keys kept, %d read again", s.Len(), n)
		}
	})
}

// FuzzSign: what we sign we verify, to the same payload and nothing else.
func FuzzSign(f *testing.F) {
	f.Add("k", "JWT", []byte(claims))
	f.Add("", "\u2028<>&\"", []byte{0, 0xff, '.'})
	f.Add("", "\xc2", []byte("0"))
	set := parseSet(f, publicKey(edKey(), ""))
	f.Fuzz(func(t *testing.T, kid, typ string, payload []byte) {
		token, err := Sign(SigningKey{ID: kid, Alg: "Ed25519", Private: edKey()}, map[string]any{"typ": typ}, payload)
		if err != nil {
			return // not UTF-8, or no payload
		}
		v, err := set.Verify(token, []string{"Ed25519"})
		if err != nil {
			if errors.Is(err, TooLarge) {
				return
			}
			t.Fatal(err)
		}
		if v.Header != (Header{Alg: "Ed25519", KeyID: kid, Type: typ}) || v.Payload != string(payload) {
			t.Fatalf("got %+v and %q", v.Header, v.Payload)
		}
	})
}

// FuzzCacheControl: whatever the field says, the age is within the clamp.
func FuzzCacheControl(f *testing.F) {
	for _, field := range []string{"", "max-age=600", "max-age=-1", "max-age=99999999999999999999", "no-store", "max-age=\"1\"", "MAX-AGE=0,max-age=1"} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		if got := clampAge(field, time.Minute, time.Hour); got < time.Minute || got > time.Hour {
			t.Fatalf("%q gives %v", field, got)
		}
	})
}

// FuzzRemote runs a Remote through any sequence of rotations, outages, pauses and
// tokens, and holds it to its promises: a key is trusted only if it was published
// within MaxAge and MaxStale, a published key is accepted whenever the issuer can
// be reached and no forged token came before, and fetches stay within the budget
// of ages, cool-downs and backoff.
func FuzzRemote(f *testing.F) {
	tokens := [3]string{
		issue(f, "ES256", "0", p256Key(), claims, nil),
		issue(f, "EdDSA", "1", edKey(), claims, nil),
		issue(f, "RS256", "2", rsaKey(), claims, nil),
	}
	keys := [3]jwk{publicKey(p256Key(), "0"), publicKey(edKey(), "1"), publicKey(rsaKey(), "2")}
	forged := forge(`{"alg":"EdDSA","kid":"x"}`, claims, make([]byte, 64))
	algs := []string{"ES256", "EdDSA", "RS256"}

	const (
		publish = iota // argument: bits of the keys
		outage         // argument: odd is down
		wait           // argument: how long, see waits
		verify         // argument: which token
		flood          // argument: how many forged tokens
		operations
	)
	waits := [...]time.Duration{time.Millisecond, time.Second, defaultMinRefresh, unstatedAge / 2, unstatedAge, defaultMaxAge, defaultMaxStale, 24 * time.Hour}
	f.Add([]byte{verify, 0, publish, 6, verify, 1, wait, 4, verify, 0, verify, 1})
	f.Add([]byte{flood, 200, verify, 0, publish, 7, flood, 200, wait, 2, verify, 2})
	f.Add([]byte{verify, 0, outage, 1, wait, 5, verify, 0, wait, 6, verify, 0, outage, 0, wait, 2, verify, 0})
	f.Add([]byte{outage, 1, verify, 0, verify, 0, outage, 0, verify, 0, wait, 1, verify, 0})
	f.Add([]byte{verify, 0, publish, 0, wait, 4, verify, 0, publish, 1, verify, 0})

	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 100 {
			return
		}
		synctest.Test(t, func(t *testing.T) {
			published, down, fetches := byte(1), false, 0
			var seen [3]time.Time // when each key was last published
			r := NewRemote(RemoteConfig{Fetch: func(context.Context) (Fetched, error) {
				fetches++
				if down {
					return Fetched{}, errors.New("503")
				}
				var list []any
				for n := range keys {
					if published&(1<<n) != 0 {
						list = append(list, keys[n])
					}
				}
				return Fetched{Body: []byte(setOf(list...))}, nil
			}})
			defer r.Close()
			start, forgedBefore, verified := time.Now(), false, 0
			note := func() {
				for n := range seen {
					if published&(1<<n) != 0 {
						seen[n] = time.Now()
					}
				}
			}
			for len(program) >= 2 {
				op, argument := program[0]%operations, program[1]
				program = program[2:]
				note()
				switch op {
				case publish:
					published = argument & 7
				case outage:
					down = argument&1 == 1
				case wait:
					time.Sleep(waits[argument%byte(len(waits))])
				case verify:
					n := int(argument) % len(tokens)
					v, err := r.Verify(t.Context(), tokens[n], algs)
					verified++
					if err != nil {
						isRefusal(t, v, err)
						resting := r.failures > 0
						if published&(1<<n) != 0 && !down && !forgedBefore && !resting {
							t.Fatalf("a published key was refused: %v", err)
						}
						if published&(1<<n) == 0 || down {
							forgedBefore = true // to the Remote it looks like one
						}
						continue
					}
					if seen[n].IsZero() || time.Since(seen[n]) > defaultMaxAge+defaultMaxStale {
						t.Fatalf("key %d is trusted %v after it was withdrawn", n, time.Since(seen[n]))
					}
				case flood:
					forgedBefore = true
					for range argument {
						v, err := r.Verify(t.Context(), forged, algs)
						isRefusal(t, v, err)
					}
				}
				synctest.Wait()
			}
			// Fetches by age and cool-down grow with time; what helped a good token
			// and the retries of a cold cache grow with their number.
			budget := 8 + 3*int(time.Since(start)/defaultMinRefresh) + 2*verified
			if fetches > budget {
				t.Fatalf("%d fetches in %v for %d good tokens", fetches, time.Since(start), verified)
			}
		})
	})
}
