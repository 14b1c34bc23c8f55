package strictjson

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// document has every kind of value that a message of the protocol has.
type document struct {
	Issuer  string          `json:"issuer"`
	Scopes  []string        `json:"scopes"`
	Nested  *document       `json:"nested"`
	Expires *Seconds        `json:"exp"`
	Count   int8            `json:"count"`
	Flag    bool            `json:"flag"`
	Raw     json.RawMessage `json:"raw"`
}

func TestUnmarshal(t *testing.T) {
	var got document
	text := `{"issuer":"https://op.example","scopes":["openid"],"nested":{"issuer":"x"},"exp":1e3,` +
		`"count":7,"flag":true,"raw":{"a": [1]},"unknown":{"issuer":"y"},"ISSUER":"z"}`
	if err := Unmarshal([]byte(text), &got); err != nil {
		t.Fatal(err)
	}
	want := document{
		Issuer: "https://op.example", Scopes: []string{"openid"}, Nested: &document{Issuer: "x"},
		Expires: &Seconds{whole: 1000}, Count: 7, Flag: true, Raw: json.RawMessage(`{"a": [1]}`),
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
}

func TestNullInside(t *testing.T) {
	var got document
	if err := Unmarshal([]byte(`{"issuer":null,"exp":null,"nested":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if got.Issuer != "" || got.Expires != nil || got.Nested != nil {
		t.Fatalf("got %+v, want all absent", got)
	}
}

func nest(open, close string, depth int) string {
	return strings.Repeat(open, depth) + strings.Repeat(close, depth)
}

var refused = []struct {
	name, text string
	kind       Kind
	path       string
}{
	{"empty", "", Syntax, ""},
	{"blank", " \n", Syntax, ""},
	{"cut_short", `{"issuer":"x"`, Syntax, ""},
	{"cut_short_in_string", `{"issuer":"x`, Syntax, "/issuer"},
	{"not_json", "<html>", Syntax, ""},
	{"single_quotes", "{'issuer':1}", Syntax, ""},
	{"trailing_comma", `{"issuer":"x",}`, Syntax, ""},
	{"comment", `{/**/}`, Syntax, ""},
	{"nan", `NaN`, Syntax, ""},
	{"leading_zero", `{"count":01}`, Syntax, ""},
	{"control_character", "{\"issuer\":\"a\x00b\"}", Syntax, "/issuer"},
	{"utf16", "{\x00\"\x00a\x00\"\x00:\x001\x00}\x00", Syntax, ""},
	{"byte_order_mark", "\xef\xbb\xbf{}", ByteOrderMark, ""},
	{"null_root", " null\n", NullRoot, ""},
	{"duplicate", `{"issuer":"a","issuer":"b"}`, DuplicateName, "/issuer"},
	{"duplicate_by_escape", `{"issuer":"a","\u0069ssuer":"b"}`, DuplicateName, "/issuer"},
	{"duplicate_in_unknown", `{"x":{"y":1,"y":2}}`, DuplicateName, "/x/y"},
	{"duplicate_in_raw", `{"raw":{"y":1,"y":2}}`, DuplicateName, "/raw/y"},
	{"duplicate_in_array", `{"x":[{"y":1,"y":2}]}`, DuplicateName, "/x/0/y"},
	{"invalid_utf8", "{\"issuer\":\"\xff\"}", InvalidUTF8, "/issuer"},
	{"invalid_utf8_in_unknown", "{\"x\":\"\xc3\"}", InvalidUTF8, "/x"},
	{"invalid_utf8_in_name", "{\"\xff\":1}", InvalidUTF8, ""},
	{"overlong_utf8", "{\"issuer\":\"\xc0\xaf\"}", InvalidUTF8, "/issuer"},
	{"surrogate_bytes", "{\"issuer\":\"\xed\xa0\x80\"}", InvalidUTF8, "/issuer"},
	{"lone_surrogate", `{"issuer":"\ud800"}`, InvalidUTF8, "/issuer"},
	{"lone_low_surrogate", `{"issuer":"\udc00x"}`, InvalidUTF8, "/issuer"},
	{"reversed_surrogates", `{"issuer":"\udc00\ud800"}`, InvalidUTF8, "/issuer"},
	{"deep_arrays", nest("[", "]", 65), TooDeep, ""},
	{"deep_objects", strings.Repeat(`{"a":`, 65) + "1" + strings.Repeat("}", 65), TooDeep, ""},
	{"very_deep", strings.Repeat("[", 100_000), TooDeep, ""},
	{"trailing_object", `{}{}`, TrailingData, ""},
	{"trailing_garbage", `{} x`, TrailingData, ""},
	{"trailing_nul", "{}\x00", TrailingData, ""},
	{"trailing_bracket", `{}]`, TrailingData, ""},
}

func TestRefused(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			var v document
			_, objectErr := Object([]byte(c.text))
			for verb, err := range map[string]error{
				"Unmarshal": Unmarshal([]byte(c.text), &v),
				"Valid":     Valid([]byte(c.text)),
				"Object":    objectErr,
			} {
				e, ok := errors.AsType[*Error](err)
				if !ok {
					t.Fatalf("%s: got %v, want an *Error", verb, err)
				}
				if e.Kind != c.kind && !(verb != "Valid" && e.Kind == WrongType && !strings.HasPrefix(c.text, "{")) {
					t.Errorf("%s: got kind %q, want %q (%v)", verb, e.Kind, c.kind, err)
				}
				if e.Kind == c.kind && e.Path != c.path && verb != "Object" {
					t.Errorf("%s: got path %q, want %q", verb, e.Path, c.path)
				}
			}
		})
	}
}

func TestWrongType(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       Kind
		path       string
	}{
		{"root_array", `[]`, WrongType, ""},
		{"root_string", `"x"`, WrongType, ""},
		{"root_number", `1`, WrongType, ""},
		{"root_false", `false`, WrongType, ""},
		{"object_for_string", `{"issuer":{}}`, WrongType, "/issuer"},
		{"list_for_boolean", `{"flag":[]}`, WrongType, "/flag"},
		{"number_for_string", `{"issuer":1}`, WrongType, "/issuer"},
		{"string_for_list", `{"scopes":"openid"}`, WrongType, "/scopes"},
		{"number_in_list", `{"scopes":["a",1]}`, WrongType, "/scopes/1"},
		{"nested", `{"nested":{"flag":"true"}}`, WrongType, "/nested/flag"},
		{"string_for_seconds", `{"exp":"1"}`, WrongType, "/exp"},
		{"seconds_out_of_range", `{"nested":{"exp":1e400}}`, OutOfRange, "/nested/exp"},
		{"integer_out_of_range", `{"count":128}`, OutOfRange, "/count"},
		{"fraction_for_integer", `{"count":1.5}`, WrongType, "/count"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var v document
			err := Unmarshal([]byte(c.text), &v)
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != c.kind || e.Path != c.path {
				t.Fatalf("got %v, want %s at %q", err, c.kind, c.path)
			}
		})
	}
}

