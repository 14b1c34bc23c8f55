package oidc

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// PARMode says which authentication requests are pushed: sent to the OP by the
// client itself, authenticated, before the browser goes there (RFC 9126). What
// was asked for is then seen and changed by nobody, and may be of any length.
type PARMode uint8

const (
	// PARAuto pushes where the OP demands it (require_pushed_authorization_requests),
	// the client is registered so or ClientConfig.Profile says so, and a request that is too long for a URL if
	// the OP takes pushed ones.
	PARAuto PARMode = iota
	// PARAlways pushes every request. NewClient refuses an OP without a
	// pushed_authorization_request_endpoint.
	PARAlways
	// PARNever pushes none. NewClient refuses an OP that demands it.
	PARNever
)

// pushes reports whether every request is to be pushed, and refuses what cannot
// be: also in Begin, since the OP may have changed its mind.
func (c *Client) pushes(md *ProviderMetadata) (bool, error) {
	demanded := md.RequirePushedAuthorizationRequests || c.c.Metadata.RequirePushedAuthorizationRequests || c.c.Profile.pushes()
	switch {
	case c.c.PAR == PARNever && demanded:
		return false, &UnsupportedError{Feature: "pushed authorization requests", Detail: "they are required (RFC 9126 section 5), and ClientConfig.PAR is PARNever"}
	case c.c.PAR == PARAlways || demanded:
		if md.PushedAuthorizationRequestEndpoint == "" {
			return false, &UnsupportedError{Feature: "pushed authorization requests", Detail: "the OP's metadata has no pushed_authorization_request_endpoint"}
		}
		return true, nil
	case c.c.PAR > PARNever:
		return false, &InputError{Reason: BadConfig, Field: "ClientConfig.PAR", Detail: "it is " + strconv.Itoa(int(c.c.PAR)) + ", which is no PARMode"}
	}
	return false, nil
}

// mayPush reports whether a request can be pushed that need not be.
func (c *Client) mayPush(md *ProviderMetadata) bool {
	return c.c.PAR != PARNever && md.PushedAuthorizationRequestEndpoint != ""
}

// push sends the parameters that body makes to the OP and leaves in r what the browser
// carries: client_id and the request_uri that the OP gave, which is good for this
// one request (RFC 9126 sections 2 and 4). Nothing of an earlier answer is used
// again (hostile catalogue case 325). With DPoP a proof goes along (RFC 9449 section
// 10.1); if the OP asks for a nonce in it, body is called once more, so that a request
// object whose jti the OP has noted already is not sent twice.
func (c *Client) push(ctx context.Context, md *ProviderMetadata, r *AuthRequest, body func() (url.Values, error)) error {
	endpoint := c.at(md.PushedAuthorizationRequestEndpoint)
	res, err := c.prove(ctx, StepPAR, r.Pending.DPoP, http.MethodPost, endpoint, "", func(proof string) (*fetch.Response, error) {
		form, err := body()
		if err != nil {
			return nil, err
		}
		return c.postOnce(ctx, proof, StepPAR, endpoint, form, []string{"application/json"})
	})
	if err != nil {
		return err
	}
	// RFC 9126 section 2.2 says 201; some OPs answer 200.
	if res.Status != http.StatusCreated && res.Status != http.StatusOK {
		return c.clientRefused(StepPAR, res)
	}
	k := c.p.env.checker(ctx, StepPAR)
	uri, life, err := readPARResponse(k, string(res.Body))
	if err != nil {
		return err
	}
	r.Expires = r.Pending.Created.Add(life)
	r.params = url.Values{"client_id": {c.c.ID}, "request_uri": {uri}}
	return nil
}

// readPARResponse reads a success (RFC 9126 section 2.2).
func readPARResponse(k *checker, body string) (uri string, life time.Duration, err error) {
	const spec = "RFC 9126 2.2"
	var failed errorBody
	expires := ""
	err = strictjson.Scan(body, func(name, value string) error {
		switch name {
		case "request_uri":
			return readMember(&uri, name, value)
		case "expires_in":
			expires = value
			return nil
		}
		return failed.member(name, value)
	})
	if err != nil {
		return "", 0, k.failed(malformed(k.step, spec, err), "the pushed authorization response is JSON")
	}
	if failed.Error != "" {
		return "", 0, &OPError{Endpoint: k.step, Code: failed.Error, Description: failed.Description, URI: failed.URI, StatusCode: http.StatusOK}
	}
	// It becomes a parameter of a URL that must not exceed MaxAuthURL, escapes
	// included.
	_, syntax := url.Parse(uri)
	if err := k.that(uri != "" && syntax == nil && len(uri) <= MaxRequestURI && visible(uri), BadPARResponse, spec,
		"request_uri is a URI of a sane size", "", ""); err != nil {
		return "", 0, err
	}
	secs, err := strictjson.ParseSeconds(expires)
	if err == nil {
		life = min(secs.Duration(), maxExpiresIn)
	}
	return uri, life, k.that(life > 0, BadPARResponse, spec, "expires_in is a number of seconds above zero", "a positive number", expires)
}

// visible reports whether s is visible ASCII.
func visible(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] <= 0x20 || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
