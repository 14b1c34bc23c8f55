package interop_test

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	logins "rely.example/login"
	"rely.example/oidc"
	"rely.example/peers/interop"
	grants "rely.example/rp"
	"rely.example/store/memstore"
)

// byPhone asks for a login of the user by telephone (CIBA Core section 7.1).
func byPhone(o *interop.OP) oidc.CIBAParams {
	return oidc.CIBAParams{LoginHint: o.User.Username, Scopes: []string{"profile", "email"}, BindingMessage: "Till-7"}
}

// TestCIBAPoll has the user decide by telephone while the client polls (CIBA Core section
// 5), with tokens bound to a key and without.
func TestCIBAPoll(t *testing.T) {
	each(t, hasGrant(oidc.GrantCIBA), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		client := func(t *testing.T, dpop string, keys []oidc.Key, edit func(*oidc.ClientMetadata)) *oidc.Client {
			t.Helper()
			return r.granted(t, p, dpop, keys, func(m *oidc.ClientMetadata) {
				m.BackchannelTokenDeliveryMode = oidc.CIBAPoll
				if edit != nil {
					edit(m)
				}
			}, oidc.GrantCIBA)
		}
		begin := func(t *testing.T, c *oidc.Client, params oidc.CIBAParams) *oidc.CIBALogin {
			t.Helper()
			l, err := c.BeginCIBA(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			if l.Mode != oidc.CIBAPoll || l.NotificationToken != "" || l.Interval != oidc.DefaultPollInterval {
				t.Errorf("got %v, interval %v", l, l.Interval)
			}
			_, err = c.PollCIBA(t.Context(), l)
			if op, ok := errors.AsType[*oidc.OPError](err); !ok || op.Code != "authorization_pending" || !oidc.StillPending(err) {
				t.Errorf("PollCIBA: %v, want authorization_pending", err)
			}
			return l
		}
		decide := func(t *testing.T, l *oidc.CIBALogin, allow bool) {
			t.Helper()
			if err := o.DecideByPhone(t.Context(), l.AuthReqID, allow); err != nil {
				t.Fatal(err)
			}
		}
		allowed := func(t *testing.T, c *oidc.Client, params oidc.CIBAParams) *oidc.Tokens {
			t.Helper()
			l := begin(t, c, params)
			l.Interval = soon
			done := make(chan outcome, 1)
			go func() {
				tokens, err := c.FinishCIBA(t.Context(), l)
				done <- outcome{tokens, err}
			}()
			decide(t, l, true)
			got := <-done
			if got.err != nil {
				t.Fatalf("FinishCIBA: %v", got.err)
			}
			checkElsewhere(t, o, c, got.tokens)
			_, err := c.PollCIBA(t.Context(), l)
			wantCode(t, err, "invalid_grant", "expired_token") // an auth_req_id is good once
			return got.tokens
		}
		for name, alg := range bindings(o) {
			t.Run("allowed/"+name, func(t *testing.T) { allowed(t, client(t, alg, nil, nil), byPhone(o)) })
		}
		for _, alg := range o.Peer.Has.CIBA.Algs {
			t.Run("signed_request/"+alg, func(t *testing.T) { // section 7.1.1
				allowed(t, client(t, "", signs(t, alg), func(m *oidc.ClientMetadata) { m.BackchannelAuthenticationRequestSigningAlg = alg }), byPhone(o))
			})
		}
		t.Run("signed_request/another_key", func(t *testing.T) {
			key := signs(t, "ES256")
			config := r.registered(t, p, key, func(m *oidc.ClientMetadata) {
				m.GrantTypes = append(m.GrantTypes, oidc.GrantCIBA)
				m.BackchannelTokenDeliveryMode, m.BackchannelAuthenticationRequestSigningAlg = oidc.CIBAPoll, "ES256"
			})
			config.Keys = signs(t, "ES256")
			_, err := r.client(t, p, config).BeginCIBA(t.Context(), byPhone(o))
			wantCode(t, err, "invalid_request")
		})
		c := client(t, "", nil, nil)
		t.Run("refused", func(t *testing.T) {
			l := begin(t, c, byPhone(o))
			decide(t, l, false)
			_, err := c.PollCIBA(t.Context(), l)
			wantCode(t, err, "access_denied")
		})
		t.Run("nobody_answered", func(t *testing.T) {
			params := byPhone(o)
			params.RequestedExpiry = time.Second
			l, err := c.BeginCIBA(t.Context(), params)
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.FinishCIBA(t.Context(), l)
			wantReason(t, err, oidc.LoginExpired) // by our clock: nothing is sent
			l.Expiry, l.Interval = time.Now().Add(time.Minute), soon
			_, err = c.FinishCIBA(t.Context(), l)
			wantCode(t, err, "expired_token") // by the OP's
		})
		t.Run("id_token_hint", func(t *testing.T) {
			params := byPhone(o)
			first := allowed(t, c, params)
			params.LoginHint, params.IDTokenHint = "", first.IDToken.Raw()
			allowed(t, c, params)
		})
		guarded := client(t, "", nil, func(m *oidc.ClientMetadata) { m.BackchannelUserCodeParameter = true })
		t.Run("user_code", func(t *testing.T) {
			params := byPhone(o)
			params.UserCode = o.User.Code
			allowed(t, guarded, params)
		})
		for code, x := range map[string]struct { // section 13
			c    *oidc.Client
			edit func(*oidc.CIBAParams)
		}{
			"unknown_user_id":         {c, func(p *oidc.CIBAParams) { p.LoginHint = "mallory" }},
			"invalid_binding_message": {c, func(p *oidc.CIBAParams) { p.BindingMessage = strings.Repeat("long", 10) }},
			"missing_user_code":       {guarded, func(*oidc.CIBAParams) {}},
			"invalid_user_code":       {guarded, func(p *oidc.CIBAParams) { p.UserCode = "0000" }},
		} {
			t.Run("error/"+code, func(t *testing.T) {
				params := byPhone(o)
				x.edit(&params)
				_, err := x.c.BeginCIBA(t.Context(), params)
				wantCode(t, err, code)
				if op, ok := errors.AsType[*oidc.OPError](err); ok && op.Hint == "" {
					t.Error("there is no hint what to do")
				}
			})
		}
	})
}

