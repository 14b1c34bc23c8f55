package oidctest

import (
	"bytes"
	"context"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

const (
	maxURIs = 100 // of one list of a registration
	maxURI  = 2048
)

// registrationError is an error of RFC 7591, section 3.2.2.
type registrationError struct{ code, description string }

func badMetadata(format string, args ...any) *registrationError {
	return &registrationError{"invalid_client_metadata", fmt.Sprintf(format, args...)}
}

func badRedirect(format string, args ...any) *registrationError {
	return &registrationError{"invalid_redirect_uri", fmt.Sprintf(format, args...)}
}

func (e *registrationError) reply() *reply {
	return oauthError(http.StatusBadRequest, e.code, e.description)
}

// registration is the registration endpoint (Registration 1.0, section 3;
// RFC 7591).
func (x *exchange) registration() *reply {
	op := x.op
	if op.c.NoRegistration {
		return page(http.StatusNotFound, "Not found", "This OpenID Provider registers nobody by itself.")
	}
	if x.r.Method != http.MethodPost {
		return methodNotAllowed("POST")
	}
	if token := op.c.InitialAccessToken; token != "" && !x.bears(token) {
		return bearerError(http.StatusUnauthorized, "invalid_token", "the initial access token is missing or wrong")
	}
	c, rerr := x.readClient()
	if rerr != nil {
		return rerr.reply()
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	r := &registered{Client: c, dynamic: true, issuedAt: x.now, registrationToken: "reg-" + op.random(24)}
	op.credentials(&r.Client)
	if op.c.SecretLifetime > 0 && r.Secret != "" {
		r.SecretExpiresAt = x.now.Add(op.c.SecretLifetime)
	}
	op.putClient(r)
	return jsonReply(http.StatusCreated, op.registrationResponse(r)).private()
}

// management is the client configuration endpoint (RFC 7592, section 2).
func (x *exchange) management() *reply {
	op := x.op
	id, err := url.PathUnescape(strings.TrimPrefix(x.r.URL.EscapedPath(), op.c.Path+endpointPaths()[EndpointManagement]))
	op.mu.Lock()
	c, ok := op.clients[id]
	op.mu.Unlock()
	// RFC 7592, section 2: the answer does not tell whether there is a client.
	if err != nil || !ok || c.registrationToken == "" || !x.bears(c.registrationToken) {
		return bearerError(http.StatusUnauthorized, "invalid_token", "the registration access token is missing or wrong")
	}
	x.client = c
	next := *c
	switch x.r.Method {
	case http.MethodGet:
	case http.MethodDelete:
		op.mu.Lock()
		op.dropClient(id)
		op.mu.Unlock()
		return (&reply{status: http.StatusNoContent, header: http.Header{}}).private()
	case http.MethodPut:
		if problem := x.updateProblem(c); problem != nil {
			return problem.reply()
		}
		fresh, rerr := x.readClient()
		if rerr != nil {
			return rerr.reply()
		}
		fresh.ID, fresh.Secret, fresh.SecretExpiresAt = c.ID, c.Secret, c.SecretExpiresAt
		next.Client = fresh
	default:
		return methodNotAllowed("GET, PUT, DELETE")
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	op.credentials(&next.Client)
	if op.c.RotateRegistrationToken {
		next.registrationToken = "reg-" + op.random(24)
	}
	op.putClient(&next)
	return jsonReply(http.StatusOK, op.registrationResponse(&next)).private()
}

// updateProblem checks what RFC 7592, section 2.2, says of an update.
func (x *exchange) updateProblem(c *registered) *registrationError {
	var m map[string]any
	if json.Unmarshal(x.body, &m) != nil {
		return badMetadata("the body is not a JSON object")
	}
	if m["client_id"] != c.ID {
		return badMetadata("an update must hold the client_id that was issued")
	}
	for _, name := range []string{"registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"} {
		if _, ok := m[name]; ok {
			return badMetadata("an update must not hold %s", name)
		}
	}
	if s, ok := m["client_secret"]; ok && s != c.Secret {
		return badMetadata("client_secret is not the one that was issued")
	}
	return nil
}

// bears reports whether the request carries a bearer token.
func (x *exchange) bears(token string) bool {
	scheme, sent, _ := strings.Cut(x.r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare([]byte(strings.TrimSpace(sent)), []byte(token)) == 1
}

// registrationResponse is RFC 7591, section 3.2.1: all that is registered,
// defaults included. The caller holds op.mu.
func (op *OP) registrationResponse(c *registered) map[string]any {
	m := map[string]any{}
	for k, v := range c.Metadata {
		m[k] = v
	}
	m["client_id"] = c.ID
	m["client_id_issued_at"] = c.issuedAt.Unix()
	if c.Secret != "" {
		m["client_secret"] = c.Secret
		m["client_secret_expires_at"] = int64(0) // never (RFC 7591, section 3.2.1)
		if !c.SecretExpiresAt.IsZero() {
			m["client_secret_expires_at"] = c.SecretExpiresAt.Unix()
		}
	}
	m["registration_access_token"] = c.registrationToken
	m["registration_client_uri"] = op.URL(EndpointManagement) + url.PathEscape(c.ID)
	return m
}

// readClient reads and validates the metadata of the body, and fills in the
// defaults of Registration 1.0, section 2.
func (x *exchange) readClient() (Client, *registrationError) {
	if mt, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || mt != "application/json" {
		return Client{}, badMetadata("the media type must be application/json")
	}
	d := json.NewDecoder(bytes.NewReader(x.body))
	d.UseNumber()
	var sent map[string]any
	if err := d.Decode(&sent); err != nil || sent == nil || d.More() {
		return Client{}, badMetadata("the body is not one JSON object")
	}
	m := map[string]any{}
	for name, v := range sent {
		base, _, _ := strings.Cut(name, "#") // a language tag (Registration 1.0, section 2.1)
		kind, known := metadataKinds()[base]
		if !known || v == nil {
			continue // RFC 7591, section 2: what is not understood is ignored
		}
		if problem := kind.check(v); problem != "" {
			return Client{}, badMetadata("%s %s", name, problem)
		}
		m[name] = v
	}
	if rerr := x.readStatement(m); rerr != nil {
		return Client{}, rerr
	}
	for name, v := range map[string]any{
		"response_types": list("code"), "grant_types": list("authorization_code"), "application_type": "web",
		"token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256",
		"subject_type": "public", "require_auth_time": false,
	} {
		if _, ok := m[name]; !ok {
			m[name] = v
		}
	}
	text, err := json.Marshal(m)
	var c Client
	if err == nil {
		err = json.Unmarshal(text, &c)
	}
	if err != nil {
		return Client{}, badMetadata("a member has the wrong type")
	}
	c.Metadata = m
	if rerr := x.checkClient(c, m); rerr != nil {
		return Client{}, rerr
	}
	return c, nil
}

// checkClient checks how the members of a registration fit together.
func (x *exchange) checkClient(c Client, m map[string]any) *registrationError {
	if len(c.RedirectURIs) == 0 {
		return badRedirect("redirect_uris is required and must not be empty")
	}
	for _, t := range c.ResponseTypes {
		if !slices.ContainsFunc(x.op.responseTypes(), func(s string) bool { return sortWords(s) == sortWords(t) }) {
			return badMetadata("response_types holds %q, which is not supported", t)
		}
		// Registration 1.0, section 2: the grants that a response type needs.
		for _, word := range strings.Fields(t) {
			need := "implicit"
			if word == "code" {
				need = "authorization_code"
			}
			if !slices.Contains(c.GrantTypes, need) {
				return badMetadata("response_types holds %q, so grant_types must hold %s", t, need)
			}
		}
	}
	for _, g := range c.GrantTypes {
		if !slices.Contains(x.op.grantTypes(), g) {
			return badMetadata("grant_types holds %q, which is not supported", g)
		}
	}
	for _, u := range c.RedirectURIs {
		if problem := x.redirectProblem(c, u); problem != "" {
			return badRedirect("redirect URI %q %s", u, problem)
		}
	}
	for name, allowed := range map[string][]string{
		"application_type": {"web", "native"}, "subject_type": {"public", "pairwise"}, "token_endpoint_auth_method": x.op.clientAuthMethods(),
		"id_token_signed_response_alg": x.op.idTokenAlgs(), "userinfo_signed_response_alg": SigningAlgs(), "authorization_signed_response_alg": SigningAlgs(),
		"request_object_signing_alg": append(SigningAlgs(), "none"), "request_object_encryption_alg": requestEncryptionAlgs(), "request_object_encryption_enc": EncryptionEncs(),
		"token_endpoint_auth_signing_alg": assertionAlgs(),
	} {
		if v, ok := m[name].(string); ok && !slices.Contains(allowed, v) {
			return badMetadata("%s is %q; it must be one of %s", name, v, strings.Join(allowed, ", "))
		}
	}
	if c.IDTokenSignedResponseAlg == "none" && slices.ContainsFunc(c.ResponseTypes, func(t string) bool { return t != "code" }) {
		return badMetadata("an ID Token of the authorization endpoint must be signed (Registration 1.0, 2)")
	}
	if _, ok := m["jwks"]; ok && c.JWKSURI != "" {
		return badMetadata("jwks and jwks_uri must not both be there (Registration 1.0, 2)")
	}
	if c.JWKS != nil {
		var set jose.JSONWebKeySet
		if json.Unmarshal(c.JWKS, &set) != nil {
			return badMetadata("jwks is not a key set")
		}
		for _, k := range set.Keys {
			if !k.IsPublic() {
				return badMetadata("jwks holds a key that is not public")
			}
		}
	}
	alg := c.TokenEndpointAuthSigningAlg
	switch c.TokenEndpointAuthMethod {
	case "private_key_jwt":
		if c.JWKS == nil && c.JWKSURI == "" {
			return badMetadata("private_key_jwt needs jwks or jwks_uri")
		}
		if strings.HasPrefix(alg, "HS") {
			return badMetadata("private_key_jwt does not go with %s", alg)
		}
	case "tls_client_auth":
		if c.tlsNames() != 1 {
			return badMetadata("tls_client_auth needs exactly one name of the certificate (RFC 8705, 2.1.2)")
		}
	case "self_signed_tls_client_auth":
		if c.JWKS == nil && c.JWKSURI == "" {
			return badMetadata("self_signed_tls_client_auth needs jwks or jwks_uri (RFC 8705, 2.2)")
		}
	case "client_secret_jwt":
		if alg != "" && !strings.HasPrefix(alg, "HS") {
			return badMetadata("client_secret_jwt does not go with %s", alg)
		}
	case "none":
		// Core 10.1: a public client has no secret to be the key.
		if strings.HasPrefix(c.IDTokenSignedResponseAlg, "HS") || strings.HasPrefix(c.UserInfoSignedResponseAlg, "HS") {
			return badMetadata("a client without a secret cannot verify HS*")
		}
	}
	if rerr := checkEncryption(c); rerr != nil {
		return rerr
	}
	if c.DefaultMaxAge != nil && (*c.DefaultMaxAge < 0 || *c.DefaultMaxAge > maxSeconds) {
		return badMetadata("default_max_age is out of range")
	}
	return x.checkSector(c)
}

// redirectProblem says why a redirect URI cannot be registered (Registration
// 1.0, section 2, application_type; RFC 6749, section 3.1.2).
func (x *exchange) redirectProblem(c Client, text string) string {
	u, err := url.Parse(text)
	if err != nil || !u.IsAbs() {
		return "is not an absolute URI"
	}
	if u.Fragment != "" || strings.Contains(text, "#") {
		return "has a fragment (RFC 6749, 3.1.2)"
	}
	host := u.Hostname()
	ip := net.ParseIP(host)
	loopback := host == "localhost" || (ip != nil && ip.IsLoopback())
	switch {
	case u.Scheme == "javascript" || u.Scheme == "data" || u.Scheme == "file":
		return "has a scheme that is no way back to an application"
	case u.Scheme == "https" || u.Scheme == "http":
		if host == "" {
			return "has no host"
		}
	}
	if c.ApplicationType == "native" {
		if u.Scheme == "http" && !loopback {
			return "is http and not loopback, which a native client may not use"
		}
		return ""
	}
	switch {
	case u.Scheme == "https":
	case u.Scheme == "http" && loopback && x.op.site.scheme == "http":
		// A demonstration: the OP itself has no TLS.
		return ""
	case u.Scheme == "http" && !slices.Contains(c.GrantTypes, "implicit"):
		return "" // Core 3.1.2.1: a confidential client may use http
	default:
		return "must be https for a web client"
	}
	if host == "localhost" && slices.Contains(c.GrantTypes, "implicit") && x.op.site.scheme == "https" {
		return "must not be localhost for a web client with the implicit grant"
	}
	return ""
}

// checkSector checks pairwise identifiers (Registration 1.0, section 5).
func (x *exchange) checkSector(c Client) *registrationError {
	if c.SectorIdentifierURI == "" {
		hosts := map[string]bool{}
		for _, t := range c.RedirectURIs {
			if u, err := url.Parse(t); err == nil {
				hosts[u.Host] = true
			}
		}
		if c.SubjectType == "pairwise" && len(hosts) > 1 {
			return badMetadata("pairwise with redirect URIs at several hosts needs sector_identifier_uri (Core 8.1)")
		}
		return nil
	}
	if u, err := url.Parse(c.SectorIdentifierURI); err != nil || u.Scheme != "https" {
		return badMetadata("sector_identifier_uri must be https")
	}
	ctx, cancel := context.WithTimeout(x.r.Context(), fetchTimeout)
	defer cancel()
	text, err := x.op.fetch(ctx, c.SectorIdentifierURI)
	var uris []string
	if err == nil {
		err = json.Unmarshal(text, &uris)
	}
	if err != nil {
		return badMetadata("sector_identifier_uri cannot be read as a JSON array: %v", err)
	}
	for _, u := range c.RedirectURIs {
		if !slices.Contains(uris, u) {
			return badMetadata("redirect URI %q is not in the document at sector_identifier_uri", u)
		}
	}
	return nil
}

// metadataKind is the type of a member of a registration.
type metadataKind int

const (
	kindString metadataKind = iota
	kindStrings
	kindURI
	kindURIs
	kindHTTPS
	kindBool
	kindNumber
	kindObject
)

// metadataKinds are the members that the OP understands (Registration 1.0,
// section 2; RFC 7591, section 2; section 3.1 of RP-Initiated Logout 1.0, section 2.2 of
// Back-Channel Logout 1.0, section 2 of Front-Channel Logout 1.0).
func metadataKinds() map[string]metadataKind {
	return map[string]metadataKind{
		"redirect_uris": kindStrings, "response_types": kindStrings, "grant_types": kindStrings, "application_type": kindString,
		"contacts": kindStrings, "client_name": kindString, "logo_uri": kindURI, "client_uri": kindURI, "policy_uri": kindURI, "tos_uri": kindURI,
		"jwks_uri": kindURI, "jwks": kindObject, "sector_identifier_uri": kindHTTPS, "subject_type": kindString,
		"id_token_signed_response_alg": kindString, "userinfo_signed_response_alg": kindString,
		"id_token_encrypted_response_alg": kindString, "id_token_encrypted_response_enc": kindString,
		"authorization_signed_response_alg": kindString, "authorization_encrypted_response_alg": kindString, "authorization_encrypted_response_enc": kindString,
		"userinfo_encrypted_response_alg": kindString, "userinfo_encrypted_response_enc": kindString,
		"token_endpoint_auth_method": kindString, "token_endpoint_auth_signing_alg": kindString,
		"default_max_age": kindNumber, "require_auth_time": kindBool, "default_acr_values": kindStrings,
		"initiate_login_uri": kindHTTPS, "request_uris": kindURIs, "introspection_signed_response_alg": kindString, "introspection_encrypted_response_alg": kindString, "introspection_encrypted_response_enc": kindString,
		"dpop_bound_access_tokens": kindBool, "tls_client_certificate_bound_access_tokens": kindBool,
		"tls_client_auth_subject_dn": kindString, "tls_client_auth_san_dns": kindString, "tls_client_auth_san_uri": kindString,
		"tls_client_auth_san_ip": kindString, "tls_client_auth_san_email": kindString, "require_pushed_authorization_requests": kindBool,
		"require_signed_request_object": kindBool, "request_object_signing_alg": kindString, "request_object_encryption_alg": kindString, "request_object_encryption_enc": kindString,
		"post_logout_redirect_uris": kindURIs,
		"frontchannel_logout_uri":   kindURI, "frontchannel_logout_session_required": kindBool,
		"backchannel_logout_uri": kindURI, "backchannel_logout_session_required": kindBool,
		"backchannel_token_delivery_mode": kindString, "backchannel_client_notification_endpoint": kindHTTPS,
		"backchannel_authentication_request_signing_alg": kindString, "backchannel_user_code_parameter": kindBool,
		"scope": kindString, "software_statement": kindString, "software_id": kindString, "software_version": kindString,
	}
}

// check returns what is wrong with a value.
func (k metadataKind) check(v any) string {
	uri := func(v any, httpsOnly bool) string {
		s, ok := v.(string)
		u, err := url.Parse(s)
		if !ok || err != nil || u.Host == "" || len(s) > maxURI || (u.Scheme != "https" && (httpsOnly || u.Scheme != "http")) {
			return "must be a web URL, https where the specification says so"
		}
		return ""
	}
	switch k {
	case kindString:
		if _, ok := v.(string); !ok {
			return "must be a string"
		}
	case kindBool:
		if _, ok := v.(bool); !ok {
			return "must be a boolean"
		}
	case kindNumber:
		if _, ok := v.(json.Number); !ok {
			return "must be a number"
		}
	case kindObject:
		if _, ok := v.(map[string]any); !ok {
			return "must be an object"
		}
	case kindURI:
		return uri(v, false)
	case kindHTTPS:
		return uri(v, true)
	case kindStrings, kindURIs:
		all, ok := v.([]any)
		if !ok || len(all) > maxURIs {
			return "must be an array of at most 100 strings"
		}
		for _, one := range all {
			s, ok := one.(string)
			if !ok || len(s) > maxURI {
				return "must hold strings"
			}
			if u, err := url.Parse(s); k == kindURIs && (err != nil || !u.IsAbs()) {
				return "must hold absolute URIs"
			}
		}
	}
	return ""
}