// TestErrorKeepsSecrets sends one secret in every place a value can have; no
// error may repeat it.
func TestErrorKeepsSecrets(t *testing.T) {
	const secret = "s3cr3t"
	for _, text := range []string{
		`{"count":"` + secret + `"}`, `{"exp":"` + secret + `"}`, `{"flag":"` + secret + `"}`, `"` + secret + `"`,
		`{"issuer":"` + secret + "\xff\"}", `{"issuer":"` + secret + `\ud800"}`, `{"issuer":"` + secret, secret,
		`{"issuer":` + secret + `}`, `{} ` + secret, `{"issuer":"a","issuer":"` + secret + `"}`,
	} {
		var v document
		for _, err := range []error{Unmarshal([]byte(text), &v), Valid([]byte(text))} {
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("%s: the error repeats the value: %v", text, err)
			}
		}
	}
}

func TestErrorBoundsPath(t *testing.T) {
	name := strings.Repeat("é", 10_000)
	err := Valid([]byte(`{"` + name + `":[1,]}`))
	if err == nil || len(err.Error()) > 1024 {
		t.Fatalf("got an error of %d bytes, want at most 1024", len(err.Error()))
	}
	err = Valid([]byte(`{"a\nb\u001b[2J":[1,]}`))
	if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Fatalf("got %q, want control characters quoted", err)
	}
}

