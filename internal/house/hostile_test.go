package house

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// loosens is what a field is called that switches a rule off.
var loosens = regexp.MustCompile(`^(Skip|Disable|Ignore|Unsafe|Without|Accept|Trust|NoVerify|NoCheck|Allow)|Insecure|Unverified|Unsigned`)

// named are fields that such a name would hit and that loosen nothing by
// themselves, or name exactly what they admit.
var named = map[string]string{
	"oidc.Options.AllowPrivate":          "a list of hosts, by name",
	"oidc.Options.AllowPorts":            "a list of ports, by number",
	"oidc.ClientConfig.TrustedAudiences": "a list of audiences, by name",
	"rp.Dynamic.Allow":                   "the policy itself; nil allows nobody",
	"login.Config.AllowIssuer":           "the policy itself; nil allows nobody",
	"fetch.Config.AllowPrivate":          "a list of hosts, by name",
	"fetch.Request.Accept":               "a list of media types",
	"jose.RemoteEvent.Skipped":           "what was left out",
}

// TestHostile has the cases of the catalogue that are rules of the house.
func TestHostile(t *testing.T) {
	t.Run("338_escapes_are_called_insecure", func(t *testing.T) {
		escapes := 0
		for _, s := range sources(t) {
			if !s.library() || strings.HasPrefix(s.path, "oidctest/") || strings.HasPrefix(s.path, "cmd/") {
				continue // an OP that breaks rules, and a program
			}
			ast.Inspect(s.file, func(n ast.Node) bool {
				spec, ok := n.(*ast.TypeSpec)
				if !ok {
					return true
				}
				st, ok := spec.Type.(*ast.StructType)
				if !ok || spec.Name.Name == "Quirks" || !spec.Name.IsExported() {
					return true
				}
				for _, f := range st.Fields.List {
					for _, name := range f.Names {
						full := s.file.Name.Name + "." + spec.Name.Name + "." + name.Name
						switch {
						case !name.IsExported() || named[full] != "":
						case strings.HasPrefix(name.Name, "Insecure"):
							escapes++
						case loosens.MatchString(name.Name):
							t.Errorf("%s: %s sounds like a way out of a rule; such a name begins with Insecure", s.fset.Position(name.Pos()), full)
						}
					}
				}
				return true
			})
		}
		if escapes < 4 {
			t.Errorf("found %d escapes; has the way they are named changed?", escapes)
		}
	})
	t.Run("339_rules_of_dependencies_are_asserted_through_the_public_api", func(t *testing.T) {
		// Strict JSON is a library's work: these cases would show its loss.
		for _, name := range []string{"025", "026", "028", "212", "213", "214", "215", "232", "233"} {
			if !testedIn(t, "oidc", name) {
				t.Errorf("case %s has no test in package oidc", name)
			}
		}
		// So is decryption.
		for _, name := range []string{"179", "180", "181", "182", "183"} {
			if !testedIn(t, "oidc", name) && !testedIn(t, "internal/jose", name) {
				t.Errorf("case %s has no test", name)
			}
		}
	})
	t.Run("340_few_dependencies_and_nothing_at_start", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root, "go.mod"))
		if err != nil {
			t.Fatal(err)
		}
		var direct []string
		for _, m := range regexp.MustCompile(`(?m)^\t?(?:require )?([a-z][\w./-]+\.[\w./-]+) v[^ \n]+(?: // (.*))?$`).FindAllStringSubmatch(string(text), -1) {
			if m[2] != "indirect" {
				direct = append(direct, m[1])
			}
		}
		if len(direct) != 1 || strings.Contains(string(text), "replace ") {
			t.Errorf("the root module depends on %v; every user pays for each, and for what a replace hides", direct)
		}
		// That no package has an init function is TestRules.
	})
	t.Run("341_checks_block_a_release", func(t *testing.T) {
		text, err := os.ReadFile(filepath.Join(root, ".ci", "run"))
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []string{"step gofmt", "step vet", "step staticcheck", "step govulncheck", "step test", "step race", "step fuzz", "-race", "set -uo pipefail", "((failures == 0))"} {
			if !strings.Contains(string(text), step) {
				t.Errorf(".ci/run has no %q", step)
			}
		}
	})
}

// testedIn reports whether a test file of a folder names a case.
func testedIn(t *testing.T, folder, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if regexp.MustCompile("[\"`]" + name + "_").Match(text) {
			return true
		}
	}
	return false
}
