package conformance_test

import (
	"net/http"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// fapi1 is a run of a FAPI 1.0 Advanced module.
type fapi1 struct {
	*run
}

// fapi1Tests are the tests of the FAPI 1.0 modules by name.
func fapi1Tests() map[string]func(*testing.T, variant) {
	out := make(map[string]func(*testing.T, variant))
	for name, test := range fapi1Scripts() {
		out[fapi1Prefix+name] = func(t *testing.T, v variant) {
			r := newFAPI1(t, v)
			test(r)
			r.checkRequests()
		}
	}
	return out
}

// newFAPI1 is a client as FAPI 1.0 Advanced wants it, before its OP is started:
// the front channel answers with an ID Token that is a detached signature of the
// response, or with a response that is a JWT.
func newFAPI1(t *testing.T, v variant) *fapi1 {
	r := &fapi1{run: &run{T: t, v: v, responseType: "code id_token"}}
	if r.jarm() {
		r.responseType = "code"
	}
	r.params.ResponseType = r.responseType
	r.metadata = oidc.ClientMetadata{
		RedirectURIs:             []string{redirectURI},
		ResponseTypes:            []string{r.responseType},
		TokenEndpointAuthMethod:  fapiAuth(v),
		IDTokenSignedResponseAlg: "PS256",

		TLSClientCertificateBoundAccessTokens: true,
	}
	if r.jarm() {
		r.askForJWT()
	}
	r.metadata.RequestObjectSigningAlg = "ES256"
	r.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()})
	r.params.Scopes = []string{"accounts"}
	r.config = func(c *oidc.ClientConfig) {
		if v["fapi_auth_request_method"] == "pushed" {
			c.PAR = oidc.PARAlways
		}
		c.Profile = oidc.FAPI1Advanced
		if r.plainOAuth() {
			c.OAuthOnly = &oidc.OAuthOnly{Endpoint: r.resource(), SubjectMember: "owner"}
		}
	}
	return r
}

func (r *fapi1) jarm() bool       { return r.v["fapi_response_mode"] == "jarm" }
func (r *fapi1) plainOAuth() bool { return r.v["fapi_client_type"] == "plain_oauth" }

// start starts the OP as the suite's is.
func (r *fapi1) start(edit ...func(*oidctest.Config)) {
	r.Helper()
	r.run.start(append([]func(*oidctest.Config){func(c *oidctest.Config) {
		c.StateHash, c.RefreshAlways = true, true
		c.AllowNoOpenID = r.plainOAuth()
	}}, edit...)...)
	r.opts.StrictTLS = true
	r.op.Mend(oidctest.AlgNoneOffered)
	r.op.TamperMetadata(func(m map[string]any) {
		m["id_token_signing_alg_values_supported"] = []string{"PS256"}
	})
}

// complete logs in and asks the resource.
func (r *fapi1) complete() {
	r.Helper()
	r.logInAndAsk()
	r.wantExactly(append(r.calls(loggedIn), oidctest.EndpointAccounts)...)
}

func (r *fapi1) logInAndAsk() {
	r.Helper()
	if r.op == nil {
		r.start()
	}
	r.mustLogin()
	if status := r.accounts(); status != http.StatusOK {
		r.Errorf("accounts answers %d", status)
	}
}

// calls are those of a login up to a stage.
func (r *fapi1) calls(until stage) []oidctest.Endpoint {
	until %= beforeKeys
	want := []oidctest.Endpoint{oidctest.EndpointDiscovery}
	if r.v["fapi_auth_request_method"] == "pushed" {
		want = append(want, oidctest.EndpointPAR)
	}
	want = append(want, oidctest.EndpointAuthorization)
	if until == atOP {
		return want
	}
	want = append(want, oidctest.EndpointJWKS) // for the ID Token, or the JWT that the response is
	if until == firstIDToken && !r.jarm() {
		return want
	}
	return append(want, oidctest.EndpointToken)
}

