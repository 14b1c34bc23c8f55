package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

func credentialsClient() oidctest.Client {
	return oidctest.Client{GrantTypes: []string{"client_credentials"}}
}

func TestClientCredentials(t *testing.T) {
	op := newOP(t)
	r := service(t, op, credentialsClient())
	tok, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{Scopes: []string{"read", "write"}, Resources: []string{"https://api.example/"}})
	if err != nil {
		t.Fatal(err)
	}
	if tok.AccessToken == "" || tok.IDToken != nil || tok.RefreshToken != "" || !has(tok.Scopes, "write") {
		t.Errorf("got %v", tok)
	}
	req := op.Requests(oidctest.EndpointToken)[0]
	if req.Form.Get("grant_type") != "client_credentials" || req.Form.Get("scope") != "read write" || req.Form.Get("resource") != "https://api.example/" || req.Auth.Method != "client_secret_basic" {
		t.Errorf("sent %v, authenticated by %s", req.Form, req.Auth.Method)
	}
	if _, err := r.c.Begin(t.Context(), oidc.AuthParams{}); err == nil {
		t.Error("a client without redirect URIs began a login")
	} else {
		wantInput(t, err, oidc.BadParameter)
	}

	t.Run("a_public_client_has_none", func(t *testing.T) {
		r := service(t, op, oidctest.Client{GrantTypes: []string{"client_credentials"}, TokenEndpointAuthMethod: "none"})
		_, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{})
		wantInput(t, err, oidc.BadConfig)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("an_op_without_token_endpoint", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) {
			delete(m, "token_endpoint")
			m["response_types_supported"] = []string{"id_token"}
		})
		_, err := service(t, op, credentialsClient()).c.ClientCredentials(t.Context(), oidc.TokenParams{})
		wantUnsupported(t, err)
	})
	t.Run("parameters", func(t *testing.T) {
		for name, p := range map[string]oidc.TokenParams{
			"scope": {Scopes: []string{"a b"}}, "resource": {Resources: []string{"relative"}},
		} {
			_, err := r.c.ClientCredentials(t.Context(), p)
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			wantInput(t, err, oidc.BadParameter)
		}
		_, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{Extra: map[string][]string{"grant_type": {"password"}}})
		wantInput(t, err, oidc.ProtectedParameter)
	})
	t.Run("a_refresh_token_is_not_kept", func(t *testing.T) {
		op := newOP(t)
		r := service(t, op, credentialsClient())
		op.TamperTokenResponse(func(m map[string]any) { m["refresh_token"] = "rt" })
		tok, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{})
		if err != nil || tok.RefreshToken != "" {
			t.Errorf("got %v, %v", tok, err)
		}
	})
	t.Run("bound_to_a_key", func(t *testing.T) {
		r := service(t, newOP(t), credentialsClient(), func(c *oidc.ClientConfig) { c.DPoP = oidc.DPoPES256() })
		if tok, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{}); err != nil || tok.DPoP == nil {
			t.Errorf("got %v, %v", tok, err)
		}
	})
	t.Run("refused", func(t *testing.T) {
		op := newOP(t)
		r := service(t, op, credentialsClient())
		op.Break(oidctest.TokenTypeMAC)
		_, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{})
		r.reason(err, oidc.BadTokenType)
	})
	t.Run("an_oauth_server_without_keys", func(t *testing.T) {
		op := newOP(t)
		c := op.AddClient(credentialsClient())
		p, err := oidc.NewProvider(oidc.ProviderMetadata{Issuer: op.Issuer, TokenEndpoint: op.URL(oidctest.EndpointToken)}, options(op))
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		client, err := oidc.NewClient(p, oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := client.ClientCredentials(t.Context(), oidc.TokenParams{}); err != nil {
			t.Error(err)
		}
	})
}

