package rp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
	"rely.example/rp"
	"rely.example/store"
)

// cibaRig is a relying party whose users confirm elsewhere, with two instances:
// notifications arrive at the second.
type cibaRig struct {
	*rig
	other    *rp.RP
	received []error // what NotifyCIBA said
}

// RoundTrip is the way of a notification to the second instance.
func (r *cibaRig) RoundTrip(req *http.Request) (*http.Response, error) {
	status := http.StatusNoContent
	n, err := oidc.ReadCIBANotification(req)
	if err == nil {
		err = r.other.NotifyCIBA(req.Context(), n)
	}
	r.received = append(r.received, err)
	switch {
	case errors.Is(err, rp.UnknownNotification):
		status = http.StatusUnauthorized
	case err != nil:
		status = http.StatusBadRequest
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: req}, nil
}

func cibaSetup(t *testing.T, mode string, edit ...func(*oidctest.Config)) *cibaRig {
	t.Helper()
	r := &cibaRig{}
	op := newOP(t, append([]func(*oidctest.Config){func(c *oidctest.Config) {
		c.InMemory, c.DecisionTime, c.Client = true, -1, &http.Client{Transport: r}
	}}, edit...)...)
	r.rig = setupAt(t, op)
	known := op.AddClient(oidctest.Client{GrantTypes: []string{oidc.GrantCIBA, "refresh_token"}, Metadata: map[string]any{
		"backchannel_token_delivery_mode": mode, "backchannel_client_notification_endpoint": "https://rp.example/auth/ciba",
	}})
	m := oidc.ClientMetadata{GrantTypes: []string{oidc.GrantCIBA}, BackchannelTokenDeliveryMode: mode, BackchannelClientNotificationEndpoint: "https://rp.example/auth/ciba"}
	var err error
	if r.client, err = oidc.NewClient(r.client.Provider(), oidc.ClientConfig{ID: known.ID, Secret: known.Secret, Metadata: m}); err != nil {
		t.Fatal(err)
	}
	r.rp, r.other = r.newRP(nil), r.newRP(nil)
	op.ClearLog()
	return r
}

func (r *cibaRig) start() (string, *oidc.CIBALogin) {
	r.t.Helper()
	state, l, err := r.rp.StartCIBA(r.t.Context(), rp.CIBA{Issuer: r.op.Issuer, Params: oidc.CIBAParams{LoginHint: "alice", BindingMessage: "42"}, Data: []byte("till 7")})
	if err != nil {
		r.t.Fatalf("StartCIBA: %v", err)
	}
	return state, l
}

func (r *cibaRig) decides(l *oidc.CIBALogin, after time.Duration, how func(id string)) {
	time.AfterFunc(after, func() { how(l.AuthReqID) })
}

func (r *cibaRig) approve(id string) {
	if err := r.op.Approve(id, ""); err != nil {
		r.t.Error(err)
	}
}

func (r *cibaRig) notify(id string, faults ...oidctest.NotificationFault) int {
	r.t.Helper()
	res, err := r.op.Notify(context.Background(), id, faults...)
	if err != nil {
		r.t.Fatal(err)
	}
	return res.StatusCode
}

// bubbleCIBA runs a test on fake time.
func bubbleCIBA(t *testing.T, name, mode string, f func(t *testing.T, r *cibaRig)) {
	rsaKey()
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) { f(t, cibaSetup(t, mode)) })
	})
}

