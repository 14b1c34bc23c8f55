package oidctest

import (
	"crypto/tls"
	"net/http"
	"strings"
	"time"
)

const jrdType = "application/jrd+json"

// webFingerFaults are what can be wrong before an issuer is known.
func webFingerFaults() []behaviour {
	link := func(href any) map[string]any { return map[string]any{"rel": issuerRel, "href": href} }
	return group("WebFinger", EndpointWebFinger, []behaviour{
		{FaultInfo: FaultInfo{Fault: JRDNoIssuer, Title: "No link is to an issuer", Section: "Discovery 1.0 2", Case: 3, Expect: "Say that the identifier has no issuer; guess none."},
			doc: func(_ *exchange, m map[string]any) {
				m["links"] = []any{map[string]any{"rel": "http://webfinger.net/rel/profile-page", "href": attacker}}
			}},
		{FaultInfo: FaultInfo{Fault: JRDTwoIssuers, Title: "Two links are to an issuer, the second elsewhere", Section: "RFC 7033 4.4.4", Case: 3, Expect: "Take the first.", Harmless: true},
			doc: func(x *exchange, m map[string]any) { m["links"] = []any{link(x.op.Issuer), link(attacker)} }},
		{FaultInfo: FaultInfo{Fault: JRDHrefNumber, Title: "The href is a number", Section: "RFC 7033 4.4.4.3", Case: 3, Expect: "Refuse the document."},
			doc: func(_ *exchange, m map[string]any) { m["links"] = []any{link(7)} }},
		{FaultInfo: FaultInfo{Fault: JRDHrefMissing, Title: "The link has no href", Section: "Discovery 1.0 2", Case: 3, Expect: "Refuse the document."},
			doc: func(_ *exchange, m map[string]any) { m["links"] = []any{map[string]any{"rel": issuerRel}} }},
		{FaultInfo: FaultInfo{Fault: JRDIssuerHTTP, Title: "The issuer is an http URL", Section: "Discovery 1.0 2", Case: 19, Expect: "Refuse the issuer, unless http was allowed for this call.", Needs: "a provider with TLS"},
			doc: func(x *exchange, m map[string]any) {
				m["links"] = []any{link("http://" + strings.TrimPrefix(x.op.Issuer, "https://"))}
			}},
		{FaultInfo: FaultInfo{Fault: JRDIssuerQuery, Title: "The issuer has a query", Section: "Discovery 1.0 2", Case: 30, Expect: "Refuse the issuer."},
			doc: func(x *exchange, m map[string]any) { m["links"] = []any{link(x.op.Issuer + "?tenant=1")} }},
		{FaultInfo: FaultInfo{Fault: JRDIssuerElsewhere, Title: "The issuer is at another host", Section: "Discovery 1.0 2", Case: 4, Expect: "Go to that issuer; the account is iss and sub of its token, never the host that was typed."},
			doc: func(_ *exchange, m map[string]any) { m["links"] = []any{link(attacker)} }},
		{FaultInfo: FaultInfo{Fault: JRDNotFound, Title: "The identifier is unknown", Section: "RFC 7033 4.2", Expect: "Say that the host knows nothing of the identifier."},
			reply: refusal(http.StatusNotFound, "not_found", "nobody of that name")},
		{FaultInfo: FaultInfo{Fault: JRDHTML, Title: "A page comes in place of JSON", Section: "RFC 7033 4.2", Case: 27, Expect: "Refuse the document."},
			reply: body(http.StatusOK, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: JRDNull, Title: "The document is null", Section: "RFC 7033 4.4", Case: 28, Expect: "Refuse the document."},
			reply: body(http.StatusOK, jrdType, "null")},
		{FaultInfo: FaultInfo{Fault: JRDTruncated, Title: "The document ends in the middle", Section: "RFC 7033 4.4", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return b[:len(b)/2] })},
		{FaultInfo: FaultInfo{Fault: JRDRedirectHTTP, Title: "A redirect leads to http", Section: "RFC 7033 4.2", Case: 2, Expect: "Do not follow it.", Needs: "a provider with TLS"},
			reply: redirectTo(http.StatusFound, overHTTP)},
		{FaultInfo: FaultInfo{Fault: JRDRedirectLoop, Title: "A redirect leads to itself", Section: "RFC 9110 15.4", Case: 24, Expect: "Stop after a few."},
			reply: redirectTo(http.StatusFound, itself)},
		{FaultInfo: FaultInfo{Fault: JRDEndless, Title: "The document never ends", Section: "RFC 7033 9", Case: 8, Expect: "Stop at a limit."},
			reply: endless(jrdType)},
		{FaultInfo: FaultInfo{Fault: JRDBomb, Title: "The document unpacks to 256 MiB", Section: "RFC 7033 9", Case: 8, Expect: "Stop at a limit of what is unpacked."},
			reply: bomb(jrdType)},
		{FaultInfo: FaultInfo{Fault: JRDSlow, Title: "The document comes byte by byte", Section: "RFC 7033 9", Case: 8, Expect: "Stop at a deadline."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: JRDDeep, Title: "The document is nested 100 000 times", Section: "RFC 8259 9", Case: 8, Expect: "Refuse the document."},
			reply: body(http.StatusOK, jrdType, `{"links":`+deep()+`}`)},
	})
}

