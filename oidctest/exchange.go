package oidctest

import (
	"bytes"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// exchange is one request and what is known about it.
type exchange struct {
	op       *OP
	r        *http.Request
	endpoint Endpoint
	query    url.Values
	form     url.Values // of a form in the body, or nil
	body     []byte
	now      time.Time
	faults   []*behaviour // those switched on when the request arrived
	edits    tampering

	client    *registered // once it is known
	session   *session    // of the person, once it is known
	grantType string      // at the token endpoint
	grant     *grant      // of the access token at UserInfo
	jkt       string      // thumbprint of the key of a DPoP proof that was found right
	askNonce  bool        // a proof needs a nonce, also without Config.DPoPNonce
}

// reply is a response before it is written.
type reply struct {
	status int
	header http.Header
	doc    map[string]any // marshalled into body, if not nil
	body   []byte

	// hold, if not nil, writes the response in place of the other fields.
	hold func(http.ResponseWriter, *http.Request)
}

// serve answers one request.
func (op *OP) serve(w http.ResponseWriter, r *http.Request) {
	x := &exchange{op: op, r: r, endpoint: op.endpoint(r.URL.Path), faults: op.active(), edits: op.edits()}
	var tooLarge bool
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		tooLarge = true
	}
	x.body = body
	x.query, _ = url.ParseQuery(r.URL.RawQuery)
	if isForm(r) {
		x.form, _ = url.ParseQuery(string(body))
	}

	op.mu.Lock()
	x.now = op.now()
	intercept := op.intercepts[x.endpoint]
	op.mu.Unlock()

	logged := x.logged()
	n := op.record(logged)
	sw := &statusWriter{ResponseWriter: w}
	defer func() {
		logged.Status = sw.status
		op.finished(n, logged)
	}()

	if intercept != nil {
		r.Body = io.NopCloser(bytes.NewReader(body))
		intercept(sw, r)
		return
	}
	if tooLarge {
		x.write(sw, oauthError(http.StatusRequestEntityTooLarge, "invalid_request", "the body is larger than 1 MiB or could not be read"))
		return
	}
	for _, b := range x.faults {
		if b.before != nil && x.at(b) {
			b.before(x)
		}
	}
	x.write(sw, x.handle())
}

// handle dispatches to the endpoint.
func (x *exchange) handle() *reply {
	switch x.endpoint {
	case EndpointWebFinger:
		return x.webFinger()
	case EndpointDiscovery:
		return x.discovery()
	case EndpointJWKS:
		return x.jwks()
	case EndpointRegistration:
		return x.registration()
	case EndpointManagement:
		return x.management()
	case EndpointPAR:
		return x.pushedRequest()
	case EndpointAuthorization:
		return x.authorization()
	case EndpointToken:
		return x.token()
	case EndpointUserInfo:
		return x.userInfo()
	case EndpointClaims:
		return x.distributedClaims()
	case EndpointResource:
		return x.resourceMetadata()
	case EndpointAccounts:
		return x.accounts()
	case EndpointDevice:
		return x.deviceAuthorization()
	case EndpointVerification:
		return x.verification()
	case EndpointBackchannel:
		return x.backchannel()
	case EndpointRevocation:
		return x.revocation()
	case EndpointIntrospection:
		return x.introspection()
	case EndpointEndSession:
		return x.endSession()
	case EndpointCheckSession:
		return x.checkSession()
	}
	return page(http.StatusNotFound, "Not found", "This OpenID Provider has nothing at this address.")
}

// at reports whether a fault shows at this endpoint. What is wrong with
// registration is wrong with its management too.
func (x *exchange) at(b *behaviour) bool {
	return b.At == x.endpoint || (b.At == EndpointRegistration && x.endpoint == EndpointManagement)
}

