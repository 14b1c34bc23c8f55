package demo

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"rely.example/oidc"
)

// Widths of a terminal that the sequence is drawn for.
const (
	minWidth     = 56
	maxWidth     = 110
	defaultWidth = 88
)

// terminal draws a login as plain text, a message at a time. Colours are used
// only where they help, and never carry a meaning of their own.
type terminal struct {
	w      io.Writer
	width  int
	colour bool
	err    error // the first error of w; nothing is written after it

	shown stepID // whose heading was written last

	names [3]string
}

// newTerminal draws for a width in columns; zero or less means one that is not
// known.
func newTerminal(w io.Writer, width int, colour bool, opHost string) *terminal {
	if width <= 0 {
		width = defaultWidth
	}
	return &terminal{w: w, width: min(max(width, minWidth), maxWidth), colour: colour, names: [3]string{"Browser", "Rely (RP)", "OP " + opHost}}
}

// The few styles there are (ECMA-48 SGR).
const (
	bold  = "1"
	dim   = "2"
	red   = "31"
	green = "32"
	cyan  = "36"
)

func (t *terminal) paint(style, s string) string {
	if !t.colour || s == "" {
		return s
	}
	return "\x1b[" + style + "m" + s + "\x1b[0m"
}

func (t *terminal) line(s string) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, strings.TrimRight(s, " "))
	}
}

// lanes are the columns of the three parties.
func (t *terminal) lanes() [3]int {
	left := 5
	right := t.width - max(6, min(utf8.RuneCountInString(t.names[2]), t.width/3)/2+2)
	// What matters most, and has the longest labels, is between the last two.
	return [3]int{left, left + (right-left)*2/5, right}
}

// head writes the names of the three parties.
func (t *terminal) head() {
	at := t.lanes()
	row := []rune(strings.Repeat(" ", t.width+1))
	for i, n := range t.names {
		r := []rune(clip(n, t.width/3))
		from := max(0, min(at[i]-len(r)/2, t.width-len(r)))
		copy(row[from:], r)
	}
	t.line(t.paint(bold, strings.TrimRight(string(row), " ")))
	t.line(t.lane())
}

// lane is an empty row with the three lines.
func (t *terminal) lane() string {
	row := []rune(strings.Repeat(" ", t.width))
	for _, c := range t.lanes() {
		row[c] = '│'
	}
	return t.paint(dim, strings.TrimRight(string(row), " "))
}

// show draws a change as it happens.
func (t *terminal) show(c change) {
	switch {
	case c.Check != nil:
		if c.First {
			t.line("   " + t.paint(dim, tokenHeading))
		}
		t.check(*c.Check)
	case c.Message != nil:
		t.message(c.Message)
	case c.Section.State == running:
		t.heading(c.Section)
	case c.Section.State == skipped && t.shown != c.Section.ID:
		t.heading(c.Section)
		t.note(c.Section.Note)
	default:
		t.note(c.Section.Note)
	}
}

func (t *terminal) heading(s section) {
	if t.shown == s.ID {
		return
	}
	if t.shown == "" {
		t.head()
	}
	t.shown = s.ID
	title := s.Title
	if s.Number > 0 {
		title = fmt.Sprintf("%d  %s", s.Number, s.Title)
	}
	t.line(t.lane())
	t.line(t.paint(bold, title))
	for _, l := range wrap(s.Sentence, t.width-3) {
		t.line("   " + l)
	}
	for l := range strings.SplitSeq(s.Code, "\n") {
		t.line("   " + t.paint(cyan, clip(l, t.width-3)))
	}
	t.line(t.lane())
}

func (t *terminal) note(s string) {
	for _, l := range wrap(s, t.width-5) {
		t.line("   " + t.paint(dim, "· "+l))
	}
}

func (t *terminal) message(m *message) {
	for _, h := range m.Hops {
		t.arrow(h)
	}
}

// arrow draws a label and the arrow below it.
func (t *terminal) arrow(h hop) {
	at := t.lanes()
	from, to := at[lane(h.From)], at[lane(h.To)]
	left, right := min(from, to), max(from, to)
	label := h.Label
	if h.Note != "" {
		label += "  " + h.Note
	}
	room := right - left - 3
	label = clip(label, room)

	row := []rune(strings.Repeat(" ", t.width))
	for _, c := range at {
		row[c] = '│'
	}
	text := []rune(label)
	start := left + 2 + (room-len(text))/2
	copy(row[start:], text)
	style := ""
	if h.Bad {
		style = red
	}
	t.line(t.withStyle(row, start, len(text), style))

	row = []rune(strings.Repeat(" ", t.width))
	for _, c := range at {
		row[c] = '│'
	}
	for i := left + 1; i < right; i++ {
		row[i] = '─'
	}
	if to > from {
		row[right-1] = '▶'
	} else {
		row[left+1] = '◀'
	}
	t.line(t.withStyle(row, left+1, right-left-1, style))
}

