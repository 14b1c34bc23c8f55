package cli

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

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
	t.p.Printf("\n%s %s %s\n", t.p.Link("-->"), t.p.Bold(e.Step), tty.Clean(e.Method+" "+e.URL))
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
	var fields []tty.Field
	for _, k := range slices.Sorted(maps.Keys(h)) {
		fields = append(fields, tty.Field{Label: tty.Clean(k) + ":", Value: tty.Clean(strings.Join(h[k], ", "))})
	}
	t.p.Fields(fields...)
}

// body shows the members of a JSON object and the parameters of a form one by
// one, and anything else as it is.
func (t *tracing) body(b string) {
	if b == "" {
		return
	}
	t.p.Println()
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(b), &members) == nil && members != nil {
		var fields []tty.Field
		for _, k := range slices.Sorted(maps.Keys(members)) {
			// The zero time, so that no claim is told relative to now.
			fields = append(fields, tty.Field{Label: tty.Clean(k), Value: claimText("", members[k], time.Time{})})
		}
		t.p.Fields(fields...)
		return
	}
	if form, err := url.ParseQuery(b); err == nil && strings.Contains(b, "=") && !strings.ContainsAny(b, " \n<") {
		t.params(form)
		return
	}
	if len(b) > maxTraceBody {
		b = b[:maxTraceBody] + "..."
	}
	for l := range strings.Lines(b) {
		t.p.Paragraph(tty.Clean(strings.TrimRight(l, "\r\n")), 2)
	}
}

func (t *tracing) params(v url.Values) {
	var fields []tty.Field
	for _, k := range slices.Sorted(maps.Keys(v)) {
		fields = append(fields, tty.Field{Label: tty.Clean(k), Value: tty.Clean(strings.Join(v[k], " "))})
	}
	t.p.Fields(fields...)
}

func (t *tracing) front(_ context.Context, m oidc.FrontMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	arrow, what := "==>", "the browser carries a request to "
	if m.Response {
		arrow, what = "<==", "the browser carries a response to "
	}
	t.p.Printf("\n%s %s %s\n", t.p.Link(arrow), t.p.Bold(m.Step), tty.Clean(what+m.Endpoint+" ("+m.Mode+")"))
	t.params(m.Params)
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
