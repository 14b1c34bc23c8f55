// Package sandbox lets the examples run at once: with an OpenID Provider of their
// own, where no other is named. It is no part of what they show.
package sandbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"time"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// Provider is an OP to log in at.
type Provider struct {
	Issuer  string
	Options *oidc.Options
	// Test is the OP of the sandbox; nil if it is another one.
	Test *oidctest.OP
}

// Open returns the OP of an issuer; of none, one that lives as long as the
// program, and at which everybody is alice.
func Open(issuer string, c oidctest.Config) (*Provider, error) {
	if issuer != "" {
		p := &Provider{Issuer: issuer, Options: new(oidc.Options)}
		if u, err := url.Parse(issuer); err == nil && net.ParseIP(u.Hostname()).IsLoopback() {
			// Somebody develops an OP here, or runs rely op --http.
			p.Options.InsecureAllowHTTP, p.Options.AllowPrivate = true, []string{u.Hostname()}
		}
		return p, nil
	}
	c.PlainHTTP, c.RefreshAlways = true, true
	op, err := oidctest.Start(c)
	if err != nil {
		return nil, err
	}
	return &Provider{Issuer: op.Issuer, Test: op, Options: &oidc.Options{InsecureAllowHTTP: true, AllowPrivate: []string{"127.0.0.1"}}}, nil
}

// Close ends the OP of the sandbox.
func (p *Provider) Close() {
	if p.Test != nil {
		_ = p.Test.Close()
	}
}

// Client is the client that the OP knows by CLIENT_ID and CLIENT_SECRET; in the
// sandbox, one that it has just got to know.
func (p *Provider) Client(m oidc.ClientMetadata) oidc.ClientConfig {
	if p.Test == nil {
		return oidc.ClientConfig{ID: os.Getenv("CLIENT_ID"), Secret: os.Getenv("CLIENT_SECRET"), Metadata: m}
	}
	c := p.Test.AddClient(oidctest.Client{RedirectURIs: m.RedirectURIs, PostLogoutRedirectURIs: m.PostLogoutRedirectURIs,
		ApplicationType: m.ApplicationType, TokenEndpointAuthMethod: m.TokenEndpointAuthMethod, GrantTypes: m.GrantTypes})
	return oidc.ClientConfig{ID: c.ID, Secret: c.Secret, Metadata: m}
}

// Serve listens at addr, tells the address, and serves what app makes of its origin
// until ctx ends. Then requests that are under way may end, and what app has opened,
// if anything, is closed.
func Serve(ctx context.Context, addr string, out io.Writer, app func(origin string) (http.Handler, io.Closer, error)) error {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	origin := "http://" + l.Addr().String()
	h, opened, err := app(origin)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	s := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	served := make(chan error, 1)
	go func() { served <- s.Serve(l) }()
	fmt.Fprintf(out, "Open %s (Ctrl-C ends)\n", origin)
	select {
	case err = <-served:
	case <-ctx.Done():
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		if s.Shutdown(end) != nil {
			_ = s.Close() // somebody takes too long
		}
	}
	if opened != nil {
		err = errors.Join(err, opened.Close())
	}
	return err
}

// Line is the next line of standard input. A read cannot be interrupted, so that it
// is left behind when ctx ends: the program does, too.
func Line(ctx context.Context) (string, error) {
	type line struct {
		text string
		err  error
	}
	read := make(chan line, 1)
	go func() {
		text, err := bufio.NewReader(os.Stdin).ReadString('\n')
		read <- line{strings.TrimSpace(text), err}
	}()
	select {
	case l := <-read:
		return l.text, l.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// Main runs an example until it ends or the user does it.
func Main(run func(ctx context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx)
	stop()
	if err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
