package oidctest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// The grants that a person decides about elsewhere.
const (
	grantDevice = "urn:ietf:params:oauth:grant-type:device_code" // RFC 8628, section 3.4
	grantCIBA   = "urn:openid:params:grant-type:ciba"            // CIBA Core 1.0, section 10.1
)

const (
	questionLifetime = 5 * time.Minute
	questionInterval = 5 * time.Second // RFC 8628, section 3.2
	slowDown         = 5 * time.Second // RFC 8628, section 3.5
	answeredLate     = time.Hour       // how long the OP knows what has expired
)

// question is a grant that a person decides about while the client waits: a
// device authorization, or a backchannel authentication.
type question struct {
	grantType string
	id        string // the device_code or auth_req_id
	userCode  string // of a device authorization
	client    *registered
	scopes    []string
	username  string // of a backchannel authentication; or who approved
	acr       string
	claims    claimsParam
	mode      string // how a backchannel client hears: poll, ping or push
	bearer    string // client_notification_token

	// What follows is guarded by OP.mu.
	expires  time.Time
	interval time.Duration
	polled   time.Time // last; zero if never
	decides  time.Time // when the person approves; zero: when told to
	answer   verdict
	used     bool
}

type verdict int

const (
	undecided verdict = iota
	approved
	denied
)

// answerAt is the person's answer. The caller holds OP.mu.
func (q *question) answerAt(now time.Time) verdict {
	if q.answer == undecided && !q.decides.IsZero() && !now.Before(q.decides) {
		return approved
	}
	return q.answer
}

// ask keeps a question. The caller holds op.mu.
func (op *OP) ask(q *question, lifetime time.Duration, now time.Time) {
	q.expires, q.interval = now.Add(lifetime), op.c.PollInterval
	if op.c.DecisionTime >= 0 && q.grantType == grantCIBA {
		q.decides = now.Add(op.c.DecisionTime)
	}
	op.questions.put(q.id, q, q.expires.Add(answeredLate))
}

// find returns the question that a device code, user code or auth_req_id names.
// The caller holds op.mu.
func (op *OP) question(name string) (*question, bool) {
	now := op.now()
	if q, ok := op.questions.get(name, now); ok {
		return q, true
	}
	for id := range op.questions.entries {
		if q, ok := op.questions.get(id, now); ok && q.userCode != "" && sameUserCode(q.userCode, name) {
			return q, true
		}
	}
	return nil, false
}

// sameUserCode compares as RFC 8628, section 6.1, recommends.
func sameUserCode(a, b string) bool {
	clean := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= 'A' && r <= 'Z' {
				return r
			}
			return -1
		}, strings.ToUpper(s))
	}
	return clean(a) == clean(b)
}

// Approve has a person say yes to a device authorization, named by its user code
// or device code, or to a backchannel authentication, named by its auth_req_id.
// An empty username is the person whom the request is for, or the first.
func (op *OP) Approve(name, username string) error { return op.settle(name, username, approved) }

// Deny is Approve for no.
func (op *OP) Deny(name string) error { return op.settle(name, "", denied) }

