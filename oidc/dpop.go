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

// DPoPMode binds access tokens to a key of the login's own (RFC 9449), and says of
// which kind the keys are: DPoPES256, DPoPEdDSA or DPoPPS256. A program carries the
// making of the kinds that it names.
type DPoPMode interface {
	// Algorithm is what the keys sign with: "ES256", "EdDSA" or "PS256".
	Algorithm() string

	// newKey makes a key; alg is the name that the OP has for the algorithm.
	newKey(alg string) (*DPoPKey, error)
}

// DPoPES256 makes keys on P-256, the kind that every OP with DPoP takes.
func DPoPES256() DPoPMode { return dpopES256{} }

// DPoPEdDSA makes Ed25519 keys. The algorithm is sent under the name that the OP
// announces, EdDSA or Ed25519 (RFC 9864).
func DPoPEdDSA() DPoPMode { return dpopEdDSA{} }

// DPoPPS256 makes RSA keys of 2048 bits. One takes a tenth of a second to make, at
// every login, and makes the Pending a kilobyte longer.
func DPoPPS256() DPoPMode { return dpopPS256{} }

type (
	dpopES256 struct{}
	dpopEdDSA struct{}
	dpopPS256 struct{}
)

func (dpopES256) Algorithm() string { return "ES256" }
func (dpopEdDSA) Algorithm() string { return "EdDSA" }
func (dpopPS256) Algorithm() string { return "PS256" }

func (dpopES256) newKey(alg string) (*DPoPKey, error) {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	return ecKey(alg, k)
}

func (dpopEdDSA) newKey(alg string) (*DPoPKey, error) {
	_, k, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	return edKey(alg, k)
}

// proofKeyBits is the size of RSA keys for proofs: they live as long as a grant.
const proofKeyBits = 2048

func (dpopPS256) newKey(alg string) (*DPoPKey, error) {
	k, err := rsa.GenerateKey(rand.Reader, proofKeyBits)
	if err != nil {
		return nil, err
	}
	return rsaKey(alg, k)
}

// DPoPKey is the private key that the tokens of one login are bound to. Begin
// makes it, Pending and Tokens carry it, also through Export. Printed, logged or
// marshalled to JSON it shows its thumbprint alone.
type DPoPKey struct {
	alg    string
	secret func() ([]byte, error) // the shortest form of the private half
	proofs *jose.Signer
	jkt    string
}

// Thumbprint is the SHA-256 thumbprint of the public key (RFC 7638): the value of
// dpop_jkt and of the jkt in a token's cnf.
func (k *DPoPKey) Thumbprint() string { return k.jkt }

// newDPoPKey makes a key of the kind that the client is configured for; nil
// without DPoP.
func (c *Client) newDPoPKey() (*DPoPKey, error) {
	if c.c.DPoP == nil {
		return nil, nil
	}
	k, err := c.c.DPoP.newKey(c.dpopAlg)
	if err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "ClientConfig.DPoP", Detail: "no key could be made", Err: err}
	}
	return k, nil
}

// dpopKeyOr returns the key that a login or grant has, or one made now if it was
// begun before DPoP was switched on.
func (c *Client) dpopKeyOr(k *DPoPKey) (*DPoPKey, error) {
	if k != nil {
		return k, nil
	}
	return c.newDPoPKey()
}

func ecKey(alg string, k *ecdsa.PrivateKey) (*DPoPKey, error) { return dpopKey(alg, k, k.Bytes) }

func edKey(alg string, k ed25519.PrivateKey) (*DPoPKey, error) {
	return dpopKey(alg, k, func() ([]byte, error) { return k.Seed(), nil })
}

func rsaKey(alg string, k *rsa.PrivateKey) (*DPoPKey, error) {
	return dpopKey(alg, k, func() ([]byte, error) { return x509.MarshalPKCS1PrivateKey(k), nil })
}

func dpopKey(alg string, signer crypto.Signer, secret func() ([]byte, error)) (*DPoPKey, error) {
	jwk, jkt, err := jose.PublicJWKAndThumbprint(signer.Public())
	if err != nil {
		return nil, err
	}
	// RFC 9449 section 4.2.
	proofs, err := jose.NewSigner(jose.SigningKey{Alg: alg, Private: signer}, map[string]any{"typ": "dpop+jwt", "jwk": jwk})
	if err != nil {
		return nil, err
	}
	return &DPoPKey{alg: alg, secret: secret, proofs: proofs, jkt: jkt}, nil
}

// export is the key in text: the algorithm and the private half, as short as it
// goes, since a Pending may travel in a cookie. The key of nil is "".
func (k *DPoPKey) export() (string, error) {
	if k == nil {
		return "", nil
	}
	secret, err := k.secret()
	return k.alg + "." + base64.RawURLEncoding.EncodeToString(secret), err
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
	var key *DPoPKey
	switch alg {
	case "ES256":
		if k, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), private); err == nil {
			key, _ = ecKey(alg, k)
		}
	case "EdDSA", "Ed25519":
		if len(private) == ed25519.SeedSize {
			key, _ = edKey(alg, ed25519.NewKeyFromSeed(private))
		}
	case "PS256":
		if k, err := x509.ParsePKCS1PrivateKey(private); err == nil {
			key, _ = rsaKey(alg, k) // none of a key that is too short
		}
	}
	if key == nil {
		return nil, bad
	}
	return key, nil
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
		c.p.env.trace.notice(ctx, Notice{Kind: NoticeRetry, Step: step, Detail: "the server asks for its nonce in the DPoP proof"})
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
	if c.c.DPoP == nil {
		if c.c.Metadata.DPoPBoundAccessTokens {
			return &InputError{Reason: BadConfig, Field: "ClientConfig.DPoP", Detail: "it is nil, and Metadata.DPoPBoundAccessTokens is set; set it to DPoPES256()"}
		}
		return nil
	}
	announced := md.DPoPSigningAlgValuesSupported
	c.dpopAlg = c.c.DPoP.Algorithm()
	if c.dpopAlg == "EdDSA" && !slices.Contains(announced, "EdDSA") && slices.Contains(announced, "Ed25519") {
		c.dpopAlg = "Ed25519"
	}
	if len(announced) > 0 && !slices.Contains(announced, c.dpopAlg) {
		return &UnsupportedError{Feature: "DPoP with " + c.dpopAlg, Detail: "the OP announces " + printable(strings.Join(announced, ", "))}
	}
	return nil
}
