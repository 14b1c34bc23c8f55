package conformance_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// fapi2 is a run of a FAPI 2.0 module.
type fapi2 struct {
	*run
	noNonce bool // the OP asks for no nonce in DPoP proofs
}

// fapi2Tests are the tests of the FAPI 2.0 modules by name.
func fapi2Tests() map[string]func(*testing.T, variant) {
	out := make(map[string]func(*testing.T, variant))
	for name, test := range fapi2Scripts() {
		out[fapi2Prefix+name] = func(t *testing.T, v variant) {
			r := newFAPI2(t, v)
			test(r)
			r.checkRequests()
		}
	}
	return out
}

// newFAPI2 is a client as FAPI 2.0 wants it, before its OP is started.
func newFAPI2(t *testing.T, v variant) *fapi2 {
	r := &fapi2{run: &run{T: t, v: v, responseType: "code"}}
	r.metadata = oidc.ClientMetadata{
		RedirectURIs:             []string{redirectURI},
		ResponseTypes:            []string{"code"},
		TokenEndpointAuthMethod:  fapiAuth(v),
		IDTokenSignedResponseAlg: "PS256",
	}
	r.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()})
	dpop := v["sender_constrain"] == "dpop"
	r.metadata.DPoPBoundAccessTokens, r.metadata.TLSClientCertificateBoundAccessTokens = dpop, !dpop
	r.config = func(c *oidc.ClientConfig) {
		if dpop {
			c.DPoP = oidc.DPoPES256()
		}
		c.Profile = oidc.FAPI2Security
		if v["fapi_request_method"] == "signed_non_repudiation" {
			c.Profile = oidc.FAPI2MessageSigning
		}
		if r.plainOAuth() && !r.machine() {
			c.OAuthOnly = &oidc.OAuthOnly{Endpoint: r.resource(), SubjectMember: "owner"}
		}
	}
	if r.jarm() {
		r.askForJWT()
	}
	if v["fapi_request_method"] == "signed_non_repudiation" {
		r.metadata.RequestObjectSigningAlg = "ES256"
	}
	if r.machine() {
		r.metadata.RedirectURIs, r.metadata.ResponseTypes = nil, nil
		r.metadata.GrantTypes = []string{"client_credentials"}
	}
	if v["authorization_request_type"] == "rar" {
		r.params.AuthorizationDetails = []oidc.AuthorizationDetail{{Type: "account_information", Actions: []string{"list_accounts"}}}
	}
	switch {
	case v["fapi_profile"] == "openbanking_brazil":
		r.params.Scopes = []string{"accounts", "consent:urn:bank:7f3d"}
	default:
		r.params.Scopes = []string{"accounts"}
	}
	return r
}

// machine says that no user takes part.
func (r *fapi2) machine() bool    { return r.v["fapi_profile"] == "fapi_client_credentials_grant" }
func (r *fapi2) jarm() bool       { return r.v["fapi_response_mode"] == "jarm" }
func (r *fapi2) plainOAuth() bool { return r.v["fapi_client_type"] == "plain_oauth" }

// start starts the OP as the suite's is: it takes pushed requests alone, demands a
// nonce in DPoP proofs, and announces the one algorithm of its ID Tokens, beside
// which it has keys for others.
func (r *fapi2) start(edit ...func(*oidctest.Config)) {
	r.Helper()
	r.run.start(append([]func(*oidctest.Config){func(c *oidctest.Config) {
		c.RequirePAR = true
		c.DPoPNonce = r.v["sender_constrain"] == "dpop" && !r.noNonce
		c.AllowNoOpenID = r.plainOAuth()
		c.RefreshAlways = true
	}}, edit...)...)
	r.opts.StrictTLS = true
	r.op.Mend(oidctest.AlgNoneOffered)
	r.op.TamperMetadata(func(m map[string]any) {
		m["id_token_signing_alg_values_supported"] = []string{"PS256"}
	})
}

// login is the whole way to the tokens. The nonce that the OP gave for the pushed
// request is over when the browser comes back.
func (r *fapi2) login() error {
	r.Helper()
	if r.machine() {
		r.ready()
		var err error
		r.tokens, err = r.c.ClientCredentials(r.Context(), oidc.TokenParams{Scopes: r.params.Scopes})
		return err
	}
	pending, res := r.begin()
	r.rotateNonce()
	var err error
	r.tokens, err = r.c.Finish(r.Context(), pending, res)
	return err
}