// checkRequests makes the checks that the suite's OP makes in every module.
func (r *fapi1) checkRequests() {
	r.Helper()
	for _, q := range r.op.Received() {
		if q.Auth.Method == "client_assertion" && q.Auth.Claims["aud"] != r.op.Issuer {
			r.Errorf("the aud of a client assertion is %v, want the issuer", q.Auth.Claims["aud"])
		}
		if q.Endpoint == oidctest.EndpointPAR || q.Endpoint == oidctest.EndpointAuthorization && r.v["fapi_auth_request_method"] == "by_value" {
			r.checkObject(q)
		}
	}
}

// checkObject: the request is in an object that is signed, lives at most an hour
// and has every parameter inside; by value three of them stand outside too.
func (r *fapi1) checkObject(q oidctest.Request) {
	r.Helper()
	outside := q.Query
	if q.Endpoint == oidctest.EndpointPAR {
		outside = q.Form
	}
	header, claims := decoded(r, outside.Get("request"))
	exp, _ := claims["exp"].(float64)
	nbf, _ := claims["nbf"].(float64)
	now := float64(r.op.Now().Unix())
	if header["alg"] != "ES256" || header["typ"] != "oauth-authz-req+jwt" || claims["aud"] != r.op.Issuer || nbf == 0 || now-nbf > 3600 || exp-nbf > 3600 || exp < now {
		r.Errorf("the request object has header %v, aud %v, nbf %v, exp %v", header, claims["aud"], nbf, exp)
	}
	for _, name := range []string{"response_type", "client_id", "redirect_uri", "scope", "state"} {
		if claims[name] == nil {
			r.Errorf("%s is not in the request object", name)
		}
	}
	if q.Endpoint == oidctest.EndpointAuthorization {
		for _, name := range []string{"response_type", "client_id", "scope"} {
			if outside.Get(name) != claims[name] {
				r.Errorf("%s is %q outside the request object, and %v inside", name, outside.Get(name), claims[name])
			}
		}
		return
	}
	if claims["code_challenge_method"] != "S256" {
		r.Error("the pushed request has no PKCE with S256")
	}
}

// fapi1Rejected is a module whose ID Token must be refused: the one from the
// browser before the token request, or with JARM the one from the token endpoint
// before any call to a resource.
func fapi1Rejected(reason oidc.Reason, spoil func(r *run)) func(*fapi1) {
	return func(r *fapi1) {
		r.start()
		spoil(r.run)
		wantReason(r, r.login(), reason)
		r.wantExactly(r.calls(firstIDToken)...)
	}
}

// fapi1Accepted is a module that completes, whatever is odd about it.
func fapi1Accepted(odd func(r *run)) func(*fapi1) {
	return func(r *fapi1) {
		r.start()
		odd(r.run)
		r.complete()
	}
}

// encrypted registers the second client of the suite's configuration, whose ID
// Tokens are encrypted.
func (r *fapi1) encrypted() {
	r.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()}, oidc.Key{ID: "rp-enc", Use: "enc", Private: encryptionKey()})
	r.metadata.IDTokenEncryptedResponseAlg, r.metadata.IDTokenEncryptedResponseEnc = "RSA-OAEP", "A256GCM"
}

