package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// newCode logs in and returns a code.
func (p *party) newCode() string {
	p.t.Helper()
	cb := p.login(p.params("code"))
	code := cb.Params().Get("code")
	if code == "" {
		p.t.Fatalf("no code: %v", cb.Params())
	}
	return code
}

func TestCodeIsChecked(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	other := newParty(t, op, Client{IDTokenSignedResponseAlg: "EdDSA"})
	for _, c := range []struct {
		name, param, value, code string
		status                   int
	}{
		{"right", "", "", "", 200},
		{"no grant type", "grant_type", "", "invalid_request", 400},
		{"unknown grant type", "grant_type", "password", "unsupported_grant_type", 400},
		{"no code", "code", "", "invalid_request", 400},
		{"unknown code", "code", "code-1", "invalid_grant", 400},
		{"another's code", "code", other.newCode(), "invalid_grant", 400},
		{"no redirect URI", "redirect_uri", "", "invalid_grant", 400},
		{"other redirect URI", "redirect_uri", DefaultRedirectURI + "/", "invalid_grant", 400},
		{"no verifier", "code_verifier", "", "invalid_grant", 400},
		{"other verifier", "code_verifier", strings.Repeat("v", 43), "invalid_grant", 400},
		{"short verifier", "code_verifier", "v", "invalid_grant", 400},
	} {
		t.Run(c.name, func(t *testing.T) {
			v := url.Values{"grant_type": {"authorization_code"}, "code": {p.newCode()}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}}
			if c.param != "" {
				v.Set(c.param, c.value)
			}
			a := p.post(EndpointToken, v)
			want(t, "status", a.status, c.status)
			if c.code != "" {
				want(t, "error", a.json["error"], c.code)
			}
			want(t, "cache", a.header.Get("Cache-Control"), "no-store")
		})
	}
	t.Run("late", func(t *testing.T) {
		code := p.newCode()
		op.Advance(time.Minute)
		want(t, "error", p.redeem(code).json["error"], "invalid_grant")
	})
	t.Run("second use revokes", func(t *testing.T) {
		code := p.newCode()
		access := p.redeem(code).json["access_token"].(string)
		want(t, "before", p.get(op.URL(EndpointUserInfo), access).status, 200)
		want(t, "second use", p.redeem(code).json["error"], "invalid_grant")
		want(t, "after", p.get(op.URL(EndpointUserInfo), access).status, 401)
	})
	t.Run("GET", func(t *testing.T) { want(t, "status", p.get(op.URL(EndpointToken), "").status, 405) })
	t.Run("parameter twice", func(t *testing.T) {
		v := url.Values{"grant_type": {"authorization_code", "authorization_code"}, "code": {"c"}}
		want(t, "error", p.post(EndpointToken, v).json["error"], "invalid_request")
	})
	t.Run("not a form", func(t *testing.T) {
		r, err := http.NewRequestWithContext(t.Context(), "POST", op.URL(EndpointToken), strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		want(t, "error", p.do(r).json["error"], "invalid_request")
	})
	t.Run("body too large", func(t *testing.T) {
		want(t, "status", p.post(EndpointToken, url.Values{"code": {strings.Repeat("c", maxBody)}}).status, 413)
	})
}

