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
	inner  string // what was encrypted in raw; "" if nothing was
	alg    string
	claims string // the verified payload, which the fields above are parts of
	quirks Quirks
	// provider is the issuer that the Provider is known by, where that is another
	// one than the token's: an OP with Tenants.
	provider string
}

// Raw returns the token as it came. To send it as an id_token_hint there is Hint.
func (t *IDToken) Raw() string { return t.raw }

// Hint returns the token to send as an id_token_hint. Of one that was encrypted it
// is the signed one inside, as Core section 3.1.2.1 demands: the OP cannot read what
// is encrypted for the client.
func (t *IDToken) Hint() string {
	if t.inner != "" {
		return t.inner
	}
	return t.raw
}

// Algorithm is what the token was signed with, e.g. "RS256", or "none".
func (t *IDToken) Algorithm() string { return t.alg }

// Claims decodes all claims into v, a pointer to a struct or map, strictly.
func (t *IDToken) Claims(v any) error { return strictjson.Unmarshal([]byte(t.claims), v) }

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

// idClaims are the claims that are checked, each with whether it is there.
type idClaims struct {
	issuer, subject, nonce, acr, azp, sid, jti, atHash, cHash, sHash textClaim
	audience, amr                                                    listClaim
	expiry, issuedAt, notBefore, authTime                            timeClaim
	// tenant is tid as it was written; "" if it is absent. Only an OP with Tenants
	// gives it a meaning, so its type is nobody else's business.
	tenant string
	// events is the claim as it was written; "" if it is absent. Its presence
	// alone makes a token a security event.
	events string
	// texts is the memory of audience and amr.
	texts []string
}

type (
	textClaim struct {
		value string
		there bool
	}
	listClaim struct {
		values []string
		there  bool
	}
	timeClaim struct {
		at    time.Time
		there bool
	}
)

// readClaims reads verified bytes, strictly: one of these claims with the wrong
// type makes the token unusable. null counts as absent, as OPs write it for what
// they do not know; what is required is then missing.
func readClaims(payload string) (w idClaims, err error) {
	err = strictjson.Scan(payload, func(name, value string) error {
		if value == "null" && name != "events" {
			return nil
		}
		switch name {
		case "iss":
			return w.issuer.read(name, value)
		case "sub":
			return w.subject.read(name, value)
		case "nonce":
			return w.nonce.read(name, value)
		case "acr":
			return w.acr.read(name, value)
		case "azp":
			return w.azp.read(name, value)
		case "sid":
			return w.sid.read(name, value)
		case "jti":
			return w.jti.read(name, value)
		case "at_hash":
			return w.atHash.read(name, value)
		case "c_hash":
			return w.cHash.read(name, value)
		case "s_hash":
			return w.sHash.read(name, value)
		case "aud":
			return w.list(&w.audience, name, value)
		case "amr":
			return w.list(&w.amr, name, value)
		case "exp":
			return w.expiry.read(name, value)
		case "iat":
			return w.issuedAt.read(name, value)
		case "nbf":
			return w.notBefore.read(name, value)
		case "auth_time":
			return w.authTime.read(name, value)
		case "events":
			w.events = value
		case "tid":
			w.tenant = value
		}
		return nil
	})
	return w, err
}

// wrongType is the error for a claim of another JSON type than it has.
func wrongType(name, want string) error {
	return &ProtocolError{Reason: BadClaim, Spec: "RFC 7519 4.1", Detail: name + " is no " + want}
}

func (c *textClaim) read(name, value string) error {
	if c.value, c.there = strictjson.Text(value); !c.there {
		return wrongType(name, "string")
	}
	return nil
}

// list reads one string or a list of strings (RFC 7519 section 4.1.3).
func (w *idClaims) list(c *listClaim, name, value string) error {
	if w.texts == nil {
		w.texts = make([]string, 0, 4)
	}
	start := len(w.texts)
	if s, ok := strictjson.Text(value); ok {
		w.texts = append(w.texts, s)
	} else if w.texts, ok = strictjson.AppendList(w.texts, value); !ok {
		return wrongType(name, "string or list of strings")
	}
	c.values, c.there = w.texts[start:len(w.texts):len(w.texts)], true
	return nil
}

