package oidctest

import (
	"encoding/json"
	"log/slog"
	"slices"
	"time"
)

// Client is a relying party that the OP knows. [OP.AddClient] takes one and
// returns it with everything filled in that was left out.
//
// Its String, GoString and LogValue leave the secret out.
type Client struct {
	// ID is the client identifier; empty means a fresh one.
	ID string `json:"client_id"`

	// Secret is the client secret; empty means a fresh one, or none if the
	// client authenticates by none or by private_key_jwt and has no use for
	// it.
	Secret string `json:"-"`

	// SecretExpiresAt is when the secret stops working. Zero means never.
	SecretExpiresAt time.Time `json:"-"`

	// RedirectURIs are compared to the letter. Nil means
	// https://rp.example/callback alone.
	RedirectURIs []string `json:"redirect_uris"`

	// ResponseTypes are those the client may use; the words of each in any
	// order. Nil means all six for a client of AddClient; a dynamic
	// registration without them means code.
	ResponseTypes []string `json:"response_types,omitempty"`

	// GrantTypes are those the client may use. Nil means authorization_code,
	// implicit and refresh_token for a client of AddClient; a dynamic
	// registration without them means authorization_code.
	GrantTypes []string `json:"grant_types,omitempty"`

	// ApplicationType is web or native; empty means web. The redirect URIs of
	// a native client match on any loopback port (RFC 8252, section 7.3).
	ApplicationType string `json:"application_type,omitempty"`

	// Name is shown on the login page. Empty means the client identifier.
	Name string `json:"client_name,omitempty"`

	// TokenEndpointAuthMethod is the one way in which the client may
	// authenticate: none, client_secret_basic, client_secret_post,
	// client_secret_jwt, private_key_jwt, tls_client_auth or
	// self_signed_tls_client_auth. Empty means client_secret_basic.
	TokenEndpointAuthMethod string `json:"token_endpoint_auth_method,omitempty"`

	// TokenEndpointAuthSigningAlg is the one algorithm of a client assertion.
	// Empty means any that the OP supports for the method.
	TokenEndpointAuthSigningAlg string `json:"token_endpoint_auth_signing_alg,omitempty"`

	// JWKS is the JSON of the client's key set, JWKSURI where it is fetched
	// from. At most one of the two is set.
	JWKS    json.RawMessage `json:"jwks,omitempty"`
	JWKSURI string          `json:"jwks_uri,omitempty"`

	// IDTokenSignedResponseAlg is the algorithm of the ID Token. Empty means
	// RS256.
	IDTokenSignedResponseAlg string `json:"id_token_signed_response_alg,omitempty"`

	// UserInfoSignedResponseAlg makes the UserInfo response a JWT signed with
	// this algorithm. Empty means JSON.
	UserInfoSignedResponseAlg string `json:"userinfo_signed_response_alg,omitempty"`

	// IDTokenEncryptedResponseAlg has ID Tokens encrypted for the client after
	// they were signed; empty means not. The enc defaults to A128CBC-HS256.
	IDTokenEncryptedResponseAlg string `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenEncryptedResponseEnc string `json:"id_token_encrypted_response_enc,omitempty"`

	// UserInfoEncryptedResponseAlg has UserInfo responses encrypted, whether
	// they are signed or not; empty means not.
	UserInfoEncryptedResponseAlg string `json:"userinfo_encrypted_response_alg,omitempty"`
	UserInfoEncryptedResponseEnc string `json:"userinfo_encrypted_response_enc,omitempty"`

	// IntrospectionSignedResponseAlg makes introspection responses JWTs signed with
	// this algorithm (RFC 9701, section 6). Empty means JSON.
	IntrospectionSignedResponseAlg string `json:"introspection_signed_response_alg,omitempty"`

	// IntrospectionEncryptedResponseAlg has them encrypted too; empty means not.
	IntrospectionEncryptedResponseAlg string `json:"introspection_encrypted_response_alg,omitempty"`
	IntrospectionEncryptedResponseEnc string `json:"introspection_encrypted_response_enc,omitempty"`

	// TLSClientAuth* are the name of a client of tls_client_auth, one of them (RFC
	// 8705, section 2.1.2).
	TLSClientAuthSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSClientAuthSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSClientAuthSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSClientAuthSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSClientAuthSANEmail  string `json:"tls_client_auth_san_email,omitempty"`

	// TLSBound has every access token of the client bound to the certificate that
	// it shows: a token request without one is refused (RFC 8705, section 3.4).
	TLSBound bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`

	// DPoPBound has every access token of the client bound to a key: a token
	// request without a DPoP proof is refused (RFC 9449, section 5.2).
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`

	// AuthorizationSignedResponseAlg is the algorithm of authorization responses
	// that are JWTs (JARM 3). Empty means RS256.
	AuthorizationSignedResponseAlg string `json:"authorization_signed_response_alg,omitempty"`

	// AuthorizationEncryptedResponseAlg has those encrypted after they were
	// signed; empty means not. The enc defaults to A128CBC-HS256.
	AuthorizationEncryptedResponseAlg string `json:"authorization_encrypted_response_alg,omitempty"`
	AuthorizationEncryptedResponseEnc string `json:"authorization_encrypted_response_enc,omitempty"`

	// SubjectType is public or pairwise; empty means public.
	SubjectType         string `json:"subject_type,omitempty"`
	SectorIdentifierURI string `json:"sector_identifier_uri,omitempty"`

	// DefaultMaxAge is the max_age of a request that names none. Nil means
	// none.
	DefaultMaxAge *int `json:"default_max_age,omitempty"`

	// RequireAuthTime puts auth_time in every ID Token.
	RequireAuthTime bool `json:"require_auth_time,omitempty"`

	// RequestObjectSigningAlg is the one algorithm of request objects (RFC 9101);
	// "none" admits those that are not signed. Empty means any but none.
	RequestObjectSigningAlg string `json:"request_object_signing_alg,omitempty"`

	// RequestObjectEncryptionAlg and Enc are those of encrypted request objects.
	// Empty means any.
	RequestObjectEncryptionAlg string `json:"request_object_encryption_alg,omitempty"`
	RequestObjectEncryptionEnc string `json:"request_object_encryption_enc,omitempty"`

	// RequireSignedRequestObject refuses requests of the client that are not in a
	// signed request object (RFC 9101, section 10.5).
	RequireSignedRequestObject bool `json:"require_signed_request_object,omitempty"`

	// RequirePushedAuthorizationRequests refuses requests of the client that
	// were not pushed (RFC 9126, section 6).
	RequirePushedAuthorizationRequests bool `json:"require_pushed_authorization_requests,omitempty"`

	// PostLogoutRedirectURIs are compared to the letter.
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`

	// Metadata is every other member of the registration, as it was sent or
	// as [OP.AddClient] was given it; echoed by the registration endpoints.
	Metadata map[string]any `json:"-"`
}

