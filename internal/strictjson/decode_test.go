package strictjson

import (
	"encoding/json"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type upper string

func (u *upper) UnmarshalText(b []byte) error {
	if string(b) != strings.ToUpper(string(b)) {
		return errors.New("not upper case: " + string(b))
	}
	*u = upper(b)
	return nil
}

type (
	inner struct {
		Deep  string `json:"deep"`
		Twice string `json:"twice"`
	}
	Loop struct {
		*Loop
		Name string `json:"name"`
	}
	kinds struct {
		inner
		*Loop
		Named inner `json:"named"`
		Twice int   `json:"twice"`

		Text    upper               `json:"text"`
		Addr    netip.Addr          `json:"addr"`
		At      time.Time           `json:"at"`
		Raw     json.RawMessage     `json:"raw"`
		Number  json.Number         `json:"number"`
		Quoted  int                 `json:"quoted,string"`
		Uint    uint8               `json:"uint"`
		Float   float32             `json:"float"`
		Bytes   []byte              `json:"bytes"`
		Pair    [2]int              `json:"pair"`
		Map     map[upper][]*string `json:"map"`
		Any     any                 `json:"any"`
		Default string
		//lint:ignore U1000 that it is passed over is what is compared
		private string
		Skipped string `json:"-"`
		//lint:ignore SA5008 encoding/json names such a field "-"
		Dash string `json:"-,"`
	}
)

// TestKinds reads one value of every kind.
func TestKinds(t *testing.T) {
	var got kinds
	err := Unmarshal([]byte(`{"deep":"d","twice":2,"name":"n","named":{"deep":"e","x":[]},"text":"ABC","addr":"192.0.2.1","at":"2026-01-02T03:04:05Z",
		"raw": {"a" : 1} ,"number":1.50,"quoted":"7","uint":255,"float":0.5,"bytes":"AQI=","pair":[1,2],"map":{"k":["v",null],"l":null},
		"any":[{"x":[1,"\u00e9",true,null]},{}],"Default":"y","private":"no","Skipped":"no","-":"dash","DEEP":"no"}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	v := "v"
	want := kinds{inner: inner{Deep: "d"}, Loop: &Loop{Name: "n"}, Named: inner{Deep: "e"}, Twice: 2, Text: "ABC", Addr: netip.MustParseAddr("192.0.2.1"),
		At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Raw: json.RawMessage(`{"a" : 1}`), Number: "1.50", Quoted: 7, Uint: 255, Float: 0.5, Bytes: []byte{1, 2},
		Pair: [2]int{1, 2}, Map: map[upper][]*string{"k": {&v, nil}, "l": nil}, Any: []any{map[string]any{"x": []any{1.0, "é", true, nil}}, map[string]any{}},
		Default: "y", Dash: "dash"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// null is the zero value of each, also where something was before.
	nulls := "{"
	for name := range strings.FieldsSeq("deep twice name named text addr number quoted uint float bytes pair map any Default -") {
		nulls += `"` + name + `":null,`
	}
	if err := Unmarshal([]byte(nulls+`"raw":null}`), &got); err != nil {
		t.Fatal(err)
	}
	if want := (kinds{Loop: &Loop{}, At: want.At, Raw: json.RawMessage("null")}); !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	// A long text is not kept for a short part of it.
	long := `{"Default":"y","x":"` + strings.Repeat("x", shortText) + `","number":1,"any":{"k":"v"},"map":{"k":[]}}`
	if err := Unmarshal([]byte(long), &got); err != nil || got.Default != "y" || got.Number != "1" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestKindsRefused: the error says where and of which type, and not what was there.
func TestKindsRefused(t *testing.T) {
	const secret = "s3cr3t"
	for _, c := range []struct {
		text string
		kind Kind
		path string
	}{
		{`{"text":"` + secret + `"}`, WrongType, "/text"},
		{`{"text":1}`, WrongType, "/text"},
		{`{"addr":"` + secret + `"}`, WrongType, "/addr"},
		{`{"at":"` + secret + `"}`, WrongType, "/at"},
		{`{"number":"` + secret + `"}`, WrongType, "/number"},
		{`{"number":{}}`, WrongType, "/number"},
		{`{"quoted":"` + secret + `"}`, WrongType, "/quoted"},
		{`{"quoted":"1 2"}`, WrongType, "/quoted"},
		{`{"uint":256}`, OutOfRange, "/uint"},
		{`{"uint":-1}`, WrongType, "/uint"},
		{`{"uint":"1"}`, WrongType, "/uint"},
		{`{"float":1e39}`, OutOfRange, "/float"},
		{`{"bytes":"` + secret + `*"}`, WrongType, "/bytes"},
		{`{"bytes":[1]}`, WrongType, "/bytes"},
		{`{"pair":[1]}`, WrongType, "/pair"},
		{`{"pair":[1,2,3]}`, WrongType, "/pair"},
		{`{"pair":[1,"x"]}`, WrongType, "/pair/1"},
		{`{"pair":{}}`, WrongType, "/pair"},
		{`{"map":[]}`, WrongType, "/map"},
		{`{"map":{"a/b~c":[1]}}`, WrongType, "/map/a~1b~0c/0"},
		{`{"named":{"deep":1}}`, WrongType, "/named/deep"},
		{`{"any":{"a":[1e400]}}`, OutOfRange, "/any/a/0"},
		{`{"deep":true}`, WrongType, "/deep"},
	} {
		var v kinds
		err := Unmarshal([]byte(c.text), &v)
		e, ok := errors.AsType[*Error](err)
		if !ok || e.Kind != c.kind || e.Path != c.path {
			t.Errorf("%s: got %v, want %s at %s", c.text, err, c.kind, c.path)
		} else if strings.Contains(err.Error(), secret) || e.Detail == "" {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}

// TestMisusedTypes: what cannot be decoded is the program's fault, not the text's.
func TestMisusedTypes(t *testing.T) {
	for _, v := range []any{nil, kinds{}, (*kinds)(nil), new(chan int), new(func()), new(error), new(map[int]string), new(complex128), &struct{ *unexported }{}} {
		err := Unmarshal([]byte(`{"a":1}`), v)
		if _, ours := errors.AsType[*Error](err); err == nil || ours {
			t.Errorf("%T: got %v", v, err)
		}
	}
}

type unexported struct {
	A int `json:"a"`
}

func TestObjectKeepsNothingOnError(t *testing.T) {
	if got, err := Object([]byte(`{"a":1,"a":2}`)); got != nil || err == nil {
		t.Errorf("got %v, %v", got, err)
	}
}
