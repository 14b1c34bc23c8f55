// Command luikyv runs github.com/luikyv/go-oidc as an OP for interoperability
// tests. Its only argument names a configuration file (package launch). Whoever
// asks is logged in as the configured user and consents to everything, but for logins on
// a device and by backchannel, which the user decides.
package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"rely.example/peers/interop/launch"
)

// tokenLifetime is how long an access token is good for, in seconds.
const tokenLifetime = 600

// authTime is the name under which the login's time is kept with a session.
const authTime = "auth_time"

func main() {
	c, err := launch.Read(os.Args)
	if err != nil {
		log.Fatal(err)
	}
	h := &host{issuer: c.Issuer, user: c.User, tokens: map[string]string{}}
	if h.op, err = newProvider(c, h); err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+launch.PhonePath, h.phone)
	mux.Handle("/", withCertificate(h.op.Handler()))
	log.Fatal(c.Serve(mux))
}

// certificateKey is the context key of a client's certificate, which the library
// asks for by context.
type certificateKey struct{}

func withCertificate(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.TLS != nil && len(r.TLS.PeerCertificates) > 0 {
			r = r.WithContext(context.WithValue(r.Context(), certificateKey{}, r.TLS.PeerCertificates[0]))
		}
		h.ServeHTTP(w, r)
	})
}

func clientCertificate(ctx context.Context) (*x509.Certificate, error) {
	c, ok := ctx.Value(certificateKey{}).(*x509.Certificate)
	if !ok {
		return nil, errors.New("the client showed no certificate")
	}
	return c, nil
}

// relyingParty reaches the test: for request objects, from a server whose certificate
// nobody issued, and to tell of backchannel logins.
var relyingParty = &http.Client{
	Timeout:   10 * time.Second,
	Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}},
}

func newProvider(c launch.Config, h *host) (*provider.Provider, error) {
	keys, err := newKeys()
	if err != nil {
		return nil, err
	}
	clients, err := staticClients(c.Clients)
	if err != nil {
		return nil, err
	}
	options := []provider.Option{
		provider.WithScopes(goidc.ScopeOpenID, goidc.ScopeProfile, goidc.ScopeEmail, goidc.ScopeOfflineAccess),
		provider.WithAuthCodeGrant(nil,
			goidc.ResponseTypeCode,
			goidc.ResponseTypeIDToken,
			goidc.ResponseTypeIDTokenAndToken,
			goidc.ResponseTypeCodeAndIDToken,
			goidc.ResponseTypeCodeAndToken,
			goidc.ResponseTypeCodeAndIDTokenAndToken,
		),
		provider.WithFormPostResponseMode(),
		provider.WithIssuerResponseParameter(),
		provider.WithClaimsParameter(),
		provider.WithPKCE(goidc.CodeChallengeMethodSHA256),
		provider.WithRefreshTokenGrant(nil),
		provider.WithRefreshTokenRotation(),
		provider.WithRefreshTokenShouldIssue(func(_ context.Context, client *goidc.Client, _ *goidc.Grant) bool {
			return slices.Contains(client.GrantTypes, goidc.GrantRefreshToken)
		}),
		provider.WithTokenRevocation(func(context.Context, *goidc.Client) bool { return true }),
		provider.WithDCR(nil),
		provider.WithDCRTokenRotation(),
		provider.WithDCRClientHandler(allowAllScopes),
		// Without a default method a registration that names none is refused,
		// and without opaque tokens no access token is issued at all.
		provider.WithDefaultAuthn(goidc.AuthnMethodSecretBasic),
		provider.WithOpaqueTokens(nil),
		provider.WithTokenOptions(func(context.Context, *goidc.Grant, *goidc.Client) goidc.TokenOptions {
			return goidc.NewOpaqueTokenOptions(tokenLifetime)
		}),
		provider.WithNoneAuthn(),
		provider.WithSecretBasicAuthn(),
		provider.WithSecretPostAuthn(),
		provider.WithSecretJWTAuthn(goidc.HS256),
		provider.WithPrivateKeyJWTAuthn(goidc.RS256, goidc.PS256, goidc.ES256),
		provider.WithMTLS(c.Issuer, clientCertificate),
		provider.WithTLSTokenBinding(),
		provider.WithTLSAuthn(),
		provider.WithSelfSignedTLSAuthn(),
		provider.WithDPoP(goidc.ES256, goidc.PS256),
		provider.WithTokenIntrospection(func(_ context.Context, client *goidc.Client, token goidc.TokenInfo) bool {
			return token.ClientID == client.ID
		}),
		provider.WithIDTokenSignatureAlgs(goidc.RS256, goidc.PS256, goidc.ES256),
		provider.WithUserInfoSignatureAlgs(goidc.RS256, goidc.PS256, goidc.ES256),
		provider.WithIDTokenEncryption(goidc.RSA_OAEP_256),
		provider.WithIDTokenContentEncryptionAlgs(goidc.A128CBC_HS256, goidc.A256GCM),
		provider.WithUserInfoEncryption(goidc.RSA_OAEP_256),
		provider.WithUserInfoContentEncryptionAlgs(goidc.A128CBC_HS256, goidc.A256GCM),
		provider.WithPAR(nil),
		provider.WithJAR(goidc.ES256, goidc.PS256, goidc.RS256),
		provider.WithJARByReference(),
		provider.WithJARByReferenceUnregisteredURIs(),
		provider.WithJARHTTPClientFunc(func(context.Context) *http.Client { return relyingParty }),
		provider.WithJAREncryption(goidc.RSA_OAEP_256),
		provider.WithJARContentEncryptionAlgs(goidc.A128CBC_HS256, goidc.A256GCM),
		provider.WithJARM(goidc.RS256, goidc.PS256, goidc.ES256),
		provider.WithJARMEncryption(goidc.RSA_OAEP_256),
		provider.WithJARMContentEncryptionAlgs(goidc.A128CBC_HS256, goidc.A256GCM),
		provider.WithRAR("payment_initiation"),
		provider.WithResourceIndicators("https://bank.test/payments"),
		provider.WithIDTokenClaims(h.idTokenClaims),
		provider.WithUserInfoClaims(func(_ context.Context, g *goidc.Grant) map[string]any {
			return claims(c.User, g.Scopes)
		}),
		provider.WithPolicies(h.policies()...),
		provider.WithErrorHandler(func(_ context.Context, err error) { log.Print(err) }),
	}
	options = append(options, h.options()...)
	if len(clients) > 0 {
		options = append(options, provider.WithStaticClients(clients[0], clients[1:]...))
	}
	return provider.New(c.Issuer, nil, keys, options...)
}

