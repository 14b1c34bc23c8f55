package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// The switches of a mutated test binary: the number of the mutant that is on, and
// a file that takes the numbers of those that were reached.
const (
	mutantVariable = "RELY_MUTANT"
	traceVariable  = "RELY_MUTANT_TRACE"
)

// mutant is one change to one expression.
type mutant struct {
	id   int
	file string // from the root of the module
	line int
	in   string // the function
	kind string
	text string // of the expression that is changed

	judged bool
	tested bool
	killer string // the first test that failed; "" if none did
}

// edit is text put in at a place of a file.
type edit struct {
	offset int
	before bool // closes an expression that ends here, and so goes before what opens
	depth  int  // how many expressions around it are edited, too
	text   string
}

// mutateAll writes the mutated files below work, and the overlay that lays them
// over the tree.
func mutateAll(root, work, only string) (all []*mutant, overlay string, err error) {
	replace := make(map[string]string)
	for _, t := range targets {
		names, err := t.files(root)
		if err != nil {
			return nil, "", err
		}
		for _, name := range names {
			path := filepath.Join(root, t.dir, name)
			m := &mutator{file: filepath.ToSlash(filepath.Join(t.dir, name)), next: len(all) + 1}
			if wanted := strings.Split(only, ","); only != "" && !slices.Contains(wanted, name) && !slices.Contains(wanted, m.file) {
				continue
			}
			text, err := m.mutate(path)
			if err != nil {
				return nil, "", err
			}
			all = append(all, m.found...)
			to := filepath.Join(work, strings.ReplaceAll(m.file, "/", "_"))
			if err := os.WriteFile(to, text, 0o600); err != nil {
				return nil, "", err
			}
			replace[path] = to
		}
		pkg := filepath.Base(t.dir)
		to := filepath.Join(work, "switch_"+pkg+".go")
		if err := os.WriteFile(to, []byte("package "+pkg+"\n"+switchSource), 0o600); err != nil {
			return nil, "", err
		}
		replace[filepath.Join(root, t.dir, "zz_mutant_switch.go")] = to
	}
	b, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, "", err
	}
	overlay = filepath.Join(work, "overlay.json")
	return all, overlay, os.WriteFile(overlay, b, 0o600)
}

// switchSource is added to each mutated package.
const switchSource = `
import (
	"os"
	"strconv"
	"sync"
)

var (
	mutantOn, _   = strconv.Atoi(os.Getenv("` + mutantVariable + `"))
	mutantTrace   = os.Getenv("` + traceVariable + `")
	mutantReached sync.Map
)

func mutantIs(id int) bool {
	if mutantTrace != "" {
		if _, known := mutantReached.LoadOrStore(id, true); !known {
			if f, err := os.OpenFile(mutantTrace, os.O_APPEND|os.O_WRONLY, 0); err == nil {
				f.WriteString(strconv.Itoa(id) + "\n")
				f.Close()
			}
		}
	}
	return id == mutantOn
}
`

// mutator finds what can be changed in one file.
type mutator struct {
	file  string
	in    string // the function that is walked
	next  int
	fset  *token.FileSet
	src   []byte
	found []*mutant
	edits []edit
	depth int
}

func (m *mutator) mutate(path string) ([]byte, error) {
	src, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	m.src, m.fset = src, token.NewFileSet()
	f, err := parser.ParseFile(m.fset, path, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range f.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Body != nil {
			m.in = fn.Name.Name
			m.walk(fn.Body)
		}
	}
	slices.SortStableFunc(m.edits, func(a, b edit) int {
		switch {
		case a.offset != b.offset:
			return a.offset - b.offset
		case a.before != b.before:
			if a.before {
				return -1
			}
			return 1
		case a.before:
			return b.depth - a.depth // the inner one closes first
		}
		return a.depth - b.depth // and opens last
	})
	var out []byte
	at := 0
	for _, e := range m.edits {
		out = append(append(out, src[at:e.offset]...), e.text...)
		at = e.offset
	}
	out = append(out, src[at:]...)
	if _, err := format.Source(out); err != nil {
		return nil, fmt.Errorf("%s: the mutated source does not parse: %w", m.file, err)
	}
	return out, nil
}

