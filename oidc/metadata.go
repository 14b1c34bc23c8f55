package oidc

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"rely.example/internal/strictjson"
)

// ProviderMetadata describes an OP: Discovery section 3, RFC 8414 section 2,
// and the members that other specifications add. Members that are not here are
// in Raw. A list is empty and a string "" where the OP says nothing; the
// specified defaults are filled in by ParseProviderMetadata, Discover and
// NewProvider.
//
// Written by hand, a value needs Issuer, AuthorizationEndpoint, TokenEndpoint
// (unless no code is asked for) and JWKSURI or JWKS.
type ProviderMetadata struct {
	// Issuer is the OP's identifier: an https URL without query or fragment,
	// compared exactly everywhere.
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint,omitempty"`
	TokenEndpoint         string `json:"token_endpoint,omitempty"`
	UserInfoEndpoint      string `json:"userinfo_endpoint,omitempty"`
	// JWKSURI is where the OP's keys are.
	JWKSURI string `json:"jwks_uri,omitempty"`
	// JWKS is the OP's key set itself, for an OP without a JWKSURI that is
	// configured by hand. It is not read from discovered documents.
	JWKS                 json.RawMessage `json:"-"`
	RegistrationEndpoint string          `json:"registration_endpoint,omitempty"`

	ScopesSupported        []string `json:"scopes_supported,omitempty"`
	ResponseTypesSupported []string `json:"response_types_supported,omitempty"`
	// ResponseModesSupported defaults to query and fragment.
	ResponseModesSupported []string `json:"response_modes_supported,omitempty"`
	// GrantTypesSupported defaults to authorization_code and implicit.
	GrantTypesSupported   []string `json:"grant_types_supported,omitempty"`
	ACRValuesSupported    []string `json:"acr_values_supported,omitempty"`
	SubjectTypesSupported []string `json:"subject_types_supported,omitempty"`

	IDTokenSigningAlgValuesSupported          []string `json:"id_token_signing_alg_values_supported,omitempty"`
	IDTokenEncryptionAlgValuesSupported       []string `json:"id_token_encryption_alg_values_supported,omitempty"`
	IDTokenEncryptionEncValuesSupported       []string `json:"id_token_encryption_enc_values_supported,omitempty"`
	UserInfoSigningAlgValuesSupported         []string `json:"userinfo_signing_alg_values_supported,omitempty"`
	UserInfoEncryptionAlgValuesSupported      []string `json:"userinfo_encryption_alg_values_supported,omitempty"`
	UserInfoEncryptionEncValuesSupported      []string `json:"userinfo_encryption_enc_values_supported,omitempty"`
	RequestObjectSigningAlgValuesSupported    []string `json:"request_object_signing_alg_values_supported,omitempty"`
	RequestObjectEncryptionAlgValuesSupported []string `json:"request_object_encryption_alg_values_supported,omitempty"`
	RequestObjectEncryptionEncValuesSupported []string `json:"request_object_encryption_enc_values_supported,omitempty"`

	// JARM section 4.
	AuthorizationSigningAlgValuesSupported    []string `json:"authorization_signing_alg_values_supported,omitempty"`
	AuthorizationEncryptionAlgValuesSupported []string `json:"authorization_encryption_alg_values_supported,omitempty"`
	AuthorizationEncryptionEncValuesSupported []string `json:"authorization_encryption_enc_values_supported,omitempty"`

	// AuthorizationDetailsTypesSupported are the types of RFC 9396 section 10.
	AuthorizationDetailsTypesSupported []string `json:"authorization_details_types_supported,omitempty"`

	// TokenEndpointAuthMethodsSupported defaults to client_secret_basic.
	TokenEndpointAuthMethodsSupported          []string `json:"token_endpoint_auth_methods_supported,omitempty"`
	TokenEndpointAuthSigningAlgValuesSupported []string `json:"token_endpoint_auth_signing_alg_values_supported,omitempty"`

	DisplayValuesSupported []string `json:"display_values_supported,omitempty"`
	// ClaimTypesSupported defaults to normal.
	ClaimTypesSupported    []string `json:"claim_types_supported,omitempty"`
	ClaimsSupported        []string `json:"claims_supported,omitempty"`
	ServiceDocumentation   string   `json:"service_documentation,omitempty"`
	ClaimsLocalesSupported []string `json:"claims_locales_supported,omitempty"`
	UILocalesSupported     []string `json:"ui_locales_supported,omitempty"`

	ClaimsParameterSupported  bool `json:"claims_parameter_supported,omitempty"`
	RequestParameterSupported bool `json:"request_parameter_supported,omitempty"`
	// RequestURIParameterSupported is true in a document that does not say.
	RequestURIParameterSupported  bool   `json:"request_uri_parameter_supported,omitempty"`
	RequireRequestURIRegistration bool   `json:"require_request_uri_registration,omitempty"`
	OPPolicyURI                   string `json:"op_policy_uri,omitempty"`
	OPTOSURI                      string `json:"op_tos_uri,omitempty"`

	// Session Management, RP-Initiated, Front-Channel and Back-Channel Logout.
	CheckSessionIframe                 string `json:"check_session_iframe,omitempty"`
	EndSessionEndpoint                 string `json:"end_session_endpoint,omitempty"`
	FrontchannelLogoutSupported        bool   `json:"frontchannel_logout_supported,omitempty"`
	FrontchannelLogoutSessionSupported bool   `json:"frontchannel_logout_session_supported,omitempty"`
	BackchannelLogoutSupported         bool   `json:"backchannel_logout_supported,omitempty"`
	BackchannelLogoutSessionSupported  bool   `json:"backchannel_logout_session_supported,omitempty"`

	// RFC 8414, and RFCs 7009, 7662, 7636, 8628, 9101, 9126, 9207, 8705, 9449.
	RevocationEndpoint                                 string            `json:"revocation_endpoint,omitempty"`
	RevocationEndpointAuthMethodsSupported             []string          `json:"revocation_endpoint_auth_methods_supported,omitempty"`
	RevocationEndpointAuthSigningAlgValuesSupported    []string          `json:"revocation_endpoint_auth_signing_alg_values_supported,omitempty"`
	IntrospectionEndpoint                              string            `json:"introspection_endpoint,omitempty"`
	IntrospectionEndpointAuthMethodsSupported          []string          `json:"introspection_endpoint_auth_methods_supported,omitempty"`
	IntrospectionEndpointAuthSigningAlgValuesSupported []string          `json:"introspection_endpoint_auth_signing_alg_values_supported,omitempty"`
	CodeChallengeMethodsSupported                      []string          `json:"code_challenge_methods_supported,omitempty"`
	DeviceAuthorizationEndpoint                        string            `json:"device_authorization_endpoint,omitempty"`
	PushedAuthorizationRequestEndpoint                 string            `json:"pushed_authorization_request_endpoint,omitempty"`
	RequirePushedAuthorizationRequests                 bool              `json:"require_pushed_authorization_requests,omitempty"`
	RequireSignedRequestObject                         bool              `json:"require_signed_request_object,omitempty"`
	AuthorizationResponseIssParameterSupported         bool              `json:"authorization_response_iss_parameter_supported,omitempty"`
	TLSClientCertificateBoundAccessTokens              bool              `json:"tls_client_certificate_bound_access_tokens,omitempty"`
	MTLSEndpointAliases                                map[string]string `json:"mtls_endpoint_aliases,omitempty"`
	DPoPSigningAlgValuesSupported                      []string          `json:"dpop_signing_alg_values_supported,omitempty"`
	SignedMetadata                                     string            `json:"signed_metadata,omitempty"`

	// CIBA Core section 4.
	BackchannelAuthenticationEndpoint                         string   `json:"backchannel_authentication_endpoint,omitempty"`
	BackchannelTokenDeliveryModesSupported                    []string `json:"backchannel_token_delivery_modes_supported,omitempty"`
	BackchannelAuthenticationRequestSigningAlgValuesSupported []string `json:"backchannel_authentication_request_signing_alg_values_supported,omitempty"`
	BackchannelUserCodeParameterSupported                     bool     `json:"backchannel_user_code_parameter_supported,omitempty"`

	// Client ID Metadata Documents and RFC 9728.
	ClientIDMetadataDocumentSupported bool     `json:"client_id_metadata_document_supported,omitempty"`
	ProtectedResources                []string `json:"protected_resources,omitempty"`

	// Raw is the document as it came, with the members that are not above; nil
	// for metadata that was written by hand.
	Raw json.RawMessage `json:"-"`
}

