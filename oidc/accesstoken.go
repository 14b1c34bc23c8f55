package oidc

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"rely.example/internal/jose"
	"rely.example/internal/strictjson"
)

// Defaults and bounds of access tokens.
const (
	// DefaultMaxAccessTokenAge is how long ago an access token may have been
	// issued, whatever its exp says.
	DefaultMaxAccessTokenAge = 24 * time.Hour
	// MaxScopes is how many scopes one access token may have.
	MaxScopes = 256
)

// AccessToken is a verified JWT access token (RFC 9068). One exists only after
// every check was passed, the binding to who presents it among them. It must not
// be changed: others may hold it too.
type AccessToken struct {
	Issuer string
	// Subject is who the token is about: a user, or the client itself where no
	// user takes part.
	Subject string
	// ClientID is the client that the token was issued to.
	ClientID string
	// ID is jti.
	ID       string
	Audience []string
	Scopes   []string
	Expiry   time.Time
	IssuedAt time.Time
	// AuthTime is when the user logged in, ACR and AMR how; zero if the OP does
	// not say.
	AuthTime time.Time
	ACR      string
	AMR      []string
	// KeyThumbprint is cnf.jkt: the token belongs to the holder of this key, who
	// presented it (RFC 9449 section 6.1). "" if it is bound to none.
	KeyThumbprint string
	// CertificateThumbprint is cnf.x5t#S256: the token belongs to the holder of
	// this certificate, who presented it (RFC 8705 section 3.1).
	CertificateThumbprint string

	alg    string
	claims string // the verified payload
}

// Claims decodes all claims into v, a pointer to a struct or map, strictly.
func (t *AccessToken) Claims(v any) error { return strictjson.Unmarshal([]byte(t.claims), v) }

// Algorithm is what the token was signed with, e.g. "RS256".
func (t *AccessToken) Algorithm() string { return t.alg }

// Identity is who the token is about. A client's own token has the client as its
// subject; see ClientID.
func (t *AccessToken) Identity() Identity { return Identity{t.Issuer, t.Subject} }

// HasScope reports whether the token has a scope, exactly.
func (t *AccessToken) HasScope(scope string) bool { return slices.Contains(t.Scopes, scope) }

// Format prints who and what the token is for, and not the token.
func (t AccessToken) Format(f fmt.State, _ rune) {
	redact(f, "oidc.AccessToken", "Issuer", t.Issuer, "Subject", t.Subject, "ClientID", t.ClientID, "Scopes", strings.Join(t.Scopes, " "), "Expiry", timeText(t.Expiry))
}

// LogValue is what slog logs: who and what the token is for, and not the token.
func (t AccessToken) LogValue() slog.Value {
	return slog.GroupValue(slog.String("iss", printable(t.Issuer)), slog.String("sub", printable(t.Subject)),
		slog.String("client_id", printable(t.ClientID)), slog.Time("exp", t.Expiry))
}

// AccessTokenConfig says which access tokens a resource server accepts.
type AccessTokenConfig struct {
	// Audiences are the names of this resource server: aud must hold one of them.
	// Required; mostly one, the URL of the API.
	Audiences []string

	// Algorithms are what tokens may be signed with. Nil means the asymmetric
	// algorithms that the OP announces for ID Tokens, or RS256 if it announces
	// none. They are pinned when the verifier is made.
	Algorithms []string

	// MaxAge is how long ago a token may have been issued. Zero means
	// DefaultMaxAccessTokenAge, a negative value no limit but exp. Of a token that
	// is introspected the OP says each time whether it is good.
	MaxAge time.Duration

	// RequireBinding refuses tokens that are bound to no key and no certificate,
	// so that a stolen one is worth nothing (FAPI 2.0 section 5.3.4).
	RequireBinding bool

	// Introspect is the client that asks the OP about tokens that are no JWT (RFC
	// 7662), one call for each request. Nil refuses such tokens. It must be a
	// client at the same OP.
	Introspect *Client

	// Quirks loosen single rules; those whose names begin with AccessToken count.
	Quirks Quirks

	// Remember is how many validated tokens are kept in memory, so that the next
	// request with the same one costs no signature. Times and binding are checked
	// every time, and a key that the OP withdraws counts for RememberedFor at most.
	// Zero means none.
	Remember int
}

