package oidc

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// IDToken is a verified ID Token (Core section 2). One exists only after every
// check was passed.
type IDToken struct {
	Issuer   string
	Subject  string
	Audience []string
	Expiry   time.Time
	IssuedAt time.Time
	// AuthTime is when the user logged in; zero if the OP does not say.
	AuthTime time.Time
	Nonce    string
	ACR      string
	AMR      []string
	AZP      string
	// SessionID is sid, for the logout specifications; "" if there is none.
	SessionID string

	raw    string
	alg    string
	claims json.RawMessage
	quirks Quirks
}

// Raw returns the token as it came, to use as an id_token_hint.
func (t *IDToken) Raw() string { return t.raw }

// Algorithm is what the token was signed with, e.g. "RS256", or "none".
func (t *IDToken) Algorithm() string { return t.alg }

// Claims decodes all claims into v, a pointer to a struct or map, strictly.
func (t *IDToken) Claims(v any) error { return strictjson.Unmarshal(t.claims, v) }

// Standard returns the standard claims (Core section 5.1) that the ID Token
// holds; many OPs put most of them into UserInfo only.
func (t *IDToken) Standard() StandardClaims {
	c, _ := standardClaims(t.claims, t.quirks)
	return c
}

// Identity is who logged in: the one key under which to know a user. Subjects
// are unique and never given again within one issuer only (Core section 5.7).
func (t *IDToken) Identity() Identity { return Identity{t.Issuer, t.Subject} }

// Identity names a user for good. It is comparable.
type Identity struct{ Issuer, Subject string }

// String writes subject and issuer for a log line.
func (i Identity) String() string { return printable(i.Subject) + " at " + printable(i.Issuer) }

// Format prints who the token is about, and not the token.
func (t IDToken) Format(f fmt.State, _ rune) {
	redact(f, "oidc.IDToken", "Issuer", t.Issuer, "Subject", t.Subject, "Expiry", timeText(t.Expiry))
}

// LogValue is what slog logs: who the token is about, and not the token.
func (t IDToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("iss", printable(t.Issuer)), slog.String("sub", printable(t.Subject)), slog.Time("exp", t.Expiry))
}

// idClaims are the claims that are checked. A pointer tells absent from empty.
type idClaims struct {
	Issuer    *string             `json:"iss"`
	Subject   *string             `json:"sub"`
	Audience  stringOrList        `json:"aud"`
	Expiry    *strictjson.Seconds `json:"exp"`
	IssuedAt  *strictjson.Seconds `json:"iat"`
	NotBefore *strictjson.Seconds `json:"nbf"`
	AuthTime  *strictjson.Seconds `json:"auth_time"`
	Nonce     *string             `json:"nonce"`
	ACR       *string             `json:"acr"`
	AMR       stringOrList        `json:"amr"`
	AZP       *string             `json:"azp"`
	SID       *string             `json:"sid"`
	ATHash    *string             `json:"at_hash"`
	CHash     *string             `json:"c_hash"`
	SHash     *string             `json:"s_hash"`
	Events    json.RawMessage     `json:"events"`
}

// stringOrList is aud: one string or a list of them (RFC 7519 section 4.1.3).
type stringOrList []string

func (l *stringOrList) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := strictjson.Unmarshal(b, &s); err != nil {
			return err
		}
		*l = stringOrList{s}
		return nil
	}
	return strictjson.Unmarshal(b, (*[]string)(l))
}

// expectation is what one ID Token is compared with.
type expectation struct {
	nonce    string
	anyNonce bool // of a refresh: the caller compares
	maxAge   *time.Duration
	acr      []string
	// state, code and accessToken are what came beside the token; "" if nothing.
	state, code, accessToken string
	// needCodeHash and needTokenHash: the hash is REQUIRED, not just checked.
	needCodeHash, needTokenHash bool
	// tokenEndpoint: the token came from the OP itself, over TLS.
	tokenEndpoint bool
}

func (c *Client) expectation(p Pending) expectation {
	return expectation{nonce: p.Nonce, maxAge: p.MaxAge, acr: p.ACR}
}

