package oidctest

import (
	"net/url"
	"testing"
	"time"
)

// introspectionSteps asks about a token, in JSON and in a JWT.
func introspectionSteps() []step {
	var access string
	ask := func(client string) func(*run) {
		return func(r *run) { r.post(client, EndpointIntrospection, url.Values{"token": {access}}) }
	}
	return []step{
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "code") }},
		{EndpointToken, func(r *run) { r.redeem("ed"); access = r.str("access_token") }},
		{EndpointIntrospection, ask("ed")},
		{EndpointIntrospection, ask("ui")},
	}
}

func TestIntrospection(t *testing.T) {
	keys := testKeys(t)
	r := &run{t: t, op: twin(t, keys)}
	r.authorize("ed", "code")
	r.redeem("ed")
	access, refresh := r.str("access_token"), r.str("refresh_token")
	is := func(client, token string, active bool) {
		t.Helper()
		r.post(client, EndpointIntrospection, url.Values{"token": {token}})
		if r.last.status != 200 || r.json["active"] != active {
			t.Errorf("status %d, %v, want active %v", r.last.status, r.json, active)
		}
		if !active && len(r.json) != 1 {
			t.Errorf("it tells more than that: %v", r.json)
		}
	}
	is("ed", access, true)
	want(t, "client_id", r.str("client_id"), "ed")
	is("ed", refresh, true)
	is("ed", "unknown", false)
	is("es", access, false) // another client's
	r.post("ed", EndpointRevocation, url.Values{"token": {refresh}})
	is("ed", access, false)
	r.authorize("ed", "code")
	r.redeem("ed")
	access = r.str("access_token")
	r.op.Advance(time.Hour)
	is("ed", access, false)
	r.op.AddClient(Client{ID: "public", TokenEndpointAuthMethod: "none"})
	r.send("POST", r.op.URL(EndpointIntrospection), url.Values{"token": {access}, "client_id": {"public"}}, nil)
	want(t, "status", r.last.status, 401)
}
