package oidc_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

const notifyURL = "https://rp.example/ciba"

// cibaClient is registered to hear of its users in a mode.
func cibaClient(mode string, more ...func(*oidctest.Client)) oidctest.Client {
	c := oidctest.Client{GrantTypes: []string{oidc.GrantCIBA, "refresh_token"}, Metadata: map[string]any{
		"backchannel_token_delivery_mode": mode, "backchannel_client_notification_endpoint": notifyURL,
	}}
	for _, f := range more {
		f(&c)
	}
	return c
}

// backchannel sets up such a client.
func backchannel(t *testing.T, op *oidctest.OP, mode string, edit ...func(*oidc.ClientConfig)) *rig {
	t.Helper()
	return service(t, op, cibaClient(mode), append([]func(*oidc.ClientConfig){func(c *oidc.ClientConfig) {
		c.Metadata.BackchannelTokenDeliveryMode = mode
		if mode != oidc.CIBAPoll {
			c.Metadata.BackchannelClientNotificationEndpoint = notifyURL
		}
	}}, edit...)...)
}

// alice is whom the tests ask.
func alice() oidc.CIBAParams { return oidc.CIBAParams{LoginHint: "alice", Scopes: []string{"email"}} }

func (r *rig) ciba(p oidc.CIBAParams) *oidc.CIBALogin {
	r.t.Helper()
	l, err := r.c.BeginCIBA(r.t.Context(), p)
	if err != nil {
		r.t.Fatal(err)
	}
	r.wire.secret(l.AuthReqID, l.NotificationToken)
	return l
}

// decides has the person need so long.
func decides(d time.Duration) func(*oidctest.Config) {
	return func(c *oidctest.Config) { c.DecisionTime = d }
}

// hears is the client's notification endpoint: what the OP sends it keeps.
type hears struct {
	got []*http.Request
	ns  []*oidc.CIBANotification
	err error
}

// RoundTrip takes a notification in place of a network.
func (h *hears) RoundTrip(r *http.Request) (*http.Response, error) {
	h.got = append(h.got, r)
	n, err := oidc.ReadCIBANotification(r)
	status := http.StatusNoContent
	if err != nil {
		h.err, status = err, http.StatusBadRequest
	} else {
		h.ns = append(h.ns, n)
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: r}, nil
}

func (h *hears) config(c *oidctest.Config) { c.Client = &http.Client{Transport: h} }

