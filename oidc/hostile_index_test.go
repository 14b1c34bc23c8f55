package oidc_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"rely.example/oidctest"
)

// cases is how many the catalogue has.
const cases = 341

// TestHostileIndex asks for a test of every case of the hostile catalogue,
// anywhere in the repository: a subtest whose name begins with the case's number, a
// script of the command, or a fault of the test OP that a test expects something of.
func TestHostileIndex(t *testing.T) {
	catalogue := readCatalogue(t)
	tested := make(map[int]bool)
	for n := range casesOfTests(t) {
		if catalogue[n] == "" {
			t.Errorf("a test names case %d, which the catalogue does not have", n)
		}
		tested[n] = true
	}
	for _, f := range oidctest.Faults() {
		if _, ok := faults[f.Fault]; ok && f.Case != 0 {
			tested[f.Case] = true
		}
	}
	for n := 1; n <= cases; n++ {
		if !tested[n] {
			t.Errorf("no test for case %d: %s", n, catalogue[n])
		}
	}
}

// readCatalogue reads the cases of docs/hostile.md.
func readCatalogue(t *testing.T) map[int]string {
	t.Helper()
	text, err := os.ReadFile("../docs/hostile.md")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[int]string)
	for _, m := range regexp.MustCompile(`(?m)^(\d+)\. (.+)$`).FindAllStringSubmatch(string(text), -1) {
		n, _ := strconv.Atoi(m[1])
		listed[n] = m[2]
	}
	for n := 1; n <= cases; n++ {
		if listed[n] == "" {
			t.Errorf("the catalogue has no case %d", n)
		}
	}
	if len(listed) != cases {
		t.Errorf("the catalogue has %d cases, want %d", len(listed), cases)
	}
	return listed
}

// casesOfTests are the numbers that tests, subtests and scripts of hostile cases
// begin with, anywhere in the repository. A number in quotation marks alone may be
// anything, such as a status.
func casesOfTests(t *testing.T) map[int]bool {
	t.Helper()
	name := regexp.MustCompile("(?:[\"`]|func TestHostile)([0-9]{3})(?:_[a-z0-9_]|[A-Z])")
	out := make(map[int]bool)
	eachTestFile(t, func(path, text string) {
		if !strings.Contains(text, "func TestHostile") || strings.HasSuffix(path, "hostile_index_test.go") {
			return
		}
		for _, m := range name.FindAllStringSubmatch(text, -1) {
			n, _ := strconv.Atoi(m[1])
			out[n] = true
		}
	})
	scripts, err := filepath.Glob("../cmd/rely/testdata/script/hostile_[0-9][0-9][0-9]_*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range scripts {
		n, _ := strconv.Atoi(filepath.Base(s)[len("hostile_"):][:3])
		out[n] = true
	}
	return out
}

// eachTestFile reads every test file of the repository.
func eachTestFile(t *testing.T, f func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != ".." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		f(path, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestEveryReasonHasATest: a reason that no test provokes may never be given. Those
// about access tokens may be provoked where they are accepted.
func TestEveryReasonHasATest(t *testing.T) {
	source, err := os.ReadFile("errors.go")
	if err != nil {
		t.Fatal(err)
	}
	var tests strings.Builder
	eachTestFile(t, func(path, text string) {
		if dir := filepath.Base(filepath.Dir(path)); dir == "oidc" || dir == "resource" {
			tests.WriteString(text)
		}
	})
	for _, m := range regexp.MustCompile(`(?m)^\t(\w+) +Reason = "`).FindAllStringSubmatch(string(source), -1) {
		if !regexp.MustCompile(`oidc\.` + m[1] + `\b`).MatchString(tests.String()) {
			t.Errorf("no test expects %s", m[1])
		}
	}
}
