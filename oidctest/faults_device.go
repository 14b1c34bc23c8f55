package oidctest

import (
	"net/http"
	"strings"
)

// Faults of a device authorization (RFC 8628).
const (
	// DeviceURIHTTP: the verification_uri is http (RFC 8628 3.2). Refuse it; show it to
	// nobody.
	DeviceURIHTTP Fault = "device_uri_http"
	// DeviceURIJavaScript: the verification_uri runs a script (RFC 8628 3.2). Refuse it; show
	// it to nobody.
	DeviceURIJavaScript Fault = "device_uri_javascript"
	// DeviceURICompleteHTTP: the verification_uri_complete is http (RFC 8628 3.3.1). Refuse
	// it; show it to nobody.
	DeviceURICompleteHTTP Fault = "device_uri_complete_http"
	// DeviceURIMissing: there is no verification_uri (RFC 8628 3.2). Refuse the answer.
	DeviceURIMissing Fault = "device_uri_missing"
	// DeviceCodeMissing: there is no device_code (RFC 8628 3.2). Refuse the answer.
	DeviceCodeMissing Fault = "device_code_missing"
	// DeviceUserCodeMissing: there is no user_code (RFC 8628 3.2). Refuse the answer.
	DeviceUserCodeMissing Fault = "device_user_code_missing"
	// DeviceUserCodeHostile: the user_code writes to the terminal (RFC 8628 5.4). Refuse it;
	// show it to nobody.
	DeviceUserCodeHostile Fault = "device_user_code_hostile"
	// DeviceExpiresInMissing: there is no expires_in (RFC 8628 3.2). Refuse the answer.
	DeviceExpiresInMissing Fault = "device_expires_in_missing"
	// DeviceExpiresInHuge: the code lives for centuries (RFC 8628 3.2). Stop within a bound of
	// its own.
	DeviceExpiresInHuge Fault = "device_expires_in_huge"
	// DeviceIntervalZero: the interval is 0 (RFC 8628 3.2). Wait some seconds all the same.
	DeviceIntervalZero Fault = "device_interval_zero"
	// DeviceIntervalNegative: the interval is negative (RFC 8628 3.2). Wait some seconds all
	// the same.
	DeviceIntervalNegative Fault = "device_interval_negative"
	// DeviceIntervalMissing: there is no interval (RFC 8628 3.2). Wait 5 seconds.
	DeviceIntervalMissing Fault = "device_interval_missing"
	// DeviceIntervalHuge: the interval is longer than the code lives (RFC 8628 3.2). Stop when
	// the code has expired.
	DeviceIntervalHuge Fault = "device_interval_huge"
	// DeviceSlowDown: every poll is answered slow_down (RFC 8628 3.5). Wait 5 seconds longer
	// after each; stop when the code has expired.
	DeviceSlowDown Fault = "device_slow_down"
	// DevicePending: nobody ever decides (RFC 8628 3.5). Stop when the code has expired.
	DevicePending Fault = "device_pending"
	// DeviceDenied: the person refuses (RFC 8628 3.5). Stop.
	DeviceDenied Fault = "device_denied"
	// DeviceExpired: the code has expired early (RFC 8628 3.5). Stop.
	DeviceExpired Fault = "device_expired"
	// DeviceUnavailable: the provider is down while it is polled (503) (RFC 8628 3.5). Poll
	// less often.
	DeviceUnavailable Fault = "device_unavailable"
)