// verifyIDToken makes every check of Core section 3.1.3.7, with 3.2.2.11 or
// 3.3.2.12 for a token from the browser.
func (c *Client) verifyIDToken(ctx context.Context, raw string, x expectation) (*IDToken, error) {
	return c.checkIDToken(ctx, c.p.env.checker(ctx, StepIDToken), raw, x)
}

func (c *Client) checkIDToken(ctx context.Context, k *checker, raw string, x expectation) (*IDToken, error) {
	v, err := c.openIDToken(ctx, k, raw, x.tokenEndpoint)
	if err != nil {
		return nil, err
	}
	if err := checkType(k, v.Header.Type, "id_token+jwt"); err != nil {
		return nil, err
	}
	var w idClaims
	if err := strictjson.Unmarshal(v.Payload, &w); err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	for _, check := range []func(*checker, *idClaims, expectation) error{
		c.checkIssuer, c.checkAudience, c.checkTimes, c.checkSubject, c.checkNonce, c.checkAuthentication,
	} {
		if err := check(k, &w, x); err != nil {
			return nil, err
		}
	}
	if err := checkHashes(k, &w, v.Header.Alg, x); err != nil {
		return nil, err
	}
	t := w.token(raw, v.Header.Alg, v.Payload)
	t.quirks = c.c.Quirks
	return t, nil
}

// openIDToken decrypts, if that was agreed, and verifies the signature (Core
// section 3.1.3.7 (1, 6, 7, 8)).
func (c *Client) openIDToken(ctx context.Context, k *checker, raw string, tokenEndpoint bool) (*jose.Verified, error) {
	m := &c.c.Metadata
	raw, err := c.decryptIfAgreed(k, raw, m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc)
	if err != nil {
		return nil, err
	}
	if c.idTokenAlgs[0] == "none" {
		if err := k.that(tokenEndpoint, BadAlgorithm, "Core 3.1.3.7 (6)", "an unsigned token came from the token endpoint", "", ""); err != nil {
			return nil, err
		}
		v, err := jose.ReadUnsigned(raw)
		if err != nil {
			return nil, k.failed(signatureRefused(err), "the token is unsigned, as agreed")
		}
		return v, nil
	}
	return c.verifySignature(ctx, k, raw, c.idTokenAlgs)
}

// verifySignature verifies under one of algs: with the client secret for an HMAC
// (Core section 10.1), otherwise with the OP's keys. Which of the two is decided
// by what was agreed, never by the token.
func (c *Client) verifySignature(ctx context.Context, k *checker, raw string, algs []string) (v *jose.Verified, err error) {
	if jose.Symmetric(algs[0]) {
		v, err = c.hmac.Verify(raw, algs)
	} else {
		v, err = c.p.state.Load().keys.Verify(ctx, raw, algs)
	}
	if err != nil {
		pe := signatureRefused(err)
		if pe.Reason == BadAlgorithm {
			pe.Detail += "; the algorithm agreed is in ClientConfig.Metadata"
		}
		return nil, k.failed(pe, "the signature is the OP's, by "+strings.Join(algs, " or "))
	}
	return v, k.that(true, BadSignature, "Core 3.1.3.7 (6, 7)", "the signature is the OP's, by the algorithm agreed", strings.Join(algs, " or "), v.Header.Alg)
}

// signatureRefused names the rule that internal/jose saw broken.
func signatureRefused(err error) *ProtocolError {
	if pe, ok := errors.AsType[*ProtocolError](err); ok {
		return pe
	}
	pe := &ProtocolError{Reason: BadSignature, Step: StepIDToken, Spec: "Core 3.1.3.7 (6)", Err: err}
	je, ok := errors.AsType[*jose.Error](err)
	if !ok {
		// The keys could not be had: the cause tells why.
		pe.Reason, pe.Spec, pe.Detail = KeysUnavailable, "Core 10.1", printable(strings.TrimPrefix(err.Error(), "oidc: "))
		return pe
	}
	pe.Detail = je.Detail
	switch je.Reason {
	case jose.Malformed, jose.NotCanonical, jose.TooLarge:
		pe.Reason, pe.Spec = MalformedToken, "RFC 7515 5.2"
	case jose.Encrypted, jose.NotEncrypted, jose.CannotDecrypt:
		pe.Reason, pe.Spec = BadEncryption, "Core 3.1.3.7 (1)"
	case jose.UnsupportedHeader:
		pe.Reason, pe.Spec = BadHeader, "RFC 7515 4.1"
	case jose.UnsupportedAlg, jose.AlgNotAllowed, jose.WeakSecret:
		pe.Reason, pe.Spec = BadAlgorithm, "Core 3.1.3.7 (7)"
	case jose.NoKey, jose.AmbiguousKey:
		pe.Reason, pe.Spec = UnknownKey, "Core 10.1"
	case jose.BadKeySet, jose.KeysUnavailable:
		pe.Reason, pe.Spec = KeysUnavailable, "Core 10.1"
		if je.Err != nil {
			pe.Detail = printable(strings.TrimPrefix(je.Err.Error(), "oidc: "))
		}
	}
	return pe
}

