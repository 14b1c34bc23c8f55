package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// browse is the program browser of the scripts: it opens its one argument as a
// browser does, scripts and forms of our pages and the OP's included, and writes
// the titles of the pages to $BROWSER_LOG. $BROWSER_MOOD changes what it does:
//
//	deny      the user refuses at the OP
//	closed    the user closes the window at once
//	stray     somebody else knocks at the redirect URI first, with another state
//	intruder  another browser opens the start page too
//	thief     the answer is delivered without the cookie
func browse() int {
	if len(os.Args) != 2 {
		fmt.Fprintf(os.Stderr, "browser: got %d arguments, want 1\n", len(os.Args)-1)
		return 2
	}
	w, err := newWindow()
	if err == nil {
		err = w.open(os.Args[1])
	}
	text := strings.Join(w.titles, "\n") + "\n"
	if err != nil {
		text += "error: " + err.Error() + "\n"
	}
	f, ferr := os.OpenFile(os.Getenv("BROWSER_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if ferr != nil {
		return 1
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		return 1
	}
	return 0
}

// window is a browser with one page.
type window struct {
	client *http.Client
	mood   string
	titles []string
}

func newWindow() (*window, error) {
	w := &window{mood: os.Getenv("BROWSER_MOOD")}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return w, err
	}
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if ca := os.Getenv("CA"); ca != "" {
		pem, err := os.ReadFile(ca)
		if err != nil {
			return w, err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(pem)
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	w.client = &http.Client{Jar: jar, Transport: t, Timeout: 10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return w, nil
}

// maxPages is how many pages a login may take.
const maxPages = 16

func (w *window) open(start string) error {
	if w.mood == "closed" {
		return nil
	}
	r, err := http.NewRequest(http.MethodGet, start, nil)
	if err != nil {
		return err
	}
	home := r.URL.Host
	for n := range maxPages {
		if w.mood == "deny" {
			r.Header.Set("Oidctest-Deny", "1")
		}
		if n > 0 && r.URL.Host == home {
			w.misbehave(start, r)
		}
		crossSite := r.Method == http.MethodPost && r.Header.Get("Origin") == "null"
		client := *w.client
		if crossSite {
			// SameSite=Lax: a POST from another site carries no cookie.
			client.Jar = nil
		}
		res, err := client.Do(r)
		if err != nil {
			return err
		}
		body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err = errors.Join(err, res.Body.Close()); err != nil {
			return err
		}
		if r.URL.Host == home && res.Header.Get("Content-Security-Policy") == "" {
			return fmt.Errorf("the page %s has no policy", r.URL.Path)
		}
		next, err := w.follow(r, res, string(body))
		if err != nil || next == nil {
			return err
		}
		r = next
	}
	return errors.New("too many pages")
}

// misbehave does what the mood says when the answer is about to be delivered.
func (w *window) misbehave(start string, r *http.Request) {
	switch w.mood {
	case "stray":
		u := *r.URL
		u.RawQuery = "code=stolen&state=" + strings.Repeat("x", 43)
		if res, err := http.Get(u.String()); err == nil {
			w.titles = append(w.titles, fmt.Sprintf("stray answered %d", res.StatusCode))
			res.Body.Close()
		}
	case "intruder":
		if res, err := http.Get(start); err == nil {
			w.titles = append(w.titles, fmt.Sprintf("intruder answered %d", res.StatusCode))
			res.Body.Close()
		}
	case "thief":
		w.client.Jar = nil
	default:
		return
	}
	w.mood = ""
}

var (
	titleForm = regexp.MustCompile(`<title>([^<]*)</title>`)
	openForm  = regexp.MustCompile(`<form id="([^"]*)" method="post" action="([^"]*)"`)
	inputForm = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)
)

// follow is the next request that the page leads to by itself, or nil.
func (w *window) follow(r *http.Request, res *http.Response, body string) (*http.Request, error) {
	if loc := res.Header.Get("Location"); loc != "" {
		u, err := r.URL.Parse(loc)
		if err != nil {
			return nil, err
		}
		fragment := u.Fragment
		raw := u.EscapedFragment()
		u.Fragment, u.RawFragment = "", ""
		if fragment == "" {
			return http.NewRequest(http.MethodGet, u.String(), nil)
		}
		return w.script(u, raw)
	}
	if m := titleForm.FindStringSubmatch(body); m != nil {
		w.titles = append(w.titles, html.UnescapeString(m[1]))
	}
	m := openForm.FindStringSubmatch(body)
	if m == nil || res.StatusCode != http.StatusOK || m[1] == "fragment" {
		return nil, nil
	}
	action, err := r.URL.Parse(html.UnescapeString(m[2]))
	if err != nil {
		return nil, err
	}
	fields := url.Values{}
	for _, in := range inputForm.FindAllStringSubmatch(body, -1) {
		fields.Add(html.UnescapeString(in[1]), html.UnescapeString(in[2]))
	}
	return post(action, fields, "null")
}

// script does what the script of our page does with the fragment.
func (w *window) script(u *url.URL, fragment string) (*http.Request, error) {
	res, err := w.client.Get(u.String())
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(res.Body)
	if err = errors.Join(err, res.Body.Close()); err != nil {
		return nil, err
	}
	m := openForm.FindStringSubmatch(string(body))
	if m == nil || m[1] != "fragment" {
		return nil, errors.New("the redirect URI has no page for a fragment")
	}
	action, err := u.Parse(html.UnescapeString(m[2]))
	if err != nil {
		return nil, err
	}
	return post(action, url.Values{"fragment": {fragment}}, u.Scheme+"://"+u.Host)
}

func post(u *url.URL, fields url.Values, origin string) (*http.Request, error) {
	r, err := http.NewRequest(http.MethodPost, u.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", origin)
	return r, nil
}

// chrome is the program chrome of the scripts: a real browser without a window.
// What the last page holds goes to $BROWSER_LOG.
func chrome() int {
	cmd := exec.Command("chromium", "--headless=new", "--no-sandbox", "--disable-gpu", "--user-data-dir="+os.Getenv("CHROME_DIR"),
		"--virtual-time-budget=2000", "--dump-dom", os.Args[1])
	out, err := cmd.Output()
	if err != nil {
		out = fmt.Appendf(out, "error: %v\n", err)
	}
	if err := os.WriteFile(os.Getenv("BROWSER_LOG"), out, 0o600); err != nil {
		return 1
	}
	return 0
}
