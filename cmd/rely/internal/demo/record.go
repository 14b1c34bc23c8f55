package demo

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"rely.example/oidc"
)

// Bounds on one record. What an OP sends is bounded by package oidc already;
// these bound what is kept of it.
const (
	maxMessages = 96       // messages of one login and what follows it
	maxChecks   = 1200     // checks below them
	maxKept     = 64 << 10 // bytes kept of one body
	maxRecord   = 2 << 20  // bytes kept of all bodies
)

// party is one end of an arrow.
type party string

const (
	partyBrowser party = "browser"
	partyRP      party = "rp"
	partyOP      party = "op"
)

// hop is one arrow of a message.
type hop struct {
	From  party  `json:"from"`
	To    party  `json:"to"`
	Label string `json:"label"`          // "GET WebFinger", "200 OK"
	Note  string `json:"note,omitempty"` // a path, a media type, a time
	Bad   bool   `json:"bad,omitempty"`
}

// message is one request and its response, or one message that the browser
// carries. It does not change once it was recorded, except for its checks.
type message struct {
	Seq    int
	Step   stepID
	Title  string
	Hops   []hop
	At     time.Time
	Took   time.Duration
	Checks []oidc.Check

	// One of the two is set. Both hold their secrets.
	Exchange *oidc.Exchange
	Front    *oidc.FrontMessage
	// The same without a secret, masked before anything was cut off.
	maskedExchange *oidc.Exchange
	maskedFront    *oidc.FrontMessage
}

// kind is the purpose of the message, one of the Step constants of package oidc.
func (m *message) kind() string {
	if m.Exchange != nil {
		return m.Exchange.Step
	}
	return m.Front.Step
}

// state is how far a step is.
type state string

const (
	waiting state = "waiting"
	running state = "running"
	done    state = "done"
	failed  state = "failed"
	skipped state = "skipped"
	// unreached is a step that would have come after the one that failed.
	unreached state = "unreached"
)

// said is the state in words.
func (s state) said() string {
	switch s {
	case waiting:
		return "not yet"
	case running:
		return "in progress"
	case failed:
		return "stopped here"
	case unreached:
		return "never reached"
	}
	return string(s)
}

// section is a step and what happened in it.
type section struct {
	step
	State    state
	Note     string // why it was skipped, or what came of it
	Messages []message
	Checks   []oidc.Check // those that ran before there was a message
}

// change is what a listener is told of.
type change struct {
	Section section     // a copy; without messages unless Message is nil
	Message *message    // the message that was added, or that Check belongs to
	Check   *oidc.Check // the check that was added
	First   bool        // Check is the first about an ID Token
}

// record keeps what happens in one login and after it. Its methods may be
// called from any goroutine.
type record struct {
	now     func() time.Time
	changed func(change) // called in order, never concurrently; nil if nobody listens
	started time.Time

	mu       sync.Mutex // guards everything below
	sections []section
	current  stepID
	seq      int
	checks   int
	bytes    int
}

func newRecord(now func() time.Time, steps []step, changed func(change)) *record {
	r := &record{now: now, started: now(), changed: changed}
	for _, s := range steps {
		r.sections = append(r.sections, section{step: s, State: waiting})
	}
	return r
}

// trace is how the relying party tells the record. It holds secrets: what is
// shown is masked where it is shown.
func (r *record) trace() *oidc.Trace {
	return &oidc.Trace{Exchange: r.exchange, Front: r.front, Check: r.check, InsecureUnmasked: true}
}

// begin makes a step the current one. A step that has no section yet, since it
// follows a login, gets one.
func (r *record) begin(s step) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sec := r.section(s.ID)
	if sec == nil {
		r.sections = append(r.sections, section{step: s})
		sec = &r.sections[len(r.sections)-1]
	}
	r.current, sec.State, sec.Note = s.ID, running, ""
	r.tell(change{Section: sec.head()})
}

// end closes the current step. After one that failed the others are not reached.
func (r *record) end(s state, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sec := r.section(r.current); sec != nil {
		sec.State, sec.Note = s, note
		r.tell(change{Section: sec.head()})
	}
	if s != failed {
		return
	}
	for i := range r.sections {
		if sec := &r.sections[i]; sec.State == waiting {
			sec.State = unreached
			r.tell(change{Section: sec.head()})
		}
	}
}

