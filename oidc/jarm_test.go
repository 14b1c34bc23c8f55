package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"maps"
	"net/url"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

var jarmFaults = map[oidctest.Fault]outcome{
	oidctest.JARMIssMissing: oidc.BadIssuer, oidctest.JARMIssOther: oidc.BadIssuer, oidctest.JARMAudMissing: oidc.BadAudience, oidctest.JARMAudOther: oidc.BadAudience, oidctest.JARMAudExtra: oidc.BadAudience,
	oidctest.JARMExpMissing: oidc.MissingClaim, oidctest.JARMExpPast: oidc.TokenExpired, oidctest.JARMAlgNone: oidc.BadAlgorithm, oidctest.JARMAlgOther: oidc.BadAlgorithm, oidctest.JARMHMAC: oidc.BadAlgorithm,
	oidctest.JARMSignatureWrong: oidc.BadSignature, oidctest.JARMOtherKey: oidc.BadSignature, oidctest.JARMTypAccessToken: oidc.BadType, oidctest.JARMStateMissing: oidc.BadState, oidctest.JARMStateOther: oidc.BadState,
	oidctest.JARMCodeNumber: oidc.BadClaim, oidctest.JARMPlain: oidc.WrongResponseMode, oidctest.JARMPlainBeside: oidc.UnexpectedParameter, oidctest.JARMTwice: oidc.DuplicateParameter, oidctest.JARMGarbage: oidc.MalformedToken,
}

// encryptionKey is a key of the client that an OP encrypts for.
func encryptionKey(t *testing.T) oidc.Key {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return oidc.Key{ID: "client-enc", Use: "enc", Private: k}
}

// TestJARM logs in by every mode, signed and encrypted.
func TestJARM(t *testing.T) {
	op := newOP(t)
	enc := encryptionKey(t)
	for _, c := range []struct {
		name string
		edit func(*oidc.ClientMetadata)
	}{
		{"signed", func(*oidc.ClientMetadata) {}},
		{"signed_ES256", func(m *oidc.ClientMetadata) { m.AuthorizationSignedResponseAlg = "ES256" }},
		{"signed_HS256", func(m *oidc.ClientMetadata) { m.AuthorizationSignedResponseAlg = "HS256" }},
		{"encrypted", func(m *oidc.ClientMetadata) { m.AuthorizationEncryptedResponseAlg = "ECDH-ES+A128KW" }},
		{"encrypted_with_the_secret", func(m *oidc.ClientMetadata) {
			m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc = "dir", "A256GCM"
		}},
	} {
		for _, rt := range []string{"code", "code id_token", "id_token token"} {
			r := setupWith(t, op, []oidc.Key{enc}, types(rt), c.edit)
			for _, mode := range []string{oidc.ModeJWT, oidc.ModeQueryJWT, oidc.ModeFragmentJWT, oidc.ModeFormPostJWT} {
				if mode == oidc.ModeQueryJWT && rt != "code" && !strings.HasPrefix(c.name, "encrypted") {
					continue
				}
				t.Run(c.name+"/"+rt+"/"+mode, func(t *testing.T) {
					r := r.in(t)
					r.params.ResponseMode = mode
					pending, cb := r.begin()
					if got := cb.Params(); len(got) != 1 || !got.Has("response") {
						t.Fatalf("the OP answered with %v", got)
					}
					tok, err := r.finish(pending, cb)
					if err != nil {
						t.Fatal(err)
					}
					if tok.IDToken == nil || rt == "id_token token" && tok.AccessToken == "" {
						t.Errorf("got %v", tok)
					}
				})
			}
		}
	}
}

func TestJARMIsWhatTheClientAsksForByDefault(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(func(c *oidc.ClientConfig) { c.ResponseMode = oidc.ModeJWT })
	pending, cb := r.begin()
	if !cb.Params().Has("response") || pending.ResponseMode != oidc.ModeQueryJWT {
		t.Errorf("the OP answered with %v, pending is %q", cb.Params(), pending.ResponseMode)
	}
	r.mustLogin()
}

// TestJARMError: an error of the OP is signed too, and told as one.
func TestJARMError(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	r.params.ResponseMode = oidc.ModeJWT
	op.Break(oidctest.AccessDenied)
	_, err := r.login()
	r.refusal(err, "access_denied")
	wantNoCall(t, op, oidctest.EndpointToken)
}

