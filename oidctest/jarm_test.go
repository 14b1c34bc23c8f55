package oidctest

import "net/url"

// jarmSteps is a login whose response is a JWT.
func jarmSteps() []step {
	return []step{
		{EndpointAuthorization, func(r *run) {
			v := (&party{client: Client{ID: "jarm", RedirectURIs: []string{DefaultRedirectURI}}}).params("code")
			v.Set("response_mode", "jwt")
			rec := r.send("GET", r.op.URL(EndpointAuthorization)+"?"+v.Encode(), nil, nil)
			if u, err := url.Parse(rec.header.Get("Location")); err == nil {
				r.answer = redirected(u).Params()
			}
		}},
	}
}
