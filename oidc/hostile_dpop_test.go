package oidc_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"rely.example/oidc"
	"rely.example/oidctest"
)

// dpopFaults is what the faults of DPoP lead to.
var dpopFaults = map[oidctest.Fault]outcome{
	oidctest.DPoPNonceForever: oidc.BadDPoPNonce, oidctest.DPoPNonceMissing: oidc.BadDPoPNonce, oidctest.DPoPNonceTwice: oidc.BadDPoPNonce,
	oidctest.DPoPNonceBadCharacters: oidc.BadDPoPNonce, oidctest.DPoPNonceHuge: oidc.BadDPoPNonce, oidctest.DPoPNonceUnauthorized: harmless,
	oidctest.DPoPNonceEachTime: harmless, oidctest.DPoPBearerReturned: oidc.BadTokenType, oidctest.DPoPRefreshedToBearer: oidc.BadTokenType,
	oidctest.DPoPTypeOddCase: harmless, oidctest.DPoPResourceNonceForever: oidc.BadDPoPNonce, oidctest.DPoPResourceNonceMissing: oidc.BadDPoPNonce,
	oidctest.DPoPChallengeOddCase: harmless, oidctest.DPoPChallengeSecond: harmless,
}

func withDPoP(mode oidc.DPoPMode) func(*oidc.ClientConfig) {
	return func(c *oidc.ClientConfig) { c.DPoP = mode }
}

// dpopJourney is the whole way with DPoP. A demand for a nonce is met once.
func dpopJourney(j *journey) error {
	j.config = withDPoP(oidc.DPoPES256())
	switch j.fault.Fault {
	case oidctest.DPoPNonceForever:
		j.calls = map[oidctest.Endpoint]int{oidctest.EndpointToken: 2}
	case oidctest.DPoPResourceNonceForever:
		j.calls = map[oidctest.Endpoint]int{oidctest.EndpointUserInfo: 2}
	case oidctest.DPoPRefreshedToBearer:
		j.calls = map[oidctest.Endpoint]int{oidctest.EndpointToken: 2}
	}
	return j.run()
}

// proofOf reads the one proof of a request, with its signature verified by the key
// in it.
type proofOf struct {
	alg, typ string
	claims   map[string]any
}

