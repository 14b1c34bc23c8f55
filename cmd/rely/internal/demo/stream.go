package demo

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// streamType is what a script asks for and gets: a JSON object in each line, as
// things happen.
const streamType = "application/x-ndjson"

// writeTimeout bounds how long the page may take to read one line.
const writeTimeout = 10 * time.Second

// event is one line of the stream.
type event struct {
	Type  string `json:"type"` // "reset", "section", "message", "check", "outcome", "go", "refused"
	ID    stepID `json:"id,omitempty"`
	State state  `json:"state,omitempty"`
	Seq   int    `json:"seq,omitempty"`
	HTML  string `json:"html,omitempty"`
	URL   string `json:"url,omitempty"`
	Text  string `json:"text,omitempty"`
	Run   string `json:"run,omitempty"`
}

// stream answers a form of the page: line by line to a script, or with the page
// itself to a browser without one.
type stream struct {
	s    *server
	w    http.ResponseWriter
	r    *http.Request
	sess *session
	live bool
	err  error // the first error; nothing is written after it
}

// refuse says why nothing is done.
func (o *stream) refuse(text string) {
	if !o.live {
		o.sess.flash = text
		http.Redirect(o.w, o.r, "/", http.StatusSeeOther)
		return
	}
	o.header()
	o.send(event{Type: "refused", Text: text})
}

// begin is called before anything happens; anew if a login begins, and the
// sequence with it.
func (o *stream) begin(anew bool) {
	if !o.live {
		return
	}
	o.header()
	if anew {
		o.send(event{Type: "reset", HTML: o.part("diagram", o.s.view(o.sess))})
	}
}

func (o *stream) header() {
	o.w.Header().Set("Content-Type", streamType)
	o.w.WriteHeader(http.StatusOK)
}

// change passes on what the record tells.
func (o *stream) change(c change) {
	if !o.live {
		return
	}
	id := c.Section.ID
	switch {
	case c.Check != nil:
		v := checkView{Check: *c.Check}
		if c.First {
			v.Heading = tokenHeading
		}
		e := event{Type: "check", ID: id, HTML: o.part("check", v)}
		if c.Message != nil {
			e.Seq = c.Message.Seq
		}
		o.send(e)
	case c.Message != nil:
		o.send(event{Type: "message", ID: id, Seq: c.Message.Seq, HTML: o.part("message", viewMessage(*c.Message, o.sess.login.rec.started, false))})
	default:
		o.send(event{Type: "section", ID: id, State: c.Section.State, HTML: o.part("section", viewSection(c.Section, o.sess))})
	}
}

// end is called when everything has happened.
func (o *stream) end() {
	o.sess.login.rec.listen(nil)
	if !o.live {
		http.Redirect(o.w, o.r, "/", http.StatusSeeOther)
		return
	}
	v := o.s.view(o.sess)
	o.send(event{Type: "outcome", HTML: o.part("outcome", v), Run: v.Run})
	if v.Continue != "" {
		o.send(event{Type: "go", URL: string(v.Continue)})
	}
}

func (o *stream) part(name string, data any) string {
	var b bytes.Buffer
	if err := o.s.pages.ExecuteTemplate(&b, name, data); err != nil {
		o.err = err
	}
	return b.String()
}

func (o *stream) send(e event) {
	if o.err != nil {
		return
	}
	b, err := json.Marshal(e)
	if err == nil {
		c := http.NewResponseController(o.w)
		_ = c.SetWriteDeadline(time.Now().Add(writeTimeout)) // a recorder of a test has none
		if _, err = o.w.Write(append(b, '\n')); err == nil {
			err = c.Flush()
		}
	}
	o.err = err
}
