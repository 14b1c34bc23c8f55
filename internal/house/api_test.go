package house

import (
	"bytes"
	"go/ast"
	"go/doc"
	"go/printer"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestAPI compares what each package exports with its golden file in api/, so
// that no change of it goes unnoticed. With -update the files are written anew.
func TestAPI(t *testing.T) {
	byPackage := make(map[string][]source)
	for _, s := range sources(t) {
		if s.library() && !strings.Contains(s.pkg, "/internal/") && !strings.HasSuffix(s.pkg, "/internal") && s.file.Name.Name != "main" {
			byPackage[s.pkg] = append(byPackage[s.pkg], s)
		}
	}
	golden := make(map[string]bool)
	for pkg, files := range byPackage {
		name := strings.ReplaceAll(strings.TrimPrefix(pkg, modulePath+"/"), "/", "_") + ".txt"
		golden[name] = true
		got := exported(t, pkg, files)
		path := filepath.Join(root, "api", name)
		if *update {
			if err := os.WriteFile(path, got, 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Errorf("%v; write it by: go test ./internal/house -update", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("the API of %s has changed; if that is meant, write api/%s by: go test ./internal/house -update\n%s", pkg, name, difference(string(want), string(got)))
		}
	}
	entries, err := os.ReadDir(filepath.Join(root, "api"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), ".txt") && !golden[e.Name()] {
			t.Errorf("api/%s is of no package", e.Name())
		}
	}
}

// exported lists the exported declarations of a package, one to a paragraph,
// without comments and without bodies.
func exported(t *testing.T, pkg string, files []source) []byte {
	t.Helper()
	var parsed []*ast.File
	for _, s := range files {
		parsed = append(parsed, s.file)
	}
	fset := files[0].fset
	p, err := doc.NewFromFiles(fset, parsed, pkg)
	if err != nil {
		t.Fatal(err)
	}
	var decls []string
	show := func(n ast.Node) {
		var b bytes.Buffer
		if err := (&printer.Config{Mode: printer.TabIndent | printer.UseSpaces, Tabwidth: 8}).Fprint(&b, fset, n); err != nil {
			t.Fatal(err)
		}
		decls = append(decls, tidy(b.String()))
	}
	values := func(vs []*doc.Value) {
		for _, v := range vs {
			v.Decl.Doc = nil
			show(withoutComments(v.Decl))
		}
	}
	funcs := func(fs []*doc.Func) {
		for _, f := range fs {
			f.Decl.Doc, f.Decl.Body = nil, nil
			show(f.Decl)
		}
	}
	values(p.Consts)
	values(p.Vars)
	funcs(p.Funcs)
	for _, typ := range p.Types {
		show(withoutComments(typ.Decl))
		values(typ.Consts)
		values(typ.Vars)
		funcs(typ.Funcs)
		funcs(typ.Methods)
	}
	slices.Sort(decls)
	return []byte("package " + pkg + "\n\n" + strings.Join(decls, "\n") + "\n")
}

// withoutComments drops what is for the reader of the source.
func withoutComments(d *ast.GenDecl) *ast.GenDecl {
	d.Doc = nil
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.TypeSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.ValueSpec:
			n.Doc, n.Comment = nil, nil
		case *ast.Field:
			n.Doc, n.Comment = nil, nil
		}
		return true
	})
	return d
}

// tidy makes the layout independent of the comments that were there.
func tidy(s string) string {
	var lines []string
	for l := range strings.SplitSeq(s, "\n") {
		if trimmed := strings.TrimSpace(l); trimmed != "" {
			indent := l[:len(l)-len(strings.TrimLeft(l, "\t "))]
			lines = append(lines, indent+strings.Join(strings.Fields(trimmed), " "))
		}
	}
	return strings.Join(lines, "\n")
}

// difference shows the lines that only one of two texts has.
func difference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	var out []string
	for _, l := range a {
		if !slices.Contains(b, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range b {
		if !slices.Contains(a, l) {
			out = append(out, "+ "+l)
		}
	}
	return strings.Join(out, "\n")
}
