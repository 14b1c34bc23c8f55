package rp

import (
	"bytes"
	"errors"
	"reflect"
	"testing"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
)

func testRing(t testing.TB, keys ...byte) ring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, bytes.Repeat([]byte{k}, MinKey))
	}
	r, err := newRing(all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMinKey(t *testing.T) {
	if MinKey != seal.MinKey {
		t.Errorf("MinKey is %d, and %d where keys are used", MinKey, seal.MinKey)
	}
}

// FuzzOpen: what opens is what was sealed, in its own place; anything else is
// BadRecord.
func FuzzOpen(f *testing.F) {
	r := testRing(f, 1, 2)
	good, err := r.seal("grant:a", []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add("grant:a", good)
	f.Add("grant:b", good)
	f.Add("grant:a", good[:seal.Header])
	f.Add("grant:a", []byte{})
	f.Fuzz(func(t *testing.T, place string, sealed []byte) {
		plain, err := r.open(place, sealed)
		switch {
		case err == nil:
			if place != "grant:a" || string(plain) != "plain" {
				t.Fatalf("opened %d bytes in %q that nobody sealed", len(sealed), place)
			}
		case !errors.Is(err, BadRecord) || plain != nil:
			t.Fatalf("got %q, %v", plain, err)
		}
	})
}

// FuzzSeal: each seals and opens its own, whatever the bytes.
func FuzzSeal(f *testing.F) {
	older, newer := testRing(f, 1), testRing(f, 2, 1)
	f.Add("pending:x", []byte(nil))
	f.Fuzz(func(t *testing.T, place string, plain []byte) {
		sealed, err := older.seal(place, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := newer.open(place, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v", got, err)
		}
		if _, err := older.open(place+"x", sealed); !errors.Is(err, BadRecord) {
			t.Fatalf("opened in another place: %v", err)
		}
	})
}

// FuzzDecode: what decodes encodes to the same meaning, and nothing panics.
func FuzzDecode(f *testing.F) {
	now := time.UnixMilli(1_700_000_000_000).UTC()
	g := &grantRecord{issuer: "https://op.example", clientID: "c", subject: "s", sid: "one", started: now, ends: now.Add(time.Hour),
		data: "d", obtained: now, tokens: &oidc.Tokens{AccessToken: "a", TokenType: "Bearer", RefreshToken: "r", Expiry: now},
		holder: "h", holdUntil: now, failures: 3, retryAt: now}
	b, err := g.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	p := &pendingRecord{pending: oidc.Pending{Issuer: "https://op.example", State: "s", Nonce: "n", Created: now}, started: now, binding: "b", data: "d"}
	if b, err = p.encode(); err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01})
	f.Fuzz(func(t *testing.T, b []byte) {
		if g, err := decodeGrant(b); err == nil {
			b, err := g.encode()
			if err != nil {
				t.Fatal(err)
			}
			again, err := decodeGrant(b)
			if err != nil || !reflect.DeepEqual(g, again) {
				t.Fatalf("got %v, %v", again, err)
			}
		} else if !errors.Is(err, BadRecord) {
			t.Fatalf("got %v", err)
		}
		if p, err := decodePending(b); err == nil {
			b, err := p.encode()
			if err != nil {
				t.Fatal(err)
			}
			if again, err := decodePending(b); err != nil || !reflect.DeepEqual(p, again) {
				t.Fatalf("got %v, %v", again, err)
			}
		} else if !errors.Is(err, BadRecord) {
			t.Fatalf("got %v", err)
		}
	})
}

func TestDecodeKeepsEverything(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000).UTC()
	g := &grantRecord{issuer: "i", clientID: "c", subject: "s", sid: "sid", started: now, ends: now.Add(time.Hour), data: "d",
		obtained: now.Add(time.Second), tokens: &oidc.Tokens{AccessToken: "a", TokenType: "Bearer", RefreshToken: "r", Expiry: now, Scopes: []string{"openid"}},
		holder: "h", holdUntil: now.Add(2 * time.Second), failures: 3, retryAt: now.Add(3 * time.Second)}
	b, err := g.encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := decodeGrant(b)
	if err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("got %+v, %v", got, err)
	}
	for n := range b {
		if _, err := decodeGrant(b[:n]); !errors.Is(err, BadRecord) {
			t.Fatalf("%d of %d bytes: got %v", n, len(b), err)
		}
	}
	if _, err := decodeGrant(append(b, 0)); !errors.Is(err, BadRecord) {
		t.Fatalf("one byte more: got %v", err)
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int64]time.Duration{0: time.Second, 1: 2 * time.Second, 5: 32 * time.Second, 6: time.Minute, 1 << 40: time.Minute} {
		if got := backoff(n); got != want {
			t.Errorf("after %d failures %v, want %v", n, got, want)
		}
	}
}

func TestDynamicMemoryIsBounded(t *testing.T) {
	d := &Dynamic{RedirectBase: "https://rp.example/cb", MaxIssuers: 3}
	if err := d.setUp(); err != nil {
		t.Fatal(err)
	}
	first := d.entry("https://0.example")
	for i := range 100 {
		d.entry("https://" + string(rune('a'+i%26)) + ".example")
		if d.entry("https://0.example") != first {
			t.Fatal("the one used last was forgotten")
		}
	}
	if len(d.entries) != 3 || d.used.Len() != 3 {
		t.Errorf("%d and %d issuers in memory", len(d.entries), d.used.Len())
	}
}
