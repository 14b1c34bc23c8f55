package oidctest

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// userCodeLetters have no vowels, so that no word comes of them (RFC 8628,
// section 6.1).
const userCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// deviceAuthorization is the device authorization endpoint (RFC 8628, section
// 3.1).
func (x *exchange) deviceAuthorization() *reply {
	if rep := x.formRequest(grantDevice); rep != nil {
		return rep
	}
	op := x.op
	op.mu.Lock()
	q := &question{
		grantType: grantDevice, id: "device-" + op.random(24), userCode: op.userCode(), client: x.client,
		scopes: op.knownScopes(x.form.Get("scope")), acr: ACRValues()[0],
	}
	op.ask(q, questionLifetime, x.now)
	op.mu.Unlock()
	uri := op.URL(EndpointVerification)
	return jsonReply(http.StatusOK, map[string]any{
		"device_code": q.id, "user_code": q.userCode, "verification_uri": uri,
		"verification_uri_complete": uri + "?" + url.Values{"user_code": {q.userCode}}.Encode(),
		"expires_in":                int64(questionLifetime / time.Second),
		"interval":                  int64(q.interval / time.Second),
	}).private()
}

// userCode is eight letters with a dash between. The caller holds op.mu.
func (op *OP) userCode() string {
	var b strings.Builder
	for i, c := range []byte(op.random(8))[:8] {
		if i == 4 {
			b.WriteByte('-')
		}
		b.WriteByte(userCodeLetters[int(c)%len(userCodeLetters)])
	}
	return b.String()
}

// verification is the page at verification_uri (RFC 8628, section 3.3). With a
// user code the person says yes at once; with Config.ManualLogin, by a button.
func (x *exchange) verification() *reply {
	op := x.op
	code := x.query.Get("user_code")
	if x.r.Method == http.MethodPost && x.form != nil {
		code = x.form.Get("user_code")
	}
	if code == "" || op.c.ManualLogin && x.r.Method != http.MethodPost {
		return render(http.StatusOK, pageData{
			Title: "Connect a device", Text: "Type the code that your device shows. Is it the same on both screens?",
			Form: &pageForm{ID: "device", Action: template.URL(op.URL(EndpointVerification)), Ask: &pageField{Name: "user_code", Value: code}},
		})
	}
	if op.Approve(code, "") != nil {
		return page(http.StatusNotFound, "Unknown code", "Nobody waits with this code, or no longer.")
	}
	return page(http.StatusOK, "Device connected", "You may close this page and go back to your device.")
}
