package oidc

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"rely.example/internal/jose"
)

// ClientConfig says who the client is at an OP. Registration.ClientConfig makes
// one from a registration; by hand it needs ID, Metadata.RedirectURIs, and
// mostly Secret.
type ClientConfig struct {
	// ID is the client_id.
	ID string
	// IDDocument says that ID is the https URL of the client's metadata
	// (ClientDocument), which the OP reads there: nobody registers the client.
	// NewClient refuses an OP that does not announce it.
	IDDocument bool
	// Secret is the client_secret; empty for a public client or one with keys.
	Secret string
	// SecretExpires is when Secret dies; zero means never. A dead secret is not
	// sent: calls fail with SecretExpired.
	SecretExpires time.Time

	// Auth authenticates the client. Nil means by
	// Metadata.TokenEndpointAuthMethod with Secret or Keys; and if that is empty
	// too, client_secret_basic (Core section 9), or none for a client without
	// Secret.
	Auth ClientAuth

	// Metadata is what the client is registered with. What matters for a login
	// are RedirectURIs, ResponseTypes, and the algorithms: an ID Token is
	// accepted under Metadata.IDTokenSignedResponseAlg alone. If that is empty it
	// is RS256, the specified default; for an OP that does not announce RS256,
	// the asymmetric algorithms that it announces.
	Metadata ClientMetadata

	// Keys are the client's own private keys, for assertions (use "sig") and for
	// what the OP encrypts (use "enc").
	Keys []Key

	// Encryption is what opens what the OP encrypts for the client, with those of
	// Keys whose use is "enc" or with Secret, and encrypts request objects: JWE().
	// Whatever Metadata has encrypted needs it. Nil means that nothing is.
	Encryption Encryption

	// TrustedAudiences are strangers that an ID Token's aud may hold beside the
	// client (Core section 3.1.3.7 (3)). Empty means nobody.
	TrustedAudiences []string

	// LoginLifetime is how long a login may take, from Begin to Finish. Zero
	// means DefaultLoginLifetime.
	LoginLifetime time.Duration

	// MaxIDTokenAge is how long ago an ID Token may have been issued (Core
	// section 3.1.3.7 (10)). Zero means DefaultMaxIDTokenAge, a negative value
	// no limit.
	MaxIDTokenAge time.Duration

	// Profile has NewClient refuse whatever a published profile forbids, and the
	// client do what it demands. Empty means none.
	Profile Profile

	// RequestObject has requests travel as a signed JWT (RFC 9101). Nil means as
	// plain parameters, unless the OP or the client's registration demands signed
	// request objects.
	RequestObject *RequestObject

	// ResponseMode is what AuthParams.ResponseMode means if it is empty: ModeJWT
	// for a client whose responses are to be signed (JARM). Empty means the
	// default of the response type.
	ResponseMode string

	// PAR says which authentication requests are pushed to the OP first (RFC
	// 9126). Zero is PARAuto: those of which the OP or the client's registration
	// demands it, and those that are too long for a URL.
	PAR PARMode

	// UserInfoBy is how UserInfo is asked for. Zero means by GET with the access
	// token in the Authorization header.
	UserInfoBy UserInfoMethod

	// Certificate is what the client shows at every endpoint where it authenticates
	// or presents an access token, at the address that the OP has for that in
	// mtls_endpoint_aliases (RFC 8705). The methods tls_client_auth and
	// self_signed_tls_client_auth need it, and so do certificate-bound tokens. Nil
	// means none.
	Certificate CertificateSource

	// DPoP binds the tokens of each login to a key of its own (RFC 9449), made by
	// Begin, of one kind: DPoPES256() or its neighbours.
	// Metadata.DPoPBoundAccessTokens needs it. Nil means bearer tokens. With it a
	// bearer token is refused where a bound one is due, and response types that give
	// an access token from the authorization endpoint, where none can be bound, are
	// not possible.
	DPoP DPoPMode

	// Quirks loosen single rules for an OP that breaks them.
	Quirks Quirks

	// OAuthOnly is for a server that is no OpenID Provider: it gives no ID Token,
	// and an API says who the user is. Nil means OpenID Connect.
	OAuthOnly *OAuthOnly

	// InsecureAllowUnsignedIDToken accepts alg none from the token endpoint,
	// for a client whose Metadata.IDTokenSignedResponseAlg is "none" (Core
	// section 3.1.3.7 (6)). The token is then as true as the TLS connection.
	InsecureAllowUnsignedIDToken bool
}

