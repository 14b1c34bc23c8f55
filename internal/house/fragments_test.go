package house

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// fragment is a piece of Go in a document, under a comment that says where it is
// compiled: <!-- go: oidc/example_test.go#six-steps -->
var fragment = regexp.MustCompile("(?s)<!-- go: ([^ #]+)#([^ ]+) -->\n```go\n(.*?)```\n")

// TestFragments compares the Go of the documentation with the examples that it is
// taken from, and asks for one of every piece. With -update it is taken anew.
func TestFragments(t *testing.T) {
	found := 0
	eachFile(t, func(name string, text []byte) {
		if !strings.HasSuffix(name, ".md") {
			return
		}
		updated := fragment.ReplaceAllFunc(text, func(m []byte) []byte {
			found++
			parts := fragment.FindSubmatch(m)
			want := region(t, string(parts[1]), string(parts[2]))
			if string(parts[3]) != want && !*update {
				t.Errorf("%s: the fragment %s#%s is not the one that is compiled; take it anew by: go test ./internal/house -update", name, parts[1], parts[2])
			}
			return []byte("<!-- go: " + string(parts[1]) + "#" + string(parts[2]) + " -->\n```go\n" + want + "```\n")
		})
		if *update && !bytes.Equal(updated, text) {
			if err := os.WriteFile(filepath.Join(root, name), updated, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		for _, b := range regexp.MustCompile("(?m)^(.*)\n```go$").FindAllSubmatch(text, -1) {
			if !bytes.HasPrefix(b[1], []byte("<!-- go: ")) {
				t.Errorf("%s has Go that no example compiles, under %q", name, b[1])
			}
		}
	})
	if found == 0 {
		t.Error("no document has a fragment; has their form changed?")
	}
}

// region is what lies between "// region: name" and "// endregion" of a file,
// without their indentation.
func region(t *testing.T, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(text), "// region: "+name+"\n")
	body, _, closed := strings.Cut(rest, "// endregion")
	if !ok || !closed {
		t.Fatalf("%s has no region %s", file, name)
	}
	body = strings.Trim(strings.TrimRight(body, "\t "), "\n")
	first := body[:len(body)-len(strings.TrimLeft(body, "\t"))]
	var b strings.Builder
	for l := range strings.SplitSeq(body, "\n") {
		b.WriteString(strings.TrimPrefix(l, first))
		b.WriteByte('\n')
	}
	return b.String()
}
