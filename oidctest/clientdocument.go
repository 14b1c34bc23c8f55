package oidctest

import (
	"encoding/json"
	"strings"
)

// knownClient finds a client by its identifier, which may be the URL of its
// metadata (Config.ClientDocuments).
func (x *exchange) knownClient(id string) (*registered, bool) {
	op := x.op
	op.mu.Lock()
	c, ok := op.clients[id]
	op.mu.Unlock()
	if ok || !op.c.ClientDocuments || !strings.HasPrefix(id, "https://") {
		return c, ok
	}
	text, err := op.fetch(x.r.Context(), id)
	if err != nil {
		return nil, false
	}
	var doc Client
	var all map[string]any
	if json.Unmarshal(text, &doc) != nil || json.Unmarshal(text, &all) != nil {
		return nil, false
	}
	// Client ID Metadata Document, section 4.1: it says whose it is, and holds no
	// secret.
	_, secret := all["client_secret"]
	if doc.ID != id || secret || strings.HasPrefix(doc.TokenEndpointAuthMethod, "client_secret_") || len(doc.RedirectURIs) == 0 {
		return nil, false
	}
	if doc.TokenEndpointAuthMethod == "" {
		doc.TokenEndpointAuthMethod = "none"
	}
	doc.Metadata = all
	op.mu.Lock()
	defer op.mu.Unlock()
	op.putClient(&registered{Client: doc, dynamic: true, issuedAt: x.now})
	return op.clients[id], true
}
