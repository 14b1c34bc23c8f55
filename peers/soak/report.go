package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// markdown is docs/soak.md.
func (r *result) markdown() string {
	var b strings.Builder
	s := r.settings
	c := r.counts
	fmt.Fprintf(&b, `# Soak

Written by `+"`go run ./peers/soak -for %v -write`"+`, which ran for %v until %s: %d cores, Go %s, %s/%s.

`, r.settings.length, r.ran.Round(time.Second), r.ended.Format("2006-01-02 15:04 UTC"), runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH)
	fmt.Fprintf(&b, `%d users at once, one step each every %v: some log in and are not seen again, some log out, some come back until their session
is over, some bring forged answers. Sessions and grants last %v, access tokens %v; the OP, a process of its own, replaces
and withdraws its keys every %v, and its metadata is fetched anew every %v. The web floor, the relying party and the memory
store run in the process that is measured.

| done | times |
|---|---|
| logins | %d |
| pages, each with an access token and UserInfo | %d |
| refreshes | %d |
| fetches of keys | %d |
| logouts | %d |
| forged answers, refused | %d |
| steps that failed | %d |

`, s.users, s.pause, s.lifetime, s.token, s.rotate, s.lifetime,
		c.logins.Load(), c.pages.Load(), c.refreshes.Load(), c.keyFetches.Load(), c.logouts.Load(), c.forged.Load(), c.refused.Load())
	b.WriteString("After a garbage collection, by quarters of the run (medians):\n\n| quarter | live heap | objects | goroutines | file descriptors | records in the store |\n|---|---|---|---|---|---|\n")
	for q := range 4 {
		part := r.samples[len(r.samples)*q/4 : len(r.samples)*(q+1)/4]
		if len(part) == 0 {
			continue
		}
		fmt.Fprintf(&b, "| %d | %d KiB | %d | %d | %d | %d |\n", q+1,
			median(part, func(s sample) int64 { return int64(s.heap) })>>10,
			median(part, func(s sample) int64 { return int64(s.objects) }),
			median(part, func(s sample) int64 { return int64(s.goroutines) }),
			median(part, func(s sample) int64 { return int64(s.files) }),
			median(part, func(s sample) int64 { return s.records }))
	}
	b.WriteString("\n")
	switch g := grown(r.samples); g {
	case "":
		fmt.Fprintf(&b, "Nothing grew from the second quarter to the last by more than the tolerance (%d KiB, %d goroutines, %d descriptors).\n", heapTolerance>>10, goroutineTolerance, fileTolerance)
	default:
		fmt.Fprintf(&b, "Growth: %s.\n", g)
	}
	if r.left == "" {
		b.WriteString("After Close no goroutine was left.\n")
	} else {
		b.WriteString("After Close goroutines were left; see the program's output.\n")
	}
	b.WriteString("\n`go test ./peers/soak` is the same for seconds, and fails on growth.\n")
	return b.String()
}