func readProof(t *testing.T, h http.Header) proofOf {
	t.Helper()
	if n := len(h.Values("DPoP")); n != 1 {
		t.Fatalf("%d proofs, want one", n)
	}
	jws, err := jose.ParseSignedCompact(h.Get("DPoP"), []jose.SignatureAlgorithm{"ES256", "EdDSA", "Ed25519", "PS256"})
	if err != nil {
		t.Fatal(err)
	}
	head := jws.Signatures[0].Protected
	payload, err := jws.Verify(head.JSONWebKey)
	if key, ok := head.JSONWebKey.Key.(ed25519.PublicKey); ok && head.Algorithm == "Ed25519" {
		// go-jose knows the algorithm by its old name alone.
		input := h.Get("DPoP")[:strings.LastIndexByte(h.Get("DPoP"), '.')]
		payload = jws.UnsafePayloadWithoutVerification()
		if err = nil; !ed25519.Verify(key, []byte(input), jws.Signatures[0].Signature) {
			err = errors.New("wrong signature")
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	p := proofOf{alg: head.Algorithm}
	p.typ, _ = head.ExtraHeaders[jose.HeaderType].(string)
	if err := json.Unmarshal(payload, &p.claims); err != nil {
		t.Fatal(err)
	}
	for name := range p.claims {
		if !slices.Contains([]string{"jti", "htm", "htu", "iat", "ath", "nonce"}, name) {
			t.Errorf("the proof has a claim %q", name)
		}
	}
	return p
}

// TestHostileDPoP is what stands beside the faults of the test OP.
func TestHostileDPoP(t *testing.T) {
	t.Run("134_bearer_where_a_bound_token_is_due", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(withDPoP(oidc.DPoPES256()))
		tokenMember(r.op, "token_type", "Bearer")
		r.op.ClearLog()
		r.refused(oidc.BadTokenType)
		wantCalls(t, r.op, oidctest.EndpointToken, 1)
		wantNoCall(t, r.op, oidctest.EndpointUserInfo)
	})
	t.Run("321_one_retry_then_an_error_and_nonces_are_per_origin", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.DPoPNonce = true })
		r := setup(t, op)
		r.client(withDPoP(oidc.DPoPES256()))
		op.ClearLog()
		tok := r.mustLogin()
		wantCalls(t, op, oidctest.EndpointToken, 2) // asked for a nonce once
		if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
			t.Fatal(err)
		}
		wantCalls(t, op, oidctest.EndpointUserInfo, 1) // the same origin: it is known
		op.ClearLog()
		r.mustLogin()
		wantCalls(t, op, oidctest.EndpointToken, 1) // kept for other users too
		op.RotateDPoPNonce()
		op.ClearLog()
		r.mustLogin()
		wantCalls(t, op, oidctest.EndpointToken, 2)
		two := op.Requests(oidctest.EndpointToken)
		first, second := readProof(t, two[0].Header), readProof(t, two[1].Header)
		if first.claims["nonce"] == second.claims["nonce"] || first.claims["jti"] == second.claims["jti"] {
			t.Error("the second request does not have a proof of its own")
		}
		// Another origin is sent no nonce of this one.
		other := r.resource(t, tok, func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(204) })
		if p := readProof(t, other.get("/").Header); p.claims["nonce"] != nil {
			t.Error("a resource was sent the nonce of the OP")
		}
	})
	t.Run("321_an_assertion_is_made_anew_for_the_retry", func(t *testing.T) {
		op := newOP(t, func(c *oidctest.Config) { c.DPoPNonce = true })
		key := testKey()
		set, err := oidc.PublicJWKS(key)
		if err != nil {
			t.Fatal(err)
		}
		r := setup(t, op)
		m := r.metadata(func(m *oidc.ClientMetadata) { m.TokenEndpointAuthMethod, m.JWKS = oidc.AuthPrivateKey, set })
		if r.reg, err = r.p.Register(t.Context(), m, ""); err != nil {
			t.Fatal(err)
		}
		r.client(withDPoP(oidc.DPoPES256()), func(c *oidc.ClientConfig) { c.Keys = []oidc.Key{key} })
		op.ClearLog()
		r.mustLogin() // the OP refuses an assertion that it has seen
		two := op.Requests(oidctest.EndpointToken)
		if len(two) != 2 || two[0].Auth.Claims["jti"] == two[1].Auth.Claims["jti"] {
			t.Errorf("%d requests with the same assertion", len(two))
		}
	})
	for _, mode := range []oidc.DPoPMode{oidc.DPoPES256(), oidc.DPoPEdDSA(), oidc.DPoPPS256()} {
		t.Run("322_proof_"+mode.Algorithm(), func(t *testing.T) {
			r := setup(t, newOP(t))
			r.client(withDPoP(mode))
			r.op.ClearLog()
			r.params.Scopes, r.params.Prompt = []string{"offline_access"}, []string{"consent"}
			pending, cb := r.begin()
			jkt := r.op.Requests(oidctest.EndpointAuthorization)[0].Query.Get("dpop_jkt")
			if jkt == "" || jkt != pending.DPoP.Thumbprint() {
				t.Errorf("dpop_jkt is %q, the key is %v", jkt, pending.DPoP)
			}
			// A restart between the two: the key is the login's own.
			x, err := pending.Export()
			if err != nil {
				t.Fatal(err)
			}
			if pending, err = oidc.ImportPending(x); err != nil {
				t.Fatal(err)
			}
			tok, err := r.finish(pending, cb)
			if err != nil {
				t.Fatal(err)
			}
			if tok.TokenType != "DPoP" || tok.DPoP.Thumbprint() != jkt {
				t.Errorf("got %s bound to %v, want %s", tok.TokenType, tok.DPoP, jkt)
			}
			if x, err = tok.Export(); err != nil {
				t.Fatal(err)
			}
			if tok, err = r.c.ImportTokens(x); err != nil {
				t.Fatal(err)
			}
			if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			if tok, err = r.c.Refresh(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			if _, err := r.c.UserInfo(t.Context(), tok); err != nil {
				t.Fatal(err)
			}
			seen := make(map[any]bool)
			for _, q := range r.op.Received() {
				if q.Endpoint != oidctest.EndpointToken && q.Endpoint != oidctest.EndpointUserInfo {
					continue
				}
				p := readProof(t, q.Header)
				if p.alg != mode.Algorithm() || p.typ != "dpop+jwt" || seen[p.claims["jti"]] {
					t.Errorf("alg %q, typ %q, jti seen before: %v", p.alg, p.typ, seen[p.claims["jti"]])
				}
				seen[p.claims["jti"]] = true
			}
			if len(seen) != 4 {
				t.Errorf("%d proofs, want 4", len(seen))
			}
		})
	}
	t.Run("322_each_login_has_a_key_of_its_own", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(withDPoP(oidc.DPoPES256()))
		if a, b := r.mustLogin(), r.mustLogin(); a.DPoP.Thumbprint() == b.DPoP.Thumbprint() {
			t.Error("two logins share a key")
		}
	})
	t.Run("322_a_code_stolen_with_its_verifier_is_of_no_use", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(withDPoP(oidc.DPoPES256()))
		pending, cb := r.begin()
		other, err := r.c.Begin(t.Context(), r.params)
		if err != nil {
			t.Fatal(err)
		}
		pending.DPoP = other.Pending.DPoP
		_, err = r.finish(pending, cb)
		r.refusal(err, "invalid_grant")
	})
	t.Run("322_proof_at_par", func(t *testing.T) {
		r := setup(t, newOP(t, func(c *oidctest.Config) { c.DPoPNonce = true }))
		r.client(withDPoP(oidc.DPoPES256()), func(c *oidc.ClientConfig) { c.PAR = oidc.PARAlways })
		r.op.ClearLog()
		tok := r.mustLogin()
		pushed := r.op.Requests(oidctest.EndpointPAR)
		if len(pushed) != 2 { // asked for a nonce once
			t.Fatalf("%d pushed requests", len(pushed))
		}
		if p := readProof(t, pushed[1].Header); p.claims["htu"] != r.op.URL(oidctest.EndpointPAR) || pushed[1].Form.Get("dpop_jkt") != tok.DPoP.Thumbprint() {
			t.Errorf("htu %v, dpop_jkt %q", p.claims["htu"], pushed[1].Form.Get("dpop_jkt"))
		}
		wantCalls(t, r.op, oidctest.EndpointToken, 1)
	})
	t.Run("322_htu_has_no_query", func(t *testing.T) {
		r := setup(t, newOP(t))
		r.client(withDPoP(oidc.DPoPES256()))
		res := r.resource(t, r.mustLogin(), func(w http.ResponseWriter, q *http.Request) { w.WriteHeader(204) })
		q := res.get("/a%2Fb?token=1#part")
		if p := readProof(t, q.Header); p.claims["htu"] != res.origin+"/a%2Fb" || p.claims["htm"] != "GET" {
			t.Errorf("htu %v, htm %v", p.claims["htu"], p.claims["htm"])
		}
	})
	t.Run("322_a_refresh_of_bearer_tokens_makes_a_key", func(t *testing.T) {
		r := setup(t, newOP(t))
		tok := r.offline()
		r.client(withDPoP(oidc.DPoPES256())) // switched on meanwhile
		n, err := r.c.Refresh(t.Context(), tok)
		if err != nil {
			t.Fatal(err)
		}
		if n.TokenType != "DPoP" || n.DPoP == nil || tok.DPoP != nil {
			t.Errorf("got %v", n)
		}
	})
	t.Run("323_not_possible_where_nothing_can_be_bound", func(t *testing.T) {
		r := setup(t, newOP(t), types("code", "code token"))
		c := r.reg.ClientConfig()
		c.DPoP = oidc.DPoPES256()
		_, err := oidc.NewClient(r.p, c)
		wantUnsupported(t, err)
	})
}

