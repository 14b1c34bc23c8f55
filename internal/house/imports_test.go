package house

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// floor says what the packages beneath a path may import, beside the standard
// library. The first floor whose path fits is the one that counts.
type floor struct {
	path    string
	imports []string // packages of ours, and modules of others
	tests   []string // what test files may import beyond that
	others  bool     // any module that its go.mod lists: applications choose
}

const (
	goJOSE = "github.com/go-jose/go-jose/v4"
)

// floors are the arrows of the house: cmd, login, rp, oidc, internal, and what
// stands beside them. An import that is not here is a decision to be made.
var floors = []floor{
	{path: "internal/strictjson"},
	{path: "internal/hook"},
	{path: "internal/jose", imports: []string{"internal/hook", "internal/strictjson", goJOSE}},
	{path: "internal/fetch"},
	{path: "internal/layout"},
	{path: "internal/seal"},
	{path: "internal/house"},
	{path: "internal/servers"},
	{path: "oidctest", imports: []string{goJOSE}, tests: []string{"oidctest"}},
	{path: "oidc", imports: []string{"internal/fetch", "internal/jose", "internal/strictjson"}, tests: []string{"oidc", "oidctest", goJOSE}},
	{path: "federation", imports: []string{"oidc", "internal/fetch", "internal/jose", "internal/strictjson"}, tests: []string{"federation", "oidctest", goJOSE}},
	{path: "store/storetest", imports: []string{"store"}, tests: []string{"store/storetest", "store/memstore"}},
	{path: "store/memstore", imports: []string{"store"}, tests: []string{"store/memstore", "store/storetest"}},
	{path: "store/sqlstore", imports: []string{"store"}, tests: []string{"store/sqlstore", "store/storetest"}, others: true},
	{path: "store/redisstore", imports: []string{"store"}, tests: []string{"store/redisstore", "store/storetest"}, others: true},
	{path: "store"},
	{path: "rp", imports: []string{"oidc", "store", "store/memstore", "internal/hook", "internal/layout", "internal/seal"}, tests: []string{"rp", "oidctest", "store/storetest"}},
	{path: "login", imports: []string{"rp", "oidc", "store", "internal/layout", "internal/seal"}, tests: []string{"login", "oidctest", "store/memstore"}},
	{path: "conformance", tests: []string{"login", "rp", "oidc", "oidctest", "store/memstore"}},
	{path: "resource", imports: []string{"oidc", "store", "store/memstore", "internal/jose", "internal/seal", "internal/strictjson"}, tests: []string{"resource", "oidctest"}},
	{path: "keys/pkcs12", imports: []string{"oidc"}, tests: []string{"keys/pkcs12"}, others: true},
	{path: "otel", imports: []string{"oidc"}, tests: []string{"otel", "oidctest"}, others: true},
	{path: "cmd/rely", imports: []string{"cmd/rely", "login", "rp", "resource", "oidc", "federation", "oidctest", "store", "otel"}, others: true},
	{path: "examples", imports: []string{"examples", "login", "rp", "oidc", "oidctest", "store", "resource"}},
	{path: "peers", imports: []string{"peers", "login", "rp", "resource", "oidc", "federation", "oidctest", "store", "otel"}, others: true},
}

// within reports whether an import path is path or beneath it.
func within(imported, path string) bool {
	return imported == path || strings.HasPrefix(imported, path+"/")
}

func floorOf(pkg string) *floor {
	for i := range floors {
		if within(strings.TrimPrefix(pkg, modulePath+"/"), floors[i].path) {
			return &floors[i]
		}
	}
	return nil
}

// TestImports lets the arrows between the floors point one way.
func TestImports(t *testing.T) {
	for _, s := range sources(t) {
		if strings.HasPrefix(s.path, ".ci/") || strings.Contains(s.path, "/testdata/") {
			continue
		}
		f := floorOf(s.pkg)
		if f == nil {
			t.Errorf("%s is on no floor", s.path)
			continue
		}
		for _, i := range s.file.Imports {
			imported, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if !mayImport(f, s, imported) {
				t.Errorf("%s must not import %s", s.path, imported)
			}
		}
	}
}

func mayImport(f *floor, s source, imported string) bool {
	ours, isOurs := strings.CutPrefix(imported, modulePath+"/")
	first, _, _ := strings.Cut(imported, "/")
	switch {
	case !isOurs && !strings.Contains(first, "."):
		return imported != "C" && imported != "unsafe" && imported != "plugin"
	case !isOurs && f.others:
		return true
	case !isOurs:
		ours = imported
	}
	if ours == "internal/servers" {
		return s.test && f.others || f.path == "peers" // servers of tests
	}
	if strings.HasPrefix(ours, "internal/") && f.path == "cmd/rely" || strings.HasPrefix(ours, "internal/") && (f.path == "peers" || f.path == "examples") {
		return false // what an application does, a stranger's can do
	}
	fits := func(allowed string) bool { return within(ours, allowed) }
	// A package and its own folders are one room.
	return fits(f.path) && s.test || slices.ContainsFunc(f.imports, fits) || s.test && slices.ContainsFunc(f.tests, fits)
}

// TestFloorsAreUsed keeps the table from naming what is gone.
func TestFloorsAreUsed(t *testing.T) {
	later := []string{"federation", "login", "otel", "store/sqlstore", "store/redisstore"}
	used := make(map[string]bool)
	for _, s := range sources(t) {
		if f := floorOf(s.pkg); f != nil {
			used[f.path] = true
		}
	}
	for _, f := range floors {
		if !used[f.path] && !slices.Contains(later, f.path) {
			t.Errorf("there is no package %s", f.path)
		}
	}
}
