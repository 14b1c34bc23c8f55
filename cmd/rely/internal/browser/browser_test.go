package browser_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"rely.example/cmd/rely/internal/browser"
)

func TestHostile(t *testing.T) {
	t.Run("332_only_http_urls", func(t *testing.T) {
		for _, u := range []string{
			"file:///etc/passwd", "javascript:alert(1)", "data:text/html,x", "--help", "-n", "/bin/sh", "", "http:", "https:///x",
			"https://op.example/$(id)", "https://op.example/`id`", "https://op.example/a|b", "https://op.example/a b", "https://op.example/\n-x",
			"https://op.example/%PATH%^&calc\"", "https://op.example/\x1b[31m", "https://op.example/'", "https://op.example/é", `https://op.example\@evil.example`,
			"smb://host/share", "ms-msdt:/id", "\\\\host\\share",
		} {
			if browser.Check(u) == nil {
				t.Errorf("%q would be opened", u)
			}
			o := &browser.Opener{Command: "/nonexistent"}
			if err := o.Open(t.Context(), u); err == nil || errors.Is(err, os.ErrNotExist) {
				t.Errorf("%q reached the command: %v", u, err)
			}
		}
		for _, u := range []string{"https://op.example/a?b=c&d=%20e#f", "http://127.0.0.1:8400/rely/start/ABC", "http://[::1]:8400/x;y~z"} {
			if err := browser.Check(u); err != nil {
				t.Errorf("%q is refused: %v", u, err)
			}
		}
	})

	t.Run("332_one_argument_no_shell", func(t *testing.T) {
		if runtime.GOOS == "windows" {
			t.Skip("the script is one of a Unix shell")
		}
		if _, err := exec.LookPath("sh"); err != nil {
			t.Skip("there is no shell to write the program in")
		}
		dir := t.TempDir()
		program, out := filepath.Join(dir, "program with spaces"), filepath.Join(dir, "out")
		script := "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$1\" > '" + out + "'\n"
		if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
		const u = "https://op.example/authorize?a=b&c=d;touch%20x"
		if err := (&browser.Opener{Command: program}).Open(t.Context(), u); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != "1\n"+u+"\n" {
			t.Fatalf("the program got %q", got)
		}
	})
}

func TestNoBrowserWithoutDisplay(t *testing.T) {
	o := &browser.Opener{GOOS: "linux", Getenv: func(string) string { return "" }}
	if err := o.Find(); !errors.Is(err, browser.ErrNone) {
		t.Fatalf("Find returned %v, want ErrNone", err)
	}
	if err := o.Open(t.Context(), "https://op.example/"); !errors.Is(err, browser.ErrNone) {
		t.Fatalf("Open returned %v, want ErrNone", err)
	}
}

func TestFailureIsTold(t *testing.T) {
	if _, err := exec.LookPath("false"); err != nil {
		t.Skip("there is no program that fails")
	}
	if err := (&browser.Opener{Command: "false"}).Open(t.Context(), "https://op.example/"); err == nil {
		t.Fatal("the opener failed and nobody was told")
	}
}
