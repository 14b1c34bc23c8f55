package interop

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"rely.example/peers/interop/launch"
)

const (
	// maxSteps bounds the pages and redirects of one login. The longest real
	// one, with login, consent and their redirects, takes ten.
	maxSteps = 25

	// maxPage bounds how much of one page is read.
	maxPage = 1 << 20
)

// The response modes by which an answer can reach a redirect URI.
const (
	ModeQuery    = "query"     // OAuth 2.0 Multiple Response Type Encoding Practices 2.1
	ModeFragment = "fragment"  // the same
	ModeFormPost = "form_post" // OAuth 2.0 Form Post Response Mode 1.0
)

// Delivery is an authentication response on its way to the Relying Party.
type Delivery struct {
	// Mode is how it was delivered: ModeQuery, ModeFragment or ModeFormPost.
	Mode string
	// URL is the redirect URI with whatever the OP appended to it.
	URL *url.URL
	// Form is the body in ModeFormPost; otherwise nil.
	Form url.Values
}

// Request returns the request as the Relying Party's server would receive it. A
// fragment is never sent to a server, so in ModeFragment it carries nothing.
func (d *Delivery) Request(ctx context.Context) (*http.Request, error) {
	u := *d.URL
	u.Fragment, u.RawFragment = "", ""
	var r *http.Request
	var err error
	if d.Mode == ModeFormPost {
		r, err = http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(d.Form.Encode()))
		if err == nil {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	} else {
		r, err = http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	}
	if err != nil {
		return nil, fmt.Errorf("interop: making the request to the redirect URI: %w", err)
	}
	return r, nil
}

// Params returns the parameters of the response.
func (d *Delivery) Params() (url.Values, error) {
	switch d.Mode {
	case ModeFormPost:
		return d.Form, nil
	case ModeFragment:
		return url.ParseQuery(d.URL.EscapedFragment())
	default:
		return url.ParseQuery(d.URL.RawQuery)
	}
}

// Browser is an end-user's browser, with the end-user in front of it: it keeps
// cookies, follows redirects, fills in login pages and consents to everything.
// It never sends anything to the Relying Party; what would be sent is returned
// as a [Delivery]. A Browser is for one goroutine.
type Browser struct {
	client *http.Client
	user   launch.User
	rp     *url.URL
	opHost string
	// page handles a page that a script would drive; see [Peer.page].
	page func(ctx context.Context, b *Browser, at *url.URL) (next string, err error)

	userCode        string // to be typed where a page asks for one
	refuse, decided bool   // whether to refuse, and that a button for it was pressed
}

// lastPage is the error of a page that leads no further.
type lastPage struct{ text string }

func (p *lastPage) Error() string { return "the OP shows a page without a form: " + excerpt(p.text) }

// errNotScripted is what a page function answers to a page that it leaves to
// the browser.
var errNotScripted = errors.New("interop: not a scripted page")

// NewBrowser returns a browser without cookies.
func (o *OP) NewBrowser() *Browser {
	// New fails on no options that exist.
	jar, _ := cookiejar.New(nil)
	rp, _ := url.Parse(RedirectURI)
	issuer, _ := url.Parse(o.Issuer)
	return &Browser{
		client: &http.Client{
			Transport:     o.transport,
			Jar:           jar,
			Timeout:       requestTimeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		user:   o.User,
		rp:     rp,
		opHost: issuer.Host,
		page:   o.Peer.page,
	}
}

// Visit opens address, an authentication request by GET, and goes on until the
// OP answers the Relying Party.
func (b *Browser) Visit(ctx context.Context, address string) (*Delivery, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("interop: browser: %w", err)
	}
	return b.travel(ctx, step{method: http.MethodGet, url: u})
}

// Submit posts fields to address, an authentication request by POST, and goes
// on until the OP answers the Relying Party.
func (b *Browser) Submit(ctx context.Context, address string, fields url.Values) (*Delivery, error) {
	u, err := url.Parse(address)
	if err != nil {
		return nil, fmt.Errorf("interop: browser: %w", err)
	}
	return b.travel(ctx, step{method: http.MethodPost, url: u, form: fields})
}

