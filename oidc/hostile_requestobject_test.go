package oidc_test

import (
	"context"
	"crypto"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// objects has requests travel as request objects.
func objects(c *oidc.ClientConfig) { c.RequestObject = &oidc.RequestObject{} }

// shelf serves request objects to an OP, each once.
type shelf struct {
	served map[string][]byte
	asked  int
}

func (s *shelf) publish(_ context.Context, object []byte, _ time.Time) (string, error) {
	if s.served == nil {
		s.served = make(map[string][]byte)
	}
	uri := fmt.Sprintf("https://rp.example/request/%d", len(s.served))
	s.served[uri] = object
	return uri, nil
}

// RoundTrip is the network between the OP and the client.
func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	s.asked++
	w := httptest.NewRecorder()
	if object, ok := s.served[r.URL.String()]; ok {
		w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
		_, _ = w.Write(object)
		s.served[r.URL.String()] = nil
	} else {
		w.WriteHeader(http.StatusNotFound)
	}
	return w.Result(), nil
}

// TestRequestObject logs in by every way that a request object can travel.
func TestRequestObject(t *testing.T) {
	served := &shelf{}
	op := newOP(t, func(c *oidctest.Config) { c.Client = &http.Client{Transport: served} })
	keys := []oidc.Key{keyFor(t, "ES256"), keyFor(t, "PS256"), keyFor(t, "EdDSA"), encryptionKey(t)}
	for name, edit := range map[string]func(*oidc.ClientMetadata){
		"first_key": func(*oidc.ClientMetadata) {},
		"PS256":     func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "PS256" },
		"EdDSA":     func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "EdDSA" },
		"HS256":     func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "HS256" },
		"none":      func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "none" },
		"encrypted": func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionAlg = "ECDH-ES+A256KW" },
		"encrypted_none": func(m *oidc.ClientMetadata) {
			m.RequestObjectEncryptionAlg, m.RequestObjectSigningAlg = "ECDH-ES", "none"
		},
		"encrypted_with_secret": func(m *oidc.ClientMetadata) {
			m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc = "dir", "A256GCM"
		},
	} {
		r := setupWith(t, op, keys, edit)
		for _, way := range []string{"value", "post", "reference", "pushed"} {
			t.Run(name+"/"+way, func(t *testing.T) {
				r := r.in(t)
				r.client(objects, func(c *oidc.ClientConfig) {
					c.RequestObject.ByReference = way == "reference"
					if way == "pushed" {
						c.PAR = oidc.PARAlways
					}
				})
				age := time.Hour
				r.params = oidc.AuthParams{Post: way == "post", Publish: served.publish, MaxAge: &age, LoginHint: "bob", Resources: []string{"https://a.example/", "https://b.example/"},
					Claims: &oidc.ClaimsRequest{IDToken: map[string]*oidc.ClaimRequest{"auth_time": {Essential: true}}}}
				tok := r.mustLogin()
				if tok.IDToken.AuthTime.IsZero() {
					t.Error("the OP did not see max_age")
				}
			})
		}
	}
}

// TestRequestObjectIsRequired: an OP or a registration that demands it gets it.
func TestRequestObjectIsRequired(t *testing.T) {
	keys := []oidc.Key{keyFor(t, "ES256")}
	t.Run("by_the_op", func(t *testing.T) {
		setupWith(t, newOP(t, func(c *oidctest.Config) { c.RequireSignedRequestObject = true }), keys).mustLogin()
	})
	t.Run("by_the_registration", func(t *testing.T) {
		r := setupWith(t, newOP(t), keys, func(m *oidc.ClientMetadata) { m.RequireSignedRequestObject = true })
		r.mustLogin()
		if q := r.op.Requests(oidctest.EndpointAuthorization)[0].Query; !q.Has("request") {
			t.Errorf("sent %v", slices.Sorted(maps.Keys(q)))
		}
	})
	t.Run("by_the_op_all_of_a_sudden", func(t *testing.T) {
		r := setupWith(t, newOP(t), keys)
		r.op.TamperMetadata(func(m map[string]any) { m["require_signed_request_object"] = true })
		if err := r.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		wantUnsupported(t, err)
	})
}

