package login_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"rely.example/login"
	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
)

// handlerWay is the way from the OP to the application's handlers.
type handlerWay struct{ app http.Handler }

// RoundTrip has the application answer.
func (h *handlerWay) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.app.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, nil
}

// cibaApp is an application whose users confirm elsewhere.
func cibaApp(t *testing.T, mode string) (*rig, *rp.RP) {
	t.Helper()
	way := &handlerWay{}
	op := newOP(t, func(c *oidctest.Config) { c.DecisionTime, c.Client = -1, &http.Client{Transport: way} })
	known := op.AddClient(oidctest.Client{GrantTypes: []string{oidc.GrantCIBA}, Metadata: map[string]any{
		"backchannel_token_delivery_mode": mode, "backchannel_client_notification_endpoint": origin + "/auth/ciba",
	}})
	r := setupAt(t, op)
	c, err := oidc.NewClient(r.client.Provider(), oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: oidc.ClientMetadata{
		GrantTypes: []string{oidc.GrantCIBA}, BackchannelTokenDeliveryMode: mode, BackchannelClientNotificationEndpoint: origin + "/auth/ciba",
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := rp.New(rp.Config{Directory: rp.Only(c), Store: r.store, Keys: [][]byte{r.key}, Now: op.Now})
	if err != nil {
		t.Fatal(err)
	}
	r.m = r.manager(func(c *login.Config) { c.RP, c.Directory = p, nil })
	way.app = r.mux(r.m)
	r.app = way.app
	return r, p
}

// TestHostileCIBA is case 326 at the notification endpoint: what is answered, and
// that it is never a redirect.
func TestHostileCIBA(t *testing.T) {
	for _, mode := range []string{oidc.CIBAPing, oidc.CIBAPush} {
		for fault, status := range map[oidctest.NotificationFault]int{
			"": 204, oidctest.NotifyWrongBearer: 401, oidctest.NotifyNoBearer: 401, oidctest.NotifyOtherRequest: 401,
			oidctest.NotifyNotJSON: 400, oidctest.NotifyNoRequest: 400, oidctest.NotifyHuge: 400, oidctest.PushOtherRequest: 400,
		} {
			if mode == oidc.CIBAPing && fault == oidctest.PushOtherRequest {
				continue
			}
			t.Run("326_"+mode+"_"+string(fault), func(t *testing.T) {
				r, p := cibaApp(t, mode)
				state, l, err := p.StartCIBA(t.Context(), rp.CIBA{Issuer: r.op.Issuer, Params: oidc.CIBAParams{LoginHint: "alice"}})
				if err != nil {
					t.Fatal(err)
				}
				if err := r.op.Approve(l.AuthReqID, ""); err != nil {
					t.Fatal(err)
				}
				var faults []oidctest.NotificationFault
				if fault != "" {
					faults = append(faults, fault)
				}
				res, err := r.op.Notify(t.Context(), l.AuthReqID, faults...)
				if err != nil {
					t.Fatal(err)
				}
				if res.StatusCode != status || res.Header.Get("Location") != "" || len(res.Cookies()) != 0 {
					t.Errorf("answered %d %v, want %d", res.StatusCode, res.Header, status)
				}
				if status == 401 && res.Header.Get("WWW-Authenticate") == "" {
					t.Error("a 401 without a challenge")
				}
				g, err := p.CheckCIBA(t.Context(), state)
				if ok := g != nil && err == nil; ok != (status == 204) {
					t.Errorf("got %v, %v", g, err)
				}
			})
		}
	}
	t.Run("326_other_methods", func(t *testing.T) {
		r, _ := cibaApp(t, oidc.CIBAPing)
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodHead} {
			w := httptest.NewRecorder()
			r.app.ServeHTTP(w, httptest.NewRequest(method, origin+"/auth/ciba", nil))
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != http.MethodPost {
				t.Errorf("%s is answered %d", method, w.Code)
			}
		}
	})
	t.Run("326_the_store_is_down", func(t *testing.T) {
		r, p := cibaApp(t, oidc.CIBAPing)
		_, l, err := p.StartCIBA(t.Context(), rp.CIBA{Issuer: r.op.Issuer, Params: oidc.CIBAParams{LoginHint: "alice"}})
		if err != nil {
			t.Fatal(err)
		}
		r.store.down()
		res, err := r.op.Notify(t.Context(), l.AuthReqID)
		if err != nil || res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "" {
			t.Errorf("answered %v, %v", res, err)
		}
	})
	t.Run("326_storeless", func(t *testing.T) {
		r := setup(t, func(c *login.Config) { c.Storeless, c.Store = true, nil })
		w := httptest.NewRecorder()
		r.app.ServeHTTP(w, httptest.NewRequest(http.MethodPost, origin+"/auth/ciba", strings.NewReader("{}")))
		if w.Code != http.StatusNotImplemented {
			t.Errorf("answered %d", w.Code)
		}
		if err := r.m.CIBA(httptest.NewRequest(http.MethodPost, origin+"/auth/ciba", nil)); !errors.Is(err, login.Unsupported) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("326_status_of_errors", func(t *testing.T) {
		for err, status := range map[error]int{rp.UnknownNotification: 401, rp.CIBAFailed: 403, rp.CIBAPending: 500} {
			if got := login.Status(err); got != status {
				t.Errorf("%v is %d, want %d", err, got, status)
			}
		}
	})
}
