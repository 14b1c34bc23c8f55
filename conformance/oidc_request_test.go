package conformance_test

import (
	"rely.example/oidctest"
)

// requestTests are the modules about how the requests are made.
func requestTests() map[string]func(*run) {
	return map[string]func(*run){
		"mtls-endpoint-aliases": aliases,
	}
}

// aliases: what a client with a certificate asks is asked at the aliases, where the
// OP looks at it. The ordinary endpoints take none, and so would fail.
func aliases(r *run) {
	r.complete()
	r.wantCalls(askedUserInfo)
	for _, e := range []oidctest.Endpoint{oidctest.EndpointToken, oidctest.EndpointUserInfo} {
		for _, q := range r.op.Requests(e) {
			if at := "https://" + q.Host + q.Path; at != r.op.MTLSURL(e) || q.Certificate == nil {
				r.Errorf("%s was asked at %s, with certificate: %v", e, at, q.Certificate != nil)
			}
		}
	}
}
