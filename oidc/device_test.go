package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

func deviceClient() oidctest.Client {
	return oidctest.Client{GrantTypes: []string{oidc.GrantDeviceCode, "refresh_token"}}
}

// deviceLogin begins a login on a device, with faults of the OP on.
func deviceLogin(t *testing.T, op *oidctest.OP, faults ...oidctest.Fault) (*rig, *oidc.DeviceLogin, time.Time) {
	t.Helper()
	r := service(t, op, deviceClient())
	op.Break(faults...)
	start := op.Now()
	l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"email", "offline_access"}})
	if err != nil {
		t.Fatal(err)
	}
	return r, l, start
}

// TestDevice has each rule of RFC 8628 about the polling, by its name.
func TestDevice(t *testing.T) {
	run := func(name string, f func(t *testing.T, op *oidctest.OP)) {
		t.Run(name, func(t *testing.T) { bubble(t, f) })
	}
	run("login", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op)
		if l.UserCode == "" || !strings.HasPrefix(l.VerificationURI, "https://") || !strings.Contains(l.VerificationURIComplete, l.UserCode) {
			t.Errorf("got %v", l)
		}
		if !l.Expiry.Equal(start.Add(5*time.Minute)) || l.Interval != 5*time.Second {
			t.Errorf("expiry %v, interval %v", l.Expiry, l.Interval)
		}
		time.AfterFunc(7*time.Second, func() { _ = op.Approve(strings.ToLower(l.UserCode), "bob") })
		tok, err := r.c.FinishDevice(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if tok.IDToken == nil || tok.RefreshToken == "" || !has(tok.Scopes, "email") {
			t.Errorf("got %v", tok)
		}
		if ui, err := r.c.UserInfo(t.Context(), tok); err != nil || ui.Subject != tok.IDToken.Subject {
			t.Errorf("UserInfo: %v, %v", ui, err)
		}
		wantPolls(t, op, start, 5*time.Second, 10*time.Second)
		req := op.Requests(oidctest.EndpointDevice)[0]
		if req.Form.Get("scope") != "openid email offline_access" || req.Auth.Method != "client_secret_basic" {
			t.Errorf("sent %v", req.Form)
		}
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Error(err)
		}
	})
	run("authorization_pending_goes_on", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.DevicePending)
		_, err := r.c.FinishDevice(t.Context(), l)
		r.reason(err, oidc.LoginExpired)
		got := polls(op, start)
		if len(got) != 59 || got[58] != 295*time.Second {
			t.Errorf("polled %d times, at last after %v: want every 5 seconds until the code expires", len(got), got[len(got)-1])
		}
	})
	run("slow_down_adds_five_seconds_for_good", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.DeviceSlowDown)
		time.AfterFunc(40*time.Second, func() { op.Mend(); _ = op.Approve(l.UserCode, "") })
		if _, err := r.c.FinishDevice(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		wantPolls(t, op, start, 5*time.Second, 15*time.Second, 30*time.Second, 50*time.Second)
	})
	run("access_denied_stops", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op)
		if err := op.Deny(l.UserCode); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.FinishDevice(t.Context(), l)
		r.refusal(err, "access_denied")
		wantPolls(t, op, start, 5*time.Second)
	})
	run("expired_token_stops", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.DeviceExpired)
		_, err := r.c.FinishDevice(t.Context(), l)
		r.refusal(err, "expired_token")
		wantPolls(t, op, start, 5*time.Second)
	})
	run("any_other_error_stops", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.InvalidGrant)
		_, err := r.c.FinishDevice(t.Context(), l)
		r.refusal(err, "invalid_grant")
		wantPolls(t, op, start, 5*time.Second)
	})
	run("an_interval_of_the_op_is_kept", func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient())
		start := op.Now()
		op.Intercept(oidctest.EndpointDevice, slowly(0, `{"device_code":"d","user_code":"u","verification_uri":"https://op.test/d","expires_in":100,"interval":31}`))
		l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
		if err != nil {
			t.Fatal(err)
		}
		op.Break(oidctest.DevicePending)
		_, err = r.c.FinishDevice(t.Context(), l)
		r.reason(err, oidc.LoginExpired)
		wantPolls(t, op, start, 31*time.Second, 62*time.Second, 93*time.Second)
	})
	run("without_interval_five_seconds", func(t *testing.T, op *oidctest.OP) {
		_, l, _ := deviceLogin(t, op, oidctest.DeviceIntervalMissing)
		if l.Interval != oidc.DefaultPollInterval {
			t.Errorf("got %v", l.Interval)
		}
	})
	run("bounds_of_what_the_op_says", func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient())
		start := op.Now()
		begin := func(expiresIn, interval string) (*oidc.DeviceLogin, error) {
			op.Intercept(oidctest.EndpointDevice, slowly(0, `{"device_code":"d","user_code":"u","verification_uri":"https://op.test/d","expires_in":`+expiresIn+`,"interval":`+interval+`}`))
			return r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
		}
		for interval, want := range map[string]time.Duration{
			"null": 5 * time.Second, "0": 5 * time.Second, "-1": 5 * time.Second, "1": time.Second, "2": 2 * time.Second, "0.25": time.Second, "1.5": 1500 * time.Millisecond,
			"7.0000000000": 7 * time.Second, "172799": 48*time.Hour - time.Second, "172801": 48 * time.Hour, "999999999": 48 * time.Hour, "9999999999": 48 * time.Hour,
			strings.Repeat("9", 400): 48 * time.Hour,
		} {
			if l, err := begin("600", interval); err != nil || l.Interval != want {
				t.Errorf("interval %s: got %v, %v; want %v", interval, l, err, want)
			}
		}
		for expiresIn, want := range map[string]time.Duration{"1": time.Second, "0.5": time.Second / 2, "86399": 24*time.Hour - time.Second, "86401": 24 * time.Hour, "0": 0, "-1": 0, "null": 0} {
			l, err := begin(expiresIn, "5")
			switch {
			case want == 0:
				r.reason(err, oidc.BadDeviceResponse)
			case err != nil || l.Expiry.Sub(start) != want:
				t.Errorf("expires_in %s: got %v, %v; want %v", expiresIn, l, err, want)
			}
		}
	})
	run("the_pause_after_each_answer", func(t *testing.T, op *oidctest.OP) {
		r, l, _ := deviceLogin(t, op)
		for _, c := range []struct {
			interval         time.Duration
			status           int
			code, retryAfter string
			want             time.Duration
		}{
			{5 * time.Second, 400, "authorization_pending", "", 5 * time.Second},
			{5 * time.Second, 400, "authorization_pending", "60", 5 * time.Second},
			{5 * time.Second, 400, "slow_down", "60", 10 * time.Second},
			{5 * time.Second, 503, "", "", 10 * time.Second},
			{5 * time.Second, 503, "", "4", 10 * time.Second},
			{5 * time.Second, 503, "", "5", 10 * time.Second},
			{5 * time.Second, 503, "", "6", 6 * time.Second},
			{5 * time.Second, 503, "", "120", 2 * time.Minute},
			{40 * time.Second, 503, "", "", time.Minute},
			{90 * time.Second, 503, "", "", 90 * time.Second},
			{5 * time.Second, 400, "access_denied", "60", 5 * time.Second},
		} {
			op.Intercept(oidctest.EndpointToken, func(w http.ResponseWriter, q *http.Request) {
				if c.retryAfter != "" {
					w.Header().Set("Retry-After", c.retryAfter)
				}
				respond(c.status, "application/json", `{"error":"`+c.code+`"}`)(w, q)
			})
			l.Interval = c.interval
			_, err := r.c.PollDevice(t.Context(), l)
			if r.refusal(err, c.code); l.Interval != c.want {
				t.Errorf("after %d %s, Retry-After %q: %v has become %v, want %v", c.status, c.code, c.retryAfter, c.interval, l.Interval, c.want)
			}
		}
	})
	run("a_timeout_has_it_poll_less_often", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.TokenReset)
		time.AfterFunc(16*time.Second, func() { op.Mend(); _ = op.Approve(l.UserCode, "") })
		if _, err := r.c.FinishDevice(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		wantPolls(t, op, start, 5*time.Second, 15*time.Second, 35*time.Second)
	})
	run("an_op_that_is_down_is_polled_less_often", func(t *testing.T, op *oidctest.OP) {
		r, l, start := deviceLogin(t, op, oidctest.DeviceUnavailable)
		_, err := r.c.FinishDevice(t.Context(), l)
		r.reason(err, oidc.LoginExpired)
		wantPolls(t, op, start, 5*time.Second, 15*time.Second, 35*time.Second, 75*time.Second, 135*time.Second, 195*time.Second, 255*time.Second)
	})
	run("nothing_is_polled_after_the_end", func(t *testing.T, op *oidctest.OP) {
		r, l, _ := deviceLogin(t, op)
		time.Sleep(5 * time.Minute)
		_, err := r.c.FinishDevice(t.Context(), l)
		r.reason(err, oidc.LoginExpired)
		_, err = r.c.PollDevice(t.Context(), l)
		r.reason(err, oidc.LoginExpired)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	run("the_caller_may_poll_by_itself", func(t *testing.T, op *oidctest.OP) {
		r, l, _ := deviceLogin(t, op)
		_, err := r.c.PollDevice(t.Context(), l)
		if !oidc.StillPending(err) || l.Interval != 5*time.Second {
			t.Errorf("got %v, interval %v", err, l.Interval)
		}
		_, err = r.c.PollDevice(t.Context(), l)
		if !oidc.StillPending(err) || l.Interval != 10*time.Second {
			t.Errorf("got %v, interval %v", err, l.Interval)
		}
		if oidc.StillPending(errors.New("another")) || oidc.StillPending(nil) {
			t.Error("anything counts as pending")
		}
	})
	run("id_token", func(t *testing.T, op *oidctest.OP) {
		for fault, want := range map[oidctest.Fault]oidc.Reason{
			oidctest.IDTokenMissing: oidc.MissingIDToken, oidctest.SignatureWrong: oidc.BadSignature, oidctest.AudOther: oidc.BadAudience,
			oidctest.ATHashWrong: oidc.BadAccessTokenHash, oidctest.ExpPast: oidc.TokenExpired, oidctest.AlgNone: oidc.BadAlgorithm,
		} {
			r, l, _ := deviceLogin(t, op, fault)
			if err := op.Approve(l.UserCode, ""); err != nil {
				t.Fatal(err)
			}
			tok, err := r.c.FinishDevice(t.Context(), l)
			r.reason(err, want)
			if tok != nil {
				t.Errorf("%s: tokens beside the error", fault)
			}
			wantCalls(t, op, oidctest.EndpointToken, 1)
			op.Mend()
		}
	})
	run("without_openid", func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient())
		l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{OAuthOnly: true, Scopes: []string{"email"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := op.Approve(l.UserCode, ""); err != nil {
			t.Fatal(err)
		}
		tok, err := r.c.FinishDevice(t.Context(), l)
		if err != nil || tok.IDToken != nil || tok.AccessToken == "" {
			t.Errorf("got %v, %v", tok, err)
		}
	})
	run("bound_to_a_key", func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient(), func(c *oidc.ClientConfig) { c.DPoP = oidc.DPoPES256() })
		l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(7*time.Second, func() { _ = op.Approve(l.UserCode, "") })
		tok, err := r.c.FinishDevice(t.Context(), l)
		if err != nil || tok.DPoP == nil {
			t.Fatalf("got %v, %v", tok, err)
		}
		if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
			t.Error(err)
		}
	})
	run("not_of_this_client", func(t *testing.T, op *oidctest.OP) {
		r, l, _ := deviceLogin(t, op)
		other := setup(t, newOP(t, func(c *oidctest.Config) { c.InMemory = true }))
		op.ClearLog()
		_, err := other.c.FinishDevice(t.Context(), l)
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.PollDevice(t.Context(), nil)
		wantInput(t, err, oidc.BadParameter)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("an_op_without_it", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { delete(m, "device_authorization_endpoint") })
		r := setup(t, op)
		_, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
		wantUnsupported(t, err)
	})
	t.Run("prints_no_code", func(t *testing.T) {
		_, l, _ := deviceLogin(t, newOP(t))
		if text := fmt.Sprintf("%v %+v %#v %s %v", l, l, l, marshal(l), l.LogValue()); strings.Contains(text, l.UserCode) || strings.Contains(text, "device-") {
			t.Error(text)
		}
	})
}