func badPayload(err error) *ProtocolError {
	pe := &ProtocolError{Reason: MalformedToken, Spec: "RFC 7519 4", Detail: err.Error(), Err: err}
	if e, ok := errors.AsType[*strictjson.Error](err); ok && e.Path != "" {
		switch e.Kind {
		case strictjson.WrongType, strictjson.OutOfRange, strictjson.NullRoot:
			pe.Reason = BadClaim
		}
	}
	return pe
}

// checkType refuses a JWT that says it was made for another purpose (RFC 8725
// section 3.11): an access token, a logout token. Core says nothing of typ, so
// that mostly it is absent or JWT; own are the types of the purpose at hand that
// OPs are seen to write all the same.
func checkType(k *checker, typ string, own ...string) error {
	t := strings.TrimPrefix(strings.ToLower(typ), "application/")
	other := strings.HasSuffix(t, "+jwt") && !slices.Contains(own, t)
	return k.that(!other, BadType, "RFC 8725 3.11", "typ is not another purpose's", "JWT", typ)
}

// checkIssuer is Core section 3.1.3.7 (2).
func (c *Client) checkIssuer(k *checker, w *idClaims, _ expectation) error {
	want := c.p.md().Issuer
	return k.that(w.Issuer != nil && *w.Issuer == want, BadIssuer, "Core 3.1.3.7 (2)", "iss is the issuer", want, deref(w.Issuer))
}

// checkAudience is Core section 3.1.3.7 (3, 4, 5).
func (c *Client) checkAudience(k *checker, w *idClaims, _ expectation) error {
	us := c.c.ID
	if err := k.that(slices.Contains(w.Audience, us), BadAudience, "Core 3.1.3.7 (3)", "aud holds the client", us, strings.Join(w.Audience, " ")); err != nil {
		return err
	}
	for _, a := range w.Audience {
		if a != us && !slices.Contains(c.c.TrustedAudiences, a) {
			err := &ProtocolError{Reason: BadAudience, Spec: "Core 3.1.3.7 (3)",
				Detail: "aud also holds " + quote(a) + "; if it is trusted, name it in ClientConfig.TrustedAudiences"}
			if err := k.failed(err, "aud holds no strangers"); err != nil {
				return err
			}
		}
	}
	if len(w.Audience) > 1 {
		if err := k.that(w.AZP != nil, BadAuthorizedParty, "Core 3.1.3.7 (4)", "several audiences come with azp", us, ""); err != nil {
			return err
		}
	}
	if w.AZP == nil {
		return nil
	}
	return k.that(*w.AZP == us, BadAuthorizedParty, "Core 3.1.3.7 (5)", "azp is the client", us, *w.AZP)
}

