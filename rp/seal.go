package rp

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"slices"
)

// MinKey is the least length of a key in Config.Keys, in bytes.
const MinKey = 32

// The classes of store keys; what precedes the colon is told apart by the store
// when it runs out of room.
const (
	pendingClass   = "pending:"
	grantClass     = "grant:"
	tombstoneClass = "tombstone:"
	clientClass    = "client:"
	leaseClass     = "lease:"
)

// sealVersion is the first byte of every sealed value. Another layout gets
// another number, and an old program refuses it instead of misreading it.
const sealVersion = 1

// ring seals and opens values. The first key seals, all open.
//
// Each record has an AES key of its own, derived from the ring key and the place
// of the record. So a value opens in its own place alone, and the number of
// random nonces under one key is the number of times that one record is written:
// the bound of 2^32 for random nonces (NIST SP 800-38D section 8.3) is never near.
type ring []ringKey

type ringKey struct {
	name [4]byte // tells which key to try; derived, so that it tells nothing else
	prk  []byte  // RFC 5869 section 2.2
	tag  []byte  // for tagOf
}

// newRing derives what is needed from the keys. Without any it makes one that is
// this process's alone.
func newRing(keys [][]byte) (ring, error) {
	if len(keys) == 0 {
		own := make([]byte, MinKey)
		rand.Read(own) // never fails: it ends the program instead
		keys = [][]byte{own}
	}
	var r ring
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, &Error{Reason: BadConfig, Detail: fmt.Sprintf("Keys[%d] has %d bytes, expected at least %d random ones", i, len(key), MinKey)}
		}
		prk, err := hkdf.Extract(sha256.New, key, []byte("rely.example/rp"))
		if err != nil {
			return nil, &Error{Reason: BadConfig, Detail: fmt.Sprintf("Keys[%d]", i), Err: err}
		}
		k := ringKey{prk: prk}
		name, err := k.derive("name", "", len(k.name))
		if err != nil {
			return nil, err
		}
		copy(k.name[:], name)
		if k.tag, err = k.derive("tag", "", sha256.Size); err != nil {
			return nil, err
		}
		r = append(r, k)
	}
	return r, nil
}

func (k *ringKey) derive(purpose, place string, n int) ([]byte, error) {
	out, err := hkdf.Expand(sha256.New, k.prk, purpose+"\x00"+place, n)
	if err != nil {
		return nil, &Error{Reason: BadConfig, Detail: "key derivation", Err: err}
	}
	return out, nil
}

func (k *ringKey) aead(place string) (cipher.AEAD, error) {
	key, err := k.derive("seal", place, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, &Error{Reason: BadConfig, Detail: "key derivation", Err: err}
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// sealHeader is what a sealed value begins with: version and key name.
const sealHeader = 1 + 4

// seal makes a value that opens only under the store key that it is for. The
// layout is version, key name, nonce, ciphertext, tag.
func (r ring) seal(place string, plain []byte) ([]byte, error) {
	k := &r[0]
	a, err := k.aead(place)
	if err != nil {
		return nil, err
	}
	out := make([]byte, sealHeader, sealHeader+len(plain)+a.Overhead())
	out[0] = sealVersion
	copy(out[1:], k.name[:])
	return a.Seal(out, nil, plain, additional(out, place)), nil
}

// open is the reverse of seal. A value that is short, damaged, moved, of another
// version or of an unknown key is BadRecord; which of them is told only as far
// as the unsealed header tells it.
func (r ring) open(place string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader {
		return nil, &Error{Reason: BadRecord, Detail: fmt.Sprintf("it has %d bytes", len(sealed))}
	}
	if sealed[0] != sealVersion {
		return nil, &Error{Reason: BadRecord, Detail: fmt.Sprintf("it has version %d, expected %d", sealed[0], sealVersion)}
	}
	known := false
	for i := range r {
		if !slices.Equal(r[i].name[:], sealed[1:sealHeader]) {
			continue
		}
		known = true
		a, err := r[i].aead(place)
		if err != nil {
			return nil, err
		}
		if plain, err := a.Open(nil, nil, sealed[sealHeader:], additional(sealed, place)); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, &Error{Reason: BadRecord, Detail: "it is sealed with a key that is not among Keys"}
	}
	return nil, &Error{Reason: BadRecord, Detail: "it is damaged, or was made for another place"}
}

// additional is what is authenticated beside the plaintext.
func additional(sealed []byte, place string) []byte {
	out := make([]byte, 0, sealHeader+len(place))
	return append(append(out, sealed[:sealHeader]...), place...)
}

// placeOf is the store key for something that is known by an unguessable name: a
// plain hash hides it. class ends with a colon.
func placeOf(class, name string) string {
	var buf [128]byte
	sum := sha256.Sum256(append(append(buf[:0], class...), name...))
	return string(base64.RawURLEncoding.AppendEncode(append(buf[:0], class...), sum[:]))
}

// tagOf is a tag for something that can be guessed, such as who a user is: it is
// hashed under the key, so that who reads the store cannot try out names.
func (k *ringKey) tagOf(kind string, parts ...string) string {
	m := hmac.New(sha256.New, k.tag)
	var w writer
	w.text(kind)
	for _, p := range parts {
		w.text(p)
	}
	m.Write(w)
	return kind + ":" + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}