// deviceFaults is what each fault of a device authorization leads to.
var deviceFaults = map[oidctest.Fault]outcome{
	oidctest.DeviceURIHTTP: oidc.InsecureURL, oidctest.DeviceURIJavaScript: oidc.BadDeviceResponse, oidctest.DeviceURICompleteHTTP: oidc.InsecureURL,
	oidctest.DeviceURIMissing: oidc.BadDeviceResponse, oidctest.DeviceCodeMissing: oidc.BadDeviceResponse, oidctest.DeviceUserCodeMissing: oidc.BadDeviceResponse,
	oidctest.DeviceUserCodeHostile: oidc.BadDeviceResponse, oidctest.DeviceExpiresInMissing: oidc.BadDeviceResponse, oidctest.DeviceExpiresInHuge: harmless,
	oidctest.DeviceIntervalZero: harmless, oidctest.DeviceIntervalNegative: harmless, oidctest.DeviceIntervalMissing: harmless, oidctest.DeviceIntervalHuge: oidc.LoginExpired,
	oidctest.DeviceSlowDown: oidc.LoginExpired, oidctest.DevicePending: oidc.LoginExpired, oidctest.DeviceDenied: "op: access_denied", oidctest.DeviceExpired: "op: expired_token",
	oidctest.DeviceUnavailable: oidc.LoginExpired,
}

