// Command bench measures Rely beside other Go libraries that do the same work,
// and beside the bare cryptography and the bare HTTP calls that none of them can
// do without. Everything runs in one process, in turns, so that whatever else the
// machine does falls on all alike; what is told is the median of many short
// turns, and the ratio to the floor, which outlives the machine.
//
//	go run ./peers/bench            # some minutes; prints the tables
//	go run ./peers/bench -quick     # seconds; rough
//	go run ./peers/bench -write     # also writes docs/benchmarks.md
//	go run ./peers/bench -only login -cpuprofile cpu.out -who rely
//	go build ./peers/bench && valgrind --tool=callgrind ./bench -who rely -logins 2000
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
)

// settings say how long to measure and what.
type settings struct {
	quick bool
	write bool
	only  string // one part; "" is all
	who   string // one contender beside the floor; "" is all

	logins int // do this many logins and measure nothing
}

func main() {
	if os.Getenv(opVariable) != "" {
		if err := serveOP(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.BoolVar(&s.quick, "quick", false, "measure for seconds, roughly")
	flag.BoolVar(&s.write, "write", false, "write docs/benchmarks.md")
	flag.StringVar(&s.only, "only", "", "measure one part: "+strings.Join(partNames(), ", "))
	flag.StringVar(&s.who, "who", "", "measure one contender beside the floor")
	flag.IntVar(&s.logins, "logins", 0, "do this many logins of the one contender -who, one at a time, and measure nothing: for tools that count instructions or calls of the kernel, which a busy machine does not disturb")
	profile := flag.String("cpuprofile", "", "write a CPU profile")
	memory := flag.String("memprofile", "", "write a profile of every allocation, which falsifies the times")
	flag.Parse()
	if *memory != "" {
		runtime.MemProfileRate = 1
	}
	err := run(s, *profile, os.Stdout)
	if err == nil && *memory != "" {
		err = writeAllocations(*memory)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func writeAllocations(path string) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return pprof.Lookup("allocs").WriteTo(f, 0)
}

// part is one section of the report.
type part struct {
	name    string
	measure func(settings) ([]section, error)
}

func parts() []part {
	return []part{
		{"idtoken", measureIDTokens},
		{"accesstoken", measureAccessTokens},
		{"login", measureLogins},
		{"boundlogin", measureBoundLogins},
		{"session", measureSessions},
		{"kept", measureKept},
		{"keys", measureKeys},
		{"size", measureSizes},
	}
}

func partNames() (names []string) {
	for _, p := range parts() {
		names = append(names, p.name)
	}
	return names
}

func run(s settings, profile string, out io.Writer) error {
	if s.only != "" && !slices.Contains(partNames(), s.only) {
		return fmt.Errorf("-only %s: want one of %s", s.only, strings.Join(partNames(), ", "))
	}
	if s.write && (s.only != "" || s.who != "" || s.quick) {
		return fmt.Errorf("-write needs a whole run, without -quick, -only and -who")
	}
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	if s.logins > 0 {
		return justLogin(s)
	}
	var sections []section
	for _, p := range parts() {
		if s.only != "" && s.only != p.name {
			continue
		}
		got, err := p.measure(s)
		if err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
		for _, sec := range got {
			fmt.Fprintln(out, sec.markdown())
		}
		sections = append(sections, got...)
	}
	if !s.write {
		return nil
	}
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "rely.example").Output()
	if err != nil {
		return fmt.Errorf("finding the repository: %w", err)
	}
	path := filepath.Join(strings.TrimSpace(string(root)), "docs", "benchmarks.md")
	return os.WriteFile(path, []byte(report(sections, runtime.NumCPU())), 0o644)
}
