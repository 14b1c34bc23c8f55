package seal

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, MinKey) }

func ringOf(t testing.TB, label string, keys ...byte) Ring {
	t.Helper()
	var all [][]byte
	for _, k := range keys {
		all = append(all, key(k))
	}
	r, err := New(label, all)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSeal(t *testing.T) {
	r := ringOf(t, "app", 1)
	plain := []byte("a secret of some length")
	one, err := r.Seal("session", "place", plain)
	if err != nil {
		t.Fatal(err)
	}
	two, err := r.Seal("session", "place", plain)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) || bytes.Contains(one, plain) {
		t.Error("sealing is not random, or hides nothing")
	}
	for _, sealed := range [][]byte{one, two} {
		if got, err := r.Open("session", "place", sealed); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("got %q, %v", got, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	r := ringOf(t, "app", 1)
	sealed, err := r.Seal("session", "place", []byte("x"))
	if err != nil {
		t.Fatal(err)
	}
	flipped := func(i int) []byte {
		b := bytes.Clone(sealed)
		b[i] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		ring           Ring
		purpose, place string
		sealed         []byte
	}{
		"another_purpose": {r, "login", "place", sealed},
		"another_place":   {r, "session", "elsewhere", sealed},
		"another_key":     {ringOf(t, "app", 2), "session", "place", sealed},
		"another_label":   {ringOf(t, "other", 1), "session", "place", sealed},
		"no_key":          {nil, "session", "place", sealed},
		"empty":           {r, "session", "place", nil},
		"header_alone":    {r, "session", "place", sealed[:Header]},
		"cut_short":       {r, "session", "place", sealed[:len(sealed)-1]},
		"longer":          {r, "session", "place", append(bytes.Clone(sealed), 0)},
		"version":         {r, "session", "place", flipped(0)},
		"key_name":        {r, "session", "place", flipped(1)},
		"salt":            {r, "session", "place", flipped(1 + nameSize)},
		"nonce":           {r, "session", "place", flipped(Header)},
		"tag":             {r, "session", "place", flipped(len(sealed) - 1)},
	} {
		t.Run(name, func(t *testing.T) {
			plain, err := c.ring.Open(c.purpose, c.place, c.sealed)
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != BadValue || plain != nil {
				t.Errorf("got %q, %v, want %s", plain, err, BadValue)
			}
		})
	}
}

// TestKeyForEachValue: no two values share an AES key, and no two purposes.
func TestKeyForEachValue(t *testing.T) {
	k := &ringOf(t, "app", 1)[0]
	salt, other := make([]byte, saltSize), bytes.Repeat([]byte{1}, saltSize)
	a, err := k.aead("p", salt)
	if err != nil {
		t.Fatal(err)
	}
	sealed := a.Seal(nil, nil, []byte("plain"), nil)
	for name, c := range map[string]struct {
		purpose string
		salt    []byte
		opens   bool
	}{"same": {"p", salt, true}, "salt": {"p", other, false}, "purpose": {"q", salt, false}} {
		b, err := k.aead(c.purpose, c.salt)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.Open(nil, nil, sealed, nil); (err == nil) != c.opens {
			t.Errorf("%s: opening gives %v", name, err)
		}
	}
}

// TestRotation: the first key seals, and old ones open until they are taken out.
func TestRotation(t *testing.T) {
	old, err := ringOf(t, "app", 1).Seal("p", "x", []byte("kept"))
	if err != nil {
		t.Fatal(err)
	}
	both := ringOf(t, "app", 2, 1)
	if got, err := both.Open("p", "x", old); err != nil || string(got) != "kept" {
		t.Errorf("got %q, %v", got, err)
	}
	fresh, err := both.Seal("p", "x", []byte("new"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ringOf(t, "app", 2).Open("p", "x", fresh); err != nil || string(got) != "new" {
		t.Errorf("got %q, %v: the first key does not seal", got, err)
	}
}

func TestNew(t *testing.T) {
	if _, err := New("app", [][]byte{key(1), key(2)[:MinKey-1]}); err == nil || !strings.Contains(err.Error(), "Keys[1] has 31 bytes") {
		t.Errorf("got %v, want the short key named", err)
	}
	a, errA := New("app", nil)
	b, errB := New("app", nil)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	sealed, err := a.Seal("p", "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Open("p", "x", sealed); err == nil {
		t.Error("two rings without keys share one")
	}
	if _, err := Ring(nil).Seal("p", "x", nil); err == nil {
		t.Error("an empty ring seals")
	}
}

func TestTag(t *testing.T) {
	one, two := ringOf(t, "app", 1), ringOf(t, "app", 2)
	seen := map[string]bool{}
	for _, tag := range []string{
		one[0].Tag("sub", "https://a", "x"), one[0].Tag("sid", "https://a", "x"), one[0].Tag("sub", "https://", "ax"),
		one[0].Tag("sub", "https://a", "y"), two[0].Tag("sub", "https://a", "x"),
	} {
		seen[tag] = true
	}
	if len(seen) != 5 || one[0].Tag("sub", "https://a", "x") != ringOf(t, "app", 1)[0].Tag("sub", "https://a", "x") {
		t.Errorf("got %d different tags of 5, or one that changes", len(seen))
	}
}

func TestHashed(t *testing.T) {
	a, b := Hashed("grant:", "state"), Hashed("login:", "state")
	if !strings.HasPrefix(a, "grant:") || strings.TrimPrefix(a, "grant:") == strings.TrimPrefix(b, "login:") || strings.Contains(a, "state") {
		t.Errorf("got %s and %s", a, b)
	}
	if long := Hashed(strings.Repeat("c", 300)+":", strings.Repeat("n", 300)); len(long) != 301+43 {
		t.Errorf("got %d bytes", len(long))
	}
}

func TestKeyPrintsNothing(t *testing.T) {
	r := ringOf(t, "app", 7)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v", r, r, r[0]), r[0].LogValue().String()} {
		if !strings.Contains(s, "redacted") || strings.Contains(s, "7 7") || strings.Contains(s, "0x7") {
			t.Errorf("a key shows itself: %s", s)
		}
	}
}

// FuzzOpen: what opens does so as one whole, for one purpose and in one place; and
// what was sealed opens as it was.
func FuzzOpen(f *testing.F) {
	r := ringOf(f, "app", 1)
	good, err := r.Seal("p", "x", []byte("plain"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, []byte("plain"))
	f.Add(good[:Header], []byte{})
	f.Add([]byte{version}, []byte("y"))
	f.Fuzz(func(t *testing.T, sealed, plain []byte) {
		if _, err := r.Open("p", "x", sealed); err == nil {
			for i := range sealed {
				damaged := bytes.Clone(sealed)
				damaged[i] ^= 1
				if got, err := r.Open("p", "x", damaged); err == nil {
					t.Fatalf("with byte %d changed it opened as %q", i, got)
				}
			}
			for _, at := range [][2]string{{"q", "x"}, {"p", "y"}, {"p", ""}, {"", "x"}} {
				if got, err := r.Open(at[0], at[1], sealed); err == nil {
					t.Fatalf("it opened as %q for %q", got, at)
				}
			}
		}
		made, err := r.Seal("p", "x", plain)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Open("p", "x", made); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("got %q, %v, want %q", got, err, plain)
		}
	})
}