// Quirks are named exceptions for OPs that depart from a specification. Each
// loosens one rule for one client.
type Quirks struct {
	// RawBasicCredentials sends id and secret in client_secret_basic without
	// form-encoding them first, for OPs that do not decode (against RFC 6749
	// section 2.3.1). It matters if either holds other characters than letters,
	// digits, "-", "." and "_".
	RawBasicCredentials bool
	// AssertionAudienceEndpoint makes the endpoint's URL, not the issuer, the
	// audience of client assertions. Some OPs accept nothing else; an OP that
	// relays the assertion could use it there.
	AssertionAudienceEndpoint bool
	// EmailVerifiedString lets the strings "true" and "false" count as booleans
	// in email_verified and phone_number_verified (against Core section 5.1).
	EmailVerifiedString bool
	// AnyResponseMode accepts a response that came by another mode than asked
	// for, for OPs that ignore response_mode.
	AnyResponseMode bool
	// EncodedResponseIssuer decodes the iss parameter of an authentication
	// response once more before it is compared, for OPs that percent-encode it
	// twice in a form post.
	EncodedResponseIssuer bool
	// UntoldAuthorizationDetails accepts a token response that does not say which
	// authorization details were granted (against RFC 9396 section 7).
	UntoldAuthorizationDetails bool
	// CommaScopes reads the scope of a token response as a list with commas
	// (against RFC 6749 section 3.3), as GitHub writes it.
	CommaScopes bool

	// The following are for access tokens that were not made by RFC 9068; see
	// AccessTokenConfig.

	// AccessTokenAnyType accepts access tokens whose typ is JWT or absent. They
	// are then told from ID Tokens by what ID Tokens have and they have not.
	AccessTokenAnyType bool
	// AccessTokenClientID is where the client is named, if not in client_id:
	// "azp", "appid" or "cid".
	AccessTokenClientID string
	// AccessTokenScp reads the scopes from scp, a string or a list.
	AccessTokenScp bool
	// AccessTokenNoID accepts access tokens without jti.
	AccessTokenNoID bool
	// AccessTokenNoAudience accepts an introspection response without aud, of an OP
	// that says active only to the resource server that a token is for.
	AccessTokenNoAudience bool
}

// Client is a client at one OP. It holds nothing of any user, and is safe for
// concurrent use. It does not change, save that it remembers the nonces that
// servers gave for DPoP.
type Client struct {
	p    *Provider
	c    ClientConfig
	auth ClientAuth

	idTokenAlgs  []string      // pinned: what an ID Token may be signed with
	userInfoAlgs []string      // pinned: empty means UserInfo is plain JSON
	responseAlgs []string      // pinned: of authorization responses that are JWTs (JARM)
	hmac         *jose.HMACKey // the client secret, where an algorithm is symmetric
	decrypt      []jose.DecryptionKey

	introspectionAlgs []string // pinned: empty means introspection is plain JSON

	connections *connections // of its own, if it shows a certificate

	dpopAlg string // the name that the OP has for the algorithm of ClientConfig.DPoP
	nonces  *nonces

	request requestSigning // how request objects are made; zero if none are

	// responseAlgsErr is why there are no responseAlgs: it matters to who asks
	// for such a response.
	responseAlgsErr error
}

