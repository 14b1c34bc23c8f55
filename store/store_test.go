package store

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestCheck(t *testing.T) {
	good := func() Record {
		return Record{Key: "grant:k", Value: []byte("v"), Tags: []string{"a", "b"}, Expires: time.Unix(1, 0)}
	}
	for name, tc := range map[string]struct {
		change func(r *Record)
		err    error
	}{
		"good":                {func(*Record) {}, nil},
		"longest key":         {func(r *Record) { r.Key = strings.Repeat("k", MaxKey) }, nil},
		"largest value":       {func(r *Record) { r.Value = make([]byte, MaxValue) }, nil},
		"no value":            {func(r *Record) { r.Value = nil }, nil},
		"no tags":             {func(r *Record) { r.Tags = nil }, nil},
		"most tags":           {func(r *Record) { r.Tags = strings.Split("12345678", "") }, nil},
		"longest tag":         {func(r *Record) { r.Tags[0] = strings.Repeat("t", MaxTag) }, nil},
		"first and last byte": {func(r *Record) { r.Key = "!~" }, nil},
		"last year":           {func(r *Record) { r.Expires = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC) }, nil},
		"no key":              {func(r *Record) { r.Key = "" }, ErrInvalid},
		"key too long":        {func(r *Record) { r.Key = strings.Repeat("k", MaxKey+1) }, ErrInvalid},
		"key with a space":    {func(r *Record) { r.Key = "a b" }, ErrInvalid},
		"key with DEL":        {func(r *Record) { r.Key = "a\x7f" }, ErrInvalid},
		"value too large":     {func(r *Record) { r.Value = make([]byte, MaxValue+1) }, ErrTooLarge},
		"a tag too many":      {func(r *Record) { r.Tags = strings.Split("123456789", "") }, ErrInvalid},
		"tag too long":        {func(r *Record) { r.Tags[1] = strings.Repeat("t", MaxTag+1) }, ErrInvalid},
		"empty tag":           {func(r *Record) { r.Tags[1] = "" }, ErrInvalid},
		"tag twice":           {func(r *Record) { r.Tags[1] = "a" }, ErrInvalid},
		"no expiry":           {func(r *Record) { r.Expires = time.Time{} }, ErrInvalid},
		"before 1970":         {func(r *Record) { r.Expires = time.Unix(-1e9, 0) }, ErrInvalid},
		"after 9999":          {func(r *Record) { r.Expires = time.Date(10000, 1, 2, 0, 0, 0, 0, time.UTC) }, ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			r := good()
			tc.change(&r)
			if err := r.Check(); !errors.Is(err, tc.err) {
				t.Errorf("got %v, want %v", err, tc.err)
			}
		})
	}
}

func TestCheckTellsNoName(t *testing.T) {
	r := Record{Key: "s3cret key", Expires: time.Unix(1, 0)}
	if err := r.Check(); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
	if err := CheckTag("s3cret tag"); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}

func TestClass(t *testing.T) {
	for key, want := range map[string]string{"grant:k": "grant", "a:b:c": "a", "k": "", "": "", ":k": ""} {
		if got := Class(key); got != want {
			t.Errorf("Class(%q) is %q, want %q", key, got, want)
		}
	}
}

func TestExpiry(t *testing.T) {
	in := time.Date(2030, 1, 2, 3, 4, 5, 678_999_999, time.FixedZone("east", 3600))
	if got, want := Expiry(in), time.Date(2030, 1, 2, 2, 4, 5, 678_000_000, time.UTC); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := Expiry(time.Unix(0, -1)); !got.Equal(time.UnixMilli(-1)) {
		t.Errorf("before 1970: got %v, want rounding down", got)
	}
}
