package oidctest

import "net/http"

// interactionHeader ties a request to a bank's resource and its response together
// (FAPI 1.0 Baseline, section 6.2.1 (11)): it comes back as it was sent.
const interactionHeader = "X-Fapi-Interaction-Id"

// accounts is a resource as a bank has one: a list that whoever presents an access
// token of a person may read, in the way that the token is bound.
func (x *exchange) accounts() *reply {
	if x.r.Method != http.MethodGet {
		return methodNotAllowed("GET")
	}
	t, _, rep := x.resourceToken()
	if rep == nil {
		rep = jsonReply(http.StatusOK, map[string]any{
			"owner":    t.grant.sub,
			"accounts": []any{map[string]any{"id": "acc-1", "currency": "EUR"}, map[string]any{"id": "acc-2", "currency": "BRL"}},
		}).private()
	} else if challenge := rep.header.Get("WWW-Authenticate"); challenge != "" {
		// RFC 9728, section 5.1: who wants a token says where it is told for what.
		rep.header.Set("WWW-Authenticate", challenge+`, resource_metadata="`+x.op.URL(EndpointResource)+`"`)
	}
	if id := x.r.Header.Get(interactionHeader); id != "" {
		rep.header.Set(interactionHeader, id)
	}
	return rep
}
