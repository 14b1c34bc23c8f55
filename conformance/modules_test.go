package conformance_test

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// parameter is one choice that the plans of a family leave to who runs them.
type parameter struct {
	name   string
	values []string
}

// variant is a choice of a value for each parameter, by the suite's names.
type variant map[string]string

// module is one of the suite's. It applies to the variants for which each of its
// rules holds.
type module struct {
	name  string
	rules []rule
}

type rule func(v variant) bool

// only admits the values named of a parameter, except all others.
func only(name string, values ...string) rule {
	return func(v variant) bool { return slices.Contains(values, v[name]) }
}

func except(name string, values ...string) rule {
	return func(v variant) bool { return !slices.Contains(values, v[name]) }
}

func (m module) applies(v variant) bool {
	return !slices.ContainsFunc(m.rules, func(r rule) bool { return !r(v) })
}

// family is a specification with its modules, and with a test for each.
type family struct {
	name    string
	params  []parameter
	main    []string // of params: those of which every combination runs always
	modules []module
	tests   map[string]func(t *testing.T, v variant)
}

func families() []family {
	return []family{
		{name: "OpenID Connect", params: oidcParameters(), main: []string{"response_type", "response_mode"}, modules: oidcModules(), tests: oidcTests()},
		{name: "FAPI 1.0 Advanced", params: fapi1Parameters(), main: []string{"fapi_auth_request_method", "fapi_response_mode", "fapi_client_type"}, modules: fapi1Modules(), tests: fapi1Tests()},
		{name: "FAPI 2.0", params: fapi2Parameters(), main: []string{"sender_constrain", "fapi_request_method", "fapi_response_mode", "fapi_client_type"}, modules: fapi2Modules(), tests: fapi2Tests()},
		{name: "FAPI-CIBA", params: cibaParameters(), main: []string{"fapi_ciba_profile", "ciba_mode"}, modules: cibaModules(), tests: cibaTests()},
	}
}

// variants are all combinations of values, in a fixed order.
func (f family) variants() []variant {
	all := []variant{{}}
	for _, p := range f.params {
		var next []variant
		for _, v := range all {
			for _, value := range p.values {
				w := maps.Clone(v)
				w[p.name] = value
				next = append(next, w)
			}
		}
		all = next
	}
	return all
}

// text is a variant as the name of a subtest.
func (f family) text(v variant) string {
	words := make([]string, len(f.params))
	for i, p := range f.params {
		words[i] = v[p.name]
	}
	return strings.Join(words, ",")
}

// runs are the variants to run a module with: each combination of the main
// parameters once, while the others take turns, or all.
func (f family) runs(m module, number int, all bool) []variant {
	groups := make(map[string][]variant)
	var order []string
	for _, v := range f.variants() {
		if !m.applies(v) {
			continue
		}
		key := f.text(v)
		if !all {
			var words []string
			for _, name := range f.main {
				words = append(words, v[name])
			}
			key = strings.Join(words, ",")
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], v)
	}
	var out []variant
	for i, key := range order {
		g := groups[key]
		out = append(out, g[(7*number+5*i)%len(g)])
	}
	return out
}

// TestModules runs each module of the suite under its own name.
func TestModules(t *testing.T) {
	all := os.Getenv("RELY_CONFORMANCE") == "all"
	for _, f := range families() {
		for i, m := range f.modules {
			test := f.tests[m.name]
			t.Run(m.name, func(t *testing.T) {
				t.Parallel()
				if test == nil {
					t.Fatal("this module has no test")
				}
				for _, v := range f.runs(m, i, all) {
					t.Run(f.text(v), func(t *testing.T) {
						if !all { // thousands of parallel tests would keep their OPs in memory
							t.Parallel()
						}
						test(t, v)
					})
				}
			})
		}
	}
}

// TestEveryTestIsAModule: a test under a name that the suite does not have would
// stand for nothing.
func TestEveryTestIsAModule(t *testing.T) {
	for _, f := range families() {
		for name := range f.tests {
			if !slices.ContainsFunc(f.modules, func(m module) bool { return m.name == name }) {
				t.Errorf("%s: %s is no module of the suite", f.name, name)
			}
		}
	}
}

// TestNumberOfModules: the suite has so many.
func TestNumberOfModules(t *testing.T) {
	want := map[string]int{"OpenID Connect": 57, "FAPI 1.0 Advanced": 27, "FAPI 2.0": 33, "FAPI-CIBA": 29}
	for _, f := range families() {
		names := make(map[string]bool)
		for _, m := range f.modules {
			names[m.name] = true
		}
		if len(names) != want[f.name] || len(f.modules) != want[f.name] {
			t.Errorf("%s has %d modules, want %d", f.name, len(names), want[f.name])
		}
	}
}

// TestEveryValueRuns: the turns of the parameters leave no value out.
func TestEveryValueRuns(t *testing.T) {
	for _, f := range families() {
		ran := make(map[string]bool)
		for i, m := range f.modules {
			for _, v := range f.runs(m, i, false) {
				for name, value := range v {
					ran[name+"="+value] = true
				}
			}
		}
		for _, p := range f.params {
			for _, value := range p.values {
				if !ran[p.name+"="+value] {
					t.Errorf("%s: nothing runs with %s=%s", f.name, p.name, value)
				}
			}
		}
	}
}
