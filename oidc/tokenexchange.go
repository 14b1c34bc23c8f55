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

	"rely.example/internal/strictjson"
)

// The types of tokens that can be exchanged (RFC 8693 section 3).
const (
	TypeAccessToken  = "urn:ietf:params:oauth:token-type:access_token"
	TypeRefreshToken = "urn:ietf:params:oauth:token-type:refresh_token"
	TypeIDToken      = "urn:ietf:params:oauth:token-type:id_token"
	TypeJWT          = "urn:ietf:params:oauth:token-type:jwt"
	TypeSAML1        = "urn:ietf:params:oauth:token-type:saml1"
	TypeSAML2        = "urn:ietf:params:oauth:token-type:saml2"
)

// TokenExchange is what ExchangeToken asks for (RFC 8693 section 2.1).
type TokenExchange struct {
	// SubjectToken is a token of the party on whose behalf the new one is wanted.
	// Required.
	SubjectToken string
	// SubjectTokenType is one of the Type constants, or a URI of the OP's own.
	// Empty means TypeAccessToken.
	SubjectTokenType string
	// ActorToken is a token of the party that acts for the subject; empty for
	// impersonation. ActorTokenType is as above.
	ActorToken, ActorTokenType string
	// RequestedTokenType is one of the Type constants; empty leaves it to the OP.
	// An answer of another type is refused.
	RequestedTokenType string
	// Audiences are logical names of the services that the new token is for.
	Audiences []string
	// TokenParams: scopes, resources by URI, and further parameters.
	TokenParams
}

// Format prints what is asked for, and no token.
func (x TokenExchange) Format(f fmt.State, _ rune) {
	redact(f, "oidc.TokenExchange", "SubjectToken", present(x.SubjectToken), "ActorToken", present(x.ActorToken), "RequestedTokenType", x.RequestedTokenType)
}

// LogValue is what slog logs: no token.
func (x TokenExchange) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(x)) }

// MarshalJSON writes what is asked for, and no token.
func (x TokenExchange) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(x)) }

// ExchangedTokens are what an exchange gave. Of a token that is no access token the
// TokenType is "N_A", and it stands in AccessToken all the same (RFC 8693 section
// 2.2.1): read IssuedTokenType.
type ExchangedTokens struct {
	*Tokens
	// IssuedTokenType is one of the Type constants, or a URI of the OP's own.
	IssuedTokenType string
}

// tokenTypeNone is for what is presented by no scheme of HTTP.
const tokenTypeNone = "N_A"

type exchangeWire struct {
	tokenWire
	issued string
}

func (w *exchangeWire) member(name, value string) error {
	if name == "issued_token_type" {
		return readMember(&w.issued, name, value)
	}
	return w.tokenWire.member(name, value)
}

// ExchangeToken gets a token for another one (RFC 8693): one for a service further
// on, of fewer scopes, or of another type. What the tokens say is between the OP
// and whom they are for; nothing of them is verified here.
func (c *Client) ExchangeToken(ctx context.Context, x TokenExchange) (_ *ExchangedTokens, err error) {
	ctx, call := c.call(ctx, "ExchangeToken")
	defer call.end(&err)
	form, err := x.form()
	if err != nil {
		return nil, err
	}
	key, err := c.newDPoPKey()
	if err != nil {
		return nil, err
	}
	body, err := c.askToken(ctx, key, form)
	if err != nil {
		return nil, err
	}
	k := c.p.env.checker(ctx, StepToken)
	var w exchangeWire
	const spec = "RFC 8693 2.2.1"
	if err := strictjson.Scan(string(body), w.member); err != nil {
		return nil, k.failed(malformed(k.step, spec, err), "the token response is JSON")
	}
	if w.Error != "" {
		return nil, &OPError{Endpoint: k.step, Code: w.Error, Description: w.Description, URI: w.URI, StatusCode: http.StatusOK}
	}
	if err := k.that(w.issued != "", BadIssuedType, spec, "issued_token_type is there", "issued_token_type", ""); err != nil {
		return nil, err
	}
	if x.RequestedTokenType != "" {
		if err := k.that(w.issued == x.RequestedTokenType, BadIssuedType, spec, "issued_token_type is what was asked for", x.RequestedTokenType, w.issued); err != nil {
			return nil, err
		}
	}
	if strings.EqualFold(w.TokenType, tokenTypeNone) && w.issued != TypeAccessToken {
		if err := checkAccessToken(k, w.AccessToken); err != nil {
			return nil, err
		}
		t := c.tokens(&w.tokenWire, body, x.Scopes, nil)
		t.TokenType = tokenTypeNone
		return &ExchangedTokens{t, w.issued}, nil
	}
	if err := c.checkTokenWire(k, &w.tokenWire, key); err != nil {
		return nil, err
	}
	return &ExchangedTokens{c.tokens(&w.tokenWire, body, x.Scopes, key), w.issued}, nil
}

func (x *TokenExchange) form() (url.Values, error) {
	form, err := x.TokenParams.form("TokenExchange")
	if err != nil {
		return nil, err
	}
	bad := func(field, detail string) (url.Values, error) {
		return nil, &InputError{Reason: BadParameter, Field: "TokenExchange." + field, Detail: detail}
	}
	if x.SubjectToken == "" {
		return bad("SubjectToken", "it is empty")
	}
	if x.ActorToken == "" && x.ActorTokenType != "" {
		return bad("ActorToken", "it is empty, and has a type")
	}
	if slices.Contains(x.Audiences, "") {
		return bad("Audiences", "one is empty")
	}
	form.Set("grant_type", GrantTokenExchange)
	form.Set("subject_token", x.SubjectToken)
	form.Set("subject_token_type", orType(x.SubjectTokenType))
	if x.ActorToken != "" {
		form.Set("actor_token", x.ActorToken)
		form.Set("actor_token_type", orType(x.ActorTokenType))
	}
	if x.RequestedTokenType != "" {
		form.Set("requested_token_type", x.RequestedTokenType)
	}
	for _, a := range x.Audiences {
		form.Add("audience", a)
	}
	return form, nil
}

func orType(t string) string {
	if t == "" {
		return TypeAccessToken
	}
	return t
}
