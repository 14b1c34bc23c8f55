package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// How a client learns that a user has decided (CIBA Core section 5), as
// ClientMetadata.BackchannelTokenDeliveryMode has it.
const (
	CIBAPoll = "poll"
	CIBAPing = "ping"
	CIBAPush = "push"
)

// Bounds of a backchannel login.
const (
	// MaxAuthReqID bounds an auth_req_id, in bytes.
	MaxAuthReqID = 4 << 10
	// MaxNotification bounds what the OP posts to the notification endpoint, in
	// bytes.
	MaxNotification = 256 << 10
	// cibaRequestLifetime is how long a signed request is good for; FAPI-CIBA
	// section 5.2.2 allows an hour.
	cibaRequestLifetime = 5 * time.Minute
)

// CIBAParams are the choices of a login that the user confirms on a phone or
// another device that the OP knows (CIBA Core section 7.1). Exactly one of the
// three hints names the user.
type CIBAParams struct {
	// LoginHint is what the OP knows the user by: an e-mail address, a phone number.
	LoginHint string
	// LoginHintToken is a token that names the user, of a form that was agreed
	// with the OP.
	LoginHintToken string
	// IDTokenHint is an ID Token of the user, of an earlier login: IDToken.Hint.
	IDTokenHint string

	// Scopes are asked for beside openid.
	Scopes []string
	// BindingMessage is shown on both devices, so that the user sees that they
	// belong together. Short, and of plain characters.
	BindingMessage string
	// UserCode is the secret by which the user keeps strangers from asking, where
	// the OP wants one.
	UserCode string
	// ACRValues are wishes in order of preference.
	ACRValues []string
	// RequestedExpiry is how long the user should have; zero leaves it to the OP.
	RequestedExpiry time.Duration
	// Claims asks for single claims. What it demands of the ID Token as essential
	// is checked there: that it is there, with one of the values if it names some.
	Claims *ClaimsRequest
	// RequireTrustFramework, if not empty, demands verified_claims under this trust
	// framework, and txn, in the ID Token (OpenID Connect for Identity Assurance
	// section 5), as ecosystems such as ConnectID do.
	RequireTrustFramework string
	// Resources are the resource indicators of RFC 8707.
	Resources []string
	// Extra are further parameters. One that this package sets itself is
	// refused with ProtectedParameter.
	Extra url.Values
}

// Format prints what is asked for, and neither user nor code.
func (p CIBAParams) Format(f fmt.State, _ rune) {
	redact(f, "oidc.CIBAParams", "Scopes", strings.Join(p.Scopes, " "), "BindingMessage", p.BindingMessage)
}

// LogValue is what slog logs: neither user nor code.
func (p CIBAParams) LogValue() slog.Value {
	return slog.GroupValue(slog.String("scopes", strings.Join(p.Scopes, " ")))
}

// MarshalJSON writes what is asked for, and neither user nor code.
func (p CIBAParams) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Scopes         []string `json:"scopes,omitempty"`
		BindingMessage string   `json:"binding_message,omitempty"`
	}{p.Scopes, p.BindingMessage})
}

// CIBALogin is a backchannel login under way: what the tokens are got and compared
// with. It holds secrets, so that printed, logged or marshalled to JSON it shows
// none; Export and ImportCIBALogin carry it through a store. It belongs to one
// goroutine.
type CIBALogin struct {
	Issuer, ClientID string
	// AuthReqID names the login at the OP.
	AuthReqID string
	// Mode is CIBAPoll, CIBAPing or CIBAPush.
	Mode string
	// NotificationToken is what the OP must bear at the notification endpoint: 256
	// random bits; "" if it is polled.
	NotificationToken string
	// Expiry is when the OP stops waiting for the user, within MaxPollLifetime.
	Expiry time.Time
	// Interval is how long to wait before the next PollCIBA, which may change it.
	// FinishCIBA minds it by itself.
	Interval time.Duration
	Scopes   []string
	// ACR are the values of which the ID Token's acr must be one; empty: any.
	ACR []string
	// DPoP is the key that the tokens will be bound to; nil without DPoP. Pushed
	// tokens are bound to none: there is no request to prove it in.
	DPoP *DPoPKey

	demands string // CIBAParams.Claims.IDToken, the essential ones, as JSON
	trust   string // CIBAParams.RequireTrustFramework
}

