package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"

	"rely.example/cmd/rely/internal/tty"
)

// maxLine bounds a line of standard input, in bytes: a URL with tokens in it.
const maxLine = 256 << 10

// readSecret reads a line or a stream that nobody should see: from a terminal
// without echo.
func (a *app) readSecret(prompt string) ([]byte, error) {
	if !tty.IsTerminal(a.Stdin) {
		return readAll(a.Stdin, "standard input")
	}
	return a.hiddenLine(prompt)
}

// hiddenLine asks at the terminal. A terminal left to itself ends a line at
// 4096 bytes, less than a token may have; raw, it does not.
func (a *app) hiddenLine(prompt string) ([]byte, error) {
	read, restore, err := a.rawTerminal(prompt)
	if err != nil {
		return nil, err
	}
	line, err := read()
	restore()
	if err != nil {
		a.err.Println() // what is said of it stands below the prompt
	}
	return line, err
}

// rawTerminal makes the terminal raw until restore is called, and returns what
// reads a line from it without echo.
func (a *app) rawTerminal(prompt string) (read func() ([]byte, error), restore func(), err error) {
	fd := int(a.Stdin.(*os.File).Fd())
	state, err := term.MakeRaw(fd)
	if err != nil {
		return nil, nil, fmt.Errorf("the terminal cannot be asked: %w", err)
	}
	t := term.NewTerminal(struct {
		io.Reader
		io.Writer
	}{a.Stdin, a.Stderr}, "")
	read = func() ([]byte, error) {
		line, err := t.ReadPassword(prompt)
		if errors.Is(err, io.EOF) {
			// In raw mode Ctrl-C and Ctrl-D come as the end.
			return nil, errInterrupted
		}
		return []byte(line), err
	}
	// What is told meanwhile stands above the prompt, and its lines begin at the left,
	// which a raw terminal does not do by itself.
	aside := a.err.Through(t)
	return read, func() {
		_ = term.Restore(fd, state)
		aside()
	}, nil
}

// line is what came of reading one.
type line struct {
	text string
	err  error
}

// readLine reads one line in the background, while something else is awaited
// too. Reading cannot be interrupted, so the goroutine stays until a line comes
// or the process ends; the function puts the terminal back before that.
func (a *app) readLine(prompt string) (<-chan line, func()) {
	ch := make(chan line, 1)
	if !tty.IsTerminal(a.Stdin) {
		go func() {
			s, err := bufio.NewReader(io.LimitReader(a.Stdin, maxLine)).ReadString('\n')
			if s == "" && err != nil {
				return // a closed standard input says nothing
			}
			ch <- line{text: s}
		}()
		return ch, func() {}
	}
	read, restore, err := a.rawTerminal(prompt)
	if err != nil {
		return ch, func() {} // the browser can still answer
	}
	go func() {
		b, err := read()
		ch <- line{string(b), err}
	}()
	return ch, func() {
		restore()
		a.err.Printf("\n")
	}
}
