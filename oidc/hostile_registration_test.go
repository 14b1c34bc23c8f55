package oidc_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// answer edits what the OP says about a registration.
func answer(op *oidctest.OP, name string, v any) {
	op.TamperRegistration(func(m map[string]any) {
		if v == nil {
			delete(m, name)
			return
		}
		m[name] = v
	})
}

// TestHostileRegistration breaks dynamic registration.
func TestHostileRegistration(t *testing.T) {
	for _, c := range []struct {
		name   string
		member string
		value  any
		asked  func(*oidc.ClientMetadata)
		want   oidc.Reason
	}{
		{"075_client_id_missing", "client_id", nil, nil, oidc.BadRegistration},
		{"075_client_id_empty", "client_id", "", nil, oidc.BadRegistration},
		{"075_client_id_a_number", "client_id", 7, nil, oidc.MalformedResponse},
		{"075_client_secret_a_number", "client_secret", 7, nil, oidc.MalformedResponse},
		{"075_other_redirect_uri", "redirect_uris", []any{"https://attacker.example/cb"}, nil, oidc.BadRegistration},
		{"075_one_redirect_uri_more", "redirect_uris", []any{redirectURI, "https://attacker.example/cb"}, nil, oidc.BadRegistration},
		{"075_no_redirect_uri", "redirect_uris", []any{}, nil, oidc.BadRegistration},
		{"075_redirect_uris_a_string", "redirect_uris", redirectURI, nil, oidc.MalformedResponse},
		{"075_weaker_auth_method", "token_endpoint_auth_method", "none", nil, oidc.BadRegistration},
		{"075_weaker_auth_method_than_asked", "token_endpoint_auth_method", "client_secret_basic", func(m *oidc.ClientMetadata) {
			m.TokenEndpointAuthMethod = "private_key_jwt"
			m.JWKS = json.RawMessage(testJWKS(t))
		}, oidc.BadRegistration},
		{"075_unknown_auth_method", "token_endpoint_auth_method", "shared_cookie", nil, oidc.BadRegistration},
		{"075_alg_none", "id_token_signed_response_alg", "none", nil, oidc.BadRegistration},
		{"075_other_alg", "id_token_signed_response_alg", "HS256", signedWith("ES256"), oidc.BadRegistration},
		{"075_userinfo_unsigned", "userinfo_signed_response_alg", "none", func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = "RS256" }, oidc.BadRegistration},
		{"075_other_subject_type", "subject_type", "public", func(m *oidc.ClientMetadata) { m.SubjectType = "pairwise" }, oidc.BadRegistration},
		{"075_other_response_types", "response_types", []any{"id_token"}, types("code"), oidc.BadRegistration},
		{"075_encryption_unasked_enc", "id_token_encrypted_response_alg", 7, nil, oidc.MalformedResponse},
		{"075_uri_without_token", "registration_access_token", nil, nil, oidc.BadRegistration},
		{"075_token_without_uri", "registration_client_uri", nil, nil, oidc.BadRegistration},
		{"075_expiry_a_string", "client_secret_expires_at", "never", nil, oidc.MalformedResponse},
		{"075_expiry_negative", "client_secret_expires_at", -1, nil, oidc.MalformedResponse},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := newOP(t)
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
			r.discover()
			answer(op, c.member, c.value)
			m := r.metadata()
			if c.asked != nil {
				c.asked(&m)
			}
			reg, err := r.p.Register(t.Context(), m, "")
			r.reason(err, c.want)
			if reg != nil {
				t.Error("a Registration beside the error")
			}
			wantCalls(t, op, oidctest.EndpointRegistration, 1)
		})
	}
	for name, f := range hostileBodies("application/json", `"client_id":"c"`) {
		t.Run("075_"+name, func(t *testing.T) {
			op := newOP(t)
			o := options(op)
			o.Timeout = f.timeout
			md := byHand(op)
			md.RegistrationEndpoint = op.URL(oidctest.EndpointRegistration)
			p, err := oidc.NewProvider(md, o)
			if err != nil {
				t.Fatal(err)
			}
			op.Intercept(oidctest.EndpointRegistration, f.handler)
			_, err = p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}, "")
			wantReason(t, err, f.want)
			wantCalls(t, op, oidctest.EndpointRegistration, 1)
		})
	}
	for name, h := range map[string]http.HandlerFunc{
		"in_a_400": respond(400, "application/json", `{"error":"invalid_redirect_uri","error_description":"no <b>loopback</b>"}`),
		"in_a_200": respond(200, "application/json", `{"error":"invalid_redirect_uri","error_description":"no"}`),
		"in_a_403": respond(403, "application/json", `{"error":"invalid_redirect_uri"}`),
	} {
		t.Run("075_refusal_"+name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			op.Intercept(oidctest.EndpointRegistration, h)
			_, err := r.p.Register(t.Context(), r.metadata(), "")
			r.refusal(err, "invalid_redirect_uri")
		})
	}
	t.Run("075_unasked_userinfo_none_is_the_default", func(t *testing.T) {
		op := newOP(t)
		answer(op, "userinfo_signed_response_alg", "none")
		setup(t, op).mustLogin()
	})
	t.Run("075_a_stronger_method_or_a_twin", func(t *testing.T) {
		op := newOP(t)
		answer(op, "token_endpoint_auth_method", "client_secret_post")
		if r := setup(t, op); r.reg.Metadata.TokenEndpointAuthMethod != "client_secret_post" {
			t.Errorf("got %q", r.reg.Metadata.TokenEndpointAuthMethod)
		}
	})

	t.Run("076_secret_expired", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.SecretLifetime = time.Hour })
		r := setup(t, op)
		if r.reg.SecretExpires.IsZero() {
			t.Fatal("the expiry is not known")
		}
		pending, cb := r.begin()
		op.Advance(59 * time.Minute)
		tok := r.offline()
		op.Advance(2 * time.Minute)
		op.ClearLog()
		_, err := r.finish(pending, cb)
		r.reason(err, oidc.LoginExpired)
		pending, cb = r.begin()
		_, err = r.finish(pending, cb)
		r.reason(err, oidc.SecretExpired)
		_, err = r.c.Refresh(t.Context(), tok)
		r.reason(err, oidc.SecretExpired)
		r.reason(r.c.Revoke(t.Context(), tok.AccessToken, ""), oidc.SecretExpired)
		wantNoCall(t, op, oidctest.EndpointToken, oidctest.EndpointRevocation)
		r.register()
		r.mustLogin()
	})
	t.Run("077_registration_uri_elsewhere", func(t *testing.T) {
		op, attacker := newOP(t), newOP(t)
		op.TamperRegistration(func(m map[string]any) {
			m["registration_client_uri"] = attacker.Issuer + "/register/x"
		})
		r := setup(t, op)
		_, err := r.p.ReadRegistration(t.Context(), r.reg)
		r.reason(err, oidc.ForeignRegistrationURI)
		_, err = r.p.UpdateRegistration(t.Context(), r.reg, r.metadata())
		r.reason(err, oidc.ForeignRegistrationURI)
		r.reason(r.p.DeleteRegistration(t.Context(), r.reg), oidc.ForeignRegistrationURI)
		if len(attacker.Received()) != 0 {
			t.Error("the registration access token went out")
		}
	})
	t.Run("077_registration_uri_in_the_clear", func(t *testing.T) {
		op := newOP(t)
		op.TamperRegistration(func(m map[string]any) {
			m["registration_client_uri"] = "http://" + op.Host + "/register/x"
		})
		r := setup(t, op)
		_, err := r.p.ReadRegistration(t.Context(), r.reg)
		r.reason(err, oidc.ForeignRegistrationURI)
	})
	t.Run("078_two_at_once", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		var mu sync.Mutex
		ids, secrets := map[string]bool{}, map[string]bool{}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				reg, err := r.p.Register(t.Context(), r.metadata(), "")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				ids[reg.ClientID], secrets[reg.Secret] = true, true
			})
		}
		wg.Wait()
		if len(ids) != 8 || len(secrets) != 8 {
			t.Errorf("%d identifiers and %d secrets of 8 registrations: answers were mixed up", len(ids), len(secrets))
		}
	})
	t.Run("079_client_id_of_the_honest_op", func(t *testing.T) {
		honest, evil := newOP(t), newOP(t, func(c *oidctest.Config) { c.RSAKey = nil })
		good := setup(t, honest)
		answer(evil, "client_id", good.reg.ClientID)
		bad := setup(t, evil)
		evil.AddClient(oidctest.Client{ID: good.reg.ClientID, Secret: bad.reg.Secret})
		if bad.c.ID() != good.c.ID() {
			t.Fatal("the identifiers differ")
		}
		evil.ClearLog()
		honest.ClearLog()
		// A login that was begun at one is not finished at the other.
		pending, cb := good.begin()
		_, err := bad.finish(pending, cb)
		bad.reason(err, oidc.WrongClient)
		wantNoCall(t, evil, oidctest.EndpointToken)
		// A token of one is not believed by the other.
		tok := bad.mustLogin()
		_, err = good.c.VerifyIDToken(t.Context(), tok.IDToken.Raw(), oidc.ExpectedIDToken{Nonce: tok.IDToken.Nonce})
		if err == nil {
			t.Fatal("the evil OP's token counts at the honest one")
		}
		// No secret crosses.
		for _, req := range slices.Concat(evil.Received(), honest.Received()) {
			want := good.reg.Secret
			if req.Host == evil.Host {
				want = bad.reg.Secret
			}
			if req.Auth.Secret != "" && req.Auth.Secret != want {
				t.Errorf("%v had the other issuer's secret", req)
			}
		}
		_, err = good.c.UserInfo(t.Context(), tok)
		wantInput(t, err, oidc.BadParameter)
		tok.RefreshToken = "another issuer's"
		_, err = good.c.Refresh(t.Context(), tok)
		good.reason(err, oidc.WrongClient)
	})
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run("080_redirect_"+http.StatusText(status), func(t *testing.T) {
			op, other := newOP(t), newOP(t)
			r := setup(t, op)
			for _, to := range []string{other.URL(oidctest.EndpointRegistration), op.Issuer + "/elsewhere"} {
				op.Intercept(oidctest.EndpointRegistration, func(w http.ResponseWriter, req *http.Request) { http.Redirect(w, req, to, status) })
				_, err := r.p.Register(t.Context(), r.metadata(), "initial-access-token")
				r.reason(err, oidc.UnexpectedRedirect)
			}
			wantNoCall(t, op, oidctest.EndpointNone)
			if len(other.Received()) != 0 {
				t.Error("the initial access token was forwarded")
			}
		})
	}
	t.Run("081_nobody_registers_unasked", func(t *testing.T) {
		op := newOP(t)
		if _, err := oidc.FindIssuer(t.Context(), "alice@"+op.Host, options(op)); err != nil {
			t.Fatal(err)
		}
		p, err := discoverAt(t, op)
		if err != nil {
			t.Fatal(err)
		}
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Secret: "s", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Begin(t.Context(), oidc.AuthParams{}); err != nil {
			t.Fatal(err)
		}
		wantNoCall(t, op, oidctest.EndpointRegistration)
	})
}

