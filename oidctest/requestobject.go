package oidctest

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// maxObjectAge is how far ahead exp of a request object may lie.
const maxObjectAge = time.Hour

// requestEncryptionAlgs are those that the OP has keys for: one of its own, or one
// that is derived from the client secret.
func requestEncryptionAlgs() []string {
	return slices.DeleteFunc(EncryptionAlgs(), func(alg string) bool { return strings.HasPrefix(alg, "RSA") })
}

// openRequest returns the parameters of a request object, or those of a request
// that has none. Where there is one, only what is inside counts (RFC 9101, section
// 6.3).
func (x *exchange) openRequest(p url.Values) (url.Values, *reply) {
	x.op.mu.Lock()
	c, known := x.op.clients[p.Get("client_id")]
	x.op.mu.Unlock()
	if !known {
		return p, nil // readAuthRequest says so
	}
	refuse := func(code, text string) (url.Values, *reply) {
		if x.endpoint == EndpointPAR {
			return nil, oauthError(http.StatusBadRequest, code, text)
		}
		return nil, page(http.StatusBadRequest, "Bad request object", text)
	}
	object := p.Get("request")
	switch {
	case p.Has("request") && p.Has("request_uri"):
		return refuse("invalid_request", "request and request_uri exclude each other (RFC 9101, 5)")
	case p.Has("request_uri"):
		// Core 6.2: the fragment is a hash for the OP's cache, and not sent.
		b, err := x.op.fetch(x.r.Context(), strings.SplitN(p.Get("request_uri"), "#", 2)[0])
		if err != nil {
			return refuse("invalid_request_uri", "the request object could not be fetched: "+err.Error())
		}
		object = string(b)
	case !p.Has("request"):
		if x.op.c.RequireSignedRequestObject || c.RequireSignedRequestObject {
			return refuse("invalid_request", "the request must be in a signed request object (RFC 9101, 10.5)")
		}
		return p, nil
	}
	claims, err := x.readRequestObject(c, object)
	if err != nil {
		return refuse("invalid_request_object", err.Error())
	}
	inside, err := requestParams(claims)
	if err != nil {
		return refuse("invalid_request_object", err.Error())
	}
	if inside.Get("client_id") != c.ID {
		return refuse("invalid_request_object", "client_id in the request object is not the one outside (RFC 9101, 5)")
	}
	if rt := p.Get("response_type"); rt != "" && rt != inside.Get("response_type") {
		return refuse("invalid_request_object", "response_type in the request object is not the one outside (Core 6.1)")
	}
	return inside, nil
}

// readRequestObject opens and verifies a request object, and checks the claims
// that make it one (RFC 9101, sections 4 and 6).
func (x *exchange) readRequestObject(c *registered, object string) (map[string]any, error) {
	object, err := x.decryptRequestObject(c, object)
	if err != nil {
		return nil, err
	}
	payload, signed, err := x.verifyRequestObject(c, object)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(strings.NewReader(string(payload)))
	d.UseNumber()
	claims := map[string]any{}
	if err := d.Decode(&claims); err != nil || claims == nil {
		return nil, errors.New("the request object is not a JSON object")
	}
	for _, name := range []string{"request", "request_uri", "sub"} {
		if _, there := claims[name]; there {
			return nil, fmt.Errorf("%s must not be in a request object (RFC 9101, 4)", name)
		}
	}
	if !signed {
		return claims, nil
	}
	return claims, x.checkRequestClaims(c, claims)
}

// checkRequestClaims is RFC 9101, section 4, and FAPI 1.0 Part 2, section 5.2.2.
func (x *exchange) checkRequestClaims(c *registered, claims map[string]any) error {
	at := func(name string) (time.Time, bool) {
		n, ok := claims[name].(json.Number)
		secs, err := n.Int64()
		return time.Unix(secs, 0), ok && err == nil
	}
	exp, hasExp := at("exp")
	nbf, hasNbf := at("nbf")
	switch {
	case claims["iss"] != c.ID:
		return errors.New("iss of the request object must be the client identifier")
	case claims["aud"] != x.op.Issuer:
		return fmt.Errorf("aud of the request object must be the issuer %s", x.op.Issuer)
	case !hasExp || !x.now.Before(exp) || exp.Sub(x.now) > maxObjectAge:
		return errors.New("exp of the request object is missing, past or more than an hour ahead")
	case hasNbf && (nbf.Sub(x.now) > clockSkew || x.now.Sub(nbf) > maxObjectAge):
		return errors.New("nbf of the request object is in the future or more than an hour past")
	}
	jti, _ := claims["jti"].(string)
	if jti == "" {
		return nil
	}
	x.op.mu.Lock()
	defer x.op.mu.Unlock()
	key := "request\x00" + c.ID + "\x00" + jti
	if _, used := x.op.jtis.get(key, x.now); used {
		return errors.New("the jti of the request object was used before")
	}
	x.op.jtis.put(key, true, exp)
	return nil
}

