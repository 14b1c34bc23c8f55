package oidctest

import (
	"crypto/rsa"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Config says how an OP is run. The zero value is a strict provider on a free
// port of 127.0.0.1, with TLS, four users and automatic login. It is copied
// when the OP starts; later changes to it have no effect.
type Config struct {
	// Addr is the address to listen on, as for net.Listen. Empty means a free
	// port of 127.0.0.1.
	Addr string

	// PlainHTTP serves http in place of https, for a demonstration on
	// loopback. OpenID Connect requires TLS everywhere else.
	PlainHTTP bool

	// InMemory opens no socket: only [OP.HTTPClient] and the browsers of
	// [OP.Browser] reach the OP, under the name op.test and those of Hosts.
	// It suits testing/synctest, which needs every wait to be one it can see.
	// Addr is not used.
	InMemory bool

	// Issuer, if not empty, is the issuer of an OP that is embedded in another
	// server: nothing is listened on, the caller serves [OP.Handler] at the
	// host of this URL. Addr, PlainHTTP, InMemory and Path are not used.
	Issuer string

	// Path is the path of the issuer, for one of several tenants of a host:
	// "/t1" makes the issuer https://127.0.0.1:port/t1. Empty means none.
	Path string

	// TrailingSlash ends the issuer with a slash, as some providers do. It is part
	// of the identifier: iss has it, and so must whatever is compared with it.
	TrailingSlash bool

	// JWKSPath is where the keys are, below Path: a client that guesses jwks_uri
	// in place of reading it is found out. Empty means "/jwks".
	JWKSPath string

	// Hosts are further names under which the OP is reached: its certificate
	// covers them, WebFinger answers for accounts at them, and
	// [OP.HTTPClient] dials the OP for them. Names without a port.
	Hosts []string

	// Users are the people who can log in; the first is the one whom automatic
	// login chooses. Nil means [DefaultUsers].
	Users []User

	// Clients are registered when the OP starts, as by [OP.AddClient].
	Clients []Client

	// ManualLogin shows a page on which a person chooses whom to be. Zero
	// means that the first user, or the one that login_hint names, is logged
	// in and consents at once.
	ManualLogin bool

	// Now is the clock. Nil means time.Now.
	Now func() time.Time

	// Lifetimes; zero means the value named.
	CodeLifetime         time.Duration // 1 minute
	AccessTokenLifetime  time.Duration // 10 minutes
	IDTokenLifetime      time.Duration // 10 minutes
	RefreshTokenLifetime time.Duration // 30 days
	SessionLifetime      time.Duration // 12 hours; the login at the OP itself
	SecretLifetime       time.Duration // of dynamically registered secrets; zero means that they do not expire

	// AccessTokenAudience, if not empty, makes access tokens JWTs (RFC 9068) for
	// the resource server of that name. Zero means opaque ones.
	AccessTokenAudience string

	// RefreshAlways issues a refresh token to every client registered for the
	// grant. Zero means only with the scope offline_access.
	RefreshAlways bool

	// KeepRefreshTokens leaves a refresh token in force when it is used. Zero
	// means rotation: each use answers with a new one, and the use of an old
	// one revokes the whole grant (RFC 9700, section 4.14.2).
	KeepRefreshTokens bool

	// RefreshGrace is how long a rotated refresh token still answers, for the
	// relying party that lost the response. Zero means not at all.
	RefreshGrace time.Duration

	// ResourceMetadataSigningAlg also signs what the accounts and UserInfo say about
	// themselves, with this algorithm and as the OP (RFC 9728, section 2.2). Empty
	// means that it is plain JSON alone.
	ResourceMetadataSigningAlg string

	// RequirePAR refuses an authorization request that was not pushed (RFC 9126,
	// section 5). Zero means that one may be.
	RequirePAR bool

	// RequireSignedRequestObject refuses an authorization request that is not in
	// a signed request object (RFC 9101, section 10.5). Zero means that one may
	// be.
	RequireSignedRequestObject bool

	// PARLifetime is how long a pushed request waits for the browser. Zero
	// means 1 minute.
	PARLifetime time.Duration

	// AllowNoPKCE lets a code flow begin without a code_challenge. Zero means
	// that S256 is required of every client; plain is never accepted.
	AllowNoPKCE bool

	// AllowNoOpenID lets a code flow begin without the scope openid: OAuth 2.0
	// alone, of which no ID Token comes. Zero means that the scope is required
	// (Core 3.1.2.1).
	AllowNoOpenID bool

	// AllowAlgNone lets a client register for ID Tokens without a signature,
	// if it uses response_type code alone (Registration 1.0, section 2). Zero
	// means never.
	AllowAlgNone bool

	// ImplicitRefused leaves only response_type code. Zero means all six.
	ImplicitRefused bool

	// ClientDocuments lets a client be known by the URL of its metadata (OAuth Client
	// ID Metadata Document), which Client fetches anew for each authorization
	// request. Zero means that a client_id is what was registered.
	ClientDocuments bool

	// NoRegistration switches dynamic registration off.
	NoRegistration bool

	// InitialAccessToken, if not empty, is required at the registration
	// endpoint (RFC 7591, section 3).
	InitialAccessToken string

	// RotateRegistrationToken issues a new registration access token with
	// every read and update of a registration (RFC 7592, section 3).
	RotateRegistrationToken bool

	// RequireSoftwareStatement registers nobody without a software statement that
	// the OP trusts; see [OP.SoftwareStatement]. Zero means that one is read if it
	// is there.
	RequireSoftwareStatement bool

	// AwkwardCredentials issues client identifiers and secrets with
	// characters that must be percent-encoded in HTTP Basic authentication
	// (RFC 6749, section 2.3.1).
	AwkwardCredentials bool

	// MTLS says whether and where clients show a certificate (RFC 8705). Zero
	// means nowhere. An OP that is embedded in another server leaves TLS to that,
	// and has no aliases.
	MTLS MTLSMode

	// DPoPNonce demands a nonce of the OP's own in every DPoP proof (RFC 9449,
	// sections 8 and 9); see [OP.RotateDPoPNonce]. Zero means that none is asked
	// for.
	DPoPNonce bool

	// SessionManagement serves a check_session_iframe and answers with a
	// session_state (Session Management 1.0). Zero means neither.
	SessionManagement bool

	// StateHash puts s_hash, which ties the state to an ID Token, into those of the
	// authorization endpoint (FAPI 1.0 Part 2, section 5.1).
	StateHash bool

	// NoIssParameter leaves the iss parameter (RFC 9207) out of authorization
	// responses and out of the metadata.
	NoIssParameter bool

	// PollInterval is how long a client must wait between two polls for the
	// tokens of a device or backchannel authentication. Zero means 5 seconds.
	PollInterval time.Duration

	// DecisionTime is how long a person takes to approve a backchannel
	// authentication; a client that is pinged or pushed to hears of it then.
	// Zero means that it is approved at once, negative that it waits for
	// [OP.Approve] or [OP.Deny], and the client hears of it by [OP.Notify].
	DecisionTime time.Duration

	// Observe, if not nil, is called after each request, from the goroutine
	// that answered it. The request holds the credentials that it carried. It
	// must not call Close, which waits for that goroutine.
	Observe func(Request)

	// Client fetches what clients refer to, jwks_uri, sector_identifier_uri and request_uri,
	// and posts logout tokens to their backchannel_logout_uri. Nil means one that follows no redirect and trusts
	// the system's roots. Every fetch ends after 5 seconds.
	Client *http.Client

	// RSAKey signs RS* and PS* in place of a fresh 2048 bit key, which takes
	// some 60 ms to make; for suites that start hundreds of OPs. An OP that
	// shares its key with another cannot show that the two are told apart.
	RSAKey *rsa.PrivateKey

	// RotatedRSAKeys sign in turn after each [OP.RotateKeys], for the same reason.
	// Nil means a fresh key each time.
	RotatedRSAKeys []*rsa.PrivateKey

	// rand replaces crypto/rand, and keys the fresh keys, so that a test can
	// compare two runs.
	rand io.Reader
	keys *keyring
}

// String names the configuration without its tokens and keys.
func (c Config) String() string {
	return fmt.Sprintf("oidctest.Config{Addr: %q, Issuer: %q, Path: %q}", c.Addr, c.Issuer, c.Path)
}

// GoString names the configuration without its tokens and keys.
func (c Config) GoString() string { return c.String() }

// LogValue names the configuration without its tokens and keys.
func (c Config) LogValue() slog.Value { return slog.StringValue(c.String()) }

const (
	defaultCodeLifetime    = time.Minute
	defaultTokenLifetime   = 10 * time.Minute
	defaultRefreshLifetime = 30 * 24 * time.Hour
	defaultSessionLifetime = 12 * time.Hour
	defaultPARLifetime     = time.Minute

	memoryHost = "op.test" // of an OP in memory; RFC 6761 keeps .test free
)

// withDefaults returns c with every zero field filled in as it documents.
func (c Config) withDefaults() (Config, error) {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.CodeLifetime, defaultCodeLifetime},
		{&c.AccessTokenLifetime, defaultTokenLifetime},
		{&c.IDTokenLifetime, defaultTokenLifetime},
		{&c.RefreshTokenLifetime, defaultRefreshLifetime},
		{&c.SessionLifetime, defaultSessionLifetime},
		{&c.PARLifetime, defaultPARLifetime},
	} {
		if *d.field < 0 {
			return c, fmt.Errorf("oidctest: a lifetime is %v; it must not be negative", *d.field)
		}
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.SecretLifetime < 0 || c.RefreshGrace < 0 {
		return c, fmt.Errorf("oidctest: SecretLifetime and RefreshGrace must not be negative")
	}
	if c.PollInterval <= 0 {
		c.PollInterval = questionInterval
	}
	switch c.MTLS {
	case MTLSOff:
	case MTLSAliases, MTLSEverywhere:
		if c.PlainHTTP {
			return c, fmt.Errorf("oidctest: MTLS and PlainHTTP exclude each other")
		}
	default:
		return c, fmt.Errorf("oidctest: MTLS is %q", c.MTLS)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Addr == "" {
		c.Addr = "127.0.0.1:0"
	}
	if c.Users == nil {
		c.Users = DefaultUsers()
	}
	if c.Path != "" && (!strings.HasPrefix(c.Path, "/") || strings.HasSuffix(c.Path, "/") || strings.ContainsAny(c.Path, "?#{}")) {
		return c, fmt.Errorf("oidctest: Path is %q; it must begin with a slash, not end with one, and hold no query, fragment or brace", c.Path)
	}
	if c.JWKSPath != "" && (!strings.HasPrefix(c.JWKSPath, "/") || strings.ContainsAny(c.JWKSPath, "?#{}")) {
		return c, fmt.Errorf("oidctest: JWKSPath is %q; it must begin with a slash, and hold no query, fragment or brace", c.JWKSPath)
	}
	if c.Issuer != "" {
		u, err := url.Parse(c.Issuer)
		if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			return c, fmt.Errorf("oidctest: Issuer is %q; it must be an http or https URL without user, query and fragment", c.Issuer)
		}
		c.Path = strings.TrimSuffix(u.Path, "/")
		if u.Path == "/" {
			return c, fmt.Errorf("oidctest: Issuer is %q; write it without the final slash, and set TrailingSlash", c.Issuer)
		}
	}
	return c, nil
}

