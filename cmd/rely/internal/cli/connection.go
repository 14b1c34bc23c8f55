package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"rely.example/cmd/rely/internal/profile"
	"rely.example/oidc"
)

// connectionFlags say how an OP may be reached.
type connectionFlags struct {
	timeout                 time.Duration
	caFile                  string
	allowPrivate            []string
	insecureHTTP            bool
	insecureSkipIssuerMatch bool
	trace, traceSecrets     bool
	har                     string
}

func (c *connectionFlags) register(f *pflag.FlagSet) {
	f.DurationVar(&c.timeout, "timeout", oidc.DefaultTimeout, "give one exchange with the provider this `TIME` at most")
	f.StringVar(&c.caFile, "ca-file", "", "trust the certificate authorities in `FILE` too (PEM)")
	f.StringSliceVar(&c.allowPrivate, "allow-private", nil, "let `HOST`, or a prefix like 10.0.0.0/8, be in a private network; a host that you type yourself is allowed by that")
	f.BoolVar(&c.insecureHTTP, "insecure-http", false, "allow http: codes, secrets and tokens then travel in the clear")
	f.BoolVar(&c.insecureSkipIssuerMatch, "insecure-skip-issuer-match", false, "accept metadata that names another issuer than the one asked for")
	f.BoolVar(&c.trace, "trace", false, "draw each message and check on stderr, secrets masked")
	f.BoolVar(&c.traceSecrets, "trace-secrets", false, "like --trace, with codes, tokens and secrets: for your eyes only")
	f.StringVar(&c.har, "har", "", "write the exchanges with the provider to `FILE` (HAR 1.2), secrets masked")
}

// maxFile bounds a file that the user names, in bytes.
const maxFile = 1 << 20

// reach merges what the flags allow into what a profile was made with. A host
// that the user typed is no stranger's choice, so the guard of private networks
// lets it pass; those that the typed one refers to are guarded as ever.
func (a *app) reach(saved profile.Connection, typed ...string) profile.Connection {
	c := a.flags.connection
	saved.AllowPrivate = slices.Clone(saved.AllowPrivate)
	if saved.OAuth != nil {
		typed = append(typed, hostOf(saved.OAuth.Endpoint))
	}
	for _, h := range slices.Concat(c.allowPrivate, typed) {
		if h != "" && !slices.Contains(saved.AllowPrivate, h) {
			saved.AllowPrivate = append(saved.AllowPrivate, h)
		}
	}
	if c.caFile != "" {
		saved.CAFile = absolute(c.caFile)
	}
	saved.InsecureHTTP = saved.InsecureHTTP || c.insecureHTTP
	saved.InsecureSkipIssuerMatch = saved.InsecureSkipIssuerMatch || c.insecureSkipIssuerMatch
	return saved
}

// options are the options of package oidc for a connection.
func (a *app) options(c profile.Connection) (*oidc.Options, error) {
	if a.flags.connection.timeout <= 0 {
		return nil, usage(nil, errors.New("--timeout must be more than nothing, as in 20s"))
	}
	o := &oidc.Options{
		Now:                     a.Now,
		Timeout:                 a.flags.connection.timeout,
		MetadataAge:             -1, // a command ends long before
		AllowPrivate:            c.AllowPrivate,
		ProxyFromEnvironment:    true,
		InsecureAllowHTTP:       c.InsecureHTTP,
		InsecureSkipIssuerMatch: c.InsecureSkipIssuerMatch,
		Trace:                   a.tracer(),
		Tenants:                 tenantsOf(c),
		StrictTLS:               isFAPI(c.Asking.Security),
	}
	for _, h := range c.AllowPrivate {
		if strings.ContainsAny(h, "*: ") && !strings.Contains(h, "::") {
			return nil, usage(nil, fmt.Errorf("--allow-private %s: expected a host without port, or a prefix like 10.0.0.0/8", quoted(h)))
		}
	}
	if c.CAFile == "" {
		return o, nil
	}
	pem, err := readFile(c.CAFile)
	if err != nil {
		return nil, usage(nil, wrapf(err, "--ca-file"))
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, usage(nil, fmt.Errorf("--ca-file %s holds no certificate in PEM", c.CAFile))
	}
	o.HTTPClient = &http.Client{Transport: &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true,
	}}
	return o, nil
}

// hostOf is the host that a user typed in an issuer or identifier, or "" if that
// is none: package oidc then says what is wrong with it.
func hostOf(typed string) string {
	s := typed
	if i := strings.Index(s, "://"); i < 0 {
		s = strings.TrimPrefix(s, "acct:")
		if at := strings.LastIndexByte(s, '@'); at >= 0 {
			s = s[at+1:]
		}
		s = "https://" + s
	}
	u, err := url.Parse(s)
	if err != nil || strings.ContainsFunc(u.Hostname(), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-.:", r))
	}) {
		return ""
	}
	return u.Hostname()
}

// target is an OP that was found.
type target struct {
	provider   *oidc.Provider
	connection profile.Connection
	// by is how it was found: "WebFinger", "the issuer" or "a file".
	by string
}

// find finds the OP of what the user typed: the issuer itself, an identifier of
// WebFinger, or the host of an issuer.
func (a *app) find(ctx context.Context, typed string, saved profile.Connection) (*target, error) {
	c := a.reach(saved, hostOf(typed))
	o, err := a.options(c)
	if err != nil {
		return nil, err
	}
	isURL := strings.HasPrefix(typed, "https://") || strings.HasPrefix(typed, "http://")
	if isURL {
		// A URL is mostly an issuer. One that is an identifier has no metadata.
		p, err := oidc.Discover(ctx, typed, o)
		if err == nil {
			return &target{p, c, "the issuer"}, nil
		}
		if !noDocument(err) {
			return nil, err
		}
		issuer, ferr := oidc.FindIssuer(ctx, typed, o)
		if ferr != nil {
			return nil, err
		}
		return a.findIssuer(ctx, issuer, c, o)
	}
	issuer, err := oidc.FindIssuer(ctx, typed, o)
	if err == nil {
		return a.findIssuer(ctx, issuer, c, o)
	}
	if strings.Contains(typed, "@") || errors.As(err, new(*oidc.InputError)) || errors.As(err, new(*oidc.UnsupportedError)) || ctx.Err() != nil {
		return nil, err
	}
	// A host without WebFinger may be an issuer all the same.
	p, derr := oidc.Discover(ctx, "https://"+typed, o)
	if derr != nil {
		if noDocument(derr) {
			return nil, err
		}
		return nil, derr
	}
	return &target{p, c, "the issuer"}, nil
}

func (a *app) findIssuer(ctx context.Context, issuer string, c profile.Connection, o *oidc.Options) (*target, error) {
	p, err := oidc.Discover(ctx, issuer, o)
	if err != nil {
		return nil, err
	}
	return &target{p, c, "WebFinger"}, nil
}

// noDocument reports whether there is no metadata where it was looked for.
func noDocument(err error) bool {
	var op *oidc.OPError
	if errors.As(err, &op) {
		return op.StatusCode >= 400 && op.StatusCode < 500
	}
	for _, r := range []oidc.Reason{oidc.UnexpectedStatus, oidc.UnexpectedMediaType, oidc.MissingMetadata} {
		if errors.Is(err, r) {
			return true
		}
	}
	return false
}

// readFile reads a file that the user named.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readAll(f, name)
}

func readAll(r io.Reader, name string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s cannot be read: %w", name, err)
	}
	if len(b) > maxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, maxFile)
	}
	return b, nil
}
