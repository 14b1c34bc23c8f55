package login

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"html/template"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"rely.example/oidc"
	"rely.example/rp"
)

// style is of every page; its hash is in the Content-Security-Policy.
const style = `
:root{color-scheme:light dark;--line:#8886}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 system-ui,sans-serif;display:grid;min-height:100vh;place-items:center;padding:1rem}
main{width:100%;max-width:28rem}
h1{font-size:1.35rem;line-height:1.25;margin:0 0 .5rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
nav{display:flex;gap:.75rem;flex-wrap:wrap;margin-top:1.25rem}
a,button{font:inherit;display:inline-block;padding:.5rem 1rem;border-radius:.5rem;border:1px solid var(--line);background:transparent;color:inherit;text-decoration:none;cursor:pointer}
.main{background:#1d4ed8;border-color:#1d4ed8;color:#fff}
:focus-visible{outline:3px solid #60a5fa;outline-offset:2px}
`

// submitScript sends the form of a page that has one to go elsewhere with; its
// hash is in the Content-Security-Policy. The button does the same without it.
const submitScript = `document.getElementById("rely-post").submit()`

const pageTemplate = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
{{with .Text}}<p>{{.}}</p>
{{end}}{{with .Form}}<form id="rely-post" method="post" action="{{.Action}}">
{{range .Hidden}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<p><button class="main">{{.Button}}</button></p>
</form>
{{end}}{{if .Fragment}}<form id="rely-fragment" method="post"><input type="hidden" name="fragment"></form>
<p id="rely-nothing" hidden>There is no answer of a provider at this address. Begin again in the application.</p>
<noscript><p>Your provider answers in a way that needs JavaScript. Please allow it for this page and reload it.</p></noscript>
{{end}}{{with .Watch}}<div id="rely-session" data-url="{{.URL}}" data-origin="{{.Origin}}" data-message="{{.Message}}"></div>
{{end}}{{if .Links}}<nav>{{range .Links}}<a href="{{.URL}}"{{if .Main}} class="main"{{end}}>{{.Name}}</a>{{end}}</nav>
{{end}}</main>
{{with .Inline}}<script>{{.}}</script>
{{end}}{{with .Source}}<script src="{{.}}"></script>
{{end}}</body>
</html>
`

// page is what a page of this package says.
type page struct {
	Title, Text string
	Links       []link
	Form        *form
	Fragment    bool
	Watch       *oidc.SessionFrame
	Source      string      // path of a script of ours
	Inline      template.JS // submitScript or nothing
	Ancestors   []string    // origins that may put the page into a frame

	Style template.CSS // set by show
}

type link struct {
	Name, URL string
	Main      bool
}

type form struct {
	Action template.URL // checked by whoever sets it
	Hidden []field
	Button string
}

type field struct{ Name, Value string }

// pages are the templates and what is derived from them.
type pages struct {
	t                       *template.Template
	styleSource, submitHash string
}

func newPages() (*pages, error) {
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, &Error{Reason: BadConfig, Detail: "the page template", Err: err}
	}
	return &pages{t: t, styleSource: hashSource(style), submitHash: hashSource(submitScript)}, nil
}

func hashSource(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// private marks a response that is one browser's, and of no use later.
func (m *Manager) private(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer")
	m.varies(h)
}

// personal marks a page of the application that depends on who is logged in, so
// that no shared cache keeps it (hostile catalogue case 295). The application may
// set Cache-Control anew for what everybody may see.
func (c *carrier) personal(w http.ResponseWriter) {
	h := w.Header()
	c.headers = [2]string{"private, no-store", "Cookie"}
	if len(h["Cache-Control"]) == 0 {
		h["Cache-Control"] = c.headers[0:1:1]
	}
	if vary := h["Vary"]; len(vary) == 0 {
		h["Vary"] = c.headers[1:2:2]
	} else if !slices.Contains(vary, "Cookie") {
		h["Vary"] = append(vary, "Cookie")
	}
}

func (m *Manager) varies(h http.Header) {
	if !slices.Contains(h["Vary"], "Cookie") {
		h.Add("Vary", "Cookie")
	}
}

// redirect sends the browser to an absolute URL, by GET.
func (m *Manager) redirect(w http.ResponseWriter, to string) {
	m.private(w)
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
}

// show writes a page: no script but ours, no frame, no sniffing, kept by nobody.
func (m *Manager) show(w http.ResponseWriter, status int, p page) {
	p.Style = template.CSS(style)
	var b bytes.Buffer
	if err := m.pages.t.Execute(&b, p); err != nil {
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	script, frame := "", ""
	switch {
	case p.Inline != "":
		script = "; script-src " + m.pages.submitHash
	case p.Source != "":
		script = "; script-src " + m.origin + p.Source
	}
	if p.Watch != nil {
		frame = "; frame-src " + originOf(p.Watch.URL)
	}
	h := w.Header()
	m.private(w)
	if p.Form != nil && p.Inline == "" {
		// A form of our own must say where it comes from: under no-referrer its
		// Origin would be null.
		h.Set("Referrer-Policy", "same-origin")
	}
	ancestors := "'none'"
	if len(p.Ancestors) > 0 {
		ancestors = strings.Join(p.Ancestors, " ")
	} else {
		h.Set("X-Frame-Options", "DENY")
	}
	h.Set("Content-Security-Policy", "default-src 'none'; base-uri 'none'; frame-ancestors "+ancestors+"; style-src "+m.pages.styleSource+script+frame)
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a reader that left is no fault of ours
}

// bare is a page for a frame that nobody sees.
func (m *Manager) bare(w http.ResponseWriter, status int, title string, ancestors ...string) {
	m.show(w, status, page{Title: title, Ancestors: ancestors})
}

func (m *Manager) watch(w http.ResponseWriter, f oidc.SessionFrame) {
	m.show(w, http.StatusOK, page{Title: "Session", Watch: &f, Source: m.c.Paths.SessionScript, Ancestors: []string{m.origin}})
}

func (m *Manager) fragmentPage(w http.ResponseWriter) {
	m.show(w, http.StatusOK, page{Title: "Logging in", Fragment: true, Source: m.c.Paths.FragmentScript})
}

// postForm sends the browser elsewhere with a POST.
func (m *Manager) postForm(w http.ResponseWriter, action string, fields url.Values) {
	f := &form{Action: template.URL(action), Button: "Continue"}
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, v := range fields[name] {
			f.Hidden = append(f.Hidden, field{name, v})
		}
	}
	m.show(w, http.StatusOK, page{Title: "On to your provider", Text: "If nothing happens, press Continue.", Form: f, Inline: template.JS(submitScript)})
}

// script serves a script of ours: the same for everybody.
func (m *Manager) script(w http.ResponseWriter, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/javascript; charset=utf-8")
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	_, _ = w.Write([]byte(text)) // a reader that left is no fault of ours
}

func (m *Manager) homeLink() []link { return []link{{Name: "Back to the application", URL: m.c.Home}} }

// fail answers a request that failed.
func (m *Manager) fail(w http.ResponseWriter, r *http.Request, err error) { m.failIn(w, r, err, nil) }

// failIn is fail for a page that these origins may put into a frame.
func (m *Manager) failIn(w http.ResponseWriter, r *http.Request, err error, ancestors []string) {
	if m.c.OnError != nil {
		frames := "'none'"
		if len(ancestors) > 0 {
			frames = strings.Join(ancestors, " ")
		}
		// Beside what the application's own policy says.
		w.Header().Add("Content-Security-Policy", "frame-ancestors "+frames)
		m.private(w)
		m.c.OnError(w, r, err)
		return
	}
	m.note(r, "login: page refused", err)
	p := explain(err)
	p.Ancestors = ancestors
	again := link{Name: "Log in", URL: m.c.Paths.Login, Main: true}
	p.Links = append([]link{again}, m.homeLink()...)
	if errors.Is(err, Forbidden) || errors.Is(err, CrossSite) {
		p.Links = m.homeLink()
	}
	status := Status(err)
	if status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "10")
	}
	m.show(w, status, p)
}

// note logs a failure. The errors of this module quote what strangers wrote.
func (m *Manager) note(r *http.Request, what string, err error) {
	level := slog.LevelInfo
	if Status(err) >= http.StatusInternalServerError {
		level = slog.LevelError
	}
	m.log.LogAttrs(r.Context(), level, what, slog.String("path", r.URL.EscapedPath()), slog.String("error", err.Error()))
}

// explain says to a person what happened and what to do. Nothing that a stranger
// wrote is in it (hostile catalogue cases 106 and 107): that is for the log.
func explain(err error) page {
	say := func(title, text string) page { return page{Title: title, Text: text} }
	op, refused := errors.AsType[*oidc.OPError](err)
	is := func(reason error) bool { return errors.Is(err, reason) }
	switch {
	case refused && op.Endpoint == "authorization" && op.Code == "access_denied":
		return say("You were not logged in", "You, or your provider, said no. You can try again.")
	case refused && op.Endpoint == "authorization" && asked(err):
		return say("Please log in", "Your provider wants to see you before it can tell us who you are.")
	case is(rp.WrongBrowser), is(rp.UnknownState):
		return say("This login is not one of this browser's",
			"It may be finished already, or it was begun in another window or browser. If this happens again, check that this site may set cookies.")
	case is(rp.LoginExpired):
		return say("This login took too long", "Please log in again.")
	case is(rp.LoggedOut):
		return say("You were logged out", "Somebody logged you out while you were logging in. Please log in again.")
	case is(LoginRefused):
		return say("You may not log in here", "Your provider knows you, but this application does not let you in.")
	case is(Forbidden):
		return say("This page is not for you", "You are logged in, but you lack the rights for this page.")
	case is(CrossSite):
		return say("Nothing was done", "The request did not come from a page of this application.")
	case is(rp.UnknownIssuer), is(rp.IssuerRefused):
		return say("Unknown provider", "This application does not work with that provider.")
	case is(oidc.BadState):
		return say("This is not what we expected", "The answer belongs to nothing that this browser has begun. Nothing was changed by it.")
	}
	switch Status(err) {
	case http.StatusServiceUnavailable:
		return say("Please try again in a moment", "Something that we need to log you in cannot be reached at the moment.")
	case http.StatusBadRequest:
		return say("That did not work", "The request could not be understood. Please begin again.")
	case http.StatusBadGateway:
		return say("Your provider's answer was refused", "It did not pass our checks, so you were not logged in. If this happens again, tell those who run this application.")
	}
	return say("That did not work", "Something is not set up as it should be. Please tell those who run this application.")
}