func TestRequestObjectRefusedAtConstruction(t *testing.T) {
	ec := keyFor(t, "ES256")
	r := setupWith(t, newOP(t), []oidc.Key{ec})
	for name, c := range map[string]struct {
		edit  func(*oidc.ClientConfig)
		input bool
	}{
		"no_key":            {func(c *oidc.ClientConfig) { c.Keys = nil }, true},
		"no_key_that_fits":  {func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "PS256" }, true},
		"unknown_algorithm": {func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "XS256" }, false},
		"no_secret": {func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectSigningAlg, c.Secret, c.Auth = "HS256", "", oidc.NoAuth()
		}, true},
		"lifetime":          {func(c *oidc.ClientConfig) { c.RequestObject.Lifetime = oidc.MaxRequestObjectLifetime + 1 }, true},
		"lifetime_negative": {func(c *oidc.ClientConfig) { c.RequestObject.Lifetime = -1 }, true},
		"short_secret": {func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectSigningAlg, c.Secret = "HS256", strings.Repeat("s", 15)
		}, true},
		"no_key_of_that_algorithm": {func(c *oidc.ClientConfig) {
			c.Keys, c.Metadata.RequestObjectSigningAlg = []oidc.Key{{Private: ec.Private, Alg: "ES384"}}, "ES256"
		}, true},
		"no_key_for_signatures": {func(c *oidc.ClientConfig) {
			c.Keys, c.Metadata.RequestObjectSigningAlg = []oidc.Key{{Private: ec.Private, Use: "enc"}}, "ES256"
		}, true},
		"no_key_for_signatures_of_any_kind": {func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{{Private: ec.Private, Use: "enc", Alg: "ES256"}} }, true},
		"unknown_content_encryption": {func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectEncryptionAlg, c.Metadata.RequestObjectEncryptionEnc = "ECDH-ES", "A128CTR"
		}, false},
		"nothing_to_encrypt_with": {func(c *oidc.ClientConfig) {
			c.Encryption, c.Metadata.RequestObjectEncryptionAlg = nil, "ECDH-ES"
		}, true},
		"none_and_required": {func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectSigningAlg, c.Metadata.RequireSignedRequestObject = "none", true
		}, true},
		"unknown_encryption": {func(c *oidc.ClientConfig) { c.Metadata.RequestObjectEncryptionAlg = "RSA1_5" }, false},
		"no_secret_to_encrypt_with": {func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectEncryptionAlg, c.Secret, c.Auth = "dir", "", oidc.NoAuth()
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			config := r.config(ec)
			objects(&config)
			c.edit(&config)
			_, err := oidc.NewClient(r.p, config)
			if c.input {
				wantInput(t, err, oidc.BadConfig)
				return
			}
			wantUnsupported(t, err)
		})
	}
	for name, edit := range map[string]func(map[string]any){
		"op_takes_none": func(m map[string]any) {
			delete(m, "request_parameter_supported")
			delete(m, "request_object_signing_alg_values_supported")
		},
		"op_takes_other_algorithms": func(m map[string]any) { m["request_object_signing_alg_values_supported"] = []any{"PS512"} },
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP(t)
			op.TamperMetadata(edit)
			r := setup(t, op)
			config := r.config(ec)
			objects(&config)
			config.Metadata.RequestObjectSigningAlg = "ES256"
			_, err := oidc.NewClient(r.p, config)
			wantUnsupported(t, err)
		})
	}
	t.Run("op_fetches_none", func(t *testing.T) {
		op := newOP(t)
		op.TamperMetadata(func(m map[string]any) { m["request_uri_parameter_supported"] = false })
		r := setup(t, op)
		config := r.config(ec)
		config.RequestObject = &oidc.RequestObject{ByReference: true}
		_, err := oidc.NewClient(r.p, config)
		wantUnsupported(t, err)
	})
	t.Run("op_demands_a_signature", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.RequireSignedRequestObject = true })
		r := setupWith(t, op, []oidc.Key{ec})
		config := r.config(ec)
		objects(&config)
		config.Metadata.RequestObjectSigningAlg = "none"
		_, err := oidc.NewClient(r.p, config)
		wantInput(t, err, oidc.BadConfig)
	})
	t.Run("broken_key", func(t *testing.T) {
		for _, alg := range []string{"", "ES256"} {
			config := r.config(oidc.Key{ID: "broken"}, ec)
			objects(&config)
			config.Metadata.RequestObjectSigningAlg = alg
			_, err := oidc.NewClient(r.p, config)
			wantField(t, err, "Key")
		}
	})
	t.Run("op_has_no_key_to_encrypt_with", func(t *testing.T) {
		op := newOP(t)
		op.TamperJWKS(func(m map[string]any) {
			m["keys"] = slices.DeleteFunc(m["keys"].([]any), func(k any) bool { return k.(map[string]any)["use"] == "enc" })
		})
		r := setupWith(t, op, []oidc.Key{ec}, func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionAlg = "ECDH-ES" })
		r.client(objects)
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		wantUnsupported(t, err)
	})
}

