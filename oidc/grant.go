package oidc

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/strictjson"
)

// The grant types that this package asks for, as ClientMetadata.GrantTypes has
// them.
const (
	GrantAuthorizationCode = "authorization_code"
	GrantImplicit          = "implicit"
	GrantRefreshToken      = "refresh_token"
	GrantClientCredentials = "client_credentials"
	GrantDeviceCode        = "urn:ietf:params:oauth:grant-type:device_code"    // RFC 8628
	GrantCIBA              = "urn:openid:params:grant-type:ciba"               // CIBA Core
	GrantTokenExchange     = "urn:ietf:params:oauth:grant-type:token-exchange" // RFC 8693
	GrantJWTBearer         = "urn:ietf:params:oauth:grant-type:jwt-bearer"     // RFC 7523
	GrantSAML2Bearer       = "urn:ietf:params:oauth:grant-type:saml2-bearer"   // RFC 7522
)

// usesRedirects reports whether a browser ever comes back with an answer for a
// client: not if GrantTypes names other grants alone.
func (m *ClientMetadata) usesRedirects() bool {
	return len(m.GrantTypes) == 0 || slices.Contains(m.GrantTypes, GrantAuthorizationCode) || slices.Contains(m.GrantTypes, GrantImplicit)
}

// usesIDTokens reports whether any grant of a client can give an ID Token.
func (m *ClientMetadata) usesIDTokens() bool {
	return m.usesRedirects() || slices.Contains(m.GrantTypes, GrantDeviceCode) || slices.Contains(m.GrantTypes, GrantCIBA)
}

// TokenParams are the choices that most grants have in common.
type TokenParams struct {
	// Scopes are asked for; empty leaves them to the OP.
	Scopes []string
	// Resources are the resource indicators of RFC 8707.
	Resources []string
	// Extra are further parameters. One that this package sets itself is
	// refused with ProtectedParameter.
	Extra url.Values
}

// clone is a copy that shares nothing with p.
func (p TokenParams) clone() TokenParams {
	p.Scopes, p.Resources, p.Extra = slices.Clone(p.Scopes), slices.Clone(p.Resources), maps.Clone(p.Extra)
	for name, values := range p.Extra {
		p.Extra[name] = slices.Clone(values)
	}
	return p
}

// tokenRequestParams are set by the grants, beside protectedParams.
var tokenRequestParams = map[string]bool{
	"grant_type": true, "code": true, "refresh_token": true, "device_code": true, "auth_req_id": true, "assertion": true,
	"subject_token": true, "subject_token_type": true, "actor_token": true, "actor_token_type": true, "requested_token_type": true,
	"login_hint_token": true, "binding_message": true, "user_code": true, "requested_expiry": true, "client_notification_token": true,
}

// form is the request with these choices. Scopes are sent as they are given.
func (p *TokenParams) form(field string) (url.Values, error) {
	bad := func(name, detail string) (url.Values, error) {
		return nil, &InputError{Reason: BadParameter, Field: field + "." + name, Detail: detail}
	}
	v := make(url.Values)
	for name, values := range p.Extra {
		if tokenRequestParams[name] || protectedParams[name] {
			return nil, &InputError{Reason: ProtectedParameter, Field: field + ".Extra", Detail: name + " is set by this package or has a field of its own"}
		}
		v[name] = slices.Clone(values)
	}
	for _, s := range p.Scopes {
		if !scopeToken(s) {
			return bad("Scopes", quote(s)+" is no scope (RFC 6749 section 3.3)")
		}
	}
	if len(p.Scopes) > 0 {
		v.Set("scope", strings.Join(p.Scopes, " "))
	}
	for _, r := range p.Resources {
		if !isResource(r) {
			return bad("Resources", quote(r)+" is no absolute URI without fragment (RFC 8707 section 2)")
		}
		v.Add("resource", r)
	}
	return v, nil
}

// isResource reports whether s is a resource indicator: an absolute URI without a
// fragment, not even an empty one, of which url.Parse leaves no trace (RFC 8707
// section 2).
func isResource(s string) bool {
	u, err := url.Parse(s)
	return err == nil && u.IsAbs() && !strings.Contains(s, "#")
}

// redeem sends a grant to the token endpoint, with a proof of key if there is one,
// and reads the answer, whose ID Token is not verified yet.
func (c *Client) redeem(ctx context.Context, k *checker, key *DPoPKey, form url.Values, asked []string) (*tokenWire, *Tokens, error) {
	body, err := c.askToken(ctx, key, form)
	if err != nil {
		return nil, nil, err
	}
	w, err := c.readTokenResponse(k, body, key)
	if err != nil {
		return nil, nil, err
	}
	return w, c.tokens(w, body, asked, key), nil
}

// askToken sends a grant to the token endpoint; the answer is a success.
func (c *Client) askToken(ctx context.Context, key *DPoPKey, form url.Values) ([]byte, error) {
	endpoint := c.p.md().TokenEndpoint
	if endpoint == "" {
		return nil, &UnsupportedError{Feature: "grant " + form.Get("grant_type"), Detail: "the OP has no token_endpoint"}
	}
	res, err := c.postProving(ctx, key, StepToken, endpoint, form, "application/json")
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.clientRefused(StepToken, res)
	}
	return res.Body, nil
}