// newKeys makes the OP's signing keys, one of a kind.
func newKeys() (goidc.JWKSFunc, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	var set goidc.JSONWebKeySet
	for _, k := range []struct {
		key crypto.Signer
		alg goidc.SignatureAlgorithm
	}{{rsaKey, goidc.RS256}, {rsaKey, goidc.PS256}, {ecKey, goidc.ES256}} {
		set.Keys = append(set.Keys, goidc.JSONWebKey{
			Key: k.key, KeyID: "key-" + string(k.alg), Algorithm: string(k.alg), Use: "sig",
		})
	}
	// The same key opens request objects, under another name.
	set.Keys = append(set.Keys, goidc.JSONWebKey{Key: rsaKey, KeyID: "key-enc", Algorithm: string(goidc.RSA_OAEP_256), Use: "enc"})
	return func(context.Context) (goidc.JSONWebKeySet, error) { return set, nil }, nil
}

func staticClients(in []launch.Client) ([]*goidc.Client, error) {
	var out []*goidc.Client
	for _, c := range in {
		m := goidc.ClientMeta{
			RedirectURIs:     c.RedirectURIs,
			TokenAuthnMethod: goidc.AuthnMethod(c.AuthMethod),
		}
		for _, t := range c.ResponseTypes {
			m.ResponseTypes = append(m.ResponseTypes, goidc.ResponseType(t))
		}
		for _, t := range c.GrantTypes {
			m.GrantTypes = append(m.GrantTypes, goidc.GrantType(t))
		}
		if len(c.JWKS) > 0 {
			m.JWKS = new(goidc.JSONWebKeySet)
			if err := json.Unmarshal(c.JWKS, m.JWKS); err != nil {
				return nil, fmt.Errorf("client %s: jwks: %w", c.ID, err)
			}
		}
		if err := allowAllScopes(context.Background(), c.ID, &m); err != nil {
			return nil, err
		}
		out = append(out, &goidc.Client{ID: c.ID, Secret: c.Secret, ClientMeta: m})
	}
	return out, nil
}

// allowAllScopes gives a client every scope. A client that registers without
// the scope parameter would otherwise have none, not even openid.
func allowAllScopes(_ context.Context, _ string, m *goidc.ClientMeta) error {
	m.ScopeIDs = "openid profile email offline_access"
	return nil
}

// claims returns the claims about u that scopes ask for (OpenID Connect Core
// 1.0, section 5.4).
func claims(u launch.User, scopes string) map[string]any {
	out := map[string]any{}
	for _, s := range strings.Fields(scopes) {
		switch s {
		case "profile":
			out["name"], out["preferred_username"] = u.Name, u.Username
		case "email":
			out["email"], out["email_verified"] = u.Email, true
		}
	}
	return out
}
