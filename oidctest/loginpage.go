package oidctest

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

const (
	loginPath       = "/login"
	formPostID      = "form-post"
	loginFormID     = "login"
	pendingLifetime = 10 * time.Minute
)

// style is of every page; its hash is in the Content-Security-Policy.
const style = `
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
*{box-sizing:border-box}
body{margin:0;font:1rem/1.5 system-ui,sans-serif;display:grid;min-height:100vh;place-items:center;padding:1rem}
main{width:100%;max-width:26rem}
h1{font-size:1.35rem;line-height:1.25;margin:0 0 .5rem}
p{margin:.5rem 0}
fieldset{border:0;padding:0;margin:1rem 0}
legend{padding:0;font-weight:600;margin-bottom:.5rem}
label{display:flex;gap:.75rem;align-items:baseline;padding:.6rem .75rem;border:1px solid var(--line);border-radius:.5rem;margin-bottom:.5rem;cursor:pointer;overflow-wrap:anywhere}
label:hover{background:var(--soft)}
label small{display:block;opacity:.75}
ul{margin:.5rem 0;padding-left:1.2rem}
code{overflow-wrap:anywhere}
.row{display:flex;gap:.75rem;flex-wrap:wrap}
button{font:inherit;padding:.55rem 1.1rem;border-radius:.5rem;border:1px solid var(--line);background:transparent;color:inherit;cursor:pointer}
button.main{background:#1d4ed8;border-color:#1d4ed8;color:#fff}
:focus-visible{outline:3px solid #60a5fa;outline-offset:2px}
footer{margin-top:2rem;font-size:.85rem;opacity:.75}
`

