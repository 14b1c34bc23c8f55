package oidc

import (
	"context"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// securedSuffix is what the modes of JARM have that are not plain.
const securedSuffix = ".jwt"

// isSecured reports whether a response by this mode is a JWT.
func isSecured(mode string) bool { return strings.HasSuffix(mode, securedSuffix) }

// pinResponseAlgorithm fixes what authorization responses may be signed with
// (JARM section 3): what is registered, or RS256, or if the OP does not announce
// that, the asymmetric algorithms that it does.
func (c *Client) pinResponseAlgorithm(md *ProviderMetadata) error {
	announced := md.AuthorizationSigningAlgValuesSupported
	alg := c.c.Metadata.AuthorizationSignedResponseAlg
	lacks := func(detail string) error {
		return &UnsupportedError{Feature: "signed authorization responses", Detail: detail}
	}
	switch {
	case alg != "" && !jose.Supported(alg):
		return lacks("supported are " + strings.Join(jose.Algorithms(), ", ") + ", registered is " + quote(alg))
	case alg != "" && len(announced) > 0 && !slices.Contains(announced, alg):
		return lacks("the OP announces " + printable(strings.Join(announced, ", ")) + ", registered is " + alg)
	case alg != "":
		c.responseAlgs = []string{alg}
	case c.c.Profile.fapi():
		if c.responseAlgs = c.c.Profile.announcedOr(announced); len(c.responseAlgs) == 0 {
			c.responseAlgsErr = lacks("the OP announces " + printable(strings.Join(announced, ", ")) + ", of which the profile admits none")
		}
	case len(announced) == 0 || slices.Contains(announced, "RS256"):
		c.responseAlgs = []string{"RS256"}
	default:
		for _, alg := range announced {
			if asymmetric(alg) {
				c.responseAlgs = append(c.responseAlgs, alg)
			}
		}
		if len(c.responseAlgs) == 0 {
			// It is no fault unless somebody asks for such a response.
			c.responseAlgsErr = lacks("the OP announces " + printable(strings.Join(announced, ", ")))
		}
	}
	return nil
}

// PendingKey is the method of AuthResponse with the client's own keys, which open
// an encrypted response.
func (c *Client) PendingKey(a AuthResponse) (string, error) {
	return a.pendingKey(c.c.Encryption, c.decrypt)
}

// Encrypted reports whether the response is an encrypted JWT, of which PendingKey
// needs a key.
func (a AuthResponse) Encrypted() bool {
	return strings.Count(a.params.Get("response"), ".") == 4
}

// openState is claimedState of a response that may be encrypted. e is nil for
// who cannot open one.
func openState(token string, e Encryption, keys []jose.DecryptionKey) (string, *ProtocolError) {
	if strings.Count(token, ".") != 4 {
		return claimedState(token)
	}
	if e == nil || len(keys) == 0 {
		return "", &ProtocolError{Reason: BadEncryption, Step: StepAuthorization, Spec: "JARM 2.4",
			Detail: "the response is encrypted; Client.PendingKey, or that of JWE with the client's keys, opens it"}
	}
	inner, err := e.decrypt(token, keys, jose.KeyManagement(), jose.ContentEncryption())
	if err != nil {
		pe := signatureRefused(err)
		pe.Step = StepAuthorization
		return "", pe
	}
	return claimedState(inner)
}

// claimedState reads the state of a response that is a JWT. Nothing is verified:
// it is a key to look something up by, as it is where it stands in a query.
func claimedState(token string) (string, *ProtocolError) {
	refuse := func(pe *ProtocolError) (string, *ProtocolError) {
		pe.Step = StepAuthorization
		return "", pe
	}
	malformed := &ProtocolError{Reason: MalformedToken, Spec: "JARM 2.1", Detail: "the response is no compact JWT"}
	parts := strings.Split(token, ".")
	switch len(parts) {
	case 3:
	case 5:
		return refuse(&ProtocolError{Reason: BadEncryption, Spec: "JARM 2.4", Detail: "the response is encrypted, which was not agreed"})
	default:
		return refuse(malformed)
	}
	payload, err := base64.RawURLEncoding.Strict().DecodeString(parts[1])
	if err != nil {
		return refuse(malformed)
	}
	state := ""
	err = strictjson.Scan(string(payload), func(name, value string) error {
		if name == "state" {
			return readMember(&state, name, value)
		}
		return nil
	})
	if err != nil {
		return refuse(badPayload(err))
	}
	return state, nil
}

// openResponse makes the checks of JARM section 2.4 and returns the parameters
// that were signed. Whose keys verify them the Pending has said, not the JWT.
func (c *Client) openResponse(ctx context.Context, k *checker, p Pending, a AuthResponse) (AuthResponse, error) {
	m := &c.c.Metadata
	raw, err := c.decryptIfAgreed(k, a.params.Get("response"), m.AuthorizationEncryptedResponseAlg, m.AuthorizationEncryptedResponseEnc)
	if err != nil {
		return a, err
	}
	if len(c.responseAlgs) == 0 {
		return a, c.responseAlgsErr
	}
	// JARM section 2.4 (2), before keys are fetched for whoever sends what. It is
	// compared once more when it is verified.
	state, unread := claimedState(raw)
	if unread != nil {
		return a, k.failed(unread, "the JWT has a state that can be read")
	}
	if err := k.that(sameState(p, state), BadState, "JARM 2.4 (2)", "the JWT's state is the one sent", "", ""); err != nil {
		return a, err
	}
	v, err := c.verifySignature(ctx, k, raw, c.responseAlgs)
	if err != nil {
		return a, err
	}
	if err := checkType(k, v.Header.Type, "oauth-authz-resp+jwt"); err != nil {
		return a, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return a, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	if err := c.checkResponseClaims(k, &w); err != nil {
		return a, err
	}
	params, err := signedParams(v.Payload)
	if err != nil {
		return a, k.failed(badPayload(err), "the parameters are JSON of the right types")
	}
	a.params, a.opened = params, true
	return a, nil
}

// checkResponseClaims is JARM section 2.4 (3 to 5).
func (c *Client) checkResponseClaims(k *checker, w *idClaims) error {
	want := c.p.md().Issuer
	if err := k.that(w.issuer.value == want, BadIssuer, "JARM 2.4 (3)", "iss is the issuer", want, w.issuer.value); err != nil {
		return err
	}
	us := c.c.ID
	ours := slices.Contains(w.audience.values, us) && !slices.ContainsFunc(w.audience.values, func(s string) bool {
		return s != us && !slices.Contains(c.c.TrustedAudiences, s)
	})
	if err := k.that(ours, BadAudience, "JARM 2.4 (4)", "aud is the client", us, strings.Join(w.audience.values, " ")); err != nil {
		return err
	}
	if err := k.that(w.expiry.there, MissingClaim, "JARM 2.1", "exp is there", "exp", ""); err != nil {
		return err
	}
	return c.p.env.checkLifetime(k, w)
}

// signedParams are the members of the JWT that are parameters of a response. iss
// is the JWT's own, and what means nothing here is left out as in a query.
func signedParams(payload string) (url.Values, error) {
	params := make(url.Values)
	err := strictjson.Scan(payload, func(name, value string) error {
		if value == "null" || name == "iss" || name == "response" || !slices.Contains(responseParams, name) {
			return nil
		}
		if name == "expires_in" && value[0] != '"' {
			params.Set(name, value)
			return nil
		}
		text, ok := strictjson.Text(value)
		if !ok {
			return wrongType(name, "string")
		}
		params.Set(name, text)
		return nil
	})
	return params, err
}
