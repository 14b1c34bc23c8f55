package main

import (
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// section is one table.
type section struct {
	title, intro string
	header       []string
	rows         [][]string
	note         string
}

func (s section) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "## %s\n\n%s\n\n", s.title, s.intro)
	fmt.Fprintf(&b, "| %s |\n|%s\n", strings.Join(s.header, " | "), strings.Repeat("---|", len(s.header)))
	for _, r := range s.rows {
		fmt.Fprintf(&b, "| %s |\n", strings.Join(r, " | "))
	}
	if s.note != "" {
		fmt.Fprintf(&b, "\n%s\n", s.note)
	}
	return b.String()
}

// notes is what a person has to say about the tables.
//
//go:embed notes.md
var notes string

// report is docs/benchmarks.md.
func report(sections []section, cores int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `go run ./peers/bench -write` on %s: %d cores, %s, %s/%s.\n\n",
		time.Now().UTC().Format("2006-01-02"), cores, goVersion(), runtime.GOOS, runtime.GOARCH)
	b.WriteString("Versions: " + strings.Join(versions(), ", ") + ".\n\n")
	b.WriteString(strings.TrimSpace(notes) + "\n\n")
	for _, s := range sections {
		b.WriteString(s.markdown() + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func goVersion() string {
	return "Go " + strings.TrimPrefix(runtime.Version(), "go")
}

// versions are those of the contenders, as they were built into this program.
func versions() (out []string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	for _, d := range info.Deps {
		switch d.Path {
		case "github.com/coreos/go-oidc/v3", "github.com/hashicorp/cap", "github.com/zitadel/oidc/v3", "github.com/go-jose/go-jose/v4",
			"github.com/alexedwards/scs/v2", "github.com/gorilla/sessions", "github.com/oauth2-proxy/oauth2-proxy/v7", "github.com/golang-jwt/jwt/v5", "github.com/lestrrat-go/jwx/v3", "golang.org/x/oauth2":
			out = append(out, d.Path+" "+d.Version)
		}
	}
	slices.Sort(out)
	return out
}

func cores(n int) string {
	if n == 1 {
		return "one core"
	}
	return fmt.Sprintf("%d cores, %d at once", n, n)
}

// micros writes nanoseconds as microseconds.
func micros(ns float64) string {
	if ns < 10_000 {
		return fmt.Sprintf("%.2f µs", ns/1000)
	}
	return fmt.Sprintf("%.1f µs", ns/1000)
}