func (m *mutator) walk(n ast.Node) {
	ast.Inspect(n, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			m.constant(n.Cond, "if deleted", false)
		case *ast.SwitchStmt:
			if n.Tag != nil {
				return true
			}
			for _, s := range n.Body.List {
				for _, c := range s.(*ast.CaseClause).List {
					m.constant(c, "case deleted", false)
				}
			}
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && len(n.Args) > 3 && slices.Contains([]string{"that", "tell", "tellIf"}, sel.Sel.Name) && !isConstant(n.Args[0]) {
				m.constant(n.Args[0], "check deleted", true)
			}
		case *ast.ReturnStmt:
			for _, r := range n.Results {
				if b, ok := r.(*ast.BinaryExpr); ok && comparison(b.Op) {
					m.constant(r, "always true", true)
				}
			}
		case *ast.BinaryExpr:
			m.binary(n)
		}
		return true
	})
}

func isConstant(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	return ok && (id.Name == "true" || id.Name == "false")
}

func comparison(op token.Token) bool {
	switch op {
	case token.EQL, token.NEQ, token.LSS, token.LEQ, token.GTR, token.GEQ, token.LAND, token.LOR:
		return true
	}
	return false
}

func (m *mutator) binary(n *ast.BinaryExpr) {
	switch n.Op {
	case token.LAND, token.LOR:
		// In a && b && c, which is (a && b) && c, each operand once.
		for _, e := range []ast.Expr{n.X, n.Y} {
			if b, ok := e.(*ast.BinaryExpr); ok && b.Op == n.Op {
				continue
			}
			m.constant(e, "half deleted", n.Op == token.LAND)
		}
	case token.LSS, token.LEQ, token.GTR, token.GEQ:
		other := map[token.Token]string{token.LSS: "<=", token.LEQ: "<", token.GTR: ">=", token.GEQ: ">"}[n.Op]
		x, y := m.textOf(n.X), m.textOf(n.Y)
		id := m.add(n, "boundary moved")
		// Both sides are written twice, so what has an effect is left alone.
		if strings.Contains(x+y, "<-") {
			m.found = m.found[:len(m.found)-1]
			m.next--
			return
		}
		m.around(n, fmt.Sprintf("(mutantIs(%d) && (%s) %s (%s) || !mutantIs(%d) && (", id, x, other, y, id), "))")
	}
}

// constant makes e, a condition, true or false when its mutant is on.
func (m *mutator) constant(e ast.Expr, kind string, value bool) {
	id := m.add(e, kind)
	if value {
		m.around(e, fmt.Sprintf("(mutantIs(%d) || (", id), "))")
		return
	}
	m.around(e, fmt.Sprintf("(!mutantIs(%d) && (", id), "))")
}

func (m *mutator) add(n ast.Node, kind string) int {
	id := m.next
	m.next++
	m.found = append(m.found, &mutant{id: id, file: m.file, line: m.fset.Position(n.Pos()).Line, in: m.in, kind: kind, text: strings.Join(strings.Fields(m.textOf(n)), " ")})
	return id
}

// around puts text before and after an expression. Later ones lie inside earlier
// ones, for the tree is walked from the outside in.
func (m *mutator) around(n ast.Node, open, closing string) {
	m.depth++
	m.edits = append(m.edits,
		edit{offset: m.fset.Position(n.Pos()).Offset, depth: m.depth, text: open},
		edit{offset: m.fset.Position(n.End()).Offset, before: true, depth: m.depth, text: closing})
}

func (m *mutator) textOf(n ast.Node) string {
	return string(m.src[m.fset.Position(n.Pos()).Offset:m.fset.Position(n.End()).Offset])
}
