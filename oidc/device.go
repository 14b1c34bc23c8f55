package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"rely.example/internal/strictjson"
)

// Bounds of what a device shows.
const (
	// MaxUserCode bounds a user code, in bytes: a person types it.
	MaxUserCode = 64
	// MaxVerificationURI bounds a verification URI, in bytes: a person types it, or
	// a QR code holds it.
	MaxVerificationURI = 2048
)

// DeviceParams are the choices of a login on a device without a browser. The zero
// value asks for a login with scope openid.
type DeviceParams struct {
	// Scopes are asked for beside openid.
	Scopes []string
	// OAuthOnly leaves openid out: there is an access token then, and no ID
	// Token to say who the user is.
	OAuthOnly bool
	// Resources are the resource indicators of RFC 8707.
	Resources []string
	// Extra are further parameters. One that this package sets itself is
	// refused with ProtectedParameter.
	Extra url.Values
}

// DeviceLogin is a login that the user finishes on another device (RFC 8628
// section 3.2): show UserCode with VerificationURI, or VerificationURIComplete as
// a QR code with UserCode beside it, to be compared. It belongs to one goroutine.
type DeviceLogin struct {
	// UserCode is what the user types, or compares: at most MaxUserCode printable
	// characters.
	UserCode string
	// VerificationURI is where: an https URL.
	VerificationURI string
	// VerificationURIComplete holds the code already; "" if the OP has none.
	VerificationURIComplete string
	// Expiry is when the code dies, within MaxPollLifetime.
	Expiry time.Time
	// Interval is how long to wait before the next PollDevice, which may change
	// it. FinishDevice minds it by itself.
	Interval time.Duration

	code     string
	scopes   []string
	openID   bool
	provider *Provider
	key      *DPoPKey // of the proofs; nil without DPoP
}

// BeginDevice asks for a code that the user types in a browser elsewhere (RFC 8628
// section 3.1). FinishDevice then waits for the user.
func (c *Client) BeginDevice(ctx context.Context, p DeviceParams) (_ *DeviceLogin, err error) {
	ctx, call := c.call(ctx, "BeginDevice")
	defer call.end(&err)
	c.p.freshen(ctx)
	endpoint := c.p.md().DeviceAuthorizationEndpoint
	if endpoint == "" {
		return nil, &UnsupportedError{Feature: "device authorization", Detail: "the OP has no device_authorization_endpoint"}
	}
	l := &DeviceLogin{scopes: slices.Clone(p.Scopes), openID: !p.OAuthOnly && c.OpenID(), provider: c.p}
	if l.openID && !slices.Contains(l.scopes, "openid") {
		l.scopes = append([]string{"openid"}, l.scopes...)
	}
	if l.key, err = c.newDPoPKey(); err != nil {
		return nil, err
	}
	form, err := (&TokenParams{Scopes: l.scopes, Resources: p.Resources, Extra: p.Extra}).form("DeviceParams")
	if err != nil {
		return nil, err
	}
	res, err := c.post(ctx, StepDevice, endpoint, form, "application/json")
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.clientRefused(StepDevice, res)
	}
	if err := c.readDevice(c.p.env.checker(ctx, StepDevice), l, res.Body); err != nil {
		return nil, err
	}
	return l, nil
}

// deviceWire is the device authorization response (RFC 8628 section 3.2).
type deviceWire struct {
	errorBody
	code, userCode, uri, complete string
	expiresIn, interval           string // JSON as it came
}

func (w *deviceWire) member(name, value string) error {
	switch name {
	case "device_code":
		return readMember(&w.code, name, value)
	case "user_code":
		return readMember(&w.userCode, name, value)
	case "verification_uri":
		return readMember(&w.uri, name, value)
	case "verification_url":
		// The name in early drafts, which OPs are seen to keep.
		if w.uri == "" {
			return readMember(&w.uri, name, value)
		}
	case "verification_uri_complete":
		return readMember(&w.complete, name, value)
	case "expires_in":
		w.expiresIn = value
	case "interval":
		w.interval = value
	default:
		return w.errorBody.member(name, value)
	}
	return nil
}

