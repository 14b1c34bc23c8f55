package oidctest

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	refuseToken = "Refuse the ID Token."
	week        = 7 * 24 * 3600 // seconds
)

// signatureFaults are what can be wrong with the signature of an ID Token.
func signatureFaults() []behaviour {
	needsES := "a client registered for ES256, ES384 or ES512"
	return group("ID Token: signature", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: AlgNone, Title: "It is not signed: alg none", Section: "Core 3.1.3.7 (6)", Case: 150, Expect: refuseToken},
			token: unsign("none")},
		{FaultInfo: FaultInfo{Fault: AlgNoneOddCase, Title: "It is not signed: alg nOnE", Section: "RFC 7515 4.1.1", Case: 151, Expect: refuseToken},
			token: unsign("nOnE")},
		{FaultInfo: FaultInfo{Fault: SignatureStripped, Title: "The signature is cut off", Section: "RFC 7515 5.2", Case: 152, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string { return s[:strings.LastIndexByte(s, '.')+1] }},
		{FaultInfo: FaultInfo{Fault: SignatureWrong, Title: "One byte of the signature is wrong", Section: "RFC 7515 5.2", Case: 170, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string {
				return editSignature(s, func(sig []byte) []byte { sig[len(sig)/2] ^= 1; return sig })
			}},
		{FaultInfo: FaultInfo{Fault: PayloadChanged, Title: "The claims were changed after they were signed", Section: "RFC 7515 5.2", Case: 170, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string {
				parts := strings.Split(s, ".")
				claims, ok := payload(s)
				if len(parts) != 3 || !ok {
					return s
				}
				return parts[0] + "." + b64(firstMember(claims, `"admin":true`)) + "." + parts[2]
			}},
		{FaultInfo: FaultInfo{Fault: OtherKey, Title: "Another key signs under a known kid", Section: "RFC 7515 5.2", Case: 170, Expect: refuseToken},
			token: func(_ *exchange, d *draft) { byStranger(d) }},
		{FaultInfo: FaultInfo{Fault: SignedWithClientSecret, Title: "It is HS256 with the client secret", Section: "Core 3.1.3.7 (7)", Case: 153, Expect: "Refuse the ID Token: another algorithm is registered."},
			token: hmacWith(func(x *exchange, _ *draft) []byte { return []byte(x.client.Secret) })},
		{FaultInfo: FaultInfo{Fault: SignedWithHMAC, Title: "It is HS256 with the public key as PEM", Section: "RFC 8725 2.1", Case: 154, Expect: refuseToken},
			token: hmacWith(func(_ *exchange, d *draft) []byte {
				return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(d)})
			})},
		{FaultInfo: FaultInfo{Fault: SignedWithHMACOfDER, Title: "It is HS256 with the public key as DER", Section: "RFC 8725 2.1", Case: 154, Expect: refuseToken},
			token: hmacWith(func(_ *exchange, d *draft) []byte { return publicDER(d) })},
		{FaultInfo: FaultInfo{Fault: SignedWithHMACOfJWK, Title: "It is HS256 with the public key as JWK", Section: "RFC 8725 2.1", Case: 154, Expect: refuseToken},
			token: hmacWith(func(_ *exchange, d *draft) []byte {
				if d.key == nil {
					return nil
				}
				kid, _ := d.header["kid"].(string)
				m, err := signer{kid: kid, alg: family(d.alg), key: d.key}.jwk()
				if err != nil {
					return nil
				}
				b, err := json.Marshal(m)
				if err != nil {
					return nil
				}
				return b
			})},
		{FaultInfo: FaultInfo{Fault: SignedWithEmptySecret, Title: "It is HS256 with an empty key", Section: "RFC 7518 3.2", Case: 155, Expect: refuseToken},
			token: hmacWith(func(*exchange, *draft) []byte { return []byte{} })},
		{FaultInfo: FaultInfo{Fault: AlgUnregistered, Title: "The provider signs with an algorithm that was not agreed", Section: "Core 3.1.3.7 (7)", Case: 168, Expect: refuseToken},
			token: otherAlg},
		{FaultInfo: FaultInfo{Fault: EmbeddedKey, Title: "The header brings the key (jwk)", Section: "RFC 8725 3.10", Case: 156, Expect: "Refuse the ID Token; never use a key from a header."},
			token: func(_ *exchange, d *draft) {
				byStranger(d)
				if d.key == nil {
					return
				}
				if m, err := (signer{kid: "embedded", alg: family(d.alg), key: d.key}).jwk(); err == nil {
					d.header["jwk"], d.header["kid"] = m, "embedded"
				}
			}},
		{FaultInfo: FaultInfo{Fault: JKUHeader, Title: "The header names a key set (jku)", Section: "RFC 8725 3.10", Case: 157, Expect: "Refuse the ID Token; fetch nothing that a header names."},
			token: func(_ *exchange, d *draft) { byStranger(d); d.header["jku"] = attacker + "/jwks" }},
		{FaultInfo: FaultInfo{Fault: X5UHeader, Title: "The header names a certificate (x5u)", Section: "RFC 8725 3.10", Case: 157, Expect: "Refuse the ID Token; fetch nothing that a header names."},
			token: func(_ *exchange, d *draft) { byStranger(d); d.header["x5u"] = attacker + "/cert" }},
		{FaultInfo: FaultInfo{Fault: ECDSAZero, Title: "The ECDSA signature is all zero", Section: "RFC 7518 3.4", Case: 171, Expect: refuseToken, Needs: needsES},
			sealed: onlyES(func(sig []byte) []byte { return make([]byte, len(sig)) })},
		{FaultInfo: FaultInfo{Fault: ECDSADER, Title: "The ECDSA signature is DER", Section: "RFC 7518 3.4", Case: 171, Expect: refuseToken, Needs: needsES},
			sealed: onlyES(func(sig []byte) []byte {
				der, err := asn1.Marshal(struct{ R, S *big.Int }{new(big.Int).SetBytes(sig[:len(sig)/2]), new(big.Int).SetBytes(sig[len(sig)/2:])})
				if err != nil {
					return nil
				}
				return der
			})},
		{FaultInfo: FaultInfo{Fault: ECDSAShort, Title: "The ECDSA signature is one byte short", Section: "RFC 7518 3.4", Case: 171, Expect: refuseToken, Needs: needsES},
			sealed: onlyES(func(sig []byte) []byte { return sig[:len(sig)-1] })},
	})
}