func TestJARMRefusedAtConstruction(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	for name, c := range map[string]struct {
		edit  func(*oidc.ClientConfig)
		input bool
	}{
		"alg_none":       {func(c *oidc.ClientConfig) { c.Metadata.AuthorizationSignedResponseAlg = "none" }, true},
		"alg_unknown":    {func(c *oidc.ClientConfig) { c.Metadata.AuthorizationSignedResponseAlg = "XS256" }, false},
		"alg_not_theirs": {func(c *oidc.ClientConfig) { c.Metadata.AuthorizationSignedResponseAlg = "Ed25519" }, false},
		"hmac_no_secret": {func(c *oidc.ClientConfig) {
			c.Metadata.AuthorizationSignedResponseAlg, c.Secret, c.Auth = "HS256", "", oidc.NoAuth()
		}, true},
		"enc_without_alg": {func(c *oidc.ClientConfig) { c.Metadata.AuthorizationEncryptedResponseEnc = "A128GCM" }, true},
		"enc_without_key": {func(c *oidc.ClientConfig) { c.Metadata.AuthorizationEncryptedResponseAlg = "ECDH-ES" }, true},
		"mode_unknown":    {func(c *oidc.ClientConfig) { c.ResponseMode = "web_message" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			config := r.config()
			c.edit(&config)
			_, err := oidc.NewClient(r.p, config)
			if c.input {
				wantInput(t, err, oidc.BadConfig)
				return
			}
			wantUnsupported(t, err)
		})
	}
	t.Run("tokens_in_a_query", func(t *testing.T) {
		for _, rt := range []string{"code id_token", "code token"} {
			r := setup(t, op, types(rt))
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: oidc.ModeQueryJWT})
			wantInput(t, err, oidc.BadParameter)
		}
	})
	t.Run("not_announced", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["response_modes_supported"] = []any{"query", "fragment"} })
		r := setup(t, op)
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: oidc.ModeJWT})
		wantUnsupported(t, err)
	})
	t.Run("no_algorithm_in_common", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["authorization_signing_alg_values_supported"] = []any{"XS256"} })
		r := setup(t, op) // a plain login needs none
		r.mustLogin()
		if _, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: oidc.ModeFormPost}); err != nil {
			t.Error(err)
		}
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: oidc.ModeJWT})
		wantUnsupported(t, err)
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		response, err := oidc.ReadAuthQuery("response=a.b.c")
		if err != nil {
			t.Fatal(err)
		}
		req.Pending.ResponseMode = response.Mode()
		_, err = r.c.Finish(t.Context(), req.Pending, response)
		wantUnsupported(t, err)
	})
}

// TestJARMClaims: who a response is for and how long, and which of its members are
// parameters.
func TestJARMClaims(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	op := newOP(t, nowAt(now))
	r := setup(t, op, types("id_token token"))
	const trusted = "https://trusted.example"
	r.client(func(c *oidc.ClientConfig) { c.TrustedAudiences = []string{trusted} })
	r.params.ResponseMode = oidc.ModeJWT
	edge := now.Add(-oidc.DefaultClockSkew)
	for name, c := range map[string]struct {
		change map[string]any
		want   oidc.Reason // "": accepted
	}{
		"as_it_is":              {nil, ""},
		"aud_beside_a_trusted":  {map[string]any{"aud": []string{trusted, r.c.ID()}}, ""},
		"aud_of_a_trusted":      {map[string]any{"aud": []string{trusted}}, oidc.BadAudience},
		"aud_beside_a_stranger": {map[string]any{"aud": []string{r.c.ID(), "https://other.example"}}, oidc.BadAudience},
		"iss_of_another":        {map[string]any{"iss": op.Issuer + "/"}, oidc.BadIssuer},
		"exp_at_the_edge":       {map[string]any{"exp": edge.Unix()}, ""},
		"exp_beyond_it":         {map[string]any{"exp": edge.Unix() - 1}, oidc.TokenExpired},
		"exp_missing":           {map[string]any{"exp": nil}, oidc.MissingClaim},
		"nbf_a_string":          {map[string]any{"nbf": "x"}, oidc.BadClaim},
		"null_is_absent":        {map[string]any{"error": nil, "code": nil, "session_state": nil}, ""},
		"of_no_meaning":         {map[string]any{"of_its_own": 7, "response": "x"}, ""},
		"expires_in_a_string":   {map[string]any{"expires_in": "600"}, ""},
		"expires_in_a_number":   {map[string]any{"expires_in": 600}, ""},
		"session_state_numeric": {map[string]any{"session_state": 7}, oidc.BadClaim},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			op.TamperResponseJWT(func(_, claims map[string]any) { maps.Copy(claims, c.change) })
			tok, err := r.login()
			if c.want != "" {
				r.reason(err, c.want)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, said := c.change["expires_in"]; said && !tok.Expiry.Equal(now.Add(10*time.Minute)) {
				t.Errorf("it expires at %v", tok.Expiry)
			}
		})
	}
	op.TamperResponseJWT(nil)
	_, cb := r.begin()
	if res, err := read(cb); err != nil || res.Encrypted() {
		t.Errorf("what is signed alone is encrypted, or %v", err)
	}
	if res, err := oidc.ReadAuthQuery("code=a.b.c.d.e&state=s"); err != nil || res.Encrypted() {
		t.Errorf("a code is encrypted, or %v", err)
	}
}

