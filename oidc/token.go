package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/strictjson"
)

// Tokens are what a login or a refresh gave. They hold secrets, so that printed,
// logged or marshalled to JSON they show none; Export and Client.ImportTokens
// carry them through a store.
//
// Package fmt asks no value in an unexported field how it wants to be printed. A
// struct that keeps Tokens in one, and is printed whole, keeps a *Tokens.
type Tokens struct {
	// IDToken is the verified ID Token: of a hybrid flow, the one from the token
	// endpoint. After a refresh without a new one it is the old one.
	IDToken *IDToken
	// AccessToken is what a resource wants to see; "" for response type id_token.
	AccessToken string
	// TokenType says how to present AccessToken: "Bearer" or "DPoP".
	TokenType string
	// DPoP is the key that AccessToken is bound to, and of a public client
	// RefreshToken too; nil for bearer tokens.
	DPoP *DPoPKey
	// RefreshToken is "" if the OP gave none.
	RefreshToken string
	// Expiry is when AccessToken dies; zero if the OP does not say.
	Expiry time.Time
	// Scopes are those granted: as the OP says, or else those asked for.
	Scopes []string
	// AuthorizationDetails are those granted (RFC 9396); nil if none were asked
	// for.
	AuthorizationDetails []AuthorizationDetail
	// SessionState is for OpenID Connect Session Management; "" if the OP does
	// not do it.
	SessionState string
	// Raw is the token response as it came, secrets included, for members that
	// have no field; nil for tokens that came from the authorization endpoint
	// alone.
	Raw json.RawMessage
}

// maxExpiresIn bounds what an OP may say about a lifetime, so that no sum of
// times overflows (hostile catalogue case 139).
const maxExpiresIn = 10 * 365 * 24 * time.Hour

// tokenWire is the token response (RFC 6749 section 5.1, Core section 3.1.3.3).
// What is absent or null is empty.
type tokenWire struct {
	errorBody
	AccessToken, TokenType, RefreshToken, Scope, IDToken, SessionState string
	// ExpiresIn and Details are JSON as it came, of any type.
	ExpiresIn, Details string
}

// member reads one member.
func (w *tokenWire) member(name, value string) error {
	switch name {
	case "access_token":
		return readMember(&w.AccessToken, name, value)
	case "token_type":
		return readMember(&w.TokenType, name, value)
	case "expires_in":
		w.ExpiresIn = value
	case "authorization_details":
		w.Details = value
	case "refresh_token":
		return readMember(&w.RefreshToken, name, value)
	case "scope":
		return readMember(&w.Scope, name, value)
	case "id_token":
		return readMember(&w.IDToken, name, value)
	case "session_state":
		return readMember(&w.SessionState, name, value)
	default:
		return w.errorBody.member(name, value)
	}
	return nil
}

// readTokenResponse reads and checks a 200 of the token endpoint. key is that of
// the proof in the request; nil if there was none.
func (c *Client) readTokenResponse(k *checker, body []byte, key *DPoPKey) (*tokenWire, error) {
	var w tokenWire
	if err := strictjson.Scan(string(body), w.member); err != nil {
		return nil, k.failed(malformed(k.step, "RFC 6749 5.1", err), "the token response is JSON")
	}
	if w.Error != "" {
		return nil, &OPError{Endpoint: k.step, Code: w.Error, Description: w.Description, URI: w.URI, StatusCode: http.StatusOK}
	}
	if err := c.checkTokenWire(k, &w, key); err != nil {
		return nil, err
	}
	return &w, nil
}

// checkTokenWire checks what every token response has.
func (c *Client) checkTokenWire(k *checker, w *tokenWire, key *DPoPKey) error {
	if err := checkAccessToken(k, w.AccessToken); err != nil {
		return err
	}
	if err := checkTokenType(k, w.TokenType, key); err != nil {
		return err
	}
	return k.that(len(w.RefreshToken) <= MaxAccessToken, BadTokenResponse, "RFC 6749 5.1", "refresh_token is of a sane size", "", "")
}

