// Package fetch is the one place that speaks HTTP to a stranger.
//
// Everything a Relying Party asks of an OpenID Provider (WebFinger, discovery,
// key sets, tokens, claims) goes through [Client.Do], so that every bound is
// obeyed by every request: https unless asked otherwise, no private address at
// the moment of dialling, no dangerous port, no redirect away from the origin
// (and none at all for a request that carries a credential), no cookie, no
// proxy that nobody asked for, a deadline over everything from the name lookup
// to the last byte of the body, and a limit on the body both as received and as
// inflated.
//
// The package knows nothing of OpenID: an HTTP status is not an error here, and
// a body is bytes of an accepted media type.
package fetch

import (
	"context"
	"crypto/tls"
	"net/http"
	"time"
)

// Bounds on whatever a stranger controls.
const (
	// DefaultTimeout is the time that one fetch may take in all when
	// Config.Timeout is zero: lookup, dial, handshake, redirects and bodies.
	DefaultTimeout = 10 * time.Second

	// DefaultMaxBody is the limit of a body in bytes, as received and as
	// inflated, when Request.MaxBody is zero.
	DefaultMaxBody = 1 << 20

	// MaxRedirects is how many redirects an uncredentialed GET follows, all of
	// them within one origin.
	MaxRedirects = 3

	// MaxHeaderBytes limits the header of a response, informational (1xx)
	// responses before it included.
	MaxHeaderBytes = 64 << 10

	// MaxURL limits a URL in bytes.
	MaxURL = 8 << 10
)

// Config says how a Client behaves. It is read once, by New; its zero value is
// the hardened default.
type Config struct {
	// StrictTLS leaves of TLS 1.2 the cipher suites of RFC 9325 section 4.2.
	StrictTLS bool

	// HTTP is the http.Client whose transport is to be used; nil, or one with a
	// nil Transport, means a hardened transport of our own.
	//
	// A caller's client is copied and wrapped, never changed. Its Jar and
	// CheckRedirect are not used, and its Timeout applies where it is shorter
	// than ours. If its Transport is an *http.Transport, the transport is
	// cloned: TLS 1.2 becomes its lowest version, limits that are zero are
	// filled in, and its dialling is guarded. A dial function of the caller is
	// called with the name as it stands in the URL, and the address that it
	// connected to is checked before a byte is sent; what has no IP address (a
	// Unix socket, a pipe) is refused unless AllowPrivate names the host. A
	// DialTLSContext of the caller answers for its own TLS.
	//
	// Any other RoundTripper is used as it is. What then is NOT guarded: the
	// addresses that a name resolves to, proxies, the TLS version and the size
	// of a response's header. URLs, ports, literal addresses, redirects, bodies
	// and deadlines are guarded as ever.
	HTTP *http.Client

	// InsecureAllowHTTP admits http URLs. Zero: https only. A redirect from
	// https to http is refused all the same.
	InsecureAllowHTTP bool

	// AllowPrivate lists who may resolve to a loopback, private, link-local,
	// metadata or otherwise special address. Zero: nobody. An entry is
	//
	//   - a host exactly as URLs write it ("localhost", "op.corp.example",
	//     "127.0.0.1", "::1"), compared without regard to case; it also lifts
	//     the rule of dangerous ports for that host; or
	//   - a prefix ("10.0.0.0/8", "fd00::/8"): any host may resolve into it.
	//
	// A literal address is a host, not a prefix: "127.0.0.1" admits
	// https://127.0.0.1/ but not https://localhost/, nor a stranger's name that
	// resolves to it.
	AllowPrivate []string

	// Timeout is how long one fetch may take in all. Zero: DefaultTimeout. The
	// deadline of the context applies where it is earlier.
	Timeout time.Duration

	// Observe, if not nil, is called after every exchange, failed ones and each
	// hop of a redirect included, on the goroutine of the caller of Do. What it
	// is given is raw, secrets and all, and must neither be changed nor kept
	// after it returns.
	Observe func(ctx context.Context, x *Exchange)

	// Now tells the time for Exchange.Start and Exchange.Took. Nil: time.Now.
	// Deadlines are kept by the context's own clock.
	Now func() time.Time

	// Certificate is shown to a server that asks for one, whichever authorities
	// the server names. Zero: none. It needs a transport of ours, or an
	// *http.Transport that leaves TLS to net/http. A Client with a certificate
	// shares neither connections nor TLS sessions with any other.
	Certificate *tls.Certificate

	// UseProxyFromEnvironment honours HTTPS_PROXY, HTTP_PROXY and NO_PROXY as
	// net/http does. Zero: those variables are ignored, also for a caller's
	// transport whose Proxy is http.ProxyFromEnvironment (as that of a clone of
	// http.DefaultTransport is). Any other Proxy function of a caller's
	// transport is honoured: it was asked for.
	//
	// Through a proxy the address is the proxy's to choose. So the target's name
	// is resolved here first, and refused as if we dialled it ourselves; a name
	// that cannot be resolved here is refused too, unless AllowPrivate names it.
	// A proxy that sees another answer than we did is not guarded against.
	UseProxyFromEnvironment bool
}

// Request is one question to a server.
type Request struct {
	// Purpose says in a word or two what is fetched ("discovery", "token"), for
	// errors and observers.
	Purpose string
	// Method is the HTTP method. Zero: GET.
	Method string
	// URL is absolute and obeys CheckURL.
	URL string
	// Header is sent with our own User-Agent, Accept and Accept-Encoding, each of
	// which it may override but the last. It belongs to Do from then on, which
	// adds those to it. Zero: nothing more.
	Header http.Header
	// Body is sent with its length, once: it is never sent again, neither after
	// a redirect nor on a new connection. It is not changed. Zero: no body.
	Body []byte
	// Accept lists the media types that the body of a 200 or 201 may have,
	// without parameters, in lower case, compared exactly. Parameters of the
	// response's type are ignored, save a charset other than UTF-8, which is
	// refused. Zero: any type. Other statuses are not judged.
	Accept []string
	// Credentialed says that the request carries a code, token or secret, and so
	// follows no redirect at all. One with a Body or an Authorization header
	// counts as such in any case.
	Credentialed bool
	// MaxBody limits the response's body in bytes, as received and as inflated.
	// Zero or less: DefaultMaxBody.
	MaxBody int64
}

// Response is an answer, whatever its status, with the whole of its body.
type Response struct {
	// URL is where the answer came from: Request.URL unless redirected.
	URL string
	// Status is the HTTP status code.
	Status int
	// Header is the response's header as it came; what its Content-Encoding says
	// has been undone in Body.
	Header http.Header
	// MediaType is the Content-Type in lower case without its parameters; empty
	// if there is none or it does not parse.
	MediaType string
	// Body is the whole body, inflated. It belongs to the caller.
	Body []byte
}

// Exchange is what Config.Observe is given: one request and what came of it.
// Nothing in it is masked.
type Exchange struct {
	Purpose        string
	Method         string
	URL            string
	RequestHeader  http.Header
	RequestBody    []byte
	Status         int         // 0 if no response came
	ResponseHeader http.Header // nil if no response came
	ResponseBody   []byte      // inflated; nil if it was not read to its end
	Start          time.Time
	Took           time.Duration
	Err            error // nil, or an *Error
}
