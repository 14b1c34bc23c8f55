package oidctest

import "net/http"

// Faults of introspection.
const (
	// IntrospectionActiveMissing: there is no active (RFC 7662 2.2). Refuse the answer.
	IntrospectionActiveMissing Fault = "introspection_active_missing"
	// IntrospectionActiveString: active is the string "false" (RFC 7662 2.2). Refuse the
	// answer; do not take it for true.
	IntrospectionActiveString Fault = "introspection_active_string"
	// IntrospectionExpired: a token is active whose exp is past (RFC 7662 4). Refuse the
	// answer.
	IntrospectionExpired Fault = "introspection_expired"
	// IntrospectionNotYet: a token is active whose nbf is tomorrow (RFC 7662 4). Refuse the
	// answer.
	IntrospectionNotYet Fault = "introspection_not_yet"
	// IntrospectionScopeList: the scope is a list (RFC 7662 2.2). Refuse the answer.
	IntrospectionScopeList Fault = "introspection_scope_list"
	// IntrospectionHTML: a page comes in place of JSON (RFC 7662 2.2). Refuse the answer.
	IntrospectionHTML Fault = "introspection_html"
	// IntrospectionDuplicate: active is there twice (RFC 8259 4). Refuse the answer.
	IntrospectionDuplicate Fault = "introspection_duplicate"
	// IntrospectionRefused: the client may not ask (401) (RFC 7662 2.3). Report it after one
	// request.
	IntrospectionRefused Fault = "introspection_refused"
	// IntrospectionUnsigned: JSON comes in place of the signed answer (RFC 9701 4). Refuse the
	// answer.
	IntrospectionUnsigned Fault = "introspection_unsigned"
	// IntrospectionTypOther: the typ of the signed answer is JWT (RFC 9701 5). Refuse the
	// answer.
	IntrospectionTypOther Fault = "introspection_typ_other"
	// IntrospectionIssOther: the signed answer is another issuer's (RFC 9701 5). Refuse the
	// answer.
	IntrospectionIssOther Fault = "introspection_iss_other"
	// IntrospectionAudOther: the signed answer is for another client (RFC 9701 5). Refuse the
	// answer.
	IntrospectionAudOther Fault = "introspection_aud_other"
	// IntrospectionIatMissing: the signed answer has no iat (RFC 9701 5). Refuse the answer.
	IntrospectionIatMissing Fault = "introspection_iat_missing"
	// IntrospectionIatOld: the signed answer is of yesterday (RFC 9701 5). Refuse the answer: it
	// was made for another question.
	IntrospectionIatOld Fault = "introspection_iat_old"
	// IntrospectionMemberMissing: the signed answer has no token_introspection (RFC 9701 5).
	// Refuse the answer.
	IntrospectionMemberMissing Fault = "introspection_member_missing"
	// IntrospectionAlgNone: the answer is a JWT without a signature (RFC 9701 8.1). Refuse the
	// answer.
	IntrospectionAlgNone Fault = "introspection_alg_none"
	// IntrospectionOtherKey: the signed answer is signed by a stranger (RFC 9701 5). Refuse the
	// answer.
	IntrospectionOtherKey Fault = "introspection_other_key"
)

