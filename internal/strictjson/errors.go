package strictjson

import (
	"strconv"
	"strings"
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

// below is the path of what is at path inside a member or element. It grows from
// its end, and is kept short meanwhile.
func below(segment, path string) string {
	segment = segment[:min(len(segment), 2*maxPath)]
	segment = strings.ReplaceAll(strings.ReplaceAll(segment, "~", "~0"), "/", "~1") // RFC 6901 section 3
	path = "/" + segment + path
	return path[:min(len(path), 4*maxPath)]
}

func cut(path string) string {
	if len(path) <= maxPath {
		return path
	}
	return strings.ToValidUTF8(path[:maxPath], "") + "…"
}

// kindName says of which kind the value is that begins text.
func kindName(text string) string {
	if text == "" {
		return "nothing"
	}
	switch text[0] {
	case 'n':
		return "null"
	case 'f', 't':
		return "boolean"
	case '"':
		return "string"
	case '{':
		return "object"
	case '[':
		return "array"
	}
	return "number"
}
