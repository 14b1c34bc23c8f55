package oidc

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"time"
)

// FAPIHeaders are the headers of a request to a resource under the FAPI profiles
// (FAPI 1.0 Part 1 section 6.2.2).
type FAPIHeaders struct {
	// InteractionID tells the request apart in the logs of both sides. Empty means
	// a fresh one for each request.
	InteractionID string
	// AuthDate is when the user last logged in with the client; zero is not sent.
	AuthDate time.Time
	// CustomerIPAddress is the address of the user who is present; empty is not
	// sent, and says that nobody is.
	CustomerIPAddress string
}

// Set sets the headers, and returns the interaction id, which the response should
// repeat.
func (f FAPIHeaders) Set(h http.Header) (interactionID string) {
	id := f.InteractionID
	if id == "" {
		id = uuid()
	}
	h.Set("X-Fapi-Interaction-Id", id)
	if !f.AuthDate.IsZero() {
		h.Set("X-Fapi-Auth-Date", f.AuthDate.UTC().Format(http.TimeFormat))
	}
	if f.CustomerIPAddress != "" {
		h.Set("X-Fapi-Customer-Ip-Address", f.CustomerIPAddress)
	}
	return id
}

// uuid is a random one (RFC 9562 section 5.4).
func uuid() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
