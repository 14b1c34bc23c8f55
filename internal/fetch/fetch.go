package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// userAgent names us to the server's operator (RFC 9110, section 10.1.5).
const userAgent = "rely/0.1"

// Client fetches. It is made by New and safe for concurrent use.
type Client struct {
	guard     *guard
	roundTrip http.RoundTripper
	proxy     func(*http.Request) (*url.URL, error) // nil: none
	allowHTTP bool
	timeout   time.Duration
	observe   func(ctx context.Context, x *Exchange)
	now       func() time.Time
	pools     pools
	checked   checkedURLs
}

// New returns a Client. It fails if an entry of AllowPrivate is neither a host
// nor a prefix, if Timeout is negative, or if the given transport cannot speak
// TLS 1.2 or show Certificate.
func New(cfg Config) (*Client, error) {
	g, err := newGuard(cfg.AllowPrivate)
	if err != nil {
		return nil, err
	}
	if cfg.Timeout < 0 {
		return nil, fmt.Errorf("fetch: Timeout is %v: want 0 for %v, or more", cfg.Timeout, DefaultTimeout)
	}
	c := &Client{
		guard:     g,
		allowHTTP: cfg.InsecureAllowHTTP,
		timeout:   cfg.Timeout,
		observe:   cfg.Observe,
		now:       cfg.Now,
	}
	if c.timeout == 0 {
		c.timeout = DefaultTimeout
	}
	if c.now == nil {
		c.now = time.Now
	}
	var given http.RoundTripper
	if cfg.HTTP != nil {
		given = cfg.HTTP.Transport
		if t := cfg.HTTP.Timeout; t > 0 && t < c.timeout {
			c.timeout = t
		}
	}
	var t *http.Transport
	switch given := given.(type) {
	case nil:
		t = newTransport(g)
	case *http.Transport:
		if t, err = guardTransport(given, g, cfg.UseProxyFromEnvironment); err != nil {
			return nil, err
		}
	default:
		if cfg.Certificate != nil {
			return nil, fmt.Errorf("fetch: a %T cannot be given a certificate: want an *http.Transport", given)
		}
		c.roundTrip = given
		return c, nil
	}
	if cfg.Certificate != nil {
		if t.DialTLSContext != nil {
			return nil, errors.New("fetch: a transport that dials TLS by itself cannot be given a certificate")
		}
		ShowCertificate(t, cfg.Certificate)
	}
	if cfg.StrictTLS {
		t.TLSClientConfig.CipherSuites = strictCipherSuites()
	}
	c.proxy = t.Proxy
	if c.proxy == nil && cfg.UseProxyFromEnvironment {
		c.proxy = http.ProxyFromEnvironment
	}
	if c.proxy != nil {
		viaProxy(t)
	}
	c.roundTrip = t
	return c, nil
}

