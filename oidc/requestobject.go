package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/internal/jose"
)

// Bounds on a request object.
const (
	// DefaultRequestObjectLifetime is how long a request object is good for.
	DefaultRequestObjectLifetime = 5 * time.Minute
	// MaxRequestObjectLifetime is the longest that FAPI 1.0 Part 2 section 5.2.2
	// (13) admits.
	MaxRequestObjectLifetime = time.Hour
	// requestObjectLead is how far before now nbf lies: the OP's clock may be a
	// little behind.
	requestObjectLead = 10 * time.Second
)

// requestObjectType is RFC 9101 section 10.8.
const requestObjectType = "oauth-authz-req+jwt"

// RequestObject has authentication requests travel as one JWT (RFC 9101, Core
// section 6), which nobody on the way can change. The zero value signs it and
// sends it by value; where requests are pushed (ClientConfig.PAR) it is pushed.
//
// With what it is signed and encrypted is what is registered:
// ClientMetadata.RequestObjectSigningAlg, with the key in ClientConfig.Keys that
// fits or for HS256 and the like the Secret, or if it is empty the first of Keys
// that is for signatures; and RequestObjectEncryptionAlg and Enc, with the OP's
// key. A client that is registered with "none" does not sign.
type RequestObject struct {
	// ByReference has the OP fetch it from AuthParams.Publish, so that the URL is
	// short. It has no effect on a request that is pushed.
	ByReference bool
	// Lifetime is how long it is good for; zero means
	// DefaultRequestObjectLifetime, and MaxRequestObjectLifetime is the most.
	Lifetime time.Duration
}

// requestSigning is how request objects are made, fixed by NewClient.
type requestSigning struct {
	alg      string // "none": not signed
	key      jose.SigningKey
	lifetime time.Duration
}

// wantsRequestObject reports whether requests must be, or are to be, JWTs.
func (c *Client) wantsRequestObject(md *ProviderMetadata) bool {
	return c.c.RequestObject != nil || md.RequireSignedRequestObject || c.c.Metadata.RequireSignedRequestObject
}

// pinRequestObject decides with what request objects are made, and refuses what
// could not work.
func (c *Client) pinRequestObject(md *ProviderMetadata) error {
	m := &c.c.Metadata
	bad := func(field, detail string) error {
		return &InputError{Reason: BadConfig, Field: "ClientConfig." + field, Detail: detail}
	}
	s := requestSigning{alg: m.RequestObjectSigningAlg, lifetime: DefaultRequestObjectLifetime}
	if o := c.c.RequestObject; o != nil {
		if o.Lifetime < 0 || o.Lifetime > MaxRequestObjectLifetime {
			return bad("RequestObject.Lifetime", "it is "+o.Lifetime.String()+", expected up to "+MaxRequestObjectLifetime.String())
		}
		if o.Lifetime > 0 {
			s.lifetime = o.Lifetime
		}
	}
	announced := md.RequestObjectSigningAlgValuesSupported
	switch {
	case s.alg == "none":
		if md.RequireSignedRequestObject || m.RequireSignedRequestObject {
			return bad("Metadata.RequestObjectSigningAlg", "it is none where a signature is required (RFC 9101 section 10.5)")
		}
	case s.alg == "":
		key, err := c.firstSigningKey(announced)
		if err != nil {
			return err
		}
		s.alg, s.key = key.Alg, key
	default:
		var err error
		if s.key, err = c.signingKeyFor(s.alg); err != nil {
			return err
		}
	}
	if len(announced) > 0 && !slices.Contains(announced, s.alg) {
		return &UnsupportedError{Feature: "request objects signed with " + quote(s.alg), Detail: "the OP announces " + printable(strings.Join(announced, ", "))}
	}
	if err := c.pinRequestEncryption(); err != nil {
		return err
	}
	c.request = s
	return nil
}

// takesRequestObject refuses an OP that says it would not look at one.
func (c *Client) takesRequestObject(md *ProviderMetadata) error {
	byReference := c.c.RequestObject != nil && c.c.RequestObject.ByReference
	if pushed, _ := c.pushes(md); byReference && !pushed && !md.RequestURIParameterSupported {
		return &UnsupportedError{Feature: "request objects by reference", Detail: "the OP says request_uri_parameter_supported: false"}
	}
	if !md.RequestParameterSupported && !md.RequireSignedRequestObject && len(md.RequestObjectSigningAlgValuesSupported) == 0 && !byReference {
		return &UnsupportedError{Feature: "request objects", Detail: "the OP announces neither request_parameter_supported nor request_object_signing_alg_values_supported"}
	}
	return nil
}