// submitScript sends the form of form_post; its hash is in the
// Content-Security-Policy. The button does the same where scripts are off.
const submitScript = `document.getElementById("` + formPostID + `").submit()`

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
{{end}}{{with .Form}}<form id="{{.ID}}" method="post" action="{{.Action}}">
{{range .Hidden}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}{{if .Users}}<p>{{.Client}} asks for:</p>
<ul>{{range .Scopes}}<li>{{.}}</li>{{end}}</ul>
<fieldset><legend>Continue as</legend>
{{range .Users}}<label><input type="radio" name="user" value="{{.Username}}"{{if .Chosen}} checked{{end}}><span>{{.Shown}}<small>{{.Detail}}</small></span></label>
{{end}}</fieldset>
<div class="row"><button class="main" name="decision" value="allow">Log in and allow</button><button name="decision" value="deny">Refuse</button></div>
{{else}}{{with .Ask}}<label>{{.Name}} <input name="{{.Name}}" value="{{.Value}}" autocomplete="off" required></label>
{{end}}<p><button class="main">Continue</button></p>
{{end}}</form>
{{end}}{{range .Frames}}<iframe hidden title="logout" src="{{.}}"></iframe>
{{end}}{{with .After}}<p><a id="after-logout" href="{{.}}">Continue</a></p>
{{end}}<footer>{{.Footer}}</footer>
</main>
{{with .Script}}<script>{{.}}</script>
{{end}}</body>
</html>
`

type pageData struct {
	Title, Text, Footer string
	Style               template.CSS
	Script              template.JS
	Form                *pageForm
	Frames              []string // front-channel logout URIs
	After               string   // where to go when they are loaded; empty: nowhere
}

type pageForm struct {
	ID, Client string
	Action     template.URL // checked by whoever sets it: a custom scheme is allowed
	Hidden     []pageField
	Ask        *pageField // what the person types; nil: nothing
	Scopes     []string
	Users      []pageUser
}

type pageField struct{ Name, Value string }

type pageUser struct {
	Username, Shown, Detail string
	Chosen                  bool
}

// page is a page without a form.
func page(status int, title, text string) *reply {
	return render(status, pageData{Title: title, Text: text})
}

// render writes a page that holds no script but ours, is kept by nobody and
// shown in no frame.
func render(status int, d pageData) *reply {
	d.Style = template.CSS(style)
	d.Footer = "A test OpenID Provider. It asks for no password; do not let it guard anything."
	var b bytes.Buffer
	t, err := template.New("page").Parse(pageTemplate)
	if err == nil {
		err = t.Execute(&b, d)
	}
	if err != nil {
		return oauthError(http.StatusInternalServerError, "server_error", "the page could not be written")
	}
	policy := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src '" + hashSource(style) + "'"
	if d.Script != "" {
		policy += "; script-src '" + hashSource(string(d.Script)) + "'"
	}
	if len(d.Frames) > 0 {
		policy += "; frame-src " + strings.Join(originsOf(d.Frames), " ")
	}
	return (&reply{status: status, body: b.Bytes(), header: http.Header{
		"Content-Type":            {"text/html; charset=utf-8"},
		"Content-Security-Policy": {policy},
		"Referrer-Policy":         {"no-referrer"},
		"X-Content-Type-Options":  {"nosniff"},
	}}).private()
}

func hashSource(s string) string {
	sum := sha256.Sum256([]byte(s))
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}

// formPost is a page that posts the response to the redirect URI (Form Post
// Response Mode 1.0, section 2).
func formPost(action string, params url.Values) *reply {
	return render(http.StatusOK, pageData{
		Title:  "Back to the application",
		Text:   "The login is done. If nothing happens, press Continue.",
		Script: template.JS(submitScript),
		Form:   &pageForm{ID: formPostID, Action: template.URL(action), Hidden: fields(params)},
	})
}

// fields is params in the order of the names.
func fields(params url.Values) []pageField {
	var out []pageField
	names := make([]string, 0, len(params))
	for n := range params {
		names = append(names, n)
	}
	slices.Sort(names)
	for _, n := range names {
		for _, v := range params[n] {
			out = append(out, pageField{n, v})
		}
	}
	return out
}

// loginPage lets a person choose whom to be and whether the client may know.
func (x *exchange) loginPage(r *authRequest, suggested User, problem string) *reply {
	op := x.op
	op.mu.Lock()
	id := op.random(24)
	op.pending.put(id, r, x.now.Add(pendingLifetime))
	users := slices.Clone(op.users)
	op.mu.Unlock()
	f := &pageForm{
		ID: loginFormID, Action: template.URL(op.c.Path + loginPath), Client: r.client.displayName(),
		Hidden: []pageField{{"request", id}},
	}
	for _, s := range r.scopes {
		f.Scopes = append(f.Scopes, scopeText(s))
	}
	for _, u := range users {
		shown := u.Name
		if shown == "" {
			shown = u.Username
		}
		detail := u.Username
		if u.Email != "" {
			detail += " · " + u.Email
		}
		f.Users = append(f.Users, pageUser{u.Username, shown, detail, u.Username == suggested.Username})
	}
	return render(http.StatusOK, pageData{Title: "Log in to " + r.client.displayName(), Text: problem, Form: f})
}

func scopeText(scope string) string {
	switch scope {
	case "openid":
		return "who you are to it (openid)"
	case "profile":
		return "your name and profile (profile)"
	case "email":
		return "your email address (email)"
	case "address":
		return "your postal address (address)"
	case "phone":
		return "your phone number (phone)"
	case "offline_access":
		return "access while you are away (offline_access)"
	}
	return scope
}

// loginForm takes what the login page sends.
func (x *exchange) loginForm() *reply {
	if x.r.Method != http.MethodPost || x.form == nil {
		rep := page(http.StatusMethodNotAllowed, "Bad request", "The login page is opened by an application, not by its address.")
		rep.header.Set("Allow", "POST")
		return rep
	}
	op := x.op
	op.mu.Lock()
	r, ok := op.pending.get(x.form.Get("request"), x.now)
	op.pending.drop(x.form.Get("request"))
	u, known := op.user(x.form.Get("user"))
	s, current := x.currentSession()
	op.mu.Unlock()
	if !ok {
		return page(http.StatusBadRequest, "This login is over", "It took longer than ten minutes or was answered already. Start again in the application.")
	}
	x.client = r.client
	if x.form.Get("decision") != "allow" {
		return x.answerError(r, r.state, "access_denied", "the person refused")
	}
	if !known {
		return x.loginPage(r, User{}, "Choose who you are.")
	}
	op.mu.Lock()
	op.consents.put(consentKey(r, u), true, x.now.Add(op.c.SessionLifetime))
	op.mu.Unlock()
	// Consent alone does not authenticate anew.
	x.session = s
	onlyConsent := s != nil && current.Username == u.Username && slices.Equal(r.prompt, []string{"consent"}) && r.maxAge == nil
	if onlyConsent && x.mayBe(r, u) {
		return x.grantTo(r, u, s.authTime)
	}
	return x.login(r, u)
}
