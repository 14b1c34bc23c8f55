package redisstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"rely.example/store"
)

// A record is kept as
//
//	1 byte   layout, the version of what follows
//	8 bytes  Rev, big-endian
//	8 bytes  Expires, milliseconds since 1970, big-endian
//	1 byte   the number of tags; for each 2 bytes of length, big-endian, and the tag
//	the value, to the end
const (
	layout    = 1
	fixedSize = 1 + 8 + 8 + 1
	maxHeader = fixedSize + store.MaxTags*(2+store.MaxTag)
)

// head is how a record of that Rev begins.
func head(rev uint64) string {
	return string(binary.BigEndian.AppendUint64([]byte{layout}, rev))
}

func encode(r store.Record) []byte {
	size := fixedSize + len(r.Value)
	for _, tag := range r.Tags {
		size += 2 + len(tag)
	}
	b := append(make([]byte, 0, size), layout)
	b = binary.BigEndian.AppendUint64(b, r.Rev)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Expires.UnixMilli()))
	b = append(b, byte(len(r.Tags)))
	for _, tag := range r.Tags {
		b = binary.BigEndian.AppendUint16(b, uint16(len(tag)))
		b = append(b, tag...)
	}
	return append(b, r.Value...)
}

// hasRev reports whether a record begins as one of that Rev does.
func hasRev(text string, rev uint64) bool {
	return rev != 0 && len(text) >= fixedSize && text[0] == layout && number(text[1:9]) == rev
}

// errShort is what a text is that ends before its record does.
var errShort = errors.New("the record is damaged: it is cut short")

// decode reads a record that somebody else, or a later version, may have
// written.
func decode(key, text string) (store.Record, error) {
	r, value, err := decodeHeader(text)
	if err != nil {
		return store.Record{}, err
	}
	r.Key, r.Value = key, []byte(text[value:])
	if err := r.Check(); err != nil {
		// Not wrapped: to the caller the record was right when it was kept.
		return store.Record{}, fmt.Errorf("the record is damaged: %s", err.Error())
	}
	return r, nil
}

// decodeHeader reads all but key and value, and returns where that begins.
func decodeHeader(text string) (r store.Record, value int, err error) {
	if len(text) < fixedSize {
		return store.Record{}, 0, errShort
	}
	if text[0] != layout {
		return store.Record{}, 0, fmt.Errorf("the record is damaged, or written by a later version: its layout is %d, this program knows %d", text[0], layout)
	}
	r.Rev = number(text[1:9])
	r.Expires = time.UnixMilli(int64(number(text[9:17]))).UTC()
	if r.Rev == 0 {
		return store.Record{}, 0, errors.New("the record is damaged: its revision is 0")
	}
	n, at := int(text[17]), fixedSize
	if n > store.MaxTags {
		return store.Record{}, 0, fmt.Errorf("the record is damaged: it has %d tags, the limit is %d", n, store.MaxTags)
	}
	if n > 0 {
		r.Tags = make([]string, 0, n)
	}
	for range n {
		if len(text) < at+2 {
			return store.Record{}, 0, errShort
		}
		size := int(text[at])<<8 | int(text[at+1])
		at += 2
		if len(text) < at+size {
			return store.Record{}, 0, errShort
		}
		r.Tags = append(r.Tags, text[at:at+size])
		at += size
	}
	return r, at, nil
}

func number(text string) (n uint64) {
	for i := range len(text) {
		n = n<<8 | uint64(text[i])
	}
	return n
}
