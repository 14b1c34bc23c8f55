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
	advised := make(map[string]map[string]bool)
	for _, s := range sources(t) {
		if pkg := strings.TrimPrefix(s.pkg, modulePath+"/"); !s.test && strings.HasSuffix(s.path, "/explain.go") {
			advised[pkg] = advisedReasons(s)
		}
	}
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
			if !advised[pkg][name] {
				t.Errorf("%s/explain.go has no advice for %s", pkg, name)
			}
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

// advisedReasons are the reasons that a file has a text for: the keys of a map, and
// the cases of the method Advice.
func advisedReasons(s source) map[string]bool {
	out := make(map[string]bool)
	add := func(e ast.Expr) {
		if i, ok := e.(*ast.Ident); ok {
			out[i.Name] = true
		}
	}
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Name.Name != "Advice" {
			continue
		}
		ast.Inspect(d, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				add(n.Key)
			case *ast.CaseClause:
				for _, e := range n.List {
					add(e)
				}
			}
			return true
		})
	}
	return out
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