// checkAccessToken admits what fits a header field (RFC 6750 section 2.1,
// RFC 6749 appendix A.12): visible ASCII, nothing that could end a line.
func checkAccessToken(k *checker, token string) error {
	if err := k.that(token != "", MissingAccessToken, "RFC 6749 5.1", "access_token is there", "", ""); err != nil {
		return err
	}
	ok := len(token) <= MaxAccessToken && visible(token)
	return k.that(ok, BadTokenResponse, "RFC 6750 2.1", "access_token is visible ASCII of a sane size", "", "")
}

// checkTokenType asks for a type that can be presented (RFC 6749 section 7.1); it
// is compared without regard to case (RFC 6749 section 5.1). After a proof it is
// DPoP and nothing else: a bearer token in its place is one that whoever steals it
// can use (RFC 9449 section 5, hostile catalogue cases 134 and 323).
func checkTokenType(k *checker, typ string, key *DPoPKey) error {
	if key != nil {
		return k.that(strings.EqualFold(typ, "DPoP"), BadTokenType, "RFC 9449 5", "token_type is DPoP", "DPoP", typ)
	}
	return k.that(strings.EqualFold(typ, "Bearer"), BadTokenType, "RFC 6749 7.1", "token_type is Bearer", "Bearer", typ)
}

// tokens is the response as a value, which keeps body; asked are the scopes of
// the request, and key that of its proof.
func (c *Client) tokens(w *tokenWire, body []byte, asked []string, key *DPoPKey) *Tokens {
	t := &Tokens{
		AccessToken:  w.AccessToken,
		TokenType:    "Bearer",
		RefreshToken: w.RefreshToken,
		Scopes:       c.c.Quirks.scopesOr(w.Scope, asked),
		Raw:          body,
		DPoP:         key,
	}
	if key != nil {
		t.TokenType = "DPoP"
	}
	// A lifetime that makes no sense is treated as none: the token is then used
	// until the OP refuses it, never believed valid for ever (case 139).
	if secs, err := strictjson.ParseSeconds(w.ExpiresIn); err == nil {
		t.Expiry = c.expiry(min(secs.Duration(), maxExpiresIn))
	}
	return t
}

func (c *Client) expiry(in time.Duration) time.Time {
	return c.p.env.now().Add(in)
}

// scopesOr reads a scope parameter; absent means what was asked for (RFC 6749
// section 5.1).
func scopesOr(scope string, asked []string) []string {
	if scope == "" {
		return slices.Clone(asked)
	}
	return strings.Fields(scope)
}

// scopesOr is scopesOr for an OP with quirks.
func (q Quirks) scopesOr(scope string, asked []string) []string {
	if q.CommaScopes {
		scope = strings.ReplaceAll(scope, ",", " ")
	}
	return scopesOr(scope, asked)
}

