// Package strictjson reads JSON that a stranger sent.
//
// Two parsers that disagree about one text are how a check is passed by one
// meaning and an action taken by the other. So only texts with exactly one
// meaning are accepted: I-JSON (RFC 7493) as one value, that is valid UTF-8
// with no byte order mark and no unpaired surrogate, no member name twice in
// one object, nothing after the value, at most [MaxDepth] levels deep, and not
// null at the root. Member names match a Go field's name exactly: ISSUER is not
// issuer. Members that the Go value does not name are checked like all others,
// then ignored, as RFC 7519 section 4 and OpenID Connect Discovery 1.0 section
// 3 ask for extensions.
//
// The size of the text is not bounded here: whoever read it from the network
// bounded it there.
package strictjson

import (
	"encoding/json"
	"errors"
	"reflect"
)

// MaxDepth is how many objects and arrays may be nested in one another. Real
// messages of the protocol stay below ten; the parser recurses, so the bound is
// also what keeps a text of brackets from costing a deep stack.
const MaxDepth = 64

// Unmarshal decodes the one JSON value in data into v, a non-nil pointer, by the
// struct tags of encoding/json. The value must be of the kind v wants; members
// unknown to v are ignored. Inside the root a null leaves the zero value, except
// where the type says otherwise ([Seconds] refuses it). On error v may be partly
// filled and must not be used. Every error caused by data is an [*Error].
func Unmarshal(data []byte, v any) error {
	to := reflect.ValueOf(v)
	if to.Kind() != reflect.Pointer || to.IsNil() {
		return errors.New("strictjson: the target is no pointer, or nil")
	}
	text := string(data)
	if err := check(text); err != nil {
		return err
	}
	d := decoder{scanner: scanner{data: text}}
	d.space()
	err := d.into(to.Elem())
	if e, ok := err.(*Error); ok {
		e.Path = cut(e.Path)
	}
	return err
}

// Object splits the one JSON object in data into its members, each checked by
// the rules of this package and left as it was written. Any other root is an
// [*Error] of kind [WrongType]. The result is never nil when the error is.
func Object(data []byte) (map[string]json.RawMessage, error) {
	members := make(map[string]json.RawMessage)
	err := Scan(string(data), func(name, value string) error {
		members[name] = json.RawMessage(value)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return members, nil
}

// Valid applies the rules of this package to data without decoding it.
func Valid(data []byte) error { return check(string(data)) }