func TestRefreshTokenRotation(t *testing.T) {
	use := func(p *party, token, scope string) answer {
		v := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}}
		if scope != "" {
			v.Set("scope", scope)
		}
		return p.post(EndpointToken, v)
	}
	first := func(t *testing.T, c Config) (*party, string) {
		p := newParty(t, NewWith(t, c), Client{IDTokenSignedResponseAlg: "EdDSA"})
		return p, p.redeem(p.newCode()).json["refresh_token"].(string)
	}
	t.Run("reuse revokes", func(t *testing.T) {
		p, old := first(t, Config{})
		a := use(p, old, "")
		want(t, "status", a.status, 200)
		next := a.json["refresh_token"].(string)
		want(t, "rotated", next != old, true)
		want(t, "reuse", use(p, old, "").json["error"], "invalid_grant")
		want(t, "after reuse", use(p, next, "").json["error"], "invalid_grant")
	})
	t.Run("grace", func(t *testing.T) {
		p, old := first(t, Config{RefreshGrace: time.Minute})
		want(t, "first", use(p, old, "").status, 200)
		want(t, "again", use(p, old, "").status, 200)
		p.op.Advance(2 * time.Minute)
		want(t, "late", use(p, old, "").status, 400)
	})
	t.Run("kept", func(t *testing.T) {
		p, old := first(t, Config{KeepRefreshTokens: true})
		for range 2 {
			a := use(p, old, "")
			want(t, "status", a.status, 200)
			want(t, "refresh_token", a.json["refresh_token"], nil)
		}
	})
	t.Run("expiry", func(t *testing.T) {
		p, old := first(t, Config{RefreshTokenLifetime: time.Hour})
		p.op.Advance(time.Hour)
		want(t, "error", use(p, old, "").json["error"], "invalid_grant")
	})
	t.Run("scope", func(t *testing.T) {
		p, old := first(t, Config{KeepRefreshTokens: true})
		want(t, "more", use(p, old, "openid phone").json["error"], "invalid_scope")
		a := use(p, old, "openid email")
		want(t, "less", a.json["scope"], "openid email")
		ui := p.get(p.op.URL(EndpointUserInfo), a.json["access_token"].(string))
		want(t, "email", ui.json["email"], "alice@example.com")
		want(t, "name", ui.json["name"], nil)
	})
	t.Run("only when asked for", func(t *testing.T) {
		p, _ := first(t, Config{})
		v := p.params("code")
		v.Set("scope", "openid")
		want(t, "refresh_token", p.redeem(p.login(v).Params().Get("code")).json["refresh_token"], nil)
	})
	t.Run("always", func(t *testing.T) {
		p, _ := first(t, Config{RefreshAlways: true})
		v := p.params("code")
		v.Set("scope", "openid")
		want(t, "refresh_token", p.redeem(p.login(v).Params().Get("code")).json["refresh_token"] != nil, true)
	})
	t.Run("another client", func(t *testing.T) {
		p, old := first(t, Config{})
		q := newParty(t, p.op, Client{})
		want(t, "error", use(q, old, "").json["error"], "invalid_grant")
	})
}

// asserter signs client assertions.
type asserter struct {
	alg jose.SignatureAlgorithm
	key any
}

func (a asserter) sign(t *testing.T, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: a.alg, Key: a.key}, nil)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func testKey(t *testing.T) (*ecdsa.PrivateKey, json.RawMessage) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: crypto.PublicKey(key.Public()), KeyID: "k", Use: "sig", Algorithm: "ES256"}}})
	if err != nil {
		t.Fatal(err)
	}
	return key, set
}

