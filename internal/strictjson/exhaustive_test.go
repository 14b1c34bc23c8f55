package strictjson

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// agrees compares what is made of a text with what others make of it.
func agrees(t *testing.T, text string) {
	t.Helper()
	var ours, theirs any
	err := Unmarshal([]byte(text), &ours)
	if strict := strictByOthers([]byte(text)); strict != (err == nil) {
		t.Fatalf("%q: got %v, the standard library and four rules say %v", text, err, strict)
	}
	if valid := Valid([]byte(text)); (valid == nil) != (err == nil) {
		t.Fatalf("%q: Valid says %v, Unmarshal %v", text, valid, err)
	}
	if err == nil {
		if err := json.Unmarshal([]byte(text), &theirs); err != nil || !reflect.DeepEqual(ours, theirs) {
			t.Fatalf("%q: got %v, encoding/json %v, %v", text, ours, theirs, err)
		}
	}
}

// TestEveryShortText: all texts of up to five of these parts.
func TestEveryShortText(t *testing.T) {
	parts := []string{"{", "}", "[", "]", `"a"`, `"`, ":", ",", "1", "null", " ", "x"}
	var all func(text string, more int)
	all = func(text string, more int) {
		agrees(t, text)
		if more > 0 {
			for _, p := range parts {
				all(text+p, more-1)
			}
		}
	}
	all("", 4)
	for _, p := range parts { // the longest begin as most texts do
		all("{"+p, 3)
		all(`{"a":`+p, 3)
		all(`{"b":1,`+p, 3)
	}
}

// TestEveryByte puts every byte into every kind of place.
func TestEveryByte(t *testing.T) {
	for _, place := range []string{
		"?", "?{}", "{?}", "{}?", "[?]", "[?1]", "[1?]", "[1?2]", `{?"a":1}`, `{"a"?:1}`, `{"a":?1}`, `{"a":1?}`, `{"a":1?"b":2}`, `{?":1}`,
		`"?"`, `"x?x"`, `"123456?"`, `"12345678?"`, `"é?"`, `"?é"`, "\"\xc3?\"", "\"\xed?\x80\"", `"\?"`, `"\u?000"`, `"\u0?00"`, `"\u00?0"`, `"\u000?"`, `"\u0000?"`,
		`"\ud800?"`, `"\ud800\?"`, `"\ud800\?dc00"`, `"\ud800?udc00"`, `"\ud800\u?c00"`, `"\ud800\ud?00"`, `"\ud8?0\udc00"`, `"\ud8?0"`, `"\ud?00"`, `"\ud83d\ude0?"`,
		"1?", "-?", "0?", "1.?", "1.5?", "1e?", "1e+?", "1e5?", "-0?", "tru?", "true?", "fals?", "nul?", "[null?]",
	} {
		for c := range 256 {
			agrees(t, strings.Replace(place, "?", string([]byte{byte(c)}), 1))
		}
	}
	for _, cut := range []string{`{"a":"\ud83d\ude00é","b":[1.5e3,true,null,{}]}`, `"\u00e9`} {
		for n := range len(cut) {
			agrees(t, cut[:n])
		}
	}
}

// TestManyMembers: a name twice is found wherever it stands, also where names are
// kept in a map.
func TestManyMembers(t *testing.T) {
	for _, count := range []int{maxFewNames - 1, maxFewNames, maxFewNames + 1, 3 * maxFewNames} {
		var names []string
		for i := range count {
			names = append(names, fmt.Sprintf("n%d", i))
		}
		text := func(more string) string {
			return `{"` + strings.Join(append(slices.Clone(names), more), `":1,"`) + `":1}`
		}
		agrees(t, text("new"))
		for _, twice := range []int{0, 1, maxFewNames - 2, count / 2, count - 1} {
			if err := Valid([]byte(text(names[twice]))); err == nil {
				t.Errorf("of %d members, %s is accepted twice", count, names[twice])
			}
			if err := Valid([]byte(text(`\u006e` + names[twice][1:]))); err == nil {
				t.Errorf("of %d members, %s is accepted twice, once with an escape", count, names[twice])
			}
		}
	}
}

