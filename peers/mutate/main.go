// Command mutate asks of every check in the protocol and the cryptography whether
// a test would notice if it were gone. It removes one check at a time, and runs the
// tests that reach it until one fails; a mutant that no test kills is a check that
// nothing defends, or one that can be removed.
//
//	go run ./peers/mutate                  # all, half an hour or more
//	go run ./peers/mutate -only finish.go  # these files, by name or path, with commas between
//	go run ./peers/mutate -again out.txt   # what survived in a run whose output that is
//	go run ./peers/mutate -write           # also writes docs/mutation.md
//
// An interrupt ends the run early: what was not judged by then is counted as such.
//
// A test binary is built once with every mutant in it, behind a switch in the
// environment, so that a mutant costs a test run and no build. The tree is not
// touched: the changed files are laid over it (go build -overlay).
//
// What is changed, one at a time:
//
//   - the condition of an if, or of a case, becomes false: the check is deleted;
//   - the condition of a check that is told to a tracer (that, tell, tellIf)
//     becomes true;
//   - an operand of && becomes true, one of || false: half a check is deleted;
//   - <, <=, > and >= take or lose their equality: the boundary moves by one;
//   - a returned comparison becomes true.
package main

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"os/signal"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// targets are the packages whose files are mutated, all but their tests. Each is
// judged by its own tests alone.
var targets = []target{{"./internal/jose"}, {"./internal/strictjson"}, {"./oidc"}}

type target struct{ dir string }

// files names the files of t below root, without their directory.
func (t target) files(root string) ([]string, error) {
	all, err := os.ReadDir(filepath.Join(root, t.dir))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range all {
		if name := f.Name(); strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	return names, nil
}

func (t target) owns(m *mutant) bool { return path.Dir(m.file) == path.Clean(t.dir) }

func main() {
	only := flag.String("only", "", "mutate these files, by their names with or without the directory, with commas between")
	again := flag.String("again", "", "judge only what survived in a former run, whose output is in this file")
	write := flag.Bool("write", false, "write docs/mutation.md")
	workers := flag.Int("p", runtime.NumCPU(), "test runs at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *only, *again, *write, *workers); err != nil {
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only, again string, write bool, workers int) error {
	out, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}", "rely.example").Output()
	if err != nil {
		return fmt.Errorf("finding the module: %w", err)
	}
	root := strings.TrimSpace(string(out))
	work, err := os.MkdirTemp("", "mutate")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)

	mutants, overlay, err := mutateAll(root, work, only)
	if err != nil {
		return err
	}
	if again != "" {
		if mutants, err = survivors(mutants, again); err != nil {
			return err
		}
	}
	fmt.Printf("%d mutants\n", len(mutants))
	for _, t := range targets {
		mine := slices.DeleteFunc(slices.Clone(mutants), func(m *mutant) bool { return !t.owns(m) })
		if len(mine) == 0 || ctx.Err() != nil {
			continue
		}
		s, err := build(ctx, root, work, overlay, t.dir)
		if err != nil {
			return err
		}
		if err := s.trace(ctx, work); err != nil {
			return err
		}
		s.judge(ctx, mine, workers)
	}
	text, err := report(root, mutants)
	if err != nil {
		return err
	}
	fmt.Print(text)
	if !write {
		return nil
	}
	return os.WriteFile(filepath.Join(root, "docs", "mutation.md"), []byte(text), 0o644)
}