type cibaExport struct {
	Issuer    string          `json:"iss"`
	ClientID  string          `json:"cid"`
	AuthReqID string          `json:"id"`
	Mode      string          `json:"m"`
	Bearer    string          `json:"b,omitempty"`
	Expiry    time.Time       `json:"exp"`
	Interval  int64           `json:"i"` // in nanoseconds
	Scopes    []string        `json:"sc,omitempty"`
	ACR       []string        `json:"acr,omitempty"`
	Demands   json.RawMessage `json:"d,omitempty"`
	Trust     string          `json:"tf,omitempty"`
	DPoP      string          `json:"key,omitempty"`
}

// Export returns the login with its secrets, for a store that keeps them from
// other eyes.
func (l *CIBALogin) Export() ([]byte, error) {
	key, err := l.DPoP.export()
	if err != nil {
		return nil, &InputError{Reason: BadParameter, Field: "CIBALogin.DPoP", Detail: "the key cannot be exported", Err: err}
	}
	return json.Marshal(cibaExport{l.Issuer, l.ClientID, l.AuthReqID, l.Mode, l.NotificationToken, l.Expiry, int64(l.Interval), l.Scopes, l.ACR,
		json.RawMessage(l.demands), l.trust, key})
}

// ImportCIBALogin reads what Export wrote.
func ImportCIBALogin(data []byte) (*CIBALogin, error) {
	var x cibaExport
	if err := strictjson.Unmarshal(data, &x); err != nil || x.AuthReqID == "" || x.Issuer == "" {
		return nil, &InputError{Reason: BadParameter, Field: "login", Detail: "it was not written by Export", Err: err}
	}
	key, err := importDPoPKey(x.DPoP)
	if err != nil {
		return nil, err
	}
	return &CIBALogin{x.Issuer, x.ClientID, x.AuthReqID, x.Mode, x.Bearer, x.Expiry, time.Duration(x.Interval), x.Scopes, x.ACR, key, string(x.Demands), x.Trust}, nil
}

// Format prints where the login is, and no secret.
func (l CIBALogin) Format(f fmt.State, _ rune) {
	redact(f, "oidc.CIBALogin", "Issuer", l.Issuer, "ClientID", l.ClientID, "Mode", l.Mode, "AuthReqID", present(l.AuthReqID), "Expiry", timeText(l.Expiry))
}

// LogValue is what slog logs: no secret.
func (l CIBALogin) LogValue() slog.Value {
	return slog.GroupValue(slog.String("issuer", l.Issuer), slog.String("client_id", l.ClientID), slog.String("mode", l.Mode), slog.Time("expiry", l.Expiry))
}

// MarshalJSON writes the login without its secrets; Export keeps them.
func (l CIBALogin) MarshalJSON() ([]byte, error) {
	masked := l
	masked.AuthReqID, masked.NotificationToken, masked.DPoP = maskedIfPresent(l.AuthReqID), maskedIfPresent(l.NotificationToken), nil
	return masked.Export()
}

// cibaMode is how the client is registered to hear of its users.
func (m *ClientMetadata) cibaMode() string {
	if m.BackchannelTokenDeliveryMode == "" {
		return CIBAPoll
	}
	return m.BackchannelTokenDeliveryMode
}