// TestHostileDevice is case 327: a device flow that never ends, asks for no pause,
// or shows what nobody should see.
func TestHostileDevice(t *testing.T) {
	t.Run("327", func(t *testing.T) {
		for fault, want := range deviceFaults {
			t.Run(string(fault), func(t *testing.T) {
				bubble(t, func(t *testing.T, op *oidctest.OP) {
					r := service(t, op, deviceClient())
					op.Break(fault)
					start := op.Now()
					l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
					if err == nil {
						if life := l.Expiry.Sub(start); life > oidc.MaxPollLifetime {
							t.Errorf("it lives %v", life)
						}
						_ = op.Approve(l.UserCode, "")
						_, err = r.c.FinishDevice(t.Context(), l)
					}
					wantOutcome(t, r, err, want)
					at := polls(op, start)
					for i := range at {
						if pause := at[i] - at[max(i-1, 0)]; i > 0 && pause < time.Second {
							t.Errorf("a pause of %v", pause)
						}
					}
					if len(at) > 0 && at[0] < time.Second {
						t.Errorf("polled after %v", at[0])
					}
					if len(at) > 60 {
						t.Errorf("%d polls", len(at))
					}
				})
			})
		}
	})
	t.Run("327_context", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			r, l, start := deviceLogin(t, op)
			ctx, cancel := context.WithTimeout(t.Context(), 12*time.Second)
			defer cancel()
			_, err := r.c.FinishDevice(ctx, l)
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			wantPolls(t, op, start, 5*time.Second, 10*time.Second)
		})
	})
	t.Run("327_a_long_life_is_bounded", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, l, start := deviceLogin(t, op, oidctest.DeviceExpiresInHuge)
			if got := l.Expiry.Sub(start); got != oidc.MaxPollLifetime {
				t.Errorf("it lives %v", got)
			}
		})
	})
}

// wantOutcome asserts what a fault leads to.
func wantOutcome(t *testing.T, r *rig, err error, want outcome) {
	t.Helper()
	switch code, isOP := strings.CutPrefix(string(want), "op: "); {
	case want == harmless:
		if err != nil {
			t.Fatalf("got error %v", err)
		}
	case isOP:
		wantCode(t, err, code)
		r.wire.check(t, err)
	default:
		wantReason(t, err, want)
		r.wire.check(t, err)
	}
}
