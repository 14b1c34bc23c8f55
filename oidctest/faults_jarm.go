package oidctest

import (
	"encoding/base64"
	"net/url"
	"strings"
	"time"
)

// Faults of a JWT secured authorization response (JARM).
const (
	// JARMIssMissing: the JWT has no iss (JARM 2.4 (3)). Refuse the response; make no token
	// request.
	JARMIssMissing Fault = "jarm_iss_missing"
	// JARMIssOther: the JWT's iss is another provider's (JARM 2.4 (3)). Refuse the response; make
	// no token request.
	JARMIssOther Fault = "jarm_iss_other"
	// JARMAudMissing: the JWT has no aud (JARM 2.4 (4)). Refuse the response; make no token
	// request.
	JARMAudMissing Fault = "jarm_aud_missing"
	// JARMAudOther: the JWT is for another client (JARM 2.4 (4)). Refuse the response; make no
	// token request.
	JARMAudOther Fault = "jarm_aud_other"
	// JARMAudExtra: the JWT is for the client and a stranger (JARM 2.4 (4)). Refuse the response;
	// make no token request.
	JARMAudExtra Fault = "jarm_aud_extra"
	// JARMExpMissing: the JWT has no exp (JARM 2.1). Refuse the response; make no token request.
	JARMExpMissing Fault = "jarm_exp_missing"
	// JARMExpPast: the JWT has expired (JARM 2.4 (5)). Refuse the response; make no token request.
	JARMExpPast Fault = "jarm_exp_past"
	// JARMAlgNone: the JWT has alg none and no signature (JARM 2.4 (6)). Refuse the response; make
	// no token request.
	JARMAlgNone Fault = "jarm_alg_none"
	// JARMAlgOther: the JWT is signed with an algorithm that is not registered (JARM 2.4 (6)).
	// Refuse the response; make no token request.
	JARMAlgOther Fault = "jarm_alg_other"
	// JARMHMAC: the JWT is signed with the client secret (JARM 2.4 (6)). Refuse the response; make
	// no token request.
	JARMHMAC Fault = "jarm_hmac"
	// JARMSignatureWrong: the signature is not the JWT's (JARM 2.4 (6)). Refuse the response; make
	// no token request.
	JARMSignatureWrong Fault = "jarm_signature_wrong"
	// JARMOtherKey: the JWT is signed with a key that is not the provider's (JARM 2.4 (6)). Refuse
	// the response; make no token request.
	JARMOtherKey Fault = "jarm_other_key"
	// JARMTypAccessToken: the JWT says that it is an access token (RFC 8725 3.11). Refuse the
	// response; make no token request.
	JARMTypAccessToken Fault = "jarm_typ_access_token"
	// JARMStateMissing: the JWT has no state (JARM 2.4 (2)). Refuse the response; make no token
	// request.
	JARMStateMissing Fault = "jarm_state_missing"
	// JARMStateOther: the state in the JWT is another one (JARM 2.4 (2)). Refuse the response;
	// make no token request.
	JARMStateOther Fault = "jarm_state_other"
	// JARMCodeNumber: the code in the JWT is a number (JARM 2.1). Refuse the response; make no
	// token request.
	JARMCodeNumber Fault = "jarm_code_number"
	// JARMPlain: the response is not a JWT (JARM 5.2). Refuse the response; make no token request.
	JARMPlain Fault = "jarm_plain"
	// JARMPlainBeside: there is a code beside the JWT (JARM 2.1). Refuse the response; make no
	// token request.
	JARMPlainBeside Fault = "jarm_plain_beside"
	// JARMTwice: there are two JWTs (RFC 6749 3.1). Refuse the response; make no token request.
	JARMTwice Fault = "jarm_twice"
	// JARMGarbage: what stands for the JWT is none (JARM 2.1). Refuse the response; make no token
	// request.
	JARMGarbage Fault = "jarm_garbage"
)