// Refresh gets new Tokens by the refresh token (Core section 12). t is not
// changed. The result keeps the refresh token if the OP does not rotate it, and
// the ID Token if no new one comes; a new one must be about the same user, for
// the same client, of the same login (Core section 12.2).
//
// An *OPError with code invalid_grant means that the grant is over. Errors whose
// Temporary method reports true say nothing about it: try again later, with the
// same t.
func (c *Client) Refresh(ctx context.Context, t *Tokens) (_ *Tokens, err error) {
	ctx, call := c.call(ctx, "Refresh")
	defer call.end(&err)
	if t == nil || t.RefreshToken == "" {
		return nil, &InputError{Reason: NoRefreshToken, Field: "Tokens", Detail: "the OP gave none; ask for the scope offline_access, or log in again"}
	}
	k := c.p.env.checker(ctx, StepRefresh)
	if t.IDToken != nil {
		if err := k.that(c.p.made(t.IDToken), WrongClient, "RFC 9700 4.4.2", "the tokens are of this OP", c.p.Issuer(), t.IDToken.Issuer); err != nil {
			return nil, err
		}
	}
	if c.p.md().TokenEndpoint == "" {
		return nil, &UnsupportedError{Feature: "refresh", Detail: "the OP has no token_endpoint"}
	}
	key, err := c.dpopKeyOr(t.DPoP)
	if err != nil {
		return nil, err
	}
	res, err := c.postProving(ctx, key, StepRefresh, c.p.md().TokenEndpoint, url.Values{
		"grant_type":    {"refresh_token"},
		"refresh_token": {t.RefreshToken},
	}, "application/json")
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.clientRefused(StepRefresh, res)
	}
	w, err := c.readTokenResponse(k, res.Body, key)
	if err != nil {
		return nil, err
	}
	n := c.tokens(w, res.Body, t.Scopes, key)
	n.SessionState = t.SessionState
	if n.AuthorizationDetails = t.AuthorizationDetails; w.Details != "" {
		// RFC 9396 section 6.1: not of more kinds than before.
		if n.AuthorizationDetails, err = c.grantedDetails(k, w.Details, detailTypes(t.AuthorizationDetails)); err != nil {
			return nil, err
		}
	}
	if n.RefreshToken == "" {
		n.RefreshToken = t.RefreshToken // RFC 6749 section 6
	}
	n.IDToken = t.IDToken
	if w.IDToken == "" || c.c.OAuthOnly != nil {
		return n, nil
	}
	if n.IDToken, err = c.refreshedIDToken(ctx, k, w.IDToken, n.AccessToken, t.IDToken); err != nil {
		return nil, err // nothing of a refused response is used
	}
	return n, nil
}

// refreshedIDToken applies Core section 12.2.
func (c *Client) refreshedIDToken(ctx context.Context, k *checker, raw, accessToken string, old *IDToken) (*IDToken, error) {
	x := expectation{accessToken: accessToken, tokenEndpoint: true, anyNonce: true}
	id, err := c.verifyIDToken(ctx, raw, x)
	if err != nil {
		return nil, err
	}
	if old == nil {
		return id, nil
	}
	const spec = "Core 12.2"
	for _, err := range []error{
		k.that(id.Subject == old.Subject, SubjectMismatch, spec, "sub has not changed", old.Subject, id.Subject),
		k.that(id.Issuer == old.Issuer, BadIssuer, spec, "iss has not changed", old.Issuer, id.Issuer),
		k.that(containsAll(old.Audience, id.Audience), BadAudience, spec, "aud holds nobody new", strings.Join(old.Audience, " "), strings.Join(id.Audience, " ")),
		k.that(id.AuthTime.IsZero() || old.AuthTime.IsZero() || id.AuthTime.Equal(old.AuthTime), BadAuthTime, spec, "auth_time has not changed",
			timeText(old.AuthTime), timeText(id.AuthTime)),
		k.that(id.Nonce == "" || id.Nonce == old.Nonce, BadNonce, spec, "nonce, if any, is the login's", "", ""),
		k.that(id.AZP == old.AZP || id.AZP == "" || old.AZP == "", BadAuthorizedParty, spec, "azp has not changed", old.AZP, id.AZP),
	} {
		if err != nil {
			return nil, err
		}
	}
	return id, nil
}

func containsAll(set, of []string) bool {
	for _, s := range of {
		if !slices.Contains(set, s) {
			return false
		}
	}
	return true
}

