package oidc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The response modes of OAuth 2.0 Multiple Response Types section 2.1 and Form
// Post Response Mode section 2.
const (
	ModeQuery    = "query"
	ModeFragment = "fragment"
	ModeFormPost = "form_post"
)

// The response modes of JARM (JWT Secured Authorization Response Mode for OAuth
// 2.0, section 2.3): the response is one JWT, signed by the OP.
const (
	ModeQueryJWT    = "query.jwt"
	ModeFragmentJWT = "fragment.jwt"
	ModeFormPostJWT = "form_post.jwt"
	// ModeJWT is the one of the others that is the response type's default.
	ModeJWT = "jwt"
)

// AuthParams are the choices of one authentication request (Core section
// 3.1.2.1). The zero value asks for a login by the code flow, with scope openid,
// at the client's one redirect URI.
type AuthParams struct {
	// RedirectURI is one of the registered ones; empty means the first.
	RedirectURI string
	// Scopes are asked for beside openid, which is always sent.
	Scopes []string
	// ResponseType is one of the client's; empty means the first registered, or
	// code.
	ResponseType string
	// ResponseMode is one of the Mode constants; empty means
	// ClientConfig.ResponseMode, and if that is empty too the default of the
	// response type, which is not sent. The default itself is sent where it is
	// named: some OPs have another one.
	ResponseMode string
	// Post sends the request as a form (AuthRequest.Form) rather than as a URL.
	// A request whose URL would exceed MaxAuthURL needs it.
	Post bool

	// Prompt is any of login, consent and select_account, or none alone.
	Prompt []string
	// MaxAge is how long ago the user may have logged in; nil means any time.
	// Zero demands a login now. The ID Token's auth_time is then checked.
	MaxAge *time.Duration
	// Display is page, popup, touch or wap; empty means the OP's choice.
	Display string
	// UILocales and ClaimsLocales are BCP 47 tags in order of preference.
	UILocales     []string
	ClaimsLocales []string
	// LoginHint tells the OP who is about to log in.
	LoginHint string
	// IDTokenHint is an ID Token of the user who is expected: IDToken.Hint.
	IDTokenHint string
	// ACRValues are wishes in order of preference. To demand one, ask for acr
	// as an essential claim in Claims.
	ACRValues []string
	// Claims asks for single claims (Core section 5.5).
	Claims *ClaimsRequest
	// Resources are the resource indicators of RFC 8707: where the access token is
	// to be used. They are sent with the code, too.
	Resources []string
	// AuthorizationDetails ask for more than scopes can say (RFC 9396). What was
	// granted of them is in Tokens.AuthorizationDetails.
	AuthorizationDetails []AuthorizationDetail

	// Publish serves a request object for the OP to fetch (Core section 6.2): it
	// returns the https URL at which object can be had, once, until expires. It
	// is called if ClientConfig.RequestObject asks for that; package login sets it.
	Publish func(ctx context.Context, object []byte, expires time.Time) (uri string, err error)

	// Extra are further parameters. One that this package sets itself is
	// refused with ProtectedParameter.
	Extra url.Values
}

// Format prints what is asked for, and not of whom.
func (p AuthParams) Format(f fmt.State, _ rune) {
	redact(f, "oidc.AuthParams", "ResponseType", p.ResponseType, "Scopes", strings.Join(p.Scopes, " "), "LoginHint", present(p.LoginHint), "IDTokenHint", present(p.IDTokenHint))
}

// LogValue is what slog logs: what is asked for, and not of whom.
func (p AuthParams) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(p)) }

// ClaimsRequest asks for single claims, in the UserInfo response or in the ID
// Token. A nil *ClaimRequest asks for the claim without further wish.
type ClaimsRequest struct {
	UserInfo map[string]*ClaimRequest `json:"userinfo,omitempty"`
	IDToken  map[string]*ClaimRequest `json:"id_token,omitempty"`
	// Extra are further members of the parameter (Core section 5.5 admits any),
	// such as sharing_duration and cdr_arrangement_id of the Consumer Data Right.
	Extra map[string]any `json:"-"`
}

