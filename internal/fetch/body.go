package fetch

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"slices"
	"strings"
	"sync"
)

const (
	// exactBody is the largest announced length for which memory is taken
	// before the bytes have come: announcing costs a stranger nothing.
	exactBody = 64 << 10

	// smallestBuffer is what a pooled buffer starts with, and largestPooled what
	// it may have grown to and still be kept.
	smallestBuffer = 8 << 10
	largestPooled  = 256 << 10
)

// pools holds what reading a body needs and a response does not keep.
type pools struct {
	buffers sync.Pool // of *[]byte
	inflate sync.Pool // of *gzip.Reader
}

// readBody reads the body of a response to its end, inflated, within limit bytes
// as received and as inflated.
func (p *pools) readBody(r *http.Response, limit int64) ([]byte, *Error) {
	if r.Body == http.NoBody {
		return nil, nil // a 304 announces the length of what it does not send
	}
	if r.ContentLength > limit {
		return nil, &Error{Kind: TooLarge, Detail: fmt.Sprintf("the body announces %d bytes, more than the limit of %d", r.ContentLength, limit)}
	}
	coding, err := contentCoding(r)
	if err != nil {
		return nil, err
	}
	if coding == "gzip" {
		return p.readGzip(r.Body, limit)
	}
	return p.readAll(r.Body, r.ContentLength, limit, "as received")
}

// readGzip inflates a body. We ask for none that is compressed (the documents
// are small, and a token that is compressed beside what a stranger chose leaks
// by its length), but some servers compress whatever was asked.
func (p *pools) readGzip(body io.Reader, limit int64) ([]byte, *Error) {
	received := &limitReader{r: body, left: limit}
	z, _ := p.inflate.Get().(*gzip.Reader)
	var err error
	if z == nil {
		z, err = gzip.NewReader(received)
	} else {
		err = z.Reset(received)
	}
	if z != nil {
		defer p.inflate.Put(z)
	}
	if err == io.EOF && received.left == limit {
		return nil, nil // RFC 9110, section 8.4: no content, nothing coded (204, 304, HEAD)
	}
	if err != nil {
		return nil, gzipError(err, received)
	}
	inflated, e := p.readAll(z, -1, limit, "as inflated")
	if e != nil && e.Kind != TooLarge {
		return nil, gzipError(e.Err, received)
	}
	return inflated, e
}

// gzipError tells a stream that is no gzip from one that could not be read.
func gzipError(err error, received *limitReader) *Error {
	switch {
	case received.err == errLimit:
		return &Error{Kind: TooLarge, Detail: "the compressed body is larger than the limit"}
	case received.err != nil && received.err != io.EOF:
		return classifyRead(received.err)
	}
	return &Error{Kind: BadEncoding, Err: err, Detail: "the body says Content-Encoding: gzip but does not inflate"}
}

// contentCoding returns "" or "gzip" (RFC 9110, section 8.4.1).
func contentCoding(r *http.Response) (string, *Error) {
	values := r.Header["Content-Encoding"]
	if r.Uncompressed || len(values) == 0 {
		return "", nil // a RoundTripper that we were given may have inflated it
	}
	coding := strings.ToLower(strings.TrimSpace(strings.Join(values, ",")))
	switch coding {
	case "", "identity":
		return "", nil
	case "gzip", "x-gzip":
		return "gzip", nil
	}
	return "", &Error{Kind: BadEncoding, Detail: fmt.Sprintf("the body has the content coding %q although identity was asked for", clip(coding, 64))}
}

// readAll reads r to its end. announced is its length or -1. The result is a
// slice of its own, of the body's size.
func (p *pools) readAll(r io.Reader, announced, limit int64, how string) ([]byte, *Error) {
	if 0 <= announced && announced <= exactBody {
		// One byte more than announced: the read that meets the end.
		return readInto(make([]byte, 0, announced+1), r, limit, how)
	}
	buf, _ := p.buffers.Get().(*[]byte)
	if buf == nil {
		b := make([]byte, 0, smallestBuffer)
		buf = &b
	}
	b, err := readInto((*buf)[:0], r, limit, how)
	if cap(b) > cap(*buf) {
		*buf = b
	}
	out := slices.Clone(b)
	// The next body must not find this one, which may hold a token, in memory
	// that it was handed.
	clear((*buf)[:min(len(b), cap(*buf))])
	if cap(*buf) <= largestPooled {
		p.buffers.Put(buf)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

// readInto appends r to b until its end, or until b is longer than limit.
func readInto(b []byte, r io.Reader, limit int64, how string) ([]byte, *Error) {
	for idle := 0; ; {
		if len(b) == cap(b) {
			b = append(b, 0)[:len(b)]
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		switch {
		case int64(len(b)) > limit:
			return b, &Error{Kind: TooLarge, Detail: fmt.Sprintf("the body %s is larger than the limit of %d bytes", how, limit)}
		case err == io.EOF:
			return b, nil
		case err != nil:
			return b, classifyRead(err)
		case n > 0:
			idle = 0
		default:
			if idle++; idle > 100 {
				return b, classifyRead(io.ErrNoProgress)
			}
		}
	}
}

var errLimit = errors.New("limit of the body passed")

// limitReader fails with errLimit beyond its bytes, and keeps its last error.
type limitReader struct {
	r    io.Reader
	left int64
	err  error
}

func (l *limitReader) Read(b []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	if int64(len(b)) > l.left+1 {
		b = b[:l.left+1]
	}
	n, err := l.r.Read(b)
	if l.left -= int64(n); l.left < 0 {
		n, err = 0, errLimit
	}
	l.err = err
	return n, err
}

// mediaType parses the Content-Type of a response (RFC 9110, section 8.3) into
// the media type and its charset, both in lower case.
func mediaType(h http.Header) (media, charset string, err error) {
	values := h["Content-Type"]
	if len(values) == 0 {
		return "", "", nil
	}
	if len(values) > 1 {
		return "", "", errors.New("more than one Content-Type")
	}
	v := values[0]
	if !strings.Contains(v, ";") {
		media = strings.ToLower(strings.Trim(v, " \t"))
		return media, "", nil
	}
	media, params, err := mime.ParseMediaType(v)
	if errors.Is(err, mime.ErrInvalidMediaParameter) {
		err = nil // a parameter that does not parse is ignored as any other is
	}
	if err != nil {
		return "", "", err
	}
	return media, strings.ToLower(params["charset"]), nil
}

// checkMedia judges the media type of a body that is to be understood.
func checkMedia(r *http.Response, media, charset string, parseErr error, accept []string) *Error {
	want := strings.Join(accept, " or ")
	switch {
	case parseErr != nil:
		return &Error{Kind: BadMediaType, Detail: fmt.Sprintf("the Content-Type %q does not parse (%v): want %s", clip(strings.Join(r.Header["Content-Type"], ", "), 64), parseErr, want)}
	case media == "":
		return &Error{Kind: BadMediaType, Detail: "the response has no Content-Type: want " + want}
	case !slices.Contains(accept, media):
		return &Error{Kind: BadMediaType, Detail: fmt.Sprintf("the body is %s: want %s", clip(media, 64), want)}
	case charset != "" && charset != "utf-8":
		// RFC 8259, section 8.1: JSON between systems is UTF-8.
		return &Error{Kind: BadMediaType, Detail: fmt.Sprintf("the charset is %q: want utf-8", clip(charset, 64))}
	}
	return nil
}