// Undecided returns what nobody has decided about yet, for [OP.Approve] and
// [OP.Deny]: user codes of device authorizations, and the auth_req_id of
// backchannel authentications, in the order in which they began.
func (op *OP) Undecided() []string {
	op.mu.Lock()
	defer op.mu.Unlock()
	now := op.now()
	var names []string
	for _, id := range op.questions.order {
		q, ok := op.questions.get(id, now)
		if !ok || q.answerAt(now) != undecided || !now.Before(q.expires) {
			continue
		}
		name := q.id
		if q.userCode != "" {
			name = q.userCode
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func (op *OP) settle(name, username string, a verdict) error {
	op.mu.Lock()
	defer op.mu.Unlock()
	q, ok := op.question(name)
	if !ok || !op.now().Before(q.expires) {
		return fmt.Errorf("oidctest: nobody is asked about %q", name)
	}
	if username != "" {
		u, ok := op.user(username)
		if !ok {
			return fmt.Errorf("oidctest: there is no user %q", username)
		}
		q.username = u.Username
	}
	q.answer = a
	return nil
}

// poll answers a token request that waits for a person (RFC 8628, section 3.5;
// CIBA Core 1.0, section 11).
func (x *exchange) poll() *reply {
	param := "device_code"
	if x.grantType == grantCIBA {
		param = "auth_req_id"
	}
	value := x.form.Get(param)
	if value == "" {
		return oauthError(http.StatusBadRequest, "invalid_request", param+" is missing")
	}
	op := x.op
	op.mu.Lock()
	q, ok := op.questions.get(value, x.now)
	code, description := "", ""
	switch {
	case !ok || q.grantType != x.grantType || q.client.ID != x.client.ID || q.used:
		code, description = "invalid_grant", param+" is unknown, used or another client's"
	case q.mode == "push":
		code, description = "unauthorized_client", "a client that is pushed to does not poll (CIBA Core 10.1)"
	case !x.now.Before(q.expires):
		code, description = "expired_token", "nobody decided in time"
	case !q.polled.IsZero() && x.now.Sub(q.polled) < q.interval:
		q.interval += slowDown
		code, description = "slow_down", "polled before the interval was over"
	default:
		switch q.answerAt(x.now) {
		case undecided:
			code, description = "authorization_pending", "nobody has decided yet"
		case denied:
			code, description = "access_denied", "the person refused"
		}
	}
	if ok {
		q.polled = x.now
	}
	if code != "" {
		op.mu.Unlock()
		return oauthError(http.StatusBadRequest, code, description)
	}
	q.used = true
	g, access, refresh := x.answered(q)
	op.mu.Unlock()
	return x.tokenResponse(g, access, refresh, g.scopes, false)
}

// answered issues the tokens of a question that was approved. The caller holds
// op.mu.
func (x *exchange) answered(q *question) (g *grant, access, refresh string) {
	op := x.op
	u, ok := op.user(q.username)
	if !ok {
		u = op.users[0]
	}
	g = &grant{
		clientID: q.client.ID, username: u.Username, sub: op.subject(q.client, u), scopes: q.scopes,
		authTime: x.now, wantsAuthTime: q.client.RequireAuthTime, acr: q.acr, claims: q.claims,
	}
	access = op.issueAccess(g, x.now, x.binding())
	if slices.Contains(q.client.grantTypes(), "refresh_token") && (op.c.RefreshAlways || slices.Contains(g.scopes, "offline_access")) {
		refresh = op.issueRefresh(g, x.now, x.refreshKey())
	}
	return g, access, refresh
}

// knownScopes are those that the OP knows (RFC 6749, section 3.3).
func (op *OP) knownScopes(scope string) []string {
	var granted []string
	for s := range strings.FieldsSeq(scope) {
		if (s == "openid" || s == "offline_access" || scopeClaims(s) != nil) && !slices.Contains(granted, s) {
			granted = append(granted, s)
		}
	}
	return granted
}

// formRequest reads a POST of an authenticated client.
func (x *exchange) formRequest(grantType string) *reply {
	switch {
	case x.r.Method != http.MethodPost:
		return methodNotAllowed("POST")
	case x.form == nil:
		return oauthError(http.StatusBadRequest, "invalid_request", "the body must be application/x-www-form-urlencoded")
	}
	if name := duplicate(x.form); name != "" {
		return oauthError(http.StatusBadRequest, "invalid_request", "parameter "+name+" occurs twice")
	}
	if rep := x.authenticate(); rep != nil {
		return rep
	}
	if !slices.Contains(x.client.grantTypes(), grantType) {
		return oauthError(http.StatusBadRequest, "unauthorized_client", "the client is not registered for the grant "+grantType)
	}
	return nil
}

// grantMetadata is what the metadata says of these grants (RFC 8628, section 4;
// CIBA Core 1.0, section 4).
func (op *OP) grantMetadata() map[string]any {
	return map[string]any{
		"device_authorization_endpoint":                                   op.URL(EndpointDevice),
		"backchannel_authentication_endpoint":                             op.URL(EndpointBackchannel),
		"backchannel_token_delivery_modes_supported":                      list("poll", "ping", "push"),
		"backchannel_authentication_request_signing_alg_values_supported": list(asymmetric(SigningAlgs())...),
		"backchannel_user_code_parameter_supported":                       true,
		"client_id_metadata_document_supported":                           op.c.ClientDocuments,
	}
}