// Presenter is what was proven of who presents an access token. The zero value
// has proven nothing: a token that is bound to a key or certificate is refused
// then.
type Presenter struct {
	// KeyThumbprint is the RFC 7638 thumbprint of the key whose DPoP proof was
	// verified for this request and this token (RFC 9449 section 4.3).
	KeyThumbprint string
	// CertificateThumbprint is the base64url SHA-256 hash of the certificate that
	// the TLS client has shown and holds the key of (RFC 8705 section 3).
	CertificateThumbprint string
}

// AccessTokenVerifier verifies the access tokens of one OP for one resource
// server; of an OP with Options.Tenants those of the tenants that are allowed. It is safe for concurrent use. Package resource makes middleware of it.
type AccessTokenVerifier struct {
	p    *Provider
	c    AccessTokenConfig
	algs []string
	kept *tokenCache
}

// NewAccessTokenVerifier makes a verifier of p's access tokens.
func NewAccessTokenVerifier(p *Provider, config AccessTokenConfig) (*AccessTokenVerifier, error) {
	bad := func(field, detail string) (*AccessTokenVerifier, error) {
		return nil, &InputError{Reason: BadConfig, Field: "AccessTokenConfig." + field, Detail: detail}
	}
	if p == nil {
		return nil, &InputError{Reason: BadConfig, Field: "Provider", Detail: "it is nil"}
	}
	config.Audiences = slices.Clone(config.Audiences)
	if len(config.Audiences) == 0 || slices.Contains(config.Audiences, "") {
		return bad("Audiences", "name this resource server; a token for another one is not to be accepted")
	}
	v := &AccessTokenVerifier{p: p, c: config}
	switch {
	case config.Algorithms != nil:
		for _, alg := range config.Algorithms {
			if !asymmetric(alg) {
				// A secret that OP and API share is one that each API could forge with.
				return bad("Algorithms", quote(alg)+" is no asymmetric algorithm that is supported")
			}
			v.algs = append(v.algs, alg)
		}
	default:
		for _, alg := range p.md().IDTokenSigningAlgValuesSupported {
			if asymmetric(alg) {
				v.algs = append(v.algs, alg)
			}
		}
		if len(p.md().IDTokenSigningAlgValuesSupported) == 0 {
			v.algs = []string{"RS256"} // RFC 9068 section 2.1
		}
	}
	if len(v.algs) == 0 {
		return bad("Algorithms", "none is known; say what the OP signs access tokens with")
	}
	if config.Introspect != nil && config.Introspect.p.Issuer() != p.Issuer() {
		return bad("Introspect", "it is a client of another OP")
	}
	if v.c.MaxAge == 0 {
		v.c.MaxAge = DefaultMaxAccessTokenAge
	}
	if config.Remember < 0 {
		return bad("Remember", "it is negative")
	}
	if config.Remember > 0 {
		v.kept = newTokenCache(config.Remember)
	}
	return v, nil
}

// Provider returns the OP whose tokens are verified.
func (v *AccessTokenVerifier) Provider() *Provider { return v.p }

// Remembered is how many validated tokens are in memory now.
func (v *AccessTokenVerifier) Remembered() int {
	if v.kept == nil {
		return 0
	}
	return v.kept.len()
}

