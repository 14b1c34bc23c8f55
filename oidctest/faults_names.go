package oidctest

// Faults of WebFinger.
const (
	// JRDNoIssuer: no link is to an issuer (Discovery 1.0 2). Say that the identifier has no
	// issuer; guess none.
	JRDNoIssuer Fault = "jrd_no_issuer"
	// JRDTwoIssuers: two links are to an issuer, the second elsewhere (RFC 7033 4.4.4). Take
	// the first.
	JRDTwoIssuers Fault = "jrd_two_issuers"
	// JRDHrefNumber: the href is a number (RFC 7033 4.4.4.3). Refuse the document.
	JRDHrefNumber Fault = "jrd_href_number"
	// JRDHrefMissing: the link has no href (Discovery 1.0 2). Refuse the document.
	JRDHrefMissing Fault = "jrd_href_missing"
	// JRDIssuerHTTP: the issuer is an http URL (Discovery 1.0 2). Refuse the issuer, unless
	// http was allowed for this call.
	JRDIssuerHTTP Fault = "jrd_issuer_http"
	// JRDIssuerQuery: the issuer has a query (Discovery 1.0 2). Refuse the issuer.
	JRDIssuerQuery Fault = "jrd_issuer_query"
	// JRDIssuerElsewhere: the issuer is at another host (Discovery 1.0 2). Go to that issuer;
	// the account is iss and sub of its token, never the host that was typed.
	JRDIssuerElsewhere Fault = "jrd_issuer_elsewhere"
	// JRDNotFound: the identifier is unknown (RFC 7033 4.2). Say that the host knows nothing
	// of the identifier.
	JRDNotFound Fault = "jrd_not_found"
	// JRDHTML: a page comes in place of JSON (RFC 7033 4.2). Refuse the document.
	JRDHTML Fault = "jrd_html"
	// JRDNull: the document is null (RFC 7033 4.4). Refuse the document.
	JRDNull Fault = "jrd_null"
	// JRDTruncated: the document ends in the middle (RFC 7033 4.4). Refuse the document.
	JRDTruncated Fault = "jrd_truncated"
	// JRDRedirectHTTP: a redirect leads to http (RFC 7033 4.2). Do not follow it.
	JRDRedirectHTTP Fault = "jrd_redirect_http"
	// JRDRedirectLoop: a redirect leads to itself (RFC 9110 15.4). Stop after a few.
	JRDRedirectLoop Fault = "jrd_redirect_loop"
	// JRDEndless: the document never ends (RFC 7033 9). Stop at a limit.
	JRDEndless Fault = "jrd_endless"
	// JRDBomb: the document unpacks to 256 MiB (RFC 7033 9). Stop at a limit of what is
	// unpacked.
	JRDBomb Fault = "jrd_bomb"
	// JRDSlow: the document comes byte by byte (RFC 7033 9). Stop at a deadline.
	JRDSlow Fault = "jrd_slow"
	// JRDDeep: the document is nested 100 000 times (RFC 8259 9). Refuse the document.
	JRDDeep Fault = "jrd_deep"
)

