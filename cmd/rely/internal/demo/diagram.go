package demo

import (
	"fmt"
	"io"
	"net/url"
	"strings"

	"rely.example/oidc"
)

// Diagram draws what happens between browser, relying party and OP as it happens,
// one message below the other. It is not safe for concurrent use.
type Diagram struct {
	t    *terminal
	host string // of the OP in the third lane; "" before the first message
}

// NewDiagram draws for a width in columns; zero or less means one that is not
// known.
func NewDiagram(w io.Writer, width int, colour bool) *Diagram {
	return &Diagram{t: newTerminal(w, width, colour, "")}
}

// Call begins a part: what is being done, and where.
func (d *Diagram) Call(name, issuer string) {
	d.t.line("")
	title := d.t.paint(bold, printable(name))
	if issuer != "" {
		title += "  " + d.t.paint(dim, clip(printable(issuer), d.t.width-len(name)-2))
	}
	d.t.line(title)
	if d.host != "" {
		d.t.line(d.t.lane())
	}
}

// head names the parties before the first arrow.
func (d *Diagram) head(raw string) {
	if d.host != "" {
		return
	}
	d.host = hostOf(raw)
	d.t.names[2] = "OP " + printable(d.host)
	d.t.head()
}

func hostOf(raw string) string {
	if u, err := url.Parse(raw); err == nil && u.Host != "" {
		return u.Host
	}
	return "?"
}

// Request draws the way to the OP, Response the way back. One to another host than
// the OP's names it.
func (d *Diagram) Request(e oidc.Exchange) {
	d.head(e.URL)
	h := exchangeHops(e)[0]
	if host := hostOf(e.URL); host != d.host {
		h.Note = host + h.Note
	}
	d.hop(h)
}

// Response draws the way back from the OP.
func (d *Diagram) Response(e oidc.Exchange) {
	d.t.line(d.t.lane())
	d.hop(exchangeHops(e)[1])
}

// Front draws a message that the browser carries.
func (d *Diagram) Front(f oidc.FrontMessage) {
	if f.Response {
		d.head("")
	} else {
		d.head(f.Endpoint)
	}
	for _, h := range frontHops(f) {
		d.hop(h)
	}
}

func (d *Diagram) hop(h hop) {
	h.Label, h.Note = printable(h.Label), printable(h.Note)
	d.t.arrow(h)
}

// Check writes one rule, its section and its outcome.
func (d *Diagram) Check(c oidc.Check) { d.t.check(c) }

// Note writes a remark.
func (d *Diagram) Note(s string) { d.t.note(s) }

// whose says a fault in words.
func whose(f oidc.Fault) string {
	switch f {
	case oidc.FaultProvider:
		return "the OP, or who poses as it, broke a rule"
	case oidc.FaultRefusal:
		return "the OP said no"
	case oidc.FaultBoth:
		return "nobody's: the two cannot work together"
	case oidc.FaultCaller:
		return "ours: an argument or the configuration"
	case oidc.FaultNetwork:
		return "the network's: no answer came"
	case oidc.FaultVisitor:
		return "of what the browser brought"
	case oidc.FaultStore:
		return "the store's"
	case oidc.FaultCancelled:
		return "nobody's: it was given up"
	}
	return "not known"
}

// Failure explains how a call failed: which exchange, whose fault, what to do.
func (d *Diagram) Failure(call string, f oidc.Failure) {
	headline := "✗ " + call + ": " + f.Reason
	if f.Spec != "" {
		headline += " — " + f.Spec
	}
	for _, l := range wrap(headline, d.t.width) {
		d.t.line(d.t.paint(bold+";"+red, l))
	}
	for _, row := range [][2]string{{"Where", f.Step}, {"Fault", whose(f.Fault)}, {"It saw", f.Detail}, {"To do", f.Advice}} {
		label := row[0]
		for _, l := range wrap(row[1], d.t.width-12) {
			d.t.line(strings.TrimRight(fmt.Sprintf("  %-8s  %s", label, l), " "))
			label = ""
		}
	}
}
