package strictjson

import (
	"bytes"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Kind says which rule of this package a text broke.
type Kind string

// The kinds of [Error].
const (
	Syntax        Kind = "syntax"          // not JSON at all (RFC 8259), or cut short
	DuplicateName Kind = "duplicate name"  // one member name twice in one object (RFC 7493 section 2.3)
	InvalidUTF8   Kind = "invalid utf-8"   // bytes that are not UTF-8, or an unpaired surrogate (RFC 7493 section 2.1)
	ByteOrderMark Kind = "byte order mark" // U+FEFF before the value
	TooDeep       Kind = "too deep"        // more than MaxDepth levels
	WrongType     Kind = "wrong type"      // JSON, but not of the type expected there
	OutOfRange    Kind = "out of range"    // a number that the type expected there cannot hold
	TrailingData  Kind = "trailing data"   // something after the value
	NullRoot      Kind = "null root"       // null where the whole value was expected
)

// maxPath bounds how much of a path, whose names a stranger chose, an Error
// repeats, in bytes.
const maxPath = 128

// Error tells why a text was refused. It names places and types, never a
// value: the text may hold a secret.
type Error struct {
	Kind Kind

	// Path is where in the text, as a JSON Pointer (RFC 6901), cut to 128 bytes.
	// It is empty for the root.
	Path string

	// Detail says what was expected and what was found, in words.
	Detail string
}

// Error returns kind, place and detail in one line. The path is quoted when a
// stranger's member name makes that necessary.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString("json: ")
	b.WriteString(string(e.Kind))
	if e.Path != "" {
		b.WriteString(" at ")
		if quoted := strconv.QuoteToASCII(e.Path); quoted != `"`+e.Path+`"` {
			b.WriteString(quoted)
		} else {
			b.WriteString(e.Path)
		}
	}
	if e.Detail != "" {
		b.WriteString(": ")
		b.WriteString(e.Detail)
	}
	return b.String()
}

// explain turns an error of the decoder into ours. The decoder's own message is
// dropped, because it may quote the value.
func explain(data []byte, err error) error {
	if own, ok := errors.AsType[*Error](err); ok {
		e := &Error{Kind: own.Kind, Path: own.Path, Detail: own.Detail}
		if semantic, ok := errors.AsType[*jsonv2.SemanticError](err); ok && e.Path == "" {
			e.Path = cut(semantic.JSONPointer)
		}
		return e
	}
	if syntactic, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return explainSyntax(data, syntactic)
	}
	if semantic, ok := errors.AsType[*jsonv2.SemanticError](err); ok {
		e := &Error{Kind: WrongType, Path: cut(semantic.JSONPointer)}
		if errors.Is(semantic.Err, strconv.ErrRange) {
			e.Kind = OutOfRange
		}
		if semantic.GoType != nil {
			e.Detail = "expected " + semantic.GoType.String()
		}
		if name := kindName(semantic.JSONKind); name != "" {
			if e.Detail != "" {
				e.Detail += ", "
			}
			e.Detail += "got " + name
		}
		return e
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return &Error{Kind: Syntax, Detail: "cut short"}
	}
	// Only a misuse is left, such as a v that is no pointer: the decoder's words
	// are about the program, not about data.
	return err
}

func explainSyntax(data []byte, syntactic *jsontext.SyntacticError) *Error {
	e := &Error{Kind: Syntax, Path: cut(syntactic.JSONPointer)}
	offset := int(min(max(syntactic.ByteOffset, 0), int64(len(data))))
	at := "at byte " + strconv.Itoa(offset)
	switch {
	case errors.Is(syntactic, jsontext.ErrDuplicateName):
		e.Kind, e.Detail = DuplicateName, "the object has this member twice"
	case errors.Is(syntactic, io.ErrUnexpectedEOF):
		e.Detail = "cut short"
	case !utf8.Valid(data):
		e.Kind, e.Detail = InvalidUTF8, at
	case strings.Contains(syntactic.Error(), "surrogate"):
		e.Kind, e.Detail = InvalidUTF8, "unpaired surrogate "+at
	case e.Path == "" && completeBefore(data, offset):
		e.Kind, e.Detail = TrailingData, "something follows the JSON value "+at
	default:
		e.Detail = at
	}
	return e
}

// completeBefore reports whether data up to offset is a value by itself.
func completeBefore(data []byte, offset int) bool {
	return jsontext.Value(bytes.TrimSpace(data[:offset])).IsValid()
}

func cut(path jsontext.Pointer) string {
	if len(path) <= maxPath {
		return string(path)
	}
	return strings.ToValidUTF8(string(path[:maxPath]), "") + "…"
}

func kindName(k jsontext.Kind) string {
	switch k {
	case 'n':
		return "null"
	case 'f', 't':
		return "boolean"
	case '"':
		return "string"
	case '0':
		return "number"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return ""
}
