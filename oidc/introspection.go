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

	"rely.example/internal/fetch"
	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// Introspection is what the OP says of a token (RFC 7662 section 2.2). Of one that
// is not active it says nothing more, and every other field is zero.
type Introspection struct {
	// Active reports whether the token is good now.
	Active bool
	// Scopes, ClientID and Username tell what it is for, whom it was issued to, and
	// a name of the user that a person can read.
	Scopes             []string
	ClientID, Username string
	// TokenType is as in a token response, "Bearer" or "DPoP"; or "" .
	TokenType                   string
	Expiry, IssuedAt, NotBefore time.Time
	Subject, Issuer, ID         string
	Audience                    []string
	KeyThumbprint               string // cnf.jkt: the DPoP key that it is bound to (RFC 9449 section 6.2)
	CertificateThumbprint       string // cnf.x5t#S256: the certificate (RFC 8705 section 3.2)
	// Signed reports whether the answer was a JWT under the OP's signature.
	Signed bool

	// What else an access token says, for AccessTokenVerifier.
	authTime     time.Time
	acr          string
	amr          []string
	tenant       string // tid as it was written
	otherUse     string // what the token is, if the answer says that it is no access token
	otherBinding bool   // there is a cnf, with none of the methods that we know

	claims json.RawMessage
}

// Claims decodes all members into v, a pointer to a struct or map, strictly.
func (i *Introspection) Claims(v any) error { return strictjson.Unmarshal(i.claims, v) }

// Raw returns the members as JSON, as they came (of a signed answer: its claim
// token_introspection).
func (i *Introspection) Raw() json.RawMessage { return slices.Clone(i.claims) }

// Format prints whether the token is active and who it is about.
func (i Introspection) Format(f fmt.State, _ rune) {
	redact(f, "oidc.Introspection", "Active", fmt.Sprint(i.Active), "Subject", i.Subject, "ClientID", i.ClientID)
}

// LogValue is what slog logs: whether the token is active and who it is about.
func (i Introspection) LogValue() slog.Value {
	return slog.GroupValue(slog.Bool("active", i.Active), slog.String("sub", printable(i.Subject)), slog.String("client_id", printable(i.ClientID)))
}

// Introspect asks the OP about a token (RFC 7662). hint is "access_token",
// "refresh_token", or "" for no hint. A token that is unknown, dead or none of the
// client's business is no error: it is not active.
//
// The answer is JSON, or a JWT under ClientMetadata.IntrospectionSignedResponseAlg
// if that was registered (RFC 9701): what was agreed is demanded.
func (c *Client) Introspect(ctx context.Context, token, hint string) (_ *Introspection, err error) {
	ctx, call := c.call(ctx, "Introspect")
	defer call.end(&err)
	md := c.p.md()
	if md.IntrospectionEndpoint == "" {
		return nil, &UnsupportedError{Feature: "introspection", Detail: "the OP has no introspection_endpoint"}
	}
	if token == "" || len(token) > MaxAccessToken {
		return nil, &InputError{Reason: BadParameter, Field: "token", Detail: "it is empty or longer than a token may be"}
	}
	form := url.Values{"token": {token}}
	switch hint {
	case "":
	case "access_token", "refresh_token":
		form.Set("token_type_hint", hint)
	default:
		return nil, &InputError{Reason: BadParameter, Field: "hint", Detail: quote(hint) + " is neither access_token nor refresh_token"}
	}
	want := "application/json"
	if c.introspectionIsJWT() {
		want = introspectionType
	}
	res, err := c.post(ctx, StepIntrospection, md.IntrospectionEndpoint, form, want)
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.clientRefused(StepIntrospection, res)
	}
	return c.readIntrospection(ctx, res, want)
}

// introspectionType is the media type of a signed answer (RFC 9701 section 4).
const introspectionType = "application/token-introspection+jwt"

func (c *Client) introspectionIsJWT() bool {
	return len(c.introspectionAlgs) > 0
}

