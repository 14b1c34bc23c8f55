package oidc_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// TestPinnedAlgorithms: a client that names no algorithm takes RS256, or, from an OP
// that does not announce it, the asymmetric ones that it does announce.
func TestPinnedAlgorithms(t *testing.T) {
	for name, c := range map[string]struct {
		announced []string // nil: the member is not there
		alg, used string
		want      oidc.Reason
	}{
		"the default":                           {[]string{"RS256", "ES256"}, "", "RS256", ""},
		"another beside the default":            {[]string{"RS256", "ES256"}, "", "ES256", oidc.BadAlgorithm},
		"another where there is no default":     {[]string{"HS256", "XS1", "ES256"}, "", "ES256", ""},
		"an HMAC where there is no default":     {[]string{"HS256", "XS1", "ES256"}, "", "HS256", oidc.BadAlgorithm},
		"one that was registered":               {[]string{"RS256", "HS256"}, "HS256", "HS256", ""},
		"another than the one registered":       {[]string{"RS256", "ES256"}, "ES256", "RS256", oidc.BadAlgorithm},
		"one that is registered, not announced": {nil, "ES256", "ES256", ""},
	} {
		t.Run(name, func(t *testing.T) {
			op := newOP(t)
			op.TamperMetadata(func(m map[string]any) {
				if m["id_token_signing_alg_values_supported"] = c.announced; c.announced == nil {
					delete(m, "id_token_signing_alg_values_supported")
				}
			})
			known := op.AddClient(oidctest.Client{IDTokenSignedResponseAlg: c.used})
			p, err := discoverAt(t, op)
			if c.announced == nil {
				md := byHand(op)
				md.IDTokenSigningAlgValuesSupported = nil
				p, err = oidc.NewProvider(md, options(op))
			}
			if err != nil {
				t.Fatal(err)
			}
			client, err := oidc.NewClient(p, oidc.ClientConfig{ID: known.ID, Secret: known.Secret,
				Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}, IDTokenSignedResponseAlg: c.alg}})
			if err != nil {
				t.Fatal(err)
			}
			r := &rig{t: t, op: op, p: p, c: client, wire: &wire{}}
			if c.want != "" {
				r.refused(c.want)
				return
			}
			r.mustLogin()
		})
	}
}

// TestNewClientAtTheEdges: what cannot work is refused when the client is made, and
// what does not matter to it is not.
func TestNewClientAtTheEdges(t *testing.T) {
	op := newOP(t)
	md := byHand(op)
	md.IDTokenSigningAlgValuesSupported, md.JWKSURI, md.JWKS = nil, "", nil
	p, err := oidc.NewProvider(md, options(op))
	if err != nil {
		t.Fatal(err)
	}
	const unsupported = "unsupported"
	const secret = "of-at-least-thirty-two-characters"
	rsa := keyFor(t, "RS256").Private
	redirects := []string{redirectURI}
	by := func(a oidc.ClientAuth) oidc.ClientConfig {
		return oidc.ClientConfig{Auth: a, Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}}}
	}
	for name, c := range map[string]struct {
		config oidc.ClientConfig
		want   outcome // a reason; unsupported; harmless
	}{
		"no keys of the OP": {oidc.ClientConfig{Secret: secret, Metadata: oidc.ClientMetadata{RedirectURIs: redirects}}, unsupported},
		"no keys needed for what is unsigned": {oidc.ClientConfig{Secret: secret, InsecureAllowUnsignedIDToken: true,
			Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "none"}}, harmless},
		"no keys needed for an HMAC": {oidc.ClientConfig{Secret: secret, Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "HS256"}}, harmless},
		"an HMAC without a secret":   {oidc.ClientConfig{Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "HS256"}}, outcome(oidc.BadConfig)},
		"an HMAC of UserInfo without a secret": {oidc.ClientConfig{InsecureAllowUnsignedIDToken: true,
			Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "none", UserInfoSignedResponseAlg: "HS256"}}, outcome(oidc.BadConfig)},
		"an HMAC with a short secret":   {oidc.ClientConfig{Secret: "short", Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "HS256"}}, outcome(oidc.BadConfig)},
		"an algorithm of another world": {oidc.ClientConfig{Secret: secret, Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "XS1"}}, unsupported},
		"UserInfo of another world":     {oidc.ClientConfig{Secret: secret, Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "HS256", UserInfoSignedResponseAlg: "XS1"}}, unsupported},
		"a mode of no matter":           {oidc.ClientConfig{Secret: secret, ResponseMode: "telegram", Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}}}, harmless},
		"a mode of another world":       {oidc.ClientConfig{Secret: secret, ResponseMode: "telegram", Metadata: oidc.ClientMetadata{RedirectURIs: redirects, IDTokenSignedResponseAlg: "HS256"}}, unsupported},
		"rotation without a method":     {by(oidc.RotatingAuth("", func(context.Context) (oidc.ClientAuth, error) { return nil, nil })), outcome(oidc.BadConfig)},
		"rotation without a source":     {by(oidc.RotatingAuth(oidc.AuthSecretPost, nil)), outcome(oidc.BadConfig)},
		"a key that does not fit":       {by(oidc.PrivateKeyJWT(oidc.Key{Private: clientKey(), Alg: "PS256"})), outcome(oidc.BadConfig)},
		"assertions by a short secret":  {by(oidc.SecretJWT("short", "")), outcome(oidc.BadConfig)},
		"registered for assertions by a short secret": {oidc.ClientConfig{Secret: "short",
			Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}, TokenEndpointAuthMethod: oidc.AuthSecretJWT}}, outcome(oidc.BadConfig)},
		"a broken key before a good one": {oidc.ClientConfig{Keys: []oidc.Key{{Private: 7}, {Private: clientKey()}},
			Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}, TokenEndpointAuthMethod: oidc.AuthPrivateKey}}, outcome(oidc.BadConfig)},
		"registered for a key that does not fit": {oidc.ClientConfig{Keys: []oidc.Key{{Private: clientKey()}, {Private: rsa, Use: "enc"}},
			Metadata: oidc.ClientMetadata{GrantTypes: []string{oidc.GrantClientCredentials}, TokenEndpointAuthMethod: oidc.AuthPrivateKey, TokenEndpointAuthSigningAlg: "PS256"}}, outcome(oidc.BadConfig)},
	} {
		t.Run(name, func(t *testing.T) {
			c.config.ID = "c"
			_, err := oidc.NewClient(p, c.config)
			switch c.want {
			case harmless:
				if err != nil {
					t.Error(err)
				}
			case unsupported:
				wantUnsupported(t, err)
			default:
				wantInput(t, err, oidc.Reason(c.want))
			}
		})
	}
}

