// Package visitor is a person at an application of package login, with a browser
// that shows nothing: it keeps cookies, and goes through an oidctest.OP and back.
// Tests and measurements use it.
package visitor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"

	"rely.example/oidctest"
)

// maxPage bounds what is read of a page.
const maxPage = 1 << 20

// Visitor is one person with one browser. It is for one goroutine at a time.
type Visitor struct {
	// Origin is where the application is: "https://app.example".
	Origin string
	// Send sends a request to the application and follows no redirect.
	Send func(*http.Request) (*http.Response, error)
	// At is the person's browser at the OP.
	At *oidctest.Browser
	// Cookies are those of the application.
	Cookies map[string]string
}

// New is a visitor of an application in this process.
func New(origin string, app http.Handler, at *oidctest.Browser) *Visitor {
	send := func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		app.ServeHTTP(w, r)
		return w.Result(), nil
	}
	return &Visitor{Origin: origin, Send: send, At: at, Cookies: map[string]string{}}
}

// Page is what an application answered.
type Page struct {
	Status   int
	Location string
	Header   http.Header
	Body     string
}

// Get asks for a page as who opens it does.
func (v *Visitor) Get(ctx context.Context, page string) (Page, error) {
	return v.do(ctx, http.MethodGet, page, nil, http.Header{
		"Accept": {"text/html"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}, "Sec-Fetch-Site": {"none"}})
}

// Fetch asks as a script of the application's page does.
func (v *Visitor) Fetch(ctx context.Context, page string) (Page, error) {
	return v.do(ctx, http.MethodGet, page, nil, http.Header{"Sec-Fetch-Mode": {"cors"}, "Sec-Fetch-Dest": {"empty"}, "Sec-Fetch-Site": {"same-origin"}})
}

// Post sends a form of a page of the application.
func (v *Visitor) Post(ctx context.Context, page string, form url.Values) (Page, error) {
	return v.do(ctx, http.MethodPost, page, form, http.Header{
		"Origin": {v.Origin}, "Sec-Fetch-Site": {"same-origin"}, "Sec-Fetch-Mode": {"navigate"}, "Sec-Fetch-Dest": {"document"}})
}

func (v *Visitor) do(ctx context.Context, method, page string, form url.Values, header http.Header) (Page, error) {
	var body io.Reader = http.NoBody
	if form != nil {
		body = strings.NewReader(form.Encode())
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	r, err := http.NewRequestWithContext(ctx, method, v.Origin+page, body)
	if err != nil {
		return Page{}, err
	}
	r.Header = header
	return v.send(r)
}

func (v *Visitor) send(r *http.Request) (Page, error) {
	for name, value := range v.Cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	res, err := v.Send(r)
	if err != nil {
		return Page{}, err
	}
	defer res.Body.Close()
	for _, c := range res.Cookies() {
		if c.MaxAge < 0 {
			delete(v.Cookies, c.Name)
			continue
		}
		v.Cookies[c.Name] = c.Value
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	return Page{Status: res.StatusCode, Location: res.Header.Get("Location"), Header: res.Header, Body: string(b)}, err
}

// Answer takes a redirect to the OP there, logs in, and returns what the browser
// brings back. Nothing is sent to the application.
func (v *Visitor) Answer(ctx context.Context, to Page) (*oidctest.Callback, error) {
	if to.Status != http.StatusSeeOther {
		return nil, fmt.Errorf("got status %d, want a redirect to the OP: %.200s", to.Status, to.Body)
	}
	return v.At.Login(ctx, to.Location)
}

// Deliver brings the OP's answer to the application.
func (v *Visitor) Deliver(ctx context.Context, cb *oidctest.Callback) (Page, error) {
	r := cb.Request().WithContext(ctx)
	r.RequestURI = "" // of a server
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	return v.send(r)
}

// Open opens a page, and logs in if the application asks for that.
func (v *Visitor) Open(ctx context.Context, page string) (Page, error) {
	p, err := v.Get(ctx, page)
	if err != nil || p.Status != http.StatusSeeOther {
		return p, err
	}
	cb, err := v.Answer(ctx, p)
	if err != nil {
		return p, err
	}
	if p, err = v.Deliver(ctx, cb); err != nil {
		return p, err
	}
	if p.Status != http.StatusSeeOther || p.Location != v.Origin+page {
		return p, fmt.Errorf("after the login: status %d to %q: %.200s", p.Status, p.Location, p.Body)
	}
	return v.Get(ctx, page)
}
