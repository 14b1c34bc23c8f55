package house

import (
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files and the fragments of the documentation anew")

// root is the repository as these tests see it.
const root = "../.."

// modulePath is the path that the root module and those beneath it share.
const modulePath = "rely.example"

// source is one Go file of the repository.
type source struct {
	path string // from the root, with slashes
	pkg  string // import path of its directory
	test bool
	text []byte
	file *ast.File
	fset *token.FileSet
}

// sources reads every Go file of the repository, those of tools excepted.
func sources(t *testing.T) []source {
	t.Helper()
	var out []source
	fset := token.NewFileSet()
	eachFile(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".go") {
			return
		}
		f, err := parser.ParseFile(fset, filepath.Join(root, name), text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		pkg := modulePath
		if dir := path.Dir(name); dir != "." {
			pkg += "/" + dir
		}
		out = append(out, source{path: name, pkg: pkg, test: strings.HasSuffix(name, "_test.go"), text: text, file: f, fset: fset})
	})
	if len(out) < 50 {
		t.Fatalf("found %d Go files; is %s the repository?", len(out), root)
	}
	return out
}

// eachFile reads every file of the repository; folders whose name begins with a
// dot hold caches and tools, but for .ci.
func eachFile(t *testing.T, f func(name string, text []byte)) {
	t.Helper()
	err := filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); name != "." && (strings.HasPrefix(base, ".") && base != ".ci" || base == "node_modules") {
				return fs.SkipDir
			}
			return nil
		}
		if !d.Type().IsRegular() {
			return nil
		}
		text, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		f(filepath.ToSlash(name), text)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