// pinIntrospection fixes what a signed answer is signed with. An answer that is
// encrypted is signed too (RFC 9701 section 5: "Nested JWT").
func (c *Client) pinIntrospection() error {
	m := &c.c.Metadata
	alg := m.IntrospectionSignedResponseAlg
	if alg == "" && m.IntrospectionEncryptedResponseAlg != "" {
		alg = "RS256" // RFC 9701 section 6: the default
	}
	switch {
	case alg == "":
		return nil
	case !jose.Supported(alg):
		return &UnsupportedError{Feature: "introspection responses signed with " + quote(alg), Detail: "supported are " + strings.Join(jose.Algorithms(), ", ")}
	}
	c.introspectionAlgs = []string{alg}
	return nil
}

func (c *Client) readIntrospection(ctx context.Context, res *fetch.Response, want string) (*Introspection, error) {
	k := c.p.env.checker(ctx, StepIntrospection)
	i := &Introspection{claims: res.Body}
	if err := k.that(res.MediaType == want, UnexpectedMediaType, "RFC 9701 4", "the answer is of the kind that is registered", want, res.MediaType); err != nil {
		return nil, err
	}
	if want == introspectionType {
		var err error
		if i.claims, err = c.openIntrospection(ctx, k, strings.TrimSpace(string(res.Body))); err != nil {
			return nil, err
		}
		i.Signed = true
	}
	w, err := readIntrospected(string(i.claims))
	if err != nil {
		pe := badPayload(err)
		if pe.Spec = "RFC 7662 2.2"; pe.Reason == MalformedToken {
			pe.Reason = MalformedResponse
		}
		return nil, k.failed(pe, "the answer is JSON of the right types")
	}
	if w.failed.Error != "" && w.active == nil {
		return nil, &OPError{Endpoint: StepIntrospection, Code: w.failed.Error, Description: w.failed.Description, URI: w.failed.URI, StatusCode: res.Status}
	}
	if err := k.that(w.active != nil, MissingClaim, "RFC 7662 2.2", "active is there", "active", ""); err != nil {
		return nil, err
	}
	if !*w.active {
		return &Introspection{Signed: i.Signed, claims: i.claims}, nil
	}
	// RFC 7662 section 4: an active token is one whose time is not over, and has
	// come. An OP that says otherwise contradicts itself.
	if err := c.p.env.checkLifetime(k, &w.idClaims); err != nil {
		return nil, err
	}
	i.Active = true
	i.Scopes = strings.Fields(w.scope)
	i.ClientID, i.Username, i.TokenType = w.clientID, w.username, w.tokenType
	i.Subject, i.Issuer, i.ID, i.Audience = w.subject.value, w.issuer.value, w.jti.value, w.audience.values
	i.Expiry, i.IssuedAt, i.NotBefore = w.expiry.at, w.issuedAt.at, w.notBefore.at
	i.KeyThumbprint, i.CertificateThumbprint = w.jkt, w.x5t
	i.authTime, i.acr, i.amr, i.tenant, i.otherBinding = w.authTime.known(), w.acr.value, w.amr.values, w.tenant, w.otherBinding
	// token_type of DPoP is a binding too, to a key that the answer then names.
	i.otherBinding = i.otherBinding || strings.EqualFold(i.TokenType, "DPoP") && i.KeyThumbprint == ""
	if i.otherUse = w.otherUse; strings.Contains(strings.ToLower(i.TokenType), "refresh") {
		i.otherUse = i.TokenType
	}
	return i, nil
}

// introspected are the members of an answer; those that a JWT has too are read as
// there.
type introspected struct {
	idClaims
	failed                               errorBody
	active                               *bool
	scope, clientID, username, tokenType string
	jkt, x5t                             string
	otherBinding                         bool
	otherUse                             string
}

