package login

import (
	"errors"
	"net/http"

	"rely.example/oidc"
	"rely.example/rp"
)

// CIBA takes what an OP posts to the notification endpoint of a client (CIBA Core
// sections 10.2 and 10.3): a ping, pushed tokens or a pushed error. What comes of it
// is found by rp.RP's CheckCIBA and FinishCIBA, at any instance. The answer to give is
// CIBAStatus of the error; Handler gives it, at Paths.CIBA.
func (m *Manager) CIBA(r *http.Request) error {
	if m.rp == nil {
		return &Error{Reason: Unsupported, Detail: "a notification needs a store"}
	}
	n, err := oidc.ReadCIBANotification(r)
	if err != nil {
		return err
	}
	return m.rp.NotifyCIBA(r.Context(), n)
}

// CIBAStatus is the status of the answer to a notification: 204 without an error;
// 401 if it bears not the token of its login; 400 if it is none, or pushes what is
// not to be believed; 503 if we cannot tell now; 501 in Storeless.
func CIBAStatus(err error) int {
	temporary, ok := errors.AsType[interface {
		error
		Temporary() bool
	}](err)
	switch {
	case err == nil:
		return http.StatusNoContent
	case errors.Is(err, rp.UnknownNotification):
		return http.StatusUnauthorized
	case errors.Is(err, Unsupported):
		return http.StatusNotImplemented
	case errors.Is(err, oidc.KeysUnavailable), ok && temporary.Temporary():
		return http.StatusServiceUnavailable
	}
	if _, ok := errors.AsType[*oidc.ProtocolError](err); ok {
		return http.StatusBadRequest
	}
	return http.StatusServiceUnavailable
}

// handleCIBA is Paths.CIBA. Whatever comes, the answer is no redirect and says
// nothing about which logins there are.
func (m *Manager) handleCIBA(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Method != http.MethodPost {
		h.Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	err := m.CIBA(r)
	status := CIBAStatus(err)
	if err != nil {
		m.note(r, "login: CIBA notification refused", err)
	}
	switch status {
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer") // RFC 9110 section 15.5.2
	case http.StatusServiceUnavailable:
		h.Set("Retry-After", "10")
	}
	w.WriteHeader(status)
}
