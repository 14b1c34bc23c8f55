package login

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"time"

	"rely.example/internal/seal"
	"rely.example/store"
)

const (
	// requestClass is where request objects wait for their OP.
	requestClass = "request:"
	// requestPurpose seals them: they hold the nonce of a login.
	requestPurpose = "request object"
	// requestID is how many random bytes name one.
	requestID = 16
	// maxRequestObject bounds a request object, in bytes.
	maxRequestObject = 32 << 10
)

// publish keeps a request object for the OP to fetch at Paths.RequestObjects
// (oidc.AuthParams.Publish). The URL names it by random bits and nothing else, so
// that there is no path to walk (hostile catalogue case 95).
func (m *Manager) publish(ctx context.Context, object []byte, expires time.Time) (string, error) {
	if len(object) > maxRequestObject {
		return "", &Error{Reason: TooLarge, Detail: fmt.Sprintf("the request object has %d bytes, at most %d", len(object), maxRequestObject)}
	}
	var b [requestID]byte
	rand.Read(b[:])
	id := base64.RawURLEncoding.EncodeToString(b[:])
	place := seal.Hashed(requestClass, id)
	sealed, err := m.ring.seal(requestPurpose, place, object)
	if err != nil {
		return "", err
	}
	if _, err := m.c.Store.Create(ctx, store.Record{Key: place, Value: sealed, Expires: expires}); err != nil {
		return "", &Error{Reason: StoreUnavailable, Detail: "keeping the request object", Err: err}
	}
	return m.origin + m.c.Paths.RequestObjects + "/" + id, nil
}

// handleRequestObject serves a request object, once: whoever comes second has
// learned the URL from somebody. Only a GET uses it up.
func (m *Manager) handleRequestObject(w http.ResponseWriter, r *http.Request, id string) {
	gone := func(status int) {
		m.private(w)
		w.WriteHeader(status)
	}
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		gone(http.StatusMethodNotAllowed)
		return
	}
	if b, err := base64.RawURLEncoding.Strict().DecodeString(id); err != nil || len(b) != requestID || m.c.Store == nil {
		gone(http.StatusNotFound)
		return
	}
	place := seal.Hashed(requestClass, id)
	rec, err := m.c.Store.Take(r.Context(), place)
	if errors.Is(err, store.ErrNotFound) {
		gone(http.StatusNotFound)
		return
	}
	if err != nil {
		m.log.ErrorContext(r.Context(), "login: a request object could not be served", "error", err)
		gone(http.StatusServiceUnavailable)
		return
	}
	object, err := m.ring.open(requestPurpose, place, rec.Value)
	if err != nil || !m.now().Before(rec.Expires) {
		gone(http.StatusNotFound)
		return
	}
	m.private(w)
	w.Header().Set("Content-Type", "application/oauth-authz-req+jwt") // RFC 9101 section 9.4.1
	_, _ = w.Write(object)                                            // a reader that left is no fault of ours
}
