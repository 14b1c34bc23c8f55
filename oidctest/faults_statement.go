package oidctest

// Faults of a registration with a software statement.
const (
	// StatementChanged: another software statement comes back (RFC 7591 3.2.1). Refuse the
	// response.
	StatementChanged Fault = "statement_changed"
	// StatementOverruled: redirect URIs are registered that the statement does not hold (RFC
	// 7591 2.3). Refuse the response.
	StatementOverruled Fault = "statement_overruled"
	// StatementUnapproved: the software statement is not approved (RFC 7591 3.2.2). Report it.
	StatementUnapproved Fault = "statement_unapproved"
)

// statementFaults are what can be wrong with the answer to a software statement.
func statementFaults() []behaviour {
	stated := func(f func(map[string]any)) func(*exchange, map[string]any) {
		return func(_ *exchange, m map[string]any) {
			if _, ok := m["software_statement"]; ok {
				f(m)
			}
		}
	}
	return needing("a software statement", flow("registration", group("Software statement", EndpointRegistration, []behaviour{
		{FaultInfo: FaultInfo{Fault: StatementChanged, Title: "Another software statement comes back", Section: "RFC 7591 3.2.1", Expect: "Refuse the response."},
			doc: stated(func(m map[string]any) { m["software_statement"] = "eyJhbGciOiJub25lIn0.e30." })},
		{FaultInfo: FaultInfo{Fault: StatementOverruled, Title: "Redirect URIs are registered that the statement does not hold", Section: "RFC 7591 2.3", Expect: "Refuse the response."},
			doc: stated(func(m map[string]any) { m["redirect_uris"] = []any{attacker + "/callback"} })},
		{FaultInfo: FaultInfo{Fault: StatementUnapproved, Title: "The software statement is not approved", Section: "RFC 7591 3.2.2", Expect: "Report it."},
			reply: func(x *exchange, r *reply) {
				if _, ok := r.doc["software_statement"]; ok {
					refusal(400, "unapproved_software_statement", "the statement is by a publisher who is not trusted")(x, r)
				}
			}},
	})))
}
