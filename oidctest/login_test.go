package oidctest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

const testVerifier = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"

// party is a relying party written against the wire.
type party struct {
	t       *testing.T
	op      *OP
	client  Client
	browser *Browser
}

func newParty(t *testing.T, op *OP, c Client) *party {
	return &party{t: t, op: op, client: op.AddClient(c), browser: op.Browser()}
}

// params is a correct authorization request.
func (p *party) params(responseType string) url.Values {
	sum := sha256.Sum256([]byte(testVerifier))
	return url.Values{
		"client_id": {p.client.ID}, "redirect_uri": {p.client.RedirectURIs[0]}, "response_type": {responseType},
		"scope": {"openid profile email offline_access"}, "state": {"state-1"}, "nonce": {"nonce-1"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}
}

func (p *party) login(v url.Values) *Callback {
	p.t.Helper()
	cb, err := p.browser.Login(p.t.Context(), p.op.URL(EndpointAuthorization)+"?"+v.Encode())
	if err != nil {
		p.t.Fatal(err)
	}
	return cb
}

type answer struct {
	status int
	header http.Header
	body   []byte
	json   map[string]any
}

func (p *party) do(r *http.Request) answer {
	p.t.Helper()
	res, err := p.op.HTTPClient().Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, body: body}
	_ = json.Unmarshal(body, &a.json)
	return a
}

func (p *party) get(u string, bearer string) answer {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, u, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	return p.do(r)
}

// post authenticates with HTTP Basic unless the form says otherwise.
func (p *party) post(e Endpoint, form url.Values) answer {
	p.t.Helper()
	r, err := post(p.t.Context(), p.op.URL(e), form)
	if err != nil {
		p.t.Fatal(err)
	}
	if !form.Has("client_id") && !form.Has("client_assertion") {
		r.SetBasicAuth(url.QueryEscape(p.client.ID), url.QueryEscape(p.client.Secret))
	}
	return p.do(r)
}

func (p *party) redeem(code string) answer {
	p.t.Helper()
	return p.post(EndpointToken, url.Values{
		"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {p.client.RedirectURIs[0]}, "code_verifier": {testVerifier},
	})
}

// verify checks the signature of a JWT with what the OP publishes, or with the
// secret for HS*, and returns header and claims.
func (p *party) verify(token string) (header, claims map[string]any) {
	p.t.Helper()
	var algs []jose.SignatureAlgorithm
	for _, a := range SigningAlgs() {
		algs = append(algs, jose.SignatureAlgorithm(a))
	}
	jws, err := jose.ParseSignedCompact(token, algs)
	if err != nil {
		p.t.Fatalf("not a JWS: %v: %s", err, token)
	}
	var payload []byte
	if strings.HasPrefix(jws.Signatures[0].Header.Algorithm, "HS") {
		payload, err = jws.Verify([]byte(p.client.Secret))
	} else {
		var set jose.JSONWebKeySet
		if err := json.Unmarshal(p.get(p.op.URL(EndpointJWKS), "").body, &set); err != nil {
			p.t.Fatal(err)
		}
		keys := set.Key(jws.Signatures[0].Header.KeyID)
		if len(keys) != 1 {
			p.t.Fatalf("%d keys with kid %q", len(keys), jws.Signatures[0].Header.KeyID)
		}
		payload, err = jws.Verify(keys[0])
	}
	if err != nil {
		p.t.Fatalf("signature: %v", err)
	}
	if err := json.Unmarshal(payload, &claims); err != nil {
		p.t.Fatal(err)
	}
	raw, _, _ := strings.Cut(token, ".")
	hb, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := json.Unmarshal(hb, &header); err != nil {
		p.t.Fatal(err)
	}
	return header, claims
}

// want fails unless got and want print alike.
func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

