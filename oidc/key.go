package oidc

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"

	"rely.example/internal/jose"
)

// Key is a private key of the client's own: to sign client assertions with, or
// to decrypt what the OP encrypted for it.
type Key struct {
	// ID is the key's kid in the client's key set. Empty means the RFC 7638
	// thumbprint of its public half.
	ID string
	// Alg is the one algorithm that the key is used with, e.g. "ES256". Empty
	// means by the kind of key: ES256, ES384 or ES512 by the curve, EdDSA for
	// Ed25519, RS256 for RSA.
	Alg string
	// Use is "sig" or "enc"; empty means "sig".
	Use string
	// Private is a crypto.Signer (a *ecdsa.PrivateKey, ed25519.PrivateKey,
	// *rsa.PrivateKey, or one whose private half is in an HSM or KMS). For use
	// "enc" it is a *rsa.PrivateKey or *ecdsa.PrivateKey.
	Private crypto.PrivateKey
	// Certificates is the chain of the key, each in DER, its own first. PublicJWKS
	// publishes it in x5c. Empty means none.
	Certificates [][]byte
}

// ParseKey reads the first private key of ParseKeys.
func ParseKey(data []byte) (Key, error) {
	keys, err := ParseKeys(data)
	if err != nil {
		return Key{}, err
	}
	return keys[0], nil
}

// ParseKeys reads private keys: PEM blocks of PKCS #8, PKCS #1 or SEC 1, of which
// ID, Alg and Use are empty, or a JWK or JWK Set (RFC 7517), whose kid, alg and use
// they have. There is at least one. A key that is encrypted is refused; the module
// rely.example/keys/pkcs12 opens PKCS #12.
func ParseKeys(data []byte) ([]Key, error) {
	bad := func(detail string) ([]Key, error) {
		return nil, &InputError{Reason: BadConfig, Field: "key", Detail: detail}
	}
	if text := bytes.TrimLeft(data, " \t\r\n"); len(text) > 0 && text[0] == '{' {
		parsed, err := jose.ParsePrivateJWK(data)
		if err != nil {
			return bad(err.Error())
		}
		var keys []Key
		for _, k := range parsed {
			keys = append(keys, Key{ID: k.ID, Alg: k.Alg, Use: k.Use, Private: k.Private, Certificates: k.Chain})
		}
		return keys, nil
	}
	var keys []Key
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			if len(keys) == 0 {
				return bad("no PEM block with a private key, and no JWK")
			}
			return keys, nil
		}
		data = rest
		var k any
		var err error
		switch block.Type {
		case "PRIVATE KEY":
			k, err = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			k, err = x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			k, err = x509.ParseECPrivateKey(block.Bytes)
		case "ENCRYPTED PRIVATE KEY":
			return bad("the private key is encrypted; decrypt it first: openssl pkcs8 -in FILE")
		default:
			continue // EC PARAMETERS, a certificate
		}
		if _, old := block.Headers["DEK-Info"]; old {
			return bad("the private key is encrypted; decrypt it first: openssl pkey -in FILE") // RFC 1421 section 4.6.1.3
		}
		if err != nil {
			return bad("the private key cannot be parsed")
		}
		switch k := k.(type) {
		case *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey:
			keys = append(keys, Key{Private: k})
		default:
			return bad(fmt.Sprintf("a private key of type %T signs no JWT", k))
		}
	}
}

// PublicJWKS returns the JSON key set of the keys' public halves, to register as
// jwks or to serve at the client's jwks_uri.
func PublicJWKS(keys ...Key) ([]byte, error) {
	sk := make([]jose.SigningKey, len(keys))
	for i, k := range keys {
		var err error
		if sk[i], err = k.signing(); err != nil {
			return nil, err
		}
	}
	set, err := jose.PublicKeySet(sk...)
	if err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "Key", Detail: err.Error(), Err: err}
	}
	return set, nil
}

// signing is the key with its defaults filled in.
func (k Key) signing() (jose.SigningKey, error) {
	bad := func(detail string) (jose.SigningKey, error) {
		return jose.SigningKey{}, &InputError{Reason: BadConfig, Field: "Key", Detail: detail}
	}
	s, ok := k.Private.(crypto.Signer)
	if !ok {
		return bad(fmt.Sprintf("Private is a %T, not a crypto.Signer", k.Private))
	}
	if jose.EmptyKey(k.Private) {
		return bad(fmt.Sprintf("Private is a %T that is empty", k.Private))
	}
	if len(k.Certificates) > 0 && !sameKey(k.Certificates[0], s.Public()) {
		return bad("the first of Certificates is not of this key")
	}
	sk := jose.SigningKey{ID: k.ID, Alg: k.Alg, Use: k.Use, Private: s, Chain: k.Certificates}
	if sk.Use == "" {
		sk.Use = "sig"
	}
	if sk.Alg == "" && sk.Use == "sig" {
		switch pub := s.Public().(type) {
		case *ecdsa.PublicKey:
			switch pub.Curve.Params().BitSize {
			case 256:
				sk.Alg = "ES256"
			case 384:
				sk.Alg = "ES384"
			case 521:
				sk.Alg = "ES512"
			}
		case ed25519.PublicKey:
			sk.Alg = "EdDSA"
		case *rsa.PublicKey:
			sk.Alg = "RS256"
		default:
			return bad(fmt.Sprintf("a key of type %T signs no JWT", pub))
		}
	}
	if sk.ID == "" {
		var err error
		if sk.ID, err = jose.Thumbprint(s.Public()); err != nil {
			return bad(err.Error())
		}
	}
	return sk, nil
}

// Format prints the key's name and never the key.
func (k Key) Format(f fmt.State, _ rune) {
	redact(f, "oidc.Key", "ID", k.ID, "Alg", k.Alg, "Use", k.Use)
}

// LogValue is what slog logs: the key's name and never the key.
func (k Key) LogValue() slog.Value {
	return slog.GroupValue(slog.String("id", k.ID), slog.String("alg", k.Alg), slog.String("use", k.Use))
}

// MarshalJSON writes the key's name and never the key.
func (k Key) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		ID  string `json:"kid,omitempty"`
		Alg string `json:"alg,omitempty"`
		Use string `json:"use,omitempty"`
	}{k.ID, k.Alg, k.Use})
}
