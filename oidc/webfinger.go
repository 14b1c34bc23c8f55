package oidc

import (
	"context"
	"encoding/json"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// issuerRel is the link relation that names an issuer (Discovery section 2).
const issuerRel = "http://openid.net/specs/connect/1.0/issuer"

// maxIdentifier bounds what a user may type, in bytes.
const maxIdentifier = 2048

// FindIssuer asks the host of an identifier, by WebFinger (RFC 7033, Discovery
// section 2), which issuer its user logs in at. The identifier is what the user
// typed: alice@example.com, acct:alice@example.com, https://example.com/alice,
// example.com or example.com:8443.
//
// The answer says where to log in, not who the user is: that is for the ID Token
// to say. The issuer may be at another host than the identifier.
//
// An identifier that is none is an *InputError with BadIdentifier; an XRI, or a
// URI of another scheme, an *UnsupportedError; an answer without issuer a
// *ProtocolError with NoIssuer.
//
// With Options.InsecureAllowHTTP, a host that is a loopback address or
// "localhost" and an identifier that begins with http:// are asked over http,
// and the answer may be an http issuer.
func FindIssuer(ctx context.Context, identifier string, o *Options) (issuer string, err error) {
	e, err := newEnv(o)
	if err != nil {
		return "", err
	}
	ctx, call := e.call(ctx, "FindIssuer", printable(identifier), "")
	defer call.end(&err)
	defer e.http.CloseIdleConnections()
	id, err := normalizeIdentifier(identifier)
	if err != nil {
		return "", err
	}
	if err := e.checkIdentifierPort(id); err != nil {
		return "", err
	}
	scheme := "https"
	if e.opts.InsecureAllowHTTP && (id.http || isLoopbackName(id.hostname)) {
		scheme = "http"
	} else if id.http {
		return "", &ProtocolError{Reason: InsecureURL, Step: StepWebFinger, Spec: "RFC 7033 4",
			Detail: "the identifier is an http URL; https is needed"}
	}
	// The order of the parameters and their percent-encoding are those of the
	// examples in RFC 7033 section 4.1.
	u := scheme + "://" + id.host + "/.well-known/webfinger?resource=" + url.QueryEscape(id.resource) + "&rel=" + url.QueryEscape(issuerRel)
	res, err := e.do(ctx, &fetch.Request{
		Purpose: StepWebFinger,
		URL:     u,
		Accept:  []string{"application/jrd+json", "application/json"},
	})
	if err != nil {
		return "", err
	}
	c := e.checker(ctx, StepWebFinger)
	if res.Status >= 500 || res.Status == 429 {
		// The host is down, which says nothing of the identifier, and passes.
		return "", e.refused(StepWebFinger, res)
	}
	if res.Status != 200 {
		detail := "status " + strconv.Itoa(res.Status)
		if res.Status == 404 {
			detail = "the host knows no such identifier, or has no WebFinger; if the user's issuer is known, it can be given directly"
		}
		return "", c.failed(&ProtocolError{Reason: NoIssuer, Spec: "RFC 7033 4.2", Detail: detail}, "WebFinger answers 200")
	}
	return e.issuerFromJRD(c, res.Body)
}

// issuerFromJRD reads the first link of the issuer relation. To go on to a
// second one would be to guess.
func (e *env) issuerFromJRD(c *checker, body []byte) (string, error) {
	var jrd struct {
		Links []struct {
			Rel  string          `json:"rel"`
			Href json.RawMessage `json:"href"`
		} `json:"links"`
	}
	if err := strictjson.Unmarshal(body, &jrd); err != nil {
		return "", c.failed(malformed(StepWebFinger, "RFC 7033 4.4", err), "the JRD is JSON")
	}
	for _, l := range jrd.Links {
		if l.Rel != issuerRel {
			continue
		}
		var issuer string
		if err := strictjson.Unmarshal(l.Href, &issuer); err != nil || issuer == "" {
			return "", c.failed(&ProtocolError{Reason: NoIssuer, Spec: "RFC 7033 4.4.4.3", Detail: "the issuer link's href is no string"}, "href is a string")
		}
		if err := e.checkIssuer(StepWebFinger, issuer); err != nil {
			return "", c.failed(err, "the issuer is an https URL without query or fragment")
		}
		return issuer, c.that(true, NoIssuer, "Discovery 2", "the JRD names an issuer", "", issuer)
	}
	return "", c.failed(&ProtocolError{Reason: NoIssuer, Spec: "Discovery 2",
		Detail: "the answer has no link with rel " + issuerRel}, "the JRD names an issuer")
}

// checkIssuer applies the rules for an issuer identifier (Core section 2,
// Discovery section 3): https, a host, no query, no fragment, no user.
func (e *env) checkIssuer(step, issuer string) *ProtocolError {
	bad := func(r Reason, detail string) *ProtocolError {
		return &ProtocolError{Reason: r, Step: step, Spec: "Discovery 3", Detail: detail}
	}
	if _, err := e.http.CheckURL(issuer); err != nil {
		if pe, ok := fetchFailed(step, err).(*ProtocolError); ok {
			pe.Spec = "Discovery 3"
			return pe
		}
		return bad(BadMetadata, "the issuer is no URL that can be used: "+printable(err.Error()))
	}
	if strings.ContainsAny(issuer, "?#") {
		return bad(BadMetadata, "the issuer "+quote(issuer)+" has a query or fragment")
	}
	return nil
}

// identifier is what a user typed, normalised.
type identifier struct {
	resource string // the URI to ask for
	host     string // the authority to ask, with port
	hostname string // the same without port, in lower case, without brackets
	port     int    // 0: none given
	http     bool   // an http URL was typed
}

// normalizeIdentifier applies Discovery sections 2.1.1 and 2.1.2.
func normalizeIdentifier(input string) (*identifier, error) {
	bad := func(detail string) error {
		return &InputError{Reason: BadIdentifier, Field: "identifier", Detail: detail}
	}
	s := strings.TrimSpace(input)
	switch {
	case s == "":
		return nil, bad("it is empty; expected something like alice@example.com or https://example.com")
	case len(s) > maxIdentifier:
		return nil, bad("it is longer than " + strconv.Itoa(maxIdentifier) + " bytes")
	}
	for _, r := range s {
		// A URL parser, a resolver and a person read these differently
		// (hostile catalogue case 7).
		if r <= ' ' || r == 0x7f || r == '\\' {
			return nil, bad("it contains a space, control character or backslash")
		}
		if r > 0x7f {
			return nil, bad("it contains a character outside ASCII; write the domain in its xn-- form, and percent-encode the rest")
		}
	}
	// 2.1.1 (1): an XRI starts with a global context symbol or xri:.
	if strings.ContainsRune("=@!", rune(s[0])) || hasPrefixFold(s, "xri:") {
		return nil, &UnsupportedError{Feature: "XRI identifiers", Detail: "OpenID Connect discovers e-mail-like identifiers and URLs (Discovery section 2.1)"}
	}
	scheme, rest := splitScheme(s)
	typed := scheme != ""
	if !typed {
		// 2.1.2 (1, 2): user@host alone is an acct URI, anything else an https URL.
		authority, _, more := cutAny(s, "/?#")
		at := strings.LastIndexByte(authority, '@')
		fragmentOnly := !more || s[len(authority)] == '#'
		if at >= 0 && fragmentOnly && !hasPort(authority[at+1:]) {
			scheme, rest = "acct", s
		} else {
			scheme, rest = "https", "//"+s
		}
	}
	// 2.1.2 (4): a fragment is no part of the resource.
	rest, _, _ = strings.Cut(rest, "#")
	id := &identifier{resource: scheme + ":" + rest}
	var authority string
	switch scheme {
	case "acct":
		// RFC 7565: acct:user@host. A port is no part of that syntax, but it is
		// how an OP on another port is named in tests and on one's own machine.
		at := strings.LastIndexByte(rest, '@')
		if at <= 0 {
			return nil, bad("an acct: identifier is written acct:user@host")
		}
		if strings.ContainsRune(rest[:at], '@') {
			return nil, bad("it has more than one @; an @ in the user part is written %40")
		}
		authority, _, _ = cutAny(rest[at+1:], "/?")
		if authority != rest[at+1:] {
			return nil, bad("an acct: identifier has no path or query")
		}
	case "https", "http":
		id.http = scheme == "http"
		after, ok := strings.CutPrefix(rest, "//")
		if !ok {
			return nil, bad("a URL is written " + scheme + "://host/path")
		}
		authority, _, _ = cutAny(after, "/?")
		if at := strings.LastIndexByte(authority, '@'); at >= 0 {
			// alice@example.com:8443 is read as userinfo and host by 2.1.2;
			// https://good.example@evil.example is a trap for the eye.
			if typed {
				return nil, bad("a URL with user information is refused")
			}
			if strings.ContainsRune(authority[:at], '@') {
				return nil, bad("its user part is not understood")
			}
			authority = authority[at+1:]
		}
	default:
		return nil, &UnsupportedError{Feature: "identifiers of scheme " + printable(scheme),
			Detail: "give an e-mail-like identifier, an acct: or an https: URI (Discovery section 2.1)"}
	}
	if err := id.setAuthority(authority); err != nil {
		return nil, err
	}
	return id, nil
}

func (id *identifier) setAuthority(authority string) error {
	bad := func(detail string) error {
		return &InputError{Reason: BadIdentifier, Field: "identifier", Detail: detail}
	}
	host := authority
	if hasPort(authority) {
		h, p, _ := net.SplitHostPort(authority) // of what it refuses, all is empty
		n, err := strconv.ParseUint(p, 10, 16)
		if err != nil || n == 0 {
			return bad("its port is not understood")
		}
		host, id.port = h, int(n)
	} else if bare, ok := strings.CutPrefix(host, "["); ok {
		host = strings.TrimSuffix(bare, "]")
	}
	// RFC 3986 section 3.2.2: brackets hold an IPv6 address and nothing else.
	bracketed := strings.HasPrefix(authority, "[")
	if addr, err := netip.ParseAddr(host); err == nil && addr.Zone() == "" && addr.Is6() == bracketed {
		id.hostname, id.host = strings.ToLower(host), authority
		return nil
	}
	if bracketed || !validHostname(host) {
		return bad("its host is not understood")
	}
	id.hostname, id.host = strings.ToLower(host), authority
	return nil
}

// checkIdentifierPort refuses ports that no OP is at: a user may choose the
// host, and must not choose the protocol (hostile catalogue case 6).
func (e *env) checkIdentifierPort(id *identifier) error {
	if id.port == 0 || id.port == 443 || id.port == 8443 || slices.Contains(e.opts.AllowPorts, id.port) {
		return nil
	}
	for _, h := range e.opts.AllowPrivate {
		if strings.EqualFold(h, id.hostname) {
			return nil
		}
	}
	return &ProtocolError{Reason: ForbiddenAddress, Step: StepWebFinger, Spec: "Discovery 7.3",
		Detail: "port " + strconv.Itoa(id.port) + " is not among those an identifier may carry; if it is right, name it in AllowPorts"}
}

// splitScheme finds an RFC 3986 scheme. What precedes a colon and digits only
// is a host with its port, as in example.com:8443.
func splitScheme(s string) (scheme, rest string) {
	head, _, _ := cutAny(s, "/?#")
	name, after, ok := strings.Cut(head, ":")
	if !ok {
		return "", s
	}
	for i, r := range name {
		alpha := 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !alpha && (i == 0 || !('0' <= r && r <= '9' || r == '+' || r == '-' || r == '.')) {
			return "", s
		}
	}
	if after != "" && strings.Trim(after, "0123456789") == "" {
		return "", s
	}
	return strings.ToLower(name), s[len(name)+1:]
}

func hasPort(authority string) bool {
	colon := strings.LastIndexByte(authority, ':')
	return colon > strings.LastIndexByte(authority, ']')
}

// validHostname accepts the names of RFC 1123, which is also what a certificate
// can name.
func validHostname(h string) bool {
	if len(h) > 253 {
		return false
	}
	for label := range strings.SplitSeq(strings.TrimSuffix(h, "."), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, r := range label {
			if !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '-' || r == '_') {
				return false
			}
		}
	}
	// 127.1, 0x7f000001 and 2130706433 are addresses to some resolvers and
	// names to others.
	last := h[strings.LastIndexByte(strings.TrimSuffix(h, "."), '.')+1:]
	return strings.Trim(last, "0123456789.") != "" && !hasPrefixFold(last, "0x")
}

func isLoopbackName(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true // RFC 6761 section 6.3
	}
	addr, _ := netip.ParseAddr(host) // of what is no address: the zero Addr, which is nowhere
	return addr.Unmap().IsLoopback()
}

func cutAny(s, chars string) (before, after string, found bool) {
	if i := strings.IndexAny(s, chars); i >= 0 {
		return s[:i], s[i+1:], true
	}
	return s, "", false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
