package oidctest

import (
	"encoding/json"
	"slices"
	"time"
)

// LogoutFault is one rule that a logout token can break; see [OP.LogoutToken].
type LogoutFault string

// Faults of a logout token.
const (
	// LogoutAlgNone: the token is not signed (Back-Channel Logout 2.6). Answer 400.
	LogoutAlgNone LogoutFault = "logout_alg_none"
	// LogoutAlgOther: the algorithm is one that was not agreed (Back-Channel Logout 2.6).
	// Answer 400.
	LogoutAlgOther LogoutFault = "logout_alg_other"
	// LogoutKeyOther: a stranger signed (Back-Channel Logout 2.6). Answer 400.
	LogoutKeyOther LogoutFault = "logout_key_other"
	// LogoutIssOther: the issuer is another (Back-Channel Logout 2.6). Answer 400.
	LogoutIssOther LogoutFault = "logout_iss_other"
	// LogoutAudOther: the token is for another client (Back-Channel Logout 2.6). Answer 400.
	LogoutAudOther LogoutFault = "logout_aud_other"
	// LogoutIatMissing: there is no iat (Back-Channel Logout 2.4). Answer 400.
	LogoutIatMissing LogoutFault = "logout_iat_missing"
	// LogoutIatFuture: iat is tomorrow (Back-Channel Logout 2.6). Answer 400.
	LogoutIatFuture LogoutFault = "logout_iat_future"
	// LogoutIatOld: iat is years ago (Back-Channel Logout 2.6). Answer 400.
	LogoutIatOld LogoutFault = "logout_iat_old"
	// LogoutExpired: the token has expired (Back-Channel Logout 2.6). Answer 400.
	LogoutExpired LogoutFault = "logout_expired"
	// LogoutJTIMissing: there is no jti (Back-Channel Logout 2.4). Answer 400.
	LogoutJTIMissing LogoutFault = "logout_jti_missing"
	// LogoutNobody: there is neither sub nor sid (Back-Channel Logout 2.6). Answer 400.
	LogoutNobody LogoutFault = "logout_nobody"
	// LogoutEventMissing: there is no events claim (Back-Channel Logout 2.6). Answer 400.
	LogoutEventMissing LogoutFault = "logout_event_missing"
	// LogoutEventOther: events holds another event (Back-Channel Logout 2.6). Answer 400.
	LogoutEventOther LogoutFault = "logout_event_other"
	// LogoutEventText: the event is a string (Back-Channel Logout 2.4). Answer 400.
	LogoutEventText LogoutFault = "logout_event_text"
	// LogoutNonce: there is a nonce (Back-Channel Logout 2.6). Answer 400.
	LogoutNonce LogoutFault = "logout_nonce"
	// LogoutTypOther: typ is that of an access token (RFC 8725 3.11). Answer 400.
	LogoutTypOther LogoutFault = "logout_typ_other"
)

// BreakLogout has the OP put faults into the logout tokens that it sends when a
// session ends; without an argument none. [OP.LogoutToken] and [OP.SendLogout] have
// those that they are given.
func (op *OP) BreakLogout(faults ...LogoutFault) {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.logoutFaults = slices.Clone(faults)
}

// LogoutFaultInfo describes a fault of a logout token. A relying party must answer
// each with status 400, and end no session.
type LogoutFaultInfo struct {
	Fault   LogoutFault
	Title   string // what is wrong, for a person
	Section string // what it breaks
	Case    int    // its number in the hostile catalogue (docs/hostile.md); 0 if it has none
}

type logoutBehaviour struct {
	LogoutFaultInfo
	edit func(d *draft, now time.Time)
}

// LogoutFaults returns every fault of a logout token.
func LogoutFaults() []LogoutFaultInfo {
	table := logoutBehaviours()
	infos := make([]LogoutFaultInfo, len(table))
	for i, b := range table {
		infos[i] = b.LogoutFaultInfo
	}
	return infos
}

func logoutBehaviours() []logoutBehaviour {
	set := func(name string, v any) func(*draft, time.Time) {
		return func(d *draft, _ time.Time) { d.claims[name] = v }
	}
	drop := func(names ...string) func(*draft, time.Time) {
		return func(d *draft, _ time.Time) {
			for _, n := range names {
				delete(d.claims, n)
			}
		}
	}
	when := func(name string, after time.Duration) func(*draft, time.Time) {
		return func(d *draft, now time.Time) { d.claims[name] = now.Add(after).Unix() }
	}
	const year = 365 * 24 * time.Hour
	const rules, claims = "Back-Channel Logout 2.6", "Back-Channel Logout 2.4"
	return []logoutBehaviour{
		{LogoutFaultInfo{LogoutAlgNone, "The token is not signed", rules, 264}, func(d *draft, _ time.Time) {
			d.header["alg"], d.alg = "none", ""
			delete(d.header, "kid")
		}},
		{LogoutFaultInfo{LogoutAlgOther, "The algorithm is one that was not agreed", rules, 264}, func(*draft, time.Time) {}},
		{LogoutFaultInfo{LogoutKeyOther, "A stranger signed", rules, 264}, func(d *draft, _ time.Time) { byStranger(d) }},
		{LogoutFaultInfo{LogoutIssOther, "The issuer is another", rules, 262}, set("iss", attacker)},
		{LogoutFaultInfo{LogoutAudOther, "The token is for another client", rules, 264}, set("aud", "another-client")},
		{LogoutFaultInfo{LogoutIatMissing, "There is no iat", claims, 258}, drop("iat")},
		{LogoutFaultInfo{LogoutIatFuture, "iat is tomorrow", rules, 259}, func(d *draft, now time.Time) {
			when("iat", 24*time.Hour)(d, now)
			when("exp", 25*time.Hour)(d, now)
		}},
		{LogoutFaultInfo{LogoutIatOld, "iat is years ago", rules, 263}, when("iat", -3*year)},
		{LogoutFaultInfo{LogoutExpired, "The token has expired", rules, 0}, func(d *draft, now time.Time) {
			when("iat", -2*time.Hour)(d, now)
			when("exp", -time.Hour)(d, now)
		}},
		{LogoutFaultInfo{LogoutJTIMissing, "There is no jti", claims, 261}, drop("jti")},
		{LogoutFaultInfo{LogoutNobody, "There is neither sub nor sid", rules, 264}, drop("sub", "sid")},
		{LogoutFaultInfo{LogoutEventMissing, "There is no events claim", rules, 255}, drop("events")},
		{LogoutFaultInfo{LogoutEventOther, "events holds another event", rules, 255}, set("events", map[string]any{logoutEvent + "x": map[string]any{}})},
		{LogoutFaultInfo{LogoutEventText, "The event is a string", claims, 256}, set("events", json.RawMessage(`{"`+logoutEvent+`":"yes"}`))},
		{LogoutFaultInfo{LogoutNonce, "There is a nonce", rules, 257}, set("nonce", "n-0S6_WzA2Mj")},
		{LogoutFaultInfo{LogoutTypOther, "typ is that of an access token", "RFC 8725 3.11", 260}, func(d *draft, _ time.Time) { d.header["typ"] = "at+jwt" }},
	}
}