// cibaPossible refuses, when the client is made, what the OP cannot serve.
func (c *Client) cibaPossible(md *ProviderMetadata) error {
	m := &c.c.Metadata
	if m.BackchannelTokenDeliveryMode == "" && !slices.Contains(m.GrantTypes, GrantCIBA) {
		return nil
	}
	lacks := func(detail string) error {
		return &UnsupportedError{Feature: "backchannel authentication", Detail: detail}
	}
	if md.BackchannelAuthenticationEndpoint == "" {
		return lacks("the OP has no backchannel_authentication_endpoint")
	}
	if modes := md.BackchannelTokenDeliveryModesSupported; len(modes) > 0 && !slices.Contains(modes, m.cibaMode()) {
		return lacks("the OP announces " + printable(strings.Join(modes, ", ")) + ", the client is registered for " + m.cibaMode())
	}
	if alg := m.BackchannelAuthenticationRequestSigningAlg; alg != "" {
		if announced := md.BackchannelAuthenticationRequestSigningAlgValuesSupported; len(announced) > 0 && !slices.Contains(announced, alg) {
			return lacks("the OP announces requests signed with " + printable(strings.Join(announced, ", ")))
		}
		if _, err := c.cibaKey(); err != nil {
			return err
		}
	}
	return nil
}

// cibaKey is the key that signs requests.
func (c *Client) cibaKey() (jose.SigningKey, error) {
	alg := c.c.Metadata.BackchannelAuthenticationRequestSigningAlg
	k, err := c.keyFor(alg, nil)
	if err != nil {
		return jose.SigningKey{}, err
	}
	if k == nil {
		return jose.SigningKey{}, &InputError{Reason: BadConfig, Field: "ClientConfig.Keys", Detail: "none signs with " + alg + ", as backchannel_authentication_request_signing_alg says"}
	}
	return k.signing()
}

// BeginCIBA asks the OP to ask a user (CIBA Core section 7). The request is signed
// if the client is registered with
// ClientMetadata.BackchannelAuthenticationRequestSigningAlg (CIBA Core section
// 7.1.1).
//
// A client that is polled for goes on with FinishCIBA. One that is pinged or pushed
// to keeps the login until its notification endpoint hears of it; see
// ReadCIBANotification.
func (c *Client) BeginCIBA(ctx context.Context, p CIBAParams) (_ *CIBALogin, err error) {
	ctx, call := c.call(ctx, "BeginCIBA")
	defer call.end(&err)
	c.p.freshen(ctx)
	md := c.p.md()
	if md.BackchannelAuthenticationEndpoint == "" {
		return nil, &UnsupportedError{Feature: "backchannel authentication", Detail: "the OP has no backchannel_authentication_endpoint"}
	}
	l := &CIBALogin{
		Issuer: md.Issuer, ClientID: c.c.ID, Mode: c.c.Metadata.cibaMode(), trust: p.RequireTrustFramework,
		Scopes: slices.Clone(p.Scopes), ACR: p.Claims.demandedACR(),
	}
	if !slices.Contains(l.Scopes, "openid") {
		l.Scopes = append([]string{"openid"}, l.Scopes...) // CIBA Core section 7.1: required
	}
	if l.Mode != CIBAPoll {
		l.NotificationToken = randomText()
	}
	if l.DPoP, err = c.newDPoPKey(); err != nil {
		return nil, err
	}
	params, err := p.values(l)
	if err != nil {
		return nil, err
	}
	form := params
	if c.c.Metadata.BackchannelAuthenticationRequestSigningAlg != "" {
		if form, err = c.signCIBA(params); err != nil {
			return nil, err
		}
	}
	res, err := c.post(ctx, StepCIBA, md.BackchannelAuthenticationEndpoint, form, "application/json")
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		op := c.clientRefused(StepCIBA, res)
		if op.Hint == "" {
			op.Hint = cibaErrorHints[op.Code]
		}
		return nil, op
	}
	if err := c.readCIBA(c.p.env.checker(ctx, StepCIBA), l, res.Body); err != nil {
		return nil, err
	}
	return l, nil
}

// cibaErrorHints say what to do about an error of CIBA Core section 13.
var cibaErrorHints = map[string]string{
	"unknown_user_id":          "the hint names nobody whom the OP knows",
	"expired_login_hint_token": "get a new login_hint_token",
	"invalid_binding_message":  "the binding message is too long for the device, or has characters that it does not show",
	"missing_user_code":        "the user has set a user code: ask for it, and send it as UserCode",
	"invalid_user_code":        "the user code is another one",
}