func TestDPoPConfig(t *testing.T) {
	r := setup(t, newOP(t))
	c := r.reg.ClientConfig()
	c.Metadata.DPoPBoundAccessTokens = true
	_, err := oidc.NewClient(r.p, c)
	wantField(t, err, "ClientConfig.DPoP")
	for _, c := range []struct {
		mode            oidc.DPoPMode
		announced, want string
	}{
		{oidc.DPoPEdDSA(), "Ed25519", "Ed25519"},
		{oidc.DPoPEdDSA(), "EdDSA", "EdDSA"},
		{oidc.DPoPEdDSA(), "Ed25519 EdDSA", "EdDSA"},
		{oidc.DPoPEdDSA(), "", "EdDSA"},
		{oidc.DPoPEdDSA(), "ES256", "unsupported"},
		{oidc.DPoPES256(), "Ed25519", "unsupported"},
		{oidc.DPoPES256(), "Ed25519 ES256", "ES256"},
	} {
		want := c.want
		t.Run(c.mode.Algorithm()+"_where_there_is_"+c.announced, func(t *testing.T) {
			r.op.TamperMetadata(func(m map[string]any) {
				var algs []any
				for a := range strings.FieldsSeq(c.announced) {
					algs = append(algs, a)
				}
				m["dpop_signing_alg_values_supported"] = algs
			})
			defer r.op.TamperMetadata(nil)
			r := r.in(t)
			r.discover()
			mode := c.mode
			c := r.reg.ClientConfig()
			c.DPoP = mode
			client, err := oidc.NewClient(r.p, c)
			if want == "unsupported" {
				wantUnsupported(t, err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			r.c = client
			r.op.ClearLog()
			r.mustLogin()
			if p := readProof(t, r.op.Requests(oidctest.EndpointToken)[0].Header); p.alg != want {
				t.Errorf("alg %q, want %q", p.alg, want)
			}
		})
	}
}

// TestDPoPBoundClient is registered by the metadata of RFC 9449 section 5.2, and of
// a public client the refresh token is bound too.
func TestDPoPBoundClient(t *testing.T) {
	r := setup(t, newOP(t), func(m *oidc.ClientMetadata) {
		m.DPoPBoundAccessTokens, m.TokenEndpointAuthMethod = true, oidc.AuthNone
	})
	if !r.reg.Metadata.DPoPBoundAccessTokens {
		t.Fatal("not registered")
	}
	tok := r.offline()
	if tok.DPoP == nil {
		t.Fatal("a client that is registered for bound tokens binds none")
	}
	stranger, err := r.c.Begin(t.Context(), r.params)
	if err != nil {
		t.Fatal(err)
	}
	stolen := *tok
	stolen.DPoP = stranger.Pending.DPoP
	_, err = r.c.Refresh(t.Context(), &stolen)
	r.refusal(err, "invalid_grant")
	if _, err := r.c.Refresh(t.Context(), tok); err != nil {
		t.Fatal(err)
	}
}

// TestDPoPKeyIsNotPrinted: the key shows its thumbprint alone, wherever it is.
func TestDPoPKeyIsNotPrinted(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(withDPoP(oidc.DPoPES256()))
	pending, cb := r.begin()
	x, err := pending.Export()
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ DK string }
	if err := json.Unmarshal(x, &kept); err != nil || len(kept.DK) < 40 {
		t.Fatalf("no key in the export: %v", err)
	}
	secret := strings.TrimPrefix(kept.DK, "ES256.")
	tok, err := r.finish(pending, cb)
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]any{"Pending": pending, "Tokens": *tok, "DPoPKey": tok.DPoP, "nil": (*oidc.DPoPKey)(nil)} {
		for verb, text := range spellings(t, v) {
			if strings.Contains(text, secret) {
				t.Errorf("%s shows the key with %s", name, verb)
			}
		}
	}
	if key := (*oidc.DPoPKey)(nil); key.LogValue().String() != "" || fmt.Sprint(key) != "oidc.DPoPKey{}" {
		t.Errorf("no key is logged as %q, printed as %v", key.LogValue(), key)
	}
}

