package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// reasonsFile says, one on a line, why a mutant may live:
//
//	file | kind | text of the expression | reason
//
// where file#function is for one function of the file, and goes before.
// They are read when a run is over, which takes long enough to write some.
const reasonsFile = "peers/mutate/reasons.txt"

// report is docs/mutation.md.
func report(root string, mutants []*mutant) (string, error) {
	reasons, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(reasonsFile)))
	if err != nil {
		return "", err
	}
	why := make(map[string]string)
	for line := range strings.Lines(string(reasons)) {
		if f := strings.Split(strings.TrimSpace(line), " | "); len(f) == 4 {
			why[strings.Join(f[:3], " | ")] = f[3]
		}
	}
	var b, tables strings.Builder
	fmt.Fprintf(&b, "# Mutation\n\nWhat becomes of the tests if one check is deleted. Written by `go run ./peers/mutate -write` on %s: it deletes "+
		"every check of the packages below, one at a time, and runs the tests of the package that reach it, those that `-short` leaves. "+
		"Its comment says what is changed. Of each mutant that survives there is a reason why it may.\n\n"+
		"| package | mutants | killed | live, with a reason | live, without | not judged |\n|---|---|---|---|---|---|\n", time.Now().Format(time.DateOnly))
	for _, t := range targets {
		var killed, known, open, left int
		fmt.Fprintf(&tables, "\n## %s\n\n| where | what | expression | why it may live |\n|---|---|---|---|\n", path.Clean(t.dir))
		for _, m := range mutants {
			if !t.owns(m) {
				continue
			}
			switch {
			case !m.judged:
				left++
				continue
			case m.killer != "":
				killed++
				continue
			}
			reason := why[strings.Join([]string{m.file + "#" + m.in, m.kind, m.text}, " | ")]
			if reason == "" {
				reason = why[strings.Join([]string{m.file, m.kind, m.text}, " | ")]
			}
			if known++; reason == "" {
				known, open = known-1, open+1
				reason = "**none yet**"
			}
			if !m.tested {
				reason += " (no test reaches it)"
			}
			fmt.Fprintf(&tables, "| %s:%d | %s | `%s` | %s |\n", path.Base(m.file), m.line, m.kind, strings.ReplaceAll(m.text, "|", "\\|"), reason)
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %d |\n", path.Clean(t.dir), killed+known+open+left, killed, known, open, left)
	}
	return b.String() + tables.String(), nil
}