// introspectionFaults are what can be wrong with what the OP says of a token.
func introspectionFaults() []behaviour {
	const refuse = "Refuse the answer."
	onClaims := func(f func(map[string]any)) func(*exchange, *draft) {
		return func(_ *exchange, d *draft) { f(d.claims) }
	}
	active := func(f func(*exchange, map[string]any)) func(*exchange, map[string]any) {
		return func(x *exchange, m map[string]any) {
			if m["active"] == true {
				f(x, m)
			}
		}
	}
	table := group("Introspection", EndpointIntrospection, []behaviour{
		{FaultInfo: FaultInfo{Fault: IntrospectionActiveMissing, Title: "There is no active", Section: "RFC 7662 2.2", Expect: refuse}, doc: drop("active")},
		{FaultInfo: FaultInfo{Fault: IntrospectionActiveString, Title: `Active is the string "false"`, Section: "RFC 7662 2.2", Expect: "Refuse the answer; do not take it for true."}, doc: set("active", "false")},
		{FaultInfo: FaultInfo{Fault: IntrospectionExpired, Title: "A token is active whose exp is past", Section: "RFC 7662 4", Expect: refuse},
			doc: active(func(x *exchange, m map[string]any) { m["exp"] = x.now.Unix() - 3600 })},
		{FaultInfo: FaultInfo{Fault: IntrospectionNotYet, Title: "A token is active whose nbf is tomorrow", Section: "RFC 7662 4", Expect: refuse},
			doc: active(func(x *exchange, m map[string]any) { m["nbf"] = x.now.Unix() + 24*3600 })},
		{FaultInfo: FaultInfo{Fault: IntrospectionScopeList, Title: "The scope is a list", Section: "RFC 7662 2.2", Expect: refuse}, doc: active(set("scope", []any{"openid"}))},
		{FaultInfo: FaultInfo{Fault: IntrospectionHTML, Title: "A page comes in place of JSON", Section: "RFC 7662 2.2", Expect: refuse}, reply: body(http.StatusOK, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: IntrospectionDuplicate, Title: "Active is there twice", Section: "RFC 8259 4", Expect: refuse},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"active":false`) })},
		{FaultInfo: FaultInfo{Fault: IntrospectionRefused, Title: "The client may not ask (401)", Section: "RFC 7662 2.3", Expect: "Report it after one request."},
			reply: refusal(http.StatusUnauthorized, "invalid_client", "the client may not ask")},
		{FaultInfo: FaultInfo{Fault: IntrospectionUnsigned, Title: "JSON comes in place of the signed answer", Section: "RFC 9701 4", Expect: refuse, Needs: "signed introspection"},
			reply: func(x *exchange, r *reply) {
				if x.client != nil && x.client.IntrospectionSignedResponseAlg != "" {
					body(http.StatusOK, "application/json", `{"active":true}`)(x, r)
				}
			}},
		{FaultInfo: FaultInfo{Fault: IntrospectionTypOther, Title: "The typ of the signed answer is JWT", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: headerParam("typ", "JWT")},
		{FaultInfo: FaultInfo{Fault: IntrospectionIssOther, Title: "The signed answer is another issuer's", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: claim("iss", attacker)},
		{FaultInfo: FaultInfo{Fault: IntrospectionAudOther, Title: "The signed answer is for another client", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: claim("aud", "another-client")},
		{FaultInfo: FaultInfo{Fault: IntrospectionIatMissing, Title: "The signed answer has no iat", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: noClaim("iat")},
		{FaultInfo: FaultInfo{Fault: IntrospectionIatOld, Title: "The signed answer is of yesterday", Section: "RFC 9701 5", Expect: "Refuse the answer: it was made for another question.", Needs: "signed introspection"},
			introspection: func(x *exchange, d *draft) { d.claims["iat"] = x.now.Unix() - 24*3600 }},
		{FaultInfo: FaultInfo{Fault: IntrospectionMemberMissing, Title: "The signed answer has no token_introspection", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: onClaims(func(m map[string]any) { delete(m, "token_introspection") })},
		{FaultInfo: FaultInfo{Fault: IntrospectionAlgNone, Title: "The answer is a JWT without a signature", Section: "RFC 9701 8.1", Expect: refuse, Needs: "signed introspection"},
			introspection: unsign("none")},
		{FaultInfo: FaultInfo{Fault: IntrospectionOtherKey, Title: "The signed answer is signed by a stranger", Section: "RFC 9701 5", Expect: refuse, Needs: "signed introspection"},
			introspection: func(_ *exchange, d *draft) { byStranger(d) }},
	})
	for i := range table {
		table[i].Flow = "introspection"
	}
	return table
}
