package conformance_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestDocumented holds docs/conformance.md against the modules: each has one row
// that says what is asserted, and no row is of a module that there is not. What the
// table of traps names is a module, or a test of another package.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("../docs/conformance.md")
	if err != nil {
		t.Fatal(err)
	}
	modules := make(map[string]bool)
	for _, f := range families() {
		for _, m := range f.modules {
			modules[m.name] = true
		}
	}
	before, traps, ok := strings.Cut(string(text), "\n## Traps\n")
	if !ok {
		t.Fatal("there are no traps")
	}
	rows := make(map[string]int)
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_A-Z-]+)` \\| .+ \\|$").FindAllStringSubmatch(before, -1) {
		rows[m[1]]++
	}
	for name := range modules {
		if rows[name] != 1 {
			t.Errorf("%s has %d rows, want 1", name, rows[name])
		}
	}
	for name := range rows {
		if !modules[name] {
			t.Errorf("%s is no module", name)
		}
	}
	if n := len(regexp.MustCompile(`(?m)^\| [^|]+ \| [^|]+ \|$`).FindAllString(traps, -1)); n != 1+24 {
		t.Errorf("%d rows of traps, want 24 and a heading", n)
	}
	for _, m := range regexp.MustCompile("`([a-z0-9_A-Z-]+)`").FindAllStringSubmatch(traps, -1) {
		if strings.Count(m[1], "-") > 3 && !modules[m[1]] {
			t.Errorf("the traps name %s, which is no module", m[1])
		}
	}
}
