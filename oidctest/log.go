package oidctest

import (
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// The log keeps so many requests and so many bytes of them; the oldest go
// first. Of a body it keeps maxLogBody, and no form of a longer one.
const (
	maxLog      = 4096
	maxLogBytes = 64 << 20
	maxLogBody  = 64 << 10
)

// Request is one request that the OP received, with the credentials that it
// carried: it is meant for assertions. Its String and LogValue leave them out.
type Request struct {
	Time     time.Time // at the OP
	Endpoint Endpoint
	Method   string
	Host     string
	Path     string
	Query    url.Values
	Header   http.Header
	Form     url.Values      // of a form in the body; nil if there was none, or one of more than 64 KiB
	Body     []byte          // as received, its first 64 KiB
	JSON     json.RawMessage // of a JSON body; nil if there was none
	Auth     ClientAuth

	// Certificate is the one that the client showed; nil if none.
	Certificate *x509.Certificate

	Status int // of the response; 0 while it is not finished or if it never was
}

// ClientAuth is the client authentication of a request, as it was sent;
// whether it was right shows in the response.
type ClientAuth struct {
	Method    string         // client_secret_basic, client_secret_post, client_assertion or none; empty if no client was named
	ClientID  string         // decoded
	Secret    string         // decoded; of the first two methods
	Assertion string         // of client_assertion
	Claims    map[string]any // of the assertion, not verified
}

// String describes the request without its credentials.
func (r Request) String() string {
	return string(r.Endpoint) + ": " + r.Method + " " + r.Path
}

// GoString describes the request without its credentials.
func (r Request) GoString() string { return r.String() }

// LogValue describes the request without its credentials.
func (r Request) LogValue() slog.Value { return slog.StringValue(r.String()) }

// String names the method and the client.
func (a ClientAuth) String() string { return a.Method + " " + a.ClientID }

// GoString names the method and the client.
func (a ClientAuth) GoString() string { return a.String() }

// LogValue names the method and the client.
func (a ClientAuth) LogValue() slog.Value { return slog.StringValue(a.String()) }

// Received returns every request since the start or the last [OP.ClearLog],
// oldest first; the last 4096 of them. The browser's are among them.
func (op *OP) Received() []Request {
	op.mu.Lock()
	defer op.mu.Unlock()
	return slices.Clone(op.log)
}

// Requests returns those requests of [OP.Received] that were for an endpoint.
func (op *OP) Requests(e Endpoint) []Request {
	return slices.DeleteFunc(op.Received(), func(r Request) bool { return r.Endpoint != e })
}

// ClearLog forgets every request.
func (op *OP) ClearLog() {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.dropped += len(op.log)
	op.log, op.logBytes = nil, 0
}

// size is about how much memory a request takes: what a stranger chose of it.
func (r Request) size() int {
	n := len(r.Body) + len(r.Path)
	for _, m := range []map[string][]string{r.Query, r.Form, r.Header} {
		for k, values := range m {
			n += len(k)
			for _, v := range values {
				n += len(v)
			}
		}
	}
	return n
}

// record adds a request to the log and returns what finished needs.
func (op *OP) record(r Request) int {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.log = append(op.log, r)
	op.logBytes += r.size()
	for len(op.log) > maxLog || (op.logBytes > maxLogBytes && len(op.log) > 1) {
		op.logBytes -= op.log[0].size()
		op.log[0] = Request{} // the array lives on; what it held need not
		op.log = op.log[1:]
		op.dropped++
	}
	return op.dropped + len(op.log) - 1
}

// finished notes the status of a request that record returned n for, and tells
// the observer.
func (op *OP) finished(n int, r Request) {
	op.mu.Lock()
	if i := n - op.dropped; i >= 0 && i < len(op.log) {
		op.log[i].Status = r.Status
	}
	op.mu.Unlock()
	if op.c.Observe != nil {
		op.c.Observe(r)
	}
}
