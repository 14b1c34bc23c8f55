package demo

import (
	"time"

	"rely.example/oidc"
)

// report is a login for a machine to read. It holds no secret.
type report struct {
	Verdict  verdict      `json:"verdict"`
	Headline string       `json:"headline"`
	Reason   string       `json:"reason,omitempty"`
	Spec     string       `json:"spec,omitempty"`
	Detail   string       `json:"detail,omitempty"`
	Facts    []string     `json:"facts,omitempty"`
	Fault    string       `json:"fault,omitempty"`
	Steps    []reportStep `json:"steps"`
	Claims   []claim      `json:"claims,omitempty"`
}

type reportStep struct {
	Step     stepID          `json:"step"`
	Title    string          `json:"title"`
	State    state           `json:"state"`
	Note     string          `json:"note,omitempty"`
	Messages []reportMessage `json:"messages,omitempty"`
	Checks   []reportCheck   `json:"checks,omitempty"`
}

type reportMessage struct {
	Title  string        `json:"title"`
	At     time.Time     `json:"at"`
	TookMS float64       `json:"took_ms,omitempty"`
	Arrows []hop         `json:"arrows"`
	Sides  []side        `json:"sides"`
	Checks []reportCheck `json:"checks,omitempty"`
}

type reportCheck struct {
	Title  string `json:"title"`
	Spec   string `json:"spec"`
	Passed bool   `json:"passed"`
	Reason string `json:"reason,omitempty"` // of a check that failed
	Detail string `json:"detail,omitempty"`
}

func (l *login) report() report {
	var r report
	if o := l.outcome; o != nil {
		r.Verdict, r.Headline, r.Reason, r.Spec, r.Detail, r.Facts = o.Verdict, o.Headline, o.Reason, o.Spec, o.Detail, o.Facts
	}
	if f := l.choice.Fault; f != nil {
		r.Fault = string(f.Fault)
	}
	for _, s := range l.rec.snapshot() {
		rs := reportStep{Step: s.ID, Title: s.Title, State: s.State, Note: s.Note, Checks: reportChecks(s.Checks)}
		for _, m := range s.Messages {
			rs.Messages = append(rs.Messages, reportMessage{
				Title: m.Title, At: m.At, TookMS: float64(m.Took.Microseconds()) / 1000,
				Arrows: m.Hops, Sides: m.sides(false, m.At), Checks: reportChecks(m.Checks),
			})
		}
		r.Steps = append(r.Steps, rs)
	}
	r.Claims = l.claims()
	return r
}

func reportChecks(checks []oidc.Check) []reportCheck {
	var out []reportCheck
	for _, c := range checks {
		rc := reportCheck{Title: c.Title, Spec: c.Spec, Passed: c.Passed, Detail: c.Detail}
		if !c.Passed {
			rc.Reason = string(c.Reason)
		}
		out = append(out, rc)
	}
	return out
}
