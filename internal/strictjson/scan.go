package strictjson

import (
	"slices"
	"strconv"
)

// maxFewNames is how many names of an object are kept and compared without a map.
const maxFewNames = 48

// Scan calls visit for each member of the one object in data, in order, with the
// member's value as it was written, white space around it removed. The rules are
// exactly those of [Unmarshal], and data is checked whole: when Scan returns nil,
// Valid would have too. visit sees members before the end of data was checked,
// so nothing of them may be used if Scan returns an error. An error of visit ends
// the scan and is returned as it is.
//
// It exists for the claims of a token, which are read at every login: one pass
// and no allocation, where decoding into a struct costs as much as a tenth of the
// signature's verification.
func Scan(data string, visit func(name, value string) error) error {
	s := scanner{data: data}
	if s.space(); s.at == len(data) || data[s.at] != '{' {
		if !s.root(nil) {
			return s.failure()
		}
		return &Error{Kind: WrongType, Detail: "expected an object, got " + kindName(data[s.at:])}
	}
	if !s.root(visit) {
		return s.failure()
	}
	return nil
}

// check applies the rules of this package to data.
func check(data string) error {
	s := scanner{data: data}
	if !s.root(nil) {
		return s.failure()
	}
	return nil
}

// scanner reads one JSON text from its beginning. Its methods report whether what
// they read obeys the rules; if not, failure tells why.
type scanner struct {
	data string
	at   int

	stop error  // of visit
	kind Kind   // of the rule that was broken
	why  string // the detail of it
	path string // to it, from where the reading has got back to
}

func (s *scanner) failure() error {
	if s.stop != nil {
		return s.stop
	}
	return &Error{Kind: s.kind, Path: cut(s.path), Detail: s.why}
}

func (s *scanner) refuse(k Kind, why string) bool {
	s.kind, s.why = k, why
	return false
}

// syntax refuses what stands at the place that was reached.
func (s *scanner) syntax() bool {
	if s.at >= len(s.data) {
		return s.refuse(Syntax, "cut short")
	}
	return s.refuse(Syntax, "at byte "+strconv.Itoa(s.at))
}

// within says, on the way back, that the failure is inside a member or element.
func (s *scanner) within(segment string) bool {
	if s.kind != TooDeep {
		s.path = below(segment, s.path)
	}
	return false
}

// root reads the whole text; visit is for the members of an object.
func (s *scanner) root(visit func(name, value string) error) bool {
	if len(s.data) >= 3 && s.data[:3] == "\xef\xbb\xbf" {
		// RFC 8259 section 8.1 allows a parser to ignore it; RFC 7493 section
		// 2.1 knows no such leave.
		return s.refuse(ByteOrderMark, "starts with a byte order mark")
	}
	s.space()
	start := s.at
	if start == len(s.data) {
		return s.refuse(Syntax, "empty, expected a JSON value")
	}
	if !s.value(0, visit) {
		return false
	}
	null := s.data[start:s.at] == "null"
	if s.space(); s.at != len(s.data) {
		return s.refuse(TrailingData, "something follows the JSON value at byte "+strconv.Itoa(s.at))
	}
	s.at = start
	if null {
		return s.refuse(NullRoot, "null, expected a value")
	}
	return true
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

// value reads a value inside an object or array of the given depth; visit is for
// the members of an object.
func (s *scanner) value(depth int, visit func(name, value string) error) bool {
	if s.at == len(s.data) {
		return s.syntax()
	}
	switch c := s.data[s.at]; c {
	case '"':
		_, ok := s.text()
		return ok
	case '{':
		return s.object(depth+1, visit)
	case '[':
		return s.array(depth + 1)
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return s.number()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	}
	return s.syntax()
}

func (s *scanner) literal(want string) bool {
	for i := range len(want) {
		if !s.take(want[i]) {
			return s.syntax()
		}
	}
	return true
}

// object reads an object, whose brace is there.
func (s *scanner) object(depth int, visit func(name, value string) error) bool {
	if depth > MaxDepth {
		return s.refuse(TooDeep, "nested more than 64 levels deep")
	}
	s.at++
	if s.space(); s.take('}') {
		return true
	}
	var names names
	for {
		s.space()
		start := s.at
		escaped, ok := s.text()
		if !ok {
			return false
		}
		name := s.data[start+1 : s.at-1]
		if escaped { // the same name may be spelled in two ways
			name, _ = unescape(name)
		}
		if !names.add(name) {
			s.refuse(DuplicateName, "the object has this member twice")
			return s.within(name)
		}
		if s.space(); !s.take(':') {
			return s.syntax()
		}
		s.space()
		start = s.at
		if !s.value(depth, nil) {
			return s.within(name)
		}
		if visit != nil {
			if s.stop = visit(name, s.data[start:s.at]); s.stop != nil {
				return false
			}
		}
		if s.space(); s.take('}') {
			return true
		}
		if !s.take(',') {
			return s.syntax()
		}
	}
}

// names are those of one object.
type names struct {
	few   [maxFewNames]string
	n     int
	marks uint64          // one for each of few, so that hardly any are compared
	many  map[string]bool // all of them, when few is full
}

// add reports whether name is new.
func (s *names) add(name string) bool {
	if s.n == maxFewNames {
		if s.many == nil {
			s.many = make(map[string]bool, 2*maxFewNames)
			for _, known := range s.few {
				s.many[known] = true
			}
		}
		if s.many[name] {
			return false
		}
		s.many[name] = true
		return true
	}
	mark := markOf(name)
	if s.marks&mark != 0 && slices.Contains(s.few[:s.n], name) {
		return false
	}
	s.few[s.n] = name
	s.n++
	s.marks |= mark
	return true
}

// markOf returns one bit, the same for equal names and mostly another for others.
func markOf(name string) uint64 {
	h := uint(len(name))
	if h > 0 {
		h += 7*uint(name[0]) + 13*uint(name[len(name)/2]) + 29*uint(name[len(name)-1])
	}
	return 1 << (h % 64)
}

// array reads an array, whose bracket is there.
func (s *scanner) array(depth int) bool {
	if depth > MaxDepth {
		return s.refuse(TooDeep, "nested more than 64 levels deep")
	}
	s.at++
	if s.space(); s.take(']') {
		return true
	}
	for n := 0; ; n++ {
		s.space()
		if !s.value(depth, nil) {
			return s.within(strconv.Itoa(n))
		}
		if s.space(); s.take(']') {
			return true
		}
		if !s.take(',') {
			return s.syntax()
		}
	}
}

// number is RFC 8259 section 6.
func (s *scanner) number() bool {
	s.take('-')
	if !s.take('0') && !s.digits() {
		return s.syntax()
	}
	if s.take('.') && !s.digits() {
		return s.syntax()
	}
	if s.take('e') || s.take('E') {
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return s.syntax()
		}
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
