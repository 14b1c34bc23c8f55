package jose

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"runtime"
	"slices"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"rely.example/internal/strictjson"
)

// The cases of the hostile catalogue that a key set, a token or its header can
// show by themselves. Those about time and fetching are in remote_test.go, those
// about encryption in decrypt_test.go.

// TestHostileKeys flips one switch of a published key. The token is good, and
// was signed with that very key.
func TestHostileKeys(t *testing.T) {
	type row struct {
		name string
		alg  string
		key  any
		want Reason
		why  Skip // empty if the key is kept
	}
	rsaJWK := func(spoil ...func(jwk)) jwk { return publicKey(rsaKey(), "a", spoil...) }
	ecJWK := func(spoil ...func(jwk)) jwk { return publicKey(p256Key(), "a", spoil...) }
	number := func(n *big.Int) string { return base64.RawURLEncoding.EncodeToString(n.Bytes()) }
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	odd := func(bits uint) *big.Int {
		return new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bits-1), big.NewInt(1))
	}
	n := rsaKey().N

	for _, c := range []row{
		{"047_use_enc", "RS256", rsaJWK(with("use", "enc")), NoKey, NotForSignatures},
		{"047_use_unknown", "RS256", rsaJWK(with("use", "SIG")), NoKey, NotForSignatures},
		{"048_key_ops_without_verify", "RS256", rsaJWK(with("key_ops", []string{"sign", "encrypt"})), NoKey, NotForSignatures},
		{"048_key_ops_empty", "RS256", rsaJWK(with("key_ops", []string{})), NoKey, NotForSignatures},
		{"049_alg_differs", "RS256", rsaJWK(with("alg", "RS512")), NoKey, ""},
		{"049_alg_differs_in_padding", "RS256", rsaJWK(with("alg", "PS256")), NoKey, ""},
		{"049_alg_for_encryption", "RS256", rsaJWK(with("alg", "RSA-OAEP")), NoKey, NotForSignatures},
		{"049_alg_of_another_type", "ES256", ecJWK(with("alg", "RS256")), NoKey, NotForSignatures},
		{"049_alg_of_another_curve", "ES256", ecJWK(with("alg", "ES384")), NoKey, NotForSignatures},
		{"050_rsa_1024", "RS256", publicKey(short, "a"), NoKey, WeakKey},
		{"050_rsa_2047", "RS256", rsaJWK(with("n", number(odd(2047)))), NoKey, WeakKey},
		{"051_private_rsa", "RS256", rsaJWK(with("d", "AQAB")), NoKey, PrivateKey},
		{"051_private_rsa_primes", "RS256", rsaJWK(with("p", "AQAB")), NoKey, PrivateKey},
		{"051_private_ec", "ES256", ecJWK(with("d", "AQAB")), NoKey, PrivateKey},
		{"051_private_ed25519", "EdDSA", publicKey(edKey(), "a", with("d", "AQAB")), NoKey, PrivateKey},
		{"051_private_of_wrong_type", "RS256", rsaJWK(with("d", 1), with("n", 1)), NoKey, PrivateKey},
		{"052_oct", "RS256", jwk{"kty": "oct", "kid": "a", "k": "AAAA"}, NoKey, SymmetricKey},
		{"051_private_rsa_q", "RS256", rsaJWK(with("q", "AQAB")), NoKey, PrivateKey},
		{"051_private_rsa_dp", "RS256", rsaJWK(with("dp", "AQAB")), NoKey, PrivateKey},
		{"051_private_rsa_dq", "RS256", rsaJWK(with("dq", "AQAB")), NoKey, PrivateKey},
		{"051_private_rsa_qi", "RS256", rsaJWK(with("qi", "AQAB")), NoKey, PrivateKey},
		{"051_private_rsa_oth", "RS256", rsaJWK(with("oth", []any{})), NoKey, PrivateKey},
		{"052_oct_without_k", "RS256", jwk{"kty": "oct", "kid": "a"}, NoKey, SymmetricKey},
		{"052_k_in_rsa", "RS256", rsaJWK(with("k", "AAAA")), NoKey, SymmetricKey},
		{"053_rsa_without_n", "RS256", rsaJWK(without("n")), NoKey, BrokenKey},
		{"053_rsa_without_e", "RS256", rsaJWK(without("e")), NoKey, BrokenKey},
		{"053_rsa_n_empty", "RS256", rsaJWK(with("n", "")), NoKey, BrokenKey},
		{"053_rsa_n_padded", "RS256", rsaJWK(with("n", base64.URLEncoding.EncodeToString(n.Bytes()))), NoKey, BrokenKey},
		{"053_rsa_n_not_base64", "RS256", rsaJWK(with("n", "!")), NoKey, BrokenKey},
		{"053_rsa_n_number", "RS256", rsaJWK(with("n", 65537)), NoKey, BrokenKey},
		{"053_key_null", "RS256", nil, NoKey, BrokenKey},
		{"053_key_string", "RS256", "a", NoKey, BrokenKey},
		{"053_key_empty", "RS256", jwk{}, NoKey, BrokenKey},
		{"054_off_curve", "ES256", ecJWK(with("y", ecJWK()["x"])), NoKey, BrokenKey},
		{"054_infinity", "ES256", ecJWK(with("x", strings.Repeat("A", 43)), with("y", strings.Repeat("A", 43))), NoKey, BrokenKey},
		{"054_x_missing", "ES256", ecJWK(without("x")), NoKey, BrokenKey},
		{"054_y_missing", "ES256", ecJWK(without("y")), NoKey, BrokenKey},
		{"054_x_short", "ES256", ecJWK(with("x", "AAAA")), NoKey, BrokenKey},
		{"054_y_long", "ES256", ecJWK(with("y", "AA"+strings.Repeat("A", 42))), NoKey, BrokenKey},
		{"054_coordinates_shifted", "ES256", shifted(ecJWK()), NoKey, BrokenKey},
		{"054_crv_of_another_size", "ES256", ecJWK(with("crv", "P-384")), NoKey, BrokenKey},
		{"054_ed25519_short", "EdDSA", publicKey(edKey(), "a", with("x", "AAAA")), NoKey, BrokenKey},
		{"054_ed25519_x_missing", "EdDSA", publicKey(edKey(), "a", without("x")), NoKey, BrokenKey},
		{"055_unknown_kty", "RS256", jwk{"kty": "AKP", "kid": "a", "alg": "ML-DSA-44", "pub": "AAAA"}, NoKey, UnknownType},
		{"055_kty_case", "RS256", rsaJWK(with("kty", "rsa")), NoKey, UnknownType},
		{"056_secp256k1", "ES256", ecJWK(with("crv", "secp256k1")), NoKey, UnknownCurve},
		{"056_ed448", "EdDSA", publicKey(edKey(), "a", with("crv", "Ed448")), NoKey, UnknownCurve},
		{"056_x25519", "EdDSA", publicKey(edKey(), "a", with("crv", "X25519")), NoKey, UnknownCurve},
		{"056_no_crv", "ES256", ecJWK(without("crv")), NoKey, UnknownCurve},
		{"057_kid_number", "RS256", rsaJWK(with("kid", 1)), NoKey, BrokenKey},
		{"057_kid_object", "RS256", rsaJWK(with("kid", jwk{"a": "b"})), NoKey, BrokenKey},
		{"057_kty_number", "RS256", rsaJWK(with("kty", 1)), NoKey, BrokenKey},
		{"057_use_list", "RS256", rsaJWK(with("use", []string{"sig"})), NoKey, BrokenKey},
		{"057_key_ops_string", "RS256", rsaJWK(with("key_ops", "verify")), NoKey, BrokenKey},
		{"067_e_is_1", "RS256", rsaJWK(with("e", "AQ")), NoKey, WeakKey},
		{"067_e_is_0", "RS256", rsaJWK(with("e", "AA")), NoKey, BrokenKey},
		{"067_e_even", "RS256", rsaJWK(with("e", "Ag")), NoKey, BrokenKey},
		{"067_e_huge", "RS256", rsaJWK(with("e", number(odd(64)))), NoKey, OversizeKey},
		{"067_e_negative_as_int32", "RS256", rsaJWK(with("e", number(odd(32)))), NoKey, OversizeKey},
		{"067_n_even", "RS256", rsaJWK(with("n", number(new(big.Int).Sub(n, big.NewInt(1))))), NoKey, BrokenKey},
		{"067_n_65536_bits", "RS256", rsaJWK(with("n", number(odd(65536)))), NoKey, OversizeKey},
		{"067_n_zero", "RS256", rsaJWK(with("n", "AAAA")), NoKey, WeakKey},
		{"169_kid_long", "RS256", rsaJWK(with("kid", strings.Repeat("k", MaxKeyID+1))), NoKey, BrokenKey},
	} {
		t.Run(c.name, func(t *testing.T) {
			private := privateFor(c.alg)
			if c.name == "050_rsa_1024" {
				private = short
			}
			token := signedBy(t, c.alg, private)
			good := publicKey(otherRSA(), "good")
			set := parseSet(t, c.key, good)
			v, err := set.Verify(token, []string{c.alg})
			refused(t, err, c.want)
			if v != (Verified{}) {
				t.Fatal("something unverified was returned")
			}
			if skipped := set.Skipped(); c.why == "" && len(skipped) != 0 {
				t.Fatalf("got %+v, want the key kept", skipped)
			} else if c.why != "" && (len(skipped) != 1 || skipped[0].Why != c.why) {
				t.Fatalf("got %+v, want one %q", skipped, c.why)
			}
			// One bad key never poisons the set.
			verifies(t, set, issue(t, "RS256", "good", otherRSA(), claims, nil), "RS256")
		})
	}

	t.Run("058_two_keys_with_one_kid", func(t *testing.T) {
		set := parseSet(t, publicKey(otherRSA(), "a"), publicKey(p256Key(), "a"), publicKey(rsaKey(), "a"))
		verifies(t, set, issue(t, "RS256", "a", rsaKey(), claims, nil), "RS256")
		verifies(t, set, issue(t, "RS256", "a", otherRSA(), claims, nil), "RS256")
		verifies(t, set, issue(t, "ES256", "a", p256Key(), claims, nil), "ES256")
	})
	t.Run("059_no_kid_several_keys", func(t *testing.T) {
		set := parseSet(t, publicKey(otherRSA(), "x"), publicKey(p256Key(), "y"), publicKey(rsaKey(), "z"))
		verifies(t, set, issue(t, "RS256", "", rsaKey(), claims, nil), "RS256")
		_, err := set.Verify(issue(t, "ES384", "", p384Key(), claims, nil), []string{"ES384"})
		refused(t, err, NoKey)
	})
	t.Run("068_many_keys", func(t *testing.T) {
		many := make([]any, MaxCandidates)
		for i := range many {
			many[i] = publicKey(otherRSA(), "")
		}
		many[MaxCandidates-1] = publicKey(rsaKey(), "")
		token := issue(t, "RS256", "", rsaKey(), claims, nil)
		verifies(t, parseSet(t, many...), token, "RS256")
		_, err := parseSet(t, append(many, publicKey(otherRSA(), ""))...).Verify(token, []string{"RS256"})
		refused(t, err, AmbiguousKey)
		_, err = parseSet(t, append(many, publicKey(otherRSA(), ""))...).Verify(issue(t, "RS256", "named", rsaKey(), claims, nil), []string{"RS256"})
		refused(t, err, AmbiguousKey)

		hundred := make([]any, MaxKeys+1)
		for i := range hundred {
			hundred[i] = jwk{"kty": "unknown"}
		}
		if s := parseSet(t, hundred[:MaxKeys]...); len(s.Skipped()) != MaxKeys {
			t.Fatal("a set of a hundred keys is not read")
		}
		_, err = ParseKeySet([]byte(setOf(hundred...)))
		refused(t, err, BadKeySet)
	})
	t.Run("071_certificate_disagrees", func(t *testing.T) {
		set := parseSet(t, publicKey(rsaKey(), "a", with("x5c", []string{"bm90IGEgY2VydGlmaWNhdGU="}), with("x5t", 7), with("x5u", "http://127.0.0.1/")))
		verifies(t, set, issue(t, "RS256", "a", rsaKey(), claims, nil), "RS256")
	})
}

