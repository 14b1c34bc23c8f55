// Package seal keeps what is stored from other eyes, and from other hands: values
// are encrypted and bound to their place, names that can be guessed are hashed
// under a key. It knows nothing of what the values are.
package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
)

// MinKey is the least length of a key, in bytes.
const MinKey = 32

// A sealed value is version, key name, salt, nonce, ciphertext and tag. Another
// layout gets another version, and an old program refuses it instead of
// misreading it.
const (
	version  = 1
	nameSize = 4
	saltSize = 16

	// Header is the length of what precedes the nonce, in bytes.
	Header = 1 + nameSize + saltSize
)

// Kind says what is wrong.
type Kind string

const (
	// BadKey: a key of the ring cannot be used.
	BadKey Kind = "bad key"
	// BadValue: a value is short, damaged, of another place or version, or sealed
	// with a key that is not in the ring.
	BadValue Kind = "bad value"
)

// Error is the only error of this package. It holds no key and no value.
type Error struct {
	Kind   Kind
	Detail string
	Err    error // the cause; may be nil
}

func (e *Error) Error() string { return "seal: " + string(e.Kind) + ": " + e.Detail }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Ring seals and opens values: the first key seals, all open. It is made by New
// and does not change.
//
// Each value has an AES key of its own, derived from the ring's key, what the
// value is for, and a random salt. So a value for one purpose never opens for
// another, and the bound on random nonces under one key (NIST SP 800-38D section
// 8.3) is never near.
type Ring []Key

// Key is one key of a Ring, ready for use. It does not show itself when printed.
type Key struct {
	name [nameSize]byte // tells which key to try; derived, so that it tells nothing else
	prk  []byte         // RFC 5869 section 2.2
	tag  []byte         // for Tag
}

// New makes a ring. label sets rings of one key apart from each other; each key
// has at least MinKey random bytes. Without any key it makes one that is this
// ring's alone.
func New(label string, keys [][]byte) (Ring, error) {
	if len(keys) == 0 {
		own := make([]byte, MinKey)
		rand.Read(own) // never fails: it ends the program instead
		keys = [][]byte{own}
	}
	var r Ring
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("Keys[%d] has %d bytes, expected at least %d random ones", i, len(key), MinKey)}
		}
		prk, err := hkdf.Extract(sha256.New, key, []byte(label))
		if err != nil {
			return nil, &Error{Kind: BadKey, Detail: fmt.Sprintf("Keys[%d]", i), Err: err}
		}
		k := Key{prk: prk}
		name, err := k.derive("name", nil, nameSize)
		if err != nil {
			return nil, err
		}
		copy(k.name[:], name)
		if k.tag, err = k.derive("tag", nil, sha256.Size); err != nil {
			return nil, err
		}
		r = append(r, k)
	}
	return r, nil
}

func (k *Key) derive(purpose string, salt []byte, n int) ([]byte, error) {
	out, err := hkdf.Expand(sha256.New, k.prk, purpose+"\x00"+string(salt), n)
	if err != nil {
		return nil, &Error{Kind: BadKey, Detail: "key derivation", Err: err}
	}
	return out, nil
}

func (k *Key) aead(purpose string, salt []byte) (cipher.AEAD, error) {
	key, err := k.derive("seal:"+purpose, salt, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, &Error{Kind: BadKey, Detail: "key derivation", Err: err}
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// Seal makes a value that opens for the same purpose and in the same place alone.
func (r Ring) Seal(purpose, place string, plain []byte) ([]byte, error) {
	if len(r) == 0 {
		return nil, &Error{Kind: BadKey, Detail: "the ring is empty"}
	}
	k := &r[0]
	out := make([]byte, Header, Header+len(plain)+64)
	out[0] = version
	copy(out[1:], k.name[:])
	rand.Read(out[1+nameSize : Header])
	a, err := k.aead(purpose, out[1+nameSize:Header])
	if err != nil {
		return nil, err
	}
	return a.Seal(out, nil, plain, additional(out, place)), nil
}

// Open is the reverse of Seal. Why it fails is told only as far as the unsealed
// header tells it.
func (r Ring) Open(purpose, place string, sealed []byte) ([]byte, error) {
	if len(sealed) < Header {
		return nil, &Error{Kind: BadValue, Detail: fmt.Sprintf("it has %d bytes", len(sealed))}
	}
	if sealed[0] != version {
		return nil, &Error{Kind: BadValue, Detail: fmt.Sprintf("it has version %d, expected %d", sealed[0], version)}
	}
	known := false
	for i := range r {
		if !slices.Equal(r[i].name[:], sealed[1:1+nameSize]) {
			continue
		}
		known = true
		a, err := r[i].aead(purpose, sealed[1+nameSize:Header])
		if err != nil {
			return nil, err
		}
		if plain, err := a.Open(nil, nil, sealed[Header:], additional(sealed, place)); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, &Error{Kind: BadValue, Detail: "it is sealed with a key that is not among Keys"}
	}
	return nil, &Error{Kind: BadValue, Detail: "it is damaged, or was made for another place"}
}

// additional is what is authenticated beside the plaintext.
func additional(sealed []byte, place string) []byte {
	out := make([]byte, 0, Header+len(place))
	return append(append(out, sealed[:Header]...), place...)
}

// Tag names what can be guessed, such as who a user is: hashed under the key, so
// that who reads the store cannot try out names.
func (k *Key) Tag(kind string, parts ...string) string {
	m := hmac.New(sha256.New, k.tag)
	for _, p := range append([]string{kind}, parts...) {
		m.Write(binary.AppendUvarint(nil, uint64(len(p))))
		m.Write([]byte(p))
	}
	return kind + ":" + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// Format prints that there is a key, and not the key.
func (k Key) Format(f fmt.State, _ rune) { fmt.Fprint(f, "seal.Key{[redacted]}") }

// LogValue is what slog logs: not the key.
func (k Key) LogValue() slog.Value { return slog.StringValue("seal.Key{[redacted]}") }

// Hashed names what is known by an unguessable name: a plain hash hides it. class
// goes before it and ends with a colon.
func Hashed(class, name string) string {
	var buf [128]byte
	sum := sha256.Sum256(append(append(buf[:0], class...), name...))
	return string(base64.RawURLEncoding.AppendEncode(append(buf[:0], class...), sum[:]))
}
