package oidctest

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxBindingMessage    = 64
	maxNotificationToken = 1024 // CIBA Core 1.0, section 7.1
	maxRequestAge        = time.Hour
)

// backchannel is the backchannel authentication endpoint (CIBA Core 1.0, section
// 7.1).
func (x *exchange) backchannel() *reply {
	if rep := x.formRequest(grantCIBA); rep != nil {
		return rep
	}
	refuse := func(code, format string, args ...any) *reply {
		return oauthError(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
	}
	params := x.form
	if alg := x.client.text("backchannel_authentication_request_signing_alg"); alg != "" || x.form.Has("request") {
		signed, err := x.signedRequest(alg)
		if err != nil {
			return refuse("invalid_request", "request: %v", err)
		}
		params = signed
	}
	q := &question{
		grantType: grantCIBA, client: x.client, scopes: x.op.knownScopes(params.Get("scope")),
		mode: x.client.text("backchannel_token_delivery_mode"), bearer: params.Get("client_notification_token"), acr: ACRValues()[0],
	}
	if q.mode == "" {
		q.mode = "poll"
	}
	lifetime := questionLifetime
	if v := params.Get("requested_expiry"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n <= 0 {
			return refuse("invalid_request", "requested_expiry is no positive integer")
		}
		lifetime = time.Duration(n) * time.Second
	}
	switch {
	case !slices.Contains(q.scopes, "openid"):
		return refuse("invalid_scope", "scope must hold openid")
	case q.mode != "poll" && (q.bearer == "" || len(q.bearer) > maxNotificationToken):
		return refuse("invalid_request", "client_notification_token is missing or too long")
	case len(params.Get("binding_message")) > maxBindingMessage:
		return refuse("invalid_binding_message", "binding_message has more than %d characters", maxBindingMessage)
	case x.client.Metadata["backchannel_user_code_parameter"] == true && params.Get("user_code") == "":
		return refuse("missing_user_code", "user_code is missing")
	}
	u, rep := x.hinted(params)
	if rep != nil {
		return rep
	}
	q.username = u.Username
	if c := params.Get("claims"); c != "" {
		if err := json.Unmarshal([]byte(c), &q.claims); err != nil {
			return refuse("invalid_request", "claims is no JSON of Core 5.5")
		}
	}
	for a := range strings.FieldsSeq(params.Get("acr_values")) {
		if slices.Contains(ACRValues(), a) {
			q.acr = a
			break
		}
	}
	op := x.op
	op.mu.Lock()
	q.id = "ciba-" + op.random(24)
	op.ask(q, lifetime, x.now)
	op.mu.Unlock()
	if q.mode != "poll" && op.c.DecisionTime >= 0 {
		op.notifyLater(q.id)
	}
	doc := map[string]any{"auth_req_id": q.id, "expires_in": int64(lifetime / time.Second)}
	if q.mode != "push" {
		doc["interval"] = int64(q.interval / time.Second)
	}
	return jsonReply(http.StatusOK, doc).private()
}

// hinted is the person whom exactly one hint names (CIBA Core 1.0, section 7.1).
func (x *exchange) hinted(params url.Values) (User, *reply) {
	var name, hint string
	for _, h := range []string{"login_hint", "login_hint_token", "id_token_hint"} {
		if v := params.Get(h); v != "" {
			if hint != "" {
				return User{}, oauthError(http.StatusBadRequest, "invalid_request", "there are two hints: "+hint+" and "+h)
			}
			hint, name = h, v
		}
	}
	if hint == "" {
		return User{}, oauthError(http.StatusBadRequest, "invalid_request", "there is no hint of a person")
	}
	if hint == "id_token_hint" || hint == "login_hint_token" {
		name = unverifiedSubject(name)
	}
	x.op.mu.Lock()
	defer x.op.mu.Unlock()
	u, ok := x.op.user(name)
	for _, o := range x.op.users {
		if !ok && hint == "id_token_hint" && x.op.subject(x.client, o) == name {
			u, ok = o, true
		}
	}
	if !ok {
		return User{}, oauthError(http.StatusBadRequest, "unknown_user_id", "the hint names nobody")
	}
	return u, nil
}

// unverifiedSubject is the sub of a JWT, or what is no JWT itself.
func unverifiedSubject(token string) string {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return token
	}
	var claims struct{ Sub string }
	if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err != nil || json.Unmarshal(b, &claims) != nil {
		return ""
	}
	return claims.Sub
}