// TestRegistrationManagement reads, updates and deletes a registration (RFC 7592).
func TestRegistrationManagement(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.RotateRegistrationToken = true })
	r := setup(t, op)
	first := *r.reg
	read, err := r.p.ReadRegistration(t.Context(), r.reg)
	if err != nil {
		t.Fatal(err)
	}
	if read.ClientID != first.ClientID || read.Secret != first.Secret || read.AccessToken == first.AccessToken || read.URI != first.URI {
		t.Errorf("read %v, registered %v", read, first)
	}
	m := read.Metadata
	m.ClientName = "Tea party"
	m.Extra = map[string]json.RawMessage{"client_name#fr": json.RawMessage(`"Le thé"`)}
	updated, err := r.p.UpdateRegistration(t.Context(), read, m)
	if err != nil {
		t.Fatal(err)
	}
	if updated.Metadata.ClientName != "Tea party" || string(updated.Metadata.Extra["client_name#fr"]) != `"Le thé"` {
		t.Errorf("updated to %+v", updated.Metadata)
	}
	sent := op.Requests(oidctest.EndpointManagement)
	if body := string(sent[len(sent)-1].JSON); !strings.Contains(body, `"client_id":"`+first.ClientID+`"`) {
		t.Errorf("the update has no client_id (RFC 7592 2.2): %s", body)
	}
	if err := r.p.DeleteRegistration(t.Context(), updated); err != nil {
		t.Fatal(err)
	}
	_, err = r.p.ReadRegistration(t.Context(), updated)
	r.refusal(err, "invalid_token")
	if err := r.p.DeleteRegistration(t.Context(), updated); err == nil {
		t.Error("deleted twice")
	}
	wantUnsupported(t, r.p.DeleteRegistration(t.Context(), &oidc.Registration{ClientID: "by hand"}))
	_, err = r.p.ReadRegistration(t.Context(), &oidc.Registration{ClientID: "by hand"})
	wantUnsupported(t, err)
	_, err = r.p.UpdateRegistration(t.Context(), &oidc.Registration{ClientID: "by hand"}, m)
	wantUnsupported(t, err)
	m.ApplicationType = "toaster"
	_, err = r.p.UpdateRegistration(t.Context(), updated, m)
	wantInput(t, err, oidc.BadConfig)
}

