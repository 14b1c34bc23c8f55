package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func scanAll(data string) (map[string]string, error) {
	got := make(map[string]string)
	err := Scan(data, func(name, value string) error {
		got[name] = value
		return nil
	})
	return got, err
}

func TestScan(t *testing.T) {
	got, err := scanAll(" {\"iss\" : \"https://op.example\", \"aud\":[\"a\" , \"b\"],\n\"exp\":1e3,\"x\":{\"y\":[{}]},\"t\":true,\"n\":null,\"é\":\"\\u00e9\"} ")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"iss": `"https://op.example"`, "aud": `["a" , "b"]`, "exp": "1e3", "x": `{"y":[{}]}`, "t": "true", "n": "null", "é": `"\u00e9"`,
	} {
		if got[name] != want {
			t.Errorf("%s: got %s, want %s", name, got[name], want)
		}
	}
	if s, ok := Text(got["é"]); !ok || s != "é" {
		t.Errorf("got %q, %v, want é", s, ok)
	}
	if _, ok := Text(got["exp"]); ok {
		t.Error("a number was read as text")
	}
}

func TestScanRefusesWhatValidRefuses(t *testing.T) {
	for _, c := range refused {
		_, err := scanAll(c.text)
		if e, ok := errors.AsType[*Error](err); !ok {
			t.Errorf("%s: got %v, want an *Error", c.name, err)
		} else if e.Kind != c.kind && e.Kind != WrongType {
			t.Errorf("%s: got kind %q, want %q", c.name, e.Kind, c.kind)
		}
	}
}

// TestScanUnusual takes the way through the library.
func TestScanUnusual(t *testing.T) {
	var many strings.Builder
	for i := range 2 * maxFewNames {
		fmt.Fprintf(&many, `,"m%d":%d`, i, i)
	}
	got, err := scanAll(`{"a\u0062":1` + many.String() + `}`)
	if err != nil || got["ab"] != "1" || got["m95"] != "95" {
		t.Fatalf("got %d members, %v", len(got), err)
	}
	if _, err := scanAll(`{"a\u0062":1,"ab":2}`); err == nil {
		t.Fatal("one name in two spellings was accepted")
	}
}