// TestDPoPKeyIsImported, if it was written by Export.
func TestDPoPKeyIsImported(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(withDPoP(oidc.DPoPES256()))
	pending, _ := r.begin()
	x, err := pending.Export()
	if err != nil {
		t.Fatal(err)
	}
	var kept struct{ DK string }
	if err := json.Unmarshal(x, &kept); err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	seed := b64(make([]byte, ed25519.SeedSize))
	for dk, good := range map[string]bool{
		kept.DK: true, "": true, "EdDSA." + seed: true, "Ed25519." + seed: true, "PS256." + b64(x509.MarshalPKCS1PrivateKey(opKey())): true,
		kept.DK + "!": false, "EdDSA." + seed + "!": false, "ES256.AAAA": false, "ES256." + b64(make([]byte, 32)): false, "EdDSA.AAAA": false, "EdDSA." + seed + "AA": false, "PS256.AAAA": false,
		"PS256." + b64(x509.MarshalPKCS1PrivateKey(short)): false, strings.Replace(kept.DK, "ES256", "RS256", 1): false, "ES256": false, "EdDSA": false, "x": false,
	} {
		p, err := oidc.ImportPending(bytes.Replace(x, []byte(kept.DK), []byte(dk), 1))
		switch {
		case !good:
			wantInput(t, err, oidc.BadParameter)
		case err != nil:
			t.Errorf("%.20s: %v", dk, err)
		case (p.DPoP == nil) != (dk == ""):
			t.Errorf("%.20s: got the key %v", dk, p.DPoP)
		}
	}
}

// TestTokensOfABrokenKey are not imported as if they were bound to none.
func TestTokensOfABrokenKey(t *testing.T) {
	r, tok := boundRig(t)
	x, err := tok.Export()
	if err != nil {
		t.Fatal(err)
	}
	broken := bytes.Replace(x, []byte(`"ES256.`), []byte(`"ES256.!`), 1)
	if bytes.Equal(broken, x) {
		t.Fatalf("no key in %d bytes", len(x))
	}
	_, err = r.c.ImportTokens(broken)
	wantInput(t, err, oidc.BadParameter)
	if again, err := r.c.ImportTokens(x); err != nil || again.DPoP == nil {
		t.Errorf("got %v, %v", again, err)
	}
}

// resource is a protected resource at a host of its own.
type resource struct {
	t        *testing.T
	origin   string
	client   *http.Client
	received []*http.Request
	bodies   []string
}

// RoundTrip receives a request in place of a network.
type resourceFunc func(*http.Request) (*http.Response, error)

func (f resourceFunc) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

func (r *rig) resource(t *testing.T, tok *oidc.Tokens, h http.HandlerFunc) *resource {
	res := &resource{t: t, origin: "https://api.example"}
	base := resourceFunc(func(q *http.Request) (*http.Response, error) {
		var body []byte
		if q.Body != nil {
			body, _ = io.ReadAll(q.Body)
			q.Body.Close()
		}
		res.received, res.bodies = append(res.received, q), append(res.bodies, string(body))
		w := &recorded{header: http.Header{}, status: 200}
		h(w, q)
		return &http.Response{StatusCode: w.status, Header: w.header, Body: io.NopCloser(&w.body), Request: q}, nil
	})
	res.client = &http.Client{Transport: r.c.Transport(tok, base, res.origin)}
	return res
}

type recorded struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (a *recorded) Header() http.Header         { return a.header }
func (a *recorded) WriteHeader(status int)      { a.status = status }
func (a *recorded) Write(b []byte) (int, error) { return a.body.Write(b) }

// get asks the resource, and returns what it received last.
func (r *resource) get(path string) *http.Request {
	r.t.Helper()
	res, err := r.client.Get(r.origin + path)
	if err != nil {
		r.t.Fatal(err)
	}
	res.Body.Close()
	return r.received[len(r.received)-1]
}

// wantNonce asks for a nonce until it comes.
func wantNonce(t *testing.T, nonce string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		if readProof(t, q.Header).claims["nonce"] != nonce {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.Header().Set("DPoP-Nonce", nonce)
			w.WriteHeader(401)
			return
		}
		w.WriteHeader(204)
	}
}