// Revoke tells the OP that a token is no longer needed (RFC 7009). hint is
// "access_token", "refresh_token", or "" for no hint. A token that the OP does
// not know is no error (RFC 7009 section 2.2).
func (c *Client) Revoke(ctx context.Context, token, hint string) (err error) {
	ctx, call := c.call(ctx, "Revoke")
	defer call.end(&err)
	endpoint := c.p.md().RevocationEndpoint
	if endpoint == "" {
		return &UnsupportedError{Feature: "revocation", Detail: "the OP has no revocation_endpoint"}
	}
	if token == "" {
		return &InputError{Reason: BadParameter, Field: "token", Detail: "it is empty"}
	}
	form := url.Values{"token": {token}}
	switch hint {
	case "":
	case "access_token", "refresh_token":
		form.Set("token_type_hint", hint)
	default:
		return &InputError{Reason: BadParameter, Field: "hint", Detail: quote(hint) + " is neither access_token nor refresh_token"}
	}
	res, err := c.post(ctx, StepRevocation, endpoint, form)
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK && res.Status != http.StatusNoContent {
		return c.clientRefused(StepRevocation, res)
	}
	return nil
}

// RevokeTokens revokes the refresh token, which at most OPs ends the grant, and
// then the access token. It tries both, and returns the first error.
func (c *Client) RevokeTokens(ctx context.Context, t *Tokens) (err error) {
	ctx, call := c.call(ctx, "RevokeTokens")
	defer call.end(&err)
	var first error
	if t == nil {
		return &InputError{Reason: BadParameter, Field: "Tokens", Detail: "they are nil"}
	}
	if t.RefreshToken != "" {
		first = c.Revoke(ctx, t.RefreshToken, "refresh_token")
	}
	if t.AccessToken != "" {
		if err := c.Revoke(ctx, t.AccessToken, "access_token"); first == nil {
			first = err
		}
	}
	return first
}

// Authorize presents a bearer token in a request to a resource (RFC 6750 section
// 2.1). The caller sees to it that the request goes to a resource that the token
// is for, over https.
//
// A token that is bound to a key is presented by Client.Authorize or
// Client.Transport, which know the server's nonces; it is refused here.
func (t *Tokens) Authorize(r *http.Request) error {
	key, err := t.proofKey()
	if err != nil {
		return err
	}
	if key != nil {
		return &UnsupportedError{Feature: "token type " + quote(t.TokenType) + " in Tokens.Authorize", Detail: "it is presented by Client.Authorize or Client.Transport, which know the server's nonces"}
	}
	t.present(r.Header, "")
	return nil
}

// Valid reports whether the access token lives at least until now plus margin,
// as far as the OP told.
func (t *Tokens) Valid(now time.Time, margin time.Duration) bool {
	return t.AccessToken != "" && (t.Expiry.IsZero() || now.Add(margin).Before(t.Expiry))
}

// tokensExport is the form in which Tokens are kept. Raw is left out: what it
// has more is read at once or not at all.
type tokensExport struct {
	IDToken      string                `json:"id,omitempty"`
	Inner        string                `json:"idi,omitempty"`
	Claims       json.RawMessage       `json:"claims,omitempty"`
	Alg          string                `json:"alg,omitempty"`
	AccessToken  string                `json:"at,omitempty"`
	TokenType    string                `json:"typ,omitempty"`
	RefreshToken string                `json:"rt,omitempty"`
	Expiry       time.Time             `json:"exp,omitzero"`
	Scopes       []string              `json:"sc,omitempty"`
	Details      []AuthorizationDetail `json:"ad,omitempty"`
	SessionState string                `json:"ss,omitempty"`
	DPoP         string                `json:"dk,omitempty"`
	// EmailString is Quirks.EmailVerifiedString, the one quirk that changes how
	// claims are read later.
	EmailString bool `json:"evs,omitempty"`
	// Provider is the issuer that the Provider is known by, if the token has
	// another one.
	Provider string `json:"op,omitempty"`
}