// CloseIdleConnections closes connections that nobody uses at the moment. A
// Client needs no other end.
func (c *Client) CloseIdleConnections() {
	if t, ok := c.roundTrip.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Do sends a request and returns the response with the whole of its body. A
// status of any kind is a response; an error is always an *Error.
func (c *Client) Do(ctx context.Context, r *Request) (*Response, error) {
	if r == nil {
		return nil, &Error{Kind: BadRequest, Detail: "the request is nil"}
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// do follows redirects, within the deadline of ctx.
func (c *Client) do(ctx context.Context, r *Request) (*Response, *Error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	u, err := c.checkedURL(r.URL)
	if err != nil {
		err.Purpose = r.Purpose
		return nil, err
	}
	header := requestHeader(r)
	for hops, at := 0, r.URL; ; hops++ {
		x := Exchange{Purpose: r.Purpose, Method: method, URL: at, RequestHeader: header, RequestBody: r.Body}
		if c.observe != nil {
			x.Start = c.now()
		}
		resp, err := c.exchange(ctx, r, method, u, header, &x)
		var next *url.URL
		if err == nil && isRedirect(resp.Status) {
			next, err = c.redirect(r, method, u, resp, hops)
		}
		if err != nil {
			err.Purpose, err.URL, err.Status = r.Purpose, shown(u), x.Status
		}
		if c.observe != nil {
			x.Took = c.now().Sub(x.Start)
			if err != nil {
				x.Err = err
			}
			seen := x // on the heap only where somebody looks
			c.observe(ctx, &seen)
		}
		if err != nil {
			return nil, err
		}
		if next == nil {
			return resp, nil
		}
		u, at = next, next.String()
	}
}

// exchange sends one request and reads one response.
func (c *Client) exchange(ctx context.Context, r *Request, method string, u *url.URL, header http.Header, x *Exchange) (*Response, *Error) {
	if err := ctx.Err(); err != nil {
		return nil, classify(err)
	}
	req := (&http.Request{
		Method: method,
		URL:    u,
		Host:   u.Host,
		Header: header,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(ctx)
	if len(r.Body) > 0 {
		// No GetBody: without it net/http never sends a body again once it has
		// begun to (a code is for one use, RFC 6749, section 10.5).
		req.Body = io.NopCloser(bytes.NewReader(r.Body))
		req.ContentLength = int64(len(r.Body))
	}
	if c.proxy != nil {
		ctx, err := c.withProxy(ctx, req)
		if err != nil {
			return nil, classify(err)
		}
		req = req.WithContext(ctx)
	}
	resp, err := c.roundTrip.RoundTrip(req)
	if err != nil {
		return nil, classifyIn(ctx, err)
	}
	if resp == nil || resp.Body == nil {
		return nil, &Error{Kind: BadResponse, Detail: "the RoundTripper given in HTTP returned no response, or one without a Body"}
	}
	defer resp.Body.Close()
	x.Status, x.ResponseHeader = resp.StatusCode, resp.Header

	if resp.StatusCode == http.StatusSwitchingProtocols {
		return nil, &Error{Kind: BadResponse, Detail: "the server switched to another protocol, which was not asked for"}
	}
	limit := r.MaxBody
	if limit <= 0 {
		limit = DefaultMaxBody
	}
	body, fail := c.pools.readBody(resp, limit)
	if ctx.Err() != nil && (fail == nil || fail.Kind == Truncated) {
		// A transport may report the deadline as a broken connection; and a
		// server that sees ours close may still end its body, so that a part of
		// it looks like the whole.
		fail = classify(ctx.Err())
	}
	if fail != nil {
		return nil, fail
	}
	x.ResponseBody = body
	media, charset, parseErr := mediaType(resp.Header)
	if len(r.Accept) > 0 && (resp.StatusCode == http.StatusOK || resp.StatusCode == http.StatusCreated) {
		if fail := checkMedia(resp, media, charset, parseErr, r.Accept); fail != nil {
			return nil, fail
		}
	}
	return &Response{URL: x.URL, Status: resp.StatusCode, Header: resp.Header, MediaType: media, Body: body}, nil
}

// classifyIn is classify for a request under ctx, whose end a transport may
// report as one of many other errors. Its own verdicts go first: a certificate
// is bad even if the deadline passed meanwhile.
func classifyIn(ctx context.Context, err error) *Error {
	e := classify(err)
	if e.Kind == Unreachable && ctx.Err() != nil {
		return classify(ctx.Err())
	}
	return e
}

// requestHeader is what is sent: the caller's, and ours where it left room.
func requestHeader(r *Request) http.Header {
	h := r.Header
	if h == nil {
		h = make(http.Header, 3)
	}
	for k, v := range h {
		if canonical := http.CanonicalHeaderKey(k); canonical != k {
			delete(h, k)
			h[canonical] = v
		}
	}
	own := [...]string{userAgent, "", "identity"} // one piece of memory for all three
	if h["User-Agent"] == nil {
		h["User-Agent"] = own[0:1:1]
	}
	if len(r.Accept) > 0 && h["Accept"] == nil {
		own[1] = strings.Join(r.Accept, ", ")
		h["Accept"] = own[1:2:2]
	}
	h["Accept-Encoding"] = own[2:3:3]
	return h
}

// isRedirect reports whether a status sends the client elsewhere (RFC 9110,
// section 15.4). 300 and 304 do not.
func isRedirect(status int) bool {
	switch status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return true
	}
	return false
}

// redirect returns where a response sends us, if we go there.
func (c *Client) redirect(r *Request, method string, u *url.URL, resp *Response, hops int) (*url.URL, *Error) {
	locations := resp.Header["Location"]
	if len(locations) != 1 {
		return nil, &Error{Kind: BadRedirect, Detail: fmt.Sprintf("status %d with %d Location fields: want one", resp.Status, len(locations))}
	}
	if len(locations[0]) > MaxURL {
		return nil, &Error{Kind: BadRedirect, Detail: fmt.Sprintf("status %d to a URL of %d bytes, more than the limit of %d", resp.Status, len(locations[0]), MaxURL)}
	}
	next, err := u.Parse(locations[0])
	if err != nil {
		return nil, &Error{Kind: BadRedirect, Detail: fmt.Sprintf("status %d to a URL that does not parse", resp.Status)}
	}
	next.Fragment, next.RawFragment = "", "" // RFC 9110, section 10.2.2: for a browser's eyes
	refuse := func(why string) (*url.URL, *Error) {
		return nil, &Error{Kind: BadRedirect, Detail: fmt.Sprintf("status %d from %s to %s: %s", resp.Status, origin(u), clip(origin(next), 256), why)}
	}
	switch {
	case r.Credentialed || len(r.Body) > 0 || r.Header.Get("Authorization") != "":
		return refuse("a request that carries a code, token or secret follows no redirect; configure the URL that answers")
	case method != http.MethodGet:
		return refuse("only a GET follows a redirect; configure the URL that answers")
	case u.Scheme == "https" && next.Scheme == "http":
		return refuse("a redirect from https to http is not followed")
	case origin(u) != origin(next):
		return refuse("a redirect to another origin is not followed; configure the URL that answers")
	case hops == MaxRedirects:
		return refuse(fmt.Sprintf("more than %d redirects", MaxRedirects))
	}
	checked, fail := c.checkURL(next.String())
	if fail != nil {
		return nil, &Error{Kind: BadRedirect, Err: errors.New(fail.Detail), Detail: fmt.Sprintf("status %d from %s to a URL that is not fetched: %s", resp.Status, origin(u), fail.Detail)}
	}
	return checked, nil
}