// ParseProviderMetadata reads provider metadata from JSON, strictly, and fills
// in the specified defaults. It is the way to configure an OP from a file; the
// values themselves are checked by NewProvider.
func ParseProviderMetadata(data []byte) (ProviderMetadata, error) {
	// Absent means true for this one member only (Discovery section 3).
	md := ProviderMetadata{RequestURIParameterSupported: true}
	if err := strictjson.Unmarshal(data, &md); err != nil {
		return ProviderMetadata{}, malformed(StepDiscovery, "Discovery 3", err)
	}
	md.Raw = slices.Clone(data)
	md.fillDefaults()
	return md, nil
}

// fillDefaults applies the defaults of Discovery section 3 and RFC 8414 section 2.
func (md *ProviderMetadata) fillDefaults() {
	if len(md.ResponseModesSupported) == 0 {
		md.ResponseModesSupported = []string{"query", "fragment"}
	}
	if len(md.GrantTypesSupported) == 0 {
		md.GrantTypesSupported = []string{"authorization_code", "implicit"}
	}
	if len(md.TokenEndpointAuthMethodsSupported) == 0 {
		md.TokenEndpointAuthMethodsSupported = []string{"client_secret_basic"}
	}
	if len(md.RevocationEndpointAuthMethodsSupported) == 0 {
		md.RevocationEndpointAuthMethodsSupported = []string{"client_secret_basic"}
	}
	if len(md.ClaimTypesSupported) == 0 {
		md.ClaimTypesSupported = []string{"normal"}
	}
}