// Faults of Discovery.
const (
	// IssuerOther: the issuer is somebody else (Discovery 1.0 4.3). Refuse the metadata.
	IssuerOther Fault = "issuer_other"
	// IssuerInvalid: the issuer has INVALID at its end (Discovery 1.0 4.3). Refuse the
	// metadata; begin no login.
	IssuerInvalid Fault = "issuer_invalid"
	// IssuerTrailingSlash: the issuer has one slash more (Discovery 1.0 4.3). Refuse the
	// metadata and show both values.
	IssuerTrailingSlash Fault = "issuer_trailing_slash"
	// IssuerUpperCase: the issuer is written in capitals (Discovery 1.0 4.3). Refuse the
	// metadata and show both values.
	IssuerUpperCase Fault = "issuer_upper_case"
	// IssuerMissing: there is no issuer (Discovery 1.0 3). Refuse the metadata.
	IssuerMissing Fault = "issuer_missing"
	// AuthorizationEndpointMissing: there is no authorization endpoint (Discovery 1.0 3).
	// Refuse when the client is set up, not at its first login.
	AuthorizationEndpointMissing Fault = "authorization_endpoint_missing"
	// TokenEndpointMissing: there is no token endpoint (Discovery 1.0 3). Refuse when a client
	// for a flow with a code is set up.
	TokenEndpointMissing Fault = "token_endpoint_missing"
	// JWKSURIMissing: there is no jwks_uri (Discovery 1.0 3). Refuse when the client is set
	// up.
	JWKSURIMissing Fault = "jwks_uri_missing"
	// EndpointJavaScript: the authorization endpoint is javascript: (Discovery 1.0 3). Refuse
	// the metadata.
	EndpointJavaScript Fault = "endpoint_javascript"
	// EndpointFile: the jwks_uri is file: (Discovery 1.0 3). Refuse the metadata.
	EndpointFile Fault = "endpoint_file"
	// EndpointRelative: the token endpoint is a relative URL (Discovery 1.0 3). Refuse the
	// metadata.
	EndpointRelative Fault = "endpoint_relative"
	// EndpointNumber: the token endpoint is a number (Discovery 1.0 3). Refuse the metadata.
	EndpointNumber Fault = "endpoint_number"
	// TokenEndpointHTTP: the token endpoint is http (Core 3.1.3). Refuse; the secret and the
	// code never go in the clear.
	TokenEndpointHTTP Fault = "token_endpoint_http"
	// JWKSURIHTTP: the jwks_uri is http (Discovery 1.0 3). Refuse the metadata.
	JWKSURIHTTP Fault = "jwks_uri_http"
	// AuthorizationEndpointHTTP: the authorization endpoint is http (Core 3.1.2). Refuse the
	// metadata.
	AuthorizationEndpointHTTP Fault = "authorization_endpoint_http"
	// UserInfoEndpointHTTP: the UserInfo endpoint is http (Core 5.3). Refuse; the access token
	// never goes in the clear.
	UserInfoEndpointHTTP Fault = "userinfo_endpoint_http"
	// MetadataEndless: the document never ends (Discovery 1.0 4). Stop at a limit.
	MetadataEndless Fault = "metadata_endless"
	// MetadataBomb: the document unpacks to 256 MiB (Discovery 1.0 4). Stop at a limit of what
	// is unpacked.
	MetadataBomb Fault = "metadata_bomb"
	// MetadataSlow: the document comes byte by byte (Discovery 1.0 4). Stop at a deadline.
	MetadataSlow Fault = "metadata_slow"
	// MetadataRedirectElsewhere: a redirect leads to another host (Discovery 1.0 4.1). Do not
	// follow it.
	MetadataRedirectElsewhere Fault = "metadata_redirect_elsewhere"
	// MetadataRedirectLoop: a redirect leads to itself (RFC 9110 15.4). Stop after a few.
	MetadataRedirectLoop Fault = "metadata_redirect_loop"
	// MetadataDuplicateIssuer: the issuer is there twice (RFC 8259 4). Refuse the document.
	MetadataDuplicateIssuer Fault = "metadata_duplicate_issuer"
	// MetadataCaseVariant: ISSUER and TOKEN_ENDPOINT stand beside the real ones (RFC 8259 4).
	// Look at the exact names alone.
	MetadataCaseVariant Fault = "metadata_case_variant"
	// MetadataHTML: the media type is text/html (Discovery 1.0 4.2). Refuse the document.
	MetadataHTML Fault = "metadata_html"
	// MetadataNull: the document is null (Discovery 1.0 4.2). Refuse the document.
	MetadataNull Fault = "metadata_null"
	// MetadataArray: the document is an array (Discovery 1.0 4.2). Refuse the document.
	MetadataArray Fault = "metadata_array"
	// MetadataString: the document is a string (Discovery 1.0 4.2). Refuse the document.
	MetadataString Fault = "metadata_string"
	// MetadataTruncated: the document ends in the middle (Discovery 1.0 4.2). Refuse the
	// document.
	MetadataTruncated Fault = "metadata_truncated"
	// MetadataBOM: the document begins with a byte order mark (RFC 8259 8.1). Refuse the
	// document.
	MetadataBOM Fault = "metadata_bom"
	// MetadataTrailing: something follows the document (RFC 8259 2). Refuse the document.
	MetadataTrailing Fault = "metadata_trailing"
	// MetadataInvalidUTF8: the document is not UTF-8 (RFC 8259 8.1). Refuse the document.
	MetadataInvalidUTF8 Fault = "metadata_invalid_utf8"
	// MetadataDeep: the document is nested 100 000 times (RFC 8259 9). Refuse the document.
	MetadataDeep Fault = "metadata_deep"
	// AuthorizationEndpointFragment: the authorization endpoint has a fragment (RFC 6749 3.1).
	// Refuse the metadata.
	AuthorizationEndpointFragment Fault = "authorization_endpoint_fragment"
	// OnlyAlgNone: the only signature algorithm is none (Discovery 1.0 3). Keep none off;
	// refuse to set up a client.
	OnlyAlgNone Fault = "only_alg_none"
	// AlgNoneOffered: the signature algorithms begin with none (Discovery 1.0 3). Keep none
	// off and log in with another.
	AlgNoneOffered Fault = "alg_none_offered"
	// RS256Dropped: RS256 is no longer among the signature algorithms (Discovery 1.0 3). Keep
	// to the algorithm that was registered.
	RS256Dropped Fault = "rs256_dropped"
	// TokenEndpointElsewhere: the token endpoint is the attacker's (RFC 9700 4.4). Notice by
	// iss and by one redirect URI per issuer, before any token request, when the two issuers
	// are set up.
	TokenEndpointElsewhere Fault = "token_endpoint_elsewhere"
	// RegistrationEndpointElsewhere: the registration endpoint is another provider's (RFC 9700
	// 4.4). Send there no credential of another issuer.
	RegistrationEndpointElsewhere Fault = "registration_endpoint_elsewhere"
	// MTLSAliasInvalid: an alias for mutual TLS is not a URL (RFC 8705 5). Refuse; do not fall
	// back to the endpoint without a certificate.
	MTLSAliasInvalid Fault = "mtls_alias_invalid"
	// MetadataUnavailable: the provider is down (503) (RFC 9110 15.6.4). Start all the same,
	// say so, and recover alone.
	MetadataUnavailable Fault = "metadata_unavailable"
	// PKCENotAnnounced: PKCE is not announced (RFC 8414 2). Send S256 all the same.
	PKCENotAnnounced Fault = "pkce_not_announced"
	// PKCEPlainOnly: only the PKCE method plain is announced (RFC 7636 4.2). Never use plain;
	// send S256 or refuse.
	PKCEPlainOnly Fault = "pkce_plain_only"
	// AuthorizationEndpointQuery: the authorization endpoint has a query (RFC 6749 3.1). Keep
	// it and add to it.
	AuthorizationEndpointQuery Fault = "authorization_endpoint_query"
	// AuthorizationEndpointClash: the authorization endpoint has a state of its own (RFC 6749
	// 3.1). Refuse: a parameter must not occur twice.
	AuthorizationEndpointClash Fault = "authorization_endpoint_clash"
	// ResponseTypesReordered: the words of the response types are in another order (Multiple
	// Response Types 3). Compare them as sets.
	ResponseTypesReordered Fault = "response_types_reordered"
)

// Faults of the TLS connection.
const (
	// CertificateUntrusted: nobody vouches for the certificate (RFC 5280 6). Refuse the
	// connection; offer no way around it without a loud name.
	CertificateUntrusted Fault = "certificate_untrusted"
	// CertificateExpired: the certificate has expired (RFC 5280 4.1.2.5). Refuse the
	// connection; offer no way around it without a loud name.
	CertificateExpired Fault = "certificate_expired"
	// CertificateOtherHost: the certificate is another host's (RFC 9525 6). Refuse the
	// connection; offer no way around it without a loud name.
	CertificateOtherHost Fault = "certificate_other_host"
	// TLSOld: the provider speaks nothing newer than TLS 1.1 (RFC 8996). Refuse the
	// connection; offer no way around it without a loud name.
	TLSOld Fault = "tls_old"
)

