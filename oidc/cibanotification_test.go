package oidc_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/iotest"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// notification is a request to the notification endpoint.
func notification(t *testing.T, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, notifyURL, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer token")
	return r
}

// TestReadCIBANotification: a notification is a POST of JSON, whole and of at most
// MaxNotification bytes.
func TestReadCIBANotification(t *testing.T) {
	const body = `{"auth_req_id":"id"}`
	for name, c := range map[string]struct {
		body io.Reader
		edit func(r *http.Request)
		good bool
	}{
		"as it should be":        {strings.NewReader(body), func(*http.Request) {}, true},
		"with a charset":         {strings.NewReader(body), func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset=utf-8") }, true},
		"no POST":                {strings.NewReader(body), func(r *http.Request) { r.Method = http.MethodPut }, false},
		"another type":           {strings.NewReader(body), func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, false},
		"no type":                {strings.NewReader(body), func(r *http.Request) { r.Header.Del("Content-Type") }, false},
		"a type with half a one": {strings.NewReader(body), func(r *http.Request) { r.Header.Set("Content-Type", "application/json; charset") }, false},
		"the connection breaks":  {io.MultiReader(strings.NewReader(body), iotest.ErrReader(errors.New("reset"))), func(*http.Request) {}, false},
		"as long as may be":      {strings.NewReader(body + strings.Repeat(" ", oidc.MaxNotification-len(body))), func(*http.Request) {}, true},
		"longer":                 {strings.NewReader(body + strings.Repeat(" ", oidc.MaxNotification-len(body)+1)), func(*http.Request) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := notification(t, c.body)
			c.edit(r)
			n, err := oidc.ReadCIBANotification(r)
			if !c.good {
				wantReason(t, err, oidc.BadNotification)
				return
			}
			if err != nil || n.AuthReqID != "id" || n.Pushed() {
				t.Errorf("got %v, %v", n, err)
			}
		})
	}
}

// TestAuthReqIDCharacters: an auth_req_id has the characters of CIBA Core section
// 7.3, or of base64 and URNs, and at most MaxAuthReqID.
func TestAuthReqIDCharacters(t *testing.T) {
	const may = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~+/=:"
	read := func(id string) (*oidc.CIBANotification, error) {
		return oidc.ReadCIBANotification(notification(t, strings.NewReader(string(marshal(map[string]string{"auth_req_id": id})))))
	}
	for c := range 0x100 {
		id := "a" + string(rune(c))
		switch n, err := read(id); {
		case !strings.Contains(may, string(rune(c))):
			wantReason(t, err, oidc.BadNotification)
		case err != nil || n.AuthReqID != id:
			t.Errorf("%q: %v", id, err)
		}
	}
	if _, err := read(strings.Repeat("a", oidc.MaxAuthReqID)); err != nil {
		t.Error(err)
	}
	_, err := read(strings.Repeat("a", oidc.MaxAuthReqID+1))
	wantReason(t, err, oidc.BadNotification)
}

// TestCIBANotificationPushed: tokens and errors are pushed; a ping has neither.
func TestCIBANotificationPushed(t *testing.T) {
	for more, pushed := range map[string]bool{"": false, `,"expires_in":60`: false, `,"access_token":"a"`: true, `,"id_token":"a"`: true, `,"error":"access_denied"`: true} {
		n, err := oidc.ReadCIBANotification(notification(t, strings.NewReader(`{"auth_req_id":"id"`+more+`}`)))
		if err != nil || n.Pushed() != pushed {
			t.Errorf("%q: got %v, want %v: %v", more, n.Pushed(), pushed, err)
		}
	}
}

// TestCIBALoginAuthentic: a notification is about a login if it bears its token, in
// the Bearer scheme, however that is spelled.
func TestCIBALoginAuthentic(t *testing.T) {
	l := &oidc.CIBALogin{AuthReqID: "id", NotificationToken: "token"}
	polled := &oidc.CIBALogin{AuthReqID: "id"}
	for field, want := range map[string]bool{"Bearer token": true, "bearer  token": true, "BEARER token": true, "Bearer other": false, "Bearer": false, "": false, "Basic token": false, "token": false, "token Bearer": false} {
		r := notification(t, strings.NewReader(`{"auth_req_id":"id"}`))
		r.Header.Set("Authorization", field)
		n, err := oidc.ReadCIBANotification(r)
		if err != nil {
			t.Fatal(err)
		}
		if l.Authentic(n) != want {
			t.Errorf("%q: want %v", field, want)
		}
		if polled.Authentic(n) {
			t.Errorf("%q: a login that is polled for has no token to bear", field)
		}
	}
	if l.Authentic(nil) {
		t.Error("no notification is authentic")
	}
}

// TestFinishPushOf: what is pushed with a fault in it is refused as it would be if
// it had been polled for.
func TestFinishPushOf(t *testing.T) {
	heard := func(t *testing.T, l *oidc.CIBALogin, body string) *oidc.CIBANotification {
		t.Helper()
		q := notification(t, strings.NewReader(body))
		q.Header.Set("Authorization", "Bearer "+l.NotificationToken)
		n, err := oidc.ReadCIBANotification(q)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	t.Run("another_token_type", func(t *testing.T) {
		r, l, _, _ := push(t)
		_, err := r.c.FinishPush(t.Context(), l, heard(t, l, fmt.Sprintf(`{"auth_req_id":%q,"access_token":"a","token_type":"MAC"}`, l.AuthReqID)))
		r.reason(err, oidc.BadTokenType)
	})
	t.Run("no_notification", func(t *testing.T) {
		r, l, _, _ := push(t)
		_, err := r.c.FinishPush(t.Context(), l, nil)
		r.reason(err, oidc.ForeignNotification)
	})
	t.Run("auth_req_id_is_no_string", func(t *testing.T) {
		r, _, h, _ := push(t)
		claim(r.op, "urn:openid:params:jwt:claim:auth_req_id", 7)
		l := r.ciba(alice())
		if err := r.op.Approve(l.AuthReqID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := r.op.Notify(t.Context(), l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.FinishPush(t.Context(), l, h.ns[1])
		r.reason(err, oidc.BadClaim)
	})
	t.Run("without_a_refresh_token", func(t *testing.T) {
		h := &hears{}
		op := newOP(t, h.config, decides(-1))
		r := backchannel(t, op, oidc.CIBAPush)
		l := r.ciba(alice())
		if err := op.Approve(l.AuthReqID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Notify(t.Context(), l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		if tok, err := r.c.FinishPush(t.Context(), l, h.ns[0]); err != nil || tok.RefreshToken != "" {
			t.Errorf("got %v, %v", tok, err)
		}
	})
	t.Run("unsigned", func(t *testing.T) {
		h := &hears{}
		op := newOP(t, h.config, decides(-1))
		known := cibaClient(oidc.CIBAPush, func(c *oidctest.Client) { c.IDTokenSignedResponseAlg = "none" })
		r := service(t, op, known, func(c *oidc.ClientConfig) {
			c.InsecureAllowUnsignedIDToken = true
			c.Metadata.BackchannelTokenDeliveryMode, c.Metadata.BackchannelClientNotificationEndpoint = oidc.CIBAPush, notifyURL
		})
		l := r.ciba(alice())
		if err := op.Approve(l.AuthReqID, ""); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Notify(t.Context(), l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.FinishPush(t.Context(), l, h.ns[0])
		r.reason(err, oidc.BadAlgorithm)
	})
}