// discoveryFaults are what can be wrong with the metadata.
func discoveryFaults() []behaviour {
	const jsonType = "application/json"
	return group("Discovery", EndpointDiscovery, []behaviour{
		{FaultInfo: FaultInfo{Fault: IssuerOther, Title: "The issuer is somebody else", Section: "Discovery 1.0 4.3", Case: 13, Expect: "Refuse the metadata."},
			doc: set("issuer", attacker)},
		{FaultInfo: FaultInfo{Fault: IssuerInvalid, Title: "The issuer has INVALID at its end", Section: "Discovery 1.0 4.3", Case: 13, Expect: "Refuse the metadata; begin no login."},
			doc: change("issuer", func(s string) string { return s + "INVALID" })},
		{FaultInfo: FaultInfo{Fault: IssuerTrailingSlash, Title: "The issuer has one slash more", Section: "Discovery 1.0 4.3", Case: 14, Expect: "Refuse the metadata and show both values."},
			doc: change("issuer", func(s string) string { return s + "/" })},
		{FaultInfo: FaultInfo{Fault: IssuerUpperCase, Title: "The issuer is written in capitals", Section: "Discovery 1.0 4.3", Case: 14, Expect: "Refuse the metadata and show both values."},
			doc: change("issuer", strings.ToUpper)},
		{FaultInfo: FaultInfo{Fault: IssuerMissing, Title: "There is no issuer", Section: "Discovery 1.0 3", Case: 15, Expect: "Refuse the metadata."},
			doc: drop("issuer")},
		{FaultInfo: FaultInfo{Fault: AuthorizationEndpointMissing, Title: "There is no authorization endpoint", Section: "Discovery 1.0 3", Case: 16, Expect: "Refuse when the client is set up, not at its first login."},
			doc: drop("authorization_endpoint")},
		{FaultInfo: FaultInfo{Fault: TokenEndpointMissing, Title: "There is no token endpoint", Section: "Discovery 1.0 3", Case: 16, Expect: "Refuse when a client for a flow with a code is set up."},
			doc: drop("token_endpoint")},
		{FaultInfo: FaultInfo{Fault: JWKSURIMissing, Title: "There is no jwks_uri", Section: "Discovery 1.0 3", Case: 16, Expect: "Refuse when the client is set up."},
			doc: drop("jwks_uri")},
		{FaultInfo: FaultInfo{Fault: EndpointJavaScript, Title: "The authorization endpoint is javascript:", Section: "Discovery 1.0 3", Case: 17, Expect: "Refuse the metadata."},
			doc: set("authorization_endpoint", "javascript:alert(1)//")},
		{FaultInfo: FaultInfo{Fault: EndpointFile, Title: "The jwks_uri is file:", Section: "Discovery 1.0 3", Case: 17, Expect: "Refuse the metadata."},
			doc: set("jwks_uri", "file:///etc/passwd")},
		{FaultInfo: FaultInfo{Fault: EndpointRelative, Title: "The token endpoint is a relative URL", Section: "Discovery 1.0 3", Case: 17, Expect: "Refuse the metadata."},
			doc: set("token_endpoint", "/token")},
		{FaultInfo: FaultInfo{Fault: EndpointNumber, Title: "The token endpoint is a number", Section: "Discovery 1.0 3", Case: 17, Expect: "Refuse the metadata."},
			doc: set("token_endpoint", 7)},
		{FaultInfo: FaultInfo{Fault: TokenEndpointHTTP, Title: "The token endpoint is http", Section: "Core 3.1.3", Case: 18, Expect: "Refuse; the secret and the code never go in the clear.", Needs: "a provider with TLS"},
			doc: change("token_endpoint", withoutTLS)},
		{FaultInfo: FaultInfo{Fault: JWKSURIHTTP, Title: "The jwks_uri is http", Section: "Discovery 1.0 3", Case: 18, Expect: "Refuse the metadata.", Needs: "a provider with TLS"},
			doc: change("jwks_uri", withoutTLS)},
		{FaultInfo: FaultInfo{Fault: AuthorizationEndpointHTTP, Title: "The authorization endpoint is http", Section: "Core 3.1.2", Case: 18, Expect: "Refuse the metadata.", Needs: "a provider with TLS"},
			doc: change("authorization_endpoint", withoutTLS)},
		{FaultInfo: FaultInfo{Fault: UserInfoEndpointHTTP, Title: "The UserInfo endpoint is http", Section: "Core 5.3", Case: 18, Expect: "Refuse; the access token never goes in the clear.", Needs: "a provider with TLS"},
			doc: change("userinfo_endpoint", withoutTLS)},
		{FaultInfo: FaultInfo{Fault: MetadataEndless, Title: "The document never ends", Section: "Discovery 1.0 4", Case: 20, Expect: "Stop at a limit."},
			reply: endless(jsonType)},
		{FaultInfo: FaultInfo{Fault: MetadataBomb, Title: "The document unpacks to 256 MiB", Section: "Discovery 1.0 4", Case: 21, Expect: "Stop at a limit of what is unpacked."},
			reply: bomb(jsonType)},
		{FaultInfo: FaultInfo{Fault: MetadataSlow, Title: "The document comes byte by byte", Section: "Discovery 1.0 4", Case: 22, Expect: "Stop at a deadline."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: MetadataRedirectElsewhere, Title: "A redirect leads to another host", Section: "Discovery 1.0 4.1", Case: 23, Expect: "Do not follow it."},
			reply: redirectTo(http.StatusFound, elsewhere(discoveryPath))},
		{FaultInfo: FaultInfo{Fault: MetadataRedirectLoop, Title: "A redirect leads to itself", Section: "RFC 9110 15.4", Case: 24, Expect: "Stop after a few."},
			reply: redirectTo(http.StatusFound, itself)},
		{FaultInfo: FaultInfo{Fault: MetadataDuplicateIssuer, Title: "The issuer is there twice", Section: "RFC 8259 4", Case: 25, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"issuer":"`+attacker+`"`) })},
		{FaultInfo: FaultInfo{Fault: MetadataCaseVariant, Title: "ISSUER and TOKEN_ENDPOINT stand beside the real ones", Section: "RFC 8259 4", Case: 26, Expect: "Look at the exact names alone.", Harmless: true},
			reply: edit(func(_ *exchange, b []byte) []byte {
				b = append(b[:len(b)-1:len(b)-1], `,"ISSUER":"`+attacker+`","TOKEN_ENDPOINT":"`+attacker+`/token"}`...)
				return b
			})},
		{FaultInfo: FaultInfo{Fault: MetadataHTML, Title: "The media type is text/html", Section: "Discovery 1.0 4.2", Case: 27, Expect: "Refuse the document."},
			reply: mediaType("text/html; charset=utf-8")},
		{FaultInfo: FaultInfo{Fault: MetadataNull, Title: "The document is null", Section: "Discovery 1.0 4.2", Case: 28, Expect: "Refuse the document."},
			reply: body(http.StatusOK, jsonType, "null")},
		{FaultInfo: FaultInfo{Fault: MetadataArray, Title: "The document is an array", Section: "Discovery 1.0 4.2", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return append(append([]byte("["), b...), ']') })},
		{FaultInfo: FaultInfo{Fault: MetadataString, Title: "The document is a string", Section: "Discovery 1.0 4.2", Case: 28, Expect: "Refuse the document."},
			reply: body(http.StatusOK, jsonType, `"issuer"`)},
		{FaultInfo: FaultInfo{Fault: MetadataTruncated, Title: "The document ends in the middle", Section: "Discovery 1.0 4.2", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return b[:len(b)/2] })},
		{FaultInfo: FaultInfo{Fault: MetadataBOM, Title: "The document begins with a byte order mark", Section: "RFC 8259 8.1", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return append([]byte("\xef\xbb\xbf"), b...) })},
		{FaultInfo: FaultInfo{Fault: MetadataTrailing, Title: "Something follows the document", Section: "RFC 8259 2", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return append(b, `{"issuer":"`+attacker+`"}`...) })},
		{FaultInfo: FaultInfo{Fault: MetadataInvalidUTF8, Title: "The document is not UTF-8", Section: "RFC 8259 8.1", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, "\"service\":\"\xff\xfe\"") })},
		{FaultInfo: FaultInfo{Fault: MetadataDeep, Title: "The document is nested 100 000 times", Section: "RFC 8259 9", Case: 28, Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"service":`+deep()) })},
		{FaultInfo: FaultInfo{Fault: AuthorizationEndpointFragment, Title: "The authorization endpoint has a fragment", Section: "RFC 6749 3.1", Case: 29, Expect: "Refuse the metadata."},
			doc: change("authorization_endpoint", func(s string) string { return s + "#section" })},
		{FaultInfo: FaultInfo{Fault: OnlyAlgNone, Title: "The only signature algorithm is none", Section: "Discovery 1.0 3", Case: 31, Expect: "Keep none off; refuse to set up a client."},
			doc: set("id_token_signing_alg_values_supported", list("none"))},
		{FaultInfo: FaultInfo{Fault: AlgNoneOffered, Title: "The signature algorithms begin with none", Section: "Discovery 1.0 3", Case: 31, Expect: "Keep none off and log in with another.", Harmless: true},
			doc: func(_ *exchange, m map[string]any) {
				algs, _ := m["id_token_signing_alg_values_supported"].([]any)
				m["id_token_signing_alg_values_supported"] = append(list("none"), algs...)
			}},
		{FaultInfo: FaultInfo{Fault: RS256Dropped, Title: "RS256 is no longer among the signature algorithms", Section: "Discovery 1.0 3", Case: 33, Expect: "Keep to the algorithm that was registered."},
			doc: set("id_token_signing_alg_values_supported", list("HS256", "ES256"))},
		{FaultInfo: FaultInfo{Fault: TokenEndpointElsewhere, Title: "The token endpoint is the attacker's", Section: "RFC 9700 4.4", Case: 34, Expect: "Notice by iss and by one redirect URI per issuer, before any token request, when the two issuers are set up."},
			doc: set("token_endpoint", attacker+"/token")},
		{FaultInfo: FaultInfo{Fault: RegistrationEndpointElsewhere, Title: "The registration endpoint is another provider's", Section: "RFC 9700 4.4", Case: 35, Expect: "Send there no credential of another issuer."},
			doc: set("registration_endpoint", attacker+"/register")},
		{FaultInfo: FaultInfo{Fault: MTLSAliasInvalid, Title: "An alias for mutual TLS is not a URL", Section: "RFC 8705 5", Case: 37, Expect: "Refuse; do not fall back to the endpoint without a certificate."},
			doc: set("mtls_endpoint_aliases", map[string]any{"token_endpoint": "not a URL"})},
		{FaultInfo: FaultInfo{Fault: MetadataUnavailable, Title: "The provider is down (503)", Section: "RFC 9110 15.6.4", Case: 39, Expect: "Start all the same, say so, and recover alone.", Harmless: true},
			reply: body(http.StatusServiceUnavailable, "text/plain", "down for maintenance")},
		{FaultInfo: FaultInfo{Fault: PKCENotAnnounced, Title: "PKCE is not announced", Section: "RFC 8414 2", Case: 84, Expect: "Send S256 all the same.", Harmless: true},
			doc: drop("code_challenge_methods_supported")},
		{FaultInfo: FaultInfo{Fault: PKCEPlainOnly, Title: "Only the PKCE method plain is announced", Section: "RFC 7636 4.2", Case: 84, Expect: "Never use plain; send S256 or refuse.", Harmless: true},
			doc: set("code_challenge_methods_supported", list("plain"))},
		{FaultInfo: FaultInfo{Fault: AuthorizationEndpointQuery, Title: "The authorization endpoint has a query", Section: "RFC 6749 3.1", Case: 87, Expect: "Keep it and add to it.", Harmless: true},
			doc: change("authorization_endpoint", func(s string) string { return s + "?tenant=blue%20sky" })},
		{FaultInfo: FaultInfo{Fault: AuthorizationEndpointClash, Title: "The authorization endpoint has a state of its own", Section: "RFC 6749 3.1", Case: 87, Expect: "Refuse: a parameter must not occur twice."},
			doc: change("authorization_endpoint", func(s string) string { return s + "?state=fixed" })},
		{FaultInfo: FaultInfo{Fault: ResponseTypesReordered, Title: "The words of the response types are in another order", Section: "Multiple Response Types 3", Expect: "Compare them as sets.", Harmless: true},
			doc: set("response_types_supported", list("code", "id_token", "token id_token", "id_token code", "token code", "token code id_token"))},
	})
}