// NewClient makes a client of p. What cannot work is refused here and not at the
// first login: an *InputError for a configuration that contradicts itself, an
// *UnsupportedError for one that the OP cannot serve.
func NewClient(p *Provider, config ClientConfig) (*Client, error) {
	bad := func(field, detail string) (*Client, error) {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig." + field, Detail: detail}
	}
	if p == nil {
		return nil, &InputError{Reason: BadConfig, Field: "Provider", Detail: "it is nil"}
	}
	if config.ID == "" {
		return bad("ID", "it is empty")
	}
	if len(config.Metadata.RedirectURIs) == 0 && config.Metadata.usesRedirects() {
		return bad("Metadata.RedirectURIs", "at least one is required; give those that are registered at the OP, or name in Metadata.GrantTypes the grants that need none")
	}
	config.Metadata = config.Metadata.clone()
	config.Keys = slices.Clone(config.Keys)
	config.TrustedAudiences = slices.Clone(config.TrustedAudiences)
	if o := config.RequestObject; o != nil {
		own := *o
		config.RequestObject = &own
	}
	if o := config.OAuthOnly; o != nil {
		config.OAuthOnly = &OAuthOnly{Endpoint: o.Endpoint, SubjectMember: o.SubjectMember, Header: o.Header.Clone()}
	}
	if err := config.Metadata.check(); err != nil {
		return nil, err
	}
	if err := config.fillProfile(); err != nil {
		return nil, err
	}
	c := &Client{p: p, c: config, nonces: new(nonces)}
	var err error
	if c.auth, err = c.chooseAuth(); err != nil {
		return nil, err
	}
	md := p.md()
	if err := c.checkProfile(md); err != nil {
		return nil, err
	}
	if config.Metadata.usesRedirects() {
		for _, rt := range config.Metadata.responseTypes() {
			r, _ := parseResponseType(rt)
			if err := c.possible(md, r); err != nil {
				return nil, err
			}
		}
		if _, err := c.pushes(md); err != nil {
			return nil, err
		}
		if c.wantsRequestObject(md) {
			if err := c.pinRequestObject(md); err != nil {
				return nil, err
			}
			if err := c.takesRequestObject(md); err != nil {
				return nil, err
			}
		}
	}
	if err := c.checkDocument(md); err != nil {
		return nil, err
	}
	if err := c.cibaPossible(md); err != nil {
		return nil, err
	}
	if err := c.pinAlgorithms(md); err != nil {
		return nil, err
	}
	if err := c.checkDPoP(md); err != nil {
		return nil, err
	}
	if err := c.checkCertificate(md); err != nil {
		return nil, err
	}
	if config.UserInfoBy > UserInfoPostBody {
		return bad("UserInfoBy", "it is none of the methods")
	}
	if config.UserInfoBy == UserInfoPostBody && config.DPoP != nil {
		return bad("UserInfoBy", "a DPoP token is presented in the header alone (RFC 9449 7.1)")
	}
	if config.Metadata.usesRedirects() {
		r, _ := parseResponseType(config.Metadata.responseTypes()[0])
		if _, err := c.chooseMode(md, r, config.ResponseMode); err != nil {
			return nil, err
		}
	}
	if o := config.OAuthOnly; o != nil {
		// There is no token whose signature is verified.
		return c, o.check(p, &config.Metadata)
	}
	if err := c.keysAreKnown(md); err != nil {
		return nil, err
	}
	return c, nil
}

// keysAreKnown refuses metadata without keys where a signature is verified with
// them (hostile catalogue case 16).
func (c *Client) keysAreKnown(md *ProviderMetadata) error {
	if md.JWKSURI != "" || len(md.JWKS) > 0 || !c.c.Metadata.usesIDTokens() {
		return nil
	}
	for _, alg := range append(slices.Concat(c.idTokenAlgs, c.userInfoAlgs), c.introspectionAlgs...) {
		if alg != "none" && !jose.Symmetric(alg) {
			return &UnsupportedError{Feature: "tokens signed with " + alg, Detail: "the OP's metadata has no jwks_uri; give it, or the key set in ProviderMetadata.JWKS"}
		}
	}
	return nil
}