// values are the parameters of the request.
func (p *CIBAParams) values(l *CIBALogin) (url.Values, error) {
	bad := func(field, detail string) (url.Values, error) {
		return nil, &InputError{Reason: BadParameter, Field: "CIBAParams." + field, Detail: detail}
	}
	v, err := (&TokenParams{Scopes: l.Scopes, Resources: p.Resources, Extra: p.Extra}).form("CIBAParams")
	if err != nil {
		return nil, err
	}
	hints := 0
	for name, hint := range map[string]string{"login_hint": p.LoginHint, "login_hint_token": p.LoginHintToken, "id_token_hint": p.IDTokenHint} {
		if hint != "" {
			hints++
			v.Set(name, hint)
		}
	}
	if hints != 1 {
		return bad("LoginHint", fmt.Sprintf("there must be one hint of the user, there are %d (CIBA Core 7.1)", hints))
	}
	switch {
	case p.RequestedExpiry < 0, p.RequestedExpiry > 0 && p.RequestedExpiry < time.Second:
		return bad("RequestedExpiry", "it is "+p.RequestedExpiry.String()+", expected a second or more")
	case p.RequestedExpiry > 0:
		v.Set("requested_expiry", strconv.FormatInt(int64(p.RequestedExpiry/time.Second), 10))
	}
	if printable(p.BindingMessage) != p.BindingMessage {
		return bad("BindingMessage", "it has characters that no device shows, or is very long")
	}
	claims, demands, err := p.claims()
	if err != nil {
		return bad("Claims", "it cannot be encoded")
	}
	l.demands = demands
	for k, s := range map[string]string{
		"binding_message":           p.BindingMessage,
		"user_code":                 p.UserCode,
		"acr_values":                strings.Join(p.ACRValues, " "),
		"client_notification_token": l.NotificationToken,
		"claims":                    claims,
	} {
		if s != "" {
			v.Set(k, s)
		}
	}
	return v, nil
}

// claims is the claims parameter, and of what it asks of the ID Token that which is
// essential.
func (p *CIBAParams) claims() (param, demands string, err error) {
	if p.Claims == nil && p.RequireTrustFramework == "" {
		return "", "", nil
	}
	var own ClaimsRequest
	if p.Claims != nil {
		own = *p.Claims
	}
	if err := own.checkExtra(); err != nil {
		return "", "", err
	}
	idToken := make(map[string]any)
	essential := make(map[string]*ClaimRequest)
	for claim, r := range own.IDToken {
		idToken[claim] = r
		if r != nil && r.Essential {
			essential[claim] = r
		}
	}
	if p.RequireTrustFramework != "" {
		txn := &ClaimRequest{Essential: true}
		idToken["txn"], essential["txn"] = txn, txn
		idToken["verified_claims"] = map[string]any{
			"verification": map[string]any{"trust_framework": map[string]string{"value": p.RequireTrustFramework}},
			"claims":       map[string]any{},
		}
	}
	ask := make(map[string]any)
	maps.Copy(ask, own.Extra)
	if len(own.UserInfo) > 0 {
		ask["userinfo"] = own.UserInfo
	}
	if len(idToken) > 0 {
		ask["id_token"] = idToken
	}
	b, err := json.Marshal(ask)
	if err != nil {
		return "", "", err
	}
	d, err := json.Marshal(essential)
	return string(b), string(d), err
}