// Faults of the keys.
const (
	// JWKSEndless: the key set never ends (RFC 7517 5). Stop at a limit.
	JWKSEndless Fault = "jwks_endless"
	// JWKSSlow: the key set comes byte by byte (RFC 7517 5). Stop at a deadline of its own.
	JWKSSlow Fault = "jwks_slow"
	// JWKSUseEnc: every key is for encryption (RFC 7517 4.2). Verify no signature with them.
	JWKSUseEnc Fault = "jwks_use_enc"
	// JWKSNoVerify: no key is for verifying (key_ops) (RFC 7517 4.3). Verify no signature with
	// them.
	JWKSNoVerify Fault = "jwks_no_verify"
	// JWKSOtherAlg: every key is for another algorithm (RFC 7517 4.4). Verify no signature
	// with them.
	JWKSOtherAlg Fault = "jwks_other_alg"
	// JWKSWeakRSA: the RSA key has 1024 bits (RFC 7518 3.3). Refuse the key.
	JWKSWeakRSA Fault = "jwks_weak_rsa"
	// JWKSPrivateKey: a private key is published (RFC 7517 9.2). Refuse the key and raise an
	// alarm.
	JWKSPrivateKey Fault = "jwks_private_key"
	// JWKSSymmetric: a symmetric key is published (RFC 7518 6.4). Ignore it; it is never a key
	// for HMAC.
	JWKSSymmetric Fault = "jwks_symmetric"
	// JWKSMalformedKey: one RSA key has no modulus (RFC 7517 5). Use the other keys.
	JWKSMalformedKey Fault = "jwks_malformed_key"
	// JWKSOffCurve: one key is not on its curve (RFC 7518 6.2.1). Use the other keys.
	JWKSOffCurve Fault = "jwks_off_curve"
	// JWKSUnknownType: one key has an unknown type (RFC 7517 5). Use the other keys.
	JWKSUnknownType Fault = "jwks_unknown_type"
	// JWKSUnknownCurve: one key has an unknown curve (RFC 7517 5). Use the other keys.
	JWKSUnknownCurve Fault = "jwks_unknown_curve"
	// JWKSKidNumber: one kid is a number (RFC 7517 4.5). Use the other keys.
	JWKSKidNumber Fault = "jwks_kid_number"
	// JWKSDuplicateKid: each kid is there twice, first with another key (RFC 7517 4.5). Try
	// the keys of that kid that fit.
	JWKSDuplicateKid Fault = "jwks_duplicate_kid"
	// JWKSEmpty: the key set is empty (RFC 7517 5). Refuse every token.
	JWKSEmpty Fault = "jwks_empty"
	// JWKSNoKeys: the key set has no member keys (RFC 7517 5.1). Refuse the key set.
	JWKSNoKeys Fault = "jwks_no_keys"
	// KeyRotatedBeforeSigning: the keys are replaced just before each signature (Core 10.1.1).
	// Fetch the key set once more for the unknown kid, then accept.
	KeyRotatedBeforeSigning Fault = "key_rotated_before_signing"
	// SameKidNewKey: a new key signs under the kid of the old one (RFC 7517 4.5). Fetch the
	// key set once more, then accept.
	SameKidNewKey Fault = "same_kid_new_key"
	// JWKSUnavailable: the key set cannot be had (503) (RFC 9110 15.6.4). Verify with the keys
	// at hand; without any, fail and try again later.
	JWKSUnavailable Fault = "jwks_unavailable"
	// JWKSRedirectInside: a redirect leads to an internal address (RFC 9700 4.11). Do not
	// follow it.
	JWKSRedirectInside Fault = "jwks_redirect_inside"
	// JWKSHTML: a page comes in place of the key set (RFC 7517 8.5). Refuse it and repeat
	// nothing of it.
	JWKSHTML Fault = "jwks_html"
	// JWKSExponentOne: the RSA exponent is 1 (RFC 8017 3.1). Refuse the key.
	JWKSExponentOne Fault = "jwks_exponent_one"
	// JWKSManyKeys: the set has 2 000 keys (RFC 7517 5). Keep at most a hundred.
	JWKSManyKeys Fault = "jwks_many_keys"
	// JWKSWrongX5C: the certificates of the keys are nonsense (RFC 7517 4.7). Ignore them.
	JWKSWrongX5C Fault = "jwks_wrong_x5c"
	// JWKSCachedForever: the key set says to keep it for ten years (RFC 9111 5.2.2.1). Keep it
	// for a time of your own.
	JWKSCachedForever Fault = "jwks_cached_forever"
)

// Faults of Registration.
const (
	// RegistrationNoClientID: there is no client_id (Registration 1.0 3.2). Refuse the
	// registration.
	RegistrationNoClientID Fault = "registration_no_client_id"
	// RegistrationClientIDNumber: the client_id is a number (Registration 1.0 3.2). Refuse the
	// registration.
	RegistrationClientIDNumber Fault = "registration_client_id_number"
	// RegistrationClientIDEmpty: the client_id is empty (Registration 1.0 3.2). Refuse the
	// registration.
	RegistrationClientIDEmpty Fault = "registration_client_id_empty"
	// RegistrationOtherRedirectURIs: other redirect URIs were registered (RFC 7591 3.2.1).
	// Refuse the registration.
	RegistrationOtherRedirectURIs Fault = "registration_other_redirect_uris"
	// RegistrationMoreRedirectURIs: one redirect URI more was registered (RFC 7591 3.2.1).
	// Refuse the registration.
	RegistrationMoreRedirectURIs Fault = "registration_more_redirect_uris"
	// RegistrationWeakerAuthMethod: another client authentication was registered: none (RFC
	// 7591 3.2.1). Refuse the registration.
	RegistrationWeakerAuthMethod Fault = "registration_weaker_auth_method"
	// RegistrationAlgNone: ID Tokens will not be signed, it says (Registration 1.0 2). Refuse
	// the registration.
	RegistrationAlgNone Fault = "registration_alg_none"
	// RegistrationSecretMissing: there is no client_secret (Registration 1.0 3.2). Refuse it
	// if the client authenticates with a secret.
	RegistrationSecretMissing Fault = "registration_secret_missing"
	// RegistrationSecretNumber: the client_secret is a number (Registration 1.0 3.2). Refuse
	// the registration.
	RegistrationSecretNumber Fault = "registration_secret_number"
	// RegistrationSecretExpired: the secret has expired already (Registration 1.0 3.2).
	// Register again or fail by name; do not send the dead secret.
	RegistrationSecretExpired Fault = "registration_secret_expired"
	// RegistrationSecretNoExpiry: nothing says when the secret expires (Registration 1.0 3.2).
	// Refuse it, or take it as one that does not expire.
	RegistrationSecretNoExpiry Fault = "registration_secret_no_expiry"
	// RegistrationURIElsewhere: the registration is managed at another host (RFC 7592 3). Send
	// the registration access token nowhere but to the issuer's own host.
	RegistrationURIElsewhere Fault = "registration_uri_elsewhere"
	// RegistrationForeignClientID: the client_id is one that another provider issued (RFC 9700
	// 4.4). Keep state, keys and secrets apart by issuer.
	RegistrationForeignClientID Fault = "registration_foreign_client_id"
	// RegistrationRedirect: the request is redirected to another host (307) (RFC 7591 5). Do
	// not follow; the initial access token goes nowhere else.
	RegistrationRedirect Fault = "registration_redirect"
	// RegistrationRefused: the registration is refused (RFC 7591 3.2.2). Report the error and
	// its description.
	RegistrationRefused Fault = "registration_refused"
	// RegistrationHTML: a page comes in place of JSON (Registration 1.0 3.2). Refuse it.
	RegistrationHTML Fault = "registration_html"
	// RegistrationNull: the answer is null (Registration 1.0 3.2). Refuse it.
	RegistrationNull Fault = "registration_null"
	// RegistrationDuplicate: the client_id is there twice (RFC 8259 4). Refuse it.
	RegistrationDuplicate Fault = "registration_duplicate"
	// RegistrationEndless: the answer never ends (RFC 7591 5). Stop at a limit.
	RegistrationEndless Fault = "registration_endless"
	// RegistrationStatusOK: the status is 200 in place of 201 (Registration 1.0 3.2). Accept
	// what has a client_id.
	RegistrationStatusOK Fault = "registration_status_ok"
)