// MarshalJSON writes the members, and behind them Extra, as one object.
func (c ClaimsRequest) MarshalJSON() ([]byte, error) {
	type plain ClaimsRequest
	own, err := json.Marshal(plain(c))
	if err != nil || len(c.Extra) == 0 {
		return own, err
	}
	if err := c.checkExtra(); err != nil {
		return nil, err
	}
	extra, err := json.Marshal(c.Extra)
	if err != nil || string(own) == "{}" {
		return extra, err
	}
	return slices.Concat(own[:len(own)-1], []byte(","), extra[1:]), nil
}

// checkExtra refuses further members that have a field.
func (c *ClaimsRequest) checkExtra() error {
	for _, name := range []string{"userinfo", "id_token"} {
		if _, there := c.Extra[name]; there {
			return refuse("Claims", name+" has a field of its own")
		}
	}
	return nil
}

// ClaimRequest qualifies one claim (Core section 5.5.1). An ID Token whose claim
// is not the Value, nor one of the Values, of an Essential one is refused with
// BadClaim.
type ClaimRequest struct {
	Essential bool  `json:"essential,omitempty"`
	Value     any   `json:"value,omitempty"`
	Values    []any `json:"values,omitempty"`
}

// AuthRequest is an authentication request, ready for the browser to carry, and
// the Pending to keep until the answer comes.
type AuthRequest struct {
	// Pending belongs to the browser that is about to be sent to the OP, and to
	// no other: keep it where only that browser's requests reach it.
	Pending Pending
	// Expires is when a request that was pushed dies at the OP: the browser must
	// be there before. Zero means that the request was not pushed.
	Expires time.Time

	endpoint string
	params   url.Values
	post     bool
}

// URL is where to redirect the browser to: the request by GET.
func (r *AuthRequest) URL() string { return withQuery(r.endpoint, r.params) }

// Form is the request by POST: a form for the browser to submit to action, with
// fields in hidden inputs.
func (r *AuthRequest) Form() (action string, fields url.Values) {
	return r.endpoint, maps.Clone(r.params)
}

// Post reports whether AuthParams.Post asked for the form.
func (r *AuthRequest) Post() bool { return r.post }

// Format prints where the request goes, and no parameter.
func (r AuthRequest) Format(f fmt.State, _ rune) {
	redact(f, "oidc.AuthRequest", "Endpoint", r.endpoint, "Pending", fmt.Sprint(r.Pending))
}

// LogValue is what slog logs: no parameter.
func (r AuthRequest) LogValue() slog.Value { return r.Pending.LogValue() }

