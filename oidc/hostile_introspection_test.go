package oidc_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// introspectionFaults is what the faults of introspection lead to.
var introspectionFaults = map[oidctest.Fault]outcome{
	oidctest.IntrospectionActiveMissing: oidc.MissingClaim, oidctest.IntrospectionActiveString: oidc.BadClaim, oidctest.IntrospectionExpired: oidc.TokenExpired,
	oidctest.IntrospectionNotYet: oidc.TokenNotYetValid, oidctest.IntrospectionScopeList: oidc.BadClaim, oidctest.IntrospectionHTML: oidc.UnexpectedMediaType,
	oidctest.IntrospectionDuplicate: oidc.MalformedResponse, oidctest.IntrospectionRefused: "op: invalid_client", oidctest.IntrospectionUnsigned: oidc.UnexpectedMediaType,
	oidctest.IntrospectionTypOther: oidc.BadType, oidctest.IntrospectionIssOther: oidc.BadIssuer, oidctest.IntrospectionAudOther: oidc.BadAudience,
	oidctest.IntrospectionIatMissing: oidc.MissingClaim, oidctest.IntrospectionIatOld: oidc.TokenTooOld, oidctest.IntrospectionMemberMissing: oidc.MissingClaim,
	oidctest.IntrospectionAlgNone: oidc.BadAlgorithm, oidctest.IntrospectionOtherKey: oidc.BadSignature,
}

// introspectionJourney logs in and asks about the token, once.
func introspectionJourney(j *journey) error {
	j.calls = map[oidctest.Endpoint]int{oidctest.EndpointIntrospection: 1}
	j.op.Break(j.fault.Fault)
	j.discover()
	j.register(func(m *oidc.ClientMetadata) {
		if j.fault.Needs != "" {
			m.IntrospectionSignedResponseAlg = "ES256"
		}
	})
	tok := j.mustLogin()
	j.op.ClearLog()
	i, err := j.c.Introspect(j.t.Context(), tok.AccessToken, "access_token")
	if (i == nil) == (err == nil) {
		j.t.Errorf("%v beside %v", i, err)
	}
	return err
}

func TestIntrospect(t *testing.T) {
	decryption := oidc.Key{Private: clientKey(), Use: "enc", Alg: "ECDH-ES"}
	set, err := oidc.PublicJWKS(decryption)
	if err != nil {
		t.Fatal(err)
	}
	for name, edit := range map[string]func(*oidc.ClientMetadata){
		"json":   func(*oidc.ClientMetadata) {},
		"signed": func(m *oidc.ClientMetadata) { m.IntrospectionSignedResponseAlg = "PS256" },
		"hmac":   func(m *oidc.ClientMetadata) { m.IntrospectionSignedResponseAlg = "HS256" },
		"encrypted": func(m *oidc.ClientMetadata) {
			m.IntrospectionEncryptedResponseAlg, m.IntrospectionEncryptedResponseEnc, m.JWKS = "ECDH-ES", "A256GCM", set
		},
		"signed and encrypted": func(m *oidc.ClientMetadata) {
			m.IntrospectionSignedResponseAlg, m.IntrospectionEncryptedResponseAlg, m.JWKS = "ES256", "ECDH-ES", set
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &rig{t: t, op: newOP(t), wire: &wire{}}
			r.opts = options(r.op)
			r.discover()
			if r.reg, err = r.p.Register(t.Context(), r.metadata(edit), ""); err != nil {
				t.Fatal(err)
			}
			r.client(func(c *oidc.ClientConfig) { c.Keys, c.DPoP = []oidc.Key{decryption}, oidc.DPoPES256() })
			tok := r.offline()
			i, err := r.c.Introspect(t.Context(), tok.AccessToken, "access_token")
			if err != nil {
				t.Fatal(err)
			}
			if !i.Active || i.Subject != tok.IDToken.Subject || i.ClientID != r.c.ID() || i.Issuer != r.op.Issuer || !slices.Contains(i.Scopes, "openid") ||
				i.KeyThumbprint != tok.DPoP.Thumbprint() || i.TokenType != "DPoP" || i.Expiry.Sub(r.op.Now()) <= 0 || i.Signed != (name != "json") {
				t.Errorf("got %s %+v", i.Raw(), i)
			}
			var more struct {
				Username string `json:"username"`
			}
			if err := i.Claims(&more); err != nil || more.Username != i.Username || more.Username == "" {
				t.Errorf("got %q, %v", more.Username, err)
			}
			if i, err = r.c.Introspect(t.Context(), tok.RefreshToken, ""); err != nil || !i.Active {
				t.Errorf("the refresh token: %v, %v", i, err)
			}
			for _, token := range []string{"unknown", "of another client"} {
				if i, err = r.c.Introspect(t.Context(), token, "refresh_token"); err != nil || i.Active || i.Subject != "" {
					t.Errorf("%s: %v, %v", token, i, err)
				}
			}
		})
	}
	t.Run("refused before it is sent", func(t *testing.T) {
		r := setup(t, newOP(t))
		_, err := r.c.Introspect(t.Context(), "", "")
		wantInput(t, err, oidc.BadParameter)
		_, err = r.c.Introspect(t.Context(), "x", "id_token")
		wantInput(t, err, oidc.BadParameter)
		c := r.reg.ClientConfig()
		c.Metadata.IntrospectionSignedResponseAlg = "none"
		_, err = oidc.NewClient(r.p, c)
		wantInput(t, err, oidc.BadConfig)
		c.Metadata.IntrospectionSignedResponseAlg = "ZZ256"
		_, err = oidc.NewClient(r.p, c)
		wantUnsupported(t, err)
		r.op.TamperMetadata(func(m map[string]any) { delete(m, "introspection_endpoint") })
		r.discover()
		r.client()
		_, err = r.c.Introspect(t.Context(), "x", "")
		wantUnsupported(t, err)
	})
}

