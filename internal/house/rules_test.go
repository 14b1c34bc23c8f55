package house

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// library reports whether a file is code that a user's program links.
func (s source) library() bool {
	return !s.test && !strings.HasPrefix(s.path, ".ci/") && !strings.HasPrefix(s.path, "peers/") && !strings.Contains(s.path, "/testdata/")
}

// panics are the functions that may panic, and why that is right.
var panics = map[string]string{
	"internal/hook/hook.go: Rethrow": "it hands a panic of the application's own on, from a goroutine of ours to the caller",
}

// TestRules: no init function, no panic, no package variable that changes.
func TestRules(t *testing.T) {
	variables := make(map[string][]*ast.Ident) // by package
	byPackage := make(map[string][]source)
	for _, s := range sources(t) {
		if !s.library() {
			continue
		}
		byPackage[s.pkg] = append(byPackage[s.pkg], s)
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.Name == "init" && d.Recv == nil {
					t.Errorf("%s has an init function", s.path)
				}
				ast.Inspect(d, func(n ast.Node) bool {
					if c, ok := n.(*ast.CallExpr); ok && isIdent(c.Fun, "panic") && panics[s.path+": "+d.Name.Name] == "" {
						t.Errorf("%s: %s panics", s.fset.Position(c.Pos()), d.Name.Name)
					}
					return true
				})
			case *ast.GenDecl:
				if d.Tok != token.VAR {
					continue
				}
				for _, spec := range d.Specs {
					v := spec.(*ast.ValueSpec)
					for _, name := range v.Names {
						if name.Name == "_" {
							continue
						}
						variables[s.pkg] = append(variables[s.pkg], name)
						if d.Doc == nil && v.Doc == nil && v.Comment == nil && isTable(v) {
							t.Errorf("%s: package variable %s has no comment to say what it is", s.fset.Position(name.Pos()), name.Name)
						}
						if v.Values == nil && !isEmbedded(d) {
							t.Errorf("%s: package variable %s has no value: it can only be meant to change", s.fset.Position(name.Pos()), name.Name)
						}
					}
				}
			}
		}
	}
	for pkg, names := range variables {
		for _, s := range byPackage[pkg] {
			ast.Inspect(s.file, func(n ast.Node) bool {
				for _, target := range changed(n) {
					if i := slices.IndexFunc(names, func(v *ast.Ident) bool { return v.Name == target.Name }); i >= 0 {
						t.Errorf("%s: package variable %s is changed", s.fset.Position(target.Pos()), target.Name)
					}
				}
				return true
			})
		}
	}
}

// isTable reports whether a variable holds a list or a map, which its name alone
// does not explain.
func isTable(v *ast.ValueSpec) bool {
	return slices.ContainsFunc(v.Values, func(e ast.Expr) bool {
		lit, ok := e.(*ast.CompositeLit)
		if !ok {
			return false
		}
		switch lit.Type.(type) {
		case *ast.MapType, *ast.ArrayType:
			return true
		}
		return false
	})
}

// isEmbedded reports whether the toolchain fills a variable in from a file.
func isEmbedded(d *ast.GenDecl) bool {
	return d.Doc != nil && slices.ContainsFunc(d.Doc.List, func(c *ast.Comment) bool { return strings.HasPrefix(c.Text, "//go:embed ") })
}

// changed are the variables that a node writes to: by assignment, by an element,
// by delete or clear. One that is declared here is another of the same name.
func changed(n ast.Node) []*ast.Ident {
	var out []*ast.Ident
	add := func(e ast.Expr) {
		for {
			switch x := e.(type) {
			case *ast.IndexExpr:
				e = x.X
				continue
			case *ast.SelectorExpr:
				e = x.X
				continue
			case *ast.StarExpr:
				e = x.X
				continue
			case *ast.Ident:
				out = append(out, x)
			}
			return
		}
	}
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			for _, l := range n.Lhs {
				add(l)
			}
		}
	case *ast.IncDecStmt:
		add(n.X)
	case *ast.CallExpr:
		if (isIdent(n.Fun, "delete") || isIdent(n.Fun, "clear")) && len(n.Args) > 0 {
			add(n.Args[0])
		}
	}
	return out
}

func isIdent(e ast.Expr, name string) bool {
	i, ok := e.(*ast.Ident)
	return ok && i.Name == name
}

