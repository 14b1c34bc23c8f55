package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"testing"
)

// asn1Pair is the reading of encoding/asn1, which passes over what follows the two
// numbers within their sequence: a pair is DER if it is written so again.
func asn1Pair(der []byte, size int) ([]byte, bool) {
	var sig struct{ R, S *big.Int }
	rest, err := asn1.Unmarshal(der, &sig)
	if err != nil || len(rest) != 0 || sig.R.Sign() <= 0 || sig.S.Sign() <= 0 || sig.R.BitLen() > 8*size || sig.S.BitLen() > 8*size {
		return nil, false
	}
	if again, err := asn1.Marshal(sig); err != nil || !bytes.Equal(again, der) {
		return nil, false
	}
	raw := make([]byte, 2*size)
	sig.R.FillBytes(raw[:size])
	sig.S.FillBytes(raw[size:])
	return raw, true
}

func TestRawECDSAIsReadAsASN1(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		size := (curve.Params().BitSize + 7) / 8
		for i := range 200 { // short numbers and leading zeros are rare
			der, err := ecdsa.SignASN1(rand.Reader, key, []byte{byte(i)})
			if err != nil {
				t.Fatal(err)
			}
			want, ok := asn1Pair(der, size)
			got, fail := rawECDSA(der, size)
			if fail != nil || !ok || !bytes.Equal(got, want) {
				t.Fatalf("%x: got %x, %v", der, got, fail)
			}
		}
	}
	for name, der := range map[string][]byte{
		"empty": nil, "one byte": {0x30}, "cut short": {0x30, 6, 2, 1, 1, 2, 1}, "one number": {0x30, 3, 2, 1, 1}, "three numbers": {0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1},
		"zero": {0x30, 6, 2, 1, 0, 2, 1, 1}, "negative": {0x30, 6, 2, 1, 0x80, 2, 1, 1}, "padded": {0x30, 7, 2, 2, 0, 1, 2, 1, 1}, "trailing": {0x30, 6, 2, 1, 1, 2, 1, 1, 0},
		"no number": {0x30, 5, 2, 0, 2, 1, 1}, "long form of a short length": {0x30, 0x81, 6, 2, 1, 1, 2, 1, 1}, "indefinite": {0x30, 0x80, 2, 1, 1, 2, 1, 1, 0, 0}, "a list": {0x31, 6, 2, 1, 1, 2, 1, 1},
	} {
		if _, err := rawECDSA(der, 32); !errors.Is(err, SigningFailed) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestRawECDSALength: a sequence of 128 bytes or more, as P-521 has, says its length
// in two bytes, and in no other way.
func TestRawECDSALength(t *testing.T) {
	const size = 66
	pair := func(n int) []byte { // of two numbers of n bytes each
		number := append([]byte{0x02, byte(n)}, bytes.Repeat([]byte{0x11}, n)...)
		return slices.Concat(number, number)
	}
	for name, c := range map[string]struct {
		der []byte
		ok  bool
	}{
		"126":                   {slices.Concat([]byte{0x30, 126}, pair(61)), true},
		"128":                   {slices.Concat([]byte{0x30, 0x81, 128}, pair(62)), true},
		"136":                   {slices.Concat([]byte{0x30, 0x81, 136}, pair(66)), true},
		"128 in one byte":       {slices.Concat([]byte{0x30, 128}, pair(62)), false},
		"136 in one byte":       {slices.Concat([]byte{0x30, 136}, pair(66)), false},
		"136 after another 0x8": {slices.Concat([]byte{0x30, 0x82, 136}, pair(66)), false},
		"cut in the length":     {[]byte{0x30, 0x81}, false},
	} {
		raw, err := rawECDSA(c.der, size)
		if c.ok != (err == nil) || c.ok && len(raw) != 2*size {
			t.Errorf("%s: got %x, %v", name, raw, err)
		}
		if want, ok := asn1Pair(c.der, size); ok != c.ok || !bytes.Equal(raw, want) {
			t.Errorf("%s: encoding/asn1 has %x, %v", name, want, ok)
		}
	}
}

// FuzzRawECDSA: whatever a signer returns is read as encoding/asn1 reads it.
func FuzzRawECDSA(f *testing.F) {
	f.Add([]byte{0x30, 6, 2, 1, 1, 2, 1, 1})
	f.Add([]byte{0x30, 8, 2, 2, 0, 0x80, 2, 2, 0, 0xff})
	f.Add([]byte("0\b\x02\x0200\x02\x0100")) // a byte more in the sequence
	f.Fuzz(func(t *testing.T, der []byte) {
		if len(der) > 255 {
			return
		}
		want, ok := asn1Pair(der, 32)
		got, err := rawECDSA(der, 32)
		if ok != (err == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%x: got %x, %v; encoding/asn1 has %x", der, got, err, want)
		}
	})
}
