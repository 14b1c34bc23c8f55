package jose

import (
	"bytes"
	"compress/flate"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"
)

// encrypt seals payload with go-jose.
func encrypt(t testing.TB, alg, enc, kid string, key any, payload string, change ...func(*gojose.EncrypterOptions)) string {
	t.Helper()
	opts := (&gojose.EncrypterOptions{}).WithContentType("JWT")
	for _, c := range change {
		c(opts)
	}
	e, err := gojose.NewEncrypter(gojose.ContentEncryption(enc),
		gojose.Recipient{Algorithm: gojose.KeyAlgorithm(alg), Key: key, KeyID: kid, PBES2Count: 1000}, opts)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := e.Encrypt([]byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return must(sealed.CompactSerialize())
}

// sharedKey is a symmetric key of the size that alg and enc want.
func sharedKey(alg, enc string) []byte { return bytes.Repeat([]byte{7}, symmetricBits(alg, enc)/8) }

// pairFor returns the key to encrypt to and ours to open it.
func pairFor(alg, enc string) (public, private any) {
	switch {
	case strings.HasPrefix(alg, "RSA"):
		return &rsaKey().PublicKey, rsaKey()
	case strings.HasPrefix(alg, "ECDH"):
		return &p256Key().PublicKey, p256Key()
	}
	return sharedKey(alg, enc), sharedKey(alg, enc)
}

func TestDecryptEveryAlgorithm(t *testing.T) {
	signed := issue(t, "RS256", "a", rsaKey(), claims, nil)
	for _, alg := range KeyManagement() {
		for _, enc := range ContentEncryption() {
			t.Run(alg+"_"+enc, func(t *testing.T) {
				public, private := pairFor(alg, enc)
				token := encrypt(t, alg, enc, "k", public, signed)
				payload, h, err := Decrypt(token, []DecryptionKey{{ID: "k", Private: private}}, []string{alg}, []string{enc})
				want := Header{Alg: alg, Enc: enc, KeyID: h.KeyID, ContentType: "JWT"}
				if err != nil || string(payload) != signed || h != want {
					t.Fatalf("got %+v, %v", h, err)
				}
				// The other way is the allow-list's.
				_, _, err = Decrypt(token, []DecryptionKey{{Private: private}}, []string{"other"}, []string{enc})
				refused(t, err, AlgNotAllowed)
				_, _, err = Decrypt(token, []DecryptionKey{{Private: private}}, []string{alg}, []string{"other"})
				refused(t, err, AlgNotAllowed)
				// One bit of the ciphertext.
				parts := strings.Split(token, ".")
				b := must(base64.RawURLEncoding.DecodeString(parts[3]))
				b[0] ^= 1
				parts[3] = base64.RawURLEncoding.EncodeToString(b)
				payload, h, err = Decrypt(strings.Join(parts, "."), []DecryptionKey{{Private: private}}, []string{alg}, []string{enc})
				refused(t, err, CannotDecrypt)
				if payload != nil || h != (Header{}) {
					t.Fatal("something was returned")
				}
			})
		}
	}
}

// TestDecryptWithClientSecret derives the key as OpenID Connect Core 1.0 section
// 10.2 says, here computed apart.
func TestDecryptWithClientSecret(t *testing.T) {
	const clientSecret = "a client secret of an ordinary length"
	for _, c := range []struct {
		alg, enc string
		hash     crypto.Hash
		size     int
	}{
		{"A128KW", "A128GCM", crypto.SHA256, 16},
		{"A192GCMKW", "A128GCM", crypto.SHA256, 24},
		{"A256KW", "A256CBC-HS512", crypto.SHA256, 32},
		{"dir", "A128GCM", crypto.SHA256, 16},
		{"dir", "A128CBC-HS256", crypto.SHA256, 32},
		{"dir", "A192CBC-HS384", crypto.SHA384, 48},
		{"dir", "A256CBC-HS512", crypto.SHA512, 64},
	} {
		t.Run(c.alg+"_"+c.enc, func(t *testing.T) {
			h := c.hash.New()
			h.Write([]byte(clientSecret))
			token := encrypt(t, c.alg, c.enc, "", h.Sum(nil)[:c.size], claims)
			payload, _, err := Decrypt(token, []DecryptionKey{{Private: ClientSecret("wrong")}, {Private: ClientSecret(clientSecret)}}, []string{c.alg}, []string{c.enc})
			if err != nil || string(payload) != claims {
				t.Fatal(err)
			}
			_, _, err = Decrypt(token, []DecryptionKey{{Private: ClientSecret("")}, {Private: []byte("short")}}, []string{c.alg}, []string{c.enc})
			refused(t, err, CannotDecrypt)
		})
	}
}

// hsm is an RSA key that go-jose cannot see.
type hsm struct{ key *rsa.PrivateKey }

func (h hsm) Public() crypto.PublicKey { return h.key.Public() }
func (h hsm) Decrypt(r io.Reader, m []byte, o crypto.DecrypterOpts) ([]byte, error) {
	return h.key.Decrypt(r, m, o)
}

func TestDecryptWithDecrypter(t *testing.T) {
	for _, alg := range []string{"RSA-OAEP", "RSA-OAEP-256"} {
		token := encrypt(t, alg, "A256GCM", "", &rsaKey().PublicKey, claims)
		payload, _, err := Decrypt(token, []DecryptionKey{{Private: hsm{rsaKey()}}}, []string{alg}, []string{"A256GCM"})
		if err != nil || string(payload) != claims {
			t.Fatal(alg, err)
		}
		_, _, err = Decrypt(token, []DecryptionKey{{Private: hsm{otherRSA()}}}, []string{alg}, []string{"A256GCM"})
		refused(t, err, CannotDecrypt)
	}
}

func TestDecryptKeyChoice(t *testing.T) {
	named := encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, claims)
	anonymous := encrypt(t, "RSA-OAEP", "A128GCM", "", &rsaKey().PublicKey, claims)
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	for _, c := range []struct {
		name  string
		token string
		keys  []DecryptionKey
		want  Reason
	}{
		{"by_kid", named, []DecryptionKey{{ID: "b", Private: otherRSA()}, {ID: "a", Private: rsaKey()}}, ""},
		{"no_kid_in_token", anonymous, []DecryptionKey{{ID: "b", Private: otherRSA()}, {ID: "a", Private: rsaKey()}}, ""},
		{"no_kid_of_ours", named, []DecryptionKey{{Private: otherRSA()}, {Private: rsaKey()}}, ""},
		{"alg_of_key", named, []DecryptionKey{{Alg: "RSA-OAEP", Private: rsaKey()}}, ""},
		{"another_kid", named, []DecryptionKey{{ID: "b", Private: rsaKey()}}, CannotDecrypt},
		{"another_alg_of_key", named, []DecryptionKey{{Alg: "RSA-OAEP-256", Private: rsaKey()}}, CannotDecrypt},
		{"no_key", named, nil, CannotDecrypt},
		{"wrong_key", anonymous, []DecryptionKey{{Private: otherRSA()}}, CannotDecrypt},
		{"wrong_type", anonymous, []DecryptionKey{{Private: p256Key()}, {Private: secret}, {Private: "x"}, {}, {Private: ClientSecret(secret)}}, CannotDecrypt},
		{"nil_keys", anonymous, []DecryptionKey{{Private: (*rsa.PrivateKey)(nil)}, {Private: new(rsa.PrivateKey)}, {Private: (*ecdsa.PrivateKey)(nil)}}, CannotDecrypt},
		{"short_key_of_ours", anonymous, []DecryptionKey{{Private: short}}, CannotDecrypt},
		{"eight_wrong_keys", anonymous, append(copiesOf(otherRSA(), MaxCandidates-1), DecryptionKey{Private: rsaKey()}), ""},
		{"many_keys_that_do_not_fit", named, append(named9(), DecryptionKey{ID: "a", Private: rsaKey()}), ""},
		{"nine_keys", anonymous, append(copiesOf(otherRSA(), MaxCandidates), DecryptionKey{Private: rsaKey()}), AmbiguousKey},
		{"186_old_key_kept", named, []DecryptionKey{{ID: "new", Private: otherRSA()}, {ID: "a", Private: rsaKey()}}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload, _, err := Decrypt(c.token, c.keys, []string{"RSA-OAEP"}, []string{"A128GCM"})
			if c.want != "" {
				refused(t, err, c.want)
				return
			}
			if err != nil || string(payload) != claims {
				t.Fatal(err)
			}
		})
	}
}

