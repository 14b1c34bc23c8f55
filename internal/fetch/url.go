package fetch

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
)

// CheckURL applies the static rules to a URL and returns it parsed: those that
// need no name lookup, so that metadata can be refused before it is used. An
// error is an *Error.
//
// The URL must be absolute and https (http where InsecureAllowHTTP is set), of
// the characters of RFC 3986 and none else, at most MaxURL bytes long, without
// user information or fragment. Its host is a DNS name (an internationalised one
// in its xn-- form) or an IP address in the one usual spelling, its port none
// that belongs to another protocol. A literal address or a localhost name must
// be public or admitted by AllowPrivate; any other name is judged by the
// addresses it resolves to, when it is dialled.
func (c *Client) CheckURL(raw string) (*url.URL, error) {
	u, err := c.checkURL(raw)
	if err != nil {
		return nil, err
	}
	return u, nil
}

// checkURL is CheckURL with its error's type known.
func (c *Client) checkURL(raw string) (*url.URL, *Error) {
	if len(raw) > MaxURL {
		return nil, &Error{Kind: BadURL, Detail: fmt.Sprintf("the URL has %d bytes, more than the limit of %d", len(raw), MaxURL)}
	}
	for i := range len(raw) {
		if !uriByte(raw[i]) {
			return nil, &Error{Kind: BadURL, Detail: fmt.Sprintf("the URL has the byte %#02x at offset %d, which no URL may have unescaped (RFC 3986, section 2)", raw[i], i)}
		}
	}
	u, err := url.Parse(raw)
	if err != nil {
		// The text of the cause quotes the URL, user information and all.
		return nil, &Error{Kind: BadURL, Detail: "the URL does not parse (RFC 3986)"}
	}
	fail := func(k Kind, format string, args ...any) (*url.URL, *Error) {
		return nil, &Error{Kind: k, URL: shown(u), Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case u.Scheme == "":
		return fail(BadURL, "the URL is not absolute: want https://host/…")
	case u.Scheme != "https" && u.Scheme != "http":
		return fail(BadURL, "the scheme is %q, want https", clip(u.Scheme, 32))
	case u.Opaque != "" || u.Host == "":
		return fail(BadURL, "the URL has no host")
	case u.User != nil:
		return fail(BadURL, "the URL has user information before an @, which is never sent")
	case strings.Contains(raw, "#"):
		return fail(BadURL, "the URL has a fragment, which is never sent")
	case u.Scheme == "http" && !c.allowHTTP:
		return fail(Insecure, "plain http lets anyone on the way read and change what is sent; use https, or set InsecureAllowHTTP")
	}
	host := u.Hostname()
	if strings.HasSuffix(u.Host, ":") {
		return fail(BadURL, "the port is empty")
	}
	port, ok := portOf(u)
	if !ok {
		return fail(BadURL, "the port %q is no number from 1 to 65535", clip(u.Port(), 32))
	}
	addr, kind, why := parseHost(host, strings.HasPrefix(u.Host, "["))
	if kind != 0 {
		return fail(kind, "%s", why)
	}
	if err := c.guard.checkStatic(host, addr, port); err != nil {
		err.URL = shown(u)
		return nil, err
	}
	return u, nil
}

const (
	// maxChecked is how many URLs a Client remembers that it has checked: the
	// endpoints of one OP. Beyond it the others are forgotten.
	maxChecked = 8

	// maxCheckedURL is how long such a URL may be, in bytes.
	maxCheckedURL = 512
)

// checkedURLs remembers URLs that passed: what CheckURL says of one never changes,
// and every login asks it of the same two.
type checkedURLs struct {
	urls atomic.Pointer[map[string]*url.URL] // replaced, never changed
}

// checkedURL is checkURL for a URL that is about to be fetched. The result is
// shared, and must not be changed.
func (c *Client) checkedURL(raw string) (*url.URL, *Error) {
	known := c.checked.urls.Load()
	if known != nil {
		if u := (*known)[raw]; u != nil {
			return u, nil
		}
	}
	u, err := c.checkURL(raw)
	if err != nil || len(raw) > maxCheckedURL {
		return u, err
	}
	next := make(map[string]*url.URL, maxChecked)
	if known != nil && len(*known) < maxChecked {
		maps.Copy(next, *known)
	}
	next[strings.Clone(raw)] = u
	c.checked.urls.Store(&next)
	return u, nil
}

// uriByte reports whether a URI may contain b: unreserved, reserved or the
// percent sign (RFC 3986, section 2). A backslash, which other parsers take for
// a slash, is among those it may not.
func uriByte(b byte) bool {
	switch {
	case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9':
		return true
	}
	return strings.IndexByte("-._~:/?#[]@!$&'()*+,;=%", b) >= 0
}

// portOf returns the port of u, or its scheme's, and whether it is sane.
func portOf(u *url.URL) (uint16, bool) {
	s := u.Port()
	if s == "" {
		if u.Scheme == "http" {
			return 80, true
		}
		return 443, true
	}
	n, err := strconv.ParseUint(s, 10, 16)
	return uint16(n), err == nil && n != 0 && s[0] != '0'
}

// parseHost returns the literal address that host is, if it is one. A kind other
// than 0 says that it is neither an address nor a DNS name, and why.
func parseHost(host string, bracketed bool) (addr netip.Addr, kind Kind, why string) {
	if bracketed || strings.Contains(host, ":") {
		addr, err := netip.ParseAddr(host)
		switch {
		case err != nil || !addr.Is6() || !bracketed:
			return netip.Addr{}, BadURL, "the host in brackets is no IPv6 address"
		case addr.Zone() != "":
			// RFC 6874: a zone means something on one machine only, and only
			// for addresses that are never public.
			return netip.Addr{}, BadURL, "the host is an address with a zone, which means nothing to another machine"
		}
		return addr, 0, ""
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr, 0, ""
	}
	name := strings.TrimSuffix(host, ".") // a rooted name, RFC 1034, section 3.1
	if len(name) == 0 || len(name) > 253 {
		return netip.Addr{}, BadURL, "the host is no DNS name of 1 to 253 bytes (RFC 1035, section 2.3.4)"
	}
	last := ""
	for label := range strings.SplitSeq(name, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return netip.Addr{}, BadURL, "a label of the host is empty, longer than 63 bytes, or begins or ends with a hyphen (RFC 1035, section 2.3.1)"
		}
		for i := range len(label) {
			switch b := label[i]; {
			case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-', b == '_':
			default:
				return netip.Addr{}, BadURL, "the host has a character other than letters, digits, hyphens and dots; an internationalised name is written in its xn-- form (RFC 5891)"
			}
		}
		last = label
	}
	// Resolvers read 127.1, 0x7f.0.0.1, 2130706433 and 0177.0.0.1 as addresses,
	// as the host parser of WHATWG URL ("ends in a number") does.
	if isNumber(last) {
		return netip.Addr{}, BadURL, "the host ends in a number but is no IPv4 address in the usual four decimals"
	}
	return netip.Addr{}, 0, ""
}

// isNumber reports whether a label is decimal, octal or hexadecimal.
func isNumber(s string) bool {
	if len(s) >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X') {
		return strings.Trim(s[2:], "0123456789abcdefABCDEF") == ""
	}
	return strings.Trim(s, "0123456789") == ""
}

// shown is u as errors show it: without query, user information and fragment,
// which may hold secrets, and not endless.
func shown(u *url.URL) string {
	if u == nil || u.Opaque != "" {
		return ""
	}
	s := (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path, RawPath: u.RawPath}).String()
	if u.RawQuery != "" {
		s += "?…"
	}
	return clip(s, 256)
}

// origin is the origin of u: scheme, host and effective port (RFC 6454,
// section 4).
func origin(u *url.URL) string {
	port, _ := portOf(u)
	host := strings.ToLower(u.Hostname())
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return u.Scheme + "://" + host + ":" + strconv.Itoa(int(port))
}

// clip cuts what a stranger wrote to n bytes.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