// TestRequestObjectOfAnyAnnouncement: whatever an OP says of request objects, one is
// made that it takes, with the first key that it can be made with.
func TestRequestObjectOfAnyAnnouncement(t *testing.T) {
	op := newOP(t)
	es, ps, enc := keyFor(t, "ES256"), keyFor(t, "PS256"), encryptionKey(t)
	enc.Alg = "ES256"
	r := setupWith(t, op, []oidc.Key{es, ps}, func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "" })
	without := func(m map[string]any, members ...string) {
		for _, name := range members {
			m[name] = false
		}
		delete(m, "request_object_signing_alg_values_supported")
	}
	for name, c := range map[string]struct {
		announced func(map[string]any)
		edit      func(*oidc.ClientConfig)
		want      string // the algorithm
	}{
		"by_value_alone": {func(m map[string]any) { m["request_uri_parameter_supported"] = false }, func(*oidc.ClientConfig) {}, "ES256"},
		"by_reference_where_it_is_pushed": {func(m map[string]any) { m["request_uri_parameter_supported"] = false },
			func(c *oidc.ClientConfig) { c.RequestObject.ByReference, c.PAR = true, oidc.PARAlways }, "ES256"},
		"by_reference_alone": {func(m map[string]any) { without(m, "request_parameter_supported") },
			func(c *oidc.ClientConfig) { c.RequestObject.ByReference = true }, "ES256"},
		"by_value_without_algorithms": {func(m map[string]any) { without(m) }, func(*oidc.ClientConfig) {}, "ES256"},
		"registered_without_algorithms": {func(m map[string]any) { without(m) },
			func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "PS256" }, "PS256"},
		"algorithms_alone": {func(m map[string]any) { m["request_parameter_supported"] = false }, func(*oidc.ClientConfig) {}, "ES256"},
		"demanded_and_no_more": {func(m map[string]any) {
			without(m, "request_parameter_supported")
			m["require_signed_request_object"] = true
		}, func(*oidc.ClientConfig) {}, "ES256"},
		"algorithm_of_the_second_key": {func(m map[string]any) { m["request_object_signing_alg_values_supported"] = []any{"PS256"} }, func(*oidc.ClientConfig) {}, "PS256"},
		"key_for_encryption_first":    {func(map[string]any) {}, func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{enc, ps} }, "PS256"},
		"key_that_does_not_fit_first": {func(map[string]any) {}, func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{{Private: es.Private, Alg: "RS256"}, ps} }, "PS256"},
		"key_of_no_algorithm": {func(map[string]any) {}, func(c *oidc.ClientConfig) {
			c.Keys, c.Metadata.RequestObjectSigningAlg = []oidc.Key{{ID: ps.ID, Private: ps.Private}}, "PS256"
		}, "PS256"},
		"registered_and_another_key_first": {func(map[string]any) {}, func(c *oidc.ClientConfig) { c.Metadata.RequestObjectSigningAlg = "PS256" }, "PS256"},
	} {
		t.Run(name, func(t *testing.T) {
			r := r.in(t)
			op.TamperMetadata(c.announced)
			defer op.TamperMetadata(nil)
			r.discover()
			r.client(objects, c.edit)
			served := &shelf{}
			op.ClearLog()
			req, err := r.c.Begin(t.Context(), oidc.AuthParams{Publish: served.publish})
			if err != nil {
				t.Fatal(err)
			}
			_, fields := req.Form()
			object := fields.Get("request")
			for _, o := range served.served {
				object = string(o)
			}
			if pushed := op.Requests(oidctest.EndpointPAR); len(pushed) != 0 {
				object = pushed[0].Form.Get("request")
			}
			if alg := parseJWT(t, object).header["alg"]; alg != c.want {
				t.Errorf("signed with %v, want %s", alg, c.want)
			}
		})
	}
}

