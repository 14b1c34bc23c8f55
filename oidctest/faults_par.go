package oidctest

import (
	"net/http"
	"strings"
)

// Faults of a pushed authorization request.
const (
	// PARNoRequestURI: there is no request_uri (RFC 9126 2.2). Refuse the response; send the
	// browser nowhere.
	PARNoRequestURI Fault = "par_no_request_uri"
	// PARRequestURINumber: the request_uri is a number (RFC 9126 2.2). Refuse the response; send
	// the browser nowhere.
	PARRequestURINumber Fault = "par_request_uri_number"
	// PARRequestURIEmpty: the request_uri is empty (RFC 9126 2.2). Refuse the response; send the
	// browser nowhere.
	PARRequestURIEmpty Fault = "par_request_uri_empty"
	// PARRequestURILong: the request_uri has 9 000 characters (RFC 9126 2.2). Refuse the response;
	// send the browser nowhere.
	PARRequestURILong Fault = "par_request_uri_long"
	// PARRequestURIControl: the request_uri has a line break in it (RFC 9126 2.2). Refuse the
	// response; send the browser nowhere.
	PARRequestURIControl Fault = "par_request_uri_control"
	// PARExpiresMissing: there is no expires_in (RFC 9126 2.2). Refuse the response; send the
	// browser nowhere.
	PARExpiresMissing Fault = "par_expires_missing"
	// PARExpiresZero: the request is dead already: expires_in is 0 (RFC 9126 2.2). Refuse the
	// response; send the browser nowhere.
	PARExpiresZero Fault = "par_expires_zero"
	// PARExpiresNegative: the expires_in is negative (RFC 9126 2.2). Refuse the response; send the
	// browser nowhere.
	PARExpiresNegative Fault = "par_expires_negative"
	// PARExpiresText: the expires_in is a string (RFC 9126 2.2). Refuse the response; send the
	// browser nowhere.
	PARExpiresText Fault = "par_expires_text"
	// PARRedirect: the pushed request is redirected to another host (307) (RFC 9126 2.2). Do not
	// follow; credentials and request go nowhere else.
	PARRedirect Fault = "par_redirect"
	// PARRefused: the pushed request is refused (RFC 9126 2.3). Report the error; do not send the
	// browser with the parameters in the URL.
	PARRefused Fault = "par_refused"
	// PARClientRefused: the client is not known at this endpoint (RFC 9126 2.3). Report the error;
	// do not send the browser with the parameters in the URL.
	PARClientRefused Fault = "par_client_refused"
	// PARUnavailable: the endpoint answers 503 (RFC 9126 2.3). Report the failure; do not send the
	// browser with the parameters in the URL.
	PARUnavailable Fault = "par_unavailable"
	// PARHTML: a page comes in place of JSON (RFC 9126 2.2). Refuse it.
	PARHTML Fault = "par_html"
	// PARNull: the answer is null (RFC 9126 2.2). Refuse it.
	PARNull Fault = "par_null"
	// PARDuplicate: the request_uri is there twice (RFC 8259 4). Refuse it.
	PARDuplicate Fault = "par_duplicate"
	// PAREndless: the answer never ends (RFC 9126 2.2). Stop at a limit.
	PAREndless Fault = "par_endless"
	// PARErrorIn200: an error comes with status 200 (RFC 9126 2.3). Report the error.
	PARErrorIn200 Fault = "par_error_in_200"
	// PARStatusOK: the status is 200 in place of 201 (RFC 9126 2.2). Accept what has a
	// request_uri.
	PARStatusOK Fault = "par_status_ok"
)