// signedRequest reads the request parameter (CIBA Core 1.0, section 7.1.1).
func (x *exchange) signedRequest(alg string) (url.Values, error) {
	text := x.form.Get("request")
	if text == "" {
		return nil, fmt.Errorf("it is missing, though the client is registered to sign")
	}
	for name := range x.form {
		if name != "request" && name != "client_id" && name != "client_secret" && !strings.HasPrefix(name, "client_assertion") {
			return nil, fmt.Errorf("%s stands beside it", name)
		}
	}
	var algs []jose.SignatureAlgorithm
	for _, a := range asymmetric(SigningAlgs()) {
		if alg == "" || a == alg {
			algs = append(algs, jose.SignatureAlgorithm(a))
		}
	}
	jws, err := jose.ParseSignedCompact(text, algs)
	if err != nil {
		return nil, fmt.Errorf("it is no JWT with a registered algorithm: %w", err)
	}
	payload, err := x.verifyWithClient(x.client, jws, false)
	if err != nil {
		return nil, err
	}
	var claims map[string]any
	if err := json.Unmarshal(payload, &claims); err != nil {
		return nil, err
	}
	number := func(name string) time.Time {
		n, _ := claims[name].(float64)
		return time.Unix(int64(n), 0)
	}
	jti, _ := claims["jti"].(string)
	switch {
	case claims["iss"] != x.client.ID:
		return nil, fmt.Errorf("iss is not the client")
	case claims["aud"] != x.op.Issuer:
		return nil, fmt.Errorf("aud is not the issuer")
	case jti == "" || claims["iat"] == nil || claims["nbf"] == nil || claims["exp"] == nil:
		return nil, fmt.Errorf("jti, iat, nbf and exp are required")
	case !x.now.Before(number("exp")) || number("nbf").Sub(x.now) > clockSkew:
		return nil, fmt.Errorf("it is not valid now")
	case number("exp").Sub(number("nbf")) > maxRequestAge:
		return nil, fmt.Errorf("exp is more than an hour after nbf (FAPI-CIBA 5.2.2)")
	}
	out := url.Values{}
	for name, v := range claims {
		switch v := v.(type) {
		case string:
			out.Set(name, v)
		case float64:
			out.Set(name, strconv.FormatInt(int64(v), 10))
		case map[string]any:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, err
			}
			out.Set(name, string(b))
		}
	}
	return out, nil
}

// asymmetric leaves out what a client secret makes.
func asymmetric(algs []string) []string {
	return slices.DeleteFunc(algs, func(a string) bool { return strings.HasPrefix(a, "HS") })
}

// notifyLater tells the client when the person has decided, unless the OP is
// closed before.
func (op *OP) notifyLater(id string) {
	op.site.served.Go(func() {
		t := time.NewTimer(max(op.c.DecisionTime, notifyAfter))
		defer t.Stop()
		select {
		case <-t.C:
		case <-op.site.ctx.Done():
			return
		}
		// What the client answers is in nobody's hand here.
		_, _ = op.Notify(op.site.ctx, id)
	})
}

// notifyAfter lets the client read the auth_req_id before it hears of it.
const notifyAfter = 50 * time.Millisecond

// NotificationFault is one rule that a notification can break; see [OP.Notify].
type NotificationFault string