func TestCIBA(t *testing.T) {
	run := func(name string, f func(t *testing.T, op *oidctest.OP), edit ...func(*oidctest.Config)) {
		t.Run(name, func(t *testing.T) { bubble(t, f, edit...) })
	}
	run("poll", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll)
		start := op.Now()
		p := alice()
		p.Scopes = append(p.Scopes, "offline_access")
		p.BindingMessage, p.RequestedExpiry, p.ACRValues, p.UserCode = "W4SCT", 2*time.Minute, oidctest.ACRValues()[1:], "1234"
		l := r.ciba(p)
		if !l.Expiry.Equal(start.Add(2*time.Minute)) || l.NotificationToken != "" {
			t.Errorf("got %v", l)
		}
		tok, err := r.c.FinishCIBA(t.Context(), l)
		if err != nil {
			t.Fatal(err)
		}
		if tok.IDToken.ACR != oidctest.ACRValues()[1] || tok.RefreshToken == "" {
			t.Errorf("got %v", tok)
		}
		wantPolls(t, op, start, 5*time.Second, 10*time.Second, 15*time.Second)
		f := op.Requests(oidctest.EndpointBackchannel)[0].Form
		for name, want := range map[string]string{"scope": "openid email offline_access", "login_hint": "alice", "binding_message": "W4SCT", "requested_expiry": "120", "user_code": "1234"} {
			if f.Get(name) != want {
				t.Errorf("%s is %q, want %q", name, f.Get(name), want)
			}
		}
		if _, err := r.c.Refresh(t.Context(), tok); err != nil {
			t.Error(err)
		}
	}, decides(12*time.Second))
	run("bound_to_a_key", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll, func(c *oidc.ClientConfig) { c.DPoP = oidc.DPoPES256() })
		l := r.ciba(alice())
		data, err := l.Export()
		if err != nil {
			t.Fatal(err)
		}
		if l, err = oidc.ImportCIBALogin(data); err != nil {
			t.Fatal(err)
		}
		tok, err := r.c.FinishCIBA(t.Context(), l)
		if err != nil || tok.DPoP == nil || tok.DPoP.Thumbprint() != l.DPoP.Thumbprint() {
			t.Fatalf("got %v, %v", tok, err)
		}
	})
	run("hints", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll)
		tok, err := r.c.FinishCIBA(t.Context(), r.ciba(oidc.CIBAParams{LoginHintToken: "bob"}))
		if err != nil {
			t.Fatal(err)
		}
		again, err := r.c.FinishCIBA(t.Context(), r.ciba(oidc.CIBAParams{IDTokenHint: tok.IDToken.Raw()}))
		if err != nil || again.IDToken.Subject != tok.IDToken.Subject {
			t.Errorf("got %v, %v", again, err)
		}
		op.ClearLog()
		for name, p := range map[string]oidc.CIBAParams{
			"no hint": {}, "two hints": {LoginHint: "a", LoginHintToken: "b"}, "three hints": {LoginHint: "a", LoginHintToken: "b", IDTokenHint: "c"},
			"claims":         {LoginHint: "a", Claims: &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"x": {Essential: true, Value: func() {}}}}},
			"claims twice":   {LoginHint: "a", Claims: &oidc.ClaimsRequest{Extra: map[string]any{"id_token": nil}}},
			"some of claims": {LoginHint: "a", Claims: &oidc.ClaimsRequest{UserInfo: map[string]*oidc.ClaimRequest{"x": {Value: func() {}}}, IDToken: map[string]*oidc.ClaimRequest{"y": {Essential: true}}}},
			"expiry":         {LoginHint: "a", RequestedExpiry: -1}, "short expiry": {LoginHint: "a", RequestedExpiry: time.Millisecond},
			"message": {LoginHint: "a", BindingMessage: "a\x1b[2J"}, "scope": {LoginHint: "a", Scopes: []string{"a\"b"}},
		} {
			_, err := r.c.BeginCIBA(t.Context(), p)
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			wantInput(t, err, oidc.BadParameter)
		}
		op.ClearLog()
		r.ciba(oidc.CIBAParams{LoginHint: "alice", RequestedExpiry: time.Second})
		if f := op.Requests(oidctest.EndpointBackchannel)[0].Form; f.Get("requested_expiry") != "1" || f.Has("claims") {
			t.Errorf("sent %v", f)
		}
		op.ClearLog()
		_, err = r.c.BeginCIBA(t.Context(), oidc.CIBAParams{LoginHint: "a", Extra: map[string][]string{"client_notification_token": {"mine"}}})
		wantInput(t, err, oidc.ProtectedParameter)
		wantNoCall(t, op, oidctest.EndpointBackchannel)
	})
	quiet := (&hears{}).config // nobody is asked by a real network
	run("signed", func(t *testing.T, op *oidctest.OP) {
		key := testKey()
		jwks, err := oidc.PublicJWKS(key)
		if err != nil {
			t.Fatal(err)
		}
		known := cibaClient(oidc.CIBAPing, func(c *oidctest.Client) {
			c.TokenEndpointAuthMethod, c.JWKS = "private_key_jwt", jwks
			c.Metadata["backchannel_authentication_request_signing_alg"] = "ES256"
		})
		r := service(t, op, known, func(c *oidc.ClientConfig) {
			c.Keys = []oidc.Key{key}
			c.Metadata.BackchannelTokenDeliveryMode, c.Metadata.BackchannelClientNotificationEndpoint = oidc.CIBAPing, notifyURL
			c.Metadata.BackchannelAuthenticationRequestSigningAlg = "ES256"
		})
		p := alice()
		p.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": {Essential: true, Values: []any{oidctest.ACRValues()[0]}}}}
		p.RequestedExpiry = time.Minute
		l := r.ciba(p)
		if _, err := r.c.FinishCIBA(t.Context(), l); err != nil {
			t.Fatal(err)
		}
		f := op.Requests(oidctest.EndpointBackchannel)[0].Form
		for name := range f {
			if name != "request" && name != "client_id" && !strings.HasPrefix(name, "client_assertion") {
				t.Errorf("%s stands beside the signed request", name)
			}
		}
		j := parseJWT(t, f.Get("request"))
		if j.claims["iss"] != r.c.ID() || j.claims["aud"] != op.Issuer || j.claims["client_notification_token"] != l.NotificationToken || j.claims["requested_expiry"] != 60.0 {
			t.Errorf("signed %v", j.claims)
		}
		if ask, ok := j.claims["claims"].(map[string]any); !ok || ask["id_token"] == nil {
			t.Errorf("claims are signed as %v", j.claims["claims"])
		}
		if life := j.claims["exp"].(float64) - j.claims["nbf"].(float64); life <= 0 || life > 3600 {
			t.Errorf("it lives %v seconds", life)
		}
		for _, name := range []string{"iss", "aud", "jti", "iat", "nbf", "exp"} {
			p.Extra = map[string][]string{name: {"9999999999"}}
			_, err := r.c.BeginCIBA(t.Context(), p)
			wantInput(t, err, oidc.ProtectedParameter)
		}
	}, quiet)
	run("signed_with", func(t *testing.T, op *oidctest.OP) {
		other, plain, enc := keyFor(t, "ES384"), testKey(), keyFor(t, "ES256")
		plain.ID, enc.Use = "plain", "enc"
		rsa := oidc.Key{ID: "rsa", Private: keyFor(t, "PS256").Private}
		op.Intercept(oidctest.EndpointBackchannel, respond(200, "application/json", `{"auth_req_id":"a","expires_in":60}`))
		for alg, want := range map[string]string{"ES256": "plain", "PS256": "rsa", "ES384": "client-ES384"} {
			r := service(t, op, cibaClient(oidc.CIBAPoll), func(c *oidc.ClientConfig) {
				c.Keys, c.Metadata.BackchannelAuthenticationRequestSigningAlg = []oidc.Key{enc, other, plain, rsa}, alg
			})
			r.ciba(alice())
			if j := parseJWT(t, op.Requests(oidctest.EndpointBackchannel)[0].Form.Get("request")); j.header["alg"] != alg || j.header["kid"] != want {
				t.Errorf("%s: signed with %v", alg, j.header)
			}
		}
		r := service(t, op, cibaClient(oidc.CIBAPoll), func(c *oidc.ClientConfig) {
			c.Keys, c.Metadata.BackchannelAuthenticationRequestSigningAlg = []oidc.Key{{Private: sealedKey{clientKey()}}}, "ES256"
		})
		_, err := r.c.BeginCIBA(t.Context(), alice())
		wantInput(t, err, oidc.BadConfig)
		wantNoCall(t, op, oidctest.EndpointBackchannel)
	})
	run("answers", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll)
		const good = `{"auth_req_id":"a","expires_in":60}`
		for _, c := range []struct {
			status     int
			kind, body string
			want       oidc.Reason // "": it is a refusal with that code and hint
			code, hint string
		}{
			{200, "application/json", `[]`, oidc.MalformedResponse, "", ""},
			{200, "text/html", good, oidc.UnexpectedMediaType, "", ""},
			{200, "application/json", `{"auth_req_id":"a","expires_in":60,"error":"server_error"}`, "", "server_error", ""},
			{201, "application/json", good, "", "", ""},
			{400, "application/json", `{"error":"unknown_user_id"}`, "", "unknown_user_id", "the hint names nobody"},
			{401, "application/json", `{"error":"invalid_client"}`, "", "invalid_client", "client authentication by client_secret_basic failed"},
			{400, "application/json", `{"error":"invalid_scope"}`, "", "invalid_scope", ""},
		} {
			op.Intercept(oidctest.EndpointBackchannel, respond(c.status, c.kind, c.body))
			_, err := r.c.BeginCIBA(t.Context(), alice())
			if c.want != "" {
				r.reason(err, c.want)
				continue
			}
			if op := r.refusal(err, c.code); op.StatusCode != c.status || !strings.HasPrefix(op.Hint, c.hint) || (op.Hint == "") != (c.hint == "") {
				t.Errorf("%d %s: status %d, hint %q", c.status, c.body, op.StatusCode, op.Hint)
			}
		}
		op.Intercept(oidctest.EndpointBackchannel, respond(200, "application/json", good))
		if l := r.ciba(alice()); l.AuthReqID != "a" {
			t.Errorf("got %v", l)
		}
	})
	run("ping", func(t *testing.T, op *oidctest.OP) {
		h := &hears{}
		op2 := newOP(t, func(c *oidctest.Config) { c.InMemory = true }, h.config, decides(-1))
		r := backchannel(t, op2, oidc.CIBAPing)
		l := r.ciba(alice())
		if err := op2.Approve(l.AuthReqID, ""); err != nil {
			t.Fatal(err)
		}
		res, err := op2.Notify(t.Context(), l.AuthReqID)
		if err != nil || res.StatusCode != http.StatusNoContent {
			t.Fatalf("got %v, %v", res, err)
		}
		if n := h.ns[0]; !l.Authentic(n) || n.Pushed() || n.AuthReqID != l.AuthReqID {
			t.Errorf("the ping is not authentic")
		}
		if tok, err := r.c.PollCIBA(t.Context(), l); err != nil || tok.IDToken == nil {
			t.Errorf("got %v, %v", tok, err)
		}
		// A ping has no tokens to finish with.
		_, err = r.c.FinishPush(t.Context(), l, h.ns[0])
		r.reason(err, oidc.BadNotification)
	})
	run("export", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPing)
		p := alice()
		p.RequireTrustFramework = "test"
		p.Claims = &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"acr": {Essential: true, Value: "a"}, "name": {Essential: true}}}
		l := r.ciba(p)
		data, err := l.Export()
		if err != nil {
			t.Fatal(err)
		}
		again, err := oidc.ImportCIBALogin(data)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Export(); err != nil || string(twice) != string(data) {
			t.Errorf("got %s, %v, want %s", twice, err, data)
		}
		for _, text := range []string{fmt.Sprintf("%v %+v %#v", l, l, l), string(marshal(l)), fmt.Sprint(l.LogValue())} {
			if strings.Contains(text, l.AuthReqID) || strings.Contains(text, l.NotificationToken) {
				t.Errorf("it prints a secret: %s", text)
			}
		}
		for _, bad := range []string{"", `{}`, `{"id":"a"}`, `{"iss":"a"}`, `{"iss":"a","id":"b","i":"c"}`, `{"iss":"a","id":"b","key":"c"}`} {
			_, err := oidc.ImportCIBALogin([]byte(bad))
			if err == nil {
				t.Errorf("%s is imported", bad)
				continue
			}
			wantInput(t, err, oidc.BadParameter)
		}
		if text := fmt.Sprintf("%+v %s %v", oidc.CIBAParams{LoginHint: hidden, UserCode: hidden}, marshal(oidc.CIBAParams{LoginHint: hidden, IDTokenHint: hidden}), oidc.CIBAParams{LoginHintToken: hidden}.LogValue()); strings.Contains(text, hidden) {
			t.Error(text)
		}
	}, quiet)
	run("another_client", func(t *testing.T, op *oidctest.OP) {
		r := backchannel(t, op, oidc.CIBAPoll)
		_, err := r.c.FinishCIBA(t.Context(), nil)
		wantInput(t, err, oidc.BadParameter)
		l := r.ciba(alice())
		elsewhere := *l
		elsewhere.Issuer = "https://elsewhere.example"
		_, err = r.c.PollCIBA(t.Context(), &elsewhere)
		r.reason(err, oidc.WrongClient)
		other := backchannel(t, op, oidc.CIBAPoll)
		_, err = other.c.FinishCIBA(t.Context(), l)
		other.reason(err, oidc.WrongClient)
		_, err = r.c.PollCIBA(t.Context(), nil)
		wantInput(t, err, oidc.BadParameter)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("configuration", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		for name, edit := range map[string]func(*oidc.ClientMetadata){
			"mode":             func(m *oidc.ClientMetadata) { m.BackchannelTokenDeliveryMode = "shout" },
			"ping without URL": func(m *oidc.ClientMetadata) { m.BackchannelTokenDeliveryMode = oidc.CIBAPing },
			"http": func(m *oidc.ClientMetadata) {
				m.BackchannelTokenDeliveryMode, m.BackchannelClientNotificationEndpoint = oidc.CIBAPush, "http://rp.example/"
			},
			"symmetric": func(m *oidc.ClientMetadata) { m.BackchannelAuthenticationRequestSigningAlg = "HS256" },
			"signed, no key": func(m *oidc.ClientMetadata) {
				m.GrantTypes, m.BackchannelAuthenticationRequestSigningAlg = []string{oidc.GrantCIBA}, "ES256"
			},
		} {
			c := r.reg.ClientConfig()
			edit(&c.Metadata)
			_, err := oidc.NewClient(r.p, c)
			if err == nil {
				t.Errorf("%s: accepted", name)
				continue
			}
			wantInput(t, err, oidc.BadConfig)
		}
		op.TamperMetadata(func(m map[string]any) {
			delete(m, "backchannel_token_delivery_modes_supported")
			delete(m, "backchannel_authentication_request_signing_alg_values_supported")
		})
		silent, err := discoverAt(t, op)
		if err != nil {
			t.Fatal(err)
		}
		if _, err = oidc.NewClient(silent, oidc.ClientConfig{ID: "c", Secret: "s", Keys: []oidc.Key{testKey()}, Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantCIBA}, BackchannelAuthenticationRequestSigningAlg: "ES256"}}); err != nil {
			t.Errorf("an OP that announces nothing is believed to lack it: %v", err)
		}
		op.TamperMetadata(func(m map[string]any) { delete(m, "backchannel_authentication_endpoint") })
		if silent, err = discoverAt(t, op); err != nil {
			t.Fatal(err)
		}
		_, err = oidc.NewClient(silent, oidc.ClientConfig{ID: "c", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, BackchannelTokenDeliveryMode: oidc.CIBAPoll}})
		wantUnsupported(t, err)
		for name, edit := range map[string]func(map[string]any){
			"no endpoint":  func(m map[string]any) { delete(m, "backchannel_authentication_endpoint") },
			"another mode": func(m map[string]any) { m["backchannel_token_delivery_modes_supported"] = []any{"ping"} },
			"another alg": func(m map[string]any) {
				m["backchannel_authentication_request_signing_alg_values_supported"] = []any{"PS256"}
			},
		} {
			op := newOP(t)
			op.TamperMetadata(edit)
			p, err := discoverAt(t, op)
			if err != nil {
				t.Fatal(err)
			}
			_, err = oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "s", Keys: []oidc.Key{testKey()}, Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantCIBA}, BackchannelAuthenticationRequestSigningAlg: "ES256"}})
			wantUnsupported(t, err)
			if name != "no endpoint" {
				continue
			}
			_, err = setup(t, op).c.BeginCIBA(t.Context(), alice())
			wantUnsupported(t, err)
		}
	})
}