// named9 returns more keys than are tried, none of which goes with kid "a".
func named9() []DecryptionKey {
	keys := copiesOf(otherRSA(), MaxCandidates+1)
	for i := range keys {
		keys[i].ID = "another"
	}
	return keys
}

func copiesOf(k *rsa.PrivateKey, n int) (keys []DecryptionKey) {
	for range n {
		keys = append(keys, DecryptionKey{Private: k})
	}
	return keys
}

// reheader replaces members of a token's header. The result can no longer be
// authentic, only refused before that matters.
func reheader(token string, change func(map[string]any)) string {
	encoded, rest, _ := strings.Cut(token, ".")
	var h map[string]any
	if err := json.Unmarshal(must(base64.RawURLEncoding.DecodeString(encoded)), &h); err != nil {
		panic(err)
	}
	change(h)
	return base64.RawURLEncoding.EncodeToString(must(json.Marshal(h))) + "." + rest
}

func set(name string, value any) func(map[string]any) {
	return func(h map[string]any) { h[name] = value }
}

// part replaces one of the five parts of a token.
func part(token string, n int, value string) string {
	parts := strings.Split(token, ".")
	parts[n] = value
	return strings.Join(parts, ".")
}

func TestHostileEncryption(t *testing.T) {
	all, allEnc := KeyManagement(), ContentEncryption()
	ours := []DecryptionKey{{Private: rsaKey()}, {Private: p256Key()}, {Private: sharedKey("dir", "A128GCM")}, {Private: sharedKey("dir", "A128CBC-HS256")}}
	oaep := encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, claims)
	cbc := encrypt(t, "RSA-OAEP", "A128CBC-HS256", "a", &rsaKey().PublicKey, claims)
	ecdh := encrypt(t, "ECDH-ES", "A128GCM", "a", &p256Key().PublicKey, claims)
	wrap := encrypt(t, "ECDH-ES+A128KW", "A128GCM", "a", &p256Key().PublicKey, claims)
	direct := encrypt(t, "dir", "A128GCM", "", sharedKey("dir", "A128GCM"), claims)
	gcmkw := encrypt(t, "A128GCMKW", "A128GCM", "", sharedKey("dir", "A128GCM"), claims)
	pbes2 := encrypt(t, "PBES2-HS256+A128KW", "A128GCM", "", sharedKey("dir", "A128GCM"), claims)
	rsa15 := encrypt(t, "RSA1_5", "A128GCM", "a", &rsaKey().PublicKey, claims)
	point := func(x, y *big.Int) map[string]any {
		e := func(n *big.Int) string {
			return base64.RawURLEncoding.EncodeToString(n.FillBytes(make([]byte, 32)))
		}
		return map[string]any{"kty": "EC", "crv": "P-256", "x": e(x), "y": e(y)}
	}
	p384 := publicKey(p384Key(), "")

	for _, c := range []struct {
		name      string
		token     string
		algs, enc []string
		want      Reason
	}{
		{"178_alg_not_registered", oaep, []string{"RSA-OAEP-256"}, allEnc, AlgNotAllowed},
		{"178_enc_not_registered", oaep, all, []string{"A256GCM"}, AlgNotAllowed},
		{"178_nothing_registered", oaep, nil, nil, AlgNotAllowed},
		{"178_alg_swapped", reheader(oaep, set("alg", "RSA-OAEP-256")), all, allEnc, CannotDecrypt},
		{"178_alg_case", reheader(oaep, set("alg", "rsa-oaep")), all, allEnc, AlgNotAllowed},
		{"179_rsa1_5", rsa15, all, allEnc, AlgNotAllowed},
		{"179_rsa1_5_though_listed", rsa15, append([]string{"RSA1_5"}, all...), allEnc, UnsupportedAlg},
		{"180_pbes2", reheader(pbes2, set("p2c", 1<<31)), all, allEnc, AlgNotAllowed},
		{"180_pbes2_though_listed", reheader(pbes2, set("p2c", 1<<31)), []string{"PBES2-HS256+A128KW"}, allEnc, UnsupportedAlg},
		{"180_unknown_enc_though_listed", reheader(oaep, set("enc", "XC20P")), all, []string{"XC20P"}, UnsupportedAlg},
		{"181_zip", encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, claims, func(o *gojose.EncrypterOptions) { o.Compression = gojose.DEFLATE }), all, allEnc, UnsupportedHeader},
		{"181_zip_bomb", bomb(t), all, allEnc, UnsupportedHeader},
		{"182_encrypted_key_empty", part(oaep, 1, ""), all, allEnc, Malformed},
		{"182_encrypted_key_empty_in_wrap", part(wrap, 1, ""), all, allEnc, Malformed},
		{"182_encrypted_key_empty_in_gcm_wrap", part(gcmkw, 1, ""), all, allEnc, Malformed},
		{"182_encrypted_key_short", part(oaep, 1, "AAAA"), all, allEnc, CannotDecrypt},
		{"182_encrypted_key_short_in_wrap", part(wrap, 1, "AA"), all, allEnc, CannotDecrypt},
		{"182_encrypted_key_of_one_block_in_wrap", part(wrap, 1, "AAAAAAAAAAA"), all, allEnc, CannotDecrypt},
		{"182_encrypted_key_in_dir", part(direct, 1, "AAAA"), all, allEnc, Malformed},
		{"182_encrypted_key_in_ecdh", part(ecdh, 1, "AAAA"), all, allEnc, Malformed},
		{"182_iv_empty", part(oaep, 2, ""), all, allEnc, Malformed},
		{"182_iv_long", part(oaep, 2, strings.Repeat("A", 20)), all, allEnc, Malformed},
		{"182_iv_of_gcm_in_cbc", part(cbc, 2, strings.Repeat("A", 16)), all, allEnc, Malformed},
		{"182_ciphertext_empty", part(oaep, 3, ""), all, allEnc, Malformed},
		{"182_ciphertext_no_block", part(cbc, 3, "AAAA"), all, allEnc, CannotDecrypt},
		{"182_tag_empty", part(oaep, 4, ""), all, allEnc, Malformed},
		{"182_tag_truncated", part(oaep, 4, "AAAA"), all, allEnc, Malformed},
		{"182_tag_truncated_in_cbc", part(cbc, 4, "AAAA"), all, allEnc, Malformed},
		{"182_tag_wrong", part(oaep, 4, strings.Repeat("A", 22)), all, allEnc, CannotDecrypt},
		{"182_gcm_wrap_without_iv", reheader(gcmkw, func(h map[string]any) { delete(h, "iv") }), all, allEnc, CannotDecrypt},
		{"182_gcm_wrap_with_short_iv", reheader(gcmkw, set("iv", "AAAA")), all, allEnc, CannotDecrypt},
		{"182_gcm_wrap_with_short_tag", reheader(gcmkw, set("tag", "AAAA")), all, allEnc, CannotDecrypt},
		{"182_epk_missing", reheader(ecdh, func(h map[string]any) { delete(h, "epk") }), all, allEnc, CannotDecrypt},
		{"182_epk_null", reheader(ecdh, set("epk", nil)), all, allEnc, CannotDecrypt},
		{"182_epk_string", reheader(ecdh, set("epk", "x")), all, allEnc, CannotDecrypt},
		{"182_epk_rsa", reheader(ecdh, set("epk", publicKey(rsaKey(), ""))), all, allEnc, CannotDecrypt},
		{"182_epk_oct", reheader(ecdh, set("epk", jwk{"kty": "oct", "k": "AAAA"})), all, allEnc, CannotDecrypt},
		{"182_epk_ed25519", reheader(ecdh, set("epk", publicKey(edKey(), ""))), all, allEnc, CannotDecrypt},
		{"182_apu_number", reheader(ecdh, set("apu", 1)), all, allEnc, CannotDecrypt},
		{"183_epk_off_curve", reheader(ecdh, set("epk", point(big.NewInt(1), big.NewInt(1)))), all, allEnc, CannotDecrypt},
		{"183_epk_infinity", reheader(ecdh, set("epk", point(new(big.Int), new(big.Int)))), all, allEnc, CannotDecrypt},
		{"183_epk_off_curve_in_wrap", reheader(wrap, set("epk", point(big.NewInt(5), big.NewInt(7)))), all, allEnc, CannotDecrypt},
		{"183_epk_of_another_curve", reheader(ecdh, set("epk", p384)), all, allEnc, CannotDecrypt},
		{"157_jku", reheader(oaep, set("jku", "http://127.0.0.1/")), all, allEnc, CannotDecrypt},
		{"156_jwk", reheader(oaep, set("jwk", p384)), all, allEnc, UnsupportedHeader},
		{"158_crit", reheader(oaep, set("crit", []string{"exp"})), all, allEnc, UnsupportedHeader},
		{"161_duplicate_alg", part(oaep, 0, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"dir","alg":"RSA-OAEP","enc":"A128GCM"}`))), all, allEnc, Malformed},
		{"162_json", `{"protected":"e30","ciphertext":"AA"}`, all, allEnc, Malformed},
		{"165_newline", part(oaep, 3, "AAAA\nAAA"), all, allEnc, NotCanonical},
		{"166_padding", oaep + "==", all, allEnc, NotCanonical},
		{"166_loose_bits", part(oaep, 4, strings.Repeat("A", 21)+"B"), all, allEnc, NotCanonical},
		{"167_signed", issue(t, "RS256", "a", rsaKey(), claims, nil), all, allEnc, NotEncrypted},
		{"172_six_parts", oaep + ".AAAA", all, allEnc, Malformed},
		{"172_four_parts", oaep[:strings.LastIndexByte(oaep, '.')], all, allEnc, Malformed},
		{"173_dots", strings.Repeat(".", MaxToken), all, allEnc, Malformed},
		{"173_too_large", strings.Repeat("A", MaxToken) + "....", all, allEnc, TooLarge},
		{"173_header_too_large", strings.Repeat("A", maxHeader+1) + "....", all, allEnc, TooLarge},
		{"173_empty", "", all, allEnc, Malformed},
		{"173_empty_parts", "....", all, allEnc, Malformed},
		{"173_no_enc", part(oaep, 0, base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RSA-OAEP"}`))), all, allEnc, Malformed},
		{"173_header_no_json", part(oaep, 0, "AAAA"), all, allEnc, Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			payload, h, err := Decrypt(c.token, ours, c.algs, c.enc)
			refused(t, err, c.want)
			if payload != nil || h != (Header{}) {
				t.Fatal("something was returned")
			}
			if c.want == CannotDecrypt && errors.Unwrap(err) != nil {
				t.Fatalf("%v tells how far decryption got", err)
			}
		})
	}

	t.Run("184_unsigned_inside", func(t *testing.T) {
		keys := parseSet(t, publicKey(rsaKey(), "a"))
		inner := encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, claims)
		payload, _, err := Decrypt(inner, ours, all, allEnc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(string(payload), []string{"RS256"})
		refused(t, err, Malformed)
		inner = encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, forge(`{"alg":"none"}`, claims, nil))
		payload, _, err = Decrypt(inner, ours, all, allEnc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = keys.Verify(string(payload), []string{"RS256"})
		refused(t, err, AlgNotAllowed)
	})
	t.Run("185_encrypted_inside", func(t *testing.T) {
		payload, _, err := Decrypt(encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, oaep), ours, all, allEnc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = parseSet(t, publicKey(rsaKey(), "a")).Verify(string(payload), []string{"RS256"})
		refused(t, err, Encrypted)
	})
	t.Run("186_published_and_private_stay_consistent", func(t *testing.T) {
		text := must(PublicKeySet(SigningKey{ID: "new", Use: "enc", Alg: "RSA-OAEP", Private: otherRSA()}))
		var published gojose.JSONWebKeySet
		if err := json.Unmarshal(text, &published); err != nil {
			t.Fatal(err)
		}
		rotated := []DecryptionKey{{ID: "new", Private: otherRSA()}, {ID: "a", Private: rsaKey()}}
		for _, token := range []string{oaep, encrypt(t, "RSA-OAEP", "A128GCM", "new", published.Keys[0].Key, claims)} {
			if payload, _, err := Decrypt(token, rotated, all, allEnc); err != nil || string(payload) != claims {
				t.Fatal(err)
			}
		}
	})
}

