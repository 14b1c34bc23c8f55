package demo

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/oidc"
)

// hidden stands where package oidc masked a secret.
const hidden = "[redacted]"

// maxLines bounds what is shown of one text.
const maxLines = 400

// part is one thing to look at in a message: its headers, a body, a token.
type part struct {
	Title  string  `json:"title"`
	Fields []field `json:"fields,omitempty"`
	Lines  []line  `json:"-"`
	Text   string  `json:"text,omitempty"` // the lines, for a machine
}

// field is a header or a parameter.
type field struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Hidden bool   `json:"hidden,omitempty"`
}

// line is a line of a body; Note says in words what a number means.
type line struct {
	Text   string
	Note   string
	Hidden bool
}

// side is a request or a response.
type side struct {
	Title string `json:"title"` // "Request"
	Line  string `json:"line"`  // "GET http://…", "200 OK"
	Parts []part `json:"parts,omitempty"`
}

// sides are what a message shows when it is opened. Without reveal it holds no
// secret.
func (m *message) sides(reveal bool, now time.Time) []side {
	if m.Front != nil {
		return m.frontSides(reveal, now)
	}
	shown, full := m.maskedExchange, m.Exchange
	if reveal {
		shown = full
	}
	request := side{Title: "Request", Line: shown.Method + " " + shown.URL}
	request.Parts = append(request.Parts, query(shown.URL), headers(shown.RequestHeader))
	request.Parts = append(request.Parts, bodyParts(shown.RequestHeader, shown.RequestBody, full.RequestBody, reveal, now)...)
	response := side{Title: "Response", Line: statusText(shown.Status)}
	if shown.Status == 0 {
		response.Line = "No answer came"
	}
	if shown.Err != nil {
		response.Parts = append(response.Parts, part{Title: "Given up", Lines: []line{{Text: plain(shown.Err)}}})
	}
	response.Parts = append(response.Parts, headers(shown.ResponseHeader))
	response.Parts = append(response.Parts, bodyParts(shown.ResponseHeader, shown.ResponseBody, full.ResponseBody, reveal, now)...)
	return tidy([]side{request, response})
}

func (m *message) frontSides(reveal bool, now time.Time) []side {
	shown := m.maskedFront
	if reveal {
		shown = m.Front
	}
	s := side{Title: "Request", Line: shown.Mode + " " + shown.Endpoint}
	if shown.Response {
		s.Title, s.Line = "Response", shown.Mode+" to "+shown.Endpoint
	}
	s.Parts = append(s.Parts, part{Title: "Parameters", Fields: values(shown.Params)})
	s.Parts = append(s.Parts, tokensIn(m.Front.Params, reveal, now)...)
	return tidy([]side{s})
}

// tidy drops what is empty and writes the text of what is not.
func tidy(sides []side) []side {
	for i := range sides {
		sides[i].Parts = slices.DeleteFunc(sides[i].Parts, func(p part) bool { return len(p.Fields)+len(p.Lines) == 0 })
		for j := range sides[i].Parts {
			var b strings.Builder
			for _, l := range sides[i].Parts[j].Lines {
				b.WriteString(l.Text + "\n")
			}
			sides[i].Parts[j].Text = b.String()
		}
	}
	return sides
}

// secrets reports whether the message hides anything when it is masked.
func (m *message) secrets() bool {
	masked := m.sides(false, time.Time{})
	for _, s := range masked {
		if strings.Contains(s.Line, hidden) || strings.Contains(s.Line, url.QueryEscape(hidden)) {
			return true
		}
		for _, p := range s.Parts {
			if slices.ContainsFunc(p.Fields, func(f field) bool { return f.Hidden }) || slices.ContainsFunc(p.Lines, func(l line) bool { return l.Hidden }) {
				return true
			}
		}
	}
	return false
}

func query(raw string) part {
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery == "" {
		return part{}
	}
	return part{Title: "Query", Fields: values(u.Query())}
}

func headers(h http.Header) part {
	return part{Title: "Headers", Fields: values(url.Values(h))}
}

func values(v url.Values) []field {
	var out []field
	for _, k := range slices.Sorted(mapKeys(v)) {
		for _, s := range v[k] {
			out = append(out, field{Name: k, Value: s, Hidden: strings.Contains(s, hidden)})
		}
	}
	return out
}

func mapKeys(v url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range v {
			if !yield(k) {
				return
			}
		}
	}
}

