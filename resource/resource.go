package resource

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"rely.example/internal/seal"
	"rely.example/oidc"
	"rely.example/store"
	"rely.example/store/memstore"
)

// Defaults and bounds.
const (
	// DefaultProofAge is how long ago a DPoP proof may have been made.
	DefaultProofAge = time.Minute
	// DefaultNonceAge is how long a DPoP nonce of ours is good.
	DefaultNonceAge = 5 * time.Minute
	// MaxProof bounds a DPoP proof, in bytes. One with an RSA key of 8192 bits
	// has about 3 KiB.
	MaxProof = 8 << 10
)

// Config is what a Server is made of. It must not change afterwards.
type Config struct {
	// Resource is the identifier of this API: an https URL without fragment, which
	// access tokens name in aud and the metadata names as resource (RFC 8707
	// section 2, RFC 9728 section 1.2). Required.
	Resource string

	// Providers are the OPs whose access tokens are accepted. At least one is
	// required. One that is down when the program starts need not be discovered:
	// oidc.NewProvider with Issuer and JWKSURI asks nobody until a token comes.
	Providers []*oidc.Provider

	// Tokens says which access tokens are accepted. Without Audiences it is those
	// for Resource.
	Tokens oidc.AccessTokenConfig

	// Introspect are clients that ask their OP about tokens that are no JWT (RFC
	// 7662), one at each OP that gives such tokens. Nil refuses them. Each request
	// costs a call.
	Introspect []*oidc.Client

	// Origin is where clients reach this API, for the htu of DPoP proofs: scheme
	// and host, and a path if a proxy in front takes one away. It is never made of
	// what a request says (Host, X-Forwarded-Host). Empty means scheme and host of
	// Resource.
	Origin string

	// Store keeps the identifiers of DPoP proofs until they are too old to be used
	// again. Processes that share one are one API. Nil means one in the memory of
	// this process.
	Store store.Store

	// ProofAge is how long ago a DPoP proof may have been made. Zero means
	// DefaultProofAge. The clocks may differ by ClockSkew beside it.
	ProofAge time.Duration

	// ProofAlgorithms are what DPoP proofs may be signed with. Nil means ES256,
	// Ed25519, EdDSA, PS256, ES384, ES512 and RS256.
	ProofAlgorithms []string

	// RequireNonce demands a nonce of ours in each DPoP proof (RFC 9449 section
	// 9), so that proofs cannot be made ahead. Keys seal the nonces; processes
	// that share them accept each other's. Nil Keys mean one of this process.
	RequireNonce bool
	Keys         [][]byte
	// NonceAge is how long a nonce is good. Zero means DefaultNonceAge.
	NonceAge time.Duration

	// Certificate returns the certificate that the client has shown, with proof of
	// its key, where a proxy in front ends TLS and tells. It must believe nobody
	// but that proxy. Nil means the certificate of the connection itself.
	Certificate func(r *http.Request) *x509.Certificate

	// About is what the metadata says beside the names.
	About About

	// Trace sees the checks of DPoP proofs and of what a request needs; those of
	// tokens are told to the Trace of their Provider.
	Trace *oidc.Trace

	// ClockSkew is how far a client's clock may be off, for DPoP proofs. Zero
	// means oidc.DefaultClockSkew, a negative value none.
	ClockSkew time.Duration

	// InsecureAllowHTTP lets Resource and Origin be http URLs, for development on
	// loopback. Tokens then travel in the clear.
	InsecureAllowHTTP bool

	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// About is what an API tells of itself in its metadata (RFC 9728 section 2).
type About struct {
	// Scopes are the scopes that there are; also those of the challenge to who
	// brings no token.
	Scopes []string
	// Name and Documentation are for people: a name, and the URL of a page.
	Name, Documentation string
}

// Server is a resource server. It is safe for concurrent use, and has nothing
// that runs beside the requests.
type Server struct {
	c         Config
	verifiers []*oidc.AccessTokenVerifier
	asking    []*oidc.AccessTokenVerifier // those that introspect
	origin    string                      // scheme://host[:port][/path], in normal form
	ring      seal.Ring
	now       func() time.Time
	skew      time.Duration

	metadata     []byte
	metadataURL  string
	metadataPath string
}

// New makes a Server. It reaches nobody.
func New(c Config) (*Server, error) {
	bad := func(field, detail string) (*Server, error) {
		return nil, &Error{Reason: BadConfig, Detail: "Config." + field + ": " + detail}
	}
	resource, err := checkURL(c.Resource, c.InsecureAllowHTTP)
	if err != nil {
		return bad("Resource", err.Error())
	}
	s := &Server{c: c, now: c.Now, skew: c.ClockSkew}
	if s.now == nil {
		s.now = time.Now
	}
	switch {
	case s.skew < 0:
		s.skew = 0
	case s.skew == 0:
		s.skew = oidc.DefaultClockSkew
	}
	if c.Origin == "" {
		resource := *resource
		resource.Path, resource.RawPath, resource.RawQuery = "", "", ""
		c.Origin = resource.String()
	}
	if s.origin, err = normalOrigin(c.Origin, c.InsecureAllowHTTP); err != nil {
		return bad("Origin", err.Error())
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		zero  time.Duration
	}{{"ProofAge", &s.c.ProofAge, DefaultProofAge}, {"NonceAge", &s.c.NonceAge, DefaultNonceAge}} {
		if *d.value < 0 {
			return bad(d.name, "it is negative")
		}
		if *d.value == 0 {
			*d.value = d.zero
		}
	}
	if s.c.ProofAlgorithms == nil {
		s.c.ProofAlgorithms = []string{"ES256", "Ed25519", "EdDSA", "PS256", "ES384", "ES512", "RS256"}
	}
	if s.c.Store == nil {
		s.c.Store = &memstore.Store{Now: c.Now}
	}
	if s.ring, err = seal.New("rely.example/resource", c.Keys); err != nil {
		return bad("Keys", err.Error())
	}
	if s.c.Tokens.Audiences == nil {
		s.c.Tokens.Audiences = []string{c.Resource}
	}
	if len(c.Providers) == 0 {
		return bad("Providers", "there is none, so that no token could be accepted")
	}
	for i, p := range c.Providers {
		tokens := s.c.Tokens
		for _, asks := range c.Introspect {
			if asks != nil && p != nil && asks.Provider().Issuer() == p.Issuer() {
				tokens.Introspect = asks
			}
		}
		v, err := oidc.NewAccessTokenVerifier(p, tokens)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(s.verifiers, func(o *oidc.AccessTokenVerifier) bool { return o.Provider().Issuer() == p.Issuer() }) {
			return bad(fmt.Sprintf("Providers[%d]", i), "another one has the same issuer")
		}
		s.verifiers = append(s.verifiers, v)
		if tokens.Introspect != nil {
			s.asking = append(s.asking, v)
		}
	}
	if len(s.asking) < len(c.Introspect) {
		return bad("Introspect", "each client belongs to one of Providers, and to another one")
	}
	return s, s.makeMetadata(resource)
}

// checkURL reads an identifier or origin of ours.
func checkURL(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || strings.Contains(raw, "#"):
		return nil, fmt.Errorf("%.200q is no https URL without fragment", raw)
	case u.Scheme == "https" || u.Scheme == "http" && allowHTTP:
		return u, nil
	}
	return nil, fmt.Errorf("%.200q is no https URL", raw)
}