// chooseAuth applies the default of Core section 9 and checks that the method
// has what it needs. It never tries one method after another: a code is spent
// by the first attempt.
func (c *Client) chooseAuth() (ClientAuth, error) {
	bad := func(detail string) (ClientAuth, error) {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig.Auth", Detail: detail}
	}
	if a := c.c.Auth; a != nil {
		switch a := a.(type) {
		case privateKeyJWT:
			if a.err != nil {
				return nil, a.err
			}
		case signedSecret:
			return a, a.check()
		case secretBasic:
			if a.secret == "" {
				return bad("client_secret_basic needs a secret")
			}
			a.raw = c.c.Quirks.RawBasicCredentials
			return a.of(c.c.ID), nil
		case rotatingAuth:
			if a.source == nil || a.method == "" {
				return bad("RotatingAuth needs a method and a source")
			}
			a.raw = c.c.Quirks.RawBasicCredentials
			return a, nil
		case secretPost:
			if a.secret == "" {
				return bad("client_secret_post needs a secret")
			}
		case secretJWT:
			return a.checked()
		}
		return a, nil
	}
	method := c.c.Metadata.TokenEndpointAuthMethod
	if method == "" {
		method = AuthSecretBasic
		if c.c.Secret == "" {
			method = AuthNone
		}
	}
	if c.c.Secret == "" && strings.HasPrefix(method, "client_secret_") {
		return bad(method + " needs ClientConfig.Secret")
	}
	switch method {
	case AuthNone:
		return NoAuth(), nil
	case AuthSecretBasic:
		return secretBasic{secret: secretText(c.c.Secret), raw: c.c.Quirks.RawBasicCredentials}.of(c.c.ID), nil
	case AuthSecretPost:
		return SecretPost(c.c.Secret), nil
	case AuthSecretJWT:
		alg := c.c.Metadata.TokenEndpointAuthSigningAlg
		switch alg {
		case "", "HS256", "HS384", "HS512":
			return newSecretJWT(c.c.Secret, alg).checked()
		}
		return bad("client_secret_jwt is not signed with " + alg)
	case AuthTLS:
		return TLSAuth(), nil
	case AuthSelfSignedTLS:
		return SelfSignedTLSAuth(), nil
	case AuthPrivateKey:
		k, err := c.keyFor(c.c.Metadata.TokenEndpointAuthSigningAlg, nil)
		if err != nil {
			return nil, err
		}
		if k == nil {
			return bad("private_key_jwt needs a key in ClientConfig.Keys that fits token_endpoint_auth_signing_alg")
		}
		return PrivateKeyJWT(*k), nil
	}
	return nil, &UnsupportedError{Feature: "client authentication by " + quote(method), Detail: "give a ClientAuth of your own in ClientConfig.Auth"}
}

// keyFor is the first of the client's keys that signs with alg; nil if none does. An
// empty alg is any that a key has of its own and that ok accepts; nil accepts all.
func (c *Client) keyFor(alg string, ok func(alg string) bool) (*Key, error) {
	for _, k := range c.c.Keys {
		if k.Use == "enc" || alg != "" && k.Alg != "" && k.Alg != alg {
			continue
		}
		if k.Alg == "" {
			k.Alg = alg
		}
		sk, err := k.signing()
		if err != nil {
			return nil, err
		}
		if ok != nil && !ok(sk.Alg) {
			continue
		}
		if _, err := jose.PublicKeySet(sk); err == nil { // it goes with the algorithm
			return &k, nil
		}
	}
	return nil, nil
}

// possible says whether the OP has what the response type needs (hostile
// catalogue case 16).
func (c *Client) possible(md *ProviderMetadata, r responseType) error {
	lacks := func(what string) error {
		return &UnsupportedError{Feature: "response type " + quote(r.String()), Detail: "the OP's metadata has no " + what}
	}
	if md.AuthorizationEndpoint == "" {
		return lacks("authorization_endpoint")
	}
	if r.code && md.TokenEndpoint == "" {
		return lacks("token_endpoint")
	}
	if r.token && c.c.DPoP != nil {
		// RFC 9449 section 5 binds tokens at the token endpoint alone.
		return &UnsupportedError{Feature: "response type " + quote(r.String()) + " with DPoP", Detail: "an access token from the authorization endpoint is bound to no key"}
	}
	if md.ResponseTypesSupported != nil && !md.supportsResponseType(r.String()) {
		return &UnsupportedError{Feature: "response type " + quote(r.String()), Detail: "the OP announces " + printable(strings.Join(md.ResponseTypesSupported, ", "))}
	}
	return nil
}

// pinAlgorithms fixes, once, which algorithms are accepted. What the OP's
// metadata says later changes nothing (hostile catalogue case 33).
func (c *Client) pinAlgorithms(md *ProviderMetadata) error {
	if c.OpenID() {
		if err := c.pinTokenAlgorithms(md); err != nil {
			return err
		}
	}
	if err := c.pinResponseAlgorithm(md); err != nil {
		return err
	}
	if err := c.pinIntrospection(); err != nil {
		return err
	}
	if slices.ContainsFunc(slices.Concat(c.idTokenAlgs, c.userInfoAlgs, c.responseAlgs, c.introspectionAlgs), jose.Symmetric) {
		var err error
		if c.hmac, err = jose.NewHMACKey([]byte(c.c.Secret)); err != nil {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.Secret", Detail: "signatures are to be verified with it (Core 10.1): " + err.Error(), Err: err}
		}
	}
	return c.pinEncryption()
}

