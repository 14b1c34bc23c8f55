package oidctest

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Browser is the user agent of one person at the OP: it has their cookies and
// logs in as them. It is for one goroutine at a time.
type Browser struct {
	// User is the username of the person; empty means the one that login_hint
	// names or else the default user. It may be changed between logins.
	User string

	// Deny makes the person refuse: the OP answers with access_denied.
	Deny bool

	op     *OP
	client *http.Client
	frames []string // of the last page of a logout
}

// userHeader names the person to an OP that logs in by itself; a browser with
// a person in front of it has no need of it.
const userHeader = "Oidctest-User"

// maxHops is how many pages a login may take.
const maxHops = 10

// Browser returns a browser with no cookies.
func (op *OP) Browser() *Browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		jar = nil // cookiejar.New fails for no options that we pass
	}
	c := op.HTTPClient()
	c.Jar = jar
	return &Browser{op: op, client: c}
}

// Callback is what the browser delivers to the redirect URI.
type Callback struct {
	// Mode is the response mode that the OP used: query, fragment or
	// form_post. A redirect without parameters counts as query.
	Mode string

	// URL is the redirect URI as the browser has it, with the query or the
	// fragment.
	URL *url.URL

	// Form is the body of form_post; nil otherwise.
	Form url.Values
}

// Params returns the parameters of the response, wherever they are.
func (c *Callback) Params() url.Values {
	switch c.Mode {
	case "fragment":
		v, _ := url.ParseQuery(c.URL.EscapedFragment())
		return v
	case "form_post":
		return c.Form
	}
	return c.URL.Query()
}

// Request returns the request that the server of the relying party receives: a
// GET with the query, or the POST of a form. A fragment stays in the browser:
// the request is a GET without it, and URL.Fragment has the rest.
func (c *Callback) Request() *http.Request {
	u := *c.URL
	u.Fragment, u.RawFragment = "", ""
	r := &http.Request{
		Method: http.MethodGet, URL: &u, Host: u.Host, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, RequestURI: u.RequestURI(),
	}
	if c.Mode == "form_post" {
		body := c.Form.Encode()
		r.Method, r.Body, r.ContentLength = http.MethodPost, io.NopCloser(strings.NewReader(body)), int64(len(body))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", "null")
	}
	return r
}

// PageError is a page that the OP showed in place of an answer to the relying
// party, for example because the redirect URI was not registered.
type PageError struct {
	Status int
	Detail string // what the page says
}

func (e *PageError) Error() string {
	return fmt.Sprintf("oidctest: the provider showed an error page (%d): %s", e.Status, e.Detail)
}

// Login opens the URL of an authorization request, logs in and consents, and
// returns what the browser would deliver to the redirect URI, which is not
// called. An error of the OP for the relying party is a Callback; a page for
// the person is a [PageError].
func (b *Browser) Login(ctx context.Context, authURL string) (*Callback, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, authURL, nil)
	if err != nil {
		return nil, fmt.Errorf("oidctest: authorization URL: %w", err)
	}
	return b.follow(r)
}

// LoginForm is [Browser.Login] for an authorization request by POST.
func (b *Browser) LoginForm(ctx context.Context, action string, fields url.Values) (*Callback, error) {
	r, err := post(ctx, action, fields)
	if err != nil {
		return nil, err
	}
	return b.follow(r)
}

// Logout opens the URL of a logout request and returns where the browser is
// sent: the post-logout redirect URI, or nil if the OP shows its own page. It
// loads no front-channel logout URI; see [Browser.Frames].
func (b *Browser) Logout(ctx context.Context, endSessionURL string) (*url.URL, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, endSessionURL, nil)
	if err != nil {
		return nil, fmt.Errorf("oidctest: end session URL: %w", err)
	}
	cb, err := b.follow(r)
	var page *PageError
	if errors.As(err, &page) && page.Status == http.StatusOK {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return cb.URL, nil
}

