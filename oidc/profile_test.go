package oidc_test

import (
	"crypto"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

var detachedFaults = map[oidctest.Fault]outcome{
	oidctest.SHashWrong: oidc.BadStateHash, oidctest.SHashNumber: oidc.BadClaim, oidctest.SHashMissing: oidc.BadStateHash,
}

// detachedJourney is a login under FAPI 1.0, whose ID Token signs the response.
func detachedJourney(j *journey) error {
	r := bank(j.t, oidc.FAPI1Advanced)
	j.op, j.opts, j.p, j.reg, j.c, j.wire = r.op, r.opts, r.p, r.reg, r.c, r.wire
	j.op.Break(j.fault.Fault)
	j.op.ClearLog()
	_, err := r.login()
	return err
}

// bank is a client as a FAPI profile wants it, at an OP that does too.
func bank(t *testing.T, p oidc.Profile, edit ...func(*oidctest.Config)) *rig {
	t.Helper()
	op := newOP(t, append([]func(*oidctest.Config){func(c *oidctest.Config) { c.StateHash, c.MTLS = true, oidctest.MTLSAliases }}, edit...)...)
	r := &rig{t: t, op: op, opts: options(op), wire: &wire{}, keys: []oidc.Key{keyFor(t, "ES256")}}
	r.opts.StrictTLS = true
	r.opts.Trace = &oidc.Trace{Exchange: r.wire.exchange, InsecureUnmasked: true}
	r.discover()
	m := r.metadata()
	m.JWKS, m.TokenEndpointAuthMethod, m.IDTokenSignedResponseAlg = publicJWKS(t, r.keys...), oidc.AuthPrivateKey, "PS256"
	m.RequestObjectSigningAlg, m.AuthorizationSignedResponseAlg = "ES256", "PS256"
	if p == oidc.FAPI1Advanced {
		m.ResponseTypes, m.GrantTypes = []string{"code id_token", "code"}, []string{"authorization_code", "implicit", "refresh_token"}
		m.TLSClientCertificateBoundAccessTokens = true
	} else {
		m.DPoPBoundAccessTokens = true
	}
	var err error
	if r.reg, err = r.p.Register(t.Context(), m, ""); err != nil {
		t.Fatal(err)
	}
	cert := issued(t, op, "rp")
	r.profiled(p, func(c *oidc.ClientConfig) {
		if p == oidc.FAPI1Advanced {
			c.Metadata.ResponseTypes, c.Certificate = []string{"code id_token"}, oidc.Certificate(cert)
		}
	})
	return r
}

// profiled makes the rig's client one of a profile.
func (r *rig) profiled(p oidc.Profile, edit ...func(*oidc.ClientConfig)) {
	r.t.Helper()
	r.client(append([]func(*oidc.ClientConfig){func(c *oidc.ClientConfig) { c.Profile = p }}, edit...)...)
}

// violated asserts which sections an error names.
func violated(t *testing.T, err error, sections ...string) {
	t.Helper()
	pe, ok := errors.AsType[*oidc.ProfileError](err)
	if !ok || !errors.Is(err, oidc.ProfileViolation) {
		t.Fatalf("got error %v, want a ProfileError", err)
	}
	var got []string
	for _, v := range pe.Violations {
		got = append(got, v.Spec)
		if v.Detail == "" || !strings.Contains(err.Error(), v.Spec) {
			t.Errorf("%v does not tell of %v", err, v)
		}
	}
	slices.Sort(got)
	slices.Sort(sections)
	if !slices.Equal(slices.Compact(got), slices.Compact(sections)) {
		t.Errorf("got %q\nwant %q", got, sections)
	}
}

// TestProfileLogins: what each profile demands is done by itself.
func TestProfileLogins(t *testing.T) {
	t.Run("FAPI1Advanced", func(t *testing.T) {
		r := bank(t, oidc.FAPI1Advanced)
		pending, cb := r.begin()
		if pending.ResponseMode != oidc.ModeFragment {
			t.Errorf("asked for mode %s, where the ID Token signs the response", pending.ResponseMode)
		}
		tok, err := r.finish(pending, cb)
		if err != nil {
			t.Fatal(err)
		}
		if q := r.op.Requests(oidctest.EndpointAuthorization)[0].Query; !slices.Equal(slices.Sorted(maps.Keys(q)), []string{"client_id", "request", "response_type", "scope"}) {
			t.Errorf("sent %v", slices.Sorted(maps.Keys(q)))
		}
		if tok.IDToken.Algorithm() != "PS256" {
			t.Errorf("an ID Token by %s", tok.IDToken.Algorithm())
		}
	})
	t.Run("FAPI1Advanced_code", func(t *testing.T) {
		r := bank(t, oidc.FAPI1Advanced)
		r.profiled(oidc.FAPI1Advanced, func(c *oidc.ClientConfig) {
			c.Metadata.ResponseTypes = []string{"code"}
			c.Certificate = oidc.Certificate(issued(t, r.op, "rp"))
		})
		pending, cb := r.begin()
		if pending.ResponseMode != oidc.ModeQueryJWT || !cb.Params().Has("response") {
			t.Errorf("the response came by %s", pending.ResponseMode)
		}
		if _, err := r.finish(pending, cb); err != nil {
			t.Error(err)
		}
	})
	t.Run("FAPI2Security", func(t *testing.T) {
		r := bank(t, oidc.FAPI2Security)
		if tok := r.mustLogin(); tok.TokenType != "DPoP" {
			t.Errorf("a token of type %s", tok.TokenType)
		}
		wantCalls(t, r.op, oidctest.EndpointPAR, 1)
		if f := r.op.Requests(oidctest.EndpointPAR)[0].Form; f.Has("request") {
			t.Error("a request object")
		}
		if aud := r.op.Requests(oidctest.EndpointPAR)[0].Auth.Claims["aud"]; aud != r.op.Issuer {
			t.Errorf("the assertion is for %v", aud)
		}
	})
	t.Run("FAPI2MessageSigning", func(t *testing.T) {
		r := bank(t, oidc.FAPI2MessageSigning)
		r.profiled(oidc.FAPI2MessageSigning, func(c *oidc.ClientConfig) { c.ResponseMode = oidc.ModeJWT })
		_, cb := r.begin()
		if !cb.Params().Has("response") {
			t.Error("the response is plain")
		}
		r.mustLogin()
		if f := r.op.Requests(oidctest.EndpointPAR)[0].Form; !f.Has("request") || f.Has("state") {
			t.Errorf("pushed %v", slices.Sorted(maps.Keys(f)))
		}
	})
	t.Run("OAuth21", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.profiled(oidc.OAuth21)
		r.mustLogin()
	})
}

