package tty

import (
	"bytes"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

func TestColoursOnlyAtATerminal(t *testing.T) {
	var b bytes.Buffer
	p := New(&b, func(string) string { return "" }, false)
	p.Println(p.Bold("a"), p.Good("b"), p.Bad("c"))
	if b.String() != "a b c\n" {
		t.Fatalf("wrote %q to something that is no terminal", b.String())
	}
	if IsTerminal(&b) {
		t.Fatal("a buffer is taken for a terminal")
	}
}

func TestNothingIsWiderThanTheTerminal(t *testing.T) {
	for _, color := range []bool{false, true} {
		var b bytes.Buffer
		p := &Printer{stream: &stream{w: &b}, width: 44, color: color}
		long := strings.Repeat("word another ", 20)
		p.Fields(Field{"label", long}, Field{"名前", "クロエ " + long}, Field{"empty", ""}, Field{strings.Repeat("long-label-", 3), "value"})
		p.Item(p.Good("ok  "), long+p.Faint("(Core 3.1.3.7 (2))"))
		p.Paragraph(p.Warn(long), 4)
		p.Table([]string{"A", "B"}, [][]string{{"a", "b"}, {strings.Repeat("x", 30), strings.Repeat("y", 20)}})
		for l := range strings.Lines(b.String()) {
			if w := width(strings.TrimRight(l, "\n")); w > 44 {
				t.Errorf("a line has %d cells: %q", w, l)
			}
		}
		if strings.Contains(b.String(), "empty") {
			t.Error("a field without value was written")
		}
	}
}

func TestProse(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{stream: &stream{w: &b}, width: 40}
	p.Prose("A paragraph of several\nlines is one, whatever their ends were.\n\n" +
		"  name   text that is longer than a line and goes on below itself\n" +
		"  {\"as it is\": [\"however long it may be\", 1]}\n\tsource <(x)\nThe end.\n")
	const want = `A paragraph of several lines is one,
whatever their ends were.

  name   text that is longer than a line
         and goes on below itself
  {"as it is": ["however long it may be", 1]}
	source <(x)
The end.
`
	if b.String() != want {
		t.Fatalf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestLongWordsStayWhole(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{stream: &stream{w: &b}, width: 40}
	url := "https://op.example/authorize?" + strings.Repeat("a=b&", 30)
	p.Fields(Field{"url", url})
	if !strings.Contains(b.String(), url) {
		t.Fatalf("the URL was broken:\n%s", b.String())
	}
}

func TestColumnsLineUp(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{stream: &stream{w: &b}}
	p.Table([]string{"NAME", "STATE"}, [][]string{{"chloé", "x"}, {"クロエ", "x"}, {"a", "x"}})
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for _, l := range lines[1:] {
		if at := runewidth.StringWidth(l[:strings.LastIndexByte(l, 'x')]); at != 8 {
			t.Errorf("the second column of %q begins at %d, want 8", l, at)
		}
	}
}

type broken struct{ n int }

func (b *broken) Write([]byte) (int, error) { b.n++; return 0, errors.New("no room") }

func TestFirstErrorIsKept(t *testing.T) {
	w := &broken{}
	p := &Printer{stream: &stream{w: w}}
	p.Println("a")
	p.Println("b")
	if p.Err() == nil || w.n != 1 {
		t.Fatalf("err %v after %d writes, want an error after one", p.Err(), w.n)
	}
}

// A paragraph is not torn by others who write, and neither is the stream, which
// need not be safe itself.
func TestSeveralWrite(t *testing.T) {
	var b bytes.Buffer
	p := &Printer{stream: &stream{w: &b}, width: 40}
	text := strings.Repeat("word another ", 8)
	var alone bytes.Buffer
	(&Printer{stream: &stream{w: &alone}, width: 40}).Paragraph(text, 2)
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() { p.Page().Paragraph(text, 2) })
		wg.Go(func() {
			p.Println("a line")
			if err := p.Err(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	rest := strings.ReplaceAll(b.String(), alone.String(), "")
	if rest != strings.Repeat("a line\n", 20) {
		t.Fatalf("what was written is torn:\n%s", b.String())
	}
}

// What is written while somebody types goes where the terminal can put it, and
// afterwards where it went before.
func TestThrough(t *testing.T) {
	var direct, aside bytes.Buffer
	p := &Printer{stream: &stream{w: &direct}}
	restore := p.Through(&aside)
	p.Page().Println("meanwhile")
	restore()
	p.Println("afterwards")
	if aside.String() != "meanwhile\n" || direct.String() != "afterwards\n" {
		t.Errorf("aside %q, directly %q", aside.String(), direct.String())
	}
}

func TestSpan(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for want, d := range map[string]time.Duration{
		"now": 0, "in 30 s": 30 * time.Second, "in 119 s": 119 * time.Second, "in 2 min": 2 * time.Minute, "in 10 min": 9*time.Minute + 59*time.Second,
		"5 min ago": -5 * time.Minute, "in 2 h": 2 * time.Hour, "3 days ago": -72 * time.Hour, "in 2 years": 730 * 24 * time.Hour,
	} {
		if got := Distance(now.Add(d), now); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if When(time.Time{}, now) != "" {
		t.Error("the zero time is written")
	}
}

func FuzzClean(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred\x1b[0m", "a\r\nb\tc", "\u202eright to left", "\xff\xfe", "e\u0301 名前", "\u009b31m", strings.Repeat("x", 3000)} {
		f.Add(s)
	}
	// What a stranger wrote can neither move the cursor nor go on for ever, and
	// what is harmless stays as it was.
	f.Fuzz(func(t *testing.T, s string) {
		out := Clean(s)
		if !utf8.ValidString(out) {
			t.Fatalf("%q became invalid UTF-8", s)
		}
		harmless := utf8.ValidString(s) && utf8.RuneCountInString(s) <= maxText
		for _, r := range out {
			if !unicode.IsPrint(r) {
				t.Fatalf("%q leaves %q", s, r)
			}
		}
		for _, r := range s {
			harmless = harmless && unicode.IsPrint(r) && r != utf8.RuneError
		}
		if harmless && out != s {
			t.Fatalf("harmless %q became %q", s, out)
		}
		if utf8.RuneCountInString(out) > maxText+3 {
			t.Fatalf("%d runes are left", utf8.RuneCountInString(out))
		}
	})
}
