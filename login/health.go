package login

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"rely.example/oidc"
	"rely.example/rp"
)

// healthTimeout bounds how long the store may take to say that it is there.
const healthTimeout = 5 * time.Second

// Health is how the RP is; see rp.RP.Health. In Storeless there is no store that
// could be down.
func (m *Manager) Health(ctx context.Context) rp.Health {
	if m.rp == nil {
		h := m.reader.Health(ctx)
		h.Store = nil
		return h
	}
	return m.rp.Health(ctx)
}

// Readiness answers whether requests should come to this process: 200, or 503 while
// the store does not answer and after Close. The body says in JSON how each OP is,
// for people; of a failure its kind, and nothing that a stranger wrote. It belongs
// where the load balancer asks and users do not.
func (m *Manager) Readiness() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), healthTimeout)
		defer cancel()
		h := m.Health(ctx)
		body, err := json.Marshal(m.readiness(h))
		status := http.StatusOK
		switch {
		case err != nil:
			status, body = http.StatusInternalServerError, []byte("{}")
		case !h.Ready():
			status = http.StatusServiceUnavailable
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(status)
		_, _ = w.Write(body) // a caller that left is no fault of ours
	})
}

// readinessBody is what Readiness answers with.
type readinessBody struct {
	Status  string            `json:"status"` // ready, degraded or unavailable
	Closed  bool              `json:"closed,omitempty"`
	Store   string            `json:"store"` // ok or unavailable
	Unsaved int               `json:"unsaved_grants,omitempty"`
	Issuers []readinessIssuer `json:"issuers"`
}

// readinessIssuer is one OP. Ages are in seconds; null for what was never fetched.
type readinessIssuer struct {
	Issuer      string `json:"issuer"`
	Usable      bool   `json:"usable"`
	MetadataAge *int64 `json:"metadata_age"`
	Keys        int    `json:"keys"`
	KeysAge     *int64 `json:"keys_age"`
	// LastFailure is what failed since the last success: step, fault, reason.
	LastFailure *readinessFailure `json:"last_failure,omitempty"`
}

type readinessFailure struct {
	Age    int64      `json:"age"`
	Step   string     `json:"step,omitempty"`
	Fault  oidc.Fault `json:"fault"`
	Reason string     `json:"reason"`
	Advice string     `json:"advice"`
}

func (m *Manager) readiness(h rp.Health) readinessBody {
	b := readinessBody{Status: "ready", Closed: h.Closed, Store: "ok", Unsaved: h.Unsaved, Issuers: []readinessIssuer{}}
	if h.Degraded() {
		b.Status = "degraded"
	}
	if !h.Ready() {
		b.Status = "unavailable"
	}
	if h.Store != nil {
		b.Store = "unavailable"
	}
	now := m.now()
	age := func(t time.Time) *int64 {
		if t.IsZero() {
			return nil
		}
		s := int64(now.Sub(t) / time.Second)
		return &s
	}
	for _, i := range h.Issuers {
		one := readinessIssuer{Issuer: i.Issuer, Usable: i.Usable, MetadataAge: age(i.MetadataFetched), Keys: i.Keys, KeysAge: age(i.KeysFetched)}
		if i.LastFailure != nil {
			f := oidc.Explain(i.LastFailure)
			one.LastFailure = &readinessFailure{Step: f.Step, Fault: f.Fault, Reason: f.Reason, Advice: f.Advice}
			if a := age(i.LastFailureAt); a != nil {
				one.LastFailure.Age = *a
			}
		}
		b.Issuers = append(b.Issuers, one)
	}
	return b
}
