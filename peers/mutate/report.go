package main

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// reasons says, one on a line, why a mutant may live:
//
//	file | kind | text of the expression | reason
//
// where file#function is for one function of the file, and goes before.
//
//go:embed reasons.txt
var reasons string

// report is docs/mutation.md.
func report(mutants []*mutant) string {
	why := make(map[string]string)
	for line := range strings.Lines(reasons) {
		if f := strings.Split(strings.TrimSpace(line), " | "); len(f) == 4 {
			why[strings.Join(f[:3], " | ")] = f[3]
		}
	}
	var b, table strings.Builder
	judged, killed, untested, open := 0, 0, 0, 0
	var files []string
	for _, m := range mutants {
		if !m.judged {
			continue
		}
		judged++
		if !slices.Contains(files, m.file) {
			files = append(files, m.file)
		}
		if m.killer != "" {
			killed++
			continue
		}
		reason, known := why[strings.Join([]string{m.file + "#" + m.in, m.kind, m.text}, " | ")]
		if !known {
			reason, known = why[strings.Join([]string{m.file, m.kind, m.text}, " | ")]
		}
		if !known {
			open++
			reason = "**none yet**"
		}
		if !m.tested {
			untested++
			reason += " (no test reaches it)"
		}
		fmt.Fprintf(&table, "| %s:%d | %s | `%s` | %s |\n", m.file, m.line, m.kind, strings.ReplaceAll(m.text, "|", "\\|"), reason)
	}
	b.WriteString("# Mutation\n\nWritten by `go run ./peers/mutate -write`, which deletes every check of the files below, one at a time, ")
	b.WriteString("and runs the tests of its package that reach it. Its comment says what is changed.\n\n")
	fmt.Fprintf(&b, "%d mutants judged, %d killed (%.1f %%), %d survive, of which %d without a reason; no test reaches %d. Not judged: %d.\n\n",
		judged, killed, 100*float64(killed)/float64(max(judged, 1)), judged-killed, open, untested, len(mutants)-judged)
	fmt.Fprintf(&b, "Files: %s.\n\n", strings.Join(files, ", "))
	b.WriteString("| where | what | expression | why it may live |\n|---|---|---|---|\n" + table.String())
	return b.String()
}
