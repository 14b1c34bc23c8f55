package login

import (
	"net/http"
	"strings"
)

// Handler serves Config.Paths, and answers 404 for anything else: mount it at
// the directory of the paths, "/auth/" if they are the default ones.
func (m *Manager) Handler() http.Handler {
	p := &m.c.Paths
	exact := map[string]http.HandlerFunc{
		p.Login: m.handleLogin, p.Callback: m.handleCallback, p.Logout: m.handleLogout, p.LogoutReturn: m.handleLogoutReturn,
		p.BackChannel: m.handleBackChannel, p.FrontChannel: m.handleFrontChannel, p.Initiate: m.handleInitiate,
		p.SessionFrame: m.handleSessionFrame, p.SessionScript: m.handleSessionScript, p.FragmentScript: m.handleFragmentScript,
		p.JWKS: m.handleJWKS, p.CIBA: m.handleCIBA,
		p.ClientDocument: m.handleClientDocument,
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path := r.URL.Path
		if h, ok := exact[path]; ok {
			h(w, r)
			return
		}
		if strings.HasPrefix(path, p.Callback+"/") {
			m.handleCallback(w, r)
			return
		}
		if id, ok := strings.CutPrefix(path, p.RequestObjects+"/"); ok {
			m.handleRequestObject(w, r, id)
			return
		}
		m.show(w, http.StatusNotFound, page{Title: "Not found", Text: "There is no such page.", Links: m.homeLink()})
	})
}

// handleJWKS is Paths.JWKS.
func (m *Manager) handleJWKS(w http.ResponseWriter, r *http.Request) {
	if m.jwks == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.show(w, http.StatusNotFound, page{Title: "Not found", Text: "There is no such page.", Links: m.homeLink()})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/jwk-set+json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(m.jwks) // a reader that left is no fault of ours
}

// handleClientDocument is Paths.ClientDocument.
func (m *Manager) handleClientDocument(w http.ResponseWriter, r *http.Request) {
	if m.document == nil || r.Method != http.MethodGet && r.Method != http.MethodHead {
		m.show(w, http.StatusNotFound, page{Title: "Not found", Text: "There is no such page.", Links: m.homeLink()})
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(m.document) // a reader that left is no fault of ours
}