// Verify makes every check of RFC 9068 section 4, in this order: the signature,
// by a key of the OP and an algorithm agreed; typ; iss; aud; exp, iat and nbf;
// sub, client_id, jti and scope; then the binding to who presents the token. Nothing
// is asked of the OP but, when they are needed, its keys. A token that is no JWT is
// introspected, if the configuration says so; then active comes first.
//
// A *ProtocolError says what is wrong with the token. KeysUnavailable says nothing
// about the token: it is not known to be good.
func (v *AccessTokenVerifier) Verify(ctx context.Context, raw string, by Presenter) (_ *AccessToken, err error) {
	ctx, call := v.p.call(ctx, "Verify")
	defer call.end(&err)
	k := v.p.env.checker(ctx, StepAccessToken)
	if v.c.Introspect != nil && opaque(raw) {
		return v.verifyOpaque(ctx, k, raw, by)
	}
	if v.kept != nil {
		if t := v.kept.find(raw, v.p.env.now()); t != nil {
			if err := v.checkAgain(k, t, by); err != nil {
				return nil, err
			}
			return t, nil
		}
	}
	signed, err := v.verifySignature(ctx, k, raw)
	if err != nil {
		return nil, err
	}
	if err := v.checkType(k, signed.Header.Type); err != nil {
		return nil, err
	}
	w, err := readAccessClaims(signed.Payload, v.c.Quirks)
	if err != nil {
		return nil, k.failed(badPayload(err), "the claims are JSON of the right types")
	}
	if err := v.checkClaims(k, &w, by); err != nil {
		return nil, err
	}
	t := w.token(signed.Header.Alg, signed.Payload)
	if v.kept != nil {
		v.kept.add(raw, t, v.p.env.now())
	}
	return t, nil
}

// verifySignature is RFC 9068 section 4 (3, 4): alg is one that was agreed and not
// none, the key is one of the OP's metadata.
func (v *AccessTokenVerifier) verifySignature(ctx context.Context, k *checker, raw string) (jose.Verified, error) {
	signed, err := v.p.state.Load().keys.Verify(ctx, raw, v.algs)
	if err != nil && v.movedKeys(ctx, err) {
		signed, err = v.p.state.Load().keys.Verify(ctx, raw, v.algs)
	}
	if err != nil {
		pe := signatureRefused(err)
		switch pe.Reason {
		case BadAlgorithm:
			pe.Spec, pe.Detail = "RFC 9068 4", pe.Detail+"; the algorithms are in AccessTokenConfig.Algorithms"
		case BadSignature, UnknownKey:
			pe.Spec = "RFC 9068 4"
		}
		return signed, k.failed(pe, "the signature is the OP's, by "+strings.Join(v.algs, " or "))
	}
	return signed, k.that(true, BadSignature, "RFC 9068 4", "the signature is the OP's, by an algorithm agreed", "", signed.Header.Alg)
}

// movedKeys looks, when no key fits and the metadata is old, whether the OP's
// keys are elsewhere now. Nobody begins logins at a resource server, so that
// nothing else would fetch the metadata anew.
func (v *AccessTokenVerifier) movedKeys(ctx context.Context, err error) bool {
	switch signatureRefused(err).Reason {
	case UnknownKey, KeysUnavailable:
	default:
		return false
	}
	before := v.p.state.Load().keys
	v.p.freshen(ctx)
	return v.p.state.Load().keys != before
}

// checkType is RFC 9068 section 4 (1): without it an ID Token, whose aud is a
// client's, could pass for an access token where the two names are one.
func (v *AccessTokenVerifier) checkType(k *checker, typ string) error {
	own := typ == "at+jwt"
	if !own {
		t := strings.TrimPrefix(strings.ToLower(typ), "application/")
		own = t == "at+jwt" || v.c.Quirks.AccessTokenAnyType && (t == "" || t == "jwt")
	}
	return k.that(own, BadType, "RFC 9068 4", "typ is an access token's", "at+jwt", typ)
}