// write sends the reply, with what the faults and the free-hand edits make of
// it.
func (x *exchange) write(w http.ResponseWriter, rep *reply) {
	if rep.doc != nil {
		switch {
		case rep.status < 300:
			x.editDocument(rep.doc)
		case x.endpoint == EndpointToken && x.edits.tokenResponse != nil:
			x.edits.tokenResponse(rep.doc)
		}
		body, err := json.Marshal(rep.doc)
		if err != nil {
			// Only a free-hand edit can put in what JSON cannot hold.
			rep.status, body = http.StatusInternalServerError, []byte(`{"error":"server_error"}`)
		}
		rep.body = body
	}
	for _, b := range x.faults {
		if b.reply != nil && x.at(b) {
			b.reply(x, rep)
		}
	}
	if rep.hold != nil {
		rep.hold(w, x.r)
		return
	}
	for k, v := range rep.header {
		w.Header()[k] = v
	}
	if bodyAllowed(rep.status) {
		w.Header().Set("Content-Length", strconv.Itoa(len(rep.body)))
	}
	w.WriteHeader(rep.status)
	if bodyAllowed(rep.status) && x.r.Method != http.MethodHead {
		_, _ = w.Write(rep.body) // a reader that left is no fault of ours
	}
}

func bodyAllowed(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// editDocument makes of a JSON document what the faults and the free-hand edits
// ask for.
func (x *exchange) editDocument(doc map[string]any) {
	for _, b := range x.faults {
		if b.doc != nil && x.at(b) {
			b.doc(x, doc)
		}
	}
	if edit := x.documentEdit(); edit != nil {
		edit(doc)
	}
}

// documentEdit returns the free-hand edit of the JSON that an endpoint sends.
func (x *exchange) documentEdit() func(map[string]any) {
	switch x.endpoint {
	case EndpointWebFinger:
		return x.edits.jrd
	case EndpointDiscovery:
		return x.edits.metadata
	case EndpointJWKS:
		return x.edits.jwks
	case EndpointRegistration, EndpointManagement:
		return x.edits.registration
	case EndpointToken:
		return x.edits.tokenResponse
	case EndpointUserInfo:
		return x.edits.userInfo
	}
	return nil
}

// logged is the request as the log keeps it.
func (x *exchange) logged() Request {
	r := Request{
		Time: x.now, Endpoint: x.endpoint, Method: x.r.Method, Host: x.r.Host, Path: x.r.URL.Path,
		Query: x.query, Header: x.r.Header.Clone(), Form: x.form, Body: x.body[:min(len(x.body), maxLogBody)],
		Certificate: x.shown(),
	}
	if len(x.body) > maxLogBody {
		r.Form = nil
	}
	if mt, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err == nil && mt == "application/json" && json.Valid(r.Body) {
		r.JSON = r.Body
	}
	switch x.endpoint {
	case EndpointPAR, EndpointToken, EndpointIntrospection, EndpointRevocation, EndpointDevice, EndpointBackchannel:
		r.Auth = readClientAuth(x.r.Header, x.form)
	}
	return r
}

// jsonReply is a JSON document.
func jsonReply(status int, doc map[string]any) *reply {
	return &reply{status: status, header: http.Header{"Content-Type": {"application/json"}}, doc: doc}
}

// private marks a response that carries a token or a secret (RFC 6749,
// section 5.1).
func (rep *reply) private() *reply {
	rep.header.Set("Cache-Control", "no-store")
	rep.header.Set("Pragma", "no-cache")
	return rep
}

// oauthError is the error response of RFC 6749, section 5.2.
func oauthError(status int, code, description string) *reply {
	return jsonReply(status, map[string]any{"error": code, "error_description": description}).private()
}

// methodNotAllowed refuses a method (RFC 9110, section 15.5.6).
func methodNotAllowed(allow string) *reply {
	rep := oauthError(http.StatusMethodNotAllowed, "invalid_request", "use "+allow)
	rep.header.Set("Allow", allow)
	return rep
}

func isForm(r *http.Request) bool {
	mt, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	return err == nil && mt == "application/x-www-form-urlencoded"
}

// duplicate returns the name of a parameter that occurs twice, which RFC 6749,
// section 3.1 and 3.2, forbids; resource may (RFC 8707, section 2), and
// audience (RFC 8693, section 2.1).
func duplicate(v url.Values) string {
	for name, values := range v {
		if len(values) > 1 && name != "resource" && name != "audience" {
			return name
		}
	}
	return ""
}

// statusWriter remembers the status.
type statusWriter struct {
	http.ResponseWriter
	status int
}

// WriteHeader notes the status and passes it on.
func (w *statusWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

// Write sends the body.
func (w *statusWriter) Write(b []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap is for http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