// TestRequestObjectAtTheBounds: the longest life, the shortest secret, and a secret that
// nothing is encrypted with.
func TestRequestObjectAtTheBounds(t *testing.T) {
	r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
	object := func(edit func(*oidc.ClientConfig)) string {
		t.Helper()
		r.client(objects, edit)
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{Resources: []string{"https://a.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		_, fields := req.Form()
		return fields.Get("request")
	}
	j := parseJWT(t, object(func(c *oidc.ClientConfig) { c.RequestObject.Lifetime = oidc.MaxRequestObjectLifetime }))
	if life := j.claims["exp"].(float64) - j.claims["iat"].(float64); life != oidc.MaxRequestObjectLifetime.Seconds() {
		t.Errorf("it lives %v seconds", life)
	}
	if j.claims["resource"] != "https://a.example/" {
		t.Errorf("one resource is %v, want a string (RFC 8707 section 2)", j.claims["resource"])
	}
	j = parseJWT(t, object(func(c *oidc.ClientConfig) {
		c.Metadata.RequestObjectSigningAlg, c.Secret = "HS256", strings.Repeat("s", 16)
	}))
	if j.header["alg"] != "HS256" {
		t.Errorf("the header is %v", j.header)
	}
	for alg, secret := range map[string]string{"ECDH-ES": "", "A128KW": r.reg.Secret} {
		if o := object(func(c *oidc.ClientConfig) {
			c.Metadata.RequestObjectEncryptionAlg, c.Auth, c.Secret = alg, oidc.NoAuth(), secret
		}); strings.Count(o, ".") != 4 {
			t.Errorf("%s: not encrypted: %s", alg, o)
		}
	}
}

// TestRequestObjectThatCannotBeMade: nothing is sent, and the reason is told.
func TestRequestObjectThatCannotBeMade(t *testing.T) {
	t.Run("sealed_key", func(t *testing.T) {
		key := keyFor(t, "ES256")
		r := setupWith(t, newOP(t), []oidc.Key{key})
		key.Private = sealedKey{key.Private.(crypto.Signer)}
		r.client(objects, func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{key} })
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		wantInput(t, err, oidc.BadConfig)
		if req != nil {
			t.Error("a request beside the error")
		}
	})
	t.Run("keys_of_the_op_cannot_be_had", func(t *testing.T) {
		r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")}, func(m *oidc.ClientMetadata) { m.RequestObjectEncryptionAlg = "ECDH-ES" })
		r.client(objects)
		r.op.Intercept(oidctest.EndpointJWKS, respond(503, "text/plain", ""))
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		r.reason(err, oidc.KeysUnavailable)
	})
	t.Run("pushing_has_become_required", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(func(c *oidc.ClientConfig) { c.PAR = oidc.PARNever })
		r.op.TamperMetadata(func(m map[string]any) { m["require_pushed_authorization_requests"] = true })
		if err := r.p.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		wantUnsupported(t, err)
	})
}

