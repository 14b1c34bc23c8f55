package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"rely.example/oidc"
)

// FuzzSignedResponse: a response that is a JWT finds a login by the state that it
// says and by no other, and one that the OP has not signed makes no tokens and
// sends no code anywhere.
func FuzzSignedResponse(f *testing.F) {
	for _, s := range []string{`{"iss":"https://op.example","aud":"c","exp":99999999999,"state":"S","code":"x"}`, `{"state":"S","error":"access_denied"}`, `{"state":7}`, `{"state":"S","state":"T"}`, `{"state":"S","stATe":""}`, `[]`, `null`, ``} {
		for _, h := range []string{`{"alg":"RS256"}`, `{"alg":"none"}`, `{"alg":"HS256","kid":"x"}`, ``} {
			f.Add(h, s, "c2ln")
		}
	}
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		sent := false
		// 404, because keys that may be had a moment later are asked for again.
		c := fuzzClient(t, answers(404, nil, nil, func(r *http.Request) { sent = sent || r.Method == http.MethodPost }))
		req, err := c.Begin(context.Background(), oidc.AuthParams{ResponseType: "code"})
		if err != nil {
			t.Fatal(err)
		}
		payload = strings.ReplaceAll(payload, `"S"`, `"`+req.Pending.State+`"`)
		response := b64([]byte(header)) + "." + b64([]byte(payload)) + "." + signature
		a, err := oidc.ReadAuthQuery(url.Values{"response": {response}}.Encode())
		if err != nil {
			return
		}
		if key, err := a.PendingKey(); err == nil {
			if meaning(t, []byte(payload))["state"] != key {
				t.Fatalf("%q has the state %q", payload, key)
			}
		}
		req.Pending.ResponseMode = a.Mode()
		if tok, err := c.Finish(context.Background(), req.Pending, a); err == nil || tok != nil {
			t.Fatalf("%q makes %v, %v", response, tok, err)
		}
		if sent {
			t.Fatalf("%q has something sent to the OP", response)
		}
	})
}