func fapi1Scripts() map[string]func(*fapi1) {
	return map[string]func(*fapi1){
		"test": func(r *fapi1) {
			r.start()
			if p := r.v["fapi_profile"]; !r.plainOAuth() && (p == "openbanking_uk" || p == "consumerdataright_au") {
				r.askForIntent()
				answerIntent(intent)(r.run)
			}
			r.complete()
		},
		"test-encrypted-idtoken": func(r *fapi1) {
			r.encrypted()
			r.complete()
		},
		"test-encrypted-idtoken-usingrsa15": func(r *fapi1) {
			r.encrypted()
			r.start()
			r.op.TamperEncryption(func(e *oidctest.Encryption) { e.Alg = "RSA1_5" })
			wantReason(r, r.login(), oidc.BadEncryption)
			r.wantExactly(r.calls(atOP)...) // refused by its header, before any key is fetched
		},
		"test-discovery-issuer-mismatch": func(r *fapi1) {
			r.start()
			r.op.Break(oidctest.IssuerInvalid)
			wantReason(r, r.discover(), oidc.MetadataIssuerMismatch)
			r.wantExactly(oidctest.EndpointDiscovery)
		},
		"test-invalid-shash":         fapi1Rejected(oidc.BadStateHash, claimSuffix("s_hash", "1")),
		"test-invalid-missing-shash": fapi1Rejected(oidc.BadStateHash, noClaim("s_hash")),
		"test-invalid-chash":         fapi1Rejected(oidc.BadCodeHash, claimSuffix("c_hash", "1")),
		"test-invalid-nonce":         fapi1Rejected(oidc.BadNonce, claimSuffix("nonce", "1")),
		"test-invalid-missing-nonce": fapi1Rejected(oidc.BadNonce, noClaim("nonce")),
		"test-invalid-iss":           fapi1Rejected(oidc.BadIssuer, claimSuffix("iss", "1")),
		"test-invalid-missing-iss":   fapi1Rejected(oidc.BadIssuer, noClaim("iss")),
		"test-invalid-aud":           fapi1Rejected(oidc.BadAudience, claimSuffix("aud", "1")),
		"test-invalid-missing-aud":   fapi1Rejected(oidc.BadAudience, noClaim("aud")),
		"test-invalid-secondary-aud": fapi1Rejected(oidc.BadAudience, secondAudience),
		"test-invalid-signature":     fapi1Rejected(oidc.BadSignature, faults(oidctest.SignatureWrong)),
		"test-invalid-null-alg":      fapi1Rejected(oidc.BadAlgorithm, faults(oidctest.AlgNone)),
		"test-invalid-alternate-alg": fapi1Rejected(oidc.BadAlgorithm, alternateAlg),
		"test-invalid-expired-exp":   fapi1Rejected(oidc.TokenExpired, oldExp),
		"test-invalid-missing-exp":   fapi1Rejected(oidc.MissingClaim, noClaim("exp")),
		"test-iat-is-week-in-past":   fapi1Rejected(oidc.TokenTooOld, oldIat),

		"test-valid-aud-as-array":                  fapi1Accepted(faults(oidctest.AudAsArray)),
		"test-no-scope-in-token-endpoint-response": fapi1Accepted(faults(oidctest.ScopeMissing, oidctest.ExpiresInMissing)),
		"test-missing-athash":                      fapi1Accepted(noClaim("at_hash")),

		"test-invalid-openbanking-intent-id": func(r *fapi1) {
			r.askForIntent()
			fapi1Rejected(oidc.BadClaim, answerIntent(intent+"0"))(r)
		},
		// The resource signs its answer to a consent; its aud is a list of one.
		"test-payment-consent-response-valid-aud-as-array": func(r *fapi1) {
			r.complete()
			expect := oidc.ExpectedSignedAnswer{Algorithms: []string{"PS256"}, Audience: "org-7f3d"}
			for _, aud := range []string{"org-7f3d", "org-another"} {
				answer, err := r.op.Sign("PS256", map[string]any{"typ": "JWT"}, map[string]any{
					"iss": r.op.Issuer, "aud": []any{aud}, "iat": r.op.Now().Unix(), "jti": aud, "data": map[string]any{"status": "AWAITING_AUTHORISATION"},
				})
				if err != nil {
					r.Fatal(err)
				}
				_, err = r.p.VerifySignedAnswer(r.Context(), answer, expect)
				if aud == expect.Audience {
					if err != nil {
						r.Errorf("VerifySignedAnswer: %v", err)
					}
					continue
				}
				wantReason(r, err, oidc.BadAudience)
			}
		},
		"brazildcr-happypath-test": func(r *fapi1) {
			registrant{r.run, r.start, r.logInAndAsk, r.calls, func(e oidctest.Endpoint) []oidctest.Endpoint { return []oidctest.Endpoint{e} }}.withStatement()
		},
		"refresh-token-test": func(r *fapi1) {
			r.metadata.GrantTypes = []string{"authorization_code", "implicit", "refresh_token"}
			r.start()
			r.mustLogin()
			r.wantExactly(append(append(r.calls(loggedIn), r.refreshTwice()...), oidctest.EndpointAccounts)...)
		},
	}
}
