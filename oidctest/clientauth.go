package oidctest

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// assertionType is the client_assertion_type of RFC 7523, section 2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

const (
	maxAssertionAge = time.Hour   // how far ahead exp may lie
	clockSkew       = time.Minute // of the clocks of clients
	fetchTimeout    = 5 * time.Second
)

// authenticate finds the client and checks that it authenticates as it is
// registered, and in no other way (RFC 6749, section 2.3; Core 9). It returns
// nil, with x.client set, or the error response.
func (x *exchange) authenticate() *reply {
	a := readClientAuth(x.r.Header, x.form)
	refuse := func(format string, args ...any) *reply {
		rep := oauthError(http.StatusUnauthorized, "invalid_client", fmt.Sprintf(format, args...))
		// RFC 6749, section 5.2: the scheme that was tried.
		if x.r.Header.Get("Authorization") != "" {
			rep.header.Set("WWW-Authenticate", `Basic realm="oidctest"`)
		}
		return rep
	}
	if x.r.Header.Get("Authorization") != "" {
		if a.Method != "client_secret_basic" {
			return refuse("the Authorization header is not HTTP Basic with form-encoded identifier and secret (RFC 6749, 2.3.1)")
		}
		if x.form.Has("client_secret") || x.form.Has("client_assertion") {
			return oauthError(http.StatusBadRequest, "invalid_request", "the client authenticates in two ways (RFC 6749, 2.3)")
		}
		if x.form.Has("client_id") && x.form.Get("client_id") != a.ClientID {
			return oauthError(http.StatusBadRequest, "invalid_request", "client_id is not the one of the Authorization header")
		}
	}
	if x.form.Has("client_secret") && x.form.Has("client_assertion") {
		return oauthError(http.StatusBadRequest, "invalid_request", "the client authenticates in two ways (RFC 6749, 2.3)")
	}
	if a.ClientID == "" {
		return refuse("no client is named")
	}
	c, err := x.knownClient(a.ClientID, false)
	if err != nil {
		return refuse("%v", err)
	}
	sent, registered := a.Method, c.authMethod()
	if sent == "client_assertion" && (registered == "private_key_jwt" || registered == "client_secret_jwt") {
		sent = registered
	}
	if sent == "none" && (registered == "tls_client_auth" || registered == "self_signed_tls_client_auth") {
		sent = registered // RFC 8705, section 2: client_id alone
	}
	if sent != registered {
		return refuse("the client is registered for %s and used %s", registered, a.Method)
	}
	switch registered {
	case "client_secret_basic", "client_secret_post", "client_secret_jwt":
		if !c.SecretExpiresAt.IsZero() && !x.now.Before(c.SecretExpiresAt) {
			return refuse("the client secret has expired")
		}
	}
	switch registered {
	case "client_secret_basic", "client_secret_post":
		if subtle.ConstantTimeCompare([]byte(a.Secret), []byte(c.Secret)) != 1 || c.Secret == "" {
			return refuse("the client secret is wrong")
		}
	case "client_secret_jwt", "private_key_jwt":
		if t := x.form.Get("client_assertion_type"); t != assertionType {
			return refuse("client_assertion_type must be %s", assertionType)
		}
		if err := x.checkAssertion(c, a.Assertion); err != nil {
			return refuse("client assertion: %v", err)
		}
	case "tls_client_auth", "self_signed_tls_client_auth":
		if err := x.checkCertificate(c); err != nil {
			return refuse("%v", err)
		}
	case "none":
		if x.form.Has("client_secret") {
			return refuse("a public client has no secret")
		}
	}
	x.client = c
	return nil
}

// readClientAuth reads what a request says about its client.
func readClientAuth(h http.Header, form url.Values) ClientAuth {
	if v := h.Get("Authorization"); v != "" {
		scheme, rest, _ := strings.Cut(v, " ")
		raw, err := base64.StdEncoding.DecodeString(rest)
		id, secret, ok := strings.Cut(string(raw), ":")
		id, errID := url.QueryUnescape(id)
		secret, errSecret := url.QueryUnescape(secret)
		if !strings.EqualFold(scheme, "Basic") || err != nil || !ok || errID != nil || errSecret != nil {
			return ClientAuth{Method: "unknown"}
		}
		return ClientAuth{Method: "client_secret_basic", ClientID: id, Secret: secret}
	}
	switch {
	case form.Has("client_assertion"):
		a := ClientAuth{Method: "client_assertion", ClientID: form.Get("client_id"), Assertion: form.Get("client_assertion")}
		if parts := strings.Split(a.Assertion, "."); len(parts) == 3 {
			if b, err := base64.RawURLEncoding.DecodeString(parts[1]); err == nil {
				_ = json.Unmarshal(b, &a.Claims) // what is no JSON has no claims
			}
		}
		if a.ClientID == "" {
			a.ClientID, _ = a.Claims["sub"].(string)
		}
		return a
	case form.Has("client_secret"):
		return ClientAuth{Method: "client_secret_post", ClientID: form.Get("client_id"), Secret: form.Get("client_secret")}
	case form.Has("client_id"):
		return ClientAuth{Method: "none", ClientID: form.Get("client_id")}
	}
	return ClientAuth{}
}