func post(ctx context.Context, action string, fields url.Values) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, action, strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, fmt.Errorf("oidctest: form: %w", err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r, nil
}

// follow sends r and goes on until the browser leaves the OP.
func (b *Browser) follow(r *http.Request) (*Callback, error) {
	ctx := r.Context()
	for range maxHops {
		if b.User != "" {
			r.Header.Set(userHeader, url.QueryEscape(b.User))
		}
		if b.Deny {
			r.Header.Set(denyHeader, "1")
		}
		res, err := b.client.Do(r)
		if err != nil {
			return nil, fmt.Errorf("oidctest: browser: %w", err)
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, maxBody))
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return nil, fmt.Errorf("oidctest: browser: %w", err)
		}
		if loc := res.Header.Get("Location"); loc != "" && res.StatusCode >= 300 && res.StatusCode < 400 {
			u, err := r.URL.Parse(loc)
			if err != nil {
				return nil, fmt.Errorf("oidctest: browser: Location: %w", err)
			}
			if !b.inside(u) {
				return redirected(u), nil
			}
			if r, err = http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil); err != nil {
				return nil, fmt.Errorf("oidctest: browser: %w", err)
			}
			continue
		}
		b.frames = framesOf(string(body))
		if m := regexp.MustCompile(`<a id="after-logout" href="([^"]*)"`).FindStringSubmatch(string(body)); m != nil {
			u, err := url.Parse(html.UnescapeString(m[1]))
			if err != nil {
				return nil, fmt.Errorf("oidctest: browser: after the logout: %w", err)
			}
			return redirected(u), nil
		}
		f, ok := readForm(string(body))
		if !ok || res.StatusCode != http.StatusOK {
			return nil, &PageError{Status: res.StatusCode, Detail: pageText(string(body))}
		}
		u, err := r.URL.Parse(f.action)
		if err != nil {
			return nil, fmt.Errorf("oidctest: browser: form action: %w", err)
		}
		if f.id == formPostID {
			return &Callback{Mode: "form_post", URL: u, Form: f.fields}, nil
		}
		f.fields.Set("user", b.User)
		if b.User == "" {
			f.fields.Set("user", f.suggested)
		}
		f.fields.Set("decision", "allow")
		if b.Deny {
			f.fields.Set("decision", "deny")
		}
		if r, err = post(ctx, u.String(), f.fields); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("oidctest: browser: %d pages and no answer", maxHops)
}

// inside reports whether a URL belongs to the pages of the OP.
func (b *Browser) inside(u *url.URL) bool {
	at, err := url.Parse(b.op.Issuer)
	return err == nil && u.Scheme == at.Scheme && u.Host == at.Host && b.op.endpoint(u.Path) == EndpointAuthorization
}

// redirected tells the response modes of a redirect apart.
func redirected(u *url.URL) *Callback {
	if u.Fragment != "" {
		return &Callback{Mode: "fragment", URL: u}
	}
	return &Callback{Mode: "query", URL: u}
}

// webForm is a form of the OP's own pages.
type webForm struct {
	id, action string
	fields     url.Values // of type hidden
	suggested  string     // the person the page proposes
}

// readForm reads the first form of a page of the OP. It knows only what the
// pages of this package hold.
func readForm(page string) (webForm, bool) {
	m := regexp.MustCompile(`<form id="([^"]*)" method="post" action="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		return webForm{}, false
	}
	f := webForm{id: m[1], action: html.UnescapeString(m[2]), fields: url.Values{}}
	for _, in := range regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`).FindAllStringSubmatch(page, -1) {
		f.fields.Add(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	if s := regexp.MustCompile(`name="user" value="([^"]*)" checked`).FindStringSubmatch(page); s != nil {
		f.suggested = html.UnescapeString(s[1])
	}
	return f, true
}

// pageText is the text of the main part of a page.
func pageText(page string) string {
	if _, after, ok := strings.Cut(page, "<main>"); ok {
		page, _, _ = strings.Cut(after, "</main>")
	}
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}
