package login

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
	"slices"
)

// MinKey is the least length of a key in Config.Keys, in bytes.
const MinKey = 32

// A sealed value is version, key name, salt, nonce, ciphertext and tag. Another
// layout gets another version, and an old program refuses it.
const (
	sealVersion = 1
	saltSize    = 16
	sealHeader  = 1 + 4 + saltSize
)

// ring seals and opens values: the first key seals, all open.
//
// Each value has an AES key of its own, derived from the ring key, what the value
// is for, and a random salt. So a value for one purpose never opens for another,
// and the bound on random nonces under one key (NIST SP 800-38D section 8.3) is
// never near.
type ring []ringKey

type ringKey struct {
	name [4]byte // tells which key to try; derived, so that it tells nothing else
	prk  []byte  // RFC 5869 section 2.2
	tag  []byte  // for tagOf
}

func newRing(keys [][]byte) (ring, error) {
	if len(keys) == 0 {
		own := make([]byte, MinKey)
		rand.Read(own) // never fails: it ends the program instead
		keys = [][]byte{own}
	}
	var r ring
	for i, key := range keys {
		if len(key) < MinKey {
			return nil, badConfig("Keys[%d] has %d bytes, expected at least %d random ones", i, len(key), MinKey)
		}
		prk, err := hkdf.Extract(sha256.New, key, []byte("rely.example/login"))
		if err != nil {
			return nil, &Error{Reason: BadConfig, Detail: fmt.Sprintf("Keys[%d]", i), Err: err}
		}
		k := ringKey{prk: prk}
		name, err := k.derive("name", nil, len(k.name))
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

func (k *ringKey) derive(purpose string, salt []byte, n int) ([]byte, error) {
	out, err := hkdf.Expand(sha256.New, k.prk, purpose+"\x00"+string(salt), n)
	if err != nil {
		return nil, &Error{Reason: BadConfig, Detail: "key derivation", Err: err}
	}
	return out, nil
}

func (k *ringKey) aead(purpose string, salt []byte) (cipher.AEAD, error) {
	key, err := k.derive("seal:"+purpose, salt, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, &Error{Reason: BadConfig, Detail: "key derivation", Err: err}
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// seal makes a value that opens for the same purpose and place alone.
func (r ring) seal(purpose, place string, plain []byte) ([]byte, error) {
	k := &r[0]
	out := make([]byte, sealHeader, sealHeader+len(plain)+64)
	out[0] = sealVersion
	copy(out[1:], k.name[:])
	rand.Read(out[5:sealHeader])
	a, err := k.aead(purpose, out[5:sealHeader])
	if err != nil {
		return nil, err
	}
	return a.Seal(out, nil, plain, append(slices.Clone(out[:sealHeader]), place...)), nil
}

// open is the reverse of seal. Why it fails is told only as far as the unsealed
// header tells it.
func (r ring) open(purpose, place string, sealed []byte) ([]byte, error) {
	if len(sealed) < sealHeader || sealed[0] != sealVersion {
		return nil, &Error{Reason: BadRecord, Detail: "it is too short or of another version"}
	}
	known := false
	for i := range r {
		if !slices.Equal(r[i].name[:], sealed[1:5]) {
			continue
		}
		known = true
		a, err := r[i].aead(purpose, sealed[5:sealHeader])
		if err != nil {
			return nil, err
		}
		if plain, err := a.Open(nil, nil, sealed[sealHeader:], append(slices.Clone(sealed[:sealHeader]), place...)); err == nil {
			return plain, nil
		}
	}
	if !known {
		return nil, &Error{Reason: BadRecord, Detail: "it is sealed with a key that is not among Keys"}
	}
	return nil, &Error{Reason: BadRecord, Detail: "it is damaged, or was made for another place"}
}

// tagOf is a tag for what can be guessed, such as who a user is: hashed under the
// key, so that who reads the store cannot try out names.
func (k *ringKey) tagOf(kind string, parts ...string) string {
	m := hmac.New(sha256.New, k.tag)
	for _, p := range append([]string{kind}, parts...) {
		m.Write(binary.AppendUvarint(nil, uint64(len(p))))
		m.Write([]byte(p))
	}
	return kind + ":" + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// hashed is the store key of something that is known by an unguessable name.
// class ends with a colon.
func hashed(class, name string) string {
	var buf [128]byte
	sum := sha256.Sum256(append(append(buf[:0], class...), name...))
	return class + base64.RawURLEncoding.EncodeToString(sum[:])
}