// Decide opens address, the verification URI of a login on a device (RFC 8628, section
// 3.3), types userCode if it is asked for, and goes on until the login is allowed or
// refused, whichever the end-user wants. It returns what the last page says.
func (b *Browser) Decide(ctx context.Context, address, userCode string, allow bool) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fmt.Errorf("interop: browser: %w", err)
	}
	b.userCode, b.refuse, b.decided = userCode, !allow, false
	defer func() { b.userCode, b.refuse, b.decided = "", false, false }()
	_, err = b.travel(ctx, step{method: http.MethodGet, url: u})
	if last, ok := errors.AsType[*lastPage](err); ok {
		return strings.Join(strings.Fields(last.text), " "), nil
	}
	if err == nil {
		err = errors.New("interop: the login on a device led to the Relying Party")
	}
	return "", err
}

// step is one request that the browser is about to make.
type step struct {
	method string
	url    *url.URL
	form   url.Values // with POST
}

func (b *Browser) travel(ctx context.Context, s step) (*Delivery, error) {
	var trail []string
	for range maxSteps {
		if s.url.Scheme == b.rp.Scheme && s.url.Host == b.rp.Host {
			return b.deliver(s)
		}
		trail = append(trail, s.method+" "+s.url.Path)
		if s.url.Scheme != "https" || s.url.Host != b.opHost {
			return nil, fmt.Errorf("interop: browser sent to %s://%s, neither the OP nor the Relying Party (%s)",
				s.url.Scheme, s.url.Host, strings.Join(trail, ", "))
		}
		next, err := b.take(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("interop: browser at %s: %w", strings.Join(trail, ", "), err)
		}
		s = next
	}
	return nil, fmt.Errorf("interop: browser gave up after %d steps: %s", maxSteps, strings.Join(trail, ", "))
}

// deliver tells how a request to the Relying Party carries its parameters.
func (b *Browser) deliver(s step) (*Delivery, error) {
	if s.url.Path != b.rp.Path {
		return nil, fmt.Errorf("interop: answer delivered to %s, want %s", s.url.Path, b.rp.Path)
	}
	d := &Delivery{Mode: ModeQuery, URL: s.url}
	switch {
	case s.method == http.MethodPost:
		d.Mode, d.Form = ModeFormPost, s.form
	case s.url.Fragment != "":
		d.Mode = ModeFragment
	}
	return d, nil
}

