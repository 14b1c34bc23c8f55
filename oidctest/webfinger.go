package oidctest

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// issuerRel is the link relation of Discovery 1.0, section 2.
const issuerRel = "http://openid.net/specs/connect/1.0/issuer"

// webFinger answers who is the issuer of an identifier (RFC 7033).
func (x *exchange) webFinger() *reply {
	if x.r.Method != http.MethodGet && x.r.Method != http.MethodHead {
		return methodNotAllowed("GET, HEAD")
	}
	resource := x.query["resource"]
	if len(resource) != 1 || resource[0] == "" {
		// RFC 7033, section 4.2: absent or malformed is 400.
		return x.jrd(http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "exactly one resource is needed"})
	}
	u, err := url.Parse(resource[0])
	if err != nil || u.Scheme == "" {
		return x.jrd(http.StatusBadRequest, map[string]any{"error": "invalid_request", "error_description": "resource is not a URI"})
	}
	if !x.knows(u) {
		return x.jrd(http.StatusNotFound, map[string]any{"error": "not_found", "error_description": "this host knows nothing of the resource"})
	}
	links := []any{map[string]any{"rel": issuerRel, "href": x.op.Issuer}}
	// RFC 7033, section 4.3: rel filters the links and nothing else.
	if rel := x.query["rel"]; len(rel) > 0 && !slices.Contains(rel, issuerRel) {
		links = []any{}
	}
	return x.jrd(http.StatusOK, map[string]any{"subject": resource[0], "links": links})
}

func (x *exchange) jrd(status int, doc map[string]any) *reply {
	rep := jsonReply(status, doc)
	rep.header.Set("Content-Type", "application/jrd+json")
	rep.header.Set("Access-Control-Allow-Origin", "*") // RFC 7033, section 5
	return rep
}

// knows reports whether a resource is a person at the OP, or the host or the
// issuer itself.
func (x *exchange) knows(u *url.URL) bool {
	op := x.op
	op.mu.Lock()
	defer op.mu.Unlock()
	switch u.Scheme {
	case "acct":
		text, err := url.PathUnescape(u.Opaque)
		i := strings.LastIndexByte(text, '@')
		if err != nil || i < 1 || !op.site.called(text[i+1:]) {
			return false
		}
		_, ok := op.user(text[:i])
		return ok
	case "https", "http":
		if u.Fragment != "" || !op.site.called(u.Host) {
			return false
		}
		if name := u.User.Username(); name != "" {
			_, ok := op.user(name)
			return ok
		}
		path := strings.Trim(strings.TrimPrefix(u.Path, op.c.Path), "/")
		if path == "" {
			return true
		}
		_, ok := op.user(path)
		return ok
	}
	return false
}

// called reports whether a host, with or without a port, is a name of the
// site.
func (s *site) called(host string) bool {
	if strings.EqualFold(host, s.host) {
		return true
	}
	name := strings.Trim(hostname(host), "[]")
	if _, port, ok := strings.Cut(strings.TrimPrefix(host, name), ":"); ok && port != "" && !strings.HasSuffix(s.host, ":"+port) {
		return slices.ContainsFunc(s.names, func(n string) bool { return strings.EqualFold(n, name) })
	}
	return slices.ContainsFunc(s.certificateNames(), func(n string) bool { return strings.EqualFold(n, name) })
}
