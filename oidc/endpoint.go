package oidc

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rely.example/internal/fetch"
)

// post sends an authenticated form to an endpoint of the OP. It is sent once: a
// code or refresh token that may have arrived is never sent again (hostile
// catalogue cases 128 and 129).
func (c *Client) post(ctx context.Context, step, endpoint string, form url.Values, accept ...string) (*fetch.Response, error) {
	return c.postProving(ctx, nil, step, endpoint, form, accept...)
}

// postProving is post with a proof of a DPoP key, unless that is nil (RFC 9449
// section 5). It is sent again in one case: the OP asks for a nonce in the proof,
// and has done nothing else with the request (RFC 9449 section 8).
func (c *Client) postProving(ctx context.Context, key *DPoPKey, step, endpoint string, form url.Values, accept ...string) (*fetch.Response, error) {
	endpoint = c.at(endpoint)
	return c.prove(ctx, step, key, http.MethodPost, endpoint, "", func(proof string) (*fetch.Response, error) {
		own := form
		if key != nil {
			own = maps.Clone(form) // each attempt has an assertion of its own
		}
		return c.postOnce(ctx, proof, step, endpoint, own, accept)
	})
}

func (c *Client) postOnce(ctx context.Context, proof, step, endpoint string, form url.Values, accept []string) (*fetch.Response, error) {
	now := c.p.env.now()
	if c.c.Secret != "" && !c.c.SecretExpires.IsZero() && now.After(c.c.SecretExpires) && strings.HasPrefix(c.auth.Method(), "client_secret_") {
		return nil, &InputError{Reason: SecretExpired, Field: "ClientConfig.Secret",
			Detail: "it was valid until " + c.c.SecretExpires.UTC().Format(time.RFC3339) + "; register again, or read the registration"}
	}
	r := &AuthenticatedRequest{
		ClientID: c.c.ID,
		Issuer:   c.p.Issuer(),
		Endpoint: endpoint,
		Audience: c.p.Issuer(),
		Now:      now,
		Form:     form,
		Header:   make(http.Header),
	}
	if c.c.Quirks.AssertionAudienceEndpoint {
		r.Audience = endpoint
	}
	if err := c.auth.Authenticate(ctx, r); err != nil {
		return nil, err
	}
	r.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
	if proof != "" {
		r.Header.Set("DPoP", proof)
	}
	res, err := c.do(ctx, &fetch.Request{
		Purpose: step, Method: http.MethodPost, URL: endpoint, Header: r.Header,
		Body: encodeForm(r.Form), Accept: accept, Credentialed: true,
	})
	if err != nil {
		c.p.suspect()
		return nil, err
	}
	if res.Status == http.StatusNotFound || res.Status == http.StatusGone {
		c.p.suspect()
	}
	return res, nil
}

// clientRefused adds what to try to an error of client authentication.
func (c *Client) clientRefused(step string, res *fetch.Response) *OPError {
	op := c.p.env.refused(step, res)
	switch {
	case op.Code == "invalid_client":
		op.Hint = "client authentication by " + c.auth.Method() + " failed"
	case op.Code == "unauthorized_client", op.Code == "" && (res.Status == http.StatusUnauthorized || res.Status == http.StatusForbidden):
		// RFC 6749 section 5.2 means something else by this code, or wants one;
		// OPs are seen to answer a wrong secret or assertion so.
		op.Hint = "client authentication by " + c.auth.Method() + " may have failed"
	default:
		return op
	}
	op.Hint += ": check the client_id, the secret or key, and the method that is registered"
	if a, ok := c.auth.(secretBasic); ok && !a.raw && (url.QueryEscape(c.c.ID) != c.c.ID || url.QueryEscape(string(a.secret)) != string(a.secret)) {
		op.Hint += "; id or secret has characters that are form-encoded, which this OP may not decode: try Quirks.RawBasicCredentials"
	}
	if m := c.auth.Method(); (m == AuthSecretJWT || m == AuthPrivateKey) && !c.c.Quirks.AssertionAudienceEndpoint {
		op.Hint += "; the assertion is for the issuer, where this OP may expect its endpoint: try Quirks.AssertionAudienceEndpoint"
	}
	return op
}