// TestUserInfoWays: the access token in the header or in the body, by GET or POST,
// with each way of protecting the answer.
func TestUserInfoWays(t *testing.T) {
	op := newOP(t)
	for _, by := range []oidc.UserInfoMethod{oidc.UserInfoGet, oidc.UserInfoPost, oidc.UserInfoPostBody} {
		for _, dpop := range []oidc.DPoPMode{nil, oidc.DPoPES256()} {
			if dpop != nil && by == oidc.UserInfoPostBody {
				continue // refused below
			}
			for name, edit := range map[string]func(*oidc.ClientMetadata){
				"plain":     func(*oidc.ClientMetadata) {},
				"signed":    func(m *oidc.ClientMetadata) { m.UserInfoSignedResponseAlg = "ES256" },
				"encrypted": func(m *oidc.ClientMetadata) { m.UserInfoEncryptedResponseAlg = "dir" },
				"signed_and_encrypted": func(m *oidc.ClientMetadata) {
					m.UserInfoSignedResponseAlg, m.UserInfoEncryptedResponseAlg = "PS256", "A128KW"
				},
			} {
				r := setup(t, op, edit)
				r.client(func(c *oidc.ClientConfig) { c.UserInfoBy, c.DPoP = by, dpop })
				tok := r.mustLogin()
				op.ClearLog()
				ui, err := r.c.UserInfo(t.Context(), tok)
				if err != nil || ui.Subject != tok.IDToken.Subject {
					t.Fatalf("%d %s %s: %v, %v", by, dpop, name, ui, err)
				}
				q := op.Requests(oidctest.EndpointUserInfo)[0]
				if inBody := q.Form.Get("access_token") == tok.AccessToken; inBody != (by == oidc.UserInfoPostBody) || inBody == (q.Header.Get("Authorization") != "") || (q.Method == "POST") != (by != oidc.UserInfoGet) {
					t.Errorf("%d %s %s: %s, in the body: %v", by, dpop, name, q.Method, inBody)
				}
			}
		}
	}
	r := setup(t, op)
	c := r.reg.ClientConfig()
	c.UserInfoBy, c.DPoP = oidc.UserInfoPostBody, oidc.DPoPES256()
	_, err := oidc.NewClient(r.p, c)
	wantInput(t, err, oidc.BadConfig)
	c.UserInfoBy = 7
	_, err = oidc.NewClient(r.p, c)
	wantInput(t, err, oidc.BadConfig)

	// A token that another client of the same name has bound is presented with a
	// proof, and so in the header.
	r.client(func(c *oidc.ClientConfig) { c.DPoP = oidc.DPoPES256() })
	tok := r.mustLogin()
	r.client(func(c *oidc.ClientConfig) { c.UserInfoBy = oidc.UserInfoPostBody })
	op.ClearLog()
	if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
		t.Error(err)
	}
	if q := op.Requests(oidctest.EndpointUserInfo)[0]; q.Header.Get("DPoP") == "" || q.Form.Has("access_token") {
		t.Errorf("sent %v and %v", q.Header, q.Form)
	}
}