// TestAlgorithmsOfAnotherWorld: what nobody can verify is refused, also of an OP that
// announces no algorithms.
func TestAlgorithmsOfAnotherWorld(t *testing.T) {
	op := newOP(t)
	md := byHand(op)
	md.IDTokenSigningAlgValuesSupported = nil
	p, err := oidc.NewProvider(md, options(op))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []oidc.ClientMetadata{{IDTokenSignedResponseAlg: "XS1"}, {UserInfoSignedResponseAlg: "XS1"}} {
		m.RedirectURIs = []string{redirectURI}
		_, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Metadata: m})
		wantUnsupported(t, err)
	}
	if _, err := oidc.NewClient(p, oidc.ClientConfig{ID: "c", Metadata: oidc.ClientMetadata{RedirectURIs: []string{redirectURI}}}); err != nil {
		t.Error(err)
	}
}

// TestClientKeyOfItsAlgorithm: the first key that goes with the registered algorithm
// signs the assertions, whichever stand before it.
func TestClientKeyOfItsAlgorithm(t *testing.T) {
	op := newOP(t)
	other, enc := keyFor(t, "ES384"), keyFor(t, "ES256")
	enc.Use = "enc"
	keys := []oidc.Key{enc, other, {ID: "ec", Private: clientKey()}, {ID: "rsa", Private: keyFor(t, "PS256").Private}}
	op.Intercept(oidctest.EndpointToken, respond(200, "application/json", `{"access_token":"a","token_type":"Bearer"}`))
	for alg, want := range map[string]string{"": "client-ES384", "ES384": "client-ES384", "ES256": "ec", "PS256": "rsa", "RS512": "rsa"} {
		r := service(t, op, credentialsClient(), func(c *oidc.ClientConfig) {
			c.Keys, c.Metadata.TokenEndpointAuthMethod, c.Metadata.TokenEndpointAuthSigningAlg = keys, oidc.AuthPrivateKey, alg
		})
		if _, err := r.c.ClientCredentials(t.Context(), oidc.TokenParams{}); err != nil {
			t.Fatal(err)
		}
		j := parseJWT(t, op.Requests(oidctest.EndpointToken)[0].Form.Get("client_assertion"))
		if j.header["kid"] != want || alg != "" && j.header["alg"] != alg {
			t.Errorf("%q: signed with %v", alg, j.header)
		}
	}
}

// TestClientKeepsItsConfiguration: what the caller changes later changes nothing.
func TestClientKeepsItsConfiguration(t *testing.T) {
	var given *oidc.OAuthOnly
	op, c := oauthOnly(t, func(config *oidc.ClientConfig) {
		given = config.OAuthOnly
		given.Header = http.Header{"X-Api": {"1"}}
	})
	given.SubjectMember, given.Header = "login", http.Header{}
	_, tok := loginByOAuth(t, op, c, oidc.AuthParams{})
	u, err := c.UserInfo(t.Context(), tok)
	if err != nil || u.Subject != "583231" {
		t.Errorf("got %v, %v", u, err)
	}
	if sent := op.Requests(oidctest.EndpointUserInfo)[0].Header.Get("X-Api"); sent != "1" {
		t.Errorf("sent X-Api %q", sent)
	}
	r := setupWith(t, newOP(t), []oidc.Key{testKey()})
	object := &oidc.RequestObject{}
	r.client(func(c *oidc.ClientConfig) { c.RequestObject = object })
	object.ByReference = true
	if req, err := r.c.Begin(t.Context(), oidc.AuthParams{}); err != nil || !strings.Contains(req.URL(), "request=") {
		t.Errorf("got %v, %v, want a request object by value", req, err)
	}
}

// TestZeroClientPrints: a client that was not made prints as one that is of nobody.
func TestZeroClientPrints(t *testing.T) {
	if text := fmt.Sprintf("%v %v", oidc.Client{}, oidc.Client{}.LogValue()); strings.Contains(text, "PANIC") {
		t.Error(text)
	}
}

// TestNothingGiven: tokens or a registration that are nil are refused like others
// that do not serve.
func TestNothingGiven(t *testing.T) {
	r := setup(t, newOP(t))
	wantInput(t, r.c.RevokeTokens(t.Context(), nil), oidc.BadParameter)
	_, read := r.p.ReadRegistration(t.Context(), nil)
	_, updated := r.p.UpdateRegistration(t.Context(), nil, r.metadata())
	for _, err := range []error{read, updated, r.p.DeleteRegistration(t.Context(), nil)} {
		if _, ok := errors.AsType[*oidc.UnsupportedError](err); !ok {
			t.Errorf("got %v", err)
		}
	}
}