func TestProfileRefusesTheConfiguration(t *testing.T) {
	const sp, ms, f1 = "FAPI 2.0 Security Profile ", "FAPI 2.0 Message Signing ", "FAPI 1.0 Part 2, "
	const unsigned = "FAPI 1.0 Part 2, 8.6, FAPI 2.0 Security Profile 5.4.1 (1)"
	two, one := bank(t, oidc.FAPI2Security), bank(t, oidc.FAPI1Advanced)
	for _, c := range []struct {
		name string
		p    oidc.Profile
		edit func(*oidc.ClientConfig)
		want []string
	}{
		{"secret", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Auth = oidc.SecretBasic("a secret that is long") }, []string{sp + "5.3.3.1 (2)"}},
		{"public", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Auth = oidc.NoAuth() }, []string{sp + "5.3.3.1 (2)"}},
		{"unbound", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.DPoP = nil }, []string{sp + "5.3.3.1 (1)"}},
		{"hybrid", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"code id_token"} }, []string{sp + "5.3.3.2 (1)"}},
		{"not_pushed", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.PAR = oidc.PARNever }, []string{sp + "5.3.3.2 (2)"}},
		{"audience", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Quirks.AssertionAudienceEndpoint = true }, []string{sp + "5.3.3.1 (5)"}},
		{"rs256", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Metadata.IDTokenSignedResponseAlg = "RS256" }, []string{sp + "5.4.1 (1)"}},
		{"rs256_key", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{keyFor(t, "RS256")} }, []string{sp + "5.4.1 (1)"}},
		{"rs256_second_key", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Keys = append(slices.Clone(c.Keys), keyFor(t, "RS256")) }, []string{sp + "5.4.1 (1)"}},
		{"rs256_auth", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Auth = oidc.PrivateKeyJWT(keyFor(t, "RS256")) }, []string{sp + "5.4.1 (1)"}},
		{"rs256_auth_with_certificate", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Auth = oidc.PrivateKeyJWT(certified(t)) }, []string{sp + "5.4.1 (1)"}},
		{"rs256_auth_with_certificate", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{certified(t)} }, []string{f1 + "8.6"}},
		{"rs256_auth_of_the_same_name", oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			k := keyFor(t, "RS256")
			k.ID = c.Keys[0].ID
			c.Auth = oidc.PrivateKeyJWT(k)
		}, []string{sp + "5.4.1 (1)"}},
		{"unsigned_request", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "none" }, []string{sp + "5.4.1 (1)"}},
		{"unsigned", oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			c.Metadata.IDTokenSignedResponseAlg, c.InsecureAllowUnsignedIDToken = "none", true
		}, []string{sp + "5.4.1 (1)", unsigned}},
		{"http_redirect", oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"http://rp.example/cb"} }, []string{sp + "5.3.2.2 (8)"}},
		{"unsigned_request", oidc.FAPI2MessageSigning, func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "none" }, []string{sp + "5.4.1 (1)", ms + "5.3.2 (1)"}},
		{"everything", oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			c.Auth, c.DPoP, c.PAR = oidc.SecretPost("a secret that is long"), nil, oidc.PARNever
		}, []string{sp + "5.3.3.1 (1)", sp + "5.3.3.1 (2)", sp + "5.3.3.2 (2)"}},

		{"no_certificate", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Certificate = nil }, []string{f1 + "5.2.3 (1)"}},
		{"secret_jwt", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Auth = oidc.SecretJWT("a secret that is long enough", "") }, []string{f1 + "5.2.2 (14)"}},
		{"token_in_front", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"code id_token token"} }, []string{f1 + "5.2.2 (2)"}},
		{"plain_code", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) {
			c.Metadata.ResponseTypes, c.ResponseMode = []string{"code"}, oidc.ModeFormPost
		}, []string{f1 + "5.2.2 (2)"}},
		{"eddsa", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Metadata.IDTokenSignedResponseAlg = "EdDSA" }, []string{f1 + "8.6"}},
		{"unsigned_request", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "none" }, []string{f1 + "5.2.2 (1)", f1 + "8.6"}},
		{"any_age", oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.MaxIDTokenAge = -1 }, []string{"Core 3.1.3.7 (10)"}},

		{"implicit", oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = []string{"id_token token"} }, []string{"OAuth 2.1 10.1"}},
		{"implicit_grant", oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.GrantTypes = []string{"implicit"} }, []string{"OAuth 2.1 10.1, 10.2"}},
		{"password", oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.GrantTypes = []string{"password"} }, []string{"OAuth 2.1 10.1, 10.2"}},
		{"http", oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.RedirectURIs = []string{"http://rp.example/cb"} }, []string{"OAuth 2.1 1.5"}},
	} {
		t.Run(string(c.p)+"/"+c.name, func(t *testing.T) {
			r := two
			if c.p == oidc.FAPI1Advanced {
				r = one
			}
			config := r.config(r.keys...)
			config.Profile = c.p
			if c.p == oidc.FAPI1Advanced {
				config.Metadata.ResponseTypes, config.Certificate = []string{"code id_token"}, oidc.Certificate(issued(t, r.op, "rp"))
			}
			c.edit(&config)
			_, err := oidc.NewClient(r.p, config)
			violated(t, err, c.want...)
		})
	}
	t.Run("unknown", func(t *testing.T) {
		config := two.config(two.keys...)
		config.Profile = "FAPI 3.0"
		_, err := oidc.NewClient(two.p, config)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("native_loopback", func(t *testing.T) {
		r := setup(t, newOP(t), func(m *oidc.ClientMetadata) {
			m.ApplicationType, m.RedirectURIs = "native", []string{"http://127.0.0.1/cb", "com.example.app:/cb"}
		})
		r.profiled(oidc.OAuth21)
	})
	t.Run("redirects", func(t *testing.T) {
		for _, u := range []struct{ application, redirect string }{
			{"native", "http://rp.example/cb"}, {"web", "http://127.0.0.1/cb"}, {"web", "com.example.app:/cb"}, {"", "com.example.app:/cb"},
		} {
			config := two.config(two.keys...)
			config.Profile, config.Metadata.ApplicationType, config.Metadata.RedirectURIs = oidc.OAuth21, u.application, []string{u.redirect}
			_, err := oidc.NewClient(two.p, config)
			violated(t, err, "OAuth 2.1 1.5")
		}
	})
	t.Run("each_once", func(t *testing.T) {
		config := two.config(keyFor(t, "RS256"))
		config.Profile = oidc.FAPI2Security
		_, err := oidc.NewClient(two.p, config)
		pe, ok := errors.AsType[*oidc.ProfileError](err)
		if !ok || len(pe.Violations) != 1 {
			t.Errorf("the key that all is signed with is told of by %v", err)
		}
	})
	t.Run("keys_that_cannot_sign_are_no_violation", func(t *testing.T) {
		config := two.config(append(slices.Clone(two.keys), oidc.Key{ID: "empty"})...)
		config.Profile = oidc.FAPI2Security
		if _, err := oidc.NewClient(two.p, config); errors.Is(err, oidc.ProfileViolation) {
			t.Error(err)
		}
	})
}

// certified is a key of RSA, for RS256 if nothing else is said, with a certificate.
func certified(t *testing.T) oidc.Key {
	t.Helper()
	k := keyFor(t, "RS256")
	signer := k.Private.(crypto.Signer)
	template := &x509.Certificate{SerialNumber: big.NewInt(1)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return oidc.Key{Private: signer, Certificates: [][]byte{der}}
}

// TestProfileAdmits: what a profile says nothing of, or allows in so many words.
func TestProfileAdmits(t *testing.T) {
	fapi1, fapi2 := bank(t, oidc.FAPI1Advanced), bank(t, oidc.FAPI2Security)
	accepted := func(t *testing.T, r *rig, p oidc.Profile, edit ...func(*oidc.ClientConfig)) *rig {
		t.Helper()
		r = r.in(t)
		r.profiled(p, append([]func(*oidc.ClientConfig){func(c *oidc.ClientConfig) {
			if p == oidc.FAPI1Advanced {
				c.Metadata.ResponseTypes, c.Certificate = []string{"code id_token"}, oidc.Certificate(issued(t, r.op, "rp"))
			}
		}}, edit...)...)
		return r
	}
	// at is the same OP with other metadata.
	at := func(t *testing.T, r *rig, edit func(map[string]any)) *rig {
		t.Helper()
		r = r.in(t)
		r.op.TamperMetadata(edit)
		t.Cleanup(func() { r.op.TamperMetadata(nil) })
		r.discover()
		return r
	}
	t.Run("FAPI2_bound_by_certificate", func(t *testing.T) {
		r := accepted(t, fapi2, oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			c.DPoP, c.Certificate = nil, oidc.Certificate(issued(t, fapi2.op, "rp"))
			c.Metadata.DPoPBoundAccessTokens, c.Metadata.TLSClientCertificateBoundAccessTokens, c.Metadata.ResponseTypes = false, true, nil
		})
		for _, rt := range []string{"code token", "code id_token"} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: rt})
			wantInput(t, err, oidc.BadParameter)
		}
	})
	t.Run("FAPI2_without_redirects", func(t *testing.T) {
		r := at(t, fapi2, func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") })
		accepted(t, r, oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			c.PAR, c.Metadata.GrantTypes, c.Metadata.RedirectURIs = oidc.PARNever, []string{oidc.GrantClientCredentials}, nil
		})
	})
	t.Run("PKCE_that_is_not_announced", func(t *testing.T) {
		r := at(t, fapi2, func(m map[string]any) { delete(m, "code_challenge_methods_supported") })
		accepted(t, r, oidc.FAPI2Security)
		accepted(t, r, oidc.OAuth21)
	})
	t.Run("algorithms_that_are_not_announced", func(t *testing.T) {
		md := fapi1.p.Metadata()
		md.IDTokenSigningAlgValuesSupported, md.AuthorizationSigningAlgValuesSupported = nil, nil
		r := fapi1.in(t)
		var err error
		if r.p, err = oidc.NewProvider(md, r.opts); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(r.p.Close)
		for _, mode := range []string{"", oidc.ModeJWT} {
			accepted(t, r, oidc.FAPI1Advanced, func(c *oidc.ClientConfig) {
				c.ResponseMode, c.Metadata.IDTokenSignedResponseAlg, c.Metadata.AuthorizationSignedResponseAlg = mode, "", ""
			}).mustLogin()
		}
	})
	t.Run("algorithms_that_are_registered", func(t *testing.T) {
		r := at(t, fapi2, func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []any{"RS256"} })
		config := r.config(r.keys...)
		config.Profile = oidc.FAPI2Security
		_, err := oidc.NewClient(r.p, config)
		wantUnsupported(t, err)
		accepted(t, r, oidc.FAPI2Security, func(c *oidc.ClientConfig) {
			c.OAuthOnly = &oidc.OAuthOnly{Endpoint: r.op.URL(oidctest.EndpointUserInfo), SubjectMember: "sub"}
			c.Metadata.IDTokenSignedResponseAlg = ""
		})
	})
	t.Run("request_object_as_configured", func(t *testing.T) {
		r := accepted(t, fapi1, oidc.FAPI1Advanced, func(c *oidc.ClientConfig) { c.RequestObject = &oidc.RequestObject{Lifetime: time.Minute} })
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		_, fields := req.Form()
		if j := parseJWT(t, fields.Get("request")); j.claims["exp"].(float64)-j.claims["iat"].(float64) != 60 {
			t.Errorf("the request object is %v", j.claims)
		}
	})
	t.Run("keys_for_other_purposes", func(t *testing.T) {
		for _, p := range []oidc.Profile{oidc.FAPI1Advanced, oidc.FAPI2MessageSigning} {
			r := map[oidc.Profile]*rig{oidc.FAPI1Advanced: fapi1, oidc.FAPI2MessageSigning: fapi2}[p]
			r = accepted(t, r, p, func(c *oidc.ClientConfig) {
				enc := encryptionKey(t)
				enc.Alg = "ECDH-ES"
				c.Auth, c.Metadata.RequestObjectSigningAlg = oidc.PrivateKeyJWT(r.keys[0]), ""
				c.Keys = append([]oidc.Key{certified(t), enc}, r.keys...)
			})
			r.op.ClearLog()
			r.mustLogin()
			object := append(r.op.Requests(oidctest.EndpointPAR), r.op.Requests(oidctest.EndpointAuthorization)...)[0]
			text := object.Query.Get("request") + object.Form.Get("request")
			if j := parseJWT(t, text); j.header["alg"] != "ES256" {
				t.Errorf("%s: the request is signed by %v", p, j.header)
			}
		}
	})
	t.Run("what_others_refuse", func(t *testing.T) {
		r := setup(t, newOP(t), types("code", "code id_token", "code token", "code id_token token"))
		for _, rt := range r.reg.Metadata.ResponseTypes {
			if _, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: rt}); err != nil {
				t.Errorf("without a profile, %s: %v", rt, err)
			}
		}
		r.profiled(oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes, c.Metadata.GrantTypes = nil, nil })
		if _, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code id_token"}); err != nil {
			t.Error(err)
		}
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code token"})
		wantInput(t, err, oidc.BadParameter)
		r = accepted(t, fapi1, oidc.FAPI1Advanced, func(c *oidc.ClientConfig) {
			c.Metadata.ResponseTypes, c.ResponseMode = nil, oidc.ModeJWT
		})
		_, err = r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code id_token token"})
		wantInput(t, err, oidc.BadParameter)
	})
}

