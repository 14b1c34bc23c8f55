package oidc

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"rely.example/internal/strictjson"
)

// ClientMetadata is what a client tells an OP about itself, or has told it out
// of band: Registration section 2, RFC 7591 section 2 and the logout
// specifications. Zero values are not sent; the OP then applies the specified
// default, which each field names.
type ClientMetadata struct {
	// RedirectURIs are required. Each is absolute and has no fragment.
	RedirectURIs []string `json:"redirect_uris,omitempty"`
	// ResponseTypes the client restricts itself to; empty means code alone.
	ResponseTypes []string `json:"response_types,omitempty"`
	// GrantTypes are derived from ResponseTypes if empty (Registration section 2).
	GrantTypes []string `json:"grant_types,omitempty"`
	// ApplicationType is "web" (the default) or "native".
	ApplicationType string `json:"application_type,omitempty"`
	// Contacts are e-mail addresses of the people responsible.
	Contacts   []string `json:"contacts,omitempty"`
	ClientName string   `json:"client_name,omitempty"`
	LogoURI    string   `json:"logo_uri,omitempty"`
	ClientURI  string   `json:"client_uri,omitempty"`
	PolicyURI  string   `json:"policy_uri,omitempty"`
	TOSURI     string   `json:"tos_uri,omitempty"`
	// Scope is the space-separated list of scopes the client may ask for (RFC 7591).
	Scope string `json:"scope,omitempty"`
	// JWKSURI or JWKS publish the client's keys; not both.
	JWKSURI string          `json:"jwks_uri,omitempty"`
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	// SectorIdentifierURI and SubjectType ("public" or "pairwise") govern sub.
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`
	SubjectType         string `json:"subject_type,omitempty"`

	// IDTokenSignedResponseAlg is the one algorithm of ID Tokens; empty means RS256.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`
	// IDTokenEncryptedResponseAlg and the other algorithms of encryption need
	// ClientConfig.Encryption. Empty means that nothing is encrypted.
	IDTokenEncryptedResponseAlg string `json:"id_token_encrypted_response_alg,omitempty"`
	// IDTokenEncryptedResponseEnc defaults to A128CBC-HS256.
	IDTokenEncryptedResponseEnc string `json:"id_token_encrypted_response_enc,omitempty"`
	// UserInfoSignedResponseAlg empty means UserInfo is plain JSON.
	UserInfoSignedResponseAlg    string `json:"userinfo_signed_response_alg,omitempty"`
	UserInfoEncryptedResponseAlg string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserInfoEncryptedResponseEnc string `json:"userinfo_encrypted_response_enc,omitempty"`
	// AuthorizationSignedResponseAlg is the one algorithm of authorization
	// responses that are JWTs (JARM section 3); empty means RS256.
	AuthorizationSignedResponseAlg    string `json:"authorization_signed_response_alg,omitempty"`
	AuthorizationEncryptedResponseAlg string `json:"authorization_encrypted_response_alg,omitempty"`
	// AuthorizationEncryptedResponseEnc defaults to A128CBC-HS256.
	AuthorizationEncryptedResponseEnc string `json:"authorization_encrypted_response_enc,omitempty"`
	// IntrospectionSignedResponseAlg empty means introspection responses are plain
	// JSON; otherwise they are JWTs of this algorithm (RFC 9701 section 6).
	IntrospectionSignedResponseAlg    string `json:"introspection_signed_response_alg,omitempty"`
	IntrospectionEncryptedResponseAlg string `json:"introspection_encrypted_response_alg,omitempty"`
	IntrospectionEncryptedResponseEnc string `json:"introspection_encrypted_response_enc,omitempty"`

	RequestObjectSigningAlg    string `json:"request_object_signing_alg,omitempty"`
	RequestObjectEncryptionAlg string `json:"request_object_encryption_alg,omitempty"`
	RequestObjectEncryptionEnc string `json:"request_object_encryption_enc,omitempty"`

	// TokenEndpointAuthMethod empty means client_secret_basic.
	TokenEndpointAuthMethod     string `json:"token_endpoint_auth_method,omitempty"`
	TokenEndpointAuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`

	// TLSClientAuth* name the client of method tls_client_auth, exactly one of them:
	// the subject of its certificate in the form of RFC 4514, or one of its
	// alternative names (RFC 8705 section 2.1.2).
	TLSClientAuthSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSClientAuthSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSClientAuthSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSClientAuthSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSClientAuthSANEmail  string `json:"tls_client_auth_san_email,omitempty"`
	// TLSClientCertificateBoundAccessTokens has the OP bind the client's access
	// tokens to its certificate (RFC 8705 section 3.4).
	TLSClientCertificateBoundAccessTokens bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	// DPoPBoundAccessTokens has the OP refuse token requests of this client without
	// a DPoP proof (RFC 9449 section 5.2); it needs ClientConfig.DPoP.
	DPoPBoundAccessTokens bool `json:"dpop_bound_access_tokens,omitempty"`

	// DefaultMaxAge is in seconds; nil means none.
	DefaultMaxAge    *int64   `json:"default_max_age,omitempty"`
	RequireAuthTime  bool     `json:"require_auth_time,omitempty"`
	DefaultACRValues []string `json:"default_acr_values,omitempty"`
	InitiateLoginURI string   `json:"initiate_login_uri,omitempty"`
	RequestURIs      []string `json:"request_uris,omitempty"`
	// AuthorizationDetailsTypes are those that the client may ask for (RFC 9396
	// section 10).
	AuthorizationDetailsTypes []string `json:"authorization_details_types,omitempty"`
	// RequireSignedRequestObject has the OP refuse any request of the client that
	// is not in a signed request object (RFC 9101 section 10.5). Begin then signs.
	RequireSignedRequestObject bool `json:"require_signed_request_object,omitempty"`
	// RequirePushedAuthorizationRequests has the OP refuse any request of the
	// client that was not pushed (RFC 9126 section 6). Begin then pushes.
	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`

	PostLogoutRedirectURIs            []string `json:"post_logout_redirect_uris,omitempty"`
	FrontchannelLogoutURI             string   `json:"frontchannel_logout_uri,omitempty"`
	FrontchannelLogoutSessionRequired bool     `json:"frontchannel_logout_session_required,omitempty"`
	BackchannelLogoutURI              string   `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired  bool     `json:"backchannel_logout_session_required,omitempty"`

	// BackchannelTokenDeliveryMode is how the client learns that a user has
	// decided elsewhere: "poll", "ping" or "push" (CIBA Core section 4). Empty
	// means poll.
	BackchannelTokenDeliveryMode string `json:"backchannel_token_delivery_mode,omitempty"`
	// BackchannelClientNotificationEndpoint is where it is pinged or pushed to: an
	// https URL.
	BackchannelClientNotificationEndpoint string `json:"backchannel_client_notification_endpoint,omitempty"`
	// BackchannelAuthenticationRequestSigningAlg has requests signed; empty means
	// that they are not.
	BackchannelAuthenticationRequestSigningAlg string `json:"backchannel_authentication_request_signing_alg,omitempty"`
	// BackchannelUserCodeParameter says that the client can send a user code.
	BackchannelUserCodeParameter bool `json:"backchannel_user_code_parameter,omitempty"`

	SoftwareID        string `json:"software_id,omitempty"`
	SoftwareVersion   string `json:"software_version,omitempty"`
	SoftwareStatement string `json:"software_statement,omitempty"`

	// Extra holds every other member, e.g. "client_name#fr". It is sent with
	// the others, and holds what an answer has beside them. A member that has a
	// field above must not be in it.
	Extra map[string]json.RawMessage `json:"-"`
}

// plainMetadata has the fields without the methods.
type plainMetadata ClientMetadata

// MarshalJSON writes the fields and Extra as one object.
func (m ClientMetadata) MarshalJSON() ([]byte, error) {
	known, err := json.Marshal(plainMetadata(m))
	if err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "ClientMetadata", Detail: err.Error(), Err: err}
	}
	if len(m.Extra) == 0 {
		return known, nil
	}
	all := make(map[string]json.RawMessage)
	if err := json.Unmarshal(known, &all); err != nil {
		return nil, err
	}
	for k, v := range m.Extra {
		if clientMetadataNames[k] {
			return nil, &InputError{Reason: ProtectedParameter, Field: "ClientMetadata.Extra", Detail: k + " has a field of its own"}
		}
		if err := strictjson.Valid(v); err != nil && string(v) != "null" {
			return nil, &InputError{Reason: BadConfig, Field: "ClientMetadata.Extra." + k, Detail: err.Error()}
		}
		all[k] = v
	}
	return json.Marshal(all)
}

// UnmarshalJSON reads one object strictly; unknown members go to Extra.
func (m *ClientMetadata) UnmarshalJSON(data []byte) error {
	var p plainMetadata
	if err := strictjson.Unmarshal(data, &p); err != nil {
		return err
	}
	all, err := strictjson.Object(data)
	if err != nil {
		return err
	}
	maps.DeleteFunc(all, func(k string, _ json.RawMessage) bool { return clientMetadataNames[k] })
	if len(all) > 0 {
		p.Extra = all
	}
	*m = ClientMetadata(p)
	return nil
}

// clientMetadataNames are the members that have a field. It is read only.
var clientMetadataNames = func() map[string]bool {
	names := make(map[string]bool)
	for n := range strings.FieldsSeq(`redirect_uris response_types grant_types application_type contacts client_name
		logo_uri client_uri policy_uri tos_uri scope jwks_uri jwks sector_identifier_uri subject_type
		id_token_signed_response_alg id_token_encrypted_response_alg id_token_encrypted_response_enc
		userinfo_signed_response_alg userinfo_encrypted_response_alg userinfo_encrypted_response_enc
		authorization_signed_response_alg authorization_encrypted_response_alg authorization_encrypted_response_enc
		request_object_signing_alg request_object_encryption_alg request_object_encryption_enc
		introspection_signed_response_alg introspection_encrypted_response_alg introspection_encrypted_response_enc
		token_endpoint_auth_method token_endpoint_auth_signing_alg dpop_bound_access_tokens
		tls_client_auth_subject_dn tls_client_auth_san_dns tls_client_auth_san_uri tls_client_auth_san_ip tls_client_auth_san_email
		tls_client_certificate_bound_access_tokens default_max_age require_auth_time
		default_acr_values initiate_login_uri request_uris require_pushed_authorization_requests authorization_details_types require_signed_request_object
		post_logout_redirect_uris
		frontchannel_logout_uri frontchannel_logout_session_required backchannel_logout_uri
		backchannel_logout_session_required backchannel_token_delivery_mode backchannel_client_notification_endpoint
		backchannel_authentication_request_signing_alg backchannel_user_code_parameter software_id software_version software_statement`) {
		names[n] = true
	}
	return names
}()

func (m ClientMetadata) clone() ClientMetadata {
	for _, l := range []*[]string{&m.RedirectURIs, &m.ResponseTypes, &m.GrantTypes, &m.Contacts,
		&m.DefaultACRValues, &m.RequestURIs, &m.PostLogoutRedirectURIs, &m.AuthorizationDetailsTypes} {
		*l = slices.Clone(*l)
	}
	m.JWKS = slices.Clone(m.JWKS)
	if m.DefaultMaxAge != nil {
		age := *m.DefaultMaxAge
		m.DefaultMaxAge = &age
	}
	m.Extra = maps.Clone(m.Extra)
	return m
}

// responseTypes are what the client may use: code, if it names none.
func (m *ClientMetadata) responseTypes() []string {
	if len(m.ResponseTypes) == 0 {
		return []string{"code"}
	}
	return m.ResponseTypes
}

// check applies the rules of Registration section 2 that do not depend on the OP.
func (m *ClientMetadata) check() error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientMetadata." + field, Detail: detail}
	}
	for _, u := range m.RedirectURIs {
		if detail := checkRedirectURI(u); detail != "" {
			return bad("RedirectURIs", detail)
		}
	}
	for _, rt := range m.ResponseTypes {
		if _, err := parseResponseType(rt); err != nil {
			return bad("ResponseTypes", err.Error())
		}
	}
	if len(m.JWKS) > 0 && m.JWKSURI != "" {
		return bad("JWKS", "jwks and jwks_uri exclude each other (Registration 2)")
	}
	if m.InitiateLoginURI != "" && !strings.HasPrefix(m.InitiateLoginURI, "https://") {
		return bad("InitiateLoginURI", "it must be an https URL (Registration 2)")
	}
	switch m.ApplicationType {
	case "", "web", "native":
	default:
		return bad("ApplicationType", `it is "web" or "native" (Registration 2)`)
	}
	switch m.SubjectType {
	case "", "public", "pairwise":
	default:
		return bad("SubjectType", `it is "public" or "pairwise" (Core 8)`)
	}
	for _, p := range []struct{ field, alg, enc string }{
		{"IDTokenEncryptedResponseEnc", m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc},
		{"UserInfoEncryptedResponseEnc", m.UserInfoEncryptedResponseAlg, m.UserInfoEncryptedResponseEnc},
		{"AuthorizationEncryptedResponseEnc", m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc},
		{"IntrospectionEncryptedResponseEnc", m.IntrospectionEncryptedResponseAlg, m.IntrospectionEncryptedResponseEnc},
		{"RequestObjectEncryptionEnc", m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc},
	} {
		if p.enc != "" && p.alg == "" {
			return bad(p.field, "enc needs the alg beside it (Registration 2)")
		}
	}
	if m.AuthorizationSignedResponseAlg == "none" {
		return bad("AuthorizationSignedResponseAlg", "none is not allowed (JARM 3)")
	}
	if m.DefaultMaxAge != nil && *m.DefaultMaxAge < 0 {
		return bad("DefaultMaxAge", "it is negative")
	}
	switch m.BackchannelTokenDeliveryMode {
	case "", CIBAPoll:
	case CIBAPing, CIBAPush:
		if !strings.HasPrefix(m.BackchannelClientNotificationEndpoint, "https://") {
			return bad("BackchannelClientNotificationEndpoint", "ping and push need an https URL (CIBA Core 4)")
		}
	default:
		return bad("BackchannelTokenDeliveryMode", `it is "poll", "ping" or "push" (CIBA Core 4)`)
	}
	if alg := m.BackchannelAuthenticationRequestSigningAlg; alg != "" && !asymmetric(alg) {
		return bad("BackchannelAuthenticationRequestSigningAlg", "requests are signed with a private key (CIBA Core 4)")
	}
	names := 0
	for _, s := range []string{m.TLSClientAuthSubjectDN, m.TLSClientAuthSANDNS, m.TLSClientAuthSANURI, m.TLSClientAuthSANIP, m.TLSClientAuthSANEmail} {
		if s != "" {
			names++
		}
	}
	if names > 1 {
		return bad("TLSClientAuthSubjectDN", "a client has exactly one of the names of tls_client_auth (RFC 8705 2.1.2)")
	}
	if m.IntrospectionSignedResponseAlg == "none" {
		return bad("IntrospectionSignedResponseAlg", "none is not allowed (RFC 9701 6)")
	}
	if m.TokenEndpointAuthSigningAlg == "none" {
		return bad("TokenEndpointAuthSigningAlg", "none is not allowed (Registration 2)")
	}
	return nil
}

func checkRedirectURI(raw string) (problem string) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || !u.IsAbs():
		return "a redirect URI must be absolute"
	case strings.Contains(raw, "#"):
		return "a redirect URI has no fragment (RFC 6749 section 3.1.2)"
	case u.User != nil:
		return "a redirect URI with user information is refused"
	}
	switch u.Scheme {
	case "https", "http":
		if u.Host == "" {
			return "a redirect URI needs a host"
		}
	case "javascript", "data", "file", "vbscript", "about", "blob":
		return "a redirect URI of scheme " + u.Scheme + " is refused"
	}
	return ""
}

// grantTypesFor is the table of Registration section 2.
func grantTypesFor(responseTypes []string) []string {
	var code, implicit bool
	for _, rt := range responseTypes {
		for w := range strings.FieldsSeq(rt) {
			if w == "code" {
				code = true
			} else {
				implicit = true
			}
		}
	}
	var out []string
	if code {
		out = append(out, "authorization_code")
	}
	if implicit {
		out = append(out, "implicit")
	}
	return out
}
