package house

import (
	"go/ast"
	"strings"
	"testing"
)

// untold are the calls that tell the Trace nothing of themselves, and why.
var untold = map[string]string{
	"TokenSource.Tokens": "what it does is ClientCredentials, or nothing",
}

// TestCallsAreTraced: each call of package oidc that takes a context and may fail
// tells the Trace when it begins and how it ends, so that no failure is seen
// without what it was part of.
func TestCallsAreTraced(t *testing.T) {
	told := 0
	for _, s := range sources(t) {
		if s.test || s.pkg != modulePath+"/oidc" {
			continue
		}
		for _, d := range s.file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || !receiverIsExported(f) || !takesContext(f) || !mayFail(f) {
				continue
			}
			name := f.Name.Name
			if f.Recv != nil {
				typ := f.Recv.List[0].Type
				if p, ok := typ.(*ast.StarExpr); ok {
					typ = p.X
				}
				name = typ.(*ast.Ident).Name + "." + name
			}
			body := string(s.text[s.fset.Position(f.Body.Pos()).Offset:s.fset.Position(f.Body.End()).Offset])
			switch {
			case strings.Contains(body, "defer call.end(&err)") && strings.Contains(body, `"`+f.Name.Name+`"`):
				told++
			case untold[name] == "":
				t.Errorf("%s: %s tells the Trace nothing; name its last result err and begin it with:\n\tctx, call := c.call(ctx, %q)\n\tdefer call.end(&err)",
					s.fset.Position(f.Pos()), name, f.Name.Name)
			}
		}
	}
	if told < 20 {
		t.Errorf("found %d calls that are traced; has their form changed?", told)
	}
}

func takesContext(f *ast.FuncDecl) bool {
	if len(f.Type.Params.List) == 0 {
		return false
	}
	sel, ok := f.Type.Params.List[0].Type.(*ast.SelectorExpr)
	return ok && isIdent(sel.X, "context") && sel.Sel.Name == "Context"
}

func mayFail(f *ast.FuncDecl) bool {
	r := f.Type.Results
	return r != nil && len(r.List) > 0 && isIdent(r.List[len(r.List)-1].Type, "error")
}
