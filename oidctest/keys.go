package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // for crypto.Hash.New
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"sync"

	"github.com/go-jose/go-jose/v4"
)

// SigningAlgs returns the algorithms that the OP can sign with, the default
// first. HS* is keyed with the secret of the client.
func SigningAlgs() []string {
	return []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512"}
}

const (
	rsaBits = 2048
	keyUse  = "sig"
)

// signer is one key of the OP.
type signer struct {
	kid string
	alg string // of its JWK; empty for RSA, which serves RS* and PS*
	key crypto.Signer
}

// keyring holds the keys of the OP. RSA is made when it is first needed.
type keyring struct {
	mu         sync.Mutex
	generation int
	given      *rsa.PrivateKey   // the RSA key of the first generation, or nil
	later      []*rsa.PrivateKey // those of the next ones, in turn; may be empty
	current    []signer
	earlier    []signer // no longer used to sign and still published
	nonce      string   // makes the kids of two OPs different

	sealing *ecdsa.PrivateKey // opens encrypted request objects; nil until it is needed
}

func newKeyring(given *rsa.PrivateKey, later []*rsa.PrivateKey) *keyring {
	return &keyring{given: given, later: slices.Clone(later), nonce: rand.Text()[:8]}
}

// families are the kinds of key, named by the algorithm of their JWK.
func families() []string { return []string{"RSA", "ES256", "ES384", "ES512", "EdDSA"} }

// family returns the kind of key that an algorithm needs.
func family(alg string) string {
	if len(alg) == 5 && (alg[:2] == "RS" || alg[:2] == "PS") {
		return "RSA"
	}
	return alg
}

// signer returns the current key of a family, and makes it if there is none.
func (k *keyring) signer(fam string) (signer, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if i := slices.IndexFunc(k.current, func(s signer) bool { return s.family() == fam }); i >= 0 {
		return k.current[i], nil
	}
	s := signer{kid: fmt.Sprintf("%s-%s-%d", fam, k.nonce, k.generation), alg: fam}
	var err error
	switch fam {
	case "RSA":
		s.alg = ""
		switch {
		case k.given != nil && k.generation == 0:
			s.key = k.given
		case k.generation > 0 && len(k.later) > 0:
			s.key = k.later[(k.generation-1)%len(k.later)]
		default:
			s.key, err = rsa.GenerateKey(rand.Reader, rsaBits)
		}
	case "ES256":
		s.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		s.key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		s.key, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, s.key, err = ed25519.GenerateKey(rand.Reader)
	default:
		return signer{}, fmt.Errorf("oidctest: no key signs with %q", fam)
	}
	if err != nil {
		return signer{}, fmt.Errorf("oidctest: make a key: %w", err)
	}
	k.current = append(k.current, s)
	return s, nil
}

func (s signer) family() string {
	if s.alg == "" {
		return "RSA"
	}
	return s.alg
}

// jwk is the public key as a JWK (RFC 7517).
func (s signer) jwk() (map[string]any, error) {
	b, err := jose.JSONWebKey{Key: s.key.Public(), KeyID: s.kid, Algorithm: s.alg, Use: keyUse}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("oidctest: write a JWK: %w", err)
	}
	m := map[string]any{}
	return m, json.Unmarshal(b, &m)
}

// opener returns the key that opens encrypted request objects, and makes it if
// there is none. It is not rotated.
func (k *keyring) opener() (jose.JSONWebKey, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.sealing == nil {
		var err error
		if k.sealing, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return jose.JSONWebKey{}, fmt.Errorf("oidctest: make a key: %w", err)
		}
	}
	return jose.JSONWebKey{Key: k.sealing, KeyID: "enc-" + k.nonce, Use: "enc"}, nil
}

// public returns the keys to publish.
func (k *keyring) public() ([]any, error) {
	for _, f := range families() {
		if _, err := k.signer(f); err != nil {
			return nil, err
		}
	}
	enc, err := k.opener()
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	var set []any
	for _, s := range slices.Concat(k.current, k.earlier) {
		m, err := s.jwk()
		if err != nil {
			return nil, err
		}
		set = append(set, m)
	}
	b, err := enc.Public().MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("oidctest: write a JWK: %w", err)
	}
	m := map[string]any{}
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, fmt.Errorf("oidctest: write a JWK: %w", err)
	}
	return append(set, m), nil
}

// maxGenerations is how many withdrawn generations stay published.
const maxGenerations = 8

