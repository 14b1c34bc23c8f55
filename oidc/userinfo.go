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

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// UserInfo is the answer of the UserInfo endpoint (Core section 5.3), about the
// same user as the ID Token.
type UserInfo struct {
	StandardClaims
	// Malformed names the standard claims that came with a wrong JSON type.
	Malformed []string
	// Signed reports whether the answer was a JWT under the OP's signature.
	Signed bool

	claims json.RawMessage
	issuer string
}

// Claims decodes all claims into v, a pointer to a struct or map, strictly.
func (u *UserInfo) Claims(v any) error { return strictjson.Unmarshal(u.claims, v) }

// Identity is who the claims are about: the key under which to know a user, the
// same that IDToken.Identity gives.
func (u *UserInfo) Identity() Identity { return Identity{u.issuer, u.Subject} }

// Raw returns the claims as JSON, as they came (of a signed answer: the payload).
func (u *UserInfo) Raw() json.RawMessage { return slices.Clone(u.claims) }

// Format prints who it is about, and none of the personal data.
func (u UserInfo) Format(f fmt.State, _ rune) { redact(f, "oidc.UserInfo", "Subject", u.Subject) }

// LogValue is what slog logs: none of the personal data.
func (u UserInfo) LogValue() slog.Value {
	return slog.GroupValue(slog.String("sub", printable(u.Subject)))
}

// UserInfoMethod is a way to ask for UserInfo (Core section 5.3.1).
type UserInfoMethod int

const (
	// UserInfoGet is the zero value: GET, with the access token in the header.
	UserInfoGet UserInfoMethod = iota
	// UserInfoPost is POST, with the access token in the header.
	UserInfoPost
	// UserInfoPostBody is POST, with the access token in the body (RFC 6750
	// section 2.2): for an OP that takes it nowhere else.
	UserInfoPostBody
)

// UserInfo asks for claims about the user of t (Core section 5.3), in the way that
// ClientConfig.UserInfoBy says, with a proof if the access token is bound to a key.
// The answer's sub must be the ID Token's (Core section 5.3.4), or it is refused
// with SubjectMismatch.
//
// It is JSON, or a JWT under ClientMetadata.UserInfoSignedResponseAlg if that was
// registered: what was agreed is demanded.
func (c *Client) UserInfo(ctx context.Context, t *Tokens) (_ *UserInfo, err error) {
	ctx, call := c.call(ctx, "UserInfo")
	defer call.end(&err)
	if c.c.OAuthOnly != nil {
		return c.oauthUser(ctx, t)
	}
	endpoint := c.p.md().UserInfoEndpoint
	if endpoint == "" {
		return nil, &UnsupportedError{Feature: "UserInfo", Detail: "the OP has no userinfo_endpoint"}
	}
	if t == nil || t.AccessToken == "" {
		return nil, &InputError{Reason: NoAccessToken, Field: "Tokens", Detail: "response type id_token gives none; the claims are in the ID Token"}
	}
	if t.IDToken == nil || !c.p.made(t.IDToken) {
		return nil, &InputError{Reason: BadParameter, Field: "Tokens.IDToken", Detail: "without an ID Token of this OP there is no sub to compare with"}
	}
	key, err := t.proofKey()
	if err != nil {
		return nil, err
	}
	endpoint = c.at(endpoint)
	method := http.MethodGet
	if c.c.UserInfoBy != UserInfoGet {
		method = http.MethodPost
	}
	res, err := c.prove(ctx, StepUserInfo, key, method, endpoint, t.AccessToken, func(proof string) (*fetch.Response, error) {
		req := &fetch.Request{Purpose: StepUserInfo, Method: method, URL: endpoint, Header: make(http.Header), Credentialed: true,
			Accept: []string{"application/json", "application/jwt"}}
		if c.c.UserInfoBy == UserInfoPostBody && key == nil {
			req.Header["Content-Type"] = []string{"application/x-www-form-urlencoded"}
			req.Body = encodeForm(url.Values{"access_token": {t.AccessToken}})
		} else {
			t.present(req.Header, proof)
		}
		req.Header["Accept"] = []string{c.userInfoType()}
		return c.do(ctx, req)
	})
	if err != nil {
		return nil, err
	}
	if res.Status != http.StatusOK {
		return nil, c.p.env.refused(StepUserInfo, res)
	}
	u, err := c.readUserInfo(ctx, res, t.IDToken.Subject)
	if err != nil {
		return nil, err
	}
	u.issuer = t.IDToken.Issuer
	return u, nil
}