// TestHostileJARM has what no fault of the OP shows.
func TestHostileJARM(t *testing.T) {
	t.Run("122_quirk_takes_no_plain_response", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		r.client(func(c *oidc.ClientConfig) { c.Quirks.AnyResponseMode = true })
		r.params.ResponseMode = oidc.ModeJWT
		op.Break(oidctest.JARMPlain)
		r.refused(oidc.WrongResponseMode)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("122_jwt_where_none_was_asked_for", func(t *testing.T) {
		op := newOP(t)
		r := setup(t, op)
		secured := oidc.AuthParams{ResponseMode: oidc.ModeJWT}
		req, err := r.c.Begin(t.Context(), secured)
		if err != nil {
			t.Fatal(err)
		}
		cb, err := op.Browser().Login(t.Context(), req.URL())
		if err != nil {
			t.Fatal(err)
		}
		res, err := read(cb)
		if err != nil {
			t.Fatal(err)
		}
		plain := req.Pending
		plain.ResponseMode = oidc.ModeQuery
		op.ClearLog()
		_, err = r.c.Finish(t.Context(), plain, res)
		r.reason(err, oidc.WrongResponseMode)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("122_not_encrypted_as_agreed", func(t *testing.T) {
		op := newOP(t)
		r := setupWith(t, op, []oidc.Key{encryptionKey(t)}, func(m *oidc.ClientMetadata) { m.AuthorizationEncryptedResponseAlg = "ECDH-ES" })
		r.params.ResponseMode = oidc.ModeJWT
		// The OP forgets: what it signs arrives as it is.
		op.TamperEncryption(func(e *oidctest.Encryption) { e.Layers = 0 })
		r.refused(oidc.BadEncryption)
		wantNoCall(t, op, oidctest.EndpointToken)
	})
	t.Run("122_encrypted_though_nobody_agreed", func(t *testing.T) {
		op := newOP(t)
		enc := encryptionKey(t)
		r := setupWith(t, op, []oidc.Key{enc}, func(m *oidc.ClientMetadata) { m.AuthorizationEncryptedResponseAlg = "ECDH-ES" })
		r.params.ResponseMode = oidc.ModeJWT
		pending, cb := r.begin()
		r.client(func(c *oidc.ClientConfig) {
			c.Metadata.AuthorizationEncryptedResponseAlg, c.Metadata.AuthorizationEncryptedResponseEnc = "", ""
		})
		res, err := read(cb)
		if err != nil {
			t.Fatal(err)
		}
		if !res.Encrypted() {
			t.Error("it is not encrypted")
		}
		_, err = res.PendingKey()
		r.reason(err, oidc.BadEncryption)
		_, err = r.c.PendingKey(res) // it has the key, and nothing agreed to open with it
		r.reason(err, oidc.BadEncryption)
		if key, err := oidc.JWE().PendingKey(res, enc); err != nil || key != pending.State {
			t.Errorf("PendingKey with the key: %v", err)
		}
		_, err = oidc.JWE().PendingKey(res, encryptionKey(t))
		r.reason(err, oidc.BadEncryption)
		_, err = oidc.JWE().PendingKey(res)
		if r.reason(err, oidc.BadEncryption); !strings.Contains(err.Error(), "with the client's keys") {
			t.Errorf("without a key: %v", err)
		}
		_, err = r.c.Finish(t.Context(), pending, res)
		r.reason(err, oidc.BadEncryption)
	})
	t.Run("122_state_of_a_jwt_is_read_and_not_believed", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.params.ResponseMode = oidc.ModeJWT
		pending, _ := r.begin()
		forged := hs256(t, jwt{claims: map[string]any{"iss": r.op.Issuer, "aud": r.c.ID(), "exp": seconds(r.op, time.Minute), "state": pending.State, "code": "injected"}}, "whoever")
		res, err := oidc.ReadAuthQuery(url.Values{"response": {forged}}.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if key, err := res.PendingKey(); err != nil || key != pending.State {
			t.Errorf("got %v", err)
		}
		r.op.ClearLog()
		_, err = r.c.Finish(t.Context(), pending, res)
		r.reason(err, oidc.BadAlgorithm)
		wantNoCall(t, r.op, oidctest.EndpointToken)
	})
	t.Run("122_state_of_another_login_costs_no_keys", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.params.ResponseMode = oidc.ModeJWT
		pending, cb := r.begin()
		pending.State = "of another login"
		res, err := read(cb)
		if err != nil {
			t.Fatal(err)
		}
		r.op.ClearLog()
		_, err = r.c.Finish(t.Context(), pending, res)
		r.reason(err, oidc.BadState)
		wantNoCall(t, r.op, oidctest.EndpointJWKS, oidctest.EndpointToken)
	})
	t.Run("122_no_state_in_what_is_no_jwt", func(t *testing.T) {
		for _, s := range []string{"", "x", "a.b", "a.b.c.d", "a.!!.c", "a." + b64([]byte(`{"state":"abc"}`)) + "!.c", "a." + b64([]byte("[]")) + ".c", "a." + b64([]byte(`{"state":7}`)) + ".c", "a." + b64([]byte(`{"state":"x","state":"y"}`)) + ".c", "a.b.c.d.e"} {
			res, err := oidc.ReadAuthQuery(url.Values{"response": {s}}.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if key, err := res.PendingKey(); err == nil {
				t.Errorf("%q has the state %q", s, key)
			} else if pe, ok := errors.AsType[*oidc.ProtocolError](err); !ok || pe.Step == "" {
				t.Errorf("%q: %v", s, err)
			}
		}
	})
}
