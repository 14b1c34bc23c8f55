package conformance_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
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

const cibaPrefix = "fapi-ciba-id1-client-"

// cibaParameters are the parameters of the plan fapi-ciba-id1-client-test-plan. It
// has no runs for push.
func cibaParameters() []parameter {
	return []parameter{
		{"fapi_ciba_profile", []string{"plain_fapi", "openbanking_uk", "openbanking_brazil", "connectid_au"}},
		{"client_auth_type", []string{"private_key_jwt", "mtls"}},
		{"ciba_mode", []string{"poll", "ping"}},
	}
}

// cibaModules are the modules of FAPI-CIBA.
func cibaModules() []module {
	poll, brazil, connectID := only("ciba_mode", "poll"), only("fapi_ciba_profile", "openbanking_brazil"), only("fapi_ciba_profile", "connectid_au")
	var out []module
	add := func(names string, rules ...rule) {
		for n := range strings.FieldsSeq(names) {
			out = append(out, module{cibaPrefix + n, rules})
		}
	}
	add("test valid-aud-as-array-test no-scope-in-token-endpoint-response-test")
	add("respects-interval-test slow-down-test", poll)
	add("invalid-missing-authreqid-test invalid-missing-expiresin-test invalid-unknown-user-id-test")
	add("invalid-expired-id-token-hint-test invalid-id-token-hint-test", brazil)
	add("invalid-request-test invalid-access-denied-test")
	add("invalid-expired-token-test", poll)
	add("invalid-iss-test invalid-aud-test invalid-secondary-aud-test invalid-signature-test invalid-null-alg-test invalid-alternate-alg-test " +
		"invalid-expired-exp-test iat-is-week-in-past-test invalid-missing-aud-test invalid-missing-exp-test invalid-missing-iss-test")
	add("connectid-invalid-missing-txn-test connectid-invalid-missing-trust-framework-test connectid-invalid-wrong-trust-framework-test", connectID)
	add("ping-with-invalid-bearer-token-test", only("ciba_mode", "ping"))
	add("refresh-token-test", brazil)
	return out
}

// ciba is a run of a FAPI-CIBA module: a relying party with a store, whose
// notification endpoint is that of package login.
type ciba struct {
	*run
	config   func(*oidctest.Config)
	asked    oidc.CIBAParams
	more     func(claims map[string]any) // further edits of the ID Token
	rp       *rp.RP
	endpoint http.Handler
	statuses []int // of the answers to notifications
	began    time.Time
	state    string
	request  *oidc.CIBALogin
}

// RoundTrip is the way of the OP's notifications.
func (c *ciba) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	c.endpoint.ServeHTTP(w, r)
	c.statuses = append(c.statuses, w.Code)
	res := w.Result()
	res.Request = r
	return res, nil
}

func (c *ciba) ping() bool { return c.v["ciba_mode"] == "ping" }