// Check verifies everything about a request: that it brings one access token, by
// the Authorization header; the token itself (oidc.AccessTokenVerifier); if it is
// bound to a key, the DPoP proof for this very request; and that the token is
// enough for what the request needs. A proof that it accepts is used up.
//
// An *Error, or an *oidc.ProtocolError about the token, says why it is not;
// Refuse answers it.
func (s *Server) Check(r *http.Request, n Needs) (*oidc.AccessToken, error) {
	scheme, token, err := credentials(r)
	if err != nil {
		return nil, err
	}
	ctx := r.Context()
	var by oidc.Presenter
	var p *proof
	if scheme == schemeDPoP {
		if p, err = s.checkProof(ctx, r, token); err != nil {
			return nil, err
		}
		by.KeyThumbprint = p.thumbprint
	}
	by.CertificateThumbprint = s.certificate(r)
	t, err := s.verify(ctx, token, by)
	if err != nil {
		return nil, err
	}
	if p != nil {
		// Only now, so that nobody fills the store who has no token.
		if err := s.useUp(ctx, p); err != nil {
			return nil, err
		}
	}
	return t, s.enough(ctx, t, n)
}

// verify finds who can tell of a token. An opaque one is asked about at each OP that
// gives such, until one knows it; one that does not answer does not stand in the way
// of the others.
func (s *Server) verify(ctx context.Context, token string, by oidc.Presenter) (*oidc.AccessToken, error) {
	if strings.Count(token, ".") != 2 && len(s.asking) > 0 {
		var inactive, unknown error
		for _, v := range s.asking {
			t, err := v.Verify(ctx, token, by)
			switch {
			case errors.Is(err, oidc.InactiveToken):
				inactive = err
			case err != nil && Status(err) == http.StatusServiceUnavailable:
				unknown = err
			default:
				return t, err
			}
		}
		if unknown != nil {
			return nil, unknown
		}
		return nil, inactive
	}
	v, err := s.verifier(token)
	if err != nil {
		return nil, err
	}
	return v.Verify(ctx, token, by)
}

