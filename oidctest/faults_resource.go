package oidctest

import (
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
)

// Faults of what a protected resource says about itself.
const (
	// ResourceOther: the resource is somebody else's (RFC 9728 3.3). Refuse the metadata.
	ResourceOther Fault = "resource_other"
	// ResourceTrailingSlash: the resource has one slash more (RFC 9728 3.3). Refuse the metadata
	// and show both values.
	ResourceTrailingSlash Fault = "resource_trailing_slash"
	// ResourceOneLetter: the resource differs in the case of one letter (RFC 9728 3.3). Refuse
	// the metadata and show both values.
	ResourceOneLetter Fault = "resource_one_letter"
	// ResourceMissing: there is no resource (RFC 9728 2). Refuse the metadata.
	ResourceMissing Fault = "resource_missing"
	// ResourceDuplicate: the resource is there twice (RFC 8259 4). Refuse the document.
	ResourceDuplicate Fault = "resource_duplicate"
	// ResourceCaseVariant: RESOURCE and AUTHORIZATION_SERVERS stand beside the real ones (RFC
	// 8259 4). Look at the exact names alone.
	ResourceCaseVariant Fault = "resource_case_variant"
	// ResourceServerHTTP: an authorization server is an http URL (RFC 9728 2). Refuse the
	// metadata.
	ResourceServerHTTP Fault = "resource_server_http"
	// ResourceServerQuery: an authorization server has a query (RFC 9728 2). Refuse the
	// metadata.
	ResourceServerQuery Fault = "resource_server_query"
	// ResourceServerScript: an authorization server is javascript: (RFC 9728 2). Refuse the
	// metadata.
	ResourceServerScript Fault = "resource_server_script"
	// ResourceServersMany: a thousand authorization servers are named (RFC 9728 2). Refuse the
	// metadata at a limit of its own.
	ResourceServersMany Fault = "resource_servers_many"
	// ResourceServersEmpty: the list of authorization servers is empty (RFC 9728 3.2). Take it
	// as if none were named; guess none.
	ResourceServersEmpty Fault = "resource_servers_empty"
	// ResourceServersString: the authorization servers are a string (RFC 9728 2). Refuse the
	// metadata.
	ResourceServersString Fault = "resource_servers_string"
	// ResourceKeysHTTP: the jwks_uri is an http URL (RFC 9728 2). Refuse the metadata.
	ResourceKeysHTTP Fault = "resource_keys_http"
	// ResourceKeysFile: the jwks_uri is file: (RFC 9728 2). Refuse the metadata.
	ResourceKeysFile Fault = "resource_keys_file"
	// ResourceAlgNone: it signs its answers with none (RFC 9728 2). Refuse the metadata.
	ResourceAlgNone Fault = "resource_alg_none"
	// ResourcePageScript: the page of its documentation is javascript: (RFC 9728 2). Refuse the
	// metadata.
	ResourcePageScript Fault = "resource_page_script"
	// ResourceHTML: a page comes in place of JSON (RFC 9728 3.2). Refuse the document.
	ResourceHTML Fault = "resource_html"
	// ResourceNull: the document is null (RFC 9728 3.2). Refuse the document.
	ResourceNull Fault = "resource_null"
	// ResourceArray: the document is an array (RFC 9728 3.2). Refuse the document.
	ResourceArray Fault = "resource_array"
	// ResourceTruncated: the document ends in the middle (RFC 9728 3.2). Refuse the document.
	ResourceTruncated Fault = "resource_truncated"
	// ResourceDeep: the document is nested 100 000 times (RFC 8259 9). Refuse the document.
	ResourceDeep Fault = "resource_deep"
	// ResourceEndless: the document never ends (RFC 9728 3.2). Stop at a limit.
	ResourceEndless Fault = "resource_endless"
	// ResourceBomb: the document unpacks to 256 MiB (RFC 9728 3.2). Stop at a limit of what is
	// unpacked.
	ResourceBomb Fault = "resource_bomb"
	// ResourceSlow: the document comes byte by byte (RFC 9728 3.2). Stop at a deadline.
	ResourceSlow Fault = "resource_slow"
	// ResourceNotFound: there is no document (RFC 9728 3.2). Say that the API does not describe
	// itself; guess no authorization server.
	ResourceNotFound Fault = "resource_not_found"
	// ResourceRedirectElsewhere: a redirect leads to another host (RFC 9728 7.7). Do not follow
	// it.
	ResourceRedirectElsewhere Fault = "resource_redirect_elsewhere"
	// ResourceRedirectHTTP: a redirect leads to http (RFC 9728 7.1). Do not follow it.
	ResourceRedirectHTTP Fault = "resource_redirect_http"
	// ResourceChallengeHTTP: the challenge names metadata at an http URL (RFC 9728 5.1). Do not
	// fetch it.
	ResourceChallengeHTTP Fault = "resource_challenge_http"
	// ResourceChallengeInside: the challenge names metadata inside the network of who asks (RFC
	// 9728 7.7). Do not fetch it.
	ResourceChallengeInside Fault = "resource_challenge_inside"
	// ResourceChallengeElsewhere: the challenge names metadata at another host (RFC 9728 3.3).
	// Believe it only if its resource is the one that was asked.
	ResourceChallengeElsewhere Fault = "resource_challenge_elsewhere"
	// ResourceChallengeOther: the challenge names the metadata of another resource (RFC 9728
	// 3.3). Refuse the metadata.
	ResourceChallengeOther Fault = "resource_challenge_other"
)