func (r *fapi2) mustLogin() {
	r.Helper()
	if err := r.login(); err != nil {
		r.Fatalf("login: %v", err)
	}
}

// rotateNonce makes the OP want another nonce from now on.
func (r *fapi2) rotateNonce() {
	if r.v["sender_constrain"] == "dpop" && !r.noNonce {
		r.op.RotateDPoPNonce()
	}
}

// complete logs in and asks the resource, which has a nonce of its own.
func (r *fapi2) complete() {
	r.Helper()
	if r.op == nil {
		r.start()
	}
	r.mustLogin()
	r.rotateNonce()
	if status := r.accounts(); status != http.StatusOK {
		r.Errorf("accounts answers %d", status)
	}
}

// calls are those of a login up to a stage: atOP, firstIDToken or loggedIn.
func (r *fapi2) calls(until stage) []oidctest.Endpoint {
	noKeys := until >= beforeKeys
	until %= beforeKeys
	if r.machine() {
		return append([]oidctest.Endpoint{oidctest.EndpointDiscovery}, r.twice(oidctest.EndpointToken)...)
	}
	want := append([]oidctest.Endpoint{oidctest.EndpointDiscovery}, r.twice(oidctest.EndpointPAR)...)
	want = append(want, oidctest.EndpointAuthorization)
	if r.jarm() && !noKeys {
		want = append(want, oidctest.EndpointJWKS) // for the response; the ID Token needs no other keys
	}
	if until == atOP {
		return want
	}
	want = append(want, r.twice(oidctest.EndpointToken)...)
	if !noKeys && !r.jarm() && !r.plainOAuth() {
		want = append(want, oidctest.EndpointJWKS)
	}
	return want
}

// twice is a call that a demand for a nonce makes two of.
func (r *fapi2) twice(e oidctest.Endpoint) []oidctest.Endpoint {
	if r.v["sender_constrain"] == "dpop" && !r.noNonce {
		return []oidctest.Endpoint{e, e}
	}
	return []oidctest.Endpoint{e}
}

func (r *fapi2) wantComplete() {
	r.Helper()
	r.wantExactly(append(r.calls(loggedIn), r.twice(oidctest.EndpointAccounts)...)...)
	if r.v["authorization_request_type"] == "rar" && (len(r.tokens.AuthorizationDetails) != 1 || r.tokens.AuthorizationDetails[0].Type != "account_information") {
		r.Errorf("granted are %v", r.tokens.AuthorizationDetails)
	}
}

// checkRequests makes the checks that the suite's OP makes in every module.
func (r *fapi2) checkRequests() {
	r.Helper()
	seen := make(map[string]bool)
	once := func(what string, claims map[string]any) {
		jti, _ := claims["jti"].(string)
		if jti == "" || seen[jti] {
			r.Errorf("the jti of a %s is missing or was used before", what)
		}
		seen[jti] = true
	}
	for _, q := range r.op.Received() {
		if q.Endpoint == oidctest.EndpointAuthorization {
			if got := slices.Sorted(maps.Keys(q.Query)); !slices.Equal(got, []string{"client_id", "request_uri"}) {
				r.Errorf("the authorization request has %v, want client_id and request_uri alone", got)
			}
		}
		if q.Auth.Method == "client_assertion" {
			once("client assertion", q.Auth.Claims)
			if q.Auth.Claims["aud"] != r.op.Issuer {
				r.Errorf("the aud of a client assertion is %v, want the issuer as a string", q.Auth.Claims["aud"])
			}
		}
		if q.Endpoint == oidctest.EndpointPAR && q.Form.Get("request") == "" && (q.Form.Get("code_challenge_method") != "S256" || q.Form.Get("code_challenge") == "") {
			r.Error("the pushed request has no PKCE with S256")
		}
		if q.Endpoint == oidctest.EndpointPAR {
			if object := q.Form.Get("request"); (object != "") != (r.v["fapi_request_method"] == "signed_non_repudiation") {
				r.Errorf("a request object was pushed: %v", object != "")
			} else if object != "" {
				header, claims := decoded(r, object)
				if header["typ"] != "oauth-authz-req+jwt" || header["alg"] != "ES256" || claims["aud"] != r.op.Issuer || claims["code_challenge_method"] != "S256" {
					r.Errorf("the request object has header %v, aud %v", header, claims["aud"])
				}
			}
		}
		if proof := q.Header.Get("DPoP"); proof != "" {
			header, claims := decoded(r, proof)
			once("DPoP proof", claims)
			if alg := header["alg"]; alg != "ES256" && alg != "PS256" && alg != "EdDSA" && alg != "Ed25519" {
				r.Errorf("a DPoP proof is signed with %v", alg)
			}
		}
	}
}

