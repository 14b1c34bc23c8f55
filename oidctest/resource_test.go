package oidctest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// resourceSteps is an API that asks for a token, and says for which.
func resourceSteps() []step {
	return []step{
		{EndpointResource, func(r *run) { r.send("GET", r.op.URL(EndpointResource), nil, nil) }},
		{EndpointAccounts, func(r *run) { r.send("GET", r.op.URL(EndpointAccounts), nil, nil) }},
	}
}

func TestResourceMetadata(t *testing.T) {
	op := NewWith(t, Config{Path: "/t1", ResourceMetadataSigningAlg: "ES256"})
	if want := "https://" + op.Host + "/.well-known/oauth-protected-resource/t1/accounts"; op.URL(EndpointResource) != want {
		t.Errorf("it is at %s, want %s", op.URL(EndpointResource), want)
	}
	r := &run{t: t, op: op}
	r.send("GET", op.URL(EndpointAccounts), nil, nil)
	if c := r.last.header.Get("WWW-Authenticate"); r.last.status != 401 || !strings.Contains(c, `resource_metadata="`+op.URL(EndpointResource)+`"`) {
		t.Errorf("status %d, challenge %s", r.last.status, c)
	}
	r.send("GET", strings.Replace(op.URL(EndpointResource), "/accounts", "/userinfo", 1), nil, nil)
	want(t, "resource", r.str("resource"), op.URL(EndpointUserInfo))
	r.send("GET", op.URL(EndpointResource), nil, nil)
	want(t, "resource", r.str("resource"), op.URL(EndpointAccounts))
	jws, err := jose.ParseSignedCompact(r.str("signed_metadata"), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	s, err := op.keys.signer("ES256")
	if err != nil {
		t.Fatal(err)
	}
	payload, err := jws.Verify(s.key.Public())
	if err != nil || !strings.Contains(string(payload), `"iss":"`+op.Issuer+`"`) || !strings.Contains(string(payload), op.URL(EndpointAccounts)) {
		t.Errorf("signed %s, %v", payload, err)
	}
	if r.send("POST", op.URL(EndpointResource), nil, nil); r.last.status != http.StatusMethodNotAllowed {
		t.Errorf("a POST is answered %d", r.last.status)
	}
	plain := New(t)
	r = &run{t: t, op: plain}
	if r.send("GET", plain.URL(EndpointResource), nil, nil); r.last.status != 200 || r.str("signed_metadata") != "" {
		t.Errorf("status %d, %v", r.last.status, r.json)
	}
	other, err := plain.Tenant(Config{Path: "/t2"})
	if err != nil {
		t.Fatal(err)
	}
	r.send("GET", other.URL(EndpointResource), nil, nil)
	want(t, "resource of a tenant", r.str("resource"), other.URL(EndpointAccounts))
}