// Claims decodes the whole document, as it came, into v: the way to members
// that ProviderMetadata does not have. It fails for metadata without Raw.
func (md ProviderMetadata) Claims(v any) error {
	if md.Raw == nil {
		return &InputError{Reason: BadParameter, Field: "ProviderMetadata.Raw", Detail: "the metadata was written by hand"}
	}
	return strictjson.Unmarshal(md.Raw, v)
}

// endpoints are the URLs that we may send something to, by name.
func (md *ProviderMetadata) endpoints() []struct{ name, url string } {
	list := []struct{ name, url string }{
		{"authorization_endpoint", md.AuthorizationEndpoint},
		{"token_endpoint", md.TokenEndpoint},
		{"userinfo_endpoint", md.UserInfoEndpoint},
		{"jwks_uri", md.JWKSURI},
		{"registration_endpoint", md.RegistrationEndpoint},
		{"revocation_endpoint", md.RevocationEndpoint},
		{"introspection_endpoint", md.IntrospectionEndpoint},
		{"device_authorization_endpoint", md.DeviceAuthorizationEndpoint},
		{"pushed_authorization_request_endpoint", md.PushedAuthorizationRequestEndpoint},
		{"backchannel_authentication_endpoint", md.BackchannelAuthenticationEndpoint},
		{"end_session_endpoint", md.EndSessionEndpoint},
		{"check_session_iframe", md.CheckSessionIframe},
	}
	for name, u := range md.MTLSEndpointAliases {
		list = append(list, struct{ name, url string }{"mtls_endpoint_aliases." + name, u})
	}
	return list
}

// supportsResponseType compares as sets: OPs write the words in any order
// (OAuth 2.0 Multiple Response Types section 3).
func (md *ProviderMetadata) supportsResponseType(rt string) bool {
	for _, s := range md.ResponseTypesSupported {
		if sameWords(s, rt) {
			return true
		}
	}
	return false
}

func sameWords(a, b string) bool {
	x, y := strings.Fields(a), strings.Fields(b)
	slices.Sort(x)
	slices.Sort(y)
	return slices.Equal(x, y)
}

// clone is deep, so that no caller shares a list with a running Provider.
func (md ProviderMetadata) clone() ProviderMetadata {
	for _, l := range []*[]string{
		&md.ScopesSupported, &md.ResponseTypesSupported, &md.ResponseModesSupported, &md.GrantTypesSupported,
		&md.ACRValuesSupported, &md.SubjectTypesSupported, &md.IDTokenSigningAlgValuesSupported,
		&md.IDTokenEncryptionAlgValuesSupported, &md.IDTokenEncryptionEncValuesSupported,
		&md.UserInfoSigningAlgValuesSupported, &md.UserInfoEncryptionAlgValuesSupported,
		&md.UserInfoEncryptionEncValuesSupported, &md.RequestObjectSigningAlgValuesSupported,
		&md.RequestObjectEncryptionAlgValuesSupported, &md.RequestObjectEncryptionEncValuesSupported,
		&md.TokenEndpointAuthMethodsSupported, &md.TokenEndpointAuthSigningAlgValuesSupported,
		&md.DisplayValuesSupported, &md.ClaimTypesSupported, &md.ClaimsSupported, &md.ClaimsLocalesSupported,
		&md.UILocalesSupported, &md.RevocationEndpointAuthMethodsSupported,
		&md.RevocationEndpointAuthSigningAlgValuesSupported, &md.IntrospectionEndpointAuthMethodsSupported,
		&md.IntrospectionEndpointAuthSigningAlgValuesSupported, &md.CodeChallengeMethodsSupported,
		&md.DPoPSigningAlgValuesSupported, &md.BackchannelTokenDeliveryModesSupported,
		&md.BackchannelAuthenticationRequestSigningAlgValuesSupported, &md.ProtectedResources,
		&md.AuthorizationSigningAlgValuesSupported, &md.AuthorizationEncryptionAlgValuesSupported,
		&md.AuthorizationEncryptionEncValuesSupported, &md.AuthorizationDetailsTypesSupported,
	} {
		*l = slices.Clone(*l)
	}
	md.JWKS = slices.Clone(md.JWKS)
	md.Raw = slices.Clone(md.Raw)
	if md.MTLSEndpointAliases != nil {
		aliases := make(map[string]string, len(md.MTLSEndpointAliases))
		for k, v := range md.MTLSEndpointAliases {
			aliases[k] = v
		}
		md.MTLSEndpointAliases = aliases
	}
	return md
}

// sameOrigin compares scheme, host and port of two URLs.
func sameOrigin(a, b string) bool {
	x, errX := url.Parse(a)
	y, errY := url.Parse(b)
	return errX == nil && errY == nil && originOf(x) == originOf(y)
}

func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "https":
			port = "443"
		case "http":
			port = "80"
		}
	}
	return strings.ToLower(u.Scheme) + "://" + strings.ToLower(u.Hostname()) + ":" + port
}