// skip says that a step is not needed, and why.
func (r *record) skip(id stepID, note string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if sec := r.section(id); sec != nil {
		sec.State, sec.Note = skipped, note
		r.tell(change{Section: sec.head()})
	}
}

// listen replaces the listener.
func (r *record) listen(changed func(change)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changed = changed
}

// snapshot is a copy of everything.
func (r *record) snapshot() []section {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]section, len(r.sections))
	for i, s := range r.sections {
		out[i] = s
		out[i].Messages = slices.Clone(s.Messages)
		out[i].Checks = slices.Clone(s.Checks)
		for j := range out[i].Messages {
			out[i].Messages[j].Checks = slices.Clone(s.Messages[j].Checks)
		}
	}
	return out
}

// find returns the message of that number.
func (r *record) find(seq int) (message, bool) {
	for _, s := range r.snapshot() {
		for _, m := range s.Messages {
			if m.Seq == seq {
				return m, true
			}
		}
	}
	return message{}, false
}

// sent reports whether a message of that kind was recorded.
func (r *record) sent(kind string) bool {
	for _, s := range r.snapshot() {
		if slices.ContainsFunc(s.Messages, func(m message) bool { return m.kind() == kind }) {
			return true
		}
	}
	return false
}

// failure returns the last check if it failed.
func (r *record) failure() (oidc.Check, bool) {
	var last oidc.Check
	for _, s := range r.snapshot() {
		for _, c := range s.Checks {
			if !c.Passed {
				last = c
			}
		}
		for _, m := range s.Messages {
			for _, c := range m.Checks {
				if !c.Passed {
					last = c
				}
			}
		}
	}
	return last, last.Title != ""
}

func (s *section) head() section {
	h := *s
	h.Messages, h.Checks = nil, slices.Clone(s.Checks)
	return h
}

func (r *record) section(id stepID) *section {
	for i := range r.sections {
		if r.sections[i].ID == id {
			return &r.sections[i]
		}
	}
	return nil
}

func (r *record) tell(c change) {
	if r.changed != nil {
		r.changed(c)
	}
}

// exchange records one HTTP exchange with the OP.
func (r *record) exchange(_ context.Context, e oidc.Exchange) {
	r.mu.Lock()
	defer r.mu.Unlock()
	m := e.Masked()
	for _, body := range []*string{&e.RequestBody, &e.ResponseBody, &m.RequestBody, &m.ResponseBody} {
		*body = r.keep(*body)
	}
	r.add(message{Title: messageTitle(e.Step), Hops: exchangeHops(e), At: e.Start, Took: e.Took, Exchange: &e, maskedExchange: &m})
}

// exchangeHops are the arrows of an exchange: there and back.
func exchangeHops(e oidc.Exchange) []hop {
	request := hop{From: partyRP, To: partyOP, Label: e.Method + " " + messageTitle(e.Step), Note: pathOf(e.URL)}
	response := hop{From: partyOP, To: partyRP, Label: statusText(e.Status), Note: took(e.Took), Bad: e.Status >= 400 || e.Err != nil}
	if e.Status == 0 {
		response.Label = "no answer"
	}
	return []hop{request, response}
}

func pathOf(raw string) string {
	if u, err := url.Parse(raw); err == nil {
		return u.Path
	}
	return raw
}

// front records a message that the browser carries.
func (r *record) front(_ context.Context, f oidc.FrontMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	masked := f.Masked()
	f.Params, masked.Params = r.keepValues(f.Params), r.keepValues(masked.Params)
	m := message{At: r.now(), Front: &f, maskedFront: &masked}
	m.Title = "Authentication request"
	if f.Response {
		m.Title = "Authentication response"
	}
	m.Hops = frontHops(f)
	r.add(m)
}