// take makes one request and finds out what comes next.
func (b *Browser) take(ctx context.Context, s step) (step, error) {
	if b.page != nil && s.method == http.MethodGet {
		next, err := b.page(ctx, b, s.url)
		if err == nil {
			u, err := s.url.Parse(next)
			return step{method: http.MethodGet, url: u}, err
		}
		if !errors.Is(err, errNotScripted) {
			return step{}, err
		}
	}
	var body io.Reader
	if s.method == http.MethodPost {
		body = strings.NewReader(s.form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, s.method, s.url.String(), body)
	if err != nil {
		return step{}, err
	}
	req.Header.Set("Accept", "text/html")
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := b.client.Do(req)
	if err != nil {
		return step{}, err
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(io.LimitReader(resp.Body, maxPage))
	if err != nil {
		return step{}, err
	}
	if location := resp.Header.Get("Location"); location != "" && resp.StatusCode/100 == 3 {
		u, err := s.url.Parse(location)
		if err != nil {
			return step{}, err
		}
		// A browser repeats the method after 307 and 308 only (RFC 9110 15.4).
		if resp.StatusCode == http.StatusTemporaryRedirect || resp.StatusCode == http.StatusPermanentRedirect {
			return step{method: s.method, url: u, form: s.form}, nil
		}
		return step{method: http.MethodGet, url: u}, nil
	}
	if b.decided {
		// Whatever the OP says to that; some say it with an error, or in plain text.
		doc, err := html.Parse(bytes.NewReader(page))
		if err != nil {
			return step{}, err
		}
		return step{}, &lastPage{text(doc)}
	}
	kind := resp.Header.Get("Content-Type")
	if kind == "" {
		// As a browser does it; glewlwyd's self-submitting page has no type.
		kind = http.DetectContentType(page)
	}
	if t, _, err := mime.ParseMediaType(kind); err != nil || t != "text/html" || resp.StatusCode != http.StatusOK {
		return step{}, fmt.Errorf("the OP shows %s, %s: %s", resp.Status, kind, excerpt(string(page)))
	}
	return b.fill(s.url, string(page))
}

// fill finds the first form of a page and fills it in as the end-user would.
func (b *Browser) fill(at *url.URL, page string) (step, error) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return step{}, err
	}
	form := find(doc, atom.Form)
	if form == nil {
		if to := b.pressed(doc); to != "" {
			u, err := at.Parse(to)
			return step{method: http.MethodGet, url: u}, err
		}
		return step{}, &lastPage{text(doc)}
	}
	action, err := at.Parse(attr(form, "action"))
	if err != nil {
		return step{}, err
	}
	fields := url.Values{}
	pressed := false
	if button := refusal(doc, form); b.refuse && button != nil {
		fields.Add(attr(button, "name"), attr(button, "value"))
		pressed, b.decided = true, true
	}
	for n := range form.Descendants() {
		name := attr(n, "name")
		if name == "" {
			continue
		}
		value := attr(n, "value")
		switch {
		case n.DataAtom == atom.Button, n.DataAtom == atom.Input && attr(n, "type") == "submit":
			// Only the button that is pressed is sent.
			if !pressed {
				fields.Add(name, value)
				pressed = true
			}
		case n.DataAtom != atom.Input:
		case name == "user_code" && value == "" && b.userCode != "":
			fields.Add(name, b.userCode)
		case attr(n, "type") == "password", name == "password" && value == "":
			fields.Add(name, b.user.Password)
		case attr(n, "type") == "checkbox" || attr(n, "type") == "radio":
			if hasAttr(n, "checked") {
				fields.Add(name, value)
			}
		case value == "" && (attr(n, "type") == "text" || attr(n, "type") == "email" || attr(n, "type") == ""):
			fields.Add(name, b.user.Username)
		default:
			fields.Add(name, value)
		}
	}
	if strings.EqualFold(attr(form, "method"), http.MethodPost) {
		return step{method: http.MethodPost, url: action, form: fields}, nil
	}
	action.RawQuery = fields.Encode()
	return step{method: http.MethodGet, url: action}, nil
}

// pressed is where the button of a page without a form leads by its script: of two, the
// first allows and the last refuses. "": there is none.
func (b *Browser) pressed(doc *html.Node) (to string) {
	for n := range doc.Descendants() {
		address, ok := strings.CutPrefix(attr(n, "onclick"), "location.href='")
		if n.DataAtom != atom.Button || !ok {
			continue
		}
		if to == "" || b.refuse {
			to, b.decided = strings.TrimSuffix(address, "'"), true
		}
	}
	return to
}

// refusal is the button by which a form is refused: the last of those that have a name,
// in the form or outside of it. nil: there is none.
func refusal(doc, form *html.Node) (button *html.Node) {
	id := attr(form, "id")
	for n := range doc.Descendants() {
		if n.DataAtom != atom.Button || attr(n, "name") == "" {
			continue
		}
		inside := false
		for p := range n.Ancestors() {
			inside = inside || p == form
		}
		if inside || id != "" && attr(n, "form") == id {
			button = n
		}
	}
	return button
}

func find(n *html.Node, kind atom.Atom) *html.Node {
	for d := range n.Descendants() {
		if d.Type == html.ElementNode && d.DataAtom == kind {
			return d
		}
	}
	return nil
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func hasAttr(n *html.Node, key string) bool {
	for _, a := range n.Attr {
		if a.Key == key {
			return true
		}
	}
	return false
}

// text returns what a page says, without its markup and scripts.
func text(doc *html.Node) string {
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type == html.TextNode && n.Parent.DataAtom != atom.Script && n.Parent.DataAtom != atom.Style {
			b.WriteString(n.Data)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// excerpt shortens a page to what fits in an error.
func excerpt(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	const most = 400
	if len(s) > most {
		s = s[:most] + "..."
	}
	return s
}