// TestPathAtTheBound: a path of 128 bytes is told whole.
func TestPathAtTheBound(t *testing.T) {
	for more, want := range map[int]string{0: "", 1: "…"} {
		name := strings.Repeat("n", maxPath-1+more)
		err := Valid([]byte(`{"` + name + `":[1,]}`)).(*Error)
		if wanted := ("/" + name)[:maxPath] + want; !strings.HasPrefix(err.Path, ("/" + name)[:maxPath-2]) || len(name) == maxPath-1-2 && err.Path != wanted {
			t.Errorf("got path %q, want %q", err.Path, wanted)
		}
		err = Valid([]byte(`{"` + name + `":tru}`)).(*Error)
		if wanted := ("/" + name)[:maxPath] + want; err.Path != wanted {
			t.Errorf("got path %q, want %q", err.Path, wanted)
		}
	}
}

type (
	Tagged   struct{ In int }
	first    struct{ Same, Own int }
	second   struct{ Same int }
	shadowed struct {
		Deep string `json:"deep"`
	}
)

// TestFields: whose name is whose, where structs lie in one another.
func TestFields(t *testing.T) {
	var v struct {
		shadowed
		first
		second
		Tagged   `json:"t"`
		Untagged Tagged
		Deep     int `json:"deep"`
		Empty    int `json:"e,omitempty"`
		Quoted   int `json:"q,omitempty,string"`
		Flag     *bool
		Signed   int
		Number   json.Number
		Nine     uint
	}
	err := Unmarshal([]byte(`{"deep":7,"Same":1,"Own":2,"t":{"In":3},"Untagged":{"In":4},"In":9,"e":5,"q":"6","Flag":false,"Signed":-8,"Number":-0.5,"Nine":9}`), &v)
	if err != nil {
		t.Fatal(err)
	}
	if v.Deep != 7 || v.shadowed.Deep != "" || v.first.Same != 1 || v.second.Same != 0 || v.Own != 2 || v.Tagged.In != 3 || v.Untagged.In != 4 ||
		v.Empty != 5 || v.Quoted != 6 || v.Flag == nil || *v.Flag || v.Signed != -8 || v.Number != "-0.5" || v.Nine != 9 {
		t.Errorf("got %+v", v)
	}
	if err := Unmarshal([]byte(`{"e":"5"}`), &v); err == nil {
		t.Error("a number in a string was accepted without the option")
	}
	var promoted struct{ Seconds }
	if err := Unmarshal([]byte(`5`), &promoted); err != nil || promoted.Duration() != 5e9 {
		t.Errorf("got %v, %v, want the method of the embedded type used", promoted, err)
	}
	var pair struct{ P [2]int }
	if err, ok := Unmarshal([]byte(`{"P":["x"]}`), &pair).(*Error); !ok || err.Path != "/P/0" {
		t.Errorf("got %v", err)
	}
}

// TestSecondsAtTheBounds: also in the spellings that take the long way.
func TestSecondsAtTheBounds(t *testing.T) {
	for text, ok := range map[string]bool{
		"253402300799": true, "253402300799.5": true, "253402300800": false, "253402300800.0": false, "999999999999.5": false, "9e11": false, "2.53402300799e11": true,
		"0." + strings.Repeat("0", maxNumber-2): true, "0." + strings.Repeat("0", maxNumber-1): false, "1e-9": true, "1e-10": true, "0e99999999999999999999": true,
	} {
		if _, err := ParseSeconds(text); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
	if s, err := ParseSeconds("1e-9"); err != nil || s.Duration() != 1 {
		t.Errorf("got %v, %v, want a nanosecond", s, err)
	}
	for _, value := range []string{`[]x`, `["a"]x`, `[ ] `, `x[]`, `"`, `""`, ``} {
		list, ok := List(value)
		var theirs []string
		if ok != (json.Unmarshal([]byte(value), &theirs) == nil && strings.TrimSpace(value) == value) {
			t.Errorf("%s: read as %q, %v", value, list, ok)
		}
		text, ok := Text(value)
		if ok != (value == `""`) {
			t.Errorf("%s: read as %q, %v", value, text, ok)
		}
	}
}