// Faults of Authorization response.
const (
	// StateMissing: there is no state (RFC 6749 4.1.2). Refuse the response; make no token
	// request.
	StateMissing Fault = "state_missing"
	// StateWrong: the state is another one (RFC 6749 10.12). Refuse the response; make no
	// token request.
	StateWrong Fault = "state_wrong"
	// ResponseIssWrong: the iss parameter is another provider's (RFC 9207 2.4). Refuse the
	// response; make no token request.
	ResponseIssWrong Fault = "response_iss_wrong"
	// ResponseIssMissing: the iss parameter is missing (RFC 9207 2.4). Refuse the response,
	// since the metadata announces iss; make no token request.
	ResponseIssMissing Fault = "response_iss_missing"
	// CodeTwice: there are two codes (RFC 6749 3.1). Refuse the response; make no token
	// request.
	CodeTwice Fault = "code_twice"
	// StateTwice: there are two states (RFC 6749 3.1). Refuse the response; make no token
	// request.
	StateTwice Fault = "state_twice"
	// ResponseIssTwice: there are two iss parameters (RFC 9207 2.4). Refuse the response; make
	// no token request.
	ResponseIssTwice Fault = "response_iss_twice"
	// CodeAndError: there is a code and an error (RFC 6749 4.1.2). Report the error; make no
	// token request.
	CodeAndError Fault = "code_and_error"
	// CodeMissing: there is no code (Core 3.1.2.5). Refuse the response; make no token
	// request.
	CodeMissing Fault = "code_missing"
	// CodeEmpty: the code is empty (Core 3.1.2.5). Refuse the response; make no token request.
	CodeEmpty Fault = "code_empty"
	// CodeLong: the code has 5 000 characters (RFC 6749 4.1.2). Refuse the response; make no
	// token request.
	CodeLong Fault = "code_long"
	// ErrorUnknownState: an error comes with an unknown state (RFC 6749 4.1.2.1). Treat it as
	// a wrong state; show and log nothing of it as it is.
	ErrorUnknownState Fault = "error_unknown_state"
	// ErrorDescriptionHostile: an error comes with markup and control characters (RFC 6749
	// 4.1.2.1). Report the error; escape the text wherever it is shown or logged.
	ErrorDescriptionHostile Fault = "error_description_hostile"
	// AnswerInFragment: the answer is in the fragment (Multiple Response Types 2.1). Refuse
	// the response; make no token request.
	AnswerInFragment Fault = "answer_in_fragment"
	// AnswerByPost: the answer is posted (Form Post Response Mode 2). Refuse the response;
	// make no token request.
	AnswerByPost Fault = "answer_by_post"
	// AnswerInQuery: the answer is in the query though it holds tokens (Multiple Response
	// Types 3). Refuse the response; make no token request.
	AnswerInQuery Fault = "answer_in_query"
	// AnswerTwoPlaces: the query has one code, the posted form another (Form Post Response
	// Mode 2). Refuse the response; make no token request.
	AnswerTwoPlaces Fault = "answer_two_places"
	// AccessDenied: the person refuses (RFC 6749 4.1.2.1). Report access_denied; make no token
	// request.
	AccessDenied Fault = "access_denied"
	// LoginRequired: the answer is always login_required (Core 3.1.2.6). Report it; do not
	// send the browser back and forth.
	LoginRequired Fault = "login_required"
	// TemporarilyUnavailable: the provider is overloaded (RFC 6749 4.1.2.1). Report it; make
	// no token request.
	TemporarilyUnavailable Fault = "temporarily_unavailable"
	// FrontIDTokenMissing: the front channel has no ID Token (Core 3.3.2.5). Refuse the
	// response; make no token request.
	FrontIDTokenMissing Fault = "front_id_token_missing"
	// FrontAccessTokenMissing: the front channel has no access token (Core 3.2.2.5). Refuse
	// the response.
	FrontAccessTokenMissing Fault = "front_access_token_missing"
	// FrontTokenTypeMissing: the front channel has no token_type (Core 3.2.2.5). Refuse the
	// response.
	FrontTokenTypeMissing Fault = "front_token_type_missing"
	// FrontTokenTypeMAC: the token_type of the front channel is mac (Core 3.2.2.5). Refuse the
	// response.
	FrontTokenTypeMAC Fault = "front_token_type_mac"
	// FrontExpiresInHuge: the expires_in of the front channel is beyond all numbers (RFC 6749
	// 4.2.2). Clamp or ignore it; the token is not valid for ever.
	FrontExpiresInHuge Fault = "front_expires_in_huge"
)

// Faults of Token response.
const (
	// TokenTypeMissing: there is no token_type (RFC 6749 5.1). Refuse the response.
	TokenTypeMissing Fault = "token_type_missing"
	// TokenTypeMAC: the token_type is mac (Core 3.1.3.3). Refuse the response.
	TokenTypeMAC Fault = "token_type_mac"
	// TokenTypeDPoP: the token_type is DPoP though no proof was sent (RFC 9449 5). Refuse the
	// response.
	TokenTypeDPoP Fault = "token_type_dpop"
	// TokenTypeLowerCase: the token_type is written bearer (RFC 6749 5.1). Accept it: the
	// value has no case.
	TokenTypeLowerCase Fault = "token_type_lower_case"
	// IDTokenMissing: there is no ID Token (Core 3.1.3.3). Refuse the response.
	IDTokenMissing Fault = "id_token_missing"
	// IDTokenNumber: the ID Token is a number (Core 3.1.3.3). Refuse the response.
	IDTokenNumber Fault = "id_token_number"
	// IDTokenObject: the ID Token is its claims as JSON (Core 2). Refuse the response.
	IDTokenObject Fault = "id_token_object"
	// AccessTokenMissing: there is no access token (RFC 6749 5.1). Refuse the response.
	AccessTokenMissing Fault = "access_token_missing"
	// AccessTokenCRLF: the access token has a line break in it (RFC 6750 2.1). Refuse the
	// response before the token gets into a header.
	AccessTokenCRLF Fault = "access_token_crlf"
	// AccessTokenNUL: the access token has a NUL in it (RFC 6750 2.1). Refuse the response.
	AccessTokenNUL Fault = "access_token_nul"
	// AccessTokenNotASCII: the access token is not ASCII (RFC 6750 2.1). Refuse the response.
	AccessTokenNotASCII Fault = "access_token_not_ascii"
	// ExpiresInNegative: the expires_in is negative (RFC 6749 5.1). Clamp or ignore it.
	ExpiresInNegative Fault = "expires_in_negative"
	// ExpiresInHuge: the expires_in is 1e400 (RFC 6749 5.1). Clamp, ignore or refuse it; the
	// token is not valid for ever.
	ExpiresInHuge Fault = "expires_in_huge"
	// ExpiresInString: the expires_in is a string (RFC 6749 5.1). Read it as a number or
	// ignore it.
	ExpiresInString Fault = "expires_in_string"
	// ExpiresInMissing: there is no expires_in (RFC 6749 5.1). Accept it.
	ExpiresInMissing Fault = "expires_in_missing"
	// ScopeMissing: there is no scope (RFC 6749 5.1). Accept it: the scope is the one asked
	// for.
	ScopeMissing Fault = "scope_missing"
	// ScopeNarrowed: less scope was granted than asked for (RFC 6749 3.3). Accept it and tell
	// the application.
	ScopeNarrowed Fault = "scope_narrowed"
	// TokenErrorIn200: an error comes with status 200 (RFC 6749 5.2). Report the error.
	TokenErrorIn200 Fault = "token_error_in_200"
	// TokenErrorBeside: an error stands beside the tokens (RFC 6749 5.2). Report the error;
	// use no token.
	TokenErrorBeside Fault = "token_error_beside"
	// TokenCaseVariant: ID_TOKEN stands beside id_token (RFC 8259 4). Look at the exact name
	// alone.
	TokenCaseVariant Fault = "token_case_variant"
)