// TestHostileRequestObject has the cases about request objects.
func TestHostileRequestObject(t *testing.T) {
	t.Run("094_claims_and_header", func(t *testing.T) {
		key := keyFor(t, "ES256")
		r := setupWith(t, newOP(t), []oidc.Key{key})
		r.client(objects)
		seen := make(map[string]bool)
		for range 3 {
			now := r.op.Now()
			req, err := r.c.Begin(t.Context(), oidc.AuthParams{Scopes: []string{"email"}})
			if err != nil {
				t.Fatal(err)
			}
			_, fields := req.Form()
			j := parseJWT(t, fields.Get("request"))
			if j.header["typ"] != "oauth-authz-req+jwt" || j.header["alg"] != "ES256" || j.header["kid"] != key.ID {
				t.Errorf("the header is %v", j.header)
			}
			exp, nbf, iat := j.claims["exp"].(float64), j.claims["nbf"].(float64), j.claims["iat"].(float64)
			if j.claims["iss"] != r.c.ID() || j.claims["aud"] != r.op.Issuer || exp-nbf > 3600 || exp < float64(now.Unix()) || nbf > iat {
				t.Errorf("the claims are %v", j.claims)
			}
			jti := j.claims["jti"].(string)
			if seen[jti] || len(jti) < 22 {
				t.Errorf("jti %q is not fresh", jti)
			}
			seen[jti] = true
			for name, want := range map[string]string{"client_id": r.c.ID(), "scope": "openid email", "state": req.Pending.State, "nonce": req.Pending.Nonce, "redirect_uri": redirectURI} {
				if j.claims[name] != want {
					t.Errorf("%s is %v", name, j.claims[name])
				}
			}
			// FAPI 1.0 Part 2, 5.2.3 (9): these three stand outside too, alike.
			if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{"client_id", "request", "response_type", "scope"}) || fields.Get("scope") != "openid email" {
				t.Errorf("outside stand %v", got)
			}
			if strings.Contains(string(marshal(j.claims)), r.reg.Secret) {
				t.Error("the secret is inside")
			}
		}
	})
	t.Run("094_request_object_of_the_application", func(t *testing.T) {
		r := setup(t, newOP(t))
		_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"request": {"eyJhbGciOiJub25lIn0.e30."}}})
		wantInput(t, err, oidc.ProtectedParameter)
	})
	t.Run("094_claims_of_the_application", func(t *testing.T) {
		r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
		r.client(objects)
		for _, name := range []string{"iss", "aud", "exp", "nbf", "iat", "jti", "sub"} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{name: {"x"}}})
			wantInput(t, err, oidc.ProtectedParameter)
		}
	})
	t.Run("094_no_object_unasked", func(t *testing.T) {
		r := setup(t, newOP(t))
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		if _, q := req.Form(); q.Has("request") || q.Has("request_uri") || strings.Contains(q.Encode(), url.QueryEscape(r.reg.Secret)) {
			t.Errorf("the request has %v, or the secret", q)
		}
	})
	t.Run("094_pushed_object_alone", func(t *testing.T) {
		r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
		r.client(objects, always)
		if _, err := r.c.Begin(t.Context(), oidc.AuthParams{}); err != nil {
			t.Fatal(err)
		}
		if got := slices.Sorted(maps.Keys(r.op.Requests(oidctest.EndpointPAR)[0].Form)); !slices.Equal(got, []string{"client_id", "request"}) {
			t.Errorf("pushed %v", got)
		}
	})
	t.Run("094_too_long_is_pushed", func(t *testing.T) {
		r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
		r.client(objects)
		long := oidc.AuthParams{ACRValues: strings.Fields(strings.Repeat("urn:example:x ", 280)), UILocales: strings.Fields(strings.Repeat("urn:example:x ", 280))}
		req, err := r.c.Begin(t.Context(), long)
		if err != nil {
			t.Fatal(err)
		}
		if _, fields := req.Form(); len(fields) != 2 {
			t.Errorf("the URL carries %v", slices.Sorted(maps.Keys(fields)))
		}
		wantCalls(t, r.op, oidctest.EndpointPAR, 1)
	})
	t.Run("095_request_uri_of_the_application", func(t *testing.T) {
		r := setup(t, newOP(t))
		for _, uri := range []string{"https://rp.example/request/../../secret", "urn:ietf:params:oauth:request_uri:x"} {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Extra: url.Values{"request_uri": {uri}}})
			wantInput(t, err, oidc.ProtectedParameter)
		}
	})
	byReference := func(t *testing.T) *rig {
		r := setupWith(t, newOP(t), []oidc.Key{keyFor(t, "ES256")})
		r.client(func(c *oidc.ClientConfig) {
			c.RequestObject = &oidc.RequestObject{ByReference: true, Lifetime: time.Minute}
		})
		return r
	}
	t.Run("095_reference_has_the_hash", func(t *testing.T) {
		r := byReference(t)
		served := &shelf{}
		var until time.Time
		req, err := r.c.Begin(t.Context(), oidc.AuthParams{Publish: func(ctx context.Context, o []byte, expires time.Time) (string, error) {
			until = expires
			return served.publish(ctx, o, expires)
		}})
		if err != nil {
			t.Fatal(err)
		}
		_, fields := req.Form()
		uri, fragment, _ := strings.Cut(fields.Get("request_uri"), "#")
		if sum := sha256.Sum256(served.served[uri]); fragment != b64(sum[:]) {
			t.Errorf("the fragment is %q", fragment)
		}
		if life := until.Sub(req.Pending.Created); life != time.Minute {
			t.Errorf("it is served for %v", life)
		}
		if got := slices.Sorted(maps.Keys(fields)); !slices.Equal(got, []string{"client_id", "request_uri", "response_type", "scope"}) {
			t.Errorf("outside stand %v", got)
		}
	})
	t.Run("095_no_publisher", func(t *testing.T) {
		_, err := byReference(t).c.Begin(t.Context(), oidc.AuthParams{})
		wantInput(t, err, oidc.BadParameter)
	})
	t.Run("095_publisher_of_bad_urls", func(t *testing.T) {
		r := byReference(t)
		begin := func(r *rig, uri string) error {
			_, err := r.c.Begin(t.Context(), oidc.AuthParams{Publish: func(context.Context, []byte, time.Time) (string, error) { return uri, nil }})
			return err
		}
		longest := "https://rp.example/" + strings.Repeat("x", oidc.MaxPublishedURI-len("https://rp.example/"))
		for _, uri := range []string{"", "/request", "http://rp.example/r", "ftp://rp.example/r", "https://rp.example/r#x", "https:///r", "https:r", "https://rp.example/\r\n", "https://rp.example/%zz", "https://rp.example/\u00e9", longest + "x"} {
			wantInput(t, begin(r, uri), oidc.BadParameter)
		}
		if err := begin(r, longest); err != nil {
			t.Errorf("as long as it may be: %v", err)
		}
		r.opts.InsecureAllowHTTP = true
		r.discover()
		r.client(func(c *oidc.ClientConfig) { c.RequestObject = &oidc.RequestObject{ByReference: true} })
		wantInput(t, begin(r, "ftp://rp.example/r"), oidc.BadParameter)
		if err := begin(r, "http://rp.example/r"); err != nil {
			t.Errorf("http where it is allowed: %v", err)
		}
	})
	t.Run("095_publisher_that_fails", func(t *testing.T) {
		down := errors.New("the store is down")
		_, err := byReference(t).c.Begin(t.Context(), oidc.AuthParams{Publish: func(context.Context, []byte, time.Time) (string, error) { return "", down }})
		if !errors.Is(err, down) {
			t.Errorf("got %v", err)
		}
	})
}