// TestEveryNameIsDocumented: a doc comment on each exported name of a package
// that others import, and on each package.
func TestEveryNameIsDocumented(t *testing.T) {
	documented := make(map[string]bool)
	packages := make(map[string]bool)
	for _, s := range sources(t) {
		if !s.library() || strings.HasPrefix(s.path, "cmd/") {
			continue
		}
		packages[s.pkg] = true
		if s.file.Doc != nil {
			documented[s.pkg] = true
		}
		missing := func(n ast.Node, name string) { t.Errorf("%s: %s has no doc comment", s.fset.Position(n.Pos()), name) }
		for _, d := range s.file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && d.Doc == nil && receiverIsExported(d) {
					missing(d, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch spec := spec.(type) {
					case *ast.TypeSpec:
						if spec.Name.IsExported() && spec.Doc == nil && d.Doc == nil {
							missing(spec, spec.Name.Name)
						}
					case *ast.ValueSpec:
						for _, name := range spec.Names {
							if name.IsExported() && spec.Doc == nil && spec.Comment == nil && d.Doc == nil {
								missing(spec, name.Name)
							}
						}
					}
				}
			}
		}
	}
	for pkg := range packages {
		if !documented[pkg] {
			t.Errorf("package %s has no doc comment", pkg)
		}
	}
}

// receiverIsExported is true for functions, and for methods that a reader of the
// documentation sees; what an interface asks of a private type is documented
// there, and Error says what every Error does.
func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	typ := d.Recv.List[0].Type
	if p, ok := typ.(*ast.StarExpr); ok {
		typ = p.X
	}
	if g, ok := typ.(*ast.IndexExpr); ok {
		typ = g.X
	}
	i, ok := typ.(*ast.Ident)
	return ok && i.IsExported() && d.Name.Name != "Error"
}

// TestFormat: gofmt has nothing to change.
func TestFormat(t *testing.T) {
	for _, s := range sources(t) {
		if formatted, err := format.Source(s.text); err != nil || !bytes.Equal(formatted, s.text) {
			t.Errorf("%s is not formatted by gofmt (%v)", s.path, err)
		}
	}
}

// TestNothingOfThisMachine: no file names a folder or a package mirror of the
// machine that it was written on.
func TestNothingOfThisMachine(t *testing.T) {
	var forbidden []string
	if dir, err := filepath.Abs(root); err == nil && strings.Count(dir, "/") > 1 {
		forbidden = append(forbidden, filepath.Dir(dir)+"/"+filepath.Base(dir))
	}
	if home, err := os.UserHomeDir(); err == nil && len(home) > 1 {
		forbidden = append(forbidden, home+"/")
	}
	hosts := []string{os.Getenv("PIP_INDEX_URL"), os.Getenv("NPM_CONFIG_REGISTRY"), os.Getenv("npm_config_registry")}
	if out, err := exec.Command("go", "env", "GOPROXY", "GOMODCACHE", "GOSUMDB").Output(); err == nil {
		hosts = append(hosts, strings.FieldsFunc(string(out), func(r rune) bool { return strings.ContainsRune(",|\n ", r) })...)
	}
	for _, h := range hosts {
		host := h
		if _, after, ok := strings.Cut(h, "://"); ok {
			host, _, _ = strings.Cut(after, "/")
		}
		if _, after, ok := strings.Cut(host, "@"); ok {
			host = after
		}
		switch host {
		case "", "off", "direct", "proxy.golang.org", "sum.golang.org", "pypi.org", "registry.npmjs.org":
		default:
			forbidden = append(forbidden, host)
		}
	}
	if len(forbidden) == 0 {
		t.Skip("this machine has nothing of its own to look for")
	}
	eachFile(t, func(name string, text []byte) {
		for _, f := range forbidden {
			if bytes.Contains(text, []byte(f)) {
				t.Errorf("%s names %q, which is of this machine", name, f)
			}
		}
	})
}

// TestFileSizes: a file that grows beyond a sitting is split by what it is about.
func TestFileSizes(t *testing.T) {
	const most = 900
	for _, s := range sources(t) {
		if n := bytes.Count(s.text, []byte("\n")); s.library() && n > most {
			t.Errorf("%s has %d lines, more than %d", s.path, n, most)
		}
	}
}