// signCIBA makes the request parameter, beside which only the client's
// authentication stands (CIBA Core section 7.1.1).
func (c *Client) signCIBA(params url.Values) (url.Values, error) {
	key, err := c.cibaKey()
	if err != nil {
		return nil, err
	}
	now := c.p.env.now()
	claims := map[string]any{
		"iss": c.c.ID, "aud": c.p.Issuer(), "jti": randomText(),
		"iat": now.Unix(), "nbf": now.Unix(), "exp": now.Add(cibaRequestLifetime).Unix(),
	}
	for name, values := range params {
		switch name {
		case "iss", "aud", "jti", "iat", "nbf", "exp":
			return nil, &InputError{Reason: ProtectedParameter, Field: "CIBAParams.Extra", Detail: name + " means something else in a signed request"}
		}
		switch {
		case name == "requested_expiry", name == "claims": // a number and an object
			claims[name] = json.RawMessage(values[0])
		case len(values) == 1:
			claims[name] = values[0]
		default:
			claims[name] = values
		}
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return nil, err
	}
	jwt, err := jose.Sign(key, nil, payload)
	if err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig.Keys", Detail: "the request could not be signed: " + err.Error(), Err: err}
	}
	return url.Values{"request": {jwt}}, nil
}

// cibaWire is the response (CIBA Core section 7.3).
type cibaWire struct {
	errorBody
	id                  string
	expiresIn, interval string // JSON as it came
}

func (w *cibaWire) member(name, value string) error {
	switch name {
	case "auth_req_id":
		return readMember(&w.id, name, value)
	case "expires_in":
		w.expiresIn = value
	case "interval":
		w.interval = value
	default:
		return w.errorBody.member(name, value)
	}
	return nil
}

func (c *Client) readCIBA(k *checker, l *CIBALogin, body []byte) error {
	const spec = "CIBA Core 7.3"
	var w cibaWire
	if err := strictjson.Scan(string(body), w.member); err != nil {
		return k.failed(malformed(k.step, spec, err), "the response is JSON")
	}
	if w.Error != "" {
		return &OPError{Endpoint: k.step, Code: w.Error, Description: w.Description, URI: w.URI, StatusCode: http.StatusOK}
	}
	if err := k.that(isAuthReqID(w.id), BadCIBAResponse, spec, "auth_req_id is there, of the characters that it may have", "auth_req_id", ""); err != nil {
		return err
	}
	lifetime, lives := pollLifetime(w.expiresIn)
	if err := k.that(lives, BadCIBAResponse, spec, "expires_in is there, a positive number", "expires_in", w.expiresIn); err != nil {
		return err
	}
	l.AuthReqID, l.Expiry, l.Interval = w.id, c.expiry(lifetime), pollInterval(w.interval)
	return nil
}

// isAuthReqID reports whether s has the characters of CIBA Core section 7.3, and
// those that OPs are seen to use beside them: of base64 and of URNs.
func isAuthReqID(s string) bool {
	if s == "" || len(s) > MaxAuthReqID {
		return false
	}
	for i := range len(s) {
		c := s[i]
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~+/=:", c) >= 0) {
			return false
		}
	}
	return true
}

// PollCIBA asks once whether the user has decided (CIBA Core section 10.1). If
// StillPending reports true of the error, the caller waits for l.Interval and
// polls again, until l.Expiry; another error is final. A client that is pinged
// calls it when it was.
func (c *Client) PollCIBA(ctx context.Context, l *CIBALogin) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "PollCIBA")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepToken)
	if err := c.ownCIBA(k, l); err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {GrantCIBA}, "auth_req_id": {l.AuthReqID}}
	w, t, err := c.poll(ctx, k, "CIBA Core 11", &l.Interval, l.Expiry, l.DPoP, form, l.Scopes)
	if err != nil {
		return nil, err
	}
	return c.cibaTokens(ctx, k, l, w, t, expectation{tokenEndpoint: true})
}

// ownCIBA refuses a login of another client, and one that is not polled for.
func (c *Client) ownCIBA(k *checker, l *CIBALogin) error {
	if l == nil || l.AuthReqID == "" {
		return &InputError{Reason: BadParameter, Field: "CIBALogin", Detail: "it is not one of BeginCIBA"}
	}
	if err := k.that(l.Issuer == c.p.Issuer() && l.ClientID == c.c.ID, WrongClient, "RFC 9700 4.4.2", "the login was begun with this client", l.Issuer, c.p.Issuer()); err != nil {
		return err
	}
	if l.Mode == CIBAPush && k.step == StepToken {
		return &InputError{Reason: BadParameter, Field: "CIBALogin.Mode", Detail: "the tokens are pushed; a client does not poll for them (CIBA Core 10.1)"}
	}
	return nil
}