// headerFaults are what can be wrong with the envelope of an ID Token.
func headerFaults() []behaviour {
	return group("ID Token: envelope", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: KidMissing, Title: "There is no kid", Section: "RFC 7515 4.1.4", Case: 59, Expect: "Try the few keys that fit.", Harmless: true},
			token: func(_ *exchange, d *draft) { delete(d.header, "kid") }},
		{FaultInfo: FaultInfo{Fault: KidUnknown, Title: "The kid is nobody's", Section: "Core 10.1.1", Case: 43, Expect: "Fetch the key set once, then refuse; not once per token."},
			token: headerParam("kid", "never-published")},
		{FaultInfo: FaultInfo{Fault: KidHostile, Title: "The kid is a path and a query", Section: "RFC 8725 3.10", Case: 169, Expect: "Refuse the ID Token; a kid is compared and nothing else."},
			token: headerParam("kid", "../../../../dev/null\x00' OR '1'='1")},
		{FaultInfo: FaultInfo{Fault: KidNumber, Title: "The kid is a number", Section: "RFC 7515 4.1.4", Case: 169, Expect: refuseToken},
			token: headerParam("kid", 7)},
		{FaultInfo: FaultInfo{Fault: KidHuge, Title: "The kid has 100 000 characters", Section: "RFC 7515 4.1.4", Case: 169, Expect: refuseToken},
			token: headerParam("kid", strings.Repeat("k", 100_000))},
		{FaultInfo: FaultInfo{Fault: CritUnknown, Title: "A critical header parameter is unknown", Section: "RFC 7515 4.1.11", Case: 158, Expect: refuseToken},
			token: func(_ *exchange, d *draft) { d.header["crit"], d.header["urn:x"] = list("urn:x"), true }},
		{FaultInfo: FaultInfo{Fault: CritEmpty, Title: "The list of critical header parameters is empty", Section: "RFC 7515 4.1.11", Case: 159, Expect: refuseToken},
			token: headerParam("crit", []any{})},
		{FaultInfo: FaultInfo{Fault: B64False, Title: "The payload is not encoded (b64 false)", Section: "RFC 7797 7", Case: 160, Expect: refuseToken},
			token: func(_ *exchange, d *draft) { d.header["crit"], d.header["b64"] = list("b64"), false }},
		{FaultInfo: FaultInfo{Fault: HeaderDuplicate, Title: "The header has two alg", Section: "RFC 7515 4", Case: 161, Expect: refuseToken},
			token: func(_ *exchange, d *draft) {
				d.editHeader(func(b []byte) []byte { return firstMember(b, `"alg":"none"`) })
			}},
		{FaultInfo: FaultInfo{Fault: JSONSerialization, Title: "It is in the JSON serialization", Section: "RFC 7519 1", Case: 162, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string { return jsonForm(s, "") }},
		{FaultInfo: FaultInfo{Fault: AlgUnprotected, Title: "The alg is in an unprotected header", Section: "RFC 7515 7.2", Case: 163, Expect: refuseToken},
			sealed: func(_ *exchange, d *draft, s string) string {
				parts := strings.Split(s, ".")
				if len(parts) != 3 {
					return s
				}
				sig, err := signBytes(d.alg, d.key, d.secret, []byte("."+parts[1]))
				header, err2 := json.Marshal(d.header)
				if err != nil || err2 != nil {
					return s
				}
				return `{"payload":"` + parts[1] + `","header":` + string(header) + `,"signature":"` + b64(sig) + `"}`
			}},
		{FaultInfo: FaultInfo{Fault: Polyglot, Title: "Two parsers read two different tokens in it", Section: "RFC 7519 7.2", Case: 164, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string {
				claims, ok := payload(s)
				parts := strings.Split(s, ".")
				if !ok || len(parts) != 3 {
					return s
				}
				forged := parts[0] + "." + b64(firstMember(claims, `"admin":true`)) + "."
				return jsonForm(s, `"  `+forged+`":"",`)
			}},
		{FaultInfo: FaultInfo{Fault: TokenWhitespace, Title: "There is a line break in it", Section: "RFC 7515 2", Case: 165, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string { return strings.Replace(s, ".", ".\n", 1) }},
		{FaultInfo: FaultInfo{Fault: TokenPadding, Title: "Its base64 is padded", Section: "RFC 7515 2", Case: 166, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string { return s + "==" }},
		{FaultInfo: FaultInfo{Fault: TokenNonCanonical, Title: "Unused bits of its base64 are set", Section: "RFC 4648 3.5", Case: 166, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string { return setUnusedBits(s) }},
		{FaultInfo: FaultInfo{Fault: EncryptedUnasked, Title: "It is encrypted though that was not agreed", Section: "Core 3.1.3.7 (1)", Case: 167, Expect: refuseToken},
			sealed: func(x *exchange, _ *draft, s string) string {
				k, err := x.op.keys.signer("RSA")
				if err != nil {
					return s
				}
				e, err := jose.NewEncrypter(jose.A256GCM, jose.Recipient{Algorithm: jose.RSA_OAEP_256, Key: k.key.Public()}, (&jose.EncrypterOptions{}).WithContentType("JWT"))
				if err != nil {
					return s
				}
				jwe, err := e.Encrypt([]byte(s))
				if err != nil {
					return s
				}
				if out, err := jwe.CompactSerialize(); err == nil {
					return out
				}
				return s
			}},
		{FaultInfo: FaultInfo{Fault: EncryptedPBES2, Title: "It is encrypted with 2 147 483 647 rounds of PBES2", Section: "RFC 8725 3.2", Case: 180, Expect: "Refuse the ID Token before a single round."},
			sealed: func(*exchange, *draft, string) string {
				header := `{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"c2FsdHNhbHRzYWx0","p2c":2147483647}`
				return b64([]byte(header)) + "." + b64(make([]byte, 24)) + "." + b64(make([]byte, 12)) + "." + b64([]byte("{}")) + "." + b64(make([]byte, 16))
			}},
		{FaultInfo: FaultInfo{Fault: EncryptedEmptyKey, Title: "It is encrypted with an empty key and a short tag", Section: "RFC 7516 5.2", Case: 182, Expect: refuseToken},
			sealed: func(*exchange, *draft, string) string {
				return b64([]byte(`{"alg":"RSA-OAEP-256","enc":"A128GCM"}`)) + "..." + b64([]byte("{}")) + ".AA"
			}},
		{FaultInfo: FaultInfo{Fault: TwoSignatures, Title: "It has two signatures", Section: "RFC 7519 1", Case: 172, Expect: refuseToken},
			sealed: func(_ *exchange, _ *draft, s string) string {
				parts := strings.Split(s, ".")
				if len(parts) != 3 {
					return s
				}
				one := `{"protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`
				return `{"payload":"` + parts[1] + `","signatures":[` + one + "," + one + "]}"
			}},
		{FaultInfo: FaultInfo{Fault: TokenManyDots, Title: "It is 500 000 dots", Section: "RFC 7515 7.1", Case: 173, Expect: "Refuse the ID Token without splitting it."},
			sealed: func(*exchange, *draft, string) string { return strings.Repeat(".", 500_000) }},
		{FaultInfo: FaultInfo{Fault: HeaderHuge, Title: "Its header has 500 000 bytes", Section: "RFC 7515 4", Case: 173, Expect: refuseToken},
			token: headerParam("padding", strings.Repeat("x", 500_000))},
		{FaultInfo: FaultInfo{Fault: PayloadNull, Title: "Its payload is null", Section: "RFC 7519 7.2", Case: 174, Expect: refuseToken},
			token: payloadOf("null")},
		{FaultInfo: FaultInfo{Fault: PayloadArray, Title: "Its payload is an array", Section: "RFC 7519 7.2", Case: 174, Expect: refuseToken},
			token: payloadOf("[]")},
		{FaultInfo: FaultInfo{Fault: PayloadNumber, Title: "Its payload is a number", Section: "RFC 7519 7.2", Case: 174, Expect: refuseToken},
			token: payloadOf("7")},
		{FaultInfo: FaultInfo{Fault: PayloadDeep, Title: "Its payload is nested 20 000 times", Section: "RFC 8259 9", Case: 174, Expect: refuseToken},
			token: func(_ *exchange, d *draft) {
				d.editClaims(func(b []byte) []byte {
					return firstMember(b, `"deep":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000))
				})
			}},
		{FaultInfo: FaultInfo{Fault: TypAccessToken, Title: "It is an access token (typ at+jwt)", Section: "RFC 8725 3.11", Case: 176, Expect: refuseToken},
			token: headerParam("typ", "at+jwt")},
		{FaultInfo: FaultInfo{Fault: TypLogoutToken, Title: "It is a logout token (typ logout+jwt)", Section: "RFC 8725 3.11", Case: 177, Expect: refuseToken},
			token: headerParam("typ", "logout+jwt")},
		{FaultInfo: FaultInfo{Fault: EventsClaim, Title: "It has the events of a logout token", Section: "Back-Channel Logout 2.4", Case: 177, Expect: refuseToken},
			token: claim("events", map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}})},
	})
}

// claimFaults are what can be wrong with who issued an ID Token, for whom and
// about whom.
func claimFaults() []behaviour {
	return group("ID Token: claims", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: IDTokenIssOther, Title: "The issuer is another one", Section: "Core 3.1.3.7 (2)", Case: 187, Expect: refuseToken},
			token: claim("iss", attacker)},
		{FaultInfo: FaultInfo{Fault: IDTokenIssTrailingSlash, Title: "The issuer has one slash more", Section: "Core 3.1.3.7 (2)", Case: 188, Expect: refuseToken},
			token: func(x *exchange, d *draft) { d.claims["iss"] = x.op.Issuer + "/" }},
		{FaultInfo: FaultInfo{Fault: IDTokenIssMissing, Title: "There is no issuer", Section: "Core 2", Case: 189, Expect: refuseToken},
			token: noClaim("iss")},
		{FaultInfo: FaultInfo{Fault: AudOther, Title: "It is for another client", Section: "Core 3.1.3.7 (3)", Case: 190, Expect: refuseToken},
			token: claim("aud", "another-client")},
		{FaultInfo: FaultInfo{Fault: AudMissing, Title: "There is no audience", Section: "Core 2", Case: 191, Expect: refuseToken},
			token: noClaim("aud")},
		{FaultInfo: FaultInfo{Fault: AudNull, Title: "The audience is null", Section: "Core 2", Case: 191, Expect: refuseToken},
			token: claim("aud", nil)},
		{FaultInfo: FaultInfo{Fault: AudObject, Title: "The audience is an object", Section: "Core 2", Case: 191, Expect: refuseToken},
			token: func(x *exchange, d *draft) { d.claims["aud"] = map[string]any{x.client.ID: true} }},
		{FaultInfo: FaultInfo{Fault: AudEmpty, Title: "The audience is an empty list", Section: "Core 2", Case: 191, Expect: refuseToken},
			token: claim("aud", []any{})},
		{FaultInfo: FaultInfo{Fault: AudNumbers, Title: "The audience is a list of numbers", Section: "Core 2", Case: 191, Expect: refuseToken},
			token: claim("aud", []any{1, 2})},
		{FaultInfo: FaultInfo{Fault: AudAsArray, Title: "The audience is a list of one", Section: "Core 2", Expect: "Accept it.", Harmless: true},
			token: func(x *exchange, d *draft) { d.claims["aud"] = list(x.client.ID) }},
		{FaultInfo: FaultInfo{Fault: AudExtraNoAzp, Title: "There is a second audience and no azp", Section: "Core 3.1.3.7 (3)", Case: 192, Expect: refuseToken},
			token: func(x *exchange, d *draft) { d.claims["aud"] = list(x.client.ID, "another-client") }},
		{FaultInfo: FaultInfo{Fault: AudExtraAzp, Title: "There is a second audience, and the azp is ours", Section: "Core 3.1.3.7 (3)", Case: 193, Expect: "Refuse the ID Token unless the other audience is trusted."},
			token: func(x *exchange, d *draft) {
				d.claims["aud"], d.claims["azp"] = list(x.client.ID, "another-client"), x.client.ID
			}},
		{FaultInfo: FaultInfo{Fault: AzpOther, Title: "The azp is another client", Section: "Core 3.1.3.7 (5)", Case: 194, Expect: refuseToken},
			token: claim("azp", "another-client")},
		{FaultInfo: FaultInfo{Fault: AudOtherAzpOurs, Title: "It is for another client, and the azp is ours", Section: "Core 3.1.3.7 (3)", Case: 195, Expect: refuseToken},
			token: func(x *exchange, d *draft) { d.claims["aud"], d.claims["azp"] = "another-client", x.client.ID }},
		{FaultInfo: FaultInfo{Fault: NonceMissing, Title: "The nonce is missing", Section: "Core 3.1.3.7 (11)", Case: 205, Expect: refuseToken},
			token: noClaim("nonce")},
		{FaultInfo: FaultInfo{Fault: NonceWrong, Title: "The nonce is another one", Section: "Core 3.1.3.7 (11)", Case: 206, Expect: refuseToken},
			token: func(_ *exchange, d *draft) {
				if n, ok := d.claims["nonce"].(string); ok {
					d.claims["nonce"] = n + "1"
				}
			}},
		{FaultInfo: FaultInfo{Fault: NonceNumber, Title: "The nonce is a number", Section: "Core 2", Case: 206, Expect: refuseToken},
			token: claim("nonce", 7)},
		{FaultInfo: FaultInfo{Fault: SubMissing, Title: "There is no subject", Section: "Core 2", Case: 208, Expect: refuseToken},
			token: noClaim("sub")},
		{FaultInfo: FaultInfo{Fault: SubEmpty, Title: "The subject is empty", Section: "Core 2", Case: 209, Expect: refuseToken},
			token: claim("sub", "")},
		{FaultInfo: FaultInfo{Fault: SubNumber, Title: "The subject is a number", Section: "Core 2", Case: 210, Expect: refuseToken},
			token: claim("sub", 248289761001)},
		{FaultInfo: FaultInfo{Fault: SubLong, Title: "The subject has 256 characters", Section: "Core 2", Case: 211, Expect: refuseToken},
			token: claim("sub", strings.Repeat("s", 256))},
		{FaultInfo: FaultInfo{Fault: SubDuplicate, Title: "There are two subjects", Section: "RFC 7519 4", Case: 212, Expect: refuseToken},
			token: firstClaim(`"sub":"somebody-else"`)},
		{FaultInfo: FaultInfo{Fault: SubCaseVariant, Title: "SUB stands beside sub", Section: "RFC 7519 4", Case: 213, Expect: "Look at the exact name alone.", Harmless: true},
			token: claim("SUB", "somebody-else")},
		{FaultInfo: FaultInfo{Fault: SubLongS, Title: "A claim that folds to sub stands beside it (ſub)", Section: "RFC 7519 4", Case: 214, Expect: "Look at the exact name alone.", Harmless: true},
			token: claim("ſub", "somebody-else")},
		{FaultInfo: FaultInfo{Fault: ClaimInvalidUTF8, Title: "A claim is not UTF-8", Section: "RFC 8259 8.1", Case: 215, Expect: refuseToken},
			token: firstClaim("\"name\":\"\xff\xfe\"")},
		{FaultInfo: FaultInfo{Fault: ClaimLoneSurrogate, Title: "A claim has half a surrogate pair", Section: "RFC 8259 8.2", Case: 215, Expect: refuseToken},
			token: firstClaim(`"name":"\ud800"`)},
		{FaultInfo: FaultInfo{Fault: ACROther, Title: "The acr is not one that was asked for", Section: "Core 3.1.3.7 (12)", Case: 224, Expect: refuseToken, Needs: "an essential acr in the claims parameter"},
			token: claim("acr", "0")},
		{FaultInfo: FaultInfo{Fault: ACRMissing, Title: "There is no acr", Section: "Core 5.5.1.1", Case: 224, Expect: refuseToken, Needs: "an essential acr in the claims parameter"},
			token: noClaim("acr")},
	})
}

// timeFaults are what can be wrong with the times of an ID Token.
func timeFaults() []behaviour {
	after := func(name string, seconds int64) func(*exchange, *draft) {
		return func(x *exchange, d *draft) { d.claims[name] = x.now.Unix() + seconds }
	}
	maxAge := "max_age in the request"
	return group("ID Token: times", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: ExpPast, Title: "It has expired", Section: "Core 3.1.3.7 (9)", Case: 196, Expect: refuseToken},
			token: after("exp", -3600)},
		{FaultInfo: FaultInfo{Fault: ExpMissing, Title: "There is no exp", Section: "Core 2", Case: 197, Expect: refuseToken},
			token: noClaim("exp")},
		{FaultInfo: FaultInfo{Fault: ExpString, Title: "The exp is a string", Section: "RFC 7519 2", Case: 198, Expect: refuseToken},
			token: claim("exp", "4102444800")},
		{FaultInfo: FaultInfo{Fault: ExpHuge, Title: "The exp is 1e18", Section: "RFC 7519 4.1.4", Case: 199, Expect: "Refuse it or clamp it; never wrap."},
			token: claim("exp", json.RawMessage("1e18"))},
		{FaultInfo: FaultInfo{Fault: ExpOverflow, Title: "The exp is 1e400", Section: "RFC 7519 4.1.4", Case: 199, Expect: refuseToken},
			token: claim("exp", json.RawMessage("1e400"))},
		{FaultInfo: FaultInfo{Fault: ExpNegative, Title: "The exp is -1", Section: "RFC 7519 4.1.4", Case: 199, Expect: refuseToken},
			token: claim("exp", -1)},
		{FaultInfo: FaultInfo{Fault: IatMissing, Title: "There is no iat", Section: "Core 2", Case: 201, Expect: refuseToken},
			token: noClaim("iat")},
		{FaultInfo: FaultInfo{Fault: IatFuture, Title: "It was issued tomorrow", Section: "Core 3.1.3.7 (10)", Case: 202, Expect: refuseToken},
			token: func(x *exchange, d *draft) { after("iat", 24*3600)(x, d); after("exp", 25*3600)(x, d) }},
		{FaultInfo: FaultInfo{Fault: IatOld, Title: "It was issued a week ago and is still valid", Section: "Core 3.1.3.7 (10)", Case: 203, Expect: "Refuse it by an age of your own."},
			token: after("iat", -week)},
		{FaultInfo: FaultInfo{Fault: NbfFuture, Title: "It is valid from tomorrow on", Section: "RFC 7519 4.1.5", Case: 204, Expect: refuseToken},
			token: after("nbf", 24*3600)},
		{FaultInfo: FaultInfo{Fault: AuthTimeMissing, Title: "There is no auth_time", Section: "Core 3.1.3.7 (13)", Case: 223, Expect: refuseToken, Needs: maxAge},
			token: noClaim("auth_time")},
		{FaultInfo: FaultInfo{Fault: AuthTimeOld, Title: "The login was too long ago", Section: "Core 3.1.3.7 (13)", Case: 223, Expect: refuseToken, Needs: maxAge},
			token: after("auth_time", -week)},
		{FaultInfo: FaultInfo{Fault: AuthTimeFuture, Title: "The login will be tomorrow", Section: "Core 3.1.3.7 (13)", Case: 223, Expect: refuseToken, Needs: maxAge},
			token: after("auth_time", 24*3600)},
		{FaultInfo: FaultInfo{Fault: AuthTimeString, Title: "The auth_time is a string", Section: "Core 2", Case: 223, Expect: refuseToken, Needs: maxAge},
			token: claim("auth_time", "yesterday")},
	})
}

// hashFaults are what can be wrong with what ties an ID Token to its code and
// its access token.
func hashFaults() []behaviour {
	const before = "Refuse the response; make no token request."
	wrong := func(name string) func(*exchange, *draft) {
		return func(_ *exchange, d *draft) {
			if s, ok := d.claims[name].(string); ok {
				d.claims[name] = leftHash(d.alg, s)
			}
		}
	}
	back := func(f func(*draft)) func(*exchange, *draft) {
		return func(_ *exchange, d *draft) {
			if d.afterFront && !d.front && !d.refresh {
				f(d)
			}
		}
	}
	return group("ID Token: hashes and pairs", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: ATHashWrong, Title: "The at_hash is of another access token", Section: "Core 3.1.3.8", Case: 216, Expect: refuseToken},
			token: wrong("at_hash")},
		{FaultInfo: FaultInfo{Fault: ATHashNumber, Title: "The at_hash is a number", Section: "Core 3.1.3.6", Case: 217, Expect: refuseToken},
			token: func(_ *exchange, d *draft) {
				if _, ok := d.claims["at_hash"]; ok {
					d.claims["at_hash"] = 7
				}
			}},
		{FaultInfo: FaultInfo{Fault: ATHashMissing, At: EndpointAuthorization, Title: "The at_hash is missing", Section: "Core 3.2.2.10", Case: 220, Expect: "Refuse the response; ask for no UserInfo.", ResponseType: "id_token token"},
			token: func(_ *exchange, d *draft) {
				if d.front {
					delete(d.claims, "at_hash")
				}
			}},
		{FaultInfo: FaultInfo{Fault: CHashWrong, At: EndpointAuthorization, Title: "The c_hash is of another code", Section: "Core 3.3.2.10", Case: 219, Expect: before, ResponseType: "code id_token"},
			token: wrong("c_hash")},
		{FaultInfo: FaultInfo{Fault: CHashNumber, At: EndpointAuthorization, Title: "The c_hash is a number", Section: "Core 3.3.2.11", Case: 219, Expect: before, ResponseType: "code id_token"},
			token: func(_ *exchange, d *draft) {
				if _, ok := d.claims["c_hash"]; ok {
					d.claims["c_hash"] = 7
				}
			}},
		{FaultInfo: FaultInfo{Fault: CHashMissing, At: EndpointAuthorization, Title: "The c_hash is missing", Section: "Core 3.3.2.11", Case: 220, Expect: before, ResponseType: "code id_token"},
			token: noClaim("c_hash")},
		{FaultInfo: FaultInfo{Fault: SecondSubjectOther, Title: "The token endpoint's ID Token is about another person", Section: "Core 3.3.3.6", Case: 222, Expect: refuseToken, ResponseType: "code id_token"},
			token: back(func(d *draft) { d.claims["sub"] = "somebody-else" })},
		{FaultInfo: FaultInfo{Fault: SecondIssuerOther, Title: "The token endpoint's ID Token is by another issuer", Section: "Core 3.3.3.6", Case: 222, Expect: refuseToken, ResponseType: "code id_token"},
			token: back(func(d *draft) { d.claims["iss"] = attacker })},
		{FaultInfo: FaultInfo{Fault: SecondNonceOther, Title: "The token endpoint's ID Token has another nonce", Section: "Core 3.3.3.7", Case: 206, Expect: refuseToken, ResponseType: "code id_token"},
			token: back(func(d *draft) { d.claims["nonce"] = "another-nonce" })},
	})
}

// unsign removes the signature.
func unsign(alg string) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) {
		d.alg, d.header["alg"] = "", alg
		delete(d.header, "kid")
	}
}

// otherAlg signs with another key of the OP.
func otherAlg(x *exchange, d *draft) {
	alg := "ES256"
	if d.alg == alg {
		alg = "EdDSA"
	}
	if s, err := x.op.keys.signer(family(alg)); err == nil {
		d.alg, d.key, d.secret = alg, s.key, nil
		d.header["alg"], d.header["kid"] = alg, s.kid
	}
}

// hmacWith makes the signature HS256.
func hmacWith(secret func(*exchange, *draft) []byte) func(*exchange, *draft) {
	return func(x *exchange, d *draft) {
		if d.key == nil {
			return // it is HMAC already
		}
		d.secret = secret(x, d)
		d.alg, d.header["alg"] = "HS256", "HS256"
	}
}

// publicDER is the public key of a draft as SubjectPublicKeyInfo.
func publicDER(d *draft) []byte {
	if d.key == nil {
		return nil
	}
	der, err := x509.MarshalPKIXPublicKey(d.key.Public())
	if err != nil {
		return nil
	}
	return der
}

// firstClaim puts a member in front of the claims.
func firstClaim(member string) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) {
		d.editClaims(func(b []byte) []byte { return firstMember(b, member) })
	}
}

// payloadOf replaces the claims by other JSON.
func payloadOf(text string) func(*exchange, *draft) {
	return func(_ *exchange, d *draft) { d.editClaims(func([]byte) []byte { return []byte(text) }) }
}

// payload is the decoded payload of a compact JWS.
func payload(s string) ([]byte, bool) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return nil, false
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	return b, err == nil
}

// editSignature changes the signature of a compact JWS.
func editSignature(s string, f func([]byte) []byte) string {
	i := strings.LastIndexByte(s, '.')
	sig, err := base64.RawURLEncoding.DecodeString(s[i+1:])
	if err != nil || len(sig) == 0 {
		return s
	}
	return s[:i+1] + b64(f(sig))
}

// onlyES changes the signature if it is ECDSA.
func onlyES(f func([]byte) []byte) func(*exchange, *draft, string) string {
	return func(_ *exchange, d *draft, s string) string {
		if len(d.alg) != 5 || d.alg[:2] != "ES" {
			return s
		}
		return editSignature(s, f)
	}
}

// jsonForm is the flattened JSON serialization of a compact JWS (RFC 7515,
// section 7.2.2), with members before the others.
func jsonForm(s, members string) string {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return s
	}
	return `{` + members + `"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`
}

// setUnusedBits changes a compact JWS and not what lenient decoders read in
// it: the last character of a segment has bits that stand for nothing.
func setUnusedBits(s string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	parts := strings.Split(s, ".")
	for i := len(parts) - 1; i >= 0; i-- {
		p := parts[i]
		if len(p)%4 == 0 || p == "" {
			continue
		}
		last := strings.IndexByte(alphabet, p[len(p)-1])
		if last < 0 {
			return s
		}
		parts[i] = p[:len(p)-1] + string(alphabet[last|1])
		return strings.Join(parts, ".")
	}
	return s
}