func TestClientAuthentication(t *testing.T) {
	op := NewWith(t, Config{AwkwardCredentials: true})
	key, set := testKey(t)
	strange, _ := testKey(t)
	client := func(method string, c Client) Client {
		c.TokenEndpointAuthMethod, c.IDTokenSignedResponseAlg = method, "EdDSA"
		return op.AddClient(c)
	}
	basic, post, none := client("client_secret_basic", Client{}), client("client_secret_post", Client{}), client("none", Client{})
	expired := client("client_secret_post", Client{SecretExpiresAt: op.Now()})
	secretJWT, keyJWT := client("client_secret_jwt", Client{}), client("private_key_jwt", Client{JWKS: set})
	onlyPS := client("private_key_jwt", Client{JWKS: set, TokenEndpointAuthSigningAlg: "PS256"})
	if !strings.ContainsAny(basic.ID, awkward) || none.Secret != "" || keyJWT.Secret != "" {
		t.Fatalf("credentials: %q, secrets of %v and %v", basic.ID, none, keyJWT)
	}

	send := func(t *testing.T, user, password string, form url.Values) answer {
		t.Helper()
		form.Set("grant_type", "nothing")
		r, err := http.NewRequestWithContext(t.Context(), "POST", op.URL(EndpointToken), strings.NewReader(form.Encode()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if user != "" {
			r.SetBasicAuth(user, password)
		}
		return (&party{t: t, op: op}).do(r)
	}
	esc := url.QueryEscape
	assertion := func(a string) url.Values {
		return url.Values{"client_assertion": {a}, "client_assertion_type": {assertionType}}
	}
	claims := func(c Client, change map[string]any) map[string]any {
		m := map[string]any{"iss": c.ID, "sub": c.ID, "aud": op.Issuer, "exp": op.Now().Add(time.Minute).Unix(), "iat": op.Now().Unix(), "jti": rand.Text()}
		for k, v := range change {
			if v == nil {
				delete(m, k)
			} else {
				m[k] = v
			}
		}
		return m
	}
	es, hs := asserter{jose.ES256, key}, asserter{jose.HS256, []byte(secretJWT.Secret)}
	// Whoever is let in learns that there is no grant called nothing.
	const in, out, bad = "unsupported_grant_type", "invalid_client", "invalid_request"
	for _, c := range []struct {
		name           string
		user, password string
		form           url.Values
		code           string
	}{
		{"basic", esc(basic.ID), esc(basic.Secret), url.Values{}, in},
		{"basic not encoded", basic.ID, basic.Secret, url.Values{}, out},
		{"basic wrong secret", esc(basic.ID), "wrong", url.Values{}, out},
		{"basic with client_id", esc(basic.ID), esc(basic.Secret), url.Values{"client_id": {basic.ID}}, in},
		{"basic with another client_id", esc(basic.ID), esc(basic.Secret), url.Values{"client_id": {post.ID}}, bad},
		{"basic and post", esc(basic.ID), esc(basic.Secret), url.Values{"client_id": {basic.ID}, "client_secret": {basic.Secret}}, bad},
		{"basic by post", "", "", url.Values{"client_id": {basic.ID}, "client_secret": {basic.Secret}}, out},
		{"post", "", "", url.Values{"client_id": {post.ID}, "client_secret": {post.Secret}}, in},
		{"post by basic", esc(post.ID), esc(post.Secret), url.Values{}, out},
		{"post expired", "", "", url.Values{"client_id": {expired.ID}, "client_secret": {expired.Secret}}, out},
		{"none", "", "", url.Values{"client_id": {none.ID}}, in},
		{"none by basic", esc(none.ID), "", url.Values{}, out},
		{"nobody", "", "", url.Values{}, out},
		{"unknown", "", "", url.Values{"client_id": {"unknown"}}, out},
		{"basic named alone", "", "", url.Values{"client_id": {basic.ID}}, out},
		{"secret JWT", "", "", assertion(hs.sign(t, claims(secretJWT, nil))), in},
		{"secret JWT with another secret", "", "", assertion(asserter{jose.HS256, []byte(strings.Repeat("x", 40))}.sign(t, claims(secretJWT, nil))), out},
		{"secret JWT by key", "", "", assertion(es.sign(t, claims(secretJWT, nil))), out},
		{"key JWT", "", "", assertion(es.sign(t, claims(keyJWT, nil))), in},
		{"key JWT for the endpoint", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"aud": []any{op.URL(EndpointToken)}}))), in},
		{"key JWT with a stranger's key", "", "", assertion(asserter{jose.ES256, strange}.sign(t, claims(keyJWT, nil))), out},
		{"key JWT with another alg", "", "", assertion(es.sign(t, claims(onlyPS, nil))), out},
		{"key JWT for another provider", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"aud": attacker}))), out},
		{"key JWT of another", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"iss": basic.ID}))), out},
		{"key JWT expired", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"exp": op.Now().Unix()}))), out},
		{"key JWT without exp", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"exp": nil}))), out},
		{"key JWT for a day", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"exp": op.Now().Add(24 * time.Hour).Unix()}))), out},
		{"key JWT from tomorrow", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"iat": op.Now().Add(24 * time.Hour).Unix()}))), out},
		{"key JWT without jti", "", "", assertion(es.sign(t, claims(keyJWT, map[string]any{"jti": nil}))), out},
		{"key JWT without type", "", "", url.Values{"client_assertion": {es.sign(t, claims(keyJWT, nil))}}, out},
		{"key JWT and secret", "", "", url.Values{"client_assertion": {"a.b.c"}, "client_secret": {"s"}}, bad},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := send(t, c.user, c.password, c.form)
			want(t, "error", a.json["error"], c.code)
			if c.code == out {
				want(t, "status", a.status, 401)
				want(t, "challenge", a.header.Get("WWW-Authenticate") != "", c.user != "")
			}
		})
	}
	t.Run("key JWT twice", func(t *testing.T) {
		form := assertion(es.sign(t, claims(keyJWT, nil)))
		want(t, "first", send(t, "", "", form).json["error"], in)
		want(t, "second", send(t, "", "", form).json["error"], out)
	})
	t.Run("key JWT by jwks_uri", func(t *testing.T) {
		keys := NewWith(t, Config{PlainHTTP: true})
		keys.Intercept(EndpointJWKS, func(w http.ResponseWriter, _ *http.Request) {
			if _, err := w.Write(set); err != nil {
				t.Error(err)
			}
		})
		c := client("private_key_jwt", Client{JWKSURI: keys.URL(EndpointJWKS)})
		want(t, "error", send(t, "", "", assertion(es.sign(t, claims(c, nil)))).json["error"], in)
		want(t, "fetched", len(keys.Requests(EndpointJWKS)), 1)
		down := client("private_key_jwt", Client{JWKSURI: keys.Issuer + "/nowhere"})
		want(t, "error", send(t, "", "", assertion(es.sign(t, claims(down, nil)))).json["error"], out)
	})
	t.Run("log", func(t *testing.T) {
		op.ClearLog()
		send(t, esc(basic.ID), esc(basic.Secret), url.Values{})
		got := op.Requests(EndpointToken)
		want(t, "requests", len(got), 1)
		want(t, "auth", []string{got[0].Auth.Method, got[0].Auth.ClientID, got[0].Auth.Secret}, []string{"client_secret_basic", basic.ID, basic.Secret})
		want(t, "status", got[0].Status, 400)
		want(t, "form", got[0].Form.Get("grant_type"), "nothing")
	})
}