// cibaTokens verifies what was polled for or pushed.
func (c *Client) cibaTokens(ctx context.Context, k *checker, l *CIBALogin, w *tokenWire, t *Tokens, x expectation) (*Tokens, error) {
	if err := k.that(w.IDToken != "", MissingIDToken, "CIBA Core 10.1.1", "the response has an ID Token", "", ""); err != nil {
		return nil, err
	}
	x.anyNonce, x.accessToken, x.acr = true, t.AccessToken, l.ACR
	id, err := c.verifyIDToken(ctx, w.IDToken, x)
	if err != nil {
		return nil, err
	}
	if err := c.checkDemands(c.p.env.checker(ctx, StepIDToken), l, id); err != nil {
		return nil, err
	}
	t.IDToken = id
	return t, nil
}

// checkDemands asks for the claims that the login demanded (Core section 5.5.1,
// Identity Assurance section 5).
func (c *Client) checkDemands(k *checker, l *CIBALogin, id *IDToken) error {
	if l.demands == "" && l.trust == "" {
		return nil
	}
	claims, err := strictjson.Object([]byte(id.claims))
	if err != nil {
		return k.failed(badPayload(err), "the claims are JSON")
	}
	demanded, err := l.demanded()
	if err != nil {
		return err
	}
	maps.DeleteFunc(claims, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	if err := meetDemands(k, claims, demanded, false); err != nil {
		return err
	}
	if l.trust == "" {
		return nil
	}
	var verified struct {
		Verification struct {
			TrustFramework string `json:"trust_framework"`
		} `json:"verification"`
	}
	const spec = "Identity Assurance 5.4.2"
	if err := strictjson.Unmarshal(claims["verified_claims"], &verified); err != nil {
		return k.failed(&ProtocolError{Reason: MissingClaim, Spec: spec, Detail: "verified_claims: " + err.Error(), Err: err}, "the trust framework is there")
	}
	framework := verified.Verification.TrustFramework
	if err := k.that(framework != "", MissingClaim, spec, "the trust framework is there", l.trust, ""); err != nil {
		return err
	}
	return k.that(framework == l.trust, BadClaim, spec, "the trust framework is the one demanded", l.trust, framework)
}

// demanded reads demands: what each claim must be one of, or nothing where any value
// will do.
func (l *CIBALogin) demanded() (map[string][]json.RawMessage, error) {
	var demands map[string]struct {
		Value  json.RawMessage   `json:"value"`
		Values []json.RawMessage `json:"values"`
	}
	if err := strictjson.Unmarshal([]byte(l.demands), &demands); err != nil {
		return nil, &InputError{Reason: BadParameter, Field: "CIBALogin", Detail: "it was not written by Export", Err: err}
	}
	out := make(map[string][]json.RawMessage, len(demands))
	for name, r := range demands {
		if out[name] = r.Values; r.Value != nil {
			out[name] = append(out[name], r.Value)
		}
	}
	return out, nil
}

// FinishCIBA waits until the user has decided, and returns the tokens. It polls as
// FinishDevice does. A client that is pinged may poll as well (CIBA Core section
// 5), and then needs no notification; package rp waits for either.
//
// An *OPError with code access_denied means that the user refused, LoginExpired or
// expired_token that nobody decided in time, transaction_failed that the OP could
// not ask.
func (c *Client) FinishCIBA(ctx context.Context, l *CIBALogin) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "FinishCIBA")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepToken)
	if err := c.ownCIBA(k, l); err != nil {
		return nil, err
	}
	return c.await(ctx, k, "CIBA Core 11", &l.Interval, l.Expiry, func() (*Tokens, error) { return c.PollCIBA(ctx, l) })
}
