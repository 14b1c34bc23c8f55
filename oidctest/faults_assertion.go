package oidctest

import (
	"net/http"
)

// Faults of an assertion as a grant (RFC 7523 and RFC 7522).
const (
	// AssertionTypeMissing: the token_type is missing (RFC 6749 5.1). Refuse the response.
	AssertionTypeMissing Fault = "assertion_type_missing"
	// AssertionTypeNA: the token_type is N_A (RFC 6749 7.1). Refuse the response.
	AssertionTypeNA Fault = "assertion_type_na"
	// AssertionTokenMissing: there is no access token (RFC 6749 5.1). Refuse the response.
	AssertionTokenMissing Fault = "assertion_token_missing"
	// AssertionTokenNumber: the access token is a number (RFC 6749 5.1). Refuse the response.
	AssertionTokenNumber Fault = "assertion_token_number"
	// AssertionRefreshToken: there is a refresh token (RFC 7521 4.1). Do not keep it: present
	// the assertion again, or another.
	AssertionRefreshToken Fault = "assertion_refresh_token"
	// AssertionIDToken: there is an ID Token (RFC 7523 2.1). Do not believe it: nobody has
	// logged in.
	AssertionIDToken Fault = "assertion_id_token"
	// AssertionScopeWidened: more scopes are given than were asked for (RFC 6749 5.1). Tell the
	// scopes that were given.
	AssertionScopeWidened Fault = "assertion_scope_widened"
	// AssertionScopeNumber: the scope is a number (RFC 6749 5.1). Refuse the response.
	AssertionScopeNumber Fault = "assertion_scope_number"
	// AssertionInvalidGrant: the assertion is refused (RFC 7521 4.1.1). Report it; do not
	// present it again.
	AssertionInvalidGrant Fault = "assertion_invalid_grant"
	// AssertionInvalidScope: the scope is refused (RFC 6749 5.2). Report it.
	AssertionInvalidScope Fault = "assertion_invalid_scope"
	// AssertionUnauthorized: the client may not present assertions (RFC 6749 5.2). Report it.
	AssertionUnauthorized Fault = "assertion_unauthorized"
	// AssertionUnsupported: the grant is unknown (RFC 6749 5.2). Report it.
	AssertionUnsupported Fault = "assertion_unsupported"
	// AssertionErrorIn200: the refusal comes with status 200 (RFC 7521 4.1.1). Report it; take
	// no token.
	AssertionErrorIn200 Fault = "assertion_error_in200"
	// AssertionTruncated: the response ends in the middle (RFC 6749 5.1). Refuse the response.
	AssertionTruncated Fault = "assertion_truncated"
	// AssertionNull: the response is null (RFC 6749 5.1). Refuse the response.
	AssertionNull Fault = "assertion_null"
	// AssertionDuplicate: the access token is there twice (RFC 8259 4). Refuse the response.
	AssertionDuplicate Fault = "assertion_duplicate"
	// AssertionHTML: a page comes in place of JSON (RFC 6749 5.1). Refuse the response.
	AssertionHTML Fault = "assertion_html"
	// AssertionRedirect: a redirect leads to another host (RFC 6749 3.2). Do not follow it: who
	// is there would have the assertion.
	AssertionRedirect Fault = "assertion_redirect"
)

