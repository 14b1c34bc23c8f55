package oidc

import "testing"

// TestDetail: of what was expected and what came, a detail tells what there is.
func TestDetail(t *testing.T) {
	for _, c := range []struct{ want, got, text, found string }{
		{"", "", "", ""},
		{"a", "", `expected "a", got none`, ""},
		{"", "b", `got "b"`, `it is "b"`},
		{"a", "b", `expected "a", got "b"`, `it is "b"`},
	} {
		if text := detail(c.want, c.got); text != c.text {
			t.Errorf("%q and %q: %q", c.want, c.got, text)
		}
		if text := found(c.got); text != c.found {
			t.Errorf("%q: %q", c.got, text)
		}
	}
}
