package login

import (
	"net/url"
	"strings"
)

// maxReturnTo bounds a page to return to, in bytes; a longer one is the default
// page.
const maxReturnTo = 2048

// returnTo makes of what a stranger may have written a path at our origin, with
// query and fragment, or the default page. It accepts only what every browser
// reads the same way (hostile catalogue case 284): a single slash at the start,
// no backslash, no control character and nothing that becomes one of them when it
// is decoded. Where it is used the origin stands before it all the same.
func (m *Manager) returnTo(s string) string {
	if rest, ok := strings.CutPrefix(s, m.origin); ok {
		s = rest
	}
	if !localPath(s) {
		return m.c.Home
	}
	path, _, _ := strings.Cut(s, "?")
	path, _, _ = strings.Cut(path, "#")
	// A page of ours is no page to return to: /auth/logout, /auth/login.
	if decoded, err := url.PathUnescape(path); err != nil || m.ours(decoded) {
		return m.c.Home
	}
	return s
}

func localPath(s string) bool {
	if len(s) > maxReturnTo || !strings.HasPrefix(s, "/") {
		return false
	}
	if _, err := url.Parse(s); err != nil {
		return false
	}
	path, _, _ := strings.Cut(s, "?")
	path, _, _ = strings.Cut(path, "#")
	decoded := path
	// Twice: what one proxy decodes, the next may decode again.
	for range 2 {
		if !harmless(decoded) {
			return false
		}
		next, err := url.PathUnescape(decoded)
		if err != nil {
			return false
		}
		decoded = next
	}
	return harmless(decoded) && printable(s)
}

// harmless looks at a path for what makes a host or a scheme of it.
func harmless(path string) bool {
	// A space may be there once it is decoded.
	return printable(strings.ReplaceAll(path, " ", "")) && !strings.Contains(path, `\`) && !strings.Contains(path, "//") &&
		!strings.Contains("/"+strings.TrimPrefix(path, "/")+"/", "/../") && !strings.Contains("/"+strings.TrimPrefix(path, "/")+"/", "/./")
}

// printable reports whether there is no control character, no space at which
// something could be cut, and no invisible direction mark.
func printable(s string) bool {
	for _, r := range s {
		if r <= ' ' || r == 0x7f || r >= 0x80 && r <= 0xa0 || r == 0xfffd || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202f || r == 0xfeff {
			return false
		}
	}
	return true
}
