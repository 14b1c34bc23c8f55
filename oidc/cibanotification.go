package oidc

import (
	"context"
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strings"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// The claims of a pushed ID Token (CIBA Core section 10.3.1).
const (
	claimAuthReqID   = "urn:openid:params:jwt:claim:auth_req_id"
	claimRefreshHash = "urn:openid:params:jwt:claim:rt_hash"
)

// CIBANotification is what came at the notification endpoint of a client, and is
// not believed yet: a ping (CIBA Core section 10.2), pushed tokens (10.3) or a
// pushed error (12).
type CIBANotification struct {
	// AuthReqID is the login that it says it is about.
	AuthReqID string

	bearer string
	body   []byte
	wire   notificationWire
}

type notificationWire struct {
	tokenWire
	id string
}

func (w *notificationWire) member(name, value string) error {
	if name == "auth_req_id" {
		return readMember(&w.id, name, value)
	}
	return w.tokenWire.member(name, value)
}

// ReadCIBANotification reads a request to the notification endpoint: a POST of
// JSON, of at most MaxNotification bytes. What is none is a *ProtocolError with
// BadNotification, to be answered 400.
//
// The application finds the login by AuthReqID, and answers 401 if there is none or
// if CIBALogin.Authentic is false of it, otherwise 204, never a redirect (CIBA Core
// sections 10.2 and 10.3). Then PollCIBA, or FinishPush.
func ReadCIBANotification(r *http.Request) (*CIBANotification, error) {
	bad := func(detail string, err error) (*CIBANotification, error) {
		return nil, &ProtocolError{Reason: BadNotification, Step: StepNotification, Spec: "CIBA Core 10.2", Detail: detail, Err: err}
	}
	if r.Method != http.MethodPost {
		return bad("the method is "+quote(r.Method)+", expected POST", nil)
	}
	if mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return bad(detail("application/json", r.Header.Get("Content-Type")), nil)
	}
	n := &CIBANotification{}
	if scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "Bearer") {
		n.bearer = strings.TrimSpace(token)
	}
	var err error
	if n.body, err = io.ReadAll(io.LimitReader(r.Body, MaxNotification+1)); err != nil {
		return bad("the body could not be read", err)
	}
	if len(n.body) > MaxNotification {
		return bad(fmt.Sprintf("the body has more than %d bytes", MaxNotification), nil)
	}
	if err := strictjson.Scan(string(n.body), n.wire.member); err != nil {
		return bad("the body is no JSON of the right types: "+err.Error(), err)
	}
	if !isAuthReqID(n.wire.id) {
		return bad("there is no auth_req_id", nil)
	}
	n.AuthReqID = n.wire.id
	return n, nil
}

// Pushed reports whether the notification holds tokens or an error, rather than
// the word that they can be got.
func (n *CIBANotification) Pushed() bool {
	return n.wire.AccessToken != "" || n.wire.IDToken != "" || n.wire.Error != ""
}

// Format prints that there is a notification, and nothing of it.
func (n CIBANotification) Format(f fmt.State, _ rune) {
	redact(f, "oidc.CIBANotification", "AuthReqID", present(n.AuthReqID))
}

// LogValue is what slog logs: nothing of it.
func (n CIBANotification) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(n)) }

// MarshalJSON writes nothing of it.
func (n CIBANotification) MarshalJSON() ([]byte, error) { return []byte("{}"), nil }

// Authentic reports whether a notification is about this login and bears its
// token. Both are compared in constant time.
func (l *CIBALogin) Authentic(n *CIBANotification) bool {
	if n == nil || l.NotificationToken == "" {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(n.bearer), []byte(l.NotificationToken))&
		subtle.ConstantTimeCompare([]byte(n.AuthReqID), []byte(l.AuthReqID)) == 1
}

// FinishPush turns a pushed notification into tokens. Everything is checked that
// Core section 3.1.3.7 asks for, and what ties the ID Token to this push: its
// auth_req_id, at_hash, and rt_hash if there is a refresh token (CIBA Core section
// 10.3.1). An ID Token without a signature ties nothing, and is refused whatever
// was agreed.
//
// What the OP could not get from the user is an *OPError: access_denied,
// expired_token, transaction_failed (CIBA Core section 12).
func (c *Client) FinishPush(ctx context.Context, l *CIBALogin, n *CIBANotification) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "FinishPush")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepNotification)
	if err := c.ownCIBA(k, l); err != nil {
		return nil, err
	}
	if err := k.that(l.Authentic(n), ForeignNotification, "CIBA Core 10.3.1", "the notification bears the token of this login", "", ""); err != nil {
		return nil, err
	}
	if err := k.that(l.Mode == CIBAPush, BadNotification, "CIBA Core 5", "tokens are pushed to a client that is registered for it", CIBAPush, l.Mode); err != nil {
		return nil, err
	}
	w := &n.wire.tokenWire
	if w.Error != "" {
		return nil, &OPError{Endpoint: k.step, Code: w.Error, Description: w.Description, URI: w.URI}
	}
	if err := c.checkTokenWire(k, w, nil); err != nil {
		return nil, err
	}
	t, err := c.cibaTokens(ctx, k, l, w, c.tokens(w, n.body, l.Scopes, nil), expectation{needTokenHash: true})
	if err != nil {
		return nil, err
	}
	if err := checkPush(c.p.env.checker(ctx, StepIDToken), l, t); err != nil {
		return nil, err
	}
	return t, nil
}

// checkPush ties the ID Token to the request and to the refresh token.
func checkPush(k *checker, l *CIBALogin, t *Tokens) error {
	const spec = "CIBA Core 10.3.1"
	var id, hash string
	err := strictjson.Scan(t.IDToken.claims, func(name, value string) error {
		switch name {
		case claimAuthReqID:
			return readMember(&id, name, value)
		case claimRefreshHash:
			return readMember(&hash, name, value)
		}
		return nil
	})
	if err != nil {
		return k.failed(&ProtocolError{Reason: BadClaim, Spec: spec, Detail: err.Error(), Err: err}, "the claims of a push are strings")
	}
	if err := k.that(subtle.ConstantTimeCompare([]byte(id), []byte(l.AuthReqID)) == 1, BadAuthReqID, spec, "auth_req_id is the login's", "", ""); err != nil {
		return err
	}
	if t.RefreshToken == "" {
		return nil
	}
	want, err := jose.LeftHalfHash(t.IDToken.alg, t.RefreshToken)
	if err != nil {
		return k.failed(&ProtocolError{Reason: BadRefreshTokenHash, Spec: spec, Detail: err.Error(), Err: err}, "rt_hash is the refresh token's")
	}
	return k.that(subtle.ConstantTimeCompare([]byte(hash), []byte(want)) == 1, BadRefreshTokenHash, spec, "rt_hash is the refresh token's", "", "")
}
