package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
	capoidc "github.com/hashicorp/cap/oidc"
	"github.com/zitadel/oidc/v3/pkg/client/rp"
	zitadel "github.com/zitadel/oidc/v3/pkg/oidc"
	"golang.org/x/oauth2"

	rely "rely.example/oidc"
)

const (
	code         = "SplxlOBeZQQYbYS6WxSbIA-08a5019c17e14977"
	codeVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWOEjXkX"
)

var scopes = []string{"openid", "profile", "email"}

// callback is the request by which the browser comes back.
func callback() *http.Request {
	u, err := url.Parse(redirectURI + "?code=" + code + "&state=" + state)
	if err != nil {
		panic(err) // a constant
	}
	return &http.Request{Method: http.MethodGet, URL: u, Header: http.Header{}, Host: u.Host}
}

// loginer finishes one login: it takes the callback, compares state, exchanges the
// code, verifies the ID Token with nonce and at_hash, asks UserInfo and compares
// sub.
type loginer func(ctx context.Context, r *http.Request) error

// loginers are the contenders, the floor first.
var loginers = []struct {
	name string
	make func(a announcement, iss string, hc *http.Client) (loginer, error)
}{
	{"net/http + raw crypto", bareLogin},
	{"rely", relyLogin},
	{"go-oidc", goOIDCLogin},
	{"zitadel", zitadelLogin},
	{"cap", capLogin},
}

// bareLogin is two HTTP calls with what they need, the bodies read and not looked
// at, and one signature verified.
func bareLogin(a announcement, iss string, hc *http.Client) (loginer, error) {
	set := jose.JSONWebKeySet{}
	if err := json.Unmarshal(a.JWKS, &set); err != nil {
		return nil, err
	}
	verify, err := rawVerifier(&material{alg: "RS256", public: set.Keys[0].Key}, nil)
	if err != nil {
		return nil, err
	}
	t := hc.Transport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	form := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {codeVerifier}}.Encode()
	bare := &http.Client{Transport: t}
	call := func(ctx context.Context, method, url, body, name, value string) error {
		var content io.Reader
		if body != "" {
			content = strings.NewReader(body)
		}
		req, err := http.NewRequestWithContext(ctx, method, url, content)
		if err != nil {
			return err
		}
		if body != "" {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		req.Header.Set(name, value)
		res, err := bare.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		return err
	}
	return func(ctx context.Context, _ *http.Request) error {
		if err := call(ctx, http.MethodPost, iss+"/token", form, "Authorization", "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3"); err != nil {
			return err
		}
		if err := verify(ctx, a.IDToken); err != nil {
			return err
		}
		return call(ctx, http.MethodGet, iss+"/userinfo", "", "Authorization", "Bearer "+accessToken)
	}, nil
}

func relyLogin(_ announcement, iss string, hc *http.Client) (loginer, error) {
	p, err := rely.Discover(background, iss, &rely.Options{HTTPClient: hc, InsecureAllowHTTP: true, AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		return nil, err
	}
	c, err := rely.NewClient(p, rely.ClientConfig{ID: clientID, Secret: clientSecret, MaxIDTokenAge: -1,
		Metadata: rely.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		return nil, err
	}
	pending := rely.Pending{Issuer: iss, ClientID: clientID, RedirectURI: redirectURI, State: state, Nonce: nonce, Verifier: codeVerifier,
		ResponseType: "code", ResponseMode: rely.ModeQuery, Scopes: scopes, Created: time.Now()}
	return func(ctx context.Context, r *http.Request) error {
		res, err := rely.ReadAuthResponse(r)
		if err != nil {
			return err
		}
		tokens, err := c.Finish(ctx, pending, res)
		if err != nil {
			return err
		}
		_, err = c.UserInfo(ctx, tokens)
		return err
	}, nil
}

func goOIDCLogin(_ announcement, iss string, hc *http.Client) (loginer, error) {
	p, err := gooidc.NewProvider(gooidc.ClientContext(background, hc), iss)
	if err != nil {
		return nil, err
	}
	config := oauth2.Config{ClientID: clientID, ClientSecret: clientSecret, Endpoint: p.Endpoint(), RedirectURL: redirectURI, Scopes: scopes}
	config.Endpoint.AuthStyle = oauth2.AuthStyleInHeader
	v := p.Verifier(&gooidc.Config{ClientID: clientID})
	return func(ctx context.Context, r *http.Request) error {
		ctx = gooidc.ClientContext(ctx, hc)
		q := r.URL.Query()
		if q.Get("state") != state {
			return errRefused
		}
		t, err := config.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(codeVerifier))
		if err != nil {
			return err
		}
		raw, _ := t.Extra("id_token").(string)
		id, err := v.Verify(ctx, raw)
		if err != nil {
			return err
		}
		if id.Nonce != nonce {
			return errRefused
		}
		if err := id.VerifyAccessToken(t.AccessToken); err != nil {
			return err
		}
		user, err := p.UserInfo(ctx, oauth2.StaticTokenSource(t))
		if err != nil {
			return err
		}
		if user.Subject != id.Subject {
			return errRefused
		}
		return nil
	}, nil
}

func zitadelLogin(_ announcement, iss string, hc *http.Client) (loginer, error) {
	party, err := rp.NewRelyingPartyOIDC(background, iss, clientID, clientSecret, redirectURI, scopes, rp.WithHTTPClient(hc),
		rp.WithAuthStyle(oauth2.AuthStyleInHeader), rp.WithVerifierOpts(rp.WithNonce(func(context.Context) string { return nonce })))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *http.Request) error {
		q := r.URL.Query()
		if q.Get("state") != state {
			return errRefused
		}
		t, err := rp.CodeExchange[*zitadel.IDTokenClaims](ctx, q.Get("code"), party, rp.WithCodeVerifier(codeVerifier))
		if err != nil {
			return err
		}
		_, err = rp.Userinfo[*zitadel.UserInfo](ctx, t.AccessToken, t.TokenType, t.IDTokenClaims.GetSubject(), party)
		return err
	}, nil
}

