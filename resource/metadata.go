package resource

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// wellKnown is RFC 9728 section 3.
const wellKnown = "/.well-known/oauth-protected-resource"

// makeMetadata writes the document once: it does not change.
func (s *Server) makeMetadata(resource *url.URL) error {
	doc := map[string]any{
		"resource":                          s.c.Resource,
		"bearer_methods_supported":          []string{"header"},
		"dpop_signing_alg_values_supported": s.c.ProofAlgorithms,
	}
	var issuers []string
	for _, v := range s.verifiers {
		issuers = append(issuers, v.Provider().Issuer())
	}
	doc["authorization_servers"] = issuers
	if len(s.c.About.Scopes) > 0 {
		doc["scopes_supported"] = s.c.About.Scopes
	}
	if s.c.About.Name != "" {
		doc["resource_name"] = s.c.About.Name
	}
	if s.c.About.Documentation != "" {
		doc["resource_documentation"] = s.c.About.Documentation
	}
	var err error
	if s.metadata, err = json.Marshal(doc); err != nil {
		return &Error{Reason: BadConfig, Detail: "Config.About", Err: err}
	}
	// RFC 9728 section 3.1: between host and path, without a final slash.
	u := *resource
	s.metadataPath = wellKnown + strings.TrimSuffix(u.EscapedPath(), "/")
	u.Path, u.RawPath = "", ""
	query := u.RawQuery
	u.RawQuery = ""
	s.metadataURL = u.String() + s.metadataPath
	if query != "" {
		s.metadataURL += "?" + query
	}
	return nil
}

// MetadataPath is where Metadata belongs on the host of Config.Resource.
func (s *Server) MetadataPath() string { return s.metadataPath }

// MetadataURL is where clients find the metadata, as challenges tell them.
func (s *Server) MetadataURL() string { return s.metadataURL }

// maxMetadataAge is how long clients may keep the metadata.
const maxMetadataAge = "public, max-age=3600"

// Metadata serves the protected resource metadata (RFC 9728): which OPs' tokens
// this API accepts, how, and for which scopes. Anybody may read it, from any page.
func (s *Server) Metadata() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "application/json")
		h.Set("Cache-Control", maxMetadataAge)
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("X-Content-Type-Options", "nosniff")
		_, _ = w.Write(s.metadata) // a client that left is no fault of ours
	})
}
