package oidc

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
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
)

// DPoPMode says whether access tokens are bound to a key of the login's own (RFC
// 9449), and of which kind the keys are.
type DPoPMode string

const (
	// DPoPOff is the zero value: bearer tokens.
	DPoPOff DPoPMode = ""
	// DPoPES256 makes keys on P-256, the kind that every OP with DPoP takes.
	DPoPES256 DPoPMode = "ES256"
	// DPoPEdDSA makes Ed25519 keys. The algorithm is sent under the name that the
	// OP announces, EdDSA or Ed25519 (RFC 9864).
	DPoPEdDSA DPoPMode = "EdDSA"
	// DPoPPS256 makes RSA keys of 2048 bits. One takes a tenth of a second to
	// make, at every login, and makes the Pending a kilobyte longer.
	DPoPPS256 DPoPMode = "PS256"
)

// proofKeyBits is the size of RSA keys for proofs: they live as long as a grant.
const proofKeyBits = 2048

// DPoPKey is the private key that the tokens of one login are bound to. Begin
// makes it, Pending and Tokens carry it, also through Export. Printed, logged or
// marshalled to JSON it shows its thumbprint alone.
type DPoPKey struct {
	alg     string
	private crypto.Signer
	proofs  *jose.Signer
	jkt     string
}

// Thumbprint is the SHA-256 thumbprint of the public key (RFC 7638): the value of
// dpop_jkt and of the jkt in a token's cnf.
func (k *DPoPKey) Thumbprint() string { return k.jkt }

// newDPoPKey makes a key of the kind that the client is configured for; nil
// without DPoP.
func (c *Client) newDPoPKey() (*DPoPKey, error) {
	var signer crypto.Signer
	var err error
	switch c.c.DPoP {
	case DPoPOff:
		return nil, nil
	case DPoPEdDSA:
		_, signer, err = ed25519.GenerateKey(rand.Reader)
	case DPoPPS256:
		signer, err = rsa.GenerateKey(rand.Reader, proofKeyBits)
	default:
		signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig.DPoP", Detail: "no key could be made", Err: err}
	}
	return dpopKey(c.dpopAlg, signer)
}

// dpopKeyOr returns the key that a login or grant has, or one made now if it was
// begun before DPoP was switched on.
func (c *Client) dpopKeyOr(k *DPoPKey) (*DPoPKey, error) {
	if k != nil {
		return k, nil
	}
	return c.newDPoPKey()
}

func dpopKey(alg string, signer crypto.Signer) (*DPoPKey, error) {
	jwk, jkt, err := jose.PublicJWKAndThumbprint(signer.Public())
	if err != nil {
		return nil, err
	}
	// RFC 9449 section 4.2.
	proofs, err := jose.NewSigner(jose.SigningKey{Alg: alg, Private: signer}, map[string]any{"typ": "dpop+jwt", "jwk": jwk})
	if err != nil {
		return nil, err
	}
	return &DPoPKey{alg: alg, private: signer, proofs: proofs, jkt: jkt}, nil
}

// export is the key in text: the algorithm and the shortest form of the private
// half, since a Pending may travel in a cookie. The key of nil is "".
func (k *DPoPKey) export() (string, error) {
	if k == nil {
		return "", nil
	}
	var private []byte
	var err error
	switch p := k.private.(type) {
	case *ecdsa.PrivateKey:
		private, err = p.Bytes()
	case ed25519.PrivateKey:
		private = p.Seed()
	case *rsa.PrivateKey:
		private = x509.MarshalPKCS1PrivateKey(p)
	}
	return k.alg + "." + base64.RawURLEncoding.EncodeToString(private), err
}

// importDPoPKey reads what export wrote.
func importDPoPKey(text string) (*DPoPKey, error) {
	if text == "" {
		return nil, nil
	}
	alg, encoded, _ := strings.Cut(text, ".")
	bad := &InputError{Reason: BadParameter, Field: "DPoP key", Detail: "it was not written by Export"}
	private, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, bad
	}
	var signer crypto.Signer
	switch alg {
	case "ES256":
		signer, err = ecdsa.ParseRawPrivateKey(elliptic.P256(), private)
	case "EdDSA", "Ed25519":
		if len(private) != ed25519.SeedSize {
			return nil, bad
		}
		signer = ed25519.NewKeyFromSeed(private)
	case "PS256":
		signer, err = x509.ParsePKCS1PrivateKey(private)
	default:
		return nil, bad
	}
	if err != nil {
		return nil, bad
	}
	return dpopKey(alg, signer)
}

// Format prints the thumbprint and never the key.
func (k *DPoPKey) Format(f fmt.State, _ rune) {
	if k == nil {
		redact(f, "oidc.DPoPKey")
		return
	}
	redact(f, "oidc.DPoPKey", "Thumbprint", k.jkt)
}

// LogValue is what slog logs: the thumbprint.
func (k *DPoPKey) LogValue() slog.Value {
	if k == nil {
		return slog.StringValue("")
	}
	return slog.StringValue(k.jkt)
}