// DefaultRedirectURI is the redirect URI of a client that names none.
const DefaultRedirectURI = "https://rp.example/callback"

// String names the client without its secret.
func (c Client) String() string { return "oidctest.Client{ID: " + c.ID + "}" }

// GoString names the client without its secret.
func (c Client) GoString() string { return c.String() }

// LogValue names the client without its secret.
func (c Client) LogValue() slog.Value { return slog.StringValue(c.String()) }

// clone returns a copy that shares no memory with c.
func (c Client) clone() Client {
	c.RedirectURIs = slices.Clone(c.RedirectURIs)
	c.ResponseTypes = slices.Clone(c.ResponseTypes)
	c.GrantTypes = slices.Clone(c.GrantTypes)
	c.PostLogoutRedirectURIs = slices.Clone(c.PostLogoutRedirectURIs)
	c.JWKS = slices.Clone(c.JWKS)
	if c.DefaultMaxAge != nil {
		age := *c.DefaultMaxAge
		c.DefaultMaxAge = &age
	}
	m := make(map[string]any, len(c.Metadata))
	for k, v := range c.Metadata {
		m[k] = v
	}
	c.Metadata = m
	return c
}

// registered is a client at the OP. It is replaced, never changed.
type registered struct {
	Client
	dynamic           bool
	document          bool   // read at its identifier, a URL
	registrationToken string // of RFC 7592; empty for a client of AddClient
	issuedAt          time.Time
}

// grantTypes are the grants the client may use (RFC 7591, section 2).
func (c *registered) grantTypes() []string {
	if len(c.GrantTypes) == 0 {
		return []string{"authorization_code"}
	}
	return c.GrantTypes
}

// redirects reports whether a browser ever comes back to the client.
func (c *registered) redirects() bool {
	return slices.Contains(c.grantTypes(), "authorization_code") || slices.Contains(c.grantTypes(), "implicit")
}

// mayUse reports whether the client is registered for a response type.
func (c *registered) mayUse(responseType string) bool {
	types := c.ResponseTypes
	if len(types) == 0 {
		types = []string{"code"} // Registration 1.0, section 2
	}
	return slices.ContainsFunc(types, func(t string) bool { return sortWords(t) == sortWords(responseType) })
}