// resourceFaults are what can be wrong with protected resource metadata (RFC 9728).
func resourceFaults() []behaviour {
	return flow("resource", group("Protected resource metadata", EndpointResource, []behaviour{
		{FaultInfo: FaultInfo{Fault: ResourceOther, Title: "The resource is somebody else's", Section: "RFC 9728 3.3", Expect: "Refuse the metadata."},
			doc: set("resource", attacker+"/api")},
		{FaultInfo: FaultInfo{Fault: ResourceTrailingSlash, Title: "The resource has one slash more", Section: "RFC 9728 3.3", Expect: "Refuse the metadata and show both values."},
			doc: change("resource", func(s string) string { return s + "/" })},
		{FaultInfo: FaultInfo{Fault: ResourceOneLetter, Title: "The resource differs in the case of one letter", Section: "RFC 9728 3.3", Expect: "Refuse the metadata and show both values."},
			doc: change("resource", func(s string) string { return s[:len(s)-1] + strings.ToUpper(s[len(s)-1:]) })},
		{FaultInfo: FaultInfo{Fault: ResourceMissing, Title: "There is no resource", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: drop("resource")},
		{FaultInfo: FaultInfo{Fault: ResourceDuplicate, Title: "The resource is there twice", Section: "RFC 8259 4", Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return firstMember(b, `"resource":"`+attacker+`"`) })},
		{FaultInfo: FaultInfo{Fault: ResourceCaseVariant, Title: "RESOURCE and AUTHORIZATION_SERVERS stand beside the real ones", Section: "RFC 8259 4", Expect: "Look at the exact names alone.", Harmless: true},
			doc: func(_ *exchange, m map[string]any) {
				m["RESOURCE"], m["AUTHORIZATION_SERVERS"] = attacker, list(attacker)
			}},
		{FaultInfo: FaultInfo{Fault: ResourceServerHTTP, Title: "An authorization server is an http URL", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("authorization_servers", list("http://op.example"))},
		{FaultInfo: FaultInfo{Fault: ResourceServerQuery, Title: "An authorization server has a query", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: func(x *exchange, m map[string]any) { m["authorization_servers"] = list(x.op.Issuer + "?tenant=1") }},
		{FaultInfo: FaultInfo{Fault: ResourceServerScript, Title: "An authorization server is javascript:", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("authorization_servers", list("javascript:alert(1)"))},
		{FaultInfo: FaultInfo{Fault: ResourceServersMany, Title: "A thousand authorization servers are named", Section: "RFC 9728 2", Expect: "Refuse the metadata at a limit of its own."},
			doc: func(x *exchange, m map[string]any) {
				m["authorization_servers"] = list(slices.Repeat([]string{x.op.Issuer}, 1000)...)
			}},
		{FaultInfo: FaultInfo{Fault: ResourceServersEmpty, Title: "The list of authorization servers is empty", Section: "RFC 9728 3.2", Expect: "Take it as if none were named; guess none.", Harmless: true},
			doc: set("authorization_servers", list())},
		{FaultInfo: FaultInfo{Fault: ResourceServersString, Title: "The authorization servers are a string", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: func(x *exchange, m map[string]any) { m["authorization_servers"] = x.op.Issuer }},
		{FaultInfo: FaultInfo{Fault: ResourceKeysHTTP, Title: "The jwks_uri is an http URL", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("jwks_uri", "http://api.example/jwks")},
		{FaultInfo: FaultInfo{Fault: ResourceKeysFile, Title: "The jwks_uri is file:", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("jwks_uri", "file:///etc/passwd")},
		{FaultInfo: FaultInfo{Fault: ResourceAlgNone, Title: "It signs its answers with none", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("resource_signing_alg_values_supported", list("ES256", "none"))},
		{FaultInfo: FaultInfo{Fault: ResourcePageScript, Title: "The page of its documentation is javascript:", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			doc: set("resource_documentation", "javascript:alert(1)")},
		{FaultInfo: FaultInfo{Fault: ResourceHTML, Title: "A page comes in place of JSON", Section: "RFC 9728 3.2", Expect: "Refuse the document."},
			reply: body(http.StatusOK, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: ResourceNull, Title: "The document is null", Section: "RFC 9728 3.2", Expect: "Refuse the document."},
			reply: body(http.StatusOK, "application/json", "null")},
		{FaultInfo: FaultInfo{Fault: ResourceArray, Title: "The document is an array", Section: "RFC 9728 3.2", Expect: "Refuse the document."},
			reply: body(http.StatusOK, "application/json", "[]")},
		{FaultInfo: FaultInfo{Fault: ResourceTruncated, Title: "The document ends in the middle", Section: "RFC 9728 3.2", Expect: "Refuse the document."},
			reply: edit(func(_ *exchange, b []byte) []byte { return b[:len(b)/2] })},
		{FaultInfo: FaultInfo{Fault: ResourceDeep, Title: "The document is nested 100 000 times", Section: "RFC 8259 9", Expect: "Refuse the document."},
			reply: body(http.StatusOK, "application/json", deep())},
		{FaultInfo: FaultInfo{Fault: ResourceEndless, Title: "The document never ends", Section: "RFC 9728 3.2", Expect: "Stop at a limit."},
			reply: endless("application/json")},
		{FaultInfo: FaultInfo{Fault: ResourceBomb, Title: "The document unpacks to 256 MiB", Section: "RFC 9728 3.2", Expect: "Stop at a limit of what is unpacked."},
			reply: bomb("application/json")},
		{FaultInfo: FaultInfo{Fault: ResourceSlow, Title: "The document comes byte by byte", Section: "RFC 9728 3.2", Expect: "Stop at a deadline."},
			reply: slow},
		{FaultInfo: FaultInfo{Fault: ResourceNotFound, Title: "There is no document", Section: "RFC 9728 3.2", Expect: "Say that the API does not describe itself; guess no authorization server."},
			reply: body(http.StatusNotFound, "text/html", html500)},
		{FaultInfo: FaultInfo{Fault: ResourceRedirectElsewhere, Title: "A redirect leads to another host", Section: "RFC 9728 7.7", Expect: "Do not follow it."},
			reply: redirectTo(http.StatusFound, elsewhere("/metadata"))},
		{FaultInfo: FaultInfo{Fault: ResourceRedirectHTTP, Title: "A redirect leads to http", Section: "RFC 9728 7.1", Expect: "Do not follow it."},
			reply: redirectTo(http.StatusFound, overHTTP)},
		{FaultInfo: FaultInfo{Fault: ResourceChallengeHTTP, Title: "The challenge names metadata at an http URL", Section: "RFC 9728 5.1", Expect: "Do not fetch it.", At: EndpointAccounts},
			reply: challenge(func(*exchange) string { return "http://api.example/metadata" })},
		{FaultInfo: FaultInfo{Fault: ResourceChallengeInside, Title: "The challenge names metadata inside the network of who asks", Section: "RFC 9728 7.7", Expect: "Do not fetch it.", At: EndpointAccounts},
			reply: challenge(func(*exchange) string { return "https://169.254.169.254/latest/meta-data/" })},
		{FaultInfo: FaultInfo{Fault: ResourceChallengeElsewhere, Title: "The challenge names metadata at another host", Section: "RFC 9728 3.3", Expect: "Believe it only if its resource is the one that was asked.", At: EndpointAccounts},
			reply: challenge(elsewhere("/metadata"))},
		{FaultInfo: FaultInfo{Fault: ResourceChallengeOther, Title: "The challenge names the metadata of another resource", Section: "RFC 9728 3.3", Expect: "Refuse the metadata.", At: EndpointAccounts},
			reply: challenge(func(x *exchange) string { return x.op.resourceMetadataURL(EndpointUserInfo) })},
	}))
}

// challenge lets the accounts say that their metadata is elsewhere.
func challenge(at func(*exchange) string) func(*exchange, *reply) {
	return func(x *exchange, r *reply) {
		if c := r.header.Get("WWW-Authenticate"); c != "" {
			r.header.Set("WWW-Authenticate", strings.ReplaceAll(c, x.op.URL(EndpointResource), at(x)))
		}
	}
}

// Faults of what is signed of that.
const (
	// SignedResourceForged: it is signed by a stranger (RFC 9728 3.3). Refuse the metadata.
	SignedResourceForged Fault = "signed_resource_forged"
	// SignedResourceAlgNone: it has no signature (RFC 9728 2.2). Refuse the metadata.
	SignedResourceAlgNone Fault = "signed_resource_alg_none"
	// SignedResourceHMAC: it is HS256 with the public key as PEM (RFC 8725 2.1). Refuse the
	// metadata.
	SignedResourceHMAC Fault = "signed_resource_hmac"
	// SignedResourceIssOther: it is of a signer whom nobody trusts (RFC 9728 3.3). Refuse the
	// metadata.
	SignedResourceIssOther Fault = "signed_resource_iss_other"
	// SignedResourceIssMissing: it does not say who signs (RFC 9728 2.2). Refuse the metadata.
	SignedResourceIssMissing Fault = "signed_resource_iss_missing"
	// SignedResourceOther: it is signed for another resource (RFC 9728 3.3). Refuse the
	// metadata.
	SignedResourceOther Fault = "signed_resource_other"
	// SignedResourceMissing: it is signed for no resource (RFC 9728 3.3). Refuse the metadata:
	// it could be any other's.
	SignedResourceMissing Fault = "signed_resource_missing"
	// SignedResourceExpired: it has expired (RFC 7519 4.1.4). Refuse the metadata.
	SignedResourceExpired Fault = "signed_resource_expired"
	// SignedResourceNotYet: it is of tomorrow (RFC 7519 4.1.5). Refuse the metadata.
	SignedResourceNotYet Fault = "signed_resource_not_yet"
	// SignedResourceIatFuture: it will be made tomorrow (RFC 7519 4.1.6). Refuse the metadata.
	SignedResourceIatFuture Fault = "signed_resource_iat_future"
	// SignedResourceAud: it was made for one client (RFC 7519 4.1.3). Refuse the metadata.
	SignedResourceAud Fault = "signed_resource_aud"
	// SignedResourceTyp: it is an access token (RFC 8725 3.11). Refuse the metadata.
	SignedResourceTyp Fault = "signed_resource_typ"
	// SignedResourceNested: it has signed_metadata of its own (RFC 9728 2.2). Refuse the
	// metadata.
	SignedResourceNested Fault = "signed_resource_nested"
	// SignedResourceArray: what is signed is an array (RFC 7519 7.2). Refuse the metadata.
	SignedResourceArray Fault = "signed_resource_array"
	// SignedResourceIssTwice: the signer is there twice (RFC 7519 4). Refuse the metadata.
	SignedResourceIssTwice Fault = "signed_resource_iss_twice"
	// SignedResourceServersString: what is signed has authorization_servers that are a string
	// (RFC 9728 2). Refuse the metadata.
	SignedResourceServersString Fault = "signed_resource_servers_string"
	// SignedResourceServerHTTP: what is signed has an authorization server that is an http URL
	// (RFC 9728 2). Refuse the metadata.
	SignedResourceServerHTTP Fault = "signed_resource_server_http"
	// SignedResourceNumber: it is a number (RFC 9728 2.2). Refuse the metadata.
	SignedResourceNumber Fault = "signed_resource_number"
	// SignedResourceAbsent: it is not there (RFC 9728 2.2). Refuse the metadata where it must be
	// signed.
	SignedResourceAbsent Fault = "signed_resource_absent"
	// SignedResourcePlainDiffers: the plain authorization_servers are others than those that are
	// signed (RFC 9728 2.2). Take those that are signed.
	SignedResourcePlainDiffers Fault = "signed_resource_plain_differs"
	// SignedResourcePlainMore: a jwks_uri stands beside what is signed (RFC 9728 7.9). Do not
	// take it where metadata must be signed.
	SignedResourcePlainMore Fault = "signed_resource_plain_more"
)

// signedResourceFaults are what can be wrong with signed metadata (RFC 9728, section
// 2.2).
func signedResourceFaults() []behaviour {
	return needing("signed resource metadata", flow("resource", group("Signed resource metadata", EndpointResource, []behaviour{
		{FaultInfo: FaultInfo{Fault: SignedResourceForged, Title: "It is signed by a stranger", Section: "RFC 9728 3.3", Expect: "Refuse the metadata."},
			resource: func(_ *exchange, d *draft) { byStranger(d) }},
		{FaultInfo: FaultInfo{Fault: SignedResourceAlgNone, Title: "It has no signature", Section: "RFC 9728 2.2", Expect: "Refuse the metadata."},
			resource: unsign("none")},
		{FaultInfo: FaultInfo{Fault: SignedResourceHMAC, Title: "It is HS256 with the public key as PEM", Section: "RFC 8725 2.1", Expect: "Refuse the metadata."},
			resource: hmacWith(func(_ *exchange, d *draft) []byte {
				return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: publicDER(d)})
			})},
		{FaultInfo: FaultInfo{Fault: SignedResourceIssOther, Title: "It is of a signer whom nobody trusts", Section: "RFC 9728 3.3", Expect: "Refuse the metadata."},
			resource: claim("iss", attacker)},
		{FaultInfo: FaultInfo{Fault: SignedResourceIssMissing, Title: "It does not say who signs", Section: "RFC 9728 2.2", Expect: "Refuse the metadata."},
			resource: noClaim("iss")},
		{FaultInfo: FaultInfo{Fault: SignedResourceOther, Title: "It is signed for another resource", Section: "RFC 9728 3.3", Expect: "Refuse the metadata."},
			resource: claim("resource", attacker+"/api")},
		{FaultInfo: FaultInfo{Fault: SignedResourceMissing, Title: "It is signed for no resource", Section: "RFC 9728 3.3", Expect: "Refuse the metadata: it could be any other's."},
			resource: noClaim("resource")},
		{FaultInfo: FaultInfo{Fault: SignedResourceExpired, Title: "It has expired", Section: "RFC 7519 4.1.4", Expect: "Refuse the metadata."},
			resource: func(x *exchange, d *draft) { d.claims["exp"] = x.now.Unix() - 3600 }},
		{FaultInfo: FaultInfo{Fault: SignedResourceNotYet, Title: "It is of tomorrow", Section: "RFC 7519 4.1.5", Expect: "Refuse the metadata."},
			resource: func(x *exchange, d *draft) { d.claims["nbf"] = x.now.Unix() + 24*3600 }},
		{FaultInfo: FaultInfo{Fault: SignedResourceIatFuture, Title: "It will be made tomorrow", Section: "RFC 7519 4.1.6", Expect: "Refuse the metadata."},
			resource: func(x *exchange, d *draft) { d.claims["iat"] = x.now.Unix() + 24*3600 }},
		{FaultInfo: FaultInfo{Fault: SignedResourceAud, Title: "It was made for one client", Section: "RFC 7519 4.1.3", Expect: "Refuse the metadata."},
			resource: claim("aud", "another-client")},
		{FaultInfo: FaultInfo{Fault: SignedResourceTyp, Title: "It is an access token", Section: "RFC 8725 3.11", Expect: "Refuse the metadata."},
			resource: headerParam("typ", "at+jwt")},
		{FaultInfo: FaultInfo{Fault: SignedResourceNested, Title: "It has signed_metadata of its own", Section: "RFC 9728 2.2", Expect: "Refuse the metadata."},
			resource: claim("signed_metadata", "eyJhbGciOiJub25lIn0.e30.")},
		{FaultInfo: FaultInfo{Fault: SignedResourceArray, Title: "What is signed is an array", Section: "RFC 7519 7.2", Expect: "Refuse the metadata."},
			resource: payloadOf(`[{"resource":"x"}]`)},
		{FaultInfo: FaultInfo{Fault: SignedResourceIssTwice, Title: "The signer is there twice", Section: "RFC 7519 4", Expect: "Refuse the metadata."},
			resource: firstClaim(`"iss":"` + attacker + `"`)},
		{FaultInfo: FaultInfo{Fault: SignedResourceServersString, Title: "What is signed has authorization_servers that are a string", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			resource: claim("authorization_servers", "https://op.example")},
		{FaultInfo: FaultInfo{Fault: SignedResourceServerHTTP, Title: "What is signed has an authorization server that is an http URL", Section: "RFC 9728 2", Expect: "Refuse the metadata."},
			resource: claim("authorization_servers", list("http://op.example"))},
		{FaultInfo: FaultInfo{Fault: SignedResourceNumber, Title: "It is a number", Section: "RFC 9728 2.2", Expect: "Refuse the metadata."},
			doc: set("signed_metadata", 7)},
		{FaultInfo: FaultInfo{Fault: SignedResourceAbsent, Title: "It is not there", Section: "RFC 9728 2.2", Expect: "Refuse the metadata where it must be signed."},
			doc: drop("signed_metadata")},
		{FaultInfo: FaultInfo{Fault: SignedResourcePlainDiffers, Title: "The plain authorization_servers are others than those that are signed", Section: "RFC 9728 2.2", Expect: "Take those that are signed.", Harmless: true},
			doc: set("authorization_servers", list(attacker))},
		{FaultInfo: FaultInfo{Fault: SignedResourcePlainMore, Title: "A jwks_uri stands beside what is signed", Section: "RFC 9728 7.9", Expect: "Do not take it where metadata must be signed.", Harmless: true},
			doc: set("jwks_uri", attacker+"/jwks")},
	})))
}
