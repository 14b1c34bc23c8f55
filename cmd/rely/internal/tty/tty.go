// Package tty writes for a person at a terminal, and plainly for everybody
// else: colours and widths only where there is a terminal that shows them, and
// never a control character of a stranger's.
package tty

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"golang.org/x/term"
)

// Width bounds. A terminal that is narrower than minWidth is written to as if
// it had that much; lines of text end at maxWidth, beyond which nobody reads.
const (
	minWidth = 40
	maxWidth = 100
)

// Printer writes to one stream. The first error of the stream is kept and
// returned by Err; after it nothing more is written. It may be used by several
// goroutines: the port of a login has something to say while the login writes.
type Printer struct {
	stream *stream
	color  bool
	// width is how many cells a line has; 0 means that lines are not broken.
	width int
}

type stream struct {
	mu  sync.Mutex
	w   io.Writer
	err error
}

// New returns a Printer for w. It uses colours if w is a terminal, NO_COLOR is
// unset or empty (no-color.org), TERM is not dumb and plain is false.
func New(w io.Writer, getenv func(string) string, plain bool) *Printer {
	p := &Printer{stream: &stream{w: w}}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.color = !plain && getenv("NO_COLOR") == "" && getenv("TERM") != "dumb"
	p.width = 80
	if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
		p.width = min(max(width, minWidth), maxWidth)
	}
	return p
}

// IsTerminal reports whether v, a stream of the process, is a terminal.
func IsTerminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Width is how many cells a line has; 0 if that is not known.
func (p *Printer) Width() int { return p.width }

// Colors reports whether colours are used.
func (p *Printer) Colors() bool { return p.color }

// Err returns the first error of the stream.
func (p *Printer) Err() error {
	p.stream.mu.Lock()
	defer p.stream.mu.Unlock()
	return p.stream.err
}

// Write implements io.Writer, without touching what is written.
func (p *Printer) Write(b []byte) (int, error) {
	s := p.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(b)
	s.err = err
	return n, err
}

// Through lets everything that is written go through w until restore is called: a
// terminal that somebody types at must first be told of it.
func (p *Printer) Through(w io.Writer) (restore func()) {
	s := p.stream
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.w
	s.w = w
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.w = before
	}
}

// Printf writes like fmt.Printf. What comes from a stranger goes through Clean
// first.
func (p *Printer) Printf(format string, args ...any) { fmt.Fprintf(p, format, args...) }

// Println writes a line.
func (p *Printer) Println(args ...any) { fmt.Fprintln(p, args...) }

// The styles. Each returns s as it is where there are no colours. They are of
// the sixteen that every theme defines, and none carries meaning alone.
func (p *Printer) Bold(s string) string  { return p.style("1", s) }
func (p *Printer) Faint(s string) string { return p.style("2", s) }
func (p *Printer) Good(s string) string  { return p.style("32", s) }
func (p *Printer) Bad(s string) string   { return p.style("31", s) }
func (p *Printer) Warn(s string) string  { return p.style("33", s) }
func (p *Printer) Link(s string) string  { return p.style("36", s) }

func (p *Printer) style(code, s string) string {
	if !p.color || s == "" {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

// Heading writes a heading, with an empty line before it.
func (p *Printer) Heading(s string) { p.Printf("\n%s\n", p.Bold(s)) }

// Field is a labelled value. An empty value is left out.
type Field struct{ Label, Value string }

// pageWidth is the width of a page where there is no terminal that has one.
const pageWidth = 80

// Page returns a Printer for text that is to be read, which has lines also where
// there is no terminal.
func (p *Printer) Page() *Printer {
	page := *p
	if page.width == 0 {
		page.width = pageWidth
	}
	return &page
}

// maxLabel is the width beyond which a label stands on a line of its own.
const maxLabel = 28

// Fields writes labels and values in two columns, breaking the values at the
// width of the terminal.
func (p *Printer) Fields(fields ...Field) {
	label := 0
	for _, f := range fields {
		if w := runewidth.StringWidth(f.Label); f.Value != "" && w <= maxLabel {
			label = max(label, w)
		}
	}
	indent := label + 4
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		lines := p.wrap(f.Value, indent)
		if w := runewidth.StringWidth(f.Label); w <= label {
			p.Printf("  %s%s%s\n", p.Faint(f.Label), strings.Repeat(" ", label-w+2), lines[0])
		} else {
			p.Printf("  %s\n%s%s\n", p.Faint(f.Label), strings.Repeat(" ", indent), lines[0])
		}
		for _, l := range lines[1:] {
			p.Printf("%s%s\n", strings.Repeat(" ", indent), l)
		}
	}
}

// Paragraph writes text, broken at the width of the terminal, each line behind
// indent spaces. It stays in one piece, whoever else writes.
func (p *Printer) Paragraph(text string, indent int) {
	var b strings.Builder
	for _, l := range p.wrap(text, indent) {
		b.WriteString(strings.Repeat(" ", indent) + l + "\n")
	}
	p.Printf("%s", b.String())
}

// Prose writes paragraphs with empty lines between them, broken at the width of the
// terminal. A line that begins with a space is one by itself; where it has two
// columns, its further lines stand below the second.
func (p *Printer) Prose(text string) {
	var paragraph []string
	flush := func() {
		if len(paragraph) > 0 {
			p.Paragraph(strings.Join(paragraph, " "), 0)
			paragraph = nil
		}
	}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		switch {
		case line == "":
			flush()
			p.Println()
		case strings.HasPrefix(line, " "):
			flush()
			indent := len(line) - len(strings.TrimLeft(line, " "))
			if label, value, ok := strings.Cut(line[indent:], "  "); ok && value != "" {
				column := len(line) - len(strings.TrimLeft(value, " "))
				p.Hang(strings.Repeat(" ", indent)+label, strings.TrimLeft(value, " "), column)
			} else {
				p.Println(line)
			}
		case strings.HasPrefix(line, "\t"):
			flush()
			p.Println(line)
		default:
			paragraph = append(paragraph, line)
		}
	}
	flush()
}

