package interop_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// clientRSA is the one RSA key of the clients of these tests.
var clientRSA = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

// signs is a key of the client for an algorithm; none for the client secret.
func signs(t *testing.T, alg string) []oidc.Key {
	t.Helper()
	k := oidc.Key{ID: "rely-" + alg, Alg: alg}
	var err error
	switch alg {
	case "HS256":
		return nil
	case "ES256":
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "EdDSA":
		_, k.Private, err = ed25519.GenerateKey(rand.Reader)
	default:
		k.Private, err = clientRSA()
	}
	if err != nil {
		t.Fatal(err)
	}
	return []oidc.Key{k}
}

// opens is a key of the client for what the OP encrypts.
func opens(t *testing.T, alg string) []oidc.Key {
	t.Helper()
	k := oidc.Key{ID: "rely-enc", Use: "enc", Alg: alg}
	var err error
	if alg == "ECDH-ES" {
		k.Private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	} else {
		k.Private, err = clientRSA()
	}
	if err != nil {
		t.Fatal(err)
	}
	return []oidc.Key{k}
}

// registered registers a client with these keys for the code flow.
func (r rp) registered(t *testing.T, p *oidc.Provider, keys []oidc.Key, edit func(*oidc.ClientMetadata)) oidc.ClientConfig {
	t.Helper()
	m := r.metadata(t, "code")
	if len(keys) > 0 {
		var err error
		if m.JWKS, err = oidc.PublicJWKS(keys...); err != nil {
			t.Fatal(err)
		}
	}
	edit(&m)
	return r.register(t, p, "code", m).ClientConfig(keys...)
}

// TestPushedRequests pushes the request; the browser's URL has two parameters.
func TestPushedRequests(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return c.PAR }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		config := r.registered(t, p, nil, func(*oidc.ClientMetadata) {})
		config.PAR = oidc.PARAlways
		c := r.client(t, p, config)
		request, err := c.Begin(t.Context(), oidc.AuthParams{})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(request.URL())
		if err != nil || len(u.Query()) != 2 || !u.Query().Has("request_uri") {
			t.Errorf("the URL carries %v, %v", u.Query(), err)
		}
		if !request.Expires.After(time.Now()) {
			t.Errorf("it expires %v", request.Expires)
		}
		logIn(t, o, c)
	})
}

// TestRequestObjects signs requests by every algorithm that the OP takes, encrypts
// them, pushes them, and has the OP fetch them.
func TestRequestObjects(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.RequestObjects.Algs) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		has := o.Peer.Has.RequestObjects
		for _, alg := range has.Algs {
			config := r.registered(t, p, signs(t, alg), func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = alg })
			config.RequestObject = &oidc.RequestObject{}
			t.Run(alg+"/value", func(t *testing.T) { logIn(t, o, r.client(t, p, config)) })
			t.Run(alg+"/pushed", func(t *testing.T) {
				config := config
				config.PAR = oidc.PARAlways
				logIn(t, o, r.client(t, p, config))
			})
		}
		for _, e := range has.Encryption {
			t.Run("encrypted/"+e[0]+"/"+e[1], func(t *testing.T) {
				config := r.registered(t, p, signs(t, "ES256"), func(m *oidc.ClientMetadata) {
					m.RequestObjectSigningAlg, m.RequestObjectEncryptionAlg, m.RequestObjectEncryptionEnc = "ES256", e[0], e[1]
				})
				config.RequestObject = &oidc.RequestObject{}
				logIn(t, o, r.client(t, p, config))
			})
		}
		if !has.ByReference {
			return
		}
		t.Run("reference", func(t *testing.T) {
			var object []byte
			s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/oauth-authz-req+jwt")
				_, _ = w.Write(object)
			}))
			defer s.Close()
			config := r.registered(t, p, signs(t, "ES256"), func(m *oidc.ClientMetadata) { m.RequestObjectSigningAlg = "ES256" })
			config.RequestObject = &oidc.RequestObject{ByReference: true}
			l := login{responseType: "code", publish: func(_ context.Context, o []byte, _ time.Time) (string, error) {
				object = o
				return s.URL + "/request", nil
			}}
			c := r.client(t, p, config)
			tokens, err := l.run(t, o, c)
			if err != nil {
				t.Fatalf("Finish: %v", err)
			}
			checkUserInfo(t, o, c, tokens)
		})
	})
}

// TestSignedResponses has responses signed and encrypted, by every mode.
func TestSignedResponses(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.SignedResponses.Algs) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		has := o.Peer.Has.SignedResponses
		for _, alg := range has.Algs {
			config := r.registered(t, p, nil, func(m *oidc.ClientMetadata) { m.AuthorizationSignedResponseAlg = alg })
			for _, mode := range []string{oidc.ModeJWT, oidc.ModeQueryJWT, oidc.ModeFragmentJWT, oidc.ModeFormPostJWT} {
				t.Run(alg+"/"+mode, func(t *testing.T) {
					c := r.client(t, p, config)
					tokens, err := login{responseType: "code", mode: mode}.run(t, o, c)
					if err != nil {
						t.Fatalf("Finish: %v", err)
					}
					checkUserInfo(t, o, c, tokens)
				})
			}
		}
		for _, e := range has.Encryption {
			t.Run("encrypted/"+e[0]+"/"+e[1], func(t *testing.T) {
				config := r.registered(t, p, opens(t, e[0]), func(m *oidc.ClientMetadata) {
					m.AuthorizationSignedResponseAlg, m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc = "ES256", e[0], e[1]
				})
				for _, mode := range []string{oidc.ModeJWT, oidc.ModeFormPostJWT} {
					if _, err := (login{responseType: "code", mode: mode}).run(t, o, r.client(t, p, config)); err != nil {
						t.Fatalf("%s: Finish: %v", mode, err)
					}
				}
			})
		}
	})
}

// TestAuthorizationDetails asks for a payment and is told what was granted.
func TestAuthorizationDetails(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.DetailTypes) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		config := r.registered(t, p, nil, func(m *oidc.ClientMetadata) { m.AuthorizationDetailsTypes = o.Peer.Has.DetailTypes })
		c := r.client(t, p, config)
		asked := oidc.AuthorizationDetail{Type: o.Peer.Has.DetailTypes[0], Actions: []string{"initiate"},
			Fields: map[string]json.RawMessage{"instructedAmount": json.RawMessage(`{"amount":"123.50","currency":"EUR"}`)}}
		l := login{responseType: "code", details: []oidc.AuthorizationDetail{asked}}
		if o.Peer.Has.Resources {
			l.resources = []string{"https://bank.test/payments"}
		}
		tokens, err := l.run(t, o, c)
		if err != nil {
			t.Fatalf("Finish: %v", err)
		}
		if got := tokens.AuthorizationDetails; len(got) != 1 || got[0].Type != asked.Type || got[0].Fields["instructedAmount"] == nil {
			t.Errorf("granted %+v", got)
		}
	})
}