func TestHostileKeySet(t *testing.T) {
	good := setOf(publicKey(rsaKey(), "a"))
	for _, c := range []struct{ name, text string }{
		{"041_longer_than_its_bound", `{"keys":[` + strings.Repeat(" ", MaxKeySet) + `]}`},
		{"028_null", `null`}, {"028_array", `[]`}, {"028_string", `"keys"`}, {"028_truncated", good[:len(good)-1]},
		{"028_byte_order_mark", "\xef\xbb\xbf" + good}, {"028_trailing_garbage", good + "x"}, {"028_empty", ""},
		{"027_html", "<html><body>secret of an internal host</body></html>"},
		{"025_duplicate_keys", `{"keys":[],"keys":[]}`}, {"025_duplicate_member", `{"keys":[{"kty":"RSA","kty":"oct"}]}`},
		{"026_case_variant", `{"KEYS":[]}`}, {"026_no_keys", `{}`},
		{"041_keys_object", `{"keys":{}}`}, {"041_keys_null", `{"keys":null}`}, {"041_deep", `{"keys":` + strings.Repeat("[", 100_000)},
	} {
		t.Run(c.name, func(t *testing.T) {
			set, err := ParseKeySet([]byte(c.text))
			refused(t, err, BadKeySet)
			if set != nil {
				t.Fatal("a set was returned")
			}
			if strings.Contains(err.Error(), "internal host") {
				t.Fatalf("the body is in the error: %v", err) // case 66
			}
		})
	}
}

