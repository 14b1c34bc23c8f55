package oidc

import (
	"net/http"
	"sync"
)

// Bounds on the nonces that servers give.
const (
	// maxNonceOrigins is how many servers' nonces a Client keeps. A client has one
	// OP and a handful of resources.
	maxNonceOrigins = 64
	// maxDPoPNonce bounds one nonce, in bytes.
	maxDPoPNonce = 1 << 10
)

// nonces keeps, for each server, the nonce that it gave last. Nonces are per server
// and not per user (RFC 9449 section 8.2: "new nonce ... for use in subsequent DPoP
// proofs"), so a Client has one of it. The zero value is empty.
type nonces struct {
	mu       sync.Mutex // guards the rest
	byOrigin map[string]string
	order    []string // origins as they came, to forget the oldest
}

// of is the newest nonce of a server; "" if it gave none.
func (n *nonces) of(origin string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byOrigin[origin]
}

// learn keeps the nonce of a response, and returns it; "" if there is none that
// can be sent. Every response may bring one, also a success (RFC 9449 section 8.2).
func (n *nonces) learn(origin string, h http.Header) string {
	given := h.Values("DPoP-Nonce")
	if len(given) != 1 || !isNonce(given[0]) {
		return ""
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, known := n.byOrigin[origin]; !known {
		if len(n.order) >= maxNonceOrigins {
			delete(n.byOrigin, n.order[0])
			n.order = n.order[1:]
		}
		if n.byOrigin == nil {
			n.byOrigin = make(map[string]string)
		}
		n.order = append(n.order, origin)
	}
	n.byOrigin[origin] = given[0]
	return given[0]
}

// isNonce is 1*NQCHAR (RFC 9449 section 8.1, RFC 6749 appendix A).
func isNonce(s string) bool {
	if s == "" || len(s) > maxDPoPNonce {
		return false
	}
	for i := range len(s) {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}
