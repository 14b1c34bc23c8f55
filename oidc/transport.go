package oidc

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Transport is an http.RoundTripper that presents an access token in the way that
// it must be presented: in the Authorization header (RFC 6750 section 2.1), with a
// proof of the key that it is bound to (RFC 9449 section 7), over a connection that
// shows the client's certificate (RFC 8705 section 3). It adds the token to a
// request for one of Origins and refuses every other one unsent, with WrongOrigin:
// neither a redirect nor a mistyped URL carries a token to a stranger.
//
// A resource that asks for a nonce in the proof gets the request once more, if its
// body can be read again (Request.GetBody, which net/http sets for the usual
// kinds); otherwise the answer is returned, and the next request has the nonce.
//
// It is safe for concurrent use and must not be changed once it is used. Package
// rp makes one of a Grant, which renews the tokens, and package login one of a
// Session.
type Transport struct {
	// Tokens gives the tokens to present, fresh. It is called for each request.
	Tokens func(ctx context.Context) (*Tokens, error)
	// Client gives the client that Tokens are of. It is called for a token that is
	// bound to a key, and where Base is nil. Nil works for bearer tokens over a
	// Base of one's own.
	Client func(ctx context.Context) (*Client, error)
	// Origins are the resources that the token is for, each as scheme, host, and a
	// port that is not the scheme's own: "https://api.example". Empty means none.
	Origins []string
	// Base makes the requests. Nil means http.DefaultTransport, or, for a client
	// that shows a certificate, one like that of Options.HTTPClient which shows it.
	Base http.RoundTripper
	// InsecureAllowHTTP admits origins of scheme http on a loopback host. Zero
	// means https alone.
	InsecureAllowHTTP bool
}

// Transport presents the same tokens at every request, for as long as they live.
// base may be nil, as Transport.Base.
func (c *Client) Transport(t *Tokens, base http.RoundTripper, origins ...string) *Transport {
	return &Transport{
		Tokens:            func(context.Context) (*Tokens, error) { return t, nil },
		Client:            func(context.Context) (*Client, error) { return c, nil },
		Origins:           origins,
		Base:              base,
		InsecureAllowHTTP: c.p.env.opts.InsecureAllowHTTP,
	}
}

// RoundTrip implements http.RoundTripper. It does not change r.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	send, err := t.prepare(r)
	if err != nil {
		if r.Body != nil {
			_ = r.Body.Close() // as a RoundTripper must; nobody reads it
		}
		return nil, err
	}
	return send(r)
}

// prepare makes every check, and finds the way to send the request.
func (t *Transport) prepare(r *http.Request) (func(*http.Request) (*http.Response, error), error) {
	if err := t.allowed(r.URL); err != nil {
		return nil, err
	}
	if t.Tokens == nil {
		return nil, &InputError{Reason: BadConfig, Field: "Transport.Tokens", Detail: "it is nil"}
	}
	tokens, err := t.Tokens(r.Context())
	if err != nil {
		return nil, err
	}
	key, err := tokens.proofKey()
	if err != nil {
		return nil, err
	}
	var c *Client
	if key != nil || t.Base == nil && t.Client != nil {
		if t.Client == nil {
			return nil, &InputError{Reason: BadConfig, Field: "Transport.Client", Detail: "it is nil, and the token is bound to a key"}
		}
		if c, err = t.Client(r.Context()); err != nil {
			return nil, err
		}
	}
	base := t.Base
	if base == nil && c != nil && c.connections != nil {
		_, own, err := c.connections.current(r.Context())
		if err != nil {
			return nil, err
		}
		base = own
	}
	if base == nil {
		base = http.DefaultTransport
	}
	if key == nil {
		return func(r *http.Request) (*http.Response, error) {
			r = r.Clone(r.Context())
			tokens.present(r.Header, "")
			return base.RoundTrip(r)
		}, nil
	}
	nonce := c.nonces.of(originOf(r.URL))
	proof, err := c.proofFor(r, tokens, nonce)
	if err != nil {
		return nil, err
	}
	return func(r *http.Request) (*http.Response, error) {
		return c.presentProving(base, r, tokens, proof, nonce)
	}, nil
}

// maxChallengeBody bounds what is read of a challenge's body so that its
// connection can be used again.
const maxChallengeBody = 64 << 10

// presentProving sends r with a proof that has the nonce sent, and once more with
// the one that the resource asks for (RFC 9449 section 9).
func (c *Client) presentProving(base http.RoundTripper, r *http.Request, t *Tokens, proof, sent string) (*http.Response, error) {
	origin := originOf(r.URL)
	q := r.Clone(r.Context())
	t.present(q.Header, proof)
	res, err := base.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	given := c.nonces.learn(origin, res.Header)
	repeatable := r.Body == nil || r.Body == http.NoBody || r.GetBody != nil
	if res.StatusCode != http.StatusUnauthorized || !challengedForNonce(res.Header) || given == "" || given == sent || !repeatable {
		return res, nil
	}
	if proof, err = c.proofFor(r, t, given); err != nil {
		return res, nil
	}
	q = r.Clone(r.Context())
	if r.GetBody != nil {
		if q.Body, err = r.GetBody(); err != nil {
			return res, nil
		}
	}
	t.present(q.Header, proof)
	_, _ = io.CopyN(io.Discard, res.Body, maxChallengeBody) // what is longer costs the connection
	_ = res.Body.Close()
	if res, err = base.RoundTrip(q); err == nil {
		c.nonces.learn(origin, res.Header)
	}
	return res, err
}