// parFaults are what can be wrong with the answer to a pushed request. A client
// that pushes nothing does not meet them.
func parFaults() []behaviour {
	return group("Pushed authorization request", EndpointPAR, []behaviour{
		{FaultInfo: FaultInfo{Fault: PARNoRequestURI, Title: "There is no request_uri", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: drop("request_uri")},
		{FaultInfo: FaultInfo{Fault: PARRequestURINumber, Title: "The request_uri is a number", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: set("request_uri", 7)},
		{FaultInfo: FaultInfo{Fault: PARRequestURIEmpty, Title: "The request_uri is empty", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: set("request_uri", "")},
		{FaultInfo: FaultInfo{Fault: PARRequestURILong, Title: "The request_uri has 9 000 characters", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: change("request_uri", func(s string) string { return s + strings.Repeat("x", 9000) })},
		{FaultInfo: FaultInfo{Fault: PARRequestURIControl, Title: "The request_uri has a line break in it", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: change("request_uri", func(s string) string { return s + "\r\nLocation: " + attacker })},
		{FaultInfo: FaultInfo{Fault: PARExpiresMissing, Title: "There is no expires_in", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: drop("expires_in")},
		{FaultInfo: FaultInfo{Fault: PARExpiresZero, Title: "The request is dead already: expires_in is 0", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: set("expires_in", 0)},
		{FaultInfo: FaultInfo{Fault: PARExpiresNegative, Title: "The expires_in is negative", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: set("expires_in", -60)},
		{FaultInfo: FaultInfo{Fault: PARExpiresText, Title: "The expires_in is a string", Section: "RFC 9126 2.2", Expect: "Refuse the response; send the browser nowhere.", Flow: "par"},
			doc: set("expires_in", "soon")},
		{FaultInfo: FaultInfo{Fault: PARRedirect, Title: "The pushed request is redirected to another host (307)", Section: "RFC 9126 2.2", Case: 325, Expect: "Do not follow; credentials and request go nowhere else.", Flow: "par"},
			reply: redirectTo(http.StatusTemporaryRedirect, elsewhere("/par"))},
		{FaultInfo: FaultInfo{Fault: PARRefused, Title: "The pushed request is refused", Section: "RFC 9126 2.3", Expect: "Report the error; do not send the browser with the parameters in the URL.", Flow: "par"},
			reply: refusal(http.StatusBadRequest, "invalid_request", "this provider does not like the request")},
		{FaultInfo: FaultInfo{Fault: PARClientRefused, Title: "The client is not known at this endpoint", Section: "RFC 9126 2.3", Expect: "Report the error; do not send the browser with the parameters in the URL.", Flow: "par"},
			reply: refusal(http.StatusUnauthorized, "invalid_client", "who are you?")},
		{FaultInfo: FaultInfo{Fault: PARUnavailable, Title: "The endpoint answers 503", Section: "RFC 9126 2.3", Expect: "Report the failure; do not send the browser with the parameters in the URL.", Flow: "par"},
			reply: body(http.StatusServiceUnavailable, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: PARHTML, Title: "A page comes in place of JSON", Section: "RFC 9126 2.2", Expect: "Refuse it.", Flow: "par"},
			reply: body(http.StatusCreated, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: PARNull, Title: "The answer is null", Section: "RFC 9126 2.2", Expect: "Refuse it.", Flow: "par"},
			reply: body(http.StatusCreated, "application/json", "null")},
		{FaultInfo: FaultInfo{Fault: PARDuplicate, Title: "The request_uri is there twice", Section: "RFC 8259 4", Expect: "Refuse it.", Flow: "par"},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"request_uri":"urn:example:other"`) })},
		{FaultInfo: FaultInfo{Fault: PAREndless, Title: "The answer never ends", Section: "RFC 9126 2.2", Expect: "Stop at a limit.", Flow: "par"},
			reply: endless("application/json")},
		{FaultInfo: FaultInfo{Fault: PARErrorIn200, Title: "An error comes with status 200", Section: "RFC 9126 2.3", Expect: "Report the error.", Flow: "par"},
			reply: body(http.StatusOK, "application/json", `{"error":"invalid_request"}`)},
		{FaultInfo: FaultInfo{Fault: PARStatusOK, Title: "The status is 200 in place of 201", Section: "RFC 9126 2.2", Expect: "Accept what has a request_uri.", Harmless: true, Flow: "par"},
			reply: status(http.StatusOK)},
	})
}