func (c *Client) pinRequestEncryption() error {
	m := &c.c.Metadata
	alg := m.RequestObjectEncryptionAlg
	if alg == "" {
		return nil
	}
	if m.RequestObjectEncryptionEnc == "" {
		m.RequestObjectEncryptionEnc = defaultEnc
	}
	if !slices.Contains(jose.KeyManagement(), alg) || !slices.Contains(jose.ContentEncryption(), m.RequestObjectEncryptionEnc) {
		return &UnsupportedError{Feature: "request objects encrypted with " + quote(alg) + " and " + quote(m.RequestObjectEncryptionEnc),
			Detail: "supported are " + strings.Join(jose.KeyManagement(), ", ") + " and " + strings.Join(jose.ContentEncryption(), ", ")}
	}
	if err := c.canEncrypt("request objects"); err != nil {
		return err
	}
	if symmetricEncryption(alg) && c.c.Secret == "" {
		return &InputError{Reason: BadConfig, Field: "ClientConfig.Secret", Detail: alg + " encrypts with the client secret, which is empty (Core 10.2)"}
	}
	return nil
}

func symmetricEncryption(alg string) bool { return alg == "dir" || strings.HasPrefix(alg, "A") }

// firstSigningKey is the first key that signs with an algorithm that the profile
// admits and the OP announces; any, if it announces none.
func (c *Client) firstSigningKey(announced []string) (jose.SigningKey, error) {
	k, err := c.keyFor("", func(alg string) bool {
		return len(c.c.Profile.admits([]string{alg})) > 0 && (len(announced) == 0 || slices.Contains(announced, alg))
	})
	if err != nil {
		return jose.SigningKey{}, err
	}
	if k == nil {
		return jose.SigningKey{}, &InputError{Reason: BadConfig, Field: "ClientConfig.Keys",
			Detail: "a request object needs a key to sign with, of an algorithm that the OP takes; or Metadata.RequestObjectSigningAlg HS256, to sign with the secret"}
	}
	return k.signing()
}

// signingKeyFor is the client's key for an algorithm of signatures: one of Keys, or
// the secret.
func (c *Client) signingKeyFor(alg string) (jose.SigningKey, error) {
	bad := func(field, detail string) (jose.SigningKey, error) {
		return jose.SigningKey{}, &InputError{Reason: BadConfig, Field: "ClientConfig." + field, Detail: detail}
	}
	if !jose.Supported(alg) {
		return jose.SigningKey{}, &UnsupportedError{Feature: "request objects signed with " + quote(alg), Detail: "supported are " + strings.Join(jose.Algorithms(), ", ")}
	}
	if jose.Symmetric(alg) {
		if len(c.c.Secret) < jose.MinSecret {
			return bad("Secret", alg+" signs with the client secret, which is too short or empty (Core 10.1)")
		}
		return jose.SigningKey{Alg: alg, Private: []byte(c.c.Secret)}, nil
	}
	k, err := c.keyFor(alg, nil)
	if err != nil {
		return jose.SigningKey{}, err
	}
	if k == nil {
		return bad("Keys", "none of them signs with "+alg+", which is registered as request_object_signing_alg")
	}
	return k.signing()
}

// carry decides how the parameters of r travel: in the URL as they are, in a
// request object, by reference to one, or pushed.
func (c *Client) carry(ctx context.Context, md *ProviderMetadata, r *AuthRequest, publish func(context.Context, []byte, time.Time) (string, error)) error {
	push, err := c.pushes(md)
	if err != nil {
		return err
	}
	plain, wanted := r.params, c.wantsRequestObject(md)
	if wanted && c.request.alg == "" {
		// Since NewClient, which had no reason to prepare any.
		return &UnsupportedError{Feature: "request objects", Detail: "the OP has begun to require them, signed; set ClientConfig.RequestObject"}
	}
	body := func() (url.Values, error) {
		if !wanted {
			return maps.Clone(plain), nil
		}
		object, err := c.makeRequestObject(ctx, plain)
		return url.Values{"client_id": {c.c.ID}, "request": {object}}, err
	}
	if push {
		return c.push(ctx, md, r, body)
	}
	if wanted {
		object, err := c.makeRequestObject(ctx, plain)
		if err != nil {
			return err
		}
		if o := c.c.RequestObject; o != nil && o.ByReference {
			if err := c.publish(ctx, r, object, publish); err != nil {
				return err
			}
		} else {
			r.params = outside(plain)
			r.params.Set("request", object)
		}
	}
	if c.tooLong(r) && c.mayPush(md) {
		return c.push(ctx, md, r, body)
	}
	if c.tooLong(r) {
		return &InputError{Reason: RequestTooLong, Field: "AuthParams",
			Detail: "the URL has " + strconv.Itoa(len(r.URL())) + " bytes, at most " + strconv.Itoa(MaxAuthURL) + " travel safely; set AuthParams.Post"}
	}
	return nil
}

// tooLong reports whether the request does not travel safely in a URL.
func (c *Client) tooLong(r *AuthRequest) bool { return !r.post && len(r.URL()) > MaxAuthURL }

