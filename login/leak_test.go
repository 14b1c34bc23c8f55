package login_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store/memstore"
)

// TestNothingRunsAfterClose: logins, refreshes, rotations, a failed fetch and a
// logout, in a bubble that does not end while a goroutine of it lives: those of
// login, rp, oidc and the memory store, with a directory that made its Provider
// itself.
func TestNothingRunsAfterClose(t *testing.T) {
	for name, edit := range map[string]func(*login.Config){"stored": func(*login.Config) {}, "sealed": storeless} {
		t.Run(name, func(t *testing.T) { nothingRunsAfterClose(t, edit) })
	}
}

func nothingRunsAfterClose(t *testing.T, edit func(*login.Config)) {
	rsaKey() // outside of the bubble
	synctest.Test(t, func(t *testing.T) {
		op, err := oidctest.Start(oidctest.Config{InMemory: true, RefreshAlways: true, RSAKey: rsaKey()})
		if err != nil {
			t.Fatal(err)
		}
		wire := op.HTTPClient()
		o := &oidc.Options{HTTPClient: wire, AllowPrivate: []string{"op.test"}, Trace: &oidc.Trace{}}
		c := op.AddClient(oidctest.Client{RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}})
		config := login.Config{Origin: origin, Store: new(memstore.Store), Directory: rp.Configured(op.Issuer, o, oidc.ClientConfig{ID: c.ID, Secret: c.Secret,
			Metadata: oidc.ClientMetadata{RedirectURIs: []string{origin + "/auth/callback"}, PostLogoutRedirectURIs: []string{origin + "/auth/logout/return"}}})}
		edit(&config)
		m, err := login.New(config)
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, op: op, m: m}
		r.app = r.mux(m)
		for range 3 {
			b := r.browser()
			b.mustLogin("/page")
			op.RotateKeys()
			op.WithdrawKeys()
			time.Sleep(9*time.Minute + 45*time.Second) // in the bubble's time: nearly the life of a token
			res := b.navigate("/tokens/")
			wantStatus(t, res, http.StatusOK)
		}
		// A fetch that nobody waits for: the keys get old, and the OP is slow.
		r.browser().mustLogin("/page")
		time.Sleep(agingKeys)
		op.Intercept(oidctest.EndpointJWKS, func(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() })
		r.browser().mustLogin("/page")
		synctest.Wait()
		if !running("jose.(*Remote).fly") {
			t.Error("no fetch of keys is under way: the test shows nothing")
		}
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		synctest.Wait()
		if running("jose.(*Remote).fly") {
			t.Error("a fetch of keys goes on after Close")
		}
		if err := m.Close(); err != nil {
			t.Errorf("a second Close: %v", err)
		}
		wire.CloseIdleConnections()
		if err := op.Close(); err != nil {
			t.Errorf("closing the OP: %v", err)
		}
	})
}

// agingKeys is when the OP's keys get old: after three quarters of the 5 minutes
// that it says they are fresh.
const agingKeys = 4 * time.Minute

// running reports whether a goroutine is in that function.
func running(function string) bool {
	b := make([]byte, 1<<20)
	return strings.Contains(string(b[:runtime.Stack(b, true)]), function)
}

func TestReadiness(t *testing.T) {
	r := setup(t)
	ask := func(method string) (int, map[string]any) {
		t.Helper()
		w := httptest.NewRecorder()
		r.m.Readiness().ServeHTTP(w, httptest.NewRequest(method, "/ready", nil))
		var body map[string]any
		if method == http.MethodGet {
			if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
				t.Fatalf("%v: %s", err, w.Body)
			}
		}
		return w.Code, body
	}
	r.browser().mustLogin("/page")
	status, body := ask("GET")
	issuers, _ := body["issuers"].([]any)
	if status != 200 || body["status"] != "ready" || body["store"] != "ok" || len(issuers) != 1 {
		t.Fatalf("status %d: %v", status, body)
	}
	if one := issuers[0].(map[string]any); one["issuer"] != r.op.Issuer || one["usable"] != true || one["keys"] == 0.0 || one["metadata_age"] == nil || one["keys_age"] == nil || one["last_failure"] != nil {
		t.Errorf("the OP: %v", one)
	}
	if status, _ := ask("POST"); status != http.StatusMethodNotAllowed {
		t.Errorf("POST: %d", status)
	}

	r.op.Break(oidctest.JWKSUnavailable)
	r.op.Advance(2 * time.Hour)
	r.browser().login("/page")
	status, body = ask("GET")
	one := body["issuers"].([]any)[0].(map[string]any)
	failure, _ := one["last_failure"].(map[string]any)
	if status != 200 || body["status"] != "degraded" || failure["step"] != oidc.StepKeys || failure["fault"] != string(oidc.FaultRefusal) || failure["advice"] == "" {
		t.Errorf("status %d: %v", status, body)
	}

	r.store.down()
	if status, body = ask("GET"); status != 503 || body["status"] != "unavailable" || body["store"] != "unavailable" {
		t.Errorf("status %d: %v", status, body)
	}
	r.store.up()
	if err := r.m.Close(); err != nil {
		t.Fatal(err)
	}
	if status, body = ask("GET"); status != 503 || body["closed"] != true {
		t.Errorf("after Close: status %d: %v", status, body)
	}
	// Who is logged in is not turned away by that, and who logs in is told to come back.
	res := r.browser().navigate("/page")
	wantStatus(t, res, http.StatusServiceUnavailable)

	storeless, err := login.New(login.Config{Origin: origin, Storeless: true, Directory: rp.Only(r.client), Keys: [][]byte{r.key}})
	if err != nil {
		t.Fatal(err)
	}
	if h := storeless.Health(t.Context()); !h.Ready() || len(h.Issuers) != 1 {
		t.Errorf("without a store: %+v", h)
	}
	if err := storeless.Close(); err != nil {
		t.Fatal(err)
	}
	if h := storeless.Health(t.Context()); h.Ready() || !h.Closed {
		t.Errorf("without a store, after Close: %+v", h)
	}
}