func TestTransport(t *testing.T) {
	r := setup(t, newOP(t))
	bearer := r.mustLogin()
	r.client(withDPoP(oidc.DPoPES256()))
	bound := r.mustLogin()
	t.Run("bearer", func(t *testing.T) {
		res := r.resource(t, bearer, func(w http.ResponseWriter, q *http.Request) {})
		q := res.get("/things")
		if q.Header.Get("Authorization") != "Bearer "+bearer.AccessToken || q.Header.Get("DPoP") != "" {
			t.Error("the token was not presented as a bearer token")
		}
	})
	t.Run("nonce_with_a_body_that_can_be_read_again", func(t *testing.T) {
		res := r.resource(t, bound, wantNonce(t, "one"))
		got, err := res.client.Post(res.origin+"/", "text/plain", strings.NewReader("a body"))
		if err != nil || got.StatusCode != 204 || len(res.received) != 2 || res.bodies[0] != "a body" || res.bodies[1] != "a body" {
			t.Fatalf("%v %v %v", got, err, res.bodies)
		}
		res.get("/")
		if len(res.received) != 3 {
			t.Error("the nonce was not kept")
		}
		sum := readProof(t, res.received[2].Header)
		if res.received[2].Header.Get("Authorization") != "DPoP "+bound.AccessToken || sum.claims["ath"] == nil {
			t.Error("the token was not presented as a bound one")
		}
	})
	t.Run("nonce_with_a_body_that_is_gone", func(t *testing.T) {
		res := r.resource(t, bound, wantNonce(t, "two"))
		q, err := http.NewRequestWithContext(t.Context(), "POST", res.origin+"/", io.MultiReader(strings.NewReader("a body")))
		if err != nil {
			t.Fatal(err)
		}
		got, err := res.client.Do(q)
		if err != nil || got.StatusCode != 401 || len(res.received) != 1 {
			t.Fatalf("%v %v", got, err)
		}
		if res.get("/"); len(res.received) != 2 {
			t.Error("the nonce was not learned")
		}
	})
	t.Run("nonce_asked_for_ever", func(t *testing.T) {
		n := 0
		res := r.resource(t, bound, func(w http.ResponseWriter, q *http.Request) {
			n++
			wantNonce(t, fmt.Sprintf("nonce-%d", n))(w, q)
		})
		got, err := res.client.Get(res.origin + "/")
		if err != nil || got.StatusCode != 401 || n != 2 {
			t.Fatalf("%v %v after %d requests", got, err, n)
		}
	})
	t.Run("nonce_asked_for_and_not_given", func(t *testing.T) {
		res := r.resource(t, bound, wantNonce(t, "three"))
		res.get("/")
		mute := r.resource(t, bound, func(w http.ResponseWriter, q *http.Request) {
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
		mute.get("/") // with the nonce that is known of the origin
		if len(mute.received) != 1 {
			t.Errorf("asked %d times", len(mute.received))
		}
	})
	t.Run("a_stranger_is_asked_nothing", func(t *testing.T) {
		for _, tok := range []*oidc.Tokens{bearer, bound} {
			res := r.resource(t, tok, func(w http.ResponseWriter, q *http.Request) {
				http.Redirect(w, q, "https://evil.example/", http.StatusTemporaryRedirect)
			})
			for _, target := range []string{"https://evil.example/", "http://api.example/", "https://api.example:444/", "https://api.example.evil/", "https://api.example@evil.example/"} {
				_, err := res.client.Get(target)
				if ie, ok := errors.AsType[*oidc.InputError](err); !ok || ie.Reason != oidc.WrongOrigin {
					t.Errorf("%s: got %v", target, err)
				}
			}
			if len(res.received) != 0 {
				t.Error("a stranger was sent the token")
			}
			_, err := res.client.Get(res.origin + "/")
			if !errors.Is(err, oidc.WrongOrigin) || len(res.received) != 1 {
				t.Errorf("a redirect was followed with the token: %v", err)
			}
		}
	})
	t.Run("the_scheme's_own_port_is_the_same_origin", func(t *testing.T) {
		res := r.resource(t, bearer, func(w http.ResponseWriter, q *http.Request) {})
		if _, err := res.client.Get("https://API.example:443/"); err != nil {
			t.Error(err)
		}
	})
	t.Run("an_origin_with_a_path", func(t *testing.T) {
		c := &http.Client{Transport: r.c.Transport(bearer, resourceFunc(nil), "https://api.example/v1")}
		_, err := c.Get("https://api.example/v1/x")
		if !errors.Is(err, oidc.BadConfig) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("tokens_that_cannot_be_presented", func(t *testing.T) {
		for name, tok := range map[string]*oidc.Tokens{"none": {}, "mac": {AccessToken: "a", TokenType: "mac"}, "no_key": {AccessToken: "a", TokenType: "DPoP"}} {
			c := &http.Client{Transport: r.c.Transport(tok, resourceFunc(nil), "https://api.example")}
			if _, err := c.Post("https://api.example/", "text/plain", strings.NewReader("x")); err == nil {
				t.Errorf("%s: presented", name)
			}
		}
		wantUnsupported(t, bound.Authorize(&http.Request{Header: http.Header{}}))
	})
	t.Run("incomplete", func(t *testing.T) {
		for name, tr := range map[string]*oidc.Transport{
			"no_tokens": {Origins: []string{"https://api.example"}},
			"no_client": {Origins: []string{"https://api.example"}, Tokens: func(context.Context) (*oidc.Tokens, error) { return bound, nil }},
		} {
			_, err := (&http.Client{Transport: tr}).Get("https://api.example/")
			if !errors.Is(err, oidc.BadConfig) {
				t.Errorf("%s: got %v", name, err)
			}
		}
	})
	t.Run("by_hand", func(t *testing.T) {
		q, err := http.NewRequestWithContext(t.Context(), "PUT", "https://by-hand.example/x?y", nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.c.Authorize(q, bound); err != nil {
			t.Fatal(err)
		}
		if p := readProof(t, q.Header); p.claims["htm"] != "PUT" || p.claims["htu"] != "https://by-hand.example/x" {
			t.Errorf("%v", p)
		}
		asks := http.Header{"Www-Authenticate": {`DPoP error="use_dpop_nonce"`}, "Dpop-Nonce": {"n"}}
		other := q.Clone(t.Context()) // sent at the same time, also without a nonce
		for _, sent := range []*http.Request{q, other} {
			if !r.c.LearnNonce(&http.Response{StatusCode: 401, Request: sent, Header: asks}) {
				t.Error("a request without the nonce is not to be repeated with it")
			}
		}
		if err := r.c.Authorize(q, bound); err != nil || readProof(t, q.Header).claims["nonce"] != "n" {
			t.Errorf("the nonce is not sent: %v", err)
		}
		if r.c.LearnNonce(&http.Response{StatusCode: 401, Request: q, Header: asks}) {
			t.Error("a request with the nonce is to be repeated with it")
		}
		// Proofs that others made have no nonce to read.
		for _, proof := range []string{"a.b", "e30", "a.!.c", "a." + b64([]byte("no json")) + ".c", "." + b64([]byte(`{"nonce":"n"}`)), "a." + b64([]byte(`{"nonce":"n"}  `)) + "!.c"} {
			q.Header.Set("DPoP", proof)
			if !r.c.LearnNonce(&http.Response{StatusCode: 401, Request: q, Header: asks}) {
				t.Errorf("%s has the nonce", proof)
			}
		}
		if err := r.c.Authorize(q, bearer); err != nil || q.Header.Get("Authorization") != "Bearer "+bearer.AccessToken || q.Header.Get("DPoP") != "" {
			t.Errorf("a bearer token: %v", err)
		}
	})
}

// TestTransportRefuses: what is no request for one of the origins is not sent, its body
// is closed, and an error of whoever gives tokens or client is handed on.
func TestTransportRefuses(t *testing.T) {
	r := setup(t, newOP(t))
	tok := &oidc.Tokens{AccessToken: "a", TokenType: "Bearer"}
	down := errors.New("the store is down")
	sent := 0
	base := resourceFunc(func(q *http.Request) (*http.Response, error) {
		sent++
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: q}, nil
	})
	target := func(raw string) *url.URL {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	with := func(origin string, edit ...func(*oidc.Transport)) *oidc.Transport {
		tr := r.c.Transport(tok, base, origin)
		for _, e := range edit {
			e(tr)
		}
		return tr
	}
	insecure := func(tr *oidc.Transport) { tr.InsecureAllowHTTP = true }
	for name, c := range map[string]struct {
		tr   *oidc.Transport
		url  *url.URL
		want error // nil: sent
	}{
		"https":                  {with("https://api.example"), target("https://api.example/"), nil},
		"no_url":                 {with("https://api.example"), nil, oidc.WrongOrigin},
		"no_host":                {with("https://api.example"), target("https:/x"), oidc.WrongOrigin},
		"http":                   {with("http://127.0.0.1"), target("http://127.0.0.1/"), oidc.WrongOrigin},
		"http_allowed":           {with("http://127.0.0.1:80", insecure), target("http://127.0.0.1/"), nil},
		"http_allowed_elsewhere": {with("http://api.example", insecure), target("http://api.example/"), oidc.WrongOrigin},
		"another_scheme_allowed": {with("ftp://127.0.0.1", insecure), target("ftp://127.0.0.1/"), oidc.WrongOrigin},
		"origin_that_is_no_url":  {with("https://api.example:x"), target("https://api.example/"), oidc.BadConfig},
		"origin_without_host":    {with("https://"), target("https://api.example/"), oidc.BadConfig},
		"tokens_fail": {with("https://api.example", func(tr *oidc.Transport) {
			tr.Tokens = func(context.Context) (*oidc.Tokens, error) { return tok, down }
		}), target("https://api.example/"), down},
		"client_fails": {with("https://api.example", func(tr *oidc.Transport) {
			tr.Base, tr.Client = nil, func(context.Context) (*oidc.Client, error) { return r.c, down }
		}), target("https://api.example/"), down},
		"client_that_is_not_needed": {with("https://api.example", func(tr *oidc.Transport) {
			tr.Client = func(context.Context) (*oidc.Client, error) { return nil, down }
		}), target("https://api.example/"), nil},
	} {
		t.Run(name, func(t *testing.T) {
			sent = 0
			body := new(closed)
			res, err := c.tr.RoundTrip(&http.Request{Method: "POST", URL: c.url, Header: http.Header{}, Body: body})
			if !errors.Is(err, c.want) || (sent == 1) != (c.want == nil) {
				t.Fatalf("got %v after %d requests, want %v", err, sent, c.want)
			}
			if (res == nil) != (err != nil) || bool(*body) == (c.want == nil) {
				t.Errorf("response %v beside %v, the body is closed: %v", res, err, bool(*body))
			}
		})
	}
	// Without a body there is none to close.
	if _, err := with("https://api.example").RoundTrip(&http.Request{Header: http.Header{}}); !errors.Is(err, oidc.WrongOrigin) {
		t.Errorf("got %v", err)
	}
	// Without Base and Client the usual network is asked.
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Seen", q.Header.Get("Authorization"))
	}))
	defer s.Close()
	for _, bare := range []*oidc.Transport{
		with(s.URL, insecure, func(tr *oidc.Transport) { tr.Base, tr.Client = nil, nil }),
		with(s.URL, insecure, func(tr *oidc.Transport) { tr.Base = nil }),
	} {
		res, err := (&http.Client{Transport: bare}).Get(s.URL)
		if err != nil || res.Header.Get("Seen") != "Bearer a" {
			t.Errorf("got %v, %v", res, err)
		}
	}
}

// TestTransportOfOnesOwn: a Base is asked, though the client has a certificate to show;
// without one, nothing is sent if no certificate can be shown.
func TestTransportOfOnesOwn(t *testing.T) {
	r := bank(t, oidc.FAPI2Security)
	cert := issued(t, r.op, "rp")
	var lost error
	r.client(func(c *oidc.ClientConfig) {
		c.Certificate = func(context.Context) (*tls.Certificate, error) { return &cert, lost }
	})
	bound := r.mustLogin()
	if bound.DPoP == nil {
		t.Fatal("the token is bound to no key")
	}
	lost = errors.New("the certificate is lost")
	r.resource(t, bound, func(http.ResponseWriter, *http.Request) {}).get("/")
	_, err := (&http.Client{Transport: r.c.Transport(bound, nil, "https://api.example")}).Get("https://api.example/")
	if !errors.Is(err, lost) || !errors.Is(err, oidc.BadConfig) {
		t.Errorf("got %v", err)
	}
}

// closed is a body that was closed or not.
type closed bool

func (*closed) Read([]byte) (int, error) { return 0, io.EOF }

func (c *closed) Close() error { *c = true; return nil }

// TestTransportRepeats: a request is sent again where a proof needs another nonce, once,
// and nowhere else (RFC 9449 section 9).
func TestTransportRepeats(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(withDPoP(oidc.DPoPES256()))
	bound := r.mustLogin()
	const asks = `DPoP error="use_dpop_nonce"`
	down := errors.New("the network is down")
	for name, c := range map[string]struct {
		status      int
		asks, nonce string
		want        int // requests
	}{
		"asked":             {401, asks, "n-1", 2},
		"asked_by_400":      {400, asks, "n-2", 1},
		"asked_without_one": {401, asks, "", 1},
		"another_error":     {401, `DPoP error="invalid_token"`, "n-3", 1},
		"another_scheme":    {401, `Bearer error="use_dpop_nonce"`, "n-4", 1},
		"not_asked":         {200, "", "n-5", 1},
		"no_challenge":      {401, "", "n-6", 1},
	} {
		t.Run(name, func(t *testing.T) {
			res := r.in(t).resource(t, bound, func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("DPoP-Nonce", c.nonce)
				if c.asks != "" {
					w.Header().Set("WWW-Authenticate", c.asks)
				}
				w.WriteHeader(c.status)
			})
			if res.get("/"); len(res.received) != c.want {
				t.Errorf("%d requests, want %d", len(res.received), c.want)
			}
			if c.want == 2 { // the nonce that it has been sent is asked for again: to repeat is no use
				if res.get("/"); len(res.received) != 3 {
					t.Errorf("%d requests, want 3", len(res.received))
				}
			}
		})
	}
	serial := 0 // no nonce is given twice
	fails := func(at int) (*http.Client, *int) {
		n := 0
		return &http.Client{Transport: r.c.Transport(bound, resourceFunc(func(q *http.Request) (*http.Response, error) {
			if n++; n == at {
				return nil, down
			}
			serial++
			h := http.Header{"Dpop-Nonce": {fmt.Sprint("s-", serial)}, "Www-Authenticate": {asks}}
			return &http.Response{StatusCode: 401, Header: h, Body: http.NoBody, Request: q}, nil
		}), "https://fails.example")}, &n
	}
	for at := 1; at <= 2; at++ {
		c, n := fails(at)
		if _, err := c.Get("https://fails.example/"); !errors.Is(err, down) || *n != at {
			t.Errorf("got %v after %d requests", err, *n)
		}
	}
	// The nonce of the second answer is the next one's.
	var nonces []any
	spied := &http.Client{Transport: r.c.Transport(bound, resourceFunc(func(q *http.Request) (*http.Response, error) {
		nonces = append(nonces, readProof(t, q.Header).claims["nonce"])
		h := http.Header{"Dpop-Nonce": {fmt.Sprint("t-", len(nonces))}, "Www-Authenticate": {asks}}
		return &http.Response{StatusCode: 401, Header: h, Body: http.NoBody, Request: q}, nil
	}), "https://spied.example")}
	for range 2 {
		if _, err := spied.Get("https://spied.example/"); err != nil {
			t.Fatal(err)
		}
	}
	if want := []any{nil, "t-1", "t-2", "t-3"}; !slices.Equal(nonces, want) {
		t.Errorf("sent the nonces %v, want %v", nonces, want)
	}
	// A body that cannot be read again after all leaves the answer as it is.
	for name, again := range map[string]func() (io.ReadCloser, error){"fails": func() (io.ReadCloser, error) { return nil, down }, "none": nil} {
		c, n := fails(0)
		q, err := http.NewRequestWithContext(t.Context(), "POST", "https://fails.example/", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		q.GetBody = again
		if res, err := c.Do(q); err != nil || res.StatusCode != 401 || *n != 1 {
			t.Errorf("%s: got %v, %v after %d requests", name, res, err, *n)
		}
	}
	c, n := fails(0)
	q, err := http.NewRequestWithContext(t.Context(), "POST", "https://fails.example/", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	q.GetBody = nil
	if _, err := c.Do(q); err != nil || *n != 2 {
		t.Errorf("no body: %v after %d requests", err, *n)
	}
	// The zero method is GET, and a user in a URL is no part of it.
	tr := r.c.Transport(bound, resourceFunc(func(q *http.Request) (*http.Response, error) {
		if p := readProof(t, q.Header); p.claims["htm"] != "GET" || p.claims["htu"] != "https://api.example/" {
			t.Errorf("the proof is for %v", p.claims)
		}
		return &http.Response{StatusCode: 200, Body: http.NoBody, Request: q}, nil
	}), "https://api.example")
	u, err := url.Parse("https://me@api.example/")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.RoundTrip(&http.Request{URL: u, Header: http.Header{}}); err != nil {
		t.Error(err)
	}
}

// TestAuthorizeByHand: what cannot be presented or learned from is told.
func TestAuthorizeByHand(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(withDPoP(oidc.DPoPES256()))
	bound := r.mustLogin()
	for _, u := range []*url.URL{nil, {Path: "/x"}} {
		q := &http.Request{URL: u, Header: http.Header{}}
		wantInput(t, r.c.Authorize(q, bound), oidc.BadParameter)
		wantInput(t, r.c.Authorize(q, nil), oidc.NoAccessToken)
		if len(q.Header) != 0 {
			t.Errorf("presented %v", q.Header)
		}
	}
	other := *bound
	other.TokenType = "mac"
	wantUnsupported(t, r.c.Authorize(&http.Request{URL: &url.URL{Scheme: "https", Host: "api.example"}, Header: http.Header{}}, &other))
	u := &url.URL{Scheme: "https", Host: "learn.example"}
	n := 0
	answer := func(status int, asks string) *http.Response {
		n++
		return &http.Response{StatusCode: status, Request: &http.Request{URL: u}, Header: http.Header{"Www-Authenticate": {asks}, "Dpop-Nonce": {fmt.Sprint("n", n)}}}
	}
	const asks = `DPoP error="use_dpop_nonce"`
	without := answer(401, asks)
	without.Header.Del("DPoP-Nonce")
	for name, c := range map[string]struct {
		res  *http.Response
		want bool
	}{
		"asked": {answer(401, asks), true}, "nothing": {nil, false}, "no_request": {&http.Response{}, false}, "no_url": {&http.Response{Request: &http.Request{}}, false},
		"by_200": {answer(200, asks), false}, "another_error": {answer(401, `DPoP error="invalid_token"`), false}, "no_nonce": {without, false},
	} {
		if got := r.c.LearnNonce(c.res); got != c.want {
			t.Errorf("%s: to be repeated: %v", name, got)
		}
	}
}

// TestDPoPClock: iat is the time by the client's clock.
func TestDPoPClock(t *testing.T) {
	r := setup(t, newOP(t))
	r.client(withDPoP(oidc.DPoPES256()))
	r.op.Advance(time.Hour)
	r.op.ClearLog()
	r.mustLogin()
	iat, _ := readProof(t, r.op.Requests(oidctest.EndpointToken)[0].Header).claims["iat"].(float64)
	if age := r.op.Now().Sub(time.Unix(int64(iat), 0)); age < 0 || age > 30*time.Second {
		t.Errorf("iat is %v ago", age)
	}
}