// outside are the parameters that stand beside a request object too, with the same
// values: what makes the request one of OAuth 2.0 (Core section 6.1, FAPI 1.0 Part
// 2 section 5.2.3 (9)). The OP goes by those inside (RFC 9101 section 6.3).
func outside(v url.Values) url.Values {
	out := make(url.Values)
	for _, name := range []string{"client_id", "response_type", "scope"} {
		if v.Has(name) {
			out[name] = v[name]
		}
	}
	return out
}

// publish serves the object and leaves in r the reference. Its fragment is the
// object's hash (Core section 6.2): the OP that has an object of this URL in its
// cache sees whether it is this one.
func (c *Client) publish(ctx context.Context, r *AuthRequest, object string, publish func(context.Context, []byte, time.Time) (string, error)) error {
	if publish == nil {
		return refuse("Publish", "it is nil, and ClientConfig.RequestObject is ByReference")
	}
	uri, err := publish(ctx, []byte(object), r.Pending.Created.Add(c.request.lifetime))
	if err != nil {
		return err
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "https" && !(u.Scheme == "http" && c.p.env.opts.InsecureAllowHTTP) || u.Host == "" || strings.Contains(uri, "#") || !visible(uri) || len(uri) > MaxPublishedURI {
		return refuse("Publish", "it returned no https URL without fragment, of at most "+strconv.Itoa(MaxPublishedURI)+" bytes (Core 6.2)")
	}
	sum := sha256.Sum256([]byte(object))
	r.params = outside(r.params)
	r.params.Set("request_uri", uri+"#"+base64.RawURLEncoding.EncodeToString(sum[:]))
	return nil
}

// MaxPublishedURI bounds a request_uri of the client's own, with its fragment, in
// bytes (Core section 6.2).
const MaxPublishedURI = 512 - 44

// makeRequestObject writes the parameters as a JWT (RFC 9101 section 4).
func (c *Client) makeRequestObject(ctx context.Context, v url.Values) (string, error) {
	now := c.p.env.now()
	claims, err := requestClaims(v)
	if err != nil {
		return "", err
	}
	// RFC 9101 section 4; aud is a string, since some OPs read no list of one.
	claims["iss"], claims["aud"] = c.c.ID, c.p.Issuer()
	claims["iat"], claims["nbf"] = now.Unix(), now.Add(-requestObjectLead).Unix()
	claims["exp"], claims["jti"] = now.Add(c.request.lifetime).Unix(), randomText()
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", refuse("Extra", "the request object cannot be encoded")
	}
	header := map[string]any{"typ": requestObjectType}
	var object string
	if c.request.alg == "none" {
		object = jose.Unsigned(header, payload)
	} else if object, err = jose.Sign(c.request.key, header, payload); err != nil {
		return "", &InputError{Reason: BadConfig, Field: "ClientConfig.Keys", Detail: "the request object could not be signed: " + err.Error(), Err: err}
	}
	return c.encryptRequestObject(ctx, object)
}

// encryptRequestObject encrypts what was signed (RFC 9101 section 4: in this
// order), if that is registered.
func (c *Client) encryptRequestObject(ctx context.Context, object string) (string, error) {
	alg, enc := c.c.Metadata.RequestObjectEncryptionAlg, c.c.Metadata.RequestObjectEncryptionEnc
	var err error
	switch {
	case alg == "":
		return object, nil
	case symmetricEncryption(alg):
		object, err = c.c.Encryption.encryptUnder(c.c.Secret, object, alg, enc)
	default:
		object, err = c.c.Encryption.encryptFor(ctx, c.p.state.Load().keys, object, alg, enc)
	}
	if err == nil {
		return object, nil
	}
	pe := signatureRefused(err)
	if pe.Reason == UnknownKey {
		return "", &UnsupportedError{Feature: "request objects encrypted with " + alg, Detail: "the OP publishes no key for that"}
	}
	pe.Step, pe.Spec = StepAuthorization, "RFC 9101 6.1"
	return "", pe
}

// requestClaims writes each parameter as the JSON that it has in a request object:
// those that are JSON in a URL as what they are, the others as strings (RFC 9101
// section 4, Core section 6.1).
func requestClaims(v url.Values) (map[string]any, error) {
	claims := make(map[string]any, len(v)+6)
	for name, values := range maps.All(v) {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti", "sub":
			// RFC 9101 section 4: sub must not be there, the others are made here.
			return nil, &InputError{Reason: ProtectedParameter, Field: "AuthParams.Extra", Detail: name + " means something else in a request object"}
		case "max_age":
			claims[name] = json.Number(values[0])
		case "claims", "authorization_details":
			claims[name] = json.RawMessage(values[0])
		case "resource":
			claims[name] = values[0]
			if len(values) > 1 {
				claims[name] = values
			}
		default:
			claims[name] = values[0]
		}
	}
	return claims, nil
}