// userInfoType is the media type that was agreed.
func (c *Client) userInfoType() string {
	if len(c.userInfoAlgs) > 0 || c.c.Metadata.UserInfoEncryptedResponseAlg != "" {
		return "application/jwt"
	}
	return "application/json"
}

func (c *Client) readUserInfo(ctx context.Context, res *fetch.Response, subject string) (*UserInfo, error) {
	k := c.p.env.checker(ctx, StepUserInfo)
	u := &UserInfo{claims: res.Body}
	// Core section 5.3.2: the media type tells which it is, and it must be what
	// was agreed, so that no one can take the signature away (case 235).
	want := c.userInfoType()
	if err := k.that(res.MediaType == want, UnexpectedMediaType, "Core 5.3.2", "UserInfo is of the kind that is registered", want, res.MediaType); err != nil {
		return nil, err
	}
	if want == "application/jwt" {
		var err error
		if u.claims, u.Signed, err = c.openUserInfo(ctx, k, strings.TrimSpace(string(res.Body))); err != nil {
			return nil, err
		}
	}
	object := string(u.claims)
	var op errorBody
	var sub string
	there := false
	err := strictjson.Scan(object, func(name, value string) error {
		u.note(&u.Malformed, name, value, c.c.Quirks)
		if name == "sub" {
			there = value != "null"
			return readMember(&sub, name, value)
		}
		return op.member(name, value)
	})
	if err != nil {
		return nil, k.failed(malformed(StepUserInfo, "Core 5.3.2", err), "UserInfo is a JSON object")
	}
	if op.Error != "" && !there {
		return nil, &OPError{Endpoint: StepUserInfo, Code: op.Error, Description: op.Description, URI: op.URI, StatusCode: res.Status}
	}
	if err := k.that(there && sub == subject, SubjectMismatch, "Core 5.3.4", "sub is the ID Token's", subject, sub); err != nil {
		return nil, err
	}
	slices.Sort(u.Malformed)
	return u, nil
}

// openUserInfo verifies a signed answer. iss and aud should be there (Core
// section 5.3.2), and must be right if they are; so must the times.
func (c *Client) openUserInfo(ctx context.Context, k *checker, raw string) (claims json.RawMessage, signed bool, err error) {
	m := &c.c.Metadata
	if m.UserInfoEncryptedResponseAlg != "" {
		if raw, err = c.decryptIfAgreed(k, raw, m.UserInfoEncryptedResponseAlg, m.UserInfoEncryptedResponseEnc); err != nil {
			return nil, false, err
		}
		if len(c.userInfoAlgs) == 0 {
			// Encrypted only, which Core section 5.3.2 permits: the bytes came
			// over TLS, as plain JSON would.
			return json.RawMessage(raw), false, nil
		}
	}
	v, err := c.verifySignature(ctx, k, raw, c.userInfoAlgs)
	if err != nil {
		return nil, false, err
	}
	if err := checkType(k, v.Header.Type, "userinfo+jwt", "token-userinfo+jwt"); err != nil {
		return nil, false, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return nil, false, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	md := c.p.md()
	if w.issuer.there {
		if err := k.that(c.p.Serves(w.issuer.value), BadIssuer, "Core 5.3.2", "iss is the issuer", md.Issuer, w.issuer.value); err != nil {
			return nil, false, err
		}
	}
	if w.audience.there {
		if err := k.that(slices.Contains(w.audience.values, c.c.ID), BadAudience, "Core 5.3.2", "aud holds the client", c.c.ID, strings.Join(w.audience.values, " ")); err != nil {
			return nil, false, err
		}
	}
	if err := c.p.env.checkLifetime(k, &w); err != nil {
		return nil, false, err
	}
	return json.RawMessage(v.Payload), true, nil
}
