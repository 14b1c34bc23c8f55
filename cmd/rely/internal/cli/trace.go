package cli

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rely.example/cmd/rely/internal/demo"
	"rely.example/cmd/rely/internal/tty"
	"rely.example/oidc"
)

// maxTraceBody bounds what a trace shows of a body that is no message, in bytes.
const maxTraceBody = 200

// tracer shows what happens on stderr and keeps it for a file, or is nil if nobody
// asked.
func (a *app) tracer() *oidc.Trace {
	c := a.flags.connection
	var drawn *oidc.Trace
	if c.trace || c.traceSecrets {
		t := &tracing{p: a.err, d: demo.NewDiagram(a.err, a.err.Width(), a.err.Colors())}
		drawn = &oidc.Trace{Exchange: t.exchange, Front: t.front, Check: t.check, Call: t.call, Notice: t.notice, InsecureUnmasked: c.traceSecrets}
	}
	return oidc.JoinTraces(drawn, a.archive.trace())
}

// tracing draws the messages and checks of this command, with what is in them.
type tracing struct {
	mu sync.Mutex // one message at a time
	p  *tty.Printer
	d  *demo.Diagram
}

// The headers that are shown; --har keeps all.
var shownHeaders = []string{"Authorization", "Dpop", "Dpop-Nonce", "Location", "Retry-After", "Www-Authenticate"}

// maxMembers is how many members of a message are shown; --har keeps all.
const maxMembers = 12

func (t *tracing) exchange(_ context.Context, e oidc.Exchange) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d.Request(e)
	t.fields(append(header(e.RequestHeader), t.body(e.RequestBody)...))
	t.d.Response(e)
	if e.Err != nil {
		t.d.Note(tty.Clean(e.Err.Error()))
		return
	}
	t.fields(append(header(e.ResponseHeader), t.body(e.ResponseBody)...))
}

func header(h http.Header) (fields []tty.Field) {
	for _, k := range shownHeaders {
		if v := h.Values(k); len(v) > 0 {
			fields = append(fields, tty.Field{Label: k + ":", Value: tty.Clean(strings.Join(v, ", "))})
		}
	}
	return fields
}

func (t *tracing) fields(fields []tty.Field) {
	if n := len(fields); n > maxMembers {
		fields = append(fields[:maxMembers-1:maxMembers-1], tty.Field{Label: "...", Value: strconv.Itoa(n-maxMembers+1) + " more; --har FILE keeps all"})
	}
	if room := t.p.Width() - labelRoom; room > 0 {
		for i := range fields {
			if r := []rune(fields[i].Value); len(r) > room {
				fields[i].Value = string(r[:room-1]) + "…"
			}
		}
	}
	t.p.Fields(fields...)
}

// labelRoom is what the labels of a message take of a line, at most.
const labelRoom = 34

// body shows the members of a JSON object and the parameters of a form one by
// one, and the beginning of anything else.
func (t *tracing) body(b string) (fields []tty.Field) {
	if b == "" {
		return nil
	}
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(b), &members) == nil && members != nil {
		for _, k := range slices.Sorted(maps.Keys(members)) {
			// The zero time, so that no claim is told relative to now.
			fields = append(fields, tty.Field{Label: tty.Clean(k), Value: claimText("", members[k], time.Time{})})
		}
		return fields
	}
	if form, err := url.ParseQuery(b); err == nil && strings.Contains(b, "=") && !strings.ContainsAny(b, " \n<") {
		return params(form)
	}
	if len(b) > maxTraceBody {
		b = strings.ToValidUTF8(b[:maxTraceBody], "") + "..."
	}
	return []tty.Field{{Label: "body", Value: tty.Clean(strings.Join(strings.Fields(b), " "))}}
}

func params(v url.Values) (fields []tty.Field) {
	for _, k := range slices.Sorted(maps.Keys(v)) {
		fields = append(fields, tty.Field{Label: tty.Clean(k), Value: tty.Clean(strings.Join(v[k], " "))})
	}
	return fields
}

func (t *tracing) front(_ context.Context, m oidc.FrontMessage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d.Front(m)
	t.fields(params(m.Params))
}

func (t *tracing) check(_ context.Context, c oidc.Check) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d.Check(c)
}

// outermost is in the context of a call: calls within it are parts of it.
type outermost struct{}

func (t *tracing) call(ctx context.Context, c oidc.Call) (context.Context, func(oidc.Outcome)) {
	if ctx.Value(outermost{}) != nil {
		return ctx, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d.Call(c.Name, c.Issuer)
	return context.WithValue(ctx, outermost{}, true), func(o oidc.Outcome) {
		if o.Err == nil {
			return
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		t.d.Failure(c.Name, o.Failure)
	}
}

func (t *tracing) notice(_ context.Context, n oidc.Notice) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.d.Note(string(n.Kind) + ": " + n.Detail)
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