// TestRegistrationManagementAnswers keeps what the OP does not repeat, and
// refuses another client.
func TestRegistrationManagementAnswers(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(map[string]any)
		want oidc.Reason // "": accepted
	}{
		{"nothing repeated", func(m map[string]any) {
			for _, k := range []string{"client_secret", "client_secret_expires_at", "registration_client_uri", "registration_access_token"} {
				delete(m, k)
			}
		}, ""},
		{"uri alone", func(m map[string]any) { delete(m, "registration_access_token") }, ""},
		{"token alone", func(m map[string]any) { delete(m, "registration_client_uri") }, ""},
		{"another client", func(m map[string]any) { m["client_id"] = "other" }, oidc.BadRegistration},
	} {
		t.Run(c.name, func(t *testing.T) {
			op := newOP(t)
			r := setup(t, op)
			op.TamperRegistration(c.edit)
			got, err := r.p.ReadRegistration(t.Context(), r.reg)
			if c.want != "" {
				r.reason(err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got.Secret != r.reg.Secret || got.URI != r.reg.URI || got.AccessToken != r.reg.AccessToken {
				t.Errorf("got %v, had %v", got, r.reg)
			}
		})
	}
}

// TestRegistrationAnswers: what is no success registers nobody, a client that is to use a
// secret has one, and what was not asked for and is no less stands.
func TestRegistrationAnswers(t *testing.T) {
	op := newOP(t)
	p, err := discoverAt(t, op)
	if err != nil {
		t.Fatal(err)
	}
	ask := func(method string) (*oidc.Registration, error) {
		return p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, TokenEndpointAuthMethod: method}, "")
	}
	for _, status := range []int{202, 203, 403} {
		op.Intercept(oidctest.EndpointRegistration, respond(status, "application/json", `{"client_id":"a","client_secret":"of-at-least-thirty-two-characters"}`))
		_, err := ask("")
		if oe, ok := errors.AsType[*oidc.OPError](err); !ok || oe.StatusCode != status {
			t.Errorf("status %d: got %v", status, err)
		}
	}
	// Of a method that is not known nobody can say what is no less.
	op.Intercept(oidctest.EndpointRegistration, respond(201, "application/json", `{"client_id":"a","token_endpoint_auth_method":"none"}`))
	_, err = ask("of_our_own")
	wantReason(t, err, oidc.BadRegistration)
	op.Intercept(oidctest.EndpointRegistration, respond(201, "application/json", `{"client_id":"a","token_endpoint_auth_method":"of_our_own"}`))
	if r, err := ask("of_our_own"); err != nil || r.Metadata.TokenEndpointAuthMethod != "of_our_own" {
		t.Errorf("a method of one's own: got %v, %v", r, err)
	}
	// What is not mentioned is as it was asked for.
	op.Intercept(oidctest.EndpointRegistration, respond(201, "application/json", `{"client_id":"a","client_secret":"of-at-least-thirty-two-characters"}`))
	r, err := p.Register(t.Context(), oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, ResponseTypes: []string{"code"}, IDTokenSignedResponseAlg: "ES256"}, "")
	if err != nil || r.Metadata.IDTokenSignedResponseAlg != "ES256" || !slices.Equal(r.Metadata.ResponseTypes, []string{"code"}) {
		t.Errorf("nothing mentioned: got %v, %v", r, err)
	}
	op.Intercept(oidctest.EndpointRegistration, nil)
	// Nobody asked for it, and an unsigned ID Token or response is never taken for granted.
	for name, refused := range map[string]bool{"id_token_signed_response_alg": true, "authorization_signed_response_alg": true, "request_object_signing_alg": false} {
		answer(op, name, "none")
		if _, err := ask(""); refused != errors.Is(err, oidc.BadRegistration) || !refused && err != nil {
			t.Errorf("%s none: got %v", name, err)
		}
	}
	answer(op, "userinfo_signed_response_alg", "RS256")
	if r, err := ask(""); err != nil || r.Metadata.UserInfoSignedResponseAlg != "RS256" {
		t.Errorf("got %v, %v", r, err)
	}
	answer(op, "client_secret", nil)
	_, err = ask(oidc.AuthSecretPost)
	wantReason(t, err, oidc.BadRegistration)
	if r, err := ask(oidc.AuthNone); err != nil || r.Secret != "" {
		t.Errorf("got %v, %v", r, err)
	}
	op.TamperRegistration(func(m map[string]any) {
		m["token_endpoint_auth_method"], m["client_secret"] = oidc.AuthSecretBasic, "of-at-least-thirty-two-characters"
	})
	if r, err := ask(oidc.AuthNone); err != nil || r.Metadata.TokenEndpointAuthMethod != oidc.AuthSecretBasic {
		t.Errorf("more than none: got %v, %v", r, err)
	}
	for expires, want := range map[int64]time.Time{0: {}, 1: time.Unix(1, 0)} {
		answer(op, "client_secret_expires_at", expires)
		if r, err := ask(oidc.AuthSecretPost); err != nil || !r.SecretExpires.Equal(want) {
			t.Errorf("expires at %d: got %v, %v", expires, r, err)
		}
	}
}

