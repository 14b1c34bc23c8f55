package jose

import (
	"crypto"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"hash"
	"log/slog"
	"slices"
	"strconv"
	"sync"
)

// HMACKey verifies tokens that were authenticated with a shared secret: HS256,
// HS384 and HS512 (RFC 7518 section 3.2), nothing else. It may be used by any
// number of goroutines. Printed or logged it does not show the secret.
type HMACKey struct {
	secret  []byte
	headers headerCache
	pools   [3]sync.Pool // of *mac, for SHA-256, SHA-384, SHA-512
}

// NewHMACKey copies a secret of at least [MinSecret] bytes; a shorter one is a
// [WeakSecret].
func NewHMACKey(secret []byte) (*HMACKey, error) {
	if len(secret) < MinSecret {
		return nil, refuse(WeakSecret, "expected at least 16 bytes, got "+strconv.Itoa(len(secret)))
	}
	return &HMACKey{secret: slices.Clone(secret)}, nil
}

// VerifyHMAC is [HMACKey.Verify] for a secret that is used once.
func VerifyHMAC(token string, secret []byte, algs []string) (Verified, error) {
	k, err := NewHMACKey(secret)
	if err != nil {
		return Verified{}, err
	}
	return k.Verify(token, algs)
}

// Verify checks the authentication code of a token whose alg is one of algs, and
// only then returns its payload. The token's kid is not looked at: the caller
// chose the secret. Algorithms other than HMAC are never accepted, even if algs
// names them.
func (k *HMACKey) Verify(token string, algs []string) (Verified, error) {
	if k == nil || len(k.secret) < MinSecret {
		return Verified{}, refuse(WeakSecret, "no secret") // the zero value, which NewHMACKey never returns
	}
	c, err := cutCompact(token)
	if err != nil {
		return Verified{}, err
	}
	chosen := k.headers.find(c.header)
	known := chosen != nil
	if known {
		if !slices.Contains(algs, chosen.header.Alg) {
			return Verified{}, notAllowed(chosen.header.Alg, algs)
		}
	} else if chosen, err = chooseHMAC(c.header, algs); err != nil {
		return Verified{}, err
	}

	m := k.borrow(chosen.alg)
	defer k.giveBack(chosen.alg, m)
	if m.payload, err = decodeSegment(m.payload[:0], c.payload, "payload"); err != nil {
		return Verified{}, err
	}
	var signatureBuf [maxSignature]byte
	signature, err := decodeSignature(&signatureBuf, c.signature)
	if err != nil {
		return Verified{}, err
	}
	if !m.verify(c.input, signature) {
		return Verified{}, refuse(BadSignature, "under "+chosen.header.Alg)
	}
	if !known {
		k.headers.add(chosen)
	}
	return Verified{Header: chosen.header, Payload: string(m.payload)}, nil
}

func chooseHMAC(encoded string, algs []string) (*choice, *Error) {
	h, err := parseSignedHeader(encoded)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(algs, h.Alg) {
		return nil, notAllowed(h.Alg, algs)
	}
	a, known := lookup(h.Alg)
	switch {
	case known && a.family == hmacSHA:
		return &choice{encoded: encoded, header: h, alg: a}, nil
	case known || h.Alg == "none":
		return nil, refuse(AlgNotAllowed, h.Alg+" with a shared secret")
	default:
		return nil, refuse(UnsupportedAlg, quote(h.Alg))
	}
}

// mac is a keyed hash and the buffers that it needs, reused because keying it
// costs as much as hashing a token.
type mac struct {
	hash    hash.Hash
	input   []byte
	payload []byte
	sum     []byte
}

func (m *mac) verify(input string, signature []byte) bool {
	m.input = append(m.input[:0], input...)
	m.hash.Write(m.input)
	m.sum = m.hash.Sum(m.sum[:0])
	return hmac.Equal(m.sum, signature)
}

// borrow returns a keyed hash that has read nothing.
func (k *HMACKey) borrow(a algorithm) *mac {
	if m, ok := k.pool(a).Get().(*mac); ok {
		return m
	}
	return &mac{hash: newHMAC(a, k.secret)}
}

func (k *HMACKey) giveBack(a algorithm, m *mac) {
	m.hash.Reset()
	clear(m.payload)
	if max(cap(m.input), cap(m.payload)) <= maxKeptInput {
		k.pool(a).Put(m)
	}
}

func (k *HMACKey) pool(a algorithm) *sync.Pool {
	switch a.hash {
	case crypto.SHA256:
		return &k.pools[0]
	case crypto.SHA384:
		return &k.pools[1]
	default:
		return &k.pools[2]
	}
}

func newHMAC(a algorithm, secret []byte) hash.Hash {
	switch a.hash {
	case crypto.SHA256:
		return hmac.New(sha256.New, secret)
	case crypto.SHA384:
		return hmac.New(sha512.New384, secret)
	default:
		return hmac.New(sha512.New, secret)
	}
}

// Format prints the type and not the secret, whatever the verb.
func (k *HMACKey) Format(s fmt.State, _ rune) { _, _ = s.Write([]byte("jose.HMACKey(redacted)")) }

// LogValue logs the type and not the secret.
func (k *HMACKey) LogValue() slog.Value { return slog.StringValue("jose.HMACKey(redacted)") }

// MarshalJSON encodes the type and not the secret.
func (k *HMACKey) MarshalJSON() ([]byte, error) { return []byte(`"jose.HMACKey(redacted)"`), nil }