// push begins a login whose tokens are pushed, has alice approve it, and hears the
// push, with faults in it.
func push(t *testing.T, faults ...oidctest.NotificationFault) (*rig, *oidc.CIBALogin, *hears, *http.Response) {
	t.Helper()
	h := &hears{}
	op := newOP(t, h.config, decides(-1))
	r := backchannel(t, op, oidc.CIBAPush)
	p := alice()
	p.Scopes = append(p.Scopes, "offline_access")
	l := r.ciba(p)
	if err := op.Approve(l.AuthReqID, ""); err != nil {
		t.Fatal(err)
	}
	res, err := op.Notify(t.Context(), l.AuthReqID, faults...)
	if err != nil {
		t.Fatal(err)
	}
	return r, l, h, res
}

func TestCIBAPush(t *testing.T) {
	t.Run("login", func(t *testing.T) {
		r, l, h, res := push(t)
		if res.StatusCode != http.StatusNoContent || !h.ns[0].Pushed() {
			t.Fatalf("answered %d", res.StatusCode)
		}
		tok, err := r.c.FinishPush(t.Context(), l, h.ns[0])
		if err != nil {
			t.Fatal(err)
		}
		if tok.RefreshToken == "" || tok.IDToken == nil || !tok.Valid(r.op.Now(), time.Minute) {
			t.Errorf("got %v", tok)
		}
		wantNoCall(t, r.op, oidctest.EndpointToken)
		_, err = r.c.PollCIBA(t.Context(), l)
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.FinishPush(t.Context(), &oidc.CIBALogin{}, h.ns[0])
		wantInput(t, err, oidc.BadParameter)
		if text := fmt.Sprintf("%v %+v %#v %s %v", h.ns[0], h.ns[0], h.ns[0], marshal(h.ns[0]), h.ns[0].LogValue()); strings.Contains(text, tok.AccessToken) || strings.Contains(text, l.AuthReqID) {
			t.Errorf("it prints a secret: %s", text)
		}
	})
	t.Run("refused_by_the_user", func(t *testing.T) {
		h := &hears{}
		op := newOP(t, h.config, decides(-1))
		r := backchannel(t, op, oidc.CIBAPush)
		l := r.ciba(alice())
		if err := op.Deny(l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		if _, err := op.Notify(t.Context(), l.AuthReqID); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.FinishPush(t.Context(), l, h.ns[0])
		r.refusal(err, "access_denied")
	})
}

// TestHostileCIBA is case 326.
func TestHostileCIBA(t *testing.T) {
	t.Run("326", func(t *testing.T) {
		for fault, want := range cibaFaults {
			t.Run(string(fault), func(t *testing.T) {
				bubble(t, func(t *testing.T, op *oidctest.OP) {
					r := backchannel(t, op, oidc.CIBAPoll)
					op.Break(fault)
					start := op.Now()
					l, err := r.c.BeginCIBA(t.Context(), alice())
					if err == nil {
						if life := l.Expiry.Sub(start); life > oidc.MaxPollLifetime {
							t.Errorf("it lives %v", life)
						}
						_, err = r.c.FinishCIBA(t.Context(), l)
					} else {
						wantNoCall(t, op, oidctest.EndpointToken)
					}
					wantOutcome(t, r, err, want)
					at := polls(op, start)
					for i := range at {
						if i > 0 && at[i]-at[i-1] < 5*time.Second || at[0] < 5*time.Second {
							t.Errorf("polled after %v", at)
						}
					}
					if len(at) > 60 {
						t.Errorf("%d polls", len(at))
					}
				})
			})
		}
	})
	for fault, want := range map[oidctest.NotificationFault]oidc.Reason{
		oidctest.PushOtherRequest: oidc.BadAuthReqID, oidctest.PushNoRequest: oidc.BadAuthReqID, oidctest.PushOtherAccessToken: oidc.BadAccessTokenHash,
		oidctest.PushNoAccessTokenHash: oidc.BadAccessTokenHash, oidctest.PushOtherRefreshToken: oidc.BadRefreshTokenHash,
		oidctest.PushNoRefreshTokenHash: oidc.BadRefreshTokenHash, oidctest.PushNoIDToken: oidc.MissingIDToken, oidctest.NotifyWrongBearer: oidc.ForeignNotification,
		oidctest.NotifyNoBearer: oidc.ForeignNotification, oidctest.NotifyOtherRequest: oidc.ForeignNotification,
	} {
		t.Run("326_"+string(fault), func(t *testing.T) {
			r, l, h, _ := push(t, fault)
			tok, err := r.c.FinishPush(t.Context(), l, h.ns[0])
			r.reason(err, want)
			if tok != nil {
				t.Error("tokens beside the error")
			}
		})
	}
	for _, fault := range []oidctest.NotificationFault{oidctest.NotifyNotJSON, oidctest.NotifyNoRequest, oidctest.NotifyHuge} {
		t.Run("326_"+string(fault), func(t *testing.T) {
			r, _, h, res := push(t, fault)
			r.reason(h.err, oidc.BadNotification)
			if res.StatusCode != http.StatusBadRequest || len(h.ns) != 0 {
				t.Errorf("answered %d", res.StatusCode)
			}
		})
	}
	t.Run("326_malformed_notifications", func(t *testing.T) {
		for _, body := range []string{"", "null", "[]", `{"auth_req_id":7}`, `{"auth_req_id":"a","auth_req_id":"b"}`, `{"auth_req_id":"a b"}`, `{"auth_req_id":"` + strings.Repeat("a", oidc.MaxAuthReqID+1) + `"}`} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, notifyURL, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", "application/json")
			_, err = oidc.ReadCIBANotification(r)
			wantReason(t, err, oidc.BadNotification)
		}
		_, err := oidc.ReadCIBANotification(&http.Request{Method: http.MethodGet})
		wantReason(t, err, oidc.BadNotification)
	})
}

// cibaFaults is what each fault of a backchannel authentication leads to.
var cibaFaults = map[oidctest.Fault]outcome{
	oidctest.CIBARequestIDMissing: oidc.BadCIBAResponse, oidctest.CIBARequestIDMalformed: oidc.BadCIBAResponse, oidctest.CIBAExpiresInMissing: oidc.BadCIBAResponse,
	oidctest.CIBAExpiresInHuge: harmless, oidctest.CIBAIntervalMissing: harmless, oidctest.CIBAIntervalNegative: harmless, oidctest.CIBAIntervalHuge: oidc.LoginExpired,
	oidctest.CIBAUnknownUser: "op: unknown_user_id", oidctest.CIBAExpiredHint: "op: expired_login_hint_token", oidctest.CIBAInvalidRequest: "op: invalid_request",
	oidctest.CIBABindingRefused: "op: invalid_binding_message", oidctest.CIBASlowDown: oidc.LoginExpired, oidctest.CIBAPending: oidc.LoginExpired,
	oidctest.CIBADenied: "op: access_denied", oidctest.CIBAExpired: "op: expired_token", oidctest.CIBAUnknownRequest: "op: invalid_grant", oidctest.CIBANoIDToken: oidc.MissingIDToken,
}
