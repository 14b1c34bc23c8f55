package oidc

import (
	"net/url"
	"testing"
)

// TestEncodeForm: the encoding is that of net/url, which is what an OP decodes.
func TestEncodeForm(t *testing.T) {
	for name, v := range map[string]url.Values{
		"nothing":         {},
		"sorted":          {"b": {"2"}, "a": {"1"}, "c": {"3"}},
		"several_of_one":  {"resource": {"https://a.example/x?y=z&w", "https://b.example/"}},
		"empty_and_plain": {"empty": {""}, "none": nil},
		"escapes":         {"k é&=": {"a b+c%d\x00\xff\r\n", "ü/ö?", "~-._"}},
		"every_byte":      everyByte(),
		"many":            {"a": {"1"}, "b": {"1"}, "c": {"1"}, "d": {"1"}, "e": {"1"}, "f": {"1"}, "g": {"1"}, "h": {"1"}, "i": {"1"}, "j": {"1"}, "k": {"1"}, "l": {"1"}, "m": {"1"}, "n": {"1"}, "o": {"1"}, "p": {"1"}, "q": {"1"}, "r": {"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got, want := string(encodeForm(v)), v.Encode(); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}

// everyByte has each byte by itself, as a name and as a value.
func everyByte() url.Values {
	v := make(url.Values)
	for c := range 256 {
		v.Set(string([]byte{byte(c)}), string([]byte{byte(c)}))
	}
	return v
}

// TestUnreserved: what stands for itself is what net/url leaves as it is, and nothing
// else.
func TestUnreserved(t *testing.T) {
	for c := range 256 {
		s := string([]byte{byte(c)})
		if got, want := unreserved(byte(c)), url.QueryEscape(s) == s; got != want {
			t.Errorf("%q: got %v, want %v", s, got, want)
		}
	}
}