// TestRegistrationManagedElsewhere: the origin of the registration endpoint may be another
// than the issuer's, a new place counts, and a secret that nobody has is not sent.
func TestRegistrationManagedElsewhere(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.Hosts = []string{"op.test"} })
	r := setup(t, op)
	elsewhere := func(u string) string {
		return strings.Replace(u, op.Host, "op.test"+op.Host[strings.LastIndexByte(op.Host, ':'):], 1)
	}
	op.TamperMetadata(func(m map[string]any) { m["registration_endpoint"] = elsewhere(m["registration_endpoint"].(string)) })
	r.discover()
	x := *r.reg
	x.URI = elsewhere(x.URI)
	op.TamperRegistration(func(m map[string]any) {
		delete(m, "registration_access_token")
		m["registration_client_uri"] = r.reg.URI
	})
	got, err := r.p.ReadRegistration(t.Context(), &x)
	if err != nil || got.URI != r.reg.URI || got.AccessToken != x.AccessToken {
		t.Fatalf("got %v, %v", got, err)
	}
	for _, secret := range []string{r.reg.Secret, ""} {
		got.Secret = secret
		op.ClearLog()
		if _, err := r.p.UpdateRegistration(t.Context(), got, r.metadata()); err != nil {
			t.Fatal(err)
		}
		if sent := strings.Contains(string(op.Requests(oidctest.EndpointManagement)[0].JSON), "client_secret\""); sent != (secret != "") {
			t.Errorf("a secret is sent: %v", sent)
		}
	}
}