// application is one whose users decide by telephone: the handler of package login hears
// of it, at a server that the OP trusts.
type application struct {
	rp    *grants.RP
	mu    sync.Mutex
	heard []int // what was answered to notifications; guarded by mu
}

// listen starts an application at an OP.
func (r rp) listen(t *testing.T, p *oidc.Provider, mode, dpop string, edit func(*oidc.ClientMetadata)) (*application, *oidc.Client) {
	t.Helper()
	cert, err := r.o.ServerCertificate()
	if err != nil {
		t.Fatal(err)
	}
	a := &application{}
	s := httptest.NewUnstartedServer(nil)
	t.Cleanup(s.Close)
	s.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	origin := "https://" + s.Listener.Addr().String()
	c := r.granted(t, p, dpop, nil, func(m *oidc.ClientMetadata) {
		m.BackchannelTokenDeliveryMode, m.BackchannelClientNotificationEndpoint = mode, origin+"/auth/ciba"
		if edit != nil {
			edit(m)
		}
	}, oidc.GrantCIBA)
	if a.rp, err = grants.New(grants.Config{Directory: grants.Only(c), Store: new(memstore.Store)}); err != nil {
		t.Fatal(err)
	}
	m, err := logins.New(logins.Config{Origin: origin, RP: a.rp, Store: new(memstore.Store), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := m.Handler()
	s.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, q)
		a.mu.Lock()
		a.heard = append(a.heard, rec.Code)
		a.mu.Unlock()
		w.WriteHeader(rec.Code)
	})
	s.StartTLS()
	return a, c
}

func (a *application) answered(t *testing.T, want ...int) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !slices.Equal(a.heard, want) {
		t.Errorf("the OP was answered %v, want %v", a.heard, want)
	}
}

