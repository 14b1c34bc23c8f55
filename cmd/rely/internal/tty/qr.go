package tty

import (
	"strings"

	qr "github.com/piglig/go-qr"
)

// quiet is the white border, in modules. ISO/IEC 18004 asks for four; phones read
// it with two, and a small window has more room for the code.
const quiet = 2

// QR shows a text as a QR code, two modules to a cell, black on white whatever the
// terminal's theme is. It reports whether there is room for it: nothing is shown
// where there is no terminal with colours, or a narrow one.
func (p *Printer) QR(text string) bool {
	if !p.color {
		return false
	}
	lines := qrLines(text)
	if len(lines) == 0 || len([]rune(lines[0])) > p.width {
		return false
	}
	for _, l := range lines {
		p.Printf("\x1b[30;107m%s\x1b[0m\n", l)
	}
	return true
}

// qrLines draws the code with half blocks: the upper half of a cell is one module,
// the lower half the one below. It is nil for a text that fits no code.
func qrLines(text string) []string {
	code, err := qr.EncodeText(text, qr.Low)
	if err != nil {
		return nil
	}
	size := code.Size()
	dark := func(x, y int) bool {
		return x >= 0 && y >= 0 && x < size && y < size && code.Module(x, y)
	}
	var lines []string
	for y := -quiet; y < size+quiet; y += 2 {
		var b strings.Builder
		for x := -quiet; x < size+quiet; x++ {
			switch up, down := dark(x, y), dark(x, y+1); {
			case up && down:
				b.WriteRune('█')
			case up:
				b.WriteRune('▀')
			case down:
				b.WriteRune('▄')
			default:
				b.WriteRune(' ')
			}
		}
		lines = append(lines, b.String())
	}
	return lines
}
