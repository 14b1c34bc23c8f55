package oidctest

import (
	"net/http"
	"strings"
)

// Faults of mutual TLS.
const (
	// MTLSAliasHTTP: the alias of the token endpoint is an http URL (RFC 8705 5). Refuse the
	// metadata.
	MTLSAliasHTTP Fault = "mtls_alias_http"
	// MTLSAliasNumber: the aliases are a number (RFC 8705 5). Refuse the metadata.
	MTLSAliasNumber Fault = "mtls_alias_number"
	// MTLSAliasUnknown: there is an alias for an endpoint that nobody knows (RFC 8705 5).
	// Ignore it.
	MTLSAliasUnknown Fault = "mtls_alias_unknown"
	// MTLSRedirect: the alias of the token endpoint redirects to another host (307) (RFC 8705
	// 5). Do not follow.
	MTLSRedirect Fault = "mtls_redirect"
	// MTLSClientRefused: the certificate is not known (RFC 8705 2). Report it after one
	// request; try no other way to authenticate.
	MTLSClientRefused Fault = "mtls_client_refused"
	// MTLSBoundTokenRefused: UserInfo takes the certificate for another one than the token's
	// (RFC 8705 3). Report the refusal.
	MTLSBoundTokenRefused Fault = "mtls_bound_token_refused"
)

// mtlsFaults are what can be wrong with certificates of clients.
func mtlsFaults() []behaviour {
	// shown runs a hook where the client showed a certificate.
	shown := func(f func(*exchange, *reply)) func(*exchange, *reply) {
		return func(x *exchange, r *reply) {
			if x.shown() != nil {
				f(x, r)
			}
		}
	}
	aliases := func(f func(map[string]any)) func(*exchange, map[string]any) {
		return func(x *exchange, m map[string]any) {
			a := x.op.aliases(m)
			f(a)
			m["mtls_endpoint_aliases"] = a
		}
	}
	return needing("a client certificate", flow("mtls", group("Mutual TLS", EndpointToken, []behaviour{
		{FaultInfo: FaultInfo{Fault: MTLSAliasHTTP, At: EndpointDiscovery, Title: "The alias of the token endpoint is an http URL", Section: "RFC 8705 5", Case: 37, Expect: "Refuse the metadata."},
			doc: aliases(func(a map[string]any) {
				s, _ := a["token_endpoint"].(string)
				a["token_endpoint"] = strings.Replace(s, "https:", "http:", 1)
			})},
		{FaultInfo: FaultInfo{Fault: MTLSAliasNumber, At: EndpointDiscovery, Title: "The aliases are a number", Section: "RFC 8705 5", Case: 37, Expect: "Refuse the metadata."},
			doc: set("mtls_endpoint_aliases", 7)},
		{FaultInfo: FaultInfo{Fault: MTLSAliasUnknown, At: EndpointDiscovery, Title: "There is an alias for an endpoint that nobody knows", Section: "RFC 8705 5", Expect: "Ignore it.", Harmless: true},
			doc: aliases(func(a map[string]any) { a["future_endpoint"] = attacker + "/future" })},
		{FaultInfo: FaultInfo{Fault: MTLSRedirect, Title: "The alias of the token endpoint redirects to another host (307)", Section: "RFC 8705 5", Case: 324, Expect: "Do not follow."},
			reply: shown(redirectTo(http.StatusTemporaryRedirect, elsewhere("/token")))},
		{FaultInfo: FaultInfo{Fault: MTLSClientRefused, Title: "The certificate is not known", Section: "RFC 8705 2", Case: 324, Expect: "Report it after one request; try no other way to authenticate."},
			reply: shown(refusal(http.StatusUnauthorized, "invalid_client", "the certificate is not known"))},
		{FaultInfo: FaultInfo{Fault: MTLSBoundTokenRefused, At: EndpointUserInfo, Title: "UserInfo takes the certificate for another one than the token's", Section: "RFC 8705 3", Case: 324, Expect: "Report the refusal."},
			reply: shown(func(_ *exchange, r *reply) {
				*r = *bearerError(http.StatusUnauthorized, "invalid_token", "the certificate is not the token's")
			})},
	})))
}
