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
		if took := op.Now().Sub(start); took != 295*time.Second {
			t.Errorf("told after %v, where it was known after 295 seconds", took)
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
		_, err = r.c.PollDevice(t.Context(), &oidc.DeviceLogin{})
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.FinishDevice(t.Context(), nil)
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

// TestDeviceParams: openid is asked for once, and what is no scope not at all.
func TestDeviceParams(t *testing.T) {
	bubble(t, func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient())
		for want, p := range map[string]oidc.DeviceParams{
			"openid": {}, "openid email": {Scopes: []string{"email"}}, "email openid": {Scopes: []string{"email", "openid"}}, "email": {Scopes: []string{"email"}, OAuthOnly: true},
		} {
			op.ClearLog()
			if _, err := r.c.BeginDevice(t.Context(), p); err != nil {
				t.Fatal(err)
			}
			if got := op.Requests(oidctest.EndpointDevice)[0].Form.Get("scope"); got != want {
				t.Errorf("asked for %q, want %q", got, want)
			}
		}
		op.ClearLog()
		_, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"a b"}})
		wantInput(t, err, oidc.BadParameter)
		wantNoCall(t, op, oidctest.EndpointDevice)
	})
}

// TestDeviceAnswers: what is to be shown can be shown, and nothing is longer than it
// may be.
func TestDeviceAnswers(t *testing.T) {
	bubble(t, func(t *testing.T, op *oidctest.OP) {
		r := service(t, op, deviceClient())
		good := func() map[string]any {
			return map[string]any{"device_code": "d", "user_code": "u", "verification_uri": "https://op.test/d", "expires_in": 100}
		}
		set := func(name string, v any) string {
			m := good()
			m[name] = v
			return string(marshal(m))
		}
		const uri, complete = "verification_uri", "verification_uri_complete"
		long := "https://op.test/" + strings.Repeat("a", oidc.MaxVerificationURI-len("https://op.test/"))
		for _, c := range []struct {
			status     int
			kind, body string
			want       outcome
		}{
			{200, "application/json", string(marshal(good())), harmless},
			{200, "text/html", string(marshal(good())), outcome(oidc.UnexpectedMediaType)},
			{200, "application/json", "[]", outcome(oidc.MalformedResponse)},
			{200, "application/json", set("error", "invalid_scope"), "op: invalid_scope"},
			{400, "application/json", `{"error":"invalid_scope"}`, "op: invalid_scope"},
			{201, "application/json", string(marshal(good())), "op: "},
			{200, "application/json", set("device_code", strings.Repeat("d", oidc.MaxCode)), harmless},
			{200, "application/json", set("device_code", strings.Repeat("d", oidc.MaxCode+1)), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set("user_code", strings.Repeat("u", oidc.MaxUserCode)), harmless},
			{200, "application/json", set("user_code", strings.Repeat("u", oidc.MaxUserCode+1)), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, long), harmless},
			{200, "application/json", set(uri, long+"a"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "https://op.test@evil.example/"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "https://op.test/%zz"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "https://op.test/a b"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "https://op.test/\u202e"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "https:/d"), outcome(oidc.BadDeviceResponse)},
			{200, "application/json", set(uri, "ftp://op.test/d"), outcome(oidc.InsecureURL)},
			{200, "application/json", set(complete, long+"a"), outcome(oidc.BadDeviceResponse)},
		} {
			op.Intercept(oidctest.EndpointDevice, respond(c.status, c.kind, c.body))
			l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
			wantOutcome(t, r, err, c.want)
			if oe, ok := errors.AsType[*oidc.OPError](err); ok && oe.StatusCode != c.status {
				t.Errorf("%d %s: told status %d", c.status, c.body, oe.StatusCode)
			}
			if (l == nil) != (err != nil) {
				t.Errorf("%d %s: got %v beside %v", c.status, c.body, l, err)
			}
		}
		// The name in early drafts counts where the later one is not there.
		for body, want := range map[string]string{
			`{"device_code":"d","user_code":"u","verification_url":"https://op.test/old","expires_in":9}`:                                          "https://op.test/old",
			`{"device_code":"d","user_code":"u","verification_url":"https://op.test/old","verification_uri":"https://op.test/new","expires_in":9}`: "https://op.test/new",
			`{"device_code":"d","user_code":"u","verification_uri":"https://op.test/new","verification_url":"https://op.test/old","expires_in":9}`: "https://op.test/new",
			`{"device_code":"d","user_code":"u","verification_uri":null,"verification_url":"https://op.test/old","expires_in":9,"error":null}`:     "https://op.test/old",
		} {
			op.Intercept(oidctest.EndpointDevice, respond(200, "application/json", body))
			if l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{}); err != nil || l.VerificationURI != want {
				t.Errorf("%s: got %v, %v", body, l, err)
			}
		}
	})
}