// Faults of Token endpoint.
const (
	// TokenRedirectElsewhere: the request is redirected to another host (307) (RFC 9700 4.12).
	// Do not follow; the code, the verifier and the secret are not sent again.
	TokenRedirectElsewhere Fault = "token_redirect_elsewhere"
	// TokenRedirectHTTP: the request is redirected to http at the same host (307) (RFC 9700
	// 4.12). Do not follow; the code, the verifier and the secret are not sent again.
	TokenRedirectHTTP Fault = "token_redirect_http"
	// InvalidGrant: the code is refused (RFC 6749 5.2). Report it after one request.
	InvalidGrant Fault = "invalid_grant"
	// InvalidClient: the client is refused (401) (RFC 6749 5.2). Report it after one request;
	// try no other way to authenticate.
	InvalidClient Fault = "invalid_client"
	// TokenReset: the connection breaks after the request (RFC 6749 4.1.2). Report it; do not
	// send the code again.
	TokenReset Fault = "token_reset"
	// TokenUnavailable: the provider is down (503) (RFC 9110 15.6.4). Report it; do not send
	// the code again.
	TokenUnavailable Fault = "token_unavailable"
	// TokenSlow: the answer comes byte by byte (RFC 6749 5.1). Stop at a deadline.
	TokenSlow Fault = "token_slow"
	// TokenEndless: the answer never ends (RFC 6749 5.1). Stop at a limit.
	TokenEndless Fault = "token_endless"
	// TokenShort: the answer is shorter than its Content-Length (RFC 9112 8). Refuse it.
	TokenShort Fault = "token_short"
	// TokenFormEncoded: the answer is form-encoded text (RFC 6749 5.1). Refuse it.
	TokenFormEncoded Fault = "token_form_encoded"
	// TokenHTML: the media type is text/html (RFC 6749 5.1). Refuse it.
	TokenHTML Fault = "token_html"
	// TokenStatus203: the status is 203 (RFC 6749 5.1). Refuse it.
	TokenStatus203 Fault = "token_status_203"
	// TokenStatus204: the status is 204 (RFC 6749 5.1). Refuse it.
	TokenStatus204 Fault = "token_status_204"
	// TokenStatus206: the status is 206 (RFC 6749 5.1). Refuse it.
	TokenStatus206 Fault = "token_status_206"
	// TokenDuplicate: the access token is there twice (RFC 8259 4). Refuse it.
	TokenDuplicate Fault = "token_duplicate"
	// TokenNull: the answer is null (RFC 6749 5.1). Refuse it.
	TokenNull Fault = "token_null"
	// TokenTrailing: something follows the answer (RFC 8259 2). Refuse it.
	TokenTrailing Fault = "token_trailing"
)

// Faults of ID Token: signature.
const (
	// AlgNone: it is not signed: alg none (Core 3.1.3.7 (6)). Refuse the ID Token.
	AlgNone Fault = "alg_none"
	// AlgNoneOddCase: it is not signed: alg nOnE (RFC 7515 4.1.1). Refuse the ID Token.
	AlgNoneOddCase Fault = "alg_none_odd_case"
	// SignatureStripped: the signature is cut off (RFC 7515 5.2). Refuse the ID Token.
	SignatureStripped Fault = "signature_stripped"
	// SignatureWrong: one byte of the signature is wrong (RFC 7515 5.2). Refuse the ID Token.
	SignatureWrong Fault = "signature_wrong"
	// PayloadChanged: the claims were changed after they were signed (RFC 7515 5.2). Refuse
	// the ID Token.
	PayloadChanged Fault = "payload_changed"
	// OtherKey: another key signs under a known kid (RFC 7515 5.2). Refuse the ID Token.
	OtherKey Fault = "other_key"
	// SignedWithClientSecret: it is HS256 with the client secret (Core 3.1.3.7 (7)). Refuse
	// the ID Token: another algorithm is registered.
	SignedWithClientSecret Fault = "signed_with_client_secret"
	// SignedWithHMAC: it is HS256 with the public key as PEM (RFC 8725 2.1). Refuse the ID
	// Token.
	SignedWithHMAC Fault = "signed_with_hmac"
	// SignedWithHMACOfDER: it is HS256 with the public key as DER (RFC 8725 2.1). Refuse the
	// ID Token.
	SignedWithHMACOfDER Fault = "signed_with_hmac_of_der"
	// SignedWithHMACOfJWK: it is HS256 with the public key as JWK (RFC 8725 2.1). Refuse the
	// ID Token.
	SignedWithHMACOfJWK Fault = "signed_with_hmac_of_jwk"
	// SignedWithEmptySecret: it is HS256 with an empty key (RFC 7518 3.2). Refuse the ID
	// Token.
	SignedWithEmptySecret Fault = "signed_with_empty_secret"
	// AlgUnregistered: the provider signs with an algorithm that was not agreed (Core 3.1.3.7
	// (7)). Refuse the ID Token.
	AlgUnregistered Fault = "alg_unregistered"
	// EmbeddedKey: the header brings the key (jwk) (RFC 8725 3.10). Refuse the ID Token; never
	// use a key from a header.
	EmbeddedKey Fault = "embedded_key"
	// JKUHeader: the header names a key set (jku) (RFC 8725 3.10). Refuse the ID Token; fetch
	// nothing that a header names.
	JKUHeader Fault = "jku_header"
	// X5UHeader: the header names a certificate (x5u) (RFC 8725 3.10). Refuse the ID Token;
	// fetch nothing that a header names.
	X5UHeader Fault = "x5u_header"
	// ECDSAZero: the ECDSA signature is all zero (RFC 7518 3.4). Refuse the ID Token.
	ECDSAZero Fault = "ecdsa_zero"
	// ECDSADER: the ECDSA signature is DER (RFC 7518 3.4). Refuse the ID Token.
	ECDSADER Fault = "ecdsa_der"
	// ECDSAShort: the ECDSA signature is one byte short (RFC 7518 3.4). Refuse the ID Token.
	ECDSAShort Fault = "ecdsa_short"
)