func TestDepthAllowed(t *testing.T) {
	for _, text := range []string{
		nest("[", "]", MaxDepth),
		strings.Repeat(`{"a":`, MaxDepth) + "1" + strings.Repeat("}", MaxDepth),
		"[" + strings.Repeat("[],", 500) + "[]]",
		`["` + strings.Repeat("[", 1000) + `"]`,
		`["\"` + strings.Repeat("[", 1000) + `"]`,
		`["\\",` + strings.Repeat("[],", 500) + `"[[["]`,
	} {
		if err := Valid([]byte(text)); err != nil {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}

func TestMisuse(t *testing.T) {
	err := Unmarshal([]byte(`{}`), document{})
	if err == nil {
		t.Fatal("a target that is no pointer was accepted")
	}
}

func TestObject(t *testing.T) {
	got, err := Object([]byte(` {"a": 1 ,"b":{"c":[ ]}} `))
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || string(got["a"]) != "1" || !bytes.HasPrefix(got["b"], []byte(`{"c"`)) {
		t.Fatalf("got %s", got)
	}
	if got, err := Object([]byte(`{}`)); err != nil || got == nil {
		t.Fatalf("got %v, %v, want an empty map", got, err)
	}
}

func FuzzUnmarshal(f *testing.F) {
	for _, c := range refused {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	f.Add([]byte(`{"issuer":"https://op.example","x":[1,2.5e3,null,true,{"é":"\ud83d\ude00"}]}`))
	f.Add([]byte(`["a\u0062",{"":{"":0}}]`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var v any
		err := Unmarshal(text, &v)
		if e, ok := errors.AsType[*Error](err); ok && e.Kind == OutOfRange {
			return // a number beyond float64, which only decoding can tell
		}
		// Who knows the rules otherwise says the same.
		if strict := strictByOthers(text); strict != (err == nil) {
			t.Fatalf("got %v, the standard library and four rules say %v", err, strict)
		}
		if valid := Valid(text); (valid == nil) != (err == nil) {
			t.Fatalf("Valid says %v, Unmarshal %v", valid, err)
		}
		if err != nil {
			if _, ok := errors.AsType[*Error](err); !ok {
				t.Fatalf("error of type %T: %v", err, err)
			}
			return
		}
		// Accepted input means the same to the standard library,
		var theirs any
		if err := json.Unmarshal(text, &theirs); err != nil {
			t.Fatalf("accepted, but encoding/json says %v", err)
		}
		if !reflect.DeepEqual(v, theirs) {
			t.Fatalf("got %v, encoding/json got %v", v, theirs)
		}
		// and re-encodes to the same meaning.
		again, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		var second any
		if err := Unmarshal(again, &second); err != nil || !reflect.DeepEqual(v, second) {
			t.Fatalf("re-encoded to %s: %v, %v", again, second, err)
		}
	})
}

// strictByOthers asks encoding/json, and package utf8, for what Unmarshal has to
// accept: JSON, all of it UTF-8 and no half of a surrogate pair, no name twice, not
// too deep, not null.
func strictByOthers(text []byte) bool {
	if !json.Valid(text) || !utf8.Valid(text) || string(bytes.Trim(text, " \t\r\n")) == "null" {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	replaced, depth := 0, 0
	var objects []map[string]bool // nil for an array
	name := false                 // a name is to come
	for {
		token, err := d.Token()
		if err != nil {
			break
		}
		switch token := token.(type) {
		case json.Delim:
			switch token {
			case '{', '[':
				if depth++; depth > MaxDepth {
					return false
				}
				var names map[string]bool
				if token == '{' {
					names = make(map[string]bool)
				}
				objects = append(objects, names)
			default:
				depth--
				objects = objects[:depth]
			}
			name = depth > 0 && objects[depth-1] != nil
			continue
		case string:
			replaced += strings.Count(token, "\ufffd")
			if name {
				if objects[depth-1][token] {
					return false
				}
				objects[depth-1][token] = true
				name = false
				continue
			}
		}
		name = depth > 0 && objects[depth-1] != nil
	}
	// What encoding/json replaced is not in the text.
	written := bytes.Count(text, []byte("\ufffd"))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i+6 <= len(text) && strings.EqualFold(string(text[i:i+6]), `\ufffd`) {
				written++
			}
			i++
		}
	}
	return replaced == written
}

// FuzzDecode: a struct gets what encoding/json would put into it, if no name is
// there that only differs in case.
func FuzzDecode(f *testing.F) {
	for _, c := range refused {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	f.Add([]byte(`{"issuer":"x","scopes":["a",null],"nested":{"count":7,"nested":null},"exp":1.5,"flag":true,"raw":{"a": [1]},"m":{"k":[1,2]},"b":"AQI=","at":"2026-01-02T03:04:05Z","n":12.5e3,"q":"7","f":1e300,"arr":[1,2]}`))
	f.Add([]byte(`{"count":128,"u":-1,"f32":1e39,"in":3,"Loose":"y","p":[{"in":1},{}],"b":"*","at":"never","arr":[1]}`))
	f.Add([]byte(`{"b":[0,255]}`))
	f.Add([]byte(`{"b":[256]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		var ours, theirs everything
		err := Unmarshal(text, &ours)
		if check(string(text)) != nil {
			if err == nil {
				t.Fatal("accepted what is not strict")
			}
			return
		}
		if foldedName(text) {
			return
		}
		theirErr := json.Unmarshal(text, &theirs)
		// encoding/json also reads bytes from a list of numbers; here they are base64.
		if e, ok := errors.AsType[*Error](err); ok && e.Kind == WrongType && e.Path == "/b" {
			return
		}
		if (err == nil) != (theirErr == nil) {
			t.Fatalf("got %v, encoding/json says %v", err, theirErr)
		}
		if err == nil && !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("got  %+v\nwant %+v", ours, theirs)
		}
	})
}

// embedded and everything have a field of every kind that can be decoded.
type embedded struct {
	Inner int `json:"in"`
	Loose string
}

type everything struct {
	document
	*embedded
	Map      map[string][]int    `json:"m"`
	Bytes    []byte              `json:"b"`
	At       *time.Time          `json:"at"`
	Number   json.Number         `json:"n"`
	Quoted   int                 `json:"q,string"`
	Float    float64             `json:"f"`
	Single   float32             `json:"f32"`
	Unsigned uint16              `json:"u"`
	Pointers []*struct{ In int } `json:"p"`
	Any      any                 `json:"any"`
	Objects  map[string]any      `json:"o"`
	Left     string              `json:"-"`
}

// foldedName reports whether a member is named like a field but for its case, or
// differs from what encoding/json makes of it for another reason that is known.
func foldedName(text []byte) bool {
	lower := strings.ToLower(string(text))
	for _, name := range []string{"issuer", "scopes", "nested", "exp", "count", "flag", "raw", "m", "b", "at", "n", "q", "f", "f32", "u", "p", "any", "o", "in", "loose", "arr"} {
		if strings.Count(lower, `"`+name+`"`) != strings.Count(string(text), `"`+name+`"`) {
			return true
		}
	}
	// A quoted number, and a json.Number, are read by rules of their own there;
	// U+017F and U+212A fold to letters; escapes hide names.
	return strings.ContainsAny(lower, `\ſK`) || strings.Contains(lower, `"q"`) || strings.Contains(lower, `"n":"`)
}