// bomb is a token whose inflated payload would be hundreds of times its size.
func bomb(t *testing.T) string {
	var packed bytes.Buffer
	w := must(flate.NewWriter(&packed, flate.BestSpeed))
	must(w.Write(make([]byte, 2<<20)))
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return reheader(encrypt(t, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, packed.String()), set("zip", "DEF"))
}

// TestDecryptPanics: a key that makes the library panic ends in a refusal.
func TestDecryptPanics(t *testing.T) {
	token := encrypt(t, "ECDH-ES", "A128GCM", "", &p256Key().PublicKey, claims)
	half := &ecdsa.PrivateKey{PublicKey: ecdsa.PublicKey{Curve: elliptic.P256()}}
	_, _, err := Decrypt(token, []DecryptionKey{{Private: half}}, []string{"ECDH-ES"}, []string{"A128GCM"})
	refused(t, err, CannotDecrypt)
}

func FuzzDecrypt(f *testing.F) {
	f.Add(encrypt(f, "RSA-OAEP", "A128GCM", "a", &rsaKey().PublicKey, claims))
	f.Add(encrypt(f, "ECDH-ES+A128KW", "A128CBC-HS256", "", &p256Key().PublicKey, claims))
	f.Add(encrypt(f, "dir", "A128GCM", "", sharedKey("dir", "A128GCM"), "{}"))
	f.Add(encrypt(f, "A128GCMKW", "A256GCM", "", sharedKey("dir", "A128GCM"), "{}"))
	f.Add("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0....")
	keys := []DecryptionKey{{Private: rsaKey()}, {Private: p256Key()}, {Private: sharedKey("dir", "A128GCM")}}
	f.Fuzz(func(t *testing.T, token string) {
		payload, h, err := Decrypt(token, keys, KeyManagement(), ContentEncryption())
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok || payload != nil || h != (Header{}) {
				t.Fatalf("got %q, %+v and %v", payload, h, err)
			}
			return
		}
		// What opens here opens there, to the same bytes.
		theirs, err := gojose.ParseEncryptedCompact(token, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(h.Alg)}, []gojose.ContentEncryption{gojose.ContentEncryption(h.Enc)})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range keys {
			if text, err := theirs.Decrypt(k.Private); err == nil {
				if !bytes.Equal(text, payload) {
					t.Fatal(fmt.Errorf("got %q, go-jose %q", payload, text))
				}
				return
			}
		}
		t.Fatal("go-jose opens it with none of the keys")
	})
}