// Faults of ID Token: envelope.
const (
	// KidMissing: there is no kid (RFC 7515 4.1.4). Try the few keys that fit.
	KidMissing Fault = "kid_missing"
	// KidUnknown: the kid is nobody's (Core 10.1.1). Fetch the key set once, then refuse; not
	// once per token.
	KidUnknown Fault = "kid_unknown"
	// KidHostile: the kid is a path and a query (RFC 8725 3.10). Refuse the ID Token; a kid is
	// compared and nothing else.
	KidHostile Fault = "kid_hostile"
	// KidNumber: the kid is a number (RFC 7515 4.1.4). Refuse the ID Token.
	KidNumber Fault = "kid_number"
	// KidHuge: the kid has 100 000 characters (RFC 7515 4.1.4). Refuse the ID Token.
	KidHuge Fault = "kid_huge"
	// CritUnknown: a critical header parameter is unknown (RFC 7515 4.1.11). Refuse the ID
	// Token.
	CritUnknown Fault = "crit_unknown"
	// CritEmpty: the list of critical header parameters is empty (RFC 7515 4.1.11). Refuse the
	// ID Token.
	CritEmpty Fault = "crit_empty"
	// B64False: the payload is not encoded (b64 false) (RFC 7797 7). Refuse the ID Token.
	B64False Fault = "b64_false"
	// HeaderDuplicate: the header has two alg (RFC 7515 4). Refuse the ID Token.
	HeaderDuplicate Fault = "header_duplicate"
	// JSONSerialization: it is in the JSON serialization (RFC 7519 1). Refuse the ID Token.
	JSONSerialization Fault = "json_serialization"
	// AlgUnprotected: the alg is in an unprotected header (RFC 7515 7.2). Refuse the ID Token.
	AlgUnprotected Fault = "alg_unprotected"
	// Polyglot: two parsers read two different tokens in it (RFC 7519 7.2). Refuse the ID
	// Token.
	Polyglot Fault = "polyglot"
	// TokenWhitespace: there is a line break in it (RFC 7515 2). Refuse the ID Token.
	TokenWhitespace Fault = "token_whitespace"
	// TokenPadding: its base64 is padded (RFC 7515 2). Refuse the ID Token.
	TokenPadding Fault = "token_padding"
	// TokenNonCanonical: unused bits of its base64 are set (RFC 4648 3.5). Refuse the ID
	// Token.
	TokenNonCanonical Fault = "token_non_canonical"
	// EncryptedUnasked: it is encrypted though that was not agreed (Core 3.1.3.7 (1)). Refuse
	// the ID Token.
	EncryptedUnasked Fault = "encrypted_unasked"
	// EncryptedPBES2: it is encrypted with 2 147 483 647 rounds of PBES2 (RFC 8725 3.2).
	// Refuse the ID Token before a single round.
	EncryptedPBES2 Fault = "encrypted_pbes2"
	// EncryptedEmptyKey: it is encrypted with an empty key and a short tag (RFC 7516 5.2).
	// Refuse the ID Token.
	EncryptedEmptyKey Fault = "encrypted_empty_key"
	// TwoSignatures: it has two signatures (RFC 7519 1). Refuse the ID Token.
	TwoSignatures Fault = "two_signatures"
	// TokenManyDots: it is 500 000 dots (RFC 7515 7.1). Refuse the ID Token without splitting
	// it.
	TokenManyDots Fault = "token_many_dots"
	// HeaderHuge: its header has 500 000 bytes (RFC 7515 4). Refuse the ID Token.
	HeaderHuge Fault = "header_huge"
	// PayloadNull: its payload is null (RFC 7519 7.2). Refuse the ID Token.
	PayloadNull Fault = "payload_null"
	// PayloadArray: its payload is an array (RFC 7519 7.2). Refuse the ID Token.
	PayloadArray Fault = "payload_array"
	// PayloadNumber: its payload is a number (RFC 7519 7.2). Refuse the ID Token.
	PayloadNumber Fault = "payload_number"
	// PayloadDeep: its payload is nested 20 000 times (RFC 8259 9). Refuse the ID Token.
	PayloadDeep Fault = "payload_deep"
	// TypAccessToken: it is an access token (typ at+jwt) (RFC 8725 3.11). Refuse the ID Token.
	TypAccessToken Fault = "typ_access_token"
	// TypLogoutToken: it is a logout token (typ logout+jwt) (RFC 8725 3.11). Refuse the ID
	// Token.
	TypLogoutToken Fault = "typ_logout_token"
	// EventsClaim: it has the events of a logout token (Back-Channel Logout 2.4). Refuse the
	// ID Token.
	EventsClaim Fault = "events_claim"
)

