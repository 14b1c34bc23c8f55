package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"
)

func membersOf(data []byte) (map[string]string, error) {
	got := map[string]string{}
	err := Members(data, func(name, value []byte) error {
		got[string(name)] = string(value)
		return nil
	})
	return got, err
}

func TestMembers(t *testing.T) {
	got, err := membersOf([]byte("\n{ \"a\" : 1 ,\"b\":{\"c\":[ ]} , \"\\u0064\":\"x\\\"}\" ,\"e\":[1,{\"}\":\"]\"}],\"f\":null,\"g\":-1.5e3\t}\n"))
	want := map[string]string{"a": "1", "b": `{"c":[ ]}`, "d": `"x\"}"`, "e": `[1,{"}":"]"}]`, "f": "null", "g": "-1.5e3"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("got %v, %v, want %v", got, err, want)
	}
	if got, err := membersOf([]byte(" { } ")); err != nil || len(got) != 0 {
		t.Fatalf("got %v, %v, want no members", got, err)
	}
}

func TestMembersRefused(t *testing.T) {
	for _, c := range refused {
		t.Run(c.name, func(t *testing.T) {
			got, err := membersOf([]byte(c.text))
			if e, ok := errors.AsType[*Error](err); !ok || e.Kind != c.kind || len(got) != 0 {
				t.Fatalf("got %v and %v, want %s before any member", err, got, c.kind)
			}
		})
	}
	for _, text := range []string{`[]`, `"{}"`, `1`, `true`} {
		if _, err := membersOf([]byte(text)); err == nil || err.(*Error).Kind != WrongType {
			t.Errorf("%s: got %v, want %s", text, err, WrongType)
		}
	}
}

func TestMembersStops(t *testing.T) {
	stop := errors.New("stop")
	calls := 0
	err := Members([]byte(`{"a":1,"b":2}`), func(_, _ []byte) error { calls++; return stop })
	if err != stop || calls != 1 {
		t.Fatalf("got %v after %d calls", err, calls)
	}
}

func TestString(t *testing.T) {
	for _, c := range []struct {
		value, want string
		ok          bool
	}{
		{`"a"`, "a", true}, {`""`, "", true}, {`"\u0061\""`, `a"`, true}, {`"é"`, "é", true},
		{`1`, "", false}, {`null`, "", false}, {`["a"]`, "", false}, {``, "", false}, {`"`, "", false},
		{`"a`, "", false}, {`"a\"`, "", false}, {`"a""b"`, "", false}, {`"\ud800"`, "", false}, {"\"\xff\"", "", false}, {"\"\n\"", "", false},
	} {
		if got, ok := String([]byte(c.value)); got != c.want || ok != c.ok {
			t.Errorf("%q: got %q, %v, want %q, %v", c.value, got, ok, c.want, c.ok)
		}
	}
}

func TestMembersAllocations(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes sync.Pool forget on purpose")
	}
	var expires Seconds
	n := testing.AllocsPerRun(100, func() {
		_ = Members(claims, func(name, value []byte) (err error) {
			if string(name) == "exp" {
				expires, err = ParseSeconds(value)
			}
			return err
		})
	})
	if n != 0 || expires.Time().Year() != 2030 {
		t.Fatalf("got %v allocations and %v, want none and 2030", n, expires.Time())
	}
}

func BenchmarkMembers(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if err := Members(claims, func(_, _ []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzMembers holds the scan against the decoder: the same members, each with
// the same meaning, or none at all.
func FuzzMembers(f *testing.F) {
	for _, c := range refused {
		if len(c.text) < 1000 {
			f.Add([]byte(c.text))
		}
	}
	f.Add(claims)
	f.Add([]byte(` {"a" :[{"]":"}"}, "\\"] , "\u0062":1e5,"c":""}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		want, wantErr := Object(text)
		got, err := membersOf(text)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("Members says %v, Object %v", err, wantErr)
		}
		if err != nil {
			if len(got) != 0 {
				t.Fatalf("refused with %v after giving %v", err, got)
			}
			return
		}
		if len(got) != len(want) {
			t.Fatalf("got %v, want %s", got, want)
		}
		for name, raw := range want {
			if got[name] != string(raw) {
				t.Fatalf("%q: got %s, want %s", name, got[name], raw)
			}
			var text string
			s, ok := String(raw)
			if decodes := raw[0] == '"' && json.Unmarshal(raw, &text) == nil; ok != decodes || s != text {
				t.Fatalf("%q: String says %q, %v; encoding/json %q, %v", name, s, ok, text, decodes)
			}
		}
	})
}