func (c *timeClaim) read(name, value string) error {
	secs, err := strictjson.ParseSeconds(value)
	if err != nil {
		return wrongType(name, "NumericDate that a clock can show")
	}
	c.at, c.there = secs.Time(), true
	return nil
}

// expectation is what one ID Token is compared with.
type expectation struct {
	nonce    string
	anyNonce bool // of a refresh: the caller compares
	maxAge   *time.Duration
	acr      []string
	demanded map[string][]json.RawMessage
	// moreToCome: a second ID Token follows, which may have more claims.
	moreToCome bool
	// state, code and accessToken are what came beside the token; "" if nothing.
	state, code, accessToken string
	// needCodeHash and needTokenHash: the hash is REQUIRED, not just checked.
	needCodeHash, needTokenHash, needStateHash bool
	// tokenEndpoint: the token came from the OP itself, over TLS.
	tokenEndpoint bool
}

func (c *Client) expectation(p Pending) expectation {
	return expectation{nonce: p.Nonce, maxAge: p.MaxAge, acr: p.ACR, demanded: p.Claims}
}

// verifyIDToken makes every check of Core section 3.1.3.7, with 3.2.2.11 or
// 3.3.2.12 for a token from the browser.
func (c *Client) verifyIDToken(ctx context.Context, raw string, x expectation) (*IDToken, error) {
	return c.checkIDToken(ctx, c.p.env.checker(ctx, StepIDToken), raw, x)
}

func (c *Client) checkIDToken(ctx context.Context, k *checker, raw string, x expectation) (*IDToken, error) {
	v, signed, err := c.openIDToken(ctx, k, raw, x.tokenEndpoint)
	if err != nil {
		return nil, err
	}
	if err := checkType(k, v.Header.Type, "id_token+jwt"); err != nil {
		return nil, err
	}
	w, err := readClaims(v.Payload)
	if err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	if err := c.checkClaims(k, &w, v.Header.Alg, x); err != nil {
		return nil, err
	}
	if err := checkDemanded(k, v.Payload, x); err != nil {
		return nil, err
	}
	t := w.token(raw, v.Header.Alg, v.Payload)
	if signed != raw {
		t.inner = signed
	}
	t.quirks = c.c.Quirks
	if own := c.p.md().Issuer; own != t.Issuer {
		t.provider = own
	}
	return t, nil
}

// checkClaims makes the checks in the order of Core section 3.1.3.7. A checker
// that reports goes through all of them.
func (c *Client) checkClaims(k *checker, w *idClaims, alg string, x expectation) error {
	if err := c.checkIssuer(k, w); err != nil {
		return err
	}
	if err := c.checkAudience(k, w); err != nil {
		return err
	}
	if err := c.checkTimes(k, w); err != nil {
		return err
	}
	if err := checkSubject(k, w); err != nil {
		return err
	}
	if err := checkNonce(k, w, x); err != nil {
		return err
	}
	if err := c.checkAuthentication(k, w, x); err != nil {
		return err
	}
	return checkHashes(k, w, alg, x)
}

// openIDToken decrypts, if that was agreed, and verifies the signature (Core
// section 3.1.3.7 (1, 6, 7, 8)). signed is the token without its encryption.
func (c *Client) openIDToken(ctx context.Context, k *checker, raw string, tokenEndpoint bool) (v jose.Verified, signed string, err error) {
	if err := c.takesIDTokens(); err != nil {
		return jose.Verified{}, "", err
	}
	m := &c.c.Metadata
	signed, err = c.decryptIfAgreed(k, raw, m.IDTokenEncryptedResponseAlg, m.IDTokenEncryptedResponseEnc)
	if err != nil {
		return jose.Verified{}, "", err
	}
	if c.idTokenAlgs[0] == "none" {
		if err := k.that(tokenEndpoint, BadAlgorithm, "Core 3.1.3.7 (6)", "an unsigned token came from the token endpoint", "", ""); err != nil {
			return jose.Verified{}, "", err
		}
		if v, err = jose.ReadUnsigned(signed); err != nil {
			return jose.Verified{}, "", k.failed(signatureRefused(err), "the token is unsigned, as agreed")
		}
		return v, signed, nil
	}
	v, err = c.verifySignature(ctx, k, signed, c.idTokenAlgs)
	return v, signed, err
}