func (v *AccessTokenVerifier) checkClaims(k *checker, w *accessClaims, by Presenter) error {
	if err := v.p.checkTokenIssuer(k, &w.idClaims, "RFC 9068 4"); err != nil {
		return err
	}
	ours := slices.ContainsFunc(w.audience.values, func(a string) bool { return slices.Contains(v.c.Audiences, a) })
	if !ours || k.wantsDetail() {
		if err := k.that(ours, BadAudience, "RFC 9068 4", "aud holds this resource server",
			strings.Join(v.c.Audiences, " or "), strings.Join(w.audience.values, " ")); err != nil {
			return err
		}
	}
	if v.c.Quirks.AccessTokenAnyType {
		// Its own typ would have told it from an ID Token or a logout token.
		if err := k.that(!w.otherKind, BadType, "RFC 8725 3.12", "there is no nonce, at_hash or events claim", "", ""); err != nil {
			return err
		}
	}
	if err := k.that(w.expiry.there, MissingClaim, "RFC 9068 2.2", "exp is there", "exp", ""); err != nil {
		return err
	}
	if err := k.that(w.issuedAt.there, MissingClaim, "RFC 9068 2.2", "iat is there", "iat", ""); err != nil {
		return err
	}
	if err := v.checkTimes(k, w.expiry.at, w.issuedAt.at, w.notBefore); err != nil {
		return err
	}
	sub := w.subject.value
	if err := k.that(sub != "" && len(sub) <= MaxSubject, BadSubject, "RFC 9068 2.2", "sub is there, of at most 255 bytes", "", ""); err != nil {
		return err
	}
	if err := k.that(w.clientID.value != "", MissingClaim, "RFC 9068 2.2", "client_id is there", "client_id", ""); err != nil {
		return err
	}
	if !v.c.Quirks.AccessTokenNoID {
		if err := k.that(w.jti.value != "", MissingClaim, "RFC 9068 2.2", "jti is there", "jti", ""); err != nil {
			return err
		}
	}
	return v.checkBinding(k, w.jkt.value, w.x5t.value, w.otherBinding, by)
}

// checkAgain is for a token whose signature and claims were verified before.
func (v *AccessTokenVerifier) checkAgain(k *checker, t *AccessToken, by Presenter) error {
	if err := v.checkTimes(k, t.Expiry, t.IssuedAt, timeClaim{}); err != nil {
		return err
	}
	return v.checkBinding(k, t.KeyThumbprint, t.CertificateThumbprint, false, by)
}

func (v *AccessTokenVerifier) checkTimes(k *checker, exp, iat time.Time, nbf timeClaim) error {
	now, skew := v.p.env.now(), v.p.env.skew
	if err := k.tellIf(now.Sub(exp) <= skew, TokenExpired, "RFC 9068 4", "exp is not past", "it is ", exp, now); err != nil {
		return err
	}
	if err := k.tellIf(iat.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.6", "iat is not in the future", "it is ", iat, now); err != nil {
		return err
	}
	if v.c.MaxAge > 0 {
		if err := k.tellIf(now.Sub(iat)-skew <= v.c.MaxAge, TokenTooOld, "RFC 9068 2.2", "iat is not too long ago", "it is ", iat, now); err != nil {
			return err
		}
	}
	if !nbf.there {
		return nil
	}
	return k.tellIf(nbf.at.Sub(now) <= skew, TokenNotYetValid, "RFC 7519 4.1.5", "nbf is not in the future", "it is ", nbf.at, now)
}

