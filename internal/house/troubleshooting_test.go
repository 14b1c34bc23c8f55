package house

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestTroubleshootingHasEveryReason: whoever meets a reason finds it explained.
func TestTroubleshootingHasEveryReason(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "docs", "troubleshooting.md"))
	if err != nil {
		t.Fatal(err)
	}
	found := make(map[string]int)
	for _, s := range sources(t) {
		pkg := strings.TrimPrefix(s.pkg, modulePath+"/")
		if s.test || pkg != "oidc" && pkg != "rp" && pkg != "login" && pkg != "resource" {
			continue
		}
		page := string(text)
		if pkg != "oidc" {
			_, after, ok := strings.Cut(page, "\n## Package `"+pkg+"`\n")
			if !ok {
				t.Fatalf("docs/troubleshooting.md has no section for package %s", pkg)
			}
			page, _, _ = strings.Cut(after, "\n## ")
		}
		for name, says := range reasonsOf(t, s) {
			found[pkg]++
			if !strings.Contains(page, "**`"+name+"`** ("+says+")") {
				t.Errorf("docs/troubleshooting.md has no entry for %s.%s (%s)", pkg, name, says)
			}
		}
	}
	for pkg, least := range map[string]int{"oidc": 40, "rp": 10, "login": 10, "resource": 10} {
		if found[pkg] < least {
			t.Errorf("found %d reasons in package %s; has their form changed?", found[pkg], pkg)
		}
	}
}

// reasonsOf are the constants of type Reason in a file.
func reasonsOf(t *testing.T, s source) map[string]string {
	t.Helper()
	out := make(map[string]string)
	for _, d := range s.file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, spec := range g.Specs {
			v := spec.(*ast.ValueSpec)
			if v.Type == nil || !isIdent(v.Type, "Reason") || len(v.Values) != 1 {
				continue
			}
			text, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out[v.Names[0].Name] = text
		}
	}
	return out
}
