package oidctest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Faults of a client whose identifier is the URL of its metadata: of the provider, and of
// what it is served in place of the client's document.
const (
	// ClientDocumentsUnannounced: the provider does not announce that it reads client documents
	// (Client ID Metadata Document 5). Refuse when the client is set up; begin no login.
	ClientDocumentsUnannounced Fault = "client_documents_unannounced"
	// ClientDocumentsDenied: the provider announces that it reads no client documents (Client ID
	// Metadata Document 5). Refuse when the client is set up; begin no login.
	ClientDocumentsDenied Fault = "client_documents_denied"
	// ClientDocumentsAnnouncedString: the announcement is a string (Client ID Metadata Document
	// 5). Refuse the metadata.
	ClientDocumentsAnnouncedString Fault = "client_documents_announced_string"
	// ClientDocumentNotFound: the document is not there (Client ID Metadata Document 4.3).
	// Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentNotFound Fault = "client_document_not_found"
	// ClientDocumentRedirected: the document is where a redirect leads (Client ID Metadata
	// Document 4). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentRedirected Fault = "client_document_redirected"
	// ClientDocumentHTML: the document is a page (Client ID Metadata Document 4.1). Publish it
	// right; the provider shows a page, and nobody comes back.
	ClientDocumentHTML Fault = "client_document_html"
	// ClientDocumentTruncated: the document ends in the middle (Client ID Metadata Document
	// 4.1). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentTruncated Fault = "client_document_truncated"
	// ClientDocumentLarge: the document is larger than 5 KiB (Client ID Metadata Document 6.6).
	// Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentLarge Fault = "client_document_large"
	// ClientDocumentIDSlash: the client_id in it has one slash more (Client ID Metadata Document
	// 4.1). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentIDSlash Fault = "client_document_id_slash"
	// ClientDocumentIDMissing: there is no client_id in it (Client ID Metadata Document 4.1).
	// Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentIDMissing Fault = "client_document_id_missing"
	// ClientDocumentSecret: there is a secret in it (Client ID Metadata Document 4.1). Publish
	// it right; the provider shows a page, and nobody comes back.
	ClientDocumentSecret Fault = "client_document_secret"
	// ClientDocumentSecretExpiry: there is a client_secret_expires_at in it (Client ID Metadata
	// Document 4.1). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentSecretExpiry Fault = "client_document_secret_expiry"
	// ClientDocumentSymmetric: it names an authentication that needs a secret (Client ID
	// Metadata Document 4.1). Publish it right; the provider shows a page, and nobody comes
	// back.
	ClientDocumentSymmetric Fault = "client_document_symmetric"
	// ClientDocumentSymmetricKey: there is a symmetric key in it (Client ID Metadata Document
	// 4.1). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentSymmetricKey Fault = "client_document_symmetric_key"
	// ClientDocumentPrivateKey: there is a private key in it (Client ID Metadata Document 4.1).
	// Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentPrivateKey Fault = "client_document_private_key"
	// ClientDocumentNoKeys: it names private_key_jwt, and no keys (Client ID Metadata Document
	// 6.2). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentNoKeys Fault = "client_document_no_keys"
	// ClientDocumentNoRedirect: there are no redirect URIs in it (Client ID Metadata Document
	// 4.5). Publish it right; the provider shows a page, and nobody comes back.
	ClientDocumentNoRedirect Fault = "client_document_no_redirect"
	// ClientDocumentOtherRedirect: the redirect URI of the request is not in it (Client ID
	// Metadata Document 4.5). Publish it right; the provider shows a page, and nobody comes
	// back.
	ClientDocumentOtherRedirect Fault = "client_document_other_redirect"
	// ClientDocumentForgotten: the token endpoint no longer knows the client (RFC 6749 5.2).
	// Report it.
	ClientDocumentForgotten Fault = "client_document_forgotten"
)

