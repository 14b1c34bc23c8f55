package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
)

// publicJWK is the public half of a key as a JWK. It has no field for a private
// member, so none can get out.
type publicJWK struct {
	Kty string `json:"kty"`
	Kid string `json:"kid,omitempty"`
	Use string `json:"use,omitempty"`
	Alg string `json:"alg,omitempty"`
	Crv string `json:"crv,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`

	// X5c is base64 and not base64url (RFC 7517 section 4.7), as Go writes bytes.
	X5c [][]byte `json:"x5c,omitempty"`

	// X5t names the certificate (RFC 7517 section 4.9): some look by it, although
	// x5c is there.
	X5t string `json:"x5t#S256,omitempty"`
}

// PublicKeySet returns the JWK Set (RFC 7517 section 5) of the public halves of
// keys, to be published at a jwks_uri or registered as jwks. A key of use "enc"
// is published for encryption and may have any Alg or none; any other must be
// able to sign with its Alg. A secret has no public half: it is a [BadKey].
func PublicKeySet(keys ...SigningKey) ([]byte, error) {
	public := make([]publicJWK, 0, len(keys))
	for _, k := range keys {
		use := "sig"
		if k.Use == "enc" {
			use = "enc"
		} else if _, err := k.check(); err != nil {
			return nil, err
		}
		half, err := publicOf(k.Private)
		if err != nil {
			return nil, err
		}
		j, err := jwkOf(half)
		if err != nil {
			return nil, err
		}
		j.Kid, j.Use, j.Alg, j.X5c = k.ID, use, k.Alg, k.Chain
		if len(k.Chain) > 0 {
			sum := sha256.Sum256(k.Chain[0])
			j.X5t = base64.RawURLEncoding.EncodeToString(sum[:])
		}
		public = append(public, j)
	}
	return json.Marshal(map[string][]publicJWK{"keys": public})
}

// PublicJWK returns the public key alone as a JWK with its required members, as
// the jwk header of a DPoP proof wants it (RFC 9449 section 4.2).
func PublicJWK(public crypto.PublicKey) (json.RawMessage, error) {
	jwk, _, err := PublicJWKAndThumbprint(public)
	return jwk, err
}

// PublicJWKAndThumbprint is PublicJWK with the SHA-256 thumbprint (RFC 7638, RFC
// 8037 section 2) in base64url, which is a hash of it.
func PublicJWKAndThumbprint(public crypto.PublicKey) (jwk json.RawMessage, thumbprint string, err error) {
	j, fail := jwkOf(public)
	if fail != nil {
		return nil, "", fail
	}
	text := j.canonical()
	sum := sha256.Sum256([]byte(text))
	return json.RawMessage(text), base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// Thumbprint returns the thumbprint alone: the usual choice of a kid.
func Thumbprint(public crypto.PublicKey) (string, error) {
	_, thumbprint, err := PublicJWKAndThumbprint(public)
	return thumbprint, err
}

// canonical is RFC 7638 section 3.2: the required members in lexicographic order,
// without white space. None of the values needs an escape.
func (j publicJWK) canonical() string {
	switch j.Kty {
	case "RSA":
		return `{"e":"` + j.E + `","kty":"RSA","n":"` + j.N + `"}`
	case "EC":
		return `{"crv":"` + j.Crv + `","kty":"EC","x":"` + j.X + `","y":"` + j.Y + `"}`
	default:
		return `{"crv":"` + j.Crv + `","kty":"OKP","x":"` + j.X + `"}`
	}
}

func jwkOf(public crypto.PublicKey) (publicJWK, *Error) {
	encode := base64.RawURLEncoding.EncodeToString
	switch p := public.(type) {
	case *rsa.PublicKey:
		if p == nil || p.N == nil || p.N.Sign() <= 0 || p.E <= 0 {
			return publicJWK{}, refuse(BadKey, "the RSA public key is empty")
		}
		return publicJWK{Kty: "RSA", N: encode(p.N.Bytes()), E: encode(big.NewInt(int64(p.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		if p == nil || p.Curve == nil || curveOf(p.Curve.Params().Name) == nil {
			return publicJWK{}, refuse(BadKey, "the EC public key is on none of P-256, P-384 and P-521")
		}
		point, err := p.Bytes() // 4 || x || y
		if err != nil {
			return publicJWK{}, refuse(BadKey, "the EC public key is not on its curve")
		}
		size := (len(point) - 1) / 2
		return publicJWK{Kty: "EC", Crv: p.Curve.Params().Name, X: encode(point[1 : 1+size]), Y: encode(point[1+size:])}, nil
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return publicJWK{}, refuse(BadKey, "the Ed25519 public key is not 32 bytes long")
		}
		return publicJWK{Kty: "OKP", Crv: "Ed25519", X: encode(p)}, nil
	default:
		return publicJWK{}, refuse(BadKey, fmt.Sprintf("public key of type %T", public))
	}
}