// What can be wrong with a notification of CIBA.
const (
	// NotifyWrongBearer: the bearer token is another one (CIBA Core 10.2). Answer 401.
	NotifyWrongBearer NotificationFault = "notify_wrong_bearer"
	// NotifyNoBearer: there is no bearer token (CIBA Core 10.2). Answer 401.
	NotifyNoBearer NotificationFault = "notify_no_bearer"
	// NotifyOtherRequest: the auth_req_id is one that nobody was given (CIBA Core 10.2). Answer 401.
	NotifyOtherRequest NotificationFault = "notify_other_request"
	// NotifyNotJSON: the body is a form (CIBA Core 10.2). Answer 400.
	NotifyNotJSON NotificationFault = "notify_not_json"
	// NotifyNoRequest: there is no auth_req_id (CIBA Core 10.2). Answer 400.
	NotifyNoRequest NotificationFault = "notify_no_request"
	// NotifyHuge: the body has 2 MiB (CIBA Core 10.2). Stop at a limit.
	NotifyHuge NotificationFault = "notify_huge"
	// PushOtherRequest: the ID Token is of another auth_req_id (CIBA Core 10.3.1). Refuse it.
	PushOtherRequest NotificationFault = "push_other_request"
	// PushNoRequest: the ID Token has no auth_req_id (CIBA Core 10.3.1). Refuse it.
	PushNoRequest NotificationFault = "push_no_request"
	// PushOtherAccessToken: at_hash is of another access token (CIBA Core 10.3.1). Refuse it.
	PushOtherAccessToken NotificationFault = "push_other_access_token"
	// PushNoAccessTokenHash: there is no at_hash (CIBA Core 10.3.1). Refuse it.
	PushNoAccessTokenHash NotificationFault = "push_no_access_token_hash"
	// PushOtherRefreshToken: rt_hash is of another refresh token (CIBA Core 10.3.1). Refuse it.
	PushOtherRefreshToken NotificationFault = "push_other_refresh_token"
	// PushNoRefreshTokenHash: there is no rt_hash beside a refresh token (CIBA Core 10.3.1). Refuse it.
	PushNoRefreshTokenHash NotificationFault = "push_no_refresh_token_hash"
	// PushNoIDToken: there is no ID Token (CIBA Core 10.3.1). Refuse it.
	PushNoIDToken NotificationFault = "push_no_id_token"
)

// NotificationFaults returns every one of them.
func NotificationFaults() []NotificationFault {
	return []NotificationFault{NotifyWrongBearer, NotifyNoBearer, NotifyOtherRequest, NotifyNotJSON, NotifyNoRequest, NotifyHuge,
		PushOtherRequest, PushNoRequest, PushOtherAccessToken, PushNoAccessTokenHash, PushOtherRefreshToken, PushNoRefreshTokenHash, PushNoIDToken}
}

// The claims of CIBA Core 1.0, section 10.3.1.
const (
	claimAuthReqID   = "urn:openid:params:jwt:claim:auth_req_id"
	claimRefreshHash = "urn:openid:params:jwt:claim:rt_hash"
)

