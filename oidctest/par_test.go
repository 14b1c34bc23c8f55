package oidctest

import "net/url"

// parSteps is a login whose request is pushed.
func parSteps() []step {
	return []step{
		{EndpointPAR, func(r *run) {
			v := (&party{client: Client{ID: "ed", RedirectURIs: []string{DefaultRedirectURI}}}).params("code")
			v.Del("client_id")
			r.post("ed", EndpointPAR, v)
		}},
		{EndpointAuthorization, func(r *run) {
			v := url.Values{"client_id": {"ed"}, "request_uri": {r.str("request_uri")}}
			r.send("GET", r.op.URL(EndpointAuthorization)+"?"+v.Encode(), nil, nil)
		}},
	}
}
