package oidc

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"rely.example/internal/fetch"
	"rely.example/internal/strictjson"
)

// env is what Options become: read once, never changed, shared by a Provider
// and its Clients.
type env struct {
	http   *fetch.Client
	config fetch.Config // what http was made from
	now    func() time.Time
	skew   time.Duration
	trace  *Trace
	opts   Options
}

func newEnv(o *Options) (*env, error) {
	e := &env{now: time.Now, skew: DefaultClockSkew}
	if o != nil {
		e.opts = *o
		if o.Tenants != nil {
			if err := o.Tenants.check(); err != nil {
				return nil, err
			}
			e.opts.Tenants = &Tenants{Template: o.Tenants.Template, IDs: slices.Clone(o.Tenants.IDs)}
		}
		e.trace = o.Trace
		if o.Now != nil {
			e.now = o.Now
		}
		switch {
		case o.ClockSkew < 0:
			e.skew = 0
		case o.ClockSkew > 0:
			e.skew = o.ClockSkew
		}
	}
	timeout := e.opts.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	c := fetch.Config{
		HTTP:                    e.opts.HTTPClient,
		InsecureAllowHTTP:       e.opts.InsecureAllowHTTP,
		AllowPrivate:            e.opts.AllowPrivate,
		Timeout:                 timeout,
		Now:                     e.opts.Now,
		UseProxyFromEnvironment: e.opts.ProxyFromEnvironment,
		StrictTLS:               e.opts.StrictTLS,
	}
	if t := e.trace; t != nil && t.Exchange != nil {
		c.Observe = func(ctx context.Context, x *fetch.Exchange) {
			t.exchange(ctx, Exchange{
				Step: x.Purpose, Method: x.Method, URL: x.URL,
				RequestHeader: x.RequestHeader.Clone(), RequestBody: string(x.RequestBody),
				Status: x.Status, ResponseHeader: x.ResponseHeader.Clone(), ResponseBody: string(x.ResponseBody),
				Start: x.Start, Took: x.Took, Err: x.Err,
			})
		}
	}
	e.config = c
	var err error
	if e.http, err = fetch.New(c); err != nil {
		return nil, &InputError{Reason: BadConfig, Field: "Options", Detail: err.Error(), Err: err}
	}
	return e, nil
}

func (e *env) checker(ctx context.Context, step string) *checker {
	return &checker{ctx: ctx, trace: e.trace, step: step}
}

// do sends one request. The error, if any, tells whose fault it is.
func (e *env) do(ctx context.Context, r *fetch.Request) (*fetch.Response, error) {
	res, err := e.http.Do(ctx, r)
	if err != nil {
		return nil, fetchFailed(r.Purpose, err)
	}
	return res, nil
}

// fetchFailed sorts a failure by whose fault it is.
func fetchFailed(step string, err error) error {
	fe, ok := errors.AsType[*fetch.Error](err)
	if !ok {
		return &TransportError{Step: step, Detail: err.Error(), Err: err}
	}
	p := &ProtocolError{Step: step, Detail: printable(strings.TrimPrefix(fe.Error(), "fetch: "+step+": ")), Err: err}
	switch fe.Kind {
	case fetch.TooLarge:
		p.Reason = ResponseTooLarge
	case fetch.BadRedirect:
		p.Reason = UnexpectedRedirect
	case fetch.Insecure:
		p.Reason = InsecureURL
	case fetch.PrivateAddress, fetch.BadPort:
		p.Reason = ForbiddenAddress
	case fetch.BadURL:
		p.Reason = BadMetadata
	case fetch.BadMediaType:
		p.Reason = UnexpectedMediaType
	case fetch.BadEncoding, fetch.BadResponse, fetch.Truncated:
		p.Reason = MalformedResponse
	case fetch.BadRequest:
		return &InputError{Reason: BadParameter, Field: step, Detail: p.Detail, Err: err}
	default:
		return &TransportError{Step: step, Detail: p.Detail, Err: err}
	}
	return p
}

// malformed is the error for JSON that strictjson refused.
func malformed(step, spec string, err error) *ProtocolError {
	return &ProtocolError{Reason: MalformedResponse, Step: step, Spec: spec, Detail: err.Error(), Err: err}
}

// errorBody is what every error response of OAuth 2.0 has (RFC 6749 section 5.2).
type errorBody struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	URI         string `json:"error_uri"`
}

// member reads one member of an object that may be an error response.
func (b *errorBody) member(name, value string) error {
	switch name {
	case "error":
		return readMember(&b.Error, name, value)
	case "error_description":
		return readMember(&b.Description, name, value)
	case "error_uri":
		return readMember(&b.URI, name, value)
	}
	return nil
}

// readMember reads a member, as strictjson.Scan shows it, that is a string if it
// is anything: null counts as absent.
func readMember(to *string, name, value string) error {
	if value == "null" {
		return nil
	}
	text, ok := strictjson.Text(value)
	if !ok {
		return &strictjson.Error{Kind: strictjson.WrongType, Path: "/" + name, Detail: "expected string"}
	}
	*to = text
	return nil
}

// refused turns an HTTP response that is no success into an OPError, with the
// code and words that the OP gave in its body or in WWW-Authenticate (RFC 6750
// section 3). A body that cannot be read costs the words, never the error.
func (e *env) refused(endpoint string, r *fetch.Response) *OPError {
	op := &OPError{Endpoint: endpoint, StatusCode: r.Status, RetryAfter: retryAfter(r.Header, e.now())}
	if body := readErrorBody(r); body.Error != "" {
		op.Code, op.Description, op.URI = body.Error, body.Description, body.URI
		return op
	}
	for _, ch := range readChallenges(r.Header) {
		if p := ch.params; p["error"] != "" {
			op.Code, op.Description, op.URI = p["error"], p["error_description"], p["error_uri"]
			return op
		}
	}
	return op
}

// readErrorBody is the error response in a body; zero if it cannot be read as one.
func readErrorBody(r *fetch.Response) errorBody {
	var body errorBody
	if !strings.HasSuffix(r.MediaType, "json") || strictjson.Unmarshal(r.Body, &body) != nil {
		return errorBody{}
	}
	return body
}

// maxRetryAfter bounds what an OP may ask us to wait.
const maxRetryAfter = 24 * time.Hour

func retryAfter(h http.Header, now time.Time) time.Duration {
	v, d := h.Get("Retry-After"), time.Duration(0)
	if secs, err := strconv.ParseInt(v, 10, 64); err == nil {
		// Clamped before it is multiplied, so that it cannot wrap around.
		d = time.Duration(min(max(secs, 0), int64(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(v); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}
