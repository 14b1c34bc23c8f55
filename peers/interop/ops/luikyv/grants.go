package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"html"
	"log"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/luikyv/go-oidc/pkg/goidc"
	"github.com/luikyv/go-oidc/pkg/provider"

	"rely.example/peers/interop/launch"
)

const (
	// pushHash is the metadata of a client whose pushed ID Tokens have at_hash, which
	// the library leaves to its host.
	pushHash = "push_at_hash"
	// actorStore and audienceStore are the names under which the actor and the audience
	// of an exchange are kept with a grant.
	actorStore, audienceStore = "act", "aud"
	// maxMessage bounds a binding message, in bytes: what a telephone shows.
	maxMessage = 20
	// billing is the one audience of exchanged tokens.
	billing = "billing"
	// devicePath and verificationPath are the library's.
	devicePath, verificationPath = "/device_authorization", "/device"
)

// host is what the library leaves to whoever runs it: where users decide, and whom to
// believe.
type host struct {
	op     *provider.Provider // set when it is made
	issuer string
	user   launch.User

	mu     sync.Mutex
	tokens map[string]string // the last access token of a grant; guarded by mu
}

// options are those of the grants without a browser at the Relying Party.
func (h *host) options() []provider.Option {
	return []provider.Option{
		provider.WithClientCredentialsGrant(),
		provider.WithCIBAGrant(nil, goidc.CIBADeliveryModePoll, goidc.CIBADeliveryModePing, goidc.CIBADeliveryModePush),
		provider.WithCIBAJAR(goidc.ES256, goidc.PS256),
		provider.WithCIBAUserCode(),
		provider.WithCIBASessionHandler(h.ask),
		provider.WithCIBAHTTPClientFunc(func(context.Context) *http.Client { return relyingParty }),
		provider.WithDeviceGrant(nil, promptUserCode, confirmDevice),
		provider.WithTokenExchangeGrant(h.exchange),
		provider.WithTokenExchangeClientAuthnRequired(),
		provider.WithJWTBearerGrant(h.believe),
		provider.WithJWTBearerGrantClientAuthnRequired(),
		provider.WithOpaqueTokenFunc(h.newToken),
		provider.WithTokenClaims(func(_ context.Context, _ *goidc.Token, g *goidc.Grant) map[string]any {
			claims := map[string]any{}
			if act, ok := g.Store[actorStore]; ok {
				claims["act"] = map[string]any{"sub": act} // RFC 8693, section 4.1
			}
			if aud, ok := g.Store[audienceStore]; ok {
				claims["aud"] = aud
			}
			return claims
		}),
	}
}

// ask checks who is to be asked, and with what words, before the library says that the
// user is being asked.
func (h *host) ask(_ context.Context, s *goidc.AuthnSession, c *goidc.Client) error {
	hint := s.LoginHint
	if s.IDTokenHint != "" {
		hint, _ = s.IDTokenHintClaims["sub"].(string)
	}
	switch code := s.AuthorizationParameters.UserCode; {
	case hint != h.user.Username:
		return goidc.NewError(goidc.ErrorCodeUnknownUserID, "nobody is known by that hint")
	case len(s.BindingMessage) > maxMessage:
		return goidc.NewError(goidc.ErrorCodeInvalidBindingMessage, "it is too long for the telephone")
	case c.CIBAUserCodeIsEnabled && code == "":
		return goidc.NewError(goidc.ErrorCodeMissingUserCode, "the user has a code")
	case c.CIBAUserCodeIsEnabled && code != h.user.Code:
		return goidc.NewError(goidc.ErrorCodeInvalidUserCode, "the user has another code")
	}
	return nil
}