// TestHostile flips one switch of a token that is otherwise what the issuer would
// send. The set has the right key, and RS256 is what was agreed.
func TestHostile(t *testing.T) {
	set := parseSet(t, publicKey(rsaKey(), "a"), publicKey(p256Key(), "ec"))
	good := issue(t, "RS256", "a", rsaKey(), claims, nil)
	dots := strings.Split(good, ".")
	header, payload, signature := dots[0], dots[1], dots[2]
	spki := must(x509.MarshalPKIXPublicKey(&rsaKey().PublicKey))
	withPublicKey := func(secret []byte) string { return issue(t, "HS256", "a", secret, claims, nil) }
	h := func(text string) string { return signRS256(t, text, claims) }
	raw := func(header, payload string) string { return signRS256Raw(t, header, payload) }
	e := base64.RawURLEncoding.EncodeToString
	rsOnly := []string{"RS256"}
	// The last character of a part carries bits that no byte uses.
	respell := func(part string) string {
		const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		if len(part)%4 == 0 {
			t.Fatal("nothing to respell")
		}
		last := strings.IndexByte(alphabet, part[len(part)-1])
		return part[:len(part)-1] + string(alphabet[last|1])
	}
	looseHeader, loosePayload := `{"alg":"RS256","kid":"a"}`, `{"sub":"a"}`

	for _, c := range []struct {
		name  string
		token string
		algs  []string
		want  Reason
	}{
		{"032_hs256_next_to_rs256", withPublicKey(spki), []string{"RS256", "HS256"}, AlgNotAllowed},
		{"150_alg_none", forge(`{"alg":"none"}`, claims, nil), rsOnly, AlgNotAllowed},
		{"150_alg_none_though_listed", forge(`{"alg":"none"}`, claims, nil), []string{"RS256", "none"}, AlgNotAllowed},
		{"150_alg_none_with_signature", header2(`{"alg":"none","kid":"a"}`, payload, signature), rsOnly, AlgNotAllowed},
		{"151_alg_nOnE", forge(`{"alg":"nOnE"}`, claims, nil), rsOnly, AlgNotAllowed},
		{"151_alg_NONE_though_listed", forge(`{"alg":"NONE"}`, claims, nil), []string{"NONE"}, UnsupportedAlg},
		{"152_signature_stripped", header + "." + payload + ".", rsOnly, BadSignature},
		{"152_signature_and_dot_stripped", header + "." + payload, rsOnly, Malformed},
		{"153_hs256_with_client_secret", issue(t, "HS256", "a", secret, claims, nil), rsOnly, AlgNotAllowed},
		{"154_hs256_with_spki_der", withPublicKey(spki), []string{"HS256"}, AlgNotAllowed},
		{"154_hs256_with_pem", withPublicKey(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})), []string{"HS256"}, AlgNotAllowed},
		{"154_hs256_with_jwk_text", withPublicKey(must(json.Marshal(publicKey(rsaKey(), "a")))), []string{"HS256"}, AlgNotAllowed},
		{"156_embedded_jwk", embedded(t), rsOnly, UnsupportedHeader},
		{"156_embedded_jwk_null", h(`{"alg":"RS256","kid":"a","jwk":null}`), rsOnly, UnsupportedHeader},
		{"158_unknown_crit", h(`{"alg":"RS256","kid":"a","crit":["x"],"x":1}`), rsOnly, UnsupportedHeader},
		{"158_known_crit", h(`{"alg":"RS256","kid":"a","crit":["exp"],"exp":1}`), rsOnly, UnsupportedHeader},
		{"159_crit_empty", h(`{"alg":"RS256","kid":"a","crit":[]}`), rsOnly, UnsupportedHeader},
		{"160_b64_false", h(`{"alg":"RS256","kid":"a","b64":false}`), rsOnly, UnsupportedHeader},
		{"160_b64_false_critical", h(`{"alg":"RS256","kid":"a","b64":false,"crit":["b64"]}`), rsOnly, UnsupportedHeader},
		{"161_duplicate_alg", h(`{"alg":"none","alg":"RS256","kid":"a"}`), rsOnly, Malformed},
		{"161_duplicate_alg_escaped", h(`{"alg":"RS256","kid":"a","\u0061lg":"none"}`), rsOnly, Malformed},
		{"161_duplicate_unknown", h(`{"alg":"RS256","kid":"a","x":1,"x":1}`), rsOnly, Malformed},
		{"161_case_variant_is_another_name", h(`{"ALG":"RS256","kid":"a"}`), rsOnly, Malformed},
		{"162_flattened_json", `{"payload":"` + payload + `","protected":"` + header + `","signature":"` + signature + `"}`, rsOnly, Malformed},
		{"162_general_json", `{"payload":"` + payload + `","signatures":[{"protected":"` + header + `","signature":"` + signature + `"}]}`, rsOnly, Malformed},
		{"163_alg_unprotected", h(`{"kid":"a"}`), rsOnly, Malformed},
		{"164_polyglot_json_with_dots", `{"payload":"` + payload + `","x":"` + good + `"}`, rsOnly, NotCanonical},
		{"164_polyglot_two_dots", `{"protected":"` + header + `.` + payload + `.` + signature + `"}`, rsOnly, NotCanonical},
		{"165_leading_space", " " + good, rsOnly, NotCanonical},
		{"165_trailing_newline", good + "\n", rsOnly, NotCanonical},
		{"165_newline_in_header", raw(header[:8]+"\n"+header[8:], payload), rsOnly, NotCanonical},
		{"165_newline_in_payload", raw(header, payload[:8]+"\n"+payload[8:]), rsOnly, NotCanonical},
		{"165_return_in_signature", header + "." + payload + "." + signature[:8] + "\r" + signature[8:], rsOnly, NotCanonical},
		{"165_tab_in_payload", raw(header, payload[:8]+"\t"+payload[8:]), rsOnly, NotCanonical},
		{"166_padded_header", raw(e([]byte(looseHeader))+"==", e([]byte(loosePayload))), rsOnly, NotCanonical},
		{"166_padded_payload", raw(header, e([]byte(loosePayload))+"="), rsOnly, NotCanonical},
		{"166_padded_signature", good + "==", rsOnly, NotCanonical},
		{"166_loose_bits_in_header", raw(respell(e([]byte(looseHeader))), payload), rsOnly, NotCanonical},
		{"166_loose_bits_in_payload", raw(header, respell(e([]byte(loosePayload)))), rsOnly, NotCanonical},
		{"166_loose_bits_in_signature", header + "." + payload + "." + respell(signature), rsOnly, NotCanonical},
		{"166_standard_alphabet", raw(header, "e30/"), rsOnly, NotCanonical},
		{"166_impossible_length", raw(header, "e30e3"), rsOnly, NotCanonical},
		{"167_five_parts", good + "." + payload + "." + signature, rsOnly, Encrypted},
		{"167_encrypted", "eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..AAAA.AAAA.AAAA", rsOnly, Encrypted},
		{"167_enc_in_three_parts", h(`{"alg":"RS256","kid":"a","enc":"A128GCM"}`), rsOnly, Malformed},
		{"168_ps256_by_the_same_key", issue(t, "PS256", "a", rsaKey(), claims, nil), rsOnly, AlgNotAllowed},
		{"168_es256_by_another_key_of_the_set", issue(t, "ES256", "ec", p256Key(), claims, nil), rsOnly, AlgNotAllowed},
		{"168_nothing_agreed", good, nil, AlgNotAllowed},
		{"169_kid_path", h(`{"alg":"RS256","kid":"../../etc/passwd"}`), rsOnly, NoKey},
		{"169_kid_sql", h(`{"alg":"RS256","kid":"a' OR '1'='1"}`), rsOnly, NoKey},
		{"169_kid_nul", h(`{"alg":"RS256","kid":"a\u0000"}`), rsOnly, NoKey},
		{"169_kid_number", h(`{"alg":"RS256","kid":1}`), rsOnly, Malformed},
		{"169_kid_null", h(`{"alg":"RS256","kid":null}`), rsOnly, Malformed},
		{"169_kid_long", h(`{"alg":"RS256","kid":"` + strings.Repeat("k", MaxKeyID+1) + `"}`), rsOnly, TooLarge},
		{"169_kid_mebibyte", forge(`{"alg":"RS256","kid":"`+strings.Repeat("k", 1<<20)+`"}`, claims, []byte("x")), rsOnly, TooLarge},
		{"170_known_kid_wrong_key", issue(t, "RS256", "a", otherRSA(), claims, nil), rsOnly, BadSignature},
		{"171_es256_all_zero", es256(t, make([]byte, 64)), []string{"ES256"}, BadSignature},
		{"171_es256_der", es256(t, nil), []string{"ES256"}, BadSignature},
		{"171_es256_short", es256(t, make([]byte, 63)), []string{"ES256"}, BadSignature},
		{"171_es256_long", es256(t, make([]byte, 65)), []string{"ES256"}, BadSignature},
		{"171_es256_order_as_r", es256(t, append(p256Key().Params().N.Bytes(), p256Key().Params().N.Bytes()...)), []string{"ES256"}, BadSignature},
		{"171_es256_s_padded", es256(t, padded(t)), []string{"ES256"}, BadSignature},
		{"171_p384_key_under_es256", header2(`{"alg":"ES256","kid":"p384"}`, payload, signature), []string{"ES256"}, NoKey},
		{"171_rsa_signature_short", header + "." + payload + ".AAAA", rsOnly, BadSignature},
		{"171_signature_of_no_key", header + "." + payload + "." + strings.Repeat("A", 4000), rsOnly, BadSignature},
		{"172_two_signatures", good + "." + signature, rsOnly, Malformed},
		{"172_two_signatures_general_json", `{"payload":"` + payload + `","signatures":[{},{}]}`, rsOnly, Malformed},
		{"173_a_million_dots", strings.Repeat(".", 1_000_000), rsOnly, TooLarge},
		{"173_dots_within_the_bound", strings.Repeat(".", MaxToken), rsOnly, Malformed},
		{"173_header_of_10_mib", strings.Repeat("A", 10<<20) + "..", rsOnly, TooLarge},
		{"173_header_within_the_token_bound", strings.Repeat("A", maxHeader+1) + ".AAAA.AAAA", rsOnly, TooLarge},
		{"173_empty", "", rsOnly, Malformed},
		{"173_no_dot", "x", rsOnly, Malformed},
		{"173_empty_parts", "..", rsOnly, Malformed},
		{"174_header_null", h(`null`), rsOnly, Malformed},
		{"174_header_array", h(`[]`), rsOnly, Malformed},
		{"174_header_deep", h(`{"alg":"RS256","x":` + strings.Repeat("[", 2000) + strings.Repeat("]", 2000) + `}`), rsOnly, Malformed},
		{"174_header_trailing", h(`{"alg":"RS256"}{}`), rsOnly, Malformed},
		{"174_header_invalid_utf8", h("{\"alg\":\"RS256\",\"x\":\"\xff\"}"), rsOnly, Malformed},
		{"174_alg_number", h(`{"alg":256}`), rsOnly, Malformed},
		{"174_alg_list", h(`{"alg":["RS256"]}`), rsOnly, Malformed},
		{"174_typ_number", h(`{"alg":"RS256","kid":"a","typ":1}`), rsOnly, Malformed},
		{"174_payload_empty", raw(header, ""), rsOnly, Malformed},
		{"175_claims_of_a_forged_token", header + "." + e([]byte(`{"sub":"admin"}`)) + "." + signature, rsOnly, BadSignature},
		{"181_zip_in_a_signed_token", h(`{"alg":"RS256","kid":"a","zip":"DEF"}`), rsOnly, UnsupportedHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			v, err := set.Verify(c.token, c.algs)
			refused(t, err, c.want)
			if v != (Verified{}) {
				t.Fatal("something unverified was returned")
			}
			if len(err.Error()) > 512 {
				t.Fatalf("an error of %d bytes", len(err.Error()))
			}
			// Nothing of it was remembered: the good token is still good.
			verifies(t, set, good, "RS256")
		})
	}

	t.Run("155_hs256_without_a_secret", func(t *testing.T) {
		for _, s := range [][]byte{nil, {}, []byte("short")} {
			token := forge(`{"alg":"HS256"}`, claims, hmacOf(s, forge(`{"alg":"HS256"}`, claims, nil)))
			_, err := VerifyHMAC(token, s, []string{"HS256"})
			refused(t, err, WeakSecret)
		}
	})
	t.Run("157_jku_and_x5u_are_not_used", func(t *testing.T) {
		// Accepted, with our key: there is nothing in this package that fetches.
		token := h(`{"alg":"RS256","kid":"a","jku":"http://127.0.0.1/","x5u":"http://127.0.0.1/","x5c":["AAAA"],"x5t":"x"}`)
		verifies(t, set, token, "RS256")
	})
	t.Run("173_memory", func(t *testing.T) {
		token := strings.Repeat(".", 1_000_000)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 100 {
			_, _ = set.Verify(token, rsOnly)
			_, _ = PeekHeader(token)
			_, _, _ = Decrypt(token, nil, nil, nil)
		}
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 1<<20 {
			t.Fatalf("refusing it 300 times allocated %d bytes", got)
		}
	})
	t.Run("174_payload_as_it_is", func(t *testing.T) {
		// Not JSON's business here: the caller gets exactly what was signed.
		for _, text := range []string{"null", "[]", "1", strings.Repeat("[", 10_000), "\xff"} {
			if v := verifies(t, set, signRS256(t, `{"alg":"RS256","kid":"a"}`, text), "RS256"); string(v.Payload) != text {
				t.Fatalf("got %.20q, want %.20q", v.Payload, text)
			}
		}
	})
	t.Run("176_typ_is_told", func(t *testing.T) {
		for _, typ := range []string{"at+jwt", "application/at+jwt", "logout+jwt"} {
			if v := verifies(t, set, h(`{"alg":"RS256","kid":"a","typ":"`+typ+`"}`), "RS256"); v.Header.Type != typ {
				t.Fatalf("got %q, want %q", v.Header.Type, typ)
			}
		}
	})
}

