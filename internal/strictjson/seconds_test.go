package strictjson

import (
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"
)

func TestParseSeconds(t *testing.T) {
	for _, c := range []struct {
		text  string
		whole int64
		nanos int32
	}{
		{"0", 0, 0},
		{"0.0", 0, 0},
		{"0e999999999999999999999", 0, 0},
		{"1311281970", 1311281970, 0},
		{"1311281970.5", 1311281970, 500_000_000},
		{"1311281970.123456789999", 1311281970, 123456789},
		{"1.31128197e9", 1311281970, 0},
		{"1.31128197E+9", 1311281970, 0},
		{"13112819700e-1", 1311281970, 0},
		{"1e3", 1000, 0},
		{"5e-9", 0, 5},
		{"12345e-6", 0, 12345000},
		{"9e-10", 0, 0},
		{"1e-400", 0, 0},
		{"1e-99999999999999999999", 0, 0},
		{"0.00000000001e11", 1, 0},
		{"253402300799", maxSeconds, 0},
		{"253402300799.999999999", maxSeconds, 999_999_999},
	} {
		t.Run(c.text, func(t *testing.T) {
			got, err := ParseSeconds([]byte(c.text))
			if err != nil || got != (Seconds{c.whole, c.nanos}) {
				t.Fatalf("got %v, %v, want %d and %d ns", got, err, c.whole, c.nanos)
			}
			if want := time.Unix(c.whole, int64(c.nanos)); !got.Time().Equal(want) {
				t.Fatalf("got %v, want %v", got.Time(), want)
			}
		})
	}
}

func TestParseSecondsRefused(t *testing.T) {
	for _, c := range []struct {
		name, text string
		kind       Kind
	}{
		{"empty", "", WrongType},
		{"string", `"1311281970"`, WrongType},
		{"null", "null", WrongType},
		{"true", "true", WrongType},
		{"array", "[1]", WrongType},
		{"plus", "+1", WrongType},
		{"hex", "0x10", WrongType},
		{"bare_point", "1.", WrongType},
		{"trailing_space", "1 ", WrongType},
		{"two_numbers", "1 2", WrongType},
		{"infinity", "Infinity", WrongType},
		{"negative", "-1", OutOfRange},
		{"negative_zero", "-0", OutOfRange},
		{"year_10000", "253402300800", OutOfRange},
		{"int64_overflow", "9223372036854775808", OutOfRange},
		{"uint64_wrap", "18446744073709551617", OutOfRange},
		{"1e400", "1e400", OutOfRange},
		{"exponent_overflow", "1e99999999999999999999", OutOfRange},
		{"milliseconds", "1311281970000", OutOfRange},
		{"long", "1.0000000000000000000000000000000000000000000000000000000000000000000", OutOfRange},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseSeconds([]byte(c.text))
			e, ok := errors.AsType[*Error](err)
			if !ok || e.Kind != c.kind || got != (Seconds{}) {
				t.Fatalf("got %v, %v, want %s", got, err, c.kind)
			}
		})
	}
}

func TestSecondsDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"3600":           time.Hour,
		"0.25":           250 * time.Millisecond,
		"9223372035":     9223372035 * time.Second,
		"9223372036":     1<<63 - 1,
		"253402300799.9": 1<<63 - 1,
	} {
		s, err := ParseSeconds([]byte(text))
		if err != nil || s.Duration() != want {
			t.Errorf("%s: got %v, %v, want %v", text, s.Duration(), err, want)
		}
	}
}

func TestSecondsNullRefused(t *testing.T) {
	var v struct {
		Expires Seconds `json:"exp"`
	}
	err := Unmarshal([]byte(`{"exp":null}`), &v)
	if e, ok := errors.AsType[*Error](err); !ok || e.Kind != WrongType {
		t.Fatalf("got %v, want %s", err, WrongType)
	}
}

func FuzzSeconds(f *testing.F) {
	for _, text := range []string{"0", "1e3", "1311281970.25", "1e400", "5e-9", "-1", "253402300799.999999999", "0.1e12", `"1"`} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSeconds([]byte(text))
		if err != nil {
			return
		}
		if y := s.Time().Year(); y < 1970 || y > 9999 {
			t.Fatalf("year %d", y)
		}
		// Exact to the nanosecond below, by arbitrary precision.
		_, exponent, _ := strings.Cut(strings.ToLower(text), "e")
		if len(exponent) <= 4 { // math/big has its own bounds
			exact, ok := new(big.Rat).SetString(text)
			if !ok {
				t.Fatalf("accepted %q, which is no number", text)
			}
			nanos := new(big.Rat).Mul(exact, big.NewRat(1e9, 1))
			floor := new(big.Int).Quo(nanos.Num(), nanos.Denom())
			got := new(big.Int).Add(new(big.Int).Mul(big.NewInt(s.whole), big.NewInt(1e9)), big.NewInt(int64(s.nanos)))
			if floor.Cmp(got) != 0 {
				t.Fatalf("got %v ns, want %v", got, floor)
			}
		}
		again, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if second, err := ParseSeconds(again); err != nil || second != s {
			t.Fatalf("%s re-encoded to %s: %v, %v", text, again, second, err)
		}
	})
}