// readDevice checks the response. Everything in it that people see comes from a
// stranger (hostile catalogue case 327).
func (c *Client) readDevice(k *checker, l *DeviceLogin, body []byte) error {
	var w deviceWire
	if err := strictjson.Scan(string(body), w.member); err != nil {
		return k.failed(malformed(k.step, "RFC 8628 3.2", err), "the response is JSON")
	}
	if w.Error != "" {
		return &OPError{Endpoint: k.step, Code: w.Error, Description: w.Description, URI: w.URI, StatusCode: http.StatusOK}
	}
	lifetime, lives := pollLifetime(w.expiresIn)
	const spec = "RFC 8628 3.2"
	for _, m := range []struct {
		passed           bool
		title, want, got string
	}{
		{w.code != "" && len(w.code) <= MaxCode, "device_code is there, of a sane size", "device_code", ""},
		{w.userCode != "" && len(w.userCode) <= MaxUserCode && printable(w.userCode) == w.userCode, "user_code is there, and can be shown", "a user_code that can be shown", ""},
		{w.uri != "", "verification_uri is there", "verification_uri", ""},
		{lives, "expires_in is there, a positive number", "expires_in", w.expiresIn},
	} {
		if err := k.that(m.passed, BadDeviceResponse, spec, m.title, m.want, m.got); err != nil {
			return err
		}
	}
	for _, u := range []struct{ name, url string }{{"verification_uri", w.uri}, {"verification_uri_complete", w.complete}} {
		if u.url != "" {
			if err := c.checkShown(k, u.name, u.url); err != nil {
				return err
			}
		}
	}
	l.code, l.UserCode, l.VerificationURI, l.VerificationURIComplete = w.code, w.userCode, w.uri, w.complete
	l.Expiry, l.Interval = c.expiry(lifetime), pollInterval(w.interval)
	return nil
}

// checkShown checks a URL that a user is about to open. It may lead to any host:
// big OPs have a short one for it.
func (c *Client) checkShown(k *checker, name, raw string) error {
	u, err := url.Parse(raw)
	ok := err == nil && u.Host != "" && u.User == nil && len(raw) <= MaxVerificationURI && visible(raw)
	shown := raw
	if name == "verification_uri_complete" {
		shown = "" // it holds the code
	}
	if err := k.that(ok, BadDeviceResponse, "RFC 8628 3.2", name+" is a URL that can be shown", "", shown); err != nil {
		return err
	}
	secure := u.Scheme == "https" || u.Scheme == "http" && c.p.env.opts.InsecureAllowHTTP
	return k.that(secure, InsecureURL, "RFC 8628 3.2", name+" is https", "", shown)
}

// PollDevice asks once whether the user has decided (RFC 8628 section 3.4). If
// StillPending reports true of the error, the caller waits for l.Interval and
// polls again, until l.Expiry; another error is final. An ID Token that was asked
// for is verified like that of a login, but for the nonce, which this grant does
// not have.
func (c *Client) PollDevice(ctx context.Context, l *DeviceLogin) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "PollDevice")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepToken)
	if err := c.ownDevice(k, l); err != nil {
		return nil, err
	}
	form := url.Values{"grant_type": {GrantDeviceCode}, "device_code": {l.code}}
	w, t, err := c.poll(ctx, k, "RFC 8628 3.5", &l.Interval, l.Expiry, l.key, form, l.scopes)
	if err != nil {
		return nil, err
	}
	if w.IDToken == "" || !c.OpenID() {
		if err := k.that(!l.openID, MissingIDToken, "Core 3.1.3.3", "the token response has an ID Token", "", ""); err != nil {
			return nil, err
		}
		return t, nil
	}
	t.IDToken, err = c.verifyIDToken(ctx, w.IDToken, expectation{anyNonce: true, tokenEndpoint: true, accessToken: t.AccessToken})
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (c *Client) ownDevice(k *checker, l *DeviceLogin) error {
	if l == nil || l.provider != c.p {
		return &InputError{Reason: BadParameter, Field: "DeviceLogin", Detail: "it is not one of this client's BeginDevice"}
	}
	return nil
}

// FinishDevice waits until the user has decided, and returns the tokens. It polls
// as the OP asks: every Interval, 5 seconds less often after each slow_down, less
// often while the OP cannot be reached, and not once after Expiry.
//
// An *OPError with code access_denied means that the user refused, LoginExpired or
// expired_token that nobody decided in time: begin again.
func (c *Client) FinishDevice(ctx context.Context, l *DeviceLogin) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "FinishDevice")
	defer call.end(&err)
	k := c.p.env.checker(ctx, StepToken)
	if err := c.ownDevice(k, l); err != nil {
		return nil, err
	}
	return c.await(ctx, k, "RFC 8628 3.5", &l.Interval, l.Expiry, func() (*Tokens, error) { return c.PollDevice(ctx, l) })
}

// Format prints where the user goes, and no code.
func (l DeviceLogin) Format(f fmt.State, _ rune) {
	redact(f, "oidc.DeviceLogin", "VerificationURI", l.VerificationURI, "UserCode", present(l.UserCode), "Expiry", timeText(l.Expiry))
}

// LogValue is what slog logs: no code.
func (l DeviceLogin) LogValue() slog.Value {
	return slog.GroupValue(slog.String("verification_uri", printable(l.VerificationURI)), slog.Time("expiry", l.Expiry))
}

// MarshalJSON writes where the user goes, and no code.
func (l DeviceLogin) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		VerificationURI string    `json:"verification_uri"`
		Expiry          time.Time `json:"expiry"`
	}{l.VerificationURI, l.Expiry})
}
