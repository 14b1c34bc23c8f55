package oidctest

import (
	"crypto"
	"maps"
	"net/http"
	"slices"
)

// keyFaults are what can be wrong with the key set and with its timing.
func keyFaults() []behaviour {
	const setType = "application/jwk-set+json"
	// each edits every key; first and last add one.
	each := func(f func(map[string]any)) func(*exchange, map[string]any) {
		return func(_ *exchange, m map[string]any) {
			for _, k := range keysOf(m) {
				f(k)
			}
		}
	}
	first := func(k map[string]any) func(*exchange, map[string]any) {
		return func(_ *exchange, m map[string]any) {
			keys, _ := m["keys"].([]any)
			m["keys"] = append([]any{k}, keys...)
		}
	}
	const point = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"
	return group("Keys", EndpointJWKS, []behaviour{
		{FaultInfo: FaultInfo{Fault: JWKSEndless, Title: "The key set never ends", Section: "RFC 7517 5", Case: 41, Expect: "Stop at a limit."},
			reply: endless(setType)},
		{FaultInfo: FaultInfo{Fault: JWKSSlow, Title: "The key set comes byte by byte", Section: "RFC 7517 5", Case: 42, Expect: "Stop at a deadline of its own."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: JWKSUseEnc, Title: "Every key is for encryption", Section: "RFC 7517 4.2", Case: 47, Expect: "Verify no signature with them."},
			doc: each(func(k map[string]any) { k["use"] = "enc" })},
		{FaultInfo: FaultInfo{Fault: JWKSNoVerify, Title: "No key is for verifying (key_ops)", Section: "RFC 7517 4.3", Case: 48, Expect: "Verify no signature with them."},
			doc: each(func(k map[string]any) { delete(k, "use"); k["key_ops"] = list("encrypt", "wrapKey") })},
		{FaultInfo: FaultInfo{Fault: JWKSOtherAlg, Title: "Every key is for another algorithm", Section: "RFC 7517 4.4", Case: 49, Expect: "Verify no signature with them."},
			doc: each(func(k map[string]any) { k["alg"] = "RSA-OAEP-256" })},
		{FaultInfo: FaultInfo{Fault: JWKSWeakRSA, Title: "The RSA key has 1024 bits", Section: "RFC 7518 3.3", Case: 50, Expect: "Refuse the key."},
			doc: each(func(k map[string]any) {
				if n, ok := k["n"].(string); ok {
					k["n"] = n[:min(len(n), 170)] + "E"
				}
			})},
		{FaultInfo: FaultInfo{Fault: JWKSPrivateKey, Title: "A private key is published", Section: "RFC 7517 9.2", Case: 51, Expect: "Refuse the key and raise an alarm."},
			doc: each(func(k map[string]any) { k["d"] = point })},
		{FaultInfo: FaultInfo{Fault: JWKSSymmetric, Title: "A symmetric key is published", Section: "RFC 7518 6.4", Case: 52, Expect: "Ignore it; it is never a key for HMAC.", Harmless: true},
			doc: first(map[string]any{"kty": "oct", "k": point, "kid": "symmetric", "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSMalformedKey, Title: "One RSA key has no modulus", Section: "RFC 7517 5", Case: 53, Expect: "Use the other keys.", Harmless: true},
			doc: first(map[string]any{"kty": "RSA", "e": "AQAB", "n": "", "kid": "malformed", "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSOffCurve, Title: "One key is not on its curve", Section: "RFC 7518 6.2.1", Case: 54, Expect: "Use the other keys.", Harmless: true},
			doc: first(map[string]any{"kty": "EC", "crv": "P-256", "x": point, "y": point, "kid": "off-curve", "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSUnknownType, Title: "One key has an unknown type", Section: "RFC 7517 5", Case: 55, Expect: "Use the other keys.", Harmless: true},
			doc: first(map[string]any{"kty": "AKP", "alg": "ML-DSA-65", "pub": point, "kid": "new", "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSUnknownCurve, Title: "One key has an unknown curve", Section: "RFC 7517 5", Case: 56, Expect: "Use the other keys.", Harmless: true},
			doc: first(map[string]any{"kty": "EC", "crv": "secp256k1", "x": point, "y": point, "kid": "bitcoin", "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSKidNumber, Title: "One kid is a number", Section: "RFC 7517 4.5", Case: 57, Expect: "Use the other keys.", Harmless: true},
			doc: first(map[string]any{"kty": "RSA", "e": "AQAB", "n": point, "kid": 7, "use": keyUse})},
		{FaultInfo: FaultInfo{Fault: JWKSDuplicateKid, Title: "Each kid is there twice, first with another key", Section: "RFC 7517 4.5", Case: 58, Expect: "Try the keys of that kid that fit.", Harmless: true},
			doc: func(x *exchange, m map[string]any) {
				var twins []any
				for _, k := range keysOf(m) {
					twin := maps.Clone(k)
					if s := (signer{key: strangerKey(keyAlg(k)), alg: keyAlg(k)}); s.key != nil {
						s.kid, _ = k["kid"].(string)
						if j, err := s.jwk(); err == nil {
							twin = j
							if keyAlg(k) == "RS256" {
								delete(twin, "alg")
							}
						}
					}
					twins = append(twins, twin, k)
				}
				m["keys"] = twins
			}},
		{FaultInfo: FaultInfo{Fault: JWKSEmpty, Title: "The key set is empty", Section: "RFC 7517 5", Case: 60, Expect: "Refuse every token."},
			doc: set("keys", []any{})},
		{FaultInfo: FaultInfo{Fault: JWKSNoKeys, Title: "The key set has no member keys", Section: "RFC 7517 5.1", Expect: "Refuse the key set."},
			doc: drop("keys")},
		{FaultInfo: FaultInfo{Fault: KeyRotatedBeforeSigning, At: EndpointToken, Title: "The keys are replaced just before each signature", Section: "Core 10.1.1", Case: 61, Expect: "Fetch the key set once more for the unknown kid, then accept.", Harmless: true},
			token: func(x *exchange, d *draft) {
				if d.key == nil {
					return
				}
				x.op.RotateKeys()
				x.op.WithdrawKeys()
				if s, err := x.op.keys.signer(family(d.alg)); err == nil {
					d.key, d.header["kid"] = s.key, s.kid
				}
			}},
		{FaultInfo: FaultInfo{Fault: SameKidNewKey, At: EndpointToken, Title: "A new key signs under the kid of the old one", Section: "RFC 7517 4.5", Case: 62, Expect: "Fetch the key set once more, then accept.", Harmless: true},
			token: func(x *exchange, d *draft) {
				if d.key != nil {
					d.key = x.op.keys.replace(family(d.alg), strangerKey(d.alg))
				}
			}},
		{FaultInfo: FaultInfo{Fault: JWKSUnavailable, Title: "The key set cannot be had (503)", Section: "RFC 9110 15.6.4", Case: 64, Expect: "Verify with the keys at hand; without any, fail and try again later."},
			reply: body(http.StatusServiceUnavailable, "text/plain", "down for maintenance")},
		{FaultInfo: FaultInfo{Fault: JWKSRedirectInside, Title: "A redirect leads to an internal address", Section: "RFC 9700 4.11", Case: 65, Expect: "Do not follow it."},
			reply: redirectTo(http.StatusFound, func(*exchange) string { return "http://169.254.169.254/latest/meta-data/" })},
		{FaultInfo: FaultInfo{Fault: JWKSHTML, Title: "A page comes in place of the key set", Section: "RFC 7517 8.5", Case: 66, Expect: "Refuse it and repeat nothing of it."},
			reply: body(http.StatusOK, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: JWKSExponentOne, Title: "The RSA exponent is 1", Section: "RFC 8017 3.1", Case: 67, Expect: "Refuse the key."},
			doc: each(func(k map[string]any) {
				if _, ok := k["e"]; ok {
					k["e"] = "AQ"
				}
			})},
		{FaultInfo: FaultInfo{Fault: JWKSManyKeys, Title: "The set has 2 000 keys", Section: "RFC 7517 5", Case: 68, Expect: "Keep at most a hundred."},
			doc: func(_ *exchange, m map[string]any) {
				keys, _ := m["keys"].([]any)
				m["keys"] = append(slices.Repeat([]any{map[string]any{"kty": "EC", "crv": "P-256", "x": point, "y": point, "use": keyUse}}, 2000), keys...)
			}},
		{FaultInfo: FaultInfo{Fault: JWKSWrongX5C, Title: "The certificates of the keys are nonsense", Section: "RFC 7517 4.7", Case: 71, Expect: "Ignore them.", Harmless: true},
			doc: each(func(k map[string]any) { k["x5c"] = list("bm90IGEgY2VydGlmaWNhdGU="); k["x5t"] = "AAAA" })},
		{FaultInfo: FaultInfo{Fault: JWKSCachedForever, Title: "The key set says to keep it for ten years", Section: "RFC 9111 5.2.2.1", Case: 72, Expect: "Keep it for a time of your own.", Harmless: true},
			reply: func(_ *exchange, r *reply) { r.header.Set("Cache-Control", "public, max-age=315360000, immutable") }},
	})
}

// keysOf are the keys of a set, for editing.
func keysOf(set map[string]any) []map[string]any {
	all, _ := set["keys"].([]any)
	var out []map[string]any
	for _, k := range all {
		if m, ok := k.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// keyAlg is an algorithm that a key of ours serves.
func keyAlg(k map[string]any) string {
	if alg, ok := k["alg"].(string); ok {
		return alg
	}
	return "RS256"
}

// replace makes key the current one of a family, under the kid that the family
// has.
func (k *keyring) replace(fam string, key crypto.Signer) crypto.Signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.current {
		if k.current[i].family() == fam && key != nil {
			k.current[i].key = key
		}
	}
	return key
}