func TestSigningAlgs(t *testing.T) {
	op := New(t)
	for _, alg := range SigningAlgs() {
		t.Run(alg, func(t *testing.T) {
			p := newParty(t, op, Client{IDTokenSignedResponseAlg: alg, UserInfoSignedResponseAlg: alg})
			tokens := p.redeem(p.newCode())
			header, claims := p.verify(tokens.json["id_token"].(string))
			want(t, "alg", header["alg"], alg)
			want(t, "at_hash", claims["at_hash"], leftHash(alg, tokens.json["access_token"].(string)))
			ui := p.get(op.URL(EndpointUserInfo), tokens.json["access_token"].(string))
			want(t, "type", ui.header.Get("Content-Type"), "application/jwt")
			_, claims = p.verify(string(ui.body))
			want(t, "aud", claims["aud"], p.client.ID)
			want(t, "iss", claims["iss"], op.Issuer)
			want(t, "email", claims["email"], "alice@example.com")
		})
	}
}

// The example of Core A.3 and A.4.
func TestLeftHashVectors(t *testing.T) {
	want(t, "at_hash", leftHash("RS256", "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"), "77QmUPtjPfzWtF2AnpK9RQ")
	want(t, "c_hash", leftHash("RS256", "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"), "LDktKdoQak3Pk0cnXxCltA")
}

func TestKeyRotation(t *testing.T) {
	op := New(t)
	p := newParty(t, op, Client{})
	old := p.redeem(p.newCode()).json["id_token"].(string)
	count := func() int {
		set, err := op.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		var keys jose.JSONWebKeySet
		if err := json.Unmarshal(set, &keys); err != nil {
			t.Fatal(err)
		}
		return len(keys.Keys)
	}
	want(t, "keys", count(), 6)
	op.RotateKeys()
	fresh := p.redeem(p.newCode()).json["id_token"].(string)
	h1, _ := p.verify(old)
	h2, _ := p.verify(fresh)
	want(t, "new kid", h1["kid"] != h2["kid"], true)
	want(t, "keys of both", count(), 11)
	op.WithdrawKeys()
	want(t, "keys", count(), 6)
	s, err := op.Sign("ES256", map[string]any{"typ": "logout+jwt"}, map[string]any{"sub": "a"})
	if err != nil {
		t.Fatal(err)
	}
	header, claims := p.verify(s)
	want(t, "typ", header["typ"], "logout+jwt")
	want(t, "sub", claims["sub"], "a")
	if _, err := op.Sign("none", nil, nil); err == nil {
		t.Error("signed with none")
	}
}