// survivors are those of mutants that survived in a former run, wherever in their
// file they are by now.
func survivors(mutants []*mutant, output string) ([]*mutant, error) {
	text, err := os.ReadFile(output)
	if err != nil {
		return nil, err
	}
	survived := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^survives: ([^:]+):\d+ (.*)$`).FindAllStringSubmatch(string(text), -1) {
		survived[m[1]+" "+m[2]] = true
	}
	return slices.DeleteFunc(mutants, func(m *mutant) bool { return !survived[fmt.Sprintf("%s %s: %s", m.file, m.kind, m.text)] }), nil
}

// judge runs, for each mutant, the tests that reach it: those that killed others
// of its file one by one, the likeliest for their time first, then all the other
// quick ones at once, and then the slow ones, until one fails.
func (s *suite) judge(ctx context.Context, mutants []*mutant, workers int) {
	queue := make(chan *mutant)
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			for m := range queue {
				for batch := range s.batches(m) {
					m.tested = true
					passed, failed := s.passes(ctx, m.id, batch)
					if ctx.Err() != nil {
						return // what was killed is the test
					}
					if !passed {
						m.killer = failed
						s.killed(m)
						break
					}
				}
				if m.judged = true; m.killer == "" {
					fmt.Printf("survives: %s:%d %s: %s\n", m.file, m.line, m.kind, m.text)
				}
			}
		})
	}
	for i, m := range mutants {
		if ctx.Err() != nil {
			break
		}
		if i%50 == 49 {
			fmt.Printf("%d of %d\n", i+1, len(mutants))
		}
		select {
		case queue <- m:
		case <-ctx.Done():
		}
	}
	close(queue)
	wg.Wait()
}

// suite is the test binary of one package.
type suite struct {
	binary, dir string
	tests       []test

	mu    sync.Mutex
	kills map[string]int // by file and test
}

type test struct {
	name    string
	took    time.Duration
	reaches map[int]bool
}

func build(ctx context.Context, root, work, overlay, dir string) (*suite, error) {
	s := &suite{kills: make(map[string]int), binary: filepath.Join(work, filepath.Base(dir)+".test"), dir: filepath.Join(root, dir)}
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-overlay", overlay, "-o", s.binary, dir)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("building the tests of %s: %w\n%s", dir, err, out)
	}
	return s, nil
}

// trace runs each test alone, without a mutant, and learns which mutants it
// reaches and how long it takes. A test that fails by itself judges nothing.
func (s *suite) trace(ctx context.Context, work string) error {
	list := exec.CommandContext(ctx, s.binary, "-test.list", ".")
	list.Dir = s.dir
	out, err := list.Output()
	if err != nil {
		return fmt.Errorf("listing the tests of %s: %w", s.dir, err)
	}
	log := filepath.Join(work, "trace")
	for name := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(name, "Benchmark") {
			continue
		}
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			return err
		}
		start := time.Now()
		if _, passed := s.exec(ctx, "^"+name+"$", 5*time.Minute, traceVariable+"="+log); !passed {
			fmt.Printf("%s fails without a mutant, and judges none\n", name)
			continue
		}
		t := test{name: name, took: time.Since(start), reaches: make(map[int]bool)}
		ids, err := os.ReadFile(log)
		if err != nil {
			return err
		}
		for f := range bytes.FieldsSeq(ids) {
			var id int
			if _, err := fmt.Sscan(string(f), &id); err == nil {
				t.reaches[id] = true
			}
		}
		s.tests = append(s.tests, t)
	}
	return nil
}

// likely is how many tests are tried alone before the rest run together, and quick
// how long a test takes at most that belongs to the first of the rest.
const (
	likely = 3
	quick  = 250 * time.Millisecond
)

// batches yields the tests that reach a mutant, in the order in which they are to
// be tried.
func (s *suite) batches(m *mutant) iter.Seq[[]test] {
	var ts []test
	for _, t := range s.tests {
		if t.reaches[m.id] {
			ts = append(ts, t)
		}
	}
	worth := make(map[string]float64) // of trying a test alone: kills in a second
	s.mu.Lock()
	for _, t := range ts {
		worth[t.name] = float64(s.kills[m.file+t.name]) / t.took.Seconds()
	}
	s.mu.Unlock()
	slices.SortStableFunc(ts, func(a, b test) int { return cmp.Compare(worth[b.name], worth[a.name]) })
	return func(yield func([]test) bool) {
		for range likely {
			if len(ts) == 0 || worth[ts[0].name] == 0 {
				break
			}
			if !yield(ts[:1]) {
				return
			}
			ts = ts[1:]
		}
		slow := func(t test) bool { return t.took > quick }
		first := slices.DeleteFunc(slices.Clone(ts), slow)
		last := slices.DeleteFunc(ts, func(t test) bool { return !slow(t) })
		if len(first) > 0 && !yield(first) {
			return
		}
		if len(last) > 0 {
			yield(last)
		}
	}
}

func (s *suite) killed(m *mutant) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kills[m.file+m.killer]++
}

// failure is the line by which a test binary names a test that failed.
var failure = regexp.MustCompile(`(?m)^--- FAIL: ([^ /]+)`)

// passes reports whether tests pass with a mutant, or else which one does not. One
// that hangs does not.
func (s *suite) passes(ctx context.Context, id int, tests []test) (passed bool, failed string) {
	var names []string
	limit := 10 * time.Second
	for _, t := range tests {
		names = append(names, t.name)
		limit += 5 * t.took
	}
	out, passed := s.exec(ctx, "^("+strings.Join(names, "|")+")$", limit, fmt.Sprintf("%s=%d", mutantVariable, id))
	if passed {
		return true, ""
	}
	if f := failure.FindSubmatch(out); f != nil {
		return false, string(f[1])
	}
	return false, names[0] // it panics, or hangs
}

// exec runs the tests whose names match and returns what they wrote.
func (s *suite) exec(ctx context.Context, match string, limit time.Duration, env string) (out []byte, passed bool) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, s.binary, "-test.run", match, "-test.failfast", "-test.short")
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), env)
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	return out, err == nil
}