// frontHops are the arrows of a message that the browser carries.
func frontHops(f oidc.FrontMessage) []hop {
	path := pathOf(f.Endpoint)
	if !f.Response {
		return []hop{
			{From: partyRP, To: partyBrowser, Label: "redirect", Note: "go to the OP"},
			{From: partyBrowser, To: partyOP, Label: f.Mode + " Authentication request", Note: path},
		}
	}
	bad := f.Params.Has("error")
	switch f.Mode {
	case oidc.ModeFragment:
		return []hop{
			{From: partyOP, To: partyBrowser, Label: "redirect", Note: "the answer is behind the #", Bad: bad},
			{From: partyBrowser, To: partyRP, Label: "POST response", Note: "a script hands the fragment over", Bad: bad},
		}
	case oidc.ModeFormPost:
		return []hop{
			{From: partyOP, To: partyBrowser, Label: "200 OK", Note: "a form that submits itself", Bad: bad},
			{From: partyBrowser, To: partyRP, Label: "POST response", Note: path, Bad: bad},
		}
	}
	return []hop{
		{From: partyOP, To: partyBrowser, Label: "redirect", Note: "back to the relying party", Bad: bad},
		{From: partyBrowser, To: partyRP, Label: "GET response", Note: path, Bad: bad},
	}
}

func (r *record) check(_ context.Context, c oidc.Check) { r.addCheck(c) }

// addCheck records a check below the message that it is about.
func (r *record) addCheck(c oidc.Check) {
	r.mu.Lock()
	defer r.mu.Unlock()
	sec := r.section(r.current)
	if sec == nil || r.checks >= maxChecks {
		return
	}
	r.checks++
	if c.Passed && strings.HasSuffix(c.Detail, ", got none") {
		c.Detail = "" // it says what a failure would have been
	}
	if m := sec.about(c.Step); m != nil {
		if n := len(m.Checks); n > 0 && c.Passed && m.Checks[n-1].Title == c.Title && m.Checks[n-1].Passed {
			return // the same rule, for another member of one list
		}
		first := beginsToken(m.Checks, c)
		m.Checks = append(m.Checks, c)
		told := *m
		told.Checks = nil
		r.tell(change{Section: sec.head(), Message: &told, Check: &c, First: first})
		return
	}
	sec.Checks = append(sec.Checks, c)
	r.tell(change{Section: sec.head(), Check: &c})
}

// beginsToken reports whether c, after before, is the first check of an ID Token.
func beginsToken(before []oidc.Check, c oidc.Check) bool {
	return c.Step == oidc.StepIDToken && (len(before) == 0 || before[len(before)-1].Step != oidc.StepIDToken)
}

// about returns the newest message that brought what is being checked.
func (s *section) about(kind string) *message {
	for i := len(s.Messages) - 1; i >= 0; i-- {
		// An ID Token is checked when its keys are there, whatever brought it.
		if m := &s.Messages[i]; m.kind() == kind || kind == oidc.StepIDToken {
			return m
		}
	}
	if n := len(s.Messages); n > 0 && kind != oidc.StepKeys {
		return &s.Messages[n-1]
	}
	return nil
}

// add appends a message to the current section. The caller holds r.mu.
func (r *record) add(m message) {
	sec := r.section(r.current)
	if sec == nil || r.seq >= maxMessages {
		return
	}
	r.seq++
	m.Seq, m.Step = r.seq, r.current
	sec.Messages = append(sec.Messages, m)
	r.tell(change{Section: sec.head(), Message: &m})
}

// keep bounds what is kept of a text. The caller holds r.mu.
func (r *record) keep(s string) string {
	room := min(maxKept, max(0, maxRecord-r.bytes))
	if len(s) > room {
		s = strings.ToValidUTF8(s[:room], "") + "\n… " + strconv.Itoa(len(s)-room) + " bytes more are not kept"
	}
	r.bytes += len(s)
	return s
}

// keepValues is a copy of v, bounded. The caller holds r.mu.
func (r *record) keepValues(v url.Values) url.Values {
	out := make(url.Values, len(v))
	for k, vs := range v {
		for _, s := range vs {
			out[k] = append(out[k], r.keep(s))
		}
	}
	return out
}

func statusText(code int) string {
	text := http.StatusText(code)
	if text == "" {
		return strconv.Itoa(code)
	}
	return strconv.Itoa(code) + " " + text
}

// took is a duration in the unit that reads best.
func took(d time.Duration) string {
	switch {
	case d <= 0:
		return ""
	case d < time.Millisecond:
		return "under 1 ms"
	case d < time.Second:
		return strconv.FormatInt(d.Milliseconds(), 10) + " ms"
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
}
