package oidc

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// masked stands wherever a secret was.
const masked = "[redacted]"

// secretParams are the parameters and members whose value is a secret or a
// credential: whoever holds one can act as the client or as the user.
var secretParams = map[string]bool{
	"access_token":              true,
	"refresh_token":             true,
	"id_token":                  true,
	"id_token_hint":             true,
	"code":                      true,
	"code_verifier":             true,
	"client_secret":             true,
	"client_assertion":          true,
	"assertion":                 true,
	"token":                     true,
	"registration_access_token": true,
	"logout_token":              true,
	"request":                   true,
	"response":                  true,
	"device_code":               true,
	"user_code":                 true,
	"verification_uri_complete": true, // it holds the user_code
	"auth_req_id":               true,
	"client_notification_token": true,
	"login_hint_token":          true,
	"subject_token":             true,
	"actor_token":               true,
	"password":                  true,
	"state":                     true,
	"nonce":                     true,
}

// IsSecret reports whether a parameter or JSON member of that name holds a
// secret, and is masked in traces.
func IsSecret(name string) bool { return secretParams[name] || secretPhrase(name) }

// secretPhrase reports whether a name of several words is that of a secret, however
// it is spelled: a server that writes accessToken is not understood, and its trace is
// what somebody then shows around. Code and State are as a rule other things.
func secretPhrase(name string) bool {
	s := snakeCase(name)
	return strings.Contains(s, "_") && secretParams[s]
}

// snakeCase is a name as the specifications write theirs.
func snakeCase(name string) string {
	var b strings.Builder
	var before rune
	for _, c := range name {
		switch {
		case c == '-':
			c = '_'
		case unicode.IsUpper(c) && unicode.IsLower(before):
			b.WriteByte('_')
		}
		before = c
		b.WriteRune(unicode.ToLower(c))
	}
	return b.String()
}

// Masked returns the exchange with every secret replaced.
func (e Exchange) Masked() Exchange {
	e.URL = maskURL(e.URL)
	e.RequestHeader = maskHeader(e.RequestHeader)
	e.ResponseHeader = maskHeader(e.ResponseHeader)
	e.RequestBody = maskBody(e.RequestBody)
	e.ResponseBody = maskBody(e.ResponseBody)
	return e
}

// Masked returns the message with every secret replaced.
func (m FrontMessage) Masked() FrontMessage {
	m.Endpoint = maskURL(m.Endpoint)
	m.Params = maskValues(m.Params)
	return m
}

func maskValues(v url.Values) url.Values {
	out := make(url.Values, len(v))
	for k, vs := range v {
		if IsSecret(k) {
			vs = []string{masked}
		}
		out[k] = slices.Clone(vs)
	}
	return out
}

func maskURL(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return masked
	}
	if u.User != nil {
		u.User = url.User(masked)
	}
	if u.RawQuery != "" {
		q, err := url.ParseQuery(u.RawQuery)
		if err != nil {
			u.RawQuery = masked
		} else {
			u.RawQuery = maskValues(q).Encode()
		}
	}
	if u.Fragment != "" {
		u.Fragment, u.RawFragment = masked, ""
	}
	return u.String()
}

func maskHeader(h http.Header) http.Header {
	out := h.Clone()
	for _, k := range []string{"Authorization", "Proxy-Authorization"} {
		for i, v := range out[k] {
			out[k][i] = masked
			if scheme, _, ok := strings.Cut(v, " "); ok {
				out[k][i] = scheme + " " + masked
			}
		}
	}
	for k, values := range out {
		if k == "Cookie" || k == "Set-Cookie" || k == "Dpop" || namesCredential(k) {
			for i := range values {
				values[i] = masked
			}
		}
	}
	if loc := out.Get("Location"); loc != "" {
		out.Set("Location", maskURL(loc))
	}
	return out
}

// namesCredential reports whether a field of HTTP is by its name one of those that a
// ClientAuth or OAuthOnly.Header of the application may set: Private-Token, X-Api-Key.
func namesCredential(field string) bool {
	field = strings.ToLower(field)
	return slices.ContainsFunc([]string{"token", "secret", "key", "password", "credential"}, func(s string) bool { return strings.Contains(field, s) })
}

// byteOrderMark is what some servers write before JSON, which has none (RFC 8259
// section 8.1).
const byteOrderMark = "\ufeff"

// maskBody masks a JSON object, a form or a JWT. Anything else is no message that
// can be read, but may be one with something before or within it, such as the
// warning of a script: it stays only if it names no secret.
func maskBody(body string) string {
	if rest := strings.TrimLeft(body, byteOrderMark); len(rest) < len(body) {
		return body[:len(body)-len(rest)] + maskBody(rest)
	}
	switch s := strings.TrimSpace(body); {
	case s == "":
		return body
	case s[0] == '{':
		var v any
		if json.Unmarshal([]byte(s), &v) != nil {
			return masked
		}
		out, err := json.Marshal(maskJSON(v))
		if err != nil {
			return masked
		}
		return string(out)
	case strings.Contains(s, "=") && !strings.ContainsAny(s, " <\n"):
		v, err := url.ParseQuery(s)
		if err != nil {
			return masked
		}
		return maskValues(v).Encode()
	case namesSecret(s):
		return masked
	}
	return body
}

// namesSecret reports whether a text has a JWT in it, or gives a value to the name
// of a secret. Names of one word (code, state, nonce) are in many an error page, and
// what has a secret under one of them has others beside it.
func namesSecret(s string) bool {
	for s != "" {
		rest := strings.TrimLeft(s, wordBytes)
		word := s[:len(s)-len(rest)]
		if word == "" {
			s = s[1:]
			continue
		}
		s = rest
		if looksLikeJWT(word) {
			return true
		}
		if !secretPhrase(word[strings.LastIndexByte(word, '.')+1:]) {
			continue
		}
		after := strings.TrimPrefix(strings.TrimPrefix(rest, "&quot;"), "&#34;")
		after = strings.TrimLeft(after, "\"'\\ \t\r\n")
		if strings.HasPrefix(after, ":") || strings.HasPrefix(after, "=") {
			return true
		}
	}
	return false
}

// wordBytes are what a name or a JWT can hold.
const wordBytes = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."

func maskJSON(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k, m := range v {
			if IsSecret(k) {
				v[k] = masked
				continue
			}
			v[k] = maskJSON(m)
		}
	case []any:
		for i := range v {
			v[i] = maskJSON(v[i])
		}
	}
	return v
}

func looksLikeJWT(s string) bool {
	return strings.HasPrefix(s, "eyJ") && strings.Count(s, ".") >= 2
}

// redact is what a value that holds secrets prints in every format: its type
// and the members that identify it.
func redact(f fmt.State, typ string, pairs ...string) {
	fmt.Fprintf(f, "%s{", typ)
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			fmt.Fprint(f, " ")
		}
		fmt.Fprintf(f, "%s:%s", pairs[i], printable(pairs[i+1]))
	}
	fmt.Fprint(f, "}")
}

// present prints a secret as nothing more than there or not.
func present(s string) string {
	if s == "" {
		return "none"
	}
	return masked
}