// clientDocumentFaults are what can be wrong where an identifier is a client's
// document.
func clientDocumentFaults() []behaviour {
	return needing("a client whose identifier is a URL", flow("client_document", group("Client ID metadata document", EndpointAuthorization, []behaviour{
		{FaultInfo: FaultInfo{Fault: ClientDocumentsUnannounced, Title: "The provider does not announce that it reads client documents", Section: "Client ID Metadata Document 5", Expect: "Refuse when the client is set up; begin no login.", At: EndpointDiscovery},
			doc: drop("client_id_metadata_document_supported")},
		{FaultInfo: FaultInfo{Fault: ClientDocumentsDenied, Title: "The provider announces that it reads no client documents", Section: "Client ID Metadata Document 5", Expect: "Refuse when the client is set up; begin no login.", At: EndpointDiscovery},
			doc: set("client_id_metadata_document_supported", false)},
		{FaultInfo: FaultInfo{Fault: ClientDocumentsAnnouncedString, Title: "The announcement is a string", Section: "Client ID Metadata Document 5", Expect: "Refuse the metadata.", At: EndpointDiscovery},
			doc: set("client_id_metadata_document_supported", "true")},
		{FaultInfo: FaultInfo{Fault: ClientDocumentNotFound, Title: "The document is not there", Section: "Client ID Metadata Document 4.3", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: func(_ *exchange, f *fetched) { f.status = http.StatusNotFound }},
		{FaultInfo: FaultInfo{Fault: ClientDocumentRedirected, Title: "The document is where a redirect leads", Section: "Client ID Metadata Document 4", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: func(_ *exchange, f *fetched) { f.from = attacker + "/client.json" }},
		{FaultInfo: FaultInfo{Fault: ClientDocumentHTML, Title: "The document is a page", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: func(_ *exchange, f *fetched) { f.mediaType, f.body = "text/html", []byte(html500) }},
		{FaultInfo: FaultInfo{Fault: ClientDocumentTruncated, Title: "The document ends in the middle", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: func(_ *exchange, f *fetched) { f.body = f.body[:len(f.body)/2] }},
		{FaultInfo: FaultInfo{Fault: ClientDocumentLarge, Title: "The document is larger than 5 KiB", Section: "Client ID Metadata Document 6.6", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("client_name", strings.Repeat("a", maxClientDocument))},
		{FaultInfo: FaultInfo{Fault: ClientDocumentIDSlash, Title: "The client_id in it has one slash more", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: inDocument(func(m map[string]any) { m["client_id"] = fmt.Sprint(m["client_id"], "/") })},
		{FaultInfo: FaultInfo{Fault: ClientDocumentIDMissing, Title: "There is no client_id in it", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: inDocument(func(m map[string]any) { delete(m, "client_id") })},
		{FaultInfo: FaultInfo{Fault: ClientDocumentSecret, Title: "There is a secret in it", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("client_secret", "everybody-reads-this")},
		{FaultInfo: FaultInfo{Fault: ClientDocumentSecretExpiry, Title: "There is a client_secret_expires_at in it", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("client_secret_expires_at", 0)},
		{FaultInfo: FaultInfo{Fault: ClientDocumentSymmetric, Title: "It names an authentication that needs a secret", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("token_endpoint_auth_method", "client_secret_basic")},
		{FaultInfo: FaultInfo{Fault: ClientDocumentSymmetricKey, Title: "There is a symmetric key in it", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("jwks", map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": "c2VjcmV0"}}})},
		{FaultInfo: FaultInfo{Fault: ClientDocumentPrivateKey, Title: "There is a private key in it", Section: "Client ID Metadata Document 4.1", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("jwks", map[string]any{"keys": []any{privateJWK()}})},
		{FaultInfo: FaultInfo{Fault: ClientDocumentNoKeys, Title: "It names private_key_jwt, and no keys", Section: "Client ID Metadata Document 6.2", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: inDocument(func(m map[string]any) {
				m["token_endpoint_auth_method"] = "private_key_jwt"
				delete(m, "jwks")
				delete(m, "jwks_uri")
			})},
		{FaultInfo: FaultInfo{Fault: ClientDocumentNoRedirect, Title: "There are no redirect URIs in it", Section: "Client ID Metadata Document 4.5", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: inDocument(func(m map[string]any) { delete(m, "redirect_uris") })},
		{FaultInfo: FaultInfo{Fault: ClientDocumentOtherRedirect, Title: "The redirect URI of the request is not in it", Section: "Client ID Metadata Document 4.5", Expect: "Publish it right; the provider shows a page, and nobody comes back."},
			document: member("redirect_uris", list("https://rp.example/elsewhere"))},
		{FaultInfo: FaultInfo{Fault: ClientDocumentForgotten, Title: "The token endpoint no longer knows the client", Section: "RFC 6749 5.2", Expect: "Report it.", At: EndpointToken},
			reply: func(x *exchange, r *reply) {
				if x.client != nil && x.client.document {
					refusal(http.StatusUnauthorized, "invalid_client", "the client is unknown")(x, r)
				}
			}},
	})))
}

// inDocument edits the members of a client's document.
func inDocument(f func(map[string]any)) func(*exchange, *fetched) {
	return func(_ *exchange, d *fetched) {
		var m map[string]any
		if json.Unmarshal(d.body, &m) != nil {
			return
		}
		f(m)
		if text, err := json.Marshal(m); err == nil {
			d.body = text
		}
	}
}

// member puts a member into a client's document.
func member(name string, v any) func(*exchange, *fetched) {
	return inDocument(func(m map[string]any) { m[name] = v })
}

// privateJWK is the example of RFC 8037, appendix A.1: a key that everybody has.
func privateJWK() map[string]any {
	return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
		"d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}
}