// MarshalJSON writes the thumbprint and never the key.
func (k *DPoPKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.jkt) }

// proof makes a proof for one request (RFC 9449 section 4.2). accessToken is "" at
// an endpoint that takes none, nonce is "" if the server has given none.
func (k *DPoPKey) proof(method, target, accessToken, nonce string, now time.Time) (string, error) {
	claims := struct {
		ID       string `json:"jti"`
		Method   string `json:"htm"`
		URL      string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		Hash     string `json:"ath,omitempty"`
		Nonce    string `json:"nonce,omitempty"`
	}{ID: randomText(), Method: method, IssuedAt: now.Unix(), Nonce: nonce}
	// The target "without query and fragment parts".
	claims.URL, _, _ = cutAny(target, "?#")
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims.Hash = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	proof, err := k.proofs.Sign(payload)
	if err != nil {
		return "", &InputError{Reason: BadConfig, Field: "DPoP key", Detail: "the proof could not be signed: " + err.Error(), Err: err}
	}
	return proof, nil
}

// prove sends a request with a proof: send is called with it, and a second time if
// the server asks for a nonce and gives a new one (RFC 9449 sections 8 and 9). It
// is no third time: a server that is never content would have us for ever
// (hostile catalogue case 321). Without a key it sends the request once, as it is.
func (c *Client) prove(ctx context.Context, step string, k *DPoPKey, method, target, accessToken string, send func(proof string) (*fetch.Response, error)) (*fetch.Response, error) {
	if k == nil {
		return send("")
	}
	origin, err := originOfURL(target)
	if err != nil {
		return nil, err
	}
	nonce := c.nonces.of(origin)
	for again := false; ; again = true {
		proof, err := k.proof(method, target, accessToken, nonce, c.p.env.now())
		if err != nil {
			return nil, err
		}
		res, err := send(proof)
		if err != nil {
			return nil, err
		}
		given := c.nonces.learn(origin, res.Header)
		if !asksForNonce(res) {
			return res, nil
		}
		if err := nonceRefused(step, again, nonce, given); err != nil {
			return nil, err
		}
		nonce = given
		if t := c.p.env.trace; t != nil {
			t.notice(ctx, Notice{Kind: NoticeRetry, Step: step, Detail: "the server asks for its nonce in the DPoP proof"})
		}
	}
}

// nonceRefused says whether a demand for a nonce can be met.
func nonceRefused(step string, again bool, sent, given string) error {
	why := ""
	switch {
	case given == "":
		why = "the server asks for a nonce and gives none that can be sent"
	case again:
		why = "the server asks for a nonce again, after the one that it gave was sent"
	case given == sent:
		why = "the server asks for the nonce that was sent"
	default:
		return nil
	}
	return &ProtocolError{Reason: BadDPoPNonce, Step: step, Spec: "RFC 9449 8", Detail: why}
}

// asksForNonce recognizes the error use_dpop_nonce: in the body at the OP (RFC 9449
// section 8), in WWW-Authenticate at a resource (section 9).
func asksForNonce(res *fetch.Response) bool {
	if res.Status != http.StatusBadRequest && res.Status != http.StatusUnauthorized {
		return false
	}
	return challengedForNonce(res.Header) || readErrorBody(res).Error == useDPoPNonce
}

const useDPoPNonce = "use_dpop_nonce"

func challengedForNonce(h http.Header) bool {
	return slices.ContainsFunc(readChallenges(h), func(ch challenge) bool {
		return ch.scheme == "dpop" && ch.params["error"] == useDPoPNonce
	})
}

// originOfURL is the origin that a nonce belongs to.
func originOfURL(target string) (string, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return "", &InputError{Reason: BadParameter, Field: "URL", Detail: "it is no absolute URL"}
	}
	return originOf(u), nil
}

// checkDPoP refuses, when the client is made, a mode that cannot work, and chooses
// the name of the algorithm.
func (c *Client) checkDPoP(md *ProviderMetadata) error {
	announced := md.DPoPSigningAlgValuesSupported
	switch c.c.DPoP {
	case DPoPOff:
		return nil
	case DPoPES256, DPoPEdDSA, DPoPPS256:
	default:
		return &InputError{Reason: BadConfig, Field: "ClientConfig.DPoP", Detail: quote(string(c.c.DPoP)) + " is none of ES256, EdDSA and PS256"}
	}
	c.dpopAlg = string(c.c.DPoP)
	if c.c.DPoP == DPoPEdDSA && !slices.Contains(announced, "EdDSA") && slices.Contains(announced, "Ed25519") {
		c.dpopAlg = "Ed25519"
	}
	if len(announced) > 0 && !slices.Contains(announced, c.dpopAlg) {
		return &UnsupportedError{Feature: "DPoP with " + c.dpopAlg, Detail: "the OP announces " + printable(strings.Join(announced, ", "))}
	}
	return nil
}
