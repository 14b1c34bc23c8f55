package har

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"rely.example/oidc"
)

// required are the members of HAR 1.2 that each object must have, and their JSON
// types, as the specification lists them. "[name" is a list of objects of that name.
var required = map[string]map[string]string{
	"root":     {"log": "log"},
	"log":      {"version": "string", "creator": "creator", "entries": "[entry"},
	"creator":  {"name": "string", "version": "string"},
	"entry":    {"startedDateTime": "time", "time": "number", "request": "request", "response": "response", "cache": "cache", "timings": "timings"},
	"cache":    {},
	"timings":  {"send": "number", "wait": "number", "receive": "number"},
	"request":  {"method": "string", "url": "string", "httpVersion": "string", "cookies": "[pair", "headers": "[pair", "queryString": "[pair", "headersSize": "number", "bodySize": "number"},
	"response": {"status": "number", "statusText": "string", "httpVersion": "string", "cookies": "[pair", "headers": "[pair", "content": "content", "redirectURL": "string", "headersSize": "number", "bodySize": "number"},
	"content":  {"size": "number", "mimeType": "string"},
	"postData": {"mimeType": "string", "params": "[pair", "text": "string"},
	"pair":     {"name": "string", "value": "string"},
}

// optional are members that may be there, and are checked if they are.
var optional = map[string]map[string]string{
	"request": {"postData": "postData"},
	"content": {"text": "string"},
	"entry":   {"comment": "string"},
}

// validate returns what is wrong with a value of a kind.
func validate(kind, path string, v any) []string {
	wrong := func(format string, args ...any) []string {
		return []string{path + ": " + fmt.Sprintf(format, args...)}
	}
	switch {
	case kind == "string" || kind == "time":
		s, ok := v.(string)
		if !ok {
			return wrong("no string: %v", v)
		}
		if kind == "time" {
			if _, err := time.Parse(time.RFC3339Nano, s); err != nil {
				return wrong("no ISO 8601 time: %v", err)
			}
		}
		return nil
	case kind == "number":
		if n, ok := v.(float64); !ok || n < -1 {
			return wrong("no number: %v", v)
		}
		return nil
	case strings.HasPrefix(kind, "["):
		list, ok := v.([]any)
		if !ok {
			return wrong("no list: %v", v)
		}
		var out []string
		for i, one := range list {
			out = append(out, validate(kind[1:], fmt.Sprintf("%s[%d]", path, i), one)...)
		}
		return out
	}
	object, ok := v.(map[string]any)
	if !ok {
		return wrong("no object: %v", v)
	}
	var out []string
	for name, of := range required[kind] {
		if m, there := object[name]; there {
			out = append(out, validate(of, path+"."+name, m)...)
		} else {
			out = append(out, wrong("no %s", name)...)
		}
	}
	for name, m := range object {
		of, known := optional[kind][name]
		switch {
		case known:
			out = append(out, validate(of, path+"."+name, m)...)
		case required[kind][name] == "" && !strings.HasPrefix(name, "_"):
			out = append(out, wrong("%s is no member of HAR 1.2", name)...)
		}
	}
	return out
}

func TestEncode(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	exchanges := []oidc.Exchange{
		{Step: oidc.StepDiscovery, Method: "GET", URL: "https://op.example/.well-known/openid-configuration?a=1&a=2", Start: start, Took: 1500 * time.Microsecond,
			RequestHeader: http.Header{"Accept": {"application/json"}}, Status: 200, ResponseHeader: http.Header{"Content-Type": {"application/json"}}, ResponseBody: `{"issuer":"x"}`},
		{Step: oidc.StepToken, Method: "POST", URL: "https://op.example/token", Start: start, RequestBody: "grant_type=authorization_code&code=c",
			RequestHeader: http.Header{"Content-Type": {"application/x-www-form-urlencoded"}, "Authorization": {"Basic eDp5"}}, Err: errors.New("reset by \x1b peer")},
		{Step: oidc.StepKeys, Method: "GET", URL: "https://op.example/jwks", Start: start, Status: 302, ResponseHeader: http.Header{"Location": {"/other"}}, ResponseBody: "\xff"},
	}
	for i := range exchanges {
		exchanges[i] = exchanges[i].Masked()
	}
	text, err := Encode("rely", "v1", exchanges)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	for _, w := range validate("root", "har", v) {
		t.Error(w)
	}
	var a archive
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	e := a.Log.Entries
	if len(e) != 3 || e[0].Time != 1.5 || len(e[0].Request.Query) != 2 || e[0].Response.Content.Text != `{"issuer":"x"}` || e[0].Comment != "discovery" {
		t.Errorf("got %+v", e)
	}
	if e[1].Request.Post == nil || len(e[1].Request.Post.Params) != 2 || e[1].Response.Status != 0 || e[1].Response.Error == "" || e[2].Response.RedirectURL != "/other" {
		t.Errorf("got %+v", e[1:])
	}
	if strings.Contains(string(text), "eDp5") || strings.Contains(string(text), "code=c") || strings.Contains(string(text), "\x1b") {
		t.Errorf("a secret or a control character: %s", text)
	}
}

// TestValidateSeesFaults: the validator is not content with anything.
func TestValidateSeesFaults(t *testing.T) {
	for name, text := range map[string]string{
		"no log":        `{}`,
		"no entries":    `{"log":{"version":"1.2","creator":{"name":"x","version":"1"}}}`,
		"wrong type":    `{"log":{"version":1.2,"creator":{"name":"x","version":"1"},"entries":[]}}`,
		"unknown":       `{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":[],"entrys":[]}}`,
		"null entries":  `{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":null}}`,
		"entry is bare": `{"log":{"version":"1.2","creator":{"name":"x","version":"1"},"entries":[{}]}}`,
	} {
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if len(validate("root", "har", v)) == 0 {
			t.Errorf("%s is valid", name)
		}
	}
	empty, err := Encode("rely", "v1", nil)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(empty, &v); err != nil || len(validate("root", "har", v)) != 0 {
		t.Errorf("an empty archive: %v %s", err, empty)
	}
	many, err := Encode("rely", "v1", make([]oidc.Exchange, MaxEntries+1))
	if err != nil || strings.Count(string(many), `"timings"`) != MaxEntries {
		t.Errorf("the archive has no bound (%v)", err)
	}
}
