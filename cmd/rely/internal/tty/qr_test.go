package tty

import (
	"bytes"
	"image"
	"image/color"
	"strings"
	"testing"

	qr "github.com/piglig/go-qr"
)

// photograph is what a camera sees of the lines: a cell is two modules high.
func photograph(lines []string) image.Image {
	const scale = 8
	wide, high := len([]rune(lines[0])), 2*len(lines)
	img := image.NewGray(image.Rect(0, 0, (wide+8)*scale, (high+8)*scale))
	for i := range img.Pix {
		img.Pix[i] = 255
	}
	for row, l := range lines {
		for x, r := range []rune(l) {
			for half, dark := range []bool{strings.ContainsRune("█▀", r), strings.ContainsRune("█▄", r)} {
				for i := range scale * scale {
					if dark {
						img.SetGray((x+4)*scale+i%scale, (2*row+half+4)*scale+i/scale, color.Gray{})
					}
				}
			}
		}
	}
	return img
}

func TestQR(t *testing.T) {
	const text = "https://op.example.com/device?user_code=WDJB-MJHT"
	lines := qrLines(text)
	got, err := qr.Decode(photograph(lines))
	if err != nil || got != text {
		t.Fatalf("a camera reads %q, %v", got, err)
	}
	var b bytes.Buffer
	p := &Printer{stream: &stream{w: &b}, color: true, width: 80}
	if !p.QR(text) || strings.Count(b.String(), "\x1b[30;107m") != len(lines) {
		t.Errorf("shown as %q", b.String())
	}
	b.Reset()
	for name, p := range map[string]*Printer{"no terminal": {stream: &stream{w: &b}}, "narrow": {stream: &stream{w: &b}, color: true, width: 20}} {
		if p.QR(text) || b.Len() != 0 {
			t.Errorf("%s: shown", name)
		}
	}
	if (&Printer{stream: &stream{w: &b}, color: true, width: 80}).QR(strings.Repeat("a", 5000)) {
		t.Error("a text that fits no code was shown")
	}
}