// TestDeviceOverHTTP: where http is allowed, no third scheme is.
func TestDeviceOverHTTP(t *testing.T) {
	op := newOP(t)
	opts := options(op)
	opts.InsecureAllowHTTP = true
	md := byHand(op)
	md.DeviceAuthorizationEndpoint = op.URL(oidctest.EndpointDevice)
	p, err := oidc.NewProvider(md, opts)
	if err != nil {
		t.Fatal(err)
	}
	c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantDeviceCode}}})
	if err != nil {
		t.Fatal(err)
	}
	for scheme, want := range map[string]oidc.Reason{"https": "", "http": "", "ftp": oidc.InsecureURL} {
		op.Intercept(oidctest.EndpointDevice, respond(200, "application/json", `{"device_code":"d","user_code":"u","verification_uri":"`+scheme+`://op.test/d","expires_in":9}`))
		_, err := c.BeginDevice(t.Context(), oidc.DeviceParams{})
		if want == "" {
			if err != nil {
				t.Errorf("%s: %v", scheme, err)
			}
			continue
		}
		wantReason(t, err, want)
	}
}

// TestDeviceByOAuthOnly: a server that is no OpenID Provider is not asked for an ID
// Token, and one that it sends all the same is not read.
func TestDeviceByOAuthOnly(t *testing.T) {
	bubble(t, func(t *testing.T, op *oidctest.OP) {
		md := byHand(op)
		md.DeviceAuthorizationEndpoint = op.URL(oidctest.EndpointDevice)
		p, err := oidc.NewProvider(md, options(op))
		if err != nil {
			t.Fatal(err)
		}
		known := op.AddClient(deviceClient())
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: known.ID, Secret: known.Secret, OAuthOnly: &oidc.OAuthOnly{Endpoint: op.URL(oidctest.EndpointUserInfo), SubjectMember: "sub"},
			Metadata: oidc.ClientMetadata{GrantTypes: known.GrantTypes}})
		if err != nil {
			t.Fatal(err)
		}
		l, err := c.BeginDevice(t.Context(), oidc.DeviceParams{Scopes: []string{"email"}})
		if err != nil {
			t.Fatal(err)
		}
		if scope := op.Requests(oidctest.EndpointDevice)[0].Form.Get("scope"); scope != "email" {
			t.Errorf("asked for %q", scope)
		}
		_ = op.Approve(l.UserCode, "")
		tokenMember(op, "id_token", "of.no.use")
		if tok, err := c.FinishDevice(t.Context(), l); err != nil || tok.IDToken != nil {
			t.Errorf("got %v, %v", tok, err)
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
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "given up") {
				t.Errorf("got %v", err)
			}
			wantPolls(t, op, start, 5*time.Second, 10*time.Second)
		})
	})
	t.Run("327_context_in_a_poll", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			r := service(t, op, deviceClient())
			op.Intercept(oidctest.EndpointDevice, slowly(0, `{"device_code":"d","user_code":"u","verification_uri":"https://op.test/d","expires_in":12,"interval":5}`))
			l, err := r.c.BeginDevice(t.Context(), oidc.DeviceParams{})
			if err != nil {
				t.Fatal(err)
			}
			op.Intercept(oidctest.EndpointToken, slowly(10*time.Second, `{}`))
			ctx, cancel := context.WithTimeout(t.Context(), 6*time.Second)
			defer cancel()
			_, err = r.c.FinishDevice(ctx, l)
			if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, oidc.LoginExpired) {
				t.Errorf("got %v", err)
			}
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