// proofFor makes the proof for a request to a resource.
func (c *Client) proofFor(r *http.Request, t *Tokens, nonce string) (string, error) {
	u := *r.URL
	u.User = nil
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	return t.DPoP.proof(method, u.String(), t.AccessToken, nonce, c.p.env.now())
}

// allowed says whether a URL is at one of Origins.
func (t *Transport) allowed(u *url.URL) error {
	refuse := func(detail string) error {
		return &InputError{Reason: WrongOrigin, Field: "URL", Detail: detail}
	}
	switch {
	case u == nil || u.Host == "":
		return refuse("the request has no absolute URL")
	case u.Scheme == "https":
	case u.Scheme == "http" && t.InsecureAllowHTTP && isLoopbackName(u.Hostname()):
	default:
		return refuse("a token is not sent to " + printable(u.Scheme+"://"+u.Host) + ", which is not https")
	}
	for _, o := range t.Origins {
		at, err := url.Parse(o)
		if err != nil || at.Host == "" || at.Scheme+"://"+at.Host != o {
			return &InputError{Reason: BadConfig, Field: "Transport.Origins", Detail: quote(o) + " is no origin: scheme, host and port, without a path"}
		}
		if originOf(at) == originOf(u) {
			return nil
		}
	}
	return refuse("the access token is not for " + printable(u.Scheme+"://"+u.Host))
}

// Authorize presents the access token of t in r, a request to a resource: as a
// bearer token, or with a proof for the method and URL that r has at this moment,
// which is good for one use. A resource that asks for another nonce answers 401,
// and Client.LearnNonce takes it; Transport does both by itself.
//
// The caller sees to it that the request goes to a resource that the token is for,
// over https.
func (c *Client) Authorize(r *http.Request, t *Tokens) error {
	key, err := t.proofKey()
	if err != nil {
		return err
	}
	if key == nil {
		t.present(r.Header, "")
		return nil
	}
	if r.URL == nil || r.URL.Host == "" {
		return &InputError{Reason: BadParameter, Field: "URL", Detail: "a proof needs an absolute URL"}
	}
	proof, err := c.proofFor(r, t, c.nonces.of(originOf(r.URL)))
	if err != nil {
		return err
	}
	t.present(r.Header, proof)
	return nil
}

// LearnNonce keeps the nonce that a resource gave in a response to a request of
// Authorize, and reports whether the resource asks for the request to be repeated
// with it (RFC 9449 section 9).
func (c *Client) LearnNonce(res *http.Response) (repeat bool) {
	if res == nil || res.Request == nil || res.Request.URL == nil {
		return false
	}
	origin := originOf(res.Request.URL)
	sent := c.nonces.of(origin)
	if proof := res.Request.Header.Get("DPoP"); proof != "" {
		// Of two requests at once the other may have learned the nonce already.
		sent = proofNonce(proof)
	}
	given := c.nonces.learn(origin, res.Header)
	return res.StatusCode == http.StatusUnauthorized && given != "" && given != sent && challengedForNonce(res.Header)
}

// proofNonce is the nonce in a proof of our own; "" if there is none.
func proofNonce(proof string) string {
	parts := strings.Split(proof, ".")
	if len(parts) != 3 {
		return ""
	}
	var claims struct {
		Nonce string `json:"nonce"`
	}
	_ = json.Unmarshal(decoded(parts[1]), &claims) // what cannot be read has none
	return claims.Nonce
}

// proofKey is the key to prove at a resource; nil for a bearer token. It refuses
// tokens that cannot be presented.
func (t *Tokens) proofKey() (*DPoPKey, error) {
	if t == nil || t.AccessToken == "" {
		return nil, &InputError{Reason: NoAccessToken, Field: "Tokens", Detail: "the response type gave none"}
	}
	switch {
	case strings.EqualFold(t.TokenType, "Bearer"):
		return nil, nil
	case !strings.EqualFold(t.TokenType, "DPoP"):
		return nil, &UnsupportedError{Feature: "token type " + quote(t.TokenType), Detail: "expected Bearer or DPoP"}
	case t.DPoP == nil:
		return nil, &UnsupportedError{Feature: "a DPoP token without its key", Detail: "keep the key with the tokens, as Tokens.Export does"}
	}
	return t.DPoP, nil
}

// present puts the token, and the proof if there is one, into a header.
func (t *Tokens) present(h http.Header, proof string) {
	if proof == "" {
		h.Set("Authorization", "Bearer "+t.AccessToken)
		h.Del("DPoP")
		return
	}
	h.Set("Authorization", "DPoP "+t.AccessToken) // RFC 9449 section 7.1
	h.Set("DPoP", proof)
}
