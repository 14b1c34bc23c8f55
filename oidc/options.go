package oidc

import (
	"net/http"
	"time"
)

// Bounds on what a stranger controls and on how long we wait for one. The
// bounds on bodies, redirects and tokens are those of internal/fetch and
// internal/jose.
const (
	// DefaultTimeout is how long one exchange with an OP may take in all.
	DefaultTimeout = 10 * time.Second
	// DefaultClockSkew is how far an OP's clock may be off from ours.
	DefaultClockSkew = time.Minute
	// DefaultMetadataAge is the age at which discovered metadata is fetched anew.
	DefaultMetadataAge = 12 * time.Hour
	// DefaultLoginLifetime is how long a login may take, from Begin to Finish.
	DefaultLoginLifetime = time.Hour
	// DefaultMaxIDTokenAge is how long ago an ID Token may have been issued.
	DefaultMaxIDTokenAge = time.Hour
	// MaxAuthResponse bounds an authentication response, in bytes.
	MaxAuthResponse = 64 << 10
	// MaxAuthURL bounds the URL of an authentication request, in bytes; beyond
	// it browsers, proxies and servers disagree.
	MaxAuthURL = 8 << 10
	// MaxRequestURI bounds the request_uri that an OP gives for a pushed request,
	// in bytes.
	MaxRequestURI = 2 << 10
	// MaxCode bounds an authorization code, in bytes.
	MaxCode = 4 << 10
	// MaxState bounds a state, in bytes.
	MaxState = 512
	// MaxAccessToken bounds an access or refresh token, in bytes.
	MaxAccessToken = 64 << 10
	// MaxSubject is the longest sub there is (Core section 2).
	MaxSubject = 255
)

// Options are what the calls that reach an OP have in common. A nil *Options is
// the zero value, which has the hardened defaults. Options must not change once
// they were handed over.
type Options struct {
	// HTTPClient carries the requests. It is copied and never changed; its
	// redirect policy, cookie jar and timeout are not used. Nil means a client
	// of this package's own: TLS 1.2 or better, HTTP/2, connections kept.
	HTTPClient *http.Client

	// Now is the clock; nil means time.Now.
	Now func() time.Time

	// ClockSkew is how far the OP's clock may be off, applied to both ends of
	// every time check. Zero means DefaultClockSkew, a negative value none.
	ClockSkew time.Duration

	// Timeout bounds one exchange in all: connection, request, whole body.
	// Zero means DefaultTimeout.
	Timeout time.Duration

	// MetadataAge is the age at which discovered metadata is fetched anew, in
	// passing, by the next Begin. Zero means DefaultMetadataAge, a negative
	// value never.
	MetadataAge time.Duration

	// Trace sees what happens; nil means nobody does.
	Trace *Trace

	// AllowPrivate names who may be at a loopback, private or link-local
	// address: exact host names without port ("localhost", "op.corp.example",
	// "127.0.0.1") or prefixes ("10.0.0.0/8"). An OP inside one's own network
	// needs its name here. Empty means nobody may.
	AllowPrivate []string

	// AllowPorts are ports, beside 443 and 8443, that an identifier given to
	// FindIssuer may carry. A host named in AllowPrivate may have any port.
	AllowPorts []int

	// ProxyFromEnvironment honours HTTPS_PROXY and NO_PROXY. Behind a proxy the
	// guard of AllowPrivate is the proxy's task. Ignored if HTTPClient is set.
	ProxyFromEnvironment bool

	// Tenants are the tenants of an OP whose metadata names a template of issuers
	// (Microsoft Entra). Nil means that the issuer is one, which is compared
	// exactly.
	Tenants *Tenants

	// StrictTLS leaves of TLS 1.2 the cipher suites that RFC 9325 section 4.2
	// recommends, which the FAPI profiles demand: ephemeral keys and AES-GCM. Zero
	// means those of crypto/tls. It cannot be seen to where HTTPClient has a
	// RoundTripper that is no *http.Transport; who gives one sees to it.
	StrictTLS bool

	// InsecureAllowHTTP lets the issuer and its endpoints be http URLs. Codes,
	// secrets and tokens then travel in the clear: for a loopback OP in
	// development, nothing else.
	InsecureAllowHTTP bool

	// InsecureSkipIssuerMatch accepts metadata whose issuer is not the URL that
	// it was fetched for (Discovery section 4.3 forbids it). The document's
	// issuer is then the Provider's issuer, and ID Tokens must name exactly
	// that. It is pyoidc's allow["issuer_mismatch"].
	InsecureSkipIssuerMatch bool
}