func withoutTLS(s string) string { return "http://" + strings.TrimPrefix(s, "https://") }

// transportFaults are what can be wrong with TLS. They show in new connections.
func transportFaults() []behaviour {
	const expect = "Refuse the connection; offer no way around it without a loud name."
	swap := func(names []string, from, until func() time.Time) func(*site, *tls.Config) error {
		return func(s *site, c *tls.Config) error {
			if names == nil {
				names = s.certificateNames()
			}
			_, cert, err := newCertificate(names, from(), until())
			c.Certificates = []tls.Certificate{cert}
			return err
		}
	}
	from := func() time.Time { t, _ := certificateSpan(); return t }
	until := func() time.Time { _, t := certificateSpan(); return t }
	return group("TLS", EndpointDiscovery, []behaviour{
		{FaultInfo: FaultInfo{Fault: CertificateUntrusted, Title: "Nobody vouches for the certificate", Section: "RFC 5280 6", Case: 149, Expect: expect, Needs: "a provider with TLS"},
			handshake: swap(nil, from, until)},
		{FaultInfo: FaultInfo{Fault: CertificateExpired, Title: "The certificate has expired", Section: "RFC 5280 4.1.2.5", Case: 149, Expect: expect, Needs: "a provider with TLS"},
			handshake: swap(nil, from, func() time.Time { return from().AddDate(1, 0, 0) })},
		{FaultInfo: FaultInfo{Fault: CertificateOtherHost, Title: "The certificate is another host's", Section: "RFC 9525 6", Case: 149, Expect: expect, Needs: "a provider with TLS"},
			handshake: swap([]string{"attacker.example"}, from, until)},
		{FaultInfo: FaultInfo{Fault: TLSOld, Title: "The provider speaks nothing newer than TLS 1.1", Section: "RFC 8996", Case: 149, Expect: expect, Needs: "a provider with TLS"},
			handshake: func(_ *site, c *tls.Config) error {
				c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
				return nil
			}},
	})
}