func capLogin(_ announcement, iss string, hc *http.Client) (loginer, error) {
	config, err := capoidc.NewConfig(iss, clientID, clientSecret, []capoidc.Alg{capoidc.RS256}, []string{redirectURI}, capoidc.WithRoundTripper(hc.Transport))
	if err != nil {
		return nil, err
	}
	p, err := capoidc.NewProvider(config)
	if err != nil {
		return nil, err
	}
	verifier, err := capoidc.NewCodeVerifier()
	if err != nil {
		return nil, err
	}
	req, err := capoidc.NewRequest(time.Hour, redirectURI, capoidc.WithState(state), capoidc.WithNonce(nonce), capoidc.WithPKCE(verifier))
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *http.Request) error {
		q := r.URL.Query()
		t, err := p.Exchange(ctx, req, q.Get("state"), q.Get("code"))
		if err != nil {
			return err
		}
		var id, user map[string]any
		if err := t.IDToken().Claims(&id); err != nil {
			return err
		}
		sub, _ := id["sub"].(string)
		return p.UserInfo(ctx, t.StaticTokenSource(), sub, &user)
	}, nil
}

// newLoginers makes the contenders for the OP at iss, in order.
func newLoginers(a announcement, iss, who string) ([]contender, error) {
	var cs []contender
	for i, l := range loginers {
		if i > 0 && who != "" && l.name != who {
			continue
		}
		hc, err := a.httpClient()
		if err != nil {
			return nil, err
		}
		login, err := l.make(a, iss, hc)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.name, err)
		}
		r := callback()
		cs = append(cs, contender{l.name, func() error { return login(background, r) }})
	}
	return cs, nil
}

// measureLogins is the tables of whole logins and of connections.
func measureLogins(s settings) ([]section, error) {
	a, stop, err := startOP()
	if err != nil {
		return nil, err
	}
	defer stop()
	sec := section{
		title: "One login",
		intro: "Callback, token request, ID Token (RS256, 462 bytes of claims, at_hash), UserInfo; against a canned OP on loopback, without TLS. " +
			"Processor time of the Relying Party and its ratio to the floor, wall time, allocations, for each login.",
		header: []string{""},
	}
	for _, l := range loginers {
		if s.who == "" || l.name == s.who || l.name == loginers[0].name {
			sec.header = append(sec.header, l.name)
		}
	}
	for _, workers := range []int{1, 8} {
		cs, err := newLoginers(a, a.Plain, s.who)
		if err != nil {
			return nil, err
		}
		p := plan{procs: 2, workers: workers, rounds: 41, turn: 50 * time.Millisecond}
		if s.quick {
			p.rounds, p.turn = 9, 20*time.Millisecond
		}
		got, err := p.measure(cs)
		if err != nil {
			return nil, err
		}
		row := []string{fmt.Sprintf("%d at a time", workers)}
		for _, f := range got {
			row = append(row, fmt.Sprintf("%s, %.2f x; wall %s; %.0f", micros(f.cpu), f.cpuRatio, micros(f.wall), f.allocs))
		}
		sec.rows = append(sec.rows, row)
	}
	connections, err := countConnections(a, s)
	if err != nil {
		return nil, err
	}
	return []section{sec, connections}, nil
}

// justLogin does logins of one contender.
func justLogin(s settings) error {
	a, stop, err := startOP()
	if err != nil {
		return err
	}
	defer stop()
	cs, err := newLoginers(a, a.Plain, s.who)
	if err != nil {
		return err
	}
	for _, c := range cs {
		if c.name == s.who {
			return plan{workers: 1}.spread(c, s.logins)
		}
	}
	return fmt.Errorf("-logins needs -who, one of the contenders")
}

// countConnections counts what a burst of logins opens to a warm OP over TLS with
// HTTP/1.1.
func countConnections(a announcement, s settings) (section, error) {
	const logins, atOnce = 1500, 32
	sec := section{
		title: "New connections",
		intro: fmt.Sprintf("%d logins, %d at once, to an OP over TLS with HTTP/1.1 that as many logins went to just before. "+
			"Each library on a transport with net/http's defaults and the OP's certificate authority; the floor keeps 64 idle connections.", logins, atOnce),
		header: []string{"", "new connections", "processor time a login"},
	}
	cs, err := newLoginers(a, a.TLS, s.who)
	if err != nil {
		return sec, err
	}
	p := plan{procs: 2, workers: atOnce}
	for _, c := range cs {
		if _, err := p.once(c, logins); err != nil {
			return sec, fmt.Errorf("%s: %w", c.name, err)
		}
		before, err := a.opened()
		if err != nil {
			return sec, err
		}
		f, err := p.once(c, logins)
		if err != nil {
			return sec, fmt.Errorf("%s: %w", c.name, err)
		}
		after, err := a.opened()
		if err != nil {
			return sec, err
		}
		sec.rows = append(sec.rows, []string{c.name, fmt.Sprint(after - before), micros(f.cpu)})
	}
	return sec, nil
}