// TB is what the OP needs of a test; *testing.T and *testing.B are ones. A
// program that runs the OP outside a test does not link package testing.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
	Logf(format string, args ...any)
}

// Endpoint names one endpoint of the OP.
type Endpoint string

// The endpoints of the OP.
const (
	EndpointWebFinger     Endpoint = "webfinger"
	EndpointDiscovery     Endpoint = "discovery" // both well-known documents
	EndpointJWKS          Endpoint = "jwks"
	EndpointRegistration  Endpoint = "registration"
	EndpointManagement    Endpoint = "management"    // RFC 7592; its URL names the client
	EndpointPAR           Endpoint = "par"           // RFC 9126
	EndpointAuthorization Endpoint = "authorization" // the login page included
	EndpointToken         Endpoint = "token"
	EndpointUserInfo      Endpoint = "userinfo"
	EndpointClaims        Endpoint = "claims"                     // of a distributed claim; see UserInfoDistributed
	EndpointAccounts      Endpoint = "accounts"                   // a resource beside UserInfo, of no specification; the metadata does not name it
	EndpointResource      Endpoint = "resource_metadata"          // RFC 9728: what the accounts say about themselves, and UserInfo
	EndpointDevice        Endpoint = "device_authorization"       // RFC 8628
	EndpointVerification  Endpoint = "verification"               // the page at verification_uri
	EndpointBackchannel   Endpoint = "backchannel_authentication" // CIBA
	EndpointRevocation    Endpoint = "revocation"
	EndpointIntrospection Endpoint = "introspection"
	EndpointEndSession    Endpoint = "end_session"
	EndpointCheckSession  Endpoint = "check_session" // the page of an iframe; see Config.SessionManagement
	EndpointNone          Endpoint = "none"          // a request for a path that the OP does not serve
)

// Endpoints returns every endpoint of the OP, in the order of a login.
func Endpoints() []Endpoint {
	return []Endpoint{
		EndpointWebFinger, EndpointDiscovery, EndpointJWKS, EndpointRegistration, EndpointManagement,
		EndpointPAR, EndpointAuthorization, EndpointToken, EndpointUserInfo, EndpointClaims, EndpointResource, EndpointAccounts, EndpointRevocation, EndpointIntrospection, EndpointEndSession,
		EndpointCheckSession, EndpointDevice, EndpointVerification, EndpointBackchannel,
	}
}

var _ http.Handler = (*site)(nil)
