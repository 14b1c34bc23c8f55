package oidctest

import (
	"net/http"
	"strings"
)

// Faults of DPoP.
const (
	// DPoPNonceForever: a nonce is asked for again and again (RFC 9449 8). Give up after one
	// retry.
	DPoPNonceForever Fault = "dpop_nonce_forever"
	// DPoPNonceMissing: a nonce is asked for and none is given (RFC 9449 8). Report it; do not
	// repeat the request.
	DPoPNonceMissing Fault = "dpop_nonce_missing"
	// DPoPNonceTwice: two nonces are given at once (RFC 9449 8). Report it; do not repeat the
	// request.
	DPoPNonceTwice Fault = "dpop_nonce_twice"
	// DPoPNonceBadCharacters: the nonce has characters that no nonce may have (RFC 9449 8.1).
	// Report it; do not repeat the request.
	DPoPNonceBadCharacters Fault = "dpop_nonce_bad_characters"
	// DPoPNonceHuge: the nonce has 20 000 characters (RFC 9449 8.1). Report it; do not keep
	// it.
	DPoPNonceHuge Fault = "dpop_nonce_huge"
	// DPoPNonceUnauthorized: the nonce is asked for with status 401 (RFC 9449 8). Repeat the
	// request with it.
	DPoPNonceUnauthorized Fault = "dpop_nonce_unauthorized"
	// DPoPNonceEachTime: each response brings another nonce, and only the newest is good (RFC
	// 9449 8.2). Send the newest.
	DPoPNonceEachTime Fault = "dpop_nonce_each_time"
	// DPoPBearerReturned: the token_type is Bearer (RFC 9449 5). Refuse the response: the
	// token is bound to no key.
	DPoPBearerReturned Fault = "dpop_bearer_returned"
	// DPoPRefreshedToBearer: the token_type after a refresh is Bearer (RFC 9449 5). Refuse the
	// response.
	DPoPRefreshedToBearer Fault = "dpop_refreshed_to_bearer"
	// DPoPTypeOddCase: the token_type is written DpOp (RFC 6749 5.1). Accept it: the value has
	// no case.
	DPoPTypeOddCase Fault = "dpop_type_odd_case"
	// DPoPResourceNonceForever: UserInfo asks for a nonce again and again (RFC 9449 9). Give
	// up after one retry.
	DPoPResourceNonceForever Fault = "dpop_resource_nonce_forever"
	// DPoPResourceNonceMissing: UserInfo asks for a nonce and gives none (RFC 9449 9). Report
	// it; do not repeat the request.
	DPoPResourceNonceMissing Fault = "dpop_resource_nonce_missing"
	// DPoPChallengeOddCase: UserInfo asks for a nonce under the scheme dPOP (RFC 9110 11.1).
	// Repeat the request with it: the scheme has no case.
	DPoPChallengeOddCase Fault = "dpop_challenge_odd_case"
	// DPoPChallengeSecond: UserInfo asks for a nonce in its second challenge (RFC 9110
	// 11.6.1). Repeat the request with it.
	DPoPChallengeSecond Fault = "dpop_challenge_second"
)