// TestRotatingAuth: secrets and keys change while the client runs.
func TestRotatingAuth(t *testing.T) {
	op := newOP(t)
	r := setup(t, op)
	known := op.AddClient(oidctest.Client{Secret: "the-first-secret-of-the-client"})
	var now atomic.Pointer[oidc.ClientAuth]
	give := func(a oidc.ClientAuth) { now.Store(&a) }
	config := oidc.ClientConfig{ID: known.ID, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}},
		Auth: oidc.RotatingAuth(oidc.AuthSecretBasic, func(context.Context) (oidc.ClientAuth, error) { return *now.Load(), nil })}
	var err error
	if r.c, err = oidc.NewClient(r.p, config); err != nil {
		t.Fatal(err)
	}
	give(oidc.SecretBasic("the-first-secret-of-the-client"))
	r.mustLogin()
	known.Secret = "the-second-secret-of-the-client"
	op.AddClient(known)
	_, err = r.login()
	r.refusal(err, "invalid_client")
	give(oidc.SecretBasic("the-second-secret-of-the-client"))
	r.mustLogin()

	pending, cb := r.begin()
	for name, a := range map[string]oidc.ClientAuth{"another method": oidc.SecretPost("x"), "nothing": nil} {
		give(a)
		op.ClearLog()
		_, err := r.finish(pending, cb)
		if wantInput(t, err, oidc.BadConfig); len(op.Requests(oidctest.EndpointToken)) != 0 {
			t.Errorf("%s: a request was sent", name)
		}
	}
	config.Auth = oidc.RotatingAuth(oidc.AuthSecretBasic, nil)
	_, err = oidc.NewClient(r.p, config)
	wantInput(t, err, oidc.BadConfig)
	sealed := errors.New("the vault is sealed")
	config.Auth = oidc.RotatingAuth(oidc.AuthPrivateKey, func(context.Context) (oidc.ClientAuth, error) { return nil, sealed })
	if r.c, err = oidc.NewClient(r.p, config); err != nil {
		t.Fatal(err)
	}
	if err = r.c.Revoke(t.Context(), "x", ""); !errors.Is(err, sealed) {
		t.Errorf("got %v", err)
	}
}

