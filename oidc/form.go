package oidc

import (
	"net/url"
	"slices"
)

// encodeForm is url.Values.Encode in one piece of memory.
func encodeForm(v url.Values) []byte {
	names, size := make([]string, 0, 16), 0
	for name, values := range v {
		names = append(names, name)
		for _, value := range values {
			size += len(name) + len(value) + len("=&") + 16 // a few escapes
		}
	}
	slices.Sort(names)
	b := make([]byte, 0, size)
	for _, name := range names {
		for _, value := range v[name] {
			if len(b) > 0 {
				b = append(b, '&')
			}
			b = append(appendEscaped(b, name), '=')
			b = appendEscaped(b, value)
		}
	}
	return b
}

// appendEscaped appends url.QueryEscape(s). Names, codes and verifiers have
// nothing to escape, mostly.
func appendEscaped(b []byte, s string) []byte {
	for i := range len(s) {
		if !unreserved(s[i]) {
			return append(b, url.QueryEscape(s)...)
		}
	}
	return append(b, s...)
}

// unreserved reports whether c stands for itself in a form (RFC 3986 section
// 2.3).
func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '.' || c == '~'
}