// bodyParts shows a body by its media type, and each token in it.
func bodyParts(h http.Header, shown, full string, reveal bool, now time.Time) []part {
	if strings.TrimSpace(full) == "" {
		return nil
	}
	mediaType, _, _ := mime.ParseMediaType(h.Get("Content-Type"))
	switch {
	case mediaType == "application/x-www-form-urlencoded":
		s, errS := url.ParseQuery(shown)
		f, errF := url.ParseQuery(full)
		if errS == nil && errF == nil {
			return append([]part{{Title: "Form", Fields: values(s)}}, tokensIn(f, reveal, now)...)
		}
	case isJWT(strings.TrimSpace(full)):
		return append([]part{{Title: "Body", Lines: plainLines(shown)}}, decodeJWT("body", strings.TrimSpace(full), reveal, now)...)
	}
	if lines := jsonLines([]byte(shown), now); lines != nil {
		parts := []part{{Title: "Body", Lines: lines}}
		var members map[string]any
		if json.Unmarshal([]byte(full), &members) == nil {
			v := url.Values{}
			for k, m := range members {
				if s, ok := m.(string); ok {
					v.Set(k, s)
				}
			}
			parts = append(parts, tokensIn(v, reveal, now)...)
		}
		return parts
	}
	return []part{{Title: "Body", Lines: plainLines(shown)}}
}

func plainLines(s string) []line {
	var out []line
	for l := range strings.Lines(s) {
		l = strings.TrimRight(l, "\r\n")
		if len(out) == maxLines {
			return append(out, line{Text: "…"})
		}
		if len(l) > 4096 {
			l = strings.ToValidUTF8(l[:4096], "") + " …"
		}
		out = append(out, line{Text: l, Hidden: strings.Contains(l, hidden)})
	}
	return out
}

// tokensIn decodes the JWTs among parameters or members.
func tokensIn(v url.Values, reveal bool, now time.Time) []part {
	var out []part
	for _, k := range slices.Sorted(mapKeys(v)) {
		for _, s := range v[k] {
			if isJWT(s) {
				out = append(out, decodeJWT(k, s, reveal, now)...)
			}
		}
	}
	return out
}

// isJWT tells a compact JWS with a JSON header from other text. Nothing is
// verified here: this is what came, not what was believed.
func isJWT(s string) bool {
	if strings.Count(s, ".") != 2 || len(s) > maxKept {
		return false
	}
	head, _, _ := strings.Cut(s, ".")
	b, err := base64.RawURLEncoding.DecodeString(head)
	return err == nil && json.Valid(b)
}

func decodeJWT(name, token string, reveal bool, now time.Time) []part {
	segments := strings.Split(token, ".")
	var out []part
	for i, title := range []string{"header", "claims"} {
		b, err := base64.RawURLEncoding.DecodeString(segments[i])
		if err != nil {
			b = nil
		}
		if !reveal {
			// One place knows what is secret: package oidc.
			b = []byte(oidc.Exchange{ResponseBody: string(b)}.Masked().ResponseBody)
		}
		lines := jsonLines(b, now)
		if lines == nil {
			lines = []line{{Text: "(not JSON)"}}
		}
		out = append(out, part{Title: name + ", decoded: " + title, Lines: lines})
	}
	return out
}

// timeMember finds, in a line of indented JSON, a member that is in seconds
// since 1970.
func timeMember(text string) (name string, secs int64, ok bool) {
	name, value, ok := strings.Cut(strings.TrimSuffix(strings.TrimSpace(text), ","), ": ")
	if !ok || !slices.Contains([]string{`"exp"`, `"iat"`, `"nbf"`, `"auth_time"`, `"updated_at"`, `"client_id_issued_at"`, `"client_secret_expires_at"`}, name) {
		return "", 0, false
	}
	secs, err := strconv.ParseInt(value, 10, 64)
	return strings.Trim(name, `"`), secs, err == nil && secs >= 0 && secs < 1<<40
}

// jsonLines is JSON, indented, with its times in words; nil if it is not JSON.
func jsonLines(b []byte, now time.Time) []line {
	var buf bytes.Buffer
	if json.Indent(&buf, bytes.TrimSpace(b), "", "  ") != nil || buf.Len() == 0 {
		return nil
	}
	out := plainLines(buf.String())
	for i := range out {
		name, secs, ok := timeMember(out[i].Text)
		switch {
		case !ok:
		case secs == 0 && name == "client_secret_expires_at":
			out[i].Note = "never"
		case secs > 0:
			out[i].Note = timeInWords(time.Unix(secs, 0), now)
		}
	}
	return out
}

// timeInWords is a time and how far it is from now.
func timeInWords(t, now time.Time) string {
	s := t.UTC().Format("2006-01-02 15:04:05 UTC")
	if now.IsZero() {
		return s
	}
	d := t.Sub(now).Round(time.Second)
	switch {
	case d == 0:
		return s + ", now"
	case d > 0:
		return s + ", in " + inWords(d)
	}
	return s + ", " + inWords(-d) + " ago"
}

func inWords(d time.Duration) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{365 * 24 * time.Hour, "year"}, {24 * time.Hour, "day"}, {time.Hour, "hour"}, {time.Minute, "minute"}, {time.Second, "second"}} {
		// Times are cut to the second: what is a little short of 10 minutes is 10.
		switch n := int64((d + u.d/60) / u.d); n {
		case 0:
		case 1:
			return "1 " + u.name
		default:
			return strconv.FormatInt(n, 10) + " " + u.name + "s"
		}
	}
	return "0 seconds"
}