// Begin makes an authentication request. state, nonce and PKCE verifier are made
// anew for each; the code challenge is sent wherever a code is asked for, with
// S256 (RFC 7636), also to an OP that does not announce it.
//
// A request object (ClientConfig.RequestObject) is made here, and a request that
// is to be pushed (ClientConfig.PAR) is pushed, anew each time: the AuthRequest
// then holds client_id and request_uri alone.
//
// A Provider whose metadata is due is asked for it in passing.
func (c *Client) Begin(ctx context.Context, p AuthParams) (_ *AuthRequest, err error) {
	ctx, call := c.call(ctx, "Begin")
	defer call.end(&err)
	c.p.freshen(ctx)
	md := c.p.md()
	rt, mode, err := c.chooseResponse(md, p)
	if err != nil {
		return nil, err
	}
	switch {
	case len(c.c.Metadata.RedirectURIs) == 0:
		return nil, refuse("RedirectURI", "the client is registered for grants without a browser alone")
	case p.RedirectURI == "":
		p.RedirectURI = c.c.Metadata.RedirectURIs[0]
	case !c.registeredRedirect(p.RedirectURI):
		return nil, refuse("RedirectURI", "it is none of the registered ones")
	}
	pending := Pending{
		Issuer:       md.Issuer,
		ClientID:     c.c.ID,
		RedirectURI:  p.RedirectURI,
		State:        randomText(),
		Nonce:        randomText(),
		ResponseType: rt.String(),
		ResponseMode: mode,
		Created:      c.p.env.now(),
	}
	v, err := p.values()
	if err != nil {
		return nil, err
	}
	if o := c.c.OAuthOnly; o != nil {
		if err := o.checkParams(&p); err != nil {
			return nil, err
		}
		pending.Nonce = ""
		if v.Set("scope", strings.Join(p.Scopes, " ")); len(p.Scopes) == 0 {
			v.Del("scope")
		}
	}
	pending.Scopes = strings.Fields(v.Get("scope"))
	switch {
	case p.MaxAge != nil:
		age := *p.MaxAge
		pending.MaxAge = &age
	case c.c.Metadata.DefaultMaxAge != nil:
		// Registration section 2: what the OP was told to ask for is checked too.
		age := time.Duration(min(*c.c.Metadata.DefaultMaxAge, int64(maxExpiresIn/time.Second))) * time.Second
		pending.MaxAge = &age
	}
	pending.ACR = p.Claims.demandedACR()
	pending.Resources = slices.Clone(p.Resources)
	details, asked, err := c.detailsParameter(md, p.AuthorizationDetails)
	if err != nil {
		return nil, err
	}
	if pending.DetailTypes = asked; details != "" {
		v.Set("authorization_details", details)
	}
	if pending.Claims, err = p.Claims.demandedClaims(); err != nil {
		return nil, err
	}
	v.Set("client_id", c.c.ID)
	v.Set("response_type", rt.String())
	v.Set("redirect_uri", p.RedirectURI)
	v.Set("state", pending.State)
	if pending.Nonce != "" {
		v.Set("nonce", pending.Nonce)
	}
	if m := cmp.Or(p.ResponseMode, c.c.ResponseMode); m != "" {
		v.Set("response_mode", m)
	}
	if rt.code {
		// RFC 7636 section 4.2.
		pending.Verifier = randomText()
		sum := sha256.Sum256([]byte(pending.Verifier))
		v.Set("code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]))
		v.Set("code_challenge_method", "S256")
	}
	if rt.code && c.c.DPoP != nil {
		if pending.DPoP, err = c.newDPoPKey(); err != nil {
			return nil, err
		}
		v.Set("dpop_jkt", pending.DPoP.jkt) // RFC 9449 section 10: the code is for this key
	}
	if err := clash(md.AuthorizationEndpoint, v); err != nil {
		return nil, err
	}
	r := &AuthRequest{Pending: pending, endpoint: md.AuthorizationEndpoint, params: v, post: p.Post}
	if err := c.carry(ctx, md, r, p.Publish); err != nil {
		return nil, err
	}
	m := FrontMessage{Step: StepAuthorization, Mode: "GET", Endpoint: r.endpoint, Params: r.params}
	if p.Post {
		m.Mode = "POST"
	}
	c.p.env.trace.front(ctx, m)
	return r, nil
}

func refuse(field, detail string) error {
	return &InputError{Reason: BadParameter, Field: "AuthParams." + field, Detail: detail}
}

// chooseResponse picks response type and mode, and refuses what the OP does not
// announce or what would be unsafe.
func (c *Client) chooseResponse(md *ProviderMetadata, p AuthParams) (rt responseType, mode string, err error) {
	s := p.ResponseType
	if s == "" {
		s = c.c.Metadata.responseTypes()[0]
	}
	if rt, err = parseResponseType(s); err != nil {
		return rt, "", err
	}
	registered := c.c.Metadata.ResponseTypes
	if len(registered) > 0 && !slices.ContainsFunc(registered, func(r string) bool { return sameWords(r, s) }) {
		return rt, "", refuse("ResponseType", quote(s)+" is none of the registered ones")
	}
	if err := c.possible(md, rt); err != nil {
		return rt, "", err
	}
	if mode, err = c.chooseMode(md, rt, cmp.Or(p.ResponseMode, c.c.ResponseMode)); err == nil {
		err = c.c.Profile.checkRequest(rt, mode)
	}
	return rt, mode, err
}

// chooseMode returns the mode by which the response must come if asked is sent.
func (c *Client) chooseMode(md *ProviderMetadata, rt responseType, asked string) (string, error) {
	mode := asked
	switch asked {
	case "":
		return rt.defaultMode(), nil
	case ModeQuery:
		if rt.idToken || rt.token {
			// Multiple Response Types section 5: tokens never travel in a query.
			return "", refuse("ResponseMode", "a response with a token must not come in a query")
		}
	case ModeJWT:
		mode = rt.defaultMode() + securedSuffix
	case ModeQueryJWT:
		if (rt.idToken || rt.token) && c.c.Metadata.AuthorizationEncryptedResponseAlg == "" {
			return "", refuse("ResponseMode", "a response with a token must not come in a query, unless it is encrypted (JARM 2.3.1)")
		}
	case ModeFragment, ModeFormPost, ModeFragmentJWT, ModeFormPostJWT:
	default:
		return "", &UnsupportedError{Feature: "response mode " + quote(asked), Detail: "expected one of the Mode constants"}
	}
	if asked != rt.defaultMode() && !slices.Contains(md.ResponseModesSupported, asked) {
		return "", &UnsupportedError{Feature: "response mode " + asked, Detail: "the OP announces " + printable(strings.Join(md.ResponseModesSupported, ", "))}
	}
	if isSecured(mode) && c.responseAlgsErr != nil {
		return "", c.responseAlgsErr
	}
	return mode, nil
}

// registeredRedirect compares exactly (Core section 3.1.2.1). For a native
// client's loopback address the port may be any (RFC 8252 section 7.3).
func (c *Client) registeredRedirect(uri string) bool {
	if slices.Contains(c.c.Metadata.RedirectURIs, uri) {
		return true
	}
	if c.c.Metadata.ApplicationType != "native" {
		return false
	}
	u, err := url.Parse(uri)
	if err != nil || u.Scheme != "http" || !isLoopbackName(u.Hostname()) || checkRedirectURI(uri) != "" {
		return false
	}
	for _, r := range c.c.Metadata.RedirectURIs {
		if reg, err := url.Parse(r); err == nil && reg.Scheme == "http" && reg.Hostname() == u.Hostname() &&
			reg.EscapedPath() == u.EscapedPath() && reg.RawQuery == u.RawQuery {
			return true
		}
	}
	return false
}

// values are the parameters that the application chose.
func (p *AuthParams) values() (url.Values, error) {
	v := make(url.Values)
	for k, vs := range p.Extra {
		if protectedParams[k] {
			return nil, &InputError{Reason: ProtectedParameter, Field: "AuthParams.Extra", Detail: k + " is set by this package or has a field of its own"}
		}
		if len(vs) != 1 {
			// RFC 6749 section 3.1: a parameter must not occur twice.
			return nil, refuse("Extra", printable(k)+" must have exactly one value")
		}
		v[k] = slices.Clone(vs)
	}
	scopes := []string{"openid"} // Core section 3.1.2.1: required
	for _, s := range p.Scopes {
		if !scopeToken(s) {
			return nil, refuse("Scopes", quote(s)+" is no scope (RFC 6749 section 3.3)")
		}
		if !slices.Contains(scopes, s) {
			scopes = append(scopes, s)
		}
	}
	v.Set("scope", strings.Join(scopes, " "))
	for _, s := range p.Prompt {
		switch s {
		case "none":
			if len(p.Prompt) > 1 {
				return nil, refuse("Prompt", "none stands alone (Core 3.1.2.1)")
			}
		case "login", "consent", "select_account", "create":
		default:
			return nil, refuse("Prompt", quote(s)+" is not none, login, consent, select_account or create")
		}
	}
	switch p.Display {
	case "", "page", "popup", "touch", "wap":
	default:
		return nil, refuse("Display", quote(p.Display)+" is not page, popup, touch or wap (Core 3.1.2.1)")
	}
	if p.MaxAge != nil {
		if *p.MaxAge < 0 {
			return nil, refuse("MaxAge", "it is negative")
		}
		v.Set("max_age", strconv.FormatInt(int64(*p.MaxAge/time.Second), 10))
	}
	for _, r := range p.Resources {
		if !isResource(r) {
			return nil, refuse("Resources", quote(r)+" is no absolute URI without fragment (RFC 8707 section 2)")
		}
		v.Add("resource", r)
	}
	if p.Claims != nil {
		b, err := json.Marshal(p.Claims)
		if err != nil {
			return nil, refuse("Claims", "it cannot be encoded")
		}
		v.Set("claims", string(b))
	}
	for k, s := range map[string]string{
		"prompt":         strings.Join(p.Prompt, " "),
		"display":        p.Display,
		"ui_locales":     strings.Join(p.UILocales, " "),
		"claims_locales": strings.Join(p.ClaimsLocales, " "),
		"login_hint":     p.LoginHint,
		"id_token_hint":  p.IDTokenHint,
		"acr_values":     strings.Join(p.ACRValues, " "),
	} {
		if s != "" {
			v.Set(k, s)
		}
	}
	return v, nil
}

// protectedParams are not to be set by AuthParams.Extra: each has a field, is
// made here, or changes how the request is read (hostile catalogue case 86).
var protectedParams = map[string]bool{
	"client_id": true, "response_type": true, "redirect_uri": true, "scope": true, "state": true, "nonce": true,
	"response_mode": true, "code_challenge": true, "code_challenge_method": true, "code_verifier": true,
	"prompt": true, "max_age": true, "display": true, "ui_locales": true, "claims_locales": true, "login_hint": true,
	"id_token_hint": true, "acr_values": true, "claims": true, "resource": true, "authorization_details": true, "request": true, "request_uri": true,
	"client_secret": true, "client_assertion": true, "client_assertion_type": true, "dpop_jkt": true,
}

// scopeToken is RFC 6749 section 3.3.
func scopeToken(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < 0x21 || c > 0x7e || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

// demandedACR are the values of an essential acr claim (Core section 5.5.1.1).
func (c *ClaimsRequest) demandedACR() []string {
	if c == nil || c.IDToken["acr"] == nil || !c.IDToken["acr"].Essential {
		return nil
	}
	var out []string
	r := c.IDToken["acr"]
	for _, v := range append([]any{r.Value}, r.Values...) {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// clash refuses an authorization endpoint whose own query has one of our
// parameters: the OP could read either (hostile catalogue case 87).
func clash(endpoint string, v url.Values) error {
	_, query, _ := strings.Cut(endpoint, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return &ProtocolError{Reason: BadMetadata, Step: StepAuthorization, Spec: "RFC 6749 3.1", Detail: "the authorization_endpoint's query cannot be read"}
	}
	for k := range q {
		if _, ours := v[k]; ours || protectedParams[k] {
			return &ProtocolError{Reason: BadMetadata, Step: StepAuthorization, Spec: "RFC 6749 3.1",
				Detail: "the authorization_endpoint's query already has " + quote(k)}
		}
	}
	return nil
}

// withQuery adds parameters to an endpoint, whose own query stays (RFC 6749
// section 3.1).
func withQuery(endpoint string, v url.Values) string {
	if strings.Contains(endpoint, "?") {
		return endpoint + "&" + encode(v)
	}
	return endpoint + "?" + encode(v)
}

// encode writes parameters in a fixed order that a person can follow, with
// spaces as %20: some OPs do not read a plus as a space.
func encode(v url.Values) string {
	return strings.ReplaceAll(v.Encode(), "+", "%20")
}
