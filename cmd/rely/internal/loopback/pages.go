package loopback

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html/template"
	"net/http"

	"rely.example/oidc"
)

// page is a page without anything of the request's in it (hostile catalogue
// case 336).
type page struct{ Title, Text, Mark string }

var (
	pageSucceeded = page{"Logged in", "You can close this page and go back to the terminal.", "✓"}
	pageRefused   = page{"Not logged in", "The terminal says why. You can close this page.", "✕"}
	pageStray     = page{"This is not the login that the terminal waits for", "Nothing was accepted. Open the address that the terminal shows, or run the command again.", "✕"}
)

// style is of every page; its hash is in the Content-Security-Policy.
const style = `
:root{color-scheme:light dark;--ink:#1c2430;--soft:#56606e;--paper:#f6f7f9;--card:#fff;--line:#d9dee5;--accent:#1a5fb4}
@media (prefers-color-scheme:dark){:root{--ink:#e8ebf0;--soft:#a3adba;--paper:#12161c;--card:#1a2028;--line:#313a46;--accent:#7ab3f5}}
*{box-sizing:border-box}
body{margin:0;min-height:100vh;display:grid;place-items:center;padding:1.5rem;background:var(--paper);color:var(--ink);font:1.0625rem/1.55 system-ui,sans-serif}
main{width:100%;max-width:28rem;padding:2rem;background:var(--card);border:1px solid var(--line);border-radius:.75rem}
h1{margin:0 0 .5rem;font-size:1.375rem;line-height:1.3}
p{margin:0;color:var(--soft)}
.mark{font-size:1.75rem;line-height:1;color:var(--accent);margin-bottom:.75rem}
button{margin-top:1.25rem;font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.5rem;background:var(--accent);color:var(--card);cursor:pointer}
:focus-visible{outline:3px solid var(--accent);outline-offset:3px}
`

// fragmentScript moves what is behind the hash sign into the form, out of the
// address bar, and sends it.
const fragmentScript = `
"use strict";
const hash = location.hash;
history.replaceState(null, "", location.pathname);
if (hash.length > 1) {
  const form = document.getElementById("fragment");
  form.elements.fragment.value = hash.slice(1);
  form.submit();
} else {
  document.getElementById("title").textContent = "Nothing to see here";
  document.getElementById("text").textContent = "This address is for the answer of an OpenID Provider. The page that you came from gave none.";
}
`

// submitScript sends the form of an authentication request by POST.
const submitScript = `document.getElementById("request").submit()`

const pageTemplate = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}} - Rely</title>
<style>{{.Style}}</style>
</head>
<body>
<main>
{{with .Mark}}<div class="mark" aria-hidden="true">{{.}}</div>
{{end}}<h1 id="title">{{.Title}}</h1>
<p id="text" role="status">{{.Text}}</p>
{{with .Fragment}}<form id="fragment" method="post" action="{{.}}" hidden><input type="hidden" name="fragment"></form>
<noscript><p>The answer of the provider is in the part of the address behind the #, which only a script can read. Allow scripts for this page, or copy the whole address into the terminal.</p></noscript>
{{end}}{{with .Action}}<form id="request" method="post" action="{{.}}">
{{range $.Fields}}<input type="hidden" name="{{.Name}}" value="{{.Value}}">
{{end}}<button>Continue</button>
</form>
{{end}}</main>
{{with .Script}}<script>{{.}}</script>
{{end}}</body>
</html>
`

type pageData struct {
	page
	Style    template.CSS
	Script   template.JS
	Fragment string
	Action   string
	Fields   []field
}

type field struct{ Name, Value string }

// policyNothing is for responses without a page.
const policyNothing = "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'"

// secure sets the headers of every response: run nothing, be framed by nobody,
// be kept nowhere, tell nobody where the browser came from.
func secure(w http.ResponseWriter, policy string) {
	h := w.Header()
	h.Set("Content-Security-Policy", policy)
	if h.Get("Referrer-Policy") == "" {
		h.Set("Referrer-Policy", "no-referrer")
	}
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
}

func writePage(w http.ResponseWriter, status int, p page) {
	write(w, status, pageData{page: p}, " form-action 'none'")
}

func writeFragmentPage(w http.ResponseWriter, action string) {
	p := page{Title: "One moment", Text: "The answer of the provider is being handed to the terminal."}
	// With no-referrer a browser would send the form with Origin null; to our
	// own origin it may tell where it comes from. The fragment is never in it.
	w.Header().Set("Referrer-Policy", "same-origin")
	write(w, http.StatusOK, pageData{page: p, Fragment: action, Script: fragmentScript}, " form-action 'self'")
}

// writeForm sends an authentication request by POST (Core section 3.1.2.1). The
// policy says nothing of form-action: browsers apply it to the redirects behind
// the form as well, and those are the OP's.
func writeForm(w http.ResponseWriter, request *oidc.AuthRequest) {
	action, values := request.Form()
	p := page{Title: "Continue to the provider", Text: "Your browser is being sent to the OpenID Provider."}
	d := pageData{page: p, Action: action, Script: submitScript}
	for name, vs := range values {
		for _, v := range vs {
			d.Fields = append(d.Fields, field{name, v})
		}
	}
	write(w, http.StatusOK, d, "")
}

func write(w http.ResponseWriter, status int, d pageData, formAction string) {
	d.Style = template.CSS(style)
	var b bytes.Buffer
	t, err := template.New("page").Parse(pageTemplate)
	if err == nil {
		err = t.Execute(&b, d)
	}
	if err != nil {
		http.Error(w, "the page could not be written", http.StatusInternalServerError)
		return
	}
	policy := "default-src 'none'; base-uri 'none'; frame-ancestors 'none'; style-src " + hashSource(style) + ";" + formAction
	if d.Script != "" {
		policy += "; script-src " + hashSource(string(d.Script))
	}
	secure(w, policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // a browser that left needs no page
}

// hashSource names an inline element by its hash (CSP Level 3 section 2.3.1).
func hashSource(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}
