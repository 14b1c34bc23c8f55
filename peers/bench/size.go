package main

import (
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// measureSizes builds the minimal programs below size/.
func measureSizes(s settings) ([]section, error) {
	sec := section{
		title: "A minimal program",
		intro: "Size of a program that logs a user in (`peers/bench/size`), stripped of its symbols, beside one with an HTTP server and client of net/http alone; " +
			"and how many modules are linked in.",
		header: []string{"", "size", "more than net/http alone", "modules"},
	}
	dir, err := os.MkdirTemp("", "rely-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var floor int64
	for _, name := range []string{"nethttp", "rely", "gooidc", "zitadel", "cap"} {
		if s.who != "" && name != s.who && name != "nethttp" {
			continue
		}
		size, modules, err := buildMinimal(dir, name)
		if err != nil {
			return nil, err
		}
		if name == "nethttp" {
			floor = size
		}
		sec.rows = append(sec.rows, []string{name, mebi(size), "+" + mebi(size-floor), fmt.Sprint(modules)})
	}
	return []section{sec}, nil
}

// buildMinimal builds the program of that name into dir.
func buildMinimal(dir, name string) (size int64, modules int, err error) {
	path := filepath.Join(dir, name)
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "rely.example/peers/bench/size/"+name)
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return 0, 0, fmt.Errorf("building %s: %w", name, err)
	}
	st, err := os.Stat(path)
	if err != nil {
		return 0, 0, err
	}
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return 0, 0, err
	}
	return st.Size(), len(info.Deps), nil
}

func mebi(n int64) string { return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20)) }