// checkAssertion checks a client assertion (RFC 7523, section 3; Core 9).
func (x *exchange) checkAssertion(c *registered, assertion string) error {
	secret := c.authMethod() == "client_secret_jwt"
	var algs []jose.SignatureAlgorithm
	for _, alg := range assertionAlgs() {
		if (alg[:2] == "HS") == secret && (c.TokenEndpointAuthSigningAlg == "" || c.TokenEndpointAuthSigningAlg == alg) {
			algs = append(algs, jose.SignatureAlgorithm(alg))
		}
	}
	jws, err := jose.ParseSignedCompact(assertion, algs)
	if err != nil {
		return fmt.Errorf("it is not a JWT with a registered algorithm: %w", err)
	}
	payload, err := x.verifyWithClient(c, jws, secret)
	if err != nil {
		return err
	}
	var claims struct {
		Iss, Sub, Jti string
		Aud           any
		Exp, Iat, Nbf *float64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return fmt.Errorf("its claims have the wrong types: %w", err)
	}
	at := func(seconds float64) time.Time { return time.Unix(int64(seconds), 0) }
	switch {
	case claims.Iss != c.ID || claims.Sub != c.ID:
		return fmt.Errorf("iss and sub must be the client identifier")
	case !x.isAudience(claims.Aud):
		return fmt.Errorf("aud must be the issuer %s or the URL of the endpoint", x.op.Issuer)
	case claims.Exp == nil:
		return fmt.Errorf("exp is missing")
	case !x.now.Before(at(*claims.Exp)):
		return fmt.Errorf("it has expired")
	case at(*claims.Exp).Sub(x.now) > maxAssertionAge:
		return fmt.Errorf("exp is more than %v ahead", maxAssertionAge)
	case claims.Iat != nil && at(*claims.Iat).Sub(x.now) > clockSkew:
		return fmt.Errorf("iat is in the future")
	case claims.Nbf != nil && at(*claims.Nbf).Sub(x.now) > clockSkew:
		return fmt.Errorf("nbf is in the future")
	case claims.Jti == "":
		return fmt.Errorf("jti is missing (Core 9)")
	}
	x.op.mu.Lock()
	defer x.op.mu.Unlock()
	key := c.ID + "\x00" + claims.Jti
	if _, used := x.op.jtis.get(key, x.now); used {
		return fmt.Errorf("its jti was used before (Core 9)")
	}
	x.op.jtis.put(key, true, at(*claims.Exp))
	return nil
}

// isAudience reports whether aud, a string or an array, names the OP.
func (x *exchange) isAudience(aud any) bool {
	ours := []any{x.op.Issuer, x.op.URL(EndpointToken), x.op.URL(x.endpoint), x.op.MTLSURL(x.endpoint)}
	if list, ok := aud.([]any); ok {
		return slices.ContainsFunc(list, func(v any) bool { return slices.Contains(ours, v) })
	}
	return slices.Contains(ours, aud)
}

// verifyWithClient verifies a JWS with the secret or the keys of the client.
func (x *exchange) verifyWithClient(c *registered, jws *jose.JSONWebSignature, secret bool) ([]byte, error) {
	if secret {
		payload, err := jws.Verify([]byte(c.Secret))
		if err != nil {
			return nil, fmt.Errorf("the signature is not made with the client secret")
		}
		return payload, nil
	}
	set, err := x.clientKeys(c)
	if err != nil {
		return nil, err
	}
	kid := jws.Signatures[0].Header.KeyID
	for _, k := range set.Keys {
		if kid != "" && k.KeyID != kid {
			continue
		}
		if payload, err := jws.Verify(k); err == nil {
			return payload, nil
		}
	}
	return nil, fmt.Errorf("no registered key with kid %q verifies it", kid)
}

// fetch reads a document that a client refers to (Config.Client).
func (op *OP) fetch(ctx context.Context, u string) ([]byte, error) {
	f, err := op.get(ctx, u, maxBody)
	if err != nil {
		return nil, err
	}
	if f.status != http.StatusOK {
		return nil, fmt.Errorf("the answer is %d, not 200", f.status)
	}
	return f.body, nil
}
