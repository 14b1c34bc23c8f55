package oidc_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// boundRig is a client with DPoP that has logged in.
func boundRig(t *testing.T, edit ...func(*oidctest.Config)) (*rig, *oidc.Tokens) {
	t.Helper()
	r := setup(t, newOP(t, edit...))
	r.client(withDPoP(oidc.DPoPES256()))
	return r, r.mustLogin()
}

// TestNoncesOfResources: the last nonce of each of the 64 servers heard of last is kept,
// if it can be sent: of the characters of RFC 9449 section 8.1, and 1 KiB at most.
func TestNoncesOfResources(t *testing.T) {
	r, tok := boundRig(t)
	request := func(host string) *http.Request {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+host+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		return q
	}
	gives := func(host string, nonces ...string) bool {
		return r.c.LearnNonce(&http.Response{StatusCode: 401, Request: request(host), Header: http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": nonces}})
	}
	sent := func(host string) any {
		q := request(host)
		if err := r.c.Authorize(q, tok); err != nil {
			t.Fatal(err)
		}
		return readProof(t, q.Header).claims["nonce"]
	}
	for c := range 0x80 {
		want := c > ' ' && c != '"' && c != '\\' && c != 0x7f
		if got := gives("characters.example", "n"+string(rune(c))); got != want {
			t.Errorf("%q: %v, want %v", rune(c), got, want)
		}
	}
	for nonce, want := range map[string]bool{"": false, "n\u00e9": false, strings.Repeat("n", 1<<10): true, strings.Repeat("n", 1<<10+1): false} {
		if got := gives("length.example", nonce); got != want {
			t.Errorf("%d bytes: %v, want %v", len(nonce), got, want)
		}
	}
	if gives("two.example", "a", "b") || gives("none.example") {
		t.Error("there is not one nonce, and it was kept")
	}
	gives("kept.example", "n")
	if gives("kept.example", ""); sent("kept.example") != "n" {
		t.Error("an empty nonce takes the place of the one before")
	}
	host := func(i int) string { return fmt.Sprintf("h%d.example", i) }
	for i := range 65 {
		gives(host(i), "first")
		gives(host(i), "last")
	}
	for i, want := range map[int]any{0: nil, 1: "last", 64: "last"} {
		if got := sent(host(i)); got != want {
			t.Errorf("%s is sent %v, want %v", host(i), got, want)
		}
	}
}

// TestNonceIsAskedFor: a request is repeated once if the OP asks for a nonce that it
// can be given, and for nothing else.
func TestNonceIsAskedFor(t *testing.T) {
	const ask = `{"error":"use_dpop_nonce"}`
	r, tok := boundRig(t, func(c *oidctest.Config) { c.DPoPNonce = true }) // the OP's nonce is known
	same := func(q *http.Request) string { n, _ := readProof(t, q.Header).claims["nonce"].(string); return n }
	answer := func(status int, nonce func(q *http.Request) string, challenge, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, q *http.Request) {
			w.Header()["WWW-Authenticate"] = []string{challenge}
			if n := nonce(q); n != "" {
				w.Header().Set("DPoP-Nonce", n)
			}
			respond(status, "application/json", body)(w, q)
		}
	}
	none := func(*http.Request) string { return "" }
	another := func(q *http.Request) string { return same(q) + "x" }
	for name, c := range map[string]struct {
		h     http.HandlerFunc
		calls int
		want  outcome
	}{
		"none is given":         {answer(400, none, "", ask), 1, outcome(oidc.BadDPoPNonce)},
		"the same":              {answer(400, same, "", ask), 1, outcome(oidc.BadDPoPNonce)},
		"another each time":     {answer(400, another, "", ask), 2, outcome(oidc.BadDPoPNonce)},
		"with another status":   {answer(403, another, "", ask), 1, "op: use_dpop_nonce"},
		"another error":         {answer(401, another, `DPoP error="invalid_token"`, ""), 1, "op: invalid_token"},
		"in another scheme":     {answer(401, another, `Bearer error="use_dpop_nonce"`, ""), 1, "op: use_dpop_nonce"},
		"in the challenge":      {answer(401, another, `DPoP error="use_dpop_nonce"`, ""), 2, outcome(oidc.BadDPoPNonce)},
		"in a second challenge": {answer(401, another, `Basic realm="a", DPoP error="use_dpop_nonce"`, ""), 2, outcome(oidc.BadDPoPNonce)},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			r.op.Intercept(oidctest.EndpointUserInfo, c.h)
			r.op.ClearLog()
			_, err := r.c.UserInfo(t.Context(), tok)
			wantOutcome(t, r, err, c.want)
			wantCalls(t, r.op, oidctest.EndpointUserInfo, c.calls)
		})
	}
	t.Run("no answer", func(t *testing.T) {
		r := r.in(t)
		r.op.Break(oidctest.TokenReset)
		defer r.op.Mend()
		if _, err := r.login(); !oidc.StillPending(err) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("nobody watches", func(t *testing.T) {
		r := r.in(t)
		r.opts = options(r.op)
		r.discover()
		r.client(withDPoP(oidc.DPoPES256()))
		r.op.ClearLog()
		r.mustLogin()
		wantCalls(t, r.op, oidctest.EndpointToken, 2)
	})
}