// phone is the user, who decides a backchannel login. The answer comes after the Relying
// Party has heard of it, where it wants to.
func (h *host) phone(w http.ResponseWriter, r *http.Request) {
	id := r.PostFormValue(launch.PhoneID)
	s, err := h.op.CIBAManager().SessionByAuthReqID(r.Context(), id)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	if r.PostFormValue(launch.PhoneDecision) == launch.Allow {
		h.logIn(s)
		if err = h.op.CIBAManager().SaveSession(r.Context(), s); err == nil {
			err = h.op.GrantCIBARequest(r.Context(), id)
		}
	} else {
		err = h.op.DenyCIBARequest(r.Context(), id, goidc.NewError(goidc.ErrorCodeAccessDenied, "the user refused"))
	}
	if err != nil {
		log.Print(err)
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// logIn logs the user in and grants what was asked for.
func (h *host) logIn(s *goidc.AuthnSession) {
	s.Subject = h.user.Username
	s.GrantedScopes = s.Scopes
	s.GrantedAuthDetails = s.AuthDetails
	s.Store = map[string]any{authTime: time.Now().Unix()}
}

// policies are how users log in: on a device's behalf with a page that asks, otherwise
// without one.
func (h *host) policies() []goidc.AuthnPolicy {
	return []goidc.AuthnPolicy{
		goidc.NewPolicy("device", func(r *http.Request, _ *goidc.AuthnSession, _ *goidc.Client) bool { return r.URL.Path == devicePath }, h.decideDevice),
		goidc.NewPolicy("automatic",
			func(*http.Request, *goidc.AuthnSession, *goidc.Client) bool { return true },
			func(_ http.ResponseWriter, _ *http.Request, s *goidc.AuthnSession, _ *goidc.Client) (goidc.Status, error) {
				h.logIn(s)
				return goidc.StatusSuccess, nil
			}),
	}
}

// decideDevice asks the user whether the device may log in (RFC 8628, section 5.4), and
// hears the answer.
func (h *host) decideDevice(w http.ResponseWriter, r *http.Request, s *goidc.AuthnSession, c *goidc.Client) (goidc.Status, error) {
	if r.Method == http.MethodPost {
		if r.PostFormValue(launch.PhoneDecision) != launch.Allow {
			return goidc.StatusFailure, goidc.NewError(goidc.ErrorCodeAccessDenied, "the user refused")
		}
		h.logIn(s)
		return goidc.StatusSuccess, nil
	}
	return goidc.StatusPending, page(w, fmt.Sprintf(`<p>%s shows the code %s?</p><form method="post" action="%s/%s">
<button name="%s" value="%s">Yes</button><button name="%[5]s" value="%[7]s">No</button></form>`,
		html.EscapeString(c.Name), html.EscapeString(s.UserCode), verificationPath, s.ID, launch.PhoneDecision, launch.Allow, launch.Refuse))
}

func promptUserCode(w http.ResponseWriter, _ *http.Request) error {
	return page(w, `<form action="`+verificationPath+`"><input type="text" name="user_code"><button>Continue</button></form>`)
}

func confirmDevice(w http.ResponseWriter, _ *http.Request) error {
	return page(w, `<p>You are logged in on the device.</p>`)
}

func page(w http.ResponseWriter, body string) error {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, err := fmt.Fprint(w, "<!DOCTYPE html><title>OP</title>", body)
	return err
}

// exchange reads the tokens of an exchange (RFC 8693), which must be access tokens of
// this OP. The library gives the new one the scopes.
func (h *host) exchange(ctx context.Context, r goidc.TokenExchangeRequest) (goidc.TokenExchangeResult, error) {
	refused := func(code goidc.ErrorCode, detail string) (goidc.TokenExchangeResult, error) {
		return goidc.TokenExchangeResult{}, goidc.NewError(code, detail)
	}
	if slices.ContainsFunc(r.Audience, func(a string) bool { return a != billing }) {
		return refused(goidc.ErrorCodeInvalidTarget, "the audience is unknown")
	}
	subject, err := h.op.Introspect(ctx, r.SubjectToken)
	if err != nil || !subject.IsActive || r.SubjectTokenType != goidc.TokenTypeIdentifierAccessToken {
		return refused(goidc.ErrorCodeInvalidRequest, "subject_token is not valid") // RFC 8693, section 2.2.2
	}
	result := goidc.TokenExchangeResult{Subject: subject.Subject, Store: map[string]any{authTime: time.Now().Unix()}}
	if len(r.Audience) > 0 {
		result.Store[audienceStore] = r.Audience
	}
	if r.ActorToken != "" {
		actor, err := h.op.Introspect(ctx, r.ActorToken)
		if err != nil || !actor.IsActive || r.ActorTokenType != goidc.TokenTypeIdentifierAccessToken {
			return refused(goidc.ErrorCodeInvalidRequest, "actor_token is not valid")
		}
		result.Store[actorStore] = actor.Subject
	}
	return result, nil
}

// believe reads an assertion that is a grant (RFC 7523, section 3): under a key of the
// client that it names as its issuer, for this OP, about the user.
func (h *host) believe(ctx context.Context, assertion string) (goidc.JWTBearerResult, error) {
	parsed, err := jwt.ParseSigned(assertion, []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		return goidc.JWTBearerResult{}, err
	}
	var said jwt.Claims
	if err := parsed.UnsafeClaimsWithoutVerification(&said); err != nil {
		return goidc.JWTBearerResult{}, err
	}
	c, err := h.op.Client(ctx, said.Issuer)
	if err != nil || c.JWKS == nil || len(parsed.Headers) != 1 {
		return goidc.JWTBearerResult{}, errors.New("the issuer has no keys here")
	}
	key, err := c.JWKS.Key(parsed.Headers[0].KeyID)
	if err != nil {
		return goidc.JWTBearerResult{}, err
	}
	var claims jwt.Claims
	if err := parsed.Claims(key.Key, &claims); err != nil {
		return goidc.JWTBearerResult{}, err
	}
	if err := claims.Validate(jwt.Expected{Issuer: c.ID, AnyAudience: jwt.Audience{h.issuer}, Time: time.Now()}); err != nil {
		return goidc.JWTBearerResult{}, err
	}
	if claims.Expiry == nil || claims.ID == "" || claims.Subject != h.user.Username {
		return goidc.JWTBearerResult{}, errors.New("exp, jti or a subject who is known is missing")
	}
	return goidc.JWTBearerResult{Subject: claims.Subject, Store: map[string]any{authTime: time.Now().Unix()}}, nil
}

// newToken makes an access token, and remembers that of a backchannel login for the ID
// Token beside it.
func (h *host) newToken(_ context.Context, g *goidc.Grant) string {
	t := rand.Text()
	if g.AuthReqID != "" {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.tokens[g.ID] = t
	}
	return t
}

// idTokenClaims are added to an ID Token: at_hash to a pushed one (CIBA Core 1.0, section
// 10.3.1) if the client wants it.
func (h *host) idTokenClaims(ctx context.Context, g *goidc.Grant) map[string]any {
	claims := map[string]any{goidc.ClaimAuthTime: g.Store[authTime]}
	h.mu.Lock()
	t, ok := h.tokens[g.ID]
	delete(h.tokens, g.ID)
	h.mu.Unlock()
	c, err := h.op.Client(ctx, g.ClientID)
	if ok && err == nil && c.CIBATokenDeliveryMode == goidc.CIBADeliveryModePush && c.CustomAttributes[pushHash] == true {
		sum := sha256.Sum256([]byte(t)) // every algorithm here is one with SHA-256
		claims[goidc.ClaimAccessTokenHash] = base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	}
	return claims
}
