package strictjson

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// Members applies the rules of this package to the one JSON object in data, and
// only if all of data passes calls member for each of its members in turn, with
// the name, unescaped, and the value as it was written without white space
// around it. Both alias data and must neither be kept nor changed. An error of
// member ends the walk and is returned as it is. Any other root is an [*Error]
// of kind [WrongType]. It allocates nothing unless a name has an escape in it:
// it is for claims, of which one login looks at a few.
func Members(data []byte, member func(name, value []byte) error) error {
	if err := Valid(data); err != nil {
		return err
	}
	// From here on data is known to be JSON, and a scan for delimiters is enough.
	i := skipSpace(data, 0)
	if data[i] != '{' {
		return &Error{Kind: WrongType, Detail: "expected an object, got " + kindName(jsontext.Value(data).Kind())}
	}
	for i = skipSpace(data, i+1); data[i] != '}'; {
		end := skipString(data, i)
		name := data[i+1 : end-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			unescaped, err := jsontext.AppendUnquote(nil, data[i:end])
			if err != nil {
				return explain(data, err)
			}
			name = unescaped
		}
		i = skipSpace(data, skipSpace(data, end)+1) // the colon
		end = skipValue(data, i)
		if err := member(name, data[i:end:end]); err != nil {
			return err
		}
		if i = skipSpace(data, end); data[i] == ',' {
			i = skipSpace(data, i+1)
		}
	}
	return nil
}

// String decodes a JSON string, as Members gives it. ok is false if value is of
// another type or not valid.
func String(value []byte) (s string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if skipString(value, 0) == len(value) && bytes.IndexByte(value, '\\') < 0 && Valid(value) == nil {
		return string(value[1 : len(value)-1]), true
	}
	if err := Unmarshal(value, &s); err != nil {
		return "", false
	}
	return s, true
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// skipString returns the index after the string that begins at i.
func skipString(data []byte, i int) int {
	for i++; i < len(data) && data[i] != '"'; i++ {
		if data[i] == '\\' {
			i++
		}
	}
	return min(i+1, len(data))
}

// skipValue returns the index after the value that begins at i.
func skipValue(data []byte, i int) int {
	depth := 0
	for i < len(data) {
		switch data[i] {
		case '"':
			i = skipString(data, i)
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return i // that of the object around
			}
			depth--
			i++
		case ',', ' ', '\n', '\t', '\r':
			if depth == 0 {
				return i
			}
			i++
			continue
		default:
			i++
			continue
		}
		if depth == 0 {
			return i
		}
	}
	return i
}
