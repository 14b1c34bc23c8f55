package cli

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"

	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

// maxTraceBody bounds what a trace shows of one body, in bytes.
const maxTraceBody = 16 << 10

// tracer shows what happens on stderr, or is nil if nobody asked.
func (a *app) tracer() *oidc.Trace {
	c := a.flags.connection
	if !c.trace && !c.traceSecrets {
		return nil
	}
	t := &tracing{p: a.err}
	return &oidc.Trace{Exchange: t.exchange, Front: t.front, Check: t.check, InsecureUnmasked: c.traceSecrets}
}

type tracing struct {
	mu sync.Mutex // one message at a time
	p  *tty.Printer
}

func (t *tracing) exchange(_ context.Context, e oidc.Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.p.Printf("%s %s %s\n", t.p.Link("-->"), t.p.Bold(e.Step), tty.Clean(e.Method+" "+e.URL))
	t.header(e.RequestHeader)
	t.body(e.RequestBody)
	if e.Err != nil {
		t.p.Printf("%s %s\n", t.p.Bad("<--"), tty.Clean(e.Err.Error()))
		return
	}
	t.p.Printf("%s %d %s %s\n", t.p.Link("<--"), e.Status, http.StatusText(e.Status), t.p.Faint("in "+e.Took.Round(100_000).String()))
	t.header(e.ResponseHeader)
	t.body(e.ResponseBody)
}

func (t *tracing) header(h http.Header) {
	for _, k := range slices.Sorted(maps.Keys(h)) {
		for _, v := range h[k] {
			t.p.Printf("    %s %s\n", t.p.Faint(tty.Clean(k)+":"), tty.Clean(v))
		}
	}
}

func (t *tracing) body(b string) {
	if b == "" {
		return
	}
	if len(b) > maxTraceBody {
		b = b[:maxTraceBody] + "..."
	}
	for l := range strings.Lines(b) {
		t.p.Printf("    %s\n", tty.Clean(strings.TrimRight(l, "\r\n")))
	}
}

func (t *tracing) front(_ context.Context, m oidc.FrontMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	arrow, what := "==>", "the browser carries a request to "
	if m.Response {
		arrow, what = "<==", "the browser carries a response to "
	}
	t.p.Printf("%s %s %s\n", t.p.Link(arrow), t.p.Bold(m.Step), tty.Clean(what+m.Endpoint+" ("+m.Mode+")"))
	for _, k := range slices.Sorted(maps.Keys(m.Params)) {
		t.p.Printf("    %s %s\n", t.p.Faint(tty.Clean(k)+":"), tty.Clean(strings.Join(m.Params[k], " ")))
	}
}

func (t *tracing) check(_ context.Context, c oidc.Check) {
	t.mu.Lock()
	defer t.mu.Unlock()
	printCheck(t.p, c, true)
}

// printCheck writes one rule, its section and its outcome. The mark has a word
// with it, so that nothing depends on a colour.
func printCheck(p *tty.Printer, c oidc.Check, withStep bool) {
	mark := p.Good("ok  ")
	if !c.Passed {
		mark = p.Bad("FAIL")
	}
	text := c.Title
	if withStep {
		text = c.Step + ": " + text
	}
	text = tty.Clean(text)
	if c.Spec != "" {
		text += " " + p.Faint("("+c.Spec+")")
	}
	if !c.Passed && c.Detail != "" {
		text += " - " + tty.Clean(c.Detail)
	}
	p.Item(mark, text)
}
