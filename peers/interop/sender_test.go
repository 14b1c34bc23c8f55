package interop_test

import (
	"crypto/tls"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/peers/interop"
)

// TestDPoP binds tokens to a key for each login, at OPs that demand a nonce and at
// those that do not: the login, a refresh, UserInfo; and another key is refused.
func TestDPoP(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return len(c.DPoP.Algs) > 0 }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		for _, alg := range o.Peer.Has.DPoP.Algs {
			t.Run(alg, func(t *testing.T) {
				m := r.metadata(t, "code")
				m.DPoPBoundAccessTokens = true
				config := r.register(t, p, "code", m).ClientConfig()
				config.DPoP = bound(alg)
				c := r.client(t, p, config)
				tokens := logIn(t, o, c)
				if tokens.TokenType != "DPoP" || tokens.DPoP == nil {
					t.Fatalf("token type %q, key %v", tokens.TokenType, tokens.DPoP)
				}
				n, err := c.Refresh(t.Context(), tokens)
				if err != nil {
					t.Fatalf("Refresh: %v", err)
				}
				checkUserInfo(t, o, c, n)
				t.Run("pushed", func(t *testing.T) { // RFC 9449 section 10.1: the key is told with the request
					config := config
					config.PAR = oidc.PARAlways
					c := r.client(t, p, config)
					tokens := logIn(t, o, c)
					checkToken(t, c, tokens, o.User.Username, "openid", "profile", "email")
				})
				stolen := *n
				stolen.DPoP = logIn(t, o, c).DPoP // the thief's
				if _, err := c.UserInfo(t.Context(), &stolen); err == nil {
					t.Error("the OP took a token with another key's proof")
				}
			})
		}
	})
}

// bound is the kind of keys of an algorithm; nil for none.
func bound(alg string) oidc.DPoPMode {
	return map[string]oidc.DPoPMode{"ES256": oidc.DPoPES256(), "EdDSA": oidc.DPoPEdDSA(), "PS256": oidc.DPoPPS256()}[alg]
}

// TestMTLS authenticates by a certificate, of the OP's authority and self-signed,
// and has the tokens bound to it; another certificate is refused.
func TestMTLS(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return c.MTLS }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		issued, err := o.Certificate("rely-mtls")
		if err != nil {
			t.Fatal(err)
		}
		self, err := interop.SelfSigned("rely-mtls")
		if err != nil {
			t.Fatal(err)
		}
		for method, cert := range map[string]tls.Certificate{oidc.AuthTLS: issued, oidc.AuthSelfSignedTLS: self} {
			t.Run(method, func(t *testing.T) {
				m := r.metadata(t, "code")
				m.TokenEndpointAuthMethod, m.TLSClientCertificateBoundAccessTokens = method, true
				if method == oidc.AuthTLS {
					m.TLSClientAuthSubjectDN = "CN=rely-mtls"
				} else {
					key, err := oidc.CertificateKey(cert)
					if err != nil {
						t.Fatal(err)
					}
					if m.JWKS, err = oidc.PublicJWKS(key); err != nil {
						t.Fatal(err)
					}
				}
				config := r.register(t, p, "code", m).ClientConfig()
				config.Certificate = oidc.Certificate(cert)
				c := r.client(t, p, config)
				defer c.CloseIdleConnections()
				tokens := logIn(t, o, c)
				n, err := c.Refresh(t.Context(), tokens)
				if err != nil {
					t.Fatalf("Refresh: %v", err)
				}
				checkUserInfo(t, o, c, n)

				other, err := interop.SelfSigned("somebody-else")
				if err != nil {
					t.Fatal(err)
				}
				config.Certificate = oidc.Certificate(other)
				thief := r.client(t, p, config)
				defer thief.CloseIdleConnections()
				if _, err := thief.UserInfo(t.Context(), n); err == nil {
					t.Error("the OP took a token with another certificate")
				}
				if _, err := thief.Refresh(t.Context(), n); err == nil {
					t.Error("the OP took another certificate for the client's")
				}
			})
		}
	})
}

// TestIntrospection asks about tokens that live and about those that were revoked (RFC
// 7662, RFC 7009), in JSON, in a signed JWT and in an encrypted one (RFC 9701).
func TestIntrospection(t *testing.T) {
	each(t, func(c interop.Capabilities) bool { return c.Introspection }, func(t *testing.T, o *interop.OP) {
		r := rp{o: o}
		p := r.provider(t)
		test := func(t *testing.T, keys []oidc.Key, wanted bool, edit func(*oidc.ClientMetadata)) {
			config := r.registered(t, p, keys, edit)
			// Some OPs register RS256 where nothing is asked for (RFC 9701 6).
			signed := config.Metadata.IntrospectionSignedResponseAlg != ""
			c := r.client(t, p, config)
			tokens := logIn(t, o, c)
			all := map[string]string{"access_token": tokens.AccessToken, "refresh_token": tokens.RefreshToken}
			for hint, token := range all {
				i, err := c.Introspect(t.Context(), token, hint)
				if err != nil {
					t.Fatalf("Introspect: %v", err)
				}
				if !i.Active || i.ClientID != c.ID() || i.Subject != o.User.Username || i.Signed != signed || wanted && !signed {
					t.Errorf("%s: got %+v %s", hint, i, i.Raw())
				}
			}
			for hint, token := range all {
				if err := c.Revoke(t.Context(), token, hint); err != nil {
					t.Fatalf("Revoke: %v", err)
				}
				if i, err := c.Introspect(t.Context(), token, hint); err != nil || i.Active || i.Signed != signed {
					t.Errorf("%s after revocation: %+v, %v", hint, i, err)
				}
			}
		}
		for _, alg := range append([]string{""}, o.Peer.Has.IntrospectionAlgs...) {
			t.Run("signed_"+strings.ToLower(alg), func(t *testing.T) {
				test(t, nil, alg != "", func(m *oidc.ClientMetadata) { m.IntrospectionSignedResponseAlg = alg })
			})
		}
		for _, e := range o.Peer.Has.IntrospectionEncryption {
			t.Run("encrypted/"+e[0]+"/"+e[1], func(t *testing.T) {
				test(t, opens(t, e[0]), true, func(m *oidc.ClientMetadata) {
					m.IntrospectionSignedResponseAlg, m.IntrospectionEncryptedResponseAlg, m.IntrospectionEncryptedResponseEnc = "ES256", e[0], e[1]
				})
			})
		}
	})
}
