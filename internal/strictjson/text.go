package strictjson

import (
	"math/bits"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// text reads a string with its quotation marks and reports whether there is an
// escape in it.
func (s *scanner) text() (escaped, ok bool) {
	d, i := s.data, s.at
	if i == len(d) || d[i] != '"' {
		return false, s.syntax()
	}
	wide := false
	for i = skipPlain(d, i+1); i < len(d); i = skipPlain(d, i) {
		switch c := d[i]; {
		case c == '"':
			if wide && !utf8.ValidString(d[s.at:i]) { // which knows surrogates and overlong forms, too
				return false, s.refuse(InvalidUTF8, "in the string that ends at this place")
			}
			s.at = i + 1
			return escaped, true
		case c == '\\':
			_, n := escape(d[i:])
			if n <= 0 {
				s.at = i
				if n < 0 {
					return false, s.refuse(InvalidUTF8, "unpaired surrogate")
				}
				return false, s.syntax()
			}
			i += n
			escaped = true
		case c < ' ':
			s.at = i
			return false, s.syntax()
		default:
			wide = true
			i++
		}
	}
	s.at = len(d)
	return false, s.syntax()
}

// skipPlain returns where in d, from i on, the first special byte is, or a number
// that is not less than len(d) if there is none.
func skipPlain(d string, i int) int {
	for i+8 <= len(d) {
		// Eight bytes at once, of which the compiler makes one load. This is
		// where a scan spends its time: byte by byte it takes three times as long.
		b := d[i : i+8]
		if at := firstSpecial(uint64(b[0]) | uint64(b[1])<<8 | uint64(b[2])<<16 | uint64(b[3])<<24 |
			uint64(b[4])<<32 | uint64(b[5])<<40 | uint64(b[6])<<48 | uint64(b[7])<<56); at < 8 {
			return i + at
		}
		i += 8
	}
	for i < len(d) && !special(d[i]) {
		i++
	}
	return i
}

// special are the bytes at which reading a string has to stop and think: its end,
// an escape, what must be escaped, and what is not ASCII.
func special(c byte) bool { return c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf }

// firstSpecial returns which byte of w, the lowest first, is the first that is
// special, or 8. A subtraction that borrows marks a byte above a special one
// only, so the first mark is always true.
func firstSpecial(w uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quotes, escapes := w^(ones*'"'), w^(ones*'\\')
	marks := (w | (w - ones*' ') | (quotes - ones) | (escapes - ones)) & highs
	return bits.TrailingZeros64(marks) / 8
}

// escape reads the escape at the beginning of d (RFC 8259 section 7) and returns
// its length, both halves of a surrogate pair included. The length is 0 for what
// is no escape, and -1 for half a pair.
func escape(d string) (r rune, n int) {
	if len(d) < 2 {
		return 0, 0
	}
	switch d[1] {
	case '"', '\\', '/':
		return rune(d[1]), 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
	default:
		return 0, 0
	}
	r, ok := unit(d)
	switch {
	case !ok:
		return 0, 0
	case !utf16.IsSurrogate(r):
		return r, 6
	}
	low, ok := unit(d[6:])
	if r = utf16.DecodeRune(r, low); !ok || r == utf8.RuneError {
		return 0, -1
	}
	return r, 12
}

// unit reads \uXXXX at the beginning of d.
func unit(d string) (r rune, ok bool) {
	if len(d) < 6 || d[0] != '\\' || d[1] != 'u' {
		return 0, false
	}
	for _, c := range []byte(d[2:6]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f':
			c -= 'a' - 10
		case 'A' <= c && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		r = r<<4 | rune(c)
	}
	return r, true
}

// unescape returns what a string, without its quotation marks, means.
func unescape(raw string) (text string, ok bool) {
	var b strings.Builder
	b.Grow(len(raw))
	for {
		i := strings.IndexByte(raw, '\\')
		if i < 0 {
			b.WriteString(raw)
			return b.String(), true
		}
		b.WriteString(raw[:i])
		r, n := escape(raw[i:])
		if n <= 0 {
			return "", false
		}
		b.WriteRune(r)
		raw = raw[i+n:]
	}
}

// Text returns the string that value, as Scan hands it out, is; ok is false for a
// value of another type. Without escapes it allocates nothing.
func Text(value string) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	text = value[1 : len(value)-1]
	if strings.IndexByte(text, '\\') < 0 {
		return text, true
	}
	return unescape(text)
}

// List returns the list of strings that value, as Scan hands it out, is; ok is
// false for a value of another type.
func List(value string) (list []string, ok bool) {
	list, ok = AppendList(make([]string, 0, 1+strings.Count(value, ",")), value)
	if !ok {
		return nil, false
	}
	return list, true
}

// AppendList is List for several lists in one piece of memory: it appends to list.
// What it appended has no meaning when ok is false.
func AppendList(list []string, value string) (longer []string, ok bool) {
	s := scanner{data: value}
	if !s.take('[') {
		return list, false
	}
	s.space()
	if s.take(']') {
		return list, s.at == len(value)
	}
	for {
		s.space()
		start := s.at
		if _, ok := s.text(); !ok {
			return list, false
		}
		text, ok := Text(value[start:s.at])
		if !ok {
			return list, false
		}
		list = append(list, text)
		s.space()
		if s.take(']') {
			return list, s.at == len(value)
		}
		if !s.take(',') {
			return list, false
		}
	}
}