// deviceFaults are what can be wrong in a device authorization (RFC 8628).
func deviceFaults() []behaviour {
	return flow("device", group("Device authorization", EndpointDevice, []behaviour{
		{FaultInfo: FaultInfo{Fault: DeviceURIHTTP, Title: "The verification_uri is http", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse it; show it to nobody."},
			doc: change("verification_uri", toHTTP)},
		{FaultInfo: FaultInfo{Fault: DeviceURIJavaScript, Title: "The verification_uri runs a script", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse it; show it to nobody."},
			doc: set("verification_uri", "javascript:alert(1)")},
		{FaultInfo: FaultInfo{Fault: DeviceURICompleteHTTP, Title: "The verification_uri_complete is http", Section: "RFC 8628 3.3.1", Case: 327, Expect: "Refuse it; show it to nobody."},
			doc: change("verification_uri_complete", toHTTP)},
		{FaultInfo: FaultInfo{Fault: DeviceURIMissing, Title: "There is no verification_uri", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse the answer."},
			doc: drop("verification_uri")},
		{FaultInfo: FaultInfo{Fault: DeviceCodeMissing, Title: "There is no device_code", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse the answer."},
			doc: drop("device_code")},
		{FaultInfo: FaultInfo{Fault: DeviceUserCodeMissing, Title: "There is no user_code", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse the answer."},
			doc: drop("user_code")},
		{FaultInfo: FaultInfo{Fault: DeviceUserCodeHostile, Title: "The user_code writes to the terminal", Section: "RFC 8628 5.4", Case: 327, Expect: "Refuse it; show it to nobody."},
			doc: set("user_code", "\x1b]0;gone\x07")},
		{FaultInfo: FaultInfo{Fault: DeviceExpiresInMissing, Title: "There is no expires_in", Section: "RFC 8628 3.2", Case: 327, Expect: "Refuse the answer."},
			doc: drop("expires_in")},
		{FaultInfo: FaultInfo{Fault: DeviceExpiresInHuge, Title: "The code lives for centuries", Section: "RFC 8628 3.2", Case: 327, Expect: "Stop within a bound of its own.", Harmless: true},
			doc: set("expires_in", int64(9e9))},
		{FaultInfo: FaultInfo{Fault: DeviceIntervalZero, Title: "The interval is 0", Section: "RFC 8628 3.2", Case: 327, Expect: "Wait some seconds all the same.", Harmless: true},
			doc: set("interval", 0)},
		{FaultInfo: FaultInfo{Fault: DeviceIntervalNegative, Title: "The interval is negative", Section: "RFC 8628 3.2", Case: 327, Expect: "Wait some seconds all the same.", Harmless: true},
			doc: set("interval", -5)},
		{FaultInfo: FaultInfo{Fault: DeviceIntervalMissing, Title: "There is no interval", Section: "RFC 8628 3.2", Case: 327, Expect: "Wait 5 seconds.", Harmless: true},
			doc: drop("interval")},
		{FaultInfo: FaultInfo{Fault: DeviceIntervalHuge, Title: "The interval is longer than the code lives", Section: "RFC 8628 3.2", Case: 327, Expect: "Stop when the code has expired."},
			doc: set("interval", int64(9e15))},
		{FaultInfo: FaultInfo{Fault: DeviceSlowDown, Title: "Every poll is answered slow_down", Section: "RFC 8628 3.5", Case: 327, At: EndpointToken, Expect: "Wait 5 seconds longer after each; stop when the code has expired."},
			reply: refusePoll(grantDevice, "slow_down")},
		{FaultInfo: FaultInfo{Fault: DevicePending, Title: "Nobody ever decides", Section: "RFC 8628 3.5", Case: 327, At: EndpointToken, Expect: "Stop when the code has expired."},
			reply: refusePoll(grantDevice, "authorization_pending")},
		{FaultInfo: FaultInfo{Fault: DeviceDenied, Title: "The person refuses", Section: "RFC 8628 3.5", Case: 327, At: EndpointToken, Expect: "Stop."},
			reply: refusePoll(grantDevice, "access_denied")},
		{FaultInfo: FaultInfo{Fault: DeviceExpired, Title: "The code has expired early", Section: "RFC 8628 3.5", Case: 327, At: EndpointToken, Expect: "Stop."},
			reply: refusePoll(grantDevice, "expired_token")},
		{FaultInfo: FaultInfo{Fault: DeviceUnavailable, Title: "The provider is down while it is polled (503)", Section: "RFC 8628 3.5", Case: 327, At: EndpointToken, Expect: "Poll less often."},
			reply: refusePollWith(grantDevice, http.StatusServiceUnavailable, "temporarily_unavailable")},
	}))
}

// toHTTP is the same URL without TLS.
func toHTTP(u string) string { return strings.Replace(u, "https://", "http://", 1) }

// refusePoll answers a token request of one grant with an error.
func refusePoll(grantType, code string) func(*exchange, *reply) {
	return refusePollWith(grantType, http.StatusBadRequest, code)
}

func refusePollWith(grantType string, status int, code string) func(*exchange, *reply) {
	return onlyGrant(refusal(status, code, "as told"), grantType)
}