func TestCIBA(t *testing.T) {
	bubbleCIBA(t, "poll", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		start := r.op.Now()
		r.decides(l, 12*time.Second, r.approve)
		g, err := r.rp.FinishCIBA(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		if g.IDToken().Subject == "" || string(g.Data()) != "till 7" || g.State() != state {
			t.Errorf("got %v", g)
		}
		for i, q := range r.op.Requests(oidctest.EndpointToken) {
			if at := q.Time.Sub(start); at < time.Duration(i+1)*5*time.Second {
				t.Errorf("poll %d came after %v", i, at)
			}
		}
		// Another instance finds the same grant, and asks nobody.
		r.op.ClearLog()
		again, err := r.other.FinishCIBA(t.Context(), state)
		if err != nil || again.State() != state {
			t.Errorf("got %v, %v", again, err)
		}
		noCall(t, r.op, oidctest.EndpointToken)
		if _, err := r.other.Grant(t.Context(), state); err != nil {
			t.Error(err)
		}
	})
	bubbleCIBA(t, "ping_at_another_instance", oidc.CIBAPing, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.decides(l, 10*time.Second, func(id string) {
			r.approve(id)
			if got := r.notify(id); got != http.StatusNoContent {
				t.Errorf("answered %d", got)
			}
		})
		start := r.op.Now()
		if _, err := r.rp.FinishCIBA(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		if took := r.op.Now().Sub(start); took > 12*time.Second {
			t.Errorf("it took %v", took)
		}
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("%d token requests, want one, after the ping", n)
		}
		if got := r.notify(l.AuthReqID); got != http.StatusNoContent {
			t.Errorf("a late ping is answered %d", got)
		}
	})
	bubbleCIBA(t, "a_lost_ping_is_made_up_for", oidc.CIBAPing, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.decides(l, 10*time.Second, r.approve)
		start := r.op.Now()
		if _, err := r.rp.FinishCIBA(t.Context(), state); err != nil {
			t.Fatal(err)
		}
		if took := r.op.Now().Sub(start); took < 30*time.Second || took > 32*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	bubbleCIBA(t, "push_to_another_instance", oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		_, err := r.rp.CheckCIBA(t.Context(), state)
		want(t, err, rp.CIBAPending)
		r.decides(l, 10*time.Second, func(id string) {
			r.approve(id)
			if got := r.notify(id); got != http.StatusNoContent {
				t.Errorf("answered %d", got)
			}
		})
		g, err := r.rp.FinishCIBA(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		if tok, err := g.Tokens(t.Context()); err != nil || tok.AccessToken == "" {
			t.Errorf("got %v, %v", tok, err)
		}
		noCall(t, r.op, oidctest.EndpointToken)
	})
	bubbleCIBA(t, "refused_by_the_user", oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		if err := r.op.Deny(l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		if got := r.notify(l.AuthReqID); got != http.StatusNoContent {
			t.Errorf("answered %d", got)
		}
		for _, p := range []*rp.RP{r.rp, r.other} {
			_, err := p.FinishCIBA(t.Context(), state)
			if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "access_denied" {
				t.Errorf("got %v", err)
			}
		}
	})
	bubbleCIBA(t, "an_error_is_told_to_everybody", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		r.op.Break(oidctest.SignatureWrong)
		_, err := r.rp.FinishCIBA(t.Context(), state)
		want(t, err, oidc.BadSignature)
		_, err = r.other.CheckCIBA(t.Context(), state)
		want(t, err, rp.CIBAFailed)
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
	bubbleCIBA(t, "nobody_decides", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, _ := r.start()
		_, err := r.rp.FinishCIBA(t.Context(), state)
		want(t, err, rp.LoginExpired)
		time.Sleep(time.Hour)
		_, err = r.rp.CheckCIBA(t.Context(), state)
		want(t, err, rp.UnknownState)
	})
	bubbleCIBA(t, "many_callers_one_poll", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		time.Sleep(6 * time.Second)
		var wg sync.WaitGroup
		var done atomic.Int64
		for i := range 20 {
			wg.Go(func() {
				p := []*rp.RP{r.rp, r.other}[i%2]
				switch _, err := p.CheckCIBA(t.Context(), state); {
				case err == nil:
					done.Add(1)
				case !errors.Is(err, rp.CIBAPending):
					t.Errorf("got %v", err)
				}
			})
		}
		wg.Wait()
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 || done.Load() == 0 {
			t.Errorf("%d token requests, %d grants", n, done.Load())
		}
	})
	bubbleCIBA(t, "the_caller_may_leave", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, _ := r.start()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if _, err := r.rp.FinishCIBA(ctx, state); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	bubbleCIBA(t, "logged_out_meanwhile", oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		time.Sleep(time.Second)
		if _, err := r.rp.End(t.Context(), r.op.Issuer, "alice-248289761001", ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		r.notify(l.AuthReqID)
		_, err := r.rp.CheckCIBA(t.Context(), state)
		want(t, err, rp.CIBAFailed)
	})
	bubbleCIBA(t, "the_caller_leaves_while_the_op_answers", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		time.Sleep(6 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		r.wire.set(nil, func(*http.Request) error { cancel(); return nil })
		if _, err := r.rp.CheckCIBA(ctx, state); err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		r.wire.set(nil, nil)
		// The OP gave the tokens, and gives them once.
		if _, err := r.other.FinishCIBA(t.Context(), state); err != nil {
			t.Error(err)
		}
	})
	bubbleCIBA(t, "no_poll_overtakes_another", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		r.wire.set(nil, func(*http.Request) error { time.Sleep(8 * time.Second); return nil })
		var wg sync.WaitGroup
		for _, p := range []*rp.RP{r.rp, r.other} {
			wg.Go(func() {
				if _, err := p.FinishCIBA(t.Context(), state); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := len(r.op.Requests(oidctest.EndpointToken)); n != 1 {
			t.Errorf("%d token requests", n)
		}
	})
	bubbleCIBA(t, "a_panic_is_the_callers", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		state, _ := r.start()
		time.Sleep(6 * time.Second)
		r.wire.set(func(*http.Request) error { panic("a fault of the application") }, nil)
		defer func() {
			if v := recover(); v == nil || !strings.Contains(fmt.Sprint(v), "a fault of the application") {
				t.Errorf("recovered %v", v)
			}
		}()
		_, err := r.rp.CheckCIBA(t.Context(), state)
		t.Errorf("returned %v", err)
	})
	bubbleCIBA(t, "pushed_twice_at_once", oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		var again atomic.Bool
		r.store.set(func(_ context.Context, op, key string) error {
			if op == "create" && store.Class(key) == "grant" && again.CompareAndSwap(false, true) {
				if got := r.notify(l.AuthReqID); got != http.StatusNoContent {
					t.Errorf("answered %d", got)
				}
			}
			return nil
		}, nil)
		if got := r.notify(l.AuthReqID); got != http.StatusNoContent {
			t.Errorf("answered %d", got)
		}
		g, err := r.rp.FinishCIBA(t.Context(), state)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.other.Close(); err != nil {
			t.Fatal(err)
		}
		noCall(t, r.op, oidctest.EndpointRevocation)
		if _, err := g.Tokens(t.Context()); err != nil {
			t.Error(err)
		}
	})
	bubbleCIBA(t, "none_after_close", oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
		state, l := r.start()
		r.approve(l.AuthReqID)
		for _, p := range []*rp.RP{r.rp, r.other} {
			if err := p.Close(); err != nil {
				t.Fatal(err)
			}
		}
		r.notify(l.AuthReqID)
		want(t, r.received[0], rp.Closed)
		_, err := r.rp.FinishCIBA(t.Context(), state)
		want(t, err, rp.Closed)
		_, _, err = r.rp.StartCIBA(t.Context(), rp.CIBA{Issuer: r.op.Issuer, Params: oidc.CIBAParams{LoginHint: "alice"}})
		want(t, err, rp.Closed)
		if held, _ := r.count("grant"); held != 0 {
			t.Error("a grant was kept")
		}
	})
	bubbleCIBA(t, "arguments", oidc.CIBAPoll, func(t *testing.T, r *cibaRig) {
		_, _, err := r.rp.StartCIBA(t.Context(), rp.CIBA{Issuer: "https://nobody.example"})
		want(t, err, rp.UnknownIssuer)
		_, _, err = r.rp.StartCIBA(t.Context(), rp.CIBA{Issuer: r.op.Issuer, Data: make([]byte, rp.MaxData+1)})
		want(t, err, rp.BadConfig)
		_, err = r.rp.CheckCIBA(t.Context(), "another")
		want(t, err, rp.UnknownState)
		r.store.down()
		_, _, err = r.rp.StartCIBA(t.Context(), rp.CIBA{Issuer: r.op.Issuer, Params: oidc.CIBAParams{LoginHint: "alice"}})
		want(t, err, rp.StoreUnavailable)
		if text := fmt.Sprintf("%+v %v", rp.CIBA{Params: oidc.CIBAParams{LoginHint: "alice"}}, rp.CIBA{Params: oidc.CIBAParams{LoginHint: "alice"}}.LogValue()); strings.Contains(text, "alice") {
			t.Error(text)
		}
	})
}

