package house

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestTroubleshootingHasEveryReason: whoever meets a reason finds it explained.
func TestTroubleshootingHasEveryReason(t *testing.T) {
	source, err := os.ReadFile("../../oidc/errors.go")
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := regexp.MustCompile(`(?m)^\t(\w+)\s+Reason = "(.*)"`).FindAllStringSubmatch(string(source), -1)
	if len(reasons) < 40 {
		t.Fatalf("found %d reasons in errors.go; has their form changed?", len(reasons))
	}
	for _, r := range reasons {
		if !strings.Contains(string(page), "**`"+r[1]+"`** ("+r[2]+")") {
			t.Errorf("docs/troubleshooting.md has no entry for %s (%s)", r[1], r[2])
		}
	}
}
