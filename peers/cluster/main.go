// Command cluster runs an application of package login as three processes behind
// a round-robin proxy, on one Redis, with users who log in, use fresh tokens and
// log out by every channel, while the processes are killed and started again. It
// tells whether a session was lost, a logout undone, or a refresh token used
// twice.
//
//	go run ./peers/cluster                 # 20 seconds
//	go run ./peers/cluster -for 5m -write  # also writes docs/cluster.md
//
// Everything listens on 127.0.0.1, and ends by itself.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// maxFor bounds a run.
const maxFor = time.Hour

func main() {
	if os.Getenv(nodeVariable) != "" {
		os.Exit(runNode())
	}
	p := plan{}
	flag.DurationVar(&p.duration, "for", 20*time.Second, "how long users come")
	flag.IntVar(&p.users, "users", 200, "how many there are")
	flag.IntVar(&p.nodes, "nodes", 3, "how many processes serve them")
	flag.DurationVar(&p.killEvery, "kill", 4*time.Second, "how often one of them is ended")
	flag.DurationVar(&p.think, "think", 2*time.Second, "how long a user does nothing, on average")
	flag.DurationVar(&p.tokenLife, "life", 15*time.Second, "how long an access token lives")
	flag.DurationVar(&p.tokenDelay, "delay", 20*time.Millisecond, "how long the OP takes to answer a token request, on average")
	write := flag.Bool("write", false, "write docs/cluster.md")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if p.duration > maxFor {
		fmt.Fprintf(os.Stderr, "cluster: -for is at most %v\n", maxFor)
		os.Exit(2)
	}
	if err := run(ctx, p, *write); err != nil {
		fmt.Fprintln(os.Stderr, "cluster:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan, write bool) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	p.program = exe
	out, err := p.run(ctx)
	if err != nil {
		return err
	}
	text := out.markdown(p)
	fmt.Println(text)
	if write {
		root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "rely.example").Output()
		if err != nil {
			return fmt.Errorf("finding the repository: %w", err)
		}
		if err := os.WriteFile(filepath.Join(strings.TrimSpace(string(root)), "docs", "cluster.md"), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return out.verdict()
}
