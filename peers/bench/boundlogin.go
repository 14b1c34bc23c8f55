package main

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	rely "rely.example/oidc"
)

// boundLoginers are the contenders of a login with a pushed request (RFC 9126),
// private_key_jwt and DPoP (RFC 9449), the floor first. No other library for Relying
// Parties in Go does the three together.
var boundLoginers = []struct {
	name string
	make func(a announcement, iss string, hc *http.Client) (loginer, error)
}{
	{"net/http + raw crypto", bareBoundLogin},
	{"rely", relyBoundLogin},
}

// signedText is as long as the header and claims of an assertion or proof, which
// the floor signs without looking at them.
var signedText = []byte(strings.Repeat("eyJhbGciOiJFUzI1NiJ9.", 18))

// bareBoundLogin is the three HTTP calls with what they need, the bodies read and
// not looked at; a new key, its thumbprint, two assertions and three proofs signed,
// and one signature verified.
func bareBoundLogin(a announcement, iss string, hc *http.Client) (loginer, error) {
	set := jose.JSONWebKeySet{}
	if err := json.Unmarshal(a.JWKS, &set); err != nil {
		return nil, err
	}
	verify, err := rawVerifier(&material{alg: "RS256", public: set.Keys[0].Key}, nil)
	if err != nil {
		return nil, err
	}
	assertionKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := hc.Transport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 64
	bare := &http.Client{Transport: t}
	signed := func(key crypto.Signer) (string, error) {
		sum := sha256.Sum256(signedText)
		sig, err := key.Sign(rand.Reader, sum[:], crypto.SHA256)
		return string(signedText) + "." + base64.RawURLEncoding.EncodeToString(sig), err
	}
	call := func(ctx context.Context, method, target string, form url.Values, key crypto.Signer, authorization string) error {
		var content io.Reader
		if form != nil {
			assertion, err := signed(assertionKey)
			if err != nil {
				return err
			}
			form.Set("client_assertion", assertion)
			content = strings.NewReader(form.Encode())
		}
		req, err := http.NewRequestWithContext(ctx, method, target, content)
		if err != nil {
			return err
		}
		proof, err := signed(key)
		if err != nil {
			return err
		}
		req.Header.Set("DPoP", proof)
		if form != nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		if authorization != "" {
			req.Header.Set("Authorization", authorization)
		}
		res, err := bare.Do(req)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		_, err = io.ReadAll(res.Body)
		return err
	}
	client := func(more url.Values) url.Values {
		more.Set("client_id", clientID)
		more.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		return more
	}
	return func(ctx context.Context, _ *http.Request) error {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		public, err := key.PublicKey.Bytes()
		if err != nil {
			return err
		}
		thumbprint, challenge := sha256.Sum256(public), sha256.Sum256([]byte(codeVerifier))
		request := client(url.Values{"response_type": {"code"}, "scope": {strings.Join(scopes, " ")}, "redirect_uri": {redirectURI}, "state": {state}, "nonce": {nonce},
			"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"}, "dpop_jkt": {base64.RawURLEncoding.EncodeToString(thumbprint[:])}})
		if err := call(ctx, http.MethodPost, iss+"/par", request, key, ""); err != nil {
			return err
		}
		token := client(url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {redirectURI}, "code_verifier": {codeVerifier}})
		if err := call(ctx, http.MethodPost, iss+"/token-dpop", token, key, ""); err != nil {
			return err
		}
		if err := verify(ctx, a.IDToken); err != nil {
			return err
		}
		return call(ctx, http.MethodGet, iss+"/userinfo", nil, key, "DPoP "+accessToken)
	}, nil
}

func relyBoundLogin(_ announcement, iss string, hc *http.Client) (loginer, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	p, err := rely.NewProvider(rely.ProviderMetadata{
		Issuer: iss, AuthorizationEndpoint: iss + "/authorize", PushedAuthorizationRequestEndpoint: iss + "/par", RequirePushedAuthorizationRequests: true,
		TokenEndpoint: iss + "/token-dpop", UserInfoEndpoint: iss + "/userinfo", JWKSURI: iss + "/jwks", DPoPSigningAlgValuesSupported: []string{"ES256"},
	}, &rely.Options{HTTPClient: hc, InsecureAllowHTTP: true, AllowPrivate: []string{"127.0.0.1"}})
	if err != nil {
		return nil, err
	}
	c, err := rely.NewClient(p, rely.ClientConfig{ID: clientID, Auth: rely.PrivateKeyJWT(rely.Key{ID: "client", Private: key}), MaxIDTokenAge: -1, DPoP: rely.DPoPES256(),
		Metadata: rely.ClientMetadata{RedirectURIs: []string{redirectURI}}})
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, r *http.Request) error {
		request, err := c.Begin(ctx, rely.AuthParams{Scopes: scopes})
		if err != nil {
			return err
		}
		// The canned ID Token is for this login and no other.
		pending := request.Pending
		pending.State, pending.Nonce = state, nonce
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

// measureBoundLogins is the table of logins that FAPI 2.0 would take for one.
func measureBoundLogins(s settings) ([]section, error) {
	a, stop, err := startOP()
	if err != nil {
		return nil, err
	}
	defer stop()
	sec := section{
		title: "One login with a pushed request, private_key_jwt and DPoP",
		intro: "Authentication request, pushed; callback, token request, ID Token as above, UserInfo. A key on P-256 is made for each login, and five ES256 signatures: two client assertions, three proofs. " +
			"The floor makes the same three HTTP calls and the same cryptography. Processor time of the Relying Party and its ratio to the floor, wall time, allocations, for each login. The budget is 1.2.",
		header: []string{""},
	}
	for _, l := range boundLoginers {
		sec.header = append(sec.header, l.name)
	}
	for _, workers := range []int{1, 8} {
		var cs []contender
		for _, l := range boundLoginers {
			hc, err := a.httpClient()
			if err != nil {
				return nil, err
			}
			login, err := l.make(a, a.Plain, hc)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", l.name, err)
			}
			r := callback()
			cs = append(cs, contender{l.name, func() error { return login(background, r) }})
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
	return []section{sec}, nil
}