// setup starts the OP as the suite's is: it pings ten seconds after it was asked,
// or gives the tokens after more than two polls, and wants signed requests.
func (c *ciba) setup() {
	c.Helper()
	m := oidc.ClientMetadata{
		GrantTypes:                                 []string{oidc.GrantCIBA, oidc.GrantRefreshToken},
		TokenEndpointAuthMethod:                    fapiAuth(c.v),
		IDTokenSignedResponseAlg:                   "PS256",
		BackchannelTokenDeliveryMode:               c.v["ciba_mode"],
		BackchannelClientNotificationEndpoint:      origin + "/auth/ciba",
		BackchannelAuthenticationRequestSigningAlg: "ES256",
	}
	c.metadata = m
	c.useKeys(oidc.Key{ID: "rp-1", Private: rpKey()})
	c.start(func(oc *oidctest.Config) {
		oc.Client = &http.Client{Transport: c}
		oc.DecisionTime = 11 * time.Second
		if c.ping() {
			oc.DecisionTime = 10 * time.Second
		}
		if c.config != nil {
			c.config(oc)
		}
	})
	c.asked.LoginHint = "alice"
	if c.v["fapi_ciba_profile"] == "connectid_au" {
		c.asked.RequireTrustFramework = "au_connectid"
	}
	c.claims(func(claims map[string]any) {
		if c.v["fapi_ciba_profile"] == "connectid_au" {
			claims["txn"] = "7c1e"
			claims["verified_claims"] = map[string]any{"verification": map[string]any{"trust_framework": "au_connectid"}, "claims": map[string]any{}}
		}
		if c.more != nil {
			c.more(claims)
		}
	})
	c.ready()
	var err error
	if c.rp, err = rp.New(rp.Config{Directory: rp.Only(c.c), Store: &memstore.Store{Now: c.op.Now}, Now: c.op.Now}); err != nil {
		c.Fatal(err)
	}
	app, err := login.New(login.Config{Origin: origin, RP: c.rp, Store: &memstore.Store{Now: c.op.Now}, Now: c.op.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		c.Fatal(err)
	}
	c.Cleanup(func() { _ = app.Close() })
	c.endpoint = app.Handler()
	c.op.ClearLog()
}

// begin asks the OP to ask the user.
func (c *ciba) begin() error {
	c.Helper()
	if c.op == nil {
		c.setup()
	}
	c.began = c.op.Now()
	var err error
	c.state, c.request, err = c.rp.StartCIBA(c.Context(), rp.CIBA{Issuer: c.op.Issuer, Params: c.asked})
	return err
}

// login is the whole way: the request, the wait, the tokens, and a resource.
func (c *ciba) login() error {
	c.Helper()
	if err := c.begin(); err != nil {
		return err
	}
	return c.finish()
}

func (c *ciba) finish() error {
	c.Helper()
	g, err := c.rp.FinishCIBA(c.Context(), c.state)
	if err != nil {
		return err
	}
	if c.tokens, err = g.Tokens(c.Context()); err != nil {
		return err
	}
	_, err = c.c.UserInfo(c.Context(), c.tokens)
	return err
}

// succeeds asserts a login with one request to the resource.
func (c *ciba) succeeds() {
	c.Helper()
	if err := c.login(); err != nil {
		c.Fatalf("login: %v", err)
	}
	c.polledInTime(c.request.Interval)
	if n := len(c.op.Requests(oidctest.EndpointUserInfo)); n != 1 {
		c.Errorf("%d requests to the resource", n)
	}
	if c.ping() {
		if !slices.Equal(c.statuses, []int{http.StatusNoContent}) {
			c.Errorf("the ping was answered %v, want 204", c.statuses)
		}
		if n := len(c.polls()); n != 1 {
			c.Errorf("%d token requests after one ping", n)
		}
	} else if n := len(c.polls()); n < 3 {
		c.Errorf("%d polls, want more than two", n)
	}
}

// polls are when the token endpoint was asked.
func (c *ciba) polls() []time.Duration {
	var out []time.Duration
	for _, q := range c.op.Requests(oidctest.EndpointToken) {
		if q.Form.Get("grant_type") == oidc.GrantCIBA {
			out = append(out, q.Time.Sub(c.began))
		}
	}
	return out
}

// polledInTime asserts that no poll came earlier than it might.
func (c *ciba) polledInTime(interval time.Duration) {
	c.Helper()
	last := time.Duration(0)
	for _, at := range c.polls() {
		if !c.ping() && at-last < interval || c.ping() && at < 10*time.Second {
			c.Errorf("polled after %v, %v after the last: the interval is %v", at, at-last, interval)
		}
		last = at
	}
}

// stops asserts that a login ends with want after so many token requests, and that
// no resource was asked.
func (c *ciba) stops(err error, want error, polls int) {
	c.Helper()
	code, isCode := "", false
	if e, ok := want.(refusedWith); ok {
		code, isCode = string(e), true
	}
	op, refused := errors.AsType[*oidc.OPError](err)
	if isCode && (!refused || op.Code != code) || !isCode && !errors.Is(err, want) {
		c.Fatalf("got error %v, want %v", err, want)
	}
	// Whoever asks later is told that it is over, and nothing is sent.
	time.Sleep(time.Minute)
	if c.state != "" {
		if _, err := c.rp.CheckCIBA(c.Context(), c.state); err == nil || errors.Is(err, rp.CIBAPending) {
			c.Errorf("it goes on: %v", err)
		}
	}
	if n := len(c.polls()); n != polls {
		c.Errorf("%d token requests, want %d", n, polls)
	}
	if n := len(c.op.Requests(oidctest.EndpointUserInfo)); n != 0 {
		c.Errorf("%d requests to the resource", n)
	}
}

// refusedWith is an error code of the OP.
type refusedWith string

func (r refusedWith) Error() string { return "the OP's refusal " + string(r) }

// pollsUntilTokens is how many token requests a login without an error makes.
func (c *ciba) pollsUntilTokens() int {
	if c.ping() {
		return 1
	}
	return 3
}

// cibaTests are the tests of the FAPI-CIBA modules by name.
func cibaTests() map[string]func(*testing.T, variant) {
	out := make(map[string]func(*testing.T, variant))
	for name, test := range cibaScripts() {
		out[cibaPrefix+name] = func(t *testing.T, v variant) {
			opKey() // made outside of the bubble: other tests use it too
			rotatedKey()
			thirdKey()
			rpKey()
			synctest.Test(t, func(t *testing.T) { test(&ciba{run: &run{T: t, v: v}}) })
		}
	}
	return out
}

// cibaScripts are what each module's provider does, and what must come of it.
func cibaScripts() map[string]func(c *ciba) {
	// refuses: the request is answered with a fault, and nothing is polled.
	refuses := func(want error, faults ...oidctest.Fault) func(c *ciba) {
		return func(c *ciba) {
			c.setup()
			c.op.Break(faults...)
			c.stops(c.login(), want, 0)
		}
	}
	// badToken: the ID Token of the token endpoint breaks a rule.
	badToken := func(want oidc.Reason, faults ...oidctest.Fault) func(c *ciba) {
		return func(c *ciba) {
			c.setup()
			c.op.Break(faults...)
			c.stops(c.login(), want, c.pollsUntilTokens())
		}
	}
	// badClaim: a claim that the ecosystem demands is not as it should be.
	badClaim := func(want oidc.Reason, edit func(claims map[string]any)) func(c *ciba) {
		return func(c *ciba) {
			c.more = edit
			c.stops(c.login(), want, c.pollsUntilTokens())
		}
	}
	accepts := func(faults ...oidctest.Fault) func(c *ciba) {
		return func(c *ciba) {
			c.setup()
			c.op.Break(faults...)
			c.succeeds()
		}
	}
	framework := func(v any) func(map[string]any) {
		return func(claims map[string]any) {
			verification := claims["verified_claims"].(map[string]any)["verification"].(map[string]any)
			delete(verification, "trust_framework")
			if v != nil {
				verification["trust_framework"] = v
			}
		}
	}
	return map[string]func(c *ciba){
		"test":                    accepts(),
		"valid-aud-as-array-test": accepts(oidctest.AudAsArray),
		"no-scope-in-token-endpoint-response-test": accepts(oidctest.ScopeMissing, oidctest.ExpiresInMissing),

		"respects-interval-test": func(c *ciba) {
			c.config = func(oc *oidctest.Config) { oc.PollInterval, oc.DecisionTime = 31*time.Second, 70*time.Second }
			c.succeeds()
			c.polledInTime(31 * time.Second)
		},
		"slow-down-test": func(c *ciba) {
			c.config = func(oc *oidctest.Config) { oc.DecisionTime = 18 * time.Second }
			c.setup()
			time.AfterFunc(7*time.Second, func() { c.op.Break(oidctest.CIBASlowDown) })
			time.AfterFunc(12*time.Second, func() { c.op.Mend(oidctest.CIBASlowDown) })
			if err := c.login(); err != nil {
				c.Fatal(err)
			}
			if p := c.polls(); len(p) != 3 || p[1]-p[0] < 5*time.Second || p[2]-p[1] < 10*time.Second {
				c.Errorf("polled after %v: five seconds more are due after slow_down", p)
			}
		},

		"invalid-missing-authreqid-test": refuses(oidc.BadCIBAResponse, oidctest.CIBARequestIDMissing),
		"invalid-missing-expiresin-test": refuses(oidc.BadCIBAResponse, oidctest.CIBAExpiresInMissing),
		"invalid-unknown-user-id-test":   refuses(refusedWith("unknown_user_id"), oidctest.CIBAUnknownUser),
		"invalid-request-test":           refuses(refusedWith("invalid_request"), oidctest.CIBAInvalidRequest),
		"invalid-expired-id-token-hint-test": func(c *ciba) {
			c.setup()
			c.asked.LoginHint, c.asked.IDTokenHint = "", "e30.e30.e30"
			c.op.Break(oidctest.CIBAInvalidRequest)
			c.stops(c.login(), refusedWith("invalid_request"), 0)
		},
		"invalid-id-token-hint-test": func(c *ciba) {
			c.setup()
			c.asked.LoginHint, c.asked.IDTokenHint = "", "e30.e30.e30"
			c.stops(c.login(), refusedWith("unknown_user_id"), 0)
		},
		"invalid-access-denied-test": func(c *ciba) {
			c.config = func(oc *oidctest.Config) { oc.DecisionTime = -1 }
			if err := c.begin(); err != nil {
				c.Fatal(err)
			}
			time.AfterFunc(10*time.Second+time.Millisecond, func() {
				if err := c.op.Deny(c.request.AuthReqID); err != nil {
					c.Error(err)
				}
				if c.ping() {
					_, _ = c.op.Notify(context.Background(), c.request.AuthReqID)
				}
			})
			c.stops(c.finish(), refusedWith("access_denied"), c.pollsUntilTokens())
		},
		"invalid-expired-token-test": func(c *ciba) {
			c.setup()
			time.AfterFunc(12*time.Second, func() { c.op.Break(oidctest.CIBAExpired) })
			c.stops(c.login(), refusedWith("expired_token"), 3)
		},

		"invalid-iss-test":           badToken(oidc.BadIssuer, oidctest.IDTokenIssOther),
		"invalid-missing-iss-test":   badToken(oidc.BadIssuer, oidctest.IDTokenIssMissing),
		"invalid-aud-test":           badToken(oidc.BadAudience, oidctest.AudOther),
		"invalid-secondary-aud-test": badToken(oidc.BadAudience, oidctest.AudExtraAzp),
		"invalid-missing-aud-test":   badToken(oidc.BadAudience, oidctest.AudMissing),
		"invalid-signature-test":     badToken(oidc.BadSignature, oidctest.SignatureWrong),
		"invalid-null-alg-test":      badToken(oidc.BadAlgorithm, oidctest.AlgNone),
		"invalid-alternate-alg-test": badToken(oidc.BadAlgorithm, oidctest.AlgUnregistered),
		"invalid-expired-exp-test":   badToken(oidc.TokenExpired, oidctest.ExpPast),
		"invalid-missing-exp-test":   badToken(oidc.MissingClaim, oidctest.ExpMissing),
		"iat-is-week-in-past-test": badClaim(oidc.TokenTooOld, func(claims map[string]any) {
			claims["iat"] = claims["iat"].(int64) - int64(7*24*time.Hour/time.Second)
		}),

		"connectid-invalid-missing-txn-test":             badClaim(oidc.MissingClaim, func(claims map[string]any) { delete(claims, "txn") }),
		"connectid-invalid-missing-trust-framework-test": badClaim(oidc.MissingClaim, framework(nil)),
		"connectid-invalid-wrong-trust-framework-test":   badClaim(oidc.BadClaim, framework("de_aml")),

		"ping-with-invalid-bearer-token-test": func(c *ciba) {
			c.config = func(oc *oidctest.Config) { oc.DecisionTime = -1 }
			if err := c.begin(); err != nil {
				c.Fatal(err)
			}
			time.Sleep(10 * time.Second)
			if err := c.op.Approve(c.request.AuthReqID, ""); err != nil {
				c.Fatal(err)
			}
			res, err := c.op.Notify(c.Context(), c.request.AuthReqID, oidctest.NotifyWrongBearer)
			if err != nil || res.StatusCode != http.StatusUnauthorized || res.Header.Get("Location") != "" {
				c.Fatalf("answered %v, %v, want 401", res, err)
			}
			if _, err := c.rp.CheckCIBA(c.Context(), c.state); !errors.Is(err, rp.CIBAPending) {
				c.Errorf("got %v", err)
			}
			if n := len(c.polls()); n != 0 {
				c.Errorf("%d token requests after a ping of somebody else", n)
			}
		},
		"refresh-token-test": func(c *ciba) {
			c.asked.Scopes = []string{"offline_access"}
			c.succeeds()
			again, err := c.c.Refresh(c.Context(), c.tokens)
			if err != nil || again.AccessToken == c.tokens.AccessToken {
				c.Errorf("got %v, %v", again, err)
			}
		},
	}
}