// decryptRequestObject opens an encrypted request object, by its kid.
func (x *exchange) decryptRequestObject(c *registered, object string) (string, error) {
	if strings.Count(object, ".") != 4 {
		if c.RequestObjectEncryptionAlg != "" {
			return "", errors.New("the request object is not encrypted, as is registered")
		}
		return object, nil
	}
	var algs []jose.KeyAlgorithm
	for _, a := range requestEncryptionAlgs() {
		if c.RequestObjectEncryptionAlg == "" || c.RequestObjectEncryptionAlg == a {
			algs = append(algs, jose.KeyAlgorithm(a))
		}
	}
	var encs []jose.ContentEncryption
	for _, e := range EncryptionEncs() {
		encs = append(encs, jose.ContentEncryption(e))
	}
	jwe, err := jose.ParseEncryptedCompact(object, algs, encs)
	if err != nil {
		return "", fmt.Errorf("the request object is not encrypted as is registered: %w", err)
	}
	var key any
	if size := secretKeySize(jwe.Header.Algorithm, encOf(object)); size > 0 {
		key = secretKey(c.Secret, size)
	} else {
		own, err := x.op.keys.opener()
		if err != nil {
			return "", err
		}
		if jwe.Header.KeyID != own.KeyID {
			return "", fmt.Errorf("the request object is encrypted for the key %q; it must be %q", jwe.Header.KeyID, own.KeyID)
		}
		key = own.Key
	}
	plain, err := jwe.Decrypt(key)
	if err != nil {
		return "", errors.New("the request object cannot be decrypted")
	}
	return string(plain), nil
}

// encOf reads enc of a JWE's header.
func encOf(token string) string {
	header, _, _ := strings.Cut(token, ".")
	var h struct{ Enc string }
	if b, err := base64.RawURLEncoding.DecodeString(header); err != nil || json.Unmarshal(b, &h) != nil {
		return ""
	}
	return h.Enc
}

// verifyRequestObject verifies the signature by the registered algorithm. Without
// one none is the only thing refused (Registration 1.0, section 2).
func (x *exchange) verifyRequestObject(c *registered, object string) (payload []byte, signed bool, err error) {
	registered := c.RequestObjectSigningAlg
	header, rest, _ := strings.Cut(object, ".")
	var h struct{ Alg, Typ string }
	if b, err := base64.RawURLEncoding.DecodeString(header); err != nil || json.Unmarshal(b, &h) != nil {
		return nil, false, errors.New("the request object is not a JWT")
	}
	if h.Typ != "" && !strings.EqualFold(h.Typ, "JWT") && strings.TrimPrefix(strings.ToLower(h.Typ), "application/") != "oauth-authz-req+jwt" {
		return nil, false, fmt.Errorf("typ of the request object is %q (RFC 9101, 10.8)", h.Typ)
	}
	if h.Alg == "none" {
		if registered != "none" || x.op.c.RequireSignedRequestObject || c.RequireSignedRequestObject {
			return nil, false, errors.New("the request object is not signed")
		}
		text, signature, _ := strings.Cut(rest, ".")
		payload, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil || signature != "" {
			return nil, false, errors.New("the request object is not an unsecured JWT")
		}
		return payload, false, nil
	}
	var algs []jose.SignatureAlgorithm
	for _, a := range SigningAlgs() {
		if registered == "" || registered == a {
			algs = append(algs, jose.SignatureAlgorithm(a))
		}
	}
	jws, err := jose.ParseSignedCompact(object, algs)
	if err != nil {
		return nil, false, fmt.Errorf("the request object is not signed with the registered algorithm: %w", err)
	}
	payload, err = x.verifyWithClient(c, jws, strings.HasPrefix(h.Alg, "HS"))
	return payload, true, err
}

// requestParams are the claims as parameters: what is no string as its JSON.
func requestParams(claims map[string]any) (url.Values, error) {
	p := url.Values{}
	for name, v := range claims {
		switch name {
		case "iss", "aud", "exp", "nbf", "iat", "jti":
			continue
		}
		switch v := v.(type) {
		case string:
			p.Set(name, v)
		case json.Number:
			p.Set(name, v.String())
		case []any:
			if name == "resource" {
				for _, one := range v {
					p.Add(name, fmt.Sprint(one))
				}
				continue
			}
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("%s cannot be read", name)
			}
			p.Set(name, string(b))
		default:
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("%s cannot be read", name)
			}
			p.Set(name, string(b))
		}
	}
	return p, nil
}
