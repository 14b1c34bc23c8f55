package oidctest

import "net/url"

// detailSteps is a login that asks for authorization details.
func detailSteps() []step {
	return []step{
		{EndpointAuthorization, func(r *run) {
			v := (&party{client: Client{ID: "ed", RedirectURIs: []string{DefaultRedirectURI}}}).params("code")
			v.Set("authorization_details", `[{"type":"payment_initiation","actions":["initiate"]}]`)
			rec := r.send("GET", r.op.URL(EndpointAuthorization)+"?"+v.Encode(), nil, nil)
			if u, err := url.Parse(rec.header.Get("Location")); err == nil {
				r.answer = redirected(u).Params()
			}
		}},
		{EndpointToken, func(r *run) { r.redeem("ed") }},
	}
}