// takesIDTokens refuses what the OP signs for a client that has agreed on no
// algorithm, because its server is no OpenID Provider.
func (c *Client) takesIDTokens() error {
	if c.OpenID() {
		return nil
	}
	return &UnsupportedError{Feature: "ID Tokens and logout tokens", Detail: "the client has OAuthOnly, whose server gives none"}
}

// verifySignature verifies under one of algs: with the client secret for an HMAC
// (Core section 10.1), otherwise with the OP's keys. Which of the two is decided
// by what was agreed, never by the token.
func (c *Client) verifySignature(ctx context.Context, k *checker, raw string, algs []string) (v jose.Verified, err error) {
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
		return jose.Verified{}, k.failed(pe, "the signature is the OP's, by "+strings.Join(algs, " or "))
	}
	return v, k.that(true, BadSignature, "Core 3.1.3.7 (6, 7)", "the signature is the OP's, by the algorithm agreed", strings.Join(algs, " or "), v.Header.Alg)
}

// signatureRefused names the rule that internal/jose saw broken.
func signatureRefused(err error) *ProtocolError {
	if pe, ok := err.(*ProtocolError); ok {
		return pe
	}
	pe := &ProtocolError{Reason: BadSignature, Spec: "Core 3.1.3.7 (6)", Err: err}
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
	if pe, ok := errors.AsType[*ProtocolError](err); ok {
		return pe
	}
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
	other := false
	if strings.Contains(typ, "+") { // JWT, the usual one, is not worth its copy in lower case
		t := strings.TrimPrefix(strings.ToLower(typ), "application/")
		other = strings.HasSuffix(t, "+jwt") && !slices.Contains(own, t)
	}
	return k.that(!other, BadType, "RFC 8725 3.11", "typ is not another purpose's", "JWT", typ)
}

// checkIssuer is Core section 3.1.3.7 (2).
func (c *Client) checkIssuer(k *checker, w *idClaims) error {
	return c.p.checkTokenIssuer(k, w, "Core 3.1.3.7 (2)")
}

// checkAudience is Core section 3.1.3.7 (3, 4, 5).
func (c *Client) checkAudience(k *checker, w *idClaims) error {
	us := c.c.ID
	if err := k.that(slices.Contains(w.audience.values, us), BadAudience, "Core 3.1.3.7 (3)", "aud holds the client", us, strings.Join(w.audience.values, " ")); err != nil {
		return err
	}
	for _, a := range w.audience.values {
		if a != us && !slices.Contains(c.c.TrustedAudiences, a) {
			err := &ProtocolError{Reason: BadAudience, Spec: "Core 3.1.3.7 (3)",
				Detail: "aud also holds " + quote(a) + "; if it is trusted, name it in ClientConfig.TrustedAudiences"}
			if err := k.failed(err, "aud holds no strangers"); err != nil {
				return err
			}
		}
	}
	if len(w.audience.values) > 1 {
		if err := k.that(w.azp.there, BadAuthorizedParty, "Core 3.1.3.7 (4)", "several audiences come with azp", us, ""); err != nil {
			return err
		}
	}
	if !w.azp.there {
		return nil
	}
	return k.that(w.azp.value == us, BadAuthorizedParty, "Core 3.1.3.7 (5)", "azp is the client", us, w.azp.value)
}