func (c *registered) authMethod() string {
	if c.TokenEndpointAuthMethod == "" {
		return "client_secret_basic" // Registration 1.0, section 2
	}
	return c.TokenEndpointAuthMethod
}

// displayName is what the login page calls the client.
func (c *registered) displayName() string {
	if c.Name == "" {
		return c.ID
	}
	return c.Name
}

// needsSecret reports whether the client has a use for a secret: to
// authenticate, as the key of HS* (Core 10.1) or of an encryption (Core 10.2).
func (c Client) needsSecret() bool {
	symmetric := func(alg string) bool { return len(alg) > 2 && alg[:2] == "HS" }
	shared := func(alg string) bool { return alg != "" && secretKeySize(alg, defaultEnc) > 0 }
	if shared(c.IDTokenEncryptedResponseAlg) || shared(c.UserInfoEncryptedResponseAlg) || shared(c.AuthorizationEncryptedResponseAlg) {
		return true // Core 10.2
	}
	switch c.TokenEndpointAuthMethod {
	case "none", "private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth":
		return symmetric(c.IDTokenSignedResponseAlg) || symmetric(c.UserInfoSignedResponseAlg) ||
			symmetric(c.AuthorizationSignedResponseAlg)
	}
	return true
}

// AddClient registers a client without asking the registration endpoint, and
// returns it with everything filled in. A client that is registered already is
// replaced. What is in c is taken as it is: nothing of it is validated.
func (op *OP) AddClient(c Client) Client {
	op.mu.Lock()
	defer op.mu.Unlock()
	c = c.clone()
	op.credentials(&c)
	if c.RedirectURIs == nil {
		c.RedirectURIs = []string{DefaultRedirectURI}
	}
	if c.ResponseTypes == nil {
		c.ResponseTypes = op.responseTypes()
	}
	if c.GrantTypes == nil {
		c.GrantTypes = op.loginGrants()
	}
	if c.TokenEndpointAuthMethod == "" {
		c.TokenEndpointAuthMethod = "client_secret_basic"
	}
	op.putClient(&registered{Client: c, issuedAt: op.now()})
	return c.clone()
}

// RemoveClient forgets a client, as an OP does that cleans up; it reports
// whether there was one.
func (op *OP) RemoveClient(id string) bool {
	op.mu.Lock()
	defer op.mu.Unlock()
	if _, ok := op.clients[id]; !ok {
		return false
	}
	op.dropClient(id)
	return true
}

// Clients returns every client, the oldest first.
func (op *OP) Clients() []Client {
	op.mu.Lock()
	defer op.mu.Unlock()
	all := make([]Client, len(op.order))
	for i, id := range op.order {
		all[i] = op.clients[id].clone()
	}
	return all
}

// maxClients is how many clients the OP keeps: with open registration the
// oldest dynamic one makes room for the next.
const maxClients = 10000

// putClient adds or replaces a client. The caller holds op.mu.
func (op *OP) putClient(c *registered) {
	if _, ok := op.clients[c.ID]; !ok {
		if len(op.order) >= maxClients {
			if i := slices.IndexFunc(op.order, func(id string) bool { return op.clients[id].dynamic }); i >= 0 {
				op.dropClient(op.order[i])
			}
		}
		op.order = append(op.order, c.ID)
	}
	op.clients[c.ID] = c
}

// dropClient forgets a client with all it was granted. The caller holds op.mu.
func (op *OP) dropClient(id string) {
	delete(op.clients, id)
	op.order = slices.DeleteFunc(op.order, func(o string) bool { return o == id })
	op.codes.dropAll(func(c *code) bool { return c.grant.clientID == id })
	op.access.dropAll(func(t *accessToken) bool { return t.grant.clientID == id })
	op.refresh.dropAll(func(t *refreshToken) bool { return t.grant.clientID == id })
}

// awkward holds what HTTP Basic authentication must percent-encode
// (RFC 6749, section 2.3.1).
const awkward = " :%+/é&=?"

// credentials issues the identifier and the secret that c lacks. The caller
// holds op.mu.
func (op *OP) credentials(c *Client) {
	extra := ""
	if op.c.AwkwardCredentials {
		extra = awkward
	}
	if c.ID == "" {
		c.ID = "client-" + op.random(9) + extra
	}
	if c.Secret == "" && c.needsSecret() {
		c.Secret = "secret-" + op.random(33) + extra // long enough for HS256 (RFC 7518, section 3.2)
		if len(c.Secret) < 64 {
			c.Secret += op.random(24)
		}
	}
}
