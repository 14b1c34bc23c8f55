package oidc

import (
	"net/http"
	"strings"
)

// Bounds on the challenges of one response, which a stranger writes.
const (
	maxChallenges      = 8
	maxChallengeParams = 32 // of all together
)

// challenge is one challenge of WWW-Authenticate (RFC 9110 section 11.6.1). Scheme
// and names are in lower case: they have none of their own.
type challenge struct {
	scheme string
	params map[string]string
}

// readChallenges reads the challenges of a response. Each parameter belongs to the
// scheme before it, so that what a server says of one scheme is not read as if it
// were said of another. Of a parameter that occurs twice the first counts. What
// does not parse ends the field that it is in.
func readChallenges(h http.Header) []challenge {
	var out []challenge
	params := 0
	for _, field := range h.Values("WWW-Authenticate") {
		for rest := field; ; {
			rest = strings.TrimLeft(rest, " \t,")
			word := token(rest)
			if word == "" {
				break
			}
			rest = rest[len(word):]
			value, after, isParam := paramValue(rest)
			switch {
			case isParam && len(out) > 0 && params < maxChallengeParams:
				of, name := out[len(out)-1].params, strings.ToLower(word)
				if _, dup := of[name]; !dup {
					of[name] = value
					params++
				}
				rest = after
			case isParam:
				rest = after // of no scheme, or too many
			default:
				if len(out) == maxChallenges {
					return out
				}
				out = append(out, challenge{scheme: strings.ToLower(word), params: make(map[string]string)})
				rest = skipToken68(rest)
			}
		}
	}
	return out
}

// token is the token that s begins with (RFC 9110 section 5.6.2).
func token(s string) string {
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] >= 'A' && s[i] <= 'Z' || s[i] >= 'a' && s[i] <= 'z' || strings.IndexByte("!#$%&'*+-.^_`|~", s[i]) >= 0) {
		i++
	}
	return s[:i]
}

// paramValue reads "=" and a token or quoted string, if that is what comes, with
// the white space that recipients must bear (RFC 9110 section 11.2).
func paramValue(s string) (value, rest string, ok bool) {
	after, found := strings.CutPrefix(strings.TrimLeft(s, " \t"), "=")
	if !found {
		return "", s, false
	}
	after = strings.TrimLeft(after, " \t")
	if !strings.HasPrefix(after, `"`) {
		// A URL without quotation marks is no token, and is seen all the same.
		i := strings.IndexAny(after, ", \t")
		if i < 0 {
			i = len(after)
		}
		return after[:i], after[i:], true
	}
	var b strings.Builder
	i := 1
	for ; i < len(after) && after[i] != '"'; i++ {
		if after[i] == '\\' && i+1 < len(after) {
			i++
		}
		b.WriteByte(after[i])
	}
	return b.String(), after[min(i+1, len(after)):], true
}

// skipToken68 steps over the credentials that some schemes have in place of
// parameters, such as "Negotiate YII...==".
func skipToken68(s string) string {
	trimmed := strings.TrimLeft(s, " \t")
	i := 0
	for i < len(trimmed) && (trimmed[i] >= '0' && trimmed[i] <= '9' || trimmed[i] >= 'A' && trimmed[i] <= 'Z' || trimmed[i] >= 'a' && trimmed[i] <= 'z' || strings.IndexByte("-._~+/", trimmed[i]) >= 0) {
		i++
	}
	for j := i; ; j++ {
		if j == len(trimmed) || trimmed[j] == ',' {
			if len(trimmed) == len(s) {
				return s // no space before it
			}
			return trimmed[j:]
		}
		if trimmed[j] != '=' {
			return s // a parameter, or the next challenge
		}
	}
}
