package oidctest

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// ACRValues returns the authentication context classes that the OP can reach,
// the one it uses unasked first.
func ACRValues() []string {
	return []string{"urn:mace:incommon:iap:bronze", "urn:mace:incommon:iap:silver"}
}

// discovery serves the metadata of Discovery 1.0, section 3, which is that of
// RFC 8414 too.
func (x *exchange) discovery() *reply {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return methodNotAllowed("GET, HEAD")
	}
	rep := jsonReply(http.StatusOK, x.op.metadata())
	rep.header.Set("Cache-Control", "public, max-age=300")
	rep.header.Set("Access-Control-Allow-Origin", "*")
	return rep
}

// metadata is what the OP says about itself.
func (op *OP) metadata() map[string]any {
	m := map[string]any{
		"issuer":                                op.Issuer,
		"authorization_endpoint":                op.URL(EndpointAuthorization),
		"token_endpoint":                        op.URL(EndpointToken),
		"userinfo_endpoint":                     op.URL(EndpointUserInfo),
		"jwks_uri":                              op.URL(EndpointJWKS),
		"revocation_endpoint":                   op.URL(EndpointRevocation),
		"introspection_endpoint":                op.URL(EndpointIntrospection),
		"end_session_endpoint":                  op.URL(EndpointEndSession),
		"pushed_authorization_request_endpoint": op.URL(EndpointPAR),
		"scopes_supported":                      list("openid", "profile", "email", "address", "phone", "offline_access"),
		"response_types_supported":              list(op.responseTypes()...),
		"response_modes_supported":              list(responseModes()...),
		"grant_types_supported":                 list(op.grantTypes()...),
		"acr_values_supported":                  list(ACRValues()...),
		"subject_types_supported":               list("public", "pairwise"),

		"id_token_signing_alg_values_supported": list(op.idTokenAlgs()...),
		"userinfo_signing_alg_values_supported": list(SigningAlgs()...),

		"id_token_encryption_alg_values_supported": list(EncryptionAlgs()...),
		"id_token_encryption_enc_values_supported": list(EncryptionEncs()...),
		"userinfo_encryption_alg_values_supported": list(EncryptionAlgs()...),
		"userinfo_encryption_enc_values_supported": list(EncryptionEncs()...),

		"authorization_signing_alg_values_supported":    list(SigningAlgs()...),
		"authorization_encryption_alg_values_supported": list(EncryptionAlgs()...),
		"authorization_encryption_enc_values_supported": list(EncryptionEncs()...),

		"token_endpoint_auth_methods_supported":                 list(op.clientAuthMethods()...),
		"token_endpoint_auth_signing_alg_values_supported":      list(assertionAlgs()...),
		"revocation_endpoint_auth_methods_supported":            list(op.clientAuthMethods()...),
		"revocation_endpoint_auth_signing_alg_values_supported": list(assertionAlgs()...),

		"dpop_signing_alg_values_supported": list(dpopAlgs()...), // RFC 9449, section 5.1

		"introspection_endpoint_auth_methods_supported":            list(op.clientAuthMethods()...),
		"introspection_endpoint_auth_signing_alg_values_supported": list(assertionAlgs()...),
		"introspection_signing_alg_values_supported":               list(SigningAlgs()...), // RFC 9701, section 7

		"display_values_supported":                       list("page", "popup", "touch", "wap"),
		"claim_types_supported":                          list("normal", "aggregated", "distributed"),
		"claims_supported":                               list(slices.Concat([]string{"sub", "iss", "auth_time", "acr", "amr"}, standardClaims())...),
		"claims_locales_supported":                       list("en", "fr", "ja-Kana-JP", "ru", "ar"),
		"ui_locales_supported":                           list("en"),
		"claims_parameter_supported":                     true,
		"request_parameter_supported":                    true,
		"request_uri_parameter_supported":                true,
		"require_request_uri_registration":               false,
		"authorization_details_types_supported":          list(DetailTypes()...),
		"request_object_signing_alg_values_supported":    list(append(SigningAlgs(), "none")...),
		"request_object_encryption_alg_values_supported": list(requestEncryptionAlgs()...),
		"request_object_encryption_enc_values_supported": list(EncryptionEncs()...),
		"service_documentation":                          strings.TrimSuffix(op.Issuer, "/") + "/",
		"code_challenge_methods_supported":               list("S256"), // RFC 8414, section 2
		"prompt_values_supported":                        list("none", "login", "consent", "select_account"),
	}
	for _, name := range []string{"frontchannel_logout_supported", "frontchannel_logout_session_supported", "backchannel_logout_supported", "backchannel_logout_session_supported"} {
		m[name] = true
	}
	if op.c.RequireSignedRequestObject {
		m["require_signed_request_object"] = true // RFC 9101, section 10.5
	}
	if op.c.RequirePAR {
		m["require_pushed_authorization_requests"] = true // RFC 9126, section 5
	}
	maps.Copy(m, op.grantMetadata())
	if op.c.SessionManagement {
		m["check_session_iframe"] = op.URL(EndpointCheckSession)
	}
	if op.c.MTLS != MTLSOff {
		m["tls_client_certificate_bound_access_tokens"] = true // RFC 8705, section 3.3
	}
	if op.site.mtlsHost != "" {
		m["mtls_endpoint_aliases"] = op.aliases(m)
	}
	if !op.c.NoRegistration {
		m["registration_endpoint"] = op.URL(EndpointRegistration)
	}
	if !op.c.NoIssParameter {
		m["authorization_response_iss_parameter_supported"] = true // RFC 9207, section 3
	}
	return m
}

// responseModes are those of Multiple Response Types 2.1, Form Post Response Mode
// and JARM 2.3.
func responseModes() []string {
	return []string{"query", "fragment", "form_post", "query.jwt", "fragment.jwt", "form_post.jwt", "jwt"}
}

func (op *OP) responseTypes() []string {
	if op.c.ImplicitRefused {
		return []string{"code"}
	}
	return []string{"code", "id_token", "id_token token", "code id_token", "code token", "code id_token token"}
}

// idTokenAlgs are the algorithms of ID Tokens.
func (op *OP) idTokenAlgs() []string {
	if op.c.AllowAlgNone {
		return append(SigningAlgs(), "none")
	}
	return SigningAlgs()
}

func (op *OP) grantTypes() []string {
	types := []string{"authorization_code", "implicit", "refresh_token", "client_credentials", grantDevice, grantCIBA, grantExchange, grantJWT, grantSAML}
	if op.c.ImplicitRefused {
		return slices.Delete(types, 1, 2)
	}
	return types
}

// loginGrants are those of a login in the browser.
func (op *OP) loginGrants() []string {
	if op.c.ImplicitRefused {
		return []string{"authorization_code", "refresh_token"}
	}
	return []string{"authorization_code", "implicit", "refresh_token"}
}

// authMethods are the ways in which a client may authenticate.
func authMethods() []string {
	return []string{"client_secret_basic", "client_secret_post", "client_secret_jwt", "private_key_jwt", "none"}
}

// assertionAlgs are the algorithms of client assertions.
func assertionAlgs() []string { return SigningAlgs() }

// list is a JSON array: what a free-hand edit meets when it looks into one.
func list(s ...string) []any {
	out := make([]any, len(s))
	for i, v := range s {
		out[i] = v
	}
	return out
}
