package oidctest

import (
	"maps"
	"net/http"
	"strings"
)

// resourceMetadataPath is where a resource describes itself (RFC 9728, section
// 3.1): the well-known part stands before the path.
func (op *OP) resourceMetadataPath(e Endpoint) string {
	return resourcePath + op.c.Path + endpointPaths()[e]
}

func (op *OP) resourceMetadataURL(e Endpoint) string {
	return strings.TrimSuffix(strings.TrimSuffix(op.Issuer, "/"), op.c.Path) + op.resourceMetadataPath(e)
}

// resourceMetadata is what the accounts, or UserInfo, say about themselves (RFC
// 9728, section 2).
func (x *exchange) resourceMetadata() *reply {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return methodNotAllowed("GET, HEAD")
	}
	op, of, name := x.op, EndpointAccounts, "Accounts"
	if x.r.URL.Path == op.resourceMetadataPath(EndpointUserInfo) {
		of, name = EndpointUserInfo, "UserInfo"
	}
	doc := map[string]any{
		"resource":                          op.URL(of),
		"authorization_servers":             list(op.Issuer),
		"bearer_methods_supported":          list("header"),
		"scopes_supported":                  list("profile", "email"),
		"resource_name":                     name,
		"resource_documentation":            strings.TrimSuffix(op.Issuer, "/") + "/",
		"dpop_signing_alg_values_supported": list(dpopAlgs()...), // RFC 9449, section 5.1
	}
	if alg := op.c.ResourceMetadataSigningAlg; alg != "" {
		signed, err := x.signResource(alg, doc)
		if err != nil {
			return oauthError(http.StatusInternalServerError, "server_error", err.Error())
		}
		doc["signed_metadata"] = signed
	}
	rep := jsonReply(http.StatusOK, doc)
	rep.header.Set("Cache-Control", "public, max-age=300")
	rep.header.Set("Access-Control-Allow-Origin", "*")
	return rep
}

// signResource signs what a resource says about itself, as the OP (RFC 9728,
// section 2.2).
func (x *exchange) signResource(alg string, doc map[string]any) (string, error) {
	claims := maps.Clone(doc)
	claims["iss"], claims["iat"] = x.op.Issuer, x.now.Unix()
	d, err := x.newDraft(alg, claims)
	if err != nil {
		return "", err
	}
	for _, b := range x.faults {
		if b.resource != nil {
			b.resource(x, d)
		}
	}
	return d.sign()
}
