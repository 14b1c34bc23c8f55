package layout

import (
	"bytes"
	"testing"
	"time"
)

// FuzzRead: whatever is read in full is what a Writer makes of it, and a part of
// it is not.
func FuzzRead(f *testing.F) {
	var w Writer
	w.Text("issuer")
	w.Number(-7)
	w.Time(time.UnixMilli(1_800_000_000_123))
	f.Add([]byte(w))
	f.Add([]byte{})
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := Read(b)
		text, number, at := r.Text(), r.Number(), r.Time()
		if !r.Done() {
			return
		}
		var w Writer
		w.Text(text)
		w.Number(number)
		w.Time(at)
		again := Read(w)
		if again.Text() != text || again.Number() != number || !again.Time().Equal(at) || !again.Done() {
			t.Fatalf("%x reads as %q, %d, %v, which is written as %x", b, text, number, at, []byte(w))
		}
		for i := range w {
			short := Read(bytes.Clone(w[:i]))
			short.Text()
			short.Number()
			short.Time()
			if short.Done() {
				t.Fatalf("the first %d bytes of %x are a record too", i, []byte(w))
			}
		}
	})
}
