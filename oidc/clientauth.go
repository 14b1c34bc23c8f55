package oidc

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/jose"
)

// The client authentication methods of Core section 9.
const (
	AuthNone        = "none"
	AuthSecretBasic = "client_secret_basic"
	AuthSecretPost  = "client_secret_post"
	AuthSecretJWT   = "client_secret_jwt"
	AuthPrivateKey  = "private_key_jwt"
	// RFC 8705 sections 2.1.1 and 2.2.1.
	AuthTLS           = "tls_client_auth"
	AuthSelfSignedTLS = "self_signed_tls_client_auth"
)

// ClientAuth proves to an endpoint who the client is. The methods of Core
// section 9 are NoAuth, SecretBasic, SecretPost, SecretJWT and PrivateKeyJWT, those
// of RFC 8705 TLSAuth and SelfSignedTLSAuth; another one, such as an assertion that a cloud platform issues, is a type of
// the application's own.
//
// Authenticate is called for every request anew, concurrently, and adds to
// r.Form or r.Header. It must not keep r.
type ClientAuth interface {
	// Method is the name in token_endpoint_auth_method.
	Method() string
	Authenticate(ctx context.Context, r *AuthenticatedRequest) error
}

// AuthenticatedRequest is a request to the OP that is about to be sent.
type AuthenticatedRequest struct {
	ClientID string
	// Issuer is the OP's issuer identifier.
	Issuer string
	// Endpoint is the URL that the request goes to.
	Endpoint string
	// Audience is who an assertion is for: the issuer, unless
	// Quirks.AssertionAudienceEndpoint is set.
	Audience string
	// Now is the time by the client's clock.
	Now time.Time
	// Form is the body and Header the header, to be added to.
	Form   url.Values
	Header http.Header
}

// Format prints where the request goes and which parameters it has, and no value.
func (r AuthenticatedRequest) Format(f fmt.State, _ rune) {
	redact(f, "oidc.AuthenticatedRequest", "ClientID", r.ClientID, "Endpoint", r.Endpoint,
		"Params", strings.Join(slices.Sorted(maps.Keys(r.Form)), ","))
}

// LogValue is what slog logs: no value of a parameter.
func (r AuthenticatedRequest) LogValue() slog.Value {
	return slog.GroupValue(slog.String("client_id", r.ClientID), slog.String("endpoint", r.Endpoint))
}

// MarshalJSON writes the request with its secrets masked.
func (r AuthenticatedRequest) MarshalJSON() ([]byte, error) {
	type plain AuthenticatedRequest
	p := plain(r)
	p.Form, p.Header = maskValues(r.Form), maskHeader(r.Header)
	return json.Marshal(p)
}

// NoAuth is the method "none" of a public client: client_id alone.
func NoAuth() ClientAuth { return noAuth{} }

type noAuth struct{}

func (noAuth) Method() string { return AuthNone }

func (noAuth) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	r.Form.Set("client_id", r.ClientID)
	return nil
}

// SecretBasic is the method "client_secret_basic": id and secret in the
// Authorization header, each form-encoded first (RFC 6749 section 2.3.1).
func SecretBasic(secret string) ClientAuth { return secretBasic{secret: secretText(secret)} }

type secretBasic struct {
	secret secretText
	raw    bool // Quirks.RawBasicCredentials

	field secretText // the Authorization field of the client whose own it is, made once
}

func (secretBasic) Method() string { return AuthSecretBasic }

// Format prints the method: fmt cannot see that the field inside is a secret.
func (a secretBasic) Format(f fmt.State, _ rune) { redact(f, "oidc.SecretBasic") }

// of is a for the client of that ID.
func (a secretBasic) of(id string) secretBasic {
	a.field = secretText(a.fieldFor(id))
	return a
}

func (a secretBasic) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	field := string(a.field)
	if field == "" {
		field = a.fieldFor(r.ClientID)
	}
	r.Header.Set("Authorization", field)
	return nil
}

func (a secretBasic) fieldFor(id string) string {
	secret := string(a.secret)
	if !a.raw {
		// Without it a colon, a percent sign or a plus in either part means
		// something else to an OP that decodes, as it must.
		id, secret = url.QueryEscape(id), url.QueryEscape(secret)
	}
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(id+":"+secret))
}

// SecretPost is the method "client_secret_post": id and secret in the body.
func SecretPost(secret string) ClientAuth { return secretPost{secretText(secret)} }

type secretPost struct{ secret secretText }

func (secretPost) Method() string { return AuthSecretPost }

// Format prints the method alone, as that of secretBasic does.
func (a secretPost) Format(f fmt.State, _ rune) { redact(f, "oidc.SecretPost") }

func (a secretPost) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_secret", string(a.secret))
	return nil
}

// SecretJWT is the method "client_secret_jwt": an assertion under the secret.
// alg is HS256, HS384 or HS512; empty means HS256.
func SecretJWT(secret, alg string) ClientAuth { return newSecretJWT(secret, alg) }

func newSecretJWT(secret, alg string) secretJWT {
	if alg == "" {
		alg = "HS256"
	}
	return secretJWT{secretText(secret), alg}
}

type secretJWT struct {
	secret secretText
	alg    string
}

func (secretJWT) Method() string { return AuthSecretJWT }

// Format prints the method alone, as that of secretBasic does.
func (a secretJWT) Format(f fmt.State, _ rune) { redact(f, "oidc.SecretJWT", "Alg", a.alg) }

func (a secretJWT) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	s, err := a.signer()
	if err != nil {
		return err
	}
	return r.assert(s)
}

func (a secretJWT) signer() (*jose.Signer, error) {
	s, err := jose.NewSigner(jose.SigningKey{Alg: a.alg, Private: []byte(a.secret)}, nil)
	if err != nil {
		return nil, unsigned(err)
	}
	return s, nil
}