// pinTokenAlgorithms is pinAlgorithms for what OpenID Connect signs.
func (c *Client) pinTokenAlgorithms(md *ProviderMetadata) error {
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientConfig." + field, Detail: detail}
	}
	m := &c.c.Metadata
	announced := md.IDTokenSigningAlgValuesSupported
	switch alg := m.IDTokenSignedResponseAlg; {
	case alg == "none" && !c.c.InsecureAllowUnsignedIDToken:
		return bad("Metadata.IDTokenSignedResponseAlg", "none needs InsecureAllowUnsignedIDToken")
	case alg == "none":
		c.idTokenAlgs = []string{"none"}
	case alg != "":
		if !jose.Supported(alg) {
			return &UnsupportedError{Feature: "ID Tokens signed with " + quote(alg), Detail: "supported are " + strings.Join(jose.Algorithms(), ", ")}
		}
		if len(announced) > 0 && !slices.Contains(announced, alg) {
			return &UnsupportedError{Feature: "ID Tokens signed with " + alg, Detail: "the OP announces " + printable(strings.Join(announced, ", "))}
		}
		c.idTokenAlgs = []string{alg}
	case c.c.Profile.fapi():
		c.idTokenAlgs = c.c.Profile.announcedOr(announced)
	case len(announced) == 0 || slices.Contains(announced, "RS256"):
		c.idTokenAlgs = []string{"RS256"}
	default:
		for _, alg := range announced {
			if asymmetric(alg) {
				c.idTokenAlgs = append(c.idTokenAlgs, alg)
			}
		}
		if len(c.idTokenAlgs) == 0 {
			return &UnsupportedError{Feature: "ID Tokens of this OP", Detail: "it announces " + printable(strings.Join(announced, ", ")) +
				"; if it signs with the client secret, say so in Metadata.IDTokenSignedResponseAlg"}
		}
	}
	if alg := m.UserInfoSignedResponseAlg; alg != "" {
		if !jose.Supported(alg) {
			return &UnsupportedError{Feature: "UserInfo signed with " + quote(alg), Detail: "supported are " + strings.Join(jose.Algorithms(), ", ")}
		}
		c.userInfoAlgs = []string{alg}
	}
	return nil
}

// Provider returns the OP of the client.
func (c *Client) Provider() *Provider { return c.p }

// OpenID reports whether logins give an ID Token: always, but for a client with
// ClientConfig.OAuthOnly.
func (c *Client) OpenID() bool { return c.c.OAuthOnly == nil }

// ID returns the client_id.
func (c *Client) ID() string { return c.c.ID }

// Metadata returns a copy of what the client is registered with.
func (c *Client) Metadata() ClientMetadata { return c.c.Metadata.clone() }

// Format prints who the client is, and no secret.
func (c Client) Format(f fmt.State, _ rune) {
	if c.p == nil {
		redact(f, "oidc.Client")
		return
	}
	redact(f, "oidc.Client", "Issuer", c.p.Issuer(), "ID", c.c.ID, "Auth", c.auth.Method())
}

// LogValue is what slog logs: who the client is, and no secret.
func (c Client) LogValue() slog.Value {
	if c.p == nil {
		return slog.GroupValue()
	}
	return slog.GroupValue(slog.String("issuer", c.p.Issuer()), slog.String("client_id", c.c.ID))
}

// Format prints who the client is, and no secret.
func (c ClientConfig) Format(f fmt.State, _ rune) {
	redact(f, "oidc.ClientConfig", "ID", c.ID, "Secret", present(c.Secret))
}

// LogValue is what slog logs: no secret.
func (c ClientConfig) LogValue() slog.Value {
	return slog.GroupValue(slog.String("client_id", c.ID), slog.String("client_secret", present(c.Secret)))
}

// MarshalJSON writes who the client is, and no secret.
func (c ClientConfig) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID     string `json:"client_id"`
		Secret string `json:"client_secret,omitempty"`
	}{c.ID, maskedIfPresent(c.Secret)})
}