// Notify tells a client that a person has decided (CIBA Core 1.0, section 10.2),
// or pushes the tokens (10.3): to its backchannel_client_notification_endpoint,
// by Config.Client. It returns the response with its body read and closed. A
// question that nobody has answered is pinged all the same, and not pushed.
func (op *OP) Notify(ctx context.Context, authReqID string, faults ...NotificationFault) (*http.Response, error) {
	broken := func(f NotificationFault) bool { return slices.Contains(faults, f) }
	op.mu.Lock()
	now := op.now()
	q, ok := op.questions.get(authReqID, now)
	op.mu.Unlock()
	if !ok || q.grantType != grantCIBA || q.mode == "poll" {
		return nil, fmt.Errorf("oidctest: nobody hears of %q", authReqID)
	}
	doc := map[string]any{"auth_req_id": q.id}
	if q.mode == "push" {
		var err error
		if doc, err = op.pushTokens(q, now, broken); err != nil {
			return nil, err
		}
	}
	bearer := q.bearer
	if broken(NotifyWrongBearer) {
		bearer = "another-" + bearer
	}
	if broken(NotifyOtherRequest) {
		doc["auth_req_id"] = "ciba-of-nobody"
	}
	if broken(NotifyNoRequest) {
		delete(doc, "auth_req_id")
	}
	if broken(NotifyHuge) {
		doc["padding"] = strings.Repeat("a", 2<<20)
	}
	body, err := json.Marshal(doc)
	if err != nil {
		return nil, err
	}
	mediaType := "application/json"
	if broken(NotifyNotJSON) {
		mediaType, body = "application/x-www-form-urlencoded", []byte(url.Values{"auth_req_id": {q.id}}.Encode())
	}
	ctx, cancel := context.WithTimeout(ctx, sendTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, q.client.text("backchannel_client_notification_endpoint"), strings.NewReader(string(body)))
	if err != nil {
		return nil, fmt.Errorf("oidctest: notification: %w", err)
	}
	r.Header.Set("Content-Type", mediaType)
	if !broken(NotifyNoBearer) {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return op.send(r)
}

// send sends what the OP has to say to a client by itself.
func (op *OP) send(r *http.Request) (*http.Response, error) {
	client := op.c.Client
	if client == nil {
		client = fetcher()
	}
	res, err := client.Do(r)
	if err != nil {
		return nil, fmt.Errorf("oidctest: notification: %w", err)
	}
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, maxBody))
	return res, errors.Join(err, res.Body.Close())
}

// pushTokens is the payload of a push: the tokens, or why there are none (CIBA Core
// 1.0, sections 10.3.1 and 12).
func (op *OP) pushTokens(q *question, now time.Time, broken func(NotificationFault) bool) (map[string]any, error) {
	x := &exchange{op: op, r: &http.Request{}, endpoint: EndpointToken, client: q.client, now: now, faults: op.active(), edits: op.edits()}
	op.mu.Lock()
	a := q.answerAt(now)
	expired := !now.Before(q.expires)
	if a == approved && !expired {
		q.used = true
	}
	op.mu.Unlock()
	switch {
	case expired:
		return map[string]any{"auth_req_id": q.id, "error": "expired_token", "error_description": "nobody decided in time"}, nil
	case a == denied:
		return map[string]any{"auth_req_id": q.id, "error": "access_denied", "error_description": "the person refused"}, nil
	case a == undecided:
		return nil, fmt.Errorf("oidctest: nobody has decided about %q", q.id)
	}
	op.mu.Lock()
	g, access, refresh := x.answered(q)
	op.mu.Unlock()
	claims := map[string]any{claimAuthReqID: q.id}
	if refresh != "" {
		claims[claimRefreshHash] = leftHash(q.client.idTokenAlg(), refresh)
	}
	if broken(PushOtherRequest) {
		claims[claimAuthReqID] = "ciba-of-somebody"
	}
	if broken(PushNoRequest) {
		delete(claims, claimAuthReqID)
	}
	if broken(PushOtherRefreshToken) {
		claims[claimRefreshHash] = leftHash(q.client.idTokenAlg(), "another")
	}
	if broken(PushNoRefreshTokenHash) {
		delete(claims, claimRefreshHash)
	}
	parts := tokenParts{access: access, more: claims}
	if broken(PushOtherAccessToken) {
		parts.access = "another"
	}
	if broken(PushNoAccessTokenHash) {
		parts.access = ""
	}
	id, err := x.idToken(g, parts)
	if err != nil {
		return nil, err
	}
	doc := map[string]any{
		"auth_req_id": q.id, "access_token": access, "token_type": "Bearer",
		"expires_in": int64(op.c.AccessTokenLifetime / time.Second), "id_token": id,
	}
	if refresh != "" {
		doc["refresh_token"] = refresh
	}
	if broken(PushNoIDToken) {
		delete(doc, "id_token")
	}
	return doc, nil
}
