package oidctest

// Faults of a token exchange (RFC 8693).
const (
	// IssuedTypeMissing: there is no issued_token_type (RFC 8693 2.2.1). Refuse the response.
	IssuedTypeMissing Fault = "issued_type_missing"
	// IssuedTypeOther: the issued_token_type is another than was asked for (RFC 8693 2.2.1).
	// Refuse the response.
	IssuedTypeOther Fault = "issued_type_other"
	// IssuedNotApplicable: the token_type of an access token is N_A (RFC 8693 2.2.1). Refuse
	// the response.
	IssuedNotApplicable Fault = "issued_not_applicable"
)

// exchangeFaults are what can be wrong in a token exchange (RFC 8693).
func exchangeFaults() []behaviour {
	return flow("exchange", group("Token exchange", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: IssuedTypeMissing, Title: "There is no issued_token_type", Section: "RFC 8693 2.2.1", Expect: "Refuse the response."},
			doc: onlyGrant(drop("issued_token_type"), grantExchange)},
		{FaultInfo: FaultInfo{Fault: IssuedTypeOther, Title: "The issued_token_type is another than was asked for", Section: "RFC 8693 2.2.1", Expect: "Refuse the response."},
			doc: onlyGrant(set("issued_token_type", typeIDToken), grantExchange)},
		{FaultInfo: FaultInfo{Fault: IssuedNotApplicable, Title: "The token_type of an access token is N_A", Section: "RFC 8693 2.2.1", Expect: "Refuse the response."},
			doc: onlyGrant(set("token_type", "N_A"), grantExchange)},
	}))
}