// withStyle paints a span of a row, and dims the lanes beside it.
func (t *terminal) withStyle(row []rune, start, n int, style string) string {
	before, span, after := string(row[:start]), string(row[start:start+n]), strings.TrimRight(string(row[start+n:]), " ")
	if style != "" {
		span = t.paint(style, span)
	}
	return t.paint(dim, before) + span + t.paint(dim, after)
}

func lane(p party) int {
	switch p {
	case partyBrowser:
		return 0
	case partyRP:
		return 1
	}
	return 2
}

// check writes one check: the mark says the outcome, also without colour.
func (t *terminal) check(c oidc.Check) {
	mark, style := "✓", green
	if !c.Passed {
		mark, style = "✗", red
	}
	lines := wrap(c.Title, t.width-5)
	last := len(lines) - 1
	spec := clip(printable(c.Spec), t.width-5)
	for i, l := range lines {
		row := "     " + l
		if i == 0 {
			row = "   " + t.paint(style, mark) + " " + l
		}
		if space := t.width - 5 - utf8.RuneCountInString(l) - utf8.RuneCountInString(spec); i == last && space > 1 {
			row += strings.Repeat(" ", space) + t.paint(dim, spec)
			spec = ""
		}
		t.line(row)
	}
	if spec != "" {
		t.line(strings.Repeat(" ", t.width-utf8.RuneCountInString(spec)) + t.paint(dim, spec))
	}
	if !c.Passed && c.Detail != "" {
		for _, l := range wrap(c.Detail, t.width-5) {
			t.line("     " + t.paint(red, l))
		}
	}
}

// end writes what came of the login: the outcome, the claims, the tokens.
func (t *terminal) end(l *login) {
	o := l.outcome
	if o == nil {
		return
	}
	t.line("")
	mark, style := "✓", green
	switch o.Verdict {
	case refused, missed:
		mark, style = "✗", red
	}
	headline := o.Headline
	if o.Spec != "" {
		headline += " — " + o.Spec
	}
	t.line(t.paint(bold+";"+style, mark+" "+headline))
	indented := func(label, s string) {
		if s == "" {
			return
		}
		for i, l := range wrap(s, t.width-16) {
			if i > 0 {
				label = ""
			}
			t.line(fmt.Sprintf("  %-12s  %s", label, l))
		}
	}
	if f := o.Fault; f != nil {
		indented("The OP", f.Title+" ("+f.Section+")")
		indented("The rule", f.Expect)
	}
	if o.Check != "" {
		indented("The check", o.Check)
	}
	indented("It saw", o.Detail)
	for _, f := range o.Facts {
		indented("So", f)
	}
	if claims := l.claims(); len(claims) > 0 {
		t.line("")
		t.line(t.paint(bold, "Claims"))
		for _, c := range claims {
			for i, s := range wrap(c.Value, t.width-22) {
				name := c.Name
				if i > 0 {
					name = ""
				}
				t.line(fmt.Sprintf("  %-18s  %s", name, s))
			}
		}
	}
	if facts := l.tokenFacts(); len(facts) > 0 {
		t.line("")
		t.line(t.paint(bold, "Tokens"))
		for _, f := range facts {
			for i, s := range wrap(f, t.width-4) {
				if i > 0 {
					s = "  " + s
				}
				t.line("  " + s)
			}
		}
	}
}

// clip shortens a text to n columns.
func clip(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	if n < 1 {
		return ""
	}
	return string([]rune(s)[:n-1]) + "…"
}

// wrap breaks a text into lines of at most n columns, at spaces; a longer word
// is broken where it must be. Control characters, which a stranger may have
// sent, are replaced.
func wrap(s string, n int) []string {
	var out []string
	cur := ""
	for _, w := range strings.Fields(printable(s)) {
		for utf8.RuneCountInString(w) > n {
			if cur != "" {
				out, cur = append(out, cur), ""
			}
			r := []rune(w)
			out, w = append(out, string(r[:n])), string(r[n:])
		}
		switch {
		case cur == "":
			cur = w
		case utf8.RuneCountInString(cur)+1+utf8.RuneCountInString(w) <= n:
			cur += " " + w
		default:
			out, cur = append(out, cur), w
		}
	}
	if cur != "" {
		out = append(out, cur)
	}
	return out
}

// printable replaces what would move the cursor of a terminal or hide text.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0, r == 0x200e || r == 0x200f || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069:
			return '�'
		}
		return r
	}, s)
}