func readIntrospected(object string) (w introspected, err error) {
	if w.idClaims, err = readClaims(object); err != nil {
		return w, err
	}
	err = strictjson.Scan(object, func(name, value string) error {
		switch name {
		case "active":
			switch value {
			case "true", "false":
				active := value == "true"
				w.active = &active
				return nil
			}
			// A string that says "false" must not be taken for anything.
			return wrongType(name, "boolean")
		case "scope":
			return readMember(&w.scope, name, value)
		case "client_id":
			return readMember(&w.clientID, name, value)
		case "username":
			return readMember(&w.username, name, value)
		case "token_type":
			return readMember(&w.tokenType, name, value)
		case "token_use", "token_usage":
			// No specification has them. They are how several OPs, which introspect
			// refresh tokens too, tell which is which.
			if use, _ := strictjson.Text(value); value != "null" && use != "access_token" && use != "access" {
				w.otherUse = value
			}
			return nil
		case "cnf":
			if value == "null" {
				return nil
			}
			err := strictjson.Scan(value, func(name, value string) error {
				switch name {
				case "jkt":
					return readMember(&w.jkt, name, value)
				case "x5t#S256":
					return readMember(&w.x5t, name, value)
				}
				return nil
			})
			w.otherBinding = w.jkt == "" && w.x5t == ""
			return err
		}
		return w.failed.member(name, value)
	})
	return w, err
}

// openIntrospection verifies a signed answer (RFC 9701 section 5) and returns its
// claim token_introspection. Its own iss, aud and iat are those of the answer, not
// of the token, and must be there: an answer for another resource must not be
// taken here.
func (c *Client) openIntrospection(ctx context.Context, k *checker, raw string) (json.RawMessage, error) {
	m := &c.c.Metadata
	raw, err := c.decryptIfAgreed(k, raw, m.IntrospectionEncryptedResponseAlg, m.IntrospectionEncryptedResponseEnc)
	if err != nil {
		return nil, err
	}
	v, err := c.verifySignature(ctx, k, raw, c.introspectionAlgs)
	if err != nil {
		return nil, err
	}
	// RFC 9701 section 5: typ is required, so that no JWT of another kind is read
	// as one.
	typ := strings.TrimPrefix(strings.ToLower(v.Header.Type), "application/")
	if err := k.that(typ == "token-introspection+jwt", BadType, "RFC 9701 5", "typ is token-introspection+jwt", "token-introspection+jwt", v.Header.Type); err != nil {
		return nil, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	want, us, now := c.p.md().Issuer, c.c.ID, c.p.env.now()
	if err := k.that(w.issuer.value == want, BadIssuer, "RFC 9701 5", "iss is the issuer", want, w.issuer.value); err != nil {
		return nil, err
	}
	if err := k.that(slices.Contains(w.audience.values, us), BadAudience, "RFC 9701 5", "aud holds the client", us, strings.Join(w.audience.values, " ")); err != nil {
		return nil, err
	}
	if err := k.that(w.issuedAt.there, MissingClaim, "RFC 9701 5", "iat is there", "iat", ""); err != nil {
		return nil, err
	}
	// The answer was made for this question.
	if err := c.p.env.checkIssuedAt(k, &w); err != nil {
		return nil, err
	}
	if err := k.tellIf(now.Sub(w.issuedAt.at) <= maxIntrospectionAge+c.p.env.skew, TokenTooOld, "RFC 9701 5", "iat is of now", "it is ", w.issuedAt.at, now); err != nil {
		return nil, err
	}
	inner := ""
	err = strictjson.Scan(v.Payload, func(name, value string) error {
		if name == "token_introspection" {
			inner = value
		}
		return nil
	})
	if err == nil {
		err = k.that(strings.HasPrefix(inner, "{"), MissingClaim, "RFC 9701 5", "token_introspection is an object", "token_introspection", "")
	}
	if err != nil {
		return nil, err
	}
	return json.RawMessage(inner), nil
}

// maxIntrospectionAge is how long ago a signed answer may have been made: it is
// made for each question, and one from a cache would revive a revoked token.
const maxIntrospectionAge = 5 * time.Minute