// direct is a grant that gives an access token about nobody who logged in: an ID
// Token is not asked for, and one that comes is not believed.
func (c *Client) direct(ctx context.Context, form url.Values, asked []string) (*Tokens, error) {
	key, err := c.newDPoPKey()
	if err != nil {
		return nil, err
	}
	_, t, err := c.redeem(ctx, c.p.env.checker(ctx, StepToken), key, form, asked)
	return t, err
}

// Bounds of the grants whose user answers elsewhere.
const (
	// DefaultPollInterval is how long to wait between two polls where the OP does
	// not say (RFC 8628 section 3.2, CIBA Core section 7.3).
	DefaultPollInterval = 5 * time.Second
	// MaxPollLifetime bounds how long a device or backchannel login is waited
	// for, whatever the OP says.
	MaxPollLifetime = 24 * time.Hour
	// pollSlower is what slow_down adds (RFC 8628 section 3.5).
	pollSlower = 5 * time.Second
	// minPollInterval is the least that an OP can ask for.
	minPollInterval = time.Second
	// maxPollBackoff bounds what failures of the network make of an interval.
	maxPollBackoff = time.Minute
)

// pollInterval reads interval. What is absent, or no positive number, means the
// default: a 0 would have us poll without a pause (hostile catalogue case 327).
func pollInterval(number string) time.Duration {
	// One longer than the login lives has it end without a poll; no sum overflows.
	if len(number) > len("999999999") && strings.Trim(number, "0123456789") == "" {
		return 2 * MaxPollLifetime
	}
	secs, err := strictjson.ParseSeconds(number)
	if err != nil || secs.Duration() <= 0 {
		return DefaultPollInterval
	}
	return min(max(secs.Duration(), minPollInterval), 2*MaxPollLifetime)
}

// pollLifetime reads expires_in, which is required and positive.
func pollLifetime(number string) (time.Duration, bool) {
	secs, err := strictjson.ParseSeconds(number)
	if err != nil || secs.Duration() <= 0 {
		return 0, false
	}
	return min(secs.Duration(), MaxPollLifetime), true
}

// StillPending reports whether an error of PollDevice or PollCIBA says that the
// user has not decided yet, or that no answer came this time: the caller polls
// again, after the Interval of the login.
func StillPending(err error) bool {
	if op, ok := errors.AsType[*OPError](err); ok {
		return op.Code == "authorization_pending" || op.Temporary()
	}
	_, ok := errors.AsType[*TransportError](err)
	return ok
}

// slower is the interval after an answer that is StillPending (RFC 8628 section
// 3.5).
func slower(interval time.Duration, err error) time.Duration {
	op, ok := errors.AsType[*OPError](err)
	switch {
	case ok && op.Code == "authorization_pending":
		return interval
	case ok && op.Code == "slow_down":
		return interval + pollSlower
	case ok && op.RetryAfter > interval:
		return op.RetryAfter
	}
	// "unilaterally reduce their polling frequency": by half, and again.
	return max(interval, min(2*interval, maxPollBackoff))
}

// poll redeems once, unless expiry is over, and keeps interval up to date while the
// user has not decided.
func (c *Client) poll(ctx context.Context, k *checker, spec string, interval *time.Duration, expiry time.Time, key *DPoPKey, form url.Values, asked []string) (*tokenWire, *Tokens, error) {
	if now := c.p.env.now(); !now.Before(expiry) {
		return nil, nil, pollExpired(k, spec, expiry, *interval)
	}
	w, t, err := c.redeem(ctx, k, key, form, asked)
	if StillPending(err) {
		*interval = slower(*interval, err)
	}
	return w, t, err
}

// await polls until there are tokens, something final is answered, ctx ends, or
// the next poll would come after expiry. poll keeps interval up to date.
func (c *Client) await(ctx context.Context, k *checker, spec string, interval *time.Duration, expiry time.Time, poll func() (*Tokens, error)) (*Tokens, error) {
	for {
		// The first poll waits as well: nobody decides in no time, and an OP may
		// count from its answer on.
		now := c.p.env.now()
		if !now.Add(*interval).Before(expiry) {
			return nil, pollExpired(k, spec, expiry, *interval)
		}
		if err := sleep(ctx, *interval); err != nil {
			return nil, &TransportError{Step: StepToken, Detail: "waiting for the user was given up: " + err.Error(), Err: err}
		}
		t, err := poll()
		switch {
		case err == nil:
			return t, nil
		case ctx.Err() != nil, !StillPending(err):
			return nil, err
		}
	}
}

// pollExpired says that a login is over before the user decided.
func pollExpired(k *checker, spec string, expiry time.Time, interval time.Duration) error {
	return k.tell(false, LoginExpired, spec, "there is time for another poll",
		"the user did not decide in time: it ends "+timeText(expiry)+", and the OP wants to be asked every "+interval.String()+" at most")
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