// TestCIBANotified has the OP tell the application when the user has decided: by a ping
// (CIBA Core section 10.2), and with the tokens in it (10.3).
func TestCIBANotified(t *testing.T) {
	each(t, hasGrant(oidc.GrantCIBA), func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		start := func(t *testing.T, a *application) (state string, l *oidc.CIBALogin) {
			t.Helper()
			state, l, err := a.rp.StartCIBA(t.Context(), grants.CIBA{Issuer: o.Issuer, Params: byPhone(o)})
			if err != nil {
				t.Fatal(err)
			}
			if l.NotificationToken == "" {
				t.Error("the OP got no token to bear")
			}
			if _, err := a.rp.CheckCIBA(t.Context(), state); !errors.Is(err, grants.CIBAPending) {
				t.Errorf("CheckCIBA: %v, want %v", err, grants.CIBAPending)
			}
			a.answered(t)
			return state, l
		}
		allowed := func(t *testing.T, a *application, c *oidc.Client) *oidc.Tokens {
			t.Helper()
			state, l := start(t, a)
			if err := o.DecideByPhone(t.Context(), l.AuthReqID, true); err != nil {
				t.Fatal(err)
			}
			a.answered(t, http.StatusNoContent)
			g, err := a.rp.CheckCIBA(t.Context(), state)
			if err != nil {
				t.Fatalf("CheckCIBA: %v", err)
			}
			if g.Subject() != o.User.Username || g.ClientID() != c.ID() || g.Issuer() != o.Issuer {
				t.Errorf("got %v", g)
			}
			tokens, err := g.Tokens(t.Context())
			if err != nil {
				t.Fatalf("Tokens: %v", err)
			}
			checkElsewhere(t, o, c, tokens)
			return tokens
		}
		refused := func(t *testing.T, a *application) {
			t.Helper()
			state, l := start(t, a)
			if err := o.DecideByPhone(t.Context(), l.AuthReqID, false); err != nil {
				t.Fatal(err)
			}
			a.answered(t, http.StatusNoContent)
			for range 2 { // it is told to all who ask
				_, err := a.rp.CheckCIBA(t.Context(), state)
				wantCode(t, err, "access_denied")
			}
		}
		if slices.Contains(o.Peer.Has.CIBA.Modes, oidc.CIBAPing) {
			for name, alg := range bindings(o) {
				t.Run("ping/"+name, func(t *testing.T) {
					a, c := r.listen(t, p, oidc.CIBAPing, alg, nil)
					allowed(t, a, c)
				})
			}
			t.Run("ping/refused", func(t *testing.T) {
				a, _ := r.listen(t, p, oidc.CIBAPing, "", nil)
				refused(t, a)
			})
		}
		if !slices.Contains(o.Peer.Has.CIBA.Modes, oidc.CIBAPush) {
			return
		}
		hashed := func(m *oidc.ClientMetadata) {
			m.Extra = map[string]json.RawMessage{"push_at_hash": json.RawMessage("true")}
		}
		if !o.Peer.Has.CIBA.PushHash {
			hashed = nil
		}
		t.Run("push", func(t *testing.T) { // section 10.3.1
			a, c := r.listen(t, p, oidc.CIBAPush, "", hashed)
			tokens := allowed(t, a, c)
			var claims map[string]any
			if err := tokens.IDToken.Claims(&claims); err != nil {
				t.Fatal(err)
			}
			for _, name := range []string{"at_hash", "urn:openid:params:jwt:claim:auth_req_id", "urn:openid:params:jwt:claim:rt_hash"} {
				if claims[name] == nil {
					t.Errorf("the ID Token has no %s, which binds it to the push", name)
				}
			}
		})
		t.Run("push/refused", func(t *testing.T) { // section 12
			a, _ := r.listen(t, p, oidc.CIBAPush, "", hashed)
			refused(t, a)
		})
		if o.Peer.Has.CIBA.PushHash {
			t.Run("push/no_at_hash", func(t *testing.T) {
				a, _ := r.listen(t, p, oidc.CIBAPush, "", nil)
				state, l := start(t, a)
				if err := o.DecideByPhone(t.Context(), l.AuthReqID, true); err == nil {
					t.Error("the OP was told that all is well")
				}
				a.answered(t, http.StatusBadRequest)
				_, err := a.rp.CheckCIBA(t.Context(), state)
				if !errors.Is(err, grants.CIBAFailed) || !strings.Contains(err.Error(), string(oidc.BadAccessTokenHash)) {
					t.Errorf("CheckCIBA: %v, want %v for %q", err, grants.CIBAFailed, oidc.BadAccessTokenHash)
				}
			})
		}
	})
}
