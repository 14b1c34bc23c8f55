package conformance_test

import (
	"errors"
	"maps"
	"net/http"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// signatureTests are the modules about the signature of the ID Token and the
// keys for it.
func signatureTests() map[string]func(*run) {
	return map[string]func(*run){
		"idtoken-sig-rs256": func(r *run) {
			r.metadata.IDTokenSignedResponseAlg = "RS256"
			r.complete()
			r.wantCalls(askedUserInfo)
			if alg := r.tokens.IDToken.Algorithm(); alg != "RS256" {
				r.Errorf("the ID Token is signed with %s", alg)
			}
		},
		"idtoken-sig-none": unsignedIDToken,

		"invalid-sig-rs256": badSignature("RS256"),
		"invalid-sig-es256": badSignature("ES256"),
		"invalid-sig-hs256": func(r *run) {
			r.metadata.IDTokenSignedResponseAlg = "HS256"
			r.start()
			r.op.Break(oidctest.SignatureWrong)
			wantReason(r, r.login(), oidc.BadSignature)
			r.wantCalls(firstIDToken + beforeKeys) // HS256 needs none of the OP
		},

		// One key of each type is published, and the token does not say which.
		"kid-absent-single-jwks": func(r *run) {
			r.start()
			r.op.Break(oidctest.KidMissing)
			r.op.TamperJWKS(oneKeyOfEachType)
			r.complete()
			r.wantCalls(askedUserInfo)
		},
		// Several RSA keys fit. The suite lets a client reject the token; Rely
		// tries the keys.
		"kid-absent-multiple-jwks": func(r *run) {
			r.start()
			r.op.Break(oidctest.KidMissing)
			r.op.TamperJWKS(moreRSAKeys)
			r.complete()
			r.wantCalls(askedUserInfo)
		},

		"signing-key-rotation": func(r *run) {
			r.complete()
			r.wantCalls(askedUserInfo)
			first := r.requested()
			r.rotateKeys()
			r.op.ClearLog()
			r.complete()
			r.wantSecondLogin()
			second := r.requested()
			for _, name := range []string{"state", "nonce", "code_challenge"} {
				if has(r.responseType, "code") && first.Get(name) == second.Get(name) {
					r.Errorf("both logins have the same %s", name)
				}
			}
		},
		// The second login meets keys that were made after the first one's were
		// fetched.
		"signing-key-rotation-just-before-signing": func(r *run) {
			r.start()
			r.op.Break(oidctest.KeyRotatedBeforeSigning)
			r.complete()
			if both := has(r.responseType, "code") && has(r.responseType, "id_token"); !both {
				r.wantCalls(askedUserInfo)
			}
			r.op.Mend(oidctest.KeyRotatedBeforeSigning)
			r.rotateKeys()
			r.op.ClearLog()
			r.complete()
			r.wantSecondLogin()
		},
	}
}

// badSignature is a module whose OP breaks the signature under an algorithm.
func badSignature(alg string) func(*run) {
	return func(r *run) {
		r.metadata.IDTokenSignedResponseAlg = alg
		rejected(oidc.BadSignature, faults(oidctest.SignatureWrong))(r)
	}
}

// unsignedIDToken is alg none from the token endpoint. The suite is content with
// either answer: a client that asked for it accepts it, any other refuses it.
func unsignedIDToken(r *run) {
	strict := newRun(r.T, r.v)
	strict.start()
	strict.op.Break(oidctest.AlgNone)
	wantReason(strict, strict.login(), oidc.BadAlgorithm)
	strict.wantCalls(firstIDToken)

	r.metadata.IDTokenSignedResponseAlg = "none"
	r.config = func(c *oidc.ClientConfig) { c.InsecureAllowUnsignedIDToken = true }
	r.start(func(c *oidctest.Config) { c.AllowAlgNone = true })
	r.op.Mend(oidctest.AlgNoneOffered)
	r.complete()
	r.wantCalls(askedUserInfo + beforeKeys)

	// Without the opt-in there is no such client, whatever the metadata says.
	_, err := oidc.NewClient(r.p, oidc.ClientConfig{ID: r.c.ID(), Metadata: r.c.Metadata(), Auth: oidc.NoAuth()})
	if ie, ok := errors.AsType[*oidc.InputError](err); !ok || ie.Reason != oidc.BadConfig {
		r.Errorf("NewClient for alg none: %v, want an InputError", err)
	}
}

// oneKeyOfEachType leaves the first key of each type that can verify.
func oneKeyOfEachType(set map[string]any) {
	seen := make(map[any]bool)
	var out []any
	keys, _ := set["keys"].([]any)
	for _, k := range keys {
		k, _ := k.(map[string]any)
		if k["n"] == "" || seen[k["kty"]] || k["crv"] == "secp256k1" {
			continue
		}
		seen[k["kty"]] = true
		out = append(out, k)
	}
	set["keys"] = out
}

// moreRSAKeys puts two keys that did not sign in front of the others, one of them
// under the kid of the one that did.
func moreRSAKeys(set map[string]any) {
	keys, _ := set["keys"].([]any)
	for _, k := range keys {
		k, _ := k.(map[string]any)
		if k["kty"] != "RSA" || k["n"] == "" {
			continue
		}
		for i, n := range []string{b64(rotatedKey().N.Bytes()), b64(thirdKey().N.Bytes())} {
			twin := maps.Clone(k)
			twin["n"] = n
			if i == 0 {
				twin["kid"] = "another"
			}
			keys = append([]any{twin}, keys...)
		}
		break
	}
	set["keys"] = keys
}

// rotateKeys has the OP replace its keys when the browser is next at it.
func (r *run) rotateKeys() {
	r.op.Intercept(oidctest.EndpointAuthorization, func(w http.ResponseWriter, q *http.Request) {
		r.op.Intercept(oidctest.EndpointAuthorization, nil)
		r.op.RotateKeys()
		r.op.WithdrawKeys()
		http.Redirect(w, q, q.URL.RequestURI(), http.StatusFound)
	})
}

// wantSecondLogin asserts the calls of a login with the same client after the keys
// have changed: the key set is fetched once more, and whatever else a login needs.
func (r *run) wantSecondLogin() {
	r.Helper()
	rt := r.responseType
	want := []oidctest.Endpoint{oidctest.EndpointAuthorization, oidctest.EndpointAuthorization}
	switch {
	case rt == "id_token":
		want = append(want, oidctest.EndpointJWKS)
	case rt == "id_token token":
		want = append(want, oidctest.EndpointJWKS, oidctest.EndpointUserInfo)
	case has(rt, "id_token"):
		want = append(want, oidctest.EndpointJWKS, oidctest.EndpointToken, oidctest.EndpointUserInfo)
	default:
		want = append(want, oidctest.EndpointToken, oidctest.EndpointJWKS, oidctest.EndpointUserInfo)
	}
	r.wantExactly(want...)
}