// shifted is an EC key whose y has the last byte of x before it: the same point
// when the two are put together.
func shifted(key jwk) jwk {
	decode := func(name string) []byte { return must(base64.RawURLEncoding.DecodeString(key[name].(string))) }
	x, y := decode("x"), decode("y")
	key["x"] = base64.RawURLEncoding.EncodeToString(x[:31])
	key["y"] = base64.RawURLEncoding.EncodeToString(append(x[31:], y...))
	return key
}

func TestRSAExponents(t *testing.T) {
	for _, e := range []int64{3, 65537, 1<<24 + 1, 1<<31 - 1} {
		set := parseSet(t, publicKey(rsaKey(), "a", with("e", base64.RawURLEncoding.EncodeToString(big.NewInt(e).Bytes()))))
		if set.Len() != 1 {
			t.Errorf("e = %d: got %+v, want the key kept", e, set.Skipped())
		}
	}
}

// TestHeaderCause: a refused header says which rule of JSON it broke.
func TestHeaderCause(t *testing.T) {
	_, err := PeekHeader(forge(`{"alg":"none","alg":"RS256"}`, claims, nil))
	if e, ok := errors.AsType[*strictjson.Error](err); !ok || e.Kind != strictjson.DuplicateName {
		t.Fatalf("got %v, want %s", err, strictjson.DuplicateName)
	}
}

