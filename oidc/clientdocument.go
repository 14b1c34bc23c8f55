package oidc

import (
	"encoding/json"
	"net/url"
	"path"
	"strings"

	"rely.example/internal/strictjson"
)

// ClientDocument is the JSON to serve at a client identifier that is a URL (OAuth
// Client ID Metadata Document section 4): an OP that announces
// client_id_metadata_document_supported reads it there, and nobody registers the
// client. login serves one (login.Config.ClientDocument).
//
// id is an https URL with a path. The metadata holds no secret, and names no
// authentication that needs one: whoever reads the document would have it.
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
	for _, name := range []string{"client_id", "client_secret", "client_secret_expires_at"} {
		if _, there := m.Extra[name]; there {
			return nil, &InputError{Reason: ProtectedParameter, Field: "ClientMetadata.Extra", Detail: name + " does not belong there"}
		}
	}
	b, err := m.MarshalJSON()
	if err != nil {
		return nil, err
	}
	all, err := strictjson.Object(b)
	if err != nil {
		return nil, err
	}
	if all["client_id"], err = json.Marshal(id); err != nil {
		return nil, err
	}
	return json.Marshal(all)
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
	case u.Path == "" || u.Path == "/":
		return bad("it has no path")
	case path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
		return bad("its path has a dot segment or an empty one")
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