// checkTimes is Core section 3.1.3.7 (9, 10) and RFC 7519 section 4.1.5. A token
// is good through the second exp + skew, and from the second iat - skew on.
func (c *Client) checkTimes(k *checker, w *idClaims) error {
	now, skew := c.p.env.now(), c.p.env.skew
	if err := k.that(w.expiry.there, MissingClaim, "Core 2", "exp is there", "exp", ""); err != nil {
		return err
	}
	if err := k.that(w.issuedAt.there, MissingClaim, "Core 2", "iat is there", "iat", ""); err != nil {
		return err
	}
	if exp := w.expiry.at; w.expiry.there {
		if err := k.tellIf(now.Sub(exp) <= skew, TokenExpired, "Core 3.1.3.7 (9)", "exp is not past", "it is ", exp, now); err != nil {
			return err
		}
	}
	if iat := w.issuedAt.at; w.issuedAt.there {
		if err := k.tellIf(iat.Sub(now) <= skew, TokenNotYetValid, "Core 3.1.3.7 (10)", "iat is not in the future", "it is ", iat, now); err != nil {
			return err
		}
		maxAge := c.c.MaxIDTokenAge
		if maxAge == 0 {
			maxAge = DefaultMaxIDTokenAge
		}
		if maxAge > 0 {
			if err := k.tellIf(now.Sub(iat)-skew <= maxAge, TokenTooOld, "Core 3.1.3.7 (10)", "iat is not too long ago", "it is ", iat, now); err != nil {
				return err
			}
		}
	}
	if w.notBefore.there {
		nbf := w.notBefore.at
		return k.tellIf(nbf.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", nbf, now)
	}
	return nil
}

// checkIssuedAt refuses a JWT of the future (RFC 7519 section 4.1.6).
func (e *env) checkIssuedAt(k *checker, w *idClaims) error {
	now := e.now()
	return k.tellIf(w.issuedAt.at.Sub(now) <= e.skew, TokenNotYetValid, "RFC 7519 4.1.6", "iat is not in the future", "it is ", w.issuedAt.at, now)
}

// checkLifetime is for a JWT that need not say how long it lives: exp and nbf count
// where they are there (RFC 7519 sections 4.1.4 and 4.1.5).
func (e *env) checkLifetime(k *checker, w *idClaims) error {
	now, skew := e.now(), e.skew
	if exp := w.expiry.at; w.expiry.there {
		if err := k.tellIf(now.Sub(exp) <= skew, TokenExpired, "RFC 7519 4.1.4", "exp is not past", "it is ", exp, now); err != nil {
			return err
		}
	}
	if nbf := w.notBefore.at; w.notBefore.there {
		return k.tellIf(nbf.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", nbf, now)
	}
	return nil
}

// checkSubject is Core section 2. It also refuses a security event in the place
// of an ID Token (Back-Channel Logout section 2.4).
func checkSubject(k *checker, w *idClaims) error {
	sub := w.subject.value
	if err := k.that(sub != "" && len(sub) <= MaxSubject, BadSubject, "Core 2", "sub is there, of at most 255 bytes", "", ""); err != nil {
		return err
	}
	return k.that(w.events == "", BadType, "Back-Channel Logout 2.4", "there is no events claim", "", "")
}

// checkNonce is Core section 3.1.3.7 (11). The value is a secret, so none is told.
func checkNonce(k *checker, w *idClaims, x expectation) error {
	if x.anyNonce {
		return nil
	}
	return k.that(x.nonce != "" && w.nonce.there && subtle.ConstantTimeCompare([]byte(w.nonce.value), []byte(x.nonce)) == 1,
		BadNonce, "Core 3.1.3.7 (11)", "nonce is the one sent", "", "")
}

// checkAuthentication is Core section 3.1.3.7 (12, 13).
func (c *Client) checkAuthentication(k *checker, w *idClaims, x expectation) error {
	if len(x.acr) > 0 {
		if err := k.that(w.acr.there && slices.Contains(x.acr, w.acr.value), BadACR, "Core 3.1.3.7 (12)", "acr is one that was demanded",
			strings.Join(x.acr, " "), w.acr.value); err != nil {
			return err
		}
	}
	now, skew := c.p.env.now(), c.p.env.skew
	if x.maxAge != nil || c.c.Metadata.RequireAuthTime {
		if err := k.that(w.authTime.there, BadAuthTime, "Core 2", "auth_time is there", "auth_time", ""); err != nil {
			return err
		}
	}
	if !w.authTime.there {
		return nil
	}
	at := w.authTime.at
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
		claim  textClaim
		value  string
		needed bool
		reason Reason
		name   string
		title  string
		spec   string
	}{
		{w.atHash, x.accessToken, x.needTokenHash, BadAccessTokenHash, "at_hash", "at_hash is the access token's", "Core 3.2.2.9"},
		{w.cHash, x.code, x.needCodeHash, BadCodeHash, "c_hash", "c_hash is the code's", "Core 3.3.2.11"},
		{w.sHash, x.state, x.needStateHash, BadStateHash, "s_hash", "s_hash is the state's", "FAPI 1.0 Part 2, 5.1"},
	} {
		if !h.claim.there || h.value == "" {
			if h.needed {
				if err := k.that(h.claim.there, h.reason, h.spec, h.name+" is there", h.name, ""); err != nil {
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
			return k.failed(&ProtocolError{Reason: h.reason, Spec: h.spec, Detail: err.Error(), Err: err}, h.title)
		}
		if err := k.that(subtle.ConstantTimeCompare([]byte(h.claim.value), []byte(want)) == 1, h.reason, h.spec, h.title, "", ""); err != nil {
			return err
		}
	}
	return nil
}

// newIDToken reads the claims of a token that was verified before.
func newIDToken(raw, alg, claims string) (*IDToken, error) {
	w, err := readClaims(claims)
	if err != nil {
		return nil, err
	}
	if w.issuer.value == "" || w.subject.value == "" {
		return nil, errors.New("iss or sub is missing")
	}
	return w.token(raw, alg, claims), nil
}

func (w *idClaims) token(raw, alg, claims string) *IDToken {
	return &IDToken{
		Issuer:    w.issuer.value,
		Subject:   w.subject.value,
		Audience:  w.audience.values,
		Expiry:    w.expiry.at,
		IssuedAt:  w.issuedAt.at,
		AuthTime:  w.authTime.known(),
		Nonce:     w.nonce.value,
		ACR:       w.acr.value,
		AMR:       w.amr.values,
		AZP:       w.azp.value,
		SessionID: w.sid.value,
		raw:       raw,
		alg:       alg,
		claims:    claims,
	}
}

// known is the time, or zero for the 0 that some OPs write for unknown.
func (c timeClaim) known() time.Time {
	if c.at.Unix() == 0 {
		return time.Time{}
	}
	return c.at
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

// Format prints what there is to compare with, and no value.
func (e ExpectedIDToken) Format(f fmt.State, _ rune) {
	redact(f, "oidc.ExpectedIDToken", "Nonce", present(e.Nonce), "AccessToken", present(e.AccessToken), "Code", present(e.Code))
}

// LogValue is what slog logs: no value.
func (e ExpectedIDToken) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(e)) }

// MarshalJSON writes what there is to compare with, and no value.
func (e ExpectedIDToken) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprint(e)) }

// VerifyIDToken verifies an ID Token that came another way than by Begin and
// Finish, for instance from a native library of the OP. All checks of Core
// section 3.1.3.7 apply.
func (c *Client) VerifyIDToken(ctx context.Context, raw string, e ExpectedIDToken) (_ *IDToken, err error) {
	ctx, call := c.call(ctx, "VerifyIDToken")
	defer call.end(&err)
	if e.Nonce == "" && !e.InsecureAnyNonce {
		return nil, &InputError{Reason: BadParameter, Field: "ExpectedIDToken.Nonce", Detail: "it is empty; without a nonce a stolen token can be replayed"}
	}
	return c.verifyIDToken(ctx, raw, expectation{nonce: e.Nonce, anyNonce: e.Nonce == "", accessToken: e.AccessToken, code: e.Code, maxAge: e.MaxAge, acr: e.ACR})
}
