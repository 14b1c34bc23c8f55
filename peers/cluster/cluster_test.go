package main

import (
	"errors"
	"os"
	"testing"
	"time"

	"rely.example/internal/servers"
)

// TestMain lets the test program be a process of the application.
func TestMain(m *testing.M) {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	os.Exit(m.Run())
}

// program is this test program.
func program(t *testing.T) string {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return exe
}

// TestCluster is a short run; docs/cluster.md has a long one.
func TestCluster(t *testing.T) {
	p := plan{program: program(t), duration: 20 * time.Second, users: 40, nodes: 3, killEvery: 4 * time.Second,
		think: time.Second, tokenLife: 10 * time.Second, tokenDelay: 2 * time.Millisecond}
	if testing.Short() {
		p.duration, p.killEvery = 6*time.Second, 2*time.Second
		p.tokenLife = 3 * time.Second
	}
	out, err := p.run(t.Context())
	if errors.Is(err, servers.ErrMissing) && os.Getenv("RELY_REQUIRE") != "all" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log(out.markdown(p))
	if err := out.verdict(); err != nil {
		t.Error(err)
	}
}

// TestVerdict: a run in which something is wrong does not pass.
func TestVerdict(t *testing.T) {
	good := func() *outcome {
		return &outcome{killed: 1, ledger: summary{refreshes: 1}, counts: counts{numbers: numbers{logins: 1, tokens: 1, backChannel: 1}}}
	}
	if err := good().verdict(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*outcome){
		"lost":    func(o *outcome) { o.counts.lost++ },
		"wrong":   func(o *outcome) { o.counts.wrong++ },
		"revived": func(o *outcome) { o.counts.revived++ },
		"refused": func(o *outcome) { o.counts.refused++ },
		"doubled": func(o *outcome) { o.ledger.doubled++ },
		"idle":    func(o *outcome) { o.counts.logins = 0 },
	} {
		o := good()
		spoil(o)
		if o.verdict() == nil {
			t.Errorf("%s: the run passes", name)
		}
	}
}

// TestLedger: who uses a refresh token again is judged by whether its first user
// lived.
func TestLedger(t *testing.T) {
	at := time.Now()
	l := ledger{ended: map[string]time.Time{"0.1": at}, used: map[string][]use{
		"once":      {{"0.1", at}},
		"inherited": {{"0.1", at.Add(-1)}, {"1.1", at.Add(1)}},
		"early":     {{"0.1", at.Add(-2)}, {"1.1", at.Add(-1)}},
		"living":    {{"1.1", at}, {"0.2", at.Add(1)}},
		"itself":    {{"1.1", at}, {"1.1", at.Add(1)}},
	}}
	if got, want := l.sum(), (summary{refreshes: 5, inherited: 1, doubled: 3}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