// TestEveryMethodAtEveryEndpoint: the seven methods, wherever a client
// authenticates.
func TestEveryMethodAtEveryEndpoint(t *testing.T) {
	op := newOP(t, func(c *oidctest.Config) { c.MTLS = oidctest.MTLSAliases })
	key := testKey()
	keys, err := oidc.PublicJWKS(key)
	if err != nil {
		t.Fatal(err)
	}
	cert := issued(t, op, "rp")
	self, err := oidctest.SelfSignedCertificate("rp")
	if err != nil {
		t.Fatal(err)
	}
	selfKey, err := oidc.CertificateKey(self)
	if err != nil {
		t.Fatal(err)
	}
	selfKeys, err := oidc.PublicJWKS(selfKey)
	if err != nil {
		t.Fatal(err)
	}
	for method, edit := range map[string]func(*oidc.ClientMetadata, *oidc.ClientConfig){
		oidc.AuthNone:        func(*oidc.ClientMetadata, *oidc.ClientConfig) {},
		oidc.AuthSecretBasic: func(*oidc.ClientMetadata, *oidc.ClientConfig) {},
		oidc.AuthSecretPost:  func(*oidc.ClientMetadata, *oidc.ClientConfig) {},
		oidc.AuthSecretJWT:   func(*oidc.ClientMetadata, *oidc.ClientConfig) {},
		oidc.AuthPrivateKey:  func(m *oidc.ClientMetadata, c *oidc.ClientConfig) { m.JWKS, c.Keys = keys, []oidc.Key{key} },
		oidc.AuthTLS: func(m *oidc.ClientMetadata, c *oidc.ClientConfig) {
			m.TLSClientAuthSubjectDN, c.Certificate = "CN=rp", oidc.Certificate(cert)
		},
		oidc.AuthSelfSignedTLS: func(m *oidc.ClientMetadata, c *oidc.ClientConfig) {
			m.JWKS, c.Certificate = selfKeys, oidc.Certificate(self)
		},
	} {
		t.Run(method, func(t *testing.T) {
			r := &rig{t: t, op: op, opts: options(op), wire: &wire{}}
			r.discover()
			var own oidc.ClientConfig
			m := r.metadata(func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = method; edit(m, &own) })
			if r.reg, err = r.p.Register(t.Context(), m, ""); err != nil {
				t.Fatal(err)
			}
			r.client(func(c *oidc.ClientConfig) { c.Keys, c.Certificate, c.PAR = own.Keys, own.Certificate, oidc.PARAlways })
			op.ClearLog()
			tok := r.offline()
			if tok, err = r.c.Refresh(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			_, err := r.c.Introspect(t.Context(), tok.AccessToken, "")
			if method == oidc.AuthNone {
				r.refusal(err, "invalid_client") // RFC 7662 section 2.1
			} else if err != nil {
				t.Fatal(err)
			}
			if err := r.c.RevokeTokens(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			jtis := make(map[any]bool)
			for _, q := range op.Received() {
				if q.Auth.Claims == nil {
					continue
				}
				iat, _ := q.Auth.Claims["iat"].(float64)
				exp, _ := q.Auth.Claims["exp"].(float64)
				if q.Auth.Claims["aud"] != op.Issuer || exp-iat > 60 || exp <= iat || jtis[q.Auth.Claims["jti"]] {
					t.Errorf("%s: an assertion with %v", q.Endpoint, q.Auth.Claims)
				}
				jtis[q.Auth.Claims["jti"]] = true
			}
			if signs := method == oidc.AuthSecretJWT || method == oidc.AuthPrivateKey; signs != (len(jtis) == 6) {
				t.Errorf("%d assertions", len(jtis))
			}
		})
	}
}

// TestHostileAssertion is the confusion of audiences.
func TestHostileAssertion(t *testing.T) {
	t.Run("328_audience_is_the_issuer_alone", func(t *testing.T) {
		r := setup(t, newOP(t), func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretJWT })
		r.op.ClearLog()
		r.mustLogin()
		if aud := r.op.Requests(oidctest.EndpointToken)[0].Auth.Claims["aud"]; aud != r.op.Issuer {
			t.Errorf("aud is %v", aud)
		}
	})
	t.Run("328_an_evil_op_that_relays_it_gets_nowhere", func(t *testing.T) {
		honest, evil := newOP(t), newOP(t)
		secret := "a secret that both were given for convenience"
		for _, op := range []*oidctest.OP{honest, evil} {
			op.AddClient(oidctest.Client{ID: "rp", Secret: secret, TokenEndpointAuthMethod: oidc.AuthSecretJWT})
		}
		p, err := discoverAt(t, evil)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		c, err := oidc.NewClient(p, oidc.ClientConfig{ID: "rp", Secret: secret, Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, TokenEndpointAuthMethod: oidc.AuthSecretJWT}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Revoke(t.Context(), "x", ""); err != nil {
			t.Fatal(err)
		}
		stolen := evil.Requests(oidctest.EndpointRevocation)[0].Form
		res, err := honest.HTTPClient().PostForm(honest.URL(oidctest.EndpointRevocation), stolen)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("the honest OP answered %d", res.StatusCode)
		}
	})
	t.Run("328_a_quirk_for_those_who_want_the_endpoint", func(t *testing.T) {
		r := setup(t, newOP(t), func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod = oidc.AuthSecretJWT })
		r.client(func(c *oidc.ClientConfig) { c.Quirks.AssertionAudienceEndpoint = true })
		r.op.Advance(time.Second)
		r.op.ClearLog()
		r.mustLogin()
		if aud := r.op.Requests(oidctest.EndpointToken)[0].Auth.Claims["aud"]; aud != r.op.URL(oidctest.EndpointToken) {
			t.Errorf("aud is %v", aud)
		}
	})
}
