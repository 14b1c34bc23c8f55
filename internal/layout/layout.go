// Package layout is how the fields of a record stand one after another inside a
// sealed value: no names, no reflection.
package layout

import (
	"encoding/binary"
	"time"
)

// Writer collects fields: each text preceded by its length, each number a varint.
type Writer []byte

// Text adds a text or bytes.
func (w *Writer) Text(s string) {
	*w = binary.AppendUvarint(*w, uint64(len(s)))
	*w = append(*w, s...)
}

// Number adds a number.
func (w *Writer) Number(n int64) { *w = binary.AppendVarint(*w, n) }

// Time adds a time, in milliseconds; 0 is the zero time.
func (w *Writer) Time(t time.Time) {
	if t.IsZero() {
		w.Number(0)
		return
	}
	w.Number(t.UnixMilli())
}

// Reader gives back what a Writer was told, in the same order. What is not there is
// zero; Done tells.
type Reader struct {
	rest []byte
	bad  bool
}

// Read reads from the beginning of b.
func Read(b []byte) *Reader { return &Reader{rest: b} }

// Text is the next text.
func (r *Reader) Text() string {
	n, size := binary.Uvarint(r.rest)
	if size <= 0 || n > uint64(len(r.rest)-size) {
		r.bad, r.rest = true, nil
		return ""
	}
	s := string(r.rest[size : size+int(n)])
	r.rest = r.rest[size+int(n):]
	return s
}

// Number is the next number.
func (r *Reader) Number() int64 {
	n, size := binary.Varint(r.rest)
	if size <= 0 {
		r.bad, r.rest = true, nil
		return 0
	}
	r.rest = r.rest[size:]
	return n
}

// Time is the next time, in UTC.
func (r *Reader) Time() time.Time {
	if ms := r.Number(); ms != 0 {
		return time.UnixMilli(ms).UTC()
	}
	return time.Time{}
}

// Done reports whether everything was there and nothing more.
func (r *Reader) Done() bool { return !r.bad && len(r.rest) == 0 }