func TestLoginFromIdentifierToLogout(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{PostLogoutRedirectURIs: []string{"https://rp.example/bye"}})

	jrd := p.get(op.URL(EndpointWebFinger)+"?resource="+url.QueryEscape("acct:alice@"+op.Host)+"&rel="+url.QueryEscape(issuerRel), "")
	want(t, "webfinger status", jrd.status, 200)
	want(t, "webfinger href", jrd.json["links"].([]any)[0].(map[string]any)["href"], op.Issuer)

	meta := p.get(op.Issuer+"/.well-known/openid-configuration", "")
	want(t, "issuer", meta.json["issuer"], op.Issuer)

	cb := p.login(p.params("code"))
	want(t, "mode", cb.Mode, "query")
	want(t, "state", cb.Params().Get("state"), "state-1")
	want(t, "iss", cb.Params().Get("iss"), op.Issuer)
	want(t, "host", cb.Request().Host, "rp.example")

	tokens := p.redeem(cb.Params().Get("code"))
	want(t, "token status", tokens.status, 200)
	want(t, "token_type", tokens.json["token_type"], "Bearer")
	want(t, "cache", tokens.header.Get("Cache-Control"), "no-store")
	header, claims := p.verify(tokens.json["id_token"].(string))
	want(t, "alg", header["alg"], "RS256")
	access := tokens.json["access_token"].(string)
	for name, v := range map[string]any{
		"iss": op.Issuer, "aud": p.client.ID, "nonce": "nonce-1", "sub": "alice-248289761001", "at_hash": leftHash("RS256", access),
		"auth_time": nil, "email": nil,
	} {
		want(t, name, claims[name], v)
	}

	ui := p.get(op.URL(EndpointUserInfo), access)
	want(t, "userinfo sub", ui.json["sub"], claims["sub"])
	want(t, "userinfo email_verified", ui.json["email_verified"], true)
	want(t, "userinfo phone", ui.json["phone_number"], nil)

	fresh := p.post(EndpointToken, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.json["refresh_token"].(string)}})
	want(t, "refresh status", fresh.status, 200)
	_, again := p.verify(fresh.json["id_token"].(string))
	want(t, "refreshed sub", again["sub"], claims["sub"])
	want(t, "refreshed nonce", again["nonce"], nil)

	want(t, "revocation", p.post(EndpointRevocation, url.Values{"token": {fresh.json["refresh_token"].(string)}}).status, 200)
	want(t, "userinfo after revocation", p.get(op.URL(EndpointUserInfo), access).status, 401)

	back, err := p.browser.Logout(t.Context(), op.URL(EndpointEndSession)+"?"+url.Values{
		"id_token_hint": {tokens.json["id_token"].(string)}, "post_logout_redirect_uri": {"https://rp.example/bye"}, "state": {"s2"}}.Encode())
	if err != nil {
		t.Fatal(err)
	}
	want(t, "logout", back, "https://rp.example/bye?state=s2")
	v := p.params("code")
	v.Set("prompt", "none")
	want(t, "login after logout", p.login(v).Params().Get("error"), "login_required")
}

func TestResponseTypesAndModes(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "ES256"})
	for _, rt := range op.responseTypes() {
		for _, mode := range []string{"", "query", "fragment", "form_post"} {
			t.Run(rt+"/"+mode, func(t *testing.T) {
				p.t = t
				v := p.params(rt)
				v.Set("state", "a state with & and =")
				wantMode := "fragment"
				if rt == "code" {
					wantMode = "query"
				}
				if mode != "" {
					v.Set("response_mode", mode)
					wantMode = mode
				}
				if mode == "query" && rt != "code" {
					want(t, "error", p.login(v).Params().Get("error"), "invalid_request")
					return
				}
				cb := p.login(v)
				want(t, "mode", cb.Mode, wantMode)
				got := cb.Params()
				want(t, "state", got.Get("state"), "a state with & and =")
				want(t, "iss", got.Get("iss"), op.Issuer)
				has := func(word string) bool { return strings.Contains(" "+rt+" ", " "+word+" ") }
				want(t, "code", got.Has("code"), has("code"))
				want(t, "access_token", got.Has("access_token"), has("token"))
				want(t, "id_token", got.Has("id_token"), has("id_token"))
				if has("id_token") {
					_, claims := p.verify(got.Get("id_token"))
					want(t, "c_hash", claims["c_hash"] != nil, has("code"))
					want(t, "at_hash", claims["at_hash"] != nil, has("token"))
					// Core 5.4: only without any access token.
					want(t, "email in the ID Token", claims["email"] != nil, rt == "id_token")
				}
				if has("code") {
					want(t, "redeemed", p.redeem(got.Get("code")).status, 200)
				}
			})
		}
	}
}