// TestProfileRefusesTheOP: what the OP lacks, and how the Provider was made.
func TestProfileRefusesTheOP(t *testing.T) {
	const sp = "FAPI 2.0 Security Profile "
	for _, c := range []struct {
		name string
		edit func(map[string]any)
		want string
	}{
		{"no_par", func(m map[string]any) { delete(m, "pushed_authorization_request_endpoint") }, sp + "5.3.3.2 (2)"},
		{"no_s256", func(m map[string]any) { m["code_challenge_methods_supported"] = []any{"plain"} }, sp + "5.3.3.2 (3)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := bank(t, oidc.FAPI2Security)
			r.op.TamperMetadata(c.edit)
			r.discover()
			config := r.config(r.keys...)
			config.Profile = oidc.FAPI2Security
			_, err := oidc.NewClient(r.p, config)
			violated(t, err, c.want)
		})
	}
	t.Run("algorithms", func(t *testing.T) {
		r := bank(t, oidc.FAPI2Security)
		r.op.TamperMetadata(func(m map[string]any) { m["id_token_signing_alg_values_supported"] = []any{"RS256"} })
		r.discover()
		config := r.config(r.keys...)
		config.Profile, config.Metadata.IDTokenSignedResponseAlg = oidc.FAPI2Security, ""
		_, err := oidc.NewClient(r.p, config)
		violated(t, err, sp+"5.4.1 (1)")
	})
	t.Run("by_hand_and_loose", func(t *testing.T) {
		r := bank(t, oidc.FAPI2Security)
		o := options(r.op)
		o.InsecureAllowHTTP, o.InsecureSkipIssuerMatch = true, true
		p, err := oidc.NewProvider(r.p.Metadata(), o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Close)
		config := r.config(r.keys...)
		config.Profile = oidc.FAPI2Security
		_, err = oidc.NewClient(p, config)
		violated(t, err, sp+"5.2.2 (1)", sp+"5.3.3.1 (9)", sp+"5.3.3.1 (11)")
	})
	t.Run("OAuth21", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["code_challenge_methods_supported"] = []any{"plain"} })
		r := setup(t, op)
		config := r.reg.ClientConfig()
		config.Profile = oidc.OAuth21
		_, err := oidc.NewClient(r.p, config)
		violated(t, err, "OAuth 2.1 4.1.1")
	})
}