// Faults of ID Token: claims.
const (
	// IDTokenIssOther: the issuer is another one (Core 3.1.3.7 (2)). Refuse the ID Token.
	IDTokenIssOther Fault = "id_token_iss_other"
	// IDTokenIssTrailingSlash: the issuer has one slash more (Core 3.1.3.7 (2)). Refuse the ID
	// Token.
	IDTokenIssTrailingSlash Fault = "id_token_iss_trailing_slash"
	// IDTokenIssMissing: there is no issuer (Core 2). Refuse the ID Token.
	IDTokenIssMissing Fault = "id_token_iss_missing"
	// AudOther: it is for another client (Core 3.1.3.7 (3)). Refuse the ID Token.
	AudOther Fault = "aud_other"
	// AudMissing: there is no audience (Core 2). Refuse the ID Token.
	AudMissing Fault = "aud_missing"
	// AudNull: the audience is null (Core 2). Refuse the ID Token.
	AudNull Fault = "aud_null"
	// AudObject: the audience is an object (Core 2). Refuse the ID Token.
	AudObject Fault = "aud_object"
	// AudEmpty: the audience is an empty list (Core 2). Refuse the ID Token.
	AudEmpty Fault = "aud_empty"
	// AudNumbers: the audience is a list of numbers (Core 2). Refuse the ID Token.
	AudNumbers Fault = "aud_numbers"
	// AudAsArray: the audience is a list of one (Core 2). Accept it.
	AudAsArray Fault = "aud_as_array"
	// AudExtraNoAzp: there is a second audience and no azp (Core 3.1.3.7 (3)). Refuse the ID
	// Token.
	AudExtraNoAzp Fault = "aud_extra_no_azp"
	// AudExtraAzp: there is a second audience, and the azp is ours (Core 3.1.3.7 (3)). Refuse
	// the ID Token unless the other audience is trusted.
	AudExtraAzp Fault = "aud_extra_azp"
	// AzpOther: the azp is another client (Core 3.1.3.7 (5)). Refuse the ID Token.
	AzpOther Fault = "azp_other"
	// AudOtherAzpOurs: it is for another client, and the azp is ours (Core 3.1.3.7 (3)).
	// Refuse the ID Token.
	AudOtherAzpOurs Fault = "aud_other_azp_ours"
	// NonceMissing: the nonce is missing (Core 3.1.3.7 (11)). Refuse the ID Token.
	NonceMissing Fault = "nonce_missing"
	// NonceWrong: the nonce is another one (Core 3.1.3.7 (11)). Refuse the ID Token.
	NonceWrong Fault = "nonce_wrong"
	// NonceNumber: the nonce is a number (Core 2). Refuse the ID Token.
	NonceNumber Fault = "nonce_number"
	// SubMissing: there is no subject (Core 2). Refuse the ID Token.
	SubMissing Fault = "sub_missing"
	// SubEmpty: the subject is empty (Core 2). Refuse the ID Token.
	SubEmpty Fault = "sub_empty"
	// SubNumber: the subject is a number (Core 2). Refuse the ID Token.
	SubNumber Fault = "sub_number"
	// SubLong: the subject has 256 characters (Core 2). Refuse the ID Token.
	SubLong Fault = "sub_long"
	// SubDuplicate: there are two subjects (RFC 7519 4). Refuse the ID Token.
	SubDuplicate Fault = "sub_duplicate"
	// SubCaseVariant: SUB stands beside sub (RFC 7519 4). Look at the exact name alone.
	SubCaseVariant Fault = "sub_case_variant"
	// SubLongS: a claim that folds to sub stands beside it (ſub) (RFC 7519 4). Look at the
	// exact name alone.
	SubLongS Fault = "sub_long_s"
	// ClaimInvalidUTF8: a claim is not UTF-8 (RFC 8259 8.1). Refuse the ID Token.
	ClaimInvalidUTF8 Fault = "claim_invalid_utf8"
	// ClaimLoneSurrogate: a claim has half a surrogate pair (RFC 8259 8.2). Refuse the ID
	// Token.
	ClaimLoneSurrogate Fault = "claim_lone_surrogate"
	// ACROther: the acr is not one that was asked for (Core 3.1.3.7 (12)). Refuse the ID
	// Token.
	ACROther Fault = "acr_other"
	// ACRMissing: there is no acr (Core 5.5.1.1). Refuse the ID Token.
	ACRMissing Fault = "acr_missing"
)

// Faults of ID Token: times.
const (
	// ExpPast: it has expired (Core 3.1.3.7 (9)). Refuse the ID Token.
	ExpPast Fault = "exp_past"
	// ExpMissing: there is no exp (Core 2). Refuse the ID Token.
	ExpMissing Fault = "exp_missing"
	// ExpString: the exp is a string (RFC 7519 2). Refuse the ID Token.
	ExpString Fault = "exp_string"
	// ExpHuge: the exp is 1e18 (RFC 7519 4.1.4). Refuse it or clamp it; never wrap.
	ExpHuge Fault = "exp_huge"
	// ExpOverflow: the exp is 1e400 (RFC 7519 4.1.4). Refuse the ID Token.
	ExpOverflow Fault = "exp_overflow"
	// ExpNegative: the exp is -1 (RFC 7519 4.1.4). Refuse the ID Token.
	ExpNegative Fault = "exp_negative"
	// IatMissing: there is no iat (Core 2). Refuse the ID Token.
	IatMissing Fault = "iat_missing"
	// IatFuture: it was issued tomorrow (Core 3.1.3.7 (10)). Refuse the ID Token.
	IatFuture Fault = "iat_future"
	// IatOld: it was issued a week ago and is still valid (Core 3.1.3.7 (10)). Refuse it by an
	// age of your own.
	IatOld Fault = "iat_old"
	// NbfFuture: it is valid from tomorrow on (RFC 7519 4.1.5). Refuse the ID Token.
	NbfFuture Fault = "nbf_future"
	// AuthTimeMissing: there is no auth_time (Core 3.1.3.7 (13)). Refuse the ID Token.
	AuthTimeMissing Fault = "auth_time_missing"
	// AuthTimeOld: the login was too long ago (Core 3.1.3.7 (13)). Refuse the ID Token.
	AuthTimeOld Fault = "auth_time_old"
	// AuthTimeFuture: the login will be tomorrow (Core 3.1.3.7 (13)). Refuse the ID Token.
	AuthTimeFuture Fault = "auth_time_future"
	// AuthTimeString: the auth_time is a string (Core 2). Refuse the ID Token.
	AuthTimeString Fault = "auth_time_string"
)

// Faults of ID Token: hashes and pairs.
const (
	// ATHashWrong: the at_hash is of another access token (Core 3.1.3.8). Refuse the ID Token.
	ATHashWrong Fault = "at_hash_wrong"
	// ATHashNumber: the at_hash is a number (Core 3.1.3.6). Refuse the ID Token.
	ATHashNumber Fault = "at_hash_number"
	// ATHashMissing: the at_hash is missing (Core 3.2.2.10). Refuse the response; ask for no
	// UserInfo.
	ATHashMissing Fault = "at_hash_missing"
	// CHashWrong: the c_hash is of another code (Core 3.3.2.10). Refuse the response; make no
	// token request.
	CHashWrong Fault = "c_hash_wrong"
	// CHashNumber: the c_hash is a number (Core 3.3.2.11). Refuse the response; make no token
	// request.
	CHashNumber Fault = "c_hash_number"
	// CHashMissing: the c_hash is missing (Core 3.3.2.11). Refuse the response; make no token
	// request.
	CHashMissing Fault = "c_hash_missing"
	// SecondSubjectOther: the token endpoint's ID Token is about another person (Core
	// 3.3.3.6). Refuse the ID Token.
	SecondSubjectOther Fault = "second_subject_other"
	// SecondIssuerOther: the token endpoint's ID Token is by another issuer (Core 3.3.3.6).
	// Refuse the ID Token.
	SecondIssuerOther Fault = "second_issuer_other"
	// SecondNonceOther: the token endpoint's ID Token has another nonce (Core 3.3.3.7). Refuse
	// the ID Token.
	SecondNonceOther Fault = "second_nonce_other"
)