// checkTimes is Core section 3.1.3.7 (9, 10) and RFC 7519 section 4.1.5. A token
// is good through the second exp + skew, and from the second iat - skew on.
func (c *Client) checkTimes(k *checker, w *idClaims, _ expectation) error {
	now, skew := c.p.env.now(), c.p.env.skew
	if err := k.that(w.Expiry != nil, MissingClaim, "Core 2", "exp is there", "exp", ""); err != nil {
		return err
	}
	if err := k.that(w.IssuedAt != nil, MissingClaim, "Core 2", "iat is there", "iat", ""); err != nil {
		return err
	}
	if w.Expiry != nil {
		exp := w.Expiry.Time()
		if late := now.Sub(exp) - skew; late > 0 || k.wantsDetail() {
			if err := k.tell(late <= 0, TokenExpired, "Core 3.1.3.7 (9)", "exp is not past", "it is "+timeText(exp)+", now is "+timeText(now)); err != nil {
				return err
			}
		}
	}
	if w.IssuedAt != nil {
		iat := w.IssuedAt.Time()
		if early := iat.Sub(now) - skew; early > 0 || k.wantsDetail() {
			if err := k.tell(early <= 0, TokenNotYetValid, "Core 3.1.3.7 (10)", "iat is not in the future", "it is "+timeText(iat)+", now is "+timeText(now)); err != nil {
				return err
			}
		}
		maxAge := c.c.MaxIDTokenAge
		if maxAge == 0 {
			maxAge = DefaultMaxIDTokenAge
		}
		if age := now.Sub(iat) - skew; maxAge > 0 && (age > maxAge || k.wantsDetail()) {
			if err := k.tell(age <= maxAge, TokenTooOld, "Core 3.1.3.7 (10)", "iat is not too long ago", "it is "+timeText(iat)+", now is "+timeText(now)); err != nil {
				return err
			}
		}
	}
	if w.NotBefore != nil {
		nbf := w.NotBefore.Time()
		return k.tellIf(nbf.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", nbf, now)
	}
	return nil
}

// checkSubject is Core section 2. It also refuses a security event in the place
// of an ID Token (Back-Channel Logout section 2.4).
func (c *Client) checkSubject(k *checker, w *idClaims, _ expectation) error {
	sub := deref(w.Subject)
	if err := k.that(sub != "" && len(sub) <= MaxSubject, BadSubject, "Core 2", "sub is there, of at most 255 bytes", "", ""); err != nil {
		return err
	}
	return k.that(w.Events == nil, BadType, "Back-Channel Logout 2.4", "there is no events claim", "", "")
}

// checkNonce is Core section 3.1.3.7 (11). The value is a secret, so none is told.
func (c *Client) checkNonce(k *checker, w *idClaims, x expectation) error {
	if x.anyNonce {
		return nil
	}
	return k.that(x.nonce != "" && w.Nonce != nil && subtle.ConstantTimeCompare([]byte(*w.Nonce), []byte(x.nonce)) == 1,
		BadNonce, "Core 3.1.3.7 (11)", "nonce is the one sent", "", "")
}

// checkAuthentication is Core section 3.1.3.7 (12, 13).
func (c *Client) checkAuthentication(k *checker, w *idClaims, x expectation) error {
	if len(x.acr) > 0 {
		if err := k.that(w.ACR != nil && slices.Contains(x.acr, *w.ACR), BadACR, "Core 3.1.3.7 (12)", "acr is one that was demanded",
			strings.Join(x.acr, " "), deref(w.ACR)); err != nil {
			return err
		}
	}
	now, skew := c.p.env.now(), c.p.env.skew
	if x.maxAge != nil || c.c.Metadata.RequireAuthTime {
		if err := k.that(w.AuthTime != nil, BadAuthTime, "Core 2", "auth_time is there", "auth_time", ""); err != nil {
			return err
		}
	}
	if w.AuthTime == nil {
		return nil
	}
	at := w.AuthTime.Time()
	if err := k.tellIf(at.Sub(now) <= skew, BadAuthTime, "Core 2", "auth_time is not in the future", "it is ", at, now); err != nil || x.maxAge == nil {
		return err
	}
	return k.tellIf(now.Sub(at) <= *x.maxAge+skew, BadAuthTime, "Core 3.1.3.7 (13)", "the login is as fresh as max_age asked",
		"max_age is "+x.maxAge.String()+", auth_time ", at, now)
}

// checkHashes ties the token to what came beside it (Core sections 3.1.3.8,
// 3.2.2.9, 3.3.2.9 to 3.3.2.11; FAPI 1.0 Part 2 section 5.1).
func checkHashes(k *checker, w *idClaims, alg string, x expectation) error {
	for _, h := range []struct {
		claim  *string
		value  string
		needed bool
		reason Reason
		name   string
		of     string
		spec   string
	}{
		{w.ATHash, x.accessToken, x.needTokenHash, BadAccessTokenHash, "at_hash", "access token", "Core 3.2.2.9"},
		{w.CHash, x.code, x.needCodeHash, BadCodeHash, "c_hash", "code", "Core 3.3.2.11"},
		{w.SHash, x.state, false, BadStateHash, "s_hash", "state", "FAPI 1.0 Part 2, 5.1"},
	} {
		if h.claim == nil || h.value == "" {
			if h.needed {
				if err := k.that(h.claim != nil, h.reason, h.spec, h.name+" is there", h.name, ""); err != nil {
					return err
				}
			}
			continue
		}
		if alg == "none" {
			continue // there is no hash to compute (Core section 3.1.3.6), and TLS vouches for both
		}
		want, err := jose.LeftHalfHash(alg, h.value)
		if err != nil {
			return k.failed(&ProtocolError{Reason: h.reason, Spec: h.spec, Detail: err.Error(), Err: err}, h.name+" is the "+h.of+"'s")
		}
		if err := k.that(subtle.ConstantTimeCompare([]byte(*h.claim), []byte(want)) == 1, h.reason, h.spec, h.name+" is the "+h.of+"'s", "", ""); err != nil {
			return err
		}
	}
	return nil
}

// newIDToken reads the claims of a token that was verified before.
func newIDToken(raw, alg string, claims json.RawMessage) (*IDToken, error) {
	var w idClaims
	if err := strictjson.Unmarshal(claims, &w); err != nil {
		return nil, err
	}
	if deref(w.Issuer) == "" || deref(w.Subject) == "" {
		return nil, errors.New("iss or sub is missing")
	}
	return w.token(raw, alg, claims), nil
}

func (w *idClaims) token(raw, alg string, claims []byte) *IDToken {
	return &IDToken{
		Issuer:    deref(w.Issuer),
		Subject:   deref(w.Subject),
		Audience:  w.Audience,
		Expiry:    seconds(w.Expiry),
		IssuedAt:  seconds(w.IssuedAt),
		AuthTime:  seconds(w.AuthTime),
		Nonce:     deref(w.Nonce),
		ACR:       deref(w.ACR),
		AMR:       w.AMR,
		AZP:       deref(w.AZP),
		SessionID: deref(w.SID),
		raw:       raw,
		alg:       alg,
		claims:    claims,
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// seconds is the time of an optional claim. 0 is what OPs write for unknown.
func seconds(s *strictjson.Seconds) time.Time {
	if s == nil || s.Time().Unix() == 0 {
		return time.Time{}
	}
	return s.Time()
}

// wantsDetail reports whether somebody sees the checks that pass.
func (k *checker) wantsDetail() bool {
	return k.report != nil || k.trace != nil && k.trace.Check != nil
}

// tellIf is that for a comparison of times.
func (k *checker) tellIf(passed bool, r Reason, spec, title, intro string, at, now time.Time) error {
	if passed && !k.wantsDetail() {
		return nil
	}
	return k.tell(passed, r, spec, title, intro+timeText(at)+", now is "+timeText(now))
}

// ExpectedIDToken is what VerifyIDToken compares a token with.
type ExpectedIDToken struct {
	// Nonce is what the authentication request sent. A token that nobody asked
	// for by a nonce needs InsecureAnyNonce.
	Nonce string
	// AccessToken and Code came beside the token; "" if none did. Their hashes
	// are then checked if the token has them.
	AccessToken, Code string
	// MaxAge is how long ago the user may have logged in; nil means any time.
	MaxAge *time.Duration
	// ACR are the values of which acr must be one; empty means any.
	ACR []string
	// InsecureAnyNonce accepts a token whose nonce is not compared: a stolen
	// token can then be replayed.
	InsecureAnyNonce bool
}

// VerifyIDToken verifies an ID Token that came another way than by Begin and
// Finish, for instance from a native library of the OP. All checks of Core
// section 3.1.3.7 apply.
func (c *Client) VerifyIDToken(ctx context.Context, raw string, e ExpectedIDToken) (*IDToken, error) {
	if e.Nonce == "" && !e.InsecureAnyNonce {
		return nil, &InputError{Reason: BadParameter, Field: "ExpectedIDToken.Nonce", Detail: "it is empty; without a nonce a stolen token can be replayed"}
	}
	return c.verifyIDToken(ctx, raw, expectation{nonce: e.Nonce, anyNonce: e.Nonce == "", accessToken: e.AccessToken, code: e.Code, maxAge: e.MaxAge, acr: e.ACR})
}
