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
	"bytes"
	"encoding/json"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDepth is how many objects and arrays may be nested in one another. Real
// messages of the protocol stay below ten; the parser recurses, so the bound is
// also what keeps a text of brackets from costing a deep stack.
const MaxDepth = 64

// Unmarshal decodes the one JSON value in data into v, a non-nil pointer.
// The value must be of the kind v wants; members unknown to v are ignored.
// Inside the root a null leaves the zero value, except where the type says
// otherwise ([Seconds] refuses it). On error v may be partly filled and must not
// be used. Every error caused by data is an [*Error].
func Unmarshal(data []byte, v any) error {
	if err := prepare(data); err != nil {
		return err
	}
	if err := jsonv2.Unmarshal(data, v); err != nil {
		return explain(data, err)
	}
	return nil
}

// Object splits the one JSON object in data into its members, each checked by
// the rules of this package and left as it was written. Any other root is an
// [*Error] of kind [WrongType]. The result is never nil when the error is.
func Object(data []byte) (map[string]json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := Unmarshal(data, &members); err != nil {
		return nil, err
	}
	return members, nil
}

// Valid applies the rules of this package to data without decoding it.
// It allocates nothing when data is valid.
func Valid(data []byte) error {
	if err := prepare(data); err != nil {
		return err
	}
	if jsontext.Value(data).IsValid() {
		return nil
	}
	// The quick test does not say why. Decode once more, for the reason.
	d := jsontext.NewDecoder(bytes.NewBuffer(data))
	if _, err := d.ReadValue(); err != nil {
		return explain(data, err)
	}
	return &Error{Kind: TrailingData, Detail: "something follows the JSON value"}
}

// prepare applies the rules that the decoder has no setting for.
func prepare(data []byte) error {
	rest := bytes.TrimLeft(data, " \t\r\n")
	switch {
	case len(rest) == 0:
		return &Error{Kind: Syntax, Detail: "empty, expected a JSON value"}
	case bytes.HasPrefix(data, []byte("\xef\xbb\xbf")):
		// RFC 8259 section 8.1 allows a parser to ignore it; RFC 7493 section
		// 2.1 knows no such leave.
		return &Error{Kind: ByteOrderMark, Detail: "starts with a byte order mark"}
	case string(bytes.TrimRight(rest, " \t\r\n")) == "null":
		return &Error{Kind: NullRoot, Detail: "null, expected a value"}
	case tooDeep(data):
		return &Error{Kind: TooDeep, Detail: "nested more than 64 levels deep"}
	}
	return nil
}

// tooDeep reports whether more than MaxDepth objects and arrays are open at one
// place of data. For text that is not JSON the answer has no meaning, and does
// no harm: such text is refused in any case.
func tooDeep(data []byte) bool {
	if bytes.Count(data, []byte{'{'})+bytes.Count(data, []byte{'['}) <= MaxDepth {
		return false // the usual message: two vectorised counts and done
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
