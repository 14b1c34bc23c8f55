package oidctest

import (
	"net/http"
)

// Faults of a backchannel authentication (CIBA).
const (
	// CIBARequestIDMissing: there is no auth_req_id (CIBA Core 7.3). Refuse the answer; poll
	// nothing.
	CIBARequestIDMissing Fault = "ciba_request_id_missing"
	// CIBARequestIDMalformed: the auth_req_id has characters that it cannot have (CIBA Core
	// 7.3). Refuse the answer; poll nothing.
	CIBARequestIDMalformed Fault = "ciba_request_id_malformed"
	// CIBAExpiresInMissing: there is no expires_in (CIBA Core 7.3). Refuse the answer; poll
	// nothing.
	CIBAExpiresInMissing Fault = "ciba_expires_in_missing"
	// CIBAExpiresInHuge: the request lives for centuries (CIBA Core 7.3). Stop within a bound
	// of its own.
	CIBAExpiresInHuge Fault = "ciba_expires_in_huge"
	// CIBAIntervalMissing: there is no interval (CIBA Core 7.3). Wait 5 seconds.
	CIBAIntervalMissing Fault = "ciba_interval_missing"
	// CIBAIntervalNegative: the interval is negative (CIBA Core 7.3). Wait some seconds all
	// the same.
	CIBAIntervalNegative Fault = "ciba_interval_negative"
	// CIBAIntervalHuge: the interval is longer than the request lives (CIBA Core 7.3). Stop
	// when the request has expired.
	CIBAIntervalHuge Fault = "ciba_interval_huge"
	// CIBAUnknownUser: the hint names nobody (CIBA Core 13). Report it.
	CIBAUnknownUser Fault = "ciba_unknown_user"
	// CIBAExpiredHint: the login_hint_token has expired (CIBA Core 13). Report it.
	CIBAExpiredHint Fault = "ciba_expired_hint"
	// CIBAInvalidRequest: the request is refused (CIBA Core 13). Report it.
	CIBAInvalidRequest Fault = "ciba_invalid_request"
	// CIBABindingRefused: the binding_message is refused (CIBA Core 13). Report it.
	CIBABindingRefused Fault = "ciba_binding_refused"
	// CIBASlowDown: every poll is answered slow_down (CIBA Core 11). Wait 5 seconds longer
	// after each; stop when the request has expired.
	CIBASlowDown Fault = "ciba_slow_down"
	// CIBAPending: nobody ever decides (CIBA Core 11). Stop when the request has expired.
	CIBAPending Fault = "ciba_pending"
	// CIBADenied: the person refuses (CIBA Core 11). Stop.
	CIBADenied Fault = "ciba_denied"
	// CIBAExpired: the request has expired early (CIBA Core 11). Stop.
	CIBAExpired Fault = "ciba_expired"
	// CIBAUnknownRequest: the auth_req_id is unknown (CIBA Core 11). Stop.
	CIBAUnknownRequest Fault = "ciba_unknown_request"
	// CIBANoIDToken: there is no ID Token (CIBA Core 10.1.1). Refuse the response.
	CIBANoIDToken Fault = "ciba_no_id_token"
)