func TestProfileRefusesTheRequest(t *testing.T) {
	r := bank(t, oidc.FAPI1Advanced)
	r.profiled(oidc.FAPI1Advanced, func(c *oidc.ClientConfig) {
		c.Metadata.ResponseTypes = []string{"code"}
		c.Certificate = oidc.Certificate(issued(t, r.op, "rp"))
	})
	_, err := r.c.Begin(t.Context(), oidc.AuthParams{ResponseMode: oidc.ModeQuery})
	wantInput(t, err, oidc.BadParameter)
	r = bank(t, oidc.FAPI2Security)
	r.profiled(oidc.FAPI2Security, func(c *oidc.ClientConfig) { c.Metadata.ResponseTypes = nil })
	_, err = r.c.Begin(t.Context(), oidc.AuthParams{ResponseType: "code id_token"})
	wantInput(t, err, oidc.BadParameter)
}

// TestProfileChecksTheResponse: what a client without a profile accepts.
func TestProfileChecksTheResponse(t *testing.T) {
	t.Run("FAPI1_state_hash", func(t *testing.T) {
		r := bank(t, oidc.FAPI1Advanced, func(c *oidctest.Config) { c.StateHash = false })
		r.op.ClearLog()
		r.refused(oidc.BadStateHash)
		wantNoCall(t, r.op, oidctest.EndpointToken)
	})
	t.Run("FAPI1_no_access_token_hash", func(t *testing.T) {
		r := bank(t, oidc.FAPI1Advanced)
		claim(r.op, "at_hash", nil)
		r.mustLogin()
	})
	t.Run("FAPI1_old", func(t *testing.T) {
		r := bank(t, oidc.FAPI1Advanced)
		claim(r.op, "iat", seconds(r.op, -7*24*time.Hour))
		r.op.ClearLog()
		r.refused(oidc.TokenTooOld)
		wantNoCall(t, r.op, oidctest.EndpointToken)
	})
	t.Run("FAPI2_issuer_that_is_not_announced", func(t *testing.T) {
		r := bank(t, oidc.FAPI2Security, func(c *oidctest.Config) { c.NoIssParameter = true })
		r.op.ClearLog()
		r.refused(oidc.BadResponseIssuer)
		wantNoCall(t, r.op, oidctest.EndpointToken)
	})
	for name, p := range map[string]oidc.Profile{"FAPI1": oidc.FAPI1Advanced, "FAPI2": oidc.FAPI2Security} {
		t.Run(name+"_other_algorithm_of_the_key_set", func(t *testing.T) {
			r := bank(t, p)
			r.profiled(p, func(c *oidc.ClientConfig) {
				c.Metadata.IDTokenSignedResponseAlg = ""
				if p == oidc.FAPI1Advanced {
					c.Metadata.ResponseTypes, c.Certificate = []string{"code id_token"}, oidc.Certificate(issued(t, r.op, "rp"))
				}
			})
			r.mustLogin() // by PS256, which is registered
			forge(t, r.op, func(_ string, j jwt) string {
				signed, err := r.op.Sign("RS256", nil, j.claims)
				if err != nil {
					t.Fatal(err)
				}
				return signed
			})
			r.refused(oidc.BadAlgorithm)
		})
	}
	t.Run("OAuth21_other_algorithm_of_the_key_set", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.profiled(oidc.OAuth21, func(c *oidc.ClientConfig) { c.Metadata.IDTokenSignedResponseAlg = "" })
		r.mustLogin() // by RS256, which is the default
		forge(t, r.op, func(_ string, j jwt) string {
			signed, err := r.op.Sign("PS256", nil, j.claims)
			if err != nil {
				t.Fatal(err)
			}
			return signed
		})
		r.refused(oidc.BadAlgorithm)
	})
}

// TestStrictTLS: no cipher suite of TLS 1.2 but those that are recommended.
func TestStrictTLS(t *testing.T) {
	for suite, ok := range map[uint16]bool{
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: true, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256: false, tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: false,
	} {
		t.Run(tls.CipherSuiteName(suite), func(t *testing.T) {
			s := httptest.NewUnstartedServer(http.NotFoundHandler())
			s.TLS = &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{suite}}
			s.Config.ErrorLog = log.New(io.Discard, "", 0)
			s.StartTLS()
			defer s.Close()
			for _, strict := range []bool{false, true} {
				_, err := oidc.Discover(t.Context(), s.URL, &oidc.Options{HTTPClient: s.Client(), AllowPrivate: []string{"127.0.0.1"}, StrictTLS: strict})
				if connected := errors.Is(err, oidc.UnexpectedStatus); connected != (ok || !strict) {
					t.Errorf("strict %v: %v", strict, err)
				}
			}
		})
	}
}