// checkBinding ties the token to who presents it: RFC 9449 section 7.1 and RFC
// 8705 section 3. It goes both ways: a bound token as a bearer's is stolen, and a
// proof beside a token that is not bound to its key proves nothing.
func (v *AccessTokenVerifier) checkBinding(k *checker, jkt, x5t string, other bool, by Presenter) error {
	// RFC 7800 section 3.1: a confirmation that is not understood cannot be ignored.
	if err := k.that(!other, BadBinding, "RFC 7800 3.1", "the token is bound by a method that is known", "jkt or x5t#S256", "another one"); err != nil {
		return err
	}
	if jkt != "" || by.KeyThumbprint != "" {
		if err := k.that(jkt == by.KeyThumbprint, BadBinding, "RFC 9449 7.1", "the key of the DPoP proof is the token's", orNone(jkt), orNone(by.KeyThumbprint)); err != nil {
			return err
		}
	}
	if x5t != "" {
		if err := k.that(x5t == by.CertificateThumbprint, BadBinding, "RFC 8705 3", "the certificate of the connection is the token's", x5t, orNone(by.CertificateThumbprint)); err != nil {
			return err
		}
	}
	if !v.c.RequireBinding {
		return nil
	}
	return k.that(jkt != "" || x5t != "", BadBinding, "FAPI 2.0 5.3.4", "the token is bound to who presents it", "jkt or x5t#S256", "neither")
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// accessClaims are the claims that are checked, each with whether it is there.
type accessClaims struct {
	idClaims
	clientID, jkt, x5t textClaim
	scopes             []string
	// otherKind: there is a claim that access tokens do not have.
	otherKind bool
	// otherBinding: there is a cnf, with none of the methods that we know.
	otherBinding bool
}

// readAccessClaims reads verified bytes, strictly, as readClaims does.
func readAccessClaims(payload string, q Quirks) (w accessClaims, err error) {
	err = strictjson.Scan(payload, func(name, value string) error {
		if value == "null" && name != "events" {
			return nil
		}
		switch name {
		case "iss":
			return w.issuer.read(name, value)
		case "sub":
			return w.subject.read(name, value)
		case "acr":
			return w.acr.read(name, value)
		case "jti":
			return w.jti.read(name, value)
		case "client_id":
			return w.clientID.read(name, value)
		case "azp", "appid", "cid":
			if q.AccessTokenClientID == name && !w.clientID.there {
				return w.clientID.read(name, value)
			}
		case "scope":
			return w.readScope(name, value, false)
		case "scp":
			if q.AccessTokenScp {
				return w.readScope(name, value, true)
			}
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
		case "cnf":
			return w.readConfirmation(value)
		case "tid":
			w.tenant = value
		case "nonce", "at_hash", "c_hash", "s_hash", "events":
			w.otherKind = true
		}
		return nil
	})
	return w, err
}

// readScope reads RFC 8693 section 4.2, and the list that some OPs write.
func (w *accessClaims) readScope(name, value string, listToo bool) error {
	text, ok := strictjson.Text(value)
	switch {
	case ok:
		if strings.Count(text, " ") >= MaxScopes {
			return &ProtocolError{Reason: BadClaim, Spec: "RFC 9068 2.2.3", Detail: name + " has too many scopes"}
		}
		w.scopes = strings.Fields(text)
	case listToo:
		if w.scopes, ok = strictjson.AppendList(nil, value); !ok || len(w.scopes) > MaxScopes {
			return wrongType(name, "string or list of strings")
		}
	default:
		return wrongType(name, "string")
	}
	return nil
}

// readConfirmation reads cnf (RFC 7800 section 3.1).
func (w *accessClaims) readConfirmation(value string) error {
	if !strings.HasPrefix(value, "{") {
		return wrongType("cnf", "object")
	}
	err := strictjson.Scan(value, func(name, value string) error {
		switch name {
		case "jkt":
			return w.jkt.read("cnf.jkt", value)
		case "x5t#S256":
			return w.x5t.read("cnf.x5t#S256", value)
		}
		return nil
	})
	w.otherBinding = w.jkt.value == "" && w.x5t.value == ""
	return err
}

func (w *accessClaims) token(alg, claims string) *AccessToken {
	return &AccessToken{
		Issuer: w.issuer.value, Subject: w.subject.value, ClientID: w.clientID.value, ID: w.jti.value,
		Audience: w.audience.values, Scopes: w.scopes, Expiry: w.expiry.at, IssuedAt: w.issuedAt.at,
		AuthTime: w.authTime.known(), ACR: w.acr.value, AMR: w.amr.values,
		KeyThumbprint: w.jkt.value, CertificateThumbprint: w.x5t.value,
		alg: alg, claims: claims,
	}
}

// MarshalJSON writes who and what the token is for, and not the token.
func (t AccessToken) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Issuer   string    `json:"iss"`
		Subject  string    `json:"sub"`
		ClientID string    `json:"client_id"`
		Scopes   []string  `json:"scopes,omitempty"`
		Expiry   time.Time `json:"expiry"`
	}{t.Issuer, t.Subject, t.ClientID, t.Scopes, t.Expiry})
}
