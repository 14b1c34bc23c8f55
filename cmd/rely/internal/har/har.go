// Package har writes HTTP exchanges as an HTTP Archive 1.2, which browsers' tools
// and many others read.
package har

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/oidc"
)

// MaxEntries bounds an archive. A command makes a few exchanges; one that polls
// makes more, and the first ones are those that matter.
const MaxEntries = 2000

// Encode writes an archive of exchanges as JSON. It writes what it is given: who
// wants no secret in it gives exchanges that were masked.
func Encode(creator, version string, exchanges []oidc.Exchange) ([]byte, error) {
	l := archive{Log: log{Version: "1.2", Creator: program{creator, version}, Entries: []entry{}}}
	for _, e := range exchanges[:min(len(exchanges), MaxEntries)] {
		l.Log.Entries = append(l.Log.Entries, entryOf(e))
	}
	return json.MarshalIndent(l, "", "  ")
}

// The members of HAR 1.2. What a fetch from a program has not, such as a cache, is
// there and empty, as the format asks.
type (
	archive struct {
		Log log `json:"log"`
	}
	log struct {
		Version string  `json:"version"`
		Creator program `json:"creator"`
		Entries []entry `json:"entries"`
	}
	program struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	}
	entry struct {
		Started  string   `json:"startedDateTime"`
		Time     float64  `json:"time"`
		Request  request  `json:"request"`
		Response response `json:"response"`
		Cache    struct{} `json:"cache"`
		Timings  timings  `json:"timings"`
		Comment  string   `json:"comment,omitempty"`
	}
	request struct {
		Method      string    `json:"method"`
		URL         string    `json:"url"`
		HTTPVersion string    `json:"httpVersion"`
		Cookies     []pair    `json:"cookies"`
		Headers     []pair    `json:"headers"`
		Query       []pair    `json:"queryString"`
		Post        *postData `json:"postData,omitempty"`
		HeadersSize int       `json:"headersSize"`
		BodySize    int       `json:"bodySize"`
	}
	response struct {
		Status      int     `json:"status"`
		StatusText  string  `json:"statusText"`
		HTTPVersion string  `json:"httpVersion"`
		Cookies     []pair  `json:"cookies"`
		Headers     []pair  `json:"headers"`
		Content     content `json:"content"`
		RedirectURL string  `json:"redirectURL"`
		HeadersSize int     `json:"headersSize"`
		BodySize    int     `json:"bodySize"`
		Error       string  `json:"_error,omitempty"`
	}
	pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	postData struct {
		MimeType string `json:"mimeType"`
		Params   []pair `json:"params"`
		Text     string `json:"text"`
	}
	content struct {
		Size     int    `json:"size"`
		MimeType string `json:"mimeType"`
		Text     string `json:"text,omitempty"`
	}
	timings struct {
		Send    float64 `json:"send"`
		Wait    float64 `json:"wait"`
		Receive float64 `json:"receive"`
	}
)

// unknown is what HAR writes for a size that was not counted.
const unknown = -1

func entryOf(e oidc.Exchange) entry {
	ms := float64(e.Took) / float64(time.Millisecond)
	out := entry{Started: e.Start.UTC().Format(time.RFC3339Nano), Time: ms, Timings: timings{Wait: ms}, Comment: e.Step}
	out.Request = request{Method: e.Method, URL: e.URL, HTTPVersion: "HTTP/1.1", Cookies: []pair{}, Headers: headers(e.RequestHeader),
		Query: query(e.URL), HeadersSize: unknown, BodySize: len(e.RequestBody)}
	if e.RequestBody != "" {
		p := &postData{MimeType: e.RequestHeader.Get("Content-Type"), Params: []pair{}, Text: e.RequestBody}
		if strings.HasPrefix(p.MimeType, "application/x-www-form-urlencoded") {
			if form, err := url.ParseQuery(e.RequestBody); err == nil {
				p.Params = pairs(form)
			}
		}
		out.Request.Post = p
	}
	out.Response = response{Status: e.Status, StatusText: http.StatusText(e.Status), HTTPVersion: "HTTP/1.1", Cookies: []pair{}, Headers: headers(e.ResponseHeader),
		Content:     content{Size: len(e.ResponseBody), MimeType: e.ResponseHeader.Get("Content-Type"), Text: strings.ToValidUTF8(e.ResponseBody, "\uFFFD")},
		RedirectURL: e.ResponseHeader.Get("Location"), HeadersSize: unknown, BodySize: unknown}
	if out.Response.Content.MimeType == "" {
		out.Response.Content.MimeType = "x-unknown"
	}
	if e.Err != nil {
		out.Response.Error = "failed"
		if e.Status == 0 {
			out.Response.Error = "no answer"
		}
		out.Comment += ": " + strconv.QuoteToGraphic(e.Err.Error())
	}
	return out
}

func headers(h http.Header) []pair {
	return pairs(h)
}

func pairs(v map[string][]string) []pair {
	out := []pair{}
	for _, name := range slices.Sorted(maps.Keys(v)) {
		for _, value := range v[name] {
			out = append(out, pair{name, value})
		}
	}
	return out
}

func query(raw string) []pair {
	u, err := url.Parse(raw)
	if err != nil {
		return []pair{}
	}
	return pairs(u.Query())
}
