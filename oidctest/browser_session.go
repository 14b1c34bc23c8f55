package oidctest

import (
	"crypto/sha256"
	"html"
	"net/url"
	"regexp"
	"strings"
)

// Frames returns the URLs of the iframes on the page that the last
// [Browser.Logout] saw: the front-channel logout URIs of the clients that the
// person was logged in at (Front-Channel Logout 1.0, section 3). Nothing has
// loaded them: the caller sends them to the relying party as the browser would.
func (b *Browser) Frames() []string { return b.frames }

// framesOf finds the iframes of a page of the OP.
func framesOf(page string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`<iframe[^>]* src="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		out = append(out, html.UnescapeString(m[1]))
	}
	return out
}

// CheckSession answers as the script on the check_session_iframe does in this
// browser, when a page of an origin posts it a message (Session Management 1.0,
// section 3.2): unchanged, changed, or error for a message that is none.
func (b *Browser) CheckSession(origin, message string) string {
	id, state, ok := strings.Cut(message, " ")
	i := strings.LastIndexByte(state, '.')
	if !ok || i < 0 || strings.Contains(state, " ") {
		return "error"
	}
	own := ""
	if at, err := url.Parse(b.op.URL(EndpointCheckSession)); err == nil && b.client.Jar != nil {
		for _, c := range b.client.Jar.Cookies(at) {
			if c.Name == stateCookieName {
				own = c.Value
			}
		}
	}
	salt := state[i+1:]
	sum := sha256.Sum256([]byte(id + " " + origin + " " + own + " " + salt))
	if b64(sum[:])+"."+salt != state {
		return "changed"
	}
	return "unchanged"
}
