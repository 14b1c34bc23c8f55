package strictjson

import (
	"bytes"
	"math/bits"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"
)

// maxFastNames is how many members an object may have for its names to be
// compared one by one; a larger one goes to the library, which hashes them.
const maxFastNames = 48

// Scan calls visit for each member of the one object in data, in order, with the
// member's value as it was written, white space around it removed. The rules are
// exactly those of [Unmarshal], and data is checked whole: when Scan returns nil,
// Valid would have too. visit sees members before the end of data was checked,
// so nothing of them may be used if Scan returns an error. An error of visit ends
// the scan and is returned as it is.
//
// It exists for the claims of a token, which are read at every login: one pass
// and no allocation, where decoding into a struct costs as much as a tenth of the
// signature's verification. What is unusual (an escaped name, an object of very
// many members) is handed to the library.
func Scan(data string, visit func(name, value string) error) error {
	s := scanner{data: data}
	switch s.object(1, visit) {
	case scanned:
		s.space()
		if s.at == len(s.data) {
			return nil
		}
	case stopped:
		return s.err
	}
	return scanSlowly(data, visit)
}

// scanSlowly leaves everything to the library; it also finds the reason for what
// the quick way refused. visit may be called again for members that it saw.
func scanSlowly(data string, visit func(name, value string) error) error {
	text := []byte(data)
	if err := Valid(text); err != nil {
		return err
	}
	d := jsontext.NewDecoder(bytes.NewBuffer(text))
	if kind := d.PeekKind(); kind != '{' {
		return &Error{Kind: WrongType, Detail: "expected an object, got " + kindName(kind)}
	}
	// Valid knows already that nothing below can fail; an error would only be
	// passed on.
	_, err := d.ReadToken() // the brace
	for err == nil && d.PeekKind() != '}' {
		var name jsontext.Token
		if name, err = d.ReadToken(); err != nil {
			break
		}
		key := name.String()
		var value jsontext.Value
		if value, err = d.ReadValue(); err == nil {
			err = visit(key, string(value))
		}
	}
	return err
}

// outcome is how one step of the scan ended.
type outcome int

const (
	scanned outcome = iota
	unusual         // wrong, or for the library to read
	stopped         // by visit
)

type scanner struct {
	data string
	at   int
	err  error // of visit
}

func (s *scanner) space() {
	for s.at < len(s.data) && s.data[s.at] <= ' ' {
		switch s.data[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) take(c byte) bool {
	if s.at < len(s.data) && s.data[s.at] == c {
		s.at++
		return true
	}
	return false
}

// object reads one object whose depth is given; visit is nil for a nested one.
func (s *scanner) object(depth int, visit func(name, value string) error) outcome {
	s.space()
	if depth > MaxDepth || !s.take('{') {
		return unusual
	}
	s.space()
	if s.take('}') {
		return scanned
	}
	var names [maxFastNames]string
	var seen uint64 // a mark for each name, so that few are compared
	for n := 0; ; n++ {
		s.space()
		start := s.at
		plain, ok := s.text()
		if !ok || n == maxFastNames {
			return unusual
		}
		name := s.data[start+1 : s.at-1]
		if !plain && strings.IndexByte(name, '\\') >= 0 {
			return unusual // the same name may be spelled in two ways
		}
		mark := markOf(name)
		if seen&mark != 0 && slices.Contains(names[:n], name) {
			return unusual
		}
		seen |= mark
		names[n] = name
		s.space()
		if !s.take(':') {
			return unusual
		}
		s.space()
		start = s.at
		if !s.value(depth) {
			return unusual
		}
		if visit != nil {
			if s.err = visit(name, s.data[start:s.at]); s.err != nil {
				return stopped
			}
		}
		s.space()
		if s.take('}') {
			return scanned
		}
		if !s.take(',') {
			return unusual
		}
	}
}

// markOf returns one bit, the same for equal names and mostly another for others.
func markOf(name string) uint64 {
	h := uint(len(name))
	if h > 0 {
		h += 7*uint(name[0]) + 13*uint(name[len(name)/2]) + 29*uint(name[len(name)-1])
	}
	return 1 << (h % 64)
}

func (s *scanner) array(depth int) bool {
	if depth > MaxDepth || !s.take('[') {
		return false
	}
	s.space()
	if s.take(']') {
		return true
	}
	for {
		s.space()
		if !s.value(depth) {
			return false
		}
		s.space()
		if s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// value reads a value inside an object or array of the given depth.
func (s *scanner) value(depth int) bool {
	if s.at == len(s.data) {
		return false
	}
	switch c := s.data[s.at]; {
	case c == '"':
		_, ok := s.text()
		return ok
	case c == '{':
		return s.object(depth+1, nil) == scanned
	case c == '[':
		return s.array(depth + 1)
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	}
	for _, literal := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(s.data[s.at:], literal) {
			s.at += len(literal)
			return true
		}
	}
	return false
}

// text reads a string with its quotation marks. One that has more than printable
// ASCII is checked by the library, which knows escapes, surrogates and UTF-8.
func (s *scanner) text() (plain, ok bool) {
	d, i := s.data, s.at
	if i == len(d) || d[i] != '"' {
		return false, false
	}
	plain = true
	for i = skipPlain(d, i+1); i < len(d); i = skipPlain(d, i+1) {
		switch c := d[i]; {
		case c == '"':
			start := s.at
			s.at = i + 1
			return plain, plain || jsontext.Value(d[start:i+1]).IsValid()
		case c < ' ':
			return false, false
		case c == '\\':
			i++ // what follows is not the end of the string
		}
		plain = false
	}
	return false, false
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
	for i < len(d) && !special[d[i]] {
		i++
	}
	return i
}

// firstSpecial returns which byte of w, the lowest first, is the first that is
// special, or 8. A subtraction that borrows marks a byte above a special one
// only, so the first mark is always true.
func firstSpecial(w uint64) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	quotes, escapes := w^(ones*'"'), w^(ones*'\\')
	marks := (w | (w - ones*' ') | (quotes - ones) | (escapes - ones)) & highs
	return bits.TrailingZeros64(marks) / 8
}

// special are the bytes at which reading a string has to stop and think: its end,
// an escape, what must be escaped, and what is not ASCII. It is read only.
var special = func() (t [256]bool) {
	for c := range t {
		t[c] = c == '"' || c == '\\' || c < ' ' || c >= utf8.RuneSelf
	}
	return t
}()

// number is RFC 8259 section 6.
func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return false
	}
	if s.take('.') && !s.digits() {
		return false
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		return s.digits()
	}
	return true
}

func (s *scanner) digits() bool {
	d, i := s.data, s.at
	for i < len(d) && '0' <= d[i] && d[i] <= '9' {
		i++
	}
	some := i > s.at
	s.at = i
	return some
}

// Text returns the string that value, as Scan hands it out, is; ok is false for a
// value of another type. Without escapes it allocates nothing.
func Text(value string) (text string, ok bool) {
	if len(value) < 2 || value[0] != '"' {
		return "", false
	}
	if strings.IndexByte(value, '\\') < 0 {
		return value[1 : len(value)-1], true
	}
	b, err := jsontext.AppendUnquote(nil, value)
	return string(b), err == nil
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