// TestHostileCIBA is case 326 where it needs a memory: notifications.
func TestHostileCIBA(t *testing.T) {
	for fault, status := range map[oidctest.NotificationFault]int{
		oidctest.NotifyWrongBearer: 401, oidctest.NotifyNoBearer: 401, oidctest.NotifyOtherRequest: 401,
		oidctest.NotifyNotJSON: 400, oidctest.NotifyNoRequest: 400, oidctest.NotifyHuge: 400,
	} {
		for _, mode := range []string{oidc.CIBAPing, oidc.CIBAPush} {
			bubbleCIBA(t, "326_"+string(fault)+"_"+mode, mode, func(t *testing.T, r *cibaRig) {
				state, l := r.start()
				r.approve(l.AuthReqID)
				if got := r.notify(l.AuthReqID, fault); got != status {
					t.Errorf("answered %d, want %d", got, status)
				}
				_, err := r.rp.CheckCIBA(t.Context(), state)
				want(t, err, rp.CIBAPending)
				noCall(t, r.op, oidctest.EndpointToken)
			})
		}
	}
	for fault, reason := range map[oidctest.NotificationFault]oidc.Reason{
		oidctest.PushOtherRequest: oidc.BadAuthReqID, oidctest.PushNoAccessTokenHash: oidc.BadAccessTokenHash,
		oidctest.PushNoIDToken: oidc.MissingIDToken, oidctest.PushOtherAccessToken: oidc.BadAccessTokenHash,
	} {
		bubbleCIBA(t, "326_"+string(fault), oidc.CIBAPush, func(t *testing.T, r *cibaRig) {
			state, l := r.start()
			r.approve(l.AuthReqID)
			if got := r.notify(l.AuthReqID, fault); got != http.StatusBadRequest {
				t.Errorf("answered %d", got)
			}
			want(t, r.received[0], reason)
			_, err := r.rp.CheckCIBA(t.Context(), state)
			want(t, err, rp.CIBAFailed)
			if _, err := r.rp.Grant(t.Context(), state); err == nil {
				t.Error("there is a grant")
			}
		})
	}
	bubbleCIBA(t, "326_another_login_bears_it", oidc.CIBAPing, func(t *testing.T, r *cibaRig) {
		// The OP, or who poses as it, uses the token of one login for another.
		_, first := r.start()
		_, second := r.start()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "https://rp.example/auth/ciba", strings.NewReader(`{"auth_req_id":"`+first.AuthReqID+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+second.NotificationToken)
		n, err := oidc.ReadCIBANotification(req)
		if err != nil {
			t.Fatal(err)
		}
		want(t, r.other.NotifyCIBA(t.Context(), n), rp.UnknownNotification)
	})
}
