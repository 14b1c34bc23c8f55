package oidctest

// Faults of authorization details in the token response (RFC 9396).
const (
	// DetailsMissing: nothing says which authorization details were granted (RFC 9396 7). Refuse
	// the token response.
	DetailsMissing Fault = "details_missing"
	// DetailsNumber: the authorization details are a number (RFC 9396 7). Refuse the token
	// response.
	DetailsNumber Fault = "details_number"
	// DetailsElementNumber: one of the authorization details is a number (RFC 9396 7). Refuse the
	// token response.
	DetailsElementNumber Fault = "details_element_number"
	// DetailsTypeUnasked: authorization details of a type were granted that nobody asked for (RFC
	// 9396 7). Refuse the token response.
	DetailsTypeUnasked Fault = "details_type_unasked"
	// DetailsNoType: the authorization details have no type (RFC 9396 7). Refuse the token
	// response.
	DetailsNoType Fault = "details_no_type"
)

// detailFaults are what can be wrong with authorization details that were granted.
// A client that asks for none does not meet most of them.
func detailFaults() []behaviour {
	return group("Authorization details", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: DetailsMissing, Title: "Nothing says which authorization details were granted", Section: "RFC 9396 7", Expect: "Refuse the token response.", Flow: "rar"},
			doc: drop("authorization_details")},
		{FaultInfo: FaultInfo{Fault: DetailsNumber, Title: "The authorization details are a number", Section: "RFC 9396 7", Expect: "Refuse the token response.", Flow: "rar"},
			doc: set("authorization_details", 7)},
		{FaultInfo: FaultInfo{Fault: DetailsElementNumber, Title: "One of the authorization details is a number", Section: "RFC 9396 7", Expect: "Refuse the token response.", Flow: "rar"},
			doc: set("authorization_details", []any{7})},
		{FaultInfo: FaultInfo{Fault: DetailsTypeUnasked, Title: "Authorization details of a type were granted that nobody asked for", Section: "RFC 9396 7", Expect: "Refuse the token response.", Flow: "rar"},
			doc: set("authorization_details", []any{map[string]any{"type": "admin"}})},
		{FaultInfo: FaultInfo{Fault: DetailsNoType, Title: "The authorization details have no type", Section: "RFC 9396 7", Expect: "Refuse the token response.", Flow: "rar"},
			doc: set("authorization_details", []any{map[string]any{"actions": list("read")}})},
	})
}