// TestScanHandsOver: whatever the quick way does not understand, the library
// refuses, with its reason.
func TestScanHandsOver(t *testing.T) {
	for text, want := range map[string]Kind{
		`[]`: WrongType, `"{}"`: WrongType, `-1`: WrongType, `true`: WrongType,
		`{"a":}`: Syntax, `{"a":1 "b":2}`: Syntax, `{"a" 1}`: Syntax, `{1:2}`: Syntax, `{"a":1,}`: Syntax, `{"a"`: Syntax, `{"a":`: Syntax,
		`{"a":[1 2]}`: Syntax, `{"a":[1,]}`: Syntax, `{"a":[}`: Syntax, `{"a":[`: Syntax, `{"a":[{]}`: Syntax,
		`{"a":-}`: Syntax, `{"a":01}`: Syntax, `{"a":1.}`: Syntax, `{"a":1e}`: Syntax, `{"a":1e+}`: Syntax, `{"a":.5}`: Syntax, `{"a":+1}`: Syntax,
		`{"a":tru}`: Syntax, `{"a":nul`: Syntax, `{"a":undefined}`: Syntax, `{"a":"b`: Syntax, "{\"a\":\"\x01\"}": Syntax, `{"a":"\x"}`: Syntax,
		`{"a":{"b":1,"b":1}}`: DuplicateName, `{"a":[{"b":1,"\u0062":1}]}`: DuplicateName, `{"a":"\ud800"}`: InvalidUTF8,
		`{"a":1}x`: TrailingData, `{"a":` + nest("[", "]", 64) + `}`: TooDeep,
	} {
		_, err := scanAll(text)
		if e, ok := errors.AsType[*Error](err); !ok || e.Kind != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	for _, text := range []string{
		`{}`, ` { } `, `{"a":[]}`, `{"a":[ ]}`, `{"a":-0.5E-3}`, `{"a":0}`, `{"a":false}`, `{"a":{"b":{}}}`,
		`{"a":` + nest("[", "]", 63) + `}`, `{"\"":"\\"}`,
	} {
		if _, err := scanAll(text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestScanInOrder: also when the library reads.
func TestScanInOrder(t *testing.T) {
	var names []string
	err := Scan(`{"b":1,"\u0061":2,"d":3,"c":4}`, func(name, _ string) error {
		names = append(names, name)
		return nil
	})
	if got := strings.Join(names, ""); err != nil || !strings.HasSuffix(got, "badc") {
		t.Fatalf("got %s, %v", got, err)
	}
	stop := errors.New("stop")
	if err := Scan(`{"\u0061":2,"b":1}`, func(string, string) error { return stop }); err != stop {
		t.Fatalf("got %v, want the visitor's error", err)
	}
}

func TestScanStops(t *testing.T) {
	stop := errors.New("stop")
	n := 0
	err := Scan(`{"a":1,"b":2}`, func(string, string) error { n++; return stop })
	if err != stop || n != 1 {
		t.Fatalf("got %v after %d members, want the visitor's error after 1", err, n)
	}
}

func TestScanAllocations(t *testing.T) {
	text := `{"iss":"https://op.example","sub":"248289761001","aud":["a","b"],"exp":1311281970,"cnf":{"jkt":"x"}}`
	var sub string
	if got := testing.AllocsPerRun(100, func() {
		_ = Scan(text, func(name, value string) error {
			if name == "sub" {
				sub, _ = Text(value)
			}
			return nil
		})
	}); got != 0 || sub == "" {
		t.Errorf("got %v allocations, sub %q", got, sub)
	}
}

// FuzzScan shows the members that decoding finds, each once.
func FuzzScan(f *testing.F) {
	for _, c := range refused {
		if len(c.text) < 1000 {
			f.Add(c.text)
		}
	}
	f.Add(`{"iss":"a","aud":["b",{"c":[1,-0.5e+3,null]}],"\u0061":true}`)
	f.Add(`{"a":"\ud83d\ude00","b":"\ud83d"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var want map[string]json.RawMessage
		wantErr := Unmarshal([]byte(text), &want)
		got := make(map[string]string)
		err := Scan(text, func(name, value string) error {
			if _, twice := got[name]; twice {
				t.Fatalf("%q was shown twice", name)
			}
			got[name] = value
			return nil
		})
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("Scan says %v, Unmarshal %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if len(got) != len(want) {
			t.Fatalf("got %d members, want %d", len(got), len(want))
		}
		for name, value := range want {
			if string(value) != got[name] {
				t.Fatalf("%q: got %s, want %s", name, got[name], value)
			}
			// Both ways to read a string say the same.
			var theirs string
			isString := json.Unmarshal(value, &theirs) == nil && value[0] == '"'
			if ours, ok := Text(got[name]); ok != isString || ours != theirs && ok {
				t.Fatalf("%s is %q, %v; encoding/json says %q", value, ours, ok, theirs)
			}
		}
	})
}

func BenchmarkScan(b *testing.B) {
	text := `{"iss":"https://op.example.com/tenant/one","sub":"248289761001-abcdef-0123456789","aud":"s6BhdRkqt3-client-identifier","exp":1893456000,"iat":1893452400,"auth_time":1893452390,"nonce":"n-0S6_WzA2MjKLJHGFDSAqwertyuiopzxcvbnm12345","acr":"urn:mace:incommon:iap:silver","amr":["pwd","otp"],"azp":"s6BhdRkqt3-client-identifier","at_hash":"77QmUPtjPfzWtF2AnpK9RQ","sid":"08a5019c-17e1-4977-8f42-65a12843ea02","name":"Alice Example","email":"alice@example.com"}`
	b.ReportAllocs()
	for b.Loop() {
		if err := Scan(text, func(string, string) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func TestList(t *testing.T) {
	for value, want := range map[string][]string{
		`[]`: {}, `[ ]`: {}, `["a"]`: {"a"}, `[ "a" , "b,c" ]`: {"a", "b,c"}, `["\u0061","é"]`: {"a", "é"},
	} {
		if got, ok := List(value); !ok || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v, want %q", value, got, ok, want)
		}
	}
	for _, value := range []string{`"a"`, `1`, `null`, `{}`, `[1]`, `["a",null]`, `[["a"]]`, `["a"`, `["a",]`, `["a"]x`, `["\ud800"]`, ``} {
		if got, ok := List(value); ok {
			t.Errorf("%s: read as the list %q", value, got)
		}
	}
}

// TestSkipPlain: eight bytes at once find what one by one finds, at every place
// and beside every other byte.
func TestSkipPlain(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			for _, beside := range []byte{'a', 0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f, byte(c), byte(c + 1), byte(c - 1)} {
				text := []byte(strings.Repeat(string(rune('a')), 20))
				text[at] = byte(c)
				text[(at+1)%20], text[(at+19)%20] = beside, beside
				want := slices.IndexFunc(text, special)
				if want < 0 {
					want = len(text)
				}
				if got := skipPlain(string(text), 0); got != want {
					t.Fatalf("%q: got %d, want %d", text, got, want)
				}
			}
		}
	}
}

// TestScanManyNames: the marks of names collide, and a name twice is still found.
func TestScanManyNames(t *testing.T) {
	var names []string
	for i := range maxFewNames {
		names = append(names, fmt.Sprintf("n%d", i))
	}
	text := func(names []string) string { return `{"` + strings.Join(names, `":1,"`) + `":1}` }
	if got, err := scanAll(text(names)); err != nil || len(got) != maxFewNames {
		t.Fatalf("got %d members, %v", len(got), err)
	}
	for i := range names[1:] {
		twice := slices.Clone(names)
		twice[i+1] = names[0]
		if _, err := scanAll(text(twice)); err == nil {
			t.Fatalf("%s was accepted twice", names[0])
		}
	}
	if _, err := scanAll(`{"":1,"":2}`); err == nil {
		t.Fatal("an empty name was accepted twice")
	}
}