// Export returns the tokens with their secrets, for a store that keeps them from
// other eyes. Raw is not kept.
func (t *Tokens) Export() ([]byte, error) {
	x := tokensExport{AccessToken: t.AccessToken, TokenType: t.TokenType, RefreshToken: t.RefreshToken,
		Expiry: t.Expiry, Scopes: t.Scopes, Details: t.AuthorizationDetails, SessionState: t.SessionState}
	var err error
	if x.DPoP, err = t.DPoP.export(); err != nil {
		return nil, &InputError{Reason: BadParameter, Field: "Tokens.DPoP", Detail: "the key cannot be exported", Err: err}
	}
	if id := t.IDToken; id != nil {
		x.IDToken, x.Claims, x.Alg, x.EmailString = id.raw, json.RawMessage(id.claims), id.alg, id.quirks.EmailVerifiedString
		x.Inner, x.Provider = id.inner, id.provider
	}
	return json.Marshal(x)
}

// ImportTokens reads what Tokens.Export wrote for the client of that ID at that
// issuer; tokens of another are refused. It needs nothing of the OP, so that who
// is logged in can be told also while the OP is down.
//
// The ID Token in it was verified before it was exported and is not verified
// again: its time may be over, and its key gone. So data must come from where
// nobody else can write.
func ImportTokens(data []byte, issuer, clientID string) (*Tokens, error) {
	bad := func(detail string, err error) error {
		return &InputError{Reason: BadParameter, Field: "tokens", Detail: detail, Err: err}
	}
	var x tokensExport
	if err := strictjson.Unmarshal(data, &x); err != nil {
		return nil, bad("they were not written by Export", err)
	}
	t := &Tokens{AccessToken: x.AccessToken, TokenType: x.TokenType, RefreshToken: x.RefreshToken,
		Expiry: x.Expiry, Scopes: x.Scopes, AuthorizationDetails: x.Details, SessionState: x.SessionState}
	var err error
	if t.DPoP, err = importDPoPKey(x.DPoP); err != nil {
		return nil, err
	}
	if x.IDToken != "" {
		id, err := newIDToken(x.IDToken, x.Alg, string(x.Claims))
		if err != nil {
			return nil, bad("the ID Token in them cannot be read", err)
		}
		if known := x.Provider != "" && x.Provider == issuer; id.Issuer != issuer && !known || !slices.Contains(id.Audience, clientID) {
			return nil, bad("they belong to another issuer or client", nil)
		}
		id.quirks.EmailVerifiedString, id.provider, id.inner = x.EmailString, x.Provider, x.Inner
		t.IDToken = id
	}
	return t, nil
}

// ImportTokens is the function ImportTokens for this client.
func (c *Client) ImportTokens(data []byte) (*Tokens, error) {
	t, err := ImportTokens(data, c.p.Issuer(), c.c.ID)
	if err == nil && t.IDToken != nil {
		t.IDToken.quirks = c.c.Quirks
	}
	return t, err
}

// Format prints what identifies the tokens, and no secret.
func (t Tokens) Format(f fmt.State, _ rune) {
	redact(f, "oidc.Tokens", "IDToken", fmt.Sprint(t.IDToken), "AccessToken", present(t.AccessToken),
		"RefreshToken", present(t.RefreshToken), "Expiry", timeText(t.Expiry))
}

// LogValue is what slog logs: no secret.
func (t Tokens) LogValue() slog.Value {
	return slog.GroupValue(slog.Any("id_token", t.IDToken), slog.String("access_token", present(t.AccessToken)),
		slog.String("refresh_token", present(t.RefreshToken)), slog.Time("expiry", t.Expiry))
}

// MarshalJSON writes the tokens without their secrets; Export keeps them.
func (t Tokens) MarshalJSON() ([]byte, error) {
	x := tokensExport{AccessToken: maskedIfPresent(t.AccessToken), TokenType: t.TokenType,
		RefreshToken: maskedIfPresent(t.RefreshToken), Expiry: t.Expiry, Scopes: t.Scopes}
	if t.IDToken != nil {
		x.IDToken = masked
	}
	return json.Marshal(x)
}

func timeText(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