// Hang writes a label, and text from a column on, with its further lines below its
// first.
func (p *Printer) Hang(label, text string, column int) {
	lines := p.wrap(text, column)
	p.Printf("%s%s%s\n", label, strings.Repeat(" ", max(column-width(label), 1)), lines[0])
	for _, l := range lines[1:] {
		p.Printf("%s%s\n", strings.Repeat(" ", column), l)
	}
}

// Item writes text behind a mark, its further lines below its first.
func (p *Printer) Item(mark, text string) {
	indent := 2 + width(mark) + 1
	lines := p.wrap(text, indent)
	p.Printf("  %s %s\n", mark, lines[0])
	for _, l := range lines[1:] {
		p.Printf("%s%s\n", strings.Repeat(" ", indent), l)
	}
}

// Table writes rows below a header. Where the terminal is too narrow for them,
// every row becomes a block of fields instead of a broken line.
func (p *Printer) Table(header []string, rows [][]string) {
	widths := make([]int, len(header))
	for _, row := range append([][]string{header}, rows...) {
		for i, cell := range row {
			widths[i] = max(widths[i], width(cell))
		}
	}
	total := 2 * (len(header) - 1)
	for _, w := range widths {
		total += w
	}
	if p.width > 0 && total > p.width {
		for i, row := range rows {
			if i > 0 {
				p.Println()
			}
			p.Println(row[0])
			var fields []Field
			for j := 1; j < len(row); j++ {
				fields = append(fields, Field{strings.ToLower(header[j]), row[j]})
			}
			p.Fields(fields...)
		}
		return
	}
	p.row(header, widths, p.Faint)
	for _, row := range rows {
		p.row(row, widths, func(s string) string { return s })
	}
}

func (p *Printer) row(cells []string, widths []int, style func(string) string) {
	var b strings.Builder
	for i, cell := range cells {
		b.WriteString(style(cell))
		if i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", widths[i]-width(cell)+2))
		}
	}
	p.Println(strings.TrimRight(b.String(), " "))
}

// wrap breaks s at spaces so that each line fits behind indent cells. A word
// that is longer than a line stays whole: URLs must be copied in one piece.
func (p *Printer) wrap(s string, indent int) []string {
	var out []string
	for _, line := range strings.Split(s, "\n") {
		if p.width == 0 || width(line)+indent <= p.width {
			out = append(out, line)
			continue
		}
		var b strings.Builder
		n := 0
		for word := range strings.FieldsSeq(line) {
			w := width(word)
			if n > 0 && n+1+w+indent > p.width {
				out = append(out, b.String())
				b.Reset()
				n = 0
			}
			if n > 0 {
				b.WriteByte(' ')
				n++
			}
			b.WriteString(word)
			n += w
		}
		out = append(out, b.String())
	}
	return out
}

// width is how many cells s takes, without the styles in it.
func width(s string) int {
	if !strings.Contains(s, "\x1b") {
		return runewidth.StringWidth(s)
	}
	n, rest := 0, s
	for {
		before, after, ok := strings.Cut(rest, "\x1b[")
		n += runewidth.StringWidth(before)
		if !ok {
			return n
		}
		if _, rest, ok = strings.Cut(after, "m"); !ok {
			return n
		}
	}
}

// maxText bounds what Clean leaves of one value, in runes.
const maxText = 2000

// Clean makes a stranger's text fit for a terminal: control characters, escape
// sequences, bidirectional overrides and broken UTF-8 become question marks,
// line breaks spaces, and the length is bounded (hostile catalogue case 107).
func Clean(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > maxText {
			b.WriteString("...")
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}