// jarmFaults are what can be wrong with a JWT secured authorization response. A
// client that asks for none does not meet them.
func jarmFaults() []behaviour {
	const before = "Refuse the response; make no token request."
	return group("JWT secured authorization response", EndpointAuthorization, []behaviour{
		{FaultInfo: FaultInfo{Fault: JARMIssMissing, Title: "The JWT has no iss", Section: "JARM 2.4 (3)", Case: 122, Expect: before, Flow: "jarm"},
			response: noClaim("iss")},
		{FaultInfo: FaultInfo{Fault: JARMIssOther, Title: "The JWT's iss is another provider's", Section: "JARM 2.4 (3)", Case: 122, Expect: before, Flow: "jarm"},
			response: claim("iss", attacker)},
		{FaultInfo: FaultInfo{Fault: JARMAudMissing, Title: "The JWT has no aud", Section: "JARM 2.4 (4)", Case: 122, Expect: before, Flow: "jarm"},
			response: noClaim("aud")},
		{FaultInfo: FaultInfo{Fault: JARMAudOther, Title: "The JWT is for another client", Section: "JARM 2.4 (4)", Case: 122, Expect: before, Flow: "jarm"},
			response: claim("aud", "another-client")},
		{FaultInfo: FaultInfo{Fault: JARMAudExtra, Title: "The JWT is for the client and a stranger", Section: "JARM 2.4 (4)", Case: 122, Expect: before, Flow: "jarm"},
			response: func(x *exchange, d *draft) { d.claims["aud"] = list(x.client.ID, "another-client") }},
		{FaultInfo: FaultInfo{Fault: JARMExpMissing, Title: "The JWT has no exp", Section: "JARM 2.1", Case: 122, Expect: before, Flow: "jarm"},
			response: noClaim("exp")},
		{FaultInfo: FaultInfo{Fault: JARMExpPast, Title: "The JWT has expired", Section: "JARM 2.4 (5)", Case: 122, Expect: before, Flow: "jarm"},
			response: func(x *exchange, d *draft) { d.claims["exp"] = x.now.Add(-10 * time.Minute).Unix() }},
		{FaultInfo: FaultInfo{Fault: JARMAlgNone, Title: "The JWT has alg none and no signature", Section: "JARM 2.4 (6)", Case: 122, Expect: before, Flow: "jarm"},
			response: func(_ *exchange, d *draft) { d.header["alg"], d.alg = "none", "" }},
		{FaultInfo: FaultInfo{Fault: JARMAlgOther, Title: "The JWT is signed with an algorithm that is not registered", Section: "JARM 2.4 (6)", Case: 122, Expect: before, Flow: "jarm"},
			response: responseAlg("ES384")},
		{FaultInfo: FaultInfo{Fault: JARMHMAC, Title: "The JWT is signed with the client secret", Section: "JARM 2.4 (6)", Case: 122, Expect: before, Flow: "jarm"},
			response: responseAlg("HS256")},
		{FaultInfo: FaultInfo{Fault: JARMSignatureWrong, Title: "The signature is not the JWT's", Section: "JARM 2.4 (6)", Case: 122, Expect: before, Flow: "jarm"},
			responseSealed: func(_ *exchange, _ *draft, s string) string { return lastSegment(s, func(sig []byte) { sig[0] ^= 1 }) }},
		{FaultInfo: FaultInfo{Fault: JARMOtherKey, Title: "The JWT is signed with a key that is not the provider's", Section: "JARM 2.4 (6)", Case: 122, Expect: before, Flow: "jarm"},
			response: func(_ *exchange, d *draft) { byStranger(d) }},
		{FaultInfo: FaultInfo{Fault: JARMTypAccessToken, Title: "The JWT says that it is an access token", Section: "RFC 8725 3.11", Case: 122, Expect: before, Flow: "jarm"},
			response: headerParam("typ", "at+jwt")},
		{FaultInfo: FaultInfo{Fault: JARMStateMissing, Title: "The JWT has no state", Section: "JARM 2.4 (2)", Case: 122, Expect: before, Flow: "jarm"},
			response: noClaim("state")},
		{FaultInfo: FaultInfo{Fault: JARMStateOther, Title: "The state in the JWT is another one", Section: "JARM 2.4 (2)", Case: 122, Expect: before, Flow: "jarm"},
			response: claim("state", "another-state")},
		{FaultInfo: FaultInfo{Fault: JARMCodeNumber, Title: "The code in the JWT is a number", Section: "JARM 2.1", Case: 122, Expect: before, Flow: "jarm"},
			response: claim("code", 7)},
		{FaultInfo: FaultInfo{Fault: JARMPlain, Title: "The response is not a JWT", Section: "JARM 5.2", Case: 122, Expect: before, Flow: "jarm"},
			answer: func(_ *exchange, a *authAnswer) { a.mode = strings.TrimSuffix(a.mode, ".jwt") }},
		{FaultInfo: FaultInfo{Fault: JARMPlainBeside, Title: "There is a code beside the JWT", Section: "JARM 2.1", Case: 122, Expect: before, Flow: "jarm"},
			beside: func(_ *exchange, v url.Values) { clear(v); v.Set("code", "code-of-the-attacker") }},
		{FaultInfo: FaultInfo{Fault: JARMTwice, Title: "There are two JWTs", Section: "RFC 6749 3.1", Case: 122, Expect: before, Flow: "jarm"},
			beside: func(_ *exchange, v url.Values) { clear(v); v.Set("response", "e30.e30.") }},
		{FaultInfo: FaultInfo{Fault: JARMGarbage, Title: "What stands for the JWT is none", Section: "JARM 2.1", Case: 122, Expect: before, Flow: "jarm"},
			responseSealed: func(*exchange, *draft, string) string { return "code=x&state=y" }},
	})
}

// responseAlg signs with another algorithm than is registered, and with the
// provider's own key for it.
func responseAlg(alg string) func(*exchange, *draft) {
	return func(x *exchange, d *draft) {
		other, err := x.newDraft(alg, d.claims)
		if err != nil {
			return // the OP has a key for each algorithm: never reached
		}
		d.header, d.alg, d.key, d.secret = other.header, other.alg, other.key, other.secret
	}
}

// lastSegment changes the bytes of a JWT's signature.
func lastSegment(s string, f func([]byte)) string {
	i := strings.LastIndexByte(s, '.')
	b, err := base64.RawURLEncoding.DecodeString(s[i+1:])
	if err != nil || len(b) == 0 {
		return s
	}
	f(b)
	return s[:i+1] + b64(b)
}