// header2 puts another header before a payload and signature.
func header2(header, payload, signature string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload + "." + signature
}

// embedded is a token that is signed with a key of its own, which it carries.
func embedded(t *testing.T) string {
	signer, err := gojose.NewSigner(gojose.SigningKey{Algorithm: gojose.RS256, Key: otherRSA()}, &gojose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	return must(must(signer.Sign([]byte(claims))).CompactSerialize())
}

// es256 is a token under ES256 with a given signature, or with a valid one in
// ASN.1 form if it is nil.
func es256(t *testing.T, signature []byte) string {
	token := issue(t, "ES256", "ec", p256Key(), claims, nil)
	dot := strings.LastIndexByte(token, '.')
	if signature == nil {
		rs := must(base64.RawURLEncoding.DecodeString(token[dot+1:]))
		signature = must(asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(rs[:32]), new(big.Int).SetBytes(rs[32:])}))
	}
	return token[:dot+1] + base64.RawURLEncoding.EncodeToString(signature)
}

// padded is a valid signature R || 0 || S, which a check of the numbers alone
// would accept.
func padded(t *testing.T) []byte {
	token := issue(t, "ES256", "ec", p256Key(), claims, nil)
	rs := must(base64.RawURLEncoding.DecodeString(token[strings.LastIndexByte(token, '.')+1:]))
	return slices.Concat(rs[:32], []byte{0}, rs[32:])
}

func TestSkippedKeyIsBounded(t *testing.T) {
	set := parseSet(t, publicKey(rsaKey(), strings.Repeat("k", 10_000), with("kty", strings.Repeat("t", 10_000))))
	s := set.Skipped()[0]
	if len(s.ID) > MaxKeyID || len(s.Type) > MaxKeyID || len(s.Detail) > MaxKeyID {
		t.Fatalf("got %d, %d and %d bytes", len(s.ID), len(s.Type), len(s.Detail))
	}
	if s := parseSet(t, publicKey(rsaKey(), "a", with("n", 1))).Skipped()[0]; s.ID != "a" || s.Type != "RSA" || s.Why != BrokenKey {
		t.Fatalf("got %+v, want it to name the key", s)
	}
	set = parseSet(t, publicKey(rsaKey(), "a", with("d", "AQAB")))
	_, err := set.Verify(issue(t, "RS256", "a", rsaKey(), claims, nil), []string{"RS256"})
	if err == nil || !bytes.Contains([]byte(err.Error()), []byte(PrivateKey)) {
		t.Fatalf("got %v, want it to say why the key is not used", err)
	}
}
