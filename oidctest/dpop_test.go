package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// prover makes DPoP proofs as a client does.
type prover struct {
	key    *ecdsa.PrivateKey
	header map[jose.HeaderKey]any
}

func newProver(t *testing.T) *prover {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &prover{key: key, header: map[jose.HeaderKey]any{"typ": "dpop+jwt"}}
}

// proof is one for a request, with claims changed by edit; a nil one deletes.
func (p *prover) proof(t *testing.T, now time.Time, method, target, token string, edit map[string]any) string {
	t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": now.Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for k, v := range edit {
		if claims[k] = v; v == nil {
			delete(claims, k)
		}
	}
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key}, &jose.SignerOptions{EmbedJWK: true, ExtraHeaders: p.header})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := s.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	out, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// dpopSteps is a login whose tokens are bound to a key.
func dpopSteps() []step {
	var p *prover
	var access, refresh string
	token := func(r *run, form url.Values) {
		if p == nil {
			p = newProver(r.t)
		}
		h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ed:"+strings.Repeat("s", 40)))}}
		h.Set("DPoP", p.proof(r.t, r.op.Now(), "POST", r.op.URL(EndpointToken), "", nil))
		r.send("POST", r.op.URL(EndpointToken), form, h)
	}
	userInfo := func(r *run) {
		h := http.Header{"Authorization": {"DPoP " + access}}
		h.Set("DPoP", p.proof(r.t, r.op.Now(), "GET", r.op.URL(EndpointUserInfo), access, nil))
		r.send("GET", r.op.URL(EndpointUserInfo), nil, h)
	}
	return []step{
		{EndpointAuthorization, func(r *run) { r.authorize("ed", "code") }},
		{EndpointToken, func(r *run) {
			token(r, url.Values{"grant_type": {"authorization_code"}, "code": {r.answer.Get("code")}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}})
			access, refresh = r.str("access_token"), r.str("refresh_token")
		}},
		{EndpointUserInfo, userInfo},
		{EndpointToken, func(r *run) {
			token(r, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}})
		}},
	}
}

// TestDPoPProofs: the OP takes a right proof once, and refuses every other one.
func TestDPoPProofs(t *testing.T) {
	op := NewWith(t, Config{Issuer: "https://op.test", Clients: []Client{{ID: "ed", Secret: strings.Repeat("s", 40), IDTokenSignedResponseAlg: "EdDSA", DPoPBound: true}}})
	r := &run{t: t, op: op}
	target := op.URL(EndpointToken)
	redeem := func(proofs ...string) {
		t.Helper()
		r.authorize("ed", "code")
		h := http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte("ed:"+strings.Repeat("s", 40)))}, "Dpop": proofs}
		r.send("POST", target, url.Values{"grant_type": {"authorization_code"}, "code": {r.answer.Get("code")}, "redirect_uri": {DefaultRedirectURI}, "code_verifier": {testVerifier}}, h)
	}
	p := newProver(t)
	good := p.proof(t, op.Now(), "POST", target, "", nil)
	redeem(good)
	want(t, "status", r.last.status, 200)
	want(t, "token_type", r.str("token_type"), "DPoP")
	access := r.str("access_token")
	wrong := newProver(t)
	wrong.header = map[jose.HeaderKey]any{"typ": "JWT"}
	for name, proofs := range map[string][]string{
		"none":      nil,
		"replayed":  {good},
		"two":       {p.proof(t, op.Now(), "POST", target, "", nil), p.proof(t, op.Now(), "POST", target, "", nil)},
		"no_jwt":    {"abc"},
		"typ":       {wrong.proof(t, op.Now(), "POST", target, "", nil)},
		"method":    {p.proof(t, op.Now(), "GET", target, "", nil)},
		"url":       {p.proof(t, op.Now(), "POST", target+"?x=1", "", nil)},
		"no_jti":    {p.proof(t, op.Now(), "POST", target, "", map[string]any{"jti": nil})},
		"no_iat":    {p.proof(t, op.Now(), "POST", target, "", map[string]any{"iat": nil})},
		"old":       {p.proof(t, op.Now().Add(-time.Hour), "POST", target, "", nil)},
		"future":    {p.proof(t, op.Now().Add(time.Hour), "POST", target, "", nil)},
		"signature": {good[:strings.LastIndexByte(good, '.')+1] + strings.Repeat("A", 86)},
	} {
		redeem(proofs...)
		if r.last.status != 400 || r.str("error") != "invalid_dpop_proof" {
			t.Errorf("%s: status %d, %v", name, r.last.status, r.json)
		}
	}
	ui := op.URL(EndpointUserInfo)
	get := func(scheme, proof string) {
		t.Helper()
		h := http.Header{"Authorization": {scheme + " " + access}}
		if proof != "" {
			h.Set("DPoP", proof)
		}
		r.send("GET", ui, nil, h)
	}
	get("DPoP", p.proof(t, op.Now(), "GET", ui, access, nil))
	want(t, "status", r.last.status, 200)
	for name, do := range map[string]func(){
		"bearer":      func() { get("Bearer", "") },
		"no_proof":    func() { get("DPoP", "") },
		"other_key":   func() { get("DPoP", newProver(t).proof(t, op.Now(), "GET", ui, access, nil)) },
		"other_token": func() { get("DPoP", p.proof(t, op.Now(), "GET", ui, "another", nil)) },
		"no_ath":      func() { get("DPoP", p.proof(t, op.Now(), "GET", ui, "", nil)) },
	} {
		if do(); r.last.status != 401 || !strings.HasPrefix(r.last.header.Get("WWW-Authenticate"), "DPoP ") {
			t.Errorf("%s: status %d, %v", name, r.last.status, r.last.header)
		}
	}
}
