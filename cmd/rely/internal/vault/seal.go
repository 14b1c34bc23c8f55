package vault

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// keySize is that of AES-256.
const keySize = 32

// sealingKey returns the key of the keychain, making it where there is none
// yet, or nil for a record in the clear.
func (v *Vault) sealingKey(ctx context.Context) ([]byte, error) {
	if v.Keychain == nil {
		if v.RequireKeychain {
			return nil, errors.New("a keychain is required, and there is none")
		}
		return nil, nil
	}
	key, err := v.Keychain.Get(ctx, probeTimeout)
	if err == nil {
		return key, nil
	}
	if !errors.Is(err, ErrNoKey) {
		return v.withoutKeychain(err)
	}
	// Two processes must not make two keys: the later would lock the earlier
	// out of its own record.
	unlock, err := v.lock(ctx, ".keychain")
	if err != nil {
		return nil, err
	}
	defer unlock()
	if key, err = v.Keychain.Get(ctx, probeTimeout); err == nil {
		return key, nil
	}
	key = make([]byte, keySize)
	rand.Read(key) // crypto/rand.Read never fails
	if err := v.Keychain.Set(ctx, unlockTimeout, key); err != nil {
		return v.withoutKeychain(err)
	}
	return key, nil
}

func (v *Vault) withoutKeychain(err error) ([]byte, error) {
	if v.RequireKeychain {
		return nil, fmt.Errorf("a keychain is required, and it did not answer: %w", err)
	}
	return nil, nil
}

// seal encrypts the secret half of a record. The name and the public half are
// authenticated with it: a record that was renamed, or whose issuer was
// changed, does not open.
func seal(key []byte, name string, public, secret []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	return aead.Seal(nil, nil, secret, bound(name, public)), nil
}

func open(key []byte, name string, public, sealed []byte) ([]byte, error) {
	aead, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	secret, err := aead.Open(nil, nil, sealed, bound(name, public))
	if err != nil {
		return nil, errors.New("the file was changed by somebody else, or the key in the keychain is another one; remove the profile and log in again")
	}
	return secret, nil
}

func bound(name string, public []byte) []byte {
	return append([]byte("rely profile "+name+"\x00"), public...)
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != keySize {
		return nil, fmt.Errorf("the key in the keychain has %d bytes, expected %d", len(key), keySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	// Nonces are random: a vault is written far fewer than 2^32 times.
	return cipher.NewGCMWithRandomNonce(block)
}