func TestTokenSource(t *testing.T) {
	setup := func(t *testing.T, op *oidctest.OP) (*rig, *oidc.TokenSource) {
		r := service(t, op, credentialsClient())
		return r, r.c.TokenSource(oidc.TokenParams{Scopes: []string{"read"}})
	}
	must := func(t *testing.T, s *oidc.TokenSource) *oidc.Tokens {
		t.Helper()
		tok, err := s.Tokens(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return tok
	}
	t.Run("keeps_a_token_and_renews_it_before_its_end", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			first := must(t, s)
			time.Sleep(9*time.Minute + 29*time.Second)
			if must(t, s) != first {
				t.Error("renewed too early")
			}
			wantCalls(t, op, oidctest.EndpointToken, 1)
			time.Sleep(2 * time.Second)
			if second := must(t, s); second.AccessToken == first.AccessToken {
				t.Error("not renewed before its end")
			}
			wantCalls(t, op, oidctest.EndpointToken, 2)
		})
	})
	t.Run("one_request_under_way", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Intercept(oidctest.EndpointToken, slowly(time.Second, `{"access_token":"a","token_type":"Bearer","expires_in":600}`))
			var wg sync.WaitGroup
			for range 50 {
				wg.Go(func() {
					if tok, err := s.Tokens(t.Context()); err != nil || tok.AccessToken != "a" {
						t.Errorf("got %v, %v", tok, err)
					}
				})
			}
			wg.Wait()
			wantCalls(t, op, oidctest.EndpointToken, 1)
		})
	})
	t.Run("a_failure_is_shared_and_not_kept", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Intercept(oidctest.EndpointToken, after(time.Second, respond(401, "application/json", `{"error":"invalid_client"}`)))
			var wg sync.WaitGroup
			for range 10 {
				wg.Go(func() {
					_, err := s.Tokens(t.Context())
					wantCode(t, err, "invalid_client")
				})
			}
			wg.Wait()
			wantCalls(t, op, oidctest.EndpointToken, 1)
			op.Intercept(oidctest.EndpointToken, nil)
			must(t, s)
		})
	})
	t.Run("what_is_dead_on_arrival_is_shared_too", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Intercept(oidctest.EndpointToken, slowly(time.Second, `{"access_token":"a","token_type":"Bearer","expires_in":0}`))
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { must(t, s) })
			}
			wg.Wait()
			wantCalls(t, op, oidctest.EndpointToken, 1)
		})
	})
	t.Run("an_old_token_serves_while_another_is_asked_for", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			first := must(t, s)
			op.Intercept(oidctest.EndpointToken, slowly(8*time.Second, `{"access_token":"a","token_type":"Bearer","expires_in":600}`))
			time.Sleep(9*time.Minute + 55*time.Second)
			var wg sync.WaitGroup
			wg.Go(func() {
				if tok := must(t, s); tok.AccessToken != "a" {
					t.Errorf("who asked got %v", tok)
				}
			})
			synctest.Wait()
			start := time.Now()
			if must(t, s) != first || time.Since(start) != 0 {
				t.Errorf("got another token, or after %v", time.Since(start))
			}
			time.Sleep(6 * time.Second) // the old one is dead
			if tok := must(t, s); tok.AccessToken != "a" {
				t.Errorf("got %v", tok)
			}
			wg.Wait()
			wantCalls(t, op, oidctest.EndpointToken, 2)
		})
	})
	t.Run("a_refusal_is_told_while_the_old_token_lives", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			must(t, s)
			op.Break(oidctest.InvalidClient)
			time.Sleep(9*time.Minute + 40*time.Second)
			_, err := s.Tokens(t.Context())
			wantCode(t, err, "invalid_client")
		})
	})
	t.Run("an_old_token_that_ends_meanwhile_does_not_serve", func(t *testing.T) {
		for name, end := range map[string]func(s *oidc.TokenSource, tok *oidc.Tokens){
			"its life":  func(*oidc.TokenSource, *oidc.Tokens) {},
			"discarded": func(s *oidc.TokenSource, tok *oidc.Tokens) { s.Discard(tok); s.Discard(tok) },
		} {
			bubble(t, func(t *testing.T, op *oidctest.OP) {
				_, s := setup(t, op)
				first := must(t, s)
				op.Intercept(oidctest.EndpointToken, after(8*time.Second, respond(503, "text/plain", "")))
				time.Sleep(9*time.Minute + 55*time.Second)
				var wg sync.WaitGroup
				wg.Go(func() {
					if tok, err := s.Tokens(t.Context()); !oidc.StillPending(err) {
						t.Errorf("%s: got %v, %v", name, tok, err)
					}
				})
				synctest.Wait()
				end(s, first)
				wg.Wait()
			})
		}
	})
	t.Run("who_gives_up_takes_nobody_along", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Intercept(oidctest.EndpointToken, slowly(time.Second, `{"access_token":"a","token_type":"Bearer"}`))
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			wg.Go(func() {
				if _, err := s.Tokens(ctx); !errors.Is(err, context.Canceled) {
					t.Errorf("got %v", err)
				}
			})
			synctest.Wait()
			wg.Go(func() { must(t, s) })
			synctest.Wait()
			cancel()
			wg.Wait()
			wantCalls(t, op, oidctest.EndpointToken, 2)
		})
	})
	t.Run("who_panics_takes_nobody_along", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			panics := true
			known := credentialsClient()
			r := service(t, op, known, func(c *oidc.ClientConfig) {
				secret := c.Secret
				c.Auth = oidc.RotatingAuth(oidc.AuthSecretBasic, func(context.Context) (oidc.ClientAuth, error) {
					if panics {
						panics = false
						time.Sleep(time.Second) // others come meanwhile
						panic("a fault of the application")
					}
					return oidc.SecretBasic(secret), nil
				})
			})
			s := r.c.TokenSource(oidc.TokenParams{})
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			var wg sync.WaitGroup
			wg.Go(func() {
				defer func() {
					if recover() == nil {
						t.Error("the panic was swallowed")
					}
				}()
				_, _ = s.Tokens(ctx)
			})
			synctest.Wait()
			wg.Go(func() {
				if _, err := s.Tokens(ctx); err != nil {
					t.Errorf("who waited: %v", err)
				}
			})
			wg.Wait()
			if _, err := s.Tokens(ctx); err != nil {
				t.Errorf("who came later: %v", err)
			}
		})
	})
	t.Run("what_is_asked_for_is_fixed", func(t *testing.T) {
		op := newOP(t)
		r := service(t, op, credentialsClient())
		p := oidc.TokenParams{Scopes: []string{"read"}, Resources: []string{"https://api.example/"}, Extra: url.Values{"x": {"1"}}}
		s := r.c.TokenSource(p)
		p.Scopes[0], p.Resources[0], p.Extra["x"][0] = "write", "https://other.example/", "2"
		p.Extra.Set("y", "3")
		must(t, s)
		if f := op.Requests(oidctest.EndpointToken)[0].Form; f.Get("scope") != "read" || f.Get("resource") != "https://api.example/" || f.Get("x") != "1" || f.Has("y") {
			t.Errorf("sent %v", f)
		}
	})
	t.Run("who_waits_may_leave", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Intercept(oidctest.EndpointToken, slowly(time.Minute, `{}`))
			var wg sync.WaitGroup
			wg.Go(func() { _, _ = s.Tokens(t.Context()) })
			synctest.Wait()
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if _, err := s.Tokens(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
			wg.Wait()
		})
	})
	t.Run("an_old_token_serves_while_the_op_is_down", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			first := must(t, s)
			op.Break(oidctest.TokenUnavailable)
			time.Sleep(9*time.Minute + 40*time.Second)
			for range 3 {
				if must(t, s) != first {
					t.Error("another token")
				}
			}
			wantCalls(t, op, oidctest.EndpointToken, 2) // and not again at once
			time.Sleep(21 * time.Second)
			if _, err := s.Tokens(t.Context()); err == nil {
				t.Error("a dead token was returned")
			}
		})
	})
	t.Run("discard", func(t *testing.T) {
		bubble(t, func(t *testing.T, op *oidctest.OP) {
			_, s := setup(t, op)
			op.Break(oidctest.ExpiresInMissing)
			first := must(t, s)
			time.Sleep(24 * time.Hour)
			if must(t, s) != first {
				t.Error("a token without a known end was dropped")
			}
			s.Discard(first)
			second := must(t, s)
			if second.AccessToken == first.AccessToken {
				t.Error("the discarded token was returned")
			}
			s.Discard(first) // late: it is replaced already
			s.Discard(nil)
			if must(t, s) != second {
				t.Error("the new token was discarded for the old one")
			}
		})
	})
	t.Run("prints_no_token", func(t *testing.T) {
		op := newOP(t)
		_, s := setup(t, op)
		tok := must(t, s)
		if text := fmt.Sprintf("%v %+v %#v %v", s, s, s, s.LogValue()); strings.Contains(text, tok.AccessToken) || strings.Contains(text, "secret-") {
			t.Error(text)
		}
	})
}

// slowly answers JSON after a while.
func slowly(d time.Duration, body string) http.HandlerFunc {
	return after(d, respond(200, "application/json", body))
}

// after answers after a while.
func after(d time.Duration, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(d):
			h(w, r)
		case <-r.Context().Done():
		}
	}
}
