package oidc

import (
	"encoding/json"
	"maps"
	"net/url"
	"path"
	"strconv"
	"strings"

	"rely.example/internal/jose"
)

// MaxClientDocument is how long the document of a client may be, in bytes: OPs are
// advised to read no more (Client ID Metadata Document section 6.6).
const MaxClientDocument = 5 << 10

// ClientDocument is the JSON to serve at a client identifier that is a URL (OAuth
// Client ID Metadata Document section 4): an OP that announces
// client_id_metadata_document_supported reads it there, and nobody registers the
// client. login serves one (login.Config.ClientDocument).
//
// id is an https URL with a path. The metadata holds no secret and no private key,
// and names no authentication or algorithm that needs a secret: whoever reads the
// document would have it. What an OP must refuse is not made.
func ClientDocument(id string, m ClientMetadata) ([]byte, error) {
	if err := checkDocumentID(id); err != nil {
		return nil, err
	}
	if len(m.RedirectURIs) == 0 && m.usesRedirects() {
		return nil, &InputError{Reason: BadConfig, Field: "ClientMetadata.RedirectURIs", Detail: "at least one is required"}
	}
	if m.TokenEndpointAuthMethod == "" {
		m.TokenEndpointAuthMethod = AuthNone // the default of registration is a secret
	}
	if err := checkDocumentAuth(m.TokenEndpointAuthMethod); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if err := checkDocumentKeys(&m); err != nil {
		return nil, err
	}
	for _, name := range []string{"client_id", "client_secret", "client_secret_expires_at"} {
		if _, there := m.Extra[name]; there {
			return nil, &InputError{Reason: ProtectedParameter, Field: "ClientMetadata.Extra", Detail: name + " does not belong there"}
		}
	}
	if m.Extra = maps.Clone(m.Extra); m.Extra == nil {
		m.Extra = make(map[string]json.RawMessage)
	}
	m.Extra["client_id"], _ = json.Marshal(id) // a text
	doc, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if len(doc) > MaxClientDocument {
		return nil, &InputError{Reason: BadConfig, Field: "ClientMetadata", Detail: "the document has " + strconv.Itoa(len(doc)) + " bytes, where OPs read " +
			strconv.Itoa(MaxClientDocument) + " (Client ID Metadata Document section 6.6); put keys at jwks_uri"}
	}
	return doc, nil
}

// checkDocumentID applies section 3: https, a path, no dot segment, and nothing
// that could be written in two ways.
func checkDocumentID(id string) error {
	bad := func(detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.ID", Detail: detail + " (Client ID Metadata Document section 3)"}
	}
	u, err := url.Parse(id)
	switch {
	case err != nil || u.Scheme != "https" || u.Host == "":
		return bad("it is no https URL")
	case u.User != nil || strings.Contains(id, "#"):
		return bad("it has user information or a fragment")
	case path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
		return bad("it has no path, or one with a dot segment or an empty one")
	}
	return nil
}

// checkDocumentAuth refuses a secret that two would have to share.
func checkDocumentAuth(method string) error {
	if strings.HasPrefix(method, "client_secret_") {
		return &InputError{Reason: BadConfig, Field: "ClientMetadata.TokenEndpointAuthMethod",
			Detail: method + " needs a secret, which a public document cannot hold (Client ID Metadata Document section 4.1)"}
	}
	return nil
}

// checkDocumentKeys refuses keys that nobody else may have, algorithms that need a
// secret, of which there is none, and an authentication whose keys are nowhere.
func checkDocumentKeys(m *ClientMetadata) error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientMetadata." + field, Detail: detail}
	}
	if len(m.JWKS) > 0 {
		set, err := jose.ParseKeySet(m.JWKS)
		if err != nil {
			return bad("JWKS", "it is no JWK Set")
		}
		for _, k := range set.Skipped() {
			switch k.Why {
			case jose.PrivateKey, jose.SymmetricKey, jose.BrokenKey: // of the last nobody knows what it tells
				return bad("JWKS", string(k.Why)+": "+quote(k.ID)+" (Client ID Metadata Document section 4.1)")
			}
		}
	}
	for _, a := range []struct {
		field, alg string
		needs      func(string) bool
	}{
		{"TokenEndpointAuthSigningAlg", m.TokenEndpointAuthSigningAlg, jose.Symmetric},
		{"IDTokenSignedResponseAlg", m.IDTokenSignedResponseAlg, jose.Symmetric},
		{"UserInfoSignedResponseAlg", m.UserInfoSignedResponseAlg, jose.Symmetric},
		{"AuthorizationSignedResponseAlg", m.AuthorizationSignedResponseAlg, jose.Symmetric},
		{"IntrospectionSignedResponseAlg", m.IntrospectionSignedResponseAlg, jose.Symmetric},
		{"RequestObjectSigningAlg", m.RequestObjectSigningAlg, jose.Symmetric},
		{"IDTokenEncryptedResponseAlg", m.IDTokenEncryptedResponseAlg, symmetricEncryption},
		{"UserInfoEncryptedResponseAlg", m.UserInfoEncryptedResponseAlg, symmetricEncryption},
		{"AuthorizationEncryptedResponseAlg", m.AuthorizationEncryptedResponseAlg, symmetricEncryption},
		{"IntrospectionEncryptedResponseAlg", m.IntrospectionEncryptedResponseAlg, symmetricEncryption},
		{"RequestObjectEncryptionAlg", m.RequestObjectEncryptionAlg, symmetricEncryption},
	} {
		if a.needs(a.alg) {
			return bad(a.field, a.alg+" needs a secret, which a public document cannot hold (Client ID Metadata Document section 4.1)")
		}
	}
	if method := m.TokenEndpointAuthMethod; (method == AuthPrivateKey || method == AuthSelfSignedTLS) && len(m.JWKS) == 0 && m.JWKSURI == "" {
		return bad("JWKS", method+" needs jwks or jwks_uri (Client ID Metadata Document section 6.2)")
	}
	return nil
}

// checkDocument refuses, when the client is made, what an OP that reads its
// document could not work with.
func (c *Client) checkDocument(md *ProviderMetadata) error {
	if !c.c.IDDocument {
		return nil
	}
	if err := checkDocumentID(c.c.ID); err != nil {
		return err
	}
	if err := checkDocumentAuth(c.auth.Method()); err != nil {
		return err
	}
	if !md.ClientIDMetadataDocumentSupported {
		return &UnsupportedError{Feature: "client ID metadata documents", Detail: "the OP does not announce client_id_metadata_document_supported; register the client"}
	}
	return nil
}
