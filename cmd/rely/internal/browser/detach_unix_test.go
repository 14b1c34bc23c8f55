//go:build unix

package browser_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"rely.example/cmd/rely/internal/browser"
)

// TestInterruptSparesTheBrowser: Ctrl-C is sent to the process group of the command.
func TestInterruptSparesTheBrowser(t *testing.T) {
	for _, name := range []string{"sh", "ps"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skip("there is no " + name + " to ask for the group with")
		}
	}
	dir := t.TempDir()
	program, out := filepath.Join(dir, "program"), filepath.Join(dir, "out")
	if err := os.WriteFile(program, []byte("#!/bin/sh\nps -o pgid= -p $$ > '"+out+"'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := (&browser.Opener{Command: program}).Open(t.Context(), "https://op.example/"); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	group, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if group == syscall.Getpgrp() {
		t.Error("the browser is in our process group, which Ctrl-C ends")
	}
}