// checked is a, unless its secret is too short for its algorithm.
func (a secretJWT) checked() (ClientAuth, error) {
	_, err := a.signer()
	return a, err
}

// PrivateKeyJWT is the method "private_key_jwt": an assertion signed by a key
// that was registered. A key that cannot sign is reported by NewClient.
func PrivateKeyJWT(k Key) ClientAuth { return newPrivateKeyJWT(k) }

type privateKeyJWT struct {
	key    Key
	signer *jose.Signer
	err    error // why there is no signer
}

func newPrivateKeyJWT(k Key) privateKeyJWT {
	a := privateKeyJWT{key: k}
	sk, err := k.signing()
	if err != nil {
		a.err = err
		return a
	}
	if a.signer, err = jose.NewSigner(sk, nil); err != nil {
		a.err = unsigned(err)
	}
	return a
}

// unsigned is the error for an assertion that could not be signed.
func unsigned(err error) error {
	return &InputError{Reason: BadConfig, Field: "ClientAuth", Detail: "the client assertion could not be signed: " + err.Error(), Err: err}
}

func (privateKeyJWT) Method() string { return AuthPrivateKey }

// Format prints the method and the key's name, as that of secretBasic does.
func (a privateKeyJWT) Format(f fmt.State, _ rune) { redact(f, "oidc.PrivateKeyJWT", "Key", a.key.ID) }

func (a privateKeyJWT) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	if a.err != nil {
		return a.err
	}
	return r.assert(a.signer)
}

// TLSAuth is the method "tls_client_auth": the client is whom the certificate of
// ClientConfig.Certificate names, which an authority that the OP trusts has issued
// (RFC 8705 section 2.1).
func TLSAuth() ClientAuth { return tlsAuth(AuthTLS) }

// SelfSignedTLSAuth is the method "self_signed_tls_client_auth": the client has
// registered the certificate of ClientConfig.Certificate in its key set (RFC 8705
// section 2.2; see CertificateKey).
func SelfSignedTLSAuth() ClientAuth { return tlsAuth(AuthSelfSignedTLS) }

// RotatingAuth is a method whose secret or key changes without a restart: source is
// asked for each request, concurrently, and gives the SecretBasic, PrivateKeyJWT
// or other ClientAuth that is due. method is what each of them must be, as it is
// registered. What the client secret is used for beside (HS256, dir) keeps to
// ClientConfig.Secret.
func RotatingAuth(method string, source func(ctx context.Context) (ClientAuth, error)) ClientAuth {
	return rotatingAuth{method: method, source: source}
}

type rotatingAuth struct {
	method string
	source func(ctx context.Context) (ClientAuth, error)
	raw    bool // Quirks.RawBasicCredentials
}

func (a rotatingAuth) Method() string { return a.method }

// Format prints the method alone, as that of secretBasic does.
func (a rotatingAuth) Format(f fmt.State, _ rune) { redact(f, "oidc.RotatingAuth", "Method", a.method) }

func (a rotatingAuth) Authenticate(ctx context.Context, r *AuthenticatedRequest) error {
	bad := func(detail string, err error) error {
		return &InputError{Reason: BadConfig, Field: "RotatingAuth", Detail: detail, Err: err}
	}
	now, err := a.source(ctx)
	switch {
	case err != nil:
		return bad("it gives nothing to authenticate with: "+err.Error(), err)
	case now == nil:
		return bad("it gives nothing to authenticate with", nil)
	case now.Method() != a.method:
		// Another way than the registered one is never tried (case 128).
		return bad("it gives "+quote(now.Method())+", expected "+a.method, nil)
	}
	if basic, ok := now.(secretBasic); ok {
		basic.raw = a.raw
		now = basic
	}
	return now.Authenticate(ctx, r)
}

// tlsAuth sends the client_id; the connection does the rest.
type tlsAuth string

func (a tlsAuth) Method() string { return string(a) }

func (a tlsAuth) Authenticate(_ context.Context, r *AuthenticatedRequest) error {
	r.Form.Set("client_id", r.ClientID) // RFC 8705 section 2: required
	return nil
}

// assertionLifetime is short, since an assertion is used at once: whoever copies
// one has this long to use it.
const assertionLifetime = 60 * time.Second

// assertionType is RFC 7523 section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// assert adds a client assertion (Core section 9, RFC 7523 section 3). It is
// made for every request anew, with a jti that was never used.
func (r *AuthenticatedRequest) assert(s *jose.Signer) error {
	now := r.Now
	claims, err := json.Marshal(struct {
		Issuer   string `json:"iss"`
		Subject  string `json:"sub"`
		Audience string `json:"aud"`
		ID       string `json:"jti"`
		IssuedAt int64  `json:"iat"`
		Expiry   int64  `json:"exp"`
	}{r.ClientID, r.ClientID, r.Audience, randomText(), now.Unix(), now.Add(assertionLifetime).Unix()})
	if err != nil {
		return err
	}
	jwt, err := s.Sign(claims)
	if err != nil {
		return unsigned(err)
	}
	r.Form.Set("client_id", r.ClientID)
	r.Form.Set("client_assertion_type", assertionType)
	r.Form.Set("client_assertion", jwt)
	return nil
}

// randomText is 256 bits from crypto/rand in 43 characters of base64url: enough
// for a state, a nonce, a jti and a code verifier (RFC 7636 section 4.1).
func randomText() string {
	var b [32]byte
	rand.Read(b[:]) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// secretText is a string that no format prints.
type secretText string

func (s secretText) Format(f fmt.State, _ rune) { fmt.Fprint(f, present(string(s))) }