// dpopFaults are what can be wrong with sender-constrained tokens.
func dpopFaults() []behaviour {
	const needs = "a DPoP key"
	ask := func(x *exchange) { x.askNonce = true }
	// asked edits the demand for a nonce and nothing else.
	asked := func(f func(*reply)) func(*exchange, *reply) {
		return func(_ *exchange, r *reply) {
			if r.header.Get("DPoP-Nonce") != "" && r.status >= 400 {
				f(r)
			}
		}
	}
	forever := func(x *exchange) {
		if x.askNonce = true; x.r.Header.Get("DPoP") != "" {
			x.op.RotateDPoPNonce() // before the proof is read: it is never right
		}
	}
	bearer := func(x *exchange, m map[string]any) {
		if x.jkt != "" {
			m["token_type"] = "Bearer"
		}
	}
	table := group("DPoP", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: DPoPNonceForever, Title: "A nonce is asked for again and again", Section: "RFC 9449 8", Case: 321, Expect: "Give up after one retry."},
			before: forever},
		{FaultInfo: FaultInfo{Fault: DPoPNonceMissing, Title: "A nonce is asked for and none is given", Section: "RFC 9449 8", Case: 321, Expect: "Report it; do not repeat the request."},
			before: ask, reply: asked(func(r *reply) { r.header.Del("DPoP-Nonce") })},
		{FaultInfo: FaultInfo{Fault: DPoPNonceTwice, Title: "Two nonces are given at once", Section: "RFC 9449 8", Case: 321, Expect: "Report it; do not repeat the request."},
			before: ask, reply: asked(func(r *reply) { r.header["Dpop-Nonce"] = append(r.header["Dpop-Nonce"], "another-nonce") })},
		{FaultInfo: FaultInfo{Fault: DPoPNonceBadCharacters, Title: "The nonce has characters that no nonce may have", Section: "RFC 9449 8.1", Case: 321, Expect: "Report it; do not repeat the request."},
			before: ask, reply: asked(func(r *reply) { r.header.Set("DPoP-Nonce", `a "nonce"`) })},
		{FaultInfo: FaultInfo{Fault: DPoPNonceHuge, Title: "The nonce has 20 000 characters", Section: "RFC 9449 8.1", Case: 321, Expect: "Report it; do not keep it."},
			before: ask, reply: asked(func(r *reply) { r.header.Set("DPoP-Nonce", strings.Repeat("n", 20_000)) })},
		{FaultInfo: FaultInfo{Fault: DPoPNonceUnauthorized, Title: "The nonce is asked for with status 401", Section: "RFC 9449 8", Case: 321, Expect: "Repeat the request with it.", Harmless: true},
			before: ask, reply: asked(func(r *reply) { r.status = http.StatusUnauthorized })},
		{FaultInfo: FaultInfo{Fault: DPoPNonceEachTime, Title: "Each response brings another nonce, and only the newest is good", Section: "RFC 9449 8.2", Case: 321, Expect: "Send the newest.", Harmless: true},
			before: ask, reply: func(x *exchange, r *reply) {
				if r.status == http.StatusOK && x.jkt != "" {
					x.op.RotateDPoPNonce()
					x.op.mu.Lock()
					r.header.Set("DPoP-Nonce", x.op.dpopNonce)
					x.op.mu.Unlock()
				}
			}},
		{FaultInfo: FaultInfo{Fault: DPoPBearerReturned, Title: "The token_type is Bearer", Section: "RFC 9449 5", Case: 323, Expect: "Refuse the response: the token is bound to no key."},
			doc: bearer},
		{FaultInfo: FaultInfo{Fault: DPoPRefreshedToBearer, Title: "The token_type after a refresh is Bearer", Section: "RFC 9449 5", Case: 323, Expect: "Refuse the response."},
			doc: onlyGrant(bearer, "refresh_token")},
		{FaultInfo: FaultInfo{Fault: DPoPTypeOddCase, Title: "The token_type is written DpOp", Section: "RFC 6749 5.1", Expect: "Accept it: the value has no case.", Harmless: true},
			doc: func(x *exchange, m map[string]any) {
				if x.jkt != "" {
					m["token_type"] = "DpOp"
				}
			}},
		{FaultInfo: FaultInfo{Fault: DPoPResourceNonceForever, At: EndpointUserInfo, Title: "UserInfo asks for a nonce again and again", Section: "RFC 9449 9", Case: 321, Expect: "Give up after one retry."},
			before: forever},
		{FaultInfo: FaultInfo{Fault: DPoPResourceNonceMissing, At: EndpointUserInfo, Title: "UserInfo asks for a nonce and gives none", Section: "RFC 9449 9", Case: 321, Expect: "Report it; do not repeat the request."},
			before: ask, reply: asked(func(r *reply) { r.header.Del("DPoP-Nonce") })},
		{FaultInfo: FaultInfo{Fault: DPoPChallengeOddCase, At: EndpointUserInfo, Title: "UserInfo asks for a nonce under the scheme dPOP", Section: "RFC 9110 11.1", Case: 321, Expect: "Repeat the request with it: the scheme has no case.", Harmless: true},
			before: ask, reply: asked(func(r *reply) {
				r.header.Set("WWW-Authenticate", `dPOP Error = use_dpop_nonce`)
				r.doc, r.body = nil, nil
			})},
		{FaultInfo: FaultInfo{Fault: DPoPChallengeSecond, At: EndpointUserInfo, Title: "UserInfo asks for a nonce in its second challenge", Section: "RFC 9110 11.6.1", Case: 321, Expect: "Repeat the request with it.", Harmless: true},
			before: ask, reply: asked(func(r *reply) {
				r.header.Set("WWW-Authenticate", `Bearer realm="x", error="invalid_token", DPoP error="use_dpop_nonce"`)
				r.doc, r.body = nil, nil
			})},
	})
	for i := range table {
		table[i].Needs, table[i].Flow = needs, "dpop"
	}
	return table
}