// fapi2Rejected is a module whose ID Token must be refused, with no call to a
// resource.
func fapi2Rejected(reason oidc.Reason, spoil func(r *run)) func(*fapi2) {
	return func(r *fapi2) {
		r.start()
		spoil(r.run)
		wantReason(r, r.login(), reason)
		r.wantExactly(r.calls(firstIDToken)...)
	}
}

// responseRejected is a module whose authorization response must be refused, with
// no call to the token endpoint.
func responseRejected(reason oidc.Reason, spoil func(r *run)) func(*fapi2) {
	return func(r *fapi2) {
		r.start()
		spoil(r.run)
		wantReason(r, r.login(), reason)
		r.wantExactly(r.calls(atOP)...)
	}
}

// stateRejected is a module whose state is not the one that was sent, in a plain
// response or in a JWT; what it says finds no login, and nobody asks for keys.
func stateRejected(plain, inJWT oidctest.Fault) func(*fapi2) {
	return func(r *fapi2) {
		r.start()
		r.op.Break(plain)
		if r.jarm() {
			r.op.Mend(plain)
			r.op.Break(inJWT)
		}
		wantReason(r, r.login(), oidc.BadState)
		r.wantExactly(r.calls(atOP + beforeKeys)...)
	}
}

func fapi2Scripts() map[string]func(*fapi2) {
	return map[string]func(*fapi2){
		"test-happy-path": func(r *fapi2) {
			r.start()
			if p := r.v["fapi_profile"]; !r.plainOAuth() && (p == "openbanking_uk" || p == "consumerdataright_au") {
				r.askForIntent()
				answerIntent(intent)(r.run)
			}
			r.complete()
			r.wantComplete()
			// Who the user is, where there is no ID Token, the resource says.
			if r.plainOAuth() && !r.machine() {
				info, err := r.c.UserInfo(r.Context(), r.tokens)
				if err != nil || info.Subject == "" {
					r.Errorf("UserInfo: %v, %v", info, err)
				}
			}
		},
		"test-happy-path-no-dpop-nonce": func(r *fapi2) {
			r.noNonce = true
			r.complete()
			r.wantComplete()
		},
		"test-discovery-issuer-mismatch": func(r *fapi2) {
			r.start()
			r.op.Break(oidctest.IssuerInvalid)
			wantReason(r, r.discover(), oidc.MetadataIssuerMismatch)
			r.wantExactly(oidctest.EndpointDiscovery)
		},
		"test-invalid-authorization-response-iss":                             responseRejected(oidc.BadResponseIssuer, faults(oidctest.ResponseIssWrong)),
		"test-remove-authorization-response-iss":                              responseRejected(oidc.BadResponseIssuer, faults(oidctest.ResponseIssMissing)),
		"test-ensure-authorization-response-with-invalid-state-fails":         stateRejected(oidctest.StateWrong, oidctest.JARMStateOther),
		"test-ensure-authorization-response-with-invalid-missing-state-fails": stateRejected(oidctest.StateMissing, oidctest.JARMStateMissing),

		"test-ensure-jarm-without-iss-fails":      responseRejected(oidc.BadIssuer, faults(oidctest.JARMIssMissing)),
		"test-ensure-jarm-with-invalid-iss-fails": responseRejected(oidc.BadIssuer, faults(oidctest.JARMIssOther)),
		"test-ensure-jarm-without-aud-fails":      responseRejected(oidc.BadAudience, faults(oidctest.JARMAudMissing)),
		"test-ensure-jarm-with-invalid-aud-fails": responseRejected(oidc.BadAudience, faults(oidctest.JARMAudOther)),
		"test-ensure-jarm-without-exp-fails":      responseRejected(oidc.MissingClaim, faults(oidctest.JARMExpMissing)),
		"test-ensure-jarm-with-expired-exp-fails": responseRejected(oidc.TokenExpired, faults(oidctest.JARMExpPast)),
		"test-ensure-jarm-with-invalid-sig-fails": responseRejected(oidc.BadSignature, faults(oidctest.JARMSignatureWrong)),
		"test-ensure-jarm-signature-is-not-none":  responseRejected(oidc.BadAlgorithm, faults(oidctest.JARMAlgNone)),

		"test-token-endpoint-response-without-expires_in": func(r *fapi2) {
			r.start()
			r.op.Break(oidctest.ExpiresInMissing)
			r.complete()
			r.wantComplete()
			if !r.tokens.Expiry.IsZero() {
				r.Errorf("the access token expires at %v, which nobody said", r.tokens.Expiry)
			}
		},
		"test-token-type-case-insensitivity": func(r *fapi2) {
			r.start()
			odd := "bEARER"
			if r.v["sender_constrain"] == "dpop" {
				odd = "dpOp"
			}
			r.op.TamperTokenResponse(func(m map[string]any) {
				if m["token_type"] != nil {
					m["token_type"] = odd
				}
			})
			r.complete()
			r.wantComplete()
		},
		"test-rs-dpop-auth-scheme-case-insensitivity": func(r *fapi2) {
			odd := 0
			r.edit = func(h http.Header) {
				if rest, ok := strings.CutPrefix(h.Get("WWW-Authenticate"), "DPoP "); ok {
					h.Set("WWW-Authenticate", "dPoP "+rest)
					odd++
				}
			}
			r.complete()
			r.wantComplete()
			if odd != 1 {
				r.Errorf("%d challenges in an odd case, want 1", odd)
			}
		},

		"test-invalid-iss":           fapi2Rejected(oidc.BadIssuer, claimSuffix("iss", "1")),
		"test-invalid-missing-iss":   fapi2Rejected(oidc.BadIssuer, noClaim("iss")),
		"test-invalid-aud":           fapi2Rejected(oidc.BadAudience, claimSuffix("aud", "1")),
		"test-invalid-missing-aud":   fapi2Rejected(oidc.BadAudience, noClaim("aud")),
		"test-invalid-secondary-aud": fapi2Rejected(oidc.BadAudience, secondAudience),
		"test-invalid-null-alg":      fapi2Rejected(oidc.BadAlgorithm, faults(oidctest.AlgNone)),
		"test-invalid-alternate-alg": fapi2Rejected(oidc.BadAlgorithm, alternateAlg),
		"test-invalid-expired-exp":   fapi2Rejected(oidc.TokenExpired, oldExp),
		"test-invalid-missing-exp":   fapi2Rejected(oidc.MissingClaim, noClaim("exp")),
		"test-invalid-nonce":         fapi2Rejected(oidc.BadNonce, claimSuffix("nonce", "1")),
		"test-invalid-missing-nonce": fapi2Rejected(oidc.BadNonce, noClaim("nonce")),
		"test-valid-aud-as-array": func(r *fapi2) {
			r.start()
			r.op.Break(oidctest.AudAsArray)
			r.complete()
			r.wantComplete()
		},

		"test-invalid-openbanking-intent-id": func(r *fapi2) {
			r.askForIntent()
			fapi2Rejected(oidc.BadClaim, answerIntent(intent+"0"))(r)
		},

		"brazildcr-happypath-test": func(r *fapi2) {
			registrant{r.run, r.start, r.complete, r.calls, r.twice}.withStatement()
		},
		"refresh-token-test": func(r *fapi2) {
			r.start()
			r.metadata.GrantTypes = []string{"authorization_code", "refresh_token"}
			r.mustLogin()
			want := r.calls(loggedIn)
			want = append(append(want, r.refreshTwice()...), oidctest.EndpointAccounts)
			if r.v["client_auth_type"] == "mtls" && r.v["sender_constrain"] == "dpop" {
				// The token endpoint is at the alias, so that the resource is another
				// server, whose nonce is not known yet.
				want = append(want, oidctest.EndpointAccounts)
			}
			r.wantExactly(want...)
		},
	}
}