// RotateKeys makes new keys sign from now on. The earlier keys stay published,
// as a provider leaves them while tokens signed by them are about, until
// [OP.WithdrawKeys].
func (op *OP) RotateKeys() {
	k := op.keys
	k.mu.Lock()
	defer k.mu.Unlock()
	k.earlier = slices.Concat(k.current, k.earlier)
	k.earlier = k.earlier[:min(len(k.earlier), maxGenerations*len(families()))]
	k.current = nil
	k.generation++
}

// WithdrawKeys stops publishing the keys of before the last [OP.RotateKeys].
func (op *OP) WithdrawKeys() {
	op.keys.mu.Lock()
	defer op.keys.mu.Unlock()
	op.keys.earlier = nil
}

// JWKS returns the key set that the OP publishes.
func (op *OP) JWKS() (json.RawMessage, error) {
	set, err := op.keys.public()
	if err != nil {
		return nil, err
	}
	return json.Marshal(map[string]any{"keys": set})
}

// Sign signs claims with the current key of the OP for alg, as it signs an ID
// Token; header holds further header parameters and may be nil. HS* and none
// are refused: they use no key of the OP.
func (op *OP) Sign(alg string, header, claims map[string]any) (string, error) {
	s, err := op.keys.signer(family(alg))
	if err != nil {
		return "", err
	}
	h := map[string]any{"alg": alg, "kid": s.kid}
	for k, v := range header {
		h[k] = v
	}
	hb, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("oidctest: header: %w", err)
	}
	cb, err := json.Marshal(claims)
	if err != nil {
		return "", fmt.Errorf("oidctest: claims: %w", err)
	}
	input := b64(hb) + "." + b64(cb)
	sig, err := signBytes(alg, s.key, nil, []byte(input))
	if err != nil {
		return "", err
	}
	return input + "." + b64(sig), nil
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// algHash is the hash of an algorithm, for its signature and for at_hash
// (Core 3.1.3.6). EdDSA hashes by itself; for at_hash it stands for SHA-512
// (Ed25519 is built on it).
func algHash(alg string) (crypto.Hash, error) {
	switch {
	case alg == "EdDSA":
		return crypto.SHA512, nil
	case len(alg) == 5 && alg[2:] == "256":
		return crypto.SHA256, nil
	case len(alg) == 5 && alg[2:] == "384":
		return crypto.SHA384, nil
	case len(alg) == 5 && alg[2:] == "512":
		return crypto.SHA512, nil
	}
	return 0, fmt.Errorf("oidctest: %q is not a signature algorithm of this provider", alg)
}

// signBytes makes the signature of RFC 7518, section 3, or RFC 8037, section
// 3.1, over input; secret is the key of HS*.
func signBytes(alg string, key crypto.Signer, secret, input []byte) ([]byte, error) {
	h, err := algHash(alg)
	if err != nil {
		return nil, err
	}
	if alg[:2] == "HS" {
		m := hmac.New(h.New, secret)
		m.Write(input)
		return m.Sum(nil), nil
	}
	if key, ok := key.(ed25519.PrivateKey); ok && alg == "EdDSA" {
		return ed25519.Sign(key, input), nil
	}
	d := h.New()
	d.Write(input)
	sum := d.Sum(nil)
	switch key := key.(type) {
	case *rsa.PrivateKey:
		if alg[:2] == "PS" {
			return rsa.SignPSS(rand.Reader, key, h, sum, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		}
		if alg[:2] == "RS" {
			return rsa.SignPKCS1v15(rand.Reader, key, h, sum)
		}
	case *ecdsa.PrivateKey:
		if alg[:2] == "ES" {
			r, s, err := ecdsa.Sign(rand.Reader, key, sum)
			if err != nil {
				return nil, fmt.Errorf("oidctest: sign: %w", err)
			}
			return joinRS(key, r, s), nil
		}
	}
	return nil, fmt.Errorf("oidctest: a %T does not sign with %s", key, alg)
}

// joinRS is the fixed-length form of RFC 7518, section 3.4.
func joinRS(key *ecdsa.PrivateKey, r, s *big.Int) []byte {
	size := (key.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

// jwks serves the public keys.
func (x *exchange) jwks() *reply {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return methodNotAllowed("GET, HEAD")
	}
	set, err := x.op.keys.public()
	if err != nil {
		return oauthError(http.StatusInternalServerError, "server_error", err.Error())
	}
	rep := jsonReply(http.StatusOK, map[string]any{"keys": set})
	rep.header.Set("Content-Type", "application/jwk-set+json")
	rep.header.Set("Cache-Control", "public, max-age=300")
	rep.header.Set("Access-Control-Allow-Origin", "*")
	return rep
}

// all returns the keys whose signatures the OP recognizes as its own.
func (k *keyring) all() []signer {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Concat(k.current, k.earlier)
}
