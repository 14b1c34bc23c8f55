package oidctest

import (
	"crypto"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// dpopAlgs are the algorithms of DPoP proofs.
func dpopAlgs() []string {
	return []string{"ES256", "ES384", "ES512", "PS256", "EdDSA", "Ed25519"}
}

// proofAge is how far the iat of a proof may be from the OP's time (RFC 9449,
// section 11.1).
const proofAge = time.Minute

// RotateDPoPNonce makes another nonce the one that proofs must have, as an OP does
// every few minutes.
func (op *OP) RotateDPoPNonce() {
	op.mu.Lock()
	defer op.mu.Unlock()
	op.dpopNonce = op.random(12)
}

// readProof checks the DPoP proof of a token request (RFC 9449, section 5) and
// notes its key in x.jkt. Without one the client gets bearer tokens, if it may.
func (x *exchange) readProof() *reply {
	if len(x.r.Header.Values("DPoP")) == 0 {
		if x.client.DPoPBound {
			return oauthError(http.StatusBadRequest, "invalid_dpop_proof", "the client is registered for DPoP-bound tokens and sent no proof (RFC 9449, 5.2)")
		}
		return nil
	}
	jkt, nonce, err := x.checkProof("")
	if err != nil {
		return oauthError(http.StatusBadRequest, "invalid_dpop_proof", err.Error())
	}
	if rep := x.checkNonce(nonce, oauthError(http.StatusBadRequest, "use_dpop_nonce", "the proof needs the nonce of DPoP-Nonce (RFC 9449, 8)")); rep != nil {
		return rep
	}
	x.jkt = jkt
	return nil
}

// checkNonce compares the nonce of a proof, and returns refusal, with the right one
// in it, if it is another.
func (x *exchange) checkNonce(nonce string, refusal *reply) *reply {
	op := x.op
	if !op.c.DPoPNonce && !x.askNonce {
		return nil
	}
	op.mu.Lock()
	defer op.mu.Unlock()
	if op.dpopNonce == "" {
		op.dpopNonce = op.random(12)
	}
	if nonce == op.dpopNonce {
		return nil
	}
	refusal.header.Set("DPoP-Nonce", op.dpopNonce)
	return refusal
}

// checkProof checks a proof as RFC 9449, section 4.3, lists it, and returns the
// thumbprint of its key and its nonce. accessToken is the one that it is sent
// with, or "".
func (x *exchange) checkProof(accessToken string) (jkt, nonce string, err error) {
	bad := func(format string, args ...any) (string, string, error) {
		return "", "", fmt.Errorf(format+" (RFC 9449, 4.3)", args...)
	}
	fields := x.r.Header.Values("DPoP")
	if len(fields) != 1 {
		return bad("there are %d DPoP fields, not one", len(fields))
	}
	var algs []jose.SignatureAlgorithm
	for _, a := range dpopAlgs() {
		algs = append(algs, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(fields[0], algs)
	if err != nil {
		return bad("the proof is no JWT of a supported algorithm: %v", err)
	}
	header := jws.Signatures[0].Protected
	if typ, _ := header.ExtraHeaders[jose.HeaderType].(string); typ != "dpop+jwt" {
		return bad("typ is %q, not dpop+jwt", typ)
	}
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || !header.JSONWebKey.Valid() {
		return bad("jwk is no public key")
	}
	payload, ok := verifyProof(jws, fields[0])
	if !ok {
		return bad("the signature is not by the key in jwk")
	}
	var claims struct {
		Jti, Htm, Htu, Ath, Nonce string
		Iat                       *int64
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		return bad("its claims have the wrong types")
	}
	target := x.op.site.scheme + "://" + x.r.Host + x.r.URL.EscapedPath()
	switch {
	case claims.Jti == "":
		return bad("jti is missing")
	case claims.Htm != x.r.Method:
		return bad("htm is %q, the method is %s", claims.Htm, x.r.Method)
	case claims.Htu != target:
		return bad("htu is %q, the URL without query is %s", claims.Htu, target)
	case claims.Iat == nil:
		return bad("iat is missing")
	}
	if age := x.now.Sub(time.Unix(*claims.Iat, 0)); age > proofAge || age < -proofAge {
		return bad("iat is %v ago", age)
	}
	if sum := sha256.Sum256([]byte(accessToken)); accessToken != "" && claims.Ath != b64(sum[:]) {
		return bad("ath is not the hash of the access token")
	}
	x.op.mu.Lock()
	defer x.op.mu.Unlock()
	if _, used := x.op.proofs.get(claims.Jti, x.now); used {
		return bad("jti was used before")
	}
	x.op.proofs.put(claims.Jti, true, x.now.Add(2*proofAge))
	thumb, err := header.JSONWebKey.Thumbprint(crypto.SHA256)
	if err != nil {
		return bad("jwk has no thumbprint")
	}
	return b64(thumb), claims.Nonce, nil
}

// verifyProof verifies a proof with the key in it. go-jose knows Ed25519 by its
// old name alone (RFC 9864, section 2.2).
func verifyProof(jws *jose.JSONWebSignature, text string) ([]byte, bool) {
	s := jws.Signatures[0]
	if key, ok := s.Protected.JSONWebKey.Key.(ed25519.PublicKey); ok && s.Protected.Algorithm == "Ed25519" {
		return jws.UnsafePayloadWithoutVerification(), ed25519.Verify(key, []byte(text[:strings.LastIndexByte(text, '.')]), s.Signature)
	}
	payload, err := jws.Verify(s.Protected.JSONWebKey)
	return payload, err == nil
}

// tokenType is the token_type of a token response (RFC 9449, section 5).
func (x *exchange) tokenType() string {
	if x.jkt != "" {
		return "DPoP"
	}
	return "Bearer"
}

// refreshKey is what a refresh token is bound to: the key or certificate of a
// public client; a confidential client authenticates (RFC 9449, section 5; RFC
// 8705, section 4).
func (x *exchange) refreshKey() string {
	if x.client.authMethod() == "none" {
		return x.binding()
	}
	return ""
}

// presented reads the access token of a request to a resource, and whether it
// came under the scheme DPoP (RFC 9449, section 7.1).
func (x *exchange) presented() (token string, bound bool, rep *reply) {
	fields := x.r.Header.Values("Authorization")
	if i := slices.IndexFunc(fields, func(f string) bool { return len(f) > 5 && strings.EqualFold(f[:5], "DPoP ") }); i >= 0 {
		if len(fields) > 1 || x.form.Has("access_token") {
			return "", false, bearerError(http.StatusBadRequest, "invalid_request", "the access token was sent more than once (RFC 6750, 2)")
		}
		return strings.TrimSpace(fields[i][5:]), true, nil
	}
	token, rep = x.bearer()
	return token, false, rep
}

// checkBinding checks that a token came as it must: a bound one with a proof of
// its key, another one without (RFC 9449, sections 7.1 and 7.2).
func (x *exchange) checkBinding(t *accessToken, token string, bound bool) *reply {
	switch {
	case strings.HasPrefix(t.bound, boundToCertificate):
		if bound || x.certificateBinding() != t.bound {
			return bearerError(http.StatusUnauthorized, "invalid_token", "the access token is bound to another certificate than the one shown (RFC 8705, 3)")
		}
		return nil
	case t.bound == "" && bound:
		return dpopError("invalid_token", "the access token is bound to no key")
	case t.bound == "":
		return nil
	case !bound:
		return dpopError("invalid_token", "the access token is bound to a key, and came as a bearer token (RFC 9449, 7.2)")
	}
	jkt, nonce, err := x.checkProof(token)
	if err != nil {
		return dpopError("invalid_dpop_proof", err.Error())
	}
	if rep := x.checkNonce(nonce, dpopError("use_dpop_nonce", "the proof needs the nonce of DPoP-Nonce (RFC 9449, 9)")); rep != nil {
		return rep
	}
	if jkt != t.bound {
		return dpopError("invalid_token", "the proof is of another key than the access token")
	}
	return nil
}

// dpopError is the answer of RFC 9449, section 7.1.
func dpopError(code, description string) *reply {
	rep := jsonReply(http.StatusUnauthorized, map[string]any{"error": code, "error_description": description}).private()
	rep.header.Set("WWW-Authenticate", `DPoP algs="`+strings.Join(dpopAlgs(), " ")+`", error="`+code+`", error_description="`+strings.ReplaceAll(description, `"`, `'`)+`"`)
	return rep
}
