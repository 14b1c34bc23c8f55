package oidctest

import (
	"encoding/base64"
	"net/url"
)

// grantSteps are the grants without a browser, each as it goes well.
func grantSteps() []step {
	var device, request, access string
	return []step{
		{EndpointDevice, func(r *run) {
			r.post("grants", EndpointDevice, url.Values{"scope": {"openid"}})
			device = r.str("device_code")
		}},
		{EndpointVerification, func(r *run) { r.send("GET", r.str("verification_uri_complete"), nil, nil) }},
		{EndpointToken, func(r *run) {
			r.post("grants", EndpointToken, url.Values{"grant_type": {grantDevice}, "device_code": {device}})
		}},
		{EndpointBackchannel, func(r *run) {
			r.post("grants", EndpointBackchannel, url.Values{"scope": {"openid profile"}, "login_hint": {"alice"}})
			request = r.str("auth_req_id")
		}},
		{EndpointToken, func(r *run) {
			r.post("grants", EndpointToken, url.Values{"grant_type": {grantCIBA}, "auth_req_id": {request}})
			access = r.str("access_token")
		}},
		{EndpointToken, func(r *run) {
			r.post("grants", EndpointToken, url.Values{"grant_type": {grantExchange}, "subject_token": {access}, "subject_token_type": {typeAccessToken}, "scope": {"profile"}})
		}},
		{EndpointToken, func(r *run) {
			assertion := `<Assertion xmlns="urn:oasis:names:tc:SAML:2.0:assertion"><Subject><NameID>alice</NameID></Subject></Assertion>`
			r.post("grants", EndpointToken, url.Values{"grant_type": {grantSAML}, "assertion": {base64.RawURLEncoding.EncodeToString([]byte(assertion))}, "scope": {"calendar"}})
		}},
		{EndpointToken, func(r *run) {
			r.post("grants", EndpointToken, url.Values{"grant_type": {"client_credentials"}, "scope": {"read"}})
		}},
	}
}