// assertionFaults are what can be wrong where an assertion is the grant.
func assertionFaults() []behaviour {
	return flow("assertion", group("Assertion grant", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: AssertionTypeMissing, Title: "The token_type is missing", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			doc: onAssertion(drop("token_type"))},
		{FaultInfo: FaultInfo{Fault: AssertionTypeNA, Title: "The token_type is N_A", Section: "RFC 6749 7.1", Expect: "Refuse the response."},
			doc: onAssertion(set("token_type", "N_A"))},
		{FaultInfo: FaultInfo{Fault: AssertionTokenMissing, Title: "There is no access token", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			doc: onAssertion(drop("access_token"))},
		{FaultInfo: FaultInfo{Fault: AssertionTokenNumber, Title: "The access token is a number", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			doc: onAssertion(set("access_token", 7))},
		{FaultInfo: FaultInfo{Fault: AssertionRefreshToken, Title: "There is a refresh token", Section: "RFC 7521 4.1", Expect: "Do not keep it: present the assertion again, or another.", Harmless: true},
			doc: onAssertion(set("refresh_token", "refresh-nobody-asked-for"))},
		{FaultInfo: FaultInfo{Fault: AssertionIDToken, Title: "There is an ID Token", Section: "RFC 7523 2.1", Expect: "Do not believe it: nobody has logged in.", Harmless: true},
			doc: onAssertion(set("id_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."))},
		{FaultInfo: FaultInfo{Fault: AssertionScopeWidened, Title: "More scopes are given than were asked for", Section: "RFC 6749 5.1", Expect: "Tell the scopes that were given.", Harmless: true},
			doc: onAssertion(set("scope", "calendar admin"))},
		{FaultInfo: FaultInfo{Fault: AssertionScopeNumber, Title: "The scope is a number", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			doc: onAssertion(set("scope", 7))},
		{FaultInfo: FaultInfo{Fault: AssertionInvalidGrant, Title: "The assertion is refused", Section: "RFC 7521 4.1.1", Expect: "Report it; do not present it again."},
			reply: refuseAssertion("invalid_grant", "Audience validation failed")},
		{FaultInfo: FaultInfo{Fault: AssertionInvalidScope, Title: "The scope is refused", Section: "RFC 6749 5.2", Expect: "Report it."},
			reply: refuseAssertion("invalid_scope", "nobody may have it")},
		{FaultInfo: FaultInfo{Fault: AssertionUnauthorized, Title: "The client may not present assertions", Section: "RFC 6749 5.2", Expect: "Report it."},
			reply: refuseAssertion("unauthorized_client", "the client may not present assertions")},
		{FaultInfo: FaultInfo{Fault: AssertionUnsupported, Title: "The grant is unknown", Section: "RFC 6749 5.2", Expect: "Report it."},
			reply: refuseAssertion("unsupported_grant_type", "the grant is unknown")},
		{FaultInfo: FaultInfo{Fault: AssertionErrorIn200, Title: "The refusal comes with status 200", Section: "RFC 7521 4.1.1", Expect: "Report it; take no token."},
			doc: onAssertion(set("error", "invalid_grant"))},
		{FaultInfo: FaultInfo{Fault: AssertionTruncated, Title: "The response ends in the middle", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			reply: onAssertion(edit(func(_ *exchange, b []byte) []byte { return b[:len(b)/2] }))},
		{FaultInfo: FaultInfo{Fault: AssertionNull, Title: "The response is null", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			reply: onAssertion(body(http.StatusOK, "application/json", "null"))},
		{FaultInfo: FaultInfo{Fault: AssertionDuplicate, Title: "The access token is there twice", Section: "RFC 8259 4", Expect: "Refuse the response."},
			reply: onAssertion(edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"access_token":"another"`) }))},
		{FaultInfo: FaultInfo{Fault: AssertionHTML, Title: "A page comes in place of JSON", Section: "RFC 6749 5.1", Expect: "Refuse the response."},
			reply: onAssertion(body(http.StatusOK, "text/html", html500))},
		{FaultInfo: FaultInfo{Fault: AssertionRedirect, Title: "A redirect leads to another host", Section: "RFC 6749 3.2", Expect: "Do not follow it: who is there would have the assertion."},
			reply: onAssertion(redirectTo(http.StatusTemporaryRedirect, elsewhere("/token")))},
	}))
}

// onAssertion runs a hook for the grants of an assertion alone.
func onAssertion[T any](f func(*exchange, T)) func(*exchange, T) {
	return onlyGrant(f, grantJWT, grantSAML)
}

// refuseAssertion refuses the grants of an assertion (RFC 7521, section 4.1.1).
func refuseAssertion(code, description string) func(*exchange, *reply) {
	return onAssertion(refusal(http.StatusBadRequest, code, description))
}