// cibaFaults are what can be wrong in a backchannel authentication (CIBA).
func cibaFaults() []behaviour {
	return flow("ciba", group("Backchannel authentication", EndpointBackchannel, []behaviour{
		{FaultInfo: FaultInfo{Fault: CIBARequestIDMissing, Title: "There is no auth_req_id", Section: "CIBA Core 7.3", Case: 326, Expect: "Refuse the answer; poll nothing."},
			doc: drop("auth_req_id")},
		{FaultInfo: FaultInfo{Fault: CIBARequestIDMalformed, Title: "The auth_req_id has characters that it cannot have", Section: "CIBA Core 7.3", Case: 326, Expect: "Refuse the answer; poll nothing."},
			doc: set("auth_req_id", "a b\r\nc")},
		{FaultInfo: FaultInfo{Fault: CIBAExpiresInMissing, Title: "There is no expires_in", Section: "CIBA Core 7.3", Case: 326, Expect: "Refuse the answer; poll nothing."},
			doc: drop("expires_in")},
		{FaultInfo: FaultInfo{Fault: CIBAExpiresInHuge, Title: "The request lives for centuries", Section: "CIBA Core 7.3", Case: 326, Expect: "Stop within a bound of its own.", Harmless: true},
			doc: set("expires_in", int64(9e9))},
		{FaultInfo: FaultInfo{Fault: CIBAIntervalMissing, Title: "There is no interval", Section: "CIBA Core 7.3", Case: 326, Expect: "Wait 5 seconds.", Harmless: true},
			doc: drop("interval")},
		{FaultInfo: FaultInfo{Fault: CIBAIntervalNegative, Title: "The interval is negative", Section: "CIBA Core 7.3", Case: 326, Expect: "Wait some seconds all the same.", Harmless: true},
			doc: set("interval", -1)},
		{FaultInfo: FaultInfo{Fault: CIBAIntervalHuge, Title: "The interval is longer than the request lives", Section: "CIBA Core 7.3", Case: 326, Expect: "Stop when the request has expired."},
			doc: set("interval", int64(9e15))},
		{FaultInfo: FaultInfo{Fault: CIBAUnknownUser, Title: "The hint names nobody", Section: "CIBA Core 13", Case: 326, Expect: "Report it."},
			reply: refusal(http.StatusBadRequest, "unknown_user_id", "the hint names nobody")},
		{FaultInfo: FaultInfo{Fault: CIBAExpiredHint, Title: "The login_hint_token has expired", Section: "CIBA Core 13", Case: 326, Expect: "Report it."},
			reply: refusal(http.StatusBadRequest, "expired_login_hint_token", "it has expired")},
		{FaultInfo: FaultInfo{Fault: CIBAInvalidRequest, Title: "The request is refused", Section: "CIBA Core 13", Case: 326, Expect: "Report it."},
			reply: refusal(http.StatusBadRequest, "invalid_request", "it is refused")},
		{FaultInfo: FaultInfo{Fault: CIBABindingRefused, Title: "The binding_message is refused", Section: "CIBA Core 13", Case: 326, Expect: "Report it."},
			reply: refusal(http.StatusBadRequest, "invalid_binding_message", "it cannot be shown")},
		{FaultInfo: FaultInfo{Fault: CIBASlowDown, Title: "Every poll is answered slow_down", Section: "CIBA Core 11", Case: 326, At: EndpointToken, Expect: "Wait 5 seconds longer after each; stop when the request has expired."},
			reply: refusePoll(grantCIBA, "slow_down")},
		{FaultInfo: FaultInfo{Fault: CIBAPending, Title: "Nobody ever decides", Section: "CIBA Core 11", Case: 326, At: EndpointToken, Expect: "Stop when the request has expired."},
			reply: refusePoll(grantCIBA, "authorization_pending")},
		{FaultInfo: FaultInfo{Fault: CIBADenied, Title: "The person refuses", Section: "CIBA Core 11", Case: 326, At: EndpointToken, Expect: "Stop."},
			reply: refusePoll(grantCIBA, "access_denied")},
		{FaultInfo: FaultInfo{Fault: CIBAExpired, Title: "The request has expired early", Section: "CIBA Core 11", Case: 326, At: EndpointToken, Expect: "Stop."},
			reply: refusePoll(grantCIBA, "expired_token")},
		{FaultInfo: FaultInfo{Fault: CIBAUnknownRequest, Title: "The auth_req_id is unknown", Section: "CIBA Core 11", Case: 326, At: EndpointToken, Expect: "Stop."},
			reply: refusePoll(grantCIBA, "invalid_grant")},
		{FaultInfo: FaultInfo{Fault: CIBANoIDToken, Title: "There is no ID Token", Section: "CIBA Core 10.1.1", Case: 326, At: EndpointToken, Expect: "Refuse the response."},
			doc: onlyGrant(drop("id_token"), grantCIBA)},
	}))
}
