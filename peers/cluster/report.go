package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"time"
)

// verdict is an error if anything was that must not be.
func (o *outcome) verdict() error {
	n := o.counts.numbers
	var err error
	for _, bad := range []struct {
		count int
		what  string
	}{
		{n.lost, "sessions lost"}, {n.wrong, "pages of another user"}, {n.revived, "sessions revived"},
		{n.refused, "logins or logouts refused"}, {o.ledger.doubled, "refresh tokens used twice"},
	} {
		if bad.count > 0 {
			err = errors.Join(err, fmt.Errorf("%d %s", bad.count, bad.what))
		}
	}
	if err != nil {
		err = fmt.Errorf("%w\n%s\nthe processes say:\n%s", err, strings.Join(n.complaints, "\n"), o.log)
	}
	if n.later > n.logins/10 {
		err = errors.Join(err, fmt.Errorf("%d logins of %d were told to try again; the processes say:\n%s", n.later, n.logins, o.log))
	}
	if n.logins == 0 || n.tokens == 0 || n.backChannel == 0 || o.ledger.refreshes == 0 || o.killed == 0 {
		err = errors.Join(err, errors.New("not everything was tried"))
	}
	return err
}

// markdown is docs/cluster.md.
func (o *outcome) markdown(p plan) string {
	n := o.counts.numbers
	var b strings.Builder
	fmt.Fprintf(&b, `# A cluster under stress

Written by `+"`go run ./peers/cluster -for %v -write`"+` on %s: %d cores, Go %s, %s/%s.

%d processes of an application of package `+"`login`"+` stand behind a round-robin proxy and share one Redis and one key. %d users log
in, look at pages, ask for fresh tokens, %d requests at a time, and log out: by themselves, or by a logout token that the
OP sends while their browsers still ask. Access tokens live for %v, and every refresh token works once. The OP keeps a
used one for five minutes for who lost its answer (`+"`RefreshGrace`"+`), and takes %v on average to give one. Every %v a
process is ended, two of three times by kill -9, and another started in its place.

| | |
|---|---|
| time | %v |
| processes killed, ended in order | %d, %d |
| logins finished | %d |
| logins begun again, as the process ended meanwhile | %d |
| logins told to try again (503) | %d |
| pages of who is logged in | %d |
| requests for a fresh token | %d |
| of these, told to come again (503) | %d |
| logouts by the OP, by the user | %d, %d |
| requests with the cookie of a session that was ended | %d |
| requests that a process took with it | %d |
| refresh tokens used | %d |
| of these, used once more by who took over from a killed process | %d |
| the slowest request | %v |
| the latest page after a logout, by another process | %v |
| **sessions lost** | **%d** |
| **pages of another user** | **%d** |
| **sessions revived** | **%d** |
| **logins or logouts refused** | **%d** |
| **refresh tokens used twice by processes that lived** | **%d** |

A session is lost if its user is not let in though nobody ended it; it is revived if its cookie opens a page after the
logout was answered, and the %v are over in which another process may not have heard of it. In the end, when no process
is killed any longer, every session and every ended one is looked at again. The slowest requests are those that wait for
a refresh which a killed process had begun: its hold on the grant ends after 45 seconds, and then another process
refreshes with the same token.
`,
		p.duration, o.began.UTC().Format("2006-01-02"), runtime.NumCPU(), strings.TrimPrefix(runtime.Version(), "go"), runtime.GOOS, runtime.GOARCH,
		p.nodes, p.users, atOnce, p.tokenLife, p.tokenDelay, p.killEvery,
		o.took.Round(time.Second), o.killed, o.ended, n.logins, n.again, n.later, n.pages, n.tokens, n.waited, n.backChannel, n.byUser, n.ghosts, n.interrupted,
		o.ledger.refreshes, o.ledger.inherited, n.slowest.Round(10*time.Millisecond), n.latestLogout.Round(time.Millisecond),
		n.lost, n.wrong, n.revived, n.refused, o.ledger.doubled, lag)
	return b.String()
}