// Needs are what a request needs of its access token. The zero value needs a good
// token and nothing else.
type Needs struct {
	// Scopes are all needed.
	Scopes []string
	// ACR are the authentication context classes of which the login must be one;
	// empty means any (RFC 9470).
	ACR []string
	// MaxAge is how long ago the user may have logged in; zero means any time.
	MaxAge time.Duration
}

// enough is RFC 6750 section 3.1 and RFC 9470 section 3.
func (s *Server) enough(ctx context.Context, t *oidc.AccessToken, n Needs) error {
	for _, scope := range n.Scopes {
		if err := s.that(ctx, t.HasScope(scope), &Error{Reason: InsufficientScope, Spec: "RFC 6750 3.1", needs: n,
			Detail: fmt.Sprintf("expected %.200q", scope)}, "the token has the scope "+scope); err != nil {
			return err
		}
	}
	if len(n.ACR) > 0 {
		if err := s.that(ctx, t.ACR != "" && slices.Contains(n.ACR, t.ACR), &Error{Reason: InsufficientAuthentication, Spec: "RFC 9470 3", needs: n,
			Detail: fmt.Sprintf("expected acr %.200q, got %.200q", strings.Join(n.ACR, " "), t.ACR)}, "the login was of a class that is needed"); err != nil {
			return err
		}
	}
	if n.MaxAge > 0 {
		return s.that(ctx, !t.AuthTime.IsZero() && s.now().Sub(t.AuthTime) <= n.MaxAge+s.skew, &Error{Reason: InsufficientAuthentication, Spec: "RFC 9470 3", needs: n,
			Detail: fmt.Sprintf("expected a login of the last %v", n.MaxAge)}, "the login is new enough")
	}
	return nil
}

// that tells the Trace of a check, and returns e if it was not passed.
func (s *Server) that(ctx context.Context, passed bool, e *Error, title string) error {
	if t := s.c.Trace; t != nil && t.Check != nil {
		k := oidc.Check{Step: oidc.StepAccessToken, Title: title, Spec: e.Spec, Reason: oidc.Reason(e.Reason), Passed: passed}
		if e.Reason == BadProof || e.Reason == ReplayedProof || e.Reason == NonceNeeded {
			k.Step = StepProof
		}
		if !passed {
			k.Detail = e.Detail
		}
		t.Check(ctx, k)
	}
	if passed {
		return nil
	}
	return e
}
