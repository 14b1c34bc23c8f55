package strictjson

import (
	"strconv"
	"strings"
	"time"
)

// maxSeconds is the last second of the year 9999, the last that RFC 3339 and
// most databases can write.
const maxSeconds = 253402300799

// maxNumber bounds the text of one number, in bytes. A NumericDate to the
// nanosecond has 22.
const maxNumber = 64

// Seconds is a number of seconds as the protocol writes it: a NumericDate (RFC
// 7519 section 2, "seconds since the epoch") or a lifetime such as expires_in
// (RFC 6749 section 5.1). JSON may write it as 1e9, 1000000000 or
// 1000000000.25; all are read exactly, without floating point, and what is
// finer than a nanosecond is cut off. Negative numbers, strings, null and
// whatever lies after the year 9999 are refused, so that no later arithmetic
// wraps around. The zero value is zero seconds; to tell it from absent, decode
// into a pointer.
type Seconds struct {
	whole int64 // 0 .. maxSeconds
	nanos int32 // 0 .. 999_999_999
}

// ParseSeconds reads one JSON number as [Seconds] describes. The error is an
// [*Error] of kind [WrongType] or [OutOfRange].
func ParseSeconds[T ~string | ~[]byte](number T) (Seconds, error) {
	if len(number) == 0 || number[0] != '-' && (number[0] < '0' || number[0] > '9') {
		return Seconds{}, &Error{Kind: WrongType, Detail: "expected a number of seconds"}
	}
	if len(number) <= len("253402300799") && (number[0] != '0' || len(number) == 1) && allDigits(number) {
		if whole := decimal(number); whole <= maxSeconds {
			return Seconds{whole: whole}, nil // the usual spelling
		}
		return Seconds{}, outOfRange()
	}
	if len(number) > maxNumber {
		return Seconds{}, &Error{Kind: OutOfRange, Detail: "number of seconds with more than 64 characters"}
	}
	if number[0] == '-' {
		return Seconds{}, &Error{Kind: OutOfRange, Detail: "negative number of seconds"}
	}
	// JSON numbers end in a digit, and Valid would let white space follow.
	if last := number[len(number)-1]; last < '0' || last > '9' || Valid([]byte(number)) != nil {
		return Seconds{}, &Error{Kind: WrongType, Detail: "expected a number of seconds"}
	}

	// The value is 0.DIGITS times ten to the power of point.
	mantissa, exponent := string(number), "0"
	if i := strings.IndexAny(mantissa, "eE"); i >= 0 {
		mantissa, exponent = mantissa[:i], mantissa[i+1:]
	}
	integer, fraction, _ := strings.Cut(mantissa, ".")
	digits := integer + fraction
	shift, err := strconv.Atoi(exponent)
	if err != nil {
		shift = 1 << 30 // does not fit an int: as good as endless
		if strings.HasPrefix(exponent, "-") {
			shift = -shift
		}
	}
	shift = min(max(shift, -1<<30), 1<<30)
	significant := strings.TrimLeft(digits, "0")
	point := len(integer) + shift - (len(digits) - len(significant))

	const nanoDigits = 9
	switch {
	case significant == "" || point <= -nanoDigits:
		return Seconds{}, nil
	case point > len("253402300799"):
		return Seconds{}, outOfRange()
	}
	if point < 0 {
		significant, point = strings.Repeat("0", -point)+significant, 0
	}
	significant += strings.Repeat("0", max(0, point+nanoDigits-len(significant)))
	s := Seconds{
		whole: decimal(significant[:point]),
		nanos: int32(decimal(significant[point : point+nanoDigits])),
	}
	if s.whole > maxSeconds {
		return Seconds{}, outOfRange()
	}
	return s, nil
}

// Time returns s as a point in time, in UTC.
func (s Seconds) Time() time.Time {
	return time.Unix(s.whole, int64(s.nanos)).UTC()
}

// Duration returns s as a length of time. What exceeds the largest
// [time.Duration], some 292 years, is cut to it.
func (s Seconds) Duration() time.Duration {
	const most = time.Duration(1<<63 - 1)
	if s.whole > int64(most/time.Second)-1 {
		return most
	}
	return time.Duration(s.whole)*time.Second + time.Duration(s.nanos)
}

// UnmarshalJSON reads one JSON number; see [ParseSeconds].
func (s *Seconds) UnmarshalJSON(number []byte) error {
	parsed, err := ParseSeconds(number)
	if err != nil {
		return err
	}
	*s = parsed
	return nil
}

// MarshalJSON writes s as a decimal number, with a fraction only if it has one.
func (s Seconds) MarshalJSON() ([]byte, error) {
	b := strconv.AppendInt(nil, s.whole, 10)
	if s.nanos != 0 {
		fraction := strconv.FormatInt(int64(s.nanos)+1e9, 10)[1:]
		b = append(append(b, '.'), strings.TrimRight(fraction, "0")...)
	}
	return b, nil
}

func outOfRange() *Error {
	return &Error{Kind: OutOfRange, Detail: "a time after the year 9999"}
}

func allDigits[T ~string | ~[]byte](text T) bool {
	for i := range len(text) {
		if c := text[i]; c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// decimal reads at most 12 digits; the callers cut the text to that length.
func decimal[T ~string | ~[]byte](digits T) (n int64) {
	for i := range len(digits) {
		n = n*10 + int64(digits[i]-'0')
	}
	return n
}