// Faults of UserInfo.
const (
	// UserInfoOtherSubject: the subject is another person (Core 5.3.2). Refuse the response.
	UserInfoOtherSubject Fault = "userinfo_other_subject"
	// UserInfoSubMissing: there is no subject (Core 5.3.2). Refuse the response.
	UserInfoSubMissing Fault = "userinfo_sub_missing"
	// UserInfoSubDuplicate: there are two subjects (RFC 8259 4). Refuse the response.
	UserInfoSubDuplicate Fault = "userinfo_sub_duplicate"
	// UserInfoCaseVariant: SUB stands beside sub (RFC 8259 4). Look at the exact name alone.
	UserInfoCaseVariant Fault = "userinfo_case_variant"
	// UserInfoHTML: the media type is text/html (Core 5.3.2). Refuse the response.
	UserInfoHTML Fault = "userinfo_html"
	// UserInfoUnsigned: JSON comes in place of the signed response (Core 5.3.2). Refuse the
	// response.
	UserInfoUnsigned Fault = "userinfo_unsigned"
	// UserInfoIssOther: the signed response is another issuer's (Core 5.3.2). Refuse the
	// response.
	UserInfoIssOther Fault = "userinfo_iss_other"
	// UserInfoAudOther: the signed response is for another client (Core 5.3.2). Refuse the
	// response.
	UserInfoAudOther Fault = "userinfo_aud_other"
	// UserInfoExpired: the signed response has expired (RFC 7519 4.1.4). Refuse the response.
	UserInfoExpired Fault = "userinfo_expired"
	// UserInfoAlgOther: the signed response has an algorithm that was not agreed (Core 5.3.2).
	// Refuse the response.
	UserInfoAlgOther Fault = "userinfo_alg_other"
	// UserInfoSignatureWrong: the signature of the response is wrong (Core 5.3.2). Refuse the
	// response.
	UserInfoSignatureWrong Fault = "userinfo_signature_wrong"
	// UserInfoAlgNone: the response is a JWT without a signature (Core 5.3.2). Refuse the
	// response.
	UserInfoAlgNone Fault = "userinfo_alg_none"
	// UserInfoNull: the response is null (Core 5.3.2). Refuse the response.
	UserInfoNull Fault = "userinfo_null"
	// UserInfoArray: the response is an array (Core 5.3.2). Refuse the response.
	UserInfoArray Fault = "userinfo_array"
	// UserInfoEndless: the response never ends (Core 5.3.2). Stop at a limit.
	UserInfoEndless Fault = "userinfo_endless"
	// UserInfoSlow: the response comes byte by byte (Core 5.3.2). Stop at a deadline.
	UserInfoSlow Fault = "userinfo_slow"
	// UserInfoRedirectHTTP: a redirect leads to http (RFC 6750 5.2). Do not follow; the access
	// token goes nowhere else.
	UserInfoRedirectHTTP Fault = "userinfo_redirect_http"
	// UserInfoRedirectElsewhere: a redirect leads to another host (RFC 6750 5.2). Do not
	// follow; the access token goes nowhere else.
	UserInfoRedirectElsewhere Fault = "userinfo_redirect_elsewhere"
	// UserInfoError: the provider fails with a page (500) (Core 5.3.3). Report the failure;
	// show nothing of the page.
	UserInfoError Fault = "userinfo_error"
	// UserInfoUnauthorized: the access token is refused (401) (RFC 6750 3.1). Fail, or go on
	// without it, as the application has said.
	UserInfoUnauthorized Fault = "userinfo_unauthorized"
	// UserInfoEmailVerifiedString: email_verified is the string "false" (Core 5.1). Do not
	// count the email as verified.
	UserInfoEmailVerifiedString Fault = "userinfo_email_verified_string"
	// UserInfoEmailVerifiedNumber: email_verified is 1 (Core 5.1). Do not count the email as
	// verified.
	UserInfoEmailVerifiedNumber Fault = "userinfo_email_verified_number"
	// UserInfoEmailHostile: the email has two at signs (Core 5.1). Take no domain from it.
	UserInfoEmailHostile Fault = "userinfo_email_hostile"
	// UserInfoInvalidUTF8: a claim is not UTF-8 (RFC 8259 8.1). Refuse the response.
	UserInfoInvalidUTF8 Fault = "userinfo_invalid_utf8"
	// UserInfoHeaderOnly: the access token is taken from the header alone (RFC 6750 2.2).
	// Present it in the header.
	UserInfoHeaderOnly Fault = "userinfo_header_only"
	// UserInfoBodyOnly: the access token is taken from the body alone (RFC 6750 2.1). Present
	// it in the body if so configured; otherwise report the refusal.
	UserInfoBodyOnly Fault = "userinfo_body_only"
	// UserInfoDistributed: claims must be fetched from another source (Core 5.6.2). Fetch them
	// only if asked to, with the token that came with them and no other.
	UserInfoDistributed Fault = "userinfo_distributed"
	// UserInfoAggregated: claims come as a JWT of another source (Core 5.6.2). Accept the
	// rest; do not mix what is not verified with what is.
	UserInfoAggregated Fault = "userinfo_aggregated"
)

// Faults of Refresh.
const (
	// RefreshOtherSubject: the ID Token is another person's (Core 12.2). Refuse the response
	// and keep what was known.
	RefreshOtherSubject Fault = "refresh_other_subject"
	// RefreshOtherIssuer: the ID Token is another issuer's (Core 12.2). Refuse the response
	// and keep what was known.
	RefreshOtherIssuer Fault = "refresh_other_issuer"
	// RefreshOtherAudience: the ID Token is for another client (Core 12.2). Refuse the
	// response and keep what was known.
	RefreshOtherAudience Fault = "refresh_other_audience"
	// RefreshUnsigned: the ID Token is not signed (Core 12.2). Refuse the response and keep
	// what was known.
	RefreshUnsigned Fault = "refresh_unsigned"
	// RefreshExpired: the ID Token has expired (Core 12.2). Refuse the response and keep what
	// was known.
	RefreshExpired Fault = "refresh_expired"
	// RefreshNonceRepeated: the ID Token repeats the nonce of the login (Core 12.2). Accept it
	// if it is the same.
	RefreshNonceRepeated Fault = "refresh_nonce_repeated"
	// RefreshNonceOther: the ID Token has another nonce (Core 12.2). Refuse the response and
	// keep what was known.
	RefreshNonceOther Fault = "refresh_nonce_other"
	// RefreshAuthTimeChanged: the time of the login has changed (Core 12.2). Refuse the
	// response and keep what was known.
	RefreshAuthTimeChanged Fault = "refresh_auth_time_changed"
	// RefreshIDTokenMissing: there is no ID Token (Core 12.2). Accept it and keep the old
	// claims.
	RefreshIDTokenMissing Fault = "refresh_id_token_missing"
	// RefreshTokenAbsent: there is no new refresh token (RFC 6749 6). Keep the old one.
	RefreshTokenAbsent Fault = "refresh_token_absent"
	// RefreshTokenEmpty: the new refresh token is empty (RFC 6749 6). Keep the old one.
	RefreshTokenEmpty Fault = "refresh_token_empty"
	// RefreshInvalidGrant: the refresh token is refused (RFC 6749 5.2). End the session; the
	// refusal is final.
	RefreshInvalidGrant Fault = "refresh_invalid_grant"
	// RefreshUnavailable: the provider is down during the refresh (503) (RFC 9110 15.6.4).
	// Keep the session until it ends by itself; try again later.
	RefreshUnavailable Fault = "refresh_unavailable"
	// RefreshLost: the connection breaks after the refresh token was used (RFC 9700 4.14.2).
	// Try once more with the old token, then log out cleanly.
	RefreshLost Fault = "refresh_lost"
)