// TestRegistrationExport carries a registration through a store.
func TestRegistrationExport(t *testing.T) {
	if text, err := json.Marshal(oidc.Registration{ClientID: "public"}); err != nil || strings.Contains(string(text), "redacted") || strings.Contains(string(text), "***") {
		t.Errorf("a secret is hinted at where there is none: %s, %v", text, err)
	}
	op := newOP(t, func(c *oidctest.Config) { c.SecretLifetime = time.Hour })
	r := setup(t, op)
	data, err := r.reg.Export()
	if err != nil {
		t.Fatal(err)
	}
	back, err := oidc.ImportRegistration(data)
	if err != nil {
		t.Fatal(err)
	}
	again, err := back.Export()
	if err != nil || string(again) != string(data) {
		t.Errorf("%s\nbecame\n%s, %v", data, again, err)
	}
	if back.Secret != r.reg.Secret || !back.SecretExpires.Equal(r.reg.SecretExpires) {
		t.Error("the secret was lost")
	}
	r.reg = back
	r.client()
	r.mustLogin()
	for _, bad := range []string{`{"client_id":"a","issued":"yesterday","metadata":{}}`, "", "null", "{}", "[]", `{"client_id":""}`, `{"client_id":"a","client_id":"b"}`} {
		_, err := oidc.ImportRegistration([]byte(bad))
		wantInput(t, err, oidc.BadParameter)
	}
}
